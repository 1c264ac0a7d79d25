/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "analysis/stat.h"
#include "output/trace_impl.h"

static const struct trace_format *const formats[] = {
	[FORMAT_TEXT] = &trace_text,
	[FORMAT_JSON] = &trace_json,
	[FORMAT_CSV] = &trace_csv,
};

static int put_line(struct trace_printer *tp)
{
	struct line *l = &tp->line;

	line__str(l, tp->format->eol);
	errno = 0;
	if (fwrite_unlocked(l->buf, 1, l->len, tp->out) != l->len)
		tp->err = errno ? -errno : -EIO;
	return tp->err;
}

struct trace_printer *trace_printer__new(enum format format, FILE *out,
					 const struct trace_opts *opts)
{
	struct trace_printer *tp;

	if (format >= sizeof(formats) / sizeof(formats[0])) {
		errno = EINVAL;
		return NULL;
	}
	tp = calloc(1, sizeof(*tp));
	if (!tp)
		return NULL;
	tp->format = formats[format];
	tp->out = out;
	tp->opts = *opts;
	tp->clock_minute = LLONG_MIN;
	if (tp->format->header) {
		line__start(&tp->line);
		tp->format->header(tp);
		if (put_line(tp)) {
			errno = -tp->err;
			free(tp);
			return NULL;
		}
	}
	return tp;
}

void trace_printer__free(struct trace_printer *tp)
{
	free(tp);
}

/* One line of the format's function `what`. */
#define PRINT(tp, what, ...)                           \
	do {                                           \
		if ((tp)->err)                         \
			return (tp)->err;              \
		line__start(&(tp)->line);              \
		(tp)->format->what((tp), __VA_ARGS__); \
		return put_line(tp);                   \
	} while (0)

int trace_printer__fault(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
			 const char *comm)
{
	PRINT(tp, fault, f, pl, comm);
}

int trace_printer__call(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm)
{
	PRINT(tp, call, ev, comm);
}

int trace_printer__exec(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm)
{
	PRINT(tp, exec, ev, comm);
}

int trace_printer__fork(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm)
{
	PRINT(tp, fork, ev, comm);
}

int trace_printer__exit(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm)
{
	PRINT(tp, exit, ev, comm);
}

int trace_printer__rename(struct trace_printer *tp, const struct fs_rename_event *ev,
			  const char *comm)
{
	PRINT(tp, rename, ev, comm);
}

int trace_printer__lost(struct trace_printer *tp, enum fs_loss reason, __u64 count)
{
	if (reason < FS_LOSS_NR)
		tp->lost[reason] += count;
	PRINT(tp, lost, reason, count);
}

int trace_printer__finish(struct trace_printer *tp)
{
	__u64 sum = 0;
	int i;

	for (i = 0; i < FS_LOSS_NR; i++)
		sum += tp->lost[i];
	if (tp->err || !sum || !tp->format->summary)
		return tp->err;
	line__start(&tp->line);
	tp->format->summary(tp);
	return put_line(tp);
}

const char *fault_result(const struct fs_fault *f)
{
	if (f->class == FS_CLASS_FIXUP)
		return "fixup";
	if (f->flags & FS_FAULT_FAILED)
		return "failed";
	return f->flags & FS_FAULT_MAJOR ? "major" : "minor";
}

__u64 fault_bytes(const struct fs_fault *f, __u32 page_size)
{
	enum fs_class class = f->class < FS_CLASS_NR ? f->class : FS_CLASS_UNKNOWN;

	if (f->flags & FS_FAULT_FAILED)
		return 0;
	/* The table's own rule, so that the lines of a run add up to what `stat` says of it. */
	return stat_class__bytes(class, 1ULL << (f->order & 31), page_size);
}

const char *place_owner(const struct place *pl, char buf[OWNER_BYTES])
{
	place__owner(pl, buf, OWNER_BYTES);
	/* A file may be called "?" or "-" too. */
	return pl->file || (strcmp(buf, "?") && strcmp(buf, "-")) ? buf : NULL;
}

bool place_offset(const struct place *pl, __u64 addr, __u64 *offset)
{
	/* Beyond the bytes of the file there is no offset in it. */
	if (pl->file && pl->region != FS_REGION_BSS)
		*offset = pl->file_offset;
	else if (pl->mapping)
		*offset = addr - pl->mapping->start;
	else
		return false;
	return true;
}
