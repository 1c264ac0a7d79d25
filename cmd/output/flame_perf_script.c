/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Samples as perf_sample__fprintf_start() and sample__fprintf_callchain() of tools/perf (6.x) print
 * them for -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso, within what stackcollapse-perf.pl
 * and the importers of speedscope and the Firefox Profiler match: two blanks or more before the pid
 * and none around names; nothing behind the event; objects without blanks and parentheses. No
 * comment comes first: the Firefox Profiler then takes the file for something else.
 */
#include <errno.h>
#include <stdlib.h>

#include "output/flame_impl.h"
#include "output/line.h"

struct flame_script {
	struct writer w, scratch;
};

struct flame_script *flame_script__new(FILE *out)
{
	struct flame_script *s = calloc(1, sizeof(*s));

	if (s)
		s->w.out = out;
	return s;
}

void flame_script__free(struct flame_script *s)
{
	if (!s)
		return;
	free(s->w.buf);
	free(s->scratch.buf);
	free(s);
}

/*
 * Readers find the end of the name by the first blanks and digits after it: a blank stays only
 * where no digit follows and it is inside.
 */
static void put_comm(struct flame_script *s, const char *comm)
{
	struct writer *x = &s->scratch;
	size_t i;

	x->len = 0;
	writer__escaped(x, comm, strlen(comm));
	if (x->err) {
		s->w.err = s->w.err ? s->w.err : x->err;
		return;
	}
	if (!x->len)
		writer__lit(x, "[unknown]");
	for (i = 0; i < x->len; i++)
		if (x->buf[i] == ' ' && (!i || i + 1 == x->len || x->buf[i + 1] == ' ' ||
					 (x->buf[i + 1] >= '0' && x->buf[i + 1] <= '9')))
			x->buf[i] = '_';
	if (x->buf[0] == '#') /* a comment to stackcollapse-perf.pl */
		x->buf[0] = '_';
	writer__mem(&s->w, x->buf, x->len);
}

/* A number, with blanks before it up to `width`, and `least` of them. */
static void put_right(struct writer *w, __u64 v, int width, int least)
{
	char tmp[20], *p = line__digits(tmp, v, 1);
	int n = tmp + sizeof(tmp) - p, blanks = width - n < least ? least : width - n;

	for (; blanks > 0; blanks--)
		writer__char(w, ' ');
	writer__mem(w, p, n);
}

static void put_start(struct flame_script *s, const struct flame_sample *sample)
{
	struct writer *w = &s->w;
	__u64 us = sample->time_ns / 1000;

	put_comm(s, sample->comm ? sample->comm : "");
	/* "%s %7d/%-7d [%03d] %5lu.%06lu: %10llu %s: " */
	put_right(w, sample->pid, 8, 2);
	writer__fmt(w, "/%-7u [%03u] %5llu.%06llu: ", sample->tid, sample->cpu,
		    (unsigned long long)us / 1000000, (unsigned long long)us % 1000000);
	put_right(w, sample->period, 10, 0);
	writer__char(w, ' ');
	writer__str(w, sample->event);
	writer__lit(w, ": \n");
}

/* The object in parentheses, as the readers' \S* and [^)]* match it. */
static void put_object(struct flame_script *s, const char *object)
{
	struct writer *x = &s->scratch;
	size_t i;

	x->len = 0;
	writer__escaped(x, object, flame_object__len(object));
	if (x->err) {
		s->w.err = s->w.err ? s->w.err : x->err;
		return;
	}
	for (i = 0; i < x->len; i++)
		if (x->buf[i] == ' ' || x->buf[i] == '(' || x->buf[i] == ')')
			x->buf[i] = '_';
	writer__mem(&s->w, x->buf, x->len);
}

static void put_frame(struct flame_script *s, const struct profile_frame *f)
{
	struct writer *w = &s->w;
	bool named = f->name && *f->name;
	bool code = f->kind != PROFILE_REGION && f->kind != PROFILE_NOTE;

	writer__char(w, '\t');
	writer__hex(w, code ? f->address : 0, 16);
	writer__char(w, ' ');
	if (named)
		writer__escaped(w, f->name, strlen(f->name));
	else
		writer__lit(w, "[unknown]");
	if (named && code) {
		writer__lit(w, "+0x");
		writer__hex(w, f->sym_offset, 0);
	}
	writer__lit(w, " (");
	if (f->inlined)
		writer__lit(w, "inlined");
	else if (!code)
		writer__str(w, f->kind == PROFILE_REGION ? "region" : "note");
	else if (f->object && *f->object)
		put_object(s, f->object);
	else
		writer__lit(w, "[unknown]");
	writer__lit(w, ")\n");
}

int flame_script__sample(struct flame_script *s, const struct profile *p,
			 const struct flame_sample *sample)
{
	const __u32 *stack;
	size_t n;

	if (s->w.err || !sample->period)
		return s->w.err;
	stack = profile__stack(p, sample->stack, &n);
	put_start(s, sample);
	while (n-- > 0)
		put_frame(s, profile__frame(p, stack[n]));
	writer__char(&s->w, '\n');
	return s->w.err;
}

int flame_script__finish(struct flame_script *s)
{
	return writer__finish(&s->w);
}
