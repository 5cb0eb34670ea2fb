"""A mail server in a room of its own: a folder that is the whole disk to it (chroot).

Exim and OpenSMTPD have the places of their queues, and the names of their users, built in, and
Debian lets neither be installed beside Postfix. In a room those places and users are there
without anything of the machine being touched, and the program may as well come from a package that
was only unpacked: `MAILOUT_TEST_SERVERS` names a folder for these.

    apt-get download exim4-daemon-light libidn12 opensmtpd
    for package in *.deb; do dpkg -x "$package" ~/servers; done
    export MAILOUT_TEST_SERVERS=~/servers

Only the superuser may lock a program in.
"""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

import pytest

from postfix_server import end_process

UNPACKED = "MAILOUT_TEST_SERVERS"
_NULL = (1, 3)  # the numbers of the device that swallows all
_SERVICES = "smtp 25/tcp\nlmtp 24/tcp\n"
_LOOKUPS = "passwd: files\ngroup: files\nhosts: files\nservices: files\n"


def require(package: str, *programs: str) -> None:
    """Nothing if these can be run here; else the test is skipped. Unlike Postfix they may be
    lacking in CI: where nothing can be fetched there is no way to have them."""
    if os.geteuid() != 0:
        pytest.skip(f"{package} is started by root only")
    if any(where(program) is None for program in programs):
        pytest.skip(f"no {package} here; {UNPACKED} may name a folder that has one unpacked")


def where(program: str) -> Path | None:
    """Where the program of that path is: unpacked, or installed. None if it is not."""
    unpacked = os.environ.get(UNPACKED)
    if unpacked and (found := Path(unpacked) / program.lstrip("/")).exists():
        return found
    # `/usr/sbin/smtpd` and others may be anybody's, so it has to be just there.
    return found if (found := Path(program)).exists() else None


class Room:
    """A folder with programs, what they load, and users of its own, by name and number.

    `run` starts one of the programs, `close` ends what runs there and takes the folder away.
    """

    def __init__(self, users: Mapping[str, int], *programs: str) -> None:
        # Not below pytest's folders, which are root's alone.
        self.folder = Path(tempfile.mkdtemp(prefix="mailout-room-"))
        self.folder.chmod(0o755)
        self._running: list[subprocess.Popen[bytes]] = []
        for path in ("dev", "etc", "run", "tmp", "var"):
            (self.folder / path).mkdir()
        (self.folder / "tmp").chmod(0o1777)
        (self.folder / "var/run").symlink_to("/run")
        os.mknod(self.folder / "dev/null", 0o020666, os.makedev(*_NULL))
        (self.folder / "dev/null").chmod(0o666)  # whatever the umask is
        for program in programs:
            self._take_in(program)
        everyone = {"root": 0, **users}
        self.write("etc/passwd", _lines(everyone, "{name}:x:{number}:{number}::/:/bin/sh"))
        self.write("etc/group", _lines(everyone, "{name}:x:{number}:"))
        self.write("etc/hosts", "127.0.0.1 localhost\n")
        self.write("etc/services", _SERVICES)
        self.write("etc/nsswitch.conf", _LOOKUPS)
        self._users = everyone

    def write(self, path: str, text: str) -> None:
        """Nothing, once the file is there, for everybody to read."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, "utf-8")
        file.chmod(0o644)

    def make_folder(self, path: str, owner: str = "root", rights: int = 0o755) -> None:
        folder = self.folder / path
        folder.mkdir(parents=True, exist_ok=True)
        os.chown(folder, self._users[owner], self._users[owner])
        folder.chmod(rights)

    def run(self, *words: str) -> subprocess.Popen[bytes]:
        """The running program; what it prints is in the room's `log`."""
        with (self.folder / "log").open("ab") as log:
            process = subprocess.Popen(
                ["chroot", str(self.folder), *words],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        self._running.append(process)
        return process

    @property
    def log(self) -> str:
        file = self.folder / "log"
        return file.read_text("utf-8", "replace") if file.exists() else ""

    def close(self) -> None:
        for process in self._running:
            end_process(process)
        shutil.rmtree(self.folder)

    def _take_in(self, program: str) -> None:
        found = where(program)
        assert found is not None, program
        loaded = _loaded(found)
        [loader] = [path for path in loaded if path.name.startswith("ld-")]
        libraries = next(path.parent for path in loaded if path.name.startswith("libc.so"))
        for source in (found, *loaded):
            path = program if source is found else str(source)
            if source not in (found, loader):  # one that was unpacked is found there, too
                path = str(libraries / source.name)
            target = self.folder / path.lstrip("/")
            if not target.exists():
                target.parent.mkdir(parents=True, exist_ok=True)
                shutil.copyfile(source, target)
                target.chmod(0o755)


@cache
def _loaded(program: Path) -> Sequence[Path]:
    """The shared libraries that a program loads, and what loads them."""
    unpacked = Path(os.environ.get(UNPACKED) or "/nowhere")
    folders = [str(path) for path in unpacked.glob("usr/lib/*-linux-*")]
    told = subprocess.run(
        ["ldd", str(program)],
        env={**os.environ, "LD_LIBRARY_PATH": ":".join(folders)},
        capture_output=True,
        text=True,
        check=True,
    ).stdout
    if lacking := re.findall(r"(\S+) => not found", told):
        pytest.skip(f"{program.name} lacks {', '.join(lacking)}")
    return [Path(path) for path in re.findall(r"(/\S+) \(0x", told)]


def _lines(users: Mapping[str, int], line: str) -> str:
    return "".join(line.format(name=name, number=number) + "\n" for name, number in users.items())
