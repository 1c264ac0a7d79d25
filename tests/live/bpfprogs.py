# SPDX-License-Identifier: GPL-2.0-only
"""The BPF programs that a process holds, as the kernel describes them: bpf(2), struct bpf_prog_info."""
import ctypes
import os
import platform
import struct

BPF_SYSCALL = {"x86_64": 321, "aarch64": 280}
BPF_PROG_GET_FD_BY_ID, BPF_OBJ_GET_INFO_BY_FD = 13, 15
PROG_LINK = "anon_inode:bpf-prog"
# offsets in struct bpf_prog_info, include/uapi/linux/bpf.h; the last field wanted came with 5.16
INFO_BYTES, XLATED_AT, NAME_AT, VERIFIED_AT = 232, 20, 64, 216


def _bpf(command, attr):
    libc = ctypes.CDLL(None, use_errno=True)
    return libc.syscall(BPF_SYSCALL[platform.machine()], command, attr, len(attr))


def _info(number):
    """struct bpf_prog_info of a program by its id, None where it is gone."""
    fd = _bpf(BPF_PROG_GET_FD_BY_ID, ctypes.create_string_buffer(struct.pack("=III", number, 0, 0),
                                                                128))
    if fd < 0:
        return None
    info = ctypes.create_string_buffer(INFO_BYTES)
    attr = struct.pack("=IIQ", fd, INFO_BYTES, ctypes.addressof(info))
    result = _bpf(BPF_OBJ_GET_INFO_BY_FD, ctypes.create_string_buffer(attr, 128))
    os.close(fd)
    return info.raw if result == 0 else None


def of_process(pid):
    """{name: {"verified": instructions that the verifier went through, "bytes": of the program, in
    the kernel's instructions}}"""
    found = {}
    for number in os.listdir(f"/proc/{pid}/fd"):
        try:
            if os.readlink(f"/proc/{pid}/fd/{number}") != PROG_LINK:
                continue
            with open(f"/proc/{pid}/fdinfo/{number}", encoding="ascii") as f:
                fields = dict(line.split(":", 1) for line in f if ":" in line)
        except FileNotFoundError:
            continue        # something else, which was closed
        info = _info(int(fields["prog_id"]))
        if info:
            name = info[NAME_AT:NAME_AT + 16].split(b"\0")[0].decode("ascii")
            found[name] = {"verified": struct.unpack_from("=I", info, VERIFIED_AT)[0],
                           "bytes": struct.unpack_from("=I", info, XLATED_AT)[0]}
    return found
