/* SPDX-License-Identifier: GPL-2.0-only */
/* Any bytes as a mapped file: some look-ups in it, with lines and inlined functions. */
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/log.h"
#include "symbol/image.h"
#include "symbol/symbolizer.h"

static void look_up(struct symbolizer *sz, struct sym_object *obj, __u64 offset)
{
	struct sym_frame f[SYM_MAX_INLINED];

	symbolizer__file_frames(sz, obj, offset, false, f, SYM_MAX_INLINED);
	symbolizer__file_frames(sz, obj, offset, true, f, 1);
	symbolizer__data_offset(sz, obj, offset, f);
	symbolizer__data_vaddr(sz, obj, offset, f);
}

/* Ends and middles of segments, where there is something. */
static void look_into_segments(struct symbolizer *sz, struct sym_object *obj, int fd)
{
	struct elf_image *img = elf_image__open(fd);

	for (size_t i = 0; img && i < img->nloads && i < 8; i++) {
		const struct elf_load *l = &img->loads[i];

		for (__u64 step = 0; step < 16; step++)
			look_up(sz, obj, l->offset + l->filesz / 16 * step);
		look_up(sz, obj, l->offset + l->filesz);
		look_up(sz, obj, l->vaddr + l->memsz - 1);
	}
	elf_image__free(img);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct symbolizer_opts opts = { .lines = true,
					.inlines = true,
					.debug_dir = "/nonexistent",
					.max_debug_bytes = 64 << 20 };
	struct sym_file file = { .dev = 1, .ino = 1, .path = "/nonexistent/object" };
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *obj = sz ? symbolizer__object(sz, &file) : NULL;
	int fd = memfd_create("object", MFD_CLOEXEC);

	if (obj && fd >= 0 && write(fd, data, size) == (ssize_t)size) {
		sym_object__open(obj, fd);
		look_into_segments(sz, obj, fd);
		for (__u64 offset = 0; offset < size; offset += size / 32 + 1)
			look_up(sz, obj, offset);
	}
	if (fd >= 0)
		close(fd);
	symbolizer__free(sz);
	return 0;
}
