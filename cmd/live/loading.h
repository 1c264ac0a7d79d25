/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults of images that execve is still loading. Their exec event may come in a later drain, and
 * only then is it known whose they are.
 */
#ifndef FS_LOADING_H
#define FS_LOADING_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "event.h"

struct event_sink;

struct loading {
	struct fs_fault *faults; /* that wait */
	size_t nfaults, faults_room;
	/* exec events of this drain, behind those of the one before */
	struct loading_exec {
		__u32 pid;
		__u64 loaded_ns;
	} * execs;
	size_t nexecs, nexecs_before, execs_room;
};

void loading__free(struct loading *l);

/* A drain begins. */
void loading__begin(struct loading *l);

/* Must a fault with FS_FAULT_LOADING wait? Not where its exec event was delivered. */
bool loading__waits(const struct loading *l, const struct fs_fault *f);

/* Keep a copy of a fault that waits. 0 or -ENOMEM. */
int loading__keep(struct loading *l, const struct fs_fault *f);

/*
 * Deliver an event, and the faults that waited for it: behind the exec event, or, where that was
 * lost, before the end of the process. 0, -ENOMEM, or what the sink returned.
 */
int loading__event(struct loading *l, const struct fs_head *head, const struct event_sink *sink);

/* Deliver all that waits. 0 or what the sink returned. */
int loading__end(struct loading *l, const struct event_sink *sink);

/* Forget all that waits. */
void loading__discard(struct loading *l);

#endif /* FS_LOADING_H */
