"""Events as files that a calendar program takes: one event, one `.ics`.

Moments are written in UTC, so that no rules of time zones have to come along: a calendar shows
them in its owner's own time, and old rules on old telephones do no harm. An event of whole days
has days and no moments.

Standards: RFC 5545 (iCalendar): 3.1 folded lines, 3.3.11 escaped text, 3.8.2.2 an end in days is
the day after the last.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta

# What no calendar text may hold (RFC 5545 3.1), and half a character.
_FORBIDDEN = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What a post announces.

    `start` and `end` are both moments with their zone, or both days; `end` is the last day then.
    `uid` is the same for all files of the event, and for no other event: a calendar that has it
    already replaces it.
    """

    title: str
    start: datetime | date
    uid: str
    end: datetime | date | None = None
    place: str = ""
    url: str = ""
    description: str = ""


def to_ics(event: Event, stamp: datetime, language: str) -> bytes:
    """The event's file, in `language`; `stamp` is when this was said about it."""
    import icalendar  # slow to import, and few posts announce anything

    calendar = icalendar.Calendar()
    # RFC 5545 3.7.3 asks who wrote this. It shall not tell which software: the event's host does.
    host = event.uid.rpartition("@")[2]
    calendar.add("prodid", f"-//{_plain(host)}//Newsletter//{language.upper()}")
    calendar.add("version", "2.0")
    entry = icalendar.Event()
    entry.add("uid", _plain(event.uid))
    entry.add("dtstamp", stamp.astimezone(UTC))
    entry.add("dtstart", _moment(event.start))
    if event.end is not None:
        entry.add("dtend", _end(event.end))
    for name, text in (
        ("summary", event.title),
        ("location", event.place),
        ("description", event.description),
    ):
        if text:
            entry.add(name, _plain(text), parameters={"language": language})
    if event.url:
        entry.add("url", _plain(event.url))
    calendar.add_component(entry)
    return bytes(calendar.to_ical())


def _moment(at: datetime | date) -> datetime | date:
    return at.astimezone(UTC) if isinstance(at, datetime) else at


def _end(at: datetime | date) -> datetime | date:
    return _moment(at) if isinstance(at, datetime) else at + timedelta(days=1)


def _plain(text: str) -> str:
    """The text with one kind of line end, and without what a calendar may not hold."""
    return _FORBIDDEN.sub("", text.replace("\r\n", "\n").replace("\r", "\n"))
