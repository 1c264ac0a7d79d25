/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A map of code that a program made, as perf defined it: lines "START SIZE NAME", numbers in hex
 * (tools/perf/Documentation/jit-interface.txt). What is written later stands where code overlaps.
 */
#ifndef FS_PERFMAP_H
#define FS_PERFMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#define PERFMAP_MAX_BYTES (32U << 20) /* of a file that are read */

struct perfmap;

/*
 * Read the map from an open file, from its beginning; lines that make no sense, the last one where
 * it has no newline yet, and what is beyond PERFMAP_MAX_BYTES are skipped. NULL with errno.
 */
struct perfmap *perfmap__read(int fd);
void perfmap__free(struct perfmap *m);

/* Name of the code that holds an address, and where it starts; it lives as long as m. NULL: none. */
const char *perfmap__find(const struct perfmap *m, __u64 addr, __u64 *start);

/* Bytes that were there when it was read. */
__u64 perfmap__size(const struct perfmap *m);

#endif /* FS_PERFMAP_H */
