/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The consumer's side of the wire: per-CPU fault rings in mapped memory, read in place, and the
 * control rings, put together in the order in which things happened.
 */
#ifndef FS_STREAM_H
#define FS_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "config.h"
#include "event.h"

/* Who takes the events. A non-zero return ends the drain and is passed on. */
struct event_sink {
	void *ctx;
	int (*fault)(void *ctx, const struct fs_fault *f); /* f is valid during the call */
	int (*event)(void *ctx, const struct fs_head *ev); /* so is ev */
	int (*drained)(void *ctx); /* nothing is left for now; may be NULL */
};

struct stream;

struct stream_opts {
	int cpus_fd;            /* mmapable array of struct fs_cpu */
	int rings_fd;           /* mmapable array of struct fs_fault */
	const int *control_fds; /* BPF ring buffers */
	size_t ncontrols;
	__u32 ncpus;
	__u32 ring_shift;
	bool latency; /* faults carry a time of their own */
	bool by_time; /* deliver faults of different CPUs in the order of their completion */
	bool lives;   /* exec and exit are told */
};

/* Maps the rings; fds stay the caller's. NULL with errno. */
struct stream *stream__open(const struct stream_opts *opts);
void stream__close(struct stream *st);

/*
 * Deliver everything that was complete when this was called. A control event comes before the
 * faults that completed after it, and after those that completed before; faults of one CPU come in
 * the order of their completion. Those of an image that execve is still loading wait for its event,
 * unless this is the last call. 0, -errno, or what the sink returned; then the rest is discarded.
 */
int stream__drain(struct stream *st, const struct event_sink *sink, bool last);

/*
 * Put in an event that came by another way than the rings; it is delivered by the next drain, in the
 * order of its time. Not to be called during one. 0 or -ENOMEM.
 */
int stream__put(struct stream *st, const struct fs_head *ev);

/*
 * Empty the rings of control events while stream__drain() delivers one: for the next drain. Beyond
 * 64 MiB they are left full; that there is no memory the drain at hand returns.
 */
void stream__collect(struct stream *st);

/* The counters of a CPU, as they are now. */
const struct fs_cpu *stream__cpu(const struct stream *st, __u32 cpu);

/* Did the last drain find so much that the next one should come soon? */
bool stream__busy(const struct stream *st);

#endif /* FS_STREAM_H */
