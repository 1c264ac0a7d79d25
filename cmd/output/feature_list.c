// SPDX-License-Identifier: GPL-2.0-only
#include "output/feature_list.h"

#include <errno.h>
#include <jansson.h>

static void print_text(FILE *f, const struct feature_line *l, size_t n, const char *release,
		       const char *machine)
{
	fprintf(f, "Linux %s %s\n\n%-20s %-9s %s\n", release, machine, "FEATURE", "STATE",
		"USED FOR");
	for (size_t i = 0; i < n; i++) {
		fprintf(f, "%-20s %-9s %s\n", l[i].name, l[i].state, l[i].what);
		if (l[i].used)
			continue;
		if (*l[i].why)
			fprintf(f, "%30s why:     %s\n", "", l[i].why);
		if (*l[i].fallback)
			fprintf(f, "%30s instead: %s\n", "", l[i].fallback);
		fprintf(f, "%30s lost:    %s\n", "", l[i].loss);
	}
}

static void print_json(FILE *f, const struct feature_line *l, size_t n, const char *release,
		       const char *machine)
{
	json_t *list = json_array(), *top;

	for (size_t i = 0; i < n; i++)
		json_array_append_new(list,
				      json_pack("{ss ss ss ss ss ss}", "name", l[i].name, "state",
						l[i].state, "use", l[i].what, "why", l[i].why,
						"fallback", l[i].fallback, "loss", l[i].loss));
	top = json_pack("{ss ss ss so}", "schema", "faultsnoop-features-1", "kernel", release,
			"machine", machine, "features", list);
	if (top)
		json_dumpf(top, f, JSON_COMPACT);
	fputc('\n', f);
	json_decref(top);
}

static void csv_field(FILE *f, const char *s, char end)
{
	fputc('"', f);
	for (; *s; s++) {
		if (*s == '"')
			fputc('"', f);
		fputc(*s, f);
	}
	fputc('"', f);
	fputc(end, f);
}

static void print_csv(FILE *f, const struct feature_line *l, size_t n)
{
	fputs("name,state,use,why,fallback,loss\r\n", f);
	for (size_t i = 0; i < n; i++) {
		csv_field(f, l[i].name, ',');
		csv_field(f, l[i].state, ',');
		csv_field(f, l[i].what, ',');
		csv_field(f, l[i].why, ',');
		csv_field(f, l[i].fallback, ',');
		csv_field(f, l[i].loss, '\r');
		fputc('\n', f);
	}
}

int feature_list__print(FILE *f, enum format format, const struct feature_line *lines, size_t n,
			const char *release, const char *machine)
{
	if (format == FORMAT_JSON)
		print_json(f, lines, n, release, machine);
	else if (format == FORMAT_CSV)
		print_csv(f, lines, n);
	else
		print_text(f, lines, n, release, machine);
	return ferror(f) ? -EIO : 0;
}
