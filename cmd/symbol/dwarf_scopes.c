/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which unit, function and inlined calls hold an address. libdw's dwarf_getscopes() walks through
 * the whole unit for each address; here the functions of a unit are listed once, on the first
 * look-up in it, and the calls in a function likewise.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/memory.h"
#include "symbol/dwarf.h"

#define MAX_DEPTH  256
#define MAX_RANGES (4U << 20) /* of units, of functions of one, of calls in one */
#define MAX_BACK   16         /* ranges that may overlap the one looked for */

/* ---- a walk through DIEs ---------------------------------------------------------------------- */

/*
 * Each DIE lies behind the one visited before it, in a sound unit. That is checked: DW_AT_sibling
 * may point anywhere, and the walk would not end.
 */
struct walk {
	Dwarf_Die at[MAX_DEPTH];
	int depth;
	Dwarf_Off last;
};

static bool moves_on(struct walk *w, Dwarf_Die *die)
{
	Dwarf_Off offset = dwarf_dieoffset(die);

	if (offset <= w->last)
		return false;
	w->last = offset;
	return true;
}

static void walk__begin(struct walk *w, const Dwarf_Die *top)
{
	w->at[0] = *top;
	w->depth = 0;
	w->last = dwarf_dieoffset(&w->at[0]);
}

/* The next one, with descend the first child of the last where it has some. NULL: no more. */
static Dwarf_Die *walk__next(struct walk *w, bool descend)
{
	Dwarf_Die *now = &w->at[w->depth];

	if (descend && w->depth + 1 < MAX_DEPTH && dwarf_child(now, now + 1) == 0) {
		w->depth++;
		return moves_on(w, now + 1) ? now + 1 : NULL;
	}
	for (; w->depth > 0; w->depth--) {
		Dwarf_Die next;
		int ret;

		now = &w->at[w->depth];
		ret = dwarf_siblingof(now, &next);
		if (ret < 0)
			return NULL;
		if (ret)
			continue;
		*now = next;
		return moves_on(w, now) ? now : NULL;
	}
	return NULL;
}

/* ---- units ------------------------------------------------------------------------------------ */

/* Linkers leave ranges of what they dropped, at 0 or at the end of the address space. */
static bool is_code(const struct dwarf_info *d, __u64 low, __u64 high)
{
	if (low >= high)
		return false;
	for (size_t i = 0; i < d->code->nloads; i++) {
		const struct elf_load *l = &d->code->loads[i];

		if ((l->flags & PF_X) && low - l->vaddr < l->memsz)
			return true;
	}
	return false;
}

static int add_unit(struct dwarf_info *d, Dwarf_Die *die)
{
	Dwarf_Addr base, low, high;
	ptrdiff_t at = 0;
	void *more;
	size_t had = d->nranges;

	while ((at = dwarf_ranges(die, at, &base, &low, &high)) > 0) {
		if (!is_code(d, low, high))
			continue;
		more = with_room(d->ranges, d->nranges, &d->ranges_room, sizeof(*d->ranges));
		if (!more)
			return -ENOMEM;
		d->ranges = more;
		if (d->nranges == MAX_RANGES)
			break;
		d->ranges[d->nranges++] = (struct unit_range){ low, high, d->nunits };
	}
	if (had == d->nranges)
		return 0;
	more = with_room(d->units, d->nunits, &d->units_room, sizeof(*d->units));
	if (!more)
		return -ENOMEM;
	d->units = more;
	d->units[d->nunits++] = (struct unit){ .die = dwarf_dieoffset(die) };
	return 0;
}

static int cmp_unit_range(const void *a, const void *b)
{
	const struct unit_range *x = a, *y = b;

	return x->low != y->low ? (x->low < y->low ? -1 : 1) : x->high < y->high ? -1 : 1;
}

int dwarf_info__read_units(struct dwarf_info *d)
{
	Dwarf_CU *cu = NULL;
	Dwarf_Die die;
	int err = 0;

	/* no sub-DIE is asked for: libdw would open the split unit's file, whatever it is */
	while (!err && dwarf_get_units(d->dw, cu, &cu, NULL, NULL, &die, NULL) == 0) {
		int tag = dwarf_tag(&die);

		if (tag == DW_TAG_compile_unit || tag == DW_TAG_skeleton_unit)
			err = add_unit(d, &die);
	}
	if (d->nranges)
		qsort(d->ranges, d->nranges, sizeof(*d->ranges), cmp_unit_range);
	return err;
}

struct unit *dwarf_info__unit(const struct dwarf_info *d, __u64 addr)
{
	size_t low = 0, high = d->nranges;

	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (d->ranges[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < MAX_BACK && i < low; i++)
		if (addr < d->ranges[low - 1 - i].high)
			return &d->units[d->ranges[low - 1 - i].unit];
	return NULL;
}

/* ---- functions -------------------------------------------------------------------------------- */

/* Ranges of a DIE, one after the other: begins with all 0. */
struct ranges_of {
	ptrdiff_t at;
	Dwarf_Addr base, low, high; /* base: dwarf_ranges() keeps it */
};

/* The next one that is code. False: there is no more. */
static bool next_range(struct dwarf_info *d, Dwarf_Die *die, struct ranges_of *r)
{
	do
		r->at = dwarf_ranges(die, r->at, &r->base, &r->low, &r->high);
	while (r->at > 0 && !is_code(d, r->low, r->high));
	return r->at > 0;
}

static int add_function(struct dwarf_info *d, struct unit *u, Dwarf_Die *die)
{
	struct ranges_of r = {};

	while (next_range(d, die, &r)) {
		void *more =
			with_room(u->functions, u->nfunctions, &u->room, sizeof(*u->functions));

		if (!more)
			return -ENOMEM;
		u->functions = more;
		if (u->nfunctions == MAX_RANGES)
			break;
		u->functions[u->nfunctions++] = (struct function_range){
			.low = r.low, .high = r.high, .die = dwarf_dieoffset(die)
		};
	}
	return 0;
}

static int cmp_function(const void *a, const void *b)
{
	const struct function_range *x = a, *y = b;

	return x->low != y->low ? (x->low < y->low ? -1 : 1) : x->high < y->high ? -1 : 1;
}

/* Functions are in a unit or in a namespace; in a type, where LLVM makes Rust's methods. */
static bool may_hold_functions(int tag, bool rust)
{
	return tag == DW_TAG_namespace || tag == DW_TAG_module ||
	       (rust && (tag == DW_TAG_structure_type || tag == DW_TAG_union_type ||
			 tag == DW_TAG_enumeration_type));
}

static void read_functions(struct dwarf_info *d, struct unit *u)
{
	struct walk *w = malloc(sizeof(*w));
	Dwarf_Die top, *die;
	bool descend = true, rust;

	u->functions_tried = true;
	if (!w || !dwarf_offdie(d->dw, u->die, &top))
		goto out;
	rust = dwarf_srclang(&top) == DW_LANG_Rust;
	walk__begin(w, &top);
	while ((die = walk__next(w, descend))) {
		int tag = dwarf_tag(die);

		if (tag == DW_TAG_subprogram && add_function(d, u, die))
			break;
		descend = may_hold_functions(tag, rust);
	}
	if (u->nfunctions)
		qsort(u->functions, u->nfunctions, sizeof(*u->functions), cmp_function);
out:
	free(w);
}

/* ---- calls ------------------------------------------------------------------------------------ */

static int add_call(struct dwarf_info *d, struct function_range *f, Dwarf_Die *die, __u32 depth)
{
	struct ranges_of r = {};

	while (next_range(d, die, &r)) {
		void *more = with_room(f->calls, f->ncalls, &f->room, sizeof(*f->calls));

		if (!more)
			return -ENOMEM;
		f->calls = more;
		if (f->ncalls == MAX_RANGES)
			break;
		f->calls[f->ncalls++] = (struct inlined_range){
			.low = r.low, .high = r.high, .die = dwarf_dieoffset(die), .depth = depth
		};
	}
	return 0;
}

static void read_calls(struct dwarf_info *d, struct function_range *f)
{
	/* how many of the DIEs above one at a depth are calls */
	__u32 *above = calloc(MAX_DEPTH + 1, sizeof(*above));
	struct walk *w = malloc(sizeof(*w));
	Dwarf_Die top, *die;
	bool descend = true;

	f->tried = true;
	if (!w || !above || !dwarf_offdie(d->dw, f->die, &top))
		goto out;
	walk__begin(w, &top);
	while ((die = walk__next(w, descend))) {
		int tag = dwarf_tag(die);

		above[w->depth + 1] = above[w->depth];
		descend = tag == DW_TAG_inlined_subroutine || tag == DW_TAG_lexical_block ||
			  tag == DW_TAG_try_block || tag == DW_TAG_catch_block;
		if (tag == DW_TAG_inlined_subroutine && add_call(d, f, die, ++above[w->depth + 1]))
			break;
	}
out:
	free(above);
	free(w);
}

const struct function_range *unit__function(struct dwarf_info *d, struct unit *u, __u64 addr)
{
	size_t low = 0, high;

	if (!u->functions_tried)
		read_functions(d, u);
	high = u->nfunctions;
	while (low < high) {
		size_t mid = low + (high - low) / 2;

		if (u->functions[mid].low <= addr)
			low = mid + 1;
		else
			high = mid;
	}
	for (size_t i = 0; i < MAX_BACK && i < low; i++) {
		struct function_range *f = &u->functions[low - 1 - i];

		if (addr >= f->high)
			continue;
		if (!f->tried)
			read_calls(d, f);
		return f;
	}
	return NULL;
}

size_t function__calls(const struct function_range *f, __u64 addr, Dwarf_Off *dies, size_t max)
{
	size_t n = 0;

	/* those that hold it are each in the one before: the walk came by the outer ones first */
	for (size_t i = 0; i < f->ncalls && n < max; i++) {
		const struct inlined_range *c = &f->calls[i];

		if (addr < c->low || addr >= c->high || c->depth != n + 1)
			continue;
		dies[n++] = c->die;
	}
	for (size_t i = 0; i < n / 2; i++) {
		Dwarf_Off other = dies[i];

		dies[i] = dies[n - 1 - i];
		dies[n - 1 - i] = other;
	}
	return n;
}
