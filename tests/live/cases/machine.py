# SPDX-License-Identifier: GPL-2.0-only
"""What takes a machine of its own: swap, memory limits, NUMA, CPUs that come and go, containers."""
import contextlib
import json
import os
import re
import shutil
import subprocess

import harness
from cases import targets
from harness import Fail, Skip, case, cases, check, equal, remaining, settled, truth
from snoop import (Attached, Target, difference, environment, evcount, of_program, run, sane,
                   scratch_file, snoop, stat, version, wait_until)

IN_KERNEL = ["--in-kernel"]
BOTH = [("stream", []), ("in-kernel", IN_KERNEL)]
CGROUPS = "/sys/fs/cgroup"


def needs_machine(what):
    if not harness.VM:
        raise Skip(f"{what}; tests/vm runs it in a VM")


def read(path):
    with open(path, encoding="ascii") as f:
        return f.read()


def write(path, text):
    with open(path, "w", encoding="ascii") as f:
        f.write(str(text))


def command(*argv):
    """A program of the system's that has to succeed; what it printed."""
    result = run(argv, steady=False)
    check(result.status == 0, f"{argv}: status {result.status}: {result.errors()}")
    return result.text()


@contextlib.contextmanager
def setting(path, value):
    before = read(path).strip()
    write(path, value)
    try:
        yield
    finally:
        write(path, before)


# Swap

def swap_file(mib):
    path = scratch_file("swap")
    with open(path, "wb") as f:
        os.fchmod(f.fileno(), 0o600)
        os.posix_fallocate(f.fileno(), 0, mib << 20)
    command("mkswap", path)
    return path


@contextlib.contextmanager
def swapping_to(path, priority=1):
    command("swapon", "-p", str(priority), path)
    try:
        yield
    finally:
        command("swapoff", path)


@contextlib.contextmanager
def file_swap():
    path = swap_file(32)
    with swapping_to(path):
        yield
    os.unlink(path)


@contextlib.contextmanager
def fourth_swap():
    """A device whose number has more than one bit: entries hold it where the kernel wants it."""
    paths = [swap_file(4 if i < 3 else 32) for i in range(4)]
    with contextlib.ExitStack() as stack:
        for i, path in enumerate(paths):
            stack.enter_context(swapping_to(path, 1 + i))
        yield
    for path in paths:
        os.unlink(path)


@contextlib.contextmanager
def zram_swap():
    command("modprobe", "zram")
    write("/sys/block/zram0/disksize", 128 << 20)
    try:
        command("mkswap", "/dev/zram0")
        with swapping_to("/dev/zram0"):
            yield
    finally:
        write("/sys/block/zram0/reset", 1)


SWAPS = {"zram": zram_swap, "file": file_swap, "fourth": fourth_swap}


@cases("machine/swap", [(f"{device}-{part}{'-in-kernel' if options else ''}", device, part, options)
                        for device, part, options in (
                            ("zram", "anon", []), ("zram", "shmem", IN_KERNEL),
                            ("file", "anon", IN_KERNEL), ("file", "shmem", []),
                            ("fourth", "anon", []))], serial=True)
@settled
def swap(_, device, part, options):
    """Read from the device: major; found in the swap cache, where readahead has put it: minor."""
    needs_machine("needs a swap device")
    with SWAPS[device](), memory_cgroup() as group:
        runs = [stat(["--by", "region,class", *options], [truth("swap"), part, n, group])
                for n in ("00300", "00000")]
    told = runs[0].truth
    got = difference(*(r.table("region", "class") for r in runs))
    majors = difference(*(r.table("class", value="major") for r in runs))
    equal(majors.get(("swap",), 0), told["major"], "major faults of class swap beside the software "
          "event's count")
    check(told["major"] > 0, "no fault was major")
    if part == "shmem":     # a page table says nothing of a shared page that is in the swap cache
        equal(got, {k: n for k, n in ((("shm", "swap"), told["major"]),
                                      (("shm", "shmem"), told["minor"])) if n},
              "faults by (region, class)")
    else:
        equal(got, {("anon", "swap"): 300}, "faults by (region, class)")


@case("machine/swap/all", serial=True)
def swap_of_all():
    """The same where the whole machine is watched, by other hooks."""
    needs_machine("needs a swap device")
    with file_swap(), memory_cgroup() as group, Attached("stat", "-j", "--no-calls", "--top", "1000000", "--by",
                               "process,region,class", "-a") as snoop_:
        result = run([truth("swap"), "anon", "00300", group])
        equal(result.status, 0, f"status ({result.errors()})")
        report = sane(snoop_.report(result.text()))
    table = report.table("process", "region", "class")
    equal(table["swap", "anon", "swap"], 300, "faults of class swap")
    majors = report.table("process", "region", "class", value="major")
    equal(majors["swap", "anon", "swap"], report.truth["major"], "major faults of class swap beside the "
          "software event's count")


# Limits

@contextlib.contextmanager
def memory_cgroup(**limits):
    """A cgroup with those limits: memory_max=… is memory.max."""
    if "memory" not in read(f"{CGROUPS}/cgroup.controllers").split():
        raise Skip("no memory controller in the cgroup v2 hierarchy; a VM with one runs it")
    write(f"{CGROUPS}/cgroup.subtree_control", "+memory")
    path = f"{CGROUPS}/faultsnoop-{os.getpid()}"
    os.mkdir(path)
    try:
        for name, value in limits.items():
            write(f"{path}/{name.replace('_', '.', 1)}", value)
        yield path
    finally:
        wait_until(lambda: not read(f"{path}/cgroup.procs").strip(), "the cgroup is empty")
        os.rmdir(path)


def event_of(cgroup, name):
    return int(re.search(rf"^{name} (\d+)$", read(f"{cgroup}/memory.events"), re.M)[1])


@cases("machine/oom", BOTH, serial=True)
def oom(_, options):
    """Killed for want of memory: the fault it died in has failed, all others are counted."""
    needs_machine("makes the kernel kill for memory")
    with memory_cgroup(memory_max=32 << 20) as group:
        report, counted = evcount(["--by", "process,class", *options],
                                  [truth("hog"), "64", "1", group], status=137)
        equal(event_of(group, "oom_kill"), 1, "programs that the kernel has killed")
    rows = [r for r in report.rows() if of_program(r)]
    for name in ("minor", "major"):
        equal(sum(r[name] for r in rows), counted[name], f"{name} faults beside the software "
              "event's count")
    failed = counted["page_faults"] - counted["minor"] - counted["major"]
    equal({r["class"]: r["failed"] for r in rows if r["failed"]}, {"oom": failed} if failed else {},
          "failed faults by class")
    check(failed <= 1, f"{failed} faults of one thread have failed")
    check(sum(r["minor"] for r in rows) >= (30 << 20) // harness.PAGE, "it was killed too early")


@cases("machine/reclaim", BOTH, serial=True)
def reclaim(_, options):
    """A limit that makes the kernel write its pages to swap: each comes back with a fault."""
    needs_machine("needs a swap device and a limit")
    swapped = {}
    with zram_swap(), memory_cgroup(memory_max=32 << 20) as group:
        for by in ("process", "process,class"):
            report, counted = evcount(["--by", by, *options], [truth("hog"), "48", "2", group])
            rows = [r for r in report.rows() if of_program(r)]
            for name in ("minor", "major"):
                equal(sum(r[name] for r in rows), counted[name], f"{name} faults beside the "
                      "software event's count")
            if by == "process":
                seen = sum(r["minor"] + r["major"] for r in rows)
                populated = sum(r["populated"] for r in rows)
                equal(seen + populated, counted["usage_minor"] + counted["usage_major"],
                      f"seen ({seen}) + populated ({populated}) beside getrusage")
            else:
                swapped = {r["class"]: r["faults"] for r in rows}
        check(event_of(group, "max") > 0, "the limit was never met")
    check(swapped.get("swap", 0) >= (16 << 20) // harness.PAGE,
          f"less than what is beyond the limit came from swap: {swapped}")


# NUMA

def node_cpus():
    """The first CPU of each node."""
    nodes = sorted(n for n in os.listdir("/sys/devices/system/node") if re.match(r"node\d", n))
    return [re.match(r"\d+", read(f"/sys/devices/system/node/{n}/cpulist"))[0] for n in nodes]


@cases("machine/numa", BOTH, serial=True, timeout=120)
def numa(_, options):
    """Hinting faults on memory of the other node, beside those that the kernel counts."""
    needs_machine("needs two NUMA nodes")
    if not os.path.exists("/proc/sys/kernel/numa_balancing") or len(node_cpus()) < 2:
        raise Skip("no NUMA balancing here")
    far, near, *_ = node_cpus()
    with setting("/proc/sys/kernel/numa_balancing", 1):
        before = hint_faults()
        report = stat(["--by", "region,class", *options], [truth("numa"), far, near, "1000"])
        counted = hint_faults() - before
    seen = report.table("class")["numa",]
    check(counted >= 1000, f"/proc/vmstat counts {counted}")
    check(seen <= counted, f"{seen} faults of class numa, /proc/vmstat counts {counted}")
    check(seen >= report.truth["hinted"] * 8 // 10,
          f"{seen} faults of class numa of {report.truth['hinted']} that /proc/vmstat counts")


def hint_faults():
    return int(re.search(r"^numa_hint_faults (\d+)$", read("/proc/vmstat"), re.M)[1])


# CPUs

def event_files(pid):
    """How many perf events a process has open."""
    count = 0
    for fd in os.listdir(f"/proc/{pid}/fd"):
        with contextlib.suppress(OSError):
            count += "perf_event" in os.readlink(f"/proc/{pid}/fd/{fd}")
    return count


def counted_run(cpu):
    """A program on that CPU, and what evcount says of it."""
    out = scratch_file("evcount")
    result = run(["taskset", "-c", cpu, truth("evcount"), out, truth("regions"), "heap", "300",
                  "anon", "200"])
    equal(result.status, 0, f"status ({result.errors()})")
    counted = json.loads(read(out))
    os.unlink(out)
    return counted


@case("machine/cpu-comes-online", serial=True)
def cpu_online():
    """A CPU goes and comes back while all is watched: nothing is missing of what ran before,
    meanwhile, and, once its events are there, on it."""
    needs_machine("takes a CPU away from this machine")
    online = "/sys/devices/system/cpu/cpu1/online"
    if not os.path.exists(online):
        raise Skip("CPU 1 cannot go")
    runs = []
    with Attached("stat", "-j", "--no-calls", "--top", "1000000", "--by", "process", "-a") as snoop_:
        runs.append(counted_run("1"))
        write(online, 0)
        try:
            runs.append(counted_run("0"))
            before = event_files(snoop_.process.pid)
        finally:
            write(online, 1)
        wait_until(lambda: event_files(snoop_.process.pid) != before, "the CPU has its events")
        runs.append(counted_run("1"))
        report = snoop_.report()
    rows = [r for r in report.rows() if r["process"] == "regions"]
    for name, event in (("minor", "minor"), ("major", "major"), ("faults", "page_faults")):
        equal(sum(r[name] for r in rows), sum(c[event] for c in runs), f"{name} of three runs beside "
              "the software events' counts")


# Mounts

@case("machine/tracefs-not-mounted", serial=True)
def tracefs():
    """Mapping calls are traced without tracefs mounted, and it is not left behind mounted."""
    needs_machine("the machine's tracefs may be mounted")

    def mounted():
        return [line for line in read("/proc/mounts").splitlines() if line.split()[2] == "tracefs"]
    equal(mounted(), [], "mounts of tracefs")
    runs = [stat(["--by", "region"], [truth("calls"), "mmap", n], calls=True)
            for n in ("00040", "00000")]
    calls = [r.calls()["mmap"] for r in runs]
    for name in ("calls", "failed", "bytes"):
        told = [r.truth.get(f"mmap_{name}", 0) for r in runs]
        equal(calls[0][name] - calls[1][name], told[0] - told[1], f"mmap's {name}")
    line = re.search(r"^.*syscall-tracepoints.*$", snoop("features").text(), re.M)[0]
    check("missing" not in line, f"features says: {line}")
    equal(mounted(), [], "mounts of tracefs afterwards")


@contextlib.contextmanager
def overlay():
    """A root like a container's: the machine's programs below, a file of its own above."""
    base = scratch_file("overlay")
    below, above, work, root = (os.path.join(base, name) for name in ("below", "above", "work",
                                                                     "root"))
    for path in (above, work, root, os.path.join(below, "truth")):
        os.makedirs(path)
    shutil.copy(truth("regions"), f"{below}/truth")
    command("modprobe", "overlay")
    command("mount", "-t", "overlay", "overlay", "-o",
            f"lowerdir={below}:/,upperdir={above},workdir={work}", root)
    command("mount", "--bind", "/proc", f"{root}/proc")
    try:
        shutil.copy(truth("libtruth.so"), f"{root}/truth")
        yield root
    finally:
        command("umount", f"{root}/proc")
        command("umount", root)


def mapped_files(pid):
    found = {}
    for line in read(f"/proc/{pid}/maps").splitlines():
        _, _, _, dev, inode, *path = line.split(maxsplit=5)
        if int(inode):
            found[path[0]] = (dev, int(inode))
    return found


@cases("machine/overlay", BOTH, serial=True)
@settled
def by_overlay_file(_, options):
    """Files of an overlay are named as /proc/PID/maps names them, be they below or above."""
    needs_machine("mounts file systems")
    with overlay() as root:
        with Target("chroot", root, "/truth/regions", "wait", "data", "200", "lib-data",
                    "200") as target:
            maps = mapped_files(target.pid)
            with Attached("stat", "-j", "--no-calls", "--top", "1000000", "--by",
                          "file,region,class", *options, "-p", str(target.pid)) as snoop_:
                target.finish()
                report = sane(snoop_.report())
    table = report.table("file", "region", "class")
    for name in ("regions", "libtruth.so"):
        path = f"{root}/truth/{name}"
        check(path in maps, f"{path} is not among the mapped files {sorted(maps)}")
        check(table[path, "data", "cow"] >= 200, f"{table[path, 'data', 'cow']} faults of {path}")
    files = {f for f, _, _ in table if f.startswith("/")}
    equal(files - set(maps), set(), "files that /proc/PID/maps does not show")


# Version 1 of the memory controller. Behind all that limits memory by version 2.

@contextlib.contextmanager
def memory_hierarchy():
    """Where the controller is mounted by itself, while no cgroup of version 2 uses it."""
    where = os.path.join("/run", "cgroup-memory")
    os.makedirs(where, exist_ok=True)
    mount = ["mount", "-t", "cgroup", "-o", "memory", "none", where]

    def mounts():
        write("/proc/sys/vm/drop_caches", 3)    # pages that still belong to cgroups that are gone
        return not run(mount, steady=False).status

    if not mounts():
        if version() >= (6, 12):
            raise Skip("this kernel has no memory controller of version 1; a VM with 6.1 runs it")
        try:
            wait_until(mounts, "the memory controller mounts")
        except Fail as why:
            raise Skip("pages of cgroups that are gone keep the memory controller of version 2 in "
                       "use; a VM that has just booted runs it") from why
    try:
        yield where
    finally:
        command("umount", where)


@cases("machine/cgroup-v1-memory", [(f"{where}{'-in-kernel' if options else ''}", where, options)
                                    for where, options in (("itself", []), ("below", IN_KERNEL),
                                                           ("beside", []))], serial=True)
def version_1_memory(_, where, options):
    needs_machine("mounts the memory controller")
    with memory_hierarchy() as path, targets.Cgroup("v1-memory", path) as group:
        targets.faults_in(group, where, options)


# Old kernels

@case("vm/old-kernel")
def old_kernel():
    """A kernel below the floor: one line that says so."""
    needs_machine("needs a kernel below 6.1")
    release = os.uname().release
    if tuple(int(n) for n in re.findall(r"\d+", release)[:2]) >= (6, 1):
        raise Skip(f"needs a kernel below 6.1, this is {release}; tests/vm runs it on Debian's 5.10")
    for args in (["stat", "-a", "-d", "0.1"], ["trace", "-a", "-d", "0.1"], ["stat", "--", "true"]):
        result = snoop(*args)
        equal(result.status, 77, f"status of {args} ({result.errors()})")
        lines = result.error_lines()
        equal(len(lines), 1, f"lines on stderr: {lines}")
        check(re.match(r"faultsnoop: .*6\.1", lines[0]), f"it said: {lines[0]}")
        equal(result.out, b"", "stdout")
