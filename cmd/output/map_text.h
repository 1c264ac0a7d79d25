/* SPDX-License-Identifier: GPL-2.0-only */
/* The map of a process, drawn as textbooks draw an address space: high addresses at the top. */
#ifndef FS_MAP_TEXT_H
#define FS_MAP_TEXT_H

#include "output/rows.h"

/* Draw a report whose rows are those of map_rows__make(). 0, -EIO or another -errno. */
int map_text__print(FILE *f, const struct rows_report *report, const struct rows_text_opts *opts);

/* Draw n shares as that many cells. out has room for 3 * n + 1 bytes. */
void map_text__heat(char *out, const float *shares, size_t n, bool utf8);

#endif /* FS_MAP_TEXT_H */
