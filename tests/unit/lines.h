/* SPDX-License-Identifier: GPL-2.0-only */
/* What all text for people has to keep to. */
#ifndef LINES_H
#define LINES_H

#include <stddef.h>

/*
 * Fail where a line of text is wider than `width`, has control characters, broken UTF-8 or blanks at
 * its end, or is not ended.
 */
void lines__check(const char *text, size_t width, const char *what);

#endif /* LINES_H */
