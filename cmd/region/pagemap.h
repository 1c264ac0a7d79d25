/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a living process has resident, page by page.
 *
 * Sources: Documentation/admin-guide/mm/pagemap.rst, linux/kernel-page-flags.h. Numbers of frames
 * and what depends on them need CAP_SYS_ADMIN, the flags of frames also need /proc/kpageflags to
 * be readable.
 */
#ifndef FS_REGION_PAGEMAP_H
#define FS_REGION_PAGEMAP_H

#include <stdbool.h>
#include <linux/kernel-page-flags.h>
#include <linux/types.h>

/*
 * A page is swapped or present. A present one is one of FILE, ANON and ZERO, or none of them: a frame
 * that the kernel maps without counting it, which mappings with mm in VmFlags may have. Those of
 * devices, with pf, are not told of at all.
 */
enum {
	PAGE_PRESENT = 1 << 0,
	PAGE_SWAPPED = 1 << 1,    /* or on its way between frames */
	PAGE_FILE = 1 << 2,       /* of a file, or of shared memory */
	PAGE_ANON = 1 << 3,       /* private: also where it is a copy of a file's page */
	PAGE_ZERO = 1 << 4,       /* the zero page or the huge zero page: read and never written */
	PAGE_EXCLUSIVE = 1 << 5,  /* mapped here only */
	PAGE_SOFT_DIRTY = 1 << 6, /* written since clear_refs; where the kernel is built to tell */
	PAGE_UFFD_WP = 1 << 7,    /* write-protected by userfaultfd */
	/*
	 * Mapped by one entry of a higher level: a transparent huge page, whole, or hugetlb. Before
	 * Linux 6.7: of such a page, in whatever way mapped, and told with PAGEMAP_FRAMES only.
	 */
	PAGE_HUGE = 1 << 8,
};

/* Flags of frames that tell what a frame is; the others, such as KPF_REFERENCED, are of a moment. */
#define PAGE_FRAME_FLAGS                                                                   \
	(1ULL << KPF_DIRTY | 1ULL << KPF_MMAP | 1ULL << KPF_ANON | 1ULL << KPF_SWAPCACHE | \
	 1ULL << KPF_SWAPBACKED | 1ULL << KPF_HUGE | 1ULL << KPF_UNEVICTABLE |             \
	 1ULL << KPF_HWPOISON | 1ULL << KPF_NOPAGE | 1ULL << KPF_KSM | 1ULL << KPF_THP |   \
	 1ULL << KPF_ZERO_PAGE)

struct page_facts {
	__u32 flags;       /* PAGE_* */
	bool one_frame;    /* all pages are of frame pfn: the zero page, or one of KSM */
	__u64 pfn;         /* present: the first page's frame; 0: not told, or not asked for */
	__u64 frame_flags; /* those of PAGE_FRAME_FLAGS; 0 without pfn */
	__u64 frame_count; /* how many times the frame is mapped; 0 without pfn */
};

/* For pagemap__open() */
enum {
	PAGEMAP_FRAMES = 1 << 0, /* tell of frames too: slower, and most runs are of one page */
	PAGEMAP_PLAIN = 1 << 1,  /* do as before Linux 6.7, without the PAGEMAP_SCAN ioctl */
};

struct pagemap;

/*
 * Handles to the pages of the memory that a process has now: after its execve(2) or exit they
 * tell nothing any more. Free with pagemap__close(). NULL: errno says why, ESRCH, EACCES, ENOMEM, …
 */
struct pagemap *pagemap__open(__u32 pid, unsigned int flags);
void pagemap__close(struct pagemap *pm);

/* Are numbers and flags of frames to be had? Without them PAGE_ZERO is told from Linux 6.7 on only. */
bool pagemap__sees_frames(const struct pagemap *pm);

/*
 * Call fn for each run of pages with the same facts in [start, end), by rising address, until it
 * returns not 0. Absent pages are in no run, nor are markers of the kernel, such as guard pages
 * (which without pagemap__sees_frames() look swapped before Linux 6.15). With PAGEMAP_FRAMES the
 * frames of a run follow each other, or it has one_frame. start and end are multiples of the page
 * size; the range may have holes, and before Linux 6.7 absent pages cost time too: a process that
 * has reserved 1 TiB takes a second. Returns what the last call returned; -EINVAL; -ESRCH where
 * the memory is gone, or went meanwhile: fn has had some runs then; or -errno.
 */
int pagemap__walk(struct pagemap *pm, __u64 start, __u64 end,
		  int (*fn)(void *ctx, __u64 start, __u64 end, const struct page_facts *facts),
		  void *ctx);

/* In pages */
struct pagemap_anon {
	__u64 present; /* PAGE_ANON, hugetlb too */
	__u64 swapped;
	__u64 zero; /* PAGE_ZERO */
};

/*
 * Count the anonymous pages of a range: present ones are Anonymous and swapped ones Swap of smaps,
 * but for hugetlb and shared memory, which smaps counts otherwise. Without pagemap__sees_frames(),
 * frames that are not counted elsewhere are anonymous, and before Linux 6.7 the zero page too.
 * Returns as pagemap__walk() does.
 */
int pagemap__anon(struct pagemap *pm, __u64 start, __u64 end, struct pagemap_anon *out);

/*
 * Call fn for each run of guard pages (MADV_GUARD_INSTALL) in [start, end), until it returns not 0.
 * Kernels that cannot tell, before Linux 6.16, have none. Returns what the last call returned, or
 * -errno.
 */
int pagemap__guards(struct pagemap *pm, __u64 start, __u64 end,
		    int (*fn)(void *ctx, __u64 start, __u64 end), void *ctx);

#endif /* FS_REGION_PAGEMAP_H */
