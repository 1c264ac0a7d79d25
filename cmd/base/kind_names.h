/* SPDX-License-Identifier: GPL-2.0-only */
/* The words of kinds.h at run time. */
#ifndef FS_KIND_NAMES_H
#define FS_KIND_NAMES_H

#include <stdbool.h>
#include <linux/types.h>

#include "kinds.h"

/*
 * Name and description of a kind; never NULL: a number that is none (from a newer recording)
 * is "unknown" or "?". The strings live for ever.
 */
const char *region_name(enum fs_region region);
const char *region_desc(enum fs_region region);
const char *class_name(enum fs_class class);
const char *class_desc(enum fs_class class);
const char *access_name(enum fs_access access);
const char *stack_end_name(enum fs_stack_end end);
const char *stack_end_desc(enum fs_stack_end end);
const char *loss_name(enum fs_loss loss);
const char *loss_desc(enum fs_loss loss);
const char *call_name(enum fs_call call);

/* The kind of that very name, or -1. */
int region_parse(const char *name);
int class_parse(const char *name);
int call_parse(const char *name);

/* Arguments the call takes: 0 to 6. */
int call_nargs(enum fs_call call);

/* Does the VMA alone decide it (the kernel side can filter by it), or is it refined from a base? */
bool region_by_vma(enum fs_region region);

#endif /* FS_KIND_NAMES_H */
