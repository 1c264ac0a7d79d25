/* SPDX-License-Identifier: GPL-2.0-only */
/* Rows of any analysis as text, JSON and CSV: what they are about is in their columns. */
#ifndef FS_OUTPUT_ROWS_H
#define FS_OUTPUT_ROWS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "analysis/rows.h"

struct rows_text_opts {
	size_t width;   /* columns of a line; 0: 80 */
	bool utf8;      /* the reader's locale has "…" and block characters */
	bool lost_line; /* say what was lost, or that nothing was */
};

/*
 * All of these return 0, -EIO where it could not be written, another -errno; what is on the stream
 * then is not complete.
 */

/*
 * Print a report for people: analysis, target and summary; the table, with stacks and notes below
 * their rows; how much `top` left out; what was lost, and the notes. A column with `drop` whose
 * cells are all 0 or unknown is the first to go when the table is too wide. -EINVAL where rows have
 * no column that stands in a table.
 */
int rows_text__print(FILE *f, const struct rows_report *report, const struct rows_text_opts *opts);

/*
 * Print a report as one JSON object on one line; `top` does not count. A number beyond 2^63 - 1 is
 * written as a real one.
 */
int rows_json__print(FILE *f, const struct rows_report *report);

/*
 * Print the header line, once, before the first report; and all rows, one line each, with texts
 * escaped as in text ("\n"); `top` does not count. In a report of intervals the first column is
 * time_s, the seconds from the start of the run to the interval's end.
 */
int rows_csv__header(FILE *f, const struct rows_report *report);
int rows_csv__print(FILE *f, const struct rows_report *report);

/* What has no column in CSV: summary and losses, as one line for stderr. Returns buf. */
const char *rows_csv__words(const struct rows_report *report, char *buf, size_t size);

/*
 * A value in a sentence, with its header: "touched 1.5 MiB". "" where the column is not in text or
 * stands below its row. Returns buf.
 */
const char *rows_text__item(char *buf, size_t size, const struct row_column *column,
			    const struct row_cell *cell);

#endif /* FS_OUTPUT_ROWS_H */
