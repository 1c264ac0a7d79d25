/* SPDX-License-Identifier: GPL-2.0-only */
/* Lists of executable mappings: what lay where when a stack was copied. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/proc.h"
#include "region/internal.h"

/* By rising address. */
struct code_list {
	__u32 id, n;
	const struct mapping *mappings[];
};

/* Once a CPU has sent another list it names the one before no more. */
static void forget_last(struct space *sp, __u16 cpu)
{
	struct code_list *last = id_table__get(&sp->code_of_cpus, cpu);

	if (!last)
		return;
	id_table__set(&sp->code_lists, last->id, NULL);
	id_table__set(&sp->code_of_cpus, cpu, NULL);
	free(last);
}

int code__event(struct space *sp, const struct fs_code_event *ev)
{
	const __u32 *regions = (const __u32 *)(ev + 1);
	const struct mapping *m;
	struct code_list *list;
	int err;

	if (!ev->id || ev->n > FS_CODE_MAX ||
	    ev->head.size - sizeof(*ev) < ev->n * sizeof(*regions) ||
	    id_table__get(&sp->code_lists, ev->id))
		return 0;
	list = malloc(sizeof(*list) + ev->n * sizeof(m));
	if (!list)
		return -ENOMEM;
	list->id = ev->id;
	list->n = 0;
	for (__u32 i = 0; i < ev->n; i++) {
		m = space__mapping(sp, regions[i]);
		if (m) /* else its event was lost */
			list->mappings[list->n++] = m;
	}
	forget_last(sp, ev->head.cpu);
	err = id_table__set(&sp->code_lists, ev->id, list);
	if (err)
		free(list);
	return err ? err : id_table__set(&sp->code_of_cpus, ev->head.cpu, list);
}

void code__free(struct space *sp)
{
	id_table__free(&sp->code_lists, free);
	id_table__free(&sp->code_of_cpus, NULL);
}

static const struct mapping *find(const struct code_list *list, __u64 addr)
{
	__u32 low = 0, high = list->n;

	while (low < high) {
		__u32 mid = low + (high - low) / 2;

		if (list->mappings[mid]->end > addr)
			high = mid;
		else
			low = mid + 1;
	}
	return low < list->n && list->mappings[low]->start <= addr ? list->mappings[low] : NULL;
}

int space__code(struct space *sp, __u32 pid, __u32 code_id, __u64 addr, struct code *out)
{
	const struct code_list *list = id_table__get(&sp->code_lists, code_id);
	const struct mapping *m = list ? find(list, addr) : NULL;
	struct named_file *f;

	if (!m)
		return -ENOENT;
	f = m->file ? file__by_id(sp, m->file->id) : NULL;
	if (f)
		file__read_elf(sp, f, pid, m->start, m->end);
	*out = (struct code){ .start = m->start,
			      .offset = m->pgoff * sp->page_size,
			      .file = m->file,
			      .vdso = m->base == FS_REGION_VDSO };
	return 0;
}

struct reading {
	struct space *sp;
	__u32 pid;
};

static int read_map(void *ctx, const struct proc_map *map)
{
	struct reading *r = ctx;

	if (map->exec && map->ino && !file__of_map(r->sp, map, r->pid))
		return -ENOMEM;
	return 0;
}

int space__expect_code(struct space *sp, __u32 pid)
{
	struct reading r = { sp, pid };

	return proc__maps(pid, read_map, &r);
}
