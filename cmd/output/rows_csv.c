/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "base/units.h"
#include "output/report.h"
#include "output/rows.h"

typedef unsigned long long ull;

static bool in_csv(const struct row_column *column)
{
	return column->name && column->type != ROW_BAR && column->type != ROW_ROWS;
}

int rows_csv__header(FILE *f, const struct rows_report *report)
{
	const struct rows *rows = report->rows;
	bool first = true;
	size_t i;

	if (report->interval)
		fputs("time_s,", f);
	for (i = 0; i < rows__ncolumns(rows); i++) {
		const struct row_column *column = rows__column(rows, i);

		if (!in_csv(column))
			continue;
		fprintf(f, "%s%s", first ? "" : ",", column->name);
		first = false;
	}
	fputs("\r\n", f);
	return report__done(f);
}

static int print_cell(FILE *f, const struct row_column *column, const struct row_cell *cell)
{
	if (!cell->known)
		return 0;
	switch (column->type) {
	case ROW_TEXT:
	case ROW_NOTE:
		return report_csv__text(f, cell->text);
	case ROW_COUNT:
	case ROW_BYTES:
	case ROW_NS:
	case ROW_TIME_NS:
		fprintf(f, "%llu", (ull)cell->number);
		break;
	case ROW_ADDR:
		fprintf(f, "0x%llx", (ull)cell->number);
		break;
	case ROW_COUNT_RATE:
	case ROW_BYTES_RATE:
	case ROW_NS_RATE:
		fprintf(f, "%.1f", cell->real);
		break;
	case ROW_SHARE:
		fprintf(f, "%.6f", cell->real);
		break;
	case ROW_STACK:
		return report_csv__stack(f, cell->profile, cell->stack);
	case ROW_SHARES:
		for (__u32 i = 0; i < cell->n; i++)
			fprintf(f, "%s%.4g", i ? " " : "", cell->shares[i]);
		break;
	case ROW_BAR:
	case ROW_ROWS:
		break;
	}
	return 0;
}

static int print_row(FILE *f, const struct rows *rows, size_t row)
{
	bool first = true;
	size_t i;
	int err = 0;

	for (i = 0; i < rows__ncolumns(rows) && !err; i++) {
		const struct row_column *column = rows__column(rows, i);

		if (!in_csv(column))
			continue;
		if (!first)
			fputc(',', f);
		first = false;
		err = print_cell(f, column, rows__cell(rows, row, i));
	}
	fputs("\r\n", f);
	return err;
}

int rows_csv__print(FILE *f, const struct rows_report *report)
{
	size_t i;
	int err = 0;

	for (i = 0; i < rows__count(report->rows) && !err; i++) {
		if (report->interval)
			report_csv__time(f, report->time_ns);
		err = print_row(f, report->rows, i);
	}
	return err ? err : report__done(f);
}

const char *rows_csv__words(const struct rows_report *report, char *buf, size_t size)
{
	const struct rows *summary = report->summary;
	char item[FMT_LEN + 1024], duration[FMT_LEN];
	bool first = true;
	size_t used, i;

	used = snprintf(buf, size, "%s", report->analysis);
	if (report->duration_ns && used < size)
		used += snprintf(buf + used, size - used, " in %s",
				 fmt_ns(duration, sizeof(duration), report->duration_ns));
	for (i = 0; summary && rows__count(summary) && i < rows__ncolumns(summary); i++) {
		rows_text__item(item, sizeof(item), rows__column(summary, i),
				rows__cell(summary, 0, i));
		if (!item[0] || used >= size)
			continue;
		used += snprintf(buf + used, size - used, "%s%s", first ? ": " : ", ", item);
		first = false;
	}
	if (used < size)
		used += snprintf(buf + used, size - used, "; ");
	if (used < size)
		report_csv__lost(buf + used, size - used, report->lost, report->no_memory);
	return buf;
}
