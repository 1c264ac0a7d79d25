/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * How much memory libdw will take for a unit's line table: it makes a row for each byte of a
 * program that asks for that, and joins the name of a file and of a directory for as many files as
 * a count says. DWARF 5, section 6.2; older versions in the same place.
 */
#include <string.h>

#include "symbol/dwarf.h"

#define ROW_BYTES 64 /* Dwarf_Line and its pointer, about */
#define MAX_COST  (1ULL << 40)

struct cursor {
	const struct elf_image *img; /* for its byte order */
	const unsigned char *p, *end;
	bool bad; /* it ended too early, or there is something unknown */
	bool dwarf64;
	__u64 longest;          /* string there was */
	bool names, line_names; /* it refers to .debug_str, .debug_line_str */
	const struct debug_copy *copy;
};

static __u64 take(struct cursor *c, size_t size)
{
	const unsigned char *p = c->p;

	if ((size_t)(c->end - p) < size) {
		c->bad = true;
		c->p = c->end;
		return 0;
	}
	c->p += size;
	return size == 1 ? *p :
	       size == 2 ? elf_image__u16(c->img, p) :
	       size == 4 ? elf_image__u32(c->img, p) :
	       size == 8 ? elf_image__u64(c->img, p) :
			   0;
}

static __u64 take_leb(struct cursor *c)
{
	__u64 v = 0;

	for (int shift = 0;; shift += 7) {
		__u64 byte = take(c, 1);

		if (shift < 63)
			v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80) || c->bad)
			return v;
	}
}

static void skip(struct cursor *c, __u64 len)
{
	if ((__u64)(c->end - c->p) < len) {
		c->bad = true;
		len = c->end - c->p;
	}
	c->p += len;
}

/* A string's length; it is in the table itself. */
static size_t take_string(struct cursor *c)
{
	size_t len = strnlen((const char *)c->p, c->end - c->p);

	skip(c, len + 1);
	if (len > c->longest)
		c->longest = len;
	return len;
}

/* The longest string of a section, looked for once: which one is meant does not matter. */
static void see_strings(struct cursor *c, const char *section, struct debug_strings *known)
{
	const unsigned char *p = NULL;
	size_t size = 0, at = 0;

	if (!known->seen)
		p = debug_copy__section(c->copy, section, &size);
	known->seen = true;
	while (p && at < size) {
		size_t len = strnlen((const char *)p + at, size - at);

		if (len > known->longest)
			known->longest = len;
		at += len + 1;
	}
	if (known->longest > c->longest)
		c->longest = known->longest;
}

/* ---- the tables of names ---------------------------------------------------------------------- */

/* Directories end with an empty name, files too, which have three numbers each. Files' number. */
static __u64 old_tables(struct cursor *c)
{
	__u64 n = 0;

	while (!c->bad && take_string(c))
		;
	for (; !c->bad && take_string(c); n++)
		for (int i = 0; i < 3; i++)
			take_leb(c);
	return n;
}

static void take_form(struct cursor *c, __u64 form)
{
	switch (form) {
	case DW_FORM_string:
		take_string(c);
		break;
	case DW_FORM_line_strp:
	case DW_FORM_strp:
		*(form == DW_FORM_strp ? &c->names : &c->line_names) = true;
		take(c, c->dwarf64 ? 8 : 4);
		break;
	case DW_FORM_udata:
		take_leb(c);
		break;
	case DW_FORM_data1:
		skip(c, 1);
		break;
	case DW_FORM_data2:
		skip(c, 2);
		break;
	case DW_FORM_data4:
		skip(c, 4);
		break;
	case DW_FORM_data8:
		skip(c, 8);
		break;
	case DW_FORM_data16:
		skip(c, 16);
		break;
	case DW_FORM_block:
		skip(c, take_leb(c));
		break;
	default:
		/* some forms take no bytes, and the count might be anything */
		c->bad = true;
	}
}

/* What an entry consists of, then the entries. Their number. */
static __u64 new_table(struct cursor *c)
{
	__u64 forms[16], nforms = take(c, 1), n;

	if (nforms > sizeof(forms) / sizeof(*forms)) {
		c->bad = true;
		return 0;
	}
	for (__u64 i = 0; i < nforms; i++) {
		take_leb(c);
		forms[i] = take_leb(c);
	}
	n = take_leb(c);
	if (n && !nforms)
		c->bad = true;
	for (__u64 i = 0; i < n && !c->bad; i++)
		for (__u64 j = 0; j < nforms; j++)
			take_form(c, forms[j]);
	return n;
}

/* ---- the program ------------------------------------------------------------------------------ */

static __u64 count_rows(struct cursor *c, const unsigned char *lengths, unsigned int base)
{
	__u64 rows = 0;

	while (c->p < c->end && !c->bad) {
		unsigned int op = take(c, 1);

		if (op >= base || op == DW_LNS_copy) {
			rows++;
		} else if (op == 0) {
			/* the end of a sequence makes one */
			skip(c, take_leb(c));
			rows++;
		} else if (op == DW_LNS_fixed_advance_pc) {
			skip(c, 2);
		} else {
			for (int i = 0; i < lengths[op - 1]; i++)
				take_leb(c);
		}
	}
	return rows;
}

__u64 line_table_cost(const struct dwarf_info *d, Dwarf_Die *unit)
{
	struct cursor c = { .img = d->code, .copy = d->copy };
	const unsigned char *lengths, *program;
	__u64 length, files, rows;
	Dwarf_Word at;
	unsigned int version, base;
	Dwarf_Attribute attr;
	size_t size;

	if (dwarf_formudata(dwarf_attr(unit, DW_AT_stmt_list, &attr), &at))
		return UINT64_MAX;
	c.p = debug_copy__section(d->copy, ".debug_line", &size);
	if (!c.p || at > size)
		return UINT64_MAX;
	c.end = c.p + size;
	c.p += at;
	length = take(&c, 4);
	c.dwarf64 = length == UINT32_MAX;
	if (c.dwarf64)
		length = take(&c, 8);
	if (c.bad || length > (__u64)(c.end - c.p))
		return UINT64_MAX;
	c.end = c.p + length;
	version = take(&c, 2);
	if (version >= 5)
		take(&c, 2);
	length = take(&c, c.dwarf64 ? 8 : 4);
	if (version < 2 || version > 5 || c.bad || length > (__u64)(c.end - c.p))
		return UINT64_MAX;
	program = c.p + length;
	skip(&c, version >= 4 ? 5 : 4);
	base = take(&c, 1);
	lengths = c.p;
	skip(&c, base ? base - 1 : 0);
	if (version >= 5)
		new_table(&c);
	files = version >= 5 ? new_table(&c) : old_tables(&c);
	if (c.bad || c.p != program || !base)
		return UINT64_MAX;
	if (c.names)
		see_strings(&c, ".debug_str", &d->copy->names);
	if (c.line_names)
		see_strings(&c, ".debug_line_str", &d->copy->line_names);
	rows = count_rows(&c, lengths, base);
	if (c.bad || rows > MAX_COST / ROW_BYTES || files > MAX_COST / (c.longest + ROW_BYTES))
		return UINT64_MAX;
	return rows * ROW_BYTES + files * (2 * c.longest + ROW_BYTES);
}
