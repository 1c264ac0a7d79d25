/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "base/file.h"
#include "base/memory.h"
#include "base/proc.h"
#include "region/pagemap.h"

/* An entry of /proc/PID/pagemap, Documentation/admin-guide/mm/pagemap.rst */
#define ENTRY_FRAME      ((1ULL << 55) - 1) /* present: the frame, swapped: type and offset */
#define ENTRY_SOFT_DIRTY (1ULL << 55)
#define ENTRY_EXCLUSIVE  (1ULL << 56)
#define ENTRY_UFFD_WP    (1ULL << 57)
#define ENTRY_GUARD      (1ULL << 58) /* Linux 6.15 */
#define ENTRY_FILE       (1ULL << 61)
#define ENTRY_SWAPPED    (1ULL << 62)
#define ENTRY_PRESENT    (1ULL << 63)
#define ENTRY_THERE      (ENTRY_PRESENT | ENTRY_SWAPPED)

/*
 * The highest type of a swap entry is that of markers, which stand for no page: SWP_PTE_MARKER of
 * include/linux/swapops.h. It is shown to those who may see frames.
 */
#define SWAP_TYPE        31
#define SWAP_TYPE_MARKER 31

/* linux/fs.h of Linux 6.7, under names of our own: headers of today have them or not */
struct scan_region {
	__u64 start, end;
	__u64 categories;
};

struct scan_arg {
	__u64 size, flags;
	__u64 start, end, walk_end;
	__u64 vec, vec_len, max_pages;
	__u64 category_inverted, category_mask, category_anyof_mask, return_mask;
};

#define SCAN         _IOWR('f', 16, struct scan_arg)
#define SCAN_PRESENT (1 << 3)
#define SCAN_SWAPPED (1 << 4)
#define SCAN_PFNZERO (1 << 5)
#define SCAN_HUGE    (1 << 6)
#define SCAN_GUARD   (1 << 8) /* Linux 6.16 */

#define BLOCK   65536 /* entries that are read at once */
#define GROUP   512   /* those whose frames are looked up at once, a huge page */
#define REGIONS 512   /* regions of one ioctl */
#define GAP     64    /* absent pages that cost less to read than another call */

struct pagemap {
	int fd, flags_fd, count_fd; /* the latter may be -1 */
	__u64 page;                 /* size */
	bool frames, scan;
	__u64 entries[BLOCK];
	__u64 flags[GROUP], counts[GROUP];
	struct scan_region regions[REGIONS];
};

struct walk {
	struct pagemap *pm;
	bool frames;
	int (*fn)(void *ctx, __u64 start, __u64 end, const struct page_facts *facts);
	void *ctx;
	__u64 start, end; /* the run that fn has not had yet, end 0: none */
	struct page_facts facts;
};

/* Pages whose entries differ by frames only, which are consecutive ones or all the same one */
struct group {
	__u64 addr;
	__u64 entry; /* of the first page */
	__u64 pages;
	bool consecutive;
	__u64 categories; /* SCAN_*, 0: not known */
};

/* Is there the ioctl? Page 0 is as good as another. */
static bool can_scan(struct pagemap *pm)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		.end = pm->page,
		.vec = (unsigned long)pm->regions,
		.vec_len = 1,
		.category_anyof_mask = SCAN_PRESENT,
		.return_mask = SCAN_PRESENT,
	};

	return ioctl(pm->fd, SCAN, &arg) >= 0;
}

struct pagemap *pagemap__open(__u32 pid, unsigned int flags)
{
	int fd = proc__open(pid, "pagemap");
	struct pagemap *pm;

	if (fd < 0) {
		errno = -fd;
		return NULL;
	}
	pm = malloc(sizeof(*pm));
	if (!pm) {
		close(fd);
		errno = ENOMEM;
		return NULL;
	}
	pm->fd = fd;
	pm->page = page_round(1);
	pm->frames = flags & PAGEMAP_FRAMES;
	pm->scan = !(flags & PAGEMAP_PLAIN) && can_scan(pm);
	pm->flags_fd = open("/proc/kpageflags", O_RDONLY | O_CLOEXEC);
	pm->count_fd = pm->frames ? open("/proc/kpagecount", O_RDONLY | O_CLOEXEC) : -1;
	return pm;
}

void pagemap__close(struct pagemap *pm)
{
	if (!pm)
		return;
	close(pm->fd);
	if (pm->flags_fd >= 0)
		close(pm->flags_fd);
	if (pm->count_fd >= 0)
		close(pm->count_fd);
	free(pm);
}

/* A page of our own that is there has a frame, which is 0 for those who may not know it. */
bool pagemap__sees_frames(const struct pagemap *pm)
{
	__u64 entry = 0;
	int fd;

	if (pm->flags_fd < 0)
		return false;
	fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	read_at(fd, &entry, sizeof(entry), (unsigned long)&entry / pm->page * sizeof(entry));
	close(fd);
	return entry & ENTRY_FRAME;
}

/* ---- runs ------------------------------------------------------------------------------------- */

static int end_run(struct walk *w)
{
	__u64 end = w->end;

	w->end = 0;
	return end ? w->fn(w->ctx, w->start, end, &w->facts) : 0;
}

/* Does the run go on with a page at its end? The second one decides whether it is of one frame. */
static bool goes_on(struct walk *w, __u64 addr, const struct page_facts *f)
{
	__u64 pages = (w->end - w->start) / w->pm->page;
	struct page_facts *run = &w->facts;

	if (addr != w->end || f->flags != run->flags || f->frame_flags != run->frame_flags ||
	    f->frame_count != run->frame_count)
		return false;
	if (pages == 1)
		run->one_frame = f->pfn && f->pfn == run->pfn;
	return f->pfn == (run->pfn && !run->one_frame ? run->pfn + pages : run->pfn);
}

/* Without numbers of frames: any number of pages. */
static int add_pages(struct walk *w, __u64 addr, __u64 pages, const struct page_facts *f)
{
	int err = 0;

	if (!goes_on(w, addr, f)) {
		err = end_run(w);
		w->start = addr;
		w->facts = *f;
	}
	w->end = addr + pages * w->pm->page;
	return err;
}

/* ---- frames ----------------------------------------------------------------------------------- */

/* What there is of n words about consecutive frames; those beyond the end of memory get a value. */
static void read_words(int fd, __u64 *words, __u64 pfn, __u64 n, __u64 otherwise)
{
	ssize_t got = n && fd >= 0 ? read_at(fd, words, n * sizeof(*words), pfn * sizeof(*words)) :
				     0;

	for (__u64 i = got < 0 ? 0 : got / sizeof(*words); i < n; i++)
		words[i] = otherwise;
}

/*
 * The huge zero page looks like a file's page of many. It is aligned, so most others need not be
 * looked up; and where one page of consecutive ones belongs to it all do.
 */
static bool may_be_huge_zero(const struct walk *w, const struct group *g)
{
	return g->entry & ENTRY_FILE && !(g->entry & ENTRY_EXCLUSIVE) && g->consecutive &&
	       !((g->addr / w->pm->page - (g->entry & ENTRY_FRAME)) % GROUP);
}

/* What is neither a file's nor exclusive may be anonymous, the zero page, or no page that counts. */
static bool is_unclear(const struct group *g)
{
	return !(g->entry & (ENTRY_FILE | ENTRY_EXCLUSIVE));
}

/* frame_flags: NULL where they are not known */
static __u32 kind_of(const struct group *g, const __u64 *frame_flags)
{
	if (g->entry & ENTRY_EXCLUSIVE)
		return g->entry & ENTRY_FILE ? PAGE_FILE : PAGE_ANON;
	if (g->categories & SCAN_PFNZERO || (frame_flags && *frame_flags & 1ULL << KPF_ZERO_PAGE))
		return PAGE_ZERO;
	if (g->entry & ENTRY_FILE)
		return PAGE_FILE;
	return !frame_flags || *frame_flags & 1ULL << KPF_ANON ? PAGE_ANON : 0;
}

static __u32 flags_of(const struct group *g)
{
	__u32 flags = g->entry & ENTRY_PRESENT ? PAGE_PRESENT : PAGE_SWAPPED;

	flags |= !(g->entry & ENTRY_PRESENT) && g->entry & ENTRY_FILE ? PAGE_FILE : 0;
	flags |= g->entry & ENTRY_EXCLUSIVE ? PAGE_EXCLUSIVE : 0;
	flags |= g->entry & ENTRY_SOFT_DIRTY ? PAGE_SOFT_DIRTY : 0;
	flags |= g->entry & ENTRY_UFFD_WP ? PAGE_UFFD_WP : 0;
	flags |= g->categories & SCAN_HUGE ? PAGE_HUGE : 0;
	return flags;
}

/* How many of a group's frames are to be looked up. */
static __u64 to_look_up(const struct walk *w, const struct group *g)
{
	if (!(g->entry & ENTRY_FRAME) || w->pm->flags_fd < 0)
		return 0;
	if (w->frames || is_unclear(g))
		return g->consecutive ? g->pages : 1;
	return may_be_huge_zero(w, g);
}

static int add_present(struct walk *w, const struct group *g)
{
	__u64 pfn = g->entry & ENTRY_FRAME, n = to_look_up(w, g);
	__u64 huge = 1ULL << KPF_HUGE | 1ULL << KPF_THP;
	struct page_facts f = { .flags = flags_of(g) };
	struct pagemap *pm = w->pm;
	__u64 step = n > 1 || (n && w->frames) ? 1 : g->pages;
	int err = 0;

	read_words(pm->flags_fd, pm->flags, pfn, n, 1ULL << KPF_NOPAGE);
	if (w->frames)
		read_words(pm->count_fd, pm->counts, pfn, n, 0);
	for (__u64 i = 0; i < g->pages && !err; i += step) {
		const __u64 *flags = n ? &pm->flags[n == 1 ? 0 : i] : NULL;

		f.flags = flags_of(g) | kind_of(g, flags);
		if (flags && w->frames) {
			f.flags |= !pm->scan && *flags & huge ? PAGE_HUGE : 0;
			f.pfn = g->consecutive ? pfn + i : pfn;
			f.frame_flags = *flags & PAGE_FRAME_FLAGS;
			f.frame_count = pm->counts[n == 1 ? 0 : i];
		}
		err = add_pages(w, g->addr + i * pm->page, step, &f);
	}
	return err;
}

static int add_swapped(struct walk *w, const struct group *g)
{
	struct page_facts f = { .flags = flags_of(g) };
	bool marker = g->entry & ENTRY_GUARD || (g->entry & SWAP_TYPE) == SWAP_TYPE_MARKER;

	return marker ? 0 : add_pages(w, g->addr, g->pages, &f);
}

/* Take the group that n > 0 entries begin with: g has address and categories. */
static void take_group(struct group *g, const __u64 *entries, __u64 n)
{
	g->entry = entries[0];
	g->pages = 1;
	g->consecutive = n > 1 && entries[1] == entries[0] + 1;
	if (!(g->entry & ENTRY_PRESENT))
		return;
	while (g->pages < n && g->pages < GROUP &&
	       entries[g->pages] == g->entry + (g->consecutive ? g->pages : 0))
		g->pages++;
}

static int walk_entries(struct walk *w, __u64 addr, const __u64 *entries, __u64 n, __u64 categories)
{
	struct group g;
	int err = 0;

	for (__u64 i = 0; i < n && !err; i += g.pages) {
		g.pages = 1;
		if (!(entries[i] & ENTRY_THERE))
			continue;
		g.addr = addr + i * w->pm->page;
		g.categories = categories;
		take_group(&g, entries + i, n - i);
		err = g.entry & ENTRY_PRESENT ? add_present(w, &g) : add_swapped(w, &g);
	}
	return err;
}

/* ---- entries ---------------------------------------------------------------------------------- */

/* Read the entries of up to BLOCK pages. 0, -ESRCH where there is no memory any more, or -errno. */
static int read_entries(struct pagemap *pm, __u64 start, __u64 n)
{
	ssize_t got =
		read_at(pm->fd, pm->entries, n * sizeof(__u64), start / pm->page * sizeof(__u64));

	if (got < 0)
		return got;
	return (__u64)got < n * sizeof(__u64) ? -ESRCH : 0;
}

static int walk_plain(struct walk *w, __u64 start, __u64 end, __u64 categories)
{
	struct pagemap *pm = w->pm;
	int err = 0;

	while (start < end && !err) {
		__u64 n = (end - start) / pm->page;

		n = n < BLOCK ? n : BLOCK;
		err = read_entries(pm, start, n);
		if (!err)
			err = walk_entries(w, start, pm->entries, n, categories);
		start += n * pm->page;
	}
	return err;
}

/* Regions that are close to each other are read at once. n > 0. */
static int walk_regions(struct walk *w, const struct scan_region *r, int n)
{
	struct pagemap *pm = w->pm;
	__u64 at;
	int err = 0;

	for (int i = 0, next; i < n && !err; i = next) {
		for (next = i + 1; next < n; next++)
			if (r[next].start - r[next - 1].end > GAP * pm->page ||
			    r[next].end - r[i].start > BLOCK * pm->page)
				break;
		if (next == i + 1) {
			err = walk_plain(w, r[i].start, r[i].end, r[i].categories);
			continue;
		}
		err = read_entries(pm, r[i].start, (r[next - 1].end - r[i].start) / pm->page);
		for (int k = i; k < next && !err; k++) {
			at = (r[k].start - r[i].start) / pm->page;
			err = walk_entries(w, r[k].start, pm->entries + at,
					   (r[k].end - r[k].start) / pm->page, r[k].categories);
		}
	}
	return err;
}

static int walk_scan(struct walk *w, __u64 start, __u64 end)
{
	struct pagemap *pm = w->pm;
	struct scan_arg arg = {
		.size = sizeof(arg),
		.end = end,
		.vec = (unsigned long)pm->regions,
		.vec_len = REGIONS,
		.category_anyof_mask = SCAN_PRESENT | SCAN_SWAPPED,
		.return_mask = SCAN_PRESENT | SCAN_SWAPPED | SCAN_PFNZERO | SCAN_HUGE,
	};
	int err = 0, n;

	for (; start < end && !err; start = arg.walk_end) {
		arg.start = start;
		n = ioctl(pm->fd, SCAN, &arg);
		if (n < 0)
			return -errno;
		err = walk_regions(w, pm->regions, n);
		if (arg.walk_end <= start)
			break;
	}
	return err;
}

static int walk(struct walk *w, __u64 start, __u64 end)
{
	struct pagemap *pm = w->pm;
	int err;

	if (start % pm->page || end % pm->page || start > end)
		return -EINVAL;
	/* The gate page of x86-64, [vsyscall], is in maps and in no page table of the process. */
	if (start == end || start >> 63)
		return 0;
	err = pm->scan ? walk_scan(w, start, end) : walk_plain(w, start, end, 0);
	if (!err)
		err = end_run(w);
	/* Memory that is gone has no pages present, for all that the ioctl tells. */
	return err ? err : read_entries(pm, start, 1);
}

int pagemap__walk(struct pagemap *pm, __u64 start, __u64 end,
		  int (*fn)(void *ctx, __u64 start, __u64 end, const struct page_facts *facts),
		  void *ctx)
{
	struct walk w = { .pm = pm, .frames = pm->frames, .fn = fn, .ctx = ctx };

	return walk(&w, start, end);
}

struct count {
	struct pagemap_anon *out;
	__u64 page;
};

static int count_run(void *ctx, __u64 start, __u64 end, const struct page_facts *facts)
{
	struct count *c = ctx;
	__u64 pages = (end - start) / c->page;

	if (facts->flags & PAGE_ANON)
		c->out->present += pages;
	else if (facts->flags & PAGE_SWAPPED && !(facts->flags & PAGE_FILE))
		c->out->swapped += pages;
	else if (facts->flags & PAGE_ZERO)
		c->out->zero += pages;
	return 0;
}

int pagemap__anon(struct pagemap *pm, __u64 start, __u64 end, struct pagemap_anon *out)
{
	struct count count = { .out = out, .page = pm->page };
	struct walk w = { .pm = pm, .fn = count_run, .ctx = &count };

	*out = (struct pagemap_anon){};
	return walk(&w, start, end);
}

int pagemap__guards(struct pagemap *pm, __u64 start, __u64 end,
		    int (*fn)(void *ctx, __u64 start, __u64 end), void *ctx)
{
	struct scan_arg arg = {
		.size = sizeof(arg),
		.end = end,
		.vec = (unsigned long)pm->regions,
		.vec_len = REGIONS,
		.category_mask = SCAN_GUARD,
		.return_mask = SCAN_GUARD,
	};
	int err = 0, n;

	for (; pm->scan && start < end && !err; start = arg.walk_end) {
		arg.start = start;
		n = ioctl(pm->fd, SCAN, &arg);
		if (n < 0)
			return errno == EINVAL ? 0 : -errno;
		for (int i = 0; i < n && !err; i++)
			err = fn(ctx, pm->regions[i].start, pm->regions[i].end);
		if (arg.walk_end <= start)
			break;
	}
	return err;
}
