# SPDX-License-Identifier: GPL-2.0-only
"""What a running BPF program's process costs in memory, as the kernel tells it."""
import ctypes
import os
import platform
import re

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID = 12, 14
BPF_MAP_TYPE_RINGBUF = 27
PAGE_BYTES = os.sysconf("SC_PAGESIZE")
MAP_LINK = "anon_inode:bpf-map"


def _bpf(command, number):
    """bpf(2) with union bpf_attr { __u32 id; __u32 next_id; __u32 open_flags; }. Gives (result,
    next_id), result -1 on failure."""
    attr = (ctypes.c_uint32 * 32)(number, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF_SYSCALL[platform.machine()], command, ctypes.byref(attr),
                          ctypes.sizeof(attr))
    return result, attr[1]


def ids():
    """The ids of all maps of this kernel."""
    found, number = set(), 0
    while platform.machine() in BPF_SYSCALL:
        result, number = _bpf(BPF_MAP_GET_NEXT_ID, number)
        if result < 0:
            break
        found.add(number)
    return found


def _fields(path):
    fields = {}
    try:
        with open(path, encoding="ascii") as info:
            for line in info:
                name, _, value = line.partition(":")
                fields[name] = value.strip()
    except OSError:
        pass    # it was closed, or its process ended
    return fields


def _held(pid):
    """{map id: fdinfo fields} of the maps that a process has open."""
    held = {}
    try:
        numbers = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return held
    for number in numbers:
        try:
            if os.readlink(f"/proc/{pid}/fd/{number}") != MAP_LINK:
                continue
        except OSError:
            continue
        fields = _fields(f"/proc/{pid}/fdinfo/{number}")
        if "map_id" in fields:
            held[int(fields["map_id"])] = fields
    return held


def _locked_by_id(number):
    result, _ = _bpf(BPF_MAP_GET_FD_BY_ID, number)
    if result < 0:
        return 0
    try:
        return int(_fields(f"/proc/self/fdinfo/{result}").get("memlock", 0))
    finally:
        os.close(result)


def locked_bytes(pid, known):
    """Bytes locked by the maps of process pid: those it has open, and those that came into being
    since `known` was taken by ids() and that no process has open (maps inside of maps)."""
    held = _held(pid)
    total = sum(int(fields.get("memlock", 0)) for fields in held.values())
    rest = ids() - known - set(held)
    if rest:
        for other in filter(str.isdigit, os.listdir("/proc")):
            rest -= set(_held(other))
    return total + sum(_locked_by_id(number) for number in rest)


def rss_bytes_without_rings(pid):
    """Rss of all mappings but those of ring buffers: one page that is written and, apart from
    it, a page and the data twice (kernel/bpf/ringbuf.c, ringbuf_map_mmap_*)."""
    rings = {int(fields.get("max_entries", 0)) for fields in _held(pid).values()
             if fields.get("map_type") == str(BPF_MAP_TYPE_RINGBUF)}
    ring_sizes = {PAGE_BYTES + 2 * size for size in rings} | {2 * size for size in rings}
    if rings:
        ring_sizes.add(PAGE_BYTES)
    total, is_ring = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) ", line)
            if head:
                size = int(head.group(2), 16) - int(head.group(1), 16)
                is_ring = MAP_LINK in line and size in ring_sizes
            elif line.startswith("Rss:") and not is_ring:
                total += int(line.split()[1]) * 1024
    return total
