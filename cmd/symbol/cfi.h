/* SPDX-License-Identifier: GPL-2.0-only */
/* What .eh_frame says of unwinding, compiled to rows of the rules in unwind.h. */
#ifndef FS_CFI_H
#define FS_CFI_H

#include <stddef.h>
#include <linux/types.h>

#include "unwind.h"

/* From its offset in the file to that of the next row this rule holds. */
struct cfi_row {
	__u64 offset : 48;
	__u64 rule : 16; /* index into rules */
};

struct cfi {
	__u16 machine; /* EM_X86_64 or EM_AARCH64 */
	size_t nrows;  /* by offset; the last one has rule 0, and so has code without an entry */
	struct cfi_row *rows;
	size_t nrules; /* all different; rules[0] is FS_CFA_NONE */
	struct fs_unwind_rule *rules;
};

/*
 * Compile the .eh_frame of a program or library, ELF64 of x86-64 or arm64: found by its section
 * header, or by PT_GNU_EH_FRAME where there is none. No other section is read: .debug_frame says
 * the same, in files that are not there to be run. NULL with errno: ENOEXEC where it is no such
 * object; ENODATA where it has no .eh_frame or nothing of use in it; EBADMSG where its headers
 * contradict the file; EFBIG where it is larger than any known program. What is corrupt inside of
 * .eh_frame has no rows, or FS_CFA_UNSUPPORTED. Never blocks: fd must be a regular file (checked).
 * The fd stays the caller's.
 */
struct cfi *cfi__read(int fd);

/* The same; `meanwhile` is called a few times a millisecond: the largest programs take 0.1 s. */
struct cfi *cfi__read_while(int fd, void (*meanwhile)(void *ctx), void *ctx);

/*
 * The same of an object in memory, as the vdso is: `size` bytes as they would be in a file. Where
 * the vdso of arm64 returns from signals there is a row even though its .eh_frame says nothing of
 * it (arch/arm64/kernel/vdso/sigreturn.S tells why).
 */
struct cfi *cfi__read_image(const void *image, size_t size);

void cfi__free(struct cfi *cfi);

/* The rule of an offset in the file: rules[0] where no row holds. */
const struct fs_unwind_rule *cfi__rule(const struct cfi *cfi, __u64 offset);

#endif /* FS_CFI_H */
