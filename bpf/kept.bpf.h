/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is kept of a task's last walk. A walk that comes to a frame of it, with the same registers,
 * reads again the words of the stack by which the last one went on from there: where these are the
 * same, and the mappings of the code are, so are the frames that follow. A walk with the registers of
 * the last one is the case in which that is all of them.
 */
#ifndef FS_KEPT_BPF_H
#define FS_KEPT_BPF_H

#include "code.bpf.h"
#include "stack_read.bpf.h"

static __always_inline u64 regs_pos(const struct fs_unwind_regs *r, u32 call)
{
	u64 pos = r->sp ? (r->sp & POS_ADDR) | POS_SP : r->fp & POS_ADDR;

	return call ? pos | POS_CALL : pos;
}

static __always_inline bool kept_is(const struct kept_frame *f, const struct fs_unwind_regs *r,
				    u64 pos)
{
	return (f->pos & ~POS_OWN) == pos && f->ip == r->ip && f->fp == r->fp &&
	       ((pos & POS_CALL) || f->lr == r->lr);
}

struct unwinding {
	struct stack_state *ss;
	/* NULL: nothing is kept */
	struct kept *kept;
	struct walked *walked;
};

/*
 * Is the frame that the walk has come to one of the last walk's? Its pos grows from frame to frame; where it
 * does not (alternate stacks) a frame is not found, and is walked.
 */
static __always_inline bool kept_match(struct unwinding *u, struct stack_state *ss)
{
	u64 pos = regs_pos(&ss->regs, ss->call);
	struct kept *kept = u->kept;
	struct kept_frame *f;
	u32 m = ss->match;

	if (!kept)
		return false;
	for (u32 i = 0; i < 8 && m; i++) { /* the rest at the next frame */
		f = &kept->frames[(m - 1) & (KEPT_FRAMES - 1)];
		if ((f->pos & POS_ADDR) >= (pos & POS_ADDR))
			break;
		m--;
	}
	asm volatile("" : "+r"(m));
	ss->match = m;
	if (!m)
		return false;
	f = &kept->frames[(m - 1) & (KEPT_FRAMES - 1)];
	return kept_is(f, &ss->regs, pos) && ss->event.nuser + m <= FS_STACK_USER;
}

/* The place for the frame that was added last; NULL: there is none, or nothing is kept. */
static __always_inline struct walked_frame *walked_last(struct unwinding *u)
{
	struct walked *w = u->walked;
	u32 i = u->ss->event.nuser - 1;

	asm volatile("" : "+r"(i));
	if (!w || i >= KEPT_FRAMES)
		return NULL;
	return &w->frames[i];
}

static __always_inline void frame_add(struct stack_state *ss, u64 frame)
{
	u32 n = ss->event.nkernel + ss->event.nuser;

	asm volatile("" : "+r"(n));
	if (n >= FS_STACK_FRAMES)
		return;
	ss->frames_at[n] = frame;
	ss->event.nuser++;
}

/* Is it still there that was read? */
static __always_inline bool read_again(struct stack_state *ss, u64 at, u64 value)
{
	u64 addr = at & ~7UL, from = ss->page_at + (addr & (PAGE_BYTES - 1)), mix;
	u32 n = at & KEPT_TWO ? 2 : 1;

	/* nearly always in the page of the word before */
	if (addr >> PAGE_SHIFT == ss->page && (addr & (PAGE_BYTES - 1)) <= PAGE_BYTES - 16) {
		mix = kernel_u64(from);
		if (n == 2)
			mix = mix * WORDS_MIX + kernel_u64(from + 8);
		if (mix == value)
			return true;
	}
	return !stack_words(ss, addr, n) && words_mix(ss, n) == value;
}

#define VERIFY_AT_ONCE 4

/* Do kept frames still lead on as they did? */
static long kept_verify(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct kept_reads *r;
	u32 left;

	if (!ss)
		return 1;
	left = ss->resume - ss->verified;
	for (u32 k = 0; k < VERIFY_AT_ONCE; k++, left--) {
		if (!left)
			return 1;
		r = &ss->kept_reads[(left - 1) & (KEPT_FRAMES - 1)];
		if ((r->at[0] & KEPT_NOT) || (r->at[0] && !read_again(ss, r->at[0], r->value[0])) ||
		    (r->at[1] && !read_again(ss, r->at[1], r->value[1])))
			return 1;
		ss->verified++;
	}
	return 0;
}

/* A kept frame that leads on as it did, to one that does not: as if it had been walked. */
static long kept_take(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct kept *kept = u->kept;
	struct walked_frame *f;
	u32 from;

	if (!ss || !kept)
		return 1;
	from = (ss->resume - 1 - i) & (KEPT_FRAMES - 1);
	frame_add(ss, kept->frames[from].frame);
	f = walked_last(u);
	if (f) {
		f->frame = kept->frames[from];
		f->reads = ss->kept_reads[from];
	}
	return 0;
}

/* The frames that were walked, outermost first: they count in the hash, and are kept. */
static long kept_push(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct walked *w = u->walked;
	struct kept *kept = u->kept;
	u32 from, to, at;
	struct kept_frame *f;
	u64 frame;

	if (!ss)
		return 1;
	from = ss->event.nuser - 1 - i;
	at = ss->event.nkernel + from;
	asm volatile("" : "+r"(at));
	if (at >= FS_STACK_FRAMES)
		return 1;
	frame = ss->frames_at[at];
	hash_add(&ss->frames, frame);
	if (!(frame & FS_FRAME_FILE))
		ss->own_addresses = 1;
	if (!w || !kept || !ss->keep)
		return 0;
	from &= KEPT_FRAMES - 1;
	to = (ss->resume + i) & (KEPT_FRAMES - 1);
	f = &kept->frames[to];
	*f = w->frames[from].frame;
	f->frame = frame;
	f->pos = (f->pos & ~POS_OWN) | (ss->own_addresses ? POS_OWN : 0);
	f->hash = ss->frames;
	ss->kept_reads[to] = w->frames[from].reads;
	return 0;
}

/* To the frames that were walked, those that they were found to lead to. */
static long kept_append(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct kept *kept = u->kept;
	u32 at;

	if (!ss || !kept)
		return 1;
	at = ss->event.nkernel + ss->event.nuser;
	asm volatile("" : "+r"(at));
	if (at >= FS_STACK_FRAMES)
		return 1;
	ss->frames_at[at] = kept->frames[(ss->resume - 1 - i) & (KEPT_FRAMES - 1)].frame;
	ss->event.nuser++;
	return 0;
}

/* Does the last walk hold now that the address space has changed? */
static __always_inline bool kept_holds(struct stack_state *ss)
{
	u32 codes = ss->kept_codes;

	if ((codes & CODE_GONE) || ss->kept_end == FS_STACK_NOT_CODE)
		return false;
	for (u32 i = 0; i < CODE_SLOTS; i++)
		if ((codes & (1U << i)) && !code_holds(ss, i))
			return false;
	return true;
}

#endif /* FS_KEPT_BPF_H */
