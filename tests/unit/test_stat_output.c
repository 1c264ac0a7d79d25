/* SPDX-License-Identifier: GPL-2.0-only */
/* What `stat` prints: golden text, 80 columns, hostile names; what python makes of JSON and CSV. */
#ifndef _GNU_SOURCE
#endif
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <cmocka.h>
#include <jansson.h>

#include "analysis/stat.h"
#include "base/kind_names.h"
#include "base/text.h"
#include "output/histogram.h"
#include "output/stat_csv.h"
#include "output/stat_json.h"
#include "output/stat_text.h"
#include "output/table.h"
#include "lines.h"

#define PAGE 4096

static const struct stat_text_opts ascii = { 0 };
static const struct stat_text_opts utf8 = { .utf8 = true };

static struct process procs[] = {
	{ .pid = 1, .comm = "init" },
	{ .pid = 4194303, .comm = "Web Content" },
	{ .pid = 100, .comm = "new\nline" },
	{ .pid = 101, .comm = "q\"uo,te\"" },
	{ .pid = 102, .comm = "bad\xff\xfe\xc3" },
	{ .pid = 103, .comm = "esc\x1b[31mred" },
	{ .pid = 104, .comm = "\xe6\x97\xa5\xe6\x9c\xac\xe8\xaa\x9e" },
	{ .pid = 105, .comm = "back\\slash" },
	{ .pid = 106, .comm = "" },
};

#define NPROCS (sizeof(procs) / sizeof(*procs))

static struct file long_file = {
	.id = 1,
	.path = "/usr/lib/jvm/java-17-openjdk-amd64/lib/server/a directory, \"with\" blanks\n/"
		"libjvm-with-a-very-long-name-\xff.so",
};

static struct mapping mappings[] = {
	{ .id = 1,
	  .base = FS_REGION_FILE,
	  .start = 0x7ffff7a00000,
	  .end = 0x7ffff7b00000,
	  .file = &long_file },
	{ .id = 2, .base = FS_REGION_HEAP, .start = 0x555555560000, .end = 0x555555590000 },
	{ .id = 3,
	  .base = FS_REGION_ANON,
	  .start = 0x7fff00000000,
	  .end = 0x7fff40000000,
	  .anon_name = "tab\there" },
};

static struct stat_tally *new_stat(const struct stat_by *by)
{
	struct stat_by tables[] = { by ? *by : stat_by_default, { 1, { STAT_REGION } } };
	struct stat_opts opts = { .tables = tables, .ntables = 2 };
	struct stat_tally *st = stat__new(&opts);

	assert_non_null(st);
	return st;
}

static void add(struct stat_tally *st, const struct process *proc, const struct place *pl,
		enum fs_class class, unsigned int flags, __u64 latency_ns, unsigned int n)
{
	struct fs_fault f = {
		.pid = proc->pid,
		.tid = proc->pid,
		.cgroup_id = 1234567,
		.class = class,
		.flags = flags,
		.order = class == FS_CLASS_THP ? 9 : 0,
		.latency_ns = latency_ns,
	};

	while (n--)
		stat__fault(st, &f, pl, proc, 0, PAGE);
}

/* A little of everything, always the same. */
static void fill(struct stat_tally *st)
{
	struct place text = { .region = FS_REGION_TEXT,
			      .mapping = &mappings[0],
			      .file = &long_file };
	struct place heap = { .region = FS_REGION_HEAP, .mapping = &mappings[1] };
	struct place anon = { .region = FS_REGION_ANON, .mapping = &mappings[2] };
	struct place none = { .region = FS_REGION_NONE };
	struct fs_call_event ev = { .head = { .pid = 1, .tid = 1 }, .latency_ns = 1500 };
	size_t i;

	for (i = 0; i < NPROCS; i++) {
		unsigned int n = 2000 >> i;

		add(st, &procs[i], &heap, FS_CLASS_ANON, 0, 700 + 10 * i, n);
		add(st, &procs[i], &heap, FS_CLASS_ANON, 0, 1500, n / 2);
		add(st, &procs[i], &heap, FS_CLASS_ANON, FS_FAULT_KERNEL, 12000, n / 50);
		add(st, &procs[i], &text, FS_CLASS_FILE, 0, 450, n / 4);
	}
	add(st, &procs[1], &text, FS_CLASS_READ, FS_FAULT_MAJOR, 180000, 40);
	add(st, &procs[1], &text, FS_CLASS_READ, FS_FAULT_MAJOR, 5200000, 2);
	add(st, &procs[0], &anon, FS_CLASS_THP, 0, 95000, 12);
	add(st, &procs[2], &none, FS_CLASS_SEGV, FS_FAULT_FAILED, 900, 1);
	add(st, &procs[2], &none, FS_CLASS_FIXUP, FS_FAULT_KERNEL, 900, 3);
	for (i = 0; i < 8; i++) {
		ev.call = i & 1 ? FS_CALL_MUNMAP : FS_CALL_MMAP;
		ev.flags = i == 6 ? FS_CALL_FAILED : 0;
		ev.bytes = PAGE << i;
		ev.populated_min = i == 4 ? 16 : 0;
		ev.region = FS_REGION_SHM;
		stat__call(st, &ev, NULL, &procs[0], 0);
	}
	ev = (struct fs_call_event){ .call = FS_CALL_BRK, .bytes = -135168, .latency_ns = 800 };
	stat__call(st, &ev, NULL, &procs[0], 0);
}

static struct stat_report report_of(struct stat_tally *st, const struct stat_by *by)
{
	struct stat_report report = {
		.by = by,
		.command = "faultsnoop stat -a -d 5",
		.target = "all processes",
		.duration_ns = 5000000000ULL,
		.time_ns = 5000000000ULL,
	};

	stat__totals(st, &report.totals);
	return report;
}

enum format { TEXT_ASCII, TEXT_UTF8, JSON, CSV };

static char *print(struct stat_tally *st, const struct stat_report *report, enum format format)
{
	char *text = NULL;
	size_t size = 0;
	FILE *f = open_memstream(&text, &size);
	int err = 0;

	assert_non_null(f);
	if (format == JSON) {
		err = stat_json__print(f, st, report);
	} else if (format == CSV) {
		assert_int_equal(stat_csv__header(f, report), 0);
		err = stat_csv__print(f, st, report);
	} else {
		err = stat_text__print(f, st, report, format == TEXT_UTF8 ? &utf8 : &ascii);
	}
	assert_int_equal(err, 0);
	assert_int_equal(fclose(f), 0);
	return text;
}

/* Print a run of all of fill(). */
static char *print_filled(const struct stat_by *by, enum format format, size_t top)
{
	struct stat_tally *st = new_stat(by);
	struct stat_report report;
	char *text;

	fill(st);
	report = report_of(st, by);
	report.top = top;
	text = print(st, &report, format);
	stat__free(st);
	return text;
}

static void assert_text(const char *got, const char *expected)
{
	size_t i, line = 1;

	for (i = 0; got[i] && got[i] == expected[i]; i++)
		line += got[i] == '\n';
	if (got[i] != expected[i])
		fail_msg("differs in line %zu:\n%s", line, got);
}

/* clang-format off */
static const char golden_bare[] =
	"all processes: 7,110 faults in 5.00 s, 1,422/s\n"
	"  minor 7,067   major 42   failed 1   user mode 7,032   kernel mode 78\n"
	"  made present 51.7 MiB   stall 25.9 ms   populated 16   fixups 3\n"
	"\n"
	"region faults share major fail popul.  MiB   /s    p50    p99    max  stall\n"
	"heap    6,061 85.2%     0    0      0 23.7 1212  722ns 11.8us 12.0us 6.76ms\n"
	"text    1,036 14.6%    42    0      0 4.05  207  456ns  178us 5.20ms 18.0ms\n"
	"anon       12  0.2%     0    0      0 24.0  2.4 94.6us 95.0us 95.0us 1.14ms\n"
	"none        1 <0.1%     0    1      0    0  0.2  900ns  900ns  900ns  900ns\n"
	"shm         0  0.0%     0    0     16    0    0      -      -      -      -\n"
	"\n"
	"class faults share minor major fail   MiB   /s    p50    p99    max  stall\n"
	"anon   6,061 85.2%  6061     0    0  23.7 1212  722ns 11.8us 12.0us 6.76ms\n"
	"file     994 14.0%   994     0    0  3.88  199  449ns  450ns  450ns  447us\n"
	"read      42  0.6%     0    42    0 0.164  8.4  176us 5.20ms 5.20ms 17.6ms\n"
	"thp       12  0.2%    12     0    0  24.0  2.4 94.6us 95.0us 95.0us 1.14ms\n"
	"segv       1 <0.1%     0     0    1     0  0.2  900ns  900ns  900ns  900ns\n"
	"\n"
	"process             pid faults major fail   MiB   p50    p99  stall worst region\n"
	"init                  1  3,552     0    0  37.8 692ns 12.0us 4.75ms heap 71%\n"
	"Web Content     4194303  1,812    42    0  7.08 724ns  177us 19.4ms text 91%\n"
	"new\\nline           100    886     0    1  3.46 724ns 11.8us  912us heap 94%\n"
	"q\"uo,te\"            101    442     0    0  1.73 724ns 11.8us  458us heap 94%\n"
	"bad\\xff\\xfe\\xc3     102    220     0    0 0.859 756ns 1.54us  223us heap 94%\n"
	"and 4 more: 198 faults, 792.0 KiB made present, 195 us of stall\n"
	"\n"
	"Latency of faults: a bar counts from its time up to the next one's\n"
	"\n"
	"heap  p50 722ns  p99 11.8us              text  p50 456ns  p99 178us\n"
	" 512ns |#######################| 3,990    256ns |#########################| 994\n"
	"1.02us |###########            | 1,993      ... |\n"
	"2.05us |                       |     0    131us |#                        |  40\n"
	"4.10us |                       |     0      ... |\n"
	"8.19us |.                      |    78   4.19ms |.                        |   2\n"
	"\n"
	"anon  p50 94.6us  p99 95.0us             none  p50 900ns  p99 900ns\n"
	"65.5us |##########################| 12    512ns |###########################| 1\n"
	"\n"
	"call   calls failed       size populated   time\n"
	"mmap       4      1   84.0 KiB        16 6.00us\n"
	"munmap     4      0  680.0 KiB         0 6.00us\n"
	"brk        1      0 -132.0 KiB         0  800ns\n"
	"\n"
	"Sizes of calls: a bar counts from its size up to the next one's\n"
	"\n"
	"mmap                                     munmap\n"
	"  4KiB |###########################| 1     8KiB |###########################| 1\n"
	"  8KiB |                           | 0    16KiB |                           | 0\n"
	" 16KiB |###########################| 1    32KiB |###########################| 1\n"
	" 32KiB |                           | 0    64KiB |                           | 0\n"
	" 64KiB |###########################| 1   128KiB |###########################| 1\n"
	"                                         256KiB |                           | 0\n"
	"                                         512KiB |###########################| 1\n"
	"\n"
	"brk\n"
	"128KiB |###########################| 1\n"
	"\n"
	"lost: none\n";

static const char golden_by[] =
	"all processes: 7,110 faults in 5.00 s, 1,422/s\n"
	"  minor 7,067   major 42   failed 1   user mode 7,032   kernel mode 78\n"
	"  made present 51.7 MiB   stall 25.9 ms   populated 16   fixups 3\n"
	"\n"
	"process         pid region faults major fail  MiB   p50    p99    max  stall\n"
	"init              1 heap    3,040     0    0 11.9 696ns 11.8us 12.0us 3.38ms\n"
	"Web Content 4194303 heap    1,520     0    0 5.94 728ns 11.8us 12.0us 1.70ms\n"
	"new\\nline       100 heap      760     0    0 2.97 728ns 11.8us 12.0us  855us\n"
	"init              1 text      500     0    0 1.95 449ns  450ns  450ns  225us\n"
	"and 17 more: 1,290 faults, 29.0 MiB made present, 19.8 ms of stall\n"
	"(no room for share, minor, popul., /s: a wider terminal, -j and --csv have all\n"
	"columns)\n"
	"\n"
	"Latency of faults: a bar counts from its time up to the next one's\n"
	"\n"
	"heap  p50 722ns  p99 11.8us              text  p50 456ns  p99 178us\n"
	" 512ns |███████████████████████| 3,990    256ns |█████████████████████████| 994\n"
	"1.02us |███████████▍           | 1,993      ... |\n"
	"2.05us |                       |     0    131us |█                        |  40\n"
	"4.10us |                       |     0      ... |\n"
	"8.19us |▍                      |    78   4.19ms |▏                        |   2\n"
	"\n"
	"anon  p50 94.6us  p99 95.0us             none  p50 900ns  p99 900ns\n"
	"65.5us |██████████████████████████| 12    512ns |███████████████████████████| 1\n"
	"\n"
	"call   calls failed       size populated   time\n"
	"mmap       4      1   84.0 KiB        16 6.00us\n"
	"munmap     4      0  680.0 KiB         0 6.00us\n"
	"brk        1      0 -132.0 KiB         0  800ns\n"
	"\n"
	"Sizes of calls: a bar counts from its size up to the next one's\n"
	"\n"
	"mmap                                     munmap\n"
	"  4KiB |███████████████████████████| 1     8KiB |███████████████████████████| 1\n"
	"  8KiB |                           | 0    16KiB |                           | 0\n"
	" 16KiB |███████████████████████████| 1    32KiB |███████████████████████████| 1\n"
	" 32KiB |                           | 0    64KiB |                           | 0\n"
	" 64KiB |███████████████████████████| 1   128KiB |███████████████████████████| 1\n"
	"                                         256KiB |                           | 0\n"
	"                                         512KiB |███████████████████████████| 1\n"
	"\n"
	"brk\n"
	"128KiB |███████████████████████████| 1\n"
	"\n"
	"lost: none\n";
/* clang-format on */

static void test_golden_bare(void **state)
{
	char *text = print_filled(NULL, TEXT_ASCII, 5);

	(void)state;
	assert_text(text, golden_bare);
	free(text);
}

static void test_golden_by(void **state)
{
	struct stat_by by = { 2, { STAT_PROCESS, STAT_REGION } };
	char *text = print_filled(&by, TEXT_UTF8, 4);

	(void)state;
	assert_text(text, golden_by);
	free(text);
}

static void test_width(void **state)
{
	/* What cannot be had in 80 columns: addresses and paths beside each other. */
	static const struct {
		struct stat_by by;
		size_t width;
	} tables[] = {
		{ { 1, { STAT_REGION } }, 80 },
		{ { 1, { STAT_CLASS } }, 80 },
		{ { 1, { STAT_PROCESS } }, 80 },
		{ { 1, { STAT_THREAD } }, 80 },
		{ { 1, { STAT_FILE } }, 80 },
		{ { 1, { STAT_CGROUP } }, 80 },
		{ { 2, { STAT_REGION, STAT_CLASS } }, 80 },
		{ { 2, { STAT_PROCESS, STAT_REGION } }, 80 },
		{ { 3, { STAT_PROCESS, STAT_REGION, STAT_CLASS } }, 80 },
		{ { 2, { STAT_PROCESS, STAT_FILE } }, 80 },
		{ { 2, { STAT_PROCESS, STAT_MAPPING } }, 101 },
	};
	size_t i;
	char *text;

	(void)state;
	for (i = 0; i < 2; i++) {
		text = print_filled(NULL, i ? TEXT_UTF8 : TEXT_ASCII, 0);
		lines__check(text, 80, "bare");
		free(text);
	}
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++) {
		text = print_filled(&tables[i].by, i & 1 ? TEXT_UTF8 : TEXT_ASCII, 0);
		lines__check(text, tables[i].width, stat_key(tables[i].by.key[0])->name);
		free(text);
	}
}

/* A day of a large machine, by the kernel's cells. */
static void test_large_numbers(void **state)
{
	static const enum fs_region regions[] = { FS_REGION_THREAD_STACK, FS_REGION_FILE_SHARED,
						  FS_REGION_ANON_EXEC };
	struct stat_tally *st = new_stat(NULL);
	struct stat_report report;
	size_t i, k;
	char *text;

	(void)state;
	for (i = 0; i < NPROCS; i++) {
		for (k = 0; k < 3; k++) {
			struct fs_cell_key key = { .class = FS_CLASS_SPURIOUS - k };
			struct place pl = { .region = regions[k] };
			static struct fs_cell cell;

			cell.faults = 123456789012ULL << k;
			cell.major = 3456789012ULL;
			cell.kernel = 23456789012ULL;
			cell.pages = cell.faults * 3;
			cell.sum_ns = cell.faults * 98765;
			cell.max_ns = 999999999999ULL;
			cell.slots[200 + k] = 3234567890U;
			cell.slots[400 + k] = 123456789U;
			stat__add_cell(st, &key, &cell, &pl, &procs[i], PAGE);
		}
	}
	report = report_of(st, NULL);
	report.duration_ns = 86400000000000ULL;
	report.totals.populated = 98765432109ULL;
	report.totals.fixup = 98765432109ULL;
	report.interval = true;
	for (i = 0; i < FS_LOSS_NR; i++)
		report.lost[i] = 1234567890123ULL;
	for (i = 0; i < 2; i++) {
		text = print(st, &report, i ? TEXT_UTF8 : TEXT_ASCII);
		lines__check(text, 80, "large");
		free(text);
	}
	stat__free(st);
}

static void test_losses(void **state)
{
	static const char *const notes[] = {
		"This kernel cannot tell zero pages from others: class zero is counted as anon; a "
		"sentence\nlong enough to be broken.",
	};
	struct stat_by by = { 1, { STAT_REGION } };
	struct stat_tally *st = new_stat(&by);
	struct place heap = { .region = FS_REGION_HEAP };
	struct stat_report report;
	char words[1024], *text;

	(void)state;
	add(st, &procs[0], &heap, FS_CLASS_ANON, FS_FAULT_NO_LATENCY, 0, 998766);
	report = report_of(st, &by);
	text = print(st, &report, TEXT_ASCII);
	assert_text(text,
		    "all processes: 998,766 faults in 5.00 s, 199,753/s\n"
		    "  minor 998,766   major 0   failed 0   user mode 998,766   kernel mode 0\n"
		    "  made present 3.8 GiB   stall not measured   populated 0   fixups 0\n"
		    "\n"
		    "region  faults share minor major fail  MiB   /s p50 p99 max stall\n"
		    "heap   998,766  100%  999k     0    0 3901 200k   -   -   -     -\n"
		    "\n"
		    "lost: none\n");
	free(text);
	stat_csv__words(st, &report, words, sizeof(words));
	assert_string_equal(words, "5.00 s: 998766 faults (minor 998766, major 0, failed 0), "
				   "fixup 0, populated 0; lost: none");

	report.totals.faults += 1234;
	report.lost[FS_LOSS_FAULT_RING] = 1230;
	report.lost[FS_LOSS_MISSED] = 4;
	report.notes = notes;
	report.nnotes = 1;
	text = print(st, &report, TEXT_ASCII);
	assert_non_null(strstr(text,
			       "\ntotals are exact; 1,234 faults (0.1%) have no detail\n"
			       "lost: 1,230 fault_ring_full: a CPU's fault ring was full\n"
			       "lost: 4 missed: faults the software events counted and no "
			       "program saw\n"
			       "This kernel cannot tell zero pages from others: class zero is "
			       "counted as anon; a\n"
			       "sentence\\nlong enough to be broken.\n"));
	assert_null(strstr(text, "none"));
	lines__check(text, 80, "losses");
	free(text);
	stat_csv__words(st, &report, words, sizeof(words));
	assert_non_null(strstr(words, "lost: 1230 fault_ring_full, 4 missed"));
	stat__free(st);
}

static void test_nothing(void **state)
{
	struct stat_tally *st = new_stat(NULL);
	struct stat_report report = report_of(st, NULL);
	char *text;

	(void)state;
	report.duration_ns = 0;
	text = print(st, &report, TEXT_ASCII);
	assert_text(text, "all processes: 0 faults in 0 ns, 0/s\n"
			  "  minor 0   major 0   failed 0   user mode 0   kernel mode 0   "
			  "made present 0 B\n"
			  "  populated 0   fixups 0\n"
			  "\n"
			  "lost: none\n");
	free(text);
	free(print(st, &report, JSON));
	stat__free(st);
}

/* Run a python program with an argument, and text as its standard input. Gives its exit status. */
static int python(const char *program, const char *arg, const char *input)
{
	char command[8192];
	FILE *f;
	int status;

	assert_true((size_t)snprintf(command, sizeof(command),
				     "exec python3 -c \"$(cat <<'END'\n%s"
				     "\nEND\n)\" '%s'",
				     program, arg) < sizeof(command));
	fflush(NULL);
	f = popen(command, "w");
	assert_non_null(f);
	fputs(input, f);
	status = pclose(f);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void need_python(const char *module)
{
	if (!python("import importlib, sys\n"
		    "try: importlib.import_module(sys.argv[1])\n"
		    "except ImportError: sys.exit(1)\n",
		    module, ""))
		return;
	print_message("not checked: python3 has no module %s\n", module);
	skip();
}

/* The directory of this source, beside which the schema lies. */
static const char *schema_path(void)
{
	static char path[4096];
	const char *slash = strrchr(__FILE__, '/');

	snprintf(path, sizeof(path), "%.*s/../schema/stat.schema.json",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	return path;
}

static const struct stat_by json_tables[] = {
	{ 3, { STAT_PROCESS, STAT_REGION, STAT_CLASS } },
	{ 1, { STAT_REGION } },
	{ 3, { STAT_THREAD, STAT_FILE, STAT_CGROUP } },
	{ 2, { STAT_PROCESS, STAT_MAPPING } },
	{ 1, { STAT_CLASS } },
};

#define NTABLES (sizeof(json_tables) / sizeof(*json_tables))

/* One line for each of the tables, with and without --top, and one without latency. */
static char *all_json(void)
{
	char *all = NULL, *text;
	size_t size, i;
	FILE *f = open_memstream(&all, &size);
	struct stat_tally *st = new_stat(NULL);
	struct place heap = { .region = FS_REGION_HEAP };
	struct stat_report report;

	assert_non_null(f);
	for (i = 0; i < 2 * NTABLES; i++) {
		text = print_filled(&json_tables[i / 2], JSON, i & 1);
		fputs(text, f);
		free(text);
	}
	add(st, &procs[0], &heap, FS_CLASS_ANON, FS_FAULT_NO_LATENCY, 0, 5);
	report = report_of(st, NULL);
	report.command = "faultsnoop stat --no-latency -n '\xff\n'";
	report.notes = &report.command;
	report.nnotes = 1;
	text = print(st, &report, JSON);
	fputs(text, f);
	free(text);
	stat__free(st);
	assert_int_equal(fclose(f), 0);
	return all;
}

static void test_json_schema(void **state)
{
	char *text;

	(void)state;
	need_python("jsonschema");
	text = all_json();
	assert_int_equal(python("import json, sys, jsonschema\n"
				"schema = json.load(open(sys.argv[1]))\n"
				"check = jsonschema.Draft202012Validator\n"
				"check.check_schema(schema)\n"
				"check = check(schema)\n"
				"lines = sys.stdin.buffer.read().decode('utf-8').split('\\n')\n"
				"assert lines.pop() == '' and len(lines) == 11, len(lines)\n"
				"for line in lines:\n"
				"    pairs = json.loads(line, object_pairs_hook=list)\n"
				"    assert len(dict(pairs)) == len(pairs), line\n"
				"    o = json.loads(line)\n"
				"    e = jsonschema.exceptions.best_match(check.iter_errors(o))\n"
				"    assert e is None, line + str(e)\n"
				"    o['rows'][0]['extra'] = 1\n"
				"    assert not check.is_valid(o), line\n"
				"    del o['rows'], o['calls']\n"
				"    assert not check.is_valid(o), line\n",
				schema_path(), text),
			 0);
	free(text);
}

/* The words of kinds.h and the schema are the same. */
static void test_schema_words(void **state)
{
	json_t *schema = json_load_file(schema_path(), 0, NULL), *row, *list, *calls;
	size_t i;

	(void)state;
	assert_non_null(schema);
	row = json_object_get(json_object_get(json_object_get(schema, "$defs"), "row"),
			      "properties");
	list = json_object_get(json_object_get(row, "region"), "enum");
	assert_int_equal(json_array_size(list), FS_REGION_NR);
	for (i = 0; i < FS_REGION_NR; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), region_name(i));
	list = json_object_get(json_object_get(row, "class"), "enum");
	assert_int_equal(json_array_size(list), FS_CLASS_FIXUP);
	for (i = 0; i < FS_CLASS_FIXUP; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), class_name(i));
	calls = json_object_get(json_object_get(schema, "properties"), "calls");
	list = json_object_get(json_object_get(calls, "propertyNames"), "enum");
	assert_int_equal(json_array_size(list), FS_CALL_NR);
	for (i = 0; i < FS_CALL_NR; i++)
		assert_string_equal(json_string_value(json_array_get(list, i)), call_name(i));
	json_decref(schema);
}

static json_int_t number(json_t *object, const char *key)
{
	json_t *value = json_object_get(object, key);

	assert_true(json_is_integer(value));
	return json_integer_value(value);
}

/* Sums agree with each other. */
static void check_json_sums(json_t *o)
{
	json_t *totals = json_object_get(o, "totals"), *row, *latency, *line;
	json_int_t faults = 0, bytes = 0, count;
	size_t i, k;

	assert_int_equal(number(totals, "minor") + number(totals, "major") +
				 number(totals, "failed"),
			 number(totals, "faults"));
	assert_int_equal(number(totals, "user") + number(totals, "kernel"),
			 number(totals, "faults"));
	json_array_foreach (json_object_get(o, "rows"), i, row) {
		faults += number(row, "faults");
		bytes += number(row, "bytes");
		assert_int_equal(number(row, "minor") + number(row, "major") +
					 number(row, "failed"),
				 number(row, "faults"));
		latency = json_object_get(row, "latency_ns");
		if (json_is_null(latency))
			continue;
		count = 0;
		json_array_foreach (json_object_get(latency, "log2"), k, line)
			count += json_integer_value(json_array_get(line, 2));
		assert_int_equal(count, number(latency, "count"));
		assert_true(number(latency, "p50") <= number(latency, "p99"));
		assert_true(number(latency, "p99") <= number(latency, "max"));
	}
	if (json_object_get(o, "more")) {
		faults += number(json_object_get(o, "more"), "faults");
		bytes += number(json_object_get(o, "more"), "bytes");
	}
	assert_int_equal(faults, number(totals, "faults"));
	assert_int_equal(bytes, number(totals, "bytes"));
}

static void test_json_values(void **state)
{
	char *text = all_json(), *line = text, *end;
	json_t *o, *row, *calls;

	(void)state;
	for (; *line; line = end + 1) {
		end = strchr(line, '\n');
		assert_non_null(end);
		o = json_loadb(line, end - line, JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(o);
		check_json_sums(o);
		if (line == text) {
			assert_string_equal(json_string_value(json_object_get(o, "schema")),
					    "faultsnoop-stat-1");
			assert_int_equal(number(o, "duration_ns"), 5000000000);
			row = json_array_get(json_object_get(o, "rows"), 0);
			assert_string_equal(json_string_value(json_object_get(row, "process")),
					    "init");
			assert_int_equal(number(row, "pid"), 1);
			assert_int_equal(number(row, "faults"), 3040);
			assert_int_equal(number(json_object_get(o, "lost"), "missed"), 0);
			calls = json_object_get(o, "calls");
			assert_int_equal(number(json_object_get(calls, "mmap"), "calls"), 4);
			assert_int_equal(number(json_object_get(calls, "mmap"), "failed"), 1);
			assert_int_equal(number(json_object_get(calls, "brk"), "bytes"), -135168);
			assert_null(json_object_get(calls, "madvise"));
		}
		json_decref(o);
	}
	/* Newline, escape and broken bytes, as JSON has them. */
	assert_non_null(strstr(text, "\"new\\nline\""));
	assert_non_null(strstr(text, "\"esc\\u001B[31mred\""));
	assert_non_null(strstr(text, "\"bad\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\""));
	assert_non_null(strstr(text, "\"0x7ffff7a00000\""));
	free(text);
}

static void test_csv(void **state)
{
	static const struct stat_by by = { 3, { STAT_PROCESS, STAT_MAPPING, STAT_CLASS } };
	struct stat_tally *st = new_stat(&by);
	struct stat_report report;
	char *text;

	(void)state;
	need_python("csv");
	fill(st);
	report = report_of(st, &by);
	report.interval = true;
	report.time_ns = 12345678901ULL;
	text = print(st, &report, CSV);
	assert_int_equal(
		python("import csv, sys\n"
		       "text = sys.stdin.buffer.read().decode('utf-8')\n"
		       "lines = text.split('\\r\\n')\n"
		       "assert lines.pop() == ''\n"
		       "assert '\\n' not in ''.join(lines)\n"
		       "rows = list(csv.DictReader(lines, strict=True))\n"
		       "assert len(rows) == len(lines) - 1 and len(rows) > 20\n"
		       "assert all(None not in row and None not in row.values()\n"
		       "           for row in rows)\n"
		       "assert all(row['time_s'] == '12.345' for row in rows)\n"
		       "names = {row['process'] for row in rows}\n"
		       "assert {'q\"uo,te\"', 'back\\\\\\\\slash', 'new\\\\nline',\n"
		       "        'bad\\\\xff\\\\xfe\\\\xc3', 'esc\\\\x1b[31mred'} < names, names\n"
		       "assert sum(int(row['faults']) for row in rows) == int(sys.argv[1])\n"
		       "assert {row['start'] for row in rows} == {\n"
		       "    '0x7ffff7a00000', '0x555555560000', '0x7fff00000000', ''}\n"
		       "assert all(int(row['latency_p50_ns']) > 0 for row in rows)\n",
		       "7110", text),
		0);
	free(text);
	stat__free(st);
}

static void test_disk_full(void **state)
{
	struct stat_tally *st = new_stat(NULL);
	struct stat_report report;
	FILE *f = fopen("/dev/full", "w");

	(void)state;
	if (!f)
		skip();
	fill(st);
	report = report_of(st, NULL);
	assert_int_equal(stat_text__print(f, st, &report, &ascii), -EIO);
	clearerr(f);
	assert_int_equal(stat_json__print(f, st, &report), -EIO);
	clearerr(f);
	assert_int_equal(stat_csv__print(f, st, &report), -EIO);
	fclose(f);
	stat__free(st);
}

static void check_cut(const char *text, size_t columns, bool wide, const char *expected)
{
	char out[256];

	text_cut(out, sizeof(out), text, columns, wide);
	assert_string_equal(out, expected);
	assert_true(text_columns(out) <= columns);
}

static void test_cut(void **state)
{
	(void)state;
	check_cut("short", 5, false, "short");
	check_cut("/usr/lib/libc.so.6", 11, false, "/usr/~.so.6");
	check_cut("/usr/lib/libc.so.6", 10, true, "/usr/…so.6");
	check_cut("abc", 1, false, "~");
	check_cut("abc", 0, false, "");
	check_cut("ä", 1, false, "ä");
	check_cut("äöüäöü", 4, true, "äö…ü");
}

static void test_cells(void **state)
{
	static const struct {
		const char *(*fmt)(char *buf, size_t size, __u64 value);
		__u64 value;
		const char *expected;
	} cases[] = {
		{ cell_count, 0, "0" },
		{ cell_count, 99999, "99999" },
		{ cell_count, 100000, "100k" },
		{ cell_count, 999499, "999k" },
		{ cell_count, 999500, "1.00M" },
		{ cell_count, 12345678, "12.3M" },
		{ cell_count, 99950000, "100M" },
		{ cell_count, 123456789012ULL, "123G" },
		{ cell_count, ~0ULL, "18.4E" },
		{ cell_ns, 0, "0ns" },
		{ cell_ns, 1420, "1.42us" },
		{ cell_ns, 2100000000, "2.10s" },
		{ cell_mib, 0, "0" },
		{ cell_mib, 1, "<.001" },
		{ cell_mib, 4096, "0.004" },
		{ cell_mib, 1 << 20, "1.00" },
		{ cell_mib, 123 << 20, "123" },
		{ cell_mib, 99999ULL << 20, "99999" },
		{ cell_mib, 100000ULL << 20, "100k" },
		{ cell_size, 512, "512B" },
		{ cell_size, 4096, "4KiB" },
		{ cell_size, 1 << 30, "1GiB" },
		{ cell_size, 1ULL << 47, "128TiB" },
	};
	char buf[CELL_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++)
		assert_string_equal(cases[i].fmt(buf, sizeof(buf), cases[i].value),
				    cases[i].expected);
	assert_string_equal(cell_share(buf, sizeof(buf), 0, 0), "0.0%");
	assert_string_equal(cell_share(buf, sizeof(buf), 1, 1000000), "<0.1%");
	assert_string_equal(cell_share(buf, sizeof(buf), 999999, 1000000), "99.9%");
	assert_string_equal(cell_share(buf, sizeof(buf), 5, 5), "100%");
	assert_string_equal(cell_share(buf, sizeof(buf), 1, 8), "12.5%");
}

static int set_locale(void **state)
{
	(void)state;
	/* wcwidth(3) knows wide characters only there. */
	setlocale(LC_CTYPE, "C.UTF-8");
	return 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_golden_bare), cmocka_unit_test(test_golden_by),
		cmocka_unit_test(test_width),       cmocka_unit_test(test_large_numbers),
		cmocka_unit_test(test_losses),      cmocka_unit_test(test_nothing),
		cmocka_unit_test(test_json_schema), cmocka_unit_test(test_schema_words),
		cmocka_unit_test(test_json_values), cmocka_unit_test(test_csv),
		cmocka_unit_test(test_disk_full),   cmocka_unit_test(test_cut),
		cmocka_unit_test(test_cells),
	};

	return cmocka_run_group_tests_name("stat output", tests, set_locale, NULL);
}
