/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "analysis/stat.h"
#include "capture.h"
#include "commands.h"
#include "options.h"

#define WORDS_MAX 24

static const struct command stat_command = { .name = "stat",
					     .bit = ON_STAT,
					     .operand = OPERAND_PROGRAM };
static const struct command trace_command = { .name = "trace",
					      .bit = ON_TRACE,
					      .operand = OPERAND_PROGRAM };
static const struct command flame_command = { .name = "flame",
					      .bit = ON_FLAME,
					      .operand = OPERAND_PROGRAM };
static const struct command features_command = { .name = "features", .bit = ON_FEATURES };

/* A command line, split at `|`: words may hold blanks. */
struct line {
	char text[256];
	char *argv[WORDS_MAX + 1];
	int argc;
	struct options o;
	struct capture stderr_text;
	int err;
};

static void parse(struct line *l, const struct command *command, const char *text)
{
	char *rest = l->text;

	memset(l, 0, sizeof(*l));
	assert_true(strlen(text) < sizeof(l->text));
	strcpy(l->text, text);
	l->argv[l->argc++] = (char *)command->name;
	while (*text && rest) {
		assert_true(l->argc < WORDS_MAX);
		l->argv[l->argc++] = strsep(&rest, "|");
	}
	capture__begin(&l->stderr_text);
	l->err = options__parse(&l->o, command, l->argc, l->argv);
	capture__end(&l->stderr_text);
}

/* Parse a line that is right. */
static void good(struct line *l, const struct command *command, const char *text)
{
	parse(l, command, text);
	assert_string_equal(l->stderr_text.text, "");
	assert_int_equal(l->err, 0);
}

/* Parse one that is wrong: one line that holds `why`. */
static void bad(const struct command *command, const char *text, const char *why)
{
	struct line l;
	char *newline;

	parse(&l, command, text);
	if (l.err != -EINVAL || !strstr(l.stderr_text.text, why))
		fail_msg("'%s' gave %d and '%s', not '%s'", text, l.err, l.stderr_text.text, why);
	newline = strchr(l.stderr_text.text, '\n');
	assert_non_null(newline);
	assert_string_equal(newline, "\n");
	options__clear(&l.o);
}

static void test_defaults(void **state)
{
	struct line l;

	good(&l, &stat_command, "");
	assert_ptr_equal(l.o.command, &stat_command);
	assert_true(l.o.target.all);
	assert_null(l.o.target.argv);
	assert_null(l.o.common.output);
	assert_int_equal(l.o.common.duration_ns, 0);
	assert_int_equal(l.o.common.format, FORMAT_TEXT);
	assert_int_equal(l.o.common.faults, OPT_FAULTS_ALL);
	assert_int_equal(l.o.common.regions, (1 << FS_REGION_NR) - 1);
	assert_int_equal(l.o.stat.top, 0);
	assert_int_equal(l.o.stat.sort, STAT_BY_FAULTS);
	assert_int_equal(l.o.stat.by.n, 0);
	assert_true(l.o.trace.events == OPT_EVENTS_ALL);
	assert_int_equal(l.o.trace.max_events, 0);
	options__clear(&l.o);
}

static void test_stat_values(void **state)
{
	struct line l;

	good(&l, &stat_command, "-a|-d|0.5|-i1|-j|-vv|--by|process,region|--by=class|--top=3");
	assert_true(l.o.target.all);
	assert_int_equal(l.o.common.duration_ns, 500000000);
	assert_int_equal(l.o.common.interval_ns, 1000000000);
	assert_int_equal(l.o.common.format, FORMAT_JSON);
	assert_int_equal(l.o.common.verbose, 2);
	assert_int_equal(l.o.stat.by.n, 3);
	assert_int_equal(l.o.stat.by.values[0], STAT_PROCESS);
	assert_int_equal(l.o.stat.by.values[1], STAT_REGION);
	assert_int_equal(l.o.stat.by.values[2], STAT_CLASS);
	assert_int_equal(l.o.stat.top, 3);
	options__clear(&l.o);

	good(&l, &stat_command,
	     "--csv|--sort|p99|-F|maj|--in-kernel|--no-calls|--region|heap,thread-stack|-o|a b|"
	     "--ring-size|8M|-T|--no-follow|--without|cast,lock_seq|--without=kprobe");
	assert_int_equal(l.o.common.format, FORMAT_CSV);
	assert_int_equal(l.o.stat.sort, STAT_BY_P99);
	assert_int_equal(l.o.common.faults, OPT_FAULTS_MAJOR);
	assert_true(l.o.stat.in_kernel && l.o.stat.no_calls && !l.o.stat.no_latency);
	assert_true(l.o.common.regions ==
		    (OPT_REGION(FS_REGION_HEAP) | OPT_REGION(FS_REGION_THREAD_STACK)));
	assert_string_equal(l.o.common.output, "a b");
	assert_int_equal(l.o.common.ring_size_bytes, 8 << 20);
	assert_true(l.o.common.timestamps && l.o.target.no_follow);
	assert_int_equal(l.o.common.without.n, 3);
	assert_string_equal(l.o.common.without.names[1], "lock_seq");
	assert_string_equal(l.o.common.without.names[2], "kprobe");
	options__clear(&l.o);
}

static void test_trace_values(void **state)
{
	struct line l;

	good(&l, &trace_command, "--events|fault,brk|--min-latency|2.5|-x|--max-events|7|-F|min");
	assert_true(l.o.trace.events == (OPT_EVENT_FAULT | OPT_EVENT_CALL(FS_CALL_BRK)));
	assert_int_equal(l.o.trace.min_latency_ns, 2500);
	assert_true(l.o.trace.failed);
	assert_int_equal(l.o.trace.max_events, 7);
	assert_int_equal(l.o.common.faults, OPT_FAULTS_MINOR);
	options__clear(&l.o);

	good(&l, &trace_command, "--events|mlock|--events|shm");
	assert_true(l.o.trace.events ==
		    (OPT_EVENT_CALL(FS_CALL_MLOCK) | OPT_EVENT_CALL(FS_CALL_MLOCK2) |
		     OPT_EVENT_CALL(FS_CALL_MUNLOCK) | OPT_EVENT_CALL(FS_CALL_MLOCKALL) |
		     OPT_EVENT_CALL(FS_CALL_MUNLOCKALL) | OPT_EVENT_CALL(FS_CALL_SHMGET) |
		     OPT_EVENT_CALL(FS_CALL_SHMAT) | OPT_EVENT_CALL(FS_CALL_SHMDT)));
	options__clear(&l.o);

	good(&l, &trace_command, "--events|aio,uffd");
	assert_true(l.o.trace.events ==
		    (OPT_EVENT_CALL(FS_CALL_IO_SETUP) | OPT_EVENT_CALL(FS_CALL_IO_DESTROY) |
		     OPT_EVENT_CALL(FS_CALL_USERFAULTFD) | OPT_EVENT_CALL(FS_CALL_IOCTL)));
	options__clear(&l.o);

	good(&l, &trace_command, "--events|set_mempolicy_home_node");
	assert_true(l.o.trace.events == OPT_EVENT_CALL(FS_CALL_SET_MEMPOLICY_HOME_NODE));
	options__clear(&l.o);

	good(&l, &trace_command, "--events|munlock");
	assert_true(l.o.trace.events == OPT_EVENT_CALL(FS_CALL_MUNLOCK));
	options__clear(&l.o);

	good(&l, &trace_command, "--events|calls,fault,exec,fork,exit,rename");
	assert_true(l.o.trace.events == OPT_EVENTS_ALL);
	options__clear(&l.o);
}

static void test_targets(void **state)
{
	struct line l;

	good(&l, &stat_command, "-p|1,22|-p|22,4194304");
	assert_false(l.o.target.all);
	assert_int_equal(l.o.target.pids.n, 3);
	assert_int_equal(l.o.target.pids.ids[0], 1);
	assert_int_equal(l.o.target.pids.ids[1], 22);
	assert_int_equal(l.o.target.pids.ids[2], 4194304);
	options__clear(&l.o);

	good(&l, &stat_command, "-t5");
	assert_false(l.o.target.all);
	assert_int_equal(l.o.target.tids.ids[0], 5);
	options__clear(&l.o);

	good(&l, &stat_command, "-n|x");
	assert_false(l.o.target.all);
	options__clear(&l.o);
	good(&l, &stat_command, "-c|x");
	assert_false(l.o.target.all);
	options__clear(&l.o);

	/* -a with a name: all processes of that name, so there is a limit */
	good(&l, &stat_command, "-a|-n|my prog,kworker*|-c|/sys/fs/cgroup/x");
	assert_false(l.o.target.all);
	assert_int_equal(l.o.target.comms.n, 2);
	assert_string_equal(l.o.target.comms.names[0], "my prog");
	assert_string_equal(l.o.target.comms.names[1], "kworker*");
	assert_string_equal(l.o.target.cgroup, "/sys/fs/cgroup/x");
	options__clear(&l.o);
}

/* As perf does it: PROGRAM begins at the first word that is no option, or after --. */
static void test_program(void **state)
{
	struct line l;

	good(&l, &stat_command, "-j|--|ls|-l|--csv");
	assert_false(l.o.target.all);
	assert_int_equal(l.o.target.argc, 3);
	assert_string_equal(l.o.target.argv[0], "ls");
	assert_string_equal(l.o.target.argv[2], "--csv");
	assert_null(l.o.target.argv[3]);
	assert_int_equal(l.o.common.format, FORMAT_JSON);
	options__clear(&l.o);

	good(&l, &stat_command, "-d|5|ls|-l|--|-j");
	assert_int_equal(l.o.target.argc, 4);
	assert_string_equal(l.o.target.argv[0], "ls");
	assert_string_equal(l.o.target.argv[3], "-j");
	assert_int_equal(l.o.common.format, FORMAT_TEXT);
	options__clear(&l.o);

	bad(&stat_command, "-d|1|--", "no PROGRAM after --");
	bad(&stat_command, "-d|1|", "name of the PROGRAM is empty");
	bad(&features_command, "ls", "features takes no argument: 'ls'");
}

static void test_help(void **state)
{
	struct line l;

	good(&l, &stat_command, "--help");
	assert_true(l.o.help);
	options__clear(&l.o);
	/* what is wrong otherwise does not matter to whom asks for help */
	good(&l, &stat_command, "-a|-p|1|-h");
	assert_true(l.o.help);
	options__clear(&l.o);
}

static void test_unknown(void **state)
{
	bad(&stat_command, "--jsn", "unknown option '--jsn': did you mean --json?");
	bad(&stat_command, "--xyzzy=3", "unknown option '--xyzzy': see faultsnoop stat --help");
	bad(&stat_command, "-Q", "unknown option '-Q'");
	bad(&stat_command, "-jQ", "unknown option '-Q'");
	bad(&stat_command, "-\xff", "unknown option");
	bad(&stat_command, "--events|fault", "stat has no option --events");
	bad(&trace_command, "-i|1", "trace has no option --interval");
	/* no abbreviation of --without */
	bad(&trace_command, "--with|churn", "trace has no option --with");
	bad(&trace_command, "--with=churn", "trace has no option --with");
	bad(&features_command, "-p|1", "features has no option --pid");
	/* other commands' options are not suggested */
	bad(&features_command, "--intervall", "unknown option '--intervall': see");
	/* of two that begin like it, one is named */
	bad(&stat_command, "--no", "did you mean --no-");
}

static void test_values(void **state)
{
	bad(&stat_command, "-d", "--duration needs a value: SEC");
	bad(&stat_command, "--output", "--output needs a value: FILE");
	bad(&stat_command, "--json=1", "--json takes no value");
	bad(&stat_command, "-o|", "--output needs a value: FILE");
	bad(&stat_command, "-p|1,,2", "empty word in '1,,2'");
	bad(&stat_command, "-p|1,", "empty word");
	bad(&stat_command, "--by|", "empty word");
	bad(&stat_command, "-p|1x", "--pid: '1x' is not a number (1 to 4194304)");
	bad(&stat_command, "-d|soon", "'soon' is not a number of seconds");
	bad(&stat_command, "--ring-size|1Q", "'1Q' is not a size");
	/* a stranger's bytes do not reach the terminal */
	bad(&stat_command, "-p|\x1b[2J\n", "'\\x1b[2J\\n' is not a number");
}

static void test_ranges(void **state)
{
	static const char *const at_the_border[] = {
		"-d|0.01",       "-d|31536000",     "-i|0.01",        "--top|1",
		"--top|1000000", "--ring-size|64K", "--ring-size|4G",
	};
	struct line l;
	size_t i;

	bad(&stat_command, "-d|0.009", "out of range: 0.01 to 31536000 seconds");
	bad(&stat_command, "-d|31536000.001", "out of range: 0.01 to 31536000 seconds");
	bad(&stat_command, "-i|0", "--interval: 0 is out of range");
	bad(&stat_command, "--top|0", "out of range: 1 to 1000000");
	bad(&stat_command, "--top|1000001", "out of range: 1 to 1000000");
	bad(&stat_command, "-p|0", "out of range: 1 to 4194304");
	bad(&stat_command, "-t|4294967297", "out of range: 1 to 4194304");
	bad(&stat_command, "-p|99999999999999999999999", "out of range: 1 to 4194304");
	bad(&stat_command, "--ring-size|65535", "out of range: 64.0 KiB to 4.0 GiB");
	bad(&stat_command, "--ring-size|5G", "out of range: 64.0 KiB to 4.0 GiB");
	bad(&trace_command, "--max-events|0", "out of range: 1 to");
	bad(&trace_command, "--min-latency|1e3", "not a number of microseconds");
	for (i = 0; i < sizeof(at_the_border) / sizeof(at_the_border[0]); i++) {
		good(&l, &stat_command, at_the_border[i]);
		options__clear(&l.o);
	}
}

static void test_words(void **state)
{
	bad(&stat_command, "--region|heap,heep", "unknown region 'heep'; known: unknown, text");
	bad(&stat_command, "--by|regions", "unknown key 'regions'; known: region, class, process");
	bad(&stat_command, "--sort|size", "unknown column 'size'; known: faults, minor, major");
	bad(&stat_command, "-F|major", "'major'; known: all, min, maj");
	bad(&trace_command, "--events|mmapp", "unknown event 'mmapp'; known: all, fault");
}

static void test_words_once(void **state)
{
	struct line l;

	good(&l, &stat_command,
	     "--by|region,region,class|--by|class|--by|region,class,process,thread,mapping,file,"
	     "cgroup,region");
	assert_int_equal(l.o.stat.by.n, 7);
	assert_int_equal(l.o.stat.by.values[1], STAT_CLASS);
	options__clear(&l.o);
}

static void test_comms(void **state)
{
	struct line l;

	good(&l, &stat_command, "-n|123456789012345|-n|12345678901234*");
	assert_int_equal(l.o.target.comms.n, 2);
	options__clear(&l.o);
	bad(&stat_command, "-n|1234567890123456", "longer than the 15 bytes");
	bad(&stat_command, "-n|123456789012345*", "longer than the 15 bytes");
	bad(&stat_command, "-n|1,2,3,4,5,6,7,8,9,10,11,12,13,14,15,16,17", "more than 16 names");
}

static void test_conflicts(void **state)
{
	static const char *const lines[] = {
		"-a|-p|1",   "-p|1|-a",   "-a|-t|1",      "-a|ls",      "-p|1|-t|1",
		"-p|1|--|x", "-t|1|--|x", "-p|1|-n|x",    "-p|1|-c|/x", "-t|1|-n|x",
		"-c|/x|ls",  "-n|x|ls",   "--csv|--json", "-j|--csv",
	};
	struct line l;
	size_t i;

	for (i = 0; i < sizeof(lines) / sizeof(lines[0]); i++)
		bad(&stat_command, lines[i], "cannot be combined");
	bad(&stat_command, "--no-latency|--sort|stall", "leave out --no-latency");
	bad(&features_command, "-j|--csv", "--json and --csv cannot be combined");
	/* the same twice is none */
	good(&l, &stat_command, "-j|--json|-a|--all");
	options__clear(&l.o);
}

/* Rows that contradict each other would parse, and mislead. */
static void test_rows(void **state)
{
	const struct option_row *a, *b;
	size_t i, j;

	for (i = 0; (a = options__row(i)); i++) {
		assert_true(strlen(a->help) > 5);
		assert_true(a->help[strlen(a->help) - 1] != '.');
		assert_true(a->commands != 0);
		assert_true(a->min <= a->max || a->type == OPT_SET);
		assert_int_equal(!a->metavar,
				 a->type == OPT_FLAG || a->type == OPT_COUNT || a->type == OPT_SET);
		if (a->type == OPT_WORD || a->type == OPT_WORDS || a->type == OPT_MASK) {
			assert_non_null(a->word);
			assert_non_null(a->noun);
		}
		for (j = i + 1; (b = options__row(j)); j++) {
			if (!(a->commands & b->commands))
				continue; /* of commands that never meet */
			assert_string_not_equal(a->name, b->name);
			if (a->short_name)
				assert_int_not_equal(a->short_name, b->short_name);
		}
	}
	assert_null(options__row(i + 1));
}

static void test_nearest(void **state)
{
	static const char *const words[] = { "stat", "trace", "features", "help" };

	assert_string_equal(nearest_word("stta", words, 4), "stat");
	assert_string_equal(nearest_word("feat", words, 4), "features");
	assert_string_equal(nearest_word("traces", words, 4), "trace");
	assert_string_equal(nearest_word("hlep", words, 4), "help");
	assert_null(nearest_word("record", words, 4));
	assert_null(nearest_word("x", words, 4));
	assert_null(nearest_word("", words, 4));
}

static int close_and_capture(FILE *f, struct capture *c)
{
	int status;

	capture__begin(c);
	status = options__close_output(f);
	capture__end(c);
	return status;
}

static FILE *open_output(const char *path, struct capture *c)
{
	struct options o = { .common.output = path };
	FILE *f;

	capture__begin(c);
	f = options__open_output(&o);
	capture__end(c);
	return f;
}

static void test_output(void **state)
{
	char dir[] = P_tmpdir "/test_options.XXXXXX", path[64], text[32];
	struct capture c;
	struct stat st;
	FILE *f;

	assert_non_null(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/out", dir);
	f = open_output(path, &c);
	assert_non_null(f);
	fputs("a longer text", f);
	assert_int_equal(close_and_capture(f, &c), STATUS_OK);
	f = open_output(path, &c); /* replaced */
	fputs("text", f);
	assert_int_equal(close_and_capture(f, &c), STATUS_OK);
	assert_string_equal(c.text, "");
	f = fopen(path, "r");
	assert_string_equal(fgets(text, sizeof(text), f), "text");
	fclose(f);

	assert_null(open_output(dir, &c));
	assert_non_null(strstr(c.text, "Is a directory\n"));
	snprintf(path, sizeof(path), "%s/none/out", dir);
	assert_null(open_output(path, &c));
	assert_non_null(strstr(c.text, "/none/out': No such file or directory\n"));
	snprintf(path, sizeof(path), "%s/out", dir);
	unlink(path);
	rmdir(dir);

	assert_ptr_equal(open_output(NULL, &c), stdout);
	assert_ptr_equal(open_output("-", &c), stdout);
	assert_int_equal(close_and_capture(stdout, &c), STATUS_OK);
	assert_int_equal(fstat(STDOUT_FILENO, &st), 0); /* open still */
	assert_int_equal(options__close_output(NULL), STATUS_OK);
}

static void test_output_full(void **state)
{
	static const char want[] = "faultsnoop: cannot write output: No space left on device\n";
	struct capture c;
	FILE *f;
	int i;

	/* noticed at the end */
	f = open_output("/dev/full", &c);
	assert_non_null(f);
	fputs("x", f);
	assert_int_equal(close_and_capture(f, &c), STATUS_FAILED);
	assert_string_equal(c.text, want);

	/* on the way: stdio has forgotten why by the end */
	f = open_output("/dev/full", &c);
	for (i = 0; i < 100000; i++)
		fputs("line\n", f);
	while (fflush(f) && ferror(f) && i++ < 100010)
		;
	assert_true(ferror(f));
	assert_int_equal(close_and_capture(f, &c), STATUS_FAILED);
	assert_string_equal(c.text, want);
}

/* `| head`: no error. */
static void test_output_reader_gone(void **state)
{
	struct capture c;
	FILE *f;
	int fds[2], i;

	signal(SIGPIPE, SIG_IGN);
	for (i = 0; i < 2; i++) {
		assert_int_equal(pipe(fds), 0);
		close(fds[0]);
		f = fdopen(fds[1], "w");
		fputs("x", f);
		if (i) {
			setvbuf(f, NULL, _IONBF, 0);
			fputs("y", f); /* fails now, not at the end */
			assert_true(ferror(f));
		}
		assert_int_equal(close_and_capture(f, &c), STATUS_OK);
		assert_string_equal(c.text, "");
	}
	signal(SIGPIPE, SIG_DFL);
}

/* Options about stacks, with and without what takes stacks. */
static void test_stacks(void **state)
{
	struct line l;

	good(&l, &trace_command, "--stacks|-U|--inlines|--lines|--debuginfod");
	assert_true(l.o.stacks.wanted && l.o.stacks.user_only && !l.o.stacks.kernel_only);
	assert_true(l.o.symbols.inlines && l.o.symbols.lines && l.o.symbols.debuginfod);
	assert_true(l.o.symbols.variables);
	options__clear(&l.o);
	good(&l, &trace_command, "--symbols|--debuginfod");
	assert_true(!l.o.stacks.wanted && l.o.symbols.variables);
	options__clear(&l.o);
	good(&l, &trace_command, "");
	assert_true(!l.o.stacks.wanted && !l.o.symbols.variables);
	options__clear(&l.o);
	bad(&trace_command, "--lines", "--lines needs stacks: add --stacks");
	bad(&trace_command, "-K", "--kernel-stacks-only needs stacks: add --stacks");
	bad(&trace_command, "--symbols|--inlines", "--inlines needs stacks: add --stacks");
	bad(&trace_command, "--stacks|-K|-U", "cannot be combined");

	good(&l, &stat_command, "--by|process,stack|-K|--inlines");
	assert_int_equal(l.o.stat.by.n, 2);
	assert_int_equal(l.o.stat.by.values[1], STAT_STACK);
	options__clear(&l.o);
	bad(&stat_command, "-U", "--user-stacks-only needs stacks: add --by stack");
	bad(&stat_command, "--by|stack|--in-kernel", "--by stack needs each fault by itself");
	bad(&stat_command, "--by|stack|--lines", "stat has no option --lines");

	good(&l, &flame_command, "-U|--lines|--by|symbol");
	assert_int_equal(l.o.flame.by.values[0], OPT_LEAF_SYMBOL);
	options__clear(&l.o);
	bad(&flame_command, "-U|-K", "cannot be combined");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),
		cmocka_unit_test(test_stat_values),
		cmocka_unit_test(test_trace_values),
		cmocka_unit_test(test_targets),
		cmocka_unit_test(test_program),
		cmocka_unit_test(test_help),
		cmocka_unit_test(test_unknown),
		cmocka_unit_test(test_values),
		cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_words),
		cmocka_unit_test(test_words_once),
		cmocka_unit_test(test_comms),
		cmocka_unit_test(test_conflicts),
		cmocka_unit_test(test_rows),
		cmocka_unit_test(test_nearest),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_output_full),
		cmocka_unit_test(test_output_reader_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
