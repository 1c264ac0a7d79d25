# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages of any architecture and release, through an apt directory of our own: the
machine's sources, keys and package states stay as they are. Where the archive is the machine's own
apt configuration tells."""
import glob
import os
import re
import subprocess
import time

KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"
ARCHITECTURES = ("amd64", "arm64")
UPDATE_AFTER_S = 20 * 3600


class Missing(Exception):
    """The archive has not got it; the text says what."""


def run(argv, **options):
    """A command's stdout; its last complaint where it fails."""
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          check=False, **options)
    if done.returncode:
        said = [line for line in done.stderr.splitlines() if line.strip()]
        last = re.sub(r"https?://\S*/", "", said[-1]) if said else f"status {done.returncode}"
        raise Missing(f"{argv[0]}: {last}")
    return done.stdout


def machines_archives():
    """(archive, security archive or None): their addresses, of a Debian machine's own sources."""
    found = {}
    text = run(["apt-get", "indextargets", "--format", "$(RELEASE) $(REPO_URI)"])
    for line in text.splitlines():
        release, _, address = line.partition(" ")
        kind = "security" if release.endswith("-security") else "main"
        if release and address and not re.search("-(updates|backports)$", release):
            found.setdefault(kind, address)
    if "main" not in found:
        raise Missing("apt-get indextargets names no Debian archive; run apt-get update")
    return found["main"], found.get("security")


class Archive:
    """directory: where all of it is kept. releases: their code names."""

    def __init__(self, directory, releases):
        self.directory = os.path.abspath(directory)
        for part in ("etc", "state/lists/partial", "cache/archives/partial", "debs"):
            os.makedirs(os.path.join(self.directory, part), exist_ok=True)
        self.configuration = self.path("etc/apt.conf")
        self.write_configuration(releases)

    def path(self, name):
        return os.path.join(self.directory, name)

    def write_configuration(self, releases):
        main, security = machines_archives()
        lines = [f"deb [signed-by={KEYRING}] {main} {release} main" for release in releases]
        if security:
            lines += [f"deb [signed-by={KEYRING}] {security} {release}-security main"
                      for release in releases if release != "sid"]
        with open(self.path("etc/sources.list"), "w", encoding="ascii") as f:
            f.write("\n".join(lines) + "\n")
        with open(self.path("etc/status"), "w", encoding="ascii"):
            pass        # nothing is installed: all that a package needs is named
        settings = {
            "Dir::Etc::sourcelist": self.path("etc/sources.list"),
            "Dir::Etc::sourceparts": "/dev/null", "Dir::Etc::preferences": "/dev/null",
            "Dir::Etc::preferencesparts": "/dev/null", "Dir::State": self.path("state"),
            "Dir::State::status": self.path("etc/status"), "Dir::Cache": self.path("cache"),
            "APT::Architecture": "amd64", "APT::Get::List-Cleanup": "0",
            "APT::Sandbox::User": "", "Acquire::Languages": "none", "Acquire::Retries": "3"}
        with open(self.configuration, "w", encoding="ascii") as f:
            for key, value in settings.items():
                f.write(f'{key} "{value}";\n')
            f.write('APT::Architectures { "amd64"; "arm64"; };\n')

    def apt(self, *argv, arch=None, cwd=None):
        """One of apt's commands; arch: as on a machine of that architecture alone."""
        options = []
        if arch:
            options = ["-o", f"APT::Architecture={arch}", "-o", "APT::Architectures::="]
        return run([argv[0], *options, *argv[1:]], cwd=cwd,
                   env={**os.environ, "APT_CONFIG": self.configuration, "LC_ALL": "C"})

    def update(self):
        """Fetches the lists where they are old. A release that the archive has not got is told
        later, by what is then missing."""
        stamp = self.path("state/updated")
        with open(self.path("etc/sources.list"), encoding="ascii") as f:
            sources = f.read()
        if os.path.exists(stamp) and time.time() - os.path.getmtime(stamp) < UPDATE_AFTER_S:
            with open(stamp, encoding="ascii") as f:
                if f.read() == sources:
                    return
        failed = None
        try:
            self.apt("apt-get", "-q", "update")
        except Missing as why:
            failed = why
        if failed and not glob.glob(self.path("state/lists/*_Packages*")):
            raise failed
        if not failed:
            with open(stamp, "w", encoding="ascii") as f:
                f.write(sources)

    def packages(self, pattern, arch):
        """(package, version) of those whose name matches the regular expression, highest first."""
        names = [name for name in self.apt("apt-cache", "pkgnames", "linux-").split()
                 if re.fullmatch(pattern, name)]
        for name in run(["sort", "-Vr"], input="\n".join(names)).split():
            shown = self.apt("apt-cache", "madison", f"{name}:{arch}").splitlines()
            if shown:       # the newest version comes first
                yield name, shown[0].split("|")[1].strip()

    def with_needs(self, names, arch, release):
        """Files of packages of a release and of all that they depend on."""
        argv = ["apt-get", "-y", "-q", "--no-install-recommends", "-t", release]
        listed = self.apt(*argv, "--simulate", "install", *names, arch=arch)
        paths = [self.path(f"cache/archives/{file_name(name, version, its_arch)}")
                 for name, version, its_arch in
                 re.findall(r"^Inst (\S+) \((\S+) .*\[(\w+)\]\)", listed, re.M)]
        if not all(map(os.path.exists, paths)):
            self.apt(*argv, "--download-only", "install", *names, arch=arch)
        return paths

    def package(self, name, version, arch):
        """The file of one package, without what it depends on."""
        file = self.path(f"debs/{file_name(name, version, arch)}")
        if not os.path.exists(file):
            self.apt("apt-get", "-q", "download", f"{name}:{arch}={version}",
                     cwd=self.path("debs"))
        return file


def file_name(name, version, arch):
    """What apt calls a package's file."""
    return f"{name}_{version.replace(':', '%3a')}_{arch}.deb"


def unpack(debs, directory):
    """Lays packages out in a directory whose /bin, /sbin and /lib are those of /usr."""
    for name in ("bin", "sbin", "lib", "lib64"):
        os.makedirs(os.path.join(directory, "usr", name), exist_ok=True)
        if not os.path.lexists(os.path.join(directory, name)):
            os.symlink(f"usr/{name}", os.path.join(directory, name))
    for deb in debs:
        tar = subprocess.Popen(["dpkg-deb", "--fsys-tarfile", deb], stdout=subprocess.PIPE)
        subprocess.run(["tar", "-x", "--keep-directory-symlink", "--no-same-owner",
                        "-C", directory], stdin=tar.stdout, check=True)
        tar.stdout.close()
        if tar.wait():
            raise Missing(f"{os.path.basename(deb)} cannot be unpacked")
