/* SPDX-License-Identifier: GPL-2.0-only */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/hist.h"

void hist__add(struct hist *h, __u64 value)
{
	h->slots[fs_hist_slot(value)]++;
	h->count++;
	h->sum += value;
	if (value > h->max)
		h->max = value;
}

void hist__add_slots(struct hist *dst, const struct hist *src)
{
	size_t i;

	for (i = 0; i < FS_HIST_SLOTS; i++)
		dst->slots[i] += src->slots[i];
	dst->count += src->count;
	dst->sum += src->sum;
	if (src->max > dst->max)
		dst->max = src->max;
}

/* The value at `rank` (1 to the slot's count) of a slot's values, as if they were spread evenly. */
static __u64 interpolate(const struct hist *h, unsigned int slot, __u64 rank)
{
	__u64 from = fs_hist_floor(slot), to = fs_hist_floor(slot + 1);

	/* The last slot has no upper end, and the slot of the maximum ends with it. */
	if (slot == FS_HIST_SLOTS - 1 || to > h->max)
		to = h->max + 1;
	if (to <= from + 1)
		return from < h->max ? from : h->max;
	return from + (__u64)((double)(to - from) * ((double)rank - 0.5) / (double)h->slots[slot]);
}

__u64 hist__quantile(const struct hist *h, double q)
{
	__u64 rank, before = 0;
	unsigned int i;

	if (!h->count)
		return 0;
	rank = (__u64)(q * (double)h->count);
	if ((double)rank < q * (double)h->count)
		rank++;
	if (!rank)
		rank = 1;
	if (rank >= h->count)
		return h->max;
	for (i = 0; i < FS_HIST_SLOTS; i++) {
		if (before + h->slots[i] >= rank)
			return interpolate(h, i, rank - before);
		before += h->slots[i];
	}
	return h->max;
}

/* The power of two that a slot belongs to, as a row: row 0 is zero, row r begins at 2^(r-1). */
static unsigned int log2_row(unsigned int slot)
{
	return slot ? 1 + fs_log2(fs_hist_floor(slot)) : 0;
}

size_t hist__log2(const struct hist *h, struct hist_log2 *out, size_t n)
{
	unsigned int slot, row, first = HIST_LOG2_ROWS, last = 0;
	__u64 counts[HIST_LOG2_ROWS] = { 0 };
	size_t rows;

	for (slot = 0; slot < FS_HIST_SLOTS; slot++) {
		if (!h->slots[slot])
			continue;
		row = log2_row(slot);
		counts[row] += h->slots[slot];
		if (first > row)
			first = row;
		last = row;
	}
	for (row = first, rows = 0; row <= last && rows < n; row++, rows++) {
		out[rows].from = row ? 1ULL << (row - 1) : 0;
		out[rows].to = 1ULL << row;
		out[rows].count = counts[row];
	}
	return rows;
}

static int hist_sparse__add_octave(struct hist_sparse *h, unsigned int octave)
{
	/* Room for two at a time: the values of most lie in three to five octaves. */
	if (h->used % 2 == 0) {
		void *grown = realloc(h->octaves, (h->used + 2) * sizeof(*h->octaves));

		if (!grown)
			return -ENOMEM;
		h->octaves = grown;
	}
	memset(h->octaves[h->used], 0, sizeof(*h->octaves));
	h->index[octave] = ++h->used;
	return 0;
}

static int hist_sparse__make_dense(struct hist_sparse *h)
{
	struct hist *dense = calloc(1, sizeof(*dense));

	if (!dense)
		return -ENOMEM;
	hist_sparse__expand(h, dense);
	free(h->octaves);
	h->octaves = NULL;
	h->used = 0;
	h->dense = dense;
	return 0;
}

/* Count n values of a slot; not their sum and maximum. */
static int hist_sparse__add_slot(struct hist_sparse *h, unsigned int slot, __u64 n)
{
	unsigned int octave = slot / FS_HIST_SUB;
	int err;

	/* No slot can hold more than the count, so none overflows. */
	if (!h->dense && h->count + n > 0xffffffffULL) {
		err = hist_sparse__make_dense(h);
		if (err)
			return err;
	}
	if (h->dense) {
		h->dense->slots[slot] += n;
	} else {
		if (!h->index[octave]) {
			err = hist_sparse__add_octave(h, octave);
			if (err)
				return err;
		}
		h->octaves[h->index[octave] - 1][slot % FS_HIST_SUB] += n;
	}
	h->count += n;
	return 0;
}

int hist_sparse__add(struct hist_sparse *h, __u64 value)
{
	int err = hist_sparse__add_slot(h, fs_hist_slot(value), 1);

	if (err)
		return err;
	h->sum += value;
	if (value > h->max)
		h->max = value;
	return 0;
}

int hist_sparse__add_counts(struct hist_sparse *h, const __u32 *slots, __u64 sum, __u64 max)
{
	unsigned int i;
	int err;

	h->sum += sum;
	if (max > h->max)
		h->max = max;
	for (i = 0; i < FS_HIST_SLOTS; i++) {
		if (!slots[i])
			continue;
		err = hist_sparse__add_slot(h, i, slots[i]);
		if (err)
			return err;
	}
	return 0;
}

int hist_sparse__merge(struct hist_sparse *dst, const struct hist_sparse *src)
{
	unsigned int i, octave;
	__u64 n;
	int err;

	dst->sum += src->sum;
	if (src->max > dst->max)
		dst->max = src->max;
	for (i = 0; i < FS_HIST_SLOTS; i++) {
		octave = i / FS_HIST_SUB;
		if (!src->dense && !src->index[octave]) {
			i += FS_HIST_SUB - 1;
			continue;
		}
		n = src->dense ? src->dense->slots[i] :
				 src->octaves[src->index[octave] - 1][i % FS_HIST_SUB];
		if (!n)
			continue;
		err = hist_sparse__add_slot(dst, i, n);
		if (err)
			return err;
	}
	return 0;
}

void hist_sparse__expand(const struct hist_sparse *h, struct hist *out)
{
	unsigned int octave, i;

	for (octave = 0; octave < HIST_OCTAVES; octave++) {
		for (i = 0; i < FS_HIST_SUB; i++) {
			unsigned int slot = octave * FS_HIST_SUB + i;

			if (h->dense)
				out->slots[slot] += h->dense->slots[slot];
			else if (h->index[octave])
				out->slots[slot] += h->octaves[h->index[octave] - 1][i];
		}
	}
	out->count += h->count;
	out->sum += h->sum;
	if (h->max > out->max)
		out->max = h->max;
}

void hist_sparse__clear(struct hist_sparse *h)
{
	free(h->octaves);
	free(h->dense);
	memset(h, 0, sizeof(*h));
}
