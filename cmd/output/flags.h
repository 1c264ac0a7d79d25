/* SPDX-License-Identifier: GPL-2.0-only */
/* Names of the bits and values that mapping calls take, written as strace writes them. */
#ifndef FS_FLAGS_H
#define FS_FLAGS_H

#include <stdbool.h>
#include <linux/types.h>

#include "output/line.h"

enum flag_set {
	FLAGS_PROT, /* mmap, mprotect, pkey_mprotect */
	FLAGS_MMAP,
	FLAGS_MREMAP,
	FLAGS_MADVISE, /* one value, no bits */
	FLAGS_MLOCK2,
	FLAGS_MLOCKALL,
	FLAGS_SHMGET, /* with the mode in octal at the end */
	FLAGS_SHMAT,
	FLAGS_MPOL, /* one value and bits: mbind's mode */
	FLAGS_MBIND,
	FLAGS_SHADOW_STACK,
	FLAGS_PRCTL,      /* one value */
	FLAGS_PR_SET_VMA, /* one value */
	FLAGS_USERFAULTFD,
	FLAGS_UFFDIO, /* one value */
	FLAGS_UFFDIO_MODE,
	FLAGS_CLONE,
};

/*
 * Append the names of the bits in `value`, joined by '|'. Bits without a name are one hexadecimal
 * number at the end. Where no bit has one, a C comment after the number says what it would be, if
 * `comments`: 0x80, then PROT_??? in the comment.
 */
void flags__put(struct line *l, enum flag_set set, __u64 value, bool comments);

/* "ENOMEM" and "Cannot allocate memory" for a positive errno; NULL where libc knows none. */
const char *errno_name(int err);
const char *errno_text(int err);

/* Append "SIGSEGV", or "SIGRT_3" for the kernel's real-time signals. */
void signal__put(struct line *l, int sig);

#endif /* FS_FLAGS_H */
