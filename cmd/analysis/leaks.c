/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings and growth of the heap that stay: by the place that made them, since when, and how much of
 * them has been touched. What was there before the trace, what execve maps, and private mappings of
 * files, such as libraries, are none.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mapping.h"
#include "base/kind_names.h"
#include "vm.h"

struct leaks_group {
	struct group group;
	/* what is there now, and is old and large enough */
	__u64 live, mappings, ever, anon, oldest_ns, newest_ns;
	__u64 at_exit; /* of these, bytes of processes that have ended meanwhile */
	/* kept between reports */
	__u64 ended, ended_mappings, ended_ever; /* what ended processes had not given back */
	__u64 ended_oldest_ns, ended_newest_ns;
	__u64 last; /* bytes at the last report */
};

struct leaks {
	struct mapping_opts o;
	struct groups *groups;
	bool reported; /* there is a last report to compare with */
};

static bool is_leak(const struct leaks *l, const struct origin *o, __u64 bytes, __u64 now_ns)
{
	return o->kind == ORIGIN_CALL && !o->inherited && o->region != FS_REGION_FILE &&
	       bytes >= l->o.min_bytes && (!l->o.max_bytes || bytes <= l->o.max_bytes) &&
	       now_ns >= o->time_ns + l->o.older_ns;
}

/* What a process has when it ends, it has not given back. */
static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	struct leaks *l = ctx;
	struct leaks_group *g;
	__u64 age;

	/* while it lives: a call that was lost has given it back */
	if (by || proc->alive || !l->o.keep_ended || !is_leak(l, o, o->at_end, time_ns))
		return;
	g = groups__get(l->groups, proc, o);
	if (!g)
		return;
	age = time_ns > o->time_ns ? time_ns - o->time_ns : 0;
	g->ended += end - start;
	g->ended_mappings += !o->live; /* once for all its parts */
	g->ended_ever += here;
	if (age > g->ended_oldest_ns)
		g->ended_oldest_ns = age;
	if (!g->ended_newest_ns || age < g->ended_newest_ns)
		g->ended_newest_ns = age;
}

static void leaks__free(void *analysis)
{
	struct leaks *l = analysis;

	if (!l)
		return;
	groups__free(l->groups);
	free(l);
}

static void *leaks__new(const struct mapping_opts *o)
{
	struct leaks *l = calloc(1, sizeof(*l));
	struct layout_watch w = { .ctx = l, .unmapped = on_unmapped };

	if (!l)
		return NULL;
	l->o = *o;
	l->groups = groups__new(o, sizeof(struct leaks_group));
	if (l->groups && !space__watch(o->space, &w))
		return l;
	leaks__free(l);
	errno = ENOMEM;
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static const struct row_column columns[] = {
	GROUP_COLUMNS,
	{ .name = "bytes", .header = "stays", .type = ROW_BYTES, .sum = true },
	{ .name = "mappings", .header = "n", .type = ROW_COUNT, .sum = true },
	{ .name = "growth_bytes", .header = "growth", .type = ROW_BYTES, .drop = 20 },
	{ .name = "touched_bytes", .header = "touched", .type = ROW_BYTES, .sum = true },
	{ .header = "part", .type = ROW_BAR, .cut = 8, .drop = 60 },
	{ .name = "touched_share", .header = "share", .type = ROW_SHARE, .drop = 50 },
	{ .name = "oldest_ns", .header = "oldest", .type = ROW_NS },
	{ .name = "newest_ns", .header = "newest", .type = ROW_NS, .drop = 40 },
	{ .name = "at_exit_bytes", .header = "at exit", .type = ROW_BYTES, .drop = 45 },
	GROUP_STACK,
};

#define COLUMN_BYTES 3

static const struct row_column summary_columns[] = {
	{ .name = "bytes", .header = "stays", .type = ROW_BYTES },
	{ .name = "mappings", .header = "mappings", .type = ROW_COUNT },
	{ .name = "touched_bytes", .header = "touched", .type = ROW_BYTES },
	{ .name = "growth_bytes", .header = "growth", .type = ROW_BYTES },
};

static int add_live(struct leaks *l, __u64 now_ns)
{
	struct leaks_group *g;
	const struct origin *o;
	struct process *p;
	__u64 age;

	for (g = groups__first(l->groups); g; g = groups__next(l->groups, g)) {
		g->live = g->at_exit = g->ended;
		g->mappings = g->ended_mappings;
		g->ever = g->ended_ever;
		g->oldest_ns = g->ended_oldest_ns;
		g->newest_ns = g->ended_newest_ns;
	}
	for (size_t i = 0; (p = space__image(l->o.space, i)); i++) {
		if (!p->alive || space__borrows_layout(l->o.space, p->pid))
			continue;
		space__count_pages(l->o.space, p->pid);
		for (o = space__origins(l->o.space, p->pid); o; o = o->next) {
			if (!is_leak(l, o, o->live, now_ns))
				continue;
			g = groups__get(l->groups, p, o);
			if (!g)
				return -ENOMEM;
			age = now_ns - o->time_ns;
			g->live += o->live;
			g->mappings++;
			g->ever += o->pages.ever;
			if (age > g->oldest_ns)
				g->oldest_ns = age;
			if (!g->newest_ns || age < g->newest_ns)
				g->newest_ns = age;
		}
	}
	return 0;
}

static void put(const struct leaks *l, struct rows *rows, const struct leaks_group *g)
{
	double share = g->live ? (double)g->ever * PAGE_BYTES / g->live : 0;

	groups__put_names(l->groups, &g->group, rows);
	rows__number(rows, g->live);
	rows__number(rows, g->mappings);
	if (l->reported)
		rows__number(rows, g->live > g->last ? g->live - g->last : 0);
	else
		rows__none(rows);
	rows__number(rows, g->ever * PAGE_BYTES);
	rows__real(rows, share);
	rows__real(rows, share);
	rows__number(rows, g->oldest_ns);
	rows__number(rows, g->newest_ns);
	rows__number(rows, g->at_exit);
	groups__put_stack(l->groups, &g->group, rows);
}

static int leaks__report(void *analysis, const struct mapping_time *t, struct mapping_report *out)
{
	__u64 bytes = 0, mappings = 0, ever = 0, growth = 0;
	struct leaks *l = analysis;
	struct leaks_group *g;
	int err = add_live(l, t->now_ns);

	if (!err)
		err = mapping_report__new(out, ROW_COLUMNS(summary_columns), ROW_COLUMNS(columns));
	for (g = groups__first(l->groups); g && !err; g = groups__next(l->groups, g)) {
		if (g->live) {
			bytes += g->live;
			mappings += g->mappings;
			ever += g->ever;
			growth += g->live > g->last ? g->live - g->last : 0;
			put(l, out->rows, g);
			err = rows__error(out->rows);
		}
		g->last = g->live;
	}
	if (!err) {
		rows__number(out->summary, bytes);
		rows__number(out->summary, mappings);
		rows__number(out->summary, ever * PAGE_BYTES);
		if (l->reported)
			rows__number(out->summary, growth);
		else
			rows__none(out->summary);
		err = rows__sort(out->rows, COLUMN_BYTES, true);
	}
	l->reported = true;
	out->no_memory = groups__no_memory(l->groups);
	return err;
}

const struct mapping_analysis analysis_leaks = {
	.name = "leaks",
	.desc = "mappings and growth of the heap that stay, by who made them and since when",
	.new = leaks__new,
	.free = leaks__free,
	.report = leaks__report,
};
