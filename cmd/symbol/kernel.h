/* SPDX-License-Identifier: GPL-2.0-only */
/* A list of the kernel's symbols as /proc/kallsyms has it. */
#ifndef FS_KERNEL_H
#define FS_KERNEL_H

#include "symbol/internal.h"

/* Read the list from a file; lines that make no sense are skipped. NULL with errno. */
struct kernel_symbols *kernel_symbols__read(int fd);

/* How many have an address. */
size_t kernel_symbols__count(const struct kernel_symbols *k);

/*
 * Name of the function that holds an address, where it starts, and "[kernel.kallsyms]" or "[module]"; they
 * live as long as k. NULL: none.
 */
const char *kernel_symbols__find(const struct kernel_symbols *k, __u64 addr, __u64 *start,
				 const char **module);

#endif /* FS_KERNEL_H */
