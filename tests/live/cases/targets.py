# SPDX-License-Identifier: GPL-2.0-only
"""Whom: everything, processes, threads, names, cgroups of both versions, a PID namespace."""
import contextlib
import os
import re
import signal
import subprocess

from harness import Skip, case, cases, check, equal, remaining, spawn, tool, truth
from snoop import (Attached, Target, environment, region_class, sane, stat, wait_until)

BY = ["--no-calls", "--top", "1000000", "--by", "process,region,class"]
BOTH = [("stream", []), ("in-kernel", ["--in-kernel"])]


# Memory that a program touches only when it is told to, unlike anonymous memory, where libc has
# its own: the part of truth/regions.c, and its region and class.
OWN = "memfd"


def faults_of(report, pid, region="shm", klass="shmem"):
    return report.table("pid", "region", "class")[pid, region, klass]


def pids(report):
    return {r["pid"] for r in report.rows()}


@cases("target-all", BOTH, serial=True)
def everything(_, options):
    """The whole system: one process among others, from its birth to its end."""
    with Attached("stat", "-a", "-j", *BY, *options) as snoop:
        with Target(truth("regions"), "wait", OWN, "200") as target:
            target.finish()
        report = sane(snoop.report())
    equal(faults_of(report, target.pid), 200, "faults of one process")


@cases("target-pid", BOTH)
def by_pid(_, options):
    with Target(truth("regions"), "wait", OWN, "100") as one, \
            Target(truth("regions"), "wait", OWN, "200") as two, \
            Target(truth("regions"), "wait", OWN, "300") as other:
        with Attached("stat", "-j", *BY, *options, "-p", f"{one.pid},{two.pid}") as snoop:
            for target in (one, two, other):
                target.finish()
            report = sane(snoop.report())
    equal(faults_of(report, one.pid), 100, "faults of the first process")
    equal(faults_of(report, two.pid), 200, "faults of the second process")
    equal(pids(report), {one.pid, two.pid}, "processes in the report")


@cases("target-pid-follows", [("children", [], 50), ("no-follow", ["--no-follow"], 0)])
def follows(_, options, wanted):
    """Children that are born while their parent is watched."""
    with Target(truth("regions"), "wait", "fork", "50") as target:
        with Attached("stat", "-j", *BY, *options, "-p", str(target.pid)) as snoop:
            target.finish()
            report = sane(snoop.report())
    equal(faults_of(report, target.pid, "anon", "anon"), 50, "first touches of the parent")
    children = sum(r["faults"] for r in report.rows() if r["pid"] != target.pid and
                   (r["region"], r["class"]) == ("anon", "cow"))
    # libc has anonymous memory of its own, which the children copy as well
    check(wanted <= children <= wanted * 1.2, f"{children} copies of the children, {wanted} made")


@case("target-tid", timeout=20)
def by_tid():
    with Target(truth("regions"), "wait", "thread-stack", "150", OWN, "70") as target:
        tid, = [int(t) for t in os.listdir(f"/proc/{target.pid}/task") if int(t) != target.pid]
        with Attached("stat", "-j", "--no-calls", "--top", "1000", "--by",
                      "thread,region,class", "-t", str(tid)) as snoop:
            target.finish()
            report = sane(snoop.report())
    table = report.table("tid", "region", "class")
    equal(table[tid, "thread-stack", "anon"], 150, "faults of the thread")
    equal({r["tid"] for r in report.rows()}, {tid}, "threads in the report")


@cases("target-name", [
    ("exact", "regions", True), ("list", "nobody,regions", True), ("glob", "reg*", True),
    ("glob-in-the-middle", "r*ns", True), ("star", "*", True), ("other", "region", False),
    ("glob-of-other", "*x", False), ("longer", "regionss", False)])
def by_name(_, name, seen):
    with Attached("stat", "-j", *BY, "-n", name) as snoop:
        with Target(truth("regions"), "wait", OWN, "120") as target:
            target.finish()
        report = sane(snoop.report())
    equal(faults_of(report, target.pid), 120 if seen else 0, f"faults with -n {name}")


@case("target-name/renamed")
def renamed():
    """The name counts that a thread has at the fault."""
    with Attached("stat", "-j", *BY, "-n", "fresh name") as snoop:
        argv = [truth("names"), b"fresh name".hex(), b"f1".hex(), "80"]
        told = subprocess.run(argv, env=environment(), check=True, capture_output=True,
                              timeout=remaining())
        report = sane(snoop.report())
    pid = int(re.search(rb"pid=(\d+)", told.stdout)[1])
    equal(faults_of(report, pid, "file", "cow"), 80, "faults under the new name")
    equal({r["region"] for r in report.rows()} - {"file", "text", "data", "bss", "rodata", "stack",
                                                  "anon", "heap"}, set(), "regions")


def cgroup_roots():
    """(version, mount point, what) of the cgroup hierarchies that are mounted."""
    with open("/proc/mounts", encoding="utf-8") as f:
        mounts = [line.split() for line in f]
    for _, where, kind, options, *_ in mounts:
        if kind == "cgroup2":
            yield "v2", where
        elif kind == "cgroup" and "name=" in options:
            yield "v1-named", where
        elif kind == "cgroup" and "cpuset" not in options.split(","):
            yield "v1", where


class Cgroup:
    """A cgroup, one below it, and one beside it; gone afterwards."""

    def __init__(self, version, where=None):
        found = [where] if where else [w for kind, w in cgroup_roots() if kind == version]
        if not found:
            raise Skip(f"no cgroup hierarchy of {version} is mounted; a VM with one runs it")
        self.where = found[0]
        self.top = os.path.join(self.where, f"faultsnoop-test-{os.getpid()}-{id(self):x}")
        self.below = os.path.join(self.top, "below")
        self.beside = self.top + "-beside"

    def __enter__(self):
        try:
            for path in (self.top, self.below, self.beside):
                os.mkdir(path)
        except OSError as e:
            self.__exit__()
            raise Skip(f"cannot make a cgroup: {e}; root of a VM can") from e
        return self

    def __exit__(self, *_):
        for path in (self.below, self.top, self.beside):
            if os.path.isdir(path):
                os.rmdir(path)


def move(pid, cgroup):
    with open(os.path.join(cgroup, "cgroup.procs"), "w", encoding="ascii") as f:
        f.write(str(pid))


def leave(target, cgroup):
    """An ended process may stay in its cgroup for a moment."""
    target.process.wait()
    procs = os.path.join(cgroup, "cgroup.procs")
    wait_until(lambda: not open(procs, encoding="ascii").read().strip(), "the cgroup is empty")


@cases("target-cgroup", [(f"{version}-{where}{'-in-kernel' if options else ''}", version, where,
                          options)
                         for version in ("v2", "v1", "v1-named")
                         for where in ("itself", "below", "beside")
                         for options in ([], ["--in-kernel"])])
def by_cgroup(_, version, where, options):
    with Cgroup(version) as group:
        faults_in(group, where, options)


def faults_in(group, where, options):
    """A process in the cgroup itself, below or beside it: its faults count, or they do not."""
    path = {"itself": group.top, "below": group.below, "beside": group.beside}[where]
    with Target(truth("regions"), "wait", OWN, "90") as target:
        move(target.pid, path)
        with Attached("stat", "-j", *BY, *options, "-c", group.top) as snoop:
            target.finish()
            report = sane(snoop.report())
    leave(target, path)
    equal(faults_of(report, target.pid), 0 if where == "beside" else 90, "faults")


@cases("target-cgroup-moved", ["v2", "v1"])
def moved(version):
    """Membership counts as it is at the fault: outside at first, then within."""
    with Cgroup(version) as group:
        with Attached("stat", "-j", *BY, "-c", group.top) as snoop:
            with Target(truth("regions"), "wait", OWN, "90") as target:
                move(target.pid, group.below)
                target.finish()
            report = sane(snoop.report())
        leave(target, group.below)
    equal(faults_of(report, target.pid), 90, "faults within")
    table = report.table("pid", "region", "class")
    check(table[target.pid, "data", "cow"] == 0, "faults of before it was moved are in the report")


@case("by-cgroup")
def rows_by_cgroup():
    """Each hierarchy has a cgroup of the same name below its root; one of them is shown."""
    with contextlib.ExitStack() as stack:
        groups = []
        for version, where in cgroup_roots():
            if version == "v2" or where.endswith("/memory"):
                groups.append(stack.enter_context(Cgroup(version, where)))
        if not groups:
            raise Skip("no cgroup hierarchy is mounted; a VM with one runs it")
        with Target(truth("regions"), "wait", OWN, "90") as target:
            for group in groups:
                move(target.pid, group.below)
            with Attached("stat", "-j", "--no-calls", "--top", "1000000", "--by",
                          "cgroup,region,class", "-p", str(target.pid)) as snoop:
                target.finish()
                report = sane(snoop.report())
        for group in groups:
            leave(target, group.below)
    found = {r["cgroup"]: r["faults"] for r in report.rows()
             if (r["region"], r["class"]) == ("shm", "shmem")}
    paths = [os.path.relpath(g.below, g.where) for g in groups]
    equal([n for path, n in found.items() if path and path.endswith(tuple(paths))], [90],
          f"faults of one of the cgroups {paths} in {found}")


@cases("target-pid-namespace", BOTH)
def pid_namespace(_, options):
    """-p means the PIDs of the namespace that it is asked in."""
    unshare, nsenter = tool("unshare", "util-linux"), tool("nsenter", "util-linux")
    # The namespace lives as long as its first process, which waits for the end of its stdin.
    init = spawn([unshare, "-p", "-f", "--mount-proc", "--kill-child", "cat"],
                 stdin=subprocess.PIPE, stdout=subprocess.DEVNULL)

    def first_process():
        with open(f"/proc/{init.pid}/task/{init.pid}/children", encoding="ascii") as f:
            return f.read().split()
    wait_until(first_process, "the namespace is there")
    enter = [nsenter, "-t", first_process()[0], "-p", "-m"]
    with Target(*enter, truth("regions"), "wait", OWN, "110") as target:
        check(target.ready < 100, f"its pid in the namespace is {target.ready}")
        with Attached("stat", "-j", *BY, *options, "-p", str(target.ready),
                      prefix=enter) as snoop:
            target.finish()
            report = sane(snoop.report())
    init.communicate()
    equal(report.table("region", "class")["shm", "shmem"], 110, "faults")


@case("target-ends")
def target_ends():
    """The process that is watched goes away: the run ends with its report."""
    with Target(truth("regions"), "wait", OWN, "60") as target:
        with Attached("stat", "-j", *BY, "-p", str(target.pid)) as snoop:
            target.finish()
            equal(faults_of(snoop.report(), target.pid), 60, "faults")


@case("target-ends/interrupted-as-it-does")
def interrupted_at_end():
    """Ctrl-C while the run ends by itself is the first one: the report comes."""
    for _ in range(5):
        with Target(truth("regions"), "wait", OWN, "60") as target:
            with Attached("stat", "-j", *BY, "-p", str(target.pid)) as snoop:
                target.finish()
                snoop.signal()
                equal(faults_of(snoop.report(), target.pid), 60, "faults")


@case("target-ends/killed")
def target_killed():
    with Target(truth("tasks"), "loop", "0", "100") as target:
        with Attached("stat", "-j", *BY, "-p", str(target.pid)) as snoop:
            target.process.kill()
            target.process.wait()
            sane(snoop.report())


@cases("program-status", [("zero", "exit 0", 0), ("seven", "exit 7", 7),
                          ("killed", f"kill -{int(signal.SIGKILL)} $$", 137)])
def program_status(_, script, status):
    report = stat(["--by", "process"], ["sh", "-c", script], status=status)
    check(report.total("faults") > 0, "no faults")


@cases("program-arguments", [("dashes", ["sh", "-c", 'test "$1" = -x && test "$2" = --by', "sh",
                                         "-x", "--by"])])
def program_arguments(_, program):
    """What follows -- is the program's."""
    stat(["--by", "process"], program)


@case("target-region-class-of-running-shell")
def shell_children():
    """A program's children and theirs are followed."""
    told = stat(["--by", "region,class"], ["sh", "-c", f"({truth('regions')} heap 00120; :); :"])
    idle = stat(["--by", "region,class"], ["sh", "-c", f"({truth('regions')} heap 00000; :); :"])
    got = told.table("region", "class")["heap", "anon"] - \
        idle.table("region", "class")["heap", "anon"]
    equal(got, region_class(told.truth)["heap", "anon"], "faults of a grandchild's heap")
