# SPDX-License-Identifier: GPL-2.0-only
"""Stacks and variables: trace --stacks, trace --symbols, stat --by stack, flame --by symbol."""
import collections
import csv
import os
import re
import subprocess

from harness import case, cases, check, equal, tool, truth
from snoop import key_values, no_errors, scratch_file, snoop, stat, trace

PAGES = 40
CHAIN = ["inner", "middle", "outer", "main"]


def chain():
    return [truth("chain"), str(PAGES)]


def in_chain(events, said):
    start, end = int(said["start"], 16), int(said["end"], 16)
    found = [e for e in events if e["event"] == "fault" and start <= int(e["address"], 16) < end]
    equal(len(found), PAGES, "faults in the memory that was touched")
    return found


def names(stack, kind="user"):
    return [frame["name"] for frame in stack if frame["kind"] == kind]


@cases("trace-stacks", [("both", []), ("user", ["-U"]), ("inlines", ["--inlines", "--lines"])])
def stacks(_, options):
    """Each fault has the chain of calls that the program is known to have made, to its root."""
    events, said = trace(["--stacks", *options], chain())
    for event in in_chain(events, said):
        equal(names(event["stack"])[:4], CHAIN, "the functions that led to a fault")
        equal(names(event["stack"])[-1], "_start", "the root")
        equal(event["stack_end"], "complete", "where the stack ends")
        equal(names(event["stack"], "kernel"), [], "of the kernel, in a fault of the program's")
        if "--lines" in options:
            check(event["stack"][0]["src"].endswith("chain.c"), f"source of {event['stack'][0]}")
    for event in events:
        equal("stack" in event, event["event"] not in ("exec", "fork", "exit", "rename"),
              f"a stack in {event}")
        check(event.get("stack_end") != "lost", f"no stack: {event}")
    mapped, = [e for e in events if e["event"] == "mmap" and e["ret"] == said["start"]]
    found = names(mapped["stack"])
    equal(found[found.index("mapper"):][:2], ["mapper", "main"], "who mapped the memory")


@case("trace-stacks/kernel")
def kernel():
    """-K: of faults that the kernel makes for the program, its own functions alone."""
    events, said = trace(["--stacks", "-K"], chain())
    for event in in_chain(events, said):
        equal(event["stack"], [], "of the kernel, in a fault of the program's")
    copied = [e for e in events if e["event"] == "fault" and e["mode"] == "kernel"]
    check(copied, "the kernel made no fault")
    for event in copied:
        check(event["stack"], f"no stack in {event}")
        equal(names(event["stack"], "user"), [], "of the program")
        equal({f["object"] for f in event["stack"]}, {"[kernel.kallsyms]"}, "object")


def written(*args):
    """What a run of chain writes with -o, and what the program says."""
    out = scratch_file("out")
    result = snoop(*args, "-o", out, "--", *chain())
    no_errors(result)
    with open(out, encoding="utf-8", newline="") as f:
        text = f.read()
    os.unlink(out)
    return text, key_values(result.text())


@case("trace-stacks/text")
def text():
    """Frames below their fault, from the leaf on, as name+offset (object)."""
    lines, said = written("trace", "--stacks", "--events", "fault")
    lines = lines.splitlines()
    at = [i for i, line in enumerate(lines) if f" {said['start']} " in line]
    equal(len(at), 1, "lines of the first fault")
    object_ = re.escape(truth("chain"))
    for name, line in zip(CHAIN, lines[at[0] + 1:]):
        check(re.fullmatch(rf"    {name}\+0x[0-9a-f]+ \({object_}\)", line), f"{name}: {line}")
    below = [line for line in lines[1:] if line.startswith("    ") and "+0x" in line]
    check(len(below) > 4 * PAGES, "too few frames")


@case("trace-stacks/csv")
def as_csv():
    """The stack as one field, folded."""
    rows, said = written("trace", "--stacks", "--csv", "--events", "fault")
    rows = list(csv.DictReader(rows.splitlines(), strict=True))
    row, = [r for r in rows if r["address"] == said["start"]]
    check(row["stack"].endswith(";main;outer;middle;inner"), row["stack"])
    check(row["stack"].startswith("_start;"), row["stack"])
    equal(row["stack_end"], "complete", "where the stack ends")


# variables

def symbols_of(path):
    """{(address, size): {names}} of the variables that binutils know. nm does not tell those of a
    thread, whose addresses are none, from others."""
    listed = subprocess.run([tool("readelf", "binutils"), "-sW", path], capture_output=True,
                            text=True, check=True).stdout
    table = collections.defaultdict(set)
    for line in listed.splitlines():
        fields = line.split()
        if len(fields) >= 8 and fields[3] == "OBJECT" and fields[6] != "UND":
            size = int(fields[2], 0)
            table[int(fields[1], 16), size].add(fields[7].split("@")[0])
    return table


def expected(table, address):
    """(names, offset) of the nearest variable that holds an address, or None."""
    holding = [(start, size) for start, size in table if start <= address < start + size]
    if not holding:
        return None
    start = max(start for start, _ in holding)
    return {n for s, z in holding if s == start for n in table[s, z]}, address - start


@cases("trace-symbols", [("pie", "variables"), ("pie-random", "variables", False),
                         ("no-pie", "variables-no-pie"), ("static", "variables-static"),
                         ("no-pie-random", "variables-no-pie", False),
                         ("static-random", "variables-static", False),
                         ("static-pie", "variables-static-pie")])
def symbols(_, program, steady=True):
    """The variable of each fault in data, bss and rodata, as the symbol table has it."""
    library = truth("libvariables.so")
    events, said = trace(["--symbols", "--events", "fault"], [truth(program), library],
                         steady=steady)
    faults = {}
    for event in events:
        faults.setdefault(event["address"], []).append(event)
    touched = collections.Counter()
    for key, address in said.items():
        if "+" not in key:
            continue
        name, _, offset = key.partition("+")
        found = [(e["region"], e.get("variable"), e.get("variable_offset"))
                 for e in faults.get(address, [])]
        equal(found[-1:], [(name.partition("_")[2], name, int(offset))], f"{key} at {address}")
        touched[name] += 1
    objects = ["prog"] if "bias_lib_data" not in said else ["prog", "lib"]
    equal(touched, {f"{o}_{v}": n for o in objects
                    for v, n in (("data", 6), ("bss", 6), ("rodata", 5))}, "places touched")
    for name in objects:
        # the first page of bss is the last one of data
        data, bss = (faults[next(a for k, a in said.items() if k.startswith(f"{name}_{v}+0"))][-1]
                     for v in ("data", "bss"))
        equal(bss["region_start"], data["region_start"], f"mapping of {name}'s first page of bss")
        every(events, truth(program) if name == "prog" else library,
              int(said[f"bias_{name}_data"], 16))


def every(events, path, bias):
    """All faults in the data of an object, whoever made them."""
    table, seen = symbols_of(path), 0
    for event in events:
        if event["file"] != path or event["region"] not in ("data", "bss", "rodata"):
            continue
        wanted = expected(table, int(event["address"], 16) - bias)
        if wanted:
            check(event.get("variable") in wanted[0], f"{event}: should be {wanted}")
            equal(event["variable_offset"], wanted[1], f"offset of {event}")
            seen += 1
    check(seen >= 17, f"{seen} faults in {path}")


@case("flame-symbol")
def flame():
    """The variables that were touched are leaves, with the faults of each."""
    folded = scratch_file("folded")
    result = snoop("flame", "--by", "symbol", "-o", folded, "--", truth("variables"))
    equal(result.status, 0, f"status ({result.errors()})")
    leaves = collections.Counter()
    with open(folded, encoding="utf-8") as f:
        for line in f:
            path, _, count = line.rpartition(" ")
            leaves[path.rpartition(";")[2]] += int(count)
    os.unlink(folded)
    equal(leaves["prog_rodata"], 5, "faults in prog_rodata")
    for name in ("prog_data", "prog_bss"):
        check(leaves[name] >= 6, f"{leaves[name]} faults in {name}")


# stat --by stack

@cases("stat-stack", [("alone", "stack"), ("region", "stack,region"), ("process", "process,stack")])
def stat_by_stack(_, keys):
    """One row has the faults of the chain."""
    report = stat(["--by", keys, "-U"], chain())
    found = [r for r in report.rows() if r["stack"][:4] == CHAIN]
    found = [r for r in found if r.get("region", "anon") == "anon"]
    equal(len(found), 1, "rows of the chain")
    check(PAGES <= found[0]["faults"] <= PAGES + 1, f"faults: {found[0]}")
    equal(found[0]["stack"][-1], "_start", "the root")
    shown = [(*r["stack"], *(r.get(k) for k in ("region", "pid"))) for r in report.rows()]
    equal(len(shown), len(set(shown)), "rows that are shown alike")


@case("stat-stack/text")
def stat_text():
    lines, _ = written("stat", "--by", "stack", "--no-calls", "--top", "1000")
    check(re.search(r"^inner < middle < outer < ", lines, re.M), "no row of the chain")
    wide = [line for line in lines.splitlines() if len(line) > 80]
    equal(wide, [], "lines of more than 80 columns")


@case("stat-stack/csv")
def stat_csv():
    rows, _ = written("stat", "--by", "stack,region", "--csv", "--no-calls")
    rows = list(csv.DictReader(rows.splitlines(), strict=True))
    found = [r for r in rows if r["stack"].endswith(";main;outer;middle;inner")
             and r["region"] == "anon"]
    equal([int(r["faults"]) for r in found], [PAGES], "faults of the chain")


@case("stat-stack/in-kernel")
def stat_in_kernel():
    result = snoop("stat", "--by", "stack", "--in-kernel", "--", "/bin/true")
    equal(result.status, 2, "status")
    equal(len(result.error_lines()), 1, "lines of error")
