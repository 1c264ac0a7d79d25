/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Pages that the kernel makes present without an exception: `populate PART N`. Prints
 * populated=N, the software events' counts (they see none of it) and what getrusage saw of it.
 *
 * build: -o populate
 */
#include "truth.h"

#include <sys/uio.h>

#define PAGES 1024
#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ  22
#define MADV_POPULATE_WRITE 23
#endif

static char *mem;
static int file = -1;

static void do_map(unsigned int n)
{
	if (n)
		truth_map(n, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
			  -1);
}

static void do_map_shm(unsigned int n)
{
	if (n)
		truth_map(n, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1);
}

static void do_mlock(unsigned int n)
{
	if (n && mlock(mem, n * truth.page))
		truth_die_errno("mlock");
}

static void advise(unsigned int n, int advice)
{
	if (n && madvise(mem, n * truth.page, advice))
		truth_die(errno == EINVAL ? TRUTH_CANNOT : 1, "madvise: %s", strerror(errno));
}

static void do_populate_read(unsigned int n)
{
	advise(n, MADV_POPULATE_READ);
}

static void do_populate_write(unsigned int n)
{
	advise(n, MADV_POPULATE_WRITE);
}

/* The kernel pins the untouched buffer's pages. */
static void do_direct(unsigned int n)
{
	if (n && pread(file, mem, n * truth.page, 0) != (ssize_t)(n * truth.page))
		truth_die(errno == EINVAL ? TRUTH_CANNOT : 1, "O_DIRECT: %s", strerror(errno));
}

static void do_vmsplice(unsigned int n)
{
	int p[2];

	if (pipe2(p, O_CLOEXEC))
		truth_die_errno("pipe");
	for (unsigned int i = 0; i < n; i++) {
		struct iovec iov = { mem + i * truth.page, 1 };
		char c;

		if (vmsplice(p[1], &iov, 1, 0) != 1 || read(p[0], &c, 1) != 1)
			truth_die_errno("vmsplice");
	}
	close(p[0]);
	close(p[1]);
}

/* clang-format off */
static const struct {
	const char *name;
	const char *region;
	void (*run)(unsigned int n);
} parts[] = {
	{ "map", "anon", do_map },
	{ "map-shm", "shm", do_map_shm },
	{ "mlock", "anon", do_mlock },
	{ "populate-read", "anon", do_populate_read },
	{ "populate-write", "anon", do_populate_write },
	{ "direct", "anon", do_direct },
	{ "vmsplice", "anon", do_vmsplice },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

static void setup(int direct)
{
	const char *dir = getenv("TRUTH_DIR");
	char path[4096];
	int fd;

	mem = truth_anon(PAGES);
	if (!direct)
		return;
	fd = truth_file(PAGES);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	file = open(path, O_RDONLY | O_DIRECT | O_CLOEXEC);
	if (file < 0)
		truth_die(TRUTH_CANNOT, "no O_DIRECT in %s: %s", dir ? dir : ".", strerror(errno));
}

int main(int argc, char **argv)
{
	struct truth_count before, after;
	struct rusage from, to;
	unsigned int n, p;
	long long usage;

	if (argc != 3)
		truth_die(2, "usage: populate PART N");
	truth_init(0);
	for (p = 0; p < NPARTS && strcmp(parts[p].name, argv[1]); p++)
		;
	n = truth_number(argv[2]);
	if (p == NPARTS || n > PAGES)
		truth_die(2, "no part %s, or more than %d pages", argv[1], PAGES);
	setup(!strcmp(argv[1], "direct"));

	parts[p].run(0);
	getrusage(RUSAGE_SELF, &from);
	truth_begin();
	truth_end();
	before = truth_read();
	getrusage(RUSAGE_SELF, &from);
	truth_begin();
	parts[p].run(n);
	truth_end();
	getrusage(RUSAGE_SELF, &to);
	after = truth_read();

	usage = to.ru_minflt - from.ru_minflt + to.ru_majflt - from.ru_majflt;
	truth_print();
	dprintf(STDOUT_FILENO, "populated=%u\nregion=%s\nusage=%lld\nmeasured=%lld\n", n,
		parts[p].region, usage, after.faults - before.faults);
	if (truth.fd[0] >= 0 && usage - (after.faults - before.faults) != n)
		truth_die(TRUTH_OFF, "truth is off: getrusage %lld, events %lld", usage,
			  after.faults - before.faults);
	return 0;
}
