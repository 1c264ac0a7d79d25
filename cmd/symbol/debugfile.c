/* SPDX-License-Identifier: GPL-2.0-only */
/* Separate debug files: by build id, by .gnu_debuglink, from debuginfod; see gdb's manual. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <zlib.h>

#include "base/log.h"
#include "symbol/internal.h"

#define MAX_LINK_BYTES 4096       /* of .gnu_debuglink */
#define MAX_CRC_BYTES  (1U << 30) /* a larger file is not read whole to be checked */
#define PATH_BYTES     8192

bool build_id_path(char *buf, size_t size, const char *dir, const unsigned char *id, size_t len)
{
	int n = len >= 2 ? snprintf(buf, size, "%s/.build-id/%02x/", dir, id[0]) : -1;

	if (n < 0 || (size_t)n + 2 * len + 8 > size)
		return false;
	for (size_t i = 1; i < len; i++)
		n += sprintf(buf + n, "%02x", id[i]);
	strcpy(buf + n, ".debug");
	return true;
}

static bool has_build_id_of(const struct elf_image *img, const struct elf_image *of)
{
	return of->build_id_len && img->build_id_len == of->build_id_len &&
	       !memcmp(img->build_id, of->build_id, of->build_id_len);
}

/* The checksum that .gnu_debuglink has of the debug file: zlib's crc32(). */
static bool has_crc(const struct elf_image *img, __u32 wanted)
{
	static const size_t chunk = 65536;
	unsigned char *buf = malloc(chunk);
	uLong crc = crc32(0, NULL, 0);
	ssize_t n = -1;

	for (__u64 at = 0; buf && img->size <= MAX_CRC_BYTES; at += n) {
		n = elf_image__read_some(img, buf, chunk, at);
		if (n <= 0)
			break;
		crc = crc32(crc, buf, n);
	}
	free(buf);
	return n == 0 && crc == wanted;
}

/* Take the file, which becomes the object's, if it is the right one. crc: NULL where build ids tell. */
static bool take(struct sym_object *obj, int fd, const char *path, const __u32 *crc)
{
	struct open_file *f = &obj->debug_file;
	struct elf_image *img = elf_image__open(fd);
	bool right = img && img->machine == obj->image->machine;

	if (right && obj->image->build_id_len)
		right = has_build_id_of(img, obj->image);
	else if (right)
		right = crc && has_crc(img, *crc);
	f->path = right ? strdup(path) : NULL;
	if (!f->path) {
		elf_image__free(img);
		close(fd);
		return false;
	}
	if (open_file__set(&obj->sz->files, f, fd)) {
		elf_image__free(img);
		free(f->path);
		f->path = NULL;
		return false;
	}
	memcpy(f->build_id, img->build_id, BUILD_ID_MAX);
	f->build_id_len = img->build_id_len;
	obj->debug_image = img;
	log_debug("%s: debug file %s", obj->path, path);
	return true;
}

static bool try_path(struct sym_object *obj, const char *path, const __u32 *crc)
{
	int fd = open_regular(path);

	return fd >= 0 && take(obj, fd, path, crc);
}

static bool by_build_id(struct sym_object *obj)
{
	const struct elf_image *img = obj->image;
	char path[PATH_BYTES];

	return build_id_path(path, sizeof(path), obj->sz->debug_dir, img->build_id,
			     img->build_id_len) &&
	       try_path(obj, path, NULL);
}

/* A name, NUL-padded to 4 bytes, and the checksum. The name is that of a file in some directories. */
static bool by_link(struct sym_object *obj)
{
	const struct elf_section *s = elf_image__section(obj->image, ".gnu_debuglink");
	char *link = s ? elf_image__section_data(obj->image, s, MAX_LINK_BYTES) : NULL;
	size_t len = link ? strlen(link) : 0, at = (len + 4) & ~3UL;
	int dir = strrchr(obj->path, '/') ? strrchr(obj->path, '/') - obj->path : 0;
	char path[PATH_BYTES];
	bool found = false;
	__u32 crc;

	if (len && !strchr(link, '/') && at + 4 <= s->size && obj->path[0] == '/') {
		const struct {
			const char *top, *sub;
		} places[] = { { "", "/.debug" }, { "", "" }, { obj->sz->debug_dir, "" } };

		crc = elf_image__u32(obj->image, link + at);
		for (size_t i = 0; !found && i < sizeof(places) / sizeof(*places); i++) {
			int n = snprintf(path, sizeof(path), "%s%.*s%s/%s", places[i].top, dir,
					 obj->path, places[i].sub, link);

			/* it may name the object itself */
			found = n > 0 && n < (int)sizeof(path) && strcmp(path, obj->path) &&
				try_path(obj, path, &crc);
		}
	}
	free(link);
	return found;
}

/*
 * libdebuginfod is looked for at run time: few want it, and it brings libcurl. Its interface is
 * debuginfod_find_debuginfo(3).
 */
static bool by_debuginfod(struct sym_object *obj)
{
	const struct elf_image *img = obj->image;
	void *lib, *client = NULL, *(*begin)(void) = NULL;
	void (*end)(void *) = NULL;
	int (*find)(void *, const unsigned char *, int, char **) = NULL;
	char *path = NULL;
	int fd = -1;

	if (!img->build_id_len)
		return false;
	lib = dlopen("libdebuginfod.so.1", RTLD_NOW | RTLD_LOCAL);
	if (lib) {
		*(void **)&begin = dlsym(lib, "debuginfod_begin");
		*(void **)&find = dlsym(lib, "debuginfod_find_debuginfo");
		*(void **)&end = dlsym(lib, "debuginfod_end");
	}
	if (!begin || !find || !end) {
		if (!obj->sz->warned_debuginfod)
			log_warn("debuginfod: libdebuginfod.so.1 is not here");
		obj->sz->warned_debuginfod = true;
	} else {
		client = begin();
	}
	if (client) {
		fd = find(client, img->build_id, img->build_id_len, &path);
		end(client);
	}
	/* not closed: libcurl does not like to be loaded twice */
	if (fd >= 0 && path)
		fd = take(obj, fd, path, NULL) ? fd : -1;
	else if (fd >= 0)
		close(fd);
	free(path);
	return fd >= 0;
}

void object__find_debug_file(struct sym_object *obj)
{
	const struct symbolizer_opts *opts = &obj->sz->opts;
	bool has_symbols = elf_image__section_by_type(obj->image, SHT_SYMTAB);
	bool has_dwarf = elf_image__section(obj->image, ".debug_info");

	if (has_symbols && (has_dwarf || !(opts->inlines || opts->lines)))
		return;
	if (!by_build_id(obj) && !by_link(obj) && opts->debuginfod)
		by_debuginfod(obj);
}
