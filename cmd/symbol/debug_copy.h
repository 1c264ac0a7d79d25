/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The DWARF sections of a file, unpacked, in memory: what libdw is given. It does not look for the
 * end of a section in each string, so each one has a NUL behind it here.
 */
#ifndef FS_DEBUG_COPY_H
#define FS_DEBUG_COPY_H

#include <elfutils/libdw.h>

#include "symbol/image.h"

/* The longest string of a section, once it was looked for. */
struct debug_strings {
	bool seen;
	size_t longest;
};

struct debug_copy {
	unsigned char *mem;
	size_t size;
	Elf *elf;
	Dwarf *dw;
	struct debug_strings names, line_names; /* .debug_str, .debug_line_str */
};

/*
 * Bytes of memory that a copy takes; 0 where there is no .debug_info, UINT64_MAX where the sizes
 * make no sense.
 */
__u64 debug_copy__bytes(const struct elf_image *img);

/* Make it; img is needed no longer then. NULL: no memory, or libdw can do nothing with it. */
struct debug_copy *debug_copy__make(const struct elf_image *img);
void debug_copy__free(struct debug_copy *copy);

/* Bytes of a section's copy, *size of them; NULL where there is none. */
const unsigned char *debug_copy__section(const struct debug_copy *copy, const char *name,
					 size_t *size);

#endif /* FS_DEBUG_COPY_H */
