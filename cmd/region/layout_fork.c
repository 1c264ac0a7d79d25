/* SPDX-License-Identifier: GPL-2.0-only */
/* What a child has of its parent's address space: who mapped what, and the pages that are there. */
#include <errno.h>

#include "region/internal.h"
#include "region/layout.h"
#include "vm.h"

static int copy_vma(struct mm *to, const struct vma *v)
{
	struct vma new = *v;
	struct origin *o = v->origin;

	if (o && !o->copy) {
		o->copy = mm__new_origin(to, o->kind, o->time_ns);
		if (!o->copy)
			return -ENOMEM;
		o->copy->call = o->call;
		o->copy->stack_id = o->stack_id;
		o->copy->tid = o->tid;
		o->copy->inherited = true;
	}
	new.origin = o ? o->copy : NULL;
	if (o)
		origin__grow(o->copy, v, v->end - v->start);
	return ranges__add(&to->vmas, &new);
}

/* A child has the anonymous pages of its parent; those of files it has to fault for. */
static int copy_pages(struct mm *to, const struct mm *from, const struct vma *v)
{
	__u64 n;
	int err = 0;

	if (v->vm_flags & (VM_WIPEONFORK | VM_SHARED))
		return 0;
	for (int set = 0; set < PAGE_SETS && !err; set++)
		err = pages__copy(&to->pages, set, &from->pages, PAGES_ANON, v->start, v->end);
	n = pages__count(&to->pages, PAGES_ANON, v->start, v->end);
	if (v->origin)
		v->origin->pages.inherited += n;
	return err;
}

int layout__fork(struct mm *to, const struct mm *from)
{
	const struct vma *v;
	int err = 0;

	if (ranges__count(&to->vmas)) /* it was told before we heard of the birth */
		return 0;
	to->vmas.size = sizeof(struct vma);
	to->start_brk = from->start_brk;
	for (__u64 at = 0; !err && (v = ranges__after(&from->vmas, at)); at = v->end) {
		if (v->vm_flags & VM_DONTCOPY)
			continue;
		err = copy_vma(to, v);
		if (!err)
			err = copy_pages(to, from, ranges__find(&to->vmas, v->start));
	}
	for (struct origin *o = from->origins; o; o = o->next)
		o->copy = NULL;
	return err;
}
