/* SPDX-License-Identifier: GPL-2.0-only */
/* From cells to the rows of a table. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat_impl.h"

/* A row while it is being made. */
struct made_row {
	struct stat_row row; /* first: rows are freed and sorted by it */
	__u64 order;         /* value of the sort column */
	UT_hash_handle hh;
};

static __u64 faults_of(const struct stat_row *row)
{
	return row->n.faults;
}

static __u64 minor_of(const struct stat_row *row)
{
	return row->n.minor;
}

static __u64 major_of(const struct stat_row *row)
{
	return row->n.major;
}

static __u64 failed_of(const struct stat_row *row)
{
	return row->n.failed;
}

static __u64 bytes_of(const struct stat_row *row)
{
	return row->n.bytes;
}

static __u64 p50_of(const struct stat_row *row)
{
	return row->p50_ns;
}

static __u64 p99_of(const struct stat_row *row)
{
	return row->p99_ns;
}

static __u64 max_of(const struct stat_row *row)
{
	return row->latency.max;
}

static __u64 stall_of(const struct stat_row *row)
{
	return row->latency.sum;
}

static __u64 kernel_of(const struct stat_row *row)
{
	return row->n.kernel;
}

static __u64 populated_of(const struct stat_row *row)
{
	return row->n.populated;
}

static const struct {
	const char *name;
	__u64 (*value)(const struct stat_row *row);
} columns[STAT_COLUMN_NR] = {
	/* clang-format off */
	[STAT_BY_FAULTS]    = { "faults", faults_of },
	[STAT_BY_MINOR]     = { "minor", minor_of },
	[STAT_BY_MAJOR]     = { "major", major_of },
	[STAT_BY_FAILED]    = { "failed", failed_of },
	[STAT_BY_BYTES]     = { "bytes", bytes_of },
	[STAT_BY_RATE]      = { "rate", faults_of },	/* all rows have the same duration */
	[STAT_BY_P50]       = { "p50", p50_of },
	[STAT_BY_P99]       = { "p99", p99_of },
	[STAT_BY_MAX]       = { "max", max_of },
	[STAT_BY_STALL]     = { "stall", stall_of },
	[STAT_BY_KERNEL]    = { "kernel", kernel_of },
	[STAT_BY_POPULATED] = { "populated", populated_of },
	/* clang-format on */
};

int stat_column__parse(const char *name)
{
	int i;

	for (i = 0; i < STAT_COLUMN_NR; i++)
		if (!strcmp(columns[i].name, name))
			return i;
	return -1;
}

const char *stat_column__name(enum stat_column column)
{
	return column < STAT_COLUMN_NR ? columns[column].name : "?";
}

static void counts__add(struct stat_counts *to, const struct stat_counts *n)
{
	to->faults += n->faults;
	to->minor += n->minor;
	to->major += n->major;
	to->failed += n->failed;
	to->kernel += n->kernel;
	to->bytes += n->bytes;
	to->populated += n->populated;
}

/* The ids that a table has; 0 for the others. */
static void key_of(const struct stat_by *by, const __u64 from[STAT_KEY_NR], __u64 to[STAT_KEY_NR])
{
	unsigned int i;

	memset(to, 0, STAT_KEY_NR * sizeof(*to));
	for (i = 0; i < by->n; i++)
		to[by->key[i]] = from[by->key[i]];
}

static struct made_row *find_row(struct made_row *table, const __u64 key[STAT_KEY_NR])
{
	struct made_row *made;

	HASH_FIND(hh, table, key, STAT_KEY_NR * sizeof(*key), made);
	return made;
}

static struct made_row *get_row(struct made_row **table, const __u64 key[STAT_KEY_NR])
{
	struct made_row *made = find_row(*table, key);

	if (made)
		return made;
	made = calloc(1, sizeof(*made));
	if (!made)
		return NULL;
	memcpy(made->row.id, key, sizeof(made->row.id));
	HASH_ADD(hh, *table, row.id, sizeof(made->row.id), made);
	if (made->hh.tbl)
		return made;
	free(made);
	return NULL;
}

static int add_cells(struct stat_tally *st, const struct stat_by *by, struct made_row **table)
{
	const struct stat_cell *cell;
	struct made_row *made;
	__u64 key[STAT_KEY_NR];

	for (cell = st->cells; cell; cell = cell->hh.next) {
		if (st->used[STAT_CLASS] && cell->id[STAT_CLASS] == FS_CLASS_NR &&
		    stat_by__has(by, STAT_CLASS))
			continue;
		key_of(by, cell->id, key);
		if (stat_key__show(st, by, key))
			return -ENOMEM;
		made = get_row(table, key);
		if (!made)
			return -ENOMEM;
		counts__add(&made->row.n, &cell->n);
		if (hist_sparse__merge(&made->row.latency, &cell->latency))
			return -ENOMEM;
	}
	return 0;
}

/* What the processes' own counters say includes what their calls said. */
static int add_usages(struct stat_tally *st, struct made_row **table)
{
	const struct stat_usage *usage;
	__u64 key[STAT_KEY_NR] = { 0 };
	struct made_row *made;
	__u64 populated;

	for (usage = st->usages; usage; usage = usage->hh.next) {
		populated = usage->now - usage->before;
		if (!populated)
			continue;
		key[STAT_PROCESS] = (uintptr_t)usage->proc;
		made = get_row(table, key);
		if (!made)
			return -ENOMEM;
		if (made->row.n.populated < populated)
			made->row.n.populated = populated;
	}
	return 0;
}

static void finish_row(struct stat_row *row, __u64 duration_ns)
{
	struct hist h = { 0 };

	if (row->latency.count) {
		hist_sparse__expand(&row->latency, &h);
		row->p50_ns = hist__quantile(&h, 0.5);
		row->p99_ns = hist__quantile(&h, 0.99);
	}
	if (duration_ns)
		row->faults_per_s = (double)row->n.faults * 1e9 / (double)duration_ns;
}

/* Largest first; where equal, more faults first, then by name. */
static int compare_rows(const void *pa, const void *pb)
{
	const struct made_row *a = *(const struct made_row *const *)pa;
	const struct made_row *b = *(const struct made_row *const *)pb;
	int key, diff;

	if (a->order != b->order)
		return a->order > b->order ? -1 : 1;
	if (a->row.n.faults != b->row.n.faults)
		return a->row.n.faults > b->row.n.faults ? -1 : 1;
	for (key = 0; key < STAT_KEY_NR; key++) {
		/* 0 is also the id of what has no value, and of keys the table does not have. */
		if (a->row.id[key] == b->row.id[key])
			continue;
		diff = stat_key__compare(key, a->row.id[key], b->row.id[key]);
		if (diff)
			return diff;
	}
	return 0;
}

static void free_row(struct stat_row *row)
{
	hist_sparse__clear(&row->latency);
	free(row);
}

/* Move the rows out of their hash table into the sorted array. On failure both are left. */
static int sort_rows(struct stat_rows *rows, struct made_row **table,
		     const struct stat_rows_opts *opts)
{
	size_t n = HASH_COUNT(*table);
	struct made_row *made, *tmp;

	rows->row = calloc(n ? n : 1, sizeof(struct stat_row *));
	if (!rows->row)
		return -ENOMEM;
	HASH_ITER (hh, *table, made, tmp) {
		finish_row(&made->row, opts->duration_ns);
		made->order = columns[opts->sort].value(&made->row);
		HASH_DEL(*table, made);
		rows->row[rows->n++] = &made->row;
	}
	qsort(rows->row, rows->n, sizeof(*rows->row), compare_rows);
	return 0;
}

static int sum_up(struct stat_rows *rows, const struct stat_rows_opts *opts)
{
	size_t i;

	for (i = 0; i < rows->n; i++) {
		struct stat_row *row = rows->row[i];

		counts__add(&rows->sum.n, &row->n);
		if (hist_sparse__merge(&rows->sum.latency, &row->latency))
			return -ENOMEM;
	}
	finish_row(&rows->sum, opts->duration_ns);
	if (!opts->top)
		return 0;
	while (rows->n > opts->top) {
		struct stat_row *row = rows->row[--rows->n];

		rows->more++;
		counts__add(&rows->more_n, &row->n);
		rows->more_stall_ns += row->latency.sum;
		free_row(row);
	}
	return 0;
}

/* Fill worst_region of each row in `table` from the same table by region as well. */
static int find_worst(struct stat_tally *st, const struct stat_by *by, struct made_row *table)
{
	struct stat_rows_opts opts = { .sort = STAT_BY_FAULTS };
	struct stat_by by_region = *by;
	struct stat_rows *regions;
	__u64 key[STAT_KEY_NR];
	size_t i;

	stat_by__add(&by_region, STAT_REGION);
	regions = stat__rows(st, &by_region, &opts);
	if (!regions)
		return -errno;
	for (i = 0; i < regions->n; i++) {
		const struct stat_row *part = regions->row[i];
		struct made_row *made;

		key_of(by, part->id, key);
		made = find_row(table, key);
		if (!made || !part->n.faults)
			continue;
		/* Parts come with most faults first: those win where nothing else tells. */
		if (made->row.worst_faults && part->latency.sum <= made->row.worst_ns)
			continue;
		made->row.worst_region = part->id[STAT_REGION];
		made->row.worst_ns = part->latency.sum;
		made->row.worst_faults = part->n.faults;
	}
	stat_rows__free(regions);
	return 0;
}

struct stat_rows *stat__rows(struct stat_tally *st, const struct stat_by *by,
			     const struct stat_rows_opts *opts)
{
	struct made_row *table = NULL, *made, *tmp;
	struct stat_rows *rows;
	unsigned int i;
	int err = 0;

	for (i = 0; i < by->n; i++)
		if (by->key[i] >= STAT_KEY_NR || !st->used[by->key[i]])
			err = -EINVAL;
	if (opts->sort >= STAT_COLUMN_NR || (opts->worst && !st->used[STAT_REGION]))
		err = -EINVAL;
	if (err) {
		errno = -err;
		return NULL;
	}
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return NULL;
	rows->by = *by;
	err = add_cells(st, by, &table);
	if (!err && by->n == 1 && by->key[0] == STAT_PROCESS)
		err = add_usages(st, &table);
	if (!err && opts->worst)
		err = find_worst(st, by, table);
	if (!err)
		err = sort_rows(rows, &table, opts);
	if (!err)
		err = sum_up(rows, opts);
	if (!err)
		return rows;

	HASH_ITER (hh, table, made, tmp) {
		HASH_DEL(table, made);
		free_row(&made->row);
	}
	stat_rows__free(rows);
	errno = -err;
	return NULL;
}

void stat_rows__free(struct stat_rows *rows)
{
	size_t i;

	if (!rows)
		return;
	for (i = 0; i < rows->n; i++)
		free_row(rows->row[i]);
	free(rows->row);
	hist_sparse__clear(&rows->sum.latency);
	free(rows);
}
