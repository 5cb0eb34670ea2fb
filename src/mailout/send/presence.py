"""Who is at work: a locked file per worker, so that a dead one's deliveries go on at once.

The lock is the operating system's and falls with the process, however it dies. Workers on
other machines are not seen here: theirs lapse by their lease.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path


def _folder(root: Path) -> Path:
    return root / "build" / "workers"


@contextmanager
def present(root: Path) -> Iterator[str]:
    """The name of a new worker of this site, present until the end of the block."""
    folder = _folder(root)
    folder.mkdir(parents=True, exist_ok=True)
    name = secrets.token_hex(8)
    path = folder / f"{name}.lock"
    handle = os.open(path, os.O_CREAT | os.O_RDWR, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield name
    finally:
        path.unlink(missing_ok=True)
        os.close(handle)


def dead_among(root: Path, workers: Iterable[str]) -> list[str]:
    """Those of the workers that worked on this machine and are gone."""
    dead = []
    for name in workers:
        path = _folder(root) / f"{name}.lock"
        if path.is_file() and _is_free(path):
            dead.append(name)
    return dead


def _is_free(path: Path) -> bool:
    handle = os.open(path, os.O_RDWR)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(handle)
    return True
