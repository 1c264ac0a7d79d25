/* SPDX-License-Identifier: GPL-2.0-only */
/* Where a finished fault goes: into a cell of the kernel's own table, or into this CPU's ring. */
#ifndef FS_EMIT_BPF_H
#define FS_EMIT_BPF_H

#include "state.bpf.h"

/* Numbers of cells that are free, and of those in use by their key. */
struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, FS_CELLS);
	__type(value, u32);
} free_cells SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, FS_CELLS);
	__type(key, struct fs_cell_key);
	__type(value, u32);
} cell_numbers SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fs_cell);
} cells SEC(".maps");

/* By number. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, FS_CELLS + 1);
	__type(key, u32);
	__type(value, struct fs_cell_owner);
} cell_owners SEC(".maps");

/* The number of the cell for a key, taken from the queue when it is new; 0: none is free. */
static __noinline u32 cell_number(struct fs_cell_key *key)
{
	u32 *known = bpf_map_lookup_elem(&cell_numbers, key), n = 0;
	struct fs_cell_owner *owner;

	if (known)
		return *known;
	if (bpf_map_pop_elem(&free_cells, &n))
		return 0;
	owner = bpf_map_lookup_elem(&cell_owners, &n);
	if (!owner)
		return 0;
	if (!bpf_map_update_elem(&cell_numbers, key, &n, BPF_NOEXIST)) {
		owner->key = *key;
		__sync_lock_test_and_set(&owner->used, 1); /* the key is whole before */
		return n;
	}
	bpf_map_push_elem(&free_cells, &n, 0); /* another CPU was first */
	known = bpf_map_lookup_elem(&cell_numbers, key);
	return known ? *known : 0;
}

static __always_inline bool cell_add(struct fs_cpu *cpu, struct task_state *st,
				     struct vma_slot *slot, u32 class, u32 flags, u32 order,
				     u64 latency)
{
	u32 ncpus = cfg.ncpus, index, n = 0, at;
	bool below = st->addr < slot->split;
	struct fs_cell *cell;

	if (class >= FS_CLASS_NR || st->exiting)
		return false;
	if (below)
		n = slot->cells[class];
	if (!n) {
		struct fs_cell_key key = {};

		key.cgroup_id = cfg.want_cgroup ? st->cgroup_id : 0;
		key.image = st->image;
		key.pid = st->who >> 32;
		key.tid = cfg.by_thread ? (u32)st->who : 0;
		key.region_id = cfg.by_mapping ? slot->region_id : 0;
		key.region = below ? slot->below : slot->above;
		key.class = class;
		n = cell_number(&key);
		if (!n)
			return false;
		if (below)
			slot->cells[class] = n;
	}
	index = n * ncpus + bpf_get_smp_processor_id();
	cell = bpf_map_lookup_elem(&cells, &index);
	if (!cell)
		return false;
	cell->faults++;
	cell->pages += 1ULL << (order & 31);
	if (flags & FS_FAULT_MAJOR)
		cell->major++;
	if (flags & FS_FAULT_KERNEL)
		cell->kernel++;
	if (flags & FS_FAULT_NO_LATENCY)
		return true;
	cell->sum_ns += latency;
	if (latency > cell->max_ns)
		cell->max_ns = latency;
	at = fs_hist_slot(latency);
	if (at < FS_HIST_SLOTS)
		cell->slots[at]++;
	return true;
}

/*
 * The line that the next record goes to is in no cache near: the ring is larger than they are. A
 * store to it while the fault begins has it fetched while the fault is handled.
 */
static __always_inline void fault_emit_soon(void)
{
	u32 id = bpf_get_smp_processor_id(), index;
	struct fs_cpu *cpu = bpf_map_lookup_elem(&cpus, &id);
	struct fs_fault *f;

	if (!cpu)
		return;
	index = (id << cfg.ring_shift) + (cpu->head & ((1U << cfg.ring_shift) - 1));
	f = bpf_map_lookup_elem(&fault_rings, &index);
	if (f && cpu->head - cpu->tail_seen < (1ULL << cfg.ring_shift))
		*(volatile u8 *)&f->pad = 0;
}

static __always_inline void fault_emit(struct fs_cpu *cpu, struct task_state *st,
				       struct vma_slot *slot, u32 class, u32 flags, u32 order,
				       u64 latency)
{
	u32 id = bpf_get_smp_processor_id(), index;
	u64 head = cpu->head;
	struct fs_fault *f;

	if (cpu->busy) {
		cpu->lost[FS_LOSS_FAULT_BUSY]++;
		return;
	}
	/* the consumer's line is fetched only where the ring looks full without it */
	if (head - cpu->tail_seen >= (1ULL << cfg.ring_shift))
		cpu->tail_seen = *(volatile u64 *)&cpu->tail;
	if (head - cpu->tail_seen >= (1ULL << cfg.ring_shift)) {
		cpu->lost[FS_LOSS_FAULT_RING]++;
		return;
	}
	index = (id << cfg.ring_shift) + (head & ((1U << cfg.ring_shift) - 1));
	f = bpf_map_lookup_elem(&fault_rings, &index);
	if (!f)
		return;
	*(volatile u32 *)&cpu->busy = 1;
	f->time_ns = st->entry_ns;
	f->latency_ns = latency;
	f->addr = st->addr;
	f->ip = st->ip;
	f->cgroup_id = cfg.want_cgroup ? st->cgroup_id : 0;
	f->pid = st->who >> 32;
	f->tid = (u32)st->who;
	f->region_id = slot->region_id;
	f->stack_id = cfg.fault_stacks ? st->stack_id : 0;
	f->region = slot->region;
	f->class = class;
	f->access = st->access;
	f->flags = flags | st->loading;
	f->order = order;
	f->pad = 0;
	f->cpu = id;
	publish_head(cpu, head);
	*(volatile u32 *)&cpu->busy = 0;
}

#endif /* FS_EMIT_BPF_H */
