/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * `uffd N DELAY_US [SIGNAL_US]`: N pages that a userfaultfd handler supplies, each after a delay;
 * with SIGNAL_US a timer interrupts the waiting thread that often, and the instruction is restarted.
 * Prints stall_ns=, the time that the touches took by the clock of the thread that made them.
 *
 * build: -pthread -o uffd
 */
#include "truth.h"

#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <sys/time.h>
#include <time.h>

#define PAGES 256

static int uffd;
static unsigned int delay_us;
static char source[4096] __attribute__((aligned(4096))) = { 1 };
static volatile sig_atomic_t signals;

static void on_alarm(int sig)
{
	(void)sig;
	signals++;
}

static void *handler(void *arg)
{
	struct timespec delay = { delay_us / 1000000, delay_us % 1000000 * 1000 };
	struct uffd_msg msg;
	sigset_t set;

	(void)arg;
	sigfillset(&set);
	pthread_sigmask(SIG_BLOCK, &set, NULL);
	while (read(uffd, &msg, sizeof(msg)) == (ssize_t)sizeof(msg)) {
		struct uffdio_copy copy = {
			.dst = msg.arg.pagefault.address & ~(truth.page - 1),
			.src = (uintptr_t)source,
			.len = truth.page,
		};

		nanosleep(&delay, NULL);
		if (ioctl(uffd, UFFDIO_COPY, &copy) && errno != EEXIST)
			truth_die_errno("UFFDIO_COPY");
	}
	return NULL;
}

static char *prepare(void)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	char *mem = truth_anon(PAGES);
	pthread_t thread;

	uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (uffd < 0)
		truth_die(TRUTH_CANNOT, "userfaultfd: %s", strerror(errno));
	reg.range.start = (uintptr_t)mem;
	reg.range.len = PAGES * truth.page;
	if (ioctl(uffd, UFFDIO_API, &api) || ioctl(uffd, UFFDIO_REGISTER, &reg))
		truth_die_errno("userfaultfd");
	if (pthread_create(&thread, NULL, handler, NULL))
		truth_die(1, "cannot start a thread");
	return mem;
}

static long long now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000LL + ts.tv_nsec;
}

int main(int argc, char **argv)
{
	struct sigaction sa = { .sa_handler = on_alarm, .sa_flags = SA_RESTART };
	struct itimerval timer = { { 0, 0 }, { 0, 0 } }, off = timer;
	struct truth_count before, after;
	unsigned int n, signal_us;
	long long stall = 0;
	char *mem;

	if (argc < 3 || argc > 4)
		truth_die(2, "usage: uffd N DELAY_US [SIGNAL_US]");
	truth_init(0);
	n = truth_number(argv[1]);
	delay_us = truth_number(argv[2]);
	signal_us = argc == 4 ? truth_number(argv[3]) : 0;
	if (n >= PAGES)
		truth_die(2, "fewer than %d pages", PAGES);
	mem = prepare();
	sigaction(SIGALRM, &sa, NULL);
	raise(SIGALRM);
	signals = 0;
	/* One that is not measured brings in the handler's way. */
	truth_write(mem + (PAGES - 1) * truth.page, 1, 1);
	now_ns();

	before = truth_read();
	truth_begin();
	timer.it_value.tv_usec = timer.it_interval.tv_usec = signal_us;
	setitimer(ITIMER_REAL, &timer, NULL);
	for (unsigned int i = 0; i < n; i++) {
		long long from = now_ns();

		truth_write(mem + i * truth.page, 1, 1);
		stall += now_ns() - from;
	}
	setitimer(ITIMER_REAL, &off, NULL);
	truth_end();
	after = truth_read();

	truth_expect("anon", "uffd", n + 1);
	truth_print();
	dprintf(STDOUT_FILENO,
		"stall_ns=%lld\ndelay_ns=%lld\nsignals=%d\nmeasured=%lld\n"
		"minor=%lld\nmajor=%lld\n",
		stall, n * delay_us * 1000LL, (int)signals, after.faults - before.faults,
		after.minor - before.minor, after.major - before.major);
	return 0;
}
