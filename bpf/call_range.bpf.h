/* SPDX-License-Identifier: GPL-2.0-only */
/* What a mapping call has to do with: how many bytes, which range, whether it failed. */
#ifndef FS_CALL_RANGE_BPF_H
#define FS_CALL_RANGE_BPF_H

#include "layout.bpf.h"
#include "syscalls.bpf.h"

/*
 * What the call mapped, unmapped or changed, in bytes; brk: the growth, which may be negative. No part
 * of its callers: these are at the head of a chain of functions that have 512 bytes of stack together.
 */
static __noinline s64 call_bytes(struct mm_struct *mm, const struct call_state *c)
{
	struct vma_copy vma;
	u64 at;

	if (c->failed)
		return 0;
	switch (c->call - 1) {
	case FS_CALL_MMAP:
	case FS_CALL_MUNMAP:
	case FS_CALL_MPROTECT:
	case FS_CALL_MADVISE:
	case FS_CALL_PKEY_MPROTECT:
	case FS_CALL_MBIND:
	case FS_CALL_SET_MEMPOLICY_HOME_NODE:
	case FS_CALL_REMAP_FILE_PAGES:
	case FS_CALL_MSEAL:
	case FS_CALL_MAP_SHADOW_STACK:
		return page_ceil(c->args[1]);
	case FS_CALL_MLOCK:
	case FS_CALL_MLOCK2:
	case FS_CALL_MUNLOCK:
		return page_ceil(c->args[1] + (c->args[0] & (PAGE_BYTES - 1)));
	case FS_CALL_MREMAP:
		return page_ceil(c->args[2]);
	case FS_CALL_SHMGET:
		return page_ceil(c->args[1]);
	case FS_CALL_SHMAT:
	case FS_CALL_IO_SETUP:
		at = c->call == FS_CALL_SHMAT + 1 ? c->ret : c->args[2];
		return vma_find(mm, at, &vma, &at) ? vma.end - vma.start : 0;
	case FS_CALL_SHMDT:
	case FS_CALL_IO_DESTROY:
		return c->bytes;
	case FS_CALL_PRCTL:
		return page_ceil(c->args[3]);
	case FS_CALL_IOCTL:
		return c->args[4];
	case FS_CALL_PROCESS_MADVISE:
		return c->ret;
	case FS_CALL_BRK:
		return c->ret - (s64)c->brk;
	}
	return 0;
}

static __always_inline bool call_failed(const struct call_state *c)
{
	/* brk returns the break as it is when it fails; brk(0) asks for it */
	if (c->call == FS_CALL_BRK + 1)
		return c->args[0] && (u64)c->ret != c->args[0];
	return (u64)c->ret >= (u64)-4095L;
}

/* The address whose region a call has populated. */
static __always_inline u64 populated_at(const struct call_state *c)
{
	switch (c->call - 1) {
	case FS_CALL_MMAP:
	case FS_CALL_MREMAP:
	case FS_CALL_SHMAT:
	case FS_CALL_MAP_SHADOW_STACK:
		return c->ret;
	case FS_CALL_BRK:
		return c->brk;
	case FS_CALL_IO_SETUP:
	case FS_CALL_PRCTL:
		return c->args[2];
	case FS_CALL_IOCTL:
		return c->args[3];
	case FS_CALL_MLOCKALL:
	case FS_CALL_PROCESS_MADVISE:
	case FS_CALL_USERFAULTFD:
		return 0;
	}
	return c->args[0];
}

/* include/uapi/asm-generic/mman-common.h */
#define MAP_FIXED_FLAG    0x10
#define MREMAP_FIXED_FLAG 2

/* Does this advice change the VMAs themselves, and not what is in them? */
static __always_inline bool advice_changes(u32 advice)
{
	return advice <= 2 || (advice >= 10 && advice <= 19);
}

/*
 * Where else than at its first argument mremap has changed something, 0: nowhere. What was at an
 * address that was given is gone even where the call has failed after that.
 */
static __always_inline u64 mremap_other(const struct call_state *c)
{
	if (c->failed)
		return c->args[3] & MREMAP_FIXED_FLAG ? page_floor(c->args[4]) : 0;
	return (u64)c->ret == c->args[0] ? 0 : c->ret;
}

/* The range that a call has, or may have, changed; *to == 0: none. */
static __always_inline void call_range(struct mm_struct *mm, const struct call_state *c, u64 *from,
				       u64 *to)
{
	u64 at = c->args[0], bytes = 0, brk = c->brk;

	switch (c->call - 1) {
	case FS_CALL_MMAP:
		at = c->failed ? at : c->ret;
		if (!c->failed || (c->args[3] & MAP_FIXED_FLAG))
			bytes = c->args[1];
		break;
	case FS_CALL_MREMAP:
		bytes = c->args[1];
		if (!mremap_other(c) && bytes < c->args[2])
			bytes = c->args[2];
		break;
	case FS_CALL_BRK:
		if (cfg.calls_alone) { /* where it was is not known: all of the heap */
			at = page_ceil(KERNEL_READ(mm, start_brk));
			bytes = page_ceil(c->ret) > at ? page_ceil(c->ret) - at : PAGE_BYTES;
			break;
		}
		at = page_ceil(c->ret < brk ? c->ret : brk);
		bytes = page_ceil(c->ret < brk ? brk : c->ret) - at;
		break;
	case FS_CALL_SHMAT:
	case FS_CALL_SHMDT:
	case FS_CALL_IO_SETUP:
	case FS_CALL_IO_DESTROY:
		at = c->call == FS_CALL_SHMAT + 1    ? c->ret :
		     c->call == FS_CALL_IO_SETUP + 1 ? c->args[2] :
						       at;
		bytes = c->failed ? 0 : c->bytes;
		break;
	case FS_CALL_MAP_SHADOW_STACK:
		at = c->ret;
		bytes = c->failed ? 0 : c->args[1];
		break;
	case FS_CALL_PRCTL:
		at = c->args[2];
		bytes = c->args[3];
		break;
	case FS_CALL_IOCTL:
		at = c->args[3];
		bytes = c->args[4];
		break;
	case FS_CALL_MADVISE:
		bytes = advice_changes(c->args[2]) ? c->args[1] : 0;
		break;
	case FS_CALL_MUNMAP:
		bytes = c->failed ? 0 : c->args[1];
		break;
	case FS_CALL_MPROTECT: /* these may have changed a part before they failed */
	case FS_CALL_MLOCK:
	case FS_CALL_MLOCK2:
	case FS_CALL_MUNLOCK:
	case FS_CALL_PKEY_MPROTECT:
	case FS_CALL_MBIND:
	case FS_CALL_SET_MEMPOLICY_HOME_NODE:
	case FS_CALL_REMAP_FILE_PAGES:
	case FS_CALL_MSEAL:
		bytes = c->args[1];
		break;
	}
	*from = page_floor(at);
	*to = bytes ? page_ceil(at + bytes) : 0;
	if (*to > USER_END || *to <= *from) /* nonsense that was refused */
		*to = 0;
}

#endif /* FS_CALL_RANGE_BPF_H */
