/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Columns for people. Each value stands under its name for the usual sizes; what may be long and
 * comes from strangers (the owner) stands late, so that a long one moves only what follows it.
 */
#include <time.h>

#include "base/kind_names.h"
#include "output/call_text.h"
#include "output/table.h"
#include "output/trace_impl.h"

#define NS_PER_MIN 60000000000LL

#define SECONDS_WIDTH 11 /* 9999.123456 */
#define CLOCK_WIDTH   15 /* HH:MM:SS.uuuuuu */
#define LATENCY_WIDTH 7
#define COMM_WIDTH    15 /* TASK_COMM_LEN - 1 */
#define PID_WIDTH     11 /* 12345/12345; grows with the longest */
#define CPU_WIDTH     3
#define RESULT_WIDTH  4
#define ACCESS_WIDTH  3
#define ADDR_WIDTH    14 /* user addresses of 47 bits */
#define REGION_WIDTH  12 /* thread-stack */
#define CLASS_WIDTH   8
#define OWNER_WIDTH   24

/* Seconds and microseconds, "-" before what was under way when the trace began. */
static void put_seconds(struct trace_printer *tp, __u64 time_ns)
{
	__s64 ns = time_ns - tp->opts.start_ns;
	__u64 us = (ns < 0 ? -(__u64)ns : (__u64)ns) / 1000;
	char tmp[20], *p = line__digits(tmp, us / 1000000, 1);
	size_t n = tmp + 20 - p + (ns < 0) + 7;

	if (n < SECONDS_WIDTH)
		line__fill(&tp->line, ' ', SECONDS_WIDTH - n);
	if (ns < 0)
		line__char(&tp->line, '-');
	line__mem(&tp->line, p, tmp + 20 - p);
	line__char(&tp->line, '.');
	line__zeros(&tp->line, us % 1000000, 6);
}

/*
 * The time of day. localtime_r() takes a lock and searches the zone's rules; the minute is
 * remembered, since time zones are whole minutes away from UTC.
 */
static void put_clock(struct trace_printer *tp, __u64 time_ns)
{
	__s64 wall_ns = trace__wall_ns(tp, time_ns);
	__s64 minute = wall_ns / NS_PER_MIN, ns = wall_ns % NS_PER_MIN;
	__u64 us;

	if (ns < 0) {
		ns += NS_PER_MIN;
		minute--;
	}
	us = ns / 1000;

	if (minute != tp->clock_minute) {
		time_t seconds = minute * 60;
		struct tm tm = { 0 };

		localtime_r(&seconds, &tm);
		tp->clock_text[0] = '0' + tm.tm_hour / 10;
		tp->clock_text[1] = '0' + tm.tm_hour % 10;
		tp->clock_text[2] = ':';
		tp->clock_text[3] = '0' + tm.tm_min / 10;
		tp->clock_text[4] = '0' + tm.tm_min % 10;
		tp->clock_text[5] = ':';
		tp->clock_minute = minute;
	}
	line__mem(&tp->line, tp->clock_text, sizeof(tp->clock_text));
	line__zeros(&tp->line, us / 1000000, 2);
	line__char(&tp->line, '.');
	line__zeros(&tp->line, us % 1000000, 6);
}

/* Microseconds with as many decimals, up to two, as leave it LATENCY_WIDTH wide. */
static void put_latency(struct line *l, __u64 ns)
{
	if (ns < 9999995) {
		ns += 5;
		line__right(l, ns / 1000, LATENCY_WIDTH - 3);
		line__char(l, '.');
		line__zeros(l, ns % 1000 / 10, 2);
	} else if (ns < 99999950) {
		ns += 50;
		line__right(l, ns / 1000, LATENCY_WIDTH - 2);
		line__char(l, '.');
		line__zeros(l, ns % 1000 / 100, 1);
	} else {
		line__right(l, ns / 1000 + (ns % 1000 >= 500), LATENCY_WIDTH);
	}
}

/* Columns that a terminal needs for what was appended since `from`. */
static size_t columns_since(struct line *l, size_t from)
{
	size_t n = l->len - from;
	char *end;

	if (line__plain(l->buf + from, n, '\\', '\\'))
		return n;
	end = line__room(l, 1);
	if (!end)
		return n;
	*end = '\0';
	return text_columns(l->buf + from);
}

/* One that escapes made too long is cut and ends in '~': JSON has it whole. */
static void put_comm(struct line *l, const char *comm)
{
	size_t n = strnlen(comm, FS_COMM_LEN), from = l->len, columns;
	char cut[COMM_WIDTH];

	line__escaped(l, comm, n);
	columns = columns_since(l, from);
	if (columns > COMM_WIDTH) {
		/* No character has more columns than bytes. */
		l->len = from;
		line__mem(l, cut, text_escape(cut, sizeof(cut), comm, n));
		line__char(l, '~');
		columns = columns_since(l, from);
	}
	line__fill(l, ' ', COMM_WIDTH - columns + 1);
}

/* What every line of an event begins with, up to the blank after the CPU. */
static void put_start(struct trace_printer *tp, __u64 time_ns, bool timed, __u64 latency_ns,
		      const char *comm, __u32 pid, __u32 tid, __u32 cpu)
{
	struct line *l = &tp->line;
	size_t from;

	if (tp->opts.wall)
		put_clock(tp, time_ns);
	else
		put_seconds(tp, time_ns);
	line__char(l, ' ');
	if (timed)
		put_latency(l, latency_ns);
	else
		line__lit(l, "      -");
	line__char(l, ' ');
	put_comm(l, comm);
	from = l->len;
	line__u64(l, pid);
	line__char(l, '/');
	line__u64(l, tid);
	if (l->len - from > tp->pid_width)
		tp->pid_width = l->len - from;
	line__pad(l, from, tp->pid_width + 1, 1);
	line__right(l, cpu, CPU_WIDTH);
	line__char(l, ' ');
}

static void put_event_start(struct trace_printer *tp, const struct fs_head *head, const char *comm)
{
	put_start(tp, head->time_ns, false, 0, comm, head->pid, head->tid, head->cpu);
}

static void put_column(struct line *l, const char *s, size_t width)
{
	size_t from = l->len;

	line__str(l, s);
	line__pad(l, from, width + 1, 1);
}

static void text_header(struct trace_printer *tp)
{
	struct line *l = &tp->line;
	size_t width = tp->opts.wall ? CLOCK_WIDTH : SECONDS_WIDTH;

	tp->pid_width = PID_WIDTH;
	put_column(l, tp->opts.wall ? "TIME" : "    TIME(s)", width);
	put_column(l, "LAT(us)", LATENCY_WIDTH);
	put_column(l, "COMM", COMM_WIDTH);
	put_column(l, "PID/TID", PID_WIDTH);
	put_column(l, "CPU", CPU_WIDTH);
	put_column(l, "TYPE", RESULT_WIDTH);
	put_column(l, "ACC", ACCESS_WIDTH);
	put_column(l, "ADDRESS", ADDR_WIDTH);
	put_column(l, "REGION", REGION_WIDTH);
	put_column(l, "CLASS", CLASS_WIDTH);
	put_column(l, "OWNER+OFFSET", OWNER_WIDTH);
	line__lit(l, "IP");
	if (tp->opts.variables)
		line__lit(l, " <VARIABLE+OFFSET>");
}

static const char *result_text(const struct fs_fault *f)
{
	if (f->class == FS_CLASS_FIXUP)
		return "fix  ";
	if (f->flags & FS_FAULT_FAILED)
		return "FAIL ";
	return f->flags & FS_FAULT_MAJOR ? "maj  " : "min  ";
}

/* R, W or X, and k for an access in kernel mode. */
static void put_access(struct line *l, const struct fs_fault *f)
{
	static const char letters[FS_ACCESS_NR] = {
		[FS_ACCESS_READ] = 'R',
		[FS_ACCESS_WRITE] = 'W',
		[FS_ACCESS_EXEC] = 'X',
		[FS_ACCESS_UNKNOWN] = '?',
	};

	line__char(l, f->access < FS_ACCESS_NR ? letters[f->access] : '?');
	line__char(l, f->flags & FS_FAULT_KERNEL ? 'k' : ' ');
	line__lit(l, "  ");
}

static void put_owner(struct line *l, const struct place *pl, __u64 addr)
{
	size_t from = l->len, columns;
	char owner[OWNER_BYTES];
	__u64 offset;

	place__owner(pl, owner, sizeof(owner));
	line__escaped(l, owner, strlen(owner));
	if (place_offset(pl, addr, &offset)) {
		line__char(l, '+');
		line__hex(l, offset);
	}
	columns = columns_since(l, from);
	line__fill(l, ' ', columns < OWNER_WIDTH ? OWNER_WIDTH - columns + 1 : 1);
}

static void text_fault(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
		       const char *comm)
{
	struct line *l = &tp->line;
	size_t from;

	put_start(tp, f->time_ns, !(f->flags & FS_FAULT_NO_LATENCY), f->latency_ns, comm, f->pid,
		  f->tid, f->cpu);
	line__str(l, result_text(f));
	put_access(l, f);
	from = l->len;
	line__hex(l, f->addr);
	line__pad(l, from, ADDR_WIDTH + 1, 1);
	put_column(l, region_name(pl->region), REGION_WIDTH);
	put_column(l, class_name(f->class), CLASS_WIDTH);
	put_owner(l, pl, f->addr);
	line__hex(l, f->ip);
}

static void text_call(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm)
{
	const struct fs_head *head = &ev->head;

	/* 0: not measured (--no-latency). */
	put_start(tp, head->time_ns, ev->latency_ns, ev->latency_ns, comm, head->pid, head->tid,
		  head->cpu);
	call_text__call(&tp->line, ev);
	call_text__result(&tp->line, ev);
	call_text__effect(&tp->line, ev);
}

static void text_exec(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm)
{
	put_event_start(tp, &ev->head, comm);
	call_text__exec(&tp->line, ev);
}

static void text_fork(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm)
{
	put_event_start(tp, &ev->head, comm);
	call_text__fork(&tp->line, ev);
}

static void text_exit(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm)
{
	put_event_start(tp, &ev->head, comm);
	call_text__exit(&tp->line, ev);
}

static void text_rename(struct trace_printer *tp, const struct fs_rename_event *ev,
			const char *comm)
{
	put_event_start(tp, &ev->head, comm);
	call_text__rename(&tp->line, ev);
}

static void text_lost(struct trace_printer *tp, enum fs_loss reason, __u64 count)
{
	struct line *l = &tp->line;

	line__lit(l, "LOST ");
	line__u64(l, count);
	line__char(l, ' ');
	line__str(l, loss_name(reason));
	line__lit(l, ": ");
	line__str(l, loss_desc(reason));
}

static void text_summary(struct trace_printer *tp)
{
	struct line *l = &tp->line;
	const char *between = "LOST in all: ";
	int i;

	for (i = 0; i < FS_LOSS_NR; i++) {
		if (!tp->lost[i])
			continue;
		line__str(l, between);
		line__u64(l, tp->lost[i]);
		line__char(l, ' ');
		line__str(l, loss_name(i));
		between = ", ";
	}
}

/* ---- details ---- */

static void put_object(struct writer *w, const struct profile_frame *f, bool with_address)
{
	const char *object = f->object ? f->object : "[unknown]";

	writer__lit(w, " (");
	writer__escaped(w, object, strlen(object));
	if (with_address) {
		writer__lit(w, "+0x");
		writer__hex(w, f->address, 0);
	}
	writer__char(w, ')');
}

/*
 * "main+0x1b (/usr/bin/program)", as perf script has it; without a name what names it elsewhere:
 * "[unknown] (/usr/bin/program+0x114b)".
 */
static void text_frame(struct writer *w, const struct profile_frame *f)
{
	bool named = f->name && *f->name;
	bool absolute = f->kind == PROFILE_KERNEL || f->kind == PROFILE_JIT;

	if (named)
		writer__escaped(w, f->name, strlen(f->name));
	else if (absolute)
		writer__fmt(w, "0x%llx", (unsigned long long)f->address);
	else
		writer__lit(w, "[unknown]");
	if (f->kind == PROFILE_NOTE || f->kind == PROFILE_REGION)
		return;
	if (f->inlined) {
		writer__lit(w, " (inlined)");
	} else {
		if (named)
			writer__fmt(w, "+0x%llx", (unsigned long long)f->sym_offset);
		put_object(w, f, !named && !absolute);
	}
	if (!f->src)
		return;
	writer__lit(w, " at ");
	writer__escaped(w, f->src, strlen(f->src));
	if (f->line)
		writer__fmt(w, ":%u", f->line);
}

/* The variable ends the line; the stack is below it, from the leaf on. */
static void text_details(struct trace_printer *tp, const struct trace_details *d)
{
	const struct trace_stack *s = d->stack;
	struct writer *w = &tp->more;

	if (d->variable) {
		writer__lit(w, " <");
		writer__escaped(w, d->variable, strlen(d->variable));
		writer__lit(w, "+0x");
		writer__hex(w, d->variable_offset, 0);
		writer__char(w, '>');
	}
	for (size_t i = s ? s->n : 0; i-- > 0;) {
		writer__lit(w, "\n    ");
		trace__put_frame(tp, s->profile, s->frames[i]);
	}
	if (s && s->note) {
		writer__lit(w, "\n    ");
		writer__str(w, s->note);
	}
}

const struct trace_format trace_text = {
	.eol = "\n",
	.header = text_header,
	.fault = text_fault,
	.call = text_call,
	.exec = text_exec,
	.fork = text_fork,
	.exit = text_exit,
	.rename = text_rename,
	.lost = text_lost,
	.summary = text_summary,
	.details = text_details,
	.frame = text_frame,
};
