/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of all events. */
#ifndef FS_CLOCK_H
#define FS_CLOCK_H

#include <time.h>
#include <linux/types.h>

/* CLOCK_MONOTONIC in ns, as bpf_ktime_get_ns() gives it. */
static inline __u64 clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

#endif /* FS_CLOCK_H */
