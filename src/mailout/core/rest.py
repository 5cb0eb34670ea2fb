"""Providers that are to be left in peace: they have an outage, or they block us.

| what happens | what follows |
|---|---|
| 5 % of a provider's addresses, and at least 20, seem to die within an hour | an outage: the provider rests, nobody is paused or stopped for it |
| a fifth of what a provider got within an hour, and at least 5, is blocked | the provider rests: it would only think worse of us |

A rest lasts an hour, and twice as long each time that it was not enough; afterwards the provider
is mailed slowly at first (`core.throttle`).
"""  # noqa: E501 - a table

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

WINDOW = timedelta(hours=1)
"""What is reported within so long is one thing that happened."""

_OUTAGE_SHARE, _OUTAGE_LEAST = 0.05, 20
_BLOCKED_SHARE, _BLOCKED_LEAST = 0.2, 5
_FIRST = timedelta(hours=1)
_MOST_DOUBLED = 4
_FORGIVEN = timedelta(days=1)  # after so long without a rest the next one is short again


class Why(StrEnum):
    """See the table above."""

    OUTAGE = "outage"
    BLOCKED = "blocked"


@dataclass(frozen=True, slots=True)
class Rest:
    """A provider gets nothing until that moment. `said` are the words that led to it, `times` how
    often it rested in a row."""

    provider: str
    why: Why
    said: str = field(repr=False)
    times: int
    began_at: datetime
    until: datetime


def is_outage(dead: int, mailed: int) -> bool:
    """Whether so many of a provider's addresses cannot have died together."""
    return dead >= _OUTAGE_LEAST and dead >= _OUTAGE_SHARE * mailed


def is_blocking(blocked: int, mailed: int) -> bool:
    """Whether a provider blocks us, and not one mail only."""
    return blocked >= _BLOCKED_LEAST and blocked >= _BLOCKED_SHARE * mailed


def rest(provider: str, why: Why, said: str, before: Rest | None, now: datetime) -> Rest:
    """The rest that begins now, or the one that goes on already."""
    if before is not None and before.until > now and before.why is why:
        return before
    again = before is not None and now - before.until < _FORGIVEN
    times = before.times + 1 if before is not None and again else 1
    lasts = _FIRST * 2 ** min(times - 1, _MOST_DOUBLED)
    return Rest(provider, why, said, times, now, now + lasts)
