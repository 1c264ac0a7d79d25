/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Code that every program and library has and no entry speaks of: _init and _fini, put together by
 * the linker from crti.o and crtn.o (glibc, sysdeps/ARCH/crti.S), and what GCC's crtstuff.c puts
 * before a program's own text, which is compiled without unwind tables. Each library that is loaded
 * faults in them. They are known by their instructions; what is not known stays without a row.
 */
#include <elf.h>

#include "symbol/cfi_impl.h"

#define GAP_MAX   4096
#define SMALLEST  9   /* bytes of a _fini */
#define CRT_BYTES 256 /* crtstuff has no more, before and behind what is looked for */

struct gap {
	__u64 offset; /* in the file */
	size_t size;
	__u8 code[GAP_MAX];
};

static const struct fs_unwind_rule none = { .cfa = FS_CFA_NONE };

/* ---- x86-64 ----------------------------------------------------------------------------------- */

static struct fs_unwind_rule x86_rule(__u8 cfa, int offset, bool pushed)
{
	return (struct fs_unwind_rule){ .cfa = cfa,
					.fp = pushed ? FS_SAVED_CFA : FS_SAVED_SAME,
					.ra = FS_SAVED_CFA,
					.cfa_offset = offset,
					.fp_offset = pushed ? -16 : 0,
					.ra_offset = -8 };
}

static int add_x86(struct cfi_rows *rows, const struct gap *g, size_t at, __u8 cfa, int offset,
		   bool pushed)
{
	struct fs_unwind_rule rule = x86_rule(cfa, offset, pushed);

	return cfi_rows__add(rows, g->offset + at, &rule);
}

/* Where bytes are found in [from, to) of the code; `any` stands for any byte. -1: nowhere. */
#define ANY 0x100

static long find(const struct gap *g, size_t from, size_t to, const short *want, size_t n)
{
	for (size_t at = from; at + n <= to; at++) {
		size_t i = 0;

		while (i < n && (want[i] == ANY || want[i] == g->code[at + i]))
			i++;
		if (i == n)
			return at;
	}
	return -1;
}

#define FIND(g, from, to, want) find(g, from, to, want, sizeof(want) / sizeof((want)[0]))

/* sub $8,%rsp … add $8,%rsp; ret: _init, _fini. *end: behind it; 0: none begins at `at`. */
static int x86_init(const struct gap *g, size_t at, struct cfi_rows *rows, size_t *end)
{
	static const short endbr[] = { 0xf3, 0x0f, 0x1e, 0xfa };
	static const short sub[] = { 0x48, 0x83, 0xec, 0x08 };
	static const short leave[] = { 0x48, 0x83, 0xc4, 0x08, 0xc3 };
	size_t entry = at, most = at + 64 < g->size ? at + 64 : g->size;
	long add;
	int err;

	*end = 0;
	if (FIND(g, at, most, endbr) == (long)at)
		at += 4;
	if (FIND(g, at, most, sub) != (long)at)
		return 0;
	add = FIND(g, at + 4, most, leave);
	if (add < 0)
		return 0;
	err = add_x86(rows, g, entry, FS_CFA_SP, 8, false);
	if (!err)
		err = add_x86(rows, g, at + 4, FS_CFA_SP, 16, false);
	if (!err)
		err = add_x86(rows, g, add + 4, FS_CFA_SP, 8, false);
	if (!err)
		err = cfi_rows__add(rows, g->offset + add + 5, &none);
	*end = add + 5;
	return err;
}

/*
 * deregister_tm_clones, register_tm_clones, __do_global_dtors_aux and frame_dummy: but for the third,
 * which is looked for, they leave the stack alone. It is cmpb $0,completed; jne; push %rbp; …
 * mov %rsp,%rbp; …; pop %rbp; ret.
 */
static int x86_crtstuff(const struct gap *g, struct cfi_rows *rows)
{
	static const short enter[] = { 0x80, 0x3d, ANY, ANY, ANY, ANY, 0x00, 0x75, ANY, 0x55 };
	static const short frame[] = { 0x48, 0x89, 0xe5 };
	static const short leave[] = { 0x5d, 0xc3 };
	static const short dummy[] = { 0xf3, 0x0f, 0x1e, 0xfa, 0xe9, ANY, ANY, ANY, ANY };
	size_t most = g->size < 2 * CRT_BYTES ? g->size : 2 * CRT_BYTES;
	long at = FIND(g, 0, most, enter), push, move, pop, end;
	int err;

	if (at < 0)
		return 0;
	push = at + 9;
	move = FIND(g, push + 1, most, frame);
	pop = move < 0 ? -1 : FIND(g, move + 3, most, leave);
	if (pop < 0 || pop - push > CRT_BYTES)
		return 0;
	err = add_x86(rows, g, at > CRT_BYTES ? at - 4 : 0, FS_CFA_SP, 8, false);
	if (!err)
		err = add_x86(rows, g, push + 1, FS_CFA_SP, 16, true);
	if (!err)
		err = add_x86(rows, g, move + 3, FS_CFA_FP, 16, true);
	if (!err)
		err = add_x86(rows, g, pop + 1, FS_CFA_SP, 8, false);
	/* frame_dummy follows, which is a jump; then the program's own code */
	end = FIND(g, pop + 2, pop + 40 < (long)most ? (size_t)pop + 40 : most, dummy);
	if (!err)
		err = cfi_rows__add(rows, g->offset + (end < 0 ? pop + 2 : end + 9), &none);
	return err;
}

static int x86_gap(const struct gap *g, struct cfi_rows *rows)
{
	size_t end = 0;
	int err = x86_init(g, 0, rows, &end);

	if (!err && !end)
		err = x86_crtstuff(g, rows);
	return err;
}

/* _fini begins at a multiple of 4 in the padding behind the last function. */
static int x86_fini(const struct gap *g, struct cfi_rows *rows)
{
	size_t end = 0;
	int err = 0;

	for (size_t at = -g->offset & 3; !err && !end && at + SMALLEST <= g->size; at += 4)
		err = x86_init(g, at, rows, &end);
	return err;
}

/* ---- arm64 ------------------------------------------------------------------------------------ */

#define STP_PUSH      0xa9807bfdU /* stp x29, x30, [sp, #-N]!; N / 8 is in bits 15 to 21 */
#define LDP_POP       0xa8c07bfdU /* ldp x29, x30, [sp], #N */
#define PAIR_MASK     0xffc07fffU
#define ARM64_CRT_MAX 512

/* add or sub to sp of a constant */
static bool arm64_moves_sp(__u32 word)
{
	return (word & 0xbf80001f) == 0x9100001f;
}

/* Functions that have a frame by a pair of these, or none at all. */
static int arm64_gap(const struct gap *g, struct cfi_rows *rows)
{
	struct fs_unwind_rule leaf = { .cfa = FS_CFA_SP, .fp = FS_SAVED_SAME, .ra = FS_SAVED_SAME };
	size_t most = g->size < ARM64_CRT_MAX ? g->size & ~3UL : 0;
	__u32 word;
	int err;

	for (size_t at = 0; at + 4 <= most; at += 4) {
		memcpy(&word, g->code + at, sizeof(word));
		if (arm64_moves_sp(word))
			return 0;
	}
	err = most ? cfi_rows__add(rows, g->offset, &leaf) : 0;
	for (size_t at = 0; !err && at + 4 <= most; at += 4) {
		memcpy(&word, g->code + at, sizeof(word));
		if ((word & PAIR_MASK) == STP_PUSH) {
			int n = -8 * ((int)(word << 10) >> 25);
			struct fs_unwind_rule frame = { .cfa = FS_CFA_SP,
							.fp = FS_SAVED_CFA,
							.ra = FS_SAVED_CFA,
							.cfa_offset = n,
							.fp_offset = -n,
							.ra_offset = 8 - n };

			if (n <= 0)
				continue;
			err = cfi_rows__add(rows, g->offset + at + 4, &frame);
		} else if ((word & PAIR_MASK) == LDP_POP) {
			err = cfi_rows__add(rows, g->offset + at + 4, &leaf);
		}
	}
	return err;
}

/* ---- both ------------------------------------------------------------------------------------- */

int cfi_crt__gap(const struct cfi_object *o, const struct cfi_source *source, __u64 start,
		 __u64 end, bool last, struct cfi_rows *rows)
{
	struct gap g = { .offset = start };

	if (end - start < SMALLEST || (!last && end - start < 16))
		return 0;
	g.size = end - start < GAP_MAX ? end - start : GAP_MAX;
	if (!cfi_source__copy(source, start, g.code, g.size))
		return 0;
	if (o->machine == EM_AARCH64)
		return last ? 0 : arm64_gap(&g, rows);
	return last ? x86_fini(&g, rows) : x86_gap(&g, rows);
}
