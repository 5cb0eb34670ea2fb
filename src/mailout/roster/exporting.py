"""Export: people as CSV, XLSX or JSON lines, harmless in a spreadsheet, read back by our import.

One line is one person on one list, with what is needed to import it elsewhere. Whom we do not mail
has a status that says so: an export must not bring back anybody. A cell that a spreadsheet would
take for a formula gets one quote before it; the import takes that one off again
(`entry.unquoted`). Rows go through in batches, so that a million people need no more memory
than a thousand. Each export is written down before its first row.

Standards: RFC 4180 (CSV), RFC 8259 (JSON).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import datetime
from enum import StrEnum
from functools import lru_cache
from json.encoder import encode_basestring as quoted  # a text as JSON, letters as they are
from operator import itemgetter
from typing import BinaryIO

from mailout.core.errors import UsageError
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.roster import selecting, workbook
from mailout.roster.entry import NO_FIELDS, RISKY
from mailout.roster.selecting import Chosen, Selection
from mailout.store import export_log, extracts
from mailout.store import roster as bulk
from mailout.store.batch import KEYS, chunks
from mailout.store.engine import Store, Tx
from mailout.store.extracts import Row

COLUMNS = (
    "address", "name", "language", "country", "tags", "list", "status", "joined", "edition",
    "frequency",
)  # fmt: skip
OWN = "fields."
"""Before the name of a list's own field."""

_NOT_EXPORTED = "signatory"  # how somebody is named in public: `mailout signatories` lists it
_FIRST = frozenset("'=+-@\t\r\n＝＋－＠")
_TYPED = tuple(map(COLUMNS.index, ("address", "name", "tags")))
"""Where people's own words stand; the other cells are codes and times of ours."""
_MOST_WRITTEN = 50_000
_ENCODE = json.JSONEncoder(ensure_ascii=False).encode

Batches = Iterable[Sequence[Row]]


class Form(StrEnum):
    """How an export is written."""

    CSV = "CSV"
    XLSX = "XLSX"
    JSON_LINES = "JSON lines"
    JSON = "JSON"


def write(
    site: Site,
    store: Store,
    selection: Selection,
    form: Form,
    out: BinaryIO,
    reason: str,
    clock: Callable[[], datetime],
) -> int:
    """How many lines of people were written to `out`; the export stands in the log.

    Raises: UsageError without a reason where people of a sensitive segment may be among them;
    MailoutError for a selection that is none.
    """
    chosen = selecting.chosen(site, selection)
    require_reason(chosen, reason)
    with logged(store, chosen, form, reason, clock) as log, store.reading() as tx:
        batches = log.counting(extracts.rows(tx, chosen.list_id, chosen.conditions(tx, site)))
        own = _own_fields(tx)
        if form is Form.XLSX:
            workbook.write([*COLUMNS, *_heads(own)], map(_Lines(own).cells, batches), out)
        else:
            for text in texts(batches, own, form):
                out.write(text.encode())
    return log.rows


def write_people(
    store: Store, people: Sequence[Subscriber], chosen: Chosen, out: BinaryIO, log: logged
) -> None:
    """Nothing, once people who were looked up before are written to `out` as CSV, in that order."""
    found: dict[str, list[Row]] = {}
    with store.reading() as tx:
        for some in chunks([person.id for person in people], KEYS):
            for rows in extracts.rows(tx, chosen.list_id, [bulk.has_id(tx, some)]):
                for row in rows:
                    found.setdefault(row.address, []).append(row)
    ordered = [row for person in people for row in found.get(person.address, ())]
    own = sorted({name for row in ordered for name in json.loads(row.fields)} - {_NOT_EXPORTED})
    for text in texts(log.counting([ordered]), own, Form.CSV):
        out.write(text.encode())


def require_reason(chosen: Chosen, reason: str) -> None:
    """Nothing, if the people may be written out. Raises: UsageError."""
    if chosen.sensitive and not reason.strip():
        names = ", ".join(f"`{name}`" for name in chosen.sensitive)
        raise UsageError(
            f"people of a sensitive segment may be among these ({names})",
            where="--reason",
            fix="Say why they are written out: it is kept, and `mailout exports` shows it.",
        )


class logged:
    """An export in the log: begun before its first row, ended with its count, or broken off."""

    def __init__(
        self,
        store: Store,
        chosen: Chosen,
        form: Form,
        reason: str,
        clock: Callable[[], datetime],
    ) -> None:
        self.store, self.clock, self.rows = store, clock, 0
        self.words = (chosen.what, form.value, reason.strip())

    def __enter__(self) -> logged:
        with self.store.writing() as tx:
            self.number = export_log.begin(tx, *self.words, self.clock())
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        ended_at = self.clock() if kind is None else None
        with self.store.writing() as tx:
            export_log.end(tx, self.number, self.rows, ended_at)

    def counting(self, batches: Batches) -> Iterator[Sequence[Row]]:
        """The batches, their rows counted."""
        for some in batches:
            self.rows += len(some)
            yield some


def texts(batches: Batches, own: Sequence[str], form: Form) -> Iterator[str]:
    """An export as text, a batch at a time; `own` are the columns of fields in a CSV file."""
    if form is Form.CSV:
        yield _careful([[*COLUMNS, *_heads(own)]])
        lines = _Lines(own)
        yield from map(lines.text, batches)
        return
    if form is Form.JSON_LINES:
        for some in batches:
            yield "".join([_object(row) + "\n" for row in some])
    else:
        between = "[\n"
        for some in batches:
            yield between + ",\n".join(map(_object, some))
            between = ",\n"
        yield "[]\n" if between == "[\n" else "\n]\n"


def harmless(cell: str) -> str:
    """The cell, with one quote before it if a spreadsheet would run it."""
    return f"'{cell}" if cell[:1] in _FIRST and RISKY.match(cell) else cell


class _Lines:
    """Rows as lines of CSV, with a column for each of the fields `own`."""

    def __init__(self, own: Sequence[str]) -> None:
        self.commas, self.tails = len(COLUMNS) + len(own) - 1, _Tails(own)

    def text(self, rows: Sequence[Row]) -> str:
        """The rows as lines. Most need no quotes and hold nothing that a spreadsheet would run:
        they are joined as they stand."""
        many, tails = len(rows), self.tails
        text = "\r\n".join([",".join(row[:-1] + tails[row[-1]]) for row in rows])
        plain = '"' not in text and text.count(",") == many * self.commas
        plain = plain and text.count("\n") == text.count("\r") == many - 1
        if plain and not any(_starts(rows, at) & _FIRST for at in _TYPED):
            return text + "\r\n"
        return _careful(self.cells(rows))

    def cells(self, rows: Sequence[Row]) -> Iterator[list[str]]:
        """The cells of rows, made harmless."""
        first, risky, tails = _FIRST, RISKY.match, self.tails
        for row in rows:
            cells = [f"'{cell}" if cell[:1] in first and risky(cell) else cell for cell in row[:-1]]
            yield [*cells, *tails[row[-1]]]


class _Tails(dict[str, tuple[str, ...]]):
    """The cells of the fields `own`, made harmless, by all fields as they are stored: kept, as
    many people have the same."""

    def __init__(self, own: Sequence[str]) -> None:
        self.own = own

    def __missing__(self, fields: str) -> tuple[str, ...]:
        if len(self) >= _MOST_WRITTEN:
            self.clear()
        held = json.loads(fields)
        cells = self[fields] = tuple(harmless(_cell(held.get(name))) for name in self.own)
        return cells


def _starts(rows: Sequence[Row], at: int) -> set[str]:
    """The first characters of a column."""
    return {cell[:1] for cell in map(itemgetter(at), rows)}


def _careful(rows: Iterable[Sequence[str]]) -> str:
    out = io.StringIO()
    csv.writer(out).writerows(rows)
    return out.getvalue()


def _heads(own: Sequence[str]) -> list[str]:
    return [OWN + name for name in own]


def _cell(value: object) -> str:
    """A field's value as a cell; several choices are joined by `;`."""
    match value:
        case None:
            return ""
        case bool():
            return "yes" if value else "no"
        case str():
            return value
        case list() if all(isinstance(one, str) for one in value):
            return ";".join(value)
        case _:
            return _ENCODE(value)


def _object(row: Row) -> str:
    """The row as a JSON object, in one line. What is the same for many people is written once."""
    address, name, language, country, tags, list_id, status, joined, edition, frequency, held = row
    before, between, after = _alike(language, country, list_id, status, edition, frequency)
    fields = "" if held == NO_FIELDS else _fields(held)
    return (
        f'{{"address": {quoted(address)}, "name": {quoted(name)}, {before}{_tags(tags)}{between}'
        f'"joined": "{joined}", {after}{fields}}}'
    )


@lru_cache(maxsize=4096)
def _alike(
    language: str, country: str, list_id: str, status: str, edition: str, frequency: str
) -> tuple[str, str, str]:
    """The members before the tags, those between them and the time, and those after that."""
    return (
        f'"language": {_ENCODE(language)}, "country": {_ENCODE(country)}, "tags": ',
        f', "list": {_ENCODE(list_id)}, "status": {_ENCODE(status)}, ',
        f'"edition": {_ENCODE(edition)}, "frequency": {_ENCODE(frequency)}',
    )


@lru_cache(maxsize=4096)
def _tags(tags: str) -> str:
    return _ENCODE(tags.split(";") if tags else [])


@lru_cache(maxsize=4096)
def _fields(held: str) -> str:
    """The member `fields` of an object, with the comma before it; empty if nobody may have it."""
    fields = json.loads(held)
    fields.pop(_NOT_EXPORTED, None)
    return f', "fields": {_ENCODE(fields)}' if fields else ""


def _own_fields(tx: Tx) -> list[str]:
    return [name for name in extracts.own_fields(tx) if name != _NOT_EXPORTED]


def refuse_form(form: Form, output: str | None) -> None:
    """Nothing, if the form can be written there. Raises: UsageError."""
    if form is Form.XLSX and output is None:
        raise UsageError("a workbook is not printed", where="--xlsx", fix="Add --output FILE.")
