/* SPDX-License-Identifier: GPL-2.0-only */
/* Puts compiled rows where the kernel side reads them: the tables of unwind.h. */
#ifndef FS_TABLES_H
#define FS_TABLES_H

#include <stddef.h>
#include <linux/types.h>

#include "symbol/cfi.h"
#include "unwind.h"

struct unwind_tables;

struct unwind_tables_stat {
	size_t words, max_words;
	size_t rules, max_rules;
	size_t tables;
};

/*
 * Tables in memory that stays the caller's and outlives them; it may be mapped and read by others
 * all the while. nrules: room, FS_UNWIND_MAX_RULES at most are used; rules[0] is written. NULL with
 * errno.
 */
struct unwind_tables *unwind_tables__new(__u32 *words, size_t nwords, struct fs_unwind_rule *rules,
					 size_t nrules);
void unwind_tables__free(struct unwind_tables *t);

/*
 * Add a file's rows and say in *out where they are. What was added before is not written again, so
 * that who reads it sees no change; *out is to be made known only afterwards. 0, or -ENOSPC where
 * words or rules are used up (or the file's code is beyond 4 TiB), -ENOMEM, -ENODATA for a file
 * without rows: nothing has been added then, and smaller files may still fit.
 */
int unwind_tables__add(struct unwind_tables *t, const struct cfi *cfi, struct fs_unwind_table *out);

/*
 * The rule of an offset in a table's file, rules[0] where the table has none: the search that the
 * kernel side makes.
 */
const struct fs_unwind_rule *unwind_tables__rule(const struct unwind_tables *t,
						 const struct fs_unwind_table *table,
						 __u64 file_offset);

void unwind_tables__stat(const struct unwind_tables *t, struct unwind_tables_stat *stat);

#endif /* FS_TABLES_H */
