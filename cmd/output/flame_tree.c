/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Cells are sorted by the names of their stacks; then each shares a beginning with the one before it
 * and brings new nodes for the rest, in the order of their names. Finding nodes by a hash took four
 * times as long for 100,000 stacks of depth 30.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "output/flame_impl.h"

/* What frames are drawn as: those of one label become one node. */
struct label {
	__u32 name; /* number of the string in the tree's names */
	__u32 bits; /* kind << 1 | inlined */
	__u32 frame;
};

/* What is needed while the tree grows. Ranks: numbers of labels in the order of their names. */
struct builder {
	struct flame_tree *tree;
	const struct profile *profile;
	flame_name_fn *name;
	struct writer text; /* scratch, in memory */
	struct label *label;
	size_t nlabels, labels_room;
	struct idmap map;
	__u32 *rank, *by_rank; /* of a label; the label of a rank */
	__u32 *of_frame;       /* label of each frame of the profile, FLAME_NONE: no stack has it */
	struct path {
		const __u32 *ranks;
		size_t n;
	} * path;     /* of each stack */
	__u32 *ranks; /* that the paths point into */
	struct root {
		__u32 rank, cell; /* FLAME_NONE: no thread's name; labels are below that */
	} * order;
};

/* The number of the label of a frame: a frame's own number, FLAME_NONE for a thread. 0 or -ENOMEM. */
static int find_label(struct builder *b, const struct profile_frame *f, __u32 frame, __u32 *id)
{
	__u32 key[2] = { 0, f->kind << 1 | f->inlined };
	size_t at = 0;
	__u64 hash;
	void *v;

	b->text.len = 0;
	b->name(&b->text, f);
	if (b->text.err ||
	    strings__add(&b->tree->names, b->text.len ? b->text.buf : "", b->text.len, &key[0]))
		return -ENOMEM;
	hash = hash_bytes(key, sizeof(key));
	while (idmap__next(&b->map, hash, &at, id))
		if (b->label[*id].name == key[0] && b->label[*id].bits == key[1])
			return 0;
	v = with_room(b->label, b->nlabels, &b->labels_room, sizeof(*b->label));
	if (!v)
		return -ENOMEM;
	b->label = v;
	b->label[b->nlabels] = (struct label){ key[0], key[1], frame };
	*id = b->nlabels++;
	return idmap__add(&b->map, hash, *id);
}

/* Labels of all frames and threads; those of threads are put into the order, not ranked yet. */
static int find_labels(struct builder *b)
{
	size_t n = profile__nframes(b->profile), i;
	int err = 0;

	for (i = 0; i < n && !err; i++)
		err = find_label(b, profile__frame(b->profile, i), i, &b->of_frame[i]);
	n = profile__ncells(b->profile);
	for (i = 0; i < n && !err; i++) {
		struct profile_frame comm = { .kind = FLAME_COMM };

		comm.name = profile__cell(b->profile, i)->labels.comm;
		b->order[i] = (struct root){ FLAME_NONE, i };
		if (comm.name)
			err = find_label(b, &comm, FLAME_NONE, &b->order[i].rank);
	}
	return err;
}

static int by_label(const void *x, const void *y, void *arg)
{
	const struct builder *b = arg;
	const struct label *lx = &b->label[*(const __u32 *)x], *ly = &b->label[*(const __u32 *)y];
	const struct string *sx = &b->tree->names.v[lx->name], *sy = &b->tree->names.v[ly->name];
	int diff = memcmp(sx->text, sy->text, sx->len < sy->len ? sx->len : sy->len);

	if (diff)
		return diff;
	if (sx->len != sy->len)
		return sx->len < sy->len ? -1 : 1;
	return (lx->bits > ly->bits) - (lx->bits < ly->bits);
}

/* Put the labels in order and write stacks as ranks. 0 or -ENOMEM. */
static int rank_labels(struct builder *b)
{
	size_t nstacks = profile__nstacks(b->profile), sum = 0, i, k, n;
	const __u32 *stack;
	__u32 *to;

	b->rank = malloc((b->nlabels + 1) * sizeof(*b->rank));
	b->by_rank = malloc((b->nlabels + 1) * sizeof(*b->by_rank));
	for (i = 0; i < nstacks; i++) {
		profile__stack(b->profile, i, &n);
		sum += n;
	}
	to = b->ranks = malloc((sum + 1) * sizeof(*b->ranks));
	if (!b->rank || !b->by_rank || !b->ranks)
		return -ENOMEM;
	for (i = 0; i < b->nlabels; i++)
		b->by_rank[i] = i;
	qsort_r(b->by_rank, b->nlabels, sizeof(*b->by_rank), by_label, b);
	for (i = 0; i < b->nlabels; i++)
		b->rank[b->by_rank[i]] = i;
	for (i = 0; i < nstacks; i++) {
		stack = profile__stack(b->profile, i, &n);
		b->path[i] = (struct path){ to, n };
		for (k = 0; k < n; k++)
			*to++ = b->rank[b->of_frame[stack[k]]];
	}
	for (i = 0; i < profile__ncells(b->profile); i++)
		if (b->order[i].rank != FLAME_NONE)
			b->order[i].rank = b->rank[b->order[i].rank];
	return 0;
}

static const struct path *path_of(const struct builder *b, const struct root *root)
{
	return &b->path[profile__cell(b->profile, root->cell)->stack];
}

/* Numbers that two paths have in common, from the root on. */
static size_t common(const struct path *x, const struct path *y)
{
	size_t n = x->n < y->n ? x->n : y->n, i;

	for (i = 0; i < n && x->ranks[i] == y->ranks[i];)
		i++;
	return i;
}

static int by_path(const void *x, const void *y, void *arg)
{
	const struct root *rx = x, *ry = y;
	const struct path *px = path_of(arg, rx), *py = path_of(arg, ry);
	size_t i;

	if (rx->rank != ry->rank)
		return rx->rank < ry->rank ? -1 : 1;
	i = common(px, py);
	if (i == px->n || i == py->n)
		return (px->n > py->n) - (px->n < py->n);
	return px->ranks[i] < py->ranks[i] ? -1 : 1;
}

/* A new last child. 0 or -ENOMEM. last_child[] has that of each node so far. */
static int add_node(struct builder *b, __u32 parent, __u32 rank, __u32 *last_child, __u32 *id)
{
	const struct label *l = &b->label[b->by_rank[rank]];
	struct flame_tree *t = b->tree;
	void *v = with_room(t->node, t->n, &t->room, sizeof(*t->node));

	if (!v || t->n >= FLAME_NONE)
		return -ENOMEM;
	t->node = v;
	*id = t->n++;
	t->node[*id] = (struct flame_node){ .name = l->name,
					    .frame = l->frame,
					    .parent = parent,
					    .child = FLAME_NONE,
					    .next = FLAME_NONE,
					    .kind = l->bits >> 1,
					    .inlined = l->bits & 1 };
	if (*last_child == FLAME_NONE)
		t->node[parent].child = *id;
	else
		t->node[*last_child].next = *id;
	*last_child = *id;
	return 0;
}

/*
 * The nodes of all cells, in order. at[d]: the node at depth d of the stack before, 0 for the root of
 * all; it is also the last child of at[d - 1]. `old`: depths of it that this stack shares.
 */
static int add_nodes(struct builder *b, __u32 *at)
{
	const struct path nothing = { 0 }, *before = &nothing, *path;
	size_t ncells = profile__ncells(b->profile), depth = 0, last = 0, old, i, w;
	__u32 last_rank = FLAME_NONE;

	for (i = 0; i < ncells; i++) {
		const struct root *root = &b->order[i];
		const struct profile_cell *cell = profile__cell(b->profile, root->cell);
		size_t first = root->rank != FLAME_NONE; /* depth of the thread's name, or 0 */

		path = path_of(b, root);
		old = i && root->rank == last_rank ? first + common(path, before) : 0;
		for (depth = old; depth < first + path->n;) {
			__u32 rank = depth < first ? root->rank : path->ranks[depth - first];
			__u32 sibling = depth == old && depth < last ? at[depth + 1] : FLAME_NONE;
			int err = add_node(b, at[depth], rank, &sibling, &at[depth + 1]);

			if (err)
				return err;
			depth++;
		}
		for (w = 0; w < PROFILE_WEIGHT_NR; w++) {
			__u64 *self = &b->tree->node[at[depth]].self[w];

			*self = profile_sum(*self, cell->weights.w[w]);
		}
		before = path;
		last = depth;
		last_rank = root->rank;
	}
	return 0;
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

/* The root of all, then what is below it. 0 or -ENOMEM. */
static int grow(struct builder *b)
{
	const struct flame_node all = { .frame = FLAME_NONE,
					.parent = FLAME_NONE,
					.child = FLAME_NONE,
					.next = FLAME_NONE,
					.kind = FLAME_ALL };
	size_t nstacks = profile__nstacks(b->profile), longest = 0, i;
	struct flame_tree *t = b->tree;
	__u32 *at;
	int err;

	for (i = 0; i < nstacks; i++)
		longest = b->path[i].n > longest ? b->path[i].n : longest;
	at = calloc(longest + 2, sizeof(*at));
	t->node = with_room(NULL, 0, &t->room, sizeof(*t->node));
	if (!at || !t->node) {
		free(at);
		return -ENOMEM;
	}
	t->node[t->n++] = all;
	err = add_nodes(b, at);
	free(at);
	return err;
}

int flame_tree__build(struct flame_tree *t, const struct profile *p, flame_name_fn *name,
		      enum profile_weight weight)
{
	struct builder b = { .tree = t, .profile = p, .name = name };
	__u32 id;
	int err = -ENOMEM;

	*t = (struct flame_tree){ 0 };
	b.of_frame = malloc((profile__nframes(p) + 1) * sizeof(*b.of_frame));
	b.path = calloc(profile__nstacks(p) + 1, sizeof(*b.path));
	b.order = calloc(profile__ncells(p) + 1, sizeof(*b.order));
	if (!b.of_frame || !b.path || !b.order)
		goto out;
	err = strings__add(&t->names, "all", 3, &id);
	if (!err)
		err = find_labels(&b);
	if (!err)
		err = rank_labels(&b);
	if (!err) {
		qsort_r(b.order, profile__ncells(p), sizeof(*b.order), by_path, &b);
		err = grow(&b);
	}
	if (!err)
		add_totals(t, weight);
out:
	free(b.text.buf);
	free(b.label);
	idmap__clear(&b.map);
	free(b.rank);
	free(b.by_rank);
	free(b.of_frame);
	free(b.path);
	free(b.ranks);
	free(b.order);
	return err;
}

void flame_tree__clear(struct flame_tree *t)
{
	strings__clear(&t->names);
	free(t->node);
	*t = (struct flame_tree){ 0 };
}
