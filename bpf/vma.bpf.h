/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From an address to its VMA without a lock, and from the VMA to a region id.
 * The tree is read under RCU while it may change: what is found is checked against the address
 * and the address space, and cached only where mm_lock_seq shows that nothing changed meanwhile.
 */
#ifndef FS_VMA_BPF_H
#define FS_VMA_BPF_H

#include "state.bpf.h"

/* lib/maple_tree.c, include/linux/maple_tree.h; unchanged from 6.1 to 7.0 on 64 bit */
#define MAPLE_NODE_MASK       255UL
#define MAPLE_ARANGE_64       3
#define MAPLE_RANGE_64        2
#define MAPLE_RANGE_PIVOTS    15
#define MAPLE_ARANGE_PIVOTS   9
#define MAPLE_MAX_DEPTH       10
#define MAPLE_PIVOTS_AT       8
#define MAPLE_RANGE_SLOTS_AT  128
#define MAPLE_ARANGE_SLOTS_AT 80

struct node_copy {
	u64 parent;
	u64 pivot[15];
	u64 slot[16];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct node_copy);
} node_copies SEC(".maps");

/*
 * First slot whose pivot is not below addr; unused pivots are 0 and never match. Global functions,
 * here and below, are verified once, by themselves: the verifier would otherwise follow each of
 * 16 ways out of each level into all that comes after.
 */
__noinline u32 range_slot(u64 node, u64 addr)
{
	if (cfg.cast) {
		struct maple_range_64 *n = bpf_rdonly_cast(
			(void *)node, bpf_core_type_id_kernel(struct maple_range_64));
#pragma unroll
		for (u32 i = 0; i < MAPLE_RANGE_PIVOTS; i++)
			if (n->pivot[i] >= addr)
				return i;
	} else {
		u32 zero = 0;
		struct node_copy *n = bpf_map_lookup_elem(&node_copies, &zero);

		if (!n || bpf_probe_read_kernel(n, sizeof(*n), (void *)node))
			return MAPLE_RANGE_PIVOTS;
#pragma unroll
		for (u32 i = 0; i < MAPLE_RANGE_PIVOTS; i++)
			if (n->pivot[i] >= addr)
				return i;
	}
	return MAPLE_RANGE_PIVOTS;
}

__noinline u32 arange_slot(u64 node, u64 addr)
{
	if (cfg.cast) {
		struct maple_arange_64 *n = bpf_rdonly_cast(
			(void *)node, bpf_core_type_id_kernel(struct maple_arange_64));
#pragma unroll
		for (u32 i = 0; i < MAPLE_ARANGE_PIVOTS; i++)
			if (n->pivot[i] >= addr)
				return i;
	} else {
		u32 zero = 0;
		struct node_copy *n = bpf_map_lookup_elem(&node_copies, &zero);

		if (!n || bpf_probe_read_kernel(n, 80, (void *)node))
			return MAPLE_ARANGE_PIVOTS;
#pragma unroll
		for (u32 i = 0; i < MAPLE_ARANGE_PIVOTS; i++)
			if (n->pivot[i] >= addr)
				return i;
	}
	return MAPLE_ARANGE_PIVOTS;
}

/*
 * mtree_lookup_walk() of lib/maple_tree.c. 0: no VMA there; *last, where asked for, is then the last
 * address of the gap. The result is not checked.
 */
__noinline u64 maple_walk(u64 root, u64 addr, u64 *last)
{
	u64 entry = root;

	/* xa_is_node(): else the tree is empty or holds a single entry at index 0 */
	if ((root & 3) != 2 || root <= 4096)
		return 0;
	for (int depth = 0; depth < MAPLE_MAX_DEPTH; depth++) {
		u64 node = entry & ~MAPLE_NODE_MASK;
		u32 type = (entry >> 3) & 15;
		bool arange = type == MAPLE_ARANGE_64;
		u32 slot = arange ? arange_slot(node, addr) : range_slot(node, addr);

		/* the last slot ends where the node does: its parent has said where */
		if (last && slot < (arange ? MAPLE_ARANGE_PIVOTS : MAPLE_RANGE_PIVOTS))
			*last = kernel_u64(node + MAPLE_PIVOTS_AT + 8 * slot);
		entry = kernel_u64(node + (arange ? MAPLE_ARANGE_SLOTS_AT : MAPLE_RANGE_SLOTS_AT) +
				   8 * slot);
		if (type <
		    MAPLE_RANGE_64) /* a leaf; XA_ZERO_ENTRY and the like have low bits set */
			return entry & 3 ? 0 : entry;
		if (entry <= 4096)
			return 0;
	}
	return 0;
}

/* Fields of a VMA that are needed to name it, read in one go. */
struct vma_copy {
	u64 start, end, mm, flags, pgoff, file, ops;
};

/* One cast for all fields: KERNEL_READ() has one each, a fifth more code. */
static __always_inline bool vma_read(u64 at, struct vma_copy *c)
{
	struct vm_area_struct *vma = (void *)at;

	if (cfg.cast) {
		vma = bpf_rdonly_cast((void *)at, bpf_core_type_id_kernel(struct vm_area_struct));
		c->start = vma->vm_start;
		c->end = vma->vm_end;
		c->mm = (u64)vma->vm_mm;
		c->flags = vma->vm_flags;
		c->pgoff = vma->vm_pgoff;
		c->file = (u64)vma->vm_file;
		c->ops = (u64)vma->vm_ops;
	} else {
		c->start = BPF_CORE_READ(vma, vm_start);
		c->end = BPF_CORE_READ(vma, vm_end);
		c->mm = (u64)BPF_CORE_READ(vma, vm_mm);
		c->flags = BPF_CORE_READ(vma, vm_flags);
		c->pgoff = BPF_CORE_READ(vma, vm_pgoff);
		c->file = (u64)BPF_CORE_READ(vma, vm_file);
		c->ops = (u64)BPF_CORE_READ(vma, vm_ops);
	}
	return c->mm;
}

/* Of an address space, what names its regions. */
struct mm_copy {
	u64 start_stack, start_brk, brk;
};

static __always_inline void mm_read(struct mm_struct *mm, struct mm_copy *c)
{
	if (cfg.cast) {
		mm = bpf_rdonly_cast(mm, bpf_core_type_id_kernel(struct mm_struct));
		c->start_stack = mm->start_stack;
		c->start_brk = mm->start_brk;
		c->brk = mm->brk;
	} else {
		c->start_stack = BPF_CORE_READ(mm, start_stack);
		c->start_brk = BPF_CORE_READ(mm, start_brk);
		c->brk = BPF_CORE_READ(mm, brk);
	}
}

/* A number, as global functions want it. */
static __always_inline u64 tree_root(struct mm_struct *mm)
{
	return kernel_u64((u64)mm + bpf_core_field_offset(struct mm_struct, mm_mt.ma_root));
}

/* The VMA that holds addr, checked. false: none. */
static __always_inline bool vma_find(struct mm_struct *mm, u64 addr, struct vma_copy *c, u64 *at)
{
#pragma unroll
	for (int try = 0; try < 2; try++) {
		*at = maple_walk(tree_root(mm), addr, NULL);
		if (!*at)
			return false;
		if (vma_read(*at, c) && c->mm == (u64)mm && c->start <= addr && addr < c->end)
			return true;
	}
	*at = 0;
	return false;
}

/*
 * The stack that will hold addr when the fault there has succeeded, as it will be then: the kernel
 * lets the next VMA above grow down to the page, expand_stack() of mm/mmap.c. false: none.
 */
static __always_inline bool vma_will_grow(struct mm_struct *mm, u64 addr, struct vma_copy *c,
					  u64 *at)
{
	u64 last = 0, start = page_floor(addr);

	maple_walk(tree_root(mm), addr, &last);
	if (!last || !vma_find(mm, last + 1, c, at) || !(c->flags & VM_GROWSDOWN))
		return false;
	c->pgoff -= (c->start - start) >> PAGE_SHIFT;
	c->start = start;
	return true;
}

#endif /* FS_VMA_BPF_H */
