/* SPDX-License-Identifier: GPL-2.0-only */
/* The help, the man page and the completion say what the rows say, and their readers take them. */
#include <ctype.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/kind_names.h"
#include "capture.h"
#include "commands.h"
#include "manual.h"

/* What a writer prints; the caller frees it. */
static char *printed(void (*writer)(FILE *))
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	writer(f);
	fclose(f);
	assert_int_equal(strlen(text), len);
	return text;
}

static char *printed_command(const struct command *command)
{
	char *text = NULL;
	size_t len;
	FILE *f = open_memstream(&text, &len);

	assert_non_null(f);
	manual__command(f, command);
	fclose(f);
	return text;
}

/* At most 80 columns, no blanks at the ends of lines, a newline at the end. */
static void assert_fits_screen(const char *text)
{
	size_t len;

	assert_int_equal(text[strlen(text) - 1], '\n');
	for (; *text; text += len + 1) {
		len = strcspn(text, "\n");
		if (len > 80)
			fail_msg("too wide: %.*s", (int)len, text);
		if (len && text[len - 1] == ' ')
			fail_msg("blank at the end: '%.*s'", (int)len, text);
	}
}

static void assert_holds(const char *text, const char *part)
{
	if (!strstr(text, part))
		fail_msg("no '%s' in:\n%.2000s", part, text);
}

static void test_overview(void **state)
{
	char *text = printed(manual__overview);
	const struct command *command;
	size_t i;

	assert_fits_screen(text);
	assert_holds(text, "faultsnoop " FAULTSNOOP_VERSION);
	for (i = 0; (command = commands__row(i)); i++) {
		assert_holds(text, command->name);
		assert_holds(text, command->summary);
	}
	free(text);
}

/* Each option of a command is in its help, and no other; so are the words that it takes. */
/* Two commands may have options of one name, in rows of their own. */
static bool has_option(const struct command *command, const char *name)
{
	const struct option_row *row;

	for (size_t i = 0; (row = options__row(i)); i++)
		if ((row->commands & command->bit) && !strcmp(row->name, name))
			return true;
	return false;
}

static void test_command(void **state)
{
	const struct command *command;
	const struct option_row *row;
	char label[64], *text;
	size_t i, j;

	for (i = 0; (command = commands__row(i)); i++) {
		text = printed_command(command);
		assert_fits_screen(text);
		for (j = 0; (row = options__row(j)); j++) {
			if (row->short_name)
				snprintf(label, sizeof(label), "  -%c, --%s", row->short_name,
					 row->name);
			else
				snprintf(label, sizeof(label), "      --%s ", row->name);
			if (row->commands & command->bit)
				assert_holds(text, label);
			else if (!has_option(command, row->name))
				assert_null(strstr(text, label));
		}
		assert_true(command->examples[0].line != NULL);
		assert_holds(text, command->examples[0].line);
		free(text);
	}
	text = printed_command(commands__find("stat"));
	assert_holds(text, "process, thread, mapping");
	assert_holds(text, "thread-stack");
	free(text);
}

/* The examples are command lines that the parser takes. */
static void test_examples(void **state)
{
	const struct command *command;
	const struct example *example;
	size_t i;

	for (i = 0; (command = commands__row(i)); i++) {
		for (example = command->examples; example->line; example++) {
			char line[128], *argv[32], *rest = line, *word;
			const struct command *other;
			struct options o;
			int argc = 0;

			snprintf(line, sizeof(line), "%s", example->line);
			if (strncmp(line, "faultsnoop ", 11) || strchr(line, '|'))
				continue;
			while ((word = strsep(&rest, " ")))
				argv[argc++] = word;
			argv[argc] = NULL;
			other = commands__find(argv[1]);
			assert_ptr_equal(other, command);
			assert_int_equal(options__parse(&o, other, argc - 1, argv + 1), 0);
			options__clear(&o);
		}
	}
}

static void test_unknown_command(void **state)
{
	struct capture c;

	assert_null(commands__find("sta"));
	assert_null(commands__find(""));
	capture__begin(&c);
	commands__log_unknown("stats");
	assert_string_equal(capture__end(&c),
			    "faultsnoop: unknown command 'stats': did you mean 'stat'?\n");
	capture__begin(&c);
	commands__log_unknown("\x1b");
	assert_string_equal(capture__end(&c),
			    "faultsnoop: unknown command '\\x1b': see faultsnoop --help\n");
}

/* Give text to a shell command's stdin; its status, and what it printed in out. */
static int filter(const char *shell, const char *text, char *out, size_t size)
{
	FILE *in = tmpfile(), *f;
	char command[512];
	size_t n;
	int status;

	assert_non_null(in);
	fputs(text, in);
	fflush(in);
	rewind(in);
	/* popen's shell inherits no stdin but ours: the text comes as descriptor N */
	snprintf(command, sizeof(command), "{ %s ; } 2>&1 <&%d", shell, fileno(in));
	f = popen(command, "r");
	assert_non_null(f);
	n = fread(out, 1, size - 1, f);
	out[n] = '\0';
	fclose(in);
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void test_page(void **state)
{
	char *text = printed(manual__page), *at, name[64], *to;
	const struct option_row *row;
	const char *from;
	size_t i;

	static const char *const sections[] = { "NAME",        "SYNOPSIS",        "DESCRIPTION",
						"COMMANDS",    "OPTIONS",         "REGIONS",
						"CLASSES",     "\"EXIT STATUS\"", "EXAMPLES",
						"\"SEE ALSO\"" };

	at = text;
	for (i = 0; i < sizeof(sections) / sizeof(sections[0]); i++) {
		snprintf(name, sizeof(name), "\n.SH %s\n", sections[i]);
		assert_holds(at, name); /* in this order */
		at = strstr(at, name);
	}
	/* hyphens of options are \-: to be found and copied as typed */
	for (i = 0; (row = options__row(i)); i++) {
		to = stpcpy(name, "\\fB\\-\\-");
		for (from = row->name; *from; from++)
			to = *from == '-' ? stpcpy(to, "\\-") : (*to = *from, to + 1);
		strcpy(to, "\\fR");
		assert_holds(text, name);
	}
	for (at = text; *at; at++)
		assert_true(*at == '\n' || (*at >= ' ' && *at < 0x7f));
	free(text);
}

/* groff, as man(1) calls it, has nothing to say about the page, and it shows what was meant. */
static void test_page_renders(void **state)
{
	static char shown[65536];
	char *text;
	int i;

	if (system("command -v man groff >/dev/null 2>&1"))
		skip();
	text = printed(manual__page);
	assert_int_equal(filter("LC_ALL=C MANWIDTH=80 man --warnings -l - >/dev/null", text, shown,
				sizeof(shown)),
			 0);
	assert_string_equal(shown, "");
	filter("LC_ALL=C MANWIDTH=80 man -l - | col -bx", text, shown, sizeof(shown));
	assert_holds(shown, "-p, --pid PID[,PID]");
	assert_holds(shown, "faultsnoop stat -n 'postgres*' --by process,region");
	assert_holds(shown, "REGIONS\n");
	for (i = 0; i < FS_REGION_NR; i++)
		assert_holds(shown, region_name(i));
	for (i = 0; i < FS_CLASS_NR; i++)
		assert_holds(shown, class_desc(i));
	free(text);
}

/* What bash offers for the last of the words, one blank between. */
static void complete(const char *script, const char *words, char *out, size_t size)
{
	char shell[512];

	snprintf(shell, sizeof(shell),
		 "bash -c '. /dev/stdin; COMP_WORDS=(%s); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); "
		 "_faultsnoop; echo ${COMPREPLY[*]}'",
		 words);
	filter(shell, script, out, size);
	out[strcspn(out, "\n")] = '\0';
}

static void test_completion(void **state)
{
	static const struct {
		const char *words, *offered;
	} cases[] = {
		{ "faultsnoop \"\"", "stat trace flame map touched churn leaks check features help "
				     "--help --version" },
		{ "faultsnoop st", "stat" },
		{ "faultsnoop stat --re", "--region" },
		{ "faultsnoop trace --ev", "--events" },
		{ "faultsnoop stat --ev", "" },
		{ "faultsnoop stat --region st", "stack" },
		{ "faultsnoop stat --region heap,hu", "heap,hugetlb" },
		{ "faultsnoop stat --region = he", "heap" },
		{ "faultsnoop stat --by region,cl", "region,class" },
		{ "faultsnoop stat --sort fai", "failed" },
		{ "faultsnoop stat -F m", "min maj" },
		{ "faultsnoop trace --events fault,mun", "fault,munmap fault,munlock "
							 "fault,munlockall" },
		{ "faultsnoop stat --region heap --no-", "--no-follow --no-calls --no-latency" },
		{ "faultsnoop help tr", "trace" },
		{ "faultsnoop help --man", "--man" },
		{ "faultsnoop stat -o /dev/nul", "/dev/null" },
		{ "faultsnoop stat -- ls /dev/nul", "/dev/null" },
		{ "faultsnoop stat -d 5 ls --js", "" }, /* is ls's */
		{ "faultsnoop stat -p 1,1", NULL },
	};
	char *script = printed(manual__completion), out[8192];
	size_t i;

	assert_int_equal(filter("bash -n", script, out, sizeof(out)), 0);
	assert_string_equal(out, "");
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		complete(script, cases[i].words, out, sizeof(out));
		if (cases[i].offered && strcmp(out, cases[i].offered))
			fail_msg("%s gave '%s', not '%s'", cases[i].words, out, cases[i].offered);
		else if (!cases[i].offered)
			assert_memory_equal(out, "1,1", 3);
	}
	complete(script, "faultsnoop stat -- bas", out, sizeof(out));
	assert_holds(out, "bash");
	free(script);
}

/* Every line of a table has as many cells as its heading. */
static void test_markdown(void **state)
{
	char *text = printed(manual__markdown), *at;
	int bars = 0, heading = 0;

	assert_holds(text, "| `-F, --pf all\\|min\\|maj` | stat, trace, flame |");
	assert_holds(text, "| `heap` | brk area");
	assert_holds(text, "| `cow` | write to a shared page: copied |");
	assert_holds(text, "| `77` |");
	for (at = text; *at; at++) {
		if (*at == '|' && at[-(at > text)] != '\\')
			bars++;
		if (*at != '\n')
			continue;
		if (!heading)
			heading = bars;
		assert_true(!bars || bars == heading);
		if (!bars)
			heading = 0;
		bars = 0;
	}
	free(text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_overview),   cmocka_unit_test(test_command),
		cmocka_unit_test(test_examples),   cmocka_unit_test(test_unknown_command),
		cmocka_unit_test(test_page),       cmocka_unit_test(test_page_renders),
		cmocka_unit_test(test_completion), cmocka_unit_test(test_markdown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
