/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "analysis/map_touch.h"
#include "region/ranges.h"

struct touches {
	struct ranges parts; /* struct touched */
};

struct touches *touches__new(void)
{
	struct touches *ts = calloc(1, sizeof(*ts));

	if (ts)
		ts->parts.size = sizeof(struct touched);
	return ts;
}

void touches__free(struct touches *ts)
{
	if (!ts)
		return;
	ranges__free(&ts->parts);
	free(ts);
}

void touches__clear(struct touches *ts)
{
	ranges__free(&ts->parts);
	ts->parts.size = sizeof(struct touched);
}

/*
 * Count one of many with few counters: who is new takes the place of the least frequent, and its
 * count (Metwally, Agrawal, El Abbadi: space saving).
 */
static void count(struct toucher *t, __u32 id, const char *comm, __u64 faults)
{
	struct toucher *least = t;

	if (!id)
		return;
	for (int i = 0; i < TOUCHERS; i++) {
		if (t[i].id == id) {
			least = &t[i];
			break;
		}
		if (t[i].faults < least->faults)
			least = &t[i];
	}
	least->id = id;
	least->faults += faults;
	snprintf(least->comm, sizeof(least->comm), "%s", comm);
}

const struct toucher *toucher__first(const struct toucher *t)
{
	const struct toucher *first = t;

	for (int i = 1; i < TOUCHERS; i++)
		if (t[i].faults > first->faults)
			first = &t[i];
	return first->id ? first : NULL;
}

bool touches__knows(const struct touches *ts, __u64 addr)
{
	return ranges__find(&ts->parts, addr);
}

int touches__fault(struct touches *ts, const struct fs_fault *f, __u64 start, __u64 end,
		   const char *comm, __u32 stack)
{
	struct touched *t = ranges__find(&ts->parts, f->addr), new = { .start = start, .end = end };
	int err;

	if (!t) {
		/* it has grown: what is known of it stays as it is */
		t = ranges__before(&ts->parts, f->addr);
		if (t && t->end > new.start)
			new.start = t->end;
		t = ranges__after(&ts->parts, f->addr);
		if (t && t->start < new.end)
			new.end = t->start;
		err = ranges__add(&ts->parts, &new);
		t = ranges__find(&ts->parts, f->addr);
		if (err || !t)
			return err ? err : -EINVAL;
	}
	t->faults++;
	t->major += !!(f->flags & FS_FAULT_MAJOR);
	t->stall_ns += f->latency_ns;
	t->last = f->addr;
	count(t->threads, f->tid, comm, 1);
	count(t->stacks, stack, "", 1);
	return 0;
}

int touches__unmapped(struct touches *ts, __u64 start, __u64 end)
{
	struct touched *t, kept;
	int err = 0;

	while (!err && (t = ranges__after(&ts->parts, start)) && t->start < end) {
		kept = *t;
		err = ranges__del(&ts->parts, kept.start, kept.end);
		if (kept.start < start)
			kept.end = start;
		else if (kept.end > end)
			kept.start = end;
		else
			continue;
		if (kept.last < kept.start || kept.last >= kept.end)
			kept.last = kept.start;
		if (!err)
			err = ranges__add(&ts->parts, &kept);
		start = kept.end > start ? kept.end : start;
	}
	return err;
}

void touches__sum(const struct touches *ts, __u64 start, __u64 end, struct touched *out)
{
	const struct touched *t;
	struct ranges_cursor c;

	*out = (struct touched){ .start = start, .end = end };
	for (t = ranges__seek(&ts->parts, &c, start); t && t->start < end;
	     t = ranges__next(&ts->parts, &c)) {
		if (t->last < start || t->last >= end)
			continue;
		out->faults += t->faults;
		out->major += t->major;
		out->stall_ns += t->stall_ns;
		out->last = t->last;
		for (int i = 0; i < TOUCHERS; i++) {
			count(out->threads, t->threads[i].id, t->threads[i].comm,
			      t->threads[i].faults);
			count(out->stacks, t->stacks[i].id, "", t->stacks[i].faults);
		}
	}
}
