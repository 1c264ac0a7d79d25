/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Log-linear histogram slots: exact below 16, then 16 slots per power of two, so that a slot is
 * at most 1/16 of its value wide and its middle at most 3.2 % off. The same slots are counted by
 * the BPF programs and by the loader; log2 histograms are sums of 16 neighbours.
 */
#ifndef FS_HIST_H
#define FS_HIST_H

#define FS_HIST_SUB_BITS 4
#define FS_HIST_SUB      (1 << FS_HIST_SUB_BITS)
#define FS_HIST_MAX_BITS 38 /* values are clamped below 2^38: 274 s in ns, 256 GiB in bytes */
#define FS_HIST_SLOTS    ((FS_HIST_MAX_BITS - FS_HIST_SUB_BITS + 1) * FS_HIST_SUB)

/* Floor of log2(v), v > 0; without a loop and without clz, which BPF does not have. */
static inline __attribute__((always_inline)) unsigned int fs_log2(unsigned long long v)
{
	unsigned int r = 0, shift;

	shift = (v > 0xffffffffULL) << 5;
	v >>= shift;
	r |= shift;
	shift = (v > 0xffff) << 4;
	v >>= shift;
	r |= shift;
	shift = (v > 0xff) << 3;
	v >>= shift;
	r |= shift;
	shift = (v > 0xf) << 2;
	v >>= shift;
	r |= shift;
	shift = (v > 0x3) << 1;
	v >>= shift;
	r |= shift;
	r |= v >> 1;
	return r;
}

/* Slot of a value; values of 2^FS_HIST_MAX_BITS and more share the last slot. */
static inline __attribute__((always_inline)) unsigned int fs_hist_slot(unsigned long long v)
{
	unsigned int e;

	if (v < FS_HIST_SUB)
		return v;
	if (v >> FS_HIST_MAX_BITS)
		return FS_HIST_SLOTS - 1;
	e = fs_log2(v);
	return ((e - FS_HIST_SUB_BITS + 1) << FS_HIST_SUB_BITS) +
	       ((v >> (e - FS_HIST_SUB_BITS)) & (FS_HIST_SUB - 1));
}

/* Smallest value of a slot; fs_hist_floor(slot + 1) is the first value beyond it. */
static inline unsigned long long fs_hist_floor(unsigned int slot)
{
	unsigned int e;

	if (slot < FS_HIST_SUB)
		return slot;
	e = slot / FS_HIST_SUB - 1;
	return (unsigned long long)(FS_HIST_SUB + slot % FS_HIST_SUB) << e;
}

#endif /* FS_HIST_H */
