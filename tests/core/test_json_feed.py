"""JSON Feed: both versions, and values of every wrong type."""

from __future__ import annotations

import json
from datetime import date

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.errors import BadFile
from mailout.core.ingest import feed
from mailout.core.ingest.item import Gathered


def read(raw: str) -> Gathered:
    return feed.read(raw.encode(), "feed.json", "https://example.org/blog")


def json_feed(*items: object, **more: object) -> str:
    head = {"version": "https://jsonfeed.org/version/1.1", "title": "Bulletin", "items": items}
    return json.dumps({**head, **more})


def test_what_is_behind_a_password_is_so() -> None:
    note = "There is no excerpt because this is a protected post."
    for key in ("content_html", "summary"):
        (item,) = read(json_feed({"id": "1", "title": "Protected: Plan", key: note})).items
        assert (item.title, item.status) == ("Plan", "password")


def test_json_feed() -> None:
    whole = {
        "id": 7,
        "url": "/vote",
        "title": "Strike &amp; vote",
        "content_html": "<p>The vote goes on.</p>",
        "summary": "In short",
        "date_published": "2026-11-20T00:30:00+05:00",
        "authors": [{"name": "Anna Bright"}, {"name": "Bo Dark"}, 3],
        "tags": ["News", "", 4],
        "language": "ru-KZ",
        "attachments": [{"url": "https://example.org/a.pdf", "title": "Leaflet"}, {"url": "x"}],
    }
    plain = {"id": "b", "content_text": "One\ntwo\n\n<three>", "author": {"name": "Old Style"}}
    found = read(
        json_feed(
            whole | {"content_html": "<p>Забастовка в порту идёт.</p>" * 3},
            plain,
            5,
            {"id": "d"},
            language="kz",
            feed_url="https://example.org/feed.json",
            author={"name": "Us"},
        )
    )
    one, two = found.items
    assert one.source_id == "7"
    assert (one.title, one.language, one.date) == ("Strike & vote", "ru", date(2026, 11, 20))
    assert (one.author, one.tags, one.excerpt) == ("Anna Bright, Bo Dark", ("News",), "In short")
    assert one.url == "https://example.org/vote"
    assert one.html.endswith('<p><a href="https://example.org/a.pdf">Leaflet</a></p>')
    assert two.html == "<p>One<br>two</p>\n<p>&lt;three&gt;</p>"
    assert (two.author, two.title) == ("Old Style", "One two <three>")
    assert found.found == 4
    assert [one.why for one in found.skipped] == [
        "it is no JSON object",
        "it has neither a title nor a text",
    ]
    assert "language of the feed: `kz` is a country" in str(found.warnings)


def test_a_json_feed_of_summaries() -> None:
    found = read(json_feed({"id": "a", "title": "A", "summary": "In short"}))
    assert found.items[0].html == "<p>In short</p>"
    assert "feed: only openings are in it" in str(found.warnings)


@pytest.mark.parametrize(
    ("raw", "says"),
    [
        ('{"a": 1}', "this is JSON, but no JSON Feed"),
        ("{" + '"a":[' * 100_000, "JSON"),
        ('{"a": ' + "9" * 9999 + "}", "JSON that no feed would hold"),
    ],
)
def test_what_is_refused(raw: str, says: str) -> None:
    with pytest.raises(BadFile) as caught:
        read(raw)
    assert says in str(caught.value)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=9),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["url", "title", "content_html", "authors", "tags", "language", "id", "name"]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(st.lists(JSON, max_size=4))
def test_any_json(items: list[object]) -> None:
    found = read(json_feed(*items))
    assert found.found == len(items)
    assert all(one.title and one.source_id for one in found.items)


def test_a_bare_number_is_of_its_feed_alone() -> None:
    def ids(home: str) -> list[str]:
        raw = {
            "version": "https://jsonfeed.org/version/1.1",
            "title": "J",
            "home_page_url": home,
            "items": [{"id": "1", "title": "One", "content_html": "<p>Hi, all of you.</p>"}],
        }
        items = feed.read(json.dumps(raw).encode(), "a.json").items
        return [item.source_id for item in items]

    assert ids("https://a.example.org") != ids("https://b.example.org")
