# SPDX-License-Identifier: GPL-2.0-only
"""The tracers that are compared: how each is started, known to be attached, stopped, and asked
what it saw. Every process is ended by its pid."""
import json
import mmap
import os
import re
import shutil
import signal
import subprocess
import threading
import time

import bpfmaps

START_LIMIT_S = 20
STOP_LIMIT_S = 90
DETACH_LIMIT_S = 30


class Unavailable(Exception):
    """This tracer cannot be measured here; the text says why."""


class Reader(threading.Thread):
    """Keeps the lines of a pipe and notes when one first matches."""

    def __init__(self, pipe, pattern=None):
        super().__init__(daemon=True)
        self.pipe, self.pattern = pipe, re.compile(pattern) if pattern else None
        self.lines, self.matched_at, self.event = [], None, threading.Event()
        self.start()

    def run(self):
        for line in self.pipe:
            self.lines.append(line)
            if self.pattern and not self.matched_at and self.pattern.search(line):
                self.matched_at = time.monotonic()
                self.event.set()
        self.event.set()

    def text(self):
        return "".join(self.lines)


class Tracer:
    """One way to trace. A subclass says argv, and overrides how it is known to be ready and what
    its output tells about the number of faults seen."""

    name = label = program = None
    judged = False          # a bar depends on it: it gets all the passes
    base = "perf"           # the tracer whose fraction its cost is
    ready_pattern = None    # on stderr
    ready_stdout = None     # on stdout

    def __init__(self, scratch):
        self.scratch = scratch
        self.process = self.out = self.err = None
        self.attach_s = None
        self.load_pid = 0   # whose faults seen() is about, where it can tell them apart
        self.programs = set()   # BPF programs that there were before

    def argv(self):
        raise NotImplementedError

    def find(self):
        if not shutil.which(self.program):
            raise Unavailable(f"{self.program} is not installed")

    def file(self, suffix):
        return os.path.join(self.scratch, f"{self.name}.{suffix}")

    def start(self):
        self.find()
        self.programs = bpfmaps.program_ids()
        begun = time.monotonic()
        self.process = subprocess.Popen(self.argv(), stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                                        text=True, errors="replace")
        self.out = Reader(self.process.stdout, self.ready_stdout)
        self.err = Reader(self.process.stderr, self.ready_pattern)
        try:
            ready = self.wait_ready()
        except Unavailable:
            self.stop()
            raise
        self.attach_s = ready - begun
        return self

    def wait_ready(self):
        reader = self.out if self.ready_stdout else self.err
        reader.event.wait(START_LIMIT_S)
        if not reader.matched_at:
            raise Unavailable(self.complaint())
        return reader.matched_at

    def complaint(self):
        try:
            self.process.wait(0.5)
        except subprocess.TimeoutExpired:
            return f"{self.program} did not say that it is attached within {START_LIMIT_S} s"
        self.err.join(1)
        lines = [line.strip() for line in self.err.lines if line.strip()]
        return f"status {self.process.returncode}: {lines[-1] if lines else 'no message'}"

    def wait_detached(self):
        """Waits until its BPF programs are gone. The kernel takes a second and more to detach from
        syscalls:*, and until it has, every system call of the machine pays for them: what was measured
        then as untraced was not."""
        until = time.monotonic() + DETACH_LIMIT_S
        while bpfmaps.program_ids() - self.programs and time.monotonic() < until:
            time.sleep(0.01)

    def stop(self):
        """Ends it as Ctrl-C does and waits until it, and what it has attached, is gone."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGINT)
        try:
            self.process.wait(STOP_LIMIT_S)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.out.join(5)
        self.err.join(5)
        self.wait_detached()

    def seen(self):
        """Faults recorded, after stop(): a number, or None where the output does not tell."""
        return None

    def lost(self):
        """Records lost, after stop(): {reason: count}, or None where the output does not tell."""
        return None


class PerfRecord(Tracer):
    """Started disabled and enabled through its control pipe, whose answer says that the events
    count now. Nothing of the command that is measured differs."""

    name, label, program = "perf", "perf record -c 1 -d -a", "perf"
    judged = True
    extra = []

    def argv(self):
        for which in ("ctl", "ack"):
            if not os.path.exists(self.file(which)):
                os.mkfifo(self.file(which))
        return ["perf", "record", "-e", "page-faults", "-c", "1", "-d", "-a", *self.extra, "-N",
                "-o", self.file("data"), "-D", "-1",
                "--control", f"fifo:{self.file('ctl')},{self.file('ack')}"]

    def wait_ready(self):
        ctl = os.open(self.file("ctl"), os.O_RDWR)
        ack = os.open(self.file("ack"), os.O_RDWR | os.O_NONBLOCK)
        try:
            os.write(ctl, b"enable\n")
            until = time.monotonic() + START_LIMIT_S
            while time.monotonic() < until and self.process.poll() is None:
                try:
                    if b"ack" in os.read(ack, 64):
                        return time.monotonic()
                except BlockingIOError:
                    time.sleep(0.001)
        finally:
            os.close(ctl)
            os.close(ack)
        raise Unavailable(self.complaint())

    def stop(self):
        super().stop()
        for suffix in ("ctl", "ack", "data"):
            if os.path.exists(self.file(suffix)):
                os.unlink(self.file(suffix))

    def seen(self):
        found = re.search(r"\((\d+) samples\)", self.err.text())
        return int(found.group(1)) if found else None


class PerfRecordStacks(PerfRecord):
    name, label = "perf-g", "  ... -g"
    extra = ["-g"]


class PerfTrace(Tracer):
    """Has no control pipe: ready when its output file grows, which we make faults for."""

    name, label, program = "perf-trace", "perf trace -F all -a", "perf"

    def argv(self):
        return ["perf", "trace", "-F", "all", "-a", "-o", self.file("out")]

    def wait_ready(self):
        until = time.monotonic() + START_LIMIT_S
        while time.monotonic() < until and self.process.poll() is None:
            with mmap.mmap(-1, 1 << 20) as area:
                for at in range(0, 1 << 20, mmap.PAGESIZE):
                    area[at] = 1
            if os.path.exists(self.file("out")) and os.path.getsize(self.file("out")):
                return time.monotonic()
            time.sleep(0.01)
        raise Unavailable(self.complaint())

    def stop(self):
        super().stop()
        # a comm may be missing, the thread id is not: comm/tid
        self.counted = count_in(self.file("out"), b"/%d " % self.load_pid, b"fault [")

    def seen(self):
        return self.counted


class Bpftrace(Tracer):
    """Ready at the first tick of a timer, 100 ms after its probes are attached."""

    name, label, program = "bpftrace", "bpftrace, count by comm", "bpftrace"
    ready_stdout = r"^attached"

    def argv(self):
        return ["bpftrace", "-e", "software:faults:1 { @[comm] = count(); } "
                'interval:ms:100 { printf("attached\\n"); }']

    def seen(self):
        found = re.search(r"@\[faultloop\]: (\d+)", self.out.text())
        return int(found.group(1)) if found else None


class Ours(Tracer):
    """faultsnoop itself; -v makes it say when it is attached."""

    program = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "faultsnoop")
    judged = True
    ready_pattern = r"\battached\b"
    args = []

    def __init__(self, scratch, args=None):
        super().__init__(scratch)
        self.args = args if args is not None else self.args

    def find(self):
        if not os.access(self.program, os.X_OK):
            raise Unavailable("faultsnoop is not built")

    def argv(self):
        return [self.program, *self.args, "-v"]

    def result(self):
        """The last JSON object on stdout."""
        for line in reversed(self.out.lines):
            if line.startswith("{"):
                try:
                    return json.loads(line)
                except ValueError:
                    break
        try:
            return json.loads(self.out.text())
        except ValueError:
            return {}

    def seen(self):
        return self.result().get("totals", {}).get("faults")

    def lost(self):
        return self.result().get("lost")


class Stat(Ours):
    name, label, args = "stat", "faultsnoop stat", ["stat", "-a", "-j"]


class StatInKernel(Ours):
    name, label = "in-kernel", "  ... --in-kernel"
    args = ["stat", "-a", "-j", "--in-kernel"]


class StatNoLatency(Ours):
    name, label = "no-latency", "  ... --no-latency"
    args = ["stat", "-a", "-j", "--no-latency"]


class StatInKernelNoLatency(Ours):
    name, label = "in-kernel-no-latency", "  ... --in-kernel --no-latency"
    args = ["stat", "-a", "-j", "--in-kernel", "--no-latency"]


class Flame(Ours):
    """The user stack of each fault, by unwind tables."""

    name, label, base = "flame", "faultsnoop flame", "perf-g"

    def argv(self):
        return [self.program, "flame", "-a", "-o", self.file("out"), "-v"]

    def stop(self):
        super().stop()
        self.counted = 0
        try:
            with open(self.file("out"), encoding="utf-8", errors="replace") as lines:
                for line in lines:
                    if line.startswith("faultloop;"):
                        self.counted += int(line.rsplit(" ", 1)[1])
            os.unlink(self.file("out"))
        except FileNotFoundError:
            self.counted = None

    def seen(self):
        return self.counted


class FlameStall(Flame):
    """The same with latencies."""

    name, label = "flame-stall", "  ... --weight stall"

    def argv(self):
        return [*super().argv(), "--weight", "stall"]

    def stop(self):
        super().stop()
        self.counted = None     # its weights are no faults


class Trace(Ours):
    name, label = "trace", "faultsnoop trace -o FILE"
    judged = False

    def argv(self):
        return [self.program, "trace", "-a", "-o", self.file("out"), "-v"]

    def stop(self):
        super().stop()
        self.counted = count_in(self.file("out"), b"faultloop", b"anon")

    def seen(self):
        return self.counted


def count_in(path, *words):
    """Lines of a file that hold every word; the file is removed."""
    count = 0
    try:
        with open(path, "rb") as lines:
            for line in lines:
                count += all(word in line for word in words)
        os.unlink(path)
    except FileNotFoundError:
        return None
    return count


ALL = [PerfRecord, PerfRecordStacks, Bpftrace, PerfTrace,
       Stat, StatInKernel, StatNoLatency, StatInKernelNoLatency, Flame,
       FlameStall, Trace]
