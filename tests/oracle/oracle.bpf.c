// SPDX-License-Identifier: GPL-2.0-only
/*
 * For tests alone: what handle_mm_fault() was asked and what it said, in every call for an exception
 * (regs != NULL). It shares nothing with bpf/, and does not need to be cheap.
 *
 * fentry and fexit; where the architecture has no trampolines (arm64 before 6.4), kprobes.
 */
#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "oracle.h"

/* include/linux/sched.h */
#define PF_EXITING    0x00000004
#define PF_FORKNOEXEC 0x00000040

char LICENSE[] SEC("license") = "GPL";

/* Processes (tgid): the first is put there by the loader. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, u32);
} members SEC(".maps");

/* Calls that have begun, by thread. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 16384);
	__type(key, u64);
	__type(value, struct oracle_fault);
} begun SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 16 << 20);
} done SEC(".maps");

__u64 lost = 0;

static __always_inline void read_vma(struct oracle_fault *f, struct vm_area_struct *vma)
{
	struct file *file = BPF_CORE_READ(vma, vm_file);

	f->vm_start = BPF_CORE_READ(vma, vm_start);
	f->vm_end = BPF_CORE_READ(vma, vm_end);
	f->vm_flags = BPF_CORE_READ(vma, vm_flags);
	f->vm_pgoff = BPF_CORE_READ(vma, vm_pgoff);
	f->has_ops = BPF_CORE_READ(vma, vm_ops) != NULL;
	f->start_brk = BPF_CORE_READ(vma, vm_mm, start_brk);
	f->brk = BPF_CORE_READ(vma, vm_mm, brk);
	f->start_stack = BPF_CORE_READ(vma, vm_mm, start_stack);
	if (file) {
		f->inode = BPF_CORE_READ(file, f_inode, i_ino);
		f->dev = BPF_CORE_READ(file, f_inode, i_sb, s_dev);
	}
}

static __always_inline void begin(struct vm_area_struct *vma, unsigned long address,
				  unsigned int flags, struct pt_regs *regs)
{
	struct task_struct *task = (void *)bpf_get_current_task();
	u64 id = bpf_get_current_pid_tgid();
	struct oracle_fault f = { .address = address, .pid = id >> 32, .tid = id };
	u32 pid = id >> 32;

	if (!regs || !bpf_map_lookup_elem(&members, &pid))
		return;
	f.time_ns = bpf_ktime_get_ns();
	f.exiting = !!(BPF_CORE_READ(task, flags) & PF_EXITING);
	f.no_exec = !!(BPF_CORE_READ(task, group_leader, flags) & PF_FORKNOEXEC);
#define FLAG(name)                                                           \
	if (flags & bpf_core_enum_value(enum fault_flag, FAULT_FLAG_##name)) \
		f.flags |= 1U << ORACLE_FLAG_##name;
	ORACLE_FLAGS(FLAG)
#undef FLAG
	read_vma(&f, vma);
	/* one that stands there is of a call whose end was missed */
	if (bpf_map_update_elem(&begun, &id, &f, BPF_NOEXIST) &&
	    (__sync_fetch_and_add(&lost, 1), bpf_map_update_elem(&begun, &id, &f, BPF_ANY)))
		__sync_fetch_and_add(&lost, 1);
}

static __always_inline void end(unsigned int ret)
{
	u64 id = bpf_get_current_pid_tgid();
	struct oracle_fault *f = bpf_map_lookup_elem(&begun, &id);

	if (!f) /* not for an exception, or of somebody else */
		return;
	f->result = 0;
#define RESULT(name)                                                          \
	if (ret & bpf_core_enum_value(enum vm_fault_reason, VM_FAULT_##name)) \
		f->result |= 1U << ORACLE_RESULT_##name;
	ORACLE_RESULTS(RESULT)
#undef RESULT
	if (bpf_ringbuf_output(&done, f, sizeof(*f), 0))
		__sync_fetch_and_add(&lost, 1);
	bpf_map_delete_elem(&begun, &id);
}

SEC("?fentry/handle_mm_fault")
int BPF_PROG(trampoline_begin, struct vm_area_struct *vma, unsigned long address,
	     unsigned int flags, struct pt_regs *regs)
{
	begin(vma, address, flags, regs);
	return 0;
}

SEC("?fexit/handle_mm_fault")
int BPF_PROG(trampoline_end, struct vm_area_struct *vma, unsigned long address, unsigned int flags,
	     struct pt_regs *regs, unsigned int ret)
{
	end(ret);
	return 0;
}

SEC("?kprobe/handle_mm_fault")
int BPF_KPROBE(kprobe_begin, struct vm_area_struct *vma, unsigned long address, unsigned int flags,
	       struct pt_regs *regs)
{
	begin(vma, address, flags, regs);
	return 0;
}

SEC("?kretprobe/handle_mm_fault")
int BPF_KRETPROBE(kprobe_end, unsigned int ret)
{
	end(ret);
	return 0;
}

SEC("tp_btf/sched_process_fork")
int BPF_PROG(forked, struct task_struct *parent, struct task_struct *child)
{
	u32 pid = parent->tgid, new = child->tgid;

	if (bpf_map_lookup_elem(&members, &pid) &&
	    bpf_map_update_elem(&members, &new, &new, BPF_ANY))
		__sync_fetch_and_add(&lost, 1);
	return 0;
}
