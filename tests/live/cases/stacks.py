# SPDX-License-Identifier: GPL-2.0-only
"""Stacks: chains of calls that a truth program makes, what gdb and perf say of the same places, and
how much of programs that nobody here wrote unwinds to its root."""
import collections
import os
import re
import shutil
import subprocess
import sys
import tempfile

import harness
from harness import ROOT, VM, Skip, case, cases, check, equal, tool, truth
from snoop import Attached, no_errors, run, scratch_file, snoop

sys.path.insert(0, os.path.join(ROOT, "tests", "consumers"))
import perf_script      # noqa: E402  pylint: disable=wrong-import-position,import-error

PAGES = 200
MAIN = "main"
# What stands below each part's own function; None: see the case
CHAINS = {
    "plain": ["part_plain", "outer", "middle", "inner", "touch"],
    "deep": ["part_deep", *["recurse"] * 101, "inner", "touch"],
    "alloca": ["part_alloca", "variable_frame", "inner", "touch"],
    "large": ["part_large", "large_frame", "inner", "touch"],
    "aligned": ["part_aligned", "aligned_frame", "inner", "touch"],
    "noreturn": ["part_noreturn", "never_returns", "leave", "inner", "touch"],
    "signal": ["part_signal", "raise_it", "kill", "*", "inner", "touch"],
    "altstack": ["part_altstack", "raise_it", "kill", "*", "inner", "touch"],
    "segv": ["part_segv", "breaks", "*", "inner", "touch"],
    "fork": ["part_fork", "outer", "middle", "inner", "touch"],
    "jit": ["part_jit", "made_at_run_time_[j]", "inner", "touch"],
}
# handler() calls inner() in a tail position or has it inlined: which, the compiler decides
MAY_STAND = {"handler", "mend"}


def folded(*args, program="stacks", steady=True):
    """{(frame, …): weight} of a run, root first, without the command's name; and its words."""
    result = snoop("flame", *args[0], "--", truth(program), *args[1], steady=steady)
    check(result.status == 0, f"status {result.status}: {result.errors()}")
    table = collections.Counter()
    for line in result.text().splitlines():
        if ";" not in line:
            continue        # what the program printed
        frames, _, weight = line.rpartition(" ")
        table[tuple(frames.split(";")[1:])] += int(weight)
    return table, result.errors()


def matches(frames, chain):
    """Of libc's names any will do: kill, __kill."""
    frames = [f.lstrip("_") for f in frames if f not in MAY_STAND]
    return len(frames) == len(chain) and all(c in ("*", f) for f, c in zip(frames, chain))


def ends_with(table, chain, before=MAIN):
    """Weight of the stacks that lead from `before`, directly, through exactly this chain."""
    total = 0
    for frames, weight in table.items():
        if before in frames:
            at = len(frames) - 1 - frames[::-1].index(before)
            if matches(frames[at + 1:], chain):
                total += weight
    return total


@cases("stacks", [(f"{part}{kind}", part, f"stacks{kind}") for part in CHAINS
                  for kind in ("", "-nopie", "-static")
                  if not (part == "jit" and kind == "-static")])
def chains(_, part, program):
    table, words = folded(["-U"], [part, str(PAGES)], program=program)
    equal(ends_with(table, CHAINS[part]), PAGES, f"pages touched by main;{';'.join(CHAINS[part])} "
          f"({words}); stacks with touch(): {[f for f in table if 'touch' in f][:3]}")


@case("stacks/thread")
def thread():
    table, words = folded(["-U"], ["thread", str(PAGES)])
    chain = ["thread_body", "outer", "middle", "inner", "touch"]
    equal(sum(w for f, w in table.items() if list(f[-len(chain):]) == chain and
              any("clone" in frame or "start_thread" in frame or frame.startswith("[libc")
                  for frame in f[:2])), PAGES,
          f"pages touched by a thread ({words})")


@case("stacks/too-deep")
def too_deep():
    """What does not fit is cut off at the root, and marked there."""
    table, _ = folded(["-U"], ["too_deep", str(PAGES)])
    cut = {f: w for f, w in table.items() if f[-1] == "touch"}
    check(cut and all(f[0] in ("[truncated]", "[stack lost]") for f in cut) and
          sum(w for f, w in table.items() if f[-1] == "touch" or f == ("[stack lost]",)) >= PAGES,
          f"stacks of 1000 calls: {[(f[:2], len(f), w) for f, w in cut.items()]}")
    check(any(len(f) > 200 for f in cut), "255 frames are kept")


@case("stacks/dlopen")
def dlopen():
    """Two libraries, one after the other at one address: right names, and right frames."""
    table, words = folded([], ["dlopen", str(PAGES)])
    for name in ("first_library", "second_library"):
        equal(sum(w for f, w in table.items()
                  if list(f[-5:]) == ["part_dlopen", "call_library", name, "inner", "touch"]),
              PAGES, f"pages touched by way of {name}() ({words})")


@case("stacks/plugins")
def plugins():
    """A stack through more mappings than are known at a time, one of which is then another. Nothing else
    is looked at, so that the second stack meets the first."""
    result = snoop("flame", "-U", "--region", "anon", "--", truth("stacks"), "plugins", str(PAGES))
    no_errors(result)
    at = re.findall(r"at=(\w+)", result.text())
    check(at[-1] == at[-2], f"the plugins are at {at[-2:]}")
    lines = [line for line in result.text().splitlines() if line.startswith("stacks;")]
    for name, times in (("first_library", 2), ("third_library", 1)):
        equal(sum(int(line.split()[-1]) for line in lines if re.search(
            f";next_plugin;{name};next_plugin;inner;touch \\d+$", line)), times * PAGES,
              f"pages touched by way of {name}() ({result.errors()}): {lines[-2:]}")


@case("stacks/kernel")
def kernel():
    """The kernel's accesses have its frames on top of the program's."""
    table, words = folded([], ["kernel", str(PAGES)])
    found = {f: w for f, w in table.items()
             if "read_into" in f and {"read", "__read", "__GI___read"} & set(f)}
    equal(sum(found.values()), PAGES, f"pages that read() touched ({words}): {list(found)[:2]}")
    check(all(f[-1].endswith("_[k]") for f in found), f"the kernel's frames: {list(found)[:2]}")
    names = {f for frames in found for f in frames}
    check(any("vfs_read" in n or "ksys_read" in n for n in names), f"vfs_read in {names}")
    only, _ = folded(["-K"], ["kernel", str(PAGES)])
    check(not any("read_into" in f for f in only), "-K leaves the program out")
    equal(sum(w for f, w in only.items() if f and f[-1].endswith("_[k]")) >= PAGES, True,
          "-K has the kernel's frames")
    only, _ = folded(["-U"], ["kernel", str(PAGES)])
    check(not any(n.endswith("_[k]") for f in only for n in f), "-U leaves the kernel out")


@case("stacks/mapper")
def mapper():
    """Who created the mapping, in the place of who touched it and below it."""
    table, words = folded(["-U", "--mapper", "replace"], ["mapper", str(PAGES)])
    mine = {f: w for f, w in table.items() if "creates" in f}
    equal(sum(mine.values()), PAGES, f"pages of the mapping of creates() ({words})")
    check(not any("uses" in f for f in table), "who touched is not there")
    table, _ = folded(["-U", "--mapper", "prefix"], ["mapper", str(PAGES)])
    check(sum(w for f, w in table.items() if "creates" in f and f[-2:] == ("uses", "touch") and
              f.index("creates") < f.index("[mapped]") < f.index("uses")) == PAGES,
          f"both, the creator first: {[f for f in table if 'creates' in f][:1]}")


@case("stacks/by-region")
def by_region():
    table, _ = folded(["-U", "--by", "region"], ["plain", str(PAGES)])
    equal(sum(w for f, w in table.items() if f[-2:] == ("touch", "[anon]")), PAGES,
          "pages that touch() touched in [anon]")
    table, _ = folded(["-U", "--by", "region,class", "--only", "class=anon,region=anon"],
                      ["plain", str(PAGES)])
    check(table and all(f[-2:] == ("[anon]", "{anon}") for f in table), f"--only: {list(table)[:3]}")
    table, _ = folded(["-U", "--weight", "bytes"], ["plain", str(PAGES)])
    equal(ends_with(table, CHAINS["plain"]), PAGES * harness.PAGE, "bytes that touch() touched")
    table, _ = folded(["-U", "--weight", "stall"], ["plain", str(PAGES)])
    check(ends_with(table, CHAINS["plain"]) > PAGES * 100, "nanoseconds that touch() stood still")


@case("stacks/repeated")
def repeated():
    """The same place again and again, between changes of the address space and of the stack."""
    args = []
    for _ in range(5):
        args += ["plain", "40", "alloca", "30", "deep", "20"]
    table, words = folded(["-U"], args)
    for part, n in (("plain", 200), ("alloca", 150), ("deep", 100)):
        equal(ends_with(table, CHAINS[part]), n, f"pages of {part} ({words})")


@cases("stacks/kept", ["sqlite3", "python3", "gcc"])
def kept(name):
    """Whether walks end at frames of the last one, or all go to the root: the same stacks. Two loaders
    watch the same run; without lock-seq nothing is kept."""
    if VM and name == "gcc":
        raise Skip("gcc is not in the machine; run it on the host")
    argv = program(name)
    if name == "gcc":       # the compiler itself, which has the name that is looked for
        cc1 = run(["gcc", "-print-prog-name=cc1"]).text().strip()
        argv = [cc1, "-quiet", "-O2", argv[-2], "-o", argv[-3]]
    with tempfile.TemporaryDirectory() as directory:
        comm = f"{name}{os.getpid()}"
        paths = [os.path.join(directory, comm + which) for which in ("-w", "-r")]
        for path in paths:
            os.symlink(shutil.which(argv[0]), path)
        with Attached("flame", "-U", "-n", comm + "*") as first, \
                Attached("flame", "-U", "--without", "lock-seq", "-n", comm + "*") as second:
            for path in paths:      # once for the tables: copies of stacks end at 64 KiB
                no_errors(run([path, *argv[1:]], steady=False))
            tables = []
            for attached in (first, second):
                no_errors(attached.result(attached.end()))
                with open(attached.out, encoding="utf-8") as f:
                    tables.append({line for line in f if line.startswith(comm + "-r;")})
    differ = tables[0] ^ tables[1]
    check(len(tables[0]) > 30, f"{len(tables[0])} stacks")
    check(not differ, f"{len(differ)} stacks differ: {[d[-200:] for d in sorted(differ)[:2]]}")
    return f"{len(tables[0])} stacks"


# ---- against what others say ---------------------------------------------------------------------

def backtrace(part):
    """Functions from touch() up to main(), as gdb finds them."""
    gdb = tool("gdb", "gdb")
    commands = ["set debuginfod enabled off", "set pagination off", "set confirm off",
                "handle SIGUSR1 SIGSEGV nostop noprint pass", "set follow-fork-mode child",
                "break touch", "run", "bt 300"]
    argv = [gdb, "-nx", "-batch"]
    for command in commands:
        argv += ["-ex", command]
    result = run([*argv, "--args", truth("stacks"), part, "3"], steady=False)
    frames = re.findall(r"^#\d+\s+(?:0x[0-9a-f]+ in )?(<signal handler called>|\?\?|[\w.]+)",
                        result.text(), re.M)
    check("touch" in frames, f"gdb stopped in touch(): {result.text()[-300:]} {result.errors()}")
    return frames[frames.index("touch"):]


@cases("stacks/gdb", [p for p in CHAINS if p != "jit"])
def gdb_agrees(part):
    wanted = backtrace(part)
    table, _ = folded(["-U", "--inlines"], [part, str(PAGES)])
    mine = max((f for f in table if f[-1] == "touch"), key=lambda f: table[f])
    mine = [f.removesuffix("_[i]") for f in mine[::-1]]
    mine = mine[:mine.index(MAIN) + 1]
    wanted = wanted[:wanted.index(MAIN) + 1]
    wanted = ["*" if f.startswith("<") else f for f in wanted]
    # libc's names: gdb may know __GI_kill or kill
    same = len(mine) == len(wanted) and all(
        w == "*" or m == w or m in w or w in m or m.startswith("[") for m, w in zip(mine, wanted))
    check(same, f"gdb: {wanted[:12]}, flame: {mine[:12]}")


PROGRAMS = {
    "sqlite3": (["sqlite3", ":memory:", "create table a(b); with recursive c(x) as (select 1 union "
                 "all select x+1 from c where x<100000) insert into a select x from c; "
                 "select count(*) from a group by b%7;"], "sqlite3"),
    "python3": (["/usr/bin/python3", "-m", "unittest", "-q", "json.tool", "-k", "nothing"],
                "python3"),
    "gcc": (["gcc", "-O2", "-x", "c", "-o", "/dev/null", "-", "-lm"], "gcc"),
}
SOURCE = """#include <stdio.h>
#include <math.h>
int main(void) { printf("%f\\n", sin(1)); return 0; }
"""


def program(name):
    argv, package = PROGRAMS[name]
    tool(argv[0], package)
    if name == "python3":
        code = "import json, re, unittest, argparse; json.loads(json.dumps(list(range(50000))))"
        argv = [argv[0], "-c", code]
    if name == "gcc":
        source = scratch_file("c")
        with open(source, "w", encoding="ascii") as f:
            f.write(SOURCE)
        argv = ["gcc", "-O2", "-o", source + ".out", source, "-lm"]
    return argv


@cases("stacks/rooted", ["sqlite3", "python3", "gcc"])
def rooted(name):
    """At least 99 % unwind to main, start_thread or _start, or are in execve."""
    if VM and name == "gcc":
        raise Skip("gcc is not in the machine; run it on the host")
    argv = program(name)
    result = snoop("flame", "-U", "--", *argv, steady=False)
    check(result.status == 0, result.errors())
    total = good = 0
    for line in result.text().splitlines():
        frames, _, weight = line.rpartition(" ")
        if ";" not in frames or not weight.isdigit():
            continue
        total += int(weight)
        frames = frames.split(";")[1:]
        if frames[0] in ("_start", "[exec]") or {"main", "start_thread", "clone3"} & set(frames) \
                or re.fullmatch(r"\[[^]]*\]", frames[0]) and frames[0] not in (
                        "[truncated]", "[stack lost]", "[unknown]"):
            good += int(weight)     # a stripped program's _start has no name but its file's
    check(total > 50 and good >= 0.99 * total, f"{good} of {total} faults have a root: "
          f"{result.errors()}")
    return f"{100 * good / total:.2f} % of {total}"


def perf_dwarf(argv):
    """Stacks, as offsets in their files, of each fault as perf unwinds them with libdw."""
    perf = tool("perf", "linux-perf")
    data = scratch_file("data")
    run([perf, "record", "-q", "-e", "page-faults", "-c", "1", "--sample-cpu", "-P", "-m",
         "64M", "--call-graph",
         "dwarf,16384", "-o", data, "--", *argv])
    result = run([perf, "script", "-i", data, "-F", "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso"])
    os.unlink(data)
    stacks = []
    for sample in perf_script.samples(result.text()):
        ips = []
        for frame in sample.frames:
            if frame.ip >> 63 or ips and ips[-1] == frame.ip:
                continue        # the kernel's; a function that is inlined has its caller's
            ips.append(frame.ip)
        stacks.append(tuple(ips))
    return stacks


@cases("stacks/perf-dwarf", ["sqlite3", "python3"], serial=True, timeout=120)
def perf_agrees(name):
    """Without randomisation two runs fault alike: our stacks are found among perf's, frame by frame.
    perf gives a caller's address less one, and ends before _start."""
    argv = program(name)
    os.environ["PYTHONHASHSEED"] = "0"
    theirs = perf_dwarf(argv)
    out = scratch_file("txt")
    result = snoop("flame", "-U", "--format", "perf-script", "-o", out, "--", *argv)
    check(result.status == 0, result.errors())
    with open(out, encoding="utf-8", errors="replace") as f:
        samples = list(perf_script.samples(f.read()))
    known = set(theirs)
    same = 0
    for sample in samples:
        ips = [f.ip for f in sample.frames if f.ip]
        ips = ips[:1] + [ip - 1 for ip in ips[1:]]
        same += any(tuple(ips[:n]) in known
                    for n in range(max(1, len(ips) - 3), len(ips) + 1))
    check(len(samples) > 50 and same >= 0.9 * len(samples),
          f"{same} of {len(samples)} stacks are among perf's {len(theirs)}")
    return f"{same} of {len(samples)}"
