"""Why somebody left: what a page offers to choose from, and a line in their own words."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

MOST_WORDS = 500
"""Characters of a reader's own words that are kept."""


class LeaveReason(StrEnum):
    TOO_MANY = "too many"
    NOT_EXPECTED = "not expected"
    NEVER_JOINED = "never joined"
    CONTENT = "content"
    NOT_SAFE = "not safe"
    OTHER = "other"


@dataclass(frozen=True, slots=True)
class Said:
    """One answer. `at` is the beginning of its day (UTC): the moment would tell who."""

    list_id: str
    reason: LeaveReason
    words: str
    at: datetime


def said(list_id: str, reason: str, words: str, now: datetime) -> Said | None:
    """The answer as it is kept; None if there is none in it."""
    known = [one for one in LeaveReason if one == reason]
    line = "".join(one for one in " ".join(words.split()) if one.isprintable())[:MOST_WORDS].strip()
    if not known and not line:
        return None
    day = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return Said(list_id, known[0] if known else LeaveReason.OTHER, line, day)
