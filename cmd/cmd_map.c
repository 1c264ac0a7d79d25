// SPDX-License-Identifier: GPL-2.0-only
/* map: the memory map of a process, what is resident in it, and who mapped and touched it. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/map_rows.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/proc.h"
#include "base/text.h"
#include "base/units.h"
#include "commands.h"
#include "map_look.h"
#include "output/map_text.h"
#include "run.h"
#include "stack_names.h"

#define LOOK_NS   20000000ULL /* between looks that nobody prints: for when the process ends */
#define LOOK_PART 20          /* of the time may go into them */

struct map_cmd {
	struct run run;
	struct event_sink sink;
	struct options o; /* as given, with names and descendants as pids */
	__u32 *pids;      /* whose maps are shown */
	size_t npids, pids_room;
	__u32 *traced_pids; /* a copy of them from before the run */
	struct map_target *targets;
	size_t ntargets, targets_room;
	struct stack_names *names;
	bool traced;
	bool prints; /* at each interval */
	bool header_done;
	__u64 next_look_ns, next_print_ns, printed_ns; /* CLOCK_MONOTONIC */
	__u64 interval_ns;                             /* as given */
	__u64 max_map_count;
};

static struct look_opts look_opts(const struct map_cmd *mr, bool plain)
{
	return (struct look_opts){ .heat = mr->o.map.heat,
				   .frames = mr->o.map.frames,
				   .traced = mr->traced,
				   .plain = plain };
}

/* ---- whom ------------------------------------------------------------------------------------- */

static int add_pid(struct map_cmd *mr, __u32 pid)
{
	__u32 *pids;

	for (size_t i = 0; i < mr->npids; i++)
		if (mr->pids[i] == pid)
			return 0;
	pids = with_room(mr->pids, mr->npids, &mr->pids_room, sizeof(*pids));
	if (!pids)
		return -ENOMEM;
	mr->pids = pids;
	mr->pids[mr->npids++] = pid;
	return 0;
}

static bool has_pid(const struct map_cmd *mr, __u32 pid)
{
	for (size_t i = 0; i < mr->npids; i++)
		if (mr->pids[i] == pid)
			return true;
	return false;
}

static bool has_memory(const struct proc_stat *st)
{
	return !(st->flags & PROC_PF_KTHREAD) && !strchr("XZ", st->state);
}

static int add_named(struct map_cmd *mr, const __u32 *all, size_t n)
{
	const struct name_list *comms = &mr->o.target.comms;
	struct proc_stat st;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		if (proc__stat(all[i], 0, &st) || !has_memory(&st))
			continue;
		for (size_t k = 0; k < comms->n && !err; k++)
			if (text_glob(comms->names[k], st.comm))
				err = add_pid(mr, all[i]);
	}
	return err;
}

/* Those whose parents are there already, until there are no more. */
static int add_children(struct map_cmd *mr, const __u32 *all, size_t n)
{
	struct proc_stat st;
	size_t before;
	int err = 0;

	do {
		before = mr->npids;
		for (size_t i = 0; i < n && !err; i++)
			if (!proc__stat(all[i], 0, &st) && has_memory(&st) && has_pid(mr, st.ppid))
				err = add_pid(mr, all[i]);
	} while (!err && mr->npids > before);
	return err;
}

/* Names and descendants as pids. 0, -ENOMEM or -errno. */
static int find_pids(struct map_cmd *mr)
{
	__u32 *all;
	size_t n;
	int err = 0;

	for (size_t i = 0; i < mr->o.target.pids.n && !err; i++)
		err = add_pid(mr, mr->o.target.pids.ids[i]);
	if (err || (!mr->o.map.children && !mr->o.target.comms.n))
		return err;
	err = proc__tasks(0, &all, &n);
	if (err)
		return err;
	err = add_named(mr, all, n);
	if (!err && mr->o.map.children)
		err = add_children(mr, all, n);
	free(all);
	return err;
}

static int add_targets(struct map_cmd *mr)
{
	struct map_target *targets;
	size_t known;
	int err = 0;

	for (size_t i = 0; i < mr->npids && !err; i++) {
		for (known = 0; known < mr->ntargets; known++)
			if (mr->targets[known].pid == mr->pids[i])
				break;
		if (known < mr->ntargets)
			continue;
		targets = with_room(mr->targets, mr->ntargets, &mr->targets_room, sizeof(*targets));
		if (!targets)
			return -ENOMEM;
		mr->targets = targets;
		err = map_target__init(&targets[mr->ntargets++], mr->pids[i], mr->traced);
	}
	return err;
}

/* Has a process that was asked for memory of its own? Says why not. */
static int check_pid(__u32 pid)
{
	struct proc_stat st;

	if (proc__stat(pid, 0, &st)) {
		log_error("process %u: no such process", pid);
		return STATUS_FAILED;
	}
	if (st.flags & PROC_PF_KTHREAD) {
		log_error("process %u (%s) is a thread of the kernel: it has no address space", pid,
			  st.comm);
		return STATUS_FAILED;
	}
	if (strchr("XZ", st.state)) {
		log_error("process %u (%s) has ended, and waits for its parent: its address space "
			  "is gone",
			  pid, st.comm);
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

static int choose(struct map_cmd *mr)
{
	int status = STATUS_OK, err;

	if (mr->o.target.all) {
		log_error("whose map? Give -p PID, -n NAME or a PROGRAM");
		return STATUS_USAGE;
	}
	for (size_t i = 0; i < mr->o.target.pids.n && !status; i++)
		status = check_pid(mr->o.target.pids.ids[i]);
	if (status || mr->o.target.argv)
		return status;
	err = find_pids(mr);
	if (!err)
		err = add_targets(mr);
	if (err) {
		log_error("cannot find the processes: %s", strerror(-err));
		return STATUS_FAILED;
	}
	if (!mr->npids) {
		log_error("no process has such a name");
		return STATUS_FAILED;
	}
	mr->traced_pids = calloc(mr->npids, sizeof(*mr->traced_pids));
	if (!mr->traced_pids) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	memcpy(mr->traced_pids, mr->pids, mr->npids * sizeof(*mr->traced_pids));
	mr->o.target.pids = (struct id_list){ mr->npids, mr->traced_pids };
	mr->o.target.comms.n = 0;
	return STATUS_OK;
}

/* ---- events ----------------------------------------------------------------------------------- */

static struct map_target *target(struct map_cmd *mr, __u32 pid)
{
	for (size_t i = 0; i < mr->ntargets; i++)
		if (mr->targets[i].pid == pid)
			return &mr->targets[i];
	return NULL;
}

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct map_cmd *mr = ctx;
	struct map_target *t = target(mr, f->pid);
	const struct stack *s;
	struct place pl;
	int err;

	space__place(mr->run.space, f, &pl); /* of a mapping that no call has made */
	err = space__touch(mr->run.space, f);
	if (err || !t || t->gone)
		return err;
	s = mr->run.stacks ? stacks__get(mr->run.stacks, f->stack_id) : NULL;
	return map_target__fault(t, mr->run.space, f, s ? s->number + 1 : 0);
}

/* A child is shown from its birth on, where children are. */
static int on_fork(struct map_cmd *mr, const struct fs_fork_event *ev)
{
	int err;

	if (!mr->o.map.children || !mr->traced || ev->child_pid == ev->head.pid ||
	    !has_pid(mr, ev->head.pid))
		return 0;
	err = add_pid(mr, ev->child_pid);
	return err ? err : add_targets(mr);
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct map_cmd *mr = ctx;
	struct map_target *t = target(mr, ev->pid);
	struct look_opts opts = look_opts(mr, false);
	int err = 0;

	if (t && ev->kind == FS_EVENT_EXEC)
		map_target__renew(t);
	else if (t && !t->gone && ev->kind == FS_EVENT_EXIT &&
		 ((const struct fs_exit_event *)(const void *)ev)->last)
		err = map_target__end(t, mr->run.space, &opts, ev->time_ns);
	else if (ev->kind == FS_EVENT_FORK)
		err = on_fork(mr, (const void *)ev);
	return err ? err : run__event(&mr->run, ev);
}

static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	struct map_target *t = target(ctx, proc->pid);

	(void)o, (void)here, (void)by, (void)time_ns;
	if (t && t->touches && !t->gone)
		touches__unmapped(t->touches, start, end);
}

/* ---- names ------------------------------------------------------------------------------------ */

static int name_stack(struct map_cmd *mr, const struct stack *s, const struct profile **p,
		      __u32 *stack)
{
	*p = stack_names__profile(mr->names);
	return s ? stack_names__get(mr->names, s, stack) : -ENOENT;
}

static int origin_stack(void *ctx, __u32 id, const struct profile **p, __u32 *stack)
{
	struct map_cmd *mr = ctx;

	return name_stack(mr, stacks__get(mr->run.stacks, id), p, stack);
}

static int fault_stack(void *ctx, __u32 number, const struct profile **p, __u32 *stack)
{
	struct map_cmd *mr = ctx;

	return name_stack(mr, stacks__stack(mr->run.stacks, number - 1), p, stack);
}

/* ---- reports ---------------------------------------------------------------------------------- */

/* What the figures of a process that has ended are. */
static const char *note_gone(const struct map_target *t, char *buf, size_t size)
{
	char age[FMT_LEN];

	if (t->merged)
		snprintf(buf, size,
			 "The process has ended, and the map is as it was then. What was resident "
			 "is of a look %s before, and unknown of what was not mapped alike.",
			 fmt_ns(age, sizeof(age),
				t->end_ns > t->look_ns ? t->end_ns - t->look_ns : 0));
	else
		snprintf(
			buf, size,
			"The process ended before there was a look at it: the map is as the events "
			"have it, and the bars are of what was touched and not released.");
	return buf;
}

static int print(struct map_cmd *mr, struct rows_report *rep)
{
	struct rows_text_opts text = { .width = run__width(&mr->run),
				       .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
				       .lost_line = mr->traced };
	FILE *out = mr->run.out;
	char words[512];
	int err = 0;

	switch (mr->o.common.format) {
	case FORMAT_JSON:
		return rows_json__print(out, rep);
	case FORMAT_CSV:
		if (!mr->header_done)
			err = rows_csv__header(out, rep);
		mr->header_done = true;
		if (!err)
			err = rows_csv__print(out, rep);
		log_warn("%s", rows_csv__words(rep, words, sizeof(words)));
		break;
	case FORMAT_TEXT:
		return map_text__print(out, rep, &text);
	}
	return err;
}

/* Sentences on what the map does not tell, or tells otherwise. */
static size_t take_notes(const struct map_cmd *mr, const struct map_target *t, const char **notes,
			 char *buf, size_t size)
{
	bool frames = false;
	size_t n = 0;

	for (size_t i = 0; i < t->map->n; i++)
		frames |= t->map->parts[i].frames && t->map->parts[i].frames->frames;
	if (t->gone)
		notes[n++] = note_gone(t, buf, size);
	if (mr->o.map.heat)
		notes[n++] = t->gone ?
				     "Heat: from left to right along the region, the share of its "
				     "pages that was resident; where that is not known, touched." :
				     "Heat: from left to right along the region, the share of its "
				     "pages that is resident.";
	if (mr->o.map.frames && !frames)
		notes[n++] = t->gone ? "Frames: none, the memory is gone." :
				       "Frames: this kernel does not tell their numbers here "
				       "(CAP_SYS_ADMIN, /proc/kpageflags).";
	return n;
}

static int report_one(struct map_cmd *mr, struct map_target *t, struct rows_report *rep)
{
	const struct map_names names = { mr, mr->names ? origin_stack : NULL,
					 mr->names ? fault_stack : NULL };
	const struct map_head head = { .pid = t->pid,
				       .comm = t->comm,
				       .status = t->alive ? &t->status : NULL,
				       .max_map_count = mr->max_map_count,
				       .faults = t->faults,
				       .stall_ns = t->stall_ns,
				       .traced = mr->traced };
	char target_words[64], gone[256];
	struct rows *rows, *summary;
	const char *notes[4];
	int err;

	snprintf(target_words, sizeof(target_words), "%s (pid %u)", t->comm, t->pid);
	rep->target = target_words;
	rep->notes = notes;
	rep->nnotes = take_notes(mr, t, notes, gone, sizeof(gone));
	summary = map_rows__head(t->map, &head);
	rows = map_rows__make(t->map, t->pid, mr->traced, &names);
	rep->summary = summary;
	rep->rows = rows;
	err = rows && summary ? print(mr, rep) : -ENOMEM;
	rows__free(rows);
	rows__free(summary);
	t->shown = t->gone;
	return err;
}

static int by_rss_down(const void *a, const void *b)
{
	const struct map_target *x = a, *y = b;
	__u64 rss_x = x->map ? map__total(x->map, MAP_RSS) : 0;
	__u64 rss_y = y->map ? map__total(y->map, MAP_RSS) : 0;

	return rss_x > rss_y ? -1 : rss_x < rss_y;
}

/* Look at all that live. */
static int look(struct map_cmd *mr, bool plain)
{
	struct look_opts opts = look_opts(mr, plain);
	int err = 0;

	if (session__program_pid(mr->run.session) && !mr->ntargets)
		err = add_pid(mr, session__program_pid(mr->run.session));
	if (!err)
		err = mr->o.target.argv && mr->o.map.children ? find_pids(mr) : 0;
	if (!err)
		err = add_targets(mr);
	for (size_t i = 0; i < mr->ntargets && !err; i++) {
		struct map_target *t = &mr->targets[i];

		if (t->gone)
			continue;
		err = map_target__look(t, mr->run.space, &opts);
		if (err == -ESRCH)
			err = 0; /* its exit is still to be told */
	}
	return err;
}

static int report(struct map_cmd *mr, __u64 duration_ns)
{
	__u64 now = clock_ns(), start = session__start_ns(mr->run.session);
	struct rows_report rep = { .analysis = "map",
				   .duration_ns = duration_ns,
				   .time_ns = now > start ? now - start : 0,
				   .interval = mr->prints };
	struct session_counters counters;
	int err = 0;

	session__counters(mr->run.session, &counters);
	if (mr->traced)
		memcpy(rep.lost, counters.lost, sizeof(rep.lost));
	qsort(mr->targets, mr->ntargets, sizeof(*mr->targets), by_rss_down);
	for (size_t i = 0; i < mr->ntargets && !err; i++)
		if (mr->targets[i].map && !mr->targets[i].shown)
			err = report_one(mr, &mr->targets[i], &rep);
	return err ? err : fflush(mr->run.out) ? -EIO : 0;
}

/* Looks between those that are printed are for when a process ends. */
static int on_interval(void *ctx, __u64 duration_ns)
{
	struct map_cmd *mr = ctx;
	__u64 now = clock_ns();
	bool prints = mr->prints && now >= mr->next_print_ns;
	int err;

	(void)duration_ns;
	if (!prints && now < mr->next_look_ns)
		return 0;
	err = look(mr, !prints);
	mr->next_look_ns = clock_ns() + (clock_ns() - now) * LOOK_PART;
	if (err || !prints)
		return err;
	while (mr->next_print_ns <= now)
		mr->next_print_ns += mr->interval_ns;
	err = report(mr, now - mr->printed_ns);
	mr->printed_ns = now;
	return err;
}

/* ---- the command ------------------------------------------------------------------------------ */

static int open_names(struct map_cmd *mr)
{
	if (!mr->run.stacks)
		return 0;
	mr->names = stack_names__new(mr->run.naming, STACK_USER | STACK_NOTE, true);
	return mr->names ? 0 : -errno;
}

/* What is mapped now, without tracing. */
static int snapshot(struct map_cmd *mr)
{
	int err = 0;

	for (size_t i = 0; i < mr->ntargets && !err; i++) {
		err = run__settle(&mr->run, mr->targets[i].pid, &mr->sink);
		if (err == -EAGAIN)
			err = 0; /* names may be older than what /proc tells */
	}
	if (!err)
		err = look(mr, false);
	return err ? err : report(mr, 0);
}

static int trace(struct map_cmd *mr)
{
	__u64 start = session__start_ns(mr->run.session);
	int err = mr->o.target.argv ? 0 : look(mr, true);

	mr->printed_ns = start;
	mr->next_print_ns = start + mr->interval_ns;
	if (!err)
		err = run__loop(&mr->run, &mr->sink, on_interval, mr);
	if (!err)
		err = look(mr, false);
	return err ? err : report(mr, clock_ns() - mr->printed_ns);
}

static int run_map(struct map_cmd *mr)
{
	struct layout_watch watch = { .ctx = mr, .unmapped = on_unmapped };
	int status = run__start(&mr->run), err;
	size_t n = 0;

	if (status)
		return status;
	status__max_map_count(&mr->max_map_count);
	err = space__watch(mr->run.space, &watch);
	if (!err)
		err = open_names(mr);
	if (!err && mr->o.target.argv)
		err = add_pid(mr, session__program_pid(mr->run.session));
	if (!err)
		err = add_targets(mr);
	if (!err)
		err = mr->traced ? trace(mr) : snapshot(mr);
	if (err && err != -EPIPE && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	for (size_t i = 0; i < mr->ntargets; i++)
		n += mr->targets[i].map != NULL;
	if (!err && !n) {
		log_error("there was no memory to look at any more");
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

static void session_opts(struct map_cmd *mr, struct session_opts *opts)
{
	run__session_opts(&mr->o, opts);
	opts->layouts = true;
	opts->faults = opts->calls = mr->traced;
	opts->stacks = mr->traced && !mr->o.mappings.no_stacks;
	opts->user_stacks = opts->stacks;
	opts->no_follow = !mr->o.map.children;
}

int cmd_map(const struct options *given)
{
	struct map_cmd mr = { .o = *given };
	struct session_opts opts;
	int status;

	setlocale(LC_CTYPE, "");
	mr.sink = (struct event_sink){ &mr, on_fault, on_event, NULL };
	mr.traced = given->common.duration_ns || given->common.interval_ns || given->target.argv;
	mr.interval_ns = given->common.interval_ns;
	mr.prints = mr.interval_ns;
	if (!mr.prints || mr.interval_ns > LOOK_NS)
		mr.o.common.interval_ns = LOOK_NS;
	status = choose(&mr);
	if (status)
		goto out;
	session_opts(&mr, &opts);
	status = run__open(&mr.run, &mr.o, &opts, NULL);
	if (!status)
		status = run_map(&mr);
	if (mr.run.out && options__close_output(mr.run.out) && !status)
		status = STATUS_FAILED;
	status = run__status(&mr.run, status);
	run__close(&mr.run);
out:
	stack_names__free(mr.names);
	for (size_t i = 0; i < mr.ntargets; i++)
		map_target__clear(&mr.targets[i]);
	free(mr.targets);
	free(mr.pids);
	free(mr.traced_pids);
	return status;
}
