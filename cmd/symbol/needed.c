/* SPDX-License-Identifier: GPL-2.0-only */
#include "symbol/needed.h"

#include <elf.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/image.h"

#define MAX_DYNAMIC_BYTES (64 << 10)
#define MAX_STRINGS_BYTES (16 << 20)

/* .interp is a section, too: no need for the program header. */
static void interpreter(const struct elf_image *img, void (*fn)(void *, const char *), void *ctx)
{
	const struct elf_section *s = elf_image__section(img, ".interp");
	char *path = s ? elf_image__section_data(img, s, 4096) : NULL;

	if (path && *path)
		fn(ctx, path);
	free(path);
}

static void entry(const struct elf_image *img, const char *dyn, const char *strings, size_t size,
		  void (*fn)(void *, const char *), void *ctx)
{
	size_t word = img->elf64 ? 8 : 4;
	__u64 tag = img->elf64 ? elf_image__u64(img, dyn) : elf_image__u32(img, dyn);
	__u64 value = img->elf64 ? elf_image__u64(img, dyn + word) :
				   elf_image__u32(img, dyn + word);

	if (tag == DT_NEEDED && value < size && strings[value])
		fn(ctx, strings + value);
}

void elf_needed(int fd, void (*fn)(void *ctx, const char *name), void *ctx)
{
	struct elf_image *img = elf_image__open(fd);
	const struct elf_section *dynamic, *names;
	char *dyn = NULL, *strings = NULL;
	size_t step;

	if (!img)
		return;
	interpreter(img, fn, ctx);
	dynamic = elf_image__section_by_type(img, SHT_DYNAMIC);
	names = dynamic && dynamic->link < img->nsections ? &img->sections[dynamic->link] : NULL;
	if (names && names->type == SHT_STRTAB && dynamic->size <= MAX_DYNAMIC_BYTES) {
		dyn = elf_image__section_data(img, dynamic, MAX_DYNAMIC_BYTES);
		strings = elf_image__section_data(img, names, MAX_STRINGS_BYTES);
	}
	step = img->elf64 ? sizeof(Elf64_Dyn) : sizeof(Elf32_Dyn);
	for (size_t at = 0; dyn && strings && at + step <= dynamic->size; at += step)
		entry(img, dyn + at, strings, names->size, fn, ctx);
	free(dyn);
	free(strings);
	elf_image__free(img);
}
