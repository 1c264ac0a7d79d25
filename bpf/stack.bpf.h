/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stacks of faults and mapping calls: taken, told from those that are known by a hash of their
 * frames, and sent once. A stack that leads into code whose table is not there yet is copied, and
 * the loader does the rest.
 */
#ifndef FS_STACK_BPF_H
#define FS_STACK_BPF_H

#include "code_list.bpf.h"
#include "unwind.bpf.h"

ID_SETS(stack_ids);

/*
 * Room for a copied stack in an event: the whole of it is sent if it fits. Most stacks take one or two
 * KiB.
 */
#define COPY_SMALL  2048
#define COPY_MEDIUM 8192
#define COPY_DEEP   16384 /* python3, compilers */
#define COPY_LARGE  65536

#define KERNEL_SKIP_MAX 16

#define COPY_FRAMES 24 /* with it; deeper stacks that are cut off so late take the large room */

static __always_inline struct stack_state *stack_state(struct task_struct *task)
{
	struct stack_state *ss =
		bpf_task_storage_get(&stacks, task, NULL, BPF_LOCAL_STORAGE_GET_F_CREATE);

	if (!ss)
		count_loss(FS_LOSS_STACK);
	return ss;
}

static __always_inline void stack_event_init(struct stack_state *ss, struct fs_stack_event *ev,
					     u32 id, u32 room, u32 size)
{
	struct task_struct *task = bpf_get_current_task_btf();

	head_init(&ev->head, FS_EVENT_STACK, size);
	ev->id = id;
	ev->nkernel = ss->event.nkernel;
	ev->nuser = ss->event.nuser;
	ev->end = ss->end;
	ev->call = ss->call;
	ev->room = room;
	ev->copied = 0;
	ev->code_id = ss->code_id;
	ev->pad = 0;
	ev->pages = 0;
	ev->image = task_image(task);
	ev->regs.ip = ss->regs.ip;
	ev->regs.sp = ss->regs.sp;
	ev->regs.fp = ss->regs.fp;
	ev->regs.lr = ss->regs.lr;
}

/* Behind a copy's frames. */
static __always_inline void copy_registers(u64 *to)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

#pragma unroll
	for (u32 i = 0; i < FS_STACK_REGISTERS; i++)
		if (user_register(regs, i, &to[i]))
			to[i] = 0;
}

/*
 * Copy up to `bytes` of the stack, behind room for frames. False: there was no room in the ring, or a page
 * is not there.
 */
static __always_inline bool stack_copy_send(struct stack_state *ss, u32 id, u64 have,
					    const u32 room, const u32 bytes)
{
	const u32 frames = sizeof(struct fs_stack_event) + room * sizeof(u64);
	const u32 head = frames + FS_STACK_REGISTERS * sizeof(u64);
	void *rb = control_ring(), *ev;
	u32 size = have < bytes ? have : bytes;

	ev = rb ? bpf_ringbuf_reserve(rb, head + bytes, 0) : NULL;
	if (!ev)
		return false;
	stack_event_init(ss, ev, id, room, head + bytes);
	bpf_probe_read_kernel(ev + sizeof(struct fs_stack_event), room * sizeof(u64),
			      ss->frames_at);
	copy_registers(ev + frames);
	asm volatile("" : "+r"(size)); /* the verifier wants the value itself checked */
	if (size > bytes || bpf_probe_read_user(ev + head, size, (void *)ss->regs.sp)) {
		bpf_ringbuf_discard(ev, BPF_RB_NO_WAKEUP);
		return false;
	}
	((struct fs_stack_event *)ev)->copied = size;
	bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
	return true;
}

#define COPY_PAGES (COPY_LARGE / PAGE_BYTES)

_Static_assert(PAGE_SHIFT == FS_STACK_PAGE_SHIFT, "pages of a copy");

/* The same page by page: some of a large frame may never have been touched. */
static __noinline bool stack_copy_pages(struct stack_state *ss, u32 id, u64 have)
{
	const u32 frames = sizeof(struct fs_stack_event) + FS_STACK_FRAMES * sizeof(u64);
	const u32 head = frames + FS_STACK_REGISTERS * sizeof(u64);
	u64 base = page_floor(ss->regs.sp), mask;
	u32 count = (have + (ss->regs.sp - base) + PAGE_BYTES - 1) / PAGE_BYTES;
	void *rb = control_ring(), *ev;

	ev = rb ? bpf_ringbuf_reserve(rb, head + COPY_LARGE, 0) : NULL;
	if (!ev)
		return false;
	stack_event_init(ss, ev, id, FS_STACK_FRAMES, head + COPY_LARGE);
	bpf_probe_read_kernel(ev + sizeof(struct fs_stack_event), FS_STACK_FRAMES * sizeof(u64),
			      ss->frames_at);
	copy_registers(ev + frames);
	ss->words[0] = 0; /* in memory: the verifier would follow each mask that there can be */
	for (u32 i = 0; i < COPY_PAGES && i < count; i++)
		if (!bpf_probe_read_user(ev + head + i * PAGE_BYTES, PAGE_BYTES,
					 (void *)base + i * PAGE_BYTES))
			ss->words[0] |= 1ULL << i;
	mask = ss->words[0];
	if (mask)
		((struct fs_stack_event *)ev)->copied = count < COPY_PAGES ? count * PAGE_BYTES :
									     COPY_LARGE;
	else
		((struct fs_stack_event *)ev)->end = FS_STACK_UNREADABLE;
	((struct fs_stack_event *)ev)->pages = mask;
	bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
	return true;
}

/*
 * What is between sp and the stack's upper end, sent with what is known of the stack. Returns its id; 0:
 * it is lost, and counted.
 */
__noinline u32 stack_copy(u32 code_id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stack_state *ss = stack_state(task);
	struct lookup *look = this_lookup();
	struct mm_struct *mm = task->mm;
	u32 id = next_id(ID_STACK);
	void *rb = control_ring();
	u64 vma, have, top;
	bool sent = false;

	/* a part of the ring is for all else */
	if (!ss || !mm || !rb || !look || !code_id ||
	    bpf_ringbuf_query(rb, BPF_RB_AVAIL_DATA) >
		    bpf_ringbuf_query(rb, BPF_RB_RING_SIZE) / 4 * 3 ||
	    !vma_find(mm, ss->regs.sp, &look->vma, &vma))
		goto out;
	top = KERNEL_READ(mm, start_stack); /* above: arguments and environment */
	if (top < ss->regs.sp || top > look->vma.end)
		top = look->vma.end;
	have = top - ss->regs.sp;
	ss->code_id = code_id;
	if (have > COPY_DEEP)
		sent = stack_copy_send(ss, id, have, FS_STACK_FRAMES, COPY_LARGE);
	else if (ss->event.nkernel + ss->event.nuser > COPY_FRAMES || have > COPY_MEDIUM)
		sent = stack_copy_send(ss, id, have, FS_STACK_FRAMES, COPY_DEEP);
	else if (have > COPY_SMALL)
		sent = stack_copy_send(ss, id, have, COPY_FRAMES, COPY_MEDIUM);
	else
		sent = stack_copy_send(ss, id, have, COPY_FRAMES, COPY_SMALL);
	if (!sent)
		sent = stack_copy_pages(ss, id, have);
out:
	if (!sent)
		count_loss(FS_LOSS_STACK);
	else
		loader_wake(); /* it makes the table */
	return sent ? id : 0;
}

static __always_inline u32 stack_send(struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	u32 id = next_id(ID_STACK), n, size;

	bpf_loop(ss->resume, kept_append, u, 0);
	n = ss->event.nkernel + ss->event.nuser;
	asm volatile("" : "+r"(n));
	if (n > FS_STACK_FRAMES)
		return 0;
	size = sizeof(ss->event) + n * sizeof(u64);
	stack_event_init(ss, &ss->event, id, n, size);
	ss->sent = 1;
	return control_send(&ss->event, size) ? id : 0;
}

/* The id of the stack that stands in u->ss. */
static __noinline u32 stack_id(struct unwinding *u, u64 image)
{
	struct stack_state *ss = u->ss;
	struct id_hash *h = &ss->frames;
	u32 id;

	hash_add(h, (u64)ss->event.nkernel << 32 | (ss->event.nuser + ss->resume));
	hash_add(h, ss->end);
	hash_add(h, ss->own_addresses ? image : 0);
	id = id_known(&stack_ids, h);
	if (id)
		return id;
	id = stack_send(u);
	if (id)
		id_remember(&stack_ids, h, id);
	return id;
}

static __always_inline void stack_begin(struct stack_state *ss, struct task_struct *task,
					struct mm_struct *mm, u64 image, u32 nkernel)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	ss->regs.ip = KERNEL_READ(regs, ip);
	ss->regs.sp = KERNEL_READ(regs, sp);
	ss->regs.fp = KERNEL_READ(regs, bp);
	ss->regs.lr = 0;
#else
	ss->regs.ip = KERNEL_READ(regs, pc);
	ss->regs.sp = KERNEL_READ(regs, sp);
	ss->regs.fp = KERNEL_READ(regs, regs[29]);
	ss->regs.lr = fs_unwind_address(KERNEL_READ(regs, regs[30]));
#endif
	ss->code_id = 0;
	ss->mm = (u64)mm;
	ss->seq = mm_seq(mm);
	ss->match = ss->resume = 0;
	ss->keep = cfg.lock_seq;
	ss->walked_codes = 0;
	ss->end = FS_STACK_COMPLETE;
	ss->call = 0;
	ss->own_addresses = 0;
	ss->sent = 0;
	ss->torn = 0;
	ss->page = 0;
	ss->pgd = (u64)mm->pgd;
	ss->event.nkernel = nkernel;
	ss->event.nuser = 0;
	if (!cfg.lock_seq || ss->code_mm != (u64)mm || ss->code_image != image) {
		ss->code_mm = (u64)mm;
		ss->code_image = image;
		ss->nkept = 0;
		ss->pmd.gib = 0;
		for (u32 i = 0; i < CODE_SLOTS; i++)
			ss->codes[i].start = ss->codes[i].end = 0;
	}
	if (!cfg.lock_seq || ss->code_seq != ss->seq) {
		ss->code_seq = ss->seq;
		ss->code_stale = (1U << CODE_SLOTS) - 1;
		ss->kept_stale = 1;
		ss->pmd.gib = 0;
	}
}

/* The user part. */
static __always_inline void stack_walk(struct unwinding *u, struct task_struct *task,
				       struct mm_struct *mm)
{
	struct stack_state *ss = u->ss;

	if (!ss->regs.ip) { /* copy_thread() leaves it so for a thread that never returns to user mode */
		ss->end = FS_STACK_KTHREAD;
		ss->keep = 0;
	} else if (is_compat_image(task)) {
		ss->end = FS_STACK_COMPAT;
		ss->keep = 0;
		frame_add(ss, ss->regs.ip & (FS_FRAME_CALL - 1));
	} else {
		stack_unwind(u);
		if (!mm_seq_quiet(ss->seq) || mm_seq(mm) != ss->seq)
			ss->keep = 0;
	}
}

/* Is it the task's last stack again? */
static __always_inline bool stack_is_last(const struct stack_state *ss)
{
	return ss->resume && !ss->event.nuser && ss->resume == ss->nkept && !ss->event.nkernel &&
	       ss->last_id && ss->end == ss->kept_end;
}

/* The hash of all frames, beginning with the outermost of the user's; and the walk is kept. */
static __always_inline void stack_keep(struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	u32 last = (ss->resume - 1) & (KEPT_FRAMES - 1), n = ss->event.nuser;
	struct kept *kept = u->kept;

	ss->frames.first = ss->frames.second = 0;
	if (ss->resume && kept) {
		ss->frames = kept->frames[last].hash;
		ss->own_addresses = kept->frames[last].pos & POS_OWN ? 1 : 0;
	}
	bpf_loop(n, kept_push, u, 0);
	if (ss->keep) {
		if (n || ss->resume != ss->nkept)
			ss->last_id = 0;
		ss->nkept = ss->resume + n;
		ss->kept_codes |= ss->walked_codes;
		ss->kept_end = ss->end;
		if (n && (!u->walked || u->walked->task != (u64)bpf_get_current_task()))
			ss->nkept = 0; /* put aside while it was kept */
	}
	for (u32 i = 0; i < FS_STACK_KERNEL && i < ss->event.nkernel; i++)
		hash_add(&ss->frames, ss->frames_at[i]);
}

/* Of what stack_walked() returns: events were sent for the stack; it has to be copied. */
#define STACK_SENT (1ULL << 32)
#define STACK_COPY (1ULL << 33)

/*
 * Take the stack of the current task as it is now, with the nkernel frames that stand in its state
 * already; `exec`: in execve, where there is no user stack. Returns its id, 0 where it is lost, and
 * counted; and STACK_ bits. A global function, so that the verifier goes through it once.
 */
__noinline u64 stack_walked(u32 nkernel, u32 exec)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct stack_state *ss = stack_state(task);
	struct mm_struct *mm = task->mm;
	u64 image = task_image(task);
	struct unwinding u = { .ss = ss };
	u32 id;

	if (!ss || !mm)
		return 0;
	stack_begin(ss, task, mm, image, nkernel);
	if (cfg.lock_seq) { /* both or none: the verifier goes through the walk once */
		u.kept = bpf_task_storage_get(&kept_frames, task, NULL,
					      BPF_LOCAL_STORAGE_GET_F_CREATE);
		u.walked = this_walked();
		if (!u.kept || !u.walked) {
			count_loss(FS_LOSS_STACK);
			return 0;
		}
	}
	if (exec) {
		ss->end = FS_STACK_EXEC;
		ss->keep = 0;
	} else if (cfg.user_stacks) {
		stack_walk(&u, task, mm);
	}
	if (ss->end == FS_STACK_COPIED)
		return STACK_COPY;
	if (stack_is_last(ss))
		return ss->last_id;
	stack_keep(&u);
	id = stack_id(&u, image);
	if (!id)
		count_loss(FS_LOSS_STACK);
	if (ss->keep && !nkernel)
		ss->last_id = id;
	return ss->sent ? id | STACK_SENT : id;
}

/* The stack of the current task, copied if need be: as stack_walked(), without STACK_COPY. */
static __always_inline u64 stack_take(u32 nkernel, u32 exec)
{
	u64 taken = stack_walked(nkernel, exec);

	if (!(taken & STACK_COPY))
		return taken;
	return stack_copy(code_list_take()) | STACK_SENT;
}

/*
 * The kernel's part of a stack, from the instruction `ip` that faulted: above it are the exception and
 * the program itself. The number of frames.
 */
static __always_inline u32 kernel_frames(void *ctx, u64 ip)
{
	struct stack_state *ss = stack_state(bpf_get_current_task_btf());
	u32 skip = 0;
	long size;

	if (!ss)
		return 0;
	/* behind the place where they are wanted, to be moved there */
	size = bpf_get_stack(ctx, ss->frames_at + KERNEL_SKIP_MAX, FS_STACK_KERNEL * sizeof(u64),
			     0);
	if (size <= 0)
		return 0;
	for (u32 i = 0; i < KERNEL_SKIP_MAX; i++) {
		if (ss->frames_at[KERNEL_SKIP_MAX + i] == ip) {
			skip = i;
			break;
		}
	}
	asm volatile("" : "+r"(skip));
	if (skip >= KERNEL_SKIP_MAX) /* never; the verifier wants to see it */
		return 0;
	bpf_probe_read_kernel(ss->frames_at, FS_STACK_KERNEL * sizeof(u64),
			      &ss->frames_at[KERNEL_SKIP_MAX + skip]);
	return size / sizeof(u64) > skip ? size / sizeof(u64) - skip : 0;
}

#endif /* FS_STACK_BPF_H */
