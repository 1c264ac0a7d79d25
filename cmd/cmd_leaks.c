// SPDX-License-Identifier: GPL-2.0-only
/* leaks: mappings that stay. */
#include "commands.h"
#include "mappings.h"

int cmd_leaks(const struct options *o)
{
	return mappings__run(o, MAPPING_LEAKS);
}
