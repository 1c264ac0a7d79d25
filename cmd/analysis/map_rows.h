/* SPDX-License-Identifier: GPL-2.0-only */
/* The map of a process as rows, one for each part of its address space, from the top to the bottom. */
#ifndef FS_MAP_ROWS_H
#define FS_MAP_ROWS_H

#include <stdbool.h>
#include <linux/types.h>

#include "analysis/rows.h"

/* Columns of the rows, in this order; what was not asked for is unknown in all rows. */
enum map_column {
	MAP_COL_PID,
	MAP_COL_KIND,
	MAP_COL_SECTION,
	MAP_COL_START,
	MAP_COL_END,
	MAP_COL_REGION,
	MAP_COL_ALSO, /* what begins in its last page */
	MAP_COL_PERMS,
	MAP_COL_SIZE,
	MAP_COL_RSS,
	MAP_COL_RESIDENT, /* share of the size; of what is traced and gone: touched */
	MAP_COL_DIRTY,
	MAP_COL_SHARED,
	MAP_COL_ANON,
	MAP_COL_HUGE,
	MAP_COL_HUGETLB,
	MAP_COL_SWAP,
	MAP_COL_LOCKED,
	MAP_COL_PSS,
	MAP_COL_TOUCHED,
	MAP_COL_EVER,
	MAP_COL_FAULTS,
	MAP_COL_MAJOR,
	MAP_COL_STALL,
	MAP_COL_OWNER,
	MAP_COL_PATH,
	MAP_COL_OFFSET,
	MAP_COL_MAPPED_BY,
	MAP_COL_MAPPED_TID,
	MAP_COL_MAPPED_STACK,
	MAP_COL_TOUCHED_BY,
	MAP_COL_TOUCHED_STACK,
	MAP_COL_HEAT,
	MAP_COL_FRAMES,
	MAP_COL_COUNT_MIN,
	MAP_COL_COUNT_MAX,
	MAP_COL_FLAGS,
	MAP_COL_RUNS,
	MAP_COL_RUNS_LEFT_OUT,
	MAP_COL_NR
};

/* Columns of a run of frames. */
enum map_run_column {
	MAP_RUN_START,
	MAP_RUN_PFN,
	MAP_RUN_PAGES,
	MAP_RUN_FRAMES,
	MAP_RUN_COUNT,
	MAP_RUN_FLAGS,
	MAP_RUN_NR
};

struct map;
struct profile;
struct status_mem;

/* Stacks by their names; ctx is given to all. */
struct map_names {
	void *ctx;
	/*
	 * The stack of an origin by its id, or of a fault by its number: where it stands in a profile,
	 * which outlives the rows. 0, or another value: it is not known. NULL: no stacks are taken.
	 */
	int (*origin_stack)(void *ctx, __u32 stack_id, const struct profile **p, __u32 *stack);
	int (*fault_stack)(void *ctx, __u32 number, const struct profile **p, __u32 *stack);
};

/* Rows of a finished map. traced: faults and calls were seen. NULL with errno ENOMEM. */
struct rows *map_rows__make(const struct map *m, __u32 pid, bool traced,
			    const struct map_names *names);

/* What a map begins with; status NULL: it is gone. */
struct map_head {
	__u32 pid;
	const char *comm; /* raw bytes */
	const struct status_mem *status;
	__u64 max_map_count; /* 0: not known */
	__u64 faults, stall_ns;
	bool traced;
};

/* One row. NULL with errno ENOMEM. */
struct rows *map_rows__head(const struct map *m, const struct map_head *head);

#endif /* FS_MAP_ROWS_H */
