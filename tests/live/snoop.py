# SPDX-License-Identifier: GPL-2.0-only
"""Runs the program under test and understands what it prints."""
import collections
import functools
import itertools
import json
import os
import re
import signal
import subprocess
import threading
import time

import harness
from harness import Fail, Skip, check, equal, remaining, spawn, truth

ALL_ROWS = ["--top", "1000000"]
_numbers = itertools.count()


def scratch_file(suffix):
    return os.path.join(harness.scratch, f"{os.getpid()}-{next(_numbers)}.{suffix}")


def environment():
    """The same in every run, so that stacks and first pages come out alike. Without rseq: kernels
    write to it when a thread was preempted, which faults on a page that fork has shared."""
    return {"PATH": os.environ.get("PATH", "/usr/sbin:/usr/bin:/sbin:/bin"), "LC_ALL": "C",
            "TRUTH_DIR": harness.scratch, "HOME": "/nonexistent",
            "GLIBC_TUNABLES": "glibc.pthread.rseq=0"}


class Result:
    def __init__(self, status, out, err):
        self.status, self.out, self.err = status, out, err

    def text(self):
        return self.out.decode("utf-8", "surrogateescape")

    def errors(self):
        return self.err.decode("utf-8", "replace").strip()

    def error_lines(self):
        return self.errors().splitlines()


def _placed(argv, steady):
    return ["setarch", "-R", *argv] if steady else argv


def run(argv, *, steady=True, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, cwd=None):
    """Run to the end. steady: without address space randomisation, which programs inherit: then
    the same program faults alike in every run."""
    process = spawn(_placed(argv, steady), stdin=stdin, stdout=stdout, stderr=subprocess.PIPE, cwd=cwd,
                    env=environment())
    out, err = process.communicate(timeout=remaining())
    return Result(process.returncode, out or b"", err or b"")


def snoop(*args, **options):
    return run([harness.FAULTSNOOP, *args], **options)


def key_values(text):
    """What a truth program printed."""
    found = {}
    for line in text.splitlines():
        key, _, value = line.partition("=")
        if value.lstrip("-").isdigit():
            found[key] = int(value)
        elif value:
            found[key] = value
    return found


# Names that contain none of "_" and "-" but as they stand here
REGIONS = """unknown text rodata data bss heap stack thread-stack anon anon-exec file file-shared
    shm hugetlb vdso device none kernel""".split()
CLASSES = """unknown anon zero cow reuse file read swap shmem thp hugetlb numa uffd spurious segv
    bus oom fixup""".split()
# What such a fault makes present, in pages (design.md, "bytes")
PAGES_OF = {"anon": 1, "cow": 1, "file": 1, "read": 1, "shmem": 1, "uffd": 1, "zero": 0,
            "reuse": 0, "segv": 0, "bus": 0}


def region_class(values):
    """Counter of (region, class) from what a truth program printed."""
    table = collections.Counter()
    for key, value in values.items():
        region, _, klass = key.rpartition("_")
        if region in REGIONS and klass in CLASSES:
            table[region, klass] = value
    return table


def difference(a, b):
    """a - b, without what is equal in both."""
    return {k: a.get(k, 0) - b.get(k, 0) for k in {*a, *b} if a.get(k, 0) != b.get(k, 0)}


# JSON

@functools.lru_cache(None)
def schema(name):
    """A validator, or None where there is no jsonschema."""
    path = os.path.join(harness.ROOT, "tests", "schema", name + ".schema.json")
    with open(path, encoding="utf-8") as f:
        described = json.load(f)
    try:
        import jsonschema                       # pylint: disable=import-outside-toplevel
    except ImportError:
        return None
    kind = jsonschema.validators.validator_for(described)
    kind.check_schema(described)
    return kind(described)


def validate(name, document):
    validator = schema(name)
    if validator:
        for error in validator.iter_errors(document):
            where = "/".join(str(p) for p in error.absolute_path)
            raise Fail(f"not as {name}.schema.json has it: {where}: {error.message[:200]}")


def json_lines(data):
    """The objects in the output: one a line, or one that is spread over many lines."""
    text = data.decode("utf-8")         # it must be valid
    if not text.strip():
        return []
    try:
        return [json.loads(line) for line in text.splitlines() if line.strip()]
    except ValueError:
        pass
    decoder, at, found = json.JSONDecoder(), 0, []
    while at < len(text.rstrip()):
        while text[at].isspace():
            at += 1
        one, at = decoder.raw_decode(text, at)
        found.append(one)
    return found


class Report:
    """One run of stat -j: its objects, one an interval, and what the traced program printed."""

    def __init__(self, objects, printed, result):
        check(objects, f"no JSON came out; status {result.status}, it said: {result.errors()}")
        self.objects, self.result = objects, result
        self.truth = key_values(printed)
        for one in objects:
            if len(one["rows"]) <= 300:
                validate("stat", one)

    def rows(self):
        return [row for one in self.objects for row in one["rows"]]

    def total(self, name):
        return sum(one["totals"][name] for one in self.objects)

    def lost(self):
        lost = collections.Counter()
        for one in self.objects:
            lost.update({k: v for k, v in one["lost"].items() if v})
        return dict(lost)

    def table(self, *keys, value="faults", where=None):
        """Counter of a figure by the values of the keys."""
        table = collections.Counter()
        for row in self.rows():
            if where is None or where(row):
                table[tuple(row.get(k) for k in keys)] += row.get(value, 0)
        return table

    def calls(self):
        """{name: {calls, failed, bytes}} over all intervals."""
        calls = collections.defaultdict(collections.Counter)
        for one in self.objects:
            for name, figures in one["calls"].items():
                for key in ("calls", "failed", "bytes"):
                    calls[name][key] += figures[key]
        return calls


def sane(report, *, whole=True, lossy=False):
    """What must hold in every report. whole: the rows are all faults."""
    for one in report.objects:
        totals = one["totals"]
        equal(totals["minor"] + totals["major"] + totals["failed"], totals["faults"],
              "minor + major + failed")
        equal(totals["user"] + totals["kernel"], totals["faults"], "user + kernel")
        for row in one["rows"]:
            equal(row["minor"] + row["major"] + row["failed"], row["faults"],
                  f"minor + major + failed of {row}")
            sane_latency(row)
    if not lossy:
        lost = report.lost()
        if harness.VM:
            # 7.2 was seen to stop one program of ours for another task, whose events are then missed:
            # programs take 50 times as long in the emulation. What a case counts must still be right.
            lost.pop("recursion", None)
        equal(lost, {}, "lost")
        if whole:
            for name in ("faults", "minor", "major", "failed"):
                equal(sum(r[name] for r in report.rows()), report.total(name),
                      f"{name} of the rows, summed up, beside those of totals")
    return report


def sane_latency(row):
    latency = row.get("latency_ns")
    if not latency or not latency.get("log2"):
        return
    check(latency["p50"] <= latency["p99"] <= latency["max"] <= latency["sum"],
          f"p50, p99, max and sum of a latency are out of order: {latency}")
    for start, end, _ in latency["log2"]:
        check(start < end, f"empty log2 slot in {latency}")
    check(sum(n for _, _, n in latency["log2"]) <= row["faults"],
          f"more latencies than faults: {row}")


def no_errors(result, status=0):
    if result.status == 77:
        raise Skip(f"status 77: {result.errors()}")
    equal(result.status, status, f"status (it said: {result.errors()})")


def off(result):
    """The truth program itself says that it cannot, or that its truth is off."""
    if "truth is off" in result.errors():
        raise Fail(f"not the program under test: {result.errors()}")


def stat(args, program, *, status=0, steady=True, check_sane=True, whole=True, lossy=False,
         calls=False):
    """stat -j -- PROGRAM; a truth program that cannot run here skips the case. Without mapping
    calls unless they are asked for: kernels take tens of milliseconds to let go of each
    tracepoint, and of one at a time."""
    out = scratch_file("json")
    if not calls:
        args = ["--no-calls", *args]
    result = snoop("stat", "-j", "-o", out, *ALL_ROWS, *args, "--", *program, steady=steady)
    off(result)
    if result.status == 77 and os.path.exists(out) and os.path.getsize(out):
        raise Skip(result.errors())
    no_errors(result, status)
    with open(out, "rb") as f:
        report = Report(json_lines(f.read()), result.text(), result)
    os.unlink(out)
    if check_sane:
        sane(report, whole=whole, lossy=lossy)
    return report


def trace(args, program, *, status=0, steady=True):
    """trace -j -- PROGRAM: its events, and what the program printed."""
    out = scratch_file("json")
    result = snoop("trace", "-j", "-o", out, *args, "--", *program, steady=steady)
    off(result)
    no_errors(result, status)
    with open(out, "rb") as f:
        events = json_lines(f.read())
    os.unlink(out)
    for event in events[:2000]:
        validate("trace", event)
    return events, key_values(result.text())


class Target:
    """A truth program that says ready=PID and waits for its word."""

    def __init__(self, *argv, steady=False, say=False):
        self.process = spawn(_placed(argv, steady), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             env=environment())
        self.argv, self.printed = argv, b""
        # where a part has put something; say: it says more before it waits
        self.before = b"" if say else b"at="
        self.ready = self.wait_ready()

    def wait_ready(self):
        line = self.process.stdout.readline()
        while line.startswith(self.before) and line and not line.startswith(b"ready="):
            line = self.process.stdout.readline()
        if not line.startswith(b"ready="):
            self.process.stdin.close()
            status = self.process.wait(timeout=remaining())
            raise Skip(f"{self.argv} cannot run here (status {status})") if status == 77 else \
                Fail(f"{self.argv} did not get ready: {line}")
        return int(line[6:])

    def go_on(self):
        """Let it go on until it waits again."""
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.wait_ready()

    @property
    def pid(self):
        return self.process.pid

    def finish(self):
        """Let it go on and wait for its end; what it printed."""
        self.printed, _ = self.process.communicate(b"\n", timeout=remaining())
        return key_values(self.printed.decode())

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        self.process.stdin.close()
        self.process.stdout.close()


class Attached:
    """faultsnoop beside other programs: started, known to be attached, ended by a signal."""

    def __init__(self, *args, prefix=(), out=None):
        self.out = out or scratch_file("out")
        args = list(args)
        split = args.index("--") if "--" in args else len(args)
        # A run on processes that exist ends with them.
        self.ends_itself = "-p" in args[:split] or "-t" in args[:split]
        argv = [*prefix, harness.FAULTSNOOP, *args[:split], "-v", "-o", self.out, *args[split:]]
        self.process = spawn(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment())
        self.said, self.event = [], threading.Event()
        self.reader = threading.Thread(target=self._read, daemon=True)
        self.reader.start()
        self.event.wait(remaining())
        if not any(b"attached" in line for line in self.said):
            self.__exit__()
            said = b"".join(self.said).decode("utf-8", "replace").strip()
            if self.process.returncode == 77:
                raise Skip(f"status 77: {said}")
            raise Fail(f"-v never said that it is attached: {said}")

    def _read(self):
        for line in self.process.stderr:
            self.said.append(line)
            if b"attached" in line:
                self.event.set()
        self.event.set()

    def signal(self, number=signal.SIGINT):
        self.process.send_signal(number)

    def wait(self):
        """Its status, once it has ended by itself or after a signal."""
        status = self.process.wait(timeout=remaining())
        self.reader.join(remaining())
        return status

    def end(self):
        self.signal()
        return self.wait()

    def result(self, status):
        return Result(status, b"", b"".join(self.said))

    def report(self, printed=""):
        """End it, or wait for its end with its targets', and read what stat -j wrote."""
        status = self.wait() if self.ends_itself else self.end()
        no_errors(self.result(status))
        with open(self.out, "rb") as f:
            return Report(json_lines(f.read()), printed, self.result(status))

    def lines(self):
        """Lines that are complete so far."""
        with open(self.out, "rb") as f:
            return f.read().split(b"\n")[:-1]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        if self.process.poll() is None:
            # Its session is ours: a program that it runs goes with it.
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.reader.join(5)
        self.process.stdout.close()
        self.process.stderr.close()


def wait_until(condition, what):
    """For what gives no event of its own: a file that another process writes, a state in /proc."""
    end = time.monotonic() + min(20, remaining())
    while not condition():
        check(time.monotonic() < end, f"waited in vain until {what}")
        time.sleep(0.005)


def evcount(args, program, *, status=0, steady=True, **options):
    """stat of a program under tests/truth/evcount.c: the report, and what the kernel's software
    events and getrusage say of the same run."""
    out = scratch_file("evcount")
    report = stat(["--by", "process", *args], [truth("evcount"), out, *program], status=status,
                  steady=steady, **options)
    with open(out, encoding="ascii") as f:
        counted = json.load(f)
    os.unlink(out)
    return report, counted


def of_program(row):
    """Is it the program's (or its children's), not evcount's own?"""
    return row["process"] != "evcount"


def version():
    """The kernel's, as numbers."""
    return tuple(int(n) for n in re.findall(r"\d+", os.uname().release)[:2])
