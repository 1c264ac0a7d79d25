/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are kept open while there are not too many of them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "symbol/internal.h"

int open_regular(const char *path)
{
	int fd = open(path, O_PATH | O_CLOEXEC), out;
	char self[32];
	struct stat st;

	if (fd < 0)
		return -errno;
	out = fstat(fd, &st) ? -errno : S_ISREG(st.st_mode) ? 0 : -ENOEXEC;
	if (!out) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		out = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
		if (out < 0)
			out = -errno;
	}
	close(fd);
	return out;
}

static void unlink_file(struct open_files *all, struct open_file *f)
{
	*(f->newer ? &f->newer->older : &all->newest) = f->older;
	*(f->older ? &f->older->newer : &all->oldest) = f->newer;
	f->newer = f->older = NULL;
}

static void link_file(struct open_files *all, struct open_file *f)
{
	f->older = all->newest;
	f->newer = NULL;
	*(all->newest ? &all->newest->newer : &all->oldest) = f;
	all->newest = f;
}

static void close_file(struct open_files *all, struct open_file *f)
{
	unlink_file(all, f);
	all->n--;
	close(f->fd);
	f->fd = -1;
}

static void keep(struct open_files *all, struct open_file *f, int fd)
{
	/* an object's own file and its debug file are needed at the same time */
	while (all->n && all->n >= all->max)
		close_file(all, all->oldest);
	f->fd = fd;
	link_file(all, f);
	all->n++;
}

int open_file__set(struct open_files *all, struct open_file *f, int fd)
{
	struct stat st;

	if (fstat(fd, &st)) {
		int err = -errno;

		close(fd);
		return err;
	}
	f->dev = st.st_dev;
	f->ino = st.st_ino;
	f->size = st.st_size;
	f->mtime = st.st_mtim;
	f->known = true;
	keep(all, f, fd);
	return 0;
}

static bool is_same(const struct open_file *f, int fd)
{
	struct elf_image *img;
	struct stat st;
	bool same;

	if (f->build_id_len) {
		img = elf_image__open(fd);
		same = img && img->build_id_len == f->build_id_len &&
		       !memcmp(img->build_id, f->build_id, f->build_id_len);
		elf_image__free(img);
		return same;
	}
	return !fstat(fd, &st) && st.st_dev == f->dev && st.st_ino == f->ino &&
	       st.st_size == f->size && st.st_mtim.tv_sec == f->mtime.tv_sec &&
	       st.st_mtim.tv_nsec == f->mtime.tv_nsec;
}

int open_file__fd(struct open_files *all, struct open_file *f)
{
	int fd;

	if (f->fd >= 0) {
		unlink_file(all, f);
		link_file(all, f);
		return f->fd;
	}
	fd = f->known && f->path ? open_regular(f->path) : -ESTALE;
	if (fd < 0)
		return fd;
	if (!is_same(f, fd)) {
		close(fd);
		return -ESTALE;
	}
	keep(all, f, fd);
	return fd;
}

void open_file__clear(struct open_files *all, struct open_file *f)
{
	if (f->fd >= 0)
		close_file(all, f);
	free(f->path);
	*f = (struct open_file){ .fd = -1 };
}
