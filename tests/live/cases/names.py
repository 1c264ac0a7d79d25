# SPDX-License-Identifier: GPL-2.0-only
"""Names of frames, where the file that has them is not simply where its path says: deleted, in a
container, of a process that is gone, of another image, made at run time, stripped."""
import collections
import os
import re
import shutil
import signal
import tempfile

import harness
from harness import Skip, case, cases, check, equal, tool, truth
from snoop import Attached, Target, no_errors, run, scratch_file, snoop, wait_until

PAGES = 200
FIRST = ("main", "first_image", "work", "touch")
SECOND = ("main", "second_image", "work", "touch")
FIRST_FIXED = ("main", "first_fixed", "work", "touch")
SECOND_FIXED = ("main", "second_fixed", "work", "touch")


def stacks_of(text, comm=None):
    """{(frame, …): weight} of folded stacks, root first; of one command, or of all."""
    table = collections.Counter()
    for line in text.splitlines():
        frames, _, weight = line.rpartition(" ")
        if ";" in frames and weight.isdigit():      # and not what a program printed
            name, *frames = frames.split(";")
            if comm in (None, name):
                table[tuple(frames)] += int(weight)
    return table


def flame(args, argv, *, comm=None, **options):
    result = snoop("flame", *args, "--", *argv, **options)
    no_errors(result)
    return stacks_of(result.text(), comm), result.errors()


def written(attached, comm=None):
    """What a flame beside other programs has written, once they or it have ended."""
    with open(attached.out, encoding="utf-8") as f:
        return stacks_of(f.read(), comm)


def ended(attached, comm=None):
    no_errors(attached.result(attached.wait()))
    return written(attached, comm)


def leaves(table, chain):
    """Weight of the stacks that end in exactly this chain; * is any frame."""
    return sum(weight for frames, weight in table.items() if len(frames) >= len(chain) and
               all(c in ("*", f) for f, c in zip(frames[-len(chain):], chain)))


def expect(table, chain, pages, words=""):
    equal(leaves(table, chain), pages, f"pages touched by {';'.join(chain)} ({words}); stacks: "
          f"{[(';'.join(f[-6:]), w) for f, w in table.most_common(4)]}")


def directory():
    return tempfile.mkdtemp(prefix="names-", dir=harness.scratch)


def copy(program, where=None, name="program"):
    path = os.path.join(where or directory(), name)
    shutil.copyfile(truth(program), path)
    os.chmod(path, 0o755)
    return path


def child_of(pid):
    """The only child of a process that has one."""
    children = f"/proc/{pid}/task/{pid}/children"

    def read():
        with open(children, encoding="ascii") as f:
            return f.read().split()
    wait_until(read, f"{pid} has a child")
    return int(read()[0])


# ---- files that are not there any more -----------------------------------------------------------

@cases("naming/deleted", ["before", "attached", "replaced"])
def deleted(when):
    """The program is gone, or another has its name, before or after the run begins."""
    program = copy("image-a")
    with Target(program, "wait", "touch", str(PAGES)) as target:
        if when == "before":
            os.unlink(program)
        if when == "replaced":
            os.rename(copy("image-b"), program)
        with Attached("flame", "-U", "-p", str(target.pid)) as attached:
            if when == "attached":
                os.unlink(program)
            target.finish()
            table = ended(attached)
    expect(table, FIRST, PAGES)


@case("naming/deleted/by-itself")
def deleted_by_itself():
    program = copy("image-a")
    table, words = flame(["-U"], [program, "touch", "100", "unlink", program, "touch", "100"])
    expect(table, FIRST, 200, words)


# ---- containers ----------------------------------------------------------------------------------

# Arguments: the directory, one program's name in it, and what that gets. What is in it outside, a
# file system of its own hides.
MOUNTED = 'mount -t tmpfs none "$1/app" && ' \
    'cp "$1"/inside/* "$1/app" && d=$1 && shift && p=$1 && shift && exec "$d/app/$p" "$@"'
CHROOTED = 'mount --rbind / "$1/root" && mount -t tmpfs none "$1/root$1/app" && ' \
    'cp "$1"/inside/* "$1/root$1/app" && d=$1 && shift && p=$1 && shift && ' \
    'exec chroot "$d/root" "$d/app/$p" "$@"'


def container(script, inside, outside):
    """A command that a program's name and arguments follow, by which it runs among other files than
    there are outside. Both: {name: truth program}."""
    base = directory()
    for sub in ("inside", "app", "root"):
        os.mkdir(os.path.join(base, sub))
    for where, files in (("inside", inside), ("app", outside)):
        for name, program in files.items():
            copy(program, os.path.join(base, where), name)
    return [tool("unshare", "util-linux"), "-m", "sh", "-c", script, "sh", base]


CONTAINERS = [("mount", MOUNTED), ("chroot", CHROOTED)]


@cases("naming/container", CONTAINERS)
def contained(_, script):
    """Program and libraries are not those that have their paths outside. The program begins, and loads
    the libraries, when the run has begun."""
    inside = {name: name for name in ("image-a", "stacks", "libstack-a.so", "libstack-b.so")}
    argv = container(script, inside,
                     {"stacks": "image-b", "image-a": "stacks", "libstack-a.so": "libstack-b.so",
                      "libstack-b.so": "libstack-a.so"})
    stacks = os.path.join(argv[-1], "app", "stacks")
    with Target(*argv, "image-a", "wait", "exec", stacks, "plain", "150", "dlopen", "160", "wait",
                "1") as target:
        with Attached("flame", "-U", "-p", str(target.ready)) as attached:
            table = between(target, attached)
            words = attached.result(0).errors()
    expect(table, ("main", "part_plain", "outer", "middle", "inner", "touch"), 150, words)
    for name in ("first_library", "second_library"):
        expect(table, ("part_dlopen", "call_library", name, "inner", "touch"), 160, words)


@cases("naming/container-attached", CONTAINERS)
def contained_attached(_, script):
    argv = container(script, {"program": "image-a"}, {"program": "image-b"})
    with Target(*argv, "program", "wait", "touch", str(PAGES)) as target:
        with Attached("flame", "-U", "-p", str(target.ready)) as attached:
            target.finish()
            table = ended(attached)
    expect(table, FIRST, PAGES)


def code_of(pid):
    """Where a process has executable memory that is of no file."""
    with open(f"/proc/{pid}/maps", encoding="ascii") as f:
        found = [line.split()[0] for line in f if re.match(r"\S+ r-xp \S+ 00:00 0\s*$", line)]
    equal(len(found), 1, "mappings of code that a process has made")
    return [int(n, 16) for n in found[0].split("-")]


@case("naming/container-pids")
def container_pids():
    """A JIT map in the container's own /tmp, under the number that the process has there; another
    that has the number it has here is not its."""
    program = copy("mapexec")
    argv = [tool("unshare", "util-linux"), "-m", "-p", "-f", "--kill-child", "sh", "-c",
            'mount --bind "$1" /tmp && shift && exec "$@"', "sh", os.path.dirname(program),
            "/tmp/program", "-", str(PAGES), "wait"]
    with Target(*argv) as target:
        equal(target.ready, 1, "its number in the container")
        pid = child_of(target.pid)
        start, end = code_of(pid)
        outside = f"/tmp/perf-{pid}.map"
        for path, name in ((os.path.join(f"/proc/{pid}/root", "tmp/perf-1.map"), "right"), (outside, "wrong")):
            with open(path, "w", encoding="ascii") as f:
                f.write(f"{start:x} {end - start:x} {name}\n")
        try:
            with Attached("flame", "-U", "-p", str(pid)) as attached:
                table = between(target, attached)
        finally:
            os.unlink(outside)
    expect(table, ("main", "bad", "right_[j]", "touch"), PAGES)


def between(target, attached):
    """Let a process go on until it waits again, end the run then, and then the process."""
    target.process.stdin.write(b"\n")
    target.process.stdin.flush()
    while not (line := target.process.stdout.readline()).startswith(b"ready="):
        check(line, "the process waits again")
    attached.signal()
    table = ended(attached)
    target.finish()
    return table


# ---- processes that come and go ------------------------------------------------------------------

@case("naming/short-lived/all")
def short_lived_all():
    """Processes that are gone when their names are looked for, among all of the machine."""
    name = f"short{os.getpid()}"
    program = copy("image-a", name=name)
    with Attached("flame", "-U", "-a") as attached:
        for _ in range(20):
            equal(run([program, "touch", "10"]).status, 0, "the program's status")
        attached.signal()
        table = ended(attached, name)
        words = attached.result(0).errors()
    expect(table, FIRST, 200, words)


@case("naming/short-lived/children")
def short_lived_children():
    first, second = copy("image-a"), copy("image-b")
    table, words = flame(["-U"], ["sh", "-c", 'for i in 1 2 3 4 5; do "$1" touch 10; "$2" touch 20; '
                                  'done; exit 0', "sh", first, second])
    expect(table, FIRST, 50, words)
    expect(table, SECOND, 100, words)


@cases("naming/images", [("random", False), ("fixed", True)])
def images(_, steady):
    """Programs that turn into others and start others, at random addresses and at the same."""
    argv = []
    for how, program, pages in (("", "image-a", 10), ("exec", "image-b", 20), ("fork", "image-a", 30),
                                ("exec", "image-a-nopie", 40), ("exec", "image-b-nopie", 50),
                                ("vfork", "image-a-nopie", 60), ("vfork", "image-b", 70),
                                ("spawn", "image-b-nopie", 80), ("spawn", "image-a", 90),
                                ("fork", "image-b", 100), ("exec", "image-b", 110)):
        argv += [how, truth(program), "touch", str(pages)] if how else \
            [truth(program), "touch", str(pages)]
    table, words = flame(["-U"], argv, steady=steady)
    for chain, pages in ((FIRST, 10 + 30 + 90), (SECOND, 20 + 70 + 100 + 110),
                         (FIRST_FIXED, 40 + 60), (SECOND_FIXED, 50 + 80)):
        expect(table, chain, pages, words)
    check(not any("exec" in w for w in words.split()), words)


def switches(pid):
    """How often the task has gone to sleep."""
    with open(f"/proc/{pid}/status", encoding="ascii") as f:
        return int(re.search(r"^voluntary_ctxt_switches:\s*(\d+)", f.read(), flags=re.M)[1])


@cases("naming/late", [("images", False), ("images-fixed", True), ("libraries", False)])
def late(what, steady):
    """The loader is stopped until all is over, and something else is mapped where it was."""
    pages = 10
    if what == "libraries":
        then = ["exec", truth("stacks"), "dlopen", str(pages), "wait", "1"]
        chains = [("part_dlopen", "call_library", name, "inner", "touch")
                  for name in ("first_library", "second_library")]
    else:
        then = [word for name in ("image-a-nopie", "image-b", "image-b-nopie", "image-a")
                for word in ("exec", truth(name), "touch", str(pages))] + ["wait"]
        chains = [FIRST, SECOND, FIRST_FIXED, SECOND_FIXED]
    with Target(truth("image-a"), "wait", *then, steady=steady) as target:
        with Attached("flame", "-U", "-p", str(target.pid)) as attached:
            attached.signal(signal.SIGSTOP)
            target.go_on()
            slept = switches(attached.process.pid)
            attached.signal(signal.SIGCONT)
            wait_until(lambda: switches(attached.process.pid) > slept + 3, "the loader has slept")
            target.finish()
            table = ended(attached)
    for chain in chains:
        expect(table, chain, pages)


# ---- code that is made at run time ---------------------------------------------------------------

def named_jit(argv, pattern, pages):
    """Most pages are touched by a function of that name, and lead to the program's beginning."""
    out = scratch_file("txt")
    # node leaves a log where it is run
    result = snoop("flame", "-U", "-o", out, "--", *argv, steady=False, cwd=directory())
    no_errors(result)
    pid = re.search(r"pid=(\d+)", result.text())
    check(pid, f"{argv[0]} said its pid: {result.text()[-200:]}")
    if os.path.exists(f"/tmp/perf-{pid[1]}.map"):
        os.unlink(f"/tmp/perf-{pid[1]}.map")
    with open(out, encoding="utf-8") as f:
        table = stacks_of(f.read())
    found = sum(w for f, w in table.items() if re.fullmatch(pattern, f[-1]) and
                f[0] in ("_start", "clone3", "__clone", "start_thread"))
    check(found >= pages, f"{found} pages touched by {pattern}: {table.most_common(3)}")


@case("naming/jit/node")
def node():
    code = "function touchPages(b, from, n) { for (let i = from; i < from + n; i++) b[i * 4096] = 1; }" \
        "const b = new Uint8Array(4096 * 10000);" \
        "for (let i = 0; i < 400; i++) touchPages(b, i * 25, 25);" \
        "console.log('pid=' + process.pid);"
    named_jit([tool("node", "nodejs"), "--perf-basic-prof", "-e", code],
              r"JS:[*^]touchPages_.*_\[j\]", 2000)


JAVA = """
public class Touch {
    static void touchPages(sun.misc.Unsafe u, long at, long n) {
        for (long i = 0; i < n; i++)
            u.putByte(at + i * 4096, (byte) 1);
    }
    public static void main(String[] a) throws Exception {
        java.lang.reflect.Field f = sun.misc.Unsafe.class.getDeclaredField("theUnsafe");
        f.setAccessible(true);
        sun.misc.Unsafe u = (sun.misc.Unsafe) f.get(null);
        long at = u.allocateMemory(4096L * 20000);
        for (int i = 0; i < 400; i++)
            touchPages(u, at + 4096L * 50 * i, 50);
        System.out.println("pid=" + ProcessHandle.current().pid());
    }
}
"""


@case("naming/jit/java")
def java():
    javac, where = tool("javac", "default-jdk-headless"), directory()
    with open(os.path.join(where, "Touch.java"), "w", encoding="ascii") as f:
        f.write(JAVA)
    if run([javac, "-nowarn", "-d", where, os.path.join(where, "Touch.java")]).status:
        raise Skip("this java has no sun.misc.Unsafe; that of JDK 17 has")
    argv = [tool("java", "default-jre-headless"), "-XX:+UnlockDiagnosticVMOptions",
            "-XX:+DumpPerfMapAtExit", "-XX:+PreserveFramePointer", "-XX:TieredStopAtLevel=1",
            "-XX:+UseSerialGC", "-Xshare:auto", "-cp", where, "Touch"]
    if run([*argv[:-3], "-version"]).status:
        raise Skip("this java has no -XX:+DumpPerfMapAtExit; JDK 17 and newer have")
    named_jit(argv, r"void_Touch\.touchPages\(.*_\[j\]", 2000)


# ---- debug information ---------------------------------------------------------------------------

@case("naming/debug-file")
def debug_file():
    """A stripped program has the names of the debug file that its build id leads to."""
    objcopy = tool("objcopy", "binutils")
    if not os.path.isdir("/usr/lib/debug"):
        raise Skip("there is no /usr/lib/debug; the package libc6-dbg makes it")
    program, base = copy("image-a"), directory()
    notes = run([tool("readelf", "binutils"), "-n", program]).text()
    build_id = re.search(r"Build ID: ([0-9a-f]+)", notes)
    check(build_id, f"a build id in {notes}")
    debug = os.path.join(base, ".build-id", build_id[1][:2], build_id[1][2:] + ".debug")
    os.makedirs(os.path.dirname(debug))
    equal(run([objcopy, "--only-keep-debug", program, debug]).status, 0, "objcopy")
    equal(run([objcopy, "--strip-all", program]).status, 0, "objcopy")
    table, words = flame(["-U"], [program, "touch", str(PAGES)])
    check(not any("first_image" in f for f in table), f"names of a stripped program ({words})")
    out = scratch_file("pb.gz")
    no_errors(run([tool("unshare", "util-linux"), "-m", "sh", "-c",
                   'mount --bind "$1" /usr/lib/debug && shift && exec "$@"', "sh", base,
                   harness.FAULTSNOOP, "flame", "-U", *LINES, "-o", out, "--", program, "touch",
                   str(PAGES)]))
    expect_lines(out, [TOUCHES, ("touch", "inlined_touch(mem, n)"), ("work", "touch(truth_anon(n), n)")])


@case("naming/inlines")
def inlines():
    table, words = flame(["-U", "--inlines"], [truth("image-a"), "inlined", str(PAGES)])
    expect(table, ("first_image", "not_inlined", "inlined_touch_[i]"), PAGES, words)
    table, words = flame(["-U"], [truth("image-a"), "inlined", str(PAGES)])
    expect(table, ("first_image", "not_inlined"), PAGES, words)


LINES = ["--lines", "--inlines", "--format", "pprof"]


def expect_lines(path, places):
    """Weight of the stacks of a pprof profile that end, leaf first, in functions at places with these
    texts in images.c."""
    traces = run([tool("go", "golang-go"), "tool", "pprof", "-traces", "-lines", path])
    no_errors(traces)
    with open(os.path.join(harness.TRUTH_SOURCE, "images.c"), encoding="utf-8") as f:
        source = ["", *f.read().splitlines()]
    total = 0
    for trace in re.split(r"^-+\+-+$", traces.text(), flags=re.M):
        found = re.match(r"\s*(?:\s*\w+:.*\n)*\s*(\d+)\s+((?:.*\n)+)", trace)
        frames = found[2].splitlines() if found else []
        at = [re.search(r"(\w+) .*images\.c:(\d+)", f) for f in frames[:len(places)]]
        if len(at) == len(places) and all(m and m[1] == name and text in source[int(m[2])]
                                          for m, (name, text) in zip(at, places)):
            total += int(found[1])
    mine = [t for t in traces.text().splitlines() if "images.c" in t]
    equal(total, PAGES, f"pages touched at {places}: {mine[:5]}")


TOUCHES = ("inlined_touch", "[(size_t)i * truth.page] = 1")


@case("naming/lines")
def lines():
    """The line of what touches, and of the calls."""
    out = scratch_file("pb.gz")
    no_errors(snoop("flame", "-U", *LINES, "-o", out, "--", truth("image-a"), "inlined", str(PAGES)))
    expect_lines(out, [TOUCHES, ("not_inlined", "inlined_touch(truth_anon(n), n)"),
                       ("first_image", "not_inlined(truth_number(*argv))")])


# ---- processes that run already ------------------------------------------------------------------

THREADS = ("first_thread", "second_thread")


@cases("naming/attach", [("process", "-p"), ("thread", "-t")])
def attach(_, option):
    with Target(truth("image-a"), "threads", str(PAGES)) as target:
        who = target.pid
        if option == "-t":
            tasks = f"/proc/{target.pid}/task"
            for tid in os.listdir(tasks):
                with open(f"{tasks}/{tid}/comm", encoding="ascii") as f:
                    if f.read() == "second\n":
                        who = tid
        with Attached("flame", "-U", option, str(who)) as attached:
            target.finish()
            table = ended(attached)
    for name in THREADS:
        expect(table, (name, "work", "touch"),
               PAGES if option == "-p" or name == "second_thread" else 0)


@case("naming/attach/forks")
def attach_forks():
    """A child that ends soon, of a process of which nothing was known until then."""
    name = f"forks{os.getpid()}"
    with Target(copy("stacks", name=name), "wait", "1", "fork", str(PAGES), "wait", "1") as target:
        with Attached("flame", "-U", "-n", name) as attached:
            table = between(target, attached)
            words = attached.result(0).errors()
    expect(table, ("main", "part_fork", "outer", "middle", "inner", "touch"), PAGES, words)


@case("naming/attach/name")
def attach_name():
    """Of threads by their name no tables are prepared: stacks are copied until those are there, and
    then no longer, though the process maps nothing more."""
    pages, name = 20000, f"named{os.getpid()}"
    with Target(copy("image-a", name=name), "wait", "slowly", str(pages)) as target:
        with Attached("flame", "-U", "-n", name) as attached:
            target.finish()
            attached.signal()
            table = ended(attached)
            said = attached.result(0).errors()
    expect(table, ("main", "first_image", "slowly", "touch"), pages)
    copied = re.search(r"(\d+) stacks were copied", said)
    check(copied, f"-v tells how many stacks were copied: {said}")
    check(int(copied[1]) < pages / 2, f"{said}")
    return f"{copied[1]} of {pages} copied"
