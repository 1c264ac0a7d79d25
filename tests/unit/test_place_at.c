/* SPDX-License-Identifier: GPL-2.0-only */
/* Which part of a mapping has one name, by a layout as the kernel side tells it. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <linux/sched.h>
#include <cmocka.h>

#include "base/kind_names.h"
#include "objects.h"
#include "region/layout.h"

#define PID    0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define THREAD (CLONE_VM | CLONE_THREAD)
#define VM_RW  0x3
#define END    (1ULL << 63)

static void feed_layout(struct space *sp, __u64 time_ns, __u64 start_brk, size_t n,
			const struct fs_vma *vmas)
{
	struct {
		struct fs_layout_event ev;
		struct fs_vma vmas[8];
	} e = { .ev = { .head = { .kind = FS_EVENT_LAYOUT,
				  .size = sizeof(e.ev) + n * sizeof(*vmas),
				  .pid = PID,
				  .time_ns = time_ns },
			.start_brk = start_brk,
			.layout = { .time_ns = time_ns, .to = END, .n = n } } };

	memcpy(e.vmas, vmas, n * sizeof(*vmas));
	assert_int_equal(space__event(sp, &e.ev.head), 0);
}

/* [start, end), each of one name, from an address on. */
static void assert_part(struct space *sp, __u64 start, __u64 end, const char *region, __u32 tid)
{
	const __u64 ats[] = { start, start + (end - start) / 2, end - 1 };

	for (size_t i = 0; i < sizeof(ats) / sizeof(ats[0]); i++) {
		__u64 from, to;
		struct place pl;

		space__place_at(sp, PID, ats[i], &pl, &from, &to);
		assert_string_equal(region_name(pl.region), region);
		assert_int_equal(from, start);
		assert_int_equal(to, end);
		assert_int_equal(pl.stack_tid, tid);
	}
}

static struct space *new_space(void)
{
	const struct space_ops ops = { .layouts = true };
	struct space *sp = space__new(&ops);

	assert_non_null(sp);
	return sp;
}

static void test_stacks(void **state)
{
	const struct fs_vma vma = {
		.start = 0x10000, .end = 0x50000, .vm_flags = VM_RW, .region = FS_REGION_ANON
	};
	struct space *sp = new_space();

	feed_layout(sp, 1, 0, 1, &vma);
	assert_part(sp, 0x10000, 0x50000, "anon", 0);
	/* one from the mapping's low end, one of a known size, and what lies between and above */
	feed_fork(sp, 2, PID, PID, PID, PID + 1, THREAD, 0, 0x20000);
	feed_fork(sp, 3, PID, PID, PID, PID + 2, THREAD, 0x28000, 0x30040);
	assert_part(sp, 0x10000, 0x20000, "thread-stack", PID + 1);
	assert_part(sp, 0x20000, 0x28000, "anon", 0);
	assert_part(sp, 0x28000, 0x30040, "thread-stack", PID + 2);
	assert_part(sp, 0x30040, 0x50000, "anon", 0);
	/* one that begins in another mapping, above this one */
	feed_fork(sp, 4, PID, PID, PID, PID + 3, THREAD, 0, 0x60000);
	assert_part(sp, 0x30040, 0x50000, "anon", 0);
	feed_exit(sp, 5, PID, PID + 1, 0, false);
	assert_part(sp, 0x10000, 0x28000, "anon", 0);
	space__free(sp);
}

/* Heap that the kernel has merged with what lies before it. */
static void test_heap(void **state)
{
	const struct fs_vma vmas[] = {
		{ .start = 0x10000, .end = 0x20000, .vm_flags = VM_RW, .region = FS_REGION_HEAP },
		{ .start = 0x30000, .end = 0x31000, .region = FS_REGION_ANON },
	};
	struct space *sp = new_space();
	struct place pl;
	__u64 start, end;

	feed_layout(sp, 1, 0x14000, 2, vmas);
	assert_part(sp, 0x10000, 0x14000, "anon", 0);
	assert_part(sp, 0x14000, 0x20000, "heap", 0);
	assert_part(sp, 0x30000, 0x31000, "anon", 0);
	/* nothing is there */
	space__place_at(sp, PID, 0x20000, &pl, &start, &end);
	assert_int_equal(pl.region, FS_REGION_NONE);
	space__place_at(sp, PID + 1, 0x10000, &pl, &start, &end);
	assert_int_equal(pl.region, FS_REGION_NONE);
	space__free(sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_heap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
