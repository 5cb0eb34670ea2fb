"""The form: how the rows of one file are read as people, worked out once for all of them.

A file has few different languages, tags and statuses: what was made of their cells is
remembered, and only address and name are looked at in every row.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from operator import itemgetter
from typing import NamedTuple

from mailout.catalogue import is_country
from mailout.core import language
from mailout.core.address import BadAddress, Parser
from mailout.core.edition import CHOICES
from mailout.core.frequency import Frequency
from mailout.core.segment import RESERVED, Field
from mailout.core.spelling import composed
from mailout.roster import own, statuses
from mailout.roster.columns import Columns
from mailout.roster.entry import NO_CHOICE, Choice, Entry, harm, narrowed, tags_of, unquoted
from mailout.roster.reading import Broken, Row, shown
from mailout.roster.statuses import Standing, strictest

_MOST_REMEMBERED = 20_000
_MOST_IN_BAG = 50
_BAG = 10_000  # characters
_TOTAL = re.compile(r"\s*(?:(?:sub|grand )?total\w*|sum|summe|итого|всего)\s*:?\s*", re.I).fullmatch
_NOT_A_NAME = re.compile(r"[^a-z0-9]+")
_FIELD_NAME = re.compile(r"[a-z][a-z0-9_-]{0,40}")
_ROLES = (
    "abuse admin administrator billing contact editor enquiries hello help hostmaster info",
    "jobs kontakt mail marketing newsletter noreply no-reply office postmaster press presse",
    "redaktion root sales secretary security sekretariat service support team webmaster",
    "инфо офис пресса редакция",
)
ROLES = frozenset(" ".join(_ROLES).split())
"""Local parts that several people read, and that change hands."""


def _taker(places: Sequence[int]) -> Callable[[tuple[str, ...]], tuple[str, ...]]:
    """What takes the cells at these places out of a row."""
    if len(places) > 1:
        return itemgetter(*places)  # three times as fast as a loop of our own
    return lambda cells: tuple([cells[at] for at in places])


class Taken(NamedTuple):
    """What cells other than address and name say, and what to tell of them."""

    language: str
    country: str
    tags: frozenset[str]
    standing: Standing
    warnings: tuple[tuple[str, str], ...]
    bad: tuple[str, str]
    choice: Choice


@dataclass(slots=True)
class Sheaf:
    """A chunk of rows as people: the first of each address united with later rows of it. Where
    rows are kept, `doubles` are the places and addresses of those later ones."""

    people: dict[str, Entry] = field(default_factory=dict)
    rows: int = 0
    doubled: int = 0
    roles: int = 0
    doubles: list[tuple[int, str]] = field(default_factory=list)
    broken: list[Broken] = field(default_factory=list)
    warnings: list[Broken] = field(default_factory=list)


class Form:
    """Made for a file with these columns.

    `tags` are given to everybody, `key` makes address keys, `foreign` are the other lists of
    the site: a row that names one of them does not belong here. `standing` is what holds of
    all rows, by the file's name or an option. `declared` are the fields that lists declare.
    `header` is refused when it comes again. Without `keep_cells` people do not carry their row
    along, which only the files beside an import need.
    """

    def __init__(
        self,
        columns: Columns,
        tags: frozenset[str] = frozenset(),
        key: bytes = b"",
        foreign: frozenset[str] = frozenset(),
        standing: Standing = statuses.ACTIVE,
        declared: Mapping[str, Field] | None = None,
        header: tuple[str, ...] = (),
        keep_cells: bool = True,
    ) -> None:
        self.tags, self.foreign, self.standing, self.header = tags, foreign, standing, header
        self.declared, self.keep_cells = declared or {}, keep_cells
        self.names = {bag_name(name): name for name in self.declared}
        self.told_once: set[str] = set()
        self.key, self.parse = key, Parser(key).parse
        self.email, self.name = columns.at("email"), columns.at("name")
        self.parts = [at for at in map(columns.at, ("first_name", "last_name")) if at >= 0]
        self.list = columns.at("list")
        spoken = ("language", "country", "tags", "status", "left", "dead", "blocked", "opted_in",
                  "confirmed", "lists", "edition", "frequency")  # fmt: skip
        self.told = tuple((what, at) for what in spoken for at in columns.positions.get(what, ()))
        self.rest = _taker([at for _, at in self.told])
        self.times = [
            (words, columns.at(what))
            for what, words in (("opt_in_time", "opted in"), ("confirm_time", "confirmed"))
            if columns.at(what) >= 0
        ]
        self.own, self.bag = columns.own, columns.at("bag")
        self.others = [(columns.at(f"email{n}"), columns.at(f"bad{n}")) for n in (1, 2, 3, 4)]
        self.several = any(at >= 0 or bad >= 0 for at, bad in self.others)
        self.remembered: dict[tuple[str, ...], Taken] = {}

    def sheaf(self, rows: Iterable[Row | Broken]) -> Sheaf:
        """The rows as people, in the order in which each came first."""
        found = Sheaf()
        people, broken = found.people, found.broken
        for row in rows:
            found.rows += 1
            if isinstance(row, Broken):
                broken.append(row)
                continue
            entry = self.read(row, found.warnings)
            if isinstance(entry, Broken):
                broken.append(entry)
                continue
            if entry.address.local.lower() in ROLES:
                found.roles += 1
            known = people.setdefault(entry.key, entry)
            if known is not entry:
                people[entry.key] = known.united(entry)
                found.doubled += 1
                if self.keep_cells:
                    found.doubles.append((entry.number, entry.address.text))
        return found

    def read(self, row: Row, warnings: list[Broken]) -> Entry | Broken:
        """The person in a row, or why there is none; values left out go to `warnings`."""
        number, cells = row
        typed, dead = cells[self.email], False
        if self.several:
            typed, dead = self._which(row, warnings)
        if typed[:1] == "'":
            typed = unquoted(typed)
        try:
            address, key = self.parse(typed)
        except BadAddress as error:
            return Broken(number, shown(typed), self._no_address(cells, typed, error), cells)
        name = cells[self.name].strip() if self.name >= 0 else ""
        if name[:1] == "'":
            name = unquoted(name)
        if not name and self.parts:
            name = " ".join(filter(None, (unquoted(cells[at]).strip() for at in self.parts)))
        plain = name.isascii() and name.isprintable() and "=?" not in name and len(name) < 70
        if not plain:
            name = composed(name)
        why = "" if plain else harm(name, "the name")
        if "=?" in typed or not typed.isascii():
            why = harm(address.text, "the address") or why
        if why:
            return Broken(number, shown(typed), why, cells)
        if self.list >= 0 and (list_id := cells[self.list].strip()) in self.foreign:
            why = f"this row is of the list `{list_id}`"
            return Broken(number, shown(typed), why, cells)
        rest = self.rest(cells)
        taken = self.remembered.get(rest) or self._take(rest)
        language, country, tags, standing, told, bad, choice = taken
        if bad[1]:
            return Broken(number, shown(bad[0]), bad[1], cells)
        for value, why in told:
            warnings.append(Broken(number, shown(value), why))
        state, suppressed = strictest(standing, statuses.DEAD) if dead else standing
        agreed = self._agreed(cells) if self.times else ""
        fields: tuple[tuple[str, object], ...] = ()
        if self.own or self.bag >= 0:
            fields = self._fields(row, warnings)
        return Entry(
            number, address, key, name, language, country, tags, state, suppressed, agreed,
            fields, cells if self.keep_cells else (), choice,
        )  # fmt: skip

    def _no_address(self, cells: tuple[str, ...], typed: str, error: BadAddress) -> str:
        if cells == self.header:
            return "the names of the columns again"
        if typed.count("@") > 1:
            return "more than one address in a cell"
        if "@" not in typed and any(map(_TOTAL, cells)):
            return "no address: a line of totals?"
        return str(error)

    def _take(self, rest: tuple[str, ...]) -> Taken:
        """What the cells of `told` say, remembered for the next row with the same ones."""
        warnings: list[tuple[str, str]] = []
        code = country = ""
        tags, standing, bad, choice = self.tags, self.standing, ("", ""), NO_CHOICE
        for (what, _), typed in zip(self.told, rest, strict=True):
            cell = unquoted(typed)
            if what == "language":
                code = _language(cell, warnings)
            elif what == "country":
                country = _country(cell, warnings)
            elif what == "tags":
                more, why = tags_of(cell)
                tags |= more
                if why and not bad[1]:
                    bad = (cell, why)
            elif what in ("edition", "frequency"):
                choice = narrowed(choice, _choice(what, cell, warnings))
            else:
                standing = strictest(standing, _standing(what, cell, warnings))
        if self._contradict(rest, standing):
            warnings.append(
                ("active", f"and the row says {standing.suppressed or 'that they left'}, too; "
                 "the stricter counts")
            )  # fmt: skip
        if len(self.remembered) >= _MOST_REMEMBERED:
            self.remembered.clear()
        taken = Taken(code, country, tags, standing, tuple(warnings), bad, choice)
        self.remembered[rest] = taken
        return taken

    def _contradict(self, rest: tuple[str, ...], standing: Standing) -> bool:
        """Whether a column says in a word that they are active, and another one that they left."""
        return standing.state is statuses.LEFT.state and any(
            what == "status" and cell.strip() and statuses.standing(cell) == statuses.ACTIVE
            for (what, _), cell in zip(self.told, rest, strict=True)
        )

    def _which(self, row: Row, warnings: list[Broken]) -> tuple[str, bool]:
        """Of a person's addresses the one to take, and whether it is dead."""
        cells = row.cells
        first = cells[self.email].strip()
        offered: dict[str, bool] = {}
        for number, (at, bad) in enumerate(self.others):
            # Where only its badness has a column, the first address is the main one.
            typed = cells[at].strip() if at >= 0 else first if number == 0 else ""
            if typed:
                offered[typed.lower()] = bad >= 0 and statuses.yes(cells[bad]) is not False
        if first and not offered.get(first.lower(), False):
            return first, False
        for at, _ in self.others:
            typed = cells[at].strip() if at >= 0 else ""
            if typed and not offered[typed.lower()]:
                if first:
                    warnings.append(Broken(row.number, shown(first), f"is bad; {typed} is taken"))
                return typed, False
        return first, bool(first)

    def _agreed(self, cells: Sequence[str]) -> str:
        """The times that prove consent, as the file has them; what is no time is left out."""
        said = ((words, cells[at].strip()) for words, at in self.times)
        return ", ".join(f"{words} {time}" for words, time in said if _is_time(time))

    def _fields(self, row: Row, warnings: list[Broken]) -> tuple[tuple[str, object], ...]:
        held: dict[str, str] = {}
        if self.bag >= 0 and (packed := row.cells[self.bag].strip()):
            found, why = unpacked(packed)
            if why:
                warnings.append(Broken(row.number, shown(packed), why))
            held |= self._renamed(row, found, warnings)
        held |= {name: unquoted(row.cells[at]) for name, at in self.own.items()}
        values: list[tuple[str, object]] = []
        for name, cell in held.items():
            if not cell or cell.isspace():
                continue
            try:
                values.append((name, own.value(cell, self.declared.get(name))))
            except ValueError as error:
                why = f"the field `{name}` is left as it was: {error}"
                warnings.append(Broken(row.number, shown(cell), why))
        return tuple(values)

    def _renamed(
        self, row: Row, found: Mapping[str, str], warnings: list[Broken]
    ) -> dict[str, str]:
        """The fields of a bag under the names that lists declare; none that has another meaning."""
        for name in sorted((found.keys() & RESERVED) - self.told_once):
            self.told_once.add(name)
            why = "a name that has a meaning already; left out, in the rows below, too"
            warnings.append(Broken(row.number, name, why))
        return {
            self.names.get(bag_name(name), name): cell
            for name, cell in found.items()
            if name not in RESERVED
        }


def bag_name(name: str) -> str:
    """A name in a bag as it is compared: lower case, `_` for whatever is no letter or digit."""
    return _NOT_A_NAME.sub("_", name.lower()).strip("_")[:40]


def unpacked(packed: str) -> tuple[dict[str, str], str]:
    """Custom fields in a cell that holds a JSON object or a Python dict, and why it cannot be
    read (or empty). What is within one of its values stays as it is written."""
    if len(packed) > _BAG:
        return {}, f"longer than {_BAG} characters; left out"
    try:
        found = json.loads(packed)
    except (ValueError, RecursionError):
        try:
            # Literals only: nothing is called, and the length above bounds what it can cost.
            found = ast.literal_eval(packed)
        except (ValueError, SyntaxError, TypeError, MemoryError, RecursionError):
            return {}, "neither a JSON object nor a Python dict; left out"
    if not isinstance(found, dict):
        return {}, "neither a JSON object nor a Python dict; left out"
    fields: dict[str, str] = {}
    for name, value in list(found.items())[:_MOST_IN_BAG]:
        plain = str(name) if _FIELD_NAME.fullmatch(str(name)) else bag_name(str(name))
        if plain and plain[0].isalpha() and value is not None:
            kept = (
                value
                if isinstance(value, str)
                else json.dumps(value, ensure_ascii=False, default=str)
            )
            fields[plain] = kept
    more = len(found) > _MOST_IN_BAG
    return fields, f"more than {_MOST_IN_BAG} fields; the rest is left out" if more else ""


def _is_time(text: str) -> bool:
    """Whether a cell may be a time: digits, and nothing that names anybody."""
    return 6 <= len(text) <= 40 and bool(
        re.fullmatch(r"[\dTZ:.,+/ -]+(?:(?:[AP]M|UTC|GMT)\b[\d:+ -]*)?", text, re.IGNORECASE)
    )


def _language(typed: str, warnings: list[tuple[str, str]]) -> str:
    if not typed or typed.isspace():
        return ""
    if meant := language.mistaken_for(typed):
        warnings.append(
            (typed, f"a country, not a language (perhaps {meant}?); the language is left empty")
        )
        return ""
    code = language.normal(typed)
    if not language.is_code(code):
        warnings.append((typed, "not a language code such as ru; the language is left empty"))
        return ""
    return code


def _country(typed: str, warnings: list[tuple[str, str]]) -> str:
    if not typed or typed.isspace():
        return ""
    code = typed.strip().upper()
    if code == "UK":
        warnings.append((typed, "read as GB, which is the code of the United Kingdom"))
        return "GB"
    if not is_country(code):
        warnings.append((typed, "not a country code such as DE; the country is left empty"))
        return ""
    return code


def _choice(what: str, cell: str, warnings: list[tuple[str, str]]) -> Choice:
    """What one cell says of how the person wants their mail."""
    word = cell.strip().lower()
    known = CHOICES if what == "edition" else tuple(map(str, Frequency))
    if word not in known:
        few = ", ".join(filter(None, known))
        warnings.append((cell, f"no {what} ({few}); what the person has stays"))
        return NO_CHOICE
    return (word, "") if what == "edition" else ("", word)


def _standing(what: str, cell: str, warnings: list[tuple[str, str]]) -> Standing:
    """What one cell says of where the person stands."""
    if what == "status":
        found = statuses.standing(cell)
        if found is None:
            warnings.append((cell, "an unknown status; taken as pending"))
        return found or statuses.PENDING
    if what == "lists":
        return statuses.LEFT if cell.strip().lower() == "no lists" else statuses.ACTIVE
    said = statuses.yes(cell)
    if what == "opted_in" and _is_time(cell):
        return statuses.ACTIVE  # the day on which they did
    if what in ("opted_in", "confirmed"):
        if said is None:
            warnings.append((cell, "neither yes nor no; taken as pending"))
            return statuses.PENDING
        if said:
            return statuses.ACTIVE
        return statuses.LEFT if what == "opted_in" else statuses.PENDING
    if said is False:  # anything but no: often it is the date
        return statuses.ACTIVE
    if what == "dead" and "opt out" in cell.lower():  # CiviCRM's `On Hold Opt Out`
        return statuses.LEFT
    return {"left": statuses.LEFT, "dead": statuses.DEAD, "blocked": statuses.BLOCKED}[what]
