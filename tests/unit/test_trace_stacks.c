/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks and variables below and in the lines of `trace`. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "trace_samples.h"

static const struct trace_opts with_stacks = {
	.start_ns = START_NS, .page_size = 4096, .variables = true, .stacks = true
};
static const struct trace_opts with_variables = { .start_ns = START_NS,
						  .page_size = 4096,
						  .variables = true };

/* What is printed of one fault with these details. */
static const char *print(struct paper *p, enum format format, const struct trace_opts *opts,
			 const struct trace_details *d)
{
	struct fs_fault f = a_fault();

	paper__open(p, format, opts);
	trace_printer__details(p->tp, d);
	assert_int_equal(trace_printer__fault(p->tp, &f, &in_anon, "sh"), 0);
	return paper__text(p);
}

/* The n-th line and what follows. */
static const char *line_at(const char *text, int n)
{
	while (n-- > 0) {
		text = strchr(text, '\n');
		assert_non_null(text);
		text++;
	}
	return text;
}

static void test_text(void **state)
{
	struct profile *profile = profile__new();
	__u32 frames[SAMPLE_FRAMES];
	struct trace_stack stack = sample_stack(profile, NULL, frames);
	struct trace_details d = { "table", 4096, &stack };
	const char *text;
	struct paper p;

	text = print(&p, FORMAT_TEXT, &with_stacks, &d);
	assert_non_null(strstr(text, " IP <VARIABLE+OFFSET>\n"));
	assert_string_equal(
		line_at(text, 1) + 98,
		"[anon]+0x1b10            0x401136 <table+0x1000>\n"
		"    copy_from_user+0x28 ([kernel.kallsyms])\n"
		"    0x7f0000001000 ([jit])\n"
		"    std::map<int, long>::at (inlined) at map\n"
		"    memset+0x0 (/usr/lib/x86_64-linux-gnu/libc.so.6) at string/memset.S:42\n"
		"    __vdso_time+0x10 ([vdso])\n"
		"    [unknown] (/usr/bin/sh+0x2200)\n"
		"    main+0x1b (/usr/bin/sh)\n"
		"    [truncated]\n");
	paper__close(&p);

	/* nothing is known, and it is another event's */
	d = (struct trace_details){};
	text = print(&p, FORMAT_TEXT, &with_stacks, &d);
	assert_string_equal(line_at(text, 1) + 98, "[anon]+0x1b10            0x401136\n");
	paper__close(&p);

	/* lost */
	stack = (struct trace_stack){ .end = "lost", .note = "[stack lost]" };
	d.stack = &stack;
	text = print(&p, FORMAT_TEXT, &with_stacks, &d);
	assert_string_equal(line_at(text, 2), "    [stack lost]\n");
	paper__close(&p);
	profile__free(profile);
}

/* Details are of one event. */
static void test_once(void **state)
{
	static const enum format formats[] = { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
	struct trace_stack stack = { .end = "lost", .note = "[stack lost]" };
	struct trace_details d = { "table", 4096, &stack };
	struct fs_exit_event exit = { .head = a_head() };
	struct paper p;

	for (size_t i = 0; i < 3; i++) {
		assert_non_null(strstr(print(&p, formats[i], &with_stacks, &d), "table"));
		assert_int_equal(trace_printer__exit(p.tp, &exit, "sh"), 0);
		assert_null(strstr(paper__line(&p), "table"));
		assert_null(strstr(paper__line(&p), "lost"));
		paper__close(&p);
	}
}

static void test_json(void **state)
{
	struct profile *profile = profile__new();
	__u32 frames[SAMPLE_FRAMES];
	struct trace_stack stack = sample_stack(profile, NULL, frames);
	struct trace_details d = { "table", 4096, &stack };
	const char *text;
	struct paper p;

	text = print(&p, FORMAT_JSON, &with_stacks, &d);
	text = strstr(text, ",\"variable\"");
	assert_string_equal(
		text, ",\"variable\":\"table\",\"variable_offset\":4096,\"stack\":["
		      "{\"name\":\"copy_from_user\",\"offset\":40,\"object\":\"[kernel.kallsyms]\","
		      "\"kind\":\"kernel\",\"address\":\"0xffffffff81a00b92\"},"
		      "{\"name\":null,\"offset\":null,\"object\":\"[jit]\",\"kind\":\"jit\","
		      "\"address\":\"0x7f0000001000\"},"
		      "{\"name\":\"std::map<int, long>::at\",\"offset\":0,"
		      "\"object\":\"/usr/lib/x86_64-linux-gnu/libc.so.6\",\"kind\":\"user\","
		      "\"inlined\":true,\"file_offset\":1911568,\"src\":\"map\"},"
		      "{\"name\":\"memset\",\"offset\":0,"
		      "\"object\":\"/usr/lib/x86_64-linux-gnu/libc.so.6\",\"kind\":\"user\","
		      "\"file_offset\":1911568,\"src\":\"string/memset.S\",\"line\":42},"
		      "{\"name\":\"__vdso_time\",\"offset\":16,\"object\":\"[vdso]\","
		      "\"kind\":\"user\"},"
		      "{\"name\":null,\"offset\":null,\"object\":\"/usr/bin/sh\",\"kind\":\"user\","
		      "\"file_offset\":8704},"
		      "{\"name\":\"main\",\"offset\":27,\"object\":\"/usr/bin/sh\","
		      "\"kind\":\"user\"}],\"stack_end\":\"too_deep\"}\n");
	paper__close(&p);
	profile__free(profile);
}

static void test_csv(void **state)
{
	struct profile *profile = profile__new();
	__u32 frames[SAMPLE_FRAMES];
	struct trace_stack stack = sample_stack(profile, NULL, frames);
	struct trace_details d = { "operator\"\" _x, y", 4096, &stack };
	const char *text;
	struct paper p;

	text = print(&p, FORMAT_CSV, &with_stacks, &d);
	assert_non_null(strstr(text, ",reason,count,variable,variable_offset,stack,stack_end\r\n"));
	assert_non_null(strstr(text, ",,,\"operator\"\"\"\" _x, y\",4096,"
				     "\"[truncated];main;[sh];__vdso_time;memset;"
				     "std::map<int,_long>::at_[i];[jit]_[j];copy_from_user_[k]\","
				     "too_deep\r\n"));
	paper__close(&p);

	text = print(&p, FORMAT_CSV, &with_variables, &d);
	assert_non_null(strstr(text, ",reason,count,variable,variable_offset\r\n"));
	assert_non_null(strstr(text, ",,,\"operator\"\"\"\" _x, y\",4096\r\n"));
	d = (struct trace_details){};
	paper__close(&p);
	text = print(&p, FORMAT_CSV, &with_stacks, &d);
	assert_non_null(strstr(text, ",,,,,,\r\n"));
	paper__close(&p);
	profile__free(profile);
}

#define DEEP      319
#define LONG_NAME 4096

/* The largest stack there is, of names that are all escaped: nothing is left out. */
static void test_large(void **state)
{
	static const enum format formats[] = { FORMAT_TEXT, FORMAT_JSON, FORMAT_CSV };
	struct profile *profile = profile__new();
	static char name[LONG_NAME + 1];
	__u32 frames[DEEP];
	struct trace_stack stack = { profile, frames, DEEP, "complete", NULL };
	struct trace_details d = { name, 1, &stack };
	const char *text, *at;
	struct paper p;
	size_t n;

	for (size_t i = 0; i < DEEP; i++) {
		struct profile_frame f = { .name = name, .object = name };

		memset(name, '\x01', LONG_NAME);
		snprintf(name, 8, "%07zu", i);
		name[7] = '_';
		assert_int_equal(profile__add_frame(profile, &f, &frames[i]), 0);
	}
	for (size_t i = 0; i < 3; i++) {
		text = print(&p, formats[i], &with_stacks, &d);
		assert_true(strlen(text) > 4UL * DEEP * (LONG_NAME - 8));
		for (n = 0, at = text;
		     (at = strstr(at, formats[i] == FORMAT_JSON ? "_\\u0001" : "_\\x01")); n++)
			at++;
		/* name and object; the variable */
		assert_int_equal(n, formats[i] == FORMAT_CSV ? DEEP + 1 : 2 * DEEP + 1);
		if (formats[i] == FORMAT_JSON) {
			json_t *line = json_loads(text, 0, NULL);

			assert_int_equal(json_array_size(json_object_get(line, "stack")), DEEP);
			json_decref(line);
		}
		paper__close(&p);
	}
	profile__free(profile);
}

/* Lines stay lines, whatever the names are. */
static void test_hostile(void **state)
{
	struct profile *profile = profile__new();
	__u32 frames[SAMPLE_FRAMES];
	struct trace_stack stack;
	struct trace_details d;
	struct paper p;
	const char *c;
	size_t lines;

	for (size_t i = 0; i < HOSTILE; i++) {
		stack = sample_stack(profile, hostile[i], frames);
		d = (struct trace_details){ hostile[i], i, &stack };
		print(&p, FORMAT_TEXT, &with_stacks, &d);
		for (lines = 0, c = paper__text(&p); *c; c++) {
			lines += *c == '\n';
			assert_true(*c == '\n' || (unsigned char)*c >= 0x20);
			assert_true(*c != 0x7f);
		}
		assert_int_equal(lines, 2 + SAMPLE_FRAMES + 1);
		paper__close(&p);
		print(&p, FORMAT_CSV, &with_stacks, &d);
		for (lines = 0, c = paper__text(&p); *c; c++)
			lines += *c == '\n';
		assert_int_equal(lines, 2);
		paper__close(&p);
	}
	profile__free(profile);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text),  cmocka_unit_test(test_once),
		cmocka_unit_test(test_json),  cmocka_unit_test(test_csv),
		cmocka_unit_test(test_large), cmocka_unit_test(test_hostile),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
