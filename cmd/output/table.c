/* SPDX-License-Identifier: GPL-2.0-only */
#define _XOPEN_SOURCE 700 /* wcwidth() */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <wchar.h>

#include "base/units.h"
#include "output/table.h"

#define GAP 1 /* blanks between columns */

struct fitted {
	struct table_column column;
	size_t natural; /* width of the widest cell */
	size_t width;   /* as fitted */
	bool gone;
};

struct table {
	size_t ncolumns;
	struct fitted *columns;
	size_t ncells, room;
	char **cells;
};

struct table *table__new(const struct table_column *columns, size_t n)
{
	struct table *t = calloc(1, sizeof(*t));
	size_t i;

	if (!t)
		return NULL;
	t->columns = calloc(n ? n : 1, sizeof(*t->columns));
	if (!t->columns) {
		free(t);
		return NULL;
	}
	t->ncolumns = n;
	for (i = 0; i < n; i++) {
		t->columns[i].column = columns[i];
		t->columns[i].natural = text_columns(columns[i].header);
		t->columns[i].width = t->columns[i].natural;
	}
	return t;
}

void table__free(struct table *t)
{
	size_t i;

	if (!t)
		return;
	for (i = 0; i < t->ncells; i++)
		free(t->cells[i]);
	free(t->cells);
	free(t->columns);
	free(t);
}

int table__cell(struct table *t, const char *text)
{
	struct fitted *col = &t->columns[t->ncells % t->ncolumns];
	size_t columns = text_columns(text);

	if (t->ncells == t->room) {
		size_t room = t->room ? 2 * t->room : 64;
		char **grown = realloc(t->cells, room * sizeof(*grown));

		if (!grown)
			return -ENOMEM;
		t->cells = grown;
		t->room = room;
	}
	t->cells[t->ncells] = strdup(text);
	if (!t->cells[t->ncells])
		return -ENOMEM;
	t->ncells++;
	if (columns > col->natural)
		col->natural = col->width = columns;
	return 0;
}

static size_t least_width(const struct fitted *col)
{
	size_t header = text_columns(col->column.header), least = col->column.cut;

	if (!least || least > col->natural)
		return col->natural;
	return least < header ? header : least;
}

/* Width of a line, with texts whole or cut as far as they may be. */
static size_t line_width(const struct table *t, bool cut)
{
	size_t i, width = 0;

	for (i = 0; i < t->ncolumns; i++) {
		if (t->columns[i].gone)
			continue;
		width += (width ? GAP : 0) +
			 (cut ? least_width(&t->columns[i]) : t->columns[i].natural);
	}
	return width;
}

/* The column that goes next, from `least` on; NULL: none. The rightmost of equals. */
static struct fitted *next_to_go(struct table *t, unsigned int least)
{
	struct fitted *next = NULL;
	size_t i;

	for (i = 0; i < t->ncolumns; i++) {
		struct fitted *col = &t->columns[i];

		if (!col->gone && col->column.drop >= least &&
		    (!next || col->column.drop >= next->column.drop))
			next = col;
	}
	return next;
}

/* Cut the widest text, column by column, until the line fits. */
static void cut_texts(struct table *t, size_t width)
{
	size_t total = line_width(t, false), i;

	while (total > width) {
		struct fitted *widest = NULL;

		for (i = 0; i < t->ncolumns; i++) {
			struct fitted *col = &t->columns[i];

			if (!col->gone && col->width > least_width(col) &&
			    (!widest || col->width > widest->width))
				widest = col;
		}
		if (!widest)
			return;
		widest->width--;
		total--;
	}
}

size_t table__fit(struct table *t, size_t width, char *left_out, size_t size)
{
	struct fitted *col;
	size_t i, used = 0;

	for (i = 0; i < t->ncolumns; i++) {
		t->columns[i].gone = false;
		t->columns[i].width = t->columns[i].natural;
	}
	if (left_out && size)
		left_out[0] = '\0';
	if (!width)
		return line_width(t, false);
	while (line_width(t, false) > width && (col = next_to_go(t, TABLE_DROP_REDUNDANT)))
		col->gone = true;
	while (line_width(t, true) > width && (col = next_to_go(t, TABLE_DROP_LAST)))
		col->gone = true;
	cut_texts(t, width);
	for (i = 0; i < t->ncolumns; i++) {
		col = &t->columns[i];
		if (!col->gone || col->column.drop >= TABLE_DROP_REDUNDANT || !left_out)
			continue;
		used += snprintf(left_out + used, size - used, "%s%s", used ? ", " : "",
				 col->column.header);
		if (used >= size)
			break;
	}
	for (i = 0, used = 0; i < t->ncolumns; i++)
		if (!t->columns[i].gone)
			used += (used ? GAP : 0) + t->columns[i].width;
	return used;
}

static void print_blanks(FILE *f, size_t n)
{
	fprintf(f, "%*s", (int)n, "");
}

static void put_cut(char *out, size_t size, const char *text, const struct fitted *col, bool utf8)
{
	if (col->column.parts)
		text_cut_parts(out, size, text, col->width, col->column.parts, utf8);
	else
		text_cut(out, size, text, col->width, utf8);
}

/* One line: cells from left to right, without blanks at its end. */
static void print_line(const struct table *t, FILE *f, char *const *cells, bool utf8)
{
	size_t i, blanks = 0, columns;
	char text[4096];

	for (i = 0; i < t->ncolumns; i++) {
		const struct fitted *col = &t->columns[i];

		if (col->gone)
			continue;
		put_cut(text, sizeof(text), cells ? cells[i] : col->column.header, col, utf8);
		columns = text_columns(text);
		if (!col->column.left)
			blanks += col->width - columns;
		print_blanks(f, blanks);
		fputs(text, f);
		blanks = GAP + (col->column.left ? col->width - columns : 0);
	}
	fputc('\n', f);
}

void table__print_header(const struct table *t, FILE *f, bool utf8)
{
	print_line(t, f, NULL, utf8);
}

void table__print_row(const struct table *t, FILE *f, size_t row, bool utf8)
{
	print_line(t, f, &t->cells[row * t->ncolumns], utf8);
}

void table__print(const struct table *t, FILE *f, bool utf8)
{
	size_t i;

	table__print_header(t, f, utf8);
	for (i = 0; i < t->ncells / t->ncolumns; i++)
		table__print_row(t, f, i, utf8);
}

/* The character at *p, advanced beyond it; a byte that is no UTF-8 counts as one character. */
static size_t next_columns(const char **p)
{
	const unsigned char *s = (const unsigned char *)*p;
	size_t n = s[0] < 0xc0 ? 1 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4, i;
	wchar_t wc = n == 1 ? s[0] : s[0] & (0x7f >> n);
	int columns;

	for (i = 1; i < n; i++) {
		if ((s[i] & 0xc0) != 0x80) {
			(*p)++;
			return 1;
		}
		wc = wc << 6 | (s[i] & 0x3f);
	}
	*p += n;
	if (wc < 0x80)
		return 1;
	/* Outside a UTF-8 locale nothing is known of it. */
	columns = wcwidth(wc);
	return columns < 0 ? 1 : columns;
}

size_t text_columns(const char *text)
{
	size_t columns = 0;

	while (*text)
		columns += next_columns(&text);
	return columns;
}

void text_cut(char *out, size_t size, const char *text, size_t columns, bool utf8)
{
	size_t total = text_columns(text), head, tail, seen;
	const char *mark = utf8 ? "…" : "~", *p = text, *next;

	if (total <= columns || !columns) {
		snprintf(out, size, "%s", total <= columns ? text : "");
		return;
	}
	/* The end of a path or name tells more than its middle. */
	tail = (columns - 1) / 2;
	head = columns - 1 - tail;
	for (seen = 0, next = p; *p; p = next) {
		seen += next_columns(&next);
		if (seen > head)
			break;
	}
	head = p - text;
	for (seen = text_columns(p); *p && seen > tail; p = next) {
		next = p;
		seen -= next_columns(&next);
	}
	snprintf(out, size, "%.*s%s%s", (int)head, text, mark, p);
}

void text_cut_parts(char *out, size_t size, const char *text, size_t columns, const char *between,
		    bool utf8)
{
	const char *p = text, *next = text, *part, *end = NULL;
	size_t seen = 0;

	if (!columns || text_columns(text) <= columns) {
		snprintf(out, size, "%s", columns ? text : "");
		return;
	}
	for (; *p; p = next) {
		seen += next_columns(&next);
		if (seen > columns - 1)
			break;
	}
	for (part = text; (part = strstr(part, between)) && part + strlen(between) <= p;) {
		part += strlen(between);
		end = part;
	}
	if (end && (size_t)(end - text) >= columns / 2)
		p = end;
	snprintf(out, size, "%.*s%s", (int)(p - text), text, utf8 ? "…" : "~");
}

/* "12.3k" and the like: at most three digits, or four where there is no point. */
static const char *scaled(char *buf, size_t size, double value, const char *unit)
{
	int digits = value < 9.995 ? 2 : value < 99.95 ? 1 : 0;

	snprintf(buf, size, "%.*f%s", digits, value, unit);
	return buf;
}

const char *cell_count(char *buf, size_t size, __u64 count)
{
	static const char *const units[] = { "k", "M", "G", "T", "P", "E" };
	double value = (double)count;
	size_t i = 0;

	if (count < 100000) {
		snprintf(buf, size, "%llu", (unsigned long long)count);
		return buf;
	}
	for (value /= 1000; value >= 999.5 && i + 1 < sizeof(units) / sizeof(*units); i++)
		value /= 1000;
	return scaled(buf, size, value, units[i]);
}

const char *cell_rate(char *buf, size_t size, double rate)
{
	if (rate > 0 && rate < 99.95)
		snprintf(buf, size, "%.1f", rate);
	else
		cell_count(buf, size, rate < 0x1p64 ? (__u64)(rate + 0.5) : (__u64)-1);
	return buf;
}

const char *cell_ns(char *buf, size_t size, __u64 ns)
{
	char spaced[FMT_LEN], *blank;

	fmt_ns(spaced, sizeof(spaced), ns);
	blank = strchr(spaced, ' ');
	if (blank)
		memmove(blank, blank + 1, strlen(blank));
	snprintf(buf, size, "%s", spaced);
	return buf;
}

const char *cell_mib(char *buf, size_t size, __u64 bytes)
{
	double mib = (double)bytes / (1 << 20);

	if (!bytes)
		snprintf(buf, size, "0");
	else if (mib < 0.0005)
		snprintf(buf, size, "<.001");
	else if (mib < 0.9995)
		snprintf(buf, size, "%.3f", mib);
	else if (mib < 99999.5)
		scaled(buf, size, mib, "");
	else
		cell_count(buf, size, (__u64)mib);
	return buf;
}

const char *cell_bytes(char *buf, size_t size, __u64 bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	double value = (double)bytes / 1024;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, size, "%lluB", (unsigned long long)bytes);
		return buf;
	}
	for (; value >= 1023.5; i++)
		value /= 1024;
	return scaled(buf, size, value, units[i]);
}

const char *cell_share(char *buf, size_t size, __u64 part, __u64 whole)
{
	double percent = whole ? 100.0 * (double)part / (double)whole : 0;

	if (part == whole && whole)
		snprintf(buf, size, "100%%");
	else if (part && percent < 0.05)
		snprintf(buf, size, "<0.1%%");
	else if (percent > 99.9 && percent <= 100)
		snprintf(buf, size, "99.9%%");
	else
		snprintf(buf, size, "%.1f%%", percent);
	return buf;
}

const char *cell_size(char *buf, size_t size, __u64 bytes)
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB", "TiB" };
	size_t i = 0;

	while (bytes >= 1024 && i + 1 < sizeof(units) / sizeof(*units)) {
		bytes /= 1024;
		i++;
	}
	snprintf(buf, size, "%llu%s", (unsigned long long)bytes, units[i]);
	return buf;
}
