# SPDX-License-Identifier: GPL-2.0-only
"""What the programs cost to load: instructions that the verifier went through, and sizes, against
the record in tests/live/budget.json. A record is made by BUDGET=record tests/live/run budget, and for
the kernels of tests/vm by tests/vm/run --record budget."""
import json
import os
import platform

import bpfprogs
import harness
from harness import Skip, cases, check
from snoop import Attached

GROWTH = 1.1
FILE = os.path.join(harness.ROOT, "tests", "live", "budget.json")
STAT = ["stat", "-j"]
FLAME = ["flame", "-o", "/dev/null"]
MODES = {"stream": [*STAT, "-a"], "in-kernel": [*STAT, "-a", "--in-kernel"],
         "no-latency": [*STAT, "-a", "--no-latency"], "process": [*STAT, "-p", str(os.getpid())],
         "stacks": [*FLAME, "-a"], "stacks-latency": [*FLAME, "-a", "--weight", "stall"],
         "stacks-calls": [*FLAME, "-p", str(os.getpid()), "--mapper", "prefix"],
         "layouts": ["churn", "-j", "-a", "--no-stacks"],
         "layouts-stacks": [*STAT, "-a", "--with", "touched"]}


def this_kernel():
    """Patch releases are taken for the same."""
    return ".".join(platform.release().split(".")[:2]) + "/" + platform.machine()


def record(mode, programs):
    """On the way to the file: a line on stdout, which tests/vm/run keeps for the machine's maker."""
    print("BUDGET " + json.dumps([this_kernel(), mode, programs]), flush=True)
    if not harness.VM:
        keep([[this_kernel(), mode, programs]])


def keep(lines):
    """Write what record() printed into the file."""
    kept = {}
    if os.path.exists(FILE):
        with open(FILE, encoding="ascii") as f:
            kept = json.load(f)
    for kernel, mode, programs in lines:
        kept.setdefault(kernel, {})[mode] = {
            name: [one["verified"], one["bytes"]] for name, one in sorted(programs.items())}
    text = json.dumps(kept, indent=1, sort_keys=True)
    with open(FILE, "w", encoding="ascii") as f:
        f.write(text.replace("[\n    ", "[").replace(",\n    ", ", ").replace("\n   ]", "]") + "\n")


@cases("budget", list(MODES))
def budget(mode):
    with Attached(*MODES[mode]) as snoop:
        programs = bpfprogs.of_process(snoop.process.pid)
        snoop.end()
    check(len(programs) > 3, f"only {sorted(programs)} are loaded")
    check(all(one["verified"] and one["bytes"] for one in programs.values()),
          f"the kernel does not tell: {programs}")
    if os.environ.get("BUDGET") == "record":
        record(mode, programs)
        return
    with open(FILE, encoding="ascii") as f:
        known = json.load(f).get(this_kernel(), {}).get(mode)
    if not known:
        raise Skip(f"nothing is recorded for {this_kernel()}; BUDGET=record does that")
    grown = [f"{name}: {what} {one[what]}, recorded {known[name][at]}"
             for name, one in sorted(programs.items()) if name in known
             for at, what in enumerate(("verified", "bytes")) if one[what] > known[name][at] * GROWTH]
    grown += [f"{name} is new" for name in sorted(programs) if name not in known]
    check(not grown, "; ".join(grown) + "; BUDGET=record accepts that")
