"""Meetings and embargoes in a post's front matter."""

from __future__ import annotations

from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import meeting, post
from mailout.core.errors import BadFile, MailoutError
from mailout.core.meeting import Meeting


def at(*path: str | int) -> str:
    return ":".join(map(str, ("x", *path)))


HEAD = "---\ntitle: We meet\nkind: event\nevent:\n  start: {start}\n  place: Market square\n---\n"


@pytest.mark.parametrize("start", ["2026-12-05 18:00", "2026-12-05 18:00:00", "'2026-12-05T18:00'"])
def test_a_meeting(start: str) -> None:
    found = post.parse(HEAD.format(start=start), "posts/x.en.md", "en").event
    assert found == Meeting(
        datetime.fromisoformat("2026-12-05 18:00"),
        None,
        "Market square",
        "",
        "posts/x.en.md:5",
        "posts/x.en.md:4",
    )


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("tomorrow", "posts/x.en.md:5: `start: tomorrow` is not a day and time"),
        ("2026-12-05", "is not a day and time. Write 2026-12-05 18:00"),
        (
            "2026-12-05 18:00+01:00",
            "5: `start` is a time of the clocks there, without a zone. `timez",
        ),
        (
            "2026-12-05 18:00\n  end: 2026-12-05 17:00",
            "x.en.md:6: an event must end after its start",
        ),
        ("2026-12-05 18:00\n  end: 9:30", "x.en.md:6: an event must end after its start"),
        ("2026-12-05 18:00\n  end: 25:30", "x.en.md:6: `end: 25:30` is not a day and time"),
        ("2026-12-05 18:00\n  end: late", "x.en.md:6: `end: late` is not a day and time"),
        (
            "2026-12-05 18:00\n  plaec: x",
            "6: unknown key `plaec` in an event. Did you mean `place`?",
        ),
    ],
)
def test_what_is_no_meeting(value: str, says: str) -> None:
    with pytest.raises(BadFile) as caught:
        post.parse(HEAD.format(start=value), "posts/x.en.md", "en")
    assert says in str(caught.value)


@pytest.mark.parametrize("end", ["20:30", "'20:30'", "2026-12-05 20:30"])
def test_an_end_on_the_same_day_may_be_an_hour(end: str) -> None:
    head = HEAD.format(start=f"2026-12-05 18:00\n  end: {end}")
    found = post.parse(head, "posts/x.en.md", "en").event
    assert found and found.end == datetime.fromisoformat("2026-12-05 20:30")


def test_an_event_needs_a_start() -> None:
    with pytest.raises(BadFile, match="needs a `start`"):
        meeting.parse({"place": "x"}, at)
    with pytest.raises(BadFile, match="keys of its own"):
        meeting.parse("tomorrow", at)


def test_an_embargo() -> None:
    text = "---\ntitle: x\nembargo: 2026-12-01 09:30\n---\n"
    assert post.parse(text, "x.en.md", "en").embargo == datetime.fromisoformat("2026-12-01 09:30")
    with pytest.raises(BadFile, match=r"x\.en\.md:3: `embargo: soon` is not a day and time"):
        post.parse(text.replace("2026-12-01 09:30", "soon"), "x.en.md", "en")


@given(st.recursive(st.none() | st.text() | st.integers() | st.datetimes() | st.booleans(),
                    lambda inner: st.dictionaries(st.text(), inner) | st.lists(inner)))  # fmt: skip
def test_nothing_but_a_meeting_or_a_clear_error(value: object) -> None:
    try:
        found = meeting.parse(value, at)
    except MailoutError:
        return
    assert found is None or isinstance(found, Meeting)
