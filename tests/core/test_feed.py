"""Feeds: well-formed for every text, whole, and each entry under an address of its own."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from mailout.core.feed import Entry, Feed, to_atom

ATOM = {"a": "http://www.w3.org/2005/Atom"}
LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
AT = datetime(2026, 11, 20, 19, 30, tzinfo=ZoneInfo("Europe/Berlin"))


def entry(number: int = 1, **values: object) -> Entry:
    given_ = {
        "url": f"https://news.example.org/archive/en/posts/{number}.html",
        "title": "The harbour stands still",
        "language": "en",
        "at": AT,
        "html": "<p>No crane &amp; no ship.</p>",
        **values,
    }
    return Entry(**given_)  # type: ignore[arg-type]


def feed(*entries: Entry) -> Feed:
    return Feed(
        url="https://news.example.org/archive/en/feed.atom",
        page="https://news.example.org/archive/en/index.html",
        title="Solidarity Bulletin",
        author="Solidarity Bulletin",
        language="en",
        entries=entries,
    )


def texts(root: etree._Element, path: str) -> list[str]:
    return [found.text or "" for found in root.findall(path, ATOM)]


def test_what_the_standard_asks_for() -> None:
    """RFC 4287 4.1.1 and 4.1.2: an id, a title, a moment; an author for each entry."""
    later = entry(
        2, at=AT + timedelta(days=1), author="Tom", categories=("Strikes",), language="ru"
    )
    root = etree.fromstring(to_atom(feed(entry(), later)))
    assert root.get(LANGUAGE) == "en"
    assert texts(root, "a:id") == ["https://news.example.org/archive/en/feed.atom"]
    assert texts(root, "a:updated") == ["2026-11-21T18:30:00Z"]
    assert texts(root, "a:author/a:name") == ["Solidarity Bulletin"]
    links = {one.get("rel"): one.get("href") for one in root.findall("a:link", ATOM)}
    assert links["self"].endswith("feed.atom")
    assert links["alternate"].endswith("index.html")
    assert len(set(texts(root, "a:entry/a:id"))) == 2
    assert texts(root, "a:entry/a:updated") == ["2026-11-20T18:30:00Z", "2026-11-21T18:30:00Z"]
    assert texts(root, "a:entry/a:author/a:name") == ["Tom"]
    assert [one.get("term") for one in root.findall("a:entry/a:category", ATOM)] == ["Strikes"]
    assert [one.get(LANGUAGE) for one in root.findall("a:entry", ATOM)] == ["en", "ru"]
    assert texts(root, "a:entry/a:content")[0] == "<p>No crane &amp; no ship.</p>"
    assert {one.get("type") for one in root.findall("a:entry/a:content", ATOM)} == {"html"}


@given(st.text(st.characters(), max_size=60), st.text(st.characters(), max_size=200))
def test_every_text_makes_a_feed(title: str, html: str) -> None:
    raw = to_atom(feed(entry(title=title, html=html, author=title, categories=(title,))))
    root = etree.fromstring(raw)
    allowed = re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "", html)
    assert texts(root, "a:entry/a:content") == [allowed]


def test_moments_are_written_in_utc() -> None:
    raw = to_atom(feed(entry(at=datetime(2026, 1, 1, tzinfo=UTC))))
    assert b"<updated>2026-01-01T00:00:00Z</updated>" in raw
