/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page tables, read without a lock: the entry before a fault and the entry after it tell what the
 * kernel did, on every kernel alike and without a probe of their own. A table is reached through
 * the direct map, whose place the loader has found and checked (probe_setup.bpf.h).
 * A table page can be freed while it is read; the entry after the fault is read by the thread that
 * just had it written, under the lock that keeps it.
 */
#ifndef FS_PGTABLE_BPF_H
#define FS_PGTABLE_BPF_H

#include "state.bpf.h"

#define PTE_LEVEL 1 /* 4 KiB pages: PTE 1, PMD 2, PUD 3, P4D 4, PGD 5 */
#define PMD_LEVEL 2
#define PUD_LEVEL 3

/* Written by the loader before the first event is attached. */
volatile struct fs_tables tables = {};

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/pgtable_types.h */
#define ENTRY_PHYS             0x000ffffffffff000UL
#define ENTRY_PRESENT          (1UL << 0)
#define ENTRY_WRITABLE         (1UL << 1)
#define ENTRY_ACCESSED         (1UL << 5)
#define ENTRY_DIRTY            (1UL << 6)
#define ENTRY_HUGE             (1UL << 7)
#define ENTRY_PROTNONE         (1UL << 8)
#define ENTRY_SPECIAL          (1UL << 9)
#define ENTRY_SOFT_DIRTY_SAVED (1UL << 58) /* _PAGE_SAVED_DIRTY, 6.6+ */

static __always_inline bool entry_present(u64 e)
{
	return e & ENTRY_PRESENT;
}

/* Mapped, but without access: NUMA hinting or mprotect(PROT_NONE). */
static __always_inline bool entry_protnone(u64 e)
{
	return !(e & ENTRY_PRESENT) && (e & ENTRY_PROTNONE);
}

static __always_inline bool entry_huge(u64 e)
{
	return e & ENTRY_HUGE;
}

static __always_inline bool entry_writable(u64 e)
{
	return e & ENTRY_WRITABLE;
}

static __always_inline bool entry_dirty(u64 e)
{
	return e & (ENTRY_DIRTY | ENTRY_SOFT_DIRTY_SAVED);
}

static __always_inline bool entry_special(u64 e)
{
	return e & ENTRY_SPECIAL;
}

/* Swap type: the top five bits (arch/x86/include/asm/pgtable_64.h, SWP_TYPE_BITS). */
static __always_inline u32 entry_swap_type(u64 e)
{
	return e >> 59;
}

/* PTI marks the user half of the kernel's table: only the address is used of upper levels. */
#else
/* arch/arm64/include/asm/pgtable-hwdef.h, pgtable-prot.h */
#define ENTRY_PHYS    0x0000fffffffff000UL
#define ENTRY_VALID   (1UL << 0)
#define ENTRY_TABLE   (1UL << 1)
#define ENTRY_RDONLY  (1UL << 7)
#define ENTRY_DBM     (1UL << 51)
#define ENTRY_SWDIRTY (1UL << 55)
#define ENTRY_SPECIAL (1UL << 56)

static __always_inline bool entry_present(u64 e)
{
	return e & ENTRY_VALID;
}

/*
 * Invalid but mapped: by PTE_PROT_NONE, bit 58, up to 6.9; by PTE_PRESENT_INVALID, bit 11, from 6.10
 * ("arm64/mm: Move PTE_PRESENT_INVALID to overlay PTE_NG"). The loader has
 * looked at an entry of its own to tell which. Swap entries keep that bit clear.
 */
static __always_inline bool entry_protnone(u64 e)
{
	return !(e & ENTRY_VALID) && (e & tables.no_access);
}

static __always_inline bool entry_huge(u64 e)
{
	return !(e & ENTRY_TABLE);
}

static __always_inline bool entry_writable(u64 e)
{
	return e & ENTRY_DBM; /* PTE_WRITE; read-only until the first write where it is clean */
}

static __always_inline bool entry_dirty(u64 e)
{
	return (e & ENTRY_SWDIRTY) || ((e & ENTRY_DBM) && !(e & ENTRY_RDONLY));
}

static __always_inline bool entry_special(u64 e)
{
	return e & ENTRY_SPECIAL;
}

/* arch/arm64/include/asm/pgtable.h, __SWP_TYPE_SHIFT, __SWP_TYPE_BITS */
static __always_inline u32 entry_swap_type(u64 e)
{
	return (e >> (tables.swap_shift & 63)) & 31;
}
#endif

#define MAX_SWAPFILES 23 /* include/linux/swap.h: types from here on are migration, poison… */

struct entry {
	u64 value;
	u32 level;
};

static __always_inline u64 entry_pfn(struct entry e)
{
	return (e.value & ENTRY_PHYS) >> 12;
}

/* The page frame that backs addr, whatever level the entry is of. */
static __always_inline u64 entry_pfn_at(struct entry e, u64 addr)
{
	if (e.level == PMD_LEVEL)
		return ((e.value & ENTRY_PHYS & ~0x1fffffUL) >> 12) + ((addr >> 12) & 511);
	if (e.level == PUD_LEVEL)
		return ((e.value & ENTRY_PHYS & ~0x3fffffffUL) >> 12) + ((addr >> 12) & 0x3ffff);
	return entry_pfn(e);
}

/* Read the entry of one level; true: the walk ends there. */
static __always_inline bool table_step(struct entry *e, u64 *table, u64 addr, u64 direct_map,
				       u32 level)
{
	e->level = level;
	e->value = kernel_u64(*table + ((addr >> (12 + 9 * (level - 1))) & 511) * 8);
	if (level == PTE_LEVEL || !entry_present(e->value) ||
	    (level <= PUD_LEVEL && entry_huge(e->value)))
		return true;
	*table = direct_map + (e->value & ENTRY_PHYS);
	return false;
}

/*
 * The lowest entry that exists for addr: a leaf, or the first that is not present (value 0: never
 * touched; level says where the walk ended). Level 0: tables cannot be read.
 *
 * The table of PMDs that the last walk came through is kept, for one GiB of addresses and as long as
 * the address space is known to be the same: it lives as long as one of its VMAs needs it.
 */
static __always_inline struct entry table_walk_from(u64 pgd, struct pmd_cache *pmd, u64 addr)
{
	u64 map = cfg.tables ? tables.direct_map : 0, table;
	struct entry e = {};

	if (!map)
		return e;
	if (pmd->gib == (addr >> 30) + 1) {
		table = pmd->table;
	} else {
		table = pgd;
		if (tables.levels == 5 && table_step(&e, &table, addr, map, 5))
			return e;
		if (table_step(&e, &table, addr, map, 4))
			return e;
		if (table_step(&e, &table, addr, map, PUD_LEVEL))
			return e;
		pmd->gib = (addr >> 30) + 1;
		pmd->table = table;
	}
	if (table_step(&e, &table, addr, map, PMD_LEVEL))
		return e;
	table_step(&e, &table, addr, map, PTE_LEVEL);
	return e;
}

static __always_inline struct entry table_walk(struct task_state *st, struct mm_struct *mm,
					       u64 addr)
{
	return table_walk_from((u64)mm->pgd, &st->pmd, addr);
}

#endif /* FS_PGTABLE_BPF_H */
