/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The wire: what the BPF programs write and the loader, recordings and tests read, unchanged.
 * Fixed width, little or big endian as the machine. Include <linux/types.h> or vmlinux.h first.
 *
 * Two streams reach user space:
 *  - faults: one 64-byte fs_fault a fault, in per-CPU single-producer rings that live in a mapped
 *    array. One CPU's records are in order of completion.
 *  - control events: everything else, each beginning with fs_head, in BPF ring buffers sharded by
 *    CPU. A region or file event is submitted before any fault that names its id is published.
 */
#ifndef FS_EVENT_H
#define FS_EVENT_H

#include "kinds.h"
#include "unwind.h"

#define FS_COMM_LEN 16
#define FS_PATH_MAX 4096

enum fs_fault_flag {
	FS_FAULT_KERNEL = 1 << 0,     /* the access was made in kernel mode (copy_to_user…) */
	FS_FAULT_MAJOR = 1 << 1,      /* counted by PERF_COUNT_SW_PAGE_FAULTS_MAJ */
	FS_FAULT_FAILED = 1 << 2,     /* class segv, bus or oom: neither minor nor major */
	FS_FAULT_NO_LATENCY = 1 << 3, /* latency_ns is not known (--no-latency) */
	FS_FAULT_RESTARTED = 1 << 4,  /* the instruction was restarted after a signal */
	FS_FAULT_LOADING = 1 << 5,    /* in execve, of the image whose event is still to come */
};

struct fs_fault {
	__u64 time_ns; /* CLOCK_MONOTONIC at the exception; without clock: of the last control event */
	__u64 latency_ns; /* exception to completion, 0 with FS_FAULT_NO_LATENCY */
	__u64 addr;       /* address that was touched */
	__u64 ip;         /* instruction that touched it */
	__u64 cgroup_id;  /* 0 unless cgroups were asked for */
	__u32 pid;        /* process (tgid), in the initial PID namespace */
	__u32 tid;        /* thread */
	__u32 region_id;  /* fs_region_event.id, or 0: no VMA, or its event was lost */
	__u32 stack_id;   /* 0: no stack */
	__u8 region;      /* enum fs_region: base region as the kernel side sees it */
	__u8 class;       /* enum fs_class */
	__u8 access;      /* enum fs_access */
	__u8 flags;       /* enum fs_fault_flag */
	__u8 order;       /* folio order of what was made present: bytes = page << order */
	__u8 pad;
	__u16 cpu; /* CPU of the completion */
};

enum fs_event_kind {
	FS_EVENT_REGION = 1,
	FS_EVENT_FILE,
	FS_EVENT_CALL,
	FS_EVENT_EXEC,
	FS_EVENT_FORK,
	FS_EVENT_EXIT,
	FS_EVENT_RENAME,
	FS_EVENT_STACK,
	FS_EVENT_CODE,
	FS_EVENT_LAYOUT,
	FS_EVENT_NR
};

struct fs_head {
	__u16 kind; /* enum fs_event_kind */
	__u16 cpu;
	__u32 size;    /* of the whole event in bytes */
	__u64 time_ns; /* CLOCK_MONOTONIC */
	__u32 pid;     /* tgid of the current task */
	__u32 tid;
};

/* A VMA seen for the first time, or changed since. */
struct fs_region_event {
	struct fs_head head;
	__u32 id;         /* > 0, never reused in a run */
	__u32 file_id;    /* fs_file_event.id, 0: no file */
	__u64 mm;         /* identity of the address space */
	__u64 start, end; /* [start, end) */
	__u64 pgoff;      /* in pages */
	__u64 vm_flags;   /* VM_* bits 0-31 (include/linux/mm.h) */
	__u64 prev_start; /* VMA that ends where this one starts and maps a file, else 0: */
	__u64 prev_pgoff; /*  the anonymous part of an object's bss follows its data */
	__u32 prev_file_id;
	__u32 prev_flags;
	__u64 end_data; /* mm->end_data: end of the program's initialised data */
	__u64 start_brk, brk;
	__u64 start_stack;
	__u8 region; /* enum fs_region: base */
	__u8 listed; /* met for an fs_code_event, before anything happened there */
	__u8 pad[6];
	char anon_name[80]; /* PR_SET_VMA_ANON_NAME, or "" */
};

enum fs_file_flag {
	FS_FILE_DELETED = 1 << 0,   /* unlinked: /proc/PID/maps appends " (deleted)" */
	FS_FILE_SHMEM = 1 << 1,     /* lives on tmpfs/shmem */
	FS_FILE_TRUNCATED = 1 << 2, /* the path did not fit */
	FS_FILE_HUGETLBFS = 1 << 3,
};

/*
 * A file seen mapped for the first time. Its path is `nnames` NUL-terminated names from leaf to
 * root ("libc.so.6\0lib\0usr\0"); user space turns them round.
 */
struct fs_file_event {
	struct fs_head head;
	__u32 id;  /* > 0, never reused in a run */
	__u32 dev; /* as /proc/PID/maps prints it: major << 20 | minor (kernel dev_t) */
	__u64 ino;
	__u32 generation;
	__u32 mode;  /* umode_t */
	__u32 magic; /* super block magic */
	__u16 flags; /* enum fs_file_flag */
	__u16 nnames;
	__u32 path_len; /* bytes used in path */
	__u32 pad;
	char path[]; /* up to FS_PATH_MAX bytes */
};

/* A VMA, as far as it lies in a range. */
struct fs_vma {
	__u64 start, end; /* [start, end) */
	__u64 pgoff;      /* of start, in pages */
	__u32 vm_flags;   /* VM_* bits 0-31 */
	__u32 file_id;    /* fs_file_event.id, 0: no file, or it could not be sent */
	__u32 region;     /* enum fs_region: base; heap also where bss is merged with it */
	__u32 pad;
};

enum fs_layout_flag {
	FS_LAYOUT_UNSURE = 1 << 0, /* it was being changed all the while, and is not known */
	FS_LAYOUT_CALL = 1 << 1,   /* of a call, which follows and says who mapped it */
};

/* What is mapped in a range: between the VMAs is nothing. */
struct fs_layout {
	__u64 time_ns;  /* CLOCK_MONOTONIC: it was so then */
	__u64 from, to; /* [from, to) */
	__u32 n;
	__u32 flags; /* enum fs_layout_flag */
		     /* struct fs_vma vma[n]; by rising address */
};

#define FS_LAYOUT_MAX 32 /* VMAs in one event */

/*
 * What is mapped in a range of an address space, in an event of its own. head.time_ns is
 * layout.time_ns, head.pid the process that has it.
 */
struct fs_layout_event {
	struct fs_head head;
	__u64 mm;
	__u64 start_brk, start_stack;
	struct fs_layout layout;
};

enum fs_call_flag {
	FS_CALL_FAILED = 1 << 0,
	FS_CALL_COMPAT = 1 << 1, /* made by a 32-bit task, numbers translated */
	FS_CALL_LAYOUT = 1 << 2, /* a struct fs_layout follows: of what the call affects */
	FS_CALL_ALONE = 1 << 3,  /* latency, old_brk, bytes of brk, populated_*: not known */
};

/* A mapping call, written when it returns. */
struct fs_call_event {
	struct fs_head head;
	__u64 latency_ns;
	__s64 ret; /* result or -errno; for brk the new break */
	/*
	 * As passed; mmap's offset is in bytes for 32-bit mmap2 too. Behind them: of io_setup the
	 * address of the ring, of ioctl start, length and mode from its struct, 0 where they could not
	 * be read.
	 */
	__u64 args[6];
	__s64 bytes;         /* mapped, unmapped or changed; for brk the signed growth */
	__u64 old_brk;       /* brk: mm->brk before the call */
	__u64 ip;            /* user instruction after the call */
	__u32 populated_min; /* min_flt that the call added beyond faults seen */
	__u32 populated_maj;
	__u32 stack_id;
	__u32 region_id; /* region the call's pages were populated in, 0: none */
	__u16 call;      /* enum fs_call */
	__u8 flags;      /* enum fs_call_flag */
	__u8 region;     /* enum fs_region of region_id, else of nothing */
	__u32 pad;
};

/* Counters of a task or of a process, as getrusage and /proc/PID/stat show them. */
struct fs_usage {
	__u64 min_flt;
	__u64 maj_flt;
};

struct fs_exec_event {
	struct fs_head head;
	__u64 mm;
	__u64 cgroup_id;
	struct fs_usage usage; /* of the thread so far; execve does not reset it */
	__u32 old_tid;         /* tid of the thread that called execve */
	__u32 args_populated;  /* faults counted in execve before the new image: argument pages */
	__u32 compat;          /* 1: a 32-bit image */
	__u32 pad;
	__u64 image;     /* identity of the new image; that of the one before is 1 less */
	__u64 loaded_ns; /* when execve had loaded it; head.time_ns is before its first fault */
	char comm[FS_COMM_LEN];
	char path[256]; /* as passed to execve */
};

struct fs_fork_event {
	struct fs_head head; /* of the parent */
	__u32 child_pid;     /* == head.pid for a thread */
	__u32 child_tid;
	__u64 clone_flags;
	__u64 mm;        /* the child's */
	__u64 sp;        /* the child's first user stack pointer */
	__u64 stack_low; /* low end of a stack that clone3 was given, else 0 */
	__u64 cgroup_id;
	char comm[FS_COMM_LEN];
};

struct fs_exit_event {
	struct fs_head head;
	__u64 mm;
	struct fs_usage usage; /* of this thread over its life */
	__s32 exit_code;       /* as wait(2) has it */
	__u32 last;            /* 1: the last thread of its process */
	__u64 image;           /* identity of the process's image */
};

struct fs_rename_event {
	struct fs_head head; /* of the task that is renamed */
	char comm[FS_COMM_LEN];
};

/*
 * A frame of a stack: where in a file, so that processes share stacks, or an address.
 *   11… an address of the kernel
 *   01  1 bit: a return address, what it names is the call before it; 21 bits: file id; 40 bits:
 *       offset in the file, for FS_FRAME_VDSO in the vdso
 *   00  1 bit: a return address; 61 bits: an address of the process
 */
#define FS_FRAME_OFFSET_BITS 40
#define FS_FRAME_FILE_BITS   21
#define FS_FRAME_FILE        (1ULL << 62)
#define FS_FRAME_CALL        (1ULL << 61)
#define FS_FRAME_VDSO        ((1U << FS_FRAME_FILE_BITS) - 1)

/* A frame: at an offset of a file, where both can be kept in it, else at the address. */
static inline __attribute__((always_inline)) __u64 fs_frame(__u32 file_id, __u64 offset, __u64 addr,
							    __u32 call)
{
	__u64 frame = call ? FS_FRAME_CALL : 0;

	if (file_id && file_id <= FS_FRAME_VDSO && offset < (1ULL << FS_FRAME_OFFSET_BITS))
		return frame | FS_FRAME_FILE | (__u64)file_id << FS_FRAME_OFFSET_BITS | offset;
	return frame | (addr & (FS_FRAME_CALL - 1));
}

#define FS_STACK_PAGE_SHIFT 12
#define FS_STACK_REGISTERS  29 /* by DWARF's numbers; of a frame that is no caller */

#define FS_STACK_KERNEL 64  /* frames kept of either part */
#define FS_STACK_USER   255 /* perf keeps 127 of both; what python imports goes deeper */

/*
 * A stack seen for the first time. Frames run from the innermost to the outermost, those of the
 * kernel first. Where it ends FS_STACK_COPIED the stack was copied from `regs` on: `copied` bytes
 * from regs.sp.
 */
struct fs_stack_event {
	struct fs_head head;
	__u32 id; /* > 0, never reused in a run */
	__u16 nkernel, nuser;
	__u8 end;   /* enum fs_stack_end */
	__u8 call;  /* with a copy: regs.ip is a return address */
	__u16 room; /* for frames */
	__u32 copied;
	__u32 code_id; /* with a copy: fs_code_event.id */
	__u32 pad;
	/*
	 * 0, or some page of 1 << FS_STACK_PAGE_SHIFT bytes was not there: it was copied from the
	 * beginning of sp's page, bit i: page i
	 */
	__u64 pages;
	__u64 image; /* of the process: of addresses and copies alone; others may have the same stack */
	struct fs_unwind_regs regs;
	/* __u64 frames[room]; with a copy: __u64 registers[FS_STACK_REGISTERS]; char copy[copied]; */
};

#define FS_STACK_FRAMES (FS_STACK_KERNEL + FS_STACK_USER)

#define FS_CODE_MAX 512 /* a browser has about 200 */

/* The executable mappings of an address space at a moment, by rising address. */
struct fs_code_event {
	struct fs_head head;
	__u32 id; /* > 0, never reused in a run */
	__u32 n;
	/* __u32 regions[n]: fs_region_event.id; 0: it could not be sent */
};

_Static_assert(sizeof(struct fs_fault) == 64, "a fault record is one cache line");
_Static_assert(sizeof(struct fs_head) == 24, "wire layout");
_Static_assert(sizeof(struct fs_region_event) == 216, "wire layout");
_Static_assert(sizeof(struct fs_file_event) == 64, "wire layout");
_Static_assert(sizeof(struct fs_call_event) == 136, "wire layout");
_Static_assert(sizeof(struct fs_vma) == 40, "wire layout");
_Static_assert(sizeof(struct fs_layout) == 32, "wire layout");
_Static_assert(sizeof(struct fs_layout_event) == 24 + 56, "wire layout");
_Static_assert(sizeof(struct fs_exec_event) == 24 + 64 + FS_COMM_LEN + 256, "wire layout");
_Static_assert(sizeof(struct fs_fork_event) == 24 + 48 + FS_COMM_LEN, "wire layout");
_Static_assert(sizeof(struct fs_exit_event) == 24 + 40, "wire layout");
_Static_assert(sizeof(struct fs_code_event) == 24 + 8, "wire layout");
_Static_assert(sizeof(struct fs_stack_event) == 24 + 72, "wire layout");

#endif /* FS_EVENT_H */
