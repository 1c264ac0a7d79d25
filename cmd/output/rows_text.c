/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "base/units.h"
#include "output/frames.h"
#include "output/histogram.h"
#include "output/report.h"
#include "output/rows.h"
#include "output/table.h"

#define BELOW     "    " /* before what stands below a row */
#define BAR_WIDTH 10
#define BAR_MAX   64
#define ITEM_TEXT 1024
#define WHOLE     1000000000 /* of a share, as whole numbers */

struct page {
	FILE *f;
	const struct rows_report *report;
	size_t width;
	bool utf8;
};

static __u64 to_number(double real)
{
	return real < 0x1p64 ? (__u64)real : (__u64)-1;
}

/* A share in parts of WHOLE; what is not all or nothing stays so. */
static __u64 share_parts(double share)
{
	__u64 parts = to_number(share * WHOLE + 0.5);

	if (!parts && share > 0)
		return 1;
	return parts == WHOLE && share < 1 ? parts - 1 : parts;
}

/* A value that is no text: short for a cell, or as fmt_ words it for a sentence. */
static const char *value_text(char *buf, size_t size, enum row_type type,
			      const struct row_cell *cell, bool sentence)
{
	switch (type) {
	case ROW_COUNT_RATE:
		if (cell->real < 99.95 || !sentence)
			return cell_rate(buf, size, cell->real);
		return fmt_count(buf, size, to_number(cell->real + 0.5));
	case ROW_COUNT:
		return (sentence ? fmt_count : cell_count)(buf, size, cell->number);
	case ROW_BYTES:
		return (sentence ? fmt_bytes : cell_bytes)(buf, size, cell->number);
	case ROW_NS:
		return (sentence ? fmt_ns : cell_ns)(buf, size, cell->number);
	case ROW_BYTES_RATE:
		return (sentence ? fmt_bytes : cell_bytes)(buf, size, to_number(cell->real + 0.5));
	case ROW_NS_RATE:
		return (sentence ? fmt_ns : cell_ns)(buf, size, to_number(cell->real + 0.5));
	case ROW_SHARE:
		return cell_share(buf, size, share_parts(cell->real), WHOLE);
	case ROW_TIME_NS:
		snprintf(buf, size, "%llu.%03llu%ss", cell->number / 1000000000,
			 cell->number / 1000000 % 1000, sentence ? " " : "");
		return buf;
	case ROW_ADDR:
		snprintf(buf, size, "%llx", cell->number);
		return buf;
	case ROW_TEXT:
	case ROW_NOTE:
	case ROW_BAR:
	case ROW_STACK:
	case ROW_SHARES:
	case ROW_ROWS:
		break;
	}
	return "";
}

static bool is_below(enum row_type type)
{
	return type == ROW_STACK || type == ROW_NOTE;
}

static bool is_list(enum row_type type)
{
	return type == ROW_SHARES || type == ROW_ROWS;
}

const char *rows_text__item(char *buf, size_t size, const struct row_column *column,
			    const struct row_cell *cell)
{
	char text[ITEM_TEXT] = "-", value[FMT_LEN];

	buf[0] = '\0';
	if (!column->header || column->type == ROW_BAR || is_below(column->type) ||
	    is_list(column->type))
		return buf;
	if (cell->known && column->type == ROW_TEXT)
		text_escape(text, sizeof(text), cell->text, strlen(cell->text));
	else if (cell->known)
		snprintf(text, sizeof(text), "%s",
			 value_text(value, sizeof(value), column->type, cell, true));
	snprintf(buf, size, "%s %s", column->header, text);
	return buf;
}

/* An item of a paragraph, cut where a line cannot hold it. */
static void put_item(const struct page *pg, struct paragraph *p, const char *between,
		     const struct row_column *column, const struct row_cell *cell)
{
	char item[FMT_LEN + ITEM_TEXT], cut[sizeof(item)];

	rows_text__item(item, sizeof(item), column, cell);
	if (!item[0])
		return;
	text_cut(cut, sizeof(cut), item, pg->width - strlen(p->indent), pg->utf8);
	paragraph__text(p, between, cut);
}

/* The stack or the sentence that stands below a row. */
static int put_below(const struct page *pg, const struct row_column *column,
		     const struct row_cell *cell)
{
	size_t width = pg->width > strlen(BELOW) ? pg->width - strlen(BELOW) : 1;
	struct writer text = { 0 };
	char *cut;

	if (column->type == ROW_NOTE) {
		report_text__words(pg->f, pg->width, BELOW, cell->text);
		return 0;
	}
	frames__text(&text, cell->profile, cell->stack);
	writer__char(&text, '\0');
	cut = text.err ? NULL : malloc(text.len + sizeof("…"));
	if (cut) {
		text_cut_parts(cut, text.len + sizeof("…"), text.buf, width, FRAMES_BETWEEN,
			       pg->utf8);
		if (cut[0])
			fprintf(pg->f, BELOW "%s\n", cut);
	}
	free(text.buf);
	if (!cut)
		return -ENOMEM;
	free(cut);
	return 0;
}

static int put_all_below(const struct page *pg, const struct rows *rows, size_t row)
{
	size_t i;
	int err = 0;

	for (i = 0; i < rows__ncolumns(rows) && !err; i++) {
		const struct row_column *column = rows__column(rows, i);
		const struct row_cell *cell = rows__cell(rows, row, i);

		if (column->header && is_below(column->type) && cell->known)
			err = put_below(pg, column, cell);
	}
	return err;
}

/* "touched (gcc, 5.00 s): mappings 12   reserved 1.2 GiB" */
static int put_headline(const struct page *pg)
{
	const struct rows_report *report = pg->report;
	const struct rows *summary = report->summary;
	struct paragraph p = { .f = pg->f, .width = pg->width, .indent = "" };
	char target[ITEM_TEXT] = "", cut[ITEM_TEXT], duration[FMT_LEN] = "";
	const char *between = " ";
	size_t i;

	if (summary && !rows__count(summary))
		summary = NULL;
	if (report->interval)
		report_text__interval(pg->f, report->time_ns);
	if (report->target)
		text_escape(target, sizeof(target), report->target, strlen(report->target));
	text_cut(cut, sizeof(cut), target, pg->width / 2, pg->utf8);
	if (report->duration_ns)
		fmt_ns(duration, sizeof(duration), report->duration_ns);
	if (cut[0] || duration[0])
		paragraph__item(&p, "", "%s (%s%s%s)%s", report->analysis, cut,
				cut[0] && duration[0] ? ", " : "", duration, summary ? ":" : "");
	else
		paragraph__item(&p, "", "%s%s", report->analysis, summary ? ":" : "");
	p.indent = "  ";
	for (i = 0; summary && i < rows__ncolumns(summary); i++) {
		if (!rows__cell(summary, 0, i)->known)
			continue;
		put_item(pg, &p, between, rows__column(summary, i), rows__cell(summary, 0, i));
		between = "   ";
	}
	fputc('\n', pg->f);
	return summary ? put_all_below(pg, summary, 0) : 0;
}

static int add_text(struct table *t, const char *raw)
{
	struct writer text = { 0 };
	int err;

	writer__escaped(&text, raw, strlen(raw));
	writer__char(&text, '\0');
	err = text.err ? text.err : table__cell(t, text.buf);
	free(text.buf);
	return err;
}

/* Without the blanks after it: a line has none at its end. */
static int add_bar(struct table *t, const struct row_column *column, double share, bool utf8)
{
	size_t width = column->cut ? column->cut : BAR_WIDTH, used;
	char bar[3 * BAR_MAX + 1];

	used = histogram__bar(bar, width < BAR_MAX ? width : BAR_MAX, share_parts(share), WHOLE,
			      utf8);
	while (used && bar[used - 1] == ' ')
		used--;
	bar[used] = '\0';
	return table__cell(t, bar);
}

static int add_cell(const struct page *pg, struct table *t, const struct row_column *column,
		    const struct row_cell *cell)
{
	char text[CELL_LEN];

	if (!cell->known)
		return table__cell(t, "-");
	if (column->type == ROW_TEXT)
		return add_text(t, cell->text);
	if (column->type == ROW_BAR)
		return add_bar(t, column, cell->real, pg->utf8);
	return table__cell(t, value_text(text, sizeof(text), column->type, cell, false));
}

static bool in_table(const struct row_column *column)
{
	return column->header && !is_below(column->type) && !is_list(column->type);
}

/* Is a column that may go 0 or unknown in all rows? */
static bool says_nothing(const struct rows *rows, size_t column)
{
	enum row_type type = rows__column(rows, column)->type;
	size_t i;

	if (!rows__column(rows, column)->drop || type == ROW_TEXT)
		return false;
	for (i = 0; i < rows__count(rows); i++) {
		const struct row_cell *cell = rows__cell(rows, i, column);
		bool real = type >= ROW_COUNT_RATE && type <= ROW_BAR;

		if (cell->known && (real ? cell->real > 0 : cell->number > 0))
			return false;
	}
	return true;
}

static struct table *new_table(const struct rows *rows)
{
	struct table_column *columns = calloc(rows__ncolumns(rows), sizeof(*columns));
	struct table *t = NULL;
	size_t i, n = 0;

	for (i = 0; columns && i < rows__ncolumns(rows); i++) {
		const struct row_column *column = rows__column(rows, i);

		if (!in_table(column))
			continue;
		columns[n++] = (struct table_column){
			.header = column->header,
			.left = column->type == ROW_TEXT || column->type == ROW_BAR,
			.cut = column->type == ROW_TEXT ? column->cut : 0,
			.drop = column->drop + (says_nothing(rows, i) ? TABLE_DROP_REDUNDANT : 0),
		};
	}
	errno = n ? ENOMEM : EINVAL;
	if (n)
		t = table__new(columns, n);
	free(columns);
	return t;
}

static struct table *make_table(const struct page *pg, const struct rows *rows, size_t shown)
{
	struct table *t = new_table(rows);
	size_t i, k;
	int err = 0;

	if (!t)
		return NULL;
	for (i = 0; i < shown; i++)
		for (k = 0; k < rows__ncolumns(rows) && !err; k++)
			if (in_table(rows__column(rows, k)))
				err = add_cell(pg, t, rows__column(rows, k),
					       rows__cell(rows, i, k));
	if (!err)
		return t;
	table__free(t);
	errno = -err;
	return NULL;
}

/* What `top` left out: "and 12 more: faults 800   touched 3.1 MiB". */
static void put_more(const struct page *pg, const struct rows *rows, size_t more,
		     const struct row_cell *sums)
{
	struct paragraph p = { .f = pg->f, .width = pg->width, .indent = "" };
	const char *between = ": ";
	char count[FMT_LEN];
	size_t i;

	paragraph__item(&p, "", "and %s more", fmt_count(count, sizeof(count), more));
	p.indent = "  ";
	for (i = 0; i < rows__ncolumns(rows); i++) {
		if (!rows__column(rows, i)->sum || !rows__column(rows, i)->header)
			continue;
		put_item(pg, &p, between, rows__column(rows, i), &sums[i]);
		between = "   ";
	}
	fputc('\n', pg->f);
}

/* A blank line, then the table with what stands below its rows. */
static int put_rows(const struct page *pg, const struct rows *rows)
{
	struct row_cell *sums = calloc(rows__ncolumns(rows), sizeof(*sums));
	size_t shown = sums ? rows__limit(rows, pg->report->top, sums) : 0, i;
	struct table *t = sums ? make_table(pg, rows, shown) : NULL;
	char left_out[256];
	int err = t ? 0 : sums ? -errno : -ENOMEM;

	if (err)
		goto out;
	table__fit(t, pg->width, left_out, sizeof(left_out));
	fputc('\n', pg->f);
	table__print_header(t, pg->f, pg->utf8);
	for (i = 0; i < shown && !err; i++) {
		table__print_row(t, pg->f, i, pg->utf8);
		err = put_all_below(pg, rows, i);
	}
	if (rows__count(rows) > shown)
		put_more(pg, rows, rows__count(rows) - shown, sums);
	report_text__left_out(pg->f, pg->width, left_out);
out:
	table__free(t);
	free(sums);
	return err;
}

static void put_footer(const struct page *pg, bool lost_line)
{
	const struct rows_report *report = pg->report;
	size_t i;

	if (lost_line || report->nnotes)
		fputc('\n', pg->f);
	if (lost_line)
		report_text__lost(pg->f, pg->width, report->lost, report->no_memory);
	for (i = 0; i < report->nnotes; i++)
		report_text__words(pg->f, pg->width, "", report->notes[i]);
	if (report->interval)
		fputc('\n', pg->f);
}

int rows_text__print(FILE *f, const struct rows_report *report, const struct rows_text_opts *opts)
{
	struct page pg = {
		.f = f,
		.report = report,
		.width = opts->width ? opts->width : REPORT_WIDTH,
		.utf8 = opts->utf8,
	};
	int err = put_headline(&pg);

	if (!err && rows__count(report->rows))
		err = put_rows(&pg, report->rows);
	if (err)
		return err;
	put_footer(&pg, opts->lost_line);
	return report__done(f);
}
