"""Pauses: readers' own, which end by themselves on the day that the reader set, and those of
addresses that mail comes back from (`core.standing`)."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, update

from mailout.core.delivery import DeliveryState
from mailout.core.subscription import SubscriptionState
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, SUBSCRIBER, SUBSCRIPTION

_NOTHING_WENT = (DeliveryState.SKIPPED, DeliveryState.CANCELLED)


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


def bounces(now: datetime) -> ColumnElement[bool]:
    """The condition that the joined person's address is paused for bounces, and that what is queued
    now would be no probe: it is too early for one, or one is on its way."""
    probe_from = SUBSCRIBER.c.probe_from
    probed = exists().where(
        DELIVERY.c.subscriber_id == SUBSCRIBER.c.id,
        DELIVERY.c.queued_at >= probe_from,
        DELIVERY.c.state.not_in(_NOTHING_WENT),
    )
    waits = or_(probe_from.is_(None), probe_from > now, probed)
    return and_(SUBSCRIBER.c.bounce_paused_at.is_not(None), waits)
