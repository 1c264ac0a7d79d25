/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An ELF object's headers, checked against its size, and its bytes. libelf allocates what section
 * headers claim and is given no file that has not been through here.
 */
#ifndef FS_IMAGE_H
#define FS_IMAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <linux/types.h>

#include "symbol/elf.h"

#define BUILD_ID_MAX 64

struct elf_section {
	__u32 name, type, link, info;
	__u64 flags, addr, offset, size, entsize;
};

struct elf_image {
	int fd;             /* the owner's; may change while nothing is read. -1: in mem */
	unsigned char *mem; /* the image's, malloc()ed, or NULL */
	__u64 size;
	bool elf64, big_endian;
	bool debug; /* may be without segments */
	__u16 type, machine;
	size_t nloads; /* PT_LOADs in the order of the file */
	struct elf_load *loads;
	size_t nsections; /* 0: none that can be read */
	struct elf_section *sections;
	size_t build_id_len;
	unsigned char build_id[BUILD_ID_MAX];
};

/*
 * Read headers and build id of an open file, or of `size` bytes that malloc() gave: these are the
 * image's then, on failure too. NULL with errno: ENOEXEC where it is no regular file, no ELF
 * program or library of a byte order and class that are known, or its program headers are corrupt.
 * Corrupt section headers are no failure: there are none then.
 */
struct elf_image *elf_image__open(int fd);
/* As elf_image__open(), also for files of debug information alone, without segments. */
struct elf_image *elf_image__open_debug(int fd);
struct elf_image *elf_image__of_memory(unsigned char *mem, __u64 size);
void elf_image__free(struct elf_image *img);

/* Read exactly len bytes at an offset. 0, -EIO where there are fewer, or -errno. */
int elf_image__read(const struct elf_image *img, void *buf, size_t len, __u64 offset);

/* Read up to len bytes at an offset. Their number, or -errno. */
ssize_t elf_image__read_some(const struct elf_image *img, void *buf, size_t len, __u64 offset);

/* A number of 2, 4 or 8 bytes in the object's byte order. */
__u16 elf_image__u16(const struct elf_image *img, const void *p);
__u32 elf_image__u32(const struct elf_image *img, const void *p);
__u64 elf_image__u64(const struct elf_image *img, const void *p);

/* The first section of a type (SHT_*) or a name, or NULL. Its bytes are in the file, or it is NOBITS. */
const struct elf_section *elf_image__section_by_type(const struct elf_image *img, __u32 type);
const struct elf_section *elf_image__section(const struct elf_image *img, const char *name);

/* The section that holds the names of sections, or NULL. */
const struct elf_section *elf_image__names(const struct elf_image *img);

/* Bytes of a section, malloc()ed, with a NUL behind them; NULL with errno: EFBIG for more than max. */
char *elf_image__section_data(const struct elf_image *img, const struct elf_section *s, size_t max);

/*
 * Address at which the byte at a file offset was linked: in an executable segment if code, else
 * preferably in one that is not. False where no segment has it.
 */
bool elf_image__vaddr(const struct elf_image *img, __u64 offset, bool code, __u64 *vaddr);

#endif /* FS_IMAGE_H */
