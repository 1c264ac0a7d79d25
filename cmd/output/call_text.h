/* SPDX-License-Identifier: GPL-2.0-only */
/* Mapping calls and the lives of processes in words: calls as strace writes them. */
#ifndef FS_CALL_TEXT_H
#define FS_CALL_TEXT_H

#include <stdbool.h>
#include <linux/types.h>

#include "event.h"
#include "output/line.h"

enum call_arg_kind {
	ARG_ADDR, /* NULL or 0x… */
	ARG_BYTES,
	ARG_OFFSET, /* 0 or 0x…, in bytes */
	ARG_INT,    /* descriptors and ids */
	ARG_U32,
	ARG_BITS, /* 0 or 0x…: flags of 32 bits, none of which has a name */
	/* Words from here on. */
	ARG_KEY, /* IPC_PRIVATE or 0x… */
	ARG_PROT,
	ARG_MMAP,
	ARG_MREMAP,
	ARG_MADVISE,
	ARG_MLOCK2,
	ARG_MLOCKALL,
	ARG_SHMGET,
	ARG_SHMAT,
	ARG_MPOL,
	ARG_MBIND,
	ARG_SHADOW_STACK,
	ARG_PRCTL,
	ARG_PR_SET_VMA,
	ARG_USERFAULTFD,
	ARG_UFFDIO,
	ARG_UFFDIO_MODE,
};

struct call_arg {
	const char *name; /* as its man page calls it */
	enum call_arg_kind kind;
};

/* Arguments of the call in `ev`: a table that lives for ever, *n of them count. */
const struct call_arg *call_args(const struct fs_call_event *ev, unsigned int *n);

/* Is an argument of this kind a word (flags and the like), other than a number or an address? */
bool call_arg__is_word(enum call_arg_kind kind);

/* Append one argument; `comments` as in flags__put(). */
void call_arg__put(struct line *l, enum call_arg_kind kind, __u64 value, bool comments);

/* Does the call give an address (mmap, mremap, brk, shmat…)? Else 0, or an id (shmget). */
bool call_gives_address(enum fs_call call);

/* Append "munmap(0x7f0000000000, 4096)"; what else a pointer leads to is an address. */
void call_text__call(struct line *l, const struct fs_call_event *ev);

/* Append " = 0", " = 0x7f0000000000" or " = -1 ENOMEM (Cannot allocate memory)". */
void call_text__result(struct line *l, const struct fs_call_event *ev);

/*
 * Append what strace cannot know, each part after a blank: by how much brk moved the break, or that
 * it failed; pages that the call populated and where; that a 32-bit task made it.
 */
void call_text__effect(struct line *l, const struct fs_call_event *ev);

/* Append `execve("/bin/ls") → ls`. */
void call_text__exec(struct line *l, const struct fs_exec_event *ev);

/* "fork", "vfork", or "clone" for a thread. */
const char *fork_name(const struct fs_fork_event *ev);

/* Append `fork → 123/123 CLONE_CHILD_SETTID`. */
void call_text__fork(struct line *l, const struct fs_fork_event *ev);

/*
 * Append `exit status 1` or `killed by SIGSEGV (core dumped)`, with ` (thread)` where it is not the
 * last of its process.
 */
void call_text__exit(struct line *l, const struct fs_exit_event *ev);

/* Append `rename → worker`. */
void call_text__rename(struct line *l, const struct fs_rename_event *ev);

#endif /* FS_CALL_TEXT_H */
