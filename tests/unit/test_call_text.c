/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Calls in words. Called as "test_call_text --make-calls FILE" it makes many calls and writes their
 * numbers to FILE; the test runs that under strace, and what strace writes is the truth.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/mman.h>
#include <linux/prctl.h>
#include <linux/sched.h>
#include <linux/userfaultfd.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/ipc.h>
#include <sys/shm.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <asm/mman.h>
#include <cmocka.h>

#include "output/call_text.h"
#include "output/flags.h"
#include "../truth/later_calls.h"

#define TRACED                                                                                    \
	"trace=mmap,munmap,brk,mremap,mprotect,madvise,mlock,mlock2,munlock,mlockall,munlockall," \
	"shmget,shmat,shmdt,pkey_mprotect,mbind,set_mempolicy_home_node,remap_file_pages,"        \
	"process_madvise,io_setup,io_destroy,prctl,userfaultfd,ioctl"
#define MARK_BYTES 1024023 /* munmap(1, MARK_BYTES): fails, and says that the calls begin */
#define CALLS_MAX  256
#define PATH_BYTES 4096

static struct line line;

static const char *text(void)
{
	assert_false(line.full);
	line__char(&line, '\0');
	return line.buf;
}

/* The call and its result, as strace has them. */
static const char *strace_text(const struct fs_call_event *ev)
{
	line__start(&line);
	call_text__call(&line, ev);
	call_text__result(&line, ev);
	return text();
}

static const char *effect_text(const struct fs_call_event *ev)
{
	line__start(&line);
	call_text__effect(&line, ev);
	return text();
}

static struct fs_call_event call_event(enum fs_call call, __s64 ret, __u64 a0, __u64 a1, __u64 a2,
				       __u64 a3, __u64 a4, __u64 a5)
{
	struct fs_call_event ev = { .call = call, .ret = ret, .args = { a0, a1, a2, a3, a4, a5 } };

	if (ret < 0 && ret >= -4095)
		ev.flags = FS_CALL_FAILED;
	return ev;
}

#define EVENT(call, ret, a0, a1, a2, a3, a4, a5) \
	call_event(FS_CALL_##call, ret, a0, a1, a2, a3, a4, a5)

static void expect(struct fs_call_event ev, const char *expected)
{
	assert_string_equal(strace_text(&ev), expected);
}

static void test_calls(void **state)
{
	expect(EVENT(MMAP, 0x7f0123456000, 0, 8392704, 0,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0),
	       "mmap(NULL, 8392704, PROT_NONE, MAP_PRIVATE|MAP_ANONYMOUS|MAP_NORESERVE, -1, 0)"
	       " = 0x7f0123456000");
	/* A descriptor is an int: the upper half of its register is nobody's. */
	expect(EVENT(MMAP, -ENOMEM, 0x10000, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, 0x500000003,
		     0x2000),
	       "mmap(0x10000, 4096, PROT_READ|PROT_EXEC, MAP_SHARED, 3, 0x2000)"
	       " = -1 ENOMEM (Cannot allocate memory)");
	expect(EVENT(MUNMAP, 0, 0x7f0123456000, 4096, 9, 9, 9, 9),
	       "munmap(0x7f0123456000, 4096) = 0");
	expect(EVENT(BRK, 0x55c0de000000, 0, 0, 0, 0, 0, 0), "brk(NULL) = 0x55c0de000000");
	expect(EVENT(MREMAP, -EFAULT, 0x1000, 4096, 8192, MREMAP_MAYMOVE, 77, 0),
	       "mremap(0x1000, 4096, 8192, MREMAP_MAYMOVE) = -1 EFAULT (Bad address)");
	/* strace 6.1 leaves the hint out, later ones print it. */
	expect(EVENT(MREMAP, 0x2000, 0x1000, 4096, 4096, MREMAP_MAYMOVE | MREMAP_DONTUNMAP, 0x2000,
		     0),
	       "mremap(0x1000, 4096, 4096, MREMAP_MAYMOVE|MREMAP_DONTUNMAP, 0x2000) = 0x2000");
	expect(EVENT(MADVISE, 0, 0x1000, 4096, 4, 0, 0, 0),
	       "madvise(0x1000, 4096, MADV_DONTNEED) = 0");
	expect(EVENT(MADVISE, 0, 0x1000, 4096, 100, 0, 0, 0),
	       "madvise(0x1000, 4096, MADV_HWPOISON) = 0");
	expect(EVENT(MADVISE, 0, 0x1000, 4096, 102, 0, 0, 0),
	       "madvise(0x1000, 4096, MADV_GUARD_INSTALL) = 0");
	expect(EVENT(MUNLOCKALL, 0, 9, 9, 9, 9, 9, 9), "munlockall() = 0");
	expect(EVENT(SHMGET, 7, 0, 4096, IPC_CREAT | 0600, 0, 0, 0),
	       "shmget(IPC_PRIVATE, 4096, IPC_CREAT|0600) = 7");
	expect(EVENT(SHMGET, 7, 1, 4096, 070, 0, 0, 0), "shmget(0x1, 4096, 070) = 7");
	expect(EVENT(SHMAT, 0x7f0123456000, 7, 0, SHM_RDONLY, 0, 0, 0),
	       "shmat(7, NULL, SHM_RDONLY) = 0x7f0123456000");
	expect(EVENT(SHMDT, -EINVAL, 0x1000, 0, 0, 0, 0, 0),
	       "shmdt(0x1000) = -1 EINVAL (Invalid argument)");
}

/* What strace is not asked below: calls that its oldest version does not know, and pointers. */
static void test_later_calls(void **state)
{
	expect(EVENT(MSEAL, 0, 0x1000, 4096, 0, 0, 0, 0), "mseal(0x1000, 4096, 0) = 0");
	expect(EVENT(MSEAL, -EPERM, 0x1000, 4096, 16, 0, 0, 0),
	       "mseal(0x1000, 4096, 0x10) = -1 EPERM (Operation not permitted)");
	expect(EVENT(MAP_SHADOW_STACK, 0x7f0123456000, 0, 65536, 1, 0, 0, 0),
	       "map_shadow_stack(NULL, 65536, SHADOW_STACK_SET_TOKEN) = 0x7f0123456000");
	expect(EVENT(MAP_SHADOW_STACK, -EOPNOTSUPP, 0x1000, 65536, 4, 0, 0, 0),
	       "map_shadow_stack(0x1000, 65536, 0x4 /* SHADOW_STACK_??? */)"
	       " = -1 EOPNOTSUPP (Operation not supported)");
	expect(EVENT(MBIND, 0, 0x1000, 4096, 6, 0x7ff0, 64, 0),
	       "mbind(0x1000, 4096, MPOL_WEIGHTED_INTERLEAVE, 0x7ff0, 64, 0) = 0");
	expect(EVENT(MBIND, -EINVAL, 0x1000, 4096, 2 | 1 << 14, 0, 0, 8),
	       "mbind(0x1000, 4096, MPOL_BIND|MPOL_F_RELATIVE_NODES, NULL, 0, 0x8 /* MPOL_MF_??? */)"
	       " = -1 EINVAL (Invalid argument)");
	expect(EVENT(PROCESS_MADVISE, 8192, 5, 0x7ff0, 2, 20, 0, 0),
	       "process_madvise(5, 0x7ff0, 2, MADV_COLD, 0) = 8192");
	expect(EVENT(PRCTL, 0, 0x53564d41, 0, 0x1000, 4096, 0x5000, 0),
	       "prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, 0x1000, 4096, 0x5000) = 0");
	/* The ring, and what is registered, stand behind the arguments: struct fs_call_event. */
	expect(EVENT(IO_SETUP, 0, 128, 0x7ff0, 0x7f0123456000, 0, 0, 0),
	       "io_setup(128, [0x7f0123456000]) = 0");
	expect(EVENT(IO_SETUP, 0, 128, 0x7ff0, 0, 0, 0, 0), "io_setup(128, 0x7ff0) = 0");
	expect(EVENT(IOCTL, 0, 3, UFFDIO_REGISTER, 0x7ff0, 0x1000, 0x2000,
		     UFFDIO_REGISTER_MODE_MISSING | UFFDIO_REGISTER_MODE_WP),
	       "ioctl(3, UFFDIO_REGISTER, {range={start=0x1000, len=0x2000}, "
	       "mode=UFFDIO_REGISTER_MODE_MISSING|UFFDIO_REGISTER_MODE_WP}) = 0");
	expect(EVENT(IOCTL, 0, 3, UFFDIO_UNREGISTER, 0x7ff0, 0, 0x2000, 7),
	       "ioctl(3, UFFDIO_UNREGISTER, {start=0, len=0x2000}) = 0");
	expect(EVENT(IOCTL, 0, 3, UFFDIO_UNREGISTER, 0x7ff0, 0, 0, 0),
	       "ioctl(3, UFFDIO_UNREGISTER, 0x7ff0) = 0");
}

static void test_hostile_calls(void **state)
{
	/* Errors above 511 are the kernel's own. */
	expect(EVENT(MLOCK, -512, 0x1000, 4096, 0, 0, 0, 0),
	       "mlock(0x1000, 4096) = -1 (errno 512)");
	/* A call that a later version may know. */
	expect(call_event(FS_CALL_NR, 0, 1, 2, 3, 4, 5, 6), "?() = 0");
#if defined(__x86_64__)
	expect(EVENT(MMAP, -EINVAL, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX, UINT64_MAX,
		     UINT64_MAX),
	       "mmap(0xffffffffffffffff, 18446744073709551615, "
	       "PROT_READ|PROT_WRITE|PROT_EXEC|PROT_SEM|PROT_GROWSDOWN|PROT_GROWSUP|"
	       "0xfffffffffcfffff0, "
	       "0xf /* MAP_??? */|MAP_FIXED|MAP_ANONYMOUS|MAP_32BIT|MAP_ABOVE4G|MAP_NORESERVE|"
	       "MAP_POPULATE|MAP_NONBLOCK|MAP_GROWSDOWN|MAP_DENYWRITE|MAP_EXECUTABLE|MAP_LOCKED|"
	       "MAP_STACK|MAP_HUGETLB|MAP_SYNC|MAP_FIXED_NOREPLACE|0xffffffff03e00600|"
	       "63<<MAP_HUGE_SHIFT, -1, 0xffffffffffffffff) = -1 EINVAL (Invalid argument)");
#endif
}

static void test_effects(void **state)
{
	struct fs_call_event ev = EVENT(BRK, 0x555555577000, 0x555555577000, 0, 0, 0, 0, 0);

	assert_string_equal(effect_text(&ev), "");
	ev.bytes = 135168;
	assert_string_equal(effect_text(&ev), " +132.0 KiB");
	ev.bytes = -4096;
	assert_string_equal(effect_text(&ev), " -4.0 KiB");
	ev.bytes = 0;
	ev.flags = FS_CALL_FAILED;
	assert_string_equal(effect_text(&ev), " failed");
	/* It gives the old break, not -1. */
	assert_string_equal(strace_text(&ev), "brk(0x555555577000) = 0x555555577000");

	ev = EVENT(MMAP, 0x7f0123456000, 0, 4096000, 3, MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE,
		   -1, 0);
	ev.populated_min = 1000;
	assert_string_equal(effect_text(&ev), " populated 1000");
	ev.populated_maj = 3;
	ev.region_id = 9;
	ev.region = FS_REGION_ANON;
	assert_string_equal(effect_text(&ev), " populated 1003 (3 major) in anon");
	ev.flags = FS_CALL_COMPAT;
	ev.populated_min = ev.populated_maj = UINT32_MAX;
	assert_string_equal(effect_text(&ev),
			    " populated 8589934590 (4294967295 major) in anon (32-bit)");
}

static void test_exec(void **state)
{
	struct fs_exec_event ev = { .comm = "ls", .path = "/bin/ls" };

	line__start(&line);
	call_text__exec(&line, &ev);
	assert_string_equal(text(), "execve(\"/bin/ls\") → ls");

	strcpy(ev.path, "/d/\"a\"\n\\\xff\x1b[31m\"");
	memset(ev.comm, 'x', sizeof(ev.comm)); /* not terminated */
	ev.args_populated = 2;
	line__start(&line);
	call_text__exec(&line, &ev);
	assert_string_equal(text(), "execve(\"/d/\\\"a\\\"\\n\\\\\\xff\\x1b[31m\\\"\")"
				    " → xxxxxxxxxxxxxxxx populated 2");

	memset(ev.path, '\n', sizeof(ev.path));
	line__start(&line);
	call_text__exec(&line, &ev);
	assert_non_null(strstr(text(), "\\n\"...) → "));
}

static const char *exit_text(int exit_code, bool last)
{
	struct fs_exit_event ev = { .exit_code = exit_code, .last = last };

	line__start(&line);
	call_text__exit(&line, &ev);
	return text();
}

static const char *fork_text(__u64 flags)
{
	struct fs_fork_event ev = { .child_pid = 12, .child_tid = 13, .clone_flags = flags };

	line__start(&line);
	call_text__fork(&line, &ev);
	return text();
}

static void test_lives(void **state)
{
	struct fs_rename_event rename = { .comm = "a\tb" };

	assert_string_equal(exit_text(0, true), "exit status 0");
	assert_string_equal(exit_text(3 << 8, false), "exit status 3 (thread)");
	assert_string_equal(exit_text(SIGSEGV, true), "killed by SIGSEGV");
	assert_string_equal(exit_text(SIGABRT | 0x80, true), "killed by SIGABRT (core dumped)");
	assert_string_equal(exit_text(34, true), "killed by SIGRT_2");

	assert_string_equal(fork_text(0), "fork → 12/13");
	assert_string_equal(fork_text(CLONE_VM | CLONE_VFORK),
			    "vfork → 12/13 CLONE_VM|CLONE_VFORK");
	assert_string_equal(fork_text(CLONE_VM | CLONE_SIGHAND | CLONE_THREAD | 1ULL << 60 | 1),
			    "clone → 12/13 CLONE_VM|CLONE_SIGHAND|CLONE_THREAD|0x1000000000000001");

	line__start(&line);
	call_text__rename(&line, &rename);
	assert_string_equal(text(), "rename → a\\tb");
}

/* ---- the comparison with strace ---- */

struct made_call {
	__u64 call; /* enum fs_call */
	__u64 args[6];
	__s64 ret; /* result or -errno */
};

struct made {
	size_t n;
	struct made_call calls[CALLS_MAX];
};

static const struct {
	enum fs_call call;
	long nr;
} numbers[] = {
#define X(sym, name, nargs) { FS_CALL_##sym, SYS_##name },
	FS_CALLS(X)
#undef X
};

/* Nothing between the calls may itself map memory: no stdio, no malloc. */
static __s64 make(struct made *made, enum fs_call call, __u64 a0, __u64 a1, __u64 a2, __u64 a3,
		  __u64 a4, __u64 a5)
{
	struct made_call *c = &made->calls[made->n++];
	long ret = syscall(numbers[call].nr, a0, a1, a2, a3, a4, a5);

	*c = (struct made_call){ .call = call, .args = { a0, a1, a2, a3, a4, a5 } };
	c->ret = ret == -1 ? -errno : ret;
	return c->ret;
}

#define MAKE(call, a0, a1, a2, a3, a4, a5) make(made, FS_CALL_##call, a0, a1, a2, a3, a4, a5)

static void make_mmaps(struct made *made, int fd)
{
	static const unsigned int anon = MAP_PRIVATE | MAP_ANONYMOUS;
	__u64 at = MAKE(MMAP, 0, 1 << 20, PROT_READ | PROT_WRITE, anon, -1, 0);

	MAKE(MMAP, 0, 8392704, PROT_NONE, anon | MAP_NORESERVE, -1, 0);
	MAKE(MMAP, 0, 8392704, PROT_NONE, anon | MAP_NORESERVE | MAP_STACK, -1, 0);
	MAKE(MMAP, at, 8192, PROT_READ, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 4096);
	MAKE(MMAP, at, 8192, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE, fd, 0);
	MAKE(MMAP, at, 8192, PROT_READ, anon | MAP_FIXED_NOREPLACE, -1, 0);
	MAKE(MMAP, 0, 65536, PROT_READ | PROT_WRITE, anon | MAP_POPULATE, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, 0xffffffff, 0);
	MAKE(MMAP, 0, 4096, PROT_READ, MAP_SHARED_VALIDATE | MAP_SYNC, fd, 0);
	MAKE(MMAP, 0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, anon | MAP_GROWSDOWN, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ, anon | MAP_LOCKED | MAP_EXECUTABLE | MAP_NONBLOCK, -1, 0);
	MAKE(MMAP, 0, 2 << 20, PROT_READ, anon | MAP_HUGETLB | 21 << 26, -1, 0);
	MAKE(MMAP, 0, 2 << 20, PROT_READ, anon | MAP_HUGETLB, -1, 0);
	MAKE(MMAP, 0, 4096, 0x80, anon, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ | 0x80, anon | 0x200000, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ, MAP_ANONYMOUS, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ, 0xf | MAP_ANONYMOUS, -1, 0);
	MAKE(MMAP, 0, 0, PROT_READ, anon, -1, 0);
	MAKE(MMAP, 0, -1, PROT_READ, anon, -1, 0);
	MAKE(MMAP, 0, 4096, PROT_READ, MAP_PRIVATE, 987, 0x123456000);
	MAKE(MMAP, 0, 4096, PROT_READ, MAP_PRIVATE, fd, 1);
	MAKE(MPROTECT, at, 4096, PROT_READ, 0, 0, 0);
	MAKE(MPROTECT, at, 4096, PROT_NONE, 0, 0, 0);
	MAKE(MPROTECT, at, 4096, PROT_READ | PROT_WRITE | PROT_SEM, 0, 0, 0);
	MAKE(MPROTECT, at, 4096, PROT_READ | PROT_GROWSDOWN, 0, 0, 0);
	MAKE(MPROTECT, 1, 4096, 0x40, 0, 0, 0);
	MAKE(MUNMAP, at, 8192, 0, 0, 0, 0);
	MAKE(MUNMAP, at + 1, 8192, 0, 0, 0, 0);
	MAKE(MUNMAP, 0, -1, 0, 0, 0, 0);
}

static void make_moves(struct made *made)
{
	__u64 at = MAKE(MMAP, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 to = MAKE(MMAP, 0, 65536, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), brk;

	MAKE(MREMAP, at, 65536, 32768, 0, 0, 0);
	at = MAKE(MREMAP, at, 32768, 1 << 20, MREMAP_MAYMOVE, 77, 0);
	at = MAKE(MREMAP, at, 65536, 65536, MREMAP_MAYMOVE | MREMAP_FIXED, to, 0);
	MAKE(MREMAP, at, 4096, 4096, MREMAP_FIXED, to, 0);
	MAKE(MREMAP, at, 4096, 4096, 8, 0, 0);
	MAKE(MREMAP, at, 4096, 4096, MREMAP_MAYMOVE | 8, 0, 0);
	MAKE(MREMAP, 1, 0, -1, 0, 0, 0);

	brk = MAKE(BRK, 0, 0, 0, 0, 0, 0);
	MAKE(BRK, brk + 135168, 0, 0, 0, 0, 0);
	MAKE(BRK, brk, 0, 0, 0, 0, 0);
	MAKE(BRK, 1, 0, 0, 0, 0, 0);
	MAKE(BRK, -1, 0, 0, 0, 0, 0);
}

static void make_advice(struct made *made)
{
	/* Not 100 and 101, which would take memory from the machine. */
	static const int advice[] = { 0,  1,  2,  3,  4,  8,  9,  10, 11, 12, 13,  14, 15,
				      16, 17, 18, 19, 20, 21, 22, 23, 24, 99, 200, -1 };
	__u64 at = MAKE(MMAP, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	size_t i;

	for (i = 0; i < sizeof(advice) / sizeof(advice[0]); i++)
		MAKE(MADVISE, at, 4096, advice[i], 0, 0, 0);
	MAKE(MADVISE, at + 1, 4096, MADV_DONTNEED, 0, 0, 0);
	MAKE(MADVISE, at, 0, MADV_COLLAPSE, 0, 0, 0);
	MAKE(MLOCK, at, 4096, 0, 0, 0, 0);
	MAKE(MLOCK, 1UL << 60, 4096, 0, 0, 0, 0);
	MAKE(MLOCK2, at, 8192, MLOCK_ONFAULT, 0, 0, 0);
	MAKE(MLOCK2, at, 8192, 0, 0, 0, 0);
	MAKE(MLOCK2, at, 8192, MLOCK_ONFAULT | 6, 0, 0, 0);
	MAKE(MLOCK2, at, 8192, 6, 0, 0, 0);
	MAKE(MUNLOCK, at, 8192, 0, 0, 0, 0);
	/* Never MCL_CURRENT alone: it would populate the sanitizer's shadow memory. */
	MAKE(MLOCKALL, MCL_FUTURE | MCL_ONFAULT, 0, 0, 0, 0, 0);
	MAKE(MUNLOCKALL, 0, 0, 0, 0, 0, 0);
	MAKE(MLOCKALL, 0, 0, 0, 0, 0, 0);
	MAKE(MLOCKALL, MCL_CURRENT | MCL_FUTURE | MCL_ONFAULT | 0x10, 0, 0, 0, 0, 0);
	MAKE(MLOCKALL, 0x10, 0, 0, 0, 0, 0);
}

/* Pointers to nothing: what others lead to is not in the events. */
static void make_policies(struct made *made)
{
	__u64 at = MAKE(MMAP, 0, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	__u64 bits = 7 << 13;
	int mode;

	MAKE(PKEY_MPROTECT, at, 4096, PROT_READ, -1, 0, 0);
	MAKE(PKEY_MPROTECT, at, 4096, PROT_READ | 0x40, 1, 0, 0);
	for (mode = 0; mode < 6; mode++)
		MAKE(MBIND, at, 4096, mode, 0, 0, mode);
	for (mode = 0; mode < 6; mode++)
		MAKE(MBIND, at, 4096, mode | 1 << (13 + mode % 3), 1, 64, mode);
	MAKE(MBIND, at, 4096, 2 | bits, 1, 64, 7);
	MAKE(MBIND, at, 4096, 9, 1, 64, 9);
	MAKE(MBIND, at, 4096, 9 | bits, 1, 64, 0);
	MAKE(MBIND, at, 4096, 2 | 1ULL << 40, 1, 64, 0);
	MAKE(SET_MEMPOLICY_HOME_NODE, at, 4096, 0, 0, 0, 0);
	MAKE(SET_MEMPOLICY_HOME_NODE, at, 4096, 3, 1, 0, 0);
	MAKE(REMAP_FILE_PAGES, at, 4096, 0, 3, 0, 0);
	MAKE(REMAP_FILE_PAGES, at, 4096, PROT_READ, 3, MAP_NONBLOCK | MAP_POPULATE, 0);
	MAKE(PROCESS_MADVISE, -1, 1, 1, 20, 0, 0);
	MAKE(PROCESS_MADVISE, 987, 0, 0, MADV_DONTNEED, 1ULL << 32 | 3, 0);
	MAKE(PRCTL, PR_SET_VMA, 0, at, 4096, 1, 0);
	MAKE(PRCTL, PR_SET_VMA, 0, at + 1, 4096, 0, 0);
	MAKE(IO_SETUP, -1, 1, 0, 0, 0, 0);
	MAKE(IO_SETUP, 1, 1, 0, 0, 0, 0);
	MAKE(IO_DESTROY, 0, 0, 0, 0, 0, 0);
	MAKE(IO_DESTROY, at, 0, 0, 0, 0, 0);
	MAKE(USERFAULTFD, 1 | O_NONBLOCK | O_CLOEXEC, 0, 0, 0, 0, 0);
	MAKE(USERFAULTFD, 1 | 0x10, 0, 0, 0, 0, 0);
	MAKE(USERFAULTFD, 0x10, 0, 0, 0, 0, 0);
	MAKE(IOCTL, -1, UFFDIO_REGISTER, 1, 0, 0, 0);
	MAKE(IOCTL, -1, UFFDIO_UNREGISTER, 0, 0, 0, 0);
}

static void remove_segment(__s64 id)
{
	if (id >= 0)
		shmctl(id, IPC_RMID, NULL);
}

static void make_segments(struct made *made)
{
	__s64 id, at;

	id = MAKE(SHMGET, IPC_PRIVATE, 8192, IPC_CREAT | 0600, 0, 0, 0);
	at = MAKE(SHMAT, id, 0, 0, 0, 0, 0);
	if (at > 0)
		MAKE(SHMDT, at, 0, 0, 0, 0, 0);
	at = MAKE(SHMAT, id, 0, SHM_RDONLY | SHM_RND, 0, 0, 0);
	if (at > 0) {
		MAKE(SHMAT, id, at + 1, SHM_RND | SHM_REMAP | SHM_EXEC, 0, 0, 0);
		MAKE(SHMDT, at, 0, 0, 0, 0, 0);
	}
	MAKE(SHMAT, id, 1, 1, 0, 0, 0);
	MAKE(SHMAT, id, 1, SHM_RDONLY | 1, 0, 0, 0);
	remove_segment(id);
	MAKE(SHMAT, -1, 0, 0, 0, 0, 0);
	MAKE(SHMDT, 1, 0, 0, 0, 0, 0);
	/* Sizes that no segment can have: these never make one. */
	MAKE(SHMGET, IPC_PRIVATE, 0, IPC_CREAT | IPC_EXCL | 0640, 0, 0, 0);
	MAKE(SHMGET, IPC_PRIVATE, 0, 0, 0, 0, 0);
	MAKE(SHMGET, IPC_PRIVATE, -1, SHM_HUGETLB | SHM_NORESERVE | 21 << 26 | 070, 0, 0, 0);
	MAKE(SHMGET, IPC_PRIVATE, -1, 21 << 26, 0, 0, 0);
	MAKE(SHMGET, IPC_PRIVATE, 0, IPC_CREAT | 0x2000 | 7, 0, 0, 0);
	MAKE(SHMGET, 0xdeadbeef, -1, IPC_CREAT | IPC_EXCL | 0777, 0, 0, 0);
}

/* The program that strace watches. Ends without atexit: leak checks cannot work under ptrace. */
static void make_calls(const char *path)
{
	static struct made calls, *made = &calls;
	int out = open(path, O_WRONLY), fd = open("/proc/self/exe", O_RDONLY);
	bool ok = out >= 0 && fd >= 0;

	MAKE(MUNMAP, 1, MARK_BYTES, 0, 0, 0, 0);
	make_mmaps(made, fd);
	make_moves(made);
	make_advice(made);
	make_segments(made);
	make_policies(made);
	ok = ok && write(out, made, sizeof(*made)) == sizeof(*made);
	_exit(!ok);
}

/* Exit status, or -1 with errno. stdout and stderr go to `log`. */
static int run(char *const argv[], const char *log)
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		int fd = open(log, O_WRONLY | O_TRUNC);

		if (fd >= 0) {
			dup2(fd, 1);
			dup2(fd, 2);
		}
		execvp(argv[0], argv);
		_exit(errno == ENOENT ? 127 : 126);
	}
	if (pid < 0 || waitpid(pid, &status, 0) < 0)
		return -1;
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* Why strace cannot be used here, or NULL. */
static const char *no_strace(const char *log)
{
	char *const argv[] = { "strace", "-o", "/dev/null", "true", NULL };

	switch (run(argv, log)) {
	case 0:
		return NULL;
	case 126:
	case 127:
		return "strace is not here";
	default:
		return "strace may not trace here (ptrace)";
	}
}

static void temp_file(char path[PATH_BYTES])
{
	const char *dir = getenv("TMPDIR");
	int fd;

	snprintf(path, PATH_BYTES, "%s/call_text.XXXXXX", dir ? dir : P_tmpdir);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	close(fd);
}

/* Compare the lines after the mark with what was made; says which differ. Gives how many do. */
static int compare(FILE *lines, const struct made *made)
{
	char seen[1024], mark[64];
	int different = 0;
	bool marked = false;
	size_t i = 1;

	snprintf(mark, sizeof(mark), "munmap(0x1, %d)", MARK_BYTES);
	while (i < made->n && fgets(seen, sizeof(seen), lines)) {
		const struct made_call *c = &made->calls[i];
		struct fs_call_event ev = { .call = c->call, .ret = c->ret };

		seen[strcspn(seen, "\n")] = '\0';
		if (!marked) {
			marked = !strncmp(seen, mark, strlen(mark));
			continue;
		}
		memcpy(ev.args, c->args, sizeof(ev.args));
		ev.flags = c->ret < 0 ? FS_CALL_FAILED : 0;
		if (strcmp(strace_text(&ev), seen)) {
			print_error("ours   %s\nstrace %s\n", line.buf, seen);
			different++;
		}
		i++;
	}
	assert_true(marked);
	assert_int_equal(i, made->n);
	return different;
}

static void test_against_strace(void **state)
{
	static struct made made;
	char lines[PATH_BYTES], numbers_path[PATH_BYTES], self[PATH_BYTES];
	char *const argv[] = { "strace", "-a1",         "-o", lines,          "-e",         TRACED,
			       "-e",     "signal=none", self, "--make-calls", numbers_path, NULL };
	const char *why;
	int status, different;
	ssize_t n;
	FILE *f;

	n = readlink("/proc/self/exe", self, sizeof(self) - 1);
	assert_true(n > 0);
	self[n] = '\0';
	temp_file(lines);
	temp_file(numbers_path);
	why = no_strace(lines);
	if (why) {
		print_message("no comparison with strace: %s\n", why);
		unlink(lines);
		unlink(numbers_path);
		skip();
	}
	status = run(argv, "/dev/null");
	f = fopen(numbers_path, "r");
	assert_non_null(f);
	n = fread(&made, sizeof(made), 1, f);
	fclose(f);
	f = fopen(lines, "r");
	unlink(lines);
	unlink(numbers_path);
	assert_int_equal(status, 0);
	assert_int_equal(n, 1);
	assert_non_null(f);
	different = compare(f, &made);
	fclose(f);
	print_message("%zu calls compared with strace, %d differ\n", made.n - 1, different);
	assert_int_equal(different, 0);
}

int main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_calls),       cmocka_unit_test(test_hostile_calls),
		cmocka_unit_test(test_effects),     cmocka_unit_test(test_exec),
		cmocka_unit_test(test_lives),       cmocka_unit_test(test_against_strace),
		cmocka_unit_test(test_later_calls),
	};

	if (argc == 3 && !strcmp(argv[1], "--make-calls"))
		make_calls(argv[2]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
