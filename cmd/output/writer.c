/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>

#include "base/text.h"
#include "output/line.h"
#include "output/writer.h"

#define FLUSH_BYTES 65536

static void writer__flush(struct writer *w)
{
	errno = 0;
	if (!w->err && w->len && fwrite_unlocked(w->buf, 1, w->len, w->out) != w->len)
		w->err = errno ? -errno : -EIO;
	w->len = 0;
}

char *writer__room(struct writer *w, size_t n)
{
	size_t room = w->room ? w->room : FLUSH_BYTES;
	char *buf;

	if (w->err)
		return NULL;
	if (w->out && w->len && n > w->room - w->len)
		writer__flush(w);
	if (n <= w->room - w->len && w->buf)
		return w->buf + w->len;
	while (room - w->len < n && room < (size_t)-1 / 2)
		room *= 2;
	buf = room - w->len < n ? NULL : realloc(w->buf, room);
	if (!buf) {
		w->err = -ENOMEM;
		return NULL;
	}
	w->buf = buf;
	w->room = room;
	return w->buf + w->len;
}

void writer__mem(struct writer *w, const void *bytes, size_t n)
{
	char *p = n ? writer__room(w, n) : NULL;

	if (!p)
		return;
	memcpy(p, bytes, n);
	w->len += n;
}

void writer__u64(struct writer *w, __u64 v)
{
	char tmp[20], *p = line__digits(tmp, v, 1);

	writer__mem(w, p, tmp + sizeof(tmp) - p);
}

void writer__hex(struct writer *w, __u64 v, size_t width)
{
	char tmp[16], *p = tmp + sizeof(tmp);
	size_t digits;

	do {
		*--p = "0123456789abcdef"[v & 15];
		v >>= 4;
	} while (v);
	for (digits = tmp + sizeof(tmp) - p; width > digits; width--)
		writer__char(w, ' ');
	writer__mem(w, p, digits);
}

void writer__fmt(struct writer *w, const char *fmt, ...)
{
	va_list args;
	char *p;
	int n;

	va_start(args, fmt);
	n = vsnprintf(NULL, 0, fmt, args);
	va_end(args);
	p = writer__room(w, n + 1);
	if (!p)
		return;
	va_start(args, fmt);
	vsnprintf(p, n + 1, fmt, args);
	va_end(args);
	w->len += n;
}

void writer__escaped(struct writer *w, const char *raw, size_t n)
{
	char *p;

	if (line__plain(raw, n, '\\', '\\')) {
		writer__mem(w, raw, n);
		return;
	}
	p = writer__room(w, 4 * n + 1);
	if (p)
		w->len += text_escape(p, 4 * n + 1, raw, n);
}

void writer__no_controls(struct writer *w, const char *raw, size_t n)
{
	char *p = writer__room(w, 4 * n + 1);

	if (p)
		w->len += text_escape_controls(p, 4 * n + 1, raw, n);
}

void writer__utf8(struct writer *w, const char *raw, size_t n)
{
	char *p = writer__room(w, 3 * n + 1);

	if (p)
		w->len += text_utf8_clean(p, 3 * n + 1, raw, n);
}

/* What writer__utf8() appended, byte by byte. */
static void put_json_bytes(struct writer *w, const char *s, size_t n)
{
	size_t i;

	for (i = 0; i < n; i++) {
		unsigned char c = s[i];

		if (c == '"' || c == '\\') {
			writer__char(w, '\\');
			writer__char(w, c);
		} else if (c < 0x20 || c == 0x7f) {
			writer__fmt(w, "\\u%04x", c);
		} else {
			writer__char(w, c);
		}
	}
}

void writer__json(struct writer *w, const char *raw)
{
	struct writer clean = { 0 };
	size_t n;

	if (!raw) {
		writer__lit(w, "null");
		return;
	}
	n = strlen(raw);
	writer__char(w, '"');
	if (line__plain(raw, n, '"', '\\')) {
		writer__mem(w, raw, n);
	} else {
		writer__utf8(&clean, raw, n);
		put_json_bytes(w, clean.buf, clean.len);
		if (clean.err && !w->err)
			w->err = clean.err;
		free(clean.buf);
	}
	writer__char(w, '"');
}

int writer__finish(struct writer *w)
{
	if (w->out) {
		writer__flush(w);
		errno = 0;
		if (!w->err && fflush_unlocked(w->out))
			w->err = errno ? -errno : -EIO;
	}
	free(w->buf);
	w->buf = NULL;
	w->len = w->room = 0;
	return w->err;
}
