/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Analyses of mappings: who maps memory, how much of it is ever touched, what comes and goes, what
 * stays. They watch a space (region/layout.h) and give rows. A new one is a file and a row in
 * mapping.c.
 */
#ifndef FS_MAPPING_H
#define FS_MAPPING_H

#include "analysis/profile.h"
#include "analysis/rows.h"
#include "region/layout.h"

enum mapping_kind { MAPPING_TOUCHED, MAPPING_CHURN, MAPPING_LEAKS, MAPPING_KIND_NR };

/* The stacks of the run, by the numbers that they have with their names. */
struct mapping_stacks {
	void *ctx;
	/* The number of an event's stack_id in `profile`; 0 or -ENOMEM. NULL: stacks are not taken. */
	int (*number)(void *ctx, __u32 stack_id, __u32 *number);
	const struct profile *(*profile)(void *ctx);
};

struct mapping_opts {
	struct space *space; /* outlives the analysis */
	struct mapping_stacks stacks;
	__u64 older_ns;             /* leaks: not what is younger */
	__u64 min_bytes, max_bytes; /* leaks: of a mapping; max 0: no limit */
	bool keep_ended;            /* leaks: what processes had when they ended counts */
	bool by_mapping;            /* touched: a row for each mapping, not for each stack */
};

/* What a report is of. */
struct mapping_time {
	__u64 now_ns;   /* CLOCK_MONOTONIC */
	__u64 start_ns; /* of the trace */
	__u64 duration_ns;
};

/* What an analysis gives. */
struct mapping_report {
	struct rows *summary, *rows;
	__u64 unlisted;  /* mappings that have ended, and for whose rows there was no room */
	__u64 no_memory; /* events that nothing is told of for lack of memory */
};

/* Empty ones, of columns by ROW_COLUMNS(). 0 or -ENOMEM. */
int mapping_report__new(struct mapping_report *out, const struct row_column *summary,
			size_t nsummary, const struct row_column *rows, size_t nrows);
void mapping_report__free(struct mapping_report *rep);

struct mapping_analysis {
	const char *name;
	const char *desc;
	/* NULL with errno. What it watches it does until the space is freed, so it lives as long. */
	void *(*new)(const struct mapping_opts *o);
	void (*free)(void *analysis);
	/* Rows since the last report into *out, which is empty, and the caller's to free. 0 or -ENOMEM. */
	int (*report)(void *analysis, const struct mapping_time *t, struct mapping_report *out);
};

const struct mapping_analysis *mapping_analysis(enum mapping_kind kind);

extern const struct mapping_analysis analysis_touched, analysis_churn, analysis_leaks;

/* ---- what they have in common ----------------------------------------------------------------- */

/* What belongs together: of one program, mapped from one place. */
struct group_key {
	char comm[FS_COMM_LEN];
	__u32 stack; /* number in the profile plus 1; 0: none is known */
	__u8 kind;   /* enum origin_kind */
	__u8 call;   /* enum fs_call; FS_CALL_NR: no call */
	__u8 pad[2];
};

/* Groups by their key; the caller's struct begins with a struct group. */
struct group {
	struct group_key key;
	__u32 pid; /* of the one process; 0: several */
};

struct groups;

/* size: of the caller's struct. NULL with errno. */
struct groups *groups__new(const struct mapping_opts *o, size_t size);
void groups__free(struct groups *g); /* NULL is fine */
/*
 * The group that an origin belongs to, all zero but for its head when it is new. NULL: no memory, which
 * groups__no_memory() counts.
 */
void *groups__get(struct groups *g, const struct process *proc, const struct origin *o);
/* How often there was none, since all were forgotten. */
__u64 groups__no_memory(const struct groups *g);
/* The first, and the one after. NULL: none. */
void *groups__first(struct groups *g);
void *groups__next(struct groups *g, const void *group);
/* Forget all. */
void groups__clear(struct groups *g);

/* Columns that name a group, and their cells. */
#define GROUP_COLUMNS                                                              \
	{ .name = "process", .header = "process", .type = ROW_TEXT, .cut = 12 },   \
		{ .name = "pid", .header = "pid", .type = ROW_COUNT, .drop = 60 }, \
	{                                                                          \
		.name = "mapped_by", .header = "mapped by", .type = ROW_TEXT       \
	}
/* The stack, below its row; the last column. */
#define GROUP_STACK                                                   \
	{                                                             \
		.name = "stack", .header = "stack", .type = ROW_STACK \
	}

void groups__put_names(const struct groups *g, const struct group *group, struct rows *rows);
void groups__put_stack(const struct groups *g, const struct group *group, struct rows *rows);

/* Is it a function of the C library that memory is asked of, or that serves one? */
bool is_allocator(const char *function);

/* What mapped it: "mmap", "execve", "(before)". */
const char *origin_word(enum origin_kind kind, unsigned int call);

#endif /* FS_MAPPING_H */
