/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own table (--in-kernel): cells per process, region and class, read by difference. */
#ifndef FS_CELLS_H
#define FS_CELLS_H

#include <stdbool.h>
#include <linux/types.h>

#include "config.h"
#include "live/session.h"

struct cells;

/*
 * Map the cells and whose they are, and hand out their numbers to the queue `free_fd`. command_fd:
 * the program for enum fs_cell_command. fds stay the caller's. NULL with errno.
 */
struct cells *cells__open(int cells_fd, int owners_fd, int free_fd, int command_fd, __u32 ncpus);
void cells__close(struct cells *c);

/* See session__cells(). */
int cells__harvest(struct cells *c, cell_over_fn over, cell_fn fn, void *ctx);

#endif /* FS_CELLS_H */
