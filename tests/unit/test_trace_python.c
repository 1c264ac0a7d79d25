/* SPDX-License-Identifier: GPL-2.0-only */
/* What python makes of the JSON and CSV that `trace` prints, hostile names and random numbers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "trace_samples.h"

/* Run python3 with a script and one argument, the text on its standard input. Gives its status. */
static int python(const char *script, const char *arg, const char *text)
{
	FILE *in = tmpfile();
	int status;
	pid_t pid;

	assert_non_null(in);
	assert_int_equal(fwrite(text, 1, strlen(text), in), strlen(text));
	rewind(in);
	pid = fork();
	assert_true(pid >= 0);
	if (!pid) {
		dup2(fileno(in), 0);
		dup2(2, 1);
		execlp("python3", "python3", "-c", script, arg, (char *)NULL);
		_exit(127);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	fclose(in);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

/* Skip where python3 is missing, or a module of it. */
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

	snprintf(path, sizeof(path), "%.*s/../schema/trace.schema.json",
		 slash ? (int)(slash - __FILE__) : 1, slash ? __FILE__ : ".");
	return path;
}

static void test_json_python(void **state)
{
	struct paper p;
	char count[16];

	need_python("json");
	snprintf(count, sizeof(count), "%d", RANDOM_LINES + 1);
	paper__open(&p, FORMAT_JSON, &relative);
	print_random(p.tp);
	assert_int_equal(python("import json, sys\n"
				"lines = sys.stdin.buffer.read().decode('utf-8').split('\\n')\n"
				"assert lines.pop() == ''\n"
				"for line in lines:\n"
				"    pairs = json.loads(line, object_pairs_hook=list)\n"
				"    assert len(dict(pairs)) == len(pairs), line\n"
				"assert len(lines) == int(sys.argv[1]), len(lines)\n",
				count, paper__text(&p)),
			 0);
	paper__close(&p);
}

static void test_json_schema(void **state)
{
	struct paper p;
	int i;

	need_python("jsonschema");
	for (i = 0; i < 3; i++) {
		paper__open(&p, FORMAT_JSON, i == 2 ? &detailed : i ? &wall : &relative);
		print_random(p.tp);
		assert_int_equal(
			python("import collections, json, sys, jsonschema\n"
			       "schema = json.load(open(sys.argv[1]))\n"
			       "check = jsonschema.Draft202012Validator\n"
			       "check.check_schema(schema)\n"
			       "check = check(schema)\n"
			       "seen = collections.Counter()\n"
			       "for n, line in enumerate(sys.stdin.buffer):\n"
			       "    o = json.loads(line)\n"
			       "    seen[o['event']] += 1\n"
			       /* Validating one takes milliseconds: some of each kind. */
			       "    if seen[o['event']] < 16 or n % 64 == 0:\n"
			       "        e = jsonschema.exceptions.best_match(check.iter_errors(o))\n"
			       "        assert e is None, line.decode() + str(e)\n"
			       "    o['extra'] = 1\n"
			       "    if seen[o['event']] < 3: assert not check.is_valid(o), line\n"
			       "assert len(seen) == 26 + 7, seen\n",
			       schema_path(), paper__text(&p)),
			0);
		paper__close(&p);
	}
}

static void check_csv(const struct trace_opts *opts, int columns)
{
	struct paper p;
	char count[32];

	snprintf(count, sizeof(count), "%d,%d", RANDOM_LINES + 1, columns);
	paper__open(&p, FORMAT_CSV, opts);
	print_random(p.tp);
	assert_int_equal(
		python("import csv, sys\n"
		       "count, columns = map(int, sys.argv[1].split(','))\n"
		       "text = sys.stdin.buffer.read().decode('utf-8')\n"
		       "lines = text.split('\\r\\n')\n"
		       "assert lines.pop() == '' and len(lines) == count\n"
		       "assert '\\n' not in ''.join(lines)\n"
		       "rows = list(csv.reader(lines, strict=True))\n"
		       "assert len(rows) == len(lines)\n"
		       "assert all(len(row) == columns for row in rows)\n"
		       "names = {row[6] for row in rows if row[0] == 'fault'}\n"
		       "assert {'q\"uo,te\"', 'back\\\\\\\\slash', 'new\\\\nline'} < names\n"
		       "if columns == 32:\n"
		       "    assert rows[0][28:] == ['variable', 'variable_offset', 'stack', 'stack_end']\n"
		       "    names = {row[28] for row in rows[1:] if row[0] == 'fault'}\n"
		       "    assert {'q\"uo,te\"', 'back\\\\\\\\slash', 'new\\\\nline'} < names\n"
		       "    for row in rows[1:]:\n"
		       "        assert bool(row[30]) == bool(row[31])\n"
		       "        assert not row[30] or row[30].count(';') == 7, row[30]\n",
		       count, paper__text(&p)),
		0);
	paper__close(&p);
}

static void test_csv_python(void **state)
{
	need_python("csv");
	check_csv(&wall, 28);
	check_csv(&detailed, 32);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_json_python),
		cmocka_unit_test(test_json_schema),
		cmocka_unit_test(test_csv_python),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
