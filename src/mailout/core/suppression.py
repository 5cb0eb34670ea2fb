"""Suppressions: why an address key is never mailed."""

from __future__ import annotations

from enum import StrEnum


class SuppressionReason(StrEnum):
    """`erased` survives the person's row as a keyed hash, so that no import brings them back."""

    BY_HAND = "by hand"
    DEAD = "dead"
    COMPLAINED = "complained"
    ERASED = "erased"
