/* SPDX-License-Identifier: GPL-2.0-only */
/* Ranges of addresses, sorted, not overlapping: a later one takes the place of what was there. */
#ifndef FS_RANGES_H
#define FS_RANGES_H

#include <stddef.h>
#include <linux/types.h>

/* What an element begins with. */
struct range {
	__u64 start, end; /* [start, end) */
};

/* All zero but for size is an empty one. */
struct ranges {
	char *v;
	size_t n, room;
	size_t size; /* of an element in bytes */
};

/* The element i. */
static inline void *ranges__at(const struct ranges *r, size_t i)
{
	return r->v + i * r->size;
}

/* Put a copy of an element in the place of what is there. 0 or -ENOMEM. */
int ranges__add(struct ranges *r, const void *elem);
/* Forget what is in [start, end). 0 or -ENOMEM. */
int ranges__del(struct ranges *r, __u64 start, __u64 end);
/* The range that holds addr, or NULL; valid until one is added or deleted. */
void *ranges__find(const struct ranges *r, __u64 addr);
void ranges__free(struct ranges *r);

#endif /* FS_RANGES_H */
