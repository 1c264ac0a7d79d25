/* SPDX-License-Identifier: GPL-2.0-only */
/* Numbers of system calls that headers may be too old for: the same for all architectures. */
#ifndef LATER_CALLS_H
#define LATER_CALLS_H

#include <sys/syscall.h>

#ifndef SYS_map_shadow_stack
#define SYS_map_shadow_stack 453 /* Linux 6.6 */
#endif
#ifndef SYS_mseal
#define SYS_mseal 462 /* Linux 6.10 */
#endif

#endif /* LATER_CALLS_H */
