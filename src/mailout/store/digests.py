"""Digests: what readers who do not want every issue have missed, and how it is told once.

An issue makes a delivery for them that is skipped, for the reason `MISSED` (`store.dispatches`).
A digest names the issues that it is about; it goes to those who have missed one of them. With
their delivery of it, in one transaction, what they had missed is told: nothing is told twice, and
nothing that came in while the digest was made is lost. If the digest is called off before anybody
had it, it counts as missed again.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, FromClause, and_, literal, or_, select, update

from mailout.core.delivery import DeliveryState
from mailout.core.dispatch import DispatchState
from mailout.core.frequency import MISSED, Frequency, told_in
from mailout.core.issue import IssueState
from mailout.core.subscription import SubscriptionState
from mailout.store import issues, pauses
from mailout.store.engine import Tx
from mailout.store.issues import Issue
from mailout.store.tables import DELIVERY, DISPATCH, ISSUE, SUBSCRIBER, SUBSCRIPTION

_OUT = (DispatchState.SENDING, DispatchState.DONE)
"""States of a dispatch whose issue others are getting, or have."""


@dataclass(frozen=True, slots=True)
class Missed:
    """Issues that readers of a frequency are to be told of."""

    frequency: Frequency
    issue_ids: tuple[int, ...]


@dataclass(frozen=True, slots=True)
class Source:
    """An issue that some have missed, its posts in their order, whether it is in the archive, and
    to which segments it went, each with the one that was left out of it."""

    name: str
    archived: bool
    posts: tuple[str, ...]
    audience: frozenset[tuple[str, str]]


def missed(tx: Tx, list_id: str, frequency: Frequency, now: datetime) -> list[Source]:
    """The issues that readers of that frequency have missed and no digest has told them of, the
    newest first. What was paused, held or called off is not among them."""
    waiting = (
        select(1)
        .select_from(DELIVERY.join(DISPATCH, DISPATCH.c.id == DELIVERY.c.dispatch_id))
        .join(SUBSCRIPTION, SUBSCRIPTION.c.subscriber_id == DELIVERY.c.subscriber_id)
        .where(
            DELIVERY.c.issue_id == ISSUE.c.id,
            *_untold(DELIVERY),
            DISPATCH.c.state.in_(_OUT),
            SUBSCRIPTION.c.list_id == list_id,
            SUBSCRIPTION.c.frequency == frequency,
            or_(
                SUBSCRIPTION.c.state == SubscriptionState.ACTIVE,
                and_(SUBSCRIPTION.c.state == SubscriptionState.PAUSED, ~pauses.rests(now)),
            ),
        )
        .exists()
    )
    found = tx.execute(
        select(ISSUE.c.id, ISSUE.c.name, ISSUE.c.archived)
        .where(
            ISSUE.c.list_id == list_id,
            ISSUE.c.digest == "",
            ISSUE.c.state != IssueState.CANCELLED,
            waiting,
        )
        .order_by(ISSUE.c.id.desc())
    ).all()
    return [
        Source(name, archived, tuple(issues.posts_of(tx, id_)), _audience(tx, id_))
        for id_, name, archived in found
    ]


def _audience(tx: Tx, issue_id: int) -> frozenset[tuple[str, str]]:
    rows = tx.execute(
        select(DISPATCH.c.segment, DISPATCH.c.exclude).where(
            DISPATCH.c.issue_id == issue_id, DISPATCH.c.state.in_(_OUT)
        )
    )
    return frozenset((segment, exclude) for segment, exclude in rows)


def missing(missed: Missed) -> ColumnElement[bool]:
    """The condition that a joined person has that frequency and has missed one of the issues."""
    theirs = DELIVERY.alias()
    waiting = (
        select(1)
        .select_from(theirs.join(DISPATCH, DISPATCH.c.id == theirs.c.dispatch_id))
        .where(
            theirs.c.subscriber_id == SUBSCRIBER.c.id,
            theirs.c.issue_id.in_(missed.issue_ids),
            *_untold(theirs),
            DISPATCH.c.state.in_(_OUT),
        )
        .exists()
    )
    return and_(SUBSCRIPTION.c.frequency == missed.frequency, waiting)


def tell(tx: Tx, digest: Issue, missed: Missed) -> int:
    """How much of what was missed the digest tells those who have a delivery of it."""
    own = DELIVERY.alias()
    done = tx.execute(
        update(DELIVERY)
        .where(
            DELIVERY.c.issue_id.in_(missed.issue_ids),
            *_untold(DELIVERY),
            DELIVERY.c.subscriber_id.in_(
                select(own.c.subscriber_id).where(own.c.issue_id == digest.id)
            ),
        )
        .values(reason=told_in(digest.name))
    )
    return int(getattr(done, "rowcount", 0))


def _untold(delivery: FromClause) -> tuple[ColumnElement[bool], ...]:
    """The conditions that a delivery was kept for a digest, and that none has told its reader."""
    digest = ISSUE.alias()
    called_off = select(literal(told_in("")) + digest.c.name).where(
        digest.c.digest != "", digest.c.state == IssueState.CANCELLED
    )
    return (
        delivery.c.state == DeliveryState.SKIPPED,
        or_(delivery.c.reason == MISSED, delivery.c.reason.in_(called_off)),
    )
