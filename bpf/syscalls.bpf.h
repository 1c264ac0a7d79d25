/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of the mapping calls, by architecture and for 32-bit tasks. */
#ifndef FS_SYSCALLS_BPF_H
#define FS_SYSCALLS_BPF_H

#include "compat.bpf.h"

#define COMPAT_MMAP2 200 /* offset in pages */
#define COMPAT_MMAP  201 /* i386's old mmap: a pointer to its arguments */
#define COMPAT_IPC   202 /* i386's ipc(): shm calls by number */

#define CALL(nr, sym) [nr] = FS_CALL_##sym + 1

/* clang-format off */
/*
 * Tables, and no switch: the verifier follows what comes after once for each constant that a switch
 * gives.
 */
static const u8 native_calls[] = {
#if defined(__TARGET_ARCH_x86)
	/* arch/x86/entry/syscalls/syscall_64.tbl */
	CALL(9, MMAP),
	CALL(10, MPROTECT),
	CALL(11, MUNMAP),
	CALL(12, BRK),
	CALL(16, IOCTL),
	CALL(25, MREMAP),
	CALL(28, MADVISE),
	CALL(29, SHMGET),
	CALL(30, SHMAT),
	CALL(67, SHMDT),
	CALL(149, MLOCK),
	CALL(150, MUNLOCK),
	CALL(151, MLOCKALL),
	CALL(152, MUNLOCKALL),
	CALL(157, PRCTL),
	CALL(206, IO_SETUP),
	CALL(207, IO_DESTROY),
	CALL(216, REMAP_FILE_PAGES),
	CALL(237, MBIND),
	CALL(323, USERFAULTFD),
	CALL(325, MLOCK2),
	CALL(329, PKEY_MPROTECT),
	CALL(440, PROCESS_MADVISE),
	CALL(450, SET_MEMPOLICY_HOME_NODE),
	CALL(453, MAP_SHADOW_STACK),
	CALL(462, MSEAL),
#else
	/* include/uapi/asm-generic/unistd.h */
	CALL(0, IO_SETUP),
	CALL(1, IO_DESTROY),
	CALL(29, IOCTL),
	CALL(167, PRCTL),
	CALL(194, SHMGET),
	CALL(196, SHMAT),
	CALL(197, SHMDT),
	CALL(214, BRK),
	CALL(215, MUNMAP),
	CALL(216, MREMAP),
	CALL(222, MMAP),
	CALL(226, MPROTECT),
	CALL(228, MLOCK),
	CALL(229, MUNLOCK),
	CALL(230, MLOCKALL),
	CALL(231, MUNLOCKALL),
	CALL(233, MADVISE),
	CALL(234, REMAP_FILE_PAGES),
	CALL(235, MBIND),
	CALL(282, USERFAULTFD),
	CALL(284, MLOCK2),
	CALL(288, PKEY_MPROTECT),
	CALL(440, PROCESS_MADVISE),
	CALL(450, SET_MEMPOLICY_HOME_NODE),
	CALL(453, MAP_SHADOW_STACK),
	CALL(462, MSEAL),
#endif
};

static const u8 compat_calls[] = {
	/* i386: arch/x86/entry/syscalls/syscall_32.tbl; arm: arch/arm/tools/syscall.tbl */
	CALL(45, BRK),
	CALL(54, IOCTL),
	CALL(91, MUNMAP),
	CALL(125, MPROTECT),
	CALL(150, MLOCK),
	CALL(151, MUNLOCK),
	CALL(152, MLOCKALL),
	CALL(153, MUNLOCKALL),
	CALL(163, MREMAP),
	CALL(172, PRCTL),
	[192] = COMPAT_MMAP2,
	CALL(440, PROCESS_MADVISE),
	CALL(450, SET_MEMPOLICY_HOME_NODE),
	CALL(453, MAP_SHADOW_STACK),
	CALL(462, MSEAL),
#if defined(__TARGET_ARCH_x86)
	[90] = COMPAT_MMAP,
	[117] = COMPAT_IPC,
	CALL(219, MADVISE),
	CALL(245, IO_SETUP),
	CALL(246, IO_DESTROY),
	CALL(257, REMAP_FILE_PAGES),
	CALL(274, MBIND),
	CALL(374, USERFAULTFD),
	CALL(376, MLOCK2),
	CALL(380, PKEY_MPROTECT),
	CALL(395, SHMGET),
	CALL(397, SHMAT),
	CALL(398, SHMDT),
#else
	CALL(220, MADVISE),
	CALL(243, IO_SETUP),
	CALL(244, IO_DESTROY),
	CALL(253, REMAP_FILE_PAGES),
	CALL(305, SHMAT),
	CALL(306, SHMDT),
	CALL(307, SHMGET),
	CALL(319, MBIND),
	CALL(388, USERFAULTFD),
	CALL(390, MLOCK2),
	CALL(394, PKEY_MPROTECT),
#endif
};
/* clang-format on */

/* enum fs_call + 1 of a native system call number, 0: not one of ours. */
static __always_inline u32 call_of_number(u64 nr)
{
	asm volatile("" : "+r"(nr)); /* what is checked is what is used, on Linux 6.1 too */
	return nr < sizeof(native_calls) ? native_calls[nr] : 0;
}

/* The same for a 32-bit task; COMPAT_*: that needs more than a number. */
static __always_inline u32 call_of_compat_number(u64 nr)
{
	asm volatile("" : "+r"(nr));
	return nr < sizeof(compat_calls) ? compat_calls[nr] : 0;
}

#undef CALL

#endif /* FS_SYSCALLS_BPF_H */
