"""Entries: a row of a file as one person, or why it is none.

Nothing about an address is repaired but the white space around it. A value that is
merely unusable - a country where a language should stand - is left empty and reported;
one that could do harm - a line break in a name - refuses the row.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache

from mailout.catalogue import is_country
from mailout.core import language
from mailout.core.address import Address, BadAddress
from mailout.core.errors import UsageError
from mailout.core.message import BadHeader, safe
from mailout.core.subscription import SubscriptionState, imported_state, stricter
from mailout.roster.columns import Columns
from mailout.roster.reading import Broken, Row, shown

_OUTER = re.compile(r"^[\s\"']+|[\s\"']+$")
# A cell that a spreadsheet would run; exports put one quote before it.
RISKY = re.compile("'*[=+\\-@\t\r\n＝＋－＠]")

Warn = Callable[[str, str], None]
"""Takes a value that was left out, and why."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One person as a file describes them; `key` identifies the address.

    Empty name, language and country mean that the file does not say.
    """

    number: int
    address: Address
    key: str
    name: str
    language: str
    country: str
    tags: frozenset[str]
    state: SubscriptionState

    def united(self, later: Entry) -> Entry:
        """This entry with the tags of a later row of the same address and the stricter state."""
        return replace(self, tags=self.tags | later.tags, state=stricter(self.state, later.state))


def read(
    row: Row, columns: Columns, tags: frozenset[str], key: bytes, foreign: frozenset[str]
) -> tuple[Entry | Broken, list[Broken]]:
    """The person in a row, and warnings about values that were left out.

    `tags` are given to everybody, `key` makes address keys, `foreign` are the other lists
    of the site: a row that names one of them does not belong here.
    """
    warnings: list[Broken] = []
    cells = [unquoted(cell) for cell in row.cells]
    typed = columns.first("email", cells)
    try:
        address = Address.parse(typed)
    except BadAddress as error:
        why = "more than one address in a cell" if typed.count("@") > 1 else str(error)
        return Broken(row.number, shown(typed), why), warnings
    if (list_id := columns.first("list", cells).strip()) in foreign:
        return Broken(row.number, shown(typed), f"this row is of the list `{list_id}`"), warnings

    def warn(value: str, why: str) -> None:
        warnings.append(Broken(row.number, shown(value), why))

    name = _name(columns, cells)
    if why := harm(address.text, "the address") or harm(name, "the name"):
        return Broken(row.number, shown(typed), why), warnings
    own_tags: frozenset[str] = frozenset()
    for cell in columns.every("tags", cells):
        split, why = _tags_of(cell)
        if why:
            return Broken(row.number, shown(cell), why), warnings
        own_tags |= split
    entry = Entry(
        number=row.number,
        address=address,
        key=address.key(key),
        name=name,
        language=_language(columns.first("language", cells), warn),
        country=_country(columns.first("country", cells), warn),
        tags=tags | own_tags,
        state=_state(columns, cells, warn),
    )
    return entry, warnings


def unquoted(cell: str) -> str:
    """The cell without the one quote that an export puts before what a spreadsheet would run."""
    return cell[1:] if cell[:1] == "'" and RISKY.match(cell, 1) else cell


def split_tags(cells: Iterable[str]) -> frozenset[str]:
    """Tags as stored: split at `;` and `,`, lower case, no white space or quotes around."""
    found = (_OUTER.sub("", part) for cell in cells for part in re.split("[;,]", cell))
    return frozenset(tag.lower() for tag in found if tag)


def given_tags(typed: Iterable[str]) -> frozenset[str]:
    """The tags that a person typed for a command, as stored. Raises: UsageError."""
    tags = split_tags(typed)
    for tag in sorted(tags):
        if why := harm(tag, "the tag"):
            raise UsageError(why, where=f"the tag `{shown(tag)}`")
    return tags


@lru_cache(maxsize=4096)  # the same few cells stand in thousands of rows
def _tags_of(cell: str) -> tuple[frozenset[str], str]:
    """The tags in a cell, and why it must not be taken (or empty)."""
    tags = split_tags([cell])
    return tags, next((why for tag in tags if (why := harm(tag, "a tag"))), "")


def _name(columns: Columns, cells: Sequence[str]) -> str:
    name = columns.first("name", cells).strip()
    if name:
        return name
    parts = (columns.first("first_name", cells), columns.first("last_name", cells))
    return " ".join(part.strip() for part in parts if part.strip())


def harm(value: str, what: str) -> str:
    """Why a value must not come near a mail; empty if it may. `what` names the field."""
    try:
        safe(value, what)
    except BadHeader as error:
        return error.what
    return ""


def _language(typed: str, warn: Warn) -> str:
    if not typed or typed.isspace():
        return ""
    if meant := language.mistaken_for(typed):
        warn(typed, f"a country, not a language (perhaps {meant}?); the language is left empty")
        return ""
    code = language.normal(typed)
    if not language.is_code(code):
        warn(typed, "not a language code such as ru; the language is left empty")
        return ""
    return code


def _country(typed: str, warn: Warn) -> str:
    if not typed or typed.isspace():
        return ""
    code = typed.strip().upper()
    if code == "UK":
        warn(typed, "read as GB, which is the code of the United Kingdom")
        return "GB"
    if not is_country(code):
        warn(typed, "not a country code such as DE; the country is left empty")
        return ""
    return code


def _state(columns: Columns, cells: Sequence[str], warn: Warn) -> SubscriptionState:
    """The strictest reading of all columns that speak of it."""
    state = SubscriptionState.ACTIVE
    for cell in columns.every("status", cells):
        reading = imported_state(cell)
        if reading is None:
            warn(cell, "an unknown status; taken as pending")
            reading = SubscriptionState.PENDING
        state = stricter(state, reading)
    for cell in columns.every("left", cells):
        if cell.strip().lower() not in ("", "no", "false", "0", "n", "f", "none", "null", "-"):
            state = SubscriptionState.UNSUBSCRIBED
    return state
