/* SPDX-License-Identifier: GPL-2.0-only */
/* The tables of include/unwind.h, which the loader compiles: from a place in a file to its rule. */
#ifndef FS_UNWIND_TABLE_BPF_H
#define FS_UNWIND_TABLE_BPF_H

#include "state.bpf.h"

/*
 * Words of all tables, see include/unwind.h; written by the loader through its mapping. In lines,
 * since a map's values begin at multiples of eight bytes.
 */
#define LINE_WORDS 16

struct unwind_line {
	u32 words[LINE_WORDS];
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct unwind_line);
} unwind_words SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct fs_unwind_rule);
} unwind_rules SEC(".maps");

/* The tables of files. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 8192);
	__type(key, struct fs_file_key);
	__type(value, struct fs_unwind_table);
} unwind_tables SEC(".maps");

volatile struct fs_unwind_table vdso_table = {};

static __always_inline u32 unwind_word(u32 i)
{
	u32 index = i / LINE_WORDS;
	struct unwind_line *line = bpf_map_lookup_elem(&unwind_words, &index);

	return line ? *(volatile u32 *)&line->words[i % LINE_WORDS] : 0;
}

/* The rule in force at an offset of a bucket whose rows are words [low, low + n). */
__noinline u32 unwind_search(u32 low, u32 n, u32 offset)
{
	if (!n)
		return 0;
	for (int i = 0; i < FS_UNWIND_SEARCH_STEPS; i++) {
		u32 half = n / 2;

		if (n <= 1)
			break;
		if (unwind_word(low + half) >> 16 <= offset) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return unwind_word(low) & 0xffff;
}

/*
 * Rules that were found lately: a search reads six lines of memory or more. An entry is one word, so
 * that it is whole for whoever reads it: the number of the rule, and above it what of file id and offset
 * the index does not tell. What a table says of a place does not change.
 */
#define KNOWN_RULE_BITS 13

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, 1 << KNOWN_RULE_BITS);
	__type(key, u32);
	__type(value, u64);
} known_rules SEC(".maps");

_Static_assert(FS_FRAME_FILE_BITS + FS_FRAME_OFFSET_BITS - KNOWN_RULE_BITS <= 48,
	       "an entry tells all");

__noinline u32 unwind_find_rule(u32 first, u32 nbuckets, u32 at, u64 offset)
{
	u32 bucket = (u32)(offset >> FS_UNWIND_BUCKET_SHIFT) - first, low, high;

	if (bucket >= nbuckets)
		return 0;
	low = unwind_word(at + bucket);
	high = unwind_word(at + bucket + 1);
	return unwind_search(low, high - low, offset & ((1 << FS_UNWIND_BUCKET_SHIFT) - 1));
}

/* The number of the rule at an offset of a file. */
static __always_inline u32 unwind_rule_of(const struct fs_unwind_table *table, u32 file_id,
					  u64 offset)
{
	u64 key = (u64)file_id << FS_FRAME_OFFSET_BITS | offset, tag = key >> KNOWN_RULE_BITS, word;
	/* the same tag gives another index to each key */
	u32 index = (key + (tag * 0x9e3779b97f4a7c15ULL >> 40)) & ((1 << KNOWN_RULE_BITS) - 1);
	u64 *known = bpf_map_lookup_elem(&known_rules, &index);
	u32 rule;

	if (!known)
		return 0;
	word = *(volatile u64 *)known;
	if (offset >> FS_FRAME_OFFSET_BITS)
		return 0;
	if (word >> 16 == tag && word)
		return word & 0xffff;
	rule = unwind_find_rule(table->first, table->nbuckets, table->at, offset);
	*(volatile u64 *)known = tag << 16 | rule;
	return rule;
}

#endif /* FS_UNWIND_TABLE_BPF_H */
