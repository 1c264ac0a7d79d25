/* SPDX-License-Identifier: GPL-2.0-only */
/* What a kernel allows, as text, JSON or CSV. */
#ifndef FS_FEATURE_LIST_H
#define FS_FEATURE_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include "output/format.h"

struct feature_line {
	const char *name;
	const char *state;    /* "used", "missing", "left out" */
	const char *what;     /* what it is for */
	const char *why;      /* why it is missing, or "" */
	const char *fallback; /* what takes its place, or "" */
	const char *loss;     /* what the user loses */
	bool used;
};

/* Print them all, with the kernel's release and machine. 0 or -EIO. */
int feature_list__print(FILE *f, enum format format, const struct feature_line *lines, size_t n,
			const char *release, const char *machine);

#endif /* FS_FEATURE_LIST_H */
