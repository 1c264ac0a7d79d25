/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdarg.h>
#include <string.h>

#include "base/kind_names.h"
#include "base/text.h"
#include "base/units.h"
#include "output/report.h"
#include "output/table.h"

#define WORD_BYTES (4 * 4096 + 1) /* a path, escaped */

void paragraph__text(struct paragraph *p, const char *between, const char *item)
{
	size_t columns = text_columns(item);

	if (p->column && p->column + text_columns(between) + columns > p->width) {
		fputc('\n', p->f);
		p->column = 0;
	}
	if (!p->column)
		between = p->indent;
	fprintf(p->f, "%s%s", between, item);
	p->column += text_columns(between) + columns;
}

void paragraph__item(struct paragraph *p, const char *between, const char *fmt, ...)
{
	char item[1024];
	va_list args;

	va_start(args, fmt);
	vsnprintf(item, sizeof(item), fmt, args);
	va_end(args);
	paragraph__text(p, between, item);
}

void report_text__words(FILE *f, size_t width, const char *indent, const char *raw)
{
	struct paragraph p = { .f = f, .width = width, .indent = indent };
	char word[WORD_BYTES];
	size_t n;

	for (;; raw += n + 1) {
		n = strcspn(raw, " ");
		text_escape_controls(word, sizeof(word), raw, n);
		paragraph__text(&p, " ", word);
		if (!raw[n])
			break;
	}
	fputc('\n', f);
}

void report_text__interval(FILE *f, __u64 time_ns)
{
	fprintf(f, "[%llu.%03llu s]\n", (unsigned long long)time_ns / 1000000000,
		(unsigned long long)time_ns / 1000000 % 1000);
}

void report_text__left_out(FILE *f, size_t width, const char *left_out)
{
	char line[512];

	if (!left_out[0])
		return;
	snprintf(line, sizeof(line),
		 "(no room for %s: a wider terminal, -j and --csv have all columns)", left_out);
	report_text__words(f, width, "", line);
}

void report_text__lost(FILE *f, size_t width, const __u64 lost[FS_LOSS_NR], __u64 no_memory)
{
	char line[512], count[FMT_LEN];
	bool any = no_memory;
	size_t i;

	for (i = 0; i < FS_LOSS_NR; i++) {
		if (!lost[i])
			continue;
		snprintf(line, sizeof(line), "lost: %s %s: %s",
			 fmt_count(count, sizeof(count), lost[i]), loss_name(i), loss_desc(i));
		report_text__words(f, width, "", line);
		any = true;
	}
	if (no_memory) {
		snprintf(line, sizeof(line), "lost: %s no_memory: no memory for another row",
			 fmt_count(count, sizeof(count), no_memory));
		report_text__words(f, width, "", line);
	}
	if (!any)
		fputs("lost: none\n", f);
}

int report__done(FILE *f)
{
	return fflush(f) || ferror(f) ? -EIO : 0;
}
