/* SPDX-License-Identifier: GPL-2.0-only */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "trace_samples.h"

const struct trace_opts relative = {
	.start_ns = START_NS,
	.wall_offset_ns = WALL_NS - (__s64)START_NS,
	.page_size = 4096,
};

const struct trace_opts wall = {
	.wall = true,
	.start_ns = START_NS,
	.wall_offset_ns = WALL_NS - (__s64)START_NS,
	.page_size = 4096,
};

const struct trace_opts detailed = {
	.wall = true,
	.start_ns = START_NS,
	.wall_offset_ns = WALL_NS - (__s64)START_NS,
	.page_size = 4096,
	.variables = true,
	.stacks = true,
};

static const struct file libc = {
	.id = 1,
	.path = "/usr/lib/x86_64-linux-gnu/libc.so.6",
	.name = "libc.so.6",
};

const struct mapping libc_text = {
	.id = 1,
	.base = FS_REGION_FILE,
	.start = 0x7f3a1c026000,
	.end = 0x7f3a1c17b000,
	.pgoff = 0x26,
	.file = &libc,
	.pid = 1234,
};

const struct mapping anon = {
	.id = 2,
	.base = FS_REGION_ANON,
	.start = 0x7f3a10000000,
	.end = 0x7f3a10021000,
	.pid = 1234,
};

const struct place in_text = {
	.region = FS_REGION_TEXT,
	.mapping = &libc_text,
	.file = &libc,
	.file_offset = 0x1d2b10,
};

const struct place in_anon = { .region = FS_REGION_ANON, .mapping = &anon };
const struct place nowhere = { .region = FS_REGION_NONE };

struct fs_fault a_fault(void)
{
	return (struct fs_fault){
		.time_ns = START_NS + 1234567,
		.latency_ns = 1420,
		.addr = 0x7f3a10001b10,
		.ip = 0x401136,
		.pid = 1234,
		.tid = 1240,
		.region = FS_REGION_ANON,
		.class = FS_CLASS_ANON,
		.access = FS_ACCESS_WRITE,
		.cpu = 3,
	};
}

struct fs_head a_head(void)
{
	return (struct fs_head){
		.time_ns = START_NS + 2000000, .pid = 1234, .tid = 1234, .cpu = 1
	};
}

struct trace_stack sample_stack(struct profile *p, const char *name, __u32 frames[SAMPLE_FRAMES])
{
	const char *libc_path = name ? name : libc.path;
	const struct profile_mapping libc_mapping = { .limit = 1 << 30, .object = libc_path };
	struct profile_frame f[SAMPLE_FRAMES] = {
		{ .name = "main", .object = "/usr/bin/sh", .address = 0x114b, .sym_offset = 27 },
		{ .object = "/usr/bin/sh", .address = 0x2200, .is_return = true },
		{ .name = "__vdso_time", .object = "[vdso]", .address = 0x910, .sym_offset = 0x10 },
		{ .name = "memset",
		  .object = libc_path,
		  .address = 0x1d2b10,
		  .sym_offset = 0,
		  .src = "string/memset.S",
		  .line = 42 },
		{ .name = "std::map<int, long>::at",
		  .object = libc_path,
		  .address = 0x1d2b10,
		  .src = "map",
		  .inlined = true },
		{ .object = "[jit]", .address = 0x7f0000001000, .kind = PROFILE_JIT },
		{ .name = "copy_from_user",
		  .object = "[kernel.kallsyms]",
		  .sym_offset = 0x28,
		  .address = 0xffffffff81a00b92,
		  .kind = PROFILE_KERNEL },
	};
	__u32 mapping;

	assert_int_equal(profile__add_mapping(p, &libc_mapping, &mapping), 0);
	for (size_t i = 0; i < SAMPLE_FRAMES; i++) {
		if (name && f[i].name)
			f[i].name = name;
		if (name && f[i].src)
			f[i].src = name;
		if (i == 1 || i == 3 || i == 4)
			f[i].mapping = mapping;
		assert_int_equal(profile__add_frame(p, &f[i], &frames[i]), 0);
	}
	return (struct trace_stack){ .profile = p,
				     .frames = frames,
				     .n = SAMPLE_FRAMES,
				     .end = "too_deep",
				     .note = "[truncated]" };
}

/* Details of hostile names for the next event. */
static void put_details(struct trace_printer *tp, struct profile *p, const char *name,
			__u64 variable_offset)
{
	static __u32 frames[SAMPLE_FRAMES]; /* until the event is printed */
	static struct trace_stack stack;
	struct trace_details d = { .variable = variable_offset & 1 ? name : NULL,
				   .variable_offset = variable_offset,
				   .stack = &stack };

	stack = sample_stack(p, name, frames);
	trace_printer__details(tp, &d);
}

void paper__open(struct paper *p, enum format format, const struct trace_opts *opts)
{
	p->f = open_memstream(&p->text, &p->size);
	assert_non_null(p->f);
	p->tp = trace_printer__new(format, p->f, opts);
	assert_non_null(p->tp);
}

const char *paper__text(struct paper *p)
{
	assert_int_equal(fflush(p->f), 0);
	return p->text;
}

const char *paper__line(struct paper *p)
{
	const char *text = paper__text(p), *at = text + strlen(text) - 1;

	while (at > text && at[-1] != '\n')
		at--;
	return at;
}

void paper__close(struct paper *p)
{
	trace_printer__free(p->tp);
	fclose(p->f);
	free(p->text);
}

const char *const hostile[HOSTILE] = {
	"",
	"new\nline",
	"\x1b[31mred\x1b[0m",
	"q\"uo,te\"",
	"a b\tc\rd",
	"back\\slash",
	"\xff\xfe\xc3(",
	"\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff",
	"\x01\x02\x03\x04\x05\x06\x07\x08\x0b\x0c\x0e\x0f\x10\x11\x7f",
	"\xc2\x9bKC1",
	"\xe6\xbc\xa2\xe5\xad\x97\xe3\x81\x8b\xe3\x81\xaa", /* wide */
	"n\xcc\x83o",                                       /* combining */
	"\xf0\x9f\x92\xa5\xf0\x9f\x92\xa5\xf0\x9f\x92",     /* wide, the last one cut */
	"\xed\xa0\x80\xc0\xaf",                             /* a surrogate, and an overlong '/' */
	"exactly_15_byte",
};

/* xorshift64: the same bytes in every run. */
static void fill_random(void *to, size_t size, __u64 *seed)
{
	unsigned char *p = to;

	while (size--) {
		*seed ^= *seed << 13;
		*seed ^= *seed >> 7;
		*seed ^= *seed << 17;
		*p++ = *seed >> 32;
	}
}

static void print_random_call(struct trace_printer *tp, const char *comm, __u64 *seed)
{
	struct fs_call_event ev;
	size_t i;

	fill_random(&ev, sizeof(ev), seed);
	ev.call %= FS_CALL_NR;
	ev.region %= FS_REGION_NR + 1;
	if (ev.flags & FS_CALL_FAILED)
		ev.ret = -(ev.ret & 1023);
	/* Small numbers, which have names, as often as large ones. */
	for (i = 0; i < 6; i++)
		if (ev.head.pid >> i & 1)
			ev.args[i] &= 0xffff;
	assert_int_equal(trace_printer__call(tp, &ev, comm), 0);
}

static void print_random_fault(struct trace_printer *tp, const char *comm, __u64 *seed)
{
	struct file file = { .path = comm, .name = comm };
	struct mapping mapping = anon;
	struct place pl = { .region = FS_REGION_FILE };
	struct fs_fault f;

	fill_random(&f, sizeof(f), seed);
	pl.region = f.region % (FS_REGION_NR + 1);
	f.class %= FS_CLASS_NR + 1;
	f.access %= FS_ACCESS_NR;
	pl.mapping = f.pad & 1 ? &mapping : NULL;
	if (f.pad & 2)
		pl.file = mapping.file = &file;
	pl.file_offset = f.cgroup_id;
	assert_int_equal(trace_printer__fault(tp, &f, &pl, comm), 0);
}

void print_random(struct trace_printer *tp)
{
	__u64 seed = 88172645463325252ULL;
	struct fs_exec_event exec;
	struct fs_fork_event fork;
	struct fs_exit_event exit;
	struct fs_rename_event rename;
	struct profile *p = profile__new();
	char comm[FS_COMM_LEN];
	size_t i;

	assert_non_null(p);
	for (i = 0; i < EVENTS; i++) {
		fill_random(comm, sizeof(comm), &seed);
		comm[FS_COMM_LEN - 1] = '\0';
		if (i % 4)
			strncpy(comm, hostile[i % HOSTILE], sizeof(comm));
		put_details(tp, p, hostile[i % HOSTILE], 0);
		print_random_call(tp, comm, &seed);
		put_details(tp, p, hostile[i % HOSTILE], seed);
		print_random_fault(tp, comm, &seed);
		if (i % 8)
			continue;
		fill_random(&exec, sizeof(exec), &seed);
		assert_int_equal(trace_printer__exec(tp, &exec, comm), 0);
		fill_random(&fork, sizeof(fork), &seed);
		assert_int_equal(trace_printer__fork(tp, &fork, comm), 0);
		fill_random(&exit, sizeof(exit), &seed);
		assert_int_equal(trace_printer__exit(tp, &exit, comm), 0);
		fill_random(&rename, sizeof(rename), &seed);
		assert_int_equal(trace_printer__rename(tp, &rename, comm), 0);
		assert_int_equal(trace_printer__lost(tp, i / 8 % FS_LOSS_NR, seed >> 8), 0);
	}
	assert_int_equal(trace_printer__finish(tp), 0);
	profile__free(p);
}
