/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Mapping calls of known number, size and outcome: `calls PART N` (or `all`). Prints
 * CALL_calls=, CALL_failed= (of those) and CALL_bytes= (of those that did not fail). Of calls that
 * this kernel lacks it prints nothing; a part that consists of such ends with status 77. Calls that are
 * newer than Linux 6.1 are not among `all`: the raw tracepoints see even those that are not there.
 * `compat` makes the 32-bit ones through int 0x80, from a 64-bit program.
 *
 * build: -o calls
 * build32: -o calls32
 */
#define TRUTH_KEYS 128
#include "truth.h"

#include <linux/aio_abi.h>
#include <linux/mempolicy.h>
#include <linux/userfaultfd.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/uio.h>
#include <time.h>

#include "later_calls.h"

#define RW          (PROT_READ | PROT_WRITE)
#define PRIVATE     (MAP_PRIVATE | MAP_ANONYMOUS)
#define HUGE_LENGTH (-(size_t)0x10000)

static void say(const char *call, long long calls, long long failed, long long bytes)
{
	char name[32];

	snprintf(name, sizeof(name), "%s_calls", call);
	truth_expect(name, "", calls);
	snprintf(name, sizeof(name), "%s_failed", call);
	truth_expect(name, "", failed);
	snprintf(name, sizeof(name), "%s_bytes", call);
	truth_expect(name, "", bytes);
}

static void check(int good, const char *what)
{
	if (!good)
		truth_die(TRUTH_OFF, "truth is off: %s: %s", what, strerror(errno));
}

static void do_mmap(unsigned int n)
{
	size_t len = 8 * truth.page;

	for (unsigned int i = 0; i < n; i++) {
		check(mmap(NULL, len, RW, PRIVATE, -1, 0) != MAP_FAILED, "mmap");
		check(mmap(NULL, HUGE_LENGTH, RW, PRIVATE, -1, 0) == MAP_FAILED,
		      "mmap of too much");
		check(mmap(NULL, 0, RW, PRIVATE, -1, 0) == MAP_FAILED, "mmap of nothing");
	}
	say("mmap", 3LL * n, 2LL * n, (long long)n * len);
}

static void do_munmap(unsigned int n)
{
	size_t len = 5 * truth.page;

	for (unsigned int i = 0; i < n; i++) {
		char *mem = truth_anon(5);

		check(munmap(mem + 1, len) == -1, "munmap of an odd address");
		check(munmap(mem, len) == 0, "munmap");
	}
	say("mmap", n, 0, (long long)n * len);
	say("munmap", 2LL * n, n, (long long)n * len);
}

static uintptr_t raw_brk(uintptr_t at)
{
	return (uintptr_t)syscall(SYS_brk, at);
}

static void do_brk(unsigned int n)
{
	uintptr_t at = raw_brk(0), step = 4 * truth.page;

	for (unsigned int i = 0; i < n; i++) {
		check(raw_brk(at + step) == at + step, "brk");
		at += step;
		check(raw_brk(0) == at, "brk(0)");
		check(raw_brk(HUGE_LENGTH) == at, "brk of too much");
	}
	/* libc is never told: nothing else here uses the heap. */
	say("brk", 3LL * n + 1, n, (long long)n * step);
}

static void do_brk_shrink(unsigned int n)
{
	uintptr_t at = raw_brk(0), step = 4 * truth.page;

	for (unsigned int i = 0; i < n; i++)
		check(raw_brk(at + step) == at + step && raw_brk(at) == at, "brk");
	say("brk", 2LL * n + 1, 0, 0);
}

static void do_mremap(unsigned int n)
{
	size_t len = 4 * truth.page;

	for (unsigned int i = 0; i < n; i++) {
		char *mem = truth_anon(4);

		check(mremap(mem, len, 2 * len, MREMAP_MAYMOVE) != MAP_FAILED, "mremap");
		check(mremap((void *)1, len, len, 0) == MAP_FAILED, "mremap of an odd address");
	}
	say("mmap", n, 0, (long long)n * len);
	say("mremap", 2LL * n, n, 0);
}

static void do_mprotect(unsigned int n)
{
	size_t len = 6 * truth.page;
	char *mem = n ? truth_anon(6) : NULL;

	for (unsigned int i = 0; i < n; i++) {
		check(!mprotect(mem, len, i & 1 ? RW : PROT_READ), "mprotect");
		check(mprotect(mem + 1, len, RW) == -1, "mprotect of an odd address");
	}
	say("mmap", !!n, 0, n ? (long long)len : 0);
	say("mprotect", 2LL * n, n, (long long)n * len);
}

static void do_madvise(unsigned int n)
{
	size_t len = 7 * truth.page;
	char *mem = n ? truth_anon(7) : NULL;

	for (unsigned int i = 0; i < n; i++) {
		check(!madvise(mem, len, MADV_DONTNEED), "madvise");
		check(madvise(mem, len, 12345) == -1, "madvise of no meaning");
	}
	say("mmap", !!n, 0, n ? (long long)len : 0);
	say("madvise", 2LL * n, n, (long long)n * len);
}

static void do_mlock(unsigned int n)
{
	size_t len = 3 * truth.page;
	char *mem = n ? truth_anon(4) : NULL;

	if (n)
		check(!munmap(mem + len, truth.page), "munmap");
	for (unsigned int i = 0; i < n; i++) {
		check(!mlock(mem, len), "mlock");
		check(mlock(mem, len + truth.page) == -1, "mlock of a hole");
		check(!syscall(SYS_mlock2, mem, len, 0), "mlock2");
		check(!munlock(mem, len), "munlock");
	}
	say("mmap", !!n, 0, n ? 4LL * truth.page : 0);
	say("munmap", !!n, 0, n ? (long long)truth.page : 0);
	say("mlock", 2LL * n, n, (long long)n * len);
	say("mlock2", n, 0, (long long)n * len);
	say("munlock", n, 0, (long long)n * len);
}

static void do_mlockall(unsigned int n)
{
	for (unsigned int i = 0; i < n; i++) {
		check(mlockall(0x1000) == -1, "mlockall of no meaning");
		check(!mlockall(MCL_CURRENT | MCL_ONFAULT), "mlockall");
		check(!munlockall(), "munlockall");
	}
	say("mlockall", 2LL * n, n, 0);
	say("munlockall", n, 0, 0);
}

static void do_shm(unsigned int n)
{
	size_t len = 9 * truth.page;

	for (unsigned int i = 0; i < n; i++) {
		int id = shmget(IPC_PRIVATE, len, IPC_CREAT | 0600);
		void *mem;

		check(id >= 0, "shmget");
		check(shmget(IPC_PRIVATE, 0, IPC_CREAT | 0600) == -1, "shmget of nothing");
		mem = shmat(id, NULL, 0);
		check(mem != (void *)-1, "shmat");
		check(shmat(-1, NULL, 0) == (void *)-1, "shmat of none");
		shmctl(id, IPC_RMID, NULL);
		check(!shmdt(mem), "shmdt");
		check(shmdt(mem) == -1, "shmdt of none");
	}
	say("shmget", 2LL * n, n, (long long)n * len);
	say("shmat", 2LL * n, n, (long long)n * len);
	say("shmdt", 2LL * n, n, (long long)n * len);
}

static int alone; /* one part, not all */

/*
 * Does this kernel lack a call? ret: what a try of it gave, which all runs make, those of no calls too:
 * the difference between two runs tells nothing of it.
 */
static int lacks(long ret, const char *call)
{
	if (ret != -1 || errno != ENOSYS)
		return 0;
	if (alone)
		truth_die(TRUTH_CANNOT, "this kernel has no %s", call);
	return 1;
}

static void do_pkey_mprotect(unsigned int n)
{
	size_t len = 6 * truth.page;
	char *mem = n ? truth_anon(6) : NULL;

	say("mmap", !!n, 0, n ? (long long)len : 0);
	if (lacks(syscall(SYS_pkey_mprotect, 1, len, RW, -1), "pkey_mprotect"))
		return;
	for (unsigned int i = 0; i < n; i++) {
		check(!syscall(SYS_pkey_mprotect, mem, len, i & 1 ? RW : PROT_READ, -1),
		      "pkey_mprotect");
		check(syscall(SYS_pkey_mprotect, mem + 1, len, RW, -1) == -1,
		      "pkey_mprotect of an odd address");
	}
	say("pkey_mprotect", 2LL * n, n, (long long)n * len);
}

static void do_mbind(unsigned int n)
{
	size_t len = 3 * truth.page;
	char *mem = n ? truth_anon(3) : NULL;
	unsigned long mask = 1;

	say("mmap", !!n, 0, n ? (long long)len : 0);
	if (lacks(syscall(SYS_mbind, 4096, len, 99, NULL, 0, 0), "mbind"))
		return;
	for (unsigned int i = 0; i < n; i++) {
		check(!syscall(SYS_mbind, mem, len, MPOL_BIND, &mask, 8 * sizeof(mask), 0),
		      "mbind");
		check(!syscall(SYS_set_mempolicy_home_node, mem, len, 0, 0),
		      "set_mempolicy_home_node");
		check(syscall(SYS_set_mempolicy_home_node, mem, len, 0, 1) == -1,
		      "set_mempolicy_home_node with flags");
	}
	say("mbind", n, 0, (long long)n * len);
	say("set_mempolicy_home_node", 2LL * n, n, (long long)n * len);
}

static void do_remap_file_pages(unsigned int n)
{
	size_t len = 4 * truth.page, page = truth.page;
	char *mem = n ? truth_map(4, RW, MAP_SHARED | MAP_ANONYMOUS, -1) : NULL;

	for (unsigned int i = 0; i < n; i++) {
		check(!syscall(SYS_remap_file_pages, mem, page, 0, 1 + i % 3, 0),
		      "remap_file_pages");
		check(syscall(SYS_remap_file_pages, mem, page, PROT_READ, 1, 0) == -1,
		      "remap_file_pages with a protection");
	}
	say("mmap", !!n, 0, n ? (long long)len : 0);
	say("remap_file_pages", 2LL * n, n, (long long)n * page);
}

static void do_mseal(unsigned int n)
{
	size_t len = 2 * truth.page;
	char *mem;

	if (lacks(syscall(SYS_mseal, 1, 0, 0), "mseal"))
		return;
	for (unsigned int i = 0; i < n; i++) {
		mem = truth_anon(2);
		check(!syscall(SYS_mseal, mem, len, 0), "mseal");
		check(munmap(mem, len) == -1, "munmap of what is sealed");
	}
	say("mmap", n, 0, (long long)n * len);
	say("munmap", n, n, 0);
	say("mseal", n, 0, (long long)n * len);
}

static void do_map_shadow_stack(unsigned int n)
{
	size_t len = 4 * truth.page;
	long long failed = 0;

	if (lacks(syscall(SYS_map_shadow_stack, 0, len, 0x10), "map_shadow_stack"))
		return;
	for (unsigned int i = 0; i < n; i++)
		failed += syscall(SYS_map_shadow_stack, 0, len, 0) == -1;
	say("map_shadow_stack", n, failed, (n - failed) * (long long)len);
}

static void do_process_madvise(unsigned int n)
{
	size_t len = 5 * truth.page;
	char *mem = n ? truth_anon(5) : NULL;
	struct iovec iov = { mem, len };
	int fd = syscall(SYS_pidfd_open, getpid(), 0);

	check(fd >= 0, "pidfd_open");
	for (unsigned int i = 0; i < n; i++) {
		check(syscall(SYS_process_madvise, fd, &iov, 1, 20, 0) == (long)len,
		      "process_madvise of MADV_COLD");
		check(syscall(SYS_process_madvise, fd, &iov, 1, 20, 1) == -1,
		      "process_madvise with flags");
	}
	close(fd);
	say("mmap", !!n, 0, n ? (long long)len : 0);
	say("process_madvise", 2LL * n, n, (long long)n * len);
}

static void do_aio(unsigned int n)
{
	aio_context_t ctx = 0;

	if (lacks(syscall(SYS_io_setup, 0, &ctx), "io_setup"))
		return;
	for (unsigned int i = 0; i < n; i++) {
		ctx = 0;
		check(!syscall(SYS_io_setup, 1 + i, &ctx) && ctx, "io_setup");
		check(syscall(SYS_io_setup, 1, NULL) == -1, "io_setup that gives no context");
		check(!syscall(SYS_io_destroy, ctx), "io_destroy");
		check(syscall(SYS_io_destroy, ctx) == -1, "io_destroy of none");
	}
	/* How large a ring is the kernel decides. */
	say("io_setup", 2LL * n, n, 0);
	say("io_destroy", 2LL * n, n, 0);
}

static void do_prctl(unsigned int n)
{
	size_t len = 2 * truth.page;
	char *mem = n ? truth_anon(2) : NULL, name[16];
	long long failed = 0;

	for (unsigned int i = 0; i < n; i++) {
		check(!prctl(PR_GET_NAME, name), "PR_GET_NAME");
		failed += prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, mem, len, "calls") == -1;
		check(prctl(PR_SET_VMA, 99, mem, len, NULL) == -1, "PR_SET_VMA of no meaning");
	}
	say("mmap", !!n, 0, n ? (long long)len : 0);
	/* EINVAL without CONFIG_ANON_VMA_NAME */
	say("prctl", 2LL * n, n + failed, (n - failed) * (long long)len);
}

static void do_uffd(unsigned int n)
{
	const struct timespec second = { .tv_sec = 1 };
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *mem = n ? truth_anon(4) : NULL;
	int fd = -1;

	if (n) {
		fd = syscall(SYS_userfaultfd, O_CLOEXEC);
		if (fd == -1)
			truth_die(TRUTH_CANNOT, "userfaultfd: %s", strerror(errno));
		nanosleep(&second, NULL); /* until ioctl is traced */
		check(!ioctl(fd, UFFDIO_API, &api), "UFFDIO_API");
	}
	for (unsigned int i = 0; i < n; i++) {
		reg.range.start = (uintptr_t)mem;
		reg.range.len = 3 * truth.page;
		check(!ioctl(fd, UFFDIO_REGISTER, &reg), "UFFDIO_REGISTER");
		check(!ioctl(fd, UFFDIO_UNREGISTER, &reg.range), "UFFDIO_UNREGISTER");
		reg.range.start++;
		check(ioctl(fd, UFFDIO_UNREGISTER, &reg.range) == -1,
		      "UFFDIO_UNREGISTER of an odd address");
	}
	say("mmap", !!n, 0, n ? 4LL * truth.page : 0);
	say("userfaultfd", !!n, 0, 0);
	say("ioctl", 3LL * n, n, 6LL * n * truth.page);
}

#ifdef __x86_64__
static long int80(long nr, long a, long b, long c, long d, long e, long f)
{
	long ret;

	/* rbp carries the sixth argument; r8-r11 are clobbered by the 32-bit entry. */
	__asm__ volatile("push %%rbp\n\tmov %7, %%rbp\n\tint $0x80\n\tpop %%rbp"
			 : "=a"(ret)
			 : "0"(nr), "b"(a), "c"(b), "d"(c), "S"(d), "D"(e), "r"(f)
			 : "r8", "r9", "r10", "r11", "memory");
	return (int)ret == ret || (unsigned long)ret < 0xfffff000UL ? ret : (long)(int)ret;
}

static void do_compat(unsigned int n)
{
	size_t len = 8 * truth.page;
	long mem;

	for (unsigned int i = 0; i < n; i++) {
		mem = int80(192, 0, len, RW, PRIVATE, -1, 0);
		check(mem > 0, "32-bit mmap2");
		check(int80(192, 0, 0, RW, PRIVATE, -1, 0) < 0, "32-bit mmap2 of nothing");
		check(!int80(125, mem, len, PROT_READ, 0, 0, 0), "32-bit mprotect");
		check(!int80(219, mem, len, MADV_NORMAL, 0, 0, 0), "32-bit madvise");
		check(int80(45, 0, 0, 0, 0, 0, 0) != 0, "32-bit brk");
		check(!int80(91, mem, len, 0, 0, 0, 0), "32-bit munmap");
	}
	say("mmap", 2LL * n, n, (long long)n * len);
	say("mprotect", n, 0, (long long)n * len);
	say("madvise", n, 0, (long long)n * len);
	say("brk", n, 0, 0);
	say("munmap", n, 0, (long long)n * len);
}
#else
static void do_compat(unsigned int n)
{
	(void)n;
	truth_die(TRUTH_CANNOT, "int 0x80 is x86-64's");
}
#endif

/* clang-format off */
static const struct {
	const char *name;
	int in_all;
	void (*run)(unsigned int n);
} parts[] = {
	{ "mmap", 1, do_mmap },
	{ "munmap", 1, do_munmap },
	{ "brk", 1, do_brk },
	{ "brk-shrink", 1, do_brk_shrink },
	{ "mremap", 1, do_mremap },
	{ "mprotect", 1, do_mprotect },
	{ "madvise", 1, do_madvise },
	{ "mlock", 1, do_mlock },
	{ "mlockall", 1, do_mlockall },
	{ "shm", 1, do_shm },
	{ "pkey_mprotect", 1, do_pkey_mprotect },
	{ "mbind", 1, do_mbind },
	{ "remap_file_pages", 1, do_remap_file_pages },
	{ "mseal", 0, do_mseal },
	{ "map_shadow_stack", 0, do_map_shadow_stack },
	{ "process_madvise", 1, do_process_madvise },
	{ "aio", 1, do_aio },
	{ "prctl", 1, do_prctl },
	{ "uffd", 0, do_uffd },
	{ "compat", 0, do_compat },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

int main(int argc, char **argv)
{
	unsigned int n, found = 0;

	if (argc != 3)
		truth_die(2, "usage: calls PART|all N");
	truth_init(0);
	n = truth_number(argv[2]);
	alone = !!strcmp(argv[1], "all");
	for (unsigned int p = 0; p < NPARTS; p++) {
		if (strcmp(argv[1], parts[p].name) && (strcmp(argv[1], "all") || !parts[p].in_all))
			continue;
		parts[p].run(n);
		found++;
	}
	if (!found)
		truth_die(2, "no part %s", argv[1]);
	truth_print();
	return 0;
}
