"""Keeping what comes in, before anybody looks at it: a mail is kept once, whatever way it came.

Its source may forget it only when this has returned.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime

from mailout.core.arrival import Arrival, Keep
from mailout.store import inbound
from mailout.store.engine import Store

MOST_BYTES = 25 * 1024 * 1024
"""Of a longer mail only the beginning is kept: a report says there what it has to say."""


def _now() -> datetime:
    return datetime.now(UTC)


def keeper(
    store: Store, most_bytes: int = MOST_BYTES, clock: Callable[[], datetime] = _now
) -> Keep:
    """What keeps arrivals in the store. See `core.arrival.Keep` for what it returns and raises."""

    def keep(arrivals: Sequence[Arrival]) -> int:
        cut = [
            one if len(one.raw) <= most_bytes else replace(one, raw=one.raw[:most_bytes])
            for one in arrivals
        ]
        if not cut:
            return 0
        with store.writing() as tx:
            return inbound.keep(tx, cut, clock())

    return keep
