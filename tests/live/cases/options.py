# SPDX-License-Identifier: GPL-2.0-only
"""Each option of stat, trace, features and help."""
import csv
import io
import json
import re

from harness import Skip, case, cases, check, equal, settled, truth
from snoop import (Attached, Report, Target, difference, evcount, json_lines, no_errors, of_program,
                   run, sane, scratch_file, snoop, stat, trace)

PROGRAM = ["anon", "00200", "heap", "00100", "file-private", "00050"]


def regions():
    return [truth("regions"), *PROGRAM]


# stat

@cases("stat-by", ["region", "class", "process", "thread", "mapping", "file", "cgroup",
                   "process,region,class", "class,region", "cgroup,thread,file", "stack",
                   "stack,region,thread"])
def by(keys):
    """Each grouping adds up to the same totals (sane() checks them), with its keys in each row."""
    report = stat(["--by", keys], regions())
    names = keys.split(",")
    for row in report.rows():
        equal([n for n in names if n not in row], [], f"keys that are not in {row}")
    check(report.total("faults") >= 350, "too few faults")


@case("stat-default")
def default_tables():
    """Without --by: totals, regions, classes, processes with their worst region; 80 columns."""
    result = snoop("stat", "--", *regions())
    no_errors(result)
    text = result.text()
    for word in ("heap", "anon", "cow", "regions", "mmap"):
        check(re.search(rf"\b{word}\b", text), f"no {word} in the report")
    wide = [line for line in text.splitlines() if len(line) > 80]
    equal(wide, [], "lines of more than 80 columns")


@case("stat-default/json")
def default_json():
    report = stat([], regions(), whole=False, calls=True)
    one, = report.objects
    for key in ("schema", "duration_ns", "target", "totals", "lost", "rows", "calls"):
        check(key in one, f"no {key} in {sorted(one)}")
    for key in ("faults", "minor", "major", "failed", "fixup", "populated", "user", "kernel",
                "bytes"):
        check(isinstance(one["totals"][key], int), f"totals.{key} is no number")


@case("stat-histograms")
def histograms():
    """log2 histograms of latency: counts that add up, in slots of powers of two."""
    report = stat(["--by", "region"], regions())
    for row in report.rows():
        latency = row["latency_ns"]
        equal(sum(n for _, _, n in latency["log2"]) + row["failed"] >= row["faults"], True,
              f"latencies of {row['region']}: {latency['log2']} for {row['faults']} faults")
        for start, end, _ in latency["log2"]:
            check(start in (0, 1) or end == 2 * start, f"slot {start}..{end}")


@cases("stat-latency", [("stream", []), ("in-kernel", ["--in-kernel"])])
def latency(_, options):
    """No fault takes longer than the program that made it."""
    report = stat(["--by", "process", *options], regions())
    for row in report.rows():
        check(0 < row["latency_ns"]["sum"] < report.objects[0]["duration_ns"],
              f"stall {row['latency_ns']['sum']} of a run of {report.objects[0]['duration_ns']}")


@case("stat-no-latency")
def no_latency():
    report = stat(["--by", "region", "--no-latency"], regions())
    for row in report.rows():
        figures = row.get("latency_ns")
        check(not figures or not figures.get("sum"), f"a latency: {row}")


@case("stat-top")
def top():
    out = scratch_file("json")
    result = snoop("stat", "-j", "--no-calls", "-o", out, "--by", "region,class", "--top", "3",
                   "--", *regions())
    no_errors(result)
    with open(out, "rb") as f:
        report = Report(json_lines(f.read()), "", result)
    equal(len(report.rows()), 3, "rows")
    equal(sum(r["faults"] for r in report.rows()) + report.objects[0]["more"]["faults"],
          report.total("faults"), "faults of the rows and of those left out")


@cases("stat-sort", ["faults", "minor", "major", "failed", "bytes", "p50", "p99", "max", "stall",
                     "kernel", "populated"])
def sort(column):
    report = stat(["--by", "region,class", "--sort", column], regions())
    if column in ("p50", "p99", "max"):
        values = [r["latency_ns"][column] for r in report.rows()]
    elif column == "stall":
        values = [r["latency_ns"]["sum"] for r in report.rows()]
    elif all(column in r for r in report.rows()):
        values = [r[column] for r in report.rows()]
    else:
        return
    equal(values, sorted(values, reverse=True), f"rows sorted by {column}")


@cases("stat-interval", [("stream", []), ("in-kernel", ["--in-kernel"])])
def interval(_, options):
    """Intervals add up to the whole."""
    report, counted = evcount(["-i", "0.05", *options], [truth("tasks"), "loop", "200", "1000"],
                              check_sane=False)
    check(len(report.objects) >= 3, f"{len(report.objects)} intervals")
    rows = [r for r in report.rows() if of_program(r)]
    equal([sum(r[k] for r in rows) for k in ("minor", "major")],
          [counted["minor"], counted["major"]], "[minor, major] of all intervals")
    equal(sum(r["faults"] for r in report.rows()), report.total("faults"), "rows beside totals")
    populated = sum(r.get("populated", 0) for r in rows)
    seen = sum(r["minor"] + r["major"] for r in rows)
    equal(seen + populated, counted["usage_minor"] + counted["usage_major"],
          "seen + populated of all intervals beside getrusage")


@case("stat-duration")
def duration():
    result = snoop("stat", "-a", "-j", "--no-calls", "-d", "0.5")
    no_errors(result)
    one, = json_lines(result.out)
    check(400_000_000 <= one["duration_ns"] <= 3_000_000_000, f"{one['duration_ns']} ns")


@cases("totals-are-those-of-rows", [("stream", []), ("in-kernel", ["--in-kernel"]),
                                    ("no-latency", ["--no-latency"]),
                                    ("minor-events", ["--without", "memcg-events"])])
def totals_of_rows(_, options):
    """Nothing is counted after the end that no row has: calls are attached, too."""
    result = snoop("stat", "-a", "-j", "-d", "0.5", *options)
    no_errors(result)
    one, = json_lines(result.out)
    # The software events may have counted one more than the programs saw (seen once, 1 of some
    # thousands, cause not found): it must be told as missed, and only where such events are used.
    may_miss = "memcg-events" in options
    lost = {k: v for k, v in one["lost"].items() if v and not (may_miss and k == "missed")}
    equal(lost, {}, "lost")
    equal(sum(r["faults"] for r in one["rows"]), one["totals"]["faults"], "faults of the rows")


@case("stat-duration/ends-a-program-run")
def duration_of_program():
    """-d ends the report though the program goes on."""
    out = scratch_file("json")
    with Attached("stat", "-j", "--no-calls", "-d", "0.3", "--", truth("tasks"), "loop", "0", "100",
                  out=out) as run_:
        run_.wait()
        with open(out, "rb") as f:
            one, = json_lines(f.read())
    check(one["totals"]["faults"] > 100, "no faults")


@case("stat-csv")
def stat_csv():
    result = snoop("stat", "--csv", "--no-calls", "--top", "1000", "--by", "region,class",
                   "--", *regions())
    no_errors(result)
    start = result.text().index("region")
    rows = list(csv.DictReader(io.StringIO(result.text()[start:].split("pid=")[0])))
    found = {(r["region"], r["class"]): int(r["faults"]) for r in rows if r.get("class")}
    check(found.get(("anon", "anon"), 0) >= 200, f"rows: {found}")
    check(None not in {k for r in rows for k in r}, "lines of different lengths")


@cases("stat-faults", [("min", "minor"), ("maj", "major")])
def which_faults(option, kind):
    report = stat(["--by", "region,class", "-F", option], [truth("major"), "private", "00100"],
                  check_sane=False)
    equal(sum(r["faults"] - r[kind] for r in report.rows()), 0, f"faults that are not {kind}")
    check(sum(r[kind] for r in report.rows()) >= (100 if kind == "major" else 20), "too few")


@cases("stat-region", [(f"{names}{'-in-kernel' if options else ''}", names, options)
                       for names in ("heap", "anon,file", "thread-stack", "data", "bss,heap")
                       for options in ([], ["--in-kernel"])])
@settled
def region_filter(_, names, options):
    """Only those regions; their counts are not changed by it."""
    program = [*regions(), "thread-stack", "00040", "data", "00030", "bss", "00020"]
    tables = [stat(["--by", "region,class", *options, *extra], program, check_sane=False)
              .table("region", "class") for extra in (["--region", names], [])]
    wanted = {k: n for k, n in tables[1].items() if k[0] in names.split(",")}
    equal(dict(tables[0]), wanted, f"faults by (region, class) with --region {names}")


@cases("stat-timestamps", [("text", []), ("json", ["-j"])])
def timestamps(_, options):
    no_errors(snoop("stat", "--no-calls", "-T", "-i", "0.2", "-d", "0.5", "-a", *options))


# trace

@case("trace/faults")
def trace_faults():
    """An event for each fault, with what the program touched."""
    events, told = trace(["--events", "fault"], [truth("regions"), "anon", "100"])
    found = [e for e in events if e["event"] == "fault" and e["region"] == "anon" and
             e["class"] == "anon"][-100:]
    addresses = [int(e["address"], 16) for e in found]
    equal([b - a for a, b in zip(addresses, addresses[1:])], [4096] * 99,
          "distances of the addresses touched")
    for e in found:
        check(e["access"] == "write" and e["mode"] == "user" and e["result"] == "minor" and
              e["pid"] == told["pid"] and e["tid"] == told["pid"] and e["comm"] == "regions" and
              0 < e["latency_ns"] < 1_000_000_000 and
              int(e["region_start"], 16) <= int(e["address"], 16) < int(e["region_end"], 16),
              f"not as it was: {e}")
    times = [e["time_ns"] for e in found]
    equal(times, sorted(times), "order of time")
    equal({e["ip"] for e in found}.__len__() <= 2, True, "one loop touched them")


@case("trace/beside-events")
def trace_events_counted():
    """As many as the software events counted."""
    out = scratch_file("evcount")
    events, _ = trace(["--events", "fault"],
                      [truth("evcount"), out, truth("regions"), *PROGRAM])
    with open(out, encoding="ascii") as f:
        counted = json.load(f)
    # the counted process, from exec on: its comm is then the program's
    mine = [e for e in events if e["event"] == "fault" and e["pid"] == counted["pid"] and
            e["comm"] == "regions"]
    for kind in ("minor", "major"):
        equal(sum(e["result"] == kind for e in mine), counted[kind], f"{kind} events")


@case("trace/order-and-lives")
def trace_lives():
    events, _ = trace([], [truth("tasks"), "forks", "4", "5"])
    kinds = [e["event"] for e in events]
    equal(kinds.count("exec"), 1, "exec events")
    equal(kinds.count("fork"), 4, "fork events")
    equal(kinds.count("exit"), 5, "exit events")
    born = {e["child_pid"]: e["time_ns"] for e in events if e["event"] == "fork"}
    for e in events:
        if e["event"] == "fault" and e["pid"] in born:
            check(e["time_ns"] + e["latency_ns"] >= born[e["pid"]], f"a fault before birth: {e}")


@case("trace/events")
def trace_events():
    events, _ = trace(["--events", "mmap,munmap"], [truth("calls"), "munmap", "5"])
    kinds = {e["event"] for e in events} - {"summary"}
    equal(kinds, {"mmap", "munmap"}, "events")
    failed = [e for e in events if e["event"] == "munmap" and e["failed"]]
    equal([e["error"] for e in failed], ["EINVAL"] * 5, "errors of munmap of odd addresses")


@cases("trace-faults", [("min", "minor"), ("maj", "major"), ("all", None)])
def trace_which(option, kind):
    events, _ = trace(["--events", "fault", "-F", option], [truth("major"), "private", "50"])
    results = [e["result"] for e in events if e["event"] == "fault"]
    if kind:
        equal(set(results), {kind}, "results")
    equal(results.count("major") >= 50, kind != "minor", "major faults among them")
    equal(results.count("minor") >= 20, kind != "major", "minor faults among them")


@case("trace/region")
def trace_region():
    events, _ = trace(["--events", "fault", "--region", "heap,data"],
                      [truth("regions"), "heap", "60", "anon", "60", "data", "40"])
    found = [e["region"] for e in events if e["event"] == "fault"]
    equal(set(found), {"heap", "data"}, "regions")
    check(found.count("heap") >= 60 and found.count("data") >= 40, "too few")


@case("trace/min-latency")
def trace_min_latency():
    events, _ = trace(["--events", "fault", "--min-latency", "3000"],
                      [truth("uffd"), "10", "4000"])
    found = [e for e in events if e["event"] == "fault"]
    check(all(e["latency_ns"] >= 3_000_000 for e in found), "faster faults")
    check(sum(e["class"] == "uffd" for e in found) >= 10, "slow ones are missing")


@case("trace/failed")
def trace_failed():
    events, _ = trace(["-x"], [truth("fixup"), "segv-read", "12"])
    found = [e for e in events if e["event"] == "fault"]
    equal({(e["result"], e["class"], e["region"]) for e in found}, {("failed", "segv", "none")},
          "faults")
    equal(len(found), 12, "failed faults")
    events, _ = trace(["-x", "--events", "calls"], [truth("calls"), "mmap", "6"])
    calls = [e for e in events if e["event"] == "mmap"]
    check(len(calls) >= 12 and all(e["failed"] for e in calls), f"failed mmaps: {len(calls)}")


@case("trace/max-events")
def trace_max_events():
    result = snoop("trace", "-j", "--events", "fault", "--max-events", "7", "--",
                   truth("regions"), "anon", "100")
    lines = [e for e in result.out.splitlines() if e.startswith(b'{"event')]
    lines = [e for e in lines if json.loads(e)["event"] not in ("lost", "summary")]
    equal(len(lines), 7, "events")


@case("trace/timestamps")
def trace_timestamps():
    events, _ = trace(["-T", "--events", "fault"], [truth("regions"), "anon", "10"])
    check(all("wall_ns" in e for e in events if e["event"] == "fault"), "no wall_ns")
    text = snoop("trace", "-T", "--events", "fault", "--", truth("regions"), "anon", "10").text()
    check(re.search(r"^\s*\d\d:\d\d:\d\d", text, re.M), "no time of day in text")


@case("trace/text")
def trace_text():
    """Calls as strace prints them, faults with region, class and owner."""
    text = snoop("trace", "--", truth("calls"), "munmap", "3").text()
    for pattern in (r"mmap\(.*PROT_READ\|PROT_WRITE.*MAP_PRIVATE\|MAP_ANONYMOUS",
                    r"munmap\(0x[0-9a-f]+, .*\).*= -1 EINVAL", r"brk\(", r"libc\.so",
                    r"\banon\b", r"\bcow\b", r"\bdata\b"):
        check(re.search(pattern, text), f"nothing like {pattern}")


@case("trace/csv")
def trace_csv():
    out = scratch_file("csv")
    no_errors(snoop("trace", "--csv", "-o", out, "--", *regions()))
    with open(out, encoding="utf-8", newline="") as f:
        rows = list(csv.DictReader(f))
    found = [r for r in rows if r["event"] == "fault" and r["region"] == "anon"]
    check(len(found) >= 200, f"{len(found)} faults of 200")
    check(None not in {k for r in rows for k in r}, "lines of different lengths")


@case("trace/stat-agrees", serial=True)
@settled
def trace_stat_agree():
    """Both count the same run of a program alike, by region and class."""
    events, _ = trace(["--events", "fault"], regions())
    table = stat(["--by", "region,class"], regions()).table("region", "class")
    counted = {}
    for e in events:
        if e["event"] == "fault" and e["class"] != "fixup":
            key = e["region"], e["class"]
            counted[key] = counted.get(key, 0) + 1
    equal(difference(counted, table), {}, "faults of trace less those of stat")


@case("trace/streams")
def trace_streams():
    """Events come out while the trace goes on."""
    with Target(truth("tasks"), "loop", "0", "50") as target:
        with Attached("trace", "-j", "--events", "fault", "-p", str(target.pid)) as run_:
            from snoop import wait_until        # pylint: disable=import-outside-toplevel
            wait_until(lambda: len(run_.lines()) > 1000, "1000 events were written")
            equal(run_.end(), 0, "status")
        for line in run_.lines():
            json.loads(line)


# features, help

def features():
    result = snoop("features", "-j")
    no_errors(result)
    document = json.loads(result.out)
    rows = document["features"] if isinstance(document, dict) else document
    return rows


@case("features/json")
def features_json():
    rows = features()
    check(len(rows) >= 3, f"{len(rows)} features")
    for row in rows:
        check("name" in row, f"a feature without a name: {row}")


@case("features/text")
def features_text():
    result = snoop("features")
    no_errors(result)
    for row in features():
        check(row["name"] in result.text(), f"{row['name']} is not in the text")


@case("features/without-each", timeout=180)
def without_each():
    """Without a feature it counts the same, or says with status 77 that it cannot do without."""
    program = [truth("regions"), "anon", "00100", "file-private", "00050"]
    for row in features():
        name = row["name"]
        out = scratch_file("json")
        counts = scratch_file("evcount")
        result = snoop("stat", "-j", "--top", "1000", "--by", "process", "--without", name, "-o",
                       out, "--", truth("evcount"), counts, *program)
        if result.status == 77:
            check(result.errors(), f"--without {name}: status 77 without a word")
            continue
        equal(result.status, 0, f"--without {name}: status ({result.errors()})")
        with open(out, "rb") as f, open(counts, encoding="ascii") as c:
            report, counted = Report(json_lines(f.read()), "", result), json.load(c)
        rows = [r for r in report.rows() if of_program(r)]
        if name == "lifetimes":
            continue  # where exec is not told, faults before and after it have one row
        equal([sum(r[k] for r in rows) for k in ("minor", "major")],
              [counted["minor"], counted["major"]], f"--without {name}: [minor, major]")


@cases("help", [("option", ["--help"]), ("command", ["help"]), ("stat", ["stat", "--help"]),
                ("trace", ["trace", "-h"]), ("features", ["features", "--help"]),
                ("help-stat", ["help", "stat"])])
def help_text(_, args):
    result = snoop(*args)
    equal((result.status, result.errors()), (0, ""), "(status, stderr)")
    check("Usage" in result.text() or "usage" in result.text(), "no usage")
    equal([line for line in result.text().splitlines() if len(line) > 100], [], "long lines")


@case("help/man")
def man_page():
    result = snoop("help", "--man")
    equal(result.status, 0, "status")
    check(re.search(r"^\.TH ", result.text(), re.M), "no .TH")
    for word in ("--in-kernel", "--min-latency", "EXIT STATUS"):
        check(word in result.text().replace("\\-", "-"), f"no {word}")


@case("help/completion")
def completion():
    """bash takes it, and it completes."""
    out = scratch_file("bash")
    with open(out, "wb") as f:
        f.write(snoop("help", "--completion").out)
    script = f"""source {out}; spec=$(complete -p faultsnoop) || exit 1
        fn=${{spec##*-F }}; fn=${{fn%% *}}
        try() {{ COMP_WORDS=(faultsnoop "$@"); COMP_CWORD=$#; COMPREPLY=()
                COMP_LINE="${{COMP_WORDS[*]}}" COMP_POINT=${{#COMP_LINE}}
                $fn faultsnoop "${{!#}}" "${{@: -2:1}}"; echo "${{COMPREPLY[*]}}"; }}
        try st; try stat --in; try trace --reg"""
    result = run(["bash", "-c", script])
    equal(result.status, 0, f"status ({result.errors()})")
    lines = result.text().splitlines()
    check("stat" in lines[0] and "--in-kernel" in lines[1] and "--region" in lines[2],
          f"completions: {lines}")


@case("verbose")
def verbose():
    """-v speaks on stderr only; without it there is nothing to say."""
    quiet = snoop("stat", "-j", "--no-calls", "-o", scratch_file("j"), "--",
                  truth("regions"), "anon", "10")
    equal(quiet.errors(), "", "stderr without -v")
    loud = snoop("stat", "-j", "--no-calls", "-v", "-o", scratch_file("j"), "--", truth("regions"),
                 "anon", "10")
    check("attached" in loud.errors(), f"stderr with -v: {loud.errors()}")


@case("schema-is-there")
def schemas():
    from snoop import schema                    # pylint: disable=import-outside-toplevel
    for name in ("stat", "trace"):
        if schema(name) is None:
            raise Skip("no jsonschema to check with; the package python3-jsonschema brings it")


@case("stat-same-run-twice", serial=True)
@settled
def repeatable():
    """The same program, twice, without randomisation: the same table."""
    tables = [sane(stat(["--by", "region,class"], regions())).table("region", "class")
              for _ in range(2)]
    equal(difference(*tables), {}, "first less second run")
