// SPDX-License-Identifier: GPL-2.0-only
/* flame: the stacks of the faults, for flame graphs and profilers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/flame.h"
#include "base/clock.h"
#include "base/kind_names.h"
#include "base/log.h"
#include "commands.h"
#include "run.h"

struct flame_run {
	struct run run;
	const struct options *o;
	struct flame_tally *tally;
	struct profile *profile;
	struct flame_script *script; /* FLAME_PERF_SCRIPT: faults are written as they come */
	struct frame_list frames;    /* of the stack at hand */
	__u32 page_size;
	bool by_symbol;
	__u64 ends[FS_STACK_END_NR]; /* faults by where their stacks end */
	__u64 faults, no_stack;
};

/* ---- from a cell to a stack of the profile ----------------------------------------------------- */

static const char *region_frame(const struct flame_cell *c, char *buf, size_t size)
{
	struct mapping m = { .anon_name = c->anon_name };
	struct place pl = { .region = c->region, .file = c->file, .mapping = &m };

	switch (c->region) {
	case FS_REGION_THREAD_STACK:
		return "[thread stack]";
	case FS_REGION_NONE:
		return "[no mapping]";
	case FS_REGION_SHM:
	case FS_REGION_HUGETLB:
	case FS_REGION_DEVICE:
	case FS_REGION_UNKNOWN:
		if (!c->file) {
			snprintf(buf, size, "[%s]", region_name(c->region));
			return buf;
		}
		break;
	}
	return place__owner(&pl, buf, size);
}

static int add_leaves(struct flame_run *fr, const struct flame_cell *c)
{
	const struct word_list *by = &fr->o->flame.by;
	char buf[FS_PATH_MAX];
	size_t from = fr->frames.n;
	const char *leaf;
	int err = 0;

	for (size_t i = 0; i < by->n && !err; i++) {
		if (by->values[i] == OPT_LEAF_CLASS) {
			snprintf(buf, sizeof(buf), "{%s}", class_name(c->class));
			leaf = buf;
		} else if (by->values[i] == OPT_LEAF_SYMBOL && c->variable) {
			leaf = c->variable;
		} else {
			leaf = region_frame(c, buf, sizeof(buf));
		}
		err = naming__word(fr->profile, PROFILE_REGION, leaf, &fr->frames);
		/* the region, asked for twice */
		if (!err && fr->frames.n > from + 1 &&
		    fr->frames.ids[fr->frames.n - 1] == fr->frames.ids[fr->frames.n - 2])
			fr->frames.n--;
	}
	return err;
}

static unsigned int parts(const struct flame_run *fr)
{
	return (fr->o->stacks.kernel_only ? 0 : STACK_USER | STACK_NOTE) |
	       (fr->o->stacks.user_only ? 0 : STACK_KERNEL);
}

/* The stack that created the mapping, as far as it is known. */
static int add_mapper(struct flame_run *fr, const struct flame_cell *c)
{
	const struct stack *s = c->mapper ? stacks__get(fr->run.stacks, c->mapper) : NULL;
	int err = 0;

	if (s)
		err = naming__stack(fr->run.naming, fr->profile, s, parts(fr), &fr->frames);
	return err ? err :
		     naming__word(fr->profile, PROFILE_NOTE,
				  s         ? "[mapped]" :
				  c->mapper ? "[mapped: stack lost]" :
					      "[mapped by exec or before]",
				  &fr->frames);
}

/* The stack of a cell, in the profile. 0 or -ENOMEM. */
static int name_cell(struct flame_run *fr, const struct flame_cell *c, __u32 *stack)
{
	enum opt_mapper mapper = fr->o->flame.mapper;
	int err = 0;

	fr->frames.n = 0;
	if (mapper != OPT_MAPPER_NO)
		err = add_mapper(fr, c);
	if (!err && mapper != OPT_MAPPER_REPLACE)
		err = naming__stack(
			fr->run.naming, fr->profile,
			c->stack == FLAME_NO_STACK ? NULL : stacks__stack(fr->run.stacks, c->stack),
			parts(fr), &fr->frames);
	if (!err)
		err = add_leaves(fr, c);
	return err ? err : profile__add_stack(fr->profile, fr->frames.ids, fr->frames.n, stack);
}

static const char *result_of(const struct flame_cell *c)
{
	return c->flags & FS_FAULT_FAILED ? "failed" :
	       c->flags & FS_FAULT_MAJOR  ? "major" :
					    "minor";
}

static int fill_profile(struct flame_run *fr)
{
	size_t n = flame_tally__ncells(fr->tally);
	__u32 stack;
	int err = 0;

	for (size_t i = 0; i < n && !err; i++) {
		const struct flame_cell *c = flame_tally__cell(fr->tally, i);
		struct profile_labels labels = { .comm = c->comm,
						 .region = region_name(c->region),
						 .class = class_name(c->class),
						 .access = access_name(c->access),
						 .result = result_of(c),
						 .pid = c->pid };

		err = name_cell(fr, c, &stack);
		if (!err)
			err = profile__add(fr->profile, stack, &labels, &c->weights);
	}
	return err;
}

/* ---- events ----------------------------------------------------------------------------------- */

/* perf-script: a fault is written when it comes. */
static int print_sample(struct flame_run *fr, const struct fs_fault *f, const struct place *pl,
			const struct flame_labels *labels)
{
	struct flame_sample sample = { .comm = labels->comm,
				       .event = "page-faults",
				       .time_ns = f->time_ns,
				       .pid = f->pid,
				       .tid = f->tid,
				       .cpu = f->cpu };
	struct profile_weights w;
	struct flame_cell c;
	int err;

	flame_cell__of(f, pl, labels, &c);
	err = name_cell(fr, &c, &sample.stack);
	if (err)
		return err;
	flame_weights(f, fr->page_size, &w);
	sample.period = w.w[fr->o->flame.weight];
	return flame_script__sample(fr->script, fr->profile, &sample);
}

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct flame_run *fr = ctx;
	struct flame_labels labels = {};
	const struct stack *s;
	struct place pl;
	__u64 offset;

	space__place(fr->run.space, f, &pl);
	if (!(fr->o->common.regions & OPT_REGION(pl.region)) ||
	    !flame_tally__wants(fr->tally, f, &pl))
		return 0;
	s = stacks__get(fr->run.stacks, f->stack_id);
	fr->faults++;
	if (s)
		fr->ends[s->end]++;
	else
		fr->no_stack++;
	labels.stack = s ? s->number : FLAME_NO_STACK;
	labels.comm = space__comm(fr->run.space, f->pid, f->tid);
	if (fr->o->flame.mapper != OPT_MAPPER_NO)
		labels.mapper = space__mapper(fr->run.space, f->pid, f->addr);
	if (fr->by_symbol)
		labels.variable = naming__variable(fr->run.naming, &pl, &offset);
	if (fr->script)
		return print_sample(fr, f, &pl, &labels);
	return flame_tally__add(fr->tally, f, &pl, &labels);
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct flame_run *fr = ctx;

	return run__event(&fr->run, ev);
}

/* ---- the run ---------------------------------------------------------------------------------- */

/* What the stacks lack: one line, and only where something is lacking. */
static void say_ends(const struct flame_run *fr)
{
	struct session_counters now;
	__u64 rooted = fr->ends[FS_STACK_COMPLETE] + fr->ends[FS_STACK_EXEC];
	char words[512];
	size_t len = 0;

	for (int e = 0; e < FS_STACK_END_NR; e++)
		if (e != FS_STACK_COMPLETE && e != FS_STACK_EXEC && fr->ends[e] &&
		    len < sizeof(words))
			len += snprintf(words + len, sizeof(words) - len, ", %llu %s", fr->ends[e],
					stack_end_name(e));
	if (fr->no_stack && len < sizeof(words))
		len += snprintf(words + len, sizeof(words) - len, ", %llu lost", fr->no_stack);
	if (fr->faults && !fr->o->stacks.kernel_only)
		log_warn("%llu faults, %.2f %% with a stack to its root%s", fr->faults,
			 100.0 * rooted / fr->faults, len ? words : "");
	session__counters(fr->run.session, &now);
	for (int k = 0; k < FS_LOSS_NR; k++)
		if (now.lost[k] && (k != FS_LOSS_STACK || fr->o->flame.mapper))
			log_warn("lost: %llu %s: %s", now.lost[k], loss_name(k), loss_desc(k));
}

static int print_profile(struct flame_run *fr, __u64 duration_ns)
{
	const struct options *o = fr->o;
	struct flame_opts opts = {
		.weight = o->flame.weight,
		.known = FLAME_KNOWS(PROFILE_FAULTS) | FLAME_KNOWS(PROFILE_BYTES) |
			 (o->flame.weight == PROFILE_STALL ? FLAME_KNOWS(PROFILE_STALL) : 0),
		.title = o->flame.title,
		.command = fr->run.target,
		.lost = fr->no_stack,
		.wall_ns = clock_ns_of(CLOCK_REALTIME) - duration_ns,
		.duration_ns = duration_ns,
		.inverted = o->flame.inverted,
	};
	int err = fill_profile(fr);

	return err ? err : flame__print(o->flame.format, fr->run.out, fr->profile, &opts);
}

static int run_flame(struct flame_run *fr)
{
	struct event_sink sink = { fr, on_fault, on_event, NULL };
	int status = run__start(&fr->run), err;
	__u64 duration_ns;

	if (status)
		return status;
	if (fr->o->flame.format == FLAME_PERF_SCRIPT) {
		fr->script = flame_script__new(fr->run.out);
		if (!fr->script)
			return STATUS_FAILED;
	}
	err = run__loop(&fr->run, &sink, NULL, fr);
	duration_ns = clock_ns() - session__start_ns(fr->run.session);
	if (!err)
		err = fr->script ? flame_script__finish(fr->script) :
				   print_profile(fr, duration_ns);
	if (err && err != -EPIPE && err != -ENOSPC && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	say_ends(fr);
	return STATUS_OK;
}

int cmd_flame(const struct options *o)
{
	struct flame_run fr = { .o = o, .page_size = sysconf(_SC_PAGESIZE) };
	struct session_opts opts;
	int status = STATUS_FAILED;

	run__session_opts(o, &opts);
	opts.stacks = true;
	opts.user_stacks = !o->stacks.kernel_only || o->flame.mapper != OPT_MAPPER_NO;
	opts.kernel_stacks = !o->stacks.user_only;
	opts.calls = opts.layouts = opts.calls_alone = o->flame.mapper != OPT_MAPPER_NO;
	opts.no_latency = o->flame.weight != PROFILE_STALL && o->flame.format != FLAME_PERF_SCRIPT;
	opts.by_time = o->flame.format == FLAME_PERF_SCRIPT;
	for (size_t i = 0; i < o->flame.by.n; i++)
		fr.by_symbol |= o->flame.by.values[i] == OPT_LEAF_SYMBOL;
	fr.tally = flame_tally__new(o->flame.only, fr.page_size);
	fr.profile = profile__new();
	if (!fr.tally || !fr.profile) {
		log_error("out of memory");
		goto out;
	}
	status = run__open(&fr.run, o, &opts, NULL);
	if (!status)
		status = run_flame(&fr);
	flame_script__free(fr.script);
	if (fr.run.out && options__close_output(fr.run.out) && !status)
		status = STATUS_FAILED;
	status = run__status(&fr.run, status);
	run__close(&fr.run);
out:
	frame_list__clear(&fr.frames);
	profile__free(fr.profile);
	flame_tally__free(fr.tally);
	return status;
}
