// SPDX-License-Identifier: GPL-2.0-only
#include "live/perf.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

static int list_add(struct perf_list *list, int fd)
{
	size_t capacity = list->capacity ? list->capacity * 2 : 16;
	int *fds;

	if (list->n == list->capacity) {
		fds = realloc(list->fds, capacity * sizeof(*fds));
		if (!fds)
			return -ENOMEM;
		list->fds = fds;
		list->capacity = capacity;
	}
	list->fds[list->n++] = fd;
	return 0;
}

int perf_list__attach(struct perf_list *list, const struct perf_event_spec *spec, int prog_fd)
{
	struct perf_event_attr attr = {
		.type = spec->type,
		.size = sizeof(attr),
		.config = spec->config,
		.sample_period = 1,
		.disabled = 1,
		.inherit = spec->inherit || spec->inherit_thread,
		.inherit_thread = spec->inherit_thread,
		.enable_on_exec = spec->enable_on_exec,
	};
	int fd, err = 0;

	fd = syscall(SYS_perf_event_open, &attr, spec->pid, spec->cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (fd < 0)
		return -errno;
	if (ioctl(fd, PERF_EVENT_IOC_SET_BPF, prog_fd) ||
	    (!spec->enable_on_exec && ioctl(fd, PERF_EVENT_IOC_ENABLE, 0)))
		err = -errno;
	if (!err)
		err = list_add(list, fd);
	if (err)
		close(fd);
	return err;
}

__u64 perf_list__count(const struct perf_list *list)
{
	__u64 sum = 0, count;

	for (size_t i = 0; i < list->n; i++)
		if (read(list->fds[i], &count, sizeof(count)) == sizeof(count))
			sum += count;
	return sum;
}

void perf_list__close(struct perf_list *list)
{
	for (size_t i = 0; i < list->n; i++)
		close(list->fds[i]);
	free(list->fds);
	*list = (struct perf_list){ 0 };
}

/* Hold the events until whoever has the other end of `gate` has closed them, and be the last. */
static void hold_until_closed(const struct perf_list *list, int gate)
{
	int first = gate < list->fds[0] ? gate : list->fds[0];
	char c;

	setsid();
	close_range(0, first - 1, 0); /* whoever reads our output must not wait for this */
	while (read(gate, &c, 1) < 0 && errno == EINTR)
		;
	_exit(0);
}

void perf_list__close_behind(struct perf_list *list)
{
	int gate[2];
	pid_t pid = -1;

	if (list->n && !pipe2(gate, O_CLOEXEC)) {
		pid = fork();
		if (pid == 0) {
			close(gate[1]);
			hold_until_closed(list, gate[0]);
		}
		close(gate[0]);
	} else {
		gate[1] = -1;
	}
	perf_list__close(list);
	if (gate[1] >= 0)
		close(gate[1]);
}
