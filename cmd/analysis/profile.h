/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which stacks fault: weights by stack and labels. Frames, stacks and strings are interned:
 * 100,000 stacks of depth 30, a cell each, take 25 MB and are added in 50 ms. Numbers of frames,
 * stacks and cells count from 0, those of mappings from 1; all hold until the profile is freed.
 * What a getter points to holds until the next addition.
 */
#ifndef FS_PROFILE_H
#define FS_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

enum profile_weight {
	PROFILE_FAULTS,
	PROFILE_BYTES, /* made present, by the rule of stat_class__bytes() */
	PROFILE_STALL, /* nanoseconds, from exception to completion */
	PROFILE_WEIGHT_NR
};

enum profile_frame_kind {
	PROFILE_USER,
	PROFILE_KERNEL,
	PROFILE_JIT,    /* named by a map such as /tmp/perf-PID.map */
	PROFILE_REGION, /* no code: where the fault was, such as [heap] */
	PROFILE_NOTE,   /* no code: about the stack, such as [truncated] or [exec] */
	PROFILE_FRAME_KIND_NR
};

/* What an object was mapped as, for formats that symbolise later. */
struct profile_mapping {
	__u64 start, limit;   /* [start, limit) */
	__u64 file_offset;    /* of start, in bytes */
	const char *object;   /* path, "[vdso]", "[kernel.kallsyms]"; NULL: none */
	const char *build_id; /* lower-case hexadecimal digits, NULL: not known */
};

/*
 * A function in a stack. Strings are raw bytes as the object has them; demangled or not is the
 * caller's choice. An inlined frame stands leafwards of the function that it was inlined into and
 * has the same address.
 */
struct profile_frame {
	const char *name; /* of the function; NULL: not known */
	const char *
		object; /* path, "[vdso]", "[kernel.kallsyms]", "/tmp/perf-PID.map"; NULL: not known */
	const char *src;  /* source file, NULL: not known */
	__u64 address;    /* as unwound: a caller's is its return address, see is_return */
	__u64 sym_offset; /* address minus the function's start, in bytes */
	__u32 line;       /* in src, 0: not known */
	__u32 mapping;    /* from profile__add_mapping(), 0: none */
	__u8 kind;        /* enum profile_frame_kind */
	bool inlined;
	bool is_return; /* the call is before address; false where address itself was executed */
};

/* What tells samples with the same stack apart. Strings may be NULL: they do not tell. */
struct profile_labels {
	const char *comm;   /* name of the thread, raw bytes */
	const char *region; /* region_name() */
	const char *class;  /* class_name() */
	const char *access; /* access_name() */
	const char *result; /* "minor", "major", "failed" */
	__u32 pid, tid;     /* 0: do not tell */
};

struct profile_weights {
	__u64 w[PROFILE_WEIGHT_NR];
};

/* A stack with labels, and what was added to it. */
struct profile_cell {
	struct profile_labels labels;
	__u32 stack;
	struct profile_weights weights;
};

struct profile;

/* An empty profile; the caller frees it. NULL with errno ENOMEM. */
struct profile *profile__new(void);
void profile__free(struct profile *p); /* NULL is fine */

/*
 * Find or add; all strings are copied. The number is put into *id. 0, -ENOMEM with nothing added,
 * -EINVAL for a mapping, frame or kind that is none.
 */
int profile__add_mapping(struct profile *p, const struct profile_mapping *mapping, __u32 *id);
int profile__add_frame(struct profile *p, const struct profile_frame *frame, __u32 *id);
/* n frames from the root to the leaf; n may be 0. */
int profile__add_stack(struct profile *p, const __u32 *frames, size_t n, __u32 *id);

/*
 * Count weights for a stack and labels. Sums beyond 2^64 - 1 stay there. 0, -ENOMEM with nothing
 * counted, -EINVAL for a stack that is none.
 */
int profile__add(struct profile *p, __u32 stack, const struct profile_labels *labels,
		 const struct profile_weights *weights);

/* How many there are. */
size_t profile__nmappings(const struct profile *p);
size_t profile__nframes(const struct profile *p);
size_t profile__nstacks(const struct profile *p);
size_t profile__ncells(const struct profile *p);

/* Each by its number; cells are in the order in which they were first added. */
const struct profile_mapping *profile__mapping(const struct profile *p, __u32 id); /* 1 to n */
const struct profile_frame *profile__frame(const struct profile *p, __u32 id);
const __u32 *profile__stack(const struct profile *p, __u32 id, size_t *n);
const struct profile_cell *profile__cell(const struct profile *p, size_t i);

/* Sum over all cells, at most 2^64 - 1. */
__u64 profile__total(const struct profile *p, enum profile_weight weight);

/* a + b, at most 2^64 - 1. */
static inline __u64 profile_sum(__u64 a, __u64 b)
{
	return a + b < a ? (__u64)-1 : a + b;
}

#endif /* FS_PROFILE_H */
