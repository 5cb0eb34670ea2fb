"""Events as calendar files: a calendar reads back what was said, whatever was said."""

from __future__ import annotations

import re
from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import icalendar
import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.calendar import Event, to_ics

STAMP = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
ZONES = st.sampled_from(["UTC", "Europe/Berlin", "Asia/Almaty", "America/St_Johns"]).map(ZoneInfo)
SECONDS = st.integers(min_value=0, max_value=4_000_000_000)  # to the year 2096
MOMENTS = st.builds(datetime.fromtimestamp, SECONDS, ZONES)
DAYS = st.dates(min_value=date(1990, 1, 1), max_value=date(2100, 1, 1))


def meeting(**values: object) -> Event:
    given_ = {
        "title": "Meeting at the gate",
        "start": datetime(2026, 12, 1, 18, tzinfo=ZoneInfo("Europe/Berlin")),
        "uid": "gate@news.example.org",
        **values,
    }
    return Event(**given_)  # type: ignore[arg-type]


def read(event: Event, language: str = "en") -> icalendar.Event:
    """The event as a calendar program finds it in the file."""
    calendar = icalendar.Calendar.from_ical(to_ics(event, STAMP, language))
    assert str(calendar["version"]) == "2.0"
    (found,) = calendar.walk("VEVENT")
    return found


def kept(text: str) -> str:
    """What a calendar file can hold of a text."""
    return re.sub("[\x00-\x08\x0b-\x1f\x7f]", "", text.replace("\r\n", "\n").replace("\r", "\n"))


def test_a_meeting() -> None:
    raw = to_ics(
        meeting(
            end=datetime(2026, 12, 1, 20, tzinfo=ZoneInfo("Europe/Berlin")),
            place="Gate Three; Harbour Road 1, Temirsor",
            url="https://news.example.org/archive/en/posts/gate.html",
            description="Bring\nwarm clothes.",
        ),
        STAMP,
        "en",
    )
    assert raw.decode().split("\r\n") == [
        "BEGIN:VCALENDAR",
        "VERSION:2.0",
        "PRODID:-//news.example.org//Newsletter//EN",
        "BEGIN:VEVENT",
        "SUMMARY;LANGUAGE=en:Meeting at the gate",
        "DTSTART:20261201T170000Z",
        "DTEND:20261201T190000Z",
        "DTSTAMP:20261120T093000Z",
        "UID:gate@news.example.org",
        "DESCRIPTION;LANGUAGE=en:Bring\\nwarm clothes.",
        "LOCATION;LANGUAGE=en:Gate Three\\; Harbour Road 1\\, Temirsor",
        "URL:https://news.example.org/archive/en/posts/gate.html",
        "END:VEVENT",
        "END:VCALENDAR",
        "",
    ]


def test_whole_days_end_with_the_last_one() -> None:
    found = read(meeting(start=date(2026, 12, 30), end=date(2026, 12, 31)))
    assert found.start == date(2026, 12, 30)
    assert found["dtend"].dt == date(2027, 1, 1)  # RFC 5545 3.8.2.2: the first day without it


def test_what_is_not_said_is_not_there() -> None:
    found = read(meeting())
    assert not {"dtend", "location", "description", "url"} & {key.lower() for key in found}


def test_the_software_is_not_named() -> None:
    assert b"mailout" not in to_ics(meeting(), STAMP, "en").lower()
    assert b"icalendar" not in to_ics(meeting(), STAMP, "en").lower()


@given(MOMENTS, st.timedeltas(min_value=timedelta(0), max_value=timedelta(days=30)))
def test_moments_are_the_same_in_every_zone(start: datetime, long: timedelta) -> None:
    end = start.astimezone(UTC) + timedelta(seconds=int(long.total_seconds()))
    found = read(meeting(start=start, end=end))
    assert found["dtstart"].dt == start.astimezone(UTC)
    assert found["dtend"].dt == end


@given(DAYS, st.integers(min_value=0, max_value=30))
def test_days_are_days(start: date, more: int) -> None:
    found = read(meeting(start=start, end=start + timedelta(days=more)))
    assert type(found["dtstart"].dt) is date
    assert found["dtend"].dt - found["dtstart"].dt == timedelta(days=more + 1)


@given(*[st.text(max_size=300)] * 3)
def test_every_text_comes_back(title: str, place: str, description: str) -> None:
    found = read(meeting(title=title, place=place, description=description), "kk")
    for name, text in (("summary", title), ("location", place), ("description", description)):
        assert str(found.get(name, "")) == kept(text)


@given(st.text(max_size=300))
def test_lines_end_and_fold_as_they_must(text: str) -> None:
    raw = to_ics(meeting(title=text, description=text * 3), STAMP, "ar")
    raw.decode("utf-8")
    assert raw.endswith(b"\r\n")
    assert not re.search(rb"(?<!\r)\n|\r(?!\n)", raw)
    for line in raw.split(b"\r\n"):
        assert len(line) <= 75  # RFC 5545 3.1, in octets
        line.decode("utf-8")  # no letter is cut in two


@pytest.mark.parametrize(
    "text",
    ["a\r\nEND:VEVENT\r\nBEGIN:VEVENT", "x\rATTACH:https://example.net/", "\u2028LOCATION:x"],
)
def test_no_text_becomes_a_line_of_its_own(text: str) -> None:
    found = read(meeting(title=text, place=text, uid=f"{text}@news.example.org"))
    assert {key.upper() for key in found} == {"SUMMARY", "LOCATION", "DTSTART", "DTSTAMP", "UID"}


def test_the_same_event_makes_the_same_bytes() -> None:
    assert to_ics(meeting(), STAMP, "en") == to_ics(meeting(), STAMP, "en")
