"""Events: what is written down about a delivery or a person, never changed afterwards."""

from __future__ import annotations

from enum import StrEnum


class EventKind(StrEnum):
    """A refusal is a 5xx in the session, a bounce a report after acceptance."""

    DEFERRED = "deferred"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    EXPIRED = "expired"
    BOUNCED = "bounced"
    COMPLAINED = "complained"
    LEFT = "left"
    RETURNED = "returned"
    MERGED = "merged"
