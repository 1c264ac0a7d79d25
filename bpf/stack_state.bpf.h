/* SPDX-License-Identifier: GPL-2.0-only */
/* What is known of a stack on its way, and of the task's last one. */
#ifndef FS_STACK_STATE_BPF_H
#define FS_STACK_STATE_BPF_H

#include "ids.bpf.h"
#include "region.bpf.h"

#define KEPT_FRAMES 128 /* a power of two; of deeper stacks nothing is kept */

/*
 * What was read to leave a frame: two words that stand together, or one and one. at: their address, 0:
 * nothing; and in its low bits:
 */
#define KEPT_READS 2
#define KEPT_TWO   1 /* two words */
#define KEPT_NOT   2 /* of at[0]: something else decided what follows */

struct kept_reads {
	u64 at[KEPT_READS];
	u64 value[KEPT_READS]; /* one number for the word or both */
};

struct kept_frame {
	u64 frame; /* see fs_frame() */
	/* registers when the walk came to it */
	u64 pos; /* stack pointer, where that is not known the frame pointer; and above the address: */
	u64 ip, fp, lr;
	struct id_hash hash; /* of the frame and those further out */
};

#define POS_ADDR ((1UL << 57) - 1)
#define POS_CALL (1UL << 63) /* ip is a return address */
#define POS_SP   (1UL << 62) /* the stack pointer is known */
#define POS_OWN  (1UL << 61) /* the frame or one further out is no place in a file */

/*
 * The frames of a task's last walk, outermost first; how each was left stands in struct stack_state. In
 * two, because newer kernels (seen on 7.2, not on 6.18) take task storage from kmalloc_nolock(), see
 * bpf_selem_alloc() of kernel/bpf/bpf_local_storage.c, which has no more than 8 KiB a piece.
 */
struct kept {
	struct kept_frame frames[KEPT_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct kept);
} kept_frames SEC(".maps");

/* The frames of the walk that goes on, innermost first. */
struct walked_frame {
	struct kept_frame frame;
	struct kept_reads reads;
};

struct walked {
	u64 task; /* whose it is: a program may have been put aside for another on this CPU */
	struct walked_frame frames[KEPT_FRAMES];
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct walked);
} walked_frames SEC(".maps");

static __always_inline struct walked *this_walked(void)
{
	u32 zero = 0;

	return bpf_map_lookup_elem(&walked_frames, &zero);
}

/* An executable mapping. */
struct code_slot {
	u64 start, end;
	u64 offset;   /* in the file, of start */
	u64 identity; /* of what is mapped */
	u32 file_id;
	u8 mapped_file; /* else anonymous: a JIT's */
	u8 pad[3];
	struct fs_unwind_table table; /* kind 0: none, or none yet */
};

#define CODE_SLOTS 8 /* a power of two */
#define CODE_GONE  (1U << 31)

/* A stack on its way to being known, and the last one; a task's. */
struct stack_state {
	/* the last walk, in the address space code_mm */
	struct kept_reads kept_reads[KEPT_FRAMES];
	u32 nkept;
	u32 kept_codes; /* bit i: they are in codes[i]; the top bit: in one that is there no more */
	u32 kept_end;   /* enum fs_stack_end */
	u32 last_id;    /* of all of them, without frames of the kernel; 0: not known */
	/* this walk */
	u32 match;        /* number of the kept frames that it may still come to */
	u32 resume;       /* number of those that it goes on with, 0: none */
	u32 verified;     /* of those, how many lead on as they did */
	u32 keep;         /* bool: it may be kept */
	u32 walked_codes; /* as kept_codes */
	struct fs_unwind_regs regs;
	struct fs_unwind_regs left; /* those of the frame that is being left */
	u64 mm;
	u32 seq;
	u32 nreads; /* of this frame */
	struct kept_reads reads;
	struct id_hash frames; /* of the frames */
	/* the page of the stack that was read last: where it is in the direct map, and its entry */
	u64 pgd;
	u64 page; /* its number, 0: none */
	u64 page_at;
	u64 page_entry;
	u64 words[2]; /* that were read last */
	struct pmd_cache pmd;
	u32 end;          /* enum fs_stack_end */
	u32 code;         /* index of the code that was found last */
	u32 code_id;      /* of the list of mappings that goes with a copy */
	u8 call;          /* regs.ip is a return address */
	u8 own_addresses; /* some frames are no place in a file */
	u8 sent;          /* it was new: events were sent */
	u8 kept_stale;    /* the address space has changed since the last walk */
	u8 torn;          /* a page of the stack went while it was read */
	/* code of the address space */
	u64 code_mm, code_image;
	u32 code_seq;
	u32 code_next;
	u32 code_stale; /* bit i: the address space has changed since codes[i] was found */
	struct code_slot codes[CODE_SLOTS];
	struct fs_stack_event event;
	u64 frames_at[FS_STACK_FRAMES + 1]; /* follow the event */
};

struct {
	__uint(type, BPF_MAP_TYPE_TASK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, struct stack_state);
} stacks SEC(".maps");

_Static_assert(sizeof(struct stack_state) < 8000 && sizeof(struct kept) < 8000, "see struct kept");

#endif /* FS_STACK_STATE_BPF_H */
