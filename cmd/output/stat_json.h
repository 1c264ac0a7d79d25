/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef FS_STAT_JSON_H
#define FS_STAT_JSON_H

#include <stdio.h>

#include "analysis/stat.h"

/*
 * Print a report as one JSON object on one line, as tests/schema/stat.schema.json describes it.
 * Rows are by report->by, or stat_by_default: its keys must be among those of stat__new().
 * 0, -EIO where it could not be written, another -errno.
 */
int stat_json__print(FILE *f, struct stat_tally *st, const struct stat_report *report);

#endif /* FS_STAT_JSON_H */
