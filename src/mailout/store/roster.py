"""People in bulk: added, counted, and with their history. The hot path of an import is `intake`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, and_, func, select, text

from mailout.core.delivery import DeliveryState, reply_line
from mailout.core.dispatch import DispatchState
from mailout.core.subscriber import Subscriber
from mailout.core.subscription import SubscriptionState
from mailout.core.suppression import SuppressionReason
from mailout.store import people
from mailout.store.batch import KEYS, among, chunks, insert_batch
from mailout.store.engine import PlainTx, Tx
from mailout.store.tables import (
    DELIVERY,
    DISPATCH,
    ISSUE,
    SUBSCRIBER,
    SUBSCRIBER_TAG,
    SUBSCRIPTION,
    SUPPRESSION,
)

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class NewPerson:
    """A person to insert; `domain` in A-label form."""

    address: str
    address_key: str
    domain: str
    name: str
    language: str
    country: str


@dataclass(frozen=True, slots=True)
class NewSubscription:
    """A person's place on the list; `token` is a fresh leave token."""

    subscriber_id: int
    state: SubscriptionState
    token: str


@dataclass(frozen=True, slots=True)
class Sent:
    """One delivery to a person, with its issue: a line of their history."""

    issue: str
    list_id: str
    state: DeliveryState
    reason: str
    attempts: int
    queued_at: datetime
    next_at: datetime
    ended_at: datetime | None
    last_code: int
    last_enhanced: str
    last_text: str

    @property
    def last_reply(self) -> str:
        return reply_line(self.last_code, self.last_enhanced, self.last_text)


@dataclass(frozen=True, slots=True)
class Missed:
    """An order to send an issue of a person's list, begun `at` that moment, of which they have no
    delivery. A `digest` is for readers of that frequency alone."""

    issue: str
    list_id: str
    segment: str
    exclude: str
    at: datetime
    urgent: bool
    digest: str


@dataclass(frozen=True, slots=True)
class Suppression:
    """A suppression as shown; `list_id` is empty when it holds for all lists."""

    list_id: str
    reason: SuppressionReason
    evidence: str
    at: datetime


def lock(tx: Tx) -> None:
    """Nothing, once this transaction alone may add and change people until its end.

    SQLite has one writer anyway; on PostgreSQL two imports of one address would collide.
    """
    if tx.get_bind().dialect.name == "postgresql":
        tx.execute(text("LOCK TABLE subscriber IN SHARE ROW EXCLUSIVE MODE"))


def let_pass(tx: Tx | PlainTx) -> None:
    """Nothing, once whoever has the `lock` is done; nobody gets it until this transaction ends.

    First in a transaction that holds a person or a place on a list and then appends evidence: an
    import appends first, so on PostgreSQL each could wait for what the other has.
    """
    plain = tx if isinstance(tx, PlainTx) else tx.connection()
    if plain.dialect.name == "postgresql":
        plain.exec_driver_sql("LOCK TABLE subscriber IN ROW EXCLUSIVE MODE")


def add_people(tx: Tx, newcomers: Sequence[NewPerson], now: datetime) -> dict[str, int]:
    """The ids of the people just added, by address key. None of them may be known already."""
    insert_batch(
        tx,
        SUBSCRIBER,
        [
            {
                "address": person.address,
                "address_key": person.address_key,
                "domain": person.domain,
                "name": person.name,
                "language": person.language,
                "country": person.country,
                "fields": {},
                "created_at": now,
            }
            for person in newcomers
        ],
    )
    ids: dict[str, int] = {}
    for keys in chunks([person.address_key for person in newcomers], KEYS):
        rows = tx.execute(
            select(SUBSCRIBER.c.address_key, SUBSCRIBER.c.id).where(
                among(tx, SUBSCRIBER.c.address_key, keys)
            )
        )
        ids.update((key, id_) for key, id_ in rows)
    return ids


def add_tags(tx: Tx, tags: Mapping[int, Iterable[str]]) -> None:
    """Nothing, once each person (by id) has these tags too."""
    rows = [
        {"subscriber_id": subscriber_id, "tag": tag}
        for subscriber_id, names in tags.items()
        for tag in sorted(names)
    ]
    # Somebody may give the same tag at this moment; that is no collision.
    insert_batch(tx, SUBSCRIBER_TAG, rows, skip_known=True)


def add_subscriptions(
    tx: Tx, list_id: str, subscriptions: Sequence[NewSubscription], now: datetime
) -> None:
    """Nothing, once these people are on the list since `now`."""
    insert_batch(
        tx,
        SUBSCRIPTION,
        [
            {
                "subscriber_id": new.subscriber_id,
                "list_id": list_id,
                "state": new.state,
                "token": new.token,
                "joined_at": now,
                "changed_at": now,
            }
            for new in subscriptions
        ],
    )


def all_of(conditions: Sequence[ColumnElement[bool]]) -> ColumnElement[bool] | None:
    """The condition that all of them hold; None if there are none."""
    return and_(*conditions) if conditions else None


def in_state(state: SubscriptionState) -> ColumnElement[bool]:
    """The condition that the joined subscription is in `state`."""
    return SUBSCRIPTION.c.state == state


def has_id(tx: Tx, ids: Sequence[int]) -> ColumnElement[bool]:
    """The condition that the joined subscriber is one of at most `KEYS`."""
    return among(tx, SUBSCRIBER.c.id, ids)


def has_tag(tag: str) -> ColumnElement[bool]:
    """The condition that the joined subscriber has that tag."""
    return SUBSCRIBER.c.id.in_(
        select(SUBSCRIBER_TAG.c.subscriber_id).where(SUBSCRIBER_TAG.c.tag == tag)
    )


def count(tx: Tx, where: ColumnElement[bool], list_id: str) -> int:
    """How many people of the list, in whatever state, `where` is true of."""
    number = tx.scalar(
        select(func.count())
        .select_from(SUBSCRIBER.join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id))
        .where(SUBSCRIPTION.c.list_id == list_id, where)
    )
    return int(number or 0)


def sample(tx: Tx, where: ColumnElement[bool], list_id: str, size: int) -> list[Subscriber]:
    """Up to `size` people of the list, picked by chance among those that `where` is true of."""
    ids = tx.scalars(
        select(SUBSCRIBER.c.id)
        .join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
        .where(SUBSCRIPTION.c.list_id == list_id, where)
        .order_by(func.random())
        .limit(size)
    ).all()
    return people.page(tx, SUBSCRIBER.c.id.in_(ids), limit=size)


def suppressions_of(tx: Tx, address_key: str) -> list[Suppression]:
    """The suppressions of an address key, oldest first."""
    rows = tx.execute(
        select(
            SUPPRESSION.c.list_id, SUPPRESSION.c.reason, SUPPRESSION.c.evidence, SUPPRESSION.c.at
        )
        .where(SUPPRESSION.c.address_key == address_key)
        .order_by(SUPPRESSION.c.id)
    )
    return [Suppression(*row) for row in rows]


def sent_to(tx: Tx, address_key: str, limit: int) -> list[Sent]:
    """Up to `limit` deliveries to an address key, newest first."""
    rows = tx.execute(
        select(DELIVERY, ISSUE.c.name.label("issue"), ISSUE.c.list_id)
        .join(ISSUE, ISSUE.c.id == DELIVERY.c.issue_id)
        .where(DELIVERY.c.address_key == address_key)
        .order_by(DELIVERY.c.id.desc())
        .limit(limit)
    )
    return [_from(Sent, row) for row in rows]


def missed_by(tx: Tx, person: Subscriber, limit: int) -> list[Missed]:
    """Up to `limit` orders to send issues of the person's lists that made no delivery to them, of
    those that have begun."""
    rows = tx.execute(
        select(
            ISSUE.c.name,
            DISPATCH.c.list_id,
            DISPATCH.c.segment,
            DISPATCH.c.exclude,
            DISPATCH.c.filled_at,
            ISSUE.c.urgent,
            ISSUE.c.digest,
        )
        .join(ISSUE, ISSUE.c.id == DISPATCH.c.issue_id)
        .where(
            DISPATCH.c.list_id.in_([membership.list_id for membership in person.memberships]),
            DISPATCH.c.state != DispatchState.CANCELLED,
            DISPATCH.c.filled_at.is_not(None),
            ~select(1)
            .where(
                DELIVERY.c.issue_id == DISPATCH.c.issue_id,
                DELIVERY.c.address_key == person.address_key,
            )
            .exists(),
        )
        .order_by(DISPATCH.c.id.desc())
        .limit(limit)
    )
    return [Missed(*row) for row in rows]


def _from(shape: type[T], row: object) -> T:
    fields: dict[str, Any] = vars(shape)["__dataclass_fields__"]
    return shape(**{name: getattr(row, name) for name in fields})
