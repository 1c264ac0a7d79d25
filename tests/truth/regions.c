/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Touches a known number of pages of each region: `regions [wait] PART N [PART N]…`. Everything
 * that a part needs is made for any N alike, so that a run with N and a run with 0 differ by the
 * touches alone. With `wait` it prints ready=PID once all is set up and goes on at a line on stdin.
 *
 * build: -pthread -o regions
 * build: -pthread -no-pie -Wl,-z,noseparate-code -o regions-nosep
 * build32: -pthread -DTRUTH_LIB=libtruth32.so -o regions32
 */
#include "text.h"
#include "truth.h"

#include <dlfcn.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/wait.h>

#define PAGES       1024 /* of each mapping */
#define IMAGE_PAGES 256  /* of the arrays in this program */
#define PAGE        4096
#define AROUND      16 /* pages in the reach of one fault-around */
#define BLOCKS      32
#ifndef TRUTH_LIB
#define TRUTH_LIB libtruth.so
#endif
#define STR2(x) #x
#define STR(x)  STR2(x)

static unsigned char own_data[IMAGE_PAGES * PAGE] __attribute__((aligned(PAGE))) = { 1 };
static unsigned char own_bss[IMAGE_PAGES * PAGE] __attribute__((aligned(PAGE)));
static const unsigned char own_rodata[BLOCKS * 65536] __attribute__((aligned(65536))) = { 1 };
extern const char own_text[];

TRUTH_TEXT(own_text);

/* What a part keeps between set-up and touch. */
struct area {
	char *mem;
	pthread_t thread;
	int go[2], done[2]; /* pipes to and from the thread */
	int stat;           /* the thread's /proc/PID/task/TID/stat */
	unsigned int n;
};

struct part {
	const char *name;
	unsigned int max;
	void (*setup)(struct area *a);
	void (*touch)(struct area *a, unsigned int n);
};

static void setup_heap(struct area *a)
{
	uintptr_t at = (uintptr_t)sbrk((PAGES + 1) * PAGE);

	if (at == (uintptr_t)-1)
		truth_die_errno("sbrk");
	a->mem = (char *)((at + PAGE - 1) & ~(uintptr_t)(PAGE - 1));
}

static void touch_heap(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("heap", "anon", n);
}

static void setup_anon(struct area *a)
{
	a->mem = truth_anon(PAGES);
}

static void touch_anon(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("anon", "anon", n);
}

static void touch_zero(struct area *a, unsigned int n)
{
	truth_readmem(a->mem, n, 1);
	truth_expect("anon", "zero", n);
}

static void touch_zero_write(struct area *a, unsigned int n)
{
	truth_readmem(a->mem, n, 1);
	truth_write(a->mem, n, 1);
	truth_expect("anon", "zero", n);
	truth_expect("anon", "cow", n);
}

static void setup_exec(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS,
			   -1);
}

static void touch_exec(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("anon-exec", "anon", n);
}

static void setup_file_private(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, truth_file(PAGES));
}

static void touch_file_private(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("file", "cow", n);
}

/* Aligned to the reach of a fault-around, so that one touch in each block is one fault. */
static char *map_aligned(int prot, int flags, int fd)
{
	uintptr_t at =
		(uintptr_t)truth_map(PAGES + AROUND, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1);
	char *mem;

	at = (at + AROUND * PAGE - 1) & ~(uintptr_t)(AROUND * PAGE - 1);
	mem = mmap((void *)at, PAGES * PAGE, prot, flags | MAP_FIXED, fd, 0);
	if (mem == MAP_FAILED)
		truth_die_errno("mmap");
	return mem;
}

static void setup_file_read(struct area *a)
{
	a->mem = map_aligned(PROT_READ, MAP_PRIVATE, truth_file(PAGES));
}

static void touch_file_read(struct area *a, unsigned int n)
{
	truth_readmem(a->mem, n, AROUND);
	truth_expect("file", "file", n);
}

static void setup_file_shared(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, truth_file(PAGES));
}

static void touch_file_shared(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("file-shared", "file", n);
}

/* All pages present, read-only: a write only has to make them writable. */
static void setup_shared_reuse(struct area *a)
{
	volatile char c;

	setup_file_shared(a);
	for (unsigned int i = 0; i < PAGES; i++)
		c = ((volatile char *)a->mem)[(size_t)i * PAGE];
	(void)c;
}

static void touch_shared_reuse(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("file-shared", "reuse", n);
}

static void setup_sysv(struct area *a)
{
	int id = shmget(IPC_PRIVATE, PAGES * PAGE, IPC_CREAT | 0600);
	void *mem;

	if (id < 0)
		truth_die_errno("shmget");
	mem = shmat(id, NULL, 0);
	if (mem == (void *)-1)
		truth_die_errno("shmat");
	shmctl(id, IPC_RMID, NULL);
	a->mem = mem;
}

static void touch_shm(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("shm", "shmem", n);
}

static int memfd(void)
{
	int fd = memfd_create("truth", MFD_CLOEXEC);

	if (fd < 0 || ftruncate(fd, PAGES * PAGE))
		truth_die_errno("memfd");
	return fd;
}

static void setup_memfd(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, memfd());
}

static void setup_memfd_private(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_PRIVATE, memfd());
}

static void setup_posix(struct area *a)
{
	char name[64];
	int fd;

	snprintf(name, sizeof(name), "/truth-%d", getpid());
	fd = shm_open(name, O_RDWR | O_CREAT | O_EXCL, 0600);
	if (fd < 0 || shm_unlink(name) || ftruncate(fd, PAGES * PAGE))
		truth_die_errno("shm_open");
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED, fd);
}

static void setup_shared_anon(struct area *a)
{
	a->mem = truth_map(PAGES, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1);
}

static void setup_hugetlb(struct area *a)
{
	a->mem = mmap(NULL, (size_t)16 << 20, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_HUGETLB | (21 << MAP_HUGE_SHIFT), -1, 0);
	if (a->mem == MAP_FAILED)
		truth_die(TRUTH_CANNOT,
			  "no 2 MiB pages in the hugetlb pool; a VM with vm.nr_hugepages runs it");
}

static void touch_hugetlb(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, (2 << 20) / PAGE);
	truth_expect("hugetlb", "hugetlb", n);
}

static void setup_none(struct area *a)
{
	(void)a;
}

static void touch_data(struct area *a, unsigned int n)
{
	(void)a;
	truth_write((char *)own_data, n, 1);
	truth_expect("data", "cow", n);
}

static void touch_bss(struct area *a, unsigned int n)
{
	(void)a;
	truth_write((char *)own_bss, n, 1);
	truth_expect("bss", "anon", n);
}

static void touch_rodata(struct area *a, unsigned int n)
{
	(void)a;
	truth_readmem((const char *)own_rodata, n, AROUND);
	truth_expect("rodata", "file", n);
}

static void call_blocks(const char *code, unsigned int n)
{
	for (unsigned int i = 0; i < n; i++)
		((void (*)(void))(uintptr_t)(code + (size_t)i * AROUND * PAGE))();
}

static void touch_text(struct area *a, unsigned int n)
{
	(void)a;
	call_blocks(own_text, n);
	truth_expect("text", "file", n);
}

static void *lib_symbol(const char *name)
{
	static void *lib;
	char path[4096];
	ssize_t len = readlink("/proc/self/exe", path, sizeof(path) - 32);
	void *at;

	if (!lib && len > 0) {
		path[len] = 0;
		strcpy(strrchr(path, '/') + 1, STR(TRUTH_LIB));
		lib = dlopen(path, RTLD_NOW);
	}
	at = lib ? dlsym(lib, name) : NULL;
	if (!at)
		truth_die(1, "%s", dlerror());
	return at;
}

static void setup_lib_data(struct area *a)
{
	a->mem = lib_symbol("lib_data");
}

static void setup_lib_bss(struct area *a)
{
	a->mem = lib_symbol("lib_bss");
}

static void setup_lib_rodata(struct area *a)
{
	a->mem = lib_symbol("lib_rodata");
}

static void setup_lib_text(struct area *a)
{
	a->mem = lib_symbol("lib_text");
}

static void touch_lib_data(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("data", "cow", n);
}

static void touch_lib_bss(struct area *a, unsigned int n)
{
	truth_write(a->mem, n, 1);
	truth_expect("bss", "anon", n);
}

static void touch_lib_rodata(struct area *a, unsigned int n)
{
	truth_readmem(a->mem, n, AROUND);
	truth_expect("rodata", "file", n);
}

static void touch_lib_text(struct area *a, unsigned int n)
{
	call_blocks(a->mem, n);
	truth_expect("text", "file", n);
}

/* n pages of the stack of whoever calls, well below what has been in use. */
static __attribute__((noinline)) void touch_below(unsigned int n, unsigned int gap)
{
	volatile char here = 0;
	uintptr_t at = (uintptr_t)&here & ~(uintptr_t)(PAGE - 1);

	for (unsigned int i = 1; i <= n; i++)
		*(volatile char *)(at - (size_t)(gap + i) * PAGE) = 1;
}

static void touch_stack(struct area *a, unsigned int n)
{
	(void)a;
	touch_below(n, 64);
	truth_expect("stack", "anon", n);
}

/* A stack that is no program's, where nothing else is mapped: it grows by a page at each touch. */
static void setup_grows_down(struct area *a)
{
	a->mem = mmap((void *)0x20000000, PAGE, PROT_READ | PROT_WRITE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE | MAP_GROWSDOWN, -1, 0);
	if (a->mem == MAP_FAILED)
		truth_die_errno("mmap");
	truth_write(a->mem, 1, 1);
}

static void touch_grows_down(struct area *a, unsigned int n)
{
	for (unsigned int i = 1; i <= n; i++)
		*(volatile char *)(a->mem - (size_t)i * PAGE) = 1;
	truth_expect("stack", "anon", n);
}

static void *stack_thread(void *arg)
{
	struct area *a = arg;
	char c;

	a->stat = open("/proc/thread-self/stat", O_RDONLY | O_CLOEXEC);
	while (read(a->go[0], &c, 1) == 1) {
		touch_below(a->n, 32);
		if (write(a->done[1], &c, 1) != 1)
			break;
	}
	return NULL;
}

static void thread_start(struct area *a, void *stack, size_t size)
{
	pthread_attr_t attr;

	if (pipe2(a->go, O_CLOEXEC) || pipe2(a->done, O_CLOEXEC))
		truth_die_errno("pipe");
	pthread_attr_init(&attr);
	if (stack ? pthread_attr_setstack(&attr, stack, size) :
		    pthread_attr_setstacksize(&attr, size))
		truth_die(1, "the thread's stack is refused");
	errno = pthread_create(&a->thread, &attr, stack_thread, a);
	if (errno)
		truth_die_errno("pthread_create");
}

/*
 * Waits until the thread is back in read(): woken by what it writes, its maker may run before it
 * returns from there, and a fork() then makes it fault on its stack in this pass instead of the next.
 */
static void thread_asleep(struct area *a)
{
	char buf[64], *end;
	ssize_t n;

	do {
		n = pread(a->stat, buf, sizeof(buf) - 1, 0);
		if (n <= 0)
			truth_die_errno("/proc/thread-self/stat");
		buf[n] = '\0';
		end = strrchr(buf, ')'); /* PID (COMM) STATE, proc_pid_stat(5) */
		if (!end)
			truth_die(1, "/proc/thread-self/stat: no state in it");
	} while (end[2] != 'S' && !sched_yield());
}

static void thread_go(struct area *a, unsigned int n)
{
	char c = 0;

	a->n = n;
	if (write(a->go[1], &c, 1) != 1 || read(a->done[0], &c, 1) != 1)
		truth_die_errno("pipe");
	thread_asleep(a);
}

static void setup_thread(struct area *a)
{
	thread_start(a, NULL, (PAGES + 64) * PAGE);
}

static void touch_thread(struct area *a, unsigned int n)
{
	thread_go(a, n);
	truth_expect("thread-stack", "anon", n);
}

/* The stack's mapping and the memory directly above it look the same: kernels merge them. */
static void setup_above(struct area *a)
{
	size_t size = (PAGES + 64) * PAGE;
	char *stack = truth_anon(2 * (PAGES + 64));
	void *top = stack + size;

	munmap(top, size);
	if (mmap(top, size, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0) != top)
		truth_die_errno("mmap above the stack");
	a->mem = top;
	thread_start(a, stack, size);
}

/* The same beside a stack that libc makes: new mappings are placed below the last one. */
static void setup_above_libc(struct area *a)
{
	a->mem = truth_anon(PAGES);
	madvise(a->mem, PAGES * PAGE, MADV_NOHUGEPAGE);
	thread_start(a, NULL, (PAGES + 64) * PAGE);
}

static void touch_above(struct area *a, unsigned int n)
{
	truth_write(a->mem, 2 * n, 1);
	thread_go(a, n);
	truth_expect("thread-stack", "anon", n);
	truth_expect("anon", "anon", 2 * n);
}

/* A thread made by clone() alone, on memory of its own; it borrows its maker's TLS. */
static int raw_thread(void *arg)
{
	struct area *a = arg;

	touch_below(a->n, 32);
	return 0;
}

static void setup_raw_thread(struct area *a)
{
	a->mem = truth_anon(PAGES + 65) + PAGE;
	/* a guard, as every library has one: what is mapped right below would be stack, too */
	mprotect(a->mem - PAGE, PAGE, PROT_NONE);
}

static void touch_raw_thread(struct area *a, unsigned int n)
{
	char *top = a->mem + (PAGES + 64) * PAGE;
	int alive = 1;

	a->n = n;
	if (clone(raw_thread, top,
		  CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SIGHAND | CLONE_THREAD | CLONE_SYSVSEM |
			  CLONE_CHILD_CLEARTID,
		  a, NULL, NULL, &alive) < 0)
		truth_die_errno("clone");
	while (__atomic_load_n(&alive, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, &alive, FUTEX_WAIT, 1, NULL, NULL, 0);
	truth_expect("thread-stack", "anon", n);
}

static void touch_fork(struct area *a, unsigned int n)
{
	int status;
	pid_t pid;

	truth_write(a->mem, n, 1);
	pid = fork();
	if (!pid) {
		truth_write(a->mem, n, 1);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid || status)
		truth_die_errno("fork");
	truth_write(a->mem, n, 1);
	truth_expect("anon", "anon", n);
	truth_expect("anon", "cow", n);
	truth_expect("anon", "reuse", n);
}

/* clang-format off */
static const struct part parts[] = {
	{ "heap", PAGES, setup_heap, touch_heap },
	{ "anon", PAGES, setup_anon, touch_anon },
	{ "zero", PAGES, setup_anon, touch_zero },
	{ "zero-write", PAGES, setup_anon, touch_zero_write },
	{ "anon-exec", PAGES, setup_exec, touch_exec },
	{ "file-private", PAGES, setup_file_private, touch_file_private },
	{ "file-read", PAGES / AROUND, setup_file_read, touch_file_read },
	{ "file-shared", PAGES, setup_file_shared, touch_file_shared },
	{ "shared-reuse", PAGES, setup_shared_reuse, touch_shared_reuse },
	{ "sysv", PAGES, setup_sysv, touch_shm },
	{ "memfd", PAGES, setup_memfd, touch_shm },
	{ "memfd-private", PAGES, setup_memfd_private, touch_file_private },
	{ "posix-shm", PAGES, setup_posix, touch_shm },
	{ "shared-anon", PAGES, setup_shared_anon, touch_shm },
	{ "hugetlb", 8, setup_hugetlb, touch_hugetlb },
	{ "data", IMAGE_PAGES, setup_none, touch_data },
	{ "bss", IMAGE_PAGES, setup_none, touch_bss },
	{ "rodata", BLOCKS, setup_none, touch_rodata },
	{ "text", BLOCKS, setup_none, touch_text },
	{ "lib-data", IMAGE_PAGES, setup_lib_data, touch_lib_data },
	{ "lib-bss", IMAGE_PAGES, setup_lib_bss, touch_lib_bss },
	{ "lib-rodata", BLOCKS, setup_lib_rodata, touch_lib_rodata },
	{ "lib-text", BLOCKS, setup_lib_text, touch_lib_text },
	{ "stack", PAGES, setup_none, touch_stack },
	{ "grows-down", PAGES, setup_grows_down, touch_grows_down },
	{ "thread-stack", PAGES, setup_thread, touch_thread },
	{ "above-stack", PAGES / 2, setup_above, touch_above },
	{ "above-libc", PAGES / 2, setup_above_libc, touch_above },
	{ "raw-thread", PAGES, setup_raw_thread, touch_raw_thread },
	{ "fork", PAGES, setup_anon, touch_fork },
};
/* clang-format on */
#define NPARTS (sizeof(parts) / sizeof(parts[0]))

struct todo {
	const struct part *part;
	unsigned int n;
	struct area area;
};

static struct todo todo[NPARTS];

static unsigned int parse(char **argv, unsigned int argc)
{
	unsigned int n = 0, p;

	for (unsigned int i = 0; i + 1 < argc; i += 2, n++) {
		for (p = 0; p < NPARTS && strcmp(parts[p].name, argv[i]); p++)
			;
		if (p == NPARTS || n == NPARTS)
			truth_die(2, "no part %s", argv[i]);
		todo[n].part = &parts[p];
		todo[n].n = truth_number(argv[i + 1]);
		if (todo[n].n > parts[p].max)
			truth_die(2, "%s: at most %u", parts[p].name, parts[p].max);
	}
	return n;
}

/*
 * One CPU: tasks that run at the same time race for who copies a shared page and who reuses it, and
 * pages in another CPU's LRU batch have one more reference, so that they are copied.
 */
static void stay_here(void)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(sched_getcpu(), &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		truth_die_errno("sched_setaffinity");
}

static struct truth_count pass(unsigned int count, int real)
{
	struct truth_count before = truth_read(), after;

	truth_begin();
	for (unsigned int i = 0; i < count; i++)
		todo[i].part->touch(&todo[i].area, real ? todo[i].n : 0);
	truth_end();
	after = truth_read();
	return (struct truth_count){ after.faults - before.faults, after.minor - before.minor,
				     after.major - before.major };
}

int main(int argc, char **argv)
{
	int wait = argc > 1 && !strcmp(argv[1], "wait");
	struct truth_count idle, real;
	long long expected = 0;
	unsigned int count;

	if (argc < 3 + wait || (argc - wait) % 2 == 0)
		truth_die(2, "usage: regions [wait] PART N [PART N]...");
	truth_init(0);
	stay_here();
	count = parse(argv + 1 + wait, argc - 1 - wait);
	for (unsigned int i = 0; i < count; i++)
		todo[i].part->setup(&todo[i].area);
	pass(count, 0);
	if (wait)
		truth_wait();
	idle = pass(count, 0);
	real = pass(count, 1);

	for (unsigned int i = 0; i < truth.nkeys; i++)
		expected += truth.keys[i].count;
	truth_print();
	dprintf(STDOUT_FILENO, "measured=%lld\nminor=%lld\nmajor=%lld\n", real.faults - idle.faults,
		real.minor - idle.minor, real.major - idle.major);
	if (truth.fd[0] >= 0 && real.faults - idle.faults != expected)
		truth_die(TRUTH_OFF, "truth is off: expected %lld faults, the kernel counted %lld",
			  expected, real.faults - idle.faults);
	return 0;
}
