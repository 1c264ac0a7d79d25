/* SPDX-License-Identifier: GPL-2.0-only */
/* Between flame.c and the formats. */
#ifndef FS_FLAME_IMPL_H
#define FS_FLAME_IMPL_H

#include "base/intern.h"
#include "output/flame.h"
#include "output/writer.h"

/* How a weight is called and what readers of other formats call its unit. */
struct flame_unit {
	const char *name;       /* "stall" */
	const char *title;      /* "Stall time of page faults" */
	const char *speedscope; /* unit of a profile */
	const char *pprof;      /* unit of a ValueType */
};

extern const struct flame_unit flame_units[PROFILE_WEIGHT_NR];

/* Writes a profile to w; errors are in w->err, and what it returns is another -errno or 0. */
typedef int flame_print_fn(struct writer *w, const struct profile *p,
			   const struct flame_opts *opts);

flame_print_fn flame_folded__print, flame_svg__print, flame_speedscope__print, flame_pprof__print;

/* ---- names ---- */

/* The last part of a path, without the kernel's " (deleted)". *n: its bytes. */
const char *flame_object__base(const char *object, size_t *n);

/* Bytes of an object's name without " (deleted)". */
size_t flame_object__len(const char *object);

/*
 * Append what a frame is called: its function's name, "[libfoo.so]" of its object where there is
 * none (or ""), or "[unknown]"; raw bytes.
 */
void flame_frame__name(struct writer *w, const struct profile_frame *frame);

/*
 * Append the name of a frame as folded stacks have it: without blanks and semicolons, and with what
 * flamegraph.pl colours by: main, copy_from_user_[k], inner_[i].
 */
void flame_folded__name(struct writer *w, const struct profile_frame *frame);

/* ---- tree ---- */

#define FLAME_NONE ((__u32)-1)

/* What a node may be beside the kinds of frames: the root of all, and a thread's name. */
enum { FLAME_ALL = PROFILE_FRAME_KIND_NR, FLAME_COMM };

struct flame_node {
	__u32 name;  /* number of the string in the tree's names */
	__u32 frame; /* the first of the frames that it is; roots, threads: FLAME_NONE */
	__u32 parent, child, next; /* FLAME_NONE: none; children by the bytes of their names */
	__u8 kind;                 /* enum profile_frame_kind, FLAME_ALL or FLAME_COMM */
	bool inlined;
	__u64 total; /* of the weight asked for, with all that is below it; at most 2^64 - 1 */
	__u64 self[PROFILE_WEIGHT_NR];
};

/*
 * Stacks of equal names laid upon each other: node 0 is all, below it are the names of threads (where
 * the cells tell them), then frames from the root on. Parents have smaller numbers than children.
 */
struct flame_tree {
	struct strings names;
	struct flame_node *node;
	size_t n, room;
};

/*
 * Append the name under which a frame goes; frames of equal names, kinds and inlining are one. A
 * thread's name comes as the name of a frame of kind FLAME_COMM. There may be NUL in what it
 * appends.
 */
typedef void flame_name_fn(struct writer *w, const struct profile_frame *frame);

/*
 * Build the tree of all cells of p. `weight` is what totals are of. 0 or -ENOMEM; in either case the
 * caller calls flame_tree__clear().
 */
int flame_tree__build(struct flame_tree *t, const struct profile *p, flame_name_fn *name,
		      enum profile_weight weight);
void flame_tree__clear(struct flame_tree *t);

#endif /* FS_FLAME_IMPL_H */
