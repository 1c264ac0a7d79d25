/* SPDX-License-Identifier: GPL-2.0-only */
/* Who is traced: members of a process tree, or whoever has the right comm and cgroup just now. */
#ifndef FS_TARGET_BPF_H
#define FS_TARGET_BPF_H

#include "state.bpf.h"

#define PF_FORKNOEXEC 0x00000040 /* include/linux/sched.h: forked, has not called execve yet */

/*
 * Is the task, or its process, a member of the `targets` map? With FS_MEMBER_FROM_EXEC it becomes one
 * when it has called execve.
 */
static __always_inline bool is_member(struct task_struct *task)
{
	u32 id = cfg.threads ? task->pid : task->tgid;
	u32 *how = bpf_map_lookup_elem(&targets, &id);

	/* of the leader: each new thread has the flag, too */
	return how && (*how != FS_MEMBER_FROM_EXEC || !(task->group_leader->flags & PF_FORKNOEXEC));
}

/*
 * Does one pattern match? Bit i of `state` says that the pattern's first i positions match the
 * text so far; a star keeps its bit alive.
 */
static __always_inline bool comm_match_one(const char *comm,
					   const volatile struct fs_comm_pattern *p)
{
	u32 state = 1, next, stars = p->star;

	for (int pos = 0; pos < FS_COMM_LEN - 1; pos++) {
		char c = comm[pos];

		if (!c)
			break;
		state |= (state & stars) << 1; /* a star may match nothing */
		next = state & stars;
		for (int i = 0; i < 15; i++)
			if ((state & (1 << i)) && !(stars & (1 << i)) && i < p->len &&
			    p->text[i] == c)
				next |= 1 << (i + 1);
		state = next;
	}
	for (int i = 0; i < 15; i++) /* stars at the end match nothing, too */
		if ((state & (1 << i)) && (stars & (1 << i)))
			state |= 1 << (i + 1);
	return state & (1 << p->len);
}

static __noinline bool comm_matches(struct task_state *st)
{
	if (cfg.ncomms == 0)
		return true;
	for (u32 i = 0; i < FS_MAX_COMMS; i++) {
		if (i >= cfg.ncomms)
			break;
		if (comm_match_one((const char *)st->comm, &cfg.comms[i]))
			return true;
	}
	return false;
}

/* The cgroup of the wanted hierarchy that a css_set belongs to. */
static __always_inline struct cgroup *cset_cgroup(struct css_set *cset)
{
	int subsys = cfg.cgroup_subsys;

	if (subsys >= 0 && subsys < 16) {
		struct cgroup_subsys_state *css = (void *)kernel_u64(
			(u64)cset + bpf_core_field_offset(struct css_set, subsys) +
			subsys * sizeof(void *));

		return KERNEL_READ(css, cgroup);
	}
	return KERNEL_READ(cset, dfl_cgrp);
}

/* A named v1 hierarchy has no controller: its cgroup is found among the css_set's links. */
static __always_inline struct cgroup *cset_named_cgroup(struct css_set *cset)
{
	struct list_head *head = (void *)cset + bpf_core_field_offset(struct css_set, cgrp_links);
	struct list_head *pos = KERNEL_READ(head, next);

	for (int i = 0; i < 16 && pos != head && pos; i++) {
		struct cgrp_cset_link *link =
			(void *)pos - bpf_core_field_offset(struct cgrp_cset_link, cgrp_link);
		struct cgroup *cg = KERNEL_READ(link, cgrp);

		if (KERNEL_READ(cg, root, hierarchy_id) == cfg.cgroup_hierarchy)
			return cg;
		pos = KERNEL_READ(pos, next);
	}
	return NULL;
}

#define CGROUP_MAX_DEPTH 32

/* Is the cgroup the wanted one, or below it? cgroup.ancestors: 6.1, commit 7f203bc89eb6. */
static __always_inline bool cgroup_is_wanted(struct cgroup *cg)
{
	u32 level = KERNEL_READ(cg, level);
	struct cgroup *up;

	for (u32 i = 0; i < CGROUP_MAX_DEPTH && i <= level; i++) {
		up = (void *)kernel_u64((u64)cg + bpf_core_field_offset(struct cgroup, ancestors) +
					i * sizeof(void *));
		if (KERNEL_READ(up, kn, id) == cfg.cgroup_id)
			return true;
	}
	return false;
}

/* Note the task's cgroup, once per css_set that it is in. */
static __always_inline void update_cgroup(struct task_state *st, struct task_struct *task)
{
	struct css_set *cset = task->cgroups;
	struct cgroup *cg;

	if (st->cset == (u64)cset)
		return;
	st->cset = (u64)cset;
	cg = cfg.cgroup_subsys < -1 ? cset_named_cgroup(cset) : cset_cgroup(cset);
	st->cgroup_id = KERNEL_READ(cg, kn, id);
	st->cgroup_ok = !cfg.cgroup_id || cgroup_is_wanted(cg);
#pragma unroll
	for (int i = 0; i < VMA_CACHE; i++) /* cells are per cgroup: look them up again */
		st->vmas[i].start = st->vmas[i].end = 0;
}

/* Is something of the task kept to know whether it is traced, or what it is counted to? */
static __always_inline bool match_is_kept(void)
{
	return cfg.want_cgroup || cfg.cgroup_id ||
	       (!cfg.check_members && cfg.target == FS_TARGET_MATCH && cfg.ncomms);
}

/* Where nothing is. */
static __always_inline bool member_checked(struct task_struct *task)
{
	return !cfg.check_members || is_member(task);
}

/* FS_TARGET_MATCH, and the cgroup of whom is traced. Verdicts are kept until comm or cgroup change. */
static __always_inline bool task_matches(struct task_state *st, struct task_struct *task)
{
	if (cfg.want_cgroup || cfg.cgroup_id)
		update_cgroup(st, task);
	if (cfg.check_members)
		return is_member(task);
	if (cfg.target != FS_TARGET_MATCH)
		return true;
	if (cfg.cgroup_id && !st->cgroup_ok)
		return false;
	if (cfg.ncomms) {
		/* an address space is known by the calls of all threads, or not at all */
		struct task_struct *named = cfg.layouts ? task->group_leader : task;
		u64 comm = (u64)named + bpf_core_field_offset(struct task_struct, comm);
		u64 now[2];

		now[0] = kernel_u64(comm);
		now[1] = kernel_u64(comm + 8);
		if (st->comm[0] != now[0] || st->comm[1] != now[1]) {
			st->comm[0] = now[0];
			st->comm[1] = now[1];
			st->comm_ok = comm_matches(st);
		}
		return st->comm_ok;
	}
	return true;
}

#endif /* FS_TARGET_BPF_H */
