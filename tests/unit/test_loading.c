/* SPDX-License-Identifier: GPL-2.0-only */
/* Faults of an image that is still being loaded: delivered behind its exec event, whenever that comes. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "live/loading.h"
#include "live/stream.h"

#define PID 7

static char seen[64]; /* f: a fault, e: exec, x: exit */

static void see(char c)
{
	size_t n = strlen(seen);

	assert_true(n < sizeof(seen) - 1);
	seen[n] = c;
}

static int on_fault(void *ctx, const struct fs_fault *f)
{
	(void)ctx;
	(void)f;
	see('f');
	return 0;
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	(void)ctx;
	see(ev->kind == FS_EVENT_EXEC ? 'e' : 'x');
	return 0;
}

static const struct event_sink sink = { .fault = on_fault, .event = on_event };

static void fault(struct loading *l, __u32 pid, __u64 time_ns)
{
	struct fs_fault f = { .pid = pid, .time_ns = time_ns, .flags = FS_FAULT_LOADING };

	if (loading__waits(l, &f))
		assert_int_equal(loading__keep(l, &f), 0);
	else
		see('f');
}

static void exec(struct loading *l, __u32 pid, __u64 loaded_ns)
{
	struct fs_exec_event ev = { .head = { .kind = FS_EVENT_EXEC, .pid = pid, .tid = pid },
				    .loaded_ns = loaded_ns };

	assert_int_equal(loading__event(l, &ev.head, &sink), 0);
}

static void end(struct loading *l, __u32 pid, __u32 tid, __u64 time_ns)
{
	struct fs_exit_event ev = {
		.head = { .kind = FS_EVENT_EXIT, .pid = pid, .tid = tid, .time_ns = time_ns }
	};

	assert_int_equal(loading__event(l, &ev.head, &sink), 0);
}

static int fresh(void **state)
{
	static struct loading l;

	loading__free(&l);
	l = (struct loading){};
	memset(seen, 0, sizeof(seen));
	loading__begin(&l);
	*state = &l;
	return 0;
}

static void test_exec_in_a_later_drain(void **state)
{
	struct loading *l = *state;

	fault(l, PID, 100);
	fault(l, PID, 110);
	loading__begin(l);
	exec(l, PID + 1, 120);
	assert_string_equal(seen, "e");
	exec(l, PID, 130);
	assert_string_equal(seen, "eeff");
}

static void test_exec_already_delivered(void **state)
{
	struct loading *l = *state;

	exec(l, PID, 130);
	fault(l, PID, 100);
	assert_string_equal(seen, "ef");
	loading__begin(l);
	fault(l, PID, 110);
	assert_string_equal(seen, "eff");
	fault(l, PID, 140); /* of the next one */
	exec(l, PID, 150);
	assert_string_equal(seen, "effef");
	loading__begin(l);
	loading__begin(l); /* by now nothing of those can come */
	fault(l, PID, 145);
	assert_string_equal(seen, "effef");
}

static void test_exec_lost(void **state)
{
	struct loading *l = *state;

	fault(l, PID, 100);
	end(l, PID, PID + 1, 110); /* another thread */
	assert_string_equal(seen, "x");
	end(l, PID, PID, 120);
	assert_string_equal(seen, "xfx");
}

static void test_end(void **state)
{
	struct loading *l = *state;

	for (int i = 0; i < 40; i++)
		fault(l, PID + i, 100);
	assert_int_equal(loading__end(l, &sink), 0);
	assert_int_equal(strlen(seen), 40);
	fault(l, PID, 100);
	loading__discard(l);
	assert_int_equal(loading__end(l, &sink), 0);
	assert_int_equal(strlen(seen), 40);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_exec_in_a_later_drain, fresh),
		cmocka_unit_test_setup(test_exec_already_delivered, fresh),
		cmocka_unit_test_setup(test_exec_lost, fresh),
		cmocka_unit_test_setup(test_end, fresh),
	};

	return cmocka_run_group_tests_name("loading", tests, NULL, NULL);
}
