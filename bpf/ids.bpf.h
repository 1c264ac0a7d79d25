/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Ids of things that are sent to user space once, by a hash of what tells one from another: sets of
 * four, each a cache line. What is forgotten gets another id when it is seen again. Nothing is
 * locked: a pair that two CPUs wrote at once does not fit together, and is taken for another
 * thing's. Two things that are taken for one have 96 bits in common.
 */
#ifndef FS_IDS_BPF_H
#define FS_IDS_BPF_H

#include "state.bpf.h"

#define ID_SETS_MAX 65536
#define ID_WAYS     4

struct id_set {
	struct {
		u64 hash;
		u64 id; /* and above it 32 more bits of hash */
	} way[ID_WAYS];
};

#define ID_SETS(name)                             \
	struct {                                  \
		__uint(type, BPF_MAP_TYPE_ARRAY); \
		__uint(max_entries, ID_SETS_MAX); \
		__type(key, u32);                 \
		__type(value, struct id_set);     \
	} name SEC(".maps")

struct id_hash {
	u64 first, second;
};

/* Words that differ in one place only never have the same first hash. */
static __always_inline void hash_add(struct id_hash *h, u64 word)
{
	h->first = (h->first ^ word) * 0x9e3779b97f4a7c15ULL;
	h->first ^= h->first >> 29;
	h->second = (h->second + word) * 0xd6e8feb86659fd93ULL;
	h->second ^= h->second >> 32;
}

/* The id of a thing, 0: not known. `sets`: a map made by ID_SETS(). */
static __always_inline u32 id_known(void *sets, const struct id_hash *h)
{
	u32 index = h->first & (ID_SETS_MAX - 1);
	struct id_set *set = bpf_map_lookup_elem(sets, &index);

	if (!set)
		return 0;
#pragma unroll
	for (int i = 0; i < ID_WAYS; i++) {
		u64 id = *(volatile u64 *)&set->way[i].id;

		if (set->way[i].hash == h->first && id >> 32 == h->second >> 32)
			return id;
	}
	return 0;
}

static __always_inline void id_remember(void *sets, const struct id_hash *h, u32 id)
{
	u32 index = h->first & (ID_SETS_MAX - 1), i;
	struct id_set *set = bpf_map_lookup_elem(sets, &index);
	u32 at = id & (ID_WAYS - 1);

	if (!set)
		return;
	for (i = 0; i < ID_WAYS; i++) {
		if (!set->way[i].id) {
			at = i;
			break;
		}
	}
	set->way[at].hash = h->first;
	*(volatile u64 *)&set->way[at].id = id | (h->second >> 32) << 32;
}

/* The last id given. */
enum id_kind { ID_REGION, ID_FILE, ID_STACK, ID_CODE, ID_KIND_NR };

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, ID_KIND_NR);
	__type(key, u32);
	__type(value, u64);
} last_ids SEC(".maps");

static __always_inline u32 next_id(u32 which)
{
	u64 *last = bpf_map_lookup_elem(&last_ids, &which);

	return last ? __sync_fetch_and_add(last, 1) + 1 : 0;
}

#endif /* FS_IDS_BPF_H */
