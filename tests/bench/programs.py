# SPDX-License-Identifier: GPL-2.0-only
"""What taking stacks costs whole programs, and how quickly a flame graph of a million faults is made."""
import os
import re
import shutil
import signal
import subprocess
import time

from checks import Check, tracer
from figures import median_of, median_of_one
from loop import Loop
from tracers import Unavailable

QUERY = ("create table a(b); with recursive c(x) as (select 1 union all select x+1 from c where "
         "x<1000000) insert into a select x from c; select count(*) from a group by b%7;")
SOURCE = "#include <stdio.h>\nint main(void) { return printf(\"hello\\n\") < 0; }\n"
BAR = 1.15


def _source(scratch):
    path = os.path.join(scratch, "hello.c")
    with open(path, "w", encoding="ascii") as file:
        file.write(SOURCE)
    return path


def _python():
    """One that has the standard library's own tests, which Debian packages apart."""
    for name in ("python3", "/usr/bin/python3"):
        path = shutil.which(name)
        if path and subprocess.run([path, "-c", "import test.test_json"], capture_output=True,
                                   check=False).returncode == 0:
            return path
    return None


def _programs(bench):
    """(name, argv, or None and why it is not run)"""
    here = os.path.dirname(os.path.abspath(__file__))
    python = _python()
    large = os.path.join(here, "..", "unit", "test_stat.c")
    include = [f"-I{os.path.join(here, '..', '..', d)}" for d in ("include", "cmd", "tests")]
    yield "sqlite3, a million rows", ["sqlite3", ":memory:", QUERY]
    if python:
        yield "python3 -m test test_json", [python, "-m", "test", "-q", "test_json"]
    else:
        yield "python3 -m test test_json", None
    yield "gcc -O2 of a small program", ["gcc", "-O2", _source(bench.scratch), "-o",
                                         os.path.join(bench.scratch, "hello")]
    if os.path.exists("/usr/include/cmocka.h"):
        yield "gcc -O2 -c of a large file", ["gcc", "-O2", "-D_GNU_SOURCE", *include, "-c", large,
                                             "-o", os.path.join(bench.scratch, "large.o")]


def _seconds(argv):
    begun = time.monotonic()
    subprocess.run(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, check=False)
    return time.monotonic() - begun


def _ratios(bench, argv, rounds, runs):
    """Of runs traced to runs untraced, in blocks; a tracer's first run, in which it meets files, apart."""
    later, first = [], []
    for number in range(rounds):
        bench.progress(f"{argv[0]}: round {number + 1} of {rounds}")
        untraced = min(_seconds(argv) for _ in range(runs))
        ours = tracer(bench, "programs", "flame", "-a", "-o", os.path.join(bench.scratch, "f"))
        ours.start()
        try:
            first.append(_seconds(argv) / untraced)
            later.append(min(_seconds(argv) for _ in range(runs)) / untraced)
        finally:
            ours.stop()
    return later, first


def programs(bench):
    """End to end, beside flame -a: on all CPUs, the tracer competing."""
    rows = []
    bench.unpin()
    try:
        for name, argv in _programs(bench):
            what = f"{name}, flame -a: ratio to untraced"
            if not argv or not shutil.which(argv[0]):
                rows.append(Check(what, why_not="not installed"))
                continue
            _seconds(argv)
            try:
                later, first = _ratios(bench, argv, max(3, bench.plan.starts // 3), 3)
            except Unavailable as why:
                rows.append(Check(what, why_not=str(why)))
                continue
            rows.append(Check(what, median_of([later]), 3, bar=BAR,
                              note=f"{median_of_one(first).value:.3f} where the tracer meets "
                                   "its files for the first time"))
    finally:
        bench.pin()
    return rows


def _most_memory(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as file:
        return int(re.search(r"VmHWM:\s+(\d+)", file.read()).group(1)) / 1024


def graph(bench):
    """From Ctrl-C to the end, after a million faults of several programs."""
    rows = []
    what = "flame graph (svg) of a million faults: from Ctrl-C to its end"
    bench.unpin()
    ours = tracer(bench, "graph", "flame", "-a", "--format", "svg", "-o",
                  os.path.join(bench.scratch, "graph.svg"))
    try:
        ours.start()
        for _, argv in _programs(bench):
            if argv and shutil.which(argv[0]):
                _seconds(argv)
        loop = Loop(bench.faultloop, bench.cpu, 65536)
        for _ in range(12):
            loop.do("fault")
        loop.close()
        memory = _most_memory(ours.process.pid)
        begun = time.monotonic()
        ours.process.send_signal(signal.SIGINT)
        ours.process.wait(60)
        seconds = time.monotonic() - begun
        ours.stop()
        told = re.search(r"(\d+) faults", ours.err.text())
        rows = [Check(what, median_of_one([seconds]), 2, "s", 1,
                      note=f"{told.group(1) if told else '?'} faults"),
                Check("  most memory before that", median_of_one([memory]), 0, "MiB", 200)]
    except (Unavailable, OSError) as why:
        ours.stop()
        rows = [Check(what, why_not=str(why))]
    finally:
        bench.pin()
    return rows


ALL = {"programs": programs, "graph": graph}
