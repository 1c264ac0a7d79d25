/* SPDX-License-Identifier: GPL-2.0-only */
/* From an address to its region: base kind and id, sent to user space when it is new. */
#ifndef FS_REGION_BPF_H
#define FS_REGION_BPF_H

#include "ids.bpf.h"
#include "path.bpf.h"
#include "vma.bpf.h"

#define S_IFMT  0170000
#define S_IFCHR 0020000

ID_SETS(regions);

/* The VMA that ends at an address, where it is private and maps a file: data before its bss. */
struct previous {
	u64 start, pgoff;
	u32 file_id, flags;
};

/* What a lookup works with: more than the 512 bytes of stack that a chain of functions has. */
struct lookup {
	struct vma_copy vma, prev;
	struct mm_copy mm;
	struct fs_file_key file;
	struct previous before;
	struct id_hash hash;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct lookup);
} lookups SEC(".maps");

static __always_inline struct lookup *this_lookup(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&lookups, &zero);
}

/* ELF boundaries of files, pushed by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, struct fs_file_key);
	__type(value, struct fs_elf_spans);
} elf_spans SEC(".maps");

static __always_inline u8 file_region(u64 file, const struct vma_copy *c)
{
	struct inode *inode = KERNEL_READ((struct file *)file, f_inode);
	u32 mode = KERNEL_READ(inode, i_mode);

	if (c->flags & (VM_PFNMAP | VM_IO))
		return FS_REGION_DEVICE;
	/* MAP_SHARED of a file opened read-only keeps VM_MAYSHARE alone (mm/mmap.c) */
	if (c->flags & VM_MAYSHARE) {
		if (KERNEL_READ(inode, i_sb, s_magic) == TMPFS_MAGIC)
			return FS_REGION_SHM;
		return (mode & S_IFMT) == S_IFCHR ? FS_REGION_DEVICE : FS_REGION_FILE_SHARED;
	}
	return FS_REGION_FILE;
}

/*
 * Base region of a VMA at addr; [*start, *end) is cut to the part that has it. The tests for stack
 * and heap are the kernel's own, vma_is_initial_stack() and vma_is_initial_heap() of mm.h.
 */
static __always_inline u8 base_region(const struct mm_copy *mm, const struct vma_copy *c, u64 addr,
				      struct vma_slot *slot)
{
	if (c->flags & VM_HUGETLB)
		return FS_REGION_HUGETLB;
	if (c->file && c->ops)
		return file_region(c->file, c);
	if (c->flags & (VM_PFNMAP | VM_IO))
		return c->ops ? FS_REGION_VDSO : FS_REGION_DEVICE;
	if (c->ops)
		return FS_REGION_VDSO;
	if ((c->flags & VM_GROWSDOWN) || (c->start <= mm->start_stack && mm->start_stack <= c->end))
		return FS_REGION_STACK;
	if (c->start < mm->brk && c->end > mm->start_brk && mm->brk > mm->start_brk) {
		if (addr >= mm->start_brk) {
			if (slot->start < mm->start_brk)
				slot->start = mm->start_brk;
			return FS_REGION_HEAP;
		}
		slot->end = mm->start_brk; /* the program's bss, merged with its heap */
	}
	return c->flags & VM_EXEC ? FS_REGION_ANON_EXEC : FS_REGION_ANON;
}

static __always_inline void previous_read(struct mm_struct *mm, u64 start, struct lookup *look)
{
	struct previous *out = &look->before;
	struct vma_copy *prev = &look->prev;
	u64 at;

	out->start = out->pgoff = 0;
	out->file_id = out->flags = 0;
	if (!start || !vma_find(mm, start - 1, prev, &at) || !prev->file || !prev->ops ||
	    (prev->flags & VM_MAYSHARE))
		return;
	out->start = prev->start;
	out->pgoff = prev->pgoff;
	out->flags = prev->flags;
	file_key((void *)prev->file, &look->file);
	out->file_id = file_id((void *)prev->file, &look->file, BY_EVENT);
}

/* Layout of vma->anon_name, 5.17+ with CONFIG_ANON_VMA_NAME; up to 6.2 in a union with `shared`. */
struct anon_vma_name___compat {
	char name[0];
} __attribute__((preserve_access_index));

struct vm_area_struct___named {
	struct anon_vma_name___compat *anon_name;
} __attribute__((preserve_access_index));

static __always_inline void read_anon_name(u64 vma, struct fs_region_event *ev)
{
	struct vm_area_struct___named *v = (void *)vma;
	struct anon_vma_name___compat *name;

	ev->anon_name[0] = 0;
	if (!bpf_core_field_exists(v->anon_name))
		return;
	name = KERNEL_READ(v, anon_name);
	if (name)
		kernel_string(ev->anon_name, sizeof(ev->anon_name), &name->name);
}

static __noinline u32 region_send(struct mm_struct *mm, u64 vma, const struct vma_copy *c,
				  struct vma_slot *slot, bool listed)
{
	bool anon = slot->region == FS_REGION_ANON || slot->region == FS_REGION_ANON_EXEC;
	struct lookup *look = this_lookup();
	u32 id = next_id(ID_REGION), fid = 0;
	struct fs_region_event *ev;
	void *rb = control_ring();

	if (!look)
		return 0;
	if (c->file) {
		file_key((void *)c->file, &look->file);
		fid = file_id((void *)c->file, &look->file, BY_EVENT);
	}
	/* files first: their events must stand before this one in the ring */
	previous_read(mm, anon ? slot->start : 0, look);
	ev = rb ? bpf_ringbuf_reserve(rb, sizeof(*ev), 0) : NULL;
	if (!ev) {
		count_loss(FS_LOSS_CTL_RING);
		return 0;
	}
	head_init(&ev->head, FS_EVENT_REGION, sizeof(*ev));
	ev->id = id;
	ev->file_id = fid;
	ev->mm = (u64)mm;
	ev->start = slot->start;
	ev->end = slot->end;
	ev->pgoff = slot->pgoff >> PAGE_SHIFT;
	ev->vm_flags = c->flags & 0xffffffff;
	ev->end_data = KERNEL_READ(mm, end_data);
	ev->start_brk = KERNEL_READ(mm, start_brk);
	ev->brk = KERNEL_READ(mm, brk);
	ev->start_stack = KERNEL_READ(mm, start_stack);
	ev->region = slot->region;
	ev->listed = listed;
	__builtin_memset(ev->pad, 0, sizeof(ev->pad));
	ev->prev_start = look->before.start;
	ev->prev_pgoff = look->before.pgoff;
	ev->prev_file_id = look->before.file_id;
	ev->prev_flags = look->before.flags;
	ev->anon_name[0] = 0;
	if (anon)
		read_anon_name(vma, ev);
	bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
	return id;
}

/* Fill a slot from a VMA: base region, bounds, id. listed: see struct fs_region_event. */
static __always_inline void region_fill(struct mm_struct *mm, u64 vma, struct lookup *look,
					u64 addr, struct vma_slot *slot, bool listed)
{
	const struct vma_copy *c = &look->vma;
	struct id_hash *h = &look->hash;

	mm_read(mm, &look->mm);
	slot->start = c->start;
	slot->end = c->end;
	slot->vm_flags = c->flags;
	slot->region = base_region(&look->mm, c, addr, slot);
	slot->pgoff = (c->pgoff << PAGE_SHIFT) + (slot->start - c->start);
	h->first = h->second = 0;
	hash_add(h, (u64)mm);
	/* the same memory, another address space */
	hash_add(h, look->mm.start_stack);
	hash_add(h, look->mm.start_brk);
	/* which may lie as the one before did, where addresses are not random: setarch -R */
	hash_add(h, task_image(bpf_get_current_task_btf()));
	hash_add(h, slot->start);
	hash_add(h, slot->end);
	hash_add(h, slot->pgoff);
	hash_add(h, c->flags & 0xffffffff & ~VM_SOFTDIRTY);
	/* its inode's identity: a struct file's memory is used again at once */
	hash_add(h, c->file ? file_identity((void *)c->file) : 0);
	slot->region_id = id_known(&regions, h);
	if (slot->region_id)
		return;
	/* from a copy: in global functions Linux 6.1 does not take st's memory for a map's value */
	slot->region_id = region_send(mm, vma, c, slot, listed);
	if (slot->region_id)
		id_remember(&regions, h, slot->region_id);
}

/* VMAs that hold a thread's stack, by process and bound: which part is stack, user space decides. */
struct stack_key {
	u64 bound;
	u32 pid;
	u32 pad;
};

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct stack_key);
	__type(value, u32);
} stack_vmas SEC(".maps");

static __always_inline bool holds_thread_stack(const struct vma_copy *c)
{
	struct stack_key key = { .bound = c->start, .pid = bpf_get_current_pid_tgid() >> 32 };

	if (bpf_map_lookup_elem(&stack_vmas, &key))
		return true;
	key.bound = 0; /* it had threads before the trace: where, the loader knows */
	if (bpf_map_lookup_elem(&stack_vmas, &key))
		return true;
	key.bound = c->end;
	return bpf_map_lookup_elem(&stack_vmas, &key);
}

/* Refine a private mapping of a file; not exact where the object is not known (yet). */
static __always_inline void refine_file(const struct vma_copy *c, struct vma_slot *slot)
{
	u64 start = slot->pgoff, end = slot->pgoff + (slot->end - slot->start);
	struct fs_elf_spans *elf;
	struct fs_file_key key;
	u32 changes = 0;

	file_key((void *)c->file, &key);
	elf = bpf_map_lookup_elem(&elf_spans, &key);
	if (!elf)
		return;
	slot->below = slot->above = FS_REGION_FILE;
#pragma unroll
	for (int i = 0; i < FS_ELF_SPANS; i++) {
		if (i >= elf->nspans || elf->span[i].end <= start)
			continue;
		if (!changes) {
			slot->below = elf->span[i].region;
			slot->split = slot->start + (elf->span[i].end - start);
		} else if (changes == 1) {
			slot->above = elf->span[i].region;
		}
		changes++;
		if (elf->span[i].end >= end) {
			slot->exact = changes <= 2;
			break;
		}
	}
}

/* An anonymous mapping right behind an object's data is its bss, as far as the object says. */
static __always_inline void refine_bss(struct mm_struct *mm, struct vma_slot *slot)
{
	struct fs_elf_spans *elf;
	struct fs_file_key key;
	struct lookup *look = this_lookup();
	struct vma_copy *prev;
	u64 at, end;

	if (!look)
		return;
	prev = &look->prev;
	if (!vma_find(mm, slot->start - 1, prev, &at) || !prev->file || !prev->ops ||
	    (prev->flags & VM_MAYSHARE))
		return;
	slot->exact = 0;
	file_key((void *)prev->file, &key);
	elf = bpf_map_lookup_elem(&elf_spans, &key);
	if (!elf)
		return;
	slot->exact = 1;
	end = prev->start + (elf->bss_end - (prev->pgoff << PAGE_SHIFT));
	if (elf->bss_end && end > slot->start) {
		slot->above = slot->below;
		slot->below = FS_REGION_BSS;
		slot->split = end;
	}
}

/* In-kernel aggregation: what user space would make of this slot, if that can be known here. */
static __noinline void region_refine(struct mm_struct *mm, const struct vma_copy *c,
				     struct vma_slot *slot)
{
	slot->exact = 0;
	slot->below = slot->above = slot->region;
	slot->split = ~0UL;
#pragma unroll
	for (int i = 0; i < FS_CLASS_NR; i++)
		slot->cells[i] = 0;
	if (!slot->region_id)
		return;
	if (slot->region == FS_REGION_FILE) {
		refine_file(c, slot);
	} else if (slot->region == FS_REGION_ANON || slot->region == FS_REGION_ANON_EXEC) {
		slot->exact = 1;
		refine_bss(mm, slot);
		if (slot->exact && holds_thread_stack(c))
			slot->exact = 0;
	} else {
		slot->exact = 1;
	}
}

/*
 * The region at addr by a walk; kept in the task's cache where that can be trusted. A global function,
 * so that the verifier goes through it once and not once for each state of each caller.
 */
__noinline u32 region_lookup(struct task_state *st, u64 mm_addr, u64 addr, u32 seq)
{
	struct mm_struct *mm = (void *)mm_addr;
	struct fs_cpu *cpu = this_cpu();
	struct lookup *look = this_lookup();
	struct vma_slot *slot;
	struct vma_copy *c;
	u64 vma;
	u32 keep;

	if (!st || !cpu || !look)
		return VMA_CACHE;
	slot = &st->vmas[VMA_CACHE];
	cpu->walks++;
	c = &look->vma;
	st->grows = 0;
	if (!vma_find(mm, addr, c, &vma) && !(st->grows = vma_will_grow(mm, addr, c, &vma))) {
		slot->start = slot->end = 0;
		slot->vm_flags = 0;
		slot->region_id = 0;
		slot->region = (s64)addr < 0 ? FS_REGION_KERNEL : FS_REGION_NONE;
		slot->exact = 0; /* rare: streamed; the cells are those of another region */
		return VMA_CACHE;
	}
	region_fill(mm, vma, look, addr, slot, false);
	if (cfg.in_kernel)
		region_refine(mm, c, slot);
	if (!st->grows && slot->region_id && mm_seq_probe(mm_addr) == seq &&
	    mm_seq_holds(seq, vma)) {
		keep = st->next++ & (VMA_CACHE - 1);
		st->vmas[keep] = *slot;
		return keep;
	}
	return VMA_CACHE;
}

/* The address space is another one, or has changed: nothing that was kept of it holds. */
static __noinline u32 region_restart(struct task_struct *task, struct task_state *st,
				     struct mm_struct *mm, u32 seq)
{
#pragma unroll
	for (u32 i = 0; i < VMA_CACHE; i++)
		st->vmas[i].start = st->vmas[i].end = 0;
	/* a thread that calls execve becomes the leader */
	st->who = (u64)task->tgid << 32 | task->pid;
	if (st->mm != (u64)mm) {
		st->image_min = st->seen_min;
		st->image_maj = st->seen_maj;
		st->image = task_image(task);
		st->loading = !st->user && in_execve(task) ? FS_FAULT_LOADING : 0;
		st->mm_since_ns = cfg.latency && st->entry_ns ? st->entry_ns : bpf_ktime_get_ns();
		if (!cfg.latency)
			last_control_ns = st->mm_since_ns;
	}
	st->mm = (u64)mm;
	st->seq = seq;
	st->pmd.gib = 0;
	return 0;
}

/*
 * The region at addr, from the task's cache where its VMAs are known to be current. Returns its
 * index in st->vmas; region NONE where no VMA is. Where a stack may grow it is that (st->grows).
 */
static __always_inline u32 region_at(struct task_struct *task, struct task_state *st,
				     struct mm_struct *mm, u64 addr)
{
	u32 seq = mm_seq(mm);

	if (cfg.lock_seq && st->mm == (u64)mm && st->seq == seq) {
		struct vma_slot *last = slot_at(st, st->slot);

		if (st->slot < VMA_CACHE && addr >= last->start && addr < last->end)
			return st->slot;
#pragma unroll
		for (u32 i = 0; i < VMA_CACHE; i++)
			if (addr >= st->vmas[i].start && addr < st->vmas[i].end)
				return i;
	} else {
		region_restart(task, st, mm, seq);
	}
	/* read back: what was a pointer to the verifier is a number then */
	return region_lookup(st, *(volatile u64 *)&st->mm, addr, seq);
}

#endif /* FS_REGION_BPF_H */
