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

static __always_inline struct task_state *caller_state(struct task_struct *task)
{
	struct task_state *st;

	if (!task->mm || calls_stopped)
		return NULL;
	if (cfg.target == FS_TARGET_TASKS && !is_member(task))
		return NULL;
	st = task_state(task, true);
	return st && task_matches(st, task) ? st : NULL;
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
static __always_inline void uffd_args(struct task_state *st)
{
	u32 size = (u32)st->call_args[1] == UFFD_REGISTER ? 24 : 16;

	st->call_args[3] = st->call_args[4] = st->call_args[5] = 0;
	if (cfg.probe)
		bpf_probe_read_user(&st->call_args[3], size, (void *)st->call_args[2]);
}

/* The address of the ring that io_setup has made, as its third argument; 0: it is not known. */
static __always_inline void ring_arg(struct task_state *st, bool failed)
{
	st->call_args[2] = 0;
	if (cfg.probe && !failed)
		bpf_probe_read_user(&st->call_args[2], st->call_compat ? 4 : 8,
				    (void *)st->call_args[1]);
}

static __always_inline void call_begin(struct task_struct *task, struct task_state *st, u32 call,
				       bool compat)
{
	struct mm_struct *mm = task->mm;
	struct vma_copy c;
	u64 at;

	st->call = call;
	st->call_compat = compat;
	st->call_min = task->min_flt - st->seen_min;
	st->call_maj = task->maj_flt - st->seen_maj;
	st->call_brk = KERNEL_READ(mm, brk);
	st->call_bytes = 0;
	if ((call == FS_CALL_SHMDT + 1 || call == FS_CALL_IO_DESTROY + 1) &&
	    vma_find(mm, st->call_args[0], &c, &at) && c.start == st->call_args[0])
		st->call_bytes = c.end - c.start;
	if (call == FS_CALL_IOCTL + 1)
		uffd_args(st);
	st->call_ns = cfg.latency ? bpf_ktime_get_ns() : 0;
}

static __always_inline u64 user_ip(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_x86)
	return KERNEL_READ(regs, ip);
#else
	return KERNEL_READ(regs, pc);
#endif
}

/* What else a call has changed: told in events of its own, before that of the call. */
static __always_inline void call_layouts(struct task_struct *task, struct task_state *st, s64 ret,
					 bool failed)
{
	u64 other = st->call == FS_CALL_MREMAP + 1 ? mremap_other(st, ret, failed) : 0;

	if (other && other < USER_END && st->call_args[2] < USER_END)
		layout_send(task, other, other + page_ceil(st->call_args[2]), FS_LAYOUT_CALL);
	else if (!failed &&
		 (st->call == FS_CALL_MLOCKALL + 1 || st->call == FS_CALL_MUNLOCKALL + 1))
		layout_send_all(task);
}

/* May the call have unmapped more than its arguments say: a segment that lies in several VMAs by now? */
static __always_inline bool takes_to_gap(const struct task_state *st, bool failed)
{
	return !failed && (st->call == FS_CALL_SHMDT + 1 || st->call == FS_CALL_IO_DESTROY + 1 ||
			   (cfg.calls_alone && st->call == FS_CALL_BRK + 1));
}

static __always_inline u64 gap_at(const struct task_state *st, u64 from, s64 ret)
{
	return st->call == FS_CALL_BRK + 1 ? page_ceil(ret) : from;
}

/* The layout that follows a call, into this CPU's room; its size in bytes. */
static __always_inline u32 call_layout(struct task_struct *task, struct task_state *st,
				       struct layout_room *room, s64 ret, bool failed)
{
	u64 from, to, last = LAYOUT_NONE;
	u32 n;

	call_layouts(task, st, ret, failed);
	call_range(task->mm, st, ret, failed, &from, &to);
	/* how much was taken away is not known, or less than was: all that is free there */
	if (takes_to_gap(st, failed) &&
	    !maple_walk(tree_root((void *)task_mm(task)), gap_at(st, from, ret), &last))
		to = last < USER_END ? last + 1 : USER_END;
	if (!to)
		return 0;
	n = layout_read(task_mm(task), from, to, BY_EVENT);
	if (n > FS_LAYOUT_MAX)
		n = 0;
	if (room->event.layout.to < to) { /* more than one event holds */
		layout_send(task, from, to, FS_LAYOUT_CALL);
		return 0;
	}
	return sizeof(struct fs_layout) + n * sizeof(struct fs_vma);
}

static __always_inline void call_fill(struct task_struct *task, struct task_state *st,
				      struct fs_call_event *ev, const struct call_end *end)
{
	ev->latency_ns = st->call_ns ? ev->head.time_ns - st->call_ns : 0;
	ev->ret = end->ret;
	for (int i = 0; i < 6; i++)
		ev->args[i] = st->call_args[i];
	ev->bytes = call_bytes(task->mm, st, end->ret, end->failed);
	ev->old_brk = st->call_brk;
	ev->ip = user_ip(task);
	ev->populated_min = end->min_flt;
	ev->populated_maj = end->maj_flt;
	ev->stack_id = end->stack_id;
	ev->region_id = end->region_id;
	ev->call = st->call - 1;
	ev->flags = (end->failed ? FS_CALL_FAILED : 0) | (st->call_compat ? FS_CALL_COMPAT : 0);
	ev->region = end->region;
	ev->pad = 0;
	st->call = 0;
}

/* The call with what it made of the address space. */
static __noinline int call_send_layout(struct task_struct *task, struct task_state *st,
				       const struct call_end *end)
{
	struct layout_room *room = layout_room(BY_EVENT);
	struct fs_call_event *ev;
	u32 size;

	if (!room)
		return 0;
	if (st->call == FS_CALL_SHMAT + 1 || st->call == FS_CALL_IO_SETUP + 1)
		st->call_bytes = call_bytes(task->mm, st, end->ret, end->failed);
	size = call_layout(task, st, room, end->ret, end->failed);
	ev = (void *)room;
	head_init_at(&ev->head, FS_EVENT_CALL, sizeof(*ev) + size,
		     size ? room->event.layout.time_ns : bpf_ktime_get_ns());
	call_fill(task, st, ev, end);
	if (size)
		ev->flags |= FS_CALL_LAYOUT;
	if (cfg.calls_alone)
		ev->flags |= FS_CALL_ALONE;
	size += sizeof(*ev);
	if (size <= sizeof(*room))
		control_send(ev, size);
	return 0;
}

static __always_inline void call_end(struct task_struct *task, struct task_state *st, s64 ret)
{
	struct mm_struct *mm = task->mm;
	struct call_end *end = &st->call_end;
	struct fs_call_event *ev;
	struct vma_slot *slot;
	void *rb = control_ring();
	u32 addr;
	u64 at;

	__builtin_memset(end, 0, sizeof(*end));
	end->ret = ret;
	if (cfg.probe && st->call_compat && st->call_result && !ret &&
	    !bpf_probe_read_user(&addr, sizeof(addr), (void *)st->call_result))
		end->ret = addr;
#if defined(__TARGET_ARCH_arm64)
	if (st->call_compat && (u64)ret < (u64)-4095L) /* its sign was extended */
		end->ret = (u32)end->ret;
#endif
	end->failed = call_failed(st, end->ret);
	if (st->call == FS_CALL_IO_SETUP + 1)
		ring_arg(st, end->failed);
	end->min_flt = task->min_flt - st->seen_min - st->call_min;
	end->maj_flt = task->maj_flt - st->seen_maj - st->call_maj;
	at = populated_at(st, end->ret);
	if ((end->min_flt || end->maj_flt) && at && !end->failed) {
		if (cfg.late && st->pending && was_counted(task, st))
			fault_late(task, st);                    /* its VMA may be forgotten now */
		slot = slot_at(st, region_at(task, st, mm, at)); /* sent before this event */
		end->region_id = slot->region_id;
		end->region = slot->region;
	}
	if (cfg.stacks)
		end->stack_id = stack_take(0, false);
	if (cfg.layouts) {
		call_send_layout(task, st, end);
		return;
	}
	ev = rb ? bpf_ringbuf_reserve(rb, sizeof(*ev), 0) : NULL;
	if (!ev) {
		count_loss(FS_LOSS_CTL_RING);
		st->call = 0;
		return;
	}
	head_init(&ev->head, FS_EVENT_CALL, sizeof(*ev));
	call_fill(task, st, ev, end);
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
			st->call_args[0] = ctx->args[0]; \
		if (nargs > 1)                           \
			st->call_args[1] = ctx->args[1]; \
		if (nargs > 2)                           \
			st->call_args[2] = ctx->args[2]; \
		if (nargs > 3)                           \
			st->call_args[3] = ctx->args[3]; \
		if (nargs > 4)                           \
			st->call_args[4] = ctx->args[4]; \
		if (nargs > 5)                           \
			st->call_args[5] = ctx->args[5]; \
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
	if (st && st->call && !st->call_compat && task->mm && !calls_stopped &&
	    call_of_number(ctx->nr) == st->call)
		call_end(task, st, ctx->ret);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
static __always_inline void first_args(struct pt_regs *regs, bool compat, u32 *first, u32 *second)
{
	*first = compat ? regs->bx : regs->di;
	*second = compat ? regs->cx : regs->si;
}

static __always_inline void native_args(struct task_state *st, struct pt_regs *regs)
{
	st->call_args[0] = regs->di;
	st->call_args[1] = regs->si;
	st->call_args[2] = regs->dx;
	st->call_args[3] = regs->r10;
	st->call_args[4] = regs->r8;
	st->call_args[5] = regs->r9;
}

static __always_inline void compat_args(struct task_state *st, struct pt_regs *regs)
{
	st->call_args[0] = (u32)regs->bx;
	st->call_args[1] = (u32)regs->cx;
	st->call_args[2] = (u32)regs->dx;
	st->call_args[3] = (u32)regs->si;
	st->call_args[4] = (u32)regs->di;
	st->call_args[5] = (u32)regs->bp;
}
#else
static __always_inline void first_args(struct pt_regs *regs, bool compat, u32 *first, u32 *second)
{
	*first = regs->orig_x0;
	*second = KERNEL_READ(regs, regs[1]);
}

static __always_inline void native_args(struct task_state *st, struct pt_regs *regs)
{
	struct user_pt_regs *user = (void *)regs;

	st->call_args[0] = ((struct pt_regs *)regs)->orig_x0;
#pragma unroll
	for (int i = 1; i < 6; i++)
		st->call_args[i] = KERNEL_READ((struct pt_regs *)user, regs[i]);
}

static __always_inline void compat_args(struct task_state *st, struct pt_regs *regs)
{
	native_args(st, regs);
	for (int i = 0; i < 6; i++)
		st->call_args[i] = (u32)st->call_args[i];
}
#endif

/* The calls of a 32-bit task that take more than a number to know; 0: not a mapping call. */
static __always_inline u32 compat_call(struct task_state *st, long nr)
{
	u32 call = call_of_compat_number(nr);
	u32 old[6] = {};

	st->call_result = 0;

	switch (call) {
	case COMPAT_MMAP2:
		st->call_args[5] <<= PAGE_SHIFT;
		return FS_CALL_MMAP + 1;
	case COMPAT_MMAP:
		if (!cfg.probe)
			return 0;
		bpf_probe_read_user(old, sizeof(old), (void *)st->call_args[0]);
		for (int i = 0; i < 6; i++)
			st->call_args[i] = old[i];
		return FS_CALL_MMAP + 1;
	case COMPAT_IPC: /* ipc(call, first, second, third, ptr): ipc/syscall.c */
		switch (st->call_args[0] & 0xffff) {
		case 21: /* SHMAT: the address goes to *third */
			st->call_args[0] = st->call_args[1];
			st->call_args[1] = st->call_args[4];
			st->call_result = st->call_args[3];
			return FS_CALL_SHMAT + 1;
		case 22:
			st->call_args[0] = st->call_args[4];
			return FS_CALL_SHMDT + 1;
		case 23:
			st->call_args[0] = st->call_args[1];
			st->call_args[1] = st->call_args[2];
			st->call_args[2] = st->call_args[3];
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
	struct task_state *st;

	if (!raw_maps(regs, ctx->nr, false))
		return 0;
	st = caller_state(task);
	if (!st)
		return 0;
	native_args(st, regs);
	if (call == FS_CALL_BRK + 1 && !st->call_args[0])
		return 0;
	st->call = call;
	st->call_compat = 0;
	st->call_result = 0;
	st->call_min = task->min_flt - st->seen_min;
	st->call_maj = task->maj_flt - st->seen_maj;
	st->call_brk = st->call_bytes = st->call_ns = 0;
	if (call == FS_CALL_IOCTL + 1)
		uffd_args(st);
	call_end(task, st, ctx->ret);
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
		compat_args(st, regs);
		call = compat_call(st, id);
	} else {
		native_args(st, regs);
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
	if (st && st->call && task->mm)
		call_end(task, st, ret);
	return 0;
}

#endif /* FS_PROBE_CALLS_BPF_H */
