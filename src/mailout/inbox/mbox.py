"""An mbox file: many mails in one, told apart by lines that begin with `From `.

Read whole each time under both locks that mail servers use (a lock of the system, and a file
`NAME.lock`), and not changed; `Keep` knows what it has. Only with `empty` it is emptied once all of
it is kept, still under the locks.

Standards: RFC 4155 (the format, and how little is agreed on).
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import BinaryIO

from mailout.core.arrival import Arrival, Keep
from mailout.core.errors import BadFile, MailoutError, TryLater
from mailout.inbox.batch import Came, batched

_QUOTED = re.compile(rb">+From ")
_LONGEST_LINE = 65536  # read so much at once; a longer line goes on
_PATIENCE = 10.0  # seconds to wait for a lock
_LOOK_AGAIN = 0.1


def fetch(path: str, keep: Keep, most: int, *, empty: bool = False) -> Iterator[Came]:
    """What came in, a batch after the other; of each mail the first `most` bytes. A file that is
    not there yet holds nothing.

    Raises: BadFile if this is no mbox; TryLater if it is locked; whatever `keep` raises.
    """
    try:
        opened = open(path, "r+b" if empty else "rb")  # noqa: SIM115 - closed below
    except FileNotFoundError:
        return
    except OSError as error:
        raise MailoutError(f"cannot be opened: {error.strerror}", where=path) from None
    with opened as file, _locked(file, path, change=empty):
        for batch in batched((None, Arrival(raw, "mbox")) for raw in mails(file, path, most)):
            new = keep([arrival for _, arrival in batch])
            yield Came(path, len(batch), new)
        # A program that knows no lock may have added something.
        if empty and os.fstat(file.fileno()).st_size == file.tell():
            file.truncate(0)


def mails(file: BinaryIO, shown: str, most: int) -> Iterator[bytes]:
    """The mails of an mbox file, without the lines between them. Raises: BadFile if it is none."""
    mail: bytearray | None = None
    blank, whole = True, True  # was the line before empty; did it end
    for line in iter(lambda: file.readline(_LONGEST_LINE), b""):
        if whole and blank and line.startswith(b"From "):
            if mail is not None:
                yield _without_last_line(mail, most)
            mail = bytearray()
        elif mail is None:
            if line.strip():
                raise BadFile("this is no mbox: it does not begin with `From `", where=shown)
        elif len(mail) <= most:
            # What looked like such a line was quoted when it was put here.
            mail += line[1:] if whole and _QUOTED.match(line) else line
        blank = whole and line in (b"\n", b"\r\n")
        whole = line.endswith(b"\n")
    if mail is not None:
        yield _without_last_line(mail, most)


def _without_last_line(mail: bytearray, most: int) -> bytes:
    """The mail without the empty line that every mbox puts behind one."""
    if len(mail) <= most:
        for end in (b"\n\r\n", b"\n\n"):
            if mail.endswith(end):
                return bytes(mail[: 1 - len(end)])
    return bytes(mail[:most])


@contextmanager
def _locked(file: BinaryIO, path: str, *, change: bool) -> Iterator[None]:
    """While the block lasts, no mail server writes to the file. Raises: TryLater."""
    until = time.monotonic() + _PATIENCE
    with _lock_file(f"{path}.lock", until):
        while True:
            try:
                fcntl.lockf(file, (fcntl.LOCK_EX if change else fcntl.LOCK_SH) | fcntl.LOCK_NB)
                break
            except OSError:
                _wait(until, path, "another program keeps it locked")
        try:
            yield
        finally:
            fcntl.lockf(file, fcntl.LOCK_UN)


@contextmanager
def _lock_file(path: str, until: float) -> Iterator[None]:
    while True:
        try:
            os.close(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644))
            break
        except FileExistsError:
            _wait(until, path, "another program has left its lock")
        except OSError:
            # Not our folder, such as /var/mail: the system's lock has to do.
            yield
            return
    try:
        yield
    finally:
        with contextlib.suppress(FileNotFoundError):
            os.unlink(path)


def _wait(until: float, path: str, why: str) -> None:
    if time.monotonic() >= until:
        raise TryLater(why, where=path, fix="Try again later.")
    time.sleep(_LOOK_AGAIN)
