/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/map_rows.h"
#include "base/text.h"
#include "base/units.h"
#include "output/frames.h"
#include "output/histogram.h"
#include "output/map_text.h"
#include "output/report.h"
#include "output/table.h"

#define BAR_WIDTH  6
#define LINE_BYTES 4096
#define WHOLE      1000000 /* of a share, as whole numbers */

struct drawing {
	FILE *f;
	const struct rows *rows;
	struct table *table;
	size_t width, address; /* columns: of a line, of an address */
	bool utf8;
	bool shown[MAP_COL_NR]; /* columns of the table */
};

/* ---- cells ------------------------------------------------------------------------------------ */

static const struct row_cell *cell_at(const struct drawing *d, size_t row, enum map_column column)
{
	return rows__cell(d->rows, row, column);
}

static bool is_kind(const struct drawing *d, size_t row, const char *kind)
{
	return !strcmp(cell_at(d, row, MAP_COL_KIND)->text, kind);
}

static bool is_mapped(const struct drawing *d, size_t row)
{
	return !is_kind(d, row, "gap") && !is_kind(d, row, "kernel");
}

/* Above all that processes have: not a part of the drawing. */
static bool is_above(const struct drawing *d, size_t row)
{
	return !strcmp(cell_at(d, row, MAP_COL_SECTION)->text, "kernel");
}

static bool in_table(const struct row_column *column, enum map_column i)
{
	return column->header && column->type != ROW_STACK && column->type != ROW_SHARES &&
	       column->type != ROW_ROWS && i < MAP_COL_MAPPED_BY;
}

static const char *bar(char *out, double share, bool utf8)
{
	size_t used = histogram__bar(out, BAR_WIDTH, share < 1 ? (__u64)(share * WHOLE) : WHOLE,
				     WHOLE, utf8);

	while (used && out[used - 1] == ' ')
		used--;
	out[used] = '\0';
	return out;
}

/* Has the row above, where the addresses go on, this region? */
static bool goes_on_as(const struct drawing *d, size_t row, const char *region)
{
	const struct row_cell *above = row ? cell_at(d, row - 1, MAP_COL_REGION) : NULL;

	return above && above->known && !strcmp(above->text, region);
}

/*
 * "│ text", of what has no access "guard" or "reserved", and "data+bss" where all of the bss is in the
 * last page of the data.
 */
static const char *region_text(const struct drawing *d, size_t row, char *out, size_t size)
{
	const char *word = cell_at(d, row, MAP_COL_KIND)->text;
	const struct row_cell *also = cell_at(d, row, MAP_COL_ALSO);
	bool region = !strcmp(word, "region");
	bool both = region && also->known && !goes_on_as(d, row, also->text);

	if (region)
		word = cell_at(d, row, MAP_COL_REGION)->text;
	snprintf(out, size, "%s %s%s%s", d->utf8 ? "│" : "|", word, both ? "+" : "",
		 both ? also->text : "");
	return out;
}

static int add_cell(const struct drawing *d, size_t row, enum map_column i)
{
	const struct row_cell *cell = cell_at(d, row, i);
	char text[LINE_BYTES];

	if (!cell->known)
		return table__cell(d->table, "-");
	switch (rows__column(d->rows, i)->type) {
	case ROW_ADDR:
		snprintf(text, sizeof(text), "%llx", (unsigned long long)cell->number);
		break;
	case ROW_BYTES:
		if (!cell->number)
			snprintf(text, sizeof(text), "0");
		else
			cell_bytes(text, sizeof(text), cell->number);
		break;
	case ROW_COUNT:
		cell_count(text, sizeof(text), cell->number);
		break;
	case ROW_NS:
		if (!cell->number)
			snprintf(text, sizeof(text), "0");
		else
			cell_ns(text, sizeof(text), cell->number);
		break;
	case ROW_SHARE:
		bar(text, cell->real, d->utf8);
		break;
	default:
		text_escape(text, sizeof(text), cell->text, strlen(cell->text));
		if (i == MAP_COL_REGION)
			region_text(d, row, text, sizeof(text));
	}
	return table__cell(d->table, text);
}

/* Is a column that may go 0 or unknown in all rows? */
static bool says_nothing(const struct drawing *d, enum map_column i)
{
	enum row_type type = rows__column(d->rows, i)->type;

	for (size_t row = 0; row < rows__count(d->rows); row++) {
		const struct row_cell *cell = cell_at(d, row, i);

		if (cell->known && (type == ROW_SHARE ? cell->real > 0 : cell->number > 0))
			return false;
	}
	return true;
}

static int make_table(struct drawing *d)
{
	struct table_column columns[MAP_COL_NR];
	size_t n = 0, row;
	int i, err = 0;

	for (i = 0; i < MAP_COL_NR; i++) {
		const struct row_column *column = rows__column(d->rows, i);

		d->shown[i] = in_table(column, i) && !(column->drop && says_nothing(d, i));
		if (d->shown[i])
			columns[n++] = (struct table_column){
				.header = i == MAP_COL_REGION ? "  region" : column->header,
				.left = column->type == ROW_TEXT || column->type == ROW_SHARE,
				.cut = column->cut,
				.drop = column->drop,
			};
	}
	d->table = table__new(columns, n);
	if (!d->table)
		return -errno;
	for (row = 0; row < rows__count(d->rows); row++)
		for (i = 0; i < MAP_COL_NR && !err && is_mapped(d, row) && !is_above(d, row); i++)
			if (d->shown[i])
				err = add_cell(d, row, i);
	return err;
}

/* ---- lines ------------------------------------------------------------------------------------ */

static void put_address(const struct drawing *d, size_t row)
{
	fprintf(d->f, "%*llx ", (int)d->address,
		(unsigned long long)cell_at(d, row, MAP_COL_START)->number);
}

/* A rule across the drawing, with words in it. */
static void put_rule(const struct drawing *d, const char *corner, const char *ascii,
		     const char *words)
{
	char cut[LINE_BYTES];
	size_t used = d->address + 2;

	fprintf(d->f, "%*s %s", (int)d->address, "", d->utf8 ? corner : ascii);
	if (words[0] && d->width > used + 8) {
		text_cut(cut, sizeof(cut), words, d->width - used - 5, d->utf8);
		fprintf(d->f, "%s %s ", d->utf8 ? "─" : "-", cut);
		used += 3 + text_columns(cut);
	}
	for (; used < d->width; used++)
		fputs(d->utf8 ? "─" : "-", d->f);
	fputc('\n', d->f);
}

/* "mappings: 113, 21.2 MiB, 8.1 MiB resident": the rows from `row` on that are of one section. */
static void section_words(const struct drawing *d, size_t row, char *words, size_t size)
{
	const char *section = cell_at(d, row, MAP_COL_SECTION)->text;
	char bytes[FMT_LEN], resident[FMT_LEN], count[FMT_LEN];
	__u64 n = 0, sum = 0, rss = 0;
	bool known = false;

	for (; row < rows__count(d->rows); row++) {
		if (!is_mapped(d, row))
			continue;
		if (strcmp(cell_at(d, row, MAP_COL_SECTION)->text, section))
			break;
		n++;
		sum += cell_at(d, row, MAP_COL_SIZE)->number;
		known |= cell_at(d, row, MAP_COL_RSS)->known;
		if (cell_at(d, row, MAP_COL_RSS)->known)
			rss += cell_at(d, row, MAP_COL_RSS)->number;
	}
	snprintf(words, size, "%s: %s part%s, %s%s%s%s", section,
		 fmt_count(count, sizeof(count), n), n == 1 ? "" : "s",
		 fmt_bytes(bytes, sizeof(bytes), sum), known ? ", " : "",
		 known ? fmt_bytes(resident, sizeof(resident), rss) : "", known ? " resident" : "");
}

static void put_gap(const struct drawing *d, size_t row)
{
	char bytes[FMT_LEN];

	put_address(d, row);
	fprintf(d->f, "%s gap of %s\n", d->utf8 ? "⋮" : ":",
		fmt_bytes(bytes, sizeof(bytes), cell_at(d, row, MAP_COL_SIZE)->number));
}

/* A line below a row: it is fit to print, and is cut. */
static void put_below(const struct drawing *d, const char *text, const char *parts)
{
	size_t used = d->address + 8;
	char cut[2 * LINE_BYTES];

	if (parts)
		text_cut_parts(cut, sizeof(cut), text, d->width - used, parts, d->utf8);
	else
		text_cut(cut, sizeof(cut), text, d->width - used, d->utf8);
	fprintf(d->f, "%*s %s      %s\n", (int)d->address, "", d->utf8 ? "│" : "|", cut);
}

/* Has the same call, or one from the same place, mapped the row above as well? */
static bool is_mapped_alike(const struct drawing *d, size_t row)
{
	const struct row_cell *a, *b;

	if (!row)
		return false;
	a = cell_at(d, row, MAP_COL_MAPPED_STACK);
	b = cell_at(d, row - 1, MAP_COL_MAPPED_STACK);
	return a->known && b->known && a->stack == b->stack &&
	       cell_at(d, row, MAP_COL_MAPPED_TID)->number ==
		       cell_at(d, row - 1, MAP_COL_MAPPED_TID)->number;
}

/* "mapped by mmap: malloc < fill < main" */
static int put_who(const struct drawing *d, size_t row, enum map_column who, enum map_column stack)
{
	const struct row_cell *s = cell_at(d, row, stack);
	const struct row_cell *w = cell_at(d, row, who), *tid = cell_at(d, row, MAP_COL_MAPPED_TID);
	struct writer text = { 0 };

	if (!w->known || (who == MAP_COL_MAPPED_BY && (!tid->known || is_mapped_alike(d, row))))
		return 0;
	writer__fmt(&text, "%s ", rows__column(d->rows, who)->header);
	writer__escaped(&text, w->text, strlen(w->text));
	if (who == MAP_COL_MAPPED_BY)
		writer__fmt(&text, " of thread %llu", (unsigned long long)tid->number);
	if (s->known) {
		writer__lit(&text, ": ");
		frames__text(&text, s->profile, s->stack);
	}
	writer__char(&text, '\0');
	if (!text.err) {
		if (text.len >= LINE_BYTES)
			text.buf[LINE_BYTES - 1] = '\0';
		put_below(d, text.buf, s->known ? FRAMES_BETWEEN : NULL);
	}
	free(text.buf);
	return text.err;
}

void map_text__heat(char *out, const float *shares, size_t n, bool utf8)
{
	static const char *const blocks[] = { " ", "▁", "▂", "▃", "▄", "▅", "▆", "▇", "█" };
	static const char *const ascii[] = { " ", ".", ":", "-", "=", "+", "*", "#", "@" };
	char *to = out;

	for (size_t i = 0; i < n; i++) {
		int level = shares[i] >= 1 ? 8 : shares[i] <= 0 ? 0 : 1 + (int)(shares[i] * 7);

		to = stpcpy(to, (utf8 ? blocks : ascii)[level]);
	}
	*to = '\0';
}

static void put_heat(const struct drawing *d, size_t row)
{
	const struct row_cell *heat = cell_at(d, row, MAP_COL_HEAT);
	char cells[3 * 256 + 1], line[sizeof(cells) + 16];
	bool any = false;

	for (__u32 i = 0; heat->known && i < heat->n; i++)
		any |= heat->shares[i] > 0;
	if (!any || heat->n > 256)
		return;
	map_text__heat(cells, heat->shares, heat->n, d->utf8);
	snprintf(line, sizeof(line), "[%s]", cells);
	put_below(d, line, NULL);
}

/* "frames 5, mapped 1 to 23 times: anon 5, dirty 3; 0x1a2b+4 0x1a40+1" */
static void put_frames(const struct drawing *d, size_t row)
{
	const struct row_cell *frames = cell_at(d, row, MAP_COL_FRAMES);
	const struct row_cell *least = cell_at(d, row, MAP_COL_COUNT_MIN);
	const struct row_cell *most = cell_at(d, row, MAP_COL_COUNT_MAX);
	const struct rows *runs = cell_at(d, row, MAP_COL_RUNS)->rows;
	char line[LINE_BYTES], count[FMT_LEN];
	size_t at;

	if (!frames->known || !frames->number)
		return;
	at = snprintf(line, sizeof(line), "frames %s, mapped %llu",
		      fmt_count(count, sizeof(count), frames->number),
		      (unsigned long long)least->number);
	if (most->number > least->number)
		at += snprintf(line + at, sizeof(line) - at, " to %llu",
			       (unsigned long long)most->number);
	at += snprintf(line + at, sizeof(line) - at, " time%s: %s;", most->number == 1 ? "" : "s",
		       cell_at(d, row, MAP_COL_FLAGS)->text);
	for (size_t i = 0; runs && i < rows__count(runs) && at + 64 < sizeof(line); i++)
		at += snprintf(line + at, sizeof(line) - at, " %llx+%llu",
			       (unsigned long long)rows__cell(runs, i, MAP_RUN_PFN)->number,
			       (unsigned long long)rows__cell(runs, i, MAP_RUN_FRAMES)->number);
	put_below(d, line, " ");
}

/* ---- the drawing ------------------------------------------------------------------------------ */

/* What lies above the drawing has a line of its own: its address is a long one. */
static void put_above(const struct drawing *d, size_t row)
{
	if (is_mapped(d, row))
		fprintf(d->f, "%llx %s %s, in the kernel's half\n",
			(unsigned long long)cell_at(d, row, MAP_COL_START)->number,
			cell_at(d, row, MAP_COL_OWNER)->text, cell_at(d, row, MAP_COL_PERMS)->text);
}

static int put_part(const struct drawing *d, size_t row, size_t line)
{
	int err;

	table__print_row(d->table, d->f, line, d->utf8);
	put_heat(d, row);
	err = put_who(d, row, MAP_COL_MAPPED_BY, MAP_COL_MAPPED_STACK);
	if (!err)
		err = put_who(d, row, MAP_COL_TOUCHED_BY, MAP_COL_TOUCHED_STACK);
	put_frames(d, row);
	return err;
}

static int put_parts(const struct drawing *d)
{
	const char *section = "", *next;
	char words[256];
	size_t row, line = 0;
	int err = 0;

	for (row = 0; row < rows__count(d->rows) && !err; row++) {
		next = cell_at(d, row, MAP_COL_SECTION)->text;
		if (is_above(d, row))
			continue;
		if (!section[0])
			put_rule(d, "┌", "+", "");
		if (!is_mapped(d, row)) {
			put_gap(d, row);
			section = section[0] ? section : " ";
			continue;
		}
		if (strcmp(section, next)) {
			section_words(d, row, words, sizeof(words));
			put_rule(d, "├", "+", words);
		}
		section = next;
		err = put_part(d, row, line++);
	}
	put_rule(d, "└", "+", "");
	return err;
}

/* An item of the head, and how many VMAs there may be with how many there are. */
static size_t head_item(const struct rows *head, size_t i, char *item, size_t size)
{
	const struct row_cell *next = i + 1 < rows__ncolumns(head) ? rows__cell(head, 0, i + 1) :
								     NULL;
	char limit[FMT_LEN];

	item[0] = '\0';
	if (rows__cell(head, 0, i)->known)
		rows_text__item(item, size, rows__column(head, i), rows__cell(head, 0, i));
	if (strcmp(rows__column(head, i)->name, "vmas") || !next || !next->known)
		return i + 1;
	snprintf(item + strlen(item), size - strlen(item), " of %s",
		 fmt_count(limit, sizeof(limit), next->number));
	return i + 2;
}

/* "python3 (pid 1234): VmSize 31.4 MiB   VmRSS 14.4 MiB …" */
static void put_head(const struct drawing *d, const struct rows_report *report)
{
	struct paragraph p = { .f = d->f, .width = d->width, .indent = "" };
	const struct rows *head = report->summary;
	const char *target = report->target ? report->target : "";
	char item[1200], escaped[512];
	const char *between = " ";

	if (report->interval)
		report_text__interval(d->f, report->time_ns);
	text_escape(escaped, sizeof(escaped), target, strlen(target));
	paragraph__item(&p, "", "%s:", escaped);
	p.indent = "  ";
	for (size_t i = 0; head && i < rows__ncolumns(head);) {
		i = head_item(head, i, item, sizeof(item));
		if (!item[0])
			continue;
		paragraph__text(&p, between, item);
		between = "   ";
	}
	fputs("\n\n", d->f);
}

int map_text__print(FILE *f, const struct rows_report *report, const struct rows_text_opts *opts)
{
	struct drawing d = { .f = f,
			     .rows = report->rows,
			     .width = opts->width ? opts->width : REPORT_WIDTH,
			     .utf8 = opts->utf8 };
	char left_out[256] = "", address[24];
	int err = make_table(&d);

	d.address = strlen("begins at");
	for (size_t row = 0; row < rows__count(d.rows); row++) {
		size_t n = snprintf(address, sizeof(address), "%llx",
				    (unsigned long long)cell_at(&d, row, MAP_COL_START)->number);

		if (!is_above(&d, row) && n > d.address)
			d.address = n;
	}
	put_head(&d, report);
	for (size_t row = 0; row < rows__count(d.rows); row++)
		if (is_above(&d, row))
			put_above(&d, row);
	if (!err && rows__count(d.rows)) {
		table__fit(d.table, d.width, left_out, sizeof(left_out));
		table__print_header(d.table, f, d.utf8);
		err = put_parts(&d);
		report_text__left_out(f, d.width, left_out);
	}
	table__free(d.table);
	if (err)
		return err;
	if (opts->lost_line)
		report_text__lost(f, d.width, report->lost, report->no_memory);
	for (size_t i = 0; i < report->nnotes; i++)
		report_text__words(f, d.width, "", report->notes[i]);
	fputc('\n', f);
	return report__done(f);
}
