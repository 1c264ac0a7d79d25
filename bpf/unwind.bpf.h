/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user part of a stack, unwound by the tables of include/unwind.h, which the loader compiles;
 * by frame pointers where code has no table (JITs, Go). Code is found by the walk that finds the
 * regions: what is known of a file serves a new process from its first fault.
 */
#ifndef FS_UNWIND_BPF_H
#define FS_UNWIND_BPF_H

#include "kept.bpf.h"

#define FS_UNWIND_READ(walk, addr, n, out)    stack_read(walk, addr, n, out)
#define FS_UNWIND_REGISTER(walk, number, out) stack_register(walk, number, out)
#if defined(__TARGET_ARCH_arm64)
#define FS_UNWIND_ARM64 1
#else
#define FS_UNWIND_ARM64 0
#endif
#include "unwind_step.h"

static __always_inline void frame_add_code(struct stack_state *ss, const struct code_slot *code)
{
	frame_add(ss, fs_frame(code->file_id, code->offset + (ss->regs.ip - code->start),
			       ss->regs.ip, ss->call));
}

static __always_inline int frame_leave(struct stack_state *ss, const struct code_slot *code)
{
	u32 index = 0;

	if (code->table.kind == FS_UNWIND_NOTHING)
		return FS_STACK_NO_RULE;
	if (code->table.kind == FS_UNWIND_ROWS)
		index = unwind_rule_of(&code->table, code->file_id,
				       code->offset + (ss->regs.ip - code->start) - ss->call);
	/* V8 keeps code of its own making in the text of its program, where no row is */
	return fs_unwind_leave(ss, bpf_map_lookup_elem(&unwind_rules, &index),
			       code->table.kind != FS_UNWIND_FRAME_POINTERS, &ss->regs, &ss->call);
}

/* One frame: keep it and go to its caller. */
static long unwind_frame(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct walked_frame *f;
	struct code_slot *code;
	u32 at, end;
	u64 pos;

	if (!ss)
		return 1;
	if (kept_match(u, ss)) {
		ss->resume = ss->match;
		return 1;
	}
	at = code_at(ss, ss->regs.ip - ss->call);
	if (at >= CODE_SLOTS) {
		ss->end = FS_STACK_NOT_CODE;
		if (!ss->event.nuser) { /* it was called through a bad pointer */
			ss->keep = 0;
			frame_add(ss, ss->regs.ip & (FS_FRAME_CALL - 1));
		}
		return 1;
	}
	ss->code = at;
	/* read back: else the verifier goes on once for each that it can be */
	at = *(volatile u32 *)&ss->code & (CODE_SLOTS - 1);
	code = &ss->codes[at];
	if (code->mapped_file && !code->table.kind) {
		ss->end = FS_STACK_COPIED;   /* this frame and the rest */
		code->start = code->end = 0; /* to be looked for again */
		return 1;
	}
	if (ss->event.nuser >= FS_STACK_USER) {
		ss->end = FS_STACK_DEEP;
		return 1;
	}
	ss->nreads = 0;
	ss->reads.at[0] = ss->reads.at[1] = 0;
	ss->left = ss->regs;
	pos = regs_pos(&ss->regs, ss->call);
	frame_add_code(ss, code);
	end = frame_leave(ss, code);
	f = walked_last(u);
	if (f) {
		ss->walked_codes |= 1U << at;
		f->frame.pos = pos;
		f->frame.ip = ss->left.ip;
		f->frame.fp = ss->left.fp;
		f->frame.lr = ss->left.lr;
		f->reads = ss->reads;
	}
	if (end == FS_STACK_END_NR)
		return 0;
	ss->end = end;
	return 1;
}

/* Walk until the end, or until the kept frames lead there; 0: they lead on for a while. */
static long unwind_part(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct kept *kept = u->kept;
	struct kept_frame *f;

	if (!ss)
		return 1;
	if (kept_match(u, ss)) { /* nothing has to be walked */
		ss->resume = ss->match;
	} else {
		if (u->walked)
			u->walked->task = (u64)bpf_get_current_task();
		bpf_loop(FS_STACK_USER + 1, unwind_frame, u, 0);
	}
	if (!ss->resume || !kept)
		return 1;
	ss->verified = 0;
	bpf_loop(KEPT_FRAMES / VERIFY_AT_ONCE, kept_verify, u, 0);
	if (ss->verified == ss->resume) {
		ss->end = ss->kept_end;
		return 1;
	}
	bpf_loop(ss->verified, kept_take, u, 0);
	ss->match = ss->resume - ss->verified - 1;
	f = &kept->frames[ss->match & (KEPT_FRAMES - 1)];
	ss->regs.ip = f->ip;
	ss->regs.sp = f->pos & POS_SP ? f->pos & POS_ADDR : 0;
	ss->regs.fp = f->fp;
	ss->regs.lr = f->lr;
	ss->call = f->pos & POS_CALL ? 1 : 0;
	ss->resume = 0;
	return 0;
}

/*
 * Walk the user part from the registers at hand; frames that are not walked because they are known are
 * ss->resume kept ones.
 */
static __always_inline void stack_unwind(struct unwinding *u)
{
	struct stack_state *ss = u->ss;

	if (ss->kept_stale && !kept_holds(ss))
		ss->nkept = 0;
	ss->kept_stale = 0;
	if (!ss->nkept)
		ss->kept_codes = 0;
	ss->match = ss->nkept;
	bpf_loop(KEPT_FRAMES + 1, unwind_part, u, 0); /* match shrinks each time */
	if (ss->torn || !stack_page_holds(ss)) {
		ss->end = FS_STACK_UNREADABLE;
		ss->keep = 0;
	}
	if (!u->walked || (ss->event.nuser && u->walked->task != (u64)bpf_get_current_task()) ||
	    ss->end == FS_STACK_COPIED || ss->resume + ss->event.nuser > KEPT_FRAMES)
		ss->keep = 0;
}

#endif /* FS_UNWIND_BPF_H */
