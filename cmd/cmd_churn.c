// SPDX-License-Identifier: GPL-2.0-only
/* churn: memory that comes and goes. */
#include "commands.h"
#include "mappings.h"

int cmd_churn(const struct options *o)
{
	return mappings__run(o, MAPPING_CHURN);
}
