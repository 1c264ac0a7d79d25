/* SPDX-License-Identifier: GPL-2.0-only */
/* What /proc tells of processes: at the start those that are there, at the end their counters. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/proc.h"
#include "region/internal.h"

static __u64 less(__u64 a, __u64 b)
{
	return a > b ? a - b : 0;
}

void usage__add(struct image *im, const struct fs_usage *now, const struct fs_usage *base)
{
	im->p.usage.min_flt += less(now->min_flt, base->min_flt);
	im->p.usage.maj_flt += less(now->maj_flt, base->maj_flt);
}

static bool is_dead(const struct proc_stat *st)
{
	return st->state == 'Z' || st->state == 'X';
}

/* The leader may have left before the other threads. */
static bool is_all_dead(__u32 pid, const struct proc_stat *st)
{
	__u32 *tids = NULL;
	size_t n = 0;
	int err;

	if (!is_dead(st))
		return false;
	err = proc__tasks(pid, &tids, &n);
	free(err ? NULL : tids);
	return err || n < 2;
}

/* 0, -ENOMEM, or -ESRCH for a thread that is dead or one of the kernel's. */
static int read_thread(struct space *sp, struct image *im, __u32 tid)
{
	struct proc_stat st;
	struct thread *t;

	if (proc__stat(im->p.pid, tid, &st))
		return -ESRCH;
	if (tid == im->p.pid)
		memcpy(im->p.comm, st.comm, sizeof(im->p.comm));
	if (is_dead(&st) || (st.flags & PROC_PF_KTHREAD))
		return -ESRCH;
	t = thread__new(sp, im, tid, st.comm);
	if (!t)
		return -ENOMEM;
	t->base.min_flt = st.min_flt;
	t->base.maj_flt = st.maj_flt;
	t->has_base = true;
	return 0;
}

int usage__read_image(struct space *sp, struct image *im)
{
	size_t n, i, threads = 0;
	struct thread *known;
	__u32 *tids;
	int err = proc__tasks(im->p.pid, &tids, &n);

	if (err)
		return err;
	for (i = 0; i < n && err != -ENOMEM; i++) {
		known = thread__find(sp, tids[i]);
		err = known && known->image == im ? 0 : read_thread(sp, im, tids[i]);
		threads += !err;
	}
	free(tids);
	if (err != -ENOMEM && threads > 1)
		err = stacks__read(im);
	if (err == -ENOMEM)
		return err;
	return threads ? 0 : -ESRCH;
}

/* 0, -ESRCH where there is no such process (any more), or -ENOMEM. */
static int snapshot_process(struct space *sp, __u32 pid)
{
	struct proc_stat st;
	struct image *im;
	int err;

	/* An event has told of it: nothing is missing. */
	if (image__find(sp, pid))
		return 0;
	err = proc__stat(pid, pid, &st);
	if (err)
		return err;
	if ((st.flags & PROC_PF_KTHREAD) || is_all_dead(pid, &st))
		return 0;
	im = image__get(sp, pid);
	return im ? 0 : -ENOMEM;
}

int space__snapshot(struct space *sp, __u32 pid)
{
	__u32 *pids;
	size_t n, i;
	int err;

	if (pid)
		return snapshot_process(sp, pid);
	err = proc__tasks(0, &pids, &n);
	if (err)
		return err;
	for (i = 0; i < n && err != -ENOMEM; i++)
		err = snapshot_process(sp, pids[i]);
	free(pids);
	return err == -ENOMEM ? err : 0;
}

/* A thread whose birth was not reported, for want of room, counts from 0. */
static void settle_thread(struct space *sp, struct image *im, __u32 tid)
{
	struct thread *t = thread__find(sp, tid);
	struct fs_usage now;
	struct proc_stat st;

	if (proc__stat(im->p.pid, tid, &st))
		return;
	now = (struct fs_usage){ .min_flt = st.min_flt, .maj_flt = st.maj_flt };
	if (!t || t->image != im) {
		t = thread__new(sp, im, tid, st.comm);
		if (!t)
			return;
		t->has_base = im->complete;
	}
	if (t->has_base)
		usage__add(im, &now, &t->base);
	t->base = now;
	t->has_base = true;
}

void space__settle(struct space *sp)
{
	for (struct image *im = sp->by_pid; im; im = im->hh.next) {
		size_t n, i;
		__u32 *tids;

		/* One that is gone has its exit on the way to us. */
		if (!im->p.alive || proc__tasks(im->p.pid, &tids, &n))
			continue;
		for (i = 0; i < n; i++)
			settle_thread(sp, im, tids[i]);
		free(tids);
	}
}
