/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapped versus touched: how much of what is mapped is ever used, by the place that mapped it, or
 * mapping by mapping. What has been unmapped counts on.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/mapping.h"
#include "base/kind_names.h"
#include "base/memory.h"
#include "vm.h"

#define MAX_GONE  100000 /* mappings that are no more of which rows are kept */
#define OWNER_LEN 256

struct sums {
	__u64 mappings, bytes, live, never;
	__u64 faults, major, stall_ns;
	__u64 first_ns, last_ns, firsts, ascending;
	struct origin_pages pages;
};

struct touched_group {
	struct group group;
	struct sums gone; /* of mappings that are no more */
	struct sums all;  /* with those that are, while a report is made */
};

/* A mapping that is no more. */
struct gone {
	struct origin origin;
	__u32 pid;
	char comm[FS_COMM_LEN];
};

struct touched {
	struct mapping_opts o;
	struct groups *groups;
	struct gone *gone;
	size_t ngone, gone_room;
	__u64 start_ns; /* of the trace, from the report that is made */
	__u64 no_room;  /* mappings that are no more, and have no row */
};

static __u64 never_touched(const struct origin *o)
{
	const struct origin_pages *p = &o->pages;
	__u64 used = (p->touched + p->populated + p->inherited + p->before) * PAGE_BYTES;

	return used < o->bytes ? o->bytes - used : 0;
}

static void add_pages(struct origin_pages *to, const struct origin_pages *p)
{
	__u64 *sum = (__u64 *)to;
	const __u64 *each = (const __u64 *)p;

	for (size_t i = 0; i < sizeof(*to) / sizeof(*sum); i++)
		sum[i] += each[i];
}

static void add_origin(struct sums *s, const struct origin *o)
{
	s->mappings++;
	s->bytes += o->bytes;
	s->live += o->live;
	s->never += never_touched(o);
	s->faults += o->faults;
	s->major += o->major;
	s->stall_ns += o->stall_ns;
	if (o->first_ns && (!s->first_ns || o->first_ns < s->first_ns))
		s->first_ns = o->first_ns;
	if (o->last_ns > s->last_ns)
		s->last_ns = o->last_ns;
	s->firsts += o->firsts;
	s->ascending += o->ascending;
	add_pages(&s->pages, &o->pages);
}

static void add_sums(struct sums *to, const struct sums *s)
{
	to->mappings += s->mappings;
	to->bytes += s->bytes;
	to->live += s->live;
	to->never += s->never;
	to->faults += s->faults;
	to->major += s->major;
	to->stall_ns += s->stall_ns;
	if (s->first_ns && (!to->first_ns || s->first_ns < to->first_ns))
		to->first_ns = s->first_ns;
	if (s->last_ns > to->last_ns)
		to->last_ns = s->last_ns;
	to->firsts += s->firsts;
	to->ascending += s->ascending;
	add_pages(&to->pages, &s->pages);
}

static void keep_gone(struct touched *t, const struct process *proc, const struct origin *o)
{
	struct gone *g;

	if (t->ngone == MAX_GONE) {
		t->no_room++;
		return;
	}
	g = with_room(t->gone, t->ngone, &t->gone_room, sizeof(*g));
	if (!g) {
		t->no_room++;
		return;
	}
	t->gone = g;
	g += t->ngone++;
	g->origin = *o;
	g->pid = proc->pid;
	memcpy(g->comm, proc->comm, sizeof(g->comm));
}

static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	struct touched *t = ctx;
	struct touched_group *g;
	struct origin last;

	if (o->live)
		return;
	last = *o;
	/* as it was at the last report */
	last.pages.anon = last.pages.here = last.pages.ever = 0;
	if (t->o.by_mapping)
		keep_gone(t, proc, &last);
	g = groups__get(t->groups, proc, o);
	if (g)
		add_origin(&g->gone, &last);
	(void)start;
	(void)end;
	(void)here;
	(void)by;
	(void)time_ns;
}

static void touched__free(void *analysis)
{
	struct touched *t = analysis;

	if (!t)
		return;
	groups__free(t->groups);
	free(t->gone);
	free(t);
}

static void *touched__new(const struct mapping_opts *o)
{
	struct touched *t = calloc(1, sizeof(*t));
	struct layout_watch w = { .ctx = t, .unmapped = on_unmapped };

	if (!t)
		return NULL;
	t->o = *o;
	t->groups = groups__new(o, sizeof(struct touched_group));
	if (t->groups && !space__watch(o->space, &w))
		return t;
	touched__free(t);
	errno = ENOMEM;
	return NULL;
}

/* ---- rows ------------------------------------------------------------------------------------- */

#define SUM_COLUMNS                                                                                \
	{ .name = "reserved_bytes", .header = "mapped", .type = ROW_BYTES, .sum = true },          \
		{ .name = "touched_bytes", .header = "touched", .type = ROW_BYTES, .sum = true },  \
		{ .header = "part", .type = ROW_BAR, .cut = 8, .drop = 70 },                       \
		{ .name = "touched_share", .header = "share", .type = ROW_SHARE, .drop = 50 },     \
		{ .name = "never_touched_bytes",                                                   \
		  .header = "never",                                                               \
		  .type = ROW_BYTES,                                                               \
		  .sum = true },                                                                   \
		{ .name = "populated_bytes",                                                       \
		  .header = "populated",                                                           \
		  .type = ROW_BYTES,                                                               \
		  .drop = 40 },                                                                    \
		{ .name = "again_bytes", .header = "again", .type = ROW_BYTES, .drop = 20 },       \
		{ .name = "released_bytes", .header = "released", .type = ROW_BYTES, .drop = 30 }, \
		{ .name = "unmapped_bytes", .type = ROW_BYTES },                                   \
		{ .name = "inherited_bytes",                                                       \
		  .header = "inherited",                                                           \
		  .type = ROW_BYTES,                                                               \
		  .drop = 45 },                                                                    \
		{ .name = "before_bytes", .header = "before", .type = ROW_BYTES, .drop = 46 },     \
		{ .name = "mapped_now_bytes", .type = ROW_BYTES },                                 \
		{ .name = "anonymous_bytes",                                                       \
		  .header = "anon now",                                                            \
		  .type = ROW_BYTES,                                                               \
		  .drop = 42 },                                                                    \
		{ .name = "anonymous_by_faults_bytes", .type = ROW_BYTES },                        \
		{ .name = "anonymous_populated_bytes", .type = ROW_BYTES },                        \
		{ .name = "anonymous_before_bytes", .type = ROW_BYTES },                           \
		{ .name = "anonymous_freed_bytes", .type = ROW_BYTES },                            \
		{ .name = "zero_page_faults", .type = ROW_COUNT },                                 \
		{ .name = "faults", .header = "faults", .type = ROW_COUNT, .sum = true },          \
		{ .name = "major", .header = "major", .type = ROW_COUNT, .drop = 55 },             \
		{ .name = "stall_ns", .header = "stall", .type = ROW_NS, .sum = true },            \
		{ .name = "first_touch_ns", .header = "first", .type = ROW_TIME_NS, .drop = 65 },  \
		{ .name = "last_first_touch_ns",                                                   \
		  .header = "last",                                                                \
		  .type = ROW_TIME_NS,                                                             \
		  .drop = 66 },                                                                    \
	{                                                                                          \
		.name = "in_order_share", .header = "in order", .type = ROW_SHARE, .drop = 68      \
	}

static const struct row_column group_columns[] = {
	GROUP_COLUMNS,
	{ .name = "mappings", .header = "n", .type = ROW_COUNT, .sum = true },
	SUM_COLUMNS,
	GROUP_STACK,
};

static const struct row_column mapping_columns[] = {
	GROUP_COLUMNS,
	{ .name = "start", .header = "address", .type = ROW_ADDR },
	{ .name = "owner", .header = "what", .type = ROW_TEXT, .cut = 16 },
	SUM_COLUMNS,
	GROUP_STACK,
};

static const struct row_column summary_columns[] = {
	{ .name = "mappings", .header = "mappings", .type = ROW_COUNT },
	{ .name = "reserved_bytes", .header = "mapped", .type = ROW_BYTES },
	{ .name = "touched_bytes", .header = "touched", .type = ROW_BYTES },
	{ .name = "populated_bytes", .header = "populated", .type = ROW_BYTES },
	{ .name = "never_touched_bytes", .header = "never touched", .type = ROW_BYTES },
	{ .name = "again_bytes", .header = "touched again", .type = ROW_BYTES },
	{ .name = "released_bytes", .header = "released", .type = ROW_BYTES },
	{ .name = "faults", .header = "faults", .type = ROW_COUNT },
	{ .name = "stall_ns", .header = "stall", .type = ROW_NS },
};

static void put_time(const struct touched *t, struct rows *rows, __u64 time_ns)
{
	if (time_ns)
		rows__number(rows, time_ns > t->start_ns ? time_ns - t->start_ns : 0);
	else
		rows__none(rows);
}

static void put_sums(const struct touched *t, struct rows *rows, const struct sums *s)
{
	const struct origin_pages *p = &s->pages;
	double share = s->bytes ? (double)(s->bytes - s->never) / s->bytes : 0;

	rows__number(rows, s->bytes);
	rows__number(rows, p->touched * PAGE_BYTES);
	rows__real(rows, share);
	rows__real(rows, share);
	rows__number(rows, s->never);
	rows__number(rows, p->populated * PAGE_BYTES);
	rows__number(rows, p->again * PAGE_BYTES);
	rows__number(rows, p->released * PAGE_BYTES);
	rows__number(rows, p->unmapped * PAGE_BYTES);
	rows__number(rows, p->inherited * PAGE_BYTES);
	rows__number(rows, p->before * PAGE_BYTES);
	rows__number(rows, s->live);
	rows__number(rows, p->anon * PAGE_BYTES);
	rows__number(rows, p->made * PAGE_BYTES);
	rows__number(rows, p->made_populated * PAGE_BYTES);
	rows__number(rows, p->made_before * PAGE_BYTES);
	rows__number(rows, p->freed * PAGE_BYTES);
	rows__number(rows, p->zero);
	rows__number(rows, s->faults);
	rows__number(rows, s->major);
	rows__number(rows, s->stall_ns);
	put_time(t, rows, s->first_ns);
	put_time(t, rows, s->last_ns);
	if (s->firsts)
		rows__real(rows, (double)s->ascending / s->firsts);
	else
		rows__none(rows);
}

/* Columns by their number. */
static size_t column_of(const struct rows *rows, const char *name)
{
	for (size_t i = 0; i < rows__ncolumns(rows); i++)
		if (rows__column(rows, i)->name && !strcmp(rows__column(rows, i)->name, name))
			return i;
	return 0;
}

static void put_summary(struct rows *rows, const struct sums *s)
{
	rows__number(rows, s->mappings);
	rows__number(rows, s->bytes);
	rows__number(rows, s->pages.touched * PAGE_BYTES);
	rows__number(rows, s->pages.populated * PAGE_BYTES);
	rows__number(rows, s->never);
	rows__number(rows, s->pages.again * PAGE_BYTES);
	rows__number(rows, s->pages.released * PAGE_BYTES);
	rows__number(rows, s->faults);
	rows__number(rows, s->stall_ns);
}

/* Processes that share an address space (vfork) are counted once. */
static bool is_counted(const struct touched *t, const struct process *p)
{
	return p->alive && !space__borrows_layout(t->o.space, p->pid);
}

/* What is mapped still joins what is no more. */
static int add_live(struct touched *t)
{
	struct touched_group *g;
	const struct origin *o;
	struct process *p;

	for (g = groups__first(t->groups); g; g = groups__next(t->groups, g))
		g->all = g->gone;
	for (size_t i = 0; (p = space__image(t->o.space, i)); i++) {
		if (!is_counted(t, p))
			continue;
		if (space__count_found(t->o.space, p->pid))
			return -ENOMEM;
		space__count_pages(t->o.space, p->pid);
		for (o = space__origins(t->o.space, p->pid); o; o = o->next) {
			g = groups__get(t->groups, p, o);
			if (!g)
				return -ENOMEM;
			add_origin(&g->all, o);
		}
	}
	return 0;
}

static void owner_of(const struct touched *t, __u32 pid, const struct origin *o, char *buf,
		     size_t size)
{
	const struct file *f = o->file_id ? space__file(t->o.space, o->file_id) : NULL;
	struct place pl;
	__u64 start, end;

	if (o->live) {
		space__place_at(t->o.space, pid, o->start, &pl, &start, &end);
		if (pl.region != FS_REGION_NONE) {
			place__owner(&pl, buf, size);
			return;
		}
	}
	if (f)
		snprintf(buf, size, "%s", f->name);
	else
		snprintf(buf, size, "[%s]", region_name(o->region));
}

static int put_mapping(struct touched *t, struct rows *rows, const struct process *p,
		       const struct origin *o)
{
	struct touched_group *g = groups__get(t->groups, p, o);
	char owner[OWNER_LEN];
	struct sums s = {};
	struct group named;

	if (!g)
		return -ENOMEM;
	named = g->group;
	named.pid = p->pid;
	add_origin(&s, o);
	owner_of(t, p->pid, o, owner, sizeof(owner));
	groups__put_names(t->groups, &named, rows);
	rows__number(rows, o->start);
	rows__text(rows, owner);
	put_sums(t, rows, &s);
	groups__put_stack(t->groups, &named, rows);
	return rows__error(rows);
}

static int put_mappings(struct touched *t, struct rows *rows)
{
	const struct origin *o;
	struct process *p;
	int err = 0;

	for (size_t i = 0; !err && (p = space__image(t->o.space, i)); i++)
		for (o = is_counted(t, p) ? space__origins(t->o.space, p->pid) : NULL; o && !err;
		     o = o->next)
			err = put_mapping(t, rows, p, o);
	for (size_t i = 0; !err && i < t->ngone; i++) {
		struct process gone = { .pid = t->gone[i].pid };

		memcpy(gone.comm, t->gone[i].comm, sizeof(gone.comm));
		err = put_mapping(t, rows, &gone, &t->gone[i].origin);
	}
	return err;
}

static int touched__report(void *analysis, const struct mapping_time *time,
			   struct mapping_report *out)
{
	struct touched *t = analysis;
	bool each = t->o.by_mapping;
	struct touched_group *g;
	struct sums sum = {};
	int err = add_live(t);

	t->start_ns = time->start_ns;
	if (!err && each)
		err = mapping_report__new(out, ROW_COLUMNS(summary_columns),
					  ROW_COLUMNS(mapping_columns));
	else if (!err)
		err = mapping_report__new(out, ROW_COLUMNS(summary_columns),
					  ROW_COLUMNS(group_columns));
	for (g = groups__first(t->groups); g && !err; g = groups__next(t->groups, g)) {
		add_sums(&sum, &g->all);
		if (each)
			continue;
		groups__put_names(t->groups, &g->group, out->rows);
		rows__number(out->rows, g->all.mappings);
		put_sums(t, out->rows, &g->all);
		groups__put_stack(t->groups, &g->group, out->rows);
		err = rows__error(out->rows);
	}
	if (!err && each)
		err = put_mappings(t, out->rows);
	if (!err) {
		put_summary(out->summary, &sum);
		err = rows__sort(out->rows, column_of(out->rows, "reserved_bytes"), true);
	}
	out->unlisted = t->no_room;
	out->no_memory = groups__no_memory(t->groups);
	return err;
}

const struct mapping_analysis analysis_touched = {
	.name = "touched",
	.desc = "how much of what is mapped is ever touched, by who mapped it",
	.new = touched__new,
	.free = touched__free,
	.report = touched__report,
};
