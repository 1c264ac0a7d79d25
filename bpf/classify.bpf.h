/* SPDX-License-Identifier: GPL-2.0-only */
/* What a fault was: by the page-table entry before it, the one after it, and its VMA. */
#ifndef FS_CLASSIFY_BPF_H
#define FS_CLASSIFY_BPF_H

#include "pgtable.bpf.h"
#include "vma.bpf.h"

/* Present to absent, absent to present: what the two entries and the VMA say. */
static __always_inline u8 classify_present(struct entry before, struct entry after, u64 addr,
					   u8 access)
{
	if (access == FS_ACCESS_WRITE && !entry_writable(before.value)) {
		if (!entry_present(after.value)) /* gone again */
			return FS_CLASS_COW;
		if (entry_pfn_at(before, addr) == entry_pfn_at(after, addr))
			return FS_CLASS_REUSE;
		return FS_CLASS_COW;
	}
	return FS_CLASS_SPURIOUS;
}

static __always_inline u8 classify_file(const struct vma_slot *slot, u8 access, bool major)
{
	bool shmem = slot->region == FS_REGION_SHM;

	if (major)
		return shmem ? FS_CLASS_SWAP : FS_CLASS_READ;
	if (shmem)
		return FS_CLASS_SHMEM;
	if (access == FS_ACCESS_WRITE && !(slot->vm_flags & VM_MAYSHARE))
		return FS_CLASS_COW;
	return FS_CLASS_FILE;
}

static __always_inline bool is_file_backed(u8 region)
{
	return region == FS_REGION_FILE || region == FS_REGION_FILE_SHARED ||
	       region == FS_REGION_SHM || region == FS_REGION_DEVICE || region == FS_REGION_VDSO;
}

/* What the kernel had to do, from the entry before and after; *order of what was made present. */
static __always_inline u8 classify(const struct task_state *st, const struct vma_slot *slot,
				   struct entry after, u8 access, bool major, u8 *order)
{
	struct entry before = { .value = st->before, .level = st->before_level };

	*order = 0;
	if (slot->region == FS_REGION_HUGETLB) {
		*order = after.level == PUD_LEVEL ? 18 : 9;
		return FS_CLASS_HUGETLB;
	}
	if (!before.level)
		return is_file_backed(slot->region) ? classify_file(slot, access, major) :
						      FS_CLASS_UNKNOWN;
	if (entry_protnone(before.value))
		return FS_CLASS_NUMA;
	if (entry_present(before.value))
		return classify_present(before, after, st->addr, access);
	if (before.value) { /* a swap entry, or one of the kinds that share their encoding */
		if (entry_swap_type(before.value) < MAX_SWAPFILES)
			return FS_CLASS_SWAP;
		return slot->vm_flags & (VM_UFFD_MISSING | VM_UFFD_WP) ? FS_CLASS_UFFD :
									 FS_CLASS_SPURIOUS;
	}
	if (slot->vm_flags & VM_UFFD_MISSING)
		return FS_CLASS_UFFD;
	if (after.level == PMD_LEVEL && entry_present(after.value)) {
		if (!is_file_backed(slot->region) && access != FS_ACCESS_WRITE)
			return FS_CLASS_ZERO; /* the huge zero page */
		*order = 9;
		return FS_CLASS_THP;
	}
	if (is_file_backed(slot->region))
		return classify_file(slot, access, major);
	if (!entry_present(after.value)) /* gone again */
		return access == FS_ACCESS_READ ? FS_CLASS_ZERO : FS_CLASS_ANON;
	return entry_special(after.value) ? FS_CLASS_ZERO : FS_CLASS_ANON;
}

/*
 * Does the kernel map a page dirty here, whatever the access was? One that a userfaultfd handler has
 * copied (mfill_atomic_install_pte() of mm/userfaultfd.c), and a shared one of hugetlbfs
 * (make_huge_pte() of mm/hugetlb.c).
 */
static __always_inline bool mapped_dirty(const struct vma_slot *slot)
{
	return (slot->vm_flags & VM_UFFD_MISSING) ||
	       (slot->region == FS_REGION_HUGETLB && (slot->vm_flags & VM_SHARED));
}

/*
 * Software events have no error code: the page-table entries tell a write from a read. Not where the
 * entry was dirty before: NUMA hinting faults and those that set the accessed bit leave it so.
 */
static __always_inline u8 access_from_entries(const struct task_state *st,
					      const struct vma_slot *slot, struct entry after)
{
	struct entry before = { .value = st->before, .level = st->before_level };
	bool present = before.level && entry_present(before.value);

	if (!after.level)
		return FS_ACCESS_UNKNOWN;
	if (present && !entry_writable(before.value)) /* after a write it is writable, or gone */
		return entry_present(after.value) && !entry_writable(after.value) ? FS_ACCESS_READ :
										    FS_ACCESS_WRITE;
	if (!entry_dirty(after.value))
		return FS_ACCESS_READ;
	if (present || (before.level && entry_protnone(before.value)))
		return entry_dirty(before.value) ? FS_ACCESS_UNKNOWN : FS_ACCESS_WRITE;
	/* a huge page where a table was: khugepaged has collapsed it meanwhile, and maps it dirty */
	if (mapped_dirty(slot) || (before.level && before.level < after.level))
		return FS_ACCESS_UNKNOWN;
	return FS_ACCESS_WRITE;
}

#endif /* FS_CLASSIFY_BPF_H */
