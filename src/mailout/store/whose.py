"""Whose a report is: deliveries and readers found by what a mail holds of ours."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, select

from mailout.core.delivery import DeliveryState
from mailout.store import batch
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, ISSUE, SUBSCRIBER, SUBSCRIPTION

_NEWEST = 200
"""Deliveries to one address that a report is held against: those of four years, one a week."""


@dataclass(frozen=True, slots=True)
class Theirs:
    """A reader, and the delivery to them that a mail may be about (0: none is known)."""

    subscriber_id: int
    address: str = field(repr=False)
    address_key: str
    list_id: str
    delivery_id: int = 0
    issue_id: int = 0
    queued_at: datetime | None = None


def by_deliveries(tx: Tx, ids: Collection[int]) -> dict[int, Theirs]:
    """The readers of deliveries, by the delivery's number; none of who was erased."""
    found: dict[int, Theirs] = {}
    for some in batch.chunks(list(ids), batch.KEYS):
        query = _deliveries().where(batch.among(tx, DELIVERY.c.id, some))
        found.update((row.delivery_id, Theirs(**row._mapping)) for row in tx.execute(query))
    return found


def by_keys(tx: Tx, keys: Sequence[str]) -> dict[str, list[Theirs]]:
    """The newest deliveries to each address key, the newest first."""
    found: dict[str, list[Theirs]] = {}
    for key in keys:
        query = (
            _deliveries()
            .where(DELIVERY.c.subscriber_id == _with_key(key))
            .order_by(DELIVERY.c.id.desc())
            .limit(_NEWEST)
        )
        if theirs := [Theirs(**row._mapping) for row in tx.execute(query)]:
            found[key] = theirs
    return found


def accepted_lately(tx: Tx, key: str, since: datetime, until: datetime) -> list[tuple[str, Theirs]]:
    """The deliveries to an address key that a next hop took over in that time, the newest first,
    each with the relay that took it."""
    query = (
        _deliveries()
        .add_columns(DELIVERY.c.relay)
        .where(
            DELIVERY.c.subscriber_id == _with_key(key),
            DELIVERY.c.address_key == key,
            DELIVERY.c.state == DeliveryState.ACCEPTED,
            DELIVERY.c.ended_at.between(since, until),
        )
        .order_by(DELIVERY.c.id.desc())
        .limit(_NEWEST)
    )
    found = []
    for row in tx.execute(query):
        values = dict(row._mapping)
        found.append((str(values.pop("relay")), Theirs(**values)))
    return found


def by_leave_tokens(tx: Tx, tokens: Collection[str]) -> dict[str, Theirs]:
    """The readers whose leave tokens these are, and of which list; no delivery is known."""
    found: dict[str, Theirs] = {}
    for some in batch.chunks(list(tokens), batch.KEYS):
        query = (
            select(
                SUBSCRIPTION.c.token,
                SUBSCRIBER.c.id.label("subscriber_id"),
                SUBSCRIBER.c.address,
                SUBSCRIBER.c.address_key,
                SUBSCRIPTION.c.list_id,
            )
            .join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
            .where(batch.among(tx, SUBSCRIPTION.c.token, some))
        )
        for row in tx.execute(query):
            values = dict(row._mapping)
            token = values.pop("token")
            found[token] = Theirs(**values)
    return found


def readers(tx: Tx, keys: Collection[str]) -> dict[str, Theirs]:
    """The readers with these address keys, by them; of no list and no delivery."""
    found: dict[str, Theirs] = {}
    for some in batch.chunks(list(keys), batch.KEYS):
        query = select(
            SUBSCRIBER.c.id.label("subscriber_id"), SUBSCRIBER.c.address, SUBSCRIBER.c.address_key
        ).where(batch.among(tx, SUBSCRIBER.c.address_key, some))
        for row in tx.execute(query):
            found[row.address_key] = Theirs(**row._mapping, list_id="")
    return found


def _deliveries() -> Select[Any]:
    return (
        select(
            DELIVERY.c.id.label("delivery_id"),
            DELIVERY.c.issue_id,
            DELIVERY.c.queued_at,
            SUBSCRIBER.c.id.label("subscriber_id"),
            SUBSCRIBER.c.address,
            SUBSCRIBER.c.address_key,
            ISSUE.c.list_id,
        )
        .join(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .join(ISSUE, ISSUE.c.id == DELIVERY.c.issue_id)
    )


def _with_key(key: str) -> ColumnElement[int]:
    return select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.address_key == key).scalar_subquery()
