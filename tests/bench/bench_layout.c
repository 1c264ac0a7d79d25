/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What layouts cost: mapping events a second in a process of 200 mappings, faults a second in it, and
 * the memory that 10,000 such processes take. The bars are loose; it ends with 1 where one is missed.
 * Usage: bench_layout [MILLIONS OF EVENTS [PROCESSES]]
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "region/layout.h"

#define PAGE      4096ULL
#define AT        0x7f0000000000ULL
#define TOP       (1ULL << 63)
#define MAPPINGS  200
#define FIRST_PID 0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define RW        0x73

#define BAR_EVENTS 500000 /* a second */
#define BAR_MIB    300

static struct space *space;
static __u64 now = 1000;

static double seconds(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec + ts.tv_nsec / 1e9;
}

static double rss_mib(void)
{
	unsigned long size = 0, resident = 0;
	FILE *f = fopen("/proc/self/statm", "r");

	if (f && fscanf(f, "%lu %lu", &size, &resident) != 2)
		resident = 0;
	if (f)
		fclose(f);
	return resident * (double)sysconf(_SC_PAGESIZE) / (1 << 20);
}

static void feed(const struct fs_head *head)
{
	if (!space__event(space, head))
		return;
	fprintf(stderr, "out of memory\n");
	exit(1);
}

static void new_space(void)
{
	const struct space_ops ops = { .layouts = true };

	space__free(space);
	space = space__new(&ops);
	if (!space)
		exit(1);
}

static void begin_process(__u32 parent, __u32 pid)
{
	struct fs_fork_event ev = { .head = { FS_EVENT_FORK, 0, sizeof(ev), ++now, parent, parent },
				    .child_pid = pid,
				    .child_tid = pid };

	feed(&ev.head);
}

/* 200 VMAs, every third with a gap before it, in as many events as they take. */
static void tell_whole(__u32 pid)
{
	struct {
		struct fs_layout_event ev;
		struct fs_vma v[FS_LAYOUT_MAX];
	} e;
	__u64 at = AT, from = 0;
	struct fs_vma *v;

	for (unsigned int i = 0; i < MAPPINGS;) {
		e.ev = (struct fs_layout_event){ .mm = pid, .layout.from = from };
		for (e.ev.layout.n = 0; e.ev.layout.n < FS_LAYOUT_MAX && i < MAPPINGS; i++) {
			at += i % 3 ? 0 : 16 * PAGE;
			v = &e.v[e.ev.layout.n++];
			*v = (struct fs_vma){ .start = at,
					      .end = at + 8 * PAGE,
					      .vm_flags = i % 2 ? RW : RW - 2,
					      .pgoff = i,
					      .file_id = i % 3 ? 0 : i,
					      .region = FS_REGION_ANON };
			at = v->end;
		}
		e.ev.layout.to = i < MAPPINGS ? at : TOP;
		e.ev.head = (struct fs_head){
			FS_EVENT_LAYOUT, 0,   sizeof(e.ev) + e.ev.layout.n * sizeof(*v),
			++now,           pid, pid
		};
		from = e.ev.layout.to;
		feed(&e.ev.head);
	}
}

static void feed_call(enum fs_call call, __u64 at, __u64 bytes)
{
	struct {
		struct fs_call_event ev;
		struct fs_layout l;
		struct fs_vma v;
	} e = { .ev = { .call = call,
			.flags = FS_CALL_LAYOUT,
			.ret = call == FS_CALL_MMAP ? at : 0,
			.args = { at, bytes },
			.bytes = bytes,
			.stack_id = 1 + at / PAGE % 1000 },
		.l = { .from = at, .to = at + bytes, .n = call == FS_CALL_MMAP },
		.v = { .start = at, .end = at + bytes, .vm_flags = RW, .region = FS_REGION_ANON } };

	e.ev.head = (struct fs_head){
		FS_EVENT_CALL, 0,         sizeof(e.ev) + sizeof(e.l) + e.l.n * sizeof(e.v),
		++now,         FIRST_PID, FIRST_PID
	};
	feed(&e.ev.head);
}

static void touch(__u64 addr)
{
	struct fs_fault f = {
		.time_ns = ++now, .addr = addr, .pid = FIRST_PID, .class = FS_CLASS_ANON
	};

	if (space__touch(space, &f))
		exit(1);
}

/* Pairs of mmap and munmap; touched: so many pages of each. Events a second. */
static double measure_calls(__u64 events, unsigned int touched)
{
	double begin;
	__u64 at;

	new_space();
	begin_process(1, FIRST_PID);
	tell_whole(FIRST_PID);
	begin = seconds();
	for (__u64 i = 0; i < events / 2; i++) {
		/* in the gaps, which are 16 pages, and behind them all */
		at = AT + i % 100 * (16 + 3 * 8) * PAGE;
		feed_call(FS_CALL_MMAP, at, 16 * PAGE);
		for (unsigned int k = 0; k < touched; k++)
			touch(at + k * PAGE);
		feed_call(FS_CALL_MUNMAP, at, 16 * PAGE);
	}
	return events / (seconds() - begin);
}

static double measure_faults(__u64 faults)
{
	__u64 at = AT + (1ULL << 30), pages = 65536;
	double begin;

	new_space();
	begin_process(1, FIRST_PID);
	tell_whole(FIRST_PID);
	feed_call(FS_CALL_MMAP, at, pages * PAGE);
	begin = seconds();
	for (__u64 i = 0; i < faults; i++)
		touch(at + i % pages * PAGE);
	return faults / (seconds() - begin);
}

static void touch_all(void)
{
	for (unsigned int i = 0; i < MAPPINGS; i++)
		touch(AT + (16 + i / 3 * 40 + i % 3 * 8) * PAGE);
}

/* MiB that processes take; forked: from one that has touched all its mappings. */
static double measure_memory(unsigned int processes, bool forked)
{
	double before;
	__u64 bytes, vmas;

	new_space();
	begin_process(1, FIRST_PID);
	tell_whole(FIRST_PID);
	if (forked)
		touch_all();
	before = rss_mib();
	for (unsigned int i = 1; i <= processes; i++) {
		begin_process(forked ? FIRST_PID : 1, FIRST_PID + i);
		tell_whole(FIRST_PID + i);
	}
	bytes = space__layout_bytes(space, &vmas);
	before = rss_mib() - before;
	printf("layouts: %u processes%s, %llu VMAs: %.1f MiB by space__layout_bytes(), RSS grew by "
	       "%.1f MiB, %.1f bytes a VMA\n",
	       processes, forked ? " forked from one that has touched its mappings" : "",
	       (unsigned long long)vmas, bytes / (double)(1 << 20), before,
	       before * (1 << 20) / vmas);
	return before;
}

int main(int argc, char **argv)
{
	__u64 events = (argc > 1 ? strtoull(argv[1], NULL, 10) : 4) * 1000000;
	unsigned int processes = argc > 2 ? strtoul(argv[2], NULL, 10) : 10000;
	double plain, mib;

	if (!events || !processes) {
		fprintf(stderr, "usage: bench_layout [MILLIONS OF EVENTS [PROCESSES]]\n");
		return 2;
	}
	mib = measure_memory(processes,
			     false); /* first: nothing is free that it could take again */
	plain = measure_calls(events, 0);
	printf("layouts: %.0f mapping events a second in a process of %d mappings, %.0f with 16 "
	       "faults between two\n",
	       plain, MAPPINGS, measure_calls(events / 8, 16));
	printf("layouts: %.0f faults a second in one mapping\n", measure_faults(events * 2));
	measure_memory(processes, true);
	space__free(space);
	if (plain < BAR_EVENTS)
		printf("below the bar of %d events a second\n", BAR_EVENTS);
	if (mib > BAR_MIB)
		printf("above the bar of %d MiB\n", BAR_MIB);
	return plain < BAR_EVENTS || mib > BAR_MIB;
}
