/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The traced processes and their memory: who lives, which regions, files and thread stacks there
 * are. Fed with control events in the order of their time, asked where a fault fell.
 */
#ifndef FS_SPACE_H
#define FS_SPACE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "event.h"

struct space;
struct elf_layout; /* symbol/elf.h */

/* A file that was mapped. Owned by the space; lives as long as it. */
struct file {
	__u32 id;
	__u32 dev; /* kernel dev_t: major << 20 | minor */
	__u64 ino;
	__u32 generation;
	__u16 flags;      /* enum fs_file_flag */
	const char *path; /* as /proc/PID/maps has it, without " (deleted)"; raw bytes */
	const char *name; /* last component of path */
	const struct elf_layout *elf; /* NULL: not an ELF object, or not readable */
	bool elf_tried;
};

/* One image of a process: from fork, or exec, to the next exec or exit. Owned by the space. */
struct process {
	__u32 pid;
	__u32 image; /* counts the images of this pid, from 0 */
	bool alive;
	bool target;            /* made a call that was reported, or faulted: the caller says so */
	char comm[FS_COMM_LEN]; /* of the thread group leader; raw bytes, NUL-terminated */
	__u64 start_ns, end_ns; /* CLOCK_MONOTONIC; start 0: was there before the trace */
	struct fs_usage
		usage; /* min_flt and maj_flt that getrusage saw in this image while traced */
	__u64 seen_min,
		seen_maj; /* of these, faults that raised an exception: added by the caller */
};

/*
 * A VMA as it was when the kernel side met it. Owned by the space; lives as long as it. Ids of VMAs
 * that are the same in all that is here lead to one mapping, which has the first of these ids.
 */
struct mapping {
	__u32 id;
	enum fs_region base;
	__u64 start, end, pgoff, vm_flags;
	const struct file *file; /* NULL: none */
	const char *anon_name;   /* PR_SET_VMA name or NULL */
	__u32 pid;               /* process that met it first */
};

/* Where an address lies. */
struct place {
	enum fs_region region;         /* refined: text, rodata, data, bss, thread-stack… */
	const struct mapping *mapping; /* NULL: no mapping, or its event was lost */
	const struct file *file;       /* the object it belongs to; for bss also where anonymous */
	__u64 file_offset; /* of the address, where file != NULL and it is in the file */
	__u64 link_addr;   /* of the address, as the object was linked, where `linked` */
	__u32 stack_tid;   /* thread-stack: whose */
	bool linked; /* data and bss of an object, unless it is mapped in a way that hides it */
};

struct space_ops {
	void *ctx;
	bool stacks;  /* are taken: files of code are opened */
	bool layouts; /* are told: address spaces are kept, see layout.h */
	/* every VMA has an origin, and what is there of processes that live already is read from /proc */
	bool all_origins;
	void *opened_ctx;
	/*
	 * An object has been opened for the first time, or, fd -1, cannot be opened. fd is valid during
	 * the call; elf: NULL where it is none. NULL: nobody wants to know.
	 */
	void (*opened)(void *opened_ctx, const struct file *file, int fd,
		       const struct elf_layout *elf);
	/* An ELF object's layout became known: the kernel side may be told its boundaries. */
	void (*elf_found)(void *ctx, const struct file *file, const struct elf_layout *elf);
};

/* NULL with errno on failure. ops may be NULL; it is copied. */
struct space *space__new(const struct space_ops *ops);
void space__free(struct space *sp);

/*
 * Take the state of processes that live already from /proc: names, threads, thread stacks and
 * usage counters (getrusage's, as the base to subtract). pid 0: all processes. 0 or -errno;
 * -ESRCH when pid is gone. Processes that vanish meanwhile are no error.
 */
int space__snapshot(struct space *sp, __u32 pid);

/* Read the usage counters of all that still live, at the end of a run. */
void space__settle(struct space *sp);

/* Apply a control event. Unknown kinds are ignored. 0 or -ENOMEM. */
int space__event(struct space *sp, const struct fs_head *ev);

/* Where the fault fell, as things stood when the last event was applied. Never fails. */
void space__place(struct space *sp, const struct fs_fault *f, struct place *out);

/*
 * Where an address of a process lies, by its layout (layout.h), as the events applied have it. [*start,
 * *end) is the part of the mapping that has the same name. Never fails.
 */
void space__place_at(struct space *sp, __u32 pid, __u64 addr, struct place *out, __u64 *start,
		     __u64 *end);

/*
 * A file that will be mapped: it is opened, and told to space_ops.opened. NULL: it is not there, or no
 * regular file, or no memory.
 */
const struct file *space__expect(struct space *sp, const char *path);

/* The same for the executable mappings of a process that lives. 0, -ENOMEM, -ESRCH or -errno. */
int space__expect_code(struct space *sp, __u32 pid);

/* An executable mapping. */
struct code {
	__u64 start;
	__u64 offset; /* in the file, of start, in bytes; in the vdso from its beginning */
	const struct file *file; /* NULL: anonymous, or the vdso */
	bool vdso;
};

/*
 * The executable mapping at an address of a process when its list code_id (struct fs_code_event) was
 * made; its file is opened, if it has not been yet. 0 or -ENOENT.
 */
int space__code(struct space *sp, __u32 pid, __u32 code_id, __u64 addr, struct code *out);

/*
 * Id of the stack that created the memory at an address of a process, where layouts are told; 0: no
 * call that was seen did, MAPPER_LOST: one whose stack was lost.
 */
#define MAPPER_LOST (~0U)

__u32 space__mapper(struct space *sp, __u32 pid, __u64 addr);

/*
 * The image of a pid that lives now, or the last that did; made if unknown (name from /proc, else
 * "?"). Never NULL but out of memory.
 */
struct process *space__process(struct space *sp, __u32 pid);

/* comm of a thread now; its process's where unknown. Valid until the next space__event(). */
const char *space__comm(struct space *sp, __u32 pid, __u32 tid);

const struct mapping *space__mapping(struct space *sp, __u32 region_id);
const struct file *space__file(struct space *sp, __u32 file_id);

/* All images ever, in order of birth: for (i = 0; (p = space__image(sp, i)); i++). */
struct process *space__image(struct space *sp, size_t i);

/*
 * Owner of a place for people: "libc.so.6", "[heap]", "[stack]", "[stack:123]", "[anon]",
 * "[anon:name]", "memfd:x", "[vdso]", "-" for none. Raw bytes: escape before printing. Returns buf.
 */
const char *place__owner(const struct place *pl, char *buf, size_t size);

#endif /* FS_SPACE_H */
