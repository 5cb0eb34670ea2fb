"""Subscribers, their tags and their subscriptions, one person or a page of them at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Row, Select, and_, delete, func, select, text, update

from mailout.core.subscriber import Membership, Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.store import batch
from mailout.store.columns import dialect_of
from mailout.store.engine import Tx
from mailout.store.roster_tables import MERGED_TOKEN
from mailout.store.tables import DELIVERY, SUBSCRIBER, SUBSCRIBER_TAG, SUBSCRIPTION

_SORTS = {
    "address": func.lower(SUBSCRIBER.c.address),
    "name": func.lower(SUBSCRIBER.c.name),
    "language": SUBSCRIBER.c.language,
    "country": SUBSCRIBER.c.country,
    "joined": SUBSCRIBER.c.created_at,
}
SORTS = tuple(_SORTS)
"""What people can be sorted by: `joined` is when they joined the list, where one is given."""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription with its person's key, as a leave or an undo needs it."""

    id: int
    subscriber_id: int
    list_id: str
    state: SubscriptionState
    language: str
    address_key: str


def find(tx: Tx, address_key: str) -> Subscriber | None:
    """The person with this address key, with tags and memberships."""
    row = tx.execute(select(SUBSCRIBER).where(SUBSCRIBER.c.address_key == address_key)).first()
    return _complete(tx, [row])[0] if row else None


def hold(tx: Tx, address_key: str) -> None:
    """Nothing, once nobody else changes or erases the person with that key until `tx` ends.

    Where a person and their places on lists are both held, the person comes first: of two who
    held one each, each would wait for the other.
    """
    theirs = select(SUBSCRIBER.c.id).where(SUBSCRIBER.c.address_key == address_key)
    tx.execute(theirs.with_for_update(key_share=True))


def by_id(tx: Tx, subscriber_id: int, *, hold: bool = False) -> Subscriber | None:
    """The person with that number, with tags and memberships; with `hold` nobody else changes or
    erases them until the end of `tx`."""
    query = select(SUBSCRIBER).where(SUBSCRIBER.c.id == subscriber_id)
    row = tx.execute(query.with_for_update(key_share=True) if hold else query).first()
    return _complete(tx, [row])[0] if row else None


def page(
    tx: Tx,
    where: ColumnElement[bool] | None = None,
    *,
    list_id: str = "",
    after: int = 0,
    limit: int = 100,
    skip: int = 0,
) -> list[Subscriber]:
    """Up to `limit` people with ids above `after`, `skip` of them passed over, in the order of
    their ids.

    `where` may speak of the subscription only when `list_id` is given.
    """
    query = _chosen(select(SUBSCRIBER), where, list_id).where(SUBSCRIBER.c.id > after)
    rows = tx.execute(query.order_by(SUBSCRIBER.c.id).limit(limit).offset(skip)).all()
    return _complete(tx, rows)


def in_order(
    tx: Tx,
    sort: str,
    where: ColumnElement[bool] | None = None,
    *,
    list_id: str = "",
    limit: int = 0,
    skip: int = 0,
) -> list[int]:
    """The ids of up to `limit` people (0: of all), `skip` of them passed over, in the order of one
    of `SORTS`, whose first letter `-` turns it round. `where` as in `page`."""
    name = sort.removeprefix("-")
    by: ColumnElement[object] = _SORTS[name]
    if name == "joined" and list_id:
        by = SUBSCRIPTION.c.joined_at
    elif name == "name" and dialect_of(tx) == "sqlite":
        by = func.folded(SUBSCRIBER.c.name)  # of ours: its own knows no capitals but A to Z
    query = _chosen(select(SUBSCRIBER.c.id), where, list_id)
    if sort.startswith("-"):
        query = query.order_by(by.desc(), SUBSCRIBER.c.id.desc())
    else:
        query = query.order_by(by, SUBSCRIBER.c.id)
    if limit:
        query = query.limit(limit).offset(skip)
    return list(tx.scalars(query))


def _chosen(query: Select[Any], where: ColumnElement[bool] | None, list_id: str) -> Select[Any]:
    if list_id:
        query = query.join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
        query = query.where(SUBSCRIPTION.c.list_id == list_id)
    return query if where is None else query.where(where)


def by_ids(tx: Tx, ids: Sequence[int]) -> list[Subscriber]:
    """The people with these ids, with tags and memberships."""
    found: list[Subscriber] = []
    for some in batch.chunks(ids, batch.KEYS):
        rows = tx.execute(select(SUBSCRIBER).where(batch.among(tx, SUBSCRIBER.c.id, some))).all()
        found += _complete(tx, rows)
    return found


def _complete(tx: Tx, rows: Sequence[Row[tuple[object, ...]]]) -> list[Subscriber]:
    ids = [row.id for row in rows]
    tags: dict[int, list[str]] = {}
    for subscriber_id, tag in tx.execute(
        select(SUBSCRIBER_TAG.c.subscriber_id, SUBSCRIBER_TAG.c.tag)
        .where(SUBSCRIBER_TAG.c.subscriber_id.in_(ids))
        .order_by(SUBSCRIBER_TAG.c.tag)
    ):
        tags.setdefault(subscriber_id, []).append(tag)
    memberships: dict[int, list[Membership]] = {}
    for row in tx.execute(
        select(SUBSCRIPTION)
        .where(SUBSCRIPTION.c.subscriber_id.in_(ids))
        .order_by(SUBSCRIPTION.c.list_id)
    ):
        memberships.setdefault(row.subscriber_id, []).append(
            Membership(
                row.list_id,
                row.state,
                row.joined_at,
                row.changed_at,
                row.edition,
                row.frequency,
                row.paused_until,
            )
        )
    return [
        Subscriber(
            id=row.id,
            address=row.address,
            address_key=row.address_key,
            name=row.name,
            language=row.language,
            country=row.country,
            created_at=row.created_at,
            bounce_paused_at=row.bounce_paused_at,
            tags=tuple(tags.get(row.id, ())),
            memberships=tuple(memberships.get(row.id, ())),
            fields=row.fields,
        )
        for row in rows
    ]


def change_tags(
    tx: Tx, subscriber_id: int, add: Iterable[str] = (), remove: Iterable[str] = ()
) -> None:
    """Nothing, once the person has every tag of `add` and none of `remove`."""
    remove = list(remove)
    if remove:
        tx.execute(
            delete(SUBSCRIBER_TAG).where(
                SUBSCRIBER_TAG.c.subscriber_id == subscriber_id, SUBSCRIBER_TAG.c.tag.in_(remove)
            )
        )
    present = set(
        tx.scalars(
            select(SUBSCRIBER_TAG.c.tag).where(SUBSCRIBER_TAG.c.subscriber_id == subscriber_id)
        )
    )
    rows = [{"subscriber_id": subscriber_id, "tag": tag} for tag in sorted(set(add) - present)]
    # Somebody may give the same tag at this moment; that is no collision.
    batch.insert_batch(tx, SUBSCRIBER_TAG, rows, skip_known=True)


def subscription_of_token(tx: Tx, token: str) -> Subscription | None:
    """The subscription that a leave token belongs to."""
    merged = select(MERGED_TOKEN.c.subscription_id).where(MERGED_TOKEN.c.token == token)
    return _subscription(tx, SUBSCRIPTION.c.token == token) or _subscription(
        tx, SUBSCRIPTION.c.id == merged.scalar_subquery()
    )


def subscription(tx: Tx, subscription_id: int, *, hold: bool = False) -> Subscription | None:
    """The subscription with that id; with `hold` nobody else changes it or its person until the
    end of `tx`."""
    return _subscription(tx, SUBSCRIPTION.c.id == subscription_id, hold=hold)


def subscription_of(tx: Tx, subscriber_id: int, list_id: str) -> Subscription | None:
    """The person's subscription of that list, which nobody else changes until the end of `tx`; nor
    the person."""
    theirs = and_(SUBSCRIPTION.c.subscriber_id == subscriber_id, SUBSCRIPTION.c.list_id == list_id)
    return _subscription(tx, theirs, hold=True)


def _subscription(tx: Tx, where: ColumnElement[bool], *, hold: bool = False) -> Subscription | None:
    query = (
        select(
            SUBSCRIPTION.c.id,
            SUBSCRIPTION.c.subscriber_id,
            SUBSCRIPTION.c.list_id,
            SUBSCRIPTION.c.state,
            SUBSCRIBER.c.language,
            SUBSCRIBER.c.address_key,
        )
        .join(SUBSCRIBER, SUBSCRIBER.c.id == SUBSCRIPTION.c.subscriber_id)
        .where(where)
    )
    if hold:  # SQLite has one writer and ignores it
        query = query.with_for_update(of=[SUBSCRIBER, SUBSCRIPTION], key_share=True)
    row = tx.execute(query).first()
    return Subscription(*row) if row else None


def set_state(tx: Tx, subscription_id: int, state: SubscriptionState, now: datetime) -> None:
    """Nothing, once the subscription is in `state` since `now`."""
    tx.execute(
        update(SUBSCRIPTION)
        .where(SUBSCRIPTION.c.id == subscription_id)
        .values(state=state, changed_at=now)
    )


def set_edition(tx: Tx, subscriber_id: int, list_id: str, edition: str) -> bool:
    """Whether the person is on the list, and gets that edition of its issues from now on."""
    done = tx.execute(
        update(SUBSCRIPTION)
        .where(SUBSCRIPTION.c.subscriber_id == subscriber_id, SUBSCRIPTION.c.list_id == list_id)
        .values(edition=edition)
    )
    return bool(getattr(done, "rowcount", 0))


def count(tx: Tx, list_id: str) -> dict[SubscriptionState, int]:
    """How many people of a list are in each state."""
    rows = tx.execute(
        select(SUBSCRIPTION.c.state, func.count())
        .where(SUBSCRIPTION.c.list_id == list_id)
        .group_by(SUBSCRIPTION.c.state)
    )
    return {state: number for state, number in rows}


def keep(tx: Tx) -> None:
    """Nothing, once nobody is being removed; nobody is until this transaction ends.

    First in a transaction that makes deliveries: on PostgreSQL no foreign key sees to it that
    whom they name is still there (docs/adr/0031). SQLite has one writer anyway.
    """
    _hold_presence(tx, "pg_advisory_xact_lock_shared")


def await_deliveries(tx: Tx) -> None:
    """Nothing, once no deliveries are being made; none are until this transaction ends.

    First in a transaction that removes people, or gives them another address: so it waits before
    others wait for it.
    """
    _hold_presence(tx, "pg_advisory_xact_lock")


def _hold_presence(tx: Tx, how: str) -> None:
    if dialect_of(tx) == "postgresql":
        tx.execute(text(f"SELECT {how}(1, 1)"))  # the one lock of two numbers that there is


def remove(tx: Tx, subscriber_ids: Sequence[int]) -> None:
    """Nothing, once these people's rows, tags and subscriptions are gone; deliveries keep state."""
    await_deliveries(tx)
    for ids in batch.chunks(subscriber_ids, batch.KEYS):
        theirs = batch.among(tx, DELIVERY.c.subscriber_id, ids)
        tx.execute(update(DELIVERY).where(theirs).values(subscriber_id=None))
        tx.execute(delete(SUBSCRIBER).where(batch.among(tx, SUBSCRIBER.c.id, ids)))
