"""Deliveries as people ask for them: counted by state, listed one by one.

How they are claimed and recorded is in `store.claims`.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select

from mailout.core.delivery import DeliveryState, reply_line
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, SUBSCRIBER


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery as shown to people; `address` is None once the person is erased."""

    id: int
    address: str | None
    address_key: str
    state: DeliveryState
    reason: str
    attempts: int
    language: str
    next_at: datetime
    ended_at: datetime | None
    last_code: int
    last_enhanced: str
    last_text: str

    @property
    def last_reply(self) -> str:
        return reply_line(self.last_code, self.last_enhanced, self.last_text)


def count(tx: Tx, *, issue_id: int = 0, dispatch_id: int = 0) -> dict[DeliveryState, int]:
    """How many deliveries of an issue or a dispatch are in each state."""
    query = select(DELIVERY.c.state, func.count()).group_by(DELIVERY.c.state)
    if issue_id:
        query = query.where(DELIVERY.c.issue_id == issue_id)
    if dispatch_id:
        query = query.where(DELIVERY.c.dispatch_id == dispatch_id)
    return {state: number for state, number in tx.execute(query)}


def next_due(tx: Tx, dispatch_id: int) -> datetime | None:
    """When the first queued delivery of a dispatch is due; None if none is queued."""
    due: datetime | None = tx.scalar(
        select(func.min(DELIVERY.c.next_at)).where(
            DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.state == DeliveryState.QUEUED
        )
    )
    return due


def listed(
    tx: Tx, issue_id: int, state: DeliveryState | None = None, after: int = 0, limit: int = 1000
) -> list[Listed]:
    """Up to `limit` deliveries of an issue with ids above `after`, in the order of their ids."""
    query = (
        select(DELIVERY, SUBSCRIBER.c.address)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(DELIVERY.c.issue_id == issue_id, DELIVERY.c.id > after)
        .order_by(DELIVERY.c.id)
        .limit(limit)
    )
    if state is not None:
        query = query.where(DELIVERY.c.state == state)
    names = Listed.__dataclass_fields__
    return [Listed(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]
