/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <iconv.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/log.h"
#include "base/text.h"
#include "capture.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define REPLACEMENT   "\xef\xbf\xbd"

#define escape(buf, text) text_escape(buf, sizeof(buf), text, sizeof(text) - 1)

static void test_escape(void **state)
{
	char buf[128];

	assert_int_equal(escape(buf, "plain"), 5);
	assert_string_equal(buf, "plain");
	escape(buf, "a\nb\tc\\d");
	assert_string_equal(buf, "a\\nb\\tc\\\\d");
	escape(buf, "\r\x1b[31m\x7f");
	assert_string_equal(buf, "\\x0d\\x1b[31m\\x7f");
	assert_int_equal(escape(buf, "a\0b"), 6);
	assert_string_equal(buf, "a\\x00b");
	/* letters beyond ASCII stay */
	escape(buf, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	assert_string_equal(buf, "gr\xc3\xbc\xc3\x9f \xe2\x82\xac \xf0\x9f\x98\x80");
	/* C1: a terminal takes U+009B for ESC [ */
	escape(buf, "\xc2\x9b\x9b\xc2\xa0");
	assert_string_equal(buf, "\\xc2\\x9b\\x9b\xc2\xa0");
	/* overlong, surrogate, beyond Unicode, cut off, lone */
	escape(buf, "\xc0\xaf\xed\xa0\x80\xf4\x90\x80\x80\xe2\x82");
	assert_string_equal(buf, "\\xc0\\xaf\\xed\\xa0\\x80\\xf4\\x90\\x80\\x80\\xe2\\x82");
	assert_int_equal(text_escape(buf, sizeof(buf), "", 0), 0);
	assert_string_equal(buf, "");
}

static void test_escape_controls(void **state)
{
	char buf[64];

	text_escape_controls(buf, sizeof(buf), "C:\\x\n\x01", 6);
	assert_string_equal(buf, "C:\\x\\n\\x01");
}

/* Whatever the room: NUL-terminated, and whole pieces only, as many as fit. */
static void test_escape_room(void **state)
{
	static const char in[] = "a\n\xff\xe2\x82\xac\\z";
	static const char *const pieces[] = { "a", "\\n", "\\xff", "\xe2\x82\xac", "\\\\", "z" };
	size_t size, i;

	for (size = 1; size < 20; size++) {
		char out[24], want[24] = "";

		memset(out, 'X', sizeof(out));
		for (i = 0; i < ARRAY_SIZE(pieces); i++) {
			if (strlen(want) + strlen(pieces[i]) >= size)
				break;
			strcat(want, pieces[i]);
		}
		assert_int_equal(text_escape(out, size, in, sizeof(in) - 1), strlen(want));
		assert_string_equal(out, want);
		for (i = size; i < sizeof(out); i++)
			assert_int_equal(out[i], 'X');
	}
	assert_int_equal(text_escape(NULL, 0, in, sizeof(in) - 1), 0);
}

static void test_utf8_clean(void **state)
{
	char buf[64];
	size_t n;

	n = text_utf8_clean(buf, sizeof(buf), "a\xff\nb\0c\xe2\x82\xac", 9);
	assert_string_equal(buf, "a" REPLACEMENT "\nb" REPLACEMENT "c\xe2\x82\xac");
	assert_int_equal(n, strlen(buf));
	/* no piece of a replacement */
	assert_int_equal(text_utf8_clean(buf, 4, "a\xff", 2), 1);
	assert_string_equal(buf, "a");
	assert_int_equal(text_utf8_clean(buf, 5, "a\xff", 2), 4);
}

/* The C library's decoder is the judge of what is UTF-8, at all borders of all lead bytes. */
static void test_utf8_against_iconv(void **state)
{
	static const unsigned char tails[] = { 0x00, 0x41, 0x7f, 0x80, 0x8f, 0x90,
					       0x9f, 0xa0, 0xbf, 0xc0, 0xff };
	const size_t n = ARRAY_SIZE(tails);
	iconv_t decoder = iconv_open("UTF-32LE", "UTF-8");
	size_t lead, i, valid_seen = 0;

	assert_true(decoder != (iconv_t)-1);
	for (lead = 1; lead < 256; lead++) {
		for (i = 0; i < n * n * n; i++) {
			char in[4] = { lead, tails[i / n / n], tails[i / n % n], tails[i % n] };
			size_t len = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
			size_t in_left, out_left;
			char out[32], *in_at, *out_at;
			bool valid;

			in_at = in;
			in_left = len;
			out_at = out;
			out_left = sizeof(out);
			iconv(decoder, NULL, NULL, NULL, NULL);
			/* one character, not several that happen to be valid */
			valid = iconv(decoder, &in_at, &in_left, &out_at, &out_left) == 0 &&
				out_left == sizeof(out) - 4;
			valid_seen += valid;
			text_utf8_clean(out, sizeof(out), in, len);
			assert_int_equal(!memcmp(out, in, len) && !out[len], valid);
			/* and what comes out is valid, whatever went in */
			in_at = out;
			in_left = strlen(out);
			out_at = (char[128]){};
			out_left = 128;
			assert_int_equal(iconv(decoder, &in_at, &in_left, &out_at, &out_left), 0);
		}
	}
	assert_true(valid_seen > 1000);
	iconv_close(decoder);
}

static void test_glob(void **state)
{
	assert_true(text_glob("redis", "redis"));
	assert_false(text_glob("redis", "redis-server"));
	assert_false(text_glob("redis", "redi"));
	assert_true(text_glob("redis*", "redis-server"));
	assert_true(text_glob("redis*", "redis"));
	assert_true(text_glob("*", ""));
	assert_true(text_glob("", ""));
	assert_false(text_glob("", "x"));
	assert_true(text_glob("*ab", "aabab"));
	assert_true(text_glob("a*b*c", "a-b-b-c"));
	assert_false(text_glob("a*b*c", "a-c-b"));
	assert_true(text_glob("kworker/*:*", "kworker/0:1-eve"));
	assert_false(text_glob("?", "x")); /* not special */
	assert_true(text_glob("[x]", "[x]"));
	assert_false(text_glob("*a*a*a*a*b", "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"));
}

static void test_distance(void **state)
{
	char longer[65];

	memset(longer, 'a', sizeof(longer) - 1);
	longer[64] = '\0';
	assert_int_equal(text_distance("stat", "stat"), 0);
	assert_int_equal(text_distance("stta", "stat"), 1);
	assert_int_equal(text_distance("sta", "stat"), 1);
	assert_int_equal(text_distance("stats", "stat"), 1);
	assert_int_equal(text_distance("slat", "stat"), 1);
	assert_int_equal(text_distance("", "stat"), 4);
	assert_int_equal(text_distance("kitten", "sitting"), 3);
	assert_int_equal(text_distance(longer, "stat"), INT_MAX);
	assert_int_equal(text_distance(longer + 1, longer + 1), 0);
}

static void test_log_line(void **state)
{
	struct capture c;

	capture__begin(&c);
	errno = ENOENT;
	log_error("no file '%s': %d", "a\nb\x1b[1m", 7);
	assert_int_equal(errno, ENOENT);
	assert_string_equal(capture__end(&c), "faultsnoop: no file 'a\\nb\\x1b[1m': 7\n");

	/* libbpf's texts end with a newline of their own */
	capture__begin(&c);
	log_warn("one line\n");
	assert_string_equal(capture__end(&c), "faultsnoop: one line\n");
}

static void test_log_level(void **state)
{
	static const char *const want[] = {
		"faultsnoop: e\nfaultsnoop: w\n",
		"faultsnoop: e\nfaultsnoop: w\nfaultsnoop: i\n",
		"faultsnoop: e\nfaultsnoop: w\nfaultsnoop: i\nfaultsnoop: d\n",
	};
	struct capture c;
	int level;

	for (level = 0; level < 3; level++) {
		capture__begin(&c);
		log_level_set(level);
		log_error("e");
		log_warn("w");
		log_info("i");
		log_debug("d");
		log_level_set(0);
		assert_string_equal(capture__end(&c), want[level]);
	}
}

/* A line stays one, whatever its length. */
static void test_log_long(void **state)
{
	static char text[5000];
	struct capture c;

	memset(text, '\x01', sizeof(text) - 1);
	capture__begin(&c);
	log_error("%s", text);
	capture__end(&c);
	assert_true(c.len > 8000);
	assert_non_null(memchr(c.text, '\\', c.len));
	assert_null(memchr(c.text, '\n', c.len - 1));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_escape),
		cmocka_unit_test(test_escape_controls),
		cmocka_unit_test(test_escape_room),
		cmocka_unit_test(test_utf8_clean),
		cmocka_unit_test(test_utf8_against_iconv),
		cmocka_unit_test(test_glob),
		cmocka_unit_test(test_distance),
		cmocka_unit_test(test_log_line),
		cmocka_unit_test(test_log_level),
		cmocka_unit_test(test_log_long),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
