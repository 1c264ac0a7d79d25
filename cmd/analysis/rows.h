/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Rows whose columns describe themselves: an analysis fills them, and every output can print them
 * without knowing what they are about.
 */
#ifndef FS_ROWS_H
#define FS_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "kinds.h"

struct profile;

enum row_type {
	/* Set by rows__text(): */
	ROW_TEXT,
	ROW_NOTE, /* a sentence: in text it stands below its row */
	/* By rows__number(): */
	ROW_COUNT,
	ROW_BYTES,
	ROW_NS,      /* how long */
	ROW_TIME_NS, /* when, from the start of the run */
	ROW_ADDR,
	/* By rows__real(): per second, with "/s" in the header; and parts of a whole, 0 to 1. */
	ROW_COUNT_RATE,
	ROW_BYTES_RATE,
	ROW_NS_RATE,
	ROW_SHARE,
	ROW_BAR, /* in text only */
	/* By rows__stack(): in text it stands below its row. */
	ROW_STACK,
	/* Not in text; by rows__shares(): a list of parts of a whole; by rows__rows(), not in CSV. */
	ROW_SHARES,
	ROW_ROWS,
};

struct row_column {
	const char *name;   /* in JSON and CSV, with its unit: "touched_bytes"; NULL: not there */
	const char *header; /* in text, also of what stands below a row; NULL: not there */
	enum row_type type;
	unsigned int cut;  /* texts may be cut to so many columns, 0: never; a bar's width, 0: 10 */
	unsigned int drop; /* 0: stays in a table too wide; the highest goes first; below 100 */
	bool sum;          /* added up for the rows that `top` leaves out */
};

struct rows;

/* What a cell holds, by the type of its column. */
struct row_cell {
	bool known;
	__u32 n; /* shares */
	union {
		__u64 number;
		double real;
		char *text; /* raw bytes */
		struct {
			const struct profile *profile;
			__u32 stack;
		};
		float *shares; /* n of them, 0 to 1 */
		struct rows *rows;
	};
};

/* Columns as an array, and how many. */
#define ROW_COLUMNS(columns) (columns), sizeof(columns) / sizeof(*(columns))

/* No rows. The columns are copied, their strings are not. NULL with errno ENOMEM, EINVAL for n 0. */
struct rows *rows__new(const struct row_column *columns, size_t n);
void rows__free(struct rows *rows); /* NULL is fine */

/*
 * Append a cell: rows are filled from left to right. Texts are copied, NULL is as rows__none(); a
 * profile must outlive the rows. A real number below 0 becomes 0, one that is not finite becomes
 * unknown. 0, -ENOMEM, -EINVAL where the column has another type; the first error stays, and cells
 * after it are dropped: callers may look once, at the last return value or at rows__error().
 */
int rows__text(struct rows *rows, const char *raw);
int rows__number(struct rows *rows, __u64 number);
int rows__real(struct rows *rows, double real);
int rows__stack(struct rows *rows, const struct profile *profile, __u32 stack);
/* shares: n of them, copied; NULL is as rows__none(). */
int rows__shares(struct rows *rows, const float *shares, size_t n);
/* `inner` is taken over, also where it fails; NULL is as rows__none(). */
int rows__rows(struct rows *rows, struct rows *inner);
/* A value that is not known, in a column of any type: "-", null, or empty. */
int rows__none(struct rows *rows);
int rows__error(const struct rows *rows);

/* How many there are; rows count once they are complete. */
size_t rows__ncolumns(const struct rows *rows);
size_t rows__count(const struct rows *rows);

/* Each by its number from 0; they hold until the next row is begun. */
const struct row_column *rows__column(const struct rows *rows, size_t column);
const struct row_cell *rows__cell(const struct rows *rows, size_t row, size_t column);

/*
 * Sort complete rows by a column: texts by their bytes, what is unknown last either way, and rows of
 * equal values stay in their order. 0 or -ENOMEM with the order as it was.
 */
int rows__sort(struct rows *rows, size_t column, bool descending);

/* Rows beyond the first n, as they are sorted, count no more; 0: all do. */
void rows__cut(struct rows *rows, size_t n);

/*
 * The number of rows that a table of at most `top` (0: all) shows. sums[] has a cell for each
 * column: those with `sum` get the sum of the rows beyond, at most 2^64 - 1, of what is known.
 */
size_t rows__limit(const struct rows *rows, __u64 top, struct row_cell *sums);

/* What surrounds the rows: for the outputs. */
struct rows_report {
	const char *analysis;       /* "touched" */
	const char *command;        /* the command line, or NULL; raw bytes */
	const char *target;         /* "all processes", "pid 1234", or NULL; raw bytes */
	__u64 duration_ns;          /* of the run, or of this interval; 0: of a moment */
	__u64 time_ns;              /* from the start of the run to the end of this interval */
	bool interval;              /* one of several */
	const struct rows *summary; /* one row, or NULL */
	const struct rows *rows;
	__u64 top; /* rows in text at most; 0: all */
	__u64 lost[FS_LOSS_NR];
	__u64 no_memory;          /* events not analysed for lack of memory */
	const char *const *notes; /* sentences: what this kernel could not tell */
	size_t nnotes;
};

#endif /* FS_ROWS_H */
