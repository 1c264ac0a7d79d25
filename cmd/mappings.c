// SPDX-License-Identifier: GPL-2.0-only
#include "mappings.h"

#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/units.h"
#include "output/rows.h"
#include "stack_names.h"

#define DEFAULT_TOP 10

struct mappings {
	struct run *run;
	struct stack_names *names; /* NULL: no stacks are taken */
	unsigned int kinds[MAPPING_KIND_NR];
	void *analyses[MAPPING_KIND_NR];
	size_t n;
	bool header_done; /* of CSV */
};

/* ---- stacks ----------------------------------------------------------------------------------- */

/* What these call inside says nothing of who wants the memory, and takes the room of who does. */
static bool asks_for_memory(const char *function)
{
	return is_allocator(function) || !strcmp(function, "dlopen");
}

static int number_of(void *ctx, __u32 stack_id, __u32 *number)
{
	const struct stack *s;
	struct mappings *m = ctx;

	s = stacks__get(m->run->stacks, stack_id);
	return stack_names__outer(m->names, s, asks_for_memory, number);
}

static const struct profile *profile_of(void *ctx)
{
	struct mappings *m = ctx;

	return stack_names__profile(m->names);
}

/* ---- the analyses ----------------------------------------------------------------------------- */

static int open_analyses(struct mappings *m, const unsigned int *kinds, size_t n)
{
	const struct options *o = m->run->o;
	struct mapping_opts opts = { .space = m->run->space,
				     .older_ns = o->mappings.older_ns,
				     .min_bytes = o->mappings.min_bytes,
				     .max_bytes = o->mappings.max_bytes,
				     .keep_ended = o->target.argv,
				     .by_mapping = o->mappings.by_mapping };

	if (m->names)
		opts.stacks = (struct mapping_stacks){ m, number_of, profile_of };
	for (m->n = 0; m->n < n && m->n < MAPPING_KIND_NR; m->n++) {
		m->kinds[m->n] = kinds[m->n];
		m->analyses[m->n] = mapping_analysis(kinds[m->n])->new (&opts);
		if (!m->analyses[m->n])
			return -errno;
	}
	return 0;
}

struct mappings *mappings__new(struct run *r, const unsigned int *kinds, size_t n)
{
	struct mappings *m = calloc(1, sizeof(*m));
	int err = 0;

	if (!m)
		return NULL;
	m->run = r;
	if (r->stacks) {
		m->names = stack_names__new(r->naming, STACK_USER | STACK_NOTE, true);
		err = m->names ? 0 : -errno;
	}
	if (!err)
		err = open_analyses(m, kinds, n);
	if (!err)
		return m;
	mappings__free(m);
	errno = -err;
	return NULL;
}

void mappings__free(struct mappings *m)
{
	if (!m)
		return;
	for (size_t i = 0; i < m->n; i++)
		mapping_analysis(m->kinds[i])->free(m->analyses[i]);
	stack_names__free(m->names);
	free(m);
}

void mappings__look(struct mappings *m)
{
	struct process *p;
	bool asked = false;

	for (size_t i = 0; i < m->n; i++)
		asked |= m->kinds[i] == MAPPING_TOUCHED;
	if (!asked || m->run->o->target.all)
		return;
	for (size_t i = 0; (p = space__image(m->run->space, i)); i++)
		if (p->alive && space__look_for_pages(m->run->space, p->pid))
			log_warn("out of memory: some pages count as never touched");
}

/* ---- printing --------------------------------------------------------------------------------- */

/* more: below something else, which has said what was lost */
static int print_text(const struct run *r, const struct rows_report *rep, bool more)
{
	struct rows_text_opts opts = { .width = run__width(r),
				       .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8"),
				       .lost_line = !more || rep->no_memory };

	if (more)
		fputc('\n', r->out);
	return rows_text__print(r->out, rep, &opts);
}

static int print_csv(struct mappings *m, FILE *out, const struct rows_report *rep)
{
	char words[512];
	int err = m->header_done ? 0 : rows_csv__header(out, rep);

	m->header_done = m->n == 1; /* of several each has its own */
	log_warn("%s", rows_csv__words(rep, words, sizeof(words)));
	return err ? err : rows_csv__print(out, rep);
}

static int print(struct mappings *m, const struct rows_report *rep, bool more)
{
	switch (m->run->o->common.format) {
	case FORMAT_JSON:
		return rows_json__print(m->run->out, rep);
	case FORMAT_CSV:
		return print_csv(m, m->run->out, rep);
	default:
		return print_text(m->run, rep, more);
	}
}

int mappings__report(struct mappings *m, const char *command, __u64 duration_ns, bool interval,
		     const __u64 lost[FS_LOSS_NR])
{
	const struct options *o = m->run->o;
	struct mapping_time t = { .now_ns = clock_ns(),
				  .start_ns = session__start_ns(m->run->session),
				  .duration_ns = duration_ns };
	struct rows_report rep = { .command = command,
				   .target = m->run->target,
				   .duration_ns = duration_ns,
				   .time_ns = t.now_ns - t.start_ns,
				   .interval = interval,
				   .top = o->stat.top ? o->stat.top : DEFAULT_TOP };
	int err = 0;

	memcpy(rep.lost, lost, sizeof(rep.lost));
	for (size_t i = 0; i < m->n && !err; i++) {
		const struct mapping_analysis *a = mapping_analysis(m->kinds[i]);
		struct mapping_report found = {};
		const char *notes[2];
		char unlisted[128], count[FMT_LEN];

		err = a->report(m->analyses[i], &t, &found);
		rep.analysis = a->name;
		rep.notes = notes;
		rep.nnotes = 0;
		rep.no_memory = found.no_memory;
		if (m->run->resyncs || m->run->doubt)
			notes[rep.nnotes++] =
				"records were lost: address spaces were read anew, and "
				"what happened meanwhile is missing";
		if (found.unlisted) {
			snprintf(unlisted, sizeof(unlisted),
				 "no room for rows of %s mappings that have ended: they count in "
				 "the sums alone",
				 fmt_count(count, sizeof(count), found.unlisted));
			notes[rep.nnotes++] = unlisted;
		}
		rep.summary = found.summary;
		rep.rows = found.rows;
		if (!err && o->common.format != FORMAT_TEXT) /* which says what it leaves out */
			rows__cut(found.rows, o->stat.top);
		if (!err)
			err = print(m, &rep, i || o->mappings.with.n);
		mapping_report__free(&found);
	}
	return err ? err : fflush(m->run->out) ? -EIO : 0;
}

/* ---- a command of its own --------------------------------------------------------------------- */

struct mappings_run {
	struct run run;
	struct event_sink sink;
	struct mappings *mappings;
	__u64 reported_ns; /* CLOCK_MONOTONIC of the last report */
	struct session_counters before;
	char command[256];
};

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct mappings_run *mr = ctx;

	return space__touch(mr->run.space, f);
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct mappings_run *mr = ctx;

	return run__event(&mr->run, ev);
}

static int report(struct mappings_run *mr, bool interval)
{
	struct session_counters now;
	__u64 lost[FS_LOSS_NR], at;
	int err;

	err = session__poll(mr->run.session, 0, &mr->sink);

	if (err)
		return err;
	session__counters(mr->run.session, &now);
	for (int k = 0; k < FS_LOSS_NR; k++)
		lost[k] = now.lost[k] - mr->before.lost[k];
	mr->before = now;
	at = clock_ns();
	err = mappings__report(mr->mappings, mr->command, at - mr->reported_ns, interval, lost);
	mr->reported_ns = at;
	return err;
}

static void look(void *ctx)
{
	struct mappings_run *mr = ctx;

	mappings__look(mr->mappings);
}

static int on_interval(void *ctx, __u64 duration_ns)
{
	(void)duration_ns;
	look(ctx);
	return report(ctx, true);
}

static int run_mappings(struct mappings_run *mr)
{
	int status = run__start(&mr->run), err;

	if (status)
		return status;
	mr->reported_ns = session__start_ns(mr->run.session);
	mr->run.ending = look;
	err = run__loop(&mr->run, &mr->sink, on_interval, mr);
	if (!err)
		err = report(mr, mr->run.o->common.interval_ns);
	if (err && err != -EPIPE && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int mappings__run(const struct options *o, enum mapping_kind kind)
{
	struct space_ops ops = { .all_origins = kind == MAPPING_TOUCHED };
	unsigned int kinds[] = { kind };
	struct mappings_run mr = {};
	struct session_opts opts;
	int status;

	setlocale(LC_CTYPE, "");
	mr.sink = (struct event_sink){ &mr, on_fault, on_event, NULL };
	run__session_opts(o, &opts);
	opts.by_time = true;
	run__map_opts(o, &opts);
	status = run__open(&mr.run, o, &opts, &ops);
	run__command_line(o, mr.command, sizeof(mr.command));
	if (!status) {
		mr.mappings = mappings__new(&mr.run, kinds, 1);
		if (!mr.mappings)
			log_error("out of memory");
		status = mr.mappings ? run_mappings(&mr) : STATUS_FAILED;
	}
	if (mr.run.out && options__close_output(mr.run.out) && !status)
		status = STATUS_FAILED;
	status = run__status(&mr.run, status);
	run__close(&mr.run);
	mappings__free(mr.mappings);
	return status;
}
