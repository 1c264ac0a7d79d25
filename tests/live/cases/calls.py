# SPDX-License-Identifier: GPL-2.0-only
"""Mapping calls: their number, outcome and size, and their arguments beside strace's."""
import re

from harness import PAGE, VM, case, cases, check, equal, tool, truth
from snoop import difference, run, scratch_file, snoop, stat, trace

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


# Calls of a part, as often as the program makes them for N = 2: their arguments, and result or error
# (None: any). AT stands for an address, FD for a descriptor.
AT, FD = "AT", "FD"
ARGUMENTS = {
    "pkey_mprotect": [
        ("pkey_mprotect", (AT, 6 * PAGE, "PROT_READ|PROT_WRITE", -1), "EINVAL"),
        ("pkey_mprotect", (AT, 6 * PAGE, "PROT_READ", -1), 0),
        ("pkey_mprotect", (AT, 6 * PAGE, "PROT_READ|PROT_WRITE", -1), "EINVAL"),
        ("pkey_mprotect", (AT, 6 * PAGE, "PROT_READ|PROT_WRITE", -1), 0),
        ("pkey_mprotect", (AT, 6 * PAGE, "PROT_READ|PROT_WRITE", -1), "EINVAL")],
    "mbind": [("mbind", (AT, 3 * PAGE, "0x63", AT, 0, "0"), "EINVAL")] + 2 * [
        ("mbind", (AT, 3 * PAGE, "MPOL_BIND", AT, 64, "0"), 0),
        ("set_mempolicy_home_node", (AT, 3 * PAGE, 0, 0), 0),
        ("set_mempolicy_home_node", (AT, 3 * PAGE, 0, 1), "EINVAL")],
    "remap_file_pages": [
        ("remap_file_pages", (AT, PAGE, "PROT_NONE", 1, "MAP_FILE"), 0),
        ("remap_file_pages", (AT, PAGE, "PROT_READ", 1, "MAP_FILE"), "EINVAL"),
        ("remap_file_pages", (AT, PAGE, "PROT_NONE", 2, "MAP_FILE"), 0),
        ("remap_file_pages", (AT, PAGE, "PROT_READ", 1, "MAP_FILE"), "EINVAL")],
    "mseal": [("mseal", (AT, 0, 0), "EINVAL")] + 2 * [("mseal", (AT, 2 * PAGE, 0), 0)],
    "map_shadow_stack": [
        ("map_shadow_stack", (AT, 4 * PAGE, "0x10"), None)] + 2 * [
            ("map_shadow_stack", (AT, 4 * PAGE, "0"), None)],
    "process_madvise": 2 * [
        ("process_madvise", (FD, AT, 1, "MADV_COLD", 0), 5 * PAGE),
        ("process_madvise", (FD, AT, 1, "MADV_COLD", 1), "EINVAL")],
    "aio": [("io_setup", (0, AT), "EINVAL")] + [call for n in (1, 2) for call in (
        ("io_setup", (n, AT, AT), 0), ("io_setup", (1, AT), "EFAULT"),
        ("io_destroy", (AT,), 0), ("io_destroy", (AT,), "EINVAL"))],
    "prctl": 2 * [
        ("prctl", ("PR_SET_VMA", "PR_SET_VMA_ANON_NAME", AT, 2 * PAGE, AT), None),
        ("prctl", ("PR_SET_VMA", "0x63", AT, 2 * PAGE, AT), "EINVAL")],
    "uffd": [("userfaultfd", ("O_CLOEXEC",), None)] + 2 * [
        ("ioctl", (FD, "UFFDIO_REGISTER", AT, AT, 3 * PAGE, "UFFDIO_REGISTER_MODE_MISSING"), 0),
        ("ioctl", (FD, "UFFDIO_UNREGISTER", AT, AT, 3 * PAGE), 0),
        ("ioctl", (FD, "UFFDIO_UNREGISTER", AT, AT, 3 * PAGE), "EINVAL")],
}


def shown(event, wanted):
    """An event as a row above; what that leaves open, it does too."""
    args = [AT if w == AT and re.fullmatch("0x[0-9a-f]+", str(v)) else
            FD if w == FD and isinstance(v, int) and v > 2 else v
            for v, w in zip(event["args"].values(), [*wanted[1], *6 * [None]])]
    result = event["error"] or event["ret"]
    return event["event"], tuple(args), wanted[2] if wanted[2] is None else result


@cases("call-arguments", ARGUMENTS)
def arguments(part):
    wanted = ARGUMENTS[part]
    names = {name for name, _, _ in wanted}
    events, _ = trace(["--events", ",".join(sorted(names))], [truth("calls"), part, "2"])
    got = [e for e in events if e["event"] in names]
    equal([e["event"] for e in got], [name for name, _, _ in wanted], "calls")
    equal([shown(*both) for both in zip(got, wanted)], wanted, "(call, arguments, result)")
    if part == "aio":
        rings = [(e["args"]["ctx_id"], e["bytes"]) for e in got if not e["failed"]]
        check(rings[0] == rings[1] and rings[2] == rings[3] and rings[0][1] >= PAGE,
              f"a ring is set up and destroyed, (address, bytes): {rings}")


@cases("layouts", [("splits", []), ("splits-raw", ["--without", "syscall-tracepoints"])])
def layouts(_, options):
    """What is known of an address space beside /proc, while two threads split it all the time."""
    result = snoop("check", "-i", "0.02", *options, "--", truth("splits"), "2000", steady=False)
    text = result.text()
    equal(result.status, 0, f"status; it said: {text[-600:]} {result.errors()}")
    done = re.search(r"([\d,]+) checks of 1 processes, ([\d,]+) runs of addresses, 0 differences", text)
    checks, runs = (int(n.replace(",", "")) for n in done.groups()) if done else (0, 0)
    check(checks > 10 and runs > 100, f"checks, and what they found: {text[-600:]}")
    # Linux 7 skips programs while one is preempted: those are losses
    check(VM or "records were lost" not in text, f"it said: {text[-600:]}")
