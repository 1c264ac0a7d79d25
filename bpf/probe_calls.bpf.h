/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapping calls: arguments kept at entry, one event at exit. syscalls:* tracepoints cost other
 * system calls least, but do not see 32-bit tasks; those, and kernels where tracefs cannot be had,
 * are served by the raw sys_enter and sys_exit.
 */
#ifndef FS_PROBE_CALLS_BPF_H
#define FS_PROBE_CALLS_BPF_H

#include "call_range.bpf.h"
#include "layout.bpf.h"
#include "region.bpf.h"
#include "stack.bpf.h"
#include "syscalls.bpf.h"
#include "target.bpf.h"

/* The run is over; detaching syscalls:* takes the kernel seconds. */
volatile __u32 calls_stopped = 0;

static __always_inline bool caller_traced(struct task_struct *task)
{
	return task->mm && !calls_stopped && (cfg.target != FS_TARGET_TASKS || is_member(task));
}

static __always_inline struct task_state *caller_state(struct task_struct *task)
{
	struct task_state *st = caller_traced(task) ? task_state(task, true) : NULL;

	return st && task_matches(st, task) ? st : NULL;
}

/* The same where nothing is kept of the task, as far as whom to trace leaves it at that. */
static __always_inline bool caller_matches(struct task_struct *task)
{
	return match_is_kept() ? caller_state(task) != NULL :
				 caller_traced(task) && member_checked(task);
}

/* include/uapi/linux/prctl.h, include/uapi/linux/userfaultfd.h */
#define PR_SET_VMA_OPTION 0x53564d41
#define UFFD_REGISTER     0xc020aa00
#define UFFD_UNREGISTER   0x8010aa01

/* prctl and ioctl are many calls; of most of them nothing is to be known. */
static __always_inline bool prctl_maps(u32 option)
{
	return option == PR_SET_VMA_OPTION;
}

static __always_inline bool ioctl_maps(u32 request)
{
	return request == UFFD_REGISTER || request == UFFD_UNREGISTER;
}

/*
 * The range and the mode that an ioctl is given (struct uffdio_register), as its fourth to sixth
 * argument. Read in place: see call_bytes().
 */
static __always_inline void uffd_args(struct call_state *c)
{
	u32 size = (u32)c->args[1] == UFFD_REGISTER ? 24 : 16;

	c->args[3] = c->args[4] = c->args[5] = 0;
	if (cfg.probe)
		bpf_probe_read_user(&c->args[3], size, (void *)c->args[2]);
}

/* The address of the ring that io_setup has made, as its third argument; 0: it is not known. */
static __always_inline void ring_arg(struct call_state *c)
{
	c->args[2] = 0;
	if (cfg.probe && !c->failed)
		bpf_probe_read_user(&c->args[2], c->compat ? 4 : 8, (void *)c->args[1]);
}

static __always_inline u64 regs_ip(struct pt_regs *regs)
{
#if defined(__TARGET_ARCH_x86)
	return KERNEL_READ(regs, ip);
#else
	return KERNEL_READ(regs, pc);
#endif
}

static __always_inline void call_begin(struct task_struct *task, struct task_state *st, u32 call,
				       bool compat)
{
	struct call_state *c = &st->call;
	struct mm_struct *mm = task->mm;
	struct vma_copy vma;
	u64 at;

	c->call = call;
	c->compat = compat;
	c->min = task->min_flt - st->seen_min;
	c->maj = task->maj_flt - st->seen_maj;
	c->brk = KERNEL_READ(mm, brk);
	c->ip = regs_ip((void *)bpf_task_pt_regs(task));
	c->bytes = 0;
	if ((call == FS_CALL_SHMDT + 1 || call == FS_CALL_IO_DESTROY + 1) &&
	    vma_find(mm, c->args[0], &vma, &at) && vma.start == c->args[0])
		c->bytes = vma.end - vma.start;
	if (call == FS_CALL_IOCTL + 1)
		uffd_args(c);
	c->ns = cfg.latency ? bpf_ktime_get_ns() : 0;
}

/* What else a call has changed: told in events of its own, before that of the call. */
static __always_inline void call_layouts(struct task_struct *task, const struct call_state *c,
					 u32 by)
{
	u64 other = c->call == FS_CALL_MREMAP + 1 ? mremap_other(c) : 0;

	if (other && other < USER_END && c->args[2] < USER_END)
		layout_send(task, other, other + page_ceil(c->args[2]), FS_LAYOUT_CALL, by);
	else if (!c->failed &&
		 (c->call == FS_CALL_MLOCKALL + 1 || c->call == FS_CALL_MUNLOCKALL + 1))
		layout_send_all(task, by);
}

/* May the call have unmapped more than its arguments say: a segment that lies in several VMAs by now? */
static __always_inline bool takes_to_gap(const struct call_state *c)
{
	return !c->failed && (c->call == FS_CALL_SHMDT + 1 || c->call == FS_CALL_IO_DESTROY + 1 ||
			      (cfg.calls_alone && c->call == FS_CALL_BRK + 1));
}

static __always_inline u64 gap_at(const struct call_state *c, u64 from)
{
	return c->call == FS_CALL_BRK + 1 ? page_ceil(c->ret) : from;
}

/* The layout that follows a call, into this CPU's room; its size in bytes. */
static __always_inline u32 call_layout(struct task_struct *task, const struct call_state *c,
				       struct layout_room *room, u32 by)
{
	u64 from, to, last = LAYOUT_NONE;
	u32 n;

	call_layouts(task, c, by);
	call_range(task->mm, c, &from, &to);
	/* how much was taken away is not known, or less than was: all that is free there */
	if (takes_to_gap(c) &&
	    !maple_walk(tree_root((void *)task_mm(task)), gap_at(c, from), &last))
		to = last < USER_END ? last + 1 : USER_END;
	if (!to)
		return 0;
	n = layout_read(task_mm(task), from, to, by);
	if (n > FS_LAYOUT_MAX)
		n = 0;
	if (room->event.layout.to < to) { /* more than one event holds */
		layout_send(task, from, to, FS_LAYOUT_CALL, by);
		return 0;
	}
	return sizeof(struct fs_layout) + n * sizeof(struct fs_vma);
}

static __always_inline void call_fill(struct task_struct *task, struct call_state *c,
				      struct fs_call_event *ev)
{
	ev->latency_ns = c->ns ? ev->head.time_ns - c->ns : 0;
	ev->ret = c->ret;
	for (int i = 0; i < 6; i++)
		ev->args[i] = c->args[i];
	ev->bytes = call_bytes(task->mm, c);
	ev->old_brk = c->brk;
	ev->ip = c->ip;
	ev->populated_min = c->min_flt;
	ev->populated_maj = c->maj_flt;
	ev->stack_id = c->stack_id;
	ev->region_id = c->region_id;
	ev->call = c->call - 1;
	ev->flags = (c->failed ? FS_CALL_FAILED : 0) | (c->compat ? FS_CALL_COMPAT : 0);
	ev->region = c->region;
	ev->pad = 0;
	c->call = 0;
}

/* The call with what it made of the address space. */
static __noinline int call_send_layout(struct task_struct *task, struct call_state *c, u32 by)
{
	struct layout_room *room = layout_room(by);
	struct fs_call_event *ev;
	u32 size;

	if (!room)
		return 0;
	if (c->call == FS_CALL_SHMAT + 1 || c->call == FS_CALL_IO_SETUP + 1)
		c->bytes = call_bytes(task->mm, c);
	size = call_layout(task, c, room, by);
	ev = (void *)room;
	head_init_at(&ev->head, FS_EVENT_CALL, sizeof(*ev) + size,
		     size ? room->event.layout.time_ns : bpf_ktime_get_ns());
	call_fill(task, c, ev);
	if (size)
		ev->flags |= FS_CALL_LAYOUT;
	if (cfg.calls_alone)
		ev->flags |= FS_CALL_ALONE;
	size += sizeof(*ev);
	if (size <= sizeof(*room))
		control_send(ev, size);
	return 0;
}

/* What the call has made present without faults, and in which region. */
static __always_inline void call_populated(struct task_struct *task, struct task_state *st)
{
	struct call_state *c = &st->call;
	struct vma_slot *slot;
	u64 at;

	c->min_flt = task->min_flt - st->seen_min - c->min;
	c->maj_flt = task->maj_flt - st->seen_maj - c->maj;
	at = populated_at(c);
	if ((c->min_flt || c->maj_flt) && at && !c->failed) {
		if (cfg.late && st->pending && was_counted(task, st))
			fault_late(task, st); /* its VMA may be forgotten now */
		slot = slot_at(st, region_at(task, st, task->mm, at)); /* sent before this event */
		c->region_id = slot->region_id;
		c->region = slot->region;
	}
}

/* st: NULL where nothing is known of its beginning. */
static __always_inline void call_end(struct task_struct *task, struct task_state *st,
				     struct call_state *c, s64 ret, u32 by)
{
	struct fs_call_event *ev;
	void *rb;
	u32 addr;

	c->ret = ret;
	if (cfg.probe && c->compat && c->result && !ret &&
	    !bpf_probe_read_user(&addr, sizeof(addr), (void *)c->result))
		c->ret = addr;
#if defined(__TARGET_ARCH_arm64)
	if (c->compat && (u64)ret < (u64)-4095L) /* its sign was extended */
		c->ret = (u32)c->ret;
#endif
	c->failed = call_failed(c);
	c->min_flt = c->maj_flt = c->region_id = c->region = 0;
	if (c->call == FS_CALL_IO_SETUP + 1)
		ring_arg(c);
	if (st)
		call_populated(task, st);
	c->stack_id = cfg.stacks ? stack_take(0, false) : 0;
	if (cfg.layouts) {
		call_send_layout(task, c, by);
		return;
	}
	rb = control_ring();
	ev = rb ? bpf_ringbuf_reserve(rb, sizeof(*ev), 0) : NULL;
	if (!ev) {
		count_loss(FS_LOSS_CTL_RING);
		c->call = 0;
		return;
	}
	head_init(&ev->head, FS_EVENT_CALL, sizeof(*ev));
	call_fill(task, c, ev);
	bpf_ringbuf_submit(ev, BPF_RB_NO_WAKEUP);
}

/*
 * The context of syscalls:* programs: struct syscall_tp_t in kernel/trace/trace_syscalls.c. It is
 * no kernel type that CO-RE knows, and a context may only be read at constant offsets.
 */
struct enter_context {
	u64 entry;
	int nr;
	int pad;
	u64 args[6];
};

struct exit_context {
	u64 entry;
	int nr;
	int pad;
	s64 ret;
};

/*
 * syscalls:sys_enter_*: a program may read only the arguments that its call has. What is not wanted
 * ends at once.
 */
#define CALL_ENTER_OF(name, nargs, wanted)               \
	SEC("?tracepoint")                               \
	int call_enter_##name(struct enter_context *ctx) \
	{                                                \
		struct task_struct *task;                \
		struct task_state *st;                   \
		u32 call = call_of_number(ctx->nr);      \
                                                         \
		if (!(wanted))                           \
			return 0;                        \
		task = bpf_get_current_task_btf();       \
		st = caller_state(task);                 \
		if (!st || !call)                        \
			return 0;                        \
		if (nargs > 0)                           \
			st->call.args[0] = ctx->args[0]; \
		if (nargs > 1)                           \
			st->call.args[1] = ctx->args[1]; \
		if (nargs > 2)                           \
			st->call.args[2] = ctx->args[2]; \
		if (nargs > 3)                           \
			st->call.args[3] = ctx->args[3]; \
		if (nargs > 4)                           \
			st->call.args[4] = ctx->args[4]; \
		if (nargs > 5)                           \
			st->call.args[5] = ctx->args[5]; \
		call_begin(task, st, call, false);       \
		return 0;                                \
	}

#define CALL_ENTER(nargs) CALL_ENTER_OF(nargs, nargs, true)

CALL_ENTER(0)
CALL_ENTER(1)
CALL_ENTER(2)
CALL_ENTER(3)
CALL_ENTER(4)
CALL_ENTER(5)
CALL_ENTER(6)
CALL_ENTER_OF(prctl, 5, prctl_maps(ctx->args[0]))
CALL_ENTER_OF(ioctl, 3, ioctl_maps(ctx->args[1]))

SEC("?tracepoint")
int call_exit(struct exit_context *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = task_state(task, false);

	/* a call that was being made while probes were attached ends unseen: this one is another */
	if (st && st->call.call && !st->call.compat && task->mm && !calls_stopped &&
	    call_of_number(ctx->nr) == st->call.call)
		call_end(task, st, &st->call, ctx->ret, BY_EVENT);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
static __always_inline void first_args(struct pt_regs *regs, bool compat, u32 *first, u32 *second)
{
	*first = compat ? regs->bx : regs->di;
	*second = compat ? regs->cx : regs->si;
}

static __always_inline void native_args(struct call_state *c, struct pt_regs *regs)
{
	c->args[0] = regs->di;
	c->args[1] = regs->si;
	c->args[2] = regs->dx;
	c->args[3] = regs->r10;
	c->args[4] = regs->r8;
	c->args[5] = regs->r9;
}

static __always_inline void compat_args(struct call_state *c, struct pt_regs *regs)
{
	c->args[0] = (u32)regs->bx;
	c->args[1] = (u32)regs->cx;
	c->args[2] = (u32)regs->dx;
	c->args[3] = (u32)regs->si;
	c->args[4] = (u32)regs->di;
	c->args[5] = (u32)regs->bp;
}
#else
static __always_inline void first_args(struct pt_regs *regs, bool compat, u32 *first, u32 *second)
{
	*first = regs->orig_x0;
	*second = KERNEL_READ(regs, regs[1]);
}

static __always_inline void native_args(struct call_state *c, struct pt_regs *regs)
{
	struct user_pt_regs *user = (void *)regs;

	c->args[0] = ((struct pt_regs *)regs)->orig_x0;
#pragma unroll
	for (int i = 1; i < 6; i++)
		c->args[i] = KERNEL_READ((struct pt_regs *)user, regs[i]);
}

static __always_inline void compat_args(struct call_state *c, struct pt_regs *regs)
{
	native_args(c, regs);
	for (int i = 0; i < 6; i++)
		c->args[i] = (u32)c->args[i];
}
#endif

/* The calls of a 32-bit task that take more than a number to know; 0: not a mapping call. */
static __always_inline u32 compat_call(struct call_state *c, long nr)
{
	u32 call = call_of_compat_number(nr);
	u32 old[6] = {};

	c->result = 0;

	switch (call) {
	case COMPAT_MMAP2:
		c->args[5] <<= PAGE_SHIFT;
		return FS_CALL_MMAP + 1;
	case COMPAT_MMAP:
		if (!cfg.probe)
			return 0;
		bpf_probe_read_user(old, sizeof(old), (void *)c->args[0]);
		for (int i = 0; i < 6; i++)
			c->args[i] = old[i];
		return FS_CALL_MMAP + 1;
	case COMPAT_IPC: /* ipc(call, first, second, third, ptr): ipc/syscall.c */
		switch (c->args[0] & 0xffff) {
		case 21: /* SHMAT: the address goes to *third */
			c->args[0] = c->args[1];
			c->args[1] = c->args[4];
			c->result = c->args[3];
			return FS_CALL_SHMAT + 1;
		case 22:
			c->args[0] = c->args[4];
			return FS_CALL_SHMDT + 1;
		case 23:
			c->args[0] = c->args[1];
			c->args[1] = c->args[2];
			c->args[2] = c->args[3];
			return FS_CALL_SHMGET + 1;
		}
		return 0;
	}
	return call;
}

/* Is it a call that may change what is mapped? */
static __always_inline bool raw_maps(struct pt_regs *regs, long nr, bool compat)
{
	u32 call = compat ? call_of_compat_number(nr) : call_of_number(nr), first, second;

	if (call != FS_CALL_PRCTL + 1 && call != FS_CALL_IOCTL + 1)
		return call;
	first_args(regs, compat, &first, &second);
	return call == FS_CALL_PRCTL + 1 ? prctl_maps(first) : ioctl_maps(second);
}

/*
 * A call that nobody has told the beginning of, which costs as much as its end: the arguments are in
 * the registers still. How long it took, where the break was and what it populated is not known.
 */
SEC("?tracepoint")
int call_alone(struct exit_context *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);
	u32 call = call_of_number(ctx->nr);
	struct layout_room *room;
	struct call_state *c;

	if (!raw_maps(regs, ctx->nr, false) || !caller_matches(task))
		return 0;
	room = layout_room(BY_EVENT);
	if (!room)
		return 0;
	c = &room->alone;
	native_args(c, regs);
	if (call == FS_CALL_BRK + 1 && !c->args[0])
		return 0;
	c->call = call;
	c->compat = 0;
	c->result = 0;
	c->brk = c->bytes = c->ns = 0;
	c->ip = regs_ip(regs);
	if (call == FS_CALL_IOCTL + 1)
		uffd_args(c);
	call_end(task, NULL, c, ctx->ret, BY_EVENT);
	return 0;
}

SEC("?tp_btf/sys_enter")
int BPF_PROG(raw_enter, struct pt_regs *regs, long id)
{
	struct task_struct *task = bpf_get_current_task_btf();
	bool compat = is_compat_task(task);
	struct task_state *st;
	u32 call;

	if ((!compat && cfg.calls_native) || !raw_maps(regs, id, compat))
		return 0;
	st = caller_state(task);
	if (!st)
		return 0;
	if (compat) {
		compat_args(&st->call, regs);
		call = compat_call(&st->call, id);
	} else {
		native_args(&st->call, regs);
		call = call_of_number(id);
	}
	if (call)
		call_begin(task, st, call, compat);
	return 0;
}

SEC("?tp_btf/sys_exit")
int BPF_PROG(raw_exit, struct pt_regs *regs, long ret)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st;

	if (cfg.calls_native && !is_compat_task(task))
		return 0;
	st = task_state(task, false);
	if (st && st->call.call && task->mm)
		call_end(task, st, &st->call, ret, BY_RAW_CALL);
	return 0;
}

#endif /* FS_PROBE_CALLS_BPF_H */
