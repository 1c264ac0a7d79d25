# SPDX-License-Identifier: GPL-2.0-only
"""leaks: what stays, beside what the program has not given back."""
import time

from harness import PAGE, case, cases, check, equal, truth
from mappings import Held, found
from snoop import wait_until

SMALL, LARGE = 64 * PAGE, 512 * PAGE


def leaks():
    return [truth("leaks")]


def compare(told, said):
    """The rows of each function, summed up."""
    names = [key[:-len(".bytes")] for key in said if key.endswith(".bytes")]
    check(len(names) > 5, f"the program said {said}")
    for name in names:
        rows = [r for r in told.through(name) if r["process"] == "leaks"]
        got = tuple(sum(r[k] for r in rows) for k in ("bytes", "mappings", "touched_bytes"))
        equal(got, tuple(said[f"{name}.{k}"] for k in ("bytes", "mappings", "touched")),
              f"(bytes, mappings, touched) of {name}")
        check(len(rows) <= 1 or name == "segments", f"{name} has {len(rows)} rows")


@case("leaks/rows")
def rows_of_functions():
    with Held("leaks", [], leaks()) as held:
        told = held.found()
    compare(told, told.said)
    equal({r["mapped_by"] for r in told.through("heap")}, {"brk"}, "how the heap grew")
    equal({r["mapped_by"] for r in told.through("segments")}, {"shmat"}, "how segments came")
    equal({r["growth_bytes"] for r in told.rows()}, {None}, "growth since no report")
    equal(told.lost(), {}, "lost")


@case("leaks/more")
def more():
    """What is mapped while the program goes on is added."""
    with Held("leaks", [], leaks()) as held:
        held.go_on()
        told = held.found()
    equal(told.said["some_small.mappings"], 7, "the program's own")
    compare(told, told.said)


@case("leaks/at-exit")
def at_exit():
    """What a program has when it ends, it has not given back."""
    told = found("leaks", [], leaks())
    compare(told, told.said)
    for row in told.rows(process="leaks"):
        equal(row["at_exit_bytes"], row["bytes"], f"bytes at the exit, of {row}")


@case("leaks/older")
def older():
    with Held("leaks", ["--older", "400"], leaks()) as held:
        time.sleep(0.6)
        held.go_on()
        told = held.found()
    row, = told.through("some_small")
    equal((row["mappings"], row["bytes"]), (5, 5 * SMALL), "those that are old enough")
    check(400_000_000 <= row["newest_ns"] <= row["oldest_ns"], f"ages in {row}")
    with Held("leaks", ["--older", "60000"], leaks()) as held:
        told = held.found()
    equal(told.rows(), [], "what is a minute old after a second")


@cases("leaks/size", [("min", ["-z", str(LARGE)], {"some_large", "reserve"}),
                      ("max", ["-Z", str(SMALL)], {"some_small", "segments", "creator", "in_part",
                                                   "heap"}),
                      ("both", ["-z", str(SMALL), "-Z", str(100 * PAGE)], {"some_small", "commit"}),
                      ("one", ["-z", str(LARGE), "-Z", str(LARGE)], {"some_large"})])
def size(_, options, wanted):
    with Held("leaks", options, leaks()) as held:
        told = held.found()
    names = [key[:-len(".bytes")] for key in told.said if key.endswith(".bytes")]
    equal({name for name in names if told.through(name)}, wanted, "functions with rows")
    for name in wanted:
        equal(sum(r["bytes"] for r in told.through(name)), told.said[f"{name}.bytes"], name)


@case("leaks/growth")
def growth():
    """With -i: by how much each place has grown since the last report."""
    with Held("leaks", ["-i", "0.3"], leaks()) as held:
        wait_until(lambda: lines(held) >= 2, "two reports have come")
        held.go_on()
        at = lines(held)
        wait_until(lambda: lines(held) >= at + 2, "two more have come")
        told = held.found()
    grown = [r["growth_bytes"] for one in told.objects for r in one["rows"]
             if r["stack"] and "some_small" in r["stack"]]
    # it may have been in the first report, or in the one after it
    check(grown[0] in (None, 5 * SMALL), f"growth at first: {grown}")
    equal(sum(n or 0 for n in grown[1:]), 2 * SMALL, f"growth from then on, of {grown}")
    equal(told.objects[-1]["summary"]["growth_bytes"], 0, "growth at the end")


def lines(held):
    with open(held.out, "rb") as f:
        return f.read().count(b"\n")
