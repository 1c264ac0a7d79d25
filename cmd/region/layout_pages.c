/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which pages of an address space are there, by the faults, the calls that make pages present without
 * one, and those that give them back.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/memory.h"
#include "region/internal.h"
#include "region/layout.h"
#include "region/pagemap.h"
#include "vm.h"

#define MAX_ORDER     20
#define EARLY_MOST    256          /* faults */
#define POPULATE_MOST (1ULL << 40) /* bytes of a VMA */

/* include/uapi/asm-generic/mman-common.h; Debian 12's headers do not have the last ones */
#define ADVICE_DONTNEED        4
#define ADVICE_REMOVE          9
#define ADVICE_POPULATE_READ   22
#define ADVICE_POPULATE_WRITE  23
#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_GUARD_INSTALL   102

/* Does a fault leave an anonymous page in a private mapping? */
static bool makes_anon(const struct fs_fault *f, const struct vma *v)
{
	if (v->vm_flags & VM_MAYSHARE)
		return false;
	switch (f->class) {
	case FS_CLASS_READ: /* and copied: do_cow_fault() of mm/memory.c */
		return f->access == FS_ACCESS_WRITE;
	case FS_CLASS_ANON:
	case FS_CLASS_COW:
	case FS_CLASS_SWAP:
	case FS_CLASS_THP:
	case FS_CLASS_REUSE:
		return true;
	case FS_CLASS_UFFD:
		return !v->file_id;
	default:
		return false;
	}
}

/* Are they one VMA to the kernel, which merges what was mapped by several calls? */
static bool is_one_vma(const struct vma *a, const struct vma *b)
{
	return a->end == b->start && a->vm_flags == b->vm_flags && !a->file_id && !b->file_id;
}

/* The pages that a fault has made present, cut to the VMA. */
static void fault_range(const struct mm *mm, const struct fs_fault *f, const struct vma *v,
			__u64 *start, __u64 *end)
{
	__u64 bytes = PAGE_BYTES << (f->order < MAX_ORDER ? f->order : 0);
	const struct vma *low = v, *high = v, *next;

	*start = f->addr & ~(bytes - 1);
	*end = *start + bytes;
	while (low->start > *start && (next = ranges__find(&mm->vmas, low->start - 1)) &&
	       is_one_vma(next, low))
		low = next;
	while (high->end < *end && (next = ranges__find(&mm->vmas, high->end)) &&
	       is_one_vma(high, next))
		high = next;
	if (*start < low->start)
		*start = low->start;
	if (*end > high->end)
		*end = high->end;
}

/* A stack grows down to the page that is touched, and nothing else tells of it. */
static struct vma *grow_stack(struct mm *mm, const struct fs_fault *f)
{
	struct vma *v = ranges__after(&mm->vmas, f->addr);
	__u64 start = page_floor(f->addr), grown;

	if (!v || !(v->vm_flags & VM_GROWSDOWN) || f->region != FS_REGION_STACK ||
	    (f->flags & FS_FAULT_FAILED))
		return NULL;
	grown = v->start - start;
	v->start = start; /* its offset goes down as much */
	if (v->origin)
		origin__grow(v->origin, v, grown);
	return v;
}

/* Pages of one VMA that are there now. 0 or -ENOMEM. */
static int touch_part(struct image *im, struct vma *v, const struct fs_fault *f, __u64 start,
		      __u64 end, __u64 *ever, __u64 *here)
{
	struct pages *p = &im->mm->pages;
	struct origin *o = vma__origin(im, v, f->time_ns);
	__u64 made = 0;
	int err;

	*ever = *here = 0;
	if (!o)
		return -ENOMEM;
	err = pages__set(p, PAGES_EVER, start, end, ever);
	if (!err)
		err = pages__set(p, PAGES_HERE, start, end, here);
	if (!err && makes_anon(f, v))
		err = pages__set(p, PAGES_ANON, start, end, &made);
	o->pages.made += made;
	o->pages.touched += *ever;
	o->pages.again += *here - *ever;
	return err;
}

static void count_first(struct origin *o, const struct fs_fault *f, __u64 start, __u64 end)
{
	if (!o->first_ns || f->time_ns < o->first_ns)
		o->first_ns = f->time_ns;
	if (f->time_ns > o->last_ns)
		o->last_ns = f->time_ns;
	o->firsts++;
	o->ascending += start == o->last_page;
	o->last_page = end;
}

/*
 * A fault where nothing is known to be mapped: execve touches its new memory before it is told of;
 * else something was mapped that no call told of.
 */
static int touch_unknown(struct space *sp, struct image *im, const struct fs_fault *f)
{
	struct mm *mm = image__mm(im);
	struct fs_fault *more;

	if (!mm)
		return -ENOMEM;
	if ((mm->known || mm->doubt_to) &&
	    (f->flags & FS_FAULT_FAILED || f->addr >= USER_END || f->region == FS_REGION_NONE))
		return 0;
	if (mm->known || mm->nearly == EARLY_MOST)
		return layout__want(sp, im, 0, USER_END);
	more = with_room(mm->early, mm->nearly, &mm->early_room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	mm->early = more;
	mm->early[mm->nearly++] = *f;
	/* that of a new image is on its way */
	return im->p.start_ns ? 0 : layout__want(sp, im, 0, USER_END);
}

int layout__pages_known(struct space *sp, struct mm *mm)
{
	struct fs_fault *early = mm->early;
	size_t n = mm->nearly;
	int err = 0;

	mm->early = NULL;
	mm->nearly = mm->early_room = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = space__touch(sp, &early[i]);
	free(early);
	return err;
}

int space__touch(struct space *sp, const struct fs_fault *f)
{
	struct image *im = image__find(sp, f->pid);
	__u64 start, end, at, to, n, m, ever = 0, here = 0;
	struct origin *o;
	struct vma *v;
	int err = 0;

	if (!im || !im->p.alive)
		return 0;
	v = im->mm ? ranges__find(&im->mm->vmas, f->addr) : NULL;
	if (!v && im->mm && im->mm->known)
		v = grow_stack(im->mm, f);
	if (!v)
		return touch_unknown(sp, im, f);
	o = vma__origin(im, v, f->time_ns);
	if (!o)
		return -ENOMEM;
	o->faults++;
	o->stall_ns += f->latency_ns;
	if (f->flags & FS_FAULT_MAJOR)
		o->major++;
	if (f->flags & FS_FAULT_FAILED)
		return 0;
	fault_range(im->mm, f, v, &start, &end);
	for (at = start; !err && at < end; at = to, ever += n, here += m) {
		v = ranges__find(&im->mm->vmas, at);
		to = v->end < end ? v->end : end;
		err = touch_part(im, v, f, at, to, &n, &m);
	}
	if (f->class == FS_CLASS_ZERO)
		o->pages.zero++;
	if (ever)
		count_first(o, f, start, end);
	for (size_t i = 0; i < sp->nwatches; i++)
		if (sp->watches[i].touched)
			sp->watches[i].touched(sp->watches[i].ctx, &im->p, o, f, ever, here - ever);
	return err;
}

struct seeding {
	struct pages *pages;
	struct vma *vma;
	bool later; /* not what was there before, but what no fault and no call has told of */
};

static int seed_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct seeding *s = ctx;
	__u64 n = 0, anon = 0;
	int err = 0;

	if (!(facts->flags & (PAGE_PRESENT | PAGE_SWAPPED)))
		return 0;
	err = pages__set(s->pages, PAGES_EVER, start, end, NULL);
	if (!err)
		err = pages__set(s->pages, PAGES_HERE, start, end, &n);
	if (!err && (facts->flags & PAGE_ANON))
		err = pages__set(s->pages, PAGES_ANON, start, end, &anon);
	if (s->later && facts->flags & PAGE_ANON) {
		s->vma->origin->pages.populated += n;
		s->vma->origin->pages.made_populated += anon;
	} else if (!s->later) {
		s->vma->origin->pages.before += n;
		s->vma->origin->pages.made_before += anon;
	}
	return err;
}

static int look_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct range found = { start, end };
	struct mm *mm = ctx;

	if (!(facts->flags & PAGE_ANON) ||
	    pages__count(&mm->pages, PAGES_ANON, start, end) == (end - start) / PAGE_BYTES)
		return 0;
	return ranges__add(&mm->found, &found);
}

int space__look_for_pages(struct space *sp, __u32 pid)
{
	struct image *im = image__find(sp, pid);
	const struct vma *v;
	struct pagemap *pm;
	int err = 0;

	if (!im || !im->p.alive || !im->mm || !im->mm->known || im->borrows)
		return 0;
	pm = pagemap__open(pid, 0);
	if (!pm)
		return 0;
	ranges__free(&im->mm->found);
	im->mm->found.size = sizeof(struct range);
	for (__u64 at = 0; !err && (v = ranges__after(&im->mm->vmas, at)); at = v->end)
		if (v->origin)
			err = pagemap__walk(pm, v->start, v->end, look_run, im->mm);
	pagemap__close(pm);
	return err == -ENOMEM ? err : 0;
}

/*
 * What the kernel writes for somebody it may fault in by itself (get_user_pages), and khugepaged fills
 * holes. Only anonymous pages: of files the kernel maps pages around a fault.
 */
static int count_found(struct mm *mm, __u64 start, __u64 end)
{
	const struct page_facts anon = { .flags = PAGE_PRESENT | PAGE_ANON };
	struct seeding s = { .pages = &mm->pages, .later = true };
	int err = 0;

	for (__u64 at = start; !err && (s.vma = ranges__after(&mm->vmas, at)); at = s.vma->end) {
		if (s.vma->start >= end)
			break;
		if (s.vma->origin)
			err = seed_run(&s, s.vma->start > start ? s.vma->start : start,
				       s.vma->end < end ? s.vma->end : end, &anon);
	}
	return err;
}

int space__count_found(struct space *sp, __u32 pid)
{
	struct image *im = image__find(sp, pid);
	const struct range *r;
	int err = 0;

	if (!im || !im->mm)
		return 0;
	for (__u64 at = 0; !err && (r = ranges__after(&im->mm->found, at)); at = r->end)
		err = count_found(im->mm, r->start, r->end);
	ranges__free(&im->mm->found);
	return err;
}

static bool wants_seed(const struct mm *mm)
{
	for (const struct origin *o = mm->origins; o; o = o->next)
		if (o->seed)
			return true;
	return false;
}

int layout__pages_before(struct image *im)
{
	struct seeding s = { .pages = &im->mm->pages };
	struct pagemap *pm;
	int err = 0;

	if (!wants_seed(im->mm)) /* it was told anew */
		return 0;
	pm = pagemap__open(im->p.pid, 0);
	if (!pm)
		return 0; /* it has gone, or must not be looked at: from now on then */
	for (__u64 at = 0; !err && (s.vma = ranges__after(&im->mm->vmas, at)); at = s.vma->end) {
		if (!s.vma->origin || !s.vma->origin->seed)
			continue;
		err = pagemap__walk(pm, s.vma->start, s.vma->end, seed_run, &s);
		if (err && err != -ENOMEM)
			break;
	}
	for (struct origin *o = im->mm->origins; o; o = o->next)
		o->seed = false;
	pagemap__close(pm);
	return err == -ENOMEM ? err : 0;
}

/* Pages of a VMA in [start, end) that were made present without a fault. */
static int populate(struct image *im, struct vma *v, __u64 start, __u64 end, bool write,
		    __u64 time_ns)
{
	struct pages *p = &im->mm->pages;
	struct origin *o;
	__u64 n = 0, made = 0;
	int err = 0;

	if (!(v->vm_flags & (VM_READ | VM_WRITE | VM_EXEC)))
		return 0;
	o = vma__origin(im, v, time_ns);
	if (!o)
		return -ENOMEM;
	if (end - start > POPULATE_MOST) /* nobody has so much: the event is damaged */
		return 0;
	/* as populate_vma_page_range() of mm/gup.c: copies are broken before they are needed */
	if (write && (v->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		err = pages__set(p, PAGES_ANON, start, end, &made);
	if (!err)
		err = pages__set(p, PAGES_EVER, start, end, NULL);
	if (!err)
		err = pages__set(p, PAGES_HERE, start, end, &n);
	o->pages.populated += n;
	o->pages.made_populated += made;
	return err;
}

/* Does a call make a VMA's pages present? *write: as a write to them would. */
static bool populates(const struct fs_call_event *ev, const struct vma *v, bool *write)
{
	*write = true;
	if ((v->vm_flags & VM_LOCKED) && !(v->vm_flags & VM_LOCKONFAULT))
		return true;
	switch (ev->call) {
	case FS_CALL_MMAP:
		return (ev->args[3] & (MAP_POPULATE | MAP_NONBLOCK)) == MAP_POPULATE;
	case FS_CALL_MADVISE:
		*write = ev->args[2] == ADVICE_POPULATE_WRITE;
		return *write || ev->args[2] == ADVICE_POPULATE_READ;
	}
	return false;
}

/* madvise has taken pages away. */
static void release(struct space *sp, struct image *im, struct vma *v, __u64 start, __u64 end,
		    const struct fs_call_event *ev)
{
	struct pages *p = &im->mm->pages;
	__u64 freed, n;

	/* for shared memory these only unmap it, and the pages stay where they are */
	freed = pages__clear(p, PAGES_ANON, start, end);
	n = pages__clear(p, PAGES_HERE, start, end);
	if (!v->origin)
		return;
	v->origin->pages.released += n;
	v->origin->pages.freed += freed;
	for (size_t i = 0; n && i < sp->nwatches; i++)
		if (sp->watches[i].released)
			sp->watches[i].released(sp->watches[i].ctx, &im->p, v->origin, n, ev);
}

/* -ENOMEM: something is not mapped; the rest was done. */
static bool releases(const struct fs_call_event *ev)
{
	return ev->call == FS_CALL_MADVISE &&
	       (!(ev->flags & FS_CALL_FAILED) || ev->ret == -ENOMEM) &&
	       (ev->args[2] == ADVICE_DONTNEED || ev->args[2] == ADVICE_REMOVE ||
		ev->args[2] == ADVICE_DONTNEED_LOCKED || ev->args[2] == ADVICE_GUARD_INSTALL);
}

static void call_pages(const struct fs_call_event *ev, __u64 *start, __u64 *end)
{
	__u64 bytes = ev->bytes > 0 ? ev->bytes : 0;

	*start = page_floor(ev->args[0]);
	switch (ev->call) {
	case FS_CALL_MADVISE:
		bytes = ev->args[1]; /* where it failed, too */
		break;
	case FS_CALL_MMAP:
	case FS_CALL_SHMAT:
	case FS_CALL_MREMAP:
	case FS_CALL_MAP_SHADOW_STACK:
		*start = ev->ret;
		break;
	case FS_CALL_IO_SETUP:
	case FS_CALL_PRCTL:
		*start = ev->args[2];
		break;
	case FS_CALL_IOCTL:
		*start = ev->args[3];
		break;
	case FS_CALL_BRK:
		*start = page_ceil(ev->old_brk);
		bytes = ev->bytes > 0 ? page_ceil(ev->ret) - *start : 0;
		break;
	case FS_CALL_MLOCKALL:
		*start = 0;
		bytes = USER_END;
		break;
	}
	*end = *start + page_ceil(bytes);
}

int layout__pages_call(struct space *sp, struct image *im, const struct fs_call_event *ev)
{
	bool ok = !(ev->flags & FS_CALL_FAILED), write;
	bool populated = ok &&
			 (ev->populated_min || ev->populated_maj || (ev->flags & FS_CALL_ALONE));
	__u64 start, end, from, to;
	struct vma *v;
	int err = 0;

	if (!populated && !releases(ev))
		return 0;
	call_pages(ev, &start, &end);
	for (from = start; !err && from < end; from = to) {
		v = ranges__after(&im->mm->vmas, from);
		if (!v || v->start >= end)
			break;
		from = v->start > from ? v->start : from;
		to = v->end < end ? v->end : end;
		if (releases(ev))
			release(sp, im, v, from, to, ev);
		else if (populates(ev, v, &write))
			err = populate(im, v, from, to, write, ev->head.time_ns);
	}
	return err;
}

void space__count_pages(struct space *sp, __u32 pid)
{
	struct image *im = image__find(sp, pid);
	struct pages *p;
	struct vma *v;

	if (!im || !im->mm)
		return;
	p = &im->mm->pages;
	for (struct origin *o = im->mm->origins; o; o = o->next) {
		o->pages.anon = o->pages.here = o->pages.ever = 0;
		o->start = ~0ULL; /* it may have been moved */
	}
	for (__u64 at = 0; (v = ranges__after(&im->mm->vmas, at)); at = v->end) {
		struct origin_pages *n = v->origin ? &v->origin->pages : NULL;

		if (!n)
			continue;
		if (v->start < v->origin->start)
			v->origin->start = v->start;
		n->anon += pages__count(p, PAGES_ANON, v->start, v->end);
		n->here += pages__count(p, PAGES_HERE, v->start, v->end);
		n->ever += pages__count(p, PAGES_EVER, v->start, v->end);
	}
}
