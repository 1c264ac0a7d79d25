/* SPDX-License-Identifier: GPL-2.0-only */
/* The kernel's own table (--in-kernel): cells per process, region and class, read by difference. */
#ifndef FS_CELLS_H
#define FS_CELLS_H

#include <stdbool.h>
#include <linux/types.h>

#include "config.h"
#include "live/session.h"

struct cells;

/* Map the cells and hand out their numbers. fds stay the caller's. NULL with errno. */
struct cells *cells__open(int cells_fd, int numbers_fd, int free_fd, __u32 ncpus);
void cells__close(struct cells *c);

/*
 * Deliver what each cell has counted since it was last delivered. pid 0: of all processes; else of
 * one that will write no more, and whose cells are then free. 0, -errno, or what fn returned.
 */
int cells__harvest(struct cells *c, __u32 pid, cell_fn fn, void *ctx);

#endif /* FS_CELLS_H */
