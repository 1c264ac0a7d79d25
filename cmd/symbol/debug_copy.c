/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <zlib.h>

#include "base/memory.h"
#include "symbol/debug_copy.h"

#define MAX_NAMES_BYTES (4 << 20)
/* zlib packs no better than 1 : 1032, https://zlib.net/zlib_tech.html */
#define MAX_RATIO 1032
#define GAP       16 /* zeros behind what was unpacked */

/* ---- which sections, how large ---------------------------------------------------------------- */

static size_t chdr_size(const struct elf_image *img)
{
	return img->elf64 ? sizeof(Elf64_Chdr) : sizeof(Elf32_Chdr);
}

/* Bytes of a packed section once it is unpacked; UINT64_MAX where that makes no sense. */
static __u64 unpacked_size(const struct elf_image *img, const struct elf_section *s)
{
	unsigned char head[sizeof(Elf64_Chdr)];
	size_t len = chdr_size(img);
	__u64 size;

	if (s->size < len || elf_image__read(img, head, len, s->offset) ||
	    elf_image__u32(img, head) != ELFCOMPRESS_ZLIB)
		return UINT64_MAX;
	size = img->elf64 ? elf_image__u64(img, head + offsetof(Elf64_Chdr, ch_size)) :
			    elf_image__u32(img, head + offsetof(Elf32_Chdr, ch_size));
	return size / MAX_RATIO > s->size ? UINT64_MAX : size;
}

/* What libdw reads; the others stay zero. */
static bool is_debug(const char *name)
{
	return !strncmp(name, ".debug_", 7) || !strcmp(name, ".gnu_debugaltlink");
}

/*
 * Call fn for each section that counts, until it returns not 0. Returns what the last call did, or
 * -ENOENT where there are no names.
 */
static int each_section(const struct elf_image *img,
			int (*fn)(void *ctx, size_t i, const char *name), void *ctx)
{
	const struct elf_section *names = elf_image__names(img);
	char *text = names ? elf_image__section_data(img, names, MAX_NAMES_BYTES) : NULL;
	int ret = text ? 0 : -ENOENT;

	for (size_t i = 1; !ret && i < img->nsections; i++) {
		const struct elf_section *s = &img->sections[i];

		if (s->name < names->size && s->type != SHT_NOBITS && is_debug(text + s->name))
			ret = fn(ctx, i, text + s->name);
	}
	free(text);
	return ret;
}

struct sum {
	const struct elf_image *img;
	__u64 bytes, unpacked;
	bool has_info;
};

static int add_size(void *ctx, size_t i, const char *name)
{
	struct sum *sum = ctx;
	const struct elf_section *s = &sum->img->sections[i];
	bool packed = s->flags & SHF_COMPRESSED;
	__u64 size = packed ? unpacked_size(sum->img, s) : s->size;

	/* SHT_NULL: the file lacks a part of it */
	if (s->type == SHT_NULL || size > (1ULL << 40) || sum->bytes > (1ULL << 40))
		return -ENOEXEC;
	sum->bytes += size + GAP;
	if (packed)
		sum->unpacked += size + GAP;
	sum->has_info |= !strcmp(name, ".debug_info");
	return 0;
}

__u64 debug_copy__bytes(const struct elf_image *img)
{
	struct sum sum = { .img = img };

	if (each_section(img, add_size, &sum) == -ENOEXEC)
		return UINT64_MAX;
	return sum.has_info ? sum.bytes : 0;
}

/* ---- the copy --------------------------------------------------------------------------------- */

struct copying {
	const struct elf_image *img;
	unsigned char *mem;
	__u64 shoff;
	size_t next; /* where there is room for what is unpacked */
};

static void put(const struct elf_image *img, unsigned char *p, size_t size, __u64 value)
{
	for (size_t i = 0; i < size; i++)
		p[img->big_endian ? size - 1 - i : i] = value >> 8 * i;
}

/* The section's header is told of the unpacked bytes. */
static void patch_header(const struct copying *c, size_t i, __u64 offset, __u64 size)
{
	const struct elf_image *img = c->img;
	__u64 flags = img->sections[i].flags & ~(__u64)SHF_COMPRESSED;

	if (img->elf64) {
		unsigned char *h = c->mem + c->shoff + i * sizeof(Elf64_Shdr);

		put(img, h + offsetof(Elf64_Shdr, sh_offset), 8, offset);
		put(img, h + offsetof(Elf64_Shdr, sh_size), 8, size);
		put(img, h + offsetof(Elf64_Shdr, sh_flags), 8, flags);
	} else {
		unsigned char *h = c->mem + c->shoff + i * sizeof(Elf32_Shdr);

		put(img, h + offsetof(Elf32_Shdr, sh_offset), 4, offset);
		put(img, h + offsetof(Elf32_Shdr, sh_size), 4, size);
		put(img, h + offsetof(Elf32_Shdr, sh_flags), 4, flags);
	}
}

static int unpack(struct copying *c, size_t i)
{
	const struct elf_section *s = &c->img->sections[i];
	char *packed = elf_image__section_data(c->img, s, s->size);
	__u64 size = unpacked_size(c->img, s);
	z_stream z = {};
	int ret = Z_MEM_ERROR;

	if (packed && size <= UINT32_MAX && s->size <= UINT32_MAX && inflateInit(&z) == Z_OK) {
		z.next_in = (Bytef *)packed + chdr_size(c->img);
		z.avail_in = s->size - chdr_size(c->img);
		z.next_out = c->mem + c->next;
		z.avail_out = size;
		ret = inflate(&z, Z_FINISH);
		inflateEnd(&z);
	}
	free(packed);
	if (ret != Z_STREAM_END)
		return -ENOEXEC;
	patch_header(c, i, c->next, size);
	c->next += size + GAP;
	return 0;
}

static int copy_section(void *ctx, size_t i, const char *name)
{
	struct copying *c = ctx;
	const struct elf_section *s = &c->img->sections[i];

	(void)name;
	if (s->flags & SHF_COMPRESSED)
		return unpack(c, i);
	return elf_image__read(c->img, c->mem + s->offset, s->size, s->offset);
}

/*
 * An image as large as the file, of which only headers and DWARF are filled in: the rest takes no
 * memory. What is unpacked comes behind it, so nothing is last.
 */
static int fill(struct copying *c)
{
	const struct elf_image *img = c->img;
	const struct elf_section *names = elf_image__names(img);
	size_t ehdr = img->elf64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr);
	size_t shdrs = img->nsections * (img->elf64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr));
	int err = names ? elf_image__read(img, c->mem, ehdr, 0) : -ENOEXEC;

	if (err)
		return err;
	c->shoff = img->elf64 ? elf_image__u64(img, c->mem + offsetof(Elf64_Ehdr, e_shoff)) :
				elf_image__u32(img, c->mem + offsetof(Elf32_Ehdr, e_shoff));
	if (c->shoff > img->size || shdrs > img->size - c->shoff)
		return -ENOEXEC;
	err = elf_image__read(img, c->mem + names->offset, names->size, names->offset);
	if (!err)
		err = elf_image__read(img, c->mem + c->shoff, shdrs, c->shoff);
	if (!err)
		err = each_section(img, copy_section, c);
	return err;
}

struct debug_copy *debug_copy__make(const struct elf_image *img)
{
	struct debug_copy *copy = calloc(1, sizeof(*copy));
	struct copying c = { .img = img, .next = img->size + GAP };
	struct sum sum = { .img = img };

	if (!copy || elf_version(EV_CURRENT) == EV_NONE || each_section(img, add_size, &sum))
		goto fail;
	copy->size = page_round(img->size + sum.unpacked + 2 * GAP);
	c.mem = mmap(NULL, copy->size, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (c.mem == MAP_FAILED)
		goto fail;
	copy->mem = c.mem;
	if (fill(&c))
		goto fail;
	copy->elf = elf_memory((char *)copy->mem, copy->size);
	copy->dw = copy->elf ? dwarf_begin_elf(copy->elf, DWARF_C_READ, NULL) : NULL;
	if (copy->dw)
		return copy;
fail:
	debug_copy__free(copy);
	return NULL;
}

void debug_copy__free(struct debug_copy *copy)
{
	if (!copy)
		return;
	dwarf_end(copy->dw);
	elf_end(copy->elf);
	if (copy->mem)
		munmap(copy->mem, copy->size);
	free(copy);
}

const unsigned char *debug_copy__section(const struct debug_copy *copy, const char *wanted,
					 size_t *size)
{
	Elf_Scn *scn = NULL;
	size_t names;

	if (elf_getshdrstrndx(copy->elf, &names))
		return NULL;
	while ((scn = elf_nextscn(copy->elf, scn))) {
		GElf_Shdr sh;
		const char *name;
		Elf_Data *data;

		name = gelf_getshdr(scn, &sh) ? elf_strptr(copy->elf, names, sh.sh_name) : NULL;
		if (!name || strcmp(name, wanted))
			continue;
		data = elf_rawdata(scn, NULL);
		*size = data ? data->d_size : 0;
		return data ? data->d_buf : NULL;
	}
	return NULL;
}
