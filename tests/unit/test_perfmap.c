/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "symbol/perfmap.h"
#include "symbols.h"

static struct perfmap *of_text(const char *text)
{
	int fd = memory_file(text, strlen(text));
	struct perfmap *m = perfmap__read(fd);

	close(fd);
	assert_non_null(m);
	return m;
}

static void test_lines(void **state)
{
	struct perfmap *m = of_text("1000 100 first\n"
				    "0x1100 0x80 with blanks in it\n"
				    "DEADbeef0 10 upper\n"
				    "garbage\n"
				    "\n"
				    "2000 0 empty\n"
				    "2000 10\n"
				    "2000 10 \n"
				    "2000\n"
				    " 2000 10 blank\n"
				    "2000 -10 negative\n"
				    "11112222333344445 10 long\n"
				    "ffffffffffffffff 10 beyond the end\n"
				    "3000 10 unfinished");
	__u64 start;

	assert_null(perfmap__find(m, 0xfff, &start));
	assert_string_equal(perfmap__find(m, 0x1000, &start), "first");
	assert_string_equal(perfmap__find(m, 0x10ff, &start), "first");
	assert_int_equal(start, 0x1000);
	assert_string_equal(perfmap__find(m, 0x1100, &start), "with blanks in it");
	assert_null(perfmap__find(m, 0x1180, &start));
	assert_string_equal(perfmap__find(m, 0xdeadbeef5, &start), "upper");
	assert_null(perfmap__find(m, 0x2000, &start));
	assert_null(perfmap__find(m, 0x3000, &start));
	assert_null(perfmap__find(m, ~0ULL, &start));
	perfmap__free(m);
	m = of_text("");
	assert_null(perfmap__find(m, 0, &start));
	perfmap__free(m);
}

/* Random entries, against an array in which the last one writes over the others. */
static void test_overlaps(void **state)
{
	enum { SPACE = 4096, MAX = 200 };
	static char text[MAX * 64];

	srand(1);
	for (int round = 0; round < 200; round++) {
		int owner[SPACE], starts[MAX], n = rand() % MAX;
		struct perfmap *m;
		size_t len = 0;

		memset(owner, -1, sizeof(owner));
		text[0] = '\0';
		for (int i = 0; i < n; i++) {
			int start = rand() % SPACE, size = 1 + rand() % (1 + rand() % 400);

			if (size > SPACE - start)
				size = SPACE - start;
			starts[i] = start;
			for (int j = start; j < start + size; j++)
				owner[j] = i;
			len += sprintf(text + len, "%x %x f%d\n", start, size, i);
		}
		m = of_text(text);
		for (int a = 0; a < SPACE; a++) {
			__u64 start;
			const char *name = perfmap__find(m, a, &start);

			assert_int_equal(name ? atoi(name + 1) : -1, owner[a]);
			assert_true(!name || start == (__u64)starts[owner[a]]);
		}
		perfmap__free(m);
	}
}

static void write_map(const char *path, const char *mode, const char *text)
{
	FILE *f = fopen(path, mode);

	assert_non_null(f);
	fputs(text, f);
	fclose(f);
}

static void test_process(void **state)
{
	struct symbolizer *sz = symbolizer__new(NULL);
	struct sym_frame f;
	char path[64];
	pid_t pid = fork();

	if (!pid) {
		pause();
		_exit(0);
	}
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", pid);
	unlink(path);
	assert_int_equal(symbolizer__note_process(sz, pid, 0), 0);
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
	assert_true(f.jit && !f.name);
	write_map(path, "w", "1000 100 LazyCompile:~run app.js:1\n");
	assert_true(symbolizer__jit_frame(sz, pid, 0, 0x1010, false, &f));
	assert_string_equal(f.name, "LazyCompile:~run app.js:1");
	assert_int_equal(f.offset, 0x10);
	assert_string_equal(f.object, "[jit]");
	/* it grows */
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x2010, false, &f));
	write_map(path, "a", "2000 100 _ZN3foo3barEv\n");
	assert_true(symbolizer__jit_frame(sz, pid, 0, 0x2010, false, &f));
	assert_string_equal(f.name, "foo::bar");
	/* the end of one is no address in it, but one that it returns to */
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x2100, false, &f));
	assert_true(symbolizer__jit_frame(sz, pid, 0, 0x2100, true, &f));
	assert_int_equal(f.offset, 0x100);
	/* process and name gone, the file is still open */
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	write_map(path, "a", "3000 100 late\n");
	unlink(path);
	assert_true(symbolizer__jit_frame(sz, pid, 0, 0x3000, false, &f));
	assert_int_equal(symbolizer__note_process(sz, pid, 0), -ESRCH);
	symbolizer__free(sz);
}

/* What is in /tmp under that name may be anything, and anybody's. */
static void test_not_a_map(void **state)
{
	struct symbolizer *sz = symbolizer__new(NULL);
	struct sym_frame f;
	char path[64];
	__u32 pid = 4194305; /* beyond PID_MAX_LIMIT, include/linux/threads.h */

	snprintf(path, sizeof(path), "/tmp/perf-%u.map", pid);
	unlink(path);
	if (mkfifo(path, 0600)) {
		symbolizer__free(sz);
		skip();
	}
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
	unlink(path);
	assert_int_equal(symlink("/proc/self/maps", path), 0);
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_false(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
	rmdir(path);
	write_map(path, "w", "1000 10 mine\n");
	if (!geteuid()) {
		assert_int_equal(chown(path, 12345, 12345), 0);
		assert_false(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
		assert_int_equal(chown(path, 0, 0), 0);
	}
	assert_true(symbolizer__jit_frame(sz, pid, 0, 0x1000, false, &f));
	unlink(path);
	symbolizer__free(sz);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines),
		cmocka_unit_test(test_overlaps),
		cmocka_unit_test(test_process),
		cmocka_unit_test(test_not_a_map),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
