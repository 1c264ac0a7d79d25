# SPDX-License-Identifier: GPL-2.0-only
"""Each fault beside what the kernel says of it: tests/oracle watches handle_mm_fault() in the same
run, and shares nothing with the program under test."""
import collections
import difflib
import json
import os
import platform
import sys

import harness
from harness import PAGE, Skip, cases, check, equal, settled, truth
from snoop import json_lines, no_errors, off, run, scratch_file, validate
from cases.truth import PARTS, arguments

# include/linux/mm.h
VM_EXEC, VM_MAYSHARE, VM_GROWSDOWN, VM_PFNMAP, VM_IO, VM_HUGETLB = \
    0x4, 0x80, 0x100, 0x400, 0x4000, 0x400000
X86 = platform.machine() == "x86_64"
# Of an exception that its architecture does not describe: what page tables tell, see README
ACCESS_SHARE = 1 if X86 else 0.999


def kinds(vma):
    """Regions that an address of this VMA may be in."""
    flags = vma["vm_flags"]
    if flags & VM_HUGETLB:
        return {"hugetlb"}
    if vma["dev"] and vma["has_ops"]:
        if flags & (VM_PFNMAP | VM_IO):
            return {"device"}
        if flags & VM_MAYSHARE:
            return {"file-shared", "shm", "device"}
        return {"text", "rodata", "data", "bss", "file"}    # one page may be data and bss
    if vma["has_ops"] or flags & (VM_PFNMAP | VM_IO):
        return {"vdso", "device"}
    if flags & VM_GROWSDOWN or vma["vm_start"] <= vma["start_stack"] <= vma["vm_end"]:
        return {"stack"}
    # the kernel's own tests, vma_is_initial_heap()
    if vma["start_brk"] < vma["brk"] and vma["vm_start"] < vma["brk"] and \
            vma["vm_end"] > vma["start_brk"] and vma["address"] >= vma["start_brk"]:
        return {"heap"}
    return {"anon-exec" if flags & VM_EXEC else "anon", "thread-stack", "bss"}


def access(theirs):
    return "exec" if "INSTRUCTION" in theirs["flags"] else \
        "write" if "WRITE" in theirs["flags"] else "read"


def outcome(theirs):
    if {"SIGBUS", "HWPOISON", "HWPOISON_LARGE"} & set(theirs["result"]):
        return "failed"
    # mm_account_fault() of mm/memory.c
    return "major" if "MAJOR" in theirs["result"] or "TRIED" in theirs["flags"] else "minor"


def same_file(ours, theirs):
    """Is it the file that the VMA maps, as far as its path and device can tell?"""
    try:
        named = os.stat(ours["file"] or "")
    except (OSError, ValueError):
        return True
    if (os.major(named.st_dev), os.minor(named.st_dev)) != divmod(theirs["dev"], 1 << 20):
        return True
    return named.st_ino == theirs["inode"]


def disagreements(ours, theirs):
    """{what: (ours, the kernel's)} of one fault."""
    address = theirs["address"]
    start, end = (int(ours[k] or "0", 16) for k in ("region_start", "region_end"))
    low, high = theirs["vm_start"], theirs["vm_end"]
    if low < theirs["start_brk"] < high:        # bss and heap in one: each has its part
        if address >= theirs["start_brk"]:
            low = theirs["start_brk"]
        else:
            high = theirs["start_brk"]
    latency = ours["latency_ns"]
    pairs = {
        "page": (int(ours["address"], 16) // PAGE, address // PAGE),
        "bounds": ((hex(start), hex(end)), (hex(low), hex(high))),
        "result": (ours["result"], outcome(theirs)),
        "access": (ours["access"], access(theirs)),
        "mode": (ours["mode"], "user" if "USER" in theirs["flags"] else "kernel"),
    }
    wrong = {what: pair for what, pair in pairs.items() if pair[0] != pair[1]}
    if ours["region"] not in kinds(theirs):
        wrong["region"] = (ours["region"], kinds(theirs))
    if theirs["dev"] and theirs["has_ops"]:
        offset = theirs["vm_pgoff"] * PAGE + address - theirs["vm_start"]
        # beyond the data of an object there is no file any more
        if ours["region"] not in ("bss", "hugetlb") and ours["offset"] != offset:
            wrong["offset"] = (ours["offset"], offset)
        if not same_file(ours, theirs):
            wrong["file"] = (ours["file"], theirs["inode"])
    # the call lies within the fault
    if ours["result"] != "failed" and latency is not None and \
            not 0 <= theirs["time_ns"] - ours["time_ns"] <= latency:
        wrong["time"] = ((ours["time_ns"], latency), theirs["time_ns"])
    return wrong


def by_thread(faults):
    threads = collections.defaultdict(list)
    for one in faults:
        threads[one["pid"], one["tid"]].append(one)
    return threads


def show(theirs):
    return f"{theirs['address']:#x} {'|'.join(theirs['flags'])} -> {'|'.join(theirs['result'])}"


def unpaired(ours, theirs):
    """Why two lists of a thread are not of the same length: what only one has."""
    pages = [[int(o["address"], 16) // PAGE for o in ours], [t["address"] // PAGE for t in theirs]]
    found = []
    for what, a, b, c, d in difflib.SequenceMatcher(None, *pages, autojunk=False).get_opcodes():
        if what != "equal":
            found += [f"only trace has {o['address']} {o['result']} {o['class']} {o['region']}"
                      for o in ours[a:b]] + \
                [f"only the kernel has {show(t)}" for t in theirs[c:d]]
    return f"{len(found)} of them: " + "; ".join(found[:4])


def without_lost(ours, theirs, lost):
    """The kernel's without those that trace has not, at most as many as it says it lost."""
    pages = [[int(o["address"], 16) // PAGE for o in ours], [t["address"] // PAGE for t in theirs]]
    for what, _, _, c, d in reversed(
            difflib.SequenceMatcher(None, *pages, autojunk=False).get_opcodes()):
        if what == "insert" and d - c <= lost:
            lost -= d - c
            theirs = theirs[:c] + theirs[d:]
    return theirs, lost


def compare(ours, theirs, per_task, lost):
    """Fault by fault; how many there were, and what was said of them beside each other."""
    wrong = collections.defaultdict(list)
    paired, user = 0, 0
    mine, kernels = by_thread(ours), by_thread(theirs)
    for thread in sorted({*mine, *kernels}):
        a, b = mine[thread], kernels[thread]
        # A task's own software events end before its memory does (do_exit() of 6.16 and of stable
        # kernels, "perf: Fix sample vs do_exit()"): what its end writes to memory raises none.
        while per_task and len(b) > len(a) and b[-1]["exiting"]:
            b.pop()
        if lost and len(b) > len(a):
            b, lost = without_lost(a, b, lost)
        check(len(a) == len(b), f"thread {thread}: trace has {len(a)} faults, the kernel {len(b)}; "
              f"{unpaired(a, b)}")
        for one, other in zip(a, b):
            paired += 1
            user += "USER" in other["flags"]
            for what, pair in disagreements(one, other).items():
                wrong[what].append((pair, one, other))
    return paired, user, wrong


def run_both(options, program):
    """Events of trace and of the oracle, and by what means the latter saw them."""
    oracle = os.path.join(harness.ROOT, ".output", "oracle", "oracle")
    if not os.path.exists(oracle):
        raise Skip("the oracle is not built; make test-programs builds it")
    for by in ([], ["-k"]):
        files = [scratch_file(kind) for kind in ("oracle", "json")]
        result = run([oracle, *by, files[0], harness.FAULTSNOOP, "trace", "-j", "--events", "fault",
                      *options, "-o", files[1], "--", *program])
        off(result)
        if result.status == 77 and "refuses fexit" in result.errors():
            raise Skip(f"{result.errors()}; a VM of tests/vm runs it")
        no_errors(result)
        found = []
        for name in files:
            with open(name, "rb") as f:
                found.append(json_lines(f.read()))
            os.unlink(name)
        told = found[0].pop()
        if not told["lost"]:
            break
    equal(told["lost"], 0, "lost by the oracle itself")
    return found[1], found[0], told["by"]


def faults_of_trace(events):
    """Those that come to handle_mm_fault(): not where there is no mapping or it forbids the
    access."""
    for event in events[:2000]:
        validate("trace", event)
    lost = sum(e["count"] for e in events if e["event"] == "lost")
    return [e for e in events if e["event"] == "fault" and e["result"] != "fixup" and
            e["class"] not in ("segv", "oom")], lost


def faults_of_oracle(calls, ours):
    """Calls that completed a fault, of the traced program: from its execve on, and of its
    children."""
    first, pids = ours[0]["pid"], {o["pid"] for o in ours}
    # trace's own processes were there before; a child that trace never saw is none of them
    snoops = {c["pid"] for c in calls if c["time_ns"] < ours[0]["time_ns"]} - pids
    found = [c for c in calls if c["pid"] not in snoops and not (c["pid"] == first and c["no_exec"])]
    # after RETRY comes another call, or a signal and then the same exception
    return [c for c in found if not {"RETRY", "SIGSEGV", "OOM"} & set(c["result"])], \
        sum("RETRY" in c["result"] for c in found)


PYTHON = [sys.executable, "-I", "-c"]
# The kernel maps some pages dirty whatever the access was, or they were dirty before: entries do not
# tell then, and trace says "?" where no exception does. It must not say what is wrong.
UNTOLD = ("uffd", "uffd-signals", "touches-")
CPU_WIDE = ["--without", "task-events"]
RUNS = {
    "regions": (["regions", *arguments(PARTS)], []),
    "regions-32-bit": (["regions32", *arguments(PARTS)], []),
    "hugetlb": (["regions", *arguments(["hugetlb"])], []),
    "thp": (["thp", "4"], []),
    "major": (["major", "private", "200"], []),
    "major-shared": (["major", "shared", "200"], []),
    "refault": (["major", "refault", "50"], []),
    "threads": (["tasks", "threads", "8", "200"], []),
    "forks": (["tasks", "forks", "100", "20"], []),
    "exec": (["tasks", "chain", "10", "50"], []),
    "exec-thread": (["tasks", "exec-thread", "10", "50"], []),
    "bus": (["fixup", "bus", "100"], []),
    "kernel-access": (["fixup", "write-pipe", "100"], []),
    "uffd": (["uffd", "100", "100"], []),
    "uffd-signals": (["uffd", "20", "20000", "3000"], []),
    "python": ([*PYTHON, "import json"], []),
    "python-forks": ([*PYTHON, "import json, subprocess; subprocess.run(['true'])"], []),
    "touches-uffd": (["touches", "uffd", "100"], []),
    "touches-hugetlb": (["touches", "hugetlb", "2"], []),
    "touches-cold": (["touches", "cold", "100"], []),
    "touches-cold-shared": (["touches", "cold-shared", "100"], []),
    # by the events of CPUs, as with -a
    "regions-cpu-wide": (["regions", *arguments(PARTS)], CPU_WIDE),
    "major-cpu-wide": (["major", "private", "200"], CPU_WIDE),
    "forks-cpu-wide": (["tasks", "forks", "100", "20"], CPU_WIDE),
    "exec-cpu-wide": (["tasks", "chain", "10", "50"], CPU_WIDE),
    "bus-cpu-wide": (["fixup", "bus", "100"], CPU_WIDE),
    "kernel-access-cpu-wide": (["fixup", "write-pipe", "100"], CPU_WIDE),
    "uffd-cpu-wide": (["uffd", "100", "100"], CPU_WIDE),
    "touches-uffd-cpu-wide": (["touches", "uffd", "100"], CPU_WIDE),
    "touches-hugetlb-cpu-wide": (["touches", "hugetlb", "2"], CPU_WIDE),
    "uffd-signals-cpu-wide": (["uffd", "20", "20000", "3000"], CPU_WIDE),
    "python-cpu-wide": ([*PYTHON, "import json"], CPU_WIDE),
}


def accesses(wrong, name, by_exception):
    """Of a fault's accesses, those that should be right and are not."""
    if X86 and by_exception:
        return wrong
    # where no exception tells it, that of the kernel itself may be anything
    wrong = [x for x in wrong if X86 or "USER" in x[2]["flags"]]
    return [x for x in wrong if x[1]["access"] != "?"] if name.startswith(UNTOLD) else wrong


def huge_pages(count):
    """Machines of tests/vm begin without."""
    if harness.VM:
        with open("/proc/sys/vm/nr_hugepages", "w", encoding="ascii") as f:
            f.write(f"{count}\n")


@cases("oracle", [(name, *row) for name, row in RUNS.items()], serial=True)
@settled
def oracle_agrees(name, program, options):
    if "/" not in program[0]:
        program = [truth(program[0]), *program[1:]]
    huge_pages(16 if "hugetlb" in program else 0)
    events, calls, by = run_both(options, program)
    ours, lost = faults_of_trace(events)
    check(ours, "no faults")
    theirs, retried = faults_of_oracle(calls, ours)
    paired, user, wrong = compare(ours, theirs, not options, lost)
    misread = accesses(wrong.pop("access", []), name, options)
    share = 1 - len(misread) / max(user, 1)
    said = f"{paired} faults by {by}, {retried} calls retried, access as the kernel has it in " \
        f"{100 * share:.3f} % of {user} in user mode"
    unknown = sum(o["access"] == "?" for o in ours)
    if unknown:
        said += f" or not told ({unknown})"
    if lost:
        said += f", {lost} lost by its own word"
    if share < ACCESS_SHARE:
        wrong["access"] = misread
    for what, found in wrong.items():
        pair, one, other = found[0]
        said += f"; {what} differs {len(found)} times: {pair[0]}, the kernel has {pair[1]}, in " \
            f"{json.dumps(one)} beside {json.dumps(other)}"
    check(not wrong, said)
    return said
