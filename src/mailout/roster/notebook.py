"""The notebook: what organisers wrote about people, out as a file and in again.

Notes are in no export of people: they are words about somebody, for those who work with them, and
can betray. So they go out by themselves, with a reason that is kept, and come in by themselves,
for people who are known; nobody is put on a list by a note. A line is one note:

| column | what |
|---|---|
| address | whom it is about |
| at | when it was written (ISO 8601); without it, today |
| note | its words; `notes` is known, too |

A note that is there already is not written twice.

Standards: RFC 8259 (JSON).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from typing import BinaryIO, NamedTuple
from zoneinfo import ZoneInfo

from mailout.core.address import Address, BadAddress
from mailout.core.errors import BadFile, UsageError, nearest
from mailout.core.site import Site
from mailout.roster import editing, exporting, opening, selecting
from mailout.roster.entry import unquoted
from mailout.roster.exporting import Form
from mailout.roster.headings import normal
from mailout.roster.reading import Broken, Row, shown
from mailout.roster.selecting import Chosen, Selection
from mailout.store import intake, merged, notes
from mailout.store.engine import Store, Tx
from mailout.store.notes import Note

_PAGE = 1000
_MOST_REFUSED = 10_000
_NOTE, _AT = ("note", "notes"), ("at", "noted at")


@dataclass(frozen=True, slots=True)
class Taken:
    """What came of a file of notes: rows of each kind; `empty` ones have no note in them. Of the
    `refused` the first ten thousand are kept."""

    rows_read: int
    added: int
    unchanged: int
    empty: int
    refused_count: int
    refused: tuple[Broken, ...]
    dry_run: bool


def chosen(site: Site, selection: Selection, reason: str) -> Chosen:
    """Whose notes are written out. Raises: UsageError without a reason; MailoutError."""
    found = selecting.chosen(site, selection)
    if not reason.strip():
        raise UsageError(
            "notes can betray those whom they are about",
            where="--reason",
            fix="Say why they are written out: it is kept, and `mailout exports` shows it.",
        )
    return replace(found, what=f"notes about {found.what}")


def write(
    site: Site,
    store: Store,
    whose: Chosen,
    out: BinaryIO,
    reason: str,
    clock: Callable[[], datetime],
) -> int:
    """How many notes were written to `out`, one JSON object a line; it stands in the log."""
    with (
        exporting.logged(store, whose, Form.JSON_LINES, reason, clock) as log,
        store.reading() as tx,
    ):
        for some in notes.about(tx, whose.list_id, whose.conditions(tx, site)):
            log.rows += len(some)
            out.write("".join(_line(address, one) for address, one in some).encode())
    return log.rows


def _line(address: str, one: Note) -> str:
    told = {"address": address, "at": one.at.astimezone(UTC).isoformat(), "note": one.text}
    return json.dumps(told, ensure_ascii=False) + "\n"


class _Words(NamedTuple):
    """A note that a row holds; `at` is None if the row does not say when it was written."""

    row: int
    key: str
    address: str
    text: str
    at: datetime | None


def take_in(
    site: Site,
    store: Store,
    file: BinaryIO,
    name: str,
    column: str,
    now: datetime,
    *,
    dry_run: bool = False,
) -> Taken:
    """What came of the notes in `file`, a thousand rows at a time. `column` is the one that holds
    them; empty: the one that is called so.

    Raises: UsageError for a column that is not there, BadFile for a file that is no table.
    """
    opened = opening.opened(file, name)
    names = opened.table.header.cells
    places = {"email": opened.columns.at("email"), "at": _place(names, _AT)}
    places["note"] = _place(names, (normal(column),) if column else _NOTE)
    if places["note"] < 0:
        what = f"no column is called `{shown(column)}`" if column else "no column is called note"
        fix = nearest(column, names) if column else "Say which one has the notes: --column NAME."
        raise BadFile(what, where=name, fix=fix)
    trip = _TakingIn(site, now, places)
    rows = iter(opened.table.rows)
    while page := list(islice(rows, _PAGE)):
        trip.rows += len(page)
        words = list(trip.read(page))
        if dry_run:
            with store.reading() as tx:
                trip.decide(tx, words)
        else:
            with store.writing() as tx:
                for subscriber_id, one in trip.decide(tx, words):
                    notes.add(tx, subscriber_id, one.text, one.at or now)
    return trip.end(dry_run)


def _place(names: Iterable[str], wanted: tuple[str, ...]) -> int:
    return next((at for at, name in enumerate(names) if normal(name) in wanted), -1)


class _TakingIn:
    """A file of notes under way."""

    def __init__(self, site: Site, now: datetime, places: Mapping[str, int]) -> None:
        self.site, self.now, self.places = site, now, places
        self.rows = self.added = self.unchanged = self.empty = self.refused_count = 0
        self.refused: list[Broken] = []

    def read(self, page: Iterable[Row | Broken]) -> Iterator[_Words]:
        """The notes of some rows; what is none is counted, or refused."""
        for row in page:
            if isinstance(row, Broken):
                self._refuse(row)
                continue
            typed = unquoted(row.cells[self.places["email"]]).strip()
            text = unquoted(row.cells[self.places["note"]])
            if not text.strip():
                self.empty += 1
                continue
            try:
                key = Address.parse(typed).key(self.site.keys.address)
                words = editing.note_words(text, key, self.site.keys.address)
                yield _Words(row.number, key, typed, words, self._at(row))
            except BadAddress as error:
                self._refuse(Broken(row.number, shown(typed), str(error)))
            except UsageError as error:
                self._refuse(Broken(row.number, shown(typed), error.what))

    def _at(self, row: Row) -> datetime | None:
        cell = row.cells[self.places["at"]].strip() if self.places["at"] >= 0 else ""
        if not cell:
            return None
        try:
            at = datetime.fromisoformat(cell)
        except ValueError:
            raise UsageError(f"`{shown(cell, 40)}` is no moment such as 2026-05-03") from None
        if at.tzinfo is None:
            at = at.replace(tzinfo=ZoneInfo(self.site.identity.timezone))
        return min(at.astimezone(UTC), self.now)

    def decide(self, tx: Tx, words: list[_Words]) -> list[tuple[int, _Words]]:
        """The notes to be written, each with the number of its person."""
        known = intake.known(tx, list({one.key for one in words}), "")
        ids = [person.id for person in known.values()]
        held = {
            id_: {(one.text, one.at) for one in found}
            for id_, found in notes.of_many(tx, ids).items()
        }
        fresh = []
        for one in words:
            person = known.get(one.key)
            if person is None:
                self._refuse(Broken(one.row, shown(one.address), _nobody(tx, one.key)))
                continue
            theirs = held.setdefault(person.id, set())
            if any(text == one.text and one.at in (None, at) for text, at in theirs):
                self.unchanged += 1
                continue
            theirs.add((one.text, one.at or self.now))
            self.added += 1
            fresh.append((person.id, one))
        return fresh

    def _refuse(self, row: Broken) -> None:
        self.refused_count += 1
        if len(self.refused) < _MOST_REFUSED:
            self.refused.append(row)

    def end(self, dry_run: bool) -> Taken:
        """The counts."""
        return Taken(
            self.rows, self.added, self.unchanged, self.empty, self.refused_count,
            tuple(self.refused), dry_run,
        )  # fmt: skip


def _nobody(tx: Tx, key: str) -> str:
    if now := merged.address_now(tx, key):
        return f"this address was merged into {now}"
    return "nobody here has this address; import the people first"
