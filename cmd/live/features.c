// SPDX-License-Identifier: GPL-2.0-only
#include "live/features.h"

#include <bpf/bpf.h>
#include <bpf/btf.h>
#include <bpf/libbpf.h>
#include <errno.h>
#include <linux/capability.h>
#include <linux/perf_event.h>
#include <linux/types.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "live/tracefs.h"

static const struct feature_row rows[FEATURE_NR] = {
	[FEATURE_BTF] = {
		"btf", "kernel types, to run one program on every kernel", "", "everything", true,
	},
	[FEATURE_MAPLE_TREE] = {
		"maple-tree", "finding a fault's VMA without a lock (Linux 6.1)", "", "everything", true,
	},
	[FEATURE_SOFTWARE_EVENTS] = {
		"software-events", "the end of each fault, minor or major", "", "everything", true,
	},
	[FEATURE_TASK_EVENTS] = {
		"task-events", "software events of the target alone: no cost for other processes",
		"events of all CPUs, filtered", "other processes' faults become dearer", false,
	},
	[FEATURE_EXCEPTIONS] = {
		"exceptions", "the beginning of each fault with its access (page_fault_user, _kernel)",
		"software event PAGE_FAULTS",
		"kernel accesses that are fixed up are not counted; the access comes from page tables", false,
	},
	[FEATURE_SIGNALS] = {
		"signals", "faults that fail (signal_generate)", "none",
		"segmentation faults and bus errors are not counted", false,
	},
	[FEATURE_LIFETIMES] = {
		"lifetimes", "fork, exec, exit and names of processes", "/proc",
		"children are not followed; short-lived processes have no name", false,
	},
	[FEATURE_PAGE_TABLES] = {
		"page-tables", "the class of a fault, from its page-table entry before and after", "the VMA",
		"classes of anonymous memory and copies are unknown", false,
	},
	[FEATURE_NUMA] = {
		"numa", "NUMA hinting faults (task->numa_faults_locality)", "page tables",
		"hinting faults that were resolved before are spurious", false,
	},
	[FEATURE_CAST] = {
		"rdonly-cast", "reading kernel memory with plain loads (bpf_rdonly_cast)", "probe reads",
		"each fault costs about 100 ns more", false,
	},
	[FEATURE_PROBE_READS] = {
		"probe-reads", "reading memory of programs (bpf_probe_read_user)", "none",
		"stacks given to clone3 and some mapping calls of 32-bit tasks are not known", false,
	},
	[FEATURE_LOCK_SEQ] = {
		"lock-seq", "knowing that a VMA found before is still there (mm_lock_seq)",
		"a walk of the tree at each fault",
		"each fault costs about 50 ns more, and what is mapped may be read amid a change", false,
	},
	[FEATURE_SYSCALL_TRACEPOINTS] = {
		"syscall-tracepoints", "mapping calls (syscalls:sys_enter_mmap and so on)", "raw sys_enter",
		"every system call of the machine costs about 100 ns more", false,
	},
	[FEATURE_RAW_SYSCALLS] = {
		"raw-syscalls", "mapping calls of 32-bit tasks (raw sys_enter)", "none",
		"mapping calls of 32-bit tasks are not seen", false,
	},
	[FEATURE_MEMCG_EVENTS] = {
		"memcg-events", "the end of minor faults, more cheaply (count_memcg_events, Linux 6.14)",
		"software event PAGE_FAULTS_MIN", "each fault costs about 20 ns more", false,
	},
};

const struct feature_row *feature_row(enum feature_id id)
{
	return &rows[id];
}

bool features__use(const struct features *f, enum feature_id id)
{
	return f->state[id].available && !f->state[id].left_out;
}

static void absent(struct feature_state *st, const char *why)
{
	st->available = false;
	snprintf(st->why, sizeof(st->why), "%s", why);
}

/* Does a struct of the kernel have this member, also inside an anonymous one? */
static bool has_member(const struct btf *btf, int type, const char *name, int depth)
{
	const struct btf_type *t = type > 0 ? btf__type_by_id(btf, type) : NULL;

	if (!t || !btf_is_composite(t) || depth > 4)
		return false;
	for (int i = 0; i < btf_vlen(t); i++) {
		const struct btf_member *m = btf_members(t) + i;
		const char *n = btf__name_by_offset(btf, m->name_off);

		if (!strcmp(n, name) || (!*n && has_member(btf, m->type, name, depth + 1)))
			return true;
	}
	return false;
}

static bool struct_has(const struct btf *btf, const char *type, const char *member)
{
	return has_member(btf, btf__find_by_name_kind(btf, type, BTF_KIND_STRUCT), member, 0);
}

static bool has_tracepoint(const struct btf *btf, const char *name)
{
	char type[64];

	snprintf(type, sizeof(type), "btf_trace_%s", name);
	return btf__find_by_name_kind(btf, type, BTF_KIND_TYPEDEF) > 0;
}

static void probe_tracepoints(struct features *f, enum feature_id id, const char *const *names)
{
	f->state[id].available = true;
	for (; *names; names++)
		if (!f->btf || !has_tracepoint(f->btf, *names)) {
			f->state[id].available = false;
			snprintf(f->state[id].why, sizeof(f->state[id].why),
				 "no tracepoint %s on this kernel or architecture", *names);
			return;
		}
}

/* Does the memory controller count (it can be switched off at boot)? */
static bool memory_controller_on(void)
{
	char line[256];
	FILE *f = fopen("/proc/cgroups", "re");
	int enabled = 0;

	while (f && fgets(line, sizeof(line), f))
		if (sscanf(line, "memory %*d %*d %d", &enabled) == 1)
			break;
	if (f)
		fclose(f);
	/* controllers without a v1 side are not listed there any more (commit af000ce85293) */
	f = enabled ? NULL : fopen("/sys/fs/cgroup/cgroup.controllers", "re");
	if (f && fgets(line, sizeof(line), f))
		enabled = strstr(line, "memory") != NULL;
	if (f)
		fclose(f);
	return enabled;
}

static void probe_event(struct feature_state *st, int pid, int cpu, bool inherit)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_SOFTWARE,
		.size = sizeof(attr),
		.config = PERF_COUNT_SW_PAGE_FAULTS_MIN,
		.sample_period = 1,
		.disabled = 1,
		.inherit = inherit,
	};
	int fd = syscall(SYS_perf_event_open, &attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	if (fd < 0) {
		snprintf(st->why, sizeof(st->why), "perf_event_open: %s", strerror(errno));
		return;
	}
	close(fd);
	st->available = true;
}

/* Refused by a kernel that is locked down in confidentiality mode: LOCKDOWN_BPF_READ_KERNEL. */
static void probe_reads(struct feature_state *st)
{
	/* bpf_probe_read_kernel(fp - 8, 8, 0); return 0 */
	const struct bpf_insn insns[] = {
		{ .code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = 1, .src_reg = 10 },
		{ .code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = 1, .imm = -8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 8 },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 3 },
		{ .code = BPF_JMP | BPF_CALL, .imm = BPF_FUNC_probe_read_kernel },
		{ .code = BPF_ALU64 | BPF_MOV | BPF_K },
		{ .code = BPF_JMP | BPF_EXIT },
	};
	int fd = bpf_prog_load(BPF_PROG_TYPE_TRACEPOINT, "fs_probe", "GPL", insns,
			       sizeof(insns) / sizeof(insns[0]), NULL);

	/* any other error is not about this: loading the programs will tell */
	st->available = fd >= 0 || errno != EINVAL;
	if (!st->available)
		absent(st, "the kernel is locked down in confidentiality mode");
	if (fd >= 0)
		close(fd);
}

static void probe_types(struct features *f)
{
	struct feature_state *st = f->state;

	st[FEATURE_MAPLE_TREE].available = struct_has(f->btf, "mm_struct", "mm_mt");
	if (!st[FEATURE_MAPLE_TREE].available)
		absent(&st[FEATURE_MAPLE_TREE], "this kernel is older than Linux 6.1");
	st[FEATURE_LOCK_SEQ].available = struct_has(f->btf, "mm_struct", "mm_lock_seq");
	if (!st[FEATURE_LOCK_SEQ].available)
		absent(&st[FEATURE_LOCK_SEQ], "no mm_lock_seq: before Linux 6.4");
	st[FEATURE_NUMA].available = struct_has(f->btf, "task_struct", "numa_faults_locality");
	if (!st[FEATURE_NUMA].available)
		absent(&st[FEATURE_NUMA], "built without CONFIG_NUMA_BALANCING");
	st[FEATURE_CAST].available =
		btf__find_by_name_kind(f->btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;
	if (!st[FEATURE_CAST].available)
		absent(&st[FEATURE_CAST], "no bpf_rdonly_cast: before Linux 6.2");
	/* settled by session__open(); until then there is hope */
	st[FEATURE_PAGE_TABLES].available = true;
}

static void probe_all(struct features *f)
{
	static const char *const exceptions[] = { "page_fault_user", "page_fault_kernel", NULL };
	static const char *const signals[] = { "signal_generate", NULL };
	static const char *const lives[] = { "task_newtask", "sched_process_exec",
					     "sched_process_exit", "task_rename", NULL };
	static const char *const raw[] = { "sys_enter", "sys_exit", NULL };
	static const char *const memcg[] = { "count_memcg_events", NULL };
	struct feature_state *st = f->state;
	int id;

	f->btf = btf__load_vmlinux_btf();
	if (f->btf) {
		st[FEATURE_BTF].available = true;
		probe_types(f);
	} else {
		absent(&st[FEATURE_BTF], "no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)");
	}
	probe_tracepoints(f, FEATURE_EXCEPTIONS, exceptions);
	probe_tracepoints(f, FEATURE_SIGNALS, signals);
	probe_tracepoints(f, FEATURE_LIFETIMES, lives);
	probe_tracepoints(f, FEATURE_RAW_SYSCALLS, raw);
	probe_tracepoints(f, FEATURE_MEMCG_EVENTS, memcg);
	if (st[FEATURE_MEMCG_EVENTS].available && !memory_controller_on())
		absent(&st[FEATURE_MEMCG_EVENTS], "the memory controller is switched off");
	probe_reads(&st[FEATURE_PROBE_READS]);
	probe_event(&st[FEATURE_SOFTWARE_EVENTS], -1, 0, false);
	probe_event(&st[FEATURE_TASK_EVENTS], 0, -1, true);
	f->tracefs_fd = tracefs__open();
	id = f->tracefs_fd < 0 ? f->tracefs_fd :
				 tracefs__id(f->tracefs_fd, "syscalls", "sys_enter_mmap");
	if (id > 0)
		st[FEATURE_SYSCALL_TRACEPOINTS].available = true;
	else
		snprintf(st[FEATURE_SYSCALL_TRACEPOINTS].why,
			 sizeof(st[FEATURE_SYSCALL_TRACEPOINTS].why), "%s: %s",
			 f->tracefs_fd < 0 ? "tracefs" : "syscalls:sys_enter_mmap", strerror(-id));
}

static int leave_out(struct features *f, const char *name)
{
	char known[512] = "";

	for (int i = 0; i < FEATURE_NR; i++) {
		if (!strcmp(rows[i].name, name)) {
			f->state[i].left_out = true;
			return 0;
		}
		strncat(known, i ? ", " : "", sizeof(known) - strlen(known) - 1);
		strncat(known, rows[i].name, sizeof(known) - strlen(known) - 1);
	}
	log_error("no feature '%s' (there are %s)", name, known);
	return -EINVAL;
}

/* libbpf's words are for those who ask for them. */
static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list ap)
{
	char *text, *rest, *line;

	if (log_level() < 2 || level == LIBBPF_DEBUG || vasprintf(&text, fmt, ap) < 0)
		return 0;
	/* the verifier's log comes as one text of many lines; the last ones say why */
	for (rest = text; (line = strsep(&rest, "\n"));)
		if (*line)
			log_debug("%s", line);
	free(text);
	return 0;
}

int features__probe(struct features *f, char *const *without, size_t nwithout)
{
	int err = 0;

	libbpf_set_print(print_libbpf);
	memset(f, 0, sizeof(*f));
	f->tracefs_fd = -1;
	for (size_t i = 0; i < nwithout && !err; i++)
		err = leave_out(f, without[i]);
	if (!err)
		probe_all(f);
	return err;
}

void features__drop_btf(struct features *f)
{
	btf__free(f->btf);
	f->btf = NULL;
}

void features__clear(struct features *f)
{
	if (f->tracefs_fd >= 0)
		close(f->tracefs_fd);
	btf__free(f->btf);
	f->tracefs_fd = -1;
	f->btf = NULL;
}

int features__check(const struct features *f)
{
	for (int i = 0; i < FEATURE_NR; i++) {
		if (!rows[i].required || features__use(f, i))
			continue;
		if (f->state[i].left_out)
			log_error("cannot do without %s: %s", rows[i].name, rows[i].what);
		else
			log_error("this kernel cannot do it: %s", f->state[i].why);
		return -ENOTSUP;
	}
	if (!features__use(f, FEATURE_CAST) && !features__use(f, FEATURE_PROBE_READS)) {
		if (f->state[FEATURE_CAST].left_out || f->state[FEATURE_PROBE_READS].left_out)
			log_error("cannot do without both %s and %s", rows[FEATURE_CAST].name,
				  rows[FEATURE_PROBE_READS].name);
		else
			log_error("this kernel cannot do it: %s, and there is %s",
				  f->state[FEATURE_PROBE_READS].why, f->state[FEATURE_CAST].why);
		return -ENOTSUP;
	}
	return 0;
}

int features__check_rights(void)
{
	static const struct {
		int cap;
		const char *name;
	} needed[] = { { 39, "CAP_BPF" }, { 38, "CAP_PERFMON" }, { 19, "CAP_SYS_PTRACE" } };
	struct __user_cap_header_struct hdr = { .version = _LINUX_CAPABILITY_VERSION_3 };
	struct __user_cap_data_struct data[2] = { 0 };
	__u64 have;

	if (syscall(SYS_capget, &hdr, data))
		return 0;
	have = data[0].effective | (__u64)data[1].effective << 32;
	for (size_t i = 0; i < sizeof(needed) / sizeof(needed[0]); i++) {
		/* CAP_SYS_ADMIN (21) includes the first two: include/linux/capability.h */
		bool by_admin = needed[i].cap != 19 && (have & (1ULL << 21));

		if (by_admin || (have & (1ULL << needed[i].cap)))
			continue;
		log_error("missing %s: run as root, or give the program CAP_BPF, CAP_PERFMON and "
			  "CAP_SYS_PTRACE",
			  needed[i].name);
		return -EPERM;
	}
	return 0;
}
