/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "region/pagemap.h"
#include "region/smaps.h"
#include "still.h"
#include "nobody.h"

#define NO_PID 0x3fffffff /* beyond PID_MAX_LIMIT */
#define PAGE   4096ULL
#define HUGE   (2ULL << 20)

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#endif

static const unsigned int ways[] = { 0, PAGEMAP_PLAIN, PAGEMAP_FRAMES,
				     PAGEMAP_FRAMES | PAGEMAP_PLAIN };

#define EACH_WAY(w) (const unsigned int *w = ways; w < ways + 4; w++)

static bool kernel_can_scan(void)
{
	unsigned int major = 0, minor = 0;
	struct utsname u;

	uname(&u);
	sscanf(u.release, "%u.%u", &major, &minor);
	return major > 6 || (major == 6 && minor >= 7);
}

static struct pagemap *open_pid(__u32 pid, unsigned int flags)
{
	struct pagemap *pm = pagemap__open(pid, flags);

	assert_non_null(pm);
	return pm;
}

static bool sees_frames(void)
{
	struct pagemap *pm = open_pid(getpid(), 0);
	bool sees = pagemap__sees_frames(pm);

	pagemap__close(pm);
	return sees;
}

static bool knows_zero(unsigned int way)
{
	return sees_frames() || (!(way & PAGEMAP_PLAIN) && kernel_can_scan());
}

#define NEED_FRAMES()                                                                          \
	do {                                                                                   \
		if (!sees_frames()) {                                                          \
			print_message("needs root: numbers and flags of frames are hidden\n"); \
			skip();                                                                \
		}                                                                              \
	} while (0)

static char *map_anon(size_t size, int advice)
{
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	madvise(p, size, advice);
	return p;
}

static void read_page(const char *p)
{
	(void)*(const volatile char *)p;
}

/* What a walk gave: facts of each page, and the number of runs. */
struct seen {
	char *base;
	struct page_facts facts[4096];
	__u64 last_end;
	size_t runs, pages;
};

static struct seen seen;

static int see(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct seen *s = ctx;
	size_t at = (start - (unsigned long)s->base) / PAGE, n = (end - start) / PAGE;

	assert_true(start < end && start >= s->last_end && at + n <= 4096);
	s->last_end = end;
	s->runs++;
	s->pages += n;
	for (size_t i = 0; i < n; i++) {
		s->facts[at + i] = *facts;
		s->facts[at + i].pfn += facts->pfn && !facts->one_frame ? i : 0;
	}
	return 0;
}

static void look(__u32 pid, unsigned int way, char *p, size_t size)
{
	struct pagemap *pm = open_pid(pid, way);

	memset(&seen, 0, sizeof(seen));
	seen.base = p;
	assert_int_equal(pagemap__walk(pm, (unsigned long)p, (unsigned long)p + size, see, &seen),
			 0);
	pagemap__close(pm);
}

static struct pagemap_anon count(__u32 pid, unsigned int way, char *p, size_t size)
{
	struct pagemap *pm = open_pid(pid, way);
	struct pagemap_anon a;

	assert_int_equal(pagemap__anon(pm, (unsigned long)p, (unsigned long)p + size, &a), 0);
	pagemap__close(pm);
	return a;
}

static size_t resident(char *p, size_t size)
{
	static unsigned char vec[4096];
	size_t n = 0;

	assert_int_equal(mincore(p, size, vec), 0);
	for (size_t i = 0; i < size / PAGE; i++)
		n += vec[i] & 1;
	return n;
}

static void test_anon(void **state)
{
	size_t size = 64 * PAGE;
	char *p = map_anon(size, MADV_NOHUGEPAGE);
	struct rusage before, after;

	getrusage(RUSAGE_SELF, &before);
	for (size_t i = 8; i < 18; i++)
		p[i * PAGE] = 1;
	for (size_t i = 18; i < 23; i++)
		read_page(p + i * PAGE);
	getrusage(RUSAGE_SELF, &after);
	assert_true(after.ru_minflt - before.ru_minflt >= 15);
	for
		EACH_WAY(w)
		{
			bool zero = knows_zero(*w);
			struct pagemap_anon a = count(getpid(), *w, p, size);

			assert_int_equal(a.present, zero ? 10 : 15);
			assert_int_equal(a.zero, zero ? 5 : 0);
			assert_int_equal(a.swapped, 0);
			look(getpid(), *w, p, size);
			assert_int_equal(seen.pages, resident(p, size));
			assert_int_equal(seen.facts[7].flags, 0);
			assert_int_equal(seen.facts[8].flags & ~PAGE_SOFT_DIRTY,
					 PAGE_PRESENT | PAGE_ANON | PAGE_EXCLUSIVE);
			if (zero)
				assert_int_equal(seen.facts[22].flags & ~PAGE_SOFT_DIRTY,
						 PAGE_PRESENT | PAGE_ZERO);
			assert_int_equal(seen.facts[23].flags, 0);
			if (!(*w & PAGEMAP_FRAMES)) {
				assert_int_equal(seen.runs, 2);
				assert_int_equal(seen.facts[8].pfn + seen.facts[8].frame_flags, 0);
			}
		}
	for (size_t i = 0; i < 64; i++)
		p[i * PAGE] = 1;
	assert_int_equal(count(getpid(), 0, p, size).present, 64);
	madvise(p, 32 * PAGE, MADV_DONTNEED);
	assert_int_equal(count(getpid(), 0, p, size).present, 32);
	munmap(p, size);
}

static void test_frames(void **state)
{
	size_t size = 64 * PAGE;
	char *p;

	NEED_FRAMES();
	p = map_anon(size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 32; i++)
		p[i * PAGE] = 1;
	for (size_t i = 32; i < 64; i++)
		read_page(p + i * PAGE);
	for
		EACH_WAY(w)
		{
			if (!(*w & PAGEMAP_FRAMES))
				continue;
			look(getpid(), *w, p, size);
			assert_int_equal(seen.pages, 64);
			for (size_t i = 0; i < 32; i++) {
				struct page_facts *f = &seen.facts[i];

				assert_true(f->pfn);
				assert_false(f->one_frame && i);
				assert_true(f->frame_flags & 1ULL << KPF_ANON);
				assert_false(f->frame_flags & ~PAGE_FRAME_FLAGS);
				assert_int_equal(f->frame_count, 1);
				for (size_t k = 0; k < i; k++)
					assert_true(f->pfn != seen.facts[k].pfn);
			}
			assert_true(seen.facts[40].one_frame);
			assert_true(seen.facts[40].frame_flags & 1ULL << KPF_ZERO_PAGE);
			assert_int_equal(seen.facts[40].pfn, seen.facts[63].pfn);
			assert_true(seen.runs <= 33);
		}
	munmap(p, size);
}

static void test_file(void **state)
{
	size_t size = 16 * PAGE;
	FILE *f = tmpfile();
	char *p, *shared, *mem;
	int fd = memfd_create("pages", MFD_CLOEXEC);

	assert_int_equal(ftruncate(fd, size), 0);
	for (size_t i = 0; i < size; i++)
		putc('x', f);
	fflush(f);
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE, fileno(f), 0);
	shared = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fileno(f), 0);
	mem = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (size_t i = 0; i < 16; i++) {
		read_page(p + i * PAGE);
		shared[i * PAGE] = 1;
		mem[i * PAGE] = 1;
	}
	for (size_t i = 4; i < 7; i++)
		p[i * PAGE] = 2;
	for
		EACH_WAY(w)
		{
			assert_int_equal(count(getpid(), *w, p, size).present, 3);
			assert_int_equal(count(getpid(), *w, shared, size).present, 0);
			assert_int_equal(count(getpid(), *w, mem, size).present, 0);
			look(getpid(), *w, p, size);
			for (size_t i = 0; i < 16; i++)
				assert_int_equal(seen.facts[i].flags & (PAGE_FILE | PAGE_ANON),
						 i >= 4 && i < 7 ? PAGE_ANON : PAGE_FILE);
			look(getpid(), *w, mem, size);
			assert_int_equal(seen.pages, 16);
			assert_true(seen.facts[0].flags & PAGE_FILE);
			assert_true(seen.facts[0].flags & PAGE_EXCLUSIVE);
		}
	munmap(p, size);
	munmap(shared, size);
	munmap(mem, size);
	fclose(f);
	close(fd);
}

/* ---- other processes -------------------------------------------------------------------------- */

static void write_two(void *arg)
{
	char *p = arg;

	p[0] = p[PAGE] = 2;
}

static void test_shared_after_fork(void **state)
{
	size_t size = 16 * PAGE;
	char *p = map_anon(size, MADV_NOHUGEPAGE);
	pid_t pid;

	memset(p, 1, size);
	pid = still__fork(write_two, p);
	for
		EACH_WAY(w)
		{
			assert_int_equal(count(pid, *w, p, size).present, 16);
			look(pid, *w, p, size);
			assert_true(seen.facts[1].flags & PAGE_EXCLUSIVE);
			assert_false(seen.facts[2].flags & PAGE_EXCLUSIVE);
			assert_true(seen.facts[2].flags & PAGE_ANON);
			if (*w & PAGEMAP_FRAMES && sees_frames())
				assert_int_equal(seen.facts[2].frame_count, 2);
		}
	still__end(pid);
	munmap(p, size);
}

static void touch_all_kinds(void *arg)
{
	char *q = map_anon(300 * PAGE, MADV_NOHUGEPAGE);

	for (size_t i = 0; i < 300; i += 3)
		q[i * PAGE] = 1;
	for (size_t i = 1; i < 300; i += 3)
		read_page(q + i * PAGE);
	mprotect(q, 100 * PAGE, PROT_NONE);
	mlock(q + 100 * PAGE, 50 * PAGE);
	q = map_anon(2 * HUGE, MADV_HUGEPAGE);
	q[HUGE] = 1;
	mmap(NULL, 100 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE,
	     -1, 0);
}

struct compare {
	struct pagemap *pm;
	bool plain, skipped;
	__u64 anon, mappings;
	__u64 counted; /* pages of the mapping of a kind that counts in its Rss */
};

static int add_counted(void *ctx, __u64 start, __u64 end, const struct page_facts *f)
{
	if (f->flags & (PAGE_FILE | PAGE_ANON) && f->flags & PAGE_PRESENT)
		((struct compare *)ctx)->counted += (end - start) / PAGE;
	return 0;
}

static int compare_mapping(void *ctx, const struct smaps_vma *v)
{
	struct compare *c = ctx;
	struct pagemap_anon a;

	/* the sanitizer's shadow is one of terabytes */
	if (c->plain && v->size > 4ULL << 30) {
		c->skipped = true;
		return 0;
	}
	c->mappings++;
	c->counted = 0;
	assert_int_equal(pagemap__anon(c->pm, v->map.start, v->map.end, &a), 0);
	assert_int_equal(a.present * PAGE, v->anonymous);
	if (!v->map.shared)
		assert_int_equal(a.swapped * PAGE, v->swap);
	assert_int_equal(pagemap__walk(c->pm, v->map.start, v->map.end, add_counted, c), 0);
	assert_int_equal(c->counted * PAGE, v->rss);
	c->anon += a.present;
	return 0;
}

/* All of a process, sanitizer's shadow included, against the kernel's sums: pages of [vvar] too. */
static void test_whole_process(void **state)
{
	struct status_mem m;
	pid_t pid;

	NEED_FRAMES();
	pid = still__fork(touch_all_kinds, NULL);
	assert_int_equal(status__read(pid, &m), 0);
	for
		EACH_WAY(w)
		{
			struct compare c = { .pm = open_pid(pid, *w), .plain = *w & PAGEMAP_PLAIN };

			assert_int_equal(smaps__read(pid, compare_mapping, &c), 0);
			assert_true(c.mappings > 20);
			if (!c.skipped)
				assert_in_range(m.rss_anon + 256 * PAGE, c.anon * PAGE,
						c.anon * PAGE + 512 * PAGE);
			pagemap__close(c.pm);
		}
	still__end(pid);
}

static void do_nothing(void *arg)
{
}

static int kill_it(void *ctx, __u64 start, __u64 end_, const struct page_facts *f)
{
	pid_t *pid = ctx;

	if (*pid)
		still__end(*pid);
	*pid = 0;
	return 0;
}

static void test_gone(void **state)
{
	size_t size = 8 * PAGE;
	char *p = map_anon(size, MADV_NOHUGEPAGE);
	unsigned long at = (unsigned long)p;
	struct pagemap_anon a;

	assert_null(pagemap__open(NO_PID, 0));
	assert_int_equal(errno, ESRCH);
	pagemap__close(NULL);
	for (size_t i = 0; i < 8; i += 2)
		p[i * PAGE] = 1;
	for
		EACH_WAY(w)
		{
			pid_t pid = still__fork(do_nothing, NULL);
			struct pagemap *pm = open_pid(pid, *w);

			assert_int_equal(pagemap__anon(pm, at, at + size, &a), 0);
			assert_int_equal(a.present, 4);
			assert_int_equal(pagemap__walk(pm, at, at + size, kill_it, &pid), -ESRCH);
			assert_int_equal(pid, 0);
			assert_int_equal(pagemap__anon(pm, at, at + size, &a), -ESRCH);
			pagemap__close(pm);
		}
	munmap(p, size);
}

static bool open_is_refused(void)
{
	return !pagemap__open(1, 0) && errno == EACCES;
}

static void test_not_allowed(void **state)
{
	assert_true(holds_for_nobody(open_is_refused));
}

/* ---- ranges ----------------------------------------------------------------------------------- */

static int stop(void *ctx, __u64 start, __u64 end_, const struct page_facts *f)
{
	return ++*(int *)ctx == 3 ? -ENOTTY : 0;
}

static void test_ranges(void **state)
{
	size_t size = 8 * PAGE;
	char *p = map_anon(size, MADV_NOHUGEPAGE);
	unsigned long at = (unsigned long)p;

	for (size_t i = 0; i < 8; i += 2)
		p[i * PAGE] = 1;
	for
		EACH_WAY(w)
		{
			struct pagemap *pm = open_pid(getpid(), *w);
			int n = 0;

			assert_int_equal(pagemap__walk(pm, at + 1, at + size, see, &seen), -EINVAL);
			assert_int_equal(pagemap__walk(pm, at, at + size - 1, see, &seen), -EINVAL);
			assert_int_equal(pagemap__walk(pm, at + PAGE, at, see, &seen), -EINVAL);
			assert_int_equal(pagemap__walk(pm, at, at, NULL, NULL), 0);
			assert_int_equal(pagemap__walk(pm, 0xffffffffff600000, 0xffffffffff601000,
						       NULL, NULL),
					 0);
			assert_int_equal(pagemap__walk(pm, at, at + size, stop, &n), -ENOTTY);
			assert_int_equal(n, 3);
			pagemap__close(pm);
		}
	munmap(p, size);
}

/* More regions than one call tells of, near and far from each other, against the file itself. */
static void test_scattered(void **state)
{
	size_t pages = 4000, size = pages * PAGE;
	static __u64 entries[4000];
	char *p = map_anon(size, MADV_NOHUGEPAGE);
	int fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	unsigned int seed = 1;

	for (size_t i = 0; i < pages; i++) {
		seed = seed * 1103515245 + 12345;
		if (i / 500 % 2 && seed >> 16 & 7)
			continue;
		if (i > 3300 && i < 3700)
			continue;
		if (seed >> 19 & 1)
			p[i * PAGE] = 1;
		else if (seed >> 20 & 1)
			read_page(p + i * PAGE);
	}
	assert_int_equal(read_at(fd, entries, sizeof(entries), (unsigned long)p / PAGE * 8),
			 sizeof(entries));
	close(fd);
	for
		EACH_WAY(w)
		{
			look(getpid(), *w, p, size);
			assert_true(seen.runs > 600);
			assert_int_equal(seen.pages, resident(p, size));
			for (size_t i = 0; i < pages; i++) {
				struct page_facts *f = &seen.facts[i];

				assert_int_equal(!!(f->flags & PAGE_PRESENT), entries[i] >> 63);
				assert_int_equal(!!(f->flags & PAGE_EXCLUSIVE),
						 entries[i] >> 56 & 1);
				if (knows_zero(*w) && f->flags)
					assert_int_equal(!!(f->flags & PAGE_ZERO),
							 !(entries[i] >> 56 & 1));
				if (*w & PAGEMAP_FRAMES)
					assert_int_equal(f->pfn, entries[i] & ((1ULL << 55) - 1));
			}
		}
	munmap(p, size);
}

static __u64 now_us(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000ULL + ts.tv_nsec / 1000;
}

static void test_reservation(void **state)
{
	size_t size = 1ULL << 40;
	struct pagemap_anon a;
	__u64 began, took;
	char *p;

	if (!kernel_can_scan()) {
		print_message("needs Linux 6.7: PAGEMAP_SCAN\n");
		skip();
	}
	p = mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED) {
		print_message("no 1 TiB to be had: %s\n", strerror(errno));
		skip();
	}
	mprotect(p + size / 2, PAGE, PROT_READ | PROT_WRITE);
	p[size / 2] = 1;
	began = now_us();
	a = count(getpid(), 0, p, size);
	took = now_us() - began;
	assert_int_equal(a.present, 1);
	if (took >= 50000)
		print_message("1 TiB took %llu us\n", (unsigned long long)took);
	assert_true(took < 50000);
	munmap(p, size);
}

struct guards {
	__u64 start, end;
	int n;
};

static int find_guard(void *ctx, __u64 start, __u64 end)
{
	struct guards *g = ctx;

	g->start = start;
	g->end = end;
	g->n++;
	return 0;
}

/* Where they are: told from Linux 6.16 on, and without the ioctl not at all. */
static void check_guards(char *p, size_t size)
{
	for (int plain = 0; plain < 2; plain++) {
		struct pagemap *pm = pagemap__open(getpid(), plain ? PAGEMAP_PLAIN : 0);
		struct guards g = { 0 };

		assert_non_null(pm);
		assert_int_equal(pagemap__guards(pm, (unsigned long)p, (unsigned long)p + size,
						 find_guard, &g),
				 0);
		pagemap__close(pm);
		if (!plain && !g.n)
			print_message("needs Linux 6.16: where guard pages are\n");
		assert_true(g.n <= !plain);
		if (g.n) {
			assert_int_equal(g.start, (unsigned long)p);
			assert_int_equal(g.end, (unsigned long)p + 4 * PAGE);
		}
	}
}

static void test_guards(void **state)
{
	size_t size = 16 * PAGE;
	char *p = map_anon(size, MADV_NOHUGEPAGE);

	memset(p, 1, size);
	if (madvise(p, 4 * PAGE, MADV_GUARD_INSTALL)) {
		munmap(p, size);
		print_message("needs Linux 6.13: guard pages\n");
		skip();
	}
	for
		EACH_WAY(w)
		{
			struct pagemap_anon a = count(getpid(), *w, p, size);

			assert_int_equal(a.present, 12);
			if (sees_frames())
				assert_int_equal(a.swapped, 0);
		}
	check_guards(p, size);
	munmap(p, size);
}

/* ---- huge pages ------------------------------------------------------------------------------- */

static int find_huge(void *ctx, const struct smaps_vma *v)
{
	unsigned long at = *(unsigned long *)ctx;

	if (at < v->map.start || at >= v->map.end)
		return 0;
	*(__u64 *)ctx = v->anon_huge;
	return 1;
}

static void test_huge(void **state)
{
	size_t size = 4 * HUGE;
	char *p = map_anon(size, MADV_HUGEPAGE), *q;
	__u64 at;

	q = (char *)(((unsigned long)p + HUGE - 1) & ~(HUGE - 1));
	q[5] = 1;
	at = (unsigned long)q;
	assert_int_equal(smaps__read(getpid(), find_huge, &at), 1);
	if (at != HUGE) {
		munmap(p, size);
		print_message("no transparent huge page was given: %llu bytes\n",
			      (unsigned long long)at);
		skip();
	}
	read_page(q + HUGE); /* the huge zero page, or a small one where that is not used */
	for
		EACH_WAY(w)
		{
			bool frames = *w & PAGEMAP_FRAMES && sees_frames();
			bool tells = frames || (!(*w & PAGEMAP_PLAIN) && kernel_can_scan());
			struct pagemap_anon a = count(getpid(), *w, p, size);

			assert_int_equal(a.present, 512);
			if (sees_frames())
				assert_true(a.zero == 512 || a.zero == 1);
			look(getpid(), *w, q, 3 * HUGE);
			if (tells)
				assert_true(seen.facts[0].flags & PAGE_HUGE);
			if (tells && a.zero == 512)
				assert_true(seen.facts[600].flags & PAGE_HUGE);
			assert_true(seen.facts[511].flags & PAGE_ANON);
			assert_int_equal(seen.runs, 2);
			if (frames)
				assert_true(seen.facts[511].pfn == seen.facts[0].pfn + 511 &&
					    seen.facts[511].frame_flags & 1ULL << KPF_THP);
			/* not from the beginning of the huge zero page */
			assert_int_equal(count(getpid(), *w, q + HUGE + 5 * PAGE, HUGE).present, 0);
		}
	munmap(p, size);
}

static bool has_swap(void)
{
	char line[256];
	FILE *f = fopen("/proc/swaps", "re");
	int n = 0;

	while (f && fgets(line, sizeof(line), f))
		n++;
	if (f)
		fclose(f);
	return n > 1;
}

static void test_swapped(void **state)
{
	size_t size = 64 * PAGE;
	struct pagemap_anon a;
	char *p;

	if (!has_swap()) {
		print_message("this machine has no swap\n");
		skip();
	}
	p = map_anon(size, MADV_NOHUGEPAGE);
	for (size_t i = 0; i < 64; i++)
		memset(p + i * PAGE, i + 1, PAGE);
	madvise(p, size, MADV_PAGEOUT);
	for
		EACH_WAY(w)
		{
			a = count(getpid(), *w, p, size);
			assert_int_equal(a.present + a.swapped, 64);
			look(getpid(), *w, p, size);
			assert_int_equal(seen.pages, 64);
		}
	if (!a.swapped)
		print_message("nothing was swapped out\n");
	munmap(p, size);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_anon),          cmocka_unit_test(test_frames),
		cmocka_unit_test(test_file),          cmocka_unit_test(test_shared_after_fork),
		cmocka_unit_test(test_whole_process), cmocka_unit_test(test_gone),
		cmocka_unit_test(test_not_allowed),   cmocka_unit_test(test_ranges),
		cmocka_unit_test(test_scattered),     cmocka_unit_test(test_reservation),
		cmocka_unit_test(test_guards),        cmocka_unit_test(test_huge),
		cmocka_unit_test(test_swapped),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
