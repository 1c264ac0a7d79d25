/* SPDX-License-Identifier: GPL-2.0-only */
/* The symbols of one symbol table, sorted by address; their names stay in the file. */
#ifndef FS_SYMTAB_H
#define FS_SYMTAB_H

#include "symbol/image.h"

#define SYMBOL_NAME_MAX 4096 /* bytes of a name that are read, with the NUL */

enum symbol_kind {
	SYMBOL_FUNCTION, /* STT_FUNC, STT_GNU_IFUNC; STT_NOTYPE in code */
	SYMBOL_DATA,     /* STT_OBJECT, STT_COMMON; no STT_TLS: its values are no addresses */
};

enum symbol_rank { RANK_GLOBAL, RANK_WEAK, RANK_LOCAL, RANK_UNSIZED };

/* 16 bytes: there are 100,000 of them in large programs. */
struct symbol {
	__u64 addr : 62;
	__u64 rank : 2; /* enum symbol_rank */
	__u32 size; /* bytes; UINT32_MAX also for more. Where the object has 0: to the next one */
	__u32 name; /* offset in the string table */
};

struct symtab {
	const struct elf_image *img; /* not owned */
	struct symbol *v;            /* by address, then rank */
	size_t n;
	__u64 strings, strings_size; /* where names are in img */
};

/*
 * Read the symbols of a kind from the table of type SHT_SYMTAB or SHT_DYNSYM; img must live as
 * long. 0, -ENOENT where there is no such table or none of the kind in it, -ENOEXEC where it is
 * corrupt or too large, -ENOMEM or -errno; the table is empty then.
 */
int symtab__read(struct symtab *t, const struct elf_image *img, __u32 type, enum symbol_kind kind);
void symtab__clear(struct symtab *t);

/*
 * The symbol that holds an address: of several at most one start address, the nearest; of those at
 * the same address one of the best rank. NULL: none. Others of its rank may follow it in t->v.
 */
const struct symbol *symtab__find(const struct symtab *t, __u64 addr);

/*
 * The name to use for what symtab__find() gave for the address: of names of one rank that with the
 * fewest underscores before it, then the longest, as choose_best_symbol() of perf's symbol.c has
 * it (which places weak symbols behind local ones; here they come before). buf holds
 * SYMBOL_NAME_MAX bytes. 0, -ENOENT where it has none, or -errno.
 */
int symtab__name(const struct symtab *t, const struct symbol *s, __u64 addr, char *buf);

/* Read a NUL-terminated string of a table into SYMBOL_NAME_MAX bytes; cut where it is longer. 0 or -errno. */
int symtab__string(const struct symtab *t, __u32 offset, char *buf);

#endif /* FS_SYMTAB_H */
