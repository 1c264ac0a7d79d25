/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "symbol/rule_set.h"
#include "symbol/tables.h"

#define BUCKET_BYTES (1U << FS_UNWIND_BUCKET_SHIFT)

struct unwind_tables {
	__u32 *words;
	size_t n, room; /* words */
	size_t tables;
	struct rule_set rules;
};

struct unwind_tables *unwind_tables__new(__u32 *words, size_t nwords, struct fs_unwind_rule *rules,
					 size_t nrules)
{
	struct unwind_tables *t = calloc(1, sizeof(*t));
	int err;

	if (!t)
		return NULL;
	t->words = words;
	/* Words are counted in 32 bits */
	t->room = nwords < UINT32_MAX ? nwords : UINT32_MAX;
	err = rules ? rule_set__init(&t->rules, rules, nrules) : -EINVAL;
	if (err) {
		free(t);
		errno = -err;
		return NULL;
	}
	return t;
}

void unwind_tables__free(struct unwind_tables *t)
{
	if (!t)
		return;
	rule_set__free(&t->rules);
	free(t);
}

/* ---- adding ----------------------------------------------------------------------------------- */

/* Where the next word goes. */
struct packing {
	__u32 *words;
	size_t n, room;
};

static int pack(struct packing *p, __u32 word)
{
	if (p->n == p->room)
		return -ENOSPC;
	p->words[p->n++] = word;
	return 0;
}

/*
 * The rows of a bucket whose first byte is `base` of the file, beginning with rows[*i]. ids: the
 * rules of the file as they are numbered here; *rule: the one in force.
 */
static int pack_bucket(struct packing *p, const struct cfi *cfi, const __u16 *ids, __u64 base,
		       size_t *i, __u16 *rule)
{
	const struct cfi_row *row = &cfi->rows[*i], *end = &cfi->rows[cfi->nrows];
	bool rows = row < end && row->offset < base + BUCKET_BYTES;
	int err = 0;

	if (rows ? row->offset > base : *rule)
		err = pack(p, fs_unwind_row(0, *rule));
	for (; !err && row < end && row->offset < base + BUCKET_BYTES; row++) {
		*rule = ids[row->rule];
		err = pack(p, fs_unwind_row(row->offset - base, *rule));
	}
	*i = row - cfi->rows;
	return err;
}

/* Write behind what is there. *n: words then used. */
static int pack_table(const struct unwind_tables *t, const struct cfi *cfi, const __u16 *ids,
		      struct fs_unwind_table *out, size_t *n)
{
	struct packing p = { .words = t->words, .room = t->room };
	__u64 first = cfi->rows[0].offset >> FS_UNWIND_BUCKET_SHIFT;
	__u64 last = cfi->rows[cfi->nrows - 1].offset >> FS_UNWIND_BUCKET_SHIFT;
	__u64 nbuckets = last - first + 1;
	__u16 rule = 0;
	size_t i = 0;
	int err = 0;

	if (last > UINT32_MAX || nbuckets + 1 > t->room - t->n)
		return -ENOSPC;
	p.n = t->n + nbuckets + 1;
	for (__u64 b = 0; !err && b < nbuckets; b++) {
		t->words[t->n + b] = p.n;
		err = pack_bucket(&p, cfi, ids, (first + b) << FS_UNWIND_BUCKET_SHIFT, &i, &rule);
	}
	if (err)
		return err;
	t->words[t->n + nbuckets] = p.n;
	*out = (struct fs_unwind_table){
		.kind = FS_UNWIND_ROWS, .first = first, .nbuckets = nbuckets, .at = t->n
	};
	*n = p.n;
	return 0;
}

int unwind_tables__add(struct unwind_tables *t, const struct cfi *cfi, struct fs_unwind_table *out)
{
	size_t nrules = t->rules.n, n = t->n;
	__u16 *ids = malloc(cfi->nrules * sizeof(*ids));
	int err = ids ? 0 : -ENOMEM;

	for (size_t i = 0; !err && i < cfi->nrules; i++) {
		int id = rule_set__add(&t->rules, &cfi->rules[i]);

		if (id < 0)
			err = id;
		else
			ids[i] = id;
	}
	if (!err)
		err = cfi->nrows ? pack_table(t, cfi, ids, out, &n) : -ENODATA;
	free(ids);
	if (err) {
		rule_set__truncate(&t->rules, nrules);
		return err;
	}
	t->n = n;
	t->tables++;
	return 0;
}

/* ---- looking up ------------------------------------------------------------------------------- */

const struct fs_unwind_rule *unwind_tables__rule(const struct unwind_tables *t,
						 const struct fs_unwind_table *table,
						 __u64 file_offset)
{
	__u64 bucket = (file_offset >> FS_UNWIND_BUCKET_SHIFT) - table->first;
	__u32 offset = file_offset & (BUCKET_BYTES - 1);
	__u32 low, n;

	if (table->kind != FS_UNWIND_ROWS || bucket >= table->nbuckets)
		return &t->rules.rules[0];
	low = t->words[table->at + bucket];
	n = t->words[table->at + bucket + 1] - low;
	if (!n)
		return &t->rules.rules[0];
	/* The row is one of n from low on; a bucket has at most one for each byte, so that after
	 * FS_UNWIND_BUCKET_SHIFT halvings one is left. More steps change nothing. */
	for (int i = 0; i < FS_UNWIND_SEARCH_STEPS; i++) {
		__u32 half = n / 2;

		if (t->words[low + half] >> 16 <= offset) {
			low += half;
			n -= half;
		} else {
			n = half;
		}
	}
	return &t->rules.rules[t->words[low] & 0xffff];
}

void unwind_tables__stat(const struct unwind_tables *t, struct unwind_tables_stat *stat)
{
	*stat = (struct unwind_tables_stat){
		.words = t->n,
		.max_words = t->room,
		.rules = t->rules.n,
		.max_rules = t->rules.room < FS_UNWIND_MAX_RULES ? t->rules.room :
								   FS_UNWIND_MAX_RULES,
		.tables = t->tables,
	};
}
