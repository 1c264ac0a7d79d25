/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The stacks of a run with their names, made once for each: they are kept in a profile, so that memory
 * grows with the stacks that differ and not with the events that have them.
 */
#ifndef FS_STACK_NAMES_H
#define FS_STACK_NAMES_H

#include "analysis/profile.h"
#include "naming.h"
#include "symbol/stack_set.h"

struct stack_names;

/*
 * parts: enum stack_part. functions: a frame is the name of its function alone, without address, line
 * and object, so that stacks through functions of the same names are one. n stays the caller's and outlives it. NULL with errno.
 */
struct stack_names *stack_names__new(struct naming *n, unsigned int parts, bool functions);
void stack_names__free(struct stack_names *sn); /* NULL is fine */

/* The number that a stack has in the profile; s NULL: it was lost. 0 or -ENOMEM. */
int stack_names__get(struct stack_names *sn, const struct stack *s, __u32 *id);

/*
 * The same without what the outermost function that `ends` knows has called: from that one on. What is
 * given for a stack is kept: `ends` is to be the same one each time.
 */
int stack_names__outer(struct stack_names *sn, const struct stack *s,
		       bool (*ends)(const char *function), __u32 *id);

/* It lives as long as sn. */
const struct profile *stack_names__profile(const struct stack_names *sn);

#endif /* FS_STACK_NAMES_H */
