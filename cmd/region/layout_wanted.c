/* SPDX-License-Identifier: GPL-2.0-only */
/* Whose state is to be told: of processes that are new, and where something is in doubt. */
#include <errno.h>

#include "base/memory.h"
#include "region/internal.h"
#include "region/layout.h"

int layout__want(struct space *sp, struct image *im, __u64 from, __u64 to)
{
	struct mm *mm;
	__u32 *more;

	if (!im->p.alive || from >= to)
		return 0;
	mm = image__mm(im);
	if (!mm)
		return -ENOMEM;
	if (mm->doubt_to) {
		mm->doubt_from = from < mm->doubt_from ? from : mm->doubt_from;
		mm->doubt_to = to > mm->doubt_to ? to : mm->doubt_to;
		return 0;
	}
	more = with_room(sp->wanted, sp->nwanted, &sp->wanted_room, sizeof(__u32));
	if (!more)
		return -ENOMEM;
	sp->wanted = more;
	sp->wanted[sp->nwanted++] = im->p.pid;
	mm->doubt_from = from;
	mm->doubt_to = to;
	return 0;
}

bool layout__is_asked(const struct mm *mm, __u64 from, __u64 to)
{
	return from < mm->asked_to && mm->asked_from < to;
}

void layout__told(struct mm *mm, __u64 from, __u64 to)
{
	if (from <= mm->asked_from && to > mm->asked_from)
		mm->asked_from = to;
	if (mm->asked_from >= mm->asked_to)
		mm->asked_from = mm->asked_to = 0;
}

void layout__want_elsewhere(struct space *sp, const struct image *im)
{
	struct image *other, *next;
	struct mm *mm = im->mm, was = *mm;

	if (!was.doubt_to && !was.asked_to)
		return;
	HASH_ITER (hh, sp->by_pid, other, next) {
		if (other == im || other->mm != mm || !other->p.alive)
			continue;
		mm->doubt_from = mm->doubt_to = mm->asked_from = mm->asked_to = 0;
		layout__want(sp, other, was.doubt_from, was.doubt_to);
		layout__want(sp, other, was.asked_from, was.asked_to);
		return;
	}
}

int space__want_layout(struct space *sp, __u32 pid)
{
	struct image *im = image__get(sp, pid);

	return im ? layout__want(sp, im, 0, USER_END) : -ENOMEM;
}

void space__doubt_layouts(struct space *sp)
{
	struct image *im, *next;

	HASH_ITER (hh, sp->by_pid, im, next)
		if (im->mm ||
		    im->p.start_ns) /* born in the trace: it was, or should have been, told */
			layout__want(sp, im, 0, USER_END);
}

bool space__wanted(struct space *sp, __u32 *pid, __u64 *from, __u64 *to)
{
	struct image *im;

	while (sp->nwanted) {
		im = image__find(sp, sp->wanted[--sp->nwanted]);
		if (!im || !im->mm || !im->mm->doubt_to)
			continue;
		*pid = im->p.pid;
		*from = im->mm->asked_from = im->mm->doubt_from;
		*to = im->mm->asked_to = im->mm->doubt_to;
		im->mm->doubt_from = im->mm->doubt_to = 0;
		if (im->p.alive)
			return true;
	}
	return false;
}

bool space__layout_known(struct space *sp, __u32 pid)
{
	const struct image *im = image__find(sp, pid);

	return im && im->mm && im->mm->known && !im->mm->doubt_to && !im->mm->asked_to;
}
