/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is mapped where, told to user space: after a call the state of the range that it affects, read
 * from the tree. Calls of several threads do not return in the order in which they changed the
 * address space, so that a call's arguments do not tell what is there now; a state with the time at
 * which it was so does.
 */
#ifndef FS_LAYOUT_BPF_H
#define FS_LAYOUT_BPF_H

#include "region.bpf.h"
#include "target.bpf.h"

#define LAYOUT_NONE  (~0UL) /* no address */
#define LAYOUT_TRIES 16     /* while others change it */
#define LAYOUT_CALLS 4096   /* events of one address space: 131,072 VMAs */

#define LAYOUT_AT __builtin_offsetof(struct fs_layout_event, layout)

/* Somebody's address space, told from an address on. */
struct layout_tell {
	u64 mm;
	u64 at, to;
	u32 pid, tid;
	u32 flags; /* of its events */
	u32 pad;
};

/* Room for an event, or for a call that a layout follows: from its beginning on. */
struct layout_room {
	char call[sizeof(struct fs_call_event) - LAYOUT_AT];
	struct fs_layout_event event;
	struct fs_vma vma[FS_LAYOUT_MAX];
	/* of the one that is being looked at */
	struct vma_copy copy;
	struct vma_slot slot;
	struct mm_copy mm;
	struct fs_file_key file;
	struct layout_tell tell; /* not on the stack, of which Linux 6.1 has little */
	struct call_state alone; /* a call of which nothing is kept */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BY_NR);
	__type(key, u32);
	__type(value, struct layout_room);
} layout_rooms SEC(".maps");

static __always_inline struct layout_room *layout_room(u32 by)
{
	return bpf_map_lookup_elem(&layout_rooms, &by);
}

/* Put the VMA at hand, cut to what is asked for, where it belongs. Returns where that ends. */
static __always_inline u64 layout_add(struct layout_room *room, u32 n, u64 from, u64 to, u32 by)
{
	const struct vma_copy *c = &room->copy;
	struct fs_vma *v = &room->vma[n & (FS_LAYOUT_MAX - 1)];

	v->start = c->start > from ? c->start : from;
	/* of huge pages the length that was asked for was rounded up */
	v->end = c->end < to || (c->flags & VM_HUGETLB) ? c->end : to;
	v->pgoff = c->pgoff + ((v->start - c->start) >> PAGE_SHIFT);
	v->vm_flags = c->flags;
	room->slot.start = c->start;
	room->slot.end = c->end;
	v->region = base_region(&room->mm, c, c->end - 1, &room->slot);
	v->file_id = 0;
	v->pad = 0;
	if (c->file) {
		file_key((void *)c->file, &room->file);
		v->file_id = file_id((void *)c->file, &room->file, by);
	}
	return v->end;
}

/*
 * One VMA or one gap from `at` on. Returns where it ends, LAYOUT_NONE: it cannot be read. Not part of the
 * loop around it: the compiler would take what another kernel has not got out of its condition.
 */
__noinline u64 layout_step(u64 mm, u64 at, u32 by, u32 seq)
{
	struct layout_room *room = layout_room(by);
	u64 last = ~0UL, vma, from, to;
	struct vma_copy *c;

	if (!room)
		return LAYOUT_NONE;
	c = &room->copy;
	from = room->event.layout.from;
	to = room->event.layout.to;
	vma = maple_walk(tree_root((void *)mm), at, &last);
	if (!vma)
		return last >= to - 1 ? to : last < at ? LAYOUT_NONE : last + 1;
	if (!vma_read(vma, c) || c->mm != mm || c->start > at || c->end <= at)
		return LAYOUT_NONE;
	if (cfg.lock_seq && !mm_seq_holds(seq, vma))
		return LAYOUT_NONE;
	return layout_add(room, room->event.layout.n++, from, to, by);
}

__noinline u32 layout_seq(u64 mm)
{
	return mm_seq_probe(mm);
}

/*
 * Read [from, to) of an address space into a room of this CPU: at most FS_LAYOUT_MAX VMAs; layout.to is
 * lower than asked for where there are more. Files that are new are sent. Returns how many. A global
 * function: see region_lookup().
 */
__noinline u32 layout_read(u64 mm, u64 from, u64 to, u32 by)
{
	struct layout_room *room = layout_room(by);
	u64 at = LAYOUT_NONE;
	struct fs_layout *l;
	u32 seq;

	if (!room)
		return 0;
	l = &room->event.layout;
	l->from = from;
	l->to = to;
	mm_read((void *)mm, &room->mm);
	for (u32 try = 0; try < LAYOUT_TRIES && at == LAYOUT_NONE; try++) {
		seq = layout_seq(mm);
		if (cfg.lock_seq && !mm_seq_quiet(seq))
			continue;
		at = from;
		l->n = 0;
		l->time_ns = bpf_ktime_get_ns();
		for (u32 i = 0; i < 2 * FS_LAYOUT_MAX && at < to && l->n < FS_LAYOUT_MAX; i++)
			at = layout_step(mm, at, by, seq);
		if (cfg.lock_seq && layout_seq(mm) != seq)
			at = LAYOUT_NONE;
	}
	l->flags = 0;
	if (at == LAYOUT_NONE) {
		l->n = 0;
		l->flags = FS_LAYOUT_UNSURE;
		l->time_ns = bpf_ktime_get_ns();
	} else {
		l->to = at;
	}
	return l->n;
}

/* task->mm as a number, as global functions want it. */
static __always_inline u64 task_mm(struct task_struct *task)
{
	return kernel_u64((u64)task + bpf_core_field_offset(struct task_struct, mm));
}

/* Read the next part into the caller's room. Returns the event's size, 0: there is nothing. */
static __always_inline u32 layout_part(struct layout_tell *t, struct layout_room *room, u32 by)
{
	struct fs_layout_event *ev = &room->event;
	u32 n = layout_read(t->mm, t->at, t->to, by);

	if (n > FS_LAYOUT_MAX || ev->layout.to <= t->at)
		return 0; /* it could not be read at all */
	head_init_at(&ev->head, FS_EVENT_LAYOUT, sizeof(*ev) + n * sizeof(struct fs_vma),
		     ev->layout.time_ns);
	ev->head.pid = t->pid;
	ev->head.tid = t->tid;
	ev->mm = t->mm;
	ev->start_brk = room->mm.start_brk;
	ev->start_stack = room->mm.start_stack;
	ev->layout.flags |= t->flags;
	t->at = ev->layout.to;
	return ev->head.size;
}

static long layout_send_part(u32 i, void *ctx)
{
	u32 by = *(u32 *)ctx, size;
	struct layout_room *room = layout_room(by);
	struct layout_tell *t;

	if (!room)
		return 1;
	t = &room->tell;
	size = layout_part(t, room, by);
	if (size < sizeof(room->event) || size > sizeof(room->event) + sizeof(room->vma) ||
	    !control_send(&room->event, size))
		return 1;
	return t->at >= t->to;
}

/* Send the state of [from, to) in events of its own. */
static __noinline int layout_send(struct task_struct *task, u64 from, u64 to, u32 flags, u32 by)
{
	struct layout_room *room = layout_room(by);
	struct layout_tell *t;

	if (!room)
		return 0;
	t = &room->tell;
	t->mm = task_mm(task);
	if (!t->mm)
		return 0;
	t->at = from;
	t->to = to;
	t->pid = task->tgid;
	t->tid = task->pid;
	t->flags = flags;
	bpf_loop(LAYOUT_CALLS, layout_send_part, &by, 0);
	return 0;
}

#define USER_END (1UL << 63) /* no address space reaches as far */

static __always_inline void layout_send_all(struct task_struct *task, u32 by)
{
	if (cfg.layouts)
		layout_send(task, 0, USER_END, 0, by);
}

/* What tell_layout tells of: the loader sets them before it reads. */
volatile __u64 layout_from = 0, layout_to = 0;

#define LAYOUT_WRITES 12 /* of one task: they have to fit into 32 KiB (bpf_seq_read()) */

/*
 * What processes have mapped: the loader reads it when it has attached everything, and again where
 * records were lost. Not by way of the rings, so that it cannot be lost itself; where it ends before
 * layout_to the loader reads on from there.
 */
SEC("?iter/task")
int tell_layout(struct bpf_iter__task *ctx)
{
	struct layout_tell t = { .at = layout_from, .to = layout_to };
	struct task_struct *task = ctx->task;
	struct layout_room *room = layout_room(BY_ITER);
	u32 size;

	if (!task || !room || task->pid != task->tgid ||
	    (cfg.target == FS_TARGET_TASKS && !is_member(task)))
		return 0;
	t.mm = task_mm(task);
	t.pid = t.tid = task->tgid;
	for (u32 i = 0; i < LAYOUT_WRITES && t.mm && t.at < t.to; i++) {
		size = layout_part(&t, room, BY_ITER);
		if (size < sizeof(room->event) || size > sizeof(room->event) + sizeof(room->vma))
			break;
		bpf_seq_write(ctx->meta->seq, &room->event, size);
	}
	return 0;
}

#endif /* FS_LAYOUT_BPF_H */
