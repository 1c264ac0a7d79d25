/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * CSV as RFC 4180 has it: a line of names, CRLF at the ends, quotes where a field needs them. One
 * set of columns for all events, empty where an event has no such thing. Names that strangers chose
 * are escaped as in text, so that a record is always one line.
 */
#include <stdlib.h>

#include "base/kind_names.h"
#include "output/call_text.h"
#include "output/flame_impl.h"
#include "output/flags.h"
#include "output/trace_impl.h"

/* X(symbol, name), in the order in which they are written. */
/* clang-format off */
#define COLUMNS(X)                                                                                 \
	X(EVENT, "event") X(TIME, "time_ns") X(WALL, "wall_ns") X(PID, "pid") X(TID, "tid")        \
	X(CPU, "cpu") X(COMM, "comm") X(LATENCY, "latency_ns") X(RESULT, "result")                 \
	X(ACCESS, "access") X(MODE, "mode") X(CLASS, "class") X(REGION, "region")                  \
	X(ADDRESS, "address") X(IP, "ip") X(OWNER, "owner") X(OFFSET, "offset") X(FILE, "file")    \
	X(REGION_START, "region_start") X(REGION_END, "region_end") X(BYTES, "bytes")              \
	X(DETAIL, "detail") X(RET, "ret") X(ERROR, "error") X(POPULATED, "populated")              \
	X(POPULATED_MAJOR, "populated_major") X(REASON, "reason") X(COUNT, "count")

enum column {
#define X(sym, name) COL_##sym,
	COLUMNS(X)
#undef X
	COL_NR
};
/* clang-format on */

/* A record being written: columns must come in order; those left out are empty. */
struct record {
	struct line *l;
	unsigned int column; /* that is being written */
};

/* Go on to a column. */
static void at(struct record *r, enum column column)
{
	line__fill(r->l, ',', column - r->column);
	r->column = column;
}

static void at_u64(struct record *r, enum column column, __u64 value)
{
	at(r, column);
	line__u64(r->l, value);
}

static void at_hex(struct record *r, enum column column, __u64 value)
{
	at(r, column);
	line__hex(r->l, value);
}

static void at_word(struct record *r, enum column column, const char *word)
{
	at(r, column);
	line__str(r->l, word);
}

/* Put what was written since `from` in quotes if it needs them; it must be text_escape()d. */
static void quote_since(struct line *l, size_t from)
{
	size_t n = l->len - from, quotes = 0, i, to;
	char *p = l->buf + from;

	if (!memchr(p, ',', n) && !memchr(p, '"', n))
		return;
	for (i = 0; i < n; i++)
		quotes += p[i] == '"';
	if (!line__room(l, quotes + 2))
		return;
	l->len += quotes + 2;
	to = n + quotes + 1;
	p[to--] = '"';
	for (i = n; i-- > 0;) {
		p[to--] = p[i];
		if (p[i] == '"')
			p[to--] = '"';
	}
	p[0] = '"';
}

static void at_string(struct record *r, enum column column, const char *s, size_t size)
{
	size_t from;

	at(r, column);
	from = r->l->len;
	line__escaped(r->l, s, strnlen(s, size));
	quote_since(r->l, from);
}

static void put_start(struct trace_printer *tp, struct record *r, const char *event, __u64 time_ns,
		      __u32 pid, __u32 tid, __u32 cpu, const char *comm)
{
	r->l = &tp->line;
	r->column = 0;
	at_word(r, COL_EVENT, event);
	at_u64(r, COL_TIME, time_ns);
	if (tp->opts.wall) {
		at(r, COL_WALL);
		line__s64(r->l, trace__wall_ns(tp, time_ns));
	}
	at_u64(r, COL_PID, pid);
	at_u64(r, COL_TID, tid);
	at_u64(r, COL_CPU, cpu);
	at_string(r, COL_COMM, comm, FS_COMM_LEN);
}

static void put_event_start(struct trace_printer *tp, struct record *r, const char *event,
			    const struct fs_head *head, const char *comm)
{
	put_start(tp, r, event, head->time_ns, head->pid, head->tid, head->cpu, comm);
}

static void put_end(struct record *r)
{
	at(r, COL_NR - 1);
}

static void csv_header(struct trace_printer *tp)
{
#define X(sym, name) name ","
	static const char names[] = COLUMNS(X);
#undef X

	line__mem(&tp->line, names, sizeof(names) - 2); /* without the last comma */
	if (tp->opts.variables)
		line__lit(&tp->line, ",variable,variable_offset");
	if (tp->opts.stacks)
		line__lit(&tp->line, ",stack,stack_end");
}

static void put_place(struct record *r, const struct place *pl, __u64 addr)
{
	char buf[OWNER_BYTES];
	const char *owner = place_owner(pl, buf);
	__u64 offset;

	if (owner)
		at_string(r, COL_OWNER, owner, sizeof(buf));
	if (place_offset(pl, addr, &offset))
		at_u64(r, COL_OFFSET, offset);
	if (pl->file && pl->file->path)
		at_string(r, COL_FILE, pl->file->path, FS_PATH_MAX);
	if (pl->mapping) {
		at_hex(r, COL_REGION_START, pl->mapping->start);
		at_hex(r, COL_REGION_END, pl->mapping->end);
	}
}

static void csv_fault(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
		      const char *comm)
{
	struct record r;

	put_start(tp, &r, "fault", f->time_ns, f->pid, f->tid, f->cpu, comm);
	if (!(f->flags & FS_FAULT_NO_LATENCY))
		at_u64(&r, COL_LATENCY, f->latency_ns);
	at_word(&r, COL_RESULT, fault_result(f));
	at_word(&r, COL_ACCESS, access_name(f->access));
	at_word(&r, COL_MODE, f->flags & FS_FAULT_KERNEL ? "kernel" : "user");
	at_word(&r, COL_CLASS, class_name(f->class));
	at_word(&r, COL_REGION, region_name(pl->region));
	at_hex(&r, COL_ADDRESS, f->addr);
	at_hex(&r, COL_IP, f->ip);
	put_place(&r, pl, f->addr);
	at_u64(&r, COL_BYTES, fault_bytes(f, tp->opts.page_size));
	put_end(&r);
}

static void csv_call(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm)
{
	bool failed = ev->flags & FS_CALL_FAILED;
	const char *name = NULL;
	struct record r;
	size_t from;

	put_event_start(tp, &r, call_name(ev->call), &ev->head, comm);
	/* 0: not measured (--no-latency). */
	if (ev->latency_ns)
		at_u64(&r, COL_LATENCY, ev->latency_ns);
	at_word(&r, COL_RESULT, failed ? "failed" : "ok");
	if (ev->region_id)
		at_word(&r, COL_REGION, region_name(ev->region));
	at_hex(&r, COL_IP, ev->ip);
	at(&r, COL_BYTES);
	line__s64(r.l, ev->bytes);
	at(&r, COL_DETAIL);
	from = r.l->len;
	call_text__call(r.l, ev);
	quote_since(r.l, from);
	at(&r, COL_RET);
	if (call_gives_address(ev->call) && (!failed || ev->call == FS_CALL_BRK))
		line__hex(r.l, ev->ret);
	else
		line__s64(r.l, failed ? -1 : ev->ret);
	if (failed && ev->ret < 0 && ev->ret >= -4095)
		name = errno_name(-ev->ret);
	if (name)
		at_word(&r, COL_ERROR, name);
	at_u64(&r, COL_POPULATED, (__u64)ev->populated_min + ev->populated_maj);
	at_u64(&r, COL_POPULATED_MAJOR, ev->populated_maj);
	put_end(&r);
}

static void csv_exec(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm)
{
	struct record r;
	size_t from;

	put_event_start(tp, &r, "exec", &ev->head, comm);
	at_string(&r, COL_FILE, ev->path, sizeof(ev->path));
	at(&r, COL_DETAIL);
	from = r.l->len;
	call_text__exec(r.l, ev);
	quote_since(r.l, from);
	at_u64(&r, COL_POPULATED, ev->args_populated);
	put_end(&r);
}

static void csv_fork(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm)
{
	struct record r;

	put_event_start(tp, &r, "fork", &ev->head, comm);
	at(&r, COL_DETAIL);
	call_text__fork(r.l, ev);
	at_u64(&r, COL_RET, ev->child_tid);
	put_end(&r);
}

static void csv_exit(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm)
{
	struct record r;

	put_event_start(tp, &r, "exit", &ev->head, comm);
	at(&r, COL_DETAIL);
	call_text__exit(r.l, ev);
	put_end(&r);
}

static void csv_rename(struct trace_printer *tp, const struct fs_rename_event *ev, const char *comm)
{
	struct record r;
	size_t from;

	put_event_start(tp, &r, "rename", &ev->head, comm);
	at(&r, COL_DETAIL);
	from = r.l->len;
	call_text__rename(r.l, ev);
	quote_since(r.l, from);
	put_end(&r);
}

static void csv_lost(struct trace_printer *tp, enum fs_loss reason, __u64 count)
{
	struct record r = { .l = &tp->line };

	at_word(&r, COL_EVENT, "lost");
	at_word(&r, COL_REASON, loss_name(reason));
	at_u64(&r, COL_COUNT, count);
	put_end(&r);
}

/* ---- details: columns of their own, where they are asked for ---- */

/* Append bytes between quotes. */
static void put_doubled(struct writer *w, const char *s, size_t n)
{
	for (; n; s++, n--) {
		if (*s == '"')
			writer__char(w, '"');
		writer__char(w, *s);
	}
}

/* Append a field that others chose. */
static void put_field(struct trace_printer *tp, const char *raw)
{
	struct writer *text = &tp->scratch, *w = &tp->more;

	text->len = 0;
	writer__escaped(text, raw, strlen(raw));
	if (text->err) {
		w->err = w->err ? w->err : text->err;
	} else if (!strpbrk(raw, ",\"")) {
		writer__mem(w, text->buf, text->len);
	} else {
		writer__char(w, '"');
		put_doubled(w, text->buf, text->len);
		writer__char(w, '"');
	}
}

static void csv_frame(struct writer *w, const struct profile_frame *f)
{
	struct writer name = { 0 };

	flame_folded__name(&name, f);
	put_doubled(w, name.buf, name.len);
	if (name.err && !w->err)
		w->err = name.err;
	free(name.buf);
}

/* As `flame` folds it: from the root on. */
static void put_stack(struct trace_printer *tp, const struct trace_stack *s)
{
	const struct profile_frame note = { .name = s->note, .kind = PROFILE_NOTE };
	struct writer *w = &tp->more;
	const char *between = "";

	writer__char(w, '"');
	if (s->note) {
		flame_folded__name(w, &note);
		between = ";";
	}
	for (size_t i = 0; i < s->n; i++) {
		writer__str(w, between);
		trace__put_frame(tp, s->profile, s->frames[i]);
		between = ";";
	}
	writer__lit(w, "\",");
	writer__str(w, s->end);
}

static void csv_details(struct trace_printer *tp, const struct trace_details *d)
{
	struct writer *w = &tp->more;

	if (tp->opts.variables) {
		writer__char(w, ',');
		if (d->variable)
			put_field(tp, d->variable);
		writer__char(w, ',');
		if (d->variable)
			writer__u64(w, d->variable_offset);
	}
	if (tp->opts.stacks) {
		writer__char(w, ',');
		if (d->stack)
			put_stack(tp, d->stack);
		else
			writer__char(w, ',');
	}
}

const struct trace_format trace_csv = {
	.eol = "\r\n",
	.header = csv_header,
	.fault = csv_fault,
	.call = csv_call,
	.exec = csv_exec,
	.fork = csv_fork,
	.exit = csv_exit,
	.rename = csv_rename,
	.lost = csv_lost,
	.details = csv_details,
	.frame = csv_frame,
};
