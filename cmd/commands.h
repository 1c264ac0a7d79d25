/* SPDX-License-Identifier: GPL-2.0-only */
/* The commands. A new one is a cmd_NAME.c, a row in commands.c and a bit in options.h. */
#ifndef FS_COMMANDS_H
#define FS_COMMANDS_H

#include <stddef.h>

#include "options.h"

#define FAULTSNOOP_NAME    "faultsnoop"
#define FAULTSNOOP_VERSION "0.1.0"
#define FAULTSNOOP_DATE    "2026-11-20" /* of the version, for the man page */

/* What may follow the options. */
enum operand { OPERAND_NONE, OPERAND_PROGRAM, OPERAND_COMMAND };

struct example {
	const char *line; /* as typed; NULL ends the list */
	const char *what; /* what it answers */
};

struct command {
	const char *name;
	const char *summary;     /* a line for the list of commands */
	const char *usage;       /* what follows the name in the usage line */
	const char *description; /* a paragraph */
	const struct example *examples;
	enum command_bit bit; /* its options are the rows that have it */
	enum operand operand;
	int (*run)(const struct options *o); /* gives the exit status */
};

/* Row i, NULL beyond the last. */
const struct command *commands__row(size_t i);

/* The command of that name, or NULL. */
const struct command *commands__find(const char *name);

/* "unknown command", with the nearest one. */
void commands__log_unknown(const char *name);

int cmd_stat(const struct options *o);
int cmd_trace(const struct options *o);
int cmd_flame(const struct options *o);
int cmd_map(const struct options *o);
int cmd_touched(const struct options *o);
int cmd_churn(const struct options *o);
int cmd_leaks(const struct options *o);
int cmd_check(const struct options *o);
int cmd_features(const struct options *o);
int cmd_help(const struct options *o);

#endif /* FS_COMMANDS_H */
