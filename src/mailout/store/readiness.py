"""What a check asks of the store: the readers of a list, and whether all of them agreed."""

from __future__ import annotations

from collections.abc import Collection, Iterator
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import ColumnElement, exists, func, select

from mailout.core.dispatch import DispatchState
from mailout.core.edition import Edition
from mailout.core.subscription import SubscriptionState
from mailout.store.engine import Tx
from mailout.store.tables import CONSENT, DELIVERY, DISPATCH, SUBSCRIBER, SUBSCRIPTION

_PAGE = 5000


class Recipient(NamedTuple):
    """One who would be mailed: what a message to them needs. `edition` is the one they chose."""

    id: int
    address: str
    address_key: str
    name: str
    language: str
    country: str
    edition: str
    token: str


def recipients(tx: Tx, list_id: str) -> Iterator[Recipient]:
    """All active subscribers of a list, in the order of their ids, read a page at a time."""
    after = 0
    while True:
        rows = tx.execute(
            select(
                SUBSCRIBER.c.id,
                SUBSCRIBER.c.address,
                SUBSCRIBER.c.address_key,
                SUBSCRIBER.c.name,
                SUBSCRIBER.c.language,
                SUBSCRIBER.c.country,
                SUBSCRIPTION.c.edition,
                SUBSCRIPTION.c.token,
            )
            .join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
            .where(
                SUBSCRIPTION.c.list_id == list_id,
                SUBSCRIPTION.c.state == SubscriptionState.ACTIVE,
                SUBSCRIBER.c.id > after,
            )
            .order_by(SUBSCRIBER.c.id)
            .limit(_PAGE)
        ).all()
        yield from (Recipient(*row) for row in rows)
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def editions(tx: Tx, list_id: str, blocked_in: Collection[str]) -> set[str]:
    """The editions that active subscribers of a list are to get besides the standard one."""
    active = (
        SUBSCRIPTION.c.list_id == list_id,
        SUBSCRIPTION.c.state == SubscriptionState.ACTIVE,
    )
    chosen = set(tx.scalars(select(SUBSCRIPTION.c.edition).where(*active).distinct())) - {""}
    if blocked_in and Edition.FULL not in chosen:
        there = (
            select(1)
            .select_from(SUBSCRIPTION.join(SUBSCRIBER))
            .where(*active, SUBSCRIBER.c.country.in_(sorted(blocked_in)))
        )
        if tx.execute(there.limit(1)).first() is not None:
            chosen.add(Edition.FULL)
    return chosen


def without_consent(tx: Tx, list_id: str) -> int:
    """How many active subscribers of a list have no evidence that they ever agreed."""
    evidence = exists().where(
        CONSENT.c.subscriber_id == SUBSCRIPTION.c.subscriber_id, CONSENT.c.list_id == list_id
    )
    return _count(tx, list_id, ~evidence)


def last_volume(tx: Tx, list_id: str) -> int:
    """How many deliveries the largest of the list's last three ended dispatches had."""
    counted = (
        select(func.count())
        .select_from(DELIVERY)
        .where(DELIVERY.c.dispatch_id == DISPATCH.c.id)
        .scalar_subquery()
    )
    rows = tx.scalars(
        select(counted)
        .where(DISPATCH.c.list_id == list_id, DISPATCH.c.state == DispatchState.DONE)
        .order_by(DISPATCH.c.id.desc())
        .limit(3)
    )
    return max((int(number or 0) for number in rows), default=0)


def joined_since(tx: Tx, list_id: str, moment: datetime) -> int:
    """How many of a list's active subscribers joined after that moment."""
    return _count(tx, list_id, SUBSCRIPTION.c.joined_at > moment)


def _count(tx: Tx, list_id: str, where: ColumnElement[bool]) -> int:
    """How many of a list's active subscribers the condition holds for."""
    counted = select(func.count()).where(
        SUBSCRIPTION.c.list_id == list_id,
        SUBSCRIPTION.c.state == SubscriptionState.ACTIVE,
        where,
    )
    return int(tx.scalar(counted) or 0)
