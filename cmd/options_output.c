/* SPDX-License-Identifier: GPL-2.0-only */
/* Where results go: opening it, and finding out at the end whether all of it arrived. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdio_ext.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "options.h"

FILE *options__open_output(const struct options *o)
{
	const char *path = o->common.output;
	FILE *f = NULL;
	int fd;

	if (!path || !strcmp(path, "-"))
		return stdout;
	fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd >= 0) {
		f = fdopen(fd, "w");
		if (!f)
			close(fd);
	}
	if (!f)
		log_error("cannot write to '%s': %s", path, strerror(errno));
	return f;
}

/*
 * Why an earlier write to the stream failed, which stdio does not keep: another one, of a byte,
 * meets the same. 0 where it does not.
 */
static int stream_errno(FILE *f)
{
	return write(fileno(f), "\n", 1) < 0 ? errno : 0;
}

int options__close_output(FILE *f)
{
	int err = 0;

	if (!f)
		return STATUS_OK;
	if (fflush(f))
		err = errno;
	else if (ferror(f))
		err = stream_errno(f) ?: EIO;
	/* Said once is enough: what could not be written is not tried again at exit. */
	clearerr(f);
	if (err)
		__fpurge(f);
	/* close() tells what NFS and quotas only know then; stdout is closed by a duplicate's. */
	if (f == stdout) {
		int fd = dup(STDOUT_FILENO);

		if (fd >= 0 && close(fd) && !err)
			err = errno;
	} else if (fclose(f) && !err) {
		err = errno;
	}
	if (!err || err == EPIPE)
		return STATUS_OK;
	log_error("cannot write output: %s", strerror(err));
	return STATUS_FAILED;
}
