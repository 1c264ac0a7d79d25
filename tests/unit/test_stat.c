/* SPDX-License-Identifier: GPL-2.0-only */
/* The stat analysis: every sum against one made here by hand or by brute force. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "analysis/stat.h"

#define PAGE   4096
#define SECOND 1000000000ULL

static const struct stat_by by_region = { 1, { STAT_REGION } };
static const struct stat_by by_class = { 1, { STAT_CLASS } };
static const struct stat_by by_process = { 1, { STAT_PROCESS } };
static const struct stat_rows_opts by_faults = { .sort = STAT_BY_FAULTS, .duration_ns = SECOND };

static struct process alpha = { .pid = 10, .comm = "alpha" };
static struct process beta = { .pid = 20, .comm = "beta" };

static struct stat_tally *new_stat(const struct stat_by *by)
{
	struct stat_opts opts = { .tables = by, .ntables = 1 };
	struct stat_tally *st = stat__new(&opts);

	assert_non_null(st);
	return st;
}

static void add(struct stat_tally *st, const struct process *proc, enum fs_region region,
		enum fs_class class, unsigned int flags, __u64 latency_ns)
{
	struct fs_fault f = {
		.pid = proc ? proc->pid : 0,
		.tid = proc ? proc->pid : 0,
		.region = region,
		.class = class,
		.flags = flags,
		.latency_ns = latency_ns,
	};
	struct place pl = { .region = region };

	stat__fault(st, &f, &pl, proc, 0, PAGE);
}

static struct stat_rows *get_rows(struct stat_tally *st, const struct stat_by *by,
				  const struct stat_rows_opts *opts)
{
	struct stat_rows *rows = stat__rows(st, by, opts);

	assert_non_null(rows);
	return rows;
}

static const char *text_of(const struct stat_row *row, enum stat_key_id key)
{
	struct stat_value values[STAT_FIELDS];

	stat_row__values(row, key, values);
	return values[0].kind == STAT_VALUE_TEXT ? values[0].text : "-";
}

static __u64 number_of(const struct stat_row *row, enum stat_key_id key, int field)
{
	struct stat_value values[STAT_FIELDS];

	stat_row__values(row, key, values);
	return values[field].number;
}

static void test_outcomes(void **state)
{
	struct stat_tally *st = new_stat(&by_region);
	struct stat_totals totals;
	struct stat_rows *rows;

	(void)state;
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, 0, 1000);
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_SWAP, FS_FAULT_MAJOR, 3000);
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_SEGV, FS_FAULT_FAILED, 500);
	/* failed goes before major, whatever the events said */
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_BUS, FS_FAULT_FAILED | FS_FAULT_MAJOR, 500);
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, FS_FAULT_KERNEL, 2000);
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, FS_FAULT_NO_LATENCY, 99999);
	add(st, &alpha, FS_REGION_HEAP, FS_CLASS_FIXUP, FS_FAULT_KERNEL, 100);
	add(st, &alpha, FS_REGION_STACK, 200, 0, 100); /* a class from the future */

	stat__totals(st, &totals);
	assert_int_equal(totals.faults, 7);
	assert_int_equal(totals.minor, 4);
	assert_int_equal(totals.major, 1);
	assert_int_equal(totals.failed, 2);
	assert_int_equal(totals.kernel, 1);
	assert_int_equal(totals.user, 6);
	assert_int_equal(totals.fixup, 1);
	assert_int_equal(totals.bytes, 5 * PAGE);

	rows = get_rows(st, &by_region, &by_faults);
	assert_int_equal(rows->n, 2);
	assert_string_equal(text_of(rows->row[0], STAT_REGION), "heap");
	assert_int_equal(rows->row[0]->n.faults, 6);
	assert_int_equal(rows->row[0]->n.minor, 3);
	assert_int_equal(rows->row[0]->n.major, 1);
	assert_int_equal(rows->row[0]->n.failed, 2);
	assert_int_equal(rows->row[0]->latency.count, 5);
	assert_int_equal(rows->row[0]->latency.sum, 7000);
	assert_int_equal(rows->row[0]->latency.max, 3000);
	assert_true(rows->row[0]->faults_per_s == 6.0);
	assert_int_equal(rows->sum.n.faults, 7);
	stat_rows__free(rows);
	stat__free(st);
}

/* Memory made present, class by class; orders only where a folio was mapped. */
static void test_bytes(void **state)
{
	static const struct {
		enum fs_class class;
		__u8 order;
		unsigned int flags;
		__u64 bytes;
	} cases[] = {
		{ FS_CLASS_ANON, 0, 0, PAGE },
		{ FS_CLASS_ANON, 4, 0, 16 * PAGE },
		{ FS_CLASS_ZERO, 0, 0, 0 },
		{ FS_CLASS_COW, 0, 0, PAGE },
		{ FS_CLASS_REUSE, 0, 0, 0 },
		{ FS_CLASS_FILE, 0, 0, PAGE },
		{ FS_CLASS_READ, 0, FS_FAULT_MAJOR, PAGE },
		{ FS_CLASS_SWAP, 0, FS_FAULT_MAJOR, PAGE },
		{ FS_CLASS_SHMEM, 0, 0, PAGE },
		{ FS_CLASS_THP, 9, 0, 2 << 20 },
		{ FS_CLASS_HUGETLB, 18, 0, 1 << 30 },
		{ FS_CLASS_NUMA, 0, 0, 0 },
		{ FS_CLASS_UFFD, 0, 0, PAGE },
		{ FS_CLASS_SPURIOUS, 0, 0, 0 },
		{ FS_CLASS_SEGV, 0, FS_FAULT_FAILED, 0 },
		{ FS_CLASS_BUS, 0, FS_FAULT_FAILED, 0 },
		{ FS_CLASS_OOM, 0, FS_FAULT_FAILED, 0 },
		{ FS_CLASS_UNKNOWN, 0, 0, PAGE },
		{ FS_CLASS_UNKNOWN, 0, FS_FAULT_FAILED, 0 },
		{ FS_CLASS_FIXUP, 0, 0, 0 },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct stat_tally *st = new_stat(&by_class);
		struct fs_fault f = {
			.class = cases[i].class,
			.order = cases[i].order,
			.flags = cases[i].flags,
		};
		struct place pl = { .region = FS_REGION_ANON };
		struct stat_totals totals;

		stat__fault(st, &f, &pl, &alpha, 0, PAGE);
		stat__totals(st, &totals);
		assert_int_equal(totals.bytes, cases[i].bytes);
		if (!(cases[i].flags & FS_FAULT_FAILED))
			assert_int_equal(stat_class__bytes(f.class, 1ULL << f.order, PAGE),
					 cases[i].bytes);
		assert_int_equal(stat_class__failed(f.class), f.class == FS_CLASS_SEGV ||
								      f.class == FS_CLASS_BUS ||
								      f.class == FS_CLASS_OOM);
		stat__free(st);
	}
	for (i = 0; i <= FS_CLASS_NR; i++)
		assert_non_null(stat_class__bytes_why(i));
}

/* Random faults, all tables against sums over the whole list. */
#define RANDOM_FAULTS 20000
#define RANDOM_PROCS  50

struct truth {
	const struct process *proc;
	enum fs_region region;
	enum fs_class class;
	__u32 tid;
	__u64 latency_ns;
};

static __u64 truth_id(const struct truth *t, enum stat_key_id key)
{
	switch (key) {
	case STAT_REGION:
		return t->region;
	case STAT_CLASS:
		return t->class;
	case STAT_PROCESS:
		return t->proc->pid;
	default:
		return t->tid;
	}
}

static __u64 row_id(const struct stat_row *row, enum stat_key_id key)
{
	if (key == STAT_REGION || key == STAT_CLASS)
		return row->id[key];
	return number_of(row, key, 1);
}

static void check_table(struct stat_tally *st, const struct stat_by *by, const struct truth *truth)
{
	struct stat_rows *rows = get_rows(st, by, &by_faults);
	__u64 sum = 0, last = ~0ULL;
	size_t i, t;
	unsigned int k;

	for (i = 0; i < rows->n; i++) {
		const struct stat_row *row = rows->row[i];
		__u64 faults = 0, stall = 0, max = 0;

		for (t = 0; t < RANDOM_FAULTS; t++) {
			for (k = 0; k < by->n; k++)
				if (truth_id(&truth[t], by->key[k]) != row_id(row, by->key[k]))
					break;
			if (k < by->n)
				continue;
			faults++;
			stall += truth[t].latency_ns;
			if (truth[t].latency_ns > max)
				max = truth[t].latency_ns;
		}
		assert_int_equal(row->n.faults, faults);
		assert_int_equal(row->latency.count, faults);
		assert_int_equal(row->latency.sum, stall);
		assert_int_equal(row->latency.max, max);
		assert_true(row->n.faults <= last);
		last = row->n.faults;
		sum += faults;
	}
	assert_int_equal(sum, RANDOM_FAULTS);
	stat_rows__free(rows);
}

static void test_tables(void **state)
{
	static const struct stat_by all = {
		4, { STAT_THREAD, STAT_CLASS, STAT_REGION, STAT_PROCESS }
	};
	static const struct stat_by tables[] = {
		{ 1, { STAT_REGION } },
		{ 1, { STAT_CLASS } },
		{ 1, { STAT_PROCESS } },
		{ 1, { STAT_THREAD } },
		{ 2, { STAT_PROCESS, STAT_REGION } },
		{ 3, { STAT_PROCESS, STAT_REGION, STAT_CLASS } },
	};
	static struct truth truth[RANDOM_FAULTS];
	static struct process procs[RANDOM_PROCS];
	struct stat_tally *st = new_stat(&all);
	size_t i;

	(void)state;
	for (i = 0; i < RANDOM_PROCS; i++)
		procs[i].pid = 100 + i;
	for (i = 0; i < RANDOM_FAULTS; i++) {
		struct truth *t = &truth[i];
		struct fs_fault f = { 0 };
		struct place pl = { 0 };

		t->proc = &procs[random() % RANDOM_PROCS];
		t->region = random() % FS_REGION_NR;
		t->class = random() % FS_CLASS_FIXUP;
		t->tid = t->proc->pid * 10 + random() % 3;
		t->latency_ns = random() % 5000;
		f.pid = t->proc->pid;
		f.tid = t->tid;
		f.class = t->class;
		f.latency_ns = t->latency_ns;
		pl.region = t->region;
		stat__fault(st, &f, &pl, t->proc, 0, PAGE);
	}
	for (i = 0; i < sizeof(tables) / sizeof(*tables); i++)
		check_table(st, &tables[i], truth);
	stat__free(st);
}

/* The same faults as records, and as the kernel's cells: the same rows. */
static void test_cells(void **state)
{
	struct stat_tally *stream = new_stat(&stat_by_default), *cells = new_stat(&stat_by_default);
	struct fs_cell_key key = { .pid = 10, .region = FS_REGION_ANON, .class = FS_CLASS_THP };
	struct place pl = { .region = FS_REGION_ANON };
	struct stat_rows *a, *b;
	struct stat_totals ta, tb;
	int half, i;

	(void)state;
	for (half = 0; half < 2; half++) { /* two CPUs' cells, or two readings */
		struct fs_cell cell = { 0 };

		for (i = 0; i < 1000; i++) {
			struct fs_fault f = {
				.class = FS_CLASS_THP,
				.order = 9,
				.latency_ns = random() % 1000000,
				.flags = i % 10 ? 0 : FS_FAULT_MAJOR,
			};

			f.flags |= i % 7 ? 0 : FS_FAULT_KERNEL;
			stat__fault(stream, &f, &pl, &alpha, 0, PAGE);
			cell.faults++;
			cell.major += i % 10 == 0;
			cell.kernel += i % 7 == 0;
			cell.pages += 1 << f.order;
			cell.sum_ns += f.latency_ns;
			if (cell.max_ns < f.latency_ns)
				cell.max_ns = f.latency_ns;
			cell.slots[fs_hist_slot(f.latency_ns)]++;
		}
		stat__add_cell(cells, &key, &cell, &pl, &alpha, PAGE);
	}
	a = get_rows(stream, &stat_by_default, &by_faults);
	b = get_rows(cells, &stat_by_default, &by_faults);
	assert_int_equal(a->n, 1);
	assert_int_equal(b->n, 1);
	assert_memory_equal(&a->row[0]->n, &b->row[0]->n, sizeof(a->row[0]->n));
	assert_int_equal(a->row[0]->p50_ns, b->row[0]->p50_ns);
	assert_int_equal(a->row[0]->p99_ns, b->row[0]->p99_ns);
	assert_int_equal(a->row[0]->latency.sum, b->row[0]->latency.sum);
	assert_int_equal(a->row[0]->latency.max, b->row[0]->latency.max);
	stat__totals(stream, &ta);
	stat__totals(cells, &tb);
	assert_memory_equal(&ta, &tb, sizeof(ta));
	stat_rows__free(a);
	stat_rows__free(b);

	key.class = FS_CLASS_FIXUP;
	stat__add_cell(cells, &key, &(struct fs_cell){ .faults = 5 }, &pl, &alpha, PAGE);
	key.class = FS_CLASS_SEGV;
	stat__add_cell(cells, &key, &(struct fs_cell){ .faults = 3, .pages = 3 }, &pl, &alpha,
		       PAGE);
	stat__totals(cells, &tb);
	assert_int_equal(tb.fixup, 5);
	assert_int_equal(tb.failed, 3);
	assert_int_equal(tb.bytes, ta.bytes);
	stat__free(stream);
	stat__free(cells);
}

static void test_sort_and_top(void **state)
{
	struct stat_rows_opts opts = { .sort = STAT_BY_MAX, .top = 2, .duration_ns = 2 * SECOND };
	struct stat_tally *st = new_stat(&by_region);
	struct stat_rows *rows;
	int i;

	(void)state;
	for (i = 0; i < 10; i++)
		add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, 0, 100);
	for (i = 0; i < 5; i++)
		add(st, &alpha, FS_REGION_DATA, FS_CLASS_COW, 0, 300);
	add(st, &alpha, FS_REGION_TEXT, FS_CLASS_READ, FS_FAULT_MAJOR, 90000);
	add(st, &alpha, FS_REGION_BSS, FS_CLASS_ANON, 0, 100);

	rows = get_rows(st, &by_region, &opts);
	assert_int_equal(rows->n, 2);
	assert_string_equal(text_of(rows->row[0], STAT_REGION), "text");
	assert_string_equal(text_of(rows->row[1], STAT_REGION), "data");
	assert_int_equal(rows->more, 2);
	assert_int_equal(rows->more_n.faults, 11);
	assert_int_equal(rows->more_n.bytes, 11 * PAGE);
	assert_int_equal(rows->more_stall_ns, 1100);
	assert_int_equal(rows->sum.n.faults, 17);
	assert_int_equal(rows->sum.latency.sum, 1100 + 1500 + 90000);
	assert_true(rows->row[1]->faults_per_s == 2.5);
	stat_rows__free(rows);

	opts.top = 0;
	opts.sort = STAT_BY_FAULTS;
	rows = get_rows(st, &by_region, &opts);
	assert_int_equal(rows->n, 4);
	assert_int_equal(rows->more, 0);
	assert_string_equal(text_of(rows->row[0], STAT_REGION), "heap");
	/* equal in faults: by name */
	assert_string_equal(text_of(rows->row[2], STAT_REGION), "bss");
	assert_string_equal(text_of(rows->row[3], STAT_REGION), "text");
	stat_rows__free(rows);
	stat__free(st);
}

static void test_worst_region(void **state)
{
	struct stat_rows_opts opts = { .sort = STAT_BY_FAULTS, .worst = true };
	struct stat_tally *st = new_stat(&stat_by_default);
	struct stat_rows *rows;
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, 0, 100);
	add(st, &alpha, FS_REGION_TEXT, FS_CLASS_READ, FS_FAULT_MAJOR, 90000);
	for (i = 0; i < 9; i++)
		add(st, &beta, i < 4 ? FS_REGION_BSS : FS_REGION_STACK, FS_CLASS_ANON,
		    FS_FAULT_NO_LATENCY, 0);

	rows = get_rows(st, &by_process, &opts);
	assert_int_equal(rows->n, 2);
	assert_string_equal(text_of(rows->row[0], STAT_PROCESS), "alpha");
	assert_int_equal(number_of(rows->row[0], STAT_PROCESS, 1), 10);
	assert_int_equal(rows->row[0]->worst_region, FS_REGION_TEXT);
	assert_int_equal(rows->row[0]->worst_ns, 90000);
	assert_int_equal(rows->row[0]->worst_faults, 1);
	assert_int_equal(rows->row[1]->worst_region, FS_REGION_STACK);
	assert_int_equal(rows->row[1]->worst_faults, 5);
	assert_int_equal(rows->row[1]->latency.count, 0);
	stat_rows__free(rows);
	stat__free(st);
}

static struct fs_call_event call_event(enum fs_call call, __s64 bytes, unsigned int flags)
{
	struct fs_call_event ev = {
		.head = { .pid = 10, .tid = 10 },
		.call = call,
		.bytes = bytes,
		.flags = flags,
		.latency_ns = 1000,
	};

	return ev;
}

static void test_calls(void **state)
{
	struct stat_tally *st = new_stat(&stat_by_default);
	struct stat_call call;
	struct fs_call_event ev;

	(void)state;
	ev = call_event(FS_CALL_MMAP, 8192, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call(st, &ev, NULL, NULL, 0);
	ev = call_event(FS_CALL_MMAP, 1 << 30, FS_CALL_FAILED);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call_figures(st, FS_CALL_MMAP, &call);
	assert_int_equal(call.calls, 3);
	assert_int_equal(call.failed, 1);
	assert_int_equal(call.bytes, 16384);
	assert_int_equal(call.time_ns, 3000);
	assert_non_null(call.sizes);
	assert_int_equal(call.sizes->count, 2);
	assert_int_equal(call.sizes->max, 8192);

	ev = call_event(FS_CALL_BRK, 135168, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	ev = call_event(FS_CALL_BRK, 0, 0); /* asks where the break is */
	stat__call(st, &ev, NULL, &alpha, 0);
	ev = call_event(FS_CALL_BRK, -200704, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call_figures(st, FS_CALL_BRK, &call);
	assert_int_equal(call.calls, 3);
	assert_int_equal(call.bytes, 135168 - 200704);
	assert_int_equal(call.sizes->count, 2);
	assert_int_equal(call.sizes->max, 200704);

	ev = call_event(FS_CALL_MADVISE, 4096, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call_figures(st, FS_CALL_MADVISE, &call);
	assert_int_equal(call.bytes, 4096);
	assert_null(call.sizes);

	ev = call_event(FS_CALL_NR, 4096, 0); /* of a newer recording */
	stat__call(st, &ev, NULL, &alpha, 0);
	ev = call_event(FS_CALL_MUNMAP, INT64_MAX, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call(st, &ev, NULL, &alpha, 0);
	stat__call_figures(st, FS_CALL_MUNMAP, &call);
	assert_true(call.bytes == INT64_MAX);

	stat__reset(st);
	stat__call_figures(st, FS_CALL_MMAP, &call);
	assert_int_equal(call.calls, 0);
	assert_null(call.sizes);
	stat__free(st);
}

/* Populated pages: by region from the calls, by process from the process's counters. */
static void test_populated(void **state)
{
	struct stat_tally *st = new_stat(&stat_by_default);
	struct fs_call_event ev = call_event(FS_CALL_MMAP, 64 * PAGE, 0);
	struct place bss = { .region = FS_REGION_BSS };
	struct stat_rows *rows;
	struct stat_totals totals;

	(void)state;
	ev.populated_min = 64;
	ev.region = FS_REGION_ANON;
	stat__call(st, &ev, NULL, &alpha, 0);
	ev.populated_min = 2;
	ev.populated_maj = 1;
	stat__call(st, &ev, &bss, &alpha, 0);
	add(st, &alpha, FS_REGION_BSS, FS_CLASS_ANON, 0, 100);
	stat__populated(st, &alpha, 70);
	stat__populated(st, &beta, 0);

	rows = get_rows(st, &by_region, &by_faults);
	assert_int_equal(rows->n, 2);
	assert_int_equal(rows->row[0]->id[STAT_REGION], FS_REGION_BSS);
	assert_int_equal(rows->row[0]->n.populated, 3);
	assert_int_equal(rows->row[1]->id[STAT_REGION], FS_REGION_ANON);
	assert_int_equal(rows->row[1]->n.populated, 64);
	assert_int_equal(rows->row[1]->n.faults, 0);
	stat_rows__free(rows);

	rows = get_rows(st, &by_class, &by_faults);
	assert_int_equal(rows->n, 1);
	assert_int_equal(rows->row[0]->n.populated, 0);
	stat_rows__free(rows);

	rows = get_rows(st, &by_process, &by_faults);
	assert_int_equal(rows->n, 1);
	assert_int_equal(rows->row[0]->n.populated, 70);
	stat_rows__free(rows);
	stat__totals(st, &totals);
	assert_int_equal(totals.populated, 70);
	assert_int_equal(totals.faults, 1);

	/* In the next interval only what came since. */
	stat__reset(st);
	stat__populated(st, &alpha, 75);
	stat__populated(st, &beta, 2);
	rows = get_rows(st, &by_process, &by_faults);
	assert_int_equal(rows->n, 2);
	assert_int_equal(rows->sum.n.populated, 7);
	stat_rows__free(rows);
	stat__free(st);
}

static const char *thread_name(void *ctx, __u32 pid, __u32 tid)
{
	assert_int_equal(pid, 10);
	*(int *)ctx += 1;
	return tid == 11 ? "worker" : NULL;
}

static int cgroup_path(void *ctx, __u64 id, char *buf, size_t size)
{
	(void)ctx;
	if (id != 7)
		return -ENOENT;
	strncpy(buf, "/user.slice", size);
	return 0;
}

static void test_names(void **state)
{
	struct stat_by by = { 2, { STAT_THREAD, STAT_CGROUP } };
	int asked = 0;
	struct stat_opts opts = {
		.tables = &by,
		.ntables = 1,
		.names = { .ctx = &asked, .thread = thread_name, .cgroup = cgroup_path },
	};
	struct process exec = { .pid = 10, .image = 1, .comm = "after" };
	struct fs_rename_event rename = { .head = { .pid = 10, .tid = 11 }, .comm = "renamed" };
	struct stat_tally *st = stat__new(&opts);
	struct place pl = { .region = FS_REGION_HEAP };
	struct fs_fault f = { .class = FS_CLASS_ANON, .pid = 10, .tid = 11, .cgroup_id = 7 };
	struct stat_rows *rows;

	(void)state;
	assert_non_null(st);
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
	f.tid = 12;
	f.cgroup_id = 8;
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
	f.cgroup_id = 0;
	f.tid = 11;
	stat__fault(st, &f, &pl, &exec, 0, PAGE); /* the same thread in another program */
	assert_int_equal(asked, 3);

	rows = get_rows(st, &by, &by_faults);
	assert_int_equal(rows->n, 3);
	assert_string_equal(text_of(rows->row[0], STAT_THREAD), "worker");
	assert_int_equal(number_of(rows->row[0], STAT_THREAD, 1), 11);
	assert_string_equal(text_of(rows->row[0], STAT_CGROUP), "/user.slice");
	assert_int_equal(number_of(rows->row[0], STAT_CGROUP, 1), 7);
	assert_string_equal(text_of(rows->row[1], STAT_THREAD), "alpha");
	assert_string_equal(text_of(rows->row[1], STAT_CGROUP), "?");
	assert_string_equal(text_of(rows->row[2], STAT_THREAD), "worker");
	assert_string_equal(text_of(rows->row[2], STAT_CGROUP), "-");
	stat_rows__free(rows);

	stat__rename(st, &rename);
	rows = get_rows(st, &by, &by_faults);
	assert_string_equal(text_of(rows->row[0], STAT_THREAD), "worker");
	assert_string_equal(text_of(rows->row[2], STAT_THREAD), "renamed");
	stat_rows__free(rows);
	rename.head.pid = 99; /* not that thread any more */
	stat__rename(st, &rename);
	rename.head.tid = 99;
	stat__rename(st, &rename);
	stat__free(st);
}

static void touch(struct stat_tally *st, const struct mapping *m, const struct file *file,
		  enum fs_region region)
{
	struct fs_fault f = { .class = FS_CLASS_ANON, .pid = 10, .tid = 10 };
	struct place pl = { .region = region, .mapping = m, .file = file };

	f.region_id = m ? m->id : 0;
	stat__fault(st, &f, &pl, &alpha, 0, PAGE);
}

/* A heap that grows and a stack that grows down are one row each; a copy elsewhere is another. */
static void test_mappings(void **state)
{
	struct file libc = { .id = 1, .path = "/lib/libc.so.6", .name = "libc.so.6" };
	struct mapping heap[3] = {
		{ .id = 1, .base = FS_REGION_HEAP, .start = 0x1000, .end = 0x3000 },
		{ .id = 2, .base = FS_REGION_HEAP, .start = 0x1000, .end = 0x9000 },
		{ .id = 3, .base = FS_REGION_HEAP, .start = 0x1000, .end = 0x2000 },
	};
	struct mapping stack[2] = {
		{ .id = 4, .base = FS_REGION_STACK, .start = 0x7000000, .end = 0x8000000 },
		{ .id = 5, .base = FS_REGION_STACK, .start = 0x6000000, .end = 0x8000000 },
	};
	struct mapping named = {
		.id = 6,
		.base = FS_REGION_ANON,
		.start = 0x100000,
		.end = 0x200000,
		.anon_name = "glibc: malloc",
	};
	struct mapping data = {
		.id = 7,
		.base = FS_REGION_FILE,
		.start = 0x3000,
		.end = 0x5000,
		.file = &libc,
	};
	struct stat_by by = { 0 };
	struct stat_by by_file = { 1, { STAT_FILE } };
	struct stat_tally *st;
	struct stat_rows *rows;
	size_t i;

	(void)state;
	stat_by__add(&by, STAT_MAPPING);
	stat_by__add(&by, STAT_FILE);
	stat_by__add(&by, STAT_MAPPING);
	assert_int_equal(by.n, 3);
	assert_int_equal(by.key[0], STAT_PROCESS);
	assert_int_equal(by.key[1], STAT_MAPPING);
	st = new_stat(&by);
	for (i = 0; i < 6; i++)
		touch(st, &heap[i % 3], NULL, FS_REGION_HEAP);
	for (i = 0; i < 5; i++)
		touch(st, &stack[i % 2], NULL, FS_REGION_STACK);
	for (i = 0; i < 4; i++)
		touch(st, &named, NULL, FS_REGION_ANON);
	for (i = 0; i < 3; i++)
		touch(st, &data, &libc, i ? FS_REGION_DATA : FS_REGION_BSS);
	touch(st, NULL, NULL, FS_REGION_NONE);

	rows = get_rows(st, &by, &by_faults);
	assert_int_equal(rows->n, 5);
	assert_string_equal(text_of(rows->row[0], STAT_MAPPING), "[heap]");
	assert_int_equal(number_of(rows->row[0], STAT_MAPPING, 1), 0x1000);
	assert_int_equal(number_of(rows->row[0], STAT_MAPPING, 2), 0x9000);
	assert_string_equal(text_of(rows->row[1], STAT_MAPPING), "[stack]");
	assert_int_equal(number_of(rows->row[1], STAT_MAPPING, 1), 0x6000000);
	assert_string_equal(text_of(rows->row[2], STAT_FILE), "[anon:glibc: malloc]");
	assert_string_equal(text_of(rows->row[3], STAT_FILE), "/lib/libc.so.6");
	assert_string_equal(text_of(rows->row[4], STAT_MAPPING), "[none]");
	assert_int_equal(number_of(rows->row[4], STAT_MAPPING, 1), 0);
	stat_rows__free(rows);

	rows = get_rows(st, &by_file, &by_faults);
	assert_int_equal(rows->n, 5);
	stat_rows__free(rows);
	stat__free(st);
}

static void test_reset(void **state)
{
	struct stat_tally *st = new_stat(&stat_by_default);
	struct stat_totals totals;
	struct stat_rows *rows;
	int round, i;

	(void)state;
	for (round = 1; round < 4; round++) {
		for (i = 0; i < round; i++)
			add(st, &alpha, FS_REGION_HEAP, FS_CLASS_ANON, 0, 100);
		add(st, NULL, FS_REGION_NONE, FS_CLASS_FIXUP, 0, 100);
		stat__totals(st, &totals);
		assert_int_equal(totals.faults, round);
		assert_int_equal(totals.fixup, 1);
		rows = get_rows(st, &stat_by_default, &by_faults);
		assert_int_equal(rows->n, 1);
		assert_int_equal(rows->row[0]->latency.count, round);
		stat_rows__free(rows);
		stat__reset(st);
	}
	rows = get_rows(st, &stat_by_default, &by_faults);
	assert_int_equal(rows->n, 0);
	stat_rows__free(rows);
	assert_int_equal(stat__dropped(st), 0);
	stat__free(st);
}

static void test_wrong_use(void **state)
{
	struct stat_by bad = { 1, { STAT_KEY_NR } };
	struct stat_opts opts = { .tables = &bad, .ntables = 1 };
	struct stat_rows_opts sort = { .sort = STAT_COLUMN_NR };
	struct stat_tally *st;
	int i;

	(void)state;
	assert_null(stat__new(&opts));
	assert_int_equal(errno, EINVAL);
	st = new_stat(&by_region);
	assert_null(stat__rows(st, &by_process, &by_faults));
	assert_int_equal(errno, EINVAL);
	assert_null(stat__rows(st, &by_region, &sort));
	assert_int_equal(errno, EINVAL);
	stat__free(st);
	stat__free(NULL);
	stat_rows__free(NULL);

	for (i = 0; i < STAT_KEY_NR; i++)
		assert_int_equal(stat_key__parse(stat_key(i)->name), i);
	assert_int_equal(stat_key__parse("pid"), -1);
	for (i = 0; i < STAT_COLUMN_NR; i++)
		assert_int_equal(stat_column__parse(stat_column__name(i)), i);
	assert_int_equal(stat_column__parse("colour"), -1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_outcomes),     cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_tables),       cmocka_unit_test(test_cells),
		cmocka_unit_test(test_sort_and_top), cmocka_unit_test(test_worst_region),
		cmocka_unit_test(test_calls),        cmocka_unit_test(test_populated),
		cmocka_unit_test(test_names),        cmocka_unit_test(test_mappings),
		cmocka_unit_test(test_reset),        cmocka_unit_test(test_wrong_use),
	};

	return cmocka_run_group_tests_name("stat", tests, NULL, NULL);
}
