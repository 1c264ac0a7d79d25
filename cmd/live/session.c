// SPDX-License-Identifier: GPL-2.0-only
#include "live/session_impl.h"

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/perf_event.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "vm.h"

#define MIB                    (1024ULL * 1024)
#define DEFAULT_RING_BYTES     (16 * MIB)
#define MIN_RING_RECORDS_SHIFT 8
#define UNWIND_WORDS           (4U << 20)  /* of unwind tables: 16 MiB, the rows of 30 libcs */
#define CALIBRATE_GIB          (64 * 1024) /* 64 TiB: what four levels can map */

/* Fault records per CPU, a power of two, within the budget; the rest of it is for control events. */
static void size_rings(struct session *s, struct fs_config *cfg)
{
	__u64 budget = s->opts.ring_bytes, per_cpu;

	if (!budget) {
		budget = DEFAULT_RING_BYTES;
		if (budget < s->ncpus * MIB)
			budget = s->ncpus * MIB;
	}
	per_cpu = budget / s->ncpus / sizeof(struct fs_fault);
	if (s->opts.in_kernel)
		per_cpu /= 8; /* only what the kernel cannot name is streamed */
	cfg->ring_shift = MIN_RING_RECORDS_SHIFT;
	while (cfg->ring_shift < 26 && (2ULL << cfg->ring_shift) <= per_cpu)
		cfg->ring_shift++;
	cfg->shards = 1;
	while (cfg->shards * 2 <= s->ncpus && cfg->shards < FS_MAX_SHARDS)
		cfg->shards *= 2;
	/* a program can make 650,000 calls a second: 5 ms of them in the default 4 MiB on 2 CPUs */
	s->control_bytes = 65536;
	/* until tables are compiled stacks are copied, 2 KiB a fault; a whole layout is as large */
	if (s->opts.stacks || s->opts.layouts)
		budget *= 2;
	else if (!s->opts.calls)
		budget /= 8;
	else
		budget /= 2;
	while (s->control_bytes * 2 * cfg->shards <= budget &&
	       s->control_bytes < (s->opts.stacks || s->opts.layouts ? 16 : 8) * MIB)
		s->control_bytes *= 2;
}

static enum session_result configure_target(struct session *s, struct fs_config *cfg)
{
	const struct session_opts *o = &s->opts;
	int err;

	cfg->follow = !o->no_follow;
	cfg->threads = o->ntids > 0;
	cfg->want_cgroup = o->by_cgroup;
	if (o->by_cgroup)
		cgroup_ref__default(s->features->btf, &s->cgroup);
	if (o->npids || o->ntids || o->argv) {
		cfg->target = FS_TARGET_TASKS;
	} else if (o->ncomms || o->cgroup) {
		cfg->target = FS_TARGET_MATCH;
	}
	for (size_t i = 0; i < o->ncomms && i < FS_MAX_COMMS; i++) {
		if (comm_pattern__compile(o->comms[i], &cfg->comms[i])) {
			log_error(
				"name '%s' is longer than 15 characters, which no thread's name is",
				o->comms[i]);
			return SESSION_FAILED;
		}
		cfg->ncomms++;
	}
	if (o->cgroup) {
		err = cgroup_ref__find(o->cgroup, s->features->btf, &s->cgroup);
		if (err) {
			log_error("cgroup '%s': %s", o->cgroup,
				  err == -EINVAL ? "not a directory of a cgroup file system" :
						   strerror(-err));
			return SESSION_FAILED;
		}
		cfg->cgroup_id = s->cgroup.id;
	}
	cfg->cgroup_subsys = s->cgroup.subsys;
	cfg->cgroup_hierarchy = s->cgroup.hierarchy;
	return SESSION_OK;
}

/* Without NUMA balancing no page is made to fault for it; switched on meanwhile it is not seen. */
static bool numa_balancing_on(void)
{
	FILE *f = fopen("/proc/sys/kernel/numa_balancing", "re");
	int on = 0;

	if (f && fscanf(f, "%d", &on) != 1)
		on = 0;
	if (f)
		fclose(f);
	return on;
}

static enum session_result configure(struct session *s)
{
	struct fs_config *cfg = (struct fs_config *)&s->skel->rodata->cfg;
	const struct session_opts *o = &s->opts;

	cfg->ncpus = s->ncpus;
	cfg->region_mask = o->regions;
	cfg->min_latency_ns = o->min_latency_ns;
	cfg->latency = !o->no_latency;
	cfg->in_kernel = o->in_kernel;
	cfg->tables = features__use(s->features, FEATURE_PAGE_TABLES);
	cfg->cast = features__use(s->features, FEATURE_CAST);
	cfg->probe = features__use(s->features, FEATURE_PROBE_READS);
	cfg->lock_seq = features__use(s->features, FEATURE_LOCK_SEQ);
	cfg->report_minor = o->minor;
	cfg->report_major = o->major;
	cfg->report_failed = o->failed;
	cfg->check_members = session__checks_members(s);
	cfg->numa = features__use(s->features, FEATURE_NUMA) && numa_balancing_on();
	cfg->by_thread = o->by_thread;
	cfg->by_mapping = o->by_mapping;
	cfg->memcg = session__by_memcg(s);
	cfg->late = cfg->memcg || session__by_next(s);
	cfg->stacks = o->stacks;
	cfg->fault_stacks = o->stacks && !o->call_stacks_only;
	cfg->user_stacks = o->user_stacks;
	cfg->kernel_stacks = o->kernel_stacks;
	cfg->calls_native = features__use(s->features, FEATURE_SYSCALL_TRACEPOINTS);
	cfg->layouts = o->layouts;
	cfg->calls_alone = o->calls_alone && cfg->calls_native;
	size_rings(s, cfg);
	s->shards = cfg->shards;
	s->ring_shift = cfg->ring_shift;
	return configure_target(s, cfg);
}

static void size_maps(struct session *s)
{
	struct faultsnoop_bpf *skel = s->skel;
	bool cells = s->opts.in_kernel;

	bpf_map__set_max_entries(skel->maps.cpus, s->ncpus);
	bpf_map__set_max_entries(skel->maps.fault_rings, s->ncpus << s->ring_shift);
	bpf_map__set_max_entries(skel->maps.control_rings, s->shards);
	bpf_map__set_max_entries(skel->maps.cells, cells ? (FS_CELLS + 1) * s->ncpus : 1);
	if (!cells) {
		bpf_map__set_max_entries(skel->maps.cell_numbers, 1);
		bpf_map__set_max_entries(skel->maps.cell_owners, 1);
		bpf_map__set_max_entries(skel->maps.free_cells, 1);
		bpf_map__set_max_entries(skel->maps.stack_vmas, 1);
	}
	if (s->opts.stacks) {
		bpf_map__set_max_entries(skel->maps.unwind_words,
					 UNWIND_WORDS * sizeof(__u32) /
						 bpf_map__value_size(skel->maps.unwind_words));
		bpf_map__set_max_entries(skel->maps.unwind_rules, FS_UNWIND_MAX_RULES);
	} else {
		bpf_map__set_max_entries(skel->maps.stack_ids, 1);
		bpf_map__set_max_entries(skel->maps.known_rules, 1);
	}
}

/* Map the memory of the unwind tables. 0 or -errno. */
static int map_unwind(struct session *s)
{
	struct session_unwind *u = &s->unwind;
	void *p;

	if (!s->opts.stacks)
		return 0;
	p = mmap(NULL, UNWIND_WORDS * sizeof(*u->words), PROT_READ | PROT_WRITE, MAP_SHARED,
		 bpf_map__fd(s->skel->maps.unwind_words), 0);
	if (p == MAP_FAILED)
		return -errno;
	u->words = p;
	u->nwords = UNWIND_WORDS;
	p = mmap(NULL, FS_UNWIND_MAX_RULES * sizeof(*u->rules), PROT_READ | PROT_WRITE, MAP_SHARED,
		 bpf_map__fd(s->skel->maps.unwind_rules), 0);
	if (p == MAP_FAILED)
		return -errno;
	u->rules = p;
	u->nrules = FS_UNWIND_MAX_RULES;
	return 0;
}

static int fill_shards(struct session *s)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts);
	int fd;

	s->shard_fds = calloc(s->shards, sizeof(*s->shard_fds));
	if (!s->shard_fds)
		return -ENOMEM;
	for (__u32 i = 0; i < s->shards; i++) {
		fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "fs_control", 0, 0, s->control_bytes,
				    &opts);
		if (fd < 0)
			return -errno;
		s->shard_fds[s->nshard_fds++] = fd;
		if (bpf_map_update_elem(bpf_map__fd(s->skel->maps.control_rings), &i, &fd, 0))
			return -errno;
	}
	return 0;
}

/*
 * arm64: how entries that are not valid are made up, by that of a page without access. Linux 6.10
 * moved the type of swap entries to make room for the bit that tells a mapped page, in one change
 * ("arm64/mm: Move PTE_PRESENT_INVALID to overlay PTE_NG"): who knows the one
 * knows the other. A bit of an offset or a type is not taken for it: the page is not swapped out.
 */
static void learn_layout(volatile struct fs_tables *tables, __u64 entry)
{
	const __u64 prot_none = 1ULL << 58, present_invalid = 1ULL << 11;

	tables->no_access = entry & prot_none ? prot_none : present_invalid;
	tables->swap_shift = entry & prot_none ? 3 : 6;
	log_debug("page tables: an entry without access is %#llx", entry);
}

/* Find the direct map: see bpf/probe_setup.bpf.h. */
static void calibrate(struct session *s)
{
	struct feature_state *st = &s->features->state[FEATURE_PAGE_TABLES];
	struct fs_calibrate arg = { .candidates = CALIBRATE_GIB };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &arg, .ctx_size_in = sizeof(arg));
	char *pages;

	st->available = false;
	pages = mmap(NULL, 2 * PAGE_BYTES, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (pages == MAP_FAILED || getrandom(pages, sizeof(arg.magic), 0) != sizeof(arg.magic) ||
	    mprotect(pages + PAGE_BYTES, PAGE_BYTES, PROT_NONE))
		goto out;
	arg.addr = (unsigned long)pages;
	arg.closed = arg.addr + PAGE_BYTES;
	memcpy(arg.magic, pages, sizeof(arg.magic));
	for (arg.levels = 4; arg.levels <= 5 && !arg.direct_map; arg.levels++)
		if (bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.find_direct_map), &run))
			break;
	if (arg.direct_map) {
		s->skel->bss->tables.direct_map = arg.direct_map;
		s->skel->bss->tables.levels = arg.levels - 1;
		learn_layout(&s->skel->bss->tables, arg.entry);
		st->available = true;
		log_debug("page tables: %u levels, direct map at %#llx", arg.levels - 1,
			  arg.direct_map);
	}
out:
	if (!st->available)
		snprintf(st->why, sizeof(st->why), "the direct map was not found");
	if (pages != MAP_FAILED)
		munmap(pages, 2 * PAGE_BYTES);
}

static int open_stream(struct session *s)
{
	struct stream_opts o = {
		.cpus_fd = bpf_map__fd(s->skel->maps.cpus),
		.rings_fd = bpf_map__fd(s->skel->maps.fault_rings),
		.control_fds = s->shard_fds,
		.ncontrols = s->nshard_fds,
		.ncpus = s->ncpus,
		.ring_shift = s->ring_shift,
		.latency = !s->opts.no_latency,
		.by_time = s->opts.by_time,
		.lives = features__use(s->features, FEATURE_LIFETIMES),
	};

	s->stream = stream__open(&o);
	return s->stream ? 0 : -errno;
}

static int ignore_wake(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

static enum session_result load(struct session *s)
{
	struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int err;

	/* charged to the memory cgroup since 5.11: where it cannot be raised it does not matter */
	setrlimit(RLIMIT_MEMLOCK, &unlimited);
	err = faultsnoop_bpf__load(s->skel);
	if (err) {
		log_error(
			"cannot load the BPF programs: %s%s", strerror(-err),
			err == -EPERM ?
				" (are CAP_BPF and CAP_PERFMON there, is the kernel locked down?)" :
				" (-vv shows why)");
		return err == -EPERM ? SESSION_CANNOT : SESSION_FAILED;
	}
	if (s->opts.faults && features__use(s->features, FEATURE_PAGE_TABLES))
		calibrate(s);
	err = fill_shards(s);
	if (!err)
		err = map_unwind(s);
	if (!err && s->opts.stacks) {
		s->wakes = ring_buffer__new(bpf_map__fd(s->skel->maps.wake_ring), ignore_wake, s,
					    NULL);
		err = s->wakes ? 0 : -errno;
	}
	if (!err)
		err = open_stream(s);
	if (!err && s->opts.in_kernel) {
		s->cells = cells__open(bpf_map__fd(s->skel->maps.cells),
				       bpf_map__fd(s->skel->maps.cell_owners),
				       bpf_map__fd(s->skel->maps.free_cells),
				       bpf_program__fd(s->skel->progs.cell_command), s->ncpus);
		err = s->cells ? 0 : -errno;
	}
	if (err)
		log_error("cannot set up the rings: %s", strerror(-err));
	return err ? SESSION_FAILED : SESSION_OK;
}

struct session *session__open(const struct session_opts *opts, struct features *features,
			      enum session_result *result)
{
	struct session *s = calloc(1, sizeof(*s));

	*result = SESSION_FAILED;
	if (!s) {
		log_error("out of memory");
		return NULL;
	}
	s->opts = *opts;
	s->features = features;
	s->cgroup.subsys = -1;
	s->ncpus = libbpf_num_possible_cpus();
	s->program_status = -1;
	s->skel = faultsnoop_bpf__open();
	if (!s->skel) {
		log_error("cannot open the BPF programs: %s", strerror(errno));
		goto fail;
	}
	*result = configure(s);
	if (*result)
		goto fail;
	size_maps(s);
	session__choose_programs(s);
	*result = load(s);
	if (!*result &&
	    (session__by_memcg(s) || session__by_next(s)) != s->skel->rodata->cfg.late) {
		session__close(s); /* page tables cannot be read after all: once more without */
		return session__open(opts, features, result);
	}
	if (!*result)
		return s;
fail:
	session__close(s);
	return NULL;
}

int session__poll(struct session *s, int timeout_ms, const struct event_sink *sink)
{
	struct pollfd fds[3] = {
		{ .fd = s->program ? program__fd(s->program) : -1, .events = POLLIN },
		{ .fd = s->opts.wake_fd, .events = POLLIN },
		{ .fd = s->wakes ? ring_buffer__epoll_fd(s->wakes) : -1, .events = POLLIN },
	};

	if (timeout_ms > 0 && !session__target_ended(s))
		poll(fds, 3, timeout_ms);
	if (fds[2].revents)
		ring_buffer__consume(s->wakes);
	if (!s->stopped && clock_ns() - s->cpus_looked_ns > 500000000) {
		s->cpus_looked_ns = clock_ns();
		session__meet_cpus(s);
	}
	return stream__drain(s->stream, sink, s->stopped);
}

void session__collect(struct session *s)
{
	if (s->stream)
		stream__collect(s->stream);
}

bool session__busy(const struct session *s)
{
	return stream__busy(s->stream);
}

bool session__target_ended(struct session *s)
{
	if (s->program) {
		if (s->program_status < 0)
			program__ended(s->program, &s->program_status);
		return s->program_status >= 0;
	}
	for (size_t i = 0; i < s->opts.ntids; i++)
		if (!syscall(SYS_tkill, s->opts.tids[i], 0) || errno != ESRCH)
			return false;
	if (!s->nwatched)
		return s->opts.ntids;
	for (size_t i = 0; i < s->nwatched; i++) {
		struct pollfd pfd = { .fd = s->watched[i], .events = POLLIN };

		if (poll(&pfd, 1, 0) == 0)
			return false;
	}
	return true;
}

int session__program_status(struct session *s)
{
	session__target_ended(s);
	return s->program ? s->program_status : -1;
}

void session__push_spans(struct session *s, const struct fs_file_key *key,
			 const struct fs_elf_spans *spans)
{
	struct fs_note_spans note = { .file = *key, .spans = *spans };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &note, .ctx_size_in = sizeof(note));

	if (s->opts.in_kernel)
		bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.note_spans), &run);
}

void session__unwind_memory(const struct session *s, struct session_unwind *out)
{
	*out = s->unwind;
}

int session__push_table(struct session *s, const struct fs_file_key *key,
			const struct fs_unwind_table *table)
{
	struct fs_note_table note = { .table = *table };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = &note, .ctx_size_in = sizeof(note));

	if (key)
		note.file = *key;
	if (!s->opts.stacks)
		return 0;
	if (bpf_prog_test_run_opts(bpf_program__fd(s->skel->progs.note_table), &run))
		return -errno;
	return (int)run.retval;
}

__u64 session__lost_events(const struct session *s)
{
	__u64 sum = 0;

	for (__u32 cpu = 0; cpu < s->ncpus; cpu++)
		sum += stream__cpu(s->stream, cpu)->lost[FS_LOSS_CTL_RING];
	/* a kernel that preempts programs skips them for other tasks meanwhile: Linux 7 */
	return sum + session__missed(s);
}

void session__counters(struct session *s, struct session_counters *out)
{
	__u64 events;

	memset(out, 0, sizeof(*out));
	for (__u32 i = 0; i < s->ncpus; i++) {
		const struct fs_cpu *c = stream__cpu(s->stream, i);

		for (int k = 0; k < FS_CLASS_NR; k++) {
			out->faults[k] += c->classes[k].faults;
			out->pages[k] += c->classes[k].pages;
		}
		for (int k = 0; k < FS_LOSS_NR; k++)
			out->lost[k] += c->lost[k];
		out->major += c->major;
		out->kernel += c->kernel;
		out->restarted += c->restarted;
		out->walks += c->walks;
		out->completions += c->completions;
	}
	for (int k = 0; k < FS_CLASS_NR; k++)
		if (k != FS_CLASS_FIXUP && k != FS_CLASS_SEGV && k != FS_CLASS_BUS &&
		    k != FS_CLASS_OOM)
			out->faults_ok += out->faults[k];
	out->lost[FS_LOSS_RECURSION] = s->recursion;
	out->lost[FS_LOSS_COMPAT_CALLS] += s->unseen_compat;
	events = s->stopped ? s->events_counted : 0;
	if (events > out->completions)
		out->lost[FS_LOSS_MISSED] = events - out->completions;
}

int session__cells(struct session *s, cell_over_fn over, cell_fn fn, void *ctx)
{
	return s->cells ? cells__harvest(s->cells, over, fn, ctx) : 0;
}

__u64 session__start_ns(const struct session *s)
{
	return s->start_ns;
}

__u32 session__program_pid(const struct session *s)
{
	return s->program ? program__pid(s->program) : 0;
}

int session__cgroup_path(const struct session *s, __u64 id, char *buf, size_t size)
{
	return cgroup_ref__path(&s->cgroup, id, buf, size);
}

void session__close(struct session *s)
{
	if (!s)
		return;
	session__stop(s);
	program__free(s->program);
	for (size_t i = 0; i < s->nwatched; i++)
		close(s->watched[i]);
	free(s->watched);
	stream__close(s->stream);
	cells__close(s->cells);
	ring_buffer__free(s->wakes);
	if (s->unwind.words)
		munmap(s->unwind.words, s->unwind.nwords * sizeof(*s->unwind.words));
	if (s->unwind.rules)
		munmap(s->unwind.rules, s->unwind.nrules * sizeof(*s->unwind.rules));
	for (size_t i = 0; i < s->nshard_fds; i++)
		close(s->shard_fds[i]);
	free(s->shard_fds);
	free(s->cpu_watched);
	free(s->cpu_stamps);
	faultsnoop_bpf__destroy(s->skel);
	free(s);
}
