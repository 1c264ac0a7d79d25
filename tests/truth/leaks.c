/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mappings that stay: `leaks`. For each function that makes some, NAME.bytes=, NAME.mappings= and
 * NAME.touched= (bytes) of what it has not given back. Waits; when told to, leaks more of some_small, and
 * says so anew; waits and ends.
 *
 * build: -o leaks
 */
#include "truth.h"

#include <sys/shm.h>

#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)
#define RW      (PROT_READ | PROT_WRITE)
#define SMALL   64
#define LARGE   512

static int small;

static void say(const char *name, size_t pages, int mappings, size_t touched)
{
	dprintf(STDOUT_FILENO, "%s.bytes=%zu\n%s.mappings=%d\n%s.touched=%zu\n", name,
		pages * truth.page, name, mappings, name, touched * truth.page);
}

/* Calls stay calls: the stacks are what is looked for. */
#define KEEP() __asm__ volatile("" : : : "memory")

static __attribute__((noinline)) void some_small(int n)
{
	for (int i = 0; i < n; i++)
		truth_write(truth_anon(SMALL), 10, 1);
	small += n;
	say("some_small", small * SMALL, small, small * 10);
}

static __attribute__((noinline)) void some_large(void)
{
	truth_write(truth_anon(LARGE), LARGE, 1);
	truth_anon(LARGE);
	truth_anon(LARGE);
	say("some_large", 3 * LARGE, 3, LARGE);
}

static __attribute__((noinline)) void tidy(void)
{
	for (int i = 0; i < 10; i++) {
		char *mem = truth_anon(100);

		truth_write(mem, 50, 1);
		munmap(mem, 100 * truth.page);
	}
	say("tidy", 0, 0, 0);
}

static __attribute__((noinline)) char *attach(void)
{
	int id = shmget(IPC_PRIVATE, 32 * truth.page, 0600);
	char *mem = shmat(id, NULL, 0);

	if (mem == (void *)-1)
		truth_die_errno("shmat");
	shmctl(id, IPC_RMID, NULL);
	truth_write(mem, 7, 1);
	return mem;
}

static __attribute__((noinline)) void segments(void)
{
	attach();
	shmdt(attach());
	attach();
	say("segments", 64, 2, 14);
}

static __attribute__((noinline)) void heap(void)
{
	char *from = sbrk(0), *to = from + (-(uintptr_t)from & (truth.page - 1)) + 100 * truth.page;

	if (brk(to) || brk(to - 40 * truth.page))
		truth_die_errno("brk");
	truth_write(to - 90 * truth.page, 20, 1);
	say("heap", 60, 1, 20);
}

static __attribute__((noinline)) void in_part(void)
{
	char *mem = truth_anon(100);

	truth_write(mem, 100, 1);
	munmap(mem + 30 * truth.page, 40 * truth.page);
	say("in_part", 60, 1, 60);
}

static __attribute__((noinline)) char *reserve(void)
{
	char *mem = truth_map(1000, PROT_NONE, PRIVATE, -1);

	KEEP();
	return mem;
}

static __attribute__((noinline)) void commit(char *mem)
{
	if (mmap(mem + 200 * truth.page, 100 * truth.page, RW, PRIVATE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		truth_die_errno("MAP_FIXED");
	truth_write(mem + 200 * truth.page, 5, 1);
	say("reserve", 900, 1, 0);
	say("commit", 100, 1, 5);
}

static __attribute__((noinline)) char *creator(void)
{
	char *mem = truth_anon(48);

	truth_write(mem, 6, 1);
	return mem;
}

static __attribute__((noinline)) void mover(char *mem, char *to)
{
	if (mremap(mem, 48 * truth.page, 48 * truth.page, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to)
		truth_die_errno("mremap");
	say("creator", 48, 1, 6);
	say("mover", 0, 0, 0);
}

static __attribute__((noinline)) void failing(void)
{
	for (int i = 0; i < 5; i++)
		if (mmap(NULL, 16 * truth.page, RW, MAP_PRIVATE, -1, 0) != MAP_FAILED ||
		    mmap(NULL, 0, RW, PRIVATE, -1, 0) != MAP_FAILED)
			truth_die(TRUTH_OFF, "truth is off: mmap did not fail");
	say("failing", 0, 0, 0);
}

int main(void)
{
	void *volatile block = malloc(1);
	char *room;

	truth_init(0);
	free(block); /* a heap for dprintf() */
	room = reserve();
	commit(room);
	some_small(5);
	some_large();
	tidy();
	segments();
	heap();
	in_part();
	/* in the place of what is nobody's leak: it goes when it is moved there */
	mover(creator(), truth_anon(48));
	failing();
	truth_wait();
	some_small(2);
	truth_wait();
	return 0;
}
