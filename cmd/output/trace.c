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

static void put_bytes(struct trace_printer *tp, const char *bytes, size_t n)
{
	errno = 0;
	if (!tp->err && fwrite_unlocked(bytes, 1, n, tp->out) != n)
		tp->err = errno ? -errno : -EIO;
}

/* The line, and its end. */
static int put_line(struct trace_printer *tp)
{
	struct line *l = &tp->line;

	line__str(l, tp->format->eol);
	put_bytes(tp, l->buf, l->len);
	return tp->err;
}

/* The line of an event, its details, and its end. */
static int put_event(struct trace_printer *tp)
{
	struct writer *more = &tp->more;

	if (!tp->opts.variables && !tp->opts.stacks)
		return put_line(tp);
	more->len = 0;
	tp->format->details(tp, &tp->details);
	tp->details = (struct trace_details){};
	writer__str(more, tp->format->eol);
	if (more->err) {
		tp->err = more->err;
		return tp->err;
	}
	put_bytes(tp, tp->line.buf, tp->line.len);
	put_bytes(tp, more->buf, more->len);
	return tp->err;
}

void trace_printer__details(struct trace_printer *tp, const struct trace_details *d)
{
	tp->details = *d;
}

static const struct string *frame_text(struct trace_printer *tp, const struct profile *p,
				       __u32 frame)
{
	size_t room = tp->frame_room;
	struct writer *w = &tp->scratch;
	__u32 *texts, number;

	if (frame >= room) {
		room = profile__nframes(p) * 2;
		texts = reallocarray(tp->frame_texts, room, sizeof(*texts));
		if (!texts)
			return NULL;
		memset(texts + tp->frame_room, 0, (room - tp->frame_room) * sizeof(*texts));
		tp->frame_texts = texts;
		tp->frame_room = room;
	}
	if (!tp->frame_texts[frame]) {
		w->len = 0;
		tp->format->frame(w, profile__frame(p, frame));
		if (w->err || strings__add(&tp->texts, w->buf ? w->buf : "", w->len, &number))
			return NULL;
		tp->frame_texts[frame] = number + 1;
	}
	return &tp->texts.v[tp->frame_texts[frame] - 1];
}

void trace__put_frame(struct trace_printer *tp, const struct profile *p, __u32 frame)
{
	const struct string *text = frame_text(tp, p, frame);

	if (text)
		writer__mem(&tp->more, text->text, text->len);
	else if (!tp->more.err)
		tp->more.err = -ENOMEM;
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
	if (!tp)
		return;
	free(tp->more.buf);
	free(tp->scratch.buf);
	free(tp->frame_texts);
	strings__clear(&tp->texts);
	free(tp);
}

/* One line of the format's function `what`. */
#define PRINT(tp, what, ...)                           \
	do {                                           \
		if ((tp)->err)                         \
			return (tp)->err;              \
		line__start(&(tp)->line);              \
		(tp)->format->what((tp), __VA_ARGS__); \
		return put_event(tp);                  \
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
