# SPDX-License-Identifier: GPL-2.0-only
"""check: what is known of address spaces, held against /proc/PID/maps while programs change them."""
import json
import re
import signal
import time

from harness import PAGE, VM, Skip, case, cases, check, equal, remaining, tool, truth
from snoop import Attached, Target, key_values, no_errors, scratch_file, snoop, spawn

RESULT = re.compile(r"([\d,]+) checks of ([\d,]+) processes, ([\d,]+) runs of addresses, ([\d,]+) "
                    r"differences, ([\d,]+) not done")

# Each stressor with its workers; those in one run change address spaces side by side. One worker where two
# lose records all the time: what stands still is in doubt as long as others lose some.
STRESS = [
    ("mmap", ["--mmap", "2"]),
    ("mremap", ["--mremap", "2"]),
    ("mprotect", ["--mprotect", "1"]),
    ("brk", ["--brk", "1"]),
    ("vm", ["--vm", "2", "--vm-bytes", "16M"]),
    ("shm", ["--shm", "1", "--shm-sysv", "1"]),
    ("madvise-mlock", ["--madvise", "1", "--mlock", "1"]),
    ("stack", ["--stack", "2"]),
    ("munmap", ["--munmap", "2"]),
    ("fork", ["--fork", "2"]),
    ("mmapmany", ["--mmapmany", "2"]),
    ("pthread", ["--pthread", "2"]),
    ("together", ["--mmap", "1", "--mremap", "1", "--fork", "1", "--brk", "1", "--shm-sysv", "1",
                  "--mprotect", "1"]),
]


class Checked:
    """What check said: its figures, the differences of each process, the whole text."""

    def __init__(self, status, text, printed=""):
        self.status, self.text, self.printed = status, text, printed
        found = RESULT.search(text)
        check(found, f"check gave no result: {text[-400:]}")
        self.checks, self.processes, self.runs, self.differences, self.skipped = \
            (int(n.replace(",", "")) for n in found.groups())
        anew = re.search(r"([\d,]+) times records were lost", text)
        self.anew = int(anew[1].replace(",", "")) if anew else 0
        self.of, pid = {}, None
        for line in text.splitlines():
            head = re.fullmatch(r"process (\d+) differs:", line)
            pid = int(head[1]) if head else pid
            if not head and re.match(r"  [0-9a-f]+-[0-9a-f]+ ", line):
                self.of.setdefault(pid, []).append(line.strip())
        equal(sum(map(len, self.of.values())), self.differences, "differences that were printed")
        equal(self.status, 1 if self.differences else 0, "status")

    def fits(self, checks, runs=10):
        """It has looked at something, so often, and found it to be so."""
        check(self.checks >= (1 if VM else checks), f"only {self.checks} checks, {self.skipped} not done")
        check(self.runs >= runs * self.checks, f"{self.runs} runs of addresses in all: too few for "
              f"{self.checks} checks")
        equal(self.of, {}, "differences by process")
        return self


def checked(args, program):
    out = scratch_file("check")
    result = snoop("check", "-o", out, *args, "--", *program)
    if result.status == 77:
        no_errors(result)
    with open(out, encoding="utf-8") as f:
        return Checked(result.status, f.read(), result.text())


def ended(attached, signalled=True):
    """What one that runs beside its targets has said."""
    status = attached.end() if signalled else attached.wait()
    with open(attached.out, encoding="utf-8") as f:
        return Checked(status, f.read())


@cases("layouts/stress", STRESS, timeout=120)
def stress(_, stressors):
    program = [tool("stress-ng", "stress-ng"), "-q", *stressors, "-t", "2", "--temp-path", "/tmp"]
    one = checked(["-i", "0.02"], program).fits(1)      # a machine that is busy loses records of brk all the time
    return f"{one.checks} checks of {one.processes} processes"


def needs_lock_seq():
    """Where nothing tells that the tree changed while it was read, a walk may meet a node that is no longer
    in it, and miss what nobody has changed."""
    for row in json.loads(snoop("features", "-j").text())["features"]:
        if row["name"] == "lock-seq" and row["state"] != "used":
            raise Skip("this kernel has no mm_lock_seq: Linux 6.4 and later run it")


@case("layouts/threads")
def threads():
    """Four threads over the same ranges: the last call of each address wins, as in the kernel."""
    needs_lock_seq()
    one = checked(["-i", "0.01"], [truth("layouts"), "threads", "2000"]).fits(20)
    return f"{one.checks} checks"


@case("layouts/lost", serial=True)
def lost():
    """Records are lost, and known to be: what they would have told is asked for."""
    one = checked(["-i", "0.01", "--ring-size", "64K"], [truth("layouts"), "threads", "3000"])
    check(one.anew, "no record was lost: the ring holds them all")
    one.fits(10)
    return f"{one.checks} checks, told anew {one.anew} times"


@cases("layouts/lost", [("processes", ["--mmap", "2", "--fork", "1", "--brk", "1"])], serial=True,
       timeout=120)
def lost_processes(_, stressors):
    program = [tool("stress-ng", "stress-ng"), "-q", *stressors, "-t", "3", "--temp-path", "/tmp"]
    one = checked(["-i", "0.02", "--ring-size", "64K"], program)
    check(one.anew, "no record was lost: the ring holds them all")
    one.fits(3)


@case("layouts/attached")
def attached_later():
    """What a process has mapped before it is attached to is read, and changes from there on."""
    with Target(truth("layouts"), "wait", "300") as target:
        with Attached("check", "-i", "0.01", "-p", str(target.pid)) as attached:
            time.sleep(0.3)
            target.process.stdin.write(b"\n")
            target.process.stdin.flush()
            one = ended(attached, signalled=False)
    equal(one.processes, 1, "processes")
    one.fits(20)


@case("layouts/all", serial=True)
def all_processes():
    """Whatever runs on the machine; a difference counts in what this case started."""
    with Target(truth("layouts"), "wait", "100") as target:
        with Attached("check", "-a", "-i", "0.01") as attached:
            target.process.stdin.write(b"\n")
            load = [spawn([truth("layouts"), "threads", "2000"], stdout=-3) for _ in range(2)]
            target.process.stdin.flush()
            time.sleep(2)
            one = ended(attached)
            for process in load:
                process.wait(timeout=remaining())
    check(one.checks >= 10 and one.processes >= 2, f"{one.checks} checks of {one.processes}")
    ours = {target.pid, *(p.pid for p in load)}
    equal({pid: lines for pid, lines in one.of.items() if pid in ours}, {}, "differences")
    return f"{one.checks} checks of {one.processes} processes; of others differ {len(one.of)}"


@case("layouts/calls")
def rare_calls():
    """AIO rings, remap_file_pages, keys, stacks that grow: each stays for many looks."""
    one = checked(["-i", "0.01"], [truth("layouts"), "calls", "300"]).fits(20)
    done = [key for key, error in key_values(one.printed).items() if error == 0]
    check(len(done) >= 4, f"the machine does only {done}")
    return f"{one.checks} checks; {done}"


def stack_of(pid):
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        line, = [line for line in f if line.endswith("[stack]\n")]
    return int(line.partition("-")[0], 16)


@case("layouts/unseen")
def unseen():
    """A stack that another process makes grow by a write to /proc/PID/mem: no call of the process, no
    fault. It is a difference, and the only one: what check finds is there."""
    with Target(truth("layouts"), "tick") as target:
        with Attached("check", "-i", "0.02", "-p", str(target.pid)) as attached:
            time.sleep(0.5)
            before = stack_of(target.pid)
            with open(f"/proc/{target.pid}/mem", "r+b", buffering=0) as memory:
                memory.seek(before - 16 * PAGE)
                memory.write(b"x")
            after = stack_of(target.pid)
            check(after < before, "the stack did not grow")
            time.sleep(0.7)
            attached.signal(signal.SIGINT)
            one = ended(attached, signalled=False)
    check(one.differences, f"{one.checks} checks found no difference")
    equal(set(one.of), {target.pid}, "processes that differ")
    check(one.differences < one.checks, f"{one.differences} of {one.checks} differ: before, too")
    equal({line.split()[0] for line in one.of[target.pid]}, {f"{after:x}-{before:x}"},
          "addresses that differ")
