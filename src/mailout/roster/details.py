"""What an organiser types about a person, checked: languages, countries, fields of a list's own."""

from __future__ import annotations

from datetime import date

from mailout.catalogue import is_country
from mailout.catalogue.named import country_called, language_called
from mailout.core import language
from mailout.core.errors import UsageError, nearest
from mailout.core.segment import Field, Kind
from mailout.core.segment.values import NO, YES, BadValue, stored
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.roster import entry, reading

_LONGEST = 1000  # characters of a text


def language_of(typed: str) -> str:
    """The code that was typed or named, as stored; empty if none was. Raises: UsageError."""
    code = language.normal(typed)
    if meant := language.mistaken_for(code):
        raise UsageError(f"`{code}` is a country, not a language", fix=f"Write `{meant}`.")
    if len(code) == 3 or not language.is_code(code):
        code = language_called(typed) or code
    if code and not language.is_code(code):
        raise UsageError(f"`{reading.shown(code)}` is no language", fix="Write its code: ru or en.")
    return code


def country_of(typed: str) -> str:
    """The code that was typed or named, as stored; empty if none was. Raises: UsageError."""
    code = typed.strip().upper()
    if not code or is_country(code):
        return code
    if known := country_called(typed):
        return known
    raise UsageError(
        f"`{reading.shown(typed)}` is no country",
        fix="The United Kingdom is GB." if code == "UK" else "Write its code, such as DE.",
    )


def field_named(site: Site, person: Subscriber, name: str) -> Field:
    """The field that a list declares: one of the person's lists, or else any of the site.

    Raises: UsageError naming the nearest one.
    """
    theirs = [one.list_id for one in person.memberships if one.list_id in site.lists]
    for list_id in [*theirs, *site.lists]:
        if field := site.lists[list_id].vocabulary.fields.get(name):
            return field
    known = {one for each in site.lists.values() for one in each.settings.fields}
    raise UsageError(
        f"no list declares a field `{reading.shown(name)}`",
        where="--set",
        fix=nearest(name, known) or "Declare it in lists/NAME.toml: `[fields.NAME]`.",
    )


def value_of(field: Field, name: str, typed: str) -> object:
    """What was typed for a field, as it is stored; None if it is empty. Raises: UsageError."""
    text = typed.strip()
    if not text:
        return None
    where = f"--set {name}"
    if len(text) > _LONGEST:
        raise UsageError(f"the value is longer than {_LONGEST} characters", where=where)
    if why := entry.harm(text, "the value"):
        raise UsageError(why, where=where)
    try:
        return _value(field, text)
    except BadValue as error:
        what, fix = error.args
        raise UsageError(what, where=where, fix=fix) from None


def _value(field: Field, text: str) -> object:
    match field.kind:
        case Kind.NUMBER:
            number = stored(field, text)
            return float(number) if "." in number else int(number)
        case Kind.DATE:
            return _day(text)
        case Kind.YES_NO:
            return {YES: True, NO: False}[stored(field, text)]
        case Kind.CHOICES:
            given = {stored(field, part.strip()) for part in text.split(";") if part.strip()}
            return [choice for choice in field.choices if choice in given]
        case _:
            return stored(field, text)


def _day(text: str) -> str:
    try:
        return date.fromisoformat(text).isoformat()
    except ValueError:
        raise BadValue(f"`{text}` is not a date", "Write it as YYYY-MM-DD.") from None
