/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Many tasks that each touch M pages: `tasks PART N M`.
 * threads: N threads of one process · forks: N children that come and go · chain: one process that
 * executes itself N times · exec-thread: the same, from a thread that is not the leader · reuse:
 * N children after one another with the same pid and address, anonymous and file memory in turn ·
 * loop: touches and unmaps M pages N times (0: until it is ended), says ready=PID first.
 *
 * build: -pthread -o tasks
 */
#include "truth.h"

#include <linux/sched.h>
#include <pthread.h>
#include <signal.h>
#include <sys/wait.h>

#define MAX_THREADS 1000

struct worker {
	pthread_t thread;
	pid_t tid;
	char *mem;
	unsigned int pages;
};

static struct worker workers[MAX_THREADS];
static pthread_barrier_t barrier;

static void *work(void *arg)
{
	struct worker *w = arg;

	w->tid = syscall(SYS_gettid);
	pthread_barrier_wait(&barrier);
	truth_write(w->mem, w->pages, 1);
	return NULL;
}

static int do_threads(unsigned int n, unsigned int m, char **argv)
{
	pthread_attr_t attr;
	char *mem = truth_anon((size_t)n * (m + 1));

	(void)argv;
	if (n > MAX_THREADS)
		truth_die(2, "at most %d threads", MAX_THREADS);
	pthread_attr_init(&attr);
	pthread_attr_setstacksize(&attr, 128 << 10);
	pthread_barrier_init(&barrier, NULL, n);
	for (unsigned int i = 0; i < n; i++) {
		workers[i].mem = mem + (size_t)i * m * truth.page;
		workers[i].pages = m;
		if (pthread_create(&workers[i].thread, &attr, work, &workers[i]))
			truth_die(1, "cannot start thread %u", i);
	}
	for (unsigned int i = 0; i < n; i++) {
		pthread_join(workers[i].thread, NULL);
		dprintf(STDOUT_FILENO, "tid.%d=%u\n", workers[i].tid, m);
	}
	truth_expect("anon", "anon", (long long)n * m);
	return 0;
}

static void reap(void)
{
	int status;

	if (wait(&status) < 0 || status)
		truth_die(TRUTH_OFF, "truth is off: a child ended with status %#x", status);
}

/* 32 at once; each has a child of its own, so that they are a tree. */
static int do_forks(unsigned int n, unsigned int m, char **argv)
{
	char *mem = truth_anon(m + 1);
	unsigned int alive = 0;

	(void)argv;
	for (unsigned int i = 0; i < n; i += 2) {
		pid_t pid = fork();

		if (pid < 0)
			truth_die_errno("fork");
		if (!pid) {
			truth_write(mem, m, 1);
			pid = fork();
			if (pid < 0)
				_exit(1);
			if (!pid) {
				madvise(mem, (m + 1) * truth.page, MADV_DONTNEED);
				truth_write(mem, m, 1);
				_exit(0);
			}
			reap();
			_exit(0);
		}
		if (++alive == 32) {
			reap();
			alive--;
		}
	}
	while (alive--)
		reap();
	truth_expect("anon", "anon", (long long)(n + 1) / 2 * 2 * m);
	return 0;
}

static __attribute__((noreturn)) void again(char **argv, unsigned int n)
{
	char number[16], *args[] = { argv[0], argv[1], number, argv[3], argv[4], NULL };

	snprintf(number, sizeof(number), "%05u", n);
	execv("/proc/self/exe", args);
	truth_die_errno("execv");
}

/* argv[4] keeps how many there are in all; without it this is the first image. */
static int do_chain(unsigned int n, unsigned int m, char **argv)
{
	char *mem = truth_anon(m + 1);

	if (!argv[4])
		argv[4] = argv[2];
	truth_write(mem, m, 1);
	if (n > 1)
		again(argv, n - 1);
	truth_expect("anon", "anon", (long long)truth_number(argv[4]) * m);
	return 0;
}

static void *exec_thread(void *arg)
{
	char **argv = arg;

	again(argv, truth_number(argv[2]) - 1);
}

static int do_exec_thread(unsigned int n, unsigned int m, char **argv)
{
	char *mem = truth_anon(m + 1);
	pthread_t thread;

	if (!argv[4])
		argv[4] = argv[2];
	truth_write(mem, m, 1);
	if (n > 1) {
		if (pthread_create(&thread, NULL, exec_thread, argv))
			truth_die(1, "cannot start a thread");
		pthread_join(thread, NULL);
	}
	truth_expect("anon", "anon", (long long)truth_number(argv[4]) * m);
	return 0;
}

static pid_t fork_as(pid_t want)
{
	struct clone_args args = { .exit_signal = SIGCHLD };
	pid_t pid;

	if (!want)
		return fork();
	args.set_tid = (uintptr_t)&want;
	args.set_tid_size = 1;
	pid = syscall(SYS_clone3, &args, sizeof(args));
	if (pid < 0)
		truth_die(errno == EEXIST ? TRUTH_OFF : TRUTH_CANNOT, "clone3 with pid %d: %s",
			  want, strerror(errno));
	return pid;
}

static int do_reuse(unsigned int n, unsigned int m, char **argv)
{
	char *at = truth_anon(m + 1);
	int fd = truth_file(m + 1);
	pid_t pid = 0;

	(void)argv;
	for (unsigned int i = 0; i < n; i++) {
		pid = fork_as(pid);
		if (!pid) {
			prctl(PR_SET_NAME, i & 1 ? "reuse-file" : "reuse-anon");
			if (mmap(at, (m + 1) * truth.page, PROT_READ | PROT_WRITE,
				 MAP_PRIVATE | MAP_FIXED | (i & 1 ? 0 : MAP_ANONYMOUS),
				 i & 1 ? fd : -1, 0) != at)
				_exit(1);
			truth_write(at, m, 1);
			_exit(0);
		}
		if (pid < 0)
			truth_die_errno("fork");
		reap();
	}
	truth_expect("anon", "anon", (long long)(n + 1) / 2 * m);
	truth_expect("file", "cow", (long long)n / 2 * m);
	dprintf(STDOUT_FILENO, "child=%d\n", pid);
	return 0;
}

static int do_loop(unsigned int n, unsigned int m, char **argv)
{
	(void)argv;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dprintf(STDOUT_FILENO, "ready=%d\n", getpid());
	for (unsigned int i = 0; !n || i < n; i++) {
		char *mem = truth_anon(m + 1);

		truth_write(mem, m, 1);
		munmap(mem, (m + 1) * truth.page);
	}
	truth_expect("anon", "anon", (long long)n * m);
	return 0;
}

/* clang-format off */
static const struct {
	const char *name;
	int (*run)(unsigned int n, unsigned int m, char **argv);
} parts[] = {
	{ "threads", do_threads },
	{ "forks", do_forks },
	{ "chain", do_chain },
	{ "exec-thread", do_exec_thread },
	{ "reuse", do_reuse },
	{ "loop", do_loop },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

int main(int argc, char **argv)
{
	char *args[6] = { NULL };
	unsigned int p;

	if (argc < 4 || argc > 5)
		truth_die(2, "usage: tasks PART N M");
	truth_init(0);
	memcpy(args, argv, argc * sizeof(*argv));
	for (p = 0; p < NPARTS && strcmp(parts[p].name, argv[1]); p++)
		;
	if (p == NPARTS)
		truth_die(2, "no part %s", argv[1]);
	parts[p].run(truth_number(argv[2]), truth_number(argv[3]), args);
	truth_print();
	return 0;
}
