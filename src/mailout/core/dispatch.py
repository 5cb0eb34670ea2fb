"""Dispatches: an order to send an issue to a segment, and who it leaves out."""

from __future__ import annotations

from collections.abc import Mapping
from enum import IntEnum, StrEnum

from mailout.core.delivery import DeliveryState
from mailout.core.frequency import Frequency


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
    QUEUED = "queued for it already"
    REFUSED = "refused by their server"
    EXPIRED = "expired"
    SKIPPED = "skipped before"
    UNKNOWN = "not known to have it"
    CANCELLED = "called off before"
    EXCLUDED = "excluded"
    WEEKLY = "for the weekly digest"
    MONTHLY = "for the monthly digest"
    URGENT_ONLY = "urgent mail only"


BY_FREQUENCY: Mapping[Frequency, LeftOut] = {
    Frequency.WEEKLY: LeftOut.WEEKLY,
    Frequency.MONTHLY: LeftOut.MONTHLY,
    Frequency.URGENT: LeftOut.URGENT_ONLY,
}
"""Why a person is left out of what is neither urgent nor a digest, by the frequency they chose."""

KEPT = (LeftOut.WEEKLY, LeftOut.MONTHLY)
"""Said of those who have a delivery all the same: skipped, for a digest to tell them of it."""


BY_DELIVERY: Mapping[DeliveryState, LeftOut] = {
    DeliveryState.QUEUED: LeftOut.QUEUED,
    DeliveryState.SENDING: LeftOut.QUEUED,
    DeliveryState.ACCEPTED: LeftOut.HAS_IT,
    DeliveryState.REFUSED: LeftOut.REFUSED,
    DeliveryState.EXPIRED: LeftOut.EXPIRED,
    DeliveryState.SKIPPED: LeftOut.SKIPPED,
    DeliveryState.UNKNOWN: LeftOut.UNKNOWN,
    DeliveryState.CANCELLED: LeftOut.CANCELLED,
}
"""Why a person is left out who has a delivery of the issue, by the state of that."""
