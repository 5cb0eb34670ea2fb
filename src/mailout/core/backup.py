"""Backups: what stands in the file, apart from how it is read and written.

A backup is a tar archive in gzip, sealed (`core.sealing`) or not. Its members, in this order:

| member | what |
|---|---|
| `about.json` | `About`: program, store and tables, when and until when |
| `store/TABLE/000001.jsonl`, .. | rows, a JSON array a line; what others refer to first |
| `site/PATH`, .. | the site's files |
| `manifest.json` | `Manifest`: size and SHA-256 of each member before it, rows and last numbers |

In a row a value is written by its column's kind:

| kind | as |
|---|---|
| integer, number, text | as JSON has it |
| truth | true, false |
| moment | text, in UTC: `2026-11-24T18:30:00.000000Z` |
| json | text that is JSON itself, as the store had it |
| bytes | text, base64 |

and null stands for none, whatever the kind.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Any

from mailout.core.errors import BadFile

FORMAT = 1
ABOUT = "about.json"
MANIFEST = "manifest.json"
STORE = "store/"
SITE = "site/"
TAR_NAME = "mailout-backup.tar"
"""The name within gzip's head: a backup that is not sealed can be told by it."""
_DOTTED = frozenset({".gitignore", ".gitkeep", ".gitattributes"})
_DAMAGED = "Take another copy of it."
_BROKEN = (ValueError, TypeError, KeyError, AttributeError, RecursionError)

Row = Sequence[Any]


class Kind(StrEnum):
    """What a column holds: see the table above."""

    INTEGER = "integer"
    NUMBER = "number"
    TEXT = "text"
    TRUTH = "truth"
    MOMENT = "moment"
    JSON = "json"
    BYTES = "bytes"


_TYPES: Mapping[Kind, frozenset[type]] = {
    Kind.INTEGER: frozenset({int}),
    Kind.NUMBER: frozenset({float, int}),
    Kind.TRUTH: frozenset({bool}),
} | {kind: frozenset({str}) for kind in (Kind.TEXT, Kind.MOMENT, Kind.JSON, Kind.BYTES)}


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, and what it holds."""

    name: str
    kind: Kind


@dataclass(frozen=True, slots=True)
class Shape:
    """A table: its name and its columns, in the order of a row's values."""

    name: str
    columns: tuple[Column, ...]


@dataclass(frozen=True, slots=True)
class About:
    """What a backup says of itself before anything else. It is to be deleted after `keep_until`,
    since whoever is erased lives on in it."""

    format: int
    program: str
    store_version: str
    database: str
    site: str
    made_at: datetime
    keep_until: date
    holds_keys: bool
    tables: tuple[Shape, ...]


@dataclass(frozen=True, slots=True)
class Sum:
    """A member as it was written."""

    size: int
    sha256: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """What a backup says at its end: all members by name; rows and the last number that was given
    to one, by table."""

    members: Mapping[str, Sum]
    rows: Mapping[str, int]
    last_numbers: Mapping[str, int]


def as_bytes(value: About | Manifest) -> bytes:
    """The JSON document of either."""
    text = json.dumps(asdict(value), ensure_ascii=False, indent=1, default=_plain)
    return (text + "\n").encode()


def read_about(raw: bytes) -> About:
    """What a backup says of itself. Raises: BadFile if it is none, or of a newer program."""
    try:
        values = json.loads(raw)
        if values["format"] > FORMAT:
            raise BadFile(
                f"the backup was made by a newer mailout ({values['program']})",
                fix="Install that one, or a newer one.",
            )
        values["made_at"] = datetime.fromisoformat(values["made_at"]).astimezone(UTC)
        values["keep_until"] = date.fromisoformat(values["keep_until"])
        values["tables"] = tuple(
            Shape(
                str(one["name"]),
                tuple(Column(str(each["name"]), Kind(each["kind"])) for each in one["columns"]),
            )
            for one in values["tables"]
        )
        return About(**values)
    except _BROKEN:
        raise BadFile(f"`{ABOUT}` in the backup cannot be read", fix=_DAMAGED) from None


def read_manifest(raw: bytes) -> Manifest:
    """What a backup says at its end. Raises: BadFile."""
    try:
        values = json.loads(raw)
        members = {str(name): Sum(**one) for name, one in values["members"].items()}
        rows = {str(name): int(number) for name, number in values["rows"].items()}
        numbers = {str(name): int(number) for name, number in values["last_numbers"].items()}
    except _BROKEN:
        raise BadFile(f"`{MANIFEST}` in the backup cannot be read", fix=_DAMAGED) from None
    return Manifest(members, rows, numbers)


def part_name(table: str, number: int) -> str:
    """The name of the member that holds a table's rows, its parts counted from 1."""
    return f"{STORE}{table}/{number:06}.jsonl"


def table_of(name: str) -> str:
    """The table whose rows a member of the store holds."""
    return name.removeprefix(STORE).partition("/")[0]


def pack_rows(rows: Iterable[Row]) -> bytes:
    """The lines of some rows."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def unpack_rows(shape: Shape, raw: bytes, shown: str) -> list[list[Any]]:
    """The rows of one member. Raises: BadFile for values that are not of their column's kind."""
    try:
        rows: list[list[Any]] = [json.loads(line) for line in raw.splitlines()]
    except _BROKEN:
        raise BadFile(f"`{shown}` in the backup cannot be read", fix=_DAMAGED) from None
    allowed = [_TYPES[column.kind] | {type(None)} for column in shape.columns]
    for row in rows:
        if type(row) is not list or len(row) != len(allowed):
            raise BadFile(f"`{shown}` in the backup holds a line that is no row of its table")
        for value, types in zip(row, allowed, strict=True):
            if type(value) not in types:
                raise BadFile(f"`{shown}` in the backup holds a value of the wrong kind")
    return rows


def is_fit(path: str) -> bool:
    """Whether a path may stand in a backup, below `site/`: it stays below, and is hidden nowhere
    but for what git reads. A hook of git, put there by a forged backup, would be run."""
    parts = path.split("/")
    return "\0" not in path and all(
        part and (not part.startswith(".") or (part in _DOTTED and part is parts[-1]))
        for part in parts
    )


def stamp(moment: datetime) -> str:
    """A moment as a backup writes it."""
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def _plain(value: object) -> object:
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, date):
        return value.isoformat()
    raise TypeError(f"{type(value).__name__} is no JSON")
