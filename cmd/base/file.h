/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_BASE_FILE_H
#define FS_BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/types.h>

/*
 * Read up to len bytes at an offset, as many as there are: pread(2) without its short reads and EINTR.
 * Their number, less than len at the end of the file, or -errno. No mmap(2): a file that is cut short
 * meanwhile would kill us with SIGBUS.
 */
ssize_t read_at(int fd, void *buf, size_t len, __u64 offset);

#endif /* FS_BASE_FILE_H */
