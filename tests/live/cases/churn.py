# SPDX-License-Identifier: GPL-2.0-only
"""churn: cycles, bytes and faults beside what the program counted; its advice, followed."""
import re
import subprocess

from harness import PAGE, case, cases, check, equal, remaining, spawn, truth
from mappings import found
from snoop import environment, key_values

TUNABLES = re.compile(r"GLIBC_TUNABLES=(glibc\.malloc\.[a-z_.=0-9:]*[0-9])")


def churn(part, n, *args):
    """The row of the function that churns, the run, what the program says."""
    told = found("churn", args, [truth("churn"), part, str(n)])
    equal(told.lost(), {}, "lost")
    rows = told.through(f"do_{part}", "main")
    check(len(rows) <= 1, f"rows of one function: {rows}")
    return rows[0] if rows else None, told.said


def alone(part, n, tunables=None):
    """The program without a tracer: what it says."""
    env = environment()
    if tunables:
        env["GLIBC_TUNABLES"] += ":" + tunables
    process = spawn([truth("churn"), part, str(n)], stdout=subprocess.PIPE, env=env)
    out, _ = process.communicate(timeout=remaining())
    equal(process.returncode, 0, "status")
    return key_values(out.decode())


def pays(before, after):
    check(after["usage"] < before["usage"] / 10, f"{after['usage']} faults instead of "
          f"{before['usage']}")
    check(after["ns"] < 0.8 * before["ns"], f"{after['ns']} ns instead of {before['ns']}")
    return f"{before['usage']} -> {after['usage']} faults, {before['ns'] // 1000} -> " \
        f"{after['ns'] // 1000} us"


@cases("churn/mapped", [("large", 60), ("huge", 40), ("pool", 1000), ("rare", 4)])
def mapped(part, n):
    """Each cycle, each byte and each fault, exactly."""
    row, said = churn(part, n)
    wanted = {"cycles": said["cycles"], "mapped": said["cycles"], "mapped_bytes": said["bytes"],
              "bytes_per_cycle": said["bytes"] // said["cycles"], "faults": said["touched"],
              "released_bytes": 0, "again_bytes": 0, "releases": 0, "mapped_by": "mmap"}
    equal({key: row[key] for key in wanted}, wanted, "the row")
    share = said["touched"] * PAGE / said["bytes"]
    check(abs(row["touched_share"] - share) < 1e-9, f"share {row['touched_share']}, not {share}")
    check(0 < row["lifetime_ns"] < said["ns"], f"life {row['lifetime_ns']}")
    check(0 < row["stall_ns"] < said["ns"], f"stall {row['stall_ns']}")


@case("churn/threads")
def threads():
    """What a thread has given back another one maps, and its call may return first."""
    told = found("churn", ["--no-stacks"], [truth("churn"), "threads", "20000"])
    rows = [r for r in told.rows() if r["process"] == "churn" and r["mapped_by"] == "mmap"]
    cycles = sum(r["cycles"] for r in rows)
    # What libc maps for a thread, and the loader, are among them. An event that was late is not told of
    # what it mapped: one in some 30,000.
    check(told.said["cycles"] * 0.999 <= cycles <= told.said["cycles"] + 8,
          f"{cycles} cycles of {told.said['cycles']}")
    return f"{cycles} cycles of {told.said['cycles']}"


@case("churn/heap")
def heap():
    """The end of the heap, beside what sbrk said of it."""
    row, said = churn("trim", 50)
    equal((row["mapped_by"], row["cycles"], row["bytes_per_cycle"]),
          ("brk", said["cycles"], said["bytes"] // said["cycles"]), "by, cycles, bytes each")
    # the first block may come from what the heap has had before
    check(said["usage"] - 50 <= row["faults"] <= said["usage"], f"{row['faults']} faults of "
          f"{said['usage']}")


@case("churn/advice/heap")
def advice_heap():
    row, _ = churn("trim", 100)
    tunables = TUNABLES.search(row["advice"] or "")
    check(tunables and "trim_threshold" in tunables[1], f"advice: {row['advice']}")
    return pays(alone("trim", 100), alone("trim", 100, tunables[1]))


@cases("churn/advice", [("large", "mmap_threshold"), ("huge", "mmap_max")])
def advice_malloc(part, word):
    row, _ = churn(part, 60)
    tunables = TUNABLES.search(row["advice"] or "")
    check(tunables and word in tunables[1], f"advice: {row['advice']}")
    return pays(alone(part, 60), alone(part, 60, tunables[1]))


@case("churn/advice/pool")
def advice_pool():
    row, _ = churn("pool", 1000)
    check("a pool" in (row["advice"] or ""), f"advice: {row['advice']}")
    check("GLIBC" not in row["advice"], "not malloc's")


@case("churn/advice/madvise")
def advice_madvise():
    """What MADV_DONTNEED takes is touched again; MADV_FREE, as advised, leaves it."""
    row, said = churn("dontneed", 100)
    wanted = {"cycles": 0, "releases": said["cycles"], "released_bytes": said["bytes"],
              "again_bytes": said["bytes"], "faults": said["touched"]}
    equal({key: row[key] for key in wanted}, wanted, "the row")
    check("MADV_FREE" in (row["advice"] or ""), f"advice: {row['advice']}")
    row, _ = churn("free", 100)
    check(not row or not row["advice"], f"advice for what follows it: {row}")
    return pays(alone("dontneed", 100), alone("free", 100))


@cases("churn/no-advice", [("once", 100), ("rare", 4)])
def no_advice(part, n):
    told = found("churn", [], [truth("churn"), part, str(n)])
    equal([r["advice"] for r in told.rows() if r["advice"]], [], "advice")
    equal(len(told.through(f"do_{part}", "main")), part == "rare", "rows of the function")


@case("churn/interval")
def interval():
    """Intervals add up to the whole."""
    told = found("churn", ["-i", "0.1", "--no-stacks"], [truth("churn"), "pool", "3000"])
    check(len(told.objects) >= 3, f"{len(told.objects)} intervals")
    rows = [r for one in told.objects for r in one["rows"]
            if r["process"] == "churn" and r["mapped_by"] == "mmap"]
    faults = sum(r["faults"] for r in rows)
    cycles = sum(r["cycles"] for r in rows)
    # without stacks the loader's own are among them
    check(told.said["cycles"] <= cycles <= told.said["cycles"] + 3, f"{cycles} cycles in all")
    check(told.said["touched"] <= faults <= told.said["touched"] + 40,
          f"{faults} faults for {told.said['touched']} pages")
    equal({r["stack"] is None for r in rows}, {True}, "rows without stacks")
