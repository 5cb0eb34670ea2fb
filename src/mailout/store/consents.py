"""The consent chain: rows are appended in batches, each hashed over the one before."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import select, text

from mailout.core.consent import GENESIS, Consent, chained, link, moment
from mailout.store.columns import dialect_of, stored_moment
from mailout.store.engine import Tx
from mailout.store.intake import put
from mailout.store.tables import CONSENT

_COLUMNS = (
    "subscriber_id, address_key, action, wording, language, source, list_id, number, at,"
    " previous, hash"
)


class Piece(NamedTuple):
    """One piece of evidence, of which list and moment are known: what an import has many of."""

    subscriber_id: int
    address_key: str
    action: str
    wording: str
    language: str
    source: str


def append(tx: Tx, consents: Iterable[Consent]) -> None:
    """Nothing, once the evidence is appended to its lists' chains, in the order given."""
    runs: dict[tuple[str, datetime], list[Piece]] = {}
    last: dict[str, tuple[str, datetime]] = {}
    for one in consents:
        run = (one.list_id, one.at)
        if last.setdefault(one.list_id, run) != run:  # its chain keeps the order
            append_many(tx, one.list_id, last[one.list_id][1], runs.pop(last[one.list_id]))
            last[one.list_id] = run
        runs.setdefault(run, []).append(
            Piece(
                one.subscriber_id,
                one.address_key,
                one.action.value,
                one.wording,
                one.language,
                one.source,
            )
        )
    for (list_id, at), rows in runs.items():
        append_many(tx, list_id, at, rows)


def append_many(tx: Tx, list_id: str, at: datetime, rows: Sequence[Piece]) -> None:
    """Nothing, once the rows of one moment are appended to a list's chain, in their order."""
    if not rows:
        return
    if tx.get_bind().dialect.name == "postgresql":
        # One writer at a time to a chain; SQLite has one writer anyway.
        tx.execute(text("SELECT pg_advisory_xact_lock(hashtext(:chain))"), {"chain": list_id})
    last = tx.execute(
        select(CONSENT.c.number, CONSENT.c.hash)
        .where(CONSENT.c.list_id == list_id)
        .order_by(CONSENT.c.number.desc())
        .limit(1)
    ).first()
    number, previous = (last[0], last[1]) if last else (0, GENESIS)
    said, stored = moment(at), stored_moment(at, dialect_of(tx))
    linked = []
    for row in rows:
        number += 1
        id_, key, action, wording, language, source = row
        hash_ = link(previous, list_id, id_, key, action, said, wording, language, source)
        linked.append((*row, list_id, number, stored, previous, hash_))
        previous = hash_
    put(tx, "consent", _COLUMNS, linked)


def of_subscriber(tx: Tx, subscriber_id: int) -> list[Consent]:
    """A person's evidence over all lists, oldest first."""
    rows = tx.execute(
        select(CONSENT).where(CONSENT.c.subscriber_id == subscriber_id).order_by(CONSENT.c.id)
    )
    return [_consent(row) for row in rows]


def first_broken(tx: Tx, list_id: str) -> int | None:
    """The number of the first row of a list's chain that does not fit; None if all do."""
    previous, expected = GENESIS, 1
    rows = tx.execute(
        select(CONSENT).where(CONSENT.c.list_id == list_id).order_by(CONSENT.c.number)
    )
    for row in rows:
        consent = _consent(row)
        fits = row.previous == previous and row.hash == chained(consent, previous)
        if row.number != expected or not fits:
            return expected
        previous, expected = row.hash, expected + 1
    return None


def _consent(row: object) -> Consent:
    names = Consent.__dataclass_fields__
    return Consent(**{name: getattr(row, name) for name in names})
