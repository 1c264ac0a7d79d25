/* SPDX-License-Identifier: GPL-2.0-only */
/* The bash completion: a script that knows the rows. */
#include <stdio.h>

#include "manual.h"

static void completion_words(FILE *f, const struct option_row *row)
{
	struct option_word word;
	size_t i;

	fputs(row->type == OPT_WORD ? "_faultsnoop_word '" : "_faultsnoop_list '", f);
	for (i = 0; row->word(i, &word); i++)
		fprintf(f, "%s%s", i ? " " : "", word.name);
	fputc('\'', f);
}

/* What follows an option that takes an argument. Words are quoted: no row holds a quote. */
static void completion_argument(FILE *f, const struct option_row *row)
{
	fprintf(f, "\t--%s", row->name);
	if (row->short_name)
		fprintf(f, " | -%c", row->short_name);
	fputs(")\n\t\t", f);
	if (row->word)
		completion_words(f, row);
	else if (row->type == OPT_IDS)
		fputs("_faultsnoop_list \"$(cd /proc && echo [0-9]*)\"", f);
	else if (row->type == OPT_TEXT)
		fputs("_faultsnoop_files", f);
	else
		fputc(':', f);
	fputs(" ;;\n", f);
}

static void completion_options(FILE *f, const struct command *command)
{
	const struct option_row *row;
	size_t i;

	fprintf(f, "\t%s) echo '", command->name);
	for (i = 0; (row = options__row(i)); i++) {
		if (!(row->commands & command->bit))
			continue;
		fprintf(f, "--%s ", row->name);
		if (row->short_name)
			fprintf(f, "-%c ", row->short_name);
	}
	fputs("' ;;\n", f);
}

/* The parts of the script that no row changes. */
static const char completion_helpers[] =
	"_faultsnoop_word()\n"
	"{\n"
	"\tCOMPREPLY=($(compgen -W \"$1\" -- \"$cur\"))\n"
	"}\n\n"
	"# One word of a comma list: those before it stay.\n"
	"_faultsnoop_list()\n"
	"{\n"
	"\tlocal before=\n"
	"\tcase $cur in *,*) before=${cur%,*}, ;; esac\n"
	"\tCOMPREPLY=($(compgen -P \"$before\" -W \"$1\" -- \"${cur##*,}\"))\n"
	"\tcompopt -o nospace 2>/dev/null\n"
	"}\n\n"
	"_faultsnoop_files()\n"
	"{\n"
	"\tlocal IFS=$'\\n'\n"
	"\tcompopt -o filenames 2>/dev/null\n"
	"\tCOMPREPLY=($(compgen -f -- \"$cur\"))\n"
	"}\n\n"
	"# PROGRAM and its arguments: the word of that index is PROGRAM.\n"
	"_faultsnoop_program()\n"
	"{\n"
	"\tif [ \"$COMP_CWORD\" -eq \"$1\" ]; then\n"
	"\t\tCOMPREPLY=($(compgen -c -- \"$cur\"))\n"
	"\telif declare -F _command_offset >/dev/null; then\n"
	"\t\t_command_offset \"$1\"\n"
	"\telse\n"
	"\t\t_faultsnoop_files\n"
	"\tfi\n"
	"}\n\n";

static const char completion_main[] =
	"_faultsnoop()\n"
	"{\n"
	"\tlocal cur=${COMP_WORDS[COMP_CWORD]} command=${COMP_WORDS[1]} option word i\n"
	"\tlocal commands\n"
	"\tcommands=$(_faultsnoop_commands)\n"
	"\tCOMPREPLY=()\n"
	"\tif [ \"$COMP_CWORD\" -eq 1 ]; then\n"
	"\t\tCOMPREPLY=($(compgen -W \"$commands --help --version\" -- \"$cur\"))\n"
	"\t\treturn\n"
	"\tfi\n"
	"\t# readline breaks --region=heap into three words.\n"
	"\tfor ((i = 2; i < COMP_CWORD; i++)); do\n"
	"\t\tword=${COMP_WORDS[i]}\n"
	"\t\tif [ \"$word\" = = ]; then\n"
	"\t\t\toption=${COMP_WORDS[i - 1]}\n"
	"\t\telif [ -n \"$option\" ]; then\n"
	"\t\t\toption=\n"
	"\t\telif [ \"$word\" = -- ]; then\n"
	"\t\t\t_faultsnoop_program $((i + 1))\n"
	"\t\t\treturn\n"
	"\t\telif _faultsnoop_takes_argument \"$word\"; then\n"
	"\t\t\toption=$word\n"
	"\t\telif [ \"${word#-}\" = \"$word\" ] && [ \"$command\" != help ]; then\n"
	"\t\t\t_faultsnoop_program $i\n"
	"\t\t\treturn\n"
	"\t\tfi\n"
	"\tdone\n"
	"\tif [ \"$cur\" = = ]; then\n"
	"\t\tcur=\n"
	"\tfi\n"
	"\tif [ -n \"$option\" ]; then\n"
	"\t\t_faultsnoop_argument \"$option\"\n"
	"\telif [ \"$command\" = help ]; then\n"
	"\t\t_faultsnoop_word \"$commands $(_faultsnoop_options help)\"\n"
	"\telif [ -n \"$cur\" ] && [ \"${cur#-}\" = \"$cur\" ]; then\n"
	"\t\t_faultsnoop_program \"$COMP_CWORD\"\n"
	"\telse\n"
	"\t\t_faultsnoop_word \"$(_faultsnoop_options \"$command\")\"\n"
	"\tfi\n"
	"}\n\n"
	"complete -F _faultsnoop faultsnoop ./faultsnoop\n";

void manual__completion(FILE *f)
{
	const struct command *command;
	const struct option_row *row;
	size_t i;

	fprintf(f, "# bash completion for %s %s, printed by %s help --completion\n\n",
		FAULTSNOOP_NAME, FAULTSNOOP_VERSION, FAULTSNOOP_NAME);
	fputs("# shellcheck shell=bash disable=SC2207\n\n", f);
	fputs("_faultsnoop_commands()\n{\n\techo '", f);
	for (i = 0; (command = commands__row(i)); i++)
		fprintf(f, "%s ", command->name);
	fputs("'\n}\n\n_faultsnoop_options()\n{\n\tcase $1 in\n", f);
	for (i = 0; (command = commands__row(i)); i++)
		completion_options(f, command);
	fputs("\tesac\n}\n\n_faultsnoop_takes_argument()\n{\n\tcase $1 in\n", f);
	for (i = 0; (row = options__row(i)); i++) {
		if (row->metavar && row->short_name)
			fprintf(f, "\t-%c) return 0 ;;\n", row->short_name);
		if (row->metavar)
			fprintf(f, "\t--%s) return 0 ;;\n", row->name);
	}
	fputs("\tesac\n\treturn 1\n}\n\n", f);
	fputs(completion_helpers, f);
	fputs("_faultsnoop_argument()\n{\n\tcase $1 in\n", f);
	for (i = 0; (row = options__row(i)); i++)
		if (row->metavar)
			completion_argument(f, row);
	fputs("\tesac\n}\n\n", f);
	fputs(completion_main, f);
}
