/* SPDX-License-Identifier: GPL-2.0-only */
/* Events of layouts, one by one, and who is told what of them. */
#ifndef LAYOUT_EVENTS_H
#define LAYOUT_EVENTS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "region/layout.h"

#define P    0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define PAGE 4096ULL
#define AT   0x7f0000000000ULL
#define TOP  (1ULL << 63)
#define RW   0x73U /* VM_READ | VM_WRITE and what they may become */

extern struct space *space;
extern __u64 now; /* of the next event */

/* What a watch was told. */
struct told {
	__u64 mapped, unmapped; /* bytes */
	__u64 here;             /* pages of what was unmapped */
	__u64 released, newly, again;
	__u32 ended; /* origins */
};

extern struct told told;

/* A space with a watch. */
int layout_set_up(void **state);
int layout_tear_down(void **state);

/* Anonymous memory, readable and writable. */
struct fs_vma anon_vma(__u64 start, __u64 pages);

/* A state. */
void feed_layout(__u32 pid, __u64 from, __u64 to, __u32 flags, const struct fs_vma *v, __u32 n);
/* A call that brings the state of [from, to); to 0: none. */
void feed_call(__u32 pid, struct fs_call_event ev, __u64 from, __u64 to, const struct fs_vma *v,
	       __u32 n);
/* A call of which the state could not be read. */
void feed_unsure_call(__u32 pid, struct fs_call_event ev, __u64 from, __u64 to);
/* The whole address space is one VMA, or none. */
void feed_whole(__u32 pid, __u64 start, __u64 pages);

/* mmap of anonymous memory. */
void map(__u32 pid, __u64 at, __u64 pages, __u32 stack_id);
void unmap(__u32 pid, __u64 at, __u64 pages);
void fork_process(__u32 pid, __u32 child, __u64 clone_flags);
void exec_process(__u32 pid, __u32 args_populated);
void exit_thread(__u32 pid, __u32 tid, bool last);
/* A write fault. */
void touch(__u32 pid, __u64 addr, enum fs_class class, unsigned int order);

/* Stack id of the call that mapped an address; 0: nobody, ~0: it is not mapped. */
__u32 mapper_at(__u32 pid, __u64 addr);
/* The origin there, its pages counted. */
const struct origin *origin_at(__u32 pid, __u64 addr);
/* Is there a wish, for this range? */
void check_wanted(__u32 pid, __u64 from, __u64 to);
void check_none_wanted(void);

#endif /* LAYOUT_EVENTS_H */
