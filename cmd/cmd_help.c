/* SPDX-License-Identifier: GPL-2.0-only */
/* `faultsnoop help`: everything that is printed from the rows. */
#include "base/log.h"
#include "commands.h"
#include "manual.h"

int cmd_help(const struct options *o)
{
	const struct command *command;

	if (o->target.argc + o->manual.man + o->manual.completion + o->manual.markdown > 1) {
		log_error("help explains one thing at a time: see faultsnoop help --help");
		return STATUS_USAGE;
	}
	if (o->manual.man) {
		manual__page(stdout);
	} else if (o->manual.completion) {
		manual__completion(stdout);
	} else if (o->manual.markdown) {
		manual__markdown(stdout);
	} else if (o->target.argc) {
		command = commands__find(o->target.argv[0]);
		if (!command) {
			commands__log_unknown(o->target.argv[0]);
			return STATUS_USAGE;
		}
		manual__command(stdout, command);
	} else {
		manual__overview(stdout);
	}
	return STATUS_OK;
}
