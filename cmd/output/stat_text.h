/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_STAT_TEXT_H
#define FS_STAT_TEXT_H

#include <stdbool.h>
#include <stdio.h>

#include "analysis/stat.h"

struct stat_text_opts {
	size_t width; /* columns of a line; 0: 80 */
	bool utf8;    /* the reader's locale has "…" and block characters */
	bool no_histograms;
};

/*
 * Print a report for people, the most important first. Without report->by: regions, classes, and
 * the top processes with their worst region; with it: that table. Then histograms of latency by
 * region, the calls and their sizes, and what was lost.
 * The keys of stat__new() must have region and, without report->by, class and process.
 * 0, -EIO where it could not be written, another -errno.
 */
int stat_text__print(FILE *f, struct stat_tally *st, const struct stat_report *report,
		     const struct stat_text_opts *opts);

#endif /* FS_STAT_TEXT_H */
