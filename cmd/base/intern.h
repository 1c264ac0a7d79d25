/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interning: equal things are kept once and go by a number from 0 on. Open addressing with eight
 * bytes a thing, where uthash takes a handle of 56 and a malloc() each.
 */
#ifndef FS_BASE_INTERN_H
#define FS_BASE_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

/* From the hash of a thing's contents to its number; the things live with the caller. */
struct idmap {
	struct idmap_slot {
		__u32 hash;
		__u32 id_plus_1; /* 0: empty */
	} * slots;
	size_t n, size; /* size: 0 or a power of two, more than n */
};

/* Hash of n bytes; the low 32 bits are as good as the high ones. */
__u64 hash_bytes(const void *bytes, size_t n);

/*
 * Numbers that were added with this hash, one a call: *at is 0 at first. False: no more. The caller
 * compares the things themselves.
 */
static inline bool idmap__next(const struct idmap *m, __u64 hash, size_t *at, __u32 *id)
{
	for (; *at < m->size; ++*at) {
		const struct idmap_slot *slot = &m->slots[(hash + *at) & (m->size - 1)];

		if (!slot->id_plus_1)
			return false;
		if (slot->hash == (__u32)hash) {
			*id = slot->id_plus_1 - 1;
			++*at;
			return true;
		}
	}
	return false;
}

/* Add a number below UINT32_MAX. 0, or -ENOMEM with nothing changed. */
int idmap__add(struct idmap *m, __u64 hash, __u32 id);

/* Release what it holds and make it empty. */
void idmap__clear(struct idmap *m);

/* Strings. A string stays where it is until strings__clear(). */
struct strings {
	struct strings_chunk *chunk;
	struct string {
		const char *text; /* NUL-terminated */
		size_t len;
	} * v;
	size_t n, room;
	struct idmap map;
};

/* Find or add the text of len bytes without NUL; its number is put into *id. 0 or -ENOMEM. */
int strings__add(struct strings *s, const char *text, size_t len, __u32 *id);

/* Release what it holds and make it empty. */
void strings__clear(struct strings *s);

/* Lists of numbers, such as stacks. */
struct idlists {
	__u32 *ids;
	size_t nids, ids_room;
	struct idlist {
		size_t from;
		size_t n;
	} * v;
	size_t n, room;
	struct idmap map;
};

/* Find or add a list of n numbers (n may be 0); its own number is put into *id. 0 or -ENOMEM. */
int idlists__add(struct idlists *l, const __u32 *ids, size_t n, __u32 *id);

/* The numbers of a list, *n of them, until the next one is added. */
static inline const __u32 *idlists__get(const struct idlists *l, __u32 id, size_t *n)
{
	*n = l->v[id].n;
	return l->ids + l->v[id].from;
}

/* Release what it holds and make it empty. */
void idlists__clear(struct idlists *l);

#endif /* FS_BASE_INTERN_H */
