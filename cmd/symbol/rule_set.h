/* SPDX-License-Identifier: GPL-2.0-only */
/* Unwinding rules, each once. */
#ifndef FS_RULE_SET_H
#define FS_RULE_SET_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "unwind.h"

struct rule_set {
	size_t n, room;
	struct fs_unwind_rule *rules; /* rules[0] is FS_CFA_NONE */
	bool borrowed;                /* the rules are the caller's, and do not grow */
	size_t nslots;                /* a power of two, more than twice n */
	__u32 *slots;                 /* open addressing; an index, or 0 */
};

/*
 * An empty set, with rule 0. rules: room for that many, which stays the caller's; or NULL, and then
 * rule_set__free() frees them. 0 or -ENOMEM, -EINVAL without room for one.
 */
int rule_set__init(struct rule_set *set, struct fs_unwind_rule *rules, size_t room);
void rule_set__free(struct rule_set *set);

/* Index of a rule, which is added where it is new; -ENOMEM, or -ENOSPC where there is no room. */
int rule_set__add(struct rule_set *set, const struct fs_unwind_rule *rule);

/* Forget the rules from index n on, the last ones added; n is at least 1. */
void rule_set__truncate(struct rule_set *set, size_t n);

#endif /* FS_RULE_SET_H */
