/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "base/units.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define UNTOUCHED     0xdeadbeefULL

static void test_bytes(void **state)
{
	static const struct {
		__u64 bytes;
		const char *text;
	} cases[] = {
		{ 0, "0 B" },
		{ 512, "512 B" },
		{ 1023, "1023 B" },
		{ 1024, "1.0 KiB" },
		{ 4096, "4.0 KiB" },
		{ 1536 << 10, "1.5 MiB" },
		{ 1024 * 1024 - 1, "1.0 MiB" }, /* not "1024.0 KiB" */
		{ 1023 * 1024 + 1023 / 2, "1023.5 KiB" },
		{ 1ULL << 30, "1.0 GiB" },
		{ 1ULL << 40, "1.0 TiB" },
		{ (1ULL << 50) - 1, "1.0 PiB" },
		{ 1ULL << 60, "1.0 EiB" },
		{ ~0ULL, "16.0 EiB" },
	};
	char buf[FMT_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(fmt_bytes(buf, sizeof(buf), cases[i].bytes), cases[i].text);
}

static void test_ns(void **state)
{
	static const struct {
		__u64 ns;
		const char *text;
	} cases[] = {
		{ 0, "0 ns" },
		{ 980, "980 ns" },
		{ 999, "999 ns" },
		{ 1000, "1.00 us" },
		{ 1424, "1.42 us" },
		{ 1425, "1.43 us" },
		{ 9994, "9.99 us" },
		{ 9995, "10.0 us" },
		{ 99949, "99.9 us" },
		{ 99950, "100 us" },
		{ 999499, "999 us" },
		{ 999500, "1.00 ms" }, /* not "1000 us" */
		{ 3500000, "3.50 ms" },
		{ 2100000000, "2.10 s" },
		{ 59900000000, "59.9 s" },
		{ 1234500000000, "1235 s" },
		{ ~0ULL, "18446744074 s" },
	};
	char buf[FMT_LEN];
	size_t i;

	for (i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(fmt_ns(buf, sizeof(buf), cases[i].ns), cases[i].text);
}

/* What is printed, read back with strtod(), is the value but for the digits that were dropped. */
static void test_ns_is_near(void **state)
{
	__u64 ns = 1;
	int i;

	for (i = 0; i < 20000; i++) {
		char buf[FMT_LEN], *unit;
		double value;

		ns = ns * 1003 / 1000 + 1;
		if (ns > 1000ULL * 1000000000)
			ns = i;
		value = strtod(fmt_ns(buf, sizeof(buf), ns), &unit);
		if (!strcmp(unit, " us"))
			value *= 1e3;
		else if (!strcmp(unit, " ms"))
			value *= 1e6;
		else if (!strcmp(unit, " s"))
			value *= 1e9;
		else
			assert_string_equal(unit, " ns");
		assert_true(fabs(value - ns) <= ns * 0.005001);
	}
}

static void test_count(void **state)
{
	char buf[FMT_LEN];

	assert_string_equal(fmt_count(buf, sizeof(buf), 0), "0");
	assert_string_equal(fmt_count(buf, sizeof(buf), 999), "999");
	assert_string_equal(fmt_count(buf, sizeof(buf), 1000), "1,000");
	assert_string_equal(fmt_count(buf, sizeof(buf), 1234567), "1,234,567");
	assert_string_equal(fmt_count(buf, sizeof(buf), ~0ULL), "18,446,744,073,709,551,615");
}

static void test_small_buffer(void **state)
{
	char buf[4] = "xxx";

	assert_string_equal(fmt_count(buf, sizeof(buf), 1234567), "1,2");
	assert_string_equal(fmt_bytes(buf, sizeof(buf), 4096), "4.0");
	assert_string_equal(fmt_ns(buf, sizeof(buf), 12345), "12.");
	assert_string_equal(fmt_ns(buf, 1, 12345), "");
}

static void test_parse_u64(void **state)
{
	static const char *const not_numbers[] = { "",    " ",   "x",   "1x",
						   "-1",  "+1",  " 1",  "1 ",
						   "0x1", "1.0", "1e3", "\xd9\xa1",
						   "1,2", "nan", "--1", "99999999999999999999x" };
	__u64 value = UNTOUCHED;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not_numbers); i++)
		assert_int_equal(parse_u64(not_numbers[i], 0, ~0ULL, &value), -EINVAL);
	assert_int_equal(parse_u64("18446744073709551616", 0, ~0ULL, &value), -ERANGE);
	assert_int_equal(parse_u64("99999999999999999999999999", 0, ~0ULL, &value), -ERANGE);
	assert_int_equal(parse_u64("4", 5, 10, &value), -ERANGE);
	assert_int_equal(parse_u64("11", 5, 10, &value), -ERANGE);
	assert_true(value == UNTOUCHED);

	assert_int_equal(parse_u64("5", 5, 10, &value), 0);
	assert_true(value == 5);
	assert_int_equal(parse_u64("0010", 5, 10, &value), 0);
	assert_true(value == 10);
	assert_int_equal(parse_u64("18446744073709551615", 0, ~0ULL, &value), 0);
	assert_true(value == ~0ULL);
}

static void test_parse_size(void **state)
{
	static const struct {
		const char *text;
		__u64 bytes;
	} cases[] = {
		{ "0", 0 },
		{ "4096", 4096 },
		{ "4096B", 4096 },
		{ "512K", 512 << 10 },
		{ "512k", 512 << 10 },
		{ "512KiB", 512 << 10 },
		{ "64M", 64 << 20 },
		{ "64MB", 64 << 20 },
		{ "3G", 3ULL << 30 },
		{ "1T", 1ULL << 40 },
		{ "16777215T", 16777215ULL << 40 },
	};
	static const char *const not_sizes[] = { "",    "K",  "1KK", "1X",   "-1K",
						 "1 K", "1i", "1iB", "1.5M", "1KiBx" };
	__u64 bytes = UNTOUCHED;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not_sizes); i++)
		assert_int_equal(parse_size(not_sizes[i], &bytes), -EINVAL);
	assert_int_equal(parse_size("16777216T", &bytes), -ERANGE);
	assert_int_equal(parse_size("18446744073709551616", &bytes), -ERANGE);
	assert_true(bytes == UNTOUCHED);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse_size(cases[i].text, &bytes), 0);
		assert_true(bytes == cases[i].bytes);
	}
}

static void test_parse_seconds(void **state)
{
	static const struct {
		const char *text;
		__u64 ns;
	} cases[] = {
		{ "0", 0 },
		{ "5", 5000000000 },
		{ "1.5", 1500000000 },
		{ "0.01", 10000000 },
		{ ".25", 250000000 },
		{ "0.000000001", 1 },
		{ "0.1", 100000000 }, /* not what a double makes of it */
		{ "1.0000000019", 1000000001 },
		{ "18446744073.709551615", ~0ULL },
	};
	static const char *const not_seconds[] = { "",   ".",   "5.",  "-1", "+1", "1e3",
						   "1s", "1,5", "1..", " 1", "1 ", "inf" };
	__u64 ns = UNTOUCHED;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(not_seconds); i++)
		assert_int_equal(parse_seconds(not_seconds[i], &ns), -EINVAL);
	assert_int_equal(parse_seconds("18446744074", &ns), -ERANGE);
	assert_int_equal(parse_seconds("18446744073.709551616", &ns), -ERANGE);
	assert_int_equal(parse_seconds("99999999999999999999999", &ns), -ERANGE);
	assert_true(ns == UNTOUCHED);
	for (i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(parse_seconds(cases[i].text, &ns), 0);
		assert_true(ns == cases[i].ns);
	}
}

static void test_parse_microseconds(void **state)
{
	__u64 ns;

	assert_int_equal(parse_microseconds("1000", &ns), 0);
	assert_true(ns == 1000000);
	assert_int_equal(parse_microseconds("0.5", &ns), 0);
	assert_true(ns == 500);
	assert_int_equal(parse_microseconds("1ms", &ns), -EINVAL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_bytes),
		cmocka_unit_test(test_ns),
		cmocka_unit_test(test_ns_is_near),
		cmocka_unit_test(test_count),
		cmocka_unit_test(test_small_buffer),
		cmocka_unit_test(test_parse_u64),
		cmocka_unit_test(test_parse_size),
		cmocka_unit_test(test_parse_seconds),
		cmocka_unit_test(test_parse_microseconds),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
