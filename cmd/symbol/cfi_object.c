/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Finds .eh_frame in an object. Reads headers with pread(2): an mmap(2) of a file that is cut short
 * meanwhile would kill us with SIGBUS. Objects and this machine are of one byte order.
 */
#include <dwarf.h>
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/file.h"
#include "symbol/cfi_impl.h"

#define MAX_EH_FRAME_BYTES (256 << 20)
/* Linux runs no program with more (load_elf_phdrs() of fs/binfmt_elf.c). */
#define MAX_PHDRS    (65536 / sizeof(Elf64_Phdr))
#define MAX_SECTIONS 65536

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "objects are read as they are");

/* ---- bytes of the object ---------------------------------------------------------------------- */

static bool source__has(const struct cfi_source *source, __u64 offset, __u64 size)
{
	return offset <= source->size && size <= source->size - offset;
}

bool cfi_source__copy(const struct cfi_source *source, __u64 offset, void *buf, size_t size)
{
	if (!source__has(source, offset, size))
		return false;
	if (source->image) {
		memcpy(buf, source->image + offset, size);
		return true;
	}
	return read_at(source->fd, buf, size, offset) == (ssize_t)size;
}

/* Freshly allocated; *err is set where it is NULL. */
static void *source__read(const struct cfi_source *source, __u64 offset, __u64 size, int *err)
{
	void *buf;

	*err = -EBADMSG;
	if (!size || !source__has(source, offset, size))
		return NULL;
	*err = -ENOMEM;
	buf = malloc(size);
	if (!buf)
		return NULL;
	*err = -EBADMSG;
	if (!cfi_source__copy(source, offset, buf, size)) {
		free(buf);
		return NULL;
	}
	*err = 0;
	return buf;
}

/* ---- segments --------------------------------------------------------------------------------- */

/* Is this one of the objects that are read here? */
static int check_header(const Elf64_Ehdr *h)
{
	if (memcmp(h->e_ident, ELFMAG, SELFMAG) || h->e_ident[EI_CLASS] != ELFCLASS64 ||
	    h->e_ident[EI_DATA] != ELFDATA2LSB || (h->e_type != ET_EXEC && h->e_type != ET_DYN) ||
	    (h->e_machine != EM_X86_64 && h->e_machine != EM_AARCH64) || !h->e_phnum ||
	    h->e_phnum > MAX_PHDRS || h->e_phentsize != sizeof(Elf64_Phdr))
		return -ENOEXEC;
	return 0;
}

static int cmp_segment(const void *a, const void *b)
{
	const struct cfi_segment *x = a, *y = b;

	return x->vaddr < y->vaddr ? -1 : x->vaddr > y->vaddr;
}

/* Segments, and the offset of .eh_frame_hdr, 0 where there is none. */
static int read_segments(struct cfi_object *o, const struct cfi_source *source, const Elf64_Ehdr *h,
			 Elf64_Phdr *eh_frame_hdr)
{
	int err;
	Elf64_Phdr *phdrs = source__read(source, h->e_phoff, h->e_phnum * sizeof(*phdrs), &err);

	if (!phdrs)
		return err;
	o->segments = calloc(h->e_phnum, sizeof(*o->segments));
	for (size_t i = 0; o->segments && i < h->e_phnum; i++) {
		const Elf64_Phdr *p = &phdrs[i];

		if (p->p_type == PT_GNU_EH_FRAME)
			*eh_frame_hdr = *p;
		if (p->p_type != PT_LOAD || !p->p_filesz ||
		    !source__has(source, p->p_offset, p->p_filesz) ||
		    p->p_filesz > UINT64_MAX - p->p_vaddr)
			continue;
		o->segments[o->nsegments++] = (struct cfi_segment){
			.offset = p->p_offset,
			.vaddr = p->p_vaddr,
			.size = p->p_filesz,
			.exec = p->p_flags & PF_X,
		};
	}
	free(phdrs);
	if (!o->segments)
		return -ENOMEM;
	qsort(o->segments, o->nsegments, sizeof(*o->segments), cmp_segment);
	return 0;
}

static const struct cfi_segment *segment_at(const struct cfi_object *o, __u64 vaddr, bool exec)
{
	size_t low = 0, high = o->nsegments;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (o->segments[mid].vaddr <= vaddr)
			low = mid + 1;
		else
			high = mid;
	}
	if (!low || vaddr - o->segments[low - 1].vaddr >= o->segments[low - 1].size ||
	    (exec && !o->segments[low - 1].exec))
		return NULL;
	return &o->segments[low - 1];
}

const struct cfi_segment *cfi_object__code(const struct cfi_object *o, __u64 vaddr)
{
	return segment_at(o, vaddr, true);
}

const struct cfi_segment *cfi_object__code_at(const struct cfi_object *o, __u64 offset)
{
	for (size_t i = 0; i < o->nsegments; i++) {
		const struct cfi_segment *s = &o->segments[i];

		if (s->exec && offset >= s->offset && offset - s->offset < s->size)
			return s;
	}
	return NULL;
}

/* ---- .eh_frame -------------------------------------------------------------------------------- */

static int read_eh_frame(struct cfi_object *o, const struct cfi_source *source, __u64 offset,
			 __u64 size)
{
	int err;

	if (!source__has(source, offset, size))
		return -EBADMSG;
	if (size > MAX_EH_FRAME_BYTES)
		return -EFBIG;
	o->eh_frame = source__read(source, offset, size, &err);
	o->size = o->eh_frame ? size : 0;
	return err;
}

static bool is_eh_frame(const struct cfi_source *source, const Elf64_Shdr *names,
			const Elf64_Shdr *s)
{
	char name[sizeof(".eh_frame")];

	return (s->sh_type == SHT_PROGBITS || s->sh_type == SHT_X86_64_UNWIND) &&
	       (s->sh_flags & SHF_ALLOC) && !(s->sh_flags & SHF_COMPRESSED) && s->sh_size &&
	       s->sh_name < names->sh_size && names->sh_offset <= source->size &&
	       cfi_source__copy(source, names->sh_offset + s->sh_name, name, sizeof(name)) &&
	       !memcmp(name, ".eh_frame", sizeof(name));
}

/* -ENODATA: no section headers that can be read, or no such section */
static int find_by_section(struct cfi_object *o, const struct cfi_source *source,
			   const Elf64_Ehdr *h)
{
	Elf64_Shdr *sections, first;
	__u64 n = h->e_shnum, names = h->e_shstrndx;
	int err;

	if (h->e_shentsize != sizeof(first) || !h->e_shoff ||
	    !cfi_source__copy(source, h->e_shoff, &first, sizeof(first)))
		return -ENODATA;
	/* Large numbers are in the first section header */
	n = n ? n : first.sh_size;
	names = names == SHN_XINDEX ? first.sh_link : names;
	if (!n || n > MAX_SECTIONS || names >= n)
		return -ENODATA;
	sections = source__read(source, h->e_shoff, n * sizeof(*sections), &err);
	if (!sections)
		return err == -ENOMEM ? err : -ENODATA;
	err = -ENODATA;
	for (size_t i = 1; i < n && err == -ENODATA; i++) {
		if (!is_eh_frame(source, &sections[names], &sections[i]))
			continue;
		o->vaddr = sections[i].sh_addr;
		err = read_eh_frame(o, source, sections[i].sh_offset, sections[i].sh_size);
	}
	free(sections);
	return err;
}

/*
 * .eh_frame_hdr begins with a version, three encodings and the pointer to .eh_frame (LSB core, "The
 * .eh_frame_hdr section"). How large it is nobody says: it is taken to reach to the end of its
 * segment.
 */
static int find_by_header(struct cfi_object *o, const struct cfi_source *source,
			  const Elf64_Phdr *hdr)
{
	__u8 buf[16] = {};
	struct bytes b = { .at = buf, .end = buf + sizeof(buf) };
	const struct cfi_segment *segment;
	__u64 size;

	if (!hdr->p_filesz)
		return -ENODATA;
	size = hdr->p_filesz < sizeof(buf) ? hdr->p_filesz : sizeof(buf);
	if (!cfi_source__copy(source, hdr->p_offset, buf, size))
		return -EBADMSG;
	if (buf[0] != 1 || buf[1] == DW_EH_PE_omit)
		return -ENODATA;
	b.at += 4;
	o->vaddr = (buf[1] & 0x70) == DW_EH_PE_datarel ?
			   hdr->p_vaddr + cfi_pointer(&b, buf[1] & 0xf, 0, NULL) :
			   cfi_pointer(&b, buf[1], hdr->p_vaddr + 4, NULL);
	segment = b.bad ? NULL : segment_at(o, o->vaddr, false);
	if (!segment)
		return -EBADMSG;
	o->open_end = true;
	size = segment->vaddr + segment->size - o->vaddr;
	return read_eh_frame(o, source, segment->offset + (o->vaddr - segment->vaddr),
			     size < MAX_EH_FRAME_BYTES ? size : MAX_EH_FRAME_BYTES);
}

int cfi_object__read(struct cfi_object *o, const struct cfi_source *source)
{
	Elf64_Phdr eh_frame_hdr = {};
	Elf64_Ehdr h;
	int err;

	*o = (struct cfi_object){};
	if (!cfi_source__copy(source, 0, &h, sizeof(h)))
		return -ENOEXEC;
	err = check_header(&h);
	if (!err)
		err = read_segments(o, source, &h, &eh_frame_hdr);
	if (err)
		return err;
	o->machine = h.e_machine;
	err = find_by_section(o, source, &h);
	if (err == -ENODATA)
		err = find_by_header(o, source, &eh_frame_hdr);
	return err;
}

void cfi_object__free(struct cfi_object *o)
{
	free(o->segments);
	free(o->eh_frame);
	*o = (struct cfi_object){};
}
