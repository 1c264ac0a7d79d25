# SPDX-License-Identifier: GPL-2.0-only
"""Threads, forks, execs, reused pids, names of any bytes, tens of thousands of mappings."""
import os

from harness import case, cases, check, equal, settled, truth
from snoop import (Attached, Target, difference, evcount, of_program, sane, snoop,
                   stat, trace)

BOTH = [("stream", []), ("in-kernel", ["--in-kernel"])]
UGLY = {
    "spaces": b" a b ",
    "newline": b"a\nb\tc\rd",
    "quotes": b"\"a'b\\c`$",
    "escape": b"\x1b[31mred\x07",
    "bad-utf-8": b"\xff\xfea\xc3(\xed\xa0\x80",
    "good-utf-8": "pü€".encode(),
    "json": b"\"},{\"a\":",
    "csv": b"=1,2;\"3\"",
    "c1-and-del": b"a\x7f\xc2\x9bb",
}


@cases("threads", BOTH)
@settled
def threads(_, options):
    runs = [stat(["--by", "thread,region,class", *options], [truth("tasks"), "threads", "8", m])
            for m in ("00050", "00000")]
    diff = difference(*(r.table("region", "class") for r in runs))
    # threads that touch a page of the program at the same time both fault, once for nothing
    equal({k: n for k, n in diff.items() if k[1] not in ("spurious", "file")},
          {("anon", "anon"): 400}, "faults by (region, class)")
    got = {tid: n for (tid, region, klass), n in runs[0].table("tid", "region", "class").items()
           if (region, klass) == ("anon", "anon")}
    for key, pages in runs[0].truth.items():
        if key.startswith("tid."):
            # libc's own thread data may be anonymous memory of the thread as well
            check(pages <= got.get(int(key[4:]), 0) <= pages + 4,
                  f"{key}: {got.get(int(key[4:]), 0)} faults for {pages} pages")


@cases("forks-1000", BOTH)
def forks(_, options):
    """1,000 processes that fork and exit, all seen."""
    report, counted = evcount(options, [truth("tasks"), "forks", "1000", "5"])
    rows = [r for r in report.rows() if of_program(r)]
    equal([sum(r[k] for r in rows) for k in ("minor", "major", "faults")],
          [counted[k] for k in ("minor", "major", "page_faults")], "[minor, major, faults]")
    pids = {r["pid"] for r in rows}
    equal(len(pids), 1001, "processes")


@cases("forks-by-region", BOTH)
@settled
def forks_by_region(_, options):
    runs = [stat(["--by", "region,class", *options], [truth("tasks"), "forks", "100", m])
            for m in ("00020", "00000")]
    diff = difference(*(r.table("region", "class") for r in runs))
    # whether a shared page is copied or reused, and who maps a page of the program, depends on who
    # comes first
    equal({k: n for k, n in diff.items() if k[1] not in ("cow", "reuse", "file", "spurious")},
          {("anon", "anon"): 2000}, "faults by (region, class)")


@case("no-follow")
def no_follow():
    runs = [stat(["--by", "region,class", *extra], [truth("tasks"), "forks", "100", "20"])
            for extra in ([], ["--no-follow"])]
    tables = [r.table("region", "class") for r in runs]
    check(tables[0]["anon", "anon"] - tables[1]["anon", "anon"] >= 2000,
          f"the children's faults are still there: {tables}")
    pids = {r["pid"] for r in stat(["--by", "process", "--no-follow"], [
        truth("tasks"), "forks", "20", "5"]).rows()}
    equal(len(pids), 1, "processes with --no-follow")


@cases("exec", [(f"{part}-{mode}", part, options) for part in ("chain", "exec-thread")
                for mode, options in BOTH])
@settled
def execs(_, part, options):
    """A process that executes programs one after another, each with a memory of its own."""
    runs = [stat(["--by", "region,class", *options], [truth("tasks"), part, "00010", m])
            for m in ("00050", "00000")]
    equal(difference(*(r.table("region", "class") for r in runs)), {("anon", "anon"): 500},
          "faults by (region, class)")


@cases("exec/images", BOTH)
def images(_, options):
    """What an image faults while execve loads it is its own, although that is seen before the event
    of the exec: of images of one program none has less than the others, but one at an end."""
    report = stat(["--by", "process", *options], [truth("tasks"), "chain", "00150", "00005"])
    faults = sorted(r["faults"] for r in report.rows())
    check(len(faults) >= 150, f"{len(faults)} images")
    equal(faults[1], faults[len(faults) // 2], f"faults of an image, of {len(faults)}")


@cases("pid-reuse", BOTH)
@settled
def pid_reuse(_, options):
    """The same pid and the same address, once anonymous and once a file, in turn."""
    runs = [stat(["--by", "process,region,class", *options], [truth("tasks"), "reuse", "6", m])
            for m in ("00050", "00000")]
    child = runs[0].truth["child"]
    got = {}
    for report, sign in zip(runs, (1, -1)):
        pid = report.truth["child"]
        table = report.table("process", "region", "class", where=lambda r, p=pid: r["pid"] == p)
        for key, n in table.items():
            got[key] = got.get(key, 0) + sign * n
    # a shared page is copied or reused, as it happens
    got = {k: n for k, n in got.items() if n and k[1] in ("anon", "file")}
    equal(got, {("reuse-anon", "anon", "anon"): 150, ("reuse-file", "file", "cow"): 150},
          f"faults of pid {child} by (process, region, class)")


@cases("names", list(UGLY.items()))
def names(_, ugly):
    """Names of any bytes: JSON and CSV stay valid, text shows no control characters."""
    program = [truth("names"), ugly[:15].hex(), ugly.replace(b"/", b"_").hex(), "30"]
    report = stat(["--by", "process,file,class"], program, steady=False)
    shown = ugly[:15].decode("utf-8", "replace")
    rows = [r for r in report.rows() if r["class"] == "cow" and
            os.path.basename(r["file"]).startswith(ugly.decode("utf-8", "replace")[:3])]
    equal(sum(r["faults"] for r in rows), 30, f"faults of the file {ugly!r} (rows of files: "
          f"{sorted({r['file'] for r in report.rows()})})")
    equal({_clean(r["process"]) for r in rows}, {_clean(shown)}, "process")
    events, _ = trace(["--events", "fault,rename"], program, steady=False)
    check(any(_clean(e.get("comm", "")) == _clean(shown) for e in events),
          "no event has the thread's name")
    for args in (["stat", "--no-calls", "--by", "process,file", "--top", "1000"],
                 ["stat", "--no-calls", "--csv", "--by", "process,file"],
                 ["trace", "--events", "fault,exec,rename"],
                 ["trace", "--csv", "--events", "fault,exec,rename"]):
        result = snoop(*args, "--", *program, steady=False)
        equal(result.status, 0, f"status of {args}")
        text = result.out.decode("utf-8")       # it must be valid
        bad = {c for c in text if ord(c) < 32 and c not in "\n\r" or 127 <= ord(c) < 160}
        equal(bad, set(), f"control characters in {args}")
        check("\r" not in text.replace("\r\n", "\n"), f"bare carriage returns in {args}")


def _clean(text):
    """Replacement of bad bytes differs in their number."""
    return "".join(c for c in text if c != "\ufffd")


@case("names/program")
def program_names():
    """A program whose file name is ugly becomes a comm."""
    ugly = b"a \"b\"\n\xff"
    report = stat(["--by", "process"], [truth("names"), "exec", ugly.hex(), truth("thp")],
                  status=1, steady=False, check_sane=False)
    check(any(r["process"].startswith('a "b"\n') for r in report.rows()),
          f"processes: {[r['process'] for r in report.rows()]}")


@cases("mappings-65530", BOTH)
@settled
def many_mappings(_, options):
    # its tens of thousands of mprotect calls come at once, and may fill the ring of calls
    runs = [stat(["--by", "region,class", *options], [truth("manymaps"), "00000", n], lossy=True,
                 calls=True) for n in ("02000", "00000")]
    equal(difference(*(r.table("region", "class") for r in runs)), {("anon", "anon"): 2000},
          "faults by (region, class)")
    check(runs[0].truth["mappings"] >= 60000, f"only {runs[0].truth['mappings']} mappings")


@case("mappings-65530/each-touched")
@settled
def each_mapping_touched():
    """32,000 regions that are all new; what detail is lost is counted, and totals are exact."""
    runs = [stat(["--by", "region,class"], [truth("manymaps"), "00000", n], lossy=True)
            for n in ("32000", "00000")]
    equal(runs[0].total("minor") - runs[1].total("minor"), 32000, "minor faults in totals")
    lost = sum(runs[0].lost().values())
    got = difference(*(r.table("region", "class") for r in runs)).get(("anon", "anon"), 0)
    check(32000 - lost <= got <= 32000, f"{got} faults in rows, {lost} lost, 32000 made")


@case("mappings-65530/trace")
def trace_many_mappings():
    events, _ = trace(["--events", "fault", "--region", "anon"],
                      [truth("manymaps"), "0", "2000"])
    found = [e for e in events if e["event"] == "fault" and e["region"] == "anon"]
    check(len(found) >= 2000, f"{len(found)} events for 2000 pages")


@case("two-instances")
def two_instances():
    parts = ["anon", "00200", "heap", "00100"]
    with Target(truth("regions"), "wait", *parts) as one, \
            Target(truth("regions"), "wait", *parts) as two:
        args = ["stat", "-j", "--no-calls", "--top", "1000000", "--by", "region,class", "-p"]
        with Attached(*args, str(one.pid)) as a, Attached(*args, str(two.pid)) as b:
            one.finish()
            two.finish()
            tables = [sane(x.report()).table("region", "class") for x in (a, b)]
    for table in tables:
        equal((table["anon", "anon"], table["heap", "anon"]), (200, 100), "(anon, heap)")


@case("flat-out", serial=True, timeout=90)
def flat_out():
    """Every CPU faulting as fast as it can: totals are exact, and nothing is lost."""
    loop = f'for i in $(seq {os.cpu_count()}); do {truth("tasks")} loop 300 1000 & done; wait'
    report, counted = evcount([], ["sh", "-c", loop], check_sane=False)
    rows = [r for r in report.rows() if of_program(r)]
    equal([sum(r[k] for r in rows) for k in ("minor", "faults")],
          [counted["minor"], counted["page_faults"]], "[minor, faults] of the rows")
    sane(report)


@case("small-ring", serial=True)
def small_ring():
    """A ring far too small loses detail and says so; totals stay exact."""
    loop = f'for i in 1 2 3; do {truth("tasks")} loop 100 1000 & done; wait'
    out, counted = evcount(["--ring-size", "64K"], ["sh", "-c", loop], lossy=True)
    lost = sum(out.lost().values())
    rows = sum(r["faults"] for r in out.rows())
    check(out.total("faults") >= counted["page_faults"], f"totals {out.total('faults')} are less "
          f"than the {counted['page_faults']} of the software event")
    check(rows <= out.total("faults") <= rows + lost, f"rows {rows} + lost {lost} do not make "
          f"the {out.total('faults')} of totals")


@case("flat-out/trace-is-valid")
def trace_valid():
    events, _ = trace(["--events", "fault"], [truth("tasks"), "loop", "20", "500"])
    check(len(events) >= 10000, f"{len(events)} events for 10000 pages")
