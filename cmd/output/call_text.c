/* SPDX-License-Identifier: GPL-2.0-only */
#include <limits.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <sys/wait.h>

#include "base/kind_names.h"
#include "base/units.h"
#include "output/call_text.h"
#include "output/flags.h"

#define ARROW " → "

/* clang-format off */
static const struct call_arg args_of[FS_CALL_NR][6] = {
	[FS_CALL_MMAP] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES }, { "prot", ARG_PROT },
			   { "flags", ARG_MMAP }, { "fd", ARG_INT }, { "offset", ARG_OFFSET } },
	[FS_CALL_MUNMAP] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES } },
	[FS_CALL_BRK] = { { "addr", ARG_ADDR } },
	[FS_CALL_MREMAP] = { { "old_address", ARG_ADDR }, { "old_size", ARG_BYTES },
			     { "new_size", ARG_BYTES }, { "flags", ARG_MREMAP },
			     { "new_address", ARG_ADDR } },
	[FS_CALL_MPROTECT] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES }, { "prot", ARG_PROT } },
	[FS_CALL_MADVISE] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES }, { "advice", ARG_MADVISE } },
	[FS_CALL_MLOCK] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES } },
	[FS_CALL_MLOCK2] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES }, { "flags", ARG_MLOCK2 } },
	[FS_CALL_MUNLOCK] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES } },
	[FS_CALL_MLOCKALL] = { { "flags", ARG_MLOCKALL } },
	[FS_CALL_SHMGET] = { { "key", ARG_KEY }, { "size", ARG_BYTES }, { "shmflg", ARG_SHMGET } },
	[FS_CALL_SHMAT] = { { "shmid", ARG_INT }, { "shmaddr", ARG_ADDR }, { "shmflg", ARG_SHMAT } },
	[FS_CALL_SHMDT] = { { "shmaddr", ARG_ADDR } },
};
/* clang-format on */

const struct call_arg *call_args(const struct fs_call_event *ev, unsigned int *n)
{
	*n = call_nargs(ev->call);
	/*
	 * mremap's fifth argument is rubbish unless a flag asks for it (mremap(2)); the kernel takes
	 * it with MREMAP_DONTUNMAP too, as a hint (mm/mremap.c, mremap_to()).
	 */
	if (ev->call == FS_CALL_MREMAP &&
	    !(ev->args[3] & MREMAP_MAYMOVE && ev->args[3] & (MREMAP_FIXED | MREMAP_DONTUNMAP)))
		*n = 4;
	return ev->call < FS_CALL_NR ? args_of[ev->call] : args_of[0];
}

bool call_arg__is_word(enum call_arg_kind kind)
{
	return kind >= ARG_KEY;
}

static int flag_set_of(enum call_arg_kind kind)
{
	static const unsigned char sets[] = {
		[ARG_PROT] = FLAGS_PROT,     [ARG_MMAP] = FLAGS_MMAP,
		[ARG_MREMAP] = FLAGS_MREMAP, [ARG_MADVISE] = FLAGS_MADVISE,
		[ARG_MLOCK2] = FLAGS_MLOCK2, [ARG_MLOCKALL] = FLAGS_MLOCKALL,
		[ARG_SHMGET] = FLAGS_SHMGET, [ARG_SHMAT] = FLAGS_SHMAT,
	};

	return sets[kind];
}

void call_arg__put(struct line *l, enum call_arg_kind kind, __u64 value, bool comments)
{
	switch (kind) {
	case ARG_ADDR:
		if (value)
			line__hex(l, value);
		else
			line__lit(l, "NULL");
		break;
	case ARG_BYTES:
		line__u64(l, value);
		break;
	case ARG_OFFSET:
		if (value)
			line__hex(l, value);
		else
			line__char(l, '0');
		break;
	case ARG_INT:
		line__s64(l, (__s32)value);
		break;
	case ARG_KEY:
		if ((__u32)value)
			line__hex(l, (__u32)value);
		else
			line__lit(l, "IPC_PRIVATE");
		break;
	default:
		flags__put(l, flag_set_of(kind), value, comments);
	}
}

bool call_gives_address(enum fs_call call)
{
	return call == FS_CALL_MMAP || call == FS_CALL_MREMAP || call == FS_CALL_BRK ||
	       call == FS_CALL_SHMAT;
}

void call_text__call(struct line *l, const struct fs_call_event *ev)
{
	unsigned int i, n;
	const struct call_arg *args = call_args(ev, &n);

	line__str(l, call_name(ev->call));
	line__char(l, '(');
	for (i = 0; i < n; i++) {
		if (i)
			line__lit(l, ", ");
		call_arg__put(l, args[i].kind, ev->args[i], true);
	}
	line__char(l, ')');
}

static void put_error(struct line *l, int err)
{
	const char *name = errno_name(err);

	line__lit(l, "-1 ");
	if (name) {
		line__str(l, name);
		line__lit(l, " (");
		line__str(l, errno_text(err));
		line__char(l, ')');
	} else {
		/* One of the kernel's own, above 511 (include/linux/errno.h). */
		line__lit(l, "(errno ");
		line__u64(l, err);
		line__char(l, ')');
	}
}

void call_text__result(struct line *l, const struct fs_call_event *ev)
{
	line__lit(l, " = ");
	/* brk tells of failure by giving the old break: brk(2), "C library/kernel differences". */
	if (ev->call != FS_CALL_BRK && ev->flags & FS_CALL_FAILED)
		put_error(l, ev->ret < 0 && ev->ret > INT_MIN ? -ev->ret : 0);
	else if (call_gives_address(ev->call) && ev->ret)
		line__hex(l, ev->ret);
	else
		line__s64(l, ev->ret);
}

static void put_growth(struct line *l, __s64 bytes)
{
	char buf[FMT_LEN];

	line__lit(l, " ");
	line__char(l, bytes < 0 ? '-' : '+');
	line__str(l, fmt_bytes(buf, sizeof(buf), bytes < 0 ? -(__u64)bytes : (__u64)bytes));
}

void call_text__effect(struct line *l, const struct fs_call_event *ev)
{
	__u64 populated = (__u64)ev->populated_min + ev->populated_maj;

	if (ev->call == FS_CALL_BRK && ev->flags & FS_CALL_FAILED)
		line__lit(l, " failed");
	else if (ev->call == FS_CALL_BRK && ev->bytes)
		put_growth(l, ev->bytes);
	if (populated) {
		line__lit(l, " populated ");
		line__u64(l, populated);
		if (ev->populated_maj) {
			line__lit(l, " (");
			line__u64(l, ev->populated_maj);
			line__lit(l, " major)");
		}
		if (ev->region_id) {
			line__lit(l, " in ");
			line__str(l, region_name(ev->region));
		}
	}
	if (ev->flags & FS_CALL_COMPAT)
		line__lit(l, " (32-bit)");
}

/* A quote inside ends nothing. */
static void put_quoted(struct line *l, const char *s, size_t n)
{
	size_t i, from;

	line__char(l, '"');
	for (i = from = 0; i <= n; i++) {
		if (i < n && s[i] != '"')
			continue;
		line__escaped(l, s + from, i - from);
		if (i < n)
			line__lit(l, "\\\"");
		from = i + 1;
	}
	line__char(l, '"');
}

void call_text__exec(struct line *l, const struct fs_exec_event *ev)
{
	size_t n = strnlen(ev->path, sizeof(ev->path));

	line__lit(l, "execve(");
	put_quoted(l, ev->path, n);
	/* As strace marks a string that was cut. */
	if (n >= sizeof(ev->path) - 1)
		line__lit(l, "...");
	line__lit(l, ")" ARROW);
	line__escaped(l, ev->comm, strnlen(ev->comm, sizeof(ev->comm)));
	if (ev->args_populated) {
		line__lit(l, " populated ");
		line__u64(l, ev->args_populated);
	}
}

const char *fork_name(const struct fs_fork_event *ev)
{
	if (ev->clone_flags & CLONE_THREAD)
		return "clone";
	return ev->clone_flags & CLONE_VFORK ? "vfork" : "fork";
}

void call_text__fork(struct line *l, const struct fs_fork_event *ev)
{
	line__str(l, fork_name(ev));
	line__lit(l, ARROW);
	line__u64(l, ev->child_pid);
	line__char(l, '/');
	line__u64(l, ev->child_tid);
	if (ev->clone_flags) {
		line__char(l, ' ');
		flags__put(l, FLAGS_CLONE, ev->clone_flags, true);
	}
}

void call_text__exit(struct line *l, const struct fs_exit_event *ev)
{
	if (WTERMSIG(ev->exit_code)) {
		line__lit(l, "killed by ");
		signal__put(l, WTERMSIG(ev->exit_code));
		if (WCOREDUMP(ev->exit_code))
			line__lit(l, " (core dumped)");
	} else {
		line__lit(l, "exit status ");
		line__u64(l, WEXITSTATUS(ev->exit_code));
	}
	if (!ev->last)
		line__lit(l, " (thread)");
}

void call_text__rename(struct line *l, const struct fs_rename_event *ev)
{
	line__lit(l, "rename" ARROW);
	line__escaped(l, ev->comm, strnlen(ev->comm, sizeof(ev->comm)));
}
