"""Columns: which field each column of a file is, by its name or by `--map COL=FIELD`."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, UsageError, nearest, place
from mailout.roster.reading import Row, shown

# The first name that a file has is the column; "Address" is the postal one where
# another column is called "Email Address".
_NAMES: Mapping[str, tuple[str, ...]] = {
    "email": ("email", "e mail", "email address", "e mail address", "mail", "address"),
    "name": ("name", "full name", "display name"),
    "first_name": ("first name", "firstname", "given name"),
    "last_name": ("last name", "lastname", "surname", "family name"),
    "language": ("language", "lang", "locale", "preferred language"),
    "country": ("country", "country code"),
    "tags": ("tags", "tag", "segments", "segment", "labels"),
    "status": ("status", "subscription status", "subscriber status"),
    "list": ("list",),
    # Passed over without a word: the store keeps its own time of joining.
    "joined": ("joined", "date", "created", "created at", "joined at", "subscription date"),
}
FIELDS = tuple(name for name in _NAMES if name not in ("list", "joined"))
"""What `--map` can name; the `list` and `joined` columns are those of our own exports."""

# Columns that other systems fill in only for people who left or whose address died.
_LEFT = re.compile(r"unsub\w*|opted? out|opt out|clean time|cleaned|email disabled|blacklisted")
_MANY = frozenset({"tags", "status", "left"})
_ALIASES = {"address": "email", "e-mail": "email", "lang": "language", "tag": "tags"}


@dataclass(frozen=True, slots=True)
class Columns:
    """The positions of each field in a row, and the columns that no field takes."""

    positions: Mapping[str, tuple[int, ...]]
    ignored: tuple[str, ...]

    def first(self, field: str, cells: Sequence[str]) -> str:
        """The cell of a field; empty if the file has no such column."""
        places = self.positions.get(field)
        return cells[places[0]] if places else ""

    def every(self, field: str, cells: Sequence[str]) -> list[str]:
        """The cells of a field that may have several columns."""
        return [cells[place] for place in self.positions.get(field, ())]


def fit(cells: Sequence[str], mapped: Mapping[str, str] | None = None) -> int:
    """How many of a header's cells are names of fields; 0 if none could be the address."""
    asked = {_normal(name): field for name, field in (mapped or {}).items()}
    fields = [asked.get(_normal(cell)) or _field_of(cell) for cell in cells]
    return sum(1 for field in fields if field) if "email" in fields else 0


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """`--map COL=FIELD` options as column -> field. Raises: UsageError."""
    mapped: dict[str, str] = {}
    for pair in pairs:
        column, equals, word = pair.rpartition("=")
        field = word.strip().lower().replace(" ", "_")
        field = _ALIASES.get(field, field)
        if not equals or not column.strip():
            raise UsageError(
                f"`{shown(pair)}` does not name a column and a field",
                where="--map",
                fix='Write it as "Column name=email".',
            )
        if field not in FIELDS:
            raise UsageError(
                f"there is no field `{shown(word)}`", where="--map", fix=nearest(field, FIELDS)
            )
        mapped[column.strip()] = field
    return mapped


def recognise(header: Row, mapped: Mapping[str, str], file: str) -> Columns:
    """The columns of a file with this header.

    Raises: BadFile if none of them is the address; UsageError if `mapped` names none of them.
    """
    names = [cell.strip() for cell in header.cells]
    positions: dict[str, list[int]] = {}
    for column, field in mapped.items():
        found = [at for at, name in enumerate(names) if _normal(name) == _normal(column)]
        if not found:
            raise UsageError(
                f"{file} has no column `{shown(column)}`", where="--map", fix=nearest(column, names)
            )
        positions.setdefault(field, []).extend(found)
    taken = {at for places in positions.values() for at in places}
    for field, known in _NAMES.items():
        if field in mapped.values():
            continue
        ranked = sorted(
            (known.index(_normal(name)), at)
            for at, name in enumerate(names)
            if at not in taken and _normal(name) in known
        )
        if ranked:
            best = ranked[0][0]
            same = [at for rank, at in ranked if rank == best or field in (*_MANY, "joined")]
            positions[field] = same
    positions["left"] = [
        at for at, name in enumerate(names) if at not in taken and _LEFT.match(_normal(name))
    ]
    _require_one_address(positions.get("email", []), header, names, file)
    for field, places in positions.items():
        if field not in (*_MANY, "joined"):
            del places[1:]
    used = {at for places in positions.values() for at in places}
    ignored = tuple(shown(name) for at, name in enumerate(names) if at not in used and name)
    return Columns({field: tuple(places) for field, places in positions.items()}, ignored)


def _require_one_address(
    places: Sequence[int], header: Row, names: Sequence[str], file: str
) -> None:
    where = place(file, header.number)
    listed = ", ".join(f"`{shown(name, 40)}`" for name in names[:20] if name)
    if len(places) == 1:
        return
    if places:
        raise BadFile(
            f"{len(places)} columns could be the address: {listed}",
            where=where,
            fix="Give them different names, or say --map COL=email.",
        )
    if any(map(_is_address, names)):
        raise BadFile(
            "the first line holds an address, not the names of the columns",
            where=where,
            fix="Put a line such as email,name,language above it.",
        )
    raise BadFile(
        f"no column is called email; the columns are {listed}",
        where=where,
        fix="Say which one holds the address: --map COL=email.",
    )


def _is_address(text: str) -> bool:
    try:
        Address.parse(text)
    except BadAddress:
        return False
    return True


def _field_of(name: str) -> str:
    normal = _normal(name)
    return next((field for field, known in _NAMES.items() if normal in known), "")


def _normal(name: str) -> str:
    return " ".join(re.sub(r"[\s_-]+", " ", name.strip().casefold()).split())
