"""Own fields: cells as values of the fields that lists declare, as `store.own_fields` has them.

| type | a cell | kept as |
|---|---|---|
| text, or declared nowhere | anything harmless | the text, trimmed |
| number | `12`, `2.5`, `2,5` | a number |
| date | `2026-01-31`, with or without a time; `31.1.2026` | `2026-01-31` |
| yes-no | yes or no in one of many spellings | true or false |
| choice | one of the choices, in capitals or not | the choice as declared |
| choices | some of them, apart by `;` or `,`, or a JSON list | a list, in the order declared |

What does not fit is not guessed at: `1,234` is a thousand to some, and `01/02/2026` a day in
either of two months.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from datetime import date

from mailout.core.segment import Field, Kind
from mailout.core.site import Site
from mailout.core.spelling import composed
from mailout.roster.entry import harm
from mailout.roster.reading import shown
from mailout.roster.statuses import yes

_NUMBER = re.compile(r"[+-]?\d{1,15}(?:[.,]\d{1,9})?")
_THOUSANDS = re.compile(r"[+-]?\d{1,3},\d{3}")
_DAY = re.compile(r"(\d{4}-\d\d-\d\d)(?:[T ]\d\d:\d\d[\d:.]*(?:Z|[+-]\d\d:?\d\d)?)?")
_DOTTED = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4})")


def declared(site: Site) -> dict[str, Field]:
    """The fields of all lists, by name: two lists that declare one declare it alike."""
    return {
        name: field for one in site.lists.values() for name, field in one.vocabulary.fields.items()
    }


def value(cell: str, field: Field | None) -> object:
    """The value of a cell; None for a field that nobody declared. Raises: ValueError, saying why
    the cell cannot be one."""
    text = composed(cell.strip())
    match field.kind if field is not None else Kind.TEXT:
        case Kind.NUMBER:
            return _number(text)
        case Kind.DATE:
            return _day(text)
        case Kind.YES_NO:
            if (said := yes(text)) is None:
                raise ValueError("neither yes nor no")
            return said
        case Kind.CHOICE:
            return _choice(text, _folded(field))
        case Kind.CHOICES:
            return _choices(text, _folded(field))
        case _:
            if why := harm(text, "the field"):
                raise ValueError(why)
            return text


def _number(text: str) -> int | float:
    if not _NUMBER.fullmatch(text) or _THOUSANDS.fullmatch(text):
        raise ValueError("not a number such as 12 or 2.5")
    return float(text.replace(",", ".")) if re.search("[.,]", text) else int(text)


def _day(text: str) -> str:
    whole, dotted = _DAY.fullmatch(text), _DOTTED.fullmatch(text)
    try:
        if whole:
            return date.fromisoformat(whole[1]).isoformat()
        if dotted:
            return date(int(dotted[3]), int(dotted[2]), int(dotted[1])).isoformat()
    except ValueError:
        pass  # the 30th of February: said below
    raise ValueError("not a date such as 2026-01-31")


def _folded(field: Field | None) -> Mapping[str, str]:
    return {composed(choice).casefold(): choice for choice in (field.choices if field else ())}


def _choice(text: str, choices: Mapping[str, str]) -> str:
    if (found := choices.get(text.casefold())) is None:
        few = ", ".join(list(choices.values())[:10])
        raise ValueError(f"`{shown(text, 40)}` is not among the choices ({few})")
    return found


def _choices(text: str, choices: Mapping[str, str]) -> list[str]:
    parts = _parts(text, choices)
    chosen = {_choice(part.strip(), choices) for part in parts if part.strip()}
    return [choice for choice in choices.values() if choice in chosen]


def _parts(text: str, choices: Mapping[str, str]) -> list[str]:
    if text.startswith("["):
        try:
            listed = json.loads(text)
        except (ValueError, RecursionError):
            listed = None
        if isinstance(listed, list) and all(isinstance(one, str) for one in listed):
            return listed
    parts = []
    for part in text.split(";"):  # a choice may have a comma in it
        parts += [part] if part.strip().casefold() in choices else part.split(",")
    return parts
