/* SPDX-License-Identifier: GPL-2.0-only */
/* reallocarray() that finds no memory when a test wants that. */
#ifndef FS_TEST_LITTLE_MEMORY_H
#define FS_TEST_LITTLE_MEMORY_H

#include <limits.h>

#define MEMORY_ENOUGH UINT_MAX

/* So many more calls find memory; as many as like unless a test says otherwise. */
extern unsigned int memory_left;

#endif /* FS_TEST_LITTLE_MEMORY_H */
