// SPDX-License-Identifier: GPL-2.0-only
/* trace: a line per event, faults and mapping calls. */
#include <errno.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kind_names.h"
#include "base/log.h"
#include "commands.h"
#include "output/trace.h"
#include "run.h"
#include "stack_names.h"
#include "trace_queue.h"

struct trace_run {
	struct run run;
	struct trace_printer *printer;
	struct stack_names *names; /* of stacks, NULL: none are asked for */
	struct trace_stack stack;  /* of the event at hand */
	bool variables;            /* names are asked for: events wait for them */
	struct trace_queue queue;
	__u64 events; /* OPT_EVENT_ bits */
	__u64 regions;
	__u64 left; /* of --max-events; ~0: no limit */
	bool failed_only;
	__u64 lost[FS_LOSS_NR]; /* said so far */
};

#define ENOUGH 1 /* --max-events has been reached */

#define SLICE_NS    5000000    /* of printing what waits, before the rings are looked at again */
#define QUEUE_BYTES (64 << 20) /* that wait at most */

static int counted(struct trace_run *tr, int err)
{
	if (err)
		return err;
	return --tr->left ? 0 : ENOUGH;
}

/* Hand the details of an event, which is printed next, to the printer. 0 or -ENOMEM. */
static int put_details(struct trace_run *tr, const struct trace_entry *e)
{
	const struct stack *s = e->stack;
	struct trace_stack *stack = &tr->stack;
	struct trace_details d = {};
	__u32 id;
	int err;

	if (tr->variables && e->fault)
		d.variable = naming__variable(tr->run.naming, &e->place, &d.variable_offset);
	if (tr->names) {
		*stack = (struct trace_stack){ .end = "lost" };
		if (s) {
			err = stack_names__get(tr->names, s, &id);
			if (err)
				return err;
			stack->profile = stack_names__profile(tr->names);
			stack->frames = profile__stack(stack->profile, id, &stack->n);
			stack->end = stack_end_name(s->end);
		}
		if (!s || !tr->run.o->stacks.kernel_only)
			stack->note = naming__note(s);
		d.stack = stack;
	}
	trace_printer__details(tr->printer, &d);
	return 0;
}

static int print_fault(struct trace_run *tr, const struct trace_entry *e, const struct fs_fault *f)
{
	int err = put_details(tr, e);

	return err ? err : trace_printer__fault(tr->printer, f, &e->place, e->comm);
}

static int print_event(struct trace_run *tr, const struct trace_entry *e, const struct fs_head *ev)
{
	const void *event = ev;
	int err;

	switch (ev->kind) {
	case FS_EVENT_CALL:
		err = put_details(tr, e);
		return err ? err : trace_printer__call(tr->printer, event, e->comm);
	case FS_EVENT_EXEC:
		return trace_printer__exec(tr->printer, event, e->comm);
	case FS_EVENT_FORK:
		return trace_printer__fork(tr->printer, event, e->comm);
	case FS_EVENT_EXIT:
		return trace_printer__exit(tr->printer, event, e->comm);
	case FS_EVENT_RENAME:
		return trace_printer__rename(tr->printer, event, e->comm);
	}
	return 0;
}

static int print(struct trace_run *tr, const struct trace_entry *e, const void *event)
{
	return e->fault ? print_fault(tr, e, event) : print_event(tr, e, event);
}

/* Print an event, now or as soon as there is time for its names. 0, ENOUGH or -errno. */
static int put(struct trace_run *tr, struct trace_entry *e, const void *event, const char *comm)
{
	strncpy(e->comm, comm, sizeof(e->comm) - 1);
	return counted(tr, tr->variables ? trace_queue__add(&tr->queue, e, event) :
					   print(tr, e, event));
}

/* Print what waits, for as long as `until` (CLOCK_MONOTONIC) and until less than QUEUE_BYTES do. */
static int print_queue(struct trace_run *tr, __u64 until)
{
	const struct trace_entry *e;
	const void *event;
	int err = 0;

	while (!err && (e = trace_queue__first(&tr->queue, &event)) &&
	       (clock_ns() < until || trace_queue__bytes(&tr->queue) > QUEUE_BYTES)) {
		err = print(tr, e, event);
		trace_queue__pop(&tr->queue);
	}
	return err;
}

static int on_drained(void *ctx)
{
	return print_queue(ctx, clock_ns() + SLICE_NS);
}

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct trace_run *tr = ctx;
	struct trace_entry e = { .fault = true, .size = sizeof(*f) };

	if (!(tr->events & OPT_EVENT_FAULT))
		return 0;
	space__place(tr->run.space, f, &e.place);
	if (!(tr->regions & OPT_REGION(e.place.region)))
		return 0;
	if (tr->run.stacks)
		e.stack = stacks__get(tr->run.stacks, f->stack_id);
	return put(tr, &e, f, space__comm(tr->run.space, f->pid, f->tid));
}

static bool wanted(const struct trace_run *tr, const struct fs_head *ev)
{
	const struct fs_call_event *call;

	switch (ev->kind) {
	case FS_EVENT_CALL:
		call = (const void *)ev;
		if (tr->failed_only && !(call->flags & FS_CALL_FAILED))
			return false;
		return call->call < FS_CALL_NR && (tr->events & OPT_EVENT_CALL(call->call));
	case FS_EVENT_EXEC:
		return !tr->failed_only && (tr->events & OPT_EVENT_EXEC);
	case FS_EVENT_FORK:
		return !tr->failed_only && (tr->events & OPT_EVENT_FORK);
	case FS_EVENT_EXIT:
		return !tr->failed_only && (tr->events & OPT_EVENT_EXIT);
	case FS_EVENT_RENAME:
		return !tr->failed_only && (tr->events & OPT_EVENT_RENAME);
	}
	return false;
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct trace_run *tr = ctx;
	struct trace_entry e = { .size = ev->size };
	int err = 0;

	if (wanted(tr, ev)) {
		if (tr->run.stacks && ev->kind == FS_EVENT_CALL)
			e.stack = stacks__get(tr->run.stacks,
					      ((const struct fs_call_event *)ev)->stack_id);
		err = put(tr, &e, ev, space__comm(tr->run.space, ev->pid, ev->tid));
	}
	if (err)
		return err;
	return run__event(&tr->run, ev);
}

/* Say what was lost since it was last said. */
static int say_lost(struct trace_run *tr)
{
	struct session_counters now;
	int err = 0;

	session__counters(tr->run.session, &now);
	for (int k = 0; k < FS_LOSS_NR && !err; k++) {
		if (now.lost[k] == tr->lost[k])
			continue;
		err = trace_printer__lost(tr->printer, k, now.lost[k] - tr->lost[k]);
		tr->lost[k] = now.lost[k];
	}
	return err;
}

static int on_interval(void *ctx, __u64 interval_ns)
{
	struct trace_run *tr = ctx;

	(void)interval_ns;
	return say_lost(tr);
}

/* What is needed for names, before there is anything to name. */
static int open_names(struct trace_run *tr)
{
	const struct options *o = tr->run.o;
	unsigned int parts = (o->stacks.kernel_only ? 0 : STACK_USER) |
			     (o->stacks.user_only ? 0 : STACK_KERNEL);

	if (!o->stacks.wanted)
		return 0;
	tr->names = stack_names__new(tr->run.naming, parts, false);
	if (!tr->names)
		return -errno;
	if (!o->stacks.user_only)
		naming__prepare(tr->run.naming);
	return 0;
}

static int open_printer(struct trace_run *tr)
{
	const struct options *o = tr->run.o;
	struct trace_opts opts = {
		.wall = o->common.timestamps,
		.start_ns = session__start_ns(tr->run.session),
		.wall_offset_ns = (__s64)(clock_ns_of(CLOCK_REALTIME) - clock_ns()),
		.page_size = sysconf(_SC_PAGESIZE),
		.variables = tr->variables,
		.stacks = o->stacks.wanted,
	};

	tr->printer = trace_printer__new(o->common.format, tr->run.out, &opts);
	return tr->printer ? 0 : -errno;
}

static int run_trace(struct trace_run *tr)
{
	struct event_sink sink = { tr, on_fault, on_event, on_drained };
	int status, err;

	if (open_names(tr)) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	status = run__start(&tr->run);
	if (status)
		return status;
	err = open_printer(tr);
	if (!err)
		err = run__loop(&tr->run, &sink, on_interval, tr);
	if (err == ENOUGH)
		err = 0;
	if (!err)
		err = print_queue(tr, ~0ULL);
	if (!err)
		err = say_lost(tr);
	if (!err)
		err = trace_printer__finish(tr->printer);
	if (err && err != -EPIPE && err != -ENOSPC && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int cmd_trace(const struct options *o)
{
	struct trace_run tr = {
		.events = o->trace.events,
		.regions = o->common.regions,
		.left = o->trace.max_events ? o->trace.max_events : ~0ULL,
		.failed_only = o->trace.failed,
		.variables = o->symbols.variables,
	};
	struct session_opts opts;
	int status;

	setlocale(LC_CTYPE, "");
	run__session_opts(o, &opts);
	opts.by_time = true;
	opts.faults = o->trace.events & OPT_EVENT_FAULT;
	opts.calls = o->trace.events & OPT_EVENT_CALLS;
	opts.min_latency_ns = o->trace.min_latency_ns;
	if (o->trace.failed) {
		opts.minor = opts.major = false;
		opts.failed = true;
	}
	opts.stacks = o->stacks.wanted;
	opts.user_stacks = !o->stacks.kernel_only;
	opts.kernel_stacks = !o->stacks.user_only;
	status = run__open(&tr.run, o, &opts, NULL);
	if (!status)
		status = run_trace(&tr);
	trace_printer__free(tr.printer);
	stack_names__free(tr.names);
	trace_queue__clear(&tr.queue);
	if (tr.run.out && options__close_output(tr.run.out) && !status)
		status = STATUS_FAILED;
	status = run__status(&tr.run, status);
	run__close(&tr.run);
	return status;
}
