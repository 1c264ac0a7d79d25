/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects: what file they are, and look-ups in them. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <linux/magic.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/log.h"
#include "symbol/internal.h"

/* Kinds of look-ups whose results are kept. */
enum { AT_OFFSET, AT_CALL };

/* ---- identity --------------------------------------------------------------------------------- */

struct sym_object *symbolizer__object(struct symbolizer *sz, const struct sym_file *file)
{
	struct object_key key = { .ino = file->ino,
				  .dev = file->dev,
				  .generation = file->generation };
	struct sym_object *obj;

	HASH_FIND(hh, sz->objects, &key, sizeof(key), obj);
	if (obj)
		return obj;
	obj = calloc(1, sizeof(*obj));
	if (!obj)
		return NULL;
	obj->sz = sz;
	obj->key = key;
	obj->file.fd = obj->debug_file.fd = -1;
	obj->path = symbolizer__intern(sz, file->path);
	obj->file.path = strdup(file->path);
	if (!obj->path || !obj->file.path)
		goto fail;
	HASH_ADD(hh, sz->objects, key, sizeof(obj->key), obj);
	if (obj->hh.tbl)
		return obj;
fail:
	object__free(obj);
	errno = ENOMEM;
	return NULL;
}

/*
 * A file that was never seen open, by its path. On btrfs and overlayfs stat(2) tells another
 * device than the mapping does.
 */
static bool is_object(const struct sym_object *obj, int fd)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || st.st_ino != obj->key.ino)
		return false;
	if ((major(st.st_dev) << 20 | minor(st.st_dev)) == obj->key.dev)
		return true;
	return !fstatfs(fd, &fs) &&
	       (fs.f_type == BTRFS_SUPER_MAGIC || fs.f_type == OVERLAYFS_SUPER_MAGIC);
}

int sym_object__open(struct sym_object *obj, int fd)
{
	struct open_file *f = &obj->file;
	int own, err;

	if (obj->opened)
		return 0;
	obj->image = elf_image__open(fd);
	if (!obj->image) {
		/* another descriptor would be no better */
		obj->opened = obj->loaded = errno == ENOEXEC;
		return -errno;
	}
	memcpy(f->build_id, obj->image->build_id, BUILD_ID_MAX);
	f->build_id_len = obj->image->build_id_len;
	own = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	err = own < 0 ? -errno : open_file__set(&obj->sz->files, f, own);
	if (err) {
		elf_image__free(obj->image);
		obj->image = NULL;
		return err;
	}
	obj->image->fd = f->fd;
	obj->opened = true;
	return 0;
}

bool sym_object__wants_file(const struct sym_object *obj)
{
	return !obj->opened;
}

const unsigned char *sym_object__build_id(const struct sym_object *obj, size_t *len)
{
	*len = obj->file.build_id_len;
	return obj->file.build_id;
}

void object__free(struct sym_object *obj)
{
	struct known_frames *f, *next_frames;
	struct known_name *n, *next_name;

	if (!obj)
		return;
	HASH_ITER (hh, obj->frames, f, next_frames) {
		HASH_DEL(obj->frames, f);
		free(f);
	}
	HASH_ITER (hh, obj->names, n, next_name) {
		HASH_DEL(obj->names, n);
		free(n);
	}
	for (size_t i = 0; i < MAX_TABLES; i++) {
		symtab__clear(&obj->functions.v[i]);
		symtab__clear(&obj->data.v[i]);
	}
	dwarf_info__free(obj->dwarf);
	free(obj->plt.v);
	elf_image__free(obj->image);
	elf_image__free(obj->debug_image);
	elf_image__free(obj->mini_image);
	open_file__clear(&obj->sz->files, &obj->file);
	open_file__clear(&obj->sz->files, &obj->debug_file);
	free(obj);
}

/* ---- symbols ---------------------------------------------------------------------------------- */

static void open_by_path(struct sym_object *obj)
{
	int fd = open_regular(obj->file.path);

	if (fd >= 0 && is_object(obj, fd))
		sym_object__open(obj, fd);
	if (fd >= 0)
		close(fd);
}

bool object__ready(struct sym_object *obj)
{
	if (!obj->loaded) {
		obj->loaded = true;
		if (!obj->opened)
			open_by_path(obj);
		if (obj->image && open_file__fd(&obj->sz->files, &obj->file) >= 0)
			object__find_debug_file(obj);
	}
	if (!obj->image)
		return false;
	if (!obj->image->mem)
		obj->image->fd = open_file__fd(&obj->sz->files, &obj->file);
	if (obj->debug_image)
		obj->debug_image->fd = open_file__fd(&obj->sz->files, &obj->debug_file);
	return true;
}

static void add_table(struct tables *t, const struct elf_image *img, __u32 type,
		      enum symbol_kind kind)
{
	if (img && t->n < MAX_TABLES && !symtab__read(&t->v[t->n], img, type, kind))
		t->n++;
}

const struct tables *object__tables(struct sym_object *obj, enum symbol_kind kind)
{
	struct tables *t = kind == SYMBOL_DATA ? &obj->data : &obj->functions;

	if (t->tried)
		return t;
	t->tried = true;
	add_table(t, obj->image, SHT_SYMTAB, kind);
	if (!t->n)
		add_table(t, obj->debug_image, SHT_SYMTAB, kind);
	if (t->n)
		return t;
	if (!obj->mini_image)
		obj->mini_image = read_debugdata(obj->image);
	add_table(t, obj->mini_image, SHT_SYMTAB, kind);
	add_table(t, obj->image, SHT_DYNSYM, kind);
	log_debug("%s: %zu tables of symbols, %zu in the first", obj->path, t->n,
		  t->n ? t->v[0].n : 0);
	return t;
}

static const char *name_of(struct sym_object *obj, const struct symtab *t, const struct symbol *s,
			   __u64 vaddr)
{
	struct known_name *k;
	char buf[SYMBOL_NAME_MAX];
	const char *name;

	HASH_FIND_PTR(obj->names, &s, k);
	if (k)
		return k->name;
	name = symtab__name(t, s, vaddr, buf) ? NULL : symbolizer__intern_name(obj->sz, buf);
	k = calloc(1, sizeof(*k));
	if (!k)
		return name;
	k->symbol = s;
	k->name = name;
	HASH_ADD_PTR(obj->names, symbol, k);
	if (!k->hh.tbl)
		free(k);
	return name;
}

bool object__symbol(struct sym_object *obj, enum symbol_kind kind, __u64 vaddr, const char **name,
		    __u64 *start)
{
	const struct tables *t = object__tables(obj, kind);
	const struct symbol *best = NULL;
	const struct symtab *in = NULL;

	for (size_t i = 0; i < t->n; i++) {
		const struct symbol *s = symtab__find(&t->v[i], vaddr);

		if (s && (!best || s->addr > best->addr)) {
			best = s;
			in = &t->v[i];
		}
	}
	if (!best)
		return false;
	*start = best->addr;
	*name = name_of(obj, in, best, vaddr);
	return *name;
}

/* ---- frames ----------------------------------------------------------------------------------- */

static size_t recall(struct sym_object *obj, struct frame_key key, struct sym_frame *out,
		     size_t max)
{
	struct known_frames *k;
	size_t n;

	HASH_FIND(hh, obj->frames, &key, sizeof(key), k);
	if (!k)
		return 0;
	n = k->n < max ? k->n : max;
	memcpy(out, k->v, n * sizeof(*out));
	return n;
}

/* Where there is no memory for it the frames are looked up again. */
static void remember(struct sym_object *obj, struct frame_key key, const struct sym_frame *v,
		     size_t n)
{
	struct known_frames *k = calloc(1, sizeof(*k) + n * sizeof(*v));

	if (!k)
		return;
	k->key = key;
	k->n = n;
	memcpy(k->v, v, n * sizeof(*v));
	HASH_ADD(hh, obj->frames, key, sizeof(k->key), k);
	if (!k->hh.tbl)
		free(k);
}

/* Names of linked address `vaddr`; `addr` is the one that the offset is counted to. */
static size_t frames_at(struct sym_object *obj, __u64 vaddr, __u64 addr, struct sym_frame *out)
{
	const char *name = NULL;
	__u64 start;
	size_t n = 0;

	if (obj->sz->opts.inlines || obj->sz->opts.lines)
		n = object__dwarf_frames(obj, vaddr, out, SYM_MAX_INLINED);
	if (!n)
		out[n++] = (struct sym_frame){};
	/* the function: its symbol tells clones and aliases that DWARF has one name for */
	if (object__symbol(obj, SYMBOL_FUNCTION, vaddr, &name, &start) ||
	    object__plt(obj, vaddr, &name, &start)) {
		out[n - 1].name = name;
		out[n - 1].offset = addr - start;
	}
	return n;
}

static size_t look_up(struct sym_object *obj, __u64 offset, bool call, struct sym_frame *out)
{
	__u64 at = offset - call, vaddr;
	size_t n = 1;

	if (call && !offset)
		at = offset;
	memset(out, 0, sizeof(*out));
	if (object__ready(obj) && elf_image__vaddr(obj->image, at, true, &vaddr))
		n = frames_at(obj, vaddr, vaddr + (offset - at), out);
	for (size_t i = 0; i < n; i++) {
		out[i].object = obj->path;
		out[i].inlined = i + 1 < n;
	}
	return n;
}

size_t symbolizer__file_frames(struct symbolizer *sz, struct sym_object *obj, __u64 file_offset,
			       bool call, struct sym_frame *out, size_t max)
{
	struct frame_key key = { .offset = file_offset, .kind = call ? AT_CALL : AT_OFFSET };
	struct sym_frame found[SYM_MAX_INLINED];
	size_t n = recall(obj, key, out, max);

	(void)sz;
	if (n || !max)
		return n;
	n = look_up(obj, file_offset, call, found);
	remember(obj, key, found, n);
	if (n > max)
		n = max;
	memcpy(out, found, n * sizeof(*out));
	return n;
}

/* Not kept by address, as frames are: programs touch more of their data than they have code. */
bool symbolizer__data_vaddr(struct symbolizer *sz, struct sym_object *obj, __u64 vaddr,
			    struct sym_frame *out)
{
	__u64 start;

	(void)sz;
	*out = (struct sym_frame){ .object = obj->path };
	if (object__ready(obj) && object__symbol(obj, SYMBOL_DATA, vaddr, &out->name, &start))
		out->offset = vaddr - start;
	return out->name;
}

bool symbolizer__data_offset(struct symbolizer *sz, struct sym_object *obj, __u64 file_offset,
			     struct sym_frame *out)
{
	__u64 vaddr;

	if (object__ready(obj) && elf_image__vaddr(obj->image, file_offset, false, &vaddr))
		return symbolizer__data_vaddr(sz, obj, vaddr, out);
	*out = (struct sym_frame){ .object = obj->path };
	return false;
}
