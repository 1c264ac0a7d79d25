/* SPDX-License-Identifier: GPL-2.0-only */
/* What the reports of all analyses have in common: words around tables, members, cells of CSV. */
#ifndef FS_REPORT_H
#define FS_REPORT_H

#include <stddef.h>
#include <stdio.h>
#include <jansson.h>
#include <linux/types.h>

#include "analysis/profile.h"
#include "kinds.h"

/* ---- text (report_text.c) ---- */

#define REPORT_WIDTH 80 /* columns where nothing is known of the terminal */

/* Items, as many on a line as fit; begin with all others 0, end with a newline of your own. */
struct paragraph {
	FILE *f;
	size_t width;
	const char *indent; /* of each line */
	size_t column;
};

/* Print an item with `between` before it, or on a line of its own; it is fit to print. */
void paragraph__text(struct paragraph *p, const char *between, const char *item);
/* The same of what printf() makes, at most 1023 bytes of it. */
void paragraph__item(struct paragraph *p, const char *between, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));

/* Print a sentence from elsewhere as lines, broken at its blanks. A word too long for a line stays. */
void report_text__words(FILE *f, size_t width, const char *indent, const char *raw);

/* Print the line before a report of an interval. */
void report_text__interval(FILE *f, __u64 time_ns);

/* Say which columns table__fit() left out, if any. */
void report_text__left_out(FILE *f, size_t width, const char *left_out);

/* Print what was lost, a line for each reason, or that nothing was. */
void report_text__lost(FILE *f, size_t width, const __u64 lost[FS_LOSS_NR], __u64 no_memory);

/* ---- JSON (report_json.c); values are the caller's, NULL: no memory ---- */

/* Write a member that is not the first. Takes over value; returns as json_write(). */
int report_json__member(FILE *f, const char *key, json_t *value);

/* All reasons, so that 0 is said as well. */
json_t *report_json__lost(const __u64 lost[FS_LOSS_NR], __u64 no_memory);

/* An array of raw texts. */
json_t *report_json__texts(const char *const *texts, size_t n);

/* The names of a stack's functions, from the leaf on. */
json_t *report_json__stack(const struct profile *profile, __u32 stack);

/* ---- CSV (report_csv.c): as RFC 4180 has it, and never more than a line for a row ---- */

/* Print the cell of a raw text, escaped as in text; or of a stack, folded. 0 or -ENOMEM. */
int report_csv__text(FILE *f, const char *raw);
int report_csv__stack(FILE *f, const struct profile *profile, __u32 stack);

/* Print the cell of an interval's end in seconds, and the comma after it. */
void report_csv__time(FILE *f, __u64 time_ns);

/* "lost: none", "lost: 12 event_ring_full", into buf. */
void report_csv__lost(char *buf, size_t size, const __u64 lost[FS_LOSS_NR], __u64 no_memory);

/* Flush. 0, or -EIO where something could not be written: for all three. */
int report__done(FILE *f);

#endif /* FS_REPORT_H */
