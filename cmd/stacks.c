// SPDX-License-Identifier: GPL-2.0-only
#include "stacks.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <uthash.h>

#include "base/log.h"
#include "base/proc.h"
#include "symbol/cfi.h"
#include "symbol/needed.h"
#include "symbol/tables.h"

/* What is known of the code of a file. */
struct code_file {
	struct fs_file_key key;
	struct fs_unwind_table table;
	UT_hash_handle hh;
};

struct stacks {
	struct session *session;
	struct space *space;
	struct unwind_tables *tables;
	struct fs_unwind_table vdso;
	struct stack_set *set;
	struct code_file *files;
	size_t copied;
	bool full;    /* the tables are, and that was said */
	bool crowded; /* so is the kernel side's list of them */
};

static int is_vdso(void *ctx, const struct proc_map *map)
{
	*(struct proc_map *)ctx = *map;
	return !strcmp(map->name, "[vdso]");
}

/* The vdso, as this process has it, serves all native ones: its offsets are those of the mapping. */
static void add_vdso(struct stacks *st)
{
	struct proc_map here = {};
	struct cfi *cfi;

	if (proc__maps(getpid(), is_vdso, &here) != 1) {
		log_debug("the vdso is not found");
		return;
	}
	cfi = cfi__read_image((const void *)here.start, here.end - here.start);
	if (cfi && !unwind_tables__add(st->tables, cfi, &st->vdso))
		session__push_table(st->session, NULL, &st->vdso);
	else
		log_debug("the vdso has no unwind table: %s", strerror(errno));
	cfi__free(cfi);
}

struct stacks *stacks__new(struct session *session, struct space *space)
{
	struct stacks *st = calloc(1, sizeof(*st));
	struct session_unwind mem;

	if (!st)
		return NULL;
	st->session = session;
	st->space = space;
	session__unwind_memory(session, &mem);
	st->set = stack_set__new();
	st->tables = unwind_tables__new(mem.words, mem.nwords, mem.rules, mem.nrules);
	if (!st->set || !st->tables) {
		stacks__free(st);
		errno = ENOMEM;
		return NULL;
	}
	return st;
}

void stacks__free(struct stacks *st)
{
	struct code_file *f, *next;

	if (!st)
		return;
	HASH_ITER (hh, st->files, f, next) {
		HASH_DEL(st->files, f);
		free(f);
	}
	unwind_tables__free(st->tables);
	stack_set__free(st->set);
	free(st);
}

/* ---- tables ----------------------------------------------------------------------------------- */

static struct code_file *file_of(struct stacks *st, const struct file *file, bool make)
{
	struct fs_file_key key = { .ino = file->ino,
				   .dev = file->dev,
				   .generation = file->generation };
	struct code_file *f;

	HASH_FIND(hh, st->files, &key, sizeof(key), f);
	if (f || !make)
		return f;
	f = calloc(1, sizeof(*f));
	if (!f)
		return NULL;
	f->key = key;
	HASH_ADD(hh, st->files, key, sizeof(f->key), f);
	return f;
}

/* Copies of stacks fill their ring in less time than a large program's table takes. */
static void collect(void *session)
{
	session__collect(session);
}

/* The table of a file; its kind says how stacks go on where it has none. */
static void compile(struct stacks *st, const struct file *file, int fd, struct fs_unwind_table *out)
{
	struct cfi *cfi = fd < 0 ? NULL : cfi__read_while(fd, collect, st->session);
	int err = 0;

	memset(out, 0, sizeof(*out));
	if (cfi) {
		err = unwind_tables__add(st->tables, cfi, out);
		cfi__free(cfi);
		if (!err)
			return;
	} else if (fd >= 0) {
		err = -errno;
	}
	out->kind = err == -ENODATA || err == -ENOEXEC ? FS_UNWIND_FRAME_POINTERS :
							 FS_UNWIND_NOTHING;
	if (err == -ENOSPC && !st->full) {
		st->full = true;
		log_warn("the memory for unwind tables is used up: stacks end in '%s' and others",
			 file->path);
	} else if (err == -EBADMSG) {
		log_warn("'%s' has no .eh_frame that can be read: stacks end in it", file->path);
	}
}

void stacks__opened(struct stacks *st, const struct file *file, int fd,
		    const struct elf_layout *elf)
{
	struct code_file *f = file_of(st, file, true);

	(void)elf;
	if (!f || (f->table.kind && f->table.kind != FS_UNWIND_NOTHING))
		return;
	compile(st, file, fd, &f->table);
	if (session__push_table(st->session, &f->key, &f->table) && !st->crowded) {
		st->crowded = true;
		log_warn("too many files for the kernel side: stacks in '%s' and others are copied",
			 file->path);
	}
}

void stacks__prepare(struct stacks *st, __u32 pid)
{
	if (!st->vdso.kind)
		add_vdso(st);
	if (pid)
		space__expect_code(st->space, pid);
}

/*
 * Where libraries mostly are (ld.so(8)). What is elsewhere is met when it is mapped, and costs copies of
 * stacks until then.
 */
static const char *const library_dirs[] = {
#if defined(__x86_64__)
	"/lib/x86_64-linux-gnu",
	"/usr/lib/x86_64-linux-gnu",
#elif defined(__aarch64__)
	"/lib/aarch64-linux-gnu",
	"/usr/lib/aarch64-linux-gnu",
#endif
	"/lib64",
	"/usr/lib64",
	"/usr/local/lib",
	"/lib",
	"/usr/lib",
};

#define MAX_NEEDED 64

struct needed {
	struct stacks *st;
	unsigned int n;
};

static void need(void *ctx, const char *name);

static bool expect(struct needed *needed, const char *path)
{
	int fd;

	if (access(path, R_OK) || !space__expect(needed->st->space, path))
		return false;
	fd = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	if (fd >= 0 && ++needed->n < MAX_NEEDED)
		elf_needed(fd, need, needed);
	if (fd >= 0)
		close(fd);
	return true;
}

/* A library of a library was seen often: what it needs is not looked at again. */
static bool is_expected(const struct stacks *st, const char *path)
{
	struct stat file;

	if (stat(path, &file))
		return false;
	for (const struct code_file *f = st->files; f; f = f->hh.next)
		if (f->key.ino == file.st_ino &&
		    f->key.dev == (major(file.st_dev) << 20 | minor(file.st_dev)))
			return true;
	return false;
}

static void need(void *ctx, const char *name)
{
	struct needed *needed = ctx;
	char path[PATH_MAX];

	if (strchr(name, '/')) {
		if (!is_expected(needed->st, name))
			expect(needed, name);
		return;
	}
	for (size_t i = 0; i < sizeof(library_dirs) / sizeof(library_dirs[0]); i++) {
		snprintf(path, sizeof(path), "%s/%s", library_dirs[i], name);
		if (is_expected(needed->st, path) || expect(needed, path))
			return;
	}
}

void stacks__prepare_program(struct stacks *st, const char *path)
{
	struct needed needed = { .st = st };

	if (!is_expected(st, path))
		expect(&needed, path);
}

void stacks__log(const struct stacks *st)
{
	struct unwind_tables_stat stat;

	unwind_tables__stat(st->tables, &stat);
	log_info(
		"unwind tables: %zu files, %zu KiB of %zu, %zu rules of %zu; %zu stacks were copied",
		stat.tables, stat.words / 256, stat.max_words / 256, stat.rules, stat.max_rules,
		st->copied);
}

/* ---- stacks ----------------------------------------------------------------------------------- */

static int code_at(void *ctx, const struct fs_stack_event *ev, __u64 addr, struct unwind_code *out)
{
	struct stacks *st = ctx;
	struct code_file *f;
	struct code code;
	int err = space__code(st->space, ev->head.pid, ev->code_id, addr, &code);

	if (err)
		return err;
	*out = (struct unwind_code){ .start = code.start, .offset = code.offset };
	if (code.vdso) {
		out->file_id = FS_FRAME_VDSO;
		out->table = st->vdso;
	} else if (code.file) {
		f = file_of(st, code.file, false);
		out->file_id = code.file->id;
		if (f)
			out->table = f->table;
	}
	return 0;
}

#define COPIES_BETWEEN 32

int stacks__event(struct stacks *st, const struct fs_stack_event *ev)
{
	const struct unwind_ops ops = { st, code_at };
	struct unwound u;
	int err;

	if (!stack_event_check(ev))
		return 0;
	unwind_event(st->tables, ev, &ops, &u);
	if (ev->end == FS_STACK_COPIED && ++st->copied % COPIES_BETWEEN == 0)
		session__collect(st->session);
	err = stack_set__add(st->set, ev->id, ev->head.pid, ev->image, &u);
	return err == -ENOMEM ? err : 0;
}

const struct stack *stacks__get(const struct stacks *st, __u32 id)
{
	return stack_set__get(st->set, id);
}

const struct stack *stacks__stack(const struct stacks *st, __u32 number)
{
	return stack_set__stack(st->set, number);
}
