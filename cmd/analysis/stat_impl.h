/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of the stat analysis share; nobody else includes this. */
#ifndef FS_STAT_IMPL_H
#define FS_STAT_IMPL_H

/* Without memory an element is not added, which shows in its hh.tbl; exit() is not ours to call. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "analysis/stat.h"

/* Parts of a fault that decide its cell: those that no key of the run needs are left 0. */
struct stat_in {
	const struct process *proc;
	const struct file *file;
	__u64 cgroup_id;
	__u32 mapping_id;
	__u32 tid;
	__u32 stack;
	__u8 region;
	__u8 class; /* FS_CLASS_NR: pages populated without a fault */
};

enum stat_need {
	NEED_PROC = 1 << 0,
	NEED_FILE = 1 << 1,
	NEED_CGROUP = 1 << 2,
	NEED_MAPPING = 1 << 3,
	NEED_TID = 1 << 4,
	NEED_REGION = 1 << 5,
	NEED_CLASS = 1 << 6,
	NEED_STACK = 1 << 7,
};

/* What one combination of all keys has counted. */
struct stat_cell {
	__u64 id[STAT_KEY_NR]; /* 0 for keys that the run does not use */
	struct stat_counts n;
	struct hist_sparse latency;
	UT_hash_handle hh;
};

#define STAT_CACHE_BITS 12

struct stat_cached {
	struct stat_in in;
	struct stat_cell *cell; /* NULL: empty */
};

struct stat_thread;
struct stat_owner;
struct stat_edge;
struct stat_cgroup;
struct stat_mapping;

/* Pages of a process that were populated without a fault: now, and when the interval began. */
struct stat_usage {
	const struct process *proc;
	__u64 now, before;
	UT_hash_handle hh;
};

struct stat_tally {
	unsigned int needs; /* enum stat_need: of all keys of the run */
	bool used[STAT_KEY_NR];
	struct stat_names names;
	struct stat_cell *cells;
	__u64 fixup;
	__u64 dropped;
	struct stat_call calls[FS_CALL_NR];
	struct hist *sizes[FS_CALL_NR]; /* of sized calls that were made */
	struct stat_usage *usages;
	/* what ids stand for, by stat_keys.c */
	struct stat_thread *threads;
	struct stat_owner *owners;
	struct stat_edge *edges;
	struct stat_mapping *mappings;
	struct stat_cgroup *cgroups;
	struct stat_cached cache[1 << STAT_CACHE_BITS];
};

/* The parts that a key's id is made from: enum stat_need bits. */
unsigned int stat_key__needs(enum stat_key_id key);

/*
 * Id of a key's value, the same for the same value. pl: as in stat__fault(). 0, or -ENOMEM.
 */
int stat_key__id(struct stat_tally *st, enum stat_key_id key, const struct stat_in *in,
		 const struct place *pl, __u64 *id);

/*
 * Put ids in the place of those that are shown alike: what rows go by. id is of a cell; keys that are
 * not in `by` stay. 0 or -ENOMEM.
 */
int stat_key__show(const struct stat_tally *st, const struct stat_by *by, __u64 id[STAT_KEY_NR]);

/* Order of two ids of a key: as strcmp(). Independent of where things lie in memory. */
int stat_key__compare(enum stat_key_id key, __u64 a, __u64 b);

/* Release everything that ids stand for. */
void stat_keys__clear(struct stat_tally *st);

#endif /* FS_STAT_IMPL_H */
