/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Executable mappings, for stacks that are unwound here: as the kernel side met them, and from
 * /proc/PID/maps, which is read when an address is in none that is known.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/proc.h"
#include "region/internal.h"

#define VM_EXEC         0x4 /* include/linux/mm.h */
#define RENEW_WITHIN_NS 2000000

static void cut(void *elem, __u64 by)
{
	struct code *code = elem;

	code->offset += by;
}

static int codes__add(struct mm *mm, const struct code *code)
{
	mm->codes.size = sizeof(*code);
	mm->codes.cut = cut;
	return ranges__add(&mm->codes, code);
}

int codes__copy(struct mm *to, const struct mm *from, __u64 only, __u64 id)
{
	int err = 0;

	for (size_t i = 0; i < from->codes.n && !err; i++) {
		struct code code = *(const struct code *)ranges__at(&from->codes, i);

		if (only && code.mm != only)
			continue;
		code.mm = id;
		err = codes__add(to, &code);
	}
	return err;
}

static const struct code *codes__find(const struct mm *mm, __u64 id, __u64 addr)
{
	const struct code *code = ranges__find(&mm->codes, addr);

	return code && (!code->mm || code->mm == id) ? code : NULL;
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
		return im->mm ? ranges__del(&im->mm->codes, ev->start, ev->end) : 0;
	mm = image__mm(im);
	if (!mm)
		return -ENOMEM;
	if (f)
		file__read_elf(sp, f, ev->head.pid, ev->start, ev->end);
	return codes__add(mm, &(struct code){
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
	return r->err = codes__add(r->mm, &code);
}

int space__read_codes(struct space *sp, __u32 pid)
{
	struct image *im = image__get(sp, pid);
	struct mm *mm = im ? image__mm(im) : NULL, fresh = {};
	struct reading r = { .sp = sp, .mm = &fresh, .pid = pid };
	int err;

	if (!mm)
		return -ENOMEM;
	mm->codes_read_ns = clock_ns();
	err = proc__maps(pid, read_map, &r);
	if (!r.err && !err && fresh.codes.n) { /* else it is gone: what is known is all there is */
		ranges__free(&mm->codes);
		mm->codes = fresh.codes;
	} else {
		ranges__free(&fresh.codes);
	}
	return r.err ? r.err : err;
}

/* Mappings have changed since they were last looked at: they are read again, where that can be. */
static int renew(struct space *sp, struct image *im, struct mm *mm, const struct code_moment *when)
{
	int err = 0;

	if (!when->seq || when->seq == mm->codes_seq)
		return 0;
	/* long after, what is mapped now says less of that time than what is known of it */
	if (mm->codes_seq && im->p.alive && mm->codes_read_ns < when->time_ns &&
	    clock_ns() - when->time_ns < RENEW_WITHIN_NS)
		err = space__read_codes(sp, im->p.pid);
	mm->codes_seq = when->seq;
	return err == -ENOMEM ? err : 0;
}

int space__code(struct space *sp, __u32 pid, const struct code_moment *when, __u64 addr,
		struct code *out)
{
	struct image *im = image__get(sp, pid);
	struct mm *mm = im ? image__mm(im) : NULL;
	const struct code *code;
	int err;

	if (!mm || renew(sp, im, mm, when))
		return -ENOMEM;
	code = codes__find(mm, when->mm, addr);
	if (!code && im->p.alive && mm->codes_read_ns < when->time_ns) {
		err = space__read_codes(sp, pid);
		if (err == -ENOMEM)
			return err;
		code = codes__find(mm, when->mm, addr);
	}
	if (!code)
		return -ENOENT;
	*out = *code;
	return 0;
}
