"""The words for what came back: categories, whose fault each is, and kinds of mail.

| group | categories | says of the address |
|---|---|---|
| dead | no-mailbox, no-domain, disabled, moved | it is gone |
| soft | mailbox-full, relay-denied, unreachable, receiver-error | it may be well tomorrow |
| blocked | blocked-reputation, -content, -policy, too-big, rate-limited | nothing: it is about us |
| none | delay, auto-reply, challenge, complaint, unsubscribe, unknown | nothing |
"""

from __future__ import annotations

from enum import StrEnum


class Category(StrEnum):
    """Why a mail came back, or what else a report tells."""

    NO_MAILBOX = "no-mailbox"
    NO_DOMAIN = "no-domain"
    DISABLED = "disabled"
    MOVED = "moved"
    MAILBOX_FULL = "mailbox-full"
    RELAY_DENIED = "relay-denied"
    UNREACHABLE = "unreachable"
    RECEIVER_ERROR = "receiver-error"
    BLOCKED_REPUTATION = "blocked-reputation"
    BLOCKED_CONTENT = "blocked-content"
    BLOCKED_POLICY = "blocked-policy"
    TOO_BIG = "too-big"
    RATE_LIMITED = "rate-limited"
    DELAY = "delay"
    AUTO_REPLY = "auto-reply"
    CHALLENGE = "challenge"
    COMPLAINT = "complaint"
    UNSUBSCRIBE = "unsubscribe"
    UNKNOWN = "unknown"

    @property
    def fault(self) -> Fault:
        """Whose fault it is."""
        return _FAULTS.get(self, Fault.UNKNOWN)

    @property
    def is_dead(self) -> bool:
        """Whether the address is gone."""
        return self in _DEAD

    @property
    def is_soft(self) -> bool:
        """Whether it may get mail again some day."""
        return self in _SOFT

    @property
    def is_block(self) -> bool:
        """Whether the receiver will not have mail from us, or not as fast, or not of that kind."""
        return self in _BLOCKS


class Fault(StrEnum):
    """Who would have to change something."""

    ADDRESS = "address"
    RECEIVER = "receiver"
    US = "us"
    UNKNOWN = "unknown"


class Kind(StrEnum):
    """What a mail is. Each mail that comes in is of exactly one kind."""

    BOUNCE = "bounce"
    DELAY = "delay"
    FEEDBACK = "feedback"
    AUTO_REPLY = "auto-reply"
    CHALLENGE = "challenge"
    UNSUBSCRIBE = "unsubscribe"
    REPLY = "reply"
    OTHER = "other"


_DEAD = frozenset(
    {Category.NO_MAILBOX, Category.NO_DOMAIN, Category.DISABLED, Category.MOVED},
)
_SOFT = frozenset(
    {
        Category.MAILBOX_FULL,
        Category.RELAY_DENIED,
        Category.UNREACHABLE,
        Category.RECEIVER_ERROR,
    }
)
_BLOCKS = frozenset(
    {
        Category.BLOCKED_REPUTATION,
        Category.BLOCKED_CONTENT,
        Category.BLOCKED_POLICY,
        Category.RATE_LIMITED,
    }
)
_FAULTS = {
    **dict.fromkeys((*_DEAD, Category.MAILBOX_FULL), Fault.ADDRESS),
    Category.RELAY_DENIED: Fault.RECEIVER,
    Category.UNREACHABLE: Fault.RECEIVER,
    Category.RECEIVER_ERROR: Fault.RECEIVER,
    Category.DELAY: Fault.RECEIVER,
    Category.BLOCKED_REPUTATION: Fault.US,
    Category.BLOCKED_CONTENT: Fault.US,
    Category.BLOCKED_POLICY: Fault.US,
    Category.TOO_BIG: Fault.US,
    Category.RATE_LIMITED: Fault.US,
    Category.COMPLAINT: Fault.US,
}
