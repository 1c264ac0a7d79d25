/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts faults by region, class, process… Faults and calls go in, live, from a recording or as
 * cells that the kernel has summed up; rows come out. Prints nothing.
 *
 * Every fault is counted in one cell, that of all keys that any table of the run needs; rows are
 * made by adding cells up when they are asked for.
 */
#ifndef FS_STAT_H
#define FS_STAT_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "analysis/profile.h"
#include "base/hist.h"
#include "config.h"
#include "event.h"
#include "region/space.h"

/* What faults can be counted by. A new key is a name here and a row in stat_keys.c. */
enum stat_key_id {
	STAT_REGION,
	STAT_CLASS,
	STAT_PROCESS,
	STAT_THREAD,
	STAT_MAPPING,
	STAT_FILE,
	STAT_CGROUP,
	STAT_STACK,
	STAT_KEY_NR
};

/* Keys of a table, in the order of its columns, none twice. */
struct stat_by {
	unsigned int n;
	enum stat_key_id key[STAT_KEY_NR];
};

/* What rows can be sorted by. A new one is a name here and a row in stat_rows.c. */
enum stat_column {
	STAT_BY_FAULTS,
	STAT_BY_MINOR,
	STAT_BY_MAJOR,
	STAT_BY_FAILED,
	STAT_BY_BYTES,
	STAT_BY_RATE,
	STAT_BY_P50,
	STAT_BY_P99,
	STAT_BY_MAX,
	STAT_BY_STALL,
	STAT_BY_KERNEL,
	STAT_BY_POPULATED,
	STAT_COLUMN_NR
};

/* A key's value is one or more fields: a process has a name and a pid. */
enum stat_value_kind {
	STAT_VALUE_NONE, /* there is none: no mapping, no cgroup */
	STAT_VALUE_TEXT, /* raw bytes as others chose them: escape before printing */
	STAT_VALUE_NUMBER,
	STAT_VALUE_ADDR,
	STAT_VALUE_STACK,
};

/* A stack as it is shown: one of a profile. */
struct stat_stack {
	const struct profile *profile;
	__u32 id; /* for profile__stack() */
};

struct stat_value {
	enum stat_value_kind kind;
	const char *text; /* valid as long as the stat and the space */
	__u64 number;
	const struct stat_stack *stack;
};

struct stat_field {
	const char *name; /* in JSON and CSV, and the header in text; NULL: no such field */
	bool wide;        /* text that may be long */
	bool hidden;      /* not for the text table */
};

#define STAT_FIELDS 3

struct stat_key {
	const char *name; /* as --by has it */
	const char *desc;
	struct stat_field fields[STAT_FIELDS];
};

/* What JSON and CSV count by where nothing was asked for: process, region, class. */
extern const struct stat_by stat_by_default;

/* The rows' keys; never NULL for an id below STAT_KEY_NR. */
const struct stat_key *stat_key(enum stat_key_id id);

/* The key of that name, or -1. */
int stat_key__parse(const char *name);

/* The column of that name ("faults", "p99"…), or -1; the name of a column. */
int stat_column__parse(const char *name);
const char *stat_column__name(enum stat_column column);

/* Does the table have this key? */
bool stat_by__has(const struct stat_by *by, enum stat_key_id key);

/* Append a key, unless it is there; a mapping is one of a process, so it brings that along. */
void stat_by__add(struct stat_by *by, enum stat_key_id key);

/* Where names come from that no event carries. thread and cgroup may be NULL. */
struct stat_names {
	void *ctx;
	/* Name of a living thread; copied. NULL: unknown. Asked once for each thread. */
	const char *(*thread)(void *ctx, __u32 pid, __u32 tid);
	/* Path of a cgroup into buf. 0 or -errno. Asked once for each cgroup. */
	int (*cgroup)(void *ctx, __u64 cgroup_id, char *buf, size_t size);
	/*
	 * What is shown of a stack that stat__fault() or stat__call() was given: the same pointer for
	 * stacks that are shown alike. It lives as long as the stat. NULL: out of memory. Asked when
	 * rows are made.
	 */
	const struct stat_stack *(*stack)(void *ctx, __u32 stack);
};

struct stat_opts {
	const struct stat_by *tables; /* all that stat__rows() will be asked for; copied */
	size_t ntables;
	struct stat_names names;
};

/* Not struct stat, which is libc's. */
struct stat_tally;

/* NULL with errno: ENOMEM, EINVAL for a key that is none, or `stack` without names.stack. */
struct stat_tally *stat__new(const struct stat_opts *opts);
void stat__free(struct stat_tally *st);

/*
 * Count a fault: where it fell, whose it is (NULL: not known), and its stack: any number above 0
 * that names.stack() knows, the same for the same stack; 0: it was lost, or nobody asks. Class fixup is no fault and counted
 * in the totals alone. File, process and region pointers must live as long as the stat; mappings
 * need not.
 */
void stat__fault(struct stat_tally *st, const struct fs_fault *f, const struct place *pl,
		 const struct process *proc, __u32 stack, __u64 page_size);

/*
 * Count what the kernel side has summed up. tid is 0 unless the run counts by thread, cgroup_id
 * unless by cgroup. The figures are added: pass what was counted since the last time.
 */
void stat__add_cell(struct stat_tally *st, const struct fs_cell_key *key,
		    const struct fs_cell *cell, const struct place *pl, const struct process *proc,
		    __u64 page_size);

/*
 * Count a mapping call. pl: where it populated pages; NULL: only ev->region is known of it.
 * proc: whose it is; NULL: not known. stack: as in stat__fault().
 */
void stat__call(struct stat_tally *st, const struct fs_call_event *ev, const struct place *pl,
		const struct process *proc, __u32 stack);

/* A thread has taken another name. */
void stat__rename(struct stat_tally *st, const struct fs_rename_event *ev);

/*
 * Pages populated without a fault in a process so far (getrusage's faults less those seen). Rows
 * by process alone show this; others know only what mapping calls populated.
 */
void stat__populated(struct stat_tally *st, const struct process *proc, __u64 total);

/* Forget all counts, for the next interval. Rows taken before stay valid until then, not beyond. */
void stat__reset(struct stat_tally *st);

/* Memory that `pages` base pages' worth of faults of a class made present, in bytes. */
__u64 stat_class__bytes(enum fs_class class, __u64 pages, __u64 page_size);

/* Why so: a sentence. */
const char *stat_class__bytes_why(enum fs_class class);

/* A fault of this class is neither minor nor major. */
bool stat_class__failed(enum fs_class class);

/* Figures of faults. minor + major + failed = faults. */
struct stat_counts {
	__u64 faults;
	__u64 minor, major, failed;
	__u64 kernel;    /* of the faults: made in kernel mode */
	__u64 bytes;     /* memory made present */
	__u64 populated; /* pages made present without a fault */
};

/* Exact totals of a run or an interval, as the kernel's counters have them. */
struct stat_totals {
	__u64 faults;
	__u64 minor, major, failed;
	__u64 fixup; /* exceptions that are no faults */
	__u64 populated;
	__u64 user, kernel; /* of the faults, by the mode of the access */
	__u64 bytes;
};

struct stat_row {
	__u64 id[STAT_KEY_NR]; /* for stat_row__values() */
	struct stat_counts n;
	struct hist_sparse latency; /* ns; count is 0 where none was measured */
	__u64 p50_ns, p99_ns;
	double faults_per_s;
	__u64 worst_ns; /* stall in worst_region */
	__u64 worst_faults;
	enum fs_region worst_region; /* region of most stall, else of most faults */
};

struct stat_rows {
	struct stat_by by;
	size_t n;
	struct stat_row **row;     /* sorted */
	struct stat_row sum;       /* of all rows, those left out included */
	size_t more;               /* rows left out by `top` */
	struct stat_counts more_n; /* their sum */
	__u64 more_stall_ns;
};

struct stat_rows_opts {
	enum stat_column sort; /* largest first */
	size_t top;            /* rows at most; 0: all */
	bool worst;            /* find worst_region; the run must count by region */
	__u64 duration_ns;     /* for faults_per_s */
};

/*
 * Make the rows of a table. Its keys must be among those of stat__new(). Class rows hold no
 * populated pages: those have no class. NULL with errno: ENOMEM, EINVAL.
 */
struct stat_rows *stat__rows(struct stat_tally *st, const struct stat_by *by,
			     const struct stat_rows_opts *opts);
void stat_rows__free(struct stat_rows *rows);

/* Values of a key's fields in a row. */
void stat_row__values(const struct stat_row *row, enum stat_key_id key,
		      struct stat_value values[STAT_FIELDS]);

/*
 * The totals of what was counted here: for sources without kernel counters, and to tell how much
 * the rows lack of the exact totals.
 */
void stat__totals(const struct stat_tally *st, struct stat_totals *out);

/* Faults that could not be counted in rows for lack of memory. */
__u64 stat__dropped(const struct stat_tally *st);

struct stat_call {
	__u64 calls; /* failed ones included */
	__u64 failed;
	__s64 bytes;              /* of those that succeeded; brk: growth less shrinkage */
	__u64 populated;          /* pages */
	__u64 time_ns;            /* spent in the calls */
	const struct hist *sizes; /* bytes of each that succeeded, brk's both ways; or NULL */
};

/* Figures of a call; all zero where it was not made. */
void stat__call_figures(const struct stat_tally *st, enum fs_call call, struct stat_call *out);

/* What to show, and what surrounds the rows: for the outputs. */
struct stat_report {
	const struct stat_by *by; /* NULL: nothing was asked for */
	enum stat_column sort;
	size_t top;          /* rows of a table at most; 0: all */
	const char *command; /* the command line, or NULL; raw bytes */
	const char *target;  /* "all processes", "pid 1234"; raw bytes */
	__u64 duration_ns;   /* of the run, or of this interval */
	__u64 time_ns;       /* from the start of the run to the end of this interval */
	bool interval;       /* one of several */
	struct stat_totals totals;
	__u64 lost[FS_LOSS_NR];
	const char *const *notes; /* sentences: what this kernel could not tell */
	size_t nnotes;
};

#endif /* FS_STAT_H */
