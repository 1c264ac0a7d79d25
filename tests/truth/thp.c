/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `thp N` touches N transparent huge pages.
 *
 * build: -o thp
 */
#include "truth.h"

#define HUGE_BYTES ((size_t)2 << 20)
#define MAX        16

static long long huge_kib(void)
{
	long long kib, sum = 0;
	char line[256];
	FILE *f = fopen("/proc/self/smaps", "re");

	if (!f)
		truth_die_errno("/proc/self/smaps");
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "AnonHugePages: %lld kB", &kib) == 1)
			sum += kib;
	fclose(f);
	return sum;
}

int main(int argc, char **argv)
{
	struct truth_count before, after;
	unsigned int n;
	char *mem;

	if (argc != 2)
		truth_die(2, "usage: thp N");
	truth_init(1);
	n = truth_number(argv[1]);
	if (n > MAX)
		truth_die(2, "at most %d", MAX);
	mem = truth_anon((MAX + 1) * HUGE_BYTES / truth.page);
	mem = (char *)(((uintptr_t)mem + HUGE_BYTES - 1) & ~(uintptr_t)(HUGE_BYTES - 1));
	if (madvise(mem, MAX * HUGE_BYTES, MADV_HUGEPAGE))
		truth_die(TRUTH_CANNOT, "no transparent huge pages: %s", strerror(errno));
	truth_begin();
	truth_end();
	before = truth_read();
	truth_begin();
	truth_write(mem, n, HUGE_BYTES / truth.page);
	truth_end();
	after = truth_read();
	if (huge_kib() < (long long)(n * (HUGE_BYTES >> 10)))
		truth_die(TRUTH_CANNOT, "the kernel gave fewer than %u huge pages", n);
	truth_expect("anon", "thp", n);
	truth_print();
	dprintf(STDOUT_FILENO, "bytes=%zu\nmeasured=%lld\n", n * HUGE_BYTES,
		after.faults - before.faults);
	if (truth.fd[0] >= 0 && after.faults - before.faults != n)
		truth_die(TRUTH_OFF, "truth is off: %u huge pages, %lld faults", n,
			  after.faults - before.faults);
	return 0;
}
