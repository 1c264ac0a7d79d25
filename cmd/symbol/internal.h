/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts of the symbolizer share. */
#ifndef FS_SYMBOL_INTERNAL_H
#define FS_SYMBOL_INTERNAL_H

#include <sys/types.h>
#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "symbol/image.h"
#include "symbol/symbolizer.h"
#include "symbol/symtab.h"

struct dwarf_info;
struct kernel_symbols;
struct jit_process;

/* ---- open files: open_file.c ------------------------------------------------------------------ */

/* A file that may be closed at any time, and is opened again when it is needed. */
struct open_file {
	char *path; /* NULL: it cannot be opened again */
	int fd;     /* -1: closed */
	bool known; /* the five that follow are, from its first opening */
	dev_t dev;
	ino_t ino;
	off_t size;
	struct timespec mtime;
	size_t build_id_len;
	unsigned char build_id[BUILD_ID_MAX];
	struct open_file *newer, *older; /* in the order of use, while it is open */
};

struct open_files {
	struct open_file *newest, *oldest;
	unsigned int n, max;
};

/*
 * Open a regular file for reading without waiting for anything; devices and FIFOs notice nothing
 * of it. A descriptor, or -errno; -ENOEXEC where it is no regular file.
 */
int open_regular(const char *path);

/* The file is fd from now on, which becomes its own, on failure too. 0 or -errno. */
int open_file__set(struct open_files *all, struct open_file *f, int fd);

/* A descriptor that stays valid until the next call for another file; -ESTALE where it is gone. */
int open_file__fd(struct open_files *all, struct open_file *f);

/* Close it for good. */
void open_file__clear(struct open_files *all, struct open_file *f);

/* ---- objects: object.c, debugfile.c, debugdata.c, plt.c ---------------------------------------- */

struct object_key {
	__u64 ino;
	__u32 dev, generation;
};

/* A PLT's stub; its name is of the symbolizer. */
struct plt_stub {
	__u64 addr, size;
	const char *name;
};

struct plt {
	bool tried;
	size_t n; /* sorted by addr */
	struct plt_stub *v;
};

struct frame_key {
	__u64 offset;
	__u64 kind; /* of look-up: the enum of object.c */
};

/* What a look-up gave. */
struct known_frames {
	UT_hash_handle hh;
	struct frame_key key;
	size_t n;
	struct sym_frame v[];
};

struct known_name {
	UT_hash_handle hh;
	const struct symbol *symbol;
	const char *name; /* NULL: it cannot be read */
};

#define MAX_TABLES 2 /* a debug file's, or .gnu_debugdata and .dynsym */

/* Symbols of one kind, of all tables that are used for it. */
struct tables {
	bool tried;
	size_t n;
	struct symtab v[MAX_TABLES];
};

struct sym_object {
	UT_hash_handle hh;
	struct object_key key;
	struct symbolizer *sz;
	const char *path; /* interned */
	bool opened;      /* file is known */
	bool loaded;      /* image and what follows were tried */
	struct open_file file, debug_file;
	struct elf_image *image, *debug_image, *mini_image; /* NULL: none */
	struct tables functions, data;
	struct plt plt;
	struct dwarf_info *dwarf; /* NULL: none, or not read */
	bool dwarf_tried;
	__u64 dwarf_used; /* symbolizer's clock */
	struct known_frames *frames;
	struct known_name *names;
};

/* Make images ready: descriptors are open. False: there is nothing to read of this object. */
bool object__ready(struct sym_object *obj);

/* The tables of a kind, read on the first call. */
const struct tables *object__tables(struct sym_object *obj, enum symbol_kind kind);

/*
 * The symbol of a kind that holds an address: its name, interned, and its start. False: none.
 */
bool object__symbol(struct sym_object *obj, enum symbol_kind kind, __u64 vaddr, const char **name,
		    __u64 *start);

void object__free(struct sym_object *obj);

/* Find and open the separate debug file, if there is one: debug_file and debug_image. */
void object__find_debug_file(struct sym_object *obj);

/* Build the path of a file of a build id: DIR/.build-id/xx/yyyy.debug. False: it does not fit. */
bool build_id_path(char *buf, size_t size, const char *dir, const unsigned char *id, size_t len);

/* The ELF object in .gnu_debugdata, or NULL. */
struct elf_image *read_debugdata(const struct elf_image *img);

/* The PLT stub "name@plt" that holds an address. False: none. */
bool object__plt(struct sym_object *obj, __u64 vaddr, const char **name, __u64 *start);

/* ---- DWARF: dwarf.c, dwarf_scopes.c ----------------------------------------------------------- */

/*
 * Frames of an address from DWARF, innermost first, without offsets: at most max, as many as there
 * are. The last one is the function itself. With lines, src and line. 0: nothing is known.
 */
size_t object__dwarf_frames(struct sym_object *obj, __u64 vaddr, struct sym_frame *out, size_t max);
void dwarf_info__free(struct dwarf_info *d);

/* ---- the symbolizer: symbolizer.c ------------------------------------------------------------- */

struct interned;

struct symbolizer {
	struct symbolizer_opts opts;
	char *debug_dir;
	struct open_files files;
	struct sym_object *objects;
	struct interned *strings;
	struct kernel_symbols *kernel;
	struct sym_object *vdso;
	struct jit_process *processes;
	unsigned int nmaps; /* of processes that are open */
	__u64 debug_bytes;  /* of DWARF in memory */
	__u64 clock;
	bool kernel_tried, vdso_tried, warned_debug_bytes, warned_debuginfod;
};

/* A copy of a string that lives as long as the symbolizer; the same for the same string. NULL: no memory. */
const char *symbolizer__intern(struct symbolizer *sz, const char *text);

/* The same of the name demangled, unless that is not wanted. */
const char *symbolizer__intern_name(struct symbolizer *sz, const char *name);

void kernel_symbols__free(struct kernel_symbols *k);
void jit_processes__free(struct symbolizer *sz);
struct elf_image *vdso_image(void);

#endif /* FS_SYMBOL_INTERNAL_H */
