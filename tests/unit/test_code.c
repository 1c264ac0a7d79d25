/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of code: which mapping an address was in when the list was made. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/proc.h"
#include "objects.h"

#define P            0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define VM_READ_EXEC 5
#define ARRAY_LEN(v) (sizeof(v) / sizeof(*(v)))

static void feed_mapping(struct space *sp, __u32 id, __u32 file_id, __u64 start, __u64 end,
			 __u64 pgoff, enum fs_region base)
{
	struct fs_region_event ev = {
		.head = { .kind = FS_EVENT_REGION, .size = sizeof(ev), .pid = P, .tid = P },
		.id = id,
		.file_id = file_id,
		.mm = 1,
		.start = start,
		.end = end,
		.pgoff = pgoff,
		.vm_flags = VM_READ_EXEC,
		.region = base,
		.listed = 1,
	};

	assert_int_equal(space__event(sp, &ev.head), 0);
}

/* An event that says it has n regions, and has `have`: no more memory than that. */
static void feed_of_cpu(struct space *sp, __u16 cpu, __u32 id, __u32 n, const __u32 *regions,
			size_t have)
{
	size_t size = sizeof(struct fs_code_event) + have * sizeof(*regions);
	struct fs_code_event *ev = malloc(size);

	assert_non_null(ev);
	*ev = (struct fs_code_event){
		.head = { .kind = FS_EVENT_CODE, .cpu = cpu, .size = size, .pid = P, .tid = P },
		.id = id,
		.n = n
	};
	memcpy(ev + 1, regions, have * sizeof(*regions));
	assert_int_equal(space__event(sp, &ev->head), 0);
	free(ev);
}

/* Each list of another CPU: none takes another's place. */
static void feed_lying(struct space *sp, __u32 id, __u32 n, const __u32 *regions, size_t have)
{
	feed_of_cpu(sp, id, id, n, regions, have);
}

static void feed_list(struct space *sp, __u32 id, const __u32 *regions, size_t n)
{
	feed_lying(sp, id, n, regions, n);
}

static void check_nothing(struct space *sp, __u32 list, __u64 addr)
{
	struct code code;

	assert_int_equal(space__code(sp, P, list, addr, &code), -ENOENT);
}

static void check(struct space *sp, __u32 list, __u64 addr, const struct code *wanted)
{
	struct code code;

	memset(&code, 0xee, sizeof(code));
	assert_int_equal(space__code(sp, P, list, addr, &code), 0);
	assert_int_equal(code.start, wanted->start);
	assert_int_equal(code.offset, wanted->offset);
	assert_ptr_equal(code.file, wanted->file);
	assert_int_equal(code.vdso, wanted->vdso);
}

#define VDSO_AT 0x7ffff7fc1000

/* Regions 1 to 4: two that touch, of a file and of none; far into another file; the vdso. */
static struct space *sample_space(void)
{
	struct space *sp = space__new(NULL);

	assert_non_null(sp);
	feed_file(sp, 11, 1, 1001, 0, S_IFREG | 0755, "/nowhere/libone.so");
	feed_file(sp, 12, 1, 1002, 0, S_IFREG | 0755, "/nowhere/libtwo.so");
	feed_mapping(sp, 1, 11, 0x10000, 0x30000, 2, FS_REGION_FILE);
	feed_mapping(sp, 2, 0, 0x30000, 0x40000, 0x30, FS_REGION_ANON_EXEC);
	feed_mapping(sp, 3, 12, 0x80000, 0x90000, 1ULL << 33, FS_REGION_FILE);
	feed_mapping(sp, 4, 0, VDSO_AT, VDSO_AT + 0x2000, 0, FS_REGION_VDSO);
	return sp;
}

static void test_addresses(void **state)
{
	struct space *sp = sample_space();
	const __u64 page = sysconf(_SC_PAGESIZE);
	const struct code one = { 0x10000, 2 * page, space__file(sp, 11), false },
			  none = { 0x30000, 0x30 * page, NULL, false },
			  two = { 0x80000, page << 33, space__file(sp, 12), false },
			  vdso = { VDSO_AT, 0, NULL, true };
	static const __u32 regions[] = { 1, 2, 3, 4 };

	assert_non_null(one.file);
	assert_non_null(two.file);
	feed_list(sp, 1, regions, 4);
	check_nothing(sp, 1, 0);
	check_nothing(sp, 1, 0xffff);
	check(sp, 1, 0x10000, &one);
	check(sp, 1, 0x20000, &one);
	check(sp, 1, 0x2ffff, &one);
	check(sp, 1, 0x30000, &none);
	check(sp, 1, 0x3ffff, &none);
	check_nothing(sp, 1, 0x40000);
	check_nothing(sp, 1, 0x7ffff);
	check(sp, 1, 0x80000, &two);
	check(sp, 1, 0x8ffff, &two);
	check_nothing(sp, 1, 0x90000);
	check_nothing(sp, 1, VDSO_AT - 1);
	check(sp, 1, VDSO_AT, &vdso);
	check(sp, 1, VDSO_AT + 0x1fff, &vdso);
	check_nothing(sp, 1, VDSO_AT + 0x2000);
	check_nothing(sp, 1, UINT64_MAX);
	space__free(sp);
}

/* Whatever their number: each is found, and nothing between them. */
static void test_counts(void **state)
{
	struct space *sp = space__new(NULL);
	const __u64 page = sysconf(_SC_PAGESIZE);
	__u32 regions[FS_CODE_MAX];

	for (__u32 i = 0; i < FS_CODE_MAX; i++) {
		regions[i] = i + 1;
		feed_mapping(sp, i + 1, 0, 0x10000 * (i + 1ULL), 0x10000 * (i + 1ULL) + 0x8000, i,
			     FS_REGION_ANON_EXEC);
	}
	for (__u32 n = 0; n <= FS_CODE_MAX; n += n < 8 ? 1 : n) {
		feed_list(sp, n + 1, regions, n);
		for (__u32 i = 0; i < n; i++) {
			const struct code c = { .start = 0x10000 * (i + 1ULL), .offset = i * page };

			check(sp, n + 1, c.start, &c);
			check(sp, n + 1, c.start + 0x7fff, &c);
			check_nothing(sp, n + 1, c.start - 1);
			check_nothing(sp, n + 1, c.start + 0x8000);
		}
		check_nothing(sp, n + 1, 0x10000 * (n + 1ULL));
	}
	space__free(sp);
}

/* A list is of its moment. */
static void test_moments(void **state)
{
	struct space *sp = sample_space();
	const struct code one = { 0x10000, 2 * sysconf(_SC_PAGESIZE), space__file(sp, 11), false },
			  later = { 0x20000, 0, space__file(sp, 12), false };
	static const __u32 before[] = { 1 }, after[] = { 5 }, none[] = { 3 };

	feed_list(sp, 1, before, 1);
	feed_mapping(sp, 5, 12, 0x20000, 0x30000, 0, FS_REGION_FILE);
	feed_list(sp, 3000, after, 1);
	check(sp, 1, 0x20000, &one);
	check(sp, 3000, 0x20000, &later);
	check_nothing(sp, 3000, 0x10000);
	/* ids are not used again: what came first stays */
	feed_list(sp, 1, none, 1);
	check(sp, 1, 0x20000, &one);
	check_nothing(sp, 1, 0x80000);
	/* a CPU's next list takes the place of its last */
	feed_of_cpu(sp, 1, 3001, 1, after, 1);
	check_nothing(sp, 1, 0x20000);
	check(sp, 3001, 0x20000, &later);
	check(sp, 3000, 0x20000, &later);
	space__free(sp);
}

static void test_lost(void **state)
{
	struct space *sp = sample_space();
	const struct code one = { 0x10000, 2 * sysconf(_SC_PAGESIZE), space__file(sp, 11), false },
			  vdso = { VDSO_AT, 0, NULL, true };
	/* one that could not be sent, two that were lost on the way, one with a wild id */
	static const __u32 regions[] = { 0, 1, 77, 5000, 0xffffffff, 4 };
	static const __u32 all_lost[] = { 0, 77 };

	feed_list(sp, 1, regions, ARRAY_LEN(regions));
	check(sp, 1, 0x10000, &one);
	check(sp, 1, VDSO_AT, &vdso);
	check_nothing(sp, 1, 0x30000); /* is there, but not in the list */
	check_nothing(sp, 1, 0);
	feed_list(sp, 2, all_lost, 2);
	check_nothing(sp, 2, 0x10000);
	/* the file's event was lost */
	feed_mapping(sp, 6, 99, 0x50000, 0x60000, 1, FS_REGION_FILE);
	feed_list(sp, 3, (const __u32[]){ 6 }, 1);
	check(sp, 3, 0x50000, &(struct code){ 0x50000, sysconf(_SC_PAGESIZE), NULL, false });
	space__free(sp);
}

static void test_unknown(void **state)
{
	struct space *sp = sample_space();
	static const __u32 regions[] = { 1, 2, 3, 4 };

	check_nothing(sp, 1, 0x10000);
	feed_list(sp, 1, regions, 4);
	feed_list(sp, 0, regions, 4);
	check_nothing(sp, 0, 0x10000);
	check_nothing(sp, 2, 0x10000);
	check_nothing(sp, 1024, 0x10000);
	check_nothing(sp, UINT32_MAX, 0x10000);
	space__free(sp);
}

/* Nothing is read behind an event, and no part of a list is taken for the whole. */
static void test_lying_events(void **state)
{
	static const __u32 lies[] = { 3,          FS_CODE_MAX, FS_CODE_MAX + 1, 0x40000000,
				      0x40000002, 0x80000001,  0xffffffff };
	struct space *sp = sample_space();
	static const __u32 regions[] = { 1, 2 };
	static const __u32 many[FS_CODE_MAX + 1] = { 1 };
	struct fs_code_event ev = { .head = { .kind = FS_EVENT_CODE, .pid = P }, .id = 70, .n = 4 };
	const struct code one = { 0x10000, 2 * sysconf(_SC_PAGESIZE), space__file(sp, 11), false };

	for (size_t i = 0; i < ARRAY_LEN(lies); i++) {
		feed_lying(sp, i + 1, lies[i], regions, 2);
		check_nothing(sp, i + 1, 0x10000);
	}
	/* more than there are, though they are there */
	feed_lying(sp, 50, FS_CODE_MAX + 1, many, FS_CODE_MAX + 1);
	check_nothing(sp, 50, 0x10000);
	feed_lying(sp, 51, FS_CODE_MAX, many, FS_CODE_MAX);
	check(sp, 51, 0x10000, &one);
	/* room that is not used is no lie */
	feed_lying(sp, 52, 1, regions, 2);
	check(sp, 52, 0x10000, &one);
	check_nothing(sp, 52, 0x30000);
	/* an id that was lied about once can still be had */
	feed_list(sp, 1, regions, 2);
	check(sp, 1, 0x10000, &one);
	/* cut off in its head */
	for (__u32 size = 0; size < sizeof(ev); size++) {
		ev.head.size = size;
		assert_int_equal(space__event(sp, &ev.head), 0);
	}
	feed_list(sp, 70, regions, 2);
	check(sp, 70, 0x10000, &one);
	space__free(sp);
}

/* ---- files ------------------------------------------------------------------------------------ */

struct own_code {
	struct proc_map map;
	char path[FS_PATH_MAX];
};

static int find_own(void *ctx, const struct proc_map *map)
{
	struct own_code *own = ctx;

	if (!map->exec || !map->ino)
		return 0;
	own->map = *map;
	snprintf(own->path, sizeof(own->path), "%s", map->name);
	return 1;
}

static void count_opened(void *ctx, const struct file *file, int fd, const struct elf_layout *elf)
{
	assert_int_equal(file->id, 21);
	assert_true(fd >= 0);
	assert_non_null(elf);
	++*(int *)ctx;
}

/* The file of code is opened when it is asked for, once. */
static void test_opened(void **state)
{
	int opened = 0;
	const struct space_ops ops = { .stacks = true,
				       .opened_ctx = &opened,
				       .opened = count_opened };
	struct space *sp = space__new(&ops);
	static struct own_code own;
	struct code code;

	assert_int_equal(proc__maps(getpid(), find_own, &own), 1);
	feed_file(sp, 21, own.map.dev, own.map.ino, 0, S_IFREG | 0755, own.path);
	feed_mapping(sp, 1, 21, own.map.start, own.map.end, own.map.offset / sysconf(_SC_PAGESIZE),
		     FS_REGION_FILE_SHARED);
	feed_list(sp, 1, (const __u32[]){ 1 }, 1);
	assert_int_equal(space__code(sp, getpid(), 1, own.map.end, &code), -ENOENT);
	assert_int_equal(opened, 0);
	for (int i = 0; i < 3; i++) {
		assert_int_equal(space__code(sp, getpid(), 1, own.map.start, &code), 0);
		assert_int_equal(opened, 1);
	}
	assert_int_equal(code.file->id, 21);
	assert_int_equal(code.offset, own.map.offset);
	space__free(sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_addresses), cmocka_unit_test(test_counts),
		cmocka_unit_test(test_moments),   cmocka_unit_test(test_lost),
		cmocka_unit_test(test_unknown),   cmocka_unit_test(test_lying_events),
		cmocka_unit_test(test_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
