"""A Maildir: one file a mail, no locks.

What is new is in `new`; mail programs move what they have seen a list of to `cur`, so what has no
flag for seen there is new as well. `tmp` is not looked at. Once kept, a mail is in `cur` with that
flag. A folder within is a Maildir of its own, and is named by its own path (`Maildir/.Bounces`).

Others work here at the same time: a file may vanish or change its name at any moment.

Standards: https://cr.yp.to/proto/maildir.html
"""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterator

from mailout.core.arrival import Arrival, Keep
from mailout.core.errors import MailoutError
from mailout.inbox.batch import Came, batched

_SEEN = b"S"
_INFO = b":2,"


def fetch(path: str, keep: Keep, most: int) -> Iterator[Came]:
    """What came in, a batch after the other; of each mail the first `most` bytes.

    Raises: MailoutError if this is no Maildir, or, once all others are kept, if a mail cannot be
    read; whatever `keep` raises.
    """
    folder = os.fsencode(path)
    unread: list[MailoutError] = []
    for batch in batched(_unseen(folder, path, most, unread)):
        new = keep([arrival for _, arrival in batch])
        for file, _ in batch:
            _mark(folder, file)
        yield Came(path, len(batch), new)
    if unread:
        raise unread[0]


def _unseen(
    folder: bytes, shown: str, most: int, unread: list[MailoutError]
) -> Iterator[tuple[bytes, Arrival]]:
    for part in (b"new", b"cur"):
        for name in _names(os.path.join(folder, part), shown):
            if part == b"cur" and _SEEN in _flags(name):
                continue
            file = os.path.join(folder, part, name)
            try:
                raw = _read(file, most)
            except OSError as error:
                name_shown = file.decode("utf-8", "backslashreplace")
                unread.append(MailoutError(f"cannot be read: {error.strerror}", where=name_shown))
                continue
            if raw is not None:
                yield file, Arrival(raw, "maildir")


def _names(folder: bytes, shown: str) -> list[bytes]:
    """The names of the mails in a folder, the oldest first as far as names tell."""
    try:
        with os.scandir(folder) as entries:
            return sorted(
                entry.name
                for entry in entries
                if not entry.name.startswith(b".") and entry.is_file(follow_symlinks=False)
            )
    except (FileNotFoundError, NotADirectoryError):
        raise MailoutError(
            f"this is no Maildir: it has no folder `{os.path.basename(folder).decode()}`",
            where=shown,
            fix="Name the folder that holds `new`, `cur` and `tmp`.",
        ) from None
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=shown) from None


def _read(file: bytes, most: int) -> bytes | None:
    """The first bytes of a mail; None if it is gone. Raises: OSError."""
    try:
        # A link or a pipe that somebody put there is not followed or waited for.
        handle = os.open(file, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return None
    with os.fdopen(handle, "rb") as opened:
        return opened.read(most)


def _mark(folder: bytes, file: bytes) -> None:
    """Moves a mail to `cur`, as seen; another one of that name is not written over."""
    name = os.path.basename(file)
    stem = name.partition(_INFO)[0]
    flags = bytes(sorted({*_flags(name), *_SEEN}))
    target = os.path.join(folder, b"cur", stem + _INFO + flags)
    # Gone by now: somebody else took it, and it is kept.
    with contextlib.suppress(FileNotFoundError):
        if not os.path.lexists(target):
            _rename(file, target)


def _rename(file: bytes, target: bytes) -> None:
    try:
        os.rename(file, target)
    except PermissionError as error:
        raise MailoutError(
            f"kept, but cannot be moved to `cur`: {error.strerror}",
            where=os.path.dirname(target).decode("utf-8", "backslashreplace"),
            fix="Run this as the user whose mail it is.",
        ) from None


def _flags(name: bytes) -> bytes:
    return name.partition(_INFO)[2]
