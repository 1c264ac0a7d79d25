/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Memory that is mapped, touched, given back, and mapped again: what that costs by the place that maps
 * it, and what helps against it.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>

#include "analysis/mapping.h"
#include "base/kind_names.h"
#include "base/units.h"
#include "vm.h"

#define MIB (1ULL << 20)

/* Beyond these there is advice: what is rarer is not worth a setting. */
#define ADVICE_CYCLES   10
#define ADVICE_PER_S    2.0
#define ADVICE_FAULTS_S 100.0
#define ADVICE_STALL    0.01 /* of the time: it has to be worth it */
#define SHORT_LIFE_NS   1000000000ULL

/* What dynamic threshold of glibc goes up to: DEFAULT_MMAP_THRESHOLD_MAX of malloc.c, 64 bits. */
#define GLIBC_MMAP_MAX (32 * MIB)

struct churn_group {
	struct group group;
	__u64 mapped, mapped_bytes;     /* since the last report */
	__u64 cycles, bytes, max_bytes; /* given back by a call */
	__u64 here;                     /* pages that had been touched, when they were unmapped */
	__u64 life_ns;                  /* sum over the parts that were unmapped */
	__u64 faults, stall_ns;         /* first touches of what comes and goes */
	__u64 released, again;          /* pages, by madvise, and touched once more */
	__u64 releases;                 /* such calls */
	__u64 again_ns, again_faults;
	__u64 low, high, swing; /* of the heap's end: of one process, and the most that it was */
	__u32 swing_pid;
	bool lazy; /* it was private anonymous memory: MADV_FREE could do */
};

struct churn {
	struct mapping_opts o;
	struct groups *groups;
	__u64 failed; /* for want of memory */
};

static struct churn_group *group_of(struct churn *c, const struct process *proc,
				    const struct origin *o)
{
	struct churn_group *g = groups__get(c->groups, proc, o);

	c->failed += !g;
	return g;
}

static void on_mapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
		      __u64 end)
{
	struct churn_group *g = group_of(ctx, proc, o);

	if (!g)
		return;
	g->mapped++;
	g->mapped_bytes += end - start;
}

/* How far the end of the heap goes up and down. */
static void note_swing(struct churn_group *g, const struct process *proc, __u64 start, __u64 end)
{
	if (g->swing_pid != proc->pid) {
		g->swing_pid = proc->pid;
		g->low = start;
		g->high = end;
	}
	g->low = start < g->low ? start : g->low;
	g->high = end > g->high ? end : g->high;
	if (g->high - g->low > g->swing)
		g->swing = g->high - g->low;
}

/*
 * Has memory been given back where a call is the first that tells of it? One that maps something else over
 * it does not do that; but where the kernel chose the address it was free: another thread has given the
 * memory back, in a call that returns later.
 */
static bool gives_back(const struct fs_call_event *by)
{
	switch (by ? by->call : FS_CALL_NR) {
	case FS_CALL_MUNMAP:
	case FS_CALL_BRK:
	case FS_CALL_SHMDT:
	case FS_CALL_MREMAP:
		return true;
	case FS_CALL_MMAP:
		return !(by->args[3] & MAP_FIXED);
	case FS_CALL_SHMAT:
		return !(by->args[2] & SHM_REMAP);
	default:
		return false;
	}
}

static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	struct churn_group *g;

	if (!gives_back(by) || o->kind != ORIGIN_CALL) /* the end of a process is no churn */
		return;
	g = group_of(ctx, proc, o);
	if (!g)
		return;
	g->cycles++;
	g->bytes += end - start;
	if (end - start > g->max_bytes)
		g->max_bytes = end - start;
	if (o->call == FS_CALL_BRK)
		note_swing(g, proc, start, end);
	g->here += here;
	g->life_ns += time_ns > o->time_ns ? time_ns - o->time_ns : 0;
}

static void on_touched(void *ctx, const struct process *proc, const struct origin *o,
		       const struct fs_fault *f, __u64 newly, __u64 again)
{
	struct churn_group *g;

	if (o->kind != ORIGIN_CALL && !again)
		return;
	g = group_of(ctx, proc, o);
	if (!g)
		return;
	g->faults++;
	g->stall_ns += f->latency_ns;
	if (!again)
		return;
	g->again += again;
	g->again_faults++;
	g->again_ns += f->latency_ns;
	(void)newly;
}

static void on_released(void *ctx, const struct process *proc, const struct origin *o, __u64 pages,
			const struct fs_call_event *by)
{
	struct churn_group *g = group_of(ctx, proc, o);

	if (!g)
		return;
	g->releases++;
	g->released += pages;
	g->lazy = o->region == FS_REGION_ANON || o->region == FS_REGION_HEAP;
	(void)by;
}

static void churn__free(void *analysis)
{
	struct churn *c = analysis;

	if (!c)
		return;
	groups__free(c->groups);
	free(c);
}

static void *churn__new(const struct mapping_opts *o)
{
	struct churn *c = calloc(1, sizeof(*c));
	struct layout_watch w = { .ctx = c,
				  .mapped = on_mapped,
				  .unmapped = on_unmapped,
				  .touched = on_touched,
				  .released = on_released };

	if (!c)
		return NULL;
	c->o = *o;
	c->groups = groups__new(o, sizeof(struct churn_group));
	if (c->groups && !space__watch(o->space, &w))
		return c;
	churn__free(c);
	errno = ENOMEM;
	return NULL;
}

/* ---- advice ----------------------------------------------------------------------------------- */

/* Does a stack go through the C library's allocator? */
static bool through_malloc(const struct churn *c, const struct group *g)
{
	const struct profile *p;
	const __u32 *frames;
	const char *name;
	size_t n;

	if (!g->key.stack || !c->o.stacks.profile)
		return false;
	p = c->o.stacks.profile(c->o.stacks.ctx);
	frames = profile__stack(p, g->key.stack - 1, &n);
	for (size_t i = 0; i < n; i++) {
		name = profile__frame(p, frames[i])->name;
		if (name && is_allocator(name))
			return true;
	}
	return false;
}

/* A round number of bytes that is at least twice as much. */
static __u64 twice(__u64 bytes)
{
	__u64 round = MIB;

	while (round < 2 * bytes)
		round *= 2;
	return round;
}

static void advise_brk(const struct churn_group *g, char *buf, size_t size)
{
	char most[FMT_LEN], stall[FMT_LEN];
	__u64 keep = twice(g->swing);

	snprintf(buf, size,
		 "the end of the heap goes up and down by up to %s, for %s of stall: "
		 "GLIBC_TUNABLES=glibc.malloc.trim_threshold=%llu:glibc.malloc.top_pad=%llu, or "
		 "mallopt(M_TRIM_THRESHOLD), keeps it where it was",
		 fmt_bytes(most, sizeof(most), g->swing), fmt_ns(stall, sizeof(stall), g->stall_ns),
		 (unsigned long long)keep, (unsigned long long)(keep / 4));
}

static void advise_malloc(const struct churn_group *g, char *buf, size_t size)
{
	char most[FMT_LEN], stall[FMT_LEN];
	__u64 keep = twice(g->max_bytes);

	fmt_bytes(most, sizeof(most), g->max_bytes);
	fmt_ns(stall, sizeof(stall), g->stall_ns);
	if (g->max_bytes <= GLIBC_MMAP_MAX)
		snprintf(
			buf, size,
			"malloc maps blocks of up to %s one by one, for %s of stall: "
			"GLIBC_TUNABLES=glibc.malloc.mmap_threshold=%llu:"
			"glibc.malloc.trim_threshold=%llu, or mallopt(), has them come from the heap "
			"and stay",
			most, stall, (unsigned long long)(g->max_bytes + MIB),
			(unsigned long long)keep);
	else
		snprintf(
			buf, size,
			"malloc maps blocks of up to %s one by one, for %s of stall: they are beyond "
			"what M_MMAP_THRESHOLD takes; GLIBC_TUNABLES=glibc.malloc.mmap_max=0:"
			"glibc.malloc.trim_threshold=%llu has them come from the heap and stay, or use "
			"a block again instead of freeing it",
			most, stall, (unsigned long long)keep);
}

static void advise_pool(const struct churn_group *g, char *buf, size_t size)
{
	char life[FMT_LEN], stall[FMT_LEN], bytes[FMT_LEN];

	snprintf(buf, size,
		 "mapped for %s on average, %s each, for %s of stall: a pool that keeps the memory "
		 "between uses would spare the faults",
		 fmt_ns(life, sizeof(life), g->life_ns / g->cycles),
		 fmt_bytes(bytes, sizeof(bytes), g->bytes / g->cycles),
		 fmt_ns(stall, sizeof(stall), g->stall_ns));
}

static void advise_free(const struct churn_group *g, char *buf, size_t size)
{
	char pages[FMT_LEN], stall[FMT_LEN];

	snprintf(buf, size,
		 "%s given back by madvise were touched again, for %s of stall: MADV_FREE in the "
		 "place of MADV_DONTNEED leaves them until memory is short",
		 fmt_bytes(pages, sizeof(pages), g->again * PAGE_BYTES),
		 fmt_ns(stall, sizeof(stall), g->again_ns));
}

/* Only where the figures say that it would help; else "". */
static void advise(const struct churn *c, const struct churn_group *g, double seconds, char *buf,
		   size_t size)
{
	bool often = g->cycles >= ADVICE_CYCLES && g->cycles / seconds >= ADVICE_PER_S;
	bool dear = g->faults / seconds >= ADVICE_FAULTS_S &&
		    g->stall_ns / 1e9 / seconds >= ADVICE_STALL;
	bool short_lived = g->cycles && g->life_ns / g->cycles < SHORT_LIFE_NS;

	buf[0] = '\0';
	if (g->lazy && g->releases >= ADVICE_CYCLES && 2 * g->again > g->released &&
	    g->again_faults / seconds >= ADVICE_FAULTS_S &&
	    g->again_ns / 1e9 / seconds >= ADVICE_STALL)
		advise_free(g, buf, size);
	else if (!often || !dear || !short_lived)
		return;
	else if (g->group.key.call == FS_CALL_BRK)
		advise_brk(g, buf, size);
	else if (through_malloc(c, &g->group))
		advise_malloc(g, buf, size);
	else if (g->group.key.call == FS_CALL_MMAP)
		advise_pool(g, buf, size);
}

/* ---- rows ------------------------------------------------------------------------------------- */

static const struct row_column columns[] = {
	GROUP_COLUMNS,
	{ .name = "cycles", .header = "cycles", .type = ROW_COUNT, .sum = true },
	{ .name = "cycles_per_s", .header = "cycles/s", .type = ROW_COUNT_RATE, .drop = 20 },
	{ .name = "mapped", .type = ROW_COUNT },
	{ .name = "mapped_bytes", .type = ROW_BYTES },
	{ .name = "bytes_per_cycle", .header = "each", .type = ROW_BYTES },
	{ .name = "max_cycle_bytes", .type = ROW_BYTES },
	{ .name = "touched_share", .header = "touched", .type = ROW_SHARE, .drop = 30 },
	{ .name = "lifetime_ns", .header = "life", .type = ROW_NS, .drop = 40 },
	{ .name = "faults", .type = ROW_COUNT },
	{ .name = "faults_per_s", .header = "faults/s", .type = ROW_COUNT_RATE },
	{ .name = "stall_ns", .header = "stall", .type = ROW_NS, .sum = true },
	{ .name = "stall_ns_per_s", .header = "stall/s", .type = ROW_NS_RATE, .drop = 10 },
	{ .name = "released_bytes", .header = "released", .type = ROW_BYTES, .drop = 50 },
	{ .name = "again_bytes", .header = "again", .type = ROW_BYTES, .drop = 45 },
	{ .name = "releases", .type = ROW_COUNT },
	{ .name = "advice", .header = "advice", .type = ROW_NOTE },
	GROUP_STACK,
};

static const struct row_column summary_columns[] = {
	{ .name = "cycles", .header = "cycles", .type = ROW_COUNT },
	{ .name = "bytes", .header = "given back", .type = ROW_BYTES },
	{ .name = "faults", .header = "faults", .type = ROW_COUNT },
	{ .name = "stall_ns", .header = "stall", .type = ROW_NS },
};

static double per(double n, double of)
{
	return of > 0 ? n / of : 0;
}

static void put(const struct churn *c, struct rows *rows, const struct churn_group *g,
		double seconds)
{
	char advice[512];

	groups__put_names(c->groups, &g->group, rows);
	rows__number(rows, g->cycles);
	rows__real(rows, per(g->cycles, seconds));
	rows__number(rows, g->mapped);
	rows__number(rows, g->mapped_bytes);
	rows__number(rows, g->cycles ? g->bytes / g->cycles : 0);
	rows__number(rows, g->max_bytes);
	rows__real(rows, per(g->here * PAGE_BYTES, g->bytes));
	rows__number(rows, g->cycles ? g->life_ns / g->cycles : 0);
	rows__number(rows, g->faults);
	rows__real(rows, per(g->faults, seconds));
	rows__number(rows, g->stall_ns);
	rows__real(rows, per(g->stall_ns, seconds));
	rows__number(rows, g->released * PAGE_BYTES);
	rows__number(rows, g->again * PAGE_BYTES);
	rows__number(rows, g->releases);
	advise(c, g, seconds, advice, sizeof(advice));
	rows__text(rows, advice[0] ? advice : NULL);
	groups__put_stack(c->groups, &g->group, rows);
}

#define COLUMN_CYCLES 3
#define COLUMN_STALL  13

/* What is mapped and given back once is no churn. */
static bool churns(const struct churn_group *g)
{
	return g->cycles >= 2 || (g->again && g->releases >= 2);
}

static int churn__report(void *analysis, const struct mapping_time *t, struct mapping_report *out)
{
	double seconds = t->duration_ns / 1e9;
	struct churn *c = analysis;
	struct churn_group *g, sum = {};
	int err = mapping_report__new(out, ROW_COLUMNS(summary_columns), ROW_COLUMNS(columns));

	for (g = groups__first(c->groups); g && !err; g = groups__next(c->groups, g)) {
		if (!churns(g))
			continue;
		sum.cycles += g->cycles;
		sum.bytes += g->bytes;
		sum.faults += g->faults;
		sum.stall_ns += g->stall_ns;
		put(c, out->rows, g, seconds);
		err = rows__error(out->rows);
	}
	if (!err) {
		rows__number(out->summary, sum.cycles);
		rows__number(out->summary, sum.bytes);
		rows__number(out->summary, sum.faults);
		rows__number(out->summary, sum.stall_ns);
		err = rows__sort(out->rows, COLUMN_CYCLES, true);
		if (!err)
			err = rows__sort(out->rows, COLUMN_STALL, true);
	}
	out->no_memory = groups__no_memory(c->groups);
	groups__clear(c->groups);
	return err;
}

const struct mapping_analysis analysis_churn = {
	.name = "churn",
	.desc = "memory that is mapped, touched and given back again and again, and what helps",
	.new = churn__new,
	.free = churn__free,
	.report = churn__report,
};
