/* SPDX-License-Identifier: GPL-2.0-only */
/* Histograms over the slots of include/hist.h: a full one, and one for the many that stay small. */
#ifndef FS_BASE_HIST_H
#define FS_BASE_HIST_H

#include <stddef.h>
#include <linux/types.h>

/* In angle brackets: in quotes, a file of this directory would get this header again. */
#include <hist.h>

/* Rows of hist__log2() at most: one for zero and one for each power of two. */
#define HIST_LOG2_ROWS (FS_HIST_MAX_BITS + 1)

#define HIST_OCTAVES (FS_HIST_SLOTS / FS_HIST_SUB)

/* All zero is an empty one. Values of any unit. */
struct hist {
	__u64 count; /* values */
	__u64 sum;
	__u64 max;
	__u64 slots[FS_HIST_SLOTS];
};

/* Values in [from, to). */
struct hist_log2 {
	__u64 from, to;
	__u64 count;
};

/*
 * The same figures in about 350 bytes where the values are alike, as latencies of one kind of
 * fault are: a program may hold 10,000 of them. All zero is an empty one.
 */
struct hist_sparse {
	__u64 count;
	__u64 sum;
	__u64 max;
	__u32 (*octaves)[FS_HIST_SUB]; /* the `used` groups of 16 slots that are not empty */
	struct hist *dense;            /* instead, once there are more values than a __u32 counts */
	__u8 index[HIST_OCTAVES];      /* 1 + the place of group i in octaves[]; 0: it is empty */
	__u8 used;
};

/* Count one value. */
void hist__add(struct hist *h, __u64 value);

/* Count all that src has counted. */
void hist__add_slots(struct hist *dst, const struct hist *src);

/*
 * The value that the share q (0 to 1) of all values does not exceed, by nearest rank; interpolated
 * inside its slot, so at most 1/16 and mostly less than 1/32 off; never above max. 0 when empty.
 */
__u64 hist__quantile(const struct hist *h, double q);

/*
 * Write the counts by powers of two, from the first to the last that is not empty; at most n rows
 * (HIST_LOG2_ROWS always suffice). The last possible row also holds all values beyond it. Returns
 * the number of rows.
 */
size_t hist__log2(const struct hist *h, struct hist_log2 *out, size_t n);

/* Count one value. 0, or -ENOMEM with nothing counted. */
int hist_sparse__add(struct hist_sparse *h, __u64 value);

/*
 * Count what the kernel side counted: slots[FS_HIST_SLOTS] with the sum and the maximum of their
 * values. 0, or -ENOMEM with only a part of the slots counted.
 */
int hist_sparse__add_counts(struct hist_sparse *h, const __u32 *slots, __u64 sum, __u64 max);

/* Count all that src has counted. 0, or -ENOMEM with only a part of them counted. */
int hist_sparse__merge(struct hist_sparse *dst, const struct hist_sparse *src);

/* Add its values to a full one. */
void hist_sparse__expand(const struct hist_sparse *h, struct hist *out);

/* Release what it holds and make it empty. */
void hist_sparse__clear(struct hist_sparse *h);

#endif /* FS_BASE_HIST_H */
