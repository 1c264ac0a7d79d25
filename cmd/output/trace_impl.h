/* SPDX-License-Identifier: GPL-2.0-only */
/* Between trace.c and the formats: a format appends one line, trace.c writes it. */
#ifndef FS_TRACE_IMPL_H
#define FS_TRACE_IMPL_H

#include "base/intern.h"
#include "output/line.h"
#include "output/trace.h"
#include "output/writer.h"

#define OWNER_BYTES 512 /* a file name of NAME_MAX, or an anon name, with what stands around it */

/* Each appends its line to tp->line, without its end. */
struct trace_format {
	const char *eol;                          /* with what closes a line */
	void (*header)(struct trace_printer *tp); /* may be NULL */
	void (*fault)(struct trace_printer *tp, const struct fs_fault *f, const struct place *pl,
		      const char *comm);
	void (*call)(struct trace_printer *tp, const struct fs_call_event *ev, const char *comm);
	void (*exec)(struct trace_printer *tp, const struct fs_exec_event *ev, const char *comm);
	void (*fork)(struct trace_printer *tp, const struct fs_fork_event *ev, const char *comm);
	void (*exit)(struct trace_printer *tp, const struct fs_exit_event *ev, const char *comm);
	void (*rename)(struct trace_printer *tp, const struct fs_rename_event *ev,
		       const char *comm);
	void (*lost)(struct trace_printer *tp, enum fs_loss reason, __u64 count);
	void (*summary)(struct trace_printer *tp); /* may be NULL; tp->lost has something */
	/*
	 * Appends to tp->more what goes between a line and its end, where opts.variables or
	 * opts.stacks ask for it. All of d may be 0.
	 */
	void (*details)(struct trace_printer *tp, const struct trace_details *d);
	/* Appends a frame to w; for trace__put_frame(). w->buf has nothing else in it. */
	void (*frame)(struct writer *w, const struct profile_frame *f);
};

extern const struct trace_format trace_text, trace_json, trace_csv;

struct trace_printer {
	const struct trace_format *format;
	FILE *out;
	struct trace_opts opts;
	int err; /* -errno of the write that failed */
	__u64 lost[FS_LOSS_NR];
	size_t pid_width;             /* text: of the PID/TID column so far */
	__s64 clock_minute;           /* text: the minute since the Epoch that clock_text tells */
	char clock_text[6];           /* "HH:MM:" */
	struct trace_details details; /* of the next event */
	struct writer more;           /* what follows a line, of any length; in memory */
	struct writer scratch;
	struct strings texts; /* of frames, as the format has them */
	__u32 *frame_texts; /* number in texts plus 1 of each of the profile's frames, 0: not yet */
	size_t frame_room;
	struct line line;
};

/*
 * Append a frame of the profile to tp->more: made once for each, since stacks have frames in common
 * and come again and again.
 */
void trace__put_frame(struct trace_printer *tp, const struct profile *p, __u32 frame);

/* CLOCK_REALTIME of an event. */
static inline __s64 trace__wall_ns(const struct trace_printer *tp, __u64 time_ns)
{
	return time_ns + (__u64)tp->opts.wall_offset_ns;
}

/* "minor", "major", "failed", or "fixup" for what is no fault. */
const char *fault_result(const struct fs_fault *f);

/* Bytes that the fault made present. */
__u64 fault_bytes(const struct fs_fault *f, __u32 page_size);

/* As place__owner(), but NULL where there is none or none is known. */
const char *place_owner(const struct place *pl, char buf[OWNER_BYTES]);

/*
 * The distance of addr from what its owner begins with: the offset in the file, without one the
 * distance from the mapping's start. False where neither is known.
 */
bool place_offset(const struct place *pl, __u64 addr, __u64 *offset);

#endif /* FS_TRACE_IMPL_H */
