/* SPDX-License-Identifier: GPL-2.0-only */
/* stat --by stack: rows of stacks that are shown alike, and what is printed of them. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analysis/stat.h"
#include "output/stat_csv.h"
#include "output/stat_json.h"
#include "output/stat_text.h"
#include "output/table.h"

#define STACKS 4

static const struct stat_by by_stack = { 1, { STAT_STACK } };
static const struct stat_by by_stack_region = { 2, { STAT_STACK, STAT_REGION } };
static const struct place heap = { .region = FS_REGION_HEAP };

/* Stacks 1 and 2 are shown as the first; 0 was lost. */
struct stacks {
	struct profile *profile;
	struct stat_stack shown[STACKS];
	unsigned int asked;
};

static const struct stat_stack *show(void *ctx, __u32 stack)
{
	static const unsigned int as[] = { 3, 0, 0, 1, 2 };
	struct stacks *s = ctx;

	s->asked++;
	assert_true(stack < sizeof(as) / sizeof(as[0]));
	return &s->shown[as[stack]];
}

static void add_stack(struct stacks *s, int i, const char *const *names, size_t n)
{
	__u32 ids[8];

	for (size_t k = 0; k < n; k++) {
		struct profile_frame f = { .name = names[k], .object = "/usr/lib/libz.so" };

		if (names[k] && !strcmp(names[k], "copy_to_user"))
			f.kind = PROFILE_KERNEL;
		assert_int_equal(profile__add_frame(s->profile, &f, &ids[k]), 0);
	}
	s->shown[i].profile = s->profile;
	assert_int_equal(profile__add_stack(s->profile, ids, n, &s->shown[i].id), 0);
}

static void stacks__open(struct stacks *s)
{
	static const char *const fill[] = { "_start", "main", "fill", "memset" };
	static const char *const read[] = { "_start", "main", NULL, "copy_to_user" };
	static const char *const odd[] = { "a;b c",
					   "q\"uo,te\"",
					   "new\nline",
					   "\xff\x1b[31m",
					   "std::vector<std::string, std::allocator<int> >::at",
					   "std::vector<std::string, std::allocator<int> >::at",
					   "back\\slash" };
	static const char *const lost[] = { "[stack lost]" };

	s->asked = 0;
	s->profile = profile__new();
	assert_non_null(s->profile);
	add_stack(s, 0, fill, 4);
	add_stack(s, 1, read, 4);
	add_stack(s, 2, odd, 7);
	add_stack(s, 3, lost, 1);
}

static struct stat_tally *filled(struct stacks *s, const struct stat_by *by)
{
	struct stat_by tables[] = { *by, { 1, { STAT_REGION } } };
	struct stat_opts opts = { .tables = tables,
				  .ntables = 2,
				  .names = { .ctx = s, .stack = show } };
	struct stat_tally *st = stat__new(&opts);
	struct fs_call_event call = { .call = FS_CALL_MMAP, .populated_min = 16 };
	struct fs_fault f = { .class = FS_CLASS_ANON, .latency_ns = 1000 };

	assert_non_null(st);
	for (__u32 stack = 0; stack < 5; stack++)
		for (__u32 i = 0; i <= 10 * stack; i++)
			stat__fault(st, &f, &heap, NULL, stack, 4096);
	stat__call(st, &call, &heap, NULL, 3);
	return st;
}

static const char *leaf_of(const struct stat_row *row)
{
	struct stat_value v[STAT_FIELDS];
	const __u32 *frames;
	size_t n;

	stat_row__values(row, STAT_STACK, v);
	assert_int_equal(v[0].kind, STAT_VALUE_STACK);
	frames = profile__stack(v[0].stack->profile, v[0].stack->id, &n);
	return profile__frame(v[0].stack->profile, frames[n - 1])->name;
}

static void test_rows(void **state)
{
	struct stat_rows_opts opts = { .sort = STAT_BY_FAULTS };
	struct stat_rows *rows;
	struct stat_tally *st;
	struct stacks s;

	stacks__open(&s);
	st = filled(&s, &by_stack);
	rows = stat__rows(st, &by_stack, &opts);
	assert_non_null(rows);
	assert_int_equal(rows->n, 4);
	assert_string_equal(leaf_of(rows->row[0]), "back\\slash");
	assert_int_equal(rows->row[0]->n.faults, 41);
	assert_string_equal(leaf_of(rows->row[1]), "memset"); /* of two stacks */
	assert_int_equal(rows->row[1]->n.faults, 11 + 21);
	assert_string_equal(leaf_of(rows->row[2]), "copy_to_user");
	assert_int_equal(rows->row[2]->n.faults, 31);
	assert_int_equal(rows->row[2]->n.populated, 16);
	assert_string_equal(leaf_of(rows->row[3]), "[stack lost]");
	assert_int_equal(rows->sum.n.faults, 105);
	stat_rows__free(rows);

	/* another table of the same run knows nothing of stacks */
	s.asked = 0;
	rows = stat__rows(st, &(struct stat_by){ 1, { STAT_REGION } }, &opts);
	assert_int_equal(rows->n, 1);
	assert_int_equal(s.asked, 0);
	stat_rows__free(rows);
	opts.top = 1;
	opts.worst = true;
	rows = stat__rows(st, &by_stack, &opts);
	assert_int_equal(rows->n, 1);
	assert_int_equal(rows->more, 3);
	assert_int_equal(rows->more_n.faults, 64);
	stat_rows__free(rows);
	stat__free(st);
	profile__free(s.profile);
}

/* Rows of equal figures are in the order of their names, from the leaf on. */
static void test_order(void **state)
{
	struct stat_opts opts = { .tables = &by_stack, .ntables = 1 };
	struct stat_rows_opts sorted = { .sort = STAT_BY_FAULTS };
	struct fs_fault f = { .class = FS_CLASS_ANON };
	struct stat_tally *st;
	struct stat_rows *rows;
	struct stacks s;

	assert_null(stat__new(&opts));
	assert_int_equal(errno, EINVAL);
	stacks__open(&s);
	opts.names = (struct stat_names){ .ctx = &s, .stack = show };
	st = stat__new(&opts);
	assert_non_null(st);
	for (__u32 stack = 4; stack-- > 0;)
		if (stack != 2)
			stat__fault(st, &f, &heap, NULL, stack, 4096);
	rows = stat__rows(st, &by_stack, &sorted);
	assert_int_equal(rows->n, 3);
	assert_string_equal(leaf_of(rows->row[0]), "[stack lost]");
	assert_string_equal(leaf_of(rows->row[1]), "copy_to_user");
	assert_string_equal(leaf_of(rows->row[2]), "memset");
	stat_rows__free(rows);
	stat__free(st);
	profile__free(s.profile);
}

enum format { TEXT, TEXT_UTF8, JSON, CSV };

static char *print(const struct stat_by *by, enum format format)
{
	struct stat_text_opts text_opts = { .utf8 = format == TEXT_UTF8, .no_histograms = true };
	struct stat_report report = { .by = by, .target = "x", .duration_ns = 1000000000 };
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);
	struct stat_tally *st;
	struct stacks s;
	int err;

	stacks__open(&s);
	st = filled(&s, by);
	stat__totals(st, &report.totals);
	if (format == JSON)
		err = stat_json__print(f, st, &report);
	else if (format == CSV)
		err = stat_csv__header(f, &report) ?: stat_csv__print(f, st, &report);
	else
		err = stat_text__print(f, st, &report, &text_opts);
	assert_int_equal(err, 0);
	fclose(f);
	stat__free(st);
	profile__free(s.profile);
	return text;
}

static void test_text(void **state)
{
	char *text = print(&by_stack, TEXT_UTF8), *line, *rest;

	assert_non_null(strstr(text, "\nstack "));
	assert_non_null(strstr(text, "\nmemset < fill < main < _start "));
	assert_non_null(strstr(text, "\ncopy_to_user < [libz.so] < "));
	assert_non_null(strstr(text, "\nback\\\\slash < std::vector<std:"));
	assert_non_null(strstr(text, "…"));
	for (rest = text; (line = strsep(&rest, "\n"));)
		assert_true(text_columns(line) <= 80);
	free(text);
	text = print(&by_stack_region, TEXT);
	assert_non_null(strstr(text, "~ "));
	for (rest = text; (line = strsep(&rest, "\n"));)
		assert_true(text_columns(line) <= 80);
	free(text);
}

static void test_json(void **state)
{
	char *text = print(&by_stack_region, JSON);
	json_t *report = json_loads(text, 0, NULL), *rows = json_object_get(report, "rows"), *stack;

	assert_int_equal(json_array_size(rows), 4);
	stack = json_object_get(json_array_get(rows, 2), "stack");
	assert_int_equal(json_array_size(stack), 4);
	assert_string_equal(json_string_value(json_array_get(stack, 0)), "copy_to_user");
	assert_string_equal(json_string_value(json_array_get(stack, 1)), "[libz.so]");
	assert_string_equal(json_string_value(json_array_get(stack, 3)), "_start");
	stack = json_object_get(json_array_get(rows, 0), "stack");
	assert_int_equal(json_array_size(stack), 7);
	assert_string_equal(json_string_value(json_array_get(stack, 6)), "a;b c");
	json_decref(report);
	free(text);
}

static void test_csv(void **state)
{
	char *text = print(&by_stack, CSV);

	assert_memory_equal(text, "stack,faults,", 13);
	assert_non_null(strstr(text, "\r\n_start;main;fill;memset,32,"));
	assert_non_null(strstr(text, "\r\n_start;main;[libz.so];copy_to_user_[k],31,"));
	assert_non_null(strstr(text, "\r\n\"a:b_c;q\"\"uo,te\"\";new\\nline;\\xff\\x1b[31m;"
				     "std::vector<std::string,_std::allocator<int>_>::at;"));
	assert_non_null(strstr(text, "\r\n[stack_lost],1,"));
	free(text);
}

static const char *cut(const char *text, size_t columns)
{
	static char out[64];

	text_cut_parts(out, sizeof(out), text, columns, " < ", false);
	assert_true(text_columns(out) <= columns);
	return out;
}

static void test_cut(void **state)
{
	assert_string_equal(cut("memset < fill < main", 20), "memset < fill < main");
	assert_string_equal(cut("memset < fill < main", 19), "memset < fill < ~");
	assert_string_equal(cut("memset < fill < main", 17), "memset < fill < ~");
	assert_string_equal(cut("memset < fill < main", 16), "memset < ~");
	assert_string_equal(cut("a < operator_of_a_long_name", 20), "a < operator_of_a_l~");
	assert_string_equal(cut("\xe6\xbc\xa2\xe5\xad\x97", 3), "\xe6\xbc\xa2~");
	assert_string_equal(cut("abc", 1), "~");
	assert_string_equal(cut("abc", 0), "");
}

static int set_locale(void **state)
{
	setlocale(LC_CTYPE, "C.UTF-8");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rows), cmocka_unit_test(test_order),
		cmocka_unit_test(test_text), cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv),  cmocka_unit_test(test_cut),
	};

	return cmocka_run_group_tests(tests, set_locale, NULL);
}
