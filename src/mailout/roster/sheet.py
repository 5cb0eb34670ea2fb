"""Spreadsheets (XLSX): the first sheet that is shown, as rows of text.

Such a file is packed XML, and a small one can unpack to anything. So it is unpacked once and
counted before it is read: its parts, their sizes, its rows, the longest row and the longest
text, and no document type, which could define texts that grow. It is then read row by row.

A formula stands for the value that the spreadsheet last computed. Dates are written as
ISO 8601, whole numbers without a point.

Standards: ECMA-376 (Office Open XML).
"""

from __future__ import annotations

import re
import warnings
import zipfile
import zlib
from collections.abc import Iterator, Sequence
from datetime import date, datetime, time
from typing import Any

from mailout.core.errors import BadFile
from mailout.roster.reading import MAX_CELL, Broken, Row, Table, shown
from mailout.roster.source import Source

MAGIC = b"PK\x03\x04"
"""How the file begins."""

_MOST_PARTS = 2000
_MOST_UNPACKED = 4_000_000_000  # bytes of the sheets, which are read row by row
_MOST_TEXTS = 100_000_000  # bytes of the shared texts, which are held in memory
_MOST_OTHER = 5_000_000  # bytes of any other part that is read
_MOST_ROWS = 1_048_576  # as many as a spreadsheet can have
_MOST_ROW = 4_000_000  # bytes between two rows
_MOST_COLUMNS = 1000
_BLOCK = 1 << 18
_UNKNOWN = re.compile(rb"<!(DOCTYPE|ENTITY)", re.IGNORECASE)
_ROW = re.compile(rb"<(?:\w{1,20}:)?row[\s/>]")
# A row may say which one it is, and those before it are made up as empty ones.
_NUMBERED = re.compile(rb"row\s[^<>]{0,400}?\br\s*=\s*[\"']\s*0*(\d{7,})")
_TAIL = 512
_TABLE = re.compile(r"(?!__MACOSX/).*\.(?:csv|tsv|txt|xlsx|json|jsonl|ndjson)", re.I).fullmatch
_FORMULA = re.compile(rb"<f[ >]")


def read(source: Source, inspected: str = "") -> Table:
    """The table in the first sheet. A file of which `inspected` is the hash was found fit by who
    says so, and is not unpacked once more for it: a full sheet takes ten seconds. Of its formulas
    they have told, too.

    Raises: BadFile for what is no spreadsheet, or no fit one.
    """
    has_formulas = source.sha256 != inspected and _fit(source)
    others: list[str] = []
    rows = _rows(source, others)
    header = next(rows, None)
    if header is None:
        raise BadFile("the first sheet is empty", where=source.shown)
    says: tuple[str, ...] = (FORMULAS,) if has_formulas else ()
    if others:
        few = ", ".join(f"`{shown(name, 40)}`" for name in others[:5]) + ", .." * (len(others) > 5)
        says += (f"of a workbook only the first sheet is read: save as a file of its own {few}",)
    width = len(header.cells)
    return Table(header, "", (_even(row, width) for row in rows), says)


def _fit(source: Source) -> bool:
    """Whether there are formulas. Raises: BadFile for what cannot be read, or should not be."""
    source.file.seek(0)
    try:
        with zipfile.ZipFile(source.file) as packed:
            return _inspect(packed, source.shown)
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        NotImplementedError,  # zipfile's word for a compression that it does not know
        RuntimeError,  # and for a file under a password
        ValueError,
    ):
        raise _none(source.shown) from None


FORMULAS = (
    "the file has formulas; what they last came to is taken, and nothing where the program that "
    "wrote it did not work them out: open it in a spreadsheet and save it, then import it"
)


def _none(shown_as: str) -> BadFile:
    return BadFile(
        "this is no spreadsheet that can be read",
        where=shown_as,
        fix="Save it as CSV UTF-8, and import that.",
    )


def _too_many(shown_as: str) -> BadFile:
    return BadFile(
        f"more rows than the {_MOST_ROWS} that a spreadsheet can have",
        where=shown_as,
        fix="Save it as CSV UTF-8, and import that.",
    )


def _inspect(packed: zipfile.ZipFile, shown_as: str) -> bool:
    """Whether there are formulas. Raises: BadFile for a part that is too large or too odd."""
    parts = packed.infolist()
    if len(parts) > _MOST_PARTS:
        raise _none(shown_as)
    if "xl/workbook.xml" not in packed.namelist():
        _refuse_folder(packed.namelist(), shown_as)
        raise _none(shown_as)
    if sum(part.file_size for part in parts) > _MOST_UNPACKED:
        raise BadFile(
            f"it unpacks to more than {_MOST_UNPACKED // 1_000_000_000} GB", where=shown_as
        )
    has_formulas = False
    for part in parts:
        name = part.filename
        is_sheet = name.startswith("xl/worksheets/")
        most = _MOST_UNPACKED if is_sheet else _MOST_OTHER
        if name.lower().endswith("sharedstrings.xml"):
            most = _MOST_TEXTS
        if part.file_size > most and name.endswith((".xml", ".rels")):
            raise BadFile(
                f"its part {shown(name)} unpacks to more than {most // 1_000_000} MB",
                where=shown_as,
                fix="Save it as CSV UTF-8, and import that.",
            )
        if name.endswith((".xml", ".rels")):
            has_formulas |= _look(packed, part, shown_as)
    return has_formulas


def _refuse_folder(names: Sequence[str], shown_as: str) -> None:
    """Nothing, unless tables are packed in it, as Mailchimp and others hand out their exports."""
    if tables := [name.rpartition("/")[2] for name in names if _TABLE(name)]:
        few = ", ".join(map(shown, tables[:5])) + ", .." * (len(tables) > 5)
        raise BadFile(
            f"this is a packed folder (.zip) that holds {few}",
            where=shown_as,
            fix="Unpack it, and import each of its files under the name that it has.",
        )


def _look(packed: zipfile.ZipFile, part: zipfile.ZipInfo, shown_as: str) -> bool:
    """Whether a part has formulas; reads it once, keeping none of it."""
    row_ends = b"row>" if part.filename.startswith("xl/worksheets/") else b"<"
    since = rows = 0
    has_formulas = False
    tail = b""
    # zipfile gives no more bytes than the part said it has.
    with packed.open(part) as unpacked:
        while block := unpacked.read(_BLOCK):
            joined = tail + block
            # What begins within the tail was counted with it, unless it ends beyond.
            rows += sum(1 for found in _ROW.finditer(joined) if found.end() > len(tail))
            far = any(int(found[1]) > _MOST_ROWS for found in _NUMBERED.finditer(joined))
            if part.filename.startswith("xl/worksheets/") and (far or rows > _MOST_ROWS):
                raise _too_many(shown_as)
            if _UNKNOWN.search(joined):
                raise BadFile("its XML defines things of its own", where=shown_as)
            has_formulas |= bool(_FORMULA.search(joined))
            last = joined.rfind(row_ends)
            since = since + len(block) if last < 0 else len(joined) - last
            tail = joined[-_TAIL:]
            if since > _MOST_ROW:
                raise BadFile(
                    f"a row or a text of more than {_MOST_ROW // 1_000_000} MB", where=shown_as
                )
    return has_formulas


def _rows(source: Source, others: list[str]) -> Iterator[Row]:
    """The rows with anything in them, numbered as the spreadsheet shows them. Before the first one
    comes, `others` has the names of the other sheets that are shown and seem to hold anything."""
    import openpyxl

    source.file.seek(0)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of styles and extensions, which do not matter here
        book: Any = None
        try:
            book = openpyxl.load_workbook(source.file, read_only=True, data_only=True)
            sheets = [sheet for sheet in book.worksheets if sheet.sheet_state == "visible"]
            if not sheets:
                raise _none(source.shown)
            others += [sheet.title for sheet in sheets[1:] if not _seems_empty(sheet)]
            for number, values in _values(sheets[0]):
                if number > _MOST_ROWS:  # of names that `_look` does not know
                    raise _too_many(source.shown)
                cells = tuple([_text(value) for value in values])
                while cells and not cells[-1].strip():
                    cells = cells[:-1]
                if cells:
                    yield Row(number, cells)
        except (
            KeyError, ValueError, TypeError, AttributeError, IndexError, SyntaxError, OSError,
            zipfile.BadZipFile, zlib.error, EOFError,
        ):  # fmt: skip
            # Whatever openpyxl trips over; what was read before stands in the report.
            raise _none(source.shown) from None
        finally:
            if book is not None:
                book.close()


def _seems_empty(sheet: Any) -> bool:
    """Whether a sheet says of itself that it has but one cell, as those do that have none."""
    return (sheet.max_row, sheet.max_column) == (1, 1)


def _values(sheet: Any) -> Iterator[tuple[int, tuple[object, ...]]]:
    """The rows that stand in a sheet, with their numbers.

    openpyxl's own walk keeps an empty element of every row, and the height of each that has one:
    half a gigabyte for a full sheet.
    """
    from openpyxl.worksheet._reader import ROW_TAG, WorkSheetParser
    from openpyxl.xml.functions import iterparse

    book, last = sheet.parent, 0
    with sheet._get_source() as file:
        parser = WorkSheetParser(
            file, sheet._shared_strings, data_only=True, epoch=book.epoch,
            date_formats=book._date_formats, timedelta_formats=book._timedelta_formats,
        )  # fmt: skip
        within: list[Any] = []
        for event, element in iterparse(file, events=("start", "end")):
            if event == "start":
                within.append(element)
                continue
            within.pop()
            if element.tag != ROW_TAG:
                continue
            number, cells = parser.parse_row(element)
            if number > last:
                last = number
                yield number, sheet._get_row(cells, values_only=True)
            parser.row_dimensions.clear()
            for outer in within:
                outer.clear()


def _even(row: Row, width: int) -> Row | Broken:
    """The row, filled up to the header's width, which a spreadsheet leaves out at its end."""
    if len(row.cells) > width:
        why = f"{len(row.cells)} cells, where the first line has {width}"
        return Broken(row.number, shown(row.cells[width]), why, row.cells[:_MOST_COLUMNS])
    for cell in row.cells:
        if len(cell) > MAX_CELL or "\0" in cell:
            why = f"a zero byte, or a cell of more than {MAX_CELL} characters"
            return Broken(row.number, shown(cell), why)
    return Row(row.number, row.cells + ("",) * (width - len(row.cells)))


def _text(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    if isinstance(value, datetime | date | time):
        return value.isoformat()
    return str(value)
