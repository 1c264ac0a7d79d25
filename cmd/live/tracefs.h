/* SPDX-License-Identifier: GPL-2.0-only */
/* Tracepoint ids, also where tracefs is not mounted: as a mount that only this process has. */
#ifndef FS_TRACEFS_H
#define FS_TRACEFS_H

/*
 * A directory fd of tracefs, close-on-exec: a detached mount (fsopen(2), 5.2+), else the mounted
 * one. -errno where neither can be had.
 */
int tracefs__open(void);

/* Id of a tracepoint, for perf_event_attr.config; -ENOENT where this kernel has none of that name. */
int tracefs__id(int tracefs_fd, const char *category, const char *name);

#endif /* FS_TRACEFS_H */
