/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"

#define CHUNK_BYTES 65536

/* An odd multiplier, and the high half mixed into the low one: Knuth, TAOCP 6.4. */
static inline __u64 mix(__u64 h, __u64 v)
{
	h = (h ^ v) * 0x9e3779b97f4a7c15ULL;
	return h ^ h >> 32;
}

__u64 hash_bytes(const void *bytes, size_t n)
{
	const char *p = bytes;
	__u64 h = n, v;

	for (; n >= sizeof(v); p += sizeof(v), n -= sizeof(v)) {
		memcpy(&v, p, sizeof(v));
		h = mix(h, v);
	}
	v = 0;
	if (n)
		memcpy(&v, p, n);
	return mix(mix(h, v), 0xc2b2ae3d27d4eb4fULL);
}

static void idmap__put(struct idmap_slot *slots, size_t size, struct idmap_slot new)
{
	size_t at = new.hash;

	while (slots[at & (size - 1)].id_plus_1)
		at++;
	slots[at & (size - 1)] = new;
}

int idmap__add(struct idmap *m, __u64 hash, __u32 id)
{
	struct idmap_slot *slots;
	size_t size, i;

	if (id == (__u32)-1)
		return -ENOMEM;
	if (m->n >= m->size / 2) {
		size = m->size ? 2 * m->size : 64;
		slots = calloc(size, sizeof(*slots));
		if (!slots)
			return -ENOMEM;
		for (i = 0; i < m->size; i++)
			if (m->slots[i].id_plus_1)
				idmap__put(slots, size, m->slots[i]);
		free(m->slots);
		m->slots = slots;
		m->size = size;
	}
	idmap__put(m->slots, m->size, (struct idmap_slot){ hash, id + 1 });
	m->n++;
	return 0;
}

void idmap__clear(struct idmap *m)
{
	free(m->slots);
	*m = (struct idmap){ 0 };
}

struct strings_chunk {
	struct strings_chunk *next;
	size_t used, size;
	char text[];
};

/* A copy that stays where it is, or NULL. */
static const char *strings__keep(struct strings *s, const char *text, size_t len)
{
	struct strings_chunk *c = s->chunk;
	size_t size = len + 1 > CHUNK_BYTES ? len + 1 : CHUNK_BYTES;
	char *copy;

	if (!c || len + 1 > c->size - c->used) {
		c = malloc(sizeof(*c) + size);
		if (!c)
			return NULL;
		c->next = s->chunk;
		c->used = 0;
		c->size = size;
		s->chunk = c;
	}
	copy = c->text + c->used;
	memcpy(copy, text, len);
	copy[len] = '\0';
	c->used += len + 1;
	return copy;
}

int strings__add(struct strings *s, const char *text, size_t len, __u32 *id)
{
	__u64 hash = hash_bytes(text, len);
	size_t at = 0;
	void *v;

	while (idmap__next(&s->map, hash, &at, id))
		if (s->v[*id].len == len && !memcmp(s->v[*id].text, text, len))
			return 0;
	v = with_room(s->v, s->n, &s->room, sizeof(*s->v));
	if (!v)
		return -ENOMEM;
	s->v = v;
	s->v[s->n] = (struct string){ strings__keep(s, text, len), len };
	if (!s->v[s->n].text || idmap__add(&s->map, hash, s->n))
		return -ENOMEM;
	*id = s->n++;
	return 0;
}

void strings__clear(struct strings *s)
{
	struct strings_chunk *c, *next;

	for (c = s->chunk; c; c = next) {
		next = c->next;
		free(c);
	}
	free(s->v);
	idmap__clear(&s->map);
	*s = (struct strings){ 0 };
}

/* Room for n numbers more. 0 or -ENOMEM. */
static int idlists__reserve(struct idlists *l, size_t n)
{
	size_t room = l->ids_room ? l->ids_room : 256;
	__u32 *ids;

	while (room - l->nids < n)
		room *= 2;
	if (room == l->ids_room)
		return 0;
	ids = reallocarray(l->ids, room, sizeof(*ids));
	if (!ids)
		return -ENOMEM;
	l->ids = ids;
	l->ids_room = room;
	return 0;
}

int idlists__add(struct idlists *l, const __u32 *ids, size_t n, __u32 *id)
{
	__u64 hash = hash_bytes(ids, n * sizeof(*ids));
	size_t at = 0;
	void *v;

	while (idmap__next(&l->map, hash, &at, id))
		if (l->v[*id].n == n &&
		    (!n || !memcmp(l->ids + l->v[*id].from, ids, n * sizeof(*ids))))
			return 0;
	v = with_room(l->v, l->n, &l->room, sizeof(*l->v));
	if (!v)
		return -ENOMEM;
	l->v = v;
	if (idlists__reserve(l, n) || idmap__add(&l->map, hash, l->n))
		return -ENOMEM;
	l->v[l->n] = (struct idlist){ l->nids, n };
	if (n)
		memcpy(l->ids + l->nids, ids, n * sizeof(*ids));
	l->nids += n;
	*id = l->n++;
	return 0;
}

void idlists__clear(struct idlists *l)
{
	free(l->ids);
	free(l->v);
	idmap__clear(&l->map);
	*l = (struct idlists){ 0 };
}
