/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The command line: what a person asked for, and the rows from which the parser, its errors, the
 * help, the man page and the completion are made. A new option is a field and a row.
 */
#ifndef FS_OPTIONS_H
#define FS_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

#include "kinds.h"
#include "output/flame.h"
#include "output/format.h"

struct command;

/* Exit statuses, as the man page lists them. */
enum exit_status {
	STATUS_OK = 0,
	STATUS_FAILED = 1,
	STATUS_USAGE = 2,
	STATUS_CANNOT = 77, /* this kernel or these rights cannot do it */
};

/* Commands that an option goes with: bits of option_row.commands. */
enum command_bit {
	ON_STAT = 1 << 0,
	ON_TRACE = 1 << 1,
	ON_FEATURES = 1 << 2,
	ON_HELP = 1 << 3,
	ON_FLAME = 1 << 4,
	ON_MAP = 1 << 5,
	ON_TOUCHED = 1 << 6,
	ON_CHURN = 1 << 7,
	ON_LEAKS = 1 << 8,
	ON_CHECK = 1 << 9,
};

/* flame --mapper: what becomes of the stack that touched. */
enum opt_mapper { OPT_MAPPER_NO, OPT_MAPPER_REPLACE, OPT_MAPPER_PREFIX };

/* flame --by: frames that are put at the leaf. */
enum opt_leaf { OPT_LEAF_REGION, OPT_LEAF_CLASS, OPT_LEAF_SYMBOL, OPT_LEAF_NR };

enum opt_faults { OPT_FAULTS_ALL, OPT_FAULTS_MINOR, OPT_FAULTS_MAJOR };

/* Bits of options.trace.events: one for each mapping call, then the events that are no call. */
#define OPT_EVENT_CALL(call) (1ULL << (call))
#define OPT_EVENT_CALLS      (OPT_EVENT_CALL(FS_CALL_NR) - 1)
#define OPT_EVENT_FAULT      (1ULL << 32)
#define OPT_EVENT_EXEC       (1ULL << 33)
#define OPT_EVENT_FORK       (1ULL << 34)
#define OPT_EVENT_EXIT       (1ULL << 35)
#define OPT_EVENT_RENAME     (1ULL << 36)
#define OPT_EVENTS_ALL                                                                          \
	(OPT_EVENT_CALLS | OPT_EVENT_FAULT | OPT_EVENT_EXEC | OPT_EVENT_FORK | OPT_EVENT_EXIT | \
	 OPT_EVENT_RENAME)
_Static_assert(FS_CALL_NR <= 32, "calls have the low 32 event bits");

#define OPT_REGION(region) (1ULL << (region))
#define OPT_REGIONS_ALL    (OPT_REGION(FS_REGION_NR) - 1)

/* What was listed after a comma option, in that order, each once. */
struct id_list {
	size_t n;
	__u32 *ids;
};

struct name_list {
	size_t n;
	char **names;
};

struct word_list {
	size_t n;
	unsigned int values[16]; /* of an enum */
};

/* Strings point into main()'s argv; lists are owned: options__clear() frees them. */
struct options {
	const struct command *command;
	bool help;

	/*
	 * Whom: all, pids, tids, argv, or comms and cgroup (both must match where both are given).
	 * `all` is true exactly where none of the others is given.
	 */
	struct {
		bool all;
		struct id_list pids, tids; /* in the PID namespace of the caller */
		struct name_list
			comms; /* exact, or with `*`; at most FS_MAX_COMMS, each of 1 to 15 bytes */
		const char *cgroup; /* path, NULL: none */
		char **argv;        /* PROGRAM and its arguments, NULL-terminated; NULL: none */
		int argc;
		bool no_follow; /* do not follow children */
	} target;

	struct {
		__u64 duration_ns; /* 0: until Ctrl-C or the end of PROGRAM */
		__u64 interval_ns; /* 0: one report at the end */
		enum format format;
		const char *output;       /* file, NULL: stdout */
		int verbose;              /* log level: 0, 1, 2 */
		__u64 ring_size_bytes;    /* all rings of all CPUs together; 0: the default */
		struct name_list without; /* features to leave out, as given: not validated */
		enum opt_faults faults;
		__u64 regions; /* OPT_REGION() bits; OPT_REGIONS_ALL: no filter */
		bool timestamps;
	} common;

	struct {
		struct word_list by; /* enum stat_key_id; n == 0: the default tables */
		__u64 top;           /* rows of a table; 0: the default of the format */
		unsigned int sort;   /* enum stat_column */
		bool in_kernel, no_calls, no_latency;
	} stat;

	struct {
		__u64 events;         /* OPT_EVENT_ bits */
		__u64 min_latency_ns; /* 0: all */
		bool failed;
		__u64 max_events; /* 0: no limit */
	} trace;

	struct {
		enum flame_format format;
		enum profile_weight weight;
		__u64 only;          /* FLAME_ONLY_ bits; 0: all */
		struct word_list by; /* enum opt_leaf */
		enum opt_mapper mapper;
		bool inverted;
		const char *title; /* NULL: one that says what is shown */
	} flame;

	struct {
		struct word_list with; /* stat: enum mapping_kind */
		bool by_mapping;       /* touched: a row for each mapping */
		bool no_stacks;
		__u64 older_ns;
		__u64 min_bytes, max_bytes; /* of a mapping; max 0: no limit */
	} mappings;

	struct {
		bool wanted; /* trace --stacks; flame always takes them, stat --by stack does */
		bool user_only, kernel_only;
	} stacks;

	struct {
		bool frames, heat, children;
	} map;

	/* How stacks are named, and data too. */
	struct {
		bool inlines, lines, debuginfod;
		bool variables; /* trace --symbols, also by --stacks */
	} symbols;

	struct {
		bool man, completion, markdown;
	} manual;
};

/*
 * Read the command line of a command; argv[0] is its name, argv[argc] NULL. 0, or -EINVAL
 * (STATUS_USAGE) or -ENOMEM after the one line that says why. *o is filled in either case and needs
 * options__clear(). Not reentrant: getopt_long(3) has global state.
 */
int options__parse(struct options *o, const struct command *command, int argc, char **argv);
void options__clear(struct options *o);

/*
 * The file that results go to: stdout (also for -o -), or -o's, created or emptied, close-on-exec.
 * NULL after the one line that says why (STATUS_FAILED). SIGPIPE is ignored by main() (a PROGRAM
 * must get it back): a writer whose reader has gone sees ferror() and should end the run. Close it
 * with options__close_output().
 */
FILE *options__open_output(const struct options *o);

/*
 * Write what is buffered and close (stdout is only flushed). STATUS_OK, also where the reader has
 * gone, or STATUS_FAILED after "cannot write output: …". f may be NULL.
 */
int options__close_output(FILE *f);

/* The rows. */

enum option_type {
	OPT_FLAG,         /* bool */
	OPT_COUNT,        /* int: how often it was given */
	OPT_SET,          /* an enum: becomes option_row.min */
	OPT_U64,          /* __u64 */
	OPT_SECONDS,      /* __u64 ns; min and max too */
	OPT_MILLISECONDS, /* the same */
	OPT_MICROSECONDS,
	OPT_SIZE,  /* __u64 bytes */
	OPT_TEXT,  /* const char *, not empty */
	OPT_NAMES, /* struct name_list */
	OPT_COMMS, /* struct name_list of thread names as the kernel can have them */
	OPT_IDS,   /* struct id_list */
	OPT_WORD,  /* an enum */
	OPT_WORDS, /* struct word_list */
	OPT_MASK,  /* __u64: the words' values together */
};

enum option_group { GROUP_TARGET, GROUP_WHAT, GROUP_RUN, GROUP_OUTPUT, GROUP_OTHER, GROUP_NR };

struct option_word {
	const char *name;
	const char *desc; /* NULL: the name says it */
	__u64 value;
};

struct option_row {
	const char *name;    /* long, without "--" */
	const char *metavar; /* NULL: takes no argument */
	const char *help;    /* a sentence without its full stop */
	const char *noun;    /* what a word is: "region" */
	/* OPT_WORD, OPT_WORDS and OPT_MASK: word i, or false beyond the last. Else NULL. */
	bool (*word)(size_t i, struct option_word *out);
	__u64 min, max;        /* range, where max > 0 */
	size_t dest;           /* offset in struct options */
	unsigned int commands; /* enum command_bit */
	enum option_type type;
	enum option_group group;
	char short_name; /* 0: none */
};

#define OPTION_ROWS_MAX 64

/* Row i, NULL beyond the last; all of one array. In the order of the help. */
const struct option_row *options__row(size_t i);

/* Heading of a group of options. */
const char *option_group_title(enum option_group group);

/* The word of `words` nearest to a misspelt one, NULL where none is near. */
const char *nearest_word(const char *misspelt, const char *const *words, size_t n);

#endif /* FS_OPTIONS_H */
