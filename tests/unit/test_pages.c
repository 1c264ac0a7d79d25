/* SPDX-License-Identifier: GPL-2.0-only */
/* Sets of pages against arrays that say of each page whether it is in. */
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

#include "region/pages.h"
#include "unit/little_memory.h"

#define PAGE   4096ULL
#define BLOCK  (512 * PAGE)
#define PAGES  2500 /* more than four blocks */
#define ROUNDS 3000
#define ALL    0, UINT64_MAX

/* Bytes of a block, with room for more. */
#define BLOCK_BYTES 240

struct model {
	struct pages pages;
	__u64 base;
	bool in[PAGE_SETS][PAGES]; /* pages from base on */
};

static struct model *model__new(__u64 base)
{
	struct model *m = calloc(1, sizeof(*m));

	assert_non_null(m);
	m->base = base;
	return m;
}

static void model__free(struct model *m)
{
	pages__free(&m->pages);
	assert_int_equal(pages__bytes(&m->pages), 0);
	free(m);
}

static __u64 addr_of(const struct model *m, unsigned int page)
{
	return m->base + page * PAGE;
}

/* ---- what is done to both --------------------------------------------------------------------- */

/* Gives how many pages are in no more, or now. */
static unsigned int fill(struct model *m, enum page_set set, unsigned int from, unsigned int to,
			 bool in)
{
	unsigned int changed = 0;

	for (; from < to; from++) {
		changed += m->in[set][from] != in;
		m->in[set][from] = in;
	}
	return changed;
}

static int add(struct model *m, enum page_set set, unsigned int from, unsigned int to)
{
	__u64 changed = 99;
	int err = pages__set(&m->pages, set, addr_of(m, from), addr_of(m, to), &changed);

	/* as many as are said to be added are the first ones */
	for (; err && changed; from++)
		changed -= fill(m, set, from, from + 1, true);
	if (!err)
		assert_int_equal(changed, fill(m, set, from, to, true));
	return err;
}

static void clear(struct model *m, enum page_set set, unsigned int from, unsigned int to)
{
	assert_int_equal(pages__clear(&m->pages, set, addr_of(m, from), addr_of(m, to)),
			 fill(m, set, from, to, false));
}

static int move(struct model *m, unsigned int from, unsigned int to, unsigned int n)
{
	int err = pages__move(&m->pages, addr_of(m, from), addr_of(m, to), n * PAGE);

	for (int set = 0; set < PAGE_SETS && !err; set++) {
		memcpy(&m->in[set][to], &m->in[set][from], n);
		memset(&m->in[set][from], 0, n);
	}
	return err;
}

/* ---- whether they are equal ------------------------------------------------------------------- */

/* What is to be walked next. */
struct walk {
	const struct model *m;
	enum page_set set;
	unsigned int from, to; /* pages */
	unsigned int stop;     /* after so many runs */
};

static int check_run(void *ctx, __u64 start, __u64 end)
{
	struct walk *w = ctx;
	const bool *in = w->m->in[w->set];
	unsigned int first = w->from;

	while (first < w->to && !in[first])
		first++;
	assert_true(first < w->to);
	for (w->from = first; w->from < w->to && in[w->from];)
		w->from++;
	assert_true(start == addr_of(w->m, first));
	assert_true(end == addr_of(w->m, w->from));
	return --w->stop ? 0 : 17;
}

static void check_runs(const struct model *m, enum page_set set, unsigned int from, unsigned int to,
		       unsigned int stop)
{
	struct walk w = { m, set, from, to, stop };
	int err = pages__runs(&m->pages, set, addr_of(m, from), addr_of(m, to), check_run, &w);

	assert_int_equal(err, w.stop ? 0 : 17);
	while (!err && w.from < to)
		assert_false(m->in[set][w.from++]);
}

static unsigned int count(const struct model *m, enum page_set set, unsigned int from,
			  unsigned int to)
{
	unsigned int n = 0;

	while (from < to)
		n += m->in[set][from++];
	return n;
}

static void check_part(const struct model *m, enum page_set set, unsigned int from, unsigned int to)
{
	assert_int_equal(pages__count(&m->pages, set, addr_of(m, from), addr_of(m, to)),
			 count(m, set, from, to));
	check_runs(m, set, from, to, UINT32_MAX);
	check_runs(m, set, from, to, 2);
}

/* There are blocks for what is in one of the sets, and no more. */
static void check_blocks(const struct model *m)
{
	size_t blocks = 0;
	__u64 counted = UINT64_MAX;

	for (unsigned int i = 0; i < PAGES; i++) {
		if (!m->in[PAGES_EVER][i] && !m->in[PAGES_HERE][i] && !m->in[PAGES_ANON][i])
			continue;
		blocks += addr_of(m, i) / BLOCK != counted;
		counted = addr_of(m, i) / BLOCK;
	}
	assert_int_equal(ranges__count(&m->pages.blocks), blocks);
	assert_int_equal(pages__bytes(&m->pages), ranges__bytes(&m->pages.blocks));
}

static void check(const struct model *m)
{
	for (int set = 0; set < PAGE_SETS; set++) {
		assert_int_equal(pages__count(&m->pages, set, ALL), count(m, set, 0, PAGES));
		check_part(m, set, 0, PAGES);
		for (unsigned int i = 0; i < PAGES; i++)
			assert_int_equal(pages__test(&m->pages, set, addr_of(m, i) + i % PAGE),
					 m->in[set][i]);
		assert_false(pages__test(&m->pages, set, m->base - 1));
		assert_false(pages__test(&m->pages, set, addr_of(m, PAGES)));
	}
	check_blocks(m);
}

/* A copy of a part, to where there is something in another set, and in the same. */
static void check_copy(const struct model *m, enum page_set set, unsigned int from, unsigned int to)
{
	struct model *other = model__new(m->base);
	int err;

	assert_int_equal(add(other, set, to / 2, to / 2 + 1), 0);
	assert_int_equal(add(other, (set + 1) % PAGE_SETS, 3, 9), 0);
	assert_int_equal(pages__copy(&other->pages, set, &m->pages, set, addr_of(m, from),
				     addr_of(m, to)),
			 0);
	for (; from < to; from++)
		other->in[set][from] |= m->in[set][from];
	check(other);
	memory_left = 0;
	err = pages__copy(&other->pages, set, &m->pages, set, ALL);
	memory_left = MEMORY_ENOUGH;
	assert_true(!err || err == -ENOMEM);
	model__free(other);
}

/* ---- tests ------------------------------------------------------------------------------------ */

static int run_one(struct model *m, enum page_set set, unsigned int from, unsigned int to,
		   unsigned int *seed)
{
	unsigned int n = to - from, other = rand_r(seed) % (PAGES - n + 1);

	switch (rand_r(seed) % 8) {
	case 0:
		if (other < to && from < other + n)
			return 0;
		return move(m, from, other, n);
	case 1:
	case 2:
	case 3:
		clear(m, set, from, to);
		return 0;
	default:
		return add(m, set, from, to);
	}
}

static void run_random(__u64 base, unsigned int most, unsigned int seed, bool little_memory)
{
	struct model *m = model__new(base);

	check(m);
	for (unsigned int round = 1; round <= ROUNDS; round++) {
		enum page_set set = rand_r(&seed) % PAGE_SETS;
		unsigned int n = rand_r(&seed) % (most + 1);
		unsigned int from = rand_r(&seed) % (PAGES - n + 1);
		int err;

		if (little_memory && rand_r(&seed) % 16 == 0)
			clear(m, set, 0, PAGES);
		memory_left = little_memory ? (unsigned int)rand_r(&seed) % 4 : MEMORY_ENOUGH;
		err = run_one(m, set, from, from + n, &seed);
		memory_left = MEMORY_ENOUGH;
		assert_true(!err || (little_memory && err == -ENOMEM));
		check_part(m, set, from, from + n);
		check_blocks(m);
		if (round % 128 == 0) {
			check(m);
			check_copy(m, set, from, from + n);
		}
	}
	for (int set = 0; set < PAGE_SETS; set++)
		clear(m, set, 0, PAGES);
	check(m);
	assert_int_equal(pages__bytes(&m->pages), 0);
	model__free(m);
}

static const __u64 bases[] = { 0, BLOCK, 0x7f0000123000, -(PAGES + 1) * PAGE };

static void test_random(void **state)
{
	static const unsigned int most[] = { 1, 20, 600, PAGES };

	for (size_t i = 0; i < sizeof(bases) / sizeof(*bases); i++)
		for (size_t k = 0; k < sizeof(most) / sizeof(*most); k++)
			for (unsigned int seed = 0; seed < 2; seed++)
				run_random(bases[i], most[k], seed * 7 + i + k, false);
}

static void test_little_memory(void **state)
{
	for (unsigned int seed = 0; seed < 5; seed++) {
		run_random(bases[2], 1, seed, true);
		run_random(bases[2], PAGES, seed, true);
	}
}

/* Each distance at which words do not lie to words, and blocks not to blocks. */
static void test_moves(void **state)
{
	for (unsigned int by = 1; by < 1100; by += by < 70 ? 1 : 37) {
		struct model *m = model__new(BLOCK);
		unsigned int from = 500, n = by < 700 ? by : 700;

		assert_int_equal(add(m, PAGES_EVER, from - 5, from + n + 5), 0);
		assert_int_equal(add(m, PAGES_HERE, from + 1, from + n), 0);
		assert_int_equal(add(m, PAGES_ANON, from, PAGES), 0);
		assert_int_equal(move(m, from, from + by, n), 0);
		check(m);
		assert_int_equal(move(m, from + by, from, n), 0);
		check(m);
		/* what was moved is where it was, and what it replaced is gone */
		assert_int_equal(count(m, PAGES_HERE, 0, PAGES), n - 1);
		model__free(m);
	}
}

/* The last page of all, and the first. */
static void test_ends(void **state)
{
	struct pages p = {};
	__u64 changed;

	assert_int_equal(pages__set(&p, PAGES_HERE, -PAGE, UINT64_MAX, &changed), 0);
	assert_int_equal(changed, 1);
	assert_int_equal(pages__set(&p, PAGES_HERE, 0, PAGE, NULL), 0);
	assert_true(pages__test(&p, PAGES_HERE, UINT64_MAX));
	assert_true(pages__test(&p, PAGES_HERE, 0));
	assert_false(pages__test(&p, PAGES_HERE, PAGE));
	assert_false(pages__test(&p, PAGES_EVER, 0));
	assert_int_equal(pages__count(&p, PAGES_HERE, ALL), 2);
	assert_int_equal(pages__count(&p, PAGES_HERE, 1, UINT64_MAX), 2);
	assert_int_equal(pages__count(&p, PAGES_HERE, PAGE, UINT64_MAX), 1);
	assert_int_equal(pages__count(&p, PAGES_HERE, PAGE, PAGE), 0);
	assert_int_equal(pages__clear(&p, PAGES_HERE, ALL), 2);
	assert_int_equal(pages__bytes(&p), 0);
	pages__free(&p);
}

/* ---- many of them ----------------------------------------------------------------------------- */

#ifdef __SANITIZE_ADDRESS__
#define SPEED_PAGES 10000000ULL
#define SPEED_LEAST 2000000
#else
#define SPEED_PAGES 100000000ULL
#define SPEED_LEAST 20000000
#endif

static double seconds_since(clock_t began)
{
	return (double)(clock() - began) / CLOCKS_PER_SEC;
}

static void test_speed(void **state)
{
	struct pages p = {};
	clock_t began = clock();
	double seconds;
	__u64 changed;

	for (__u64 i = 0; i < SPEED_PAGES; i++) {
		assert_int_equal(pages__set(&p, PAGES_HERE, i * PAGE, (i + 1) * PAGE, &changed), 0);
		assert_int_equal(changed, 1);
	}
	seconds = seconds_since(began);
	print_message("%.1f million a second, %zu bytes\n", SPEED_PAGES / seconds / 1e6,
		      pages__bytes(&p));
	assert_true(SPEED_PAGES / seconds > SPEED_LEAST);
	assert_int_equal(pages__count(&p, PAGES_HERE, ALL), SPEED_PAGES);
	assert_true(pages__bytes(&p) < (SPEED_PAGES / 512 + 1) * BLOCK_BYTES);
	began = clock();
	assert_int_equal(pages__clear(&p, PAGES_HERE, 0, 1ULL << 40), SPEED_PAGES);
	print_message("cleared in %.3f s\n", seconds_since(began));
	assert_int_equal(pages__bytes(&p), 0);
}

/* Few pages, far from each other: what is done to much costs as much as they do. */
static void test_sparse(void **state)
{
	const __u64 tib = 1ULL << 40;
	struct pages p = {};
	clock_t began = clock();

	for (unsigned int i = 0; i < 10000; i++) {
		for (__u64 k = 0; k < 50; k++)
			assert_int_equal(pages__set(&p, PAGES_EVER, k * tib / 50 / BLOCK * BLOCK,
						    k * tib / 50 / BLOCK * BLOCK + PAGE, NULL),
					 0);
		if (!i)
			print_message("50 blocks: %zu bytes\n", pages__bytes(&p));
		assert_true(pages__bytes(&p) <= 50 * BLOCK_BYTES);
		assert_int_equal(pages__count(&p, PAGES_EVER, 0, tib), 50);
		assert_int_equal(pages__move(&p, 0, tib + PAGE, tib), 0);
		assert_int_equal(pages__count(&p, PAGES_EVER, tib, 2 * tib), 50);
		assert_int_equal(pages__clear(&p, PAGES_EVER, 0, 3 * tib), 50);
		assert_int_equal(pages__bytes(&p), 0);
	}
	assert_true(seconds_since(began) < 20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_random), cmocka_unit_test(test_little_memory),
		cmocka_unit_test(test_moves),  cmocka_unit_test(test_ends),
		cmocka_unit_test(test_speed),  cmocka_unit_test(test_sparse),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
