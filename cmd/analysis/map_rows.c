/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "analysis/map.h"
#include "analysis/map_rows.h"
#include "base/kind_names.h"
#include "vm.h"

#define FLAGS_TEXT 256

/* A column goes by `drop` where the terminal is narrow; JSON and CSV have those without header too. */
static const struct row_column columns[MAP_COL_NR] = {
	[MAP_COL_PID] = { .name = "pid", .header = NULL, .type = ROW_COUNT },
	[MAP_COL_KIND] = { .name = "kind", .header = NULL, .type = ROW_TEXT },
	[MAP_COL_SECTION] = { .name = "section", .header = NULL, .type = ROW_TEXT },
	[MAP_COL_START] = { .name = "start", .header = "begins at", .type = ROW_ADDR },
	[MAP_COL_END] = { .name = "end", .header = NULL, .type = ROW_ADDR },
	[MAP_COL_REGION] = { .name = "region", .header = "region", .type = ROW_TEXT },
	[MAP_COL_ALSO] = { .name = "also", .header = NULL, .type = ROW_TEXT },
	[MAP_COL_PERMS] = { .name = "perms", .header = "perm", .type = ROW_TEXT },
	[MAP_COL_SIZE] = { .name = "size_bytes", .header = "size", .type = ROW_BYTES },
	[MAP_COL_RSS] = { .name = "rss_bytes", .header = "rss", .type = ROW_BYTES },
	[MAP_COL_RESIDENT] = { .name = "resident_share",
			       .header = "of it",
			       .type = ROW_SHARE,
			       .drop = 2 },
	[MAP_COL_DIRTY] = { .name = "dirty_bytes",
			    .header = "dirty",
			    .type = ROW_BYTES,
			    .drop = 4 },
	[MAP_COL_SHARED] = { .name = "shared_bytes",
			     .header = "shared",
			     .type = ROW_BYTES,
			     .drop = 5 },
	[MAP_COL_ANON] = { .name = "anon_bytes", .header = NULL, .type = ROW_BYTES },
	[MAP_COL_HUGE] = { .name = "huge_bytes", .header = "huge", .type = ROW_BYTES, .drop = 6 },
	[MAP_COL_HUGETLB] = { .name = "hugetlb_bytes",
			      .header = "hugetlb",
			      .type = ROW_BYTES,
			      .drop = 1 },
	[MAP_COL_SWAP] = { .name = "swap_bytes", .header = "swap", .type = ROW_BYTES, .drop = 2 },
	[MAP_COL_LOCKED] = { .name = "locked_bytes",
			     .header = "locked",
			     .type = ROW_BYTES,
			     .drop = 7 },
	[MAP_COL_PSS] = { .name = "pss_bytes", .header = "pss", .type = ROW_BYTES, .drop = 8 },
	[MAP_COL_TOUCHED] = { .name = "touched_bytes",
			      .header = "touched",
			      .type = ROW_BYTES,
			      .drop = 7 },
	[MAP_COL_EVER] = { .name = "ever_touched_bytes", .header = NULL, .type = ROW_BYTES },
	[MAP_COL_FAULTS] = { .name = "faults", .header = "faults", .type = ROW_COUNT, .drop = 1 },
	[MAP_COL_MAJOR] = { .name = "major", .header = "major", .type = ROW_COUNT, .drop = 6 },
	[MAP_COL_STALL] = { .name = "stall_ns", .header = "stall", .type = ROW_NS, .drop = 1 },
	[MAP_COL_OWNER] = { .name = "owner", .header = "owner", .type = ROW_TEXT, .cut = 10 },
	[MAP_COL_PATH] = { .name = "path", .header = NULL, .type = ROW_TEXT },
	[MAP_COL_OFFSET] = { .name = "offset", .header = NULL, .type = ROW_ADDR },
	[MAP_COL_MAPPED_BY] = { .name = "mapped_by", .header = "mapped by", .type = ROW_TEXT },
	[MAP_COL_MAPPED_TID] = { .name = "mapped_by_tid", .header = NULL, .type = ROW_COUNT },
	[MAP_COL_MAPPED_STACK] = { .name = "mapped_stack",
				   .header = "mapped by",
				   .type = ROW_STACK },
	[MAP_COL_TOUCHED_BY] = { .name = "touched_by", .header = "touched by", .type = ROW_TEXT },
	[MAP_COL_TOUCHED_STACK] = { .name = "touched_stack",
				    .header = "touched by",
				    .type = ROW_STACK },
	[MAP_COL_HEAT] = { .name = "heat", .header = "heat", .type = ROW_SHARES },
	[MAP_COL_FRAMES] = { .name = "frames", .header = "frames", .type = ROW_COUNT },
	[MAP_COL_COUNT_MIN] = { .name = "map_count_min", .header = NULL, .type = ROW_COUNT },
	[MAP_COL_COUNT_MAX] = { .name = "map_count_max", .header = NULL, .type = ROW_COUNT },
	[MAP_COL_FLAGS] = { .name = "frame_flags", .header = NULL, .type = ROW_TEXT },
	[MAP_COL_RUNS] = { .name = "frame_runs", .header = NULL, .type = ROW_ROWS },
	[MAP_COL_RUNS_LEFT_OUT] = { .name = "frame_runs_left_out",
				    .header = NULL,
				    .type = ROW_COUNT },
};

static const struct row_column run_columns[MAP_RUN_NR] = {
	[MAP_RUN_START] = { .name = "start", .header = "start", .type = ROW_ADDR },
	[MAP_RUN_PFN] = { .name = "pfn", .header = "pfn", .type = ROW_COUNT },
	[MAP_RUN_PAGES] = { .name = "pages", .header = "pages", .type = ROW_COUNT },
	[MAP_RUN_FRAMES] = { .name = "frames", .header = "frames", .type = ROW_COUNT },
	[MAP_RUN_COUNT] = { .name = "map_count", .header = "mapped", .type = ROW_COUNT },
	[MAP_RUN_FLAGS] = { .name = "flags", .header = "flags", .type = ROW_TEXT },
};

/* linux/kernel-page-flags.h, by their names in Documentation/admin-guide/mm/pagemap.rst */
static const struct {
	const char *name;
	int bit;
} flag_names[] = {
	{ "anon", KPF_ANON },
	{ "file", KPF_MMAP },
	{ "dirty", KPF_DIRTY },
	{ "thp", KPF_THP },
	{ "hugetlb", KPF_HUGE },
	{ "ksm", KPF_KSM },
	{ "zero", KPF_ZERO_PAGE },
	{ "swapcache", KPF_SWAPCACHE },
	{ "unevictable", KPF_UNEVICTABLE },
	{ "hwpoison", KPF_HWPOISON },
	{ "nopage", KPF_NOPAGE },
};

/* KPF_MMAP is of all pages that are mapped: of a file's it says what the others say of theirs. */
static bool tells(__u64 flags, int bit)
{
	return bit == KPF_MMAP ? (flags >> KPF_MMAP & 1) && !(flags >> KPF_ANON & 1) :
				 flags >> bit & 1;
}

static const char *run_flags(char *text, __u64 flags)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++)
		if (tells(flags, flag_names[i].bit))
			at += snprintf(text + at, FLAGS_TEXT - at, "%s%s", at ? "," : "",
				       flag_names[i].name);
	return text;
}

/* "anon 12, dirty 3": how many frames have which flag. */
static const char *frame_flags(char *text, const struct map_frames *fr)
{
	size_t at = 0;

	text[0] = '\0';
	for (size_t i = 0; i < sizeof(flag_names) / sizeof(flag_names[0]); i++) {
		__u64 n = fr->flags[flag_names[i].bit];

		if (flag_names[i].bit == KPF_MMAP)
			n -= n < fr->flags[KPF_ANON] ? n : fr->flags[KPF_ANON];
		if (n)
			at += snprintf(text + at, FLAGS_TEXT - at, "%s%s %llu", at ? ", " : "",
				       flag_names[i].name, (unsigned long long)n);
	}
	return text;
}

static struct rows *runs(const struct map_frames *fr)
{
	struct rows *rows = rows__new(run_columns, MAP_RUN_NR);
	char flags[FLAGS_TEXT];

	for (size_t i = 0; rows && i < fr->nruns; i++) {
		const struct map_run *r = &fr->runs[i];

		rows__number(rows, r->start);
		rows__number(rows, r->pfn);
		rows__number(rows, r->pages);
		rows__number(rows, r->one_frame ? 1 : r->pages);
		rows__number(rows, r->count);
		rows__text(rows, run_flags(flags, r->flags));
	}
	return rows;
}

static void add_none(struct rows *rows, size_t n)
{
	while (n--)
		rows__none(rows);
}

static void add_frames(struct rows *rows, const struct map_frames *fr)
{
	char flags[FLAGS_TEXT];

	if (!fr) {
		add_none(rows, MAP_COL_NR - MAP_COL_FRAMES);
		return;
	}
	rows__number(rows, fr->frames);
	rows__number(rows, fr->count_min);
	rows__number(rows, fr->count_max);
	rows__text(rows, frame_flags(flags, fr));
	rows__rows(rows, runs(fr));
	rows__number(rows, fr->left_out);
}

static const char *mapped_by(const struct map_part *p)
{
	if (!p->has_origin)
		return NULL;
	if (p->origin.kind == ORIGIN_CALL)
		return call_name(p->origin.call);
	return p->origin.kind == ORIGIN_EXEC ? "exec" : "before";
}

static void add_stack(struct rows *rows, const struct map_names *names, __u32 id,
		      int (*find)(void *, __u32, const struct profile **, __u32 *))
{
	const struct profile *profile;
	__u32 stack;

	if (!find || !id || find(names->ctx, id, &profile, &stack))
		rows__none(rows);
	else
		rows__stack(rows, profile, stack);
}

/* "python3/1234 98%": the thread with most of the faults. */
static void add_toucher(struct rows *rows, const struct touched *touched)
{
	const struct toucher *t = toucher__first(touched->threads);
	char text[96];

	if (!t) {
		rows__none(rows);
		return;
	}
	if (t->faults >= touched->faults)
		snprintf(text, sizeof(text), "%s/%u", t->comm, t->id);
	else
		snprintf(text, sizeof(text), "%s/%u %llu%%", t->comm, t->id,
			 100 * t->faults / touched->faults);
	rows__text(rows, text);
}

static void add_who(struct rows *rows, const struct map_part *p, const struct map_names *names)
{
	const struct toucher *stack = toucher__first(p->touched.stacks);
	bool call = p->has_origin && p->origin.kind == ORIGIN_CALL;

	rows__text(rows, mapped_by(p));
	if (call)
		rows__number(rows, p->origin.tid);
	else
		rows__none(rows);
	add_stack(rows, names, call ? p->origin.stack_id : 0, names->origin_stack);
	add_toucher(rows, &p->touched);
	add_stack(rows, names, stack ? stack->id : 0, names->fault_stack);
}

static void add_figures(struct rows *rows, const struct map_part *p, bool traced)
{
	static const enum map_figure order[] = { MAP_DIRTY,   MAP_SHARED, MAP_ANON,   MAP_HUGE,
						 MAP_HUGETLB, MAP_SWAP,   MAP_LOCKED, MAP_PSS };
	__u64 size = p->end - p->start;

	if (p->known) {
		rows__number(rows, p->figures[MAP_RSS]);
		rows__real(rows, (double)(p->figures[MAP_RSS] + p->figures[MAP_HUGETLB]) / size);
	} else {
		rows__none(rows);
		if (traced && p->kind < MAP_GAP)
			rows__real(rows, (double)p->here / size);
		else
			rows__none(rows);
	}
	for (size_t i = 0; i < sizeof(order) / sizeof(order[0]); i++)
		if (p->known)
			rows__number(rows, p->figures[order[i]]);
		else
			rows__none(rows);
	if (!traced || p->kind >= MAP_GAP) {
		add_none(rows, 5);
		return;
	}
	rows__number(rows, p->here);
	rows__number(rows, p->ever);
	rows__number(rows, p->touched.faults);
	rows__number(rows, p->touched.major);
	rows__number(rows, p->touched.stall_ns);
}

static void add_part(struct rows *rows, const struct map_part *p, __u32 pid, bool traced,
		     const struct map_names *names)
{
	bool mapped = p->kind < MAP_GAP;

	rows__number(rows, pid);
	rows__text(rows, map_kind__name(p->kind));
	rows__text(rows, map_section__name(p->section));
	rows__number(rows, p->start);
	rows__number(rows, p->end);
	rows__text(rows, mapped ? region_name(p->region) : NULL);
	rows__text(rows, mapped && p->also != FS_REGION_NONE ? region_name(p->also) : NULL);
	rows__text(rows, mapped ? p->perms : NULL);
	rows__number(rows, p->end - p->start);
	add_figures(rows, p, traced);
	rows__text(rows, p->owner);
	rows__text(rows, p->path);
	if (p->path)
		rows__number(rows, p->offset);
	else
		rows__none(rows);
	if (traced && mapped)
		add_who(rows, p, names);
	else
		add_none(rows, 5);
	rows__shares(rows, p->heat, p->nheat);
	add_frames(rows, p->frames);
}

struct rows *map_rows__make(const struct map *m, __u32 pid, bool traced,
			    const struct map_names *names)
{
	struct rows *rows = rows__new(columns, MAP_COL_NR);

	if (!rows)
		return NULL;
	for (size_t i = 0; i < m->n && !rows__error(rows); i++)
		add_part(rows, &m->parts[i], pid, traced, names);
	if (!rows__error(rows))
		return rows;
	errno = -rows__error(rows);
	rows__free(rows);
	return NULL;
}

/* ---- the head --------------------------------------------------------------------------------- */

struct rows *map_rows__head(const struct map *m, const struct map_head *h)
{
	static const struct row_column head_columns[] = {
		{ .name = "pid", .header = NULL, .type = ROW_COUNT },
		{ .name = "comm", .header = NULL, .type = ROW_TEXT },
		{ .name = "vm_size_bytes", .header = "VmSize", .type = ROW_BYTES },
		{ .name = "vm_rss_bytes", .header = "VmRSS", .type = ROW_BYTES },
		{ .name = "vm_swap_bytes", .header = "VmSwap", .type = ROW_BYTES },
		{ .name = "vm_pte_bytes", .header = "VmPTE", .type = ROW_BYTES },
		{ .name = "vmas", .header = "VMAs", .type = ROW_COUNT },
		{ .name = "max_map_count", .header = "limit", .type = ROW_COUNT },
		{ .name = "hugetlb_bytes", .header = NULL, .type = ROW_BYTES },
		{ .name = "threads", .header = NULL, .type = ROW_COUNT },
		{ .name = "rss_bytes", .header = NULL, .type = ROW_BYTES },
		{ .name = "swap_bytes", .header = NULL, .type = ROW_BYTES },
		{ .name = "faults", .header = "faults", .type = ROW_COUNT },
		{ .name = "stall_ns", .header = "stall", .type = ROW_NS },
	};
	struct rows *rows = rows__new(ROW_COLUMNS(head_columns));
	const struct status_mem *s = h->status;
	__u64 size = 0;

	if (!rows)
		return NULL;
	for (size_t i = 0; i < m->n; i++)
		if (m->parts[i].kind < MAP_GAP && m->parts[i].section != MAP_ABOVE)
			size += m->parts[i].end - m->parts[i].start;
	rows__number(rows, h->pid);
	rows__text(rows, h->comm);
	rows__number(rows, s ? s->vm_size : size);
	s ? rows__number(rows, s->vm_rss) : rows__none(rows);
	s ? rows__number(rows, s->vm_swap) : rows__none(rows);
	s ? rows__number(rows, s->vm_pte) : rows__none(rows);
	rows__number(rows, m->vmas);
	h->max_map_count ? rows__number(rows, h->max_map_count) : rows__none(rows);
	s ? rows__number(rows, s->hugetlb) : rows__none(rows);
	s ? rows__number(rows, s->threads) : rows__none(rows);
	rows__number(rows, map__total(m, MAP_RSS));
	rows__number(rows, map__total(m, MAP_SWAP));
	h->traced ? rows__number(rows, h->faults) : rows__none(rows);
	h->traced ? rows__number(rows, h->stall_ns) : rows__none(rows);
	if (!rows__error(rows))
		return rows;
	errno = -rows__error(rows);
	rows__free(rows);
	return NULL;
}
