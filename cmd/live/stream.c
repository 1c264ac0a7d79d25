// SPDX-License-Identifier: GPL-2.0-only
#include "live/stream.h"

#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "live/loading.h"

#define ARENA_KEPT    (2 << 20) /* bytes */
#define AHEAD_MAX     (64 << 20)
#define BEYOND_CUT_NS 1000000

/* Control events of one drain, copied out of their rings to be sorted. */
struct arena {
	char *bytes;
	size_t used, capacity;
	struct arena_ref {
		__u64 time_ns;
		size_t at; /* also the order of arrival */
	} * refs;
	size_t nrefs, refs_capacity;
};

struct cursor {
	__u64 at, end; /* records [at, end) of a CPU are to be delivered */
};

struct stream {
	struct fs_cpu *cpus;
	struct fs_fault *faults;
	size_t cpus_bytes, faults_bytes;
	struct ring_buffer **controls;
	size_t ncontrols;
	__u64 cut_ns; /* when collecting began: newer events are not needed yet */
	struct cursor *cursors;
	struct arena arena;
	struct arena ahead; /* for the next drain */
	struct loading loading;
	__u32 ncpus, shift;
	unsigned int fill_percent;
	bool latency, by_time, lives;
	bool delivering;
	int err; /* of collecting control events */
};

static int arena__reserve(struct arena *a, size_t size)
{
	size_t want;
	void *p;

	if (a->used + size > a->capacity) {
		want = (a->used + size) * 5 / 4 + 65536;
		p = realloc(a->bytes, want);
		if (!p)
			return -ENOMEM;
		a->bytes = p;
		a->capacity = want;
	}
	if (a->nrefs == a->refs_capacity) {
		want = a->refs_capacity * 3 / 2 + 1024;
		p = realloc(a->refs, want * sizeof(*a->refs));
		if (!p)
			return -ENOMEM;
		a->refs = p;
		a->refs_capacity = want;
	}
	return 0;
}

static int arena__add(struct arena *a, const struct fs_head *head, size_t size)
{
	int err = arena__reserve(a, size);

	if (err)
		return err;
	memcpy(a->bytes + a->used, head, size);
	a->refs[a->nrefs++] = (struct arena_ref){ head->time_ns, a->used };
	a->used += (size + 7) & ~(size_t)7;
	return 0;
}

static void arena__free(struct arena *a)
{
	free(a->bytes);
	free(a->refs);
	*a = (struct arena){};
}

static int collect(void *ctx, void *data, size_t size)
{
	struct stream *st = ctx;
	const struct fs_head *head = data;

	if (size < sizeof(*head) || head->size > size)
		return 0;
	/* what is handed over here has left its ring, whatever is returned */
	st->err = arena__add(st->delivering ? &st->ahead : &st->arena, head, size);
	if (st->err)
		return st->err;
	if (st->delivering && st->ahead.used > AHEAD_MAX)
		return -EAGAIN;
	return head->time_ns > st->cut_ns + BEYOND_CUT_NS ? -EAGAIN : 0;
}

/*
 * Collect what has come before the cut. A ring that is filled as fast as it is emptied is left at an
 * event that is clearly newer: one after it in the ring is not needed yet.
 */
static int collect_all(struct stream *st)
{
	int err;

	for (size_t i = 0; i < st->ncontrols; i++) {
		err = ring_buffer__consume(st->controls[i]);
		if (st->err)
			return st->err;
		if (err < 0 && err != -EAGAIN)
			return err;
	}
	return 0;
}

int stream__put(struct stream *st, const struct fs_head *ev)
{
	return arena__add(&st->arena, ev, ev->size);
}

void stream__collect(struct stream *st)
{
	if (!st->delivering)
		return;
	st->cut_ns = clock_ns();
	for (size_t i = 0; i < st->ncontrols && !st->err && st->ahead.used <= AHEAD_MAX; i++)
		ring_buffer__consume(st->controls[i]);
}

/* What was collected during the last drain. */
static int take_ahead(struct stream *st)
{
	const struct fs_head *head;
	int err = 0;

	for (size_t i = 0; i < st->ahead.nrefs && !err; i++) {
		head = (void *)(st->ahead.bytes + st->ahead.refs[i].at);
		err = arena__add(&st->arena, head, head->size);
	}
	arena__free(&st->ahead);
	return err;
}

static int compare_refs(const void *a, const void *b)
{
	const struct arena_ref *x = a, *y = b;

	if (x->time_ns != y->time_ns)
		return x->time_ns < y->time_ns ? -1 : 1;
	return x->at < y->at ? -1 : x->at > y->at;
}

/* Most drains find them in order: one ring, or one busy CPU. */
static void arena__sort(struct arena *a)
{
	for (size_t i = 1; i < a->nrefs; i++)
		if (a->refs[i].time_ns < a->refs[i - 1].time_ns) {
			qsort(a->refs, a->nrefs, sizeof(*a->refs), compare_refs);
			return;
		}
}

static int compare_places(const void *a, const void *b)
{
	const struct arena_ref *x = a, *y = b;

	return x->at < y->at ? -1 : x->at > y->at;
}

/* Keep the events from the i-th on, moved to the front, for the next drain. */
static void arena__keep_from(struct arena *a, size_t i)
{
	size_t n = a->nrefs - i, used = 0, size;

	memmove(a->refs, a->refs + i, n * sizeof(*a->refs));
	qsort(a->refs, n, sizeof(*a->refs), compare_places);
	for (i = 0; i < n; i++) {
		size = ((const struct fs_head *)(a->bytes + a->refs[i].at))->size;
		memmove(a->bytes + used, a->bytes + a->refs[i].at, size);
		a->refs[i].at = used;
		used += (size + 7) & ~(size_t)7;
	}
	a->nrefs = n;
	a->used = used;
}

struct stream *stream__open(const struct stream_opts *o)
{
	struct stream *st = calloc(1, sizeof(*st));
	int err = 0;

	if (!st)
		return NULL;
	st->ncpus = o->ncpus;
	st->shift = o->ring_shift;
	st->latency = o->latency;
	st->by_time = o->by_time;
	st->lives = o->lives;
	st->cursors = calloc(o->ncpus, sizeof(*st->cursors));
	st->cpus_bytes = page_round(o->ncpus * sizeof(*st->cpus));
	st->faults_bytes = page_round(((size_t)o->ncpus << o->ring_shift) * sizeof(*st->faults));
	st->cpus = mmap(NULL, st->cpus_bytes, PROT_READ | PROT_WRITE, MAP_SHARED, o->cpus_fd, 0);
	st->faults = mmap(NULL, st->faults_bytes, PROT_READ, MAP_SHARED, o->rings_fd, 0);
	if (!st->cursors || st->cpus == MAP_FAILED || st->faults == MAP_FAILED) {
		err = errno ? errno : ENOMEM;
		goto out;
	}
	st->controls = calloc(o->ncontrols, sizeof(*st->controls));
	err = st->controls ? 0 : ENOMEM;
	for (; st->ncontrols < o->ncontrols && !err; st->ncontrols += !err) {
		struct ring_buffer **rb = &st->controls[st->ncontrols];

		*rb = ring_buffer__new(o->control_fds[st->ncontrols], collect, st, NULL);
		err = *rb ? 0 : errno;
	}
out:
	if (!err)
		return st;
	stream__close(st);
	errno = err;
	return NULL;
}

void stream__close(struct stream *st)
{
	if (!st)
		return;
	for (size_t i = 0; i < st->ncontrols; i++)
		ring_buffer__free(st->controls[i]);
	free(st->controls);
	if (st->cpus && st->cpus != MAP_FAILED)
		munmap(st->cpus, st->cpus_bytes);
	if (st->faults && st->faults != MAP_FAILED)
		munmap(st->faults, st->faults_bytes);
	arena__free(&st->arena);
	arena__free(&st->ahead);
	loading__free(&st->loading);
	free(st->cursors);
	free(st);
}

static const struct fs_fault *fault_at(const struct stream *st, __u32 cpu, __u64 pos)
{
	return &st->faults[((size_t)cpu << st->shift) + (pos & ((1ULL << st->shift) - 1))];
}

/* When a fault completed; without clock, the control event that it followed. */
static __u64 fault_key(const struct fs_fault *f)
{
	return f->time_ns + f->latency_ns;
}

/* Let the kernel side have the room of what was delivered. */
static void publish_tail(struct stream *st, __u32 cpu)
{
	__atomic_store_n(&st->cpus[cpu].tail, st->cursors[cpu].at, __ATOMIC_RELEASE);
}

/* The faults of one CPU that completed before `until` (without clock: not after). */
static int deliver_cpu(struct stream *st, __u32 cpu, __u64 until, const struct event_sink *sink)
{
	struct cursor *c = &st->cursors[cpu];
	int err = 0;

	while (c->at < c->end && !err) {
		const struct fs_fault *f = fault_at(st, cpu, c->at);

		if (fault_key(f) >= until)
			break;
		if (f->flags & FS_FAULT_LOADING && st->lives && loading__waits(&st->loading, f))
			err = loading__keep(&st->loading, f);
		else
			err = sink->fault(sink->ctx, f);
		c->at++;
		if (!(c->at & 4095))
			publish_tail(st, cpu);
	}
	publish_tail(st, cpu);
	return err;
}

/* The same for all CPUs, oldest first. CPUs are few: a scan finds the oldest as fast as a heap. */
static int deliver_by_time(struct stream *st, __u64 until, const struct event_sink *sink)
{
	__u64 key, best_key, second;
	struct cursor *c;
	int best, err;

	for (;;) {
		best = -1;
		best_key = second = until;
		for (__u32 cpu = 0; cpu < st->ncpus; cpu++) {
			c = &st->cursors[cpu];
			if (c->at >= c->end)
				continue;
			key = fault_key(fault_at(st, cpu, c->at));
			if (key < best_key) {
				second = best_key;
				best_key = key;
				best = cpu;
			} else if (key < second) {
				second = key;
			}
		}
		if (best < 0)
			return 0;
		/* this CPU's go on until the next CPU's turn */
		err = deliver_cpu(st, best, second > best_key ? second : best_key + 1, sink);
		if (err)
			return err;
	}
}

static int deliver_faults(struct stream *st, __u64 until, const struct event_sink *sink)
{
	int err = 0;

	if (st->by_time && st->latency)
		return deliver_by_time(st, until, sink);
	for (__u32 cpu = 0; cpu < st->ncpus && !err; cpu++)
		err = deliver_cpu(st, cpu, until, sink);
	return err;
}

/*
 * Where each ring ends now. Read before the control rings: an event that a fault refers to was
 * submitted before the fault was published.
 */
static void snapshot_heads(struct stream *st)
{
	__u64 size = 1ULL << st->shift, used, most = 0;

	for (__u32 cpu = 0; cpu < st->ncpus; cpu++) {
		struct cursor *c = &st->cursors[cpu];

		c->end = __atomic_load_n(&st->cpus[cpu].head, __ATOMIC_ACQUIRE);
		used = c->end - c->at;
		if (used > most)
			most = used;
	}
	st->fill_percent = most * 100 / size;
}

static void discard(struct stream *st)
{
	st->arena.used = st->arena.nrefs = 0;
	arena__free(&st->ahead);
	loading__discard(&st->loading);
	for (__u32 cpu = 0; cpu < st->ncpus; cpu++) {
		st->cursors[cpu].at = st->cursors[cpu].end;
		publish_tail(st, cpu);
	}
}

static int drain(struct stream *st, const struct event_sink *sink, bool last)
{
	struct arena *a = &st->arena;
	__u64 cut_ns;
	size_t i;
	int err;

	loading__begin(&st->loading);
	snapshot_heads(st);
	st->cut_ns = cut_ns = clock_ns();
	if (a->capacity > ARENA_KEPT && !a->nrefs) { /* a burst is over */
		free(a->bytes);
		a->bytes = NULL;
		a->capacity = 0;
	}
	err = take_ahead(st);
	if (!err)
		err = collect_all(st);
	if (err)
		return err;
	arena__sort(a);
	st->delivering = true;
	/*
	 * Newer events wait: what one of them names may have been sent to a ring that had been emptied
	 * before. What an older one names was sent before it, and is here.
	 */
	for (i = 0; i < a->nrefs && !err && a->refs[i].time_ns < cut_ns; i++) {
		const struct fs_head *head = (void *)(a->bytes + a->refs[i].at);

		err = deliver_faults(st, head->time_ns, sink);
		if (!err)
			err = loading__event(&st->loading, head, sink);
	}
	if (!err)
		err = deliver_faults(st, ~0ULL, sink);
	if (!err && last)
		err = loading__end(&st->loading, sink);
	st->delivering = false;
	if (!err)
		err = st->err; /* of stream__collect() */
	if (!err && sink->drained)
		err = sink->drained(sink->ctx);
	if (err)
		discard(st);
	else
		arena__keep_from(a, i);
	return err;
}

int stream__drain(struct stream *st, const struct event_sink *sink, bool last)
{
	int err = 0;

	if (last) { /* what comes ahead has to have been delivered before */
		do
			err = drain(st, sink, false);
		while (!err && st->ahead.nrefs);
	}
	return err ? err : drain(st, sink, last);
}

const struct fs_cpu *stream__cpu(const struct stream *st, __u32 cpu)
{
	return &st->cpus[cpu];
}

bool stream__busy(const struct stream *st)
{
	return st->fill_percent >= 5 || st->arena.nrefs > 500 || st->ahead.nrefs;
}
