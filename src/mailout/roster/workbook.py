"""A workbook (XLSX) with one sheet of texts, written row by row.

Each cell is told to be a text, so that no program takes one for a formula; characters that XML
cannot hold stand as U+FFFD.

Standards: ECMA-376 (SpreadsheetML).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import BinaryIO

from mailout.core.errors import MailoutError

MOST_ROWS = 1_048_576
"""The rows of a sheet, its head included."""
_MOST_LETTERS = 32_767


def write(head: Sequence[str], batches: Iterable[Iterable[Sequence[str]]], out: BinaryIO) -> None:
    """Nothing, once the workbook is written. Raises: MailoutError if the rows are too many."""
    from openpyxl import Workbook  # slow to import
    from openpyxl.cell import WriteOnlyCell
    from openpyxl.cell.cell import ILLEGAL_CHARACTERS_RE

    book = Workbook(write_only=True)
    sheet = book.create_sheet("people")
    count = 1

    def cell(text: str) -> object:
        made = WriteOnlyCell(sheet, ILLEGAL_CHARACTERS_RE.sub("\ufffd", text)[:_MOST_LETTERS])
        made.data_type = "s"
        return made

    sheet.append(list(head))
    for rows in batches:
        for row in rows:
            count += 1
            if count > MOST_ROWS:
                raise MailoutError(
                    f"a sheet holds {MOST_ROWS - 1:,} people at most",
                    fix="Export a part of them, or leave --xlsx out.",
                )
            sheet.append([cell(text) if text else None for text in row])
    book.save(out)
