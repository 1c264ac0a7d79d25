/* SPDX-License-Identifier: GPL-2.0-only */
/* Events that wait to be printed: in order, whole, in memory that goes when they do. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace_queue.h"

#define EVENTS 20000

/* Event i has a size of its own and holds its number in each byte. */
static size_t size_of(unsigned int i)
{
	return 24 + i % 400;
}

static void add(struct trace_queue *q, unsigned int i)
{
	struct trace_entry e = { .size = size_of(i), .fault = i & 1 };
	unsigned char event[500];

	memset(event, i, sizeof(event));
	snprintf(e.comm, sizeof(e.comm), "%u", i);
	assert_int_equal(trace_queue__add(q, &e, event), 0);
}

static void take(struct trace_queue *q, unsigned int i)
{
	const struct trace_entry *e;
	const void *event;
	char comm[FS_COMM_LEN];

	e = trace_queue__first(q, &event);
	assert_non_null(e);
	snprintf(comm, sizeof(comm), "%u", i);
	assert_string_equal(e->comm, comm);
	assert_int_equal(e->size, size_of(i));
	assert_int_equal(e->fault, i & 1);
	assert_int_equal((uintptr_t)event % 8, 0);
	for (size_t at = 0; at < e->size; at++)
		assert_int_equal(((const unsigned char *)event)[at], (unsigned char)i);
	trace_queue__pop(q);
}

static void test_order(void **state)
{
	struct trace_queue q = {};
	unsigned int in = 0, out = 0, seed = 1;
	const void *event;

	assert_null(trace_queue__first(&q, &event));
	while (out < EVENTS) {
		seed = seed * 1103515245 + 12345;
		for (unsigned int n = seed >> 20 & 63; n-- && in < EVENTS;)
			add(&q, in++);
		for (unsigned int n = seed >> 10 & 63; n-- && out < in;)
			take(&q, out++);
	}
	assert_null(trace_queue__first(&q, &event));
	assert_int_equal(trace_queue__bytes(&q), 0);
	trace_queue__clear(&q);
}

/* A queue that is never quite empty takes no more memory than what waits; one that was full gives it back. */
static void test_memory(void **state)
{
	struct trace_queue q = {};
	unsigned int i;

	add(&q, 0);
	for (i = 1; i < EVENTS; i++) {
		add(&q, i);
		take(&q, i - 1);
		assert_true(q.room <= 65536);
	}
	for (; i < 2 * EVENTS; i++)
		add(&q, i);
	assert_true(trace_queue__bytes(&q) > 4 << 20);
	for (i = EVENTS - 1; i < 2 * EVENTS; i++)
		take(&q, i);
	assert_int_equal(q.room, 0);
	trace_queue__clear(&q);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_order),
		cmocka_unit_test(test_memory),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
