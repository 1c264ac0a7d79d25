/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "base/units.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

const char *fmt_bytes(char *buf, size_t n, __u64 bytes)
{
	static const char *const units[] = { "KiB", "MiB", "GiB", "TiB", "PiB", "EiB" };
	__u64 unit = 1024, whole, tenths;
	size_t i = 0;

	if (bytes < 1024) {
		snprintf(buf, n, "%llu B", (unsigned long long)bytes);
		return buf;
	}
	while (i + 1 < ARRAY_SIZE(units) && bytes / unit >= 1024) {
		unit *= 1024;
		i++;
	}
	for (;; unit *= 1024, i++) {
		/* 10 * unit fits: the largest unit is 2^60. */
		tenths = (bytes % unit * 10 + unit / 2) / unit;
		whole = bytes / unit + tenths / 10;
		/* 1023.96 KiB rounds to 1.0 MiB */
		if (whole < 1024 || i + 1 == ARRAY_SIZE(units))
			break;
	}
	snprintf(buf, n, "%llu.%llu %s", (unsigned long long)whole,
		 (unsigned long long)(tenths % 10), units[i]);
	return buf;
}

const char *fmt_ns(char *buf, size_t n, __u64 ns)
{
	static const char *const units[] = { "us", "ms", "s" };
	__u64 unit = 1000, scaled = 0;
	unsigned int digits;
	size_t i;

	if (ns < 1000) {
		snprintf(buf, n, "%llu ns", (unsigned long long)ns);
		return buf;
	}
	for (i = 0; i < ARRAY_SIZE(units); i++, unit *= 1000) {
		__u64 step = unit / 100; /* of the third digit */

		for (digits = 2; digits > 0; digits--, step *= 10) {
			scaled = ns / step + (ns % step >= step - step / 2);
			if (scaled < 1000)
				break;
		}
		if (!digits)
			scaled = ns / unit + (ns % unit >= unit - unit / 2);
		if (scaled < 1000 || i + 1 == ARRAY_SIZE(units))
			break;
	}
	if (digits == 2)
		snprintf(buf, n, "%llu.%02llu %s", (unsigned long long)scaled / 100,
			 (unsigned long long)scaled % 100, units[i]);
	else if (digits == 1)
		snprintf(buf, n, "%llu.%llu %s", (unsigned long long)scaled / 10,
			 (unsigned long long)scaled % 10, units[i]);
	else
		snprintf(buf, n, "%llu %s", (unsigned long long)scaled, units[i]);
	return buf;
}

const char *fmt_count(char *buf, size_t n, __u64 count)
{
	char digits[24], out[FMT_LEN];
	int len = snprintf(digits, sizeof(digits), "%llu", (unsigned long long)count);
	int i, used = 0;

	for (i = 0; i < len; i++) {
		if (i && (len - i) % 3 == 0)
			out[used++] = ',';
		out[used++] = digits[i];
	}
	out[used] = '\0';
	snprintf(buf, n, "%s", out);
	return buf;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* The digits at *s: advances *s beyond them. */
static int take_digits(const char **s, __u64 *out)
{
	const char *p = *s;
	bool over = false;
	__u64 value = 0;

	if (!is_digit(*p))
		return -EINVAL;
	for (; is_digit(*p); p++)
		over |= __builtin_mul_overflow(value, 10, &value) ||
			__builtin_add_overflow(value, (__u64)(*p - '0'), &value);
	*s = p;
	*out = value;
	return over ? -ERANGE : 0;
}

int parse_u64(const char *s, __u64 min, __u64 max, __u64 *out)
{
	__u64 value;
	int err = take_digits(&s, &value);

	if (err == -EINVAL || *s)
		return -EINVAL;
	if (err || value < min || value > max)
		return -ERANGE;
	*out = value;
	return 0;
}

int parse_size(const char *s, __u64 *bytes)
{
	static const char suffixes[] = "kmgt";
	__u64 value;
	int err = take_digits(&s, &value);
	unsigned int shift = 0;

	if (err == -EINVAL)
		return err;
	if (*s && strchr(suffixes, *s | 0x20)) {
		shift = 10 * (strchr(suffixes, *s | 0x20) - suffixes + 1);
		s++;
		if (!strcasecmp(s, "ib"))
			s += 2;
	}
	if (!strcasecmp(s, "b"))
		s++;
	if (*s)
		return -EINVAL;
	if (err || value > ~0ULL >> shift)
		return -ERANGE;
	*bytes = value << shift;
	return 0;
}

/* A decimal fraction, times 10^places. */
static int parse_decimal(const char *s, unsigned int places, __u64 *out)
{
	__u64 whole = 0, part = 0, scale = 1;
	unsigned int i;
	int err = 0;

	if (is_digit(*s)) {
		err = take_digits(&s, &whole);
	} else if (*s != '.' || !is_digit(s[1])) {
		return -EINVAL;
	}
	for (i = 0; i < places; i++)
		scale *= 10;
	if (*s == '.') {
		__u64 place = scale / 10;

		if (!is_digit(*++s))
			return -EINVAL;
		for (; is_digit(*s); s++, place /= 10)
			part += (*s - '0') * place;
	}
	if (*s)
		return -EINVAL;
	if (err || __builtin_mul_overflow(whole, scale, &whole) ||
	    __builtin_add_overflow(whole, part, &whole))
		return -ERANGE;
	*out = whole;
	return 0;
}

int parse_seconds(const char *s, __u64 *ns)
{
	return parse_decimal(s, 9, ns);
}

int parse_milliseconds(const char *s, __u64 *ns)
{
	return parse_decimal(s, 6, ns);
}

int parse_microseconds(const char *s, __u64 *ns)
{
	return parse_decimal(s, 3, ns);
}
