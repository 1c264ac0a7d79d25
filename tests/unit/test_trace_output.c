/* SPDX-License-Identifier: GPL-2.0-only */
/* What `trace` prints: golden lines, hostile names, errors. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <wchar.h>
#include <cmocka.h>

#include "trace_samples.h"

#define HEADER                                                                                      \
	"    TIME(s) LAT(us) COMM            PID/TID     CPU TYPE ACC ADDRESS        REGION       " \
	"CLASS    OWNER+OFFSET             IP\n"

#define FAULT(p, f, pl, comm) assert_int_equal(trace_printer__fault((p)->tp, f, pl, comm), 0)

/* ---- text ---- */

static void test_text_faults(void **state)
{
	struct fs_fault f = a_fault();
	struct paper p;

	paper__open(&p, FORMAT_TEXT, &relative);
	assert_string_equal(paper__text(&p), HEADER);
	FAULT(&p, &f, &in_anon, "python3");
	assert_string_equal(
		paper__line(&p),
		"   0.001234    1.42 python3         1234/1240     3 min  W   "
		"0x7f3a10001b10 anon         anon     [anon]+0x1b10            0x401136\n");

	f.addr = 0x7f3a1c1d2b10;
	f.ip = 0xffffffff81a00b92;
	f.class = FS_CLASS_READ;
	f.access = FS_ACCESS_EXEC;
	f.flags = FS_FAULT_MAJOR | FS_FAULT_KERNEL;
	f.latency_ns = 12345678;
	f.time_ns = START_NS + 98765432109876;
	FAULT(&p, &f, &in_text, "redis-server");
	assert_string_equal(
		paper__line(&p),
		"98765.432109 12345.7 redis-server    1234/1240     3 maj  Xk  "
		"0x7f3a1c1d2b10 text         read     libc.so.6+0x1d2b10       0xffffffff81a00b92\n");

	f = a_fault();
	f.addr = 0;
	f.class = FS_CLASS_SEGV;
	f.access = FS_ACCESS_READ;
	f.flags = FS_FAULT_FAILED | FS_FAULT_NO_LATENCY;
	f.time_ns = START_NS - 1500;
	FAULT(&p, &f, &nowhere, "crash");
	assert_string_equal(
		paper__line(&p),
		"  -0.000001       - crash           1234/1240     3 FAIL R   "
		"0x0            none         segv     -                        0x401136\n");

	f.class = FS_CLASS_FIXUP;
	f.flags = 0;
	FAULT(&p, &f, &nowhere, "crash");
	assert_non_null(strstr(paper__line(&p), " fix  R "));
	f.class = f.access = 255;
	FAULT(&p, &f, &nowhere, "crash");
	assert_non_null(strstr(paper__line(&p), " min  ?   0x0            none         unknown "));
	paper__close(&p);
}

static const char *latency_of(struct paper *p, __u64 ns)
{
	static char column[8];
	struct fs_fault f = a_fault();

	f.latency_ns = ns;
	FAULT(p, &f, &in_anon, "a");
	memcpy(column, paper__line(p) + 12, 7);
	return column;
}

static void test_text_latency(void **state)
{
	struct paper p;

	paper__open(&p, FORMAT_TEXT, &relative);
	assert_string_equal(latency_of(&p, 0), "   0.00");
	assert_string_equal(latency_of(&p, 5), "   0.01");
	assert_string_equal(latency_of(&p, 999994), " 999.99");
	assert_string_equal(latency_of(&p, 999995), "1000.00");
	assert_string_equal(latency_of(&p, 9999994), "9999.99");
	assert_string_equal(latency_of(&p, 9999995), "10000.0");
	assert_string_equal(latency_of(&p, 99999949), "99999.9");
	assert_string_equal(latency_of(&p, 99999950), " 100000");
	assert_string_equal(latency_of(&p, 2000000000), "2000000");
	paper__close(&p);
}

static void test_text_clock(void **state)
{
	struct fs_fault f = a_fault();
	struct paper p;

	setenv("TZ", "XYZ-05:30", 1);
	tzset();
	paper__open(&p, FORMAT_TEXT, &wall);
	assert_memory_equal(paper__text(&p), "TIME            LAT(us) COMM ", 29);
	FAULT(&p, &f, &in_anon, "a");
	assert_memory_equal(paper__line(&p), "03:43:20.001234    1.42 a ", 26);
	/* The next minute, and back: events of several CPUs come out of order. */
	f.time_ns = START_NS + 40 * 1000000000ULL;
	FAULT(&p, &f, &in_anon, "a");
	assert_memory_equal(paper__line(&p), "03:44:00.000000 ", 16);
	f.time_ns--;
	FAULT(&p, &f, &in_anon, "a");
	assert_memory_equal(paper__line(&p), "03:43:59.999999 ", 16);
	paper__close(&p);
}

static void test_text_others(void **state)
{
	struct fs_call_event call = { .head = a_head(),
				      .latency_ns = 12300,
				      .call = FS_CALL_MUNMAP,
				      .args = { 0x7f3a10000000, 4096 } };
	struct fs_exec_event exec = { .head = a_head(), .comm = "ls", .path = "/bin/ls" };
	struct fs_fork_event fork = { .head = a_head(), .child_pid = 1250, .child_tid = 1250 };
	struct fs_exit_event exit = { .head = a_head(), .exit_code = SIGSEGV, .last = 1 };
	struct fs_rename_event rename = { .head = a_head(), .comm = "worker" };
	struct paper p;

	paper__open(&p, FORMAT_TEXT, &relative);
	trace_printer__call(p.tp, &call, "sh");
	call.latency_ns = 0; /* not measured */
	trace_printer__call(p.tp, &call, "sh");
	trace_printer__fork(p.tp, &fork, "sh");
	trace_printer__exec(p.tp, &exec, "sh");
	trace_printer__rename(p.tp, &rename, "ls");
	trace_printer__exit(p.tp, &exit, "worker");
	trace_printer__lost(p.tp, FS_LOSS_FAULT_RING, 7);
	trace_printer__lost(p.tp, FS_LOSS_FAULT_RING, 5);
	trace_printer__lost(p.tp, FS_LOSS_PATH, 1);
	assert_int_equal(trace_printer__finish(p.tp), 0);
	assert_string_equal(
		paper__text(&p), HEADER
		"   0.002000   12.30 sh              1234/1234     1 munmap(0x7f3a10000000, 4096) = 0\n"
		"   0.002000       - sh              1234/1234     1 munmap(0x7f3a10000000, 4096) = 0\n"
		"   0.002000       - sh              1234/1234     1 fork → 1250/1250\n"
		"   0.002000       - sh              1234/1234     1 execve(\"/bin/ls\") → ls\n"
		"   0.002000       - ls              1234/1234     1 rename → worker\n"
		"   0.002000       - worker          1234/1234     1 killed by SIGSEGV\n"
		"LOST 7 fault_ring_full: a CPU's fault ring was full\n"
		"LOST 5 fault_ring_full: a CPU's fault ring was full\n"
		"LOST 1 path_truncated: file paths too deep or too long to copy\n"
		"LOST in all: 12 fault_ring_full, 1 path_truncated\n");
	paper__close(&p);
}

/* Column in which the bytes at `to` begin on a terminal. */
static int column_of(const char *line, const char *to)
{
	int column = 0;
	mbstate_t st = { 0 };

	while (line < to) {
		wchar_t wc;
		size_t n = mbrtowc(&wc, line, to - line, &st);

		assert_true(n > 0 && n <= 4);
		column += wcwidth(wc);
		line += n;
	}
	return column;
}

static void check_clean(const char *line)
{
	const char *end = strchr(line, '\n');
	const unsigned char *c;

	assert_non_null(end);
	assert_string_equal(end, "\n");
	for (c = (const unsigned char *)line; c < (const unsigned char *)end; c++)
		assert_true(*c >= 0x20 && *c != 0x7f && !(*c == 0xc2 && c[1] < 0xa0));
}

static void test_text_hostile(void **state)
{
	struct fs_fault f = a_fault();
	struct file file = { .id = 5 };
	struct mapping mapping = anon;
	struct place pl = { .region = FS_REGION_FILE, .mapping = &mapping, .file = &file };
	const char *line;
	struct paper p;
	size_t i;

	if (!setlocale(LC_CTYPE, "C.UTF-8"))
		skip();
	mapping.file = &file;
	paper__open(&p, FORMAT_TEXT, &relative);
	for (i = 0; i < HOSTILE; i++) {
		file.path = file.name = hostile[i];
		FAULT(&p, &f, &pl, hostile[i]);
		line = paper__line(&p);
		check_clean(line);
		assert_int_equal(column_of(line, strstr(line, " 1234/1240 ")), 35);
		assert_int_equal(column_of(line, strstr(line, " file  ")), 75);
		/* The owner is the only thing that may be too long, and then the address is pushed. */
		assert_true(column_of(line, strstr(line, " 0x401136")) >= 121);
	}
	paper__close(&p);
	setlocale(LC_CTYPE, "C");
}

static void test_text_long_pids(void **state)
{
	struct fs_fault f = a_fault();
	struct paper p;

	paper__open(&p, FORMAT_TEXT, &relative);
	f.pid = f.tid = 4194303;
	FAULT(&p, &f, &in_anon, "a");
	assert_non_null(strstr(paper__line(&p), " 4194303/4194303   3 min "));
	f.pid = f.tid = 1;
	FAULT(&p, &f, &in_anon, "a");
	assert_non_null(strstr(paper__line(&p), " 1/1               3 min "));
	paper__close(&p);
}

static void test_text_random(void **state)
{
	size_t lines = 0;
	struct paper p;
	char *at, *end;

	paper__open(&p, FORMAT_TEXT, &wall);
	print_random(p.tp);
	paper__text(&p);
	for (at = p.text; (end = strchr(at, '\n')); at = end + 1, lines++) {
		const unsigned char *c;

		for (c = (const unsigned char *)at; c < (const unsigned char *)end; c++)
			assert_true(*c >= 0x20 && *c != 0x7f);
	}
	assert_int_equal(lines, RANDOM_LINES + 2);
	paper__close(&p);
}

/* ---- JSON and CSV ---- */

static void test_json_golden(void **state)
{
	struct fs_fault f = a_fault();
	struct fs_call_event ev = { .head = a_head(),
				    .call = FS_CALL_MMAP,
				    .ret = -ENOMEM,
				    .flags = FS_CALL_FAILED,
				    .latency_ns = 990,
				    .ip = 0x401000,
				    .args = { 0, 4096, 3, 0x22, UINT64_MAX, 4096 } };
	struct paper p;

	paper__open(&p, FORMAT_JSON, &relative);
	assert_string_equal(paper__text(&p), "");
	f.addr = 0x7f3a1c1d2b10;
	FAULT(&p, &f, &in_text, "a\"\\\n\x1b\x7f\xff");
	assert_string_equal(
		paper__line(&p),
		"{\"event\":\"fault\",\"time_ns\":1000001234567,\"pid\":1234,\"tid\":1240,\"cpu\":3,"
		"\"comm\":\"a\\\"\\\\\\u000a\\u001b\\u007f\xef\xbf\xbd\",\"latency_ns\":1420,"
		"\"result\":\"minor\",\"access\":\"write\",\"mode\":\"user\",\"class\":\"anon\","
		"\"region\":\"text\",\"address\":\"0x7f3a1c1d2b10\",\"ip\":\"0x401136\","
		"\"owner\":\"libc.so.6\",\"offset\":1911568,"
		"\"file\":\"/usr/lib/x86_64-linux-gnu/libc.so.6\","
		"\"region_start\":\"0x7f3a1c026000\",\"region_end\":\"0x7f3a1c17b000\","
		"\"order\":0,\"bytes\":4096}\n");
	trace_printer__call(p.tp, &ev, "a");
	assert_string_equal(
		paper__line(&p),
		"{\"event\":\"mmap\",\"time_ns\":1000002000000,\"pid\":1234,\"tid\":1234,\"cpu\":1,"
		"\"comm\":\"a\",\"latency_ns\":990,\"args\":{\"addr\":\"0x0\",\"length\":4096,"
		"\"prot\":\"PROT_READ|PROT_WRITE\",\"flags\":\"MAP_PRIVATE|MAP_ANONYMOUS\","
		"\"fd\":-1,\"offset\":4096},\"ret\":-1,\"failed\":true,\"error\":\"ENOMEM\","
		"\"bytes\":0,\"ip\":\"0x401000\",\"populated\":0,\"populated_major\":0}\n");
	paper__close(&p);

	paper__open(&p, FORMAT_JSON, &wall);
	f.flags = FS_FAULT_NO_LATENCY;
	f.order = 9;
	f.class = FS_CLASS_THP;
	FAULT(&p, &f, &nowhere, "a");
	assert_non_null(strstr(paper__line(&p), ",\"wall_ns\":1700000000001234567,\"pid\""));
	assert_non_null(strstr(paper__line(&p), ",\"latency_ns\":null,"));
	assert_non_null(strstr(paper__line(&p), ",\"owner\":null,\"offset\":null,\"file\":null,"
						"\"region_start\":null,\"region_end\":null,"
						"\"order\":9,\"bytes\":2097152}"));
	paper__close(&p);
}

/* What its region is called is known of some places whose mapping is not. */
static void test_owners(void **state)
{
	const struct {
		struct place place;
		const char *text, *json;
	} cases[] = {
		{ nowhere, " -  ", ",\"owner\":null,\"offset\":null," },
		{ { .region = FS_REGION_UNKNOWN }, " ?  ", ",\"owner\":null,\"offset\":null," },
		{ { .region = FS_REGION_THREAD_STACK, .stack_tid = 77 },
		  " [stack:77]  ",
		  ",\"owner\":\"[stack:77]\",\"offset\":null," },
		{ { .region = FS_REGION_HEAP, .mapping = &anon },
		  " [heap]+0x1b10  ",
		  ",\"owner\":\"[heap]\",\"offset\":6928," },
		/* The file's offset ends where bss begins. */
		{ { .region = FS_REGION_BSS,
		    .mapping = &anon,
		    .file = libc_text.file,
		    .file_offset = 99 },
		  " libc.so.6+0x1b10  ",
		  ",\"owner\":\"libc.so.6\",\"offset\":6928," },
	};
	struct fs_fault f = a_fault();
	struct paper text, json;
	size_t i;

	paper__open(&text, FORMAT_TEXT, &relative);
	paper__open(&json, FORMAT_JSON, &relative);
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		FAULT(&text, &f, &cases[i].place, "a");
		assert_non_null(strstr(paper__line(&text), cases[i].text));
		FAULT(&json, &f, &cases[i].place, "a");
		assert_non_null(strstr(paper__line(&json), cases[i].json));
	}
	paper__close(&text);
	paper__close(&json);
}

static void test_csv_golden(void **state)
{
	struct fs_fault f = a_fault();
	struct fs_call_event ev = { .head = a_head(),
				    .call = FS_CALL_MADVISE,
				    .latency_ns = 990,
				    .ip = 0x401000,
				    .args = { 0x1000, 4096, 4 },
				    .bytes = 4096 };
	struct paper p;

	paper__open(&p, FORMAT_CSV, &relative);
	assert_string_equal(
		paper__text(&p),
		"event,time_ns,wall_ns,pid,tid,cpu,comm,latency_ns,result,access,mode,"
		"class,region,address,ip,owner,offset,file,region_start,region_end,bytes,"
		"detail,ret,error,populated,populated_major,reason,count\r\n");
	FAULT(&p, &f, &in_anon, "a,\"b\"\n");
	assert_string_equal(
		paper__line(&p),
		"fault,1000001234567,,1234,1240,3,\"a,\"\"b\"\"\\n\",1420,minor,write,user,"
		"anon,anon,0x7f3a10001b10,0x401136,[anon],6928,,0x7f3a10000000,"
		"0x7f3a10021000,4096,,,,,,,\r\n");
	trace_printer__call(p.tp, &ev, "a");
	assert_string_equal(paper__line(&p),
			    "madvise,1000002000000,,1234,1234,1,a,990,ok,,,,,,0x401000,,,,,,4096,"
			    "\"madvise(0x1000, 4096, MADV_DONTNEED)\",0,,0,0,,\r\n");
	trace_printer__lost(p.tp, FS_LOSS_MISSED, 2);
	assert_string_equal(paper__line(&p), "lost,,,,,,,,,,,,,,,,,,,,,,,,,,missed,2\r\n");
	assert_int_equal(trace_printer__finish(p.tp), 0);
	assert_string_equal(paper__line(&p), "lost,,,,,,,,,,,,,,,,,,,,,,,,,,missed,2\r\n");
	paper__close(&p);
}

/* ---- errors ---- */

static int print_until_error(struct trace_printer *tp)
{
	struct fs_fault f = a_fault();
	int i, err = 0;

	for (i = 0; i < 10000 && !err; i++)
		err = trace_printer__fault(tp, &f, &in_anon, "a");
	return err;
}

static void test_reader_gone(void **state)
{
	struct fs_fault f = a_fault();
	struct trace_printer *tp;
	int fds[2];
	FILE *out;

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	out = fdopen(fds[1], "w");
	tp = trace_printer__new(FORMAT_TEXT, out, &relative);
	assert_non_null(tp);
	close(fds[0]);
	assert_int_equal(print_until_error(tp), -EPIPE);
	errno = 0;
	assert_int_equal(trace_printer__fault(tp, &f, &in_anon, "a"), -EPIPE);
	assert_int_equal(trace_printer__lost(tp, FS_LOSS_MISSED, 1), -EPIPE);
	assert_int_equal(trace_printer__finish(tp), -EPIPE);
	trace_printer__free(tp);
	fclose(out);
}

static void test_disk_full(void **state)
{
	FILE *out = fopen("/dev/full", "w");
	struct trace_printer *tp;

	if (!out)
		skip();
	tp = trace_printer__new(FORMAT_JSON, out, &relative);
	assert_non_null(tp);
	assert_int_equal(print_until_error(tp), -ENOSPC);
	trace_printer__free(tp);
	/* The header itself does not fit. */
	setvbuf(out, NULL, _IONBF, 0);
	clearerr(out);
	errno = 0;
	assert_null(trace_printer__new(FORMAT_CSV, out, &relative));
	assert_int_equal(errno, ENOSPC);
	fclose(out);
}

static void test_wrong_format(void **state)
{
	errno = 0;
	assert_null(trace_printer__new(77, stdout, &relative));
	assert_int_equal(errno, EINVAL);
	trace_printer__free(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_text_faults),  cmocka_unit_test(test_text_latency),
		cmocka_unit_test(test_text_clock),   cmocka_unit_test(test_text_others),
		cmocka_unit_test(test_text_hostile), cmocka_unit_test(test_text_long_pids),
		cmocka_unit_test(test_text_random),  cmocka_unit_test(test_json_golden),
		cmocka_unit_test(test_owners),       cmocka_unit_test(test_csv_golden),
		cmocka_unit_test(test_reader_gone),  cmocka_unit_test(test_disk_full),
		cmocka_unit_test(test_wrong_format),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
