# SPDX-License-Identifier: GPL-2.0-only
"""One machine: a kernel, disks, and what it prints."""
import subprocess
import threading
import time

MEMORY_MIB = 3072
# thread=single: with a host thread for each CPU, 6.1 was seen to hang.
# cpu max: from 7.0 on BPF allocates with cmpxchg16b or not at all. Without what the emulation pays for
# dearly: copies byte by byte (erms, fsrm), pointer authentication, vectors.
EMULATORS = {
    "amd64": ["qemu-system-x86_64", "-cpu", "max,-erms,-fsrm"],
    "arm64": ["qemu-system-aarch64", "-M", "virt", "-cpu", "max,pauth=off,sve=off"],
}
# with rcu_expedited, programs are let go of at once
ARGUMENTS = "quiet loglevel=1 panic=-1 mitigations=off rcupdate.rcu_expedited=1"
CONSOLE = {"amd64": "ttyS0", "arm64": "ttyAMA0"}


def command(kernel, initrd, disks, arguments=""):
    half = MEMORY_MIB // 2
    argv = [*EMULATORS[kernel.arch], "-accel", "tcg,thread=single", "-smp", "2",
            "-m", str(MEMORY_MIB)]
    for node in (0, 1):
        argv += ["-object", f"memory-backend-ram,size={half}M,id=mem{node}",
                 "-numa", f"node,nodeid={node},cpus={node},memdev=mem{node}"]
    argv += ["-nographic", "-no-reboot", "-nic", "none", "-kernel", kernel.vmlinuz,
             "-initrd", initrd, "-append",
             f"console={CONSOLE[kernel.arch]} {ARGUMENTS} {arguments}".strip()]
    for disk in disks:
        argv += ["-drive", f"file={disk},format=raw,if=virtio,snapshot=on"]
    return argv


class Machine:
    """Runs from start() to the end of its output, or until it says nothing new in time."""

    def __init__(self, argv, on_line, limit_s):
        self.argv, self.on_line, self.limit_s = argv, on_line, limit_s
        self.process = None
        self.began = self.release = self.status = None
        self.tail = []

    def run(self):
        """True: the job came to its end."""
        start = time.monotonic()
        self.process = subprocess.Popen(self.argv, stdin=subprocess.DEVNULL,
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        timer = threading.Timer(self.limit_s, self.process.kill)
        timer.start()
        try:
            for raw in self.process.stdout:
                self.line(raw.decode("utf-8", "replace").rstrip("\r\n"), start)
        finally:
            timer.cancel()
            self.process.kill()
            self.process.wait()
        return self.status is not None

    def line(self, text, start):
        self.tail = [*self.tail[-19:], text]
        if "VM-BEGIN " in text:     # the firmware's last words may stand before it
            self.began = time.monotonic() - start
            self.release = text.split("VM-BEGIN ")[1]
        elif text.startswith("VM-END "):
            self.status = int(text.split()[1])
        elif self.release:
            self.on_line(text)
