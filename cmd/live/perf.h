/* SPDX-License-Identifier: GPL-2.0-only */
/* Perf events that carry BPF programs: software events per CPU or per task, and tracepoints. */
#ifndef FS_PERF_H
#define FS_PERF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* Events that are open, each with its program; owned fds. All zero is an empty list. */
struct perf_list {
	int *fds;
	size_t n, capacity;
};

struct perf_event_spec {
	__u32 type; /* PERF_TYPE_SOFTWARE or PERF_TYPE_TRACEPOINT */
	__u64 config;
	int pid;             /* -1: whoever runs on `cpu` */
	int cpu;             /* -1: wherever `pid` runs */
	bool inherit;        /* threads and children, too */
	bool inherit_thread; /* threads alone */
	bool enable_on_exec; /* starts counting at execve */
};

/*
 * Open an event, attach the program and count from now on. 0 or -errno; -ESRCH where the task is
 * gone, -ENODEV or -ENXIO where the CPU is offline.
 */
int perf_list__attach(struct perf_list *list, const struct perf_event_spec *spec, int prog_fd);

/* Sum of what the events have counted, exact whatever their programs did. */
__u64 perf_list__count(const struct perf_list *list);

/* Close them all: their programs run no more. */
void perf_list__close(struct perf_list *list);

/*
 * The same, but leave the waiting to a child: the kernel takes some 70 ms for each tracepoint. Their
 * programs may still run for seconds.
 */
void perf_list__close_behind(struct perf_list *list);

#endif /* FS_PERF_H */
