/* SPDX-License-Identifier: GPL-2.0-only */
/* Maps of code that processes made: where they are, and whose. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/openat2.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/clock.h"
#include "symbol/internal.h"
#include "symbol/perfmap.h"

#define MAX_MAPS       64 /* that are open at a time */
#define MAX_READS      64 /* of one map, which may grow for ever */
#define MAX_MISSES     32 /* after so many there is no map, until somebody notes the process */
#define STATUS_BYTES   8192
#define CLOCK_SLACK_NS 20000000 /* times of files are those of the last tick */

struct jit_process {
	UT_hash_handle hh;
	struct jit_key {
		__u64 image; /* 0: of whatever the process runs */
		__u32 pid, pad;
	} key;
	__u32 pid;
	bool noted;
	__u32 inner_pid; /* in its own PID namespace */
	uid_t uids[2];   /* real and effective, as we see them */
	int fd;          /* the map, or -1 */
	unsigned int reads, misses;
	struct perfmap *map;
};

/* ---- the process ------------------------------------------------------------------------------ */

/* Uid and NSpid of /proc/PID/status, see proc_pid_status(5). 0, -ESRCH or -errno. */
static int read_status(struct jit_process *p)
{
	char path[64], text[STATUS_BYTES], *at, *end;
	unsigned int real, effective, inner;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%u/status", p->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	n = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (n <= 0)
		return -ESRCH;
	text[n] = '\0';
	at = strstr(text, "\nUid:");
	if (!at || sscanf(at, "\nUid: %u %u", &real, &effective) != 2)
		return -EINVAL;
	p->uids[0] = real;
	p->uids[1] = effective;
	p->inner_pid = p->pid;
	/* one number for each namespace, the innermost last */
	at = strstr(text, "\nNSpid:");
	end = at ? strchr(at + 1, '\n') : NULL;
	if (end) {
		*end = '\0';
		at = strrchr(at, '\t');
		if (at && sscanf(at, "%u", &inner) == 1)
			p->inner_pid = inner;
	}
	p->noted = true;
	return 0;
}

static struct jit_process *process(struct symbolizer *sz, __u32 pid, __u64 image)
{
	const struct jit_key key = { .image = image, .pid = pid };
	struct jit_process *p;

	HASH_FIND(hh, sz->processes, &key, sizeof(key), p);
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->key = key;
	p->pid = pid;
	p->fd = -1;
	HASH_ADD(hh, sz->processes, key, sizeof(p->key), p);
	if (!p->hh.tbl) {
		free(p);
		return NULL;
	}
	return p;
}

/* ---- its map ---------------------------------------------------------------------------------- */

/*
 * A map that was last written before the process was born is that of another, which had its number.
 * An image is told by CLOCK_MONOTONIC, in ns, of that birth, and a small number.
 */
static bool is_of_image(const struct jit_process *p, const struct stat *st)
{
	__s64 offset_ns = clock_ns_of(CLOCK_REALTIME) - clock_ns();
	__s64 written_ns = st->st_mtim.tv_sec * 1000000000LL + st->st_mtim.tv_nsec - offset_ns;

	return !p->key.image || written_ns + CLOCK_SLACK_NS >= (__s64)p->key.image;
}

/* Anybody may write to /tmp: a map counts where the process's user, or root, has written it. */
static bool is_trusted(const struct jit_process *p, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || !is_of_image(p, &st))
		return false;
	if (!st.st_uid || (!p->noted && st.st_uid == geteuid()))
		return true;
	return p->noted && (st.st_uid == p->uids[0] || st.st_uid == p->uids[1]);
}

/* root: a directory that stands for "/", which no link leads out of. */
static int open_in(const struct jit_process *p, const char *root)
{
	struct open_how how = { .flags = O_PATH | O_NOFOLLOW | O_CLOEXEC,
				.resolve = RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS };
	int dir = open(root, O_PATH | O_DIRECTORY | O_CLOEXEC), fd, out = -1;
	char path[64];

	if (dir < 0)
		return -1;
	snprintf(path, sizeof(path), "tmp/perf-%u.map", p->noted ? p->inner_pid : p->pid);
	fd = syscall(SYS_openat2, dir, path, &how, sizeof(how));
	if (fd >= 0 && is_trusted(p, fd)) {
		snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
		out = open(path, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	if (fd >= 0)
		close(fd);
	close(dir);
	return out;
}

static void open_map(struct symbolizer *sz, struct jit_process *p)
{
	char root[64];

	if (p->fd >= 0 || sz->nmaps >= MAX_MAPS || p->misses >= MAX_MISSES)
		return;
	snprintf(root, sizeof(root), "/proc/%u/root", p->pid);
	p->fd = open_in(p, root);
	/* it is gone: in our /tmp there is its map only where its number was ours */
	if (p->fd < 0 && access(root, F_OK) && (!p->noted || p->inner_pid == p->pid))
		p->fd = open_in(p, "/");
	if (p->fd >= 0)
		sz->nmaps++;
	else
		p->misses++;
}

static void forget(struct symbolizer *sz, struct jit_process *p)
{
	if (p->fd >= 0) {
		close(p->fd);
		sz->nmaps--;
	}
	perfmap__free(p->map);
	p->fd = -1;
	p->map = NULL;
	p->reads = 0;
}

/* Read the map where it was not, or has grown since. False: there is nothing new in it. */
static bool read_map(struct symbolizer *sz, struct jit_process *p)
{
	struct perfmap *m;
	struct stat st;

	open_map(sz, p);
	if (p->fd < 0 || p->reads == MAX_READS || fstat(p->fd, &st))
		return false;
	if (p->map && ((__u64)st.st_size <= perfmap__size(p->map) ||
		       perfmap__size(p->map) == PERFMAP_MAX_BYTES))
		return false;
	m = perfmap__read(p->fd);
	if (!m)
		return false;
	p->reads++;
	perfmap__free(p->map);
	p->map = m;
	return true;
}

/* What a process ran before may lose its map to what it runs now. */
static void read_old_maps(struct symbolizer *sz, const struct jit_process *new)
{
	struct jit_process *p, *next;

	HASH_ITER (hh, sz->processes, p, next)
		if (p != new && p->pid == new->pid)
			read_map(sz, p);
}

int symbolizer__note_process(struct symbolizer *sz, __u32 pid, __u64 image)
{
	struct jit_process *p = process(sz, pid, image), now;
	int err;

	if (!p)
		return -ENOMEM;
	if (!p->noted)
		read_old_maps(sz, p);
	now = *p;
	err = read_status(&now);
	if (err)
		return err;
	/* the number is another process's now */
	if (p->noted && p->inner_pid != now.inner_pid)
		forget(sz, p);
	p->misses = 0;
	p->noted = true;
	p->inner_pid = now.inner_pid;
	memcpy(p->uids, now.uids, sizeof(p->uids));
	open_map(sz, p);
	return 0;
}

void jit_processes__free(struct symbolizer *sz)
{
	struct jit_process *p, *next;

	HASH_ITER (hh, sz->processes, p, next) {
		HASH_DEL(sz->processes, p);
		forget(sz, p);
		free(p);
	}
}

bool symbolizer__jit_frame(struct symbolizer *sz, __u32 pid, __u64 image, __u64 addr, bool call,
			   struct sym_frame *out)
{
	struct jit_process *p = process(sz, pid, image);
	const char *name = NULL;
	__u64 start = 0;

	*out = (struct sym_frame){ .object = "[jit]", .jit = true };
	if (!p)
		return false;
	if (!p->noted && !p->misses)
		symbolizer__note_process(sz, pid, image);
	if (p->map)
		name = perfmap__find(p->map, addr - call, &start);
	if (!name && read_map(sz, p))
		name = perfmap__find(p->map, addr - call, &start);
	if (!name)
		return false;
	/* the map may be read again, and this name gone with the old one */
	out->name = symbolizer__intern_name(sz, name);
	out->offset = out->name ? addr - start : 0;
	return out->name;
}
