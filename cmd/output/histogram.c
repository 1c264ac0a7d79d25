/* SPDX-License-Identifier: GPL-2.0-only */
#include <string.h>

#include "base/units.h"
#include "output/histogram.h"
#include "output/table.h"

#define LABEL     6 /* columns of the value before a bar */
#define GAP       3 /* between two histograms */
#define BAR_MAX   50
#define EMPTY_RUN 3 /* that many empty lines become one */

void histogram__fill(struct histogram *hg, const struct hist *h, enum histogram_unit unit)
{
	struct hist_log2 rows[HIST_LOG2_ROWS];
	size_t n = hist__log2(h, rows, HIST_LOG2_ROWS), i, run;

	hg->unit = unit;
	hg->nlines = 0;
	for (i = 0; i < n; i += run) {
		for (run = 0; !rows[i + run].count; run++)
			; /* ends: the last row is not empty */
		if (run >= EMPTY_RUN) {
			hg->lines[hg->nlines++] = (struct hist_log2){ 0 };
			continue;
		}
		run = 1;
		hg->lines[hg->nlines++] = rows[i];
	}
}

/* Eighths of a cell are U+258F (one) to U+2588 (eight), E2 96 8F to E2 96 88 in UTF-8. */
size_t histogram__bar(char *out, size_t columns, __u64 part, __u64 whole, bool utf8)
{
	size_t per_cell = utf8 ? 8 : 1, filled, i, used = 0;

	filled = whole ? (size_t)((double)part / (double)whole * (double)(columns * per_cell)) : 0;
	if (filled > columns * per_cell)
		filled = columns * per_cell;
	if (part && !filled && utf8)
		filled = 1;
	for (i = 0; i < columns; i++) {
		size_t here = filled > i * per_cell ? filled - i * per_cell : 0;

		if (here > per_cell)
			here = per_cell;
		if (here && utf8) {
			out[used++] = '\xe2';
			out[used++] = '\x96';
			out[used++] = (char)(0x90 - here);
		} else {
			out[used++] = here ? '#' : part && !i ? '.' : ' ';
		}
	}
	out[used] = '\0';
	return used;
}

static size_t count_columns(const struct histogram *hg)
{
	char count[FMT_LEN];
	size_t i, widest = 1, n;

	for (i = 0; i < hg->nlines; i++) {
		n = strlen(fmt_count(count, sizeof(count), hg->lines[i].count));
		if (n > widest)
			widest = n;
	}
	return widest;
}

/* Line i of the histogram, the title being line 0, in `width` columns; "" beyond its end. */
static void format_line(char *out, size_t size, const struct histogram *hg, size_t i, size_t width,
			bool utf8)
{
	size_t counts = count_columns(hg), bar, k;
	char label[CELL_LEN], count[FMT_LEN], cells[3 * BAR_MAX + 1];
	const struct hist_log2 *line;
	__u64 most = 0;

	out[0] = '\0';
	if (!i)
		text_cut(out, size, hg->title, width, utf8);
	if (!i || i > hg->nlines)
		return;
	line = &hg->lines[i - 1];
	if (line->from == line->to) {
		snprintf(out, size, "%*s |", LABEL, "...");
		return;
	}
	for (k = 0; k < hg->nlines; k++)
		if (hg->lines[k].count > most)
			most = hg->lines[k].count;
	bar = width > LABEL + 4 + counts + 4 ? width - LABEL - 4 - counts : 4;
	if (bar > BAR_MAX)
		bar = BAR_MAX;
	if (hg->unit == HISTOGRAM_NS)
		cell_ns(label, sizeof(label), line->from);
	else
		cell_size(label, sizeof(label), line->from);
	histogram__bar(cells, bar, line->count, most, utf8);
	snprintf(out, size, "%*s |%s| %*s", LABEL, label, cells, (int)counts,
		 fmt_count(count, sizeof(count), line->count));
}

void histograms__print(FILE *f, const struct histogram *hg, size_t n, size_t width, bool utf8)
{
	size_t i, line, lines, half;
	char left[512], right[512];

	if (!width)
		width = 80;
	half = (width - GAP) / 2;
	for (i = 0; i < n; i += 2) {
		bool pair = i + 1 < n;

		lines = hg[i].nlines;
		if (pair && hg[i + 1].nlines > lines)
			lines = hg[i + 1].nlines;
		fputc('\n', f);
		for (line = 0; line <= lines; line++) {
			format_line(left, sizeof(left), &hg[i], line, n > 1 ? half : width, utf8);
			fputs(left, f);
			if (pair)
				format_line(right, sizeof(right), &hg[i + 1], line, half, utf8);
			if (pair && right[0])
				fprintf(f, "%*s%s", (int)(half - text_columns(left) + GAP), "",
					right);
			fputc('\n', f);
		}
	}
}
