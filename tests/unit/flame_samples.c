/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "flame_samples.h"

static char longest[65537];

const char *const sample_names[] = {
	"two\nlines\r\t\x1b[31m",
	"semi;colon",
	"blank and 12",
	"]]><script>x</script>",
	"</title><b>",
	"\"quoted'",
	"&amp;",
	"\xff\xfe\xc3(",
	"\xef\xbf\xbe\xef\xbf\xbf",
	"\xe2\x80\xa8 \xc2\xa0",
	"\xe2\x80\xaemoc",
	"back\\slash",
	"\xe6\xbc\xa2\xe5\xad\x97",
	"",
	" ",
	longest,
};
const size_t sample_names_n = sizeof(sample_names) / sizeof(sample_names[0]);

struct profile *sample__new(void)
{
	struct profile *p = profile__new();

	assert_non_null(p);
	memset(longest, 'x', sizeof(longest) - 1);
	return p;
}

__u32 sample__frame(struct profile *p, const char *name)
{
	const struct profile_frame f = { .name = name, .object = "/bin/app" };
	__u32 id;

	assert_int_equal(profile__add_frame(p, &f, &id), 0);
	return id;
}

__u32 sample__stack(struct profile *p, size_t n, const __u32 *frames)
{
	__u32 id;

	assert_int_equal(profile__add_stack(p, frames, n, &id), 0);
	return id;
}

void sample__add(struct profile *p, const char *comm, __u64 faults, size_t n, const __u32 *frames)
{
	const struct profile_labels labels = { .comm = comm, .region = "heap", .pid = 7, .tid = 8 };
	const struct profile_weights w = { { faults, faults * 4096, faults * 100 } };

	assert_int_equal(profile__add(p, sample__stack(p, n, frames), &labels, &w), 0);
}

struct profile *sample__hostile(void)
{
	struct profile *p = sample__new();
	size_t i;

	for (i = 0; i < sample_names_n; i++)
		SAMPLE(p, sample_names[i], i + 1, sample__frame(p, "main"),
		       sample__frame(p, sample_names[i]));
	return p;
}

struct flame_opts sample__opts(enum profile_weight weight)
{
	return (struct flame_opts){ .weight = weight, .known = (1U << PROFILE_WEIGHT_NR) - 1 };
}

char *sample__print(enum flame_format format, const struct profile *p,
		    const struct flame_opts *opts, size_t *n)
{
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(f);
	assert_int_equal(flame__print(format, f, p, opts), 0);
	fclose(f);
	if (n)
		*n = size;
	return text;
}
