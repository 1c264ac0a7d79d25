/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>

#include "output/json.h"
#include "output/report.h"
#include "output/rows.h"

static json_t *row_value(const struct rows *rows, size_t row);

static json_t *shares_value(const struct row_cell *cell)
{
	json_t *array = json_array();
	int err = array ? 0 : -ENOMEM;

	for (__u32 i = 0; i < cell->n && !err; i++) /* a float has seven digits */
		err = json_push(array, json_real((int)(cell->shares[i] * 1e6 + 0.5) / 1e6));
	if (!err)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *rows_value(const struct rows *rows)
{
	json_t *array = json_array();
	int err = array ? 0 : -ENOMEM;

	for (size_t i = 0; i < rows__count(rows) && !err; i++)
		err = json_push(array, row_value(rows, i));
	if (!err)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *cell_value(const struct row_column *column, const struct row_cell *cell)
{
	if (!cell->known)
		return json_null();
	switch (column->type) {
	case ROW_TEXT:
	case ROW_NOTE:
		return json_text(cell->text);
	case ROW_COUNT:
	case ROW_BYTES:
	case ROW_NS:
	case ROW_TIME_NS:
		/* jansson's integers have a sign. */
		return cell->number > LLONG_MAX ? json_real(cell->number) :
						  json_integer(cell->number);
	case ROW_ADDR:
		return json_addr(cell->number);
	case ROW_COUNT_RATE:
	case ROW_BYTES_RATE:
	case ROW_NS_RATE:
	case ROW_SHARE:
		return json_real(cell->real);
	case ROW_STACK:
		return report_json__stack(cell->profile, cell->stack);
	case ROW_SHARES:
		return shares_value(cell);
	case ROW_ROWS:
		return rows_value(cell->rows);
	case ROW_BAR:
		break;
	}
	return json_null();
}

static json_t *row_value(const struct rows *rows, size_t row)
{
	json_t *object = json_object();
	int err = object ? 0 : -ENOMEM;
	size_t i;

	for (i = 0; i < rows__ncolumns(rows) && !err; i++) {
		const struct row_column *column = rows__column(rows, i);

		if (column->name && column->type != ROW_BAR)
			err = json_put(object, column->name,
				       cell_value(column, rows__cell(rows, row, i)));
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

/* One by one: all of them as jansson's objects take more memory than everything else. */
static int write_rows(FILE *f, const struct rows *rows)
{
	size_t i;
	int err = 0;

	fputs(",\"rows\":[", f);
	for (i = 0; i < rows__count(rows) && !err; i++) {
		if (i)
			fputc(',', f);
		err = json_write(f, row_value(rows, i));
	}
	fputc(']', f);
	return err;
}

int rows_json__print(FILE *f, const struct rows_report *report)
{
	const char *target = report->target ? report->target : "";
	int err;

	fputs("{\"type\":", f);
	err = json_write(f, json_text(report->analysis));
	if (!err && report->command)
		err = report_json__member(f, "command", json_text(report->command));
	if (!err)
		err = report_json__member(f, "target", json_text(target));
	if (!err)
		err = report_json__member(f, "time_ns", json_integer(report->time_ns));
	if (!err)
		err = report_json__member(f, "duration_ns", json_integer(report->duration_ns));
	if (!err && report->summary && rows__count(report->summary))
		err = report_json__member(f, "summary", row_value(report->summary, 0));
	if (!err)
		err = write_rows(f, report->rows);
	if (!err)
		err = report_json__member(f, "lost",
					  report_json__lost(report->lost, report->no_memory));
	if (!err && report->nnotes)
		err = report_json__member(f, "notes",
					  report_json__texts(report->notes, report->nnotes));
	if (!err)
		fputs("}\n", f);
	return err ? err : report__done(f);
}
