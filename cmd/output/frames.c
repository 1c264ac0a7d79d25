/* SPDX-License-Identifier: GPL-2.0-only */
#include "output/frames.h"

#include <stdlib.h>

#include "output/flame_impl.h"

void frames__text(struct writer *w, const struct profile *p, __u32 stack)
{
	struct writer name = { 0 };
	size_t n;
	const __u32 *frames = profile__stack(p, stack, &n);

	for (size_t i = n; i-- > 0;) {
		name.len = 0;
		flame_frame__name(&name, profile__frame(p, frames[i]));
		writer__escaped(w, name.buf ? name.buf : "", name.len);
		if (i)
			writer__lit(w, FRAMES_BETWEEN);
	}
	if (name.err && !w->err)
		w->err = name.err;
	free(name.buf);
}

void frames__folded(struct writer *w, const struct profile *p, __u32 stack)
{
	size_t n;
	const __u32 *frames = profile__stack(p, stack, &n);

	for (size_t i = 0; i < n; i++) {
		if (i)
			writer__char(w, ';');
		flame_folded__name(w, profile__frame(p, frames[i]));
	}
}
