/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The words: regions (where), classes (what the kernel had to do), accesses, lost reasons and
 * mapping calls. One row each; enums, name tables, help and filters are made from the rows.
 * Freestanding: used by the BPF programs, the loader and the tests alike.
 */
#ifndef FS_KINDS_H
#define FS_KINDS_H

/* clang-format off */
/*
 * X(symbol, name, who decides, description)
 * K: the VMA decides it, so the kernel side can filter on it. U: user space refines it from a
 * kernel-side base region (ELF headers, thread stacks).
 */
#define FS_REGIONS(X) \
	X(UNKNOWN, "unknown", K, "the VMA could not be read")                                     \
	X(TEXT, "text", U, "executable segment of an ELF object")                                 \
	X(RODATA, "rodata", U, "read-only segment or section of an ELF object")                   \
	X(DATA, "data", U, "writable segment of an ELF object, up to its file size")              \
	X(BSS, "bss", U, "writable segment of an ELF object, beyond its file size")               \
	X(HEAP, "heap", K, "brk area: main-thread malloc below the mmap threshold")               \
	X(STACK, "stack", K, "main thread's stack")                                               \
	X(THREAD_STACK, "thread-stack", U, "another thread's stack, up to its first stack pointer") \
	X(ANON, "anon", U, "private anonymous: large mallocs, arenas, mmap")                      \
	X(ANON_EXEC, "anon-exec", K, "executable anonymous memory: JIT code")                     \
	X(FILE, "file", U, "private mapping of a file that is no ELF object")                     \
	X(FILE_SHARED, "file-shared", K, "MAP_SHARED mapping of a file")                          \
	X(SHM, "shm", K, "MAP_SHARED memory: SysV, POSIX, memfd, shared anonymous")               \
	X(HUGETLB, "hugetlb", K, "hugetlbfs pages")                                               \
	X(VDSO, "vdso", K, "vdso, vvar and the like")                                             \
	X(DEVICE, "device", K, "PFN mapping of a device")                                         \
	X(NONE, "none", K, "no mapping at this address")                                          \
	X(KERNEL, "kernel", K, "a kernel address, touched from user mode")

/* X(symbol, name, description) */
#define FS_CLASSES(X) \
	X(UNKNOWN, "unknown", "this kernel gives no signal")                                      \
	X(ANON, "anon", "first touch of anonymous memory: a zeroed page")                         \
	X(ZERO, "zero", "first read of anonymous memory: the shared zero page")                   \
	X(COW, "cow", "write to a shared page: copied")                                           \
	X(REUSE, "reuse", "write-protected page made writable without a copy")                    \
	X(FILE, "file", "page found in the page cache")                                           \
	X(READ, "read", "page read from storage")                                                 \
	X(SWAP, "swap", "page read back from swap")                                               \
	X(SHMEM, "shmem", "page of shared memory")                                                \
	X(THP, "thp", "transparent huge page")                                                    \
	X(HUGETLB, "hugetlb", "hugetlbfs page")                                                   \
	X(NUMA, "numa", "NUMA hinting fault")                                                     \
	X(UFFD, "uffd", "resolved by a userfaultfd handler")                                      \
	X(SPURIOUS, "spurious", "the page was there already")                                     \
	X(SEGV, "segv", "no mapping, or access not allowed")                                      \
	X(BUS, "bus", "beyond the end of the file, or hardware error")                            \
	X(OOM, "oom", "out of memory")                                                            \
	X(FIXUP, "fixup", "kernel access with page faults disabled: an exception, no fault")

/* X(symbol, name) */
#define FS_ACCESSES(X) \
	X(READ, "read") X(WRITE, "write") X(EXEC, "exec") X(UNKNOWN, "?")

/* Why detail was lost. X(symbol, name, description) */
#define FS_LOSSES(X) \
	X(FAULT_RING, "fault_ring_full", "a CPU's fault ring was full")                           \
	X(FAULT_BUSY, "fault_ring_busy", "a CPU's fault ring was being written")                  \
	X(CTL_RING, "event_ring_full", "the ring of calls, regions and lifetimes was full")       \
	X(STORAGE, "no_task_storage", "no memory for a thread's state")                           \
	X(MISSED, "missed", "faults the software events counted and no program saw")              \
	X(LATE_MAJOR, "late_major", "major faults whose rows say minor")                          \
	X(RECURSION, "recursion", "programs skipped because one was running on that CPU")         \
	X(COMPAT_CALLS, "compat_calls", "32-bit programs whose first mapping calls were not seen")   \
	X(PATH, "path_truncated", "file paths too deep or too long to copy")                      \
	X(STACK, "stack_lost", "stacks for which there was no memory or no room in the ring")

/* Where the user part of a stack ends, and why. X(symbol, name, description) */
#define FS_STACK_ENDS(X) \
	X(COMPLETE, "complete", "at the outermost frame")                                         \
	X(EXEC, "exec", "in execve, where the new program has no stack yet")                      \
	X(KTHREAD, "no_user", "a thread of the kernel: there is no user stack")                   \
	X(DEEP, "too_deep", "more frames than are kept")                                          \
	X(UNREADABLE, "unreadable", "memory of the stack that is not there")                      \
	X(NO_RULE, "no_rule", "code of which neither unwind tables nor frame pointers tell")      \
	X(UNSUPPORTED, "unsupported_rule", "code whose unwind table says what cannot be followed") \
	X(NOT_CODE, "not_code", "a return address in no executable mapping")                      \
	X(COMPAT, "32_bit", "a 32-bit program: only the innermost frame is known")                \
	X(COPIED, "copied", "on the way: the rest of the stack was copied")                       \
	X(COPY_SHORT, "copy_too_short", "beyond what was copied of the stack")

/*
 * Mapping calls. X(symbol, name, number of arguments); <name> is also that of __NR_<name>.
 * Of prctl only PR_SET_VMA is meant, of ioctl only UFFDIO_REGISTER and UFFDIO_UNREGISTER.
 */
#define FS_CALLS(X) \
	X(MMAP, mmap, 6) X(MUNMAP, munmap, 2) X(BRK, brk, 1) X(MREMAP, mremap, 5)                 \
	X(MPROTECT, mprotect, 3) X(MADVISE, madvise, 3) X(MLOCK, mlock, 2) X(MLOCK2, mlock2, 3)   \
	X(MUNLOCK, munlock, 2) X(MLOCKALL, mlockall, 1) X(MUNLOCKALL, munlockall, 0)              \
	X(SHMGET, shmget, 3) X(SHMAT, shmat, 3) X(SHMDT, shmdt, 1)                                \
	X(PKEY_MPROTECT, pkey_mprotect, 4) X(MBIND, mbind, 6)                                     \
	X(SET_MEMPOLICY_HOME_NODE, set_mempolicy_home_node, 4)                                    \
	X(REMAP_FILE_PAGES, remap_file_pages, 5) X(MSEAL, mseal, 3)                               \
	X(MAP_SHADOW_STACK, map_shadow_stack, 3) X(PROCESS_MADVISE, process_madvise, 5)           \
	X(IO_SETUP, io_setup, 2) X(IO_DESTROY, io_destroy, 1) X(PRCTL, prctl, 5)                  \
	X(USERFAULTFD, userfaultfd, 1) X(IOCTL, ioctl, 3)

/* clang-format on */

enum fs_region {
#define X(sym, name, who, desc) FS_REGION_##sym,
	FS_REGIONS(X)
#undef X
		FS_REGION_NR
};

enum fs_class {
#define X(sym, name, desc) FS_CLASS_##sym,
	FS_CLASSES(X)
#undef X
		FS_CLASS_NR
};

enum fs_access {
#define X(sym, name) FS_ACCESS_##sym,
	FS_ACCESSES(X)
#undef X
		FS_ACCESS_NR
};

enum fs_loss {
#define X(sym, name, desc) FS_LOSS_##sym,
	FS_LOSSES(X)
#undef X
		FS_LOSS_NR
};

enum fs_stack_end {
#define X(sym, name, desc) FS_STACK_##sym,
	FS_STACK_ENDS(X)
#undef X
		FS_STACK_END_NR
};

enum fs_call {
#define X(sym, name, nargs) FS_CALL_##sym,
	FS_CALLS(X)
#undef X
		FS_CALL_NR
};

#endif /* FS_KINDS_H */
