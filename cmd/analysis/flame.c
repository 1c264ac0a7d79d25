/* SPDX-License-Identifier: GPL-2.0-only */
#include "analysis/flame.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat.h"
#include "base/intern.h"
#include "base/memory.h"

struct flame_tally {
	__u64 only;
	__u32 page_size;
	struct flame_cell *cells;
	size_t n, room;
	struct idmap map;
	size_t last; /* cell of the last fault: the next one is often the same */
};

__u64 flame_only(__u64 asked)
{
	const __u64 kinds[] = { FLAME_ONLY_RESULTS, FLAME_ONLY_CLASSES, FLAME_ONLY_REGIONS };

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!(asked & kinds[i]))
			asked |= kinds[i];
	return asked;
}

struct flame_tally *flame_tally__new(__u64 only, __u32 page_size)
{
	struct flame_tally *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	t->only = flame_only(only);
	t->page_size = page_size;
	return t;
}

void flame_tally__free(struct flame_tally *t)
{
	if (!t)
		return;
	idmap__clear(&t->map);
	free(t->cells);
	free(t);
}

bool flame_tally__wants(const struct flame_tally *t, const struct fs_fault *f,
			const struct place *pl)
{
	__u64 result = f->flags & FS_FAULT_FAILED ? FLAME_ONLY_FAILED :
		       f->flags & FS_FAULT_MAJOR  ? FLAME_ONLY_MAJOR :
						    FLAME_ONLY_MINOR;

	return (t->only & result) && (t->only & FLAME_ONLY_CLASS(f->class)) &&
	       (t->only & FLAME_ONLY_REGION(pl->region));
}

void flame_weights(const struct fs_fault *f, __u32 page_size, struct profile_weights *out)
{
	out->w[PROFILE_FAULTS] = 1;
	out->w[PROFILE_BYTES] =
		f->flags & FS_FAULT_FAILED ?
			0 :
			stat_class__bytes(f->class, 1ULL << (f->order & 31), page_size);
	out->w[PROFILE_STALL] = f->latency_ns;
}

/* All that tells a cell from others: what is before its weights. */
#define KEY_BYTES offsetof(struct flame_cell, weights)

static bool same(const struct flame_cell *a, const struct flame_cell *b)
{
	return !memcmp(a, b, KEY_BYTES);
}

/* The cell of a key, found or added; ~0: no memory. */
static size_t cell_of(struct flame_tally *t, const struct flame_cell *key)
{
	__u64 h = hash_bytes(key, KEY_BYTES);
	struct flame_cell *cells;
	size_t at = 0;
	__u32 i;

	while (idmap__next(&t->map, h, &at, &i))
		if (same(&t->cells[i], key))
			return i;
	cells = with_room(t->cells, t->n, &t->room, sizeof(*cells));
	if (!cells)
		return ~0UL;
	t->cells = cells;
	if (idmap__add(&t->map, h, t->n))
		return ~0UL;
	cells[t->n] = *key;
	return t->n++;
}

void flame_cell__of(const struct fs_fault *f, const struct place *pl,
		    const struct flame_labels *labels, struct flame_cell *out)
{
	memset(out, 0, sizeof(*out));
	out->stack = labels->stack;
	out->mapper = labels->mapper;
	out->pid = f->pid;
	out->region = pl->region;
	out->class = f->class;
	out->access = f->access;
	out->flags = f->flags & (FS_FAULT_MAJOR | FS_FAULT_FAILED);
	out->file = pl->file;
	out->anon_name = pl->mapping ? pl->mapping->anon_name : NULL;
	out->variable = labels->variable;
	strncpy(out->comm, labels->comm, sizeof(out->comm) - 1);
}

int flame_tally__add(struct flame_tally *t, const struct fs_fault *f, const struct place *pl,
		     const struct flame_labels *labels)
{
	struct profile_weights w;
	struct flame_cell key;

	flame_cell__of(f, pl, labels, &key);
	if (!t->n || !same(&t->cells[t->last], &key))
		t->last = cell_of(t, &key);
	if (t->last == ~0UL) {
		t->last = 0;
		return -ENOMEM;
	}
	flame_weights(f, t->page_size, &w);
	for (int i = 0; i < PROFILE_WEIGHT_NR; i++)
		t->cells[t->last].weights.w[i] =
			profile_sum(t->cells[t->last].weights.w[i], w.w[i]);
	return 0;
}

size_t flame_tally__ncells(const struct flame_tally *t)
{
	return t->n;
}

const struct flame_cell *flame_tally__cell(const struct flame_tally *t, size_t i)
{
	return &t->cells[i];
}
