# SPDX-License-Identifier: GPL-2.0-only
"""touched, churn and leaks in every format, beside stat (--with), with bad arguments, interrupted; of
programs that nobody has made for this."""
import csv
import os
import signal
import subprocess
import time

import harness
from harness import PAGE, case, cases, check, equal, remaining, spawn, tool, truth
from mappings import KINDS, Found, Held, found, sane
from snoop import (Attached, Report, Target, environment, json_lines, key_values, no_errors, run,
                   sane as sane_stat, scratch_file, snoop, wait_until)

POOL = ["pool", "300"]


def pool():
    return [truth("churn"), *POOL]


def of_pool(objects):
    """What each of the analyses has to say of the pool program."""
    by = {one["type"]: Found([one]) for one in objects}
    row, = by["churn"].through("do_pool", "main")
    equal((row["cycles"], row["faults"]), (300, 300 * 32), "(cycles, faults)")
    row, = by["touched"].through("do_pool", "main")
    equal((row["mappings"], row["reserved_bytes"], row["touched_bytes"], row["mapped_now_bytes"]),
          (300, 300 * 64 * PAGE, 300 * 32 * PAGE, 0), "(mappings, reserved, touched, mapped)")
    equal(by["leaks"].through("do_pool", "main"), [], "what stays of what was given back")


def written(*args, program=None, status=0):
    out = scratch_file("out")
    result = snoop(*args, "-o", out, "--", *(program or pool()))
    no_errors(result, status)
    with open(out, encoding="utf-8", newline="") as f:
        text = f.read()
    os.unlink(out)
    return text, result


@case("with/json")
def with_json():
    """stat's document, then one of each analysis, in the order that was asked for."""
    text, result = written("stat", "-j", "--with", "churn,leaks,touched")
    objects = json_lines(text.encode())
    equal([one.get("type", "stat") for one in objects], ["stat", "churn", "leaks", "touched"],
          "documents")
    sane_stat(Report(objects[:1], result.text(), result), whole=False)
    of_pool(objects[1:])


@case("with/interval")
def with_interval():
    text, _ = written("stat", "-j", "-i", "0.1", "--with", "churn", program=[
        truth("churn"), "pool", "2000"])
    objects = json_lines(text.encode())
    equal([one.get("type", "stat") for one in objects], ["stat", "churn"] * (len(objects) // 2),
          "documents")
    check(len(objects) >= 4, f"{len(objects)} documents")
    rows = [r for one in objects[1::2] for r in Found([one]).through("do_pool", "main")]
    equal(sum(r["cycles"] for r in rows), 2000, "cycles of all intervals")


@case("with/csv")
def with_csv():
    text, _ = written("stat", "--csv", "--with", "churn,leaks,touched", "--by", "region")
    for word in ("cycles_per_s", "at_exit_bytes", "never_touched_bytes"):
        equal(sum(word in line for line in text.splitlines()), 1, f"headings with {word}")


@case("with/text")
def with_text():
    text, _ = written("stat", "--with", "churn,leaks,touched")
    for kind in KINDS:
        check(f"\n{kind} (" in text, f"no table of {kind} in: {text[-2000:]}")
    wide = [line for line in text.splitlines() if len(line) > 80 and "GLIBC_TUNABLES" not in line]
    equal(wide, [], "lines of more than 80 columns")


@cases("with/alone-csv", KINDS)
def alone_csv(kind):
    """The same rows as in JSON: each a record, numbers as numbers."""
    text, _ = written(kind, "--csv")
    rows = list(csv.DictReader(text.splitlines(), strict=True))
    objects = json_lines(written(kind, "-j")[0].encode())
    sane(objects[0])
    check(rows and objects[0]["rows"], "no rows")
    equal(list(rows[0]), list(objects[0]["rows"][0]), "columns")
    names = [r for r in rows if r["stack"].endswith("main;do_pool;__mmap") or
             ";main;do_pool" in r["stack"]]
    equal(len(names), kind != "leaks", "rows of the function")
    if kind == "churn":
        equal((names[0]["cycles"], names[0]["faults"]), ("300", str(300 * 32)), "cycles, faults")


@cases("with/alone-text", [("touched", []), ("touched-each", ["--each"]), ("churn", []),
                           ("leaks", [])])
def alone_text(kind, options):
    text, _ = written(kind.partition("-")[0], *options)
    check(text.startswith(kind.partition("-")[0] + " ("), f"the heading: {text[:200]}")
    wide = [line for line in text.splitlines() if len(line) > 80 and "GLIBC_TUNABLES" not in line]
    equal(wide, [], "lines of more than 80 columns")
    check("lost: none" in text, "nothing of losses")
    if kind == "churn":
        check("do_pool" in text and "a pool that keeps the memory" in " ".join(text.split()),
              text[:2000])


@cases("with/usage", [
    ("unknown-analysis", ["stat", "--with", "foo"], "foo"),
    ("no-analysis", ["stat", "--with", ""], "with"),
    ("older", ["leaks", "--older", "x"], "older"),
    ("older-negative", ["leaks", "--older", "-1"], "older"),
    ("sizes", ["leaks", "-z", "1M", "-Z", "1K"], "--min-size"),
    ("size-zero", ["leaks", "-Z", "0"], "max-size"),
    ("each-elsewhere", ["churn", "--each"], "each"),
    ("with-elsewhere", ["leaks", "--with", "churn"], "leaks has no option --with"),
    ("interval-zero", ["touched", "-i", "0"], "interval"),
    ("top-zero", ["churn", "--top", "0"], "top"),
    ("no-program", ["check", "--"], "PROGRAM"),
    ("json-check", ["check", "-j"], "json"),
])
def usage(_, args, word):
    result = snoop(*args)
    equal(result.status, 2, f"status ({result.errors()})")
    equal(len(result.error_lines()), 1, f"lines on stderr: {result.errors()}")
    check(word in result.errors(), f"it said: {result.errors()}")


@cases("with/not-root", [*KINDS, "check", "stat"])
def not_root(command):
    more = ["--with", "churn"] if command == "stat" else []
    argv = [tool("setpriv", "util-linux"), "--reuid", "65534", "--regid", "65534", "--clear-groups",
            harness.FAULTSNOOP, command, *more, "-d", "0.1"]
    copy = scratch_file("faultsnoop")
    argv[argv.index(harness.FAULTSNOOP)] = copy
    with open(harness.FAULTSNOOP, "rb") as f, open(copy, "wb") as g:
        g.write(f.read())
    os.chmod(copy, 0o755)
    result = run(argv)
    equal(result.status, 77, f"status ({result.errors()})")
    check(result.errors(), "no word of why")


@cases("with/head", [("touched", ["--each"]), ("touched-json", ["-j", "--each"]), ("churn", []),
                     ("leaks", ["--csv"]), ("stat", ["--with", "churn,leaks,touched"])])
def head(command, options):
    """A reader that goes away ends it, quietly."""
    command = command.partition("-")[0]
    line = " ".join(["exec 3>&1;", "{", harness.FAULTSNOOP, command, *options, "-i", "0.1", "--",
                     truth("tasks"), "loop", "0", "100", "; echo status=$? >&3; } | head -c 10 "
                     ">/dev/null"])
    result = run(["sh", "-c", line])
    said = key_values(result.text())
    check(said.get("status") in (0, 141), f"status {said}: {result.errors()}")
    # with CSV the sums are there
    lines = [line for line in result.error_lines() if not line.startswith("faultsnoop: leaks in ")]
    equal(lines, [], "on stderr")


@cases("with/interrupted", [("touched", "touched"), ("churn", "churn"), ("leaks", "leaks"),
                            ("stat", "stat --with churn,leaks,touched")])
def interrupted(_, command):
    """Ctrl-C prints what there is."""
    with Held(command, [], [truth("leaks")]) as held:
        objects = json_lines(held.text())
    for one in objects[command.startswith("stat"):]:
        Found([one])
    check(objects[-1]["rows"], "no rows")


# real programs

def redis():
    """A server of our own, on a socket: (its argv, the client's)."""
    server = tool("redis-check-rdb", "redis-tools")
    path = scratch_file("redis")
    os.symlink(server, path)
    socket = path + ".sock"
    named = [tool("bash", "bash"), "-c", 'exec -a redis-server "$0" "$@"', server]
    return [*named, "--port", "0", "--unixsocket", socket, "--save", "", "--appendonly", "no",
            "--daemonize", "no", "--enable-debug-command", "yes"], [tool("redis-cli", "redis-tools"), "-s", socket]


def ask(client, *words):
    done = subprocess.run([*client, *words], capture_output=True, text=True, check=True,
                          env=environment(), timeout=remaining())
    return done.stdout.strip()


@case("with/redis")
def redis_server():
    """Filled, and flushed: what it has mapped is there, and goes."""
    server, client = redis()
    process = spawn(server, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                    env=environment())
    wait_until(lambda: os.path.exists(client[-1]), "redis listens")
    with Attached("stat", "-j", "--with", "touched,churn,leaks", "-p",
                  str(process.pid)) as attached:
        time.sleep(0.3)
        equal(ask(client, "debug", "populate", "100000", "key", "200"), "OK", "redis says")
        held = int(ask(client, "dbsize"))
        equal(ask(client, "flushall"), "OK", "redis says")
        attached.signal(signal.SIGINT)
        no_errors(attached.result(attached.wait()))
        with open(attached.out, "rb") as f:
            objects = json_lines(f.read())
    ask(client, "shutdown", "nosave") if process.poll() is None else None
    equal(held, 100000, "keys")
    equal([one.get("type") for one in objects], [None, "touched", "churn", "leaks"], "documents")
    by = {one["type"]: Found([one]) for one in objects[1:]}
    grown = sum(r["touched_bytes"] for r in by["touched"].rows())
    check(grown > 20 << 20, f"{grown} bytes were touched, for 100,000 values of 200 bytes")
    for row in by["touched"].rows():
        check(row["touched_share"] <= 1, f"a share above 1: {row}")
    check(all(r["oldest_ns"] <= objects[-1]["time_ns"] for r in by["leaks"].rows()),
          "older than the run")


@case("with/python3")
def python3():
    """Lists that are built and dropped: large ones come and go by mmap, one each."""
    lines = "for i in range(25):\n    x = bytearray(40 << 20)\n    x[0] = 1\n    del x\n"
    told = found("churn", [], ["/usr/bin/python3", "-S", "-c", lines])
    rows = [r for r in told.rows() if r["max_cycle_bytes"] >= 40 << 20]
    equal(sum(r["cycles"] for r in rows), 25, "cycles of 40 MiB")
    check(any("mmap_max" in (r["advice"] or "") for r in rows), f"advice {rows}")
    told = found("leaks", ["-z", "32M"], ["/usr/bin/python3", "-S", "-c", lines])
    equal(told.rows(), [], "what stays of 32 MiB and more")
