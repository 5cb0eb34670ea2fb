"""Plain lists of members, as `mailman members` writes them: an address a line, maybe a name.

A line is `addr`, `Name <addr>` or `addr (Name)`; blank ones and those that begin with `#` are
passed over. Such a list says nothing of who is paused or has bounced: the report tells so.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

from mailout.roster.columns import is_address
from mailout.roster.reading import Broken, Row, Table, text_lines
from mailout.roster.source import Source

SAYS = (
    "a plain list of members does not tell whose delivery was off: ask the old system for "
    "those, and import them with --status unsubscribed"
)
_LOOKED_AT = 50  # lines
_NAMED = re.compile(r'"?([^<>"]*)"?\s*<([^<>\s]+@[^<>\s]+)>')
_BEHIND = re.compile(r"(\S+@\S+)\s+\((.*)\)")


def is_list(source: Source) -> bool:
    """Whether the first line is a member, and most of the first ones are: a broken one among them
    is a row to refuse."""
    seen, members = 0, 0
    for _, line in text_lines(source):
        text = line.strip()
        if not text or text.startswith("#"):
            continue
        seen += 1
        members += is_address(split(text)[0])
        if not members:
            return False
        if seen == _LOOKED_AT:
            break
    return members * 2 > seen


def read(source: Source) -> Table:
    """The members as a table of addresses and names."""
    return Table(Row(1, ("email", "name")), "", _rows(source), (SAYS,))


def _rows(source: Source) -> Iterator[Row | Broken]:
    for number, line in text_lines(source):
        text = line.strip()
        if text and not text.startswith("#"):
            yield Row(number, split(text[:1000]))


def split(text: str) -> tuple[str, str]:
    """The address in a text, and the name that stands beside it; all of it where none does."""
    if found := _NAMED.fullmatch(text):
        return found[2], found[1].strip()
    if found := _BEHIND.fullmatch(text):
        return found[1], found[2].strip()
    return text, ""
