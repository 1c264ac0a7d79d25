# SPDX-License-Identifier: GPL-2.0-only
"""The bars that are not about the time added per fault: the bystander's cost, attaching,
memory, lost records, processes with many mappings. Each gives a list of Check rows."""
import os
import re
import subprocess
import time

import bpfmaps
import costs
from figures import median_of, median_of_one, verdict
from loop import Loop
from tracers import Ours, Unavailable

MIB = 1 << 20
MANY_MAPPINGS, FEW_MAPPINGS = 65530, 20


class Check:
    """A row of the second table. bar None: for comparison only."""

    def __init__(self, what, figure=None, digits=0, unit="", bar=None, why_not=None, note=""):
        self.what, self.figure, self.digits, self.unit = what, figure, digits, unit
        self.bar, self.why_not, self.note = bar, why_not, note

    @classmethod
    def of_cost(cls, what, cost, figure, digits, unit="", bar=None):
        """A row about a Cost; without a verdict where noise would decide it."""
        if cost.why_not:
            return cls(what, why_not=cost.why_not)
        if cost.too_noisy():
            return cls(what, figure(cost), digits, unit, note="too noisy to judge")
        return cls(what, figure(cost), digits, unit, bar)

    def measured(self):
        if self.why_not:
            return f"not measured: {self.why_not}"
        one = self.figure.low == self.figure.high
        text = f"{self.figure.value:.{self.digits}f}" if one else self.figure.text(self.digits)
        return text + (f" {self.unit}" if self.unit else "")

    def judged(self):
        return "" if self.bar is None or self.why_not else verdict(self.figure, self.bar)

    def as_dict(self):
        return {"what": self.what, "unit": self.unit, "bar": self.bar, "note": self.note,
                "not_measured": self.why_not, "verdict": self.judged() or None,
                "figure": self.figure.as_dict() if self.figure else None}


def tracer(bench, name, *args):
    """faultsnoop with these arguments, under a name for messages and scratch files."""
    ours = Ours(bench.scratch, list(args))
    ours.name = name
    return ours


def elsewhere(bench):
    """A target that sleeps; the fault loop is somebody else."""
    what, bar = "fault of another process, stat -p: ratio to untraced", 1.01
    with subprocess.Popen(["sleep", "600"]) as sleeper:
        try:
            ours = tracer(bench, "elsewhere", "stat", "-j", "-p", str(sleeper.pid))
            found, _ = costs.measure(bench.loop, "fault", [ours], bench.plan, bench.progress)
        finally:
            sleeper.kill()
    cost = found["elsewhere"]
    return [Check.of_cost(what, cost, costs.Cost.ratio_figure, 4, bar=bar),
            Check.of_cost("  the same, added per fault", cost, costs.Cost.added_figure, 1, "ns")]


def calls(bench):
    """getppid, while mapping calls are traced."""
    what, bar = "another system call (getppid), stat -a: added", 15
    command = f"call {bench.plan.calls}"
    traced = [tracer(bench, "calls", "stat", "-a", "-j"),
              tracer(bench, "no-calls", "stat", "-a", "-j", "--no-calls")]
    found, untraced = costs.measure(bench.loop, command, traced, bench.plan, bench.progress)
    rows = [Check.of_cost(text, found[name], costs.Cost.added_figure, 1, "ns", limit)
            for name, text, limit in (("calls", what, bar),
                                      ("no-calls", "  ... with --no-calls", None))]
    rows.append(Check("  ... untraced", median_of(untraced), 1, "ns"))
    return rows


def map_calls(bench):
    """mmap and munmap while they are followed, and getppid beside them."""
    rows = []
    for what, command, unit_bar in (("mapping call (mmap, munmap), churn --no-stacks: added", "map", 300),
                                    ("another system call (getppid), churn: added", "call", 15)):
        traced = [tracer(bench, "churn", "churn", "-a", "-j", "--no-stacks")]
        if command == "map":
            traced.append(tracer(bench, "stacks", "churn", "-a", "-j"))
        found, untraced = costs.measure(bench.loop, f"{command} {bench.plan.calls}", traced,
                                        bench.plan, bench.progress)
        rows.append(Check.of_cost(what, found["churn"], costs.Cost.added_figure, 1, "ns", unit_bar))
        if command == "map":
            rows.append(Check.of_cost("  ... with stacks", found["stacks"],
                                      costs.Cost.added_figure, 1, "ns"))
        rows.append(Check("  ... untraced", median_of(untraced), 1, "ns"))
    return rows


def layouts(bench):
    """The model of address spaces by itself; see bench_layout.c."""
    program = os.path.join(os.path.dirname(__file__), "..", "..", ".output", "bench",
                           "bench_layout")
    if not os.access(program, os.X_OK):
        return [Check("mapping events a second on one core, millions",
                      why_not="make test-programs builds .output/bench/bench_layout")]
    bench.progress("layouts")
    out = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=False).stdout
    rate = float(re.search(r"(\d+) mapping events a second", out)[1]) / 1e6
    grown = float(re.search(r"RSS grew by ([\d.]+) MiB", out)[1])
    return [Check("mapping events taken on one core, millions a second", _one(rate), 2,
                  note=f"at least 0.5: {'reached' if rate >= 0.5 else 'NOT reached'}"),
            Check("10,000 processes with 200 mappings each", _one(grown), 0, "MiB", 300)]


def attach(bench):
    """From before the start to -v's line; and all of a run of /bin/true."""
    bench.unpin()
    what, bar = "start until attached, stat -a", 0.4
    attached, whole = [], []
    try:
        for number in range(bench.plan.starts):
            bench.progress(f"attach {number + 1} of {bench.plan.starts}")
            ours = tracer(bench, "attach", "stat", "-a", "-j").start()
            ours.stop()
            attached.append(ours.attach_s)
            begun = time.monotonic()
            subprocess.run([ours.program, "stat", "--", "/bin/true"], check=True, timeout=20,
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            whole.append(time.monotonic() - begun)
    except (Unavailable, OSError, subprocess.SubprocessError) as why:
        return [Check(what, why_not=str(why))]
    finally:
        bench.pin()
    return [Check(what, median_of_one(attached), 3, "s", bar,
                  note=f"slowest of {len(attached)}: {max(attached):.3f} s"),
            Check("  start to end, stat -- /bin/true", median_of_one(whole), 3, "s",
                  note=f"slowest of {len(whole)}: {max(whole):.3f} s")]


def _one(value):
    return median_of_one([value])


def _flat_out(bench, seconds):
    """A loop on each of two CPUs; gives faults made and faults per second of both together."""
    cpus = bench.all_cpus[:1] + bench.all_cpus[-1:]
    loops = [Loop(bench.faultloop, cpu, bench.plan.pages) for cpu in cpus]
    try:
        for loop in loops:
            loop.send(f"flat {seconds}")
        rate = sum(1e9 / loop.answer() for loop in loops)
        return sum(loop.faults for loop in loops), rate
    finally:
        for loop in loops:
            loop.close()


def lost(bench):
    """Both CPUs faulting flat out, at the default ring size, the tracer competing with them."""
    what, bar = f"records lost, 2 CPUs flat out for {bench.plan.flat_s} s, stat -a", 0
    bench.unpin()
    try:
        bench.progress("lost: untraced rate")
        _, untraced = _flat_out(bench, bench.plan.flat_s / 5)
        bench.progress("lost: flat out")
        ours = tracer(bench, "lost", "stat", "-a", "-j").start()
        try:
            made, rate = _flat_out(bench, bench.plan.flat_s)
        finally:
            ours.stop()
    except Unavailable as why:
        return [Check(what, why_not=str(why))]
    finally:
        bench.pin()
    if ours.lost() is None or ours.seen() is None:
        return [Check(what, why_not="no `lost` and `totals` in the JSON")]
    reasons = ", ".join(f"{k} {v}" for k, v in ours.lost().items() if v)
    return [Check(what, _one(sum(ours.lost().values())), bar=bar, note=reasons),
            Check("  faults seen / faults made", _one(ours.seen() / made), 6,
                  note=f"{made} made; others' faults are seen too"),
            Check("  rate traced / rate untraced", _one(rate / untraced), 3,
                  note=f"{rate / 1e6:.2f} of {untraced / 1e6:.2f} million faults/s")]


def memory(bench):
    """Both CPUs faulting, then a storm of short processes; the most seen in any sample."""
    limit = 32 + 2 * max(0, len(bench.all_cpus) - 2)
    rss_what, map_what = "VmRSS without the ring's pages, stat -a", "memory locked by all maps"
    bench.unpin()
    rss, maps = [0], [0]
    try:
        bench.progress("memory")
        known = bpfmaps.ids()
        ours = tracer(bench, "memory", "stat", "-a", "-j").start()
        try:
            loops = [Loop(bench.faultloop, cpu, bench.plan.pages) for cpu in bench.all_cpus[-2:]]
            for loop in loops:
                loop.send("flat 2")
            storm = subprocess.Popen(["sh", "-c", "i=0; while [ $i -lt 1000 ]; do "
                                      "/bin/true; i=$((i+1)); done"])
            while storm.poll() is None or len(rss) < 20:
                rss.append(bpfmaps.rss_bytes_without_maps(ours.process.pid))
                maps.append(bpfmaps.locked_bytes(ours.process.pid, known))
                time.sleep(0.1)
            for loop in loops:
                loop.answer()
                loop.close()
        finally:
            ours.stop()
    except (Unavailable, OSError) as why:
        return [Check(rss_what, why_not=str(why))]
    finally:
        bench.pin()
    return [Check(rss_what, _one(max(rss) / MIB), 1, "MiB", 24,
                  note="most in any sample; 2 CPUs faulting and 1,000 short processes"),
            Check(map_what, _one(max(maps) / MIB), 1, "MiB", limit,
                  note=f"{len(bench.all_cpus)} CPUs")]


def _alternate(few, many, count):
    """Ratios of neighbouring rounds, many mappings to few."""
    return [many.do("fault") / few.do("fault") for _ in range(count)]


def _mappings(bench, spread):
    pages = 1 << 16 if spread else bench.plan.pages
    loops = [Loop(bench.faultloop, bench.cpu, pages, bench.plan.pages, mappings, spread)
             for mappings in (FEW_MAPPINGS, MANY_MAPPINGS)]
    where = "each in another mapping" if spread else "all in one mapping"
    what = f"fault with {loops[1].mappings} mappings / {loops[0].mappings}, {where}"
    starts = 4
    each = bench.plan.few_pairs // starts + 1
    ours = tracer(bench, "mappings", "stat", "-a", "-j")
    untraced, traced = [], []
    try:
        _alternate(*loops, 2)
        for number in range(starts):
            bench.progress(f"mappings, {where}: start {number + 1} of {starts}")
            untraced.append(_alternate(*loops, each))
            ours.start()
            try:
                # the regions themselves are new to the tracer once: not a fault's cost
                _alternate(*loops, 1)
                time.sleep(0.3)
                traced.append(_alternate(*loops, each))
            finally:
                ours.stop()
    except Unavailable as why:
        return [Check(what, why_not=str(why)),
                Check("  ... untraced", median_of(untraced), 3)]
    finally:
        for loop in loops:
            loop.close()
    return [Check(what, median_of(traced), 3, bar=1.3),
            Check("  ... untraced", median_of(untraced), 3)]


def mappings(bench):
    return _mappings(bench, False) + _mappings(bench, True)


def consumer(bench):
    """Records as a ring holds them, through what `stat` does with each; see consumer.c."""
    what = "fault records taken on one core, millions a second"
    program = os.path.join(os.path.dirname(__file__), "..", "..", ".output", "bench", "consumer")
    if not os.access(program, os.X_OK):
        return [Check(what, why_not="make test-programs builds .output/bench/consumer")]
    out = subprocess.run([program], stdout=subprocess.PIPE, text=True, check=True).stdout
    rate = float(out.split()[0].split("=")[1]) / 1e6
    reached = "reached" if rate >= 3 else "NOT reached"
    return [Check(what, _one(rate), 1, note=f"at least 3: {reached}")]


ALL = {"elsewhere": elsewhere, "calls": calls, "map-calls": map_calls, "layouts": layouts,
       "attach": attach, "memory": memory, "lost": lost,
       "mappings": mappings, "consumer": consumer}
