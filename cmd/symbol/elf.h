/* SPDX-License-Identifier: GPL-2.0-only */
/* The layout of an ELF object: which bytes of the file are text, rodata, data, and where bss begins. */
#ifndef FS_ELF_H
#define FS_ELF_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "kinds.h"

/* A run of file offsets of one region kind (text, rodata or data). */
struct elf_span {
	__u64 offset, end; /* [offset, end) in the file */
	enum fs_region region;
};

/* A PT_LOAD. Where it is writable its memory beyond the file part is bss. */
struct elf_load {
	__u64 offset; /* p_offset */
	__u64 filesz, memsz;
	__u64 vaddr;
	__u32 flags; /* PF_* */
};

struct elf_layout {
	size_t nspans; /* sorted by offset, not overlapping */
	struct elf_span *spans;
	size_t nloads; /* the writable ones, sorted by vaddr */
	struct elf_load *loads;
	size_t nsegments; /* all of them, sorted by vaddr */
	struct elf_load *segments;
};

/*
 * Read the layout from an open file: program headers, and section headers for read-only sections
 * inside an executable segment. NULL with errno: ENOEXEC where it is no ELF object, or is corrupt.
 * Never blocks: fd must be a regular file (checked). The fd stays the caller's.
 */
struct elf_layout *elf_layout__read(int fd);
void elf_layout__free(struct elf_layout *elf);

/* Region of a file offset, FS_REGION_FILE where no segment covers it. */
enum fs_region elf_layout__region(const struct elf_layout *elf, __u64 offset);

/*
 * Where bss begins in a mapping of [start, end) at file offset `offset`: the address, or `end` when
 * all of it is file data. A last page of data holds both, so this need not be page-aligned.
 */
__u64 elf_layout__bss_start(const struct elf_layout *elf, __u64 start, __u64 end, __u64 offset);

/* How a mapping is protected; for data that has been made read-only (RELRO) `write` too. */
struct elf_access {
	bool write, exec;
};

/*
 * The PT_LOAD that a mapping of the file's [offset, end), made by the kernel or the dynamic
 * linker, is of, or NULL. Segments may share a page of the file: the access, then the end tell
 * them apart.
 */
const struct elf_load *elf_layout__segment(const struct elf_layout *elf, __u64 offset, __u64 end,
					   struct elf_access access);

/*
 * The writable PT_LOAD in which a mapping of the file's [offset, end), which the loader made for
 * data, ends; or NULL. The mapping may begin in another: two that adjoin are one to the kernel.
 */
const struct elf_load *elf_layout__data(const struct elf_layout *elf, __u64 offset, __u64 end);

/*
 * Address at which a segment's p_vaddr lies less p_vaddr, given that its mapping has file offset
 * `offset` at address `start`. Wraps round where the object lies below its link address.
 */
__u64 elf_load__bias(const struct elf_load *load, __u64 start, __u64 offset);

#endif /* FS_ELF_H */
