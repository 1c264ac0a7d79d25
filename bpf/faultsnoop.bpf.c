// SPDX-License-Identifier: GPL-2.0-only
/*
 * The kernel side in one object: a family of probes is a file and a row here. They are not linked
 * from objects of their own because libbpf's static linker (up to 1.1 at least) cannot merge two
 * that declare the same kernel function.
 */
#include "compat.bpf.h"

char LICENSE[] SEC("license") = "GPL";

const volatile struct fs_config cfg = {};

#include "layout.bpf.h"
#include "probe_fault.bpf.h"
#include "probe_life.bpf.h"
#include "probe_calls.bpf.h"
#include "probe_setup.bpf.h"
