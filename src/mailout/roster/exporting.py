"""Export: people as CSV or JSON lines, harmless in a spreadsheet, read back by our import.

One line is one person on one list. A cell that a spreadsheet would take for a formula gets
one quote before it; the import takes that one off again (`entry.unquoted`).

Standards: RFC 4180 (CSV).
"""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterable, Iterator

from mailout.core.subscriber import Membership, Subscriber
from mailout.roster.entry import RISKY
from mailout.roster.people import Selection

COLUMNS = ("address", "name", "language", "country", "tags", "list", "status", "joined")


def csv_lines(people: Iterable[Subscriber], selection: Selection) -> Iterator[str]:
    """A line of column names, then one a person and list, each ended by CRLF."""
    yield _line(COLUMNS)
    for person in people:
        for membership in _memberships(person, selection):
            yield _line([harmless(cell) for cell in _cells(person, membership)])


def json_lines(people: Iterable[Subscriber], selection: Selection) -> Iterator[str]:
    """One JSON object a person and list, each on a line of its own."""
    for entry in objects(people, selection):
        yield json.dumps(entry, ensure_ascii=False) + "\n"


def objects(people: Iterable[Subscriber], selection: Selection) -> Iterator[dict[str, object]]:
    """One mapping a person and list, with the keys of `COLUMNS`; `tags` is a list."""
    for person in people:
        for membership in _memberships(person, selection):
            entry: dict[str, object] = dict(zip(COLUMNS, _cells(person, membership), strict=True))
            yield entry | {"tags": list(person.tags)}


def harmless(cell: str) -> str:
    """The cell, with one quote before it if a spreadsheet would run it."""
    return f"'{cell}" if RISKY.match(cell) else cell


def _memberships(person: Subscriber, selection: Selection) -> Iterator[Membership]:
    list_id = selection.list_id or selection.segment.rpartition("/")[0]
    for membership in person.memberships:
        if list_id and membership.list_id != list_id:
            continue
        if selection.state is None or membership.state is selection.state:
            yield membership


def _cells(person: Subscriber, membership: Membership) -> list[str]:
    return [
        person.address,
        person.name,
        person.language,
        person.country,
        ";".join(person.tags),
        membership.list_id,
        membership.state.value,
        membership.joined_at.isoformat(timespec="seconds"),
    ]


def _line(cells: Iterable[str]) -> str:
    out = io.StringIO()
    csv.writer(out).writerow(cells)
    return out.getvalue()
