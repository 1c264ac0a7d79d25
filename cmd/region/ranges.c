/* SPDX-License-Identifier: GPL-2.0-only */
#include "region/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BLOCK_MOST 128
/* Neighbours with no more than this together become one: well below, lest it is split at once. */
#define MERGE_MOST 96

struct ranges_block {
	char *v;
	__u32 n, room; /* elements */
};

static struct range *block_at(const struct ranges *r, const struct ranges_block *b, __u32 i)
{
	return (struct range *)(b->v + (size_t)i * r->size);
}

/* The element, or NULL past the last one. */
static void *at_cursor(const struct ranges *r, struct ranges_cursor c)
{
	return c.block < r->nblocks ? block_at(r, &r->blocks[c.block], c.at) : NULL;
}

static void advance(const struct ranges *r, struct ranges_cursor *c)
{
	if (++c->at == r->blocks[c->block].n)
		*c = (struct ranges_cursor){ .block = c->block + 1 };
}

/* The element before the one of a cursor, which may be past the last, or NULL. */
static void *before_cursor(const struct ranges *r, struct ranges_cursor c)
{
	const struct ranges_block *b = &r->blocks[c.block];

	if (c.at)
		return block_at(r, b, c.at - 1);
	return c.block ? block_at(r, b - 1, b[-1].n - 1) : NULL;
}

/* ---- finding ---------------------------------------------------------------------------------- */

/* The first block whose last element ends above addr. */
static __u32 block_above(const struct ranges *r, __u64 addr)
{
	__u32 low = 0, high = r->nblocks;

	while (low < high) {
		__u32 mid = low + (high - low) / 2;
		const struct ranges_block *b = &r->blocks[mid];

		if (block_at(r, b, b->n - 1)->end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* The first element of a block that ends above addr, or their number. */
static __u32 above_in_block(const struct ranges *r, const struct ranges_block *b, __u64 addr)
{
	__u32 low = 0, high = b->n;

	while (low < high) {
		__u32 mid = low + (high - low) / 2;

		if (block_at(r, b, mid)->end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* The first element that ends above addr. */
static struct ranges_cursor first_above(const struct ranges *r, __u64 addr)
{
	struct ranges_cursor c = { .block = block_above(r, addr) };

	if (c.block < r->nblocks)
		c.at = above_in_block(r, &r->blocks[c.block], addr);
	return c;
}

void *ranges__after(const struct ranges *r, __u64 addr)
{
	return at_cursor(r, first_above(r, addr));
}

void *ranges__find(const struct ranges *r, __u64 addr)
{
	struct range *range = ranges__after(r, addr);

	return range && range->start <= addr ? range : NULL;
}

void *ranges__before(const struct ranges *r, __u64 addr)
{
	struct ranges_cursor c;
	struct range *range;

	if (!addr)
		return NULL;
	c = first_above(r, addr - 1);
	range = at_cursor(r, c);
	return range && range->start < addr ? range : before_cursor(r, c);
}

void *ranges__seek(const struct ranges *r, struct ranges_cursor *c, __u64 addr)
{
	*c = first_above(r, addr);
	return at_cursor(r, *c);
}

void *ranges__next(const struct ranges *r, struct ranges_cursor *c)
{
	advance(r, c);
	return at_cursor(r, *c);
}

/* ---- blocks ----------------------------------------------------------------------------------- */

/* Make room for n elements and some more; give back what is far too much. 0 or -ENOMEM. */
static int fit(const struct ranges *r, struct ranges_block *b, __u32 n)
{
	__u32 room = n + n / 16 < BLOCK_MOST ? n + n / 16 : BLOCK_MOST;
	char *v;

	if (n <= b->room && b->room <= n + n / 4 + 4)
		return 0;
	v = reallocarray(b->v, room, r->size);
	if (!v)
		return n <= b->room ? 0 : -ENOMEM;
	b->v = v;
	b->room = room;
	return 0;
}

/* Forget the n blocks from i on, which have no elements any more. */
static void drop_blocks(struct ranges *r, __u32 i, __u32 n)
{
	struct ranges_block *blocks;

	for (__u32 k = 0; k < n; k++)
		free(r->blocks[i + k].v);
	r->nblocks -= n;
	memmove(&r->blocks[i], &r->blocks[i + n], (r->nblocks - i) * sizeof(*blocks));
	if (!r->nblocks) {
		ranges__free(r);
		return;
	}
	blocks = reallocarray(r->blocks, r->nblocks, sizeof(*blocks));
	if (blocks)
		r->blocks = blocks;
}

/* A block at i that is to have n elements soon, or NULL. */
static struct ranges_block *new_block(struct ranges *r, __u32 i, __u32 n)
{
	struct ranges_block *blocks, b = {};

	if (fit(r, &b, n))
		return NULL;
	blocks = reallocarray(r->blocks, r->nblocks + 1, sizeof(b));
	if (!blocks) {
		free(b.v);
		return NULL;
	}
	r->blocks = blocks;
	memmove(&blocks[i + 1], &blocks[i], (r->nblocks++ - i) * sizeof(b));
	blocks[i] = b;
	return &blocks[i];
}

/* Move the upper half of a full block to a new one. 0 or -ENOMEM. */
static int halve(struct ranges *r, __u32 i)
{
	const __u32 half = BLOCK_MOST / 2;
	struct ranges_block *upper = new_block(r, i + 1, half), *lower;

	if (!upper)
		return -ENOMEM;
	lower = upper - 1;
	memcpy(upper->v, block_at(r, lower, half), half * r->size);
	upper->n = lower->n = half;
	fit(r, lower, half);
	return 0;
}

/* Put block i + 1's elements to those of i, if they are few and there is memory. */
static bool merge_blocks(struct ranges *r, __u32 i)
{
	struct ranges_block *b = &r->blocks[i];

	if (i + 1 >= r->nblocks || b[0].n + b[1].n > MERGE_MOST || fit(r, b, b[0].n + b[1].n))
		return false;
	memcpy(block_at(r, b, b->n), b[1].v, b[1].n * r->size);
	b->n += b[1].n;
	drop_blocks(r, i + 1, 1);
	return true;
}

/* ---- elements --------------------------------------------------------------------------------- */

/* Move what is at a cursor and behind it, to put an element there, or NULL: no memory. */
static void *open_slot(struct ranges *r, struct ranges_cursor *c)
{
	struct ranges_block *b;
	struct range *slot;

	if (!r->nblocks && !new_block(r, 0, 1))
		return NULL;
	if (c->block == r->nblocks) {
		c->block--;
		c->at = r->blocks[c->block].n;
	}
	if (r->blocks[c->block].n == BLOCK_MOST) {
		if (halve(r, c->block))
			return NULL;
		if (c->at > BLOCK_MOST / 2) {
			c->at -= BLOCK_MOST / 2;
			c->block++;
		}
	}
	b = &r->blocks[c->block];
	if (b->n == b->room && fit(r, b, b->n + 1))
		return NULL;
	slot = block_at(r, b, c->at);
	memmove((char *)slot + r->size, slot, (b->n - c->at) * r->size);
	b->n++;
	r->n++;
	return slot;
}

/* Forget the elements from a cursor on that lie below end: a boundary, or in none of them. */
static void erase(struct ranges *r, struct ranges_cursor from, __u64 end)
{
	__u32 i = from.block, at = from.at, kept = from.block + !!from.at;

	for (; i < r->nblocks; i++, at = 0) {
		struct ranges_block *b = &r->blocks[i];
		__u32 to = above_in_block(r, b, end);

		memmove(block_at(r, b, at), block_at(r, b, to), (b->n - to) * r->size);
		b->n -= to - at;
		r->n -= to - at;
		if (b->n > at)
			break;
	}
	if (i > kept)
		drop_blocks(r, kept, i - kept);
	for (i = from.block ? from.block - 1 : 0; i <= from.block + 1 && i < r->nblocks; i++) {
		fit(r, &r->blocks[i], r->blocks[i].n);
		while (merge_blocks(r, i))
			;
	}
}

int ranges__split(struct ranges *r, __u64 addr)
{
	struct ranges_cursor c = first_above(r, addr);
	struct range *range = at_cursor(r, c), *rest;

	if (!range || range->start >= addr)
		return 0;
	c.at++;
	rest = open_slot(r, &c);
	if (!rest)
		return -ENOMEM;
	range = before_cursor(r, c);
	memcpy(rest, range, r->size);
	range->end = rest->start = addr;
	return 0;
}

/* Make boundaries of both. 0, or -ENOMEM and all is as it was. */
static int split_both(struct ranges *r, __u64 start, __u64 end)
{
	size_t n = r->n;
	int err = ranges__split(r, start);
	struct ranges_cursor c;
	struct range *rest;

	if (err || !ranges__split(r, end))
		return err;
	if (r->n > n) {
		c = first_above(r, start);
		rest = at_cursor(r, c);
		end = rest->end;
		erase(r, c, end);
		((struct range *)ranges__before(r, start))->end = end;
	}
	return -ENOMEM;
}

int ranges__del(struct ranges *r, __u64 start, __u64 end)
{
	int err = start < end ? split_both(r, start, end) : 0;

	if (!err && start < end)
		erase(r, first_above(r, start), end);
	return err;
}

int ranges__add(struct ranges *r, const void *elem)
{
	const struct range *range = elem;
	struct ranges_cursor c;
	struct range *at;

	if (range->start >= range->end)
		return 0;
	if (split_both(r, range->start, range->end))
		return -ENOMEM;
	c = first_above(r, range->start);
	at = at_cursor(r, c);
	if (!at || at->start >= range->end) {
		at = open_slot(r, &c);
		if (!at)
			return -ENOMEM;
		memcpy(at, elem, r->size);
		return 0;
	}
	/* the first one that is there gives its place: nothing can fail any more */
	memcpy(at, elem, r->size);
	advance(r, &c);
	erase(r, c, range->end);
	return 0;
}

void ranges__merge(struct ranges *r, __u64 start, __u64 end,
		   bool (*same)(const void *a, const void *b))
{
	struct ranges_cursor c = first_above(r, start ? start - 1 : 0), next;
	struct range *range, *last, *b;

	while ((range = at_cursor(r, c))) {
		__u64 first = range->start, until;

		last = range;
		for (next = c; (b = ranges__next(r, &next)); last = b)
			if (b->start != last->end || b->start > end || !same(last, b))
				break;
		if (last == range) {
			if (!b || b->start > end)
				return;
			c = next;
			continue;
		}
		until = last->end;
		advance(r, &c);
		erase(r, c, until);
		/* blocks may have moved */
		c = first_above(r, first);
		((struct range *)at_cursor(r, c))->end = until;
	}
}

/* ---- all of them ------------------------------------------------------------------------------ */

int ranges__copy(struct ranges *to, const struct ranges *from)
{
	struct ranges copy = { .size = from->size };

	for (__u32 i = 0; i < from->nblocks; i++) {
		const struct ranges_block *b = &from->blocks[i];
		struct ranges_block *mine = new_block(&copy, i, b->n);

		if (!mine) {
			ranges__free(&copy);
			return -ENOMEM;
		}
		memcpy(mine->v, b->v, b->n * copy.size);
		mine->n = b->n;
		copy.n += b->n;
	}
	ranges__free(to);
	*to = copy;
	return 0;
}

void ranges__free(struct ranges *r)
{
	for (__u32 i = 0; i < r->nblocks; i++)
		free(r->blocks[i].v);
	free(r->blocks);
	*r = (struct ranges){ .size = r->size };
}

size_t ranges__bytes(const struct ranges *r)
{
	size_t bytes = r->nblocks * sizeof(*r->blocks);

	for (__u32 i = 0; i < r->nblocks; i++)
		bytes += (size_t)r->blocks[i].room * r->size;
	return bytes;
}
