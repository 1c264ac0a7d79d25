/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Readers of /proc/PID. All numbers of processes and threads are those of the PID namespace that
 * /proc was mounted in. A task that is gone, or goes while it is read, is -ESRCH.
 */
#ifndef FS_PROC_H
#define FS_PROC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

#include "event.h"

#define PROC_PF_KTHREAD 0x00200000 /* include/linux/sched.h */

/* Open /proc/PID/name to read. The caller closes it. A descriptor, -ESRCH or -errno. */
int proc__open(__u32 pid, const char *name);

/* The same as a stream, which the caller closes. 0, -ESRCH, -ENOMEM or -errno. */
int proc__stream(__u32 pid, const char *name, FILE **stream);

/*
 * What ended the reading of such a stream, where errno was 0 before the last read: 0 for its end,
 * -ESRCH or -errno.
 */
int proc__stream_error(FILE *stream);

/* What /proc/PID/stat tells, see proc_pid_stat(5). */
struct proc_stat {
	char comm[FS_COMM_LEN]; /* raw bytes, NUL-terminated */
	char state;
	__u32 ppid;
	__u32 flags; /* PF_* */
	__u64 min_flt, maj_flt;
	__u64 start_ticks; /* since boot, in clock ticks */
};

/*
 * Read the stat of thread tid of process pid, or with tid 0 that of the whole process (counters of
 * its dead threads included). 0, -ESRCH, -EINVAL where the text makes no sense, or -errno.
 */
int proc__stat(__u32 pid, __u32 tid, struct proc_stat *st);

/* The same from the text of a stat file, NUL-terminated. 0 or -EINVAL. */
int proc__parse_stat(const char *text, struct proc_stat *st);

/* Name of a thread (tid 0: of the process). 0 or -errno. */
int proc__comm(__u32 pid, __u32 tid, char comm[FS_COMM_LEN]);

/*
 * Threads of a process, or with pid 0 all processes, in the order of the directory. The caller
 * frees *ids. 0, -ESRCH, -ENOMEM or -errno.
 */
int proc__tasks(__u32 pid, __u32 **ids, size_t *n);

/* User stack pointer of a thread that waits in the kernel. 0, -EBUSY where it runs, or -errno. */
int proc__stack_pointer(__u32 pid, __u32 tid, __u64 *sp);

/*
 * Address of a thread's list of robust futexes, which C libraries keep in the thread's descriptor;
 * it can be had of running threads too. 0, -ENOENT where it has none, or -errno.
 */
int proc__robust_list(__u32 tid, __u64 *addr);

/* A line of /proc/PID/maps. */
struct proc_map {
	__u64 start, end; /* [start, end) */
	__u64 offset;     /* in the file, in bytes */
	__u64 ino;
	__u32 dev; /* kernel dev_t: major << 20 | minor */
	bool read, write, exec, shared;
	/*
	 * Path, with " (deleted)" where it is, or [name]; "" for none. Raw bytes: a newline, which the
	 * kernel writes as "\012" (proc_pid_maps(5)), is one again. So is a "\012" of the file's own
	 * name, for a backslash is not escaped.
	 */
	const char *name;
};

/* Take a line, or the first of a mapping in smaps, apart, in place; name points into it. 0 or -EINVAL. */
int proc__parse_map(char *line, struct proc_map *map);

/*
 * Call fn for each mapping of a process, by rising address, until it returns not 0. Returns what
 * the last call returned, -ESRCH, or -errno.
 */
int proc__maps(__u32 pid, int (*fn)(void *ctx, const struct proc_map *map), void *ctx);

#endif /* FS_PROC_H */
