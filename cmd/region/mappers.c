/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which call created the memory at an address, by the calls as they returned. What was mapped before
 * the trace, and by execve, is of nobody.
 */
#include <linux/mman.h>

#include "region/internal.h"

static int add(struct mm *mm, __u64 start, __u64 end, __u32 stack_id)
{
	struct mapper m = { .start = start, .end = end, .stack_id = stack_id };

	mm->mappers.size = sizeof(m);
	return start < end ? ranges__add(&mm->mappers, &m) : 0;
}

static __u64 page_up(__u64 bytes)
{
	return (bytes + 4095) & ~4095ULL;
}

/* What is moved is still of who created it; what nobody is known to have created, too. */
static int remap(struct mm *mm, const struct fs_call_event *ev)
{
	__u64 from = ev->args[0], old = page_up(ev->args[1]), new = page_up(ev->args[2]);
	const struct mapper *was = ranges__find(&mm->mappers, from);
	__u32 stack_id = was ? was->stack_id : 0;
	bool known = was;
	int err = 0;

	if (!(ev->args[3] & MREMAP_DONTUNMAP))
		err = ranges__del(&mm->mappers, from, from + old);
	if (err)
		return err;
	return known ? add(mm, ev->ret, ev->ret + new, stack_id) :
		       ranges__del(&mm->mappers, ev->ret, ev->ret + new);
}

int mappers__call(struct mm *mm, const struct fs_call_event *ev)
{
	__u64 at = ev->args[0];

	switch (ev->call) {
	case FS_CALL_MMAP:
	case FS_CALL_SHMAT:
	case FS_CALL_MAP_SHADOW_STACK:
		return add(mm, ev->ret, (__u64)ev->ret + ev->bytes, ev->stack_id);
	case FS_CALL_IO_SETUP: /* args[2]: the address of the ring */
		return add(mm, ev->args[2], ev->args[2] + ev->bytes, ev->stack_id);
	case FS_CALL_MUNMAP:
	case FS_CALL_SHMDT:
	case FS_CALL_IO_DESTROY:
		return ranges__del(&mm->mappers, at, at + ev->bytes);
	case FS_CALL_BRK:
		if (ev->bytes < 0)
			return ranges__del(&mm->mappers, page_up(ev->ret), page_up(ev->old_brk));
		return add(mm, page_up(ev->old_brk), page_up(ev->ret), ev->stack_id);
	case FS_CALL_MREMAP:
		return remap(mm, ev);
	}
	return 0;
}

__u32 space__mapper(struct space *sp, __u32 pid, __u64 addr)
{
	const struct image *im = image__find(sp, pid);
	const struct mapper *m = im && im->mm ? ranges__find(&im->mm->mappers, addr) : NULL;

	return !m ? 0 : m->stack_id ? m->stack_id : MAPPER_LOST;
}
