/* SPDX-License-Identifier: GPL-2.0-only */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/hist.h"

#define N 20000

static double uniform(void)
{
	return (random() + 1.0) / ((double)RAND_MAX + 2.0);
}

static __u64 constant(void)
{
	return 777;
}

static __u64 flat(void)
{
	return random() % 100000;
}

static __u64 small(void)
{
	return random() % 16;
}

static __u64 exponential(void)
{
	return (__u64)(-log(uniform()) * 2500);
}

/* Most faults minor, one in 80 waits for storage: p99 falls into the gap's far side. */
static __u64 bimodal(void)
{
	return random() % 80 ? 400 + random() % 300 : 90000 + random() % 200000;
}

static __u64 pareto(void)
{
	return (__u64)(300 / pow(uniform(), 1.3));
}

static __u64 lognormal(void)
{
	double a = sqrt(-2 * log(uniform())) * cos(6.283185307 * uniform());

	return (__u64)exp(6.5 + 1.2 * a);
}

static const struct {
	const char *name;
	__u64 (*draw)(void);
} distributions[] = {
	{ "constant", constant },       { "flat", flat },       { "small", small },
	{ "exponential", exponential }, { "bimodal", bimodal }, { "pareto", pareto },
	{ "lognormal", lognormal },
};

static int compare(const void *pa, const void *pb)
{
	__u64 a = *(const __u64 *)pa, b = *(const __u64 *)pb;

	return (a > b) - (a < b);
}

/* Nearest rank, as in a textbook. */
static __u64 exact_quantile(const __u64 *sorted, size_t n, double q)
{
	size_t rank = (size_t)ceil(q * (double)n);

	return sorted[(rank ? rank : 1) - 1];
}

static void check_quantiles(const char *name, const struct hist *h, __u64 *values, size_t n)
{
	static const double qs[] = { 0, 0.01, 0.25, 0.5, 0.75, 0.9, 0.99, 0.999, 1 };
	size_t i;

	qsort(values, n, sizeof(*values), compare);
	for (i = 0; i < sizeof(qs) / sizeof(*qs); i++) {
		__u64 exact = exact_quantile(values, n, qs[i]), got = hist__quantile(h, qs[i]);
		double off = fabs((double)got - (double)exact);

		if (off > 0.05 * (double)exact || got > h->max)
			fail_msg("%s, n %zu, q %g: %llu, exact is %llu, max %llu", name, n, qs[i],
				 got, exact, h->max);
	}
}

static void test_quantiles(void **state)
{
	static const size_t counts[] = { 1, 2, 3, 10, 101, N };
	static __u64 values[N];
	size_t d, c, i;

	(void)state;
	for (d = 0; d < sizeof(distributions) / sizeof(*distributions); d++) {
		for (c = 0; c < sizeof(counts) / sizeof(*counts); c++) {
			struct hist h = { 0 };

			for (i = 0; i < counts[c]; i++) {
				values[i] = distributions[d].draw();
				hist__add(&h, values[i]);
			}
			check_quantiles(distributions[d].name, &h, values, counts[c]);
		}
	}
}

static void test_empty(void **state)
{
	struct hist h = { 0 };
	struct hist_log2 rows[HIST_LOG2_ROWS];

	(void)state;
	assert_int_equal(hist__quantile(&h, 0.5), 0);
	assert_int_equal(hist__log2(&h, rows, HIST_LOG2_ROWS), 0);
}

static void test_log2(void **state)
{
	static const __u64 values[] = { 0, 0, 1, 2, 3, 15, 16, 31, 32, 4096, 4097, 8191 };
	static const struct hist_log2 expected[] = {
		{ 0, 1, 2 },       { 1, 2, 1 },       { 2, 4, 2 },      { 4, 8, 0 },
		{ 8, 16, 1 },      { 16, 32, 2 },     { 32, 64, 1 },    { 64, 128, 0 },
		{ 128, 256, 0 },   { 256, 512, 0 },   { 512, 1024, 0 }, { 1024, 2048, 0 },
		{ 2048, 4096, 0 }, { 4096, 8192, 3 },
	};
	struct hist_log2 rows[HIST_LOG2_ROWS];
	struct hist h = { 0 };
	size_t i, n;

	(void)state;
	for (i = 0; i < sizeof(values) / sizeof(*values); i++)
		hist__add(&h, values[i]);
	n = hist__log2(&h, rows, HIST_LOG2_ROWS);
	assert_int_equal(n, sizeof(expected) / sizeof(*expected));
	assert_memory_equal(rows, expected, sizeof(expected));
	assert_int_equal(hist__log2(&h, rows, 3), 3);
}

static void test_huge_values(void **state)
{
	struct hist_log2 rows[HIST_LOG2_ROWS];
	struct hist h = { 0 };

	(void)state;
	hist__add(&h, ~0ULL);
	hist__add(&h, 1ULL << FS_HIST_MAX_BITS);
	hist__add(&h, 0);
	assert_int_equal(hist__log2(&h, rows, HIST_LOG2_ROWS), HIST_LOG2_ROWS);
	assert_int_equal(rows[HIST_LOG2_ROWS - 1].to, 1ULL << FS_HIST_MAX_BITS);
	assert_int_equal(rows[HIST_LOG2_ROWS - 1].count, 2);
	assert_true(hist__quantile(&h, 1) == ~0ULL);
	assert_true(hist__quantile(&h, 0.5) >= fs_hist_floor(FS_HIST_SLOTS - 1));
}

static void test_merge(void **state)
{
	struct hist a = { 0 }, b = { 0 }, all = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		__u64 v = pareto();

		hist__add(i % 3 ? &a : &b, v);
		hist__add(&all, v);
	}
	hist__add_slots(&a, &b);
	assert_memory_equal(&a, &all, sizeof(a));
}

/* A sparse one holds exactly what a full one does. */
static void test_sparse(void **state)
{
	struct hist_sparse s = { 0 }, t = { 0 };
	struct hist full = { 0 }, out = { 0 };
	size_t i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		__u64 v = i % 100 ? pareto() : random() * 1000ULL;

		assert_int_equal(hist_sparse__add(i % 2 ? &s : &t, v), 0);
		hist__add(&full, v);
	}
	assert_int_equal(hist_sparse__merge(&s, &t), 0);
	hist_sparse__expand(&s, &out);
	assert_memory_equal(&out, &full, sizeof(out));
	hist_sparse__clear(&s);
	hist_sparse__clear(&t);
	assert_int_equal(s.count, 0);
	assert_null(s.octaves);
}

/* What kernel cells count runs over 32 bits when several are added up. */
static void test_sparse_overflow(void **state)
{
	static __u32 slots[FS_HIST_SLOTS];
	struct hist_sparse s = { 0 }, t = { 0 };
	struct hist out = { 0 };

	(void)state;
	slots[100] = 0xfffffff0;
	slots[101] = 7;
	assert_int_equal(hist_sparse__add_counts(&s, slots, 1000, 50), 0);
	assert_int_equal(hist_sparse__add_counts(&s, slots, 1000, 60), 0);
	assert_int_equal(hist_sparse__add(&s, 5), 0);
	assert_int_equal(hist_sparse__merge(&t, &s), 0);
	assert_int_equal(hist_sparse__merge(&t, &s), 0);
	hist_sparse__expand(&t, &out);
	assert_true(out.slots[100] == 4 * 0xfffffff0ULL);
	assert_true(out.slots[101] == 28);
	assert_true(out.slots[5] == 2);
	assert_true(out.count == 4 * 0xfffffff7ULL + 2);
	assert_true(out.sum == 4010);
	assert_true(out.max == 60);
	hist_sparse__clear(&s);
	hist_sparse__clear(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_log2),
		cmocka_unit_test(test_huge_values),
		cmocka_unit_test(test_merge),
		cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_sparse_overflow),
	};

	return cmocka_run_group_tests_name("hist", tests, NULL, NULL);
}
