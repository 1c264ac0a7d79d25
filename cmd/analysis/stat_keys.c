/* SPDX-License-Identifier: GPL-2.0-only */
/* The keys that faults are counted by, and what their ids stand for. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat_impl.h"
#include "base/kind_names.h"

/*
 * A thread of a process image. Hashed by tid; images that had the same tid hang behind the first,
 * the newest in front.
 */
struct stat_thread {
	__u32 tid;
	const struct process *proc;
	char comm[FS_COMM_LEN];
	struct stat_thread *next;
	UT_hash_handle hh;
};

/* What a page belongs to: a file, or memory of a kind or a name. Hashed by text or by file. */
struct stat_owner {
	const struct file *file;
	UT_hash_handle hh;
	char text[];
};

/*
 * An address range of one owner in one process. A mapping that grows or shrinks at one end gets a
 * new region id, yet remains the same for a person: it is known by either of its ends.
 */
struct stat_mapping {
	const struct stat_owner *owner;
	const struct process *proc;
	__u64 start, end; /* both 0: no mapping */
	struct stat_mapping *next;
};

struct stat_edge {
	struct stat_edge_key {
		const struct stat_owner *owner;
		const struct process *proc;
		__u64 addr;
		__u32 base; /* enum fs_region */
		__u32 is_end;
	} key;
	struct stat_mapping *mapping;
	UT_hash_handle hh;
};

struct stat_cgroup {
	__u64 id;
	UT_hash_handle hh;
	char path[];
};

static void text_value(struct stat_value *v, const char *text)
{
	v->kind = STAT_VALUE_TEXT;
	v->text = text;
}

static void number_value(struct stat_value *v, __u64 number)
{
	v->kind = STAT_VALUE_NUMBER;
	v->number = number;
}

static void addr_value(struct stat_value *v, __u64 addr)
{
	v->kind = STAT_VALUE_ADDR;
	v->number = addr;
}

/* region, class */

static int region_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		     __u64 *id)
{
	(void)st;
	(void)pl;
	*id = in->region;
	return 0;
}

static void region_values(__u64 id, struct stat_value *v)
{
	text_value(&v[0], region_name(id));
}

static int class_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		    __u64 *id)
{
	(void)st;
	(void)pl;
	*id = in->class;
	return 0;
}

static void class_values(__u64 id, struct stat_value *v)
{
	text_value(&v[0], class_name(id));
}

/* process: the pointer to its image, which lives as long as the space */

static int process_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		      __u64 *id)
{
	(void)st;
	(void)pl;
	*id = (uintptr_t)in->proc;
	return 0;
}

static void process_values(__u64 id, struct stat_value *v)
{
	const struct process *proc = (const struct process *)(uintptr_t)id;

	if (!proc)
		return;
	text_value(&v[0], proc->comm);
	number_value(&v[1], proc->pid);
}

/* thread */

static int thread_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		     __u64 *id)
{
	struct stat_thread *first, *thread;
	const char *comm = NULL;
	__u32 pid = in->proc ? in->proc->pid : 0;

	(void)pl;
	HASH_FIND(hh, st->threads, &in->tid, sizeof(in->tid), first);
	for (thread = first; thread && thread->proc != in->proc; thread = thread->next)
		;
	if (!thread) {
		thread = calloc(1, sizeof(*thread));
		if (!thread)
			return -ENOMEM;
		thread->tid = in->tid;
		thread->proc = in->proc;
		if (st->names.thread)
			comm = st->names.thread(st->names.ctx, pid, in->tid);
		if (!comm)
			comm = in->proc ? in->proc->comm : "?";
		snprintf(thread->comm, sizeof(thread->comm), "%s", comm);
		if (first) {
			thread->next = first->next;
			first->next = thread;
		} else {
			HASH_ADD(hh, st->threads, tid, sizeof(thread->tid), thread);
			if (!thread->hh.tbl) {
				free(thread);
				return -ENOMEM;
			}
		}
	}
	*id = (uintptr_t)thread;
	return 0;
}

static void thread_values(__u64 id, struct stat_value *v)
{
	const struct stat_thread *thread = (const struct stat_thread *)(uintptr_t)id;

	text_value(&v[0], thread->comm);
	number_value(&v[1], thread->tid);
}

void stat__rename(struct stat_tally *st, const struct fs_rename_event *ev)
{
	struct stat_thread *thread;

	HASH_FIND(hh, st->threads, &ev->head.tid, sizeof(ev->head.tid), thread);
	if (thread && thread->next)
		thread = thread->next;
	if (!thread || !thread->proc || thread->proc->pid != ev->head.pid)
		return;
	memcpy(thread->comm, ev->comm, sizeof(thread->comm));
	thread->comm[sizeof(thread->comm) - 1] = '\0';
}

/* file: any owner */

static struct stat_owner *owner__add(struct stat_tally *st, const struct file *file,
				     const char *text)
{
	struct stat_owner *owner = malloc(sizeof(*owner) + strlen(text) + 1);

	if (!owner)
		return NULL;
	memset(owner, 0, sizeof(*owner));
	strcpy(owner->text, text);
	owner->file = file;
	if (file)
		HASH_ADD_PTR(st->owners, file, owner);
	else
		HASH_ADD_KEYPTR(hh, st->owners, owner->text, strlen(owner->text), owner);
	if (owner->hh.tbl)
		return owner;
	free(owner);
	return NULL;
}

static struct stat_owner *owner__get(struct stat_tally *st, const struct place *pl)
{
	char text[sizeof(((struct fs_region_event *)NULL)->anon_name) + sizeof("[anon:]")];
	const struct file *file = pl->file;
	struct stat_owner *owner;

	if (file) {
		HASH_FIND_PTR(st->owners, &file, owner);
		return owner ? owner : owner__add(st, file, file->path ? file->path : "?");
	}
	/* Texts share the table with pointers: one of eight bytes is no pointer for its brackets. */
	if (pl->mapping && pl->mapping->anon_name)
		snprintf(text, sizeof(text), "[anon:%s]", pl->mapping->anon_name);
	else
		snprintf(text, sizeof(text), "[%s]", region_name(pl->region));
	HASH_FIND(hh, st->owners, text, strlen(text), owner);
	return owner ? owner : owner__add(st, NULL, text);
}

static int file_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		   __u64 *id)
{
	(void)in;
	*id = (uintptr_t)owner__get(st, pl);
	return *id ? 0 : -ENOMEM;
}

static void file_values(__u64 id, struct stat_value *v)
{
	text_value(&v[0], ((const struct stat_owner *)(uintptr_t)id)->text);
}

/* mapping */

static struct stat_edge *edge__find(struct stat_tally *st, const struct stat_edge_key *key)
{
	struct stat_edge *edge;

	HASH_FIND(hh, st->edges, key, sizeof(*key), edge);
	return edge;
}

static int edge__add(struct stat_tally *st, const struct stat_edge_key *key,
		     struct stat_mapping *mapping)
{
	struct stat_edge *edge = calloc(1, sizeof(*edge));

	if (!edge)
		return -ENOMEM;
	edge->key = *key;
	edge->mapping = mapping;
	HASH_ADD(hh, st->edges, key, sizeof(edge->key), edge);
	if (edge->hh.tbl)
		return 0;
	free(edge);
	return -ENOMEM;
}

static struct stat_mapping *mapping__add(struct stat_tally *st, const struct stat_owner *owner,
					 const struct stat_in *in, const struct place *pl)
{
	struct stat_mapping *mapping = calloc(1, sizeof(*mapping));

	if (!mapping)
		return NULL;
	mapping->owner = owner;
	mapping->proc = in->proc;
	if (pl->mapping) {
		mapping->start = pl->mapping->start;
		mapping->end = pl->mapping->end;
	}
	mapping->next = st->mappings;
	st->mappings = mapping;
	return mapping;
}

static int mapping_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		      __u64 *id)
{
	const struct mapping *m = pl->mapping;
	struct stat_edge_key low = {
		.owner = owner__get(st, pl),
		.proc = in->proc,
		.addr = m ? m->start : 0,
		.base = m ? m->base : pl->region,
	};
	struct stat_edge_key high = low;
	struct stat_edge *at_low, *at_high;
	struct stat_mapping *mapping;

	if (!low.owner)
		return -ENOMEM;
	high.addr = m ? m->end : 0;
	high.is_end = 1;
	at_low = edge__find(st, &low);
	at_high = edge__find(st, &high);
	if (at_low || at_high)
		mapping = at_low ? at_low->mapping : at_high->mapping;
	else
		mapping = mapping__add(st, low.owner, in, pl);
	if (!mapping || (!at_low && edge__add(st, &low, mapping)) ||
	    (!at_high && edge__add(st, &high, mapping)))
		return -ENOMEM;
	if (m && m->start < mapping->start)
		mapping->start = m->start;
	if (m && m->end > mapping->end)
		mapping->end = m->end;
	*id = (uintptr_t)mapping;
	return 0;
}

static void mapping_values(__u64 id, struct stat_value *v)
{
	const struct stat_mapping *mapping = (const struct stat_mapping *)(uintptr_t)id;

	text_value(&v[0], mapping->owner->text);
	if (!mapping->end)
		return;
	addr_value(&v[1], mapping->start);
	addr_value(&v[2], mapping->end);
}

/* cgroup */

static int cgroup_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		     __u64 *id)
{
	struct stat_cgroup *cgroup;
	char path[4096] = "";

	(void)pl;
	*id = 0;
	if (!in->cgroup_id)
		return 0;
	HASH_FIND(hh, st->cgroups, &in->cgroup_id, sizeof(in->cgroup_id), cgroup);
	if (!cgroup) {
		if (!st->names.cgroup ||
		    st->names.cgroup(st->names.ctx, in->cgroup_id, path, sizeof(path)))
			snprintf(path, sizeof(path), "?");
		cgroup = malloc(sizeof(*cgroup) + strlen(path) + 1);
		if (!cgroup)
			return -ENOMEM;
		memset(cgroup, 0, sizeof(*cgroup));
		cgroup->id = in->cgroup_id;
		strcpy(cgroup->path, path);
		HASH_ADD(hh, st->cgroups, id, sizeof(cgroup->id), cgroup);
		if (!cgroup->hh.tbl) {
			free(cgroup);
			return -ENOMEM;
		}
	}
	*id = (uintptr_t)cgroup;
	return 0;
}

static void cgroup_values(__u64 id, struct stat_value *v)
{
	const struct stat_cgroup *cgroup = (const struct stat_cgroup *)(uintptr_t)id;

	if (!cgroup)
		return;
	text_value(&v[0], cgroup->path);
	number_value(&v[1], cgroup->id);
}

/* stack: its number in a cell; in a row what is shown of it, which stacks may have in common */

static int stack_id(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		    __u64 *id)
{
	(void)st;
	(void)pl;
	*id = in->stack;
	return 0;
}

static void stack_values(__u64 id, struct stat_value *v)
{
	v->kind = STAT_VALUE_STACK;
	v->stack = (const struct stat_stack *)(uintptr_t)id;
}

int stat_key__show(const struct stat_tally *st, const struct stat_by *by, __u64 id[STAT_KEY_NR])
{
	if (!stat_by__has(by, STAT_STACK))
		return 0;
	id[STAT_STACK] = (uintptr_t)st->names.stack(st->names.ctx, id[STAT_STACK]);
	return id[STAT_STACK] ? 0 : -ENOMEM;
}

/* By the names of the functions, from the leaf on. */
static int compare_stacks(const struct stat_stack *a, const struct stat_stack *b)
{
	size_t na, nb;
	const __u32 *fa = profile__stack(a->profile, a->id, &na);
	const __u32 *fb = profile__stack(b->profile, b->id, &nb);
	const char *name_a, *name_b;
	int diff;

	for (; na && nb; na--, nb--) {
		name_a = profile__frame(a->profile, fa[na - 1])->name;
		name_b = profile__frame(b->profile, fb[nb - 1])->name;
		diff = strcmp(name_a ? name_a : "", name_b ? name_b : "");
		if (diff)
			return diff;
	}
	return (na > nb) - (na < nb);
}

/* The rows. */
static const struct key_row {
	struct stat_key key;
	unsigned int needs;
	int (*id)(struct stat_tally *st, const struct stat_in *in, const struct place *pl,
		  __u64 *id);
	void (*values)(__u64 id, struct stat_value *values);
} rows[STAT_KEY_NR] = {
	[STAT_REGION] = {
		{ "region", "kind of memory: heap, stack, text…", { { .name = "region" } } },
		NEED_REGION, region_id, region_values,
	},
	[STAT_CLASS] = {
		{ "class", "what the kernel had to do", { { .name = "class" } } },
		NEED_CLASS, class_id, class_values,
	},
	[STAT_PROCESS] = {
		{ "process", "process and its name",
		  { { .name = "process", .wide = true }, { .name = "pid" } } },
		NEED_PROC, process_id, process_values,
	},
	[STAT_THREAD] = {
		{ "thread", "thread and its name",
		  { { .name = "thread", .wide = true }, { .name = "tid" } } },
		NEED_PROC | NEED_TID, thread_id, thread_values,
	},
	[STAT_MAPPING] = {
		{ "mapping", "one mapping of one process",
		  { { .name = "mapping", .wide = true }, { .name = "start" }, { .name = "end" } } },
		NEED_PROC | NEED_FILE | NEED_MAPPING | NEED_REGION, mapping_id, mapping_values,
	},
	[STAT_FILE] = {
		{ "file", "mapped file, or kind of memory without one",
		  { { .name = "file", .wide = true } } },
		NEED_FILE | NEED_MAPPING | NEED_REGION, file_id, file_values,
	},
	[STAT_CGROUP] = {
		{ "cgroup", "cgroup of the thread at the fault",
		  { { .name = "cgroup", .wide = true }, { .name = "cgroup_id", .hidden = true } } },
		NEED_CGROUP, cgroup_id, cgroup_values,
	},
	[STAT_STACK] = {
		{ "stack", "functions that led to the fault",
		  { { .name = "stack", .wide = true } } },
		NEED_STACK, stack_id, stack_values,
	},
};

const struct stat_by stat_by_default = { 3, { STAT_PROCESS, STAT_REGION, STAT_CLASS } };

const struct stat_key *stat_key(enum stat_key_id id)
{
	return &rows[id].key;
}

int stat_key__parse(const char *name)
{
	int i;

	for (i = 0; i < STAT_KEY_NR; i++)
		if (!strcmp(rows[i].key.name, name))
			return i;
	return -1;
}

unsigned int stat_key__needs(enum stat_key_id key)
{
	return rows[key].needs;
}

int stat_key__id(struct stat_tally *st, enum stat_key_id key, const struct stat_in *in,
		 const struct place *pl, __u64 *id)
{
	return rows[key].id(st, in, pl, id);
}

void stat_row__values(const struct stat_row *row, enum stat_key_id key,
		      struct stat_value values[STAT_FIELDS])
{
	memset(values, 0, STAT_FIELDS * sizeof(*values));
	rows[key].values(row->id[key], values);
}

int stat_key__compare(enum stat_key_id key, __u64 a, __u64 b)
{
	struct stat_value va[STAT_FIELDS] = { 0 }, vb[STAT_FIELDS] = { 0 };
	size_t i;
	int diff;

	if (a == b)
		return 0;
	rows[key].values(a, va);
	rows[key].values(b, vb);
	for (i = 0; i < STAT_FIELDS; i++) {
		if (va[i].kind != vb[i].kind)
			return va[i].kind < vb[i].kind ? -1 : 1;
		if (va[i].kind == STAT_VALUE_TEXT)
			diff = strcmp(va[i].text, vb[i].text);
		else if (va[i].kind == STAT_VALUE_STACK)
			diff = compare_stacks(va[i].stack, vb[i].stack);
		else
			diff = (va[i].number > vb[i].number) - (va[i].number < vb[i].number);
		if (diff)
			return diff;
	}
	return 0;
}

void stat_keys__clear(struct stat_tally *st)
{
	struct stat_thread *thread, *thread_tmp, *next;
	struct stat_owner *owner, *owner_tmp;
	struct stat_edge *edge, *edge_tmp;
	struct stat_cgroup *cgroup, *cgroup_tmp;
	struct stat_mapping *mapping;

	HASH_ITER (hh, st->threads, thread, thread_tmp) {
		HASH_DEL(st->threads, thread);
		for (; thread; thread = next) {
			next = thread->next;
			free(thread);
		}
	}
	HASH_ITER (hh, st->edges, edge, edge_tmp) {
		HASH_DEL(st->edges, edge);
		free(edge);
	}
	while ((mapping = st->mappings)) {
		st->mappings = mapping->next;
		free(mapping);
	}
	HASH_ITER (hh, st->owners, owner, owner_tmp) {
		HASH_DEL(st->owners, owner);
		free(owner);
	}
	HASH_ITER (hh, st->cgroups, cgroup, cgroup_tmp) {
		HASH_DEL(st->cgroups, cgroup);
		free(cgroup);
	}
}

bool stat_by__has(const struct stat_by *by, enum stat_key_id key)
{
	unsigned int i;

	for (i = 0; i < by->n; i++)
		if (by->key[i] == key)
			return true;
	return false;
}

void stat_by__add(struct stat_by *by, enum stat_key_id key)
{
	if (key == STAT_MAPPING)
		stat_by__add(by, STAT_PROCESS);
	if (!stat_by__has(by, key))
		by->key[by->n++] = key;
}
