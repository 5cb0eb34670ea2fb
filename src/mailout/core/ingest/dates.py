"""Dates as pages and files write them: in digits, or in words of five languages.

`3/4/2012` is left alone: it is a day in March or in April, and nobody says which.
Standards: ISO 8601 (dates), RFC 5322 3.3 (day and month of a mail's date).
"""

from __future__ import annotations

import re
from datetime import date as Date

# The beginnings of the months' names, by which they are known in each form.
_MONTHS = (
    ("jan", "jän", "янв", "січ", "қаң"),
    ("feb", "фев", "лют", "ақп"),
    ("mar", "mär", "мар", "бер", "нау"),
    ("apr", "апр", "кві", "сәу"),
    ("may", "mai", "май", "мая", "тра", "мам"),
    ("jun", "июн", "чер", "мау"),
    ("jul", "июл", "лип", "шіл"),
    ("aug", "авг", "сер", "там"),
    ("sep", "сен", "вер", "қыр"),
    ("oct", "okt", "окт", "жов", "қаз"),
    ("nov", "ноя", "лис", "қар"),
    ("dec", "dez", "дек", "гру", "жел"),
)
_BY_NAME = {name: month for month, names in enumerate(_MONTHS, 1) for name in names}

_ISO = re.compile(r"\b(\d{4})-(\d{2})-(\d{2})(?!\d)")
_DOTTED = re.compile(r"\b(\d{1,2})\.(\d{1,2})\.(\d{4})\b")
_SLASHED = re.compile(r"\b(\d{1,2})/(\d{1,2})/(\d{4})\b")
_DAY_FIRST = re.compile(
    r"\b(\d{1,2})(?:st|nd|rd|th)?\.?\s+(?:of\s+)?([^\W\d_]{3,12})\.?,?\s+(\d{4})\b"
)
_MONTH_FIRST = re.compile(r"\b([^\W\d_]{3,12})\.?\s+(\d{1,2})(?:st|nd|rd|th)?,?\s+(\d{4})\b")
_YEAR_FIRST = re.compile(r"\b(\d{4})\s*(?:ж\.|жылғы|жылы)?\s*(\d{1,2})\s+([^\W\d_]{3,12})\b")


def found(text: str) -> Date | None:
    """The first date in a text; None if there is none that can be told for sure."""
    for pattern, order in (
        (_ISO, "ymd"),
        (_DOTTED, "dmy"),
        (_DAY_FIRST, "dmy"),
        (_MONTH_FIRST, "mdy"),
        (_YEAR_FIRST, "ydm"),
        (_SLASHED, "dmy"),
    ):
        for match in pattern.finditer(text):
            parts = dict(zip(order, match.groups(), strict=True))
            if pattern is _SLASHED:
                parts = _unslashed(parts)
            if parts and (day := _date(parts["y"], parts["m"], parts["d"])):
                return day
    return None


def _unslashed(parts: dict[str, str]) -> dict[str, str]:
    first, second = int(parts["d"]), int(parts["m"])
    if second > 12 >= first:
        return {**parts, "d": parts["m"], "m": parts["d"]}
    return parts if first > 12 or first == second else {}


def _date(year: str, month: str, day: str) -> Date | None:
    number = int(month) if month.isdecimal() else _BY_NAME.get(month[:3].lower(), 0)
    try:
        return Date(int(year), number, int(day))
    except ValueError:
        return None
