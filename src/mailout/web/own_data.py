"""A reader's copy of their data as the page says it: names where the file has codes.

Languages, countries, lists, fields of a list's own and days are told in the page's language. The
file (`/s/export`) stays as `preferences.rights` makes it: for programs.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from mailout import catalogue
from mailout.core.signatory import Signatory
from mailout.web.house import House

_MOST_OF_NOTES = 6000
"""Characters of notes that stand on the page, which is to stay small; the file has them all."""


def in_words(house: House, found: Mapping[str, Any], code: str) -> dict[str, Any]:
    """What the template `data` shows of a copy, in the language `code`."""
    person = found["person"]
    notes, whole = _notes(house, found["notes"], code)
    return {
        **found,
        "person": {
            **person,
            "language": catalogue.language_name(person["language"]),
            "country": catalogue.country_name(person["country"], code),
            "fields": {
                _field(house, name, code): _value(value)
                for name, value in sorted(person["fields"].items())
                if name != "signatory"
            },
            "signatory": _signatory(person["fields"].get("signatory")),
            "known_since": _day(house, person["known_since"], code),
            "came_back": _day(house, person["paused_for_bounces_since"], code),
        },
        "lists": [
            {
                **_named(house, one),
                "joined": _day(house, one["joined"], code),
                "paused_until": _day(house, one["paused_until"], code),
            }
            for one in found["lists"]
        ],
        "consents": [
            {**_named(house, one), "at": _day(house, one["at"], code)} for one in found["consents"]
        ],
        "suppressions": [
            {**_named(house, one), "at": _day(house, one["at"], code)}
            for one in found["suppressions"]
        ],
        "notes": notes,
        "notes_are_whole": whole,
        "mails": [
            {**_named(house, one), "at": _day(house, one["at"], code)} for one in found["mails"]
        ],
    }


def _named(house: House, one: Mapping[str, Any]) -> dict[str, Any]:
    """The same with the list's name; without one where it is about all lists."""
    return {**one, "list": house.described(one["list"], "")["name"] if one["list"] else ""}


def _notes(
    house: House, notes: Sequence[Mapping[str, Any]], code: str
) -> tuple[list[dict[str, Any]], bool]:
    """The newest notes, those first, and whether they are all."""
    shown: list[dict[str, Any]] = []
    room = _MOST_OF_NOTES
    for one in reversed(notes):
        room -= len(one["text"])
        if room < 0:
            return shown, False
        shown.append({**one, "at": _day(house, one["at"], code)})
    return shown, True


def _signatory(value: object) -> str:
    """How somebody is named in public; empty if they are not."""
    one = Signatory.of_field(value, "")
    return ", ".join(filter(None, (one.name, one.role, one.organisation))) if one else ""


def _field(house: House, name: str, code: str) -> str:
    """What a field is called by the first list that has words for it."""
    for one in house.site.lists.values():
        own = one.settings.fields.get(name)
        if own and (label := own.label.get(code) or own.label.get(one.default_language)):
            return label
    return name


def _value(value: object) -> object:
    return ", ".join(map(str, value)) if isinstance(value, list) else value


def _day(house: House, moment: str | None, code: str) -> str:
    """The day where the site is; empty for None."""
    if moment is None:
        return ""
    zone = ZoneInfo(house.site.identity.timezone)
    return catalogue.long_date(datetime.fromisoformat(moment).astimezone(zone).date(), code)
