"""Reports as events: written down with what they were read to mean, listed, and counted."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, delete, func, or_, select, text, update

from mailout.core.delivery import DeliveryState
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.store import batch
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, EVENT, ISSUE, SUBSCRIBER, UNJUDGED
from mailout.store.whose import Theirs

_UNJUDGED = (EventKind.REFUSED, EventKind.EXPIRED)


@dataclass(frozen=True, slots=True)
class Told:
    """What a mail tells of a reader, as it is written down."""

    kind: EventKind
    at: datetime
    theirs: Theirs
    provider: str
    category: Category
    code: int
    enhanced: str
    text: str = field(repr=False)
    counts: bool
    inbound_id: int


@dataclass(frozen=True, slots=True)
class Refusal:
    """A server's words in the session, not yet read for what they mean."""

    id: int
    subscriber_id: int | None
    provider: str
    code: int
    enhanced: str
    text: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Bounce:
    """An entry of the bounce log; `address` is None once the person is erased."""

    id: int
    kind: EventKind
    at: datetime
    issue: str | None
    address: str | None
    provider: str
    category: str
    counts: bool
    code: int
    enhanced: str
    text: str
    inbound_id: int | None


@dataclass(frozen=True, slots=True)
class Asked:
    """Which entries of the bounce log are asked for; what is empty does not matter."""

    kinds: Collection[EventKind]
    issue_id: int = 0
    domain: str = ""
    categories: Collection[str] = ()
    since: datetime | None = None
    until: datetime | None = None
    subscriber_id: int = 0


def tell(tx: Tx, told: Sequence[Told]) -> set[int]:
    """The people of whom something was written down. A report on a delivery that says no more than
    an earlier one does is no second one: copies come by several ways."""
    known = _known(tx, {one.theirs.delivery_id for one in told} - {0})
    rows: list[dict[str, Any]] = []
    for one in told:
        # A report that proves nothing adds nothing to one that does; the other way round it does.
        alike = known.setdefault((one.theirs.delivery_id, one.kind, one.category), set())
        if one.theirs.delivery_id and (True in alike or one.counts in alike):
            continue
        alike.add(one.counts)
        rows.append(
            {
                "kind": one.kind,
                "at": one.at,
                "delivery_id": one.theirs.delivery_id or None,
                "issue_id": one.theirs.issue_id or None,
                "subscriber_id": one.theirs.subscriber_id,
                "provider": one.provider,
                "code": one.code,
                "enhanced": one.enhanced[:16],
                "text": one.text.replace("\0", ""),
                "relay": "",
                "category": one.category.value,
                "counts": one.counts,
                "inbound_id": one.inbound_id,
            }
        )
    batch.insert_batch(tx, EVENT, rows)
    return {row["subscriber_id"] for row in rows}


def _known(tx: Tx, delivery_ids: Collection[int]) -> dict[tuple[int, str, str], set[bool]]:
    """What was told of these deliveries before, and whether that counted."""
    known: dict[tuple[int, str, str], set[bool]] = {}
    for some in batch.chunks(sorted(delivery_ids), batch.KEYS):
        rows = tx.execute(
            select(EVENT.c.delivery_id, EVENT.c.kind, EVENT.c.category, EVENT.c.counts).where(
                batch.among(tx, EVENT.c.delivery_id, some)
            )
        )
        for delivery_id, kind, category, counts in rows:
            known.setdefault((delivery_id, kind, category), set()).add(counts)
    return known


def forget(tx: Tx, inbound_ids: Sequence[int]) -> None:
    """Nothing, once there is no event that these mails told of, but for leaves: who has left by
    one does not leave again when it is looked at again."""
    told = EVENT.c.inbound_id.in_(inbound_ids)
    tx.execute(delete(EVENT).where(told, EVENT.c.kind != EventKind.LEFT))


def unjudged(tx: Tx, most: int) -> list[Refusal]:
    """Up to `most` refusals whose words were not yet read, the oldest first."""
    rows = tx.execute(
        select(*(EVENT.c[name] for name in Refusal.__dataclass_fields__))
        .where(text(UNJUDGED))
        .order_by(EVENT.c.id)
        .limit(most)
        .with_for_update(skip_locked=True)
    )
    return [Refusal(*row) for row in rows]


def any_unjudged(tx: Tx) -> bool:
    """Whether there are refusals whose words were not yet read."""
    found = select(1).where(text(UNJUDGED)).select_from(EVENT).limit(1)
    return tx.execute(found).first() is not None


def unjudge(tx: Tx) -> int:
    """How many refusals are to be read once more."""
    done = tx.execute(update(EVENT).where(EVENT.c.kind.in_(_UNJUDGED)).values(category=""))
    return int(getattr(done, "rowcount", 0))


def set_category(tx: Tx, event_id: int, category: Category, *, counts: bool) -> None:
    """Nothing, once it is written down what a server's words mean."""
    tx.execute(update(EVENT).where(EVENT.c.id == event_id).values(category=category, counts=counts))


def of_issue(tx: Tx, issue_id: int, kind: EventKind) -> int:
    """How many of an issue's readers have such an event of it that counts."""
    query = select(func.count(EVENT.c.subscriber_id.distinct())).where(
        EVENT.c.issue_id == issue_id, EVENT.c.kind == kind, EVENT.c.counts
    )
    return int(tx.scalar(query) or 0)


# --- the bounce log ---------------------------------------------------------------------------


def listed(tx: Tx, asked: Asked, limit: int) -> list[Bounce]:
    """Up to `limit` entries, the newest first."""
    query = (
        select(EVENT, ISSUE.c.name.label("issue"), SUBSCRIBER.c.address)
        .outerjoin(ISSUE, ISSUE.c.id == EVENT.c.issue_id)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == EVENT.c.subscriber_id)
        .where(_matches(asked))
        .order_by(EVENT.c.at.desc(), EVENT.c.id.desc())
        .limit(limit)
    )
    names = Bounce.__dataclass_fields__
    return [Bounce(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]


BY: dict[str, ColumnElement[Any]] = {
    "category": EVENT.c.category,
    "provider": EVENT.c.provider,
    "issue": ISSUE.c.name,
    "kind": EVENT.c.kind,
    "day": func.date(EVENT.c.at),
}
"""What entries can be counted by; days are those of UTC."""


def counted(tx: Tx, asked: Asked, by: Sequence[str]) -> list[tuple[tuple[str, ...], int]]:
    """How many entries there are of each combination, the most frequent first."""
    columns = [BY[name].label(name) for name in by]
    query: Select[Any] = (
        select(*columns, func.count().label("number"))
        .select_from(EVENT.outerjoin(ISSUE, ISSUE.c.id == EVENT.c.issue_id))
        .where(_matches(asked))
        .group_by(*columns)
        .order_by(func.count().desc(), *columns)
    )
    return [
        (tuple("" if value is None else str(value) for value in row[:-1]), int(row[-1]))
        for row in tx.execute(query)
    ]


def accepted(tx: Tx, asked: Asked) -> int:
    """How many deliveries the next hop took over, of the issue, the domain and the time that are
    asked for."""
    query = select(func.count()).where(DELIVERY.c.state == DeliveryState.ACCEPTED)
    if asked.issue_id:
        query = query.where(DELIVERY.c.issue_id == asked.issue_id)
    if asked.domain:
        query = query.where(
            DELIVERY.c.subscriber_id == SUBSCRIBER.c.id, SUBSCRIBER.c.domain == asked.domain
        )
    if asked.since is not None:
        query = query.where(DELIVERY.c.ended_at >= asked.since)
    if asked.until is not None:
        query = query.where(DELIVERY.c.ended_at < asked.until)
    return int(tx.scalar(query) or 0)


def _matches(asked: Asked) -> ColumnElement[bool]:
    conditions: list[ColumnElement[bool]] = [EVENT.c.kind.in_(sorted(asked.kinds))]
    if EventKind.LEFT in asked.kinds:  # by a mail or a notice, and not by a link
        conditions.append(or_(EVENT.c.kind != EventKind.LEFT, EVENT.c.inbound_id.is_not(None)))
    if asked.issue_id:
        conditions.append(EVENT.c.issue_id == asked.issue_id)
    if asked.domain:
        conditions.append(EVENT.c.provider == asked.domain)
    if asked.categories:
        conditions.append(EVENT.c.category.in_(list(asked.categories)))
    if asked.since is not None:
        conditions.append(EVENT.c.at >= asked.since)
    if asked.until is not None:
        conditions.append(EVENT.c.at < asked.until)
    if asked.subscriber_id:
        conditions.append(EVENT.c.subscriber_id == asked.subscriber_id)
    return and_(*conditions)
