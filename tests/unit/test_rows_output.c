/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of any analysis: golden text, widths, hostile names; what is read back of JSON and CSV. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analysis/rows.h"
#include "base/kind_names.h"
#include "output/rows.h"
#include "output/table.h"
#include "flame_samples.h"
#include "lines.h"

#define MIB 1048576ULL

enum {
	MAPPING,
	START,
	CALLS,
	TOUCHED,
	SHARE,
	BAR,
	RATE,
	MAPPED_RATE,
	STALL_RATE,
	AGE,
	SINCE,
	HUGE_PAGES,
	ID,
	STACK,
	ADVICE,
	NCOLUMNS
};

static const struct row_column columns[NCOLUMNS] = {
	[MAPPING] = { "mapping", "mapping", ROW_TEXT, .cut = 12 },
	[START] = { "start", "address", ROW_ADDR, .drop = 5 },
	[CALLS] = { "calls", "calls", ROW_COUNT, .sum = true },
	[TOUCHED] = { "touched_bytes", "touched", ROW_BYTES, .sum = true },
	[SHARE] = { "touched_share", "share", ROW_SHARE, .drop = 2 },
	[BAR] = { "bar", "of it", ROW_BAR, .cut = 8, .drop = 3 },
	[RATE] = { "calls_per_s", "calls/s", ROW_COUNT_RATE, .drop = 6, .sum = true },
	[MAPPED_RATE] = { "mapped_bytes_per_s", "mapped/s", ROW_BYTES_RATE, .drop = 7 },
	[STALL_RATE] = { "stall_ns_per_s", "stall/s", ROW_NS_RATE, .drop = 8 },
	[AGE] = { "age_ns", "age", ROW_NS, .drop = 9 },
	[SINCE] = { "since_ns", "since", ROW_TIME_NS, .drop = 10 },
	[HUGE_PAGES] = { "huge_pages", "huge", ROW_COUNT, .drop = 1 },
	[ID] = { .name = "id", .header = NULL, .type = ROW_COUNT },
	[STACK] = { .name = "stack", .header = "stack", .type = ROW_STACK },
	[ADVICE] = { .name = "advice", .header = "advice", .type = ROW_NOTE },
};

static const struct row_column summary_columns[] = {
	{ .name = "mappings", .header = "mappings", .type = ROW_COUNT },
	{ .name = "reserved_bytes", .header = "reserved", .type = ROW_BYTES },
	{ .name = "touched_bytes", .header = "touched", .type = ROW_BYTES },
	{ .name = "touched_share", .header = "of it", .type = ROW_SHARE },
	{ .name = "stall_ns", .header = "stall", .type = ROW_NS },
	{ .name = "calls_per_s", .header = "calls/s", .type = ROW_COUNT_RATE },
	{ .name = "worst", .header = "worst", .type = ROW_TEXT },
	{ .name = "hidden", .header = NULL, .type = ROW_COUNT },
};

/* A profile with two stacks, and reports about it. */
struct sample {
	struct profile *profile;
	__u32 stack, odd;
	struct rows *rows, *summary;
	struct rows_report report;
};

static void add_row(struct sample *s, const char *mapping, __u64 i, __u32 stack, const char *advice)
{
	struct rows *rows = s->rows;

	rows__text(rows, mapping);
	rows__number(rows, 0x7f0000000000 + i * 0x10000);
	rows__number(rows, 1000 * i);
	rows__number(rows, i * MIB / 3);
	rows__real(rows, i / 8.0);
	rows__real(rows, i / 8.0);
	rows__real(rows, i * 12.5);
	rows__real(rows, i * 1e6);
	rows__real(rows, i * 123456.0);
	rows__number(rows, i * 1234567);
	rows__number(rows, i * 1234567890);
	rows__number(rows, 0);
	rows__number(rows, i);
	rows__stack(rows, s->profile, stack);
	assert_int_equal(rows__text(rows, advice), 0);
}

static void add_unknown(struct rows *rows)
{
	size_t i;

	for (i = 0; i < rows__ncolumns(rows); i++)
		assert_int_equal(rows__none(rows), 0);
}

static void open_sample(struct sample *s)
{
	__u32 frames[4], odd[2];

	*s = (struct sample){ .profile = sample__new() };
	frames[0] = sample__frame(s->profile, "_start");
	frames[1] = sample__frame(s->profile, "main");
	frames[2] = sample__frame(s->profile, "fill");
	frames[3] = sample__frame(s->profile, "memset");
	s->stack = sample__stack(s->profile, 4, frames);
	odd[0] = sample__frame(s->profile, "a;b \"c\"");
	odd[1] = sample__frame(s->profile, "\xff\x1b[31m\n");
	s->odd = sample__stack(s->profile, 2, odd);
	s->rows = rows__new(columns, NCOLUMNS);
	s->summary = rows__new(ROW_COLUMNS(summary_columns));
	assert_non_null(s->rows);
	assert_non_null(s->summary);
	s->report = (struct rows_report){
		.analysis = "touched",
		.command = "faultsnoop touched -- gcc",
		.target = "gcc",
		.duration_ns = 5000000000,
		.time_ns = 5000000000,
		.rows = s->rows,
	};
}

static void close_sample(struct sample *s)
{
	rows__free(s->rows);
	rows__free(s->summary);
	profile__free(s->profile);
}

static void add_summary(struct sample *s)
{
	struct rows *sum = s->summary;

	rows__number(sum, 3716);
	rows__number(sum, 1200 * MIB);
	rows__number(sum, 212 * MIB);
	rows__real(sum, 0.177);
	rows__number(sum, 45400000);
	rows__real(sum, 1234.4);
	rows__text(sum, "[heap]");
	assert_int_equal(rows__number(sum, 7), 0);
	s->report.summary = sum;
}

static void fill(struct sample *s)
{
	open_sample(s);
	add_summary(s);
	add_row(s, "/usr/lib/x86_64-linux-gnu/libstdc++.so.6", 8, s->stack,
		"a sentence that is long enough to need another line below the row that it is "
		"about");
	add_row(s, "[heap]", 3, s->stack, NULL);
	add_unknown(s->rows);
	add_row(s, "q\"uo,te\"\n", 2, s->odd, "two\nlines, \"quoted\"");
	add_row(s, "bad\xff\x1b[31m", 1, s->odd, "esc\x1b[31m");
}

enum format { TEXT_ASCII, TEXT_UTF8, JSON, CSV };

static char *print(const struct rows_report *report, enum format format, size_t width)
{
	struct rows_text_opts opts = {
		.width = width,
		.utf8 = format == TEXT_UTF8,
		.lost_line = true,
	};
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err;

	assert_non_null(f);
	if (format == JSON) {
		err = rows_json__print(f, report);
	} else if (format == CSV) {
		assert_int_equal(rows_csv__header(f, report), 0);
		err = rows_csv__print(f, report);
	} else {
		err = rows_text__print(f, report, &opts);
	}
	assert_int_equal(err, 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

static void assert_text(char *got, const char *expected)
{
	if (strcmp(got, expected))
		fail_msg("got:\n%s", got);
	free(got);
}

static json_t *parsed(const struct rows_report *report)
{
	char *text = print(report, JSON, 0);
	json_error_t error;
	json_t *value;

	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
	value = json_loads(text, JSON_REJECT_DUPLICATES, &error);
	if (!value)
		fail_msg("%s: %s", error.text, text);
	free(text);
	return value;
}

/* clang-format off */
static const char golden[] =
	"touched (gcc, 5.00 s): mappings 3,716   reserved 1.2 GiB   touched 212.0 MiB\n"
	"  of it 17.7%   stall 45.4 ms   calls/s 1,234   worst [heap]\n"
	"\n"
	"mapping            address calls touched share of it    calls/s mapped/s stall/s\n"
	"/usr/l…+.so.6 7f0000080000  8000 2.67MiB  100% ████████     100  7.63MiB   988us\n"
	"    memset < fill < main < _start\n"
	"    a sentence that is long enough to need another line below the row that it is\n"
	"    about\n"
	"[heap]        7f0000030000  3000 1.00MiB 37.5% ███         37.5  2.86MiB   370us\n"
	"    memset < fill < main < _start\n"
	"-                        -     -       -     - -              -        -       -\n"
	"and 2 more: calls 3,000   touched 1.0 MiB   calls/s 37.5\n"
	"(no room for age, since: a wider terminal, -j and --csv have all columns)\n"
	"\n"
	"lost: 12 fault_ring_full: a CPU's fault ring was full\n"
	"a note that tells what this kernel could not\n";
static const char golden_interval[] =
	"[1.007 s]\n"
	"touched (gcc, 1.00 s)\n"
	"\n"
	"mapping                 address calls touched share of it\n"
	"/usr/lib/~c++.so.6 7f0000080000  8000 2.67MiB  100% ########\n"
	"    memset < fill < main < _start\n"
	"    a sentence that is long enough to need another line\n"
	"    below the row that it is about\n"
	"[heap]             7f0000030000  3000 1.00MiB 37.5% ###\n"
	"    memset < fill < main < _start\n"
	"-                             -     -       -     - -\n"
	"q\"uo,te\"\\n         7f0000020000  2000  683KiB 25.0% ##\n"
	"    \\xff\\x1b[31m\\n < a;b \"c\"\n"
	"    two\\nlines, \"quoted\"\n"
	"bad\\xff\\x1b[31m    7f0000010000  1000  341KiB 12.5% #\n"
	"    \\xff\\x1b[31m\\n < a;b \"c\"\n"
	"    esc\\x1b[31m\n"
	"(no room for calls/s, mapped/s, stall/s, age, since: a wider\n"
	"terminal, -j and --csv have all columns)\n"
	"\n"
	"lost: none\n"
	"\n";
/* clang-format on */

static void test_golden(void **state)
{
	static const char *const notes[] = { "a note that tells what this kernel could not" };
	struct sample s;

	fill(&s);
	s.report.top = 3;
	s.report.lost[0] = 12;
	s.report.notes = notes;
	s.report.nnotes = 1;
	assert_text(print(&s.report, TEXT_UTF8, 0), golden);
	close_sample(&s);
}

static void test_golden_interval(void **state)
{
	struct sample s;

	fill(&s);
	s.report.interval = true;
	s.report.time_ns = 1007000000;
	s.report.duration_ns = 1000000000;
	s.report.summary = NULL;
	assert_text(print(&s.report, TEXT_ASCII, 60), golden_interval);
	close_sample(&s);
}

static void test_widths(void **state)
{
	struct sample s;
	size_t width;
	int i;

	fill(&s);
	s.report.target = "a target with a long name, \x1b[31mred\x1b[0m, and\nnewlines in it";
	for (width = 40; width < 200; width++) {
		for (i = 0; i < 2; i++) {
			char *text = print(&s.report, i ? TEXT_UTF8 : TEXT_ASCII, width);

			lines__check(text, width, i ? "utf8" : "ascii");
			free(text);
		}
	}
	close_sample(&s);
}

/* A stack is cut between frames; a column that says nothing goes, and is not missed. */
static void test_cuts(void **state)
{
	struct sample s;
	char *text;

	fill(&s);
	text = print(&s.report, TEXT_UTF8, 200);
	assert_non_null(strstr(text, "    memset < fill < main < _start\n"));
	assert_non_null(strstr(text, " huge\n"));
	free(text);
	text = print(&s.report, TEXT_UTF8, 120);
	assert_null(strstr(text, "huge"));
	assert_null(strstr(text, "no room"));
	free(text);
	text = print(&s.report, TEXT_UTF8, 30);
	assert_non_null(strstr(text, "\n    memset < fill < main < …\n"));
	assert_non_null(strstr(text, "no room"));
	free(text);
	close_sample(&s);
}

static void test_empty(void **state)
{
	static const struct rows_text_opts quiet = { 0 };
	struct sample s;
	json_t *value;
	char *text = NULL;
	size_t size;
	FILE *f;

	open_sample(&s);
	s.report.summary = s.summary;
	assert_text(print(&s.report, TEXT_ASCII, 0), "touched (gcc, 5.00 s)\n\nlost: none\n");
	s.report.target = NULL;
	s.report.duration_ns = 0;
	s.report.command = NULL;
	f = open_memstream(&text, &size);
	assert_int_equal(rows_text__print(f, &s.report, &quiet), 0);
	fclose(f);
	assert_text(text, "touched\n");
	value = parsed(&s.report);
	assert_int_equal(json_array_size(json_object_get(value, "rows")), 0);
	assert_null(json_object_get(value, "summary"));
	assert_null(json_object_get(value, "command"));
	assert_null(json_object_get(value, "notes"));
	assert_string_equal(json_string_value(json_object_get(value, "target")), "");
	json_decref(value);
	text = print(&s.report, CSV, 0);
	assert_non_null(strstr(text, "advice\r\n"));
	assert_null(strstr(strstr(text, "\r\n") + 2, "\r\n"));
	free(text);
	close_sample(&s);
}

static __u64 whole(json_t *row, const char *name)
{
	json_t *value = json_object_get(row, name);

	if (!json_is_integer(value))
		fail_msg("%s is no whole number", name);
	return json_integer_value(value);
}

static void test_json(void **state)
{
	static const char *const notes[] = { "quoted \"note\"\xff" };
	struct sample s;
	json_t *value, *row, *stack;
	size_t i;

	fill(&s);
	s.report.top = 1;
	s.report.notes = notes;
	s.report.nnotes = 1;
	s.report.lost[1] = 5;
	s.report.no_memory = 6;
	value = parsed(&s.report);
	assert_string_equal(json_string_value(json_object_get(value, "type")), "touched");
	assert_int_equal(whole(value, "duration_ns"), 5000000000);
	assert_int_equal(whole(json_object_get(value, "summary"), "mappings"), 3716);
	assert_int_equal(whole(json_object_get(value, "summary"), "hidden"), 7);
	assert_int_equal(json_object_size(json_object_get(value, "lost")), FS_LOSS_NR + 1);
	assert_int_equal(whole(json_object_get(value, "lost"), loss_name(1)), 5);
	assert_int_equal(whole(json_object_get(value, "lost"), "no_memory"), 6);
	assert_string_equal(json_string_value(json_array_get(json_object_get(value, "notes"), 0)),
			    "quoted \"note\"\xef\xbf\xbd");
	assert_int_equal(json_array_size(json_object_get(value, "rows")), 5);
	row = json_array_get(json_object_get(value, "rows"), 1);
	assert_int_equal(json_object_size(row), NCOLUMNS - 1);
	assert_null(json_object_get(row, "bar"));
	assert_string_equal(json_string_value(json_object_get(row, "start")), "0x7f0000030000");
	assert_int_equal(whole(row, "touched_bytes"), MIB);
	assert_int_equal(whole(row, "since_ns"), 3 * 1234567890ULL);
	assert_int_equal(whole(row, "id"), 3);
	assert_true(json_real_value(json_object_get(row, "touched_share")) == 0.375);
	assert_true(json_real_value(json_object_get(row, "calls_per_s")) == 37.5);
	assert_true(json_is_null(json_object_get(row, "advice")));
	stack = json_object_get(row, "stack");
	assert_int_equal(json_array_size(stack), 4);
	assert_string_equal(json_string_value(json_array_get(stack, 0)), "memset");
	assert_string_equal(json_string_value(json_array_get(stack, 3)), "_start");
	row = json_array_get(json_object_get(value, "rows"), 2);
	for (i = 0; i < NCOLUMNS; i++)
		if (i != BAR)
			assert_true(json_is_null(json_object_get(row, columns[i].name)));
	row = json_array_get(json_object_get(value, "rows"), 3);
	assert_string_equal(json_string_value(json_object_get(row, "mapping")), "q\"uo,te\"\n");
	row = json_array_get(json_object_get(value, "rows"), 4);
	assert_string_equal(json_string_value(json_object_get(row, "mapping")),
			    "bad\xef\xbf\xbd\x1b[31m");
	assert_string_equal(json_string_value(json_array_get(json_object_get(row, "stack"), 0)),
			    "\xef\xbf\xbd\x1b[31m\n");
	json_decref(value);
	close_sample(&s);
}

/* The next cell at *p, as RFC 4180 has it: copied to out; *p then is at what ends it. */
static void take_cell(const char **p, char *out, size_t size)
{
	const char *s = *p;
	bool quoted = *s == '"';
	size_t n = 0;

	for (s += quoted; *s; s++) {
		if (quoted && *s == '"' && *++s != '"')
			break;
		if (!quoted && strchr(",\r\n", *s))
			break;
		if (!quoted)
			assert_int_not_equal(*s, '"');
		assert_true(n + 1 < size);
		out[n++] = *s;
	}
	out[n] = '\0';
	*p = s;
}

#define CSV_CELLS (NCOLUMNS - 1 + 1) /* no bar, but the time */

/* Cells of the next line; it must have all of them. */
static void take_line(const char **p, char cells[CSV_CELLS][256])
{
	size_t i;

	for (i = 0; i < CSV_CELLS; i++) {
		take_cell(p, cells[i], sizeof(cells[i]));
		if (i + 1 < CSV_CELLS)
			assert_int_equal(*(*p)++, ',');
	}
	assert_memory_equal(*p, "\r\n", 2);
	*p += 2;
}

static void test_csv(void **state)
{
	char cells[CSV_CELLS][256], *text;
	struct sample s;
	const char *p;
	size_t i;

	fill(&s);
	s.report.top = 1;
	s.report.interval = true;
	s.report.time_ns = 1007999999;
	p = text = print(&s.report, CSV, 0);
	take_line(&p, cells);
	assert_string_equal(cells[0], "time_s");
	assert_string_equal(cells[1], "mapping");
	assert_string_equal(cells[BAR + 1], "calls_per_s");
	take_line(&p, cells);
	assert_string_equal(cells[0], "1.007");
	assert_string_equal(cells[1], "/usr/lib/x86_64-linux-gnu/libstdc++.so.6");
	assert_string_equal(cells[START + 1], "0x7f0000080000");
	assert_string_equal(cells[CALLS + 1], "8000");
	assert_string_equal(cells[SHARE + 1], "1.000000");
	assert_string_equal(cells[RATE], "100.0");
	assert_string_equal(cells[STACK], "_start;main;fill;memset");
	take_line(&p, cells);
	assert_string_equal(cells[ADVICE], "");
	take_line(&p, cells);
	for (i = 1; i < CSV_CELLS; i++)
		assert_string_equal(cells[i], "");
	take_line(&p, cells);
	assert_string_equal(cells[1], "q\"uo,te\"\\n");
	assert_string_equal(cells[ADVICE], "two\\nlines, \"quoted\"");
	take_line(&p, cells);
	assert_string_equal(cells[1], "bad\\xff\\x1b[31m");
	assert_string_equal(p, "");
	free(text);
	close_sample(&s);
}

static void test_csv_words(void **state)
{
	char words[256], small[16];
	struct sample s;

	fill(&s);
	assert_string_equal(rows_csv__words(&s.report, words, sizeof(words)),
			    "touched in 5.00 s: mappings 3,716, reserved 1.2 GiB, touched 212.0 "
			    "MiB, of it 17.7%, stall 45.4 ms, calls/s 1,234, worst [heap]; lost: "
			    "none");
	s.report.summary = NULL;
	s.report.duration_ns = 0;
	s.report.lost[0] = 12;
	s.report.no_memory = 1;
	rows_csv__words(&s.report, words, sizeof(words));
	assert_non_null(strstr(words, "touched; lost: 12 "));
	assert_non_null(strstr(words, ", 1 no_memory"));
	assert_string_equal(rows_csv__words(&s.report, small, sizeof(small)), "touched; lost: ");
	close_sample(&s);
}

static void test_huge_numbers(void **state)
{
	static const double reals[] = { 1e300, 0x1p64, 1e-300 };
	json_t *value, *row;
	struct sample s;
	size_t i, k;
	char *text;

	open_sample(&s);
	for (i = 0; i < sizeof(reals) / sizeof(*reals); i++) {
		for (k = 0; k < NCOLUMNS; k++) {
			enum row_type type = columns[k].type;

			if (type == ROW_TEXT || type == ROW_NOTE)
				rows__text(s.rows, "text");
			else if (type == ROW_STACK)
				rows__none(s.rows);
			else if (type >= ROW_COUNT_RATE)
				rows__real(s.rows, reals[i]);
			else
				rows__number(s.rows, UINT64_MAX);
			assert_int_equal(rows__error(s.rows), 0);
		}
	}
	s.report.top = 1;
	s.report.duration_ns = s.report.time_ns = UINT64_MAX;
	for (i = 0; i < FS_LOSS_NR; i++)
		s.report.lost[i] = UINT64_MAX;
	for (i = 60; i < 300; i += 5) {
		text = print(&s.report, TEXT_UTF8, i);
		lines__check(text, i, "huge");
		free(text);
	}
	value = parsed(&s.report);
	row = json_array_get(json_object_get(value, "rows"), 0);
	assert_true(json_real_value(json_object_get(row, "calls")) > 1.8e19);
	assert_true(json_real_value(json_object_get(row, "calls_per_s")) == 1e300);
	assert_string_equal(json_string_value(json_object_get(row, "start")), "0xffffffffffffffff");
	json_decref(value);
	text = print(&s.report, CSV, 0);
	assert_non_null(strstr(text, ",18446744073709551615,"));
	free(text);
	close_sample(&s);
}

static void test_cells(void **state)
{
	static const struct {
		__u64 bytes;
		const char *text;
	} sizes[] = {
		{ 0, "0B" },
		{ 1023, "1023B" },
		{ 1024, "1.00KiB" },
		{ 1536, "1.50KiB" },
		{ 150 * 1024, "150KiB" },
		{ 1023 * 1024, "1023KiB" },
		{ MIB - 1, "1.00MiB" },
		{ 212 * MIB, "212MiB" },
		{ UINT64_MAX, "16.0EiB" },
	};
	char cell[CELL_LEN];
	size_t i;

	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++)
		assert_string_equal(cell_bytes(cell, sizeof(cell), sizes[i].bytes), sizes[i].text);
	assert_string_equal(cell_rate(cell, sizeof(cell), 0.5), "0.5");
	assert_string_equal(cell_rate(cell, sizeof(cell), 1e300), "18.4E");
}

/* What cannot be written is told by each. */
static void test_full(void **state)
{
	static const struct rows_text_opts opts = { 0 };
	FILE *f = fopen("/dev/full", "w");
	struct sample s;

	assert_non_null(f);
	fill(&s);
	assert_int_equal(rows_text__print(f, &s.report, &opts), -EIO);
	assert_int_equal(rows_json__print(f, &s.report), -EIO);
	assert_int_equal(rows_csv__header(f, &s.report), -EIO);
	assert_int_equal(rows_csv__print(f, &s.report), -EIO);
	fclose(f);
	close_sample(&s);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden), cmocka_unit_test(test_golden_interval),
		cmocka_unit_test(test_widths), cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_empty),  cmocka_unit_test(test_json),
		cmocka_unit_test(test_csv),    cmocka_unit_test(test_csv_words),
		cmocka_unit_test(test_cells),  cmocka_unit_test(test_huge_numbers),
		cmocka_unit_test(test_full),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
