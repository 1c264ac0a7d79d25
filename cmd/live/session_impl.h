/* SPDX-License-Identifier: GPL-2.0-only */
/* Inside of a session, shared by session.c (memory, delivery) and attach.c (programs, targets). */
#ifndef FS_SESSION_IMPL_H
#define FS_SESSION_IMPL_H

#include <linux/types.h>

#include "config.h" /* before the skeleton, which knows its structs by name only */
#include "faultsnoop.skel.h"
#include "base/clock.h"
#include "live/cells.h"
#include "live/perf.h"
#include "live/program.h"
#include "live/session.h"
#include "live/whom.h"

#define SESSION_MAX_LINKS 16

struct session {
	struct session_opts opts;
	struct features *features;
	struct faultsnoop_bpf *skel;
	struct stream *stream;
	struct cells *cells;
	struct ring_buffer *wakes; /* the kernel side wants us to look; NULL: it never does */
	struct cgroup_ref cgroup;
	__u32 ncpus, shards, ring_shift;
	__u32 control_bytes;
	struct session_unwind unwind;
	int *shard_fds;
	size_t nshard_fds;
	/* what is attached */
	struct perf_list starts, minors, majors, calls;
	struct bpf_link *links[SESSION_MAX_LINKS];
	size_t nlinks;
	size_t nfault_links; /* the first ones: all that tell of faults */
	/* whom */
	struct program *program;
	int program_status; /* -1: runs, or none */
	int *watched;       /* pidfds of -p's processes and -t's threads' processes */
	size_t nwatched;
	__u64 start_ns;
	/* read when it was stopped */
	bool stopped;
	__u64 events_counted; /* MIN and MAJ events, by the events' own counters */
	__u64 recursion;
	bool *cpu_watched; /* by CPU: its events are open; NULL: events are per task */
	__u64 *cpu_stamps; /* as they were last: cpu_stamp() */
	__u64 cpus_looked_ns;
	bool raw_attached;   /* raw_enter and raw_exit serve 32-bit tasks */
	__u64 unseen_compat; /* 32-bit images whose first calls could not be seen */
	__u64 ioctl_ns;      /* when ioctl's tracepoints had been attached; 0: they are not */
};

/* Does count_memcg_events take the place of PAGE_FAULTS_MIN? */
bool session__by_memcg(const struct session *s);

/* Is a fault looked at when the thread's next one begins? */
bool session__by_next(const struct session *s);

/* Must the programs look for their target among members (no events per task)? */
bool session__checks_members(const struct session *s);

/* See to CPUs that have come online. */
void session__meet_cpus(struct session *s);

/* A tp_btf program: attached to its tracepoint for the whole machine, if it is loaded. 0 or -errno. */
int session__attach_link(struct session *s, struct bpf_program *prog);

/* Attach to the mapping calls, if they are asked for. 0 or -errno. */
int session__attach_calls(struct session *s);

/* How often programs were skipped because one was running on that CPU, since they were loaded. */
__u64 session__missed(const struct session *s);

/* Are the beginnings of calls left out? */
bool session__calls_alone(const struct session *s);

/* Mark the programs that this session needs; the others are not loaded. */
void session__choose_programs(struct session *s);

#endif /* FS_SESSION_IMPL_H */
