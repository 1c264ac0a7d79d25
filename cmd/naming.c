// SPDX-License-Identifier: GPL-2.0-only
#include "naming.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"

/* The frames that a captured frame stands for: [from, from + n) of `ids`. */
struct named {
	__u64 frame;
	__u32 pid; /* 0: it is a place in a file, or the kernel's */
	__u32 n;
	__u64 image; /* of pid */
	size_t from;
};

struct naming {
	struct space *space;
	struct symbolizer *sz;
	struct named *named;
	size_t nnamed, named_room;
	struct idmap map;
	struct frame_list ids;
	const struct profile *profile; /* that the ids are of */
	__u32 noted_pid;
	__u64 noted_image;
};

struct naming *naming__new(struct space *space, const struct symbolizer_opts *opts)
{
	struct naming *n = calloc(1, sizeof(*n));

	if (!n)
		return NULL;
	n->space = space;
	n->sz = symbolizer__new(opts);
	if (!n->sz) {
		free(n);
		return NULL;
	}
	return n;
}

void naming__free(struct naming *n)
{
	if (!n)
		return;
	symbolizer__free(n->sz);
	idmap__clear(&n->map);
	frame_list__clear(&n->ids);
	free(n->named);
	free(n);
}

void naming__prepare(struct naming *n)
{
	struct sym_frame f;

	symbolizer__kernel_frame(n->sz, 0, false, &f);
}

void frame_list__clear(struct frame_list *l)
{
	free(l->ids);
	*l = (struct frame_list){};
}

static int push(struct frame_list *l, __u32 id)
{
	__u32 *ids = with_room(l->ids, l->n, &l->room, sizeof(*ids));

	if (!ids)
		return -ENOMEM;
	l->ids = ids;
	ids[l->n++] = id;
	return 0;
}

static struct sym_object *object_of(struct naming *n, const struct file *file)
{
	const struct sym_file sym = { .dev = file->dev,
				      .generation = file->generation,
				      .ino = file->ino,
				      .path = file->path };

	return symbolizer__object(n->sz, &sym);
}

void naming__opened(struct naming *n, const struct file *file, int fd, const struct elf_layout *elf)
{
	struct sym_object *obj = elf && fd >= 0 ? object_of(n, file) : NULL;

	if (obj)
		sym_object__open(obj, fd);
}

void naming__process(struct naming *n, __u32 pid, __u64 image)
{
	if (pid == n->noted_pid && image == n->noted_image)
		return;
	n->noted_pid = pid;
	n->noted_image = image;
	symbolizer__note_process(n->sz, pid, image);
}

/* ---- frames ----------------------------------------------------------------------------------- */

static int add_mapping(struct naming *n, struct profile *p, const struct file *file, __u32 *id)
{
	struct sym_object *obj = object_of(n, file);
	struct profile_mapping m = { .limit = 1ULL << FS_FRAME_OFFSET_BITS, .object = file->path };
	const unsigned char *bytes;
	char hex[2 * 64 + 1];
	size_t len = 0;

	bytes = obj ? sym_object__build_id(obj, &len) : NULL;
	for (size_t i = 0; i < len && i < 64; i++) {
		snprintf(hex + 2 * i, 3, "%02x", bytes[i]);
		m.build_id = hex;
	}
	return profile__add_mapping(p, &m, id);
}

/* Names of a captured frame, innermost first. */
static size_t look_up(struct naming *n, __u64 frame, __u32 pid, __u64 image,
		      const struct file *file, struct sym_frame *out)
{
	__u64 offset = frame & ((1ULL << FS_FRAME_OFFSET_BITS) - 1);
	bool call = frame & FS_FRAME_CALL;
	struct sym_object *obj;

	if (frame >> 63) {
		symbolizer__kernel_frame(n->sz, frame, call, out);
	} else if (!(frame & FS_FRAME_FILE)) {
		symbolizer__jit_frame(n->sz, pid, image, frame & (FS_FRAME_CALL - 1), call, out);
	} else if (!file) {
		symbolizer__vdso_frame(n->sz, offset, call, out);
	} else {
		obj = object_of(n, file);
		return obj ? symbolizer__file_frames(n->sz, obj, offset, call, out,
						     SYM_MAX_INLINED) :
			     0;
	}
	return 1;
}

static enum profile_frame_kind kind_of(const struct sym_frame *f)
{
	return f->kernel ? PROFILE_KERNEL : f->jit ? PROFILE_JIT : PROFILE_USER;
}

/* Append to n->ids what a captured frame stands for, outermost first. */
static int name_frame(struct naming *n, struct profile *p, __u64 frame, __u32 pid, __u64 image)
{
	struct sym_frame frames[SYM_MAX_INLINED];
	__u32 file_id = frame >> FS_FRAME_OFFSET_BITS & FS_FRAME_VDSO, mapping = 0, id;
	const struct file *file = NULL;
	bool in_file = !(frame >> 63) && (frame & FS_FRAME_FILE);
	size_t count;
	int err = 0;

	if (in_file && file_id != FS_FRAME_VDSO) {
		file = space__file(n->space, file_id);
		if (!file) /* its event was lost */
			return naming__word(p, PROFILE_NOTE, "[unknown]", &n->ids);
		err = add_mapping(n, p, file, &mapping);
	}
	count = look_up(n, frame, pid, image, file, frames);
	for (size_t i = count; i-- > 0 && !err;) {
		struct profile_frame f = {
			.name = frames[i].name,
			.object = frames[i].object,
			.src = frames[i].src,
			.line = frames[i].line,
			.address = in_file     ? frame & ((1ULL << FS_FRAME_OFFSET_BITS) - 1) :
				   frame >> 63 ? frame :
						 frame & (FS_FRAME_CALL - 1),
			.sym_offset = frames[i].offset,
			.mapping = mapping,
			.kind = kind_of(&frames[i]),
			.inlined = frames[i].inlined,
			.is_return = !(frame >> 63) && (frame & FS_FRAME_CALL),
		};

		err = profile__add_frame(p, &f, &id);
		if (!err)
			err = push(&n->ids, id);
	}
	return err;
}

static __u64 hash_of(__u64 frame, __u32 pid, __u64 image)
{
	const __u64 key[3] = { frame, pid, image };

	return hash_bytes(key, sizeof(key));
}

/* The names of a frame, found or made. NULL: no memory. */
static const struct named *named_of(struct naming *n, struct profile *p, __u64 frame, __u32 pid,
				    __u64 image)
{
	__u64 h = hash_of(frame, pid, image);
	struct named *v;
	size_t at = 0;
	__u32 i;

	while (idmap__next(&n->map, h, &at, &i))
		if (n->named[i].frame == frame && n->named[i].pid == pid &&
		    n->named[i].image == image)
			return &n->named[i];
	v = with_room(n->named, n->nnamed, &n->named_room, sizeof(*v));
	if (!v)
		return NULL;
	n->named = v;
	v += n->nnamed;
	*v = (struct named){ .frame = frame, .pid = pid, .image = image, .from = n->ids.n };
	if (name_frame(n, p, frame, pid, image) || idmap__add(&n->map, h, n->nnamed))
		return NULL;
	v->n = n->ids.n - v->from;
	n->nnamed++;
	return v;
}

static int add_frame(struct naming *n, struct profile *p, __u64 frame, __u32 pid, __u64 image,
		     struct frame_list *out)
{
	const struct named *named =
		named_of(n, p, frame, frame >> 62 ? 0 : pid, frame >> 62 ? 0 : image);
	int err = named ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < named->n; i++)
		err = push(out, n->ids.ids[named->from + i]);
	return err;
}

int naming__word(struct profile *p, enum profile_frame_kind kind, const char *text,
		 struct frame_list *out)
{
	struct profile_frame f = { .name = text, .kind = kind };
	__u32 id;
	int err = profile__add_frame(p, &f, &id);

	return err ? err : push(out, id);
}

const char *naming__note(const struct stack *s)
{
	if (!s)
		return "[stack lost]";
	switch (s->end) {
	case FS_STACK_COMPLETE:
		return NULL;
	case FS_STACK_EXEC:
		return "[exec]";
	case FS_STACK_KTHREAD:
		return "[kernel thread]";
	default:
		return "[truncated]";
	}
}

int naming__stack(struct naming *n, struct profile *p, const struct stack *s, unsigned int parts,
		  struct frame_list *out)
{
	const char *note = parts & STACK_NOTE ? naming__note(s) : NULL;
	int err = 0;

	if (n->profile != p) { /* ids are of a profile */
		idmap__clear(&n->map);
		n->nnamed = n->ids.n = 0;
		n->profile = p;
	}
	if (note)
		err = naming__word(p, PROFILE_NOTE, note, out);
	if (!s)
		return err;
	for (size_t i = s->nuser; (parts & STACK_USER) && !err && i-- > 0;)
		err = add_frame(n, p, s->frames[s->nkernel + i], s->pid, s->image, out);
	for (size_t i = s->nkernel; (parts & STACK_KERNEL) && !err && i-- > 0;)
		err = add_frame(n, p, s->frames[i], 0, 0, out);
	return err;
}

/* ---- data ------------------------------------------------------------------------------------- */

const char *naming__variable(struct naming *n, const struct place *pl, __u64 *offset)
{
	bool in_file = pl->region == FS_REGION_DATA || pl->region == FS_REGION_RODATA;
	bool in_bss = pl->region == FS_REGION_BSS && pl->linked;
	struct sym_object *obj = pl->file && (in_file || in_bss) ? object_of(n, pl->file) : NULL;
	struct sym_frame f;

	if (!obj)
		return NULL;
	if (in_bss ? !symbolizer__data_vaddr(n->sz, obj, pl->link_addr, &f) :
		     !symbolizer__data_offset(n->sz, obj, pl->file_offset, &f))
		return NULL;
	*offset = f.offset;
	return f.name;
}
