"""Mending: the rows that were refused, in a file to be put right and imported again.

It has the columns of the imported file, and two more that say where each row was and why it
was refused; the import passes those over. It holds addresses: only its owner can read it.

Standards: RFC 4180 (CSV).
"""

from __future__ import annotations

import csv
import os
from pathlib import Path
from typing import Self, TextIO

from mailout.core.errors import MailoutError
from mailout.roster.exporting import harmless
from mailout.roster.reading import Broken


class Mend:
    """A file for refused rows, made with the first of them.

    Raises: MailoutError, when made, if there is such a file already.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.file: TextIO | None = None
        self.header: tuple[str, ...] = ()
        if self.path.exists():
            raise MailoutError("there is such a file already", where=path)
        if not self.path.absolute().parent.is_dir():
            raise MailoutError("cannot be written: there is no such folder", where=path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()

    def add(self, broken: Broken) -> None:
        """Nothing, once the row stands in the file, with its place and why it was refused."""
        if self.file is None:
            self.file = self._opened()
        # A ragged row stays ragged: filled up, its cells might say what they never said.
        cells = broken.cells or (broken.value,)
        row = [str(broken.row), broken.why, *map(harmless, cells)]
        csv.writer(self.file).writerow(row)

    def _opened(self) -> TextIO:
        try:
            handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        except OSError as error:
            raise MailoutError(
                f"cannot be written: {error.strerror}", where=str(self.path)
            ) from None
        file = os.fdopen(handle, "w", encoding="utf-8", newline="")
        csv.writer(file).writerow(["mailout row", "mailout why", *self.header])
        return file
