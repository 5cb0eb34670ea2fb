"""Deliveries: claimed, started and recorded in batches; one statement for both databases.

The claim takes what is due in the order of the ids and skips what another worker holds
(`FOR UPDATE SKIP LOCKED`; SQLite has one writer and needs no locks). The words of the
statements are plain SQL: they are the hot path, and the query planner is watched by a test.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import TextClause, bindparam, func, insert, or_, select, text, update

from mailout.core.delivery import DeliveryState, Outcome, Step, Verdict
from mailout.core.event import EventKind
from mailout.core.subscription import SubscriptionState
from mailout.store.columns import UtcTime
from mailout.store.engine import Tx
from mailout.store.tables import DELIVERY, EVENT, ISSUE, SUBSCRIBER, SUBSCRIPTION, SUPPRESSION

_CLAIM = """
UPDATE delivery SET state = 'claimed', worker = :worker, lease_until = :lease_until
WHERE id IN (
  SELECT id FROM delivery
  WHERE dispatch_id = :dispatch_id AND state = 'queued' AND id > :after AND next_at <= :now
  ORDER BY id LIMIT :most {lock}
)
RETURNING id
"""
_TIMES = ("now", "lease_until", "next_at", "ended_at", "at")

_EVENT_OF = {
    Verdict.DEFERRED: EventKind.DEFERRED,
    Verdict.REFUSED: EventKind.REFUSED,
    Verdict.UNKNOWN: EventKind.UNKNOWN,
}


@dataclass(frozen=True, slots=True)
class Claimed:
    """A delivery that a worker holds, with all that composing and deciding need."""

    id: int
    issue_id: int
    address_key: str
    address: str
    name: str
    language: str
    reader_language: str
    token: str
    attempts: int
    queued_at: datetime


@dataclass(frozen=True, slots=True)
class Recorded:
    """The end of one attempt: the delivery, what came of it, and where it goes."""

    delivery: Claimed
    outcome: Outcome
    step: Step
    at: datetime


@dataclass(frozen=True, slots=True)
class Listed:
    """A delivery as shown to people; `address` is None once the person is erased."""

    id: int
    address: str | None
    address_key: str
    state: DeliveryState
    reason: str
    attempts: int
    language: str
    next_at: datetime
    ended_at: datetime | None
    last_code: int
    last_enhanced: str
    last_text: str

    @property
    def last_reply(self) -> str:
        return Outcome(Verdict.DEFERRED, self.last_code, self.last_enhanced, self.last_text).reply


def claim(
    tx: Tx,
    dispatch_id: int,
    worker: str,
    now: datetime,
    lease_until: datetime,
    most: int,
    after: int,
) -> tuple[list[Claimed], int]:
    """Up to `most` due deliveries with ids above `after`, now held by `worker`, and the highest
    id seen (0 when none was due).

    Those whose reader has meanwhile left, paused or been suppressed are skipped instead.
    """
    lock = "FOR UPDATE SKIP LOCKED" if tx.get_bind().dialect.name == "postgresql" else ""
    ids = sorted(
        tx.scalars(
            _timed(_CLAIM.format(lock=lock)),
            {
                "dispatch_id": dispatch_id,
                "worker": worker,
                "now": now,
                "lease_until": lease_until,
                "most": most,
                "after": after,
            },
        )
    )
    if not ids:
        return [], 0
    suppressed = (
        select(1)
        .where(
            SUPPRESSION.c.address_key == DELIVERY.c.address_key,
            or_(SUPPRESSION.c.list_id == "", SUPPRESSION.c.list_id == ISSUE.c.list_id),
        )
        .exists()
    )
    rows = tx.execute(
        select(
            DELIVERY.c.id,
            DELIVERY.c.issue_id,
            DELIVERY.c.address_key,
            DELIVERY.c.language,
            DELIVERY.c.attempts,
            DELIVERY.c.queued_at,
            SUBSCRIBER.c.address,
            SUBSCRIBER.c.name,
            SUBSCRIBER.c.language.label("reader_language"),
            SUBSCRIBER.c.bounce_paused_at,
            SUBSCRIPTION.c.state,
            SUBSCRIPTION.c.token,
            suppressed.label("suppressed"),
        )
        .join(ISSUE, ISSUE.c.id == DELIVERY.c.issue_id)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .outerjoin(
            SUBSCRIPTION,
            (SUBSCRIPTION.c.subscriber_id == SUBSCRIBER.c.id)
            & (SUBSCRIPTION.c.list_id == ISSUE.c.list_id),
        )
        .where(DELIVERY.c.id.in_(ids))
        .order_by(DELIVERY.c.id)
    ).all()
    claimed: list[Claimed] = []
    skipped: dict[str, list[int]] = {}
    for row in rows:
        why = _why_skip(row.address, row.state, row.suppressed, row.bounce_paused_at)
        if why:
            skipped.setdefault(why, []).append(row.id)
            continue
        claimed.append(
            Claimed(
                id=row.id,
                issue_id=row.issue_id,
                address_key=row.address_key,
                address=row.address,
                name=row.name,
                language=row.language,
                reader_language=row.reader_language,
                token=row.token,
                attempts=row.attempts,
                queued_at=row.queued_at,
            )
        )
    for why, skipped_ids in skipped.items():
        tx.execute(
            update(DELIVERY)
            .where(DELIVERY.c.id.in_(skipped_ids))
            .values(
                state=DeliveryState.SKIPPED, reason=why, worker="", lease_until=None, ended_at=now
            )
        )
    return claimed, ids[-1]


def _why_skip(
    address: str | None, state: SubscriptionState | None, suppressed: bool, bouncing: object
) -> str:
    if address is None:
        return "erased"
    if suppressed:
        return "suppressed"
    if state is not SubscriptionState.ACTIVE:
        return str(state or SubscriptionState.UNSUBSCRIBED)
    return "paused for bounces" if bouncing else ""


def start(tx: Tx, ids: Sequence[int], worker: str, lease_until: datetime) -> set[int]:
    """Those of the worker's claimed deliveries that are now `sending`; commit before the wire.

    One that is missing was taken from this worker (its lease had lapsed) and is not sent by it.
    """
    return set(
        tx.scalars(
            update(DELIVERY)
            .where(
                DELIVERY.c.id.in_(ids),
                DELIVERY.c.state == DeliveryState.CLAIMED,
                DELIVERY.c.worker == worker,
            )
            .values(
                state=DeliveryState.SENDING,
                lease_until=lease_until,
                attempts=DELIVERY.c.attempts + 1,
            )
            .returning(DELIVERY.c.id)
        )
    )


def record(tx: Tx, items: Sequence[Recorded], worker: str) -> None:
    """Nothing, once the outcomes are written, with an event for each that is no acceptance."""
    tx.execute(
        _timed(
            "UPDATE delivery SET state = :state, next_at = :next_at, ended_at = :ended_at,"
            " worker = '', lease_until = NULL, last_code = :code, last_enhanced = :enhanced,"
            " last_text = :text, relay = :relay"
            " WHERE id = :id AND state = 'sending' AND worker = :worker"
        ),
        [
            {
                "id": item.delivery.id,
                "state": item.step.state.value,
                "next_at": item.step.next_at or item.at,
                "ended_at": None if item.step.next_at else item.at,
                "code": item.outcome.code,
                "enhanced": item.outcome.enhanced,
                "text": item.outcome.text,
                "relay": item.outcome.relay,
                "worker": worker,
            }
            for item in items
        ],
    )
    events = [_event(item) for item in items if item.outcome.verdict in _EVENT_OF]
    if events:
        tx.execute(insert(EVENT).from_select(_EVENT_COLUMNS, _EVENT_SOURCE), events)


_EVENT_COLUMNS = [
    "kind", "at", "delivery_id", "issue_id", "subscriber_id", "provider",
    "code", "enhanced", "text", "relay",
]  # fmt: skip
# The person is looked up when the event is written: they may be erased by then.
_EVENT_SOURCE = select(
    bindparam("kind", type_=EVENT.c.kind.type),
    bindparam("at", type_=UtcTime),
    DELIVERY.c.id,
    DELIVERY.c.issue_id,
    DELIVERY.c.subscriber_id,
    bindparam("provider"),
    bindparam("code"),
    bindparam("enhanced"),
    bindparam("text"),
    bindparam("relay"),
).where(DELIVERY.c.id == bindparam("of_delivery"))


def _event(item: Recorded) -> dict[str, object]:
    expired = item.step.state is DeliveryState.EXPIRED
    return {
        "kind": EventKind.EXPIRED if expired else _EVENT_OF[item.outcome.verdict],
        "at": item.at,
        "of_delivery": item.delivery.id,
        "provider": item.delivery.address.rpartition("@")[2].lower(),
        "code": item.outcome.code,
        "enhanced": item.outcome.enhanced,
        "text": item.outcome.text,
        "relay": item.outcome.relay,
    }


def release(tx: Tx, worker: str) -> None:
    """Nothing, once what the worker had claimed and not started is queued again."""
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.worker == worker, DELIVERY.c.state == DeliveryState.CLAIMED)
        .values(state=DeliveryState.QUEUED, worker="", lease_until=None)
    )


def extend(tx: Tx, worker: str, lease_until: datetime) -> None:
    """Nothing, once all that the worker holds is leased until then."""
    tx.execute(update(DELIVERY).where(DELIVERY.c.worker == worker).values(lease_until=lease_until))


def lapsed(tx: Tx, now: datetime, dead_workers: Sequence[str]) -> list[Claimed]:
    """The `sending` deliveries whose worker is gone: their end is unknown.

    Claimed ones of such workers are queued again on the way: nothing was on the wire.
    """
    gone = or_(DELIVERY.c.lease_until < now, DELIVERY.c.worker.in_(dead_workers))
    tx.execute(
        update(DELIVERY)
        .where(DELIVERY.c.state == DeliveryState.CLAIMED, gone)
        .values(state=DeliveryState.QUEUED, worker="", lease_until=None)
    )
    rows = tx.execute(
        select(DELIVERY, SUBSCRIBER.c.address)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(DELIVERY.c.state == DeliveryState.SENDING, gone)
    )
    return [
        Claimed(
            id=row.id,
            issue_id=row.issue_id,
            address_key=row.address_key,
            address=row.address or "",
            name="",
            language=row.language,
            reader_language="",
            token="",
            attempts=row.attempts,
            queued_at=row.queued_at,
        )
        for row in rows
    ]


def record_lapsed(tx: Tx, items: Sequence[Recorded]) -> None:
    """Nothing, once lapsed deliveries are where `after_attempt` sends them."""
    for item in items:
        worker = tx.scalar(select(DELIVERY.c.worker).where(DELIVERY.c.id == item.delivery.id))
        record(tx, [item], worker or "")


def holders(tx: Tx) -> list[str]:
    """The workers that hold deliveries now."""
    return list(tx.scalars(select(DELIVERY.c.worker).where(DELIVERY.c.worker != "").distinct()))


def count(tx: Tx, *, issue_id: int = 0, dispatch_id: int = 0) -> dict[DeliveryState, int]:
    """How many deliveries of an issue or a dispatch are in each state."""
    query = select(DELIVERY.c.state, func.count()).group_by(DELIVERY.c.state)
    if issue_id:
        query = query.where(DELIVERY.c.issue_id == issue_id)
    if dispatch_id:
        query = query.where(DELIVERY.c.dispatch_id == dispatch_id)
    return {state: number for state, number in tx.execute(query)}


def next_due(tx: Tx, dispatch_id: int) -> datetime | None:
    """When the first queued delivery of a dispatch is due; None if none is queued."""
    due: datetime | None = tx.scalar(
        select(func.min(DELIVERY.c.next_at)).where(
            DELIVERY.c.dispatch_id == dispatch_id, DELIVERY.c.state == DeliveryState.QUEUED
        )
    )
    return due


def listed(
    tx: Tx, issue_id: int, state: DeliveryState | None = None, after: int = 0, limit: int = 1000
) -> list[Listed]:
    """Up to `limit` deliveries of an issue with ids above `after`, in the order of their ids."""
    query = (
        select(DELIVERY, SUBSCRIBER.c.address)
        .outerjoin(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(DELIVERY.c.issue_id == issue_id, DELIVERY.c.id > after)
        .order_by(DELIVERY.c.id)
        .limit(limit)
    )
    if state is not None:
        query = query.where(DELIVERY.c.state == state)
    names = Listed.__dataclass_fields__
    return [Listed(**{name: getattr(row, name) for name in names}) for row in tx.execute(query)]


def _timed(sql: str) -> TextClause:
    """The statement, its moments bound as moments on either database."""
    times = [bindparam(name, type_=UtcTime) for name in _TIMES if f":{name}" in sql]
    return text(sql).bindparams(*times)
