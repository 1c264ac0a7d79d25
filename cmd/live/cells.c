// SPDX-License-Identifier: GPL-2.0-only
#include "live/cells.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

struct cells {
	struct fs_cell *live;               /* [number * ncpus + cpu], written by the kernel side */
	struct fs_cell *seen[FS_CELLS + 1]; /* what was delivered of each number; NULL: nothing */
	size_t bytes;
	int numbers_fd, free_fd;
	__u32 ncpus;
};

struct cells *cells__open(int cells_fd, int numbers_fd, int free_fd, __u32 ncpus)
{
	struct cells *c = calloc(1, sizeof(*c));
	size_t page = sysconf(_SC_PAGESIZE);
	int err;

	if (!c)
		return NULL;
	c->numbers_fd = numbers_fd;
	c->free_fd = free_fd;
	c->ncpus = ncpus;
	c->bytes = (size_t)(FS_CELLS + 1) * ncpus * sizeof(struct fs_cell);
	c->bytes = (c->bytes + page - 1) & ~(page - 1);
	c->live = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cells_fd, 0);
	if (c->live == MAP_FAILED) {
		err = errno;
		free(c);
		errno = err;
		return NULL;
	}
	for (__u32 n = 1; n <= FS_CELLS; n++)
		if (bpf_map_update_elem(free_fd, NULL, &n, 0)) {
			err = errno;
			cells__close(c);
			errno = err;
			return NULL;
		}
	return c;
}

void cells__close(struct cells *c)
{
	if (!c)
		return;
	munmap(c->live, c->bytes);
	for (__u32 n = 0; n <= FS_CELLS; n++)
		free(c->seen[n]);
	free(c);
}

/* Add up a cell over the CPUs. Each figure is read once: it may be rising. */
static void sum_cell(const struct cells *c, __u32 n, struct fs_cell *sum)
{
	memset(sum, 0, sizeof(*sum));
	for (__u32 cpu = 0; cpu < c->ncpus; cpu++) {
		const volatile struct fs_cell *l = &c->live[(size_t)n * c->ncpus + cpu];
		__u64 max_ns = l->max_ns;

		if (!l->faults)
			continue;
		sum->faults += l->faults;
		sum->major += l->major;
		sum->kernel += l->kernel;
		sum->pages += l->pages;
		sum->sum_ns += l->sum_ns;
		if (max_ns > sum->max_ns)
			sum->max_ns = max_ns;
		for (int i = 0; i < FS_HIST_SLOTS; i++)
			sum->slots[i] += l->slots[i];
	}
}

/* now - before; the maximum cannot be subtracted: it is that since the start. */
static void subtract(struct fs_cell *now, const struct fs_cell *before)
{
	now->faults -= before->faults;
	now->major -= before->major;
	now->kernel -= before->kernel;
	now->pages -= before->pages;
	now->sum_ns -= before->sum_ns;
	for (int i = 0; i < FS_HIST_SLOTS; i++)
		now->slots[i] -= before->slots[i];
}

static int deliver(struct cells *c, const struct fs_cell_key *key, __u32 n, cell_fn fn, void *ctx)
{
	struct fs_cell sum, delta;

	sum_cell(c, n, &sum);
	if (!sum.faults)
		return 0;
	if (!c->seen[n]) {
		c->seen[n] = calloc(1, sizeof(*c->seen[n]));
		if (!c->seen[n])
			return -ENOMEM;
	}
	delta = sum;
	subtract(&delta, c->seen[n]);
	*c->seen[n] = sum;
	return delta.faults ? fn(ctx, key, &delta) : 0;
}

static void retire(struct cells *c, const struct fs_cell_key *key, __u32 n)
{
	bpf_map_delete_elem(c->numbers_fd, key);
	memset(&c->live[(size_t)n * c->ncpus], 0, c->ncpus * sizeof(struct fs_cell));
	free(c->seen[n]);
	c->seen[n] = NULL;
	bpf_map_update_elem(c->free_fd, NULL, &n, 0);
}

int cells__harvest(struct cells *c, cell_over_fn over, cell_fn fn, void *ctx)
{
	struct fs_cell_key keys[FS_CELLS], key, *prev = NULL;
	__u32 n = 0, number;
	int err = 0;

	/* keys first: deleting while walking would start the walk again */
	while (n < FS_CELLS && !bpf_map_get_next_key(c->numbers_fd, prev, &key)) {
		if (!over || over(ctx, &key))
			keys[n++] = key;
		prev = &key;
	}
	for (__u32 i = 0; i < n && !err; i++) {
		if (bpf_map_lookup_elem(c->numbers_fd, &keys[i], &number) || number > FS_CELLS)
			continue;
		err = deliver(c, &keys[i], number, fn, ctx);
		if (over && !err)
			retire(c, &keys[i], number);
	}
	return err;
}
