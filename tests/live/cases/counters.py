# SPDX-License-Identifier: GPL-2.0-only
"""Minor and major beside the kernel's software events and getrusage, of the same run."""
import os
import shutil
import sys

from harness import ROOT, Skip, case, cases, check, equal, settled, tool, truth
from snoop import evcount, of_program, run, scratch_file, stat

PYTHON = sys.executable


def beside_events(report, counted, *, exact=True):
    """The rows of the program and its children equal what was counted on them from exec on."""
    rows = [r for r in report.rows() if of_program(r)]
    for name in ("minor", "major"):
        equal(sum(r[name] for r in rows), counted[name], f"{name} faults beside the software "
              "event's count")
    seen = sum(r["faults"] for r in rows)
    if exact:
        equal(seen, counted["page_faults"], "faults beside PAGE_FAULTS")
    else:
        # restarts after a signal are exceptions of their own, but no faults
        check(counted["minor"] + counted["major"] <= seen <= counted["page_faults"],
              f"{seen} faults beside PAGE_FAULTS {counted['page_faults']}")


def beside_usage(report, counted):
    """seen + populated = getrusage"""
    rows = [r for r in report.rows() if of_program(r)]
    seen = sum(r["minor"] + r["major"] for r in rows)
    populated = sum(r.get("populated", 0) for r in rows)
    usage = sum(counted[k] for k in ("usage_minor", "usage_major", "children_minor",
                                     "children_major"))
    equal(seen + populated, usage, f"seen ({seen}) + populated ({populated}) beside getrusage")


SMALL = [
    ("regions", ["regions", "heap", "300", "anon", "300", "file-private", "300"]),
    ("fork-and-cow", ["regions", "fork", "300"]),
    ("threads", ["tasks", "threads", "8", "200"]),
    ("major", ["major", "private", "300"]),
    ("populate", ["populate", "map", "300"]),
    ("mlock", ["populate", "mlock", "300"]),
    ("direct", ["populate", "direct", "300"]),
    ("kernel-access", ["fixup", "write-file", "300"]),
    ("segv", ["fixup", "segv-write", "300"]),
    ("exec-chain", ["tasks", "chain", "10", "20"]),
    ("exec-from-thread", ["tasks", "exec-thread", "5", "20"]),
    ("forks", ["tasks", "forks", "200", "5"]),
    ("32-bit", ["regions32", "heap", "300", "anon", "300"]),
]


@cases("events", [(f"{name}{'-in-kernel' if options else ''}", program, options)
                  for name, program in SMALL for options in ([], ["--in-kernel"])])
def events(_, program, options):
    report, counted = evcount(options, [truth(program[0]), *program[1:]])
    beside_events(report, counted)


@case("events/with-calls")
def with_calls():
    """All that can be watched is watched: the counts are the same."""
    report, counted = evcount([], [truth("tasks"), "forks", "200", "5"], calls=True)
    beside_events(report, counted)
    beside_usage(report, counted)


@cases("usage", [(name, program) for name, program in SMALL])
def usage(_, program):
    report, counted = evcount([], [truth(program[0]), *program[1:]])
    beside_usage(report, counted)


@case("usage/large-arguments")
def large_arguments():
    """execve's argument pages are populated."""
    many = ["x" * 1000] * 200
    runs = [evcount([], [shutil.which("true"), *args]) for args in (many, [])]
    for report, counted in runs:
        beside_usage(report, counted)
    populated = [sum(r.get("populated", 0) for r in report.rows() if of_program(r))
                 for report, _ in runs]
    check(populated[0] - populated[1] >= 45, f"200 KB of arguments populate only "
          f"{populated[0]} pages, none {populated[1]}")


@cases("populated", ["map", "map-shm", "mlock", "populate-read", "populate-write", "direct",
                     "vmsplice"])
@settled
def populated(part):
    runs = [stat(["--by", "process"], [truth("populate"), part, n]) for n in ("00200", "00000")]
    equal(runs[0].total("populated") - runs[1].total("populated"), 200, "populated, in totals")
    by_process = [sum(r.get("populated", 0) for r in one.rows()) for one in runs]
    equal(by_process[0] - by_process[1], 200, "populated, by process")
    equal(runs[0].total("faults"), runs[1].total("faults"), "faults of populating nothing and 200 "
          "pages")
    if part in ("direct", "vmsplice"):
        return
    # per region from the counters' difference across the call
    region = runs[0].truth["region"]
    tables = [stat(["--by", "region"], [truth("populate"), part, n], calls=True).table(
        "region", value="populated") for n in ("00200", "00000")]
    equal(tables[0][region,] - tables[1][region,], 200, f"populated in region {region}")


@case("events/from-exec-on", serial=True)
@settled
def from_exec_on():
    """perf counts a program that it runs from exec on, and so do we: the same, run after run."""
    perf = tool("perf", "linux-perf")
    program = [truth("regions"), "heap", "00200", "stack", "00100"]
    out = scratch_file("perf")
    counts = set()
    for _ in range(3):
        result = run([perf, "stat", "-x,", "-e", "minor-faults,major-faults", "-o", out, "--",
                      *program])
        equal(result.status, 0, "perf stat")
        with open(out, encoding="ascii") as f:
            fields = [line.split(",") for line in f if "faults" in line]
        counts.add(tuple(int(fs[0]) for fs in fields))
    if len(counts) != 1:
        raise Skip(f"this program does not fault alike in every run here: {counts}")
    report = stat(["--by", "process"], program)
    equal((report.total("minor"), report.total("major")), counts.pop(), "(minor, major) of a "
          "program, beside perf stat of the same program")


@case("events/perf-stat-of-the-same-run")
def perf_same_run():
    perf = tool("perf", "linux-perf")
    out = scratch_file("perf")
    report = stat(["--by", "process"], [
        perf, "stat", "-x,", "-e", "minor-faults,major-faults", "-o", out, "--",
        truth("regions"), "heap", "00200", "fork", "00100"])
    with open(out, encoding="ascii") as f:
        counted = [int(line.split(",")[0]) for line in f if "faults" in line]
    rows = [r for r in report.rows() if r["process"] == "regions"]
    equal([sum(r[k] for r in rows) for k in ("minor", "major")], counted, "[minor, major]")


def gcc_compile():
    return [tool("gcc", "gcc"), "-O1", "-w", "-o", scratch_file("o"), "-c",
            os.path.join(ROOT, "tests", "truth", "calls.c")]


def sqlite():
    script = "create table t(a, b); insert into t with recursive n(i) as (select 1 union all " \
        "select i + 1 from n where i < 50000) select i, hex(i) from n; select sum(length(b)) " \
        "from t group by a % 7; create index x on t(b);"
    return [tool("sqlite3", "sqlite3"), scratch_file("db"), script]


def stress(*args):
    return lambda: [tool("stress-ng", "stress-ng"), "--temp-path", os.path.dirname(
        scratch_file("x")), "--timeout", "10", *args]


REAL = [
    ("python3", lambda: [PYTHON, "-S", "-c", "import json, re; x = [str(i) for i in "
                         "range(200000)]; json.dumps(x)"]),
    ("sqlite3", sqlite),
    ("gcc", gcc_compile),
    ("shell-pipeline", lambda: ["sh", "-c", "cat /proc/self/maps | sort | uniq -c | tail -1"]),
    ("stress-ng-fault", stress("--fault", "1", "--fault-ops", "300")),
    ("stress-ng-mmap", stress("--mmap", "1", "--mmap-ops", "2", "--mmap-bytes", "16M")),
    ("stress-ng-brk", stress("--brk", "1", "--brk-ops", "3000")),
    ("stress-ng-page-in", stress("--page-in", "--vm", "1", "--vm-bytes", "16M", "--vm-ops",
                                 "2000")),
]


@cases("real", [(f"{name}{'-in-kernel' if options else ''}", program, options)
                for name, program in REAL for options in ([], ["--in-kernel"])], timeout=90)
def real(name, program, options):
    report, counted = evcount(options, program(), steady=False)
    # stress-ng's timers interrupt faults
    beside_events(report, counted, exact=not name.startswith("stress"))


@cases("real-usage", [r for r in REAL if not r[0].startswith("stress")], timeout=90)
def real_usage(_, program):
    report, counted = evcount([], program(), steady=False, calls=True)
    beside_events(report, counted)
    beside_usage(report, counted)
