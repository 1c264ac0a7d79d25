/* SPDX-License-Identifier: GPL-2.0-only */
/* Events and places to print, and output into memory. */
#ifndef TRACE_SAMPLES_H
#define TRACE_SAMPLES_H

#include <stdio.h>

#include "output/trace.h"

#define START_NS 1000000000000ULL
#define WALL_NS \
	1700000000000000000LL /* 2023-11-14 22:13:20 UTC, when CLOCK_MONOTONIC is START_NS */

extern const struct trace_opts relative, wall;
extern const struct trace_opts detailed; /* as `wall`, with variables and stacks */

/* libc's text, mapped; 132 KiB of anonymous memory; no mapping. */
extern const struct mapping libc_text, anon;
extern const struct place in_text, in_anon, nowhere;

/*
 * Add a stack to a profile: [truncated] main < a function without a name < one of a vdso < of libc with
 * line, and what is inlined there < code of a JIT < the kernel. Names are `name` where it is not NULL.
 * The stack refers to `frames`.
 */
#define SAMPLE_FRAMES 7
struct trace_stack sample_stack(struct profile *p, const char *name, __u32 frames[SAMPLE_FRAMES]);

/* A minor write fault in anonymous memory, 1.234567 ms after the start. */
struct fs_fault a_fault(void);

/* Of an event 2 ms after the start. */
struct fs_head a_head(void);

/* Names that try to break a line, a column, a string or a terminal; each fits a comm. */
#define HOSTILE 15
extern const char *const hostile[HOSTILE];

struct paper {
	struct trace_printer *tp;
	FILE *f;
	char *text;
	size_t size;
};

void paper__open(struct paper *p, enum format format, const struct trace_opts *opts);

/* What was written; valid until paper__close(). */
const char *paper__text(struct paper *p);

/* The last line, with its end. */
const char *paper__line(struct paper *p);

void paper__close(struct paper *p);

/*
 * Print events of every kind with random numbers (the same in every run) and hostile names; faults
 * and calls with details, every other fault without a variable: RANDOM_LINES lines, without headers and the summary.
 */
#define EVENTS       2000
#define RANDOM_LINES (2 * EVENTS + EVENTS / 8 * 5)
void print_random(struct trace_printer *tp);

#endif /* TRACE_SAMPLES_H */
