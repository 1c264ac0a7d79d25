/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces that change: `layouts PART [MS]`.
 * threads: four threads map, unmap, protect and move the same few ranges for so long, and say what they
 * have done · wait: the same for so long, once before it waits and once after · calls: rarer ways to
 * change an address space, each left alone for so long · tick: maps and unmaps a page, again and again,
 * until it is ended.
 *
 * build: -pthread -o layouts
 */
#include "truth.h"

#include <linux/aio_abi.h>
#include <pthread.h>
#include <signal.h>
#include <time.h>

#define THREADS 4
#define RANGES  6
#define RANGE   16 /* pages; a call changes some of two neighbours' */

static char *arena;
static int file;
static struct timespec end;

struct worker {
	pthread_t thread;
	unsigned int seed;
	unsigned long calls, failed;
};

static int over(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec);
}

static char *any_page(struct worker *w)
{
	return arena + rand_r(&w->seed) % (RANGES * RANGE) * truth.page;
}

/* Whatever fails, as a protection of what another thread has unmapped, has failed. */
static void change(struct worker *w)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
				     PROT_READ | PROT_EXEC };
	int prot = prots[rand_r(&w->seed) % 4], flags = MAP_FIXED | MAP_PRIVATE;
	size_t len = (1 + rand_r(&w->seed) % RANGE) * truth.page, off;
	char *at = any_page(w), *to = any_page(w);
	void *got = NULL;

	w->calls++;
	switch (rand_r(&w->seed) % 6) {
	case 0:
		got = mmap(at, len, prot, flags | MAP_ANONYMOUS, -1, 0);
		break;
	case 1:
		off = rand_r(&w->seed) % RANGE * truth.page;
		got = mmap(at, len, prot, flags, file, off);
		break;
	case 2:
		got = mmap(at, len, prot & ~PROT_EXEC, MAP_FIXED | MAP_SHARED, file, 0);
		break;
	case 3:
		got = munmap(at, len) ? MAP_FAILED : NULL;
		break;
	case 4:
		got = mprotect(at, len, prot) ? MAP_FAILED : NULL;
		break;
	case 5:
		got = mremap(at, len, (1 + rand_r(&w->seed) % RANGE) * truth.page,
			     MREMAP_MAYMOVE | MREMAP_FIXED, to);
		break;
	}
	w->failed += got == MAP_FAILED;
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (!over())
		change(w);
	return NULL;
}

static void do_threads(unsigned int ms, int say)
{
	static struct worker workers[THREADS];
	unsigned long calls = 0, failed = 0;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += ms % 1000 * 1000000L;
	end.tv_sec += ms / 1000 + end.tv_nsec / 1000000000L;
	end.tv_nsec %= 1000000000L;
	for (int i = 0; i < THREADS; i++) {
		workers[i].seed = i + 1;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			truth_die(1, "cannot start a thread");
	}
	for (int i = 0; i < THREADS; i++) {
		pthread_join(workers[i].thread, NULL);
		calls += workers[i].calls;
		failed += workers[i].failed;
	}
	if (say)
		dprintf(STDOUT_FILENO, "calls=%lu\nfailed=%lu\n", calls, failed);
}

static void rest(unsigned int ms)
{
	usleep(ms * 1000);
}

static void said(const char *what, long ret)
{
	dprintf(STDOUT_FILENO, "%s=%d\n", what, ret < 0 ? -errno : 0);
}

static __attribute__((noinline)) void go_down(unsigned int pages)
{
	volatile char here[4096];

	here[0] = 1;
	if (pages)
		go_down(pages - 1);
	here[1] = here[0];
}

static void do_calls(unsigned int ms)
{
	char *mem = truth_map(16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1), *low;
	aio_context_t ring = 0;

	said("io_setup", syscall(SYS_io_setup, 1000, &ring));
	rest(ms);
	said("io_destroy", syscall(SYS_io_destroy, ring));
	rest(ms);
	said("remap_file_pages",
	     syscall(SYS_remap_file_pages, mem + truth.page, truth.page, 0, 3, 0));
	rest(ms);
	said("pkey_mprotect",
	     syscall(SYS_pkey_mprotect, mem + 5 * truth.page, truth.page, PROT_READ, -1));
	rest(ms);
	go_down(100);
	said("stack", 0);
	rest(ms);
	low = truth_map(300, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	munmap(low, 300 * truth.page);
	low = mmap(low + 298 * truth.page, 2 * truth.page, PROT_READ | PROT_WRITE,
		   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_GROWSDOWN, -1, 0);
	if (low == MAP_FAILED)
		truth_die_errno("MAP_GROWSDOWN");
	*(volatile char *)(low - 4 * truth.page) = 1;
	said("growsdown", 0);
	rest(ms);
}

static void do_tick(void)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	dprintf(STDOUT_FILENO, "ready=%d\n", getpid());
	for (;;) {
		munmap(truth_anon(1), truth.page);
		rest(5);
	}
}

int main(int argc, char **argv)
{
	const char *part = argc > 1 ? argv[1] : "";
	unsigned int ms = argc > 2 ? truth_number(argv[2]) : 1000;

	truth_init(0);
	/* with a gap on each side, so that none of what is mapped later lies next to it */
	arena = truth_map((RANGES + 3) * RANGE, PROT_NONE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1) +
		RANGE * truth.page;
	file = truth_file(2 * RANGE);
	if (!strcmp(part, "threads")) {
		do_threads(ms, 1);
	} else if (!strcmp(part, "wait")) {
		do_threads(ms, 0);
		truth_wait();
		do_threads(ms, 1);
	} else if (!strcmp(part, "calls")) {
		do_calls(ms);
	} else if (!strcmp(part, "tick")) {
		do_tick();
	} else {
		truth_die(2, "usage: layouts threads|wait|calls|tick [MS]");
	}
	return 0;
}
