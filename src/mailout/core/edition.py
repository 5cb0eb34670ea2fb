"""Editions: the forms in which an issue can be had.

| edition | what it holds | who gets it |
|---|---|---|
| excerpt | long posts to their mark, with a link to go on reading | everybody, where an issue shortens |
| full | every post whole | who chose it; readers in countries where the site is blocked; everybody, where nothing is shortened |
| low-data | every post whole, small HTML without pictures, colours and fonts | who chose it |
| text | every post whole, and no HTML at all | who chose it |

A reader who chose nothing gets the standard edition: `excerpt` or `full`, as the issue is.
"""  # noqa: E501 - a table

from __future__ import annotations

from collections.abc import Collection
from enum import StrEnum


class Edition(StrEnum):
    EXCERPT = "excerpt"
    FULL = "full"
    LOW_DATA = "low-data"
    TEXT = "text"


CHOICES = ("", "full", "low-data", "text")
"""What a reader may choose; empty is no choice."""


def standard(built: Collection[str]) -> Edition:
    """The edition of an issue that readers get who chose none."""
    return Edition.EXCERPT if Edition.EXCERPT in built else Edition.FULL


def for_reader(chosen: str, *, blocked: bool, built: Collection[str]) -> Edition:
    """The edition that a reader gets, of those that were built.

    `chosen` is the reader's own word, or empty; `blocked` tells whether the site cannot be
    reached from the reader's country, so that a link to go on reading is of no use there.
    """
    wanted = chosen or (Edition.FULL if blocked else "")
    return Edition(wanted) if wanted in built else standard(built)
