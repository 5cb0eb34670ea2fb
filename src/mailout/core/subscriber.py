"""Subscribers: people as they leave the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailout.core.subscription import SubscriptionState


@dataclass(frozen=True, slots=True)
class Membership:
    """A subscriber's subscription to one list; an empty `edition` is the standard one, an empty
    `frequency` every issue. `paused_until` ends a pause by itself."""

    list_id: str
    state: SubscriptionState
    joined_at: datetime
    changed_at: datetime
    edition: str = ""
    frequency: str = ""
    paused_until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Subscriber:
    """One person; `bounce_paused_at` is set while their address is paused for bounces."""

    id: int
    address: str
    address_key: str
    name: str
    language: str
    country: str
    created_at: datetime
    bounce_paused_at: datetime | None = None
    tags: tuple[str, ...] = ()
    memberships: tuple[Membership, ...] = ()
    fields: Mapping[str, object] = field(default_factory=dict)

    def membership(self, list_id: str) -> Membership | None:
        """Their subscription to a list; None if they are not on it."""
        return next((one for one in self.memberships if one.list_id == list_id), None)

    def edition_on(self, list_id: str) -> str:
        """The edition they chose of a list's issues; empty if none, or if not on the list."""
        return next((one.edition for one in self.memberships if one.list_id == list_id), "")
