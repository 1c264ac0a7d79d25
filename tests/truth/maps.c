/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An address space of which all is known: `maps FILE` makes regions, touches a known part of each,
 * writes their addresses into FILE as NAME=ADDRESS, says ready=PID and waits. For each line on stdin it
 * touches MORE pages of `anon` that were not touched, and maps and touches a `later` of MORE pages.
 *
 * build: -pthread -o maps
 */
#include "truth.h"

#include <pthread.h>

#define PAGES        64
#define TOUCHED      16
#define MORE         8
#define BSS_TOUCHED  5
#define ADVISE_HUGE  14
#define ADVISE_GUARD 102
#define HUGE         (2UL << 20)
#define RESERVED     (1UL << 40)

static char data[PAGES * 4096] __attribute__((aligned(4096))) = { 1 };
static char bss[PAGES * 4096] __attribute__((aligned(4096)));
static FILE *list;

static void say(const char *name, const volatile void *at)
{
	fprintf(list, "%s=%lu\n", name, (unsigned long)at);
}

static void *thread(void *unused)
{
	volatile char mem[TOUCHED * 4096];

	for (unsigned int i = 0; i < TOUCHED; i++)
		mem[i * 4096] = 1;
	say("thread", mem);
	fprintf(list, "tid=%ld\n", (long)syscall(SYS_gettid));
	fflush(list);
	dprintf(STDOUT_FILENO, "ready=%d\n", getpid());
	for (;;)
		pause();
	return unused;
}

/* Huge pages where the kernel has some to give. */
static void make_huge(void)
{
	char *mem = truth_anon(3 * HUGE / truth.page);
	char *at = (char *)(((unsigned long)mem + HUGE - 1) & ~(HUGE - 1));

	madvise(mem, 3 * HUGE, ADVISE_HUGE);
	at[0] = 1;
	say("huge", at);
}

static void make_shared(void)
{
	int fd = syscall(SYS_memfd_create, "truth", 0);
	char *mem;

	if (fd < 0 || ftruncate(fd, PAGES * truth.page))
		truth_die_errno("memfd");
	mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
	truth_write(mem, TOUCHED, 1);
	say("shared", mem);
}

static char *make_anon(void)
{
	char *mem = truth_anon(PAGES + 2), *guarded;

	/* apart from what lies beside it */
	mprotect(mem, truth.page, PROT_READ);
	mprotect(mem + (PAGES + 1) * truth.page, truth.page, PROT_READ);
	mem += truth.page;
	truth_write(mem + 2 * MORE * truth.page, TOUCHED, 1);
	say("anon", mem);
	guarded = truth_anon(PAGES);
	truth_write(guarded, TOUCHED, 1);
	say(madvise(guarded + 32 * truth.page, 2 * truth.page, ADVISE_GUARD) ? "unguarded" :
									       "guarded",
	    guarded);
	return mem;
}

int main(int argc, char **argv)
{
	pthread_t id;
	char *anon, *later, c;

	if (argc != 2)
		truth_die(2, "usage: maps FILE");
	truth_init(1);
	list = fopen(argv[1], "w");
	if (!list)
		truth_die_errno(argv[1]);
	truth_write(data, TOUCHED, 1);
	truth_write(bss, BSS_TOUCHED, 1);
	say("data", data);
	say("bss", bss);
	say("heap", sbrk(PAGES * truth.page));
	make_huge();
	make_shared();
	say("reserved",
	    mmap(NULL, RESERVED, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
	anon = make_anon();
	say("stack", &anon);
	if (pthread_create(&id, NULL, thread, NULL))
		truth_die_errno("pthread_create");
	while (read(STDIN_FILENO, &c, 1) == 1) {
		if (c != '\n')
			continue;
		truth_write(anon, MORE, 1);
		later = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
		truth_write(later, MORE, 1);
		fprintf(list, "later=%lu\n", (unsigned long)later);
		fflush(list);
		dprintf(STDOUT_FILENO, "ready=%d\n", getpid());
	}
	return 0;
}
