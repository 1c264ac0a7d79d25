/* SPDX-License-Identifier: GPL-2.0-only */
#include "region/ranges.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void ranges__free(struct ranges *r)
{
	free(r->v);
	r->v = NULL;
	r->n = r->room = 0;
}

/* Index of the first range that ends above addr. */
static size_t first_above(const struct ranges *r, __u64 addr)
{
	size_t low = 0, high = r->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (((struct range *)ranges__at(r, mid))->end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/* elem is none of r's own: they move. */
static int insert(struct ranges *r, size_t at, const void *elem)
{
	char *v = with_room(r->v, r->n, &r->room, r->size);

	if (!v)
		return -ENOMEM;
	r->v = v;
	v += at * r->size;
	memmove(v + r->size, v, (r->n - at) * r->size);
	memcpy(v, elem, r->size);
	r->n++;
	return 0;
}

/* A hole [start, end) in range i. */
static int split(struct ranges *r, size_t i, __u64 start, __u64 end)
{
	char rest[r->size];

	memcpy(rest, ranges__at(r, i), r->size);
	((struct range *)rest)->start = end;
	((struct range *)ranges__at(r, i))->end = start;
	return insert(r, i + 1, rest);
}

int ranges__del(struct ranges *r, __u64 start, __u64 end)
{
	size_t first = first_above(r, start), last;
	struct range *range;

	if (first == r->n || start >= end)
		return 0;
	range = ranges__at(r, first);
	if (range->start < start && range->end > end)
		return split(r, first, start, end);
	if (range->start < start) {
		range->end = start;
		first++;
	}
	for (last = first; last < r->n; last++) {
		range = ranges__at(r, last);
		if (range->end > end)
			break;
	}
	if (last < r->n && range->start < end)
		range->start = end;
	memmove(ranges__at(r, first), ranges__at(r, last), (r->n - last) * r->size);
	r->n -= last - first;
	return 0;
}

int ranges__add(struct ranges *r, const void *elem)
{
	const struct range *range = elem;
	int err = ranges__del(r, range->start, range->end);

	return err ? err : insert(r, first_above(r, range->start), elem);
}

void *ranges__find(const struct ranges *r, __u64 addr)
{
	size_t i = first_above(r, addr);
	struct range *range = i < r->n ? ranges__at(r, i) : NULL;

	return range && range->start <= addr ? range : NULL;
}
