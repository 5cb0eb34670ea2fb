"""Places: the parts of a mail that differ by the reader's country, such as the nearest embassy.

They are filled per country, before a variant is encoded: a reader's country picks one of a few
prepared messages, so they cost nothing per message. A template prints a mark, as it does for a
slot (`core.slot`), and the variant carries a table of what each mark stands for where.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from html import escape

Table = Mapping[str, Mapping[str, str]]
"""Mark -> country (empty: every other one) -> what stands there."""

PATTERN = re.compile(r"zqplace[0-9]+[a-z]+zq")


def mark(number: int, part: str) -> str:
    """The word that stands for a part of the `number`th place until a country fills it."""
    return f"zqplace{number}{part}zq"


def countries(table: Table) -> frozenset[str]:
    """The countries in which anything stands that does not stand elsewhere."""
    return frozenset(code for values in table.values() for code in values if code)


def filled(text: str, table: Table, country: str, *, html: bool) -> str:
    """The text as readers in a country get it; `html` escapes what is filled in."""
    if not table:
        return text

    def value(match: re.Match[str]) -> str:
        values = table[match[0]]
        found = values.get(country, values[""])
        return escape(found) if html else found

    return PATTERN.sub(value, text)


def packed(table: Table) -> dict[str, dict[str, str]]:
    """The table in one fixed order, so that equal tables are written alike."""
    return {name: dict(sorted(values.items())) for name, values in sorted(table.items())}


def missing(text: str, table: Table) -> Iterable[str]:
    """The marks in a text that the table has nothing for."""
    return (found for found in PATTERN.findall(text) if found not in table)
