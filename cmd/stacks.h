/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stacks of a run that traces: unwind tables are compiled for files as they are met and given to the
 * kernel side, copied stacks are unwound, stacks are kept by id.
 */
#ifndef FS_STACKS_H
#define FS_STACKS_H

#include "live/session.h"
#include "region/space.h"
#include "symbol/stack_set.h"

struct stacks;

/* Both outlive it. NULL with errno. */
struct stacks *stacks__new(struct session *session, struct space *space);
void stacks__free(struct stacks *st);

/* A file has been opened, or cannot be: space_ops.opened. */
void stacks__opened(struct stacks *st, const struct file *file, int fd,
		    const struct elf_layout *elf);

/*
 * Code that is likely to be met: what a process has mapped, and what a program is and needs (its
 * interpreter and libraries, as far as they are in the usual directories).
 */
void stacks__prepare(struct stacks *st, __u32 pid);
void stacks__prepare_program(struct stacks *st, const char *path);

/* A stack has come. 0 or -ENOMEM. */
int stacks__event(struct stacks *st, const struct fs_stack_event *ev);

/* The stack of this id; NULL: 0, or it was lost. */
const struct stack *stacks__get(const struct stacks *st, __u32 id);

/* A stack by its number. */
const struct stack *stacks__stack(const struct stacks *st, __u32 number);

/* Say how much memory the tables take (-v). */
void stacks__log(const struct stacks *st);

#endif /* FS_STACKS_H */
