/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What every command that traces has in common: rights and features, the session, the traced
 * processes, the signals, the clock, and the loop until it is over.
 */
#ifndef FS_RUN_H
#define FS_RUN_H

#include <signal.h>
#include <stdbool.h>
#include <stdio.h>

#include "live/session.h"
#include "naming.h"
#include "options.h"
#include "region/layout.h"
#include "region/space.h"
#include "stacks.h"

struct run {
	const struct options *o;
	struct features features;
	struct session *session;
	struct space *space;
	struct stacks *stacks; /* NULL: none are taken */
	struct naming *naming; /* NULL: nothing is named */
	FILE *out;
	char *buffer; /* of out */
	int signal_fd;
	sigset_t old_mask;
	char target[128];            /* in words */
	void (*ending)(void *ctx);   /* with run__loop()'s ctx, while all is attached still; NULL */
	bool wants_layouts, layouts; /* address spaces are kept, and begin to be told */
	__u64 lost_events;           /* when they were last looked at */
	bool doubt;                  /* for what was lost all are to be told anew */
	__u64 doubt_ns;              /* not before, CLOCK_MONOTONIC */
	__u64 resyncs;               /* how often all address spaces were told anew for that */
};

/*
 * Options of a session that the command line decides; the command sets what is its own before
 * run__open().
 */
void run__session_opts(const struct options *o, struct session_opts *opts);

/*
 * What analyses of mappings need more: layouts, and the stacks of calls. After what decides about
 * stacks.
 */
void run__map_opts(const struct options *o, struct session_opts *opts);

/* PROGRAM and its arguments in a line, "" where there is none. */
void run__command_line(const struct options *o, char *buf, size_t size);

/*
 * Check rights, probe features, load, open the output. STATUS_OK, or the exit status after the line
 * that said why. run__close() is needed in either case.
 */
int run__open(struct run *r, const struct options *o, struct session_opts *opts,
	      const struct space_ops *ops);

/* Attach, take the state of what lives already, let the program go. STATUS_OK or an exit status. */
int run__start(struct run *r);

/* Called when an interval has passed; a non-zero return ends the run. */
typedef int (*run_tick)(void *ctx, __u64 interval_ns);

/*
 * Deliver events until the duration is over, the target has ended, a signal came, or sink or tick
 * said so. Then stop, and deliver what was left. 0, or what ended it: -errno, or the sink's word.
 */
int run__loop(struct run *r, const struct event_sink *sink, run_tick tick, void *ctx);

/* Have the state of address spaces told where it is in doubt: after a poll. 0 or -errno. */
int run__tell_layouts(struct run *r);

/*
 * Take all that has come, until nothing of a process's address space is in doubt. 0, -EAGAIN where that
 * does not end, -errno, or the sink's word.
 */
int run__settle(struct run *r, __u32 pid, const struct event_sink *sink);

/* Apply a control event: what the session must know of it, then the processes. 0 or -ENOMEM. */
int run__event(struct run *r, const struct fs_head *ev);

/* Columns that the output has, 80 to 160; 0: it is no terminal. */
size_t run__width(const struct run *r);

/* The exit status: that of the PROGRAM where one was run, else `status`. */
int run__status(struct run *r, int status);

void run__close(struct run *r);

/* Does the kernel side alone decide what is reported (else its totals hold more than the rows)? */
bool run__exact_totals(const struct options *o);

#endif /* FS_RUN_H */
