"""Mails that came in, and providers' notices: kept once, looked at, and after some days emptied.

kept (`done_at` is None) -> looked at -> emptied. `again` lets one be looked at once more, as long
as its bytes are there.
"""

from __future__ import annotations

import zlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import bindparam, delete, func, select, update

from mailout.core.arrival import Arrival, FoundBy
from mailout.core.inbound.traces import views
from mailout.store import batch
from mailout.store.engine import Tx
from mailout.store.inbound_tables import INBOUND
from mailout.store.tables import EVENT, ISSUE, SUBSCRIBER

_PAGE = 200


@dataclass(frozen=True, slots=True)
class Kept:
    """One that is to be looked at."""

    id: int
    raw: bytes = field(repr=False)
    source: str
    recipient: str
    sender: str
    came_at: datetime


@dataclass(frozen=True, slots=True)
class Looked:
    """What looking at one came to."""

    id: int
    kind: str
    found_by: FoundBy
    said: str = field(default="", repr=False)
    reports: Sequence[Mapping[str, Any]] = ()
    subscriber_id: int | None = None
    delivery_id: int | None = None


@dataclass(frozen=True, slots=True)
class Listed:
    """One as shown to people; `address` and `issue` are of whom and what it is about."""

    id: int
    source: str
    kind: str
    found_by: str
    said: str
    recipient: str
    sender: str
    size: int
    came_at: datetime
    done_at: datetime | None
    address: str | None
    issue: str | None
    reports: Sequence[Mapping[str, Any]]
    is_kept: bool


def keep(tx: Tx, arrivals: Sequence[Arrival], now: datetime) -> int:
    """How many of the arrivals are new; they are kept now, and the others were already."""
    before = tx.scalar(select(func.max(INBOUND.c.id))) or 0
    batch.insert_batch(
        tx,
        INBOUND,
        [
            {
                "digest": one.digest,
                "source": _text(one.source),
                "recipient": _text(one.recipient),
                "sender": _text(one.sender),
                "size": len(one.raw),
                "raw": zlib.compress(one.raw, 1),
                "came_at": now,
                "kind": "",
                "found_by": "",
                "said": "",
            }
            for one in {one.digest: one for one in arrivals}.values()
        ],
        skip_known=True,
    )
    return int(tx.scalar(select(func.count()).where(INBOUND.c.id > before)) or 0)


def _text(value: str) -> str:
    """The value as a store can have it: PostgreSQL knows no NUL, and nothing half a letter."""
    return value.replace("\0", "").encode("utf-8", "replace").decode()[:1000]


def new(tx: Tx, most: int) -> list[Kept]:
    """Up to `most` that are to be looked at, the oldest first."""
    rows = tx.execute(
        select(INBOUND)
        .where(INBOUND.c.done_at.is_(None), INBOUND.c.raw.is_not(None))
        .order_by(INBOUND.c.id)
        .limit(most)
    )
    return [
        Kept(row.id, zlib.decompress(row.raw), row.source, row.recipient, row.sender, row.came_at)
        for row in rows
    ]


def take(tx: Tx, ids: Collection[int]) -> set[int]:
    """Those of the ids that are still to be looked at, and that nobody else is writing about; until
    `tx` ends they are ours."""
    return set(
        tx.scalars(
            select(INBOUND.c.id)
            .where(INBOUND.c.id.in_(ids), INBOUND.c.done_at.is_(None))
            .order_by(INBOUND.c.id)
            .with_for_update(skip_locked=True)
        )
    )


def done(tx: Tx, looked: Sequence[Looked], now: datetime) -> None:
    """Nothing, once it is written down what those that we have taken are."""
    if not looked:
        return
    names = ("kind", "found_by", "said", "reports", "subscriber_id", "delivery_id")
    tx.execute(
        update(INBOUND)
        .where(INBOUND.c.id == bindparam("of"))
        .values({"done_at": now, **{name: bindparam(name) for name in names}}),
        [
            {
                "of": one.id,
                "kind": one.kind,
                "found_by": one.found_by.value,
                "said": _text(one.said),
                "reports": [dict(report) for report in one.reports],
                "subscriber_id": one.subscriber_id,
                "delivery_id": one.delivery_id,
            }
            for one in looked
        ],
    )


def again(tx: Tx, ids: Collection[int] | None = None) -> int:
    """How many are to be looked at once more: those of the ids, or all, whose bytes are kept."""
    query = update(INBOUND).where(INBOUND.c.raw.is_not(None), INBOUND.c.done_at.is_not(None))
    if ids is not None:
        query = query.where(INBOUND.c.id.in_(ids))
    return int(getattr(tx.execute(query.values(done_at=None)), "rowcount", 0))


def any_new(tx: Tx) -> bool:
    """Whether anything is to be looked at."""
    return tx.execute(select(1).where(INBOUND.c.done_at.is_(None)).limit(1)).first() is not None


def count_new(tx: Tx) -> int:
    """How many are to be looked at."""
    return int(tx.scalar(select(func.count()).where(INBOUND.c.done_at.is_(None))) or 0)


def counts(tx: Tx, since: datetime) -> dict[str, int]:
    """How many of each kind came in since that moment."""
    rows = tx.execute(
        select(INBOUND.c.kind, func.count())
        .where(INBOUND.c.came_at >= since, INBOUND.c.done_at.is_not(None))
        .group_by(INBOUND.c.kind)
    )
    return {kind: number for kind, number in rows}


def listed(
    tx: Tx, *, kind: str = "", since: datetime | None = None, id_: int = 0, limit: int = 100
) -> list[Listed]:
    """Up to `limit`, the newest first; of one kind, since a moment, or the one with that number."""
    issue = (
        select(ISSUE.c.name)
        .join(EVENT, EVENT.c.issue_id == ISSUE.c.id)
        .where(EVENT.c.inbound_id == INBOUND.c.id)
        .limit(1)
        .scalar_subquery()
    )
    query = (
        select(INBOUND, SUBSCRIBER.c.address, issue.label("issue"))
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == INBOUND.c.subscriber_id)
        .order_by(INBOUND.c.id.desc())
        .limit(limit)
    )
    if kind:
        query = query.where(INBOUND.c.kind == kind)
    if since is not None:
        query = query.where(INBOUND.c.came_at >= since)
    if id_:
        query = query.where(INBOUND.c.id == id_)
    names = [name for name in Listed.__dataclass_fields__ if name != "is_kept"]
    return [
        Listed(**{name: getattr(row, name) for name in names}, is_kept=row.raw is not None)
        for row in tx.execute(query)
    ]


class About(NamedTuple):
    """What came back about a person, or from them; `said` are its first words, for some days."""

    kind: str
    came_at: datetime
    said: str


def about(tx: Tx, subscriber_id: int, limit: int) -> list[About]:
    """Up to `limit` that a person is known to be meant by, the newest first."""
    rows = tx.execute(
        select(INBOUND.c.kind, INBOUND.c.came_at, INBOUND.c.said)
        .where(INBOUND.c.subscriber_id == subscriber_id)
        .order_by(INBOUND.c.id.desc())
        .limit(limit)
    )
    return [About(*row) for row in rows]


def raw(tx: Tx, id_: int) -> bytes | None:
    """The bytes of one; None if they are not kept any more."""
    found = tx.scalar(select(INBOUND.c.raw).where(INBOUND.c.id == id_))
    return zlib.decompress(found) if found is not None else None


def knows(tx: Tx, text: str) -> int:
    """The number of a mail whose first words are `text`; 0 if none is."""
    return int(tx.scalar(select(INBOUND.c.id).where(INBOUND.c.said == text).limit(1)) or 0)


def empty(tx: Tx, before: datetime) -> int:
    """How many that came before that moment, and were looked at, hold no bytes, no words and no
    address any more."""
    result = tx.execute(
        update(INBOUND)
        .where(INBOUND.c.came_at < before, INBOUND.c.done_at.is_not(None))
        .where(INBOUND.c.raw.is_not(None))
        .values(raw=None, said="", sender="", recipient="", reports=[])
    )
    return int(getattr(result, "rowcount", 0))


def forget(tx: Tx, subscriber_id: int, address: str) -> None:
    """Nothing, once no mail is kept that is about the person, or names the address anywhere."""
    naming = [id_ for id_, kept in _all_kept(tx) if _names(kept, address)]
    for some in batch.chunks(naming, batch.KEYS):
        tx.execute(delete(INBOUND).where(INBOUND.c.id.in_(some)))
    tx.execute(delete(INBOUND).where(INBOUND.c.subscriber_id == subscriber_id))
    told = func.lower(INBOUND.c.sender + " " + INBOUND.c.recipient + " " + INBOUND.c.said)
    tx.execute(delete(INBOUND).where(told.contains(address.lower(), autoescape=True)))


def _all_kept(tx: Tx) -> Any:
    """The number and the bytes of each, a page at a time."""
    after = 0
    while True:
        rows = tx.execute(
            select(INBOUND.c.id, INBOUND.c.raw)
            .where(INBOUND.c.id > after, INBOUND.c.raw.is_not(None))
            .order_by(INBOUND.c.id)
            .limit(_PAGE)
        ).all()
        for id_, packed in rows:
            yield id_, zlib.decompress(packed)
        if len(rows) < _PAGE:
            return
        after = rows[-1][0]


def _names(kept: bytes, address: str) -> bool:
    """Whether a mail names the address: as it stands there, or once its encodings are undone."""
    wanted = address.lower().encode()
    return wanted in kept.lower() or any(wanted in view.lower() for view in views(kept))
