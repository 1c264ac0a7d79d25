/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "symbol/kernel.h"
#include "symbols.h"

static struct kernel_symbols *of_text(const char *text, size_t len)
{
	int fd = memory_file(text, len);
	struct kernel_symbols *k;

	lseek(fd, 0, SEEK_SET);
	k = kernel_symbols__read(fd);
	close(fd);
	return k;
}

static const char *find(const struct kernel_symbols *k, __u64 addr, __u64 offset,
			const char *module)
{
	const char *name, *in;
	__u64 start;

	name = kernel_symbols__find(k, addr, &start, &in);
	if (name) {
		assert_int_equal(addr - start, offset);
		assert_string_equal(in, module);
	}
	return name;
}

static void test_list(void **state)
{
	static const char text[] = "0000000000001000 A fixed_percpu_data\n"
				   "ffffffff81000000 T _text\n"
				   "ffffffff81000000 T text_is_better\n"
				   "ffffffff81000000 t local\n"
				   "ffffffff81000100 W weak\n"
				   "ffffffff81000180 D data\n"
				   "ffffffff81000200 t last\n"
				   "garbage\n"
				   "zzz T nothing\n"
				   "\n"
				   "ffffffffc0000100 t second\t[mod]\n"
				   "ffffffffc0000000 t first\t[mod]\n"
				   "ffffffffc0100000 t other\t[mod2]\n"
				   "ffffffffc0100000 T unfinished";
	struct kernel_symbols *k = of_text(text, strlen(text));

	assert_non_null(k);
	assert_int_equal(kernel_symbols__count(k), 9);
	assert_null(find(k, 0, 0, ""));
	assert_null(find(k, 0x1000, 0, ""));
	assert_null(find(k, 0xffffffff80ffffff, 0, ""));
	assert_string_equal(find(k, 0xffffffff81000000, 0, "[kernel.kallsyms]"), "text_is_better");
	assert_string_equal(find(k, 0xffffffff810000ff, 0xff, "[kernel.kallsyms]"),
			    "text_is_better");
	assert_string_equal(find(k, 0xffffffff81000100, 0, "[kernel.kallsyms]"), "weak");
	assert_null(find(k, 0xffffffff81000180, 0, ""));
	assert_string_equal(find(k, 0xffffffff81000300, 0x100, "[kernel.kallsyms]"), "last");
	/* nobody knows where the last one ends, but not there */
	assert_null(find(k, 0xffffffff82000300, 0, ""));
	assert_string_equal(find(k, 0xffffffffc0000010, 0x10, "[mod]"), "first");
	assert_string_equal(find(k, 0xffffffffc0000110, 0x10, "[mod]"), "second");
	assert_string_equal(find(k, 0xffffffffc0100001, 1, "[mod2]"), "other");
	assert_null(find(k, ~0ULL, 0, ""));
	kernel_symbols__free(k);
}

static void test_restricted(void **state)
{
	static const char text[] = "0000000000000000 T _text\n0000000000000000 t run\t[mod]\n";
	struct kernel_symbols *k = of_text(text, strlen(text));

	assert_int_equal(kernel_symbols__count(k), 0);
	assert_null(find(k, 0, 0, ""));
	kernel_symbols__free(k);
	k = of_text("", 0);
	assert_int_equal(kernel_symbols__count(k), 0);
	kernel_symbols__free(k);
}

static void test_this_kernel(void **state)
{
	char **lines = lines_of("awk '$2 ~ /[tT]/ && $3 !~ /^_/ && !seen[$1]++' /proc/kallsyms | "
				"awk 'NR %% 97 == 0' | head -n 1000");
	struct symbolizer *sz = symbolizer__new(NULL);
	struct sym_frame f;
	size_t n = 0;

	for (; lines && lines[n]; n++) {
		unsigned long long addr = strtoull(lines[n], NULL, 16);
		char name[512], module[128] = "[kernel.kallsyms]";
		struct sym_frame g;

		if (!addr)
			break;
		assert_true(sscanf(lines[n], "%*x %*c %511s %127s", name, module) >= 1);
		assert_true(symbolizer__kernel_frame(sz, addr, false, &f));
		assert_int_equal(f.offset, 0);
		assert_string_equal(f.object, module);
		assert_true(f.kernel);
		/* several may be at one address */
		if (strcmp(f.name, name))
			assert_true(run("grep -q '^%016llx . %s' /proc/kallsyms", addr, f.name));
		/* a return address right behind it belongs to what is before */
		assert_true(symbolizer__kernel_frame(sz, addr + 1, true, &g));
		assert_string_equal(g.name, f.name);
		assert_int_equal(g.offset, 1);
	}
	free(lines);
	symbolizer__free(sz);
	if (!n)
		skip();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),
		cmocka_unit_test(test_restricted),
		cmocka_unit_test(test_this_kernel),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
