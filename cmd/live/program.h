/* SPDX-License-Identifier: GPL-2.0-only */
/* A program to run: forked, and held before execve until it is let go. */
#ifndef FS_PROGRAM_H
#define FS_PROGRAM_H

#include <stdbool.h>
#include <sys/types.h>

struct program;

/* Fork. argv is NULL-terminated and stays the caller's. NULL with errno. */
struct program *program__start(char *const *argv);

pid_t program__pid(const struct program *p);

/* Readable when the program has ended. */
int program__fd(const struct program *p);

/*
 * Let it go. 0, or the -errno of its execve: -ENOENT where there is no such program, -EACCES where it
 * may not be executed.
 */
int program__release(struct program *p);

/* Has it ended? Then *status is what a shell would show: its exit status, or 128 + the signal. */
bool program__ended(struct program *p, int *status);

/* End it, where it still runs: SIGTERM, and SIGKILL after a second. Frees. NULL is fine. */
void program__free(struct program *p);

#endif /* FS_PROGRAM_H */
