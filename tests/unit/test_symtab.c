/* SPDX-License-Identifier: GPL-2.0-only */
/* Symbols of real objects are compared with what nm prints of them. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "objects.h"
#include "symbol/symtab.h"
#include "symbols.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* A line of nm -S: address, size, type, name without version. */
struct nm_line {
	unsigned long long addr, size;
	char type, name[4096];
};

static bool parse(const char *line, struct nm_line *l)
{
	l->size = 0;
	if (sscanf(line, "%llx %llx %c %4095s", &l->addr, &l->size, &l->type, l->name) != 4 &&
	    (sscanf(line, "%llx %c %4095s", &l->addr, &l->type, l->name) != 3))
		return false;
	l->name[strcspn(l->name, "@")] = '\0';
	return true;
}

/* Is the name one that nm has for the address? */
static bool has_name(char **lines, unsigned long long addr, const char *name)
{
	struct nm_line l;

	for (size_t i = 0; lines[i]; i++)
		if (parse(lines[i], &l) && l.addr == addr && !strcmp(l.name, name))
			return true;
	return false;
}

static void check_symbol(struct symbolizer *sz, struct sym_object *obj, const struct elf_image *img,
			 const struct nm_line *l, char **lines, const char *path)
{
	unsigned long long offset = file_offset(img, l->addr), last = l->size ? l->size - 1 : 0;
	struct sym_frame f;

	assert_int_equal(symbolizer__file_frames(sz, obj, offset, false, &f, 1), 1);
	if (!f.name || f.offset || (strcmp(f.name, l->name) && !has_name(lines, l->addr, f.name)))
		fail_msg("%s: %llx is %s+%llx, not %s", path, l->addr, f.name,
			 (unsigned long long)f.offset, l->name);
	assert_string_equal(f.object, path);
	assert_int_equal(symbolizer__file_frames(sz, obj, offset + last, false, &f, 1), 1);
	/* another may begin in it */
	if (!f.name || (f.offset != last && !has_name(lines, l->addr + last - f.offset, f.name)))
		fail_msg("%s: %llx is %s+%llx, not %s", path, l->addr + last, f.name,
			 (unsigned long long)f.offset, l->name);
	/* returned to, the end is in it */
	assert_int_equal(symbolizer__file_frames(sz, obj, offset + last + 1, true, &f, 1), 1);
	assert_true(f.name && (f.offset == last + 1 ||
			       has_name(lines, l->addr + last + 1 - f.offset, f.name)));
}

/* Functions (types T, t, W, w, i) or data (others), as nm has them of one table. */
static size_t check_nm(const char *path, const char *flags)
{
	struct symbolizer_opts opts = { .no_demangle = true, .debug_dir = "/nonexistent" };
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *obj = open_object(sz, path);
	char **lines = lines_of("nm -S --defined-only %s '%s' 2>/dev/null", flags, path);
	struct elf_image *img;
	size_t n = 0;
	int fd;

	img = open_image_at(path, &fd);
	assert_non_null(img);
	for (size_t i = 0; lines && lines[i]; i++) {
		struct nm_line l;
		struct sym_frame f;

		if (!parse(lines[i], &l) || !l.size || !l.addr || i % 7)
			continue;
		if (strchr("tTwWi", l.type) && file_offset(img, l.addr) >= 0) {
			__u64 vaddr;

			/* a weak object is V, but what is in no code is no function */
			if (!elf_image__vaddr(img, file_offset(img, l.addr), true, &vaddr))
				continue;
			check_symbol(sz, obj, img, &l, lines, path);
			n++;
		} else if (strchr("dDbBrRV", l.type)) {
			/* thread-local ones have small numbers, which are no addresses */
			if (!symbolizer__data_vaddr(sz, obj, l.addr, &f) || f.offset)
				continue;
			assert_true(has_name(lines, l.addr, f.name));
			assert_true(symbolizer__data_vaddr(sz, obj, l.addr + l.size - 1, &f));
			n++;
		}
	}
	free(lines);
	elf_image__free(img);
	close(fd);
	symbolizer__free(sz);
	return n;
}

static void test_system_objects(void **state)
{
	static const char *const commands[] = {
		"awk '$6 ~ /\\/(libc|libm|libstdc|ld-linux|libcmocka)[.+-]/ { print $6 }' "
		"/proc/self/maps | sort -u",
		"ls /lib/*/libcrypto.so.3 /lib/*/libsqlite3.so.0 /lib/*/libstdc++.so.6 2>/dev/null",
		"readlink -f \"$(command -v python3)\" /bin/bash",
	};
	size_t n = 0;

	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		char **paths = lines_of("%s", commands[i]);

		for (size_t j = 0; paths && paths[j]; j++) {
			size_t fd_bytes;
			char *head = (char *)read_file(paths[j], &fd_bytes);

			if (fd_bytes > 4 && !memcmp(head, ELFMAG, SELFMAG))
				n += check_nm(paths[j], "-D");
			free(head);
		}
		free(paths);
	}
	if (!n)
		skip();
	assert_true(n > 100);
}

static void test_own_program(void **state)
{
	char path[512];
	ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - 1);

	assert_true(n > 0);
	path[n] = '\0';
	if (!run("nm --version >/dev/null 2>&1"))
		skip();
	assert_true(check_nm(path, "") > 50);
}

static const char kinds_source[] =
	"int table[4096] = {1}, zeros[4096]; static const int constants[64] = {1};\n"
	"__thread int local = 5;\n"
	"asm(\".text\\n.globl handmade\\nhandmade: nop\\nnop\\n.Lx: nop\\ninner: nop\\n\"\n"
	"    \".globl sized\\n.type sized,@function\\nsized: nop\\nlabel: nop\\nnop\\n\"\n"
	"    \".size sized,3\\n.fill 13,1,0x0\\n\"\n"
	"    \".globl __under\\n.globl under\\n.weak weak\\n.type __under,@function\\n\"\n"
	"    \".type under,@function\\n.type weak,@function\\n.type near,@function\\n\"\n"
	"    \"__under:under:weak:near: nop\\nnop\\n\"\n"
	"    \".size __under,2\\n.size under,2\\n.size weak,2\\n.size near,2\\n\");\n"
	"int main(void) { return constants[local]; }\n";

static __u64 address(const char *path, const char *name)
{
	char **lines = lines_of("nm '%s' | awk '$3 == \"%s\" { print $1 }'", path, name);
	__u64 addr;

	assert_true(lines && lines[0]);
	addr = strtoull(lines[0], NULL, 16);
	free(lines);
	return addr;
}

static const char *function(const struct symtab *t, __u64 addr, __u64 *offset)
{
	static char name[SYMBOL_NAME_MAX];
	const struct symbol *s = symtab__find(t, addr);

	if (!s || symtab__name(t, s, addr, name))
		return "?";
	*offset = addr - s->addr;
	return name;
}

static void test_kinds(void **state)
{
	static const char *const flags[] = { "", "-m32 -fno-pic -no-pie" };
	int tried = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		struct elf_image *img;
		char path[256];
		struct symtab t;
		__u64 at, offset = 0;
		int fd;

		if (!compile("kinds", kinds_source, flags[i]))
			continue;
		tried++;
		snprintf(path, sizeof(path), "%s/kinds", test_dir());
		img = open_image_at(path, &fd);
		assert_non_null(img);
		assert_int_equal(symtab__read(&t, img, SHT_SYMTAB, SYMBOL_FUNCTION), 0);
		at = address(path, "handmade");
		assert_string_equal(function(&t, at + 1, &offset), "handmade");
		assert_string_equal(function(&t, at + 3, &offset), "inner");
		at = address(path, "sized");
		assert_string_equal(function(&t, at + 2, &offset), "sized");
		assert_int_equal(offset, 2);
		assert_string_equal(function(&t, at + 3, &offset), "?");
		at = address(path, "under");
		assert_string_equal(function(&t, at + 1, &offset), "under");
		at = address(path, "_start");
		assert_string_equal(function(&t, at, &offset), "_start");
		symtab__clear(&t);
		assert_int_equal(symtab__read(&t, img, SHT_SYMTAB, SYMBOL_DATA), 0);
		at = address(path, "table");
		assert_string_equal(function(&t, at + 0x1000, &offset), "table");
		assert_int_equal(offset, 0x1000);
		at = address(path, "zeros");
		assert_string_equal(function(&t, at + 16383, &offset), "zeros");
		at = address(path, "constants");
		assert_string_equal(function(&t, at + 4, &offset), "constants");
		for (size_t j = 0; j < t.n; j++)
			assert_true(strcmp(function(&t, t.v[j].addr, &offset), "local"));
		symtab__clear(&t);
		elf_image__free(img);
		close(fd);
	}
	if (!tried)
		skip();
}

/* ---- what is not sound ------------------------------------------------------------------------ */

/* Ask for some names of whatever it is; with sanitizers and a clock this finds what is wrong. */
static void look_at(const unsigned char *data, size_t size)
{
	struct symbolizer_opts opts = { .lines = true,
					.inlines = true,
					.debug_dir = "/nonexistent" };
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_file file = { .dev = 1, .ino = 1, .path = "/nonexistent/damaged" };
	struct sym_object *obj = symbolizer__object(sz, &file);
	struct sym_frame f[SYM_MAX_INLINED];
	int fd = memory_file(data, size);

	sym_object__open(obj, fd);
	for (__u64 at = 0; at < size; at += size / 16 + 1) {
		symbolizer__file_frames(sz, obj, at, at & 1, f, SYM_MAX_INLINED);
		symbolizer__data_offset(sz, obj, at, f);
	}
	symbolizer__data_vaddr(sz, obj, ~0ULL, f);
	symbolizer__file_frames(sz, obj, ~0ULL, true, f, SYM_MAX_INLINED);
	close(fd);
	symbolizer__free(sz);
}

static void test_damage(void **state)
{
	unsigned char *good, *bad;
	char path[256];
	size_t size;

	if (!compile("damaged", kinds_source, "-g -O1"))
		skip();
	snprintf(path, sizeof(path), "%s/damaged", test_dir());
	good = read_file(path, &size);
	bad = malloc(size);
	srand(1);
	for (size_t cut = 0; cut < size; cut += 97)
		look_at(good, cut);
	for (int round = 0; round < 600; round++) {
		__u64 shoff = ((Elf64_Ehdr *)good)->e_shoff;
		int n = 1 + rand() % 8;

		memcpy(bad, good, size);
		while (n--) {
			/* mostly in headers */
			size_t from = round % 3 == 0 ? 0 : round % 3 == 1 ? shoff : 0;
			size_t len = round % 3 == 0 ? 1024 : size - from;

			bad[from + rand() % len] = round & 1 ? 0xff : rand();
		}
		look_at(bad, size);
	}
	free(good);
	free(bad);
}

/* Tables that claim to be large, or lie outside of the file. */
static void test_hostile_tables(void **state)
{
	static const struct {
		__u64 offset, size;
	} rows[] = {
		{ 0, 1ULL << 40 },  { 1ULL << 40, 24 }, { ~0ULL, ~0ULL },
		{ ~0ULL - 24, 24 }, { 0, 1U << 30 },    { 1, 23 },
	};
	unsigned char *data;
	char path[256];
	size_t size;

	if (!compile("tables", kinds_source, ""))
		skip();
	snprintf(path, sizeof(path), "%s/tables", test_dir());
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		for (int type = SHT_SYMTAB; type <= SHT_STRTAB; type++) {
			Elf64_Ehdr *h;
			Elf64_Shdr *s;

			data = read_file(path, &size);
			h = (Elf64_Ehdr *)data;
			if (h->e_ident[EI_CLASS] != ELFCLASS64) {
				free(data);
				skip();
			}
			s = (Elf64_Shdr *)(data + h->e_shoff);
			for (int j = 0; j < h->e_shnum; j++) {
				if (s[j].sh_type != (__u32)type)
					continue;
				s[j].sh_offset = rows[i].offset;
				s[j].sh_size = rows[i].size;
			}
			look_at(data, size);
			free(data);
		}
	}
}

/* A table of a gigabyte that the file has, as zeros that are nowhere. */
static void test_sparse(void **state)
{
	struct symbolizer *sz = symbolizer__new(NULL);
	char path[256];
	Elf64_Ehdr *h;
	Elf64_Shdr *s;
	unsigned char *data;
	struct sym_object *obj;
	struct sym_frame f;
	size_t size;
	FILE *out;

	if (!compile("sparse", kinds_source, ""))
		skip();
	snprintf(path, sizeof(path), "%s/sparse", test_dir());
	data = read_file(path, &size);
	h = (Elf64_Ehdr *)data;
	s = (Elf64_Shdr *)(data + h->e_shoff);
	for (int i = 0; h->e_ident[EI_CLASS] == ELFCLASS64 && i < h->e_shnum; i++) {
		if (s[i].sh_type == SHT_SYMTAB || s[i].sh_type == SHT_DYNSYM) {
			s[i].sh_offset = 1 << 20;
			s[i].sh_size = (s[i].sh_type == SHT_SYMTAB ? 2040U : 180U) << 20;
		}
	}
	out = fopen(path, "w");
	assert_int_equal(fwrite(data, 1, size, out), size);
	fclose(out);
	free(data);
	assert_int_equal(truncate(path, 2048LL << 20), 0);
	obj = open_object(sz, path);
	assert_int_equal(symbolizer__file_frames(sz, obj, 0x1000, false, &f, 1), 1);
	assert_null(f.name);
	unlink(path);
	symbolizer__free(sz);
}

static void test_no_objects(void **state)
{
	struct symbolizer *sz = symbolizer__new(NULL);
	const char *paths[] = { "/dev/null", "/", "/etc/passwd", "fifo" };
	struct sym_file file = { .dev = 1, .ino = 2 };
	struct sym_frame f;
	char fifo[256];

	snprintf(fifo, sizeof(fifo), "%s/fifo", test_dir());
	assert_int_equal(mkfifo(fifo, 0600), 0);
	paths[3] = fifo;
	for (size_t i = 0; i < ARRAY_SIZE(paths); i++) {
		struct sym_object *obj;
		int fd;

		/* by its path */
		file.ino++;
		file.path = paths[i];
		obj = symbolizer__object(sz, &file);
		assert_ptr_equal(symbolizer__object(sz, &file), obj);
		assert_int_equal(symbolizer__file_frames(sz, obj, 1, false, &f, 1), 1);
		assert_null(f.name);
		/* opened by somebody who took no care */
		file.ino += 100;
		obj = symbolizer__object(sz, &file);
		fd = open(paths[i], O_RDONLY | O_NONBLOCK | O_CLOEXEC);
		assert_int_equal(sym_object__open(obj, fd), -ENOEXEC);
		assert_false(sym_object__wants_file(obj));
		close(fd);
		assert_false(symbolizer__data_offset(sz, obj, 1, &f));
		assert_int_equal(symbolizer__file_frames(sz, obj, 1, true, &f, 1), 1);
		assert_null(f.name);
		assert_int_equal(symbolizer__file_frames(sz, obj, 1, true, &f, 0), 0);
	}
	symbolizer__free(sz);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_objects), cmocka_unit_test(test_own_program),
		cmocka_unit_test(test_kinds),          cmocka_unit_test(test_damage),
		cmocka_unit_test(test_hostile_tables), cmocka_unit_test(test_sparse),
		cmocka_unit_test(test_no_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
