/* SPDX-License-Identifier: GPL-2.0-only */
/* The space as a whole: making it, feeding it, asking it. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "region/internal.h"

struct space *space__new(const struct space_ops *ops)
{
	struct space *sp = calloc(1, sizeof(*sp));

	if (!sp)
		return NULL;
	if (ops)
		sp->ops = *ops;
	sp->page_size = sysconf(_SC_PAGESIZE);
	return sp;
}

void space__free(struct space *sp)
{
	if (!sp)
		return;
	sp->nwatches = 0; /* they may be gone */
	HASH_CLEAR(hh, sp->by_pid);
	for (size_t i = 0; i < sp->nimages; i++)
		image__free(sp, sp->images[i]);
	free(sp->images);
	free(sp->watches);
	free(sp->wanted);
	code__free(sp);
	places__free(sp);
	files__free(sp);
	free(sp);
}

static int call_event(struct space *sp, const struct fs_call_event *ev)
{
	struct image *im = image__get(sp, ev->head.pid);

	if (!im)
		return -ENOMEM;
	im->p.target = true;
	place__call_event(sp, ev);
	return sp->ops.layouts ? layout__call(sp, im, ev) : 0;
}

/* Sizes of the events by kind, without what some bring along. */
static const size_t event_sizes[FS_EVENT_NR] = {
	[FS_EVENT_REGION] = sizeof(struct fs_region_event),
	[FS_EVENT_FILE] = sizeof(struct fs_file_event),
	[FS_EVENT_CALL] = sizeof(struct fs_call_event),
	[FS_EVENT_EXEC] = sizeof(struct fs_exec_event),
	[FS_EVENT_FORK] = sizeof(struct fs_fork_event),
	[FS_EVENT_EXIT] = sizeof(struct fs_exit_event),
	[FS_EVENT_RENAME] = sizeof(struct fs_rename_event),
	[FS_EVENT_CODE] = sizeof(struct fs_code_event),
	[FS_EVENT_LAYOUT] = sizeof(struct fs_layout_event),
};

int space__event(struct space *sp, const struct fs_head *ev)
{
	if (ev->kind >= FS_EVENT_NR || ev->size < event_sizes[ev->kind])
		return 0;
	switch (ev->kind) {
	case FS_EVENT_REGION:
		return place__region_event(sp, (const struct fs_region_event *)ev);
	case FS_EVENT_FILE:
		return file__event(sp, (const struct fs_file_event *)ev);
	case FS_EVENT_CALL:
		return call_event(sp, (const struct fs_call_event *)ev);
	case FS_EVENT_EXEC:
		return process__exec(sp, (const struct fs_exec_event *)ev);
	case FS_EVENT_FORK:
		return process__fork(sp, (const struct fs_fork_event *)ev);
	case FS_EVENT_EXIT:
		return process__exit(sp, (const struct fs_exit_event *)ev);
	case FS_EVENT_RENAME:
		return process__rename(sp, (const struct fs_rename_event *)ev);
	case FS_EVENT_CODE:
		return code__event(sp, (const struct fs_code_event *)ev);
	case FS_EVENT_LAYOUT:
		return layout__event(sp, (const struct fs_layout_event *)ev);
	}
	return 0;
}

struct process *space__process(struct space *sp, __u32 pid)
{
	struct image *im = image__get(sp, pid);

	return im ? &im->p : NULL;
}

const char *space__comm(struct space *sp, __u32 pid, __u32 tid)
{
	struct thread *t = thread__find(sp, tid);
	struct image *im;

	if (t && t->image->p.pid == pid)
		return t->comm;
	im = image__get(sp, pid);
	return im ? im->p.comm : "?";
}

const struct mapping *space__mapping(struct space *sp, __u32 region_id)
{
	const struct region *r = id_table__get(&sp->regions, region_id);

	return r ? &r->m : NULL;
}

const struct file *space__file(struct space *sp, __u32 file_id)
{
	const struct named_file *f = file__by_id(sp, file_id);

	return f ? &f->f : NULL;
}

struct process *space__image(struct space *sp, size_t i)
{
	return i < sp->nimages ? &sp->images[i]->p : NULL;
}

const char *place__owner(const struct place *pl, char *buf, size_t size)
{
	const char *anon_name = pl->mapping ? pl->mapping->anon_name : NULL;

	switch (pl->region) {
	case FS_REGION_HEAP:
		snprintf(buf, size, "[heap]");
		break;
	case FS_REGION_STACK:
		snprintf(buf, size, "[stack]");
		break;
	case FS_REGION_THREAD_STACK:
		snprintf(buf, size, "[stack:%u]", pl->stack_tid);
		break;
	case FS_REGION_VDSO:
		snprintf(buf, size, "[vdso]");
		break;
	case FS_REGION_ANON:
	case FS_REGION_ANON_EXEC:
		if (anon_name)
			snprintf(buf, size, "[anon:%s]", anon_name);
		else
			snprintf(buf, size, "[anon]");
		break;
	case FS_REGION_KERNEL:
		snprintf(buf, size, "[kernel]");
		break;
	case FS_REGION_NONE:
		snprintf(buf, size, "-");
		break;
	default:
		snprintf(buf, size, "%s", pl->file ? pl->file->name : "?");
	}
	return buf;
}
