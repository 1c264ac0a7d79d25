/* SPDX-License-Identifier: GPL-2.0-only */
#include "base/memory.h"

#include <stdlib.h>
#include <unistd.h>

void *with_room(void *v, size_t n, size_t *room, size_t size)
{
	size_t more = *room ? *room * 2 : 4;

	if (n < *room)
		return v;
	v = reallocarray(v, more, size);
	if (v)
		*room = more;
	return v;
}

size_t page_round(size_t bytes)
{
	size_t page = sysconf(_SC_PAGESIZE);

	return (bytes + page - 1) & ~(page - 1);
}
