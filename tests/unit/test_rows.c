/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows with columns that describe themselves: cells, order, and what a limit leaves out. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/profile.h"
#include "analysis/rows.h"

enum { NAME, CALLS, RATE, STACK, NCOLUMNS };

static const struct row_column columns[NCOLUMNS] = {
	[NAME] = { .name = "name", .type = ROW_TEXT, .sum = true },
	[CALLS] = { .name = "calls", .type = ROW_COUNT, .sum = true },
	[RATE] = { .name = "rate", .type = ROW_COUNT_RATE, .sum = true },
	[STACK] = { .name = "stack", .type = ROW_STACK },
};

static struct rows *new_rows(void)
{
	struct rows *rows = rows__new(columns, NCOLUMNS);

	assert_non_null(rows);
	return rows;
}

/* calls below 0 and rates that are not finite are unknown. */
static void add(struct rows *rows, const char *name, long long calls, double rate)
{
	assert_int_equal(rows__text(rows, name), 0);
	assert_int_equal(calls < 0 ? rows__none(rows) : rows__number(rows, calls), 0);
	assert_int_equal(rows__real(rows, rate), 0);
	assert_int_equal(rows__stack(rows, NULL, 7), 0);
}

/* The names of all rows, one after the other. */
static const char *names(const struct rows *rows)
{
	static char all[64];
	size_t i;

	all[0] = '\0';
	for (i = 0; i < rows__count(rows); i++)
		strcat(all,
		       rows__cell(rows, i, NAME)->known ? rows__cell(rows, i, NAME)->text : "?");
	return all;
}

static void test_cells(void **state)
{
	char name[] = "a\n\xff";
	struct rows *rows = new_rows();

	assert_int_equal(rows__ncolumns(rows), NCOLUMNS);
	assert_string_equal(rows__column(rows, CALLS)->name, "calls");
	assert_int_equal(rows__count(rows), 0);
	add(rows, name, 12, -0.5);
	name[0] = 'b';
	add(rows, NULL, -1, NAN);
	assert_int_equal(rows__count(rows), 2);
	assert_string_equal(rows__cell(rows, 0, NAME)->text, "a\n\xff");
	assert_int_equal(rows__cell(rows, 0, CALLS)->number, 12);
	assert_true(rows__cell(rows, 0, RATE)->known);
	assert_true(rows__cell(rows, 0, RATE)->real == 0);
	assert_int_equal(rows__cell(rows, 0, STACK)->stack, 7);
	assert_false(rows__cell(rows, 1, NAME)->known);
	assert_false(rows__cell(rows, 1, CALLS)->known);
	assert_false(rows__cell(rows, 1, RATE)->known);
	/* A row that is not complete is none yet. */
	assert_int_equal(rows__text(rows, "half"), 0);
	assert_int_equal(rows__count(rows), 2);
	rows__free(rows);
	rows__free(NULL);
}

static void test_wrong_type(void **state)
{
	struct rows *rows = new_rows();

	errno = 0;
	assert_null(rows__new(columns, 0));
	assert_int_equal(errno, EINVAL);
	add(rows, "a", 1, 1);
	assert_int_equal(rows__number(rows, 1), -EINVAL);
	/* From here on nothing is taken. */
	assert_int_equal(rows__text(rows, "b"), -EINVAL);
	assert_int_equal(rows__none(rows), -EINVAL);
	assert_int_equal(rows__error(rows), -EINVAL);
	assert_int_equal(rows__count(rows), 1);
	rows__free(rows);
	rows = new_rows();
	assert_int_equal(rows__text(rows, "a"), 0);
	assert_int_equal(rows__text(rows, "b"), -EINVAL);
	rows__free(rows);
}

static void test_sort(void **state)
{
	struct rows *rows = new_rows();

	assert_int_equal(rows__sort(rows, CALLS, true), 0);
	add(rows, "c", 5, 0.5);
	add(rows, "a", 7, 0.25);
	add(rows, "b", -1, INFINITY);
	add(rows, "d", 5, 3);
	add(rows, "e", -1, 0.5);
	add(rows, "f", 6, 0.5);
	assert_string_equal(names(rows), "cabdef");
	assert_int_equal(rows__sort(rows, CALLS, true), 0);
	assert_string_equal(names(rows), "afcdbe");
	assert_int_equal(rows__sort(rows, CALLS, false), 0);
	assert_string_equal(names(rows), "cdfabe");
	assert_int_equal(rows__sort(rows, NAME, true), 0);
	assert_string_equal(names(rows), "fedcba");
	/* Equal ones stay as the sort before had them. */
	assert_int_equal(rows__sort(rows, RATE, false), 0);
	assert_string_equal(names(rows), "afecdb");
	assert_int_equal(rows__sort(rows, STACK, true), 0);
	assert_string_equal(names(rows), "afecdb");
	/* A row added later stands last until the next sort. */
	add(rows, "g", 100, 1);
	assert_string_equal(names(rows), "afecdbg");
	assert_int_equal(rows__cell(rows, 6, CALLS)->number, 100);
	assert_int_equal(rows__sort(rows, CALLS, true), 0);
	assert_string_equal(names(rows), "gafcdeb");
	rows__free(rows);
}

static void test_limit(void **state)
{
	struct row_cell sums[NCOLUMNS];
	struct rows *rows = new_rows();

	assert_int_equal(rows__limit(rows, 3, sums), 0);
	add(rows, "a", 1, 0.5);
	add(rows, "b", 2, 0.5);
	add(rows, "c", -1, 1.5);
	add(rows, "d", 4, NAN);
	assert_int_equal(rows__limit(rows, 1, sums), 1);
	assert_false(sums[NAME].known);
	assert_false(sums[STACK].known);
	assert_int_equal(sums[CALLS].number, 6);
	assert_true(sums[RATE].real == 2.0);
	/* Nothing known is left out. */
	assert_int_equal(rows__limit(rows, 3, sums), 3);
	assert_false(sums[RATE].known);
	assert_int_equal(rows__limit(rows, 4, sums), 4);
	assert_false(sums[CALLS].known);
	assert_int_equal(rows__limit(rows, 0, sums), 4);
	assert_int_equal(rows__limit(rows, UINT64_MAX, sums), 4);
	rows__free(rows);
}

static void test_sum_stays_at_most(void **state)
{
	static const struct row_column column = { .name = "n", .type = ROW_BYTES, .sum = true };
	struct rows *rows = rows__new(&column, 1);
	struct row_cell sum;

	assert_non_null(rows);
	rows__number(rows, 1);
	rows__number(rows, UINT64_MAX);
	assert_int_equal(rows__number(rows, UINT64_MAX), 0);
	assert_int_equal(rows__limit(rows, 1, &sum), 1);
	assert_true(sum.number == UINT64_MAX);
	rows__free(rows);
}

static void test_many(void **state)
{
	struct rows *rows = new_rows();
	char name[16];
	size_t i;

	for (i = 0; i < 10000; i++) {
		snprintf(name, sizeof(name), "%zu", i);
		add(rows, name, i * 7919 % 10000, i);
	}
	assert_int_equal(rows__sort(rows, CALLS, false), 0);
	for (i = 0; i < 10000; i++)
		assert_int_equal(rows__cell(rows, i, CALLS)->number, i);
	assert_string_equal(rows__cell(rows, 7919, NAME)->text, "1");
	rows__free(rows);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cells), cmocka_unit_test(test_wrong_type),
		cmocka_unit_test(test_sort),  cmocka_unit_test(test_limit),
		cmocka_unit_test(test_many),  cmocka_unit_test(test_sum_stays_at_most),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
