/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <signal.h>
#include <string.h>
#include <asm/mman.h>
#include <sys/ipc.h>
#include <sys/shm.h>

#include "output/flags.h"

/* What the floor's headers lack. asm-generic values, or of the one architecture that has them. */
#ifndef MAP_DROPPABLE
#define MAP_DROPPABLE 0x08 /* Linux 6.11 */
#endif
#if defined(__x86_64__) && !defined(MAP_ABOVE4G)
#define MAP_ABOVE4G 0x80 /* Linux 6.6 */
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE 25 /* Linux 6.1 */
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL 102 /* Linux 6.13 */
#define MADV_GUARD_REMOVE  103
#endif

#define HUGE_SHIFT 26 /* MAP_HUGE_SHIFT, SHM_HUGE_SHIFT */
#define HUGE_MASK  (0x3fULL << HUGE_SHIFT)

struct flag {
	const char *name;
	__u64 value;
};

/* clang-format off */
#define F(name) { #name, name }
#define END { NULL, 0 }

static const struct flag prot_flags[] = {
	F(PROT_READ), F(PROT_WRITE), F(PROT_EXEC), F(PROT_SEM),
#ifdef PROT_BTI
	F(PROT_BTI),
#endif
#ifdef PROT_MTE
	F(PROT_MTE),
#endif
	F(PROT_GROWSDOWN), F(PROT_GROWSUP), END
};

static const struct flag map_types[] = {
	{ "MAP_FILE", 0 }, F(MAP_SHARED), F(MAP_PRIVATE), F(MAP_SHARED_VALIDATE), F(MAP_DROPPABLE), END
};

static const struct flag map_flags[] = {
	F(MAP_FIXED), F(MAP_ANONYMOUS),
#ifdef MAP_32BIT
	F(MAP_32BIT),
#endif
#ifdef MAP_ABOVE4G
	F(MAP_ABOVE4G),
#endif
	F(MAP_NORESERVE), F(MAP_POPULATE), F(MAP_NONBLOCK), F(MAP_GROWSDOWN), F(MAP_DENYWRITE),
	F(MAP_EXECUTABLE), F(MAP_LOCKED), F(MAP_STACK), F(MAP_HUGETLB), F(MAP_SYNC),
	F(MAP_FIXED_NOREPLACE), END
};

static const struct flag mremap_flags[] = {
	F(MREMAP_MAYMOVE), F(MREMAP_FIXED), F(MREMAP_DONTUNMAP), END
};

static const struct flag madvise_values[] = {
	F(MADV_NORMAL), F(MADV_RANDOM), F(MADV_SEQUENTIAL), F(MADV_WILLNEED), F(MADV_DONTNEED),
	F(MADV_FREE), F(MADV_REMOVE), F(MADV_DONTFORK), F(MADV_DOFORK), F(MADV_MERGEABLE),
	F(MADV_UNMERGEABLE), F(MADV_HUGEPAGE), F(MADV_NOHUGEPAGE), F(MADV_DONTDUMP), F(MADV_DODUMP),
	F(MADV_WIPEONFORK), F(MADV_KEEPONFORK), F(MADV_COLD), F(MADV_PAGEOUT), F(MADV_POPULATE_READ),
	F(MADV_POPULATE_WRITE), F(MADV_DONTNEED_LOCKED), F(MADV_COLLAPSE), F(MADV_HWPOISON),
	F(MADV_SOFT_OFFLINE), F(MADV_GUARD_INSTALL), F(MADV_GUARD_REMOVE), END
};

static const struct flag mlock2_flags[] = { F(MLOCK_ONFAULT), END };

static const struct flag mlockall_flags[] = { F(MCL_CURRENT), F(MCL_FUTURE), F(MCL_ONFAULT), END };

static const struct flag shmget_flags[] = {
	F(IPC_CREAT), F(IPC_EXCL), F(SHM_HUGETLB), F(SHM_NORESERVE), END
};

static const struct flag shmat_flags[] = {
	F(SHM_RDONLY), F(SHM_RND), F(SHM_REMAP), F(SHM_EXEC), END
};

/* Numbers: headers of the oldest distribution lack some. include/uapi/linux/mempolicy.h */
static const struct flag mpol_modes[] = {
	{ "MPOL_DEFAULT", 0 }, { "MPOL_PREFERRED", 1 }, { "MPOL_BIND", 2 }, { "MPOL_INTERLEAVE", 3 },
	{ "MPOL_LOCAL", 4 }, { "MPOL_PREFERRED_MANY", 5 }, { "MPOL_WEIGHTED_INTERLEAVE", 6 }, END
};

static const struct flag mpol_flags[] = {
	{ "MPOL_F_STATIC_NODES", 1 << 15 }, { "MPOL_F_RELATIVE_NODES", 1 << 14 },
	{ "MPOL_F_NUMA_BALANCING", 1 << 13 }, END
};

static const struct flag mbind_flags[] = {
	{ "MPOL_MF_STRICT", 1 }, { "MPOL_MF_MOVE", 2 }, { "MPOL_MF_MOVE_ALL", 4 }, END
};

/* arch/x86/include/uapi/asm/mman.h, and from 6.13 include/uapi/asm-generic/mman.h */
static const struct flag shadow_stack_flags[] = {
	{ "SHADOW_STACK_SET_TOKEN", 1 }, { "SHADOW_STACK_SET_MARKER", 2 }, END
};

/* include/uapi/linux/prctl.h */
static const struct flag prctl_options[] = { { "PR_SET_VMA", 0x53564d41 }, END };

static const struct flag pr_set_vma_attrs[] = { { "PR_SET_VMA_ANON_NAME", 0 }, END };

/* include/uapi/linux/userfaultfd.h */
static const struct flag userfaultfd_flags[] = {
	{ "UFFD_USER_MODE_ONLY", 1 }, F(O_NONBLOCK), F(O_CLOEXEC), END
};

static const struct flag uffdio_ops[] = {
	{ "UFFDIO_REGISTER", 0xc020aa00 }, { "UFFDIO_UNREGISTER", 0x8010aa01 }, END
};

static const struct flag uffdio_modes[] = {
	{ "UFFDIO_REGISTER_MODE_MISSING", 1 }, { "UFFDIO_REGISTER_MODE_WP", 2 },
	{ "UFFDIO_REGISTER_MODE_MINOR", 4 }, END
};

/*
 * As tracepoints see them: without the exit signal, which shares the low byte with CLONE_NEWTIME
 * (kernel/fork.c, kernel_clone()).
 */
static const struct flag clone_flags[] = {
	F(CLONE_NEWTIME), F(CLONE_VM), F(CLONE_FS), F(CLONE_FILES), F(CLONE_SIGHAND), F(CLONE_PIDFD),
	F(CLONE_PTRACE), F(CLONE_VFORK), F(CLONE_PARENT), F(CLONE_THREAD), F(CLONE_NEWNS),
	F(CLONE_SYSVSEM), F(CLONE_SETTLS), F(CLONE_PARENT_SETTID), F(CLONE_CHILD_CLEARTID),
	F(CLONE_DETACHED), F(CLONE_UNTRACED), F(CLONE_CHILD_SETTID), F(CLONE_NEWCGROUP),
	F(CLONE_NEWUTS), F(CLONE_NEWIPC), F(CLONE_NEWUSER), F(CLONE_NEWPID), F(CLONE_NEWNET),
	F(CLONE_IO), F(CLONE_CLEAR_SIGHAND), F(CLONE_INTO_CGROUP), END
};
/* clang-format on */

struct flag_kind {
	const struct flag *flags;
	const char *none;   /* written for 0 */
	const char *prefix; /* in the comment on a value without any name */
	__u64 width;        /* bits that the kernel looks at */
	bool one;           /* a value, no bits */
};

static const struct flag_kind kinds[] = {
	[FLAGS_PROT] = { prot_flags, "PROT_NONE", "PROT_", ULLONG_MAX },
	[FLAGS_MMAP] = { map_flags, NULL, NULL, ULLONG_MAX },
	[FLAGS_MREMAP] = { mremap_flags, "0", "MREMAP_", ULLONG_MAX },
	[FLAGS_MADVISE] = { madvise_values, NULL, "MADV_", UINT_MAX, true },
	[FLAGS_MLOCK2] = { mlock2_flags, "0", "MLOCK_", UINT_MAX },
	[FLAGS_MLOCKALL] = { mlockall_flags, "0", "MCL_", UINT_MAX },
	[FLAGS_SHMGET] = { shmget_flags, NULL, NULL, UINT_MAX },
	[FLAGS_SHMAT] = { shmat_flags, "0", "SHM_", UINT_MAX },
	[FLAGS_MPOL] = { mpol_modes, NULL, "MPOL_", ULLONG_MAX },
	[FLAGS_MBIND] = { mbind_flags, "0", "MPOL_MF_", UINT_MAX },
	[FLAGS_SHADOW_STACK] = { shadow_stack_flags, "0", "SHADOW_STACK_", UINT_MAX },
	[FLAGS_PRCTL] = { prctl_options, NULL, "PR_", UINT_MAX, true },
	[FLAGS_PR_SET_VMA] = { pr_set_vma_attrs, NULL, "PR_SET_VMA_", ULLONG_MAX, true },
	[FLAGS_USERFAULTFD] = { userfaultfd_flags, "0", "UFFD_", UINT_MAX },
	[FLAGS_UFFDIO] = { uffdio_ops, NULL, NULL, UINT_MAX, true },
	[FLAGS_UFFDIO_MODE] = { uffdio_modes, "0", "UFFDIO_REGISTER_MODE_", ULLONG_MAX },
	[FLAGS_CLONE] = { clone_flags, "0", NULL, ULLONG_MAX },
};

static void put_or(struct line *l, size_t from)
{
	if (l->len > from)
		line__char(l, '|');
}

static void put_unknown(struct line *l, __u64 value, const char *prefix)
{
	line__hex(l, value);
	if (prefix) {
		line__lit(l, " /* ");
		line__str(l, prefix);
		line__lit(l, "??? */");
	}
}

static void put_value(struct line *l, const struct flag *flags, __u64 value, const char *prefix)
{
	for (; flags->name; flags++) {
		if (flags->value == value) {
			line__str(l, flags->name);
			return;
		}
	}
	put_unknown(l, value, prefix);
}

/* `from`: where the list began, to know whether a '|' is due. */
static void put_bits(struct line *l, size_t from, const struct flag *flags, __u64 value,
		     const char *prefix)
{
	for (; value && flags->name; flags++) {
		if (!(value & flags->value))
			continue;
		put_or(l, from);
		line__str(l, flags->name);
		value &= ~flags->value;
	}
	if (value) {
		/* Beside named bits the number needs no comment. */
		if (l->len > from)
			prefix = NULL;
		put_or(l, from);
		put_unknown(l, value, prefix);
	}
}

/* The size of huge pages, by its binary logarithm: mmap(2), shmget(2). */
static void put_huge(struct line *l, size_t from, __u64 value, const char *shift_name)
{
	if (!(value & HUGE_MASK))
		return;
	put_or(l, from);
	line__u64(l, (value & HUGE_MASK) >> HUGE_SHIFT);
	line__lit(l, "<<");
	line__str(l, shift_name);
}

static void put_mmap(struct line *l, __u64 value, bool comments)
{
	size_t from = l->len;

	put_value(l, map_types, value & MAP_TYPE, comments ? "MAP_" : NULL);
	put_bits(l, from, map_flags, value & ~(HUGE_MASK | MAP_TYPE), NULL);
	put_huge(l, from, value, "MAP_HUGE_SHIFT");
}

/* A mode with its bits; where the mode has no name it is one more unknown bit, as strace has it. */
static void put_mpol(struct line *l, __u64 value, bool comments)
{
	__u64 bits = 7 << 13, mode = value & ~bits;
	size_t from = l->len;

	if (mode > 6 && mode != value) {
		put_bits(l, from, mpol_flags, value, NULL);
		return;
	}
	put_value(l, mpol_modes, mode, comments ? "MPOL_" : NULL);
	put_bits(l, from, mpol_flags, value & bits, NULL);
}

static void put_shmget(struct line *l, __u64 value)
{
	size_t from = l->len;

	put_bits(l, from, shmget_flags, value & ~(HUGE_MASK | 0777), NULL);
	put_huge(l, from, value, "SHM_HUGE_SHIFT");
	put_or(l, from);
	/* printf()'s %#03o */
	if (value & 0700)
		line__char(l, '0');
	line__char(l, '0' + (value >> 6 & 7));
	line__char(l, '0' + (value >> 3 & 7));
	line__char(l, '0' + (value & 7));
}

void flags__put(struct line *l, enum flag_set set, __u64 value, bool comments)
{
	const struct flag_kind *kind = &kinds[set];

	value &= kind->width;
	if (set == FLAGS_MMAP)
		put_mmap(l, value, comments);
	else if (set == FLAGS_SHMGET)
		put_shmget(l, value);
	else if (set == FLAGS_MPOL)
		put_mpol(l, value, comments);
	else if (kind->one)
		put_value(l, kind->flags, value, comments ? kind->prefix : NULL);
	else if (!value)
		line__str(l, kind->none);
	else
		put_bits(l, l->len, kind->flags, value, comments ? kind->prefix : NULL);
}

const char *errno_name(int err)
{
	return err > 0 ? strerrorname_np(err) : NULL;
}

const char *errno_text(int err)
{
	return strerrordesc_np(err);
}

void signal__put(struct line *l, int sig)
{
	const char *abbrev = sigabbrev_np(sig);

	if (abbrev) {
		line__lit(l, "SIG");
		line__str(l, abbrev);
	} else if (sig >= 32) {
		/* The kernel's first real-time signal; libc's SIGRTMIN lies higher: signal(7). */
		line__lit(l, "SIGRT_");
		line__u64(l, sig - 32);
	} else {
		line__lit(l, "signal ");
		line__s64(l, sig);
	}
}
