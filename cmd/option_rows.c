/* SPDX-License-Identifier: GPL-2.0-only */
/* The rows of options.h: each option, and the words it takes. */
#include "analysis/flame.h"
#include "analysis/mapping.h"
#include "analysis/stat.h"
#include "base/kind_names.h"
#include "commands.h"
#include "config.h"
#include "options.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

#define NS_PER_SEC 1000000000ULL
#define PID_LIMIT  (1 << 22) /* PID_MAX_LIMIT of include/linux/threads.h */

/* clang-format off */

#define ON_FAULTS   (ON_STAT | ON_TRACE | ON_FLAME)
#define ON_MAPPINGS (ON_TOUCHED | ON_CHURN | ON_LEAKS)
#define ON_SOME	    (ON_FAULTS | ON_MAPPINGS | ON_CHECK)
#define ON_TARGET   (ON_SOME | ON_MAP)
#define ON_TABLES   (ON_STAT | ON_TRACE | ON_FEATURES | ON_MAPPINGS | ON_MAP)
#define ON_RUN	    (ON_TARGET | ON_FEATURES)
#define ON_STACKS   ON_FAULTS
#define ON_NAMES    (ON_FAULTS | ON_MAPPINGS)
#define ON_ALL	    (ON_RUN | ON_HELP)

static const struct option_word fault_words[] = {
	{ "all", "minor, major and failed", OPT_FAULTS_ALL },
	{ "min", "minor: no storage access", OPT_FAULTS_MINOR },
	{ "maj", "major: waited for storage", OPT_FAULTS_MAJOR },
};

#define CALL(sym) OPT_EVENT_CALL(FS_CALL_##sym)

/* Events that are no call, and families of calls; the other calls are the rows of kinds.h. */
static const struct option_word event_words[] = {
	{ "all", "all events", OPT_EVENTS_ALL },
	{ "fault", "page faults", OPT_EVENT_FAULT },
	{ "calls", "all mapping calls", OPT_EVENT_CALLS },
	{ "mlock", "mlock, mlock2, munlock, mlockall, munlockall",
	  CALL(MLOCK) | CALL(MLOCK2) | CALL(MUNLOCK) | CALL(MLOCKALL) | CALL(MUNLOCKALL) },
	{ "shm", "shmget, shmat, shmdt", CALL(SHMGET) | CALL(SHMAT) | CALL(SHMDT) },
	{ "aio", "io_setup, io_destroy", CALL(IO_SETUP) | CALL(IO_DESTROY) },
	{ "uffd", "userfaultfd, ioctl: UFFDIO_REGISTER and UFFDIO_UNREGISTER",
	  CALL(USERFAULTFD) | CALL(IOCTL) },
	{ "exec", "a process begins a program", OPT_EVENT_EXEC },
	{ "fork", "a process or thread is born", OPT_EVENT_FORK },
	{ "exit", "a thread ends", OPT_EVENT_EXIT },
	{ "rename", "a thread changes its name", OPT_EVENT_RENAME },
};

static bool fault_word(size_t i, struct option_word *out)
{
	if (i < ARRAY_SIZE(fault_words))
		*out = fault_words[i];
	return i < ARRAY_SIZE(fault_words);
}

static bool event_word(size_t i, struct option_word *out)
{
	if (i < ARRAY_SIZE(event_words)) {
		*out = event_words[i];
		return true;
	}
	i -= ARRAY_SIZE(event_words);
	i += i >= FS_CALL_MLOCK; /* is a family above */
	if (i >= FS_CALL_NR)
		return false;
	*out = (struct option_word){ call_name(i), NULL, OPT_EVENT_CALL(i) };
	return true;
}

static bool region_word(size_t i, struct option_word *out)
{
	if (i >= FS_REGION_NR)
		return false;
	*out = (struct option_word){ region_name(i), region_desc(i), OPT_REGION(i) };
	return true;
}

static bool by_word(size_t i, struct option_word *out)
{
	if (i >= STAT_KEY_NR)
		return false;
	*out = (struct option_word){ stat_key(i)->name, stat_key(i)->desc, i };
	return true;
}

static bool sort_word(size_t i, struct option_word *out)
{
	if (i >= STAT_COLUMN_NR)
		return false;
	*out = (struct option_word){ stat_column__name(i), NULL, i };
	return true;
}

static bool with_word(size_t i, struct option_word *out)
{
	const struct mapping_analysis *a = mapping_analysis(i);

	if (a)
		*out = (struct option_word){ a->name, a->desc, i };
	return a;
}

static const struct option_word mapper_words[] = {
	{ "replace", "it stands in the place of the stack that touched", OPT_MAPPER_REPLACE },
	{ "prefix", "the stack that touched stands on it", OPT_MAPPER_PREFIX },
};

static const struct option_word leaf_words[] = {
	{ "region", "where the fault was: [heap], [anon], the file", OPT_LEAF_REGION },
	{ "class", "what the kernel had to do: {anon}, {cow}", OPT_LEAF_CLASS },
	{ "symbol", "the variable that was touched; where none is known, the region", OPT_LEAF_SYMBOL },
};

static bool mapper_word(size_t i, struct option_word *out)
{
	if (i < ARRAY_SIZE(mapper_words))
		*out = mapper_words[i];
	return i < ARRAY_SIZE(mapper_words);
}

static bool leaf_word(size_t i, struct option_word *out)
{
	if (i < ARRAY_SIZE(leaf_words))
		*out = leaf_words[i];
	return i < ARRAY_SIZE(leaf_words);
}

static bool flame_word(size_t i, struct option_word *out)
{
	if (i >= FLAME_FORMAT_NR)
		return false;
	*out = (struct option_word){ flame_format__name(i), flame_format__desc(i), i };
	return true;
}

static bool weight_word(size_t i, struct option_word *out)
{
	if (i >= PROFILE_WEIGHT_NR)
		return false;
	*out = (struct option_word){ flame_weight__name(i), NULL, i };
	return true;
}

static const struct option_word result_words[] = {
	{ "minor", "faults that needed no storage", FLAME_ONLY_MINOR },
	{ "major", "faults that waited for storage", FLAME_ONLY_MAJOR },
	{ "failed", "faults that ended in a signal or an error", FLAME_ONLY_FAILED },
};

/* minor, class=cow, region=heap; the names live as long as the program. */
static bool only_word(size_t i, struct option_word *out)
{
	static char names[FS_CLASS_NR + FS_REGION_NR][24];
	char *name;

	if (i < ARRAY_SIZE(result_words)) {
		*out = result_words[i];
		return true;
	}
	i -= ARRAY_SIZE(result_words);
	if (i >= ARRAY_SIZE(names))
		return false;
	name = names[i];
	if (i < FS_CLASS_NR) {
		snprintf(name, sizeof(names[i]), "class=%s", class_name(i));
		*out = (struct option_word){ name, NULL, FLAME_ONLY_CLASS(i) };
	} else {
		i -= FS_CLASS_NR;
		snprintf(name, sizeof(names[i]), "region=%s", region_name(i));
		*out = (struct option_word){ name, NULL, FLAME_ONLY_REGION(i) };
	}
	return true;
}

/* Offset of a field that must have this type, so that a row cannot write another than it is. */
#define FIELD(type, member)                                                                       \
	(offsetof(struct options, member) +                                                       \
	 0 * sizeof(char[__builtin_types_compatible_p(                                            \
				 __typeof__(((struct options *)0)->member), type) ? 1 : -1]))

#define FLAG(member)   .type = OPT_FLAG, .dest = FIELD(bool, member)
#define NUMBER(member) .type = OPT_U64, .dest = FIELD(__u64, member)

static const struct option_row rows[] = {
	{ "all", .short_name = 'a', .group = GROUP_TARGET, .commands = ON_SOME, FLAG(target.all),
	  .help = "every process; the default where no target is given" },
	{ "pid", .short_name = 'p', .metavar = "PID[,PID]", .group = GROUP_TARGET,
	  .commands = ON_TARGET, .type = OPT_IDS, .dest = FIELD(struct id_list, target.pids),
	  .min = 1, .max = PID_LIMIT, .help = "these processes" },
	{ "tid", .short_name = 't', .metavar = "TID[,TID]", .group = GROUP_TARGET,
	  .commands = ON_FAULTS, .type = OPT_IDS, .dest = FIELD(struct id_list, target.tids),
	  .min = 1, .max = PID_LIMIT, .help = "these threads" },
	{ "name", .short_name = 'n', .metavar = "COMM[,COMM]", .group = GROUP_TARGET,
	  .commands = ON_TARGET, .type = OPT_COMMS, .dest = FIELD(struct name_list, target.comms),
	  .max = FS_MAX_COMMS, .help = "threads of these names, where mappings are kept processes; * is any text" },
	{ "cgroup", .short_name = 'c', .metavar = "PATH", .group = GROUP_TARGET,
	  .commands = ON_SOME, .type = OPT_TEXT, .dest = FIELD(const char *, target.cgroup),
	  .help = "threads in this cgroup and those below it; PATH is its directory" },
	{ "no-follow", .group = GROUP_TARGET, .commands = ON_SOME, FLAG(target.no_follow),
	  .help = "leave out the children of the target" },

	{ "by", .metavar = "KEY[,KEY]", .group = GROUP_WHAT, .commands = ON_STAT, .type = OPT_WORDS,
	  .dest = FIELD(struct word_list, stat.by), .noun = "key", .word = by_word,
	  .help = "count by these keys together" },
	{ "sort", .metavar = "COLUMN", .group = GROUP_WHAT, .commands = ON_STAT, .type = OPT_WORD,
	  .dest = FIELD(unsigned int, stat.sort), .noun = "column", .word = sort_word,
	  .help = "the rows with most of this first; default faults" },
	{ "top", .metavar = "N", .group = GROUP_WHAT, .commands = ON_STAT | ON_MAPPINGS, NUMBER(stat.top),
	  .min = 1, .max = 1000000, .help = "rows of a table; default 10 in text, all in JSON and CSV" },
	{ "format", .metavar = "FORMAT", .group = GROUP_OUTPUT, .commands = ON_FLAME,
	  .type = OPT_WORD, .dest = FIELD(enum flame_format, flame.format), .noun = "format",
	  .word = flame_word, .help = "what to write; default folded" },
	{ "weight", .metavar = "WEIGHT", .group = GROUP_WHAT, .commands = ON_FLAME,
	  .type = OPT_WORD, .dest = FIELD(enum profile_weight, flame.weight), .noun = "weight",
	  .word = weight_word,
	  .help = "what widths mean: faults (the default), bytes made present, time of stall" },
	{ "only", .metavar = "WHAT[,WHAT]", .group = GROUP_WHAT, .commands = ON_FLAME,
	  .type = OPT_MASK, .dest = FIELD(__u64, flame.only), .noun = "kind of fault",
	  .word = only_word, .help = "only these faults: major, class=cow, region=heap and the like" },
	{ "by", .metavar = "KEY[,KEY]", .group = GROUP_WHAT, .commands = ON_FLAME,
	  .type = OPT_WORDS, .dest = FIELD(struct word_list, flame.by), .noun = "key",
	  .word = leaf_word, .help = "put a frame for these at the leaf" },
	{ "mapper", .metavar = "HOW", .group = GROUP_WHAT, .commands = ON_FLAME, .type = OPT_WORD,
	  .dest = FIELD(enum opt_mapper, flame.mapper), .noun = "way", .word = mapper_word,
	  .help = "show the stack that created the mapping: replace, or prefix" },
	{ "stacks", .group = GROUP_WHAT, .commands = ON_TRACE, FLAG(stacks.wanted),
	  .help = "print the stack of each fault and mapping call, and --symbols" },
	{ "symbols", .group = GROUP_WHAT, .commands = ON_TRACE, FLAG(symbols.variables),
	  .help = "name the variable that a fault's address is in, where a symbol has it" },
	{ "user-stacks-only", .short_name = 'U', .group = GROUP_WHAT, .commands = ON_STACKS,
	  FLAG(stacks.user_only), .help = "leave out the kernel's frames" },
	{ "kernel-stacks-only", .short_name = 'K', .group = GROUP_WHAT, .commands = ON_STACKS,
	  FLAG(stacks.kernel_only), .help = "leave out the program's frames" },
	{ "inlines", .group = GROUP_WHAT, .commands = ON_NAMES, FLAG(symbols.inlines),
	  .help = "frames of inlined functions too, from debug information" },
	{ "lines", .group = GROUP_WHAT, .commands = ON_TRACE | ON_FLAME, FLAG(symbols.lines),
	  .help = "source file and line of each frame, from debug information" },
	{ "debuginfod", .group = GROUP_WHAT, .commands = ON_NAMES, FLAG(symbols.debuginfod),
	  .help = "ask the servers of $DEBUGINFOD_URLS for debug information" },
	{ "heat", .group = GROUP_WHAT, .commands = ON_MAP, FLAG(map.heat),
	  .help = "draw which share of the pages along each region is resident" },
	{ "frames", .group = GROUP_WHAT, .commands = ON_MAP, FLAG(map.frames),
	  .help = "page frames of each region: numbers, how many times they are mapped, flags" },
	{ "children", .group = GROUP_TARGET, .commands = ON_MAP, FLAG(map.children),
	  .help = "a map of each of the processes' descendants too" },
	{ "title", .metavar = "TEXT", .group = GROUP_OUTPUT, .commands = ON_FLAME,
	  .type = OPT_TEXT, .dest = FIELD(const char *, flame.title),
	  .help = "heading of the flame graph" },
	{ "inverted", .group = GROUP_OUTPUT, .commands = ON_FLAME, FLAG(flame.inverted),
	  .help = "draw the root at the top" },
	{ "with", .metavar = "WHAT[,WHAT]", .group = GROUP_WHAT, .commands = ON_STAT,
	  .type = OPT_WORDS, .dest = FIELD(struct word_list, mappings.with), .noun = "analysis",
	  .word = with_word, .help = "look at mappings too, in the same run" },
	{ "each", .group = GROUP_WHAT, .commands = ON_TOUCHED, FLAG(mappings.by_mapping),
	  .help = "a row for each mapping; default: for each place that maps" },
	{ "older", .metavar = "MS", .group = GROUP_WHAT, .commands = ON_LEAKS,
	  .type = OPT_MILLISECONDS, .dest = FIELD(__u64, mappings.older_ns),
	  .max = 31536000 * NS_PER_SEC, .help = "leave out what is younger; in milliseconds" },
	{ "min-size", .short_name = 'z', .metavar = "SIZE", .group = GROUP_WHAT,
	  .commands = ON_LEAKS, .type = OPT_SIZE, .dest = FIELD(__u64, mappings.min_bytes),
	  .max = 1ULL << 62, .help = "leave out smaller mappings, as 64K or 1M" },
	{ "max-size", .short_name = 'Z', .metavar = "SIZE", .group = GROUP_WHAT,
	  .commands = ON_LEAKS, .type = OPT_SIZE, .dest = FIELD(__u64, mappings.max_bytes),
	  .min = 1, .max = 1ULL << 62, .help = "leave out larger mappings" },
	{ "no-stacks", .group = GROUP_WHAT, .commands = ON_MAPPINGS | ON_MAP, FLAG(mappings.no_stacks),
	  .help = "take no stacks: who mapped is told by program and call alone" },
	{ "events", .metavar = "EVENT[,EVENT]", .group = GROUP_WHAT, .commands = ON_TRACE,
	  .type = OPT_MASK, .dest = FIELD(__u64, trace.events), .noun = "event",
	  .word = event_word, .help = "print these events only; default all" },
	{ "pf", .short_name = 'F', .metavar = "all|min|maj", .group = GROUP_WHAT,
	  .commands = ON_FAULTS, .type = OPT_WORD, .dest = FIELD(enum opt_faults, common.faults),
	  .noun = "kind of fault", .word = fault_word,
	  .help = "all faults (the default), minor ones or major ones" },
	{ "region", .metavar = "REGION[,REGION]", .group = GROUP_WHAT, .commands = ON_FAULTS,
	  .type = OPT_MASK, .dest = FIELD(__u64, common.regions), .noun = "region",
	  .word = region_word, .help = "faults in these regions only" },
	{ "min-latency", .metavar = "US", .group = GROUP_WHAT, .commands = ON_TRACE,
	  .type = OPT_MICROSECONDS, .dest = FIELD(__u64, trace.min_latency_ns), .min = 0,
	  .max = 3600 * NS_PER_SEC, .help = "leave out faster faults; in microseconds" },
	{ "failed", .short_name = 'x', .group = GROUP_WHAT, .commands = ON_TRACE,
	  FLAG(trace.failed), .help = "only faults and calls that failed" },
	{ "no-calls", .group = GROUP_WHAT, .commands = ON_STAT, FLAG(stat.no_calls),
	  .help = "do not watch mmap, munmap, brk and the other calls" },
	{ "no-latency", .group = GROUP_WHAT, .commands = ON_STAT, FLAG(stat.no_latency),
	  .help = "do not take times: the cheapest way to count" },

	{ "duration", .short_name = 'd', .metavar = "SEC", .group = GROUP_RUN,
	  .commands = ON_TARGET, .type = OPT_SECONDS, .dest = FIELD(__u64, common.duration_ns),
	  .min = NS_PER_SEC / 100, .max = 31536000 * NS_PER_SEC,
	  .help = "end after this time; default: when PROGRAM or the targets have ended, or Ctrl-C" },
	{ "interval", .short_name = 'i', .metavar = "SEC", .group = GROUP_RUN,
	  .commands = ON_STAT | ON_MAPPINGS | ON_MAP, .type = OPT_SECONDS,
	  .dest = FIELD(__u64, common.interval_ns), .min = NS_PER_SEC / 100,
	  .max = 31536000 * NS_PER_SEC, .help = "print a report each time this much time has passed" },
	{ "interval", .short_name = 'i', .metavar = "SEC", .group = GROUP_RUN,
	  .commands = ON_CHECK, .type = OPT_SECONDS, .dest = FIELD(__u64, common.interval_ns),
	  .min = NS_PER_SEC / 1000, .max = 3600 * NS_PER_SEC,
	  .help = "look at a process each time this much time has passed; default 0.1" },
	{ "max-events", .metavar = "N", .group = GROUP_RUN, .commands = ON_TRACE,
	  NUMBER(trace.max_events), .min = 1, .max = ~0ULL, .help = "end after N events" },
	{ "in-kernel", .group = GROUP_RUN, .commands = ON_STAT, FLAG(stat.in_kernel),
	  .help = "aggregate in the kernel instead of streaming each fault" },
	{ "ring-size", .metavar = "SIZE", .group = GROUP_RUN, .commands = ON_TARGET,
	  .type = OPT_SIZE, .dest = FIELD(__u64, common.ring_size_bytes), .min = 64 << 10,
	  .max = 4ULL << 30,
	  .help = "memory for all rings together, as 512K or 64M; default 16M, or 1M a CPU" },
	{ "without", .metavar = "FEATURE[,FEATURE]", .group = GROUP_RUN, .commands = ON_RUN,
	  .type = OPT_NAMES, .dest = FIELD(struct name_list, common.without),
	  .help = "do as if this kernel had not these features: see faultsnoop features" },

	{ "json", .short_name = 'j', .group = GROUP_OUTPUT, .commands = ON_TABLES, .type = OPT_SET,
	  .dest = FIELD(enum format, common.format), .min = FORMAT_JSON,
	  .help = "print JSON, one object a line" },
	{ "csv", .group = GROUP_OUTPUT, .commands = ON_TABLES, .type = OPT_SET,
	  .dest = FIELD(enum format, common.format), .min = FORMAT_CSV,
	  .help = "print comma-separated values with a heading" },
	{ "output", .short_name = 'o', .metavar = "FILE", .group = GROUP_OUTPUT,
	  .commands = ON_RUN, .type = OPT_TEXT, .dest = FIELD(const char *, common.output),
	  .help = "write to FILE instead of standard output" },
	{ "timestamps", .short_name = 'T', .group = GROUP_OUTPUT, .commands = ON_STAT | ON_TRACE,
	  FLAG(common.timestamps), .help = "print the time of day" },

	{ "man", .group = GROUP_OTHER, .commands = ON_HELP, FLAG(manual.man),
	  .help = "print the man page" },
	{ "completion", .group = GROUP_OTHER, .commands = ON_HELP, FLAG(manual.completion),
	  .help = "print the bash completion" },
	{ "markdown", .group = GROUP_OTHER, .commands = ON_HELP, FLAG(manual.markdown),
	  .help = "print the tables of commands, options, regions and classes" },
	{ "verbose", .short_name = 'v', .group = GROUP_OTHER, .commands = ON_RUN,
	  .type = OPT_COUNT, .dest = FIELD(int, common.verbose),
	  .help = "say what is being done; -vv: with details" },
	{ "help", .short_name = 'h', .group = GROUP_OTHER, .commands = ON_ALL, FLAG(help),
	  .help = "print this" },
};

/* clang-format on */

_Static_assert(STAT_KEY_NR <= ARRAY_SIZE(((struct word_list *)0)->values),
	       "a list has room for each key once");
_Static_assert(ARRAY_SIZE(rows) <= OPTION_ROWS_MAX, "users of the rows have this much room");

const struct option_row *options__row(size_t i)
{
	return i < ARRAY_SIZE(rows) ? &rows[i] : NULL;
}

const char *option_group_title(enum option_group group)
{
	static const char *const titles[GROUP_NR] = {
		[GROUP_TARGET] = "Target", [GROUP_WHAT] = "What is shown", [GROUP_RUN] = "Run",
		[GROUP_OUTPUT] = "Output", [GROUP_OTHER] = "Other",
	};

	return titles[group];
}
