/* SPDX-License-Identifier: GPL-2.0-only */
/* Profiles for programs that draw and examine stacks. */
#ifndef FS_FLAME_H
#define FS_FLAME_H

#include <stdbool.h>
#include <stdio.h>
#include <linux/types.h>

#include "analysis/profile.h"

enum flame_format {
	FLAME_FOLDED,      /* flamegraph.pl, speedscope, Perfetto: a line for each stack */
	FLAME_PERF_SCRIPT, /* what reads `perf script`: a sample for each fault */
	FLAME_SVG,         /* a flame graph for a browser */
	FLAME_SPEEDSCOPE,  /* speedscope's JSON */
	FLAME_PPROF,       /* go tool pprof: gzip'd protobuf */
	FLAME_FORMAT_NR
};

/* "folded"; NULL for a number that is none. */
const char *flame_format__name(enum flame_format format);
/* One line about it, for help. */
const char *flame_format__desc(enum flame_format format);
/* The format of that name, or -1. */
int flame_format__parse(const char *name);

/* "faults", "bytes", "stall"; NULL for a number that is none. */
const char *flame_weight__name(enum profile_weight weight);
/* The weight of that name, or -1. */
int flame_weight__parse(const char *name);

#define FLAME_KNOWS(weight) (1U << (weight))

struct flame_opts {
	enum profile_weight weight; /* the one asked for */
	unsigned int known;         /* FLAME_KNOWS() of what was measured, `weight` among them */
	const char *title;          /* raw bytes; NULL: one that names the weight */
	const char *command;        /* the traced command or target, raw bytes; NULL: none */
	__u64 lost;                 /* faults whose stack is not in the profile */
	__u64 wall_ns;              /* CLOCK_REALTIME of the beginning, 0: not known */
	__u64 duration_ns;          /* 0: not known */
	bool inverted;              /* SVG: root at the top */
};

/*
 * Write a profile whole and flush `out`, which stays the caller's. Cells without the weight that a
 * format shows are left out of it; an empty profile gives a valid file, too. Equal profiles with
 * equal options give equal bytes. 0; -EINVAL for a format that is none or, as FLAME_PERF_SCRIPT, has
 * samples one by one; -ENOMEM; or -errno of the write, -EPIPE when the reader is gone.
 */
int flame__print(enum flame_format format, FILE *out, const struct profile *p,
		 const struct flame_opts *opts);

/* A fault, as `perf script` tells of it. */
struct flame_sample {
	const char *comm;  /* name of the thread, raw bytes */
	const char *event; /* "page-faults", "minor-faults", "major-faults"; one for a whole file */
	__u64 time_ns;     /* CLOCK_MONOTONIC, rounded down to microseconds */
	__u64 period; /* the weight; a sample of weight 0 is left out, readers would take it for 1 */
	__u32 pid, tid, cpu;
	__u32 stack; /* of the profile that serves as dictionary, root to leaf */
};

struct flame_script;

/* A printer of samples to `out`, which stays the caller's, as does its buffer. NULL with errno ENOMEM. */
struct flame_script *flame_script__new(FILE *out);

/*
 * Write one sample, in the order of the calls, which should be that of time. p is the profile that
 * its stack was added to. 0 or -errno, which later calls repeat; since `out` is buffered, it may be
 * that of an earlier sample.
 */
int flame_script__sample(struct flame_script *s, const struct profile *p,
			 const struct flame_sample *sample);

/* Flush `out`. 0, or the first -errno. */
int flame_script__finish(struct flame_script *s);
void flame_script__free(struct flame_script *s); /* NULL is fine */

#endif /* FS_FLAME_H */
