/* SPDX-License-Identifier: GPL-2.0-only */
/* What the files of region/ share. Nobody else includes this. */
#ifndef FS_REGION_INTERNAL_H
#define FS_REGION_INTERNAL_H

/* A failed HASH_ADD leaves hh.tbl NULL instead of ending the program. */
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/proc.h"
#include "region/layout.h"
#include "region/pages.h"
#include "region/ranges.h"
#include "region/space.h"

/* ---- tables by id ----------------------------------------------------------------------------- */

/*
 * From ids that are dense, beginning with 1, to pointers. Two levels, so that a wild id from a
 * damaged recording costs 8 MiB at most.
 */
#define ID_PAGE 1024

struct id_table {
	void ***pages;
	size_t npages;
};

static inline void *id_table__get(const struct id_table *t, __u32 id)
{
	size_t page = id / ID_PAGE;

	return page < t->npages && t->pages[page] ? t->pages[page][id % ID_PAGE] : NULL;
}

/* 0 or -ENOMEM. The pointers stay the caller's. */
int id_table__set(struct id_table *t, __u32 id, void *p);
/* release: called for each pointer, or NULL. */
void id_table__free(struct id_table *t, void (*release)(void *p));

/* ---- address spaces --------------------------------------------------------------------------- */

/* A thread's stack: [low, sp); low 0: from the low end of whatever mapping it lies in. */
struct stack {
	__u64 sp;
	__u64 low;
	__u32 tid;
};

/* Where the anonymous part of an object's bss lies. */
struct bss {
	__u64 start, end;
	const struct file *file;
	__u64 bias; /* of the object: addresses in it less those it was linked for */
	__u64 mm;   /* fs_region_event.mm: execve touches the new memory before it is reported */
};

/*
 * What is known of an address space besides its mappings, shared by processes that share it
 * (vfork). Made when there is something to keep: most processes have none.
 */
struct mm {
	__u32 users;
	size_t nstacks, stacks_room;
	struct stack *stacks; /* sorted by sp, each sp once */
	size_t nbss, bss_room;
	struct bss *bss; /* not overlapping, in no order */
	/* where layouts are told: */
	struct ranges vmas; /* struct vma */
	struct pages pages;
	struct ranges found; /* struct range: see space__look_for_pages() */
	struct origin *origins;
	__u64 id; /* fs_layout_event.mm */
	__u64 start_brk;
	__u64 told_ns;              /* the newest state that has been applied */
	__u64 doubt_from, doubt_to; /* the state there is wanted; doubt_to 0: nowhere */
	__u64 asked_from, asked_to; /* and was asked for, but has not come; asked_to 0: nowhere */
	__u32 argument_pages;       /* of execve, until the stack is known */
	bool known;                 /* all of it has been told */
	struct fs_fault *early;     /* faults before that */
	size_t nearly, early_room;
};

struct mm *mm__new(void);
void mm__put(struct mm *mm);

/* The stack that begins at sp belongs to tid now. 0 or -ENOMEM. */
int mm__add_stack(struct mm *mm, __u64 low, __u64 sp, __u32 tid);
/* Forget it, if it is still that thread's. */
void mm__del_stack(struct mm *mm, __u64 sp, __u32 tid);
/* The stack with the nearest sp above addr, or NULL. Valid until stacks are added or removed. */
const struct stack *mm__stack_above(const struct mm *mm, __u64 addr);

/* Remember an object's bss; forget all in [start, end); the one that holds addr, or NULL. */
int mm__add_bss(struct mm *mm, const struct bss *bss);
void mm__del_bss(struct mm *mm, __u64 start, __u64 end);
const struct bss *mm__bss(const struct mm *mm, __u64 addr);

/*
 * What of an address space is known already of the one with identity `id` that execve has put in
 * its place; NULL where that is nothing, or no memory.
 */
struct mm *mm__successor(const struct mm *mm, __u64 id);

/* ---- processes -------------------------------------------------------------------------------- */

struct thread {
	__u32 tid;
	bool has_base; /* usage before the trace is known */
	char comm[FS_COMM_LEN];
	struct fs_usage base; /* its counters when its image, or the trace, began */
	__u64 stack_sp;       /* its stack in image->mm, 0: none */
	struct image *image;
	struct thread *prev, *next; /* of the image */
	UT_hash_handle hh;          /* by tid */
};

/* 168 bytes; kept after the image's end, its threads and mm are not. */
struct image {
	struct process p;
	struct mm *mm; /* NULL: nothing known */
	struct thread *threads;
	__u64 met_ns;      /* made from /proc at that time, else 0 */
	bool complete;     /* threads that turn up were born in it: their base is 0 */
	bool borrows;      /* mm is that of another one, too, which does not borrow it */
	UT_hash_handle hh; /* by pid: the last image of each */
};

/* ---- files ------------------------------------------------------------------------------------ */

struct object_key {
	__u64 ino;
	__u32 dev;
	__u32 generation;
};

struct named_file;

/* An inode: the files are its paths. */
struct object {
	struct object_key key;
	__u32 mode, magic;
	struct elf_layout *elf;
	bool tried;       /* it is known now what elf is */
	__u32 failures;   /* processes through which it could not be opened */
	__u32 failed_pid; /* the last of them */
	struct named_file *files;
	UT_hash_handle hh;
};

struct named_file {
	struct file f;
	struct object *object;
	struct named_file *next; /* of the same object */
	bool path_complete;      /* path begins at the root */
	char buf[];              /* holds path */
};

/* ---- mappings --------------------------------------------------------------------------------- */

/* How a region's name depends on the address. */
enum shape {
	SHAPE_SPLIT, /* below the split one, above it another */
	SHAPE_SPANS, /* file->elf's spans */
};

/*
 * A mapping and what to call the addresses in it: 112 bytes, and 16 more in tables. The kernel side
 * gives a VMA one id as long as it remembers it, and the same one to a process that comes to lie
 * at the same addresses with the same mm_struct; one that it has forgotten gets another id, and
 * leads here again. Never freed: an id can turn up long after its process (in-kernel tables).
 */
struct region {
	struct mapping m;
	__u64 split;
	__u64 bias;                /* of the object, where `linked` */
	const struct file *object; /* of text, data…, and bss */
	struct region *next;       /* of the same hash */
	__u8 below, above;         /* enum fs_region */
	__u8 shape;
	bool linked; /* it is data or bss */
};

#define REGIONS_PER_SLAB 256

struct region_slab {
	struct region_slab *next;
	size_t used;
	struct region v[REGIONS_PER_SLAB];
};

struct string {
	UT_hash_handle hh;
	char text[];
};

/* ---- the space -------------------------------------------------------------------------------- */

#define CACHE_SIZE 256

struct space {
	struct space_ops ops;
	__u64 page_size;

	struct id_table regions; /* struct region */
	struct region_slab *slabs;
	struct region **buckets; /* regions by what they are */
	size_t nbuckets, nregions;
	struct string *strings;

	struct id_table files; /* struct named_file */
	struct id_table code_lists;
	struct id_table code_of_cpus; /* of these, the last of each CPU */
	struct object *objects;
	__u32 own_files; /* files that were given ids here */

	struct image *by_pid;
	struct thread *by_tid;
	struct image **images; /* all, in order of birth */
	size_t nimages, images_room;

	struct layout_watch *watches;
	size_t nwatches;
	__u32 *wanted; /* pids whose layout is to be told */
	size_t nwanted, wanted_room;

	/* Last images and threads asked for, by the low bits of their number. */
	struct image *image_cache[CACHE_SIZE];
	struct thread *thread_cache[CACHE_SIZE];
};

/* process.c */

/* The last image of a pid, alive or not, or NULL. */
struct image *image__find(struct space *sp, __u32 pid);
/* The same, made from /proc where there is none. NULL: out of memory. */
struct image *image__get(struct space *sp, __u32 pid);
/* Begin a new image; the one before ends. NULL: out of memory. */
struct image *image__new(struct space *sp, __u32 pid, __u64 time_ns, const char *comm);
void image__free(struct space *sp, struct image *im);
/* Its mm, made where there is none. NULL: out of memory. */
struct mm *image__mm(struct image *im);

struct thread *thread__find(struct space *sp, __u32 tid);
/* A thread that is new; one with the same tid is forgotten. NULL: out of memory. */
struct thread *thread__new(struct space *sp, struct image *im, __u32 tid, const char *comm);
/* [low, stack_sp) of the image's mm is the thread's stack. 0 or -ENOMEM. */
int thread__set_stack(struct thread *t, __u64 low, __u64 stack_sp);

int process__fork(struct space *sp, const struct fs_fork_event *ev);
int process__exec(struct space *sp, const struct fs_exec_event *ev);
int process__exit(struct space *sp, const struct fs_exit_event *ev);
int process__rename(struct space *sp, const struct fs_rename_event *ev);

/* usage.c */

/* Add what a thread's counters have grown by to its image. */
void usage__add(struct image *im, const struct fs_usage *now, const struct fs_usage *base);
/* Take an image's name and the threads not yet known from /proc. 0, -ESRCH, -ENOMEM, -errno. */
int usage__read_image(struct space *sp, struct image *im);

/* stacks.c */

/* Find the stacks of an image's threads that were there before the trace. 0 or -ENOMEM. */
int stacks__read(struct image *im);

/* file.c */

int file__event(struct space *sp, const struct fs_file_event *ev);
struct named_file *file__by_id(const struct space *sp, __u32 id);
/* Make sure that f->elf is known, if it can be, from the mapping [start, end) of process pid. */
void file__read_elf(struct space *sp, struct named_file *f, __u32 pid, __u64 start, __u64 end);
void files__free(struct space *sp);

/*
 * The file that a line of /proc/PID/maps names; a new one has an id from the upper end. Its ELF header
 * is read. NULL: out of memory.
 */
struct named_file *file__of_map(struct space *sp, const struct proc_map *map, __u32 pid);

/* code.c */

int code__event(struct space *sp, const struct fs_code_event *ev);
void code__free(struct space *sp);

/* layout.c */

#define USER_END (1ULL << 63) /* no address space reaches as far */

int layout__event(struct space *sp, const struct fs_layout_event *ev);
int layout__call(struct space *sp, struct image *im, const struct fs_call_event *ev);
/* A child's address space, as the parent's is known to be; `to` is new. 0 or -ENOMEM. */
int layout__fork(struct mm *to, const struct mm *from);
/* The image has ended: its last memory is told, unless another one shares it. */
void layout__end(struct space *sp, struct image *im, __u64 time_ns);
void layout__free(struct mm *mm);

struct origin *mm__new_origin(struct mm *mm, enum origin_kind kind, __u64 time_ns);
/* More of v is mapped by it. */
void origin__grow(struct origin *o, const struct vma *v, __u64 bytes);
/* The origin of a VMA, made where there is none. NULL: out of memory. */
struct origin *vma__origin(struct image *im, struct vma *v, __u64 time_ns);

/* layout_wanted.c */

/* Have the state of a range told, if the process lives. 0 or -ENOMEM. */
int layout__want(struct space *sp, struct image *im, __u64 from, __u64 to);
/* Has a state of a part of a range been asked for, and not come? */
bool layout__is_asked(const struct mm *mm, __u64 from, __u64 to);
/* The state of a range has come. */
void layout__told(struct mm *mm, __u64 from, __u64 to);
/* The image ends, but not its address space: what is wanted of it is asked of another one. */
void layout__want_elsewhere(struct space *sp, const struct image *im);

/* layout_pages.c */

/* All of an address space is known: count the faults that came before. 0 or -ENOMEM. */
int layout__pages_known(struct space *sp, struct mm *mm);
/* Pages that a call made present, or took away. 0 or -ENOMEM. */
int layout__pages_call(struct space *sp, struct image *im, const struct fs_call_event *ev);

/* Read which pages of a process's memory, of origins with `seed`, are there. 0 or -ENOMEM. */
int layout__pages_before(struct image *im);

/* place.c */

int place__region_event(struct space *sp, const struct fs_region_event *ev);
/* A mapping call that worked has replaced what was in a range. */
void place__call_event(struct space *sp, const struct fs_call_event *ev);
void places__free(struct space *sp);

#endif /* FS_REGION_INTERNAL_H */
