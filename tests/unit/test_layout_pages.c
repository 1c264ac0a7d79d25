/* SPDX-License-Identifier: GPL-2.0-only */
/* Which pages are there: by faults, by calls that make them present, and by those that release them. */
#include <errno.h>
#include <linux/mman.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "unit/layout_events.h"

#define VM_WRITE     0x02U
#define VM_SHARED    0x88U /* and VM_MAYSHARE */
#define VM_GROWSDOWN 0x100U
#define VM_LOCKED    0x2000U

/* A process that is known from execve on, and maps nothing. */
static int begin(void **state)
{
	int err = layout_set_up(state);

	fork_process(P + 100, P, 0);
	exec_process(P, 0);
	feed_layout(P, 0, TOP, 0, NULL, 0);
	check_none_wanted();
	return err;
}

static void check_pages(__u64 addr, __u64 here, __u64 ever, __u64 anon)
{
	const struct origin *o = origin_at(P, addr);

	assert_int_equal(o->pages.here, here);
	assert_int_equal(o->pages.ever, ever);
	assert_int_equal(o->pages.anon, anon);
	assert_int_equal(o->pages.touched + o->pages.again + o->pages.populated,
			 here + o->pages.released + o->pages.unmapped);
	assert_int_equal(o->pages.made + o->pages.made_populated, anon + o->pages.freed);
}

static void advise(__u64 at, __u64 pages, __u64 advice, __s64 ret, __u32 populated)
{
	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MADVISE,
					  .flags = ret ? FS_CALL_FAILED : 0,
					  .ret = ret,
					  .args = { at, pages * PAGE, advice },
					  .bytes = ret ? 0 : pages * PAGE,
					  .populated_min = populated },
		  0, 0, NULL, 0);
}

/* A private mapping of a file. */
static void map_file(__u64 at, __u64 pages, __u32 flags)
{
	struct fs_vma v = anon_vma(at, pages);

	v.file_id = 5;
	v.vm_flags = flags;
	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MMAP, .ret = at, .bytes = pages * PAGE },
		  v.start, v.end, &v, 1);
}

static void test_touches(void **state)
{
	const struct origin *o;

	map(P, AT, 8, 1);
	touch(P, AT + 10, FS_CLASS_ZERO, 0);
	check_pages(AT, 1, 1, 0);
	touch(P, AT + 20, FS_CLASS_COW, 0);
	check_pages(AT, 1, 1, 1);
	touch(P, AT + 5 * PAGE, FS_CLASS_ANON, 2);
	check_pages(AT, 5, 5, 5);
	touch(P, AT + 2 * PAGE, FS_CLASS_SEGV, 0);
	check_pages(AT, 5, 5, 5);
	o = origin_at(P, AT);
	assert_int_equal(o->faults, 4);
	assert_int_equal(o->pages.zero, 1);
	assert_int_equal(o->pages.touched, 5);
	advise(AT, 8, MADV_DONTNEED, 0, 0);
	check_pages(AT, 0, 5, 0);
	assert_int_equal(told.released, 5);
	touch(P, AT, FS_CLASS_ANON, 0);
	check_pages(AT, 1, 5, 1);
	assert_int_equal(told.newly, 5);
	assert_int_equal(told.again, 1);
	unmap(P, AT, 4);
	assert_int_equal(told.here, 1);
	check_pages(AT + 4 * PAGE, 0, 4, 0);
}

/* Who copies a page of a file has an anonymous one, though it had to be read. */
static void test_files(void **state)
{
	struct fs_fault read = { .pid = P, .addr = AT + 7 * PAGE, .class = FS_CLASS_READ };

	map_file(AT, 8, RW);
	touch(P, AT, FS_CLASS_FILE, 0);
	check_pages(AT, 1, 1, 0);
	touch(P, AT + PAGE, FS_CLASS_COW, 0);
	check_pages(AT, 2, 2, 1);
	touch(P, AT + 2 * PAGE, FS_CLASS_READ, 0);
	check_pages(AT, 3, 3, 2);
	assert_int_equal(space__touch(space, &read), 0);
	check_pages(AT, 4, 4, 2);
	map_file(AT, 8, RW | VM_SHARED);
	touch(P, AT, FS_CLASS_READ, 0);
	touch(P, AT + PAGE, FS_CLASS_SWAP, 0);
	check_pages(AT, 2, 2, 0);
}

/* What several calls have mapped is one VMA to the kernel, and a folio lies across it. */
static void test_folio_of_several(void **state)
{
	map(P, AT, 100, 1);
	map(P, AT + 100 * PAGE, 100, 2);
	map(P, AT + 200 * PAGE, 400, 3);
	touch(P, AT + 150 * PAGE, FS_CLASS_THP, 9);
	check_pages(AT, 100, 100, 100);
	check_pages(AT + 100 * PAGE, 100, 100, 100);
	check_pages(AT + 200 * PAGE, 312, 312, 312);
	assert_int_equal(origin_at(P, AT)->faults, 0);
	assert_int_equal(origin_at(P, AT + 100 * PAGE)->faults, 1);
	assert_int_equal(told.newly, 512);
	/* but not beyond what is mapped otherwise */
	map(P, AT, 2, 4);
	map_file(AT + 2 * PAGE, 2, RW);
	touch(P, AT + PAGE, FS_CLASS_ANON, 2);
	check_pages(AT, 2, 2, 2);
	touch(P, AT + 2 * PAGE, FS_CLASS_FILE, 2);
	check_pages(AT + 2 * PAGE, 2, 2, 0);
	check_pages(AT, 2, 2, 2);
}

static void test_stack_grows(void **state)
{
	struct fs_fault f = { .pid = P,
			      .addr = AT + 3 * PAGE + 8,
			      .region = FS_REGION_STACK,
			      .class = FS_CLASS_ANON,
			      .access = FS_ACCESS_WRITE };
	struct fs_vma v = anon_vma(AT + 10 * PAGE, 10);

	v.vm_flags |= VM_GROWSDOWN;
	feed_layout(P, v.start, v.end, 0, &v, 1);
	touch(P, AT + 10 * PAGE, FS_CLASS_ANON, 0);
	assert_int_equal(space__touch(space, &f), 0);
	assert_int_equal(space__vma(space, P, 0)->start, AT + 3 * PAGE);
	check_pages(AT + 3 * PAGE, 2, 2, 2);
	assert_int_equal(origin_at(P, AT + 3 * PAGE)->live, 17 * PAGE);
	assert_int_equal(origin_at(P, AT + 3 * PAGE)->bytes, 17 * PAGE);
	check_none_wanted();
	/* it had not to where the fault failed */
	f.addr = AT;
	f.class = FS_CLASS_SEGV;
	f.flags = FS_FAULT_FAILED;
	assert_int_equal(space__touch(space, &f), 0);
	assert_int_equal(space__vma(space, P, 0)->start, AT + 3 * PAGE);
	check_none_wanted();
}

/* Something is there that no call told of. */
static void test_unknown_memory(void **state)
{
	touch(P, AT, FS_CLASS_SEGV, 0);
	check_none_wanted();
	touch(P, AT, FS_CLASS_ANON, 0);
	touch(P, AT + PAGE, FS_CLASS_ANON, 0);
	assert_false(space__layout_known(space, P));
	check_wanted(P, 0, TOP);
	check_none_wanted();
}

/* execve touches its memory before it is told of. */
static void test_early(void **state)
{
	struct fs_vma v[2] = { anon_vma(AT, 2), anon_vma(AT + 10 * PAGE, 10) };

	exec_process(P, 3);
	touch(P, AT + PAGE, FS_CLASS_ANON, 0);
	touch(P, AT + 15 * PAGE, FS_CLASS_ANON, 0);
	touch(P, AT + 19 * PAGE, FS_CLASS_REUSE, 0); /* an argument's page */
	check_none_wanted();
	feed_layout(P, 0, v[0].end, 0, v, 1);
	feed_layout(P, v[0].end, TOP, 0, v + 1, 1);
	check_pages(AT, 1, 1, 1);
	check_pages(AT + 10 * PAGE, 4, 4, 4);
	assert_int_equal(origin_at(P, AT + 10 * PAGE)->pages.populated, 3);
	assert_int_equal(origin_at(P, AT + 10 * PAGE)->pages.touched, 1);
	assert_int_equal(origin_at(P, AT + 10 * PAGE)->faults, 2);
	check_none_wanted();
	/* its state was lost */
	exec_process(P, 0);
	for (int i = 0; i < 1000; i++)
		touch(P, AT, FS_CLASS_ANON, 0);
	check_wanted(P, 0, TOP);
	check_none_wanted();
	exec_process(P, 0);
	touch(P, AT, FS_CLASS_ANON, 0); /* nothing is left of it */
	/* of one that was there before it is asked for */
	assert_non_null(space__process(space, P + 1));
	touch(P + 1, AT, FS_CLASS_ANON, 0);
	touch(P + 1, AT + PAGE, FS_CLASS_ANON, 0);
	check_wanted(P + 1, 0, TOP);
	check_none_wanted();
	feed_whole(P + 1, AT, 4);
	assert_int_equal(origin_at(P + 1, AT)->pages.touched, 2);
	assert_int_equal(origin_at(P + 1, AT)->kind, ORIGIN_BEFORE);
}

static void test_populates(void **state)
{
	struct fs_vma v = anon_vma(AT, 4);
	struct fs_call_event lock = { .call = FS_CALL_MLOCK,
				      .args = { AT, 4 * PAGE },
				      .bytes = 4 * PAGE,
				      .populated_min = 3 };

	feed_call(P,
		  (struct fs_call_event){ .call = FS_CALL_MMAP,
					  .ret = AT,
					  .args = { AT, 4 * PAGE, 3, MAP_POPULATE },
					  .bytes = 4 * PAGE,
					  .populated_min = 1 },
		  v.start, v.end, &v, 1);
	check_pages(AT, 4, 4, 4);
	touch(P, AT, FS_CLASS_SPURIOUS, 0);
	assert_int_equal(told.newly, 0);
	advise(AT, 2, MADV_DONTNEED, 0, 0);
	check_pages(AT, 2, 4, 2);
	advise(AT, 4, 22 /* MADV_POPULATE_READ */, 0, 2);
	check_pages(AT, 4, 4, 2);
	advise(AT, 4, 23 /* MADV_POPULATE_WRITE */, 0, 2);
	check_pages(AT, 4, 4, 4);
	assert_int_equal(origin_at(P, AT)->pages.populated, 6);
	assert_int_equal(origin_at(P, AT)->pages.touched, 0);
	map(P, AT, 4, 2);
	touch(P, AT, FS_CLASS_ANON, 0);
	v.vm_flags |= VM_LOCKED;
	feed_call(P, lock, v.start, v.end, &v, 1);
	check_pages(AT, 4, 4, 4);
	assert_int_equal(origin_at(P, AT)->pages.populated, 3);
}

/* madvise does what it can where not all is mapped, and fails then; other failures do nothing. */
static void test_releases_with_holes(void **state)
{
	map(P, AT, 2, 1);
	map(P, AT + 4 * PAGE, 2, 2);
	touch(P, AT, FS_CLASS_ANON, 0);
	touch(P, AT + 4 * PAGE, FS_CLASS_ANON, 0);
	advise(AT, 6, MADV_DONTNEED, -EINVAL, 0);
	assert_int_equal(told.released, 0);
	advise(AT, 6, MADV_DONTNEED, -ENOMEM, 0);
	assert_int_equal(told.released, 2);
	check_pages(AT, 0, 1, 0);
	check_pages(AT + 4 * PAGE, 0, 1, 0);
}

/* Nothing of what was there before is left to what comes in its place. */
static void test_nothing_left(void **state)
{
	map(P, AT, 4, 1);
	for (int i = 0; i < 4; i++)
		touch(P, AT + i * PAGE, FS_CLASS_ANON, 0);
	map(P, AT + PAGE, 2, 2);
	touch(P, AT + PAGE, FS_CLASS_ZERO, 0);
	check_pages(AT, 2, 2, 2);
	check_pages(AT + PAGE, 1, 1, 0);
	exec_process(P, 0);
	feed_whole(P, AT, 4);
	touch(P, AT, FS_CLASS_ZERO, 0);
	check_pages(AT, 1, 1, 0);
	assert_int_equal(told.here, 5);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_touches, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_files, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_folio_of_several, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_stack_grows, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_unknown_memory, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_early, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_populates, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_releases_with_holes, begin, layout_tear_down),
		cmocka_unit_test_setup_teardown(test_nothing_left, begin, layout_tear_down),
	};

	return cmocka_run_group_tests_name("layout_pages", tests, NULL, NULL);
}
