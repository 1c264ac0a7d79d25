/* SPDX-License-Identifier: GPL-2.0-only */
/* Stacks that were copied, unwound here by the tables that the kernel side uses. */
#ifndef FS_COPIED_H
#define FS_COPIED_H

#include <stdbool.h>
#include <linux/types.h>

#include "event.h"
#include "symbol/tables.h"

/* The executable mapping at an address. */
struct unwind_code {
	__u64 start;
	__u64 offset;  /* in the file, of start */
	__u32 file_id; /* FS_FRAME_VDSO; 0: anonymous */
	struct fs_unwind_table table;
};

struct unwind_ops {
	void *ctx;
	/* What is at addr, for the stack of `ev`. 0, or not: no code. */
	int (*code)(void *ctx, const struct fs_stack_event *ev, __u64 addr,
		    struct unwind_code *out);
};

struct unwound {
	__u16 nkernel, nuser;
	__u8 end;           /* enum fs_stack_end */
	bool own_addresses; /* some frames are no place in a file */
	__u64 frames[FS_STACK_FRAMES];
};

/*
 * The frames of a stack event; of one that was copied (FS_STACK_COPIED), those that follow too. Events
 * come checked: see stack_event_check().
 */
void unwind_event(const struct unwind_tables *t, const struct fs_stack_event *ev,
		  const struct unwind_ops *ops, struct unwound *out);

/* Are the sizes in a stack event such that all that it has lies within it? */
bool stack_event_check(const struct fs_stack_event *ev);

#endif /* FS_COPIED_H */
