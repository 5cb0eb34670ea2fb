"""Frequencies: how often a reader wants mail of a list.

| frequency | gets |
|---|---|
| (empty) | every issue |
| weekly, monthly | a digest of what was sent since the last one, and urgent issues at once |
| urgent | urgent issues only |
"""

from __future__ import annotations

from enum import StrEnum


class Frequency(StrEnum):
    EVERY = ""
    WEEKLY = "weekly"
    MONTHLY = "monthly"
    URGENT = "urgent"


DIGESTS = (Frequency.WEEKLY, Frequency.MONTHLY)
"""Frequencies whose readers get digests."""
