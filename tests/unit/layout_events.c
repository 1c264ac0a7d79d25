/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/layout_events.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#define MOST 64 /* VMAs of an event */

struct space *space;
__u64 now;
struct told told;

static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	told.unmapped += end - start;
	told.here += here;
	told.ended += !o->live;
}

static void on_mapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
		      __u64 end)
{
	told.mapped += end - start;
}

static void on_released(void *ctx, const struct process *proc, const struct origin *o, __u64 pages,
			const struct fs_call_event *by)
{
	told.released += pages;
}

static void on_touched(void *ctx, const struct process *proc, const struct origin *o,
		       const struct fs_fault *f, __u64 newly, __u64 again)
{
	told.newly += newly;
	told.again += again;
}

int layout_set_up(void **state)
{
	const struct space_ops ops = { .layouts = true };
	const struct layout_watch watch = { .unmapped = on_unmapped,
					    .mapped = on_mapped,
					    .released = on_released,
					    .touched = on_touched };

	now = 1000;
	told = (struct told){};
	space = space__new(&ops);
	return !space || space__watch(space, &watch);
}

int layout_tear_down(void **state)
{
	space__free(space);
	return 0;
}

struct fs_vma anon_vma(__u64 start, __u64 pages)
{
	return (struct fs_vma){ .start = start,
				.end = start + pages * PAGE,
				.pgoff = start / PAGE,
				.vm_flags = RW,
				.region = FS_REGION_ANON };
}

void feed_layout(__u32 pid, __u64 from, __u64 to, __u32 flags, const struct fs_vma *v, __u32 n)
{
	struct {
		struct fs_layout_event ev;
		struct fs_vma v[MOST];
	} e = { .ev = { .layout = { .from = from, .to = to, .n = n, .flags = flags } } };

	assert_true(n <= MOST);
	e.ev.head = (struct fs_head){ FS_EVENT_LAYOUT, 0,   sizeof(e.ev) + n * sizeof(*v),
				      ++now,           pid, pid };
	e.ev.layout.time_ns = now;
	e.ev.start_stack = v && n ? v[n - 1].end - 8 : 0;
	if (n)
		memcpy(e.v, v, n * sizeof(*v));
	assert_int_equal(space__event(space, &e.ev.head), 0);
}

static void feed(__u32 pid, struct fs_call_event ev, __u64 from, __u64 to, const struct fs_vma *v,
		 __u32 n, __u32 flags)
{
	struct {
		struct fs_call_event ev;
		struct fs_layout l;
		struct fs_vma v[MOST];
	} e = { .ev = ev,
		.l = { .time_ns = ++now, .from = from, .to = to, .n = n, .flags = flags } };

	assert_true(n <= MOST);
	e.ev.head = (struct fs_head){ FS_EVENT_CALL, 0, sizeof(e.ev), now, pid, pid };
	if (to) {
		e.ev.head.size += sizeof(e.l) + n * sizeof(*v);
		e.ev.flags |= FS_CALL_LAYOUT;
	}
	if (n)
		memcpy(e.v, v, n * sizeof(*v));
	assert_int_equal(space__event(space, &e.ev.head), 0);
}

void feed_unsure_call(__u32 pid, struct fs_call_event ev, __u64 from, __u64 to)
{
	feed(pid, ev, from, to, NULL, 0, FS_LAYOUT_UNSURE);
}

void feed_call(__u32 pid, struct fs_call_event ev, __u64 from, __u64 to, const struct fs_vma *v,
	       __u32 n)
{
	feed(pid, ev, from, to, v, n, 0);
}

void feed_whole(__u32 pid, __u64 start, __u64 pages)
{
	struct fs_vma v = anon_vma(start, pages);

	feed_layout(pid, 0, TOP, 0, &v, !!pages);
}

void map(__u32 pid, __u64 at, __u64 pages, __u32 stack_id)
{
	struct fs_vma v = anon_vma(at, pages);

	feed_call(pid,
		  (struct fs_call_event){ .call = FS_CALL_MMAP,
					  .ret = at,
					  .args = { at, pages * PAGE },
					  .bytes = pages * PAGE,
					  .stack_id = stack_id },
		  v.start, v.end, &v, 1);
}

void unmap(__u32 pid, __u64 at, __u64 pages)
{
	feed_call(pid,
		  (struct fs_call_event){ .call = FS_CALL_MUNMAP,
					  .args = { at, pages * PAGE },
					  .bytes = pages * PAGE },
		  at, at + pages * PAGE, NULL, 0);
}

void fork_process(__u32 pid, __u32 child, __u64 clone_flags)
{
	struct fs_fork_event ev = { .head = { FS_EVENT_FORK, 0, sizeof(ev), ++now, pid, pid },
				    .child_pid = child,
				    .child_tid = child,
				    .clone_flags = clone_flags };

	assert_int_equal(space__event(space, &ev.head), 0);
}

void exec_process(__u32 pid, __u32 args_populated)
{
	struct fs_exec_event ev = { .head = { FS_EVENT_EXEC, 0, sizeof(ev), ++now, pid, pid },
				    .old_tid = pid,
				    .args_populated = args_populated };

	assert_int_equal(space__event(space, &ev.head), 0);
}

void exit_thread(__u32 pid, __u32 tid, bool last)
{
	struct fs_exit_event ev = { .head = { FS_EVENT_EXIT, 0, sizeof(ev), ++now, pid, tid },
				    .last = last };

	assert_int_equal(space__event(space, &ev.head), 0);
}

void touch(__u32 pid, __u64 addr, enum fs_class class, unsigned int order)
{
	struct fs_fault f = { .time_ns = ++now,
			      .addr = addr,
			      .pid = pid,
			      .tid = pid,
			      .region = FS_REGION_ANON,
			      .class = class,
			      .access = FS_ACCESS_WRITE,
			      .order = order };

	if (class == FS_CLASS_SEGV)
		f.flags = FS_FAULT_FAILED;
	assert_int_equal(space__touch(space, &f), 0);
}

__u32 mapper_at(__u32 pid, __u64 addr)
{
	const struct vma *v = space__vma(space, pid, addr);

	if (!v || v->start > addr)
		return ~0U;
	return v->origin ? v->origin->stack_id : 0;
}

const struct origin *origin_at(__u32 pid, __u64 addr)
{
	const struct vma *v = space__vma(space, pid, addr);

	assert_true(v && v->start <= addr && v->origin);
	space__count_pages(space, pid);
	return v->origin;
}

void check_wanted(__u32 pid, __u64 from, __u64 to)
{
	__u64 f, t;
	__u32 who;

	assert_true(space__wanted(space, &who, &f, &t));
	assert_int_equal(who, pid);
	assert_int_equal(f, from);
	assert_int_equal(t, to);
}

void check_none_wanted(void)
{
	__u64 from, to;
	__u32 pid;

	assert_false(space__wanted(space, &pid, &from, &to));
}
