/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of the mapping calls, by architecture and for 32-bit tasks. */
#ifndef FS_SYSCALLS_BPF_H
#define FS_SYSCALLS_BPF_H

#include "compat.bpf.h"

/* enum fs_call + 1 of a native system call number, 0: not one of ours. */
static __always_inline u32 call_of_number(long nr)
{
#if defined(__TARGET_ARCH_x86)
	/* arch/x86/entry/syscalls/syscall_64.tbl */
	switch (nr) {
	case 9:
		return FS_CALL_MMAP + 1;
	case 10:
		return FS_CALL_MPROTECT + 1;
	case 11:
		return FS_CALL_MUNMAP + 1;
	case 12:
		return FS_CALL_BRK + 1;
	case 16:
		return FS_CALL_IOCTL + 1;
	case 25:
		return FS_CALL_MREMAP + 1;
	case 28:
		return FS_CALL_MADVISE + 1;
	case 29:
		return FS_CALL_SHMGET + 1;
	case 30:
		return FS_CALL_SHMAT + 1;
	case 67:
		return FS_CALL_SHMDT + 1;
	case 149:
		return FS_CALL_MLOCK + 1;
	case 150:
		return FS_CALL_MUNLOCK + 1;
	case 151:
		return FS_CALL_MLOCKALL + 1;
	case 152:
		return FS_CALL_MUNLOCKALL + 1;
	case 157:
		return FS_CALL_PRCTL + 1;
	case 206:
		return FS_CALL_IO_SETUP + 1;
	case 207:
		return FS_CALL_IO_DESTROY + 1;
	case 216:
		return FS_CALL_REMAP_FILE_PAGES + 1;
	case 237:
		return FS_CALL_MBIND + 1;
	case 323:
		return FS_CALL_USERFAULTFD + 1;
	case 325:
		return FS_CALL_MLOCK2 + 1;
	case 329:
		return FS_CALL_PKEY_MPROTECT + 1;
	case 440:
		return FS_CALL_PROCESS_MADVISE + 1;
	case 450:
		return FS_CALL_SET_MEMPOLICY_HOME_NODE + 1;
	case 453:
		return FS_CALL_MAP_SHADOW_STACK + 1;
	case 462:
		return FS_CALL_MSEAL + 1;
	}
#else
	/* include/uapi/asm-generic/unistd.h */
	switch (nr) {
	case 0:
		return FS_CALL_IO_SETUP + 1;
	case 1:
		return FS_CALL_IO_DESTROY + 1;
	case 29:
		return FS_CALL_IOCTL + 1;
	case 167:
		return FS_CALL_PRCTL + 1;
	case 194:
		return FS_CALL_SHMGET + 1;
	case 196:
		return FS_CALL_SHMAT + 1;
	case 197:
		return FS_CALL_SHMDT + 1;
	case 214:
		return FS_CALL_BRK + 1;
	case 215:
		return FS_CALL_MUNMAP + 1;
	case 216:
		return FS_CALL_MREMAP + 1;
	case 222:
		return FS_CALL_MMAP + 1;
	case 226:
		return FS_CALL_MPROTECT + 1;
	case 228:
		return FS_CALL_MLOCK + 1;
	case 229:
		return FS_CALL_MUNLOCK + 1;
	case 230:
		return FS_CALL_MLOCKALL + 1;
	case 231:
		return FS_CALL_MUNLOCKALL + 1;
	case 233:
		return FS_CALL_MADVISE + 1;
	case 234:
		return FS_CALL_REMAP_FILE_PAGES + 1;
	case 235:
		return FS_CALL_MBIND + 1;
	case 282:
		return FS_CALL_USERFAULTFD + 1;
	case 284:
		return FS_CALL_MLOCK2 + 1;
	case 288:
		return FS_CALL_PKEY_MPROTECT + 1;
	case 440:
		return FS_CALL_PROCESS_MADVISE + 1;
	case 450:
		return FS_CALL_SET_MEMPOLICY_HOME_NODE + 1;
	case 453:
		return FS_CALL_MAP_SHADOW_STACK + 1;
	case 462:
		return FS_CALL_MSEAL + 1;
	}
#endif
	return 0;
}

#define COMPAT_MMAP2 1000 /* offset in pages */
#define COMPAT_MMAP  1001 /* i386's old mmap: a pointer to its arguments */
#define COMPAT_IPC   1002 /* i386's ipc(): shm calls by number */

/* The same for a 32-bit task; values from 1000 on need more than a number. */
static __always_inline u32 call_of_compat_number(long nr)
{
	switch (nr) {
	/* i386: arch/x86/entry/syscalls/syscall_32.tbl; arm: arch/arm/tools/syscall.tbl */
	case 45:
		return FS_CALL_BRK + 1;
	case 54:
		return FS_CALL_IOCTL + 1;
	case 91:
		return FS_CALL_MUNMAP + 1;
	case 125:
		return FS_CALL_MPROTECT + 1;
	case 150:
		return FS_CALL_MLOCK + 1;
	case 151:
		return FS_CALL_MUNLOCK + 1;
	case 152:
		return FS_CALL_MLOCKALL + 1;
	case 153:
		return FS_CALL_MUNLOCKALL + 1;
	case 163:
		return FS_CALL_MREMAP + 1;
	case 172:
		return FS_CALL_PRCTL + 1;
	case 192:
		return COMPAT_MMAP2;
	case 440:
		return FS_CALL_PROCESS_MADVISE + 1;
	case 450:
		return FS_CALL_SET_MEMPOLICY_HOME_NODE + 1;
	case 453:
		return FS_CALL_MAP_SHADOW_STACK + 1;
	case 462:
		return FS_CALL_MSEAL + 1;
#if defined(__TARGET_ARCH_x86)
	case 90:
		return COMPAT_MMAP;
	case 117:
		return COMPAT_IPC;
	case 219:
		return FS_CALL_MADVISE + 1;
	case 245:
		return FS_CALL_IO_SETUP + 1;
	case 246:
		return FS_CALL_IO_DESTROY + 1;
	case 257:
		return FS_CALL_REMAP_FILE_PAGES + 1;
	case 274:
		return FS_CALL_MBIND + 1;
	case 374:
		return FS_CALL_USERFAULTFD + 1;
	case 376:
		return FS_CALL_MLOCK2 + 1;
	case 380:
		return FS_CALL_PKEY_MPROTECT + 1;
	case 395:
		return FS_CALL_SHMGET + 1;
	case 397:
		return FS_CALL_SHMAT + 1;
	case 398:
		return FS_CALL_SHMDT + 1;
#else
	case 220:
		return FS_CALL_MADVISE + 1;
	case 243:
		return FS_CALL_IO_SETUP + 1;
	case 244:
		return FS_CALL_IO_DESTROY + 1;
	case 253:
		return FS_CALL_REMAP_FILE_PAGES + 1;
	case 305:
		return FS_CALL_SHMAT + 1;
	case 306:
		return FS_CALL_SHMDT + 1;
	case 307:
		return FS_CALL_SHMGET + 1;
	case 319:
		return FS_CALL_MBIND + 1;
	case 388:
		return FS_CALL_USERFAULTFD + 1;
	case 390:
		return FS_CALL_MLOCK2 + 1;
	case 394:
		return FS_CALL_PKEY_MPROTECT + 1;
#endif
	}
	return 0;
}

#endif /* FS_SYSCALLS_BPF_H */
