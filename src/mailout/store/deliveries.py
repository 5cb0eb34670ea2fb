"""Deliveries as people ask for them: counted by state, listed one by one.

How they are started and recorded is in `store.claims` and `store.outcomes`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, literal_column, select, update

from mailout.core.delivery import DeliveryState, reply_line
from mailout.core.dispatch import DispatchState
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, DISPATCH, SUBSCRIBER


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


def are_open(tx: Tx, dispatch_id: int) -> bool:
    """Whether any delivery of the dispatch has work to do; by small indexes, not by counting."""
    ours = DELIVERY.c.dispatch_id == dispatch_id
    queued = select(1).where(ours, DELIVERY.c.state == literal_column("'queued'"))
    held = select(1).where(ours, DELIVERY.c.worker != "")
    return bool(tx.scalar(select(queued.exists() | held.exists())))


def count_untried(tx: Tx, dispatch_id: int) -> int:
    """How many queued deliveries of a dispatch no server was asked to take yet."""
    return int(
        tx.scalar(
            select(func.count()).where(
                DELIVERY.c.dispatch_id == dispatch_id,
                DELIVERY.c.state == DeliveryState.QUEUED,
                DELIVERY.c.attempts == 0,
            )
        )
        or 0
    )


def are_held(tx: Tx, dispatch_id: int) -> bool:
    """Whether a sender has any delivery of the dispatch on the wire, or marked for it."""
    held = select(1).where(DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.worker != "")
    return bool(tx.scalar(select(held.exists())))


def queue_again(
    tx: Tx, issue_id: int, states: Sequence[DeliveryState], now: datetime, address_key: str = ""
) -> dict[int, int]:
    """How many of an issue's deliveries in those (ended) states are queued anew, by dispatch.

    Their age begins again; with `address_key` only that one.
    """
    chosen = [DELIVERY.c.issue_id == issue_id, DELIVERY.c.state.in_(states)]
    if address_key:
        chosen.append(DELIVERY.c.address_key == address_key)
    counted = select(DELIVERY.c.dispatch_id, func.count()).where(*chosen)
    found = {
        dispatch_id: number
        for dispatch_id, number in tx.execute(counted.group_by(DELIVERY.c.dispatch_id))
    }
    tx.execute(
        update(DELIVERY)
        .where(*chosen)
        .values(
            state=DeliveryState.QUEUED,
            attempts=0,
            queued_at=now,
            next_at=now,
            ended_at=None,
            reason="",
        )
    )
    return found


def settle(tx: Tx, issue_id: int, address_key: str, why: str, now: datetime) -> bool:
    """Whether the delivery, whose end was unknown, now counts as accepted, for that reason."""
    done = tx.execute(
        update(DELIVERY)
        .where(
            DELIVERY.c.issue_id == issue_id,
            DELIVERY.c.address_key == address_key,
            DELIVERY.c.state == DeliveryState.UNKNOWN,
        )
        .values(state=DeliveryState.ACCEPTED, reason=why, ended_at=now)
    )
    return bool(getattr(done, "rowcount", 0))


def next_due(tx: Tx, dispatch_id: int) -> datetime | None:
    """When the first queued delivery of a dispatch is due; None if none is queued."""
    due: datetime | None = tx.scalar(
        select(func.min(DELIVERY.c.next_at)).where(
            DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.state == DeliveryState.QUEUED
        )
    )
    return due


def cancel_rest(tx: Tx, now: datetime) -> int:
    """How many queued deliveries of cancelled dispatches are now cancelled themselves.

    Some come back after the order: they were marked for the wire, or on it and deferred.
    """
    cancelled = select(DISPATCH.c.id).where(DISPATCH.c.state == DispatchState.CANCELLED)
    done = tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.state == DeliveryState.QUEUED, DELIVERY.c.dispatch_id.in_(cancelled))
        .values(state=DeliveryState.CANCELLED, reason="the issue was called off", ended_at=now)
    )
    return int(getattr(done, "rowcount", 0))


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
