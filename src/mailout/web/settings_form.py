"""The form of the settings: what it shows, and what is read from it.

Fields of a list are called `LIST.on`, `LIST.edition`, `LIST.frequency` and `LIST.segment`; a
list whose `LIST.shown` is missing was not on the page and is left as it is. It says `on` where the
reader was on the list then: who has left by a mail since is not put back by a tick they never made.

A choice gives a tag, and a tag is the person's, not a list's: one that several segments give
is shown once, below the lists, with the names of those it counts for. It is sent as the first
of them; whichever is ticked, all of them are chosen.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, time
from typing import Any
from zoneinfo import ZoneInfo

from starlette.requests import Request

from mailout import catalogue
from mailout.core import edition
from mailout.core.frequency import Frequency
from mailout.core.mailing_list import MailingList
from mailout.core.message import BadHeader, safe
from mailout.core.site import Site
from mailout.core.subscriber import Subscriber
from mailout.preferences import settings
from mailout.preferences.joining import wording_of
from mailout.preferences.settings import OnList, Settings
from mailout.web import forms
from mailout.web.forms import Fields
from mailout.web.house import House

LONGEST_NAME = 100


@dataclass(frozen=True, slots=True)
class Filled:
    """The form as it is filled in, right or wrong: `until` is what was typed."""

    name: str
    language: str
    lists: Mapping[str, OnList]
    paused: bool
    until: str


class BadSettings(ValueError):
    """What cannot be saved: `fields` are the form's names for it."""

    def __init__(self, fields: Sequence[str]) -> None:
        super().__init__(*fields)
        self.fields = tuple(fields)


def as_saved(site: Site, person: Subscriber) -> Filled:
    """The form as it is filled in for a person who has just come."""
    held = settings.read(site, person)
    zone = ZoneInfo(site.identity.timezone)
    until = held.paused_until.astimezone(zone).date().isoformat() if held.paused_until else ""
    return Filled(held.name, held.language, held.lists, held.paused, until)


def read_form(site: Site, person: Subscriber, fields: Fields) -> Filled:
    """The form as the person has sent it; choices that are none count as not made."""
    before = settings.read(site, person)
    shown = [site.lists[one] for one in before.lists if forms.first(fields, f"{one}.shown")]
    ticked = {
        one.choices[name].tag
        for one in shown
        for name in fields.get(f"{one.id}.segment", ())
        if name in one.choices
    }
    asked, until = forms.first(fields, "language"), forms.first(fields, "until").strip()
    return Filled(
        name=forms.first(fields, "name").strip(),
        language=asked if asked in _languages(site) else before.language,
        lists={one.id: _on_list(one, fields, ticked, before.lists[one.id]) for one in shown},
        # Whoever names a day wants a break, ticked or not; who has one ends it by the tick alone.
        paused=bool(forms.first(fields, "paused")) or bool(until and not before.paused),
        until=until,
    )


def wanted(site: Site, filled: Filled, now: datetime, shown_in: str) -> Settings:
    """The settings that a form in the language `shown_in` asks for. Raises: BadSettings naming
    every field that is wrong."""
    wrong, until = [], None
    if not _is_name(filled.name):
        wrong.append("name")
    if filled.paused:
        try:
            until = _until(site, filled.until, now)
        except ValueError:
            wrong.append("until")
    if wrong:
        raise BadSettings(wrong)
    return Settings(filled.name, filled.language, filled.lists, filled.paused, until, shown_in)


def _is_name(typed: str) -> bool:
    try:
        safe(typed, "the name")
    except BadHeader:
        return False
    return len(typed) <= LONGEST_NAME


def _languages(site: Site) -> list[str]:
    """The languages that any of the site's lists is written in, each once."""
    return list(
        dict.fromkeys(code for one in site.lists.values() for code in one.settings.languages)
    )


def _on_list(one: MailingList, fields: Fields, ticked: set[str], before: OnList) -> OnList:
    def value(name: str) -> str:
        return forms.first(fields, f"{one.id}.{name}")

    has_left_since = value("shown") == "on" and not before.on
    return OnList(
        one.id,
        on=bool(value("on")) and not has_left_since,
        edition=value("edition") if value("edition") in edition.CHOICES else "",
        frequency=value("frequency") if value("frequency") in list(Frequency) else "",
        chosen=frozenset(name for name, choice in one.choices.items() if choice.tag in ticked),
    )


def _until(site: Site, typed: str, now: datetime) -> datetime | None:
    """The beginning of that day where the site is; None for no day. Raises: ValueError for what
    is no day, or has begun."""
    if not typed:
        return None
    try:
        day = date.fromisoformat(typed)
        ends = datetime.combine(day, time(), ZoneInfo(site.identity.timezone))
        if ends > now:
            return ends
    except OverflowError:
        pass
    raise ValueError("no day to come")


def context(
    house: House, request: Request, person: Subscriber, filled: Filled, code: str
) -> dict[str, Any]:
    """What the template of the settings shows."""
    site, pages = house.site, house.pages
    chosen = pages.chosen_language(request)
    # A reader's own language stays in the choice, even where no list is written in it.
    codes = list(
        dict.fromkeys([*_languages(site), *([person.language] if person.language else [])])
    )
    lists = settings.offered(site, person)
    # A list that was not on the page is shown as it is.
    kept = settings.read(site, person).lists
    on = {**kept, **filled.lists}
    shared = _shared(lists)
    return {
        "urls": {
            name: pages.path("s", name, language=chosen)
            for name in ("save", "address", "data", "erase")
        },
        "person_name": filled.name,
        "reading": [
            {
                "code": one,
                "label": catalogue.language_name(one),
                "chosen": one == (filled.language or code),
            }
            for one in codes
        ],
        "lists": [
            {
                **house.described(one.id, code),
                "on": on[one.id].on,
                "shown": "on" if kept[one.id].on else "off",
                # The evidence of who joins here holds these words, so they have to be read here.
                "wording": "" if kept[one.id].on else wording_of(one, code),
                "edition": on[one.id].edition,
                "frequency": on[one.id].frequency,
                "choices": [
                    _choice(house, [(one, name)], on, code)
                    for name, choice in one.choices.items()
                    if choice.tag not in shared
                ],
            }
            for one in lists
        ],
        "shared": [_choice(house, places, on, code) for places in shared.values()],
        "paused": filled.paused,
        "until": filled.until,
        "new_address": "",
        "saved": False,
        "asked_new": False,
        "errors": [],
    }


def _shared(lists: Iterable[MailingList]) -> dict[str, list[tuple[MailingList, str]]]:
    """The tags that more than one choice gives, and these."""
    places: dict[str, list[tuple[MailingList, str]]] = {}
    for one in lists:
        for name, choice in one.choices.items():
            places.setdefault(choice.tag, []).append((one, name))
    return {tag: some for tag, some in places.items() if len(some) > 1}


def _choice(
    house: House, places: Sequence[tuple[MailingList, str]], on: Mapping[str, OnList], code: str
) -> dict[str, object]:
    """One box: what the first of the places is called in the form, the words of all of them."""
    first, name = places[0]
    labels = dict.fromkeys(house.label(one, segment, code) for one, segment in places)
    return {
        "field": f"{first.id}.segment",
        "name": name,
        "label": " / ".join(labels),
        "lists": list(dict.fromkeys(one.settings.name for one, _ in places)),
        "chosen": any(segment in on[one.id].chosen for one, segment in places),
    }
