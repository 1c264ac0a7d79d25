/* SPDX-License-Identifier: GPL-2.0-only */
#include "map_look.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "region/pages.h"
#include "vm.h"

/* What a map is made from. */
struct look {
	struct map_target *target;
	struct space *space;
	struct pagemap *pages, *frames; /* NULL: not to be had, or not wanted */
	struct map *map;
	char program[PATH_MAX];
};

int map_target__init(struct map_target *t, __u32 pid, bool traced)
{
	*t = (struct map_target){ .pid = pid };
	if (traced) {
		t->touches = touches__new();
		if (!t->touches)
			return -ENOMEM;
	}
	return 0;
}

void map_target__clear(struct map_target *t)
{
	map__free(t->map);
	touches__free(t->touches);
	t->map = NULL;
	t->touches = NULL;
}

void map_target__renew(struct map_target *t)
{
	map__free(t->map);
	t->map = NULL;
	t->faults = t->stall_ns = 0;
	if (t->touches)
		touches__clear(t->touches);
}

/* ---- the source of a map ---------------------------------------------------------------------- */

static void place(void *ctx, __u64 addr, struct place *out, __u64 *start, __u64 *end)
{
	struct look *l = ctx;

	space__place_at(l->space, l->target->pid, addr, out, start, end);
}

static int walk(void *ctx, bool frames, __u64 start, __u64 end,
		int (*fn)(void *fn_ctx, __u64 start, __u64 end, const struct page_facts *facts),
		void *fn_ctx)
{
	struct look *l = ctx;
	struct pagemap *pm = frames ? l->frames : l->pages;

	return pm ? pagemap__walk(pm, start, end, fn, fn_ctx) : 0;
}

static __u64 touched(void *ctx, bool ever, __u64 start, __u64 end)
{
	struct look *l = ctx;
	const struct pages *p = space__pages(l->space, l->target->pid);

	return p ? PAGE_BYTES * pages__count(p, ever ? PAGES_EVER : PAGES_HERE, start, end) : 0;
}

static int add_guard(void *ctx, __u64 start, __u64 end)
{
	struct look *l = ctx;

	return map__add_guard(l->map, start, end);
}

static int add_vma(void *ctx, const struct smaps_vma *v)
{
	struct look *l = ctx;
	int err = 0;

	if (!(v->map.start >> 63)) /* not the page of the kernel's, [vsyscall] */
		err = pagemap__guards(l->pages, v->map.start, v->map.end, add_guard, l);
	return err ? err : map__add(l->map, v, true);
}

static int begin(struct look *l, struct map_target *t, struct space *sp, const struct look_opts *o)
{
	struct map_source src = { .ctx = l,
				  .place = place,
				  .pages = walk,
				  .touched = o->traced ? touched : NULL,
				  .program = l->program,
				  .heat = o->heat && !o->plain,
				  .frames = o->frames && !o->plain };
	char link[64];
	ssize_t n;

	l->target = t;
	l->space = sp;
	l->pages = l->frames = NULL;
	snprintf(link, sizeof(link), "/proc/%u/exe", t->pid);
	n = readlink(link, l->program, sizeof(l->program) - 1);
	l->program[n > 0 ? n : 0] = '\0';
	l->map = map__new(&src);
	return l->map ? 0 : -ENOMEM;
}

/* Who mapped and who touched the parts. */
static void add_traced(struct look *l)
{
	for (size_t i = 0; i < l->map->n; i++) {
		struct map_part *p = &l->map->parts[i];
		const struct vma *v;

		if (p->kind >= MAP_GAP)
			continue;
		touches__sum(l->target->touches, p->start, p->end, &p->touched);
		v = space__vma(l->space, l->target->pid, p->start);
		if (!v || v->start > p->start)
			continue;
		/* without one it was there before, or has been made by execve and not touched */
		p->has_origin = v->origin;
		if (v->origin)
			p->origin = *v->origin;
	}
}

/* Put the map in the place of the last one. */
static int finish(struct look *l, int err)
{
	struct map_target *t = l->target;

	pagemap__close(l->pages);
	pagemap__close(l->frames);
	if (!err)
		err = map__finish(l->map);
	if (err) {
		map__free(l->map);
		return err;
	}
	if (t->touches)
		add_traced(l);
	map__free(t->map);
	t->map = l->map;
	return 0;
}

int map_target__look(struct map_target *t, struct space *sp, const struct look_opts *o)
{
	struct status_mem status;
	struct look l;
	int err = begin(&l, t, sp, o);

	if (err)
		return err;
	l.pages = pagemap__open(t->pid, 0);
	err = l.pages ? 0 : -errno;
	if (!err && o->frames && !o->plain) {
		l.frames = pagemap__open(t->pid, PAGEMAP_FRAMES);
		if (l.frames && !pagemap__sees_frames(l.frames)) {
			pagemap__close(l.frames);
			l.frames = NULL;
		}
	}
	if (!err)
		err = status__read(t->pid, &status);
	if (!err)
		err = smaps__read(t->pid, add_vma, &l);
	err = finish(&l, err);
	if (err)
		return err;
	proc__comm(t->pid, 0, t->comm);
	t->status = status;
	t->alive = true;
	t->look_ns = clock_ns();
	return 0;
}

/* Are two VMAs of the model one to the kernel? Other calls have mapped them. */
static bool is_one(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->vm_flags == b->vm_flags && a->file_id == b->file_id &&
	       a->region == b->region && (!a->file_id || a->bias == b->bias);
}

/* A VMA of the model, as a line of maps has it. */
static int add_known(struct look *l, const struct vma *v)
{
	const struct file *f = v->file_id ? space__file(l->space, v->file_id) : NULL;
	struct smaps_vma s = { .map = { .start = v->start,
					.end = v->end,
					.read = v->vm_flags & VM_READ,
					.write = v->vm_flags & VM_WRITE,
					.exec = v->vm_flags & VM_EXEC,
					.shared = v->vm_flags & VM_SHARED,
					.name = f ? f->path : "" } };

	if (f) {
		s.map.ino = f->ino;
		s.map.dev = f->dev;
		s.map.offset = v->start - v->bias;
	}
	return map__add(l->map, &s, false);
}

/* The program is the file of the lowest mapping: the link to it is gone by now. */
static void find_program(struct look *l)
{
	const struct vma *v = space__vma(l->space, l->target->pid, 0);
	const struct file *f = v && v->file_id ? space__file(l->space, v->file_id) : NULL;

	if (f && strlen(f->path) < sizeof(l->program))
		strcpy(l->program, f->path);
}

int map_target__end(struct map_target *t, struct space *sp, const struct look_opts *o,
		    __u64 time_ns)
{
	struct map *before = t->map;
	const struct vma *v, *next;
	struct vma whole;
	struct look l;
	int err = begin(&l, t, sp, o);

	if (err)
		return err;
	t->gone = true;
	t->end_ns = time_ns;
	find_program(&l);
	for (__u64 at = 0; !err && (v = space__vma(sp, t->pid, at)); at = whole.end) {
		whole = *v;
		while ((next = space__vma(sp, t->pid, whole.end)) && is_one(&whole, next))
			whole.end = next->end;
		err = add_known(&l, &whole);
	}
	if (!err && !l.map->n) { /* nothing has been told of it */
		map__free(l.map);
		return 0;
	}
	t->map = NULL;
	err = finish(&l, err);
	if (err) {
		t->map = before;
		return err;
	}
	memcpy(t->comm, space__comm(sp, t->pid, t->pid), sizeof(t->comm));
	t->merged = before && t->alive;
	if (t->merged)
		map__take_figures(t->map, before);
	t->alive = false;
	map__free(before);
	return 0;
}

int map_target__fault(struct map_target *t, struct space *sp, const struct fs_fault *f, __u32 stack)
{
	__u64 start = f->addr, end = f->addr + 1;
	struct place pl;

	t->faults++;
	t->stall_ns += f->latency_ns;
	if (!touches__knows(t->touches, f->addr)) {
		space__place_at(sp, f->pid, f->addr, &pl, &start, &end);
		if (pl.region == FS_REGION_NONE)
			return 0; /* in no part of the map */
	}
	return touches__fault(t->touches, f, start, end, space__comm(sp, f->pid, f->tid), stack);
}
