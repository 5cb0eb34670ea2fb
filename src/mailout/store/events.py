"""Events, read back: the bounce log, and one person's history."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, insert, select, update

from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.store.engine import Tx
from mailout.store.tables import EVENT, ISSUE, SUBSCRIBER


@dataclass(frozen=True, slots=True)
class Event:
    """What happened; `address` is None once the person is erased, `text` the server's words."""

    id: int
    kind: EventKind
    at: datetime
    issue: str | None
    address: str | None
    provider: str
    code: int
    enhanced: str
    text: str
    category: str = ""


def listed(
    tx: Tx,
    kinds: Collection[EventKind],
    *,
    issue_id: int = 0,
    subscriber_id: int = 0,
    limit: int = 1000,
) -> list[Event]:
    """Up to `limit` events of those kinds, newest first."""
    query = (
        select(EVENT, ISSUE.c.name.label("issue"), SUBSCRIBER.c.address)
        .outerjoin(ISSUE, ISSUE.c.id == EVENT.c.issue_id)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == EVENT.c.subscriber_id)
        .where(EVENT.c.kind.in_(sorted(kinds)))
        .order_by(EVENT.c.id.desc())
        .limit(limit)
    )
    if issue_id:
        query = query.where(EVENT.c.issue_id == issue_id)
    if subscriber_id:
        query = query.where(EVENT.c.subscriber_id == subscriber_id)
    names = Event.__dataclass_fields__
    return [Event(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]


def add(tx: Tx, kind: EventKind, subscriber_id: int, at: datetime, text: str = "") -> None:
    """Nothing, once the event is written down."""
    tx.execute(
        insert(EVENT).values(
            kind=kind, at=at, subscriber_id=subscriber_id, provider="", code=0, enhanced="",
            text=text, relay="",
        )
    )  # fmt: skip


def leave(
    tx: Tx, subscriber_id: int, list_id: str, at: datetime, *, domain: str, issue_id: int, by: int
) -> None:
    """Nothing, once it is written down that somebody left a list by the mail or notice with the
    number `by`, of an issue (0: it is not known which)."""
    tx.execute(
        insert(EVENT).values(
            kind=EventKind.LEFT, at=at, subscriber_id=subscriber_id, issue_id=issue_id or None,
            provider=domain, code=0, enhanced="", text=list_id, relay="",
            category=Category.UNSUBSCRIBE, inbound_id=by,
        )
    )  # fmt: skip


def forget_words_about(tx: Tx, subscriber_id: int) -> None:
    """Nothing, once a person's events no longer quote servers: their replies name addresses."""
    tx.execute(
        update(EVENT).where(EVENT.c.subscriber_id == subscriber_id).values(text="", provider="")
    )
    tx.execute(
        delete(EVENT).where(EVENT.c.subscriber_id == subscriber_id, EVENT.c.delivery_id.is_(None))
    )
