# SPDX-License-Identifier: GPL-2.0-only
"""What was wrong once. Each case failed before its fix."""
import signal
import subprocess
import sys

import harness
from harness import case, check, equal, remaining
from snoop import json_lines, no_errors, scratch_file, snoop

PYTHON = [sys.executable, "-I", "-c"]


def one(*args):
    """The one report of a run; what the program printed does not mix with it."""
    out = scratch_file("json")
    result = snoop(*args[:1], "-j", "-o", out, *args[1:])
    no_errors(result)
    with open(out, "rb") as f:
        return json_lines(f.read())


@case("once-wrong/efault-again")
def efault_again():
    """The same bad address from the same instruction of the kernel: one failed fault each time."""
    program = "import ctypes, os; c = ctypes.CDLL(None); r, w = os.pipe(); " \
        "[c.write(w, ctypes.c_void_p(8), 1) for _ in range(300)]"
    report, = one("stat", "--no-calls", "--", *PYTHON, program)
    # Linux 6.1 tries such a copy a second time
    check(report["totals"]["failed"] in (300, 600), f"{report['totals']['failed']} failed faults")


@case("once-wrong/calls-of-threads")
def calls_of_threads():
    """Threads of a program that is run are its members, too."""
    program = """
import mmap, threading
def work(): mmap.mmap(-1, 7 * 4096 * 1000).close()
threads = [threading.Thread(target=work) for _ in range(6)]
for t in threads: t.start()
for t in threads: t.join()
"""
    lines = one("trace", "--events", "mmap,exit", "--", *PYTHON, program)
    sizes = [e["args"]["length"] for e in lines if e["event"] == "mmap"]
    equal(sizes.count(7 * 4096 * 1000), 6, "mmap calls of threads")
    equal(len([e for e in lines if e["event"] == "exit"]), 7, "exits of threads")


@case("once-wrong/files-at-one-address")
def files_at_one_address():
    """A file that is mapped where another one was is that file."""
    names = []
    for i in range(12):
        names.append(scratch_file(f"f{i}"))
        with open(names[-1], "wb") as f:
            f.write(bytes(4096))
    program = f"""
import mmap
for name in {names!r}:
    with open(name, "r+b") as f:
        m = mmap.mmap(f.fileno(), 4096, access=mmap.ACCESS_COPY)
        m[0] = 1
        m.close()
"""
    report, = one("stat", "--no-calls", "--by", "file", "--", *PYTHON, program)
    faults = {r["file"]: r["faults"] for r in report["rows"]}
    equal({n: faults.get(n, 0) for n in names}, {n: 1 for n in names}, "faults by file")


@case("once-wrong/interval-longer-than-the-run")
def long_interval():
    reports = one("stat", "--no-calls", "-i", "30", "--", *PYTHON, "pass")
    equal(len(reports), 1, "reports")
    check(reports[0]["totals"]["faults"] > 100, "no faults")


@case("once-wrong/sigchld-ignored")
def sigchld_ignored():
    """A disposition that is inherited: the end of the program is seen all the same."""
    process = subprocess.run([harness.FAULTSNOOP, "stat", "--no-calls", "-j", "--", "true"],
                             stdout=subprocess.PIPE, timeout=remaining(), check=False,
                             preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
    equal(process.returncode, 0, "status")


@case("once-wrong/gp-fault-is-no-segv")
def general_protection():
    """A pointer that is no address raises no page fault: the last good one does not fail for it."""
    program = "import ctypes; ctypes.string_at(0x1234567890abcdef, 1)"
    out = scratch_file("json")
    result = snoop("stat", "--no-calls", "-j", "-o", out, "--", *PYTHON, program)
    equal(result.status, 128 + signal.SIGSEGV, "status")
    with open(out, "rb") as f:
        report, = json_lines(f.read())
    equal(report["totals"]["failed"], 0, "failed faults")


@case("once-wrong/populated-with-lost-records")
def populated_with_lost_records():
    """Records that are lost are no populated pages."""
    program = "x = bytearray(300 << 20)"
    report, = one("stat", "--no-calls", "--ring-size", "64K", "--", *PYTHON, program)
    check(report["totals"]["populated"] < 100, f"{report['totals']['populated']} pages populated")
