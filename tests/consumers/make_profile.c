/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * make_profile FORMAT WEIGHT [hostile|large|plain] [inverted]: writes a fixed profile to stdout, in
 * the format and by the weight that are named, and what is in it to stderr, as KEY=NUMBER lines:
 * what a reader of the format must find, too.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "output/flame.h"

#define STALL_NS 750

typedef unsigned long long ull;

static struct profile *profile;
static struct flame_script *script; /* FORMAT perf-script: samples go there as well */
static enum profile_weight weight;
static __u64 clock_ns = 158665570607000ULL;
static __u64 script_total;

static void need(int err, const char *what)
{
	if (!err)
		return;
	fprintf(stderr, "make_profile: %s: %s\n", what, strerror(-err));
	exit(1);
}

static __u32 frame(const struct profile_frame *f)
{
	__u32 id;

	need(profile__add_frame(profile, f, &id), "frame");
	return id;
}

static __u32 user(const char *name, const char *object, __u64 address, const char *src, __u32 line)
{
	return frame(&(struct profile_frame){ .name = name,
					      .object = object,
					      .address = address,
					      .sym_offset = address & 0xff,
					      .src = src,
					      .line = line,
					      .is_return = true });
}

static __u32 of_kind(enum profile_frame_kind kind, const char *name, const char *object,
		     __u64 address)
{
	return frame(&(struct profile_frame){
		.name = name, .object = object, .address = address, .kind = kind });
}

/* `count` faults of a page each, one by one where samples are written. */
static void add(const __u32 *frames, size_t n, const char *comm, __u32 pid, const char *region,
		const char *class, __u64 count)
{
	const struct profile_labels labels = { .comm = comm,
					       .region = region,
					       .class = class,
					       .access = "write",
					       .result = "minor",
					       .pid = pid,
					       .tid = pid + 6 };
	const struct profile_weights weights = { { count, count * 4096, count * STALL_NS } };
	struct flame_sample sample = {
		.comm = comm, .event = "page-faults", .pid = pid, .tid = pid + 6, .cpu = 3
	};

	need(profile__add_stack(profile, frames, n, &sample.stack), "stack");
	need(profile__add(profile, sample.stack, &labels, &weights), "cell");
	for (; script && count; count--) {
		sample.time_ns = clock_ns += 1234567;
		sample.period = weight == PROFILE_FAULTS ? 1 :
				weight == PROFILE_BYTES  ? 4096 :
							   STALL_NS;
		script_total += sample.period;
		need(flame_script__sample(script, profile, &sample), "sample");
	}
}

#define ADD(comm, pid, region, class, count, ...)                                                 \
	do {                                                                                      \
		const __u32 stack_[] = { __VA_ARGS__ };                                           \
		add(stack_, sizeof(stack_) / sizeof(stack_[0]), comm, pid, region, class, count); \
	} while (0)

/* A program as they are: main, allocation, file pages, inlined functions, the kernel, JIT code. */
static void fill_plain(void)
{
	static const char app[] = "/usr/bin/my app", libc[] = "/usr/lib/x86_64-linux-gnu/libc.so.6";
	struct profile_frame f = { .name = "fill", .object = app, .src = "src/fill.c", .line = 40 };
	struct profile_mapping map = { 0x55d0c0fed000, 0x55d0c0fff000, 0x1000, app,
				       "0123456789abcdef0123456789abcdef01234567" };
	__u32 start, main_, load, fill, fill_inlined, copy, heap, file, stack, kernel, entry, jit,
		lost, index, parse, memset_, brk;

	need(profile__add_mapping(profile, &map, &f.mapping), "mapping");
	f.address = 0x55d0c0ffee10;
	f.sym_offset = 0x1c;
	fill = frame(&f);
	f.name = "set_one<int, 4>(std::vector<int>&)";
	f.inlined = true;
	f.line = 12;
	fill_inlined = frame(&f);
	start = user("_start", app, 0x55d0c0ff1025, NULL, 0);
	main_ = user("main", app, 0x55d0c0ff2010, "src/main.c", 17);
	load = user("load_table", app, 0x55d0c0ff2210, "src/table.c", 88);
	index = user("build_index(char const*, unsigned long)", app, 0x55d0c0ff2310, "src/table.c",
		     140);
	parse = user("parse_row", app, 0x55d0c0ff2390, "src/table.c", 190);
	copy = user("__memcpy_avx_unaligned_erms", libc, 0x7f3a1c2d0b10, NULL, 0);
	memset_ = user("memset", libc, 0x7f3a1c2d1b10, NULL, 0);
	brk = user(NULL, libc, 0x7f3a1c2d2b10, NULL, 0);
	jit = of_kind(PROFILE_JIT, "LazyCompile:~handler app.js:12", "/tmp/perf-1234.map",
		      0x3fa012345678);
	kernel = of_kind(PROFILE_KERNEL, "copy_page_to_iter", "[kernel.kallsyms]",
			 0xffffffff81a00b92);
	entry = of_kind(PROFILE_KERNEL, "entry_SYSCALL_64_after_hwframe", "[kernel.kallsyms]",
			0xffffffff81e00080);
	heap = of_kind(PROFILE_REGION, "[heap]", NULL, 0);
	file = of_kind(PROFILE_REGION, "libc.so.6 text", NULL, 0);
	stack = of_kind(PROFILE_REGION, "[anon]", NULL, 0);
	lost = of_kind(PROFILE_NOTE, "[truncated]", NULL, 0);

	ADD("myapp", 1234, "heap", "anon", 420, start, main_, load, index, fill, fill_inlined,
	    heap);
	ADD("myapp", 1234, "heap", "anon", 180, start, main_, load, index, fill, heap);
	ADD("myapp", 1234, "heap", "cow", 60, start, main_, load, parse, copy, heap);
	ADD("myapp", 1234, "anon", "anon", 150, start, main_, load, parse, memset_, stack);
	ADD("myapp", 1234, "anon", "thp", 40, start, main_, brk, stack);
	ADD("myapp", 1234, "text", "file", 75, start, main_, copy, file);
	ADD("myapp", 1234, "anon", "anon", 55, start, main_, entry, kernel, stack);
	ADD("Web Content 1", 2345, "heap", "anon", 90, lost, jit, copy, heap);
	ADD("Web Content 1", 2345, "anon", "anon", 35, lost, jit, stack);
	ADD("a", 99, "stack", "anon", 3, user(NULL, NULL, 0x401000, NULL, 0));
}

/* Names that want to be something else. */
static void fill_hostile(void)
{
	static const char *const names[] = {
		"</title><script>window.hacked=1</script>",
		"\"><img src=x onerror=window.hacked=1>",
		"]]><script>window.hacked=1</script>",
		"&amp;&lt;&#x41;",
		"two\nlines",
		"tab\tand;semicolon",
		"ends in 12",
		"no utf-8: \xff\xc3\x28 \xf0\x9f\x98",
		"umlaut \xc3\xa4 \xe6\xbc\xa2\xe5\xad\x97 \xf0\x9f\x98\x80",
		"bidi \xe2\x80\xae"
		"evil",
		"no XML: \x01\x1b[31m \xef\xbf\xbe \xef\xbf\xbf",
		"line \xe2\x80\xa8 separator",
		"operator->",
		"'quotes\" \\ back",
		"",
		"(anonymous namespace)::f(int) const",
	};
	static char longest[65537];
	size_t i;

	memset(longest, 'x', sizeof(longest) - 1);
	for (i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		ADD("ho;st <i>", 7, "heap", "anon", 10 + i,
		    user("main", "/bin/h (deleted)", 16, NULL, 0),
		    user(names[i], "/lib/a b(c);<x>\n.so (deleted)", 0x1000 + i, NULL, 0));
	ADD("# comment", 8, "heap", "anon", 40, user(longest, longest, 17, NULL, 0));
	ADD("", 9, NULL, NULL, 5, user("f", NULL, 18, NULL, 0));
}

/* 100,000 stacks of depth 30 over 20,000 functions. */
static void fill_large(void)
{
	__u32 frames[20000], stack[30];
	char name[64];
	__u64 seed = 1;
	int i, k;

	for (i = 0; i < 20000; i++) {
		snprintf(name, sizeof(name), "module_%d::function_number_%d(int)", i % 40, i);
		frames[i] = user(name, "/usr/lib/liblarge.so", 0x10000 + 16ULL * i, NULL, 0);
	}
	for (i = 0; i < 100000; i++) {
		for (k = 0; k < 30; k++) {
			seed = seed * 6364136223846793005ULL + 1442695040888963407ULL;
			/* Few at the root, many at the leaf. */
			stack[k] = frames[(seed >> 33) % (k < 10 ? 2 : k < 25 ? 4 : 20000)];
		}
		add(stack, 30, "large", 1, "heap", "anon", 1 + (seed >> 60));
	}
}

static void tell(enum flame_format format, const char *name, enum profile_weight of)
{
	fprintf(stderr, "%s=%llu\n", name, (ull)profile__total(profile, of));
	if (format == FLAME_PERF_SCRIPT && of == weight &&
	    script_total != profile__total(profile, of))
		need(-ERANGE, "samples");
}

static double now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1e3 + ts.tv_nsec / 1e6;
}

int main(int argc, char **argv)
{
	int format = argc > 2 ? flame_format__parse(argv[1]) : -1;
	int which = argc > 2 ? flame_weight__parse(argv[2]) : -1;
	const char *kind = argc > 3 ? argv[3] : "plain";
	struct flame_opts opts = { .known = FLAME_KNOWS(PROFILE_FAULTS) |
					    FLAME_KNOWS(PROFILE_BYTES) | FLAME_KNOWS(PROFILE_STALL),
				   .command = "myapp --table rows.csv",
				   .lost = 12,
				   .wall_ns = 1700000000000000000ULL,
				   .duration_ns = 2500000000ULL };
	double begun;

	if (format < 0 || which < 0) {
		fprintf(stderr,
			"usage: make_profile FORMAT WEIGHT [hostile|large|plain] [inverted]\n");
		return 2;
	}
	opts.weight = weight = which;
	opts.inverted = argc > 4;
	profile = profile__new();
	if (format == FLAME_PERF_SCRIPT)
		script = flame_script__new(stdout);
	if (!profile || (format == FLAME_PERF_SCRIPT && !script))
		need(-ENOMEM, "profile");
	if (!strcmp(kind, "hostile"))
		opts.command = "sh -c '<script>window.hacked=1</script>]]>\n\xff'";
	begun = now_ms();
	(strcmp(kind, "hostile") ? strcmp(kind, "large") ? fill_plain : fill_large :
				   fill_hostile)();
	fprintf(stderr, "filled_us=%.0f\n", 1000 * (now_ms() - begun));
	begun = now_ms();
	need(script ? flame_script__finish(script) : flame__print(format, stdout, profile, &opts),
	     "print");
	fprintf(stderr, "printed_us=%.0f\n", 1000 * (now_ms() - begun));
	tell(format, "faults", PROFILE_FAULTS);
	tell(format, "bytes", PROFILE_BYTES);
	tell(format, "stall", PROFILE_STALL);
	flame_script__free(script);
	profile__free(profile);
	return 0;
}
