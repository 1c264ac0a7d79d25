/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults by the stack that made them, with what tells them apart. Stacks are numbers here: names are
 * given once, when all is counted.
 */
#ifndef FS_ANALYSIS_FLAME_H
#define FS_ANALYSIS_FLAME_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "analysis/profile.h"
#include "event.h"
#include "region/space.h"

#define FLAME_NO_STACK (~0U) /* it was lost */

/* Bits of a filter: what may be counted. Of each of the three kinds one bit at least must fit. */
#define FLAME_ONLY_MINOR          (1ULL << 0)
#define FLAME_ONLY_MAJOR          (1ULL << 1)
#define FLAME_ONLY_FAILED         (1ULL << 2)
#define FLAME_ONLY_RESULTS        (7ULL)
#define FLAME_ONLY_CLASS(class)   (1ULL << (8 + (class)))
#define FLAME_ONLY_CLASSES        (FLAME_ONLY_CLASS(FS_CLASS_NR) - FLAME_ONLY_CLASS(0))
#define FLAME_ONLY_REGION(region) (1ULL << (32 + (region)))
#define FLAME_ONLY_REGIONS        (FLAME_ONLY_REGION(FS_REGION_NR) - FLAME_ONLY_REGION(0))

/* What was asked for, with all of each kind of which nothing was. */
__u64 flame_only(__u64 asked);

struct flame_cell {
	__u32 stack;  /* number, FLAME_NO_STACK: lost */
	__u32 mapper; /* id of the stack that created the mapping, 0: not known, or not asked for */
	__u32 pid;
	__u8 region;             /* enum fs_region */
	__u8 class;              /* enum fs_class */
	__u8 access;             /* enum fs_access */
	__u8 flags;              /* FS_FAULT_MAJOR, FS_FAULT_FAILED */
	const struct file *file; /* of place */
	const char *anon_name;
	const char *variable; /* that was touched, NULL: not known, or not asked for */
	char comm[FS_COMM_LEN];
	struct profile_weights weights;
};

struct flame_tally;

/* page_size in bytes. NULL: out of memory. */
struct flame_tally *flame_tally__new(__u64 only, __u32 page_size);
void flame_tally__free(struct flame_tally *t);

/* Does the filter let a fault through? */
bool flame_tally__wants(const struct flame_tally *t, const struct fs_fault *f,
			const struct place *pl);

/* What a fault does not tell itself: as in struct flame_cell. */
struct flame_labels {
	const char *comm;     /* copied */
	const char *variable; /* equal ones are the same pointer; it lives as long as the tally */
	__u32 stack, mapper;
};

/* The cell in which a fault is counted, without weights. */
void flame_cell__of(const struct fs_fault *f, const struct place *pl,
		    const struct flame_labels *labels, struct flame_cell *out);

/* Count a fault that is wanted. 0 or -ENOMEM. */
int flame_tally__add(struct flame_tally *t, const struct fs_fault *f, const struct place *pl,
		     const struct flame_labels *labels);

/* The weights of one fault. */
void flame_weights(const struct fs_fault *f, __u32 page_size, struct profile_weights *out);

size_t flame_tally__ncells(const struct flame_tally *t);
const struct flame_cell *flame_tally__cell(const struct flame_tally *t, size_t i);

#endif /* FS_ANALYSIS_FLAME_H */
