/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel sums up of a living process's memory: per mapping in /proc/PID/smaps, for all of
 * them in /proc/PID/status. The kernel gives kB, we bytes. Of the mappings alone, without their
 * sums, proc__maps() tells at a small part of the cost.
 *
 * Sources: proc_pid_smaps(5), proc_pid_status(5), Documentation/filesystems/proc.rst.
 */
#ifndef FS_REGION_SMAPS_H
#define FS_REGION_SMAPS_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "base/proc.h"

/* A mapping. What this kernel does not tell is 0. All in bytes but for thp_eligible and flags. */
struct smaps_vma {
	struct proc_map map;
	__u64 size, kernel_page_size, mmu_page_size;
	/* Mapped; not the zero page, nor hugetlb pages, nor frames of devices */
	__u64 rss, pss, pss_dirty;
	__u64 shared_clean, shared_dirty, private_clean, private_dirty;
	__u64 referenced;
	__u64 anonymous, ksm, lazyfree; /* of rss */
	__u64 anon_huge, shmem_pmd, file_pmd;
	__u64 shared_hugetlb, private_hugetlb;
	/* Of shared memory all of the object that is swapped out in this range, mapped before or not */
	__u64 swap, swap_pss;
	__u64 locked; /* the part of pss, where the mapping is locked */
	__u64 thp_eligible;
	char flags[200]; /* VmFlags: "rd wr mr", or "" */
};

/* Has the mapping a flag of VmFlags, which are two letters each? */
bool smaps__has_flag(const struct smaps_vma *v, const char *flag);

/*
 * Call fn for each mapping of a process, by rising address, until it returns not 0; v and its name
 * are valid during the call only. Returns what the last call returned; -ESRCH where the process has
 * no memory (a zombie, a thread of the kernel), is gone, or went or called execve(2) meanwhile: fn has
 * had some mappings then; -EACCES or another -errno.
 */
int smaps__read(__u32 pid, int (*fn)(void *ctx, const struct smaps_vma *v), void *ctx);

/*
 * The same from a text like that of smaps or smaps_rollup; unknown lines are passed over. -ENODATA
 * where it ends in the middle of a line: the mapping it is part of is not given.
 */
int smaps__parse(FILE *f, int (*fn)(void *ctx, const struct smaps_vma *v), void *ctx);

/* Of a whole process; all 0 but threads for one that has no memory. In bytes but for threads. */
struct status_mem {
	__u64 vm_peak, vm_size, vm_lck, vm_pin, vm_data, vm_stk, vm_exe, vm_lib, vm_pte, vm_swap;
	/* The kernel's counters are behind by up to some dozen pages per thread or CPU */
	__u64 vm_hwm, vm_rss, rss_anon, rss_file, rss_shmem;
	__u64 hugetlb; /* of none of those before */
	__u64 threads;
};

/* 0, -ESRCH, -ENODATA where the text makes no sense, or -errno. */
int status__read(__u32 pid, struct status_mem *m);

/* The same from the text of a status file. 0, -ENODATA or -errno. */
int status__parse(FILE *f, struct status_mem *m);

/* vm.max_map_count: mappings that a process may have. 0, -EINVAL or -errno. */
int status__max_map_count(__u64 *n);

#endif /* FS_REGION_SMAPS_H */
