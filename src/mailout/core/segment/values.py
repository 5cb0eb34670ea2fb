"""The values of a rule: what a field may be compared with, in the spelling that is stored."""

from __future__ import annotations

import calendar
import re
from datetime import date, timedelta

from mailout.core import country, language
from mailout.core.address import stored_domain
from mailout.core.errors import nearest
from mailout.core.segment.fields import Field, Kind
from mailout.core.spelling import composed

UNITS = ("day", "week", "month", "year")
TODAY = "today"
YES, NO = "yes", "no"

_AGO = re.compile(r"(\d{1,4}) (day|week|month|year)s? ago")
_NUMBER = re.compile(r"-?\d{1,15}(?:\.\d{1,9})?")


class BadValue(Exception):
    """A value that its field cannot hold: `args` are what is wrong and what to do."""


def stored(field: Field, typed: str, lists: tuple[str, ...] = ()) -> str:
    """What was typed as it is stored. Raises: BadValue."""
    typed = composed(typed)
    match field.kind:
        case Kind.TAGS:
            return _tag(typed)
        case Kind.DOMAIN:
            return _domain(typed.strip())
        case Kind.LANGUAGE:
            return _language(typed)
        case Kind.COUNTRY:
            return _country(typed)
        case Kind.LISTS:
            if lists and typed not in lists:
                raise BadValue(f"there is no list `{typed}`", nearest(typed, lists))
            return typed
        case Kind.JOINED | Kind.DATE:
            return _day(typed)
        case Kind.NUMBER:
            if not is_number(typed):
                raise BadValue(f"`{typed}` is not a number", "Write it as 12 or 2.5.")
            return typed
        case Kind.YES_NO:
            if typed.lower() not in (YES, NO):
                raise BadValue(f"`{typed}` is neither yes nor no", "")
            return typed.lower()
        case Kind.CHOICE | Kind.CHOICES:
            return _choice(field, typed)
        case _:
            return typed


def is_number(typed: str) -> bool:
    return bool(_NUMBER.fullmatch(typed))


def _language(typed: str) -> str:
    meant = language.mistaken_for(typed)
    code = language.normal(typed)
    if meant:
        raise BadValue(f"`{code}` is a country, not a language", f"Write `{meant}`.")
    if not language.is_code(code):
        raise BadValue(f"`{code}` is not a language code", "Write one such as ru.")
    return code


def _tag(typed: str) -> str:
    tag = typed.strip().lower()  # as each is kept: with a blank at an end it would be nobody's
    if not tag:
        raise BadValue("a tag has a name", "Write `tag is empty` for those who have none.")
    if "," in tag or ";" in tag:
        raise BadValue("no tag has a comma or a semicolon in it", "Write `tag in (one, other)`.")
    return tag


def _domain(typed: str) -> str:
    if "@" in typed:
        raise BadValue(f"`{typed}` is not a domain", "Write what stands after the @ alone.")
    return stored_domain(typed)


def _country(typed: str) -> str:
    code = typed.upper()
    if meant := country.MISTAKEN.get(code):
        raise BadValue(f"`{code}` is no country's code", f"Write `{meant}`.")
    if code not in country.CODES:
        raise BadValue(f"`{typed}` is not a country code", "Write two letters such as DE.")
    return code


def _choice(field: Field, typed: str) -> str:
    for choice in field.choices:
        if composed(choice).casefold() == typed.casefold():
            return choice
    raise BadValue(f"`{typed}` is not among the choices", nearest(typed, field.choices))


def _day(typed: str) -> str:
    if typed.lower() == TODAY:
        return TODAY
    if _AGO.fullmatch(typed):
        return typed
    try:
        return date.fromisoformat(typed).isoformat()
    except ValueError:
        raise BadValue(
            f"`{typed}` is not a date", "Write it as YYYY-MM-DD, or as `30 days ago`."
        ) from None


def day(value: str, today: date) -> date:
    """The day that a stored value means when it is `today`; the first there is, if before that."""
    if value == TODAY:
        return today
    found = _AGO.fullmatch(value)
    if not found:
        return date.fromisoformat(value)
    number, unit = int(found[1]), found[2]
    if unit in ("day", "week"):
        back = timedelta(days=number * (7 if unit == "week" else 1))
        return today - back if (today - date.min) > back else date.min
    months = today.year * 12 + today.month - 1 - number * (12 if unit == "year" else 1)
    if months < 12:
        return date.min
    year, month = divmod(months, 12)
    # A month ago on the 31st is the last day of a shorter month.
    return date(year, month + 1, min(today.day, calendar.monthrange(year, month + 1)[1]))


def is_relative(value: str) -> bool:
    """Whether a day's value means another day tomorrow."""
    return value == TODAY or bool(_AGO.fullmatch(value))
