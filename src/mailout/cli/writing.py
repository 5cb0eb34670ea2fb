"""Files of people: written for their owner alone, and never over another file."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from mailout.core.errors import MailoutError, UsageError


@contextmanager
def own_file(output: str) -> Iterator[BinaryIO]:
    """A new file that its owner alone can read; it is gone if what is written fails.

    Raises: MailoutError if there is such a file or it cannot be written.
    """
    if output == "-":
        raise UsageError("`-` is no file", fix="Name a new one.")
    path = Path(output)
    try:
        handle = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        raise MailoutError("there is such a file already", where=output) from None
    except OSError as error:
        raise MailoutError(f"cannot be written: {error.strerror}", where=output) from None
    try:
        with os.fdopen(handle, "w+b", buffering=1 << 16) as file:
            yield file
    except BaseException:
        path.unlink(missing_ok=True)
        raise


def write_lines(lines: Iterable[str], output: str) -> None:
    """Nothing, once the lines are in a new file. Raises: MailoutError."""
    with own_file(output) as file:
        for line in lines:
            file.write(line.encode())
