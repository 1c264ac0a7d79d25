/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Programs that are alike but for a name and the size of a frame, and that turn into each other, or
 * start each other. main() calls NAME(), which does its steps in order:
 *
 *	touch PAGES	fresh pages, by work() and touch()
 *	slowly PAGES	the same, without mapping anything meanwhile, a hundred pages every 4 ms
 *	inlined PAGES	the same by inlined_touch(), which is inlined into not_inlined()
 *	wait		until a line comes
 *	threads PAGES	two threads, first_thread and second_thread; they wait as `wait` does
 *	unlink PATH
 *	exec ARGV...	in this process
 *	fork ARGV...	in a child, whose end is awaited; also vfork, spawn: posix_spawn(3)
 *
 * The programs of ARGV get the arguments that follow.
 *
 * build: -O2 -fomit-frame-pointer -pthread -Wl,--build-id -DNAME=first_image -DROOM=16 -o image-a
 * build: -O2 -fomit-frame-pointer -pthread -Wl,--build-id -DNAME=second_image -DROOM=400 -o image-b
 * build: -O2 -fomit-frame-pointer -pthread -no-pie -DNAME=first_fixed -DROOM=16 -o image-a-nopie
 * build: -O2 -fomit-frame-pointer -pthread -no-pie -DNAME=second_fixed -DROOM=400 -o image-b-nopie
 */
#include "truth.h"

#include <pthread.h>
#include <spawn.h>
#include <sys/wait.h>

#define NOINLINE __attribute__((noinline, noclone))
#define KEEP(x)  asm volatile("" : "+r"(x))

extern char **environ;

int NAME(char **argv);

static pthread_barrier_t ready, go;

static inline __attribute__((always_inline)) int inlined_touch(char *mem, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		((volatile char *)mem)[(size_t)i * truth.page] = 1;
	return mem[0];
}

NOINLINE int touch(char *mem, unsigned int n)
{
	int value = inlined_touch(mem, n);

	KEEP(value);
	return value;
}

NOINLINE int not_inlined(unsigned int n)
{
	int value = inlined_touch(truth_anon(n), n);

	KEEP(value);
	return value;
}

NOINLINE int work(unsigned int n)
{
	int value = touch(truth_anon(n), n);

	KEEP(value);
	return value;
}

NOINLINE int slowly(unsigned int n)
{
	char *mem = truth_anon(n);
	int value = 0;

	for (unsigned int i = 0; i < n; i += 100) {
		value += touch(mem + i * truth.page, n - i < 100 ? n - i : 100);
		usleep(4000);
	}
	KEEP(value);
	return value;
}

static void *thread(const char *name, unsigned int pages)
{
	prctl(PR_SET_NAME, name);
	pthread_barrier_wait(&ready);
	pthread_barrier_wait(&go);
	work(pages);
	return NULL;
}

NOINLINE void *first_thread(void *pages)
{
	void *value = thread("first", *(unsigned int *)pages);

	KEEP(value);
	return value;
}

NOINLINE void *second_thread(void *pages)
{
	void *value = thread("second", *(unsigned int *)pages);

	KEEP(value);
	return value;
}

static void threads(unsigned int pages)
{
	pthread_t one, two;

	pthread_barrier_init(&ready, NULL, 3);
	pthread_barrier_init(&go, NULL, 3);
	if (pthread_create(&one, NULL, first_thread, &pages) ||
	    pthread_create(&two, NULL, second_thread, &pages))
		truth_die(1, "pthread_create");
	pthread_barrier_wait(&ready);
	truth_wait();
	pthread_barrier_wait(&go);
	pthread_join(one, NULL);
	pthread_join(two, NULL);
}

static void await(pid_t pid, const char *what)
{
	int status;

	if (pid < 0)
		truth_die_errno(what);
	if (waitpid(pid, &status, 0) != pid || status)
		truth_die(1, "%s: status %d", what, status);
}

static void run(const char *how, char **argv)
{
	pid_t pid = 0;

	if (!strcmp(how, "spawn")) {
		errno = posix_spawn(&pid, argv[0], NULL, NULL, argv, environ);
		await(errno ? -1 : pid, argv[0]);
		return;
	}
	if (!strcmp(how, "fork"))
		pid = fork();
	else if (!strcmp(how, "vfork"))
		pid = vfork();
	if (!pid) {
		execv(argv[0], argv);
		_exit(127);
	}
	await(pid, argv[0]);
}

NOINLINE int NAME(char **argv)
{
	volatile char room[ROOM];

	room[0] = 0;
	for (; *argv; argv++) {
		const char *step = *argv;

		if (!strcmp(step, "wait")) {
			truth_wait();
			continue;
		}
		if (!argv[1])
			truth_die(2, "%s what?", step);
		argv++;
		if (!strcmp(step, "touch")) {
			work(truth_number(*argv));
		} else if (!strcmp(step, "slowly")) {
			slowly(truth_number(*argv));
		} else if (!strcmp(step, "inlined")) {
			not_inlined(truth_number(*argv));
		} else if (!strcmp(step, "threads")) {
			threads(truth_number(*argv));
		} else if (!strcmp(step, "unlink")) {
			if (unlink(*argv))
				truth_die_errno(*argv);
		} else {
			run(step, argv);
			break;
		}
	}
	return room[0];
}

int main(int argc, char **argv)
{
	int value;

	truth_init(0);
	value = NAME(argv + (argc > 0));
	KEEP(value);
	return value;
}
