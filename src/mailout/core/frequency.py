"""Frequencies: how often a reader wants mail of a list.

| frequency | gets |
|---|---|
| (empty) | every issue |
| weekly, monthly | a digest of what was sent since the last one, and urgent issues at once |
| urgent | urgent issues only |

Who waits for a digest has a delivery of each issue all the same: skipped, for the reason `MISSED`.
That is how a digest knows what is to be told to whom. Once a digest has a delivery to that reader,
the reason is `told_in` it.
"""

from __future__ import annotations

from datetime import date
from enum import StrEnum


class Frequency(StrEnum):
    EVERY = ""
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    URGENT = "urgent"


LESS_AND_LESS = (Frequency.EVERY, Frequency.WEEKLY, Frequency.MONTHLY, Frequency.URGENT)
"""All of them, from the one with most mail to the one with least."""

DIGESTS = (Frequency.WEEKLY, Frequency.MONTHLY)
"""Frequencies whose readers get digests."""

MISSED = "digest"
"""Why a delivery is skipped whose reader waits for a digest."""

_TOLD_IN = "in "


def rarer(one: str, other: str) -> str:
    """Of two frequencies the one with less mail."""
    return max(one, other, key=[str(each) for each in LESS_AND_LESS].index)


def told_in(digest: str) -> str:
    """Why a delivery is skipped whose reader gets what it holds in the digest of that name."""
    return f"{_TOLD_IN}{digest}"


def digest_of(reason: str) -> str:
    """The name of the digest that such a reason tells of; empty for any other."""
    return reason.removeprefix(_TOLD_IN) if reason.startswith(_TOLD_IN) else ""


def period(frequency: Frequency, day: date) -> str:
    """The week or the month of a day, as the names of its digests begin: `2026-w48`, `2026-11`.

    Standards: ISO 8601 for weeks.
    """
    if frequency is Frequency.MONTHLY:
        return f"{day:%Y-%m}"
    year, week, _ = day.isocalendar()
    return f"{year}-w{week:02}"
