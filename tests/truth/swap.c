/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `swap PART N CGROUP` writes PAGES pages of private (anon) or shared anonymous memory (shmem) in a
 * memory cgroup, has the kernel write them all to swap and forget them, and touches N of them again.
 * How many of these faults were major the kernel's software events say: major=.
 *
 * build: -o swap
 */
#include "truth.h"

#define PAGES 400

/* Write to, or read from, a file of the cgroup. */
static ssize_t cgroup_file(const char *cgroup, const char *name, char *text, size_t size, int flags)
{
	static char path[4096] = { 1 };
	ssize_t len;
	int fd;

	snprintf(path, sizeof(path), "%s/%s", cgroup, name);
	fd = open(path, flags | O_CLOEXEC);
	if (fd < 0)
		truth_die_errno(path);
	len = flags == O_RDONLY ? read(fd, text, size) : write(fd, text, size);
	close(fd);
	return len;
}

/* What was written to swap stays in memory, in the swap cache, until somebody needs the memory. */
static void forget(const char *cgroup)
{
	static char stat[1 << 14] = { 1 }, all[] = "1G", *at;
	ssize_t len;

	for (int i = 0; i < 1000; i++) {
		len = cgroup_file(cgroup, "memory.stat", stat, sizeof(stat) - 1, O_RDONLY);
		stat[len > 0 ? len : 0] = 0;
		at = strstr(stat, "\nswapcached ");
		if (!at)
			truth_die(TRUTH_CANNOT, "memory.stat has no swapcached");
		if (at[12] == '0')
			return;
		/* EAGAIN: less than was asked for */
		if (cgroup_file(cgroup, "memory.reclaim", all, 2, O_WRONLY) < 0 && errno != EAGAIN)
			truth_die_errno("memory.reclaim");
		usleep(1000);
	}
	truth_die(TRUTH_OFF, "truth is off: the swap cache is not empty: %.30s", at);
}

/* kB of the mapping at `mem` that are in swap. Reads into its own memory, which is there already. */
static long long swapped_kib(const char *mem)
{
	static char text[1 << 16] = { 1 };
	unsigned long start;
	long long kib = -1;
	int here = 0;

	truth_slurp("/proc/self/smaps", text, sizeof(text));
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
	char *mem, self[] = "0";
	unsigned int n;
	int shared;

	if (argc != 4)
		truth_die(2, "usage: swap anon|shmem N CGROUP");
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
	if (cgroup_file(argv[3], "cgroup.procs", self, 1, O_WRONLY) != 1)
		truth_die_errno(argv[3]);
	truth_write(mem, PAGES, 1);
	page_out(mem);
	forget(argv[3]);
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
