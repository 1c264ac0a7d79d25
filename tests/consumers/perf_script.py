# SPDX-License-Identifier: GPL-2.0-only
"""Reads the text of `perf script`, ours and perf's own alike, as its known readers do: each with the
expressions that it matches lines with. What they would drop or mistake is an error here."""
import collections
import re

Frame = collections.namedtuple("Frame", "ip symbol offset object")
Sample = collections.namedtuple("Sample", "comm pid tid cpu time period event frames")


class Unreadable(ValueError):
    """A line that a reader would drop or take for something else."""


def blocks(text):
    """The lines of each sample: an empty line ends it."""
    lines = []
    for line in text.split("\n"):
        if line.strip():
            lines.append(line)
        elif lines:
            yield lines
            lines = []
    if lines:
        yield lines


# As perf 6 prints it, with -F comm,pid,tid,cpu,time,period,event,ip,sym,symoff,dso
HEADER = re.compile(r"(?P<comm>\S.*?) +(?P<pid>\d+)/(?P<tid>\d+) +\[(?P<cpu>\d{3,})\] +"
                    r"(?P<time>\d+\.\d{6}): +(?P<period>\d+) +(?P<event>\S+): ?")
FRAME = re.compile(r"\t *(?P<ip>[0-9a-f]+) (?P<symbol>.+?)(?:\+0x(?P<offset>[0-9a-f]+))? "
                   r"\((?P<object>[^()\s][^\s]*|\[[^]]*\])\)")


def samples(text):
    """All of them, strictly: Sample with frames leaf first. time is text, to the microsecond."""
    for lines in blocks(text):
        header = HEADER.fullmatch(lines[0])
        if not header:
            raise Unreadable(lines[0])
        frames = []
        for line in lines[1:]:
            frame = FRAME.fullmatch(line)
            if not frame:
                raise Unreadable(line)
            offset = frame["offset"]
            frames.append(Frame(int(frame["ip"], 16), frame["symbol"],
                                None if offset is None else int(offset, 16), frame["object"]))
        yield Sample(header["comm"], int(header["pid"]), int(header["tid"]), int(header["cpu"]),
                     header["time"], int(header["period"]), header["event"], frames)


# stackcollapse-perf.pl

def _collapsed_names(symbol, obj, kernel, jit):
    """Names of a line's frames, from the caller on: inlined ones stand after an arrow."""
    symbol = re.sub(r"\+0x[\da-f]+$", "", symbol)
    if symbol.startswith("("):          # a process's name
        return []
    names = []
    for name in symbol.split("->"):
        if name == "[unknown]":
            name = "[" + (obj.rsplit("/", 1)[-1] if obj != "[unknown]" else "unknown") + "]"
        name = name.replace(";", ":")
        if not re.search(r"\.\(.*\)\.", name) and "(anonymous namespace)" not in name:
            name = re.sub(r"\(.*$", "", name)
        name = re.sub(r"[\"']", "", name)
        if kernel and (obj.startswith("[") or obj.endswith("vmlinux")) and obj != "[unknown]":
            name += "_[k]"
        elif jit and re.search(r"/tmp/perf-\d+\.map", obj):
            name += "_[j]"
        names.append(name + ("_[i]" if names else ""))
    return names


def collapsed(text, kernel=False, jit=False):
    """Stacks from the root on, beginning with the name of the thread, as tuples, and their weights.
    Events of another name than the first one's are not counted."""
    stacks, wanted = collections.Counter(), None
    for lines in blocks(text):
        lines = [line for line in lines if not line.startswith("#")]
        if not lines:
            continue
        start = re.match(r"(\S.+?)\s+(\d+)/*(\d+)*\s+", lines[0])
        event = re.search(r":\s*(\d+)*\s+(\S+):\s*$", lines[0])
        if not start or not event:
            raise Unreadable(lines[0])
        wanted = wanted or event[2]
        if event[2] != wanted:
            continue
        stack = []
        for line in lines[1:]:
            frame = re.match(r"\s*(\w+)\s*(.+) \((.*)\)", line)
            if not frame:
                raise Unreadable(line)
            stack = _collapsed_names(frame[2], frame[3], kernel, jit) + stack
        stacks[(re.sub(r"\s", "_", start[1]), *stack)] += int(event[1] or 1)
    return stacks


def speedscope(text):
    """(comm, pid, tid, event) and the frames' (name, file), leaf first, of each sample."""
    for lines in blocks(text):
        lines = [line for line in lines if not line.startswith("#")]
        start = re.match(r"(\S.+?)\s+(\d+)(?:/?(\d+))?\s+", lines[0])
        when = re.search(r"\s+(\d+\.\d+):\s+", lines[0])
        event = re.search(r"(\S+):\s*$", lines[0])
        if not (start and when and event):
            raise Unreadable(lines[0])
        frames = [re.match(r"\s*(\w+)\s*(.+) \((\S*)\)", line) for line in lines[1:]]
        if not all(frames):
            raise Unreadable(lines[frames.index(None) + 1])
        yield (start[1], int(start[2]), int(start[3] or start[2]), event[1]), \
            [(f[2], f[3]) for f in frames]


def firefox(text):
    """(comm, pid, tid, milliseconds), the frames as text and which are the kernel's. Samples without
    a stack are dropped there, and so here."""
    if not text.startswith("# ========\n") and \
            not re.match(r"\S.*?\s+(?:\d+/)?\d+\s+(?:\[\d+\]\s+)?[\d.]+:", text.split("\n")[0]):
        raise Unreadable("not taken for perf script: " + text.split("\n")[0])
    for lines in blocks(text):
        if lines[0].startswith("#"):
            continue
        header = re.match(r"(.*)\s+([\d.]+):", lines[0])
        task = header and re.match(r"(.*)\s+(?:(\d+)/)?(\d+)\b", header[1])
        if not task:
            raise Unreadable(lines[0])
        frames = []
        for line in lines[1:]:
            frame = re.match(r"\s*(\w+)\s*(.+) \(([^)]*)\)", line)
            if not frame:
                raise Unreadable(line)
            where = f"{frame[2]} ({frame[3]})"
            frames.append((frame[2], "kallsyms" in where or where.endswith("/vmlinux)") or
                           where.endswith(".ko)")))
        if frames:
            yield (task[1].strip(), int(task[2] or task[3]), int(task[3]),
                   float(header[2]) * 1000), frames
