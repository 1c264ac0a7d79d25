/* SPDX-License-Identifier: GPL-2.0-only */
/* Lines, inlined functions, debug files and stubs, compared with addr2line, objdump and nm. */
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
#include <sys/auxv.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>
#include <cmocka.h>

#include "objects.h"
#include "symbols.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))

/* Calls inlined into each other, in several parts, with a hidden function; C and C++. */
static const char c_source[] =
	"volatile int sink;\n"
	"static inline __attribute__((always_inline)) int first(int x)\n"
	"{\n\tsink = x;\n\treturn x * 3 + sink;\n}\n"
	"static inline __attribute__((always_inline)) int second(int x)\n"
	"{\n\tint y = first(x + 1);\n\tif (y & 1)\n\t\ty += first(y);\n\treturn y;\n}\n"
	"static __attribute__((noinline)) int hidden(int x)\n"
	"{\n\treturn second(x) + first(x * 2);\n}\n"
	"__attribute__((cold, noinline)) void rare(void) { sink++; }\n"
	"int run(int x)\n{\n\tif (__builtin_expect(x == 77, 0))\n\t\trare();\n"
	"\treturn hidden(x) + second(x);\n}\n"
	"int main(int argc, char **argv) { return run(argc); }\n";

static const char cxx_source[] =
	"#include <vector>\n#include <algorithm>\n"
	"namespace shop {\n"
	"template <class T> struct Cart {\n"
	"\tstd::vector<T> items;\n"
	"\tvoid add(T t) { items.push_back(t); }\n"
	"\tvirtual ~Cart() {}\n"
	"\tT total() const { T s{}; for (auto &i : items) s += i; return s; }\n"
	"};\n"
	"namespace { struct Local { static int twice(int x) { return 2 * x; } }; }\n"
	"__attribute__((noinline)) long visit(Cart<long> &c, int n)\n{\n"
	"\tfor (int i = 0; i < n; i++)\n\t\tc.add(Local::twice(i));\n"
	"\tstd::sort(c.items.begin(), c.items.end(), [](long a, long b) { return a > b; });\n"
	"\treturn c.total();\n}\n}\n"
	"int main(int argc, char **argv) { shop::Cart<long> c; return shop::visit(c, argc); }\n";

static const char *in_dir(const char *name)
{
	static char path[4][256];
	static unsigned int next;
	char *out = path[next++ % ARRAY_SIZE(path)];

	snprintf(out, sizeof(path[0]), "%s/%s", test_dir(), name);
	return out;
}

/* "name file:line" of all frames. DWARF knows no ".cold" and ".part.0", which symbols end with. */
static void describe(char *out, size_t size, const struct sym_frame *f, size_t n)
{
	size_t len = 0;

	*out = '\0';
	for (size_t i = 0; i < n && len < size; i++) {
		const char *slash = f[i].src ? strrchr(f[i].src, '/') : NULL;

		const char *name = f[i].name ? f[i].name : "??";
		const char *src = slash ? slash + 1 : f[i].src ? f[i].src : "??";

		len += snprintf(out + len, size - len, "%.*s %s:%u\n", (int)strcspn(name, "."),
				name, src, f[i].line);
	}
}

/* What addr2line -a says of all the addresses, in the same form; n texts of 8 KiB. */
static char *ask_addr2line(const char *path, const unsigned long long *addrs, size_t n)
{
	char *texts = calloc(n, 8192), **lines, name[4096] = "";
	long at = -1;
	bool is_name = true;
	FILE *f = fopen(in_dir("addresses"), "w");

	for (size_t i = 0; i < n; i++)
		fprintf(f, "%llx\n", addrs[i]);
	fclose(f);
	lines = lines_of("addr2line -a -i -f -e '%s' <'%s' 2>/dev/null", path, in_dir("addresses"));
	for (size_t i = 0; lines && lines[i]; i++) {
		if (!strncmp(lines[i], "0x", 2)) {
			at++;
			is_name = true;
		} else if (is_name) {
			snprintf(name, sizeof(name), "%.*s", (int)strcspn(lines[i], "."), lines[i]);
			is_name = false;
		} else if (at >= 0 && at < (long)n) {
			char *slash = strrchr(lines[i], '/'), *to = texts + at * 8192;

			lines[i][strcspn(lines[i], " ")] = '\0';
			slash = strrchr(lines[i], '/');
			snprintf(to + strlen(to), 8192 - strlen(to), "%s %s\n", name,
				 slash ? slash + 1 : lines[i]);
			is_name = true;
		}
	}
	if (!lines) {
		free(texts);
		return NULL;
	}
	free(lines);
	return texts;
}

/* Leaves line numbers only: of C++ GNU addr2line confuses names and files of inlined functions. */
static void keep_lines(char *text)
{
	char *to = text;

	for (bool keep = false; *text; text++) {
		if (text[0] == ':' && text[1] >= '0' && text[1] <= '9')
			keep = true;
		if (keep)
			*to++ = *text;
		if (*text == '\n')
			keep = false;
	}
	*to = '\0';
}

/*
 * Each address of code in the object, or each step-th, against addr2line of `truth`. Where that
 * knows no line (startup code) names alone are compared by other tests. Returns frames inlined.
 */
static size_t check_lines(const char *path, const char *truth, const char *debug_dir, size_t step)
{
	struct symbolizer_opts opts = {
		.lines = true, .inlines = true, .no_demangle = true, .debug_dir = debug_dir
	};
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *obj = open_object(sz, path);
	struct sym_frame f[SYM_MAX_INLINED];
	unsigned long long *addrs = NULL;
	struct elf_image *img;
	size_t n = 0, inlined = 0, compared = 0;
	char text[8192], *texts;
	int fd;

	img = open_image_at(path, &fd);
	assert_non_null(img);
	for (size_t i = 0; i < img->nloads; i++) {
		const struct elf_load *l = &img->loads[i];

		if (!(l->flags & PF_X))
			continue;
		addrs = reallocarray(addrs, n + l->filesz / step + 1, sizeof(*addrs));
		for (__u64 at = 0; at < l->filesz; at += step)
			addrs[n++] = l->vaddr + at;
	}
	texts = ask_addr2line(truth, addrs, n);
	for (size_t i = 0; texts && i < n; i++) {
		size_t got = symbolizer__file_frames(sz, obj, file_offset(img, addrs[i]), false, f,
						     SYM_MAX_INLINED);
		char *want = texts + i * 8192;

		assert_true(got >= 1);
		for (size_t j = 0; j < got; j++)
			assert_int_equal(f[j].inlined, j + 1 < got);
		/* between functions addr2line goes on with the one before */
		if (strstr(want, ":?") || strstr(want, "??") || !f[got - 1].name)
			continue;
		describe(text, sizeof(text), f, got);
		if (strstr(truth, "xx")) {
			keep_lines(text);
			keep_lines(want);
		}
		if (strcmp(text, want))
			fail_msg("%s: %llx is\n%snot\n%s", path, addrs[i], text, want);
		inlined += got - 1;
		compared++;
	}
	free(texts);
	free(addrs);
	elf_image__free(img);
	close(fd);
	symbolizer__free(sz);
	assert_true(!texts || compared > 10);
	return inlined;
}

static void test_lines_c(void **state)
{
	static const char *const flags[] = {
		"-g -O2",     "-g -O0", "-gdwarf-4 -O2", "-g -O2 -gz", "-g -O2 -shared -fPIC",
		"-g -O2 -m32"
	};
	int tried = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!compile("lines", c_source, flags[i]))
			continue;
		assert_true(check_lines(in_dir("lines"), in_dir("lines"), NULL, 1) > 0);
		tried++;
	}
	if (!tried)
		skip();
}

static void test_lines_cxx(void **state)
{
	static const char *const flags[] = { "-g -O2", "-g -O0" };
	int tried = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		if (!compile_cxx("linesxx", cxx_source, flags[i]))
			continue;
		assert_true(check_lines(in_dir("linesxx"), in_dir("linesxx"), NULL, 1) > 0 || i);
		tried++;
	}
	if (!tried)
		skip();
}

static void test_names_cxx(void **state)
{
	struct symbolizer *sz;
	struct sym_object *obj;
	struct sym_frame f;
	struct elf_image *img;
	char **at;
	int fd;

	if (!compile_cxx("namesxx", cxx_source, "-O2"))
		skip();
	sz = symbolizer__new(NULL);
	obj = open_object(sz, in_dir("namesxx"));
	img = open_image_at(in_dir("namesxx"), &fd);
	at = lines_of("nm '%s' | awk '/_ZN4shop5visit/ && !/cold/ { print $1 }'",
		      in_dir("namesxx"));
	assert_true(at && at[0]);
	symbolizer__file_frames(sz, obj, file_offset(img, strtoull(at[0], NULL, 16)), false, &f, 1);
	assert_string_equal(f.name, "shop::visit");
	free(at);
	elf_image__free(img);
	close(fd);
	symbolizer__free(sz);
}

/* ---- separate debug files --------------------------------------------------------------------- */

static size_t named_with(const char *path, struct symbolizer_opts opts, const char *name)
{
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *obj = open_object(sz, path);
	size_t n = 0, size;
	struct sym_frame f;

	free(read_file(path, &size));
	for (size_t at = 0; at < size; at++) {
		symbolizer__file_frames(sz, obj, at, false, &f, 1);
		n += f.name && !strcmp(f.name, name);
	}
	symbolizer__free(sz);
	return n;
}

static size_t named(const char *path, const char *debug_dir, const char *name)
{
	return named_with(path, (struct symbolizer_opts){ .debug_dir = debug_dir }, name);
}

static void test_debug_file_by_build_id(void **state)
{
	char id[256] = "", debug_dir[128];
	char **lines;

	snprintf(debug_dir, sizeof(debug_dir), "%s", in_dir("debug"));
	if (!compile("full", c_source, "-g -O2 -Wl,--build-id") ||
	    !run("objcopy --only-keep-debug '%s' '%s' 2>/dev/null", in_dir("full"),
		 in_dir("full.debug")) ||
	    !run("strip -o '%s' '%s'", in_dir("stripped"), in_dir("full")))
		skip();
	lines = lines_of("readelf -n '%s' | awk '/Build ID/ { print $3 }'", in_dir("full"));
	assert_true(lines && lines[0]);
	snprintf(id, sizeof(id), "%s", lines[0]);
	free(lines);
	assert_int_equal(named(in_dir("stripped"), debug_dir, "hidden"), 0);
	assert_true(run("mkdir -p '%s/.build-id/%.2s' && cp '%s' '%s/.build-id/%.2s/%s.debug'",
			debug_dir, id, in_dir("full.debug"), debug_dir, id, id + 2));
	assert_int_equal(named(in_dir("stripped"), debug_dir, "hidden"),
			 named(in_dir("full"), "/nonexistent", "hidden"));
	assert_true(check_lines(in_dir("stripped"), in_dir("full"), debug_dir, 1) > 0);
	/* another file's, or none at all, in its place */
	assert_true(run("cp /bin/sh '%s/.build-id/%.2s/%s.debug'", debug_dir, id, id + 2));
	assert_int_equal(named(in_dir("stripped"), debug_dir, "hidden"), 0);
	assert_true(run("cd '%s/.build-id/%.2s' && rm %s.debug && mkfifo %s.debug", debug_dir, id,
			id + 2, id + 2));
	assert_int_equal(named(in_dir("stripped"), debug_dir, "hidden"), 0);
}

static void test_debug_link(void **state)
{
	char top[128];

	snprintf(top, sizeof(top), "%s", in_dir("top"));
	if (!compile("linked", c_source, "-g -O2 -Wl,--build-id=none") ||
	    !run("cd '%s' && objcopy --only-keep-debug linked linked.debug && "
		 "strip linked && objcopy --add-gnu-debuglink=linked.debug linked",
		 test_dir()))
		skip();
	assert_true(named(in_dir("linked"), top, "hidden") > 0);
	assert_true(run("cd '%s' && mkdir .debug && mv linked.debug .debug", test_dir()));
	assert_true(named(in_dir("linked"), top, "hidden") > 0);
	assert_true(run("mkdir -p '%s%s' && mv '%s/.debug/linked.debug' '%s%s'", top, test_dir(),
			test_dir(), top, test_dir()));
	assert_true(named(in_dir("linked"), top, "hidden") > 0);
	/* the checksum is another */
	assert_true(run("echo >>'%s%s/linked.debug'", top, test_dir()));
	assert_int_equal(named(in_dir("linked"), top, "hidden"), 0);
}

static void test_debugdata(void **state)
{
	size_t hidden;

	/* as rpm's find-debuginfo makes it */
	if (!compile("mini", c_source, "-g -O2 -rdynamic"))
		skip();
	hidden = named(in_dir("mini"), "/nonexistent", "hidden");
	if (!run("cd '%s' && { objcopy -S --remove-section .comment --keep-symbol=hidden mini "
		 "mini_names && rm -f mini_names.xz && xz -k mini_names && strip mini && "
		 "objcopy --add-section .gnu_debugdata=mini_names.xz mini; } 2>/dev/null",
		 test_dir()))
		skip();
	assert_true(hidden > 0);
	assert_int_equal(named(in_dir("mini"), "/nonexistent", "hidden"), hidden);
	assert_true(named(in_dir("mini"), "/nonexistent", "run") > 0);
	/* zeros without end */
	assert_true(run("cd '%s' && head -c 300M /dev/zero | xz -0 >zeros.xz && "
			"objcopy --remove-section .gnu_debugdata mini && "
			"objcopy --add-section .gnu_debugdata=zeros.xz mini",
			test_dir()));
	assert_int_equal(named(in_dir("mini"), "/nonexistent", "hidden"), 0);
	assert_true(named(in_dir("mini"), "/nonexistent", "run") > 0);
}

/* A server that is a directory. Nobody is asked where that was not wanted. */
static void test_debuginfod(void **state)
{
	struct symbolizer_opts opts = { .debug_dir = "/nonexistent", .debuginfod = true };
	char url[256];

	if (!compile("served", c_source, "-g -O2 -Wl,--build-id") ||
	    !run("cd '%s' && id=$(readelf -n served | awk '/Build ID/ { print $3 }') && "
		 "mkdir -p server/buildid/$id cache && "
		 "objcopy --only-keep-debug served server/buildid/$id/debuginfo && strip served",
		 test_dir()) ||
	    !run("ldconfig -p 2>/dev/null | grep -q libdebuginfod.so.1"))
		skip();
	snprintf(url, sizeof(url), "file://%s/server/", test_dir());
	setenv("DEBUGINFOD_URLS", url, 1);
	setenv("DEBUGINFOD_CACHE_PATH", in_dir("cache"), 1);
	assert_int_equal(named(in_dir("served"), "/nonexistent", "hidden"), 0);
	assert_true(named_with(in_dir("served"), opts, "hidden") > 0);
	unsetenv("DEBUGINFOD_URLS");
}

/* Several share a part of their DWARF. */
static void test_dwz(void **state)
{
	if (!run("command -v dwz >/dev/null 2>&1") || !compile_cxx("dwz1", cxx_source, "-g -O2") ||
	    !compile_cxx("dwz2", cxx_source, "-g -O2 -DOTHER") ||
	    !run("cd '%s' && cp dwz1 wholexx && dwz -m common dwz1 dwz2 2>/dev/null", test_dir()))
		skip();
	assert_true(check_lines(in_dir("dwz1"), in_dir("wholexx"), "/nonexistent", 1) > 0);
	assert_true(run("cd '%s' && rm common && mkfifo common", test_dir()));
	named(in_dir("dwz1"), "/nonexistent", "main");
}

/* ---- files that come and go ------------------------------------------------------------------- */

static void expect_name(struct symbolizer *sz, struct sym_object *obj, __u64 offset,
			const char *name)
{
	struct sym_frame f;

	assert_int_equal(symbolizer__file_frames(sz, obj, offset, false, &f, 1), 1);
	if (name)
		assert_string_equal(f.name, name);
	else
		assert_null(f.name);
}

static __u64 offset_of(const char *path, const char *name)
{
	char **lines = lines_of("nm '%s' | awk '$3 == \"%s\" { print $1 }'", path, name);
	struct elf_image *img;
	__u64 offset;
	int fd;

	if (!lines || !lines[0])
		skip();
	img = open_image_at(path, &fd);
	offset = file_offset(img, strtoull(lines[0], NULL, 16));
	free(lines);
	elf_image__free(img);
	close(fd);
	return offset;
}

static void test_deleted(void **state)
{
	struct symbolizer_opts opts = { .max_open_files = 2, .debug_dir = "/nonexistent" };
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *deleted, *replaced, *moved, *other;
	const char *flags[] = { "-O2 -Wl,--build-id", "-O2 -Wl,--build-id=none" };

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		__u64 run_at, hidden_at;

		if (!compile("gone", c_source, flags[i]) || !compile("new", c_source, flags[i]) ||
		    !compile("stays", c_source, flags[i])) {
			symbolizer__free(sz);
			skip();
		}
		run_at = offset_of(in_dir("gone"), "run");
		hidden_at = offset_of(in_dir("gone"), "hidden");
		deleted = open_object(sz, in_dir("gone"));
		unlink(in_dir("gone"));
		expect_name(sz, deleted, run_at, "run");
		/* two others: it is closed, and cannot be opened again */
		other = open_object(sz, in_dir("stays"));
		replaced = open_object(sz, in_dir("new"));
		expect_name(sz, deleted, hidden_at, NULL);
		/* what was closed is opened again where it is the same */
		moved = open_object(sz, "/proc/self/exe");
		open_object(sz, "/bin/sh");
		expect_name(sz, other, hidden_at, "hidden");
		/* other code at that path */
		open_object(sz, "/bin/sh");
		(void)moved;
		unlink(in_dir("new"));
		assert_true(compile("new", "int main(void) { return 3; } int other;", flags[i]));
		expect_name(sz, replaced, run_at, NULL);
	}
	symbolizer__free(sz);
}

static void test_by_path(void **state)
{
	struct symbolizer *sz = symbolizer__new(NULL);
	struct sym_file file = {};
	struct sym_object *obj;
	struct stat st;
	__u64 at;

	if (!compile("unseen", c_source, "-O2")) {
		symbolizer__free(sz);
		skip();
	}
	at = offset_of(in_dir("unseen"), "run");
	assert_int_equal(stat(in_dir("unseen"), &st), 0);
	file.path = in_dir("unseen");
	file.ino = st.st_ino;
	file.dev = major(st.st_dev) << 20 | minor(st.st_dev);
	obj = symbolizer__object(sz, &file);
	assert_true(sym_object__wants_file(obj));
	expect_name(sz, obj, at, "run");
	assert_false(sym_object__wants_file(obj));
	/* another file of that name */
	file.ino++;
	obj = symbolizer__object(sz, &file);
	expect_name(sz, obj, at, NULL);
	symbolizer__free(sz);
}

/* ---- stubs, the vdso -------------------------------------------------------------------------- */

static size_t check_plt(const char *path)
{
	char **lines =
		lines_of("objdump -d -j .plt -j .plt.sec -j .plt.got '%s' 2>/dev/null | "
			 "sed -n 's/^0*\\([0-9a-f]*\\) <\\([a-z_0-9A-Z]*@plt\\)>:$/\\1 \\2/p'",
			 path);
	struct symbolizer_opts opts = { .debug_dir = "/nonexistent", .no_demangle = true };
	struct symbolizer *sz = symbolizer__new(&opts);
	struct sym_object *obj = open_object(sz, path);
	struct elf_image *img;
	size_t n = 0;
	int fd;

	img = open_image_at(path, &fd);
	assert_non_null(img);
	for (size_t i = 0; lines && lines[i]; i++) {
		unsigned long long addr;
		char name[1024];
		struct sym_frame f;

		if (sscanf(lines[i], "%llx %1023s", &addr, name) != 2)
			continue;
		symbolizer__file_frames(sz, obj, file_offset(img, addr), false, &f, 1);
		/* objdump calls what is in .plt before .plt.sec the same, though it is never run */
		if (!f.name)
			continue;
		if (strcmp(f.name, name) || f.offset)
			fail_msg("%s: %llx is %s+%llx, not %s", path, addr, f.name,
				 (unsigned long long)f.offset, name);
		symbolizer__file_frames(sz, obj, file_offset(img, addr + 6), false, &f, 1);
		assert_string_equal(f.name, name);
		assert_int_equal(f.offset, 6);
		n++;
	}
	free(lines);
	elf_image__free(img);
	close(fd);
	symbolizer__free(sz);
	return n;
}

static void test_plt(void **state)
{
	static const char source[] =
		"#include <stdio.h>\n#include <stdlib.h>\n"
		"int main(int argc, char **argv) { void (*volatile f)(void *) = free; f(0);\n"
		"free(malloc(argc)); return puts(getenv(\"HOME\")) + abs(rand()); }\n";
	static const char *const flags[] = { "-O1", "-O1 -fcf-protection=full", "-O1 -Wl,-z,now",
					     "-O1 -no-pie", "-O1 -fuse-ld=lld" };
	size_t n = 0;

#if !defined(__x86_64__) && !defined(__aarch64__)
	skip();
#endif
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (compile("stubs", source, flags[i]))
			n += check_plt(in_dir("stubs"));
	n += check_plt("/bin/sh");
	if (!n)
		skip();
	assert_true(n > 10);
}

static void test_vdso(void **state)
{
	unsigned long base = getauxval(AT_SYSINFO_EHDR);
	struct symbolizer *sz = symbolizer__new(NULL);
	const char *names[] = { "clock_gettime", "__kernel_clock_gettime", "__vdso_clock_gettime" };
	struct sym_frame f;
	bool found = false;

	if (!base) {
		symbolizer__free(sz);
		skip();
	}
	for (__u64 at = 0; at < 0x4000 && !found; at++)
		if (symbolizer__vdso_frame(sz, at, false, &f))
			for (size_t i = 0; i < ARRAY_SIZE(names); i++)
				found |= !strcmp(f.name, names[i]);
	assert_true(found);
	assert_string_equal(f.object, "[vdso]");
	assert_false(symbolizer__vdso_frame(sz, ~0ULL, false, &f));
	assert_false(symbolizer__vdso_frame(sz, 0, true, &f));
	symbolizer__free(sz);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_lines_c),    cmocka_unit_test(test_lines_cxx),
		cmocka_unit_test(test_names_cxx),  cmocka_unit_test(test_debug_file_by_build_id),
		cmocka_unit_test(test_debug_link), cmocka_unit_test(test_debugdata),
		cmocka_unit_test(test_debuginfod), cmocka_unit_test(test_dwz),
		cmocka_unit_test(test_deleted),    cmocka_unit_test(test_by_path),
		cmocka_unit_test(test_plt),        cmocka_unit_test(test_vdso),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
