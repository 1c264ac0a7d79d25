/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Executable mappings, for stacks that are unwound here: as the kernel side met them, and from
 * /proc/PID/maps, which is read when an address is in none that is known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/proc.h"
#include "region/internal.h"

#define VM_EXEC 0x4 /* include/linux/mm.h */

void codes__free(struct codes *c)
{
	free(c->v);
	*c = (struct codes){};
}

/* Index of the first mapping that ends above addr. */
static size_t first_above(const struct codes *c, __u64 addr)
{
	size_t low = 0, high = c->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (c->v[mid].end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

static int insert(struct codes *c, size_t at, const struct code *code)
{
	struct code *v = with_room(c->v, c->n, &c->room, sizeof(*v));

	if (!v)
		return -ENOMEM;
	c->v = v;
	memmove(&v[at + 1], &v[at], (c->n - at) * sizeof(*v));
	v[at] = *code;
	c->n++;
	return 0;
}

int codes__del(struct codes *c, __u64 start, __u64 end)
{
	size_t i = first_above(c, start);
	struct code rest;

	while (i < c->n && c->v[i].start < end) {
		struct code *v = &c->v[i];

		if (v->start < start && v->end > end) { /* a hole in it */
			rest = *v;
			rest.offset += end - rest.start;
			rest.start = end;
			v->end = start;
			return insert(c, i + 1, &rest);
		}
		if (v->start < start) {
			v->end = start;
			i++;
		} else if (v->end > end) {
			v->offset += end - v->start;
			v->start = end;
			i++;
		} else {
			memmove(v, v + 1, (--c->n - i) * sizeof(*v));
		}
	}
	return 0;
}

int codes__add(struct codes *c, const struct code *code)
{
	int err = codes__del(c, code->start, code->end);

	return err ? err : insert(c, first_above(c, code->start), code);
}

int codes__copy(struct codes *to, const struct codes *from, __u64 mm)
{
	int err = 0;

	for (size_t i = 0; i < from->n && !err; i++) {
		struct code code = from->v[i];

		code.mm = mm;
		err = codes__add(to, &code);
	}
	return err;
}

static const struct code *codes__find(const struct codes *c, __u64 mm, __u64 addr)
{
	size_t i = first_above(c, addr);

	if (i == c->n || addr < c->v[i].start || (c->v[i].mm && c->v[i].mm != mm))
		return NULL;
	return &c->v[i];
}

int code__region_event(struct space *sp, const struct fs_region_event *ev, struct named_file *f)
{
	struct image *im;
	struct mm *mm;

	if (!sp->ops.codes)
		return 0;
	im = image__get(sp, ev->head.pid);
	if (!im)
		return -ENOMEM;
	if (!(ev->vm_flags & VM_EXEC))
		return im->mm ? codes__del(&im->mm->codes, ev->start, ev->end) : 0;
	mm = image__mm(im);
	if (!mm)
		return -ENOMEM;
	if (f)
		file__read_elf(sp, f, ev->head.pid, ev->start, ev->end);
	return codes__add(&mm->codes, &(struct code){
					      .start = ev->start,
					      .end = ev->end,
					      .offset = ev->pgoff * sp->page_size,
					      .file = f ? &f->f : NULL,
					      .mm = ev->mm,
				      });
}

struct reading {
	struct space *sp;
	struct mm *mm;
	__u32 pid;
	int err;
};

static int read_map(void *ctx, const struct proc_map *map)
{
	struct reading *r = ctx;
	struct code code = { .start = map->start, .end = map->end, .offset = map->offset };
	struct named_file *f;

	if (!map->exec)
		return 0;
	if (map->ino) {
		f = file__of_map(r->sp, map, r->pid);
		if (!f)
			return r->err = -ENOMEM;
		code.file = &f->f;
	} else if (map->name[0] == '[') {
		code.vdso = !strcmp(map->name, "[vdso]");
	}
	return r->err = codes__add(&r->mm->codes, &code);
}

int space__read_codes(struct space *sp, __u32 pid)
{
	struct image *im = image__get(sp, pid);
	struct mm *mm = im ? image__mm(im) : NULL;
	struct reading r = { .sp = sp, .mm = mm, .pid = pid };
	int err;

	if (!mm)
		return -ENOMEM;
	mm->codes.read_ns = clock_ns();
	err = proc__maps(pid, read_map, &r);
	return r.err ? r.err : err;
}

int space__code(struct space *sp, __u32 pid, __u64 mm_id, __u64 addr, __u64 time_ns,
		struct code *out)
{
	struct image *im = image__get(sp, pid);
	struct mm *mm = im ? image__mm(im) : NULL;
	const struct code *code;
	int err;

	if (!mm)
		return -ENOMEM;
	code = codes__find(&mm->codes, mm_id, addr);
	if (!code && im->p.alive && mm->codes.read_ns < time_ns) {
		err = space__read_codes(sp, pid);
		if (err == -ENOMEM)
			return err;
		code = codes__find(&mm->codes, mm_id, addr);
	}
	if (!code)
		return -ENOENT;
	*out = *code;
	return 0;
}
