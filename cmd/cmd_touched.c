// SPDX-License-Identifier: GPL-2.0-only
/* touched: how much of what is mapped is ever touched. */
#include "commands.h"
#include "mappings.h"

int cmd_touched(const struct options *o)
{
	return mappings__run(o, MAPPING_TOUCHED);
}
