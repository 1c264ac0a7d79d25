/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps of invented processes: how mappings are cut, what their parts get of the sums, the drawing. */
#include <errno.h>
#include <locale.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>
#include <jansson.h>

#include "analysis/map.h"
#include "analysis/map_rows.h"
#include "flame_samples.h"
#include "lines.h"
#include "output/map_text.h"

#define P       4096ULL
#define KIB     1024ULL
#define PROGRAM 0x400000ULL
#define MMAP    0x7f0000000000ULL
#define STACK   0x7ffc00000000ULL

/* ---- an invented process ---------------------------------------------------------------------- */

struct piece {
	__u64 start, end;
	enum fs_region region;
	const struct file *file;
	__u32 tid;
};

struct run {
	__u64 start, end;
	__u32 flags;
	__u64 pfn, count, frame_flags;
};

struct process_of_tests {
	struct piece pieces[16];
	struct run runs[600];
	size_t npieces, nruns;
};

static const struct file app = { .path = "/bin/app", .name = "app" };
static const struct file lib = { .path = "/lib/lib.so", .name = "lib.so" };

static void place(void *ctx, __u64 addr, struct place *out, __u64 *start, __u64 *end)
{
	const struct process_of_tests *p = ctx;

	*out = (struct place){ .region = FS_REGION_NONE };
	*start = addr;
	*end = addr + 1;
	for (size_t i = 0; i < p->npieces; i++) {
		if (addr < p->pieces[i].start || addr >= p->pieces[i].end)
			continue;
		*start = p->pieces[i].start;
		*end = p->pieces[i].end;
		out->region = p->pieces[i].region;
		out->file = p->pieces[i].file;
		out->stack_tid = p->pieces[i].tid;
	}
}

static int pages(void *ctx, bool frames, __u64 start, __u64 end,
		 int (*fn)(void *fn_ctx, __u64 start, __u64 end, const struct page_facts *facts),
		 void *fn_ctx)
{
	const struct process_of_tests *p = ctx;
	int err = 0;

	for (size_t i = 0; i < p->nruns && !err; i++) {
		const struct run *r = &p->runs[i];
		struct page_facts facts = { .flags = r->flags };
		__u64 from = r->start > start ? r->start : start;

		if (frames) {
			facts.pfn = r->pfn;
			facts.frame_count = r->count;
			facts.frame_flags = r->frame_flags;
		}
		if (from < (r->end < end ? r->end : end))
			err = fn(fn_ctx, from, r->end < end ? r->end : end, &facts);
	}
	return err;
}

static __u64 touched(void *ctx, bool ever, __u64 start, __u64 end)
{
	return ever ? end - start : (end - start) / 2;
}

static struct map *new_map(struct process_of_tests *p, bool heat, bool frames)
{
	const struct map_source src = { .ctx = p,
					.place = place,
					.pages = pages,
					.program = "/bin/app",
					.heat = heat,
					.frames = frames };
	struct map *m = map__new(&src);

	assert_non_null(m);
	return m;
}

static struct smaps_vma vma(__u64 start, __u64 end, const char *perms, const char *name)
{
	return (struct smaps_vma){ .map = { .start = start,
					    .end = end,
					    .read = perms[0] == 'r',
					    .write = perms[1] == 'w',
					    .exec = perms[2] == 'x',
					    .shared = perms[3] == 's',
					    .ino = name[0] == '/',
					    .name = name },
				   .size = end - start };
}

static void add(struct map *m, __u64 start, __u64 end, const char *perms, const char *name,
		__u64 rss)
{
	struct smaps_vma v = vma(start, end, perms, name);

	v.rss = v.pss = rss;
	assert_int_equal(map__add(m, &v, true), 0);
}

/* Parts follow each other down to 0. */
static void assert_tiles(const struct map *m)
{
	for (size_t i = 0; i + 1 < m->n; i++)
		assert_int_equal(m->parts[i].start, m->parts[i + 1].end);
	assert_int_equal(m->parts[m->n - 1].start, 0);
}

/* ---- cutting ---------------------------------------------------------------------------------- */

static void test_split(void **state)
{
	struct process_of_tests p = {
		.pieces = { { 0, 4 * P, FS_REGION_BSS, &app, 0 },
			    { 4 * P, 16 * P, FS_REGION_HEAP, NULL, 0 } },
		.runs = { { P, 3 * P, PAGE_PRESENT | PAGE_ANON | PAGE_EXCLUSIVE, 0, 0, 0 },
			  { 5 * P, 8 * P, PAGE_PRESENT | PAGE_ANON, 0, 0, 0 },
			  { 8 * P, 9 * P, PAGE_SWAPPED, 0, 0, 0 },
			  { 9 * P, 12 * P, PAGE_PRESENT | PAGE_ZERO, 0, 0, 0 } },
		.npieces = 2,
		.nruns = 4,
	};
	struct smaps_vma v = vma(0, 16 * P, "rw-p", "[heap]");
	struct map *m = new_map(&p, false, false);
	struct map_part *bss, *heap;

	v.rss = v.anonymous = 5 * P;
	v.pss = 4 * P;
	v.private_dirty = 2 * P;
	v.shared_dirty = 2 * P;
	v.shared_clean = P;
	v.swap = P;
	assert_int_equal(map__add(m, &v, true), 0);
	assert_int_equal(m->n, 2);
	assert_int_equal(m->vmas, 1);
	bss = &m->parts[0];
	heap = &m->parts[1];
	assert_string_equal(bss->owner, "app");
	assert_string_equal(heap->owner, "[heap]");
	assert_int_equal(bss->end, 4 * P);
	assert_int_equal(bss->figures[MAP_RSS], 2 * P);
	assert_int_equal(heap->figures[MAP_RSS], 3 * P);
	assert_int_equal(bss->figures[MAP_SHARED], 0);
	assert_int_equal(heap->figures[MAP_SHARED], 3 * P);
	assert_int_equal(heap->figures[MAP_SWAP], P);
	/* of these the pages do not tell all: the sums are kept */
	assert_int_equal(bss->figures[MAP_DIRTY] + heap->figures[MAP_DIRTY], 4 * P);
	assert_int_equal(bss->figures[MAP_PSS] + heap->figures[MAP_PSS], 4 * P);
	map__free(m);
}

/* The kernel's sum is larger or smaller than what the pages say: as they change meanwhile. */
static void test_split_fits(void **state)
{
	for (__u64 rss = 0; rss <= 20; rss++) {
		struct process_of_tests p = {
			.pieces = { { 0, 3 * P, FS_REGION_TEXT, &app, 0 },
				    { 3 * P, 8 * P, FS_REGION_RODATA, &app, 0 },
				    { 8 * P, 10 * P, FS_REGION_DATA, &app, 0 } },
			.runs = { { P, 9 * P, PAGE_PRESENT | PAGE_FILE, 0, 0, 0 } },
			.npieces = 3,
			.nruns = 1,
		};
		struct map *m = new_map(&p, false, false);

		add(m, 0, 10 * P, "r-xp", "/bin/app", rss * P);
		assert_int_equal(m->n, 3);
		assert_int_equal(map__total(m, MAP_RSS), rss * P);
		assert_int_equal(map__total(m, MAP_PSS), rss * P);
		for (size_t i = 0; i < 3 && rss <= 10; i++)
			assert_true(m->parts[i].figures[MAP_RSS] <=
				    m->parts[i].end - m->parts[i].start);
		map__free(m);
	}
}

/* Bss that begins in the last page of data, and what has one name again. */
static void test_pages_whole(void **state)
{
	struct process_of_tests p = {
		.pieces = { { 0, 2 * P + 100, FS_REGION_DATA, &app, 0 },
			    { 2 * P + 100, 3 * P, FS_REGION_BSS, &app, 0 },
			    { 3 * P, 3 * P + 8, FS_REGION_RODATA, &app, 0 },
			    { 3 * P + 8, 5 * P, FS_REGION_RODATA, &app, 0 } },
		.npieces = 4,
	};
	struct map *m = new_map(&p, false, false);

	add(m, 0, 3 * P, "rw-p", "/bin/app", P);
	add(m, 3 * P, 5 * P, "r--p", "/bin/app", P);
	assert_int_equal(m->n, 2);
	assert_int_equal(m->parts[0].region, FS_REGION_DATA);
	assert_int_equal(m->parts[0].also, FS_REGION_BSS);
	assert_int_equal(m->parts[1].region, FS_REGION_RODATA);
	assert_int_equal(m->parts[1].also, FS_REGION_NONE);
	assert_int_equal(m->parts[1].end, 5 * P);
	map__free(m);
}

static void test_guards(void **state)
{
	struct process_of_tests p = {
		.pieces = { { MMAP, MMAP + P, FS_REGION_ANON, NULL, 0 },
			    { MMAP + P, MMAP + 9 * P, FS_REGION_THREAD_STACK, NULL, 77 },
			    { MMAP + 9 * P, MMAP + 12 * P, FS_REGION_ANON, NULL, 0 },
			    { MMAP + 20 * P, MMAP + 30 * P, FS_REGION_ANON, NULL, 0 } },
		.npieces = 4,
	};
	struct map *m = new_map(&p, false, false);

	assert_int_equal(map__add_guard(m, MMAP + 10 * P, MMAP + 11 * P), 0);
	add(m, MMAP, MMAP + P, "---p", "", 0);
	add(m, MMAP + P, MMAP + 12 * P, "rw-p", "", 3 * P);
	add(m, MMAP + 20 * P, MMAP + 30 * P, "---p", "", 0);
	assert_int_equal(map__finish(m), 0);
	assert_tiles(m);
	/* gap, reserved, gap, anon, guard, anon, stack, guard, gap */
	assert_int_equal(m->n, 9);
	assert_int_equal(m->parts[1].kind, MAP_RESERVED);
	assert_int_equal(m->parts[3].kind, MAP_REGION);
	assert_int_equal(m->parts[4].kind, MAP_GUARD);
	assert_int_equal(m->parts[4].start, MMAP + 10 * P);
	assert_string_equal(m->parts[4].owner, "[anon]");
	assert_int_equal(m->parts[6].region, FS_REGION_THREAD_STACK);
	assert_int_equal(m->parts[7].kind, MAP_GUARD);
	assert_string_equal(m->parts[7].owner, "[stack:77]");
	assert_int_equal(m->parts[8].kind, MAP_GAP);
	assert_ptr_equal(map__part(m, MMAP + P), &m->parts[6]);
	assert_null(map__part(m, 0));
	assert_null(map__part(m, MMAP + 2 * P));
	map__free(m);
}

/* Program, its bss beyond the file, heap, a library, the program's file once more, stack, vsyscall. */
static void fill_whole(struct process_of_tests *p, struct map *m)
{
	const struct piece all[] = {
		{ PROGRAM, PROGRAM + 8 * P, FS_REGION_TEXT, &app, 0 },
		{ PROGRAM + 16 * P, PROGRAM + 18 * P, FS_REGION_DATA, &app, 0 },
		{ PROGRAM + 18 * P, PROGRAM + 20 * P, FS_REGION_BSS, &app, 0 },
		{ PROGRAM + 32 * P, PROGRAM + 64 * P, FS_REGION_HEAP, NULL, 0 },
		{ MMAP, MMAP + 4 * P, FS_REGION_TEXT, &lib, 0 },
		{ MMAP + 4 * P, MMAP + 8 * P, FS_REGION_TEXT, &app, 0 },
		{ MMAP + 512 * P, MMAP + 600 * P, FS_REGION_ANON, NULL, 0 },
		{ STACK, STACK + 33 * P, FS_REGION_STACK, NULL, 0 },
	};

	memcpy(p->pieces, all, sizeof(all));
	p->npieces = sizeof(all) / sizeof(all[0]);
	add(m, PROGRAM, PROGRAM + 8 * P, "r-xp", "/bin/app", 4 * P);
	add(m, PROGRAM + 16 * P, PROGRAM + 18 * P, "rw-p", "/bin/app", P);
	add(m, PROGRAM + 18 * P, PROGRAM + 20 * P, "rw-p", "", P);
	add(m, PROGRAM + 32 * P, PROGRAM + 64 * P, "rw-p", "[heap]", 7 * P);
	add(m, MMAP, MMAP + 4 * P, "r-xp", "/lib/lib.so", 2 * P);
	add(m, MMAP + 4 * P, MMAP + 8 * P, "r--p", "/bin/app", 0);
	add(m, MMAP + 512 * P, MMAP + 600 * P, "rw-p", "", 88 * P);
	add(m, STACK, STACK + 33 * P, "rw-p", "[stack]", 3 * P);
	add(m, 0xffffffffff600000, 0xffffffffff601000, "--xp", "[vsyscall]", 0);
	assert_int_equal(map__finish(m), 0);
}

static void test_whole(void **state)
{
	struct process_of_tests p = { 0 };
	struct map *m = new_map(&p, false, false);
	static const enum map_section sections[] = {
		MAP_STACK, MAP_MAPPINGS, MAP_MAPPINGS, MAP_MAPPINGS,
		MAP_HEAP,  MAP_PROGRAM,  MAP_PROGRAM,  MAP_PROGRAM,
	};
	size_t n = 0;

	fill_whole(&p, m);
	assert_tiles(m);
	assert_int_equal(m->vmas, 8); /* without the kernel's page */
	assert_int_equal(m->parts[0].section, MAP_ABOVE);
	assert_string_equal(m->parts[0].owner, "[vsyscall]");
	assert_int_equal(m->parts[1].kind, MAP_KERNEL);
	assert_int_equal(m->parts[1].start, 1ULL << 47);
	assert_int_equal(m->parts[2].kind, MAP_GAP);
	for (size_t i = 3; i < m->n; i++)
		if (m->parts[i].kind == MAP_REGION)
			assert_int_equal(m->parts[i].section, sections[n++]);
	assert_int_equal(n, 8);
	map__free(m);
}

/* Of a process that has ended: what was the same at the last look has its figures. */
static void test_take_figures(void **state)
{
	struct process_of_tests p = { 0 };
	struct map *before = new_map(&p, false, false), *m = new_map(&p, false, false);
	struct smaps_vma v = vma(PROGRAM, PROGRAM + 8 * P, "r-xp", "/bin/app");

	fill_whole(&p, before);
	assert_int_equal(map__add(m, &v, false), 0);
	v = vma(PROGRAM + 32 * P, PROGRAM + 60 * P, "rw-p", ""); /* it has shrunk */
	p.pieces[3].end = PROGRAM + 60 * P;
	assert_int_equal(map__add(m, &v, false), 0);
	assert_int_equal(map__finish(m), 0);
	map__take_figures(m, before);
	assert_true(map__part(m, PROGRAM)->known);
	assert_int_equal(map__part(m, PROGRAM)->figures[MAP_RSS], 4 * P);
	assert_false(map__part(m, PROGRAM + 32 * P)->known);
	map__free(before);
	map__free(m);
}

/* ---- pages ------------------------------------------------------------------------------------ */

static void test_heat(void **state)
{
	struct process_of_tests p = {
		.pieces = { { 0, 113 * P, FS_REGION_ANON, NULL, 0 } },
		.runs = { { 0, P, PAGE_PRESENT | PAGE_ANON, 0, 0, 0 },
			  { P, 6 * P, PAGE_PRESENT | PAGE_ZERO, 0, 0, 0 },
			  { 6 * P, 10 * P, PAGE_PRESENT | PAGE_FILE, 0, 0, 0 },
			  { 112 * P, 113 * P, PAGE_PRESENT | PAGE_ANON, 0, 0, 0 } },
		.npieces = 1,
		.nruns = 4,
	};
	struct map *m = new_map(&p, true, false);
	char cells[3 * MAP_HEAT + 1];
	const struct map_part *part;

	add(m, 0, 113 * P, "rw-p", "", 6 * P);
	part = &m->parts[0];
	assert_int_equal(part->nheat, 38); /* cells of three pages, the last of two */
	assert_float_equal(part->heat[0], 1 / 3., 1e-6);
	assert_float_equal(part->heat[1], 0, 0);
	assert_float_equal(part->heat[2], 1, 0);
	assert_float_equal(part->heat[3], 1 / 3., 1e-6);
	assert_float_equal(part->heat[37], 1 / 2., 1e-6);
	map_text__heat(cells, part->heat, 4, false);
	assert_string_equal(cells, "- @-");
	map_text__heat(cells, part->heat, 4, true);
	assert_string_equal(cells, "▃ █▃");
	map_text__heat(cells, (float[]){ 0.0001, 0.9999 }, 2, true);
	assert_string_equal(cells, "▁▇"); /* neither nothing nor all */
	map__free(m);
}

static void test_frames(void **state)
{
	struct process_of_tests p = { .pieces = { { 0, 8192 * P, FS_REGION_ANON, NULL, 0 } },
				      .npieces = 1 };
	const __u64 anon = 1ULL << KPF_ANON | 1ULL << KPF_MMAP;
	struct map *m = new_map(&p, false, true);
	const struct map_frames *fr;

	/* two that go on, one that is mapped more often, then many apart */
	p.runs[p.nruns++] = (struct run){ 0, P, PAGE_PRESENT | PAGE_ANON, 100, 1, anon };
	p.runs[p.nruns++] = (struct run){ P, 3 * P, PAGE_PRESENT | PAGE_ANON, 101, 1, anon };
	p.runs[p.nruns++] = (struct run){ 3 * P, 4 * P, PAGE_PRESENT | PAGE_ANON, 103, 9, anon };
	for (__u64 i = 0; i < 300; i++)
		p.runs[p.nruns++] = (struct run){
			(10 + 2 * i) * P, (11 + 2 * i) * P, PAGE_PRESENT | PAGE_FILE, 1000 + i, 2,
			1ULL << KPF_MMAP
		};
	add(m, 0, 8192 * P, "rw-p", "", 304 * P);
	fr = m->parts[0].frames;
	assert_non_null(fr);
	assert_int_equal(fr->frames, 304);
	assert_int_equal(fr->count_min, 1);
	assert_int_equal(fr->count_max, 9);
	assert_int_equal(fr->nruns, MAP_RUNS);
	assert_int_equal(fr->left_out, 302 - MAP_RUNS);
	assert_int_equal(fr->runs[0].pages, 3);
	assert_int_equal(fr->runs[1].pfn, 103);
	assert_int_equal(fr->flags[KPF_ANON], 4);
	map__free(m);
}

/* ---- who touched ------------------------------------------------------------------------------ */

static void touch(struct touches *ts, __u64 addr, __u64 start, __u64 end, __u32 tid)
{
	struct fs_fault f = { .addr = addr, .tid = tid, .latency_ns = 10 };
	char comm[16];

	snprintf(comm, sizeof(comm), "t%u", tid);
	assert_int_equal(touches__fault(ts, &f, start, end, comm, tid), 0);
}

static void test_touches(void **state)
{
	struct touches *ts = touches__new();
	struct touched sum;

	assert_non_null(ts);
	touches__sum(ts, 0, ~0ULL, &sum);
	assert_int_equal(sum.faults, 0);
	assert_null(toucher__first(sum.threads));
	touch(ts, 5 * P, 4 * P, 8 * P, 1);
	assert_true(touches__knows(ts, 7 * P));
	assert_false(touches__knows(ts, 8 * P));
	/* it has grown at both ends */
	touch(ts, 9 * P, 2 * P, 10 * P, 2);
	touch(ts, 3 * P, 2 * P, 10 * P, 2);
	touch(ts, 6 * P, 2 * P, 10 * P, 3);
	touches__sum(ts, 2 * P, 10 * P, &sum);
	assert_int_equal(sum.faults, 4);
	assert_int_equal(sum.stall_ns, 40);
	assert_int_equal(toucher__first(sum.threads)->id, 2);
	assert_string_equal(toucher__first(sum.threads)->comm, "t2");
	/* all of the middle part counts where it was touched last */
	touches__sum(ts, 6 * P, 10 * P, &sum);
	assert_int_equal(sum.faults, 3);
	/* what is left below keeps what it had */
	assert_int_equal(touches__unmapped(ts, 5 * P, 9 * P + 1), 0);
	assert_false(touches__knows(ts, 6 * P));
	touches__sum(ts, 2 * P, 5 * P, &sum);
	assert_int_equal(sum.faults, 3);
	touches__clear(ts);
	assert_false(touches__knows(ts, 3 * P));
	touches__free(ts);
	touches__free(NULL);
}

/* Few counters for many threads: the one with most of the faults is among them. */
static void test_many_touchers(void **state)
{
	struct touches *ts = touches__new();
	struct touched sum;

	for (__u32 i = 0; i < 1000; i++) {
		touch(ts, 0, 0, P, 100 + i % 50);
		touch(ts, 0, 0, P, 7);
	}
	touches__sum(ts, 0, P, &sum);
	assert_int_equal(sum.faults, 2000);
	assert_int_equal(toucher__first(sum.threads)->id, 7);
	assert_true(toucher__first(sum.threads)->faults >= 1000);
	touches__free(ts);
}

/* ---- outputs ---------------------------------------------------------------------------------- */

static struct profile *profile;
static __u32 profile_stack;

static int find_stack(void *ctx, __u32 id, const struct profile **p, __u32 *stack)
{
	*p = profile;
	*stack = profile_stack;
	return 0;
}

static char *draw(const struct map *m, bool traced, size_t width, bool utf8)
{
	const struct map_names names = { NULL, find_stack, find_stack };
	const struct status_mem status = { .vm_size = 1 << 20, .vm_rss = 424 * KIB };
	const struct map_head head = { 42, "app", &status, 65530, 3, 3000, traced };
	const struct rows_text_opts opts = { .width = width, .utf8 = utf8, .lost_line = traced };
	struct rows_report report = { .analysis = "map", .target = "app (pid 42)" };
	struct rows *rows = map_rows__make(m, 42, traced, &names);
	struct rows *summary = map_rows__head(m, &head);
	char *text = NULL;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	assert_non_null(rows);
	assert_non_null(summary);
	report.rows = rows;
	report.summary = summary;
	assert_int_equal(map_text__print(f, &report, &opts), 0);
	fclose(f);
	rows__free(rows);
	rows__free(summary);
	return text;
}

static const char golden[] =
	"app (pid 42): VmSize 1.0 MiB   VmRSS 424.0 KiB   VmSwap 0 B   VmPTE 0 B\n"
	"  VMAs 8 of 65,530\n"
	"\n"
	"ffffffffff600000 [vsyscall] --xp, in the kernel's half\n"
	"   begins at   region perm    size     rss of it      pss owner\n"
	"             +------------------------------------------------------------------\n"
	"7ffc00021000 : gap of 16.0 GiB\n"
	"             +- stack: 1 part, 132.0 KiB, 12.0 KiB resident --------------------\n"
	"7ffc00000000 | stack  rw-p  132KiB 12.0KiB .      12.0KiB [stack]\n"
	"7f0000258000 : gap of 1008.0 GiB\n"
	"             +- mappings: 3 parts, 384.0 KiB, 360.0 KiB resident ---------------\n"
	"7f0000200000 | anon   rw-p  352KiB  352KiB ######  352KiB [anon]\n"
	"7f0000008000 : gap of 2.0 MiB\n"
	"7f0000004000 | text   r--p 16.0KiB       0              0 app\n"
	"7f0000000000 | text   r-xp 16.0KiB 8.00KiB ###    8.00KiB lib.so\n"
	"      440000 : gap of 127.0 TiB\n"
	"             +- heap: 1 part, 128.0 KiB, 28.0 KiB resident ---------------------\n"
	"      420000 | heap   rw-p  128KiB 28.0KiB #      28.0KiB [heap]\n"
	"      414000 : gap of 48.0 KiB\n"
	"             +- program: 3 parts, 48.0 KiB, 24.0 KiB resident ------------------\n"
	"      412000 | bss    rw-p 8.00KiB 4.00KiB ###    4.00KiB app\n"
	"      410000 | data   rw-p 8.00KiB 4.00KiB ###    4.00KiB app\n"
	"      408000 : gap of 32.0 KiB\n"
	"      400000 | text   r-xp 32.0KiB 16.0KiB ###    16.0KiB app\n"
	"           0 : gap of 4.0 MiB\n"
	"             +------------------------------------------------------------------\n"
	"\n";

static void test_drawing(void **state)
{
	struct process_of_tests p = { 0 };
	struct map *m = new_map(&p, false, false);
	char *text;

	fill_whole(&p, m);
	text = draw(m, false, 80, false);
	if (strcmp(text, golden))
		fail_msg("got:\n%s", text);
	free(text);
	map__free(m);
}

/* Any width, with everything that stands below rows, and names that want to be something else. */
static void test_widths(void **state)
{
	static const struct file hostile = { .path = "/tmp/\xff\x1b[31m\n",
					     .name = "\xff\x1b[31m\n" };
	struct process_of_tests p = { .runs = { { PROGRAM, PROGRAM + 4 * P,
						  PAGE_PRESENT | PAGE_FILE, 0x1234, 3,
						  1ULL << KPF_MMAP } },
				      .nruns = 1 };
	struct map *m = new_map(&p, true, true);
	__u32 frame;

	m->source.touched = touched;
	profile = sample__new();
	frame = sample__frame(profile, "\x1b[31m\n\xff");
	profile_stack = sample__stack(profile, 1, &frame);
	fill_whole(&p, m);
	for (size_t i = 0; i < m->n; i++) {
		struct map_part *part = &m->parts[i];

		if (part->kind >= MAP_GAP)
			continue;
		part->has_origin = true;
		part->origin = (struct origin){ .kind = ORIGIN_CALL, .stack_id = 1, .tid = i };
		part->touched.faults = 10;
		part->touched.threads[0] = (struct toucher){ 4000000, "\x1b[31m\xff", 9 };
		part->touched.stacks[0] = (struct toucher){ 1, "", 9 };
		if (part->section == MAP_HEAP) {
			free(part->owner);
			part->owner = strdup(hostile.name);
			free(part->path);
			part->path = strdup(hostile.path);
		}
	}
	for (size_t width = 80; width <= 160; width += 16) {
		for (int utf8 = 0; utf8 < 2; utf8++) {
			char *text = draw(m, true, width, utf8);

			lines__check(text, width, "map");
			assert_non_null(strstr(text, "mapped by mmap of thread"));
			assert_non_null(strstr(text, "touched by \\x1b[31m\\xff/4000000 90%"));
			assert_non_null(strstr(text, "frames 4, mapped 3 times: file 4; 1234+4"));
			free(text);
		}
	}
	profile__free(profile);
	map__free(m);
}

/* Heat and runs of frames are lists in JSON; in CSV the one is a cell and the other is not there. */
static void test_lists(void **state)
{
	struct process_of_tests p = { .pieces = { { 0, 4 * P, FS_REGION_ANON, NULL, 0 } },
				      .runs = { { 0, 2 * P, PAGE_PRESENT | PAGE_ANON, 77, 1,
						  1ULL << KPF_ANON } },
				      .npieces = 1,
				      .nruns = 1 };
	const struct map_names names = { 0 };
	struct map *m = new_map(&p, true, true);
	struct rows_report report = { .analysis = "map" };
	json_t *json, *row, *run;
	char *text = NULL;
	struct rows *rows;
	size_t size;
	FILE *f = open_memstream(&text, &size);

	add(m, 0, 4 * P, "rw-p", "", 2 * P);
	assert_int_equal(map__finish(m), 0);
	rows = map_rows__make(m, 1, false, &names);
	report.rows = rows;
	assert_int_equal(rows_json__print(f, &report), 0);
	fclose(f);
	json = json_loads(text, 0, NULL);
	row = json_array_get(json_object_get(json, "rows"), 1); /* behind the gap */
	assert_int_equal(json_array_size(json_object_get(row, "heat")), 4);
	run = json_array_get(json_object_get(row, "frame_runs"), 0);
	assert_int_equal(json_integer_value(json_object_get(run, "pfn")), 77);
	assert_int_equal(json_integer_value(json_object_get(run, "frames")), 2);
	assert_string_equal(json_string_value(json_object_get(run, "flags")), "anon");
	json_decref(json);
	free(text);
	f = open_memstream(&text, &size);
	assert_int_equal(rows_csv__header(f, &report), 0);
	assert_int_equal(rows_csv__print(f, &report), 0);
	fclose(f);
	assert_null(strstr(text, "frame_runs,"));
	assert_non_null(strstr(text, ",1 1 0 0,2,1,1,anon 2,0\r\n"));
	free(text);
	rows__free(rows);
	map__free(m);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_split),       cmocka_unit_test(test_split_fits),
		cmocka_unit_test(test_pages_whole), cmocka_unit_test(test_guards),
		cmocka_unit_test(test_whole),       cmocka_unit_test(test_take_figures),
		cmocka_unit_test(test_heat),        cmocka_unit_test(test_frames),
		cmocka_unit_test(test_touches),     cmocka_unit_test(test_many_touchers),
		cmocka_unit_test(test_drawing),     cmocka_unit_test(test_widths),
		cmocka_unit_test(test_lists),
	};

	setlocale(LC_CTYPE, "C.UTF-8");
	return cmocka_run_group_tests(tests, NULL, NULL);
}
