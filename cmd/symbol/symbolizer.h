/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of addresses: of code and data in mapped files, of the kernel, of the vdso, of code that a
 * process wrote itself. One thread at a time. Files are read with pread(2), never mapped, and may
 * hold anything: what makes no sense in them only costs names. Names are as the objects have them:
 * whoever prints them escapes them (base/text.h).
 */
#ifndef FS_SYMBOLIZER_H
#define FS_SYMBOLIZER_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

struct symbolizer;
struct sym_object;

#define SYM_MAX_INLINED 64 /* frames that symbolizer__file_frames() gives at most */

struct symbolizer_opts {
	bool inlines;                /* frames of inlined functions too, from DWARF */
	bool lines;                  /* source file and line, from DWARF */
	bool debuginfod;             /* ask the servers of $DEBUGINFOD_URLS for debug files */
	bool no_demangle;            /* names as the linker sees them */
	unsigned int max_open_files; /* kept open at a time; 0: 256 */
	__u64 max_debug_bytes;       /* of DWARF in memory at a time; 0: 512 MiB */
	const char *debug_dir;       /* of separate debug files; NULL: /usr/lib/debug */
};

/* A mapped file, as the kernel tells it. */
struct sym_file {
	__u32 dev; /* kernel dev_t: major << 20 | minor */
	__u32 generation;
	__u64 ino;
	const char *path;
};

/* All strings belong to the symbolizer and live as long as it does. */
struct sym_frame {
	const char *name; /* NULL: unknown */
	__u64 offset;     /* of the address in the symbol, in bytes */
	const char *
		object; /* path, "[kernel.kallsyms]", "[module]", "[vdso]" or "[jit]"; never NULL */
	const char *src; /* source file, or NULL */
	__u32 line;      /* in src; 0: unknown */
	bool inlined;    /* into the frame that follows */
	bool kernel;
	bool jit;
};

/* Takes a copy of the options (NULL: none); debug_dir too. NULL with errno ENOMEM. */
struct symbolizer *symbolizer__new(const struct symbolizer_opts *opts);
void symbolizer__free(struct symbolizer *sz);

/*
 * The object of that identity; made where it is new, with a copy of the path. It is the
 * symbolizer's. NULL with errno ENOMEM.
 */
struct sym_object *symbolizer__object(struct symbolizer *sz, const struct sym_file *file);

/*
 * Note what the file is, while it can be had: its build id, and a duplicate of fd, which is of
 * that file, opened for reading and stays the caller's. Only the first call for an object does
 * something. The duplicate is closed when too many are open; the path is opened again then, and
 * taken for the same file where the build id, or else device, inode, size and time agree. 0,
 * -ENOEXEC where it is no ELF object (it will have no names), or -errno.
 */
int sym_object__open(struct sym_object *obj, int fd);

/* Does it still lack the file? Then sym_object__open() is worth a call. */
bool sym_object__wants_file(const struct sym_object *obj);

/* The build id, *len bytes of it (0: none). */
const unsigned char *sym_object__build_id(const struct sym_object *obj, size_t *len);

/*
 * Names of the code at an offset of the file. call: it is a return address, so the byte before it
 * is looked up. Writes at most max frames (SYM_MAX_INLINED always suffice), with opts.inlines
 * those of inlined functions first, innermost first. Returns how many: at least 1 for max > 0; a
 * frame without a name where nothing is known.
 */
size_t symbolizer__file_frames(struct symbolizer *sz, struct sym_object *obj, __u64 file_offset,
			       bool call, struct sym_frame *out, size_t max);

/*
 * The variable that holds an address, which is given as the object was linked (address less load
 * bias: .bss is in no file), or by file offset. True and *out with name and offset where there is
 * one.
 */
bool symbolizer__data_vaddr(struct symbolizer *sz, struct sym_object *obj, __u64 vaddr,
			    struct sym_frame *out);
bool symbolizer__data_offset(struct symbolizer *sz, struct sym_object *obj, __u64 file_offset,
			     struct sym_frame *out);

/* A function of the kernel or of a module, by /proc/kallsyms. False: no name, *out is filled. */
bool symbolizer__kernel_frame(struct symbolizer *sz, __u64 addr, bool call, struct sym_frame *out);

/*
 * A function of the vdso by the offset in its image; that of this machine's native programs. False:
 * no name, *out is filled.
 */
bool symbolizer__vdso_frame(struct symbolizer *sz, __u64 offset, bool call, struct sym_frame *out);

/*
 * `image` tells what a process runs from what it, or another of its number, ran before: as in
 * fs_exec_event, 0: no matter.
 *
 * Remember of a living process what is needed to find its JIT map once it is gone: its number in
 * its own PID namespace, its user, and the map itself where there is one. To be called again after
 * exec, and whenever code outside of files is first seen. 0, -ESRCH, -ENOMEM or -errno.
 */
int symbolizer__note_process(struct symbolizer *sz, __u32 pid, __u64 image);

/*
 * Code that a process made, by its /tmp/perf-PID.map, which is read again once an address is not
 * in it and it has grown. False: no name, *out is filled.
 */
bool symbolizer__jit_frame(struct symbolizer *sz, __u32 pid, __u64 image, __u64 addr, bool call,
			   struct sym_frame *out);

#endif /* FS_SYMBOLIZER_H */
