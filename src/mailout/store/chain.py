"""The consent chain, read: link by link, so that a chain of millions fits into memory."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from sqlalchemy import Row, select

from mailout.core.consent import GENESIS, Consent, chained
from mailout.store.engine import Tx
from mailout.store.tables import CONSENT

_PAGE = 5000


@dataclass(frozen=True, slots=True)
class Link:
    """One row of a list's chain, with its place in it."""

    number: int
    consent: Consent
    previous: str
    hash: str


@dataclass(frozen=True, slots=True)
class Checked:
    """What checking a chain came to: how many links fit, the hash of the last of them, and the
    number of the first that does not (None if all do)."""

    links: int
    last_hash: str
    broken_at: int | None


def links(tx: Tx, list_id: str) -> Iterator[Link]:
    """A list's chain in its order."""
    after = 0
    while True:
        rows = tx.execute(
            select(CONSENT)
            .where(CONSENT.c.list_id == list_id, CONSENT.c.number > after)
            .order_by(CONSENT.c.number)
            .limit(_PAGE)
        ).all()
        yield from map(_link, rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1].number


def of_key(tx: Tx, address_key: str) -> list[Link]:
    """All that was ever written down for an address, oldest first; it outlives an erasure."""
    rows = tx.execute(
        select(CONSENT).where(CONSENT.c.address_key == address_key).order_by(CONSENT.c.id)
    )
    return [_link(row) for row in rows]


def check(tx: Tx, list_id: str) -> Checked:
    """Whether every link of a list's chain is as it was written, and none is missing between."""
    previous, fit = GENESIS, 0
    for link in links(tx, list_id):
        sound = link.previous == previous and link.hash == chained(link.consent, previous)
        if link.number != fit + 1 or not sound:
            return Checked(fit, previous, fit + 1)
        previous, fit = link.hash, fit + 1
    return Checked(fit, previous, None)


def lists(tx: Tx) -> list[str]:
    """The lists that have a chain, those that the site has no more included."""
    return sorted(tx.scalars(select(CONSENT.c.list_id).distinct()))


def _link(row: Row[tuple[object, ...]]) -> Link:
    names = Consent.__dataclass_fields__
    consent = Consent(**{name: getattr(row, name) for name in names})
    return Link(row.number, consent, row.previous, row.hash)
