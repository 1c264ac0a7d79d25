/* SPDX-License-Identifier: GPL-2.0-only */
/* Processes and threads: who lives, since when, under which name. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/sched.h>

#include "base/clock.h"
#include "region/internal.h"

static void set_comm(char to[FS_COMM_LEN], const char *from)
{
	size_t n = strnlen(from, FS_COMM_LEN - 1);

	memcpy(to, from, n);
	memset(to + n, 0, FS_COMM_LEN - n);
}

/* ---- threads ---------------------------------------------------------------------------------- */

struct thread *thread__find(struct space *sp, __u32 tid)
{
	struct thread **cached = &sp->thread_cache[tid % CACHE_SIZE], *t;

	if (*cached && (*cached)->tid == tid)
		return *cached;
	HASH_FIND(hh, sp->by_tid, &tid, sizeof(tid), t);
	if (t)
		*cached = t;
	return t;
}

static void thread__drop_stack(struct thread *t)
{
	if (t->stack_sp && t->image->mm)
		mm__del_stack(t->image->mm, t->stack_sp, t->tid);
	t->stack_sp = 0;
}

static void thread__free(struct space *sp, struct thread *t)
{
	struct thread **cached = &sp->thread_cache[t->tid % CACHE_SIZE];

	if (*cached == t)
		*cached = NULL;
	thread__drop_stack(t);
	HASH_DEL(sp->by_tid, t);
	if (t->prev)
		t->prev->next = t->next;
	else
		t->image->threads = t->next;
	if (t->next)
		t->next->prev = t->prev;
	free(t);
}

struct thread *thread__new(struct space *sp, struct image *im, __u32 tid, const char *comm)
{
	struct thread *old = thread__find(sp, tid), *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	if (old)
		thread__free(sp, old);
	t->tid = tid;
	t->image = im;
	set_comm(t->comm, comm);
	HASH_ADD(hh, sp->by_tid, tid, sizeof(t->tid), t);
	if (!t->hh.tbl) {
		free(t);
		return NULL;
	}
	t->next = im->threads;
	if (t->next)
		t->next->prev = t;
	im->threads = t;
	return t;
}

int thread__set_stack(struct thread *t, __u64 low, __u64 stack_sp)
{
	struct mm *mm = image__mm(t->image);

	thread__drop_stack(t);
	if (!mm || mm__add_stack(mm, low, stack_sp, t->tid))
		return -ENOMEM;
	t->stack_sp = stack_sp;
	return 0;
}

/* A thread that begins now: its counters begin with 0 (copy_mm() of kernel/fork.c). */
static struct thread *thread__born(struct space *sp, struct image *im, __u32 tid, const char *comm)
{
	struct thread *t = thread__new(sp, im, tid, comm);

	if (t)
		t->has_base = true;
	return t;
}

/* ---- images ----------------------------------------------------------------------------------- */

struct image *image__find(struct space *sp, __u32 pid)
{
	struct image **cached = &sp->image_cache[pid % CACHE_SIZE], *im;

	if (*cached && (*cached)->p.pid == pid)
		return *cached;
	HASH_FIND(hh, sp->by_pid, &pid, sizeof(pid), im);
	if (im)
		*cached = im;
	return im;
}

struct mm *image__mm(struct image *im)
{
	if (!im->mm)
		im->mm = mm__new();
	return im->mm;
}

static void image__share_mm(struct image *im, struct mm *mm)
{
	if (mm)
		mm->users++;
	mm__put(im->mm);
	im->mm = mm;
	im->borrows = mm;
}

/* The image ends that an address space was counted for: another one that shares it takes its place. */
static void pass_mm_on(struct space *sp, const struct image *im)
{
	struct image *other, *next;

	if (!im->mm || im->mm->users == 1 || im->borrows)
		return;
	HASH_ITER (hh, sp->by_pid, other, next) {
		if (other != im && other->mm == im->mm) {
			other->borrows = false;
			return;
		}
	}
}

/*
 * keep_threads: their exit is still to come. The one that is reported last need not be the last
 * to be reported, since threads that exit together are on different CPUs.
 */
static void image__end(struct space *sp, struct image *im, __u64 time_ns, bool keep_threads)
{
	struct thread *t, *next;

	if (im->p.alive) {
		im->p.alive = false;
		im->p.end_ns = time_ns;
	}
	layout__end(sp, im, time_ns);
	pass_mm_on(sp, im);
	for (t = im->threads; t; t = next) {
		next = t->next;
		thread__drop_stack(t);
		if (!keep_threads)
			thread__free(sp, t);
	}
	mm__put(im->mm);
	im->mm = NULL;
	im->borrows = false;
}

static int images__append(struct space *sp, struct image *im)
{
	if (sp->nimages == sp->images_room) {
		size_t room = sp->images_room ? sp->images_room * 2 : 256;
		struct image **images = reallocarray(sp->images, room, sizeof(*images));

		if (!images)
			return -ENOMEM;
		sp->images = images;
		sp->images_room = room;
	}
	sp->images[sp->nimages++] = im;
	return 0;
}

struct image *image__new(struct space *sp, __u32 pid, __u64 time_ns, const char *comm)
{
	struct image *old = image__find(sp, pid), *im = calloc(1, sizeof(*im));

	if (!im)
		return NULL;
	im->p.pid = pid;
	im->p.alive = true;
	im->p.start_ns = time_ns;
	set_comm(im->p.comm, comm);
	if (images__append(sp, im)) {
		free(im);
		return NULL;
	}
	if (old) {
		im->p.image = old->p.image + 1;
		image__end(sp, old, time_ns, false);
		HASH_DEL(sp->by_pid, old);
	}
	sp->image_cache[pid % CACHE_SIZE] = NULL;
	HASH_ADD(hh, sp->by_pid, p.pid, sizeof(im->p.pid), im);
	if (!im->hh.tbl) {
		sp->nimages--;
		free(im);
		return NULL;
	}
	sp->image_cache[pid % CACHE_SIZE] = im;
	return im;
}

struct image *image__get(struct space *sp, __u32 pid)
{
	struct image *im = image__find(sp, pid);

	if (im)
		return im;
	im = image__new(sp, pid, 0, "?");
	if (im) {
		im->met_ns = clock_ns();
		im->complete = !usage__read_image(sp, im);
	}
	return im;
}

void image__free(struct space *sp, struct image *im)
{
	image__end(sp, im, 0, false);
	free(im);
}

/* ---- events ----------------------------------------------------------------------------------- */

static int fork_thread(struct space *sp, const struct fs_fork_event *ev)
{
	struct image *im = image__get(sp, ev->child_pid);
	struct thread *t = im ? thread__born(sp, im, ev->child_tid, ev->comm) : NULL;

	if (!t)
		return -ENOMEM;
	/* no sp: an io_uring worker, which never runs user code */
	if (!(ev->clone_flags & CLONE_VM) || !ev->sp)
		return 0;
	return thread__set_stack(t, ev->stack_low, ev->sp);
}

/*
 * The child's image. One that /proc has shown us by the time that we hear of the fork is the
 * child, and what its threads have counted belongs to it.
 */
static struct image *fork_image(struct space *sp, const struct fs_fork_event *ev)
{
	struct image *im = image__find(sp, ev->child_pid);
	struct thread *t;

	if (im && im->p.alive && im->met_ns > ev->head.time_ns) {
		im->p.start_ns = ev->head.time_ns;
		im->met_ns = 0;
		set_comm(im->p.comm, ev->comm);
		for (t = im->threads; t; t = t->next) {
			t->base = (struct fs_usage){};
			t->has_base = true;
		}
	} else {
		im = image__new(sp, ev->child_pid, ev->head.time_ns, ev->comm);
	}
	if (im)
		im->complete = true;
	return im;
}

int process__fork(struct space *sp, const struct fs_fork_event *ev)
{
	struct image *parent, *im;
	const struct stack *stack;
	struct thread *caller, *t;

	if (ev->child_pid == ev->head.pid)
		return fork_thread(sp, ev);
	im = fork_image(sp, ev);
	t = im ? thread__born(sp, im, ev->child_tid, ev->comm) : NULL;
	if (!t)
		return -ENOMEM;
	if (ev->clone_flags & CLONE_VM) {
		parent = image__get(sp, ev->head.pid);
		if (!parent || !image__mm(parent))
			return -ENOMEM;
		image__share_mm(im, parent->mm);
		return 0;
	}
	/* fork(2) copies the memory and the calling thread, which goes on using its stack */
	parent = image__find(sp, ev->head.pid);
	if (sp->ops.layouts && parent && parent->mm && parent->mm->known &&
	    (!image__mm(im) || layout__fork(im->mm, parent->mm)))
		return -ENOMEM;
	caller = thread__find(sp, ev->head.tid);
	if (!parent || !parent->mm || !caller || caller->image != parent || !caller->stack_sp)
		return 0;
	stack = mm__stack_above(parent->mm, caller->stack_sp - 1);
	if (!stack || stack->sp != caller->stack_sp || stack->tid != caller->tid)
		return 0;
	return thread__set_stack(t, stack->low, stack->sp);
}

int process__exec(struct space *sp, const struct fs_exec_event *ev)
{
	struct image *old = image__find(sp, ev->head.pid), *im;
	struct thread *t = thread__find(sp, ev->old_tid);
	struct fs_usage before = ev->usage;
	struct mm *mm = old ? mm__successor(old->mm, ev->mm) : NULL;

	/* Argument pages are anonymous: populating them counts as minor faults of the new image. */
	before.min_flt -= before.min_flt < ev->args_populated ? before.min_flt : ev->args_populated;
	if (old && old->p.alive && t && t->image == old && t->has_base)
		usage__add(old, &before, &t->base);
	im = image__new(sp, ev->head.pid, ev->head.time_ns, ev->comm);
	if (!im) {
		mm__put(mm);
		return -ENOMEM;
	}
	im->mm = mm;
	/* whoever called, the thread that remains has the number of the leader */
	t = thread__born(sp, im, ev->head.pid, ev->comm);
	if (!t)
		return -ENOMEM;
	t->base = before;
	im->complete = true;
	if (!sp->ops.layouts)
		return 0;
	if (!image__mm(im))
		return -ENOMEM;
	im->mm->argument_pages = ev->args_populated;
	return 0;
}

int process__exit(struct space *sp, const struct fs_exit_event *ev)
{
	static const struct fs_usage none;
	struct image *im = image__find(sp, ev->head.pid);
	struct thread *t = thread__find(sp, ev->head.tid);

	/* of an image that is past */
	if (!im || ev->head.time_ns < im->p.start_ns)
		return 0;
	if (t && t->image == im) {
		if (t->has_base)
			usage__add(im, &ev->usage, &t->base);
		thread__free(sp, t);
	} else if (im->complete && im->p.alive) {
		usage__add(im, &ev->usage, &none);
	}
	if (ev->last)
		image__end(sp, im, ev->head.time_ns, true);
	return 0;
}

int process__rename(struct space *sp, const struct fs_rename_event *ev)
{
	struct image *im = image__find(sp, ev->head.pid);
	struct thread *t = thread__find(sp, ev->head.tid);

	if (!im)
		return 0;
	if (t && t->image == im)
		set_comm(t->comm, ev->comm);
	if (ev->head.tid == ev->head.pid)
		set_comm(im->p.comm, ev->comm);
	return 0;
}
