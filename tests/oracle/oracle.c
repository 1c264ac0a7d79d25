// SPDX-License-Identifier: GPL-2.0-only
/*
 * `oracle [-k] OUT PROGRAM [ARG]…` runs a program and writes to OUT a line of JSON for each call of
 * handle_mm_fault() that an exception of it or of its children made; then a line that says by what
 * (fexit, kprobe) it saw them and how many it lost. Ends with the program's status, or with 77 where
 * the kernel takes neither fexit nor kprobes. -k: by kprobes at once. Where the kernel preempts, fexit
 * misses the faults of whoever runs while a task stands still inside it; kprobes are not preempted.
 */
#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "oracle.h"
#include "oracle/oracle.skel.h"

#define CANNOT 77

static void print_bits(FILE *out, const char *key, unsigned int bits, const char *const *names,
		       unsigned int count)
{
	const char *separator = "";

	fprintf(out, ",\"%s\":[", key);
	for (unsigned int i = 0; i < count; i++) {
		if (!(bits & 1U << i))
			continue;
		fprintf(out, "%s\"%s\"", separator, names[i]);
		separator = ",";
	}
	fputc(']', out);
}

static int print_fault(void *ctx, void *data, size_t size)
{
#define NAME(name) #name,
	static const char *const flags[] = { ORACLE_FLAGS(NAME) };
	static const char *const results[] = { ORACLE_RESULTS(NAME) };
#undef NAME
	const struct oracle_fault *f = data;
	FILE *out = ctx;

	(void)size;
	fprintf(out,
		"{\"time_ns\":%llu,\"pid\":%u,\"tid\":%u,\"address\":%llu,\"vm_start\":%llu,"
		"\"vm_end\":%llu,\"vm_flags\":%llu,\"vm_pgoff\":%llu,\"inode\":%llu,\"dev\":%llu,"
		"\"has_ops\":%u,\"start_brk\":%llu,\"brk\":%llu,\"start_stack\":%llu,\"no_exec\":%u,"
		"\"exiting\":%u",
		f->time_ns, f->pid, f->tid, f->address, f->vm_start, f->vm_end, f->vm_flags,
		f->vm_pgoff, f->inode, f->dev, f->has_ops, f->start_brk, f->brk, f->start_stack,
		f->no_exec, f->exiting);
	print_bits(out, "flags", f->flags, flags, sizeof(flags) / sizeof(flags[0]));
	print_bits(out, "result", f->result, results, sizeof(results) / sizeof(results[0]));
	fputs("}\n", out);
	return 0;
}

/* Loads and attaches either pair of programs; -errno. */
static int attach(struct oracle_bpf **skel, bool trampolines)
{
	struct oracle_bpf *s = oracle_bpf__open();
	int err;

	if (!s)
		return -errno;
	bpf_program__set_autoload(s->progs.trampoline_begin, trampolines);
	bpf_program__set_autoload(s->progs.trampoline_end, trampolines);
	bpf_program__set_autoload(s->progs.kprobe_begin, !trampolines);
	bpf_program__set_autoload(s->progs.kprobe_end, !trampolines);
	err = oracle_bpf__load(s);
	if (!err)
		err = oracle_bpf__attach(s);
	if (err)
		oracle_bpf__destroy(s);
	else
		*skel = s;
	return err;
}

/* Calls that a program was not run for, because it was running on that CPU already. */
static unsigned long long missed(const struct bpf_program *prog)
{
	struct bpf_prog_info info = {};
	__u32 size = sizeof(info);
	int fd = bpf_program__fd(prog);

	return fd < 0 || bpf_obj_get_info_by_fd(fd, &info, &size) ? 0 : info.recursion_misses;
}

/* The program, held until it is told to go on. */
static pid_t start(char **argv, int *go)
{
	int fds[2];
	pid_t pid;
	char c;

	if (pipe(fds))
		return -1;
	pid = fork();
	if (pid) {
		close(fds[0]);
		*go = fds[1];
		return pid;
	}
	close(fds[1]);
	if (read(fds[0], &c, 1) != 1)
		_exit(1);
	close(fds[0]);
	execvp(argv[0], argv);
	fprintf(stderr, "oracle: %s: %s\n", argv[0], strerror(errno));
	_exit(127);
}

static int watch(struct oracle_bpf *skel, FILE *out, pid_t pid, int go)
{
	struct ring_buffer *ring =
		ring_buffer__new(bpf_map__fd(skel->maps.done), print_fault, out, NULL);
	int status = 0;

	if (!ring ||
	    bpf_map__update_elem(skel->maps.members, &pid, sizeof(pid), &pid, sizeof(pid), BPF_ANY))
		return 1;
	if (write(go, "", 1) != 1)
		return 1;
	while (!waitpid(pid, &status, WNOHANG))
		ring_buffer__poll(ring, 20);
	ring_buffer__consume(ring);
	ring_buffer__free(ring);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

static int print_nothing(enum libbpf_print_level level, const char *format, va_list args)
{
	(void)level;
	(void)format;
	(void)args;
	return 0;
}

int main(int argc, char **argv)
{
	struct oracle_bpf *skel = NULL;
	int go, status, refused, err, kprobes = argc > 1 && !strcmp(argv[1], "-k");
	bool trampolines;
	FILE *out;
	pid_t pid;

	argv += kprobes;
	if (argc - kprobes < 3) {
		fprintf(stderr, "usage: oracle [-k] OUT PROGRAM [ARG]...\n");
		return 2;
	}
	out = fopen(argv[1], "we");
	if (!out) {
		fprintf(stderr, "oracle: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	if (!getenv("ORACLE_VERBOSE"))
		libbpf_set_print(print_nothing);
	refused = kprobes ? -ENOTSUP : attach(&skel, true);
	trampolines = !refused;
	err = refused ? attach(&skel, false) : 0;
	if (err) {
		fprintf(stderr, "oracle: this kernel refuses fexit (%s) and kprobes (%s)\n",
			strerror(-refused), strerror(-err));
		return CANNOT;
	}
	pid = start(argv + 2, &go);
	if (pid < 0) {
		fprintf(stderr, "oracle: cannot start %s: %s\n", argv[2], strerror(errno));
		return 1;
	}
	status = watch(skel, out, pid, go);
	fprintf(out, "{\"by\":\"%s\",\"lost\":%llu}\n", trampolines ? "fexit" : "kprobe",
		(unsigned long long)skel->bss->lost + missed(skel->progs.trampoline_begin) +
			missed(skel->progs.trampoline_end) + missed(skel->progs.kprobe_begin) +
			missed(skel->progs.kprobe_end));
	oracle_bpf__destroy(skel);
	if (fclose(out)) {
		fprintf(stderr, "oracle: %s: %s\n", argv[1], strerror(errno));
		return 1;
	}
	return status;
}
