/* SPDX-License-Identifier: GPL-2.0-only */
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define ESCAPE_MAX 4 /* \xNN, and the longest UTF-8 character */

/*
 * Length of the UTF-8 character that begins at p, 0 where none does. Overlong forms, surrogates
 * and what lies beyond U+10FFFF are none (Unicode 15, table 3-7).
 */
static size_t utf8_len(const unsigned char *p, size_t len)
{
	unsigned char low = 0x80, high = 0xbf;
	size_t n, i;

	if (p[0] < 0x80)
		return 1;
	if (p[0] >= 0xc2 && p[0] <= 0xdf)
		n = 2;
	else if ((p[0] & 0xf0) == 0xe0)
		n = 3;
	else if (p[0] >= 0xf0 && p[0] <= 0xf4)
		n = 4;
	else
		return 0;
	if (n > len)
		return 0;
	if (p[0] == 0xe0)
		low = 0xa0;
	else if (p[0] == 0xed)
		high = 0x9f;
	else if (p[0] == 0xf0)
		low = 0x90;
	else if (p[0] == 0xf4)
		high = 0x8f;
	if (p[1] < low || p[1] > high)
		return 0;
	for (i = 2; i < n; i++)
		if ((p[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

static bool is_control(const unsigned char *p, size_t n)
{
	if (n == 1)
		return p[0] < 0x20 || p[0] == 0x7f;
	return n == 2 && p[0] == 0xc2 && p[1] < 0xa0; /* C1: U+0080 to U+009F */
}

/* Bytes put into esc for the byte c. */
static size_t escape_byte(char esc[ESCAPE_MAX + 1], unsigned char c)
{
	if (c == '\n' || c == '\t' || c == '\\') {
		esc[0] = '\\';
		esc[1] = c == '\n' ? 'n' : c == '\t' ? 't' : '\\';
		return 2;
	}
	return snprintf(esc, ESCAPE_MAX + 1, "\\x%02x", c);
}

static size_t escape(char *out, size_t size, const char *in, size_t len, bool backslash)
{
	const unsigned char *p = (const unsigned char *)in;
	size_t used = 0, n, take;
	char esc[ESCAPE_MAX + 1];

	if (!size)
		return 0;
	for (; len > 0; p += take, len -= take) {
		const char *piece = (const char *)p;

		take = n = utf8_len(p, len);
		if (!n || is_control(p, n) || (backslash && p[0] == '\\')) {
			take = 1;
			n = escape_byte(esc, p[0]);
			piece = esc;
		}
		if (n >= size - used)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return used;
}

size_t text_escape(char *out, size_t size, const char *in, size_t len)
{
	return escape(out, size, in, len, true);
}

size_t text_escape_controls(char *out, size_t size, const char *in, size_t len)
{
	return escape(out, size, in, len, false);
}

size_t text_utf8_clean(char *out, size_t size, const char *in, size_t len)
{
	const unsigned char *p = (const unsigned char *)in;
	size_t used = 0, n, take;

	if (!size)
		return 0;
	for (; len > 0; p += take, len -= take) {
		const char *piece = (const char *)p;

		take = n = utf8_len(p, len);
		if (!n || !p[0]) {
			take = 1;
			piece = "\xef\xbf\xbd"; /* U+FFFD */
			n = 3;
		}
		if (n >= size - used)
			break;
		memcpy(out + used, piece, n);
		used += n;
	}
	out[used] = '\0';
	return used;
}

bool text_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *resume = NULL;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			resume = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			/* Let the last star take one byte more. */
			pattern = star + 1;
			text = ++resume;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return !*pattern;
}

#define DISTANCE_MAX 63

static int min3(int a, int b, int c)
{
	int m = a < b ? a : b;

	return m < c ? m : c;
}

int text_distance(const char *a, const char *b)
{
	int rows[3][DISTANCE_MAX + 1], *before = rows[0], *last = rows[1], *now = rows[2], *swap;
	size_t na = strlen(a), nb = strlen(b), i, j;

	if (na > DISTANCE_MAX || nb > DISTANCE_MAX)
		return INT_MAX;
	for (j = 0; j <= nb; j++)
		last[j] = j;
	for (i = 1; i <= na; i++) {
		now[0] = i;
		for (j = 1; j <= nb; j++) {
			now[j] = min3(last[j] + 1, now[j - 1] + 1,
				      last[j - 1] + (a[i - 1] != b[j - 1]));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
			    before[j - 2] + 1 < now[j])
				now[j] = before[j - 2] + 1;
		}
		swap = before;
		before = last;
		last = now;
		now = swap;
	}
	return last[nb];
}
