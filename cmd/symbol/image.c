/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "symbol/image.h"

/* Linux runs no program whose headers take more (load_elf_phdrs() of fs/binfmt_elf.c). */
#define MAX_PHDRS_BYTES 65536
#define MAX_SECTIONS    65536
#define MAX_NOTES_BYTES 65536
#define MAX_NAMES_BYTES (4 << 20)

/* ---- bytes ------------------------------------------------------------------------------------ */

ssize_t elf_image__read_some(const struct elf_image *img, void *buf, size_t len, __u64 offset)
{
	if (offset > img->size)
		return 0;
	if (len > img->size - offset)
		len = img->size - offset;
	if (img->mem) {
		memcpy(buf, img->mem + offset, len);
		return len;
	}
	return read_at(img->fd, buf, len, offset);
}

int elf_image__read(const struct elf_image *img, void *buf, size_t len, __u64 offset)
{
	ssize_t n = elf_image__read_some(img, buf, len, offset);

	return n < 0 ? n : (size_t)n < len ? -EIO : 0;
}

__u16 elf_image__u16(const struct elf_image *img, const void *p)
{
	const unsigned char *b = p;

	return img->big_endian ? b[0] << 8 | b[1] : b[1] << 8 | b[0];
}

__u32 elf_image__u32(const struct elf_image *img, const void *p)
{
	const unsigned char *b = p;
	__u32 first = elf_image__u16(img, b), second = elf_image__u16(img, b + 2);

	return img->big_endian ? first << 16 | second : second << 16 | first;
}

__u64 elf_image__u64(const struct elf_image *img, const void *p)
{
	const unsigned char *b = p;
	__u64 first = elf_image__u32(img, b), second = elf_image__u32(img, b + 4);

	return img->big_endian ? first << 32 | second : second << 32 | first;
}

/* ---- headers ---------------------------------------------------------------------------------- */

/* Field of a structure of either class. */
#define FIELD(img, p, type, field)                                       \
	((img)->elf64 ? number(img, (p) + offsetof(Elf64_##type, field), \
			       sizeof(((Elf64_##type *)0)->field)) :     \
			number(img, (p) + offsetof(Elf32_##type, field), \
			       sizeof(((Elf32_##type *)0)->field)))

static __u64 number(const struct elf_image *img, const unsigned char *p, size_t size)
{
	return size == 2 ? elf_image__u16(img, p) :
	       size == 4 ? elf_image__u32(img, p) :
			   elf_image__u64(img, p);
}

struct places {
	__u64 phoff, shoff;
	size_t phnum, shnum;
};

static void take_section(const struct elf_image *img, const unsigned char *p, struct elf_section *s)
{
	s->name = FIELD(img, p, Shdr, sh_name);
	s->type = FIELD(img, p, Shdr, sh_type);
	s->flags = FIELD(img, p, Shdr, sh_flags);
	s->addr = FIELD(img, p, Shdr, sh_addr);
	s->offset = FIELD(img, p, Shdr, sh_offset);
	s->size = FIELD(img, p, Shdr, sh_size);
	s->link = FIELD(img, p, Shdr, sh_link);
	s->info = FIELD(img, p, Shdr, sh_info);
	s->entsize = FIELD(img, p, Shdr, sh_entsize);
}

static size_t shdr_size(const struct elf_image *img)
{
	return img->elf64 ? sizeof(Elf64_Shdr) : sizeof(Elf32_Shdr);
}

static size_t phdr_size(const struct elf_image *img)
{
	return img->elf64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr);
}

static int read_header(struct elf_image *img, struct places *at)
{
	unsigned char h[sizeof(Elf64_Ehdr)] = {};
	ssize_t n = elf_image__read_some(img, h, sizeof(h), 0);

	if (n < 0)
		return n;
	if (n < (ssize_t)sizeof(Elf32_Ehdr) || memcmp(h, ELFMAG, SELFMAG) ||
	    (h[EI_CLASS] != ELFCLASS32 && h[EI_CLASS] != ELFCLASS64) ||
	    (h[EI_DATA] != ELFDATA2LSB && h[EI_DATA] != ELFDATA2MSB))
		return -ENOEXEC;
	img->elf64 = h[EI_CLASS] == ELFCLASS64;
	img->big_endian = h[EI_DATA] == ELFDATA2MSB;
	img->type = FIELD(img, h, Ehdr, e_type);
	img->machine = FIELD(img, h, Ehdr, e_machine);
	at->phoff = FIELD(img, h, Ehdr, e_phoff);
	at->shoff = FIELD(img, h, Ehdr, e_shoff);
	at->phnum = FIELD(img, h, Ehdr, e_phnum);
	at->shnum = FIELD(img, h, Ehdr, e_shnum);
	if (img->debug && !at->phnum)
		img->type = ET_DYN;
	else if ((img->type != ET_EXEC && img->type != ET_DYN) || !at->phnum ||
		 FIELD(img, h, Ehdr, e_phentsize) != phdr_size(img) ||
		 at->phnum * phdr_size(img) > MAX_PHDRS_BYTES)
		return -ENOEXEC;
	if (at->shoff && FIELD(img, h, Ehdr, e_shentsize) != shdr_size(img))
		at->shoff = 0;
	return 0;
}

/*
 * A section of which the file lacks bytes is as if it were of type SHT_NULL. With e_shnum 0 the
 * number of sections is in the size of the first one.
 */
static int read_sections(struct elf_image *img, struct places *at)
{
	size_t size = shdr_size(img), n = at->shnum;
	struct elf_section first;
	unsigned char *raw;
	int err;

	if (!at->shoff)
		return 0;
	raw = malloc(size);
	err = raw ? elf_image__read(img, raw, size, at->shoff) : -ENOMEM;
	if (!err)
		take_section(img, raw, &first);
	free(raw);
	if (err)
		return err == -ENOMEM ? err : 0;
	if (!n)
		n = first.size < MAX_SECTIONS ? first.size : MAX_SECTIONS;
	if (!n || n >= MAX_SECTIONS || n * size > img->size)
		return 0;
	raw = malloc(n * size);
	img->sections = calloc(n, sizeof(*img->sections));
	err = raw && img->sections ? elf_image__read(img, raw, n * size, at->shoff) : -ENOMEM;
	for (size_t i = 0; !err && i < n; i++) {
		struct elf_section *s = &img->sections[i];

		take_section(img, raw + i * size, s);
		if (s->type != SHT_NOBITS &&
		    (s->offset > img->size || s->size > img->size - s->offset))
			s->type = SHT_NULL;
	}
	free(raw);
	img->nsections = err ? 0 : n;
	return err == -ENOMEM ? err : 0;
}

/* NT_GNU_BUILD_ID of a segment or section of notes. */
static void find_build_id(struct elf_image *img, __u64 offset, __u64 size, __u64 align)
{
	unsigned char *buf;
	size_t pos = 0, len = size < MAX_NOTES_BYTES ? size : MAX_NOTES_BYTES;
	ssize_t got;

	align = align == 8 ? 8 : 4;
	buf = malloc(len ? len : 1);
	got = buf ? elf_image__read_some(img, buf, len, offset) : -1;
	while (got > 0 && pos + 12 <= (size_t)got) {
		size_t namesz = elf_image__u32(img, buf + pos);
		size_t descsz = elf_image__u32(img, buf + pos + 4);
		__u32 type = elf_image__u32(img, buf + pos + 8);
		size_t name = pos + 12, desc = name + ((namesz + align - 1) & ~(align - 1));

		/* with 8, what is aligned is the offset in the note: elf(5), glibc's ldsodefs.h */
		if (align == 8)
			desc = pos + ((12 + namesz + 7) & ~7UL);
		if (desc > (size_t)got || descsz > (size_t)got - desc)
			break;
		if (type == NT_GNU_BUILD_ID && namesz == 4 && !memcmp(buf + name, "GNU", 4) &&
		    descsz && descsz <= BUILD_ID_MAX) {
			memcpy(img->build_id, buf + desc, descsz);
			img->build_id_len = descsz;
			break;
		}
		pos = desc + ((descsz + align - 1) & ~(align - 1));
	}
	free(buf);
}

/* As elf.c, what Linux would not map is corrupt; what the file lacks is not: debug files lack it. */
static int read_segments(struct elf_image *img, struct places *at)
{
	size_t size = phdr_size(img);
	unsigned char *raw = malloc(at->phnum * size + 1);
	int err = -ENOMEM;

	img->loads = calloc(at->phnum + 1, sizeof(*img->loads));
	if (!raw || !img->loads)
		goto out;
	err = elf_image__read(img, raw, at->phnum * size, at->phoff);
	for (size_t i = 0; !err && i < at->phnum; i++) {
		const unsigned char *p = raw + i * size;
		__u32 type = FIELD(img, p, Phdr, p_type);
		struct elf_load load = {
			.offset = FIELD(img, p, Phdr, p_offset),
			.filesz = FIELD(img, p, Phdr, p_filesz),
			.memsz = FIELD(img, p, Phdr, p_memsz),
			.vaddr = FIELD(img, p, Phdr, p_vaddr),
			.flags = FIELD(img, p, Phdr, p_flags),
		};

		if (type == PT_NOTE && !img->build_id_len)
			find_build_id(img, load.offset, load.filesz, FIELD(img, p, Phdr, p_align));
		if (type != PT_LOAD || !load.memsz)
			continue;
		if (load.offset > UINT64_MAX - load.filesz || load.vaddr > UINT64_MAX - load.memsz)
			err = -ENOEXEC;
		img->loads[img->nloads++] = load;
	}
out:
	free(raw);
	return err == -EIO ? -ENOEXEC : err;
}

/* Debug files have the note's section, while their segments may point at nothing. */
static void find_build_id_in_sections(struct elf_image *img)
{
	for (size_t i = 0; i < img->nsections && !img->build_id_len; i++) {
		const struct elf_section *s = &img->sections[i];

		if (s->type == SHT_NOTE)
			find_build_id(img, s->offset, s->size, 4);
	}
}

static struct elf_image *image__fill(struct elf_image *img)
{
	struct places at = {};
	int err = read_header(img, &at);

	if (!err)
		err = read_segments(img, &at);
	if (!err)
		err = read_sections(img, &at);
	if (!err) {
		find_build_id_in_sections(img);
		return img;
	}
	elf_image__free(img);
	errno = -err;
	return NULL;
}

static struct elf_image *open_image(int fd, bool debug)
{
	struct elf_image *img;
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	if (!S_ISREG(st.st_mode)) {
		errno = ENOEXEC;
		return NULL;
	}
	img = calloc(1, sizeof(*img));
	if (!img)
		return NULL;
	img->fd = fd;
	img->size = st.st_size;
	img->debug = debug;
	return image__fill(img);
}

struct elf_image *elf_image__open(int fd)
{
	return open_image(fd, false);
}

struct elf_image *elf_image__open_debug(int fd)
{
	return open_image(fd, true);
}

struct elf_image *elf_image__of_memory(unsigned char *mem, __u64 size)
{
	struct elf_image *img = calloc(1, sizeof(*img));

	if (!img) {
		free(mem);
		return NULL;
	}
	img->fd = -1;
	img->mem = mem;
	img->size = size;
	return image__fill(img);
}

void elf_image__free(struct elf_image *img)
{
	if (!img)
		return;
	free(img->mem);
	free(img->loads);
	free(img->sections);
	free(img);
}

/* ---- what is in it ---------------------------------------------------------------------------- */

const struct elf_section *elf_image__section_by_type(const struct elf_image *img, __u32 type)
{
	for (size_t i = 1; i < img->nsections; i++)
		if (img->sections[i].type == type)
			return &img->sections[i];
	return NULL;
}

/* Its index is in the header, or in the first section's sh_link. */
const struct elf_section *elf_image__names(const struct elf_image *img)
{
	unsigned char h[sizeof(Elf64_Ehdr)];
	size_t size = img->elf64 ? sizeof(Elf64_Ehdr) : sizeof(Elf32_Ehdr), index;

	if (!img->nsections || elf_image__read(img, h, size, 0))
		return NULL;
	index = FIELD(img, h, Ehdr, e_shstrndx);
	if (index == SHN_XINDEX)
		index = img->sections[0].link;
	return index && index < img->nsections ? &img->sections[index] : NULL;
}

const struct elf_section *elf_image__section(const struct elf_image *img, const char *name)
{
	const struct elf_section *names = elf_image__names(img), *found = NULL;
	char *text;

	if (!names || names->type != SHT_STRTAB)
		return NULL;
	text = elf_image__section_data(img, names, MAX_NAMES_BYTES);
	for (size_t i = 1; text && !found && i < img->nsections; i++) {
		const struct elf_section *s = &img->sections[i];

		if (s->type != SHT_NULL && s->name < names->size && !strcmp(text + s->name, name))
			found = s;
	}
	free(text);
	return found;
}

char *elf_image__section_data(const struct elf_image *img, const struct elf_section *s, size_t max)
{
	char *data;
	int err;

	if (s->type == SHT_NOBITS || s->type == SHT_NULL || s->size > max) {
		errno = EFBIG;
		return NULL;
	}
	data = malloc(s->size + 1);
	if (!data)
		return NULL;
	err = elf_image__read(img, data, s->size, s->offset);
	if (err) {
		free(data);
		errno = -err;
		return NULL;
	}
	data[s->size] = '\0';
	return data;
}

bool elf_image__vaddr(const struct elf_image *img, __u64 offset, bool code, __u64 *vaddr)
{
	const struct elf_load *best = NULL;

	for (size_t i = 0; i < img->nloads; i++) {
		const struct elf_load *l = &img->loads[i];
		bool wanted = !!(l->flags & PF_X) == code;

		if (offset < l->offset || offset - l->offset >= l->filesz)
			continue;
		if (code && !wanted)
			continue;
		if (!best || wanted)
			best = l;
		if (wanted)
			break;
	}
	if (best)
		*vaddr = best->vaddr + (offset - best->offset);
	return best;
}
