/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The executable mappings of an address space as it is now, sent for stacks that the loader unwinds:
 * when it comes to that the program may have ended, or have mapped something else there.
 */
#ifndef FS_CODE_LIST_BPF_H
#define FS_CODE_LIST_BPF_H

#include "code.bpf.h"

#define CODE_STEPS_MAX (2 * 65536) /* VMAs and gaps; vm.max_map_count is 65530 by default */
#define CODE_ANON_MAX \
	(FS_CODE_MAX / 2) /* a JIT's are not to take all the room: libraries lie above */
#define CODE_TEARS_MAX 8

/* The list that a CPU has sent last, and the one that it makes. */
struct code_list {
	u64 mm, image;
	u32 seq;
	u32 id; /* 0: none */
	struct id_hash sent;
	/* being made */
	u64 at;
	u32 tears;
	u32 lost; /* regions whose events could not be sent */
	struct id_hash hash;
	struct vma_slot slot;
	struct fs_code_event event;
	u32 regions_at[FS_CODE_MAX]; /* follow the event */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, u32);
	__type(value, struct code_list);
} code_lists SEC(".maps");

struct code_walk {
	struct code_list *list;
	struct lookup *look;
};

/* The VMA at list->at, or the gap there. */
static long code_list_step(u32 i, struct code_walk *w)
{
	struct code_list *list = w->list;
	struct lookup *look = w->look;
	struct mm_struct *mm;
	u64 vma, last = 0;
	u32 n;

	if (!list || !look)
		return 1;
	mm = (void *)*(volatile u64 *)&list->mm; /* a number to the verifier */
	vma = maple_walk(tree_root(mm), list->at, &last);
	if (!vma) {
		if (last < list->at || last == ~0UL)
			return 1;
		list->at = last + 1;
		return 0;
	}
	if (!vma_read(vma, &look->vma) || look->vma.mm != (u64)mm || look->vma.end <= list->at)
		return list->tears++ >= CODE_TEARS_MAX; /* another thread changes it: once more */
	list->at = look->vma.end;
	if (!(look->vma.flags & VM_EXEC))
		return 0;
	if (!look->vma.file && (look->vma.ops ? !is_vdso(vma) : list->event.n >= CODE_ANON_MAX))
		return 0;
	region_fill(mm, vma, look, look->vma.start, &list->slot, true);
	n = list->event.n;
	asm volatile("" : "+r"(n));
	if (n >= FS_CODE_MAX)
		return 1;
	list->regions_at[n] = list->slot.region_id;
	list->lost += !list->slot.region_id;
	list->event.n = n + 1;
	hash_add(&list->hash, list->slot.region_id);
	return 0;
}

static __always_inline bool code_list_send(struct code_list *list)
{
	u32 n = list->event.n, size;

	asm volatile("" : "+r"(n));
	if (n > FS_CODE_MAX)
		return false;
	size = sizeof(list->event) + n * sizeof(u32);
	head_init(&list->event.head, FS_EVENT_CODE, size);
	list->event.id = next_id(ID_CODE);
	if (!control_send(&list->event, size))
		return false;
	list->id = list->event.id;
	list->sent = list->hash;
	return true;
}

/*
 * The id of the list of the current task's executable mappings, sent where this CPU has not just sent
 * the same; 0: it could not be.
 */
__noinline u32 code_list_take(void)
{
	struct task_struct *task = bpf_get_current_task_btf();
	struct mm_struct *mm = task->mm;
	struct code_walk w = {};
	struct code_list *list;
	u64 image = task_image(task);
	u32 zero = 0, seq;

	list = bpf_map_lookup_elem(&code_lists, &zero);
	w.list = list;
	w.look = this_lookup();
	if (!mm || !list)
		return 0;
	seq = mm_seq(mm);
	if (cfg.lock_seq && list->id && list->mm == (u64)mm && list->image == image &&
	    list->seq == seq && mm_seq_quiet(seq))
		return list->id;
	list->mm = (u64)mm;
	list->image = image;
	list->seq = seq;
	list->at = 0;
	list->tears = list->lost = 0;
	list->hash.first = list->hash.second = 0;
	list->event.n = 0;
	bpf_loop(CODE_STEPS_MAX, code_list_step, &w, 0);
	if (list->mm != (u64)mm ||
	    list->image != image) /* put aside for another program on this CPU */
		return 0;
	if (list->id && list->hash.first == list->sent.first &&
	    list->hash.second == list->sent.second)
		return list->id;
	list->id = 0;
	if (!code_list_send(list))
		return 0;
	if (list->lost) /* there may be room for them the next time */
		list->mm = 0;
	return list->id;
}

#endif /* FS_CODE_LIST_BPF_H */
