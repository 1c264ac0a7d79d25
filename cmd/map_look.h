/* SPDX-License-Identifier: GPL-2.0-only */
/* Looks at the memory of processes that `map` shows: by /proc while they live, then by the model. */
#ifndef FS_MAP_LOOK_H
#define FS_MAP_LOOK_H

#include <stdbool.h>
#include <linux/types.h>

#include "analysis/map.h"

/* A process that is shown. */
struct map_target {
	__u32 pid;
	char comm[FS_COMM_LEN];
	struct map *map;       /* of the last look, NULL: none */
	bool alive;            /* it was, at that look */
	bool gone;             /* it has ended */
	bool shown;            /* and that has been printed */
	bool merged;           /* it has the figures of the look before */
	__u64 look_ns, end_ns; /* CLOCK_MONOTONIC of the last look at its memory, and of its end */
	struct status_mem status;
	struct touches *touches; /* NULL: nothing is traced */
	__u64 faults, stall_ns;
};

struct look_opts {
	bool heat, frames, traced;
	bool plain; /* heat and frames are not wanted this time: nobody prints it */
};

/* 0 or -ENOMEM. */
int map_target__init(struct map_target *t, __u32 pid, bool traced);
void map_target__clear(struct map_target *t);
/* execve has put another program in its place. */
void map_target__renew(struct map_target *t);

/* What is there now. 0, -ESRCH where the memory is gone, or -errno. */
int map_target__look(struct map_target *t, struct space *sp, const struct look_opts *o);

/* It is about to end, by the events: what the model knows of it. 0 or -ENOMEM. */
int map_target__end(struct map_target *t, struct space *sp, const struct look_opts *o,
		    __u64 time_ns);

/* A fault of the process; stack: its number plus 1, or 0. 0 or -ENOMEM. */
int map_target__fault(struct map_target *t, struct space *sp, const struct fs_fault *f,
		      __u32 stack);

#endif /* FS_MAP_LOOK_H */
