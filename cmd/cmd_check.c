// SPDX-License-Identifier: GPL-2.0-only
/* check: is what is known of address spaces what the kernel says they are? */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/proc.h"
#include "base/units.h"
#include "commands.h"
#include "live/whom.h"
#include "run.h"

#define DEFAULT_INTERVAL_NS 100000000ULL
#define STOP_MS             1000 /* that a process is given to stop */
#define SHOWN               10   /* differences of one process that are printed */

struct check_run {
	struct run run;
	struct event_sink sink;
	unsigned int seed;
	__u32 pid; /* that is being looked at */
	bool told; /* its differences have a heading */
	__u64 checks, runs, differences, skipped;
	__u64 processes;
	__u32 *seen; /* pids that have been looked at */
	size_t nseen;
};

static int on_fault(void *ctx, const struct fs_fault *f)
{
	struct check_run *cr = ctx;
	struct place pl;

	space__place(cr->run.space, f, &pl); /* of a mapping that no call has made: */
	return space__touch(cr->run.space, f);
}

static int on_event(void *ctx, const struct fs_head *ev)
{
	struct check_run *cr = ctx;

	return run__event(&cr->run, ev);
}

/* ---- holding a process ------------------------------------------------------------------------ */

/* Have all threads stopped? -ESRCH where the process has gone. */
static int has_stopped(__u32 pid)
{
	struct proc_stat st;
	int err, running = 0;
	__u32 *tids;
	size_t n;

	err = proc__tasks(pid, &tids, &n);
	for (size_t i = 0; i < n && !err; i++)
		if (!proc__stat(pid, tids[i], &st) && !strchr("TtXZ", st.state))
			running++;
	if (!err) {
		free(tids);
		err = proc__stat(pid, 0, &st);
		if (!err && strchr("XZ", st.state))
			err = -ESRCH;
	}
	return err ? err : !running;
}

static int stop(__u32 pid)
{
	const struct timespec ms = { .tv_nsec = 1000000 };
	int err = kill(pid, SIGSTOP) ? -errno : 0;

	for (int i = 0; i < STOP_MS && !err; i++) {
		err = has_stopped(pid);
		if (err)
			return err == 1 ? 0 : err;
		nanosleep(&ms, NULL);
	}
	return err ? err : -EBUSY;
}

/* ---- looking at it ---------------------------------------------------------------------------- */

static void put_side(FILE *f, const char *who, const struct layout_run *r)
{
	if (!r->perms[0])
		fprintf(f, "  %s: nothing", who);
	else
		fprintf(f, "  %s: %s %llx %02x:%02x %llu", who, r->perms,
			(unsigned long long)r->offset, r->dev >> 20, r->dev & 0xfffff,
			(unsigned long long)r->ino);
}

static void on_difference(void *ctx, const struct layout_run *known, const struct layout_run *real)
{
	struct check_run *cr = ctx;
	FILE *f = cr->run.out;

	if (!cr->told)
		fprintf(f, "process %u differs:\n", cr->pid);
	cr->told = true;
	fprintf(f, "  %llx-%llx", (unsigned long long)known->start, (unsigned long long)known->end);
	put_side(f, "known", known);
	put_side(f, "/proc", real);
	fputc('\n', f);
}

static void note_seen(struct check_run *cr, __u32 pid)
{
	__u32 *more;

	for (size_t i = 0; i < cr->nseen; i++)
		if (cr->seen[i] == pid)
			return;
	more = reallocarray(cr->seen, cr->nseen + 1, sizeof(*more));
	if (!more)
		return;
	cr->seen = more;
	cr->seen[cr->nseen++] = pid;
}

static int look(struct check_run *cr, __u32 pid)
{
	bool stopped = has_stopped(pid) == 1; /* by somebody else: it stays so */
	int err = stopped ? 0 : stop(pid), differ;
	size_t runs;

	if (!err)
		err = run__settle(&cr->run, pid, &cr->sink);
	if (!err) {
		cr->pid = pid;
		cr->told = false;
		differ = space__compare(cr->run.space, pid, on_difference, cr, &runs);
		if (differ < 0) {
			err = differ;
		} else {
			cr->checks++;
			cr->runs += runs;
			cr->differences += differ;
			note_seen(cr, pid);
		}
	}
	if (!stopped)
		kill(pid, SIGCONT);
	if (err == -ESRCH || err == -EPERM || err == -EBUSY || err == -EAGAIN) {
		cr->skipped++;
		log_info("process %u was not looked at: %s", pid, strerror(-err));
		err = 0;
	}
	return err;
}

/*
 * A process that lives and of which something is known, any of them: what is in doubt, as when records
 * are lost again and again, settles when it stands still. 0: there is none.
 */
static __u32 choose(struct check_run *cr)
{
	__u32 chosen = 0, own = getpid();
	struct process *p;
	size_t n = 0;

	for (size_t i = 0; (p = space__image(cr->run.space, i)); i++) {
		if (!p->alive || p->pid == own || !space__vma(cr->run.space, p->pid, 0))
			continue;
		if (!(rand_r(&cr->seed) % ++n))
			chosen = p->pid;
	}
	return chosen;
}

static int on_interval(void *ctx, __u64 interval_ns)
{
	struct check_run *cr = ctx;
	__u32 pid = choose(cr);

	(void)interval_ns;
	return pid ? look(cr, pid) : 0;
}

/* ---- the command ------------------------------------------------------------------------------ */

static int print_result(struct check_run *cr)
{
	char vmas[FMT_LEN], bytes[FMT_LEN], checks[FMT_LEN], seen[FMT_LEN], runs[FMT_LEN];
	char differences[FMT_LEN], skipped[FMT_LEN];
	__u64 n, memory = space__layout_bytes(cr->run.space, &n);
	FILE *f = cr->run.out;

	fprintf(f,
		"%s: %s checks of %s processes, %s runs of addresses, %s differences, %s not done\n",
		cr->run.target, fmt_count(checks, sizeof(checks), cr->checks),
		fmt_count(seen, sizeof(seen), cr->nseen), fmt_count(runs, sizeof(runs), cr->runs),
		fmt_count(differences, sizeof(differences), cr->differences),
		fmt_count(skipped, sizeof(skipped), cr->skipped));
	if (cr->run.resyncs)
		fprintf(f, "%s times records were lost, and all processes told anew\n",
			fmt_count(checks, sizeof(checks), cr->run.resyncs));
	log_info("%s VMAs in %s", fmt_count(vmas, sizeof(vmas), n),
		 fmt_bytes(bytes, sizeof(bytes), memory));
	return fflush(f) ? -EIO : 0;
}

static int run_check(struct check_run *cr)
{
	int status = run__start(&cr->run), err;

	if (status)
		return status;
	err = run__loop(&cr->run, &cr->sink, on_interval, cr);
	if (!err)
		err = print_result(cr);
	if (err && err != -EPIPE && err != -EIO) {
		log_error("the run was cut short: %s", strerror(-err));
		return STATUS_FAILED;
	}
	return cr->differences ? STATUS_FAILED : STATUS_OK;
}

int cmd_check(const struct options *given)
{
	struct check_run cr = { .seed = clock_ns() };
	struct options o = *given;
	struct session_opts opts;
	int status;

	if (in_pid_namespace()) { /* which would be stopped in the place of others */
		log_error("check does not know processes by their numbers in this PID namespace: "
			  "run it in the initial one");
		return STATUS_CANNOT;
	}
	if (!o.common.interval_ns)
		o.common.interval_ns = DEFAULT_INTERVAL_NS;
	cr.sink = (struct event_sink){ &cr, on_fault, on_event, NULL };
	run__session_opts(&o, &opts);
	o.mappings.no_stacks = true;
	run__map_opts(&o, &opts);
	status = run__open(&cr.run, &o, &opts, NULL);
	if (!status)
		status = run_check(&cr);
	if (cr.run.out && options__close_output(cr.run.out) && !status)
		status = STATUS_FAILED;
	if (!status)
		status = run__status(&cr.run, status);
	run__close(&cr.run);
	free(cr.seen);
	return status;
}
