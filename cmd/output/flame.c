/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <string.h>

#include "output/flame_impl.h"

const struct flame_unit flame_units[PROFILE_WEIGHT_NR] = {
	[PROFILE_FAULTS] = { "faults", "Page faults", "none", "count" },
	[PROFILE_BYTES] = { "bytes", "Memory made present by page faults", "bytes", "bytes" },
	[PROFILE_STALL] = { "stall", "Time spent in page faults", "nanoseconds", "nanoseconds" },
};

static const struct {
	const char *name, *desc;
	flame_print_fn *print; /* NULL: samples one by one */
} formats[FLAME_FORMAT_NR] = {
	[FLAME_FOLDED] = { "folded", "a line for each stack: flamegraph.pl, speedscope, Perfetto",
			   flame_folded__print },
	[FLAME_PERF_SCRIPT] = { "perf-script", "a sample for each fault: what reads perf script",
				NULL },
	[FLAME_SVG] = { "svg", "a flame graph to open in a browser", flame_svg__print },
	[FLAME_SPEEDSCOPE] = { "speedscope", "JSON for speedscope", flame_speedscope__print },
	[FLAME_PPROF] = { "pprof", "for go tool pprof", flame_pprof__print },
};

const char *flame_format__name(enum flame_format format)
{
	return format < FLAME_FORMAT_NR ? formats[format].name : NULL;
}

const char *flame_format__desc(enum flame_format format)
{
	return format < FLAME_FORMAT_NR ? formats[format].desc : NULL;
}

int flame_format__parse(const char *name)
{
	int i;

	for (i = 0; i < FLAME_FORMAT_NR; i++)
		if (!strcmp(name, formats[i].name))
			return i;
	return -1;
}

const char *flame_weight__name(enum profile_weight weight)
{
	return weight < PROFILE_WEIGHT_NR ? flame_units[weight].name : NULL;
}

int flame_weight__parse(const char *name)
{
	int i;

	for (i = 0; i < PROFILE_WEIGHT_NR; i++)
		if (!strcmp(name, flame_units[i].name))
			return i;
	return -1;
}

int flame__print(enum flame_format format, FILE *out, const struct profile *p,
		 const struct flame_opts *opts)
{
	struct writer w = { .out = out };
	int err, werr;

	if (format >= FLAME_FORMAT_NR || !formats[format].print ||
	    opts->weight >= PROFILE_WEIGHT_NR)
		return -EINVAL;
	err = formats[format].print(&w, p, opts);
	werr = writer__finish(&w);
	return err ? err : werr;
}

size_t flame_object__len(const char *object)
{
	static const char deleted[] = " (deleted)";
	size_t n = strlen(object), tail = sizeof(deleted) - 1;

	/* As d_path() appends it, fs/d_path.c. */
	return n > tail && !strcmp(object + n - tail, deleted) ? n - tail : n;
}

const char *flame_object__base(const char *object, size_t *n)
{
	size_t len = flame_object__len(object);
	const char *slash = memrchr(object, '/', len);
	const char *base = slash ? slash + 1 : object;

	*n = object + len - base;
	return base;
}

void flame_frame__name(struct writer *w, const struct profile_frame *frame)
{
	const char *base;
	size_t n = 0;

	if (frame->name && *frame->name) {
		writer__str(w, frame->name);
		return;
	}
	base = frame->object ? flame_object__base(frame->object, &n) : NULL;
	if (!n) {
		writer__lit(w, "[unknown]");
	} else if (base[0] == '[') {
		writer__mem(w, base, n);
	} else {
		writer__char(w, '[');
		writer__mem(w, base, n);
		writer__char(w, ']');
	}
}
