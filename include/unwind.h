/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Unwinding without frame pointers, as the kernel side and the loader share it: rules, the tables
 * that lead from a place in a file to its rule, and one step from a frame to its caller.
 *
 * A rule says how the caller's registers are found at an instruction: the compact form of a row of
 * .eh_frame (DWARF 5, section 6.4; the psABIs of x86-64 and AArch64 give the registers their
 * numbers). Rules are shared by all files. A table belongs to a file and is looked up by offset in
 * the file: a list of buckets, each of 1 << FS_UNWIND_BUCKET_SHIFT bytes of the file, says where in
 * one array of words the rows of the bucket begin; its rows end where those of the next bucket
 * begin. A row is a word, fs_unwind_row(): it holds from its offset to that of the next row. The
 * rows of a bucket are sorted, and the first one of a bucket that has any is for offset 0, so that
 * no search leaves its bucket. A bucket without rows, and places outside of all buckets, have rule 0.
 *
 * Include <linux/types.h> or vmlinux.h first.
 */
#ifndef FS_UNWIND_H
#define FS_UNWIND_H

#define FS_UNWIND_BUCKET_SHIFT 10
#define FS_UNWIND_SEARCH_STEPS (FS_UNWIND_BUCKET_SHIFT + 1)
#define FS_UNWIND_MAX_RULES    65536

/* How the CFA (the stack pointer of the caller, once the callee has returned) is found. */
enum fs_unwind_cfa {
	FS_CFA_NONE,     /* nothing is said of this instruction; rule 0 */
	FS_CFA_END,      /* the return address is undefined: this is the outermost frame */
	FS_CFA_SP,       /* sp + cfa_offset */
	FS_CFA_FP,       /* fp + cfa_offset; fp is rbp, or x29 */
	FS_CFA_SP_DEREF, /* *(sp + cfa_offset) + 8 * (signed char)arg */
	FS_CFA_FP_DEREF, /* *(fp + cfa_offset) + 8 * (signed char)arg */
	FS_CFA_REG,    /* register number arg (DWARF's) + cfa_offset: in the innermost frame only */
	FS_CFA_PLT,    /* sp + cfa_offset + ((ip & 15) >= arg ? 8 : 0): a PLT stub of x86-64 */
	FS_CFA_SIGNAL, /* the frame that a signal handler returns to: all registers are at sp */
	FS_CFA_UNSUPPORTED, /* something is said that has no place here */
};

/* Where a register of the caller is. */
enum fs_unwind_saved {
	FS_SAVED_SAME, /* still in the register (the return address: in lr) */
	FS_SAVED_CFA,  /* in memory at CFA + offset */
	FS_SAVED_FP,   /* in memory at fp + offset: functions that align their stack */
	FS_SAVED_LOST, /* nowhere, or in a way that has no place here */
};

struct fs_unwind_rule {
	__u8 cfa; /* enum fs_unwind_cfa */
	__u8 fp;  /* enum fs_unwind_saved */
	__u8 ra;
	__u8 arg;
	__s32 cfa_offset;
	__s32 fp_offset;
	__s32 ra_offset;
};

static inline __u32 fs_unwind_row(__u32 offset_in_bucket, __u32 rule)
{
	return offset_in_bucket << 16 | rule;
}

enum fs_unwind_kind {
	FS_UNWIND_ROWS = 1,
	FS_UNWIND_FRAME_POINTERS, /* the file has no rows: its code is taken to have frame pointers */
	FS_UNWIND_NOTHING,        /* the file cannot be read: stacks end in it */
};

/* The table of a file. */
struct fs_unwind_table {
	__u32 kind;     /* enum fs_unwind_kind */
	__u32 first;    /* offset in the file of the first bucket, in buckets */
	__u32 nbuckets; /* words [at, at + nbuckets] say where the rows of each bucket begin */
	__u32 at;
};

/* What unwinding goes by. */
struct fs_unwind_regs {
	__u64 ip, sp, fp;
	__u64 lr; /* arm64 alone, and only in the innermost frame */
};

_Static_assert(sizeof(struct fs_unwind_rule) == 16, "tables in mapped memory");

#endif /* FS_UNWIND_H */
