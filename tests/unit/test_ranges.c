/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges against an array that says of each address whose it is. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "region/ranges.h"

#define ADDRESSES 200
#define ROUNDS    6000

struct owned {
	struct range range;
	__u32 id; /* never 0 */
	__u32 not_id;
};

/* Addresses count from base on. */
struct model {
	struct ranges ranges;
	__u64 base;
	__u32 id[ADDRESSES]; /* 0: nobody's */
};

static struct model *model__new(__u64 base)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->ranges.size = sizeof(struct owned);
	m->base = base;
	return m;
}

static void model__free(struct model *m)
{
	ranges__free(&m->ranges);
	assert_null(m->ranges.v);
	assert_int_equal(m->ranges.n, 0);
	free(m);
}

static void add(struct model *m, unsigned int from, unsigned int to, __u32 id)
{
	struct owned o = { { m->base + from, m->base + to }, id, ~id };

	assert_int_equal(ranges__add(&m->ranges, &o), 0);
	for (; from < to; from++)
		m->id[from] = id;
}

static void del(struct model *m, unsigned int from, unsigned int to)
{
	assert_int_equal(ranges__del(&m->ranges, m->base + from, m->base + to), 0);
	for (; from < to; from++)
		m->id[from] = 0;
}

static void check_address(const struct model *m, __u64 addr, __u32 id)
{
	const struct owned *o = ranges__find(&m->ranges, addr);

	if (!id) {
		assert_null(o);
		return;
	}
	assert_non_null(o);
	assert_true(o->range.start <= addr && addr < o->range.end);
	assert_int_equal(o->id, id);
	assert_int_equal(o->not_id, ~id);
}

static void check(const struct model *m)
{
	__u64 end = 0;

	for (unsigned int i = 0; i < ADDRESSES; i++)
		check_address(m, m->base + i, m->id[i]);
	check_address(m, m->base - 1, 0);
	check_address(m, m->base + ADDRESSES, 0);
	for (size_t i = 0; i < m->ranges.n; i++) {
		const struct owned *o = ranges__at(&m->ranges, i);

		assert_true(o->range.start >= end);
		assert_true(o->range.start < o->range.end);
		end = o->range.end;
	}
}

/* The last address that a range can hold is the one before the very last. */
static const __u64 bases[] = { 1, 1000000, UINT64_MAX - ADDRESSES };

/* Ranges of up to `most` addresses: short ones leave many, long ones cover several at once. */
static void run_random(__u64 base, unsigned int most)
{
	struct model *m = model__new(base);
	unsigned int seed = 3;

	check(m);
	for (__u32 round = 1; round <= ROUNDS; round++) {
		unsigned int len = 1 + rand_r(&seed) % most;
		unsigned int from = rand_r(&seed) % (ADDRESSES - len + 1);

		if (rand_r(&seed) % 3)
			add(m, from, from + len, round);
		else
			del(m, from, from + len);
		check(m);
	}
	del(m, 0, ADDRESSES);
	assert_int_equal(m->ranges.n, 0);
	model__free(m);
}

static void test_random(void **state)
{
	static const unsigned int most[] = { 1, 3, 20, ADDRESSES };

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		for (size_t k = 0; k < sizeof(most) / sizeof(*most); k++)
			run_random(bases[i], most[k]);
}

/* Each way in which a second range can lie to the first. */
static void test_pairs(void **state)
{
	for (unsigned int from = 0; from < 12; from++) {
		for (unsigned int to = from + 1; to <= 12; to++) {
			for (int deletes = 0; deletes < 2; deletes++) {
				struct model *m = model__new(100);

				add(m, 3, 6, 1);
				add(m, 6, 8, 2);
				if (deletes)
					del(m, from, to);
				else
					add(m, from, to, 3);
				check(m);
				model__free(m);
			}
		}
	}
}

/* Nothing is deleted where there is nothing to delete. */
static void test_empty(void **state)
{
	struct model *m = model__new(100);

	check_address(m, 0, 0);
	del(m, 0, ADDRESSES);
	assert_int_equal(m->ranges.n, 0);
	add(m, 10, 20, 7);
	for (unsigned int from = 5; from < 25; from++) {
		for (unsigned int to = 5; to <= from; to++) {
			del(m, from, to);
			assert_int_equal(m->ranges.n, 1);
			check(m);
		}
	}
	model__free(m);
}

/* A hole makes two of one, at every count at which the array may have to grow. */
static void test_split(void **state)
{
	struct model *m = model__new(100);

	add(m, 0, ADDRESSES, 9);
	for (unsigned int i = 1; i + 1 < ADDRESSES; i += 2) {
		del(m, i, i + 1);
		assert_int_equal(m->ranges.n, 2 + i / 2);
		check(m);
	}
	/* and one takes the place of them all */
	add(m, 0, ADDRESSES, 10);
	assert_int_equal(m->ranges.n, 1);
	check(m);
	model__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random),
		cmocka_unit_test(test_pairs),
		cmocka_unit_test(test_empty),
		cmocka_unit_test(test_split),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
