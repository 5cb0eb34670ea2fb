"""How an address stands, judged by all that came back from it: well, paused, or stopped.

| what came back | the address |
|---|---|
| dead (no-mailbox, no-domain, disabled, moved) | is paused at once. The next issue at least three days later goes there all the same, as a probe. If that comes back dead too, it is stopped; if nothing comes back, it is well again. Where nothing ever got there, the first one stops it |
| soft (mailbox-full, relay-denied, unreachable, receiver-error) | scores one, at most one a day and an issue; four over at least 21 days stop it |
| a delivery of which nothing came back, a reply | begins all counting anew |
| blocked, too big, too fast: it is about us | nothing, ever |
| delay, automatic reply, challenge, unknown | nothing |

Gmail said `550 5.1.1` of living accounts for seven hours in December 2020: so one report is never
the end of an address that was alive.

The judgement is made of the record alone, anew each time: whoever takes a report back, or reads it
otherwise, gets the standing that it would have been without it.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from typing import ClassVar

from mailout.core.inbound.category import Category


class Health(StrEnum):
    """See the table above."""

    WELL = "well"
    PAUSED = "paused"
    STOPPED = "stopped"


@dataclass(frozen=True, slots=True)
class Terms:
    """How patient a list is. `quiet` is how long nothing may come back from a delivery until it is
    taken to have arrived."""

    probe_after: timedelta = timedelta(days=3)
    quiet: timedelta = timedelta(days=3)
    soft_score: int = 4
    soft_over: timedelta = timedelta(days=21)

    def kinder(self, other: Terms) -> Terms:
        """The terms for who is on both lists: the more patient of each."""
        return Terms(
            max(self.probe_after, other.probe_after),
            max(self.quiet, other.quiet),
            max(self.soft_score, other.soft_score),
            max(self.soft_over, other.soft_over),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class BounceSettings:
    """`[bounces]` of a list: how patient it is."""

    __pydantic_config__: ClassVar[dict[str, object]] = {"extra": "forbid"}
    probe_after_days: int = 3
    quiet_days: int = 3
    full_score: int = 4
    full_days: int = 21

    @property
    def terms(self) -> Terms:
        return Terms(
            timedelta(days=self.probe_after_days),
            timedelta(days=self.quiet_days),
            self.full_score,
            timedelta(days=self.full_days),
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """A report, or a refusal, about a delivery that was queued at `queued_at`."""

    at: datetime
    queued_at: datetime
    issue_id: int
    delivery_id: int
    category: Category
    said: str = ""


@dataclass(frozen=True, slots=True)
class Arrived:
    """A delivery that the next hop took over at `at`."""

    delivery_id: int
    at: datetime


@dataclass(frozen=True, slots=True)
class Record:
    """All that is known of an address.

    `failures` are those that count, in any order; `failed` has the deliveries of all, counting or
    not. `replied` are moments at which its reader wrote to us. `confirmed`: they once followed a
    link that was mailed there. An organiser who knew better has `lifted_at` made it well.
    """

    failures: Sequence[Failure] = ()
    failed: Collection[int] = ()
    accepted: Sequence[Arrived] = ()
    replied: Sequence[datetime] = ()
    confirmed: bool = False
    lifted_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class Standing:
    """The judgement. `since` and `why` tell of the report that made it; an issue that is queued
    from `probe_from` on is the probe. `score` counts soft failures."""

    health: Health = Health.WELL
    since: datetime | None = None
    probe_from: datetime | None = None
    why: Category | None = None
    said: str = field(default="", repr=False)
    score: int = 0


def standing(record: Record, terms: Terms, now: datetime) -> Standing:
    """How the address stands at the moment `now`."""
    lifted = record.lifted_at
    failures = sorted(
        (one for one in record.failures if lifted is None or one.at > lifted),
        key=lambda one: (one.at, one.delivery_id),
    )
    life = _signs_of_life(record, terms, now)
    dead = _by_dead(failures, life, record, terms)
    soft = _by_soft(failures, life, terms)
    if dead.health is Health.STOPPED or soft.health is not Health.STOPPED:
        return Standing(dead.health, dead.since, dead.probe_from, dead.why, dead.said, soft.score)
    return soft


def _signs_of_life(record: Record, terms: Terms, now: datetime) -> list[datetime]:
    """The moments at which something is known to have got there, or come from there."""
    arrived = [
        one.at
        for one in record.accepted
        if one.delivery_id not in record.failed and one.at + terms.quiet <= now
    ]
    return sorted([*arrived, *record.replied])


def _by_dead(
    failures: Sequence[Failure], life: Sequence[datetime], record: Record, terms: Terms
) -> Standing:
    first: Failure | None = None
    for one in failures:
        if not one.category.is_dead:
            continue
        if first is None or _any_between(life, first.at, one.at):
            first = one
            if not (record.confirmed or record.lifted_at or any(at < one.at for at in life)):
                return Standing(Health.STOPPED, one.at, None, one.category, one.said)
        elif one.queued_at >= first.at + terms.probe_after:
            return Standing(Health.STOPPED, one.at, None, one.category, one.said)
    if first is None or any(at > first.at for at in life):
        return Standing()
    probe_from = first.at + terms.probe_after
    for one in failures:
        if one.queued_at >= probe_from:  # a probe that told nothing of the address
            probe_from = one.at + terms.probe_after
    return Standing(Health.PAUSED, first.at, probe_from, first.category, first.said)


def _by_soft(failures: Sequence[Failure], life: Sequence[datetime], terms: Terms) -> Standing:
    counted: list[Failure] = []
    for one in failures:
        if not one.category.is_soft:
            continue
        if counted and _any_between(life, counted[-1].at, one.at):
            counted = []
        known = any(
            one.issue_id == other.issue_id or _day(one.at) == _day(other.at) for other in counted
        )
        if not known:
            counted.append(one)
        enough = len(counted) >= terms.soft_score
        if enough and counted[-1].at - counted[0].at >= terms.soft_over:
            last = counted[-1]
            return Standing(
                Health.STOPPED, last.at, None, last.category, last.said, score=len(counted)
            )
    if counted and any(at > counted[-1].at for at in life):
        return Standing()
    return Standing(score=len(counted))


def _any_between(moments: Sequence[datetime], begin: datetime, end: datetime) -> bool:
    return any(begin < at < end for at in moments)


def _day(moment: datetime) -> int:
    return moment.astimezone(UTC).toordinal()
