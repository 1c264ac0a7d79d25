/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * One step from a frame to its caller, by a rule of unwind.h or by frame pointers; the same code for
 * the BPF programs, and for the loader, which unwinds copies of stacks. Who includes this defines
 *   FS_UNWIND_READ(walk, addr, n, out)       copy n words, 1 or 2, from the stack; 0 or not
 *   FS_UNWIND_REGISTER(walk, number, out)    a register of the first frame, by DWARF's number
 *   FS_UNWIND_ARM64                          1 for arm64, 0 for x86-64
 * Steps give FS_STACK_END_NR where *r is the caller's now, else why there is none. `walk` is handed
 * on to the two.
 */
#ifndef FS_UNWIND_STEP_H
#define FS_UNWIND_STEP_H

#include "kinds.h"
#include "unwind.h"

#define FS_UNWIND_INLINE static inline __attribute__((always_inline))

/* arm64 signs return addresses in the bits above those of a user address (PAC). */
FS_UNWIND_INLINE __u64 fs_unwind_address(__u64 signed_addr)
{
	return FS_UNWIND_ARM64 ? signed_addr & ((1ULL << 48) - 1) : signed_addr;
}

/*
 * By the frame pointer: it points at that of the caller, beside which the return address is. `made`: by
 * a JIT, whose frames have the two at their upper end on every architecture. What compilers make of
 * arm64 has them anywhere: the caller's stack pointer is not known then, 0.
 */
FS_UNWIND_INLINE int fs_unwind_by_pointer(void *walk, struct fs_unwind_regs *r, bool made)
{
	__u64 pair[2];

	if (!r->fp)
		return FS_STACK_COMPLETE;
	if ((r->fp & 7) || r->fp < r->sp)
		return FS_STACK_NO_RULE;
	if (FS_UNWIND_READ(walk, r->fp, 2, pair))
		return FS_STACK_NO_RULE;
	if (!pair[1])
		return FS_STACK_COMPLETE;
	if (FS_UNWIND_ARM64 && !made && pair[0] && pair[0] <= r->fp) /* nothing else ends it */
		return FS_STACK_NO_RULE;
	r->ip = fs_unwind_address(pair[1]);
	r->sp = FS_UNWIND_ARM64 && !made ? 0 : r->fp + 16;
	r->fp = pair[0];
	return FS_STACK_END_NR;
}

/*
 * What the kernel puts on the stack for a signal handler: struct rt_sigframe of
 * arch/x86/include/asm/sigframe.h (sp is behind its first word then) and arch/arm64/kernel/signal.c.
 */
FS_UNWIND_INLINE int fs_unwind_signal(void *walk, struct fs_unwind_regs *r)
{
	const __u64 fp_at = FS_UNWIND_ARM64 ? 544 : 120, sp_at = FS_UNWIND_ARM64 ? 560 : 160;
	__u64 fp[2], pair[2];

	if (FS_UNWIND_READ(walk, r->sp + sp_at, 2, pair) ||
	    FS_UNWIND_READ(walk, r->sp + fp_at, FS_UNWIND_ARM64 ? 2 : 1, fp))
		return FS_STACK_UNREADABLE;
	r->sp = pair[0];
	r->ip = pair[1];
	r->fp = fp[0];
	r->lr = FS_UNWIND_ARM64 ? fp[1] : 0;
	return FS_STACK_END_NR;
}

FS_UNWIND_INLINE int fs_unwind_cfa(void *walk, const struct fs_unwind_rule *rule,
				   const struct fs_unwind_regs *r, bool first, __u64 *cfa)
{
	__u32 kind = rule->cfa;
	__u64 base = r->sp;

	if (kind == FS_CFA_FP || kind == FS_CFA_FP_DEREF)
		base = r->fp;
	if (kind == FS_CFA_REG && (!first || FS_UNWIND_REGISTER(walk, rule->arg, &base) != 0))
		return FS_STACK_UNSUPPORTED;
	if (!base || kind == FS_CFA_UNSUPPORTED)
		return FS_STACK_UNSUPPORTED;
	base += (__s64)rule->cfa_offset;
	if (kind == FS_CFA_PLT && (r->ip & 15) >= rule->arg)
		base += 8;
	if (kind == FS_CFA_SP_DEREF || kind == FS_CFA_FP_DEREF) {
		if (FS_UNWIND_READ(walk, base, 1, &base))
			return FS_STACK_UNREADABLE;
		base += 8 * (__s64)(signed char)rule->arg;
	}
	*cfa = base;
	return FS_STACK_END_NR;
}

/*
 * By a rule, which is none of FS_CFA_NONE. `first`: the frame is the innermost one, or was
 * interrupted by a signal.
 */
FS_UNWIND_INLINE int fs_unwind_by_rule(void *walk, const struct fs_unwind_rule *rule,
				       struct fs_unwind_regs *r, bool first)
{
	__u64 cfa = 0, fp_at, ra_at, pair[2];
	bool ra_in_lr = rule->ra == FS_SAVED_SAME;
	int end;

	if (rule->cfa == FS_CFA_END)
		return FS_STACK_COMPLETE;
	if (rule->cfa == FS_CFA_SIGNAL)
		return fs_unwind_signal(walk, r);
	end = fs_unwind_cfa(walk, rule, r, first, &cfa);
	if (end != FS_STACK_END_NR)
		return end;
	if (rule->ra == FS_SAVED_LOST || rule->ra == FS_SAVED_FP ||
	    (ra_in_lr && (!FS_UNWIND_ARM64 || !first)))
		return FS_STACK_UNSUPPORTED;
	if (cfa < r->sp || (cfa == r->sp && !first)) /* stacks do not go back */
		return FS_STACK_UNREADABLE;
	fp_at = (rule->fp == FS_SAVED_FP ? r->fp : cfa) + (__s64)rule->fp_offset;
	ra_at = cfa + (__s64)rule->ra_offset;
	if (!ra_in_lr && rule->fp != FS_SAVED_SAME && rule->fp != FS_SAVED_LOST &&
	    fp_at + 8 == ra_at) { /* nearly always */
		if (FS_UNWIND_READ(walk, fp_at, 2, pair))
			return FS_STACK_UNREADABLE;
	} else {
		pair[0] = rule->fp == FS_SAVED_LOST ? 0 : r->fp;
		pair[1] = r->lr;
		if ((rule->fp == FS_SAVED_CFA || rule->fp == FS_SAVED_FP) &&
		    FS_UNWIND_READ(walk, fp_at, 1, &pair[0]))
			return FS_STACK_UNREADABLE;
		if (!ra_in_lr && FS_UNWIND_READ(walk, ra_at, 1, &pair[1]))
			return FS_STACK_UNREADABLE;
	}
	if (!pair[1])
		return FS_STACK_COMPLETE;
	r->ip = fs_unwind_address(pair[1]);
	r->sp = cfa;
	r->fp = pair[0];
	return FS_STACK_END_NR;
}

/* Does the rule need a stack pointer that is not known? */
FS_UNWIND_INLINE bool fs_unwind_lacks_sp(const struct fs_unwind_rule *rule,
					 const struct fs_unwind_regs *r)
{
	return FS_UNWIND_ARM64 && !r->sp &&
	       (rule->cfa == FS_CFA_SP || rule->cfa == FS_CFA_SP_DEREF);
}

/*
 * From a frame to its caller. rule: NULL or one of FS_CFA_NONE, by frame pointers; made: the code is of
 * no file that compilers made, see above. *call: r->ip is a return address, before and after.
 */
FS_UNWIND_INLINE int fs_unwind_leave(void *walk, const struct fs_unwind_rule *rule, bool made,
				     struct fs_unwind_regs *r, __u8 *call)
{
	bool first = !*call, signal;
	int end;

	if (!rule || rule->cfa == FS_CFA_NONE) {
		*call = 1;
		return fs_unwind_by_pointer(walk, r, made);
	}
	if (fs_unwind_lacks_sp(rule, r)) {
		/* the frame has a record only where it has put both there */
		if (rule->fp != FS_SAVED_CFA || rule->ra != FS_SAVED_CFA)
			return FS_STACK_UNSUPPORTED;
		*call = 1;
		return fs_unwind_by_pointer(walk, r, false);
	}
	signal = rule->cfa == FS_CFA_SIGNAL;
	end = fs_unwind_by_rule(walk, rule, r, first);
	*call = !signal;
	return end;
}

#endif /* FS_UNWIND_STEP_H */
