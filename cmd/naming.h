/* SPDX-License-Identifier: GPL-2.0-only */
/* Names for stacks and for the data that was touched: from frames as they are captured to profiles. */
#ifndef FS_NAMING_H
#define FS_NAMING_H

#include "analysis/profile.h"
#include "region/space.h"
#include "symbol/stack_set.h"
#include "symbol/symbolizer.h"

struct naming;

/* `space` outlives it. NULL with errno. */
struct naming *naming__new(struct space *space, const struct symbolizer_opts *opts);
void naming__free(struct naming *n);

/* Read the kernel's names now: it takes a tenth of a second, for which a run in progress has no time. */
void naming__prepare(struct naming *n);

/* A file has been opened, or cannot be: space_ops.opened. It is kept open, within a limit. */
void naming__opened(struct naming *n, const struct file *file, int fd,
		    const struct elf_layout *elf);

/* A process has code that is in no file: what names it is noted while the process lives. */
void naming__process(struct naming *n, __u32 pid, __u64 image);

/* A list of a profile's frames, from the root on; all zero is an empty one. */
struct frame_list {
	__u32 *ids;
	size_t n, room;
};
void frame_list__clear(struct frame_list *l);

enum stack_part { STACK_USER = 1, STACK_KERNEL = 2, STACK_NOTE = 4 };

/*
 * What stands in the place of frames that a stack has not got: "[exec]", "[truncated]"; NULL: nothing
 * has to. s NULL: it was lost.
 */
const char *naming__note(const struct stack *s);

/*
 * Append a stack (parts: enum stack_part): its note, the frames of its user part, then those of the
 * kernel. s NULL: it was lost. 0 or -ENOMEM.
 */
int naming__stack(struct naming *n, struct profile *p, const struct stack *s, unsigned int parts,
		  struct frame_list *out);

/* Append a frame that is no code, of kind PROFILE_REGION or PROFILE_NOTE. 0 or -ENOMEM. */
int naming__word(struct profile *p, enum profile_frame_kind kind, const char *text,
		 struct frame_list *out);

/*
 * The variable in which a fault's place lies: "table", raw bytes, and *offset in it in bytes. The same
 * name is the same pointer, and lives as long as n. NULL: none is known.
 */
const char *naming__variable(struct naming *n, const struct place *pl, __u64 *offset);

#endif /* FS_NAMING_H */
