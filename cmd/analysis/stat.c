/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat_impl.h"

/* What the classes say about memory and outcome. */
static const struct {
	bool present; /* made memory present: as many pages as the fault's order says */
	bool failed;
	const char *why;
} classes[FS_CLASS_NR] = {
	/* clang-format off */
	[FS_CLASS_UNKNOWN]  = { true,  false, "most faults make a page present; nothing says otherwise" },
	[FS_CLASS_ANON]     = { true,  false, "a new page, or folio, was zeroed and mapped" },
	[FS_CLASS_ZERO]     = { false, false, "the zero page is shared by all and was there before" },
	[FS_CLASS_COW]      = { true,  false, "a new page holds the copy" },
	[FS_CLASS_REUSE]    = { false, false, "the page was present and only became writable" },
	[FS_CLASS_FILE]     = { true,  false, "a cached page was mapped; fault-around's are not counted" },
	[FS_CLASS_READ]     = { true,  false, "a page was read and mapped; read-ahead's are not counted" },
	[FS_CLASS_SWAP]     = { true,  false, "a page came back from swap" },
	[FS_CLASS_SHMEM]    = { true,  false, "a page of shared memory was mapped" },
	[FS_CLASS_THP]      = { true,  false, "a huge page was mapped as a whole" },
	[FS_CLASS_HUGETLB]  = { true,  false, "a hugetlbfs page was mapped as a whole" },
	[FS_CLASS_NUMA]     = { false, false, "the page was present; it stayed or moved to another node" },
	[FS_CLASS_UFFD]     = { true,  false, "the handler supplied a page" },
	[FS_CLASS_SPURIOUS] = { false, false, "the page was present" },
	[FS_CLASS_SEGV]     = { false, true,  "the fault failed" },
	[FS_CLASS_BUS]      = { false, true,  "the fault failed" },
	[FS_CLASS_OOM]      = { false, true,  "the fault failed" },
	[FS_CLASS_FIXUP]    = { false, false, "this is no fault: the access was given up" },
	/* clang-format on */
};

/* Calls whose sizes are kept: those that give and take address space. */
static const bool sized[FS_CALL_NR] = {
	[FS_CALL_MMAP] = true,
	[FS_CALL_MUNMAP] = true,
	[FS_CALL_BRK] = true,
};

__u64 stat_class__bytes(enum fs_class class, __u64 pages, __u64 page_size)
{
	return class < FS_CLASS_NR && classes[class].present ? pages * page_size : 0;
}

const char *stat_class__bytes_why(enum fs_class class)
{
	return class < FS_CLASS_NR ? classes[class].why : classes[FS_CLASS_UNKNOWN].why;
}

bool stat_class__failed(enum fs_class class)
{
	return class < FS_CLASS_NR && classes[class].failed;
}

struct stat_tally *stat__new(const struct stat_opts *opts)
{
	struct stat_tally *st = calloc(1, sizeof(*st));
	size_t i, j;

	if (!st)
		return NULL;
	st->names = opts->names;
	for (i = 0; i < opts->ntables; i++) {
		const struct stat_by *by = &opts->tables[i];

		for (j = 0; j < by->n; j++) {
			if (by->n > STAT_KEY_NR || by->key[j] >= STAT_KEY_NR ||
			    (by->key[j] == STAT_STACK && !opts->names.stack)) {
				free(st);
				errno = EINVAL;
				return NULL;
			}
			st->used[by->key[j]] = true;
			st->needs |= stat_key__needs(by->key[j]);
		}
	}
	return st;
}

static void stat__clear(struct stat_tally *st)
{
	struct stat_cell *cell, *tmp;

	HASH_ITER (hh, st->cells, cell, tmp) {
		HASH_DEL(st->cells, cell);
		hist_sparse__clear(&cell->latency);
		free(cell);
	}
	memset(st->cache, 0, sizeof(st->cache));
	stat_keys__clear(st);
}

void stat__free(struct stat_tally *st)
{
	struct stat_usage *usage, *tmp;
	size_t i;

	if (!st)
		return;
	stat__clear(st);
	HASH_ITER (hh, st->usages, usage, tmp) {
		HASH_DEL(st->usages, usage);
		free(usage);
	}
	for (i = 0; i < FS_CALL_NR; i++)
		free(st->sizes[i]);
	free(st);
}

void stat__reset(struct stat_tally *st)
{
	struct stat_usage *usage, *tmp;
	size_t i;

	stat__clear(st);
	HASH_ITER (hh, st->usages, usage, tmp)
		usage->before = usage->now;
	memset(st->calls, 0, sizeof(st->calls));
	for (i = 0; i < FS_CALL_NR; i++)
		if (st->sizes[i])
			memset(st->sizes[i], 0, sizeof(*st->sizes[i]));
	st->fixup = 0;
	st->dropped = 0;
}

/* The slow way: name the parts, then find or make the cell of those names. */
static struct stat_cell *stat__find_cell(struct stat_tally *st, const struct stat_in *in,
					 const struct place *pl)
{
	__u64 id[STAT_KEY_NR] = { 0 };
	struct stat_cell *cell;
	size_t i;

	for (i = 0; i < STAT_KEY_NR; i++)
		if (st->used[i] && stat_key__id(st, i, in, pl, &id[i]))
			return NULL;
	HASH_FIND(hh, st->cells, id, sizeof(id), cell);
	if (cell)
		return cell;
	cell = calloc(1, sizeof(*cell));
	if (!cell)
		return NULL;
	memcpy(cell->id, id, sizeof(id));
	HASH_ADD(hh, st->cells, id, sizeof(cell->id), cell);
	if (!cell->hh.tbl) {
		free(cell);
		return NULL;
	}
	return cell;
}

static inline bool stat_in__same(const struct stat_in *a, const struct stat_in *b)
{
	return a->proc == b->proc && a->file == b->file && a->mapping_id == b->mapping_id &&
	       a->tid == b->tid && a->region == b->region && a->class == b->class &&
	       a->cgroup_id == b->cgroup_id && a->stack == b->stack;
}

static inline unsigned int stat_in__hash(const struct stat_in *in)
{
	__u64 h;

	/* Odd multipliers, and the high bits of the product: Knuth, TAOCP 6.4. */
	h = (__u64)(uintptr_t)in->proc * 0x9e3779b97f4a7c15ULL;
	h ^= (__u64)(uintptr_t)in->file * 0xc2b2ae3d27d4eb4fULL;
	h ^= ((__u64)in->stack << 32 ^ in->cgroup_id) * 0xff51afd7ed558ccdULL;
	h += ((__u64)in->mapping_id << 32 | in->tid) * 0x165667b19e3779f9ULL;
	h += ((__u64)in->region << 8 | in->class) * 0xd6e8feb86659fd93ULL;
	return h >> (64 - STAT_CACHE_BITS);
}

/*
 * The cell of a fault. uthash alone takes some 60 ns here; this is called up to three million
 * times a second, nearly always for a combination that was met a moment ago: so a direct-mapped
 * cache stands before it. NULL: no memory.
 */
static inline struct stat_cell *stat__cell(struct stat_tally *st, const struct place *pl,
					   const struct process *proc, __u64 cgroup_id, __u32 tid,
					   __u32 stack, __u8 class)
{
	unsigned int needs = st->needs;
	struct stat_in in = {
		.proc = needs & NEED_PROC ? proc : NULL,
		.file = needs & NEED_FILE ? pl->file : NULL,
		.cgroup_id = needs & NEED_CGROUP ? cgroup_id : 0,
		.mapping_id = needs & NEED_MAPPING && pl->mapping ? pl->mapping->id : 0,
		.tid = needs & NEED_TID ? tid : 0,
		.stack = needs & NEED_STACK ? stack : 0,
		.region = needs & NEED_REGION ? pl->region : 0,
		.class = needs & NEED_CLASS ? class : 0,
	};
	struct stat_cached *slot = &st->cache[stat_in__hash(&in)];

	if (!slot->cell || !stat_in__same(&slot->in, &in)) {
		struct stat_cell *cell = stat__find_cell(st, &in, pl);

		if (!cell)
			return NULL;
		slot->in = in;
		slot->cell = cell;
	}
	return slot->cell;
}

void stat__fault(struct stat_tally *st, const struct fs_fault *f, const struct place *pl,
		 const struct process *proc, __u32 stack, __u64 page_size)
{
	__u8 class = f->class < FS_CLASS_NR ? f->class : FS_CLASS_UNKNOWN;
	struct stat_cell *cell;

	if (class == FS_CLASS_FIXUP) {
		st->fixup++;
		return;
	}
	cell = stat__cell(st, pl, proc, f->cgroup_id, f->tid, stack, class);
	if (!cell) {
		st->dropped++;
		return;
	}
	cell->n.faults++;
	if (f->flags & FS_FAULT_FAILED) {
		cell->n.failed++;
	} else {
		if (f->flags & FS_FAULT_MAJOR)
			cell->n.major++;
		else
			cell->n.minor++;
		/* No architecture's folios reach order 32; a broken recording's may. */
		if (classes[class].present)
			cell->n.bytes += page_size << (f->order & 31);
	}
	if (f->flags & FS_FAULT_KERNEL)
		cell->n.kernel++;
	/* Without memory for it, it lacks in latency.count, which the outputs show. */
	if (!(f->flags & FS_FAULT_NO_LATENCY))
		hist_sparse__add(&cell->latency, f->latency_ns);
}

void stat__add_cell(struct stat_tally *st, const struct fs_cell_key *key,
		    const struct fs_cell *from, const struct place *pl, const struct process *proc,
		    __u64 page_size)
{
	__u8 class = key->class < FS_CLASS_NR ? key->class : FS_CLASS_UNKNOWN;
	struct stat_cell *cell;
	__u64 major;

	if (class == FS_CLASS_FIXUP) {
		st->fixup += from->faults;
		return;
	}
	if (!from->faults)
		return;
	cell = stat__cell(st, pl, proc, key->cgroup_id, key->tid, 0, class);
	if (!cell) {
		st->dropped += from->faults;
		return;
	}
	cell->n.faults += from->faults;
	if (classes[class].failed) {
		cell->n.failed += from->faults;
	} else {
		/* A cell is copied while its CPU may be counting: a figure can be ahead by one. */
		major = from->major < from->faults ? from->major : from->faults;
		cell->n.major += major;
		cell->n.minor += from->faults - major;
		cell->n.bytes += stat_class__bytes(class, from->pages, page_size);
	}
	cell->n.kernel += from->kernel;
	hist_sparse__add_counts(&cell->latency, from->slots, from->sum_ns, from->max_ns);
}

static void stat__call_size(struct stat_tally *st, enum fs_call call, __u64 bytes)
{
	if (!sized[call] || !bytes)
		return;
	if (!st->sizes[call])
		st->sizes[call] = calloc(1, sizeof(*st->sizes[call]));
	if (st->sizes[call])
		hist__add(st->sizes[call], bytes);
}

void stat__call(struct stat_tally *st, const struct fs_call_event *ev, const struct place *pl,
		const struct process *proc, __u32 stack)
{
	__u64 populated = (__u64)ev->populated_min + ev->populated_maj;
	struct place base = {
		.region = ev->region < FS_REGION_NR ? ev->region : FS_REGION_UNKNOWN,
	};
	struct stat_call *call;
	struct stat_cell *cell;
	__u64 size;

	if (ev->call >= FS_CALL_NR)
		return;
	call = &st->calls[ev->call];
	call->calls++;
	call->time_ns += ev->latency_ns;
	call->populated += populated;
	if (ev->flags & FS_CALL_FAILED) {
		call->failed++;
	} else {
		size = ev->bytes < 0 ? -(__u64)ev->bytes : (__u64)ev->bytes;
		stat__call_size(st, ev->call, size);
		/* Reservations of 2^44 bytes are common, so a long run could get there. */
		if (__builtin_add_overflow(call->bytes, ev->bytes, &call->bytes))
			call->bytes = ev->bytes < 0 ? LLONG_MIN : LLONG_MAX;
	}
	/* A call that failed half-way has populated pages all the same. */
	if (!populated)
		return;
	cell = stat__cell(st, pl ? pl : &base, proc, 0, ev->head.tid, stack, FS_CLASS_NR);
	if (cell)
		cell->n.populated += populated;
}

void stat__call_figures(const struct stat_tally *st, enum fs_call call, struct stat_call *out)
{
	*out = st->calls[call];
	out->sizes = st->sizes[call] && st->sizes[call]->count ? st->sizes[call] : NULL;
}

void stat__populated(struct stat_tally *st, const struct process *proc, __u64 total)
{
	struct stat_usage *usage;

	HASH_FIND_PTR(st->usages, &proc, usage);
	if (!usage) {
		if (!total)
			return;
		usage = calloc(1, sizeof(*usage));
		if (!usage)
			return;
		usage->proc = proc;
		HASH_ADD_PTR(st->usages, proc, usage);
		if (!usage->hh.tbl) {
			free(usage);
			return;
		}
	}
	if (total > usage->now)
		usage->now = total;
}

void stat__totals(const struct stat_tally *st, struct stat_totals *out)
{
	const struct stat_usage *usage;
	const struct stat_cell *cell;
	__u64 populated = 0;

	memset(out, 0, sizeof(*out));
	for (cell = st->cells; cell; cell = cell->hh.next) {
		out->faults += cell->n.faults;
		out->minor += cell->n.minor;
		out->major += cell->n.major;
		out->failed += cell->n.failed;
		out->kernel += cell->n.kernel;
		out->bytes += cell->n.bytes;
		out->populated += cell->n.populated;
	}
	for (usage = st->usages; usage; usage = usage->hh.next)
		populated += usage->now - usage->before;
	/* What calls populated is a part of what the processes' own counters say. */
	if (populated > out->populated)
		out->populated = populated;
	out->user = out->faults - out->kernel;
	out->fixup = st->fixup;
}

__u64 stat__dropped(const struct stat_tally *st)
{
	return st->dropped;
}
