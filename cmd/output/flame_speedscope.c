/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * speedscope's own format (https://www.speedscope.app/file-format-schema.json): a sampled profile
 * for each weight that is known, over the same frames; the one that was asked for is shown first.
 * Written by hand: a hundred thousand stacks are some millions of numbers.
 */
#include <errno.h>
#include <stdlib.h>

#include "output/flame_impl.h"

/* speedscope tells frames apart by name and file: both are the node's name, a NUL between. */
static void speedscope_name(struct writer *w, const struct profile_frame *frame)
{
	flame_frame__name(w, frame);
	writer__char(w, '\0');
	if (frame->src)
		writer__str(w, frame->src);
	else if (frame->object)
		writer__mem(w, frame->object, flame_object__len(frame->object));
}

static void put_frames(struct writer *w, const struct flame_tree *t)
{
	size_t i;

	writer__lit(w, "\"shared\":{\"frames\":[");
	for (i = 0; i < t->names.n; i++) {
		const struct string *s = &t->names.v[i];
		size_t len = strlen(s->text);

		writer__str(w, i ? ",\n{\"name\":" : "\n{\"name\":");
		writer__json(w, s->text);
		if (len + 1 < s->len) {
			writer__lit(w, ",\"file\":");
			writer__json(w, s->text + len + 1);
		}
		writer__char(w, '}');
	}
	writer__lit(w, "\n]}");
}

/* The stack of a node, from the root on; the node of all is no part of it. */
static void put_stack(struct writer *w, const struct flame_tree *t, __u32 node, __u32 *path)
{
	size_t n = 0;

	for (; node; node = t->node[node].parent)
		path[n++] = t->node[node].name;
	writer__char(w, '[');
	while (n-- > 0) {
		writer__u64(w, path[n]);
		if (n)
			writer__char(w, ',');
	}
	writer__char(w, ']');
}

/* Nodes in the order of the graph from left to right: the one after i, or 0. */
static __u32 next_node(const struct flame_tree *t, __u32 i)
{
	if (t->node[i].child != FLAME_NONE)
		return t->node[i].child;
	while (i && t->node[i].next == FLAME_NONE)
		i = t->node[i].parent;
	return i ? t->node[i].next : 0;
}

static void put_profile(struct writer *w, const struct flame_tree *t, enum profile_weight weight,
			__u32 *path)
{
	const struct flame_unit *unit = &flame_units[weight];
	const char *comma = "";
	__u64 sum = 0;
	__u32 i = 0;

	writer__fmt(w, "{\"type\":\"sampled\",\"name\":\"%s\",\"unit\":\"%s\",\"samples\":[",
		    unit->name, unit->speedscope);
	do {
		if (t->node[i].self[weight]) {
			writer__str(w, comma);
			writer__char(w, '\n');
			put_stack(w, t, i, path);
			comma = ",";
		}
		i = next_node(t, i);
	} while (i);
	comma = "";
	writer__lit(w, "\n],\"weights\":[");
	do {
		if (t->node[i].self[weight]) {
			writer__str(w, comma);
			writer__u64(w, t->node[i].self[weight]);
			sum = profile_sum(sum, t->node[i].self[weight]);
			comma = ",";
		}
		i = next_node(t, i);
	} while (i);
	writer__fmt(w, "],\"startValue\":0,\"endValue\":%llu}", (unsigned long long)sum);
}

int flame_speedscope__print(struct writer *w, const struct profile *p,
			    const struct flame_opts *opts)
{
	struct flame_tree t;
	unsigned int known = opts->known | FLAME_KNOWS(opts->weight), active = 0, n = 0, i;
	int err = flame_tree__build(&t, p, speedscope_name, opts->weight);
	__u32 *path = err ? NULL : malloc((t.n + 1) * sizeof(*path));

	if (!path) {
		flame_tree__clear(&t);
		return -ENOMEM;
	}
	writer__lit(w, "{\"$schema\":\"https://www.speedscope.app/file-format-schema.json\",\n"
		       "\"exporter\":\"faultsnoop\",\"name\":");
	writer__json(w, opts->title   ? opts->title :
			opts->command ? opts->command :
					flame_units[opts->weight].title);
	writer__lit(w, ",\n");
	put_frames(w, &t);
	writer__lit(w, ",\n\"profiles\":[");
	for (i = 0; i < PROFILE_WEIGHT_NR; i++) {
		if (!(known & FLAME_KNOWS(i)))
			continue;
		if (i == opts->weight)
			active = n;
		writer__str(w, n++ ? ",\n" : "\n");
		put_profile(w, &t, i, path);
	}
	writer__fmt(w, "\n],\"activeProfileIndex\":%u}\n", active);
	free(path);
	flame_tree__clear(&t);
	return 0;
}
