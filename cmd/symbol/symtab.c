/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/symtab.h"

#define CHUNK         4096        /* symbols read at a time */
#define MAX_SYMBOLS   (8 << 20)   /* more are in no object that is known: 128 MiB here */
#define MAX_STRINGS   (64U << 20) /* string tables that are read whole, for a moment */
#define MAX_ADDR      ((1ULL << 62) - 1)
#define MAX_STEPS     64 /* back, to a symbol that holds others */
#define NAME_AT_FIRST 256

struct raw_symbol {
	__u32 name;
	unsigned char info, other;
	__u16 shndx;
	__u64 value, size;
};

static void take_symbol(const struct elf_image *img, const unsigned char *p, struct raw_symbol *s)
{
	if (img->elf64) {
		s->name = elf_image__u32(img, p + offsetof(Elf64_Sym, st_name));
		s->info = p[offsetof(Elf64_Sym, st_info)];
		s->other = p[offsetof(Elf64_Sym, st_other)];
		s->shndx = elf_image__u16(img, p + offsetof(Elf64_Sym, st_shndx));
		s->value = elf_image__u64(img, p + offsetof(Elf64_Sym, st_value));
		s->size = elf_image__u64(img, p + offsetof(Elf64_Sym, st_size));
	} else {
		s->name = elf_image__u32(img, p + offsetof(Elf32_Sym, st_name));
		s->info = p[offsetof(Elf32_Sym, st_info)];
		s->other = p[offsetof(Elf32_Sym, st_other)];
		s->shndx = elf_image__u16(img, p + offsetof(Elf32_Sym, st_shndx));
		s->value = elf_image__u32(img, p + offsetof(Elf32_Sym, st_value));
		s->size = elf_image__u32(img, p + offsetof(Elf32_Sym, st_size));
	}
}

/* What reading needs besides the table. */
struct reading {
	struct symtab *t;
	enum symbol_kind kind;
	const char *strings; /* on ARM, to tell $a, $d, $t and $x, which mark code and data */
	size_t room;
};

/* The section of a symbol, or NULL where its number is in another table or is none. */
static const struct elf_section *section_of(const struct elf_image *img, const struct raw_symbol *s)
{
	return s->shndx < img->nsections ? &img->sections[s->shndx] : NULL;
}

static bool is_marker(const struct reading *r, const struct raw_symbol *s)
{
	const struct elf_image *img = r->t->img;

	if (img->machine != EM_ARM && img->machine != EM_AARCH64)
		return false;
	return !r->strings || (s->name < r->t->strings_size && r->strings[s->name] == '$');
}

static bool is_wanted(const struct reading *r, const struct raw_symbol *s)
{
	const struct elf_section *in = section_of(r->t->img, s);

	if (s->shndx == SHN_UNDEF || s->shndx == SHN_ABS || !s->name ||
	    s->name >= r->t->strings_size || !s->value || s->value > MAX_ADDR)
		return false;
	switch (s->info & 0xf) {
	case STT_FUNC:
	case STT_GNU_IFUNC:
		return r->kind == SYMBOL_FUNCTION;
	case STT_OBJECT:
	case STT_COMMON:
		return r->kind == SYMBOL_DATA;
	case STT_NOTYPE:
		return r->kind == SYMBOL_FUNCTION && in && (in->flags & SHF_EXECINSTR) &&
		       !is_marker(r, s);
	}
	return false;
}

static enum symbol_rank rank_of(const struct raw_symbol *s)
{
	if (!s->size)
		return RANK_UNSIZED;
	switch (s->info >> 4) {
	case STB_LOCAL:
		return RANK_LOCAL;
	case STB_WEAK:
		return RANK_WEAK;
	}
	return RANK_GLOBAL;
}

static void add_symbol(struct reading *r, const struct raw_symbol *s)
{
	const struct elf_section *in = section_of(r->t->img, s);
	struct symbol *out = &r->t->v[r->t->n++];
	__u64 size = s->size, addr = s->value;

	/* the lowest bit says which instruction set it is: ELF for the ARM architecture */
	if (r->t->img->machine == EM_ARM && r->kind == SYMBOL_FUNCTION)
		addr &= ~1ULL;
	/* it ends where its section does; the next symbol is looked for once they are sorted */
	if (!size && in && addr - in->addr < in->size)
		size = in->size - (addr - in->addr);
	out->addr = addr;
	out->rank = rank_of(s);
	out->size = size < UINT32_MAX ? size : UINT32_MAX;
	out->name = s->name;
}

/* Go through the table; count what is wanted, or keep it where there is room. */
static ssize_t walk(struct reading *r, const struct elf_section *s, bool keep)
{
	const struct elf_image *img = r->t->img;
	size_t each = img->elf64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym), left = s->size / each;
	unsigned char *buf = malloc(CHUNK * each);
	__u64 offset = s->offset;
	ssize_t found = 0;
	int err = buf ? 0 : -ENOMEM;

	while (!err && left) {
		size_t n = left < CHUNK ? left : CHUNK;

		err = elf_image__read(img, buf, n * each, offset);
		for (size_t i = 0; !err && i < n; i++) {
			struct raw_symbol raw;

			take_symbol(img, buf + i * each, &raw);
			if (!is_wanted(r, &raw))
				continue;
			found++;
			if (keep && r->t->n < r->room)
				add_symbol(r, &raw);
		}
		offset += n * each;
		left -= n;
	}
	free(buf);
	return err ? err : found;
}

static int cmp_symbol(const void *va, const void *vb)
{
	const struct symbol *a = va, *b = vb;

	if (a->addr != b->addr)
		return a->addr < b->addr ? -1 : 1;
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	if (a->size != b->size)
		return a->size > b->size ? -1 : 1;
	return a->name < b->name ? -1 : a->name > b->name;
}

static void sort(struct symtab *t)
{
	for (size_t i = 1; i < t->n; i++) {
		if (cmp_symbol(&t->v[i - 1], &t->v[i]) <= 0)
			continue;
		qsort(t->v, t->n, sizeof(*t->v), cmp_symbol);
		return;
	}
}

/*
 * Symbols without a size reach to the next one. Those inside another are labels: they are dropped.
 */
static void end_unsized(struct symtab *t)
{
	size_t n = 0;
	__u64 next = UINT64_MAX, last = UINT64_MAX, reach = 0;

	for (size_t i = t->n; i-- > 0;) {
		struct symbol *s = &t->v[i];

		if (s->addr != last) {
			next = last;
			last = s->addr;
		}
		if (s->rank == RANK_UNSIZED && s->size > next - s->addr)
			s->size = next - s->addr;
	}
	for (size_t i = 0; i < t->n; i++) {
		const struct symbol *s = &t->v[i];

		if (s->rank == RANK_UNSIZED && s->addr < reach)
			continue;
		if (s->rank != RANK_UNSIZED && s->addr + s->size > reach)
			reach = s->addr + s->size;
		t->v[n++] = *s;
	}
	t->n = n;
}

static int read_strings(struct symtab *t, const struct elf_section *s)
{
	const struct elf_section *strings;

	if (!s->link || s->link >= t->img->nsections)
		return -ENOEXEC;
	strings = &t->img->sections[s->link];
	if (strings->type != SHT_STRTAB)
		return -ENOEXEC;
	t->strings = strings->offset;
	t->strings_size = strings->size;
	return 0;
}

int symtab__read(struct symtab *t, const struct elf_image *img, __u32 type, enum symbol_kind kind)
{
	const struct elf_section *s = elf_image__section_by_type(img, type);
	size_t each = img->elf64 ? sizeof(Elf64_Sym) : sizeof(Elf32_Sym);
	struct reading r = { .t = t, .kind = kind };
	char *strings = NULL;
	ssize_t n;

	*t = (struct symtab){ .img = img };
	if (!s)
		return -ENOENT;
	if (s->entsize != each || s->size / each > MAX_SYMBOLS)
		return -ENOEXEC;
	n = read_strings(t, s);
	if (!n && (img->machine == EM_ARM || img->machine == EM_AARCH64))
		r.strings = strings =
			elf_image__section_data(img, &img->sections[s->link], MAX_STRINGS);
	if (!n)
		n = walk(&r, s, false);
	if (n > 0) {
		r.room = n;
		t->v = malloc(n * sizeof(*t->v));
		n = t->v ? walk(&r, s, true) : -ENOMEM;
	}
	free(strings);
	if (n <= 0) {
		symtab__clear(t);
		return n ? n : -ENOENT;
	}
	sort(t);
	end_unsized(t);
	return 0;
}

void symtab__clear(struct symtab *t)
{
	free(t->v);
	*t = (struct symtab){};
}

/* ---- look-ups --------------------------------------------------------------------------------- */

static bool holds(const struct symbol *s, __u64 addr)
{
	return addr - s->addr < s->size;
}

const struct symbol *symtab__find(const struct symtab *t, __u64 addr)
{
	const struct symbol *found = NULL;
	size_t low = 0, high = t->n;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (t->v[mid].addr <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = low, steps = 0; i-- > 0 && steps < MAX_STEPS; steps++) {
		const struct symbol *s = &t->v[i];

		if (found && s->addr != found->addr)
			break;
		if (holds(s, addr))
			found = s;
	}
	return found;
}

int symtab__string(const struct symtab *t, __u32 offset, char *buf)
{
	size_t want = NAME_AT_FIRST;

	if (offset >= t->strings_size)
		return -ENOENT;
	for (;;) {
		size_t len = want - 1;
		ssize_t n;

		if (len > t->strings_size - offset)
			len = t->strings_size - offset;
		n = elf_image__read_some(t->img, buf, len, t->strings + offset);
		if (n < 0)
			return n;
		buf[n] = '\0';
		if (memchr(buf, '\0', n) || (size_t)n < want - 1 || want == SYMBOL_NAME_MAX)
			return *buf ? 0 : -ENOENT;
		want = SYMBOL_NAME_MAX;
	}
}

static bool is_better(const char *name, const char *than)
{
	size_t a = strspn(name, "_"), b = strspn(than, "_");

	if (a != b)
		return a < b;
	a = strlen(name);
	b = strlen(than);
	return a != b ? a > b : strcmp(name, than) < 0;
}

/* "foo@@GLIBC_2.34", as .symtab has it, is foo to people; "foo@plt" is not of a symbol table. */
static void cut_version(char *name)
{
	char *at = strchr(name + 1, '@');

	if (at)
		*at = '\0';
}

int symtab__name(const struct symtab *t, const struct symbol *s, __u64 addr, char *buf)
{
	const struct symbol *end = t->v + t->n, *other;
	char rival[SYMBOL_NAME_MAX];
	int err = symtab__string(t, s->name, buf);

	for (other = s + 1; other < end && other < s + MAX_STEPS; other++) {
		if (other->addr != s->addr || other->rank != s->rank || !holds(other, addr))
			break;
		if (other->name == s->name || symtab__string(t, other->name, rival))
			continue;
		if (err || is_better(rival, buf))
			strcpy(buf, rival);
		err = 0;
	}
	if (!err)
		cut_version(buf);
	return err;
}
