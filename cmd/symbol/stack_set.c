/* SPDX-License-Identifier: GPL-2.0-only */
#include "symbol/stack_set.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/intern.h"
#include "base/memory.h"

#define MAX_ID (1U << 30)

struct stack_set {
	struct stack **stacks; /* by number */
	size_t n, room;
	struct idmap map;
	__u32 *ids; /* number + 1 by id */
	size_t nids;
};

struct stack_set *stack_set__new(void)
{
	return calloc(1, sizeof(struct stack_set));
}

void stack_set__free(struct stack_set *set)
{
	if (!set)
		return;
	for (size_t i = 0; i < set->n; i++)
		free(set->stacks[i]);
	free(set->stacks);
	idmap__clear(&set->map);
	free(set->ids);
	free(set);
}

static size_t nframes(const struct unwound *u)
{
	return (size_t)u->nkernel + u->nuser;
}

static __u64 hash(const struct unwound *u, __u32 pid, __u64 image)
{
	__u64 h = hash_bytes(u->frames, nframes(u) * sizeof(*u->frames));

	return h ^ (image + pid) * 0x9e3779b97f4a7c15ULL ^ u->end;
}

static bool same(const struct stack *s, const struct unwound *u, __u32 pid, __u64 image)
{
	return s->nkernel == u->nkernel && s->nuser == u->nuser && s->end == u->end &&
	       s->pid == pid && s->image == image &&
	       !memcmp(s->frames, u->frames, nframes(u) * sizeof(*u->frames));
}

static struct stack *make(struct stack_set *set, __u32 pid, __u64 image, const struct unwound *u)
{
	size_t bytes = nframes(u) * sizeof(*u->frames);
	struct stack *s = malloc(sizeof(*s) + bytes);

	if (!s)
		return NULL;
	*s = (struct stack){ .number = set->n,
			     .pid = pid,
			     .image = image,
			     .nkernel = u->nkernel,
			     .nuser = u->nuser,
			     .end = u->end };
	memcpy(s->frames, u->frames, bytes);
	return s;
}

/* The number of a stack, found or added, or -ENOMEM. */
static long intern(struct stack_set *set, __u32 pid, __u64 image, const struct unwound *u)
{
	__u64 h = hash(u, pid, image);
	struct stack **stacks;
	size_t at = 0;
	__u32 i;

	while (idmap__next(&set->map, h, &at, &i))
		if (same(set->stacks[i], u, pid, image))
			return i;
	stacks = with_room(set->stacks, set->n, &set->room, sizeof(*stacks));
	if (!stacks)
		return -ENOMEM;
	set->stacks = stacks;
	stacks[set->n] = make(set, pid, image, u);
	if (!stacks[set->n])
		return -ENOMEM;
	if (idmap__add(&set->map, h, set->n)) {
		free(stacks[set->n]);
		return -ENOMEM;
	}
	return set->n++;
}

int stack_set__add(struct stack_set *set, __u32 id, __u32 pid, __u64 image, const struct unwound *u)
{
	long number;
	size_t n;
	__u32 *ids;

	if (!id || id > MAX_ID)
		return -EINVAL;
	if (id >= set->nids) {
		n = id + 1 > 2 * set->nids ? id + 1024 : 2 * set->nids;
		ids = reallocarray(set->ids, n, sizeof(*ids));
		if (!ids)
			return -ENOMEM;
		memset(ids + set->nids, 0, (n - set->nids) * sizeof(*ids));
		set->ids = ids;
		set->nids = n;
	}
	number = intern(set, u->own_addresses ? pid : 0, u->own_addresses ? image : 0, u);
	if (number < 0)
		return number;
	set->ids[id] = number + 1;
	return 0;
}

const struct stack *stack_set__get(const struct stack_set *set, __u32 id)
{
	return id < set->nids && set->ids[id] ? set->stacks[set->ids[id] - 1] : NULL;
}

size_t stack_set__n(const struct stack_set *set)
{
	return set->n;
}

const struct stack *stack_set__stack(const struct stack_set *set, __u32 number)
{
	return set->stacks[number];
}
