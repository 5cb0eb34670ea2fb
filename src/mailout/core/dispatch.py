"""Dispatches: an order to send an issue to a segment, and who it leaves out."""

from __future__ import annotations

from enum import IntEnum, StrEnum


class DispatchState(StrEnum):
    """queued -> sending <-> paused | held -> done | cancelled.

    A queued one is scheduled: nobody has a delivery yet, since a segment is evaluated when
    the sending begins.
    """

    QUEUED = "queued"
    SENDING = "sending"
    PAUSED = "paused"
    HELD = "held"
    DONE = "done"
    CANCELLED = "cancelled"


UNFINISHED = frozenset(
    {DispatchState.QUEUED, DispatchState.SENDING, DispatchState.PAUSED, DispatchState.HELD}
)


class Priority(IntEnum):
    """What overtakes what: deliveries of a higher one are started first."""

    BULK = 0
    URGENT = 10


class LeftOut(StrEnum):
    """Why a person of a segment gets no delivery."""

    NOT_CONFIRMED = "not confirmed"
    PAUSED = "paused by the reader"
    UNSUBSCRIBED = "unsubscribed"
    SUPPRESSED = "suppressed"
    BOUNCING = "paused for bounces"
    HAS_IT = "have it already"
    EXCLUDED = "excluded"
