"""Subscriptions: one person on one list.

pending -> active <-> paused -> unsubscribed; back from unsubscribed only by the person's
own new opt-in (or by undoing a leave within a day). A pause because of bounces belongs to
the address and is no state of the subscription. A suppression is a row of its own.
"""

from __future__ import annotations

from enum import StrEnum


class SubscriptionState(StrEnum):
    PENDING = "pending"
    ACTIVE = "active"
    PAUSED = "paused"
    UNSUBSCRIBED = "unsubscribed"


_IMPORT_WORDS: dict[SubscriptionState, frozenset[str]] = {
    SubscriptionState.ACTIVE: frozenset(
        ("", "active", "subscribed", "enabled", "confirmed", "yes", "true", "1")
    ),
    SubscriptionState.PENDING: frozenset(("pending", "unconfirmed")),
    SubscriptionState.PAUSED: frozenset(("paused",)),
    SubscriptionState.UNSUBSCRIBED: frozenset(
        (
            "unsubscribed", "opted-out", "opted_out", "opted out", "opt-out", "disabled",
            "blocklisted", "cleaned", "bounced", "bouncing", "previous bounce", "complained",
            "spam complaint", "removed", "no", "false", "0",
        )
    ),
}  # fmt: skip
# A pending person is not mailed at all, so pending is stricter than active.
_STRICTNESS = (
    SubscriptionState.ACTIVE,
    SubscriptionState.PENDING,
    SubscriptionState.PAUSED,
    SubscriptionState.UNSUBSCRIBED,
)


def imported_state(word: str) -> SubscriptionState | None:
    """The state that a status column's word means; None for a word we do not know."""
    word = word.strip().lower()
    return next((state for state, words in _IMPORT_WORDS.items() if word in words), None)


def stricter(one: SubscriptionState, other: SubscriptionState) -> SubscriptionState:
    """Of two readings the one that mails less."""
    return max(one, other, key=_STRICTNESS.index)
