/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces by the states that the kernel side tells. A state says what is mapped in a range at
 * a time; events come in the order of these times, so that the last one is right, whatever order
 * the calls took effect in.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/mman.h>

#include "base/memory.h"
#include "region/internal.h"
#include "region/layout.h"
#include "vm.h"

#define ARGUMENTS_MOST 65536 /* pages; execve takes no more than 6 MiB */
/* What is being done to an address space. */
struct change {
	struct space *sp;
	struct image *im;
	struct mm *mm;
	const struct fs_call_event *by; /* NULL: no call */
	struct origin *origin;          /* of what is new; NULL: not known */
	__u64 time_ns;
	int err;
};

/* ---- origins ---------------------------------------------------------------------------------- */

struct origin *mm__new_origin(struct mm *mm, enum origin_kind kind, __u64 time_ns)
{
	struct origin *o = calloc(1, sizeof(*o));

	if (!o)
		return NULL;
	o->kind = kind;
	o->call = FS_CALL_NR;
	o->time_ns = time_ns;
	o->start = ~0ULL;
	o->next = mm->origins;
	if (o->next)
		o->next->prev = o;
	mm->origins = o;
	return o;
}

static void origin__free(struct mm *mm, struct origin *o)
{
	if (o->prev)
		o->prev->next = o->next;
	else
		mm->origins = o->next;
	if (o->next)
		o->next->prev = o->prev;
	free(o);
}

void origin__grow(struct origin *o, const struct vma *v, __u64 bytes)
{
	o->bytes += bytes;
	o->live += bytes;
	if (v->start < o->start)
		o->start = v->start;
	o->file_id = v->file_id;
	o->region = v->region;
}

struct origin *vma__origin(struct image *im, struct vma *v, __u64 time_ns)
{
	bool before = !im->p.start_ns;
	struct origin *o = v->origin;

	if (o)
		return o;
	o = mm__new_origin(im->mm, before ? ORIGIN_BEFORE : ORIGIN_EXEC,
			   before ? time_ns : im->p.start_ns);
	if (!o)
		return NULL;
	v->origin = o;
	origin__grow(o, v, v->end - v->start);
	return o;
}

/* [start, end) of a VMA is mapped no more. */
static void unmap_part(struct change *c, const struct vma *v, __u64 start, __u64 end)
{
	__u64 gone[PAGE_SETS], here;
	struct origin *o = v->origin;

	for (int set = 0; set < PAGE_SETS; set++)
		gone[set] = pages__clear(&c->mm->pages, set, start, end);
	if (!o)
		return;
	here = gone[PAGES_HERE];
	o->pages.freed += gone[PAGES_ANON];
	o->live -= end - start;
	o->pages.unmapped += here;
	for (size_t i = 0; i < c->sp->nwatches; i++)
		if (c->sp->watches[i].unmapped)
			c->sp->watches[i].unmapped(c->sp->watches[i].ctx, &c->im->p, o, start, end,
						   here, c->by, c->time_ns);
	if (!o->live)
		origin__free(c->mm, o);
}

/* ---- states ----------------------------------------------------------------------------------- */

static void vma__of_wire(struct vma *v, const struct fs_vma *w)
{
	*v = (struct vma){ .start = w->start,
			   .end = w->end,
			   .bias = w->start - w->pgoff * PAGE_BYTES,
			   .vm_flags = w->vm_flags & ~VM_SOFTDIRTY,
			   .file_id = w->file_id,
			   .region = w->region };
}

/* Are two neighbours one, to who asks what is mapped? */
static bool vma__same(const void *a, const void *b)
{
	const struct vma *x = a, *y = b;

	return x->origin == y->origin && x->vm_flags == y->vm_flags && x->file_id == y->file_id &&
	       x->region == y->region && (!x->file_id || x->bias == y->bias);
}

/* Put in [start, end) of a new VMA. */
static void put(struct change *c, const struct vma *new, __u64 start, __u64 end,
		struct origin *origin)
{
	struct vma v = *new;
	int err;

	v.start = start;
	v.end = end;
	v.origin = origin;
	err = ranges__add(&c->mm->vmas, &v);
	if (err)
		c->err = err;
}

/* What is new in [start, end): no one mapped it before. */
static void put_new(struct change *c, const struct vma *new, __u64 start, __u64 end)
{
	struct vma part = *new;

	part.start = start;
	if (c->origin)
		origin__grow(c->origin, &part, end - start);
	put(c, &part, start, end, c->origin);
	for (size_t i = 0; c->origin && i < c->sp->nwatches; i++)
		if (c->sp->watches[i].mapped)
			c->sp->watches[i].mapped(c->sp->watches[i].ctx, &c->im->p, c->origin, start,
						 end);
}

/* Unmap what the model has in [start, end). */
static void clear(struct change *c, __u64 start, __u64 end)
{
	const struct vma *v;
	struct vma old;

	while (start < end && (v = ranges__after(&c->mm->vmas, start)) && v->start < end) {
		old = *v;
		if (old.start < start)
			old.start = start;
		if (old.end > end)
			old.end = end;
		c->err = ranges__del(&c->mm->vmas, old.start, old.end);
		if (c->err)
			return;
		unmap_part(c, &old, old.start, old.end);
		start = old.end;
	}
}

/* A VMA as the kernel has it: parts that were mapped before keep their origin. */
static void apply_vma(struct change *c, const struct vma *new)
{
	__u64 at = new->start, end;
	const struct vma *v;
	struct origin *origin;

	while (at < new->end && !c->err) {
		v = ranges__after(&c->mm->vmas, at);
		if (!v || v->start >= new->end) {
			put_new(c, new, at, new->end);
			return;
		}
		if (v->start > at) {
			end = v->start;
			put_new(c, new, at, end);
		} else {
			end = v->end < new->end ? v->end : new->end;
			origin = v->origin;
			if (v->start == new->start && v->end == new->end && v->bias == new->bias &&
			    v->vm_flags == new->vm_flags && v->file_id == new->file_id)
				return;
			put(c, new, at, end, origin);
		}
		at = end;
	}
}

/*
 * What is there could not be read. The origin of what a call has mapped is kept until it can: the state
 * that is asked for says the rest.
 */
static void apply_unsure(struct change *c, const struct fs_layout *l, bool fresh)
{
	struct vma v = { .start = l->from, .end = l->to };

	if (fresh)
		clear(c, l->from, l->to);
	if (!c->err && c->origin)
		apply_vma(c, &v);
	if (!c->err)
		c->err = layout__want(c->sp, c->im, l->from, l->to);
}

/*
 * Has a newer state been applied already? The kernel side was interrupted before it could send this one,
 * and it is not known whether that was before or after it was read: it does not tell what is there now.
 */
static bool is_late(const struct change *c)
{
	return c->time_ns < c->mm->told_ns;
}

static void apply(struct change *c, const struct fs_layout *l, bool fresh)
{
	const struct fs_vma *w = (const void *)(l + 1);
	__u64 at = l->from;
	struct vma v;

	if ((l->from | l->to) % PAGE_BYTES || l->from > l->to)
		return; /* damaged */
	if (l->flags & FS_LAYOUT_UNSURE || is_late(c)) {
		apply_unsure(c, l, fresh && !is_late(c));
		return;
	}
	c->mm->told_ns = c->time_ns;
	if (fresh)
		clear(c, l->from, l->to);
	for (__u32 i = 0; i < l->n && !c->err; i++, w++) {
		if (w->start < at || w->end <= w->start || w->end > l->to ||
		    (w->start | w->end) % PAGE_BYTES)
			return; /* damaged */
		vma__of_wire(&v, w);
		clear(c, at, v.start);
		if (!c->err)
			apply_vma(c, &v);
		at = v.end;
	}
	if (!c->err)
		clear(c, at, l->to);
	ranges__merge(&c->mm->vmas, l->from, l->to, vma__same);
}

/* ---- events ----------------------------------------------------------------------------------- */

/* execve's arguments, which the kernel has put at the end of the stack before there was a VMA. */
static void populate_arguments(struct mm *mm, __u64 start_stack)
{
	struct vma *v = ranges__find(&mm->vmas, start_stack);
	__u64 bytes = mm->argument_pages * PAGE_BYTES, n[PAGE_SETS];
	struct origin *o;

	if (!mm->argument_pages || mm->argument_pages > ARGUMENTS_MOST || !v ||
	    v->end - v->start < bytes)
		return;
	mm->argument_pages = 0;
	for (int set = 0; set < PAGE_SETS; set++)
		pages__set(&mm->pages, set, v->end - bytes, v->end, &n[set]);
	o = v->origin;
	if (!o)
		return;
	o->pages.populated += n[PAGES_HERE];
	o->pages.made_populated += n[PAGES_ANON];
}

/* All of what is mapped in [from, to) has an origin from now on; of pages that were there. */
static int meet(struct change *c, __u64 from, __u64 to)
{
	bool before = !c->im->p.start_ns;
	struct vma *v;
	int err = 0;

	for (__u64 at = from; at < to && (v = ranges__after(&c->mm->vmas, at)); at = v->end) {
		if (v->start >= to || v->origin)
			continue;
		if (!vma__origin(c->im, v, c->time_ns))
			return -ENOMEM;
		v->origin->seed = before;
	}
	if (before && to >= USER_END)
		err = layout__pages_before(c->im);
	return err;
}

/*
 * It has an address space of its own by now, and is between two words of execve, or that was lost: the
 * one that it shared stays as it was for the others.
 */
static void leave_shared(struct image *im, __u64 id)
{
	if (!im->mm || im->mm->users == 1 || !im->mm->id || im->mm->id == id || !im->borrows)
		return;
	mm__put(im->mm);
	im->mm = NULL;
	im->borrows = false;
}

int layout__event(struct space *sp, const struct fs_layout_event *ev)
{
	struct change c = { .sp = sp,
			    .im = image__get(sp, ev->head.pid),
			    .time_ns = ev->head.time_ns };
	const struct fs_layout *l = &ev->layout;
	bool asked, sure;

	if (!c.im)
		return -ENOMEM;
	if (!c.im->p.alive || ev->head.time_ns < c.im->p.start_ns ||
	    (ev->head.size - sizeof(*ev)) / sizeof(struct fs_vma) < l->n)
		return 0;
	leave_shared(c.im, ev->mm);
	c.mm = image__mm(c.im);
	if (!c.mm)
		return -ENOMEM;
	c.mm->vmas.size = sizeof(struct vma);
	c.mm->id = ev->mm;
	c.mm->start_brk = ev->start_brk;
	asked = !c.mm->known || layout__is_asked(c.mm, l->from, l->to);
	sure = !(l->flags & FS_LAYOUT_UNSURE) && !is_late(&c);
	apply(&c, l, false);
	if (sure)
		layout__told(c.mm, l->from, l->to);
	if (l->to >= USER_END && sure)
		c.mm->known = true;
	/* what a call brings along is the call's, which comes next */
	if (!c.err && asked && sp->ops.all_origins && !(l->flags & FS_LAYOUT_CALL))
		c.err = meet(&c, l->from, l->to);
	if (c.im->p.start_ns && c.mm->argument_pages) {
		struct vma *v = ranges__find(&c.mm->vmas, ev->start_stack);

		if (v && vma__origin(c.im, v, ev->head.time_ns))
			populate_arguments(c.mm, ev->start_stack);
	}
	return c.err || !c.mm->known ? c.err : layout__pages_known(sp, c.mm);
}

/* The call's own origin, where it maps something. */
static struct origin *call_origin(struct change *c, const struct fs_call_event *ev)
{
	struct origin *o;

	if (ev->call != FS_CALL_MMAP && ev->call != FS_CALL_SHMAT && ev->call != FS_CALL_BRK &&
	    ev->call != FS_CALL_MREMAP && ev->call != FS_CALL_MAP_SHADOW_STACK &&
	    ev->call != FS_CALL_IO_SETUP)
		return NULL;
	o = mm__new_origin(c->mm, ORIGIN_CALL, ev->head.time_ns);
	if (!o) {
		c->err = -ENOMEM;
		return NULL;
	}
	o->call = ev->call;
	o->stack_id = ev->stack_id;
	o->tid = ev->head.tid;
	return o;
}

/* The first VMA in [start, end), cut to it. */
static bool first_part(const struct change *c, __u64 start, __u64 end, struct vma *part)
{
	const struct vma *v = start < end ? ranges__after(&c->mm->vmas, start) : NULL;

	if (!v || v->start >= end || c->err)
		return false;
	*part = *v;
	part->start = v->start > start ? v->start : start;
	part->end = v->end < end ? v->end : end;
	return true;
}

/* The VMAs of a range have taken the place of others, whose origins they have still. */
static void displace(struct change *c, __u64 start, __u64 end)
{
	struct vma part;

	for (; first_part(c, start, end, &part); start = part.end) {
		if (!part.origin)
			continue;
		put(c, &part, part.start, part.end, NULL);
		if (!c->err)
			unmap_part(c, &part, part.start, part.end);
	}
}

/* A part of what is moved is at `to` now. keep: and mapped still, but empty, where it was. */
static void move_part(struct change *c, const struct vma *old, __u64 to, bool keep)
{
	__u64 end = to + (old->end - old->start), from, bytes;
	struct vma new;

	for (__u64 at = to; first_part(c, at, end, &new); at = new.end) {
		from = old->start + (new.start - to);
		bytes = new.end - new.start;
		put(c, &new, new.start, new.end, old->origin);
		if (!c->err)
			c->err = pages__move(&c->mm->pages, from, new.start, bytes);
		if (keep) {
			old->origin->live += bytes;
			old->origin->bytes += bytes;
		} else if (!c->err) {
			c->err = ranges__del(&c->mm->vmas, from, from + bytes);
		}
	}
}

/*
 * What was at args[0] is at `to` now: its origin and its pages go with it. The state of the new range
 * has been told before, that of the old one comes after.
 */
static void move(struct change *c, const struct fs_call_event *ev)
{
	__u64 from = ev->args[0], to = ev->ret, old = page_ceil(ev->args[1]);
	__u64 new = page_ceil(ev->args[2]), bytes = old < new ? old : new;
	struct vma part;

	if (from > USER_END || to > USER_END || old > USER_END || new > USER_END ||
	    (from | to) % PAGE_BYTES || (from < to + new &&to < from + old))
		return; /* damaged */
	displace(c, to, to + new);
	if (c->mm->doubt_from <= to && to + new <= c->mm->doubt_to) /* the state of it will come */
		put(c, &(struct vma){}, to, to + new, NULL);
	for (__u64 at = from; first_part(c, at, from + bytes, &part); at = part.end)
		if (part.origin)
			move_part(c, &part, to + (part.start - from),
				  ev->args[3] & MREMAP_DONTUNMAP);
	for (__u64 at = to + bytes; first_part(c, at, to + new, &part); at = part.end)
		put_new(c, &part, part.start, part.end);
}

/* Is what a call has told of its own, all of it? */
static bool maps_anew(enum fs_call call)
{
	return call == FS_CALL_MMAP || call == FS_CALL_SHMAT || call == FS_CALL_MAP_SHADOW_STACK ||
	       call == FS_CALL_IO_SETUP;
}

int layout__call(struct space *sp, struct image *im, const struct fs_call_event *ev)
{
	const struct fs_layout *l = (const void *)(ev + 1);
	bool has = ev->flags & FS_CALL_LAYOUT, ok = !(ev->flags & FS_CALL_FAILED);
	struct origin *origin = NULL;
	struct change c = { .sp = sp, .im = im, .by = ev, .time_ns = ev->head.time_ns };
	size_t room = ev->head.size - sizeof(*ev);

	if (has && (room < sizeof(*l) || (room - sizeof(*l)) / sizeof(struct fs_vma) < l->n))
		return 0;
	if (!im->p.alive || ev->head.time_ns < im->p.start_ns)
		return 0;
	c.mm = image__mm(im);
	if (!c.mm)
		return -ENOMEM;
	c.mm->vmas.size = sizeof(struct vma);
	if (!c.mm->known && !c.mm->doubt_to && !c.mm->asked_to)
		c.err = layout__want(sp, im, 0, USER_END);
	if (!c.err && ok)
		c.origin = origin = call_origin(&c, ev);
	if (!c.err && ok && ev->call == FS_CALL_MREMAP && ev->ret != (__s64)ev->args[0]) {
		if (is_late(&c))
			c.err = layout__want(sp, im, ev->ret, ev->ret + page_ceil(ev->args[2]));
		move(&c, ev);
		c.origin = NULL; /* where it was it has mapped nothing */
	}
	if (!c.err && has)
		apply(&c, l, ok && maps_anew(ev->call));
	if (origin && !origin->live)
		origin__free(c.mm, origin);
	if (!c.err)
		c.err = layout__pages_call(sp, im, ev);
	return c.err;
}

/* ---- lives ------------------------------------------------------------------------------------ */

void layout__end(struct space *sp, struct image *im, __u64 time_ns)
{
	struct change c = { .sp = sp, .im = im, .mm = im->mm, .time_ns = time_ns };
	struct vma *v;
	__u64 at;

	if (!im->mm)
		return;
	if (im->mm->users > 1) {
		layout__want_elsewhere(sp, im);
		return;
	}
	for (struct origin *o = im->mm->origins; o; o = o->next)
		o->at_end = o->live;
	for (at = 0; (v = ranges__after(&im->mm->vmas, at)); at = v->end)
		if (v->origin)
			unmap_part(&c, v, v->start, v->end);
	ranges__free(&im->mm->vmas);
}

void layout__free(struct mm *mm)
{
	while (mm->origins)
		origin__free(mm, mm->origins);
	ranges__free(&mm->vmas);
	ranges__free(&mm->found);
	pages__free(&mm->pages);
	free(mm->early);
}

/* ---- questions -------------------------------------------------------------------------------- */

int space__watch(struct space *sp, const struct layout_watch *w)
{
	struct layout_watch *more = reallocarray(sp->watches, sp->nwatches + 1, sizeof(*more));

	if (!more)
		return -ENOMEM;
	sp->watches = more;
	sp->watches[sp->nwatches++] = *w;
	return 0;
}

const struct vma *space__vma(struct space *sp, __u32 pid, __u64 addr)
{
	const struct image *im = image__find(sp, pid);

	return im && im->mm ? ranges__after(&im->mm->vmas, addr) : NULL;
}

__u32 space__mapper(struct space *sp, __u32 pid, __u64 addr)
{
	const struct vma *v = space__vma(sp, pid, addr);
	const struct origin *o = v && v->start <= addr ? v->origin : NULL;

	if (!o || o->kind != ORIGIN_CALL)
		return 0;
	return o->stack_id ? o->stack_id : MAPPER_LOST;
}

bool space__borrows_layout(struct space *sp, __u32 pid)
{
	const struct image *im = image__find(sp, pid);

	return im && im->borrows;
}

const struct origin *space__origins(struct space *sp, __u32 pid)
{
	const struct image *im = image__find(sp, pid);

	return im && im->mm ? im->mm->origins : NULL;
}

const struct pages *space__pages(struct space *sp, __u32 pid)
{
	const struct image *im = image__find(sp, pid);

	return im && im->mm ? &im->mm->pages : NULL;
}

__u64 space__layout_bytes(struct space *sp, __u64 *vmas)
{
	__u64 bytes = 0;
	struct image *im, *next;

	*vmas = 0;
	HASH_ITER (hh, sp->by_pid, im, next) {
		if (!im->mm)
			continue;
		*vmas += ranges__count(&im->mm->vmas);
		bytes += sizeof(*im->mm) + ranges__bytes(&im->mm->vmas) +
			 pages__bytes(&im->mm->pages);
		for (const struct origin *o = im->mm->origins; o; o = o->next)
			bytes += sizeof(*o);
	}
	return bytes;
}
