// SPDX-License-Identifier: GPL-2.0-only
#include "live/whom.h"

#include <bpf/btf.h>
#include <dirent.h>
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/magic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: a handle that is the 64-bit kernfs id */

int comm_pattern__compile(const char *text, struct fs_comm_pattern *out)
{
	memset(out, 0, sizeof(*out));
	for (const char *p = text; *p; p++) {
		if (out->len == 15)
			return -EINVAL;
		if (*p == '*') {
			if (out->len && (out->star & (1 << (out->len - 1))))
				continue; /* as good as one */
			out->star |= 1 << out->len;
		}
		out->text[out->len++] = *p;
	}
	return 0;
}

/* The index of a controller: enum cgroup_subsys_id of the kernel's types. */
static int subsys_index(const struct btf *btf, const char *name)
{
	int id = btf__find_by_name_kind(btf, "cgroup_subsys_id", BTF_KIND_ENUM);
	const struct btf_type *t = id > 0 ? btf__type_by_id(btf, id) : NULL;
	char want[64];

	if (!strcmp(name, "blkio"))
		name = "io";
	snprintf(want, sizeof(want), "%s_cgrp_id", name);
	for (int i = 0; t && i < btf_vlen(t); i++)
		if (!strcmp(btf__name_by_offset(btf, btf_enum(t)[i].name_off), want))
			return btf_enum(t)[i].val;
	return -1;
}

/* The number of a named v1 hierarchy, first on its line in /proc/self/cgroup: "1:name=systemd:/". */
static __u32 hierarchy_number(const char *option)
{
	char line[PATH_MAX + 64];
	FILE *f = fopen("/proc/self/cgroup", "re");
	__u32 found = 0;

	while (f && !found && fgets(line, sizeof(line), f)) {
		char *name = strchr(line, ':'), *end = name ? strchr(name + 1, ':') : NULL;

		if (!end)
			continue;
		*end = '\0';
		if (!strcmp(name + 1, option))
			found = atoi(line);
	}
	if (f)
		fclose(f);
	return found;
}

/* From the super block options of a v1 mount to its controller or name. */
static int read_v1_options(char *options, const struct btf *btf, struct cgroup_ref *out)
{
	char *save, *opt;

	for (opt = strtok_r(options, ",\n", &save); opt; opt = strtok_r(NULL, ",\n", &save)) {
		out->subsys = subsys_index(btf, opt);
		if (out->subsys >= 0)
			return 0;
	}
	return -ENOENT;
}

/* Call back with the super options of each cgroup mount: mountinfo's last field, proc(5). */
static int find_v1_mount(dev_t dev, const struct btf *btf, struct cgroup_ref *out)
{
	char line[4096], *sep, copy[512], *name;
	FILE *f = fopen("/proc/self/mountinfo", "re");
	unsigned int maj, min;
	int err = -ENOENT;

	while (f && err && fgets(line, sizeof(line), f)) {
		sep = strstr(line, " - cgroup ");
		if (!sep || sscanf(line, "%*d %*d %u:%u", &maj, &min) != 2 ||
		    makedev(maj, min) != dev)
			continue;
		sep = strrchr(line, ' ') + 1;
		snprintf(copy, sizeof(copy), "%s", sep);
		err = read_v1_options(copy, btf, out);
		name = strstr(sep, "name=");
		if (err && name) {
			name[strcspn(name, ",\n")] = '\0';
			out->subsys = -2;
			out->hierarchy = hierarchy_number(name);
			err = out->hierarchy ? 0 : -ENOENT;
		}
	}
	if (f)
		fclose(f);
	return err;
}

static int handle_id(const char *path, __u64 *id)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + 64];
	} u = { .h.handle_bytes = 64 };
	int mount;

	if (name_to_handle_at(AT_FDCWD, path, &u.h, &mount, 0))
		return -errno;
	if (u.h.handle_bytes < sizeof(*id))
		return -EINVAL;
	memcpy(id, u.h.f_handle, sizeof(*id));
	return 0;
}

int cgroup_ref__find(const char *path, const struct btf *btf, struct cgroup_ref *out)
{
	struct statfs fs;
	struct stat st;
	int err;

	memset(out, 0, sizeof(*out));
	if (stat(path, &st) || statfs(path, &fs))
		return -errno;
	if (!S_ISDIR(st.st_mode))
		return -ENOTDIR;
	if (fs.f_type == CGROUP2_SUPER_MAGIC) {
		out->subsys = -1;
	} else if (fs.f_type == CGROUP_SUPER_MAGIC) {
		err = find_v1_mount(st.st_dev, btf, out);
		if (err)
			return err;
	} else {
		return -EINVAL;
	}
	return handle_id(path, &out->id);
}

static const char *const v2_mounts[] = { "/sys/fs/cgroup", "/sys/fs/cgroup/unified" };
static const char v1_memory[] = "/sys/fs/cgroup/memory";

void cgroup_ref__default(const struct btf *btf, struct cgroup_ref *out)
{
	struct statfs fs;

	if (statfs(v2_mounts[0], &fs) == 0 && fs.f_type != CGROUP2_SUPER_MAGIC &&
	    cgroup_ref__find(v1_memory, btf, out) == 0) {
		out->id = 0;
		return;
	}
	*out = (struct cgroup_ref){ .subsys = -1 };
}

int cgroup_ref__path(const struct cgroup_ref *ref, __u64 id, char *buf, size_t size)
{
	union {
		struct file_handle h;
		char room[sizeof(struct file_handle) + sizeof(__u64)];
	} u = { .h.handle_bytes = sizeof(id), .h.handle_type = FILEID_KERNFS };
	const char *roots[] = { ref->subsys == -1 ? v2_mounts[0] : v1_memory, v2_mounts[1] };
	char link[64];
	int root, fd, err = -ENOENT;
	ssize_t n;

	memcpy(u.h.f_handle, &id, sizeof(id));
	for (size_t i = 0; i < 2 && err; i++) {
		root = open(roots[i], O_RDONLY | O_DIRECTORY | O_CLOEXEC);
		if (root < 0)
			continue;
		fd = open_by_handle_at(root, &u.h, O_PATH | O_CLOEXEC);
		close(root);
		if (fd < 0)
			continue;
		snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
		n = readlink(link, buf, size - 1);
		close(fd);
		if (n <= 0)
			continue;
		buf[n] = '\0';
		if (!strncmp(buf, roots[i], strlen(roots[i])))
			memmove(buf, buf + strlen(roots[i]), n - strlen(roots[i]) + 1);
		if (!*buf)
			snprintf(buf, size, "/");
		err = 0;
	}
	return err;
}

static bool file_is_32bit(const char *path)
{
	unsigned char ident[EI_CLASS + 1];
	int fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOCTTY);
	bool is = false;

	if (fd < 0)
		return false;
	if (pread(fd, ident, sizeof(ident), 0) == sizeof(ident))
		is = !memcmp(ident, ELFMAG, SELFMAG) && ident[EI_CLASS] == ELFCLASS32;
	close(fd);
	return is;
}

int program_path(const char *name, char *buf, size_t size)
{
	const char *dirs = getenv("PATH"), *end;

	if (strchr(name, '/'))
		return snprintf(buf, size, "%s", name) < (int)size ? 0 : -ENAMETOOLONG;
	for (; dirs && *dirs; dirs = *end ? end + 1 : end) {
		end = strchrnul(dirs, ':');
		snprintf(buf, size, "%.*s/%s", (int)(end - dirs), dirs, name);
		if (!access(buf, X_OK))
			return 0;
	}
	return -ENOENT;
}

bool program_is_32bit(const char *name)
{
	char path[PATH_MAX];

	return !program_path(name, path, sizeof(path)) && file_is_32bit(path);
}

bool process_is_32bit(__u32 pid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/%u/exe", pid);
	return file_is_32bit(path);
}

/* PROC_PID_INIT_INO, include/linux/proc_ns.h */
bool in_pid_namespace(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino != 0xEFFFFFFCU;
}

bool process_has_uffd(__u32 pid)
{
	char path[64], to[64];
	struct dirent *d;
	bool has = false;
	ssize_t n;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%u/fd", pid);
	dir = opendir(path);
	while (dir && !has && (d = readdir(dir))) {
		n = readlinkat(dirfd(dir), d->d_name, to, sizeof(to) - 1);
		to[n > 0 ? n : 0] = '\0';
		has = !strcmp(to, "anon_inode:[userfaultfd]");
	}
	if (dir)
		closedir(dir);
	return has;
}

int process_tids(__u32 pid, __u32 **tids)
{
	size_t n = 0, capacity = 0;
	struct dirent *d;
	char path[64];
	__u32 *more;
	DIR *dir;

	*tids = NULL;
	snprintf(path, sizeof(path), "/proc/%u/task", pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((d = readdir(dir))) {
		if (d->d_name[0] < '0' || d->d_name[0] > '9')
			continue;
		if (n == capacity) {
			capacity = capacity ? capacity * 2 : 64;
			more = realloc(*tids, capacity * sizeof(**tids));
			if (!more) {
				closedir(dir);
				free(*tids);
				*tids = NULL;
				return -ENOMEM;
			}
			*tids = more;
		}
		(*tids)[n++] = strtoul(d->d_name, NULL, 10);
	}
	closedir(dir);
	return n;
}
