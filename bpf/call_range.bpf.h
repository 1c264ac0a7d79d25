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
static __noinline s64 call_bytes(struct mm_struct *mm, struct task_state *st, s64 ret, bool failed)
{
	struct vma_copy c;
	u64 at;

	if (failed)
		return 0;
	switch (st->call - 1) {
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
		return page_ceil(st->call_args[1]);
	case FS_CALL_MLOCK:
	case FS_CALL_MLOCK2:
	case FS_CALL_MUNLOCK:
		return page_ceil(st->call_args[1] + (st->call_args[0] & (PAGE_BYTES - 1)));
	case FS_CALL_MREMAP:
		return page_ceil(st->call_args[2]);
	case FS_CALL_SHMGET:
		return page_ceil(st->call_args[1]);
	case FS_CALL_SHMAT:
	case FS_CALL_IO_SETUP:
		at = st->call == FS_CALL_SHMAT + 1 ? ret : st->call_args[2];
		return vma_find(mm, at, &c, &at) ? c.end - c.start : 0;
	case FS_CALL_SHMDT:
	case FS_CALL_IO_DESTROY:
		return st->call_bytes;
	case FS_CALL_PRCTL:
		return page_ceil(st->call_args[3]);
	case FS_CALL_IOCTL:
		return st->call_args[4];
	case FS_CALL_PROCESS_MADVISE:
		return ret;
	case FS_CALL_BRK:
		return ret - (s64)st->call_brk;
	}
	return 0;
}

static __always_inline bool call_failed(struct task_state *st, s64 ret)
{
	/* brk returns the break as it is when it fails; brk(0) asks for it */
	if (st->call == FS_CALL_BRK + 1)
		return st->call_args[0] && (u64)ret != st->call_args[0];
	return (u64)ret >= (u64)-4095L;
}

/* The address whose region a call has populated. */
static __always_inline u64 populated_at(struct task_state *st, s64 ret)
{
	switch (st->call - 1) {
	case FS_CALL_MMAP:
	case FS_CALL_MREMAP:
	case FS_CALL_SHMAT:
	case FS_CALL_MAP_SHADOW_STACK:
		return ret;
	case FS_CALL_BRK:
		return st->call_brk;
	case FS_CALL_IO_SETUP:
	case FS_CALL_PRCTL:
		return st->call_args[2];
	case FS_CALL_IOCTL:
		return st->call_args[3];
	case FS_CALL_MLOCKALL:
	case FS_CALL_PROCESS_MADVISE:
	case FS_CALL_USERFAULTFD:
		return 0;
	}
	return st->call_args[0];
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
static __always_inline u64 mremap_other(const struct task_state *st, s64 ret, bool failed)
{
	if (failed)
		return st->call_args[3] & MREMAP_FIXED_FLAG ? page_floor(st->call_args[4]) : 0;
	return (u64)ret == st->call_args[0] ? 0 : ret;
}

/* The range that a call has, or may have, changed; *to == 0: none. */
static __always_inline void call_range(struct mm_struct *mm, struct task_state *st, s64 ret,
				       bool failed, u64 *from, u64 *to)
{
	u64 at = st->call_args[0], bytes = 0, brk = st->call_brk;

	switch (st->call - 1) {
	case FS_CALL_MMAP:
		at = failed ? at : ret;
		if (!failed || (st->call_args[3] & MAP_FIXED_FLAG))
			bytes = st->call_args[1];
		break;
	case FS_CALL_MREMAP:
		bytes = st->call_args[1];
		if (!mremap_other(st, ret, failed) && bytes < st->call_args[2])
			bytes = st->call_args[2];
		break;
	case FS_CALL_BRK:
		if (cfg.calls_alone) { /* where it was is not known: all of the heap */
			at = page_ceil(KERNEL_READ(mm, start_brk));
			bytes = page_ceil(ret) > at ? page_ceil(ret) - at : PAGE_BYTES;
			break;
		}
		at = page_ceil(ret < brk ? ret : brk);
		bytes = page_ceil(ret < brk ? brk : ret) - at;
		break;
	case FS_CALL_SHMAT:
	case FS_CALL_SHMDT:
	case FS_CALL_IO_SETUP:
	case FS_CALL_IO_DESTROY:
		at = st->call == FS_CALL_SHMAT + 1    ? ret :
		     st->call == FS_CALL_IO_SETUP + 1 ? st->call_args[2] :
							at;
		bytes = failed ? 0 : st->call_bytes;
		break;
	case FS_CALL_MAP_SHADOW_STACK:
		at = ret;
		bytes = failed ? 0 : st->call_args[1];
		break;
	case FS_CALL_PRCTL:
		at = st->call_args[2];
		bytes = st->call_args[3];
		break;
	case FS_CALL_IOCTL:
		at = st->call_args[3];
		bytes = st->call_args[4];
		break;
	case FS_CALL_MADVISE:
		bytes = advice_changes(st->call_args[2]) ? st->call_args[1] : 0;
		break;
	case FS_CALL_MUNMAP:
		bytes = failed ? 0 : st->call_args[1];
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
		bytes = st->call_args[1];
		break;
	}
	*from = page_floor(at);
	*to = bytes ? page_ceil(at + bytes) : 0;
	if (*to > USER_END || *to <= *from) /* nonsense that was refused */
		*to = 0;
}

#endif /* FS_CALL_RANGE_BPF_H */
