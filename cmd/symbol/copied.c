/* SPDX-License-Identifier: GPL-2.0-only */
#include "symbol/copied.h"

#include <string.h>

/* A copied stack: size bytes from bottom on. */
struct copy {
	const char *bytes;
	__u64 bottom, size;
	__u64 pages;            /* see struct fs_stack_event */
	bool short_;            /* something that is not in it was asked for */
	const __u64 *registers; /* of the frame at hand; NULL: not known */
};

static bool copy__has(const struct copy *c, __u64 at, __u64 len)
{
	if (at >= c->size || len > c->size - at)
		return false;
	return !c->pages || ((c->pages >> (at >> FS_STACK_PAGE_SHIFT) & 1) &&
			     (c->pages >> ((at + len - 1) >> FS_STACK_PAGE_SHIFT) & 1));
}

static int copy__read(struct copy *c, __u64 addr, unsigned int n, __u64 *out)
{
	__u64 at = addr - c->bottom, len = n * sizeof(*out);

	if (!copy__has(c, at, len)) {
		c->short_ = addr >= c->bottom;
		return -1;
	}
	memcpy(out, c->bytes + at, len);
	return 0;
}

#define FS_UNWIND_READ(walk, addr, n, out) copy__read(walk, addr, n, out)
static int copy__register(const struct copy *c, unsigned int number, __u64 *out)
{
	if (!c->registers || number >= FS_STACK_REGISTERS)
		return -1;
	*out = c->registers[number];
	return 0;
}

#define FS_UNWIND_REGISTER(walk, number, out) copy__register(walk, number, out)
#if defined(__aarch64__)
#define FS_UNWIND_ARM64 1
#else
#define FS_UNWIND_ARM64 0
#endif
#include "unwind_step.h"

static const __u64 *event_frames(const struct fs_stack_event *ev)
{
	return (const __u64 *)(ev + 1);
}

bool stack_event_check(const struct fs_stack_event *ev)
{
	__u64 frames = ev->room * sizeof(__u64);

	if (ev->end == FS_STACK_COPIED || ev->copied)
		frames += FS_STACK_REGISTERS * sizeof(__u64);
	return ev->head.size >= sizeof(*ev) && ev->nkernel <= FS_STACK_KERNEL &&
	       ev->nuser <= FS_STACK_USER && ev->nkernel + ev->nuser <= ev->room &&
	       ev->end < FS_STACK_END_NR && ev->head.size - sizeof(*ev) >= frames &&
	       ev->head.size - sizeof(*ev) - frames >= ev->copied &&
	       (!ev->pages || ev->copied <= 64ULL << FS_STACK_PAGE_SHIFT);
}

static void add_frame(struct unwound *u, __u64 frame)
{
	u->own_addresses |= !(frame & FS_FRAME_FILE);
	u->frames[u->nkernel + u->nuser++] = frame;
}

/* One frame: keep it and go to its caller. */
static int unwind_frame(const struct unwind_tables *t, const struct fs_stack_event *ev,
			const struct unwind_ops *ops, struct copy *copy,
			struct fs_unwind_regs *regs, __u8 *call, struct unwound *out)
{
	const struct fs_unwind_rule *rule = NULL;
	struct unwind_code code = {};
	__u64 offset;
	int end;

	if (ops->code(ops->ctx, ev, regs->ip - *call, &code)) {
		if (!out->nuser)
			add_frame(out, regs->ip & (FS_FRAME_CALL - 1));
		return FS_STACK_NOT_CODE;
	}
	if (out->nuser == FS_STACK_USER)
		return FS_STACK_DEEP;
	offset = code.offset + (regs->ip - code.start);
	add_frame(out, fs_frame(code.file_id, offset, regs->ip, *call));
	if (code.table.kind == FS_UNWIND_NOTHING || (code.file_id && !code.table.kind))
		return FS_STACK_NO_RULE;
	if (code.table.kind == FS_UNWIND_ROWS)
		rule = unwind_tables__rule(t, &code.table, offset - *call);
	end = fs_unwind_leave(copy, rule, code.table.kind != FS_UNWIND_FRAME_POINTERS, regs, call);
	copy->registers = NULL;
	return copy->short_ && end != FS_STACK_END_NR ? FS_STACK_COPY_SHORT : end;
}

void unwind_event(const struct unwind_tables *t, const struct fs_stack_event *ev,
		  const struct unwind_ops *ops, struct unwound *out)
{
	struct fs_unwind_regs regs = ev->regs;
	const __u64 *registers = event_frames(ev) + ev->room;
	__u8 call = ev->call;
	struct copy copy = {
		.bytes = (const char *)(registers + FS_STACK_REGISTERS),
		.bottom = ev->pages ? regs.sp >> FS_STACK_PAGE_SHIFT << FS_STACK_PAGE_SHIFT :
				      regs.sp,
		.size = ev->copied,
		.pages = ev->pages,
		.registers = ev->nuser ? NULL : registers,
	};
	int end = ev->end;

	out->nkernel = ev->nkernel;
	out->nuser = ev->nuser;
	out->own_addresses = false;
	memcpy(out->frames, event_frames(ev), (ev->nkernel + ev->nuser) * sizeof(*out->frames));
	for (unsigned int i = ev->nkernel; i < (unsigned int)ev->nkernel + ev->nuser; i++)
		out->own_addresses |= !(out->frames[i] & FS_FRAME_FILE);
	if (end == FS_STACK_COPIED) {
		do {
			end = unwind_frame(t, ev, ops, &copy, &regs, &call, out);
		} while (end == FS_STACK_END_NR);
	}
	out->end = end;
}
