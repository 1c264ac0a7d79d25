# SPDX-License-Identifier: GPL-2.0-only
"""The load: builds and drives faultloop."""
import os
import subprocess

HERE = os.path.dirname(os.path.abspath(__file__))


def build(directory):
    """Compiles faultloop into directory; gives its path. Static: it then has few mappings."""
    path = os.path.join(directory, "faultloop")
    cc = os.environ.get("CC", "cc").split()
    base = cc + ["-O2", "-Wall", "-std=gnu11", os.path.join(HERE, "faultloop.c"), "-o", path]
    if subprocess.run(base + ["-static"], stderr=subprocess.DEVNULL, check=False).returncode:
        subprocess.run(base, check=True)
    return path


class Loop:
    """One faultloop process, idle but for the commands given to it."""

    def __init__(self, path, cpu, pages, touches=0, mappings=0, spread=False):
        argv = [path, "-c", str(cpu), "-p", str(pages), "-t", str(touches)]
        if mappings:
            argv += ["-m", str(mappings)]
        if spread:
            argv.append("-s")
        self.process = subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                                        text=True, bufsize=1)
        ready = self.process.stdout.readline()
        if not ready.startswith("ready"):
            raise RuntimeError("faultloop did not start")
        self.mappings = int(ready.split()[1].split("=")[1])
        self.faults = 0

    def send(self, command):
        self.process.stdin.write(command + "\n")

    def answer(self):
        """Waits for the answer to send(): nanoseconds per fault or call."""
        words = self.process.stdout.readline().split()
        if len(words) != 2:
            raise RuntimeError("faultloop ended early")
        self.faults += int(words[1])
        return float(words[0])

    def do(self, command):
        self.send(command)
        return self.answer()

    def rounds(self, command, count):
        return [self.do(command) for _ in range(count)]

    def close(self):
        self.process.stdin.close()
        try:
            self.process.wait(5)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        self.close()
