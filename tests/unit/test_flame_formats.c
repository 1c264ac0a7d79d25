/* SPDX-License-Identifier: GPL-2.0-only */
/* The flame graph, speedscope's JSON and pprof's protobuf: what is in them, and hostile names. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>
#include <zlib.h>

#include "flame_samples.h"
#include "output/protobuf.h"

/* ---- SVG ---- */

static size_t occurrences(const char *text, const char *what)
{
	size_t n = 0;

	for (text = strstr(text, what); text; text = strstr(text + 1, what))
		n++;
	return n;
}

static void test_svg(void **state)
{
	struct profile *p = sample__new();
	struct flame_opts opts = sample__opts(PROFILE_BYTES);
	__u32 main_ = sample__frame(p, "main"), f = sample__frame(p, "f"),
	      thin = sample__frame(p, "thin");
	char *text;

	SAMPLE(p, "app", 300000, main_, f);
	SAMPLE(p, "app", 100000, main_);
	SAMPLE(p, "app", 1, main_, thin);
	SAMPLE(p, "app", 0, main_, main_);
	opts.title = "A <title>";
	opts.command = "run & go";
	opts.lost = 1234;
	opts.duration_ns = 1500000000;
	text = sample__print(FLAME_SVG, p, &opts, NULL);
	assert_memory_equal(text, "<?xml version=\"1.0\"", 19);
	assert_non_null(
		strstr(text, "data-unit=\"bytes\" data-inverted=\"0\">\n<title>A &lt;title&gt;</"));
	assert_non_null(strstr(text,
			       ">1.5 GiB in 1.50 s \xc2\xb7 1,234 faults without a stack "
			       "\xc2\xb7 1 frames too narrow to draw \xc2\xb7 run &amp; go<"));
	/* all, app, main and f. */
	assert_int_equal(occurrences(text, "<g class=\"row\""), 4);
	assert_int_equal(occurrences(text, " data-w="), 4);
	assert_null(strstr(text, ">thin"));
	assert_non_null(strstr(text,
			       "data-s=\"0\" data-w=\"1228800000\"><title>f\n/bin/app\n1.1 GiB, "
			       "75.00%</title>"));
	assert_null(strstr(text, "SPDX"));
	assert_int_equal(occurrences(text, "http"), 3); /* names of namespaces */
	free(text);

	opts.inverted = true;
	text = sample__print(FLAME_SVG, p, &opts, NULL);
	assert_non_null(strstr(text, "data-inverted=\"1\""));
	assert_non_null(
		strstr(text, "<g class=\"row\" transform=\"translate(0,70)\">\n<g class=\"a\""));
	free(text);
	profile__free(p);
}

static void test_svg_hostile(void **state)
{
	struct profile *p = sample__hostile();
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	char *text, *c;
	size_t n;

	opts.title = opts.command = "]]></style><script>x\xff\n";
	text = sample__print(FLAME_SVG, p, &opts, &n);
	assert_int_equal(strlen(text), n);
	assert_int_equal(occurrences(text, "<script>"), 1);
	assert_int_equal(occurrences(text, "</script>"), 1);
	assert_int_equal(occurrences(text, "]]>"), 2); /* the style's end and the script's */
	assert_int_equal(occurrences(text, "<![CDATA["), 2);
	assert_null(strstr(text, "<b>"));
	assert_null(strstr(text, "\xef\xbf\xbe"));
	assert_null(strstr(text, "\xe2\x80\xae"));
	assert_non_null(strstr(text, "two\\nlines"));
	assert_non_null(strstr(text, "\\xff\\xfe\\xc3("));
	assert_non_null(strstr(text, "&amp;amp;"));
	for (c = text; *c; c++)
		assert_true((unsigned char)*c >= 0x20 || *c == '\n' || *c == '\t');
	assert_true(n < 64000); /* 64 KiB names are cut */
	free(text);
	profile__free(p);
}

/* A character is not cut in two, wherever the end of what is shown comes. */
static void test_svg_long_names(void **state)
{
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	size_t shift, i;

	for (shift = 0; shift < 4; shift++) {
		struct profile *p = sample__new();
		char name[4100], *text;

		memset(name, 'a', shift);
		for (i = shift; i + 4 < sizeof(name); i += 4)
			memcpy(name + i, "\xf0\x9f\x98\x80", 4);
		name[i] = '\0';
		SAMPLE(p, "app", 1, sample__frame(p, name));
		text = sample__print(FLAME_SVG, p, &opts, NULL);
		assert_null(strstr(text, "\\x"));
		assert_non_null(strstr(text, "\xf0\x9f\x98\x80\xe2\x80\xa6"));
		free(text);
		profile__free(p);
	}
}

/* Nothing, and more than a double's 53 bits. */
static void test_svg_ends(void **state)
{
	struct profile *p = sample__new();
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	char *text = sample__print(FLAME_SVG, p, &opts, NULL);

	assert_non_null(strstr(text, "<title>all\n0 faults, 0.00%</title>"));
	assert_null(strstr(text, "nan"));
	free(text);
	SAMPLE(p, "a", 1ULL << 63, sample__frame(p, "f"));
	SAMPLE(p, "a", 1ULL << 63, sample__frame(p, "g"));
	text = sample__print(FLAME_SVG, p, &opts, NULL);
	assert_non_null(
		strstr(text, "<title>f\n/bin/app\n9,223,372,036,854,775,808 faults, 50.00%"));
	assert_non_null(
		strstr(text, "data-s=\"9223372036854775808\" data-w=\"9223372036854775808\""));
	free(text);
	profile__free(p);
}

/* ---- speedscope ---- */

static json_t *speedscope_of(const struct profile *p, const struct flame_opts *opts)
{
	char *text = sample__print(FLAME_SPEEDSCOPE, p, opts, NULL);
	json_error_t error;
	json_t *root = json_loads(text, 0, &error);

	if (!root)
		fail_msg("%s, line %d", error.text, error.line);
	free(text);
	return root;
}

/* Samples and weights of a profile agree with each other; their sum. */
static json_int_t sum_of(const json_t *root, size_t i)
{
	json_t *profile = json_array_get(json_object_get(root, "profiles"), i), *stack, *frame,
	       *weight;
	json_t *samples = json_object_get(profile, "samples"),
	       *weights = json_object_get(profile, "weights");
	size_t frames = json_array_size(json_object_get(json_object_get(root, "shared"), "frames"));
	json_int_t sum = 0;
	size_t k, m;

	assert_int_equal(json_array_size(samples), json_array_size(weights));
	json_array_foreach (weights, k, weight) {
		assert_true(json_integer_value(weight) > 0);
		sum += json_integer_value(weight);
	}
	json_array_foreach (samples, k, stack)
		json_array_foreach (stack, m, frame)
			assert_in_range(json_integer_value(frame), 0, frames - 1);
	assert_int_equal(json_integer_value(json_object_get(profile, "startValue")), 0);
	assert_int_equal(json_integer_value(json_object_get(profile, "endValue")), sum);
	return sum;
}

static const char *word(const json_t *root, const char *list, size_t i, const char *key)
{
	return json_string_value(
		json_object_get(json_array_get(json_object_get(root, list), i), key));
}

static void test_speedscope(void **state)
{
	struct profile *p = sample__new();
	struct flame_opts opts = sample__opts(PROFILE_STALL);
	__u32 main_ = sample__frame(p, "main"), f = sample__frame(p, "f");
	json_t *root = speedscope_of(p, &opts);

	assert_int_equal(sum_of(root, 0), 0);
	json_decref(root);
	SAMPLE(p, "app", 3, main_, f);
	SAMPLE(p, "app", 4, main_);
	opts.command = "run";
	root = speedscope_of(p, &opts);
	assert_string_equal(json_string_value(json_object_get(root, "name")), "run");
	assert_int_equal(json_integer_value(json_object_get(root, "activeProfileIndex")), 2);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 3);
	assert_int_equal(sum_of(root, 0), 7);
	assert_int_equal(sum_of(root, 1), 7 * 4096);
	assert_int_equal(sum_of(root, 2), 700);
	assert_string_equal(word(root, "profiles", 0, "unit"), "none");
	assert_string_equal(word(root, "profiles", 1, "unit"), "bytes");
	assert_string_equal(word(root, "profiles", 2, "unit"), "nanoseconds");
	json_decref(root);

	/* What was not measured is left out. */
	opts = (struct flame_opts){ .weight = PROFILE_BYTES, .known = FLAME_KNOWS(PROFILE_FAULTS) };
	root = speedscope_of(p, &opts);
	assert_int_equal(json_array_size(json_object_get(root, "profiles")), 2);
	assert_int_equal(json_integer_value(json_object_get(root, "activeProfileIndex")), 1);
	json_decref(root);
	profile__free(p);
}

static void test_speedscope_hostile(void **state)
{
	struct profile *p = sample__hostile();
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	json_t *root, *frames, *frame;
	bool found = false;
	size_t i;

	opts.title = "\xff\"\n";
	root = speedscope_of(p, &opts);
	assert_int_equal(sum_of(root, 0), sample_names_n * (sample_names_n + 1) / 2);
	frames = json_object_get(json_object_get(root, "shared"), "frames");
	json_array_foreach (frames, i, frame) {
		const char *file = json_string_value(json_object_get(frame, "file"));

		found |=
			file && !strcmp(file, "/bin/app") &&
			!strcmp(json_string_value(json_object_get(frame, "name")), sample_names[0]);
	}
	assert_true(found);
	json_decref(root);
	profile__free(p);
}

/* ---- protobuf and pprof ---- */

static void test_protobuf(void **state)
{
	static const char wanted[] = "\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x22\x00"
				     "\x28\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
	struct writer w = { 0 }, m = { 0 };

	/* The examples of the encoding's description. */
	protobuf__u64(&w, 1, 150);
	protobuf__u64(&w, 1, 0);
	protobuf__bytes(&w, 2, "testing", 7);
	protobuf__u64(&m, 1, 150);
	protobuf__message(&w, 3, &m);
	protobuf__message(&w, 4, &m);
	protobuf__u64(&w, 5, (__u64)-1);
	assert_int_equal(w.len, sizeof(wanted) - 1);
	assert_memory_equal(w.buf, wanted, sizeof(wanted) - 1);
	free(w.buf);
	free(m.buf);
}

/* A message being read. */
struct bytes {
	const unsigned char *p, *end;
};

static __u64 varint(struct bytes *b)
{
	__u64 v = 0;
	int shift = 0;

	do {
		assert_true(b->p < b->end && shift < 64);
		v |= (__u64)(*b->p & 0x7f) << shift;
		shift += 7;
	} while (*b->p++ & 0x80);
	return v;
}

/* The next field, false at the end: its number, and its value or content. */
static bool field(struct bytes *b, unsigned int *number, __u64 *value, struct bytes *content)
{
	__u64 tag;

	if (b->p == b->end)
		return false;
	tag = varint(b);
	*number = tag >> 3;
	*value = varint(b);
	if ((tag & 7) == 2) {
		assert_true(*value <= (__u64)(b->end - b->p));
		*content = (struct bytes){ b->p, b->p + *value };
		b->p = content->end;
	} else {
		assert_int_equal(tag & 7, 0);
	}
	return true;
}

static struct bytes pprof_of(const struct profile *p, const struct flame_opts *opts)
{
	size_t n, room = 1 << 22;
	char *text = sample__print(FLAME_PPROF, p, opts, &n);
	unsigned char *plain = malloc(room);
	z_stream z = { .next_in = (unsigned char *)text, .avail_in = n };

	z.next_out = plain;
	z.avail_out = room;
	assert_int_equal(inflateInit2(&z, MAX_WBITS + 16), Z_OK);
	assert_int_equal(inflate(&z, Z_FINISH), Z_STREAM_END);
	assert_int_equal(z.avail_in, 0);
	inflateEnd(&z);
	free(text);
	return (struct bytes){ plain, plain + z.total_out };
}

/* How many fields of a number there are; the last one's content. */
static size_t count(struct bytes b, unsigned int wanted, struct bytes *last)
{
	struct bytes content = { 0 };
	unsigned int number;
	__u64 value;
	size_t n = 0;

	while (field(&b, &number, &value, &content))
		if (number == wanted) {
			n++;
			*last = content;
		}
	return n;
}

/* The last value of a field of a message, 0 where it is not there. */
static __u64 value_of(struct bytes b, unsigned int wanted)
{
	struct bytes content;
	unsigned int number;
	__u64 value, found = 0;

	while (field(&b, &number, &value, &content))
		if (number == wanted)
			found = value;
	return found;
}

static void test_pprof(void **state)
{
	struct profile *p = sample__new();
	struct flame_opts opts = sample__opts(PROFILE_FAULTS);
	const struct profile_mapping map = { 0x1000, 0x9000, 0, "/bin/app", "00ff" };
	struct profile_frame f = { .name = "outer", .address = 0x2000, .is_return = true };
	struct bytes b, part, line;
	__u32 outer, inner, leaf;

	assert_int_equal(profile__add_mapping(p, &map, &f.mapping), 0);
	assert_int_equal(profile__add_frame(p, &f, &outer), 0);
	f.name = "inner";
	f.inlined = true;
	f.line = 7;
	assert_int_equal(profile__add_frame(p, &f, &inner), 0);
	f = (struct profile_frame){ .address = 0x3000, .object = "/lib/b.so (deleted)" };
	assert_int_equal(profile__add_frame(p, &f, &leaf), 0);
	SAMPLE(p, "app", 2, outer, inner);
	SAMPLE(p, "app", 0, outer);
	SAMPLE(p, "app", 3, outer, inner, leaf);

	b = pprof_of(p, &opts);
	assert_int_equal(count(b, 1, &part), 3); /* sample types */
	assert_int_equal(count(b, 2, &part), 2); /* samples */
	assert_int_equal(count(part, 1, &line), 1);
	assert_int_equal(line.end - line.p, 2);     /* packed: the leaf, then outer with inner */
	assert_int_equal(count(part, 3, &line), 4); /* comm, region, pid, tid */
	assert_int_equal(count(b, 3, &part), 2);    /* mappings */
	assert_int_equal(value_of(part, 2), 0);
	assert_int_equal(value_of(part, 7), 0);  /* no function is known there */
	assert_int_equal(count(b, 5, &part), 2); /* functions */
	assert_int_equal(count(b, 4, &part), 2); /* locations */
	assert_int_equal(value_of(part, 3), 0x3000);
	assert_int_equal(count(part, 4, &line), 0);
	free((void *)b.p);

	profile__free(p);
	p = sample__new();
	f = (struct profile_frame){ .name = "f", .address = 0x2000, .is_return = true };
	assert_int_equal(profile__add_frame(p, &f, &outer), 0);
	SAMPLE(p, "app", 1ULL << 63, outer);
	b = pprof_of(p, &opts);
	assert_int_equal(count(b, 4, &part), 1);
	assert_int_equal(value_of(part, 3), 0x1fff); /* the call, not what comes after it */
	assert_int_equal(count(b, 2, &part), 1);
	assert_int_equal(count(part, 2, &line), 1);
	assert_true(varint(&line) == ~0ULL >> 1); /* int64 */
	free((void *)b.p);
	profile__free(p);
}

static void test_pprof_ends(void **state)
{
	struct profile *p = sample__new();
	struct flame_opts opts = sample__opts(PROFILE_BYTES);
	struct bytes b = pprof_of(p, &opts), part = { 0 };

	assert_int_equal(count(b, 1, &part), 3);
	assert_int_equal(count(b, 2, &part), 0);
	free((void *)b.p);
	profile__free(p);

	p = sample__hostile();
	opts.command = "\x1b[31m\xff";
	b = pprof_of(p, &opts);
	assert_int_equal(count(b, 2, &part), sample_names_n);
	assert_null(memmem(b.p, b.end - b.p, "\x1b[31m", 5));
	assert_non_null(memmem(b.p, b.end - b.p, "\\x1b[31m\\xff", 12));
	free((void *)b.p);
	profile__free(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_svg),
		cmocka_unit_test(test_svg_hostile),
		cmocka_unit_test(test_svg_long_names),
		cmocka_unit_test(test_svg_ends),
		cmocka_unit_test(test_speedscope),
		cmocka_unit_test(test_speedscope_hostile),
		cmocka_unit_test(test_protobuf),
		cmocka_unit_test(test_pprof),
		cmocka_unit_test(test_pprof_ends),
	};

	return cmocka_run_group_tests_name("flame_formats", tests, NULL, NULL);
}
