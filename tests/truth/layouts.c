/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Address spaces that change: `layouts PART [MS]`.
 * threads: four threads map, unmap, protect and move the same few ranges for so long, and say what they
 * have done · wait: the same for so long, once before it waits and once after · aio: a ring that io_setup
 * maps, then waits · remap: remap_file_pages, then waits.
 *
 * build: -pthread -o layouts
 */
#include "truth.h"

#include <linux/aio_abi.h>
#include <pthread.h>
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

static void do_aio(void)
{
	aio_context_t ring = 0;

	if (syscall(SYS_io_setup, 1000, &ring))
		truth_die(errno == ENOSYS ? TRUTH_CANNOT : 1, "io_setup: %s", strerror(errno));
	dprintf(STDOUT_FILENO, "at=%#lx\n", (unsigned long)ring);
}

static void do_remap(void)
{
	char *mem = truth_map(16, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);

	if (syscall(SYS_remap_file_pages, mem + truth.page, truth.page, 0, 3, 0))
		truth_die(errno == ENOSYS ? TRUTH_CANNOT : 1, "remap_file_pages: %s",
			  strerror(errno));
	dprintf(STDOUT_FILENO, "at=%#lx\n", (unsigned long)(mem + truth.page));
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
	} else if (!strcmp(part, "aio")) {
		do_aio();
		truth_wait();
	} else if (!strcmp(part, "remap")) {
		do_remap();
		truth_wait();
	} else {
		truth_die(2, "usage: layouts threads|wait|aio|remap [MS]");
	}
	return 0;
}
