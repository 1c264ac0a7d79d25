/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Page faults: from the exception to its completion. Every line here is paid for at each fault of
 * the machine.
 *
 * Entry: tp_btf/page_fault_{user,kernel} where the architecture has them (the error code comes with
 * them), else, and for chosen tasks, the software event PAGE_FAULTS. Completion: the software
 * events PAGE_FAULTS_MIN and _MAJ, raised by mm_account_fault() once per fault that succeeded.
 * A fault that fails raises no event but a signal, or an error of the system call.
 */
#ifndef FS_PROBE_FAULT_BPF_H
#define FS_PROBE_FAULT_BPF_H

#include "classify.bpf.h"
#include "emit.bpf.h"
#include "region.bpf.h"
#include "stack.bpf.h"
#include "target.bpf.h"

/* Has the stack to grow for this fault to succeed? */
static __always_inline bool fault_grows(const struct task_state *st)
{
	return st->slot == VMA_CACHE && st->grows;
}

/*
 * Take the stack of the fault that the current task is in. Without a clock a fault carries the time of
 * the last event, which must then be that of its stack; else it ends when its stack was sent.
 */
static __always_inline void fault_stack(struct task_state *st, u32 nkernel)
{
	u64 taken;

	if (!cfg.fault_stacks || st->stack_taken ||
	    !(cfg.region_mask & (1U << (fault_slot(st)->region & 31))))
		return;
	taken = stack_take(nkernel, st->loading);
	st->stack_id = taken;
	st->stack_taken = 1;
	st->stack_sent = taken >> 32;
}

/* Does no filter drop it, as far as is known before its latency is? */
static __always_inline bool fault_wanted(const struct vma_slot *slot, u32 flags)
{
	if (!(cfg.region_mask & (1U << (slot->region & 31))))
		return false;
	return flags & FS_FAULT_FAILED ? cfg.report_failed :
	       flags & FS_FAULT_MAJOR  ? cfg.report_major :
					 cfg.report_minor;
}

/*
 * The fault that the current task is in is over: take its stack, which its latency is not to contain.
 * Faults are delivered by the time at which they ended, so that one whose stack was sent ends after.
 */
static __always_inline void fault_stack_over(struct task_state *st, u32 flags)
{
	u64 now;

	if (!cfg.fault_stacks || st->stack_taken || !fault_wanted(fault_slot(st), flags))
		return;
	if (cfg.latency && !st->done_ns)
		st->done_ns = bpf_ktime_get_ns();
	fault_stack(st, 0);
	if (cfg.latency && st->stack_sent) {
		now = bpf_ktime_get_ns();
		st->entry_ns += now - st->done_ns;
		st->done_ns = now;
	}
}

/*
 * A fault is over: count it, and report it unless a filter drops it. A global function, so that the
 * verifier goes through it once and not once for each state of each caller.
 */
__noinline int fault_done(struct task_state *st, u32 class, u32 flags, u32 order)
{
	struct fs_cpu *cpu = this_cpu();
	struct vma_slot *slot;
	u64 latency = 0;

	if (!st || !cpu)
		return 0;
	slot = fault_slot(st);
	st->pending = 0;
	if (flags & FS_FAULT_FAILED && fault_grows(st)) { /* it may not */
		slot->region = FS_REGION_NONE;
		slot->region_id = 0;
		slot->exact = 0;
	}
	if (!cfg.latency) {
		flags |= FS_FAULT_NO_LATENCY;
	} else if (flags & FS_FAULT_NO_LATENCY) {
		st->entry_ns = bpf_ktime_get_ns(); /* when it was noticed */
	} else {
		latency = (st->done_ns ? st->done_ns : bpf_ktime_get_ns()) - st->entry_ns;
	}
	if (!st->user)
		flags |= FS_FAULT_KERNEL;
	if (st->restarted)
		flags |= FS_FAULT_RESTARTED;
	if (!fault_wanted(slot, flags) || latency < cfg.min_latency_ns)
		return 0;
	asm volatile("" : "+r"(class)); /* the verifier wants the value itself checked */
	if (class >= FS_CLASS_NR)
		return 0;
	cpu->classes[class].faults++;
	cpu->classes[class].pages += 1ULL << (order & 31);
	if (flags & FS_FAULT_MAJOR)
		cpu->major++;
	if (flags & FS_FAULT_KERNEL)
		cpu->kernel++;
	if (cfg.in_kernel && slot->exact && cell_add(cpu, st, slot, class, flags, order, latency))
		return 0;
	fault_emit(cpu, st, slot, class, flags, order, latency);
	return 0;
}

/* Does this entry let the access go on? Then the fault that made it has succeeded. */
static __always_inline bool entry_serves(struct entry e, u8 access)
{
	return entry_present(e.value) && (access != FS_ACCESS_WRITE || entry_writable(e.value));
}

/* A fault has succeeded: find out what it was. */
static __always_inline void fault_succeeded(struct task_struct *task, struct task_state *st,
					    struct entry after, bool major, u32 flags)
{
	struct vma_slot *slot = fault_slot(st);
	u8 class, order;

	if (major)
		st->seen_maj++;
	else
		st->seen_min++;
	if (st->access == FS_ACCESS_UNKNOWN)
		st->access = access_from_entries(st, slot, after);
	class = classify(st, slot, after, st->access, major, &order);
	if (cfg.numa && st->numa != task_numa_mark(task))
		class = FS_CLASS_NUMA;
	fault_done(st, class, flags | (major ? FS_FAULT_MAJOR : 0), order);
}

/* Has the kernel counted the pending fault, which nothing has looked at since? */
static __always_inline bool was_counted(struct task_struct *task, struct task_state *st)
{
	return task->min_flt != st->min_before || task->maj_flt != st->maj_before;
}

/*
 * Look at a fault after it was counted: at the thread's next fault, or at the end. The entry that it
 * left may have gone again; what was there before and the access still tell most.
 */
static __noinline int fault_late(struct task_struct *task, struct task_state *st)
{
	struct mm_struct *mm = task->mm;
	struct entry after = {};

	if (mm && st->mm == (u64)mm) {
		if (mm_seq(mm) != st->seq)
			st->pmd.gib = 0;
		after = table_walk(st, mm, st->addr);
	}
	fault_succeeded(task, st, after, task->maj_flt != st->maj_before, 0);
	return 0;
}

/* What becomes of a pending fault when the thread is seen doing something else. */
static __noinline int fault_abandoned(struct task_struct *task, struct task_state *st)
{
	struct vma_slot *slot = fault_slot(st);
	struct fs_cpu *cpu;

	if (!cfg.report_minor && was_counted(task, st)) {
		st->pending = 0; /* the ends of minor faults are not looked at */
	} else if (!st->user) {
		/* the system call got EFAULT; where the VMA allowed it, beyond the file's end */
		fault_done(st,
			   slot->region == FS_REGION_NONE || fault_grows(st) ? FS_CLASS_SEGV :
									       FS_CLASS_BUS,
			   FS_FAULT_FAILED | FS_FAULT_NO_LATENCY, 0);
	} else {
		st->pending = 0;
		cpu = this_cpu();
		if (cpu)
			cpu->restarted++;
	}
	return 0;
}

/* A thread with a pending fault is at the beginning of another, or at its end. True: it is the same. */
static __always_inline bool fault_settle(struct task_struct *task, struct task_state *st, u64 addr,
					 u64 ip)
{
	if (cfg.late && was_counted(task, st)) {
		fault_late(task, st);
		return false;
	}
	/* in kernel mode nothing restarts: the access is given up */
	if (st->user && st->addr == addr && st->ip == ip && st->mm == (u64)task->mm) {
		st->done_ns = 0;
		st->restarted = 1; /* the same fault: its time runs on */
		return true;
	}
	fault_abandoned(task, st);
	return false;
}

static __always_inline bool access_allowed(u64 vm_flags, u8 access)
{
	if (access == FS_ACCESS_WRITE)
		return vm_flags & VM_WRITE;
	if (access == FS_ACCESS_EXEC)
		return vm_flags & VM_EXEC;
	return vm_flags & (VM_READ | VM_WRITE | VM_EXEC); /* vma_is_accessible() */
}

static __always_inline void fault_entry(void *ctx, struct task_struct *task, u64 addr, u64 ip,
					bool user, u8 access)
{
	struct mm_struct *mm = task->mm;
	struct task_state *st;
	struct entry before;
	struct vma_slot *slot;

	if (!mm)
		return;
	if (cfg.check_members && !is_member(task))
		return;
	st = task_state(task, true);
	if (!st || !task_matches(st, task))
		return;
	if (st->pending && fault_settle(task, st, addr, ip))
		return;
	if (cfg.latency)
		st->entry_ns = bpf_ktime_get_ns();
	st->done_ns = 0;
	st->restarted = 0;
	st->addr = addr;
	st->ip = ip;
	st->user = user;
	if (user)
		st->loading = 0;
	st->access = access;
	if (cfg.numa)
		st->numa = cfg.numa ? task_numa_mark(task) : 0;
	st->saw_major = 0;
	if (cfg.late || !cfg.report_minor) {
		st->min_before = task->min_flt;
		st->maj_before = task->maj_flt;
		st->slept_before = task->nvcsw;
	}
	st->stack_id = 0;
	st->stack_taken = 0;
	st->slot = region_at(task, st, mm, addr);
	if (cfg.fault_stacks && !user) { /* the end of an access that fails is seen too late */
		fault_stack(st, cfg.kernel_stacks ? kernel_frames(ctx, ip) : 0);
		if (cfg.latency)
			st->entry_ns = bpf_ktime_get_ns();
	} else if (!cfg.latency) {
		fault_stack(st, 0);
	}
	if (!cfg.latency)
		st->entry_ns = last_control_ns; /* after that of a new region or image */
	before = table_walk(st, mm, addr);
	st->before = before.value;
	st->before_level = before.level;
	st->pending = 1;
	if (!cfg.in_kernel)
		fault_emit_soon();
	if (!user) { /* a bad address given to a system call: nothing else tells */
		slot = fault_slot(st);
		if (slot->region != FS_REGION_NONE && access != FS_ACCESS_UNKNOWN &&
		    !access_allowed(slot->vm_flags, access)) {
			fault_done(st, FS_CLASS_SEGV, FS_FAULT_FAILED | FS_FAULT_NO_LATENCY, 0);
		}
	}
}

/* Set by the loader while all is attached: who ends a fault then was seen to begin it. */
volatile __u32 faults_whole = 0;

static __always_inline int fault_complete(struct bpf_perf_event_data *ctx, bool major)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct fs_cpu *cpu = this_cpu();
	struct task_state *st;
	u64 addr = ctx->addr;
	struct entry after;
	u32 flags = 0;

	if (!cpu || !mm)
		return 0;
	cpu->completions++;
	st = task_state(task, cfg.target != FS_TARGET_MATCH && !cfg.check_members);
	if (!st || (cfg.check_members && !is_member(task)))
		return 0;
	if (!st->pending || st->addr != addr) {
		if (cfg.memcg && major && st->addr == addr) {
			/* PGFAULT looked like that of a minor fault */
			if (!st->saw_major && cfg.report_minor && cfg.report_major &&
			    (cfg.region_mask & (1U << (fault_slot(st)->region & 31)))) {
				cpu->major++;
				cpu->lost[FS_LOSS_LATE_MAJOR]++;
			}
			return 0;
		}
		if (cfg.target == FS_TARGET_MATCH || !faults_whole)
			return 0;
		/* began before the trace did: no latency, and the entry before it is not known */
		st->addr = addr;
		st->ip = PT_REGS_IP(&ctx->regs);
		st->user = (s64)st->ip > 0;
		st->access = FS_ACCESS_UNKNOWN;
		st->before_level = 0;
		st->before = 0;
		st->restarted = 0;
		st->entry_ns = last_control_ns;
		st->done_ns = 0;
		flags = FS_FAULT_NO_LATENCY;
		st->numa = cfg.numa ? task_numa_mark(task) : 0;
		st->slot = region_at(task, st, mm, addr);
		st->stack_taken = 0;
	}
	after = table_walk(st, mm, addr);
	fault_stack_over(st, major ? FS_FAULT_MAJOR : 0);
	fault_succeeded(task, st, after, major, flags);
	return 0;
}

/*
 * The same from the memory controller's counting, where the kernel shows that (6.14+, commit
 * 9b0ae8ae4e92, with the controller enabled): mm_account_fault() counts PGFAULT before it raises the
 * software event, at less than half the cost. It does so for failures, too: those leave no entry
 * that serves the access. A fault that has read storage has counted PGMAJFAULT before.
 */
SEC("?tp_btf/count_memcg_events")
int BPF_PROG(fault_counted, struct mem_cgroup *memcg, int item)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st;
	struct entry after;

	if (item != (int)bpf_core_enum_value(enum vm_event_item, PGFAULT)) {
		if (item != (int)bpf_core_enum_value(enum vm_event_item, PGMAJFAULT))
			return 0;
		st = task_state(task, false);
		if (st && st->pending)
			st->saw_major = 1;
		return 0;
	}
	st = task_state(task, false);
	if (!st || !st->pending || !task->mm)
		return 0;
	if (st->saw_major || task->nvcsw == st->slept_before) {
		after = table_walk(st, task->mm, st->addr);
		if (entry_serves(after, st->access)) {
			fault_stack_over(st, st->saw_major ? FS_FAULT_MAJOR : 0);
			fault_succeeded(task, st, after, st->saw_major, 0);
			return 0;
		}
	}
	/*
	 * It has slept: it may have been retried for want of a folio's lock, which makes it major. If so
	 * PAGE_FAULTS_MAJ comes at once; else the thread's next fault looks at it. Later PGFAULTs, of
	 * pages that are populated, are not its own.
	 */
	if (!st->done_ns && cfg.latency)
		st->done_ns = bpf_ktime_get_ns();
	fault_stack(st, 0);
	return 0;
}

SEC("?perf_event")
int fault_min(struct bpf_perf_event_data *ctx)
{
	return fault_complete(ctx, false);
}

SEC("?perf_event")
int fault_maj(struct bpf_perf_event_data *ctx)
{
	return fault_complete(ctx, true);
}

#if defined(__TARGET_ARCH_x86)
#define INSTRUCTION_BYTES 16
#else
#define INSTRUCTION_BYTES 4
#endif

/* PERF_COUNT_SW_PAGE_FAULTS: raised after the checks that make an exception a fault. */
SEC("?perf_event")
int fault_start(struct bpf_perf_event_data *ctx)
{
	struct task_struct *task = bpf_get_current_task_btf();
	u64 ip = PT_REGS_IP(&ctx->regs), addr = ctx->addr;
	bool exec = addr - ip < INSTRUCTION_BYTES; /* it may run over into the page that faults */
	struct task_state *st = (s64)ip < 0 ? task_state(task, false) : NULL;
	u8 access = exec ? FS_ACCESS_EXEC : FS_ACCESS_UNKNOWN;

	if (st && st->kernel_access) {
		access = st->kernel_access - 1;
		st->kernel_access = 0;
	}
	fault_entry(ctx, task, addr, ip, (s64)ip > 0, access);
	return 0;
}

#if defined(__TARGET_ARCH_x86)
/* arch/x86/include/asm/trap_pf.h */
#define PF_WRITE (1UL << 1)
#define PF_INSTR (1UL << 4)

static __always_inline u8 pf_access(unsigned long code)
{
	return code & PF_INSTR ? FS_ACCESS_EXEC :
	       code & PF_WRITE ? FS_ACCESS_WRITE :
				 FS_ACCESS_READ;
}

SEC("?tp_btf/page_fault_user")
int BPF_PROG(exception_user, unsigned long addr, struct pt_regs *regs, unsigned long code)
{
	fault_entry(ctx, bpf_get_current_task_btf(), addr, regs->ip, true, pf_access(code));
	return 0;
}

SEC("?tp_btf/page_fault_kernel")
int BPF_PROG(exception_kernel, unsigned long addr, struct pt_regs *regs, unsigned long code)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st;
	struct fs_cpu *cpu;

	if ((long)addr < 0)
		return 0;
	if (cfg.target == FS_TARGET_TASKS && !is_member(task))
		return 0;
	if (task->pagefault_disabled) { /* faulthandler_disabled(): fixed up, no fault */
		if (cfg.target == FS_TARGET_MATCH) {
			st = task_state(task, false);
			if (!st || !task_matches(st, task))
				return 0;
		}
		cpu = this_cpu();
		if (cpu)
			cpu->classes[FS_CLASS_FIXUP].faults++;
		return 0;
	}
	if (cfg.target != FS_TARGET_TASKS || cfg.check_members) {
		fault_entry(ctx, task, addr, regs->ip, false, pf_access(code));
	} else { /* PAGE_FAULTS comes next; it does not know the access */
		st = task_state(task, true);
		if (st)
			st->kernel_access = pf_access(code) + 1;
	}
	return 0;
}
#endif

#define SIGBUS  7
#define SIGSEGV 11

/* force_sig_fault(): a fault of user mode has failed. */
SEC("?tp_btf/signal_generate")
int BPF_PROG(fault_signal, int sig, struct kernel_siginfo *info, struct task_struct *task)
{
	struct task_struct *self = bpf_get_current_task_btf();
	struct task_state *st;

	if ((sig != SIGSEGV && sig != SIGBUS) || task != self)
		return 0;
	if ((u64)info <= 2 || KERNEL_READ(info, si_code) <= 0) /* sent by kill(2) */
		return 0;
	st = task_state(self, false);
	if (!st || !st->pending || !st->user)
		return 0;
	if ((cfg.late || !cfg.report_minor) && was_counted(self, st)) {
		/* it has succeeded; the signal is about something else (#GP) */
		if (cfg.late)
			fault_late(self, st);
		else
			st->pending = 0;
		return 0;
	}
	if (st->access == FS_ACCESS_UNKNOWN)
		st->access = failed_access(self);
	fault_stack_over(st, FS_FAULT_FAILED);
	fault_done(st, sig == SIGBUS ? FS_CLASS_BUS : FS_CLASS_SEGV, FS_FAULT_FAILED, 0);
	return 0;
}

/* A thread that dies in a fault: killed for want of memory, or by another signal. */
SEC("?tp_btf/sched_process_exit")
int BPF_PROG(fault_exit)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct task_state *st = task_state(task, false);

	if (!st || !st->pending)
		return 0;
	if (cfg.late && was_counted(task, st))
		fault_late(task, st);
	else if (KERNEL_READ(task, signal, oom_mm) && (cfg.report_minor || !was_counted(task, st)))
		fault_done(st, FS_CLASS_OOM, FS_FAULT_FAILED, 0);
	else
		fault_abandoned(task, st);
	return 0;
}

/* At the end, when nothing else is attached: faults that were counted and not looked at. */
SEC("?iter/task")
int fault_flush(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct task_state *st;

	if (!task)
		return 0;
	st = task_state(task, false);
	if (st && st->pending && was_counted(task, st))
		fault_late(task, st);
	return 0;
}

#endif /* FS_PROBE_FAULT_BPF_H */
