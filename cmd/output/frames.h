/* SPDX-License-Identifier: GPL-2.0-only */
/* A stack of a profile in one line of text. */
#ifndef FS_FRAMES_H
#define FS_FRAMES_H

#include "analysis/profile.h"
#include "output/writer.h"

/* What stands between the frames of frames__text(). */
#define FRAMES_BETWEEN " < "

/* Append "memset < fill < main", from the leaf on: fit to print, of any length. */
void frames__text(struct writer *w, const struct profile *p, __u32 stack);

/* Append "main;fill;memset", as `flame` folds it. */
void frames__folded(struct writer *w, const struct profile *p, __u32 stack);

#endif /* FS_FRAMES_H */
