# SPDX-License-Identifier: GPL-2.0-only
"""Rules of unwinding beside those of elfutils, for each address of what is installed here."""
import collections
import glob
import os
import re
import shutil
import subprocess

from harness import ROOT, Skip, cases, check, equal
from snoop import run

RULES = os.path.join(ROOT, ".output/unwind/rules")
# Machine code by hand keeps a few registers where no rule can say it
# Bytes of a file's code that is the C runtime's own (cmd/symbol/cfi_crt.c): no entry speaks of it
RUNTIME = 640
SHARE = 0.01

LIBRARIES = ["/usr/lib/*-linux-gnu", "/lib64", "/lib"]


def library(name):
    def find():
        found = [path for directory in LIBRARIES for path in glob.glob(f"{directory}/{name}")]
        return sorted(found)[-1:]
    return find


def program(name):
    return lambda: [os.path.realpath(path) for path in [shutil.which(name)] if path]


def part_of_gcc(name):
    def find():
        gcc = shutil.which("gcc")
        said = gcc and subprocess.run([gcc, f"-print-prog-name={name}"], capture_output=True,
                                      text=True, check=True).stdout.strip()
        return [said] if said and os.path.exists(said) else []
    return find


FILES = [
    ("vdso", lambda: ["[vdso]"]),
    ("libc", library("libc.so.6")),
    ("ld", library("ld-linux-*.so.*")),
    ("libstdc++", library("libstdc++.so.6")),
    ("libcrypto", library("libcrypto.so.*")),
    ("libgcrypt", library("libgcrypt.so.20")),
    ("libsqlite3", library("libsqlite3.so.0")),
    ("libLLVM", library("libLLVM-*.so.1")),
    ("bash", program("bash")),
    ("python3", program("python3")),
    ("sqlite3", program("sqlite3")),
    ("node", program("node")),
    ("cc1", part_of_gcc("cc1")),
    # where gcc-aarch64-linux-gnu is installed, its libraries
    ("arm64", lambda: glob.glob("/usr/aarch64-linux-gnu/lib/lib*.so.[0-9]*")),
]


@cases("unwind/rules", FILES, timeout=240)
def rules(name, find):
    if not os.path.exists(RULES):
        raise Skip("tests/unwind is not built; make test-programs builds it")
    paths = find()
    if not paths:
        raise Skip(f"{name} is not here")
    result = run([RULES, *paths])
    counts = collections.Counter()
    for key, n in re.findall(r"(\w+)=(\d+) ", result.text()):
        counts[key] += int(n)
    equal((result.status, counts["different"]), (0, 0),
          f"(status, different) of {result.text() or result.errors()}")
    check(counts["more"] <= RUNTIME * len(paths), f"rules for {counts['more']} addresses of which no "
          f"entry speaks: {result.text()}")
    check(counts["equal"], "no address was compared")
    left = counts["unsupported"] + counts["lost"]
    check(left <= SHARE * counts["addresses"],
          f"{left} of {counts['addresses']} addresses have no rule for all that elfutils knows")
    return result.text().splitlines()[0]
