# SPDX-License-Identifier: GPL-2.0-only
"""Runs the analyses of mappings (touched, churn, leaks) and reads what they print."""
import os
import re
import signal
import subprocess

import harness
from harness import Fail, check, equal, remaining, spawn
from snoop import environment, json_lines, key_values, no_errors, off, scratch_file, snoop, validate

KINDS = ("touched", "churn", "leaks")


class Found:
    """The objects that one run printed, one an interval; what the program printed."""

    def __init__(self, objects, said=None):
        check(objects, "no JSON came out")
        self.objects, self.said = objects, said or {}
        for one in objects:
            validate("mappings", one)
            sane(one)

    def last(self):
        return self.objects[-1]

    def rows(self, **wanted):
        """Of the last object, those that have these values."""
        return [r for r in self.last()["rows"] if all(r[k] == v for k, v in wanted.items())]

    def through(self, *names, **wanted):
        """Rows with these functions in their stacks, each called by the next one."""
        return [r for r in self.rows(**wanted) if r["stack"] and follows(r["stack"], names)]

    def lost(self):
        return {k: n for one in self.objects for k, n in one["lost"].items() if n}


def follows(stack, names):
    return any(tuple(stack[i:i + len(names)]) == names for i in range(len(stack)))


def sane(one):
    """What must hold in every report."""
    rows, total = one["rows"], one["summary"]
    sums = {"touched": ["reserved_bytes", "touched_bytes", "populated_bytes", "never_touched_bytes",
                        "again_bytes", "released_bytes", "faults", "stall_ns"],
            "churn": ["cycles", "faults", "stall_ns"],
            "leaks": ["bytes", "mappings", "touched_bytes"]}[one["type"]]
    for name in sums:
        equal(total[name], sum(r[name] for r in rows), f"{name} of {one['type']}'s summary, and of "
              "its rows, summed up")
    for row in rows:
        if one["type"] != "touched":
            continue
        equal(row["anonymous_by_faults_bytes"] + row["anonymous_populated_bytes"] +
              row["anonymous_before_bytes"] + row["inherited_bytes"] -
              row["anonymous_freed_bytes"], row["anonymous_bytes"], f"anonymous bytes of {row}")
        check(row["mapped_now_bytes"] <= row["reserved_bytes"], f"more mapped than ever: {row}")
        check((row["first_touch_ns"] or 0) <= (row["last_first_touch_ns"] or 0) <= one["time_ns"],
              f"times of first touches, in a run of {one['time_ns']} ns: {row}")


def found(command, args, program, *, status=0, steady=True):
    """touched, churn or leaks -j -- PROGRAM, to the end."""
    out = scratch_file("json")
    result = snoop(command, "-j", "-o", out, *args, "--", *program, steady=steady)
    off(result)
    no_errors(result, status)
    with open(out, "rb") as f:
        objects = json_lines(f.read())
    os.unlink(out)
    return Found(objects, key_values(result.text()))


class Held:
    """A program that faultsnoop has started, and that says ready=… and waits: it can be looked at."""

    def __init__(self, command, args, program, *, json=True, steady=True):
        self.out, self.said = scratch_file("out"), {}
        argv = [harness.FAULTSNOOP, *command.split(), *(["-j"] if json else []), *args, "-o", self.out,
                "--", *(["setarch", "-R"] if steady else []), *program]
        self.process = spawn(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, env=environment())
        self.wait_ready()
        with open(f"/proc/{self.process.pid}/task/{self.process.pid}/children",
                  encoding="ascii") as f:
            self.pid = int(f.read().split()[0])

    def wait_ready(self):
        for line in self.process.stdout:
            self.said.update(key_values(line.decode()))
            if line.startswith(b"ready="):
                return
        status = self.process.wait(timeout=remaining())
        said = self.process.stderr.read().decode("utf-8", "replace").strip()
        if status == 77 or "77" in said:
            raise harness.Skip(f"cannot run here: {said}")
        raise Fail(f"{self.process.args} ended with {status} before it was ready: {said}")

    def go_on(self):
        self.process.stdin.write(b"\n")
        self.process.stdin.flush()
        self.wait_ready()

    def text(self):
        """End it while the program waits; what it wrote."""
        self.process.send_signal(signal.SIGINT)
        status = self.process.wait(timeout=remaining())
        equal(status, 0, f"status ({self.process.stderr.read()[-300:]})")
        with open(self.out, "rb") as f:
            return f.read()

    def found(self):
        return Found(json_lines(self.text()), self.said)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.stdin.close()
        if self.process.poll() is None:
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        self.process.stdout.close()
        self.process.stderr.close()


def smaps(pid, *names):
    """Sum of these lines of a process, in bytes; [vsyscall] is no VMA, and the last."""
    with open(f"/proc/{pid}/smaps", encoding="utf-8", errors="replace") as f:
        text = f.read().partition("[vsyscall]")[0]
    return 1024 * sum(map(int, re.findall(rf"^(?:{'|'.join(names)}): +(\d+) kB$", text, re.M)))
