/* SPDX-License-Identifier: GPL-2.0-only */
/* Text tables that fit a terminal, and the short numbers that fit their cells. */
#ifndef FS_TABLE_H
#define FS_TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <linux/types.h>

/* How willingly a column goes when the table is too wide; the highest goes first. */
enum table_drop {
	TABLE_KEEP = 0,
	TABLE_DROP_LAST = 1,
	TABLE_DROP_REDUNDANT = 100, /* from here on: says nothing, goes before texts are cut */
};

struct table_column {
	const char *header;
	bool left;        /* texts; numbers stand right */
	unsigned int cut; /* text may be cut to this many columns; 0: never */
	const char *
		parts; /* what is between its parts, of which the last are cut; NULL: the middle is */
	unsigned int drop; /* enum table_drop, or a number between */
};

struct table;

/* A table without rows. The columns are copied, their headers not. NULL with errno. */
struct table *table__new(const struct table_column *columns, size_t n);
void table__free(struct table *t);

/*
 * Append a cell: rows are filled from left to right. text is copied; it must be fit to print.
 * 0 or -ENOMEM.
 */
int table__cell(struct table *t, const char *text);

/*
 * Choose the columns and widths so that a line has at most `width` columns, where that is possible;
 * 0: no limit. Returns the width that it has. Columns that are not redundant and had to go are
 * named in left_out (NULL: no matter) as "share, minor".
 */
size_t table__fit(struct table *t, size_t width, char *left_out, size_t size);

/* Print header and rows, as fitted. What is cut has "…" in the middle, or "~" unless utf8. */
void table__print(const struct table *t, FILE *f, bool utf8);

/* The same line by line, for texts between the rows: the header, and a row by its number from 0. */
void table__print_header(const struct table *t, FILE *f, bool utf8);
void table__print_row(const struct table *t, FILE *f, size_t row, bool utf8);

/* Columns that a text takes on a terminal: UTF-8 as the locale has it. */
size_t text_columns(const char *text);

/* Copy text, cut in the middle to at most `columns` columns. */
void text_cut(char *out, size_t size, const char *text, size_t columns, bool utf8);

/* The same, cut at its end: after one of its parts, where that leaves half the columns or more. */
void text_cut_parts(char *out, size_t size, const char *text, size_t columns, const char *between,
		    bool utf8);

/*
 * Numbers for cells, cut to size; return buf. cell_count: at most 5 columns, "99999", "123k",
 * "1.23M". cell_rate: the same, below 100 "12.3". cell_ns: 6, "1.42us". cell_mib: 5, the number of
 * MiB, "0.004", "12.3", "1234". cell_bytes: 7, "512B", "1.50KiB", "1000KiB". cell_share: 5,
 * "12.3%". cell_size: 6, powers of two, "4KiB", "512B".
 */
#define CELL_LEN 32
const char *cell_count(char *buf, size_t size, __u64 count);
const char *cell_rate(char *buf, size_t size, double rate);
const char *cell_ns(char *buf, size_t size, __u64 ns);
const char *cell_mib(char *buf, size_t size, __u64 bytes);
const char *cell_bytes(char *buf, size_t size, __u64 bytes);
const char *cell_share(char *buf, size_t size, __u64 part, __u64 whole);
const char *cell_size(char *buf, size_t size, __u64 bytes);

#endif /* FS_TABLE_H */
