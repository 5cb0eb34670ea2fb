"""CSV and TSV files as other programs write them: bytes in, rows with their line numbers out.

Excel's byte order mark with semicolons and CRLF, UTF-16, cp1251, ragged rows, a quotation
mark that is never closed: each is either read as it was meant or reported with its line,
and one broken row never takes its neighbours with it.

Standards: RFC 4180 (CSV), where the writer kept it.
"""

from __future__ import annotations

import codecs
import csv
import hashlib
import io
import re
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from mailout.core.errors import BadFile, UsageError, place
from mailout.core.ingest.charset import BOMS

MAX_CELL = 10_000
"""Characters of a cell; a longer one is a mistake of the program that wrote the file."""

DELIMITERS = (",", ";", "\t")
_MAX_RECORD = 200_000  # characters of a row over all its lines: then a quote was left open
_BLOCK = 1 << 16
_OPEN = "a quotation mark is opened in this row and not closed"
_ADDRESS = re.compile(r"[^\s@]@[^\s@]+\.[^\s@]")
_SEPARATOR_LINE = re.compile(r"sep=([,;\t|])\s*", re.IGNORECASE)
# Python knows these as encodings of text; no file is written in them.
_NOT_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})

Chooses = Callable[[list[str]], int]
"""How well a header's cells fit: 0 if no column could be the address."""


@dataclass(frozen=True, slots=True)
class Row:
    """A row of cells and the line (from 1) on which it begins."""

    number: int
    cells: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Broken:
    """A row (the line on which it begins) that cannot be taken, the offending value, and why."""

    row: int
    value: str
    why: str


@dataclass(frozen=True, slots=True)
class Source:
    """A file whose every byte has been seen to be text. Made by `inspect`."""

    file: BinaryIO
    shown: str
    size: int
    sha256: str
    encoding: str
    skip: int

    def fraction(self) -> float:
        """How much of the file was read so far, 0 to 1."""
        return min(1.0, self.file.tell() / self.size) if self.size else 1.0


@dataclass(frozen=True, slots=True)
class Table:
    """A file read as far as its header; `rows` yields the rest, once."""

    header: Row
    delimiter: str
    rows: Iterator[Row | Broken]


def inspect(file: BinaryIO, shown: str, encoding: str = "") -> Source:
    """The file with its hash and its encoding; `encoding` overrides what its first bytes say.

    `file` can be sought in. Raises: BadFile naming line and byte where it is not text;
    UsageError for an unknown encoding.
    """
    file.seek(0)
    head = file.read(4)
    found, skip = _by_mark(head)
    if encoding:
        found, skip = _named(encoding, head)
    digest, size, lines, before = hashlib.sha256(), 0, 0, 0
    decoder = codecs.getincrementaldecoder(found)()
    file.seek(0)
    try:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
            body = block[skip:] if not size else block
            before = size + (len(block) - len(body)) - len(decoder.getstate()[0])
            size += len(block)
            lines += decoder.decode(body).count("\n")
        before = size - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _not_text(error, shown, found, lines, before) from None
    return Source(file, shown, size, digest.hexdigest(), found, skip)


def read(source: Source, fits: Chooses) -> Table:
    """The table in the file; of the delimiters the one whose header fits best.

    Raises: BadFile if there is nothing in it.
    """
    lines = _Lines(source)
    first = _first_line(lines)
    named = _SEPARATOR_LINE.fullmatch(first)
    if named and fits([first]) == 0:  # Excel's own way to name the delimiter
        delimiter = named[1]
        lines.taken.clear()
        first = _first_line(lines)
    else:
        delimiter = max(DELIMITERS, key=lambda mark: _fit(first, mark, fits))
    if "\0" in first:
        raise BadFile(
            "the file holds zero bytes",
            where=place(source.shown, lines.number),
            fix="If it is UTF-16, say --encoding utf-16-le or utf-16-be.",
        )
    lines.push_back(1)
    rows = _rows(lines, delimiter)
    header = next(rows, None)
    if header is None:
        raise BadFile("the file is empty", where=source.shown)
    if isinstance(header, Broken):
        raise BadFile(header.why, where=place(source.shown, header.row))
    return Table(header, delimiter, _even(rows, lines, len(header.cells), delimiter))


def shown(value: str, most: int = 80) -> str:
    """A value for a screen or a report: one line, no controls, at most `most` characters."""
    clean = "".join(c if c.isprintable() else f"\\u{ord(c):04x}" for c in value[: most + 1])
    return clean if len(clean) <= most else clean[: most - 1] + "…"


def _by_mark(head: bytes) -> tuple[str, int]:
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    return "utf-8", 0


def _named(encoding: str, head: bytes) -> tuple[str, int]:
    try:
        name = codecs.lookup(encoding).name
        if name.replace("_", "-") in _NOT_FILES:
            raise LookupError
        "a".encode(name)  # refuses what is no encoding of text, such as base64
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError, AttributeError):
        raise UsageError(
            f"there is no encoding `{shown(encoding)}`",
            where="--encoding",
            fix="Known are for example utf-8, utf-16, cp1251, koi8-r, cp1252 and latin-1.",
        ) from None
    marked, skip = _by_mark(head)
    plain = name.removesuffix("-sig").replace("_", "-")
    if skip and (marked == plain or marked.startswith(plain + "-")):
        return marked, skip
    return {"utf-8-sig": "utf-8", "utf-16": "utf-16-le", "utf-32": "utf-32-le"}.get(name, name), 0


def _not_text(error: UnicodeError, shown_as: str, encoding: str, lines: int, at: int) -> BadFile:
    what, line = f"this is not {encoding}", lines + 1
    if isinstance(error, UnicodeDecodeError):
        at += error.start
        before = error.object[: error.start].decode(encoding, "replace")
        line += before.count("\n")
        if error.start < len(error.object):
            what = f"byte {at + 1} (0x{error.object[error.start]:02x}) is not {encoding}"
    return BadFile(
        what,
        where=place(shown_as, line),
        fix="Save the file as UTF-8, or say what it is with --encoding "
        "(cp1251, koi8-r, cp1252, latin-1 ..).",
    )


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
        if cells is None or (lines.ended and lines.taken):
            # What the open quote swallowed are rows of their own.
            value = shown(lines.taken[0].strip()) if lines.taken else ""
            monstrous = bool(lines.taken) and not _ends(lines.taken[0])
            lines.push_back(len(lines.taken) - 1)
            if monstrous:
                lines.skip_rest()  # one row, however many parts it was read in
            yield Broken(number, value, why)
            continue
        if any(map(str.strip, cells)):
            yield Row(number, tuple(cells))


def _even(
    rows: Iterator[Row | Broken], lines: _Lines, width: int, delimiter: str
) -> Iterator[Row | Broken]:
    """The rows, those refused that have not the header's number of cells or a monstrous one."""
    for row in rows:
        if isinstance(row, Row) and _swallowed_one(lines.taken[1:], width, delimiter):
            value = shown(lines.taken[0].strip())
            lines.push_back(len(lines.taken) - 1)
            yield Broken(row.number, value, _OPEN)
        else:
            yield row if isinstance(row, Broken) else _checked(row, lines, width)


def _swallowed_one(lines: list[str], width: int, delimiter: str) -> bool:
    """Whether one of a row's further lines is a row of its own: with an address and as wide."""
    return any(
        _ADDRESS.search(line) and len(next(csv.reader([line], delimiter=delimiter), [])) == width
        for line in lines
        if len(line) < MAX_CELL
    )


def _checked(row: Row, lines: _Lines, width: int) -> Row | Broken:
    cells = row.cells
    if len(cells) != width:
        # A quote closed lines later by another row's quote: only this line is refused.
        lines.push_back(len(lines.taken) - 1)
        value = shown(lines.taken[0].strip())
        return Broken(row.number, value, f"{len(cells)} cells, where the first line has {width}")
    for cell in cells:
        if len(cell) > MAX_CELL:
            return Broken(
                row.number, shown(cell), f"a cell of {len(cell)} characters (at most {MAX_CELL})"
            )
        if "\0" in cell:
            return Broken(row.number, shown(cell), "a zero byte in a cell")
    return row
