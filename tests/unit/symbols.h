/* SPDX-License-Identifier: GPL-2.0-only */
/* Objects for the symbolizer, and what other programs say of them. */
#ifndef SYMBOLS_H
#define SYMBOLS_H

#include <stdbool.h>
#include <stddef.h>

#include "symbol/image.h"
#include "symbol/symbolizer.h"

/*
 * The object of a file, opened as when it was first seen mapped; another one each time, as file
 * systems count inodes that are used again. Aborts where there is no such file.
 */
struct sym_object *open_object(struct symbolizer *sz, const char *path);

/* The image of a file, or NULL with errno; *fd is the caller's. */
struct elf_image *open_image_at(const char *path, int *fd);

/* The offset of a linked address in the file; -1: none. */
long long file_offset(const struct elf_image *img, __u64 vaddr);

/* Run a command of printf's form for its lines; false where it fails. */
bool run(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Lines of a command's output, NULL-terminated, one allocation for all; NULL where it fails. */
char **lines_of(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* Compile C++ source with the flags into test_dir()/name; false where the machine cannot. */
bool compile_cxx(const char *name, const char *source, const char *flags);

/* Bytes of a file, malloc()ed. */
unsigned char *read_file(const char *path, size_t *size);

/* A descriptor of an anonymous file with these bytes. */
int memory_file(const void *data, size_t size);

#endif /* SYMBOLS_H */
