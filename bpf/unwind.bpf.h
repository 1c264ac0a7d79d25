/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The user part of a stack, unwound by the tables of include/unwind.h, which the loader compiles;
 * by frame pointers where code has no table (JITs, Go). Code is found by the walk that finds the
 * regions: what is known of a file serves a new process from its first fault.
 */
#ifndef FS_UNWIND_BPF_H
#define FS_UNWIND_BPF_H

#include "kept.bpf.h"
#include "pgtable.bpf.h"
#include "region.bpf.h"

/*
 * Words of all tables, see include/unwind.h; written by the loader through its mapping. In lines,
 * since a map's values begin at multiples of eight bytes.
 */
#define LINE_WORDS 16

struct unwind_line {
	u32 words[LINE_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct unwind_line);
} unwind_words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fs_unwind_rule);
} unwind_rules SEC(".maps");

/* The tables of files. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct fs_file_key);
	__type(value, struct fs_unwind_table);
} unwind_tables SEC(".maps");

volatile struct fs_unwind_table vdso_table = {};

/* An executable mapping. */
struct code_slot {
	u64 start, end;
	u64 offset; /* in the file, of start */
	u32 file_id;
	u8 mapped_file; /* else anonymous: a JIT's */
	u8 pad[3];
	struct fs_unwind_table table; /* kind 0: none, or none yet */
};

#define CODE_SLOTS 8 /* a power of two */

/* A stack on its way to being known, and the last one; a task's. */
struct stack_state {
	/* the last walk: its frames, outermost first, in the address space that code_mm and code_seq are of */
	struct kept kept;
	u32 nkept;
	u32 kept_end; /* enum fs_stack_end */
	u32 last_id;  /* of all of them, without frames of the kernel; 0: not known */
	/* this walk */
	u32 match;  /* number of the kept frames that it may still come to */
	u32 resume; /* number of those that it goes on with, 0: none */
	u32 keep;   /* bool: it may be kept */
	struct fs_unwind_regs regs;
	u64 mm;
	u32 seq;
	u32 nreads; /* of this frame */
	struct kept_reads reads;
	struct id_hash frames; /* of the frames */
	/* the page of the stack that was read last: where it is in the direct map, and its entry */
	u64 pgd;
	u64 page; /* its number, 0: none */
	u64 page_at;
	u64 page_entry;
	u64 words[2]; /* that were read last */
	struct pmd_cache pmd;
	u32 end;          /* enum fs_stack_end */
	u32 code;         /* index of the code that was found last */
	u32 code_id;      /* of the list of mappings that goes with a copy */
	u8 call;          /* regs.ip is a return address */
	u8 own_addresses; /* some frames are no place in a file */
	u8 sent;          /* it was new: events were sent */
	u8 torn;          /* a page of the stack went while it was read */
	/* code of the address space */
	u64 code_mm;
	u32 code_seq;
	u32 code_next;
	struct code_slot codes[CODE_SLOTS];
	struct fs_stack_event event;
	u64 frames_at[FS_STACK_FRAMES + 1]; /* follow the event */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stack_state);
} stacks SEC(".maps");

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

#define PAGE_BYTES (1UL << PAGE_SHIFT)

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

/* One number for what was read. */
static __always_inline u64 words_mix(const struct stack_state *ss, u32 n)
{
	return n == 2 ? ss->words[0] * 0xff51afd7ed558ccdULL + ss->words[1] : ss->words[0];
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

/* Registers of the first frame that are not in struct fs_unwind_regs, by DWARF's numbers. */
static __always_inline long stack_register(struct stack_state *ss, u32 number, u64 *out)
{
	struct pt_regs *regs = (void *)bpf_task_pt_regs(bpf_get_current_task_btf());

	ss->reads.at[0] |= KEPT_NOT; /* it is not compared */
	if (ss->event.nuser != 1)    /* behind a signal's frame they are another's */
		return -1;
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

#define FS_UNWIND_READ(walk, addr, n, out)    stack_read(walk, addr, n, out)
#define FS_UNWIND_REGISTER(walk, number, out) stack_register(walk, number, out)
#if defined(__TARGET_ARCH_arm64)
#define FS_UNWIND_ARM64 1
#else
#define FS_UNWIND_ARM64 0
#endif
#include "unwind_step.h"

static __always_inline u32 unwind_word(u32 i)
{
	u32 index = i / LINE_WORDS;
	struct unwind_line *line = bpf_map_lookup_elem(&unwind_words, &index);

	return line ? *(volatile u32 *)&line->words[i % LINE_WORDS] : 0;
}

/* The rule in force at an offset of a bucket whose rows are words [low, low + n). */
__noinline u32 unwind_search(u32 low, u32 n, u32 offset)
{
	if (!n)
		return 0;
	for (int i = 0; i < FS_UNWIND_SEARCH_STEPS; i++) {
		u32 half = n / 2;

		if (n <= 1)
			break;
		if (unwind_word(low + half) >> 16 <= offset) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return unwind_word(low) & 0xffff;
}

/*
 * Rules that were found lately: a search reads six lines of memory or more. An entry is one word, so
 * that it is whole for whoever reads it: the number of the rule, and above it what of file id and offset
 * the index does not tell. What a table says of a place does not change.
 */
#define KNOWN_RULE_BITS 13

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << KNOWN_RULE_BITS);
	__type(key, u32);
	__type(value, u64);
} known_rules SEC(".maps");

_Static_assert(FS_FRAME_FILE_BITS + FS_FRAME_OFFSET_BITS - KNOWN_RULE_BITS <= 48,
	       "an entry tells all");

__noinline u32 unwind_find_rule(u32 first, u32 nbuckets, u32 at, u64 offset)
{
	u32 bucket = (u32)(offset >> FS_UNWIND_BUCKET_SHIFT) - first, low, high;

	if (bucket >= nbuckets)
		return 0;
	low = unwind_word(at + bucket);
	high = unwind_word(at + bucket + 1);
	return unwind_search(low, high - low, offset & ((1 << FS_UNWIND_BUCKET_SHIFT) - 1));
}

/* The number of the rule at an offset of a file. */
static __always_inline u32 unwind_rule_of(const struct fs_unwind_table *table, u32 file_id,
					  u64 offset)
{
	u64 key = (u64)file_id << FS_FRAME_OFFSET_BITS | offset, tag = key >> KNOWN_RULE_BITS, word;
	/* the same tag gives another index to each key */
	u32 index = (key + (tag * 0x9e3779b97f4a7c15ULL >> 40)) & ((1 << KNOWN_RULE_BITS) - 1);
	u64 *known = bpf_map_lookup_elem(&known_rules, &index);
	u32 rule;

	if (!known)
		return 0;
	word = *(volatile u64 *)known;
	if (offset >> FS_FRAME_OFFSET_BITS)
		return 0;
	if (word >> 16 == tag && word)
		return word & 0xffff;
	rule = unwind_find_rule(table->first, table->nbuckets, table->at, offset);
	*(volatile u64 *)known = tag << 16 | rule;
	return rule;
}

/*
 * Is a mapping that has operations and no file the vdso? Special mappings have a name
 * (_install_special_mapping() of mm/mmap.c).
 */
static __always_inline bool is_vdso(u64 vma)
{
	struct vm_special_mapping *special =
		(void *)KERNEL_READ((struct vm_area_struct *)vma, vm_private_data);
	u64 name = kernel_u64((u64)KERNEL_READ(special, name));

	return (name & (~0UL >> 8)) == 0x5d6f7364765bUL; /* "[vdso]" and its end, little endian */
}

/* Find the executable mapping at addr and keep it. Its index; CODE_SLOTS: there is none. */
__noinline u32 code_find(struct stack_state *ss, u64 addr)
{
	struct lookup *look = this_lookup();
	struct mm_struct *mm;
	struct fs_unwind_table *table;
	struct code_slot *code;
	struct vma_copy *c;
	u32 keep, *id;
	u64 vma;

	if (!ss || !look)
		return CODE_SLOTS;
	mm = (void *)*(volatile u64 *)&ss->mm;
	c = &look->vma;
	if (!vma_find(mm, addr, c, &vma) || !(c->flags & VM_EXEC))
		return CODE_SLOTS;
	keep = ss->code_next++ & (CODE_SLOTS - 1);
	code = &ss->codes[keep];
	code->start = c->start;
	code->end = c->end;
	code->offset = c->pgoff << PAGE_SHIFT;
	code->file_id = 0;
	code->mapped_file = 0;
	code->table.kind = 0;
	if (c->file && c->ops) {
		file_key((void *)c->file, &look->file);
		code->mapped_file = 1;
		id = bpf_map_lookup_elem(&files, &look->file);
		table = bpf_map_lookup_elem(&unwind_tables, &look->file);
		if (id && table) {
			code->file_id = *id;
			code->table = *table;
		}
	} else if (c->ops && is_vdso(vma)) {
		code->offset = 0;
		code->mapped_file = 1;
		code->file_id = FS_FRAME_VDSO;
		code->table.kind = vdso_table.kind;
		code->table.first = vdso_table.first;
		code->table.nbuckets = vdso_table.nbuckets;
		code->table.at = vdso_table.at;
	}
	return keep;
}

static __always_inline u32 code_at(struct stack_state *ss, u64 addr)
{
	u32 last = ss->code;
	struct code_slot *code;

	asm volatile("" : "+r"(last));
	code = &ss->codes[last & (CODE_SLOTS - 1)];
	if (addr >= code->start && addr < code->end)
		return last & (CODE_SLOTS - 1);
	for (u32 i = 0; i < CODE_SLOTS; i++)
		if (addr >= ss->codes[i].start && addr < ss->codes[i].end)
			return i;
	return code_find(ss, addr);
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

/* Is the frame that the walk has come to one of the last walk's? Its pos grows from frame to frame. */
static __always_inline bool kept_match(struct stack_state *ss, u64 pos, u64 regs)
{
	struct kept_frame *f;
	u32 m = ss->match;

	for (u32 i = 0; i < 8 && m; i++) { /* the rest at the next frame */
		f = &ss->kept.frames[(m - 1) & (KEPT_FRAMES - 1)];
		if (f->pos >= pos)
			break;
		m--;
	}
	asm volatile("" : "+r"(m));
	ss->match = m;
	if (!m)
		return false;
	f = &ss->kept.frames[(m - 1) & (KEPT_FRAMES - 1)];
	return f->pos == pos && f->regs == regs && ss->event.nuser + m <= FS_STACK_USER;
}

/* Note how the frame that was added last was left. */
static __always_inline void walked_note(struct stack_state *ss, u64 pos, u64 regs)
{
	struct walked *w = this_walked();
	u32 i = ss->event.nuser - 1;

	asm volatile("" : "+r"(i));
	if (!w || i >= KEPT_FRAMES)
		return;
	w->kept.frames[i].pos = pos;
	w->kept.frames[i].regs = regs;
	w->kept.reads[i] = ss->reads;
}

struct unwinding {
	struct stack_state *ss;
};

/* One frame: keep it and go to its caller. */
static long unwind_frame(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct code_slot *code;
	u64 pos, regs;
	u32 at, end;

	if (!ss)
		return 1;
	pos = regs_pos(&ss->regs);
	regs = regs_mix(&ss->regs, ss->call);
	if (kept_match(ss, pos, regs)) {
		ss->resume = ss->match;
		return 1;
	}
	at = code_at(ss, ss->regs.ip - ss->call);
	if (at >= CODE_SLOTS) {
		ss->end = FS_STACK_NOT_CODE;
		if (!ss->event.nuser) { /* it was called through a bad pointer */
			ss->own_addresses = 1;
			ss->keep = 0;
			frame_add(ss, ss->regs.ip & (FS_FRAME_CALL - 1));
		}
		return 1;
	}
	ss->code = at;
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
	frame_add_code(ss, code);
	end = frame_leave(ss, code);
	if (ss->keep)
		walked_note(ss, pos, regs);
	if (end == FS_STACK_END_NR)
		return 0;
	ss->end = end;
	return 1;
}

/* Is it still there that was read? Words of one page after the other are nearly always in one. */
static __always_inline bool read_again(struct stack_state *ss, u64 at, u64 value)
{
	u64 addr = at & ~7UL, from = ss->page_at + (addr & (PAGE_BYTES - 1));
	u32 n = at & KEPT_TWO ? 2 : 1;

	if (cfg.tables && ss->page && addr >> PAGE_SHIFT == ss->page &&
	    (addr & (PAGE_BYTES - 1)) <= PAGE_BYTES - 16) {
		ss->words[0] = kernel_u64(from);
		ss->words[1] = n == 2 ? kernel_u64(from + 8) : 1;
		if (words_mix(ss, n) == value)
			return true;
	}
	return !stack_words(ss, addr, n) && words_mix(ss, n) == value;
}

/* Does a kept frame still lead on as it did? */
static long kept_verify(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct kept_reads *r;

	if (!ss)
		return 1;
	r = &ss->kept.reads[(ss->resume - 1 - i) & (KEPT_FRAMES - 1)];
	if (!(r->at[0] & KEPT_NOT) && (!r->at[0] || read_again(ss, r->at[0], r->value[0])) &&
	    (!r->at[1] || read_again(ss, r->at[1], r->value[1])))
		return 0;
	ss->resume = 0;
	return 1;
}

/* The frames that were walked, outermost first: they count in the hash, and are kept. */
static long kept_push(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	struct walked *w = this_walked();
	u32 from, to, at;
	struct kept_frame *f;
	u64 frame;

	if (!ss || !w)
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
	if (!ss->keep)
		return 0;
	from &= KEPT_FRAMES - 1;
	to = (ss->resume + i) & (KEPT_FRAMES - 1);
	f = &ss->kept.frames[to];
	f->frame = frame;
	f->pos = w->kept.frames[from].pos;
	f->regs = w->kept.frames[from].regs;
	f->own = ss->own_addresses;
	f->hash = ss->frames;
	ss->kept.reads[to] = w->kept.reads[from];
	return 0;
}

/* To the frames that were walked, those that they were found to lead to. */
static long kept_append(u32 i, struct unwinding *u)
{
	struct stack_state *ss = u->ss;
	u32 at;

	if (!ss)
		return 1;
	at = ss->event.nkernel + ss->event.nuser;
	asm volatile("" : "+r"(at));
	if (at >= FS_STACK_FRAMES)
		return 1;
	ss->frames_at[at] = ss->kept.frames[(ss->resume - 1 - i) & (KEPT_FRAMES - 1)].frame;
	ss->event.nuser++;
	return 0;
}

/*
 * Walk the user part from the registers at hand; frames that are not walked because they are known are
 * ss->resume kept ones.
 */
static __always_inline void stack_unwind(struct stack_state *ss)
{
	struct unwinding u = { .ss = ss };
	struct walked *w = this_walked();

	if (w)
		w->task = (u64)bpf_get_current_task();
	ss->match = ss->nkept;
	bpf_loop(FS_STACK_USER + 1, unwind_frame, &u, 0);
	if (ss->resume) {
		ss->end = ss->kept_end;
		bpf_loop(ss->resume, kept_verify, &u, 0);
		if (!ss->resume) {
			ss->match = 0;
			bpf_loop(FS_STACK_USER + 1, unwind_frame, &u, 0);
		}
	}
	if (ss->torn || !stack_page_holds(ss)) {
		ss->end = FS_STACK_UNREADABLE;
		ss->keep = 0;
	}
	if (!w || w->task != (u64)bpf_get_current_task() || ss->end == FS_STACK_COPIED ||
	    ss->resume + ss->event.nuser > KEPT_FRAMES)
		ss->keep = 0;
}

#endif /* FS_UNWIND_BPF_H */
