/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Nanoseconds that stat__fault() takes, without finding the place: faults of 64 processes that
 * touch 8 regions with 4 classes, in runs of neighbours as the rings deliver them.
 * Usage: bench_stat [MILLIONS OF FAULTS]
 */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "analysis/stat.h"

#define PROCESSES 64
#define RECORDS   (1 << 16)

struct record {
	struct fs_fault fault;
	struct place place;
	const struct process *proc;
};

static __u64 now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* run: faults in a row with the same process, region and class. */
static void fill(struct record *records, const struct process *procs, unsigned int run)
{
	static const enum fs_region regions[] = { FS_REGION_HEAP, FS_REGION_ANON, FS_REGION_TEXT,
						  FS_REGION_DATA, FS_REGION_BSS,  FS_REGION_STACK,
						  FS_REGION_FILE, FS_REGION_SHM };
	static const enum fs_class classes[] = { FS_CLASS_ANON, FS_CLASS_COW, FS_CLASS_FILE,
						 FS_CLASS_ZERO };
	struct record *r = records;
	unsigned int i, pick = 0;

	for (i = 0; i < RECORDS; i++, r++) {
		if (i % run == 0)
			pick = random();
		*r = (struct record){ 0 };
		r->proc = &procs[pick % PROCESSES];
		r->place.region = regions[pick / 64 % 8];
		r->fault.class = classes[pick / 512 % 4];
		r->fault.pid = r->proc->pid;
		r->fault.tid = r->proc->pid;
		r->fault.latency_ns = 400 + random() % 1500;
	}
}

static double measure(const struct record *records, const struct stat_by *by, __u64 faults)
{
	struct stat_by tables[2] = { *by, { 1, { STAT_REGION } } };
	struct stat_opts opts = { .tables = tables, .ntables = 2 };
	struct stat_tally *st = stat__new(&opts);
	const struct record *r;
	__u64 i, begin, end;

	if (!st) {
		perror("stat__new");
		exit(1);
	}
	begin = now_ns();
	for (i = 0; i < faults; i++) {
		r = &records[i % RECORDS];
		stat__fault(st, &r->fault, &r->place, r->proc, 0, 4096);
	}
	end = now_ns();
	stat__free(st);
	return (double)(end - begin) / faults;
}

int main(int argc, char **argv)
{
	static const unsigned int runs[] = { 1, 16, 256 };
	static const struct stat_by all = {
		5, { STAT_PROCESS, STAT_REGION, STAT_CLASS, STAT_THREAD, STAT_FILE }
	};
	__u64 faults = (argc > 1 ? strtoull(argv[1], NULL, 10) : 10) * 1000000;
	struct record *records = calloc(RECORDS, sizeof(*records));
	struct process procs[PROCESSES] = { 0 };
	unsigned int i;

	if (!records || !faults) {
		fprintf(stderr, "usage: bench_stat [MILLIONS OF FAULTS]\n");
		return 2;
	}
	for (i = 0; i < PROCESSES; i++) {
		procs[i].pid = 1000 + i;
		snprintf(procs[i].comm, sizeof(procs[i].comm), "proc%u", i);
	}
	for (i = 0; i < sizeof(runs) / sizeof(*runs); i++) {
		fill(records, procs, runs[i]);
		printf("stat__fault: runs of %3u alike: %5.1f ns by process,region,class; "
		       "%5.1f ns by thread and file as well\n",
		       runs[i], measure(records, &stat_by_default, faults),
		       measure(records, &all, faults));
	}
	free(records);
	return 0;
}
