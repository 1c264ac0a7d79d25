/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches known places of known variables, in the program and in a library that it loads late:
 * `variables [LIBRARY]`. Each is touched in a child of its own, where each touch is a fault, and said
 * as NAME+OFFSET=ADDRESS; bias_NAME is what the object's addresses are beyond those it was linked for.
 * bss begins in the last page of data, and goes on in pages that no file has.
 *
 * build: -o variables
 * build: -DNO_LIBRARY -fno-pie -no-pie -o variables-no-pie
 * build: -DNO_LIBRARY -static -fno-pie -o variables-static
 * build: -DNO_LIBRARY -static-pie -fPIE -o variables-static-pie
 * build: -DLIBRARY -shared -fPIC -o libvariables.so
 */
#include "truth.h"

#include <dlfcn.h>
#include <sys/wait.h>

#define PAGE  4096
#define REACH 65536 /* of a fault-around */
#define PAGES 6

#ifdef LIBRARY
#define V(name) lib_##name
#else
#define V(name) prog_##name
#endif
#define STR2(x) #x
#define STR(x)  STR2(x)

unsigned char V(data)[PAGES * PAGE + 100] = { 1 };
static unsigned char V(bss)[PAGES * PAGE + 100];
static const unsigned char V(rodata)[PAGES * REACH] __attribute__((aligned(REACH))) = { 1 };
extern const char __ehdr_start __attribute__((visibility("hidden")));

static void say(const char *name, size_t offset, const volatile unsigned char *at)
{
	dprintf(STDOUT_FILENO, "%s+%zu=0x%lx\n", name, offset, (unsigned long)at);
}

static void touch(const char *name, volatile unsigned char *v)
{
	for (size_t i = 0; i < PAGES; i++) {
		size_t offset = i * PAGE + i * 8;

		v[offset] = 2;
		say(name, offset, v + offset);
	}
}

static void look(const char *name, const volatile unsigned char *v)
{
	for (size_t i = 1; i < PAGES; i++) {
		size_t offset = i * REACH + 3 * PAGE + i * 8;

		(void)v[offset];
		say(name, offset, v + offset);
	}
}

void V(touch)(void);

void V(touch)(void)
{
	pid_t child = fork();

	if (child < 0)
		truth_die_errno("fork");
	if (!child) {
		touch(STR(V(data)), V(data));
		touch(STR(V(bss)), V(bss));
		look(STR(V(rodata)), V(rodata));
		_exit(0);
	}
	waitpid(child, NULL, 0);
#if defined(LIBRARY) || defined(__PIE__)
	dprintf(STDOUT_FILENO, "bias_%s=0x%lx\n", STR(V(data)), (unsigned long)&__ehdr_start);
#else
	dprintf(STDOUT_FILENO, "bias_%s=0x0\n", STR(V(data)));
#endif
}

#ifndef LIBRARY
int main(int argc, char **argv)
{
	/* the heap, which the kernel merges with bss where they adjoin */
	if (sbrk(PAGE) == (void *)-1)
		truth_die_errno("sbrk");
	V(touch)();
#ifndef NO_LIBRARY
	if (argc > 1) {
		void *lib = dlopen(argv[1], RTLD_NOW);
		void (*lib_touch)(void) = lib ? dlsym(lib, "lib_touch") : NULL;

		if (!lib_touch)
			truth_die(1, "%s", dlerror());
		lib_touch();
	}
#else
	(void)argc;
	(void)argv;
#endif
	return 0;
}
#endif
