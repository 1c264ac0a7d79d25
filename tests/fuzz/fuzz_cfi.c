/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Call frame information that is not what it should be: objects as files and as images, their rows
 * packed and looked up. Input that does not begin as an ELF object is the .eh_frame of one: its
 * first byte says of which machine.
 */
#include <elf.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "symbol/cfi.h"
#include "symbol/tables.h"

#define WORDS     32768
#define RULES     512
#define FRAME_AT  0x200
#define CODE_SIZE 0x10000

#define check(what)              \
	do {                     \
		if (!(what))     \
			abort(); \
	} while (0)

static void check_rows(const struct cfi *cfi)
{
	check(cfi->nrows && cfi->nrules && cfi->nrules <= FS_UNWIND_MAX_RULES);
	check(cfi->rules[0].cfa == FS_CFA_NONE && !cfi->rows[cfi->nrows - 1].rule);
	for (size_t i = 0; i < cfi->nrows; i++) {
		check(cfi->rows[i].rule < cfi->nrules);
		check(!i || cfi->rows[i - 1].offset < cfi->rows[i].offset);
		check(!i || cfi->rows[i - 1].rule != cfi->rows[i].rule);
	}
}

static void check_lookup(const struct unwind_tables *t, const struct fs_unwind_table *table,
			 const struct cfi *cfi, uint64_t offset)
{
	check(!memcmp(unwind_tables__rule(t, table, offset), cfi__rule(cfi, offset),
		      sizeof(struct fs_unwind_rule)));
}

static void check_tables(const struct cfi *cfi)
{
	static __u32 words[WORDS];
	static struct fs_unwind_rule rules[RULES];
	struct unwind_tables *t = unwind_tables__new(words, WORDS, rules, RULES);
	struct fs_unwind_table table;

	check(t);
	for (int twice = 0; twice < 2; twice++) {
		if (unwind_tables__add(t, cfi, &table))
			break;
		for (size_t i = 0; i < cfi->nrows; i++) {
			check_lookup(t, &table, cfi, cfi->rows[i].offset);
			check_lookup(t, &table, cfi, cfi->rows[i].offset - 1);
			check_lookup(t, &table, cfi, cfi->rows[i].offset + 1);
		}
	}
	unwind_tables__free(t);
}

static void try_image(const void *image, size_t size)
{
	struct cfi *cfi = cfi__read_image(image, size);

	if (cfi) {
		check_rows(cfi);
		check_tables(cfi);
	}
	cfi__free(cfi);
}

static void try_file(const void *bytes, size_t size)
{
	static int fd = -1;
	struct cfi *cfi;

	if (fd < 0)
		fd = memfd_create("fuzz", MFD_CLOEXEC);
	check(!ftruncate(fd, 0) && pwrite(fd, bytes, size, 0) == (ssize_t)size);
	cfi = cfi__read(fd);
	if (cfi)
		check_rows(cfi);
	cfi__free(cfi);
}

/* An object of one segment that is all code, and the bytes as its .eh_frame. */
static void try_eh_frame(__u16 machine, const void *bytes, size_t size)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 2,
	};
	size_t total = FRAME_AT + size + CODE_SIZE;
	Elf64_Phdr p[2] = {
		{ .p_type = PT_LOAD, .p_flags = PF_X, .p_filesz = total },
		{ .p_type = PT_GNU_EH_FRAME, .p_offset = 0x1f0, .p_vaddr = 0x1f0, .p_filesz = 8 },
	};
	static const __u8 hdr[8] = { 1, 0x1b, 0xff, 0xff, FRAME_AT - 0x1f4 };
	__u8 *image = calloc(1, total);

	check(image);
	memcpy(image, &h, sizeof(h));
	memcpy(image + sizeof(h), p, sizeof(p));
	memcpy(image + 0x1f0, hdr, sizeof(hdr));
	memcpy(image + FRAME_AT, bytes, size);
	try_image(image, total);
	free(image);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	if (size && bytes[0] != 0x7f) {
		try_eh_frame(bytes[0] & 1 ? EM_AARCH64 : EM_X86_64, bytes + 1, size - 1);
		return 0;
	}
	try_image(bytes, size);
	try_file(bytes, size);
	return 0;
}
