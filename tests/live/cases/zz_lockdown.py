# SPDX-License-Identifier: GPL-2.0-only
"""A kernel that is locked down in confidentiality mode. It stays so: this file sorts behind all
others, and its cases run after theirs, in this order."""
import os
import re

from cases import calls, truth
from harness import VM, Skip, case, cases, check, equal
from snoop import snoop

LOCKDOWN = "/sys/kernel/security/lockdown"
PARTS = ["heap", "anon", "zero", "data", "bss", "text", "rodata", "lib-data", "file-private",
         "file-shared", "posix-shm", "stack", "thread-stack"]


def mode():
    with open(LOCKDOWN, encoding="ascii") as f:
        return f.read()


def lock_down():
    """True: the kernel has what the program then reads memory with."""
    if not VM:
        raise Skip("locks this machine down; tests/vm runs it in a VM")
    if not os.path.exists(LOCKDOWN):
        raise Skip("no lockdown in this kernel; a VM with securityfs mounted runs it")
    if "[confidentiality]" not in mode():
        with open(LOCKDOWN, "w", encoding="ascii") as f:
            f.write("confidentiality")
        check("[confidentiality]" in mode(), f"it is not locked down: {mode()}")
    return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2]) >= (6, 2)


def able():
    if not lock_down():
        raise Skip("no bpf_rdonly_cast before Linux 6.2; lockdown/refusal is what there is to see")


@case("lockdown/refusal", serial=True)
def refusal():
    if lock_down():
        raise Skip("this kernel has bpf_rdonly_cast; a VM with Linux 6.1 runs it")
    for args in (["stat", "-a", "-d", "0.1"], ["trace", "-d", "0.1"], ["stat", "--", "true"]):
        result = snoop(*args)
        equal(result.status, 77, f"status of {args} ({result.errors()})")
        lines = result.error_lines()
        equal(len(lines), 1, f"lines on stderr: {lines}")
        check(re.match("faultsnoop: .*locked down", lines[0]), f"it said: {lines[0]}")
        equal(result.out, b"", "stdout")


@case("lockdown/features", serial=True)
def features():
    able()
    result = snoop("features")
    equal((result.status, result.errors()), (0, ""), "(status, stderr)")
    states = dict(re.findall(r"^(\S+)\s+(used|missing)", result.text(), re.M))
    equal({name: states.get(name) for name in ("probe-reads", "rdonly-cast", "page-tables",
                                               "raw-syscalls")},
          {"probe-reads": "missing", "rdonly-cast": "used", "page-tables": "used",
           "raw-syscalls": "used"}, "features")


@cases("lockdown/regions", [("stream", []), ("in-kernel", ["--in-kernel"])], serial=True)
def regions(_, options):
    able()
    truth.compare(options, "regions", truth.arguments(PARTS), truth.arguments(PARTS, False))


@case("lockdown/file", serial=True)
def files():
    able()
    truth.by_file("stream", [])


@cases("lockdown/calls", [("tracepoints", []), ("raw", ["--without", "syscall-tracepoints"])],
       serial=True)
def mapping_calls(_, options):
    able()
    calls.compare("calls", "shm", options)
