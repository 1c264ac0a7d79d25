/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/profile.h"
#include "base/intern.h"
#include "base/memory.h"

/*
 * Strings in mappings, frames and cells are those of `strings`: equal ones have equal pointers, so
 * that the structs are compared and hashed as bytes (padding is zero).
 */
struct things {
	void *v;
	size_t n, room;
	struct idmap map;
};

struct profile {
	struct strings strings;
	struct idlists stacks;
	struct things mappings, frames, cells;
	__u64 total[PROFILE_WEIGHT_NR];
};

/* What a cell is found by. */
#define CELL_KEY offsetof(struct profile_cell, weights)

struct profile *profile__new(void)
{
	return calloc(1, sizeof(struct profile));
}

static void things__clear(struct things *t)
{
	free(t->v);
	idmap__clear(&t->map);
}

void profile__free(struct profile *p)
{
	if (!p)
		return;
	strings__clear(&p->strings);
	idlists__clear(&p->stacks);
	things__clear(&p->mappings);
	things__clear(&p->frames);
	things__clear(&p->cells);
	free(p);
}

/* Put the interned string of `text`, or NULL, into *out. 0 or -ENOMEM. */
static int profile__string(struct profile *p, const char *text, const char **out)
{
	__u32 id;

	*out = NULL;
	if (!text)
		return 0;
	if (strings__add(&p->strings, text, strlen(text), &id))
		return -ENOMEM;
	*out = p->strings.v[id].text;
	return 0;
}

/*
 * Find or add a thing of `size` bytes, of which the first `key` tell what it is. 0 or -ENOMEM.
 */
static int things__add(struct things *t, const void *thing, size_t size, size_t key, __u32 *id)
{
	__u64 hash = hash_bytes(thing, key);
	size_t at = 0;
	void *v;

	while (idmap__next(&t->map, hash, &at, id))
		if (!memcmp((char *)t->v + *id * size, thing, key))
			return 0;
	v = with_room(t->v, t->n, &t->room, size);
	if (!v)
		return -ENOMEM;
	t->v = v;
	if (idmap__add(&t->map, hash, t->n))
		return -ENOMEM;
	memcpy((char *)t->v + t->n * size, thing, size);
	*id = t->n++;
	return 0;
}

int profile__add_mapping(struct profile *p, const struct profile_mapping *mapping, __u32 *id)
{
	struct profile_mapping m;
	int err;

	memset(&m, 0, sizeof(m));
	m.start = mapping->start;
	m.limit = mapping->limit;
	m.file_offset = mapping->file_offset;
	if (profile__string(p, mapping->object, &m.object) ||
	    profile__string(p, mapping->build_id, &m.build_id))
		return -ENOMEM;
	err = things__add(&p->mappings, &m, sizeof(m), sizeof(m), id);
	if (!err)
		++*id;
	return err;
}

int profile__add_frame(struct profile *p, const struct profile_frame *frame, __u32 *id)
{
	struct profile_frame f;

	if (frame->kind >= PROFILE_FRAME_KIND_NR || frame->mapping > p->mappings.n)
		return -EINVAL;
	memset(&f, 0, sizeof(f));
	f.address = frame->address;
	f.sym_offset = frame->sym_offset;
	f.line = frame->line;
	f.mapping = frame->mapping;
	f.kind = frame->kind;
	f.inlined = frame->inlined;
	f.is_return = frame->is_return;
	if (profile__string(p, frame->name, &f.name) ||
	    profile__string(p, frame->object, &f.object) || profile__string(p, frame->src, &f.src))
		return -ENOMEM;
	return things__add(&p->frames, &f, sizeof(f), sizeof(f), id);
}

int profile__add_stack(struct profile *p, const __u32 *frames, size_t n, __u32 *id)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (frames[i] >= p->frames.n)
			return -EINVAL;
	return idlists__add(&p->stacks, frames, n, id);
}

int profile__add(struct profile *p, __u32 stack, const struct profile_labels *labels,
		 const struct profile_weights *weights)
{
	struct profile_cell cell, *found;
	__u32 id;
	int err, i;

	if (stack >= p->stacks.n)
		return -EINVAL;
	memset(&cell, 0, sizeof(cell));
	cell.stack = stack;
	cell.labels.pid = labels->pid;
	cell.labels.tid = labels->tid;
	if (profile__string(p, labels->comm, &cell.labels.comm) ||
	    profile__string(p, labels->region, &cell.labels.region) ||
	    profile__string(p, labels->class, &cell.labels.class) ||
	    profile__string(p, labels->access, &cell.labels.access) ||
	    profile__string(p, labels->result, &cell.labels.result))
		return -ENOMEM;
	err = things__add(&p->cells, &cell, sizeof(cell), CELL_KEY, &id);
	if (err)
		return err;
	found = (struct profile_cell *)p->cells.v + id;
	for (i = 0; i < PROFILE_WEIGHT_NR; i++) {
		found->weights.w[i] = profile_sum(found->weights.w[i], weights->w[i]);
		p->total[i] = profile_sum(p->total[i], weights->w[i]);
	}
	return 0;
}

size_t profile__nmappings(const struct profile *p)
{
	return p->mappings.n;
}

size_t profile__nframes(const struct profile *p)
{
	return p->frames.n;
}

size_t profile__nstacks(const struct profile *p)
{
	return p->stacks.n;
}

size_t profile__ncells(const struct profile *p)
{
	return p->cells.n;
}

const struct profile_mapping *profile__mapping(const struct profile *p, __u32 id)
{
	return (const struct profile_mapping *)p->mappings.v + id - 1;
}

const struct profile_frame *profile__frame(const struct profile *p, __u32 id)
{
	return (const struct profile_frame *)p->frames.v + id;
}

const __u32 *profile__stack(const struct profile *p, __u32 id, size_t *n)
{
	return idlists__get(&p->stacks, id, n);
}

const struct profile_cell *profile__cell(const struct profile *p, size_t i)
{
	return (const struct profile_cell *)p->cells.v + i;
}

__u64 profile__total(const struct profile *p, enum profile_weight weight)
{
	return p->total[weight];
}
