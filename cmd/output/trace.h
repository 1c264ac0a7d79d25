/* SPDX-License-Identifier: GPL-2.0-only */
/* A line for each event: faults, mapping calls, the lives of processes, and what was lost. */
#ifndef FS_TRACE_H
#define FS_TRACE_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "analysis/profile.h"
#include "event.h"
#include "output/format.h"
#include "region/space.h"

struct trace_printer;

struct trace_opts {
	/* Text: the time of day, else seconds since start_ns. JSON and CSV: wall_ns is added. */
	bool wall;
	__u64 start_ns;       /* CLOCK_MONOTONIC where relative times begin */
	__s64 wall_offset_ns; /* CLOCK_REALTIME minus CLOCK_MONOTONIC */
	__u32 page_size;      /* bytes */
	bool variables;       /* faults and calls come with details: the variable, the stack */
	bool stacks;
};

/* A stack with names. */
struct trace_stack {
	const struct profile *profile; /* the same one all the while */
	const __u32 *frames;           /* its frames, from the root to the leaf */
	size_t n;
	const char *end;  /* stack_end_name(), or "lost" */
	const char *note; /* what stands for frames that are not there: "[truncated]"; or NULL */
};

/* What is known of an event beside what it carries itself. */
struct trace_details {
	const char *variable; /* that the address lies in, raw bytes; NULL: none is known */
	__u64 variable_offset;
	const struct trace_stack *stack; /* NULL: events of this kind have none */
};

/*
 * Writes to `out`, which stays the caller's, as do its buffer (256 KiB or more, by setvbuf) and
 * when to flush it. Only one thread may use `out` meanwhile. Text and CSV begin with a line of
 * column names. NULL with errno: ENOMEM, EINVAL for a format without events, or what the first
 * write said.
 */
struct trace_printer *trace_printer__new(enum format format, FILE *out,
					 const struct trace_opts *opts);
void trace_printer__free(struct trace_printer *tp);

/*
 * Details of the event that is printed next, and of no other. They are the caller's and must live
 * until then; so must the profile, as long as tp.
 */
void trace_printer__details(struct trace_printer *tp, const struct trace_details *d);

/*
 * One line each, and with opts.stacks in text a line for each frame below it, in the order of the calls; nothing is sorted by time. comm is the name of the
 * thread that did it, raw bytes. For exec it is the name before, for fork the parent's.
 *
 * All give 0 or -errno, -EPIPE when the reader is gone (with SIGPIPE ignored), -ENOSPC when the
 * disk is full; since `out` is buffered, this tells of an earlier line. After an error they write
 * no more and repeat it.
 */
int trace_printer__fault(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
			 const char *comm);
int trace_printer__call(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm);
int trace_printer__exec(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm);
int trace_printer__fork(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm);
int trace_printer__exit(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm);
int trace_printer__rename(struct trace_printer *tp, const struct fs_rename_event *ev,
			  const char *comm);

/* `count` more records were lost since the last time this was said of that reason. */
int trace_printer__lost(struct trace_printer *tp, enum fs_loss reason, __u64 count);

/*
 * The sums of what was lost, if anything was (CSV: nothing, its rows can be summed). Does not flush.
 */
int trace_printer__finish(struct trace_printer *tp);

#endif /* FS_TRACE_H */
