/* SPDX-License-Identifier: GPL-2.0-only */
#include "region/pages.h"

#include <errno.h>
#include <string.h>

#include "vm.h"

#define BLOCK_PAGES 512
#define WORD_PAGES  64
#define BLOCK_WORDS (BLOCK_PAGES / WORD_PAGES)

/* 2 MiB of addresses; its range is that of its number, which has an end for the last one, too. */
struct pages_block {
	struct range range;
	__u64 bits[PAGE_SETS][BLOCK_WORDS];
};

/* Pages by number, [first, end). */
struct page_range {
	__u64 first, end;
};

static struct page_range page_range(__u64 start, __u64 end)
{
	return (struct page_range){ start / PAGE_BYTES, end / PAGE_BYTES + !!(end % PAGE_BYTES) };
}

static __u64 block_start(const struct pages_block *b)
{
	return b->range.start * BLOCK_PAGES;
}

/* The bits of a block's word that are in the range. */
static __u64 word_mask(const struct pages_block *b, unsigned int word, struct page_range in)
{
	__u64 first = block_start(b) + word * WORD_PAGES, mask = ~0ULL;

	if (in.end <= first || in.first >= first + WORD_PAGES)
		return 0;
	if (in.first > first)
		mask <<= in.first - first;
	if (in.end < first + WORD_PAGES)
		mask &= ~0ULL >> (first + WORD_PAGES - in.end);
	return mask;
}

/* ---- blocks ----------------------------------------------------------------------------------- */

static struct pages_block *find_block(const struct pages *p, __u64 number)
{
	if (p->last && p->last->range.start == number)
		return p->last;
	return ranges__find(&p->blocks, number);
}

/* The block with a number, made where there is none. NULL: no memory. */
static struct pages_block *get_block(struct pages *p, __u64 number)
{
	struct pages_block *b = find_block(p, number);

	if (!b) {
		struct pages_block new = { .range = { number, number + 1 } };

		p->last = NULL;
		p->blocks.size = sizeof(new);
		if (ranges__add(&p->blocks, &new))
			return NULL;
		b = ranges__find(&p->blocks, number);
	}
	p->last = b;
	return b;
}

/* The first block with pages of a range, and the one after it; NULL: no more. */
static struct pages_block *first_block(const struct pages *p, struct page_range in,
				       struct ranges_cursor *c)
{
	struct pages_block *b = NULL;

	if (in.first < in.end)
		b = ranges__seek(&p->blocks, c, in.first / BLOCK_PAGES);
	return b && block_start(b) < in.end ? b : NULL;
}

static struct pages_block *next_block(const struct pages *p, struct page_range in,
				      struct ranges_cursor *c)
{
	struct pages_block *b = ranges__next(&p->blocks, c);

	return b && block_start(b) < in.end ? b : NULL;
}

static bool is_empty(const struct pages_block *b)
{
	static const __u64 none[PAGE_SETS][BLOCK_WORDS];

	return !memcmp(b->bits, none, sizeof(none));
}

/* Free the blocks of a range that have no page in any set: neighbours at once. */
static void trim(struct pages *p, struct page_range in)
{
	struct ranges_cursor c;
	struct pages_block *b = first_block(p, in, &c);

	while (b) {
		__u64 number = b->range.start, end = number;

		for (; b && is_empty(b); b = next_block(p, in, &c))
			end = b->range.end;
		if (number == end) {
			b = next_block(p, in, &c);
			continue;
		}
		p->last = NULL;
		/* whole blocks: it takes no memory */
		ranges__del(&p->blocks, number, end);
		in.first = end * BLOCK_PAGES;
		b = first_block(p, in, &c);
	}
}

/* ---- sets ------------------------------------------------------------------------------------- */

/* Add pages of a word; gives how many were not there. */
static unsigned int add_bits(struct pages *p, enum page_set set, __u64 *word, __u64 bits)
{
	unsigned int changed = __builtin_popcountll(bits & ~*word);

	*word |= bits;
	p->total[set] += changed;
	return changed;
}

int pages__set(struct pages *p, enum page_set set, __u64 start, __u64 end, __u64 *changed)
{
	struct page_range in = page_range(start, end);
	__u64 added = 0;
	int err = 0;

	while (in.first < in.end) {
		struct pages_block *b = get_block(p, in.first / BLOCK_PAGES);
		unsigned int word = in.first % BLOCK_PAGES / WORD_PAGES;

		if (!b) {
			err = -ENOMEM;
			break;
		}
		for (; word < BLOCK_WORDS && in.first < in.end; word++) {
			added += add_bits(p, set, &b->bits[set][word], word_mask(b, word, in));
			in.first = block_start(b) + (word + 1) * WORD_PAGES;
		}
	}
	if (changed)
		*changed = added;
	return err;
}

/* Remove a range's pages from a set, but keep the blocks. Gives how many there were. */
static __u64 clear_bits(struct pages *p, enum page_set set, struct page_range in)
{
	struct ranges_cursor c;
	__u64 removed = 0;

	for (struct pages_block *b = first_block(p, in, &c); b; b = next_block(p, in, &c)) {
		for (unsigned int i = 0; i < BLOCK_WORDS; i++) {
			__u64 mask = word_mask(b, i, in);

			removed += __builtin_popcountll(b->bits[set][i] & mask);
			b->bits[set][i] &= ~mask;
		}
	}
	p->total[set] -= removed;
	return removed;
}

__u64 pages__clear(struct pages *p, enum page_set set, __u64 start, __u64 end)
{
	struct page_range in = page_range(start, end);
	__u64 removed = p->total[set] ? clear_bits(p, set, in) : 0;

	if (removed)
		trim(p, in);
	return removed;
}

bool pages__test(const struct pages *p, enum page_set set, __u64 addr)
{
	__u64 page = addr / PAGE_BYTES;
	const struct pages_block *b = find_block(p, page / BLOCK_PAGES);

	return b && b->bits[set][page % BLOCK_PAGES / WORD_PAGES] >> page % WORD_PAGES & 1;
}

__u64 pages__count(const struct pages *p, enum page_set set, __u64 start, __u64 end)
{
	struct page_range in = page_range(start, end);
	struct ranges_cursor c;
	__u64 n = 0;

	if (!p->total[set] || (!start && end == ~0ULL))
		return p->total[set];
	for (struct pages_block *b = first_block(p, in, &c); b; b = next_block(p, in, &c))
		for (unsigned int i = 0; i < BLOCK_WORDS; i++)
			n += __builtin_popcountll(b->bits[set][i] & word_mask(b, i, in));
	return n;
}

/* ---- from one place to another ---------------------------------------------------------------- */

/* Add pages to a set, the first of which is bit 0. Their blocks are there. */
static void put_bits(struct pages *p, enum page_set set, __u64 page, __u64 bits)
{
	unsigned int shift = page % WORD_PAGES;

	for (; bits; bits = shift ? bits >> (WORD_PAGES - shift) : 0, shift = 0) {
		unsigned int word = page % BLOCK_PAGES / WORD_PAGES;
		struct pages_block *b = get_block(p, page / BLOCK_PAGES);

		add_bits(p, set, &b->bits[set][word], bits << shift);
		page += WORD_PAGES - shift;
	}
}

/* The blocks for what is in a range, once it has moved. 0 or -ENOMEM. */
static int reserve(struct pages *p, struct page_range in, __u64 to)
{
	struct ranges_cursor c;
	struct pages_block *b;

	while ((b = first_block(p, in, &c))) {
		__u64 first = block_start(b), end = first + BLOCK_PAGES;

		first = first > in.first ? first : in.first;
		end = end < in.end ? end : in.end;
		if (!get_block(p, (first - in.first + to) / BLOCK_PAGES) ||
		    !get_block(p, (end - 1 - in.first + to) / BLOCK_PAGES))
			return -ENOMEM;
		to += end - in.first;
		in.first = end;
	}
	return 0;
}

int pages__move(struct pages *p, __u64 from, __u64 to, __u64 size)
{
	struct page_range in = page_range(from, from + size), out = page_range(to, to + size);
	struct ranges_cursor c;
	int err = reserve(p, in, out.first);

	for (enum page_set set = 0; set < PAGE_SETS && !err; set++) {
		clear_bits(p, set, out);
		for (struct pages_block *b = first_block(p, in, &c); b; b = next_block(p, in, &c)) {
			for (unsigned int i = 0; i < BLOCK_WORDS; i++) {
				__u64 bits = b->bits[set][i] & word_mask(b, i, in);
				unsigned int skip = bits ? __builtin_ctzll(bits) : 0;
				__u64 page = block_start(b) + i * WORD_PAGES + skip;

				put_bits(p, set, page - in.first + out.first, bits >> skip);
			}
		}
		clear_bits(p, set, in);
	}
	trim(p, in);
	trim(p, out);
	return err;
}

int pages__copy(struct pages *to, enum page_set as, const struct pages *from, enum page_set set,
		__u64 start, __u64 end)
{
	struct page_range in = page_range(start, end);
	struct ranges_cursor c;

	for (struct pages_block *b = first_block(from, in, &c); b; b = next_block(from, in, &c)) {
		struct pages_block *mine = NULL;

		for (unsigned int i = 0; i < BLOCK_WORDS; i++) {
			__u64 bits = b->bits[set][i] & word_mask(b, i, in);

			if (!bits)
				continue;
			mine = get_block(to, b->range.start);
			if (!mine)
				return -ENOMEM;
			add_bits(to, as, &mine->bits[as][i], bits);
		}
	}
	return 0;
}

/* ---- walking ---------------------------------------------------------------------------------- */

struct runs_of {
	int (*fn)(void *ctx, __u64 start, __u64 end);
	void *ctx;
	struct page_range run; /* that may go on, or empty */
};

static int tell_run(const struct runs_of *r)
{
	if (r->run.first == r->run.end)
		return 0;
	return r->fn(r->ctx, r->run.first * PAGE_BYTES, r->run.end * PAGE_BYTES);
}

/* The runs of a word whose bit 0 is a page. Gives what fn gives. */
static int runs_of_word(struct runs_of *r, __u64 page, __u64 bits)
{
	while (bits) {
		unsigned int first = __builtin_ctzll(bits);
		__u64 beyond = ~(bits | ((1ULL << first) - 1));
		unsigned int end = beyond ? __builtin_ctzll(beyond) : WORD_PAGES;

		if (r->run.end != page + first) {
			int err = tell_run(r);

			if (err)
				return err;
			r->run.first = page + first;
		}
		r->run.end = page + end;
		bits &= beyond ? ~0ULL << end : 0;
	}
	return 0;
}

int pages__runs(const struct pages *p, enum page_set set, __u64 start, __u64 end,
		int (*fn)(void *ctx, __u64 start, __u64 end), void *ctx)
{
	struct page_range in = page_range(start, end);
	struct runs_of r = { .fn = fn, .ctx = ctx };
	struct ranges_cursor c;
	int err = 0;

	for (struct pages_block *b = first_block(p, in, &c); b; b = next_block(p, in, &c)) {
		for (unsigned int i = 0; i < BLOCK_WORDS && !err; i++)
			err = runs_of_word(&r, block_start(b) + i * WORD_PAGES,
					   b->bits[set][i] & word_mask(b, i, in));
		if (err)
			return err;
	}
	return tell_run(&r);
}

size_t pages__bytes(const struct pages *p)
{
	return ranges__bytes(&p->blocks);
}

void pages__free(struct pages *p)
{
	ranges__free(&p->blocks);
	*p = (struct pages){};
}
