/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "objects.h"
#include "symbols.h"

struct sym_object *open_object(struct symbolizer *sz, const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	static __u32 generation;
	struct sym_file file = { .path = path, .generation = ++generation };
	struct sym_object *obj;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		abort();
	file.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	file.ino = st.st_ino;
	obj = symbolizer__object(sz, &file);
	if (!obj)
		abort();
	sym_object__open(obj, fd);
	close(fd);
	return obj;
}

struct elf_image *open_image_at(const char *path, int *fd)
{
	*fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	return *fd < 0 ? NULL : elf_image__open(*fd);
}

long long file_offset(const struct elf_image *img, __u64 vaddr)
{
	for (size_t i = 0; i < img->nloads; i++)
		if (vaddr - img->loads[i].vaddr < img->loads[i].filesz)
			return img->loads[i].offset + (vaddr - img->loads[i].vaddr);
	return -1;
}

bool run(const char *fmt, ...)
{
	char command[4096];
	va_list ap;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	return system(command) == 0;
}

char **lines_of(const char *fmt, ...)
{
	size_t len = 0, room = 1 << 16, n = 0;
	char command[4096], *text = malloc(room), *at, **lines;
	va_list ap;
	FILE *p;

	va_start(ap, fmt);
	vsnprintf(command, sizeof(command), fmt, ap);
	va_end(ap);
	p = popen(command, "r");
	if (!p || !text)
		abort();
	while (!feof(p) && !ferror(p)) {
		len += fread(text + len, 1, room - len - 1, p);
		if (len + 1 == room && !(text = realloc(text, room *= 2)))
			abort();
	}
	text[len] = '\0';
	for (at = text; *at; at++)
		n += *at == '\n';
	lines = malloc((n + 1) * sizeof(*lines) + len + 1);
	if (!lines)
		abort();
	at = memcpy(lines + n + 1, text, len + 1);
	for (size_t i = 0; i < n; i++) {
		lines[i] = strsep(&at, "\n");
	}
	lines[n] = NULL;
	free(text);
	if (pclose(p) == 0)
		return lines;
	free(lines);
	return NULL;
}

bool compile_cxx(const char *name, const char *source, const char *flags)
{
	char path[256];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.cc", test_dir(), name);
	f = fopen(path, "w");
	if (!f || fputs(source, f) < 0 || fclose(f))
		abort();
	return run("${CXX:-c++} -w -o %s/%s %s %s 2>/dev/null </dev/null", test_dir(), name, path,
		   flags);
}

unsigned char *read_file(const char *path, size_t *size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	unsigned char *data;
	struct stat st;

	if (fd < 0 || fstat(fd, &st))
		abort();
	data = malloc(st.st_size + 1);
	if (!data || read(fd, data, st.st_size) != st.st_size)
		abort();
	close(fd);
	*size = st.st_size;
	return data;
}

int memory_file(const void *data, size_t size)
{
	int fd = memfd_create("object", MFD_CLOEXEC);

	if (fd < 0 || write(fd, data, size) != (ssize_t)size)
		abort();
	return fd;
}
