"""The form of the settings: what it shows, and what is read from it.

Fields of a list are called `LIST.on`, `LIST.edition`, `LIST.frequency` and `LIST.segment`; a
list whose `LIST.shown` is missing was not on the page and is left as it is.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from mailout import catalogue
from mailout.core import edition
from mailout.core.frequency import Frequency
from mailout.core.message import BadHeader, safe
from mailout.core.site import MailingList, Site
from mailout.core.subscriber import Subscriber
from mailout.preferences import settings
from mailout.preferences.settings import OnList, Settings
from mailout.web import forms
from mailout.web.forms import Fields
from mailout.web.house import House

LONGEST_NAME = 100


class BadSettings(ValueError):
    """What cannot be saved: `field` is the form's name for it."""

    def __init__(self, field: str) -> None:
        super().__init__(field)
        self.field = field


def read_form(house: House, person: Subscriber, fields: Fields, now: datetime) -> Settings:
    """The settings that a form asks for. Raises: BadSettings naming the field."""
    site, before = house.site, settings.read(house.site, person)
    lists = {
        list_id: _on_list(site.lists[list_id], fields)
        for list_id in before.lists
        if forms.first(fields, f"{list_id}.shown")
    }
    paused = bool(forms.first(fields, "paused"))
    return Settings(
        name=_name(forms.first(fields, "name").strip()),
        language=_language(site, forms.first(fields, "language"), before.language),
        lists=lists,
        paused=paused,
        paused_until=_until(site, forms.first(fields, "until").strip(), now) if paused else None,
    )


def _name(typed: str) -> str:
    try:
        if len(typed) > LONGEST_NAME:
            raise BadSettings("name")
        return safe(typed, "the name")
    except BadHeader:
        raise BadSettings("name") from None


def _language(site: Site, chosen: str, before: str) -> str:
    return chosen if chosen in _languages(site) else before


def _languages(site: Site) -> list[str]:
    """The languages that any of the site's lists is written in, each once."""
    return list(
        dict.fromkeys(code for one in site.lists.values() for code in one.settings.languages)
    )


def _on_list(one: MailingList, fields: Fields) -> OnList:
    def value(name: str) -> str:
        return forms.first(fields, f"{one.id}.{name}")

    return OnList(
        one.id,
        on=bool(value("on")),
        edition=value("edition") if value("edition") in edition.CHOICES else "",
        frequency=value("frequency") if value("frequency") in list(Frequency) else "",
        chosen=frozenset(fields.get(f"{one.id}.segment", ())) & one.choices.keys(),
    )


def _until(site: Site, typed: str, now: datetime) -> datetime | None:
    """The beginning of that day where the site is; None for no day. Raises: BadSettings for what
    is no day, or has begun."""
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
        ends = datetime.combine(day, time(), ZoneInfo(site.identity.timezone))
    except (ValueError, OverflowError):
        raise BadSettings("until") from None
    if ends <= now:
        raise BadSettings("until")
    return ends


def context(house: House, request: Request, person: Subscriber, code: str) -> dict[str, Any]:
    """What the template of the settings shows."""
    site, pages = house.site, house.pages
    held = settings.read(site, person)
    zone = ZoneInfo(site.identity.timezone)
    until = held.paused_until.astimezone(zone).date().isoformat() if held.paused_until else ""
    chosen = pages.chosen_language(request)
    # A reader's own language stays in the choice, even where no list is written in it.
    codes = list(dict.fromkeys([*_languages(site), *([held.language] if held.language else [])]))
    return {
        "urls": {
            name: pages.path("s", name, language=chosen)
            for name in ("save", "address", "data", "erase")
        },
        "person_name": held.name,
        "reading": [
            {
                "code": one,
                "label": catalogue.language_name(one),
                "chosen": one == (held.language or code),
            }
            for one in codes
        ],
        "lists": [_shown(house, site.lists[list_id], held, code) for list_id in held.lists],
        "paused": held.paused,
        "until": until,
        "saved": False,
        "asked_new": False,
        "error": "",
    }


def _shown(house: House, one: MailingList, held: Settings, code: str) -> Mapping[str, object]:
    mine = held.lists[one.id]
    return {
        **house.described(one.id),
        "on": mine.on,
        "edition": mine.edition,
        "frequency": mine.frequency,
        "choices": [
            {
                "name": name,
                "label": house.label(one, name, code),
                "chosen": name in mine.chosen,
            }
            for name in one.choices
        ],
    }
