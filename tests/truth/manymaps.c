/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `manymaps MAPS N`: that many mappings (0: as many as the kernel lets a process have), of one page
 * each and of alternating protection so that they cannot merge; writes to N of the writable ones,
 * spread evenly.
 *
 * build: -o manymaps
 */
#include "truth.h"

#define ENOUGH (1 << 17) /* pages: more than vm.max_map_count */

/* The mappings that the page at `at` and those after it become when their protection is changed. */
static unsigned int split(char *mem, unsigned int pages)
{
	unsigned int i;

	for (i = 0; i + 2 < pages; i += 2)
		if (mprotect(mem + (i + 1) * truth.page, truth.page, PROT_READ)) {
			if (errno != ENOMEM)
				truth_die_errno("mprotect");
			break;
		}
	return i / 2;
}

int main(int argc, char **argv)
{
	unsigned int maps, n, writable;
	char *mem;

	if (argc != 3)
		truth_die(2, "usage: manymaps MAPS N");
	truth_init(0);
	maps = truth_number(argv[1]);
	n = truth_number(argv[2]);
	mem = truth_anon(maps ? maps + 2 : ENOUGH);
	writable = split(mem, maps ? maps + 2 : ENOUGH);
	if (n > writable)
		truth_die(2, "only %u writable mappings", writable);
	for (unsigned int i = 0; i < n; i++)
		((volatile char *)mem)[(size_t)(writable / n * i) * 2 * truth.page] = 1;
	truth_expect("anon", "anon", n);
	truth_print();
	dprintf(STDOUT_FILENO, "mappings=%u\n", 2 * writable);
	return 0;
}
