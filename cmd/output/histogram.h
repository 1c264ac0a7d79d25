/* SPDX-License-Identifier: GPL-2.0-only */
/* Log2 histograms as text: bars, two beside each other where there is room. */
#ifndef FS_HISTOGRAM_H
#define FS_HISTOGRAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "base/hist.h"

enum histogram_unit { HISTOGRAM_NS, HISTOGRAM_BYTES };

struct histogram {
	char title[64]; /* fit to print */
	enum histogram_unit unit;
	size_t nlines;
	struct hist_log2 lines[HIST_LOG2_ROWS]; /* count 0 and from == to: several empty ones */
};

/* Take the counts of h. The title is the caller's to fill. */
void histogram__fill(struct histogram *hg, const struct hist *h, enum histogram_unit unit);

/*
 * Draw a bar of `columns` cells, filled by part of whole, blanks after it; what is not zero shows.
 * out has room for 3 * columns + 1 bytes. Returns the bytes written, without the NUL.
 */
size_t histogram__bar(char *out, size_t columns, __u64 part, __u64 whole, bool utf8);

/*
 * Print n of them, at most `width` columns wide (0: 80). A bar is as long as its count is of the
 * histogram's largest; the value before it is where it begins, it ends where the next one begins.
 */
void histograms__print(FILE *f, const struct histogram *hg, size_t n, size_t width, bool utf8);

#endif /* FS_HISTOGRAM_H */
