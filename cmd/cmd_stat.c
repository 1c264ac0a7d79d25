// SPDX-License-Identifier: GPL-2.0-only
/* stat, the main job: which regions of which processes fault, why, how often, how long it takes. */
#include <errno.h>
#include <langinfo.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "analysis/stat.h"
#include "base/clock.h"
#include "base/log.h"
#include "commands.h"
#include "mappings.h"
#include "output/stat_csv.h"
#include "output/stat_json.h"
#include "output/stat_text.h"
#include "run.h"
#include "stack_names.h"
#include "symbol/elf.h"

#define MAX_NOTES 8

/* An image that ended by exec or exit. */
struct ended_image {
	__u32 pid;
	__u64 image;
	struct process *proc;
};

struct stat_run {
	struct run run;
	struct event_sink sink;
	struct stat_tally *tally;
	struct stat_by by; /* of --by, n == 0: the default tables */
	bool exact;        /* the kernel's totals are those of the rows */
	bool whole;        /* no filter keeps faults back */
	__u64 reported_ns; /* CLOCK_MONOTONIC of the last interval's report, 0: none */
	bool header_done;
	__u32 page_size;
	__u64 regions;                  /* filter for user space */
	struct session_counters before; /* at the end of the last interval */
	__u64 populated_before;
	struct ended_image *ended; /* in this drain, in order: their cells are to be taken back */
	size_t nended, ended_room;
	struct stack_names *names; /* --by stack; else NULL */
	struct stat_stack **shown; /* by their number in the profile of names */
	size_t nshown;
	struct mappings *mappings; /* --with; else NULL */
	const char *notes[MAX_NOTES];
	size_t nnotes;
	char command[256];
};

/* ---- stacks ----------------------------------------------------------------------------------- */

/* The stack of an event for the tally: its number plus 1; 0: it was lost, or rows have none. */
static __u32 stack_of(const struct stat_run *sr, __u32 id)
{
	const struct stack *s = sr->names ? stacks__get(sr->run.stacks, id) : NULL;

	return s ? s->number + 1 : 0;
}

static const struct stat_stack *shown_stack(void *ctx, __u32 stack)
{
	struct stat_run *sr = ctx;
	const struct stack *s = stack ? stacks__stack(sr->run.stacks, stack - 1) : NULL;
	struct stat_stack **shown;
	size_t room;
	__u32 id;

	if (stack_names__get(sr->names, s, &id))
		return NULL;
	if (id >= sr->nshown) {
		room = 2 * (size_t)id + 64;
		shown = reallocarray(sr->shown, room, sizeof(struct stat_stack *));
		if (!shown)
			return NULL;
		memset(shown + sr->nshown, 0, (room - sr->nshown) * sizeof(struct stat_stack *));
		sr->shown = shown;
		sr->nshown = room;
	}
	if (!sr->shown[id]) {
		sr->shown[id] = malloc(sizeof(struct stat_stack));
		if (sr->shown[id])
			*sr->shown[id] = (struct stat_stack){ stack_names__profile(sr->names), id };
	}
	return sr->shown[id];
}

static int open_names(struct stat_run *sr)
{
	const struct options *o = sr->run.o;
	unsigned int parts = (o->stacks.kernel_only ? 0 : STACK_USER | STACK_NOTE) |
			     (o->stacks.user_only ? 0 : STACK_KERNEL);

	sr->names = stack_names__new(sr->run.naming, parts, true);
	return sr->names ? 0 : -errno;
}

static void free_names(struct stat_run *sr)
{
	for (size_t i = 0; i < sr->nshown; i++)
		free(sr->shown[i]);
	free(sr->shown);
	stack_names__free(sr->names);
}

/* ---- events ----------------------------------------------------------------------------------- */

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct stat_run *sr = ctx;
	struct process *proc;
	struct place pl;
	int err = sr->mappings ? space__touch(sr->run.space, f) : 0;

	if (err)
		return err;
	space__place(sr->run.space, f, &pl);
	if (!(sr->regions & OPT_REGION(pl.region)))
		return 0;
	proc = space__process(sr->run.space, f->pid);
	if (proc && !(f->flags & FS_FAULT_FAILED)) {
		proc->target = true;
		if (f->flags & FS_FAULT_MAJOR)
			proc->seen_maj++;
		else
			proc->seen_min++;
	}
	stat__fault(sr->tally, f, &pl, proc, stack_of(sr, f->stack_id), sr->page_size);
	return 0;
}

/* A fault such that space__place() tells where an address of a region lies. */
static void place_of(struct stat_run *sr, __u32 pid, __u32 region_id, __u8 region, __u64 addr,
		     struct place *pl)
{
	struct fs_fault f = { .addr = addr, .pid = pid, .region_id = region_id, .region = region };

	space__place(sr->run.space, &f, pl);
}

static void on_call(struct stat_run *sr, const struct fs_call_event *ev)
{
	struct process *proc = space__process(sr->run.space, ev->head.pid);
	__u64 addr = ev->call == FS_CALL_MMAP ? (__u64)ev->ret : ev->args[0];
	__u32 stack = stack_of(sr, ev->stack_id);
	struct place pl;

	if (ev->region_id) {
		place_of(sr, ev->head.pid, ev->region_id, ev->region, addr, &pl);
		stat__call(sr->tally, ev, &pl, proc, stack);
	} else {
		stat__call(sr->tally, ev, NULL, proc, stack);
	}
}

/* The image that a cell counted for, where it ended in this drain; else NULL. */
static struct process *ended_process(const struct stat_run *sr, const struct fs_cell_key *key)
{
	for (size_t i = 0; i < sr->nended; i++)
		if (sr->ended[i].pid == key->pid && sr->ended[i].image == key->image)
			return sr->ended[i].proc;
	return NULL;
}

static bool cell_is_over(void *ctx, const struct fs_cell_key *key)
{
	return ended_process(ctx, key);
}

static int on_cell(void *ctx, const struct fs_cell_key *key, const struct fs_cell *cell)
{
	struct stat_run *sr = ctx;
	struct process *proc = ended_process(sr, key);
	struct place pl = { .region = key->region };
	const struct mapping *m = key->region_id ? space__mapping(sr->run.space, key->region_id) :
						   NULL;

	if (!(sr->regions & OPT_REGION(key->region)))
		return 0;
	if (!proc)
		proc = space__process(sr->run.space, key->pid);
	if (m) {
		place_of(sr, key->pid, key->region_id, m->base, m->start, &pl);
		if (pl.region != key->region) /* an object's bss, and what is anonymous behind it */
			place_of(sr, key->pid, key->region_id, m->base, m->end - 1, &pl);
		pl.region = key->region;
	}
	if (proc && !stat_class__failed(key->class)) {
		proc->target = true;
		proc->seen_maj += cell->major;
		proc->seen_min += cell->faults - cell->major;
	}
	stat__add_cell(sr->tally, key, cell, &pl, proc, sr->page_size);
	return 0;
}

static int note_ended(struct stat_run *sr, __u32 pid, __u64 image)
{
	size_t room = sr->ended_room ? sr->ended_room * 2 : 64;
	struct ended_image *more;

	if (!sr->run.o->stat.in_kernel)
		return 0;
	if (sr->nended == sr->ended_room) {
		more = realloc(sr->ended, room * sizeof(*more));
		if (!more)
			return -ENOMEM;
		sr->ended = more;
		sr->ended_room = room;
	}
	sr->ended[sr->nended++] =
		(struct ended_image){ pid, image, space__process(sr->run.space, pid) };
	return 0;
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct stat_run *sr = ctx;
	const void *e = ev;
	int err = 0;

	if (ev->kind == FS_EVENT_CALL)
		on_call(sr, e);
	else if (ev->kind == FS_EVENT_RENAME)
		stat__rename(sr->tally, e);
	else if (ev->kind == FS_EVENT_EXEC)
		err = note_ended(sr, ev->pid, ((const struct fs_exec_event *)e)->image - 1);
	else if (ev->kind == FS_EVENT_EXIT && ((const struct fs_exit_event *)e)->last)
		err = note_ended(sr, ev->pid, ((const struct fs_exit_event *)e)->image);
	return err ? err : run__event(&sr->run, ev);
}

static int on_drained(void *ctx)
{
	struct stat_run *sr = ctx;
	int err = 0;

	if (sr->nended)
		err = session__cells(sr->run.session, cell_is_over, on_cell, sr);
	sr->nended = 0;
	return err;
}

/* Boundaries of an object, for the kernel's own table; objects with too many are streamed. */
static void on_elf(void *ctx, const struct file *file, const struct elf_layout *elf)
{
	struct stat_run *sr = ctx;
	struct fs_file_key key = { .ino = file->ino,
				   .dev = file->dev,
				   .generation = file->generation };
	struct fs_elf_spans spans = { 0 };
	const struct elf_load *rw = NULL;

	if (!sr->run.session)
		return;
	for (size_t i = 0; i < elf->nspans; i++) {
		struct elf_span *s = &elf->spans[i];

		if (spans.nspans && spans.span[spans.nspans - 1].region == s->region) {
			spans.span[spans.nspans - 1].end = s->end;
			continue;
		}
		if (spans.nspans == FS_ELF_SPANS - 1)
			return;
		spans.span[spans.nspans].end = s->end;
		spans.span[spans.nspans++].region = s->region;
	}
	for (size_t i = 0; i < elf->nloads; i++) {
		if (elf->loads[i].memsz <= elf->loads[i].filesz)
			continue;
		if (rw)
			return; /* two objects in one: leave it to user space */
		rw = &elf->loads[i];
	}
	if (rw) {
		__u64 page = sr->page_size;

		spans.bss_offset = rw->offset + rw->filesz;
		spans.bss_end = (rw->offset + rw->memsz + page - 1) & ~(page - 1);
		spans.span[spans.nspans].end = (spans.bss_offset + page - 1) & ~(page - 1);
		spans.span[spans.nspans++].region = FS_REGION_BSS;
	}
	session__push_spans(sr->run.session, &key, &spans);
}

static const char *thread_name(void *ctx, __u32 pid, __u32 tid)
{
	struct stat_run *sr = ctx;

	return space__comm(sr->run.space, pid, tid);
}

static int cgroup_path(void *ctx, __u64 id, char *buf, size_t size)
{
	struct stat_run *sr = ctx;

	return session__cgroup_path(sr->run.session, id, buf, size);
}

/*
 * Pages that getrusage counts and no exception showed, of the processes that were traced, since the
 * start: what they used less the faults that the kernel side saw. Unknown (0) where a filter keeps
 * faults back. By process it is told only where no record was lost.
 */
static __u64 count_populated(struct stat_run *sr, const struct session_counters *now)
{
	__u64 all_used = 0, all_seen = now->faults_ok, lost = 0, used, seen;
	struct process *p;

	if (!sr->whole)
		return 0;
	for (int k = 0; k < FS_LOSS_NR; k++)
		lost += now->lost[k];
	for (size_t i = 0; (p = space__image(sr->run.space, i)); i++) {
		if (!p->target && !sr->run.o->target.all)
			continue;
		used = p->usage.min_flt + p->usage.maj_flt;
		seen = p->seen_min + p->seen_maj;
		all_used += used;
		if (!lost && used > seen)
			stat__populated(sr->tally, p, used - seen);
	}
	return all_used > all_seen ? all_used - all_seen : 0;
}

/* Totals of the interval: the kernel's counters less those at its beginning. */
static void fill_totals(struct stat_run *sr, struct stat_report *rep)
{
	struct session_counters now;
	struct stat_totals *t = &rep->totals;
	__u64 populated, n, pages;

	session__counters(sr->run.session, &now);
	for (int k = 0; k < FS_LOSS_NR; k++)
		rep->lost[k] = now.lost[k] - sr->before.lost[k];
	populated = count_populated(sr, &now);
	stat__totals(sr->tally, t);
	t->populated = populated > sr->populated_before ? populated - sr->populated_before : 0;
	t->fixup = now.faults[FS_CLASS_FIXUP] - sr->before.faults[FS_CLASS_FIXUP];
	if (sr->exact) {
		t->faults = t->failed = t->bytes = 0;
		for (int c = 0; c < FS_CLASS_NR; c++) {
			n = now.faults[c] - sr->before.faults[c];
			pages = now.pages[c] - sr->before.pages[c];
			if (c == FS_CLASS_FIXUP)
				continue;
			t->faults += n;
			if (stat_class__failed(c))
				t->failed += n;
			t->bytes += stat_class__bytes(c, pages, sr->page_size);
		}
		t->major = now.major - sr->before.major;
		t->minor = t->faults - t->failed - t->major;
		t->kernel = now.kernel - sr->before.kernel;
		t->user = t->faults - t->kernel;
	}
	sr->before = now;
	sr->populated_before = populated;
}

static int print_report(struct stat_run *sr, const struct stat_report *rep)
{
	struct stat_text_opts text = { .utf8 = !strcmp(nl_langinfo(CODESET), "UTF-8") };
	const struct options *o = sr->run.o;
	FILE *out = sr->run.out;
	char words[512];
	int err = 0;

	text.width = run__width(&sr->run);
	switch (o->common.format) {
	case FORMAT_JSON:
		err = stat_json__print(out, sr->tally, rep);
		break;
	case FORMAT_CSV:
		if (!sr->header_done)
			err = stat_csv__header(out, rep);
		sr->header_done = true;
		if (!err)
			err = stat_csv__print(out, sr->tally, rep);
		log_warn("%s", stat_csv__words(sr->tally, rep, words, sizeof(words)));
		break;
	case FORMAT_TEXT:
		err = stat_text__print(out, sr->tally, rep, &text);
		break;
	}
	return err ? err : fflush(out) ? -EIO : 0;
}

static int report(struct stat_run *sr, __u64 duration_ns, bool interval)
{
	bool text = sr->run.o->common.format == FORMAT_TEXT;
	struct stat_report rep = {
		.by = sr->by.n ? &sr->by : NULL,
		.sort = sr->run.o->stat.sort,
		.top = sr->run.o->stat.top ? sr->run.o->stat.top :
		       text                ? 10 :
					     0,
		.command = sr->command,
		.target = sr->run.target,
		.duration_ns = duration_ns,
		.interval = interval,
		.notes = sr->notes,
		.nnotes = sr->nnotes,
	};
	int err;

	/* getrusage's counters first: faults that come meanwhile must not look like populated pages */
	space__settle(sr->run.space);
	err = session__poll(sr->run.session, 0, &sr->sink);
	if (!err)
		err = session__cells(sr->run.session, NULL, on_cell, sr);
	if (err)
		return err;
	rep.time_ns = clock_ns() - session__start_ns(sr->run.session);
	fill_totals(sr, &rep);
	err = print_report(sr, &rep);
	if (!err && sr->mappings)
		err = mappings__report(sr->mappings, sr->command, duration_ns, interval, rep.lost);
	stat__reset(sr->tally);
	return err;
}

static void look(void *ctx)
{
	struct stat_run *sr = ctx;

	if (sr->mappings)
		mappings__look(sr->mappings);
}

static int on_interval(void *ctx, __u64 duration_ns)
{
	struct stat_run *sr = ctx;

	look(sr);

	if (!sr->reported_ns)
		sr->reported_ns = session__start_ns(sr->run.session);
	sr->reported_ns += duration_ns;
	return report(sr, duration_ns, true);
}

/* What this kernel could not tell, in words. */
static void take_notes(struct stat_run *sr)
{
	static const enum feature_id told[] = { FEATURE_PAGE_TABLES, FEATURE_SIGNALS,
						FEATURE_LIFETIMES };

	for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++)
		if (!features__use(&sr->run.features, told[i]))
			sr->notes[sr->nnotes++] = feature_row(told[i])->loss;
}

static int make_tally(struct stat_run *sr)
{
	struct stat_opts opts = { .names = { sr, thread_name, cgroup_path, shown_stack } };
	const struct options *o = sr->run.o;

	for (size_t i = 0; i < o->stat.by.n; i++)
		stat_by__add(&sr->by, o->stat.by.values[i]);
	opts.tables = (struct stat_by[]){ stat_by_default, sr->by };
	opts.ntables = sr->by.n ? 2 : 1;
	sr->tally = stat__new(&opts);
	return sr->tally ? 0 : -errno;
}

static int run_stat(struct stat_run *sr)
{
	__u64 start, end;
	int status = run__start(&sr->run), err;

	if (status)
		return status;
	if (stat_by__has(&sr->by, STAT_STACK) && open_names(sr)) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	if (sr->run.o->mappings.with.n) {
		sr->mappings = mappings__new(&sr->run, sr->run.o->mappings.with.values,
					     sr->run.o->mappings.with.n);
		if (!sr->mappings) {
			log_error("out of memory");
			return STATUS_FAILED;
		}
	}
	take_notes(sr);
	sr->run.ending = look;
	err = run__loop(&sr->run, &sr->sink, on_interval, sr);
	end = clock_ns();
	start = session__start_ns(sr->run.session);
	if (sr->run.o->common.interval_ns && !err) /* what came after the last interval */
		err = report(sr, end - (sr->reported_ns ? sr->reported_ns : start), true);
	else if (!err)
		err = report(sr, end - start, false);
	if (err && err != -EPIPE && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	return STATUS_OK;
}

int cmd_stat(const struct options *o)
{
	struct stat_run sr = { .regions = o->common.regions, .exact = run__exact_totals(o) };
	struct space_ops ops = { .ctx = &sr, .elf_found = on_elf };
	struct session_opts opts;
	int status;

	setlocale(LC_CTYPE, "");
	sr.whole = o->common.regions == OPT_REGIONS_ALL && o->common.faults == OPT_FAULTS_ALL;
	sr.sink = (struct event_sink){ &sr, on_fault, on_event, on_drained };
	sr.page_size = sysconf(_SC_PAGESIZE);
	sr.run.o = o;
	run__session_opts(o, &opts);
	opts.calls = !o->stat.no_calls;
	opts.no_latency = o->stat.no_latency;
	opts.in_kernel = o->stat.in_kernel;
	if (make_tally(&sr)) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	opts.by_cgroup = stat_by__has(&sr.by, STAT_CGROUP);
	opts.by_thread = stat_by__has(&sr.by, STAT_THREAD);
	opts.by_mapping = stat_by__has(&sr.by, STAT_MAPPING) || stat_by__has(&sr.by, STAT_FILE);
	opts.stacks = stat_by__has(&sr.by, STAT_STACK);
	opts.user_stacks = !o->stacks.kernel_only;
	opts.kernel_stacks = !o->stacks.user_only;
	if (o->mappings.with.n)
		run__map_opts(o, &opts);
	for (size_t i = 0; i < o->mappings.with.n; i++)
		ops.all_origins |= o->mappings.with.values[i] == MAPPING_TOUCHED;
	status = run__open(&sr.run, o, &opts, &ops);
	run__command_line(o, sr.command, sizeof(sr.command));
	if (!status)
		status = run_stat(&sr);
	if (sr.run.out && options__close_output(sr.run.out) && !status)
		status = STATUS_FAILED;
	status = run__status(&sr.run, status);
	run__close(&sr.run);
	mappings__free(sr.mappings);
	stat__free(sr.tally);
	free_names(&sr);
	free(sr.ended);
	return status;
}
