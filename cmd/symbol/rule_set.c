/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "symbol/rule_set.h"

#define FIRST_SLOTS 256

static size_t hash(const struct fs_unwind_rule *rule)
{
	__u64 half[2], h;

	memcpy(half, rule, sizeof(half));
	h = (half[0] ^ half[0] >> 29) * 0x9e3779b97f4a7c15ULL + half[1];
	h = (h ^ h >> 32) * 0xd6e8feb86659fd93ULL;
	return h ^ h >> 32;
}

/* The slot of a rule, or the empty one where it belongs. */
static __u32 *find(const struct rule_set *set, const struct fs_unwind_rule *rule)
{
	size_t i = hash(rule);

	for (;; i++) {
		__u32 *slot = &set->slots[i & (set->nslots - 1)];

		if (!*slot || !memcmp(&set->rules[*slot], rule, sizeof(*rule)))
			return slot;
	}
}

int rule_set__init(struct rule_set *set, struct fs_unwind_rule *rules, size_t room)
{
	*set = (struct rule_set){ .rules = rules, .room = room, .borrowed = rules };
	if (rules && !room)
		return -EINVAL;
	if (!rules) {
		set->room = 0;
		set->rules = with_room(NULL, 0, &set->room, sizeof(*rules));
	}
	set->nslots = FIRST_SLOTS;
	set->slots = calloc(set->nslots, sizeof(*set->slots));
	if (!set->rules || !set->slots) {
		rule_set__free(set);
		return -ENOMEM;
	}
	set->rules[0] = (struct fs_unwind_rule){ .cfa = FS_CFA_NONE };
	set->n = 1;
	return 0;
}

void rule_set__free(struct rule_set *set)
{
	if (!set->borrowed)
		free(set->rules);
	free(set->slots);
	*set = (struct rule_set){};
}

static int make_room(struct rule_set *set)
{
	if (set->n >= FS_UNWIND_MAX_RULES || (set->borrowed && set->n >= set->room))
		return -ENOSPC;
	if (!set->borrowed) {
		struct fs_unwind_rule *rules =
			with_room(set->rules, set->n, &set->room, sizeof(*rules));

		if (!rules)
			return -ENOMEM;
		set->rules = rules;
	}
	if (2 * (set->n + 1) > set->nslots) {
		__u32 *slots = calloc(2 * set->nslots, sizeof(*slots));

		if (!slots)
			return -ENOMEM;
		free(set->slots);
		set->slots = slots;
		set->nslots *= 2;
		for (size_t i = 1; i < set->n; i++)
			*find(set, &set->rules[i]) = i;
	}
	return 0;
}

int rule_set__add(struct rule_set *set, const struct fs_unwind_rule *rule)
{
	__u32 *slot;
	int err;

	if (!memcmp(rule, &set->rules[0], sizeof(*rule)))
		return 0;
	slot = find(set, rule);
	if (*slot)
		return *slot;
	err = make_room(set);
	if (err)
		return err;
	set->rules[set->n] = *rule;
	*find(set, rule) = set->n;
	return set->n++;
}

void rule_set__truncate(struct rule_set *set, size_t n)
{
	/* Last in, first out: no rule that stays has passed over the slot of one that came later,
	 * unless the slots have been laid out anew meanwhile, and those were in the same order */
	while (set->n > n)
		*find(set, &set->rules[--set->n]) = 0;
}
