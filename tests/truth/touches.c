/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Accesses that page-table entries tell little of: `touches PART N` reads N pages and writes to as
 * many, in turn. uffd: a handler supplies them by a copy, which the kernel maps dirty. hugetlb:
 * shared huge pages, which it maps dirty as well. cold: pages that were written to before and then
 * marked as not accessed; cold-shared: those of them that a fork has write-protected. Where the
 * processor sets the accessed bit itself, reads of cold pages raise no fault.
 *
 * build: -pthread -o touches
 */
#include "truth.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <sys/wait.h>

#define MAX  256
#define HUGE ((size_t)2 << 20)
#ifndef MADV_COLD
#define MADV_COLD 20
#endif

static char source[4096] __attribute__((aligned(4096))) = { 1 };

static void touch(char *mem, unsigned int n, size_t step)
{
	for (unsigned int i = 0; i < n; i++) {
		(void)*(volatile char *)(mem + 2 * i * step);
		*(volatile char *)(mem + (2 * i + 1) * step) = 1;
	}
}

static void *handler(void *arg)
{
	int uffd = *(int *)arg;
	struct uffd_msg msg;

	while (read(uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & ~(truth.page - 1),
			.src = (uintptr_t)source,
			.len = truth.page,
		};

		if (ioctl(uffd, UFFDIO_COPY, &copy) && errno != EEXIST)
			truth_die_errno("UFFDIO_COPY");
	}
	return NULL;
}

static void do_uffd(unsigned int n)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *mem = truth_anon(2 * n);
	pthread_t thread;
	static int uffd;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		truth_die(TRUTH_CANNOT, "userfaultfd: %s", strerror(errno));
	reg.range.start = (uintptr_t)mem;
	reg.range.len = 2 * n * truth.page;
	if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		truth_die_errno("userfaultfd");
	if (pthread_create(&thread, NULL, handler, &uffd))
		truth_die(1, "cannot start a thread");
	touch(mem, n, truth.page);
}

static void do_hugetlb(unsigned int n)
{
	char *mem = mmap(NULL, 2 * n * HUGE, PROT_READ | PROT_WRITE,
			 MAP_SHARED | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);

	if (mem == MAP_FAILED)
		truth_die(TRUTH_CANNOT,
			  "no 2 MiB pages in the hugetlb pool; a VM with vm.nr_hugepages runs it");
	touch(mem, n, HUGE);
}

static void cold(unsigned int n, int fork_first)
{
	char *mem = truth_anon(2 * n);
	int status;
	pid_t pid;

	truth_write(mem, 2 * n, 1);
	pid = fork_first ? fork() : 0;
	if (!pid && fork_first)
		_exit(0);
	if (pid && (waitpid(pid, &status, 0) != pid || status))
		truth_die_errno("fork");
	if (madvise(mem, 2 * n * truth.page, MADV_COLD))
		truth_die(TRUTH_CANNOT, "MADV_COLD: %s", strerror(errno));
	touch(mem, n, truth.page);
}

int main(int argc, char **argv)
{
	unsigned int n = argc == 3 ? truth_number(argv[2]) : 0;

	if (!n || n > MAX)
		truth_die(2, "usage: touches uffd|hugetlb|cold|cold-shared N");
	truth_init(0);
	if (!strcmp(argv[1], "uffd"))
		do_uffd(n);
	else if (!strcmp(argv[1], "hugetlb"))
		do_hugetlb(n);
	else if (!strcmp(argv[1], "cold"))
		cold(n, 0);
	else if (!strcmp(argv[1], "cold-shared"))
		cold(n, 1);
	else
		truth_die(2, "no part %s", argv[1]);
	truth_print();
	return 0;
}
