"""One person's own writes: they join, change what is known of them, or change their address."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import alias, delete, or_, select, update
from sqlalchemy.dialects import postgresql, sqlite

from mailout.core.address import Address
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store import suppressions
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.tables import (
    DELIVERY,
    SUBSCRIBER,
    SUBSCRIPTION,
    SUPPRESSION,
)


@dataclass(frozen=True, slots=True)
class Place:
    """A person's place on a list: the number of the subscription, its state, its leave token."""

    id: int
    state: SubscriptionState
    token: str


@dataclass(frozen=True, slots=True)
class Mailbox:
    """A person as somebody to write to, and the lists they have been on, in their order."""

    subscriber_id: int
    address: str
    language: str
    lists: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Waiting:
    """A person who is pending on a list; `id` is the subscription's number."""

    id: int
    subscriber_id: int
    address: str
    address_key: str
    language: str


def waiting(tx: Tx, list_id: str, after: int, most: int) -> list[Waiting]:
    """Up to `most` people who are pending on the list, by the numbers of their subscriptions, from
    that after `after` on."""
    rows = tx.execute(
        select(
            SUBSCRIPTION.c.id,
            SUBSCRIBER.c.id,
            SUBSCRIBER.c.address,
            SUBSCRIBER.c.address_key,
            SUBSCRIBER.c.language,
        )
        .join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
        .where(
            SUBSCRIPTION.c.list_id == list_id,
            SUBSCRIPTION.c.state == SubscriptionState.PENDING,
            SUBSCRIPTION.c.id > after,
        )
        .order_by(SUBSCRIPTION.c.id)
        .limit(most)
    )
    return [Waiting(*row) for row in rows]


def mailbox(tx: Tx, address_key: str) -> Mailbox | None:
    """The person with that address key, found by as many queries as nobody is."""
    key = SUBSCRIBER.c.address_key == address_key
    row = tx.execute(
        select(SUBSCRIBER.c.id, SUBSCRIBER.c.address, SUBSCRIBER.c.language).where(key)
    ).first()
    lists = tx.scalars(
        select(SUBSCRIPTION.c.list_id)
        .join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
        .where(key)
        .order_by(SUBSCRIPTION.c.id)
    )
    found = tuple(lists)
    return Mailbox(row.id, row.address, row.language, found) if row else None


def make(tx: Tx, address: Address, address_key: str, now: datetime) -> int:
    """The number of the person with that address; of two who add them at once, both get it."""
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(SUBSCRIBER)
    tx.execute(
        insert.values(
            address=address.text,
            address_key=address_key,
            domain=address.domain,
            name="",
            language="",
            country="",
            fields={},
            created_at=now,
        ).on_conflict_do_nothing()
    )
    key = SUBSCRIBER.c.address_key == address_key
    return int(tx.execute(select(SUBSCRIBER.c.id).where(key)).scalar_one())


def change(tx: Tx, subscriber_id: int, **details: object) -> None:
    """Nothing, once the person's row has those values (`name`, `language`, ..)."""
    if details:
        tx.execute(update(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber_id).values(**details))


def fields_of(tx: Tx, subscriber_id: int) -> Mapping[str, object]:
    """The person's own fields, which nobody else changes before `tx` ends."""
    query = select(SUBSCRIBER.c.fields).where(SUBSCRIBER.c.id == subscriber_id)
    found: Mapping[str, object] = tx.execute(query.with_for_update()).scalar_one()
    return found


def place(tx: Tx, subscriber_id: int, list_id: str) -> Place | None:
    """The person's place on the list, which nobody else changes before `tx` ends."""
    row = tx.execute(
        select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.state, SUBSCRIPTION.c.token)
        .where(SUBSCRIPTION.c.subscriber_id == subscriber_id, SUBSCRIPTION.c.list_id == list_id)
        .with_for_update()
    ).first()
    return Place(*row) if row else None


def state_of(tx: Tx, address_key: str, list_id: str) -> SubscriptionState | None:
    """The state of an address on a list; None if it is not on it."""
    return tx.scalar(
        select(SUBSCRIPTION.c.state)
        .join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
        .where(SUBSCRIBER.c.address_key == address_key, SUBSCRIPTION.c.list_id == list_id)
    )


def activate(tx: Tx, subscriber_id: int, list_id: str, token: str, now: datetime) -> str:
    """The leave token of the person's subscription, which is active from now on: a new one with
    `token`, or the one they had with its own."""
    insert = (postgresql if dialect_of(tx) == "postgresql" else sqlite).insert(SUBSCRIPTION)
    active = {"state": SubscriptionState.ACTIVE, "changed_at": now, "paused_until": None}
    tx.execute(
        insert.values(
            subscriber_id=subscriber_id, list_id=list_id, token=token, joined_at=now, edition="",
            frequency="", **active,
        ).on_conflict_do_update(index_elements=["subscriber_id", "list_id"], set_=active)
    )  # fmt: skip
    held = place(tx, subscriber_id, list_id)
    assert held is not None  # noqa: S101 - just written
    return held.token


def set_up(tx: Tx, subscription_id: int, values: Mapping[str, object]) -> None:
    """Nothing, once the subscription has those values (`edition`, `frequency`, ..)."""
    tx.execute(update(SUBSCRIPTION).where(SUBSCRIPTION.c.id == subscription_id).values(**values))


def reasons(tx: Tx, address_key: str, list_id: str, *, domain: str = "") -> set[SuppressionReason]:
    """Why the address, which is in that domain, is not mailed, on that list or on all; a domain
    is suppressed by hand."""
    found = set(
        tx.scalars(
            select(SUPPRESSION.c.reason).where(
                SUPPRESSION.c.address_key == address_key, SUPPRESSION.c.list_id.in_(("", list_id))
            )
        )
    )
    by_hand = {SuppressionReason.BY_HAND}
    return found | by_hand if suppressions.domain_is_held(tx, domain, list_id) else found


def lift(tx: Tx, address_key: str, list_id: str) -> None:
    """Nothing, once the address may be mailed again on that list, as its owner has just asked;
    what an organiser has suppressed by hand stays."""
    tx.execute(
        delete(SUPPRESSION).where(
            SUPPRESSION.c.address_key == address_key,
            SUPPRESSION.c.list_id.in_(("", list_id)),
            SUPPRESSION.c.reason != SuppressionReason.BY_HAND,
        )
    )


def move(tx: Tx, subscriber_id: int, address: Address, address_key: str) -> None:
    """Nothing, once the person has another address, and what they were sent counts as sent to it:
    an issue is had once. Of one that both addresses of a merged person had, one delivery does."""
    theirs = SUBSCRIBER.c.id == subscriber_id
    before = tx.execute(select(SUBSCRIBER.c.address_key).where(theirs)).scalar_one()
    change(
        tx,
        subscriber_id,
        address=address.text,
        address_key=address_key,
        domain=address.domain,
        bounce_paused_at=None,
        probe_from=None,
    )
    other = alias(DELIVERY)
    of_it = select(1).where(other.c.issue_id == DELIVERY.c.issue_id)
    has_it_there = of_it.where(other.c.address_key == address_key).exists()
    rather = of_it.where(
        other.c.subscriber_id == subscriber_id,
        or_(other.c.address_key == before, other.c.id < DELIVERY.c.id),
    )
    first = or_(DELIVERY.c.address_key == before, ~rather.exists())
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.subscriber_id == subscriber_id, ~has_it_there, first)
        .values(address_key=address_key)
    )
