"""The file of a backup: tar in gzip, sealed or not, written and read as a stream.

Written under another name beside its own, and given its own when all of it is on the disk: so
there is a whole backup or none. Read from the beginning to the end in memory of a bounded size;
of tar only plain files are known, so nothing in a forged one can lead elsewhere.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import os
import secrets
import tarfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any, cast

from mailout.core import sealing
from mailout.core.backup import (
    ABOUT,
    MANIFEST,
    TAR_NAME,
    About,
    Manifest,
    Sum,
    as_bytes,
    read_about,
    read_manifest,
)
from mailout.core.errors import BadFile, MailoutError
from mailout.core.sealing import Seal, Sealer

_PIECE = 1024 * 1024
_MOST_AT_ONCE = 256 * 1024 * 1024  # of a member that is read as one: a part of a table has 4 MB
_LONGEST_NAME = 64 * 1024  # bytes of what tar says about a long name
_GZIP = b"\x1f\x8b"


@dataclass(slots=True)
class Writer:
    """A backup that is being written: add the members, then `finish`."""

    _tar: tarfile.TarFile
    _now: float
    _sums: dict[str, Sum] = field(default_factory=dict)

    def add(self, name: str, content: bytes) -> None:
        """Nothing, once the member is written."""
        self.add_stream(name, io.BytesIO(content), len(content), self._now, 0o600)

    def add_stream(
        self, name: str, source: IO[bytes], size: int, changed_at: float, mode: int
    ) -> None:
        """The same, for one of which only a piece at a time is in memory.

        Raises: MailoutError if there are fewer than `size` bytes.
        """
        told = tarfile.TarInfo(name)
        told.size, told.mtime, told.mode = size, int(changed_at), mode
        summing = _Summing(source)
        try:
            self._tar.addfile(told, cast(IO[bytes], summing))
        except OSError as error:
            if summing.is_short:
                raise MailoutError(
                    "the file was changed while it was read", where=name, fix="Begin again."
                ) from None
            raise error
        self._sums[name] = Sum(size, summing.hash.hexdigest())

    def finish(self, rows: dict[str, int], last_numbers: dict[str, int]) -> Manifest:
        """The manifest, which is written now as the last member."""
        manifest = Manifest(dict(self._sums), rows, last_numbers)
        self.add(MANIFEST, as_bytes(manifest))
        return manifest


@contextmanager
def written(path: Path, seal: Seal | None, now: float) -> Iterator[Writer]:
    """A new backup, which has its name once the block has ended, and is not there if it fails.

    Raises: MailoutError if there is such a file, or it cannot be written.
    """
    if path.exists() or path.is_symlink():
        raise MailoutError("there is such a file already", where=str(path), fix="Name another.")
    aside = path.with_name(f".{path.name}.{secrets.token_hex(4)}.part")
    try:
        handle = os.open(aside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            with os.fdopen(handle, "wb") as file:
                yield from _writing(file, seal, now)
                file.flush()
                os.fsync(file.fileno())
            os.rename(aside, path)
        except BaseException:
            aside.unlink(missing_ok=True)
            raise
        _flush_folder(path.parent)
    except OSError as error:
        raise MailoutError(
            f"the backup cannot be written: {error.strerror or error}",
            where=str(path),
            fix="Nothing of it is left. Make room, or name another place, and begin again.",
        ) from None


def _writing(file: IO[bytes], seal: Seal | None, now: float) -> Iterator[Writer]:
    outside: Any = file if seal is None else _Sealing(file, Sealer(seal))
    # No time in gzip's head, and a name that never tells the site's.
    with (
        gzip.GzipFile(TAR_NAME, "wb", compresslevel=6, fileobj=outside, mtime=0) as packed,
        tarfile.open(fileobj=packed, mode="w|", format=tarfile.PAX_FORMAT, bufsize=_PIECE) as tar,
    ):
        yield Writer(tar, now)
    if seal is not None:
        outside.finish()


class _Sealing:
    """Takes what gzip writes, and writes it sealed."""

    def __init__(self, file: IO[bytes], sealer: Sealer) -> None:
        self._file, self._sealer = file, sealer
        file.write(sealer.seal.head)

    def write(self, piece: bytes) -> int:
        self._file.write(self._sealer.update(bytes(piece)))
        return len(piece)

    def flush(self) -> None:
        self._file.flush()

    def finish(self) -> None:
        self._file.write(self._sealer.finish())


class _Summing:
    """Passes on what is read, and knows its hash."""

    def __init__(self, source: IO[bytes]) -> None:
        self._source = source
        self.hash = hashlib.sha256()
        self.is_short = False

    def read(self, size: int) -> bytes:
        piece = self._source.read(size)
        self.is_short = self.is_short or len(piece) < size
        self.hash.update(piece)
        return piece


def is_sealed(path: Path) -> bool:
    """Whether a passphrase is needed to read the backup. Raises: BadFile if it is none."""
    head = head_of(path)
    if head.startswith(sealing.MAGIC):
        return True
    if head.startswith(_GZIP) and TAR_NAME.encode() in head:
        return False
    if head and sealing.MAGIC.startswith(head[: len(sealing.MAGIC)]):
        raise BadFile("the backup is cut off", where=str(path), fix="Take another copy of it.")
    raise BadFile("this is no backup of mailout", where=str(path))


def head_of(path: Path) -> bytes:
    """The first bytes of a file. Raises: BadFile if it cannot be read."""
    try:
        with path.open("rb") as file:
            return file.read(64)
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=str(path)) from None


@dataclass(slots=True)
class Member:
    """A member that is being read; what is not read before the next one is passed over."""

    name: str
    size: int
    changed_at: float
    mode: int
    _source: _Summing

    def pieces(self) -> Iterator[bytes]:
        """All of it, piece by piece."""
        while piece := self._source.read(_PIECE):
            yield piece

    def whole(self) -> bytes:
        """All of it. Raises: BadFile if that is more than any of ours."""
        if self.size > _MOST_AT_ONCE:
            raise BadFile(f"`{self.name}` in the backup is larger than mailout writes any")
        return b"".join(self.pieces())

    def sum(self) -> Sum:
        """Its size and hash, once all of it is read."""
        for _ in self.pieces():
            pass
        return Sum(self.size, self._source.hash.hexdigest())


@dataclass(slots=True)
class Reader:
    """A backup that is being read: `about`, then `members`; after the last of them `manifest`."""

    about: About
    _about_sum: Sum
    _tar: tarfile.TarFile
    manifest: Manifest | None = None

    def members(self) -> Iterator[Member]:
        """The members between the first and the last, in their order.

        Raises: BadFile, at the end at the latest, if anything is not as it was written.
        """
        sums = {ABOUT: self._about_sum}
        for member in _members(self._tar):
            if member.name in sums:
                raise BadFile(f"`{member.name}` is in the backup twice")
            if member.name == MANIFEST:
                self.manifest = read_manifest(member.whole())
                break
            yield member
            sums[member.name] = member.sum()
        if self.manifest is None:
            raise _cut_off()
        if next(_members(self._tar), None) is not None:
            raise _goes_on()
        # The rest of the last block, which tar has read already, and gzip's own sum.
        rest = cast(IO[bytes], self._tar.fileobj)
        while piece := rest.read(_PIECE):
            if piece.strip(b"\0"):
                raise _goes_on()
        self._compare(sums)

    def _compare(self, sums: dict[str, Sum]) -> None:
        assert self.manifest is not None  # noqa: S101 - just read
        wanted = self.manifest.members
        for name in sorted(sums.keys() | wanted.keys()):
            if sums.get(name) != wanted.get(name):
                what = "missing from" if name not in sums else "not as it was written in"
                raise BadFile(f"`{name}` is {what} the backup", fix="Take another copy of it.")


@contextmanager
def opened(path: Path, passphrase: str) -> Iterator[Reader]:
    """A backup, to be read from its beginning to its end.

    Raises: BadFile if it is none or damaged, MailoutError for a wrong passphrase.
    """
    sealed = is_sealed(path)
    try:
        with path.open("rb") as file:
            outside: Any = file
            if sealed:
                seal = sealing.open_seal(file.read(sealing.HEAD), passphrase)
                outside = io.BufferedReader(_Unsealing(seal, file), _PIECE)
            with (
                io.BufferedReader(_Unpacking(outside), _PIECE) as packed,
                tarfile.open(fileobj=packed, mode="r|", tarinfo=_PlainFile, bufsize=_PIECE) as tar,
            ):
                first = next(_members(tar), None)
                if first is None or first.name != ABOUT:
                    raise BadFile("this is no backup of mailout")
                about = read_about(first.whole())
                yield Reader(about, first.sum(), tar)
    except BadFile as error:
        raise BadFile(error.what, where=error.where or str(path), fix=error.fix) from None
    except (EOFError, tarfile.ReadError):
        raise BadFile(_cut_off().what, where=str(path), fix=_cut_off().fix) from None
    except tarfile.TarError as error:
        raise BadFile(_damaged(error).what, where=str(path), fix=_damaged(error).fix) from None


def _cut_off() -> BadFile:
    return BadFile("the backup is cut off", fix="Take another copy of it.")


def _goes_on() -> BadFile:
    return BadFile("the backup goes on after its end", fix="Take another copy of it.")


def _damaged(error: Exception) -> BadFile:
    return BadFile(f"the backup is damaged: {error}", fix="Take another copy of it.")


def _members(tar: tarfile.TarFile) -> Iterator[Member]:
    while (told := tar.next()) is not None:
        tar.members = []  # type: ignore[attr-defined]  # or else it remembers them all
        source = tar.extractfile(told)
        assert source is not None  # noqa: S101 - it is a plain file
        yield Member(told.name, told.size, float(told.mtime), told.mode, _Summing(source))


class _PlainFile(tarfile.TarInfo):
    """A member of tar that is a plain file, or what tar says of one with a long name."""

    @classmethod
    def frombuf(cls, buf: bytes | bytearray, encoding: str, errors: str) -> _PlainFile:
        found = super().frombuf(buf, encoding, errors)
        fits = found.type == tarfile.REGTYPE or (
            found.type == tarfile.XHDTYPE and found.size <= _LONGEST_NAME
        )
        if not fits or found.size < 0:
            raise BadFile("there is something in the backup that mailout never writes")
        return found


class _Unpacking(io.RawIOBase):
    """One stream of gzip, read as what was packed. `gzip` itself would go on with a second one,
    which no sum of ours knows of."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file
        self._way = zlib.decompressobj(zlib.MAX_WBITS | 16)  # with gzip's head and sum

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        while not self._way.eof:
            packed = self._way.unconsumed_tail or self._file.read(_PIECE)
            if not packed:
                raise EOFError
            try:
                piece = self._way.decompress(packed, len(target))
            except zlib.error as error:
                raise _damaged(error) from None  # of which tarfile would make a file cut off
            if piece:
                target[: len(piece)] = piece
                return len(piece)
        if self._way.unused_data or self._file.read(1):
            raise _goes_on()
        return 0


class _Unsealing(io.RawIOBase):
    """A sealed file, read as what was sealed."""

    def __init__(self, seal: Seal, file: IO[bytes]) -> None:
        self._blocks = sealing.unsealed(seal, file.read)
        self._rest = memoryview(b"")

    def readable(self) -> bool:
        return True

    def readinto(self, target: Any) -> int:
        if not self._rest:
            self._rest = memoryview(next(self._blocks, b""))
        size = min(len(target), len(self._rest))
        target[:size] = self._rest[:size]
        self._rest = self._rest[size:]
        return size


def _flush_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
