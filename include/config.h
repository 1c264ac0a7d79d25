/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the loader tells the BPF programs before they load (fs_config, read-only afterwards, so the
 * verifier deletes what is off), and the memory both sides share while they run.
 * Include <linux/types.h> or vmlinux.h first.
 */
#ifndef FS_CONFIG_H
#define FS_CONFIG_H

#include "hist.h"
#include "kinds.h"
#include "unwind.h"

#define FS_MAX_COMMS  16
#define FS_MAX_SHARDS 64

enum fs_target {
	FS_TARGET_ALL,   /* every process */
	FS_TARGET_TASKS, /* members of the `targets` map; fault events are opened per task */
	FS_TARGET_MATCH, /* by comm and cgroup, looked at when the fault happens */
};

/* Values of the `targets` map. */
enum fs_member { FS_MEMBER = 1, FS_MEMBER_FROM_EXEC };

/* A comm to match: bit i of `star` set means that pattern position i is a `*`. */
struct fs_comm_pattern {
	char text[16];
	__u16 star;
	__u8 len;
	__u8 pad[5];
};

struct fs_config {
	__u64 min_latency_ns;   /* report no faster fault */
	__u64 cgroup_id;        /* FS_TARGET_MATCH: kernfs id of the cgroup, 0: any */
	__u32 ncpus;            /* possible CPUs */
	__u32 ring_shift;       /* fault records per CPU = 1 << ring_shift */
	__u32 shards;           /* control ring buffers, a power of two */
	__u32 region_mask;      /* base regions to report, bit per enum fs_region */
	__s32 cgroup_subsys;    /* v1: index of the controller; -1: the v2 hierarchy */
	__u32 cgroup_hierarchy; /* v1 named hierarchy's id (cgroup_subsys < -1) */
	__u32 ncomms;
	struct fs_comm_pattern comms[FS_MAX_COMMS];
	__u8 target;       /* enum fs_target */
	__u8 follow;       /* children of targets are targets */
	__u8 latency;      /* take the clock */
	__u8 in_kernel;    /* aggregate in the kernel, stream only what it cannot name */
	__u8 tables;       /* read page tables: fs_tables has been, or will be, filled in */
	__u8 cast;         /* bpf_rdonly_cast exists */
	__u8 probe;        /* bpf_probe_read_* may be called */
	__u8 lock_seq;     /* mm->mm_lock_seq exists and can be trusted */
	__u8 report_minor; /* -F */
	__u8 report_major;
	__u8 report_failed;
	__u8 want_cgroup;   /* fill fs_fault.cgroup_id */
	__u8 by_thread;     /* in-kernel cells are per thread */
	__u8 by_mapping;    /* in-kernel cells are per region id */
	__u8 calls_native;  /* mapping calls come from syscalls:*: raw probes serve 32-bit tasks */
	__u8 threads;       /* the `targets` map holds tids */
	__u8 memcg;         /* minor faults end with count_memcg_events */
	__u8 late;          /* some faults, or all, are looked at only after they were counted */
	__u8 numa;          /* NUMA balancing is on: look for its faults */
	__u8 check_members; /* fault events are not opened per task: look in `targets` */
	__u8 stacks;        /* take the stacks of calls */
	__u8 fault_stacks;  /* and of faults */
	__u8 user_stacks;   /* their user part */
	__u8 kernel_stacks; /* their kernel part */
	__u8 calls_alone;   /* calls are looked at when they return, and not when they begin */
	__u8 layouts;       /* tell what mapping calls, execve and fork make of address spaces */
};

/* How page tables are reached: found by the loader once the programs are loaded. */
struct fs_tables {
	__u64 direct_map; /* virtual address of physical 0; 0: not known */
	__u32 levels;     /* 4 or 5 */
	__u32 swap_shift; /* arm64: lowest bit of the type in a swap entry */
	__u64 no_access;  /* arm64: the bit that says: mapped, though not valid */
};

/*
 * One CPU's counters and the positions of its fault ring. Written by that CPU alone, but for
 * `tail`, which the consumer writes; both on lines of their own.
 */
struct fs_cpu {
	__u64 head;      /* records published */
	__u64 tail_seen; /* `tail` when it was last looked at: it only rises */
	__u64 major;
	__u64 kernel;      /* of all faults, made in kernel mode */
	__u64 restarted;   /* exceptions whose instruction was restarted */
	__u64 completions; /* MIN and MAJ events seen, reported or not */
	__u64 walks;       /* VMA lookups beyond the per-task cache */
	__u32 busy;        /* being written: an interrupting writer gives up */
	__u32 pad;
	struct {
		__u64 faults; /* exact totals */
		__u64 pages;  /* sum of 1 << order */
	} classes[FS_CLASS_NR];
	__u64 lost[FS_LOSS_NR];
	__u64 tail __attribute__((aligned(64)));
} __attribute__((aligned(64)));

/*
 * In-kernel aggregation: what a cell counts, and its counts. Cells have numbers from 1; cell n of
 * CPU c is element n * ncpus + c of the mapped array. The loader hands out numbers through a queue.
 */
#define FS_CELLS 768

struct fs_cell_key {
	__u64 cgroup_id; /* 0 unless asked for */
	__u64 image;     /* of the process: pids and mm_structs are used again */
	__u32 pid;
	__u32 tid;       /* 0 unless by_thread */
	__u32 region_id; /* 0 unless by_mapping, or for file-backed regions */
	__u8 region;
	__u8 class;
	__u8 pad[2];
};

/* Whose a cell is; mapped by the loader. */
struct fs_cell_owner {
	struct fs_cell_key key;
	__u32 used;
	__u32 pad;
};

/*
 * While it traces, the loader changes hash maps through programs. bpf(2) on a map keeps all programs
 * of perf events from running on its CPU (bpf_disable_instrumentation()), and while another task is
 * given that CPU meanwhile, its faults are missed.
 */
enum fs_cell_command {
	FS_CELL_FORGET = 1, /* its key has no cell any more */
	FS_CELL_FREE,       /* the number may be used again */
};

struct fs_cell {
	__u64 faults;
	__u64 major;
	__u64 kernel;
	__u64 pages;
	__u64 sum_ns, max_ns;
	__u32 slots[FS_HIST_SLOTS];
};

/* Boundaries of an ELF object, told by the loader: file offsets where the region kind changes. */
#define FS_ELF_SPANS 6

struct fs_file_key {
	__u64 ino;
	__u32 dev;
	__u32 generation;
};

struct fs_elf_spans {
	__u32 nspans;
	__u32 pad;
	struct {
		__u64 end; /* file offset; spans begin where the one before ends */
		__u32 region;
		__u32 pad;
	} span[FS_ELF_SPANS];
	__u64 bss_offset; /* file offset from which a private writable mapping is bss; 0: none */
	__u64 bss_end;    /* where bss ends, as if the file went on, rounded up to a page */
};

struct fs_note_spans {
	struct fs_file_key file;
	struct fs_elf_spans spans;
};

struct fs_note_table {
	struct fs_file_key file; /* all 0: the vdso */
	struct fs_unwind_table table;
};

/* Argument and answer of the program that finds the direct map (bpf/probe_setup.bpf.h). */
struct fs_calibrate {
	__u64 addr; /* in: a resident page of the caller, filled with magic */
	__u64 magic[4];
	__u32 levels;     /* in */
	__u32 candidates; /* in: GiB of physical address space to try */
	__u64 closed;     /* in: a resident page that mprotect has taken all access from */
	__u64 entry;      /* out: that page's entry */
	__u64 direct_map; /* out, 0: not found */
	__u64 pgd;        /* out */
};

_Static_assert(sizeof(struct fs_cell_key) == 32, "hash keys have no holes");
_Static_assert(sizeof(struct fs_file_key) == 16, "hash keys have no holes");

#endif /* FS_CONFIG_H */
