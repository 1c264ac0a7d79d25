/* SPDX-License-Identifier: GPL-2.0-only */
/* The memory of the kernel side: per-CPU counters and fault rings, control rings, task state. */
#ifndef FS_STATE_BPF_H
#define FS_STATE_BPF_H

#include "compat.bpf.h"

#define VMA_CACHE 4

/* A run of addresses with one base region: a VMA, cut at start_brk where bss and heap are merged. */
struct vma_slot {
	u64 start, end;
	u64 vm_flags;
	u64 pgoff; /* file offset of start, in bytes */
	u32 region_id;
	u8 region; /* base */
	/* in-kernel aggregation: */
	u8 exact;        /* the regions below are final, nothing is left to user space */
	u8 below, above; /* refined region of addresses below `split`, and from it on */
	u64 split;
	u16 cells[FS_CLASS_NR +
		  2]; /* number of the cell for `below` and a class; 0: not looked up */
};

/*
 * A table of PMDs: kept for one GiB of addresses, as long as the address space is known to be the same.
 */
struct pmd_cache {
	u64 gib; /* GiB of addresses + 1 that the table is for; 0: none */
	u64 table;
};

/* A mapping call, from its entry or, where nobody looks at that, from its end on. */
struct call_state {
	u64 ns; /* of its entry, 0: it is not known */
	u64 args[6];
	u64 min, maj; /* min_flt and maj_flt less those seen, at entry */
	u64 brk;      /* where it was at entry */
	u64 bytes;    /* of what shmdt or io_destroy will unmap */
	u64 result;   /* user address of a 32-bit result, 0: it is returned */
	u64 ip;
	u32 call; /* enum fs_call + 1, 0: none */
	u32 compat;
	/* when it has returned: not on the stack, of which Linux 6.1 has little */
	s64 ret;
	u32 min_flt, maj_flt;
	u32 region_id, region;
	u32 stack_id;
	u32 failed;
};

/*
 * What is known of a thread. A fault clears 4 KiB of memory, which drives other lines out of the
 * nearest cache: what every fault touches stands together, at the beginning.
 */
struct task_state {
	/* the fault that is being handled */
	u64 entry_ns;
	u64 who; /* tgid << 32 | tid */
	u64 addr;
	u64 ip;
	u64 before;                 /* page-table entry at entry */
	u64 min_before, maj_before; /* min_flt and maj_flt at entry */
	u32 slot;                   /* index of the region in vmas */
	u8 pending;
	u8 access; /* enum fs_access */
	u8 user;
	u8 before_level;
	/* what is known of its address space while mm_lock_seq is seq */
	u64 mm;
	u32 seq;
	u8 restarted;
	u8 saw_major; /* PGMAJFAULT was counted */
	u8 next;      /* vmas entry to replace */
	u8 exiting;   /* its cells are being taken back */
	u8 grows;     /* vmas[VMA_CACHE] is a stack that has not grown to the address yet */
	u8 loading;   /* FS_FAULT_LOADING while execve loads what it is to run */
	u32 stack_id; /* of the fault that is being handled */
	u8 stack_taken;
	u8 stack_sent; /* it was new */
	struct pmd_cache pmd;
	/* faults of this thread that raised an exception: the rest of min_flt is populated */
	u64 seen_min, seen_maj;
	u64 slept_before; /* nvcsw at entry */
	u64 done_ns;      /* when it was over, where that is looked at later; else 0 */
	struct vma_slot vmas[VMA_CACHE + 1]; /* the last one is not kept */
	u64 numa;
	u64 image;                /* task_image() */
	u64 mm_since_ns;          /* when the thread first faulted in mm */
	u64 image_min, image_maj; /* seen_min and seen_maj at that time */
	/* who is it: verdicts of FS_TARGET_MATCH, and what they were made from */
	u8 kernel_access; /* enum fs_access + 1 of an exception in kernel mode, just raised; or 0 */
	u8 comm_ok;
	u8 cgroup_ok;
	u64 comm[2];
	u64 cset;
	u64 cgroup_id;
	struct call_state call; /* that is being made */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct task_state);
} tasks SEC(".maps");

/* One entry a CPU; mapped by the consumer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fs_cpu);
} cpus SEC(".maps");

/* cfg.ncpus rings of 1 << cfg.ring_shift records, end to end; mapped by the consumer. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fs_fault);
} fault_rings SEC(".maps");

struct control_ring {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 256 * 1024);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, u32);
	__array(values, struct control_ring);
} control_rings SEC(".maps");

/* Wakes the loader; nothing is sent by it. */
struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4096);
} wake_ring SEC(".maps");

#define WAKE_INTERVAL_NS 1000000

volatile __u64 woken_ns = 0;

/* Something waits for the loader: it should not sleep on until its timer says so. */
static __always_inline void loader_wake(void)
{
	u64 now = bpf_ktime_get_ns(), word = 0;

	if (now - woken_ns < WAKE_INTERVAL_NS)
		return;
	woken_ns = now;
	bpf_ringbuf_output(&wake_ring, &word, sizeof(word), BPF_RB_FORCE_WAKEUP);
}

union scratch {
	struct fs_file_event file;
	/* the last name may run over, its bytes are not sent */
	char bytes[sizeof(struct fs_file_event) + FS_PATH_MAX + 256];
};

/*
 * Who uses a CPU's memory. An iterator can be preempted, and on Linux 7 programs of tp_btf tracepoints
 * can: others then run for the next task on that CPU. The same program does not (it is skipped, which
 * is counted), so that each of those that tell layouts has its own.
 */
enum used_by { BY_EVENT, BY_ITER, BY_FORK, BY_FORK_MISSED, BY_EXEC, BY_RAW_CALL, BY_NR };

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, BY_NR);
	__type(key, u32);
	__type(value, union scratch);
} scratches SEC(".maps");

/* FS_TARGET_TASKS: processes (tgid) that are targets. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 65536);
	__type(key, u32);
	__type(value, u32);
} targets SEC(".maps");

static __always_inline struct fs_cpu *this_cpu(void)
{
	u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cpus, &cpu);
}

static __always_inline void count_loss(enum fs_loss why)
{
	struct fs_cpu *cpu = this_cpu();

	if (cpu)
		cpu->lost[why]++;
}

/* One of a task's VMAs; where the fault lies. The index is checked as the verifier wants it: on the value that is used. */
static __always_inline struct vma_slot *slot_at(struct task_state *st, u32 i)
{
	asm volatile("" : "+r"(i));
	return &st->vmas[i <= VMA_CACHE ? i : VMA_CACHE];
}

static __always_inline struct vma_slot *fault_slot(struct task_state *st)
{
	return slot_at(st, st->slot);
}

static __always_inline struct task_state *task_state(struct task_struct *task, bool create)
{
	struct task_state *st;

	st = bpf_task_storage_get(&tasks, task, NULL, create ? BPF_LOCAL_STORAGE_GET_F_CREATE : 0);
	if (!st && create)
		count_loss(FS_LOSS_STORAGE);
	return st;
}

/*
 * Publish a fault record. The record must be whole before `head` shows it: x86 keeps the order of
 * stores; elsewhere the atomic add, which is ordered, does.
 */
static __always_inline bool publish_head(struct fs_cpu *cpu, u64 head)
{
#if defined(__TARGET_ARCH_x86)
	barrier();
	*(volatile u64 *)&cpu->head = head + 1;
#else
	__sync_fetch_and_add(&cpu->head, 1);
#endif
	return true;
}

/*
 * Time of the last control event. Without a clock of its own a fault carries this: it happened
 * after that event and before the next.
 */
volatile __u64 last_control_ns = 0;

static __always_inline void control_time(u64 now)
{
	u64 last = *(volatile u64 *)&last_control_ns;

	for (int i = 0; i < 4 && now > last; i++) {
		u64 was = __sync_val_compare_and_swap(&last_control_ns, last, now);

		if (was == last)
			break;
		last = was;
	}
}

static __always_inline void head_init_at(struct fs_head *h, u16 kind, u32 size, u64 time_ns)
{
	u64 id = bpf_get_current_pid_tgid();

	h->kind = kind;
	h->cpu = bpf_get_smp_processor_id();
	h->size = size;
	h->time_ns = time_ns;
	if (!cfg.latency)
		control_time(h->time_ns);
	h->pid = id >> 32;
	h->tid = (u32)id;
}

static __always_inline void head_init(struct fs_head *h, u16 kind, u32 size)
{
	head_init_at(h, kind, size, bpf_ktime_get_ns());
}

static __always_inline void *control_ring(void)
{
	u32 shard = bpf_get_smp_processor_id() & (cfg.shards - 1);

	return bpf_map_lookup_elem(&control_rings, &shard);
}

/* Send an event of constant or bounded size; no wake-up: the consumer polls on a timer. */
static __always_inline bool control_send(void *ev, u64 size)
{
	void *rb = control_ring();

	if (rb && !bpf_ringbuf_output(rb, ev, size, BPF_RB_NO_WAKEUP))
		return true;
	count_loss(FS_LOSS_CTL_RING);
	return false;
}

#endif /* FS_STATE_BPF_H */
