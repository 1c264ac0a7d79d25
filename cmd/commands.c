/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "base/log.h"
#include "commands.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static const struct example stat_examples[] = {
	{ "faultsnoop stat -a -d 5", "which regions of which processes fault, over 5 seconds" },
	{ "faultsnoop stat -p 1234 -i 1", "one process, a report each second, until Ctrl-C" },
	{ "faultsnoop stat --by file,class -F maj -d 10", "which files storage is read for" },
	{ "faultsnoop stat -n 'postgres*' --by process,region --sort stall -d 10",
	  "where the processes of a name lose time" },
	{ "faultsnoop stat -j -o faults.json -- make -j4", "a program and its children, as JSON" },
	{ "faultsnoop stat -a -d 5 --in-kernel", "the same table, for very high fault rates" },
	{ NULL, NULL }
};

static const struct example trace_examples[] = {
	{ "faultsnoop trace -p 1234 -d 5", "all faults and mapping calls of a process" },
	{ "faultsnoop trace -F maj --min-latency 1000 -d 10",
	  "faults on storage that took a millisecond and more" },
	{ "faultsnoop trace --events mmap,munmap,brk -- python3 -c 'print(1)'",
	  "how a program shapes its memory" },
	{ "faultsnoop trace -a -x --max-events 1", "wait for the next fault or call that fails" },
	{ NULL, NULL }
};

static const struct example flame_examples[] = {
	{ "faultsnoop flame --format svg -o faults.svg -a -d 10",
	  "a flame graph of the machine's faults, to be opened in a browser" },
	{ "faultsnoop flame -p 1234 -d 5 | flamegraph.pl --color mem > faults.svg",
	  "the same of one process by another tool" },
	{ "faultsnoop flame --weight bytes --by region --format pprof -o p.gz -- ./server",
	  "who made memory present and where; then go tool pprof p.gz" },
	{ "faultsnoop flame --only class=cow --weight stall -p 1234 -d 10",
	  "who waits for copies after a fork" },
	{ "faultsnoop flame --mapper replace --only region=anon -- ./server",
	  "who created the mappings that are touched" },
	{ NULL, NULL }
};

static const struct example map_examples[] = {
	{ "faultsnoop map -p 1234", "the memory map of a process, as it is now" },
	{ "faultsnoop map --heat -p 1234", "which parts of its mappings are resident" },
	{ "faultsnoop map -p 1234 -d 10", "and who maps and touches what, for ten seconds" },
	{ "faultsnoop map -p 1234 -i 1", "the map each second, until Ctrl-C" },
	{ "faultsnoop map -- python3 -c 'x = bytearray(1 << 20)'", "a program's, at its end" },
	{ "faultsnoop map -j --frames -p 1234", "page frames, for a program" },
	{ NULL, NULL }
};

static const struct example touched_examples[] = {
	{ "faultsnoop touched -- ./server", "who maps memory, and how much of it is ever used" },
	{ "faultsnoop touched -p 1234 -d 10 --each", "the same, mapping by mapping" },
	{ NULL, NULL }
};

static const struct example churn_examples[] = {
	{ "faultsnoop churn -p 1234 -d 10", "what a process maps and gives back again and again" },
	{ "faultsnoop churn -a -i 5", "of the whole machine, every 5 seconds" },
	{ NULL, NULL }
};

static const struct example leaks_examples[] = {
	{ "faultsnoop leaks -p 1234 -d 60 --older 10000",
	  "what was mapped meanwhile and has stayed for 10 seconds or more" },
	{ "faultsnoop leaks -p 1234 -i 10 -z 1M", "growth by large mappings, every 10 seconds" },
	{ NULL, NULL }
};

static const struct example check_examples[] = {
	{ "faultsnoop check -d 10 -- stress-ng --mmap 2 -t 8",
	  "compare with /proc, over and over, while a program maps memory" },
	{ "faultsnoop check -p 1234 -d 5",
	  "the same for a process; it is stopped for a moment at a time" },
	{ NULL, NULL }
};

static const struct example features_examples[] = {
	{ "faultsnoop features", "what this kernel and these rights allow" },
	{ "faultsnoop features -j", "the same for a program" },
	{ NULL, NULL }
};

static const struct example help_examples[] = {
	{ "faultsnoop help stat", "usage, options and examples of a command" },
	{ "faultsnoop help --man | man -l -", "read the man page before it is installed" },
	{ ". <(faultsnoop help --completion)", "complete words in this shell" },
	{ NULL, NULL }
};

static const struct command commands[] = {
	{
		.name = "stat",
		.summary = "count faults by region, class and process, with latency histograms",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Counts page faults by the memory region they fall in, by what the kernel "
			"had to do and by process, with latencies, and draws histograms of the "
			"latencies and of the sizes of mapping calls. Prints when the duration is "
			"over, when PROGRAM ends or on Ctrl-C.",
		.examples = stat_examples,
		.bit = ON_STAT,
		.operand = OPERAND_PROGRAM,
		.run = cmd_stat,
	},
	{
		.name = "trace",
		.summary = "print a line for each fault and each mapping call",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Prints each page fault with its latency, address, region, class and "
			"instruction, and each call that shapes an address space with its "
			"arguments and result, as they happen.",
		.examples = trace_examples,
		.bit = ON_TRACE,
		.operand = OPERAND_PROGRAM,
		.run = cmd_trace,
	},
	{
		.name = "flame",
		.summary = "write the stacks of the faults: folded, flame graph, pprof",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Takes the stack of each fault, by unwind tables where programs have no frame "
			"pointers, names its frames and writes them for flame graph tools.",
		.examples = flame_examples,
		.bit = ON_FLAME,
		.operand = OPERAND_PROGRAM,
		.run = cmd_flame,
	},
	{
		.name = "map",
		.summary = "draw the memory map of a process, with what is resident in it",
		.usage = "[options] -p PID | [options] -- PROGRAM [ARG...]",
		.description =
			"Draws the address space from its top to its bottom: stack, mappings, heap "
			"and program, with permissions, sizes, what is resident, dirty, shared, huge "
			"or swapped, gaps and guard pages. Of a process that is there it is taken "
			"once, unless -d or -i has it traced meanwhile: then faults, stall, who "
			"mapped and who touched are told as well, and they are of a PROGRAM.",
		.examples = map_examples,
		.bit = ON_MAP,
		.operand = OPERAND_PROGRAM,
		.run = cmd_map,
	},
	{
		.name = "touched",
		.summary = "tell how much of what is mapped is ever touched, by who mapped it",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Joins page faults to the mappings that they fall in and to the stacks that "
			"created those: what was mapped, touched once, touched again after it had "
			"been given back, populated without a fault, never touched.",
		.examples = touched_examples,
		.bit = ON_TOUCHED,
		.operand = OPERAND_PROGRAM,
		.run = cmd_touched,
	},
	{
		.name = "churn",
		.summary = "find memory that is mapped, touched and given back again and again",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Counts by the stack that maps it how often memory is mapped and given back, "
			"by munmap, brk or madvise, what the faults on it cost, and what helps where "
			"the figures say that something would.",
		.examples = churn_examples,
		.bit = ON_CHURN,
		.operand = OPERAND_PROGRAM,
		.run = cmd_churn,
	},
	{
		.name = "leaks",
		.summary = "list mappings and heap growth that stay, by who made them",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Lists what was mapped, attached or added to the heap during the run and has "
			"not been given back: by stack, with its age and how much of it was touched. "
			"With -i also how it grows.",
		.examples = leaks_examples,
		.bit = ON_LEAKS,
		.operand = OPERAND_PROGRAM,
		.run = cmd_leaks,
	},
	{
		.name = "check",
		.summary = "compare what is known of address spaces with /proc/PID/maps",
		.usage = "[options] [-- PROGRAM ARG...]",
		.description =
			"Keeps a model of each process's address space from the mapping calls, and at "
			"each interval stops one of the processes, takes what has come of it and "
			"compares access, file and offset of each address with /proc/PID/maps. What "
			"differs is printed, and the exit status is 1 then.",
		.examples = check_examples,
		.bit = ON_CHECK,
		.operand = OPERAND_PROGRAM,
		.run = cmd_check,
	},
	{
		.name = "features",
		.summary = "tell what this kernel allows, what is used and what is lost",
		.usage = "[options]",
		.description =
			"Lists the kernel features that tracing stands on: whether each is there, "
			"what is used in its place where it is not, and what you lose by that.",
		.examples = features_examples,
		.bit = ON_FEATURES,
		.operand = OPERAND_NONE,
		.run = cmd_features,
	},
	{
		.name = "help",
		.summary = "explain a command; print the man page or the shell completion",
		.usage = "[COMMAND | --man | --completion | --markdown]",
		.description =
			"Without an argument, an overview; with one, usage, options and examples of "
			"that command.",
		.examples = help_examples,
		.bit = ON_HELP,
		.operand = OPERAND_COMMAND,
		.run = cmd_help,
	},
};

const struct command *commands__row(size_t i)
{
	return i < ARRAY_SIZE(commands) ? &commands[i] : NULL;
}

const struct command *commands__find(const char *name)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		if (!strcmp(commands[i].name, name))
			return &commands[i];
	return NULL;
}

void commands__log_unknown(const char *name)
{
	const char *names[ARRAY_SIZE(commands)], *near;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(commands); i++)
		names[i] = commands[i].name;
	near = nearest_word(name, names, ARRAY_SIZE(commands));
	if (near)
		log_error("unknown command '%s': did you mean '%s'?", name, near);
	else
		log_error("unknown command '%s': see faultsnoop --help", name);
}
