/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Runs code in a private mapping of a file that may be anything: main() calls bad(), that calls the
 * code in the mapping's first page, and that calls touch(), which touches fresh pages. Then main()
 * calls good(), which does the same without the mapping.
 *
 *	mapexec FILE PAGES [ACTION]
 *
 * FILE `-`: code in an anonymous mapping. ACTION is done to the file between its mapping and the call:
 *	none		nothing
 *	truncate	it has no bytes then: the call ends with SIGBUS, and touch() is called by its handler
 *	unlink
 *	fifo, directory, loop	such a thing takes its name
 *	wait		until a line comes, before the call and after it
 *
 * build: -O2 -fomit-frame-pointer -o mapexec
 */
#include "truth.h"

#include <setjmp.h>
#include <signal.h>
#include <sys/stat.h>

#define NOINLINE __attribute__((noinline, noclone))
#define KEEP(x)  asm volatile("" : "+r"(x))
#define CODE_AT  3072 /* in the page: behind what ELF objects begin with */

typedef int code_function(int (*)(unsigned int), unsigned int);

/* As in stacks.c: a frame, and a call of the first argument with the second. */
#if defined(__x86_64__)
static const unsigned char code[] = { 0x55, 0x48, 0x89, 0xe5, 0x48, 0x89, 0xf8,
				      0x89, 0xf7, 0xff, 0xd0, 0x5d, 0xc3 };
#else
static const unsigned int code[] = { 0xa9bf7bfd, 0x910003fd, 0xaa0003e8, 0x2a0103e0,
				     0xd63f0100, 0xa8c17bfd, 0xd65f03c0 };
#endif

static sigjmp_buf back;
static unsigned int pages;

NOINLINE int touch(unsigned int n)
{
	volatile char *mem = truth_anon(n);
	int value;

	for (unsigned int i = 0; i < n; i++)
		mem[(size_t)i * truth.page] = 1;
	value = mem[0];
	KEEP(value);
	return value;
}

static void on_bus(int sig)
{
	(void)sig;
	touch(pages);
	siglongjmp(back, 1);
}

NOINLINE int bad(char *mem)
{
	int value = 1;

	if (!sigsetjmp(back, 1))
		value = ((code_function *)(mem + CODE_AT))(touch, pages);
	KEEP(value);
	return value;
}

NOINLINE int good(void)
{
	int value = touch(pages);

	KEEP(value);
	return value;
}

/* Something else under the name. */
static void replace(const char *path, const char *by)
{
	char other[8192];
	int err;

	snprintf(other, sizeof(other), "%s.new", path);
	err = !strcmp(by, "fifo") ? mkfifo(other, 0600) : symlink(path, other);
	if (err || rename(other, path))
		truth_die_errno(path);
}

static void act(const char *path, const char *action)
{
	if (!strcmp(action, "wait")) {
		truth_wait();
	} else if (!strcmp(action, "truncate")) {
		if (truncate(path, 0))
			truth_die_errno(path);
	} else if (!strcmp(action, "unlink")) {
		if (unlink(path))
			truth_die_errno(path);
	} else if (!strcmp(action, "directory")) {
		if (unlink(path) || mkdir(path, 0700))
			truth_die_errno(path);
	} else if (strcmp(action, "none")) {
		replace(path, action);
	}
}

int main(int argc, char **argv)
{
	const char *action = argc == 4 ? argv[3] : "none";
	struct sigaction sa = { .sa_handler = on_bus, .sa_flags = SA_NODEFER };
	int fd, value;
	char *mem;

	if (argc < 3 || argc > 4)
		truth_die(2, "usage: mapexec FILE PAGES [ACTION]");
	truth_init(0);
	sigaction(SIGBUS, &sa, NULL);
	pages = truth_number(argv[2]);
	if (!strcmp(argv[1], "-")) {
		mem = truth_map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	} else {
		fd = open(argv[1], O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			truth_die_errno(argv[1]);
		mem = truth_map(1, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd);
		close(fd);
	}
	memcpy(mem + CODE_AT, code, sizeof(code));
	if (mprotect(mem, truth.page, PROT_READ | PROT_EXEC))
		truth_die_errno("mprotect");
	__builtin___clear_cache(mem + CODE_AT, mem + CODE_AT + sizeof(code));
	act(argv[1], action);
	value = bad(mem) + good();
	KEEP(value);
	printf("pid=%d\n", getpid());
	if (!strcmp(action, "wait")) {
		fflush(stdout);
		truth_wait();
	}
	return 0;
}
