/* SPDX-License-Identifier: GPL-2.0-only */
/* What to call an address. */
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "region/internal.h"
#include "symbol/elf.h"
#include "vm.h"

#define NO_SPLIT (~0ULL)

static __u64 page_down(const struct space *sp, __u64 v)
{
	return v & ~(sp->page_size - 1);
}

static __u64 page_up(const struct space *sp, __u64 v)
{
	return page_down(sp, v + sp->page_size - 1);
}

/*
 * How the loader made the mapping. The kernel charges for memory that may be written
 * (accountable_mapping() of mm/vma.c), and goes on doing so when it is made read-only: so data
 * that the dynamic linker has protected (RELRO) is known from constants.
 */
static struct elf_access access_of(__u64 vm_flags)
{
	return (struct elf_access){ .write = vm_flags & (VM_WRITE | VM_ACCOUNT),
				    .exec = vm_flags & VM_EXEC };
}

/* ---- objects ---------------------------------------------------------------------------------- */

/* The pages beyond a segment's file part. */
static struct bss load__bss(const struct space *sp, const struct elf_load *load, __u64 bias,
			    const struct file *file, __u64 mm)
{
	__u64 start = bias + load->vaddr + load->filesz;

	return (struct bss){ .start = load->filesz ? page_up(sp, start) : page_down(sp, start),
			     .end = page_up(sp, bias + load->vaddr + load->memsz),
			     .file = file,
			     .bias = bias,
			     .mm = mm };
}

static void remember_bss(struct space *sp, const struct fs_region_event *ev,
			 const struct file *file, __u64 bias)
{
	struct image *im = image__get(sp, ev->head.pid);

	for (size_t i = 0; im && im->p.alive && i < file->elf->nloads; i++) {
		struct bss bss = load__bss(sp, &file->elf->loads[i], bias, file, ev->mm);

		/* without memory for it, it is found by the mapping before it only */
		if (bss.start < bss.end && image__mm(im))
			mm__add_bss(im->mm, &bss);
	}
}

/*
 * Do several writable segments have a mapping at this offset? lld lets RELRO and data share a page
 * of the file; from the mapping alone it does not follow where the object is then.
 */
static bool is_shared_page(const struct space *sp, const struct elf_layout *elf, __u64 offset)
{
	size_t n = 0;

	for (size_t i = 0; i < elf->nloads; i++) {
		const struct elf_load *load = &elf->loads[i];

		n += page_down(sp, load->offset) <= offset &&
		     offset < page_up(sp, load->offset + load->filesz);
	}
	return n > 1;
}

/* Index of the first span that ends above offset. */
static size_t span_above(const struct elf_layout *elf, __u64 offset)
{
	size_t low = 0, high = elf->nspans;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (elf->spans[mid].end > offset)
			high = mid;
		else
			low = mid + 1;
	}
	return low;
}

/*
 * Region of an offset in a mapping of several spans. Pages are mapped whole, so what no segment
 * covers belongs to the one it shares its page with.
 */
static enum fs_region span_region(const struct space *sp, const struct elf_layout *elf,
				  __u64 offset)
{
	size_t i = span_above(elf, offset);
	__u64 page = page_down(sp, offset);

	if (i < elf->nspans && elf->spans[i].offset <= offset)
		return elf->spans[i].region;
	if (i && elf->spans[i - 1].end > page)
		return elf->spans[i - 1].region;
	if (i < elf->nspans && page_down(sp, elf->spans[i].offset) == page)
		return elf->spans[i].region;
	return FS_REGION_FILE;
}

/* The one region that the pages [offset, end) of a file have, FS_REGION_UNKNOWN: several. */
static enum fs_region uniform_region(const struct space *sp, const struct elf_layout *elf,
				     __u64 offset, __u64 end)
{
	size_t i = span_above(elf, offset);
	enum fs_region region = FS_REGION_FILE;

	for (; i < elf->nspans && elf->spans[i].offset < end; i++) {
		const struct elf_span *s = &elf->spans[i];

		if (page_down(sp, s->offset) > offset ||
		    (region != FS_REGION_FILE && s->region != region))
			return FS_REGION_UNKNOWN;
		region = s->region;
		offset = page_up(sp, s->end);
	}
	return region == FS_REGION_FILE || offset >= end ? region : FS_REGION_UNKNOWN;
}

/*
 * A private mapping of a file. Of an ELF object it is taken for the loader's doing. A program that
 * maps an object as mere data (a debugger does) cannot be told from that: there too each offset
 * has the name of the segment or section it is in, and what no segment covers is `file`.
 */
static void refine_file(struct space *sp, struct region *r, const struct fs_region_event *ev,
			struct named_file *f)
{
	__u64 offset = ev->pgoff * sp->page_size, end = offset + (ev->end - ev->start);
	const struct elf_layout *elf;
	const struct elf_load *load;
	struct elf_access access = access_of(ev->vm_flags);

	file__read_elf(sp, f, ev->head.pid, ev->start, ev->end);
	elf = f->f.elf;
	if (!elf)
		return;
	load = elf_layout__segment(elf, offset, end, access);
	if (load && access.write && (load->flags & PF_W) && elf_layout__data(elf, offset, end)) {
		r->below = FS_REGION_DATA;
		r->above = FS_REGION_BSS;
		r->split = elf_layout__bss_start(elf, ev->start, ev->end, offset);
		r->bias = elf_load__bias(elf_layout__data(elf, offset, end), ev->start, offset);
		r->linked = true;
		if (!is_shared_page(sp, elf, offset))
			remember_bss(sp, ev, &f->f, elf_load__bias(load, ev->start, offset));
		return;
	}
	r->below = r->above = uniform_region(sp, elf, offset, end);
	if (r->below == FS_REGION_UNKNOWN)
		r->shape = SHAPE_SPANS;
}

/* The bss that a mapping right behind one of an object begins with. */
static bool bss_behind(struct space *sp, const struct fs_region_event *ev, struct bss *out)
{
	struct named_file *f = file__by_id(sp, ev->prev_file_id);
	__u64 offset = ev->prev_pgoff * sp->page_size, bias;
	const struct elf_load *load;

	if (!f || ev->prev_start >= ev->start || (ev->prev_flags & VM_SHARED))
		return false;
	file__read_elf(sp, f, ev->head.pid, ev->prev_start, ev->start);
	if (!f->f.elf)
		return false;
	load = elf_layout__segment(f->f.elf, offset, offset + (ev->start - ev->prev_start),
				   access_of(ev->prev_flags));
	if (!load)
		return false;
	bias = elf_load__bias(load, ev->prev_start, offset);
	for (size_t i = 0; i < f->f.elf->nloads; i++) {
		*out = load__bss(sp, &f->f.elf->loads[i], bias, &f->f, ev->mm);
		if (out->start <= ev->start && ev->start < out->end) {
			remember_bss(sp, ev, &f->f, bias);
			return true;
		}
	}
	return false;
}

/*
 * An anonymous mapping is the bss of the object whose data it follows, up to the end that the
 * object says, and not beyond: kernels merge bss with what is mapped behind it. A part that has
 * been cut off (mprotect, madvise) follows no file any more: then what was known before counts.
 */
static void refine_anon(struct space *sp, struct region *r, const struct fs_region_event *ev)
{
	struct image *im = image__find(sp, ev->head.pid);
	const struct bss *known;
	struct bss bss;

	if (ev->prev_file_id) {
		if (!bss_behind(sp, ev, &bss))
			return;
	} else {
		known = im && im->mm ? mm__bss(im->mm, ev->start) : NULL;
		if (!known || known->mm != ev->mm)
			return;
		bss = *known;
	}
	r->object = bss.file;
	r->bias = bss.bias;
	r->linked = true;
	r->below = FS_REGION_BSS;
	r->split = bss.end < ev->end ? bss.end : NO_SPLIT;
}

/* ---- regions ---------------------------------------------------------------------------------- */

static const char *intern(struct space *sp, const char *text, size_t size)
{
	size_t len = strnlen(text, size);
	struct string *s;

	if (!len)
		return NULL;
	HASH_FIND(hh, sp->strings, text, len, s);
	if (s)
		return s->text;
	s = malloc(sizeof(*s) + len + 1);
	if (!s)
		return NULL;
	memcpy(s->text, text, len);
	s->text[len] = '\0';
	HASH_ADD_KEYPTR(hh, sp->strings, s->text, len, s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s->text;
}

static size_t region__hash(const struct region *r)
{
	__u64 h = r->m.start * 0x9e3779b97f4a7c15ULL;

	h = (h ^ r->m.end) * 0x9e3779b97f4a7c15ULL;
	h = (h ^ r->m.pgoff ^ (unsigned long)r->m.file) * 0x9e3779b97f4a7c15ULL;
	return h >> 20;
}

static bool region__same(const struct region *a, const struct region *b)
{
	return a->m.start == b->m.start && a->m.end == b->m.end && a->m.pgoff == b->m.pgoff &&
	       a->m.file == b->m.file && a->m.base == b->m.base &&
	       a->m.anon_name == b->m.anon_name &&
	       !((a->m.vm_flags ^ b->m.vm_flags) & ~(__u64)VM_SOFTDIRTY) && a->split == b->split &&
	       a->object == b->object && a->below == b->below && a->above == b->above &&
	       a->shape == b->shape && a->bias == b->bias && a->linked == b->linked;
}

static int grow_buckets(struct space *sp)
{
	size_t n = sp->nbuckets ? sp->nbuckets * 2 : 1024;
	struct region **buckets = calloc(n, sizeof(*buckets)), *r, *next;

	if (!buckets)
		return -ENOMEM;
	for (size_t i = 0; i < sp->nbuckets; i++) {
		for (r = sp->buckets[i]; r; r = next) {
			struct region **b = &buckets[region__hash(r) & (n - 1)];

			next = r->next;
			r->next = *b;
			*b = r;
		}
	}
	free(sp->buckets);
	sp->buckets = buckets;
	sp->nbuckets = n;
	return 0;
}

/* The region that is kept for all such as *like. NULL: out of memory. */
static struct region *region__keep(struct space *sp, const struct region *like)
{
	struct region *r, **bucket;

	if (sp->nregions >= sp->nbuckets && grow_buckets(sp))
		return NULL;
	bucket = &sp->buckets[region__hash(like) & (sp->nbuckets - 1)];
	for (r = *bucket; r; r = r->next)
		if (region__same(r, like))
			return r;
	if (!sp->slabs || sp->slabs->used == REGIONS_PER_SLAB) {
		struct region_slab *slab = malloc(sizeof(*slab));

		if (!slab)
			return NULL;
		slab->next = sp->slabs;
		slab->used = 0;
		sp->slabs = slab;
	}
	r = &sp->slabs->v[sp->slabs->used++];
	*r = *like;
	r->next = *bucket;
	*bucket = r;
	sp->nregions++;
	return r;
}

/* What to call the addresses of a region; kept with all that is the same. NULL: out of memory. */
static struct region *region__of(struct space *sp, const struct fs_region_event *ev)
{
	struct named_file *f = file__by_id(sp, ev->file_id);
	struct image *im = image__find(sp, ev->head.pid);
	enum fs_region base = ev->region < FS_REGION_NR ? ev->region : FS_REGION_UNKNOWN;
	bool anon = base == FS_REGION_ANON || base == FS_REGION_ANON_EXEC;
	struct region r = { .split = NO_SPLIT, .below = base, .above = base };

	r.m = (struct mapping){ .id = ev->id,
				.base = base,
				.start = ev->start,
				.end = ev->end,
				.pgoff = ev->pgoff,
				.vm_flags = ev->vm_flags,
				.file = f ? &f->f : NULL,
				.pid = ev->head.pid,
				.anon_name = intern(sp, ev->anon_name, sizeof(ev->anon_name)) };
	/* something else has taken the place of an object */
	if (im && im->mm && !anon)
		mm__del_bss(im->mm, ev->start, ev->end);
	if (anon) {
		refine_anon(sp, &r, ev);
	} else {
		r.object = r.m.file;
		if (base == FS_REGION_FILE && f)
			refine_file(sp, &r, ev, f);
	}
	/* where code is run its unwind table will be wanted */
	if (sp->ops.stacks && f && (ev->vm_flags & VM_EXEC) && !ev->listed)
		file__read_elf(sp, f, ev->head.pid, ev->start, ev->end);
	return region__keep(sp, &r);
}

int place__region_event(struct space *sp, const struct fs_region_event *ev)
{
	struct region *kept;

	if (!ev->id || ev->start >= ev->end)
		return 0;
	kept = region__of(sp, ev);
	return kept ? id_table__set(&sp->regions, ev->id, kept) : -ENOMEM;
}

/* [start, end) is not what it was, unless it is the dynamic linker that makes an object's bss. */
static void forget_bss(const struct space *sp, struct mm *mm, __u64 start, __u64 len, bool bss_too)
{
	__u64 end = page_up(sp, start + len);
	const struct bss *b = mm__bss(mm, start);

	if (!bss_too && b && b->start == start && b->end == end)
		return;
	mm__del_bss(mm, start, end);
}

void place__call_event(struct space *sp, const struct fs_call_event *ev)
{
	struct image *im = image__find(sp, ev->head.pid);

	if (!im || !im->mm || !im->mm->nbss || (ev->flags & FS_CALL_FAILED))
		return;
	if (ev->call == FS_CALL_MUNMAP)
		forget_bss(sp, im->mm, ev->args[0], ev->args[1], true);
	else if (ev->call == FS_CALL_MREMAP && ev->ret != (__s64)ev->args[0])
		forget_bss(sp, im->mm, ev->args[0], ev->args[1], true);
	else if (ev->call == FS_CALL_MMAP && (ev->args[3] & MAP_FIXED))
		forget_bss(sp, im->mm, ev->ret, ev->args[1], !(ev->args[3] & MAP_ANONYMOUS));
}

void places__free(struct space *sp)
{
	struct region_slab *slab, *next_slab;
	struct string *s, *next;

	for (slab = sp->slabs; slab; slab = next_slab) {
		next_slab = slab->next;
		free(slab);
	}
	free(sp->buckets);
	HASH_ITER (hh, sp->strings, s, next) {
		HASH_DEL(sp->strings, s);
		free(s);
	}
	id_table__free(&sp->regions, NULL);
}

/* ---- faults ----------------------------------------------------------------------------------- */

/*
 * Is the address, in an anonymous mapping [start, end), in a thread's stack? start == end: its
 * bounds are not known, and only stacks that were given with a size can be.
 */
static bool is_stack(struct space *sp, const struct fs_fault *f, __u64 start, __u64 end,
		     struct place *out)
{
	const struct image *im = image__find(sp, f->pid);
	const struct stack *s;

	if (!im || !im->mm || !im->mm->nstacks)
		return false;
	/* a mapping may hold several: the nearest one that begins above owns the address */
	s = mm__stack_above(im->mm, f->addr);
	if (!s || f->addr < s->low || (start == end ? !s->low : s->sp > end))
		return false;
	out->region = FS_REGION_THREAD_STACK;
	out->stack_tid = s->tid;
	return true;
}

static void place_unmapped(struct space *sp, const struct fs_fault *f, struct place *out)
{
	*out = (struct place){ .region = f->region < FS_REGION_NR ? f->region : FS_REGION_UNKNOWN };
	if (out->region == FS_REGION_ANON || out->region == FS_REGION_ANON_EXEC)
		is_stack(sp, f, 0, 0, out);
}

static void region__place(struct space *sp, const struct region *r, const struct fs_fault *f,
			  struct place *out)
{
	bool above;

	if (!r) {
		place_unmapped(sp, f, out);
		return;
	}
	above = f->addr >= r->split;
	out->region = above ? r->above : r->below;
	out->mapping = &r->m;
	out->file = r->object;
	out->file_offset = 0;
	out->linked = r->linked && out->region != FS_REGION_ANON &&
		      out->region != FS_REGION_ANON_EXEC;
	out->link_addr = out->linked ? f->addr - r->bias : 0;
	out->stack_tid = 0;
	if (out->region == FS_REGION_ANON || out->region == FS_REGION_ANON_EXEC) {
		out->file = NULL;
		is_stack(sp, f, r->m.start, r->m.end, out);
	} else if (r->object && r->object == r->m.file && f->addr >= r->m.start &&
		   f->addr < r->m.end) {
		out->file_offset = f->addr - r->m.start + r->m.pgoff * sp->page_size;
		if (r->shape == SHAPE_SPANS)
			out->region = span_region(sp, r->object->elf, out->file_offset);
	} else if (r->shape == SHAPE_SPANS) {
		out->region = FS_REGION_FILE;
	}
}

void space__place(struct space *sp, const struct fs_fault *f, struct place *out)
{
	region__place(sp, id_table__get(&sp->regions, f->region_id), f, out);
}

/* As the kernel side would send a VMA whose address is touched: bss that is merged with heap apart. */
static void vma__event(const struct image *im, const struct vma *v, __u64 addr,
		       struct fs_region_event *ev)
{
	const struct mm *mm = im->mm;
	const struct vma *prev = v->start ? ranges__find(&mm->vmas, v->start - 1) : NULL;

	*ev = (struct fs_region_event){ .head.pid = im->p.pid,
					.file_id = v->file_id,
					.mm = mm->id,
					.start = v->start,
					.end = v->end,
					.vm_flags = v->vm_flags,
					.region = v->region,
					.listed = 1 };
	if (v->region == FS_REGION_HEAP && v->start < mm->start_brk) {
		if (addr < mm->start_brk) {
			ev->end = mm->start_brk;
			ev->region = FS_REGION_ANON;
		} else {
			ev->start = mm->start_brk;
		}
	}
	ev->pgoff = (ev->start - v->bias) / PAGE_BYTES;
	if (ev->region != FS_REGION_ANON && ev->region != FS_REGION_ANON_EXEC)
		return;
	if (prev && prev->file_id && !(prev->vm_flags & VM_MAYSHARE) && ev->start == v->start) {
		ev->prev_start = prev->start;
		ev->prev_pgoff = (prev->start - prev->bias) / PAGE_BYTES;
		ev->prev_file_id = prev->file_id;
		ev->prev_flags = prev->vm_flags;
	}
}

/* A thread's stack, or what is not one, ends where the next begins. */
static void cut_to_stack(const struct image *im, const struct region *r, const struct place *pl,
			 __u64 addr, __u64 *start, __u64 *end)
{
	const struct stack *s = mm__stack_above(im->mm, addr);
	size_t below = s ? (size_t)(s - im->mm->stacks) : im->mm->nstacks;

	if (below && im->mm->stacks[below - 1].sp > *start)
		*start = im->mm->stacks[below - 1].sp;
	if (!s || s->sp > r->m.end)
		return;
	if (pl->region != FS_REGION_THREAD_STACK)
		*end = s->low > addr && s->low < *end ? s->low : *end;
	else if (s->sp < *end)
		*end = s->sp;
	if (pl->region == FS_REGION_THREAD_STACK && s->low > *start)
		*start = s->low;
}

/* Of a mapping of several segments or sections, the one that is at an offset of the file. */
static void cut_to_span(const struct elf_layout *elf, __u64 offset, __u64 addr, __u64 *start,
			__u64 *end)
{
	size_t i = span_above(elf, offset);
	__u64 from = i ? elf->spans[i - 1].end : 0, to = ~0ULL;

	if (i < elf->nspans && elf->spans[i].offset <= offset) {
		from = elf->spans[i].offset;
		to = elf->spans[i].end;
	} else if (i < elf->nspans) {
		to = elf->spans[i].offset;
	}
	if (offset - from < addr - *start)
		*start = addr - (offset - from);
	if (to - offset < *end - addr)
		*end = addr + (to - offset);
}

void space__place_at(struct space *sp, __u32 pid, __u64 addr, struct place *out, __u64 *start,
		     __u64 *end)
{
	struct fs_fault f = { .addr = addr, .pid = pid, .region = FS_REGION_NONE };
	struct image *im = image__find(sp, pid);
	const struct vma *v = im && im->mm ? ranges__find(&im->mm->vmas, addr) : NULL;
	struct fs_region_event ev;
	struct region *r = NULL;

	*start = addr;
	*end = addr + 1;
	if (v) {
		vma__event(im, v, addr, &ev);
		r = region__of(sp, &ev);
		*start = ev.start;
		*end = ev.end;
	}
	region__place(sp, r, &f, out);
	if (!r)
		return;
	if (r->split != NO_SPLIT && addr < r->split && r->split < *end)
		*end = r->split;
	else if (r->split != NO_SPLIT && addr >= r->split && r->split > *start)
		*start = r->split;
	if (out->region == FS_REGION_THREAD_STACK || out->region == FS_REGION_ANON ||
	    out->region == FS_REGION_ANON_EXEC)
		cut_to_stack(im, r, out, addr, start, end);
	else if (r->shape == SHAPE_SPANS && out->file && out->file->elf)
		cut_to_span(out->file->elf, out->file_offset, addr, start, end);
}
