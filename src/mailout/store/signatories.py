"""Signatories, as a field of the subscribers that they are."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from sqlalchemy import select, update

from mailout.core.signatory import Signatory
from mailout.store.engine import Tx
from mailout.store.tables import SUBSCRIBER

_FIELD = "signatory"


class Named(NamedTuple):
    """A signatory, and the address by which the organiser knows them."""

    address: str
    signatory: Signatory


def everybody(tx: Tx) -> Iterator[Named]:
    """All signatories, in the order of their ids."""
    found = SUBSCRIBER.c.fields[_FIELD]
    rows = tx.execute(
        select(SUBSCRIBER.c.address, SUBSCRIBER.c.country, found)
        .where(found.as_string().is_not(None))
        .order_by(SUBSCRIBER.c.id)
    )
    for address, country, value in rows:
        if signatory := Signatory.of_field(value, country):
            yield Named(address, signatory)


def put(tx: Tx, subscriber_id: int, signatory: Signatory | None) -> bool:
    """Whether the person was a signatory before; they are now as said, or none any more."""
    query = select(SUBSCRIBER.c.fields).where(SUBSCRIBER.c.id == subscriber_id)
    fields = dict(tx.execute(query.with_for_update()).scalar_one())
    before = fields.pop(_FIELD, None) is not None
    if signatory is not None:
        fields[_FIELD] = signatory.as_field()
    tx.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber_id).values(fields=fields))
    return before
