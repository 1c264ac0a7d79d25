/* SPDX-License-Identifier: GPL-2.0-only */
/* The analyses of mappings, and the groups that their rows are made of. */
#include "analysis/mapping.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define HASH_NONFATAL_OOM 1
#include <uthash.h>

#include "base/kind_names.h"

const struct mapping_analysis *mapping_analysis(enum mapping_kind kind)
{
	static const struct mapping_analysis *const rows[MAPPING_KIND_NR] = {
		[MAPPING_TOUCHED] = &analysis_touched,
		[MAPPING_CHURN] = &analysis_churn,
		[MAPPING_LEAKS] = &analysis_leaks,
	};

	return kind < MAPPING_KIND_NR ? rows[kind] : NULL;
}

int mapping_report__new(struct mapping_report *out, const struct row_column *summary,
			size_t nsummary, const struct row_column *rows, size_t nrows)
{
	out->summary = rows__new(summary, nsummary);
	out->rows = rows__new(rows, nrows);
	return out->summary && out->rows ? 0 : -ENOMEM;
}

void mapping_report__free(struct mapping_report *rep)
{
	rows__free(rep->summary);
	rows__free(rep->rows);
	*rep = (struct mapping_report){};
}

const char *origin_word(enum origin_kind kind, unsigned int call)
{
	switch (kind) {
	case ORIGIN_CALL:
		return call_name(call);
	case ORIGIN_EXEC:
		return "execve";
	default:
		return "(before)";
	}
}

bool is_allocator(const char *function)
{
	static const char *const names[] = {
		"malloc",         "calloc",       "realloc",       "reallocarray",
		"free",           "cfree",        "memalign",      "aligned_alloc",
		"posix_memalign", "valloc",       "sysmalloc",     "systrim",
		"_int_malloc",    "_int_realloc", "__libc_malloc", "__libc_calloc",
		"__libc_realloc", "__libc_free",
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++)
		if (!strcmp(function, names[i]))
			return true;
	return false;
}

/* In front of the caller's struct. */
struct node {
	UT_hash_handle hh;
	struct group group;
};

struct groups {
	struct mapping_stacks stacks;
	struct node *all;
	size_t size;
	__u64 no_memory;
};

static struct node *node_of(const void *group)
{
	return (struct node *)((char *)group - offsetof(struct node, group));
}

struct groups *groups__new(const struct mapping_opts *o, size_t size)
{
	struct groups *g = calloc(1, sizeof(*g));

	if (!g)
		return NULL;
	g->stacks = o->stacks;
	g->size = size;
	return g;
}

void groups__clear(struct groups *g)
{
	struct node *n, *next;

	HASH_ITER (hh, g->all, n, next) {
		HASH_DEL(g->all, n);
		free(n);
	}
	g->no_memory = 0;
}

void groups__free(struct groups *g)
{
	if (!g)
		return;
	groups__clear(g);
	free(g);
}

static void *get(struct groups *g, const struct process *proc, const struct origin *o)
{
	struct group_key key = {};
	struct node *n;
	__u32 number;

	memcpy(key.comm, proc->comm, sizeof(key.comm));
	key.kind = o->kind;
	key.call = o->call;
	if (o->kind == ORIGIN_CALL && g->stacks.number) {
		if (g->stacks.number(g->stacks.ctx, o->stack_id, &number))
			return NULL;
		key.stack = number + 1;
	}
	HASH_FIND(hh, g->all, &key, sizeof(key), n);
	if (!n) {
		n = calloc(1, offsetof(struct node, group) + g->size);
		if (!n)
			return NULL;
		n->group.key = key;
		n->group.pid = proc->pid;
		HASH_ADD(hh, g->all, group.key, sizeof(key), n);
		if (!n->hh.tbl) {
			free(n);
			return NULL;
		}
	}
	if (n->group.pid != proc->pid)
		n->group.pid = 0;
	return &n->group;
}

void *groups__get(struct groups *g, const struct process *proc, const struct origin *o)
{
	void *group = get(g, proc, o);

	g->no_memory += !group;
	return group;
}

__u64 groups__no_memory(const struct groups *g)
{
	return g->no_memory;
}

void *groups__first(struct groups *g)
{
	return g->all ? &g->all->group : NULL;
}

void *groups__next(struct groups *g, const void *group)
{
	struct node *n = node_of(group)->hh.next;

	(void)g;
	return n ? &n->group : NULL;
}

void groups__put_names(const struct groups *g, const struct group *group, struct rows *rows)
{
	(void)g;
	rows__text(rows, group->key.comm);
	if (group->pid)
		rows__number(rows, group->pid);
	else
		rows__none(rows);
	rows__text(rows, origin_word(group->key.kind, group->key.call));
}

void groups__put_stack(const struct groups *g, const struct group *group, struct rows *rows)
{
	if (group->key.stack && g->stacks.profile)
		rows__stack(rows, g->stacks.profile(g->stacks.ctx), group->key.stack - 1);
	else
		rows__none(rows);
}
