"""Merging people, and what stays of those who were merged: their address keys and leave tokens."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import NamedTuple

from sqlalchemy import delete, exists, insert, select, update

from mailout.core.delivery import DeliveryState
from mailout.store.engine import Tx
from mailout.store.inbound_tables import INBOUND
from mailout.store.roster_tables import MERGED_ADDRESS, MERGED_TOKEN, NOTE
from mailout.store.tables import DELIVERY, EVENT, SUBSCRIBER, SUBSCRIPTION

WHY = "merged with another address"
"""The reason of a delivery that is skipped since the other address of its reader has the issue."""

_HAD = (DeliveryState.ACCEPTED, DeliveryState.UNKNOWN)
_QUEUED = DeliveryState.QUEUED


class Deliveries(NamedTuple):
    """What becomes of a person's deliveries: how many move, and which are skipped, since the
    issue goes or went to the other address."""

    moved: int
    skipped: list[int]
    doubled: list[int]


def on_the_wire(tx: Tx, subscriber_ids: Sequence[int]) -> bool:
    """Whether a mail to one of these people is being sent at this moment."""
    held = (DELIVERY.c.subscriber_id.in_(subscriber_ids), DELIVERY.c.worker != "")
    return tx.execute(select(1).where(*held)).first() is not None


def deliveries(tx: Tx, kept_key: str, gone_id: int) -> Deliveries:
    """What becomes of the deliveries of the person who goes."""
    of_kept = {
        issue: (number, state)
        for number, issue, state in tx.execute(
            select(DELIVERY.c.id, DELIVERY.c.issue_id, DELIVERY.c.state).where(
                DELIVERY.c.address_key == kept_key
            )
        )
    }
    moved, skipped, doubled = 0, [], []
    for number, issue, state in tx.execute(
        select(DELIVERY.c.id, DELIVERY.c.issue_id, DELIVERY.c.state).where(
            DELIVERY.c.subscriber_id == gone_id
        )
    ):
        if issue not in of_kept:
            moved += 1
            continue
        doubled.append(number)
        other, its_state = of_kept[issue]
        if state is _QUEUED:
            skipped.append(number)
        elif state in _HAD and its_state is _QUEUED:
            skipped.append(other)
    return Deliveries(moved, skipped, doubled)


def move_deliveries(
    tx: Tx, found: Deliveries, kept_id: int, kept_key: str, gone_id: int, now: datetime
) -> None:
    """Nothing, once all deliveries are the kept person's, and no issue comes to both addresses."""
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.id.in_(found.skipped))
        .values(state=DeliveryState.SKIPPED, reason=WHY, ended_at=now)
    )
    tx.execute(
        update(DELIVERY).where(DELIVERY.c.id.in_(found.doubled)).values(subscriber_id=kept_id)
    )
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.subscriber_id == gone_id)
        .values(subscriber_id=kept_id, address_key=kept_key)
    )


def move_history(tx: Tx, kept_id: int, gone_id: int, gone_key: str) -> None:
    """Nothing, once events, notes and earlier merges are the kept person's, and it is known that
    the address was, too."""
    for table in (EVENT, NOTE, MERGED_ADDRESS, INBOUND):
        tx.execute(
            update(table).where(table.c.subscriber_id == gone_id).values(subscriber_id=kept_id)
        )
    tx.execute(delete(MERGED_ADDRESS).where(MERGED_ADDRESS.c.address_key == gone_key))
    tx.execute(insert(MERGED_ADDRESS).values(address_key=gone_key, subscriber_id=kept_id))


def move_subscription(tx: Tx, subscriber_id: int, list_id: str, to: int) -> None:
    """Nothing, once the subscription is that person's, with its leave token."""
    tx.execute(
        update(SUBSCRIPTION)
        .where(SUBSCRIPTION.c.subscriber_id == subscriber_id, SUBSCRIPTION.c.list_id == list_id)
        .values(subscriber_id=to)
    )


def drop_subscription(tx: Tx, subscriber_id: int, list_id: str, into: int) -> None:
    """Nothing, once the subscription is gone, and its leave tokens leave the one of `into`."""
    place = select(SUBSCRIPTION.c.id, SUBSCRIPTION.c.token).where(SUBSCRIPTION.c.list_id == list_id)
    gone = tx.execute(place.where(SUBSCRIPTION.c.subscriber_id == subscriber_id)).one()
    kept = tx.execute(place.where(SUBSCRIPTION.c.subscriber_id == into)).one()
    tx.execute(
        update(MERGED_TOKEN)
        .where(MERGED_TOKEN.c.subscription_id == gone.id)
        .values(subscription_id=kept.id)
    )
    tx.execute(insert(MERGED_TOKEN).values(token=gone.token, subscription_id=kept.id))
    tx.execute(delete(SUBSCRIPTION).where(SUBSCRIPTION.c.id == gone.id))


def addresses_of(tx: Tx, subscriber_id: int) -> list[str]:
    """The address keys that were merged into a person's; not those by which somebody has signed up
    anew since, who is a person of their own."""
    anew = exists().where(SUBSCRIBER.c.address_key == MERGED_ADDRESS.c.address_key)
    return list(
        tx.scalars(
            select(MERGED_ADDRESS.c.address_key).where(
                MERGED_ADDRESS.c.subscriber_id == subscriber_id, ~anew
            )
        )
    )


def address_now(tx: Tx, address_key: str) -> str | None:
    """The address of the person whom an address was merged into; None if it was not."""
    return tx.scalar(
        select(SUBSCRIBER.c.address)
        .join(MERGED_ADDRESS, MERGED_ADDRESS.c.subscriber_id == SUBSCRIBER.c.id)
        .where(MERGED_ADDRESS.c.address_key == address_key)
    )
