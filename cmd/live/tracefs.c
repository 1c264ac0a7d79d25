// SPDX-License-Identifier: GPL-2.0-only
#include "live/tracefs.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

static int open_detached(void)
{
	int fs, mnt = -1;

	fs = syscall(SYS_fsopen, "tracefs", FSOPEN_CLOEXEC);
	if (fs < 0)
		return -errno;
	if (!syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0))
		mnt = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, 0);
	if (mnt < 0)
		mnt = -errno;
	close(fs);
	return mnt;
}

int tracefs__open(void)
{
	static const char *const mounted[] = { "/sys/kernel/tracing", "/sys/kernel/debug/tracing" };
	int fd = open_detached(), probe;

	for (size_t i = 0; fd < 0 && i < sizeof(mounted) / sizeof(mounted[0]); i++) {
		probe = open(mounted[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (probe < 0)
			continue;
		if (!faccessat(probe, "events", R_OK | X_OK, 0))
			return probe;
		close(probe);
	}
	return fd;
}

int tracefs__id(int tracefs_fd, const char *category, const char *name)
{
	char path[128], text[32];
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "events/%s/%s/id", category, name);
	fd = openat(tracefs_fd, path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -EIO;
	text[n] = '\0';
	return atoi(text);
}
