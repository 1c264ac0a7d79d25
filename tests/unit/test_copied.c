/* SPDX-License-Identifier: GPL-2.0-only */
/* Copied stacks: made-up ones, unwound by a table of few rules. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "symbol/copied.h"

#define ARRAY_LEN(v) (sizeof(v) / sizeof(*(v)))
#define PAGE         (1ULL << FS_STACK_PAGE_SHIFT)

/* ---- code ------------------------------------------------------------------------------------- */

/* Functions of 256 bytes, each with one rule all over, in this order in the file. */
enum function {
	NO_RULE,
	BY_SP,     /* the caller is two words above sp */
	BY_FP,     /* the usual frame */
	BY_REG,    /* a word below where register 12 points */
	BY_LAST,   /* the same of the last register that there is */
	BY_BEYOND, /* and of the one behind it */
	BELOW,     /* the return address below sp */
	BACK,      /* the caller's sp below sp */
	REFUSED,
	SIGNAL,
	OUTERMOST,
	NFUNCTIONS
};

static const struct fs_unwind_rule rules[NFUNCTIONS] = {
	[BY_SP] = { .cfa = FS_CFA_SP, .cfa_offset = 16, .ra = FS_SAVED_CFA, .ra_offset = -8 },
	[BY_FP] = { .cfa = FS_CFA_FP,
		    .cfa_offset = 16,
		    .fp = FS_SAVED_CFA,
		    .fp_offset = -16,
		    .ra = FS_SAVED_CFA,
		    .ra_offset = -8 },
	[BY_REG] = { .cfa = FS_CFA_REG,
		     .arg = 12,
		     .cfa_offset = 16,
		     .ra = FS_SAVED_CFA,
		     .ra_offset = -8 },
	[BY_LAST] = { .cfa = FS_CFA_REG,
		      .arg = FS_STACK_REGISTERS - 1,
		      .cfa_offset = 16,
		      .ra = FS_SAVED_CFA,
		      .ra_offset = -8 },
	[BY_BEYOND] = { .cfa = FS_CFA_REG,
			.arg = FS_STACK_REGISTERS,
			.cfa_offset = 16,
			.ra = FS_SAVED_CFA,
			.ra_offset = -8 },
	[BELOW] = { .cfa = FS_CFA_SP, .cfa_offset = 16, .ra = FS_SAVED_CFA, .ra_offset = -32 },
	[BACK] = { .cfa = FS_CFA_SP, .cfa_offset = -16, .ra = FS_SAVED_CFA, .ra_offset = 24 },
	[REFUSED] = { .cfa = FS_CFA_UNSUPPORTED },
	[SIGNAL] = { .cfa = FS_CFA_SIGNAL },
	[OUTERMOST] = { .cfa = FS_CFA_END },
};

#define FILE_ID   5
#define CODE      0x400000
#define OFFSET    0x3000 /* in the file, of CODE */
#define JIT       0x500000
#define POINTERS  0x600000 /* a file without rows */
#define NOTHING   0x700000 /* one that cannot be read */
#define NO_TABLE  0x800000 /* one that has not been opened */
#define FAR       0x900000 /* an offset that has no room in a frame */
#define NOWHERE   0xa00000
#define MAPPING   0x10000
#define FUNCTION  0x100
#define NMAPPINGS 6

/* The address of a byte of a function. */
static __u64 in(enum function f, unsigned int at)
{
	return CODE + FUNCTION * f + at;
}

struct fixture {
	__u32 words[256];
	struct fs_unwind_rule rules[16];
	struct unwind_tables *t;
	struct unwind_code code[NMAPPINGS];
	struct fs_stack_event *ev;
	__u64 *frames, *registers, *copy;
	struct unwound out;
};

static void add_table(struct fixture *f, struct fs_unwind_table *out)
{
	struct fs_unwind_rule all[NFUNCTIONS];
	struct cfi_row rows[NFUNCTIONS];
	struct cfi cfi = { .rows = rows, .rules = all, .nrules = NFUNCTIONS };

	memcpy(all, rules, sizeof(all));
	for (unsigned int i = BY_SP; i < NFUNCTIONS; i++)
		rows[cfi.nrows++] = (struct cfi_row){ .offset = OFFSET + FUNCTION * i, .rule = i };
	rows[cfi.nrows++] = (struct cfi_row){ .offset = OFFSET + FUNCTION * NFUNCTIONS };
	f->t = unwind_tables__new(f->words, ARRAY_LEN(f->words), f->rules, ARRAY_LEN(f->rules));
	assert_non_null(f->t);
	assert_int_equal(unwind_tables__add(f->t, &cfi, out), 0);
}

static struct fixture *fixture__new(void)
{
	struct fixture *f = calloc(1, sizeof(*f));
	struct fs_unwind_table table;

	assert_non_null(f);
	add_table(f, &table);
	f->code[0] = (struct unwind_code){ CODE, OFFSET, FILE_ID, table };
	f->code[1] = (struct unwind_code){ .start = JIT, .offset = JIT };
	f->code[2] = (struct unwind_code){ POINTERS, 0, 6, { .kind = FS_UNWIND_FRAME_POINTERS } };
	f->code[3] = (struct unwind_code){ NOTHING, 0, 7, { .kind = FS_UNWIND_NOTHING } };
	f->code[4] = (struct unwind_code){ .start = NO_TABLE, .file_id = 8 };
	f->code[5] = (struct unwind_code){ FAR, 1ULL << FS_FRAME_OFFSET_BITS, 9, table };
	return f;
}

static void fixture__free(struct fixture *f)
{
	unwind_tables__free(f->t);
	free(f->ev);
	free(f);
}

static int code_at(void *ctx, const struct fs_stack_event *ev, __u64 addr, struct unwind_code *out)
{
	const struct fixture *f = ctx;

	assert_ptr_equal(ev, f->ev);
	for (size_t i = 0; i < NMAPPINGS; i++) {
		if (addr >= f->code[i].start && addr < f->code[i].start + MAPPING) {
			*out = f->code[i];
			return 0;
		}
	}
	return -ENOENT;
}

/* ---- events ----------------------------------------------------------------------------------- */

#define SP     0x7ffd00001000 /* begins a page */
#define KFRAME 0xffffffff81000000

static __u64 kernel_frame(unsigned int i)
{
	return KFRAME + i;
}

static __u64 user_frame(unsigned int i)
{
	return fs_frame(3, 0x1000 + i, 0, i > 0);
}

/* With a copy of this many bytes, all 0; no memory but what it has. */
static void event(struct fixture *f, __u16 nkernel, __u16 nuser, __u16 room, __u32 copied)
{
	size_t registers = copied ? FS_STACK_REGISTERS * sizeof(__u64) : 0;
	size_t size = sizeof(*f->ev) + room * sizeof(__u64) + registers + copied;

	free(f->ev);
	f->ev = calloc(1, size);
	assert_non_null(f->ev);
	f->ev->head = (struct fs_head){ .kind = FS_EVENT_STACK, .size = size };
	f->ev->nkernel = nkernel;
	f->ev->nuser = nuser;
	f->ev->room = room;
	f->ev->copied = copied;
	f->ev->end = copied ? FS_STACK_COPIED : FS_STACK_COMPLETE;
	f->frames = (__u64 *)(f->ev + 1);
	f->registers = f->frames + room;
	f->copy = f->registers + FS_STACK_REGISTERS;
	for (unsigned int i = 0; i < room; i++)
		f->frames[i] = 0xbad;
	for (unsigned int i = 0; i < nkernel; i++)
		f->frames[i] = kernel_frame(i);
	for (unsigned int i = 0; i < nuser; i++)
		f->frames[nkernel + i] = user_frame(i);
}

/* A copy from SP on, of a task at this place. */
static void copied_at(struct fixture *f, __u64 ip, __u32 copied)
{
	event(f, 0, 0, 4, copied);
	f->ev->regs = (struct fs_unwind_regs){ .ip = ip, .sp = SP };
}

static void unwind(struct fixture *f)
{
	const struct unwind_ops ops = { f, code_at };

	assert_true(stack_event_check(f->ev));
	memset(&f->out, 0xee, sizeof(f->out));
	unwind_event(f->t, f->ev, &ops, &f->out);
}

/* The user part alone, all places in CODE, by their addresses; the first is no caller. */
static void check(struct fixture *f, enum fs_stack_end end, const __u64 *at, size_t n)
{
	unwind(f);
	assert_int_equal(f->out.end, end);
	assert_int_equal(f->out.nkernel, 0);
	assert_int_equal(f->out.nuser, n);
	assert_false(f->out.own_addresses);
	for (size_t i = 0; i < n; i++)
		assert_int_equal(f->out.frames[i],
				 fs_frame(FILE_ID, at[i] - CODE + OFFSET, 0, i > 0));
}

#define CHECK(f, end, ...) \
	check(f, end, (const __u64[]){ __VA_ARGS__ }, ARRAY_LEN(((const __u64[]){ __VA_ARGS__ })))

/* ---- frames alone ----------------------------------------------------------------------------- */

static void check_frames(const struct fixture *f, __u16 nkernel, __u16 nuser)
{
	assert_int_equal(f->out.nkernel, nkernel);
	assert_true(f->out.nuser >= nuser);
	for (unsigned int i = 0; i < nkernel; i++)
		assert_int_equal(f->out.frames[i], kernel_frame(i));
	for (unsigned int i = 0; i < nuser; i++)
		assert_int_equal(f->out.frames[nkernel + i], user_frame(i));
}

static void test_frames(void **state)
{
	static const __u16 counts[][2] = {
		{ 0, 0 }, { 3, 0 }, { 0, 4 }, { 3, 4 }, { FS_STACK_KERNEL, FS_STACK_USER }
	};
	struct fixture *f = fixture__new();

	for (size_t i = 0; i < ARRAY_LEN(counts); i++) {
		__u16 nkernel = counts[i][0], nuser = counts[i][1];

		for (int end = 0; end < FS_STACK_END_NR; end++) {
			if (end == FS_STACK_COPIED)
				continue;
			/* a copy does not matter then */
			event(f, nkernel, nuser, nkernel + nuser, end % 2 * 64);
			f->ev->regs = (struct fs_unwind_regs){ .ip = in(BY_SP, 4), .sp = SP };
			f->ev->end = end;
			unwind(f);
			check_frames(f, nkernel, nuser);
			assert_int_equal(f->out.nuser, nuser);
			assert_int_equal(f->out.end, end);
			assert_false(f->out.own_addresses);
		}
	}
	/* those of the kernel are nobody's; an address at either end of the user's is */
	for (unsigned int at = 0; at < 3; at++) {
		event(f, 2, 3, 9, 0);
		f->frames[2 + at] = fs_frame(0, 0, JIT, at > 0);
		unwind(f);
		assert_int_equal(f->out.frames[2 + at], JIT | (at ? FS_FRAME_CALL : 0));
		assert_true(f->out.own_addresses);
	}
	fixture__free(f);
}

/* ---- copies ----------------------------------------------------------------------------------- */

/* BY_SP, called at the very end of BY_FP, called by the outermost. */
static void three_frames(struct fixture *f, __u32 copied)
{
	__u64 words[10] = {};

	copied_at(f, in(BY_SP, 4), copied);
	f->ev->regs.fp = SP + 0x40;
	words[1] = in(BY_FP, FUNCTION);
	words[8] = 0x1234; /* at fp: the outermost frame's */
	words[9] = in(OUTERMOST, 1);
	memcpy(f->copy, words, copied < sizeof(words) ? copied : sizeof(words));
}

#define THREE in(BY_SP, 4), in(BY_FP, FUNCTION), in(OUTERMOST, 1)

static void test_copy(void **state)
{
	struct fixture *f = fixture__new();

	three_frames(f, 256);
	CHECK(f, FS_STACK_COMPLETE, THREE);
	/* what a call returns to belongs to the caller, what is interrupted does not */
	copied_at(f, in(OUTERMOST, 0), 64);
	CHECK(f, FS_STACK_COMPLETE, in(OUTERMOST, 0));
	copied_at(f, in(BY_SP, FUNCTION - 1), 64);
	f->copy[1] = in(OUTERMOST, FUNCTION);
	CHECK(f, FS_STACK_COMPLETE, in(BY_SP, FUNCTION - 1), in(OUTERMOST, FUNCTION));
	/* there is no caller */
	copied_at(f, in(BY_SP, 4), 64);
	CHECK(f, FS_STACK_COMPLETE, in(BY_SP, 4));
	/* one below the other */
	copied_at(f, in(BACK, 4), 64);
	f->copy[1] = in(OUTERMOST, 1);
	CHECK(f, FS_STACK_UNREADABLE, in(BACK, 4));
	copied_at(f, in(REFUSED, 4), 64);
	CHECK(f, FS_STACK_UNSUPPORTED, in(REFUSED, 4));
	fixture__free(f);
}

/* What is unwound here comes behind what was there. */
static void test_appended(void **state)
{
	struct fixture *f = fixture__new();

	event(f, 3, 2, 9, 64);
	f->ev->regs = (struct fs_unwind_regs){ .ip = in(BY_SP, FUNCTION), .sp = SP };
	f->ev->call = 1;
	f->copy[1] = in(OUTERMOST, 1);
	unwind(f);
	check_frames(f, 3, 2);
	assert_int_equal(f->out.nuser, 4);
	assert_int_equal(f->out.frames[5],
			 fs_frame(FILE_ID, OFFSET + FUNCTION * (BY_SP + 1), 0, 1));
	assert_int_equal(f->out.frames[6],
			 fs_frame(FILE_ID, in(OUTERMOST, 1) - CODE + OFFSET, 0, 1));
	assert_int_equal(f->out.end, FS_STACK_COMPLETE);
	assert_false(f->out.own_addresses);
	/* one of the first is an address */
	f->frames[3] = JIT;
	unwind(f);
	assert_int_equal(f->out.nuser, 4);
	assert_true(f->out.own_addresses);
	fixture__free(f);
}

static void test_deep(void **state)
{
	struct fixture *f = fixture__new();

	event(f, FS_STACK_KERNEL, 0, FS_STACK_KERNEL, 16 * (FS_STACK_USER + 5));
	f->ev->regs = (struct fs_unwind_regs){ .ip = in(BY_SP, 4), .sp = SP };
	for (unsigned int i = 0; i < FS_STACK_USER + 5; i++)
		f->copy[2 * i + 1] = in(BY_SP, 8);
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_DEEP);
	assert_int_equal(f->out.nuser, FS_STACK_USER);
	check_frames(f, FS_STACK_KERNEL, 0);
	assert_int_equal(f->out.frames[FS_STACK_FRAMES - 1],
			 fs_frame(FILE_ID, in(BY_SP, 8) - CODE + OFFSET, 0, 1));
	/* as many as there may be */
	f->copy[2 * (FS_STACK_USER - 1) + 1] = 0;
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_COMPLETE);
	assert_int_equal(f->out.nuser, FS_STACK_USER);
	fixture__free(f);
}

static void test_short(void **state)
{
	struct fixture *f = fixture__new();

	for (__u32 copied = 1; copied < 100; copied++) {
		three_frames(f, copied);
		if (copied < 0x10)
			CHECK(f, FS_STACK_COPY_SHORT, in(BY_SP, 4));
		else if (copied < 0x50)
			CHECK(f, FS_STACK_COPY_SHORT, in(BY_SP, 4), in(BY_FP, FUNCTION));
		else
			CHECK(f, FS_STACK_COMPLETE, THREE);
	}
	/* by frame pointers too */
	copied_at(f, in(NO_RULE, 4), 64);
	f->ev->regs.fp = SP + 56;
	CHECK(f, FS_STACK_COPY_SHORT, in(NO_RULE, 4));
	f->ev->regs.fp = SP + 64;
	CHECK(f, FS_STACK_COPY_SHORT, in(NO_RULE, 4));
	/* what is below sp no copy has, however long it is */
	copied_at(f, in(BELOW, 4), 64);
	CHECK(f, FS_STACK_UNREADABLE, in(BELOW, 4));
	/* at the end of all addresses */
	copied_at(f, in(BY_FP, 4), 64);
	f->ev->regs.fp = -32ULL;
	CHECK(f, FS_STACK_COPY_SHORT, in(BY_FP, 4));
	fixture__free(f);
}

/* ---- pages ------------------------------------------------------------------------------------ */

/* sp is near the end of its page; the frame at fp begins with the last word of the next. */
static void over_pages(struct fixture *f, __u64 pages)
{
	copied_at(f, in(BY_SP, 4), 4 * PAGE);
	f->ev->regs.sp = SP + PAGE - 16;
	f->ev->regs.fp = SP + 2 * PAGE - 8;
	f->ev->pages = pages;
	f->copy[PAGE / 8 - 1] = in(BY_FP, FUNCTION);
	f->copy[2 * PAGE / 8] = in(OUTERMOST, 1);
}

static void test_pages(void **state)
{
	struct fixture *f = fixture__new();

	for (__u64 pages = 1; pages < 16; pages++) {
		over_pages(f, pages);
		if (!(pages & 1))
			CHECK(f, FS_STACK_COPY_SHORT, in(BY_SP, 4));
		else if ((pages & 6) != 6)
			CHECK(f, FS_STACK_COPY_SHORT, in(BY_SP, 4), in(BY_FP, FUNCTION));
		else
			CHECK(f, FS_STACK_COMPLETE, THREE);
	}
	/* without pages the copy begins at sp */
	copied_at(f, in(BY_SP, 4), PAGE);
	f->ev->regs.sp = SP + PAGE - 16;
	f->copy[1] = in(OUTERMOST, 1);
	CHECK(f, FS_STACK_COMPLETE, in(BY_SP, 4), in(OUTERMOST, 1));
	fixture__free(f);
}

/* As many pages as there are bits. */
static void test_last_page(void **state)
{
	struct fixture *f = fixture__new();

	for (int there = 0; there < 2; there++) {
		copied_at(f, in(BY_FP, 4), 64 * PAGE);
		f->ev->regs.fp = SP + 64 * PAGE - 16;
		f->ev->pages = there ? 1ULL << 63 : ~0ULL >> 1;
		f->copy[64 * PAGE / 8 - 1] = in(OUTERMOST, 1);
		if (there)
			CHECK(f, FS_STACK_COMPLETE, in(BY_FP, 4), in(OUTERMOST, 1));
		else
			CHECK(f, FS_STACK_COPY_SHORT, in(BY_FP, 4));
	}
	f->ev->regs.fp = SP + 64 * PAGE - 8;
	CHECK(f, FS_STACK_COPY_SHORT, in(BY_FP, 4));
	fixture__free(f);
}

/* ---- registers -------------------------------------------------------------------------------- */

static void test_registers(void **state)
{
	struct fixture *f = fixture__new();
	const __u64 by[] = { in(BY_REG, 4), in(BY_LAST, 4), in(BY_BEYOND, 4) };
	const unsigned int number[] = { 12, FS_STACK_REGISTERS - 1, FS_STACK_REGISTERS };

	for (size_t i = 0; i < ARRAY_LEN(by); i++) {
		copied_at(f, by[i], 128);
		f->registers[number[i]] =
			SP + 0x20; /* of those beyond: what the copy begins with */
		f->copy[5] = in(OUTERMOST, 1);
		if (number[i] < FS_STACK_REGISTERS)
			CHECK(f, FS_STACK_COMPLETE, by[i], in(OUTERMOST, 1));
		else
			CHECK(f, FS_STACK_UNSUPPORTED, by[i]);
	}
	/* one that is not known */
	copied_at(f, in(BY_REG, 4), 128);
	CHECK(f, FS_STACK_UNSUPPORTED, in(BY_REG, 4));
	/* one that leads beyond the copy */
	f->registers[12] = SP + 128 - 8;
	CHECK(f, FS_STACK_COPY_SHORT, in(BY_REG, 4));
	fixture__free(f);
}

static void copied_registers(struct fixture *f, __u64 ip)
{
	copied_at(f, ip, 1024);
	for (unsigned int i = 0; i < FS_STACK_REGISTERS; i++)
		f->registers[i] = SP + 0x300;
	f->copy[0x308 / 8] = in(OUTERMOST, 1);
}

/* The registers are those of the first frame, and of no other. */
static void test_later_registers(void **state)
{
	struct fixture *f = fixture__new();

	copied_registers(f, in(BY_REG, 4));
	CHECK(f, FS_STACK_COMPLETE, in(BY_REG, 4), in(OUTERMOST, 1));
	/* a caller */
	copied_registers(f, in(BY_SP, 4));
	f->copy[1] = in(BY_REG, 8);
	CHECK(f, FS_STACK_UNSUPPORTED, in(BY_SP, 4), in(BY_REG, 8));
	/* the first one here, but there are frames before it: the kernel walked to it, over a signal */
	copied_registers(f, in(BY_REG, 4));
	f->ev->nuser = 2;
	f->frames[0] = user_frame(0);
	f->frames[1] = user_frame(1);
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_UNSUPPORTED);
	assert_int_equal(f->out.nuser, 3);
	/* frames of the kernel do not matter */
	copied_registers(f, in(BY_REG, 4));
	f->ev->nkernel = 2;
	f->frames[0] = kernel_frame(0);
	f->frames[1] = kernel_frame(1);
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_COMPLETE);
	assert_int_equal(f->out.nuser, 2);
	check_frames(f, 2, 0);
	fixture__free(f);
}

#if defined(__aarch64__)
#define SIGNAL_FP 544
#define SIGNAL_SP 560
#else /* struct rt_sigframe, see unwind_step.h */
#define SIGNAL_FP 120
#define SIGNAL_SP 160
#endif

/* What a signal interrupted is no caller: its ip is looked up as it is; its registers are gone. */
static void test_signal(void **state)
{
	static const enum function interrupted[] = { BY_SP, BY_FP, BY_REG };
	struct fixture *f = fixture__new();

	for (size_t i = 0; i < ARRAY_LEN(interrupted); i++) {
		const __u64 ip = in(interrupted[i], 0);
		const __u64 frame = fs_frame(FILE_ID, ip - CODE + OFFSET, 0, 0);

		copied_registers(f, in(SIGNAL, 4));
		f->copy[SIGNAL_SP / 8] = SP + 0x300;
		f->copy[SIGNAL_SP / 8 + 1] = ip;
		f->copy[SIGNAL_FP / 8] = SP + 0x300;
		unwind(f);
		assert_int_equal(f->out.nuser, interrupted[i] == BY_REG ? 2 : 3);
		assert_int_equal(f->out.frames[1], frame);
		assert_int_equal(f->out.end, interrupted[i] == BY_REG ? FS_STACK_UNSUPPORTED :
									FS_STACK_COMPLETE);
	}
	copied_at(f, in(SIGNAL, 4), SIGNAL_SP + 15);
	CHECK(f, FS_STACK_COPY_SHORT, in(SIGNAL, 4));
	fixture__free(f);
}

/* ---- other code ------------------------------------------------------------------------------- */

static void check_first(struct fixture *f, __u64 ip, enum fs_stack_end end, __u64 frame)
{
	copied_at(f, ip, 64);
	f->copy[1] = in(OUTERMOST, 1);
	unwind(f);
	assert_int_equal(f->out.end, end);
	assert_int_equal(f->out.nuser, 1);
	assert_int_equal(f->out.frames[0], frame);
	assert_int_equal(f->out.own_addresses, !(frame & FS_FRAME_FILE));
}

static void test_not_code(void **state)
{
	struct fixture *f = fixture__new();

	/* a wild jump: where to is all that is known, and no bit of it makes it a place in a file */
	check_first(f, NOWHERE, FS_STACK_NOT_CODE, NOWHERE);
	check_first(f, ~0ULL, FS_STACK_NOT_CODE, FS_FRAME_CALL - 1);
	check_first(f, CODE - 1, FS_STACK_NOT_CODE, CODE - 1);
	/* a return address that is none does not become a frame */
	copied_at(f, in(BY_SP, 4), 64);
	f->copy[1] = NOWHERE;
	CHECK(f, FS_STACK_NOT_CODE, in(BY_SP, 4));
	f->copy[1] = CODE; /* the call was before it */
	CHECK(f, FS_STACK_NOT_CODE, in(BY_SP, 4));
	f->copy[1] = NO_TABLE + MAPPING; /* but this is right behind a call */
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_NO_RULE);
	assert_int_equal(f->out.frames[1], fs_frame(8, MAPPING, 0, 1));
	/* nor does it behind frames that the kernel found */
	event(f, 0, 2, 2, 64);
	f->ev->regs = (struct fs_unwind_regs){ .ip = NOWHERE, .sp = SP };
	f->ev->call = 1;
	unwind(f);
	assert_int_equal(f->out.end, FS_STACK_NOT_CODE);
	assert_int_equal(f->out.nuser, 2);
	assert_false(f->out.own_addresses);
	fixture__free(f);
}

static void test_without_rules(void **state)
{
	struct fixture *f = fixture__new();

	check_first(f, NOTHING + 4, FS_STACK_NO_RULE, fs_frame(7, 4, 0, 0));
	check_first(f, NO_TABLE + 4, FS_STACK_NO_RULE, fs_frame(8, 4, 0, 0));
	/* by frame pointers, of which there is none */
	check_first(f, POINTERS + 4, FS_STACK_COMPLETE, fs_frame(6, 4, 0, 0));
	check_first(f, JIT + 4, FS_STACK_COMPLETE, JIT + 4);
	/* the file has a table, the frame has no room for the offset */
	check_first(f, FAR + 4, FS_STACK_COMPLETE, FAR + 4);
	fixture__free(f);
}

static void test_frame_pointers(void **state)
{
	static const __u64 code[] = { JIT, POINTERS, CODE };
	struct fixture *f = fixture__new();

	for (size_t i = 0; i < ARRAY_LEN(code); i++) {
		copied_at(f, code[i] + 4, 128);
		f->ev->regs.fp = SP + 0x20;
		f->copy[4] = SP + 0x40;
		f->copy[5] = code[i] + 8;
		f->copy[8] = 0;
		f->copy[9] = in(OUTERMOST, 1);
		unwind(f);
		assert_int_equal(f->out.end, FS_STACK_COMPLETE);
		assert_int_equal(f->out.nuser, 3);
		assert_int_equal(f->out.own_addresses, code[i] == JIT);
		assert_int_equal(f->out.frames[2],
				 fs_frame(FILE_ID, in(OUTERMOST, 1) - CODE + OFFSET, 0, 1));
		if (code[i] == JIT)
			assert_int_equal(f->out.frames[1], (JIT + 8) | FS_FRAME_CALL);
		/* one that does not point upwards, or between words */
		f->ev->regs.fp = SP - 8;
		unwind(f);
		assert_int_equal(f->out.end, FS_STACK_NO_RULE);
		f->ev->regs.fp = SP + 0x21;
		unwind(f);
		assert_int_equal(f->out.end, FS_STACK_NO_RULE);
		assert_int_equal(f->out.nuser, 1);
	}
	fixture__free(f);
}

/* ---- sizes ------------------------------------------------------------------------------------ */

/* As large as it says, and not a byte more. */
static struct fs_stack_event sample(void)
{
	return (struct fs_stack_event){
		.head.size = sizeof(struct fs_stack_event) + 8 * (10 + FS_STACK_REGISTERS) + 64,
		.nkernel = 3,
		.nuser = 7,
		.end = FS_STACK_COPIED,
		.room = 10,
		.copied = 64,
	};
}

/* The sample, with a field that is another. */
#define CHECK_FIELD(wanted, field, value)                          \
	do {                                                       \
		struct fs_stack_event ev_ = sample();              \
		ev_.field = value;                                 \
		assert_int_equal(stack_event_check(&ev_), wanted); \
	} while (0)

static void test_sizes(void **state)
{
	const __u32 size = sample().head.size;

	CHECK_FIELD(true, head.size, size);
	CHECK_FIELD(true, head.size, size + 1);
	CHECK_FIELD(true, head.size, UINT32_MAX);
	CHECK_FIELD(false, head.size, size - 1);
	CHECK_FIELD(false, head.size, size - 64);
	CHECK_FIELD(false, head.size, sizeof(struct fs_stack_event));
	CHECK_FIELD(false, head.size, sizeof(struct fs_stack_event) - 1);
	CHECK_FIELD(false, head.size, 0);
	CHECK_FIELD(false, room, 11);
	CHECK_FIELD(false, room, UINT16_MAX);
	CHECK_FIELD(false, room, 9); /* less than there are frames */
	CHECK_FIELD(false, room, 0);
	CHECK_FIELD(false, nkernel, 4);
	CHECK_FIELD(false, nkernel, UINT16_MAX);
	CHECK_FIELD(true, nkernel, 0);
	CHECK_FIELD(false, nuser, 8);
	CHECK_FIELD(false, nuser, UINT16_MAX - 2); /* 0 in 16 bits */
	CHECK_FIELD(true, nuser, 0);
	CHECK_FIELD(false, copied, 65);
	CHECK_FIELD(false, copied, UINT32_MAX);
	CHECK_FIELD(true, copied, 63);
	CHECK_FIELD(true, pages, ~0ULL);
	for (int end = 0; end <= UINT8_MAX; end++)
		CHECK_FIELD(end < FS_STACK_END_NR, end, end);
}

/* Without a copy there are no registers, with the smallest there are. */
static void test_sizes_of_registers(void **state)
{
	struct fs_stack_event ev = sample();

	ev.end = FS_STACK_COMPLETE;
	ev.copied = 0;
	ev.head.size = sizeof(ev) + 8 * 10;
	assert_true(stack_event_check(&ev));
	ev.head.size--;
	assert_false(stack_event_check(&ev));
	/* they are looked at in a copy of nothing as well */
	ev.end = FS_STACK_COPIED;
	ev.head.size = sizeof(ev) + 8 * (10 + FS_STACK_REGISTERS) - 1;
	assert_false(stack_event_check(&ev));
	ev.head.size++;
	assert_true(stack_event_check(&ev));
	ev.copied = 1;
	assert_false(stack_event_check(&ev));
	ev.head.size++;
	assert_true(stack_event_check(&ev));
	ev.copied = 2;
	assert_false(stack_event_check(&ev));
}

/* More than a stack has room for when it is unwound, though the event has it all. */
static void test_limits(void **state)
{
	struct fs_stack_event ev = sample();

	ev.room = 1000;
	ev.head.size = 1 << 20;
	ev.nkernel = FS_STACK_KERNEL;
	ev.nuser = FS_STACK_USER;
	assert_true(stack_event_check(&ev));
	ev.nkernel++;
	assert_false(stack_event_check(&ev));
	ev.nkernel = 0;
	ev.nuser++;
	assert_false(stack_event_check(&ev));
	ev.nuser = 0;
	/* more pages than bits */
	ev.copied = 64 * PAGE;
	ev.pages = 1;
	assert_true(stack_event_check(&ev));
	ev.copied++;
	assert_false(stack_event_check(&ev));
	ev.pages = 0;
	assert_true(stack_event_check(&ev));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_frames),
		cmocka_unit_test(test_copy),
		cmocka_unit_test(test_appended),
		cmocka_unit_test(test_deep),
		cmocka_unit_test(test_short),
		cmocka_unit_test(test_pages),
		cmocka_unit_test(test_last_page),
		cmocka_unit_test(test_registers),
		cmocka_unit_test(test_later_registers),
		cmocka_unit_test(test_signal),
		cmocka_unit_test(test_not_code),
		cmocka_unit_test(test_without_rules),
		cmocka_unit_test(test_frame_pointers),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_sizes_of_registers),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
