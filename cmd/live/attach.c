// SPDX-License-Identifier: GPL-2.0-only
/* Which programs a session needs, and where they are attached. */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <dirent.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/kind_names.h"
#include "base/log.h"
#include "live/session_impl.h"
#include "live/tracefs.h"

/* Are the software events opened for the targets alone? */
static bool per_task(const struct session *s)
{
	return (s->opts.npids || s->opts.ntids || s->opts.argv) &&
	       features__use(s->features, FEATURE_TASK_EVENTS);
}

bool session__checks_members(const struct session *s)
{
	return (s->opts.npids || s->opts.ntids || s->opts.argv) && !per_task(s);
}

/* Is the beginning of faults told by the exception tracepoints? Per task they cannot be had. */
static bool by_exceptions(const struct session *s)
{
	return !per_task(s) && features__use(s->features, FEATURE_EXCEPTIONS);
}

/*
 * Do minor faults end with count_memcg_events? Not where only some tasks pay for tracing: that
 * tracepoint is everyone's. It needs the page tables, to tell a success from a failure.
 */
bool session__by_memcg(const struct session *s)
{
	return s->opts.faults && !per_task(s) && s->opts.minor && !s->opts.no_latency &&
	       features__use(s->features, FEATURE_MEMCG_EVENTS) &&
	       features__use(s->features, FEATURE_PAGE_TABLES) && by_exceptions(s);
}

/*
 * Without latency nothing needs to be done when a fault ends: the thread's next one finds it counted.
 */
bool session__by_next(const struct session *s)
{
	return s->opts.faults && s->opts.no_latency && !per_task(s) && by_exceptions(s) &&
	       features__use(s->features, FEATURE_PAGE_TABLES);
}

static void want(struct bpf_program *prog, bool yes)
{
	bpf_program__set_autoload(prog, yes);
}

void session__choose_programs(struct session *s)
{
	const struct features *f = s->features;
	bool faults = s->opts.faults, calls = s->opts.calls;
	bool native = calls && features__use(f, FEATURE_SYSCALL_TRACEPOINTS);
	bool alone = session__calls_alone(s);
	bool raw = calls && features__use(f, FEATURE_RAW_SYSCALLS);
	struct faultsnoop_bpf *k = s->skel;
	const volatile struct fs_config *cfg = &k->rodata->cfg;
	struct bpf_program *prog;

	want(k->progs.fault_min,
	     faults && s->opts.minor && !session__by_memcg(s) && !session__by_next(s));
	want(k->progs.fault_flush, faults && (session__by_memcg(s) || session__by_next(s)));
	prog = bpf_object__find_program_by_name(k->obj, "fault_counted");
	if (prog)
		want(prog, faults && session__by_memcg(s));
	want(k->progs.fault_maj, faults && !session__by_next(s));
	want(k->progs.fault_start, faults && !by_exceptions(s));
	prog = bpf_object__find_program_by_name(k->obj, "exception_user");
	if (prog)
		want(prog, faults && by_exceptions(s));
	prog = bpf_object__find_program_by_name(k->obj, "exception_kernel");
	if (prog)
		want(prog, faults && features__use(f, FEATURE_EXCEPTIONS));
	want(k->progs.fault_signal, faults && features__use(f, FEATURE_SIGNALS));
	want(k->progs.fault_exit, faults && features__use(f, FEATURE_LIFETIMES));
	want(k->progs.life_fork, features__use(f, FEATURE_LIFETIMES));
	want(k->progs.life_fork_missed, features__use(f, FEATURE_LIFETIMES) &&
						cfg->target == FS_TARGET_TASKS && cfg->follow &&
						!cfg->threads);
	want(k->progs.life_exec, features__use(f, FEATURE_LIFETIMES));
	want(k->progs.life_exit, features__use(f, FEATURE_LIFETIMES));
	want(k->progs.life_rename, features__use(f, FEATURE_LIFETIMES));
	want(k->progs.call_enter_0, native && !alone);
	want(k->progs.call_enter_1, native && !alone);
	want(k->progs.call_enter_2, native && !alone);
	want(k->progs.call_enter_3, native && !alone);
	want(k->progs.call_enter_4, native && !alone);
	want(k->progs.call_enter_5, native && !alone);
	want(k->progs.call_enter_6, native && !alone);
	want(k->progs.call_enter_prctl, native && !alone);
	want(k->progs.call_enter_ioctl, native && !alone);
	want(k->progs.call_exit, native && !alone);
	want(k->progs.call_alone, native && alone);
	want(k->progs.raw_enter, raw);
	want(k->progs.raw_exit, raw);
	want(k->progs.tell_pid, in_pid_namespace());
	want(k->progs.tell_layout, s->opts.layouts);
	want(k->progs.cell_command, s->opts.in_kernel);
	want(k->progs.note_spans, s->opts.in_kernel);
	want(k->progs.note_table, s->opts.stacks);
	want(k->progs.find_direct_map, faults && features__use(f, FEATURE_PAGE_TABLES));
}

int session__attach_link(struct session *s, struct bpf_program *prog)
{
	struct bpf_link *link;

	if (!prog || !bpf_program__autoload(prog))
		return 0;
	if (s->nlinks == SESSION_MAX_LINKS)
		return -E2BIG;
	link = bpf_program__attach(prog);
	if (!link)
		return -errno;
	s->links[s->nlinks++] = link;
	return 0;
}

static int attach_lives(struct session *s)
{
	struct bpf_program *progs[] = { s->skel->progs.life_fork, s->skel->progs.life_fork_missed,
					s->skel->progs.life_exec, s->skel->progs.life_exit,
					s->skel->progs.life_rename };
	int err = 0;

	for (size_t i = 0; i < sizeof(progs) / sizeof(progs[0]) && !err; i++)
		err = session__attach_link(s, progs[i]);
	return err;
}

/* One of the three software events, where `spec` says. */
static int attach_event(struct perf_list *list, struct perf_event_spec spec, __u64 config,
			struct bpf_program *prog)
{
	spec.type = PERF_TYPE_SOFTWARE;
	spec.config = config;
	return perf_list__attach(list, &spec, bpf_program__fd(prog));
}

static int attach_three(struct session *s, struct perf_event_spec spec)
{
	int err = 0;

	/* completions first: a fault that began before is told from one that was missed */
	if (bpf_program__autoload(s->skel->progs.fault_min))
		err = attach_event(&s->minors, spec, PERF_COUNT_SW_PAGE_FAULTS_MIN,
				   s->skel->progs.fault_min);
	if (!err && bpf_program__autoload(s->skel->progs.fault_maj))
		err = attach_event(&s->majors, spec, PERF_COUNT_SW_PAGE_FAULTS_MAJ,
				   s->skel->progs.fault_maj);
	if (!err && !by_exceptions(s))
		err = attach_event(&s->starts, spec, PERF_COUNT_SW_PAGE_FAULTS,
				   s->skel->progs.fault_start);
	return err;
}

/* Events of the CPUs that have none yet and are online. */
static int attach_cpus(struct session *s)
{
	int err;

	for (__u32 cpu = 0; cpu < s->ncpus; cpu++) {
		if (s->cpu_watched[cpu])
			continue;
		err = attach_three(s, (struct perf_event_spec){ .pid = -1, .cpu = cpu });
		if (err && err != -ENODEV && err != -ENXIO)
			return err;
		s->cpu_watched[cpu] = !err;
	}
	return 0;
}

/*
 * What tells that a CPU has been away meanwhile: the directory of its topology is made anew when it
 * comes online (drivers/base/topology.c). 0: it is offline.
 */
static __u64 cpu_stamp(__u32 cpu)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/sys/devices/system/cpu/cpu%u/topology", cpu);
	return stat(path, &st) ? 0 : st.st_ino;
}

/* A CPU that goes offline loses its events: new ones are opened when it is back. */
static bool forget_cpus(struct session *s)
{
	bool changed = false;
	__u64 stamp;

	for (__u32 cpu = 0; cpu < s->ncpus; cpu++) {
		stamp = cpu_stamp(cpu);
		if (stamp == s->cpu_stamps[cpu])
			continue;
		s->cpu_stamps[cpu] = stamp;
		s->cpu_watched[cpu] = false;
		changed = true;
	}
	return changed;
}

static int watch_cpus(struct session *s)
{
	s->cpu_watched = calloc(s->ncpus, sizeof(*s->cpu_watched));
	s->cpu_stamps = calloc(s->ncpus, sizeof(*s->cpu_stamps));
	if (!s->cpu_watched || !s->cpu_stamps)
		return -ENOMEM;
	forget_cpus(s);
	return attach_cpus(s);
}

void session__meet_cpus(struct session *s)
{
	if (s->cpu_watched && forget_cpus(s) && attach_cpus(s))
		log_warn("faults of a CPU that has come online are not seen");
}

static int attach_faults(struct session *s)
{
	struct bpf_object *obj = s->skel->obj;
	int err;

	if (!s->opts.faults)
		return 0;
	/* ends before beginnings: a fault in kernel mode whose end is not seen looks like EFAULT */
	err = per_task(s) ? 0 : watch_cpus(s);
	if (!err)
		err = session__attach_link(s,
					   bpf_object__find_program_by_name(obj, "fault_counted"));
	if (!err)
		err = session__attach_link(s, s->skel->progs.fault_signal);
	if (!err)
		err = session__attach_link(s, s->skel->progs.fault_exit);
	if (!err)
		err = session__attach_link(s, bpf_object__find_program_by_name(obj,
									       "exception_kernel"));
	if (!err)
		err = session__attach_link(s,
					   bpf_object__find_program_by_name(obj, "exception_user"));
	s->nfault_links = s->nlinks;
	return err;
}

/* The numbers { tgid, tid } of a thread in the initial PID namespace. 0 or -errno. */
static int initial_pid(struct session *s, __u32 tid, __u32 ids[2])
{
	union bpf_iter_link_info info = { .task.tid = tid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_link *link;
	int fd, err = 0;

	ids[0] = ids[1] = tid;
	if (!bpf_program__autoload(s->skel->progs.tell_pid))
		return 0;
	link = bpf_program__attach_iter(s->skel->progs.tell_pid, &opts);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0 || read(fd, ids, 2 * sizeof(*ids)) != 2 * sizeof(*ids))
		err = -ESRCH;
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

static int add_target(struct session *s, __u32 id, __u32 how)
{
	__u32 ids[2];
	int err = initial_pid(s, id, ids);

	if (err)
		return err;
	id = ids[s->opts.ntids ? 1 : 0];
	return bpf_map_update_elem(bpf_map__fd(s->skel->maps.targets), &id, &how, 0) ? -errno : 0;
}

static int watch(struct session *s, __u32 pid)
{
	int *more = realloc(s->watched, (s->nwatched + 1) * sizeof(*more));
	int fd;

	if (!more)
		return -ENOMEM;
	s->watched = more;
	fd = syscall(SYS_pidfd_open, pid, 0);
	if (fd < 0)
		return -errno;
	s->watched[s->nwatched++] = fd;
	return 0;
}

/*
 * Open events for each thread of a process; threads and children that those create inherit them. A
 * thread made in the microseconds between the list and its creator's turn is missed.
 */
static int attach_process(struct session *s, __u32 pid)
{
	struct perf_event_spec spec = { .cpu = -1 };
	__u32 *tids;
	int n = process_tids(pid, &tids), err = n < 0 ? n : 0;

	spec.inherit = !s->opts.no_follow;
	spec.inherit_thread = s->opts.no_follow;
	for (int i = 0; i < n && !err; i++) {
		spec.pid = tids[i];
		err = attach_three(s, spec);
		if (err == -ESRCH && n > 1)
			err = 0; /* a thread that has ended meanwhile */
	}
	free(tids);
	return err;
}

static enum session_result attach_pids(struct session *s)
{
	struct perf_event_spec spec = { .cpu = -1 };
	int err = 0;

	for (size_t i = 0; i < s->opts.npids && !err; i++) {
		err = add_target(s, s->opts.pids[i], FS_MEMBER);
		if (!err)
			err = watch(s, s->opts.pids[i]);
		if (!err && s->opts.faults && per_task(s))
			err = attach_process(s, s->opts.pids[i]);
		if (err)
			log_error("process %u: %s", s->opts.pids[i],
				  err == -ESRCH || err == -EINVAL ? "no such process" :
								    strerror(-err));
	}
	for (size_t i = 0; i < s->opts.ntids && !err; i++) {
		err = add_target(s, s->opts.tids[i], FS_MEMBER);
		spec.pid = s->opts.tids[i];
		if (!err && syscall(SYS_tkill, spec.pid, 0) && errno == ESRCH)
			err = -ESRCH;
		if (!err && s->opts.faults && per_task(s))
			err = attach_three(s, spec);
		if (err)
			log_error("thread %u: %s", s->opts.tids[i],
				  err == -ESRCH ? "no such thread" : strerror(-err));
	}
	return err ? SESSION_FAILED : SESSION_OK;
}

static enum session_result start_program(struct session *s)
{
	const char *name = s->opts.argv[0];
	struct perf_event_spec spec = { .cpu = -1, .enable_on_exec = true };
	int err = 0;

	s->program = program__start(s->opts.argv);
	if (!s->program) {
		log_error("cannot fork: %s", strerror(errno));
		return SESSION_FAILED;
	}
	spec.pid = program__pid(s->program);
	spec.inherit = !s->opts.no_follow;
	spec.inherit_thread = s->opts.no_follow;
	err = add_target(s, spec.pid, FS_MEMBER_FROM_EXEC);
	if (!err && s->opts.faults && per_task(s))
		err = attach_three(s, spec);
	if (err) {
		log_error("cannot watch '%s': %s", name, strerror(-err));
		return SESSION_FAILED;
	}
	s->start_ns = clock_ns();
	err = program__release(s->program);
	if (err) {
		log_error("cannot run '%s': %s", name,
			  err == -ENOENT ? "no such program" : strerror(-err));
		return SESSION_FAILED;
	}
	return SESSION_OK;
}

/* What lives already, or is about to be run: 32-bit programs, and threads with stacks of their own. */
static void meet_process(struct session *s, __u32 pid)
{
	struct {
		__u64 bound;
		__u32 pid, pad;
	} key = { .pid = pid };
	__u32 one = 1, *tids;

	if (s->opts.calls && process_is_32bit(pid))
		session__meet_compat(s, true);
	if (!s->opts.in_kernel)
		return;
	if (process_tids(pid, &tids) > 1)
		bpf_map_update_elem(bpf_map__fd(s->skel->maps.stack_vmas), &key, &one, 0);
	free(tids);
}

static void meet_processes(struct session *s)
{
	bool uffd = false;
	struct dirent *d;
	DIR *dir;

	if (s->opts.argv && program_is_32bit(s->opts.argv[0]))
		session__meet_compat(s, true);
	if (s->opts.argv)
		return;
	for (size_t i = 0; i < s->opts.npids; i++)
		meet_process(s, s->opts.pids[i]);
	for (size_t i = 0; i < s->opts.npids && !uffd; i++)
		uffd = process_has_uffd(s->opts.pids[i]);
	for (size_t i = 0; i < s->opts.ntids && !uffd; i++)
		uffd = process_has_uffd(s->opts.tids[i]);
	if (uffd)
		session__meet_uffd(s, 0);
	dir = s->opts.npids ? NULL : opendir("/proc");
	while (dir && (d = readdir(dir)))
		if (d->d_name[0] >= '1' && d->d_name[0] <= '9')
			meet_process(s, strtoul(d->d_name, NULL, 10));
	if (dir)
		closedir(dir);
}

enum session_result session__start(struct session *s)
{
	enum session_result result = SESSION_OK;
	/* fault_exit before life_exit: a thread's last fault comes before its end */
	int err;

	meet_processes(s);
	err = attach_faults(s);

	if (!err)
		err = attach_lives(s);
	if (!err)
		err = session__attach_calls(s);
	if (err) {
		log_error("cannot attach: %s", strerror(-err));
		return err == -EPERM || err == -EACCES ? SESSION_CANNOT : SESSION_FAILED;
	}
	s->start_ns = clock_ns();
	if (s->opts.npids || s->opts.ntids)
		result = attach_pids(s);
	s->skel->bss->faults_whole = 1;
	if (s->opts.argv)
		result = start_program(s);
	return result;
}

const char *session__attached(const struct session *s, char *buf, size_t size)
{
	snprintf(buf, size, "%zu software events, %zu tracepoints",
		 s->starts.n + s->minors.n + s->majors.n, s->nlinks + s->calls.n);
	return buf;
}

__u64 session__missed(const struct session *s)
{
	struct bpf_prog_info info;
	struct bpf_program *prog;
	__u64 sum = 0;
	__u32 len;

	bpf_object__for_each_program (prog, s->skel->obj) {
		len = sizeof(info);
		memset(&info, 0, sizeof(info));
		if (bpf_program__autoload(prog) && bpf_program__fd(prog) >= 0 &&
		    !bpf_obj_get_info_by_fd(bpf_program__fd(prog), &info, &len))
			sum += info.recursion_misses;
	}
	return sum;
}

/* Run fault_flush over all tasks: reading its iterator does. */
static void flush_late(struct session *s)
{
	struct bpf_program *prog = s->skel->progs.fault_flush;
	struct bpf_link *link;
	char buf[64];
	int fd;

	if (!bpf_program__autoload(prog) || bpf_program__fd(prog) < 0)
		return;
	link = bpf_program__attach_iter(prog, NULL);
	fd = link ? bpf_iter_create(bpf_link__fd(link)) : -1;
	if (fd < 0) {
		log_warn("the last fault of each thread may be missing: %s", strerror(errno));
	} else {
		while (read(fd, buf, sizeof(buf)) > 0)
			;
		close(fd);
	}
	bpf_link__destroy(link);
}

void session__stop(struct session *s)
{
	if (s->stopped || !s->skel)
		return;
	s->stopped = true;
	s->skel->bss->calls_stopped = 1;
	s->skel->bss->faults_whole = 0;
	/* beginnings end first, then completions: the counters of the latter are read before */
	perf_list__close(&s->starts);
	for (size_t i = s->nfault_links; i-- > 0; s->links[i] = NULL)
		bpf_link__destroy(s->links[i]);
	s->events_counted = perf_list__count(&s->minors) + perf_list__count(&s->majors);
	perf_list__close(&s->minors);
	perf_list__close(&s->majors);
	s->recursion = session__missed(s);
	for (size_t i = 0; i < s->nlinks; i++)
		bpf_link__destroy(s->links[i]);
	s->nlinks = 0;
	flush_late(s);
	/* last: the child that it leaves behind would hold what is still open */
	perf_list__close_behind(&s->calls);
}
