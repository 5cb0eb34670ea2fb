"""Readers' own pauses: they end by themselves on the day that the reader set."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, or_, update

from mailout.core.subscription import SubscriptionState
from mailout.store.engine import Tx
from mailout.store.tables import SUBSCRIPTION


def end_pauses(tx: Tx, now: datetime) -> int:
    """How many subscriptions, whose pause is over, are active again. One that was left or was
    paused without an end stays as it is, and so does an address that bounces."""
    done = tx.execute(
        update(SUBSCRIPTION)
        .where(
            SUBSCRIPTION.c.state == SubscriptionState.PAUSED,
            SUBSCRIPTION.c.paused_until <= now,
        )
        .values(state=SubscriptionState.ACTIVE, paused_until=None, changed_at=now)
    )
    return int(getattr(done, "rowcount", 0))


def rests(now: datetime) -> ColumnElement[bool]:
    """The condition that the joined subscription is paused, and that is not over by `now`."""
    until = SUBSCRIPTION.c.paused_until
    paused = SUBSCRIPTION.c.state == SubscriptionState.PAUSED
    return and_(paused, or_(until.is_(None), until > now))
