/* SPDX-License-Identifier: GPL-2.0-only */
/* The layout of real objects is compared with what readelf prints of them. */
#include <errno.h>
#include <fcntl.h>
#include <gelf.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "objects.h"
#include "symbol/elf.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

static struct elf_layout *read_path(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err;
	struct elf_layout *l;

	assert_true(fd >= 0);
	l = elf_layout__read(fd);
	err = errno;
	close(fd);
	errno = err;
	return l;
}

static void check_sane(const struct elf_layout *l, __u64 file_size)
{
	for (size_t i = 0; i < l->nspans; i++) {
		const struct elf_span *s = &l->spans[i];

		assert_true(s->offset < s->end && s->end <= file_size);
		assert_true(!i || l->spans[i - 1].end <= s->offset);
		assert_true(s->region == FS_REGION_TEXT || s->region == FS_REGION_RODATA ||
			    s->region == FS_REGION_DATA);
		assert_int_equal(elf_layout__region(l, s->offset), s->region);
		assert_int_equal(elf_layout__region(l, s->end - 1), s->region);
	}
	assert_true(l->nsegments > 0);
	for (size_t i = 1; i < l->nsegments; i++)
		assert_true(l->segments[i - 1].vaddr <= l->segments[i].vaddr);
	assert_int_equal(elf_layout__region(l, file_size), FS_REGION_FILE);
	assert_int_equal(elf_layout__region(l, ~0ULL), FS_REGION_FILE);
}

/* ---- readelf ---------------------------------------------------------------------------------- */

struct seg {
	unsigned long long offset, vaddr, filesz, memsz;
	char flags[4];
};

struct sec {
	unsigned long long offset, size;
	char name[80], type[32], flags[8];
};

struct readelf {
	size_t nsegs, nsecs;
	struct seg segs[16];
	struct sec secs[128];
};

static bool readelf(const char *path, struct readelf *r)
{
	char command[512], line[512];
	FILE *p;

	memset(r, 0, sizeof(*r));
	snprintf(command, sizeof(command), "LC_ALL=C readelf -lSW '%s' 2>/dev/null", path);
	p = popen(command, "r");
	while (p && fgets(line, sizeof(line), p)) {
		struct seg *s = &r->segs[r->nsegs];
		struct sec *c = &r->secs[r->nsecs];
		char e = 0, f[3] = "";

		if (sscanf(line, " LOAD %llx %llx %*x %llx %llx %2c%c", &s->offset, &s->vaddr,
			   &s->filesz, &s->memsz, f, &e) == 6) {
			snprintf(s->flags, sizeof(s->flags), "%.2s%c", f, e);
			assert_true(++r->nsegs < ARRAY_SIZE(r->segs));
		} else if (sscanf(line, " [%*d] %79s %31s %*x %llx %llx %*x %7s", c->name, c->type,
				  &c->offset, &c->size, c->flags) == 5 ||
			   sscanf(line, " [ %*d] %79s %31s %*x %llx %llx %*x %7s", c->name, c->type,
				  &c->offset, &c->size, c->flags) == 5) {
			assert_true(++r->nsecs < ARRAY_SIZE(r->secs));
		}
	}
	return p && pclose(p) == 0 && r->nsegs;
}

static bool in_segment(const struct seg *g, const struct sec *c)
{
	return c->offset >= g->offset && c->offset + c->size <= g->offset + g->filesz;
}

static bool is_rodata(const struct sec *c)
{
	return strchr(c->flags, 'A') && !strchr(c->flags, 'X') && !strchr(c->flags, 'W') &&
	       strcmp(c->type, "NOBITS") && c->size;
}

static void check_sections(const struct elf_layout *l, const struct seg *g, const struct readelf *r,
			   const char *path)
{
	for (size_t i = 0; i < r->nsecs; i++) {
		const struct sec *c = &r->secs[i];
		enum fs_region want = is_rodata(c) ? FS_REGION_RODATA : FS_REGION_TEXT;

		if (!in_segment(g, c) || !strchr(c->flags, 'A') || !c->size ||
		    !strcmp(c->type, "NOBITS"))
			continue;
		for (int k = 0; k < 3; k++) {
			__u64 at = c->offset + (c->size - 1) * k / 2;

			if (elf_layout__region(l, at) != want)
				fail_msg("%s: %s at %llx is %d", path, c->name,
					 (unsigned long long)at, elf_layout__region(l, at));
		}
	}
}

/* False where readelf cannot tell. */
static bool check_object(const char *path)
{
	static struct readelf r;
	struct elf_layout *l;
	size_t nw = 0, i, j;
	struct stat st;

	if (!readelf(path, &r))
		return false;
	l = read_path(path);
	if (!l)
		fail_msg("%s: %s", path, strerror(errno));
	assert_int_equal(stat(path, &st), 0);
	check_sane(l, st.st_size);
	assert_int_equal(l->nsegments, r.nsegs);
	for (i = 0; i < r.nsegs; i++) {
		const struct seg *g = &r.segs[i];
		bool w = g->flags[1] == 'W', x = g->flags[2] == 'E';

		nw += w;
		for (j = 0; w && j < l->nloads; j++)
			if (l->loads[j].offset == g->offset && l->loads[j].vaddr == g->vaddr &&
			    l->loads[j].filesz == g->filesz && l->loads[j].memsz == g->memsz)
				break;
		assert_true(!w || j < l->nloads);
		if (x && !w) {
			check_sections(l, g, &r, path);
			continue;
		}
		if (!g->filesz)
			continue;
		for (j = 0; j < 3; j++)
			assert_int_equal(elf_layout__region(l, g->offset + (g->filesz - 1) * j / 2),
					 w ? FS_REGION_DATA : FS_REGION_RODATA);
	}
	assert_int_equal(l->nloads, nw);
	elf_layout__free(l);
	return true;
}

static void test_system_objects(void **state)
{
	static const char *const commands[] = {
		"readlink -f /proc/self/exe",
		"readlink -f /bin/bash",
		"readlink -f \"$(command -v python3)\"",
		"readlink -f /bin/sh",
		"awk '$6 ~ /\\/libc[.-]/ { print $6; exit }' /proc/self/maps",
		"awk '$6 ~ /\\/ld-linux/ { print $6; exit }' /proc/self/maps",
		"ls /lib/*/libcrypto.so.* /lib/*/libstdc++.so.? 2>/dev/null",
		"find /usr/lib/ -name '*.so.*' -type f 2>/dev/null | sort | head -n 150",
	};
	size_t n = 0;
	struct readelf *probe = malloc(sizeof(*probe));
	bool have = readelf("/proc/self/exe", probe);

	free(probe);
	if (!have)
		skip();
	for (size_t i = 0; i < ARRAY_SIZE(commands); i++) {
		FILE *p = popen(commands[i], "r");
		char path[512];

		while (p && fgets(path, sizeof(path), p)) {
			path[strcspn(path, "\n")] = '\0';
			n += check_object(path);
		}
		assert_true(p && pclose(p) >= 0);
	}
	assert_true(n >= 5);
}

static const char program[] =
	"#include <stdio.h>\n"
	"static const int table[5000] = { 1, 2, 3 };\n"
	"int data[1000] = { 1 };\n"
	"static char big[10 << 20];\n"
	"int main(int argc, char **argv)\n"
	"{ printf(\"%p\", big); return table[argc] + data[argc] + big[argc]; }\n";

static void test_built_objects(void **state)
{
	static const struct {
		const char *name, *flags;
		bool rodata_in_text;
	} cases[] = {
		{ "plain", "", false },
		{ "noseparate", "-Wl,-z,noseparate-code", true },
		{ "noseparate-static", "-static -Wl,-z,noseparate-code", true },
		{ "static", "-static", false },
		{ "static-pie", "-static-pie", false },
		{ "nopie", "-no-pie -Wl,-z,norelro", false },
		{ "stripped", "-s", false },
		{ "omagic", "-static -Wl,-N", false },
		{ "m32", "-m32", false },
		{ "m32-noseparate", "-m32 -no-pie -Wl,-z,noseparate-code", true },
		{ "lld", "-fuse-ld=lld", false },
		{ "lld-norosegment", "-fuse-ld=lld -Wl,--no-rosegment", true },
		{ "gold", "-fuse-ld=gold", true },
		{ "shared", "-shared -fPIC", false },
		{ "big-pages", "-Wl,-z,max-page-size=65536", false },
	};
	size_t done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct elf_layout *l;
		bool rodata = false;
		char path[256];

		if (!compile(cases[i].name, program, cases[i].flags))
			continue;
		snprintf(path, sizeof(path), "%s/%s", test_dir(), cases[i].name);
		if (!check_object(path))
			continue;
		done++;
		l = read_path(path);
		assert_true(l->nloads >= 1);
		for (size_t j = 0; j < l->nsegments; j++)
			rodata |= !(l->segments[j].flags & (PF_X | PF_W));
		/* what the case is there for */
		assert_int_equal(cases[i].rodata_in_text && rodata, 0);
		elf_layout__free(l);
	}
	if (!done)
		skip();
}

static void test_without_sections(void **state)
{
	struct elf_layout *before, *after;
	char path[256];
	Elf64_Ehdr h;
	int fd;

	if (sizeof(void *) != 8 || !compile("nosections", program, ""))
		skip();
	snprintf(path, sizeof(path), "%s/nosections", test_dir());
	before = read_path(path);
	fd = open(path, O_RDWR);
	assert_int_equal(pread(fd, &h, sizeof(h), 0), sizeof(h));
	assert_int_equal(ftruncate(fd, h.e_shoff), 0);
	close(fd);
	after = read_path(path);
	assert_non_null(before);
	assert_non_null(after);
	assert_int_equal(before->nloads, after->nloads);
	assert_int_equal(before->nsegments, after->nsegments);
	elf_layout__free(before);
	elf_layout__free(after);
}

/* ---- made by hand ----------------------------------------------------------------------------- */

/* An object of 4 PT_LOADs in 64 KiB, of any class and byte order. */
struct made {
	Elf64_Ehdr h;
	Elf64_Phdr p[4];
	bool elf32;
	unsigned char order;
};

static struct made make_object(void)
{
	struct made m = {
		.h = { .e_ident = { ELFMAG0, ELFMAG1, ELFMAG2, ELFMAG3 },
		       .e_type = ET_DYN,
		       .e_machine = EM_X86_64,
		       .e_version = EV_CURRENT,
		       .e_ehsize = sizeof(Elf64_Ehdr),
		       .e_phentsize = sizeof(Elf64_Phdr),
		       .e_phnum = 4,
		       .e_phoff = 64,
		       .e_shentsize = sizeof(Elf64_Shdr) },
		.p = { { PT_LOAD, PF_R, 0, 0, 0, 0x800, 0x800, 0x1000 },
		       { PT_LOAD, PF_R | PF_X, 0x1000, 0x1000, 0, 0x2000, 0x2000, 0x1000 },
		       { PT_LOAD, PF_R, 0x3000, 0x3000, 0, 0x1234, 0x1234, 0x1000 },
		       { PT_LOAD, PF_R | PF_W, 0x4e00, 0x5e00, 0, 0x300, 0x9000, 0x1000 } },
		.order = ELFDATA2LSB,
	};

	return m;
}

static void shorten(const struct made *m, Elf32_Ehdr *h, Elf32_Phdr p[4])
{
	memset(h, 0, sizeof(*h));
	h->e_type = m->h.e_type;
	h->e_version = EV_CURRENT;
	h->e_ehsize = sizeof(*h);
	h->e_phentsize = sizeof(*p);
	h->e_phnum = m->h.e_phnum;
	h->e_phoff = m->h.e_phoff;
	for (int i = 0; i < 4; i++)
		p[i] = (Elf32_Phdr){ .p_type = m->p[i].p_type,
				     .p_flags = m->p[i].p_flags,
				     .p_offset = m->p[i].p_offset,
				     .p_vaddr = m->p[i].p_vaddr,
				     .p_filesz = m->p[i].p_filesz,
				     .p_memsz = m->p[i].p_memsz };
}

static void translate(const struct made *m, void *buf, size_t size, Elf_Type type)
{
	Elf_Data d = { .d_buf = buf, .d_size = size, .d_type = type, .d_version = EV_CURRENT };
	unsigned int order = m->order == ELFDATA2MSB ? ELFDATA2MSB : ELFDATA2LSB;

	elf_version(EV_CURRENT);
	assert_non_null((m->elf32 ? elf32_xlatetof : elf64_xlatetof)(&d, &d, order));
}

static struct elf_layout *read_made(struct made m)
{
	unsigned char file[0x10000] = "";
	struct elf_layout *l;
	Elf32_Phdr p32[4];
	Elf32_Ehdr h32;
	char path[256];
	FILE *f;
	int err;

	m.h.e_ident[EI_CLASS] = m.elf32 ? ELFCLASS32 : ELFCLASS64;
	m.h.e_ident[EI_DATA] = m.order;
	m.h.e_ident[EI_VERSION] = EV_CURRENT;
	if (m.elf32) {
		shorten(&m, &h32, p32);
		memcpy(h32.e_ident, m.h.e_ident, EI_NIDENT);
		translate(&m, &h32, sizeof(h32), ELF_T_EHDR);
		translate(&m, p32, sizeof(p32), ELF_T_PHDR);
		memcpy(file, &h32, sizeof(h32));
		memcpy(file + 64, p32, sizeof(p32));
	} else {
		translate(&m, &m.h, sizeof(m.h), ELF_T_EHDR);
		translate(&m, m.p, sizeof(m.p), ELF_T_PHDR);
		memcpy(file, &m.h, sizeof(m.h));
		memcpy(file + 64, m.p, sizeof(m.p));
	}
	snprintf(path, sizeof(path), "%s/made", test_dir());
	f = fopen(path, "w");
	assert_int_equal(fwrite(file, 1, sizeof(file), f), sizeof(file));
	fclose(f);
	errno = 0;
	l = read_path(path);
	err = errno;
	if (l)
		check_sane(l, sizeof(file));
	errno = err;
	return l;
}

static void test_classes_and_orders(void **state)
{
	for (int i = 0; i < 4; i++) {
		struct made m = make_object();
		struct elf_layout *l;

		m.elf32 = i & 1;
		m.order = i & 2 ? ELFDATA2MSB : ELFDATA2LSB;
		l = read_made(m);
		assert_non_null(l);
		assert_int_equal(l->nsegments, 4);
		assert_int_equal(l->nloads, 1);
		assert_int_equal(l->loads[0].vaddr, 0x5e00);
		assert_int_equal(l->loads[0].memsz, 0x9000);
		assert_int_equal(elf_layout__region(l, 0x7ff), FS_REGION_RODATA);
		assert_int_equal(elf_layout__region(l, 0x800), FS_REGION_FILE);
		assert_int_equal(elf_layout__region(l, 0x1000), FS_REGION_TEXT);
		assert_int_equal(elf_layout__region(l, 0x4233), FS_REGION_RODATA);
		assert_int_equal(elf_layout__region(l, 0x4234), FS_REGION_FILE);
		assert_int_equal(elf_layout__region(l, 0x50ff), FS_REGION_DATA);
		assert_int_equal(elf_layout__region(l, 0x5100), FS_REGION_FILE);
		elf_layout__free(l);
	}
}

static void expect_refused(struct made m, const char *what)
{
	struct elf_layout *l = read_made(m);

	if (l || errno != ENOEXEC)
		fail_msg("%s: %s", what, l ? "taken" : strerror(errno));
}

static void test_hostile_headers(void **state)
{
	const struct made good = make_object();
	struct made m;

#define REFUSED(change)                     \
	do {                                \
		m = good;                   \
		change;                     \
		expect_refused(m, #change); \
	} while (0)
	REFUSED(m.h.e_type = ET_REL);
	REFUSED(m.h.e_type = ET_CORE);
	REFUSED(m.h.e_phnum = 0);
	REFUSED(m.h.e_phnum = PN_XNUM);
	REFUSED(m.h.e_phnum = 2000);
	REFUSED(m.h.e_phentsize = 0);
	REFUSED(m.h.e_phentsize = 57);
	REFUSED(m.h.e_phoff = 0x10000);
	REFUSED(m.h.e_phoff = ~0ULL);
	REFUSED(m.h.e_phoff = 1ULL << 62);
	REFUSED(m.p[3].p_memsz = 0x2ff);
	REFUSED(m.p[3].p_filesz = 0x10000; m.p[3].p_memsz = 0x10000);
	REFUSED(m.p[3].p_filesz = ~0ULL; m.p[3].p_memsz = ~0ULL);
	REFUSED(m.p[3].p_offset = ~0ULL - 0x100);
	REFUSED(m.p[3].p_vaddr = ~0ULL - 0x100);
	REFUSED(m.p[3].p_memsz = ~0ULL);
	REFUSED(for (int i = 0; i < 4; i++) m.p[i].p_type = PT_NOTE);
	REFUSED(m.order = 7);
	/* the number of sections is in a header that is not there */
	REFUSED(m.h.e_shoff = ~0ULL);
	REFUSED(m.h.e_shoff = 1ULL << 62);
	REFUSED(m.h.e_shoff = 0x10000);
	/* or is huge: sh_size is where the third program header has p_filesz */
	REFUSED(m.p[2].p_type = PT_NOTE; m.p[2].p_filesz = 1ULL << 60;
		m.h.e_shoff = 64 + 2 * sizeof(Elf64_Phdr));
	REFUSED(m.p[2].p_type = PT_NOTE; m.p[2].p_filesz = 70000;
		m.h.e_shoff = 64 + 2 * sizeof(Elf64_Phdr));
#undef REFUSED
	/* a table of sections that is not in the file is as good as none */
	m = good;
	m.h.e_shnum = 100;
	m.h.e_shoff = 0xfff0;
	elf_layout__free(read_made(m));
}

static void test_overlapping_segments(void **state)
{
	struct made m = make_object();
	struct elf_layout *l;

	for (int i = 0; i < 4; i++)
		m.p[i].p_offset = m.p[i].p_vaddr = 0;
	l = read_made(m);
	assert_non_null(l);
	elf_layout__free(l);
}

static void test_truncated(void **state)
{
	static unsigned char file[1 << 20];
	char path[256], cut[256];
	size_t size, taken = 0, refused = 0;
	FILE *f;

	if (!compile("small", "int main(void) { return 0; }\n", "-s"))
		skip();
	snprintf(path, sizeof(path), "%s/small", test_dir());
	snprintf(cut, sizeof(cut), "%s/cut", test_dir());
	f = fopen(path, "r");
	size = fread(file, 1, sizeof(file), f);
	fclose(f);
	assert_in_range(size, 1000, sizeof(file) - 1);
	for (size_t n = 0; n <= size; n += n + 64 > size && n < size ? size - n : 64) {
		struct elf_layout *l;

		f = fopen(cut, "w");
		assert_int_equal(fwrite(file, 1, n, f), n);
		fclose(f);
		l = read_path(cut);
		if (l)
			check_sane(l, n);
		else
			assert_int_equal(errno, ENOEXEC);
		*(l ? &taken : &refused) += 1;
		elf_layout__free(l);
	}
	/* all of them but those that only lack what is behind the last segment */
	assert_true(taken >= 1 && refused > taken);
}

static void test_random_damage(void **state)
{
	static unsigned char file[1 << 20], bad[1 << 20];
	size_t size, taken = 0;
	char path[256];
	unsigned int seed = 12345;
	FILE *f;
	int fd;

	if (!compile("small", "int main(void) { return 0; }\n", "-s -Wl,-z,noseparate-code"))
		skip();
	snprintf(path, sizeof(path), "%s/small", test_dir());
	f = fopen(path, "r");
	size = fread(file, 1, sizeof(file), f);
	fclose(f);
	snprintf(path, sizeof(path), "%s/damaged", test_dir());
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	for (int round = 0; round < 20000; round++) {
		/* headers are where it hurts: at the beginning and the end */
		int n = 1 + rand_r(&seed) % 8;
		struct elf_layout *l;

		memcpy(bad, file, size);
		while (n--) {
			size_t at = rand_r(&seed), where = rand_r(&seed) % 3;

			at = where == 0 ? at % 64 :
			     where == 1 ? 64 + at % 800 :
					  size - 1 - at % 2000;
			bad[at] = rand_r(&seed) % 4 ? rand_r(&seed) : rand_r(&seed) % 2 ? 0 : 0xff;
		}
		assert_int_equal(pwrite(fd, bad, size, 0), size);
		l = elf_layout__read(fd);
		if (l)
			check_sane(l, size);
		else
			assert_int_equal(errno, ENOEXEC);
		taken += !!l;
		elf_layout__free(l);
	}
	close(fd);
	assert_in_range(taken, 100, 19900);
}

static void test_not_regular(void **state)
{
	char path[256];
	int pair[2], fd;

	snprintf(path, sizeof(path), "%s/fifo", test_dir());
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_null(read_path(path));
	assert_int_equal(errno, ENOEXEC);
	assert_null(read_path(test_dir()));
	assert_int_equal(errno, ENOEXEC);
	assert_null(read_path("/dev/zero"));
	assert_int_equal(errno, ENOEXEC);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
	assert_null(elf_layout__read(pair[0]));
	assert_int_equal(errno, ENOEXEC);
	close(pair[0]);
	close(pair[1]);
	assert_null(elf_layout__read(-1));
	assert_int_equal(errno, EBADF);
	/* a file of no ELF kind, an empty one, an archive */
	snprintf(path, sizeof(path), "%s/other", test_dir());
	fd = open(path, O_RDWR | O_CREAT, 0600);
	assert_null(elf_layout__read(fd));
	assert_int_equal(errno, ENOEXEC);
	assert_int_equal(write(fd, "!<arch>\n", 8), 8);
	assert_null(elf_layout__read(fd));
	assert_int_equal(errno, ENOEXEC);
	close(fd);
	elf_layout__free(NULL);
}

/* 2 GiB of file are no reason to read them. */
static void test_huge_file(void **state)
{
	char path[256], text[512], *at;
	unsigned long long before = 0, after = 0;
	struct elf_layout *l;
	FILE *f;

	if (!compile("huge", program, ""))
		skip();
	snprintf(path, sizeof(path), "%s/huge", test_dir());
	if (truncate(path, 2ULL << 30))
		skip();
	for (int i = 0; i < 2; i++) {
		f = fopen("/proc/self/io", "r");
		if (!f)
			skip();
		text[fread(text, 1, sizeof(text) - 1, f)] = '\0';
		fclose(f);
		at = strstr(text, "rchar:");
		assert_non_null(at);
		sscanf(at, "rchar: %llu", i ? &after : &before);
		if (i == 0) {
			l = read_path(path);
			assert_non_null(l);
			elf_layout__free(l);
		}
	}
	assert_true(after - before < 64 << 10);
}

static void test_bss_start(void **state)
{
	struct elf_load loads[] = {
		{ .offset = 0x1e00, .filesz = 0x300, .memsz = 0x9000, .vaddr = 0x2e00, .flags = 6 },
		{ .offset = 0x3000,
		  .filesz = 0x1000,
		  .memsz = 0x1000,
		  .vaddr = 0x20000,
		  .flags = 6 },
		{ .offset = 0x5000,
		  .filesz = 0x1000,
		  .memsz = 0x5000,
		  .vaddr = 0x30000,
		  .flags = 6 },
	};
	const struct elf_layout l = {
		.nloads = 3, .loads = loads, .nsegments = 3, .segments = loads
	};
	const __u64 a = 0x7f0000000000;

	/* the last page holds both */
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x2000, 0x1000), a + 0x1100);
	/* RELRO has been split off: below it all is data */
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x1000, 0x1000), a + 0x1000);
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x1000, 0x2000), a + 0x100);
	/* no bss at all */
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x1000, 0x3000), a + 0x1000);
	/* it begins where a page does */
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x1000, 0x5000), a + 0x1000);
	/* no segment */
	assert_int_equal(elf_layout__bss_start(&l, a, a + 0x1000, 0x9000), a + 0x1000);
}

static void test_shared_page(void **state)
{
	/* lld: RELRO, data and text share pages of the file */
	struct elf_load all[] = {
		{ .offset = 0, .filesz = 0x5a0, .memsz = 0x5a0, .vaddr = 0, .flags = 4 },
		{ .offset = 0x5a0, .filesz = 0x160, .memsz = 0x160, .vaddr = 0x15a0, .flags = 5 },
		{ .offset = 0x700, .filesz = 0x1a0, .memsz = 0x900, .vaddr = 0x2700, .flags = 6 },
		{ .offset = 0x8a0, .filesz = 0x30, .memsz = 0x5000, .vaddr = 0x38a0, .flags = 6 },
	};
	const struct elf_layout l = {
		.nloads = 2, .loads = all + 2, .nsegments = 4, .segments = all
	};
	const struct elf_load *s;

	s = elf_layout__segment(&l, 0, 0x1000, (struct elf_access){ .exec = true });
	assert_ptr_equal(s, &all[1]);
	s = elf_layout__segment(&l, 0, 0x1000, (struct elf_access){});
	assert_ptr_equal(s, &all[0]);
	s = elf_layout__segment(&l, 0, 0x1000, (struct elf_access){ .write = true });
	assert_true(s->flags & PF_W);
	assert_null(elf_layout__segment(&l, 0x1000, 0x2000, (struct elf_access){}));
	assert_int_equal(elf_load__bias(&all[3], 0x555555557000, 0), 0x555555554000);
	assert_int_equal(elf_load__bias(&all[0], 0x555555554000, 0), 0x555555554000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_system_objects),
		cmocka_unit_test(test_built_objects),
		cmocka_unit_test(test_without_sections),
		cmocka_unit_test(test_classes_and_orders),
		cmocka_unit_test(test_hostile_headers),
		cmocka_unit_test(test_overlapping_segments),
		cmocka_unit_test(test_truncated),
		cmocka_unit_test(test_random_damage),
		cmocka_unit_test(test_not_regular),
		cmocka_unit_test(test_huge_file),
		cmocka_unit_test(test_bss_start),
		cmocka_unit_test(test_shared_page),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
