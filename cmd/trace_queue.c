// SPDX-License-Identifier: GPL-2.0-only
#include "trace_queue.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define KEPT_BYTES (1 << 20) /* of an empty queue */

_Static_assert(sizeof(struct trace_entry) % 8 == 0, "events behind entries are aligned");

void trace_queue__clear(struct trace_queue *q)
{
	free(q->buf);
	*q = (struct trace_queue){};
}

/* Bytes of an entry with its event. */
static size_t entry_bytes(const struct trace_entry *e)
{
	return sizeof(*e) + ((e->size + 7) & ~(size_t)7);
}

static int reserve(struct trace_queue *q, size_t bytes)
{
	size_t room = q->room ? q->room : 65536;
	char *buf;

	/* what is gone in front, before the rest is copied more often than it is added to */
	if (q->from && q->from >= q->used - q->from && bytes > q->room - q->used) {
		memmove(q->buf, q->buf + q->from, q->used - q->from);
		q->used -= q->from;
		q->from = 0;
	}
	while (room - q->used < bytes)
		room *= 2;
	if (room == q->room)
		return 0;
	buf = realloc(q->buf, room);
	if (!buf)
		return -ENOMEM;
	q->buf = buf;
	q->room = room;
	return 0;
}

int trace_queue__add(struct trace_queue *q, const struct trace_entry *e, const void *event)
{
	size_t bytes = entry_bytes(e);

	if (reserve(q, bytes))
		return -ENOMEM;
	memcpy(q->buf + q->used, e, sizeof(*e));
	memcpy(q->buf + q->used + sizeof(*e), event, e->size);
	q->used += bytes;
	return 0;
}

const struct trace_entry *trace_queue__first(const struct trace_queue *q, const void **event)
{
	if (q->from == q->used)
		return NULL;
	*event = q->buf + q->from + sizeof(struct trace_entry);
	return (const void *)(q->buf + q->from);
}

void trace_queue__pop(struct trace_queue *q)
{
	q->from += entry_bytes((const void *)(q->buf + q->from));
	if (q->from < q->used)
		return;
	q->from = q->used = 0;
	if (q->room > KEPT_BYTES)
		trace_queue__clear(q);
}
