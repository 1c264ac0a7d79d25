/* SPDX-License-Identifier: GPL-2.0-only */
/* The entries of .eh_frame: LSB core 5.0, 10.6 "Exception Frames", and DWARF 5, 6.4.1. */
#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "symbol/cfi_impl.h"

/* Linkers merge CIEs that are the same: node has 14, libLLVM 1. */
#define MAX_CIES 65536
#define MAX_FDES (4 << 20)

/* ---- pointers --------------------------------------------------------------------------------- */

static __u64 read_raw(struct bytes *b, __u8 format)
{
	switch (format) {
	case DW_EH_PE_absptr:
	case DW_EH_PE_udata8:
	case DW_EH_PE_sdata8:
		return bytes__fixed(b, 8);
	case DW_EH_PE_uleb128:
		return bytes__uleb(b);
	case DW_EH_PE_sleb128:
		return bytes__sleb(b);
	case DW_EH_PE_udata2:
		return bytes__fixed(b, 2);
	case DW_EH_PE_sdata2:
		return (__s64)(__s16)bytes__fixed(b, 2);
	case DW_EH_PE_udata4:
		return bytes__fixed(b, 4);
	case DW_EH_PE_sdata4:
		return (__s64)(__s32)bytes__fixed(b, 4);
	default:
		b->bad = true;
		return 0;
	}
}

__u64 cfi_pointer(struct bytes *b, __u8 encoding, __u64 vaddr, __u64 *raw)
{
	__u64 v = read_raw(b, encoding & 0x0f);

	if (raw)
		*raw = v;
	switch (encoding & 0xf0) {
	case DW_EH_PE_absptr:
		return v;
	case DW_EH_PE_pcrel:
		return vaddr + v;
	default:
		b->bad = true;
		return 0;
	}
}

/* Of a pointer that says nothing of unwinding; its alignment is that of the address. */
static void skip_pointer(struct bytes *b, __u8 encoding, __u64 vaddr)
{
	if (encoding == DW_EH_PE_omit)
		return;
	if (encoding == DW_EH_PE_aligned) {
		bytes__take(b, -vaddr & 7);
		encoding = DW_EH_PE_absptr;
	}
	read_raw(b, encoding & 0x0f);
}

/* ---- CIEs ------------------------------------------------------------------------------------- */

/*
 * The augmentation string after its z: what the data hold. An unknown letter may mean anything, so
 * that nothing can be said of the frames. G is arm64's memory tagging (LLVM), B its pointer
 * authentication with the second key: both change no register's place.
 */
static bool read_augmentation(struct cfi_cie *cie, const char *letters, struct bytes *b,
			      const struct cfi_object *o)
{
	struct bytes data = { .at = b->at };
	__u64 size = bytes__uleb(b);

	data.at = b->at;
	if (!bytes__take(b, size))
		return false;
	data.end = data.at + size;
	for (; *letters; letters++) {
		__u8 encoding;

		switch (*letters) {
		case 'R':
			cie->encoding = bytes__u8(&data);
			break;
		case 'L':
			bytes__u8(&data);
			break;
		case 'P':
			encoding = bytes__u8(&data);
			skip_pointer(&data, encoding, o->vaddr + (data.at - o->eh_frame));
			break;
		case 'S':
			cie->signal = true;
			break;
		case 'B':
		case 'G':
			if (o->machine != EM_AARCH64)
				return false;
			break;
		default:
			return false;
		}
	}
	return !data.bad;
}

/* b: what follows the id. */
static bool read_cie(struct cfi_cie *cie, struct bytes b, const struct cfi_object *o)
{
	__u8 version = bytes__u8(&b);
	const char *letters = (const char *)b.at;
	__u64 ra;

	if ((version != 1 && version != 3) || !memchr(b.at, '\0', bytes__left(&b)))
		return false;
	b.at += strlen(letters) + 1;
	cie->machine = o->machine;
	cie->encoding = DW_EH_PE_absptr;
	cie->code_align = bytes__uleb(&b);
	cie->data_align = bytes__sleb(&b);
	ra = version == 1 ? bytes__u8(&b) : bytes__uleb(&b);
	cie->moved_ra = ra != (o->machine == EM_X86_64 ? X86_RIP : ARM64_X30);
	cie->augmented = *letters == 'z';
	if (*letters && (!cie->augmented || !read_augmentation(cie, letters + 1, &b, o)))
		return false;
	return !b.bad && cfi_program__begin(cie, b);
}

static int add_cie(struct cfi_entries *e, size_t at, struct bytes b, const struct cfi_object *o)
{
	struct cfi_cie *cies;

	if (e->ncies == MAX_CIES)
		return 0;
	cies = with_room(e->cies, e->ncies, &e->cie_room, sizeof(*cies));
	if (!cies)
		return -ENOMEM;
	e->cies = cies;
	cies[e->ncies] = (struct cfi_cie){ .at = at };
	cies[e->ncies].usable = read_cie(&cies[e->ncies], b, o);
	e->ncies++;
	return 0;
}

/* ---- FDEs ------------------------------------------------------------------------------------- */

/* The CIE that begins there, or NULL. Most FDEs have the one before them. */
static const struct cfi_cie *find_cie(const struct cfi_entries *e, size_t at)
{
	size_t low = 0, high = e->ncies;

	if (high && e->cies[high - 1].at == at)
		return &e->cies[high - 1];
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (e->cies[mid].at < at)
			low = mid + 1;
		else
			high = mid;
	}
	return low < e->ncies && e->cies[low].at == at ? &e->cies[low] : NULL;
}

/* b: what follows the CIE pointer. False: there is no such code, or the entry cannot be used. */
static bool read_fde(struct cfi_fde *fde, const struct cfi_cie *cie, struct bytes b,
		     const struct cfi_object *o)
{
	const struct cfi_segment *segment;
	__u64 start, size, raw, left;

	start = cfi_pointer(&b, cie->encoding, o->vaddr + (b.at - o->eh_frame), &raw);
	size = read_raw(&b, cie->encoding & 0x0f);
	if (cie->augmented)
		bytes__take(&b, bytes__uleb(&b));
	/* Linkers leave a pointer of 0 to functions that they drop; unwind-dw2-fde.c of gcc too
	 * passes over them */
	if (b.bad || !raw || !size)
		return false;
	segment = cfi_object__code(o, start);
	if (!segment)
		return false;
	left = segment->vaddr + segment->size - start;
	size = size < left ? size : left;
	if (size > UINT32_MAX)
		return false;
	fde->start = segment->offset + (start - segment->vaddr);
	fde->size = size;
	fde->program = b.at - o->eh_frame;
	fde->program_end = b.end - o->eh_frame;
	return true;
}

static int add_fde(struct cfi_entries *e, const struct cfi_cie *cie, struct bytes b,
		   const struct cfi_object *o)
{
	struct cfi_fde fde, *fdes;

	if (!cie || !cie->usable || !read_fde(&fde, cie, b, o))
		return 0;
	if (e->nfdes == MAX_FDES)
		return -EFBIG;
	fde.cie = cie - e->cies;
	fdes = with_room(e->fdes, e->nfdes, &e->fde_room, sizeof(*fdes));
	if (!fdes)
		return -ENOMEM;
	e->fdes = fdes;
	fdes[e->nfdes++] = fde;
	return 0;
}

/* ---- all of them ------------------------------------------------------------------------------ */

static int cmp_fde(const void *a, const void *b)
{
	const struct cfi_fde *x = a, *y = b;

	if (x->start != y->start)
		return x->start < y->start ? -1 : 1;
	return x->program < y->program ? -1 : x->program > y->program;
}

static void sort_fdes(struct cfi_entries *e)
{
	for (size_t i = 1; i < e->nfdes; i++) {
		if (cmp_fde(&e->fdes[i - 1], &e->fdes[i]) > 0) {
			qsort(e->fdes, e->nfdes, sizeof(*e->fdes), cmp_fde);
			return;
		}
	}
}

/* The id of a CIE, 0, and the distance to that of an FDE have 4 bytes, behind any length. */
static int add_entry(struct cfi_entries *e, size_t at, struct bytes b, const struct cfi_object *o)
{
	size_t id_at = b.at - o->eh_frame;
	__u32 id = bytes__fixed(&b, 4);

	if (b.bad)
		return 0;
	if (!id)
		return add_cie(e, at, b, o);
	return id > id_at ? 0 : add_fde(e, find_cie(e, id_at - id), b, o);
}

int cfi_entries__read(struct cfi_entries *e, const struct cfi_object *o)
{
	struct bytes b;
	int err = 0;

	*e = (struct cfi_entries){};
	if (!o->eh_frame)
		return 0;
	b = (struct bytes){ .at = o->eh_frame, .end = o->eh_frame + o->size };
	while (!err && bytes__left(&b) >= 4) {
		size_t at = b.at - o->eh_frame;
		__u64 length = bytes__fixed(&b, 4);
		struct bytes entry = b;

		if (!length && o->open_end)
			break;
		/* 0 is an end that may be in the midst, where objects were linked by hand */
		if (length == 0xffffffff)
			length = bytes__fixed(&b, 8);
		entry.at = b.at;
		if (!bytes__take(&b, length))
			break;
		entry.end = b.at;
		err = length ? add_entry(e, at, entry, o) : 0;
	}
	if (!err)
		sort_fdes(e);
	return err;
}

void cfi_entries__free(struct cfi_entries *e)
{
	free(e->cies);
	free(e->fdes);
	*e = (struct cfi_entries){};
}
