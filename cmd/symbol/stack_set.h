/* SPDX-License-Identifier: GPL-2.0-only */
/* The stacks of a run: by the ids that events carry, each kept once. */
#ifndef FS_STACK_SET_H
#define FS_STACK_SET_H

#include <stddef.h>
#include <linux/types.h>

#include "symbol/copied.h"

struct stack {
	__u32 number; /* counts stacks from 0 */
	__u32 pid;    /* whose addresses are in it; 0: all frames are places in files */
	__u64 image;  /* of that process */
	__u16 nkernel, nuser;
	__u8 end;       /* enum fs_stack_end */
	__u64 frames[]; /* as in struct fs_stack_event */
};

struct stack_set;

/* NULL: out of memory. */
struct stack_set *stack_set__new(void);
void stack_set__free(struct stack_set *set);

/*
 * The stack of this id, of process pid and its image where it has addresses of its own. Copied. 0, or
 * -ENOMEM, or -EINVAL for an id that no kernel side gives.
 */
int stack_set__add(struct stack_set *set, __u32 id, __u32 pid, __u64 image,
		   const struct unwound *u);

/* NULL where none has this id. Valid as long as the set. */
const struct stack *stack_set__get(const struct stack_set *set, __u32 id);

/* How many there are, and each by its number. */
size_t stack_set__n(const struct stack_set *set);
const struct stack *stack_set__stack(const struct stack_set *set, __u32 number);

#endif /* FS_STACK_SET_H */
