/* SPDX-License-Identifier: GPL-2.0-only */
/* Names that other programs chose, made fit to print. */
#ifndef FS_TEXT_H
#define FS_TEXT_H

#include <stdbool.h>
#include <stddef.h>

/*
 * Copy len bytes of `in` to `out` for a terminal or a line-based file: newline, tab and backslash
 * become \n, \t and \\; other control characters (C0, DEL, C1 also where it is UTF-8) and bytes
 * that are no UTF-8 become \xNN. Always NUL-terminates (size > 0) and stops before an escape or a
 * character that does not fit whole. Returns the bytes written, without the NUL.
 */
size_t text_escape(char *out, size_t size, const char *in, size_t len);

/* As text_escape(), but a backslash stays: for sentences, where names may be escaped already. */
size_t text_escape_controls(char *out, size_t size, const char *in, size_t len);

/*
 * Copy len bytes of `in` to `out` as valid UTF-8, for JSON: each byte that belongs to no valid
 * character, and NUL, becomes U+FFFD. Control characters stay, the JSON writer escapes them.
 * Terminates, stops and returns as text_escape() does; 3 * len + 1 bytes always suffice.
 */
size_t text_utf8_clean(char *out, size_t size, const char *in, size_t len);

/* Does `text` match `pattern`? In it `*` stands for any bytes or none; nothing else is special. */
bool text_glob(const char *pattern, const char *text);

/*
 * Edits (insert, delete, replace, swap of neighbours) between two words of at most 63 bytes; for
 * longer ones INT_MAX.
 */
int text_distance(const char *a, const char *b);

#endif /* FS_TEXT_H */
