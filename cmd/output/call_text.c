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

#define UFFD_REGISTER 0xc020aa00 /* UFFDIO_REGISTER: include/uapi/linux/userfaultfd.h */

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
	[FS_CALL_PKEY_MPROTECT] = { { "addr", ARG_ADDR }, { "length", ARG_BYTES },
				    { "prot", ARG_PROT }, { "pkey", ARG_INT } },
	[FS_CALL_MBIND] = { { "addr", ARG_ADDR }, { "len", ARG_BYTES }, { "mode", ARG_MPOL },
			    { "nodemask", ARG_ADDR }, { "maxnode", ARG_BYTES },
			    { "flags", ARG_MBIND } },
	[FS_CALL_SET_MEMPOLICY_HOME_NODE] = { { "start", ARG_ADDR }, { "len", ARG_BYTES },
					      { "home_node", ARG_BYTES }, { "flags", ARG_OFFSET } },
	[FS_CALL_REMAP_FILE_PAGES] = { { "addr", ARG_ADDR }, { "size", ARG_BYTES },
				       { "prot", ARG_PROT }, { "pgoff", ARG_BYTES },
				       { "flags", ARG_MMAP } },
	[FS_CALL_MSEAL] = { { "addr", ARG_ADDR }, { "len", ARG_BYTES }, { "flags", ARG_OFFSET } },
	[FS_CALL_MAP_SHADOW_STACK] = { { "addr", ARG_ADDR }, { "size", ARG_BYTES },
				       { "flags", ARG_SHADOW_STACK } },
	[FS_CALL_PROCESS_MADVISE] = { { "pidfd", ARG_INT }, { "iovec", ARG_ADDR },
				      { "vlen", ARG_BYTES }, { "advice", ARG_MADVISE },
				      { "flags", ARG_BITS } },
	[FS_CALL_IO_SETUP] = { { "nr_events", ARG_U32 }, { "ctx_idp", ARG_ADDR },
			       { "ctx_id", ARG_ADDR } },
	[FS_CALL_IO_DESTROY] = { { "ctx_id", ARG_ADDR } },
	[FS_CALL_PRCTL] = { { "op", ARG_PRCTL }, { "attr", ARG_PR_SET_VMA }, { "addr", ARG_ADDR },
			    { "size", ARG_BYTES }, { "val", ARG_ADDR } },
	[FS_CALL_USERFAULTFD] = { { "flags", ARG_USERFAULTFD } },
	[FS_CALL_IOCTL] = { { "fd", ARG_INT }, { "op", ARG_UFFDIO }, { "argp", ARG_ADDR },
			    { "start", ARG_ADDR }, { "len", ARG_BYTES },
			    { "mode", ARG_UFFDIO_MODE } },
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
	/* behind them stands what their pointers lead to: struct fs_call_event */
	if (ev->call == FS_CALL_IO_SETUP && ev->args[2])
		*n = 3;
	if (ev->call == FS_CALL_IOCTL && (ev->args[3] || ev->args[4]))
		*n = (__u32)ev->args[1] == UFFD_REGISTER ? 6 : 5;
	return ev->call < FS_CALL_NR ? args_of[ev->call] : args_of[0];
}

bool call_arg__is_word(enum call_arg_kind kind)
{
	return kind >= ARG_KEY;
}

static int flag_set_of(enum call_arg_kind kind)
{
	static const unsigned char sets[] = {
		[ARG_PROT] = FLAGS_PROT,
		[ARG_MMAP] = FLAGS_MMAP,
		[ARG_MREMAP] = FLAGS_MREMAP,
		[ARG_MADVISE] = FLAGS_MADVISE,
		[ARG_MLOCK2] = FLAGS_MLOCK2,
		[ARG_MLOCKALL] = FLAGS_MLOCKALL,
		[ARG_SHMGET] = FLAGS_SHMGET,
		[ARG_SHMAT] = FLAGS_SHMAT,
		[ARG_MPOL] = FLAGS_MPOL,
		[ARG_MBIND] = FLAGS_MBIND,
		[ARG_SHADOW_STACK] = FLAGS_SHADOW_STACK,
		[ARG_PRCTL] = FLAGS_PRCTL,
		[ARG_PR_SET_VMA] = FLAGS_PR_SET_VMA,
		[ARG_USERFAULTFD] = FLAGS_USERFAULTFD,
		[ARG_UFFDIO] = FLAGS_UFFDIO,
		[ARG_UFFDIO_MODE] = FLAGS_UFFDIO_MODE,
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
	case ARG_U32:
		line__u64(l, (__u32)value);
		break;
	case ARG_BITS:
		if ((__u32)value)
			line__hex(l, (__u32)value);
		else
			line__char(l, '0');
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
	       call == FS_CALL_SHMAT || call == FS_CALL_MAP_SHADOW_STACK;
}

/* In the place of a pointer, what it leads to: [0x7f…], {start=0x…, len=0x…}. */
static void put_pointed(struct line *l, const struct fs_call_event *ev, const struct call_arg *args,
			unsigned int n)
{
	if (ev->call == FS_CALL_IO_SETUP) {
		line__char(l, '[');
		call_arg__put(l, args[2].kind, ev->args[2], true);
		line__char(l, ']');
		return;
	}
	if (n > 5)
		line__lit(l, "{range=");
	line__lit(l, "{start=");
	call_arg__put(l, ARG_OFFSET, ev->args[3], true);
	line__lit(l, ", len=");
	call_arg__put(l, ARG_OFFSET, ev->args[4], true);
	line__char(l, '}');
	if (n > 5) {
		line__lit(l, ", mode=");
		call_arg__put(l, args[5].kind, ev->args[5], true);
		line__char(l, '}');
	}
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
		if (i == call_nargs(ev->call) - 1u && n > i + 1) {
			put_pointed(l, ev, args, n);
			break;
		}
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
