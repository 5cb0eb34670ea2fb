"""Inlining: what premailer gets wrong by default is held down here."""

from __future__ import annotations

import builtins
import socket

import pytest

from mailout.core import css
from mailout.core.errors import BadFile
from mailout.core.inline import inline
from mailout.core.slot import Slot

PAGE = """<!doctype html>
<html lang="en"><head><title>T</title>
<style data-premailer="ignore">@media (prefers-color-scheme: dark) {{ p {{ color: #fff !important; }} }}
a:hover {{ color: red }}</style>
<style>p {{ color: #111; }} .box td > p {{ margin: 0; }}</style></head>
<body>{body}</body></html>"""


def page(body: str) -> str:
    return PAGE.format(body=body)


def test_the_plain_block_moves_in_and_the_other_stays_whole() -> None:
    done = inline(page("<p>Text</p>"), "t")
    assert done.startswith("<!DOCTYPE html>")
    assert '<p style="color:#111">' in done
    assert "color: #fff !important" in done and "a:hover" in done
    assert done.count("<style") == 1


def test_slots_and_links_stay_as_they_are() -> None:
    link = f"https://news.example.org/u/{Slot.TOKEN.mark}?a=1&amp;copy=2"
    done = inline(page(f'<p><a href="{link}">{Slot.GREETING.mark}</a></p>'), "t")
    assert link in done and Slot.GREETING.mark in done


@pytest.mark.parametrize(
    ("html", "says"),
    [
        ("<style>@import url(http://127.0.0.1:9/x.css);</style>", "@import"),
        ("<style>@import 'file:///etc/passwd';</style>", "@import"),
        ("<style>@IMPORT url(http://127.0.0.1:9/x.css);</style>", "@import"),
        ("<style>@\\69mport url(http://127.0.0.1:9/x.css);</style>", "@import"),
        (
            "<style>@/**/i/* */mport 'x.css'; @\\000069 mport 'file:///etc/passwd';</style>",
            "@import",
        ),
        ("<style data-premailer='ignore'>@Import 'http://127.0.0.1:9/x.css';</style>", "@import"),
        ('<link rel="stylesheet" href="http://127.0.0.1:9/x.css">', "linked style sheet"),
    ],
)
def test_nothing_is_ever_fetched(html: str, says: str, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: object) -> None:
        raise AssertionError("a socket was opened")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    with pytest.raises(BadFile) as error:
        inline(page(html + "<p>x</p>"), "t")
    assert says in str(error.value)


def test_the_inliner_itself_fetches_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where the check of the styles had a gap, this is the second wall."""
    asked: list[object] = []
    inline(page("<p>x</p>"), "t")  # all that is imported late is there now
    monkeypatch.setattr(css, "has_import", lambda _: False)
    monkeypatch.setattr(socket, "getaddrinfo", lambda *asked_for, **_: asked.append(asked_for))
    monkeypatch.setattr(builtins, "open", lambda *asked_for, **_: asked.append(asked_for))
    for target in ("http://127.0.0.1:9/x.css", "file:///etc/hostname"):
        done = inline(page(f"<style>@import url({target}); p {{color: red}}</style><p>x</p>"), "t")
        assert "color:red" in done
    assert asked == []


@pytest.mark.parametrize(
    "body",
    [
        "<table><tr><td>" * 300 + "deep" + "</td></tr></table>" * 300 + "<p>after</p>",
        "<div>" * 400 + "deep" + "</div>" * 400 + "<p>after</p>",
    ],
    ids=["tables", "divs"],
)
def test_text_that_would_be_lost_is_an_error(body: str) -> None:
    try:
        done = inline(page(body), "t")
    except BadFile as error:
        assert "text was lost" in str(error)
    else:
        assert "deep" in done and "after" in done


def test_ten_megabytes_are_refused() -> None:
    with pytest.raises(BadFile):
        inline(page("<p>" + "x" * 11_000_000 + "</p>"), "t")
