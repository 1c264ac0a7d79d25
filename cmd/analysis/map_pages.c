/* SPDX-License-Identifier: GPL-2.0-only */
/* What only the pages tell: which part of a mapping has what of its sums, heat, and frames. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/map.h"
#include "vm.h"

/* ---- sums over parts -------------------------------------------------------------------------- */

struct split {
	const struct smaps_vma *v;
	struct map_part *part;
};

static int count_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct split *s = ctx;
	__u64 bytes = end - start, *f = s->part->figures;
	bool private = facts->flags & PAGE_EXCLUSIVE;

	if (facts->flags & PAGE_SWAPPED) {
		f[MAP_SWAP] += bytes;
		return 0;
	}
	if (!(facts->flags & (PAGE_FILE | PAGE_ANON)))
		return 0;
	f[MAP_RSS] += bytes;
	f[MAP_PSS] += private ? bytes : bytes / 2;
	f[MAP_SHARED] += private ? 0 : bytes;
	if (facts->flags & PAGE_ANON) {
		f[MAP_ANON] += bytes;
		f[MAP_DIRTY] += bytes;
	}
	if (facts->flags & PAGE_HUGE)
		f[MAP_HUGE] += bytes;
	if (s->v->locked)
		f[MAP_LOCKED] += private ? bytes : bytes / 2;
	return 0;
}

/* No part has more of a figure than this. */
static __u64 most(const struct map_part *p, enum map_figure figure)
{
	switch (figure) {
	case MAP_RSS:
	case MAP_SWAP:
	case MAP_HUGETLB:
		return p->end - p->start;
	default:
		return p->figures[MAP_RSS];
	}
}

/*
 * Make the parts' counts add up to the kernel's sum. They do but for what the pages do not tell
 * (which of a file's are dirty, how many share one), and for what has changed since.
 */
static void fit(struct map_part *parts, size_t n, enum map_figure figure, __u64 sum)
{
	__u64 have = 0, change;

	for (size_t i = 0; i < n; i++) {
		if (parts[i].figures[figure] > most(&parts[i], figure))
			parts[i].figures[figure] = most(&parts[i], figure);
		have += parts[i].figures[figure];
	}
	for (size_t i = 0; i < n && have != sum; i++) {
		__u64 *f = &parts[i].figures[figure];

		if (have > sum) {
			change = have - sum < *f ? have - sum : *f;
			*f -= change;
			have -= change;
		} else {
			change = most(&parts[i], figure) - *f;
			change = sum - have < change ? sum - have : change;
			*f += change;
			have += change;
		}
	}
	parts[0].figures[figure] += sum - have; /* what has no room anywhere */
}

int map_pages__split(const struct map_source *src, const struct smaps_vma *v,
		     struct map_part *parts, size_t n)
{
	__u64 sums[MAP_FIGURE_NR];
	int err = 0;

	memcpy(sums, parts[0].figures, sizeof(sums));
	memset(parts[0].figures, 0, sizeof(sums));
	for (size_t i = 0; i < n; i++) {
		struct split s = { v, &parts[i] };

		parts[i].known = true;
		if (!err && src->pages && (sums[MAP_RSS] || sums[MAP_SWAP]))
			err = src->pages(src->ctx, false, parts[i].start, parts[i].end, count_run,
					 &s);
	}
	for (int f = 0; f < MAP_FIGURE_NR; f++)
		fit(parts, n, f, sums[f]);
	return err;
}

/* ---- heat ------------------------------------------------------------------------------------- */

struct heating {
	struct map_part *part;
	__u64 cell; /* bytes */
};

static int heat_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct heating *h = ctx;
	struct map_part *p = h->part;
	__u64 upto, i;

	if (!(facts->flags & PAGE_PRESENT) || facts->flags & PAGE_ZERO)
		return 0;
	for (; start < end; start = upto) {
		i = (start - p->start) / h->cell;
		upto = p->start + (i + 1) * h->cell;
		upto = upto < end ? upto : end;
		p->heat[i] += upto - start;
	}
	return 0;
}

/* Cells of as many whole pages each: the last may have fewer. */
static int heat(const struct map_source *src, struct map_part *p)
{
	__u64 size = p->end - p->start, pages = size / PAGE_BYTES, upto;
	__u64 cell = (pages + MAP_HEAT - 1) / MAP_HEAT * PAGE_BYTES;
	struct heating h = { p, cell };
	int err = 0;

	if (!pages)
		return 0;
	p->nheat = (size + cell - 1) / cell;
	p->heat = calloc(p->nheat, sizeof(*p->heat));
	if (!p->heat)
		return -ENOMEM;
	if (p->known && src->pages && (p->figures[MAP_RSS] || p->figures[MAP_HUGETLB]))
		err = src->pages(src->ctx, false, p->start, p->end, heat_run, &h);
	for (size_t i = 0; i < p->nheat; i++) {
		upto = p->start + (i + 1) * cell < p->end ? p->start + (i + 1) * cell : p->end;
		if (!p->known && src->touched)
			p->heat[i] = src->touched(src->ctx, false, p->start + i * cell, upto);
		p->heat[i] /= upto - (p->start + i * cell);
	}
	return err;
}

/* ---- frames ----------------------------------------------------------------------------------- */

static bool goes_on(const struct map_run *r, __u64 start, const struct page_facts *facts)
{
	return r->start + r->pages * PAGE_BYTES == start && r->count == facts->frame_count &&
	       r->flags == facts->frame_flags && !r->one_frame && !facts->one_frame &&
	       r->pfn + r->pages == facts->pfn;
}

static int frame_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct map_frames *fr = ctx;
	__u64 pages = (end - start) / PAGE_BYTES;

	if (!(facts->flags & PAGE_PRESENT) || !facts->pfn)
		return 0;
	if (!fr->frames || facts->frame_count < fr->count_min)
		fr->count_min = facts->frame_count;
	if (facts->frame_count > fr->count_max)
		fr->count_max = facts->frame_count;
	fr->frames += pages;
	for (int bit = 0; bit < 64; bit++)
		if (facts->frame_flags >> bit & 1)
			fr->flags[bit] += pages;
	if (!fr->left_out && fr->nruns && goes_on(&fr->runs[fr->nruns - 1], start, facts))
		fr->runs[fr->nruns - 1].pages += pages;
	else if (fr->nruns == MAP_RUNS)
		fr->left_out++;
	else
		fr->runs[fr->nruns++] = (struct map_run){ .start = start,
							  .pages = pages,
							  .pfn = facts->pfn,
							  .count = facts->frame_count,
							  .flags = facts->frame_flags,
							  .one_frame = facts->one_frame };
	return 0;
}

int map_pages__fill(const struct map_source *src, struct map_part *p)
{
	struct map_frames *smaller;
	int err = src->heat ? heat(src, p) : 0;

	if (err || !src->frames || !src->pages || !p->known)
		return err;
	p->frames = calloc(1, sizeof(*p->frames));
	if (!p->frames)
		return -ENOMEM;
	err = src->pages(src->ctx, true, p->start, p->end, frame_run, p->frames);
	/* most parts have few runs */
	smaller = realloc(p->frames, offsetof(struct map_frames, runs) +
					     (p->frames->nruns + 1) * sizeof(struct map_run));
	p->frames = smaller ? smaller : p->frames;
	return err;
}
