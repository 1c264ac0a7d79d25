/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/proc.h"

#define NO_PID 0x3fffffff /* beyond PID_MAX_LIMIT */

static void test_parse_stat(void **state)
{
	struct proc_stat st;

	assert_int_equal(proc__parse_stat("7 (a b) S 1 7 7 0 -1 4194560 11 12 13 14 1 2 3 4 20 0 "
					  "1 0 987 5 6\n",
					  &st),
			 0);
	assert_string_equal(st.comm, "a b");
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.ppid, 1);
	assert_int_equal(st.flags, 4194560);
	assert_int_equal(st.min_flt, 11);
	assert_int_equal(st.maj_flt, 13);
	assert_int_equal(st.start_ticks, 987);
}

static void test_parse_stat_names(void **state)
{
	static const struct {
		const char *text, *comm;
	} cases[] = {
		{ "(", "(" },
		{ ")", ")" },
		{ "", "" },
		{ ") R 2 (", ") R 2 (" },
		{ "x) S 1 2 3 4 5 6 7 8 9", "x) S 1 2 3 4 5 " }, /* 15 bytes at most */
		{ "a\nb", "a\nb" },
		{ "a\\nb", "a\\nb" },
		{ "\xff\x01", "\xff\x01" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct proc_stat st;
		char text[256];

		snprintf(text, sizeof(text),
			 "7 (%s) R 1 7 7 0 -1 0 11 12 13 14 1 2 3 4 20 0 1 0 987 5\n",
			 cases[i].text);
		assert_int_equal(proc__parse_stat(text, &st), 0);
		assert_string_equal(st.comm, cases[i].comm);
		assert_int_equal(st.state, 'R');
		assert_int_equal(st.min_flt, 11);
	}
}

static void test_parse_stat_nonsense(void **state)
{
	static const char *const cases[] = {
		"", "7", "7 (a", "7 a)", ")(", "7 (a)", "7 (a) S", "7 (a) S 1 2 3 4 5 6 7 8 9"
	};
	struct proc_stat st;

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_int_equal(proc__parse_stat(cases[i], &st), -EINVAL);
}

/* The kernel's own rendering of difficult names, from both files. */
static void test_own_name(void **state)
{
	static const char *const names[] = { "plain",     "a b",         "a) S (b", ")))",
					     "new\nline", "back\\slash", "\\n",     "a\nb\\c\n" };
	char comm[FS_COMM_LEN], before[FS_COMM_LEN];
	struct proc_stat st;

	prctl(PR_GET_NAME, before);
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		prctl(PR_SET_NAME, names[i]);
		assert_int_equal(proc__stat(getpid(), getpid(), &st), 0);
		assert_string_equal(st.comm, names[i]);
		assert_int_equal(proc__comm(getpid(), 0, comm), 0);
		assert_string_equal(comm, names[i]);
		assert_int_equal(st.ppid, getppid());
	}
	prctl(PR_SET_NAME, before);
}

static void test_counters(void **state)
{
	struct rusage ru;
	struct proc_stat before, after;
	size_t size = 64 * 4096;
	char *p;

	assert_int_equal(proc__stat(getpid(), getpid(), &before), 0);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	madvise(p, size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < size; i += 4096)
		p[i] = 1;
	assert_int_equal(proc__stat(getpid(), getpid(), &after), 0);
	getrusage(RUSAGE_THREAD, &ru);
	assert_true(after.min_flt >= before.min_flt + 64);
	assert_in_range(ru.ru_minflt, after.min_flt, after.min_flt + 16);
	munmap(p, size);
}

static void test_gone(void **state)
{
	char comm[FS_COMM_LEN];
	struct proc_stat st;
	__u32 *tids;
	size_t n;
	__u64 sp;

	assert_int_equal(proc__stat(NO_PID, 0, &st), -ESRCH);
	assert_int_equal(proc__stat(getpid(), NO_PID, &st), -ESRCH);
	assert_int_equal(proc__comm(NO_PID, NO_PID, comm), -ESRCH);
	assert_int_equal(proc__open(NO_PID, "status"), -ESRCH);
	assert_int_equal(proc__tasks(NO_PID, &tids, &n), -ESRCH);
	assert_int_equal(proc__stack_pointer(NO_PID, NO_PID, &sp), -ESRCH);
	assert_int_equal(proc__maps(NO_PID, NULL, NULL), -ESRCH);
	assert_int_equal(proc__robust_list(NO_PID, &sp), -ESRCH);
}

struct waiter {
	int pipe[2];
	__u32 tid;
	__u64 local;
	pthread_barrier_t started;
};

static void *wait_for_end(void *arg)
{
	struct waiter *w = arg;
	char c;

	w->tid = syscall(SYS_gettid);
	w->local = (unsigned long)__builtin_frame_address(0);
	pthread_barrier_wait(&w->started);
	(void)!read(w->pipe[0], &c, 1);
	return NULL;
}

struct seen {
	__u64 addr;
	struct proc_map map;
	size_t n;
	char name[256];
};

static int see(void *ctx, const struct proc_map *map)
{
	struct seen *s = ctx;

	s->n++;
	if (s->addr < map->start || s->addr >= map->end)
		return 0;
	s->map = *map;
	snprintf(s->name, sizeof(s->name), "%s", map->name);
	return 7;
}

static void test_thread(void **state)
{
	struct waiter w;
	struct seen seen = {};
	__u64 sp = 0, head = 0;
	__u32 *tids;
	size_t n, found = 0;
	pthread_t thread;
	int err;

	assert_int_equal(pipe(w.pipe), 0);
	pthread_barrier_init(&w.started, NULL, 2);
	assert_int_equal(pthread_create(&thread, NULL, wait_for_end, &w), 0);
	pthread_barrier_wait(&w.started);
	for (int i = 0; (err = proc__stack_pointer(getpid(), w.tid, &sp)) == -EBUSY && i < 1000;
	     i++)
		usleep(1000);
	assert_int_equal(err, 0);
	assert_true(sp < w.local && w.local - sp < 1 << 20);
	assert_int_equal(proc__robust_list(w.tid, &head), 0);
	assert_true(head > w.local);

	assert_int_equal(proc__tasks(getpid(), &tids, &n), 0);
	for (size_t i = 0; i < n; i++)
		found += tids[i] == w.tid || tids[i] == (__u32)getpid();
	assert_int_equal(found, 2);
	free(tids);

	seen.addr = w.local;
	assert_int_equal(proc__maps(getpid(), see, &seen), 7);
	assert_true(seen.map.write && seen.map.read && !seen.map.exec && !seen.map.shared);
	assert_int_equal(seen.map.ino, 0);
	(void)!write(w.pipe[1], "x", 1);
	pthread_join(thread, NULL);
	close(w.pipe[0]);
	close(w.pipe[1]);
}

static void test_maps_of_own_program(void **state)
{
	struct seen seen = { .addr = (unsigned long)test_maps_of_own_program };
	char exe[256] = "";
	struct stat st;

	assert_int_equal(proc__maps(getpid(), see, &seen), 7);
	assert_int_equal(stat("/proc/self/exe", &st), 0);
	assert_true(readlink("/proc/self/exe", exe, sizeof(exe) - 1) > 0);
	assert_string_equal(seen.name, exe);
	assert_int_equal(seen.map.ino, st.st_ino);
	assert_int_equal(seen.map.dev, major(st.st_dev) << 20 | minor(st.st_dev));
	assert_true(seen.map.exec && !seen.map.write);
	seen = (struct seen){ .addr = 1 };
	assert_int_equal(proc__maps(getpid(), see, &seen), 0);
	assert_true(seen.n > 5);
}

static void test_parse_map(void **state)
{
	char deleted[] = "7f00-8000 rw-s 00001000 fd:01 42                         "
			 "/tmp/a b (deleted)\n";
	char newline[] = "0-1000 r--p 0 0:0 7 /a\\012\\012b\\01\\0123\\\n";
	char bare[] = "7f00-8000 ---p 00000000 00:00 0 \n";
	char *bad[] = { strdup(""), strdup("x"), strdup("10-0 r--p 0 0:0 0"),
			strdup("0-10 r-p 0 0:0 0"), strdup("0-10 r--p 0 0:0") };
	struct proc_map map;

	assert_int_equal(proc__parse_map(deleted, &map), 0);
	assert_string_equal(map.name, "/tmp/a b (deleted)");
	assert_int_equal(map.start, 0x7f00);
	assert_int_equal(map.end, 0x8000);
	assert_int_equal(map.offset, 0x1000);
	assert_int_equal(map.dev, 0xfd << 20 | 1);
	assert_int_equal(map.ino, 42);
	assert_true(map.read && map.write && !map.exec && map.shared);
	assert_int_equal(proc__parse_map(newline, &map), 0);
	assert_string_equal(map.name, "/a\n\nb\\01\n3\\");
	assert_int_equal(proc__parse_map(bare, &map), 0);
	assert_string_equal(map.name, "");
	assert_false(map.read || map.write || map.exec || map.shared);
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++) {
		assert_int_equal(proc__parse_map(bad[i], &map), -EINVAL);
		free(bad[i]);
	}
}

static void test_all_processes(void **state)
{
	bool self = false, init = false;
	__u32 *pids;
	size_t n;

	assert_int_equal(proc__tasks(0, &pids, &n), 0);
	for (size_t i = 0; i < n; i++) {
		self |= pids[i] == (__u32)getpid();
		init |= pids[i] == 1;
	}
	free(pids);
	assert_true(self && init);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse_stat),
		cmocka_unit_test(test_parse_stat_names),
		cmocka_unit_test(test_parse_stat_nonsense),
		cmocka_unit_test(test_own_name),
		cmocka_unit_test(test_counters),
		cmocka_unit_test(test_gone),
		cmocka_unit_test(test_thread),
		cmocka_unit_test(test_maps_of_own_program),
		cmocka_unit_test(test_parse_map),
		cmocka_unit_test(test_all_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
