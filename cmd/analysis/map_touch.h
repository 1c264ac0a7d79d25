/* SPDX-License-Identifier: GPL-2.0-only */
/* Who touches which part of an address space: faults by the part of a mapping that they fall in. */
#ifndef FS_MAP_TOUCH_H
#define FS_MAP_TOUCH_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "event.h"

#define TOUCHERS 4 /* that are kept of a part: the most frequent ones, about */

struct toucher {
	__u32 id;               /* of a thread; a stack's number plus 1 */
	char comm[FS_COMM_LEN]; /* of the thread, when it was last seen */
	__u64 faults;
};

struct touched {
	__u64 start, end; /* [start, end) */
	__u64 faults, major, stall_ns;
	__u64 last; /* address of the last fault */
	struct toucher threads[TOUCHERS], stacks[TOUCHERS];
};

struct touches;

struct touches *touches__new(void);
void touches__free(struct touches *ts); /* NULL is fine */
void touches__clear(struct touches *ts);

/* Is the address in a part that is known? Else its bounds have to be given with the next fault. */
bool touches__knows(const struct touches *ts, __u64 addr);
/*
 * A fault in the part [start, end); comm: of the thread; stack: its number plus 1, or 0. 0 or
 * -ENOMEM.
 */
int touches__fault(struct touches *ts, const struct fs_fault *f, __u64 start, __u64 end,
		   const char *comm, __u32 stack);
/* [start, end) is mapped no more. 0 or -ENOMEM. */
int touches__unmapped(struct touches *ts, __u64 start, __u64 end);

/* What fell in [start, end): all that is known of parts whose last fault was there. */
void touches__sum(const struct touches *ts, __u64 start, __u64 end, struct touched *out);

/* The most frequent of TOUCHERS, or NULL. */
const struct toucher *toucher__first(const struct toucher *t);

#endif /* FS_MAP_TOUCH_H */
