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

#define PAGE 4096ULL

/* include/linux/mm.h; the same in all kernels */
#define VM_ACCESS      0x00000007U
#define VM_WRITE       0x00000002U
#define VM_SHARED      0x00000008U
#define VM_MAYSHARE    0x00000080U
#define VM_GROWSDOWN   0x00000100U
#define VM_LOCKED      0x00002000U
#define VM_LOCKONFAULT 0x00080000U

/* include/uapi/asm-generic/mman-common.h; Debian 12's headers do not have the last ones */
#define ADVICE_DONTNEED        4
#define ADVICE_REMOVE          9
#define ADVICE_POPULATE_READ   22
#define ADVICE_POPULATE_WRITE  23
#define ADVICE_DONTNEED_LOCKED 24
#define ADVICE_GUARD_INSTALL   102

/* Does a fault of this class leave an anonymous page in a private mapping? */
static bool makes_anon(enum fs_class class, const struct vma *v)
{
	if (v->vm_flags & VM_MAYSHARE)
		return false;
	switch (class) {
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

/* The pages that a fault has made present, cut to the VMA. */
static void fault_range(const struct fs_fault *f, const struct vma *v, __u64 *start, __u64 *end)
{
	__u64 bytes = PAGE << (f->order < 20 ? f->order : 0);

	*start = f->addr & ~(bytes - 1);
	*end = *start + bytes;
	if (*start < v->start)
		*start = v->start;
	if (*end > v->end)
		*end = v->end;
}

static void count_first(struct origin *o, const struct fs_fault *f, __u64 start, __u64 end)
{
	if (!o->first_ns || f->time_ns < o->first_ns)
		o->first_ns = f->time_ns;
	if (f->time_ns > o->last_ns)
		o->last_ns = f->time_ns;
	o->ascending += start == o->last_page;
	o->last_page = end;
}

#define EARLY_MAX 4096 /* faults that wait for an address space to be known */

static int keep_early(struct space *sp, struct image *im, const struct fs_fault *f)
{
	struct mm *mm = im->mm;
	struct fs_fault *more;

	if (mm->nearly == EARLY_MAX)
		return 0;
	more = with_room(mm->early, mm->nearly, &mm->early_room, sizeof(*f));
	if (!more)
		return -ENOMEM;
	mm->early = more;
	mm->early[mm->nearly++] = *f;
	/* of a new image it is on its way */
	return im->p.start_ns || mm->doubt_to || mm->asked_to ? 0 : space__want_layout(sp, f->pid);
}

int layout__pages_early(struct space *sp, struct image *im)
{
	struct mm *mm = im->mm;
	int err = 0;

	for (size_t i = 0; i < mm->nearly && !err; i++)
		err = space__touch(sp, &mm->early[i]);
	free(mm->early);
	mm->early = NULL;
	mm->nearly = mm->early_room = 0;
	return err;
}

int space__touch(struct space *sp, const struct fs_fault *f)
{
	struct image *im = image__find(sp, f->pid);
	__u64 start, end, ever = 0, here = 0, made = 0;
	struct origin *o;
	struct vma *v;
	int err;

	if (!im || !image__mm(im))
		return im ? -ENOMEM : 0;
	if (!im->mm->known)
		return keep_early(sp, im, f);
	v = ranges__find(&im->mm->vmas, f->addr);
	if (!v)
		return 0;
	o = vma__origin(im, v, f->time_ns);
	if (!o)
		return -ENOMEM;
	o->faults++;
	o->stall_ns += f->latency_ns;
	if (f->flags & FS_FAULT_MAJOR)
		o->major++;
	if (f->flags & FS_FAULT_FAILED) /* a stack that was to grow may not have */
		return v->vm_flags & VM_GROWSDOWN ? space__want_layout(sp, f->pid) : 0;
	fault_range(f, v, &start, &end);
	err = pages__set(&im->mm->pages, PAGES_EVER, start, end, &ever);
	if (!err)
		err = pages__set(&im->mm->pages, PAGES_HERE, start, end, &here);
	if (!err && makes_anon(f->class, v))
		err = pages__set(&im->mm->pages, PAGES_ANON, start, end, &made);
	o->pages.made += made;
	o->pages.touched += ever;
	o->pages.again += here - ever;
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
	err = pages__set(s->pages, PAGES_EVER, start, end, &n);
	if (!err)
		err = pages__set(s->pages, PAGES_HERE, start, end, NULL);
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

/*
 * Pages that are there and have not been told of: what the kernel writes for somebody it may fault in
 * by itself (get_user_pages), and khugepaged fills holes. Only anonymous ones: of files the kernel maps
 * pages around a fault.
 */
static int seed_anon(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	return facts->flags & PAGE_ANON ? seed_run(ctx, start, end, facts) : 0;
}

int space__find_pages(struct space *sp, __u32 pid)
{
	struct image *im = image__find(sp, pid);
	struct seeding s = { .later = true };
	struct pagemap *pm;
	int err = 0;

	if (!im || !im->mm || !im->mm->known)
		return 0;
	pm = pagemap__open(pid, 0);
	if (!pm)
		return 0;
	s.pages = &im->mm->pages;
	for (__u64 at = 0; !err && (s.vma = ranges__after(&im->mm->vmas, at)); at = s.vma->end)
		if (s.vma->origin)
			err = pagemap__walk(pm, s.vma->start, s.vma->end, seed_anon, &s);
	pagemap__close(pm);
	return err == -ENOMEM ? err : 0;
}

int layout__pages_before(struct image *im)
{
	struct pagemap *pm = pagemap__open(im->p.pid, 0);
	struct seeding s = { .pages = &im->mm->pages };
	int err = 0;

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

	if (!(v->vm_flags & VM_ACCESS))
		return 0;
	o = vma__origin(im, v, time_ns);
	if (!o)
		return -ENOMEM;
	/* as populate_vma_page_range() of mm/gup.c: copies are broken before they are needed */
	if (write && (v->vm_flags & (VM_WRITE | VM_SHARED)) == VM_WRITE)
		err = pages__set(p, PAGES_ANON, start, end, &made);
	if (!err)
		err = pages__set(p, PAGES_HERE, start, end, NULL);
	if (!err)
		err = pages__set(p, PAGES_EVER, start, end, &n);
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
		return ev->args[3] & MAP_POPULATE;
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

static bool releases(const struct fs_call_event *ev)
{
	return ev->call == FS_CALL_MADVISE &&
	       (ev->args[2] == ADVICE_DONTNEED || ev->args[2] == ADVICE_REMOVE ||
		ev->args[2] == ADVICE_DONTNEED_LOCKED || ev->args[2] == ADVICE_GUARD_INSTALL);
}

static void call_pages(const struct fs_call_event *ev, __u64 *start, __u64 *end)
{
	__u64 bytes = ev->bytes > 0 ? ev->bytes : 0;

	*start = ev->args[0] & ~(PAGE - 1);
	switch (ev->call) {
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
		*start = (ev->old_brk + PAGE - 1) & ~(PAGE - 1);
		bytes = ev->bytes > 0 ? ((ev->ret + PAGE - 1) & ~(PAGE - 1)) - *start : 0;
		break;
	case FS_CALL_MLOCKALL:
		*start = 0;
		bytes = USER_END;
		break;
	}
	*end = *start + ((bytes + PAGE - 1) & ~(PAGE - 1));
}

int layout__pages_call(struct space *sp, struct image *im, const struct fs_call_event *ev)
{
	bool populated = ev->populated_min || ev->populated_maj || (ev->flags & FS_CALL_ALONE),
	     write;
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
	for (struct origin *o = im->mm->origins; o; o = o->next)
		o->pages.anon = o->pages.here = o->pages.ever = 0;
	for (__u64 at = 0; (v = ranges__after(&im->mm->vmas, at)); at = v->end) {
		struct origin_pages *n = v->origin ? &v->origin->pages : NULL;

		if (!n)
			continue;
		n->anon += pages__count(p, PAGES_ANON, v->start, v->end);
		n->here += pages__count(p, PAGES_HERE, v->start, v->end);
		n->ever += pages__count(p, PAGES_EVER, v->start, v->end);
	}
}
