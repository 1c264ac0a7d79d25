// SPDX-License-Identifier: GPL-2.0-only
#include "run.h"

#include <errno.h>
#include <limits.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kind_names.h"
#include "base/log.h"
#include "commands.h"
#include "live/whom.h"

#define OUT_BUFFER   (256 * 1024)
#define POLL_BUSY_MS 2
#define POLL_IDLE_MS 10
#define SETTLE_TIMES 50 /* that what is in doubt is asked for */
/* Telling all anew takes long on a large machine, and may itself be why records are lost. */
#define DOUBT_LEAST_NS 200000000ULL
#define DOUBT_PART     10 /* of the time may go into it */

/* Base regions, as the kernel side knows them, that may turn out to be one of those wanted. */
static __u32 base_regions(__u64 wanted)
{
	const __u32 file = 1U << FS_REGION_FILE, anon = 1U << FS_REGION_ANON;
	const __u32 exec = 1U << FS_REGION_ANON_EXEC;
	__u32 mask = 0;

	for (int r = 0; r < FS_REGION_NR; r++) {
		if (!(wanted & OPT_REGION(r)))
			continue;
		mask |= 1U << r;
		if (r == FS_REGION_TEXT || r == FS_REGION_RODATA || r == FS_REGION_DATA)
			mask |= file;
		else if (r == FS_REGION_BSS)
			mask |= file | anon | exec;
		else if (r == FS_REGION_THREAD_STACK)
			mask |= anon | exec;
	}
	return mask;
}

bool run__exact_totals(const struct options *o)
{
	for (int r = 0; r < FS_REGION_NR; r++)
		if (!region_by_vma(r) && !(o->common.regions & OPT_REGION(r)))
			return false;
	return true;
}

void run__session_opts(const struct options *o, struct session_opts *s)
{
	memset(s, 0, sizeof(*s));
	s->pids = o->target.pids.ids;
	s->npids = o->target.pids.n;
	s->tids = o->target.tids.ids;
	s->ntids = o->target.tids.n;
	s->comms = o->target.comms.names;
	s->ncomms = o->target.comms.n;
	s->cgroup = o->target.cgroup;
	s->argv = o->target.argv;
	s->no_follow = o->target.no_follow;
	s->minor = o->common.faults != OPT_FAULTS_MAJOR;
	s->major = o->common.faults != OPT_FAULTS_MINOR;
	s->failed = o->common.faults == OPT_FAULTS_ALL;
	s->regions = base_regions(o->common.regions);
	s->ring_bytes = o->common.ring_size_bytes;
	s->faults = true;
	s->calls = true;
	s->wake_fd = -1;
}

void run__map_opts(const struct options *o, struct session_opts *s)
{
	s->layouts = true;
	s->calls_alone = !(o->command->bit & ON_STAT); /* which shows how long calls take */
	if (o->mappings.no_stacks || s->stacks)
		return;
	s->stacks = s->user_stacks = s->call_stacks_only = true;
}

void run__command_line(const struct options *o, char *buf, size_t size)
{
	size_t at = 0;

	buf[0] = '\0';
	for (int i = 0; i < o->target.argc && at < size; i++)
		at += snprintf(buf + at, size - at, "%s%s", i ? " " : "", o->target.argv[i]);
}

static void describe_target(struct run *r)
{
	const struct options *o = r->o;
	size_t n = sizeof(r->target);

	if (o->target.argv)
		snprintf(r->target, n, "%s", o->target.argv[0]);
	else if (o->target.pids.n)
		snprintf(r->target, n, "pid %u%s", o->target.pids.ids[0],
			 o->target.pids.n > 1 ? " and more" : "");
	else if (o->target.tids.n)
		snprintf(r->target, n, "tid %u%s", o->target.tids.ids[0],
			 o->target.tids.n > 1 ? " and more" : "");
	else if (o->target.comms.n)
		snprintf(r->target, n, "name %s%s", o->target.comms.names[0],
			 o->target.comms.n > 1 ? " and more" : "");
	else if (o->target.cgroup)
		snprintf(r->target, n, "cgroup %s", o->target.cgroup);
	else
		snprintf(r->target, n, "all processes");
}

static int open_signals(struct run *r)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, &r->old_mask))
		return -errno;
	r->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	return r->signal_fd < 0 ? -errno : 0;
}

static void on_opened(void *ctx, const struct file *file, int fd, const struct elf_layout *elf)
{
	struct run *r = ctx;

	if (r->stacks)
		stacks__opened(r->stacks, file, fd, elf);
	if (r->naming)
		naming__opened(r->naming, file, fd, elf);
}

/* Stacks and names, as far as they are asked for. */
static int open_stacks(struct run *r, bool stacks)
{
	const struct symbolizer_opts opts = {
		.inlines = r->o->symbols.inlines,
		.lines = r->o->symbols.lines,
		.debuginfod = r->o->symbols.debuginfod,
	};

	if (stacks) {
		r->stacks = stacks__new(r->session, r->space);
		if (!r->stacks)
			return -errno;
	}
	if (stacks || r->o->symbols.variables) {
		r->naming = naming__new(r->space, &opts);
		if (!r->naming)
			return -errno;
	}
	return 0;
}

int run__open(struct run *r, const struct options *o, struct session_opts *opts,
	      const struct space_ops *ops)
{
	struct space_ops all = ops ? *ops : (struct space_ops){};
	enum session_result result;

	memset(r, 0, sizeof(*r));
	all.stacks = opts->stacks;
	all.layouts = opts->layouts;
	all.opened = on_opened;
	all.opened_ctx = r;
	r->o = o;
	r->wants_layouts = opts->layouts;
	r->signal_fd = -1;
	r->features.tracefs_fd = -1;
	describe_target(r);
	if (features__probe(&r->features, o->common.without.names, o->common.without.n))
		return STATUS_USAGE;
	if (features__check_rights())
		return STATUS_CANNOT;
	if (features__check(&r->features))
		return STATUS_CANNOT;
	r->space = space__new(&all);
	if (!r->space || open_signals(r)) {
		log_error("cannot begin: %s", strerror(errno));
		return STATUS_FAILED;
	}
	opts->wake_fd = r->signal_fd;
	r->session = session__open(opts, &r->features, &result);
	if (!r->session)
		return result;
	if (open_stacks(r, opts->stacks)) {
		log_error("out of memory");
		return STATUS_FAILED;
	}
	features__drop_btf(&r->features);
	/* large blocks, such as a burst of events, go back to the kernel when they are freed */
	mallopt(M_MMAP_THRESHOLD, 256 * 1024);
	malloc_trim(0);
	r->out = options__open_output(o);
	if (!r->out)
		return STATUS_FAILED;
	r->buffer = malloc(OUT_BUFFER);
	if (r->buffer)
		setvbuf(r->out, r->buffer, _IOFBF, OUT_BUFFER);
	return STATUS_OK;
}

/* The process of a thread: Tgid of /proc/TID/status, proc(5); the thread itself where it has ended. */
static __u32 process_of(__u32 tid)
{
	char path[64], line[256];
	__u32 pid = tid;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%u/status", tid);
	f = fopen(path, "re");
	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "Tgid: %u", &pid) == 1)
			break;
	if (f)
		fclose(f);
	return pid;
}

/* Names, threads and counters of those who live already. */
static int take_snapshot(struct run *r)
{
	const struct options *o = r->o;
	int err = 0;

	if (o->target
		    .argv) /* its exec tells; reading it now would be too late for what it has done */
		return 0;
	for (size_t i = 0; i < o->target.tids.n && !err; i++)
		err = space__snapshot(r->space, process_of(o->target.tids.ids[i]));
	if (o->target.tids.n)
		return err;
	if (!o->target.pids.n)
		return space__snapshot(r->space, 0);
	for (size_t i = 0; i < o->target.pids.n && !err; i++)
		err = space__snapshot(r->space, o->target.pids.ids[i]);
	return err;
}

/* Tables of the code that is likely to be met, before anything is traced. */
static void prepare_stacks(struct run *r)
{
	const struct options *o = r->o;
	char path[PATH_MAX];

	if (!r->stacks)
		return;
	stacks__prepare(r->stacks, getpid());
	for (size_t i = 0; i < o->target.pids.n; i++)
		stacks__prepare(r->stacks, o->target.pids.ids[i]);
	if (o->target.argv && !program_path(o->target.argv[0], path, sizeof(path)))
		stacks__prepare_program(r->stacks, path);
}

/*
 * Copies of stacks, and calls with what they have changed, fill their ring in a few milliseconds, as long
 * as others have the CPUs by turns.
 */
#define NICE_WITH_MUCH (-15)

static void take_priority(void)
{
	if (getpriority(PRIO_PROCESS, 0) > NICE_WITH_MUCH &&
	    setpriority(PRIO_PROCESS, 0, NICE_WITH_MUCH))
		log_debug("no higher priority: %s", strerror(errno));
}

/* Of targets that live already the state is told at once, of others when they first make a call. */
static int want_layouts(struct run *r)
{
	const struct options *o = r->o;
	int err = 0;

	r->layouts = true;
	for (size_t i = 0; i < o->target.pids.n && !err; i++)
		err = space__want_layout(r->space, o->target.pids.ids[i]);
	return err;
}

int run__tell_layouts(struct run *r)
{
	__u64 lost, from, to, began = clock_ns(), rest;
	bool anew = false;
	__u32 pid;
	int err = 0;

	if (!r->layouts)
		return 0;
	lost = session__lost_events(r->session);
	r->doubt |= lost != r->lost_events;
	r->lost_events = lost;
	if (r->doubt && began >= r->doubt_ns) {
		anew = true;
		r->doubt = false;
		r->resyncs++;
		space__doubt_layouts(r->space);
	}
	while (!err && space__wanted(r->space, &pid, &from, &to)) {
		err = session__tell_layouts(r->session, pid, from, to);
		if (err == -ESRCH)
			err = 0; /* it has ended */
	}
	if (anew) {
		rest = DOUBT_PART * (clock_ns() - began);
		r->doubt_ns = began + (rest > DOUBT_LEAST_NS ? rest : DOUBT_LEAST_NS);
	}
	return err;
}

int run__settle(struct run *r, __u32 pid, const struct event_sink *sink)
{
	int err = 0;

	for (int i = 0; i < SETTLE_TIMES && !err; i++) {
		err = session__poll(r->session, 0, sink);
		r->doubt_ns = 0; /* at once */
		if (!err)
			err = run__tell_layouts(r);
		if (!err && i && space__layout_known(r->space, pid))
			return 0;
	}
	return err ? err : -EAGAIN;
}

size_t run__width(const struct run *r)
{
	struct winsize ws;

	if (ioctl(fileno(r->out), TIOCGWINSZ, &ws))
		return 0;
	return ws.ws_col <= 80 ? 80 : ws.ws_col < 160 ? ws.ws_col : 160;
}

int run__start(struct run *r)
{
	const struct options *o = r->o;
	enum session_result result;
	char words[128];
	int err;

	prepare_stacks(r);
	result = session__start(r->session);
	if (result)
		return result;
	if (r->stacks || r->wants_layouts)
		take_priority(); /* the program has been forked by now and keeps its own */
	err = take_snapshot(r);
	if (err && err != -ESRCH) {
		log_error("cannot read /proc: %s", strerror(-err));
		return STATUS_FAILED;
	}
	if (r->wants_layouts) {
		/* at once: what happens before the state is told cannot be placed */
		err = want_layouts(r);
		if (!err)
			err = run__tell_layouts(r);
		if (err) {
			log_error("cannot read address spaces: %s", strerror(-err));
			return STATUS_FAILED;
		}
	}
	if (isatty(STDERR_FILENO) && !o->target.argv)
		log_warn("tracing %s; Ctrl-C ends it", r->target);
	log_info("attached: %s", session__attached(r->session, words, sizeof(words)));
	return STATUS_OK;
}

static bool was_signalled(const struct run *r)
{
	struct signalfd_siginfo si;

	return read(r->signal_fd, &si, sizeof(si)) == sizeof(si);
}

/* From now on Ctrl-C ends the program at once. */
static void release_signals(struct run *r)
{
	struct signalfd_siginfo si;

	if (r->signal_fd < 0)
		return;
	while (read(r->signal_fd, &si, sizeof(si)) == sizeof(si))
		; /* asked to end what has ended */
	sigprocmask(SIG_SETMASK, &r->old_mask, NULL);
	close(r->signal_fd);
	r->signal_fd = -1;
}

int run__loop(struct run *r, const struct event_sink *sink, run_tick tick, void *ctx)
{
	__u64 start = session__start_ns(r->session), now, tick_at = 0, last = start, end = ~0ULL;
	__u64 interval = r->o->common.interval_ns;
	int err = 0, wait, wait_max;
	bool signalled = false;

	if (r->o->common.duration_ns)
		end = start + r->o->common.duration_ns;
	if (interval)
		tick_at = start + interval;
	while (!err) {
		wait_max = session__busy(r->session) ? POLL_BUSY_MS : POLL_IDLE_MS;
		now = clock_ns();
		signalled = was_signalled(r);
		if (now >= end || signalled || session__target_ended(r->session))
			break;
		wait = end - now < wait_max * 1000000ULL ? (int)((end - now) / 1000000) + 1 :
							   wait_max;
		err = session__poll(r->session, wait, sink);
		if (!err)
			err = run__tell_layouts(r);
		if (!err && ferror(r->out))
			err = -EPIPE;
		now = clock_ns();
		if (!err && tick_at && now >= tick_at && now < end) { /* the last is the caller's */
			err = tick(ctx, now - last);
			last = now;
			while (tick_at <= now)
				tick_at += interval;
		}
	}
	if (r->ending)
		r->ending(ctx);
	session__stop(r->session);
	if (r->stacks)
		stacks__log(r->stacks);
	if (signalled)
		release_signals(r);
	return err ? err : session__poll(r->session, 0, sink);
}

static int stack_event(struct run *r, const struct fs_stack_event *ev)
{
	const struct stack *s;
	int err;

	if (!r->stacks)
		return 0;
	err = stacks__event(r->stacks, ev);
	s = stacks__get(r->stacks, ev->id);
	if (s && s->pid)
		naming__process(r->naming, s->pid, s->image);
	return err;
}

/*
 * What a userfaultfd's first ioctl() has split was not seen where it was made before they were traced:
 * the state as it is now tells.
 */
static int uffd_event(struct run *r, const struct fs_call_event *ev)
{
	if (ev->flags & FS_CALL_FAILED || !session__meet_uffd(r->session, ev->head.time_ns))
		return 0;
	return r->layouts ? space__want_layout(r->space, ev->head.pid) : 0;
}

int run__event(struct run *r, const struct fs_head *ev)
{
	int err = 0;

	if (ev->kind == FS_EVENT_EXEC && ((const struct fs_exec_event *)ev)->compat)
		session__meet_compat(r->session, false);
	if (ev->kind == FS_EVENT_STACK)
		return stack_event(r, (const void *)ev);
	if (ev->kind == FS_EVENT_CALL &&
	    ((const struct fs_call_event *)ev)->call == FS_CALL_USERFAULTFD)
		err = uffd_event(r, (const void *)ev);
	return err ? err : space__event(r->space, ev);
}

int run__status(struct run *r, int status)
{
	int program = r->session ? session__program_status(r->session) : -1;

	return status == STATUS_OK && program >= 0 ? program : status;
}

void run__close(struct run *r)
{
	stacks__free(r->stacks);
	naming__free(r->naming);
	session__close(r->session);
	space__free(r->space);
	features__clear(&r->features);
	release_signals(r);
	if (r->out && r->out != stdout) /* closed by now; stdout is closed by main(), after this */
		free(r->buffer);
}
