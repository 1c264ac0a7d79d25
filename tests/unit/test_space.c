/* SPDX-License-Identifier: GPL-2.0-only */
/* Who lives, under which name, and what getrusage saw of them. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <linux/sched.h>
#include <cmocka.h>

#include "base/proc.h"
#include "objects.h"

#define P      0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define THREAD (CLONE_VM | CLONE_THREAD)
/* Later than anything that the space has read from /proc. */
#define LATER (1ULL << 62)

static size_t count_images(struct space *sp)
{
	size_t n = 0;

	while (space__image(sp, n))
		n++;
	return n;
}

static void test_images(void **state)
{
	struct space *sp = space__new(NULL);
	struct process *p;

	assert_null(space__image(sp, 0));
	feed_fork(sp, 100, P + 9, P + 9, P, P, 0, 0, 0);
	p = space__process(sp, P);
	assert_int_equal(p->pid, P);
	assert_int_equal(p->image, 0);
	assert_int_equal(p->start_ns, 100);
	assert_true(p->alive);
	assert_string_equal(p->comm, "forked");
	feed_exec(sp, 200, P, P, 30, 10, "ls");
	assert_false(p->alive);
	assert_int_equal(p->end_ns, 200);
	assert_int_equal(p->usage.min_flt, 20);
	p = space__process(sp, P);
	assert_int_equal(p->image, 1);
	assert_int_equal(p->start_ns, 200);
	assert_string_equal(p->comm, "ls");
	feed_exit(sp, 300, P, P, 100, true);
	assert_false(p->alive);
	assert_int_equal(p->end_ns, 300);
	assert_int_equal(p->usage.min_flt, 80); /* argument pages are the new image's */
	/* asked for late: it is still that one */
	assert_ptr_equal(space__process(sp, P), p);
	/* the pid is used again */
	feed_fork(sp, 400, P + 9, P + 9, P, P, 0, 0, 0);
	assert_int_equal(space__process(sp, P)->image, 2);
	/* and again, and nobody told of the end */
	p = space__process(sp, P);
	feed_fork(sp, 500, P + 9, P + 9, P, P, 0, 0, 0);
	assert_false(p->alive);
	assert_int_equal(p->end_ns, 500);
	assert_int_equal(space__process(sp, P)->image, 3);
	/* an exit that is older than the image is not its own */
	feed_exit(sp, 450, P, P, 7, true);
	assert_true(space__process(sp, P)->alive);
	assert_int_equal(count_images(sp), 4);
	for (size_t i = 0; i < 4; i++)
		assert_int_equal(space__image(sp, i)->image, i);
	space__free(sp);
	space__free(NULL);
}

static void test_threads(void **state)
{
	struct space *sp = space__new(NULL);
	struct process *p, *next;

	feed_fork(sp, 1, P + 9, P + 9, P, P, 0, 0, 0);
	p = space__process(sp, P);
	feed_fork(sp, 2, P, P, P, P + 1, THREAD, 0, 0x1000);
	feed_fork(sp, 3, P, P, P, P + 2, THREAD, 0, 0x2000);
	assert_ptr_equal(space__process(sp, P), p);
	/* the leader leaves first */
	feed_exit(sp, 4, P, P, 10, false);
	assert_true(p->alive);
	assert_int_equal(p->usage.min_flt, 10);
	/* two leave together: each is told to be the last, in any order */
	feed_exit(sp, 5, P, P + 2, 100, true);
	assert_false(p->alive);
	feed_exit(sp, 6, P, P + 1, 1000, true);
	assert_int_equal(p->usage.min_flt, 1110);
	assert_int_equal(count_images(sp), 1);

	/* a thread that is not the leader calls execve */
	feed_fork(sp, 11, P + 9, P + 9, P, P, 0, 0, 0);
	p = space__process(sp, P);
	feed_fork(sp, 12, P, P, P, P + 1, THREAD, 0, 0x1000);
	feed_exit(sp, 13, P, P, 10, false);
	feed_exec(sp, 14, P, P + 1, 200, 50, "exec");
	assert_int_equal(p->usage.min_flt, 160);
	next = space__process(sp, P);
	assert_ptr_not_equal(next, p);
	assert_string_equal(space__comm(sp, P, P), "exec");
	assert_string_equal(space__comm(sp, P, P + 1), "exec"); /* gone: the process's */
	/* a thread of the image before, reported late */
	feed_exit(sp, 13, P, P + 5, 9999, false);
	assert_int_equal(next->usage.min_flt, 0);
	feed_exit(sp, 15, P, P, 300, true);
	assert_int_equal(next->usage.min_flt, 150);
	/* the birth of a thread was lost: it counts from 0 */
	feed_fork(sp, 21, P + 9, P + 9, P, P, 0, 0, 0);
	p = space__process(sp, P);
	feed_exit(sp, 22, P, P + 7, 5, false);
	assert_int_equal(p->usage.min_flt, 5);
	/* of a process that nobody knows */
	feed_exit(sp, 22, P + 50, P + 50, 5, true);
	feed_rename(sp, P + 50, P + 50, "x");
	assert_int_equal(count_images(sp), 4);
	space__free(sp);
}

static void test_names(void **state)
{
	struct space *sp = space__new(NULL);
	struct process *p;

	feed_fork(sp, 1, P + 9, P + 9, P, P, 0, 0, 0);
	feed_fork(sp, 2, P, P, P, P + 1, THREAD, 0, 0x1000);
	assert_string_equal(space__comm(sp, P, P + 1), "forked");
	feed_rename(sp, P, P + 1, "worker 1");
	assert_string_equal(space__comm(sp, P, P + 1), "worker 1");
	assert_string_equal(space__comm(sp, P, P), "forked");
	p = space__process(sp, P);
	assert_string_equal(p->comm, "forked");
	feed_rename(sp, P, P, "a\n(b)\xff, 16 bytes"); /* no NUL at the end */
	assert_string_equal(p->comm, "a\n(b)\xff, 16 byte");
	assert_string_equal(space__comm(sp, P, P), p->comm);
	/* the thread's number, another process */
	assert_string_equal(space__comm(sp, P + 1, P + 1), "?");
	feed_exit(sp, 3, P, P + 1, 0, false);
	assert_string_equal(space__comm(sp, P, P + 1), p->comm);
	assert_string_equal(space__process(sp, P + 77)->comm, "?");
	assert_true(space__process(sp, P + 77)->alive);
	assert_int_equal(space__process(sp, P + 77)->start_ns, 0);
	space__free(sp);
}

static void test_target(void **state)
{
	struct space *sp = space__new(NULL);
	struct fs_call_event ev = {
		.head = { .kind = FS_EVENT_CALL, .size = sizeof(ev), .pid = P, .tid = P }
	};

	assert_false(space__process(sp, P)->target);
	assert_int_equal(space__event(sp, &ev.head), 0);
	assert_true(space__process(sp, P)->target);
	space__free(sp);
}

/* What this machine has. */
static void test_snapshot(void **state)
{
	struct space *sp = space__new(NULL);
	char comm[FS_COMM_LEN];
	struct process *p;
	bool self = false;

	assert_int_equal(space__snapshot(sp, P), -ESRCH);
	assert_int_equal(count_images(sp), 0);
	assert_int_equal(space__snapshot(sp, getpid()), 0);
	assert_int_equal(count_images(sp), 1);
	assert_int_equal(space__snapshot(sp, 0), 0);
	for (size_t i = 0; (p = space__image(sp, i)); i++) {
		self |= p->pid == (__u32)getpid();
		assert_int_equal(p->start_ns, 0);
		assert_int_not_equal(p->pid, 2); /* kthreadd */
	}
	assert_true(self);
	prctl(PR_GET_NAME, comm);
	assert_string_equal(space__process(sp, getpid())->comm, comm);
	assert_string_equal(space__comm(sp, getpid(), getpid()), comm);
	space__free(sp);
}

static const char toucher[] =
	"#include <stdio.h>\n#include <stdlib.h>\n#include <pthread.h>\n#include <sys/mman.h>\n"
	"#include <unistd.h>\n"
	"static void touch(size_t n)\n{\n"
	"	char *p = mmap(NULL, n * 4096, PROT_READ | PROT_WRITE,\n"
	"		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
	"	madvise(p, n * 4096, MADV_NOHUGEPAGE);\n"
	"	for (size_t i = 0; i < n; i++) p[i * 4096] = 1;\n}\n"
	"static pthread_barrier_t b;\n"
	"static void *run(void *arg)\n"
	"{ pthread_barrier_wait(&b); pthread_barrier_wait(&b); touch(100); pthread_barrier_wait(&b);\n"
	"  pause(); return NULL; }\n"
	"int main(void)\n{\n"
	"	char line[64];\n	pthread_t t;\n"
	"	setbuf(stdout, NULL);\n"
	"	pthread_barrier_init(&b, NULL, 2);\n"
	"	pthread_create(&t, NULL, run, NULL); pthread_barrier_wait(&b);\n"
	"	touch(5000); puts(\"ready\"); fgets(line, sizeof(line), stdin);\n"
	"	touch(1000); pthread_barrier_wait(&b); pthread_barrier_wait(&b);\n"
	"	puts(\"done\"); fgets(line, sizeof(line), stdin);\n"
	"	return 0;\n}\n";

/* Once it waits, what a process has counted stands still. */
static struct proc_stat wait_for_sleep(pid_t pid)
{
	struct proc_stat st = {}, before;

	for (int i = 0; i < 100; i++) {
		before = st;
		usleep(5000);
		assert_int_equal(proc__stat(pid, 0, &st), 0);
		if (st.state == 'S' && st.min_flt == before.min_flt)
			break;
	}
	return st;
}

/* A process that was there before, against the kernel's sum for the whole process. */
static void test_usage_of_living(void **state)
{
	struct space *sp = space__new(NULL);
	struct proc_stat before, after;
	struct process *p;
	struct child c;
	char line[64];

	if (!compile("toucher", toucher, ""))
		skip();
	child__start(&c, "toucher", false);
	assert_true(child__line(&c, line, sizeof(line)));
	before = wait_for_sleep(c.pid);
	assert_int_equal(space__snapshot(sp, c.pid), 0);
	p = space__process(sp, c.pid);
	assert_string_equal(p->comm, "toucher");
	space__settle(sp);
	assert_int_equal(p->usage.min_flt, 0);
	child__tell(&c, "");
	assert_true(child__line(&c, line, sizeof(line)));
	after = wait_for_sleep(c.pid);
	space__settle(sp);
	assert_int_equal(p->usage.min_flt, after.min_flt - before.min_flt);
	assert_in_range(p->usage.min_flt, 1100, 1150);
	/* asked for again it is no more than that */
	space__settle(sp);
	assert_int_equal(p->usage.min_flt, after.min_flt - before.min_flt);
	/* its exit comes after the last look */
	feed_exit(sp, LATER, c.pid, c.pid, after.min_flt, false);
	assert_in_range(p->usage.min_flt, after.min_flt - before.min_flt, after.min_flt);
	child__tell(&c, "");
	child__end(&c);
	space__settle(sp);
	space__free(sp);
}

/* /proc has shown us a process before we hear of its birth. */
static void test_seen_before_fork(void **state)
{
	struct space *sp = space__new(NULL);
	struct process *p;
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	assert_true(pid > 0);
	p = space__process(sp, pid);
	assert_int_equal(p->start_ns, 0);
	feed_fork(sp, 5, getpid(), getpid(), pid, pid, 0, 0, 0);
	assert_ptr_equal(space__process(sp, pid), p);
	assert_int_equal(p->start_ns, 5);
	feed_exit(sp, 6, pid, pid, 42, true);
	assert_int_equal(p->usage.min_flt, 42); /* all that it ever had */
	/* but one that is born later is another */
	p = space__process(sp, getpid());
	feed_fork(sp, LATER, 1, 1, getpid(), getpid(), 0, 0, 0);
	assert_ptr_not_equal(space__process(sp, getpid()), p);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	space__free(sp);
}

static void *wait_long(void *arg)
{
	pthread_barrier_wait(arg);
	pause();
	return NULL;
}

/* The leader has left, the process lives; and a process that is dead, and not yet waited for. */
static void test_zombies(void **state)
{
	struct space *sp = space__new(NULL);
	struct process *p;
	siginfo_t info;
	int ready[2];
	pid_t headless, dead;
	char c;

	assert_int_equal(pipe(ready), 0);
	headless = fork();
	if (!headless) {
		pthread_barrier_t b;
		pthread_t t;

		prctl(PR_SET_NAME, "headless");
		pthread_barrier_init(&b, NULL, 2);
		pthread_create(&t, NULL, wait_long, &b);
		pthread_barrier_wait(&b);
		(void)!write(ready[1], "x", 1);
		syscall(SYS_exit, 0);
	}
	dead = fork();
	if (!dead)
		_exit(0);
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(waitid(P_PID, dead, &info, WEXITED | WNOWAIT), 0);
	for (int i = 0; i < 100; i++) {
		struct proc_stat st;

		if (!proc__stat(headless, headless, &st) && st.state == 'Z')
			break;
		usleep(5000);
	}
	assert_int_equal(space__snapshot(sp, 0), 0);
	for (size_t i = 0; (p = space__image(sp, i)); i++)
		assert_int_not_equal(p->pid, dead);
	assert_string_equal(space__process(sp, headless)->comm, "headless");
	assert_true(space__process(sp, headless)->alive);
	kill(headless, SIGKILL);
	waitpid(headless, NULL, 0);
	waitpid(dead, NULL, 0);
	close(ready[0]);
	close(ready[1]);
	space__free(sp);
}

static void test_damaged_events(void **state)
{
	static union {
		struct fs_head head;
		char bytes[8192];
	} u;
	struct space *sp = space__new(NULL);
	unsigned int seed = 7;

	for (int round = 0; round < 20000; round++) {
		for (size_t i = 0; i < 512; i++)
			u.bytes[i] = rand_r(&seed) % 3 ? 0 : rand_r(&seed);
		memset(u.bytes + 512, round, 512);
		u.head.kind = rand_r(&seed) % (FS_EVENT_NR + 2);
		u.head.size = rand_r(&seed) % 1024;
		/* all of them the same few, and none that /proc knows */
		u.head.pid = P + rand_r(&seed) % 4;
		u.head.tid = P + rand_r(&seed) % 8;
		if (u.head.kind == FS_EVENT_FORK) {
			((struct fs_fork_event *)&u)->child_pid = P + rand_r(&seed) % 4;
			((struct fs_fork_event *)&u)->child_tid = P + rand_r(&seed) % 8;
		}
		if (u.head.kind == FS_EVENT_EXEC)
			((struct fs_exec_event *)&u)->old_tid = P + rand_r(&seed) % 8;
		assert_int_equal(space__event(sp, &u.head), 0);
	}
	space__free(sp);
}

/* Many short lives are cheap, and leave no more behind than their images. */
static void test_many_processes(void **state)
{
	struct space *sp = space__new(NULL);
	struct timespec from, to;
	__u64 t = 1;

	clock_gettime(CLOCK_MONOTONIC, &from);
	for (__u32 i = 0; i < 100000; i++) {
		__u32 pid = P + 100 + i % 30000;

		feed_fork(sp, t++, P, P, pid, pid, 0, 0, 0);
		feed_exec(sp, t++, pid, pid, 10, 5, "true");
		feed_fork(sp, t++, pid, pid, pid, pid + 40000, THREAD, 0, 0x1000);
		feed_exit(sp, t++, pid, pid + 40000, 1, false);
		if (i % 16)
			feed_exit(sp, t++, pid, pid, 20, true);
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_true(to.tv_sec - from.tv_sec < 10);
	assert_int_equal(count_images(sp), 200000);
	space__free(sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_images),
		cmocka_unit_test(test_threads),
		cmocka_unit_test(test_names),
		cmocka_unit_test(test_target),
		cmocka_unit_test(test_snapshot),
		cmocka_unit_test(test_usage_of_living),
		cmocka_unit_test(test_seen_before_fork),
		cmocka_unit_test(test_zombies),
		cmocka_unit_test(test_damaged_events),
		cmocka_unit_test(test_many_processes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
