/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Events that `trace` is still to print. Finding names takes milliseconds where a large object is met,
 * and while the rings are not emptied stacks get lost: so what needs names waits here.
 */
#ifndef FS_TRACE_QUEUE_H
#define FS_TRACE_QUEUE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "event.h"
#include "region/space.h"
#include "symbol/stack_set.h"

/* What an event needs beside itself, as things stood when it came. */
struct trace_entry {
	size_t size; /* of the event in bytes */
	bool fault;  /* it is a struct fs_fault and has a place, else it begins with fs_head */
	struct place place;
	const struct stack *stack; /* NULL: lost, or it has none */
	char comm[FS_COMM_LEN];
};

/* All zero is an empty one. */
struct trace_queue {
	char *buf;
	size_t from, used, room;
};

void trace_queue__clear(struct trace_queue *q);

/* Append an entry and its event, which are copied. 0 or -ENOMEM. */
int trace_queue__add(struct trace_queue *q, const struct trace_entry *e, const void *event);

/* The oldest entry, and its event; until the next call but this. NULL: there is none. */
const struct trace_entry *trace_queue__first(const struct trace_queue *q, const void **event);

/* Remove the oldest entry; there must be one. */
void trace_queue__pop(struct trace_queue *q);

/* How much waits. */
static inline size_t trace_queue__bytes(const struct trace_queue *q)
{
	return q->used - q->from;
}

#endif /* FS_TRACE_QUEUE_H */
