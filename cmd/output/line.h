/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A line of output while it is put together. Numbers are written by hand: snprintf() takes 60 to
 * 80 ns for one, this 12 to 16, and a line of `trace` has a dozen. What does not fit is dropped as
 * a whole and `full` is set; the size is such that the longest line (a path of FS_PATH_MAX bytes,
 * each escaped to six) fits.
 */
#ifndef FS_LINE_H
#define FS_LINE_H

#include <stdbool.h>
#include <stddef.h>
#include <string.h>
#include <linux/types.h>

#include "base/text.h"

#define LINE_BYTES 32768

struct line {
	size_t len;
	bool full;
	char buf[LINE_BYTES];
};

static inline void line__start(struct line *l)
{
	l->len = 0;
	l->full = false;
}

/* Where n bytes can be put, or NULL. */
static inline char *line__room(struct line *l, size_t n)
{
	if (n > sizeof(l->buf) - l->len) {
		l->full = true;
		return NULL;
	}
	return l->buf + l->len;
}

static inline void line__mem(struct line *l, const char *s, size_t n)
{
	char *p = line__room(l, n);

	if (!p)
		return;
	memcpy(p, s, n);
	l->len += n;
}

static inline void line__str(struct line *l, const char *s)
{
	line__mem(l, s, strlen(s));
}

/* A string constant. */
#define line__lit(l, s) line__mem(l, s, sizeof(s) - 1)

static inline void line__char(struct line *l, char c)
{
	line__mem(l, &c, 1);
}

static inline void line__fill(struct line *l, char c, size_t n)
{
	char *p = line__room(l, n);

	if (!p)
		return;
	memset(p, c, n);
	l->len += n;
}

/* Blanks up to `width` columns after the position `from`, and always `least`. */
static inline void line__pad(struct line *l, size_t from, size_t width, size_t least)
{
	size_t used = l->len - from;

	line__fill(l, ' ', used + least > width ? least : width - used);
}

/* Decimal digits of v, at least `digits` of them (filled with zeros), at the end of tmp[20]. */
static inline char *line__digits(char tmp[20], __u64 v, int digits)
{
	char *p = tmp + 20;

	do {
		*--p = '0' + v % 10;
		v /= 10;
		digits--;
	} while (v || digits > 0);
	return p;
}

static inline void line__u64(struct line *l, __u64 v)
{
	char tmp[20], *p = line__digits(tmp, v, 1);

	line__mem(l, p, tmp + 20 - p);
}

static inline void line__s64(struct line *l, __s64 v)
{
	if (v < 0)
		line__char(l, '-');
	line__u64(l, v < 0 ? -(__u64)v : (__u64)v);
}

/* Filled with zeros to `digits` (at most 20). */
static inline void line__zeros(struct line *l, __u64 v, int digits)
{
	char tmp[20], *p = line__digits(tmp, v, digits);

	line__mem(l, p, tmp + 20 - p);
}

/* Right-aligned to `width` columns. */
static inline void line__right(struct line *l, __u64 v, size_t width)
{
	char tmp[20], *p = line__digits(tmp, v, 1);
	size_t n = tmp + 20 - p;

	if (n < width)
		line__fill(l, ' ', width - n);
	line__mem(l, p, n);
}

/* 0x and lower-case digits. */
static inline void line__hex(struct line *l, __u64 v)
{
	char tmp[18], *p = tmp + sizeof(tmp);

	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	*--p = 'x';
	*--p = '0';
	line__mem(l, p, tmp + sizeof(tmp) - p);
}

/* Is every byte printable ASCII, and none of the two given? Such names need no escaping. */
static inline bool line__plain(const char *s, size_t n, char a, char b)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (s[i] < 0x20 || s[i] >= 0x7f || s[i] == a || s[i] == b)
			return false;
	return true;
}

/* n bytes that a stranger chose, as text_escape() has them. */
static inline void line__escaped(struct line *l, const char *s, size_t n)
{
	char *p;

	if (line__plain(s, n, '\\', '\\')) {
		line__mem(l, s, n);
		return;
	}
	p = line__room(l, 4 * n + 1);
	if (p)
		l->len += text_escape(p, 4 * n + 1, s, n);
}

#endif /* FS_LINE_H */
