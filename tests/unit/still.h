/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef STILL_H
#define STILL_H

#include <sys/types.h>

/*
 * Fork a child that calls with(arg) and then stands still, so that its memory does not change. It
 * ends with us at the latest.
 */
pid_t still__fork(void (*with)(void *arg), void *arg);

/* End it. */
void still__end(pid_t pid);

#endif /* STILL_H */
