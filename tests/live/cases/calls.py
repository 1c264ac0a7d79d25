# SPDX-License-Identifier: GPL-2.0-only
"""Mapping calls: their number, outcome and size, and their arguments beside strace's."""
import re

from harness import PAGE, case, cases, check, equal, tool, truth
from snoop import difference, run, scratch_file, stat, trace

PARTS = ["mmap", "munmap", "brk", "brk-shrink", "mremap", "mprotect", "madvise", "mlock",
         "mlockall", "shm", "pkey_mprotect", "mbind", "remap_file_pages", "mseal", "map_shadow_stack",
         "process_madvise", "aio", "prctl", "uffd"]
# Calls whose bytes have one meaning
SIZED = {"mmap", "munmap", "brk", "mprotect", "madvise", "mlock", "mlock2", "munlock", "shmget",
         "shmat", "shmdt", "pkey_mprotect", "mbind", "set_mempolicy_home_node", "remap_file_pages",
         "mseal", "map_shadow_stack", "process_madvise", "prctl", "ioctl"}


def told(report):
    return {(call, what): report.truth.get(f"{call}_{what}", 0)
            for key in report.truth if "_" in key
            for call, _, what in [key.rpartition("_")] if what in ("calls", "failed", "bytes")}


def figures(report):
    return {(call, what): n for call, values in report.calls().items()
            for what, n in values.items()}


def compare(program, part, options=()):
    runs = [stat(["--by", "region", *options], [truth(program), part, n], calls=True)
            for n in ("00040", "00000")]
    keep = [k for k in told(runs[0]) if k[1] != "bytes" or k[0] in SIZED]
    got = difference(*(figures(r) for r in runs))
    equal({k: v for k, v in got.items() if k[1] != "bytes" or k[0] in SIZED},
          {k: v for k, v in difference(*(told(r) for r in runs)).items() if k in keep},
          "calls, beyond those of a run that makes none")


@case("calls/sizes")
def sizes():
    """A histogram of sizes: each call that did something, in its power of two."""
    calls = stat(["--by", "region"], [truth("calls"), "all", "20"],
                 calls=True).objects[0]["calls"]
    for name in ("mmap", "munmap"):
        slots = calls[name]["sizes_log2"]
        equal(sum(n for _, _, n in slots), calls[name]["calls"] - calls[name]["failed"],
              f"sizes of {name}: {slots}")
        least = sum(start * n for start, _, n in slots)
        most = sum(end * n for _, end, n in slots)
        check(least <= calls[name]["bytes"] < most, f"bytes of {name} beside its sizes: {slots}")


@cases("calls", [*PARTS, "all"])
def calls(part):
    compare("calls", part)


@cases("calls-32-bit", [*PARTS, "all"])
def calls_32(part):
    compare("calls32", part)


@case("calls/int-0x80")
def compat():
    """32-bit calls of a 64-bit program: only the raw tracepoints see those."""
    compare("calls", "compat", ["--without", "syscall-tracepoints"])


@case("calls/in-kernel")
def in_kernel():
    compare("calls", "all", ["--in-kernel"])


@case("calls/no-tracefs")
def no_tracefs():
    """Nothing that shows tracefs is mounted: calls are seen all the same."""
    script = 'for m in /sys/kernel/tracing /sys/kernel/debug/tracing /sys/kernel/debug; do ' \
        'umount "$m" 2>/dev/null; done; ! grep -q " tracefs " /proc/mounts || exit 9; exec "$@"'
    out = scratch_file("json")
    import harness                                  # pylint: disable=import-outside-toplevel
    result = run([tool("unshare", "util-linux"), "-m", "sh", "-c", script, "sh",
                  harness.FAULTSNOOP, "trace", "-j", "-o", out, "--events", "munmap", "--",
                  truth("calls"), "munmap", "40"])
    equal(result.status, 0, f"status ({result.errors()})")
    with open(out, encoding="utf-8") as f:
        lines = [line for line in f if '"event":"munmap"' in line.replace(" ", "")]
    check(len(lines) >= 80, f"{len(lines)} munmap events for 80 calls")


@case("calls/no-calls")
def no_calls():
    report = stat(["--by", "region"], [truth("calls"), "mmap", "40"])
    equal({k: v for k, v in figures(report).items() if v}, {}, "calls with --no-calls")


@case("calls/brk-events")
def brk():
    """Growth, shrinkage, a question and a refusal, one by one."""
    events, _ = trace(["--events", "brk"], [truth("calls"), "brk", "3"])
    got = [(e["bytes"], e["failed"]) for e in events if e["event"] == "brk"]
    wanted = [(0, False)] + [(4 * PAGE, False), (0, False), (0, True)] * 3
    # libc's own calls come before and after
    check(any(got[i:i + len(wanted)] == wanted for i in range(len(got))),
          f"(bytes, failed) of the brk calls: {wanted} are not in {got}")
    events, _ = trace(["--events", "brk"], [truth("calls"), "brk-shrink", "3"])
    got = [e["bytes"] for e in events if e["event"] == "brk"]
    wanted = [4 * PAGE, -4 * PAGE] * 3
    check(any(got[i:i + len(wanted)] == wanted for i in range(len(got))),
          f"bytes of the brk calls: {wanted} are not in {got}")


def strace_calls(program):
    """[(name, result)] of the program's own process, as strace tells them."""
    strace = tool("strace", "strace")
    out = scratch_file("strace")
    run([strace, "-o", out, "-e", "trace=mmap,munmap,brk,mprotect,mremap,madvise", *program])
    found = []
    with open(out, encoding="utf-8", errors="replace") as f:
        for line in f:
            match = re.match(r"(\w+)\((.*)\)\s+= (-?\w+)(?: (E\w+))?", line)
            if match:
                found.append((match[1], match[4] or int(match[3], 0)))
    return found


@case("calls/beside-strace")
def beside_strace():
    """Name, order and result of each call; addresses are the same without randomisation."""
    program = [truth("calls"), "all", "3"]
    wanted = strace_calls(program)
    events, _ = trace(["--events", "mmap,munmap,brk,mprotect,mremap,madvise"], program)
    got = []
    for e in events:
        if e["event"] in ("mmap", "munmap", "brk", "mprotect", "mremap", "madvise"):
            ret = e["ret"]
            got.append((e["event"], e["error"] or (int(ret, 16) if isinstance(ret, str)
                                                   else ret)))
    names = [n for n, _ in wanted]
    equal([n for n, _ in got], names, "calls in their order")
    # The stack of a traced program starts elsewhere, and mmap's area below it: compare distances.
    def shape(found):
        base = next(r for n, r in found if n == "mmap")
        return [(n, r - base if n in ("mmap", "mremap") and not isinstance(r, str) else r)
                for n, r in found]
    equal(shape(got), shape(wanted), "(call, result)")
