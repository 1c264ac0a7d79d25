/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines and inlined calls: libdw, given only files whose sections were checked. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "symbol/dwarf.h"

#define MAX_LINK_BYTES 4096
#define MAX_CALLS      (SYM_MAX_INLINED - 1)
#define PATH_BYTES     8192

/* Forget what is read of other objects, the one not used for longest first, until there is room. */
static bool make_room(struct sym_object *obj, __u64 bytes)
{
	struct symbolizer *sz = obj->sz;

	while (bytes > sz->opts.max_debug_bytes ||
	       sz->debug_bytes > sz->opts.max_debug_bytes - bytes) {
		struct sym_object *o, *next, *oldest = NULL;

		HASH_ITER (hh, sz->objects, o, next)
			if (o != obj && o->dwarf && (!oldest || o->dwarf_used < oldest->dwarf_used))
				oldest = o;
		if (!oldest)
			break;
		sz->debug_bytes -= oldest->dwarf->bytes;
		dwarf_info__free(oldest->dwarf);
		oldest->dwarf = NULL;
		oldest->dwarf_tried = false;
	}
	if (bytes <= sz->opts.max_debug_bytes &&
	    sz->debug_bytes <= sz->opts.max_debug_bytes - bytes)
		return true;
	if (!sz->warned_debug_bytes)
		log_warn("%s: its debug information takes too much memory: no lines and inlined "
			 "functions of it and of others like it",
			 obj->path);
	sz->warned_debug_bytes = true;
	return false;
}

/* ---- the file that several share -------------------------------------------------------------- */

/* A file for .gnu_debugaltlink (dwz): the path in it, from the file that has it, or by build id. */
static struct debug_copy *open_alt(const struct symbolizer_opts *opts, const char *of,
				   const char *link, size_t link_len, const unsigned char *id,
				   size_t id_len)
{
	int len = strrchr(of, '/') ? strrchr(of, '/') - of + 1 : 0, fd = -ENOENT;
	struct debug_copy *copy = NULL;
	struct elf_image *img;
	char path[PATH_BYTES];
	__u64 bytes;

	if (link_len + len < sizeof(path)) {
		snprintf(path, sizeof(path), "%.*s%s", link[0] == '/' ? 0 : len, of, link);
		fd = open_regular(path);
	}
	if (fd < 0 && build_id_path(path, sizeof(path), opts->debug_dir, id, id_len))
		fd = open_regular(path);
	if (fd < 0)
		return NULL;
	img = elf_image__open_debug(fd);
	if (img && img->build_id_len == id_len && !memcmp(img->build_id, id, id_len)) {
		bytes = debug_copy__bytes(img);
		if (bytes && bytes <= opts->max_debug_bytes)
			copy = debug_copy__make(img);
	}
	elf_image__free(img);
	close(fd);
	return copy;
}

/*
 * libdw would open whatever the link names, and wait for a FIFO. True where there is no such link,
 * or its file is set.
 */
static bool set_alt(struct sym_object *obj, struct dwarf_info *d, const struct elf_image *img,
		    const char *path)
{
	const struct elf_section *s = elf_image__section(img, ".gnu_debugaltlink");
	char *link = s ? elf_image__section_data(img, s, MAX_LINK_BYTES) : NULL;
	size_t len = link ? strlen(link) : 0;

	if (!s)
		return true;
	if (len && len + 1 < s->size)
		d->alt = open_alt(&obj->sz->opts, path, link, len, (unsigned char *)link + len + 1,
				  s->size - len - 1);
	free(link);
	if (!d->alt)
		return false;
	dwarf_setalt(d->copy->dw, d->alt->dw);
	return true;
}

/* ---- opening ---------------------------------------------------------------------------------- */

void dwarf_info__free(struct dwarf_info *d)
{
	if (!d)
		return;
	for (size_t i = 0; i < d->nunits; i++) {
		struct unit *u = &d->units[i];

		for (size_t j = 0; j < u->nfunctions; j++)
			free(u->functions[j].calls);
		free(u->functions);
	}
	free(d->units);
	free(d->ranges);
	debug_copy__free(d->copy);
	debug_copy__free(d->alt);
	free(d);
}

static struct dwarf_info *dwarf_info__open(struct sym_object *obj, const struct elf_image *img,
					   const char *path)
{
	struct dwarf_info *d = calloc(1, sizeof(*d));

	if (!d)
		return NULL;
	d->code = obj->image;
	d->copy = debug_copy__make(img);
	if (d->copy && set_alt(obj, d, img, path)) {
		d->dw = d->copy->dw;
		if (!dwarf_info__read_units(d))
			return d;
	}
	dwarf_info__free(d);
	return NULL;
}

static struct dwarf_info *object__dwarf(struct sym_object *obj)
{
	const struct elf_image *img = obj->image;
	const char *path = obj->path;
	__u64 size;

	obj->dwarf_used = ++obj->sz->clock;
	if (obj->dwarf_tried)
		return obj->dwarf;
	obj->dwarf_tried = true;
	size = img->mem ? 0 : debug_copy__bytes(img);
	if (!size && obj->debug_image) {
		img = obj->debug_image;
		path = obj->debug_file.path;
		size = debug_copy__bytes(img);
	}
	if (!size || img->fd < 0 || !make_room(obj, size))
		return NULL;
	obj->dwarf = dwarf_info__open(obj, img, path);
	if (obj->dwarf) {
		obj->dwarf->bytes = size + (obj->dwarf->alt ? obj->dwarf->alt->size : 0);
		obj->sz->debug_bytes += obj->dwarf->bytes;
	}
	return obj->dwarf;
}

/* ---- lines ------------------------------------------------------------------------------------ */

/* May the unit's lines be asked for? They are charged for on the first time. */
static bool unit__has_lines(struct sym_object *obj, struct dwarf_info *d, struct unit *u,
			    Dwarf_Die *unit)
{
	__u64 bytes;

	if (u->lines_tried)
		return u->has_lines;
	u->lines_tried = true;
	bytes = line_table_cost(d, unit);
	if (bytes == UINT64_MAX || !make_room(obj, bytes))
		return false;
	d->bytes += bytes;
	obj->sz->debug_bytes += bytes;
	u->has_lines = true;
	return true;
}

/* Names of files are often relative to where the compiler ran. */
static void set_line(struct sym_object *obj, struct sym_frame *f, Dwarf_Die *unit, const char *src,
		     int line)
{
	Dwarf_Attribute attr;
	const char *dir = NULL;
	char path[PATH_BYTES];

	if (src && src[0] != '/')
		dir = dwarf_formstring(dwarf_attr(unit, DW_AT_comp_dir, &attr));
	if (dir && *dir && strnlen(dir, PATH_BYTES) + strnlen(src, PATH_BYTES) + 2 <= PATH_BYTES) {
		sprintf(path, "%s/%s", dir, src);
		src = path;
	}
	f->src = src && strnlen(src, PATH_BYTES) < PATH_BYTES ? symbolizer__intern(obj->sz, src) :
								NULL;
	f->line = f->src && line > 0 ? line : 0;
}

/* Where a call that was inlined is in the source. */
static void set_call_line(struct sym_object *obj, struct sym_frame *f, Dwarf_Die *unit,
			  Dwarf_Die *call)
{
	Dwarf_Word file = 0, line = 0;
	Dwarf_Attribute attr;
	Dwarf_Files *files;
	size_t n;

	if (dwarf_formudata(dwarf_attr(call, DW_AT_call_file, &attr), &file) ||
	    dwarf_getsrcfiles(unit, &files, &n) || file >= n)
		return;
	dwarf_formudata(dwarf_attr(call, DW_AT_call_line, &attr), &line);
	set_line(obj, f, unit, dwarf_filesrc(files, file, NULL, NULL),
		 line <= INT32_MAX ? line : 0);
}

/* ---- frames ----------------------------------------------------------------------------------- */

static const char *die_name(struct sym_object *obj, Dwarf_Die *die)
{
	static const unsigned int attributes[] = { DW_AT_linkage_name, DW_AT_MIPS_linkage_name,
						   DW_AT_name };
	Dwarf_Attribute attr;
	const char *name = NULL;

	for (size_t i = 0; !name && i < sizeof(attributes) / sizeof(*attributes); i++)
		name = dwarf_formstring(dwarf_attr_integrate(die, attributes[i], &attr));
	if (!name || !*name || strnlen(name, SYMBOL_NAME_MAX) == SYMBOL_NAME_MAX)
		return NULL;
	return symbolizer__intern_name(obj->sz, name);
}

size_t object__dwarf_frames(struct sym_object *obj, __u64 vaddr, struct sym_frame *out, size_t max)
{
	const struct symbolizer_opts *opts = &obj->sz->opts;
	struct dwarf_info *d = object__dwarf(obj);
	struct unit *u = d ? dwarf_info__unit(d, vaddr) : NULL;
	const struct function_range *f = NULL;
	Dwarf_Off calls[MAX_CALLS];
	Dwarf_Die unit, die;
	size_t n = 0;
	bool lines;

	if (!u || !max || !dwarf_offdie(d->dw, u->die, &unit))
		return 0;
	lines = opts->lines && unit__has_lines(obj, d, u, &unit);
	out[0] = (struct sym_frame){};
	if (lines) {
		Dwarf_Line *line = dwarf_getsrc_die(&unit, vaddr);
		int number = 0;

		if (line && !dwarf_lineno(line, &number))
			set_line(obj, &out[0], &unit, dwarf_linesrc(line, NULL, NULL), number);
	}
	if (!opts->inlines)
		return 1;
	f = unit__function(d, u, vaddr);
	if (f)
		n = function__calls(f, vaddr, calls, max - 1 < MAX_CALLS ? max - 1 : MAX_CALLS);
	for (size_t i = 0; i < n; i++) {
		out[i + 1] = (struct sym_frame){};
		if (!dwarf_offdie(d->dw, calls[i], &die))
			continue;
		out[i].name = die_name(obj, &die);
		if (lines)
			set_call_line(obj, &out[i + 1], &unit, &die);
	}
	if (f && dwarf_offdie(d->dw, f->die, &die))
		out[n].name = die_name(obj, &die);
	return n + 1;
}
