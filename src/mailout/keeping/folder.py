"""A site's folder: which of its files a backup holds, and what it leaves out and why.

| left out | why |
|---|---|
| `build/`, the store's file, environments, caches, locks | made again, or held in another way |
| hidden files, but for those that git reads | `.git/` has its own copies |
| `people/`, tables of people (`.csv`, `.tsv`, `.xlsx`) | copies would outlive an erasure |
| links | they may lead out of the site |
| keys, unless the backup is sealed | whoever has them can pass for us |
"""

from __future__ import annotations

import os
import stat
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO

from mailout.core import sealing
from mailout.core.backup import TAR_NAME, is_fit
from mailout.core.errors import MailoutError
from mailout.core.site import Site

KEYS = "keys.toml"
_MADE = frozenset({"node_modules", "__pycache__"})
_TABLES = (".csv", ".tsv", ".xlsx")
_PASSING = (".lock", ".pid", ".pyc", ".part", ".swp", "~")
_SECRET = (".pem", ".key")
_SQLITE = b"SQLite format 3\0"
_STORE = ("-wal", "-shm", "-journal")

MADE = "can be made again"
PEOPLE = "tables of people"
LINKS = "links"
HIDDEN = "hidden"
SECRETS = "keys"
BACKUPS = "backups and copies of a store"
OTHERS = "neither files nor folders"


@dataclass(frozen=True, slots=True)
class Found:
    """A file of the site, open for reading. `path` is relative to the site."""

    path: str
    file: IO[bytes]
    size: int
    changed_at: float
    mode: int


@dataclass(slots=True)
class Folder:
    """A site's folder; with `secrets` its keys, too. `left_out` counts what is not held."""

    site: Site
    keys_file: Path
    secrets: bool
    left_out: Counter[str] = field(default_factory=Counter)
    links: list[str] = field(default_factory=list)

    def files(self) -> Iterator[Found]:
        """The files, the keys first; each is closed when the next is asked for.

        Raises: MailoutError for one that cannot be read.
        """
        if self.secrets:
            yield from _open_as(KEYS, self.keys_file)
        for folder, folders, names, handle in os.fwalk(self.site.root, onerror=_refuse):
            at = os.path.relpath(folder, self.site.root)
            prefix = "" if at == "." else f"{at}/"
            folders[:] = sorted(
                name for name in folders if self._is_walked(prefix + name, name, handle)
            )
            for name in sorted(names):
                yield from self._opened(prefix + name, name, handle)

    def _is_walked(self, path: str, name: str, handle: int) -> bool:
        if why := self._why_no_folder(path, name, handle):
            self._leave_out(path, why)
        return not why

    def _why_no_folder(self, path: str, name: str, handle: int) -> str:
        if stat.S_ISLNK(os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode):
            return LINKS
        if path == "build" or name in _MADE or _is_there(f"{name}/pyvenv.cfg", handle):
            return MADE
        if path == "people":
            return PEOPLE
        if path == "dkim" and not self.secrets:
            return SECRETS
        return "" if is_fit(path) and _is_text(path) else HIDDEN

    def _opened(self, path: str, name: str, handle: int) -> Iterator[Found]:
        if path == KEYS:
            if not self.secrets:
                self._leave_out(path, SECRETS)
            return
        if why := self._why_no_file(path, name):
            self._leave_out(path, why)
            return
        try:
            # Not to be led elsewhere by a link, nor to wait for a pipe.
            opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=handle)
        except OSError as error:
            if stat.S_ISLNK(_mode(name, handle)):
                self._leave_out(path, LINKS)
                return
            if not stat.S_ISREG(_mode(name, handle)):
                self._leave_out(path, OTHERS)
                return
            raise _unreadable(str(self.site.root / path), error) from None
        with os.fdopen(opened, "rb") as file:
            told = os.fstat(file.fileno())
            if not stat.S_ISREG(told.st_mode):
                self._leave_out(path, OTHERS)
            elif _is_backup(file):
                self._leave_out(path, BACKUPS)
            else:
                yield _found(path, file, told)

    def _why_no_file(self, path: str, name: str) -> str:
        if not self.secrets and (name.endswith(_SECRET) or path in self._key_files):
            return SECRETS
        if path in self._store_files or name.endswith(_PASSING):
            return MADE
        if name.lower().endswith(_TABLES):
            return PEOPLE
        return "" if is_fit(path) and _is_text(path) else HIDDEN

    def _leave_out(self, path: str, why: str) -> None:
        self.left_out[why] += 1
        if why == LINKS:
            self.links.append(path)

    @property
    def _key_files(self) -> Sequence[str]:
        return [os.path.normpath(one.path) for one in self.site.dkim]

    @property
    def _store_files(self) -> Sequence[str]:
        url = self.site.store.url
        if not url.startswith("sqlite"):
            return ()
        path = self.site.root / (url.partition("///")[2].partition("?")[0] or "mailout.db")
        at = os.path.relpath(path, self.site.root)
        return (at, *(at + ending for ending in _STORE))


def keys_outside(site: Site) -> list[str]:
    """The keys that the settings name outside of the site: no backup holds them."""
    root = os.path.realpath(site.root)
    return [
        one.path
        for one in site.dkim
        if not os.path.realpath(site.root / one.path).startswith(root + os.sep)
    ]


def _open_as(path: str, where: Path) -> Iterator[Found]:
    try:
        with where.open("rb") as file:
            told = os.fstat(file.fileno())
            yield _found(path, file, told)
    except OSError as error:
        raise _unreadable(str(where), error) from None


def _found(path: str, file: IO[bytes], told: os.stat_result) -> Found:
    return Found(path, file, told.st_size, told.st_mtime, stat.S_IMODE(told.st_mode))


def _is_backup(file: IO[bytes]) -> bool:
    head = file.read(64)
    file.seek(0)
    return head.startswith((sealing.MAGIC, _SQLITE)) or TAR_NAME.encode() in head


def _is_text(path: str) -> bool:
    try:
        path.encode()
    except UnicodeEncodeError:
        return False
    return True


def _is_there(name: str, handle: int) -> bool:
    return bool(_mode(name, handle))


def _mode(name: str, handle: int) -> int:
    try:
        return os.stat(name, dir_fd=handle, follow_symlinks=False).st_mode
    except OSError:
        return 0


def _refuse(error: OSError) -> None:
    raise _unreadable(str(error.filename), error)


def _unreadable(where: str, error: OSError) -> MailoutError:
    return MailoutError(f"cannot be read: {error.strerror}", where=where)
