"""Deliveries: one issue to one person, its states, and what follows from an attempt.

| state | meaning | leaves by |
|---|---|---|
| queued | due at `next_at`; a deferral comes back here | start |
| sending | committed before the wire, leased until `lease_until` | outcome, or lapse -> unknown |
| accepted | the next hop took responsibility (2xx after the data) | - |
| refused | permanent 5xx in the session | - |
| expired | retries used up | - |
| skipped | suppressed, unsubscribed or paused between enqueue and start; or told by a digest | - |
| unknown | connection or process died with the body on the wire, and retries are used up | - |
| cancelled | the organiser called the issue off | `resend` |

Standards: RFC 5321 4.2 (replies), RFC 3463 (enhanced codes), RFC 5321 4.5.4.1 (retries).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from typing import NamedTuple


class DeliveryState(StrEnum):
    """See the table above."""

    QUEUED = "queued"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    EXPIRED = "expired"
    SKIPPED = "skipped"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"


OPEN_STATES = frozenset({DeliveryState.QUEUED, DeliveryState.SENDING})
"""States in which there is still work to do."""


class Verdict(StrEnum):
    """What one attempt came to (qmail's K, Z and D), or that nobody can know."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"


def reply_line(code: int, enhanced: str, text: str) -> str:
    """A server's reply as it stood on the wire, what it lacks left out."""
    if code and text.startswith(str(code)):
        return text  # a report quotes the whole reply
    return " ".join(filter(None, (str(code or ""), enhanced, text)))


class Outcome(NamedTuple):
    """The end of one attempt. `code` is the SMTP reply (0: none came), `enhanced` as `5.1.1` or
    empty, `text` the server's own words (or ours, when none came), `seconds` from MAIL to end.
    `step` is the command that a server's deferral answered."""

    verdict: Verdict
    code: int = 0
    enhanced: str = ""
    text: str = ""
    relay: str = ""
    seconds: float = 0.0
    step: str = ""

    @property
    def reply(self) -> str:
        """The reply as one line: `550 5.1.1 no such person here`."""
        return reply_line(self.code, self.enhanced, self.text)


@dataclass(frozen=True, slots=True)
class Step:
    """Where a delivery goes after an attempt; `next_at` only when it is queued again."""

    state: DeliveryState
    next_at: datetime | None = None


ACCEPTED = Step(DeliveryState.ACCEPTED)
"""The step after an acceptance: nearly all of them."""


@dataclass(frozen=True, slots=True)
class RetryPlan:
    """When to try again: the waits one after the other (the last repeats), until `max_age`.

    With `holds_unknown` an unknown end is left to the organiser (`mailout deliveries resolve`).
    """

    waits: Sequence[timedelta]
    max_age: timedelta
    holds_unknown: bool = False


def after_attempt(
    outcome: Outcome,
    attempts: int,
    queued_at: datetime,
    now: datetime,
    plan: RetryPlan,
    jitter: float,
) -> Step:
    """The step after attempt number `attempts` (from 1).

    `jitter` in [0, 1) spreads the retries over up to a fifth more than the wait, so that
    thousands of deferred mails do not come back in one second.
    """
    if outcome.verdict is Verdict.ACCEPTED:
        return ACCEPTED
    if outcome.verdict is Verdict.REFUSED:
        return Step(DeliveryState.REFUSED)
    if outcome.verdict is Verdict.UNKNOWN and plan.holds_unknown:
        return Step(DeliveryState.UNKNOWN)
    wait = plan.waits[min(attempts, len(plan.waits)) - 1]
    due = now + wait * (1 + jitter / 5)
    if due - queued_at > plan.max_age:
        if outcome.verdict is Verdict.UNKNOWN:
            return Step(DeliveryState.UNKNOWN)
        return Step(DeliveryState.EXPIRED)
    # An unknown end is tried again with the same Message-ID: twice is better than never.
    return Step(DeliveryState.QUEUED, due)
