/* SPDX-License-Identifier: GPL-2.0-only */
/* The clock of all events. */
#ifndef FS_CLOCK_H
#define FS_CLOCK_H

#include <time.h>
#include <linux/types.h>

/* A clock of clock_gettime(2), in ns. */
static inline __u64 clock_ns_of(clockid_t id)
{
	struct timespec ts;

	clock_gettime(id, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* CLOCK_MONOTONIC in ns, as bpf_ktime_get_ns() gives it. */
static inline __u64 clock_ns(void)
{
	return clock_ns_of(CLOCK_MONOTONIC);
}

#endif /* FS_CLOCK_H */
