/* SPDX-License-Identifier: GPL-2.0-only */
/* Lifetimes: fork, exec, exit and names, so that pids that are used again do not mix. */
#ifndef FS_PROBE_LIFE_BPF_H
#define FS_PROBE_LIFE_BPF_H

#include "layout.bpf.h"
#include "region.bpf.h"
#include "target.bpf.h"

#define CLONE_VM     0x00000100
#define CLONE_THREAD 0x00010000

static __always_inline bool reported(struct task_struct *task)
{
	return cfg.target != FS_TARGET_TASKS || is_member(task);
}

static __always_inline u64 task_cgroup_id(struct task_struct *task)
{
	struct css_set *cset = task->cgroups;
	struct cgroup *cg;

	if (!cfg.want_cgroup)
		return 0;
	cg = cfg.cgroup_subsys < -1 ? cset_named_cgroup(cset) : cset_cgroup(cset);
	return KERNEL_READ(cg, kn, id);
}

static __always_inline u64 user_sp(struct task_struct *task)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(task);

#if defined(__TARGET_ARCH_arm64)
	if (is_compat_task(task))
		return KERNEL_READ(regs, regs[13]); /* compat_sp, arch/arm64/include/asm/ptrace.h */
#endif
	return KERNEL_READ(regs, sp);
}

/* arch system call numbers: clone3 is 435 everywhere */
#define NR_CLONE3 435

/*
 * The low end of the stack that clone3 was given, 0 where another call made the thread: struct
 * clone_args of include/uapi/linux/sched.h, which the kernel has just read. `parent` is current.
 */
static __always_inline u64 clone3_stack(struct task_struct *parent)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(parent);
	u64 args, low = 0;

#if defined(__TARGET_ARCH_x86)
	if (KERNEL_READ(regs, orig_ax) != NR_CLONE3)
		return 0;
	args = is_compat_task(parent) ? (u32)KERNEL_READ(regs, bx) : KERNEL_READ(regs, di);
#else
	if (KERNEL_READ(regs, syscallno) != NR_CLONE3)
		return 0;
	args = KERNEL_READ(regs, orig_x0);
#endif
	if (cfg.probe)
		bpf_probe_read_user(&low, sizeof(low),
				    (void *)args + __builtin_offsetof(struct clone_args, stack));
	return low;
}

/*
 * The low end of a new thread's stack: what clone3 was told, else that of the VMA it lies in now,
 * before anything is mapped below that the kernel merges with it. For the in-kernel table remember
 * which VMA that is.
 */
static __always_inline u64 thread_stack_low(struct task_struct *parent, u64 sp)
{
	struct stack_key key = { .pid = bpf_get_current_pid_tgid() >> 32 };
	struct lookup *look = this_lookup();
	struct mm_struct *mm = parent->mm;
	u64 at, low = clone3_stack(parent);
	u32 one = 1;

	if (!look || !mm || !sp || !vma_find(mm, sp - 8, &look->vma, &at))
		return low;
	if (cfg.in_kernel) {
		key.bound = look->vma.start;
		bpf_map_update_elem(&stack_vmas, &key, &one, BPF_ANY);
		key.bound = look->vma.end;
		bpf_map_update_elem(&stack_vmas, &key, &one, BPF_ANY);
	}
	return low > look->vma.start ? low : look->vma.start;
}

/*
 * Tell what a task has mapped, if its calls are told: else it would be taken for known, should it
 * match later.
 */
static __always_inline void life_layout(struct task_struct *task, u32 by)
{
	struct task_state *st;

	if (!cfg.layouts)
		return;
	if (cfg.target == FS_TARGET_MATCH) {
		st = task_state(task, true);
		if (!st || !task_matches(st, task))
			return;
	}
	layout_send_all(task, by);
}

/*
 * Who has been made: a thread of current's process, or a process. The event is put together beside the
 * stack, of which Linux 6.1 has 512 bytes for all that is called from here.
 */
static __always_inline void fork_send(struct task_struct *parent, struct task_struct *child,
				      u64 clone_flags, u32 by)
{
	union scratch *s = bpf_map_lookup_elem(&scratches, &by);
	struct fs_fork_event *ev;

	if (!s)
		return;
	ev = (void *)s->bytes;
	head_init(&ev->head, FS_EVENT_FORK, sizeof(*ev));
	ev->child_pid = child->tgid;
	ev->child_tid = child->pid;
	ev->clone_flags = clone_flags;
	ev->mm = (u64)child->mm;
	ev->cgroup_id = task_cgroup_id(child);
	ev->sp = ev->stack_low = 0;
	if ((clone_flags & CLONE_VM) && child->mm) {
		ev->sp = user_sp(child);
		if (clone_flags & CLONE_THREAD)
			ev->stack_low = thread_stack_low(parent, ev->sp);
	}
	__builtin_memset(ev->comm, 0, sizeof(ev->comm));
	kernel_string(ev->comm, sizeof(ev->comm), child->comm);
	control_send(ev, sizeof(*ev));
	if (!(clone_flags & CLONE_VM))
		life_layout(child, by);
}

SEC("?tp_btf/task_newtask")
int BPF_PROG(life_fork, struct task_struct *child, u64 clone_flags)
{
	struct task_struct *parent = bpf_get_current_task_btf();
	u32 pid = child->tgid, one = 1;

	if (!reported(parent))
		return 0;
	if (cfg.target == FS_TARGET_TASKS && pid != parent->tgid) {
		if (!cfg.follow || cfg.threads)
			return 0;
		bpf_map_update_elem(&targets, &pid, &one, BPF_ANY);
	}
	fork_send(parent, child, clone_flags, BY_FORK);
	return 0;
}

/*
 * A kernel that preempts programs does not run life_fork for one task while another on the same CPU
 * is stopped in it: the child would not be followed. This tracepoint comes later in the same call,
 * before the child runs. What it repairs is still counted as FS_LOSS_RECURSION.
 */
SEC("?tp_btf/sched_process_fork")
int BPF_PROG(life_fork_missed, struct task_struct *parent, struct task_struct *child)
{
	u32 pid = child->tgid, one = 1;

	if (pid == parent->tgid || !is_member(parent) ||
	    bpf_map_update_elem(&targets, &pid, &one, BPF_NOEXIST))
		return 0;
	fork_send(parent, child, child->mm == parent->mm ? CLONE_VM : 0, BY_FORK_MISSED);
	return 0;
}

/*
 * Pages that execve filled with names, arguments and environment: copy_strings() (fs/exec.c) gets
 * each of them by get_user_pages, which min_flt counts and no exception shows.
 */
static __always_inline u32 argument_pages(struct mm_struct *mm)
{
	u64 low = KERNEL_READ(mm, arg_start), at;
	struct vma_copy c;

	if (!low || !vma_find(mm, low, &c, &at))
		return 0;
	return (c.end - page_floor(low)) >> PAGE_SHIFT;
}

SEC("?tp_btf/sched_process_exec")
int BPF_PROG(life_exec, struct task_struct *task, int old_pid, struct linux_binprm *bprm)
{
	u32 by = BY_EXEC;
	union scratch *s = bpf_map_lookup_elem(&scratches, &by);
	struct fs_exec_event *ev;
	struct task_state *st;

	if (!s || !reported(task))
		return 0;
	ev = (void *)s->bytes;
	head_init(&ev->head, FS_EVENT_EXEC, sizeof(*ev));
	ev->mm = (u64)task->mm;
	ev->cgroup_id = task_cgroup_id(task);
	ev->usage.min_flt = task->min_flt;
	ev->usage.maj_flt = task->maj_flt;
	ev->loaded_ns = ev->head.time_ns;
	st = task_state(task, false);
	if (st && cfg.late && st->pending && was_counted(task, st))
		fault_late(task, st);
	if (st && st->mm == ev->mm) { /* the new image has faulted already, while it was loaded */
		st->loading = 0;
		ev->usage.min_flt -= st->seen_min - st->image_min;
		ev->usage.maj_flt -= st->seen_maj - st->image_maj;
		ev->head.time_ns = st->mm_since_ns - 1; /* and those faults are its own */
	}
	ev->old_tid = old_pid;
	ev->compat = is_compat_image(task);
	ev->pad = 0;
	ev->image = task_image(task);
	ev->args_populated = argument_pages(task->mm);
	kernel_string(ev->comm, sizeof(ev->comm), task->comm);
	kernel_string(ev->path, sizeof(ev->path), KERNEL_READ(bprm, filename));
	control_send(ev, sizeof(*ev));
	life_layout(task, by);
	return 0;
}

SEC("?tp_btf/sched_process_exit")
int BPF_PROG(life_exit)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = task_state(task, false);
	u32 pid = task->tgid;
	struct fs_exit_event ev = {};

	if (st)
		st->exiting = 1;

	if (!reported(task))
		return 0;
	head_init(&ev.head, FS_EVENT_EXIT, sizeof(ev));
	ev.mm = (u64)task->mm;
	ev.usage.min_flt = task->min_flt;
	ev.usage.maj_flt = task->maj_flt;
	ev.exit_code = task->exit_code;
	ev.image = task_image(task);
	/* do_exit() has dropped signal->live before the tracepoint */
	ev.last = KERNEL_READ(task, signal, live.counter) == 0;
	control_send(&ev, sizeof(ev));
	if (cfg.target == FS_TARGET_TASKS) {
		pid = cfg.threads ? task->pid : pid;
		if (ev.last || cfg.threads)
			bpf_map_delete_elem(&targets, &pid);
	}
	return 0;
}

SEC("?tp_btf/task_rename")
int BPF_PROG(life_rename, struct task_struct *task, const char *comm)
{
	struct fs_rename_event ev = {};

	/* execve names the new image, in its own event; one more before that does no harm */
	if (!reported(task) || in_execve(task))
		return 0;
	head_init(&ev.head, FS_EVENT_RENAME, sizeof(ev));
	ev.head.pid = task->tgid;
	ev.head.tid = task->pid;
	kernel_string(ev.comm, sizeof(ev.comm), comm);
	control_send(&ev, sizeof(ev));
	return 0;
}

#endif /* FS_PROBE_LIFE_BPF_H */
