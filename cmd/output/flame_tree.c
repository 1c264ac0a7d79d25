/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "output/flame_impl.h"

/* What is needed while the tree grows. */
struct builder {
	struct flame_tree *tree;
	const struct profile *profile;
	flame_name_fn *name;
	struct writer text; /* scratch, in memory */
	__u32 *frame_name;  /* of each frame of the profile, FLAME_NONE: not asked for yet */
	/* The stack before: neighbours often begin alike. */
	const __u32 *last;
	__u32 *last_node;
	size_t last_n, last_room;
	__u32 last_root;
};

/* The number of a frame's name. 0 or -ENOMEM. */
static int name_of(struct builder *b, const struct profile_frame *frame, __u32 *name)
{
	b->text.len = 0;
	b->name(&b->text, frame);
	if (b->text.err)
		return b->text.err;
	return strings__add(&b->tree->names, b->text.len ? b->text.buf : "", b->text.len, name);
}

static int new_node(struct flame_tree *t, const struct flame_node *node, __u32 *id)
{
	void *v = with_room(t->node, t->n, &t->room, sizeof(*t->node));

	if (!v)
		return -ENOMEM;
	t->node = v;
	t->node[t->n] = *node;
	t->node[t->n].child = t->node[t->n].next = FLAME_NONE;
	*id = t->n++;
	return 0;
}

/* The child of a node that has the name, kind and inlining of `like`; made where there is none. */
static int child_of(struct flame_tree *t, const struct flame_node *like, __u32 *id)
{
	const __u32 key[3] = { like->parent, like->name, like->kind << 1 | like->inlined };
	__u64 hash = hash_bytes(key, sizeof(key));
	size_t at = 0;
	int err;

	while (idmap__next(&t->map, hash, &at, id)) {
		const struct flame_node *n = &t->node[*id];

		if (n->parent == like->parent && n->name == like->name && n->kind == like->kind &&
		    n->inlined == like->inlined)
			return 0;
	}
	err = new_node(t, like, id);
	return err ? err : idmap__add(&t->map, hash, *id);
}

static int frame_node(struct builder *b, __u32 parent, __u32 frame, __u32 *id)
{
	const struct profile_frame *f = profile__frame(b->profile, frame);
	struct flame_node like = {
		.frame = frame, .parent = parent, .kind = f->kind, .inlined = f->inlined
	};
	int err;

	if (b->frame_name[frame] == FLAME_NONE) {
		err = name_of(b, f, &b->frame_name[frame]);
		if (err) {
			b->frame_name[frame] = FLAME_NONE;
			return err;
		}
	}
	like.name = b->frame_name[frame];
	return child_of(b->tree, &like, id);
}

static int root_of(struct builder *b, const struct profile_cell *cell, __u32 *id)
{
	const struct profile_frame comm = { .name = cell->labels.comm, .kind = FLAME_COMM };
	struct flame_node like = { .frame = FLAME_NONE, .kind = FLAME_COMM };
	int err;

	*id = 0;
	if (!comm.name)
		return 0;
	err = name_of(b, &comm, &like.name);
	return err ? err : child_of(b->tree, &like, id);
}

static int add_cell(struct builder *b, const struct profile_cell *cell)
{
	size_t n, i, w;
	const __u32 *stack = profile__stack(b->profile, cell->stack, &n);
	__u32 root, node, *more;
	int err = root_of(b, cell, &root);

	if (err)
		return err;
	if (n > b->last_room) {
		more = reallocarray(b->last_node, 2 * n, sizeof(*more));
		if (!more)
			return -ENOMEM;
		b->last_node = more;
		b->last_room = 2 * n;
	}
	for (i = 0; root == b->last_root && i < n && i < b->last_n && stack[i] == b->last[i];)
		i++;
	node = i ? b->last_node[i - 1] : root;
	for (; i < n; i++) {
		err = frame_node(b, node, stack[i], &node);
		if (err)
			return err;
		b->last_node[i] = node;
	}
	b->last = stack;
	b->last_n = n;
	b->last_root = root;
	for (w = 0; w < PROFILE_WEIGHT_NR; w++) {
		__u64 *self = &b->tree->node[node].self[w];

		*self = profile_sum(*self, cell->weights.w[w]);
	}
	return 0;
}

static int by_text(const void *a, const void *b, void *arg)
{
	const struct string *s = arg, *x = &s[*(const __u32 *)a], *y = &s[*(const __u32 *)b];
	int diff = memcmp(x->text, y->text, x->len < y->len ? x->len : y->len);

	return diff ? diff : (x->len > y->len) - (x->len < y->len);
}

/* A node as it is sorted: by parent, then name, then kind. */
struct place_of_node {
	__u32 parent, rank, kind, node;
};

static int by_place(const void *a, const void *b)
{
	const struct place_of_node *x = a, *y = b;

	if (x->parent != y->parent)
		return x->parent < y->parent ? -1 : 1;
	if (x->rank != y->rank)
		return x->rank < y->rank ? -1 : 1;
	return (x->kind > y->kind) - (x->kind < y->kind);
}

/* Put all nodes but the root into their parents' lists, by name. 0 or -ENOMEM. */
static int link_children(struct flame_tree *t)
{
	struct place_of_node *place = calloc(t->n, sizeof(*place));
	__u32 *order = calloc(t->names.n, sizeof(*order)),
	      *rank = calloc(t->names.n, sizeof(*rank));
	size_t i;
	int err = -ENOMEM;

	if (!place || !order || !rank)
		goto out;
	for (i = 0; i < t->names.n; i++)
		order[i] = i;
	qsort_r(order, t->names.n, sizeof(*order), by_text, t->names.v);
	for (i = 0; i < t->names.n; i++)
		rank[order[i]] = i;
	for (i = 1; i < t->n; i++) {
		const struct flame_node *n = &t->node[i];

		place[i - 1] = (struct place_of_node){ n->parent, rank[n->name],
						       n->kind << 1 | n->inlined, i };
	}
	qsort(place, t->n - 1, sizeof(*place), by_place);
	for (i = t->n - 1; i-- > 0;) {
		struct flame_node *n = &t->node[place[i].node], *parent = &t->node[n->parent];

		n->next = parent->child;
		parent->child = place[i].node;
	}
	err = 0;
out:
	free(place);
	free(order);
	free(rank);
	return err;
}

static void add_totals(struct flame_tree *t, enum profile_weight weight)
{
	size_t i;

	for (i = t->n; i-- > 0;) {
		struct flame_node *n = &t->node[i], *parent = i ? &t->node[n->parent] : NULL;

		n->total = profile_sum(n->total, n->self[weight]);
		if (parent)
			parent->total = profile_sum(parent->total, n->total);
	}
}

int flame_tree__build(struct flame_tree *t, const struct profile *p, flame_name_fn *name,
		      enum profile_weight weight)
{
	const struct flame_node all = { .frame = FLAME_NONE,
					.parent = FLAME_NONE,
					.kind = FLAME_ALL };
	struct builder b = { .tree = t, .profile = p, .name = name };
	size_t nframes = profile__nframes(p), i;
	int err = -ENOMEM;
	__u32 id;

	*t = (struct flame_tree){ 0 };
	b.frame_name = malloc((nframes + 1) * sizeof(*b.frame_name));
	if (!b.frame_name)
		goto out;
	memset(b.frame_name, 0xff, (nframes + 1) * sizeof(*b.frame_name));
	err = strings__add(&t->names, "all", 3, &id);
	if (!err)
		err = new_node(t, &all, &id);
	for (i = 0; !err && i < profile__ncells(p); i++)
		err = add_cell(&b, profile__cell(p, i));
	if (!err)
		err = link_children(t);
	if (!err)
		add_totals(t, weight);
out:
	free(b.frame_name);
	free(b.last_node);
	free(b.text.buf);
	return err;
}

void flame_tree__clear(struct flame_tree *t)
{
	strings__clear(&t->names);
	free(t->node);
	idmap__clear(&t->map);
	*t = (struct flame_tree){ 0 };
}
