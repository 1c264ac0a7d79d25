/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exceptions that end otherwise: `fixup PART N`.
 * Kernel accesses: write-file (the copy runs with page faults disabled), write-pipe, read-zero
 * (the kernel writes into an untouched buffer), efault. Failed ones: segv-*, bus.
 * Prints exceptions=, what the exception tracepoints saw on this thread, where they can be had.
 *
 * build: -o fixup
 */
#include "truth.h"

#include <setjmp.h>
#include <signal.h>
#ifdef __has_include
#if __has_include(<linux/mount.h>)
#include <linux/mount.h>
#endif
#endif

#define PAGES 1024

static char *mem;
static int fd = -1;
static sigjmp_buf back;
static volatile sig_atomic_t signals;

static void on_signal(int sig)
{
	(void)sig;
	signals++;
	siglongjmp(back, 1);
}

/* The id of a tracepoint through a tracefs that is mounted nowhere; -1 where there is none. */
static int tracepoint_fd(const char *name)
{
	char path[128], buf[16] = "";
	int fs, mnt = -1, file = -1, id = -1;

	fs = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	if (fs >= 0 && !syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	snprintf(path, sizeof(path), "events/exceptions/%s/id", name);
	if (mnt >= 0)
		file = openat(mnt, path, O_RDONLY | O_CLOEXEC);
	if (file >= 0 && read(file, buf, sizeof(buf) - 1) > 0)
		id = truth_perf_open(PERF_TYPE_TRACEPOINT, atoi(buf), 0, 0);
	close(file);
	close(mnt);
	close(fs);
	return id;
}

static void setup_anon(void)
{
	mem = truth_anon(PAGES);
}

static void setup_file(void)
{
	setup_anon();
	fd = truth_file(PAGES);
}

static void do_write_file(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (pwrite(fd, mem + i * truth.page, 64, i * truth.page) != 64)
			truth_die_errno("write");
	truth_expect("anon", "zero", n);
}

static int pipes[2];

static void setup_pipe(void)
{
	setup_anon();
	if (pipe2(pipes, O_CLOEXEC))
		truth_die_errno("pipe");
	/* Its ring of pages comes with the first byte. */
	if (write(pipes[1], "x", 1) != 1 || read(pipes[0], &(char){ 0 }, 1) != 1)
		truth_die_errno("pipe");
}

static void do_write_pipe(unsigned int n)
{
	char buf[64];

	for (unsigned int i = 0; i < n; i++)
		if (write(pipes[1], mem + i * truth.page, sizeof(buf)) != sizeof(buf) ||
		    read(pipes[0], buf, sizeof(buf)) != sizeof(buf))
			truth_die_errno("pipe");
	truth_expect("anon", "zero", n);
}

static void setup_zero(void)
{
	setup_anon();
	fd = open("/dev/zero", O_RDONLY | O_CLOEXEC);
}

static void do_read_zero(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		if (read(fd, mem + i * truth.page, 64) != 64)
			truth_die_errno("/dev/zero");
	truth_expect("anon", "anon", n);
}

/* How often a copy from a bad address faults is the kernel's affair: 6.1 tries a second time. */
static void writing_from(char *at, unsigned int step, unsigned int n)
{
	long long before = truth_perf_read(truth.fd[0]);

	for (unsigned int i = 0; i < n; i++)
		if (write(pipes[1], at + (size_t)i * step, 1) != -1 || errno != EFAULT)
			truth_die(TRUTH_OFF, "truth is off: no EFAULT");
	truth_expect("none", "segv", before < 0 ? n : truth_perf_read(truth.fd[0]) - before);
}

static void do_efault(unsigned int n)
{
	writing_from((char *)16, 1, n);
}

/* The access is made n times; each is to end in a signal, after which it goes on with the next. */
static void failing(unsigned int n, char *at, int how, const char *region, const char *class)
{
	volatile unsigned int i;

	signals = 0;
	for (i = 0; i < n; i++) {
		if (sigsetjmp(back, 1))
			continue;
		if (how == 'w')
			*(volatile char *)at = 1;
		else if (how == 'r')
			(void)*(volatile char *)at;
		else
			((void (*)(void))(uintptr_t)at)();
	}
	if (signals != (sig_atomic_t)n)
		truth_die(TRUTH_OFF, "truth is off: %d signals for %u accesses", (int)signals, n);
	truth_expect(region, class, n);
}

static char *hole(void)
{
	char *at = mem + 16 * truth.page;

	munmap(at, truth.page);
	return at;
}

static void do_segv_read(unsigned int n)
{
	failing(n, hole(), 'r', "none", "segv");
}

static void do_segv_write(unsigned int n)
{
	failing(n, hole(), 'w', "none", "segv");
}

static void do_segv_exec(unsigned int n)
{
	failing(n, hole(), 'x', "none", "segv");
}

static void do_segv_noexec(unsigned int n)
{
	/* x86 takes the first for a read, as long as the page is absent. */
	truth_readmem(mem, 1, 1);
	failing(n, mem, 'x', "anon", "segv");
}

static void do_segv_readonly(unsigned int n)
{
	mprotect(mem, truth.page, PROT_READ);
	failing(n, mem, 'w', "anon", "segv");
}

static void do_segv_prot_none(unsigned int n)
{
	mprotect(mem, truth.page, PROT_NONE);
	failing(n, mem, 'r', "anon", "segv");
}

/* A stack that may not grow to the page at `mem`: stack_guard_gap pages below must be free. */
static void setup_no_growth(void)
{
	char *area = truth_anon(PAGES);

	setup_pipe();
	munmap(area + truth.page, (PAGES - 1) * truth.page);
	if (mmap(area + (PAGES - 1) * truth.page, truth.page, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1,
		 0) == MAP_FAILED)
		truth_die_errno("mmap");
	mem = area + 5 * truth.page;
}

static void do_segv_no_growth(unsigned int n)
{
	failing(n, mem, 'w', "none", "segv");
}

static void do_efault_no_growth(unsigned int n)
{
	writing_from(mem, 0, n);
}

static void setup_bus(void)
{
	fd = truth_file(1);
	mem = truth_map(4, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void do_bus(unsigned int n)
{
	failing(n, mem + 2 * truth.page, 'r', "file-shared", "bus");
}

/* clang-format off */
static const struct {
	const char *name;
	void (*setup)(void);
	void (*run)(unsigned int n);
	int failed;
} parts[] = {
	{ "write-file", setup_file, do_write_file, 0 },
	{ "write-pipe", setup_pipe, do_write_pipe, 0 },
	{ "read-zero", setup_zero, do_read_zero, 0 },
	{ "efault", setup_pipe, do_efault, 1 },
	{ "segv-read", setup_anon, do_segv_read, 1 },
	{ "segv-write", setup_anon, do_segv_write, 1 },
	{ "segv-exec", setup_anon, do_segv_exec, 1 },
	{ "segv-noexec", setup_anon, do_segv_noexec, 1 },
	{ "segv-readonly", setup_anon, do_segv_readonly, 1 },
	{ "segv-prot-none", setup_anon, do_segv_prot_none, 1 },
	{ "segv-no-growth", setup_no_growth, do_segv_no_growth, 1 },
	{ "efault-no-growth", setup_no_growth, do_efault_no_growth, 1 },
	{ "bus", setup_bus, do_bus, 1 },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

int main(int argc, char **argv)
{
	struct truth_count c[3];
	unsigned int n, p;
	static int exc[2]; /* kept over siglongjmp */
	long long raised[3];

	if (argc != 3)
		truth_die(2, "usage: fixup PART N");
	truth_init(0);
	for (p = 0; p < NPARTS && strcmp(parts[p].name, argv[1]); p++)
		;
	n = truth_number(argv[2]);
	if (p == NPARTS || n > PAGES)
		truth_die(2, "no part %s, or too many", argv[1]);
	signal(SIGSEGV, on_signal);
	signal(SIGBUS, on_signal);
	exc[0] = tracepoint_fd("page_fault_user");
	exc[1] = tracepoint_fd("page_fault_kernel");
	parts[p].setup();
	if (!sigsetjmp(back, 1))
		raise(SIGSEGV); /* brings in the way a signal takes */

	/* Once with nothing, to bring in the code; once with nothing, counted; once for real. */
	for (int i = 0; i < 3; i++) {
		truth_begin();
		for (int e = 0; e < 2; e++)
			ioctl(exc[e], PERF_EVENT_IOC_ENABLE, 0);
		parts[p].run(i == 2 ? n : 0);
		for (int e = 0; e < 2; e++)
			ioctl(exc[e], PERF_EVENT_IOC_DISABLE, 0);
		truth_end();
		c[i] = truth_read();
		raised[i] = truth_perf_read(exc[0]) + truth_perf_read(exc[1]);
	}
	truth_print();
	dprintf(STDOUT_FILENO, "measured=%lld\nminor=%lld\nmajor=%lld\nfailed=%u\n",
		c[2].faults - 2 * c[1].faults + c[0].faults,
		c[2].minor - 2 * c[1].minor + c[0].minor, c[2].major - 2 * c[1].major + c[0].major,
		parts[p].failed ? n : 0);
	if (exc[0] >= 0 && exc[1] >= 0)
		dprintf(STDOUT_FILENO, "exceptions=%lld\n", raised[2] - 2 * raised[1] + raised[0]);
	return 0;
}
