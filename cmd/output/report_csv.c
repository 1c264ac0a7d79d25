/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

#include "base/kind_names.h"
#include "output/frames.h"
#include "output/report.h"

typedef unsigned long long ull;

/* In quotes where RFC 4180 wants them: around commas, quotes and line ends (escaped already). */
static void print_quoted(FILE *f, const char *text)
{
	const char *p = text;

	if (!strpbrk(text, ",\"")) {
		fputs(text, f);
		return;
	}
	fputc('"', f);
	for (; *p; p++) {
		if (*p == '"')
			fputc('"', f);
		fputc(*p, f);
	}
	fputc('"', f);
}

/* Prints the cell, and frees it. */
static int put_cell(FILE *f, struct writer *text)
{
	writer__char(text, '\0');
	if (!text->err)
		print_quoted(f, text->buf);
	free(text->buf);
	return text->err;
}

int report_csv__text(FILE *f, const char *raw)
{
	struct writer text = { 0 };

	writer__escaped(&text, raw, strlen(raw));
	return put_cell(f, &text);
}

int report_csv__stack(FILE *f, const struct profile *profile, __u32 stack)
{
	struct writer text = { 0 };

	frames__folded(&text, profile, stack);
	return put_cell(f, &text);
}

void report_csv__time(FILE *f, __u64 time_ns)
{
	fprintf(f, "%llu.%03llu,", (ull)time_ns / 1000000000, (ull)time_ns / 1000000 % 1000);
}

void report_csv__lost(char *buf, size_t size, const __u64 lost[FS_LOSS_NR], __u64 no_memory)
{
	size_t used = snprintf(buf, size, "lost:");
	bool any = false;
	int i;

	for (i = 0; i <= FS_LOSS_NR && used < size; i++) {
		__u64 n = i < FS_LOSS_NR ? lost[i] : no_memory;

		if (!n)
			continue;
		used += snprintf(buf + used, size - used, "%s %llu %s", any ? "," : "", (ull)n,
				 i < FS_LOSS_NR ? loss_name(i) : "no_memory");
		any = true;
	}
	if (!any && used < size)
		snprintf(buf + used, size - used, " none");
}
