"""What is known of addresses, read for judging them (`core.standing`), and the judgement applied.

A judgement is put where sending looks: `bounce_paused_at` and `probe_from` of the person, or a
suppression for the reason `dead` whose evidence is `BOUNCES`. One that somebody else made, or an
import, is left as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import delete, exists, func, insert, select, update

from mailout.core.consent import MOVED, ConsentAction
from mailout.core.delivery import DeliveryState
from mailout.core.event import EventKind
from mailout.core.inbound.category import Category
from mailout.core.standing import Arrived, Failure, Health, Record, Standing
from mailout.core.suppression import SuppressionReason
from mailout.store import batch, suppressions
from mailout.store.engine import Tx
from mailout.store.tables import (
    CONSENT,
    DELIVERY,
    EVENT,
    SUBSCRIBER,
    SUBSCRIPTION,
    SUPPRESSION,
)

BOUNCES = "bounces"
"""The evidence of a suppression that a judgement has made."""

# After a merge: what came back from the other address says nothing of this one.
_TO_THIS_ADDRESS = DELIVERY.c.address_key == SUBSCRIBER.c.address_key
_FAILURES = (EventKind.REFUSED, EventKind.BOUNCED, EventKind.EXPIRED)


@dataclass(frozen=True, slots=True)
class Address:
    """An address that is judged: its lists, how it is judged so far, and its record."""

    subscriber_id: int
    address_key: str
    lists: tuple[str, ...]
    paused_at: datetime | None
    probe_from: datetime | None
    is_stopped: bool
    record: Record = field(repr=False)

    @property
    def health(self) -> Health:
        if self.is_stopped:
            return Health.STOPPED
        return Health.PAUSED if self.paused_at else Health.WELL


def load(tx: Tx, subscriber_ids: Collection[int]) -> list[Address]:
    """What is known of the addresses of these people."""
    found: list[Address] = []
    for some in batch.chunks(sorted(subscriber_ids), batch.KEYS):
        found += _load(tx, some)
    return found


def _load(tx: Tx, ids: list[int]) -> list[Address]:
    failures, failed = _failures(tx, ids)
    accepted = _accepted(tx, ids)
    replied = _moments(tx, ids, EventKind.REPLIED)
    lifted = _moments(tx, ids, EventKind.LIFTED, BY_HAND)
    confirmed: dict[int, list[datetime]] = {}
    moved: dict[int, datetime] = {}
    for subscriber_id, at, source in tx.execute(
        select(CONSENT.c.subscriber_id, CONSENT.c.at, CONSENT.c.source).where(
            batch.among(tx, CONSENT.c.subscriber_id, ids),
            CONSENT.c.action == ConsentAction.CONFIRMED,
        )
    ):
        confirmed.setdefault(subscriber_id, []).append(at)
        if source == MOVED:
            moved[subscriber_id] = max(at, moved.get(subscriber_id, at))
    lists: dict[int, list[str]] = {}
    for subscriber_id, list_id in tx.execute(
        select(SUBSCRIPTION.c.subscriber_id, SUBSCRIPTION.c.list_id)
        .where(batch.among(tx, SUBSCRIPTION.c.subscriber_id, ids))
        .order_by(SUBSCRIPTION.c.list_id)
    ):
        lists.setdefault(subscriber_id, []).append(list_id)
    stopped = exists().where(
        SUPPRESSION.c.address_key == SUBSCRIBER.c.address_key,
        SUPPRESSION.c.list_id == "",
        SUPPRESSION.c.reason == SuppressionReason.DEAD,
        SUPPRESSION.c.evidence == BOUNCES,
    )
    people = tx.execute(
        select(
            SUBSCRIBER.c.id,
            SUBSCRIBER.c.address_key,
            SUBSCRIBER.c.bounce_paused_at,
            SUBSCRIBER.c.probe_from,
            stopped.label("is_stopped"),
        ).where(batch.among(tx, SUBSCRIBER.c.id, ids))
    )
    return [
        Address(
            subscriber_id=row.id,
            address_key=row.address_key,
            lists=tuple(lists.get(row.id, ())),
            paused_at=row.bounce_paused_at,
            probe_from=row.probe_from,
            is_stopped=bool(row.is_stopped),
            record=Record(
                failures=_since(moved.get(row.id), failures.get(row.id, ())),
                failed=failed.get(row.id, ()),
                accepted=accepted.get(row.id, ()),
                replied=replied.get(row.id, ()),
                confirmed=confirmed.get(row.id, ()),
                lifted_at=max(lifted.get(row.id, ()), default=None),
            ),
        )
        for row in people
    ]


def _since(moved_at: datetime | None, failures: Sequence[Failure]) -> Sequence[Failure]:
    """Those about what was queued since the person has this address."""
    if moved_at is None:
        return failures
    return [one for one in failures if one.queued_at >= moved_at]


def _failures(tx: Tx, ids: list[int]) -> tuple[Mapping[int, list[Failure]], Mapping[int, set[int]]]:
    """The failures that count, by person; and the deliveries of all failures."""
    counting: dict[int, list[Failure]] = {}
    failed: dict[int, set[int]] = {}
    rows = tx.execute(
        select(
            EVENT.c.subscriber_id,
            EVENT.c.at,
            EVENT.c.category,
            EVENT.c.counts,
            EVENT.c.text,
            EVENT.c.delivery_id,
            DELIVERY.c.issue_id,
            DELIVERY.c.queued_at,
        )
        .join(DELIVERY, DELIVERY.c.id == EVENT.c.delivery_id)
        .join(SUBSCRIBER, SUBSCRIBER.c.id == EVENT.c.subscriber_id)
        .where(_TO_THIS_ADDRESS)
        .where(batch.among(tx, EVENT.c.subscriber_id, ids), EVENT.c.kind.in_(_FAILURES))
        .order_by(EVENT.c.id)
    )
    for row in rows:
        failed.setdefault(row.subscriber_id, set()).add(row.delivery_id)
        if row.counts and row.category:
            one = Failure(
                at=row.at,
                queued_at=row.queued_at,
                issue_id=row.issue_id,
                delivery_id=row.delivery_id,
                category=Category(row.category),
                said=row.text,
            )
            counting.setdefault(row.subscriber_id, []).append(one)
    return counting, failed


def _accepted(tx: Tx, ids: list[int]) -> Mapping[int, list[Arrived]]:
    found: dict[int, list[Arrived]] = {}
    rows = tx.execute(
        select(DELIVERY.c.subscriber_id, DELIVERY.c.id, DELIVERY.c.ended_at)
        .join(SUBSCRIBER, SUBSCRIBER.c.id == DELIVERY.c.subscriber_id)
        .where(
            _TO_THIS_ADDRESS,
            batch.among(tx, DELIVERY.c.subscriber_id, ids),
            DELIVERY.c.state == DeliveryState.ACCEPTED,
            DELIVERY.c.ended_at.is_not(None),
        )
    )
    for subscriber_id, delivery_id, ended_at in rows:
        found.setdefault(subscriber_id, []).append(Arrived(delivery_id, ended_at))
    return found


def _moments(
    tx: Tx, ids: list[int], kind: EventKind, text: str | None = None
) -> Mapping[int, list[datetime]]:
    query = select(EVENT.c.subscriber_id, EVENT.c.at).where(
        batch.among(tx, EVENT.c.subscriber_id, ids), EVENT.c.kind == kind, EVENT.c.counts
    )
    if text is not None:
        query = query.where(EVENT.c.text == text)
    found: dict[int, list[datetime]] = {}
    for subscriber_id, at in tx.execute(query):
        found.setdefault(subscriber_id, []).append(at)
    return found


# --- the judgement, applied -------------------------------------------------------------------

BY_HAND = "by hand"
"""What an event says that lifts a pause or a stop because an organiser said so."""

_TOLD_AS = {
    Health.WELL: EventKind.LIFTED,
    Health.PAUSED: EventKind.PAUSED,
    Health.STOPPED: EventKind.STOPPED,
}


def apply(tx: Tx, address: Address, standing: Standing, now: datetime) -> bool:
    """Whether the address stands otherwise than before; then there is an event of it, too."""
    if not settle(tx, address, standing, now):
        return False
    text = "nothing came back any more" if standing.health is Health.WELL else ""
    tell(tx, _TOLD_AS[standing.health], address.subscriber_id, standing, now, text)
    return True


def settle(tx: Tx, address: Address, standing: Standing, now: datetime) -> bool:
    """Whether the address stands otherwise than before; nothing is told of it."""
    paused = standing.health is Health.PAUSED
    since = standing.since if paused else None
    probe_from = standing.probe_from if paused else None
    if (since, probe_from) != (address.paused_at, address.probe_from):
        tx.execute(
            update(SUBSCRIBER)
            .where(SUBSCRIBER.c.id == address.subscriber_id)
            .values(bounce_paused_at=since, probe_from=probe_from)
        )
    if standing.health is address.health:
        return False
    if standing.health is Health.STOPPED:
        dead = SuppressionReason.DEAD
        suppressions.add(tx, address.address_key, dead, now, evidence=BOUNCES)
    elif address.is_stopped:
        _unstop(tx, address.address_key)
    return True


def lift(tx: Tx, subscriber_id: int, now: datetime) -> bool:
    """Whether the address was paused or stopped for bounces, and is well now, since an organiser
    says so: what came back by then is not counted any more."""
    [address] = load(tx, [subscriber_id])
    if not settle(tx, address, Standing(), now):
        return False
    tell(tx, EventKind.LIFTED, subscriber_id, Standing(), now, BY_HAND)
    return True


def tell(
    tx: Tx, kind: EventKind, subscriber_id: int, standing: Standing, now: datetime, text: str = ""
) -> None:
    """Nothing, once it is written down how the address stands from now on, and why."""
    domain = tx.scalar(select(SUBSCRIBER.c.domain).where(SUBSCRIBER.c.id == subscriber_id))
    tx.execute(
        insert(EVENT).values(
            kind=kind,
            at=now,
            subscriber_id=subscriber_id,
            provider=domain or "",
            code=0,
            enhanced="",
            text=text or standing.said,
            relay="",
            category=standing.why or "",
        )
    )


def _unstop(tx: Tx, address_key: str) -> None:
    """Nothing, once the address key is not suppressed because of bounces."""
    tx.execute(
        delete(SUPPRESSION).where(
            SUPPRESSION.c.address_key == address_key,
            SUPPRESSION.c.list_id == "",
            SUPPRESSION.c.reason == SuppressionReason.DEAD,
            SUPPRESSION.c.evidence == BOUNCES,
        )
    )


def paused_ones(tx: Tx, quiet_since: datetime, most: int, after: int = 0) -> list[int]:
    """Up to `most` paused people, with ids above `after`, who were sent something before
    `quiet_since` and after their pause: it may be time to lift it."""
    probe = exists().where(
        DELIVERY.c.subscriber_id == SUBSCRIBER.c.id,
        DELIVERY.c.state == DeliveryState.ACCEPTED,
        DELIVERY.c.ended_at > SUBSCRIBER.c.bounce_paused_at,
        DELIVERY.c.ended_at <= quiet_since,
    )
    return list(
        tx.scalars(
            select(SUBSCRIBER.c.id)
            .where(SUBSCRIBER.c.bounce_paused_at.is_not(None), SUBSCRIBER.c.id > after, probe)
            .order_by(SUBSCRIBER.c.id)
            .limit(most)
        )
    )


def counts(tx: Tx) -> tuple[int, int, int]:
    """How many addresses are paused for bounces, how many stopped, and how many complained."""
    paused = select(func.count()).where(SUBSCRIBER.c.bounce_paused_at.is_not(None))
    suppressed = select(func.count()).select_from(SUPPRESSION)
    stopped = suppressed.where(
        SUPPRESSION.c.reason == SuppressionReason.DEAD, SUPPRESSION.c.evidence == BOUNCES
    )
    complained = suppressed.where(SUPPRESSION.c.reason == SuppressionReason.COMPLAINED)
    found = [int(tx.scalar(query) or 0) for query in (paused, stopped, complained)]
    return found[0], found[1], found[2]
