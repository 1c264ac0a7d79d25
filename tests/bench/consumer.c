/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How fast fault records are taken: records as a ring holds them, given one by one to what `stat`
 * does with each (where it fell, whose it is, one more in its cell). One thread, one core.
 *
 *	consumer [RECORDS [ROUNDS]]
 *
 * Prints the median of the rounds: records per second, and ns a record. The records are of 8
 * processes with 24 mappings each, interleaved in runs as CPUs interleave them.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "analysis/stat.h"
#include "region/space.h"

#define PROCESSES 8
#define MAPPINGS  24
#define RUN       16 /* faults of one mapping in a row */

static double now_s(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static int meet(struct space *sp)
{
	static const enum fs_region kinds[] = { FS_REGION_ANON, FS_REGION_HEAP, FS_REGION_STACK,
						FS_REGION_SHM };
	__u32 id = 0;
	int err = 0;

	for (__u32 p = 0; p < PROCESSES && !err; p++) {
		struct fs_fork_event fork = {
			.head = { FS_EVENT_FORK, 0, sizeof(fork), 1, 1, 1 },
			.child_pid = 1000 + p,
			.child_tid = 1000 + p,
			.mm = 1 + p,
			.comm = "bench",
		};

		err = space__event(sp, &fork.head);
		for (__u32 m = 0; m < MAPPINGS && !err; m++) {
			struct fs_region_event ev = {
				.head = { FS_EVENT_REGION, 0, sizeof(ev), 2, 1000 + p, 1000 + p },
				.id = ++id,
				.mm = 1 + p,
				.start = 0x10000000ULL * (m + 1),
				.end = 0x10000000ULL * (m + 1) + 0x8000000,
				.region = kinds[m % 4],
			};

			err = space__event(sp, &ev.head);
		}
	}
	return err;
}

static void fill(struct fs_fault *ring, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		__u32 run = i / RUN, p = run % PROCESSES, m = run / PROCESSES % MAPPINGS;

		ring[i] = (struct fs_fault){
			.time_ns = i * 1000,
			.latency_ns = 700 + (i * 2654435761U >> 20) % 2000,
			.addr = 0x10000000ULL * (m + 1) + i % 32768 * 4096,
			.pid = 1000 + p,
			.tid = 1000 + p,
			.region_id = p * MAPPINGS + m + 1,
			.region = FS_REGION_ANON,
			.class = i % 9 ? FS_CLASS_ANON : FS_CLASS_COW,
			.access = FS_ACCESS_WRITE,
		};
	}
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return x < y ? -1 : x > y;
}

static void take(struct space *sp, struct stat_tally *tally, const struct fs_fault *f)
{
	struct process *proc;
	struct place pl;

	space__place(sp, f, &pl);
	proc = space__process(sp, f->pid);
	if (proc)
		proc->seen_min++;
	stat__fault(tally, f, &pl, proc, 0, 4096);
}

int main(int argc, char **argv)
{
	size_t n = argc > 1 ? strtoul(argv[1], NULL, 10) : 1 << 20;
	size_t rounds = argc > 2 ? strtoul(argv[2], NULL, 10) : 15;
	struct stat_opts opts = { .tables = &stat_by_default, .ntables = 1 };
	struct stat_tally *tally = stat__new(&opts);
	struct fs_fault *ring = calloc(n, sizeof(*ring));
	double *took = calloc(rounds, sizeof(*took));
	struct space *sp = space__new(NULL);

	if (!n || !rounds || !tally || !ring || !took || !sp || meet(sp))
		return 1;
	fill(ring, n);
	for (size_t r = 0; r < rounds; r++) {
		double start = now_s();

		for (size_t i = 0; i < n; i++)
			take(sp, tally, &ring[i]);
		took[r] = now_s() - start;
	}
	qsort(took, rounds, sizeof(*took), compare);
	printf("records_per_s=%.0f ns_per_record=%.1f\n", n / took[rounds / 2],
	       took[rounds / 2] / n * 1e9);
	stat__free(tally);
	space__free(sp);
	free(took);
	free(ring);
	return 0;
}
