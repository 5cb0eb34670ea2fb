"""Subscribers: people as they leave the store."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from mailout.core.subscription import SubscriptionState


@dataclass(frozen=True, slots=True)
class Membership:
    """A subscriber's subscription to one list."""

    list_id: str
    state: SubscriptionState
    joined_at: datetime
    changed_at: datetime


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
