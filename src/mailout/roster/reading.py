"""CSV and TSV files as other programs write them: bytes in, rows with their line numbers out.

Excel's byte order mark with semicolons and CRLF, UTF-16, cp1251, ragged rows, a quotation
mark that is never closed: each is either read as it was meant or reported with its line,
and one broken row never takes its neighbours with it.

Standards: RFC 4180 (CSV), where the writer kept it.
"""

from __future__ import annotations

import csv
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, BinaryIO, NamedTuple

from mailout.core.errors import BadFile, place

if TYPE_CHECKING:
    from mailout.roster.source import Source

MAX_CELL = 10_000
"""Characters of a cell; a longer one is a mistake of the program that wrote the file."""

DELIMITERS = (",", ";", "\t", "|")
_MAX_RECORD = 200_000  # characters of a row over all its lines: then a quote was left open
_BLOCK = 1 << 16
_CHUNK = 1 << 16  # characters
_OPEN = "a quotation mark is opened in this row and not closed"
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)

Chooses = Callable[[list[str]], int]
"""How well a header's cells fit: 0 if no column could be the address."""


class Row(NamedTuple):
    """A row of cells and the line (from 1) on which it begins."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A row (the line on which it begins) that cannot be taken, the offending value, and why;
    its cells, as far as it has any."""

    row: int
    value: str
    why: str
    cells: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Table:
    """A file read as far as its header; `rows` yields the rest, once. `says` is what the
    report has to tell of the file as a whole."""

    header: Row
    delimiter: str
    rows: Iterator[Row | Broken]
    says: tuple[str, ...] = ()


def read(source: Source, fits: Chooses, delimiter: str = "") -> Table:
    """The table in the file; of the delimiters the one whose header fits best.

    Raises: BadFile if there is nothing in it.
    """
    lines = _Lines(source)
    first = _first_line(lines)
    named = _SEPARATOR_LINE.fullmatch(first)
    if named and fits([first]) == 0:  # Excel's own way to name the delimiter
        delimiter = delimiter or named[1]
        lines.taken.clear()
        first = _first_line(lines)
    elif not delimiter:
        delimiter = max(DELIMITERS, key=lambda mark: _fit(first, mark, fits))
    if "\0" in first:
        raise BadFile(
            "the file holds zero bytes",
            where=place(source.shown, lines.number or 1),
            fix="If it is UTF-16, say --encoding utf-16-le or utf-16-be.",
        )
    lines.push_back(1)
    rows = _rows(lines, delimiter)
    header = next(rows, None)
    if header is None:
        raise BadFile("the file is empty", where=source.shown)
    if isinstance(header, Broken):
        raise BadFile(header.why, where=place(source.shown, header.row))
    return Table(header, delimiter, _all(rows, lines, len(header.cells), delimiter))


def text_lines(source: Source) -> Iterator[tuple[int, str]]:
    """Every line of the file with its number (from 1), of a monstrous one the beginning."""
    lines = _Lines(source)
    while True:
        lines.begin()
        number = lines.number + 1
        line = next(lines, None)
        if line is None:
            return
        if is_cut(line):
            lines.skip_rest()
        yield number, line


def is_cut(line: str) -> bool:
    """Whether this is the beginning of a monstrous line, all that `text_lines` gives of it."""
    return not _ends(line) and len(line) >= _MAX_RECORD


def shown(value: str, most: int = 80) -> str:
    """A value for a screen or a report: one line, no controls, at most `most` characters."""
    clean = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value[: most + 1])
    return clean if len(clean) <= most else clean[: most - 1] + "…"


class _Lines:
    """The file's physical lines, those of the record under way kept to be read again."""

    def __init__(self, source: Source) -> None:
        source.file.seek(source.skip)
        self.text = io.TextIOWrapper(
            io.BufferedReader(_Open(source.file), _BLOCK), encoding=source.encoding, newline=""
        )
        self.source = source
        self.waiting: deque[str] = deque()
        self.taken: list[str] = []
        self.length = 0
        self.number = 0
        self.ended = False

    def __iter__(self) -> _Lines:
        return self

    def __next__(self) -> str:
        if self.length > _MAX_RECORD:
            raise _TooLong
        line = self.waiting.popleft() if self.waiting else self._read()
        if not line:
            self.ended = True
            raise StopIteration
        self.number += _ends(line)
        self.taken.append(line)
        self.length += len(line)
        return line

    def _read(self) -> str:
        try:
            # A line without end would fill the memory; its parts are refused as too long.
            return self.text.readline(_MAX_RECORD)
        except UnicodeError:
            raise BadFile(
                "the file was changed while it was read", where=self.source.shown
            ) from None

    def chunk(self, width: int, delimiter: str) -> list[Row] | None:
        """The next thousand rows, if all of them are plain: a line each, as wide as the header.

        If not, None, and their lines wait to be read one by one. None, too, at the end.
        """
        try:
            text = self.text.read(_CHUNK)
            text += self.text.readline(_MAX_RECORD)
        except UnicodeError:
            raise BadFile(
                "the file was changed while it was read", where=self.source.shown
            ) from None
        plain = text.replace("\r\n", "\n")
        lines = plain.split("\n")
        if not lines[-1]:
            lines.pop()
        if "\r" not in plain and "\0" not in plain and max(map(len, lines), default=0) < MAX_CELL:
            try:
                rows = list(csv.reader(lines, delimiter=delimiter))
            except csv.Error:
                rows = []
            if len(rows) == len(lines) and {0, width}.issuperset(map(len, rows)):
                found = [
                    Row(number, tuple(cells))
                    for number, cells in enumerate(rows, self.number + 1)
                    if cells and ((cells[0] and not cells[0].isspace()) or _any(cells))
                ]
                self.number += len(lines)
                return found if lines else None
        self.waiting.extend(io.StringIO(text, newline=""))
        return None

    def begin(self) -> None:
        self.taken.clear()
        self.length = 0

    def skip_rest(self) -> None:
        """Reads on to the end of a monstrous line."""
        self.begin()
        for part in self:
            if _ends(part):
                return
            self.begin()

    def push_back(self, count: int) -> None:
        """The last `count` lines of the record are read again."""
        if count:
            again = self.taken[-count:]
            self.waiting.extendleft(reversed(again))
            self.number -= sum(map(_ends, again))
            self.ended = False


def _ends(line: str) -> bool:
    """Whether this is the end of a line, not a part of a monstrous one."""
    return line.endswith(("\n", "\r"))


class _TooLong(Exception):
    """A record went on for too many characters."""


class _Open(io.RawIOBase):
    """The source's file, left open when the text reader over it is thrown away."""

    def __init__(self, file: BinaryIO) -> None:
        self.file = file

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        block = self.file.read(len(buffer))
        buffer[: len(block)] = block
        return len(block)


def _first_line(lines: _Lines) -> str:
    """The first line with anything on it."""
    for line in lines:
        if line.strip():
            return line
        lines.begin()
    raise BadFile("the file is empty", where=lines.source.shown)


def _fit(line: str, delimiter: str, fits: Chooses) -> tuple[int, int]:
    try:
        cells = next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return 0, 0
    return fits(cells), len(cells)


def _rows(lines: _Lines, delimiter: str) -> Iterator[Row | Broken]:
    """Every row that is not blank, numbered by the line on which it begins."""
    reader = csv.reader(lines, delimiter=delimiter)
    while True:
        lines.begin()
        number = lines.number + 1
        why = _OPEN
        try:
            cells = next(reader)
        except StopIteration:
            return
        except _TooLong:
            cells = None
        except csv.Error:
            cells = None
            if len(lines.taken) == 1:
                why = f"a cell is longer than {MAX_CELL} characters"
        last = lines.taken[-1] if lines.taken else "\n"
        if not _ends(last) and len(last) >= _MAX_RECORD and not lines.ended:
            value = shown(lines.taken[0].strip())
            lines.skip_rest()
            yield Broken(number, value, f"a row of more than {_MAX_RECORD} characters", (value,))
            continue
        if cells is None or (lines.ended and lines.taken):
            # What the open quote swallowed are rows of their own.
            value = shown(lines.taken[0].strip()) if lines.taken else ""
            monstrous = bool(lines.taken) and not _ends(lines.taken[0])
            lines.push_back(len(lines.taken) - 1)
            if monstrous:
                lines.skip_rest()  # one row, however many parts it was read in
            yield Broken(number, value, why, (value,))
            continue
        if _any(cells):
            yield Row(number, tuple(cells))


def _any(cells: list[str]) -> bool:
    """Whether there is anything in a row."""
    return any(map(str.strip, cells))


def _all(
    rows: Iterator[Row | Broken], lines: _Lines, width: int, delimiter: str
) -> Iterator[Row | Broken]:
    """The rows, thousands at a time where nothing is odd, else with a look at each."""
    while True:
        if not lines.waiting:
            plain = lines.chunk(width, delimiter)
            if plain is not None:
                yield from plain
                continue
            if not lines.waiting:
                return
        row = next(rows, None)
        if row is None:
            return
        yield row if isinstance(row, Broken) else _even(row, lines, width, delimiter)


def _even(row: Row, lines: _Lines, width: int, delimiter: str) -> Row | Broken:
    """The row, refused if it has not the header's number of cells or a monstrous one."""
    if not _swallowed_one(lines.taken, width, delimiter):
        return _checked(row, lines, width)
    value = shown(lines.taken[0].strip())
    lines.push_back(len(lines.taken) - 1)
    return Broken(row.number, value, _OPEN, (value,))


def _swallowed_one(taken: list[str], width: int, delimiter: str) -> bool:
    """Whether one of a row's further lines is a row of its own: with an address and as wide."""
    lines = taken[1:]
    if width == 1 and lines and _is_whole(taken, delimiter):
        return False  # every line is as wide as a file of one column: its quotes decide
    return any(
        _ADDRESS.search(line) and len(next(csv.reader([line], delimiter=delimiter), [])) == width
        for line in lines
        if len(line) < MAX_CELL
    )


def _is_whole(taken: list[str], delimiter: str) -> bool:
    """Whether the lines are one row whose quotation marks all stand where they should."""
    try:
        return len(list(csv.reader(taken, delimiter=delimiter, strict=True))) == 1
    except csv.Error:
        return False


def _checked(row: Row, lines: _Lines, width: int) -> Row | Broken:
    cells = row.cells
    if len(cells) != width:
        # A quote closed lines later by another row's quote: only this line is refused.
        lines.push_back(len(lines.taken) - 1)
        value = shown(lines.taken[0].strip())
        why = f"{len(cells)} cells, where the first line has {width}"
        return Broken(row.number, value, why, cells[: 2 * width])
    for cell in cells:
        if len(cell) > MAX_CELL:
            why = f"a cell of {len(cell)} characters (at most {MAX_CELL})"
            return Broken(row.number, shown(cell), why, tuple(one[:MAX_CELL] for one in cells))
        if "\0" in cell:
            return Broken(row.number, shown(cell), "a zero byte in a cell", cells)
    return row
