/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that the loader runs, in its own context.
 *
 * Once: where in kernel memory is physical address 0 mapped?
 * The direct map is moved at boot (KASLR), in steps of 1 GiB or more, so mm->pgd, a virtual address
 * inside it, has the low 30 bits of its physical address, and what is unknown is a number of GiB.
 * Each candidate is tried: the page tables are walked with it to a page of the loader's that holds
 * 32 random bytes; the one that leads to those bytes is right. A wrong one reads memory that is not
 * there (an error, no harm) or memory that does not hold the bytes.
 */
#ifndef FS_PROBE_SETUP_BPF_H
#define FS_PROBE_SETUP_BPF_H

#include "emit.bpf.h"
#include "pgtable.bpf.h"
#include "region.bpf.h"
#include "unwind.bpf.h"

struct
try {
	u64 pgd;
	u64 found;
	u64 addr;
	u64 magic[4];
	u32 levels;
	u32 pad;
};

/* The leaf entry for addr, reached as table_walk() does. */
static __always_inline u64 leaf_entry(u64 base, u64 table, u64 addr, u32 levels)
{
	u64 e = 0;

	for (u32 level = 5; level >= 1; level--) {
		if (level > levels)
			continue;
		e = kernel_u64(table + ((addr >> (12 + 9 * (level - 1))) & 511) * 8);
		if (!entry_present(e))
			break;
		table = base + (e & ENTRY_PHYS);
	}
	return e;
}

static long try_candidate(u32 gib, struct try *t)
{
	/* V(pgd) = direct_map + P(pgd) with P(pgd) between gib and gib + 1 GiB */
	u64 base = (t->pgd & ~((1UL << 30) - 1)) - ((u64)gib << 30);
	u64 table = t->pgd, e = 0, seen[4] = {};

	if (t->levels == 5) {
		e = kernel_u64(table + ((t->addr >> 48) & 511) * 8);
		if (!entry_present(e))
			return 0;
		table = base + (e & ENTRY_PHYS);
	}
	for (int level = 4; level >= 1; level--) {
		e = kernel_u64(table + ((t->addr >> (12 + 9 * (level - 1))) & 511) * 8);
		if (!entry_present(e) || (level != 1 && level <= PUD_LEVEL && entry_huge(e)))
			return 0;
		table = base + (e & ENTRY_PHYS);
	}
	for (u32 i = 0; i < 4; i++)
		seen[i] = kernel_u64(table + (t->addr & 0xfff) + 8 * i);
	if (seen[0] != t->magic[0] || seen[1] != t->magic[1] || seen[2] != t->magic[2] ||
	    seen[3] != t->magic[3])
		return 0;
	t->found = base;
	return 1;
}

SEC("?syscall")
int find_direct_map(struct fs_calibrate *arg)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct try t = {};

	/* as a number: with pointers the verifier does not let one reckon */
	t.pgd = kernel_u64((u64)task + bpf_core_field_offset(struct task_struct, mm));
	t.pgd = kernel_u64(t.pgd + bpf_core_field_offset(struct mm_struct, pgd));
	t.addr = arg->addr;
	t.levels = arg->levels;
	t.magic[0] = arg->magic[0];
	t.magic[1] = arg->magic[1];
	t.magic[2] = arg->magic[2];
	t.magic[3] = arg->magic[3];
	bpf_loop(arg->candidates, try_candidate, &t, 0);
	arg->direct_map = t.found;
	if (t.found)
		arg->entry = leaf_entry(t.found, t.pgd, arg->closed, t.levels);
	arg->pgd = t.pgd;
	return 0;
}

/* Boundaries of a file. */
SEC("?syscall")
int note_spans(struct fs_note_spans *note)
{
	struct fs_elf_spans spans = note->spans;
	struct fs_file_key file = note->file;

	bpf_map_update_elem(&elf_spans, &file, &spans, BPF_ANY);
	return 0;
}

/* The unwind table of a file. */
SEC("?syscall")
int note_table(struct fs_note_table *note)
{
	struct fs_unwind_table table = note->table;
	struct fs_file_key file = note->file;

	if (file.ino || file.dev) {
		return bpf_map_update_elem(&unwind_tables, &file, &table, BPF_ANY);
	} else {
		vdso_table.first = table.first;
		vdso_table.nbuckets = table.nbuckets;
		vdso_table.at = table.at;
		vdso_table.kind = table.kind;
	}
	return 0;
}

/* Not of type syscall: up to 6.1 those may not use a queue. */
SEC("?raw_tp")
int cell_command(struct bpf_raw_tracepoint_args *ctx)
{
	u32 n = ctx->args[1];
	struct fs_cell_owner *owner = bpf_map_lookup_elem(&cell_owners, &n);

	if (!owner)
		return 0;
	/* one that cannot be forgotten is not given to another */
	if (ctx->args[0] == FS_CELL_FREE && !owner->used)
		bpf_map_push_elem(&free_cells, &n, 0);
	if (ctx->args[0] == FS_CELL_FORGET && !bpf_map_delete_elem(&cell_numbers, &owner->key))
		owner->used = 0;
	return 0;
}

/*
 * Tell what a task is called in the initial PID namespace: { tgid, tid }. The iterator is opened for
 * one task, by its number in the caller's namespace (bpf_iter_link_info.task, 6.1).
 */
SEC("?iter/task")
int tell_pid(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	u32 ids[2];

	if (!task)
		return 0;
	ids[0] = task->tgid;
	ids[1] = task->pid;
	bpf_seq_write(ctx->meta->seq, ids, sizeof(ids));
	return 0;
}

#endif /* FS_PROBE_SETUP_BPF_H */
