/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "symbol/demangle.h"
#include "symbol/internal.h"

#define MAX_OPEN_FILES  256
#define MAX_DEBUG_BYTES (512ULL << 20)
#define DEBUG_DIR       "/usr/lib/debug"

struct interned {
	UT_hash_handle hh;
	char text[];
};

const char *symbolizer__intern(struct symbolizer *sz, const char *text)
{
	size_t len = strlen(text);
	struct interned *s;

	HASH_FIND(hh, sz->strings, text, len, s);
	if (s)
		return s->text;
	s = calloc(1, sizeof(*s) + len + 1);
	if (!s)
		return NULL;
	memcpy(s->text, text, len);
	HASH_ADD(hh, sz->strings, text, len, s);
	if (!s->hh.tbl) {
		free(s);
		return NULL;
	}
	return s->text;
}

const char *symbolizer__intern_name(struct symbolizer *sz, const char *name)
{
	char buf[DEMANGLED_MAX];

	return symbolizer__intern(sz, sz->opts.no_demangle ? name : demangle(name, buf));
}

struct symbolizer *symbolizer__new(const struct symbolizer_opts *opts)
{
	struct symbolizer *sz = calloc(1, sizeof(*sz));

	if (!sz)
		return NULL;
	if (opts)
		sz->opts = *opts;
	if (!sz->opts.max_open_files)
		sz->opts.max_open_files = MAX_OPEN_FILES;
	if (!sz->opts.max_debug_bytes)
		sz->opts.max_debug_bytes = MAX_DEBUG_BYTES;
	/* an object and its debug file */
	sz->files.max = sz->opts.max_open_files > 2 ? sz->opts.max_open_files : 2;
	sz->debug_dir = strdup(sz->opts.debug_dir ? sz->opts.debug_dir : DEBUG_DIR);
	sz->opts.debug_dir = sz->debug_dir;
	if (!sz->debug_dir) {
		free(sz);
		return NULL;
	}
	return sz;
}

void symbolizer__free(struct symbolizer *sz)
{
	struct sym_object *obj, *next;
	struct interned *s, *next_string;

	if (!sz)
		return;
	HASH_ITER (hh, sz->objects, obj, next) {
		HASH_DEL(sz->objects, obj);
		object__free(obj);
	}
	object__free(sz->vdso);
	kernel_symbols__free(sz->kernel);
	jit_processes__free(sz);
	HASH_ITER (hh, sz->strings, s, next_string) {
		HASH_DEL(sz->strings, s);
		free(s);
	}
	free(sz->debug_dir);
	free(sz);
}
