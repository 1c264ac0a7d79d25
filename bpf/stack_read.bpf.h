/* SPDX-License-Identifier: GPL-2.0-only */
/* Words of the stack and registers of the current task, read and noted for the next walk. */
#ifndef FS_STACK_READ_BPF_H
#define FS_STACK_READ_BPF_H

#include "pgtable.bpf.h"
#include "stack_state.bpf.h"

/* Does the last page still back its address? Of accessed and dirty bits nothing depends. */
static __always_inline bool stack_page_holds(struct stack_state *ss)
{
	struct entry e;

	if (!ss->page)
		return true;
	e = table_walk_from(ss->pgd, &ss->pmd, ss->page << PAGE_SHIFT);
	return !((e.value ^ ss->page_entry) & (ENTRY_PHYS | 1));
}

/*
 * Find the page of addr in the direct map: reading there takes a tenth of what a probe read of user
 * memory does. False: it is not there, or a page that was read before is not what it was.
 */
static __always_inline bool stack_page(struct stack_state *ss, u64 addr)
{
	struct entry e;

	if (addr >> PAGE_SHIFT == ss->page)
		return true;
	if (!stack_page_holds(ss)) {
		ss->torn = 1;
		return false;
	}
	ss->page = 0;
	e = table_walk_from(ss->pgd, &ss->pmd, addr);
	if (!e.level || !entry_present(e.value))
		return false;
	ss->page = addr >> PAGE_SHIFT;
	ss->page_entry = e.value;
	ss->page_at = tables.direct_map + (entry_pfn_at(e, addr) << PAGE_SHIFT);
	return true;
}

/*
 * Copy n words, 1 or 2, of the stack to ss->words. 0, or not: it cannot be read. A global function: it is
 * called from many places, and the verifier goes through it once.
 */
__noinline int stack_words(struct stack_state *ss, u64 addr, u32 n)
{
	u64 at;

	if (!ss)
		return -1;
	if (cfg.tables && !(addr & 7) && (addr & (PAGE_BYTES - 1)) <= PAGE_BYTES - 16 &&
	    stack_page(ss, addr)) {
		at = ss->page_at + (addr & (PAGE_BYTES - 1));
		ss->words[0] = kernel_u64(at);
		ss->words[1] = n == 2 ? kernel_u64(at + 8) : 1;
		/* what is not in the direct map (memfd_secret) reads as 0 */
		if (ss->words[0] && ss->words[1])
			return 0;
	}
	ss->words[0] = ss->words[1] = 0;
	if (bpf_probe_read_user(&ss->words[0], 8, (void *)addr))
		return -1;
	if (n == 2 && bpf_probe_read_user(&ss->words[1], 8, (void *)addr + 8))
		return -1;
	return 0;
}

#define WORDS_MIX 0xff51afd7ed558ccdULL

/* One number for what was read. */
static __always_inline u64 words_mix(const struct stack_state *ss, u32 n)
{
	return n == 2 ? ss->words[0] * WORDS_MIX + ss->words[1] : ss->words[0];
}

/* Read words of the stack; which, and what they were, is kept for the next time. */
static __always_inline long stack_read(struct stack_state *ss, u64 addr, u32 n, u64 *out)
{
	u32 i = ss->nreads++;

	if (stack_words(ss, addr, n)) {
		ss->reads.at[0] |= KEPT_NOT;
		return -1;
	}
	out[0] = ss->words[0];
	if (n == 2)
		out[1] = ss->words[1];
	asm volatile("" : "+r"(i)); /* checked where it is used */
	if (i >= KEPT_READS || (addr & 7)) {
		ss->reads.at[0] |= KEPT_NOT;
		return 0;
	}
	ss->reads.at[i] |= addr | (n == 2 ? KEPT_TWO : 0);
	ss->reads.value[i] = words_mix(ss, n);
	return 0;
}

/* User registers that are not in struct fs_unwind_regs, by DWARF's numbers. */
static __always_inline long user_register(struct pt_regs *regs, u32 number, u64 *out)
{
#if defined(__TARGET_ARCH_x86)
	switch (number) { /* psABI, figure 3.36 */
	case 0:
		*out = KERNEL_READ(regs, ax);
		return 0;
	case 1:
		*out = KERNEL_READ(regs, dx);
		return 0;
	case 2:
		*out = KERNEL_READ(regs, cx);
		return 0;
	case 3:
		*out = KERNEL_READ(regs, bx);
		return 0;
	case 10:
		*out = KERNEL_READ(regs, r10);
		return 0;
	case 11:
		*out = KERNEL_READ(regs, r11);
		return 0;
	case 12:
		*out = KERNEL_READ(regs, r12);
		return 0;
	case 13:
		*out = KERNEL_READ(regs, r13);
		return 0;
	}
#else
	if (number < 29) {
		*out = kernel_u64((u64)&regs->regs[number]);
		return 0;
	}
#endif
	return -1;
}

/* The same, as long as the walk is in the first frame. */
static __always_inline long stack_register(struct stack_state *ss, u32 number, u64 *out)
{
	ss->reads.at[0] |= KEPT_NOT; /* it is not compared */
	if (ss->event.nuser != 1)    /* behind a signal's frame they are another's */
		return -1;
	return user_register((void *)bpf_task_pt_regs(bpf_get_current_task_btf()), number, out);
}

#endif /* FS_STACK_READ_BPF_H */
