"""Opening a file of people: what kind it is, its columns, and its rows, read one by one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any, BinaryIO

from mailout.core.errors import BadFile, UsageError
from mailout.roster import columns as columns_of
from mailout.roster import memberlist, objects, presets, reading, sheet, source, statuses
from mailout.roster.columns import Columns
from mailout.roster.headings import normal
from mailout.roster.reading import Broken, Row, Table
from mailout.roster.source import Source

_OLD_EXCEL = b"\xd0\xcf\x11\xe0"
_LOOKED_AT = 5000  # rows
_LOOKED_THROUGH = 2_000_000  # characters of them
_NAMES = {",": "comma", ";": "semicolon", "\t": "tab", "|": "bar"}


@dataclass(frozen=True, slots=True)
class Opened:
    """A file whose columns are known. `kind` is csv, xlsx, json or list; `asked` opens it again
    in the same way. `untold` are a column that nothing is made of, though it seems to tell who
    left, and its word for that; empty if something else tells, or nothing seems to."""

    source: Source
    table: Table
    columns: Columns
    kind: str
    asked: Mapping[str, Any]
    untold: tuple[str, str] = ("", "")

    @property
    def delimiter(self) -> str:
        """The delimiter's name; empty for a file without one."""
        return _NAMES.get(self.table.delimiter, self.table.delimiter)

    def says(self) -> list[str]:
        """What the report has to tell of the file as a whole."""
        told = list(self.table.says)
        if self.source.guessed:
            told.append(
                f"the encoding was guessed: {self.source.encoding}; look at the names, and say "
                "--encoding if they are wrong"
            )
        if self.columns.preset is not presets.NONE:
            told.append(f"read as an export of {self.columns.preset.title}")
        if self.columns.preset.says:
            told.append(self.columns.preset.says)
        if self.columns.dropped:
            told.append("IP addresses are not taken in: " + ", ".join(self.columns.dropped))
        if self.untold[0]:
            told.append(self.doubt)
        return told

    @property
    def doubt(self) -> str:
        """What is to be asked of the column that seems to tell who left."""
        column, word = self.untold
        return f"the column `{column}` holds `{word}`, and nothing else tells who left"

    def require_told(self) -> None:
        """Nothing, unless people would be mailed of whom the file seems to say that they left.
        Raises: UsageError."""
        if self.untold[0]:
            column = self.untold[0]
            raise UsageError(
                self.doubt,
                where=self.source.shown,
                fix=f'Say --map "{column}=status" if that is what it tells, '
                f'--map "{column}=ignore" if not.',
            )


def delimiter_named(word: str) -> str:
    """The delimiter that a person named: a character, or `tab`. Raises: UsageError."""
    found = {name: mark for mark, name in _NAMES.items()}.get(word.strip().lower(), word)
    found = {"\\t": "\t"}.get(found, found)
    if len(found) != 1 or found in '"\r\n\0' or not found.isascii():
        raise UsageError(
            f"`{reading.shown(word)}` is no delimiter",
            where="--delimiter",
            fix="Give one character, or `tab`.",
        )
    return found


def opened(
    file: BinaryIO,
    name: str,
    *,
    mapped: Mapping[str, str] | None = None,
    encoding: str = "",
    delimiter: str = "",
    preset: str = "",
    fields: Collection[str] = (),
    inspected: str = "",
) -> Opened:
    """The file, read as far as its header. `fields` are those that lists declare; `inspected` is
    the hash of a spreadsheet that was opened before.

    Raises: UsageError for what was named and is not there, BadFile for no table of people.
    """
    mapped = mapped or {}
    wanted = presets.named(preset) if preset else None
    file.seek(0)
    head = file.read(4)
    if head == sheet.MAGIC:
        found = source.hashed(file, name, "xlsx")
        table, kind = sheet.read(found, inspected), "xlsx"
    elif head == _OLD_EXCEL:
        raise BadFile(
            "this is an old Excel file (.xls), or one with a password",
            where=name,
            fix="Save it as .xlsx or CSV UTF-8 without one.",
        )
    else:
        found = source.inspect(file, name, encoding)
        table, kind = _text(found, mapped, wanted, delimiter)
    columns = columns_of.recognise(table.header, mapped, name, wanted, fields)
    asked = {
        "mapped": dict(mapped), "encoding": encoding, "delimiter": delimiter, "preset": preset,
        "fields": tuple(fields), "inspected": found.sha256,
    }  # fmt: skip
    table, untold = _looked_through(table, columns)
    return Opened(found, table, columns, kind, asked, untold)


def _looked_through(table: Table, columns: Columns) -> tuple[Table, tuple[str, str]]:
    """The table again, and which of its ignored columns seems to tell who left, by which word."""
    positions = columns.positions
    used = {at for places in positions.values() for at in places}
    ignored = [at for at, name in enumerate(table.header.cells) if at not in used and name.strip()]
    told = any(positions.get(what) for what in ("status", "left", "dead", "opted_in"))
    if not ignored or told or columns.preset is not presets.NONE:
        return table, ("", "")
    seen: list[Row | Broken] = []
    untold, size, rows = ("", ""), 0, table.rows
    for row in rows:
        seen.append(row)
        if isinstance(row, Row):
            size += sum(map(len, row.cells))
            at = next((at for at in ignored if statuses.telling(row.cells[at])), -1)
            if at >= 0:
                untold = (reading.shown(table.header.cells[at]), row.cells[at].strip())
                break
        if len(seen) >= _LOOKED_AT or size > _LOOKED_THROUGH:
            break
    return replace(table, rows=chain(seen, rows)), untold


def _text(
    found: Source, mapped: Mapping[str, str], wanted: presets.Preset | None, delimiter: str
) -> tuple[Table, str]:
    if not delimiter and objects.is_json(found):
        return objects.read(found), "json"
    if not delimiter and wanted in (None, presets.MAILMAN) and memberlist.is_list(found):
        return memberlist.read(found), "list"

    def fits(cells: list[str]) -> int:
        if wanted is not None and wanted.columns:
            more = {normal(one) for one in cells} & set(wanted.columns)
            return columns_of.fit(cells, mapped) + len(more)
        return columns_of.fit(cells, mapped)

    return reading.read(found, fits, delimiter), "csv"
