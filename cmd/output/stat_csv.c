/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>

#include "base/units.h"
#include "output/report.h"
#include "output/stat_csv.h"

typedef unsigned long long ull;

/* The figures after the keys. */
static const char figures[] = "faults,minor,major,failed,kernel,bytes,populated,faults_per_s,"
			      "latency_sum_ns,latency_p50_ns,latency_p99_ns,latency_max_ns";

static const struct stat_by *table_of(const struct stat_report *report)
{
	return report->by ? report->by : &stat_by_default;
}

int stat_csv__header(FILE *f, const struct stat_report *report)
{
	const struct stat_by *by = table_of(report);
	unsigned int i, k;

	if (report->interval)
		fputs("time_s,", f);
	for (i = 0; i < by->n; i++) {
		const struct stat_key *key = stat_key(by->key[i]);

		for (k = 0; k < STAT_FIELDS && key->fields[k].name; k++)
			fprintf(f, "%s,", key->fields[k].name);
	}
	fprintf(f, "%s\r\n", figures);
	return report__done(f);
}

static int print_value(FILE *f, const struct stat_value *v)
{
	int err = 0;

	switch (v->kind) {
	case STAT_VALUE_TEXT:
		err = report_csv__text(f, v->text);
		break;
	case STAT_VALUE_NUMBER:
		fprintf(f, "%llu", (ull)v->number);
		break;
	case STAT_VALUE_ADDR:
		fprintf(f, "0x%llx", (ull)v->number);
		break;
	case STAT_VALUE_STACK:
		err = report_csv__stack(f, v->stack->profile, v->stack->id);
		break;
	case STAT_VALUE_NONE:
		break;
	}
	fputc(',', f);
	return err;
}

static int print_row(FILE *f, const struct stat_row *row, const struct stat_by *by)
{
	struct stat_value values[STAT_FIELDS];
	const struct stat_counts *n = &row->n;
	unsigned int i, k;
	int err = 0;

	for (i = 0; i < by->n; i++) {
		const struct stat_key *key = stat_key(by->key[i]);

		stat_row__values(row, by->key[i], values);
		for (k = 0; k < STAT_FIELDS && key->fields[k].name && !err; k++)
			err = print_value(f, &values[k]);
	}
	fprintf(f, "%llu,%llu,%llu,%llu,%llu,%llu,", (ull)n->faults, (ull)n->minor, (ull)n->major,
		(ull)n->failed, (ull)n->kernel, (ull)n->bytes);
	/* Populated pages have no class, as they had no fault. */
	if (!stat_by__has(by, STAT_CLASS))
		fprintf(f, "%llu", (ull)n->populated);
	fprintf(f, ",%.1f,", row->faults_per_s);
	if (row->latency.count)
		fprintf(f, "%llu,%llu,%llu,%llu\r\n", (ull)row->latency.sum, (ull)row->p50_ns,
			(ull)row->p99_ns, (ull)row->latency.max);
	else
		fputs(",,,\r\n", f);
	return err;
}

int stat_csv__print(FILE *f, struct stat_tally *st, const struct stat_report *report)
{
	struct stat_rows_opts opts = {
		.sort = report->sort,
		.top = report->top,
		.duration_ns = report->duration_ns,
	};
	struct stat_rows *rows = stat__rows(st, table_of(report), &opts);
	size_t i;
	int err = 0;

	if (!rows)
		return -errno;
	for (i = 0; i < rows->n && !err; i++) {
		if (report->interval)
			report_csv__time(f, report->time_ns);
		err = print_row(f, rows->row[i], &rows->by);
	}
	stat_rows__free(rows);
	return err ? err : report__done(f);
}

const char *stat_csv__words(const struct stat_tally *st, const struct stat_report *report,
			    char *buf, size_t size)
{
	const struct stat_totals *t = &report->totals;
	char duration[FMT_LEN];
	size_t used;

	used = snprintf(buf, size,
			"%s: %llu faults (minor %llu, major %llu, failed %llu), fixup %llu, "
			"populated %llu; ",
			fmt_ns(duration, sizeof(duration), report->duration_ns), (ull)t->faults,
			(ull)t->minor, (ull)t->major, (ull)t->failed, (ull)t->fixup,
			(ull)t->populated);
	if (used < size)
		report_csv__lost(buf + used, size - used, report->lost, stat__dropped(st));
	return buf;
}
