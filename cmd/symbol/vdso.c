/* SPDX-License-Identifier: GPL-2.0-only */
/* The vdso: the kernel maps it into every process, so our own is read, from memory. */
#include <elf.h>
#include <link.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>

#include "symbol/internal.h"

#define MAX_VDSO (1 << 20)

/* Its size is not told; the table of section headers is the last in it. See vdso(7). */
static size_t vdso_size(const ElfW(Ehdr) * h)
{
	const ElfW(Phdr) *p = (const void *)((const char *)h + h->e_phoff);
	size_t size = h->e_shoff + (size_t)h->e_shnum * h->e_shentsize;

	for (int i = 0; i < h->e_phnum; i++)
		if (p[i].p_type == PT_LOAD && p[i].p_offset + p[i].p_filesz > size)
			size = p[i].p_offset + p[i].p_filesz;
	return size;
}

struct elf_image *vdso_image(void)
{
	const ElfW(Ehdr) *h = (const void *)getauxval(AT_SYSINFO_EHDR);
	size_t size = h && !memcmp(h->e_ident, ELFMAG, SELFMAG) ? vdso_size(h) : 0;
	unsigned char *copy = size && size <= MAX_VDSO ? malloc(size) : NULL;

	if (!copy)
		return NULL;
	memcpy(copy, h, size);
	return elf_image__of_memory(copy, size);
}

static struct sym_object *make_object(struct symbolizer *sz)
{
	struct sym_object *obj = calloc(1, sizeof(*obj));

	if (!obj)
		return NULL;
	obj->sz = sz;
	obj->path = "[vdso]";
	obj->file.fd = obj->debug_file.fd = -1;
	obj->opened = obj->loaded = true;
	obj->image = vdso_image();
	return obj;
}

bool symbolizer__vdso_frame(struct symbolizer *sz, __u64 offset, bool call, struct sym_frame *out)
{
	if (!sz->vdso_tried)
		sz->vdso = make_object(sz);
	sz->vdso_tried = true;
	*out = (struct sym_frame){ .object = "[vdso]" };
	if (!sz->vdso)
		return false;
	symbolizer__file_frames(sz, sz->vdso, offset, call, out, 1);
	return out->name;
}
