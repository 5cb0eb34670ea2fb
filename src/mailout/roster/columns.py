"""Columns: which field each column of a file is, by its name, a preset or `--map COLUMN=FIELD`.

`--map` prevails over the preset, and that over the names that are known everywhere.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, UsageError, nearest, place
from mailout.core.segment import RESERVED
from mailout.roster import presets
from mailout.roster.headings import DEAD, IP, KNOWN, LEFT, field_of, in_pairs, normal
from mailout.roster.presets import Preset
from mailout.roster.reading import Row, shown

FIELDS = (
    "email", "name", "first_name", "last_name", "language", "country", "tags", "status", "left",
    "opt_in_time", "edition", "frequency", "ignore",
)  # fmt: skip
"""What `--map` can name, besides `fields.NAME`."""

OWN = "fields."
"""Before the name of a custom field."""

_ADDRESSES = re.compile(r"[^\s@<>,;]@[^\s@<>,;]+\.[^\s@<>,;]")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_QUIET = frozenset({"joined", "mended", "ip", "ignore"})  # more than one column does no harm
_MANY = frozenset({"tags", "status", "left", "dead", "opted_in", *_QUIET})
_ALIASES = {
    "address": "email", "e-mail": "email", "lang": "language", "tag": "tags",
    "none": "ignore", "unsubscribed": "left", "optin": "opt_in_time",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Columns:
    """The positions of each field in a row, the columns that no field takes, and those with IP
    addresses, which are dropped."""

    positions: Mapping[str, tuple[int, ...]]
    ignored: tuple[str, ...]
    preset: Preset = presets.NONE
    dropped: tuple[str, ...] = ()

    def at(self, field: str) -> int:
        """Where the cell of a field is; -1 if the file has no such column."""
        places = self.positions.get(field)
        return places[0] if places else -1

    @property
    def own(self) -> dict[str, int]:
        """The custom fields by name, and where each is."""
        return {
            field.removeprefix(OWN): places[0]
            for field, places in self.positions.items()
            if field.startswith(OWN)
        }


def fit(cells: Sequence[str], mapped: Mapping[str, str] | None = None) -> int:
    """How many of a header's cells are names of fields; 0 if none could be the address."""
    asked = {normal(name): field for name, field in (mapped or {}).items()}
    fields = [asked.get(normal(cell)) or field_of(cell) for cell in cells]
    return sum(1 for field in fields if field) if "email" in fields else 0


def parse_map(pairs: Sequence[str]) -> dict[str, str]:
    """`--map COLUMN=FIELD` options as column -> field. Raises: UsageError."""
    mapped: dict[str, str] = {}
    for pair in pairs:
        column, equals, word = pair.rpartition("=")
        if not equals or not column.strip():
            raise UsageError(
                f"`{shown(pair)}` does not name a column and a field",
                where="--map",
                fix='Write it as "Column name=email".',
            )
        mapped[column.strip()] = field_named(word)
    return mapped


def field_named(word: str) -> str:
    """The field that a person named. Raises: UsageError."""
    field = word.strip().lower().replace(" ", "_")
    if field.startswith(OWN):
        name = field.removeprefix(OWN)
        if name in RESERVED:
            raise UsageError(
                f"a field of your own cannot be called `{name}`: that word has a meaning already",
                where="--map",
                fix="Call it otherwise.",
            )
        if _FIELD_NAME.fullmatch(name):
            return field
        raise UsageError(
            f"`{shown(word)}` is no name for a custom field",
            where="--map",
            fix="Write fields.NAME, with a name of letters a-z, digits, _ and hyphens.",
        )
    field = _ALIASES.get(field, field)
    if field not in FIELDS:
        raise UsageError(
            f"there is no field `{shown(word)}`",
            where="--map",
            fix=f"{nearest(field, FIELDS)} A field of your own is `fields.NAME`.".strip(),
        )
    return field


def recognise(
    header: Row,
    mapped: Mapping[str, str],
    file: str,
    preset: Preset | None = None,
    fields: Collection[str] = (),
) -> Columns:
    """The columns of a file with this header; without a preset one is looked for. `fields` are
    those that lists declare.

    Raises: BadFile if none of them is the address; UsageError if `mapped` names none of them.
    """
    names = [cell.strip() for cell in header.cells]
    plain = [normal(name) for name in names]
    preset = preset or presets.guessed(plain)
    positions = _asked_for(mapped, names, plain, file)
    taken = {at for places in positions.values() for at in places}
    # Of names for one field the first that the file has: Mailman's `address` beside `email` is a
    # link. The same name twice is told below.
    named: dict[str, str] = {}
    for name, field in preset.columns.items():
        if name in plain and (field in _MANY or named.setdefault(field, name) == name):
            found = [at for at, one in enumerate(plain) if one == name and at not in taken]
            if found and field not in mapped.values():
                positions.setdefault(field, []).extend(found)
                taken.update(found)
    _own_names(positions, taken, names, fields)
    _known_names(positions, taken, in_pairs(plain), mapped)
    for field, pattern in (("left", LEFT), ("dead", DEAD), ("ip", IP)):
        found = [at for at, name in enumerate(plain) if at not in taken and pattern.fullmatch(name)]
        if field == "left":
            found = [at for at, name in enumerate(plain) if at not in taken and pattern.match(name)]
        taken.update(found)
        positions[field] = positions.get(field, []) + found
    _require_one_address(positions.get("email", []), header, names, file)
    for field, places in positions.items():
        if field not in _MANY:
            del places[1:]
    used = {at for places in positions.values() for at in places}
    return Columns(
        {field: tuple(places) for field, places in positions.items()},
        tuple(shown(name) for at, name in enumerate(names) if at not in used and name),
        preset,
        tuple(shown(names[at]) for at in positions["ip"]),
    )


def _asked_for(
    mapped: Mapping[str, str], names: Sequence[str], plain: Sequence[str], file: str
) -> dict[str, list[int]]:
    positions: dict[str, list[int]] = {}
    for column, field in mapped.items():
        found = [at for at, name in enumerate(plain) if name == normal(column)]
        if not found:
            raise UsageError(
                f"{file} has no column `{shown(column)}`", where="--map", fix=nearest(column, names)
            )
        positions.setdefault(field, []).extend(found)
    return positions


def _own_names(
    positions: dict[str, list[int]],
    taken: set[int],
    names: Sequence[str],
    fields: Collection[str],
) -> None:
    """Adds the columns that are called as a field that a list declares, or `fields.NAME`."""
    declared = {normal(name): name for name in fields}
    for at, written in enumerate(names):
        name = normal(written)
        short = name.removeprefix(OWN)
        field = declared.get(short, "")
        if not field and short != name:
            exact = written.strip().lower().removeprefix(OWN)
            field = exact if _FIELD_NAME.fullmatch(exact) else short.replace(" ", "_")
        # Who left is never taken for a mere remark.
        is_state = short == name and (LEFT.match(name) or DEAD.fullmatch(name))
        if at in taken or is_state or field in RESERVED or not _FIELD_NAME.fullmatch(field):
            continue
        if OWN + field not in positions:
            positions[OWN + field] = [at]
            taken.add(at)


def _known_names(
    positions: dict[str, list[int]],
    taken: set[int],
    plain: Sequence[str],
    mapped: Mapping[str, str],
) -> None:
    """Adds the columns that are known by their names alone."""
    for field, known in KNOWN.items():
        if field in mapped.values() or (positions.get(field) and field not in _MANY):
            continue
        ranked = sorted(
            (known.index(name), at)
            for at, name in enumerate(plain)
            if at not in taken and name in known
        )
        if ranked:
            best = ranked[0][0]
            same = [at for rank, at in ranked if rank == best or field in _MANY]
            positions[field] = positions.get(field, []) + same
            taken.update(same)


def _require_one_address(
    places: Sequence[int], header: Row, names: Sequence[str], file: str
) -> None:
    where = place(file, header.number)
    listed = ", ".join(f"`{shown(name, 40)}`" for name in names[:20] if name)
    if len(places) == 1:
        return
    if places:
        rivals = ", ".join(f"`{shown(names[at], 40)}`" for at in places[:20])
        raise BadFile(
            f"{len(places)} columns could be the address: {rivals}",
            where=where,
            fix="Give them different names, or say --map COLUMN=email.",
        )
    if sum(len(_ADDRESSES.findall(name)) for name in names) > 1:
        raise BadFile(
            "the first line holds several addresses",
            where=where,
            fix="Write each on a line of its own, or put a line such as email,name above the rows.",
        )
    if any(map(is_address, names)):
        raise BadFile(
            "the first line holds an address, not the names of the columns",
            where=where,
            fix="Put a line such as email,name,language above it.",
        )
    raise BadFile(
        f"no column is called email; the columns are {listed}",
        where=where,
        fix="Say which one holds the address: --map COLUMN=email."
        + " If that is a title, delete all above the names."
        * (len(list(filter(None, names))) == 1),
    )


def is_address(text: str) -> bool:
    """Whether the text is a mail address."""
    try:
        Address.parse(text)
    except BadAddress:
        return False
    return True
