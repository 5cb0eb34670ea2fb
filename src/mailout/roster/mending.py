"""Files beside an import: what became of each row, and the refused ones to be mended.

The mend file has the columns of the imported one, and two more that say where each row was and
why it was refused; the import passes those over, so that it can be put right and imported again.
What the imported file's name or an option said of everybody stands in a third one, since the mend
file has another name: whoever left has left in it, too.
The row report has a line for each row. Both hold addresses: only their owner can read them.

Standards: RFC 4180 (CSV).
"""

from __future__ import annotations

import csv
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Self, TextIO

from mailout.core.errors import MailoutError, UsageError
from mailout.roster.exporting import harmless
from mailout.roster.reading import Broken

STATUS = "mailout status"
"""The column of a mend file for what was said of everybody in the imported one."""


def require_two_files(mend: str | None, rows: str | None) -> None:
    """Nothing, if both can be written. Raises: UsageError for one file for both, and for `-`: what
    the screen shows is the report."""
    for option, path in (("--mend", mend), ("--report", rows)):
        if path == "-":
            raise UsageError("`-` is no file", where=option, fix="Name a new one, as rows.csv.")
    if mend and rows and os.path.realpath(mend) == os.path.realpath(rows):
        raise UsageError(
            f"{mend} cannot be both",
            where="--mend and --report",
            fix="Name two files: the one is to be mended, the other to be read.",
        )


class OwnFile:
    """A CSV file that only its owner can read, made with its first line.

    Raises: MailoutError, when made, if there is such a file already.
    """

    def __init__(self, path: str) -> None:
        self.path = Path(path)
        self.file: TextIO | None = None
        if self.path.exists():
            raise MailoutError("there is such a file already", where=path)
        if not self.path.absolute().parent.is_dir():
            raise MailoutError("cannot be written: there is no such folder", where=path)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.file is not None:
            self.file.close()

    def write(self, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Nothing, once the rows stand in the file, below the header. Raises: MailoutError."""
        if not rows:
            return
        try:
            if self.file is None:
                handle = os.open(self.path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
                self.file = os.fdopen(handle, "w", encoding="utf-8", newline="")
                csv.writer(self.file).writerow(header)
            csv.writer(self.file).writerows(rows)
        except OSError as error:
            raise MailoutError(
                f"cannot be written: {error.strerror}", where=str(self.path)
            ) from None


class Mend(OwnFile):
    """A file for refused rows; `header` are the columns of the imported one, and `status` the word
    for what was said of everybody in it."""

    FRONT = ("mailout row", "mailout why")
    header: tuple[str, ...] = ()
    status = ""

    def add(self, broken: Broken) -> None:
        """Nothing, once the row stands in the file, with its place and why it was refused."""
        # A ragged row stays ragged: filled up, its cells might say what they never said.
        cells, header = broken.cells or (broken.value,), self.header
        if header[: len(self.FRONT)] == self.FRONT:  # a mend file that is mended once more
            header = header[len(self.FRONT) :]
            cells = cells[len(self.FRONT) :] if len(cells) > len(self.FRONT) else cells
        front, said = [*self.FRONT], [str(broken.row), broken.why]
        if self.status:
            front.append(STATUS)
            said.append(self.status)
        self.write([*front, *header], [[*said, *map(harmless, cells)]])


class RowReport(OwnFile):
    """A file with what became of every row, in the order of the rows."""

    HEADER = ("row", "address", "became", "why")

    def __init__(self, path: str) -> None:
        super().__init__(path)
        self.became: list[tuple[int, str, str, str]] = []
        self.told: dict[int, list[str]] = {}

    def add(self, row: int, address: str, became: str, why: str = "") -> None:
        """Nothing, once it is known what became of a row."""
        self.became.append((row, address, became, why))

    def tell(self, row: int, why: str) -> None:
        """Nothing, once something is told of a row that goes in."""
        self.told.setdefault(row, []).append(why)

    def flush(self) -> None:
        """Nothing, once the rows of a chunk stand in the file."""
        rows = [
            [str(row), harmless(address), became, "; ".join(filter(None, [why, *self.of(row)]))]
            for row, address, became, why in sorted(self.became)
        ]
        self.write(self.HEADER, rows)
        self.became.clear()
        self.told.clear()

    def of(self, row: int) -> list[str]:
        """What was told of a row."""
        return self.told.get(row, [])
