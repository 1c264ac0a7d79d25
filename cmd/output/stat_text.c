/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/kind_names.h"
#include "base/text.h"
#include "base/units.h"
#include "output/frames.h"
#include "output/histogram.h"
#include "output/report.h"
#include "output/stat_text.h"
#include "output/table.h"

#define TOP_PROCESSES 10
#define CUT_NAME      12 /* columns that remain of a cut process name */
#define CUT_LONG      16 /* of a path */
#define CUT_STACK     32
#define CELL_TEXT     1024

struct page {
	FILE *f;
	struct stat_tally *st;
	const struct stat_report *report;
	size_t width;
	bool utf8;
};

/* Exact up to 9 columns: "1,234,567", beyond "12.3M". */
static const char *wide_count(char *buf, size_t size, __u64 count)
{
	return count < 10000000 ? fmt_count(buf, size, count) : cell_count(buf, size, count);
}

/* The figures of a row, as columns after the keys. */
enum figure_id {
	FIGURE_FAULTS,
	FIGURE_SHARE,
	FIGURE_MINOR,
	FIGURE_MAJOR,
	FIGURE_FAILED,
	FIGURE_POPULATED,
	FIGURE_MIB,
	FIGURE_RATE,
	FIGURE_P50,
	FIGURE_P99,
	FIGURE_MAX,
	FIGURE_STALL,
	FIGURE_WORST,
	FIGURE_NR
};

/*
 * drop: how willingly a column leaves a table that is too wide. Those above `redundant` say nothing
 * where they are 0 in all rows, or for minor: where they are as faults.
 */
static const struct figure {
	const char *header;
	unsigned int drop;
	unsigned int redundant;
} figures[FIGURE_NR] = {
	/* clang-format off */
	[FIGURE_FAULTS]    = { "faults", TABLE_KEEP, 0 },
	[FIGURE_SHARE]     = { "share",  8, 0 },
	[FIGURE_MINOR]     = { "minor",  9, TABLE_DROP_REDUNDANT + 3 },
	[FIGURE_MAJOR]     = { "major",  TABLE_KEEP, TABLE_DROP_REDUNDANT + 1 },
	[FIGURE_FAILED]    = { "fail",   TABLE_KEEP, TABLE_DROP_REDUNDANT + 2 },
	[FIGURE_POPULATED] = { "popul.", 6, TABLE_DROP_REDUNDANT + 4 },
	[FIGURE_MIB]       = { "MiB",    TABLE_KEEP, 0 },
	[FIGURE_RATE]      = { "/s",     7, 0 },
	[FIGURE_P50]       = { "p50",    4, 0 },
	[FIGURE_P99]       = { "p99",    TABLE_KEEP, 0 },
	[FIGURE_MAX]       = { "max",    5, 0 },
	[FIGURE_STALL]     = { "stall",  TABLE_KEEP, 0 },
	[FIGURE_WORST]     = { "worst region", 3, 0 },
	/* clang-format on */
};

static const char *latency_cell(char *buf, size_t size, const struct stat_row *row, __u64 ns)
{
	if (row->latency.count)
		return cell_ns(buf, size, ns);
	snprintf(buf, size, "-");
	return buf;
}

/* "heap 63%": of the stall, or of the faults where no latency is measured. */
static const char *worst_cell(char *buf, size_t size, const struct stat_row *row)
{
	double part = row->worst_ns, whole = row->latency.sum;

	if (!row->latency.count) {
		part = row->worst_faults;
		whole = row->n.faults;
	}
	if (!row->worst_faults)
		snprintf(buf, size, "-");
	else
		snprintf(buf, size, "%s %.0f%%", region_name(row->worst_region),
			 whole > 0 ? 100 * part / whole : 100);
	return buf;
}

static const char *figure_cell(char *buf, size_t size, enum figure_id id,
			       const struct stat_row *row, const struct page *pg)
{
	switch (id) {
	case FIGURE_FAULTS:
		return wide_count(buf, size, row->n.faults);
	case FIGURE_SHARE:
		return cell_share(buf, size, row->n.faults, pg->report->totals.faults);
	case FIGURE_MINOR:
		return cell_count(buf, size, row->n.minor);
	case FIGURE_MAJOR:
		return cell_count(buf, size, row->n.major);
	case FIGURE_FAILED:
		return cell_count(buf, size, row->n.failed);
	case FIGURE_POPULATED:
		return cell_count(buf, size, row->n.populated);
	case FIGURE_MIB:
		return cell_mib(buf, size, row->n.bytes);
	case FIGURE_RATE:
		return cell_rate(buf, size, row->faults_per_s);
	case FIGURE_P50:
		return latency_cell(buf, size, row, row->p50_ns);
	case FIGURE_P99:
		return latency_cell(buf, size, row, row->p99_ns);
	case FIGURE_MAX:
		return latency_cell(buf, size, row, row->latency.max);
	case FIGURE_STALL:
		return latency_cell(buf, size, row, row->latency.sum);
	case FIGURE_WORST:
		return worst_cell(buf, size, row);
	case FIGURE_NR:
		break;
	}
	return "";
}

static bool figure_redundant(enum figure_id id, const struct stat_rows *rows)
{
	const struct stat_counts *n = &rows->sum.n;

	return (id == FIGURE_MINOR && n->minor == n->faults) || (id == FIGURE_MAJOR && !n->major) ||
	       (id == FIGURE_FAILED && !n->failed) || (id == FIGURE_POPULATED && !n->populated);
}

static unsigned int figure_drop(enum figure_id id, const struct stat_rows *rows)
{
	return figure_redundant(id, rows) ? figures[id].redundant : figures[id].drop;
}

static size_t add_key_columns(struct table_column *columns, const struct stat_by *by)
{
	unsigned int i, k;
	size_t n = 0;

	for (i = 0; i < by->n; i++) {
		const struct stat_key *key = stat_key(by->key[i]);

		for (k = 0; k < STAT_FIELDS && key->fields[k].name; k++) {
			const struct stat_field *field = &key->fields[k];
			bool name = by->key[i] == STAT_PROCESS || by->key[i] == STAT_THREAD;
			bool stack = by->key[i] == STAT_STACK;

			if (field->hidden)
				continue;
			columns[n++] = (struct table_column){
				.header = field->name,
				.left = k == 0,
				.cut = !field->wide ? 0 :
				       stack        ? CUT_STACK :
				       name         ? CUT_NAME :
						      CUT_LONG,
				.parts = stack ? FRAMES_BETWEEN : NULL,
			};
		}
	}
	return n;
}

static int add_value(struct table *t, const struct stat_value *v)
{
	struct writer stack = { 0 };
	char text[CELL_TEXT];
	int err;

	switch (v->kind) {
	case STAT_VALUE_TEXT:
		text_escape(text, sizeof(text), v->text, strlen(v->text));
		break;
	case STAT_VALUE_STACK:
		frames__text(&stack, v->stack->profile, v->stack->id);
		writer__char(&stack, '\0');
		err = stack.err ? stack.err : table__cell(t, stack.buf);
		free(stack.buf);
		return err;
	case STAT_VALUE_NONE:
		snprintf(text, sizeof(text), "-");
		break;
	case STAT_VALUE_NUMBER:
		snprintf(text, sizeof(text), "%llu", v->number);
		break;
	case STAT_VALUE_ADDR:
		snprintf(text, sizeof(text), "%llx", v->number);
		break;
	}
	return table__cell(t, text);
}

static int add_key_cells(struct table *t, const struct stat_row *row, const struct stat_by *by)
{
	struct stat_value values[STAT_FIELDS];
	unsigned int i, k;
	int err = 0;

	for (i = 0; i < by->n && !err; i++) {
		const struct stat_key *key = stat_key(by->key[i]);

		stat_row__values(row, by->key[i], values);
		for (k = 0; k < STAT_FIELDS && key->fields[k].name && !err; k++)
			if (!key->fields[k].hidden)
				err = add_value(t, &values[k]);
	}
	return err;
}

static struct table *make_table(const struct page *pg, const struct stat_rows *rows, bool worst)
{
	struct table_column columns[STAT_KEY_NR * STAT_FIELDS + FIGURE_NR] = { 0 };
	enum figure_id shown[FIGURE_NR];
	size_t n = add_key_columns(columns, &rows->by), nshown = 0, i, k;
	char cell[CELL_LEN];
	struct table *t;
	int id, err = 0;

	for (id = 0; id < FIGURE_NR; id++) {
		if ((id == FIGURE_WORST && !worst) ||
		    (id == FIGURE_POPULATED && figure_redundant(id, rows)))
			continue;
		columns[n++] = (struct table_column){
			.header = figures[id].header,
			.left = id == FIGURE_WORST,
			.drop = figure_drop(id, rows),
		};
		shown[nshown++] = id;
	}
	t = table__new(columns, n);
	if (!t)
		return NULL;
	for (i = 0; i < rows->n && !err; i++) {
		err = add_key_cells(t, rows->row[i], &rows->by);
		for (k = 0; k < nshown && !err; k++)
			err = table__cell(t, figure_cell(cell, sizeof(cell), shown[k], rows->row[i],
							 pg));
	}
	if (!err)
		return t;
	table__free(t);
	errno = -err;
	return NULL;
}

/* A blank line, then the table; and how much `top` left out. */
static int put_rows(const struct page *pg, const struct stat_rows *rows, bool worst)
{
	char left_out[256], count[FMT_LEN], faults[FMT_LEN], bytes[FMT_LEN], stall[FMT_LEN];
	struct table *t = make_table(pg, rows, worst);

	if (!t)
		return -errno;
	table__fit(t, pg->width, left_out, sizeof(left_out));
	fputc('\n', pg->f);
	table__print(t, pg->f, pg->utf8);
	table__free(t);
	if (rows->more)
		fprintf(pg->f, "and %s more: %s faults, %s made present, %s of stall\n",
			fmt_count(count, sizeof(count), rows->more),
			fmt_count(faults, sizeof(faults), rows->more_n.faults),
			fmt_bytes(bytes, sizeof(bytes), rows->more_n.bytes),
			fmt_ns(stall, sizeof(stall), rows->more_stall_ns));
	/* Without --by, the headline and other tables have it. */
	if (pg->report->by)
		report_text__left_out(pg->f, pg->width, left_out);
	return 0;
}

static int put_table(const struct page *pg, const struct stat_by *by, size_t top, bool worst)
{
	struct stat_rows_opts opts = {
		.sort = pg->report->sort,
		.top = top,
		.worst = worst,
		.duration_ns = pg->report->duration_ns,
	};
	struct stat_rows *rows = stat__rows(pg->st, by, &opts);
	int err;

	if (!rows)
		return -errno;
	err = rows->n ? put_rows(pg, rows, worst) : 0;
	stat_rows__free(rows);
	return err;
}

static int put_tables(const struct page *pg)
{
	static const struct stat_by regions = { 1, { STAT_REGION } };
	static const struct stat_by classes = { 1, { STAT_CLASS } };
	static const struct stat_by processes = { 1, { STAT_PROCESS } };
	const struct stat_report *report = pg->report;
	int err;

	if (report->by)
		return put_table(pg, report->by, report->top, false);
	err = put_table(pg, &regions, 0, false);
	if (!err)
		err = put_table(pg, &classes, 0, false);
	if (!err)
		err = put_table(pg, &processes, report->top ? report->top : TOP_PROCESSES, true);
	return err;
}

/* Target, duration and totals. */
static void put_headline(const struct page *pg, const struct stat_rows *regions)
{
	const struct stat_report *report = pg->report;
	const struct stat_totals *t = &report->totals;
	struct paragraph p = { .f = pg->f, .width = pg->width, .indent = "" };
	char target[CELL_TEXT], cut[CELL_TEXT], a[FMT_LEN], b[FMT_LEN];
	double rate = report->duration_ns ? t->faults * 1e9 / report->duration_ns : 0;

	if (!report->target)
		target[0] = 0;
	else
		text_escape(target, sizeof(target), report->target, strlen(report->target));
	if (report->interval)
		report_text__interval(pg->f, report->time_ns);
	text_cut(cut, sizeof(cut), target, pg->width / 2, pg->utf8);
	paragraph__item(&p, "", "%s:", cut);
	paragraph__item(&p, " ", "%s fault%s", fmt_count(a, sizeof(a), t->faults),
			t->faults == 1 ? "" : "s");
	paragraph__item(&p, " ", "in %s,", fmt_ns(a, sizeof(a), report->duration_ns));
	paragraph__item(&p, " ", "%s/s",
			rate < 100 ? cell_rate(b, sizeof(b), rate) :
				     fmt_count(b, sizeof(b), (__u64)(rate + 0.5)));
	fputc('\n', pg->f);
	p = (struct paragraph){ .f = pg->f, .width = pg->width, .indent = "  " };
	paragraph__item(&p, "   ", "minor %s", fmt_count(a, sizeof(a), t->minor));
	paragraph__item(&p, "   ", "major %s", fmt_count(a, sizeof(a), t->major));
	paragraph__item(&p, "   ", "failed %s", fmt_count(a, sizeof(a), t->failed));
	paragraph__item(&p, "   ", "user mode %s", fmt_count(a, sizeof(a), t->user));
	paragraph__item(&p, "   ", "kernel mode %s", fmt_count(a, sizeof(a), t->kernel));
	paragraph__item(&p, "   ", "made present %s", fmt_bytes(a, sizeof(a), t->bytes));
	if (regions->sum.latency.count)
		paragraph__item(&p, "   ", "stall %s",
				fmt_ns(a, sizeof(a), regions->sum.latency.sum));
	else if (t->faults)
		paragraph__item(&p, "   ", "stall not measured");
	paragraph__item(&p, "   ", "populated %s", fmt_count(a, sizeof(a), t->populated));
	paragraph__item(&p, "   ", "fixups %s", fmt_count(a, sizeof(a), t->fixup));
	fputc('\n', pg->f);
}

static int put_latencies(const struct page *pg, const struct stat_rows *regions)
{
	struct histogram *hg = calloc(regions->n + 1, sizeof(*hg));
	char p50[CELL_LEN], p99[CELL_LEN];
	size_t i, n = 0;

	if (!hg)
		return -ENOMEM;
	for (i = 0; i < regions->n; i++) {
		const struct stat_row *row = regions->row[i];
		struct hist h = { 0 };

		if (!row->latency.count)
			continue;
		hist_sparse__expand(&row->latency, &h);
		histogram__fill(&hg[n], &h, HISTOGRAM_NS);
		snprintf(hg[n].title, sizeof(hg[n].title), "%s  p50 %s  p99 %s",
			 region_name(row->id[STAT_REGION]), cell_ns(p50, sizeof(p50), row->p50_ns),
			 cell_ns(p99, sizeof(p99), row->p99_ns));
		n++;
	}
	if (n) {
		fputs("\nLatency of faults: a bar counts from its time up to the next one's\n",
		      pg->f);
		histograms__print(pg->f, hg, n, pg->width, pg->utf8);
	}
	free(hg);
	return 0;
}

static const char *signed_bytes(char *buf, size_t size, __s64 bytes)
{
	char magnitude[FMT_LEN];

	fmt_bytes(magnitude, sizeof(magnitude), bytes < 0 ? -(__u64)bytes : (__u64)bytes);
	snprintf(buf, size, "%s%s", bytes < 0 ? "-" : "", magnitude);
	return buf;
}

static int add_call(struct table *t, enum fs_call id, const struct stat_call *call)
{
	char cell[FMT_LEN + 1];
	int err;

	err = table__cell(t, call_name(id));
	if (!err)
		err = table__cell(t, fmt_count(cell, sizeof(cell), call->calls));
	if (!err)
		err = table__cell(t, fmt_count(cell, sizeof(cell), call->failed));
	if (!err)
		err = table__cell(t, signed_bytes(cell, sizeof(cell), call->bytes));
	if (!err)
		err = table__cell(t, fmt_count(cell, sizeof(cell), call->populated));
	if (!err)
		err = table__cell(t, cell_ns(cell, sizeof(cell), call->time_ns));
	return err;
}

/* The table of mapping calls, and histograms of the sizes of those that have them. */
static int put_calls(const struct page *pg, bool histograms)
{
	static const struct table_column columns[] = {
		{ .header = "call", .left = true },
		{ .header = "calls" },
		{ .header = "failed" },
		{ .header = "size" },
		{ .header = "populated" },
		{ .header = "time" },
	};
	struct table *t = table__new(columns, sizeof(columns) / sizeof(*columns));
	struct histogram *hg = calloc(FS_CALL_NR, sizeof(*hg));
	int i, err = t && hg ? 0 : -ENOMEM;
	struct stat_call call;
	bool any = false;
	size_t n = 0;

	for (i = 0; i < FS_CALL_NR && !err; i++) {
		stat__call_figures(pg->st, i, &call);
		if (!call.calls)
			continue;
		err = add_call(t, i, &call);
		any = true;
		if (!call.sizes)
			continue;
		histogram__fill(&hg[n], call.sizes, HISTOGRAM_BYTES);
		snprintf(hg[n++].title, sizeof(hg->title), "%s", call_name(i));
	}
	if (!err && any) {
		table__fit(t, pg->width, NULL, 0);
		fputc('\n', pg->f);
		table__print(t, pg->f, pg->utf8);
		if (n && histograms) {
			fputs("\nSizes of calls: a bar counts from its size up to the next one's\n",
			      pg->f);
			histograms__print(pg->f, hg, n, pg->width, pg->utf8);
		}
	}
	table__free(t);
	free(hg);
	return err;
}

/* What is missing from the above, or that nothing is. */
static void put_footer(const struct page *pg, const struct stat_rows *regions)
{
	__u64 exact = pg->report->totals.faults, seen = regions->sum.n.faults;
	char a[FMT_LEN], share[CELL_LEN], line[CELL_TEXT];
	size_t i;

	fputc('\n', pg->f);
	if (exact > seen) {
		snprintf(line, sizeof(line), "totals are exact; %s faults (%s) have no detail",
			 fmt_count(a, sizeof(a), exact - seen),
			 cell_share(share, sizeof(share), exact - seen, exact));
		report_text__words(pg->f, pg->width, "", line);
	}
	report_text__lost(pg->f, pg->width, pg->report->lost, stat__dropped(pg->st));
	for (i = 0; i < pg->report->nnotes; i++)
		report_text__words(pg->f, pg->width, "", pg->report->notes[i]);
	if (pg->report->interval)
		fputc('\n', pg->f);
}

int stat_text__print(FILE *f, struct stat_tally *st, const struct stat_report *report,
		     const struct stat_text_opts *opts)
{
	static const struct stat_by by_region = { 1, { STAT_REGION } };
	struct stat_rows_opts all = { .sort = STAT_BY_FAULTS, .duration_ns = report->duration_ns };
	struct page pg = {
		.f = f,
		.st = st,
		.report = report,
		.width = opts->width ? opts->width : REPORT_WIDTH,
		.utf8 = opts->utf8,
	};
	struct stat_rows *regions = stat__rows(st, &by_region, &all);
	int err;

	if (!regions)
		return -errno;
	put_headline(&pg, regions);
	err = put_tables(&pg);
	if (!err && !opts->no_histograms)
		err = put_latencies(&pg, regions);
	if (!err)
		err = put_calls(&pg, !opts->no_histograms);
	if (!err)
		put_footer(&pg, regions);
	stat_rows__free(regions);
	return err ? err : report__done(f);
}
