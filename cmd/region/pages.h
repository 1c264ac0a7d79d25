/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sets of an address space's pages, of 4 KiB: bitmaps, kept only for those 2 MiB of addresses in
 * which a set has a page. Addresses are in bytes; what a range only touches of a page counts whole,
 * so that [0, ~0) is all.
 */
#ifndef FS_PAGES_H
#define FS_PAGES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "region/ranges.h"

enum page_set {
	PAGES_EVER, /* touched since it was mapped */
	PAGES_HERE, /* touched, and not released since */
	PAGES_ANON, /* an anonymous page is there, or in swap */
	PAGE_SETS,
};

struct pages_block;

/* All zero is an empty one, and takes no memory. */
struct pages {
	struct ranges blocks;     /* struct pages_block */
	struct pages_block *last; /* that was asked for, or NULL: faults come in runs */
	__u64 total[PAGE_SETS];   /* pages */
};

/*
 * Add the pages of [start, end) to a set; *changed, unless NULL: how many were not in it. 0, or
 * -ENOMEM, and only *changed of them are added.
 */
int pages__set(struct pages *p, enum page_set set, __u64 start, __u64 end, __u64 *changed);
/* Remove them; gives how many were in it. */
__u64 pages__clear(struct pages *p, enum page_set set, __u64 start, __u64 end);
bool pages__test(const struct pages *p, enum page_set set, __u64 addr);
/* How many pages of [start, end) are in a set; of all at once. */
__u64 pages__count(const struct pages *p, enum page_set set, __u64 start, __u64 end);

/*
 * What the sets have in [from, from + size) goes to [to, to + size), in the place of what was there:
 * mremap. The ranges do not overlap. 0, or -ENOMEM and all is as it was.
 */
int pages__move(struct pages *p, __u64 from, __u64 to, __u64 size);
/*
 * Add what one set of another's has in [start, end) to the set `as`. 0, or -ENOMEM and a part is added.
 */
int pages__copy(struct pages *to, enum page_set as, const struct pages *from, enum page_set set,
		__u64 start, __u64 end);

/*
 * Call fn for each run of pages that a set has in [start, end), in order; it must not change p. Ends
 * with what fn gives where that is not 0, else gives 0.
 */
int pages__runs(const struct pages *p, enum page_set set, __u64 start, __u64 end,
		int (*fn)(void *ctx, __u64 start, __u64 end), void *ctx);

/* Memory that is allocated for it, in bytes. */
size_t pages__bytes(const struct pages *p);
/* Forget all; it is empty then, and can be used. */
void pages__free(struct pages *p);

#endif /* FS_PAGES_H */
