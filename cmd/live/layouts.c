/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What processes have mapped, as the kernel side tells it when it is asked (bpf/layout.bpf.h): at the
 * start, and where records were lost.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live/session_impl.h"

#define READ_BYTES (1 << 20)
#define MAX_READS  512 /* of one address space: each tells of 350 VMAs and more */
#define USER_END   (1ULL << 63)

/* Somebody of whom not all has been told. */
struct rest {
	__u32 pid;
	__u64 at;
};

struct telling {
	struct session *s;
	bool all; /* in a PID namespace: a process cannot be asked for by its number */
	__u64 to;
	struct rest *rests;
	size_t nrests, room;
	char *buf;
	size_t have;
};

static int note_rest(struct telling *t, const struct fs_layout_event *ev)
{
	struct rest *last = t->nrests ? &t->rests[t->nrests - 1] : NULL, *more;

	if (!last || last->pid != ev->head.pid) {
		if (t->nrests == t->room) {
			t->room = t->room ? 2 * t->room : 64;
			more = reallocarray(t->rests, t->room, sizeof(*more));
			if (!more)
				return -ENOMEM;
			t->rests = more;
		}
		last = &t->rests[t->nrests++];
		last->pid = ev->head.pid;
	}
	last->at = ev->layout.to;
	if (last->at >= t->to)
		t->nrests--;
	return 0;
}

/* Take the whole events that have been read. */
static int take_events(struct telling *t)
{
	const struct fs_layout_event *ev;
	size_t at = 0;
	int err = 0;

	while (!err && t->have - at >= sizeof(*ev)) {
		ev = (const void *)(t->buf + at);
		if (ev->head.size < sizeof(*ev))
			return -EINVAL;
		if (ev->head.size > t->have - at)
			break;
		err = stream__put(t->s->stream, &ev->head);
		if (!err)
			err = note_rest(t, ev);
		at += ev->head.size;
	}
	memmove(t->buf, t->buf + at, t->have - at);
	t->have -= at;
	return err;
}

/* Run tell_layout for one process, or for all (0). 0 or -errno. */
static int tell(struct telling *t, __u32 pid, __u64 from)
{
	union bpf_iter_link_info info = { .task.tid = pid };
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));
	struct bpf_program *prog = t->s->skel->progs.tell_layout;
	struct bpf_link *link;
	int fd, err = 0;
	ssize_t n;

	t->s->skel->bss->layout_from = from;
	t->s->skel->bss->layout_to = t->to;
	t->have = 0;
	link = bpf_program__attach_iter(prog, pid && !t->all ? &opts : NULL);
	if (!link)
		return -errno;
	fd = bpf_iter_create(bpf_link__fd(link));
	if (fd < 0)
		err = -errno;
	while (!err) {
		n = read(fd, t->buf + t->have, READ_BYTES - t->have);
		if (n < 0 && errno == EAGAIN)
			continue;
		if (n <= 0) {
			err = n < 0 ? -errno : 0;
			break;
		}
		t->have += n;
		err = take_events(t);
	}
	if (fd >= 0)
		close(fd);
	bpf_link__destroy(link);
	return err;
}

/* What was too much for one reading. */
static int tell_rest(struct telling *t, struct rest rest)
{
	size_t k;
	int err;

	for (int i = 0; i < MAX_READS; i++) {
		t->nrests = 0;
		err = tell(t, rest.pid, rest.at);
		for (k = 0; !err && k < t->nrests && t->rests[k].pid != rest.pid; k++)
			; /* of others, what follows has been told, or is */
		if (err || k == t->nrests)
			return err; /* to the end */
		rest.at = t->rests[k].at;
	}
	return 0;
}

int session__tell_layouts(struct session *s, __u32 pid, __u64 from, __u64 to)
{
	struct telling t = { .s = s, .to = to ? to : USER_END };
	struct rest *rests;
	size_t n;
	int err;

	if (!s->opts.layouts)
		return -EINVAL;
	t.all = bpf_program__autoload(s->skel->progs.tell_pid);
	t.buf = malloc(READ_BYTES);
	if (!t.buf)
		return -ENOMEM;
	err = tell(&t, pid, from);
	rests = t.rests;
	n = t.nrests;
	t.rests = NULL;
	t.nrests = t.room = 0;
	for (size_t i = 0; i < n && !err; i++)
		err = tell_rest(&t, rests[i]);
	free(rests);
	free(t.rests);
	free(t.buf);
	return err;
}
