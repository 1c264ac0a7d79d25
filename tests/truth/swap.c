/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `swap PART N` writes PAGES pages of private (anon) or shared anonymous memory (shmem), has the
 * kernel write them all to swap, and touches N of them again. How many of these faults were major
 * the kernel's software events say: major=.
 *
 * build: -o swap
 */
#include "truth.h"

#define PAGES 400

/* kB of the mapping at `mem` that are in swap. Reads into its own memory, which is there already. */
static long long swapped_kib(const char *mem)
{
	static char text[1 << 16] = { 1 };
	unsigned long start;
	long long kib = -1;
	size_t len = 0;
	ssize_t n;
	int fd = open("/proc/self/smaps", O_RDONLY | O_CLOEXEC), here = 0;

	if (fd < 0)
		truth_die_errno("/proc/self/smaps");
	while (len < sizeof(text) - 1 && (n = read(fd, text + len, sizeof(text) - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = 0;
	for (char *line = text; line && *line; line = strchr(line, '\n'), line += !!line) {
		char dash;

		if (sscanf(line, "%lx%c", &start, &dash) == 2 && dash == '-')
			here = start == (uintptr_t)mem;
		else if (here && sscanf(line, "Swap: %lld kB", &kib) == 1)
			break;
	}
	return kib;
}

/* Pages that are being written, or wait to be put on a list, are not taken: ask again. */
static void page_out(char *mem)
{
	for (int i = 0; i < 1000; i++) {
		if (madvise(mem, PAGES * truth.page, MADV_PAGEOUT))
			truth_die_errno("MADV_PAGEOUT");
		if (swapped_kib(mem) * 1024 == (long long)(PAGES * truth.page))
			return;
		usleep(1000);
	}
	truth_die(TRUTH_OFF, "truth is off: %lld kB of %zu are in swap", swapped_kib(mem),
		  PAGES * truth.page >> 10);
}

int main(int argc, char **argv)
{
	struct truth_count before, after;
	unsigned int n;
	int shared;
	char *mem;

	if (argc != 3)
		truth_die(2, "usage: swap anon|shmem N");
	truth_init(0);
	shared = !strcmp(argv[1], "shmem");
	n = truth_number(argv[2]);
	if (n > PAGES)
		truth_die(2, "at most %d", PAGES);
	/* pages beside it without access keep other mappings from being merged with it */
	mem = truth_map(PAGES + 2, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	mem = mmap(mem + truth.page, PAGES * truth.page, PROT_READ | PROT_WRITE,
		   (shared ? MAP_SHARED : MAP_PRIVATE) | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	if (mem == MAP_FAILED)
		truth_die_errno("mmap");
	truth_write(mem, PAGES, 1);
	page_out(mem);
	truth_begin();
	truth_end();
	before = truth_read();
	truth_begin();
	truth_readmem(mem, n, 1);
	truth_end();
	after = truth_read();
	truth_expect(shared ? "shm" : "anon", "swap", n);
	truth_expect("major", "", after.major - before.major);
	truth_expect("minor", "", after.minor - before.minor);
	truth_print();
	if (truth.fd[0] >= 0 && after.faults - before.faults != n)
		truth_die(TRUTH_OFF, "truth is off: %u pages, %lld faults", n,
			  after.faults - before.faults);
	return 0;
}
