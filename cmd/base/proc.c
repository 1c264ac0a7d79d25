/* SPDX-License-Identifier: GPL-2.0-only */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/proc.h"

/* A file of a task that goes is ENOENT at open(2), ESRCH or nothing at all at read(2). */
static int gone(int err)
{
	return err == -ENOENT ? -ESRCH : err;
}

static void task_path(char *buf, size_t size, __u32 pid, __u32 tid, const char *name)
{
	if (tid)
		snprintf(buf, size, "/proc/%u/task/%u/%s", pid, tid, name);
	else
		snprintf(buf, size, "/proc/%u/%s", pid, name);
}

static int task_open(__u32 pid, __u32 tid, const char *name)
{
	char path[64];
	int fd;

	task_path(path, sizeof(path), pid, tid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	return fd < 0 ? gone(-errno) : fd;
}

int proc__open(__u32 pid, const char *name)
{
	return task_open(pid, 0, name);
}

int proc__stream(__u32 pid, const char *name, FILE **stream)
{
	int fd = task_open(pid, 0, name);

	if (fd < 0)
		return fd;
	*stream = fdopen(fd, "r");
	if (*stream)
		return 0;
	close(fd);
	return -ENOMEM;
}

int proc__stream_error(FILE *stream)
{
	return !ferror(stream) ? 0 : errno ? gone(-errno) : -EIO;
}

/* Read a small file of a task into buf, NUL-terminated. Bytes read, or -errno. */
static ssize_t task_read(__u32 pid, __u32 tid, const char *name, char *buf, size_t size)
{
	int fd = task_open(pid, tid, name);
	ssize_t n;

	if (fd < 0)
		return fd;
	do
		n = read(fd, buf, size - 1);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		n = gone(-errno);
	else
		buf[n] = '\0';
	close(fd);
	return n ? n : -ESRCH;
}

static void copy_comm(char comm[FS_COMM_LEN], const char *from, size_t len)
{
	if (len > FS_COMM_LEN - 1)
		len = FS_COMM_LEN - 1;
	memcpy(comm, from, len);
	memset(comm + len, 0, FS_COMM_LEN - len);
}

int proc__parse_stat(const char *text, struct proc_stat *st)
{
	unsigned long long min_flt, maj_flt, start;
	/* The name is raw and may hold anything, ')' and newlines too: the last one ends it. */
	const char *name = strchr(text, '('), *end = strrchr(text, ')');

	if (!name || !end || end < name)
		return -EINVAL;
	if (sscanf(end + 1,
		   " %c %u %*d %*d %*d %*d %u %llu %*u %llu %*u %*u %*u %*d %*d %*d %*d %*d %*d %llu",
		   &st->state, &st->ppid, &st->flags, &min_flt, &maj_flt, &start) != 6)
		return -EINVAL;
	st->min_flt = min_flt;
	st->maj_flt = maj_flt;
	st->start_ticks = start;
	copy_comm(st->comm, name + 1, end - name - 1);
	return 0;
}

int proc__stat(__u32 pid, __u32 tid, struct proc_stat *st)
{
	char text[1024];
	ssize_t n = task_read(pid, tid, "stat", text, sizeof(text));

	return n < 0 ? n : proc__parse_stat(text, st);
}

int proc__comm(__u32 pid, __u32 tid, char comm[FS_COMM_LEN])
{
	char text[128]; /* kernel threads have longer names */
	ssize_t n = task_read(pid, tid, "comm", text, sizeof(text));

	if (n < 0)
		return n;
	copy_comm(comm, text, n - (text[n - 1] == '\n'));
	return 0;
}

static int parse_id(const char *name, __u32 *id)
{
	unsigned long v;
	char *end;

	if (*name < '1' || *name > '9')
		return -EINVAL;
	errno = 0;
	v = strtoul(name, &end, 10);
	if (errno || *end || v > (__u32)-1)
		return -EINVAL;
	*id = v;
	return 0;
}

int proc__tasks(__u32 pid, __u32 **ids, size_t *n)
{
	size_t have = 0, room = 0;
	char path[64] = "/proc";
	__u32 *list = NULL, id;
	struct dirent *ent;
	int err = 0;
	DIR *dir;

	if (pid)
		task_path(path, sizeof(path), pid, 0, "task");
	dir = opendir(path);
	if (!dir)
		return gone(-errno);
	while (errno = 0, (ent = readdir(dir))) {
		if (parse_id(ent->d_name, &id))
			continue;
		if (have == room) {
			__u32 *more = reallocarray(list, room ? room * 2 : 16, sizeof(*list));

			if (!more)
				break;
			room = room ? room * 2 : 16;
			list = more;
		}
		list[have++] = id;
	}
	err = gone(-errno);
	closedir(dir);
	if (!err && !have)
		err = -ESRCH;
	if (err) {
		free(list);
		return err;
	}
	*ids = list;
	*n = have;
	return 0;
}

int proc__stack_pointer(__u32 pid, __u32 tid, __u64 *sp)
{
	ssize_t n, i;
	char text[512], *at, *end;
	unsigned long long v;

	/* "running", "-1 sp pc" or "nr arg1 … arg6 sp pc" */
	n = task_read(pid, tid, "syscall", text, sizeof(text));
	if (n < 0)
		return n;
	if (!strncmp(text, "running", 7))
		return -EBUSY;
	for (i = strncmp(text, "-1 ", 3) ? 7 : 1, at = text; i > 0; i--) {
		at = strchr(at, ' ');
		if (!at)
			return -EINVAL;
		at++;
	}
	errno = 0;
	v = strtoull(at, &end, 16);
	if (errno || end == at || *end != ' ')
		return -EINVAL;
	*sp = v;
	return 0;
}

int proc__robust_list(__u32 tid, __u64 *addr)
{
	void *head = NULL;
	size_t len = 0;

	if (syscall(SYS_get_robust_list, tid, &head, &len))
		return -errno;
	if (!head)
		return -ENOENT;
	*addr = (unsigned long)head;
	return 0;
}

/* The kernel writes newlines, and nothing else, as "\012". */
static void unescape_newlines(char *name)
{
	char *to = strstr(name, "\\012"), *from = to;

	while (from && *from) {
		bool escaped = !strncmp(from, "\\012", 4);

		*to++ = escaped ? '\n' : *from;
		from += escaped ? 4 : 1;
	}
	if (to)
		*to = '\0';
}

int proc__parse_map(char *line, struct proc_map *map)
{
	unsigned long long start, end, offset, ino;
	unsigned int major, minor;
	char perms[5], *nl;
	int at = -1;

	if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu%n", &start, &end, perms, &offset, &major,
		   &minor, &ino, &at) != 7 ||
	    at < 0 || strlen(perms) != 4 || end < start)
		return -EINVAL;
	map->start = start;
	map->end = end;
	map->offset = offset;
	map->ino = ino;
	map->dev = major << 20 | minor;
	map->read = perms[0] == 'r';
	map->write = perms[1] == 'w';
	map->exec = perms[2] == 'x';
	map->shared = perms[3] == 's';
	nl = strchr(line + at, '\n');
	if (nl)
		*nl = '\0';
	line += at + strspn(line + at, " ");
	unescape_newlines(line);
	map->name = line;
	return 0;
}

int proc__maps(__u32 pid, int (*fn)(void *ctx, const struct proc_map *map), void *ctx)
{
	struct proc_map map;
	char *line = NULL;
	size_t size = 0;
	FILE *f;
	int err = proc__stream(pid, "maps", &f);

	if (err)
		return err;
	while (!err && (errno = 0, getline(&line, &size, f) > 0)) {
		if (!proc__parse_map(line, &map))
			err = fn(ctx, &map);
	}
	if (!err)
		err = proc__stream_error(f);
	free(line);
	fclose(f);
	return err;
}
