/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Is what is known of an address space what /proc/PID/maps says? Compared by address: how the kernel
 * divides it into VMAs does not count, nor how it names them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "region/internal.h"
#include "region/layout.h"
#include "vm.h"

struct runs {
	struct layout_run *v;
	size_t n, room;
};

static int add(struct runs *r, const struct layout_run *run)
{
	struct layout_run *last = r->n ? &r->v[r->n - 1] : NULL, *more;

	if (last && last->end == run->start && !memcmp(last->perms, run->perms, 4) &&
	    last->dev == run->dev && last->ino == run->ino &&
	    (!run->ino || last->offset + (last->end - last->start) == run->offset)) {
		last->end = run->end;
		return 0;
	}
	more = with_room(r->v, r->n, &r->room, sizeof(*more));
	if (!more)
		return -ENOMEM;
	r->v = more;
	r->v[r->n++] = *run;
	return 0;
}

static int add_map(void *ctx, const struct proc_map *m)
{
	struct layout_run run = { .start = m->start,
				  .end = m->end,
				  .offset = m->ino ? m->offset : 0,
				  .ino = m->ino,
				  .dev = m->ino ? m->dev : 0 };

	if (m->start >= USER_END) /* [vsyscall] is no VMA */
		return 0;
	snprintf(run.perms, sizeof(run.perms), "%c%c%c%c", m->read ? 'r' : '-',
		 m->write ? 'w' : '-', m->exec ? 'x' : '-', m->shared ? 's' : 'p');
	return add(ctx, &run);
}

static int add_vma(struct space *sp, struct runs *r, const struct vma *v)
{
	const struct file *f = v->file_id ? space__file(sp, v->file_id) : NULL;
	struct layout_run run = { .start = v->start, .end = v->end };

	if (f && f->ino) {
		run.ino = f->ino;
		run.dev = f->dev;
		run.offset = v->start - v->bias;
	}
	snprintf(run.perms, sizeof(run.perms), "%c%c%c%c", v->vm_flags & VM_READ ? 'r' : '-',
		 v->vm_flags & VM_WRITE ? 'w' : '-', v->vm_flags & VM_EXEC ? 'x' : '-',
		 v->vm_flags & VM_MAYSHARE ? 's' : 'p');
	return add(r, &run);
}

/* What one side has in [at, ...): a run, or a gap up to the next one. */
static struct layout_run part_at(const struct runs *r, size_t *i, __u64 at)
{
	struct layout_run part = { .start = at, .end = USER_END };

	while (*i < r->n && r->v[*i].end <= at)
		++*i;
	if (*i == r->n)
		return part;
	if (r->v[*i].start > at) {
		part.end = r->v[*i].start;
		return part;
	}
	part = r->v[*i];
	if (part.ino)
		part.offset += at - part.start;
	part.start = at;
	return part;
}

static bool same(const struct layout_run *a, const struct layout_run *b)
{
	return !memcmp(a->perms, b->perms, 4) && a->dev == b->dev && a->ino == b->ino &&
	       a->offset == b->offset;
}

static int compare(const struct runs *known, const struct runs *real, layout_difference fn,
		   void *ctx)
{
	size_t i = 0, k = 0;
	struct layout_run a, b;
	__u64 at, end;
	int differ = 0;

	for (at = 0; at < USER_END; at = end) {
		a = part_at(known, &i, at);
		b = part_at(real, &k, at);
		end = a.end < b.end ? a.end : b.end;
		if (same(&a, &b))
			continue;
		a.end = b.end = end;
		differ++;
		if (fn)
			fn(ctx, &a, &b);
	}
	return differ;
}

int space__compare(struct space *sp, __u32 pid, layout_difference fn, void *ctx, size_t *nruns)
{
	struct runs known = {}, real = {};
	const struct vma *v;
	int err = 0;

	for (__u64 at = 0; !err && (v = space__vma(sp, pid, at)); at = v->end)
		err = add_vma(sp, &known, v);
	if (!err)
		err = proc__maps(pid, add_map, &real);
	if (!err)
		err = compare(&known, &real, fn, ctx);
	if (nruns)
		*nruns = real.n;
	free(known.v);
	free(real.v);
	return err;
}
