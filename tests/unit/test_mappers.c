/* SPDX-License-Identifier: GPL-2.0-only */
/* Which call created the memory at an address. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <linux/mman.h>

#include "region/space.h"

#define P    0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define PAGE 4096ULL

static struct space *space;

static int set_up(void **state)
{
	const struct space_ops ops = { .stacks = true };

	space = space__new(&ops);
	return !space;
}

static int tear_down(void **state)
{
	space__free(space);
	return 0;
}

static void call(struct fs_call_event ev)
{
	ev.head = (struct fs_head){ .kind = FS_EVENT_CALL, .size = sizeof(ev), .pid = P, .tid = P };
	assert_int_equal(space__event(space, &ev.head), 0);
}

static void map(__u64 at, __u64 pages, __u32 stack_id)
{
	call((struct fs_call_event){ .call = FS_CALL_MMAP,
				     .ret = at,
				     .args = { at, pages * PAGE },
				     .bytes = pages * PAGE,
				     .stack_id = stack_id });
}

static void move(__u64 from, __u64 old, __u64 to, __u64 new, __u64 flags)
{
	call((struct fs_call_event){ .call = FS_CALL_MREMAP,
				     .ret = to,
				     .args = { from, old * PAGE, new *PAGE, flags },
				     .stack_id = 99 });
}

static void check_mapper(__u64 at, __u32 wanted)
{
	assert_int_equal(space__mapper(space, P, at), wanted);
}

static void test_maps(void **state)
{
	check_mapper(0x10000, 0);
	map(0x10000, 4, 1);
	map(0x11000, 1, 2); /* MAP_FIXED, in its midst */
	check_mapper(0xffff, 0);
	check_mapper(0x10000, 1);
	check_mapper(0x11000, 2);
	check_mapper(0x12000, 1);
	check_mapper(0x13fff, 1);
	check_mapper(0x14000, 0);
	call((struct fs_call_event){
		.call = FS_CALL_MUNMAP, .args = { 0x11000, PAGE }, .bytes = PAGE });
	check_mapper(0x11000, 0);
	check_mapper(0x12000, 1);
	map(0x20000, 1, 0);
	check_mapper(0x20000, MAPPER_LOST);
	call((struct fs_call_event){ .call = FS_CALL_MMAP,
				     .flags = FS_CALL_FAILED,
				     .ret = -12,
				     .args = { 0x12000, PAGE },
				     .stack_id = 7 });
	check_mapper(0x12000, 1);
}

static void test_remaps(void **state)
{
	map(0x10000, 2, 1);
	move(0x10000, 2, 0x50000, 4, MREMAP_MAYMOVE);
	check_mapper(0x10000, 0);
	check_mapper(0x50000, 1);
	check_mapper(0x53fff, 1);
	move(0x50000, 4, 0x50000, 1, 0);
	check_mapper(0x50000, 1);
	check_mapper(0x51000, 0);
	move(0x50000, 1, 0x60000, 1, MREMAP_MAYMOVE | MREMAP_DONTUNMAP);
	check_mapper(0x50000, 1);
	check_mapper(0x60000, 1);
	/* what was there before the trace is of nobody wherever it is */
	move(0x90000, 1, 0x60000, 2, MREMAP_MAYMOVE | MREMAP_FIXED);
	check_mapper(0x60000, 0);
	check_mapper(0x61000, 0);
	check_mapper(0x50000, 1);
}

static void grow(__u64 from, __u64 to, __u32 stack_id)
{
	call((struct fs_call_event){ .call = FS_CALL_BRK,
				     .ret = to,
				     .old_brk = from,
				     .bytes = to - from,
				     .stack_id = stack_id });
}

static void test_brk(void **state)
{
	grow(0x10800, 0x12800, 1);
	check_mapper(0x10800, 0); /* its page was there */
	check_mapper(0x11000, 1);
	check_mapper(0x12fff, 1);
	grow(0x12800, 0x13800, 2);
	check_mapper(0x12fff, 1);
	check_mapper(0x13000, 2);
	grow(0x13800, 0x11800, 3);
	check_mapper(0x12000, 0);
	check_mapper(0x11800, 1);
}

static void test_fork(void **state)
{
	struct fs_fork_event fork = {
		.head = { .kind = FS_EVENT_FORK, .size = sizeof(fork), .pid = P, .tid = P },
		.child_pid = P + 1,
		.child_tid = P + 1,
	};

	map(0x10000, 1, 1);
	assert_int_equal(space__event(space, &fork.head), 0);
	map(0x10000, 1, 2);
	check_mapper(0x10000, 2);
	assert_int_equal(space__mapper(space, P + 1, 0x10000), 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_maps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_remaps, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_brk, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_fork, set_up, tear_down),
	};

	return cmocka_run_group_tests_name("mappers", tests, NULL, NULL);
}
