/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `splits MS [SEED]`: for that long two threads make every call that splits, merges or replaces VMAs,
 * on the same two ranges, in an order that the seed decides. Prints how many of each were made and how
 * many of these failed; which do depends on who came first.
 *
 * build: -pthread -o splits
 */
#include "truth.h"

#include <linux/aio_abi.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/uio.h>
#include <time.h>

#include "later_calls.h"

#define PAGES   64
#define THREADS 2
#define SEALS   20 /* of each thread: what is sealed stays */

enum { ANON, SHARED, RANGES };

enum call {
	MPROTECT,
	PKEY_MPROTECT,
	MBIND,
	HOME_NODE,
	REMAP_FILE_PAGES,
	MSEAL,
	SHADOW_STACK,
	PROCESS_MADVISE,
	MADVISE,
	MLOCK,
	MUNLOCK,
	AIO,
	ANON_NAME,
	UFFD,
	REPLACE,
	CALLS
};

static const char *const names[CALLS] = {
	[MPROTECT] = "mprotect",
	[PKEY_MPROTECT] = "pkey_mprotect",
	[MBIND] = "mbind",
	[HOME_NODE] = "set_mempolicy_home_node",
	[REMAP_FILE_PAGES] = "remap_file_pages",
	[MSEAL] = "mseal",
	[SHADOW_STACK] = "map_shadow_stack",
	[PROCESS_MADVISE] = "process_madvise",
	[MADVISE] = "madvise",
	[MLOCK] = "mlock",
	[MUNLOCK] = "munlock",
	[AIO] = "aio",
	[ANON_NAME] = "prctl",
	[UFFD] = "ioctl",
	[REPLACE] = "mmap",
};

static char *ranges[RANGES];
static int uffd = -1, self = -1;
static long long end_ns;
static unsigned int first_seed = 1;

struct worker {
	pthread_t thread;
	unsigned int seed, seals, aios;
	long long made[CALLS], failed[CALLS];
};

static struct worker workers[THREADS];

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

static unsigned int pick(struct worker *w, unsigned int n)
{
	w->seed = w->seed * 1103515245 + 12345;
	return (w->seed >> 16) % n;
}

/* A ring, gone again or left: that takes the kernel some milliseconds, so only now and then. */
static long make_ring(struct worker *w)
{
	aio_context_t ctx = 0;
	long ret;

	if (pick(w, 20))
		return 0;
	ret = syscall(SYS_io_setup, 1 + pick(w, 1000), &ctx);
	if (!ret && w->aios++ % 4)
		ret = syscall(SYS_io_destroy, ctx);
	return ret;
}

static long make_seal(struct worker *w)
{
	char *mem;

	if (w->seals++ >= SEALS)
		return 0;
	mem = truth_anon(4);
	return syscall(SYS_mseal, mem + pick(w, 4) * truth.page, truth.page, 0);
}

static long set_uffd(struct worker *w, char *at, size_t len)
{
	struct uffdio_register reg = { .range = { (uintptr_t)at, len },
				       .mode = UFFDIO_REGISTER_MODE_MISSING };

	return pick(w, 2) ? ioctl(uffd, UFFDIO_REGISTER, &reg) :
			    ioctl(uffd, UFFDIO_UNREGISTER, &reg.range);
}

static long name_it(struct worker *w, char *at, size_t len)
{
	static const char *const texts[] = { "one", "two", NULL };

	return prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, at, len, texts[pick(w, 3)]);
}

static long advise_self(struct worker *w, char *at, size_t len)
{
	struct iovec iov = { at, len };

	/* MADV_COLD: to oneself more is allowed only from 6.13 on, and not told of */
	(void)w;
	return syscall(SYS_process_madvise, self, &iov, 1, 20, 0);
}

static long make(struct worker *w, enum call call, char *at, size_t len)
{
	static const int prots[] = { PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE };
	static const int advice[] = { MADV_NORMAL,     MADV_RANDOM,   MADV_DONTFORK, MADV_DOFORK,
				      MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DONTNEED, MADV_DODUMP };
	static const int modes[] = { MPOL_DEFAULT, MPOL_BIND, MPOL_INTERLEAVE };
	unsigned long mask = 1;
	int mode;

	switch (call) {
	case MPROTECT:
		return mprotect(at, len, prots[pick(w, 3)]);
	case PKEY_MPROTECT:
		return syscall(SYS_pkey_mprotect, at, len, prots[pick(w, 3)], -1);
	case MBIND:
		mode = modes[pick(w, 3)];
		return syscall(SYS_mbind, at, len, mode, mode ? &mask : NULL,
			       mode ? 8 * sizeof(mask) : 0, 0);
	case HOME_NODE:
		return syscall(SYS_set_mempolicy_home_node, at, len, 0, 0);
	case REMAP_FILE_PAGES:
		return syscall(SYS_remap_file_pages, at, len, 0, pick(w, PAGES / 2), 0);
	case MSEAL:
		return make_seal(w);
	case SHADOW_STACK:
		return syscall(SYS_map_shadow_stack, NULL, len, 0) == -1 ? -1 : 0;
	case PROCESS_MADVISE:
		return advise_self(w, at, len);
	case MADVISE:
		return madvise(at, len, advice[pick(w, 8)]);
	case MLOCK:
		return syscall(SYS_mlock2, at, len, 1 /* MLOCK_ONFAULT */);
	case MUNLOCK:
		return munlock(at, len);
	case AIO:
		return make_ring(w);
	case ANON_NAME:
		return name_it(w, at, len);
	case UFFD:
		return set_uffd(w, at, len);
	default:
		return mmap(at, len, PROT_READ | PROT_WRITE,
			    MAP_FIXED | MAP_ANONYMOUS | MAP_PRIVATE, -1, 0) == MAP_FAILED ?
			       -1 :
			       0;
	}
}

static void *work(void *arg)
{
	struct worker *w = arg;

	while (now_ns() < end_ns) {
		enum call call = pick(w, CALLS);
		unsigned int from = pick(w, PAGES), n = 1 + pick(w, PAGES - from);
		int range = call == REPLACE          ? ANON :
			    call == REMAP_FILE_PAGES ? SHARED :
						       (int)pick(w, RANGES);

		w->made[call]++;
		if (make(w, call, ranges[range] + from * truth.page, n * truth.page) == -1)
			w->failed[call]++;
	}
	return NULL;
}

static void open_uffd(void)
{
	const struct timespec second = { .tv_sec = 1 };
	struct uffdio_api api = { .api = UFFD_API };

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		return;
	if (ioctl(uffd, UFFDIO_API, &api))
		truth_die_errno("UFFDIO_API");
	nanosleep(&second, NULL); /* until ioctl is traced */
}

int main(int argc, char **argv)
{
	char name[48];

	if (argc < 2 || argc > 3)
		truth_die(2, "usage: splits MS [SEED]");
	truth_init(0);
	if (argc == 3)
		first_seed = truth_number(argv[2]);
	ranges[ANON] = truth_anon(PAGES);
	ranges[SHARED] = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, truth_file(PAGES));
	self = syscall(SYS_pidfd_open, getpid(), 0);
	open_uffd();
	end_ns = now_ns() + truth_number(argv[1]) * 1000000LL;
	for (int i = 0; i < THREADS; i++) {
		workers[i].seed = first_seed * THREADS + i;
		if (pthread_create(&workers[i].thread, NULL, work, &workers[i]))
			truth_die(1, "cannot start a thread");
	}
	for (int i = 0; i < THREADS; i++)
		pthread_join(workers[i].thread, NULL);
	for (int c = 0; c < CALLS; c++) {
		for (int i = 0; i < THREADS; i++) {
			snprintf(name, sizeof(name), "%s_made", names[c]);
			truth_expect(name, "", workers[i].made[c]);
			snprintf(name, sizeof(name), "%s_failed", names[c]);
			truth_expect(name, "", workers[i].failed[c]);
		}
	}
	truth_print();
	return 0;
}
