/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the truth programs share. Each touches a known number of pages in a known way and prints
 * what it did as key=value lines: REGION_CLASS=COUNT (heap_anon=256) and a few plain keys. It
 * checks itself with the kernel's own software events; where those disagree it says so and ends
 * with status 3, so that a wrong truth is never held against the program under test.
 *
 * Status: 0 done, 2 usage, 3 the truth is off, 77 this machine cannot do that part.
 */
#ifndef TRUTH_H
#define TRUTH_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRUTH_CANNOT 77
#define TRUTH_OFF    3
#ifndef TRUTH_KEYS
#define TRUTH_KEYS 64
#endif

struct truth_count {
	long long faults; /* PERF_COUNT_SW_PAGE_FAULTS */
	long long minor;
	long long major;
};

struct truth_key {
	char name[48];
	long long count;
};

/* Initialised, so that it lies in .data and is never first touched while something is counted. */
static struct truth {
	int fd[3];
	size_t page;
	unsigned int nkeys;
	struct truth_key keys[TRUTH_KEYS];
} truth = { .fd = { -1, -1, -1 }, .keys = { { "", 0 } } };

static inline __attribute__((noreturn, format(printf, 2, 3))) void truth_die(int status,
									     const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	vdprintf(STDERR_FILENO, fmt, ap);
	va_end(ap);
	dprintf(STDERR_FILENO, "\n");
	_exit(status);
}

static inline __attribute__((noreturn)) void truth_die_errno(const char *what)
{
	truth_die(1, "%s: %s", what, strerror(errno));
}

static inline int truth_perf_open(unsigned int type, unsigned long long config, int pid,
				  int enable_on_exec)
{
	struct perf_event_attr attr;

	memset(&attr, 0, sizeof(attr));
	attr.size = sizeof(attr);
	attr.type = type;
	attr.config = config;
	attr.disabled = 1;
	attr.inherit = 1;
	attr.enable_on_exec = !!enable_on_exec;
	return syscall(SYS_perf_event_open, &attr, pid, -1, -1, PERF_FLAG_FD_CLOEXEC);
}

static const unsigned long long truth_configs[3] = {
	PERF_COUNT_SW_PAGE_FAULTS,
	PERF_COUNT_SW_PAGE_FAULTS_MIN,
	PERF_COUNT_SW_PAGE_FAULTS_MAJ,
};

/*
 * To be called first in main(): page size, no transparent huge pages (thp: leave them alone),
 * counters on this process, its threads and children. Without the right to count, they read -1.
 */
static inline void truth_init(int thp)
{
	truth.page = sysconf(_SC_PAGESIZE);
	if (prctl(PR_SET_THP_DISABLE, !thp, 0, 0, 0))
		truth_die_errno("PR_SET_THP_DISABLE");
	for (int i = 0; i < 3; i++)
		truth.fd[i] = truth_perf_open(PERF_TYPE_SOFTWARE, truth_configs[i], 0, 0);
	for (int i = 0; i < TRUTH_KEYS; i++)
		((volatile char *)truth.keys[i].name)[0] = 0;
}

static inline void truth_begin(void)
{
	for (int i = 0; i < 3; i++)
		ioctl(truth.fd[i], PERF_EVENT_IOC_ENABLE, 0);
}

static inline void truth_end(void)
{
	for (int i = 0; i < 3; i++)
		ioctl(truth.fd[i], PERF_EVENT_IOC_DISABLE, 0);
}

static inline long long truth_perf_read(int fd)
{
	unsigned long long value;

	if (fd < 0 || read(fd, &value, sizeof(value)) != (ssize_t)sizeof(value))
		return -1;
	return value;
}

/* Everything counted so far; take differences. */
static inline struct truth_count truth_read(void)
{
	return (struct truth_count){
		truth_perf_read(truth.fd[0]),
		truth_perf_read(truth.fd[1]),
		truth_perf_read(truth.fd[2]),
	};
}

/* Add to what is printed at the end. Allocates nothing, touches no new page. */
static inline void truth_expect(const char *region, const char *class, long long count)
{
	char name[48];
	unsigned int i;

	snprintf(name, sizeof(name), "%s%s%s", region, *class ? "_" : "", class);
	for (i = 0; i < truth.nkeys && strcmp(truth.keys[i].name, name); i++)
		;
	if (i == TRUTH_KEYS)
		truth_die(TRUTH_OFF, "too many keys");
	if (i == truth.nkeys) {
		memcpy(truth.keys[i].name, name, sizeof(name));
		truth.keys[i].count = 0;
		truth.nkeys++;
	}
	truth.keys[i].count += count;
}

static inline void truth_print(void)
{
	for (unsigned int i = 0; i < truth.nkeys; i++)
		dprintf(STDOUT_FILENO, "%s=%lld\n", truth.keys[i].name, truth.keys[i].count);
	dprintf(STDOUT_FILENO, "pid=%d\n", getpid());
}

/* Write or read one byte of each of n pages, `step` pages apart. */
static inline void truth_write(char *mem, unsigned int n, unsigned int step)
{
	for (unsigned int i = 0; i < n; i++)
		((volatile char *)mem)[(size_t)i * step * truth.page] = 1;
}

static inline void truth_readmem(const char *mem, unsigned int n, unsigned int step)
{
	for (unsigned int i = 0; i < n; i++)
		(void)((const volatile char *)mem)[(size_t)i * step * truth.page];
}

/* The whole of a file of /proc, as far as it fits; ends with a zero byte. */
static inline void truth_slurp(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	size_t len = 0;
	ssize_t n;

	if (fd < 0)
		truth_die_errno(path);
	while (len < size - 1 && (n = read(fd, text + len, size - 1 - len)) > 0)
		len += n;
	close(fd);
	text[len] = 0;
}

static inline char *truth_map(size_t pages, int prot, int flags, int fd)
{
	void *mem = mmap(NULL, pages * truth.page, prot, flags, fd, 0);

	if (mem == MAP_FAILED)
		truth_die_errno("mmap");
	return mem;
}

static inline char *truth_anon(size_t pages)
{
	return truth_map(pages, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
}

/*
 * An unlinked file of that many written pages, in the page cache, in $TRUTH_DIR or here. Written
 * a page at a time, so that the cache holds single pages: newer kernels map a large folio whole
 * at one fault (6.18 mm/memory.c finish_fault(), mm/filemap.c filemap_map_pages()).
 */
static inline int truth_file(size_t pages)
{
	static const char buf[4096] = { 1 };
	const char *dir = getenv("TRUTH_DIR");
	size_t left = pages * truth.page;
	char path[4096];
	int fd;

	snprintf(path, sizeof(path), "%s/truth-XXXXXX", dir ? dir : ".");
	fd = mkstemp(path);
	if (fd < 0 || unlink(path))
		truth_die_errno(path);
	while (left) {
		size_t len = left < sizeof(buf) ? left : sizeof(buf);

		if (write(fd, buf, len) != (ssize_t)len)
			truth_die_errno("write");
		left -= len;
	}
	if (fsync(fd))
		truth_die_errno("fsync");
	return fd;
}

/* Say that everything stands, and wait until told to go on (a line, or the end of stdin). */
static inline void truth_wait(void)
{
	char c;
	ssize_t n;

	dprintf(STDOUT_FILENO, "ready=%d\n", getpid());
	do {
		n = read(STDIN_FILENO, &c, 1);
	} while ((n == 1 && c != '\n') || (n < 0 && errno == EINTR));
}

static inline unsigned int truth_number(const char *s)
{
	char *end;
	unsigned long n = strtoul(s, &end, 10);

	if (!*s || *end || n > 100000000)
		truth_die(2, "not a number: %s", s);
	return n;
}

#endif /* TRUTH_H */
