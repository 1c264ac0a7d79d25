/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of address spaces against a kernel of which each page is known (layout_sim.h). */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "unit/layout_sim.h"

#define ORIGINS 4096

/* What the watch was told of an origin that lives. */
struct told_of {
	const struct origin *origin;
	__u64 unmapped;
};

struct world {
	struct sim *sim;
	struct sim_counts gone, mapped; /* what the watch was told */
	struct told_of of[ORIGINS];
	size_t nof;
	bool all_origins;
	__u64 released, touched; /* pages */
	__u64 ended;             /* origins */
};

static struct told_of *told_of(struct world *w, const struct origin *o)
{
	size_t i;

	for (i = 0; i < w->nof; i++)
		if (w->of[i].origin == o)
			return &w->of[i];
	assert_true(w->nof < ORIGINS);
	w->of[w->nof] = (struct told_of){ .origin = o };
	return &w->of[w->nof++];
}

static void on_unmapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			__u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns)
{
	struct told_of *of = told_of(ctx, o);
	struct world *w = ctx;

	assert_true(start < end && here <= (end - start) / SIM_PAGE);
	w->gone.bytes[o->stack_id] += (end - start) / SIM_PAGE;
	w->gone.here[o->stack_id] += here;
	of->unmapped += end - start;
	assert_int_equal(of->unmapped + o->live, o->bytes);
	if (o->live)
		return;
	w->ended++;
	*of = w->of[--w->nof];
}

static void on_mapped(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
		      __u64 end)
{
	struct world *w = ctx;

	w->mapped.bytes[o->stack_id] += (end - start) / SIM_PAGE;
}

static void on_released(void *ctx, const struct process *proc, const struct origin *o, __u64 pages,
			const struct fs_call_event *by)
{
	struct world *w = ctx;

	assert_int_equal(by->call, FS_CALL_MADVISE);
	w->released += pages;
}

static void on_touched(void *ctx, const struct process *proc, const struct origin *o,
		       const struct fs_fault *f, __u64 newly, __u64 again)
{
	struct world *w = ctx;

	w->touched += newly + again;
}

static struct world *world__new(unsigned int seed)
{
	const struct space_ops ops = { .layouts = true, .all_origins = seed % 2 };
	struct world *w = calloc(1, sizeof(*w));
	struct layout_watch watch = { .ctx = w,
				      .unmapped = on_unmapped,
				      .mapped = on_mapped,
				      .released = on_released,
				      .touched = on_touched };

	assert_non_null(w);
	w->all_origins = ops.all_origins;
	w->sim = sim__new(space__new(&ops), seed);
	assert_int_equal(space__watch(w->sim->space, &watch), 0);
	sim__exec(w->sim, &w->sim->procs[0]);
	return w;
}

static void world__free(struct world *w)
{
	struct space *sp = w->sim->space;

	for (int i = 0; i < SIM_PROCS; i++)
		if (w->sim->procs[i].alive)
			sim__exit(w->sim, &w->sim->procs[i]);
	assert_int_equal(w->nof, 0); /* all that began to go has gone */
	sim__free(w->sim);
	space__free(sp);
	free(w);
}

/* ---- checks ----------------------------------------------------------------------------------- */

static const struct sim_page *page_at(const struct sim_proc *p, __u64 addr)
{
	return &p->pages[(addr - SIM_BASE) / SIM_PAGE];
}

static void fail_at(const struct world *w, const struct sim_proc *p, __u64 addr, const char *what)
{
	fail_msg("process %u, page %u, after %llu: %s", p->pid - SIM_PID,
		 (unsigned int)((addr - SIM_BASE) / SIM_PAGE), (unsigned long long)w->sim->now,
		 what);
}

static void check_page(const struct world *w, const struct sim_proc *p, const struct vma *v,
		       __u64 at, bool stacks)
{
	const struct sim_page *page = page_at(p, at);

	if (!page->mapped)
		fail_at(w, p, at, "is not mapped");
	if (v->vm_flags != page->flags || v->file_id != page->file)
		fail_at(w, p, at, "flags or file differ");
	if (v->file_id && at - v->bias != page->pgoff * SIM_PAGE)
		fail_at(w, p, at, "offset differs");
	if (stacks && w->all_origins && !v->origin)
		fail_at(w, p, at, "has no origin");
	if (stacks && (v->origin ? v->origin->stack_id : 0) != page->stack)
		fail_at(w, p, at, "was mapped by another call");
}

static void check_addresses(const struct world *w, const struct sim_proc *p, bool stacks)
{
	__u64 at = SIM_BASE, end = SIM_BASE + SIM_PAGES * SIM_PAGE;
	const struct vma *v;

	while (at < end) {
		v = space__vma(w->sim->space, p->pid, at);
		if (v && v->start <= at)
			check_page(w, p, v, at, stacks);
		else if (page_at(p, at)->mapped)
			fail_at(w, p, at, "is mapped");
		at += SIM_PAGE;
	}
}

/* Sums that hold of each origin. */
static void check_origins(const struct world *w, const struct sim_proc *p)
{
	struct space *sp = w->sim->space;
	static __u64 live[ORIGINS], last;
	const struct origin *o;
	const struct vma *v;
	size_t n = 0, i;

	space__count_pages(sp, p->pid);
	memset(live, 0, sizeof(live));
	for (v = space__vma(sp, p->pid, last = 0); v; v = space__vma(sp, p->pid, v->end)) {
		assert_true(v->start < v->end && v->start >= last);
		last = v->end;
		if (!v->origin)
			continue;
		for (i = 0, o = space__origins(sp, p->pid); o && o != v->origin; o = o->next)
			i++;
		assert_ptr_equal(o, v->origin);
		live[i] += v->end - v->start;
	}
	for (o = space__origins(sp, p->pid); o; o = o->next, n++) {
		const struct origin_pages *g = &o->pages;

		assert_true(o->live && o->live <= o->bytes);
		assert_int_equal(o->live, live[n]);
		assert_int_equal(g->touched + g->again + g->populated + g->inherited,
				 g->here + g->released + g->unmapped);
		assert_int_equal(g->made + g->made_populated + g->inherited, g->anon + g->freed);
		assert_true(g->here <= g->ever && g->ever <= o->live / SIM_PAGE);
		assert_true(g->anon <= o->live / SIM_PAGE);
	}
}

/* The pages that are there, by who mapped them. */
static void check_pages(const struct world *w, const struct sim_proc *p)
{
	static struct {
		__s32 live, anon, here, ever;
	} sums[SIM_CALLS];
	const struct origin *o = space__origins(w->sim->space, p->pid);

	memset(sums, 0, sizeof(sums));
	for (; o; o = o->next) {
		sums[o->stack_id].live += o->live / SIM_PAGE;
		sums[o->stack_id].anon += o->pages.anon;
		sums[o->stack_id].here += o->pages.here;
		sums[o->stack_id].ever += o->pages.ever;
	}
	for (unsigned int i = 0; i < SIM_PAGES; i++) {
		const struct sim_page *page = &p->pages[i];

		if (!page->mapped)
			continue;
		sums[page->stack].live--;
		sums[page->stack].anon -= page->anon;
		sums[page->stack].here -= page->here;
		sums[page->stack].ever -= page->ever;
	}
	for (unsigned int i = 0; i < SIM_CALLS; i++)
		if ((i && sums[i].live) || sums[i].anon || sums[i].here || sums[i].ever)
			fail_msg("process %u, call %u, after %llu: %d too many live, %d anon, "
				 "%d here, %d ever",
				 p->pid - SIM_PID, i, (unsigned long long)w->sim->now, sums[i].live,
				 sums[i].anon, sums[i].here, sums[i].ever);
}

/* All that has gone was told once, and all that was mapped. */
static void check_told(const struct world *w)
{
	const struct sim *s = w->sim;

	for (unsigned int i = 1; i < SIM_CALLS; i++) {
		assert_int_equal(w->gone.bytes[i], s->gone.bytes[i]);
		assert_int_equal(w->gone.here[i], s->gone.here[i]);
		assert_int_equal(w->mapped.bytes[i], s->mapped.bytes[i]);
	}
	assert_true(w->gone.bytes[0] <= s->gone.bytes[0]);
	assert_int_equal(w->gone.here[0], s->gone.here[0]);
}

/* ---- lives ------------------------------------------------------------------------------------ */

/* Each call returns before the next one begins: all is known of each page. */
static void test_in_order(void **state)
{
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct world *w = world__new(seed);

		for (int step = 0; step < 4000; step++) {
			sim__step(w->sim);
			check_told(w);
			for (int i = 0; i < SIM_PROCS; i++) {
				if (!w->sim->procs[i].alive)
					continue;
				assert_true(
					space__layout_known(w->sim->space, w->sim->procs[i].pid));
				check_addresses(w, &w->sim->procs[i], true);
				check_origins(w, &w->sim->procs[i]);
				check_pages(w, &w->sim->procs[i]);
			}
		}
		assert_true(w->ended > 500 && w->touched > 300 && w->released > 100);
		world__free(w);
	}
}

static void check_settled(const struct world *w)
{
	for (int i = 0; i < SIM_PROCS; i++) {
		if (!w->sim->procs[i].alive)
			continue;
		check_addresses(w, &w->sim->procs[i], false);
		check_origins(w, &w->sim->procs[i]);
	}
}

/* Each ten steps all that is in flight has come, and what is in doubt is told. */
static void live(struct world *w)
{
	unsigned int nlost = 0;

	for (int step = 0; step < 4000; step++) {
		sim__step(w->sim);
		if (step % 10)
			continue;
		sim__return_all(w->sim);
		if (w->sim->nlost != nlost)
			space__doubt_layouts(w->sim->space);
		nlost = w->sim->nlost;
		sim__tell_wanted(w->sim);
		check_settled(w);
	}
	w->sim->lost = w->sim->late = 0;
	world__free(w);
}

/* Calls return in another order than they took effect. */
static void test_in_flight(void **state)
{
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct world *w = world__new(seed);

		w->sim->in_flight = SIM_PENDING - 1;
		live(w);
	}
}

/* States cannot be read now and then, and events are lost. */
static void test_in_doubt(void **state)
{
	for (unsigned int seed = 1; seed <= 6; seed++) {
		struct world *w = world__new(seed);

		w->sim->in_flight = seed % 2 ? SIM_PENDING - 1 : 0;
		w->sim->unsure = 20;
		w->sim->lost = seed > 3 ? 5 : 0;
		live(w);
	}
}

/* Events come late: the kernel side was interrupted between reading a state and sending it. */
static void test_late(void **state)
{
	for (unsigned int seed = 1; seed <= 12; seed++) {
		struct world *w = world__new(seed);

		w->sim->in_flight = seed % 3 ? SIM_PENDING - 1 : 0;
		w->sim->unsure = seed % 5 ? 0 : 10;
		w->sim->late = 10;
		live(w);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_order),
		cmocka_unit_test(test_in_flight),
		cmocka_unit_test(test_in_doubt),
		cmocka_unit_test(test_late),
	};

	return cmocka_run_group_tests_name("layout_random", tests, NULL, NULL);
}
