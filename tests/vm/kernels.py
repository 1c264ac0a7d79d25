# SPDX-License-Identifier: GPL-2.0-only
"""The kernels of the matrix: one row each."""
import collections
import os

from archive import Missing

# name: as KERNEL= takes it; image: pattern of the package that holds vmlinuz, %s the architecture;
# modules: the package that holds the modules, made from the first one's name, where another does;
# required: a matrix without it has failed; cases: a file in tests/vm/cases/, or for one architecture
# CASES.ARCH where there is such a file
Row = collections.namedtuple("Row", "name image modules arches required cases")

FULL, NEWEST, REFUSAL = "matrix", "newest", "refusal"     # files in tests/vm/cases/

RELEASES = ("bookworm", "trixie", "sid", "bullseye")
USERLAND = "bookworm"

ROWS = (
    Row("6.1", r"linux-image-6\.1\.0-\d+-cloud-%s-unsigned", None, ("amd64", "arm64"), True, FULL),
    Row("6.12", r"linux-image-6\.12\.\d+\+deb13(\.\d+)?-cloud-%s-unsigned", None,
        ("amd64", "arm64"), True, FULL),
    Row("sid", r"linux-binary-unsigned-\d[^-]*-cloud-%s",
        ("linux-binary-unsigned-", "linux-modules-"), ("amd64", "arm64"), False, NEWEST),
    Row("5.10", r"linux-image-5\.10\.0-\d+-cloud-%s-unsigned", None, ("amd64",), False, REFUSAL),
)


class Kernel:
    """vmlinuz and a directory that holds lib/modules/RELEASE."""

    def __init__(self, name, arch, vmlinuz, tree, cases):
        self.name, self.arch, self.vmlinuz, self.tree, self.cases = name, arch, vmlinuz, tree, cases

    def cell(self):
        return f"{self.name}/{self.arch}"

    def modules(self):
        """Directory of the kernel's modules, None where it was given without."""
        for base in ("usr/lib/modules", "lib/modules"):
            path = os.path.join(self.tree or "", base)
            if self.tree and os.path.isdir(path) and os.listdir(path):
                return os.path.join(path, sorted(os.listdir(path))[0])
        return None


def vmlinuz_in(tree):
    for base, _, files in sorted(os.walk(tree)):
        for name in files:
            if name.startswith("vmlinuz"):
                return os.path.join(base, name)
    raise Missing(f"no vmlinuz in {tree}")
