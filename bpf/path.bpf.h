/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * From a mapped file to a file id; the full path is copied once per new file, so that processes
 * that live for milliseconds keep it. The walk is that of prepend_path() (fs/d_path.c), from the
 * leaf upwards and across mounts, to the root of the mount namespace.
 */
#ifndef FS_PATH_BPF_H
#define FS_PATH_BPF_H

#include "ids.bpf.h"
#include "state.bpf.h"

#define PATH_MAX_STEPS 128

/* include/uapi/linux/magic.h */
#define TMPFS_MAGIC     0x01021994
#define HUGETLBFS_MAGIC 0x958458f6

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 8192);
	__type(key, struct fs_file_key);
	__type(value, u32);
} files SEC(".maps");

struct path_walk {
	struct dentry *dentry;
	struct vfsmount *mnt;
	u32 len;
	u16 names;
	u16 truncated;
	u32 by;
	u32 pad;
};

#define NAME_BYTES 256

/* A name of at most 255 bytes; its length with the end. */
static __always_inline long copy_name(char *to, const unsigned char *from)
{
	u64 word;

	if (cfg.probe)
		return bpf_probe_read_kernel_str(to, NAME_BYTES, from);
	for (u32 i = 0; i < NAME_BYTES; i += 8) {
		word = kernel_u64((u64)from + i);
		*(u64 *)(to + i) = word;
		if (!has_zero_byte(word))
			continue;
		for (u32 k = 0; k < 8; k++, word >>= 8)
			if (!(word & 255))
				return i + k + 1;
	}
	return 0;
}

static long path_step(u32 step, struct path_walk *w)
{
	u32 by = w->by, len = w->len;
	union scratch *s = bpf_map_lookup_elem(&scratches, &by);
	struct dentry *dentry = w->dentry, *parent, *root;
	struct vfsmount *mnt = w->mnt;
	long n;

	if (!s)
		return 1;
	parent = KERNEL_READ(dentry, d_parent);
	root = KERNEL_READ(mnt, mnt_root);
	if (dentry == root) {
		struct mount *m = (void *)mnt - bpf_core_field_offset(struct mount, mnt);
		struct mount *up = KERNEL_READ(m, mnt_parent);

		if (m == up)
			return 1;
		w->dentry = KERNEL_READ(m, mnt_mountpoint);
		w->mnt = (void *)up + bpf_core_field_offset(struct mount, mnt);
		return 0;
	}
	if (len >= FS_PATH_MAX - 1) {
		w->truncated = 1;
		return 1;
	}
	n = copy_name(&s->bytes[sizeof(s->file) + len], KERNEL_READ(dentry, d_name.name));
	if (n <= 0)
		return 1;
	w->len = len + n;
	w->names++;
	w->dentry = parent;
	return parent == dentry; /* no directory above: memfd, SysV shm, pipes */
}

static __noinline u32 file_send(struct file *file, struct fs_file_key *key, u32 by)
{
	struct path_walk w = { .by = by };
	struct path *path = file_user_path(file);
	struct inode *inode = file_user_inode(file);
	struct dentry *dentry = KERNEL_READ(path, dentry);
	struct vfsmount *mnt = KERNEL_READ(path, mnt);
	u32 magic, size;
	union scratch *s = bpf_map_lookup_elem(&scratches, &by);
	struct fs_file_event *ev;

	if (!s)
		return 0;
	ev = &s->file;
	w.dentry = dentry;
	w.mnt = mnt;
	ev->flags = 0;
	/* d_unlinked(): not hashed and not a root */
	if (!KERNEL_READ(dentry, d_hash.pprev) && KERNEL_READ(mnt, mnt_root) != dentry)
		ev->flags |= FS_FILE_DELETED;
	if (bpf_loop(PATH_MAX_STEPS, path_step, &w, 0) == PATH_MAX_STEPS)
		w.truncated = 1;
	if (w.len > FS_PATH_MAX) {
		w.len = FS_PATH_MAX;
		w.truncated = 1;
	}
	if (w.truncated) {
		ev->flags |= FS_FILE_TRUNCATED;
		count_loss(FS_LOSS_PATH);
	}
	magic = KERNEL_READ(inode, i_sb, s_magic);
	if (magic == TMPFS_MAGIC)
		ev->flags |= FS_FILE_SHMEM;
	if (magic == HUGETLBFS_MAGIC)
		ev->flags |= FS_FILE_HUGETLBFS;
	ev->id = next_id(ID_FILE);
	ev->dev = key->dev;
	ev->ino = key->ino;
	ev->generation = key->generation;
	ev->mode = KERNEL_READ(inode, i_mode);
	ev->magic = magic;
	ev->nnames = w.names;
	ev->path_len = w.len;
	size = sizeof(*ev) + w.len;
	if (size > sizeof(*ev) + FS_PATH_MAX)
		return 0;
	head_init(&ev->head, FS_EVENT_FILE, size);
	return control_send(ev, size) ? ev->id : 0;
}

static __always_inline void file_key(struct file *file, struct fs_file_key *key)
{
	struct inode *inode = file_user_inode(file);

	key->ino = KERNEL_READ(inode, i_ino);
	key->dev = KERNEL_READ(inode, i_sb, s_dev);
	key->generation = KERNEL_READ(inode, i_generation);
}

static __always_inline u64 file_identity(struct file *file)
{
	struct inode *inode = file_user_inode(file);

	return KERNEL_READ(inode, i_ino) ^ (u64)KERNEL_READ(inode, i_generation) << 32 ^
	       (u64)KERNEL_READ(inode, i_sb, s_dev) * 0x9e3779b97f4a7c15ULL;
}

/* The id of a file, its event sent when it is new; 0: it could not be sent. */
static __always_inline u32 file_id(struct file *file, struct fs_file_key *key, u32 by)
{
	u32 *known = bpf_map_lookup_elem(&files, key), id;

	if (known)
		return *known;
	id = file_send(file, key, by);
	if (id)
		bpf_map_update_elem(&files, key, &id, BPF_ANY);
	return id;
}

#endif /* FS_PATH_BPF_H */
