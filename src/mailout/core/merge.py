"""Merging two people who are one: on each list the stricter state, unless they said otherwise.

| of the two states | holds |
|---|---|
| the same | that; of two pauses the longer one |
| different | the stricter: unsubscribed before paused before pending before active |
| .. but the person confirmed the milder one since the stricter began | the milder |

A person's own confirmation is the only evidence that outweighs a stricter state: no import, no
organiser and no address of theirs that happens to be on the list does.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from mailout.core.subscription import SubscriptionState, stricter
from mailout.core.suppression import SuppressionReason


@dataclass(frozen=True, slots=True)
class Standing:
    """Where a person stands on a list, since when, and when they last confirmed it themselves."""

    state: SubscriptionState
    since: datetime
    confirmed_at: datetime | None = None


def other_holds(kept: Standing, other: Standing) -> bool:
    """Whether the state of the other address holds, and not that of the one that is kept."""
    if kept.state is other.state:
        return False
    strict = stricter(kept.state, other.state)
    hard, mild = (kept, other) if kept.state is strict else (other, kept)
    said_otherwise = mild.confirmed_at is not None and mild.confirmed_at > hard.since
    return (mild if said_otherwise else hard) is other


def longer_pause(kept: datetime | None, other: datetime | None) -> datetime | None:
    """When a pause of both ends: the later moment, or never by itself if one has no end."""
    return None if kept is None or other is None else max(kept, other)


def moves(reason: SuppressionReason) -> bool:
    """Whether a suppression is of the person, and so holds for the address that is kept; a dead
    address is dead by itself."""
    return reason not in (SuppressionReason.DEAD, SuppressionReason.MERGED)


def united(
    kept: Mapping[str, object], other: Mapping[str, object]
) -> tuple[dict[str, object], list[str]]:
    """The fields of both, and the names of those that differ, of which the kept ones stay."""
    differing = [name for name in other if name in kept and kept[name] != other[name]]
    return {**other, **kept}, sorted(differing)
