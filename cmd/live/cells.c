// SPDX-License-Identifier: GPL-2.0-only
#include "live/cells.h"

#include <bpf/bpf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "base/memory.h"

struct cells {
	struct fs_cell *live;               /* [number * ncpus + cpu], written by the kernel side */
	struct fs_cell_owner *owners;       /* [number], so is this */
	struct fs_cell *seen[FS_CELLS + 1]; /* what was delivered of each number; NULL: nothing */
	size_t bytes, owners_bytes;
	int command_fd;
	__u32 ncpus;
};

struct cells *cells__open(int cells_fd, int owners_fd, int free_fd, int command_fd, __u32 ncpus)
{
	struct cells *c = calloc(1, sizeof(*c));
	int err;

	if (!c)
		return NULL;
	c->command_fd = command_fd;
	c->ncpus = ncpus;
	c->bytes = page_round((size_t)(FS_CELLS + 1) * ncpus * sizeof(*c->live));
	c->owners_bytes = page_round((FS_CELLS + 1) * sizeof(*c->owners));
	c->live = mmap(NULL, c->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, cells_fd, 0);
	c->owners = mmap(NULL, c->owners_bytes, PROT_READ, MAP_SHARED, owners_fd, 0);
	if (c->live == MAP_FAILED || c->owners == MAP_FAILED) {
		err = errno;
		cells__close(c);
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
	if (c->live != MAP_FAILED)
		munmap(c->live, c->bytes);
	if (c->owners != MAP_FAILED)
		munmap(c->owners, c->owners_bytes);
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

static void command(const struct cells *c, enum fs_cell_command what, __u32 n)
{
	__u64 args[2] = { what, n };
	LIBBPF_OPTS(bpf_test_run_opts, run, .ctx_in = args, .ctx_size_in = sizeof(args));

	bpf_prog_test_run_opts(c->command_fd, &run);
}

static void retire(struct cells *c, __u32 n)
{
	command(c, FS_CELL_FORGET, n);
	memset(&c->live[(size_t)n * c->ncpus], 0, c->ncpus * sizeof(struct fs_cell));
	free(c->seen[n]);
	c->seen[n] = NULL;
	command(c, FS_CELL_FREE, n);
}

int cells__harvest(struct cells *c, cell_over_fn over, cell_fn fn, void *ctx)
{
	int err = 0;

	for (__u32 n = 1; n <= FS_CELLS && !err; n++) {
		struct fs_cell_key key;

		if (!__atomic_load_n(&c->owners[n].used, __ATOMIC_ACQUIRE))
			continue;
		key = c->owners[n].key;
		if (over && !over(ctx, &key))
			continue;
		err = deliver(c, &key, n, fn, ctx);
		if (over && !err)
			retire(c, n);
	}
	return err;
}
