# SPDX-License-Identifier: GPL-2.0-only
"""Bad input and bad weather: one clear line, the documented status, nothing half-done."""
import json
import os
import re
import shutil
import signal
import subprocess
import threading

import harness
from harness import Fail, Skip, case, cases, check, equal, remaining, spawn, tool, truth
from snoop import Attached, Target, environment, json_lines, run, scratch_file, snoop, wait_until


# Without mapping calls: each takes tens of milliseconds to let go of.
FAULTS = {"stat": ["--no-calls"], "trace": ["--events", "fault"]}


def gone_pid():
    """A pid that nobody has."""
    with subprocess.Popen(["true"]) as process:
        process.wait()
        return str(process.pid)


def complains(result, status, pattern=""):
    """One line on stderr, that status, and nothing on stdout."""
    statuses = status if isinstance(status, tuple) else (status,)
    check(result.status in statuses, f"status {result.status}, should be {status}; it said: "
          f"{result.errors()}")
    lines = result.error_lines()
    equal(len(lines), 1, f"lines on stderr: {lines}")
    check(lines[0].startswith("faultsnoop: "), f"who says it? {lines[0]}")
    check(re.search(pattern, lines[0], re.I), f"nothing like {pattern!r} in: {lines[0]}")
    equal(result.out, b"", "stdout")


USAGE = [
    ("command", ["frobnicate"], "frobnicate"),
    ("option", ["stat", "--frobnicate"], "frobnicate"),
    ("short-option", ["trace", "-Q"], "Q"),
    ("missing-value", ["stat", "--by"], "by"),
    ("key", ["stat", "--by", "region,frob"], "frob"),
    ("column", ["stat", "--sort", "frob"], "frob"),
    ("region", ["stat", "--region", "heap,frob"], "frob"),
    ("event", ["trace", "--events", "mmap,frob"], "frob"),
    ("faults", ["stat", "-F", "frob"], "frob"),
    ("top-0", ["stat", "--top", "0"], "0"),
    ("top-huge", ["stat", "--top", "99999999999999999999"], "99999"),
    ("top-word", ["stat", "--top", "many"], "many"),
    ("duration-0", ["stat", "-d", "0"], "0"),
    ("duration-negative", ["stat", "-d", "-1"], "-1"),
    ("duration-word", ["stat", "-d", "soon"], "soon"),
    ("duration-nan", ["stat", "-d", "nan"], "nan"),
    ("interval-0", ["stat", "-i", "0"], "0"),
    ("max-events-0", ["trace", "--max-events", "0"], "0"),
    ("min-latency", ["trace", "--min-latency", "-5"], "-5"),
    ("ring-size-small", ["stat", "--ring-size", "1"], "1"),
    ("ring-size-huge", ["stat", "--ring-size", "9999999T"], "9999999T"),
    ("ring-size-word", ["stat", "--ring-size", "12Q"], "12Q"),
    ("pid-0", ["stat", "-p", "0"], "0"),
    ("pid-negative", ["stat", "-p", "-3"], "-3"),
    ("pid-huge", ["stat", "-p", "99999999999"], "99999999999"),
    ("pid-word", ["stat", "-p", "init"], "init"),
    ("pid-list", ["stat", "-p", "1,,2"], ""),
    ("tid-word", ["trace", "-t", "1x"], "1x"),
    ("name-empty", ["stat", "-n", ""], ""),
    ("name-long", ["stat", "-n", "a" * 40], ""),
    ("two-targets", ["stat", "-p", "1", "--", "true"], ""),
    ("trace-only", ["stat", "--events", "mmap"], "events"),
    ("stat-only", ["trace", "--by", "region"], "by"),
    ("words-without-dashes", ["features", "true"], "true"),
]


@cases("usage-error", USAGE)
def usage(_, args, pattern):
    complains(snoop(*args), 2, re.escape(pattern))


@case("usage-error/feature")
def unknown_feature():
    complains(snoop("stat", "--without", "frob", "--", "true"), 2, "frob")


@case("no-such/pid")
def no_pid():
    pid = gone_pid()
    complains(snoop("stat", "-p", pid), 1, pid)
    complains(snoop("trace", "-p", pid), 1, pid)
    complains(snoop("stat", "-p", f"{os.getpid()},{pid}"), 1, pid)


@case("no-such/tid")
def no_tid():
    pid = gone_pid()
    complains(snoop("stat", "-t", pid), 1, pid)


@cases("no-such/cgroup", [("missing", "/sys/fs/cgroup/frobnicate-42"), ("no-cgroup", "/usr"),
                          ("file", "/etc/passwd"), ("relative", "frob")])
def no_cgroup(_, path):
    complains(snoop("stat", "-c", path), 1, os.path.basename(path))


@case("no-such/program")
def no_program():
    result = snoop("stat", "--", "/nonexistent/frobnicate", "x")
    complains(result, (1, 127), "frobnicate")
    complains(snoop("trace", "--", "frobnicate-that-is-nowhere"), (1, 127), "frobnicate")


@case("no-such/executable")
def not_executable():
    path = scratch_file("txt")
    with open(path, "w", encoding="ascii") as f:
        f.write("words\n")
    complains(snoop("stat", "--", path), (1, 126), os.path.basename(path))
    complains(snoop("stat", "--", harness.scratch), (1, 126), "")
    os.chmod(path, 0o755)
    # no #! and no ELF: execve refuses it
    check(snoop("stat", "--", path).status in (0, 1, 126, 127), "a text file as a program")


@cases("output", [("no-directory", "/nonexistent/x"), ("directory", "/usr")])
def no_output(_, path):
    marker = scratch_file("marker")
    complains(snoop("stat", "-o", path, "--", "touch", marker), 1, os.path.basename(path))
    check(not os.path.exists(marker), "the program ran though its report cannot be written")


@cases("disk-full", [("stat-o", ["stat", "-o", "/dev/full"], False),
                     ("trace-o", ["trace", "-o", "/dev/full"], False),
                     ("stat-json", ["stat", "-j"], True), ("stat", ["stat"], True),
                     ("trace", ["trace"], True), ("trace-json", ["trace", "-j"], True),
                     ("features", ["features"], True), ("help", ["help"], True)])
def disk_full(_, args, redirect):
    program = [] if args[0] in ("features", "help") else [
        *FAULTS[args[0]], "--", truth("tasks"), "chain", "2", "50"]
    with open("/dev/full", "wb") as full:
        result = run([harness.FAULTSNOOP, *args, *program],
                     stdout=full if redirect else subprocess.PIPE)
    equal(result.status, 1, f"status ({result.errors()})")
    lines = [line for line in result.error_lines() if line.startswith("faultsnoop: ")]
    equal(len(lines), 1, f"lines on stderr: {result.errors()}")
    check(re.search("no space", lines[0], re.I), f"no reason in {lines[0]}")


@cases("reader-goes", [("trace", ["trace"]), ("trace-json", ["trace", "-j"]),
                       ("stat-interval", ["stat", "-i", "0.05"]),
                       ("stat-json", ["stat", "-j", "-i", "0.05"])])
def reader_goes(_, args):
    """| head: it ends soon, quietly, with status 0."""
    with Target(truth("tasks"), "loop", "0", "50") as target:
        process = spawn([harness.FAULTSNOOP, *args, *FAULTS[args[0]], "-p",
                         str(target.pid)],
                        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                        stderr=subprocess.PIPE, env=environment())
        process.stdout.readline()
        process.stdout.close()
        err = process.stderr.read().decode()
        status = process.wait(timeout=min(20, remaining()))
    equal((status, err), (0, ""), "(status, stderr) after the reader has gone")


@cases("interrupt", [(f"{name}-{word}", args, number) for name, args in (
    ("stat", ["stat", "-j"]), ("trace", ["trace", "-j"]), ("in-kernel", ["stat", "-j",
                                                                       "--in-kernel"]))
    for word, number in (("int", signal.SIGINT), ("term", signal.SIGTERM),
                         ("hup", signal.SIGHUP))])
def interrupt(_, args, number):
    """A signal ends the run, and the result is printed."""
    with Target(truth("tasks"), "loop", "0", "50") as target:
        with Attached(*args, *FAULTS[args[0]], "-p", str(target.pid)) as snoop_:
            if args[0] == "trace":
                wait_until(lambda: len(snoop_.lines()) > 100, "100 events were written")
            snoop_.signal(number)
            equal(snoop_.wait(), 0, f"status ({snoop_.said})")
        check(target.process.poll() is None, "the target was ended with it")
    with open(snoop_.out, "rb") as f:
        objects = json_lines(f.read())
    check(objects, "nothing was printed")
    if args[0] == "stat":
        check("totals" in objects[-1], "no totals")


@cases("interrupt-twice", [("stat", ["stat", "-j"]), ("trace", ["trace", "-j"])])
def interrupt_twice(_, args):
    with Target(truth("tasks"), "loop", "0", "50") as target:
        with Attached(*args, *FAULTS[args[0]], "-p", str(target.pid)) as snoop_:
            snoop_.signal()
            snoop_.signal()
            status = snoop_.wait()
    check(status in (0, 130, -signal.SIGINT), f"status {status}: {snoop_.said}")
    with open(snoop_.out, "rb") as f:
        data = f.read()
    for line in data.split(b"\n")[:-1]:
        if args[0] == "trace":
            json.loads(line)


@case("interrupt/program")
def interrupt_program():
    """Ctrl-C goes to both, as a terminal sends it: the report still comes."""
    with Attached("stat", "-j", "--no-calls", "--", truth("tasks"), "loop", "0", "50") as snoop_:
        wait_until(lambda: children(snoop_.process.pid), "the program runs")
        os.killpg(snoop_.process.pid, signal.SIGINT)
        status = snoop_.wait()
    check(status in (0, 130), f"status {status}: {snoop_.said}")
    with open(snoop_.out, "rb") as f:
        one, = json_lines(f.read())
    check(one["totals"]["faults"] > 0, "no faults")


def children(pid):
    try:
        with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
            return f.read().split()
    except FileNotFoundError:
        return []


@case("interrupt/while-it-starts")
def interrupt_start():
    """At any moment of the start: it ends, and leaves no half of a JSON document."""
    for _ in range(5):
        out = scratch_file("json")
        process = spawn([harness.FAULTSNOOP, "stat", "-a", "-j", "--no-calls", "-o", out, "-d",
                         "20"],
                        stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment())
        wait_until(lambda o=out, p=process: os.path.exists(o) or p.poll() is not None,
                   "it has begun")
        process.send_signal(signal.SIGINT)
        status = process.wait(timeout=min(20, remaining()))
        check(status in (0, 130, -signal.SIGINT), f"status {status}")
        if os.path.exists(out):
            with open(out, "rb") as f:
                json_lines(f.read())


# Rights

def copy_for_others():
    """The program where everybody can reach it."""
    directory = os.path.join("/tmp", f"faultsnoop-live-{os.getpid()}-{threading.get_ident()}")
    os.makedirs(directory, mode=0o755, exist_ok=True)
    path = os.path.join(directory, "faultsnoop")
    shutil.copy(harness.FAULTSNOOP, path)
    os.chmod(path, 0o755)
    return path


def as_nobody(path, args, capabilities=()):
    keep = ",".join(["-all", *("+" + c for c in sorted(capabilities))])
    return run([tool("setpriv", "util-linux"), "--reuid", "65534", "--regid", "65534",
                "--clear-groups", f"--inh-caps={keep}", f"--ambient-caps={keep}",
                f"--bounding-set={keep}", path, *args], steady=False, cwd="/")


@cases("rights-none", [("stat", ["stat", "-a", "-d", "0.1"]), ("trace", ["trace", "-d", "0.1"]),
                       ("program", ["stat", "--", "true"])])
def no_rights(_, args):
    path = copy_for_others()
    try:
        complains(as_nobody(path, args), 77, r"CAP_\w+|root")
        result = as_nobody(path, args)
        check("CAP_" in result.errors(), f"no capability is named: {result.errors()}")
    finally:
        shutil.rmtree(os.path.dirname(path))


@case("rights-none/features")
def features_without_rights():
    path = copy_for_others()
    try:
        result = as_nobody(path, ["features"])
        check(result.status in (0, 77), f"status {result.status}")
        check(result.out or result.errors(), "nothing is said")
    finally:
        shutil.rmtree(os.path.dirname(path))


@case("rights-named")
def named_rights():
    """Whoever is given what the error names gets there, and three or four suffice."""
    path = copy_for_others()
    given = {"bpf", "perfmon", "sys_ptrace"}
    try:
        for _ in range(4):
            result = as_nobody(path, ["stat", "-a", "-d", "0.1"], given)
            if result.status == 0:
                break
            equal(result.status, 77, f"status with {sorted(given)} ({result.errors()})")
            named = {c.lower() for c in re.findall(r"CAP_(\w+)", result.errors())}
            check(named - given, f"with {sorted(given)} it names nothing new: {result.errors()}")
            given |= named
        else:
            raise Fail(f"still refused with {sorted(given)}")
        check("sys_admin" not in given, "it takes CAP_SYS_ADMIN")
    finally:
        shutil.rmtree(os.path.dirname(path))


@case("rights-named/one-missing")
def one_missing():
    path = copy_for_others()
    try:
        for missing in ("bpf", "perfmon"):
            result = as_nobody(path, ["stat", "-a", "-d", "0.1"],
                               {"bpf", "perfmon", "sys_ptrace"} - {missing})
            complains(result, 77, "CAP_" + missing)
    finally:
        shutil.rmtree(os.path.dirname(path))


@case("limits/memlock")
def memlock():
    """A limit that it may not raise does not matter."""
    result = run([tool("prlimit", "util-linux"), "--memlock=65536:65536",
                  tool("setpriv", "util-linux"), "--bounding-set=-sys_resource",
                  "--inh-caps=-sys_resource", harness.FAULTSNOOP, "stat", "-a", "-d", "0.1"])
    equal((result.status, result.errors()), (0, ""), "(status, stderr)")


@case("limits/files")
def few_files():
    """Too few descriptors: it says so, or does with them."""
    result = run([tool("prlimit", "util-linux"), "--nofile=16:16", harness.FAULTSNOOP, "stat",
                  "-a", "--no-calls", "-d", "0.1"])
    if result.status:
        complains(result, (1, 77), "")


@case("no-btf")
def no_btf():
    """An empty directory over the kernel's types, in a mount namespace of its own."""
    empty = scratch_file("empty")
    os.mkdir(empty)
    script = f'mount --bind {empty} /sys/kernel/btf && exec "$@"'
    result = run([tool("unshare", "util-linux"), "-m", "sh", "-c", script, "sh",
                  harness.FAULTSNOOP, "stat", "-a", "-d", "0.1"])
    complains(result, 77, "BTF")


@case("no-proc-of-others")
def hidden_proc():
    """/proc that hides processes, or is not there: no crash."""
    result = run([tool("unshare", "util-linux"), "-m", "sh", "-c",
                  'mount -t tmpfs none /proc && exec "$@"', "sh", harness.FAULTSNOOP, "stat", "-a",
                  "-d", "0.1"], steady=False)
    check(result.status in (0, 1, 77), f"status {result.status} ({result.errors()})")
    check(len(result.error_lines()) <= 1 or result.status == 0, f"said: {result.errors()}")


@case("closed-streams")
def closed_streams():
    """Started without stdin, stdout and stderr."""
    result = run(["sh", "-c", '"$0" stat -a -d 0.1 <&- >&- 2>&-', harness.FAULTSNOOP])
    check(result.status in (0, 1), f"status {result.status}")
