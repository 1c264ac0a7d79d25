/* SPDX-License-Identifier: GPL-2.0-only */
#include <ctype.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>

#include "base/kind_names.h"
#include "manual.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define SCREEN_COLUMNS 80
#define HELP_COLUMN    30 /* where the explanation of an option begins */
#define ROFF_COLUMNS   72
#define TEXT_MAX       1024

#define PURPOSE "trace page faults and memory mappings by region"

static const char *const about =
	"Watches page faults and the calls that shape an address space (mmap, munmap, brk and the "
	"like) as they happen, in every process or in those you name, and tells which memory "
	"regions fault, why, how often and how long it takes, who maps memory, how much of it is "
	"used, and what is given back again and again.";

static const char *const needs =
	"Needs Linux 6.1 or newer with BTF, and root or the capabilities CAP_BPF, CAP_PERFMON and "
	"CAP_SYS_PTRACE.";

static const struct status_row {
	int status;
	const char *meaning;
} statuses[] = {
	{ STATUS_OK, "All went well." },
	{ STATUS_FAILED, "Something failed; a line on standard error says what." },
	{ STATUS_USAGE, "The command line is wrong." },
	{ STATUS_CANNOT, "This kernel or these rights do not allow it." },
};

/* Print text, breaking lines at blanks before `columns`; the cursor stands at column `at`. */
static void wrap(FILE *f, const char *text, int at, int indent, int columns)
{
	bool first = true;
	int len;

	for (; *text; text += len) {
		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (!first && at + 1 + len > columns) {
			fprintf(f, "\n%*s", indent, "");
			at = indent;
			first = true;
		}
		at += fprintf(f, "%s%.*s", first ? "" : " ", len, text);
		first = false;
	}
	fputc('\n', f);
}

/* "-p, --pid PID[,PID]" */
static int option_label(const struct option_row *row, char *buf, size_t size)
{
	char letter[8] = "    ";

	if (row->short_name)
		snprintf(letter, sizeof(letter), "-%c, ", row->short_name);
	return snprintf(buf, size, "%s--%s%s%s", letter, row->name, row->metavar ? " " : "",
			row->metavar ? row->metavar : "");
}

/* The words that an option takes: "region, class, process". */
static void option_words(const struct option_row *row, const char *between, char *buf, size_t size)
{
	struct option_word word;
	size_t i, used = 0;

	buf[0] = '\0';
	if (!row->word)
		return;
	for (i = 0; row->word(i, &word) && used < size; i++)
		used += snprintf(buf + used, size - used, "%s%s", i ? between : "", word.name);
}

/* Is the metavar the list of words? */
static bool shows_words(const struct option_row *row)
{
	return row->word && strchr(row->metavar, '|');
}

/* The commands that take an option, "stat, trace". */
static void option_commands(const struct option_row *row, char *buf, size_t size)
{
	const struct command *command;
	size_t i, used = 0;

	buf[0] = '\0';
	for (i = 0; (command = commands__row(i)) && used < size; i++)
		if (row->commands & command->bit)
			used += snprintf(buf + used, size - used, "%s%s", used ? ", " : "",
					 command->name);
}

static void print_examples(FILE *f, const struct example *example)
{
	for (; example->line; example++)
		fprintf(f, "  %s\n      %s\n", example->line, example->what);
}

void manual__overview(FILE *f)
{
	const struct command *command;
	size_t i;

	fprintf(f, "%s %s: %s\n\n", FAULTSNOOP_NAME, FAULTSNOOP_VERSION, PURPOSE);
	fprintf(f, "Usage: %s COMMAND [options] [-- PROGRAM ARG...]\n\n", FAULTSNOOP_NAME);
	wrap(f, about, 0, 0, SCREEN_COLUMNS);
	fputs("\nCommands:\n", f);
	for (i = 0; (command = commands__row(i)); i++)
		fprintf(f, "  %-10s %s\n", command->name, command->summary);
	fputs("\nExamples:\n", f);
	for (i = 0; (command = commands__row(i)); i++)
		fprintf(f, "  %s\n      %s\n", command->examples[0].line,
			command->examples[0].what);
	fprintf(f, "\n%s COMMAND --help explains a command; --version prints the version.\n",
		FAULTSNOOP_NAME);
}

static void print_option(FILE *f, const struct option_row *row)
{
	char label[128], words[TEXT_MAX], text[2 * TEXT_MAX];
	int at;

	option_label(row, label, sizeof(label));
	option_words(row, ", ", words, sizeof(words));
	if (!*words || shows_words(row))
		snprintf(text, sizeof(text), "%s", row->help);
	else
		snprintf(text, sizeof(text), "%s (%s)", row->help, words);
	at = fprintf(f, "  %s", label);
	if (at > HELP_COLUMN - 2) {
		fputc('\n', f);
		at = 0;
	}
	fprintf(f, "%*s", HELP_COLUMN - at, "");
	wrap(f, text, HELP_COLUMN, HELP_COLUMN, SCREEN_COLUMNS);
}

void manual__command(FILE *f, const struct command *command)
{
	const struct option_row *row;
	enum option_group group;
	bool headed;
	size_t i;

	fprintf(f, "Usage: %s %s %s\n\n", FAULTSNOOP_NAME, command->name, command->usage);
	wrap(f, command->description, 0, 0, SCREEN_COLUMNS);
	for (group = 0; group < GROUP_NR; group++) {
		for (headed = false, i = 0; (row = options__row(i)); i++) {
			if (row->group != group || !(row->commands & command->bit))
				continue;
			if (!headed)
				fprintf(f, "\n%s:\n", option_group_title(group));
			headed = true;
			print_option(f, row);
		}
	}
	fputs("\nExamples:\n", f);
	print_examples(f, command->examples);
}

/*
 * Roff. What is printed as text keeps its meaning: backslashes, and characters that groff turns
 * into typographic ones (man-pages(7), groff_char(7)).
 */
static int roff_word(FILE *f, const char *word, int len, bool literal)
{
	const char *special;
	int i, at = 0;

	/* An option's hyphens must stay ASCII to be searched for and copied. */
	literal |= word[0] == '-';
	for (i = 0; i < len; i++) {
		special = NULL;
		if (word[i] == '\\')
			special = "\\e";
		else if (word[i] == '-' && literal)
			special = "\\-";
		else if (word[i] == '\'' && literal)
			special = "\\(aq";
		else if (word[i] == '~')
			special = "\\(ti";
		else if (word[i] == '^')
			special = "\\(ha";
		if (!i && (word[i] == '.' || word[i] == '\''))
			at += fprintf(f, "\\&");
		if (!strncmp(word + i, "\u2026", 3)) {
			/* The C locale's terminals have no ellipsis. */
			special = "...";
			i += 2;
		}
		at += special ? fprintf(f, "%s", special) : fprintf(f, "%c", word[i]);
	}
	return at;
}

/* A paragraph of prose: short lines, and a new one for each sentence, as roff wants it. */
static void roff_text(FILE *f, const char *text)
{
	bool first = true;
	int at = 0, len;

	for (; *text; text += len) {
		text += strspn(text, " ");
		len = strcspn(text, " ");
		if (!len)
			break;
		if (!first && (at + 1 + len > ROFF_COLUMNS || text[-2] == '.')) {
			fputc('\n', f);
			at = 0;
			first = true;
		}
		if (!first)
			at += fprintf(f, " ");
		at += roff_word(f, text, len, false);
		first = false;
	}
	fputc('\n', f);
}

static void roff_bold(FILE *f, const char *text)
{
	fputs("\\fB", f);
	roff_word(f, text, strlen(text), true);
	fputs("\\fR", f);
}

static void roff_item(FILE *f, const char *name, const char *text)
{
	fputs(".TP\n", f);
	roff_bold(f, name);
	fputc('\n', f);
	roff_text(f, text);
}

/* A sentence from one that lacks its full stop, or more. */
static void roff_sentence(FILE *f, const char *text, const char *more)
{
	char buf[2 * TEXT_MAX];

	snprintf(buf, sizeof(buf), "%c%s.%s%s", toupper((unsigned char)text[0]), text + 1,
		 *more ? " " : "", more);
	roff_text(f, buf);
}

static void page_commands(FILE *f)
{
	const struct command *command;
	size_t i;

	fputs(".SH COMMANDS\n", f);
	for (i = 0; (command = commands__row(i)); i++) {
		fputs(".TP\n", f);
		roff_bold(f, command->name);
		fputc(' ', f);
		roff_word(f, command->usage, strlen(command->usage), true);
		fputc('\n', f);
		roff_text(f, command->description);
	}
}

/* Words with descriptions that have no section of their own, as an inner list. */
static void page_words(FILE *f, const struct option_row *row)
{
	struct option_word word;
	char plain[TEXT_MAX];
	size_t i, used = 0;

	plain[0] = '\0';
	fputs(".RS\n", f);
	for (i = 0; row->word(i, &word); i++) {
		if (word.desc)
			roff_item(f, word.name, word.desc);
		else if (used < sizeof(plain))
			used += snprintf(plain + used, sizeof(plain) - used, "%s%s",
					 used ? ", " : "", word.name);
	}
	if (*plain) {
		fputs(".PP\n", f);
		roff_text(f, plain);
	}
	fputs(".RE\n", f);
}

static void page_option(FILE *f, const struct option_row *row)
{
	char commands[TEXT_MAX], more[TEXT_MAX + 32], name[64];

	fputs(".TP\n", f);
	if (row->short_name) {
		snprintf(name, sizeof(name), "-%c", row->short_name);
		roff_bold(f, name);
		fputs(", ", f);
	}
	snprintf(name, sizeof(name), "--%s", row->name);
	roff_bold(f, name);
	if (row->metavar)
		fprintf(f, " \\fI%s\\fR", row->metavar);
	fputc('\n', f);
	option_commands(row, commands, sizeof(commands));
	snprintf(more, sizeof(more), "(%s)", commands);
	roff_sentence(f, row->help, more);
	/* Regions have a section of their own. */
	if (row->word && !shows_words(row) && strcmp(row->noun, "region"))
		page_words(f, row);
}

static void page_options(FILE *f)
{
	const struct option_row *row;
	enum option_group group;
	size_t i;

	fputs(".SH OPTIONS\n", f);
	roff_text(f, "In brackets: the commands that take the option. A long name may be shortened "
		     "as long as it stays unambiguous. Options end at -- or at the first word that "
		     "is none: there PROGRAM begins.");
	for (group = 0; group < GROUP_NR; group++) {
		fprintf(f, ".SS %s\n", option_group_title(group));
		for (i = 0; (row = options__row(i)); i++)
			if (row->group == group)
				page_option(f, row);
	}
}

static void page_kinds(FILE *f)
{
	int i;

	fputs(".SH REGIONS\n", f);
	roff_text(f, "Where a fault fell:");
	for (i = 0; i < FS_REGION_NR; i++)
		roff_item(f, region_name(i), region_desc(i));
	fputs(".SH CLASSES\n", f);
	roff_text(f, "What the kernel had to do:");
	for (i = 0; i < FS_CLASS_NR; i++)
		roff_item(f, class_name(i), class_desc(i));
	fputs(".SH LOSSES\n", f);
	roff_text(f, "Totals are counted in the kernel and always exact. Where detail was lost, "
		     "each output says how much and why:");
	for (i = 0; i < FS_LOSS_NR; i++)
		roff_item(f, loss_name(i), loss_desc(i));
}

static void page_examples(FILE *f)
{
	const struct command *command;
	const struct example *example;
	size_t i;

	fputs(".SH EXAMPLES\n", f);
	for (i = 0; (command = commands__row(i)); i++) {
		for (example = command->examples; example->line; example++) {
			fputs(".TP\n", f);
			roff_bold(f, example->line);
			fputc('\n', f);
			roff_sentence(f, example->what, "");
		}
	}
}

void manual__page(FILE *f)
{
	char number[16];
	size_t i;

	fprintf(f, ".\\\" SPDX-License-Identifier: GPL-2.0-only\n");
	fprintf(f, ".\\\" Printed by %s help --man.\n", FAULTSNOOP_NAME);
	fprintf(f, ".TH FAULTSNOOP 8 %s \"%s %s\" \"System Administration\"\n", FAULTSNOOP_DATE,
		FAULTSNOOP_NAME, FAULTSNOOP_VERSION);
	fprintf(f, ".SH NAME\n%s \\- %s\n", FAULTSNOOP_NAME, PURPOSE);
	fprintf(f, ".SH SYNOPSIS\n.B %s\n.I COMMAND\n[options]\n[\\-\\- PROGRAM ARG...]\n",
		FAULTSNOOP_NAME);
	fprintf(f, ".PP\n.B %s\n\\-\\-help | \\-\\-version\n", FAULTSNOOP_NAME);
	fputs(".SH DESCRIPTION\n", f);
	roff_text(f, about);
	fputs(".PP\n", f);
	roff_text(f,
		  "Without a target, everything is traced. With a PROGRAM, it is started, held "
		  "until all is attached, and counted from its first instruction on. Ctrl-C ends "
		  "a run and prints its result; data goes to standard output, words to standard "
		  "error.");
	fputs(".PP\n", f);
	roff_text(f, needs);
	page_commands(f);
	page_options(f);
	page_kinds(f);
	fputs(".SH \"EXIT STATUS\"\n", f);
	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		snprintf(number, sizeof(number), "%d", statuses[i].status);
		roff_item(f, number, statuses[i].meaning);
	}
	fputs(".PP\n", f);
	roff_text(f, "A check that found a difference ends with 1. Where a PROGRAM was run and "
		     "tracing went well, the status is that of PROGRAM.");
	page_examples(f);
	fputs(".SH \"SEE ALSO\"\n.BR perf\\-trace (1),\n.BR bpftrace (8),\n.BR mmap (2),\n"
	      ".BR brk (2),\n.BR getrusage (2),\n.BR proc (5),\n.BR capabilities (7)\n",
	      f);
}

/* A cell of a table: a bar would end it. */
static void markdown_cell(FILE *f, const char *text)
{
	for (; *text; text++)
		fprintf(f, "%s%c", *text == '|' ? "\\" : "", *text);
}

static void markdown_row(FILE *f, const char *name, const char *second, const char *text)
{
	fputs("| `", f);
	markdown_cell(f, name);
	fputs("` | ", f);
	if (second) {
		markdown_cell(f, second);
		fputs(" | ", f);
	}
	markdown_cell(f, text);
	fputs(" |\n", f);
}

void manual__markdown(FILE *f)
{
	const struct command *command;
	const struct option_row *row;
	char label[128], commands[TEXT_MAX];
	size_t i;

	fputs("| Command | What it does |\n| --- | --- |\n", f);
	for (i = 0; (command = commands__row(i)); i++)
		markdown_row(f, command->name, NULL, command->summary);
	fputs("\n| Option | Commands | Meaning |\n| --- | --- | --- |\n", f);
	for (i = 0; (row = options__row(i)); i++) {
		option_label(row, label, sizeof(label));
		option_commands(row, commands, sizeof(commands));
		markdown_row(f, label + strspn(label, " "), commands, row->help);
	}
	fputs("\n| Region | Where |\n| --- | --- |\n", f);
	for (i = 0; i < FS_REGION_NR; i++)
		markdown_row(f, region_name(i), NULL, region_desc(i));
	fputs("\n| Class | What the kernel had to do |\n| --- | --- |\n", f);
	for (i = 0; i < FS_CLASS_NR; i++)
		markdown_row(f, class_name(i), NULL, class_desc(i));
	fputs("\n| Status | Meaning |\n| --- | --- |\n", f);
	for (i = 0; i < ARRAY_SIZE(statuses); i++) {
		snprintf(label, sizeof(label), "%d", statuses[i].status);
		markdown_row(f, label, NULL, statuses[i].meaning);
	}
}
