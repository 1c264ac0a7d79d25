/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>

#include "base/kind_names.h"
#include "output/json.h"
#include "output/report.h"
#include "output/stat_json.h"

#define SCHEMA "faultsnoop-stat-1"

/* [[from, to, count]…] */
static json_t *log2_value(const struct hist *h)
{
	struct hist_log2 lines[HIST_LOG2_ROWS];
	size_t n = hist__log2(h, lines, HIST_LOG2_ROWS), i;
	json_t *array = json_array();

	for (i = 0; i < n; i++)
		json_push(array, json_pack("[I, I, I]", (json_int_t)lines[i].from,
					   (json_int_t)lines[i].to, (json_int_t)lines[i].count));
	if (array && json_array_size(array) == n)
		return array;
	json_decref(array);
	return NULL;
}

static json_t *latency_value(const struct stat_row *row)
{
	struct hist h = { 0 };

	if (!row->latency.count)
		return json_null();
	hist_sparse__expand(&row->latency, &h);
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:o}", "count", (json_int_t)h.count, "sum",
			 (json_int_t)h.sum, "p50", (json_int_t)row->p50_ns, "p99",
			 (json_int_t)row->p99_ns, "max", (json_int_t)h.max, "log2", log2_value(&h));
}

static json_t *field_value(const struct stat_value *v)
{
	switch (v->kind) {
	case STAT_VALUE_TEXT:
		return json_text(v->text);
	case STAT_VALUE_NUMBER:
		return json_integer(v->number);
	case STAT_VALUE_ADDR:
		return json_addr(v->number);
	case STAT_VALUE_STACK:
		return report_json__stack(v->stack->profile, v->stack->id);
	case STAT_VALUE_NONE:
		break;
	}
	return json_null();
}

static int put_key(json_t *object, const struct stat_row *row, enum stat_key_id id)
{
	const struct stat_key *key = stat_key(id);
	struct stat_value values[STAT_FIELDS];
	int i, err = 0;

	stat_row__values(row, id, values);
	for (i = 0; i < STAT_FIELDS && key->fields[i].name && !err; i++)
		err = json_put(object, key->fields[i].name, field_value(&values[i]));
	return err;
}

static json_t *row_value(const struct stat_row *row, const struct stat_by *by)
{
	json_t *object = json_object();
	unsigned int i;
	int err = 0;

	if (!object)
		return NULL;
	for (i = 0; i < by->n && !err; i++)
		err = put_key(object, row, by->key[i]);
	if (!err)
		err = json_put(object, "faults", json_integer(row->n.faults));
	if (!err)
		err = json_put(object, "minor", json_integer(row->n.minor));
	if (!err)
		err = json_put(object, "major", json_integer(row->n.major));
	if (!err)
		err = json_put(object, "failed", json_integer(row->n.failed));
	if (!err)
		err = json_put(object, "kernel", json_integer(row->n.kernel));
	if (!err)
		err = json_put(object, "bytes", json_integer(row->n.bytes));
	if (!err && !stat_by__has(by, STAT_CLASS))
		err = json_put(object, "populated", json_integer(row->n.populated));
	if (!err)
		err = json_put(object, "latency_ns", latency_value(row));
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *totals_value(const struct stat_totals *t)
{
	return json_pack("{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "faults",
			 (json_int_t)t->faults, "minor", (json_int_t)t->minor, "major",
			 (json_int_t)t->major, "failed", (json_int_t)t->failed, "fixup",
			 (json_int_t)t->fixup, "populated", (json_int_t)t->populated, "user",
			 (json_int_t)t->user, "kernel", (json_int_t)t->kernel, "bytes",
			 (json_int_t)t->bytes);
}

static json_t *call_value(const struct stat_call *call)
{
	json_t *object =
		json_pack("{s:I, s:I, s:I, s:I, s:I}", "calls", (json_int_t)call->calls, "failed",
			  (json_int_t)call->failed, "bytes", (json_int_t)call->bytes, "populated",
			  (json_int_t)call->populated, "time_ns", (json_int_t)call->time_ns);

	if (!object || !call->sizes || !json_put(object, "sizes_log2", log2_value(call->sizes)))
		return object;
	json_decref(object);
	return NULL;
}

static json_t *calls_value(const struct stat_tally *st)
{
	json_t *object = json_object();
	struct stat_call call;
	int i, err = object ? 0 : -ENOMEM;

	for (i = 0; i < FS_CALL_NR && !err; i++) {
		stat__call_figures(st, i, &call);
		if (call.calls)
			err = json_put(object, call_name(i), call_value(&call));
	}
	if (!err)
		return object;
	json_decref(object);
	return NULL;
}

static json_t *by_value(const struct stat_by *by)
{
	json_t *array = json_array();
	unsigned int i;

	for (i = 0; array && i < by->n; i++) {
		if (json_push(array, json_string(stat_key(by->key[i])->name))) {
			json_decref(array);
			return NULL;
		}
	}
	return array;
}

/*
 * Rows are written one by one: 50,000 of them as jansson's objects would take more memory than
 * everything else in the program.
 */
static int write_rows(FILE *f, const struct stat_rows *rows)
{
	size_t i;
	int err;

	fputs(",\"rows\":[", f);
	for (i = 0; i < rows->n; i++) {
		if (i)
			fputc(',', f);
		err = json_write(f, row_value(rows->row[i], &rows->by));
		if (err)
			return err;
	}
	fputc(']', f);
	if (!rows->more)
		return 0;
	fputs(",\"more\":", f);
	return json_write(f, json_pack("{s:I, s:I, s:I, s:I}", "rows", (json_int_t)rows->more,
				       "faults", (json_int_t)rows->more_n.faults, "bytes",
				       (json_int_t)rows->more_n.bytes, "stall_ns",
				       (json_int_t)rows->more_stall_ns));
}

int stat_json__print(FILE *f, struct stat_tally *st, const struct stat_report *report)
{
	const struct stat_by *by = report->by ? report->by : &stat_by_default;
	struct stat_rows_opts opts = {
		.sort = report->sort,
		.top = report->top,
		.duration_ns = report->duration_ns,
	};
	struct stat_rows *rows = stat__rows(st, by, &opts);
	int err = rows ? 0 : -errno;

	if (err)
		return err;
	fputs("{\"schema\":\"" SCHEMA "\"", f);
	if (report->command)
		err = report_json__member(f, "command", json_text(report->command));
	if (!err)
		err = report_json__member(f, "target",
					  json_text(report->target ? report->target : ""));
	if (!err)
		err = report_json__member(f, "time_ns", json_integer(report->time_ns));
	if (!err)
		err = report_json__member(f, "duration_ns", json_integer(report->duration_ns));
	if (!err)
		err = report_json__member(f, "totals", totals_value(&report->totals));
	if (!err)
		err = report_json__member(f, "lost",
					  report_json__lost(report->lost, stat__dropped(st)));
	if (!err)
		err = report_json__member(f, "by", by_value(by));
	if (!err)
		err = write_rows(f, rows);
	if (!err)
		err = report_json__member(f, "calls", calls_value(st));
	if (!err && report->nnotes)
		err = report_json__member(f, "notes",
					  report_json__texts(report->notes, report->nnotes));
	if (!err)
		fputs("}\n", f);
	stat_rows__free(rows);
	return err ? err : report__done(f);
}
