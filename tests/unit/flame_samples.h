/* SPDX-License-Identifier: GPL-2.0-only */
/* Profiles for the tests of their formats, and what they are written to. */
#ifndef FLAME_SAMPLES_H
#define FLAME_SAMPLES_H

#include <stddef.h>

#include "output/flame.h"

/* A profile to be freed; stacks are added by names, from the root on, of frames without an address. */
struct profile *sample__new(void);

/* A frame of that name in /bin/app. */
__u32 sample__frame(struct profile *p, const char *name);

/* Frames to stack number. */
__u32 sample__stack(struct profile *p, size_t n, const __u32 *frames);

/* A stack of frames with faults, of a page and 100 ns each, of a thread named comm (or NULL). */
void sample__add(struct profile *p, const char *comm, __u64 faults, size_t n, const __u32 *frames);
#define SAMPLE(p, comm, faults, ...)                                                   \
	sample__add(p, comm, faults, sizeof((__u32[]){ __VA_ARGS__ }) / sizeof(__u32), \
		    (__u32[]){ __VA_ARGS__ })

/* Names that want to be something else; 64 KiB of one letter are the last. */
extern const char *const sample_names[];
extern const size_t sample_names_n;

/* A profile with a leaf for each of them, that many faults plus one as its number says. */
struct profile *sample__hostile(void);

/* All weights are known. */
struct flame_opts sample__opts(enum profile_weight weight);

/* What flame__print() writes: to be freed, NUL-terminated. *n: its bytes; NULL: not asked. */
char *sample__print(enum flame_format format, const struct profile *p,
		    const struct flame_opts *opts, size_t *n);

#endif /* FLAME_SAMPLES_H */
