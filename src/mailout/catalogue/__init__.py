"""The words that readers see, per language: gettext catalogues, dates and greetings.

The catalogues are the `.po` files themselves, read at run time: a translator's change needs
no build step. A word that a language lacks stands in English, never empty.

Standards: GNU gettext `Plural-Forms`, CLDR (through babel).
"""

from __future__ import annotations

import io
from datetime import date, datetime
from functools import cache
from gettext import GNUTranslations, NullTranslations
from importlib.resources import files

from babel import Locale, UnknownLocaleError
from babel.dates import format_date, get_timezone_gmt
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from mailout.core import country
from mailout.core.language import normal

_FOLDER = files("mailout") / "locales"
_INSIDE = ("LC_MESSAGES", "mailout.po")


@cache
def languages() -> tuple[str, ...]:
    """The codes of the languages that have a catalogue, in alphabetical order."""
    return tuple(
        sorted(
            entry.name
            for entry in _FOLDER.iterdir()
            if entry.is_dir() and entry.joinpath(*_INSIDE).is_file()
        )
    )


def words(language: str) -> NullTranslations:
    """The catalogue of a language, or of the language it is a variant of (`pt-br`: `pt`).

    An unknown language gives the message ids themselves, which are English.
    """
    code = normal(language)
    for known in (code, code.split("-")[0]):
        if known in languages():
            return _read(known)
    return NullTranslations()


@cache
def _read(code: str) -> NullTranslations:
    source = _FOLDER.joinpath(code, *_INSIDE).read_bytes()
    compiled = io.BytesIO()
    write_mo(compiled, read_po(io.BytesIO(source), locale=code))
    compiled.seek(0)
    return GNUTranslations(compiled)


def language_name(code: str) -> str:
    """The language's name in itself (`Қазақ тілі`); the code where nobody knows it."""
    locale = _locale(code)
    name = locale.get_display_name() if locale else None
    return name[:1].upper() + name[1:] if name else code


def is_country(code: str) -> bool:
    """Whether there is a country of that code (ISO 3166-1, as CLDR has it)."""
    return code in country.CODES


def country_name(code: str, language: str) -> str:
    """The country's name in a language; the code where nobody knows it."""
    locale = _locale(language) or Locale("en")
    return str(locale.territories.get(code, code))


def long_date(day: date, language: str) -> str:
    """The day as one writes it in a letter: `24 November 2026` or what the language does."""
    # `en` alone is American to CLDR; readers all over the world read the day first.
    locale = _locale("en-001" if normal(language) == "en" else language) or Locale("en", "001")
    return format_date(day, "long", locale)


def told_day(text: str, language: str) -> str:
    """The day that a text tells as `2026-11-24`, as `long_date` has it; empty for other words."""
    try:
        return long_date(date.fromisoformat(text), language)
    except ValueError:
        return ""


def long_moment(moment: datetime, language: str) -> str:
    """Day, hour and zone of an aware moment: `Saturday, 5 December 2026, 18:00 (GMT+01:00)`."""
    locale = _locale("en-001" if normal(language) == "en" else language) or Locale("en", "001")
    day = format_date(moment.date(), "full", locale)
    comma = "، " if normal(language).startswith("ar") else ", "
    return f"{day}{comma}{moment:%H:%M} ({get_timezone_gmt(moment, 'long', locale)})"


def long_end(end: datetime | None, start: datetime, language: str) -> str:
    """When what begins at `start` ends: on the same day the hour (`20:30`); empty for None."""
    if end is None:
        return ""
    return f"{end:%H:%M}" if end.date() == start.date() else long_moment(end, language)


def greeting(name: str, language: str) -> str:
    """The first line of a letter to `name`, or to somebody whose name is not known (empty)."""
    named, nameless = _greetings(language)
    name = name.strip()
    return named % {"name": name} if name else nameless


@cache
def _greetings(language: str) -> tuple[str, str]:
    catalogue = words(language)
    return catalogue.gettext("Dear %(name)s,"), catalogue.gettext("Dear friends,")


@cache
def _locale(code: str) -> Locale | None:
    parts = normal(code).split("-")
    for tried in ("-".join(parts), parts[0]):
        try:
            return Locale.parse(tried, sep="-")
        except (UnknownLocaleError, ValueError):
            continue
    return None
