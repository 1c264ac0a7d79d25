/* SPDX-License-Identifier: GPL-2.0-only */
/* Between the files that compile .eh_frame: cfi.c and cfi_*.c. */
#ifndef FS_CFI_IMPL_H
#define FS_CFI_IMPL_H

#include <stdbool.h>
#include <string.h>

#include "symbol/cfi.h"
#include "symbol/rule_set.h"

/* ---- bytes ------------------------------------------------------------------------------------ */

/* Bytes that are being read. Beyond the end there are zeroes, and then it is bad. */
struct bytes {
	const __u8 *at, *end;
	bool bad;
};

static inline size_t bytes__left(const struct bytes *b)
{
	return b->end - b->at;
}

/* The next n bytes, or NULL. */
static inline const __u8 *bytes__take(struct bytes *b, __u64 n)
{
	const __u8 *p = b->at;

	if (n > bytes__left(b)) {
		b->bad = true;
		b->at = b->end;
		return NULL;
	}
	b->at += n;
	return p;
}

/* Little endian, as this machine is: see cfi_object.c. */
static inline __u64 bytes__fixed(struct bytes *b, size_t size)
{
	const __u8 *p = bytes__take(b, size);
	__u64 v = 0;

	if (p)
		memcpy(&v, p, size);
	return v;
}

static inline __u8 bytes__u8(struct bytes *b)
{
	const __u8 *p = bytes__take(b, 1);

	return p ? *p : 0;
}

/* A LEB128 number, signed or not: its bits, and how many they are. */
static inline __u64 bytes__leb(struct bytes *b, int *bits, __u8 *last)
{
	__u64 v = 0;
	int shift = 0;

	do {
		*last = bytes__u8(b);
		if (shift < 64)
			v |= (__u64)(*last & 0x7f) << shift;
		shift += shift < 64 ? 7 : 0;
	} while (*last & 0x80);
	*bits = shift;
	return v;
}

static inline __u64 bytes__uleb(struct bytes *b)
{
	__u8 last;
	int bits;

	return bytes__leb(b, &bits, &last);
}

static inline __s64 bytes__sleb(struct bytes *b)
{
	__u8 last;
	int bits;
	__u64 v = bytes__leb(b, &bits, &last);

	return bits < 64 && (last & 0x40) ? v | ~0ULL << bits : v;
}

/* ---- the object (cfi_object.c) ---------------------------------------------------------------- */

/* Where an object is read from: memory, or else an open file. */
struct cfi_source {
	const __u8 *image;
	int fd;
	__u64 size;
	void (*meanwhile)(void *ctx); /* or NULL, see cfi__read_while() */
	void *ctx;
};

/* A PT_LOAD, as far as it is in the file. */
struct cfi_segment {
	__u64 offset, vaddr, size;
	bool exec;
};

struct cfi_object {
	__u16 machine;
	size_t nsegments;
	struct cfi_segment *segments;
	size_t size; /* of .eh_frame */
	__u8 *eh_frame;
	__u64 vaddr;   /* its address */
	bool open_end; /* its size was not said: it ends with the first length of 0 */
};

/* Read headers and .eh_frame. 0 or the error of cfi__read(). To be freed in any case. */
int cfi_object__read(struct cfi_object *o, const struct cfi_source *source);
void cfi_object__free(struct cfi_object *o);

/* The executable segment that has the code at an address, or NULL. */
const struct cfi_segment *cfi_object__code(const struct cfi_object *o, __u64 vaddr);

/* The executable segment at an offset of the file, or NULL. */
const struct cfi_segment *cfi_object__code_at(const struct cfi_object *o, __u64 offset);

/* Copy bytes of the source; false where it has not got them. */
bool cfi_source__copy(const struct cfi_source *source, __u64 offset, void *buf, size_t size);

/* ---- entries (cfi_entry.c) -------------------------------------------------------------------- */

/* Where the caller's register is; unset is said of a register of which nothing is said. */
enum cfi_how {
	CFI_UNSET,
	CFI_UNDEFINED,
	CFI_SAME,
	CFI_OFFSET,
	CFI_VAL_OFFSET,
	CFI_REGISTER,
	CFI_EXPRESSION,
	CFI_VAL_EXPRESSION,
};

/* An expression is of the section's bytes. */
struct cfi_expression {
	const __u8 *at;
	size_t size;
};

struct cfi_register {
	enum cfi_how how;
	__s64 offset;
	struct cfi_expression expression;
};

/* The registers that count: where the others are does not matter to the callers' frames. */
enum cfi_reg {
	CFI_FP,
	CFI_RA,
	CFI_SP,
	CFI_NREGS,
};

#define CFI_NO_REGISTER (~0ULL)

struct cfi_state {
	__u64 cfa_reg; /* DWARF's number, CFI_NO_REGISTER: nothing is said yet */
	__s64 cfa_offset;
	struct cfi_expression cfa; /* where its .at is set, instead of register and offset */
	struct cfi_register regs[CFI_NREGS];
};

struct cfi_cie {
	size_t at; /* where it begins in the section */
	bool usable;
	__u16 machine;
	__u64 code_align;
	__s64 data_align;
	__u8 encoding;  /* DW_EH_PE_* of addresses */
	bool augmented; /* FDEs have augmentation data */
	bool moved_ra;  /* the return address is in another register than the architecture's */
	bool signal;    /* its FDEs are of frames to which signal handlers return */
	struct cfi_state initial;
};

struct cfi_fde {
	__u64 start; /* its code: offsets in the file */
	__u32 size;
	__u32 cie;                  /* index */
	__u32 program, program_end; /* its instructions, in the section */
};

struct cfi_entries {
	size_t ncies, cie_room;
	struct cfi_cie *cies; /* by where they begin */
	size_t nfdes, fde_room;
	struct cfi_fde *fdes;
};

/*
 * All entries of the section that can be used, FDEs in the order of their code. 0, or -ENOMEM,
 * -EFBIG. To be freed in any case.
 */
int cfi_entries__read(struct cfi_entries *e, const struct cfi_object *o);
void cfi_entries__free(struct cfi_entries *e);

/*
 * A pointer of .eh_frame or its header, as DW_EH_PE_* says; `vaddr` is the address of b->at. What
 * does not occur in the places that are read here (indirect pointers, those relative to text, data
 * or functions) makes b bad. *raw, where asked for: as it is written, 0 being no address at all.
 */
__u64 cfi_pointer(struct bytes *b, __u8 encoding, __u64 vaddr, __u64 *raw);

/* ---- programs (cfi_program.c) ----------------------------------------------------------------- */

/* Rows as they come, in ascending order. */
struct cfi_rows {
	size_t n, room;
	struct cfi_row *v;
	size_t added; /* by cfi_rows__add() */
	struct rule_set rules;
};

/*
 * A row begins at this offset; one that begins there already is replaced. 0, or -ENOMEM, -EFBIG. A
 * rule for which there is no room is FS_CFA_NONE.
 */
int cfi_rows__add(struct cfi_rows *rows, __u64 offset, const struct fs_unwind_rule *rule);

/* Run a CIE's instructions, which give the state that FDEs begin with. False: they are wrong. */
bool cfi_program__begin(struct cfi_cie *cie, struct bytes instructions);

/*
 * Run an FDE's instructions and add its rows, those before the offset `from` as if they began
 * there. What follows an instruction that makes no sense is unsupported. 0 or the error of
 * cfi_rows__add().
 */
int cfi_program__run(const struct cfi_cie *cie, const struct cfi_fde *fde,
		     const struct cfi_object *o, __u64 from, struct cfi_rows *rows);

/* ---- what has no entry (cfi_crt.c) ------------------------------------------------------------ */

/*
 * Add rows for the C runtime's own code where [start, end) of the file, of which no entry speaks, holds
 * any; last: nothing follows in the segment. 0 or the error of cfi_rows__add().
 */
int cfi_crt__gap(const struct cfi_object *o, const struct cfi_source *source, __u64 start,
		 __u64 end, bool last, struct cfi_rows *rows);

/* ---- rules (cfi_rule.c) ----------------------------------------------------------------------- */

/* DWARF's numbers of registers: System V ABI, AMD64 supplement, 3.6.2; DWARF for AArch64, 4.1. */
enum {
	X86_RBP = 6,
	X86_RSP = 7,
	X86_RIP = 16,
	ARM64_X29 = 29,
	ARM64_X30 = 30,
	ARM64_SP = 31,
};

/* The rule of a state. */
void cfi_rule__of(const struct cfi_cie *cie, const struct cfi_state *state,
		  struct fs_unwind_rule *rule);

#endif /* FS_CFI_IMPL_H */
