/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches fresh pages at the end of known chains of calls, one part after another. Each part prints
 * part=CHAIN COUNT: the functions from the part's own on, and how many pages their end has touched.
 *
 *	stacks PART PAGES [PART PAGES]...
 *
 * The part `wait` waits until a line comes, and touches nothing.
 *
 * build: -O2 -fomit-frame-pointer -pthread -rdynamic -o stacks
 * build: -O2 -fomit-frame-pointer -pthread -no-pie -rdynamic -o stacks-nopie
 * build: -O2 -fomit-frame-pointer -pthread -static -DALONE -o stacks-static
 */
#include "truth.h"

#include <dlfcn.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <sys/wait.h>

#define NOINLINE __attribute__((noinline, noclone))
/* No tail call: the caller's frame stays. */
#define RETURN_INT(x)                           \
	do {                                    \
		int value = (x);                \
		asm volatile("" : "+r"(value)); \
		return value;                   \
	} while (0)

static unsigned int pages;

NOINLINE int touch(char *mem, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		((volatile char *)mem)[(size_t)i * truth.page] = 1;
	RETURN_INT(mem[0]);
}

/* Fresh pages, touched by a chain that ends in touch(). */
NOINLINE int inner(unsigned int n)
{
	RETURN_INT(touch(truth_anon(n), n));
}

NOINLINE int middle(unsigned int n)
{
	RETURN_INT(inner(n) + 1);
}

NOINLINE int outer(unsigned int n)
{
	RETURN_INT(middle(n) + 1);
}

NOINLINE int part_plain(void)
{
	RETURN_INT(outer(pages));
}

/* ---- depth ---- */

NOINLINE int recurse(unsigned int depth)
{
	if (!depth)
		RETURN_INT(inner(pages));
	RETURN_INT(recurse(depth - 1) + 1);
}

NOINLINE int part_deep(void)
{
	RETURN_INT(recurse(100));
}

NOINLINE int part_too_deep(void)
{
	RETURN_INT(recurse(1000));
}

/* ---- frames of other kinds ---- */

/* The size of the frame is known only when it runs: its CFA is told by the frame pointer. */
NOINLINE int variable_frame(unsigned int n)
{
	volatile char *room = __builtin_alloca(64 + n * 16);

	room[0] = 1;
	RETURN_INT(inner(n) + room[0]);
}

NOINLINE int part_alloca(void)
{
	RETURN_INT(variable_frame(pages));
}

/* Most of it is never touched: a copy of the stack has holes. */
NOINLINE int large_frame(unsigned int n)
{
	volatile char room[200000];

	room[0] = 1;
	RETURN_INT(inner(n) + room[0]);
}

NOINLINE int part_large(void)
{
	RETURN_INT(large_frame(pages));
}

NOINLINE int aligned_frame(unsigned int n)
{
	volatile char room[256] __attribute__((aligned(256)));

	room[0] = 1;
	RETURN_INT(inner(n) + room[0]);
}

NOINLINE int part_aligned(void)
{
	RETURN_INT(aligned_frame(pages));
}

/* The call is the function's last instruction: its return address is behind the function. */
static jmp_buf back;

NOINLINE __attribute__((noreturn)) void leave(unsigned int n)
{
	inner(n);
	longjmp(back, 1);
}

NOINLINE int never_returns(unsigned int n)
{
	leave(n);
}

NOINLINE int part_noreturn(void)
{
	if (!setjmp(back))
		never_returns(pages);
	RETURN_INT(1);
}

/* ---- signals ---- */

static void handler(int sig)
{
	(void)sig;
	inner(pages);
}

NOINLINE int raise_it(int flags)
{
	struct sigaction sa = { .sa_handler = handler, .sa_flags = flags };

	sigaction(SIGUSR1, &sa, NULL);
	RETURN_INT(kill(getpid(), SIGUSR1));
}

NOINLINE int part_signal(void)
{
	RETURN_INT(raise_it(0));
}

NOINLINE int part_altstack(void)
{
	static char room[65536];
	stack_t ss = { .ss_sp = room, .ss_size = sizeof(room) };

	memset(room, 1, sizeof(room));
	sigaltstack(&ss, NULL);
	RETURN_INT(raise_it(SA_ONSTACK));
}

/* Interrupted at any instruction: the fault itself. */
static char *broken;

static void mend(int sig)
{
	(void)sig;
	mprotect(broken, truth.page, PROT_READ | PROT_WRITE);
	inner(pages);
}

NOINLINE int breaks(void)
{
	*(volatile char *)broken = 1;
	RETURN_INT(*broken);
}

NOINLINE int part_segv(void)
{
	struct sigaction sa = { .sa_handler = mend };

	broken = truth_map(1, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	sigaction(SIGSEGV, &sa, NULL);
	RETURN_INT(breaks());
}

/* ---- threads and processes ---- */

static void *thread_body(void *arg)
{
	(void)arg;
	outer(pages);
	return NULL;
}

NOINLINE int part_thread(void)
{
	pthread_t t;

	if (pthread_create(&t, NULL, thread_body, NULL))
		truth_die(1, "pthread_create");
	RETURN_INT(pthread_join(t, NULL));
}

NOINLINE int part_fork(void)
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		outer(pages);
		_exit(0);
	}
	RETURN_INT(waitpid(pid, &status, 0));
}

/* ---- the kernel's accesses, and mapping calls ---- */

NOINLINE int read_into(char *mem, unsigned int n)
{
	int fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
	int got = 0;

	for (unsigned int i = 0; i < n; i++)
		got += read(fd, mem + (size_t)i * truth.page, 1);
	close(fd);
	RETURN_INT(got);
}

NOINLINE int part_kernel(void)
{
	RETURN_INT(read_into(truth_anon(pages), pages));
}

NOINLINE char *creates(unsigned int n)
{
	char *mem = truth_anon(n);

	asm volatile("" : "+r"(mem));
	return mem;
}

NOINLINE int uses(char *mem, unsigned int n)
{
	RETURN_INT(touch(mem, n));
}

NOINLINE int part_mapper(void)
{
	char *mem = creates(pages);

	RETURN_INT(uses(mem, pages));
}

/* ---- libraries that come and go ---- */

typedef int library_function(int (*)(unsigned int), unsigned int);

#ifdef ALONE /* a static program loads no libraries */
NOINLINE int part_dlopen(void)
{
	return 0;
}

NOINLINE int part_plugins(void)
{
	return 0;
}
#else
/* The path of what lies beside the program. */
static void beside(char *path, size_t size, const char *name)
{
	ssize_t len = readlink("/proc/self/exe", path, size - 64);

	while (len > 0 && path[len - 1] != '/')
		len--;
	strcpy(path + (len > 0 ? len : 0), name);
}

static library_function *load(const char *path, const char *function, void **lib)
{
	library_function *f;

	*lib = dlopen(path, RTLD_NOW | RTLD_LOCAL);
	if (!*lib)
		truth_die(1, "%s", dlerror());
	f = (library_function *)dlsym(*lib, function);
	if (!f)
		truth_die(1, "%s", dlerror());
	printf("at=%p\n", (void *)f);
	return f;
}

NOINLINE int call_library(const char *name, const char *function)
{
	char path[4096];
	void *lib;
	library_function *f;

	beside(path, sizeof(path), name);
	f = load(path, function, &lib);
	RETURN_INT(f(inner, pages) + dlclose(lib));
}

/* The second is loaded where the first was. */
NOINLINE int part_dlopen(void)
{
	RETURN_INT(call_library("libstack-a.so", "first_library") +
		   call_library("libstack-b.so", "second_library"));
}

#define PLUGINS 10

static library_function *plugins[PLUGINS];
static unsigned int level;

/* Through all plugins, each in a mapping of its own. With a frame pointer: rbp is the same each time. */
NOINLINE __attribute__((optimize("no-omit-frame-pointer"))) int next_plugin(unsigned int n)
{
	unsigned int at = level++;

	if (at == PLUGINS)
		RETURN_INT(inner(n));
	RETURN_INT(plugins[at](next_plugin, n));
}

static void load_copy(unsigned int i)
{
	static const char dir[] = "/tmp/stacks-XXXXXX";
	char from[4096], to[64], command[8192], name[sizeof(dir)];
	void *lib;

	strcpy(name, dir);
	if (!mkdtemp(name))
		truth_die_errno("mkdtemp");
	beside(from, sizeof(from), "libstack-a.so");
	snprintf(to, sizeof(to), "%s/copy", name);
	snprintf(command, sizeof(command), "cp '%s' '%s'", from, to);
	if (system(command))
		truth_die(1, "%s failed", command);
	plugins[i] = load(to, "first_library", &lib);
	if (unlink(to) || rmdir(name))
		truth_die_errno(to);
}

/* The innermost plugin is replaced by one that is alike, at the same address. */
NOINLINE int part_plugins(void)
{
	static const char *const last[][2] = { { "libstack-a.so", "first_library" },
					       { "libstack-a.so", "first_library" },
					       { "libstack-c.so", "third_library" } };
	char path[4096];
	int value = 0;
	void *lib;

	for (unsigned int i = 0; i < PLUGINS - 1; i++)
		load_copy(i);
	for (volatile unsigned int i = 0; i < 3; i++) {
		beside(path, sizeof(path), last[i][0]);
		plugins[PLUGINS - 1] = load(path, last[i][1], &lib);
		level = 0;
		value += next_plugin(pages) + dlclose(lib);
	}
	return value;
}

#endif

/* ---- code that nobody has compiled ---- */

#if defined(__x86_64__)
/* push %rbp; mov %rsp,%rbp; mov %rdi,%rax; mov %esi,%edi; call *%rax; pop %rbp; ret */
static const unsigned char jit_code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8,
					  0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3 };
#else
/* stp x29, x30, [sp, #-16]!; mov x29, sp; mov x8, x0; mov w0, w1; blr x8; ldp x29, x30, [sp], #16; ret */
static const unsigned int jit_code[] = { 0xa9bf7bfd, 0x910003fd, 0xaa0003e8, 0x2a0103e0,
					 0xd63f0100, 0xa8c17bfd, 0xd65f03c0 };
#endif

NOINLINE int part_jit(void)
{
	char *code = truth_map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char path[64];
	FILE *map;

	memcpy(code, jit_code, sizeof(jit_code));
	if (mprotect(code, truth.page, PROT_READ | PROT_EXEC))
		truth_die_errno("mprotect");
	__builtin___clear_cache(code, code + sizeof(jit_code));
	snprintf(path, sizeof(path), "/tmp/perf-%d.map", getpid());
	map = fopen(path, "we");
	if (!map)
		truth_die_errno(path);
	fprintf(map, "garbage\n%lx %zx made_at_run_time\nffff\n", (unsigned long)code,
		sizeof(jit_code));
	fclose(map);
	RETURN_INT(((library_function *)code)(inner, pages));
}

/* ---- what is no chain ---- */

NOINLINE int part_wait(void)
{
	truth_wait();
	return 0;
}

/* ---- the parts ---- */

#define PART(name)                 \
	{                          \
#name, part_##name \
	}

static const struct {
	const char *name;
	int (*run)(void);
} parts[] = {
	PART(plain),    PART(deep),   PART(too_deep), PART(alloca),  PART(large),  PART(aligned),
	PART(noreturn), PART(signal), PART(altstack), PART(segv),    PART(thread), PART(fork),
	PART(kernel),   PART(mapper), PART(dlopen),   PART(plugins), PART(jit),    PART(wait),
};

static void run(const char *name)
{
	for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++) {
		if (strcmp(parts[i].name, name))
			continue;
		parts[i].run();
		return;
	}
	truth_die(2, "no part %s", name);
}

int main(int argc, char **argv)
{
	truth_init(0);
	if (argc < 3 || !(argc & 1))
		truth_die(2, "usage: stacks PART PAGES [PART PAGES]...");
	for (int i = 1; i < argc; i += 2) {
		pages = truth_number(argv[i + 1]);
		run(argv[i]);
	}
	printf("pid=%d\n", getpid());
	return 0;
}
