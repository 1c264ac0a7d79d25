/* SPDX-License-Identifier: GPL-2.0-only */
/* The executable mappings that a task's stacks lead through, found by the walk that finds the regions. */
#ifndef FS_CODE_BPF_H
#define FS_CODE_BPF_H

#include "stack_state.bpf.h"
#include "unwind_table.bpf.h"

/*
 * Is a mapping that has operations and no file the vdso? Special mappings have a name
 * (_install_special_mapping() of mm/mmap.c).
 */
static __always_inline bool is_vdso(u64 vma)
{
	struct vm_special_mapping *special =
		(void *)KERNEL_READ((struct vm_area_struct *)vma, vm_private_data);
	u64 name = kernel_u64((u64)KERNEL_READ(special, name));

	return (name & (~0UL >> 8)) == 0x5d6f7364765bUL; /* "[vdso]" and its end, little endian */
}

static __always_inline u64 code_identity(const struct vma_copy *c)
{
	return c->file ? file_identity((void *)c->file) : c->ops;
}

/* Is an executable mapping that was found before the address space changed still there? */
__noinline bool code_holds(struct stack_state *ss, u32 i)
{
	struct lookup *look = this_lookup();
	struct code_slot *code;
	struct mm_struct *mm;
	struct vma_copy *c;
	u64 vma;

	if (!ss || !look)
		return false;
	i &= CODE_SLOTS - 1;
	code = &ss->codes[i];
	if (!(ss->code_stale & (1U << i)))
		return true;
	if (code->table.kind == FS_UNWIND_NOTHING) /* a file that another process can open */
		return false;
	mm = (void *)*(volatile u64 *)&ss->mm;
	c = &look->vma;
	if (!vma_find(mm, code->start, c, &vma) || !(c->flags & VM_EXEC) ||
	    c->start != code->start || c->end != code->end || code_identity(c) != code->identity ||
	    (code->file_id != FS_FRAME_VDSO && c->pgoff << PAGE_SHIFT != code->offset))
		return false;
	ss->code_stale &= ~(1U << i);
	return true;
}

/* Find the executable mapping at addr and keep it. Its index; CODE_SLOTS: there is none. */
__noinline u32 code_find(struct stack_state *ss, u64 addr)
{
	struct lookup *look = this_lookup();
	struct mm_struct *mm;
	struct fs_unwind_table *table;
	struct code_slot *code;
	struct vma_copy *c;
	u32 keep, *id;
	u64 vma;

	if (!ss || !look)
		return CODE_SLOTS;
	mm = (void *)*(volatile u64 *)&ss->mm;
	c = &look->vma;
	if (!vma_find(mm, addr, c, &vma) || !(c->flags & VM_EXEC))
		return CODE_SLOTS;
	keep = ss->code_next++ & (CODE_SLOTS - 1);
	if (ss->kept_codes & (1U << keep))
		ss->kept_codes |= CODE_GONE;
	if (ss->walked_codes & (1U << keep))
		ss->walked_codes |= CODE_GONE;
	ss->code_stale &= ~(1U << keep);
	code = &ss->codes[keep];
	code->identity = code_identity(c);
	code->start = c->start;
	code->end = c->end;
	code->offset = c->pgoff << PAGE_SHIFT;
	code->file_id = 0;
	code->mapped_file = 0;
	code->table.kind = 0;
	if (c->file && c->ops) {
		file_key((void *)c->file, &look->file);
		code->mapped_file = 1;
		id = bpf_map_lookup_elem(&files, &look->file);
		table = bpf_map_lookup_elem(&unwind_tables, &look->file);
		if (id && table) {
			code->file_id = *id;
			code->table = *table;
		}
	} else if (c->ops && is_vdso(vma)) {
		code->offset = 0;
		code->mapped_file = 1;
		code->file_id = FS_FRAME_VDSO;
		code->table.kind = vdso_table.kind;
		code->table.first = vdso_table.first;
		code->table.nbuckets = vdso_table.nbuckets;
		code->table.at = vdso_table.at;
	}
	return keep;
}

static __always_inline u32 code_at(struct stack_state *ss, u64 addr)
{
	u32 last = ss->code;
	struct code_slot *code;

	asm volatile("" : "+r"(last));
	code = &ss->codes[last & (CODE_SLOTS - 1)];
	last &= CODE_SLOTS - 1;
	if (addr < code->start || addr >= code->end) {
		for (last = 0; last < CODE_SLOTS; last++)
			if (addr >= ss->codes[last].start && addr < ss->codes[last].end)
				break;
	}
	if (last < CODE_SLOTS && !(ss->code_stale & (1U << last)))
		return last;
	if (last < CODE_SLOTS) {
		if (code_holds(ss, last))
			return last;
		ss->codes[last].start = ss->codes[last].end = 0;
	}
	return code_find(ss, addr);
}

#endif /* FS_CODE_BPF_H */
