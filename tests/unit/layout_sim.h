/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A kernel of a few pages, for tests of layouts: what its calls and faults do to address spaces, page
 * by page, and what the kernel side would tell of it.
 */
#ifndef LAYOUT_SIM_H
#define LAYOUT_SIM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "region/layout.h"

#define SIM_PAGE     4096ULL
#define SIM_PAGES    2048U
#define SIM_BASE     0x7f0000000000ULL /* 2 MiB of addresses begin there */
#define SIM_HEAP_END 128U              /* [0, ...) is brk's */
#define SIM_MAP_END  1920U             /* from here on the stack grows down to */
#define SIM_END      (1ULL << 63)      /* of what is told of a whole address space */
#define SIM_CALLS    8192U             /* stack ids, one a call */
#define SIM_PROCS    4
#define SIM_PENDING  4
#define SIM_PID      0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */

#define SIM_READ       0x00000001U
#define SIM_WRITE      0x00000002U
#define SIM_SHARED     0x00000008U
#define SIM_MAYSHARE   0x00000080U
#define SIM_GROWSDOWN  0x00000100U
#define SIM_DONTCOPY   0x00020000U
#define SIM_WIPEONFORK 0x02000000U

struct sim_page {
	bool mapped, anon, here, ever;
	__u32 flags, file;
	__u64 pgoff;
	__u32 stack; /* id of the call that mapped it, 0: none */
};

struct sim_proc {
	__u32 pid;
	bool alive;
	__u64 brk;
	struct sim_page pages[SIM_PAGES];
};

/* A call that has taken effect, and not yet returned. */
struct sim_call {
	struct sim_proc *proc;
	struct fs_call_event ev;
	__u64 from, to;         /* of the layout that comes with it; to 0: none */
	__u64 new_from, new_to; /* of mremap, told before */
};

/* Pages, by the stack id of the call that mapped them. */
struct sim_counts {
	__u32 bytes[SIM_CALLS], here[SIM_CALLS]; /* in pages */
};

struct sim {
	struct space *space;
	unsigned int seed;
	__u64 now;
	__u32 calls; /* stack ids given */
	struct sim_proc procs[SIM_PROCS];
	struct sim_call pending[SIM_PENDING];
	unsigned int npending;
	unsigned int in_flight; /* calls that may be in flight at a time */
	unsigned int unsure;    /* of 100 states, so many cannot be read */
	unsigned int lost;      /* of 100 events */
	unsigned int nlost;
	unsigned int late; /* of 100 events come after others that are newer */
	struct fs_head *held;
	struct sim_counts gone, mapped; /* what the watch has to be told */
};

struct sim *sim__new(struct space *sp, unsigned int seed);
void sim__free(struct sim *s);

unsigned int sim__random(struct sim *s, unsigned int below);
/* execve, in a process that may be there already. */
void sim__exec(struct sim *s, struct sim_proc *p);
void sim__exit(struct sim *s, struct sim_proc *p);
/* Something happens, in some process. */
void sim__step(struct sim *s);
/* All calls in flight return, and all that was held back has come. */
void sim__return_all(struct sim *s);
/* Tell what is wanted, as session__tell_layouts() does. */
void sim__tell_wanted(struct sim *s);

#endif /* LAYOUT_SIM_H */
