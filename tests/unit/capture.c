/* SPDX-License-Identifier: GPL-2.0-only */
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "capture.h"

static void need(int ok, const char *what)
{
	if (ok)
		return;
	perror(what);
	abort();
}

void capture__begin(struct capture *c)
{
	fflush(stderr);
	c->file_fd = memfd_create("stderr", MFD_CLOEXEC);
	need(c->file_fd >= 0, "memfd_create");
	c->saved_fd = dup(STDERR_FILENO);
	need(c->saved_fd >= 0, "dup");
	need(dup2(c->file_fd, STDERR_FILENO) >= 0, "dup2");
}

const char *capture__end(struct capture *c)
{
	ssize_t n;

	fflush(stderr);
	need(dup2(c->saved_fd, STDERR_FILENO) >= 0, "dup2");
	n = pread(c->file_fd, c->text, sizeof(c->text) - 1, 0);
	need(n >= 0, "pread");
	c->len = n;
	c->text[n] = '\0';
	close(c->saved_fd);
	close(c->file_fd);
	return c->text;
}
