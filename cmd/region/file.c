/* SPDX-License-Identifier: GPL-2.0-only */
/* Files that are mapped, and the ELF layout of those that are objects. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <linux/fs.h>
#include <linux/magic.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "base/proc.h"
#include "region/internal.h"
#include "symbol/elf.h"

/* Processes that map a file may be gone before we look: so many of them are asked for it. */
#define MAX_FAILURES 16

/* ---- names ------------------------------------------------------------------------------------ */

/*
 * Put the names of the event, leaf first, together in buf, which has room for all of them and
 * path_len + 5 bytes. Returns where the path begins; *name is where its leaf does.
 */
static char *build_path(const struct fs_file_event *ev, char *buf, const char **name)
{
	const char *at = ev->path, *end = ev->path + ev->path_len;
	char *pos = buf + ev->path_len + 4;

	*pos = '\0';
	*name = pos;
	for (unsigned int i = 0; i < ev->nnames && at < end; i++) {
		size_t len = strnlen(at, end - at);

		if (len && !(len == 1 && *at == '/')) {
			pos -= len;
			memcpy(pos, at, len);
			/* the leaf's own slashes are no directories: "dev/zero" */
			if (!**name)
				*name = pos;
			*--pos = '/';
		}
		at += len + 1;
	}
	if (ev->flags & FS_FILE_TRUNCATED) {
		pos -= 3;
		memcpy(pos, "...", 3);
	} else if (!*pos) {
		*--pos = '?';
		*name = pos;
	}
	return pos;
}

/* MAP_SHARED | MAP_ANONYMOUS, and /dev/zero mapped shared: shmem_zero_setup() of mm/shmem.c. */
static bool is_shared_anon(const struct named_file *f)
{
	return !strcmp(f->f.path, "/dev/zero") && S_ISREG(f->object->mode);
}

static struct object *object__get(struct space *sp, const struct fs_file_event *ev)
{
	struct object_key key = { .ino = ev->ino, .dev = ev->dev, .generation = ev->generation };
	struct object *o;

	HASH_FIND(hh, sp->objects, &key, sizeof(key), o);
	if (o)
		return o;
	o = calloc(1, sizeof(*o));
	if (!o)
		return NULL;
	o->key = key;
	o->mode = ev->mode;
	o->magic = ev->magic;
	HASH_ADD(hh, sp->objects, key, sizeof(o->key), o);
	if (!o->hh.tbl) {
		free(o);
		return NULL;
	}
	return o;
}

static struct named_file *file__new(const struct fs_file_event *ev, struct object *o)
{
	struct named_file *f = calloc(1, sizeof(*f) + ev->path_len + 5);

	if (!f)
		return NULL;
	f->f.id = ev->id;
	f->f.dev = ev->dev;
	f->f.ino = ev->ino;
	f->f.generation = ev->generation;
	f->f.flags = ev->flags;
	f->f.path = build_path(ev, f->buf, &f->f.name);
	f->object = o;
	f->path_complete = f->f.path[0] == '/';
	if (is_shared_anon(f))
		f->f.name = "[shared anon]";
	f->f.elf = o->elf;
	f->f.elf_tried = o->tried;
	return f;
}

int file__event(struct space *sp, const struct fs_file_event *ev)
{
	struct named_file *f, *known;
	struct object *o;

	if (!ev->id || ev->path_len > ev->head.size - sizeof(*ev))
		return 0;
	o = object__get(sp, ev);
	f = o ? file__new(ev, o) : NULL;
	if (!f)
		return -ENOMEM;
	for (known = o->files; known; known = known->next)
		if (!strcmp(known->f.path, f->f.path))
			break;
	if (known) {
		/* the kernel side had forgotten it, or it has been deleted since */
		known->f.flags |= ev->flags;
		free(f);
		return id_table__set(&sp->files, ev->id, known);
	}
	f->next = o->files;
	o->files = f;
	return id_table__set(&sp->files, ev->id, f);
}

struct named_file *file__by_id(const struct space *sp, __u32 id)
{
	return id_table__get(&sp->files, id);
}

void files__free(struct space *sp)
{
	struct named_file *f, *next_file;
	struct object *o, *next;

	HASH_ITER (hh, sp->objects, o, next) {
		HASH_DEL(sp->objects, o);
		for (f = o->files; f; f = next_file) {
			next_file = f->next;
			free(f);
		}
		elf_layout__free(o->elf);
		free(o);
	}
	id_table__free(&sp->files, NULL);
}

/* ---- ELF layout ------------------------------------------------------------------------------- */

/*
 * File systems for which stat(2) tells another device than /proc/PID/maps: that of the subvolume,
 * or of the layer below.
 */
static bool has_other_devices(__u32 magic)
{
	return magic == BTRFS_SUPER_MAGIC || magic == OVERLAYFS_SUPER_MAGIC;
}

static bool is_object(int fd, const struct object *o)
{
	struct statfs fs;
	struct stat st;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || st.st_ino != o->key.ino)
		return false;
	if ((major(st.st_dev) << 20 | minor(st.st_dev)) == o->key.dev)
		return true;
	if (fstatfs(fd, &fs))
		return false;
	/* up to 6.7 a mapping of an overlay's file shows the device and inode of the layer below */
	return (has_other_devices(o->magic) && (__u32)fs.f_type == o->magic) ||
	       fs.f_type == OVERLAYFS_SUPER_MAGIC;
}

static bool is_regular(int fd)
{
	struct stat st;

	return !fstat(fd, &st) && S_ISREG(st.st_mode);
}

/*
 * Open a file for reading that is a regular one, and the object where one is given. O_PATH opens
 * nothing yet: a device or a FIFO that somebody has put there notices nothing of it.
 */
static int open_checked(const char *path, const struct object *o)
{
	int fd = open(path, O_PATH | O_CLOEXEC), out = -1;
	char self[32];

	if (fd < 0)
		return -1;
	if (o ? is_object(fd, o) : is_regular(fd)) {
		snprintf(self, sizeof(self), "/proc/self/fd/%d", fd);
		out = open(self, O_RDONLY | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	}
	close(fd);
	return out;
}

struct find_map {
	const struct object *object;
	__u64 start, end; /* in: the range; out: the mapping found in it */
	bool found;
};

static int find_map(void *ctx, const struct proc_map *map)
{
	struct find_map *f = ctx;

	if (map->end <= f->start)
		return 0;
	if (map->start >= f->end)
		return 1;
	if (map->dev != f->object->key.dev || map->ino != f->object->key.ino)
		return 0;
	f->start = map->start;
	f->end = map->end;
	f->found = true;
	return 1;
}

/*
 * Through the mapping itself: that works for deleted files too, and for those of which stat(2)
 * tells other numbers than /proc/PID/maps, since it is maps that says which file it is.
 */
static int open_mapping(const struct object *o, __u32 pid, __u64 start, __u64 end)
{
	struct find_map f = { .object = o, .start = start, .end = end };
	char path[96];

	proc__maps(pid, find_map, &f);
	if (!f.found)
		return -1;
	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", pid,
		 (unsigned long long)f.start, (unsigned long long)f.end);
	return open_checked(path, NULL);
}

/* The path, which is that of the mount namespace, below the root directory that a process may have in it. */
static const char *below_root(const char *path, const char *root)
{
	char dir[FS_PATH_MAX];
	ssize_t len = readlink(root, dir, sizeof(dir));

	return len > 1 && len < FS_PATH_MAX && !strncmp(path, dir, len) && path[len] == '/' ?
		       path + len :
		       path;
}

/* The file as the process sees it, which may be in a container; then as we do. */
static int open_object(const struct named_file *f, __u32 pid, __u64 start, __u64 end)
{
	char path[FS_PATH_MAX + 64], root[32];
	int fd = -1;

	if (f->path_complete) {
		snprintf(root, sizeof(root), "/proc/%u/root", pid);
		snprintf(path, sizeof(path), "%s%s", root, below_root(f->f.path, root));
		fd = open_checked(path, f->object);
	}
	if (fd < 0)
		fd = open_mapping(f->object, pid, start, end);
	if (fd < 0 && f->path_complete)
		fd = open_checked(f->f.path, f->object);
	return fd;
}

/* What the open file of an object is, told to all its names; fd -1: it cannot be opened. */
static void object__read(struct space *sp, struct named_file *f, int fd)
{
	struct object *o = f->object;
	struct named_file *other;

	if (o->tried)
		return;
	if (fd >= 0)
		o->elf = elf_layout__read(fd);
	o->tried = true;
	if (sp->ops.opened)
		sp->ops.opened(sp->ops.opened_ctx, &f->f, fd, o->elf);
	for (other = o->files; other; other = other->next) {
		other->f.elf = o->elf;
		other->f.elf_tried = true;
	}
	if (o->elf && sp->ops.elf_found)
		sp->ops.elf_found(sp->ops.ctx, &f->f, o->elf);
}

/* After so many failures only some of the next processes are asked. */
static bool gives_up(struct object *o)
{
	if (o->failures < MAX_FAILURES)
		return false;
	o->failures++;
	return o->failures & (o->failures - 1);
}

void file__read_elf(struct space *sp, struct named_file *f, __u32 pid, __u64 start, __u64 end)
{
	struct object *o = f->object;
	int fd = -1;

	if (o->tried || (o->failures && o->failed_pid == pid) || gives_up(o))
		return;
	if (S_ISREG(o->mode))
		fd = open_object(f, pid, start, end);
	o->failed_pid = pid;
	if (fd >= 0 || !S_ISREG(o->mode))
		object__read(sp, f, fd);
	else if (++o->failures == MAX_FAILURES && sp->ops.opened)
		sp->ops.opened(sp->ops.opened_ctx, &f->f, -1, NULL);
	if (fd >= 0)
		close(fd);
}

/*
 * i_generation of a file on tmpfs, which has no FS_IOC_GETVERSION but tells it in its file handles:
 * shmem_encode_fh() of mm/shmem.c. 0: not known.
 */
static __u32 shmem_generation(int fd)
{
	union {
		struct file_handle head;
		char room[sizeof(struct file_handle) + MAX_HANDLE_SZ];
	} handle = { .head.handle_bytes = MAX_HANDLE_SZ };
	__u32 words[3]; /* generation, inode */
	int mount_id;

	if (name_to_handle_at(fd, "", &handle.head, &mount_id, AT_EMPTY_PATH) ||
	    handle.head.handle_bytes != sizeof(words))
		return 0;
	memcpy(words, handle.head.f_handle, sizeof(words));
	return words[0];
}

/* i_generation; 0 where the file system does not tell. */
static __u32 generation_of(int fd)
{
	int generation = 0;
	struct statfs fs;

	if (!ioctl(fd, FS_IOC_GETVERSION, &generation))
		return generation;
	return !fstatfs(fd, &fs) && fs.f_type == TMPFS_MAGIC ? shmem_generation(fd) : 0;
}

static struct named_file *file__own(struct space *sp, struct object_key key, const char *path)
{
	const struct fs_file_event ev = { .id = FS_FRAME_VDSO - 1 - sp->own_files,
					  .dev = key.dev,
					  .ino = key.ino,
					  .generation = key.generation,
					  .mode = S_IFREG };
	struct object *o = object__get(sp, &ev);
	struct named_file *f = o ? calloc(1, sizeof(*f) + strlen(path) + 1) : NULL;

	if (!f)
		return NULL;
	sp->own_files++;
	f->f.id = ev.id;
	f->f.dev = ev.dev;
	f->f.ino = ev.ino;
	f->f.generation = ev.generation;
	f->f.path = strcpy(f->buf, path);
	f->f.name = strrchr(f->buf, '/') ? strrchr(f->buf, '/') + 1 : f->buf;
	f->f.elf = o->elf;
	f->f.elf_tried = o->tried;
	f->object = o;
	f->path_complete = f->buf[0] == '/';
	f->next = o->files;
	o->files = f;
	return id_table__set(&sp->files, f->f.id, f) ? NULL : f;
}

struct named_file *file__of_map(struct space *sp, const struct proc_map *map, __u32 pid)
{
	struct object_key key = { .ino = map->ino, .dev = map->dev };
	struct named_file *f;
	struct object *o;
	char path[96];
	int fd;

	for (o = sp->objects; o; o = o->hh.next)
		if (o->key.ino == map->ino && o->key.dev == map->dev && o->files)
			return o->files;
	snprintf(path, sizeof(path), "/proc/%u/map_files/%llx-%llx", pid,
		 (unsigned long long)map->start, (unsigned long long)map->end);
	fd = open_checked(path, NULL);
	if (fd >= 0) {
		key.generation = generation_of(fd);
		close(fd);
	}
	f = file__own(sp, key, map->name);
	if (f)
		file__read_elf(sp, f, pid, map->start, map->end);
	return f;
}

const struct file *space__expect(struct space *sp, const char *path)
{
	struct object_key key = {};
	struct named_file *f = NULL;
	struct object *o;
	struct stat st;
	char real[PATH_MAX];
	int fd;

	if (!realpath(path, real))
		return NULL;
	fd = open_checked(real, NULL);
	if (fd >= 0 && !fstat(fd, &st)) {
		key.ino = st.st_ino;
		key.dev = major(st.st_dev) << 20 | minor(st.st_dev);
		key.generation = generation_of(fd);
		HASH_FIND(hh, sp->objects, &key, sizeof(key), o);
		f = o && o->files ? o->files : file__own(sp, key, real);
	}
	if (f)
		object__read(sp, f, fd);
	if (fd >= 0)
		close(fd);
	return f ? &f->f : NULL;
}
