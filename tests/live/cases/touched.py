# SPDX-License-Identifier: GPL-2.0-only
"""touched: what was mapped, touched, given back and touched again; held against what the program did and
against /proc/PID/smaps."""
import re
import signal
import time

from harness import PAGE, Skip, case, cases, check, equal, settled, tool, truth
from mappings import Found, Held, found, smaps
from snoop import Attached, Target, json_lines, no_errors, snoop

EACH = ["--each", "--no-stacks", "-i", "100"]
COLUMNS = {"reserved": "reserved_bytes", "touched": "touched_bytes", "again": "again_bytes",
           "populated": "populated_bytes", "released": "released_bytes",
           "unmapped": "unmapped_bytes", "never": "never_touched_bytes",
           "mapped": "mapped_now_bytes", "anon": "anonymous_bytes", "zero": "zero_page_faults",
           "inherited": "inherited_bytes"}

PYTHON = ["/usr/bin/python3", "-S", "-c", """
import os, sys
if len(sys.argv) > 1:
    print("ready=0", flush=True)
    sys.stdin.readline()
keep = [bytes(1000 * i) for i in range(200)]
drop = [bytearray(300000) for i in range(50)]
text = "".join(str(i) for i in range(100000))
del drop
big = bytearray(40 << 20)
del big
print("ready=%d" % os.getpid(), flush=True)
sys.stdin.readline()
"""]
SQL = b"""CREATE TABLE t (a INTEGER PRIMARY KEY, b TEXT);
WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 30000)
INSERT INTO t SELECT i, hex(randomblob(20)) FROM n;
CREATE INDEX u ON t (b);
DELETE FROM t WHERE a % 3;
SELECT count(*) FROM t ORDER BY b;
.shell echo ready=1
"""


def of(said, name):
    """What a program did with a mapping, in pages."""
    return {figure: said.get(f"{name}.{figure}", 0) for figure in COLUMNS}


def in_pages(row):
    return {figure: row[column] // (1 if figure == "zero" else PAGE)
            for figure, column in COLUMNS.items()}


def compare(told):
    """Each mapping of the truth program has a row that says what was done with it."""
    said = told.said
    names = [key[:-len(".start")] for key in said if key.endswith(".start")]
    check(names, f"the program said nothing: {said}")
    for name in names:
        pid = said["child"] if name.startswith("child.") else said["ready"]
        rows = [in_pages(r) for r in told.rows(pid=pid, start=said[f"{name}.start"])]
        check(of(said, name) in rows, f"{name}: the program did {of(said, name)}; rows of its "
              f"address: {rows}")
    return names


def measured(*pids):
    """What smaps says of processes that wait: (anonymous or swapped, mapped) bytes."""
    return {pid: (smaps(pid, "Anonymous", "Swap"), smaps(pid, "Size")) for pid in pids}


def same(told, smaps_of):
    for pid, wanted in smaps_of.items():
        rows = told.rows(pid=pid)
        equal((sum(r["anonymous_bytes"] for r in rows), sum(r["mapped_now_bytes"] for r in rows)),
              wanted, f"(anonymous, mapped) bytes of process {pid}, summed up, beside smaps")


@case("touched/each")
def each():
    with Held("touched", EACH, [truth("touched")]) as held:
        kernel = measured(held.pid, held.said["child"])
        told = held.found()
    names = compare(told)
    same(told, kernel)
    equal(told.lost(), {}, "lost")
    return f"{len(names)} mappings"


@case("touched/each-many")
def each_many():
    """More mappings that have ended than there are rows for: the sums have them, and that is said."""
    result = snoop("touched", "--each", "--no-stacks", "--top", "1", "--", truth("churn"), "threads", "60000")
    no_errors(result, 0)
    text = " ".join(result.text().split())
    mappings = int(re.search(r"mappings ([\d,]+)", text)[1].replace(",", ""))
    unlisted = re.search(r"no room for rows of ([\d,]+) mappings that have ended", text)
    check(mappings >= 120000 and unlisted, f"it said: {text[-400:]}")
    # the others live, or have rows
    rest = mappings - int(unlisted[1].replace(",", ""))
    check(100000 <= rest < 100100, f"{mappings} mappings, {unlisted[1]} without a row")


@case("touched/in-order")
def in_order():
    """The share is of first touches: what is touched again, here three times, is none."""
    told = found("touched", [], [truth("churn"), "dontneed", "3"])
    row, = told.through("do_dontneed", "main")
    equal((row["faults"], row["in_order_share"]), (4 * 256, 255 / 256), "faults, share in order")


@case("touched/thp")
def thp():
    with Held("touched", EACH, [truth("touched"), "thp"]) as held:
        kernel, huge = measured(held.pid), smaps(held.pid, "AnonHugePages")
        told = held.found()
    same(told, kernel)
    if huge != 4 << 20:
        raise Skip(f"{huge} bytes of huge pages: the kernel had or wanted none")
    compare(told)


@cases("touched/smaps", [("python3", [*PYTHON], b""),
                         ("sqlite3", ["sh", "-c", 'echo ready=0; exec sqlite3 :memory:'], SQL)])
@settled
def programs(name, program, script):
    """Programs that nobody has made for this: to the page."""
    tool(name, name)
    with Held("touched", EACH, program) as held:
        if script:
            held.process.stdin.write(script)
            held.process.stdin.flush()
            held.wait_ready()
            time.sleep(0.3)             # a child has said so: sqlite3 waits for it and goes on to read
        kernel = measured(held.pid)
        told = held.found()
    same(told, kernel)
    check(kernel[held.pid][0] > 1 << 20, f"{name} has only {kernel} bytes")


@case("touched/attached/idle")
def attached_idle():
    """What was there before comes from pagemap."""
    with Target(truth("touched"), say=True) as target:
        with Attached("touched", "-j", *EACH, "-p", str(target.pid)) as attached:
            kernel = measured(target.pid)
            time.sleep(0.3)
            told = ended(attached)
    same(told, kernel)
    equal(sum(r["anonymous_before_bytes"] for r in told.rows(pid=target.pid)),
          kernel[target.pid][0], "anonymous bytes before")
    equal({r["mapped_by"] for r in told.rows()}, {"(before)"}, "how they were mapped")


def ended(attached):
    attached.signal(signal.SIGINT)
    no_errors(attached.result(attached.wait()))
    with open(attached.out, "rb") as f:
        return Found(json_lines(f.read()))


@cases("touched/attached", [("waiting", True), ("running", False)])
@settled
def attached_later(_, waits):
    """What a process does from there on is added to what was there before. Running: it does not wait
    for the tracer."""
    with Target(*PYTHON, "wait" if waits else "run") as target:
        if not waits:
            target.process.stdin.write(b"\n")
            target.process.stdin.flush()
        with Attached("touched", "-j", *EACH, "-p", str(target.pid)) as attached:
            if waits:
                target.process.stdin.write(b"\n")
                target.process.stdin.flush()
            target.wait_ready()
            kernel = measured(target.pid)
            told = ended(attached)
    same(told, kernel)
    check(any(r["before_bytes"] for r in told.rows()), "nothing was there before")
    if waits:
        check(any(r["touched_bytes"] for r in told.rows(mapped_by="mmap")), "nothing was touched")


@case("touched/stacks")
def stacks():
    """By who mapped it: what one function has mapped in a row of its own, with the calls that led there."""
    told = found("touched", [], [truth("touched")])
    row, = told.through("many_small", "main")
    equal((row["mappings"], row["reserved_bytes"], row["touched_bytes"], row["faults"],
           row["never_touched_bytes"], row["mapped_by"]),
          (20 * 2, 2 * 20 * 4 * PAGE, 20 * 3 * PAGE, 60, 2 * 20 * PAGE, "mmap"),
          "mappings, reserved, touched, faults, never, by")
    equal(row["stack"][-1], "_start", "the root")
    rows = told.through("map_pages", "do_plain", "main")
    equal(sum(r["reserved_bytes"] for r in rows) // PAGE, 2 * (3 * 64 + 2 * 32),
          "pages that map_pages mapped for do_plain, the child's copies with them")
    compared = {r["mapped_by"] for r in told.rows(process="touched")}
    check({"mmap", "brk", "mremap", "shmat", "execve"} <= compared, f"mapped by {compared}")
