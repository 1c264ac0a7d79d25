/* SPDX-License-Identifier: GPL-2.0-only */
/* Everything that explains the program, printed from the rows of commands, options and kinds. */
#ifndef FS_MANUAL_H
#define FS_MANUAL_H

#include <stdio.h>

#include "commands.h"

/* What `faultsnoop` is and its commands, at 80 columns. */
void manual__overview(FILE *f);

/* Usage, options and examples of a command, at 80 columns. */
void manual__command(FILE *f, const struct command *command);

/* The man page, in man(7)'s roff macros. */
void manual__page(FILE *f);

/* A bash script that completes commands, options and the words that options take. */
void manual__completion(FILE *f);

/* The tables of the README: commands, options, regions, classes. */
void manual__markdown(FILE *f);

#endif /* FS_MANUAL_H */
