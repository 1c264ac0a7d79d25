# SPDX-License-Identifier: GPL-2.0-only
"""Formats of stack profiles, as the programs read them that they are for: a fixed profile of
tests/consumers/make_profile.c, which says what is in it."""
import base64
import collections
import glob
import json
import os
import re
import shutil
import subprocess
import sys

import harness
from harness import ROOT, Skip, case, cases, check, equal, remaining, spawn, tool, truth
from snoop import run, scratch_file

sys.path.append(os.path.join(ROOT, "tests", "consumers"))

import perf_script                                                          # noqa: E402
from webdriver import Browser                                               # noqa: E402

MAKE_PROFILE = os.path.join(ROOT, ".output", "consumers", "make_profile")
NPM = os.path.join(ROOT, ".output", "npm")
WEIGHTS = ["faults", "bytes", "stall"]


class Made:
    """A file of the profile, its content, and the totals by weight."""

    def __init__(self, form, weight, kind="plain", *more, suffix="profile"):
        if not os.access(MAKE_PROFILE, os.X_OK):
            raise Skip("make_profile is not built; make test-programs builds it")
        result = run([MAKE_PROFILE, form, weight, kind, *more], steady=False)
        equal(result.status, 0, "make_profile")
        self.data = result.out
        self.path = scratch_file(suffix)
        with open(self.path, "wb") as f:
            f.write(self.data)
        self.totals = {k: int(v) for k, v in (line.split("=") for line in result.error_lines())}
        self.total = self.totals[weight]

    def text(self):
        return self.data.decode("utf-8")


def folded(text):
    """{(comm, root, …, leaf): count}"""
    stacks = {}
    for line in text.split("\n")[:-1]:
        match = re.fullmatch(r"(\S+) (\d+)", line, re.A)
        check(match, f"no folded line: {line[:100]}")
        stack = tuple(match[1].split(";"))
        check(stack not in stacks, f"twice: {line[:100]}")
        stacks[stack] = int(match[2])
    return stacks


def command(argv):
    """Output of a program that succeeds, and what it says on stderr."""
    process = spawn(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                    env={**os.environ, "HOME": harness.scratch, "PPROF_TMPDIR": harness.scratch,
                         "GOTOOLCHAIN": "local"})
    out, err = process.communicate(timeout=remaining())
    equal(process.returncode, 0, f"status of {os.path.basename(argv[0])} ({err.decode()[-300:]})")
    # flamegraph.pl cuts names within characters
    return out.decode("utf-8", "replace"), err.decode("utf-8", "replace")


# flamegraph.pl

@cases("flame-formats/flamegraph.pl", [(f"{kind}-{weight}", kind, weight)
                                       for kind in ("plain", "hostile") for weight in WEIGHTS])
def flamegraph(_, kind, weight):
    script = glob.glob("/usr/share/perl5/Devel/NYTProf/flamegraph.pl") + \
        glob.glob("/usr/lib/*/perl5/Devel/NYTProf/flamegraph.pl")
    if not script:
        raise Skip("flamegraph.pl is not here; the package libdevel-nytprof-perl brings it")
    made = Made("folded", weight, kind)
    equal(sum(folded(made.text()).values()), made.total, "sum of the folded stacks")
    graph, said = command([tool("perl", "perl"), script[0], "--color", "mem", "--hash",
                           "--countname", weight, made.path])
    equal(said, "", "what flamegraph.pl says")
    check(f"all ({made.total:,} {weight}, 100%)" in graph, "not the total that was put in")
    names = len(re.findall(r"<title>", graph))
    check(names > 20, f"only {names} frames")


# perf script's readers

def plain_name(name):
    """A frame of a folded stack as stackcollapse-perf.pl would have it."""
    name = re.sub(r"_\[[kij]\]$", "", name)
    return re.sub(r"\(.*$", "", name) if "(anonymous" not in name else name


@case("flame-formats/perf-script-collapsed")
def script_collapsed():
    for weight in WEIGHTS:
        made = Made("perf-script", weight)
        got = collections.Counter()
        for stack, count in perf_script.collapsed(made.text()).items():
            got[tuple(re.sub(r"_\[i\]$", "", n).replace(" ", "_") for n in stack)] += count
        wanted = collections.Counter()
        for stack, count in folded(Made("folded", weight).text()).items():
            wanted[tuple(plain_name(n) for n in stack)] += count
        equal(sum(got.values()), made.total, f"sum of {weight}")
        # a name of one letter ends in a blank there
        equal({(s[0].rstrip("_"), *s[1:]): n for s, n in got.items()},
              {s: n for s, n in wanted.items()}, f"stacks by {weight}")


@cases("flame-formats/perf-script-readers", ["plain", "hostile"])
def script_readers(kind):
    made = Made("perf-script", "faults", kind)
    strict = list(perf_script.samples(made.text()))
    scope = list(perf_script.speedscope(made.text()))
    fox = list(perf_script.firefox(made.text()))
    equal({len(strict), len(scope), len(fox)}, {made.total}, "samples")
    equal(sum(perf_script.collapsed(made.text(), kernel=True).values()), made.total, "weights")
    for s, (where, frames), (task, lines) in zip(strict, scope, fox):
        equal((where[1], where[2], where[3]), (s.pid, s.tid, "page-faults"), "pid, tid, event")
        equal((task[1], task[2]), (s.pid, s.tid), "pid and tid, to the Firefox Profiler")
        equal(task[3], float(s.time) * 1000, "time")
        equal((len(frames), len(lines)), (len(s.frames), len(s.frames)), "frames")
        equal([k for _, k in lines], [f.object == "[kernel.kallsyms]" for f in s.frames], "kernel")
    if kind == "plain":
        equal({s.comm for s in strict}, {"myapp", "Web Content_1", "a"}, "names of threads")


@case("flame-formats/perf-script-of-perf", serial=True)
def script_of_perf():
    """perf's own text, by the same parsers: they are no stricter than it is."""
    perf, data = tool("perf", "linux-perf"), scratch_file("perf.data")
    recorded = run([perf, "record", "-q", "--sample-cpu", "-e", "page-faults", "-c", "1", "-g",
                    "-o", data, "--", truth("regions"), "heap", "00050"])
    equal(recorded.status, 0, f"perf record ({recorded.errors()[-200:]})")
    printed = run([perf, "script", "-i", data, "-F",
                   "comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso"])
    equal(printed.status, 0, f"perf script ({printed.errors()[-200:]})")
    theirs = list(perf_script.samples(printed.text()))
    check(len(theirs) >= 50, f"only {len(theirs)} samples")
    equal(len(list(perf_script.speedscope(printed.text()))), len(theirs), "for speedscope")
    equal(len(list(perf_script.firefox(printed.text()))), len(theirs), "for Firefox")
    equal(sum(perf_script.collapsed(printed.text()).values()), len(theirs), "collapsed")
    # ours has perf's columns: what stands between the fields is the same
    ours = Made("perf-script", "faults").text().split("\n")[0]
    shape = [re.sub(r"\d", "0", re.sub(r"^\S+ +\d+/\d+ +", "", line))
             for line in (ours, printed.text().split("\n")[0])]
    equal(re.sub(r" +", " ", re.sub(r"0+", "0", shape[0])),
          re.sub(r" +", " ", re.sub(r"0+", "0", shape[1])), "our header beside perf's")


# go tool pprof

def pprof_rows(text):
    """{name: (flat, cum)} of -top, in the unit of the option -unit"""
    rows = {}
    for line in text.split("\n"):
        match = re.fullmatch(r" *([\d.]+)\S* +\S+% +\S+% +([\d.]+)\S* +\S+%  (.*)", line)
        if match:
            rows[match[3]] = (float(match[1]), float(match[2]))
    return rows


PPROF_UNIT = {"faults": "count", "bytes": "B", "stall": "ns"}


def pprof(path, *options):
    return command([tool("go", "golang-go"), "tool", "pprof", *options, path])[0]


@cases("flame-formats/pprof", WEIGHTS)
def pprof_top(weight):
    made = Made("pprof", weight, suffix="pb.gz")
    top = ["-top", "-nodefraction=0", "-nodecount=1000", f"-unit={PPROF_UNIT[weight]}"]
    rows = pprof_rows(pprof(made.path, *top))           # the default sample type
    equal(sum(flat for flat, _ in rows.values()), made.total, "sum of the rows")
    for other in WEIGHTS:
        rows = pprof_rows(pprof(made.path, *top[:-1], f"-unit={PPROF_UNIT[other]}",
                                f"-sample_index={other}"))
        equal(sum(flat for flat, _ in rows.values()), made.totals[other], f"sum of {other}")
    # by function and by label, beside the folded stacks
    stacks = folded(Made("folded", weight).text())
    rows = pprof_rows(pprof(made.path, *top))
    equal(rows["load_table"][1], sum(n for s, n in stacks.items() if "load_table" in s),
          "load_table and below")
    rows = pprof_rows(pprof(made.path, *top, "-tagfocus=region=heap"))
    equal(sum(flat for flat, _ in rows.values()), sum(
        n for s, n in stacks.items() if "[heap]" in (s[-1], s[-2])), "region=heap")
    rows = pprof_rows(pprof(made.path, *top, "-tagfocus=class=cow"))
    equal(set(rows), {"[heap]", "__memcpy_avx_unaligned_erms", "parse_row", "load_table", "main",
                      "_start"}, "functions with class=cow")


@case("flame-formats/pprof-raw")
def pprof_raw():
    made = Made("pprof", "bytes", suffix="pb.gz")
    raw = pprof(made.path, "-raw")
    for wanted in (r"^Comment: myapp --table rows.csv$",
                   r"^faults/count bytes/bytes\[dflt\] stall/nanoseconds$",
                   r"^Duration: 2.5s$", r"^Time: 2023-11-14 22:13:20 ",
                   r"access:\[write\] class:\[cow\] comm:\[myapp\] region:\[heap\] result:\[minor\]",
                   r"0x55d0c0ff200f M=\d+ main src/main.c:17",      # the return address minus one
                   r"0x55d0c0ffee10 M=1 set_one.* src/fill.c:12 .*\n +fill src/fill.c:40",
                   r"^1: 0x55d0c0fed000/0x55d0c0fff000/0x1000 /usr/bin/my app 0123456789abcdef\w* "
                   r"\[FN\]\[FL\]\[LN\]\[IN\]$"):
        check(re.search(wanted, raw, re.M), f"pprof -raw has no {wanted}")
    traces = pprof(made.path, "-traces", "-unit=B")
    equal(sum(int(n) for n in re.findall(r"^ +(\d+)B? ", traces, re.M)), made.total, "-traces")
    hostile = pprof(Made("pprof", "faults", "hostile", suffix="pb.gz").path, "-top")
    check("\x1b" not in hostile, "control characters reach the terminal")


# Chromium: the flame graph, and speedscope

def browser(**options):
    tool("chromium", "chromium")
    tool("chromedriver", "chromium-driver")
    return Browser(spawn, **options)


FIND = "return [...document.querySelectorAll('g.row g')].find(g => g.firstElementChild.textContent" \
    ".split('\\n')[0] === arguments[0]).querySelector('rect')"
TEXT = "return document.getElementById(arguments[0]).textContent"
WIDTH = "return Number(arguments[0].getAttribute('width'))"
SHOWN = "return [...document.querySelectorAll('g.row g')].filter(g => g.style.display !== 'none')" \
    ".map(g => g.firstElementChild.textContent.split('\\n')[0])"


def search(page, text):
    page.keys("control+f")
    page.keys(text)


def graph_of_plain(page):
    made = Made("svg", "bytes", suffix="svg")
    stacks = folded(Made("folded", "bytes").text())
    page.open(made.path)
    equal(page.console(), [], "console")
    inner = page.run("return document.documentElement.clientWidth") - 20
    all_width = page.run(WIDTH, page.run(FIND, "all"))
    check(abs(all_width - inner) < 1, f"the frame of all is {all_width} wide, the window {inner}")

    def share(name):
        return sum(n for s, n in stacks.items() if name in s)

    for name in ("load_table", "parse_row", "[truncated]"):
        width = page.run(WIDTH, page.run(FIND, name))
        check(abs(width - inner * share(name) / made.total) < 1, f"{name} is {width} wide")

    page.hover(page.run(FIND, "parse_row"))
    equal(page.run(TEXT, "details"),
          "parse_row  \u2014  /usr/bin/my app  \u2014  840.0 KiB, 18.95%", "details")
    search(page, "memcpy")
    hit = share("__memcpy_avx_unaligned_erms")
    equal(page.run(TEXT, "matched"), f"matched {hit / 1024:.1f} KiB, {100 * hit / made.total:.2f}%",
          "what the search matched")
    equal(page.run("return document.querySelectorAll('g.hit').length"), 3, "frames highlighted")
    # of nested matches the outer one counts
    page.keys("|main")
    either = sum(n for s, n in stacks.items() if {"__memcpy_avx_unaligned_erms", "main"} & set(s))
    equal(page.run(TEXT, "matched").rsplit(", ", 1)[1], f"{100 * either / made.total:.2f}%",
          "memcpy or main")
    page.keys("(")
    equal(page.run(TEXT, "matched"), "no regular expression", "after an error")
    page.keys("escape")
    equal(page.run(TEXT, "matched"), "", "after the search was cleared")

    before = page.run(SHOWN)
    page.click(page.run(FIND, "parse_row"))
    equal(sorted(page.run(SHOWN)),
          sorted(["all", "myapp", "_start", "main", "load_table", "parse_row", "memset", "[heap]",
                  "[anon]", "__memcpy_avx_unaligned_erms"]), "frames after the zoom")
    check(abs(page.run(WIDTH, page.run(FIND, "parse_row")) - inner) < 1, "zoomed frame is not wide")
    page.keys("escape")
    equal(page.run(SHOWN), before, "frames after the zoom ended")
    # keys: up from the root to the widest child, and into it
    for key in ("up", "up", "up"):
        page.keys(key)
    check(page.run(TEXT, "details").startswith("_start  "), f"keys: {page.run(TEXT, 'details')}")
    page.keys("enter")
    check("Web Content 1" not in page.run(SHOWN), "Enter does not zoom")
    page.run("document.getElementById('reset').click(); document.getElementById('invert').click()")
    tops = page.run("return ['all', 'main'].map(n => [...document.querySelectorAll('g.row g')].find("
                    "g => g.firstElementChild.textContent.split('\\n')[0] === n)"
                    ".getBoundingClientRect().top)")
    check(tops[0] < tops[1], "the root is not at the top when inverted")
    equal(page.console(), [], "console")


def graph_of_hostile(page):
    made = Made("svg", "faults", "hostile", suffix="svg")
    page.open(made.path)
    search(page, ".")
    page.keys("escape")
    equal(page.run("return window.hacked || null"), None, "a name was executed")
    equal(page.run("return document.querySelectorAll('script, img, i, b').length"), 1,
          "elements that names made")
    names = page.run(SHOWN)
    for name in ("</title><script>window.hacked=1</script>", "&amp;&lt;&#x41;", "two\\nlines",
                 "]]><script>window.hacked=1</script>", "ho;st <i>"):
        check(name in names, f"{name} is not shown as it is")
    equal(page.run(FIND + ".parentNode.querySelector('text').textContent",
                   "two\\nlines")[:3], "two", "the label")
    page.hover(page.run(FIND, "]]><script>window.hacked=1</script>"))
    check(page.run(TEXT, "details").startswith("]]><script>window"), "details of a hostile name")
    page.hover(page.run("return [...document.querySelectorAll('g.row g')].find("
                        "g => g.firstElementChild.textContent.startsWith('xxx')).firstElementChild"
                        ".nextElementSibling"))
    room = page.run("return [document.getElementById('details').getComputedTextLength(), "
                    "document.documentElement.clientWidth]")
    check(room[0] < room[1], f"details of a long name are {room[0]} wide")
    equal(page.console(), [], "console")


def graph_of_large(page):
    made = Made("svg", "faults", "large", suffix="svg")
    check(len(made.data) < 4 << 20, f"{len(made.data)} bytes")
    page.open(made.path)
    begun = page.run("return performance.now()")
    page.run("document.querySelectorAll('g.row')[4].firstElementChild.dispatchEvent("
             "new MouseEvent('click', {bubbles: true}))")
    took = page.run("return performance.now()") - begun
    check(took < 3000, f"a zoom takes {took:.0f} ms")
    equal(page.console(), [], "console")


@case("flame-formats/svg-in-chromium", timeout=90)
def svg():
    with browser() as page:
        # the log has what it should have
        page.open(Made("svg", "faults", suffix="svg").path)
        page.run("setTimeout(() => { throw new Error('seen') })")
        page.wait("return true")
        check(any("seen" in line for line in page.console()), "errors of the page are not seen")
        for step in (graph_of_plain, graph_of_hostile, graph_of_large):
            step(page)


def speedscope_page():
    """index.html of its package; npm knows it by its name."""
    page = os.path.join(NPM, "node_modules", "speedscope", "dist", "release", "index.html")
    if not os.path.exists(page) and shutil.which("npm"):
        os.makedirs(NPM, exist_ok=True)
        process = spawn(["npm", "install", "--prefix", NPM, "--no-audit", "--no-fund",
                         "--ignore-scripts", "speedscope@latest"], stdin=subprocess.DEVNULL,
                        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        process.wait(timeout=remaining())
    if not os.path.exists(page):
        raise Skip(f"speedscope is not here; npm install --prefix {NPM} speedscope brings it")
    return page


KEEP_SAVED = "window.saved = []; const url = URL.createObjectURL.bind(URL); " \
    "URL.createObjectURL = blob => { window.saved.push(blob); return url(blob); }; "


def imported(page, index, made, name):
    """What speedscope understood: it saves what it imported. {profile: (unit, {frame: total})}"""
    loader = scratch_file("js")
    data = base64.b64encode(made.data).decode()
    with open(loader, "w", encoding="ascii") as f:
        f.write(f"{KEEP_SAVED} speedscope.loadFileFromBase64({json.dumps(name)}, "
                f"{json.dumps(data)})")
    page.command("url", {"url": "about:blank"})
    page.open(index + "#localProfilePath=" + loader)
    page.wait("return window.saved && document.title !== 'speedscope'")
    page.keys("control+s")
    page.wait("return window.saved.length")
    saved = json.loads(page.command("execute/async", {
        "script": "window.saved[0].text().then(arguments[0])", "args": []}))
    profiles = {}
    for profile in saved["profiles"]:
        totals, opened = collections.Counter(), collections.Counter()
        since = {}
        for event in profile["events"]:
            frame = saved["shared"]["frames"][event["frame"]]["name"]
            if event["type"] == "O":
                since.setdefault((frame, opened[frame]), event["at"])
                opened[frame] += 1
            else:
                opened[frame] -= 1
                begun = since.pop((frame, opened[frame]))
                if not opened[frame]:
                    totals[frame] += event["at"] - begun
        profiles[profile["name"]] = (profile["unit"], profile["endValue"], totals)
    return profiles, saved["profiles"][saved["activeProfileIndex"]]["name"]


@case("flame-formats/speedscope", timeout=120)
def speedscope():
    """Its real importer, in a browser."""
    index = speedscope_page()
    stacks = folded(Made("folded", "bytes").text())
    load_table = sum(n for s, n in stacks.items() if "load_table" in s)
    with browser() as page:
        made = Made("speedscope", "bytes")
        profiles, active = imported(page, index, made, "a.speedscope.json")
        equal(active, "bytes", "the profile that is shown")
        equal({n: (unit, end) for n, (unit, end, _) in profiles.items()},
              {"faults": ("none", made.totals["faults"]), "bytes": ("bytes", made.totals["bytes"]),
               "stall": ("nanoseconds", made.totals["stall"])}, "profiles")
        equal(profiles["bytes"][2]["load_table"], load_table, "load_table and below")
        for form, name in (("folded", "a.txt"), ("pprof", "a.pb.gz")):
            profiles, _ = imported(page, index, Made(form, "bytes"), name)
            (unit, end, totals), = profiles.values()
            equal((unit, end, totals["load_table"]),
                  ("bytes" if form == "pprof" else "none", made.total, load_table), form)
        made = Made("perf-script", "faults")
        profiles, _ = imported(page, index, made, "a.linux-perf.txt")
        equal(sorted(re.sub(r"\s+", " ", n) for n in profiles), [
            "Web Content_1 pid: 2345 tid: 2351", "a pid: 99 tid: 105", "myapp pid: 1234 tid: 1240"],
            "threads of perf script's text")
        made = Made("speedscope", "faults", "hostile")
        profiles, active = imported(page, index, made, "a.speedscope.json")
        equal((active, profiles["faults"][1]), ("faults", made.total), "of hostile names")
