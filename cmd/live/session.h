/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tracing session: open (load what is asked for), start (attach, let the program go), poll until
 * it is over, stop (detach), drain what is left, close.
 */
#ifndef FS_SESSION_H
#define FS_SESSION_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "config.h"
#include "event.h"
#include "live/features.h"
#include "live/stream.h"

struct session_opts {
	/* whom: all of these empty means everything; comms and cgroup may be combined */
	const __u32 *pids, *tids;
	size_t npids, ntids;
	char *const *comms;
	size_t ncomms;
	const char *cgroup;
	char *const *argv; /* a program to run */
	bool no_follow;
	/* what */
	bool faults;
	bool calls;
	bool minor, major, failed;
	__u32 regions; /* bit per base region, ~0: all */
	__u64 min_latency_ns;
	bool no_latency;
	bool by_time; /* see stream_opts */
	bool by_cgroup, by_thread, by_mapping;
	bool in_kernel;
	bool stacks; /* of faults and calls: their user part, their kernel part */
	bool user_stacks, kernel_stacks;
	bool call_stacks_only; /* not those of faults */
	bool layouts;          /* what calls, execve and fork make of address spaces */
	bool calls_alone;      /* calls without their latency: cheaper by a half; needs layouts */
	__u64 ring_bytes;      /* 0: the default */
	int wake_fd;           /* session__poll() returns when it is readable; -1: none */
};

struct session;

/* Why a session_* call failed has been said when it returns. */
enum session_result {
	SESSION_OK = 0,
	SESSION_FAILED = 1,
	SESSION_CANNOT = 77,
};

/*
 * Load. `features` has been probed and checked; it is kept and completed (page tables). NULL with
 * *result set. Strings and lists stay the caller's and must live as long as the session.
 */
struct session *session__open(const struct session_opts *opts, struct features *features,
			      enum session_result *result);

/* How many events are attached, in words, into buf. Returns buf. */
const char *session__attached(const struct session *s, char *buf, size_t size);

/* Attach everything, and let the program go. */
enum session_result session__start(struct session *s);

/*
 * Wait for up to timeout_ms, or until the target has ended, and deliver what has come. 0, or what the
 * sink returned, or -errno.
 */
int session__poll(struct session *s, int timeout_ms, const struct event_sink *sink);

/*
 * Make room for the kernel side: called by who takes long over an event that session__poll() delivers.
 * What comes meanwhile is delivered by the next poll.
 */
void session__collect(struct session *s);

/* Did the last poll find much? Then the next one should not wait long. */
bool session__busy(const struct session *s);

/* All targets (the program, or the processes of -p and -t) have ended. False for other targets. */
bool session__target_ended(struct session *s);

/* Exit status of the program as a shell would show it; -1 while it runs or where there is none. */
int session__program_status(struct session *s);

/*
 * A 32-bit image has begun: see to it that its mapping calls are seen, from now on. `early`: it was
 * there before the trace was.
 */
void session__meet_compat(struct session *s, bool early);

/*
 * A userfaultfd has been made, at time_ns: see to it that what is registered with it is seen. ioctl
 * is many calls, so that they are traced only where somebody has one. True: it was made before that,
 * and what was registered since may not have been seen.
 */
bool session__meet_uffd(struct session *s, __u64 time_ns);

/* Stop counting; what was counted can still be drained and read. */
void session__stop(struct session *s);

/*
 * Have the state of a process's address space told, or with pid 0 that of each target: events of
 * kind FS_EVENT_LAYOUT that are delivered by the next poll. Only addresses [from, to); 0, 0: all.
 * Not to be called while events are delivered. 0, -ESRCH where the process has gone, or -errno.
 */
int session__tell_layouts(struct session *s, __u32 pid, __u64 from, __u64 to);

/* Tell the kernel side where the regions of a file are (in-kernel aggregation). */
void session__push_spans(struct session *s, const struct fs_file_key *key,
			 const struct fs_elf_spans *spans);

/*
 * Memory of the unwind tables (include/unwind.h), shared with the kernel side: mapped until the
 * session is closed. All 0 without stacks.
 */
struct session_unwind {
	__u32 *words;
	size_t nwords;
	struct fs_unwind_rule *rules;
	size_t nrules;
};
void session__unwind_memory(const struct session *s, struct session_unwind *out);

/*
 * Stacks are unwound by this table from now on, in the code of a file; NULL: in the vdso. 0 or -errno:
 * -E2BIG where the kernel side knows as many files as it can.
 */
int session__push_table(struct session *s, const struct fs_file_key *key,
			const struct fs_unwind_table *table);

/* Sums over all CPUs since the start. */
struct session_counters {
	__u64 faults[FS_CLASS_NR];
	__u64 pages[FS_CLASS_NR];
	__u64 major, kernel, restarted, walks, completions;
	__u64 faults_ok; /* minor and major ones, of all classes */
	__u64 lost[FS_LOSS_NR];
};
void session__counters(struct session *s, struct session_counters *out);

/* Control events that found no room, or that a program was not run for, since the start. */
__u64 session__lost_events(const struct session *s);

/* Takes what a cell has counted since it was last delivered. */
typedef int (*cell_fn)(void *ctx, const struct fs_cell_key *key, const struct fs_cell *cell);
/* Is the image that a cell counts for over, so that the cell can be used again? */
typedef bool (*cell_over_fn)(void *ctx, const struct fs_cell_key *key);

/*
 * Deliver all cells; with `over`, only those of which it says true, for the last time. Those must
 * be of images that have ended, by the events that were delivered. 0, -errno, or what fn returned.
 */
int session__cells(struct session *s, cell_over_fn over, cell_fn fn, void *ctx);

/* CLOCK_MONOTONIC of session__start(). */
__u64 session__start_ns(const struct session *s);

/* Pid of the program, 0: none. */
__u32 session__program_pid(const struct session *s);

/* Path of a cgroup, for `--by cgroup`. 0 or -errno. */
int session__cgroup_path(const struct session *s, __u64 id, char *buf, size_t size);

void session__close(struct session *s);

#endif /* FS_SESSION_H */
