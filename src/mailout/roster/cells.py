"""What single cells of a file say: languages, countries, choices, standings and times.

What a cell says that is no use - a country where a language should stand - is told, in a pair of
the cell and of why, and left out; a standing that nobody knows is the stricter one.
"""

from __future__ import annotations

import re

from mailout.catalogue import is_country
from mailout.catalogue.named import country_called, language_called
from mailout.core import language
from mailout.core.edition import CHOICES
from mailout.core.frequency import Frequency
from mailout.roster import statuses
from mailout.roster.entry import NO_CHOICE, Choice
from mailout.roster.statuses import Standing


def is_time(text: str) -> bool:
    """Whether a cell may be a time: digits, and nothing that names anybody."""
    return 6 <= len(text) <= 40 and bool(
        re.fullmatch(r"[\dTZ:.,+/ -]+(?:(?:[AP]M|UTC|GMT)\b[\d:+ -]*)?", text, re.IGNORECASE)
    )


def read_language(typed: str, warnings: list[tuple[str, str]]) -> str:
    """The code of the language that a cell names, by its code or in words; empty if of none."""
    if not typed or typed.isspace():
        return ""
    if meant := language.mistaken_for(typed):
        warnings.append(
            (typed, f"a country, not a language (perhaps {meant}?); the language is left empty")
        )
        return ""
    code = language.normal(typed)
    if len(code) == 3 or not language.is_code(code):
        code = language_called(typed) or code
    if not language.is_code(code):
        warnings.append((typed, "neither a language nor its code (ru); the language is left empty"))
        return ""
    return code


def read_country(typed: str, warnings: list[tuple[str, str]]) -> str:
    """The code of the country that a cell names, by its code or in words; empty if of none."""
    if not typed or typed.isspace():
        return ""
    code = typed.strip().upper()
    if code == "UK":
        warnings.append((typed, "read as GB, which is the code of the United Kingdom"))
        return "GB"
    if is_country(code):
        return code
    if not (code := country_called(typed)):
        warnings.append((typed, "neither a country nor its code (DE); the country is left empty"))
    return code


def read_choice(what: str, cell: str, warnings: list[tuple[str, str]]) -> Choice:
    """What one cell says of how the person wants their mail."""
    word = cell.strip().lower()
    known = CHOICES if what == "edition" else tuple(map(str, Frequency))
    if word not in known:
        few = ", ".join(filter(None, known))
        warnings.append((cell, f"no {what} ({few}); what the person has stays"))
        return NO_CHOICE
    return (word, "") if what == "edition" else ("", word)


def read_standing(what: str, cell: str, warnings: list[tuple[str, str]]) -> Standing:
    """What one cell says of where the person stands."""
    if what == "status":
        found = statuses.standing(cell)
        if found is None:
            warnings.append((cell, "an unknown status; taken as pending"))
        return found or statuses.PENDING
    if what == "lists":
        return statuses.LEFT if cell.strip().lower() == "no lists" else statuses.ACTIVE
    said = statuses.yes(cell)
    if what == "opted_in" and is_time(cell):
        return statuses.ACTIVE  # the day on which they did
    if what in ("opted_in", "confirmed"):
        if said is None:
            warnings.append((cell, "neither yes nor no; taken as pending"))
            return statuses.PENDING
        if said:
            return statuses.ACTIVE
        return statuses.LEFT if what == "opted_in" else statuses.PENDING
    if said is False:  # anything but no: often it is the date
        return statuses.ACTIVE
    if what == "dead" and "opt out" in cell.lower():  # CiviCRM's `On Hold Opt Out`
        return statuses.LEFT
    return {"left": statuses.LEFT, "dead": statuses.DEAD, "blocked": statuses.BLOCKED}[what]
