/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <getopt.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat.h"
#include "base/log.h"
#include "base/text.h"
#include "base/units.h"
#include "commands.h"
#include "event.h"
#include "options.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define LONG_BASE     256 /* getopt_long's value of row i: beyond the letters */
#define PROGRAM       NULL

/* clang-format off */
static const struct conflict {
	const char *a, *b;	/* long names, or PROGRAM */
} conflicts[] = {
	{ "all", "pid" }, { "all", "tid" }, { "all", PROGRAM },
	{ "pid", "tid" }, { "pid", "name" }, { "pid", "cgroup" }, { "pid", PROGRAM },
	{ "tid", "name" }, { "tid", "cgroup" }, { "tid", PROGRAM },
	{ "name", PROGRAM }, { "cgroup", PROGRAM },
	{ "json", "csv" },
	{ "user-stacks-only", "kernel-stacks-only" },
	{ "with", "in-kernel" }, { "with", "no-calls" }, { "with", "tid" }, { "with", "region" },
	{ "no-stacks", "inlines" }, { "no-stacks", "debuginfod" },
};
/* clang-format on */

struct parser {
	struct options *o;
	const struct command *command;
	bool seen[OPTION_ROWS_MAX]; /* by row */
};

const char *nearest_word(const char *misspelt, const char *const *words, size_t n)
{
	const char *nearest = NULL;
	int best = INT_MAX, distance;
	size_t i, len = strlen(misspelt);

	for (i = 0; i < n; i++) {
		distance = text_distance(misspelt, words[i]);
		/* A beginning is near whatever is missing; else two slips, one in a short word. */
		if (len >= 2 && !strncmp(words[i], misspelt, len))
			distance = 0;
		else if (distance > (len > 3 ? 2 : 1))
			continue;
		if (distance < best) {
			best = distance;
			nearest = words[i];
		}
	}
	return nearest;
}

/* Append to a list; -ENOMEM. */
static int grow(void *list, size_t n, size_t size)
{
	void *bigger = reallocarray(*(void **)list, n + 1, size);

	if (!bigger) {
		log_error("out of memory");
		return -ENOMEM;
	}
	*(void **)list = bigger;
	return 0;
}

/* "64.0 KiB to 4.0 GiB": what the number of a row may be. */
static void row_range(const struct option_row *row, char *buf, size_t size)
{
	char low[FMT_LEN], high[FMT_LEN];

	switch (row->type) {
	case OPT_SIZE:
		snprintf(buf, size, "%s to %s", fmt_bytes(low, sizeof(low), row->min),
			 fmt_bytes(high, sizeof(high), row->max));
		break;
	case OPT_SECONDS:
		snprintf(buf, size, "%.9g to %.9g seconds", row->min / 1e9, row->max / 1e9);
		break;
	case OPT_MILLISECONDS:
		snprintf(buf, size, "%.12g to %.12g milliseconds", row->min / 1e6, row->max / 1e6);
		break;
	case OPT_MICROSECONDS:
		snprintf(buf, size, "%.12g to %.12g microseconds", row->min / 1e3, row->max / 1e3);
		break;
	default:
		snprintf(buf, size, "%llu to %llu", (unsigned long long)row->min,
			 (unsigned long long)row->max);
	}
}

static int parse_number(const struct option_row *row, const char *text, __u64 *out)
{
	const char *what = "a number";
	char range[80];
	__u64 value = 0;
	int err;

	switch (row->type) {
	case OPT_SECONDS:
		what = "a number of seconds";
		err = parse_seconds(text, &value);
		break;
	case OPT_MILLISECONDS:
		what = "a number of milliseconds";
		err = parse_milliseconds(text, &value);
		break;
	case OPT_MICROSECONDS:
		what = "a number of microseconds";
		err = parse_microseconds(text, &value);
		break;
	case OPT_SIZE:
		what = "a size such as 512K or 64M";
		err = parse_size(text, &value);
		break;
	default:
		err = parse_u64(text, 0, ~0ULL, &value);
	}
	row_range(row, range, sizeof(range));
	if (err == -EINVAL) {
		log_error("--%s: '%s' is not %s (%s)", row->name, text, what, range);
		return -EINVAL;
	}
	if (err || value < row->min || value > row->max) {
		log_error("--%s: %s is out of range: %s", row->name, text, range);
		return -EINVAL;
	}
	*out = value;
	return 0;
}

static int parse_word(const struct option_row *row, const char *text, __u64 *value)
{
	struct option_word word;
	char known[512];
	size_t i, used = 0;

	*value = 0;
	for (i = 0; row->word(i, &word); i++) {
		if (!strcmp(word.name, text)) {
			*value = word.value;
			return 0;
		}
	}
	for (i = 0; row->word(i, &word) && used < sizeof(known); i++)
		used += snprintf(known + used, sizeof(known) - used, "%s%s", i ? ", " : "",
				 word.name);
	log_error("--%s: unknown %s '%s'; known: %s", row->name, row->noun, text, known);
	return -EINVAL;
}

/* The kernel keeps 15 bytes of a name (TASK_COMM_LEN): a longer one would never match. */
static int check_comm(const struct option_row *row, const char *text)
{
	if (strlen(text) < FS_COMM_LEN)
		return 0;
	log_error("--%s: '%s' is longer than the %d bytes that a name has: shorten it with *",
		  row->name, text, FS_COMM_LEN - 1);
	return -EINVAL;
}

static int add_id(const struct option_row *row, const char *text, struct id_list *list)
{
	__u64 id;
	size_t i;
	int err = parse_number(row, text, &id);

	if (err)
		return err;
	for (i = 0; i < list->n; i++)
		if (list->ids[i] == id)
			return 0;
	err = grow(&list->ids, list->n, sizeof(*list->ids));
	if (!err)
		list->ids[list->n++] = id;
	return err;
}

static int add_name(const struct option_row *row, const char *text, struct name_list *list)
{
	char *copy;
	size_t i;
	int err;

	for (i = 0; i < list->n; i++)
		if (!strcmp(list->names[i], text))
			return 0;
	if (row->type == OPT_COMMS) {
		err = check_comm(row, text);
		if (err)
			return err;
		if (list->n == row->max) {
			log_error("--%s: more than %llu names", row->name,
				  (unsigned long long)row->max);
			return -EINVAL;
		}
	}
	err = grow(&list->names, list->n, sizeof(*list->names));
	if (err)
		return err;
	copy = strdup(text);
	if (!copy) {
		log_error("out of memory");
		return -ENOMEM;
	}
	list->names[list->n++] = copy;
	return 0;
}

static int add_word(const struct option_row *row, const char *text, struct word_list *list)
{
	__u64 value;
	size_t i;
	int err = parse_word(row, text, &value);

	if (err)
		return err;
	for (i = 0; i < list->n; i++)
		if (list->values[i] == value)
			return 0;
	list->values[list->n++] = value;
	return 0;
}

static int add_item(const struct option_row *row, const char *text, void *dest)
{
	__u64 value;
	int err;

	switch (row->type) {
	case OPT_IDS:
		return add_id(row, text, dest);
	case OPT_NAMES:
	case OPT_COMMS:
		return add_name(row, text, dest);
	case OPT_WORDS:
		return add_word(row, text, dest);
	default: /* OPT_MASK */
		err = parse_word(row, text, &value);
		if (!err)
			*(__u64 *)dest |= value;
		return err;
	}
}

/* Each part of a comma list. An empty one is an error: most likely a script's empty variable. */
static int add_items(const struct option_row *row, const char *arg, void *dest)
{
	char *copy = strdup(arg), *rest = copy, *item;
	int err = 0;

	if (!copy) {
		log_error("out of memory");
		return -ENOMEM;
	}
	while (!err && (item = strsep(&rest, ","))) {
		if (*item) {
			err = add_item(row, item, dest);
		} else {
			log_error("--%s: empty word in '%s'", row->name, arg);
			err = -EINVAL;
		}
	}
	free(copy);
	return err;
}

static size_t row_index(const struct option_row *row)
{
	return row - options__row(0);
}

static int apply(struct parser *p, const struct option_row *row, const char *arg)
{
	void *dest = (char *)p->o + row->dest;
	bool again = p->seen[row_index(row)];
	__u64 value;
	int err;

	p->seen[row_index(row)] = true;
	switch (row->type) {
	case OPT_FLAG:
		*(bool *)dest = true;
		return 0;
	case OPT_COUNT:
		++*(int *)dest;
		return 0;
	case OPT_SET:
		*(unsigned int *)dest = row->min;
		return 0;
	case OPT_TEXT:
		if (!*arg) {
			log_error("--%s needs a value: %s", row->name, row->metavar);
			return -EINVAL;
		}
		*(const char **)dest = arg;
		return 0;
	case OPT_U64:
	case OPT_SECONDS:
	case OPT_MILLISECONDS:
	case OPT_MICROSECONDS:
	case OPT_SIZE:
		return parse_number(row, arg, dest);
	case OPT_WORD:
		err = parse_word(row, arg, &value);
		if (!err)
			*(unsigned int *)dest = value;
		return err;
	case OPT_MASK:
		/* The first one replaces the default, which is all. */
		if (!again)
			*(__u64 *)dest = 0;
		return add_items(row, arg, dest);
	default:
		return add_items(row, arg, dest);
	}
}

/* The option of this letter or of this name, whichever command takes it; NULL: none. */
static const struct option_row *row_by_letter(int letter)
{
	const struct option_row *row;
	size_t i;

	for (i = 0; (row = options__row(i)); i++)
		if (row->short_name && row->short_name == letter)
			return row;
	return NULL;
}

static const struct option_row *row_by_name(const char *name)
{
	const struct option_row *row;
	size_t i;

	for (i = 0; (row = options__row(i)); i++)
		if (!strcmp(row->name, name))
			return row;
	return NULL;
}

static void log_unknown_option(const struct command *command, char short_name, const char *word)
{
	const char *names[OPTION_ROWS_MAX], *near = NULL;
	const struct option_row *row;
	char name[64];
	size_t i, n = 0;

	snprintf(name, sizeof(name), "%.*s", short_name ? 0 : (int)strcspn(word + 2, "="),
		 short_name ? "" : word + 2);
	for (i = 0; (row = options__row(i)); i++)
		if (row->commands & command->bit)
			names[n++] = row->name;
	row = short_name ? row_by_letter(short_name) : row_by_name(name);
	if (!short_name)
		near = nearest_word(name, names, n);
	if (row)
		log_error("%s has no option --%s: see faultsnoop %s --help", command->name,
			  row->name, command->name);
	else if (short_name)
		log_error("unknown option '-%c': see faultsnoop %s --help", short_name,
			  command->name);
	else if (near)
		log_error("unknown option '--%s': did you mean --%s?", name, near);
	else
		log_error("unknown option '--%s': see faultsnoop %s --help", name, command->name);
}

/*
 * Is the word, which getopt_long took for an abbreviation of `row`, the whole name of an option that
 * other commands have? Of a command without --with it is not to mean --without.
 */
static bool is_anothers(const struct option_row *row, const char *word)
{
	char name[64];

	snprintf(name, sizeof(name), "%.*s", (int)strcspn(word + 2, "="), word + 2);
	return strcmp(name, row->name) && row_by_name(name);
}

/* The line for getopt_long's '?' and ':'. */
static void log_getopt_error(const struct command *command, int answer, const char *word)
{
	const struct option_row *row = NULL;

	if (optopt >= LONG_BASE)
		row = options__row(optopt - LONG_BASE);
	else if (optopt && answer == ':')
		row = row_by_letter(optopt);
	if (row && answer == ':')
		log_error("--%s needs a value: %s", row->name, row->metavar);
	else if (row)
		log_error("--%s takes no value", row->name);
	else
		log_unknown_option(command, optopt, word);
}

/* What is left after the options. */
static int take_operands(struct parser *p, int argc, char **argv)
{
	const struct command *command = p->command;
	bool dashes = !strcmp(argv[optind - 1], "--");

	if (optind == argc) {
		if (!dashes || command->operand != OPERAND_PROGRAM)
			return 0;
		log_error("no PROGRAM after --");
		return -EINVAL;
	}
	if (command->operand == OPERAND_NONE) {
		log_error("%s takes no argument: '%s'", command->name, argv[optind]);
		return -EINVAL;
	}
	if (!*argv[optind]) {
		log_error("the name of the %s is empty",
			  command->operand == OPERAND_PROGRAM ? "PROGRAM" : "command");
		return -EINVAL;
	}
	p->o->target.argv = argv + optind;
	p->o->target.argc = argc - optind;
	return 0;
}

static int parse_all(struct parser *p, int argc, char **argv)
{
	struct option longs[OPTION_ROWS_MAX + 1] = {};
	char shorts[2 + 2 * OPTION_ROWS_MAX + 1] = "+:";
	const struct option_row *row;
	size_t i, n = 0, used = 2;
	int c, err, word;

	for (i = 0; (row = options__row(i)); i++) {
		if (!(row->commands & p->command->bit))
			continue;
		longs[n++] =
			(struct option){ row->name, row->metavar ? 1 : 0, NULL, LONG_BASE + i };
		if (row->short_name)
			used += snprintf(shorts + used, sizeof(shorts) - used, "%c%s",
					 row->short_name, row->metavar ? ":" : "");
	}
	opterr = 0;
	optind = 0; /* glibc: forget an earlier parse */
	for (;;) {
		word = optind ? optind : 1;
		c = getopt_long(argc, argv, shorts, longs, NULL);
		if (c == -1)
			return take_operands(p, argc, argv);
		if (c == '?' || c == ':') {
			log_getopt_error(p->command, c, argv[word]);
			return -EINVAL;
		}
		row = c >= LONG_BASE ? options__row(c - LONG_BASE) : row_by_letter(c);
		if (c >= LONG_BASE && is_anothers(row, argv[word])) {
			log_unknown_option(p->command, 0, argv[word]);
			return -EINVAL;
		}
		err = apply(p, row, optarg);
		if (err)
			return err;
	}
}

static bool given(const struct parser *p, const char *name)
{
	if (!name)
		return p->command->operand == OPERAND_PROGRAM && p->o->target.argv;
	return p->seen[row_index(row_by_name(name))];
}

static bool counts_by(const struct options *o, enum stat_key_id key)
{
	for (size_t i = 0; i < o->stat.by.n; i++)
		if (o->stat.by.values[i] == key)
			return true;
	return false;
}

/* Options about stacks, where none are taken. */
static int check_stacks(const struct parser *p)
{
	static const char *const about[] = { "user-stacks-only", "kernel-stacks-only", "inlines",
					     "lines", "debuginfod" };
	const struct options *o = p->o;
	bool stat = p->command->bit == ON_STAT, by_stack = counts_by(o, STAT_STACK);

	if (by_stack && o->stat.in_kernel) {
		log_error("--by stack needs each fault by itself: leave out --in-kernel");
		return -EINVAL;
	}
	if ((p->command->bit & (ON_FLAME | ON_TOUCHED | ON_CHURN | ON_LEAKS)) || o->stacks.wanted ||
	    by_stack || o->mappings.with.n)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(about); i++) {
		if (!given(p, about[i]) ||
		    (o->symbols.variables && !strcmp(about[i], "debuginfod")))
			continue;
		log_error("--%s needs stacks: add %s", about[i], stat ? "--by stack" : "--stacks");
		return -EINVAL;
	}
	return 0;
}

/* What each option allows, but not together. */
static int check(const struct parser *p)
{
	const struct options *o = p->o;
	enum stat_column sort = o->stat.sort;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(conflicts); i++) {
		if (!given(p, conflicts[i].a) || !given(p, conflicts[i].b))
			continue;
		if (conflicts[i].b)
			log_error("--%s and --%s cannot be combined: choose one", conflicts[i].a,
				  conflicts[i].b);
		else
			log_error("--%s and a PROGRAM cannot be combined: choose one",
				  conflicts[i].a);
		return -EINVAL;
	}
	if (o->stat.no_latency && (sort == STAT_BY_P50 || sort == STAT_BY_P99 ||
				   sort == STAT_BY_MAX || sort == STAT_BY_STALL)) {
		log_error("--sort by latency needs latencies: leave out --no-latency");
		return -EINVAL;
	}
	if (o->mappings.with.n && o->common.faults != OPT_FAULTS_ALL && given(p, "pf")) {
		log_error("--with counts the pages of all faults: leave out --pf");
		return -EINVAL;
	}
	if (o->mappings.max_bytes && o->mappings.min_bytes > o->mappings.max_bytes) {
		log_error(
			"no mapping is at least --min-size and at most --max-size: choose others");
		return -EINVAL;
	}
	return check_stacks(p);
}

int options__parse(struct options *o, const struct command *command, int argc, char **argv)
{
	struct parser p = { .o = o, .command = command };
	int err;

	memset(o, 0, sizeof(*o));
	o->command = command;
	o->common.regions = OPT_REGIONS_ALL;
	o->trace.events = OPT_EVENTS_ALL;
	o->stat.sort = STAT_BY_FAULTS;

	err = parse_all(&p, argc, argv);
	if (err || o->help)
		return err;
	o->symbols.variables |= o->stacks.wanted;
	o->target.all = !o->target.pids.n && !o->target.tids.n && !o->target.comms.n &&
			!o->target.cgroup && !o->target.argv;
	return check(&p);
}

void options__clear(struct options *o)
{
	size_t i;

	free(o->target.pids.ids);
	free(o->target.tids.ids);
	for (i = 0; i < o->target.comms.n; i++)
		free(o->target.comms.names[i]);
	free(o->target.comms.names);
	for (i = 0; i < o->common.without.n; i++)
		free(o->common.without.names[i]);
	free(o->common.without.names);
	memset(o, 0, sizeof(*o));
}
