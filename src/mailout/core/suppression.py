"""Suppressions: why an address key or a domain is never mailed, and who may end that."""

from __future__ import annotations

from enum import StrEnum


class SuppressionReason(StrEnum):
    """`erased` survives the person's row as a keyed hash, so that no import brings them back;
    `shared` came from a partner's file; `merged` is an address of somebody who is known under
    another one."""

    BY_HAND = "by hand"
    DEAD = "dead"
    COMPLAINED = "complained"
    ERASED = "erased"
    SHARED = "shared"
    MERGED = "merged"


_THEIRS = {
    SuppressionReason.COMPLAINED: "they complained about our mail",
    SuppressionReason.ERASED: "they were erased, and it was promised that nobody writes to them",
    SuppressionReason.MERGED: "its person is known under another address",
}
NOT_SHARED = frozenset(
    (SuppressionReason.ERASED, SuppressionReason.SHARED, SuppressionReason.MERGED)
)
"""What a partner is never told of: whom we promised to forget, what another partner told us, and
addresses that are out of use for our own reasons."""


def why_not_lifted(reason: SuppressionReason) -> str:
    """Why an organiser cannot lift it; empty if they can. Its person can, by signing up anew."""
    return _THEIRS.get(reason, "")
