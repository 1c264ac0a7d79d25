/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Objects made by hand, byte by byte, with one entry to look at; then a real one, cut short and
 * changed at every byte. What is right for real programs tests/unwind asks elfutils.
 */
#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "objects.h"
#include "symbol/cfi.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* ---- objects by hand -------------------------------------------------------------------------- */

/* Headers, then .eh_frame_hdr, .eh_frame and code, each at an address of its own. */
#define BASE         0x400000
#define HDR_OFFSET   0x400
#define FRAME_OFFSET 0x800
#define FRAME_ROOM   0x800
#define CODE_OFFSET  0x1000
#define CODE_SIZE    0x1000
#define CODE         (BASE + 0x10000 + CODE_OFFSET)
#define NO_ENCODING  0x100

struct object {
	__u16 machine;
	size_t n; /* of .eh_frame */
	size_t cie;
	int encoding;
	__u8 bytes[CODE_OFFSET + CODE_SIZE] __attribute__((aligned(8)));
};

struct bytes {
	const void *at;
	size_t size;
};

#define BYTES(...)                                                                   \
	(struct bytes)                                                               \
	{                                                                            \
		(const __u8[]){ __VA_ARGS__ }, sizeof((const __u8[]){ __VA_ARGS__ }) \
	}
#define NOTHING ((struct bytes){ "", 0 })

static void put(struct object *o, const void *at, size_t size)
{
	assert_true(o->n + size <= FRAME_ROOM);
	memcpy(o->bytes + FRAME_OFFSET + o->n, at, size);
	o->n += size;
}

static void put_fixed(struct object *o, __u64 v, size_t size)
{
	put(o, &v, size);
}

static void put_leb(struct object *o, __u64 v, bool is_signed)
{
	for (;;) {
		__u8 byte = v & 0x7f;
		bool done;

		v = is_signed ? (__u64)((__s64)v >> 7) : v >> 7;
		done = is_signed ? v == ((byte & 0x40) ? ~0ULL : 0) : !v;
		put_fixed(o, byte | (done ? 0 : 0x80), 1);
		if (done)
			return;
	}
}

static void put_pointer(struct object *o, int encoding, __u64 v)
{
	static const size_t sizes[16] = {
		[DW_EH_PE_absptr] = 8, [DW_EH_PE_udata2] = 2, [DW_EH_PE_udata4] = 4,
		[DW_EH_PE_udata8] = 8, [DW_EH_PE_sdata2] = 2, [DW_EH_PE_sdata4] = 4,
		[DW_EH_PE_sdata8] = 8,
	};
	int format = encoding & 0xf;

	if ((encoding & 0x70) == DW_EH_PE_pcrel)
		v -= BASE + FRAME_OFFSET + o->n;
	if (format == DW_EH_PE_uleb128 || format == DW_EH_PE_sleb128)
		put_leb(o, v, format == DW_EH_PE_sleb128);
	else
		put_fixed(o, v, sizes[format]);
}

static void object__begin(struct object *o, __u16 machine)
{
	Elf64_Ehdr h = {
		.e_ident = { 0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT },
		.e_type = ET_DYN,
		.e_machine = machine,
		.e_phoff = sizeof(h),
		.e_phentsize = sizeof(Elf64_Phdr),
		.e_phnum = 3,
	};
	Elf64_Phdr p[3] = {
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R,
		  .p_vaddr = BASE,
		  .p_filesz = CODE_OFFSET,
		  .p_memsz = CODE_OFFSET },
		{ .p_type = PT_LOAD,
		  .p_flags = PF_R | PF_X,
		  .p_offset = CODE_OFFSET,
		  .p_vaddr = CODE,
		  .p_filesz = CODE_SIZE,
		  .p_memsz = CODE_SIZE },
		{ .p_type = PT_GNU_EH_FRAME,
		  .p_offset = HDR_OFFSET,
		  .p_vaddr = BASE + HDR_OFFSET,
		  .p_filesz = 8,
		  .p_memsz = 8 },
	};
	__u8 hdr[8] = { 1, DW_EH_PE_pcrel | DW_EH_PE_sdata4, DW_EH_PE_omit, DW_EH_PE_omit };
	__s32 distance = FRAME_OFFSET - (HDR_OFFSET + 4);

	memset(o, 0, sizeof(*o));
	o->machine = machine;
	o->encoding = NO_ENCODING;
	memcpy(hdr + 4, &distance, sizeof(distance));
	memcpy(o->bytes, &h, sizeof(h));
	memcpy(o->bytes + sizeof(h), p, sizeof(p));
	memcpy(o->bytes + HDR_OFFSET, hdr, sizeof(hdr));
}

/* Sections' names at 0x300, their headers at 0x200; then no PT_GNU_EH_FRAME is needed. */
static void object__add_sections(struct object *o)
{
	static const char names[] = "\0.eh_frame";
	Elf64_Ehdr *h = (void *)o->bytes;
	Elf64_Shdr s[3] = {
		{},
		{ .sh_name = 1,
		  .sh_type = SHT_X86_64_UNWIND,
		  .sh_flags = SHF_ALLOC,
		  .sh_addr = BASE + FRAME_OFFSET,
		  .sh_offset = FRAME_OFFSET,
		  .sh_size = o->n },
		{ .sh_type = SHT_STRTAB, .sh_offset = 0x300, .sh_size = sizeof(names) },
	};

	h->e_shoff = 0x200;
	h->e_shentsize = sizeof(*s);
	h->e_shnum = 3;
	h->e_shstrndx = 2;
	memcpy(o->bytes + 0x200, s, sizeof(s));
	memcpy(o->bytes + 0x300, names, sizeof(names));
	((Elf64_Phdr *)(o->bytes + sizeof(*h)))[2].p_type = PT_NULL;
}

/* Lengths are set once all is there. */
static size_t entry__begin(struct object *o, bool wide)
{
	size_t at = o->n;

	put_fixed(o, wide ? 0xffffffff : 0, 4);
	if (wide)
		put_fixed(o, 0, 8);
	return at;
}

static void entry__end(struct object *o, size_t at, bool wide)
{
	__u8 *p = o->bytes + FRAME_OFFSET + at;
	__u64 length;

	while (o->n % 8)
		put_fixed(o, DW_CFA_nop, 1);
	length = o->n - at - (wide ? 12 : 4);
	memcpy(wide ? p + 4 : p, &length, wide ? 8 : 4);
}

/* data: what comes behind the length of the augmentation data. */
static void put_cie(struct object *o, const char *augmentation, struct bytes data, int encoding,
		    int version, struct bytes program)
{
	bool x86 = o->machine == EM_X86_64;

	o->cie = entry__begin(o, false);
	o->encoding = encoding;
	put_fixed(o, 0, 4);
	put_fixed(o, version, 1);
	put(o, augmentation, strlen(augmentation) + 1);
	put_leb(o, x86 ? 1 : 4, false);
	put_leb(o, -8, true);
	put_fixed(o, x86 ? 16 : 30, 1);
	if (*augmentation == 'z') {
		put_leb(o, data.size, false);
		put(o, data.at, data.size);
	}
	put(o, program.at, program.size);
	entry__end(o, o->cie, false);
}

static void put_fde_wide(struct object *o, __u64 start, __u64 size, struct bytes program, bool wide)
{
	size_t at = entry__begin(o, wide);
	bool augmented = o->bytes[FRAME_OFFSET + o->cie + 9] == 'z';

	put_fixed(o, o->n - o->cie, 4);
	put_pointer(o, o->encoding, start);
	put_pointer(o, o->encoding & 0xf, size);
	if (augmented)
		put_leb(o, 0, false);
	put(o, program.at, program.size);
	entry__end(o, at, wide);
}

static void put_fde(struct object *o, __u64 start, __u64 size, struct bytes program)
{
	put_fde_wide(o, start, size, program, false);
}

/* What gcc begins with. */
#define X86_BEGIN   BYTES(DW_CFA_def_cfa, 7, 8, DW_CFA_offset | 16, 1)
#define ARM64_BEGIN BYTES(DW_CFA_def_cfa, 31, 0)

static void begin_usual(struct object *o, __u16 machine)
{
	object__begin(o, machine);
	put_cie(o, "zR", BYTES(DW_EH_PE_pcrel | DW_EH_PE_sdata4), DW_EH_PE_pcrel | DW_EH_PE_sdata4,
		1, machine == EM_X86_64 ? X86_BEGIN : ARM64_BEGIN);
}

static int memfd(const void *bytes, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, bytes, size), size);
	return fd;
}

/* From an image and from a file: they are the same. NULL with errno. */
static struct cfi *read_bytes(const void *bytes, size_t size)
{
	struct cfi *image = cfi__read_image(bytes, size), *file;
	int image_err = errno, fd = memfd(bytes, size);

	file = cfi__read(fd);
	if (!image || !file) {
		assert_null(image);
		assert_null(file);
		assert_int_equal(errno, image_err);
	} else {
		assert_int_equal(image->nrows, file->nrows);
		assert_memory_equal(image->rows, file->rows, file->nrows * sizeof(*file->rows));
	}
	cfi__free(file);
	close(fd);
	errno = image_err;
	return image;
}

static struct cfi *object__read(const struct object *o)
{
	return read_bytes(o->bytes, sizeof(o->bytes));
}

static void check_refused(const struct object *o, int err)
{
	struct cfi *cfi = object__read(o);

	assert_null(cfi);
	assert_int_equal(errno, err);
}

static void check_rule(const struct cfi *cfi, __u64 code, struct fs_unwind_rule wanted)
{
	const struct fs_unwind_rule *got = cfi__rule(cfi, CODE_OFFSET + code);

	if (memcmp(got, &wanted, sizeof(wanted)))
		print_message("code+%llu: cfa=%u%+d arg=%u fp=%u%+d ra=%u%+d\n", code, got->cfa,
			      got->cfa_offset, got->arg, got->fp, got->fp_offset, got->ra,
			      got->ra_offset);
	assert_memory_equal(got, &wanted, sizeof(wanted));
}

#define RULE(...) ((struct fs_unwind_rule){ __VA_ARGS__ })
#define SP(n)     .cfa = FS_CFA_SP, .cfa_offset = (n)
#define RA(n)     .ra = FS_SAVED_CFA, .ra_offset = (n)
#define FP(n)     .fp = FS_SAVED_CFA, .fp_offset = (n)

static void check_sane(const struct cfi *cfi)
{
	assert_true(cfi->nrows && cfi->nrules);
	assert_int_equal(cfi->rules[0].cfa, FS_CFA_NONE);
	assert_int_equal(cfi->rows[cfi->nrows - 1].rule, 0);
	for (size_t i = 0; i < cfi->nrows; i++) {
		assert_true(cfi->rows[i].rule < cfi->nrules);
		if (!i)
			continue;
		assert_true(cfi->rows[i - 1].offset < cfi->rows[i].offset);
		assert_true(cfi->rows[i - 1].rule != cfi->rows[i].rule);
	}
}

/* ---- rows ------------------------------------------------------------------------------------- */

static void test_function(void **state)
{
	struct object o;
	struct cfi *cfi;

	begin_usual(&o, EM_X86_64);
	/* Not in the order of the code; between the two is a gap, before and behind them nothing */
	put_fde(&o, CODE + 0x100, 0x10, NOTHING);
	put_fde(&o, CODE + 0x40, 0x20,
		BYTES(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 16, DW_CFA_offset | 6, 2,
		      DW_CFA_advance_loc | 3, DW_CFA_def_cfa_register, 6, DW_CFA_advance_loc | 27,
		      DW_CFA_def_cfa, 7, 8, DW_CFA_restore | 6));
	cfi = object__read(&o);
	assert_non_null(cfi);
	check_sane(cfi);
	assert_int_equal(cfi->machine, EM_X86_64);
	check_rule(cfi, 0x3f, RULE(0));
	check_rule(cfi, 0x40, RULE(SP(8), RA(-8)));
	check_rule(cfi, 0x41, RULE(SP(16), RA(-8), FP(-16)));
	check_rule(cfi, 0x43, RULE(SP(16), RA(-8), FP(-16)));
	check_rule(cfi, 0x44, RULE(.cfa = FS_CFA_FP, .cfa_offset = 16, RA(-8), FP(-16)));
	check_rule(cfi, 0x5f, RULE(SP(8), RA(-8)));
	check_rule(cfi, 0x60, RULE(0));
	check_rule(cfi, 0x100, RULE(SP(8), RA(-8)));
	check_rule(cfi, 0x110, RULE(0));
	assert_int_equal(cfi->nrows, 7);
	assert_int_equal(cfi->nrules, 4);
	cfi__free(cfi);
}

/* Entries that adjoin, that are twice there, that overlap, that go beyond the code. */
static void test_neighbours(void **state)
{
	struct object o;
	struct cfi *cfi;

	begin_usual(&o, EM_X86_64);
	put_fde(&o, CODE, 0x10, NOTHING);
	put_fde(&o, CODE + 0x10, 0x10, NOTHING);
	put_fde(&o, CODE + 0x10, 0x10, BYTES(DW_CFA_def_cfa_offset, 24));
	put_fde(&o, CODE + 0x18, 0x10,
		BYTES(DW_CFA_def_cfa_offset, 32, DW_CFA_advance_loc | 12, DW_CFA_def_cfa_offset,
		      40));
	put_fde(&o, CODE + CODE_SIZE - 4, 0x10, NOTHING);
	put_fde(&o, CODE + CODE_SIZE, 0x10, NOTHING);
	put_fde(&o, BASE, 0x10, NOTHING);
	cfi = object__read(&o);
	assert_non_null(cfi);
	check_sane(cfi);
	check_rule(cfi, 0, RULE(SP(8), RA(-8)));
	check_rule(cfi, 0x1f, RULE(SP(8), RA(-8)));
	check_rule(cfi, 0x20, RULE(SP(32), RA(-8)));
	check_rule(cfi, 0x24, RULE(SP(40), RA(-8)));
	check_rule(cfi, 0x28, RULE(0));
	check_rule(cfi, CODE_SIZE - 1, RULE(SP(8), RA(-8)));
	check_rule(cfi, CODE_SIZE, RULE(0));
	assert_int_equal(cfi->nrows, 6);
	cfi__free(cfi);
}

/* ---- instructions ----------------------------------------------------------------------------- */

struct program {
	const char *name;
	struct bytes bytes;
	struct fs_unwind_rule rule; /* of what it leaves */
};

/* The program, and behind it more code. */
static void check_programs(__u16 machine, const struct program *programs, size_t n)
{
	for (size_t i = 0; i < n; i++) {
		struct object o;
		struct cfi *cfi;

		begin_usual(&o, machine);
		put_fde(&o, CODE, 0x100, programs[i].bytes);
		cfi = object__read(&o);
		print_message("%s\n", programs[i].name);
		assert_non_null(cfi);
		check_sane(cfi);
		check_rule(cfi, 0xf0, programs[i].rule);
		check_rule(cfi, 0x100, RULE(0));
		cfi__free(cfi);
	}
}

static void test_instructions(void **state)
{
	const struct program programs[] = {
		{ "advance_loc1", BYTES(DW_CFA_advance_loc1, 0xf0, DW_CFA_def_cfa_offset, 24),
		  RULE(SP(24), RA(-8)) },
		{ "advance_loc2", BYTES(DW_CFA_advance_loc2, 0xf0, 0, DW_CFA_def_cfa_offset, 24),
		  RULE(SP(24), RA(-8)) },
		{ "advance_loc4",
		  BYTES(DW_CFA_advance_loc4, 0xf0, 0, 0, 0, DW_CFA_def_cfa_offset, 24),
		  RULE(SP(24), RA(-8)) },
		{ "advance_loc8",
		  BYTES(DW_CFA_MIPS_advance_loc8, 0xf0, 0, 0, 0, 0, 0, 0, 0, DW_CFA_def_cfa_offset,
			24),
		  RULE(SP(24), RA(-8)) },
		{ "advance beyond the end",
		  BYTES(DW_CFA_advance_loc4, 0, 1, 0, 0, DW_CFA_def_cfa_offset, 24),
		  RULE(SP(8), RA(-8)) },
		{ "advance far beyond the end",
		  BYTES(DW_CFA_MIPS_advance_loc8, 0xf0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
			DW_CFA_def_cfa_offset, 24),
		  RULE(SP(8), RA(-8)) },
		{ "def_cfa", BYTES(DW_CFA_def_cfa, 6, 0x90, 1),
		  RULE(.cfa = FS_CFA_FP, .cfa_offset = 144, RA(-8)) },
		{ "def_cfa_sf", BYTES(DW_CFA_def_cfa_sf, 7, 0x7e), RULE(SP(16), RA(-8)) },
		{ "def_cfa_offset_sf", BYTES(DW_CFA_def_cfa_offset_sf, 0x7d),
		  RULE(SP(24), RA(-8)) },
		{ "def_cfa_register", BYTES(DW_CFA_def_cfa_register, 10),
		  RULE(.cfa = FS_CFA_REG, .arg = 10, .cfa_offset = 8, RA(-8)) },
		{ "a register that is none", BYTES(DW_CFA_def_cfa_register, 17),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "below the stack pointer", BYTES(DW_CFA_def_cfa_sf, 7, 1),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "a CFA beyond 32 bits", BYTES(DW_CFA_def_cfa_offset, 0x80, 0x80, 0x80, 0x80, 8),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "offset_extended", BYTES(DW_CFA_offset_extended, 6, 3),
		  RULE(SP(8), RA(-8), FP(-24)) },
		{ "offset_extended_sf", BYTES(DW_CFA_offset_extended_sf, 6, 0x7d),
		  RULE(SP(8), RA(-8), FP(24)) },
		{ "negative_offset_extended", BYTES(DW_CFA_GNU_negative_offset_extended, 6, 3),
		  RULE(SP(8), RA(-8), FP(24)) },
		{ "other registers", BYTES(DW_CFA_offset | 3, 2, DW_CFA_offset_extended, 99, 3),
		  RULE(SP(8), RA(-8)) },
		{ "restore_extended", BYTES(DW_CFA_offset | 6, 2, DW_CFA_restore_extended, 6),
		  RULE(SP(8), RA(-8)) },
		{ "restore the return address", BYTES(DW_CFA_offset | 16, 2, DW_CFA_restore | 16),
		  RULE(SP(8), RA(-8)) },
		{ "undefined fp", BYTES(DW_CFA_undefined, 6),
		  RULE(SP(8), RA(-8), .fp = FS_SAVED_LOST) },
		{ "same_value", BYTES(DW_CFA_offset | 6, 2, DW_CFA_same_value, 6),
		  RULE(SP(8), RA(-8)) },
		{ "register", BYTES(DW_CFA_register, 6, 1),
		  RULE(SP(8), RA(-8), .fp = FS_SAVED_LOST) },
		{ "return address in a register", BYTES(DW_CFA_register, 16, 1),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "return address the same", BYTES(DW_CFA_same_value, 16),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "return address undefined", BYTES(DW_CFA_undefined, 16),
		  RULE(.cfa = FS_CFA_END) },
		{ "val_offset", BYTES(DW_CFA_val_offset, 6, 1),
		  RULE(SP(8), RA(-8), .fp = FS_SAVED_LOST) },
		{ "sp is the CFA", BYTES(DW_CFA_val_offset, 7, 0), RULE(SP(8), RA(-8)) },
		{ "sp is not the CFA", BYTES(DW_CFA_val_offset_sf, 7, 1),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "args_size", BYTES(DW_CFA_GNU_args_size, 0x80, 1, DW_CFA_def_cfa_offset, 24),
		  RULE(SP(24), RA(-8)) },
		{ "remember, restore",
		  BYTES(DW_CFA_offset | 6, 2, DW_CFA_remember_state, DW_CFA_def_cfa, 6, 32,
			DW_CFA_remember_state, DW_CFA_undefined, 16, DW_CFA_restore_state,
			DW_CFA_restore | 6, DW_CFA_restore_state),
		  RULE(SP(8), RA(-8), FP(-16)) },
		{ "restore without remember",
		  BYTES(DW_CFA_advance_loc | 1, DW_CFA_restore_state, DW_CFA_def_cfa_offset, 24),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "remember without end",
		  BYTES(10, 10, 10, 10, 10, 10, 10, 10, 10, DW_CFA_def_cfa_offset, 24),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "an unknown instruction", BYTES(0x3f), RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "one of arm64", BYTES(DW_CFA_AARCH64_negate_ra_state),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "set_loc",
		  BYTES(DW_CFA_set_loc, (0x10000 + CODE_OFFSET - FRAME_OFFSET - 0x31 + 0xf0) & 0xff,
			((0x10000 + CODE_OFFSET - FRAME_OFFSET - 0x31 + 0xf0) >> 8) & 0xff, 1, 0,
			DW_CFA_def_cfa_offset, 24),
		  RULE(SP(24), RA(-8)) },
		{ "set_loc back", BYTES(DW_CFA_advance_loc | 1, DW_CFA_set_loc, 0, 0, 0, 0),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
	};

	check_programs(EM_X86_64, programs, ARRAY_SIZE(programs));
}

/* What is right before an instruction that makes no sense stays. */
static void test_half_a_program(void **state)
{
	struct object o;
	struct cfi *cfi;

	begin_usual(&o, EM_X86_64);
	put_fde(&o, CODE, 0x100,
		BYTES(DW_CFA_advance_loc | 16, DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 16,
		      0x3f, DW_CFA_advance_loc | 16, DW_CFA_def_cfa_offset, 24));
	cfi = object__read(&o);
	assert_non_null(cfi);
	check_rule(cfi, 0, RULE(SP(8), RA(-8)));
	check_rule(cfi, 16, RULE(SP(16), RA(-8)));
	check_rule(cfi, 32, RULE(.cfa = FS_CFA_UNSUPPORTED));
	check_rule(cfi, 255, RULE(.cfa = FS_CFA_UNSUPPORTED));
	check_rule(cfi, 256, RULE(0));
	cfi__free(cfi);
}

static void test_arm64(void **state)
{
	const struct program programs[] = {
		{ "leaf", NOTHING, RULE(SP(0)) },
		{ "frame",
		  BYTES(DW_CFA_advance_loc | 1, DW_CFA_def_cfa_offset, 32, DW_CFA_offset | 29, 4,
			DW_CFA_offset | 30, 3),
		  RULE(SP(32), FP(-32), RA(-24)) },
		{ "x29",
		  BYTES(DW_CFA_def_cfa, 29, 32, DW_CFA_offset | 29, 4, DW_CFA_offset | 30, 3),
		  RULE(.cfa = FS_CFA_FP, .cfa_offset = 32, FP(-32), RA(-24)) },
		{ "signed", BYTES(DW_CFA_AARCH64_negate_ra_state, DW_CFA_def_cfa_offset, 16),
		  RULE(SP(16)) },
		{ "signed with pc", BYTES(0x2c, DW_CFA_def_cfa_offset, 16), RULE(SP(16)) },
		{ "x9", BYTES(DW_CFA_def_cfa_register, 9), RULE(.cfa = FS_CFA_REG, .arg = 9) },
		{ "end", BYTES(DW_CFA_undefined, 30), RULE(.cfa = FS_CFA_END) },
		{ "four bytes each",
		  BYTES(DW_CFA_def_cfa_offset, 16, DW_CFA_advance_loc | 0x3d, DW_CFA_def_cfa_offset,
			32),
		  RULE(SP(16)) },
	};

	check_programs(EM_AARCH64, programs, ARRAY_SIZE(programs));
}

/* ---- expressions ------------------------------------------------------------------------------ */

/* As binutils writes it for lazy and, N one less, for IBT-enabled PLTs */
#define PLT(n)                                                                             \
	BYTES(DW_CFA_def_cfa_expression, 11, DW_OP_breg7, 8, DW_OP_breg16, 0, DW_OP_lit15, \
	      DW_OP_and, DW_OP_lit0 + (n), DW_OP_ge, DW_OP_lit3, DW_OP_shl, DW_OP_plus)
#define PLT_RULE(n) RULE(.cfa = FS_CFA_PLT, .cfa_offset = 8, .arg = (n), RA(-8))

static void test_expressions(void **state)
{
	const struct program programs[] = {
		{ "PLT 11", PLT(11), PLT_RULE(11) },
		{ "PLT 10", PLT(10), PLT_RULE(10) },
		{ "DRAP",
		  BYTES(DW_CFA_def_cfa_expression, 3, DW_OP_breg6, 0x78, DW_OP_deref,
			DW_CFA_expression, 6, 2, DW_OP_breg6, 0),
		  RULE(.cfa = FS_CFA_FP_DEREF, .cfa_offset = -8, .fp = FS_SAVED_FP, RA(-8)) },
		{ "*(sp + 40) + 8",
		  BYTES(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 40, DW_OP_deref,
			DW_OP_plus_uconst, 8),
		  RULE(.cfa = FS_CFA_SP_DEREF, .cfa_offset = 40, .arg = 1, RA(-8)) },
		{ "*(sp + 40) - 16",
		  BYTES(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 40, DW_OP_deref, DW_OP_lit16,
			DW_OP_minus),
		  RULE(.cfa = FS_CFA_SP_DEREF, .cfa_offset = 40, .arg = (__u8)-2, RA(-8)) },
		{ "*(sp) + 1016",
		  BYTES(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0, DW_OP_deref,
			DW_OP_plus_uconst, 0xf8, 7),
		  RULE(.cfa = FS_CFA_SP_DEREF, .arg = 127, RA(-8)) },
		{ "*(sp) + 1024",
		  BYTES(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 0, DW_OP_deref,
			DW_OP_plus_uconst, 0x80, 8),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "*(sp) + 4",
		  BYTES(DW_CFA_def_cfa_expression, 5, DW_OP_breg7, 0, DW_OP_deref,
			DW_OP_plus_uconst, 4),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "*(rax)", BYTES(DW_CFA_def_cfa_expression, 3, DW_OP_breg0, 0, DW_OP_deref),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "**(sp)",
		  BYTES(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0, DW_OP_deref, DW_OP_deref),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "a sum",
		  BYTES(DW_CFA_def_cfa_expression, 8, DW_OP_const1u, 200, DW_OP_bregx, 7, 8,
			DW_OP_plus, DW_OP_nop, DW_OP_nop),
		  RULE(SP(208), RA(-8)) },
		{ "numbers",
		  BYTES(DW_CFA_def_cfa_expression, 26, DW_OP_breg7, 0, DW_OP_const1s, 0xff,
			DW_OP_plus, DW_OP_const2u, 0, 1, DW_OP_plus, DW_OP_const2s, 1, 0,
			DW_OP_plus, DW_OP_const4u, 1, 0, 0, 0, DW_OP_plus, DW_OP_const4s, 0xff,
			0xff, 0xff, 0xff, DW_OP_plus, DW_OP_nop),
		  RULE(SP(256), RA(-8)) },
		{ "leb128",
		  BYTES(DW_CFA_def_cfa_expression, 9, DW_OP_breg7, 0, DW_OP_constu, 0x80, 1,
			DW_OP_plus, DW_OP_consts, 0x78, DW_OP_plus),
		  RULE(SP(120), RA(-8)) },
		{ "a product",
		  BYTES(DW_CFA_def_cfa_expression, 6, DW_OP_breg7, 8, DW_OP_breg9, 0, DW_OP_mul,
			DW_OP_nop),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "an empty stack", BYTES(DW_CFA_def_cfa_expression, 1, DW_OP_plus),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "no expression", BYTES(DW_CFA_def_cfa_expression, 0),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "a stack that is full",
		  BYTES(DW_CFA_def_cfa_expression, 9, DW_OP_lit0, DW_OP_lit0, DW_OP_lit0,
			DW_OP_lit0, DW_OP_lit0, DW_OP_lit0, DW_OP_lit0, DW_OP_lit0, DW_OP_lit0),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "an operand that is cut", BYTES(DW_CFA_def_cfa_expression, 1, DW_OP_breg7),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "an offset of an expression",
		  BYTES(DW_CFA_def_cfa_expression, 2, DW_OP_breg7, 8, DW_CFA_def_cfa_offset, 16),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
		{ "saved by sp",
		  BYTES(DW_CFA_def_cfa_offset, 32, DW_CFA_expression, 6, 2, DW_OP_breg7, 8),
		  RULE(SP(32), RA(-8), FP(-24)) },
		{ "saved by the CFA", BYTES(DW_CFA_expression, 6, 2, DW_OP_plus_uconst, 8),
		  RULE(SP(8), RA(-8), FP(8)) },
		{ "saved by another", BYTES(DW_CFA_expression, 6, 2, DW_OP_breg0, 8),
		  RULE(SP(8), RA(-8), .fp = FS_SAVED_LOST) },
		{ "a value from memory",
		  BYTES(DW_CFA_def_cfa_offset, 32, DW_CFA_val_expression, 6, 3, DW_OP_breg7, 8,
			DW_OP_deref),
		  RULE(SP(32), RA(-8), FP(-24)) },
		{ "a value", BYTES(DW_CFA_val_expression, 6, 2, DW_OP_breg7, 8),
		  RULE(SP(8), RA(-8), .fp = FS_SAVED_LOST) },
		{ "another register's", BYTES(DW_CFA_expression, 3, 2, DW_OP_breg7, 8),
		  RULE(SP(8), RA(-8)) },
		{ "size beyond the end", BYTES(DW_CFA_expression, 6, 100, DW_OP_breg7, 8),
		  RULE(.cfa = FS_CFA_UNSUPPORTED) },
	};

	check_programs(EM_X86_64, programs, ARRAY_SIZE(programs));
}

/* ---- entries ---------------------------------------------------------------------------------- */

static void test_encodings(void **state)
{
	static const int formats[] = { DW_EH_PE_absptr, DW_EH_PE_uleb128, DW_EH_PE_udata4,
				       DW_EH_PE_udata8, DW_EH_PE_sleb128, DW_EH_PE_sdata4,
				       DW_EH_PE_sdata8 };
	static const int wrong[] = { DW_EH_PE_textrel | DW_EH_PE_sdata4,
				     DW_EH_PE_datarel | DW_EH_PE_sdata4,
				     DW_EH_PE_funcrel | DW_EH_PE_sdata4, DW_EH_PE_aligned,
				     DW_EH_PE_indirect | DW_EH_PE_sdata4 };

	for (size_t i = 0; i < 2 * ARRAY_SIZE(formats) + ARRAY_SIZE(wrong); i++) {
		bool ok = i < 2 * ARRAY_SIZE(formats);
		int encoding = ok ? formats[i / 2] | (i % 2 ? DW_EH_PE_pcrel : 0) :
				    wrong[i - 2 * ARRAY_SIZE(formats)];
		struct object o;
		struct cfi *cfi;

		object__begin(&o, EM_X86_64);
		put_cie(&o, "zR", BYTES(encoding), encoding, 1, X86_BEGIN);
		put_fde(&o, CODE + 16, 16, NOTHING);
		if (!ok) {
			check_refused(&o, ENODATA);
			continue;
		}
		cfi = object__read(&o);
		assert_non_null(cfi);
		check_rule(cfi, 15, RULE(0));
		check_rule(cfi, 16, RULE(SP(8), RA(-8)));
		check_rule(cfi, 31, RULE(SP(8), RA(-8)));
		check_rule(cfi, 32, RULE(0));
		cfi__free(cfi);
	}
}

static void test_augmentations(void **state)
{
	const __u8 e = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	const struct {
		const char *letters;
		__u16 machine;
		struct bytes data;
		int encoding, version;
		bool ok;
	} tries[] = {
		{ "", EM_X86_64, NOTHING, DW_EH_PE_absptr, 1, true },
		{ "", EM_X86_64, NOTHING, DW_EH_PE_absptr, 3, true },
		{ "", EM_X86_64, NOTHING, DW_EH_PE_absptr, 2, false },
		{ "z", EM_X86_64, NOTHING, DW_EH_PE_absptr, 1, true },
		{ "zR", EM_X86_64, BYTES(e), e, 1, true },
		{ "zR", EM_X86_64, NOTHING, e, 1, false },
		{ "zPLR", EM_X86_64, BYTES(e, 1, 2, 3, 4, e, e), e, 1, true },
		{ "zPLR", EM_X86_64, BYTES(DW_EH_PE_omit, e, e), e, 1, true },
		{ "zPLR", EM_X86_64, BYTES(DW_EH_PE_udata2, 1, 2, e, e), e, 1, true },
		{ "zRP", EM_X86_64,
		  BYTES(e, DW_EH_PE_aligned, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8), e, 1, true },
		{ "zLRPX", EM_X86_64, BYTES(e, e, e, 1, 2, 3, 4), e, 1, false },
		{ "zRB", EM_AARCH64, BYTES(e), e, 1, true },
		{ "zRG", EM_AARCH64, BYTES(e), e, 1, true },
		{ "zRB", EM_X86_64, BYTES(e), e, 1, false },
		{ "eh", EM_X86_64, NOTHING, e, 1, false },
		{ "R", EM_X86_64, NOTHING, e, 1, false },
	};

	for (size_t i = 0; i < ARRAY_SIZE(tries); i++) {
		bool x86 = tries[i].machine == EM_X86_64;
		struct object o;
		struct cfi *cfi;

		print_message("%zu %s\n", i, tries[i].letters);
		object__begin(&o, tries[i].machine);
		put_cie(&o, tries[i].letters, tries[i].data, tries[i].encoding, tries[i].version,
			x86 ? X86_BEGIN : ARM64_BEGIN);
		put_fde(&o, CODE, 16, NOTHING);
		if (!tries[i].ok) {
			check_refused(&o, ENODATA);
			continue;
		}
		cfi = object__read(&o);
		assert_non_null(cfi);
		check_rule(cfi, 0, x86 ? RULE(SP(8), RA(-8)) : RULE(SP(0)));
		check_rule(cfi, 16, RULE(0));
		cfi__free(cfi);
	}
}

/* glibc's __restore_rt says where the registers are; anything else with an S is not understood. */
static void test_signal_frame(void **state)
{
	const __u8 e = DW_EH_PE_pcrel | DW_EH_PE_sdata4;
	const struct bytes restore_rt = BYTES(DW_CFA_def_cfa_expression, 4, DW_OP_breg7, 0xa0, 1,
					      DW_OP_deref, DW_CFA_expression, 6, 3, DW_OP_breg7,
					      0xf8, 0, DW_CFA_expression, 7, 3, DW_OP_breg7, 0xa0,
					      1, DW_CFA_expression, 16, 3, DW_OP_breg7, 0xa8, 1);

	for (int i = 0; i < 4; i++) {
		__u16 machine = i < 2 ? EM_X86_64 : EM_AARCH64;
		struct object o;
		struct cfi *cfi;

		object__begin(&o, machine);
		put_cie(&o, "zRS", BYTES(e), e, 1, i < 2 ? X86_BEGIN : ARM64_BEGIN);
		put_fde(&o, CODE, 16,
			i == 0 ? restore_rt :
			i == 2 ? BYTES(DW_CFA_def_cfa, 29, 0, DW_CFA_offset | 29, 0,
				       DW_CFA_offset_extended_sf, 30, 0x7f) :
				 NOTHING);
		cfi = object__read(&o);
		assert_non_null(cfi);
		check_rule(cfi, 0, RULE(.cfa = i % 2 ? FS_CFA_UNSUPPORTED : FS_CFA_SIGNAL));
		cfi__free(cfi);
	}
}

/* The vdso of arm64: only its code tells. An image is searched, a file is not. */
static void test_sigreturn(void **state)
{
	static const __u32 code[] = { 0xd503201f, 0xd2801168, 0xd4000001 };

	for (int i = 0; i < 4; i++) {
		struct object o;
		struct cfi *cfi;
		size_t at = i < 2 ? 0x40 : 0x200;
		bool nop = i % 2;

		begin_usual(&o, EM_AARCH64);
		put_fde(&o, CODE + 0x20, 0x10, NOTHING);
		put_fde(&o, CODE + 0x100, 0x10, NOTHING);
		memcpy(o.bytes + CODE_OFFSET + at + (nop ? 0 : 4), code + !nop,
		       sizeof(code) - 4 * !nop);
		cfi = cfi__read_image(o.bytes, sizeof(o.bytes));
		assert_non_null(cfi);
		check_sane(cfi);
		check_rule(cfi, 0x2f, RULE(SP(0)));
		check_rule(cfi, 0x30, RULE(0));
		check_rule(cfi, at - 1, RULE(0));
		check_rule(cfi, at, RULE(.cfa = nop ? FS_CFA_SIGNAL : FS_CFA_NONE));
		check_rule(cfi, at + 4, RULE(.cfa = FS_CFA_SIGNAL));
		check_rule(cfi, at + 11, RULE(.cfa = FS_CFA_SIGNAL));
		check_rule(cfi, at + 12, RULE(0));
		check_rule(cfi, 0x100, RULE(SP(0)));
		cfi__free(cfi);
	}
}

/* An expression too long for any that a compiler writes is not computed, for each row anew. */
static void test_long_expression(void **state)
{
	__u8 program[3 + 65] = { DW_CFA_def_cfa_expression, 65, DW_OP_breg7, 8 };
	struct object o;
	struct cfi *cfi;

	for (int n = 64; n <= 65; n++) {
		memset(program + 4, DW_OP_nop, 63);
		program[1] = n;
		begin_usual(&o, EM_X86_64);
		put_fde(&o, CODE, 16, (struct bytes){ program, 2 + n });
		cfi = object__read(&o);
		assert_non_null(cfi);
		check_rule(cfi, 0, n == 64 ? RULE(SP(8), RA(-8)) : RULE(.cfa = FS_CFA_UNSUPPORTED));
		cfi__free(cfi);
	}
}

static void test_sections_and_lengths(void **state)
{
	struct object o;
	struct cfi *cfi;

	/* A length of 64 bits, an end in the midst that only a section header can go beyond */
	for (int sections = 0; sections < 2; sections++) {
		begin_usual(&o, EM_X86_64);
		put_fde_wide(&o, CODE, 16, NOTHING, true);
		put_fixed(&o, 0, 4);
		put_fde(&o, CODE + 16, 16, BYTES(DW_CFA_def_cfa_offset, 16));
		if (sections)
			object__add_sections(&o);
		cfi = object__read(&o);
		assert_non_null(cfi);
		check_rule(cfi, 0, RULE(SP(8), RA(-8)));
		check_rule(cfi, 16, sections ? RULE(SP(16), RA(-8)) : RULE(0));
		cfi__free(cfi);
	}
}

static void test_moved_return_address(void **state)
{
	struct object o;
	struct cfi *cfi;

	begin_usual(&o, EM_AARCH64);
	o.bytes[FRAME_OFFSET + o.cie + 8 + 1 + 3 + 1 + 1] = 15;
	put_fde(&o, CODE, 16, NOTHING);
	cfi = object__read(&o);
	assert_non_null(cfi);
	check_rule(cfi, 0, RULE(.cfa = FS_CFA_UNSUPPORTED));
	cfi__free(cfi);
}

static void test_dropped_functions(void **state)
{
	struct object o;
	__u32 zero = 0, beyond = 0x7000;

	/* The linker has put 0 for the address */
	begin_usual(&o, EM_X86_64);
	put_fde(&o, CODE, 16, NOTHING);
	memcpy(o.bytes + FRAME_OFFSET + 24 + 8, &zero, sizeof(zero));
	check_refused(&o, ENODATA);
	/* Its CIE is before the section */
	begin_usual(&o, EM_X86_64);
	put_fde(&o, CODE, 16, NOTHING);
	memcpy(o.bytes + FRAME_OFFSET + 24 + 4, &beyond, sizeof(beyond));
	check_refused(&o, ENODATA);
	/* It is longer than what is left */
	begin_usual(&o, EM_X86_64);
	put_fde(&o, CODE, 16, NOTHING);
	memcpy(o.bytes + FRAME_OFFSET + 24, &beyond, sizeof(beyond));
	check_refused(&o, ENODATA);
}

/* ---- objects that are none -------------------------------------------------------------------- */

static void test_refused(void **state)
{
	struct object o;
	int sockets[2], fd;

	assert_null(cfi__read_image("", 0));
	assert_int_equal(errno, ENOEXEC);
	assert_null(cfi__read(-1));
	assert_int_equal(errno, EBADF);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets), 0);
	assert_null(cfi__read(sockets[0]));
	assert_int_equal(errno, ENOEXEC);
	close(sockets[0]);
	close(sockets[1]);
	fd = memfd("\177ELF", 4);
	assert_null(cfi__read(fd));
	assert_int_equal(errno, ENOEXEC);
	close(fd);
	begin_usual(&o, EM_X86_64);
	check_refused(&o, ENODATA);
	put_fde(&o, CODE, 16, NOTHING);
	o.bytes[18] = EM_386;
	check_refused(&o, ENOEXEC);
	o.bytes[18] = EM_X86_64;
	o.bytes[4] = ELFCLASS32;
	check_refused(&o, ENOEXEC);
	o.bytes[4] = ELFCLASS64;
	o.bytes[16] = ET_REL;
	check_refused(&o, ENOEXEC);
	o.bytes[16] = ET_DYN;
	o.bytes[HDR_OFFSET] = 2;
	check_refused(&o, ENODATA);
	o.bytes[HDR_OFFSET] = 1;
	o.bytes[HDR_OFFSET + 7] = 1;
	check_refused(&o, EBADMSG);
}

/* ---- real ones -------------------------------------------------------------------------------- */

static void test_own_libraries(void **state)
{
	static const char *const paths[] = { "/proc/self/exe", "/lib/x86_64-linux-gnu/libc.so.6",
					     "/lib/aarch64-linux-gnu/libc.so.6" };

	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		int fd = open(paths[i], O_RDONLY | O_CLOEXEC);
		struct cfi *cfi;

		if (fd < 0)
			continue;
		cfi = cfi__read(fd);
		close(fd);
		assert_non_null(cfi);
		check_sane(cfi);
		assert_true(cfi->nrows > 100);
		cfi__free(cfi);
	}
}

static void test_vdso(void **state)
{
	const void *image = (void *)getauxval(AT_SYSINFO_EHDR);
	unsigned long start, end, size = 0;
	char line[256];
	struct cfi *cfi;
	FILE *f = fopen("/proc/self/maps", "r");

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "%lx-%lx", &start, &end) == 2 && start == (unsigned long)image)
			size = end - start;
	if (f)
		fclose(f);
	if (!image || !size)
		skip();
	cfi = cfi__read_image(image, size);
	assert_non_null(cfi);
	check_sane(cfi);
	cfi__free(cfi);
}

static const char small[] =
	"void g(char *); int h(int);\n"
	"int f(int n) { char b[64 * n]; g(b); return n > 3 ? f(n - 1) + h(n) : 0; }\n"
	"void start(void) { g(0); f(h(3)); h(4); }\n";

/* A library of some KiB: its bytes, in memory that ends with them. */
static __u8 *make_small(size_t *size)
{
	char path[256];
	__u8 *bytes;
	FILE *f;

	if (!compile("small.so", small,
		     "-O2 -shared -fPIC -nostdlib -fasynchronous-unwind-tables -s "
		     "-Wl,-z,max-page-size=4096 -Wl,-z,noseparate-code"))
		return NULL;
	snprintf(path, sizeof(path), "%s/small.so", test_dir());
	f = fopen(path, "r");
	assert_non_null(f);
	fseek(f, 0, SEEK_END);
	*size = ftell(f);
	rewind(f);
	bytes = malloc(*size);
	assert_int_equal(fread(bytes, 1, *size, f), *size);
	fclose(f);
	return bytes;
}

static void read_anything(const __u8 *bytes, size_t size)
{
	struct cfi *cfi = cfi__read_image(bytes, size);

	if (cfi)
		check_sane(cfi);
	else
		assert_true(errno == ENOEXEC || errno == ENODATA || errno == EBADMSG);
	cfi__free(cfi);
}

static void test_cut_short(void **state)
{
	size_t size, whole;
	__u8 *bytes = make_small(&size);
	struct cfi *cfi;

	if (!bytes)
		skip();
	cfi = read_bytes(bytes, size);
	assert_non_null(cfi);
	check_sane(cfi);
	whole = cfi->nrows;
	assert_true(whole > 5);
	cfi__free(cfi);
	for (size_t n = 0; n < size; n++) {
		/* Memory that ends there: reading beyond is seen */
		__u8 *part = malloc(n ? n : 1);

		memcpy(part, bytes, n);
		read_anything(part, n);
		free(part);
	}
	free(bytes);
}

static void test_changed_bytes(void **state)
{
	static const __u8 values[] = { 0, 1, 0x7f, 0x80, 0xff };
	size_t size;
	__u8 *bytes = make_small(&size);

	if (!bytes)
		skip();
	for (size_t i = 0; i < size; i++) {
		__u8 was = bytes[i];

		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			bytes[i] = values[k];
			read_anything(bytes, size);
		}
		bytes[i] = was;
	}
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_function),
		cmocka_unit_test(test_neighbours),
		cmocka_unit_test(test_instructions),
		cmocka_unit_test(test_half_a_program),
		cmocka_unit_test(test_arm64),
		cmocka_unit_test(test_expressions),
		cmocka_unit_test(test_encodings),
		cmocka_unit_test(test_augmentations),
		cmocka_unit_test(test_signal_frame),
		cmocka_unit_test(test_sigreturn),
		cmocka_unit_test(test_long_expression),
		cmocka_unit_test(test_sections_and_lengths),
		cmocka_unit_test(test_moved_return_address),
		cmocka_unit_test(test_dropped_functions),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_own_libraries),
		cmocka_unit_test(test_vdso),
		cmocka_unit_test(test_cut_short),
		cmocka_unit_test(test_changed_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
