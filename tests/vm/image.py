# SPDX-License-Identifier: GPL-2.0-only
"""What a machine boots from: a root file system of Debian packages, the kernel's modules, the
project, each a disk; and an initramfs that mounts them."""
import hashlib
import os
import shutil
import subprocess

import archive
from kernels import USERLAND

PACKAGES = ["python3", "bash", "coreutils", "util-linux", "mount", "kmod", "libbpf1", "libelf1",
            "libdw1", "liblzma5", "libjansson4", "zlib1g", "sqlite3"]
ONLY_ON = {"amd64": ["libc6-i386"], "arm64": ["libc6-armhf-cross"]}      # 32-bit programs
# where a cross package puts what programs look for elsewhere
LINKS = {"usr/lib/ld-linux-armhf.so.3": "/usr/arm-linux-gnueabihf/lib/ld-linux-armhf.so.3",
         "usr/lib/arm-linux-gnueabihf": "/usr/arm-linux-gnueabihf/lib"}
# of the root file system nobody reads these
LEFT_OUT = ["usr/share/doc", "usr/share/man", "usr/share/info", "usr/share/locale",
            "usr/lib/python3.11/test"]
# what has to be there before a disk can be mounted
BOOT_MODULES = ["virtio_pci", "virtio_mmio", "virtio_blk", "ext4"]


def fresh(directory):
    shutil.rmtree(directory, ignore_errors=True)
    os.makedirs(directory)
    return directory


def make_disk(tree, disk, spare_mib):
    """An ext4 file system that holds a tree, with some room."""
    used = int(subprocess.run(["du", "-sk", tree], stdout=subprocess.PIPE, text=True,
                              check=True).stdout.split()[0]) // 1024
    new = disk + ".new"
    with open(new, "wb") as f:
        f.truncate((used + used // 5 + 16 + spare_mib) << 20)
    subprocess.run(["mkfs.ext4", "-q", "-F", "-E", "root_owner=0:0", "-d", tree, new], check=True,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    os.rename(new, disk)


def root_disk(packages, work, arch):
    """Programs and libraries; made again where the packages are others."""
    debs = packages.with_needs(PACKAGES + ONLY_ON.get(arch, []), arch, USERLAND)
    busybox = packages.with_needs(["busybox-static"], arch, USERLAND)
    key = hashlib.sha256("\n".join(sorted(debs + busybox)).encode()).hexdigest()[:16]
    disk, init = (os.path.join(work, f"root-{arch}-{key}.{kind}") for kind in ("img", "busybox"))
    if os.path.exists(disk) and os.path.exists(init):
        return disk, init
    tree = fresh(os.path.join(work, f"root-{arch}"))
    archive.unpack(debs + busybox, tree)
    for name in LEFT_OUT:
        shutil.rmtree(os.path.join(tree, name), ignore_errors=True)
    for name in ("proc", "sys", "dev", "tmp", "run", "root", "etc", "project", "lib/modules"):
        os.makedirs(os.path.join(tree, name), exist_ok=True)
    for name, target in LINKS.items():
        if os.path.exists(tree + target):
            os.symlink(target, os.path.join(tree, name))
    for name, target in (("sh", "bash"), ("python3", "python3.11"), ("awk", "mawk")):
        link = os.path.join(tree, "usr/bin", name)
        if not os.path.lexists(link):
            os.symlink(target, link)
    with open(os.path.join(tree, "etc/passwd"), "w", encoding="ascii") as f:
        f.write("root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/sh\n")
    shutil.copy(os.path.join(tree, "usr/bin/busybox"), init)
    make_disk(tree, disk, 512)
    shutil.rmtree(tree)
    return disk, init


def modules_disk(kernel, work):
    modules = kernel.modules()
    if not modules:
        return None
    disk = os.path.join(work, f"modules-{kernel.arch}-{os.path.basename(modules)}.img")
    if not os.path.exists(disk):
        tree = fresh(os.path.join(work, "modules"))
        release = os.path.basename(modules)
        shutil.copytree(modules, os.path.join(tree, release), symlinks=True,
                        ignore=shutil.ignore_patterns("build", "source"))
        base = fresh(os.path.join(work, "depmod"))
        os.makedirs(os.path.join(base, "lib"))
        os.symlink(tree, os.path.join(base, "lib/modules"))
        subprocess.run(["depmod", "-b", base, release], check=True)
        make_disk(tree, disk, 8)
        shutil.copy(os.path.join(tree, release, "modules.dep"), disk + ".dep")
        shutil.rmtree(tree)
        shutil.rmtree(base)
    return disk


def boot_modules(kernel, disk):
    """Paths of modules in the order in which they can be loaded."""
    if not disk:
        return []
    needs, order = {}, []
    with open(disk + ".dep", encoding="ascii") as f:
        for line in f:
            path, _, others = line.strip().partition(":")
            name = os.path.basename(path).split(".")[0].replace("-", "_")
            needs[name] = [path, *others.split()]
    for name in BOOT_MODULES:
        for path in reversed(needs.get(name, [])):
            if path not in order:
                order.append(path)
    return [os.path.join(kernel.modules(), path) for path in order]


UNPACKERS = {".xz": "xz", ".zst": "zstd", ".gz": "gzip"}


def initramfs(kernel, disk, busybox, here, work, name):
    tree = fresh(os.path.join(work, f"init-{name}"))
    for part in ("bin", "mod", "proc", "sys", "dev", "new"):
        os.makedirs(os.path.join(tree, part))
    shutil.copy(busybox, os.path.join(tree, "bin/busybox"))
    os.symlink("busybox", os.path.join(tree, "bin/sh"))
    shutil.copy(os.path.join(here, "init"), os.path.join(tree, "init"))
    os.chmod(os.path.join(tree, "init"), 0o755)
    for number, path in enumerate(boot_modules(kernel, disk)):
        base, suffix = os.path.splitext(path)
        plain = os.path.basename(base if suffix in UNPACKERS else path)
        with open(os.path.join(tree, "mod", f"{number:03d}-{plain}"), "wb") as f:
            if suffix in UNPACKERS:
                subprocess.run([UNPACKERS[suffix], "-dc", path], stdout=f, check=True)
            else:
                with open(path, "rb") as module:
                    shutil.copyfileobj(module, f)
    packed = os.path.join(work, f"init-{name}.cpio")
    with open(packed, "wb") as f:
        names = subprocess.run(["find", "."], cwd=tree, stdout=subprocess.PIPE, check=True).stdout
        subprocess.run(["cpio", "-o", "-H", "newc", "--quiet", "-R", "0:0"], cwd=tree, input=names,
                       stdout=f, check=True)
    shutil.rmtree(tree)
    return packed


def project_disk(root, work, arch, program, oracle, truth, job):
    """What is tested and the tests. job: what the guest is to run, a shell script."""
    tree = fresh(os.path.join(work, f"project-{arch}"))
    shutil.copytree(os.path.join(root, "tests"), os.path.join(tree, "tests"),
                    ignore=shutil.ignore_patterns("__pycache__"))
    os.makedirs(os.path.join(tree, ".output/oracle"))
    shutil.copytree(truth, os.path.join(tree, ".output/truth"))
    shutil.copy(program, os.path.join(tree, "faultsnoop"))
    shutil.copy(oracle, os.path.join(tree, ".output/oracle/oracle"))
    with open(os.path.join(tree, "job"), "w", encoding="utf-8") as f:
        f.write(job)
    disk = os.path.join(work, f"project-{arch}.img")
    make_disk(tree, disk, 256)
    shutil.rmtree(tree)
    return disk
