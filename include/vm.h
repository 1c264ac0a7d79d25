/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages, and the flags of a VMA: include/linux/mm.h, bits 0 to 31, which are the same in all kernels
 * from 5.4 to 7.0. Include <linux/types.h> or vmlinux.h first.
 */
#ifndef FS_VM_H
#define FS_VM_H

#ifndef PAGE_SHIFT
#define PAGE_SHIFT 12
#endif
#define PAGE_BYTES (1ULL << PAGE_SHIFT)

#define VM_READ         0x00000001UL
#define VM_WRITE        0x00000002UL
#define VM_EXEC         0x00000004UL
#define VM_SHARED       0x00000008UL
#define VM_MAYSHARE     0x00000080UL
#define VM_GROWSDOWN    0x00000100UL
#define VM_UFFD_MISSING 0x00000200UL
#define VM_PFNMAP       0x00000400UL
#define VM_UFFD_WP      0x00001000UL
#define VM_LOCKED       0x00002000UL
#define VM_IO           0x00004000UL
#define VM_DONTCOPY     0x00020000UL
#define VM_LOCKONFAULT  0x00080000UL
#define VM_ACCOUNT      0x00100000UL
#define VM_HUGETLB      0x00400000UL
#define VM_WIPEONFORK   0x02000000UL
#define VM_SOFTDIRTY    0x08000000UL

/* The address, or size, of whole pages at or below v, at or above v. */
static inline __u64 page_floor(__u64 v)
{
	return v & ~(PAGE_BYTES - 1);
}

static inline __u64 page_ceil(__u64 v)
{
	return page_floor(v + PAGE_BYTES - 1);
}

#endif /* FS_VM_H */
