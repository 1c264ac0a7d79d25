/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Major faults: `major private|shared N` reads N pages of an own file that was dropped from the
 * page cache; `major refault N` reads them a second time from the cache, one in each 64 KiB.
 * MADV_RANDOM keeps readahead away, so each page is one read from storage. $TRUTH_DIR must lie on
 * a disk, not on tmpfs.
 *
 * build: -o major
 */
#include "truth.h"

#include <sys/stat.h>

#define PAGES  1024
#define AROUND 16

static void drop(int fd, char *mem)
{
	unsigned char in[PAGES];
	unsigned int left = 1;

	for (int tries = 0; left && tries < 100; tries++) {
		if (fsync(fd) || posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED))
			truth_die_errno("dropping the file");
		if (mincore(mem, sizeof(in) * truth.page, in))
			truth_die_errno("mincore");
		left = 0;
		for (unsigned int i = 0; i < PAGES; i++)
			left += in[i] & 1;
	}
	if (left)
		truth_die(TRUTH_CANNOT, "%u pages stay in the page cache (tmpfs?)", left);
}

int main(int argc, char **argv)
{
	struct truth_count before, after;
	unsigned int n, shared, refault;
	char *mem;
	int fd;

	if (argc != 3)
		truth_die(2, "usage: major private|shared|refault N");
	truth_init(0);
	shared = !strcmp(argv[1], "shared");
	refault = !strcmp(argv[1], "refault");
	n = truth_number(argv[2]);
	if (n > (refault ? PAGES / AROUND : PAGES))
		truth_die(2, "too many pages");

	fd = truth_file(PAGES);
	mem = truth_map(PAGES, PROT_READ, shared ? MAP_SHARED : MAP_PRIVATE, fd);
	if (madvise(mem, PAGES * truth.page, MADV_RANDOM))
		truth_die_errno("madvise");
	drop(fd, mem);

	truth_begin();
	truth_end();
	before = truth_read();
	truth_begin();
	truth_readmem(mem, n, refault ? AROUND : 1);
	if (refault) {
		/* Another mapping of the same pages: they are cached now. */
		char *again = truth_map(PAGES, PROT_READ, MAP_SHARED, fd);

		truth_readmem(again, n, AROUND);
	}
	truth_end();
	after = truth_read();

	truth_expect(shared ? "file-shared" : "file", "read", n);
	if (refault)
		truth_expect("file-shared", "file", n);
	truth_print();
	dprintf(STDOUT_FILENO, "major=%lld\nminor=%lld\n", after.major - before.major,
		after.minor - before.minor);
	if (truth.fd[0] >= 0 &&
	    (after.major - before.major != n || after.faults - before.faults != n + refault * n))
		truth_die(TRUTH_OFF, "truth is off: %u pages, %lld major of %lld faults", n,
			  after.major - before.major, after.faults - before.faults);
	return 0;
}
