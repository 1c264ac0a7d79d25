/* SPDX-License-Identifier: GPL-2.0-only */
/* What this kernel and these rights allow, found by trying, never by a version number. */
#ifndef FS_FEATURES_H
#define FS_FEATURES_H

#include <stdbool.h>
#include <stddef.h>

/* A new one is a name here, and a row in features.c. */
enum feature_id {
	FEATURE_BTF,
	FEATURE_MAPLE_TREE,
	FEATURE_SOFTWARE_EVENTS,
	FEATURE_TASK_EVENTS,
	FEATURE_EXCEPTIONS,
	FEATURE_SIGNALS,
	FEATURE_LIFETIMES,
	FEATURE_PAGE_TABLES,
	FEATURE_NUMA,
	FEATURE_CAST,
	FEATURE_PROBE_READS,
	FEATURE_LOCK_SEQ,
	FEATURE_SYSCALL_TRACEPOINTS,
	FEATURE_RAW_SYSCALLS,
	FEATURE_MEMCG_EVENTS,
	FEATURE_NR
};

struct feature_row {
	const char *name;     /* as `--without` has it */
	const char *what;     /* what it is used for */
	const char *fallback; /* what is done without it */
	const char *loss;     /* what the user loses then */
	bool required;
};

struct feature_state {
	bool available;
	bool left_out; /* by --without */
	char why[96];  /* why it is not available, else "" */
};

struct features {
	struct feature_state state[FEATURE_NR];
	int tracefs_fd;  /* -1: none */
	struct btf *btf; /* of the kernel; NULL: none */
};

const struct feature_row *feature_row(enum feature_id id);

/* Available, and not left out. */
bool features__use(const struct features *f, enum feature_id id);

/*
 * Probe everything and leave out what `without` names. 0; -EINVAL after the line that says which
 * name is none; -ENOMEM. Free with features__clear() in either case.
 * FEATURE_PAGE_TABLES is known only once programs are loaded: session__open() settles it.
 */
int features__probe(struct features *f, char *const *without, size_t nwithout);
/* Release the kernel's types: some MiB that nothing needs once a session is open. */
void features__drop_btf(struct features *f);

void features__clear(struct features *f);

/* A required feature is missing: say which and why, in one line. 0 or -ENOTSUP. */
int features__check(const struct features *f);

/* Rights: 0, or -EPERM after the line that names the missing capability. */
int features__check_rights(void);

#endif /* FS_FEATURES_H */
