/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is mapped where in the traced processes, by what the kernel side tells of it (fs_layout), who
 * mapped it, and which of its pages have been touched. A process is known from its first call,
 * execve or fork on, or from space__want_layout(); until its state has come nothing of it is.
 */
#ifndef FS_LAYOUT_H
#define FS_LAYOUT_H

#include "region/space.h"

/* How memory came to be mapped. */
enum origin_kind {
	ORIGIN_BEFORE, /* it was there when the process became known */
	ORIGIN_CALL,   /* by a call */
	ORIGIN_EXEC,   /* by execve, or by the kernel itself */
	ORIGIN_KIND_NR
};

/*
 * Pages of 4 KiB of a mapping. touched + again + populated + inherited + before - released - unmapped =
 * here.
 */
struct origin_pages {
	__u64 touched;   /* for the first time, by a fault */
	__u64 again;     /* that had been touched, and released */
	__u64 populated; /* made present without a fault: MAP_POPULATE, mlock, execve's arguments */
	__u64 inherited; /* anonymous, from the parent at fork */
	__u64 before;    /* there, by /proc/PID/pagemap, when the process became known */
	__u64 released;  /* that were here, by madvise */
	__u64 unmapped;  /* that were here, when it was unmapped */
	__u64 zero;      /* faults that mapped the zero page */
	/* of private memory: made anonymous by faults, without one; and given back, or unmapped */
	__u64 made, made_populated, made_before, freed;
	__u64 anon; /* there, or in swap, now: made + made_populated + made_before + inherited - freed */
	__u64 here; /* touched or populated, and not released since */
	__u64 ever; /* of what is mapped now: ever touched or populated */
};

/*
 * What one call mapped, or a VMA that was there before. Owned by the space: until nothing of it is
 * mapped any more, and it has been told by layout_watch.
 */
struct origin {
	struct origin *prev, *next; /* of the address space */
	__u64 time_ns;              /* CLOCK_MONOTONIC of the call, or when it was met */
	__u64 bytes;                /* mapped by it; MREMAP_DONTUNMAP maps them twice */
	__u64 live;                 /* of these, mapped still */
	__u64 at_end;               /* mapped when its address space ended */
	__u64 start;                /* lowest address */
	__u64 faults, major, stall_ns;
	__u64 first_ns, last_ns; /* of the first touches, 0: none */
	__u64 last_page;         /* address of the last first touch */
	__u32 firsts;            /* faults that were first touches; of these: */
	__u32 ascending;         /* of the page behind the last one */
	struct origin_pages pages;
	struct origin *copy; /* while an address space is copied */
	__u32 stack_id;      /* of the call, 0: not known */
	__u32 tid;
	__u32 file_id;  /* of what is mapped, 0: none */
	__u8 kind;      /* enum origin_kind */
	__u8 call;      /* enum fs_call, of ORIGIN_CALL */
	__u8 region;    /* enum fs_region: base */
	bool inherited; /* mapped in the parent, before fork */
	bool seed;      /* what was there of it is still to be read */
};

/* A run of addresses that are mapped alike. */
struct vma {
	__u64 start, end; /* [start, end) */
	__u64 bias;       /* address less offset in the file */
	struct origin *origin;
	__u32 vm_flags;
	__u32 file_id : 24;
	__u32 region : 8; /* enum fs_region: base */
};

/* Who is told of changes; any may be NULL. */
struct layout_watch {
	void *ctx;
	/*
	 * [start, end) of an origin is mapped no more; here: pages that were here. For the last part
	 * origin->live is 0, and it is freed afterwards. by: the call that unmapped it, NULL: execve,
	 * exit, or a state that was told. What mremap moves is not unmapped.
	 */
	void (*unmapped)(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
			 __u64 end, __u64 here, const struct fs_call_event *by, __u64 time_ns);
	/* A call has mapped [start, end). */
	void (*mapped)(void *ctx, const struct process *proc, const struct origin *o, __u64 start,
		       __u64 end);
	/* madvise has taken `pages` pages that were here. */
	void (*released)(void *ctx, const struct process *proc, const struct origin *o, __u64 pages,
			 const struct fs_call_event *by);
	/*
	 * A fault; newly: pages touched for the first time, again: after they had been released. A
	 * folio's pages may be of several origins: they are told of the one that was touched.
	 */
	void (*touched)(void *ctx, const struct process *proc, const struct origin *o,
			const struct fs_fault *f, __u64 newly, __u64 again);
};

/* Another watch; *w is copied. 0 or -ENOMEM. */
int space__watch(struct space *sp, const struct layout_watch *w);

/* A fault that has been reported: which pages are there now. 0 or -ENOMEM. */
int space__touch(struct space *sp, const struct fs_fault *f);

/* Have the state of a process told, see space__wanted(). 0 or -ENOMEM. */
int space__want_layout(struct space *sp, __u32 pid);
/* Those of all processes that are known, or were born in the trace: records have been lost. */
void space__doubt_layouts(struct space *sp);
/*
 * A process of which the state is to be told, in [*from, *to); it is taken off the list. False: there
 * is none.
 */
bool space__wanted(struct space *sp, __u32 *pid, __u64 *from, __u64 *to);

/* Is the state of a process known, nothing of it in doubt, and all that was asked for come? */
bool space__layout_known(struct space *sp, __u32 pid);

/* The VMA that holds addr, or the next above; NULL: none. Valid until the next event. */
const struct vma *space__vma(struct space *sp, __u32 pid, __u64 addr);

/* Has a process the address space of another one, with which it is counted? */
bool space__borrows_layout(struct space *sp, __u32 pid);

/* The origins of a process that has not ended, from the last one on. */
const struct origin *space__origins(struct space *sp, __u32 pid);

/*
 * Look for anonymous pages of a process that are there, by /proc/PID/pagemap, and no fault and no call
 * has told of so far. Those of which that is so still when space__count_found() is called, after what
 * has come meanwhile was applied, count as populated. 0 or -ENOMEM.
 */
int space__look_for_pages(struct space *sp, __u32 pid);
int space__count_found(struct space *sp, __u32 pid);

/* Complete what is counted from the page sets: anon, here, ever. Of all origins of a process. */
void space__count_pages(struct space *sp, __u32 pid);

struct pages; /* region/pages.h */

/* Which pages of a process have been touched; NULL: it is not known. Valid until the next event. */
const struct pages *space__pages(struct space *sp, __u32 pid);

/* A run of addresses that are mapped alike, to a reader of /proc/PID/maps. */
struct layout_run {
	__u64 start, end;
	__u64 offset, ino; /* 0: no file */
	__u32 dev;         /* kernel dev_t */
	char perms[5];     /* "rw-p", "": nothing is mapped */
};

/* A range in which they differ. */
typedef void (*layout_difference)(void *ctx, const struct layout_run *known,
				  const struct layout_run *real);

/*
 * Compare what is known of a process with its /proc/PID/maps; it must not run meanwhile, and all its
 * events have to have come. How many ranges differ, each told to fn; -ESRCH or -errno. *nruns: runs
 * that /proc has (NULL: no matter).
 */
int space__compare(struct space *sp, __u32 pid, layout_difference fn, void *ctx, size_t *nruns);

/* Memory that the layouts take, in bytes, and how many VMAs there are. */
__u64 space__layout_bytes(struct space *sp, __u64 *vmas);

#endif /* FS_LAYOUT_H */
