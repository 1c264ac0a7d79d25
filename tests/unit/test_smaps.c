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
#include <sys/wait.h>
#include <unistd.h>
#include <cmocka.h>

#include "region/smaps.h"
#include "still.h"
#include "nobody.h"

#define NO_PID 0x3fffffff /* beyond PID_MAX_LIMIT */
#define PAGE   4096ULL

struct kept {
	struct smaps_vma v[8];
	char names[8][6000];
	size_t n, stop_at;
};

static int keep(void *ctx, const struct smaps_vma *v)
{
	struct kept *k = ctx;

	assert_true(k->n < 8);
	k->v[k->n] = *v;
	snprintf(k->names[k->n], sizeof(k->names[0]), "%s", v->map.name);
	return ++k->n == k->stop_at ? -ENODATA : 0;
}

static int parse(const char *text, size_t len, struct kept *k)
{
	FILE *f = fmemopen((char *)text, len, "r");
	int err;

	assert_non_null(f);
	err = smaps__parse(f, keep, k);
	fclose(f);
	return err;
}

static int parse_text(const char *text, struct kept *k)
{
	*k = (struct kept){ .stop_at = k->stop_at };
	return parse(text, strlen(text), k);
}

static struct kept kept;

static void test_parse(void **state)
{
	static const char text[] =
		"Rss: 9 kB\n" /* of no mapping */
		"1000-5000 rw-p 00002000 fd:01 42                         /a b:c (deleted)\n"
		"Size:                 16 kB\nKernelPageSize:        4 kB\nMMUPageSize:   4 kB\n"
		"Rss:                  12 kB\nPss:                   3 kB\nFace: 5 kB\n"
		"Locked: 1 kB\nShared_Clean:          1 kB\nShared_Dirty:          2 kB\n"
		"Private_Clean: 4 kB\nPrivate_Dirty: 5 kB\nSwap: 18014398509481983 kB\n"
		"Anonymous:     99999999999999999999999 kB\nReferenced: kB\nLazyFree:\n"
		"THPeligible:           1\nProtectionKey:  7\nabc-def: 5 kB\n\nx\n"
		"VmFlags: rd wr mr mw me lo \n"
		"7f00-8f00 ---s 00000000 00:00 0 \n"
		"Rss_Of_Tomorrow:  5 kB\nRs: 5 kB\nRsss: 5 kB\nSwapPss:\t4 kB\n"
		"ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0   [vsyscall]\n";
	const struct smaps_vma *v = kept.v;

	assert_int_equal(parse_text(text, &kept), 0);
	assert_int_equal(kept.n, 3);
	assert_string_equal(kept.names[0], "/a b:c (deleted)");
	assert_int_equal(v->map.start, 0x1000);
	assert_int_equal(v->map.offset, 0x2000);
	assert_true(v->map.write && !v->map.shared);
	assert_int_equal(v->size, 16 << 10);
	assert_int_equal(v->kernel_page_size, 4096);
	assert_int_equal(v->mmu_page_size, 4096);
	assert_int_equal(v->rss, 12 << 10);
	assert_int_equal(v->pss, 3 << 10);
	assert_int_equal(v->locked, 1 << 10);
	assert_int_equal(v->shared_clean, 1 << 10);
	assert_int_equal(v->shared_dirty, 2 << 10);
	assert_int_equal(v->private_clean, 4 << 10);
	assert_int_equal(v->private_dirty, 5 << 10);
	assert_int_equal(v->swap, 18014398509481983ULL << 10);
	assert_int_equal(v->anonymous + v->referenced + v->lazyfree, 0);
	assert_int_equal(v->thp_eligible, 1);
	assert_string_equal(v->flags, "rd wr mr mw me lo");
	assert_true(smaps__has_flag(v, "rd") && smaps__has_flag(v, "lo"));
	assert_false(smaps__has_flag(v, "d ") || smaps__has_flag(v, "ht") ||
		     smaps__has_flag(v, "l"));
	v++;
	assert_true(v->map.shared && !v->map.read);
	assert_int_equal(v->rss + v->size + v->locked, 0);
	assert_int_equal(v->swap_pss, 4 << 10);
	assert_string_equal(v->flags, "");
	assert_string_equal(kept.names[2], "[vsyscall]");
	assert_int_equal(v[1].map.start, 0xffffffffff600000);
}

/* Every place where a text may end: no mapping that is given is one of half a line. */
static void test_parse_cut(void **state)
{
	static const char text[] = "1000-5000 rw-p 0 0:0 0 \nRss: 12 kB\nSwap: 4 kB\n"
				   "6000-7000 rw-p 0 0:0 0 /x\nRss: 12 kB\n";

	assert_int_equal(parse("\n", 1, &kept), 0);
	for (size_t len = 1; len < sizeof(text); len++) {
		bool whole = text[len - 1] == '\n';
		size_t heads = len < 24 ? 0 : len < sizeof(text) - 12 ? 1 : 2;

		memset(&kept, 0, sizeof(kept));
		assert_int_equal(parse(text, len, &kept), whole ? 0 : -ENODATA);
		assert_true(kept.n <= heads);
		if (whole)
			assert_int_equal(kept.n, heads);
		for (size_t i = 0; i < kept.n; i++)
			assert_true(kept.v[i].rss == 12 << 10 || (whole && !kept.v[i].rss));
	}
}

static void test_parse_long(void **state)
{
	char name[5000], text[6000];

	memset(name, 'n', sizeof(name));
	name[sizeof(name) - 1] = '\0';
	memcpy(name, "/\\012", 5);
	snprintf(text, sizeof(text),
		 "0-1000 r--p 0 0:0 7 %s\nSize: 4 kB\nVmFlags:%0*d xx\n1000-2000 r--p 0 0:0 7 /b\n",
		 name, 300, 0);
	assert_int_equal(parse_text(text, &kept), 0);
	assert_int_equal(kept.n, 2);
	assert_int_equal(kept.names[0][1], '\n');
	assert_string_equal(kept.names[0] + 2, name + 5);
	assert_string_equal(kept.v[0].flags, "");
	assert_string_equal(kept.names[1], "/b");

	snprintf(text, sizeof(text), "0-1000 r--p 0 0:0 7 \nVmFlags:");
	for (int i = 0; i < 100; i++)
		strcat(text, " aa");
	strcat(text, "\n");
	assert_int_equal(parse_text(text, &kept), 0);
	assert_int_equal(strlen(kept.v[0].flags) % 3, 2);
	assert_true(strlen(kept.v[0].flags) > sizeof(kept.v[0].flags) - 5);
}

static void test_stop(void **state)
{
	kept.stop_at = 2;
	assert_int_equal(parse_text("0-1000 r--p 0 0:0 7 \n1000-2000 r--p 0 0:0 7 \n"
				    "2000-3000 r--p 0 0:0 7 \n",
				    &kept),
			 -ENODATA);
	assert_int_equal(kept.n, 2);
	memset(&kept, 0, sizeof(kept));
	kept.stop_at = 3;
	assert_int_equal(smaps__read(getpid(), keep, &kept), -ENODATA);
	assert_int_equal(kept.n, 3);
	kept.stop_at = 0;
}

struct sums {
	struct smaps_vma all, at;
	__u64 addr;
	char name[256];
	size_t n;
};

static int add(void *ctx, const struct smaps_vma *v)
{
	struct sums *s = ctx;

	s->n++;
	s->all.rss += v->rss;
	s->all.anonymous += v->anonymous;
	s->all.private_dirty += v->private_dirty;
	s->all.shared_clean += v->shared_clean;
	s->all.private_clean += v->private_clean;
	s->all.shared_dirty += v->shared_dirty;
	s->all.locked += v->locked;
	s->all.swap += v->swap;
	s->all.pss += v->pss;
	s->all.size += smaps__has_flag(v, "rd") || v->map.start < 1ULL << 63 ? v->size : 0;
	if (s->addr >= v->map.start && s->addr < v->map.end) {
		s->at = *v;
		snprintf(s->name, sizeof(s->name), "%s", v->map.name);
	}
	assert_int_equal(v->size, v->map.end - v->map.start);
	return 0;
}

struct area {
	char *p;
	size_t pages, written;
	bool lock;
};

static void touch(void *arg)
{
	struct area *a = arg;

	for (size_t i = 0; i < a->written; i++)
		a->p[i * PAGE] = 1;
	for (size_t i = a->written; i < a->pages; i++)
		(void)*(volatile char *)(a->p + i * PAGE);
	if (a->lock && mlock(a->p, a->written * PAGE))
		a->lock = false;
	mprotect(a->p + a->pages / 2 * PAGE, a->pages / 2 * PAGE, PROT_READ);
}

static void test_own_child(void **state)
{
	struct area a = { .pages = 64, .written = 10, .lock = true };
	struct sums s = {};
	struct status_mem m;
	pid_t pid;
	FILE *f;
	char path[64];

	a.p = mmap(NULL, a.pages * PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1,
		   0);
	madvise(a.p, a.pages * PAGE, MADV_NOHUGEPAGE);
	pid = still__fork(touch, &a);
	s.addr = (unsigned long)a.p;
	assert_int_equal(smaps__read(pid, add, &s), 0);
	assert_int_equal(s.at.anonymous, a.written * PAGE);
	assert_int_equal(s.at.rss, a.written * PAGE);
	assert_int_equal(s.at.locked, smaps__has_flag(&s.at, "lo") ? a.written * PAGE : 0);
	assert_int_equal(s.at.kernel_page_size, sysconf(_SC_PAGESIZE));
	assert_true(smaps__has_flag(&s.at, "rd") && smaps__has_flag(&s.at, "wr"));

	snprintf(path, sizeof(path), "/proc/%d/smaps_rollup", pid);
	f = fopen(path, "re");
	assert_non_null(f);
	memset(&kept, 0, sizeof(kept));
	assert_int_equal(smaps__parse(f, keep, &kept), 0);
	fclose(f);
	assert_int_equal(kept.n, 1);
	assert_string_equal(kept.names[0], "[rollup]");
	assert_int_equal(s.all.rss, kept.v[0].rss);
	assert_int_equal(s.all.anonymous, kept.v[0].anonymous);
	/* What we write to meanwhile is no longer shared with the child: only their sums stay. */
	assert_int_equal(s.all.private_dirty + s.all.shared_dirty,
			 kept.v[0].private_dirty + kept.v[0].shared_dirty);
	assert_int_equal(s.all.private_clean + s.all.shared_clean,
			 kept.v[0].private_clean + kept.v[0].shared_clean);
	assert_int_equal(s.all.swap, kept.v[0].swap);
	assert_true(s.all.pss && s.all.pss < s.all.rss);

	/* counters of status are behind by up to a batch on each CPU, and gather kinds separately */
	assert_int_equal(status__read(pid, &m), 0);
	assert_in_range(m.rss_anon + 256 * PAGE, s.all.anonymous, s.all.anonymous + 512 * PAGE);
	assert_int_equal(m.vm_rss, m.rss_anon + m.rss_file + m.rss_shmem);
	assert_true(m.vm_hwm >= m.vm_rss && m.vm_peak >= m.vm_size);
	assert_int_equal(m.vm_size, s.all.size);
	assert_true(m.vm_lck <= a.pages * PAGE && m.vm_lck >= s.all.locked);
	assert_int_equal(m.threads, 1);
	assert_true(m.vm_pte && m.vm_exe && m.vm_stk && m.vm_data);
	still__end(pid);
	munmap(a.p, a.pages * PAGE);
}

/* The kernel's own rendering of difficult names. */
static void test_own_names(void **state)
{
	static const char *const names[] = { "plain",    "new\nline",
					     "a b",      "back\\slash",
					     "\n",       "Rss:  5 kB",
					     "\xff\x01", "0-1000 r--p 0 0:0 7 /b" };
	char dir[] = "/tmp/smaps-XXXXXX", path[128], want[160];

	assert_non_null(mkdtemp(dir));
	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
		bool keep_it = i % 2;
		struct sums s = {};
		void *p;
		int fd;

		snprintf(path, sizeof(path), "%s/%.64s%s", dir, names[i], "");
		for (char *c = path + sizeof(dir); *c; c++)
			*c = *c == '/' ? '|' : *c;
		fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
		assert_true(fd >= 0);
		assert_int_equal(ftruncate(fd, PAGE), 0);
		p = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, fd, 0);
		close(fd);
		if (!keep_it)
			unlink(path);
		snprintf(want, sizeof(want), "%s%s", path, keep_it ? "" : " (deleted)");
		s.addr = (unsigned long)p;
		assert_int_equal(smaps__read(getpid(), add, &s), 0);
		assert_string_equal(s.name, want);
		munmap(p, PAGE);
		unlink(path);
	}
	rmdir(dir);
}

static int kill_it(void *ctx, const struct smaps_vma *v)
{
	pid_t *pid = ctx;

	if (*pid)
		still__end(*pid);
	*pid = 0;
	return 0;
}

static void many_mappings(void *arg)
{
	char *p = mmap(NULL, 1000 * PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	for (size_t i = 0; i < 1000; i += 2)
		mprotect(p + i * PAGE, PAGE, PROT_NONE);
}

static void test_gone(void **state)
{
	struct status_mem m;
	pid_t pid;

	assert_int_equal(smaps__read(NO_PID, add, NULL), -ESRCH);
	assert_int_equal(status__read(NO_PID, &m), -ESRCH);
	pid = still__fork(many_mappings, NULL);
	assert_int_equal(smaps__read(pid, kill_it, &pid), -ESRCH);
	assert_int_equal(pid, 0);
	pid = fork();
	if (!pid)
		_exit(0);
	assert_int_equal(waitid(P_PID, pid, &(siginfo_t){}, WEXITED | WNOWAIT), 0);
	assert_int_equal(smaps__read(pid, add, &(struct sums){}), -ESRCH);
	assert_int_equal(status__read(pid, &m), 0);
	assert_int_equal(m.vm_size + m.vm_rss, 0);
	waitpid(pid, NULL, 0);
}

static bool read_is_refused(void)
{
	return smaps__read(1, add, &(struct sums){}) == -EACCES;
}

static void test_not_allowed(void **state)
{
	assert_true(holds_for_nobody(read_is_refused));
}

static void test_status(void **state)
{
	char text[] = "Name:\tThreads: 9\nVmPeak:\t    3060 kB\nVmRSS:\t 12 kB\nFuture: 1 kB\n"
		      "RssAnon: 4 kB\nRssFile: 5 kB\nRssShmem: 3 kB\nThreads:\t3\nVmSw";
	char nonsense[] = "Hello: 5\nWorld\n";
	FILE *f = fmemopen(text, strlen(text), "r");
	struct status_mem m;
	__u64 n = 0;

	assert_int_equal(status__parse(f, &m), 0);
	fclose(f);
	assert_int_equal(m.vm_peak, 3060 << 10);
	assert_int_equal(m.vm_rss, 12 << 10);
	assert_int_equal(m.rss_anon, 4 << 10);
	assert_int_equal(m.rss_file, 5 << 10);
	assert_int_equal(m.rss_shmem, 3 << 10);
	assert_int_equal(m.threads, 3);
	assert_int_equal(m.vm_swap, 0);
	f = fmemopen(nonsense, strlen(nonsense), "r");
	assert_int_equal(status__parse(f, &m), -ENODATA);
	fclose(f);
	assert_int_equal(status__max_map_count(&n), 0);
	assert_true(n > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_parse),      cmocka_unit_test(test_parse_cut),
		cmocka_unit_test(test_parse_long), cmocka_unit_test(test_stop),
		cmocka_unit_test(test_own_child),  cmocka_unit_test(test_own_names),
		cmocka_unit_test(test_gone),       cmocka_unit_test(test_not_allowed),
		cmocka_unit_test(test_status),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
