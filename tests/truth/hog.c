/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `hog MIB ROUNDS [CGROUP]` writes to each page of that much memory, again and again, after it has
 * moved into the cgroup; with a limit there it makes the kernel reclaim, or kill it.
 *
 * build: -o hog
 */
#include "truth.h"

static void enter(const char *cgroup)
{
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/cgroup.procs", cgroup);
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0 || write(fd, "0", 1) != 1)
		truth_die_errno(path);
	close(fd);
}

int main(int argc, char **argv)
{
	unsigned int pages, rounds;
	char *mem;

	if (argc < 3)
		truth_die(2, "usage: hog MIB ROUNDS [CGROUP]");
	truth_init(0);
	pages = truth_number(argv[1]) * (1048576 / truth.page);
	rounds = truth_number(argv[2]);
	if (argc > 3)
		enter(argv[3]);
	mem = truth_anon(pages);
	while (rounds--)
		truth_write(mem, pages, 1);
	truth_expect("pages", "", pages);
	truth_print();
	return 0;
}
