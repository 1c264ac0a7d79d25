# SPDX-License-Identifier: GPL-2.0-only
"""Registers, runs and reports cases; finds the program; builds the truth programs."""
import argparse
import concurrent.futures
import ctypes
import fnmatch
import functools
import glob
import importlib
import mmap
import os
import platform
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import threading
import time
import traceback

HERE = os.path.dirname(os.path.abspath(__file__))
ROOT = os.path.dirname(os.path.dirname(HERE))
TRUTH_SOURCE = os.path.join(ROOT, "tests", "truth")
TRUTH = os.path.join(ROOT, ".output", "truth")
FAULTSNOOP = os.path.abspath(os.environ.get("FAULTSNOOP") or os.path.join(ROOT, "faultsnoop"))
CFLAGS = ["-O1", "-g", "-std=gnu11", "-Wall", "-Wextra", "-Werror",
          # these programs say themselves which pages of a stack they touch
          "-fno-stack-clash-protection",
          # a function that is first called between two countings is bound there, with faults
          "-Wl,-z,now"]
CC = os.environ.get("CC") or "gcc"
# for 32-bit programs; the directory is what gcc-multilib links to
CC32 = os.environ.get("CC32") or CC + " -m32 -isystem /usr/include/x86_64-linux-gnu"
PAGE = os.sysconf("SC_PAGESIZE")
TIMEOUT_S = 60
# A machine of tests/vm: slower, and one where tests may do as they like
VM = bool(os.environ.get("FAULTSNOOP_VM"))

# A directory on the disk, for the run; set by main().
scratch = None


class Fail(AssertionError):
    """The program under test did not do what it should."""


class Skip(Exception):
    """This machine cannot run the case; the text says why and what would."""


class Case:
    def __init__(self, name, run, serial, timeout):
        self.name, self.run, self.serial, self.timeout = name, run, serial, timeout


_cases = []


def case(name, *, serial=False, timeout=TIMEOUT_S):
    """Register a function as a case. Serial ones run alone, when the others are done. What it
    returns, if that is text, is printed with -v."""
    def register(function):
        _cases.append(Case(name, function, serial, timeout))
        return function
    return register


def cases(prefix, parameters, *, serial=False, timeout=TIMEOUT_S):
    """Register one case for each parameter (a name, or a tuple that begins with it)."""
    def register(function):
        for parameter in parameters:
            args = parameter if isinstance(parameter, tuple) else (parameter,)
            _cases.append(Case(f"{prefix}/{args[0]}", lambda a=args: function(*a), serial,
                               timeout))
        return function
    return register


def check(condition, why):
    if not condition:
        raise Fail(why)


def settled(function):
    """Try three times: for cases that compare two runs in every detail, which other processes can
    disturb. Two that fault on the same page of libc at the same time contend for its lock, and
    one of the faults is then major. What the program does wrong, it does each time."""
    @functools.wraps(function)
    def attempts(*args, **options):
        for left in (2, 1, 0):
            try:
                return function(*args, **options)
            except Fail:
                if not left:
                    raise
    return attempts


def equal(got, wanted, what):
    if got != wanted:
        raise Fail(f"{what}: got {got}, should be {wanted}")


class Running:
    """The case that a thread runs: when its time is over, and the processes that it started."""

    def __init__(self, timeout):
        self.end = time.monotonic() + timeout
        self.processes = []
        # Whatever still blocks then, on a pipe or on a process, does not any more.
        self.watchdog = threading.Timer(timeout + 5, self.kill)
        self.watchdog.daemon = True
        self.watchdog.start()

    def kill(self):
        """End what is left. Each process leads a session of its own, so its group is ours too."""
        for process in list(self.processes):
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)

    def finish(self):
        self.watchdog.cancel()
        self.kill()
        for process in self.processes:
            process.wait()


_thread = threading.local()


def remaining():
    """Seconds that the case has left: whatever it waits for ends by then."""
    return max(0.1, _thread.running.end - time.monotonic())


def spawn(argv, **options):
    """A process of the case; it does not outlive it."""
    process = subprocess.Popen(argv, start_new_session=True, **options)
    _thread.running.processes.append(process)
    return process


def tool(name, package):
    path = shutil.which(name)
    if not path:
        raise Skip(f"{name} is not installed; the package {package} brings it")
    return path


# Building

def page_cached_copy(source, target):
    """Write a file page by page, so that the page cache holds single pages of it: newer kernels
    map a large folio whole at one fault, and how large they are depends on how it was written."""
    with open(source, "rb") as src, open(target, "wb", buffering=0) as dst:
        while block := src.read(4096):
            dst.write(block)
        # A page that is being written to the disk is locked, and a fault on it counts as major.
        os.fsync(dst.fileno())
    os.chmod(target, 0o755)


def m32():
    """Can 32-bit programs be built, and run where they are built for this machine?"""
    with tempfile.TemporaryDirectory() as work:
        source = os.path.join(work, "m32.c")
        with open(source, "w", encoding="ascii") as f:
            f.write("#include <stdio.h>\nint main(void) { return 0; }\n")
        program = os.path.join(work, "m32")
        built = shutil.which(CC32.split()[0]) and \
            subprocess.run([*CC32.split(), "-o", program, source], capture_output=True,
                           check=False).returncode == 0
        if "CC32" in os.environ and not built:
            raise SystemExit(f"{CC32} makes no program")
        return built and ("CC32" in os.environ or
                          subprocess.run([program], check=False).returncode == 0)


def recipes():
    """(compiler, source, flags, output name) from the "build:" lines in the sources' first comments."""
    with_32 = m32()
    for name in sorted(os.listdir(TRUTH_SOURCE)):
        if not name.endswith(".c"):
            continue
        source = os.path.join(TRUTH_SOURCE, name)
        with open(source, encoding="utf-8") as f:
            text = f.read()
        for kind, flags in re.findall(r"^ \* (build(?:32)?): (.*)$", text, re.M):
            if kind == "build32" and not with_32:
                continue
            flags = flags.split()
            at = flags.index("-o")
            yield CC32 if kind == "build32" else CC, source, flags[:at] + flags[at + 2:], \
                flags[at + 1]


def build_one(recipe, directory):
    compiler, source, flags, name = recipe
    headers = glob.glob(os.path.join(TRUTH_SOURCE, "*.h"))
    newest = max(os.path.getmtime(p) for p in (source, *headers))
    built = os.path.join(directory, f"{name}.built")
    if not os.path.exists(built) or os.path.getmtime(built) < newest:
        subprocess.run([*compiler.split(), *CFLAGS, *flags, "-o", built, source], check=True)


def build_truth(directory):
    """Compiles the truth programs, with CC, to NAME.built."""
    os.makedirs(directory, exist_ok=True)
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        list(pool.map(lambda recipe: build_one(recipe, directory), recipes()))


def cache_truth():
    """Puts the truth programs where truth() finds them, their pages in the page cache."""
    for name in os.listdir(TRUTH):
        if name.endswith(".built"):
            built = os.path.join(TRUTH, name)
            output = built[:-len(".built")]
            page_cached_copy(built, output + ".new")
            os.rename(output + ".new", output)
            keep_cached(output)


def keep_cached(path):
    """Lock a file's pages, as long as the tests run: where much else is read and written meanwhile, the
    kernel gives up pages between two runs that should differ in nothing."""
    libc = ctypes.CDLL(None, use_errno=True)
    libc.mmap.restype = ctypes.c_void_p
    libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int, ctypes.c_int, ctypes.c_int,
                          ctypes.c_long]
    libc.mlock.argtypes = [ctypes.c_void_p, ctypes.c_size_t]
    with open(path, "rb") as f:
        size = os.fstat(f.fileno()).st_size
        at = libc.mmap(None, size, mmap.PROT_READ, mmap.MAP_SHARED, f.fileno(), 0)
        if at not in (None, ctypes.c_void_p(-1).value):
            libc.mlock(at, size)        # beyond the limit it stays as it was before


def truth(name):
    """Path of a truth program."""
    path = os.path.join(TRUTH, name)
    if not os.path.exists(path):
        raise Skip(f"{name} is not built; gcc-multilib builds it")
    return path


# Running

_print = threading.Lock()


class Outcome:
    def __init__(self):
        self.passed = self.failed = self.skipped = 0

    def add(self, word, name, why=""):
        with _print:
            print(f"{word} {name}" + (f": {why.strip()}" if why else ""), flush=True)
        if word == "PASS":
            self.passed += 1
        elif word == "FAIL":
            self.failed += 1
        else:
            self.skipped += 1


def run_case(one, outcome, verbose):
    """In a VM what fails is tried again, and said: the emulation's CPUs stop at any instruction for
    as long as the machine below has something else to do."""
    for last in (not VM, True):
        word, why = try_case(one, verbose)
        if word != "FAIL" or last:
            break
        print(f"again: {one.name}: {why}", flush=True)
    outcome.add(word, one.name, why)


def try_case(one, verbose):
    """(PASS, FAIL or SKIP, why)"""
    begun = time.monotonic()
    _thread.running = Running(one.timeout)
    try:
        said = one.run()
        word, why = "PASS", said if verbose and isinstance(said, str) else ""
    except Skip as e:
        word, why = "SKIP", str(e)
    except Fail as e:
        word, why = "FAIL", str(e).replace("\n", " | ")
    except subprocess.TimeoutExpired as e:
        word, why = "FAIL", f"still running after {one.timeout} s: {e.cmd}"
    except Exception as e:                              # pylint: disable=broad-except
        where = traceback.extract_tb(e.__traceback__)[-1]
        word, why = "FAIL", f"{type(e).__name__}: {e} ({os.path.basename(where.filename)}, " \
            f"line {where.lineno})"
        if verbose:
            why += "\n" + traceback.format_exc()
    _thread.running.finish()
    if verbose:
        why = f"{why.replace(chr(10), chr(10) + '     ')} [{time.monotonic() - begun:.1f} s]"
    return word, why


def chosen_cases(patterns):
    """Those that one of the patterns picks, and none that begins with an exclamation mark. The whole
    name of a case picks that one."""
    names = {c.name for c in _cases}
    wanted = [p for p in patterns if not p.startswith("!")]

    def picks(pattern, name):
        return name == pattern if pattern in names else \
            pattern in name or fnmatch.fnmatch(name, pattern)

    return [c for c in _cases
            if (not wanted or any(picks(p, c.name) for p in wanted)) and
            not any(fnmatch.fnmatch(c.name, p[1:]) for p in patterns if p.startswith("!"))]


def load_cases():
    for name in sorted(os.listdir(os.path.join(HERE, "cases"))):
        if name.endswith(".py") and not name.startswith("_"):
            importlib.import_module("cases." + name[:-3])
    names = [c.name for c in _cases]
    twice = {n for n in names if names.count(n) > 1}
    if twice:
        raise SystemExit(f"cases of the same name: {twice}")


def run_all(chosen, jobs, verbose):
    outcome = Outcome()
    with concurrent.futures.ThreadPoolExecutor(jobs) as pool:
        list(pool.map(lambda c: run_case(c, outcome, verbose),
                      [c for c in chosen if not c.serial]))
    for one in chosen:
        if one.serial:
            run_case(one, outcome, verbose)
    return outcome


def main(argv):
    global scratch                                      # pylint: disable=global-statement
    parser = argparse.ArgumentParser(prog="run", description="the live tests")
    parser.add_argument("patterns", nargs="*", metavar="PATTERN")
    parser.add_argument("-j", "--jobs", type=int, default=2)
    parser.add_argument("-l", "--list", action="store_true")
    parser.add_argument("-v", "--verbose", action="store_true", help="with times")
    parser.add_argument("--slow", type=int, default=1, metavar="N", help="N times the time limits")
    parser.add_argument("--build", metavar="DIR", help="build the truth programs there, run nothing")
    args = parser.parse_args(argv)
    if args.build:
        build_truth(args.build)
        return 0
    load_cases()
    chosen = chosen_cases(args.patterns)
    for one in chosen:
        one.timeout *= args.slow
    if args.list:
        print("\n".join(c.name for c in chosen))
        return 0
    if os.geteuid() != 0:
        print("SKIP live: not root; sudo runs it\n0 passed, 0 failed, 1 skipped")
        return 0
    if not os.access(FAULTSNOOP, os.X_OK):
        print(f"FAIL live: there is no {os.path.relpath(FAULTSNOOP)}; make builds it\n"
              "0 passed, 1 failed, 0 skipped")
        return 1
    if not VM:
        build_truth(TRUTH)
    cache_truth()
    os.makedirs(os.path.join(ROOT, ".output"), exist_ok=True)
    scratch = tempfile.mkdtemp(prefix="live-", dir=os.path.join(ROOT, ".output"))
    os.chmod(scratch, 0o755)
    try:
        outcome = run_all(chosen, args.jobs, args.verbose)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)
    print(f"{outcome.passed} passed, {outcome.failed} failed, {outcome.skipped} skipped")
    return 1 if outcome.failed else 0


sys.modules.setdefault("harness", sys.modules[__name__])
