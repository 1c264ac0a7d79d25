/* SPDX-License-Identifier: GPL-2.0-only */
/* Folded stacks and perf script's text: golden lines and hostile names. */
#include <ctype.h>
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flame_samples.h"

static void expect_folded(const struct profile *p, enum profile_weight weight, const char *wanted)
{
	const struct flame_opts opts = sample__opts(weight);
	char *text = sample__print(FLAME_FOLDED, p, &opts, NULL);

	assert_string_equal(text, wanted);
	free(text);
}

static __u32 a_frame(struct profile *p, struct profile_frame f)
{
	__u32 id;

	assert_int_equal(profile__add_frame(p, &f, &id), 0);
	return id;
}

static void test_lines(void **state)
{
	struct profile *p = sample__new();
	__u32 main_ = sample__frame(p, "main");
	__u32 k = a_frame(p, (struct profile_frame){ .name = "read", .kind = PROFILE_KERNEL });
	__u32 j = a_frame(p, (struct profile_frame){ .name = "js f", .kind = PROFILE_JIT });
	__u32 i = a_frame(p, (struct profile_frame){ .name = "in", .inlined = true });
	__u32 heap = a_frame(p, (struct profile_frame){ .name = "[heap]", .kind = PROFILE_REGION });

	expect_folded(p, PROFILE_FAULTS, "");
	SAMPLE(p, "app", 2, main_, i, heap);
	SAMPLE(p, "app", 3, main_, k);
	SAMPLE(p, "app", 4, main_, j);
	SAMPLE(p, "app", 1, main_);
	SAMPLE(p, "app", 0, main_, main_);
	SAMPLE(p, "aa 1", 5, main_);
	SAMPLE(p, NULL, 6, main_);
	expect_folded(p, PROFILE_FAULTS,
		      "aa_1;main 5\n"
		      "app;main 1\n"
		      "app;main;in_[i];[heap] 2\n"
		      "app;main;js_f_[j] 4\n"
		      "app;main;read_[k] 3\n"
		      "main 6\n");
	profile__free(p);
}

static void test_unknown(void **state)
{
	struct profile *p = sample__new();
	__u32 empty = sample__stack(p, 0, NULL);
	const struct profile_weights one = { { 1, 0, 0 } };
	const struct profile_labels nobody = { 0 }, app = { .comm = "app" };

	SAMPLE(p, "a", 1, a_frame(p, (struct profile_frame){ .object = "/usr/lib/libfoo.so" }));
	SAMPLE(p, "b", 1, a_frame(p, (struct profile_frame){ .object = "/x/bar.so (deleted)" }));
	SAMPLE(p, "c", 1, a_frame(p, (struct profile_frame){ .object = "[vdso]" }));
	SAMPLE(p, "d", 1,
	       a_frame(p, (struct profile_frame){ .object = "/tmp/perf-12.map",
						  .kind = PROFILE_JIT }));
	SAMPLE(p, "e", 1, a_frame(p, (struct profile_frame){ .object = "/" }));
	SAMPLE(p, "f", 1, a_frame(p, (struct profile_frame){ .name = "" }));
	SAMPLE(p, "", 1, sample__frame(p, "g"));
	assert_int_equal(profile__add(p, empty, &nobody, &one), 0);
	assert_int_equal(profile__add(p, empty, &app, &one), 0);
	expect_folded(p, PROFILE_FAULTS,
		      "[unknown] 1\n"
		      "[unknown];g 1\n"
		      "a;[libfoo.so] 1\n"
		      "app 1\n"
		      "b;[bar.so] 1\n"
		      "c;[vdso] 1\n"
		      "d;[perf-12.map]_[j] 1\n"
		      "e;[unknown] 1\n"
		      "f;[unknown] 1\n");
	profile__free(p);
}

/* Each line is what the consumers' expressions match, and its count is there. */
static void test_hostile(void **state)
{
	struct profile *p = sample__hostile();
	const struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	char *text = sample__print(FLAME_FOLDED, p, &opts, NULL), *line, *rest = NULL, *blank, *end;
	__u64 sum = 0, lines = 0;

	for (line = strtok_r(text, "\n", &rest); line; line = strtok_r(NULL, "\n", &rest)) {
		blank = strchr(line, ' ');
		assert_non_null(blank);
		assert_ptr_equal(strrchr(line, ' '), blank);
		sum += strtoull(blank + 1, &end, 10);
		assert_int_equal(*end, 0);
		assert_true(isdigit((unsigned char)blank[1]));
		*blank = '\0';
		for (blank = line; *blank; blank++)
			assert_false(iscntrl((unsigned char)*blank));
		assert_null(strstr(line, "\xe2\x80\xa8"));
		assert_null(strstr(line, "\xc2\xa0"));
		/* comm;main;leaf */
		assert_non_null(strstr(line, ";main;"));
		assert_ptr_equal(strchr(strstr(line, ";main;") + 6, ';'), NULL);
		lines++;
	}
	assert_int_equal(lines, sample_names_n);
	assert_int_equal(sum, sample_names_n * (sample_names_n + 1) / 2);
	free(text);
	profile__free(p);
}

static void test_huge(void **state)
{
	struct profile *p = sample__new();
	__u32 f = sample__frame(p, "f"), g = sample__frame(p, "g");

	SAMPLE(p, "a", 1ULL << 63, f, g);
	SAMPLE(p, "a", 1ULL << 63, f);
	expect_folded(p, PROFILE_FAULTS, "a;f 9223372036854775808\na;f;g 9223372036854775808\n");
	profile__free(p);
}

static char *script_of(const struct profile *p, const struct flame_sample *samples, size_t n)
{
	char *text = NULL;
	size_t size, i;
	FILE *f = open_memstream(&text, &size);
	struct flame_script *s = flame_script__new(f);

	assert_non_null(s);
	for (i = 0; i < n; i++)
		assert_int_equal(flame_script__sample(s, p, &samples[i]), 0);
	assert_int_equal(flame_script__finish(s), 0);
	flame_script__free(s);
	fclose(f);
	return text;
}

static void test_script(void **state)
{
	struct profile *p = sample__new();
	const __u32 frames[] = {
		a_frame(p, (struct profile_frame){ .name = "[truncated]", .kind = PROFILE_NOTE }),
		a_frame(p, (struct profile_frame){ .name = "main",
						   .object = "/a (b)/x y (deleted)",
						   .address = 0x55d0c0ffee10,
						   .sym_offset = 0x1c }),
		a_frame(p, (struct profile_frame){ .name = "operator()(int)",
						   .address = 0x55d0c0ffee10,
						   .inlined = true,
						   .sym_offset = 0x1c }),
		a_frame(p, (struct profile_frame){ .address = 0x401000 }),
		a_frame(p, (struct profile_frame){ .name = "asm_exc_page_fault",
						   .object = "[kernel.kallsyms]",
						   .address = 0xffffffff81a00b92,
						   .sym_offset = 0x22,
						   .kind = PROFILE_KERNEL }),
		a_frame(p, (struct profile_frame){ .name = "[heap]", .kind = PROFILE_REGION }),
	};
	__u32 stack = sample__stack(p, 6, frames), none = sample__stack(p, 0, NULL);
	const struct flame_sample samples[] = {
		{ "myapp", "page-faults", 158665570607999, 1, 1234, 1240, 3, stack },
		{ "zero", "page-faults", 1, 0, 1, 1, 0, stack },
		{ "a", "page-faults", 1999, 4096, 4194304, 4194304, 127, none },
		{ " #\n1 b 2 ", "page-faults", 0, 1, 5, 5, 0, none },
		{ "#x", "page-faults", 0, 1, 5, 5, 0, none },
		{ "", "page-faults", 0, 1, 5, 5, 0, none },
	};
	char *text = script_of(p, samples, 6);

	assert_string_equal(
		text, "myapp    1234/1240    [003] 158665.570607:          1 page-faults: \n"
		      "\t               0 [heap] (region)\n"
		      "\tffffffff81a00b92 asm_exc_page_fault+0x22 ([kernel.kallsyms])\n"
		      "\t          401000 [unknown] ([unknown])\n"
		      "\t    55d0c0ffee10 operator()(int)+0x1c (inlined)\n"
		      "\t    55d0c0ffee10 main+0x1c (/a__b_/x_y)\n"
		      "\t               0 [truncated] (note)\n"
		      "\n"
		      "a  4194304/4194304 [127]     0.000001:       4096 page-faults: \n"
		      "\n"
		      "_#\\n1 b_2_       5/5       [000]     0.000000:          1 page-faults: \n"
		      "\n"
		      "_x       5/5       [000]     0.000000:          1 page-faults: \n"
		      "\n"
		      "[unknown]       5/5       [000]     0.000000:          1 page-faults: \n"
		      "\n");
	free(text);
	profile__free(p);
}

static void test_write_errors(void **state)
{
	struct profile *p = sample__hostile();
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	struct flame_sample sample = { "a", "page-faults", 0, 1, 1, 1, 0, 0 };
	FILE *full = fopen("/dev/full", "w");
	struct flame_script *s = flame_script__new(full);
	int i;

	assert_non_null(full);
	for (i = 0; i < FLAME_FORMAT_NR; i++)
		assert_int_equal(flame__print(i, full, p, &opts),
				 i == FLAME_PERF_SCRIPT ? -EINVAL : -ENOSPC);
	assert_int_equal(flame__print(FLAME_FORMAT_NR, full, p, &opts), -EINVAL);
	opts.weight = PROFILE_WEIGHT_NR;
	assert_int_equal(flame__print(FLAME_FOLDED, full, p, &opts), -EINVAL);
	assert_int_equal(flame_script__sample(s, p, &sample), 0);
	assert_int_equal(flame_script__finish(s), -ENOSPC);
	assert_int_equal(flame_script__sample(s, p, &sample), -ENOSPC);
	flame_script__free(s);
	flame_script__free(NULL);
	fclose(full);
	profile__free(p);
}

static void test_words(void **state)
{
	int i;

	for (i = 0; i < FLAME_FORMAT_NR; i++) {
		assert_int_equal(flame_format__parse(flame_format__name(i)), i);
		assert_non_null(flame_format__desc(i));
	}
	for (i = 0; i < PROFILE_WEIGHT_NR; i++)
		assert_int_equal(flame_weight__parse(flame_weight__name(i)), i);
	assert_int_equal(flame_format__parse("svgz"), -1);
	assert_int_equal(flame_weight__parse(""), -1);
	assert_null(flame_format__name(FLAME_FORMAT_NR));
	assert_null(flame_format__desc(FLAME_FORMAT_NR));
	assert_null(flame_weight__name(PROFILE_WEIGHT_NR));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),   cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_hostile), cmocka_unit_test(test_huge),
		cmocka_unit_test(test_script),  cmocka_unit_test(test_write_errors),
		cmocka_unit_test(test_words),
	};

	return cmocka_run_group_tests_name("flame_folded", tests, NULL, NULL);
}
