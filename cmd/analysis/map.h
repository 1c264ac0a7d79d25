/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The memory map of a process: its mappings cut into parts that have one name each, with what the
 * kernel says is resident in them, and the gaps between. What smaps sums up of a mapping is spread
 * over its parts such that they add up to it again.
 */
#ifndef FS_MAP_H
#define FS_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "analysis/map_touch.h"
#include "region/layout.h"
#include "region/pagemap.h"
#include "region/smaps.h"

enum map_kind {
	MAP_REGION,
	MAP_GUARD,    /* without access, below a stack; or guard pages of madvise */
	MAP_RESERVED, /* without access, else */
	MAP_GAP,      /* nothing is mapped */
	MAP_KERNEL,   /* addresses that no process has, below what the kernel shows above them */
	MAP_KIND_NR
};

/* Of an address space, as it is drawn. */
enum map_section { MAP_ABOVE, MAP_STACK, MAP_MAPPINGS, MAP_HEAP, MAP_PROGRAM, MAP_SECTION_NR };

/* In bytes, as smaps counts them. */
enum map_figure {
	MAP_RSS,
	MAP_PSS,
	MAP_SHARED, /* of rss: mapped more than once */
	MAP_DIRTY,  /* of rss */
	MAP_ANON,   /* of rss */
	MAP_HUGE,   /* of rss: transparent huge pages that are mapped whole */
	MAP_SWAP,
	MAP_LOCKED,
	MAP_HUGETLB, /* not of rss */
	MAP_FIGURE_NR
};

#define MAP_HEAT 56 /* cells at most: a line of text has room for them */
#define MAP_RUNS 256

/* Frames that follow each other and are alike. */
struct map_run {
	__u64 start, pages;
	__u64 pfn; /* of the first page, or of all */
	__u64 count, flags;
	bool one_frame;
};

struct map_frames {
	__u64 frames;               /* present pages */
	__u64 count_min, count_max; /* how many times one is mapped */
	__u64 flags[64];            /* frames by bit of PAGE_FRAME_FLAGS */
	size_t nruns;
	__u64 left_out; /* runs beyond MAP_RUNS */
	struct map_run runs[MAP_RUNS];
};

struct map_part {
	__u64 start, end;
	__u64 offset; /* in the file, of start */
	char *owner;  /* raw bytes; NULL: a gap */
	char *path;   /* NULL: no file */
	enum map_kind kind;
	enum map_section section;
	enum fs_region region;
	enum fs_region also; /* begins in the last page, too: bss behind data; NONE: nothing does */
	char perms[5];
	bool known; /* figures */
	__u64 figures[MAP_FIGURE_NR];
	__u64 here, ever; /* bytes touched while tracing: still there, and ever */
	float *heat;      /* nheat shares of the part; NULL: none */
	size_t nheat;
	struct map_frames *frames; /* NULL: none */
	bool has_origin;
	struct origin origin; /* a copy: pointers in it are not to be followed */
	struct touched touched;
};

/* Where the map comes from; ctx is given to all. */
struct map_source {
	void *ctx;
	/* As space__place_at(). */
	void (*place)(void *ctx, __u64 addr, struct place *out, __u64 *start, __u64 *end);
	/* As pagemap__walk(), without frames and with them; NULL: it cannot be told. */
	int (*pages)(void *ctx, bool frames, __u64 start, __u64 end,
		     int (*fn)(void *fn_ctx, __u64 start, __u64 end,
			       const struct page_facts *facts),
		     void *fn_ctx);
	/* Pages that were touched while tracing; NULL: nothing is traced. */
	__u64 (*touched)(void *ctx, bool ever, __u64 start, __u64 end);
	const char *program; /* path of its file as maps has it; NULL: not known */
	bool heat;           /* by pages, and by what was touched where those are not known */
	bool frames;
};

struct map {
	struct map_part
		*parts; /* from the bottom, without gaps; once finished from the top, with */
	size_t n, room;
	size_t vmas; /* that count for vm.max_map_count */
	struct map_source source;
	struct {
		__u64 start, end;
	} * guards;
	size_t nguards, guards_room;
	__u64 program_end; /* 0: not met yet */
	bool program_over;
};

/* An empty one. NULL: no memory. */
struct map *map__new(const struct map_source *source);
void map__free(struct map *m); /* NULL is fine */

/* Guard pages, by rising address, before the mappings. 0 or -ENOMEM. */
int map__add_guard(struct map *m, __u64 start, __u64 end);

/* A mapping, by rising address; `figures`: of it are told. 0, -ENOMEM or what `pages` gave. */
int map__add(struct map *m, const struct smaps_vma *v, bool figures);

/* Put the gaps in, and turn it over. 0 or -ENOMEM. */
int map__finish(struct map *m);

/* The part of a finished map that begins at an address and is none of the gaps, or NULL. */
struct map_part *map__part(const struct map *m, __u64 start);

/* Take the figures of parts that have none from an older map, where a part is the same there. */
void map__take_figures(struct map *m, const struct map *older);

/* Sum of a figure over all parts. */
__u64 map__total(const struct map *m, enum map_figure figure);

const char *map_kind__name(enum map_kind kind);
const char *map_section__name(enum map_section section);

/* ---- map_pages.c ---- */

/* Spread the figures of a mapping over its n parts, by the pages they have. 0 or -errno. */
int map_pages__split(const struct map_source *src, const struct smaps_vma *v,
		     struct map_part *parts, size_t n);

/* Heat and frames of a part, as far as they are wanted. 0 or -errno. */
int map_pages__fill(const struct map_source *src, struct map_part *part);

#endif /* FS_MAP_H */
