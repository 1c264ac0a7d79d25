/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_STAT_CSV_H
#define FS_STAT_CSV_H

#include <stdio.h>

#include "analysis/stat.h"

/*
 * CSV as RFC 4180 has it, one line a row. Names are escaped as in text ("\n"), so a row never spans
 * lines; what was not measured is empty. In a report of intervals the first column is time_s, the
 * seconds from the start of the run to the interval's end. Rows are by report->by, or
 * stat_by_default. Both return 0, -EIO where it could not be written, another -errno.
 */
/* Print the header line: once, before the first report. */
int stat_csv__header(FILE *f, const struct stat_report *report);
int stat_csv__print(FILE *f, struct stat_tally *st, const struct stat_report *report);

/* What has no column: totals and losses, as one line for stderr. Returns buf. */
const char *stat_csv__words(const struct stat_tally *st, const struct stat_report *report,
			    char *buf, size_t size);

#endif /* FS_STAT_CSV_H */
