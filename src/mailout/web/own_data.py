"""A reader's copy of their data as the page says it: names where the file has codes.

Languages, countries, lists, fields of a list's own and days are told in the page's language. The
file (`/s/export`) stays as `preferences.rights` makes it: for programs.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from mailout import catalogue
from mailout.web.house import House


def in_words(house: House, found: Mapping[str, Any], code: str) -> dict[str, Any]:
    """What the template `data` shows of a copy, in the language `code`."""
    person = found["person"]
    return {
        **found,
        "person": {
            **person,
            "language": catalogue.language_name(person["language"]),
            "country": catalogue.country_name(person["country"], code),
            "fields": {
                _field(house, name, code): _value(value)
                for name, value in sorted(person["fields"].items())
            },
            "known_since": _day(house, person["known_since"], code),
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
        "mails": [
            {**_named(house, one), "at": _day(house, one["at"], code)} for one in found["mails"]
        ],
    }


def _named(house: House, one: Mapping[str, Any]) -> dict[str, Any]:
    return {**one, "list": house.described(one["list"])["name"]}


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
