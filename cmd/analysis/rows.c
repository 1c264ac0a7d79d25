/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/profile.h"
#include "analysis/rows.h"

struct rows {
	struct row_column *columns;
	size_t ncolumns;
	struct row_cell *cells; /* as they were appended */
	size_t ncells, room;
	size_t *order; /* which row stands where; has room for as many as cells has */
	size_t most;   /* rows that count, 0: all */
	int err;
};

/* What the cells of a column hold. */
enum content {
	CONTENT_TEXT,
	CONTENT_NUMBER,
	CONTENT_REAL,
	CONTENT_STACK,
	CONTENT_SHARES,
	CONTENT_ROWS
};

static enum content content_of(enum row_type type)
{
	switch (type) {
	case ROW_TEXT:
	case ROW_NOTE:
		return CONTENT_TEXT;
	case ROW_COUNT:
	case ROW_BYTES:
	case ROW_NS:
	case ROW_TIME_NS:
	case ROW_ADDR:
		return CONTENT_NUMBER;
	case ROW_STACK:
		return CONTENT_STACK;
	case ROW_SHARES:
		return CONTENT_SHARES;
	case ROW_ROWS:
		return CONTENT_ROWS;
	case ROW_COUNT_RATE:
	case ROW_BYTES_RATE:
	case ROW_NS_RATE:
	case ROW_SHARE:
	case ROW_BAR:
		break;
	}
	return CONTENT_REAL;
}

struct rows *rows__new(const struct row_column *columns, size_t n)
{
	struct rows *rows;

	if (!n) {
		errno = EINVAL;
		return NULL;
	}
	rows = calloc(1, sizeof(*rows));
	if (!rows)
		return NULL;
	rows->columns = calloc(n, sizeof(*columns));
	if (!rows->columns) {
		free(rows);
		return NULL;
	}
	memcpy(rows->columns, columns, n * sizeof(*columns));
	rows->ncolumns = n;
	return rows;
}

static enum content content_at(const struct rows *rows, size_t cell)
{
	return content_of(rows->columns[cell % rows->ncolumns].type);
}

static void free_cell(const struct row_cell *cell, enum content content)
{
	if (!cell->known)
		return;
	if (content == CONTENT_TEXT)
		free(cell->text);
	else if (content == CONTENT_SHARES)
		free(cell->shares);
	else if (content == CONTENT_ROWS)
		rows__free(cell->rows);
}

void rows__free(struct rows *rows)
{
	size_t i;

	if (!rows)
		return;
	for (i = 0; i < rows->ncells; i++)
		free_cell(&rows->cells[i], content_at(rows, i));
	free(rows->cells);
	free(rows->order);
	free(rows->columns);
	free(rows);
}

/* Room for another row, or for twice the rows there are. */
static int grow(struct rows *rows)
{
	size_t n = rows->room ? 2 * rows->room / rows->ncolumns : 16;
	struct row_cell *cells;
	size_t *order;

	order = reallocarray(rows->order, n, sizeof(*order));
	if (!order)
		return -ENOMEM;
	rows->order = order;
	cells = reallocarray(rows->cells, n, rows->ncolumns * sizeof(*cells));
	if (!cells)
		return -ENOMEM;
	rows->cells = cells;
	rows->room = n * rows->ncolumns;
	return 0;
}

/* Appends a cell; the content is checked unless the value is unknown. */
static int append(struct rows *rows, struct row_cell cell, enum content content)
{
	if (!rows->err && cell.known && content_at(rows, rows->ncells) != content)
		rows->err = -EINVAL;
	if (!rows->err && rows->ncells == rows->room)
		rows->err = grow(rows);
	if (rows->err)
		return rows->err;
	if (rows->ncells % rows->ncolumns == 0)
		rows->order[rows->ncells / rows->ncolumns] = rows->ncells / rows->ncolumns;
	rows->cells[rows->ncells++] = cell;
	return 0;
}

int rows__text(struct rows *rows, const char *raw)
{
	struct row_cell cell = { .known = raw };

	if (rows->err)
		return rows->err;
	if (raw) {
		cell.text = strdup(raw);
		if (!cell.text)
			return rows->err = -ENOMEM;
	}
	if (append(rows, cell, CONTENT_TEXT))
		free(cell.text);
	return rows->err;
}

int rows__number(struct rows *rows, __u64 number)
{
	return append(rows, (struct row_cell){ .known = true, .number = number }, CONTENT_NUMBER);
}

int rows__real(struct rows *rows, double real)
{
	if (!isfinite(real))
		return rows__none(rows);
	return append(rows, (struct row_cell){ .known = true, .real = real > 0 ? real : 0 },
		      CONTENT_REAL);
}

int rows__stack(struct rows *rows, const struct profile *profile, __u32 stack)
{
	struct row_cell cell = { .known = true };

	cell.profile = profile;
	cell.stack = stack;
	return append(rows, cell, CONTENT_STACK);
}

int rows__shares(struct rows *rows, const float *shares, size_t n)
{
	struct row_cell cell = { .known = shares, .n = n };

	if (rows->err)
		return rows->err;
	if (shares) {
		cell.shares = calloc(n ? n : 1, sizeof(*shares));
		if (!cell.shares)
			return rows->err = -ENOMEM;
		memcpy(cell.shares, shares, n * sizeof(*shares));
	}
	if (append(rows, cell, CONTENT_SHARES))
		free(cell.shares);
	return rows->err;
}

int rows__rows(struct rows *rows, struct rows *inner)
{
	struct row_cell cell = { .known = inner };

	cell.rows = inner;
	if (append(rows, cell, CONTENT_ROWS))
		rows__free(inner);
	return rows->err;
}

int rows__none(struct rows *rows)
{
	return append(rows, (struct row_cell){ .known = false }, CONTENT_NUMBER);
}

int rows__error(const struct rows *rows)
{
	return rows->err;
}

size_t rows__ncolumns(const struct rows *rows)
{
	return rows->ncolumns;
}

size_t rows__count(const struct rows *rows)
{
	size_t n = rows->ncells / rows->ncolumns;

	return rows->most && n > rows->most ? rows->most : n;
}

void rows__cut(struct rows *rows, size_t n)
{
	rows->most = n;
}

const struct row_column *rows__column(const struct rows *rows, size_t column)
{
	return &rows->columns[column];
}

const struct row_cell *rows__cell(const struct rows *rows, size_t row, size_t column)
{
	return &rows->cells[rows->order[row] * rows->ncolumns + column];
}

/* A row while it is sorted. */
struct sorted {
	const struct row_cell *cell;
	size_t row, place;
};

struct sorting {
	enum content content;
	bool descending;
};

static int compare_cells(const struct row_cell *a, const struct row_cell *b, enum content content)
{
	switch (content) {
	case CONTENT_TEXT:
		return strcmp(a->text, b->text);
	case CONTENT_NUMBER:
		return a->number < b->number ? -1 : a->number > b->number;
	case CONTENT_REAL:
		return a->real < b->real ? -1 : a->real > b->real;
	case CONTENT_STACK:
	case CONTENT_SHARES:
	case CONTENT_ROWS:
		break;
	}
	return a->stack < b->stack ? -1 : a->stack > b->stack;
}

static int compare_rows(const void *va, const void *vb, void *arg)
{
	const struct sorted *a = va, *b = vb;
	const struct sorting *by = arg;
	int order = 0;

	if (a->cell->known != b->cell->known)
		return a->cell->known ? -1 : 1;
	if (a->cell->known)
		order = compare_cells(a->cell, b->cell, by->content);
	if (order)
		return (order < 0) == by->descending ? 1 : -1;
	return a->place < b->place ? -1 : 1;
}

int rows__sort(struct rows *rows, size_t column, bool descending)
{
	struct sorting by = { content_of(rows->columns[column].type), descending };
	size_t n = rows__count(rows), i;
	struct sorted *sorted = calloc(n + 1, sizeof(*sorted));

	if (!sorted)
		return -ENOMEM;
	for (i = 0; i < n; i++)
		sorted[i] = (struct sorted){ rows__cell(rows, i, column), rows->order[i], i };
	qsort_r(sorted, n, sizeof(*sorted), compare_rows, &by);
	for (i = 0; i < n; i++)
		rows->order[i] = sorted[i].row;
	free(sorted);
	return 0;
}

static void add_to_sum(struct row_cell *sum, const struct row_cell *cell, enum content content)
{
	if (!cell->known)
		return;
	if (content == CONTENT_NUMBER)
		sum->number = profile_sum(sum->number, cell->number);
	else if (content == CONTENT_REAL)
		sum->real += cell->real;
	else
		return;
	sum->known = true;
}

size_t rows__limit(const struct rows *rows, __u64 top, struct row_cell *sums)
{
	size_t n = rows__count(rows), shown = top && top < n ? top : n, i, k;

	for (k = 0; k < rows->ncolumns; k++) {
		sums[k] = (struct row_cell){ 0 };
		if (!rows->columns[k].sum)
			continue;
		for (i = shown; i < n; i++)
			add_to_sum(&sums[k], rows__cell(rows, i, k), content_at(rows, k));
	}
	return shown;
}
