/* SPDX-License-Identifier: GPL-2.0-only */
#include <stddef.h>
#include <string.h>

#include "base/kind_names.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

struct kind {
	const char *name, *desc;
};

static const struct kind regions[] = {
#define X(sym, name, who, desc) [FS_REGION_##sym] = { name, desc },
	FS_REGIONS(X)
#undef X
};

static const struct kind classes[] = {
#define X(sym, name, desc) [FS_CLASS_##sym] = { name, desc },
	FS_CLASSES(X)
#undef X
};

static const struct kind accesses[] = {
#define X(sym, name) [FS_ACCESS_##sym] = { name, "" },
	FS_ACCESSES(X)
#undef X
};

static const struct kind stack_ends[] = {
#define X(sym, name, desc) [FS_STACK_##sym] = { name, desc },
	FS_STACK_ENDS(X)
#undef X
};

static const struct kind losses[] = {
#define X(sym, name, desc) [FS_LOSS_##sym] = { name, desc },
	FS_LOSSES(X)
#undef X
};

static const struct kind calls[] = {
#define X(sym, name, nargs) [FS_CALL_##sym] = { #name, "" },
	FS_CALLS(X)
#undef X
};

static const unsigned char nargs_of[] = {
#define X(sym, name, nargs) [FS_CALL_##sym] = nargs,
	FS_CALLS(X)
#undef X
};

enum who { WHO_K, WHO_U };

static const unsigned char decided_by[] = {
#define X(sym, name, who, desc) [FS_REGION_##sym] = WHO_##who,
	FS_REGIONS(X)
#undef X
};

static const struct kind no_kind = { "?", "no such kind" };

static const struct kind *kind_at(const struct kind *table, size_t n, unsigned int i)
{
	return i < n ? &table[i] : &no_kind;
}

static int kind_parse(const struct kind *table, size_t n, const char *name)
{
	size_t i;

	for (i = 0; i < n; i++)
		if (!strcmp(table[i].name, name))
			return i;
	return -1;
}

#define KIND(table, i) kind_at(table, ARRAY_SIZE(table), i)

const char *region_name(enum fs_region region)
{
	return region < FS_REGION_NR ? regions[region].name : regions[FS_REGION_UNKNOWN].name;
}

const char *region_desc(enum fs_region region)
{
	return KIND(regions, region)->desc;
}

const char *class_name(enum fs_class class)
{
	return class < FS_CLASS_NR ? classes[class].name : classes[FS_CLASS_UNKNOWN].name;
}

const char *class_desc(enum fs_class class)
{
	return KIND(classes, class)->desc;
}

const char *access_name(enum fs_access access)
{
	return KIND(accesses, access)->name;
}

const char *stack_end_name(enum fs_stack_end end)
{
	return KIND(stack_ends, end)->name;
}

const char *stack_end_desc(enum fs_stack_end end)
{
	return KIND(stack_ends, end)->desc;
}

const char *loss_name(enum fs_loss loss)
{
	return KIND(losses, loss)->name;
}

const char *loss_desc(enum fs_loss loss)
{
	return KIND(losses, loss)->desc;
}

const char *call_name(enum fs_call call)
{
	return KIND(calls, call)->name;
}

int region_parse(const char *name)
{
	return kind_parse(regions, ARRAY_SIZE(regions), name);
}

int class_parse(const char *name)
{
	return kind_parse(classes, ARRAY_SIZE(classes), name);
}

int call_parse(const char *name)
{
	return kind_parse(calls, ARRAY_SIZE(calls), name);
}

int call_nargs(enum fs_call call)
{
	return call < FS_CALL_NR ? nargs_of[call] : 0;
}

bool region_by_vma(enum fs_region region)
{
	return region < FS_REGION_NR && decided_by[region] == WHO_K;
}
