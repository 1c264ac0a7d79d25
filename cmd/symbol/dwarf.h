/* SPDX-License-Identifier: GPL-2.0-only */
/* What the parts that read DWARF share. */
#ifndef FS_DWARF_H
#define FS_DWARF_H

#include <dwarf.h>
#include <elfutils/libdw.h>

#include "symbol/debug_copy.h"
#include "symbol/internal.h"

/* Addresses [low, high) of a compilation unit, by number. */
struct unit_range {
	__u64 low, high;
	__u32 unit;
};

/* Addresses of a call that was inlined. */
struct inlined_range {
	__u64 low, high;
	Dwarf_Off die;
	__u32 depth; /* 1: into the function itself */
};

/* Addresses of a function; of one in parts there are several. */
struct function_range {
	__u64 low, high;
	Dwarf_Off die;
	bool tried; /* calls are read, on the first look-up in it */
	size_t ncalls, room;
	struct inlined_range *calls; /* by rising offset of the DIE: outer before inner */
};

struct unit {
	Dwarf_Off die;
	bool functions_tried, lines_tried, has_lines;
	size_t nfunctions, room;
	struct function_range *functions; /* sorted by low */
};

struct dwarf_info {
	struct debug_copy *copy, *alt; /* alt: what several files share (dwz), or NULL */
	Dwarf *dw;                     /* of copy */
	const struct elf_image
		*code; /* the object, whose segments tell which addresses there are */
	__u64 bytes;   /* in memory, counted in the symbolizer's debug_bytes */
	size_t nunits, units_room;
	struct unit *units;
	size_t nranges, ranges_room;
	struct unit_range *ranges; /* sorted by low */
};

/* Read the ranges of all units. 0 or -ENOMEM. */
int dwarf_info__read_units(struct dwarf_info *d);

/* The unit that holds an address, or NULL. */
struct unit *dwarf_info__unit(const struct dwarf_info *d, __u64 addr);

/* The function of the unit that holds an address, with its calls read, or NULL. */
const struct function_range *unit__function(struct dwarf_info *d, struct unit *u, __u64 addr);

/* DIEs of the calls that hold an address, innermost first, at most max. */
size_t function__calls(const struct function_range *f, __u64 addr, Dwarf_Off *dies, size_t max);

/*
 * Bytes of memory that libdw takes for a unit's line table, about; UINT64_MAX where it has none, or
 * libdw had better not be asked for it.
 */
__u64 line_table_cost(const struct dwarf_info *d, Dwarf_Die *unit);

#endif /* FS_DWARF_H */
