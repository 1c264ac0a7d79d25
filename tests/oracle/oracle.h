/* SPDX-License-Identifier: GPL-2.0-only */
/* One call of handle_mm_fault() for an exception, as both sides of the oracle know it. */
#ifndef ORACLE_H
#define ORACLE_H

/* Of FAULT_FLAG_*, whatever their numbers are on the running kernel */
#define ORACLE_FLAGS(X) X(WRITE) X(INSTRUCTION) X(TRIED) X(USER)

/* Of VM_FAULT_*; those before MAJOR are VM_FAULT_ERROR */
/* clang-format off */
#define ORACLE_RESULTS(X)                                                                          \
	X(OOM) X(SIGBUS) X(HWPOISON) X(HWPOISON_LARGE) X(SIGSEGV) X(FALLBACK)                      \
	X(MAJOR) X(NOPAGE) X(RETRY) X(COMPLETED)
/* clang-format on */

#define ORACLE_FLAG(name)   ORACLE_FLAG_##name,
#define ORACLE_RESULT(name) ORACLE_RESULT_##name,
enum oracle_flag { ORACLE_FLAGS(ORACLE_FLAG) };
enum oracle_result { ORACLE_RESULTS(ORACLE_RESULT) };
#undef ORACLE_FLAG
#undef ORACLE_RESULT

struct oracle_fault {
	unsigned long long time_ns; /* of the entry */
	unsigned long long address;
	/* the VMA, before the call: after it may be gone */
	unsigned long long vm_start, vm_end, vm_flags, vm_pgoff;
	unsigned long long inode, dev; /* dev 0: no file */
	unsigned long long start_brk, brk, start_stack;
	unsigned int has_ops;
	unsigned int pid, tid;
	unsigned int flags;   /* bits of enum oracle_flag */
	unsigned int result;  /* bits of enum oracle_result */
	unsigned int no_exec; /* forked, has not called execve since */
	unsigned int exiting; /* the thread is at its end */
};

#endif /* ORACLE_H */
