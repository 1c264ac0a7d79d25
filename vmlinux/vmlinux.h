/* SPDX-License-Identifier: GPL-2.0-only */
/* Kernel types of the architecture that is built for; CO-RE fits them to the running kernel. */
#ifndef FS_VMLINUX_H
#define FS_VMLINUX_H

#if defined(__TARGET_ARCH_x86)
#include "x86/vmlinux.h"
#elif defined(__TARGET_ARCH_arm64)
#include "arm64/vmlinux.h"
#else
#error "vmlinux.h: build with -D__TARGET_ARCH_x86 or -D__TARGET_ARCH_arm64"
#endif

#endif /* FS_VMLINUX_H */
