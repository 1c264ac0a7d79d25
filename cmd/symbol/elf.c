/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Reads headers only: the ELF header, the program headers and the table of section headers, with
 * pread(2). No mmap(2): a file that is cut short meanwhile would kill us with SIGBUS.
 */
#include <errno.h>
#include <gelf.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/elf.h"

/* Linux runs no program whose headers take more (load_elf_phdrs() of fs/binfmt_elf.c). */
#define MAX_PHDRS_BYTES 65536
/* libelf allocates for each section when it opens a file: what the header claims is checked first. */
#define MAX_SECTIONS 65536

struct section {
	__u64 offset, end;
	bool text;
};

struct sections {
	size_t n;
	struct section *v;
};

static __u64 page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

static __u64 page_down(__u64 v)
{
	return v & ~(page_size() - 1);
}

static __u64 page_up(__u64 v)
{
	return page_down(v + page_size() - 1);
}

/* ---- what the ELF header claims -------------------------------------------------------------- */

/* What matters of the header of either class, in the byte order of this machine. */
struct claims {
	__u64 shoff;
	__u32 type, phnum, phentsize, shnum, shentsize;
	bool elf64;
	unsigned char order;
};

static int claims__read(int fd, struct claims *c)
{
	union {
		unsigned char ident[EI_NIDENT];
		Elf32_Ehdr e32;
		Elf64_Ehdr e64;
	} raw, h;
	ssize_t n = pread(fd, &raw, sizeof(raw), 0);
	Elf_Data in = { .d_buf = &raw, .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };
	Elf_Data out = { .d_buf = &h, .d_type = ELF_T_EHDR, .d_version = EV_CURRENT };

	if (n < 0)
		return -errno;
	if (n < (ssize_t)sizeof(raw.e32) || memcmp(raw.ident, ELFMAG, SELFMAG))
		return -ENOEXEC;
	c->elf64 = raw.ident[EI_CLASS] == ELFCLASS64;
	c->order = raw.ident[EI_DATA];
	if ((!c->elf64 && raw.ident[EI_CLASS] != ELFCLASS32) ||
	    (c->order != ELFDATA2LSB && c->order != ELFDATA2MSB) ||
	    (c->elf64 && n < (ssize_t)sizeof(raw.e64)))
		return -ENOEXEC;
	in.d_size = out.d_size = c->elf64 ? sizeof(h.e64) : sizeof(h.e32);
	if (!(c->elf64 ? elf64_xlatetom : elf32_xlatetom)(&out, &in, c->order))
		return -ENOEXEC;
#define TAKE(field) c->field = c->elf64 ? h.e64.e_##field : h.e32.e_##field
	TAKE(shoff);
	TAKE(type);
	TAKE(phnum);
	TAKE(phentsize);
	TAKE(shnum);
	TAKE(shentsize);
#undef TAKE
	return 0;
}

/* With e_shnum 0 the number of sections is in the size of the first one. */
static int claims__read_shnum(int fd, struct claims *c)
{
	union {
		Elf32_Shdr s32;
		Elf64_Shdr s64;
	} raw, h;
	Elf_Data in = { .d_buf = &raw, .d_type = ELF_T_SHDR, .d_version = EV_CURRENT };
	Elf_Data out = { .d_buf = &h, .d_type = ELF_T_SHDR, .d_version = EV_CURRENT };
	ssize_t size = c->elf64 ? sizeof(h.s64) : sizeof(h.s32);
	__u64 n;

	if (c->shnum || !c->shoff)
		return 0;
	if (c->shoff > (__u64)INT64_MAX || pread(fd, &raw, size, c->shoff) != size)
		return -ENOEXEC;
	in.d_size = out.d_size = size;
	if (!(c->elf64 ? elf64_xlatetom : elf32_xlatetom)(&out, &in, c->order))
		return -ENOEXEC;
	n = c->elf64 ? h.s64.sh_size : h.s32.sh_size;
	c->shnum = n < MAX_SECTIONS ? n : MAX_SECTIONS;
	return 0;
}

/* Is this a program or a library whose headers are of a size that can be read? */
static int header_check(int fd)
{
	struct claims c = {};
	int err = claims__read(fd, &c);

	if (!err)
		err = claims__read_shnum(fd, &c);
	if (err)
		return err;
	if ((c.type != ET_EXEC && c.type != ET_DYN) || !c.phnum ||
	    c.phentsize != (c.elf64 ? sizeof(Elf64_Phdr) : sizeof(Elf32_Phdr)) ||
	    c.phnum * c.phentsize > MAX_PHDRS_BYTES || c.shnum >= MAX_SECTIONS)
		return -ENOEXEC;
	return 0;
}

/* ---- program headers -------------------------------------------------------------------------- */

static int cmp_u64(__u64 a, __u64 b)
{
	return a < b ? -1 : a > b;
}

static int cmp_vaddr(const void *a, const void *b)
{
	return cmp_u64(((const struct elf_load *)a)->vaddr, ((const struct elf_load *)b)->vaddr);
}

static int cmp_offset(const void *a, const void *b)
{
	return cmp_u64(((const struct elf_load *)a)->offset, ((const struct elf_load *)b)->offset);
}

static int cmp_section(const void *a, const void *b)
{
	return cmp_u64(((const struct section *)a)->offset, ((const struct section *)b)->offset);
}

/* A PT_LOAD that Linux would not map (elf_load() of fs/binfmt_elf.c), or that the file lacks. */
static bool phdr_is_corrupt(const GElf_Phdr *p, __u64 file_size)
{
	return p->p_filesz > p->p_memsz || p->p_offset > file_size ||
	       p->p_filesz > file_size - p->p_offset || p->p_memsz > UINT64_MAX - p->p_vaddr ||
	       p->p_vaddr + p->p_memsz > UINT64_MAX - page_size() ||
	       p->p_offset > UINT64_MAX - page_size() - p->p_memsz;
}

static int read_segments(Elf *elf, __u64 file_size, struct elf_layout *l)
{
	size_t n, i;

	if (elf_getphdrnum(elf, &n) || !n || n > MAX_PHDRS_BYTES / sizeof(Elf32_Phdr))
		return -ENOEXEC;
	l->segments = calloc(n, sizeof(*l->segments));
	l->loads = calloc(n, sizeof(*l->loads));
	if (!l->segments || !l->loads)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		struct elf_load *load = &l->segments[l->nsegments];
		GElf_Phdr p;

		if (!gelf_getphdr(elf, i, &p))
			return -ENOEXEC;
		if (p.p_type != PT_LOAD || !p.p_memsz)
			continue;
		if (phdr_is_corrupt(&p, file_size))
			return -ENOEXEC;
		load->offset = p.p_offset;
		load->filesz = p.p_filesz;
		load->memsz = p.p_memsz;
		load->vaddr = p.p_vaddr;
		load->flags = p.p_flags;
		l->nsegments++;
	}
	if (!l->nsegments)
		return -ENOEXEC;
	qsort(l->segments, l->nsegments, sizeof(*l->segments), cmp_vaddr);
	for (i = 0; i < l->nsegments; i++)
		if (l->segments[i].flags & PF_W)
			l->loads[l->nloads++] = l->segments[i];
	return 0;
}

/* ---- section headers -------------------------------------------------------------------------- */

/*
 * The sections that are loaded and not writable, by offset. A file without readable section
 * headers runs as well, so that is no error: none are found then. 0 or -ENOMEM.
 */
static int read_sections(Elf *elf, struct sections *out)
{
	size_t n = 0;
	Elf_Scn *scn = NULL;

	if (elf_getshdrnum(elf, &n) || !n || n >= MAX_SECTIONS)
		return 0;
	out->v = calloc(n, sizeof(*out->v));
	if (!out->v)
		return -ENOMEM;
	while (out->n < n && (scn = elf_nextscn(elf, scn))) {
		struct section *s = &out->v[out->n];
		GElf_Shdr sh;

		if (!gelf_getshdr(scn, &sh)) {
			out->n = 0;
			return 0;
		}
		if (!(sh.sh_flags & SHF_ALLOC) || (sh.sh_flags & SHF_WRITE) ||
		    sh.sh_type == SHT_NOBITS || sh.sh_type == SHT_NULL || !sh.sh_size ||
		    sh.sh_size > UINT64_MAX - sh.sh_offset)
			continue;
		s->offset = sh.sh_offset;
		s->end = sh.sh_offset + sh.sh_size;
		s->text = sh.sh_flags & SHF_EXECINSTR;
		out->n++;
	}
	qsort(out->v, out->n, sizeof(*out->v), cmp_section);
	return 0;
}

/* ---- spans ------------------------------------------------------------------------------------ */

/* Append; what is covered already stays as it is. There is room: see spans__max(). */
static void spans__add(struct elf_layout *l, __u64 offset, __u64 end, enum fs_region region)
{
	struct elf_span *last = l->nspans ? &l->spans[l->nspans - 1] : NULL;

	if (last && offset < last->end)
		offset = last->end;
	if (offset >= end)
		return;
	if (last && last->end == offset && last->region == region) {
		last->end = end;
		return;
	}
	l->spans[l->nspans++] = (struct elf_span){ .offset = offset, .end = end, .region = region };
}

/* Each section begins a span at most; each load begins one and may end with two. */
static size_t spans__max(const struct elf_layout *l, const struct sections *s)
{
	return s->n + 3 * l->nsegments;
}

/*
 * An executable segment, with the read-only sections in it (all of them where the linker was told
 * -z noseparate-code, .rodata on arm64). What lies between two of them is padding.
 * *next: the first section that no segment before has passed.
 */
static void spans__add_text(struct elf_layout *l, const struct elf_load *load,
			    const struct sections *s, size_t *next)
{
	__u64 pos = load->offset, end = load->offset + load->filesz, data_end = pos;
	enum fs_region now = FS_REGION_TEXT;

	for (; *next < s->n && s->v[*next].offset < end; ++*next) {
		const struct section *sec = &s->v[*next];
		enum fs_region region = sec->text ? FS_REGION_TEXT : FS_REGION_RODATA;

		if (sec->offset < load->offset)
			continue;
		if (region != now) {
			spans__add(l, pos, sec->offset, now);
			pos = sec->offset;
			now = region;
		}
		if (!sec->text && sec->end > data_end)
			data_end = sec->end < end ? sec->end : end;
	}
	if (now == FS_REGION_RODATA) {
		spans__add(l, pos, data_end, now);
		pos = data_end;
	}
	spans__add(l, pos, end, FS_REGION_TEXT);
}

static int make_spans(struct elf_layout *l, const struct sections *s)
{
	struct elf_load *by_offset = calloc(l->nsegments, sizeof(*by_offset));
	size_t i, next = 0;

	l->spans = calloc(spans__max(l, s), sizeof(*l->spans));
	if (!by_offset || !l->spans) {
		free(by_offset);
		return -ENOMEM;
	}
	memcpy(by_offset, l->segments, l->nsegments * sizeof(*by_offset));
	qsort(by_offset, l->nsegments, sizeof(*by_offset), cmp_offset);
	for (i = 0; i < l->nsegments; i++) {
		const struct elf_load *load = &by_offset[i];

		if (load->flags & PF_W)
			spans__add(l, load->offset, load->offset + load->filesz, FS_REGION_DATA);
		else if (load->flags & PF_X)
			spans__add_text(l, load, s, &next);
		else
			spans__add(l, load->offset, load->offset + load->filesz, FS_REGION_RODATA);
	}
	free(by_offset);
	return 0;
}

/* ---- the layout ------------------------------------------------------------------------------- */

/* Give back what the arrays have too much: layouts are kept for the whole run. */
static void *shrink(void *p, size_t n, size_t size)
{
	void *less = reallocarray(p, n ? n : 1, size);

	return less ? less : p;
}

static int layout__fill(struct elf_layout *l, Elf *elf, __u64 file_size)
{
	struct sections sections = {};
	int err = read_segments(elf, file_size, l);

	if (!err)
		err = read_sections(elf, &sections);
	if (!err)
		err = make_spans(l, &sections);
	free(sections.v);
	if (err)
		return err;
	l->spans = shrink(l->spans, l->nspans, sizeof(*l->spans));
	l->loads = shrink(l->loads, l->nloads, sizeof(*l->loads));
	l->segments = shrink(l->segments, l->nsegments, sizeof(*l->segments));
	return 0;
}

struct elf_layout *elf_layout__read(int fd)
{
	struct elf_layout *l = NULL;
	Elf *elf = NULL;
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return NULL;
	err = S_ISREG(st.st_mode) ? header_check(fd) : -ENOEXEC;
	if (err)
		goto out;
	err = -ENOEXEC;
	if (elf_version(EV_CURRENT) == EV_NONE)
		goto out;
	elf = elf_begin(fd, ELF_C_READ, NULL);
	if (!elf || elf_kind(elf) != ELF_K_ELF)
		goto out;
	l = calloc(1, sizeof(*l));
	err = l ? layout__fill(l, elf, st.st_size) : -ENOMEM;
out:
	elf_end(elf);
	if (err) {
		elf_layout__free(l);
		errno = -err;
		return NULL;
	}
	return l;
}

void elf_layout__free(struct elf_layout *elf)
{
	if (!elf)
		return;
	free(elf->spans);
	free(elf->loads);
	free(elf->segments);
	free(elf);
}

enum fs_region elf_layout__region(const struct elf_layout *elf, __u64 offset)
{
	size_t low = 0, high = elf->nspans;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (offset < elf->spans[mid].offset)
			high = mid;
		else if (offset >= elf->spans[mid].end)
			low = mid + 1;
		else
			return elf->spans[mid].region;
	}
	return FS_REGION_FILE;
}

/* File offset of the first byte that the loader maps for a segment: that of p_vaddr's page. */
static __u64 load__file_start(const struct elf_load *load)
{
	__u64 lead = load->vaddr & (page_size() - 1);

	return load->offset > lead ? load->offset - lead : 0;
}

/* Is a mapping that begins at `offset` of this segment? */
static bool load__maps(const struct elf_load *load, __u64 offset)
{
	return load->filesz && offset >= page_down(load__file_start(load)) &&
	       offset < page_up(load->offset + load->filesz);
}

const struct elf_load *elf_layout__data(const struct elf_layout *elf, __u64 offset, __u64 end)
{
	const struct elf_load *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < elf->nloads; i++) {
		const struct elf_load *load = &elf->loads[i];
		__u64 load_end = page_up(load->offset + load->filesz);
		int score;

		if (!load->filesz || page_down(load__file_start(load)) >= end || load_end < end)
			continue;
		score = 2 * load__maps(load, offset) + (load_end == end);
		if (score >= best_score) {
			best = load;
			best_score = score;
		}
	}
	return best;
}

__u64 elf_layout__bss_start(const struct elf_layout *elf, __u64 start, __u64 end, __u64 offset)
{
	__u64 mapped_end = offset + (end - start), data_end;
	const struct elf_load *load = elf_layout__data(elf, offset, mapped_end);

	if (!load || load->memsz == load->filesz)
		return end;
	data_end = load->offset + load->filesz;
	if (data_end >= mapped_end)
		return end;
	return data_end > offset ? start + (data_end - offset) : start;
}

const struct elf_load *elf_layout__segment(const struct elf_layout *elf, __u64 offset, __u64 end,
					   struct elf_access access)
{
	const struct elf_load *best = NULL;
	int best_score = -1;

	for (size_t i = 0; i < elf->nsegments; i++) {
		const struct elf_load *load = &elf->segments[i];
		int score;

		if (!load__maps(load, offset))
			continue;
		score = 4 * (!!(load->flags & PF_W) == access.write) +
			2 * (!!(load->flags & PF_X) == access.exec) +
			(page_up(load->offset + load->filesz) == end);
		if (score >= best_score) {
			best = load;
			best_score = score;
		}
	}
	return best;
}

__u64 elf_load__bias(const struct elf_load *load, __u64 start, __u64 offset)
{
	return start - offset - (load->vaddr - load->offset);
}
