/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stacks of threads that were there before the trace. Where such a thread began to use its stack
 * nobody knows any more; what can be known is an upper end not far above it:
 *
 * glibc and musl place a thread's descriptor at the upper end of its stack, and in it the head of
 * its list of robust futexes, which the kernel tells of every thread, running or not. The stack
 * is then [low end of the mapping, that head), the thread's static TLS included.
 *
 * Where there is no such list (32-bit tasks: the kernel tells a 64-bit caller only of the native
 * one) or it may not be read, the stack is all of the mapping that holds the stack pointer, which
 * is above the initial one. The main thread's stack is known to the kernel and is left out. So are
 * 64-bit threads without a list: a runtime that makes its own threads, like that of Go, keeps
 * their stacks among its heap, and all of that would be named a stack.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "region/internal.h"

#define END_OF_32_BIT (1ULL << 32)

struct probe {
	struct thread *thread;
	__u64 sp;   /* 0: not known, it runs */
	__u64 head; /* 0: not known */
	__u64 addr; /* to look for: sp, else head */
};

struct probes {
	size_t n, next;
	struct probe *v; /* sorted by addr */
	int err;
};

static int cmp_probe(const void *a, const void *b)
{
	__u64 x = ((const struct probe *)a)->addr, y = ((const struct probe *)b)->addr;

	return x < y ? -1 : x > y;
}

static bool probe__fill(struct probe *p, struct thread *t)
{
	int err;

	*p = (struct probe){ .thread = t };
	if (proc__stack_pointer(t->image->p.pid, t->tid, &p->sp))
		p->sp = 0;
	err = proc__robust_list(t->tid, &p->head);
	if (err == -ENOENT && p->sp >= END_OF_32_BIT)
		return false;
	p->addr = p->sp ? p->sp : p->head;
	return p->addr;
}

static bool can_hold_stack(const struct proc_map *map)
{
	return !map->ino && !map->shared && map->write &&
	       (!*map->name || !strncmp(map->name, "[anon:", 6));
}

static int take_map(void *ctx, const struct proc_map *map)
{
	struct probes *probes = ctx;

	for (; probes->next < probes->n; probes->next++) {
		struct probe *p = &probes->v[probes->next];

		if (p->addr >= map->end)
			break;
		if (p->addr < map->start || !can_hold_stack(map))
			continue;
		if (p->head <= p->addr || p->head > map->end)
			p->head = p->sp ? map->end : p->head;
		probes->err = thread__set_stack(p->thread, 0, p->head);
		if (probes->err)
			return 1;
	}
	return probes->next == probes->n;
}

int stacks__read(struct image *im)
{
	struct probes probes = {};
	struct thread *t;
	size_t n = 0;

	for (t = im->threads; t; t = t->next)
		n++;
	probes.v = calloc(n, sizeof(*probes.v));
	if (!probes.v)
		return -ENOMEM;
	for (t = im->threads; t; t = t->next)
		if (t->tid != im->p.pid && !t->stack_sp && probe__fill(&probes.v[probes.n], t))
			probes.n++;
	if (probes.n) {
		qsort(probes.v, probes.n, sizeof(*probes.v), cmp_probe);
		proc__maps(im->p.pid, take_map, &probes);
	}
	free(probes.v);
	return probes.err;
}
