/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Stubs of the procedure linkage table, which jump through a slot of the global offset table: what
 * function is in the slot, a relocation tells. The stubs themselves are read, so it does not
 * matter which linker laid them out: x86-64 and AArch64 psABIs.
 */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/internal.h"

#define MAX_PLT_BYTES  (4 << 20)
#define MAX_RELA_BYTES (64 << 20)

struct slot {
	__u64 addr;
	__u32 symbol; /* in .dynsym; 0: none */
	__u64 addend; /* of a function that chooses, where there is no symbol */
};

struct slots {
	size_t n;
	struct slot *v;
};

static int cmp_slot(const void *a, const void *b)
{
	const struct slot *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static bool is_jump_slot(__u16 machine, __u32 type)
{
	if (machine == EM_X86_64)
		return type == R_X86_64_JUMP_SLOT || type == R_X86_64_GLOB_DAT ||
		       type == R_X86_64_IRELATIVE;
	return type == R_AARCH64_JUMP_SLOT || type == R_AARCH64_GLOB_DAT ||
	       type == R_AARCH64_IRELATIVE;
}

static void add_slots(const struct elf_image *img, const struct elf_section *s, struct slots *out)
{
	size_t n = s->size / sizeof(Elf64_Rela), had = out->n;
	char *data = elf_image__section_data(img, s, MAX_RELA_BYTES);
	struct slot *more;
	size_t wanted = 0;

	for (size_t i = 0; data && i < n; i++)
		wanted += is_jump_slot(
			img->machine,
			ELF64_R_TYPE(elf_image__u64(img, data + i * sizeof(Elf64_Rela) +
								 offsetof(Elf64_Rela, r_info))));
	more = wanted ? reallocarray(out->v, had + wanted, sizeof(*more)) : NULL;
	if (more)
		out->v = more;
	for (size_t i = 0; more && i < n; i++) {
		const char *r = data + i * sizeof(Elf64_Rela);
		__u64 info = elf_image__u64(img, r + offsetof(Elf64_Rela, r_info));

		if (!is_jump_slot(img->machine, ELF64_R_TYPE(info)))
			continue;
		out->v[out->n++] = (struct slot){
			.addr = elf_image__u64(img, r + offsetof(Elf64_Rela, r_offset)),
			.symbol = ELF64_R_SYM(info),
			.addend = elf_image__u64(img, r + offsetof(Elf64_Rela, r_addend)),
		};
	}
	free(data);
}

/*
 * The slot that the instructions at p, len bytes at address addr, jump through, and their length;
 * 0 where they do not. x86-64: jmp *disp32(%rip). AArch64: adrp x16, page; ldr x17, [x16, #offset].
 */
static size_t jump_x86(const unsigned char *p, size_t len, __u64 addr, __u64 *slot)
{
	if (len < 6 || p[0] != 0xff || p[1] != 0x25)
		return 0;
	*slot = addr + 6 + (__s32)(p[2] | p[3] << 8 | p[4] << 16 | (__u32)p[5] << 24);
	return 6;
}

static size_t jump_arm64(const unsigned char *p, size_t len, __u64 addr, __u64 *slot)
{
	__u32 adrp, ldr;
	__s64 pages;

	if (len < 8 || addr & 3)
		return 0;
	/* instructions are little-endian, whatever data is */
	adrp = p[0] | p[1] << 8 | p[2] << 16 | (__u32)p[3] << 24;
	ldr = p[4] | p[5] << 8 | p[6] << 16 | (__u32)p[7] << 24;
	if ((adrp & 0x9f00001f) != 0x90000010 || (ldr & 0xffc003ff) != 0xf9400211)
		return 0;
	pages = (__s64)((__u64)((adrp >> 5 & 0x7ffff) << 2 | (adrp >> 29 & 3)) << 43) >> 43;
	*slot = (addr & ~0xfffULL) + pages * 4096 + (ldr >> 10 & 0xfff) * 8;
	return 8;
}

static const char *stub_name(struct sym_object *obj, const struct symtab *names,
			     const struct elf_section *dynsym, const struct slot *slot)
{
	const struct elf_image *img = obj->image;
	char buf[SYMBOL_NAME_MAX], plt[SYMBOL_NAME_MAX + 8];
	unsigned char raw[4];
	const char *name;
	__u64 start;

	if (!slot->symbol)
		return object__symbol(obj, SYMBOL_FUNCTION, slot->addend, &name, &start) &&
				       snprintf(plt, sizeof(plt), "%.*s@plt", SYMBOL_NAME_MAX - 1,
						name) > 0 ?
			       symbolizer__intern(obj->sz, plt) :
			       NULL;
	if (slot->symbol >= dynsym->size / sizeof(Elf64_Sym) ||
	    elf_image__read(img, raw, sizeof(raw),
			    dynsym->offset + (__u64)slot->symbol * sizeof(Elf64_Sym)) ||
	    symtab__string(names, elf_image__u32(img, raw), buf))
		return NULL;
	name = symbolizer__intern_name(obj->sz, buf);
	if (!name)
		return NULL;
	snprintf(plt, sizeof(plt), "%.*s@plt", SYMBOL_NAME_MAX - 1, name);
	return symbolizer__intern(obj->sz, plt);
}

/*
 * Where the stub with its jump at `at` begins and how long it is. x86-64: the section's entries. On
 * AArch64 the first is longer than the others, and these are longer where they begin with bti c.
 */
static void stub_extent(const struct elf_image *img, const struct elf_section *s,
			const unsigned char *code, size_t at, struct plt_stub *out)
{
	bool sized = s->entsize >= 8 && s->entsize <= 64;
	bool bti = at >= 4 && !memcmp(code + at - 4, "\x5f\x24\x03\xd5", 4);

	if (img->machine == EM_X86_64) {
		out->size = sized ? s->entsize : 16;
		out->addr = s->addr + at - at % out->size;
	} else {
		out->size = bti ? 24 : 16;
		out->addr = s->addr + at - (bti ? 4 : 0);
	}
}

static void add_stubs(struct sym_object *obj, const struct elf_section *s,
		      const struct slots *slots, const struct symtab *names,
		      const struct elf_section *dynsym)
{
	const struct elf_image *img = obj->image;
	bool x86 = img->machine == EM_X86_64;
	unsigned char *code = (unsigned char *)elf_image__section_data(img, s, MAX_PLT_BYTES);
	struct plt *plt = &obj->plt;
	size_t step = x86 ? 1 : 4, len = 0;

	for (size_t at = 0; code && at < s->size; at += len ? len : step) {
		struct slot key, *slot;
		struct plt_stub *more;
		const char *name;

		len = (x86 ? jump_x86 : jump_arm64)(code + at, s->size - at, s->addr + at,
						    &key.addr);
		if (!len)
			continue;
		slot = bsearch(&key, slots->v, slots->n, sizeof(key), cmp_slot);
		name = slot ? stub_name(obj, names, dynsym, slot) : NULL;
		more = name ? reallocarray(plt->v, plt->n + 1, sizeof(*more)) : NULL;
		if (!more)
			continue;
		plt->v = more;
		stub_extent(img, s, code, at, &plt->v[plt->n]);
		plt->v[plt->n++].name = name;
	}
	free(code);
}

static int cmp_stub(const void *a, const void *b)
{
	const struct plt_stub *x = a, *y = b;

	return x->addr < y->addr ? -1 : x->addr > y->addr;
}

static void read_plt(struct sym_object *obj)
{
	static const char *const sections[] = { ".plt", ".plt.sec", ".plt.got", ".iplt" };
	const struct elf_image *img = obj->image;
	const struct elf_section *dynsym = elf_image__section_by_type(img, SHT_DYNSYM), none = {};
	struct symtab names = { .img = img };
	struct slots slots = {};
	struct plt *plt = &obj->plt;

	if (!img->elf64 || (img->machine != EM_X86_64 && img->machine != EM_AARCH64))
		return;
	for (size_t i = 1; i < img->nsections; i++)
		if (img->sections[i].type == SHT_RELA && (img->sections[i].flags & SHF_ALLOC))
			add_slots(img, &img->sections[i], &slots);
	if (dynsym && dynsym->link < img->nsections) {
		names.strings = img->sections[dynsym->link].offset;
		names.strings_size = img->sections[dynsym->link].size;
	}
	if (slots.n)
		qsort(slots.v, slots.n, sizeof(*slots.v), cmp_slot);
	for (size_t i = 0; slots.n && i < sizeof(sections) / sizeof(*sections); i++) {
		const struct elf_section *s = elf_image__section(img, sections[i]);

		if (s && s->type == SHT_PROGBITS)
			add_stubs(obj, s, &slots, &names, dynsym ? dynsym : &none);
	}
	free(slots.v);
	if (plt->n)
		qsort(plt->v, plt->n, sizeof(*plt->v), cmp_stub);
}

static bool in_plt(const struct elf_image *img, __u64 vaddr)
{
	for (size_t i = 1; i < img->nsections; i++) {
		const struct elf_section *s = &img->sections[i];

		if ((s->flags & SHF_EXECINSTR) && vaddr - s->addr < s->size)
			return s->size <= MAX_PLT_BYTES;
	}
	return false;
}

bool object__plt(struct sym_object *obj, __u64 vaddr, const char **name, __u64 *start)
{
	struct plt *plt = &obj->plt;
	size_t low = 0, high;

	if (!plt->tried && in_plt(obj->image, vaddr)) {
		plt->tried = true;
		read_plt(obj);
	}
	high = plt->n;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (plt->v[mid].addr <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || vaddr - plt->v[low - 1].addr >= plt->v[low - 1].size)
		return false;
	*name = plt->v[low - 1].name;
	*start = plt->v[low - 1].addr;
	return true;
}
