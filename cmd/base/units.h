/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers for people, and numbers from people. */
#ifndef FS_UNITS_H
#define FS_UNITS_H

#include <stddef.h>
#include <linux/types.h>

#define FMT_LEN 32 /* bytes that hold whatever a fmt_ function writes */

/*
 * Write a value to buf for reading, NUL-terminated, cut to n bytes; return buf.
 * fmt_bytes: "512 B", "4.0 KiB", "1.5 MiB" (1024). fmt_ns: three significant digits, "980 ns",
 * "1.42 us", "35.0 ms", "2.10 s", and whole seconds from 1000 s on. fmt_count: "1,234,567".
 */
const char *fmt_bytes(char *buf, size_t n, __u64 bytes);
const char *fmt_ns(char *buf, size_t n, __u64 ns);
const char *fmt_count(char *buf, size_t n, __u64 count);

/*
 * Read all of s: 0, -EINVAL where it is not such a number (a sign, a blank or anything after it
 * included), -ERANGE where it is one, but out of range. *out is written only on success.
 */
/* A decimal whole number from min to max. */
int parse_u64(const char *s, __u64 min, __u64 max, __u64 *out);
/* A whole number with K, M, G or T (1024 each, also as KiB or k) or without (bytes). */
int parse_size(const char *s, __u64 *bytes);
/* "1.5": nanoseconds from seconds; digits beyond the ninth after the point are dropped. */
int parse_seconds(const char *s, __u64 *ns);
/* "1.5": nanoseconds from milliseconds; digits beyond the sixth after the point are dropped. */
int parse_milliseconds(const char *s, __u64 *ns);
/* "1.5": nanoseconds from microseconds; digits beyond the third after the point are dropped. */
int parse_microseconds(const char *s, __u64 *ns);

#endif /* FS_UNITS_H */
