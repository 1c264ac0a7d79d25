/* SPDX-License-Identifier: GPL-2.0-only */
/* Differences between kernels: one block each, naming the change. Found by CO-RE, never by version. */
#ifndef FS_COMPAT_BPF_H
#define FS_COMPAT_BPF_H

#include "vmlinux.h"
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_tracing.h>

#include "config.h"
#include "event.h"
#include "vm.h"

extern const volatile struct fs_config cfg;

/*
 * bpf_rdonly_cast, 6.2+ (commit a35b9af4ec2c "bpf: Add a kfunc for generic type cast"): makes any
 * kernel address readable with plain loads, which give 0 where the address is bad. Where it is
 * missing cfg.cast is 0 and the verifier deletes the call; probe reads take its place.
 */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;

/*
 * What the kernel's structures hold: BPF_CORE_READ() by plain loads. Probe reads are refused where the
 * kernel is locked down against reading its memory (cfg.probe is 0 then); what was not there reads
 * as 0 either way.
 */
#define KERNEL_CAST(src) \
	((typeof(src))bpf_rdonly_cast((void *)(src), bpf_core_type_id_kernel(typeof(*(src)))))
#define KERNEL_READ(src, a, ...)                                   \
	(cfg.cast ? ___arrow(KERNEL_CAST(src), a, ##__VA_ARGS__) : \
		    BPF_CORE_READ(src, a, ##__VA_ARGS__))

static __always_inline u64 kernel_u64(u64 addr)
{
	const int at = bpf_core_field_offset(struct maple_range_64, pivot);
	u64 v = 0;

	if (cfg.cast) {
		struct maple_range_64 *p = bpf_rdonly_cast(
			(void *)(addr - at), bpf_core_type_id_kernel(struct maple_range_64));

		return p->pivot[0];
	}
	bpf_probe_read_kernel(&v, sizeof(v), (void *)addr);
	return v;
}

static __always_inline bool has_zero_byte(u64 word)
{
	return (word - 0x0101010101010101UL) & ~word & 0x8080808080808080UL;
}

/*
 * Copy a string to `to`, which has room for `size` bytes, a multiple of 8: a constant. What stands
 * behind its end is not told. 0: nothing was there.
 */
static __always_inline void kernel_string(void *to, u32 size, const void *from)
{
	u64 word;

	if (cfg.probe) {
		bpf_probe_read_kernel_str(to, size, from);
		return;
	}
	for (u32 i = 0; i < size; i += 8) {
		word = kernel_u64((u64)from + i);
		if (i + 8 == size)
			word &= ~0UL >> 8;
		__builtin_memcpy(to + i, &word, sizeof(word));
		if (has_zero_byte(word))
			break;
	}
}

/*
 * mm->mm_lock_seq counts changes of an address space: an int from 6.4 (commit 5e31275cc997), raised
 * when the write lock is dropped; a seqcount_t from 6.14 (commit eb449bd96954), odd while it is
 * held; missing without CONFIG_PER_VMA_LOCK.
 */
struct mm_struct___int {
	int mm_lock_seq;
} __attribute__((preserve_access_index));

struct seqcount___compat {
	unsigned int sequence;
} __attribute__((preserve_access_index));

struct mm_struct___seqcount {
	struct seqcount___compat mm_lock_seq;
} __attribute__((preserve_access_index));

struct vm_area_struct___int {
	int vm_lock_seq;
} __attribute__((preserve_access_index));

static __always_inline u32 mm_seq(struct mm_struct *mm)
{
	if (!cfg.lock_seq)
		return 0;
	if (bpf_core_field_exists(((struct mm_struct___int *)0)->mm_lock_seq))
		return ((struct mm_struct___int *)mm)->mm_lock_seq;
	return ((struct mm_struct___seqcount *)mm)->mm_lock_seq.sequence;
}

/* The same where `mm` is a mere number. */
static __always_inline u32 mm_seq_probe(u64 mm)
{
	if (!cfg.lock_seq)
		return 0;
	if (bpf_core_field_exists(((struct mm_struct___int *)0)->mm_lock_seq))
		return KERNEL_READ((struct mm_struct___int *)mm, mm_lock_seq);
	return KERNEL_READ((struct mm_struct___seqcount *)mm, mm_lock_seq.sequence);
}

/* Is the VMA, read between two equal numbers `seq`, good for as long as the number stays? */
static __always_inline bool mm_seq_holds(u32 seq, u64 vma)
{
	if (!cfg.lock_seq)
		return false;
	if (bpf_core_field_exists(((struct mm_struct___int *)0)->mm_lock_seq))
		return (u32)KERNEL_READ((struct vm_area_struct___int *)vma, vm_lock_seq) != seq;
	return !(seq & 1);
}

/* Is `seq` no number of a moment at which the address space is being changed? */
static __always_inline bool mm_seq_quiet(u32 seq)
{
	return bpf_core_field_exists(((struct mm_struct___int *)0)->mm_lock_seq) || !(seq & 1);
}

/*
 * The inode that /proc/PID/maps shows. A mapping of an overlayfs file maps the lower file; from 6.8
 * (commit def3ae83da02 "fs: store real path instead of fake path in backing file f_path") the file
 * that the user opened is beside it. FMODE_BACKING tells such a file, but was bit 25 and is bit 24
 * in later kernels, where 25 means something else: these files also have FMODE_NOACCOUNT, and what
 * lies beside them is the path of a file system that stands on others.
 */
#define FMODE_NOACCOUNT (1U << 29)

struct backing_file___user {
	struct path user_path;
} __attribute__((preserve_access_index));

static __always_inline bool is_backing_file(struct file *file)
{
	struct super_block *sb;
	struct path *path;

	if (!bpf_core_field_exists(((struct backing_file___user *)0)->user_path) ||
	    !(KERNEL_READ(file, f_mode) & FMODE_NOACCOUNT))
		return false;
	path = (void *)file + bpf_core_field_offset(struct backing_file___user, user_path);
	sb = KERNEL_READ(path, dentry, d_sb);
	return sb && sb == KERNEL_READ(path, mnt, mnt_sb) && KERNEL_READ(sb, s_stack_depth) > 0;
}

static __always_inline struct path *file_user_path(struct file *file)
{
	if (is_backing_file(file))
		return (void *)file + bpf_core_field_offset(struct backing_file___user, user_path);
	return (void *)file + bpf_core_field_offset(struct file, f_path);
}

static __always_inline struct inode *file_user_inode(struct file *file)
{
	struct path *path;

	if (!is_backing_file(file))
		return KERNEL_READ(file, f_inode);
	path = (void *)file + bpf_core_field_offset(struct backing_file___user, user_path);
	return KERNEL_READ(path, dentry, d_inode);
}

/* task->numa_faults_locality exists with CONFIG_NUMA_BALANCING; task_numa_fault() writes it. */
static __always_inline u64 task_numa_mark(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->numa_faults_locality))
		return 0;
	return task->numa_faults_locality[0] + task->numa_faults_locality[1];
}

/* Is the task inside execve? Not known, and false, where the kernel has no bit for that. */
static __always_inline bool in_execve(struct task_struct *task)
{
	if (!bpf_core_field_exists(task->in_execve))
		return false;
	if (!cfg.probe)
		return BPF_CORE_READ_BITFIELD(task, in_execve);
	return BPF_CORE_READ_BITFIELD_PROBED(task, in_execve);
}

/*
 * Identity of a process's image: when the process was born, in ns, plus how often it has called
 * execve. A thread that calls execve takes over the leader's start time (de_thread(), fs/exec.c).
 */
static __always_inline u64 task_image(struct task_struct *task)
{
	return task->group_leader->start_time + task->self_exec_id;
}

/* The user registers of a task: at the top of its kernel stack (arch task_pt_regs()). */
static __always_inline bool is_compat_task(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	return task->thread_info.status & 2; /* TS_COMPAT, arch/x86/include/asm/thread_info.h */
#else
	return task->thread_info.flags & (1UL << 22); /* TIF_32BIT, arm64 asm/thread_info.h */
#endif
}

/* Does the task run a 32-bit program? Its addresses end at 4 GiB. */
static __always_inline bool is_compat_image(struct task_struct *task)
{
	u64 size = KERNEL_READ(task, mm, task_size);

	return size && size <= (1UL << 32);
}

/* What the architecture kept of the access that failed: 'read', 'write', 'exec'. */
static __always_inline enum fs_access failed_access(struct task_struct *task)
{
#if defined(__TARGET_ARCH_x86)
	unsigned long code = task->thread.error_code;

	if (code & (1 << 4)) /* X86_PF_INSTR */
		return FS_ACCESS_EXEC;
	return code & (1 << 1) ? FS_ACCESS_WRITE : FS_ACCESS_READ;
#else
	unsigned long esr = task->thread.fault_code;

	if ((esr >> 26) == 0x20) /* ESR_ELx_EC_IABT_LOW */
		return FS_ACCESS_EXEC;
	return esr & (1 << 6) ? FS_ACCESS_WRITE : FS_ACCESS_READ; /* ESR_ELx_WNR */
#endif
}

#endif /* FS_COMPAT_BPF_H */
