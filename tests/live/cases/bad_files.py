# SPDX-License-Identifier: GPL-2.0-only
"""Executable mappings of files that are nothing one can rely on: the run ends in time and with status 0,
says no more than a line of each, and all other stacks are right."""
import os
import random
import re
import shutil
import socket
import struct

import harness
from harness import case, cases, check, equal, truth
from snoop import Attached, Target, no_errors, snoop
from cases.names import between, code_of, directory, expect, leaves, stacks_of

PAGES = 60
GOOD = ("main", "good", "touch")
# Runs mapexec on one file after another, and then what has nothing to do with them.
EACH = 'm=$1; s=$2; n=$3; a=$4; shift 4; for f; do "$m" "$f" "$n" "$a" || exit; done; ' \
    '"$s" plain 200'


def section(data, name):
    """Where an ELF file has a section: (offset of its header, offset, bytes)."""
    at, = struct.unpack_from("<Q", data, 40)
    size, count, names = struct.unpack_from("<HHH", data, 58)
    names, = struct.unpack_from("<Q", data, at + names * size + 24)
    for header in range(at, at + count * size, size):
        label, = struct.unpack_from("<I", data, header)
        if data[names + label:].startswith(name.encode() + b"\0"):
            return header, *struct.unpack_from("<QQ", data, header + 24)
    raise AssertionError(f"no {name}")


def original():
    with open(truth("image-a"), "rb") as f:
        return f.read()


def cut():
    data = original()
    _, at, size = section(data, ".eh_frame")
    return [data[:n] for n in (0, 1, 63, 64, 200, 4096, at + size // 2, len(data) - 64)]


def random_headers():
    """Any bytes in the headers of the file, of its segments, of its sections, in all of its first page."""
    data, made = original(), []
    segments, sections = struct.unpack_from("<QQ", data, 32)
    for seed in range(12):
        rng, bad = random.Random(seed), bytearray(data)
        at, size = ((16, 48), (segments, 13 * 56), (sections, len(data) - sections),
                    (64, 4032))[seed % 4]
        few = range(size) if seed < 4 else rng.sample(range(size), size // 8)
        for i in few:
            bad[at + i] = rng.randrange(256)
        made.append(bytes(bad))
    return made


def garbage_frames():
    """.eh_frame and its index are noise, are nothing, are of the size of the address space."""
    data, made = original(), []
    for seed, name in enumerate((".eh_frame", ".eh_frame_hdr", ".symtab", ".strtab", ".dynsym",
                                 ".debug_info", ".debug_line", ".debug_abbrev")):
        header, at, size = section(data, name)
        noise = bytearray(data)
        noise[at:at + size] = random.Random(seed).randbytes(size)
        made.append(bytes(noise))
        for value in (2**64 - 1, 2**63, 2**40):
            huge = bytearray(data)
            struct.pack_into("<Q", huge, header + 32, value)
            made.append(bytes(huge))
    return made


def no_objects():
    return [b"#!/bin/sh\nexit 0\n", bytes(5000), b"\x7fELF", b"\x7fELF" * 2000, b"MZ" + bytes(8000),
            random.Random(1).randbytes(100000)]


def files(contents):
    where, made = directory(), []
    for i, data in enumerate(contents):
        made.append(os.path.join(where, f"file-{i}.so"))
        # mapexec writes to the first page of its mapping: there must be one
        with open(made[-1], "wb") as f:
            f.write(data or b"\0")
    return made


def survives(paths, action="none", args=()):
    """All stacks that have nothing to do with the files; what it said beside."""
    out = os.path.join(directory(), "out")
    result = snoop("flame", "-U", *args, "-o", out, "--", "sh", "-c", EACH, "sh", truth("mapexec"),
                   truth("stacks"), str(PAGES), action, *paths, steady=False)
    no_errors(result)
    with open(out, "rb") as f:
        text = f.read()
    check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", text + result.err.replace(b"\n", b"")),
          f"control characters come out: {re.findall(rb'.{0,20}[^ -~].{0,20}', text)[:3]}")
    table = stacks_of(text.decode("utf-8"))
    words = result.error_lines()
    expect(table, GOOD, PAGES * len(paths), words[-1:])
    expect(table, ("part_plain", "outer", "middle", "inner", "touch"), 200, words[-1:])
    equal(leaves(table, ("touch",)), 2 * PAGES * len(paths) + 200, "pages that touch() touched")
    check(len(words) <= len(paths) + 1, f"more than a line a file, and one of all: {words}")
    return table, words


CONTENTS = {"cut": cut, "random-headers": random_headers, "garbage-frames": garbage_frames,
            "no-objects": no_objects}


@cases("bad-files", CONTENTS)
def bad_files(kind):
    _, words = survives(files(CONTENTS[kind]()), args=["--lines", "--inlines"])
    return f"{len(words)} lines"


@case("bad-files/huge")
def huge():
    """2 GiB that are not there, which begin as an object, claimed by sections."""
    data, made = original(), []
    for name in (".eh_frame", ".symtab", ".strtab", ".debug_info", ".debug_line"):
        bad = bytearray(data)
        header, at, _ = section(data, name)
        struct.pack_into("<Q", bad, header + 32, 2**31 - at)
        made.append(bytes(bad))
    paths = files(made)
    for path in paths:
        os.truncate(path, 2**31)
    survives(paths, args=["--lines", "--inlines"])


@cases("bad-files/changed", ["truncate", "unlink", "fifo", "directory", "loop"])
def changed(action):
    """The file was good when it was mapped."""
    table, words = survives(files([original()] * 4), action)
    # what code the process wrote into its mapping, no table tells of: the frame, not what is above it
    if action != "truncate":
        equal(sum(w for f, w in table.items() if f[-1] == "touch" and "good" not in f and
                  "part_plain" not in f), 4 * PAGES, f"pages touched by way of the file ({words})")


@case("bad-files/names")
def names():
    """Names that would write to the terminal, end lines or frames, or are as long as they get."""
    where, paths = directory(), []
    for name in (b"new\nline.so", b"\x1b[31mred\x1b]0;title\x07.so", b"semi;colon 17", b"a" * 255,
                 b"\xff\xfe\x80", b"\xc2\x9b31m", b"back\\slash\ttab", b"\xe2\x80\xae\xe2\x80\xa8",
                 b"[kernel]", b"..."):
        paths.append(os.path.join(where.encode(), name))
        shutil.copyfile(truth("image-a"), paths[-1])
    deep = where.encode()
    for _ in range(12):
        deep = os.path.join(deep, b"d" * 250)
        os.mkdir(deep)
    paths.append(os.path.join(deep, b"deep.so"))
    shutil.copyfile(truth("image-a"), paths[-1])
    for fmt in ("perf-script", "svg", "speedscope"):
        out = os.path.join(where, "out")
        result = snoop("flame", "--format", fmt, "-o", out, "--", "sh", "-c", EACH, "sh",
                       truth("mapexec"), truth("stacks"), str(PAGES), "none", *paths)
        no_errors(result)
        with open(out, "rb") as f:
            text = f.read()
        text.decode("utf-8")
        # JSON need not escape C1
        more = rb"" if fmt == "speedscope" else rb"|\xc2[\x80-\x9f]"
        check(not re.search(rb"[\x00-\x08\x0b-\x1f\x7f]" + more, text), f"control characters in {fmt}")
        check(not re.search(rb"[\x00-\x09\x0b-\x1f\x7f]", result.err), f"and in {result.err}")
    survives(paths)


# ---- maps of code that is made at run time -------------------------------------------------------

def with_map(make):
    """A process whose JIT map `make` puts there, of a path, where its code is, and its size."""
    with Target(truth("mapexec"), "-", str(PAGES), "wait") as target:
        path = f"/tmp/perf-{target.pid}.map"
        start, end = code_of(target.pid)
        try:
            make(path, start, end - start)
            with Attached("flame", "-U", "-p", str(target.pid)) as attached:
                table = between(target, attached)
                words = attached.result(0).error_lines()
        finally:
            if os.path.isdir(path) and not os.path.islink(path):
                os.rmdir(path)
            else:
                os.unlink(path)
    expect(table, GOOD, PAGES, words)
    expect(table, ("main", "bad", "*", "touch"), PAGES, words)
    # attached, tables, and the line of all
    check(len(words) <= 4, f"a line at most: {words}")
    return next(f[-2] for f in table if len(f) > 3 and f[-3:-1:2] == ("bad",) and f[-1] == "touch")


def garbage_map(path, start, size):
    with open(path, "wb") as f:
        f.write(random.Random(2).randbytes(1 << 20) + b"\n" + b"ffffffffffffffff ffffffffffffffff x\n" +
                b"0 ffffffffffffffff everything\n" + b"1 \n \n\n" + b"%x 0 nothing\n" % start +
                b"%x %x good\x1b[31m;name\n" % (start, size) + b"%x" % start)


def large_map(path, start, size):
    line = b"%x %x first\n" % (start, size)
    with open(path, "wb") as f:
        f.write(line + b"".join(b"%x 10 some_function_of_a_long_name_%d\n" % (16 * i, i)
                                for i in range(1, 1000000)))
        check(f.tell() > 40 << 20, "the map is large")


def link_map(path, *_):
    other = os.path.join(directory(), "map")
    with open(other, "w", encoding="ascii") as f:
        f.write("0 ffffffffffffffff linked\n")
    os.symlink(other, path)


def socket_map(path, *_):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(path)


MAPS = [("garbage", garbage_map, r"good\\x1b\[31m:name_\[j\]"), ("large", large_map, r"first_\[j\]"),
        ("fifo", lambda path, *_: os.mkfifo(path), r"\[jit\]_\[j\]"),
        ("directory", lambda path, *_: os.mkdir(path), r"\[jit\]_\[j\]"),
        ("link", link_map, r"\[jit\]_\[j\]"), ("socket", socket_map, r"\[jit\]_\[j\]"),
        ("sparse", lambda path, *_: (open(path, "wb").close(), os.truncate(path, 1 << 40)),
         r"\[jit\]_\[j\]")]


@cases("bad-files/jit-map", MAPS)
def jit_map(_, make, name):
    found = with_map(make)
    check(re.fullmatch(name, found), f"name of the function: {found}, should be {name}")
