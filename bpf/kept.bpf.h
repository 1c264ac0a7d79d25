/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is kept of a task's last walk. A walk that comes to a frame of it, with the same registers,
 * reads again the words of the stack by which the last one went on from there: where these are the
 * same, and the address space has not changed, so are the frames that follow. A walk with the
 * registers of the last one is the case in which that is all of them.
 */
#ifndef FS_KEPT_BPF_H
#define FS_KEPT_BPF_H

#include "ids.bpf.h"

#define KEPT_FRAMES 128 /* a power of two; of deeper stacks nothing is kept */

/*
 * What was read to leave a frame: two words that stand together, or one and one. at: their address, 0:
 * nothing; and in its low bits:
 */
#define KEPT_READS 2
#define KEPT_TWO   1 /* two words */
#define KEPT_NOT   2 /* of at[0]: something else decided what follows */

struct kept_reads {
	u64 at[KEPT_READS];
	u64 value[KEPT_READS]; /* one number for the word or both */
};

struct kept_frame {
	u64 frame;           /* see fs_frame() */
	u64 pos;             /* stack pointer; where that is not known the frame pointer */
	u64 regs;            /* one number for the other registers */
	u64 own;             /* it or one further out is no place in a file */
	struct id_hash hash; /* of the frame and those further out */
};

/* Reads stand apart: of most frames nothing else is looked at. */
struct kept {
	struct kept_reads reads[KEPT_FRAMES];
	struct kept_frame frames[KEPT_FRAMES];
};

/* The frames of the walk that goes on, innermost first. */
struct walked {
	u64 task; /* whose it is: a program may have been put aside for another on this CPU */
	struct kept kept;
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct walked);
} walked_frames SEC(".maps");

static __always_inline struct walked *this_walked(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&walked_frames, &zero);
}

static __always_inline u64 regs_pos(const struct fs_unwind_regs *r)
{
	return r->sp ? r->sp : r->fp;
}

/* call: r->ip is a return address; lr counts in other frames alone. */
static __always_inline u64 regs_mix(const struct fs_unwind_regs *r, u32 call)
{
	u64 mix = (r->ip * 0xff51afd7ed558ccdULL + r->fp) * 0xc4ceb9fe1a85ec53ULL;

	return mix + (call ? 0 : r->lr) * 4 + (call ? 1 : 0) + (r->sp ? 2 : 0);
}

#endif /* FS_KEPT_BPF_H */
