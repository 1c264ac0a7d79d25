/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What becomes of mappings: `touched [thp]`. For each, NAME.start=ADDRESS and, in pages, NAME.reserved, .touched
 * (by a first fault), .again (by one after they were given back), .populated, .released, .unmapped, .never,
 * .mapped (still), .anon (there still), .zero (faults on the zero page), .inherited; what is 0 is not
 * printed. thp: of huge pages alone. child.NAME… is of the child that it forks, child=PID. Then it waits.
 *
 * build: -o touched
 */
#include "truth.h"

#include <signal.h>
#include <sys/shm.h>
#include <sys/wait.h>

#ifndef MADV_FREE
#define MADV_FREE 8
#endif

#define RW      (PROT_READ | PROT_WRITE)
#define PRIVATE (MAP_PRIVATE | MAP_ANONYMOUS)

struct pages {
	int reserved, touched, again, populated, released, unmapped, never, mapped, anon, zero,
		inherited;
};

static void say(const char *name, const void *start, struct pages p)
{
	const struct {
		const char *what;
		int n;
	} figures[] = {
		{ "reserved", p.reserved },   { "touched", p.touched },
		{ "again", p.again },         { "populated", p.populated },
		{ "released", p.released },   { "unmapped", p.unmapped },
		{ "never", p.never },         { "mapped", p.mapped },
		{ "anon", p.anon },           { "zero", p.zero },
		{ "inherited", p.inherited },
	};

	dprintf(STDOUT_FILENO, "%s.start=%#lx\n", name, (unsigned long)start);
	for (size_t i = 0; i < sizeof(figures) / sizeof(*figures); i++)
		if (figures[i].n)
			dprintf(STDOUT_FILENO, "%s.%s=%d\n", name, figures[i].what, figures[i].n);
}

/* Each a mapping of its own function: stacks tell who made it. */
static __attribute__((noinline)) char *map_pages(size_t pages)
{
	char *mem = truth_map(pages, RW, PRIVATE, -1);

	__asm__ volatile("" : : : "memory");
	return mem;
}

static __attribute__((noinline)) void many_small(void)
{
	for (int i = 0; i < 20; i++)
		truth_write(truth_map(4, RW, PRIVATE, -1), 3, 1);
	__asm__ volatile("" : : : "memory");
}

static void advise(char *mem, int pages, int advice)
{
	if (madvise(mem, pages * truth.page, advice))
		truth_die(errno == EINVAL ? TRUTH_CANNOT : 1, "madvise %d: %s", advice,
			  strerror(errno));
}

static void do_plain(void)
{
	char *mem = map_pages(64);

	truth_write(mem, 10, 1);
	say("once", mem,
	    (struct pages){ .reserved = 64, .touched = 10, .never = 54, .mapped = 64, .anon = 10 });
	mem = map_pages(64);
	truth_write(mem, 20, 1);
	advise(mem, 64, MADV_DONTNEED);
	truth_write(mem + 5 * truth.page, 8, 1);
	say("again", mem,
	    (struct pages){ .reserved = 64,
			    .touched = 20,
			    .again = 8,
			    .released = 20,
			    .never = 44,
			    .mapped = 64,
			    .anon = 8 });
	mem = map_pages(64);
	say("never", mem, (struct pages){ .reserved = 64, .never = 64, .mapped = 64 });
	mem = truth_map(32, RW, PRIVATE | MAP_POPULATE, -1);
	truth_write(mem, 32, 1);
	say("populate", mem,
	    (struct pages){ .reserved = 32, .populated = 32, .mapped = 32, .anon = 32 });
	mem = map_pages(32);
	truth_write(mem, 5, 1);
	if (mlock(mem, 32 * truth.page))
		truth_die_errno("mlock");
	say("mlock", mem,
	    (struct pages){
		    .reserved = 32, .touched = 5, .populated = 27, .mapped = 32, .anon = 32 });
	mem = map_pages(32);
	truth_readmem(mem, 9, 1);
	truth_write(mem, 4, 1);
	say("zero", mem,
	    (struct pages){ .reserved = 32,
			    .touched = 9,
			    .never = 23,
			    .mapped = 32,
			    .zero = 9,
			    .anon = 4 });
}

static void do_unmapped(void)
{
	char *mem = map_pages(24);

	truth_write(mem, 7, 1);
	munmap(mem, 24 * truth.page);
	say("gone", mem,
	    (struct pages){ .reserved = 24, .touched = 7, .never = 17, .unmapped = 7 });
	mem = map_pages(25); /* it may come to lie where the last one was */
	truth_write(mem, 20, 1);
	munmap(mem + 15 * truth.page, 8 * truth.page);
	say("part", mem,
	    (struct pages){ .reserved = 25,
			    .touched = 20,
			    .never = 5,
			    .unmapped = 5,
			    .mapped = 17,
			    .anon = 15 });
	mem = map_pages(26);
	truth_write(mem, 26, 1);
	if (mmap(mem + 4 * truth.page, 10 * truth.page, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0) ==
	    MAP_FAILED)
		truth_die_errno("MAP_FIXED");
	say("over", mem,
	    (struct pages){
		    .reserved = 26, .touched = 26, .unmapped = 10, .mapped = 16, .anon = 16 });
	say("hole", mem + 4 * truth.page,
	    (struct pages){ .reserved = 10, .never = 10, .mapped = 10 });
}

/* In a reservation, so that nothing lies in the way. */
static void do_remaps(void)
{
	char *room = truth_map(400, PROT_NONE, PRIVATE, -1), *mem, *at;

	mem = map_pages(16);
	truth_write(mem, 6, 1);
	at = mremap(mem, 16 * truth.page, 16 * truth.page, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	if (at != room)
		truth_die_errno("mremap");
	truth_write(at, 9, 1);
	say("moved", at,
	    (struct pages){ .reserved = 16, .touched = 9, .never = 7, .mapped = 16, .anon = 9 });
	say("reserve", room + 16 * truth.page,
	    (struct pages){
		    .reserved = 400, .never = 400, .unmapped = 0, .mapped = 400 - 16 - 36 });
	mem = map_pages(16);
	truth_write(mem, 16, 1);
	at = mremap(mem, 16 * truth.page, 36 * truth.page, MREMAP_MAYMOVE | MREMAP_FIXED,
		    room + 100 * truth.page);
	if (at != room + 100 * truth.page)
		truth_die_errno("mremap");
	truth_write(at, 30, 1);
	say("grown", at + 16 * truth.page,
	    (struct pages){ .reserved = 20, .touched = 14, .never = 6, .mapped = 20, .anon = 14 });
	mem = map_pages(16);
	truth_write(mem, 16, 1);
	/* a neighbour of another kind, in whose way it cannot grow */
	munmap(mem + 15 * truth.page, truth.page);
	at = mmap(mem + 15 * truth.page, truth.page, PROT_NONE, PRIVATE | MAP_FIXED, -1, 0);
	at = mremap(mem, 15 * truth.page, 50 * truth.page, MREMAP_MAYMOVE);
	if (at == MAP_FAILED || at == mem)
		truth_die(TRUTH_OFF, "truth is off: it did not move");
	truth_write(at, 40, 1);
	say("in-another-place", at + 15 * truth.page,
	    (struct pages){ .reserved = 35, .touched = 25, .never = 10, .mapped = 35, .anon = 25 });
	say("away", at,
	    (struct pages){
		    .reserved = 16, .touched = 16, .unmapped = 1, .mapped = 15, .anon = 15 });
	mem = map_pages(60);
	truth_write(mem, 16, 1);
	munmap(mem + 16 * truth.page, 44 * truth.page);
	if (mremap(mem, 16 * truth.page, 40 * truth.page, 0) != mem)
		truth_die_errno("mremap");
	truth_write(mem, 30, 1);
	say("in-place", mem + 16 * truth.page,
	    (struct pages){ .reserved = 24, .touched = 14, .never = 10, .mapped = 24, .anon = 14 });
	mem = map_pages(16);
	truth_write(mem, 16, 1);
	if (mremap(mem, 16 * truth.page, 4 * truth.page, 0) != mem)
		truth_die_errno("mremap");
	say("shrunk", mem,
	    (struct pages){
		    .reserved = 16, .touched = 16, .unmapped = 12, .mapped = 4, .anon = 4 });
}

static void do_brk(void)
{
	char *from = sbrk(0);

	from += -(uintptr_t)from & (truth.page - 1);
	if (brk(from) || brk(from + 32 * truth.page))
		truth_die_errno("brk");
	truth_write(from, 20, 1);
	if (brk(from + 12 * truth.page))
		truth_die_errno("brk");
	say("brk", from,
	    (struct pages){ .reserved = 32,
			    .touched = 20,
			    .never = 12,
			    .unmapped = 8,
			    .mapped = 12,
			    .anon = 12 });
}

static void do_files(void)
{
	char *mem = truth_map(32, RW, MAP_PRIVATE, truth_file(32));
	int id;

	truth_write(mem, 12, 1);
	say("file", mem,
	    (struct pages){ .reserved = 32, .touched = 12, .never = 20, .mapped = 32, .anon = 12 });
	mem = truth_map(32, RW, MAP_SHARED | MAP_ANONYMOUS, -1);
	truth_write(mem, 12, 1);
	say("shared", mem,
	    (struct pages){ .reserved = 32, .touched = 12, .never = 20, .mapped = 32 });
	id = shmget(IPC_PRIVATE, 32 * truth.page, 0600);
	mem = shmat(id, NULL, 0);
	if (mem == (void *)-1)
		truth_die_errno("shmat");
	shmctl(id, IPC_RMID, NULL);
	truth_write(mem, 14, 1);
	say("sysv", mem,
	    (struct pages){ .reserved = 32, .touched = 14, .never = 18, .mapped = 32 });
}

/* What MADV_FREE gives back stays until memory is short, and a write takes it again without a fault. */
static void do_free(void)
{
	char *mem = map_pages(16);

	truth_write(mem, 16, 1);
	advise(mem, 16, MADV_FREE);
	truth_write(mem, 5, 1);
	say("free", mem, (struct pages){ .reserved = 16, .touched = 16, .mapped = 16, .anon = 16 });
}

static void do_child(char *mem, int *tell)
{
	char *own, c = 0;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	truth_write(mem, 16, 1);
	own = map_pages(8);
	truth_write(own, 3, 1);
	say("child.inherited", mem,
	    (struct pages){ .reserved = 33, .inherited = 33, .mapped = 33, .anon = 33 });
	say("child.own", own,
	    (struct pages){ .reserved = 8, .touched = 3, .never = 5, .mapped = 8, .anon = 3 });
	if (write(tell[1], &c, 1) != 1)
		_exit(1);
	for (;;)
		pause();
}

static pid_t do_fork(void)
{
	char *mem = map_pages(33), c;
	int tell[2];
	pid_t pid;

	truth_write(mem, 33, 1);
	if (pipe(tell))
		truth_die_errno("pipe");
	pid = fork();
	if (pid < 0)
		truth_die_errno("fork");
	if (!pid)
		do_child(mem, tell);
	if (read(tell[0], &c, 1) != 1)
		truth_die(1, "the child has died");
	say("forked", mem,
	    (struct pages){ .reserved = 33, .touched = 33, .mapped = 33, .anon = 33 });
	dprintf(STDOUT_FILENO, "child=%d\n", pid);
	return pid;
}

/* Two of 2 MiB; the second is given back and touched again. */
static void do_thp(void)
{
	size_t huge = 2 << 20, n = huge / truth.page;
	char *mem = truth_map(4 * n, RW, PRIVATE, -1), *at;

	at = mem + (-(uintptr_t)mem & (huge - 1));
	munmap(mem, at - mem);
	munmap(at + 3 * huge, mem + huge - at);
	advise(at, 3 * n, MADV_HUGEPAGE);
	truth_write(at, 1, 1);
	truth_write(at + huge, 1, 1);
	advise(at + huge, n, MADV_DONTNEED);
	truth_write(at + huge, 1, 1);
	say("thp", at,
	    (struct pages){ .reserved = 4 * n,
			    .touched = 2 * n,
			    .again = n,
			    .released = n,
			    .never = 2 * n,
			    .mapped = 3 * n,
			    .anon = 2 * n });
}

int main(int argc, char **argv)
{
	int thp = argc > 1 && !strcmp(argv[1], "thp");
	pid_t child;

	truth_init(thp);
	if (thp) {
		do_thp();
		truth_wait();
		return 0;
	}
	do_plain();
	do_unmapped();
	do_remaps();
	do_brk();
	do_files();
	do_free();
	many_small();
	child = do_fork();
	truth_wait();
	kill(child, SIGKILL);
	waitpid(child, NULL, 0);
	return 0;
}
