// SPDX-License-Identifier: GPL-2.0-only
#include "live/perf.h"

#include <errno.h>
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

void perf_list__close_behind(struct perf_list *list)
{
	pid_t pid = list->n ? fork() : -1;

	if (pid == 0) {
		/* whoever reads our output must not wait for this: from the lowest fd upwards */
		setsid();
		close_range(0, ~0U, 0);
		_exit(0);
	}
	perf_list__close(list);
}
