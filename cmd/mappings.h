/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Analyses of mappings in a run that traces: `touched`, `churn` and `leaks`, alone or beside `stat`.
 */
#ifndef FS_MAPPINGS_H
#define FS_MAPPINGS_H

#include "analysis/mapping.h"
#include "run.h"

struct mappings;

/*
 * The analyses with these numbers (enum mapping_kind). The run is open; it outlives them, but for its
 * space, which they watch: free them after run__close(). NULL with errno.
 */
struct mappings *mappings__new(struct run *r, const unsigned int *kinds, size_t n);
void mappings__free(struct mappings *m); /* NULL is fine */

/*
 * Look at what is there now, where an analysis asks for it: before what has come is taken for the last
 * time before a report. Not at the whole machine.
 */
void mappings__look(struct mappings *m);

/*
 * Print what each has found, in the format of the options. `command`: the command line or "".
 * lost: since the last report. 0, -ENOMEM or -EIO.
 */
int mappings__report(struct mappings *m, const char *command, __u64 duration_ns, bool interval,
		     const __u64 lost[FS_LOSS_NR]);

/* What a command does that prints one analysis. The exit status. */
int mappings__run(const struct options *o, enum mapping_kind kind);

#endif /* FS_MAPPINGS_H */
