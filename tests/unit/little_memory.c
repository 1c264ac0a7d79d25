/* SPDX-License-Identifier: GPL-2.0-only */
#include "unit/little_memory.h"

#include <errno.h>
#include <stdlib.h>

unsigned int memory_left = MEMORY_ENOUGH;

/* In the place of the C library's. */
void *reallocarray(void *p, size_t n, size_t size)
{
	size_t bytes;

	if (!memory_left || __builtin_mul_overflow(n, size, &bytes)) {
		errno = ENOMEM;
		return NULL;
	}
	if (memory_left != MEMORY_ENOUGH)
		memory_left--;
	return realloc(p, bytes);
}
