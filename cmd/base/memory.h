/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_MEMORY_H
#define FS_MEMORY_H

#include <stddef.h>

/*
 * The vector of n elements of a size, with room for one more: moved where *room, which it has now, was
 * too small. NULL: no memory; then it is as it was.
 */
void *with_room(void *v, size_t n, size_t *room, size_t size);

/* Bytes, rounded up to whole pages. */
size_t page_round(size_t bytes);

#endif /* FS_MEMORY_H */
