/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/map.h"
#include "base/memory.h"
#include "vm.h"

#define KERNEL_HALF (1ULL << 63)
#define LEAST_TOP   (1ULL << 32)

const char *map_kind__name(enum map_kind kind)
{
	static const char *const names[] = { "region", "guard", "reserved", "gap", "kernel" };

	return kind < MAP_KIND_NR ? names[kind] : "?";
}

const char *map_section__name(enum map_section section)
{
	static const char *const names[] = { "kernel", "stack", "mappings", "heap", "program" };

	return section < MAP_SECTION_NR ? names[section] : "?";
}

struct map *map__new(const struct map_source *source)
{
	struct map *m = calloc(1, sizeof(*m));

	if (m)
		m->source = *source;
	return m;
}

void map__free(struct map *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++) {
		free(m->parts[i].owner);
		free(m->parts[i].path);
		free(m->parts[i].heat);
		free(m->parts[i].frames);
	}
	free(m->parts);
	free(m->guards);
	free(m);
}

int map__add_guard(struct map *m, __u64 start, __u64 end)
{
	void *guards = with_room(m->guards, m->nguards, &m->guards_room, sizeof(*m->guards));

	if (!guards)
		return -ENOMEM;
	m->guards = guards;
	m->guards[m->nguards].start = start;
	m->guards[m->nguards++].end = end;
	return 0;
}

/* A new part behind the others. NULL: no memory. */
static struct map_part *new_part(struct map *m, __u64 start, __u64 end)
{
	struct map_part *parts = with_room(m->parts, m->n, &m->room, sizeof(*parts));

	if (!parts)
		return NULL;
	m->parts = parts;
	parts += m->n++;
	*parts = (struct map_part){ .start = start, .end = end, .also = FS_REGION_NONE };
	return parts;
}

/* ---- names ------------------------------------------------------------------------------------ */

static const char *last_component(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash && slash[1] ? slash + 1 : path;
}

/* What the kernel's own words tell, where no event has told of the mapping. */
static enum fs_region region_by_name(const struct smaps_vma *v)
{
	const char *name = v->map.name;

	if (!strcmp(name, "[heap]"))
		return FS_REGION_HEAP;
	if (!strcmp(name, "[stack]"))
		return FS_REGION_STACK;
	if (!strncmp(name, "[v", 2))
		return FS_REGION_VDSO;
	if (smaps__has_flag(v, "ht"))
		return FS_REGION_HUGETLB;
	if (name[0] == '/')
		return v->map.shared ? FS_REGION_FILE_SHARED : FS_REGION_FILE;
	if (v->map.shared)
		return FS_REGION_SHM;
	return v->map.exec ? FS_REGION_ANON_EXEC : FS_REGION_ANON;
}

/* Region, owner and path of the part that begins at p->start; gives where it ends. 0: no memory. */
static __u64 name_part(const struct map *m, const struct smaps_vma *v, struct map_part *p)
{
	char owner[4200];
	struct place pl, behind;
	__u64 start, end, behind_end;

	m->source.place(m->source.ctx, p->start, &pl, &start, &end);
	p->region = pl.region;
	if (pl.region == FS_REGION_NONE || pl.region == FS_REGION_UNKNOWN) {
		p->region = region_by_name(v);
		end = v->map.end;
		p->owner = strdup(v->map.name[0] ? last_component(v->map.name) : "[anon]");
	} else if (pl.region == FS_REGION_VDSO && v->map.name[0] == '[') {
		p->owner = strdup(v->map.name); /* "[vvar]" */
	} else {
		p->owner = strdup(place__owner(&pl, owner, sizeof(owner)));
	}
	if (pl.file)
		p->path = strdup(pl.file->path);
	else if (v->map.name[0] == '/')
		p->path = strdup(v->map.name);
	if (!p->owner || ((pl.file || v->map.name[0] == '/') && !p->path))
		return 0;
	if (v->map.ino)
		p->offset = v->map.offset + (p->start - v->map.start);
	/* pages are mapped whole, and have the name of their first byte */
	if (end & (PAGE_BYTES - 1) && end < v->map.end) {
		m->source.place(m->source.ctx, end, &behind, &start, &behind_end);
		if (behind.region != p->region)
			p->also = behind.region;
	}
	end = page_ceil(end);
	if (end <= p->start || end > v->map.end)
		end = v->map.end;
	return end;
}

/* ---- cutting ---------------------------------------------------------------------------------- */

/* The guard pages that hold an address or come next above it; NULL: none. */
static const void *guard_after(const struct map *m, __u64 addr, __u64 *start, __u64 *end)
{
	size_t low = 0, high = m->nguards, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->guards[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == m->nguards)
		return NULL;
	*start = m->guards[low].start;
	*end = m->guards[low].end;
	return &m->guards[low];
}

static bool same_name(const struct map_part *a, const struct map_part *b)
{
	return a->kind == b->kind && a->region == b->region && !strcmp(a->owner, b->owner);
}

/* The last part goes where it is as the one before it. */
static void join_last(struct map *m, size_t first)
{
	struct map_part *b = &m->parts[m->n - 1];

	if (m->n - first < 2 || !same_name(b - 1, b))
		return;
	b[-1].end = b->end;
	b[-1].also = b->also;
	free(b->owner);
	free(b->path);
	m->n--;
}

/* Is it, or does it belong to, the program's own image? */
static void note_program(struct map *m, const struct smaps_vma *v)
{
	bool own = m->source.program && !strcmp(v->map.name, m->source.program);

	if (m->program_over)
		return;
	if (own)
		m->program_end = v->map.end;
	else if (m->program_end && (v->map.ino || v->map.name[0]))
		m->program_over = true;
}

static int cut(struct map *m, const struct smaps_vma *v)
{
	bool access = v->map.read || v->map.write || v->map.exec;
	size_t first = m->n;
	__u64 at, end, guard, guard_end;
	struct map_part *p;

	for (at = v->map.start; at < v->map.end; at = end) {
		p = new_part(m, at, v->map.end);
		end = p ? name_part(m, v, p) : 0;
		if (!end)
			return -ENOMEM;
		p->kind = access ? MAP_REGION : MAP_RESERVED;
		if (guard_after(m, at, &guard, &guard_end) && guard < end) {
			if (guard <= at)
				p->kind = MAP_GUARD;
			end = guard > at ? guard : guard_end < end ? guard_end : end;
		}
		p->end = end;
		p->perms[0] = v->map.read ? 'r' : '-';
		p->perms[1] = v->map.write ? 'w' : '-';
		p->perms[2] = v->map.exec ? 'x' : '-';
		p->perms[3] = v->map.shared ? 's' : 'p';
		join_last(m, first);
	}
	return 0;
}

static void take_all(struct map_part *p, const struct smaps_vma *v)
{
	__u64 *f = p->figures;

	p->known = true;
	f[MAP_RSS] = v->rss;
	f[MAP_PSS] = v->pss;
	f[MAP_SHARED] = v->shared_clean + v->shared_dirty;
	f[MAP_DIRTY] = v->shared_dirty + v->private_dirty;
	f[MAP_ANON] = v->anonymous;
	f[MAP_HUGE] = v->anon_huge + v->shmem_pmd + v->file_pmd;
	f[MAP_SWAP] = v->swap;
	f[MAP_LOCKED] = v->locked;
	f[MAP_HUGETLB] = v->shared_hugetlb + v->private_hugetlb;
}

static int fill_traced(struct map *m, struct map_part *p)
{
	const struct map_source *src = &m->source;

	if (src->touched) {
		p->here = src->touched(src->ctx, false, p->start, p->end);
		p->ever = src->touched(src->ctx, true, p->start, p->end);
	}
	return map_pages__fill(src, p);
}

int map__add(struct map *m, const struct smaps_vma *v, bool figures)
{
	size_t first = m->n;
	int err;

	note_program(m, v);
	m->vmas += v->map.start < KERNEL_HALF;
	err = cut(m, v);
	if (!err && figures) {
		take_all(&m->parts[first], v);
		if (m->n - first > 1)
			err = map_pages__split(&m->source, v, &m->parts[first], m->n - first);
	}
	for (size_t i = first; i < m->n && !err; i++)
		err = fill_traced(m, &m->parts[i]);
	return err;
}

/* ---- the whole -------------------------------------------------------------------------------- */

static enum map_section section_of(const struct map *m, const struct map_part *p)
{
	if (p->start >= KERNEL_HALF)
		return MAP_ABOVE;
	if (p->end <= m->program_end)
		return MAP_PROGRAM;
	if (p->region == FS_REGION_HEAP)
		return MAP_HEAP;
	/* the rest of its bss, beyond what the file's mappings end with */
	if (p->start == m->program_end && p->region == FS_REGION_BSS)
		return MAP_PROGRAM;
	return p->region == FS_REGION_STACK ? MAP_STACK : MAP_MAPPINGS;
}

static bool is_stack(const struct map_part *p)
{
	return p->region == FS_REGION_STACK || p->region == FS_REGION_THREAD_STACK;
}

/* What lies without access below a stack is its guard. */
static int mark_guards(struct map *m)
{
	struct map_part *p, *above;

	for (size_t i = 0; i + 1 < m->n; i++) {
		p = &m->parts[i];
		above = p + 1;
		if (p->end != above->start || !is_stack(above) || above->kind != MAP_REGION ||
		    (p->kind != MAP_RESERVED && p->kind != MAP_GUARD) || is_stack(p))
			continue;
		p->kind = MAP_GUARD;
		free(p->owner);
		p->owner = strdup(above->owner);
		if (!p->owner)
			return -ENOMEM;
	}
	return 0;
}

/* The end of the addresses that processes have: a power of two, but for what is beyond all. */
static __u64 top_of(const struct map *m)
{
	__u64 top = LEAST_TOP;

	for (size_t i = 0; i < m->n; i++)
		while (m->parts[i].end <= KERNEL_HALF && m->parts[i].end > top)
			top *= 2;
	return top;
}

static int add_gap(struct map *m, __u64 start, __u64 end, enum map_kind kind,
		   enum map_section section)
{
	struct map_part *p;

	if (start >= end)
		return 0;
	p = new_part(m, start, end);
	if (!p)
		return -ENOMEM;
	p->kind = kind;
	p->section = section;
	p->region = FS_REGION_NONE;
	return 0;
}

static int by_address_down(const void *a, const void *b)
{
	const struct map_part *x = a, *y = b;

	return x->start > y->start ? -1 : x->start < y->start;
}

int map__finish(struct map *m)
{
	__u64 top = top_of(m), at = 0, up;
	size_t n = m->n;
	int err = mark_guards(m);

	for (size_t i = 0; i < n && !err; i++) {
		m->parts[i].section = section_of(m, &m->parts[i]);
		if (m->parts[i].section == MAP_ABOVE && at < top) {
			err = add_gap(m, at, top, MAP_GAP, MAP_MAPPINGS);
			at = top;
		}
		up = m->parts[i].start;
		if (!err)
			err = add_gap(m, at, up, up < KERNEL_HALF ? MAP_GAP : MAP_KERNEL,
				      m->parts[i].section);
		at = m->parts[i].end;
	}
	if (!err && n)
		err = add_gap(m, at, top, MAP_GAP, MAP_MAPPINGS);
	qsort(m->parts, m->n, sizeof(*m->parts), by_address_down);
	return err;
}

struct map_part *map__part(const struct map *m, __u64 start)
{
	size_t low = 0, high = m->n, mid;

	while (low < high) {
		mid = low + (high - low) / 2;
		if (m->parts[mid].start <= start)
			high = mid;
		else
			low = mid + 1;
	}
	if (low == m->n || m->parts[low].start != start || m->parts[low].kind >= MAP_GAP)
		return NULL;
	return &m->parts[low];
}

void map__take_figures(struct map *m, const struct map *older)
{
	for (size_t i = 0; i < m->n; i++) {
		struct map_part *p = &m->parts[i], *old;

		old = p->kind < MAP_GAP && !p->known ? map__part(older, p->start) : NULL;
		if (!old || !old->known || old->end != p->end || !same_name(p, old))
			continue;
		memcpy(p->figures, old->figures, sizeof(p->figures));
		p->known = true;
	}
}

__u64 map__total(const struct map *m, enum map_figure figure)
{
	__u64 total = 0;

	for (size_t i = 0; i < m->n; i++)
		total += m->parts[i].figures[figure];
	return total;
}
