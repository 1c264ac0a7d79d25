# SPDX-License-Identifier: GPL-2.0-only
"""BPF maps and programs: which there are, and what a process's cost in memory, as the kernel tells."""
import ctypes
import os
import platform
import re

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
BPF_PROG_GET_NEXT_ID, BPF_MAP_GET_NEXT_ID, BPF_MAP_GET_FD_BY_ID = 11, 12, 14
MAP_LINK = "anon_inode:bpf-map"


def _bpf(command, number):
    """bpf(2) with union bpf_attr { __u32 id; __u32 next_id; __u32 open_flags; }. Gives (result,
    next_id), result -1 on failure."""
    attr = (ctypes.c_uint32 * 32)(number, 0, 0)
    libc = ctypes.CDLL(None, use_errno=True)
    result = libc.syscall(BPF_SYSCALL[platform.machine()], command, ctypes.byref(attr),
                          ctypes.sizeof(attr))
    return result, attr[1]


def _ids(command):
    found, number = set(), 0
    while platform.machine() in BPF_SYSCALL:
        result, number = _bpf(command, number)
        if result < 0:
            break
        found.add(number)
    return found


def ids():
    """The ids of all maps of this kernel."""
    return _ids(BPF_MAP_GET_NEXT_ID)


def program_ids():
    """The ids of all programs of this kernel."""
    return _ids(BPF_PROG_GET_NEXT_ID)


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


def rss_bytes_without_maps(pid):
    """Rss of all mappings but those of BPF maps: the rings, whose data may be mapped twice, and
    whatever else is shared with the kernel side, which locked_bytes() counts."""
    total, is_map = 0, False
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as smaps:
        for line in smaps:
            if re.match(r"[0-9a-f]+-[0-9a-f]+ ", line):
                is_map = MAP_LINK in line
            elif line.startswith("Rss:") and not is_map:
                total += int(line.split()[1]) * 1024
    return total
