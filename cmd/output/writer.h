/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Bytes on their way to a file, or into memory where there is none (out NULL). Unlike a struct line
 * it takes texts of any length. The first error stays in `err`, and what comes after it is dropped:
 * callers look once, at the end.
 */
#ifndef FS_WRITER_H
#define FS_WRITER_H

#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <linux/types.h>

struct writer {
	FILE *out; /* the caller's; only one thread may use it meanwhile */
	char *buf; /* what is not written yet; without `out` all of it, not NUL-terminated */
	size_t len, room;
	int err; /* -errno */
};

/* Where n bytes can be put, to be counted in len afterwards; NULL after an error. */
char *writer__room(struct writer *w, size_t n);

/* Append n bytes. */
void writer__mem(struct writer *w, const void *bytes, size_t n);

/*
 * Append a string; a string constant; a byte; a number in decimal; one in hexadecimal, without 0x,
 * with blanks before it up to a width; what printf() makes.
 */
static inline void writer__str(struct writer *w, const char *s)
{
	writer__mem(w, s, strlen(s));
}
#define writer__lit(w, s) writer__mem(w, s, sizeof(s) - 1)
static inline void writer__char(struct writer *w, char c)
{
	writer__mem(w, &c, 1);
}
void writer__u64(struct writer *w, __u64 v);
void writer__hex(struct writer *w, __u64 v, size_t width);
void writer__fmt(struct writer *w, const char *fmt, ...) __attribute__((format(printf, 2, 3)));

/* Append n raw bytes as text_escape(), text_escape_controls() and text_utf8_clean() make them. */
void writer__escaped(struct writer *w, const char *raw, size_t n);
void writer__no_controls(struct writer *w, const char *raw, size_t n);
void writer__utf8(struct writer *w, const char *raw, size_t n);

/* Append raw bytes as a JSON string (RFC 8259, section 7), or null for NULL. */
void writer__json(struct writer *w, const char *raw);

/* Hand what is left to `out` and flush that; release the buffer. 0 or the first -errno. */
int writer__finish(struct writer *w);

#endif /* FS_WRITER_H */
