"""The consent chain: rows are appended in batches, each hashed over the one before."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select, text

from mailout.core.consent import GENESIS, Consent, chained
from mailout.store.batch import insert_batch
from mailout.store.engine import Tx
from mailout.store.tables import CONSENT


def append(tx: Tx, consents: Iterable[Consent]) -> None:
    """Nothing, once the evidence is appended to its lists' chains, in the order given."""
    by_list: dict[str, list[Consent]] = {}
    for consent in consents:
        by_list.setdefault(consent.list_id, []).append(consent)
    for list_id, items in by_list.items():
        _append_to(tx, list_id, items)


def _append_to(tx: Tx, list_id: str, items: list[Consent]) -> None:
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
    rows = []
    for consent in items:
        number += 1
        hash_ = chained(consent, previous)
        rows.append(
            {
                "list_id": list_id,
                "number": number,
                "subscriber_id": consent.subscriber_id,
                "address_key": consent.address_key,
                "action": consent.action,
                "at": consent.at,
                "wording": consent.wording,
                "language": consent.language,
                "source": consent.source,
                "previous": previous,
                "hash": hash_,
            }
        )
        previous = hash_
    insert_batch(tx, CONSENT, rows)


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
