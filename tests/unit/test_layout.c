/* SPDX-License-Identifier: GPL-2.0-only */
/* What is mapped where, and by whom: single calls, lives, and events that are damaged. */
#include <errno.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/layout_events.h"

static void begin(__u32 pid)
{
	fork_process(P + 100, pid, 0);
	exec_process(pid, 0);
	feed_whole(pid, AT - 100 * PAGE, 10);
	while (space__wanted(space, &(__u32){ 0 }, &(__u64){ 0 }, &(__u64){ 0 }))
		;
	assert_true(space__layout_known(space, pid));
}

static void check_told(__u64 mapped, __u64 unmapped, __u32 ended)
{
	assert_int_equal(told.mapped, mapped * PAGE);
	assert_int_equal(told.unmapped, unmapped * PAGE);
	assert_int_equal(told.ended, ended);
}

/* The sums of origins hold whatever comes, and space__vma() comes to an end. */
static void check_sums(__u32 pid)
{
	__u64 live = 0, mapped = 0, last = 0;
	const struct origin *o;
	const struct vma *v;

	space__count_pages(space, pid);
	for (o = space__origins(space, pid); o; o = o->next) {
		assert_true(o->live);
		live += o->live;
		assert_int_equal(o->pages.touched + o->pages.again + o->pages.populated +
					 o->pages.inherited,
				 o->pages.here + o->pages.released + o->pages.unmapped);
		assert_int_equal(o->pages.made + o->pages.made_populated + o->pages.inherited,
				 o->pages.anon + o->pages.freed);
	}
	for (v = space__vma(space, pid, 0); v; v = space__vma(space, pid, last)) {
		assert_true(v->start >= last && v->start < v->end);
		last = v->end;
		mapped += v->origin ? v->end - v->start : 0;
	}
	assert_int_equal(live, mapped);
}

/* mremap that moves: the new range, then the call with what is left of the old one. */
static void remap(__u64 from, __u64 old, __u64 to, __u64 new, __u64 flags)
{
	bool keep = flags & MREMAP_DONTUNMAP;
	struct fs_vma there = anon_vma(to, new), left = anon_vma(from, old);

	feed_layout(P, to, to + new *PAGE, FS_LAYOUT_CALL, &there, 1);
	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MREMAP,
					  .ret = to,
					  .args = { from, old * PAGE, new *PAGE, flags },
					  .bytes = new *PAGE,
					  .stack_id = 99 },
		  from, old ? from + old * PAGE : 0, &left, keep);
}

/* ---- calls ------------------------------------------------------------------------------------ */

static void test_maps(void **state)
{
	struct fs_vma v[3];

	begin(P);
	map(P, AT, 10, 1);
	map(P, AT + 4 * PAGE, 2, 2); /* in its midst */
	check_told(12, 2, 0);
	assert_int_equal(mapper_at(P, AT + 3 * PAGE), 1);
	assert_int_equal(mapper_at(P, AT + 4 * PAGE), 2);
	assert_int_equal(mapper_at(P, AT + 6 * PAGE), 1);
	assert_int_equal(mapper_at(P, AT + 10 * PAGE), ~0U);
	assert_int_equal(origin_at(P, AT)->live, 8 * PAGE);
	/* mprotect of a part keeps who mapped it, and what is alike is one again afterwards */
	v[0] = anon_vma(AT + PAGE, 1);
	v[0].vm_flags &= ~2;
	feed_layout(P, v[0].start, v[0].end, 0, v, 1);
	assert_int_equal(space__vma(space, P, AT)->end, AT + PAGE);
	assert_int_equal(mapper_at(P, AT + PAGE), 1);
	v[0].vm_flags = RW;
	feed_layout(P, v[0].start, v[0].end, 0, v, 1);
	assert_int_equal(space__vma(space, P, AT)->end, AT + 4 * PAGE);
	unmap(P, AT, 5);
	check_told(12, 7, 0);
	unmap(P, AT, 20);
	check_told(12, 12, 2);
	assert_null(space__origins(space, P));
}

static void test_remap_moves(void **state)
{
	begin(P);
	map(P, AT, 4, 1);
	touch(P, AT + PAGE, FS_CLASS_ANON, 0);
	remap(AT, 4, AT + 100 * PAGE, 6, MREMAP_MAYMOVE); /* and grows */
	check_told(6, 0, 0);
	assert_int_equal(mapper_at(P, AT), ~0U);
	assert_int_equal(mapper_at(P, AT + 103 * PAGE), 1);
	assert_int_equal(mapper_at(P, AT + 104 * PAGE), 99);
	assert_int_equal(origin_at(P, AT + 100 * PAGE)->pages.anon, 1);
	/* over what is there */
	map(P, AT, 8, 2);
	touch(P, AT + 3 * PAGE, FS_CLASS_ANON, 0);
	touch(P, AT + 7 * PAGE, FS_CLASS_ANON, 0);
	remap(AT + 100 * PAGE, 4, AT + 2 * PAGE, 4, MREMAP_MAYMOVE | MREMAP_FIXED);
	check_told(14, 4, 0);
	assert_int_equal(told.here, 1);
	assert_int_equal(mapper_at(P, AT + 2 * PAGE), 1);
	assert_int_equal(mapper_at(P, AT + 6 * PAGE), 2);
	assert_int_equal(origin_at(P, AT)->live, 4 * PAGE);
	assert_int_equal(origin_at(P, AT)->pages.here, 1);
	assert_int_equal(origin_at(P, AT + 2 * PAGE)->pages.here, 1);
	unmap(P, AT, 200);
	check_told(14, 14, 3);
}

/* The old range stays, empty; and a shared mapping is made twice. */
static void test_remap_keeps(void **state)
{
	begin(P);
	map(P, AT, 4, 1);
	touch(P, AT, FS_CLASS_ANON, 0);
	remap(AT, 4, AT + 10 * PAGE, 4, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	check_told(4, 0, 0);
	assert_int_equal(mapper_at(P, AT), 1);
	assert_int_equal(mapper_at(P, AT + 13 * PAGE), 1);
	assert_int_equal(origin_at(P, AT)->live, 8 * PAGE);
	assert_int_equal(origin_at(P, AT)->bytes, 8 * PAGE);
	unmap(P, AT, 4);
	assert_int_equal(told.here, 0);
	unmap(P, AT + 10 * PAGE, 4);
	assert_int_equal(told.here, 1);
	check_told(4, 8, 1);
	map(P, AT, 4, 3);
	remap(AT, 0, AT + 10 * PAGE, 4, MREMAP_MAYMOVE);
	assert_int_equal(mapper_at(P, AT), 3);
	assert_int_equal(mapper_at(P, AT + 10 * PAGE), 99);
}

/* Another thread has mapped something where it was before the call returned. */
static void test_remap_and_replaced(void **state)
{
	struct fs_vma v = anon_vma(AT + 10 * PAGE, 4);

	begin(P);
	map(P, AT, 4, 1);
	feed_layout(P, v.start, v.end, 0, &v, 1);
	v = anon_vma(AT, 2);
	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MREMAP,
					  .ret = AT + 10 * PAGE,
					  .args = { AT, 4 * PAGE, 4 * PAGE, MREMAP_MAYMOVE },
					  .bytes = 4 * PAGE,
					  .stack_id = 99 },
		  AT, AT + 4 * PAGE, &v, 1);
	assert_int_equal(mapper_at(P, AT), 0);
	map(P, AT, 2, 2);
	assert_int_equal(mapper_at(P, AT), 2);
	assert_int_equal(mapper_at(P, AT + 13 * PAGE), 1);
	check_told(6, 0, 0);
}

/* What is moved comes to lie beside memory of which nobody is known to have mapped it. */
static void test_remap_beside_unknown(void **state)
{
	begin(P);
	feed_whole(P, AT, 4);
	map(P, AT + 10 * PAGE, 4, 1);
	map(P, AT + 6 * PAGE, 4, 2);
	remap(AT + 10 * PAGE, 2, AT + 4 * PAGE, 2, MREMAP_MAYMOVE);
	assert_int_equal(mapper_at(P, AT + 3 * PAGE), 0);
	assert_int_equal(mapper_at(P, AT + 4 * PAGE), 1);
	assert_int_equal(mapper_at(P, AT + 6 * PAGE), 2);
	assert_int_equal(mapper_at(P, AT + 10 * PAGE), ~0U);
	assert_int_equal(origin_at(P, AT + 5 * PAGE)->live, 4 * PAGE);
	unmap(P, AT + 4 * PAGE, 2);
	unmap(P, AT + 12 * PAGE, 2);
	check_told(8, 4, 1);
}

static void test_unsure(void **state)
{
	struct fs_call_event mmap = { .call = FS_CALL_MMAP,
				      .ret = AT,
				      .args = { AT, 10 * PAGE },
				      .bytes = 10 * PAGE,
				      .stack_id = 2 };
	struct fs_vma v;

	begin(P);
	map(P, AT, 10, 1);
	feed_layout(P, AT + PAGE, AT + 3 * PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	feed_layout(P, AT + 5 * PAGE, AT + 6 * PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	assert_false(space__layout_known(space, P));
	check_wanted(P, AT + PAGE, AT + 6 * PAGE);
	check_none_wanted();
	check_told(10, 0, 0);
	/* in two parts; it is not known before both have come */
	assert_false(space__layout_known(space, P));
	v = anon_vma(AT + 2 * PAGE, 1);
	feed_layout(P, AT + PAGE, v.end, 0, &v, 1);
	assert_false(space__layout_known(space, P));
	v = anon_vma(AT + 3 * PAGE, 3);
	feed_layout(P, v.start, v.end, 0, &v, 1);
	assert_true(space__layout_known(space, P));
	assert_int_equal(mapper_at(P, AT + PAGE), ~0U);
	assert_int_equal(mapper_at(P, AT + 2 * PAGE), 1);
	check_told(10, 1, 0);
	/* who mapped it is known all the same, */
	feed_unsure_call(P, mmap, AT, AT + 10 * PAGE);
	check_wanted(P, AT, AT + 10 * PAGE);
	v = anon_vma(AT, 10);
	feed_layout(P, v.start, v.end, 0, &v, 1);
	assert_int_equal(mapper_at(P, AT), 2);
	assert_int_equal(space__vma(space, P, AT)->vm_flags, RW);
	check_told(20, 10, 1);
	/* and of what was moved over other memory, too */
	map(P, AT + 20 * PAGE, 1, 3);
	v = anon_vma(AT + 18 * PAGE, 10);
	feed_layout(P, v.start, v.end, FS_LAYOUT_UNSURE, NULL, 0);
	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MREMAP,
					  .ret = v.start,
					  .args = { AT, 10 * PAGE, 10 * PAGE, MREMAP_MAYMOVE } },
		  AT, AT + 10 * PAGE, NULL, 0);
	check_wanted(P, v.start, v.end);
	feed_layout(P, v.start, v.end, 0, &v, 1);
	assert_int_equal(mapper_at(P, AT + 20 * PAGE), 2);
	assert_int_equal(mapper_at(P, AT), ~0U);
	check_told(21, 11, 2);
	/* what was lost may have been anything of a process that was born meanwhile, too */
	fork_process(P, P + 1, 0);
	fork_process(P + 50, P + 2, 0);
	exec_process(P, 0);
	exit_thread(P + 2, P + 2, true);
	space__doubt_layouts(space);
	for (int i = 0; i < 2; i++) {
		__u64 from, to;
		__u32 pid;

		assert_true(space__wanted(space, &pid, &from, &to));
		assert_true(pid == P || pid == P + 1);
		assert_true(!from && to == TOP);
	}
	check_none_wanted();
}

/* ---- lives ------------------------------------------------------------------------------------ */

static void test_shared(void **state)
{
	struct fs_vma v = anon_vma(AT, 4);

	begin(P);
	map(P, AT, 4, 1);
	fork_process(P, P + 1, CLONE_VM | CLONE_VFORK);
	assert_int_equal(mapper_at(P + 1, AT), 1);
	map(P + 1, AT + 10 * PAGE, 2, 2);
	touch(P + 1, AT + 10 * PAGE, FS_CLASS_ANON, 0);
	assert_int_equal(mapper_at(P, AT + 10 * PAGE), 2);
	/* what the child wants is wanted of the parent, once the child has a memory of its own */
	feed_layout(P + 1, AT, AT + 4 * PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	exec_process(P + 1, 0);
	assert_false(space__layout_known(space, P));
	check_wanted(P, AT, AT + 4 * PAGE);
	check_none_wanted();
	feed_layout(P, AT, AT + 4 * PAGE, 0, &v, 1);
	assert_true(space__layout_known(space, P));
	check_told(6, 0, 0);
	assert_int_equal(mapper_at(P + 1, AT), ~0U);
	assert_int_equal(origin_at(P, AT + 10 * PAGE)->pages.anon, 1);
	/* that what was asked for has not come changes nothing, */
	fork_process(P, P + 1, CLONE_VM);
	feed_layout(P + 1, AT, AT + 4 * PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	check_wanted(P + 1, AT, AT + 4 * PAGE);
	exec_process(P + 1, 0);
	check_wanted(P, AT, AT + 4 * PAGE);
	/* nor that it exits */
	fork_process(P, P + 1, CLONE_VM);
	feed_layout(P, AT, AT + 4 * PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	exit_thread(P, P, true);
	check_told(6, 0, 0);
	check_wanted(P + 1, AT, AT + 4 * PAGE);
	exit_thread(P + 1, P + 1, true);
	check_told(6, 6, 2);
	check_none_wanted();
}

static void test_fork(void **state)
{
	struct fs_vma v[2] = { anon_vma(AT, 4), anon_vma(AT + 8 * PAGE, 4) };
	const struct origin *o;

	begin(P);
	map(P, AT, 4, 1);
	map(P, AT + 8 * PAGE, 4, 2);
	touch(P, AT, FS_CLASS_ANON, 0);
	touch(P, AT + PAGE, FS_CLASS_ZERO, 0);
	fork_process(P, P + 1, 0);
	feed_layout(P + 1, 0, TOP, 0, v, 2);
	o = origin_at(P + 1, AT);
	assert_true(o->inherited);
	assert_int_equal(o->stack_id, 1);
	assert_int_equal(o->live, 4 * PAGE);
	assert_int_equal(o->pages.inherited, 1);
	assert_int_equal(o->pages.anon, 1);
	assert_int_equal(o->pages.here, 1);
	assert_int_equal(o->faults, 0);
	assert_ptr_not_equal(o, origin_at(P, AT));
	unmap(P, AT, 4);
	touch(P + 1, AT, FS_CLASS_COW, 0);
	assert_int_equal(origin_at(P + 1, AT)->pages.touched, 0);
	touch(P + 1, AT + PAGE, FS_CLASS_COW, 0);
	assert_int_equal(origin_at(P + 1, AT)->pages.touched, 1);
	assert_int_equal(origin_at(P + 1, AT)->pages.anon, 2);
	assert_int_equal(mapper_at(P, AT), ~0U);
	/* the pid is another's, and nobody told of the end: that is told now */
	fork_process(P + 50, P + 1, 0);
	check_told(8, 12, 3);
	assert_null(space__vma(space, P + 1, 0));
}

/* Where all memory has an origin, what mremap maps has no other one before. */
static void test_remap_all_origins(void **state)
{
	const struct space_ops ops = { .layouts = true, .all_origins = true };
	struct fs_vma there = anon_vma(AT + 100 * PAGE, 6);

	space__free(space);
	space = space__new(&ops);
	assert_non_null(space);
	begin(P);
	map(P, AT, 4, 1);
	feed_layout(P, there.start, there.end, FS_LAYOUT_CALL, &there, 1);
	assert_null(space__vma(space, P, there.start)->origin);
	remap(AT, 4, there.start, 6, MREMAP_MAYMOVE);
	assert_int_equal(mapper_at(P, there.start), 1);
	assert_int_equal(mapper_at(P, there.start + 4 * PAGE), 99);
}

/* The child of a vfork is told with another address space: it is not that of its parent. */
static void test_leaves_shared(void **state)
{
	struct fs_layout_event ev = { .head = { FS_EVENT_LAYOUT, 0, sizeof(ev), 0, P, P },
				      .mm = 1,
				      .layout = { .from = AT, .to = AT + PAGE } };

	begin(P);
	map(P, AT + PAGE, 4, 1);
	ev.head.time_ns = ++now;
	assert_int_equal(space__event(space, &ev.head), 0);
	fork_process(P, P + 1, CLONE_VM);
	assert_int_equal(mapper_at(P + 1, AT + PAGE), 1);
	ev.head.time_ns = ++now;
	ev.head.pid = P + 1;
	assert_int_equal(space__event(space, &ev.head), 0);
	assert_true(space__borrows_layout(space, P + 1));
	ev.head.time_ns = ++now;
	ev.mm = 2;
	ev.layout.to = TOP;
	assert_int_equal(space__event(space, &ev.head), 0);
	assert_false(space__borrows_layout(space, P + 1));
	assert_int_equal(mapper_at(P, AT + PAGE), 1);
	assert_int_equal(mapper_at(P + 1, AT + PAGE), ~0U);
}

/* An address space of two is one's to count, and the other's when that one ends. */
static void test_borrows(void **state)
{
	begin(P);
	fork_process(P, P + 1, CLONE_VM);
	assert_false(space__borrows_layout(space, P));
	assert_true(space__borrows_layout(space, P + 1));
	exit_thread(P, P, true);
	assert_false(space__borrows_layout(space, P + 1));
	fork_process(P + 1, P + 2, CLONE_VM);
	exec_process(P + 2, 0);
	assert_false(space__borrows_layout(space, P + 1));
	assert_false(space__borrows_layout(space, P + 2));
	assert_false(space__borrows_layout(space, P + 3));
}

/* /proc has shown a process, and its state was told, before its birth was heard of. */
static void test_seen_before_fork(void **state)
{
	struct fs_vma v[2] = { anon_vma(AT, 4), anon_vma(AT + 8 * PAGE, 4) };

	begin(P);
	map(P, AT, 4, 1);
	map(P, AT + 8 * PAGE, 4, 2);
	feed_layout(P + 1, 0, TOP, 0, v, 2);
	touch(P + 1, AT, FS_CLASS_ANON, 0);
	fork_process(P, P + 1, 0);
	check_sums(P + 1);
	assert_int_equal(origin_at(P + 1, AT)->pages.touched, 1);
	exit_thread(P + 1, P + 1, true);
	check_told(8, 4, 1);
}

/* Threads end one by one; what comes late, and of the time before, changes nothing. */
static void test_ends(void **state)
{
	__u64 before, vmas;

	fork_process(P + 100, P, 0);
	before = now - 10;
	exec_process(P, 0);
	feed_whole(P, AT, 4);
	fork_process(P, P, 0);
	now = before;
	map(P, AT + 8 * PAGE, 1, 1);
	feed_whole(P, AT + 8 * PAGE, 1);
	assert_int_equal(mapper_at(P, AT + 8 * PAGE), ~0U);
	now = before + 100;
	map(P, AT + 8 * PAGE, 1, 2);
	exit_thread(P, P + 1, false);
	assert_int_equal(mapper_at(P, AT + 8 * PAGE), 2);
	exit_thread(P, P, true);
	check_told(1, 1, 1);
	/* and after the end nothing is wanted any more */
	map(P, AT, 1, 3);
	feed_layout(P, AT, AT + PAGE, FS_LAYOUT_UNSURE, NULL, 0);
	touch(P, AT, FS_CLASS_ANON, 0);
	assert_int_equal(space__want_layout(space, P), 0);
	space__doubt_layouts(space);
	assert_null(space__vma(space, P, 0));
	assert_null(space__origins(space, P));
	assert_false(space__layout_known(space, P));
	assert_int_equal(space__layout_bytes(space, &vmas), 0);
	check_none_wanted();
	/* of nobody */
	touch(P + 70, AT, FS_CLASS_ANON, 0);
	space__count_pages(space, P + 70);
	assert_null(space__vma(space, P + 70, 0));
	check_none_wanted();
}

/* ---- damage ----------------------------------------------------------------------------------- */

static __u64 some_address(unsigned int *seed)
{
	static const __u64 edges[] = { 0,   1,          PAGE,         AT,   TOP - PAGE,
				       TOP, TOP + PAGE, ~0ULL - PAGE, ~0ULL };

	if (rand_r(seed) % 3)
		return AT + rand_r(seed) % 64 * PAGE;
	return edges[rand_r(seed) % 9] + (rand_r(seed) % 4 ? 0 : rand_r(seed) % 8192);
}

static void some_layout(struct fs_layout *l, struct fs_vma *v, unsigned int *seed)
{
	bool good = rand_r(seed) % 2;

	*l = (struct fs_layout){ .time_ns = now,
				 .from = some_address(seed),
				 .to = some_address(seed) };
	l->flags = rand_r(seed) % 8;
	l->n = rand_r(seed) % 16 ? rand_r(seed) % 6 : rand_r(seed);
	for (int i = 0; i < 8; i++) {
		v[i] = (struct fs_vma){ .start = some_address(seed), .end = some_address(seed) };
		if (good) /* in order at least */
			v[i].start = l->from + 2 * i * PAGE, v[i].end = v[i].start + PAGE;
		v[i].vm_flags = rand_r(seed) % 2 ? RW : (__u32)rand_r(seed);
		v[i].file_id = rand_r(seed) % 3 ? 0 : rand_r(seed);
		v[i].region = rand_r(seed) % 300;
		v[i].pgoff = rand_r(seed) % 5 ? 1 : ~0ULL;
	}
}

static void some_call(struct fs_call_event *ev, unsigned int *seed)
{
	ev->call = rand_r(seed) % (FS_CALL_NR + 2);
	ev->flags = rand_r(seed) % 8;
	ev->ret = rand_r(seed) % 8 ? some_address(seed) : (__u64)-ENOMEM;
	for (int i = 0; i < 6; i++)
		ev->args[i] = some_address(seed);
	if (ev->call == FS_CALL_MADVISE || ev->call == FS_CALL_MREMAP)
		ev->args[2] = rand_r(seed) % 2 ? MADV_DONTNEED : some_address(seed);
	ev->bytes = some_address(seed);
	ev->old_brk = some_address(seed);
	ev->populated_min = rand_r(seed) % 2;
}

static void test_damaged(void **state)
{
	static struct {
		union {
			struct fs_head head;
			struct fs_layout_event layout;
			struct fs_call_event call;
		};
		char rest[8 * sizeof(struct fs_vma) + sizeof(struct fs_layout)];
	} e;
	unsigned int seed = 3;

	for (int round = 0; round < 100000; round++) {
		__u32 pid = P + rand_r(&seed) % 3;
		struct fs_layout *l;

		if (!(rand_r(&seed) % 20))
			fork_process(P + rand_r(&seed) % 3, pid, rand_r(&seed) % 2 ? CLONE_VM : 0);
		if (!(rand_r(&seed) % 40))
			exec_process(pid, rand_r(&seed) % 2 ? 3 : 1 << 20);
		if (!(rand_r(&seed) % 40))
			exit_thread(pid, pid, rand_r(&seed) % 2);
		memset(&e, 0, sizeof(e));
		if (rand_r(&seed) % 2) {
			e.head.kind = FS_EVENT_LAYOUT;
			l = &e.layout.layout;
			e.layout.start_stack = some_address(&seed);
		} else {
			e.head.kind = FS_EVENT_CALL;
			l = (void *)(&e.call + 1);
			some_call(&e.call, &seed);
		}
		some_layout(l, (void *)(l + 1), &seed);
		e.head.size = (char *)(l + 1) - (char *)&e + 8 * sizeof(struct fs_vma);
		if (!(rand_r(&seed) % 8))
			e.head.size = rand_r(&seed) % e.head.size;
		e.head.pid = e.head.tid = pid;
		e.head.time_ns = rand_r(&seed) % 50 ? ++now : (__u64)rand_r(&seed);
		assert_int_equal(space__event(space, &e.head), 0);
		touch(pid, some_address(&seed), rand_r(&seed) % (FS_CLASS_NR + 1),
		      rand_r(&seed) % 10 ? 0 : rand_r(&seed) % 256);
		if (round % 50 == 0)
			check_sums(pid);
	}
}

/* One by one, those that took for ever, or all the memory. */
static void test_damaged_sizes(void **state)
{
	struct fs_vma v = { .start = 0, .end = TOP, .vm_flags = RW };
	struct fs_call_event move = { .call = FS_CALL_MREMAP,
				      .args = { PAGE, TOP / 2, TOP / 2, MREMAP_MAYMOVE },
				      .ret = PAGE + (2 << 20) };
	struct fs_call_event populate = { .call = FS_CALL_MADVISE,
					  .args = { 0, TOP, 23 },
					  .bytes = TOP - 1,
					  .populated_min = 1 };
	__u64 vmas;

	begin(P);
	feed_layout(P, 0, TOP, 0, &v, 1);
	touch(P, PAGE, FS_CLASS_ANON, 0);
	feed_call(P, move, 0, 0, NULL, 0);
	feed_call(P, populate, 0, 0, NULL, 0);
	exec_process(P, ~0U);
	feed_layout(P, 0, TOP, 0, &v, 1);
	assert_true(space__layout_bytes(space, &vmas) < 1 << 20);
	assert_int_equal(vmas, 1);
	/* a layout from above to below */
	map(P, AT, 4, 1);
	feed_layout(P, AT + 4 * PAGE, AT, 0, NULL, 0);
	assert_int_equal(mapper_at(P, AT), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_maps, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_remap_moves, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_remap_keeps, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_remap_all_origins, layout_set_up,
						layout_tear_down),
		cmocka_unit_test_setup_teardown(test_remap_beside_unknown, layout_set_up,
						layout_tear_down),
		cmocka_unit_test_setup_teardown(test_remap_and_replaced, layout_set_up,
						layout_tear_down),
		cmocka_unit_test_setup_teardown(test_unsure, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_shared, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_fork, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_leaves_shared, layout_set_up,
						layout_tear_down),
		cmocka_unit_test_setup_teardown(test_borrows, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_seen_before_fork, layout_set_up,
						layout_tear_down),
		cmocka_unit_test_setup_teardown(test_ends, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged, layout_set_up, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_damaged_sizes, layout_set_up,
						layout_tear_down),
	};

	return cmocka_run_group_tests_name("layout", tests, NULL, NULL);
}
