/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Where addresses are. Programs say what they know of their own addresses from the linker and the
 * C library; events are made from what the kernel says of their mappings. Then each rule by itself.
 */
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
#include <sys/sysmacros.h>
#include <time.h>
#include <unistd.h>
#include <linux/sched.h>
#include <cmocka.h>

#include "base/kind_names.h"
#include "objects.h"
#include "symbol/elf.h"

#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define NO_PID        0x3fff0000 /* beyond PID_MAX_LIMIT: nothing in /proc */
#define THREAD        (CLONE_VM | CLONE_THREAD)
#define VM_RW         0x3
#define VM_ACCOUNT    0x100000
#define REG           (S_IFREG | 0644)

/* ---- real programs ---------------------------------------------------------------------------- */

static const char program[] =
	"#define _GNU_SOURCE\n#include <ctype.h>\n#include <stdio.h>\n#include <stdlib.h>\n#include <string.h>\n"
	"#include <sys/auxv.h>\n#include <sys/mman.h>\n#include <unistd.h>\n#include <fcntl.h>\n"
	"#include <link.h>\n"
	"extern char edata, end;\n"
	"static const int table[3000] = { 1, 2, 3 };\n"
	"const char *const relro[] = { \"a\", \"b\" };\n"
	"int data[3000] = { 1 };\n"
	"static char small, big[8 << 20];\n"
	"static void say(const char *region, const void *p)\n"
	"{ printf(\"%s %lx\\n\", region, (unsigned long)p); }\n"
	"static int first(struct dl_phdr_info *info, size_t size, void *bias)\n"
	"{ *(unsigned long *)bias = info->dlpi_addr; return size > 0; }\n"
	"int main(int argc, char **argv)\n{\n"
	"	unsigned long bias;\n"
	"	long page = sysconf(_SC_PAGESIZE);\n"
	"	char local, *heap = malloc(100), *p;\n"
	"	char *cut = (char *)(((unsigned long)big + (3 << 20)) & -page);\n"
	"	char *behind = (char *)(((unsigned long)&end + page - 1) & -page);\n"
	"	*heap = 1;\n"
	"	dl_iterate_phdr(first, &bias);\n"
	"	say(\"bias\", (void *)bias);\n"
	"	say(\"text\", main); say(\"text\", say);\n"
	"	say(\"rodata\", table); say(\"rodata\", table + 2999);\n"
	"	say(\"rodata\", *__ctype_b_loc());\n"
	"	say(RELRO, relro);\n"
	"	say(\"data\", data); say(\"data\", data + 2999); say(\"data\", &edata - 1);\n"
	"	say(\"bss\", &edata); say(\"bss\", &small); say(\"bss\", big);\n"
	"	say(\"bss\", cut - 1); say(\"bss\", cut); say(\"bss\", cut + page);\n"
	"	say(\"bss\", big + sizeof(big) - 1); say(\"bss\", &end - 1);\n"
	"	say(\"data\", stdout);\n"
	"	say(\"heap\", heap); say(\"stack\", &local); say(\"stack\", argv[0]);\n"
	"	if (getauxval(AT_SYSINFO_EHDR)) say(\"vdso\", (void *)getauxval(AT_SYSINFO_EHDR));\n"
	"	p = mmap(NULL, 1 << 20, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
	"	say(\"anon\", p); say(\"anon\", p + (1 << 20) - 1);\n"
	"	p = mmap(NULL, page, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);\n"
	"	if (p != MAP_FAILED) say(\"anon-exec\", p);\n"
	"	p = mmap(behind, page, PROT_READ | PROT_WRITE,\n"
	"		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);\n"
	"	if (p == behind) say(\"anon\", p);\n"
	"	mprotect(cut, page, PROT_READ);\n"
	"	say(\"ready\", 0); fflush(stdout); getchar();\n"
	"	return relro[argc] + data[argc] + big[argc] + small + table[argc] == 0;\n}\n";

struct found {
	size_t n;
	const struct file *file[32];
};

static void elf_found(void *ctx, const struct file *file, const struct elf_layout *elf)
{
	struct found *found = ctx;

	for (size_t i = 0; i < found->n; i++)
		assert_ptr_not_equal(found->file[i], file);
	assert_non_null(elf);
	assert_true(found->n < ARRAY_SIZE(found->file));
	found->file[found->n++] = file;
}

static bool has_file(const char *region)
{
	static const char *const with[] = { "text", "rodata", "data", "bss" };

	for (size_t i = 0; i < ARRAY_SIZE(with); i++)
		if (!strcmp(region, with[i]))
			return true;
	return false;
}

/* Compare each line that the program says with where the space puts the address. */
static size_t check_program(const char *name, bool fixed)
{
	struct found found = {};
	const struct space_ops ops = { .ctx = &found, .elf_found = elf_found };
	struct space *sp = space__new(&ops);
	static struct {
		char region[16];
		unsigned long long addr;
	} said[64];
	struct fed fed;
	struct child c;
	size_t n = 0, i, linked = 0;
	__u32 id = 1;
	unsigned long long bias;
	char line[128];

	child__start(&c, name, fixed);
	assert_true(child__line(&c, line, sizeof(line)));
	assert_int_equal(sscanf(line, "bias %llx", &bias), 1);
	while (n < ARRAY_SIZE(said) && child__line(&c, line, sizeof(line)) &&
	       sscanf(line, "%15s %llx", said[n].region, &said[n].addr) == 2 &&
	       strcmp(said[n].region, "ready"))
		n++;
	feed_process(sp, c.pid, &id, &fed);
	for (i = 0; i < n; i++) {
		struct place pl = place_of(sp, &fed, c.pid, said[i].addr);

		if (strcmp(region_name(pl.region), said[i].region))
			fail_msg("%s%s: %llx is %s, not %s", name, fixed ? " fixed" : "",
				 said[i].addr, region_name(pl.region), said[i].region);
		if (has_file(said[i].region))
			assert_non_null(pl.file);
		else
			assert_null(pl.file);
		/* of what may be written, and is the program's own */
		if (pl.file && !strcmp(pl.file->name, name) &&
		    (pl.region == FS_REGION_BSS || pl.region == FS_REGION_DATA)) {
			assert_true(pl.linked);
			assert_int_equal(pl.link_addr, said[i].addr - bias);
		}
		linked += pl.linked;
	}
	assert_true(linked >= 8);
	/* each object once: the program, and the libraries where there are any */
	assert_true(found.n >= 1);
	child__tell(&c, "");
	assert_int_equal(child__end(&c), 0);
	space__free(sp);
	return n;
}

static void test_programs(void **state)
{
	static const struct {
		const char *name, *flags;
	} cases[] = {
		{ "plain", "-DRELRO='\"data\"' -Wl,-z,now" },
		{ "norelro", "-DRELRO='\"data\"' -Wl,-z,norelro" },
		{ "noseparate", "-DRELRO='\"data\"' -Wl,-z,noseparate-code" },
		{ "nopie", "-DRELRO='\"rodata\"' -no-pie -fno-pie" },
		{ "nopie-noseparate",
		  "-DRELRO='\"rodata\"' -no-pie -fno-pie -Wl,-z,noseparate-code" },
		{ "static", "-DRELRO='\"rodata\"' -static -fno-pie" },
		{ "static-pie", "-DRELRO='\"data\"' -static-pie -fPIE" },
		{ "m32", "-DRELRO='\"data\"' -m32" },
		{ "m32-static",
		  "-DRELRO='\"rodata\"' -m32 -static -fno-pie -Wl,-z,noseparate-code" },
		{ "lld", "-DRELRO='\"data\"' -fuse-ld=lld" },
		{ "gold", "-DRELRO='\"data\"' -fuse-ld=gold" },
		{ "big-pages", "-DRELRO='\"data\"' -Wl,-z,max-page-size=65536" },
	};
	size_t done = 0;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		if (!compile(cases[i].name, program, cases[i].flags))
			continue;
		done += check_program(cases[i].name, false) > 20;
		done += check_program(cases[i].name, true) > 20;
	}
	if (!done)
		skip();
	assert_int_equal(done % 2, 0);
}

static const char threads[] =
	"#define _GNU_SOURCE\n#include <pthread.h>\n#include <stdio.h>\n#include <unistd.h>\n"
	"#include <sys/mman.h>\n#include <sys/syscall.h>\n"
	"static pthread_mutex_t m = PTHREAD_MUTEX_INITIALIZER;\n"
	"static void *run(void *arg)\n{\n"
	"	char local, *low, *above;\n	size_t size;\n	pthread_attr_t a;\n"
	"	pthread_getattr_np(pthread_self(), &a);\n"
	"	pthread_attr_getstack(&a, (void **)&low, &size);\n"
	"	/* what is mapped right above is merged with the stack by some kernels */\n"
	"	above = mmap(low + size, 1 << 20, PROT_READ | PROT_WRITE,\n"
	"		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);\n"
	"	pthread_mutex_lock(&m);\n"
	"	printf(\"%d %lx %lx %lx\\n\", (int)syscall(SYS_gettid), (long)&local, (long)low,\n"
	"	       above == MAP_FAILED ? 0 : (long)above + 4096);\n"
	"	pthread_mutex_unlock(&m);\n"
	"	while (arg) ;\n"
	"	for (;;) pause();\n}\n"
	"int main(void)\n{\n"
	"	pthread_t t[4];\n"
	"	for (long i = 0; i < 4; i++) pthread_create(&t[i], NULL, run, (void *)(i & 1));\n"
	"	usleep(100000); fflush(stdout); usleep(1000);\n"
	"	printf(\"0 0 0 0\\n\"); fflush(stdout); getchar();\n"
	"	return 0;\n}\n";

/* Threads that were there before: two that sleep and two that never stop running. */
static void check_threads(const char *name, bool running_too)
{
	struct space *sp = space__new(NULL);
	unsigned long long local, low, above;
	struct place pl;
	struct fed fed;
	struct child c;
	char line[128], owner[64], want[64];
	unsigned int tid, n = 0, found = 0;
	struct {
		unsigned int tid;
		unsigned long long local, low, above;
	} said[4];
	__u32 id = 1;

	child__start(&c, name, false);
	while (child__line(&c, line, sizeof(line)) &&
	       sscanf(line, "%u %llx %llx %llx", &tid, &local, &low, &above) == 4 && tid) {
		assert_true(n < 4);
		said[n].tid = tid;
		said[n].local = local;
		said[n].low = low;
		said[n++].above = above;
	}
	assert_int_equal(n, 4);
	assert_int_equal(space__snapshot(sp, c.pid), 0);
	feed_process(sp, c.pid, &id, &fed);
	for (unsigned int i = 0; i < n; i++) {
		pl = place_of(sp, &fed, c.pid, said[i].local);
		if (pl.region == FS_REGION_ANON && !running_too)
			continue;
		found++;
		assert_string_equal(region_name(pl.region), "thread-stack");
		assert_int_equal(pl.stack_tid, said[i].tid);
		snprintf(want, sizeof(want), "[stack:%u]", said[i].tid);
		assert_string_equal(place__owner(&pl, owner, sizeof(owner)), want);
		pl = place_of(sp, &fed, c.pid, said[i].low + 4096);
		assert_string_equal(region_name(pl.region), "thread-stack");
		if (!running_too || !said[i].above)
			continue;
		pl = place_of(sp, &fed, c.pid, said[i].above);
		assert_string_equal(region_name(pl.region), "anon");
	}
	assert_true(found >= 2);
	child__tell(&c, "");
	assert_int_equal(child__end(&c), 0);
	space__free(sp);
}

static void test_threads_before(void **state)
{
	if (!compile("threads", threads, "-D_GNU_SOURCE"))
		skip();
	check_threads("threads", true);
}

static void test_32_bit_threads_before(void **state)
{
	if (!compile("threads32", threads, "-m32 -D_GNU_SOURCE"))
		skip();
	check_threads("threads32", false);
}

/* ---- rules ------------------------------------------------------------------------------------ */

struct vma {
	__u32 id, file_id;
	__u64 start, end, pgoff, flags;
	__u8 base;
	__u32 prev_file_id;
	__u64 prev_start, prev_pgoff, prev_flags;
	const char *name;
	__u64 mm; /* 0: 1 */
};

static void feed(struct space *sp, __u32 pid, const struct vma *v)
{
	struct fs_region_event ev = {
		.head = { .kind = FS_EVENT_REGION, .size = sizeof(ev), .pid = pid, .tid = pid },
		.id = v->id,
		.file_id = v->file_id,
		.mm = v->mm ? v->mm : 1,
		.start = v->start,
		.end = v->end,
		.pgoff = v->pgoff,
		.vm_flags = v->flags,
		.region = v->base,
		.prev_file_id = v->prev_file_id,
		.prev_start = v->prev_start,
		.prev_pgoff = v->prev_pgoff,
		.prev_flags = v->prev_flags,
	};

	snprintf(ev.anon_name, sizeof(ev.anon_name), "%s", v->name ? v->name : "");
	assert_int_equal(space__event(sp, &ev.head), 0);
}

static struct place at(struct space *sp, __u32 pid, __u32 region_id, __u64 addr)
{
	struct fs_fault f = { .pid = pid,
			      .tid = pid,
			      .addr = addr,
			      .region_id = region_id,
			      .region = FS_REGION_ANON };
	struct place pl;

	space__place(sp, &f, &pl);
	return pl;
}

#define assert_region(pl, want) assert_string_equal(region_name((pl).region), want)

static void test_stacks(void **state)
{
	struct space *sp = space__new(NULL);
	const __u32 p = NO_PID;

	feed(sp, p,
	     &(struct vma){ .id = 1,
			    .start = 0x10000,
			    .end = 0x50000,
			    .flags = VM_RW,
			    .base = FS_REGION_ANON });
	assert_region(at(sp, p, 1, 0x10000), "anon");
	feed_fork(sp, 1, p, p, p, p + 1, THREAD, 0, 0x20000);
	feed_fork(sp, 2, p, p, p, p + 2, THREAD, 0x28000, 0x30000);
	feed_fork(sp, 3, p, p, p, p + 3, CLONE_VM, 0, 0x40000); /* no CLONE_THREAD, same pid */
	assert_region(at(sp, p, 1, 0x10000), "thread-stack");
	assert_int_equal(at(sp, p, 1, 0x10000).stack_tid, p + 1);
	assert_int_equal(at(sp, p, 1, 0x1ffff).stack_tid, p + 1);
	/* between the stacks: above the one, below the other's own low end */
	assert_region(at(sp, p, 1, 0x20000), "anon");
	assert_region(at(sp, p, 1, 0x27fff), "anon");
	assert_int_equal(at(sp, p, 1, 0x28000).stack_tid, p + 2);
	assert_int_equal(at(sp, p, 1, 0x2ffff).stack_tid, p + 2);
	assert_int_equal(at(sp, p, 1, 0x30000).stack_tid, p + 3);
	assert_region(at(sp, p, 1, 0x40000), "anon");
	assert_null(at(sp, p, 1, 0x10000).file);
	assert_int_equal(at(sp, p, 1, 0x10000).mapping->start, 0x10000);
	/* another process at the same addresses */
	assert_region(at(sp, p + 9, 1, 0x10000), "anon");
	/* no mapping known: only a stack whose both ends are */
	assert_region(at(sp, p, 0, 0x28000), "thread-stack");
	assert_region(at(sp, p, 0, 0x10000), "anon");
	/* a stack of another mapping above this one is none here */
	feed(sp, p,
	     &(struct vma){ .id = 2,
			    .start = 0x8000,
			    .end = 0x10000,
			    .flags = VM_RW,
			    .base = FS_REGION_ANON });
	assert_region(at(sp, p, 2, 0x9000), "anon");
	/* nor in a heap or a file */
	feed(sp, p,
	     &(struct vma){ .id = 3,
			    .start = 0x10000,
			    .end = 0x50000,
			    .flags = VM_RW,
			    .base = FS_REGION_HEAP });
	assert_region(at(sp, p, 3, 0x10000), "heap");

	feed_exit(sp, 4, p, p + 1, 0, false);
	assert_region(at(sp, p, 1, 0x10000), "anon"); /* below stack 2's low end */
	feed_exit(sp, 4, p, p + 2, 0, false);
	assert_int_equal(at(sp, p, 1, 0x10000).stack_tid, p + 3);
	feed_exit(sp, 4, p, p + 3, 0, false);
	assert_region(at(sp, p, 1, 0x10000), "anon");
	/* a cached stack is used again */
	feed_fork(sp, 5, p, p, p, p + 4, THREAD, 0, 0x20000);
	assert_int_equal(at(sp, p, 1, 0x10000).stack_tid, p + 4);
	/* its user's exit was lost, then comes late */
	feed_fork(sp, 6, p, p, p, p + 5, THREAD, 0, 0x20000);
	feed_exit(sp, 7, p, p + 4, 0, false);
	assert_int_equal(at(sp, p, 1, 0x10000).stack_tid, p + 5);
	/* io_uring's workers have none */
	feed_fork(sp, 8, p, p, p, p + 6, THREAD, 0, 0);
	feed_exec(sp, 9, p, p, 0, 0, "new");
	assert_region(at(sp, p, 1, 0x10000), "anon");
	space__free(sp);
}

static void test_stacks_and_fork(void **state)
{
	struct space *sp = space__new(NULL);
	const __u32 p = NO_PID, child = NO_PID + 100, vchild = NO_PID + 200;

	feed(sp, p,
	     &(struct vma){ .id = 1,
			    .start = 0x10000,
			    .end = 0x50000,
			    .flags = VM_RW,
			    .base = FS_REGION_ANON });
	feed_fork(sp, 1, p, p, p, p + 1, THREAD, 0x12000, 0x20000);
	feed_fork(sp, 2, p, p, p, p + 2, THREAD, 0x22000, 0x30000);
	/* thread 2 forks: the child has its stack and no other */
	feed_fork(sp, 3, p, p + 2, child, child, 0, 0, 0);
	assert_region(at(sp, child, 1, 0x1f000), "anon");
	assert_int_equal(at(sp, child, 1, 0x2f000).stack_tid, child);
	assert_int_equal(at(sp, p, 1, 0x2f000).stack_tid, p + 2);
	/* the main thread forks: no thread stacks at all */
	feed_fork(sp, 4, p, p, child + 1, child + 1, 0, 0, 0);
	assert_region(at(sp, child + 1, 1, 0x2f000), "anon");
	/* vfork: the memory is the parent's, stacks and all */
	feed_fork(sp, 5, p, p + 1, vchild, vchild, CLONE_VM | CLONE_VFORK, 0, 0x1f000);
	assert_int_equal(at(sp, vchild, 1, 0x1e000).stack_tid, p + 1);
	feed_fork(sp, 6, p, p, p, p + 3, THREAD, 0x32000, 0x40000);
	assert_int_equal(at(sp, vchild, 1, 0x33000).stack_tid, p + 3);
	feed_exec(sp, 7, vchild, vchild, 0, 0, "x");
	assert_region(at(sp, vchild, 1, 0x33000), "anon");
	assert_int_equal(at(sp, p, 1, 0x33000).stack_tid, p + 3);
	/* the parent ends, a child that shares its memory goes on */
	feed_fork(sp, 8, p, p, vchild + 1, vchild + 1, CLONE_VM | CLONE_VFORK, 0, 0x1f000);
	feed_exit(sp, 9, p, p, 0, true);
	assert_region(at(sp, vchild + 1, 1, 0x33000), "anon");
	/* the child's own end takes its stack along */
	feed_exit(sp, 10, child, child, 0, true);
	assert_region(at(sp, child, 1, 0x2f000), "anon");
	space__free(sp);
}

static void test_bases(void **state)
{
	static const struct {
		__u8 base;
		const char *owner;
	} cases[] = {
		{ FS_REGION_HEAP, "[heap]" },     { FS_REGION_STACK, "[stack]" },
		{ FS_REGION_ANON, "[anon]" },     { FS_REGION_ANON_EXEC, "[anon]" },
		{ FS_REGION_VDSO, "[vdso]" },     { FS_REGION_NONE, "-" },
		{ FS_REGION_KERNEL, "[kernel]" }, { FS_REGION_UNKNOWN, "?" },
		{ FS_REGION_FILE, "?" },          { FS_REGION_SHM, "?" },
		{ FS_REGION_HUGETLB, "?" },       { FS_REGION_DEVICE, "?" },
	};
	struct space *sp = space__new(NULL);
	char owner[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct fs_fault f = { .pid = NO_PID, .tid = NO_PID, .region = cases[i].base };
		struct place pl;

		/* with a mapping, and without */
		feed(sp, NO_PID,
		     &(struct vma){
			     .id = i + 1, .start = 0x1000, .end = 0x2000, .base = cases[i].base });
		for (f.region_id = 0; f.region_id <= i + 1; f.region_id += i + 1) {
			space__place(sp, &f, &pl);
			assert_int_equal(pl.region, cases[i].base);
			assert_string_equal(place__owner(&pl, owner, sizeof(owner)),
					    cases[i].owner);
			assert_null(pl.file);
			assert_int_equal(!pl.mapping, !f.region_id);
		}
	}
	/* nonsense from a damaged recording */
	feed(sp, NO_PID, &(struct vma){ .id = 99, .start = 0x1000, .end = 0x2000, .base = 200 });
	assert_region(at(sp, NO_PID, 99, 0x1000), "unknown");
	feed(sp, NO_PID, &(struct vma){ .id = 98, .start = 0x2000, .end = 0x1000 });
	assert_null(space__mapping(sp, 98));
	feed(sp, NO_PID,
	     &(struct vma){ .id = 0xffffffff,
			    .start = 0,
			    .end = ~0ULL,
			    .file_id = 77,
			    .base = FS_REGION_FILE });
	assert_region(at(sp, NO_PID, 0xffffffff, 0x1000), "file");
	assert_null(space__mapping(sp, 0xfffffff0));
	feed(sp, NO_PID,
	     &(struct vma){ .id = 97,
			    .start = 0x1000,
			    .end = 0x2000,
			    .base = FS_REGION_ANON,
			    .name = "a b" });
	assert_string_equal(place__owner(&(struct place){ .region = FS_REGION_ANON,
							  .mapping = space__mapping(sp, 97) },
					 owner, sizeof(owner)),
			    "[anon:a b]");
	space__free(sp);
}

static void test_file_names(void **state)
{
	static const struct {
		const char *path, *name;
		__u16 flags;
		__u32 mode;
		const char *want_path;
	} cases[] = {
		{ "/usr/lib/libc.so.6", "libc.so.6", 0, REG, NULL },
		{ "/a", "a", FS_FILE_DELETED, REG, NULL },
		{ "/memfd:x y", "memfd:x y", FS_FILE_DELETED | FS_FILE_SHMEM, REG, NULL },
		{ "/SYSV00000000", "SYSV00000000", FS_FILE_DELETED | FS_FILE_SHMEM, REG, NULL },
		{ "/dev/zero", "[shared anon]", FS_FILE_DELETED | FS_FILE_SHMEM, REG, NULL },
		{ "/dev/zero", "zero", 0, S_IFCHR | 0666, NULL },
		{ "/d\n/\xff(b)", "\xff(b)", 0, REG, NULL },
		{ "/b/c", "c", FS_FILE_TRUNCATED, REG, ".../b/c" },
		{ "", "?", 0, REG, "?" },
	};
	struct space *sp = space__new(NULL);
	char owner[64];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		__u32 id = i + 1;
		struct place pl;

		feed_file(sp, id, 1, 1000 + i, cases[i].flags, cases[i].mode, cases[i].path);
		assert_string_equal(space__file(sp, id)->path,
				    cases[i].want_path ? cases[i].want_path : cases[i].path);
		assert_string_equal(space__file(sp, id)->name, cases[i].name);
		feed(sp, NO_PID,
		     &(struct vma){ .id = id,
				    .file_id = id,
				    .start = 0x10000,
				    .end = 0x20000,
				    .pgoff = 3,
				    .base = FS_REGION_SHM });
		pl = at(sp, NO_PID, id, 0x12345);
		assert_region(pl, "shm");
		assert_int_equal(pl.file_offset, 0x2345 + 3 * sysconf(_SC_PAGESIZE));
		assert_ptr_equal(pl.file, space__file(sp, id));
		assert_string_equal(place__owner(&pl, owner, sizeof(owner)), cases[i].name);
		assert_false(pl.file->elf_tried);
	}
	assert_null(space__file(sp, 99));
	assert_string_equal(place__owner(&(struct place){ .region = FS_REGION_FILE,
							  .file = space__file(sp, 1) },
					 owner, 5),
			    "libc");
	space__free(sp);
}

/* One dentry's name may hold a slash: that of shared anonymous memory does. */
static void test_names_as_sent(void **state)
{
	struct space *sp = space__new(NULL);
	static union {
		struct fs_file_event ev;
		char bytes[sizeof(struct fs_file_event) + 64];
	} u;

#define SEND(number, text, count, length)                          \
	do {                                                       \
		memset(&u, 0, sizeof(u));                          \
		u.ev.head.kind = FS_EVENT_FILE;                    \
		u.ev.head.size = sizeof(u.ev) + (length);          \
		u.ev.id = u.ev.ino = (number);                     \
		u.ev.mode = REG;                                   \
		u.ev.nnames = (count);                             \
		u.ev.path_len = (length);                          \
		memcpy(u.ev.path, text, length);                   \
		assert_int_equal(space__event(sp, &u.ev.head), 0); \
	} while (0)
	SEND(1, "dev/zero", 1, 9);
	assert_string_equal(space__file(sp, 1)->path, "/dev/zero");
	assert_string_equal(space__file(sp, 1)->name, "[shared anon]");
	SEND(2, "memfd:a/b", 1, 10);
	assert_string_equal(space__file(sp, 2)->name, "memfd:a/b");
	SEND(3, "c\0b\0a\0", 3, 6);
	assert_string_equal(space__file(sp, 3)->path, "/a/b/c");
	/* fewer names than said, no NUL at the end, more names than said */
	SEND(4, "c\0b", 9, 3);
	assert_string_equal(space__file(sp, 4)->path, "/b/c");
	SEND(5, "c\0b\0a\0", 1, 6);
	assert_string_equal(space__file(sp, 5)->path, "/c");
	SEND(6, "c\0/\0", 2, 4);
	assert_string_equal(space__file(sp, 6)->path, "/c");
	SEND(7, "", 0, 0);
	assert_string_equal(space__file(sp, 7)->path, "?");
	/* longer than the event */
	u.ev.id = 8;
	u.ev.path_len = 100;
	assert_int_equal(space__event(sp, &u.ev.head), 0);
	assert_null(space__file(sp, 8));
	u.ev.head.size = sizeof(u.ev) - 1;
	assert_int_equal(space__event(sp, &u.ev.head), 0);
	space__free(sp);
}

static void test_files_once(void **state)
{
	struct space *sp = space__new(NULL);

	feed_file(sp, 1, 1, 10, 0, REG, "/a/b");
	feed_file(sp, 2, 1, 10, FS_FILE_DELETED, REG, "/a/b");
	feed_file(sp, 3, 1, 10, 0, REG, "/a/hard");
	feed_file(sp, 4, 2, 10, 0, REG, "/a/b");
	assert_ptr_equal(space__file(sp, 1), space__file(sp, 2));
	assert_int_equal(space__file(sp, 1)->flags, FS_FILE_DELETED);
	assert_ptr_not_equal(space__file(sp, 1), space__file(sp, 3));
	assert_ptr_not_equal(space__file(sp, 1), space__file(sp, 4));
	/* mappings as well */
	for (__u32 id = 1; id < 5; id++)
		feed(sp, NO_PID,
		     &(struct vma){ .id = id,
				    .file_id = id,
				    .start = 0x1000,
				    .end = 0x2000,
				    .base = FS_REGION_FILE_SHARED });
	assert_ptr_equal(space__mapping(sp, 1), space__mapping(sp, 2));
	assert_ptr_not_equal(space__mapping(sp, 1), space__mapping(sp, 3));
	assert_int_equal(space__mapping(sp, 2)->id, 1);
	space__free(sp);
}

/* ---- objects, by events ----------------------------------------------------------------------- */

static const char object[] = "int data[2000] = { 1 };\nstatic char bss[100000];\n"
			     "int main(int c, char **v) { return data[c] + bss[c]; }\n";

struct built {
	char path[256];
	struct stat st;
	struct elf_layout *elf;
	const struct elf_load *data;
	__u64 bias, page;  /* as if it had been loaded with that bias */
	__u64 first, last; /* of the data mapping */
};

static bool build(struct built *b, const char *name, const char *flags)
{
	int fd;

	if (!compile(name, object, flags))
		return false;
	snprintf(b->path, sizeof(b->path), "%s/%s", test_dir(), name);
	fd = open(b->path, O_RDONLY | O_CLOEXEC);
	b->elf = elf_layout__read(fd);
	assert_int_equal(fstat(fd, &b->st), 0);
	close(fd);
	assert_non_null(b->elf);
	b->page = sysconf(_SC_PAGESIZE);
	b->bias = 0x555500000000;
	b->data = &b->elf->loads[b->elf->nloads - 1];
	b->first = (b->bias + b->data->vaddr) & -b->page;
	b->last = (b->bias + b->data->vaddr + b->data->filesz + b->page - 1) & -b->page;
	return true;
}

static void feed_built(struct space *sp, __u32 id, const struct built *b, __u16 flags)
{
	feed_file(sp, id, major(b->st.st_dev) << 20 | minor(b->st.st_dev), b->st.st_ino, flags,
		  b->st.st_mode, b->path);
}

static struct vma data_vma(const struct built *b, __u32 id, __u32 file_id)
{
	return (struct vma){ .id = id,
			     .file_id = file_id,
			     .start = b->first,
			     .end = b->last,
			     .pgoff = b->data->offset / b->page,
			     .flags = VM_RW | VM_ACCOUNT,
			     .base = FS_REGION_FILE };
}

static struct vma bss_vma(const struct built *b, __u32 id, __u32 file_id, __u64 end)
{
	return (struct vma){ .id = id,
			     .start = b->last,
			     .end = end,
			     .flags = VM_RW | VM_ACCOUNT,
			     .base = FS_REGION_ANON,
			     .prev_file_id = file_id,
			     .prev_start = b->first,
			     .prev_pgoff = b->data->offset / b->page,
			     .prev_flags = VM_RW | VM_ACCOUNT };
}

static void test_data_and_bss(void **state)
{
	struct space *sp = space__new(NULL);
	__u64 edge, end;
	struct built b;
	struct vma v;

	if (!build(&b, "object", "-no-pie -fuse-ld=bfd"))
		skip();
	feed_built(sp, 1, &b, 0);
	edge = b.bias + b.data->vaddr + b.data->filesz;
	end = (b.bias + b.data->vaddr + b.data->memsz + b.page - 1) & -b.page;
	v = data_vma(&b, 1, 1);
	feed(sp, NO_PID, &v);
	assert_region(at(sp, NO_PID, 1, edge - 1), "data");
	assert_region(at(sp, NO_PID, 1, edge), "bss");
	assert_ptr_equal(at(sp, NO_PID, 1, edge).file, space__file(sp, 1));
	assert_int_equal(at(sp, NO_PID, 1, edge - 1).file_offset,
			 b.data->offset + b.data->filesz - 1);
	/* RELRO: the kernel has cut it off, it cannot be written any more */
	v.id = 2;
	v.end = v.start + b.page;
	v.flags = 0x1 | VM_ACCOUNT;
	feed(sp, NO_PID, &v);
	assert_region(at(sp, NO_PID, 2, v.start + 10), "data");
	/* bss behind it, merged with something else */
	v = bss_vma(&b, 3, 1, end + 0x5000);
	feed(sp, NO_PID, &v);
	assert_region(at(sp, NO_PID, 3, b.last), "bss");
	assert_ptr_equal(at(sp, NO_PID, 3, b.last).file, space__file(sp, 1));
	assert_region(at(sp, NO_PID, 3, end - 1), "bss");
	assert_region(at(sp, NO_PID, 3, end), "anon");
	assert_null(at(sp, NO_PID, 3, end).file);
	/* a part of it, cut off by mprotect */
	feed(sp, NO_PID,
	     &(struct vma){ .id = 4,
			    .start = b.last + b.page,
			    .end = end,
			    .flags = 1,
			    .base = FS_REGION_ANON });
	assert_region(at(sp, NO_PID, 4, b.last + b.page), "bss");
	/* in another process nothing of the kind is known */
	feed(sp, NO_PID + 1,
	     &(struct vma){ .id = 5,
			    .start = b.last + b.page,
			    .end = end,
			    .flags = 3,
			    .base = FS_REGION_ANON });
	assert_region(at(sp, NO_PID + 1, 5, b.last + b.page), "anon");
	/* directly behind the data, but of a mapping that is not private */
	v = bss_vma(&b, 6, 1, end);
	v.prev_flags |= 8;
	feed(sp, NO_PID + 1, &v);
	assert_region(at(sp, NO_PID + 1, 6, b.last), "anon");
	/* behind the object's text */
	v.id = 7;
	v.prev_flags = 5;
	v.prev_pgoff = 1;
	feed(sp, NO_PID + 1, &v);
	assert_region(at(sp, NO_PID + 1, 7, b.last), "anon");
	elf_layout__free(b.elf);
	space__free(sp);
}

static void send_call(struct space *sp, enum fs_call call, __s64 ret, __u64 a0, __u64 a1, __u64 a3)
{
	struct fs_call_event ev = {
		.head = { .kind = FS_EVENT_CALL, .size = sizeof(ev), .pid = NO_PID, .tid = NO_PID },
		.ret = ret,
		.args = { a0, a1, 0, a3 },
		.call = call,
		.flags = ret < 0 && ret > -4096 ? FS_CALL_FAILED : 0,
	};

	assert_int_equal(space__event(sp, &ev.head), 0);
}

static void test_bss_is_forgotten(void **state)
{
	struct space *sp = space__new(NULL);
	__u64 cut, end;
	struct built b;
	struct vma v, part;
	__u32 id = 10;

	if (!build(&b, "object", "-no-pie -fuse-ld=bfd"))
		skip();
	feed_built(sp, 1, &b, 0);
	cut = b.last + b.page;
	end = (b.bias + b.data->vaddr + b.data->memsz + b.page - 1) & -b.page;
	v = data_vma(&b, 1, 1);
	part = (struct vma){ .start = cut, .end = end, .flags = VM_RW, .base = FS_REGION_ANON };
#define PART(want)                                            \
	do {                                                  \
		part.id = ++id;                               \
		part.flags ^= 0x40000000;                     \
		feed(sp, NO_PID, &part);                      \
		assert_region(at(sp, NO_PID, id, cut), want); \
	} while (0)
	feed(sp, NO_PID, &v);
	PART("bss");
	send_call(sp, FS_CALL_MUNMAP, -EINVAL, b.first, end - b.first, 0);
	PART("bss");
	/* the dynamic linker makes it with a mapping of exactly that size */
	send_call(sp, FS_CALL_MMAP, b.last, b.last, end - b.last - 100, 0x32);
	PART("bss");
	send_call(sp, FS_CALL_MMAP, cut, cut, b.page, 0x32);
	PART("anon");
	feed(sp, NO_PID, &v);
	PART("bss");
	send_call(sp, FS_CALL_MUNMAP, 0, b.first, end - b.first, 0);
	PART("anon");
	feed(sp, NO_PID, &v);
	PART("bss");
	send_call(sp, FS_CALL_MREMAP, 0x1000, cut, b.page, 0);
	PART("anon");
	feed(sp, NO_PID, &v);
	PART("bss");
	/* execve has put another address space in the place of this one */
	feed(sp, NO_PID, &v);
	part.mm = 2;
	PART("anon");
	part.mm = 1;
	PART("bss");
	feed_exec(sp, 5, NO_PID, NO_PID, 0, 0, "new");
	PART("anon");
	/* and the new one's data was touched before the event */
	v.mm = 3;
	feed(sp, NO_PID, &v);
	feed_exec_mm(sp, 6, NO_PID, NO_PID, 0, 0, "new", 3);
	part.mm = 3;
	PART("bss");
	/* a file has taken its place */
	feed_file(sp, 2, 1, 1, 0, REG, "/other");
	feed(sp, NO_PID,
	     &(struct vma){ .id = 2,
			    .file_id = 2,
			    .start = cut,
			    .end = end,
			    .flags = 1,
			    .base = FS_REGION_FILE_SHARED });
	PART("anon");
	elf_layout__free(b.elf);
	space__free(sp);
}

/* A program that maps an object whole. */
static void test_object_as_data(void **state)
{
	struct space *sp = space__new(NULL);
	struct built b;
	__u64 size;

	if (!build(&b, "object", "-no-pie -fuse-ld=bfd"))
		skip();
	size = (b.st.st_size + b.page - 1) & -b.page;
	feed_built(sp, 1, &b, 0);
	feed(sp, NO_PID,
	     &(struct vma){ .id = 1,
			    .file_id = 1,
			    .start = b.bias,
			    .end = b.bias + size,
			    .flags = 1,
			    .base = FS_REGION_FILE });
	assert_region(at(sp, NO_PID, 1, b.bias), "rodata");
	assert_region(at(sp, NO_PID, 1, b.bias + b.data->offset), "data");
	for (size_t i = 0; i < b.elf->nsegments; i++)
		if (b.elf->segments[i].flags == 5)
			assert_region(at(sp, NO_PID, 1, b.bias + b.elf->segments[i].offset),
				      "text");
	/* debugging information is in no segment */
	if (b.data->offset + b.data->filesz + b.page < (__u64)b.st.st_size)
		assert_region(at(sp, NO_PID, 1, b.bias + b.st.st_size - 1), "file");
	assert_region(at(sp, NO_PID, 1, b.bias + size + 1), "file"); /* beyond what is mapped */
	/* shared: no object at all */
	feed(sp, NO_PID,
	     &(struct vma){ .id = 2,
			    .file_id = 1,
			    .start = b.bias,
			    .end = b.bias + size,
			    .flags = 9,
			    .base = FS_REGION_FILE_SHARED });
	assert_region(at(sp, NO_PID, 2, b.bias), "file-shared");
	elf_layout__free(b.elf);
	space__free(sp);
}

/* What is at the path must be the file that was mapped. */
static void test_wrong_file(void **state)
{
	struct found found = {};
	const struct space_ops ops = { .ctx = &found, .elf_found = elf_found };
	struct space *sp = space__new(&ops);
	struct built b;
	struct vma v;

	if (!build(&b, "object", "-no-pie -fuse-ld=bfd"))
		skip();
	v = data_vma(&b, 1, 1);
	b.st.st_ino++;
	feed_built(sp, 1, &b, 0);
	feed(sp, NO_PID, &v);
	assert_region(at(sp, NO_PID, 1, v.start), "file");
	assert_false(space__file(sp, 1)->elf_tried);
	b.st.st_ino--;
	b.st.st_dev = makedev(1234, 5);
	feed_built(sp, 2, &b, 0);
	v.id = v.file_id = 2;
	for (int i = 0; i < 100; i++)
		feed(sp, NO_PID, &v);
	assert_false(space__file(sp, 2)->elf_tried); /* another process may have it still */
	for (int i = 0; i < 20; i++)
		feed(sp, NO_PID + i, &v);
	assert_region(at(sp, NO_PID, 2, v.start), "file");
	assert_false(space__file(sp, 2)->elf_tried); /* and a later one may, too */
	assert_int_equal(found.n, 0);
	elf_layout__free(b.elf);
	space__free(sp);
}

/* Opening what somebody has put at the path of a mapped file must not block or do anything. */
static void test_fifo_at_path(void **state)
{
	struct space *sp = space__new(NULL);
	char path[256];
	struct stat st;

	snprintf(path, sizeof(path), "%s/pipe", test_dir());
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(stat(path, &st), 0);
	feed_file(sp, 1, major(st.st_dev) << 20 | minor(st.st_dev), st.st_ino, 0, REG, path);
	feed(sp, NO_PID,
	     &(struct vma){ .id = 1,
			    .file_id = 1,
			    .start = 0x1000,
			    .end = 0x2000,
			    .flags = 5,
			    .base = FS_REGION_FILE });
	assert_region(at(sp, NO_PID, 1, 0x1000), "file");
	feed_file(sp, 2, 1, 5, 0, S_IFCHR | 0666, "/dev/zero");
	feed(sp, NO_PID,
	     &(struct vma){ .id = 2,
			    .file_id = 2,
			    .start = 0x1000,
			    .end = 0x2000,
			    .flags = 5,
			    .base = FS_REGION_FILE });
	assert_true(space__file(sp, 2)->elf_tried);
	space__free(sp);
}

/* The program of a living process has been deleted, or is in a memfd. */
static void test_deleted_program(void **state)
{
	struct space *sp = space__new(NULL);
	char path[256], line[128];
	unsigned long long addr = 0;
	struct place pl;
	struct child c;
	struct fed fed;
	__u32 id = 1;

	if (!compile("deleted", program, "-DRELRO='\"data\"'"))
		skip();
	child__start(&c, "deleted", false);
	assert_true(child__line(&c, line, sizeof(line)));
	assert_int_equal(sscanf(line, "bias %llx", &addr), 1);
	assert_true(child__line(&c, line, sizeof(line)));
	assert_int_equal(sscanf(line, "text %llx", &addr), 1);
	while (child__line(&c, line, sizeof(line)) && strncmp(line, "ready", 5))
		;
	snprintf(path, sizeof(path), "%s/deleted", test_dir());
	assert_int_equal(unlink(path), 0);
	feed_process(sp, c.pid, &id, &fed);
	pl = place_of(sp, &fed, c.pid, addr);
	child__tell(&c, "");
	child__end(&c);
	/* map_files needs CAP_CHECKPOINT_RESTORE or CAP_SYS_ADMIN */
	if (geteuid() == 0)
		assert_region(pl, "text");
	else
		assert_region(pl, "file");
	space__free(sp);
}

/* Far from a benchmark: that no answer takes longer than it may is what it shows. */
static void test_many_places(void **state)
{
	struct space *sp = space__new(NULL);
	struct fs_fault f = { .pid = NO_PID, .tid = NO_PID, .region = FS_REGION_ANON };
	struct timespec from, to;
	struct place pl;
	size_t sum = 0;

	for (__u32 id = 1; id <= 65530; id++)
		feed(sp, NO_PID,
		     &(struct vma){ .id = id,
				    .start = 0x1000 * id,
				    .end = 0x1000 * (id + 1),
				    .flags = VM_RW,
				    .base = FS_REGION_ANON });
	for (__u32 i = 0; i < 1000; i++)
		feed_fork(sp, 1, NO_PID, NO_PID, NO_PID, NO_PID + 1 + i, THREAD, 0,
			  0x1000 * (i * 60 + 2));
	clock_gettime(CLOCK_MONOTONIC, &from);
	for (__u32 i = 0; i < 1000000; i++) {
		f.region_id = 1 + i * 7919U % 65530;
		f.addr = 0x1000ULL * f.region_id;
		space__place(sp, &f, &pl);
		sum += pl.region == FS_REGION_THREAD_STACK;
	}
	clock_gettime(CLOCK_MONOTONIC, &to);
	assert_in_range(sum, 10000, 30000);
	assert_true(to.tv_sec - from.tv_sec < 5);
	space__free(sp);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_programs),
		cmocka_unit_test(test_threads_before),
		cmocka_unit_test(test_32_bit_threads_before),
		cmocka_unit_test(test_stacks),
		cmocka_unit_test(test_stacks_and_fork),
		cmocka_unit_test(test_bases),
		cmocka_unit_test(test_file_names),
		cmocka_unit_test(test_names_as_sent),
		cmocka_unit_test(test_files_once),
		cmocka_unit_test(test_data_and_bss),
		cmocka_unit_test(test_bss_is_forgotten),
		cmocka_unit_test(test_object_as_data),
		cmocka_unit_test(test_wrong_file),
		cmocka_unit_test(test_fifo_at_path),
		cmocka_unit_test(test_deleted_program),
		cmocka_unit_test(test_many_places),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
