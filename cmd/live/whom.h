/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of targets, as a person gives them, turned into what the kernel side compares. */
#ifndef FS_WHOM_H
#define FS_WHOM_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "config.h"

struct btf;

/*
 * Compile a comm with `*` wildcards. 0, or -EINVAL where it has more than 15 characters besides the
 * stars (no comm is longer).
 */
int comm_pattern__compile(const char *text, struct fs_comm_pattern *out);

/* Which hierarchy and which group. */
struct cgroup_ref {
	__u64 id;        /* kernfs id; 0: none */
	__s32 subsys;    /* index of the v1 controller, -1: v2, -2: v1 without controller */
	__u32 hierarchy; /* subsys -2: its id */
};

/*
 * The cgroup whose directory is `path`: -ENOENT, -ENOTDIR, or -EINVAL where it is in no cgroup file
 * system. btf: the kernel's.
 */
int cgroup_ref__find(const char *path, const struct btf *btf, struct cgroup_ref *out);

/* The hierarchy that `--by cgroup` shows: v2, or v1's memory controller where v2 has none. */
void cgroup_ref__default(const struct btf *btf, struct cgroup_ref *out);

/* Path of a cgroup of that hierarchy, below its mount. 0 or -errno. */
int cgroup_ref__path(const struct cgroup_ref *ref, __u64 id, char *buf, size_t size);

/* The file that execvp(3) would execute by this name. 0, -ENOENT or -ENAMETOOLONG. */
int program_path(const char *name, char *buf, size_t size);

/* Is the program that execvp(3) would find by this name, or that a process runs, a 32-bit one? */
bool program_is_32bit(const char *name);
bool process_is_32bit(__u32 pid);

/* Are we in another PID namespace than the events' numbers are of? */
bool in_pid_namespace(void);

/* Has a process, or a thread, a userfaultfd open? */
bool process_has_uffd(__u32 pid);

/* Thread ids of a process into *tids (malloc'd, the caller's). Their number or -errno. */
int process_tids(__u32 pid, __u32 **tids);

#endif /* FS_WHOM_H */
