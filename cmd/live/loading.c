// SPDX-License-Identifier: GPL-2.0-only
#include "live/loading.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "live/stream.h"

void loading__free(struct loading *l)
{
	free(l->faults);
	free(l->execs);
}

void loading__begin(struct loading *l)
{
	size_t recent = l->nexecs - l->nexecs_before;

	if (l->nexecs_before)
		memmove(l->execs, l->execs + l->nexecs_before, recent * sizeof(*l->execs));
	l->nexecs = l->nexecs_before = recent;
}

bool loading__waits(const struct loading *l, const struct fs_fault *f)
{
	for (size_t i = 0; i < l->nexecs; i++)
		if (l->execs[i].pid == f->pid && l->execs[i].loaded_ns >= f->time_ns)
			return false;
	return true;
}

int loading__keep(struct loading *l, const struct fs_fault *f)
{
	struct fs_fault *faults =
		with_room(l->faults, l->nfaults, &l->faults_room, sizeof(*faults));

	if (!faults)
		return -ENOMEM;
	l->faults = faults;
	l->faults[l->nfaults++] = *f;
	return 0;
}

static int note_exec(struct loading *l, const struct fs_exec_event *ev)
{
	struct loading_exec *execs = with_room(l->execs, l->nexecs, &l->execs_room, sizeof(*execs));

	if (!execs)
		return -ENOMEM;
	l->execs = execs;
	l->execs[l->nexecs++] = (struct loading_exec){ ev->head.pid, ev->loaded_ns };
	return 0;
}

/* Deliver those of a process, 0: of all, that began by a time. */
static int deliver_kept(struct loading *l, __u32 pid, __u64 until_ns, const struct event_sink *sink)
{
	size_t kept = 0;
	int err = 0;

	for (size_t i = 0; i < l->nfaults; i++) {
		const struct fs_fault *f = &l->faults[i];

		if (err || (pid && f->pid != pid) || f->time_ns > until_ns)
			l->faults[kept++] = *f;
		else
			err = sink->fault(sink->ctx, f);
	}
	l->nfaults = kept;
	return err;
}

int loading__event(struct loading *l, const struct fs_head *head, const struct event_sink *sink)
{
	const struct fs_exec_event *exec = (const void *)head;
	int err = 0;

	if (head->kind == FS_EVENT_EXIT && head->tid == head->pid)
		err = deliver_kept(l, head->pid, head->time_ns, sink);
	if (!err)
		err = sink->event(sink->ctx, head);
	if (err || head->kind != FS_EVENT_EXEC)
		return err;
	err = note_exec(l, exec);
	return err ? err : deliver_kept(l, head->pid, exec->loaded_ns, sink);
}

int loading__end(struct loading *l, const struct event_sink *sink)
{
	return deliver_kept(l, 0, ~0ULL, sink);
}

void loading__discard(struct loading *l)
{
	l->nfaults = 0;
}
