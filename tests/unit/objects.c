/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "objects.h"

#define VM_READ      0x1
#define VM_WRITE     0x2
#define VM_EXEC      0x4
#define VM_SHARED    0x8
#define VM_GROWSDOWN 0x100
#define VM_ACCOUNT   0x100000

static char dir[64];

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	return remove(path);
}

static void remove_dir(void)
{
	nftw(dir, remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

const char *test_dir(void)
{
	if (!*dir) {
		const char *tmp = getenv("TMPDIR");

		snprintf(dir, sizeof(dir), "%.40s/fs-unit-XXXXXX", tmp ? tmp : "/tmp");
		if (!mkdtemp(dir))
			abort();
		atexit(remove_dir);
	}
	return dir;
}

bool compile(const char *name, const char *source, const char *flags)
{
	const char *cc = getenv("CC");
	char path[256], command[1024];
	FILE *f;

	snprintf(path, sizeof(path), "%s/%s.c", test_dir(), name);
	f = fopen(path, "w");
	if (!f || fputs(source, f) < 0 || fclose(f))
		abort();
	snprintf(command, sizeof(command), "%s -w -o %s/%s %s %s -pthread 2>/dev/null </dev/null",
		 cc && *cc ? cc : "cc", dir, name, path, flags);
	return system(command) == 0;
}

void child__start(struct child *c, const char *name, bool fixed_addresses)
{
	int in[2], out[2];
	char path[256];

	snprintf(path, sizeof(path), "%s/%s", test_dir(), name);
	if (pipe2(in, O_CLOEXEC) || pipe2(out, O_CLOEXEC))
		abort();
	c->pid = fork();
	if (c->pid < 0)
		abort();
	if (!c->pid) {
		dup2(in[0], 0);
		dup2(out[1], 1);
		if (fixed_addresses)
			personality(ADDR_NO_RANDOMIZE);
		execl(path, name, NULL);
		_exit(127);
	}
	close(in[0]);
	close(out[1]);
	c->to = fdopen(in[1], "w");
	c->from = fdopen(out[0], "r");
	if (!c->to || !c->from)
		abort();
}

bool child__line(struct child *c, char *buf, size_t size)
{
	if (!fgets(buf, size, c->from))
		return false;
	buf[strcspn(buf, "\n")] = '\0';
	return true;
}

void child__tell(struct child *c, const char *line)
{
	fprintf(c->to, "%s\n", line);
	fflush(c->to);
}

int child__end(struct child *c)
{
	int status = -1;

	fclose(c->to);
	fclose(c->from);
	waitpid(c->pid, &status, 0);
	return status;
}

/* ---- single events ---------------------------------------------------------------------------- */

static struct fs_head head(enum fs_event_kind kind, size_t size, __u64 time_ns, __u32 pid,
			   __u32 tid)
{
	return (struct fs_head){
		.kind = kind, .size = size, .time_ns = time_ns, .pid = pid, .tid = tid
	};
}

int feed_file(struct space *sp, __u32 id, __u32 dev, __u64 ino, __u16 flags, __u32 mode,
	      const char *path)
{
	union {
		struct fs_file_event ev;
		char bytes[sizeof(struct fs_file_event) + FS_PATH_MAX];
	} u = { .ev = { .id = id, .dev = dev, .ino = ino, .flags = flags, .mode = mode } };
	char copy[FS_PATH_MAX], *slash;

	snprintf(copy, sizeof(copy), "%s", path);
	while ((slash = strrchr(copy, '/'))) {
		strcpy(u.ev.path + u.ev.path_len, slash + 1);
		u.ev.path_len += strlen(slash + 1) + 1;
		u.ev.nnames++;
		*slash = '\0';
	}
	u.ev.head = head(FS_EVENT_FILE, sizeof(u.ev) + u.ev.path_len, 1, 1, 1);
	return space__event(sp, &u.ev.head);
}

int feed_fork(struct space *sp, __u64 time_ns, __u32 pid, __u32 tid, __u32 child_pid,
	      __u32 child_tid, __u64 flags, __u64 low, __u64 stack_pointer)
{
	struct fs_fork_event ev = {
		.head = head(FS_EVENT_FORK, sizeof(ev), time_ns, pid, tid),
		.child_pid = child_pid,
		.child_tid = child_tid,
		.clone_flags = flags,
		.sp = stack_pointer,
		.stack_low = low,
		.comm = "forked",
	};

	return space__event(sp, &ev.head);
}

int feed_exec(struct space *sp, __u64 time_ns, __u32 pid, __u32 old_tid, __u64 min_flt,
	      __u32 args_populated, const char *comm)
{
	return feed_exec_mm(sp, time_ns, pid, old_tid, min_flt, args_populated, comm, 99);
}

int feed_exec_mm(struct space *sp, __u64 time_ns, __u32 pid, __u32 old_tid, __u64 min_flt,
		 __u32 args_populated, const char *comm, __u64 mm)
{
	struct fs_exec_event ev = {
		.head = head(FS_EVENT_EXEC, sizeof(ev), time_ns, pid, pid),
		.mm = mm,
		.old_tid = old_tid,
		.usage.min_flt = min_flt,
		.args_populated = args_populated,
	};

	snprintf(ev.comm, sizeof(ev.comm), "%s", comm);
	return space__event(sp, &ev.head);
}

int feed_exit(struct space *sp, __u64 time_ns, __u32 pid, __u32 tid, __u64 min_flt, bool last)
{
	struct fs_exit_event ev = {
		.head = head(FS_EVENT_EXIT, sizeof(ev), time_ns, pid, tid),
		.usage.min_flt = min_flt,
		.last = last,
	};

	return space__event(sp, &ev.head);
}

int feed_rename(struct space *sp, __u32 pid, __u32 tid, const char *comm)
{
	struct fs_rename_event ev = { .head = head(FS_EVENT_RENAME, sizeof(ev), 1, pid, tid) };

	memcpy(ev.comm, comm, strnlen(comm, sizeof(ev.comm)));
	return space__event(sp, &ev.head);
}

/* ---- a whole process -------------------------------------------------------------------------- */

struct vma {
	unsigned long long start, end, pgoff, ino;
	unsigned int major, minor;
	__u64 flags;
	char perms[5];
	char path[256];
	__u32 file_id;
};

/* Kernel's own words of each mapping. */
static size_t read_smaps(pid_t pid, struct vma *v, size_t room)
{
	char path[64], line[512];
	size_t n = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/smaps", pid);
	f = fopen(path, "r");
	if (!f)
		abort();
	while (fgets(line, sizeof(line), f)) {
		struct vma next = {};

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%llx-%llx %4s %llx %x:%x %llu %255[^\n]", &next.start, &next.end,
			   next.perms, &next.pgoff, &next.major, &next.minor, &next.ino,
			   next.path) >= 7) {
			if (n == room)
				abort();
			v[n++] = next;
		} else if (!strncmp(line, "VmFlags:", 8) && n) {
			v[n - 1].flags = (strstr(line, " rd") ? VM_READ : 0) |
					 (strstr(line, " wr") ? VM_WRITE : 0) |
					 (strstr(line, " ex") ? VM_EXEC : 0) |
					 (strstr(line, " sh") ? VM_SHARED : 0) |
					 (strstr(line, " gd") ? VM_GROWSDOWN : 0) |
					 (strstr(line, " ac") ? VM_ACCOUNT : 0);
		}
	}
	fclose(f);
	return n;
}

static __u64 read_start_brk(pid_t pid)
{
	char path[64], text[1024] = "", *at;
	unsigned long long v = 0;
	FILE *f;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	f = fopen(path, "r");
	if (!f || !fgets(text, sizeof(text), f))
		abort();
	fclose(f);
	at = strrchr(text, ')');
	/* proc_pid_stat(5): start_brk is field 47, state, right behind the name, is 3 */
	for (int field = 2; at && field < 47; field++)
		at = strchr(at + 1, ' ');
	if (!at || sscanf(at, " %llu", &v) != 1)
		abort();
	return v;
}

static enum fs_region base_of(const struct vma *v)
{
	if (v->ino)
		return v->flags & VM_SHARED ? FS_REGION_FILE_SHARED : FS_REGION_FILE;
	if (!strcmp(v->path, "[stack]"))
		return FS_REGION_STACK;
	if (!strcmp(v->path, "[heap]"))
		return FS_REGION_HEAP;
	if (!strncmp(v->path, "[v", 2))
		return FS_REGION_VDSO;
	return v->flags & VM_EXEC ? FS_REGION_ANON_EXEC : FS_REGION_ANON;
}

static void feed_region(struct space *sp, pid_t pid, __u32 id, const struct vma *v, __u8 base,
			__u64 start, __u64 end, const struct vma *prev, struct fed *fed)
{
	__u64 page = sysconf(_SC_PAGESIZE);
	struct fs_region_event ev = {
		.head = head(FS_EVENT_REGION, sizeof(ev), 1, pid, pid),
		.id = id,
		.file_id = v->file_id,
		.mm = 1,
		.start = start,
		.end = end,
		.pgoff = v->pgoff / page,
		.vm_flags = v->flags,
		.region = base,
	};

	if (prev && prev->end == start && prev->file_id && !(prev->flags & VM_SHARED)) {
		ev.prev_start = prev->start;
		ev.prev_pgoff = prev->pgoff / page;
		ev.prev_flags = prev->flags;
		ev.prev_file_id = prev->file_id;
	}
	if (space__event(sp, &ev.head) || fed->n == sizeof(fed->v) / sizeof(*fed->v))
		abort();
	fed->v[fed->n++] = (struct fed_map){ .start = start, .end = end, .id = id, .base = base };
}

void feed_process(struct space *sp, pid_t pid, __u32 *next_id, struct fed *fed)
{
	static struct vma v[512];
	size_t n = read_smaps(pid, v, 512);
	__u64 start_brk = read_start_brk(pid);

	fed->n = 0;
	for (size_t i = 0; i < n; i++) {
		__u8 base = base_of(&v[i]);
		__u64 start = v[i].start;
		struct vma *prev = i ? &v[i - 1] : NULL;

		if (v[i].ino) {
			v[i].file_id = (*next_id)++;
			feed_file(sp, v[i].file_id, v[i].major << 20 | v[i].minor, v[i].ino, 0,
				  S_IFREG | 0755, v[i].path);
		}
		if (base == FS_REGION_HEAP && start < start_brk) {
			feed_region(sp, pid, (*next_id)++, &v[i], FS_REGION_ANON, start, start_brk,
				    prev, fed);
			start = start_brk;
			prev = NULL;
		}
		feed_region(sp, pid, (*next_id)++, &v[i], base, start, v[i].end, prev, fed);
	}
}

struct place place_of(struct space *sp, const struct fed *fed, pid_t pid, __u64 addr)
{
	struct fs_fault f = { .pid = pid, .tid = pid, .addr = addr, .region = FS_REGION_NONE };
	struct place pl;

	for (size_t i = 0; i < fed->n; i++) {
		if (addr >= fed->v[i].start && addr < fed->v[i].end) {
			f.region_id = fed->v[i].id;
			f.region = fed->v[i].base;
		}
	}
	space__place(sp, &f, &pl);
	return pl;
}
