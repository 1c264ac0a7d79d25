// SPDX-License-Identifier: GPL-2.0-only
#include "stack_names.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

struct stack_names {
	struct naming *naming;
	unsigned int parts;
	struct profile *named; /* frames with all that is known of them */
	struct profile *shown; /* what is shown; the same one, but for `functions` */
	struct frame_list frames;
	__u32 *known; /* number in `shown` plus 1, by the stack's number plus 1 (0: lost); 0: not yet */
	size_t nknown;
};

struct stack_names *stack_names__new(struct naming *n, unsigned int parts, bool functions)
{
	struct stack_names *sn = calloc(1, sizeof(*sn));

	if (!sn)
		return NULL;
	sn->naming = n;
	sn->parts = parts;
	sn->named = profile__new();
	sn->shown = functions ? profile__new() : sn->named;
	if (sn->named && sn->shown)
		return sn;
	stack_names__free(sn);
	errno = ENOMEM;
	return NULL;
}

void stack_names__free(struct stack_names *sn)
{
	if (!sn)
		return;
	if (sn->shown != sn->named)
		profile__free(sn->shown);
	profile__free(sn->named);
	frame_list__clear(&sn->frames);
	free(sn->known);
	free(sn);
}

/* The functions of the frames at hand, in their place. */
static int reduce(struct stack_names *sn)
{
	const struct profile_frame *f;
	struct profile_frame function;
	int err = 0;

	for (size_t i = 0; i < sn->frames.n && !err; i++) {
		f = profile__frame(sn->named, sn->frames.ids[i]);
		function = (struct profile_frame){ .name = f->name, .kind = f->kind };
		if (!f->name || !*f->name)
			function.object = f->object; /* is shown in its place */
		err = profile__add_frame(sn->shown, &function, &sn->frames.ids[i]);
	}
	return err;
}

int stack_names__get(struct stack_names *sn, const struct stack *s, __u32 *id)
{
	size_t at = s ? (size_t)s->number + 1 : 0, room;
	__u32 *known;
	int err;

	if (at >= sn->nknown) {
		room = 2 * at + 64;
		known = reallocarray(sn->known, room, sizeof(*known));
		if (!known)
			return -ENOMEM;
		memset(known + sn->nknown, 0, (room - sn->nknown) * sizeof(*known));
		sn->known = known;
		sn->nknown = room;
	}
	if (sn->known[at]) {
		*id = sn->known[at] - 1;
		return 0;
	}
	sn->frames.n = 0;
	err = naming__stack(sn->naming, sn->named, s, sn->parts, &sn->frames);
	if (!err && sn->shown != sn->named)
		err = reduce(sn);
	if (!err)
		err = profile__add_stack(sn->shown, sn->frames.ids, sn->frames.n, id);
	if (!err)
		sn->known[at] = *id + 1;
	return err;
}

/* How many frames there are from the root to the outermost that `ends` knows. */
static size_t outer_frames(const struct profile *p, const __u32 *frames, size_t n,
			   bool (*ends)(const char *function))
{
	for (size_t i = 0; i < n; i++) {
		const char *name = profile__frame(p, frames[i])->name;

		if (name && ends(name))
			return i + 1;
	}
	return n;
}

int stack_names__outer(struct stack_names *sn, const struct stack *s,
		       bool (*ends)(const char *function), __u32 *id)
{
	int err = stack_names__get(sn, s, id);
	const __u32 *frames;
	__u32 *some;
	size_t n, kept;

	if (err)
		return err;
	frames = profile__stack(sn->shown, *id, &n);
	kept = outer_frames(sn->shown, frames, n, ends);
	if (kept == n)
		return 0;
	some = malloc(kept * sizeof(*some)); /* the profile's own may move */
	if (!some)
		return -ENOMEM;
	memcpy(some, frames, kept * sizeof(*some));
	err = profile__add_stack(sn->shown, some, kept, id);
	free(some);
	if (!err)
		sn->known[s ? (size_t)s->number + 1 : 0] = *id + 1;
	return err;
}

const struct profile *stack_names__profile(const struct stack_names *sn)
{
	return sn->shown;
}
