/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * JSON lines; tests/schema/trace.schema.json describes them. Written by hand, since there are
 * millions: jansson builds, hashes and frees a tree of some twenty nodes for each, which took
 * 6,400 ns for a fault where this takes 300 (jansson 2.14, gcc 12 -O2, the same 400 bytes).
 */
#include <sys/wait.h>

#include "base/kind_names.h"
#include "output/call_text.h"
#include "output/flags.h"
#include "output/trace_impl.h"

/* n bytes that a stranger chose: valid UTF-8, quoted and escaped as RFC 8259, section 7 asks. */
static void put_string(struct line *l, const char *s, size_t n)
{
	char clean[3 * FS_PATH_MAX + 1];
	size_t i;

	line__char(l, '"');
	if (line__plain(s, n, '"', '\\')) {
		line__mem(l, s, n);
		line__char(l, '"');
		return;
	}
	n = text_utf8_clean(clean, sizeof(clean), s, n);
	for (i = 0; i < n; i++) {
		unsigned char c = clean[i];

		if (c == '"' || c == '\\') {
			line__char(l, '\\');
			line__char(l, c);
		} else if (c < 0x20 || c == 0x7f) {
			line__lit(l, "\\u00");
			line__char(l, '0' + (c >> 4));
			line__char(l, "0123456789abcdef"[c & 15]);
		} else {
			line__char(l, c);
		}
	}
	line__char(l, '"');
}

static void put_addr(struct line *l, __u64 addr)
{
	line__char(l, '"');
	line__hex(l, addr);
	line__char(l, '"');
}

/* A word of ours, which needs no escaping. */
static void put_word(struct line *l, const char *word)
{
	line__char(l, '"');
	line__str(l, word);
	line__char(l, '"');
}

/* `key` with what stands around it: `,"pid":`. */
#define KEY(l, key) line__lit(l, ",\"" key "\":")
#define KEY_U64(l, key, value)       \
	do {                         \
		KEY(l, key);         \
		line__u64(l, value); \
	} while (0)
#define KEY_ADDR(l, key, value)     \
	do {                        \
		KEY(l, key);        \
		put_addr(l, value); \
	} while (0)
#define KEY_WORD(l, key, value)     \
	do {                        \
		KEY(l, key);        \
		put_word(l, value); \
	} while (0)
#define KEY_STRING(l, key, value, size)                     \
	do {                                                \
		KEY(l, key);                                \
		put_string(l, value, strnlen(value, size)); \
	} while (0)
#define KEY_BOOL(l, key, value)                             \
	do {                                                \
		if (value)                                  \
			line__lit(l, ",\"" key "\":true");  \
		else                                        \
			line__lit(l, ",\"" key "\":false"); \
	} while (0)
#define KEY_NULL(l, key) line__lit(l, ",\"" key "\":null")

static void put_start(struct trace_printer *tp, const char *event, __u64 time_ns, __u32 pid,
		      __u32 tid, __u32 cpu, const char *comm)
{
	struct line *l = &tp->line;

	line__lit(l, "{\"event\":");
	put_word(l, event);
	KEY_U64(l, "time_ns", time_ns);
	if (tp->opts.wall) {
		KEY(l, "wall_ns");
		line__s64(l, trace__wall_ns(tp, time_ns));
	}
	KEY_U64(l, "pid", pid);
	KEY_U64(l, "tid", tid);
	KEY_U64(l, "cpu", cpu);
	KEY_STRING(l, "comm", comm, FS_COMM_LEN);
}

static void put_event_start(struct trace_printer *tp, const char *event, const struct fs_head *head,
			    const char *comm)
{
	put_start(tp, event, head->time_ns, head->pid, head->tid, head->cpu, comm);
}

/* The owner, the offset in it, the file's path and the mapping; null for what there is not. */
static void put_place(struct line *l, const struct place *pl, __u64 addr)
{
	char buf[OWNER_BYTES];
	const char *owner = place_owner(pl, buf);
	__u64 offset;

	if (owner)
		KEY_STRING(l, "owner", owner, sizeof(buf));
	else
		KEY_NULL(l, "owner");
	if (place_offset(pl, addr, &offset))
		KEY_U64(l, "offset", offset);
	else
		KEY_NULL(l, "offset");
	if (pl->file && pl->file->path)
		KEY_STRING(l, "file", pl->file->path, FS_PATH_MAX);
	else
		KEY_NULL(l, "file");
	if (pl->mapping) {
		KEY_ADDR(l, "region_start", pl->mapping->start);
		KEY_ADDR(l, "region_end", pl->mapping->end);
	} else {
		line__lit(l, ",\"region_start\":null,\"region_end\":null");
	}
}

static void json_fault(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
		       const char *comm)
{
	struct line *l = &tp->line;

	put_start(tp, "fault", f->time_ns, f->pid, f->tid, f->cpu, comm);
	if (f->flags & FS_FAULT_NO_LATENCY)
		KEY_NULL(l, "latency_ns");
	else
		KEY_U64(l, "latency_ns", f->latency_ns);
	KEY_WORD(l, "result", fault_result(f));
	KEY_WORD(l, "access", access_name(f->access));
	KEY_WORD(l, "mode", f->flags & FS_FAULT_KERNEL ? "kernel" : "user");
	KEY_WORD(l, "class", class_name(f->class));
	KEY_WORD(l, "region", region_name(pl->region));
	KEY_ADDR(l, "address", f->addr);
	KEY_ADDR(l, "ip", f->ip);
	put_place(l, pl, f->addr);
	KEY_U64(l, "order", f->order);
	KEY_U64(l, "bytes", fault_bytes(f, tp->opts.page_size));
	if (f->cgroup_id)
		KEY_U64(l, "cgroup_id", f->cgroup_id);
	if (f->flags & FS_FAULT_RESTARTED)
		KEY_BOOL(l, "restarted", true);
}

static void put_args(struct line *l, const struct fs_call_event *ev)
{
	unsigned int i, n;
	const struct call_arg *args = call_args(ev, &n);

	KEY(l, "args");
	line__char(l, '{');
	for (i = 0; i < n; i++) {
		__u64 value = ev->args[i];

		if (i)
			line__char(l, ',');
		put_word(l, args[i].name);
		line__char(l, ':');
		if (args[i].kind == ARG_ADDR) {
			put_addr(l, value);
		} else if (args[i].kind == ARG_OFFSET || args[i].kind == ARG_BITS) {
			line__u64(l, args[i].kind == ARG_BITS ? (__u32)value : value);
		} else if (call_arg__is_word(args[i].kind)) {
			line__char(l, '"');
			call_arg__put(l, args[i].kind, value, false);
			line__char(l, '"');
		} else {
			call_arg__put(l, args[i].kind, value, false);
		}
	}
	line__char(l, '}');
}

static void put_result(struct line *l, const struct fs_call_event *ev)
{
	bool failed = ev->flags & FS_CALL_FAILED;
	const char *name;

	KEY(l, "ret");
	if (call_gives_address(ev->call) && (!failed || ev->call == FS_CALL_BRK))
		put_addr(l, ev->ret);
	else
		line__s64(l, failed ? -1 : ev->ret);
	KEY_BOOL(l, "failed", failed);
	if (!failed || ev->call == FS_CALL_BRK) {
		KEY_NULL(l, "error");
		return;
	}
	name = ev->ret < 0 && ev->ret >= -4095 ? errno_name(-ev->ret) : NULL;
	KEY_WORD(l, "error", name ? name : "?");
}

static void json_call(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm)
{
	struct line *l = &tp->line;

	put_event_start(tp, call_name(ev->call), &ev->head, comm);
	/* 0: not measured (--no-latency). */
	if (ev->latency_ns)
		KEY_U64(l, "latency_ns", ev->latency_ns);
	else
		KEY_NULL(l, "latency_ns");
	put_args(l, ev);
	put_result(l, ev);
	KEY(l, "bytes");
	line__s64(l, ev->bytes);
	if (ev->call == FS_CALL_BRK)
		KEY_ADDR(l, "old_brk", ev->old_brk);
	KEY_ADDR(l, "ip", ev->ip);
	KEY_U64(l, "populated", (__u64)ev->populated_min + ev->populated_maj);
	KEY_U64(l, "populated_major", ev->populated_maj);
	if (ev->region_id)
		KEY_WORD(l, "populated_region", region_name(ev->region));
	if (ev->flags & FS_CALL_COMPAT)
		KEY_BOOL(l, "compat", true);
}

static void json_exec(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm)
{
	struct line *l = &tp->line;

	put_event_start(tp, "exec", &ev->head, comm);
	KEY_STRING(l, "path", ev->path, sizeof(ev->path));
	KEY_STRING(l, "new_comm", ev->comm, sizeof(ev->comm));
	KEY_U64(l, "old_tid", ev->old_tid);
	KEY_U64(l, "populated", ev->args_populated);
}

static void json_fork(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm)
{
	struct line *l = &tp->line;

	put_event_start(tp, "fork", &ev->head, comm);
	KEY_WORD(l, "kind", fork_name(ev));
	KEY_U64(l, "child_pid", ev->child_pid);
	KEY_U64(l, "child_tid", ev->child_tid);
	KEY_STRING(l, "child_comm", ev->comm, sizeof(ev->comm));
	KEY(l, "flags");
	line__char(l, '"');
	flags__put(l, FLAGS_CLONE, ev->clone_flags, false);
	line__char(l, '"');
}

static void json_exit(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm)
{
	struct line *l = &tp->line;

	put_event_start(tp, "exit", &ev->head, comm);
	if (WTERMSIG(ev->exit_code)) {
		line__lit(l, ",\"status\":null,\"signal\":\"");
		signal__put(l, WTERMSIG(ev->exit_code));
		line__char(l, '"');
	} else {
		KEY_U64(l, "status", WEXITSTATUS(ev->exit_code));
		KEY_NULL(l, "signal");
	}
	KEY_BOOL(l, "core_dumped", WCOREDUMP(ev->exit_code));
	KEY_BOOL(l, "last", ev->last);
	KEY_U64(l, "min_flt", ev->usage.min_flt);
	KEY_U64(l, "maj_flt", ev->usage.maj_flt);
}

static void json_rename(struct trace_printer *tp, const struct fs_rename_event *ev,
			const char *comm)
{
	struct line *l = &tp->line;

	put_event_start(tp, "rename", &ev->head, comm);
	KEY_STRING(l, "new_comm", ev->comm, sizeof(ev->comm));
}

static void json_lost(struct trace_printer *tp, enum fs_loss reason, __u64 count)
{
	struct line *l = &tp->line;

	line__lit(l, "{\"event\":\"lost\"");
	KEY_WORD(l, "reason", loss_name(reason));
	KEY_U64(l, "count", count);
}

/* The sums of the lines of "lost" before: not to be added to them. */
static void json_summary(struct trace_printer *tp)
{
	struct line *l = &tp->line;
	bool first = true;
	int i;

	line__lit(l, "{\"event\":\"summary\",\"lost\":{");
	for (i = 0; i < FS_LOSS_NR; i++) {
		if (!tp->lost[i])
			continue;
		if (!first)
			line__char(l, ',');
		put_word(l, loss_name(i));
		line__char(l, ':');
		line__u64(l, tp->lost[i]);
		first = false;
	}
	line__char(l, '}');
}

/* ---- details ---- */

static void json_frame(struct writer *w, const struct profile_frame *f)
{
	static const char *const kinds[PROFILE_FRAME_KIND_NR] = {
		[PROFILE_USER] = "user",     [PROFILE_KERNEL] = "kernel", [PROFILE_JIT] = "jit",
		[PROFILE_REGION] = "region", [PROFILE_NOTE] = "note",
	};
	bool code = f->kind != PROFILE_REGION && f->kind != PROFILE_NOTE;

	writer__lit(w, "{\"name\":");
	writer__json(w, f->name && *f->name ? f->name : NULL);
	writer__lit(w, ",\"offset\":");
	if (code && f->name && *f->name)
		writer__u64(w, f->sym_offset);
	else
		writer__lit(w, "null");
	writer__lit(w, ",\"object\":");
	writer__json(w, f->object);
	writer__fmt(w, ",\"kind\":\"%s\"", kinds[f->kind]);
	if (f->inlined)
		writer__lit(w, ",\"inlined\":true");
	if (f->mapping)
		writer__fmt(w, ",\"file_offset\":%llu", (unsigned long long)f->address);
	else if (f->kind == PROFILE_KERNEL || f->kind == PROFILE_JIT)
		writer__fmt(w, ",\"address\":\"0x%llx\"", (unsigned long long)f->address);
	if (f->src) {
		writer__lit(w, ",\"src\":");
		writer__json(w, f->src);
		if (f->line)
			writer__fmt(w, ",\"line\":%u", f->line);
	}
	writer__char(w, '}');
}

static void json_details(struct trace_printer *tp, const struct trace_details *d)
{
	const struct trace_stack *s = d->stack;
	struct writer *w = &tp->more;

	if (d->variable) {
		writer__lit(w, ",\"variable\":");
		writer__json(w, d->variable);
		writer__lit(w, ",\"variable_offset\":");
		writer__u64(w, d->variable_offset);
	}
	if (!s)
		return;
	writer__lit(w, ",\"stack\":[");
	for (size_t i = s->n; i-- > 0;) {
		trace__put_frame(tp, s->profile, s->frames[i]);
		if (i)
			writer__char(w, ',');
	}
	writer__fmt(w, "],\"stack_end\":\"%s\"", s->end);
}

const struct trace_format trace_json = {
	.eol = "}\n",
	.fault = json_fault,
	.call = json_call,
	.exec = json_exec,
	.fork = json_fork,
	.exit = json_exit,
	.rename = json_rename,
	.lost = json_lost,
	.summary = json_summary,
	.details = json_details,
	.frame = json_frame,
};
