# SPDX-License-Identifier: GPL-2.0-only
"""map: every figure against /proc, read here by other means while the process stands still."""
import csv
import io
import os
import re
import signal
import subprocess
import sys
import time

import harness
from harness import PAGE, Skip, case, check, equal, remaining, spawn, truth
from snoop import (Attached, Result, Target, environment, json_lines, key_values, no_errors,
                   scratch_file, snoop, wait_until)

KIB = 1024
# A column of map, and the lines of smaps that it is the sum of
FIGURES = {
    "size_bytes": ["Size"], "rss_bytes": ["Rss"], "pss_bytes": ["Pss"],
    "shared_bytes": ["Shared_Clean", "Shared_Dirty"],
    "dirty_bytes": ["Shared_Dirty", "Private_Dirty"], "anon_bytes": ["Anonymous"],
    "huge_bytes": ["AnonHugePages", "ShmemPmdMapped", "FilePmdMapped"],
    "hugetlb_bytes": ["Shared_Hugetlb", "Private_Hugetlb"], "swap_bytes": ["Swap"],
    "locked_bytes": ["Locked"],
}
# How many share a file's pages changes with every program that begins and ends beside it: faultsnoop's
# own, for one.
OTHERS = ("pss_bytes", "shared_bytes", "locked_bytes")


class Stopped:
    """A process that stands still meanwhile."""

    def __init__(self, pid):
        self.pid = pid

    def __enter__(self):
        os.kill(self.pid, signal.SIGSTOP)
        wait_until(lambda: all(state(self.pid, t) == "T" for t in os.listdir(f"/proc/{self.pid}/task")),
                   "it has stopped")
        return self

    def __exit__(self, *_):
        os.kill(self.pid, signal.SIGCONT)


def state(pid, tid):
    with open(f"/proc/{pid}/task/{tid}/stat", encoding="utf-8", errors="replace") as f:
        return f.read().rpartition(")")[2].split()[0]


def smaps(pid):
    """[(start, end, {name: bytes})]"""
    found = []
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        for line in f:
            head = re.match(r"([0-9a-f]+)-([0-9a-f]+) (\S{4}) ", line)
            value = re.match(r"(\w+): +(\d+) kB", line)
            if head:
                found.append((int(head[1], 16), int(head[2], 16), {"perms": head[3]}))
            elif value:
                found[-1][2][value[1]] = int(value[2]) * KIB
    return found


def status(pid):
    with open(f"/proc/{pid}/status", encoding="utf-8", errors="replace") as f:
        return {k: int(v) * KIB for k, v in re.findall(r"^(\w+):\s+(\d+) kB", f.read(), re.M)}


def the_map(*args):
    """Its one object; rows have numbers for addresses."""
    result = snoop("map", "-j", *args)
    no_errors(result)
    maps = json_lines(result.out)
    equal(len(maps), 1, "maps")
    return numbered(maps[0])


def numbered(one):
    for row in one["rows"]:
        row["start"], row["end"] = int(row["start"], 16), int(row["end"], 16)
    return one


def mapped(one):
    return [r for r in one["rows"] if r["kind"] not in ("gap", "kernel")]


def tiles(one):
    """Rows run from the top to 0 without a hole."""
    rows = one["rows"]
    for above, below in zip(rows, rows[1:]):
        equal(hex(below["end"]), hex(above["start"]), f"end of {below}")
    equal(rows[-1]["start"], 0, "the lowest address")
    for row in rows:
        check(row["start"] < row["end"], f"an empty part: {row}")


def equals_smaps(one, vmas):
    """Each mapping's parts add up to what smaps has of it."""
    rows = sorted(mapped(one), key=lambda r: r["start"])
    at = 0
    for start, end, figures in vmas:
        parts = []
        while at < len(rows) and rows[at]["start"] < end:
            parts.append(rows[at])
            at += 1
        check(parts, f"{start:x}-{end:x} is not in the map")
        equal((parts[0]["start"], parts[-1]["end"]), (start, end), "bounds of a mapping")
        for column, names in FIGURES.items():
            if column in OTHERS and figures["Anonymous"] < figures["Rss"]:
                check(sum(p[column] for p in parts) <= figures["Rss"], f"{column} of {start:x}")
                continue
            equal(sum(p[column] for p in parts), sum(figures.get(n, 0) for n in names),
                  f"{column} of {start:x}-{end:x} {[(p['region'], p[column]) for p in parts]}")
        equal({p["perms"] for p in parts}, {figures["perms"]}, f"permissions of {start:x}")
        for p in parts:
            check(p["rss_bytes"] <= p["size_bytes"], f"more resident than there is: {p}")
    equal(at, len(rows), "parts in mappings")


def equals_status(one, pid, vmas):
    head, kernel = one["summary"], status(pid)
    for key, name in (("vm_size_bytes", "VmSize"), ("vm_swap_bytes", "VmSwap"),
                      ("vm_pte_bytes", "VmPTE"), ("vm_rss_bytes", "VmRSS")):
        equal(head[key], kernel[name], name)
    equal(head["vmas"], sum(v[0] < 1 << 63 for v in vmas), "VMAs")
    with open("/proc/sys/vm/max_map_count", encoding="ascii") as f:
        equal(head["max_map_count"], int(f.read()), "vm.max_map_count")
    equal(head["rss_bytes"], sum(v[2]["Rss"] for v in vmas), "rss of all")


def whole(pid, *args):
    """The map of a process that stands still, held against all that /proc says of it."""
    with Stopped(pid):
        one = the_map("-p", str(pid), *args)
        vmas = smaps(pid)
        equals_status(one, pid, vmas)
    tiles(one)
    equals_smaps(one, vmas)
    return one


class Maps:
    """tests/truth/maps.c, and where it has put what."""

    def __init__(self):
        self.file = scratch_file("maps")
        self.target = Target(truth("maps"), self.file)

    def at(self):
        with open(self.file, encoding="ascii") as f:
            return key_values(f.read())

    def __enter__(self):
        self.target.__enter__()
        return self

    def __exit__(self, *args):
        self.target.__exit__(*args)


def part(one, address):
    return next(r for r in one["rows"] if r["start"] <= address < r["end"])


@case("map/figures")
def figures():
    """What the program knows of its memory, and what smaps says."""
    with Maps() as m:
        one, at = whole(m.target.pid, "--heat"), m.at()
    regions = {"anon": "anon", "shared": "shm", "data": "data", "bss": "bss", "heap": "heap",
               "stack": "stack", "thread": "thread-stack", "huge": "anon", "reserved": "anon"}
    for name, region in regions.items():
        equal(part(one, at[name])["region"], region, f"region of {name}")
    anon = part(one, at["anon"])
    equal((anon["size_bytes"], anon["rss_bytes"], anon["dirty_bytes"]),
          (64 * PAGE, 16 * PAGE, 16 * PAGE), "size, rss, dirty of anon")
    equal([i for i, h in enumerate(anon["heat"]) if h], list(range(8, 16)), "where it is hot")
    equal(anon["heat"][8], 1.0, "how hot")
    shared = part(one, at["shared"])
    equal((shared["size_bytes"], shared["rss_bytes"], shared["perms"], shared["owner"]),
          (64 * PAGE, 16 * PAGE, "rw-s", "memfd:truth"), "shared memory")
    check(part(one, at["bss"])["rss_bytes"] >= 5 * PAGE, "5 pages of bss")
    thread = part(one, at["thread"])
    equal(thread["owner"], f"[stack:{at['tid']}]", "whose stack")
    check(thread["rss_bytes"] >= 16 * PAGE, "16 pages of a thread's stack")
    guard = part(one, thread["start"] - 1)
    equal((guard["kind"], guard["owner"]), ("guard", thread["owner"]), "below the thread's stack")
    reserved = part(one, at["reserved"])
    equal((reserved["kind"], reserved["rss_bytes"]), ("reserved", 0), "1 TiB without access")
    check(reserved["size_bytes"] >= 1 << 40, f"1 TiB reserved: {reserved}")
    huge = part(one, at["huge"])
    said = "" if huge["huge_bytes"] else "no huge page was given"
    if "guarded" in at:
        inside = part(one, at["guarded"] + 32 * PAGE)
        if inside["kind"] != "guard":
            return said + "; this kernel does not tell of guard pages"
        equal((inside["start"], inside["size_bytes"]), (at["guarded"] + 32 * PAGE, 2 * PAGE), "guard pages")
        equal(part(one, at["guarded"])["rss_bytes"] >= 16 * PAGE, True, "what is beside the guard")
    return said


@case("map/sections")
def sections():
    with Maps() as m:
        one, at = whole(m.target.pid), m.at()
    for name, section in {"stack": "stack", "anon": "mappings", "heap": "heap", "data": "program",
                          "bss": "program"}.items():
        equal(part(one, at[name])["section"], section, f"section of {name}")
    order = [r["section"] for r in mapped(one)]
    order = [s for i, s in enumerate(order) if not i or order[i - 1] != s]
    equal([s for s in order if s != "kernel"][-3:], ["mappings", "heap", "program"], "from top to bottom")


PROGRAMS = {
    "python3": [sys.executable, "-c", "import time; print('ready', flush=True); time.sleep(60)"],
    "redis-server": ["redis-server", "--port", "0", "--save", ""],
}


def running(name):
    if name == "redis-server":
        harness.tool(name, name)
    more = ["--unixsocket", scratch_file("socket")] if name == "redis-server" else []
    process = spawn([*PROGRAMS[name], *more], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                    env=environment())
    process.stdout.readline()
    time.sleep(0.2)
    check(process.poll() is None, f"{name} has ended")
    return process.pid


@case("map/python3")
def python3():
    whole(running("python3"), "--heat", "--frames")


@case("map/redis-server")
def redis():
    whole(running("redis-server"), "--heat")


@case("map/sections-in-one-mapping")
def no_separate():
    """Text, constants and headers of a program lie in one mapping."""
    with Target(truth("regions-nosep"), "wait", "heap", "64") as target:
        one = whole(target.pid)
    path = truth("regions-nosep")
    program = [r for r in mapped(one) if r["path"] == path]
    executable = [r for r in program if r["perms"] == "r-xp"]
    equal({r["region"] for r in executable} >= {"text", "rodata"}, True,
          f"parts of the executable mapping: {[(r['region'], r['size_bytes']) for r in executable]}")
    equal({r["section"] for r in program}, {"program"}, "section")


@case("map/bss-and-heap")
def bss_and_heap():
    """Without randomisation the heap begins where the bss ends, in one mapping."""
    with Target(truth("regions-nosep"), "wait", "heap", "64", "bss", "32", steady=True) as target:
        one = whole(target.pid)
    rows = {r["region"]: r for r in mapped(one) if r["section"] in ("heap", "program")}
    check(rows["bss"]["owner"] == "regions-nosep" and rows["heap"]["owner"] == "[heap]", f"{rows}")
    if rows["bss"]["end"] != rows["heap"]["start"]:
        raise Skip("the heap begins elsewhere on this kernel")


@case("map/frames")
def frames():
    with Maps() as m:
        one, at = whole(m.target.pid, "--frames"), m.at()
    anon, shared = part(one, at["anon"]), part(one, at["shared"])
    if anon["frames"] is None or not anon["frames"]:
        raise Skip("/proc/kpageflags does not tell; a kernel with CONFIG_PROC_PAGE_MONITOR does")
    for row in mapped(one):
        if row["frames"] is None:
            continue
        runs = row["frame_runs"]
        if not row["frame_runs_left_out"]:
            equal(sum(r["pages"] for r in runs), row["frames"], f"frames of {row['start']:x}")
        for run in runs:
            check(row["map_count_min"] <= run["map_count"] <= row["map_count_max"], f"{run} of {row}")
    equal((anon["frames"], anon["map_count_min"], anon["map_count_max"]), (16, 1, 1), "frames of anon")
    check(all("anon" in r["flags"] for r in anon["frame_runs"]), f"{anon['frame_runs']}")
    equal(shared["frames"], 16, "frames of shared memory")
    check(not any("anon" in r["flags"] for r in shared["frame_runs"]), f"{shared['frame_runs']}")


@case("map/traced")
def traced():
    """Faults, who touched, who mapped: of what happens while it is traced."""
    with Maps() as m:
        with Attached("map", "-j", "-p", str(m.target.pid), "-d", "60") as run:
            m.target.go_on()
            at = m.at()
            run.end()
            with open(run.out, "rb") as f:
                one = numbered(json_lines(f.read())[-1])
    anon, later = part(one, at["anon"]), part(one, at["later"])
    equal((anon["faults"], anon["touched_bytes"], anon["rss_bytes"]),
          (8, 8 * PAGE, 24 * PAGE), "faults, touched and resident of anon")
    equal(anon["mapped_by"], "before", "who mapped anon")
    equal((later["faults"], later["touched_bytes"], later["mapped_by"], later["mapped_by_tid"]),
          (8, 8 * PAGE, "mmap", m.target.pid), "faults and origin of what came later")
    check(later["touched_by"].startswith(f"maps/{m.target.pid}"), later["touched_by"])
    check(anon["stall_ns"] > 0, "stall")
    check("main" in later["mapped_stack"], f"who mapped: {later['mapped_stack']}")
    check("main" in later["touched_stack"], f"who touched: {later['touched_stack']}")


@case("map/program")
def program():
    """At the end of a program, when there is nothing to read any more."""
    out = scratch_file("json")
    result = snoop("map", "-j", "-o", out, "--", sys.executable, "-c",
                   "import mmap, time\nm = mmap.mmap(-1, 64 * 4096)\n"
                   "for i in range(16): m[i * 4096] = 1\ntime.sleep(0.5)\nimport os; os._exit(3)")
    equal(result.status, 3, "the program's status")
    with open(out, "rb") as f:
        one = numbered(json_lines(f.read())[-1])
    check("ended" in one["notes"][0], f"what it says: {one['notes']}")
    tiles(one)
    own = [r for r in mapped(one) if r["region"] == "shm" and r["size_bytes"] == 64 * PAGE]
    equal([(r["touched_bytes"], r["faults"], r["rss_bytes"]) for r in own],
          [(16 * PAGE, 16, 16 * PAGE)], "its mapping, as it was at the last look")
    equal(own[0]["mapped_by"], "mmap", "who mapped it")


@case("map/short-program")
def short():
    result = snoop("map", "--", "/bin/true")
    no_errors(result)
    check("+- stack" in result.text() and "+- program" in result.text(), result.text())


@case("map/interval")
def interval():
    with Maps() as m:
        result = snoop("map", "-j", "-p", str(m.target.pid), "-i", "0.2", "-d", "0.7")
    no_errors(result)
    maps = json_lines(result.out)
    check(len(maps) >= 3, f"{len(maps)} maps")
    times = [one["time_ns"] for one in maps]
    equal(times, sorted(times), "times")


@case("map/text")
def text():
    """80 columns, in ASCII where the locale has no more."""
    with Maps() as m:
        result = snoop("map", "--heat", "--frames", "-p", str(m.target.pid))
        at = m.at()
    no_errors(result)
    for line in result.out.decode("ascii").splitlines():
        check(len(line) <= 80, f"too wide: {line}")
        check(line == line.rstrip() or line.endswith("|"), f"blanks at its end: '{line}'")
    for word in ("+- stack", "+- mappings", "+- heap", "+- program", "VmSize", "VmPTE", "gap of",
                 "guard", "reserved", "thread-stack", f"{at['anon']:x}"):
        check(word in result.text(), f"no '{word}' in {result.text()}")


@case("map/csv")
def as_csv():
    with Maps() as m, Stopped(m.target.pid):
        result = snoop("map", "--csv", "--heat", "-p", str(m.target.pid))
        one = the_map("--heat", "-p", str(m.target.pid))
    no_errors(result)
    rows = list(csv.DictReader(io.StringIO(result.text(), newline="")))
    equal([(int(r["start"], 16), r["rss_bytes"]) for r in rows],
          [(r["start"], "" if r["rss_bytes"] is None else str(r["rss_bytes"])) for r in one["rows"]],
          "rows")


@case("map/several")
def several():
    """Largest first; and children of a process."""
    big = spawn([sys.executable, "-c", "import os, time\nos.fork()\nx = bytearray(32 << 20)\ntime.sleep(60)"],
                env=environment())
    time.sleep(0.7)
    with Maps() as m:
        result = snoop("map", "-j", "-p", f"{m.target.pid},{big.pid}")
        no_errors(result)
        pids = [one["summary"]["pid"] for one in json_lines(result.out)]
        equal(pids, [big.pid, m.target.pid], "whose maps, in this order")
    result = snoop("map", "-j", "--children", "-p", str(big.pid))
    no_errors(result)
    maps = json_lines(result.out)
    equal(len(maps), 2, "a process and its child")
    rss = [one["summary"]["rss_bytes"] for one in maps]
    equal(rss, sorted(rss, reverse=True), "by what is resident")


@case("map/children-traced")
def children_traced():
    """A child is known from its birth on."""
    result = snoop("map", "-j", "-o", out := scratch_file("json"), "--children", "--", "sh", "-c",
                   "sleep 0.4 & sleep 0.3; wait")
    no_errors(result)
    with open(out, "rb") as f:
        maps = json_lines(f.read())
    equal(sorted(one["summary"]["comm"] for one in maps), ["sh", "sleep", "sleep"], "whose maps")
    for one in maps:
        check(one["summary"]["faults"] > 20, f"faults of {one['summary']}")


@case("map/many-mappings")
def many():
    """20,000 of them in a few seconds."""
    code = ("import ctypes, mmap, sys\nlibc = ctypes.CDLL(None)\nlibc.mmap.restype = ctypes.c_void_p\n"
            "libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + 3 * [ctypes.c_int] + [ctypes.c_long]\n"
            "a = libc.mmap(None, 20002 * 4096, 3, 0x22, -1, 0)\n"
            "for i in range(10000): libc.mprotect(ctypes.c_void_p(a + (2 * i + 1) * 4096), 4096, 1)\n"
            "print('ready', flush=True)\nsys.stdin.read()")
    process = spawn([sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                    env=environment())
    process.stdout.readline()
    began = time.monotonic()
    one = whole(process.pid)
    took = time.monotonic() - began
    check(one["summary"]["vmas"] > 20000, f"{one['summary']}")
    check(took < (60 if harness.VM else 8), f"it took {took:.1f} s")
    return f"{took:.2f} s"


@case("map/whose")
def whose():
    """Those that have no memory, and nobody at all."""
    def refused(args, status_wanted, words):
        result = snoop("map", *args)
        equal(result.status, status_wanted, f"status of map {args}: {result.errors()}")
        check(words in result.errors(), f"map {args} said: {result.errors()}")

    refused([], 2, "-p PID")
    refused(["-p", "2"], 1, "thread of the kernel")
    refused(["-p", "4194000"], 1, "no such process")
    zombie = spawn(["true"], env=environment())
    wait_until(lambda: state(zombie.pid, zombie.pid) == "Z", "it has ended")
    refused(["-p", str(zombie.pid)], 1, "has ended")
