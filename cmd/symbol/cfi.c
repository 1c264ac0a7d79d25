/* SPDX-License-Identifier: GPL-2.0-only */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "symbol/cfi_impl.h"

/* ---- where arm64 returns from signals --------------------------------------------------------- */

#define ARM64_NOP 0xd503201fU

/*
 * Offset of __kernel_rt_sigreturn, known by its two instructions, as unwinders know it: mov x8,
 * #__NR_rt_sigreturn; svc #0 (libgcc/config/aarch64/linux-unwind.h). A nop before it is of the row
 * as well: the search is for where a call would have been. *size is 0 where it is not there.
 */
static __u64 find_sigreturn(const struct cfi_object *o, const struct cfi_source *source,
			    __u32 *size)
{
	static const __u32 sigreturn[2] = { 0xd2801168, 0xd4000001 };

	*size = 0;
	for (size_t i = 0; i < o->nsegments; i++) {
		const struct cfi_segment *s = &o->segments[i];
		const __u8 *code = source->image + s->offset;

		for (__u64 at = 0; s->exec && at + sizeof(sigreturn) <= s->size; at += 4) {
			__u32 before = 0;

			if (memcmp(code + at, sigreturn, sizeof(sigreturn)))
				continue;
			if (at)
				memcpy(&before, code + at - 4, sizeof(before));
			*size = before == ARM64_NOP ? 12 : 8;
			return s->offset + at - (*size - 8);
		}
	}
	return 0;
}

/* ---- rows ------------------------------------------------------------------------------------- */

static const struct fs_unwind_rule none = { .cfa = FS_CFA_NONE };

struct compiling {
	const struct cfi_object *object;
	const struct cfi_source *source;
	struct cfi_rows rows;
	__u64 end;       /* what has been said goes to here */
	__u64 sigreturn; /* no entry is for it, if its size is not 0 */
	__u32 sigreturn_size;
};

/* The C runtime's own code between what has been said and `offset`, or the end of the segment. */
static int add_crt(struct compiling *c, __u64 offset)
{
	const struct cfi_segment *s = c->end ? cfi_object__code_at(c->object, c->end) : NULL;
	__u64 start = c->end, end;

	if (c->source->image) /* the vdso has none */
		return 0;
	if (!s) { /* from the beginning of the segment */
		s = cfi_object__code_at(c->object, offset);
		start = s ? s->offset : 0;
	}
	if (!s || start >= offset)
		return 0;
	end = s->offset + s->size;
	return cfi_crt__gap(c->object, c->source, start, end < offset ? end : offset, end < offset,
			    &c->rows);
}

/* Up to `offset` nothing is said, but for the return from signals. */
static int add_gap(struct compiling *c, __u64 offset)
{
	static const struct fs_unwind_rule signal = { .cfa = FS_CFA_SIGNAL };
	int err = 0;

	if (c->sigreturn_size && c->sigreturn >= c->end &&
	    c->sigreturn + c->sigreturn_size <= offset) {
		if (c->sigreturn > c->end && c->rows.n)
			err = cfi_rows__add(&c->rows, c->end, &none);
		if (!err)
			err = cfi_rows__add(&c->rows, c->sigreturn, &signal);
		c->end = c->sigreturn + c->sigreturn_size;
		c->sigreturn_size = 0;
	}
	if (!err && c->rows.n && c->end < offset)
		err = cfi_rows__add(&c->rows, c->end, &none);
	return err ? err : add_crt(c, offset);
}

/* Of code that two entries speak of the one that begins first says what holds. */
static int add_fde(struct compiling *c, const struct cfi_entries *e, const struct cfi_fde *fde,
		   const struct cfi_object *o)
{
	__u64 end = fde->start + fde->size;
	int err;

	if (end <= c->end)
		return 0;
	err = add_gap(c, fde->start);
	if (!err)
		err = cfi_program__run(&e->cies[fde->cie], fde, o, c->end, &c->rows);
	c->end = end;
	return err;
}

#define FDES_BETWEEN 256

static int compile(struct compiling *c, const struct cfi_entries *e, const struct cfi_object *o)
{
	int err = 0;

	for (size_t i = 0; !err && i < e->nfdes; i++) {
		err = add_fde(c, e, &e->fdes[i], o);
		if (c->source->meanwhile && i % FDES_BETWEEN == 0)
			c->source->meanwhile(c->source->ctx);
	}
	if (!err)
		err = add_gap(c, UINT64_MAX);
	if (!err && !c->rows.n)
		err = -ENODATA;
	return err;
}

/* The arrays as they are kept: without the room that they grew into. */
static void *shrink(void *p, size_t n, size_t size)
{
	void *less = reallocarray(p, n, size);

	return less ? less : p;
}

static int make(struct cfi *cfi, const struct cfi_object *o, const struct cfi_source *source)
{
	struct compiling c = { .object = o, .source = source };
	struct cfi_entries e;
	int err = cfi_entries__read(&e, o);

	if (!err)
		err = rule_set__init(&c.rows.rules, NULL, 0);
	if (!err && source->image && o->machine == EM_AARCH64)
		c.sigreturn = find_sigreturn(o, source, &c.sigreturn_size);
	if (!err)
		err = compile(&c, &e, o);
	cfi_entries__free(&e);
	if (!err) {
		cfi->machine = o->machine;
		cfi->nrows = c.rows.n;
		cfi->rows = shrink(c.rows.v, c.rows.n, sizeof(*c.rows.v));
		cfi->nrules = c.rows.rules.n;
		cfi->rules = shrink(c.rows.rules.rules, cfi->nrules, sizeof(*cfi->rules));
		c.rows.v = NULL;
		c.rows.rules.rules = NULL;
	}
	free(c.rows.v);
	rule_set__free(&c.rows.rules);
	return err;
}

static struct cfi *read_source(const struct cfi_source *source)
{
	struct cfi *cfi = calloc(1, sizeof(*cfi));
	struct cfi_object o;
	int err;

	if (!cfi)
		return NULL;
	err = cfi_object__read(&o, source);
	if (err == -ENODATA && source->image && o.machine == EM_AARCH64)
		err = 0; /* a vdso without .eh_frame still has the return from signals */
	if (!err)
		err = make(cfi, &o, source);
	cfi_object__free(&o);
	if (err) {
		cfi__free(cfi);
		errno = -err;
		return NULL;
	}
	return cfi;
}

/* ---- what others call ------------------------------------------------------------------------- */

struct cfi *cfi__read(int fd)
{
	return cfi__read_while(fd, NULL, NULL);
}

struct cfi *cfi__read_while(int fd, void (*meanwhile)(void *ctx), void *ctx)
{
	struct cfi_source source = { .fd = fd, .meanwhile = meanwhile, .ctx = ctx };
	struct stat st;

	if (fstat(fd, &st))
		return NULL;
	/* Offsets of rows have 48 bits */
	if (!S_ISREG(st.st_mode) || st.st_size >> 48) {
		errno = S_ISREG(st.st_mode) ? EFBIG : ENOEXEC;
		return NULL;
	}
	source.size = st.st_size;
	return read_source(&source);
}

struct cfi *cfi__read_image(const void *image, size_t size)
{
	struct cfi_source source = { .image = image, .fd = -1, .size = size };

	return read_source(&source);
}

void cfi__free(struct cfi *cfi)
{
	if (!cfi)
		return;
	free(cfi->rows);
	free(cfi->rules);
	free(cfi);
}

const struct fs_unwind_rule *cfi__rule(const struct cfi *cfi, __u64 offset)
{
	size_t low = 0, high = cfi->nrows;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (cfi->rows[mid].offset <= offset)
			low = mid + 1;
		else
			high = mid;
	}
	return &cfi->rules[low ? cfi->rows[low - 1].rule : 0];
}
