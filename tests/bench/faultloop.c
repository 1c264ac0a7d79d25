/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The load that `make bench` times: first touches of anonymous memory, by one thread on one CPU.
 *
 *	faultloop [-c CPU] [-p PAGES] [-t TOUCHES] [-m MAPPINGS] [-s]
 *
 * It prints one line ("ready mappings=N pages=N") when set up and then answers each line on
 * stdin with one line on stdout, until end of file:
 *
 *	fault      touch TOUCHES of the PAGES once    -> NS_PER_FAULT FAULTS
 *	call N     N getppid system calls             -> NS_PER_CALL N
 *	map N      N mapping calls: mmap and munmap   -> NS_PER_CALL N
 *	flat SEC   touch and drop the pages for SEC   -> NS_PER_FAULT FAULTS
 *
 * NS is wall clock less the time that the thread waited while something else had its CPU (the
 * run delay of /proc/PID/schedstat): that is no cost of a tracer that is kept off this CPU, whose
 * work in the fault and in interrupts is inside. (CPU time would not do: it leaves interrupts out
 * where the kernel accounts for them.) For `flat` it is plain wall clock. FAULTS is how many page
 * faults the command raised in all: more than were timed, since each round warms up on an eighth
 * as many first. Dropping the pages again (MADV_DONTNEED) is outside the timed part, but within
 * it for `flat`, whose rate is that of a program which does nothing else. THP is off: every touch
 * is one fault of one 4 KiB page.
 *
 * -m makes the process hold MAPPINGS mappings (as /proc/PID/maps counts them). With -s the pages
 * are touched in an order that visits another mapping at every fault; without it they lie in one
 * mapping. The addresses touched and their order depend on PAGES, TOUCHES (all the pages unless
 * told) and -s, not on MAPPINGS.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#define NSEC_PER_SEC  1000000000ULL
#define WARM_FRACTION 8
#define MAX_PAGES     (1UL << 22)

struct loop {
	char *area;
	size_t pages;
	size_t touches; /* pages touched in a round */
	size_t page_bytes;
	size_t step; /* pages from one touch to the next, coprime to .pages */
	size_t mappings;
	int schedstat_fd; /* -1 where the kernel has none */
};

static unsigned long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * NSEC_PER_SEC + ts.tv_nsec;
}

/* Wall clock without the waits for the CPU, from any start. */
static unsigned long long loop__clock_ns(const struct loop *loop)
{
	unsigned long long waited = 0, now;
	char buf[128];
	ssize_t len;

	now = now_ns();
	if (loop->schedstat_fd < 0)
		return now;
	len = pread(loop->schedstat_fd, buf, sizeof(buf) - 1, 0);
	if (len <= 0)
		return now;
	buf[len] = '\0';
	return sscanf(buf, "%*u %llu", &waited) == 1 ? now - waited : now;
}

static size_t mappings__count(void)
{
	char buf[4096];
	size_t lines = 0;
	FILE *f = fopen("/proc/self/maps", "re");

	if (!f)
		return 0;
	setvbuf(f, buf, _IOFBF, sizeof(buf));
	for (int c = getc(f); c != EOF; c = getc(f)) {
		if (c == '\n')
			lines++;
	}
	fclose(f);
	return lines;
}

static size_t gcd(size_t a, size_t b)
{
	while (b) {
		size_t rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/* A stride near 0.618 of the area: neighbours in time are far apart, each page comes up once. */
static size_t stride(size_t pages)
{
	size_t step = pages * 618 / 1000 | 1;

	while (gcd(step, pages) != 1)
		step += 2;
	return step;
}

/*
 * Cuts [area, pages) into one-page mappings until the process holds @target of them. A flag that
 * differs from the neighbours' keeps the kernel from merging them and changes nothing about how
 * a fault in them goes.
 */
static int area__cut(char *area, size_t pages, size_t page_bytes, size_t target)
{
	size_t have = mappings__count();

	for (size_t i = 1; i < pages && have < target; i += 2) {
		/* the last cut may be of one mapping only: reach to the area's end */
		size_t len = target - have == 1 ? pages - i : 1;

		if (madvise(area + i * page_bytes, len * page_bytes, MADV_DONTDUMP))
			return -errno;
		have += len == 1 && i + 1 < pages ? 2 : 1;
	}
	return 0;
}

static void loop__touch(const struct loop *loop, size_t count)
{
	size_t at = 0;

	for (size_t i = 0; i < count; i++) {
		*(volatile char *)(loop->area + at * loop->page_bytes) = 1;
		at += loop->step;
		if (at >= loop->pages)
			at -= loop->pages;
	}
}

static int loop__drop(const struct loop *loop)
{
	return madvise(loop->area, loop->pages * loop->page_bytes, MADV_DONTNEED) ? -errno : 0;
}

static int loop__init(struct loop *loop, size_t mappings, bool spread)
{
	size_t cut_pages = spread ? loop->pages : 1UL << 16;
	char *cut;
	int err;

	loop->schedstat_fd = open("/proc/self/schedstat", O_RDONLY | O_CLOEXEC);
	loop->page_bytes = sysconf(_SC_PAGESIZE);
	loop->step = spread ? stride(loop->pages) : 1;
	loop->area = mmap(NULL, loop->pages * loop->page_bytes, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (loop->area == MAP_FAILED)
		return -errno;
	if (mappings) {
		cut = loop->area;
		if (!spread)
			cut = mmap(NULL, cut_pages * loop->page_bytes, PROT_READ,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
		if (cut == MAP_FAILED)
			return -errno;
		err = area__cut(cut, cut_pages, loop->page_bytes, mappings);
		if (err)
			return err;
	}
	/* the first touch of a mapping also makes its anon_vma: not part of any timed fault */
	loop__touch(loop, loop->pages);
	loop->mappings = mappings__count();
	return loop__drop(loop);
}

static int run_fault(const struct loop *loop)
{
	size_t warm = loop->touches / WARM_FRACTION;
	unsigned long long start, end;
	int err;

	loop__touch(loop, warm);
	err = loop__drop(loop);
	if (err)
		return err;
	start = loop__clock_ns(loop);
	loop__touch(loop, loop->touches);
	end = loop__clock_ns(loop);
	printf("%.3f %zu\n", (double)(end - start) / loop->touches, loop->touches + warm);
	return loop__drop(loop);
}

static int run_call(const struct loop *loop, size_t count)
{
	unsigned long long start;

	for (size_t i = 0; i < count / WARM_FRACTION; i++)
		syscall(SYS_getppid);
	start = loop__clock_ns(loop);
	for (size_t i = 0; i < count; i++)
		syscall(SYS_getppid);
	printf("%.3f %zu\n", (double)(loop__clock_ns(loop) - start) / count, count);
	return 0;
}

static int map_pairs(size_t count)
{
	const size_t bytes = 1 << 16;
	void *p;

	for (size_t i = 0; i < count / 2; i++) {
		p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
		if (p == MAP_FAILED || munmap(p, bytes))
			return -errno;
	}
	return 0;
}

static int run_map(const struct loop *loop, size_t count)
{
	unsigned long long start;
	int err = map_pairs(count / WARM_FRACTION);

	if (err)
		return err;
	start = loop__clock_ns(loop);
	err = map_pairs(count);
	if (!err)
		printf("%.3f %zu\n", (double)(loop__clock_ns(loop) - start) / count, count);
	return err;
}

static int run_flat(const struct loop *loop, double seconds)
{
	unsigned long long start = now_ns(), now = start;
	unsigned long long until = start + (unsigned long long)(seconds * NSEC_PER_SEC);
	size_t faults = 0;
	int err;

	while (now < until) {
		loop__touch(loop, loop->touches);
		faults += loop->touches;
		err = loop__drop(loop);
		if (err)
			return err;
		now = now_ns();
	}
	printf("%.3f %zu\n", (double)(now - start) / faults, faults);
	return 0;
}

static int loop__serve(const struct loop *loop)
{
	char line[128];
	int err = 0;

	while (!err && fgets(line, sizeof(line), stdin)) {
		size_t count;
		double seconds;

		if (!strcmp(line, "fault\n"))
			err = run_fault(loop);
		else if (sscanf(line, "call %zu", &count) == 1 && count)
			err = run_call(loop, count);
		else if (sscanf(line, "map %zu", &count) == 1 && count)
			err = run_map(loop, count);
		else if (sscanf(line, "flat %lf", &seconds) == 1 && seconds > 0)
			err = run_flat(loop, seconds);
		else
			err = -EINVAL;
		fflush(stdout);
	}
	return err;
}

static int cpu__pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	return sched_setaffinity(0, sizeof(set), &set) ? -errno : 0;
}

int main(int argc, char **argv)
{
	struct loop loop = { .pages = 4096 };
	size_t mappings = 0;
	bool spread = false;
	int cpu = -1, opt, err;

	while ((opt = getopt(argc, argv, "c:p:t:m:s")) != -1) {
		if (opt == 'c')
			cpu = atoi(optarg);
		else if (opt == 'p')
			loop.pages = strtoul(optarg, NULL, 10);
		else if (opt == 't')
			loop.touches = strtoul(optarg, NULL, 10);
		else if (opt == 'm')
			mappings = strtoul(optarg, NULL, 10);
		else if (opt == 's')
			spread = true;
		else
			return 2;
	}
	if (loop.pages < WARM_FRACTION || loop.pages > MAX_PAGES) {
		fprintf(stderr, "faultloop: -p: between %d and %lu pages\n", WARM_FRACTION,
			MAX_PAGES);
		return 2;
	}
	if (!loop.touches || loop.touches > loop.pages)
		loop.touches = loop.pages;
	err = cpu >= 0 ? cpu__pin(cpu) : 0;
	if (!err && prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0))
		err = -errno;
	if (!err)
		err = loop__init(&loop, mappings, spread);
	if (!err) {
		printf("ready mappings=%zu pages=%zu\n", loop.mappings, loop.pages);
		fflush(stdout);
		err = loop__serve(&loop);
	}
	if (err)
		fprintf(stderr, "faultloop: %s\n", strerror(-err));
	return err ? 1 : 0;
}
