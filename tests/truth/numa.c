/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `numa CPU-A CPU-B N` writes memory on one CPU and reads it on another, until the kernel has
 * counted N NUMA hinting faults meanwhile (/proc/vmstat, the whole machine's): hinted=.
 *
 * build: -o numa
 */
#include "truth.h"

#include <sched.h>
#include <time.h>

#define PAGES   4096
#define LIMIT_S 120

static char text[1 << 16] = { 1 };

static long long hint_faults(void)
{
	static const char name[] = "\nnuma_hint_faults ";
	const char *at;

	truth_slurp("/proc/vmstat", text, sizeof(text));
	at = strstr(text, name);
	if (!at)
		truth_die(TRUTH_CANNOT, "no NUMA hinting faults in /proc/vmstat");
	return strtoll(at + sizeof(name) - 1, NULL, 10);
}

static void run_on(unsigned int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		truth_die(TRUTH_CANNOT, "CPU %u: %s", cpu, strerror(errno));
}

int main(int argc, char **argv)
{
	long long begin = 0, now = 0;
	unsigned int n;
	time_t end;
	char *mem;

	if (argc != 4)
		truth_die(2, "usage: numa CPU-A CPU-B N");
	truth_init(0);
	n = truth_number(argv[3]);
	mem = truth_anon(PAGES);
	run_on(truth_number(argv[1]));
	truth_write(mem, PAGES, 1);
	run_on(truth_number(argv[2]));
	begin = hint_faults();
	end = time(NULL) + LIMIT_S;
	do {
		truth_readmem(mem, PAGES, 1);
		now = hint_faults() - begin;
	} while (now < n && time(NULL) < end);
	if (now < n)
		truth_die(TRUTH_CANNOT, "%lld hinting faults in %d s", now, LIMIT_S);
	truth_expect("hinted", "", now);
	truth_print();
	return 0;
}
