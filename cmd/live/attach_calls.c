// SPDX-License-Identifier: GPL-2.0-only
/* Where the programs that see mapping calls are attached. */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdio.h>
#include <string.h>

#include <bpf/libbpf.h>

#include "base/kind_names.h"
#include "base/log.h"
#include "live/session_impl.h"
#include "live/tracefs.h"

bool session__calls_alone(const struct session *s)
{
	return ((const volatile struct fs_config *)&s->skel->rodata->cfg)->calls_alone;
}

static int attach_native_call(struct session *s, enum fs_call call, struct bpf_program *enter)
{
	struct perf_event_spec spec = { .type = PERF_TYPE_TRACEPOINT, .pid = -1, .cpu = 0 };
	bool alone = session__calls_alone(s);
	char name[64];
	int id, err;

	snprintf(name, sizeof(name), "sys_enter_%s", call_name(call));
	id = tracefs__id(s->features->tracefs_fd, "syscalls", name);
	if (id == -ENOENT)
		return 0; /* a call that this kernel does not have */
	spec.config = id;
	err = id < 0 ? id : 0;
	if (!err && !alone)
		err = perf_list__attach(&s->calls, &spec, bpf_program__fd(enter));
	snprintf(name, sizeof(name), "sys_exit_%s", call_name(call));
	id = tracefs__id(s->features->tracefs_fd, "syscalls", name);
	spec.config = id;
	if (!err)
		err = id < 0 ? id :
			       perf_list__attach(&s->calls, &spec,
						 bpf_program__fd(alone ? s->skel->progs.call_alone :
									 s->skel->progs.call_exit));
	return err;
}

static int attach_native_calls(struct session *s)
{
#define X(sym, name, nargs) [FS_CALL_##sym] = s->skel->progs.call_enter_##nargs,
	struct bpf_program *enters[] = { FS_CALLS(X) };
#undef X
	int err = 0;

	enters[FS_CALL_PRCTL] = s->skel->progs.call_enter_prctl;
	enters[FS_CALL_IOCTL] = NULL; /* session__meet_uffd() */
	for (int i = 0; i < FS_CALL_NR && !err; i++)
		if (enters[i])
			err = attach_native_call(s, i, enters[i]);
	return err;
}

/* The raw tracepoints cost every system call of the machine: only where somebody needs them. */
static int attach_raw_calls(struct session *s)
{
	int err = session__attach_link(s, s->skel->progs.raw_enter);

	if (!err)
		err = session__attach_link(s, s->skel->progs.raw_exit);
	s->raw_attached = !err;
	return err;
}

int session__attach_calls(struct session *s)
{
	if (!s->opts.calls)
		return 0;
	if (features__use(s->features, FEATURE_SYSCALL_TRACEPOINTS))
		return attach_native_calls(s);
	return attach_raw_calls(s);
}

void session__meet_compat(struct session *s, bool early)
{
	if (!s->opts.calls || s->raw_attached)
		return;
	if (!features__use(s->features, FEATURE_RAW_SYSCALLS) || attach_raw_calls(s) || !early)
		s->unseen_compat++;
}

bool session__meet_uffd(struct session *s, __u64 time_ns)
{
	int err;

	if (!s->opts.calls || !features__use(s->features, FEATURE_SYSCALL_TRACEPOINTS))
		return false;
	if (!s->ioctl_ns) {
		err = attach_native_call(s, FS_CALL_IOCTL, s->skel->progs.call_enter_ioctl);
		if (err)
			log_warn("what is registered with userfaultfd is not seen: %s",
				 strerror(-err));
		s->ioctl_ns = clock_ns();
	}
	return time_ns <= s->ioctl_ns;
}
