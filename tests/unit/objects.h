/* SPDX-License-Identifier: GPL-2.0-only */
/* Programs that tests compile and run, and control events made from what /proc says of them. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <sys/types.h>
#include <linux/types.h>

#include "region/space.h"

/* A directory for this test program, removed with all in it when the program ends. */
const char *test_dir(void);

/*
 * Compile C source with the compiler's flags into test_dir()/name. False where the compiler
 * cannot do that: a test that needs more than the machine has is skipped.
 */
bool compile(const char *name, const char *source, const char *flags);

/* A program that runs, its stdin and stdout. */
struct child {
	pid_t pid;
	FILE *to, *from;
};

/* Run test_dir()/name, without address randomisation if asked. Aborts on failure. */
void child__start(struct child *c, const char *name, bool fixed_addresses);

/* Read a line, without its newline; false at the end. Send a line. Let it end; its status. */
bool child__line(struct child *c, char *buf, size_t size);
void child__tell(struct child *c, const char *line);
int child__end(struct child *c);

/*
 * Tell the space of all mappings of a living process, as the kernel side would after a fault in
 * each: /proc/PID/smaps for flags, /proc/PID/stat for where brk starts. Ids are given from
 * *next_id on. Mappings by address can be asked for afterwards.
 */
struct fed {
	size_t n;
	struct fed_map {
		__u64 start, end;
		__u32 id;
		__u8 base;
	} v[512];
};

void feed_process(struct space *sp, pid_t pid, __u32 *next_id, struct fed *fed);

/* Where an address of a process is. */
struct place place_of(struct space *sp, const struct fed *fed, pid_t pid, __u64 addr);

/* Single events. names: path's components, leaf first, each with its NUL. 0 or space__event()'s. */
int feed_file(struct space *sp, __u32 id, __u32 dev, __u64 ino, __u16 flags, __u32 mode,
	      const char *path);
int feed_fork(struct space *sp, __u64 time_ns, __u32 pid, __u32 tid, __u32 child_pid,
	      __u32 child_tid, __u64 flags, __u64 low, __u64 stack_pointer);
int feed_exec(struct space *sp, __u64 time_ns, __u32 pid, __u32 old_tid, __u64 min_flt,
	      __u32 args_populated, const char *comm);
int feed_exec_mm(struct space *sp, __u64 time_ns, __u32 pid, __u32 old_tid, __u64 min_flt,
		 __u32 args_populated, const char *comm, __u64 mm);
int feed_exit(struct space *sp, __u64 time_ns, __u32 pid, __u32 tid, __u64 min_flt, bool last);
int feed_rename(struct space *sp, __u32 pid, __u32 tid, const char *comm);

#endif /* OBJECTS_H */
