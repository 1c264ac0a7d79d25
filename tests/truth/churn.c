/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that comes and goes: `churn PART N`, N times. Prints cycles=, bytes= (of all cycles), touched=
 * (pages, of all cycles), usage= (faults by getrusage) and ns=, all of the loop alone.
 * trim: blocks just below the mmap threshold, in numbers that make the top of the heap go back at each
 * free · large: a block that malloc maps · huge: one beyond 32 MiB · pool: mmap and munmap · dontneed,
 * free: madvise, and touches again · once: mapped once, touched N times · rare: mapped and unmapped N
 * times, with a pause between · threads: in two threads at once.
 *
 * build: -pthread -o churn
 */
#include "truth.h"

#include <pthread.h>
#include <time.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

#define KIB 1024UL
#define MIB (1024 * KIB)

static unsigned long long cycles, bytes, touched;

static void touch(char *mem, size_t size)
{
	for (size_t at = 0; at < size; at += truth.page)
		((volatile char *)mem)[at] = 1;
	touched += size / truth.page;
}

static void cycle(size_t size)
{
	cycles++;
	bytes += size;
}

/* 127 KiB each: 20 of them are 2.5 MiB, of which the heap keeps 128 KiB at its end. */
static __attribute__((noinline)) void do_trim(unsigned int n)
{
	char *blocks[20], *end;

	for (unsigned int i = 0; i < n; i++) {
		for (int b = 0; b < 20; b++) {
			blocks[b] = malloc(127 * KIB);
			touch(blocks[b], 127 * KIB);
		}
		for (int b = 20; b-- > 0;) {
			end = sbrk(0);
			free(blocks[b]);
			if ((char *)sbrk(0) < end)
				cycle(end - (char *)sbrk(0));
		}
	}
}

/* Each larger than the last one, behind which the threshold that glibc adapts stays. */
static __attribute__((noinline)) void do_large(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		size_t size = 2 * MIB + i * 64 * KIB;
		char *block = malloc(size);

		touch(block, size);
		free(block);
		cycle(size + truth.page);
	}
}

static __attribute__((noinline)) void do_huge(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		char *block = malloc(40 * MIB);

		touch(block, 4 * MIB);
		free(block);
		cycle(40 * MIB + truth.page);
	}
}

/* Map 64 pages, touch some, unmap them. */
static inline __attribute__((always_inline)) void map_once(unsigned int touched)
{
	char *mem = truth_anon(64);

	touch(mem, touched * truth.page);
	munmap(mem, 64 * truth.page);
	cycle(64 * truth.page);
}

static __attribute__((noinline)) void do_pool(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		map_once(32);
}

static void advise(unsigned int n, int advice)
{
	char *mem = truth_anon(256);

	touch(mem, 256 * truth.page);
	for (unsigned int i = 0; i < n; i++) {
		if (madvise(mem, 256 * truth.page, advice))
			truth_die_errno("madvise");
		touch(mem, 256 * truth.page);
		cycle(256 * truth.page);
	}
}

static __attribute__((noinline)) void do_dontneed(unsigned int n)
{
	advise(n, MADV_DONTNEED);
}

static __attribute__((noinline)) void do_free(unsigned int n)
{
	advise(n, MADV_FREE);
}

static __attribute__((noinline)) void do_once(unsigned int n)
{
	char *mem = truth_anon(256);

	for (unsigned int i = 0; i < n; i++)
		touch(mem, 256 * truth.page);
}

static __attribute__((noinline)) void do_rare(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		map_once(64);
		usleep(700000);
	}
}

/* What one has unmapped the other maps, again and again. */
static void *map_many(void *n)
{
	for (unsigned int i = 0; i < *(unsigned int *)n; i++) {
		char *mem = truth_anon(64);

		*mem = 1;
		munmap(mem, 64 * truth.page);
	}
	return NULL;
}

static __attribute__((noinline)) void do_threads(unsigned int n)
{
	pthread_t other;

	if (pthread_create(&other, NULL, map_many, &n))
		truth_die(TRUTH_OFF, "no thread");
	map_many(&n);
	pthread_join(other, NULL);
	for (unsigned int i = 0; i < 2 * n; i++)
		cycle(64 * truth.page);
	touched += 2 * n;
}

/* clang-format off */
static const struct {
	const char *name;
	void (*run)(unsigned int n);
} parts[] = {
	{ "trim", do_trim },
	{ "large", do_large },
	{ "huge", do_huge },
	{ "pool", do_pool },
	{ "dontneed", do_dontneed },
	{ "free", do_free },
	{ "once", do_once },
	{ "rare", do_rare },
	{ "threads", do_threads },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

static unsigned long long now_ns(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

int main(int argc, char **argv)
{
	struct rusage before, after;
	unsigned long long begun, ns;
	unsigned int p, n;

	if (argc != 3)
		truth_die(2, "usage: churn PART N");
	truth_init(0);
	n = truth_number(argv[2]);
	for (p = 0; p < NPARTS && strcmp(parts[p].name, argv[1]); p++)
		;
	if (p == NPARTS)
		truth_die(2, "no part %s", argv[1]);
	getrusage(RUSAGE_SELF, &before);
	begun = now_ns();
	parts[p].run(n);
	ns = now_ns() - begun;
	getrusage(RUSAGE_SELF, &after);
	dprintf(STDOUT_FILENO, "cycles=%llu\nbytes=%llu\ntouched=%llu\nusage=%ld\nns=%llu\n",
		cycles, bytes, touched,
		after.ru_minflt - before.ru_minflt + after.ru_majflt - before.ru_majflt, ns);
	return 0;
}
