/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ranges of addresses, sorted, not overlapping: a later one takes the place of what was there. They
 * lie in blocks of up to 128, so that among many, too, few bytes move where one comes or goes.
 */
#ifndef FS_RANGES_H
#define FS_RANGES_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* What an element begins with. */
struct range {
	__u64 start, end; /* [start, end) */
};

struct ranges_block;

/*
 * All zero but for size is an empty one, and takes no memory. Elements are found in logarithmic time;
 * a pointer to one is valid until the next function that takes the ranges without const.
 */
struct ranges {
	struct ranges_block *blocks; /* sorted, none is empty */
	size_t n;                    /* elements in all */
	__u32 nblocks;
	__u32 size; /* of an element in bytes, a multiple of 8 */
};

/* The place of an element, valid as long as a pointer to one. */
struct ranges_cursor {
	__u32 block, at;
};

/*
 * Put a copy of an element, none of its own, in the place of what is there; one that it cuts in two keeps its other
 * bytes in both parts. Nothing where it is empty. 0, or -ENOMEM and all is as it was.
 */
int ranges__add(struct ranges *r, const void *elem);
/* Forget what is in [start, end). 0, or -ENOMEM, which whole elements never take. */
int ranges__del(struct ranges *r, __u64 start, __u64 end);
/* Make a boundary of addr: two of the element that has it inside, if one has. 0 or -ENOMEM. */
int ranges__split(struct ranges *r, __u64 addr);
/*
 * Join neighbours that touch at an address from start up to end and are the same: a lies before b,
 * and the first one's other bytes are kept.
 */
void ranges__merge(struct ranges *r, __u64 start, __u64 end,
		   bool (*same)(const void *a, const void *b));
/* Make `to`, whose elements are forgotten, a copy. 0, or -ENOMEM and it is as it was. */
int ranges__copy(struct ranges *to, const struct ranges *from);
/* Forget all; it is empty then, and can be used. */
void ranges__free(struct ranges *r);

/* The element that holds addr, or NULL. */
void *ranges__find(const struct ranges *r, __u64 addr);
/* The first element that holds addr or lies above it, or NULL. */
void *ranges__after(const struct ranges *r, __u64 addr);
/* The last element that begins below addr, or NULL. */
void *ranges__before(const struct ranges *r, __u64 addr);

/* As ranges__after, to go on from there with ranges__next, in constant time. */
void *ranges__seek(const struct ranges *r, struct ranges_cursor *c, __u64 addr);
/* The element after the one that the cursor is at, or NULL. */
void *ranges__next(const struct ranges *r, struct ranges_cursor *c);

/* The first of all, to go on with ranges__next, or NULL. */
static inline void *ranges__first(const struct ranges *r, struct ranges_cursor *c)
{
	return ranges__seek(r, c, 0);
}

static inline size_t ranges__count(const struct ranges *r)
{
	return r->n;
}

/* Memory that is allocated for it, in bytes. */
size_t ranges__bytes(const struct ranges *r);

#endif /* FS_RANGES_H */
