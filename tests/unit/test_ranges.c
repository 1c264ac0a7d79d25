/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges against an array that says of each address whose it is. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <cmocka.h>

#include "region/ranges.h"
#include "unit/little_memory.h"

#define ADDRESSES 1200
#define ROUNDS    3000
#define SIZE_MOST 48
#define PAGE      4096ULL
#define VMAS      65530 /* vm.max_map_count */

/* What comes after the range is the id, as often as it fits. */
struct owned {
	struct range range;
	__u64 id[(SIZE_MOST - sizeof(struct range)) / sizeof(__u64)];
};

/* Addresses count from base on. */
struct model {
	struct ranges ranges;
	__u64 base;
	__u64 id[ADDRESSES];    /* 0: nobody's */
	bool begins[ADDRESSES]; /* an element does */
};

static size_t ids_of(const struct ranges *r)
{
	return (r->size - sizeof(struct range)) / sizeof(__u64);
}

static struct model *model__new(__u64 base, size_t size)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->ranges.size = size;
	m->base = base;
	return m;
}

static void model__free(struct model *m)
{
	size_t size = m->ranges.size;

	ranges__free(&m->ranges);
	assert_int_equal(ranges__count(&m->ranges), 0);
	assert_int_equal(ranges__bytes(&m->ranges), 0);
	assert_int_equal(m->ranges.size, size);
	free(m);
}

/* ---- what is done to both --------------------------------------------------------------------- */

static int add(struct model *m, unsigned int from, unsigned int to, __u64 id)
{
	struct owned o = { { m->base + from, m->base + to }, { id, id, id, id } };
	int err;

	id = ids_of(&m->ranges) ? id : 1;
	err = ranges__add(&m->ranges, &o);
	if (err || from >= to)
		return err;
	for (unsigned int i = from; i < to; i++) {
		m->id[i] = id;
		m->begins[i] = i == from;
	}
	if (to < ADDRESSES && m->id[to])
		m->begins[to] = true;
	return 0;
}

static int del(struct model *m, unsigned int from, unsigned int to)
{
	int err = ranges__del(&m->ranges, m->base + from, m->base + to);

	if (err || from >= to)
		return err;
	for (unsigned int i = from; i < to; i++) {
		m->id[i] = 0;
		m->begins[i] = false;
	}
	if (to < ADDRESSES && m->id[to])
		m->begins[to] = true;
	return 0;
}

static int split(struct model *m, unsigned int at)
{
	int err = ranges__split(&m->ranges, m->base + at);

	if (!err && at < ADDRESSES && m->id[at])
		m->begins[at] = true;
	return err;
}

static bool same_parity(const void *a, const void *b)
{
	const struct owned *oa = a, *ob = b;

	assert_int_equal(oa->range.end, ob->range.start);
	return oa->id[0] % 2 == ob->id[0] % 2;
}

static bool always(const void *a, const void *b)
{
	return true;
}

static void merge(struct model *m, unsigned int from, unsigned int to)
{
	bool ids = ids_of(&m->ranges);

	ranges__merge(&m->ranges, m->base + from, m->base + to, ids ? same_parity : always);
	for (unsigned int i = from ? from : 1; i <= to && i < ADDRESSES; i++)
		if (m->id[i - 1] && (!ids || m->id[i] % 2 == m->id[i - 1] % 2))
			m->begins[i] = false;
	for (unsigned int i = 1; i < ADDRESSES; i++)
		if (m->id[i] && !m->begins[i])
			m->id[i] = m->id[i - 1];
}

/* Go on with a copy; what was in its place is forgotten. */
static int copy(struct model *m)
{
	struct ranges new = { .size = 16 };
	struct owned other = { { 1, 2 }, {} };
	unsigned int left = memory_left;
	int err;

	memory_left = MEMORY_ENOUGH;
	assert_int_equal(ranges__add(&new, &other), 0);
	memory_left = left;
	err = ranges__copy(&new, &m->ranges);
	if (err) {
		assert_int_equal(ranges__count(&new), 1);
		ranges__free(&new);
		return err;
	}
	ranges__free(&m->ranges);
	m->ranges = new;
	return 0;
}

/* ---- whether they are equal ------------------------------------------------------------------- */

static void check_element(const struct model *m, const struct owned *o, int from)
{
	unsigned int to = from + 1;

	if (from < 0) {
		assert_null(o);
		return;
	}
	assert_non_null(o);
	while (to < ADDRESSES && m->id[to] && !m->begins[to])
		to++;
	assert_true(o->range.start == m->base + from);
	assert_true(o->range.end == m->base + to);
	for (size_t i = 0; i < ids_of(&m->ranges); i++)
		assert_int_equal(o->id[i], m->id[from]);
}

static int start_below(const struct model *m, int i)
{
	while (i >= 0 && !m->begins[i])
		i--;
	return i;
}

static void check_address(const struct model *m, unsigned int i)
{
	__u64 addr = m->base + i;
	int from = m->id[i] ? start_below(m, i) : -1;

	check_element(m, ranges__find(&m->ranges, addr), from);
	check_element(m, ranges__before(&m->ranges, addr), start_below(m, (int)i - 1));
	for (; from < 0 && i < ADDRESSES; i++)
		from = m->begins[i] ? (int)i : -1;
	check_element(m, ranges__after(&m->ranges, addr), from);
}

static void check_elements(const struct model *m)
{
	size_t left = ranges__count(&m->ranges);
	struct ranges_cursor c;
	void *e = ranges__first(&m->ranges, &c);

	for (unsigned int i = 0; i < ADDRESSES; i++) {
		if (!m->begins[i])
			continue;
		check_element(m, e, i);
		e = ranges__next(&m->ranges, &c);
		left--;
	}
	assert_null(e);
	assert_int_equal(left, 0);
}

static void check(const struct model *m)
{
	check_elements(m);
	for (unsigned int i = 0; i < ADDRESSES; i++)
		check_address(m, i);
	assert_null(ranges__find(&m->ranges, m->base + ADDRESSES));
	assert_null(ranges__after(&m->ranges, m->base + ADDRESSES));
	assert_null(ranges__find(&m->ranges, m->base - 1));
	assert_null(ranges__find(&m->ranges, UINT64_MAX));
	assert_null(ranges__after(&m->ranges, UINT64_MAX));
	assert_null(ranges__before(&m->ranges, 0));
}

/* At the worst. */
static void check_bytes(const struct ranges *r)
{
	size_t n = ranges__count(r);

	assert_true(ranges__bytes(r) <= n * r->size * 14 / 10 + (n ? 5 * r->size + 16 : 0));
}

static void check_near(const struct model *m, unsigned int at)
{
	for (unsigned int i = at > 2 ? at - 2 : 0; i < at + 3 && i < ADDRESSES; i++)
		check_address(m, i);
}

/* The last address that a range can hold is the one before the very last. */
static const __u64 bases[] = { 0, 1, 1000000, UINT64_MAX - ADDRESSES };

/* ---- tests ------------------------------------------------------------------------------------ */

/* One of all that can be done to [from, to). dels: among adds, of 8. */
static int run_one(struct model *m, unsigned int from, unsigned int to, __u64 id, int dels,
		   unsigned int *seed)
{
	unsigned int kind = rand_r(seed) % 32;

	if (kind == 0)
		return copy(m);
	if (kind == 1)
		merge(m, from, to);
	else if (kind < 5)
		return split(m, from);
	else if ((int)(kind % 8) < dels)
		return del(m, from, to);
	else
		return add(m, from, to, id);
	return 0;
}

/* Ranges of up to `most` addresses: short ones leave many, long ones cover several at once. */
static void run_random(__u64 base, unsigned int most, unsigned int seed, bool little_memory)
{
	struct model *m = model__new(base, 16 + seed % 5 * 8);
	unsigned int refused = 0;

	check(m);
	for (__u32 round = 1; round <= ROUNDS; round++) {
		unsigned int len = 1 + rand_r(&seed) % most;
		unsigned int from = rand_r(&seed) % (ADDRESSES - len + 1);
		int dels = round / 1000 % 2 ? 6 : 2, err;

		memory_left = little_memory ? (unsigned int)rand_r(&seed) % 4 : MEMORY_ENOUGH;
		err = run_one(m, from, from + len, round, dels, &seed);
		memory_left = MEMORY_ENOUGH;
		assert_true(!err || (little_memory && err == -ENOMEM));
		refused += !!err;
		check_near(m, from);
		check_near(m, from + len);
		if (err || round % 16 == 0)
			check_elements(m);
		if (round % 256 == 0)
			check(m);
		if (!little_memory)
			check_bytes(&m->ranges);
	}
	assert_true(!little_memory || refused > 10);
	assert_int_equal(del(m, 0, ADDRESSES), 0);
	check(m);
	assert_int_equal(ranges__bytes(&m->ranges), 0);
	model__free(m);
}

static void test_random(void **state)
{
	static const unsigned int most[] = { 1, 3, 20, ADDRESSES };

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		for (size_t k = 0; k < sizeof(most) / sizeof(*most); k++)
			for (unsigned int seed = 0; seed < 5; seed++)
				run_random(bases[i], most[k], seed * 16 + i, false);
}

/* What finds no memory leaves all as it was. */
static void test_little_memory(void **state)
{
	static const unsigned int most[] = { 1, 3, 20 };

	for (size_t k = 0; k < sizeof(most) / sizeof(*most); k++)
		for (unsigned int seed = 0; seed < 10; seed++)
			run_random(1, most[k], seed, true);
}

/* Each way in which a second range can lie to the first. */
static void test_pairs(void **state)
{
	for (unsigned int from = 0; from < 12; from++) {
		for (unsigned int to = from; to <= 12; to++) {
			for (int deletes = 0; deletes < 2; deletes++) {
				struct model *m = model__new(100, 24);

				assert_int_equal(add(m, 3, 6, 1), 0);
				assert_int_equal(add(m, 6, 8, 2), 0);
				assert_int_equal(deletes ? del(m, from, to) : add(m, from, to, 3),
						 0);
				check(m);
				merge(m, from, to);
				check(m);
				model__free(m);
			}
		}
	}
}

/* Nothing is deleted, split and joined where there is nothing. */
static void test_empty(void **state)
{
	struct model *m = model__new(100, 24);

	check(m);
	assert_int_equal(del(m, 0, ADDRESSES), 0);
	assert_int_equal(split(m, 10), 0);
	merge(m, 0, ADDRESSES);
	assert_int_equal(copy(m), 0);
	check(m);
	assert_int_equal(ranges__bytes(&m->ranges), 0);
	assert_int_equal(add(m, 10, 20, 7), 0);
	for (unsigned int from = 5; from < 25; from++) {
		for (unsigned int to = 5; to <= from; to++) {
			assert_int_equal(del(m, from, to), 0);
			assert_int_equal(ranges__count(&m->ranges), 1);
			check_elements(m);
		}
	}
	model__free(m);
}

/* A hole makes two of one, at every count at which there may have to be more memory. */
static void test_holes(void **state)
{
	struct model *m = model__new(100, 24);

	assert_int_equal(add(m, 0, ADDRESSES, 9), 0);
	for (unsigned int i = 1; i + 1 < ADDRESSES; i += 2) {
		assert_int_equal(del(m, i, i + 1), 0);
		assert_int_equal(ranges__count(&m->ranges), 2 + i / 2);
		check_elements(m);
	}
	/* and one takes the place of them all */
	assert_int_equal(add(m, 0, ADDRESSES, 10), 0);
	assert_int_equal(ranges__count(&m->ranges), 1);
	check(m);
	model__free(m);
}

/* All addresses: the very last is none's. */
static void test_whole(void **state)
{
	struct ranges r = { .size = 16 };
	struct range all = { 0, UINT64_MAX }, *e;

	assert_int_equal(ranges__add(&r, &all), 0);
	assert_non_null(ranges__find(&r, 0));
	assert_non_null(ranges__find(&r, UINT64_MAX - 1));
	assert_null(ranges__find(&r, UINT64_MAX));
	assert_non_null(ranges__before(&r, UINT64_MAX));
	assert_int_equal(ranges__split(&r, 0), 0);
	assert_int_equal(ranges__split(&r, UINT64_MAX), 0);
	assert_int_equal(ranges__count(&r), 1);
	assert_int_equal(ranges__split(&r, UINT64_MAX - 1), 0);
	assert_int_equal(ranges__split(&r, 1), 0);
	assert_int_equal(ranges__count(&r), 3);
	e = ranges__before(&r, UINT64_MAX);
	assert_true(e->start == UINT64_MAX - 1 && e->end == UINT64_MAX);
	ranges__merge(&r, 0, UINT64_MAX, always);
	assert_int_equal(ranges__count(&r), 1);
	assert_int_equal(ranges__del(&r, 0, UINT64_MAX), 0);
	assert_int_equal(ranges__count(&r), 0);
	ranges__free(&r);
}

/* ---- many of them ----------------------------------------------------------------------------- */

static void add_vma(struct ranges *r, __u64 i)
{
	struct owned o = { { i * PAGE, (i + 1) * PAGE }, { i } };

	assert_int_equal(ranges__add(r, &o), 0);
}

/* n elements of a size that are added in a random order. */
static void add_vmas(struct ranges *r, __u64 n, unsigned int *seed)
{
	__u32 *order = calloc(n, sizeof(*order));

	assert_non_null(order);
	for (__u64 i = 0; i < n; i++) {
		__u64 k = rand_r(seed) % (i + 1);

		order[i] = order[k];
		order[k] = i;
	}
	for (__u64 i = 0; i < n; i++)
		add_vma(r, order[i]);
	free(order);
	assert_int_equal(ranges__count(r), n);
}

/* Time of one core, with the sanitizers: much more than it takes, but not enough to move them all. */
static void test_speed(void **state)
{
	const unsigned int rounds = 500000;
	struct ranges r = { .size = 40 };
	unsigned int seed = 1;
	clock_t began;
	double seconds;

	add_vmas(&r, VMAS, &seed);
	began = clock();
	for (unsigned int i = 0; i < rounds / 2; i++) {
		__u64 at = rand_r(&seed) % VMAS * PAGE;

		assert_int_equal(ranges__del(&r, at, at + PAGE), 0);
		add_vma(&r, at / PAGE);
	}
	seconds = (double)(clock() - began) / CLOCKS_PER_SEC;
	print_message("%.0f adds and deletions a second among %d\n", rounds / seconds, VMAS);
	assert_true(seconds < 4);
	assert_int_equal(ranges__count(&r), VMAS);
	for (__u64 i = 0; i < VMAS; i++)
		assert_int_equal(((struct owned *)ranges__find(&r, i * PAGE))->id[0], i);
	ranges__free(&r);
}

static void test_memory(void **state)
{
	static const unsigned int sizes[] = { 1, 2, 5, 10, 50, 200, 1000, VMAS };
	unsigned int seed = 5;

	for (size_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		struct ranges r = { .size = 40 };
		double per;

		add_vmas(&r, sizes[i], &seed);
		per = (double)ranges__bytes(&r) / sizes[i];
		print_message("%u of 40 bytes: %.1f bytes each\n", sizes[i], per);
		assert_true(ranges__bytes(&r) <= sizes[i] * 40 * 115 / 100 + 16);
		/* and nine of ten go again */
		for (__u64 k = 0; k < sizes[i]; k++)
			if (k % 10)
				assert_int_equal(ranges__del(&r, k * PAGE, (k + 1) * PAGE), 0);
		assert_true(ranges__bytes(&r) <= ranges__count(&r) * 40 * 13 / 10 + 200);
		ranges__free(&r);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_little_memory),
		cmocka_unit_test(test_pairs),  cmocka_unit_test(test_empty),
		cmocka_unit_test(test_holes),  cmocka_unit_test(test_whole),
		cmocka_unit_test(test_speed),  cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
