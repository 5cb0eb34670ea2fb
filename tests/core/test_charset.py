"""Bytes as text, as feeds and exports come: rightly, wrongly or not declared at all."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from exports import rss
from mailout.core.ingest import charset, feed
from mailout.core.ingest.item import Gathered


def read(raw: bytes, http: str = "") -> Gathered:
    return feed.read(raw, "feed.xml", "", http)


RUSSIAN = "Забастовка в порту продолжается, и голосование идёт у каждых ворот города."
CHINESE = "港口罢工仍在继续，每个大门都在投票。工人们要求提高工资。"


def encoded(text: str, encoding: str, declared: str) -> bytes:
    top = f'<?xml version="1.0" encoding="{declared}"?>\n' if declared else ""
    return rss(f"<item><title>A</title><description>{text}</description></item>", top=top).encode(
        encoding
    )


@pytest.mark.parametrize(
    ("text", "encoding", "declared", "http", "warned"),
    [
        (RUSSIAN, "utf-8", "UTF-8", "", False),
        (RUSSIAN, "utf-8-sig", "UTF-8", "", False),
        (RUSSIAN, "cp1251", "windows-1251", "", False),
        (RUSSIAN, "koi8-r", "KOI8-R", "", False),
        (RUSSIAN, "utf-16", "UTF-16", "", False),
        (RUSSIAN, "utf-16-le", "UTF-16", "", False),
        (CHINESE, "gb2312", "gb2312", "", False),
        (CHINESE, "gb18030", "GBK", "", False),
        (RUSSIAN, "cp1251", "", "windows-1251", False),
        (RUSSIAN, "cp1251", "UTF-8", "", True),
        (RUSSIAN, "koi8-r", "utf-8", "", True),
        (RUSSIAN, "koi8-r", "windows-1251", "", True),
        (RUSSIAN, "cp1251", "koi8-r", "", True),
        (RUSSIAN, "cp1251", "iso-8859-1", "", True),
        (RUSSIAN, "utf-8", "windows-1251", "", True),
        (RUSSIAN, "utf-8", "utf-8", "iso-8859-1", False),
        (RUSSIAN, "cp1251", "windows-1251", "utf-8", False),
        ("港湾のストライキは続く", "iso-2022-jp", "iso-2022-jp", "", False),
        ("항만 파업은 계속된다", "euc-kr", "euc-kr", "", False),
        (RUSSIAN, "utf-8", "", "iso-8859-1", True),
        (RUSSIAN, "cp1251", "no-such-thing", "", True),
        (CHINESE, "gb2312", "utf-8", "", True),
        ("Grüße aus Köln, naïve façade", "latin-1", "iso-8859-1", "", False),
        ("Grüße aus Köln, naïve façade", "cp1252", "utf-8", "", True),
    ],
)
def test_encodings(text: str, encoding: str, declared: str, http: str, warned: bool) -> None:
    found = read(encoded(text, encoding, declared), http=http)
    assert found.items[0].html == text
    assert any(one.startswith("encoding") for one in found.warnings) == warned


def test_a_few_broken_bytes_are_shown_and_said() -> None:
    raw = encoded(RUSSIAN, "utf-8", "utf-8").replace("город".encode(), b"\xff\xd0")
    found = read(raw)
    assert "\ufffd" in found.items[0].html
    assert "broken characters, not utf-8" in str(found.warnings)


def test_letters_that_were_spoilt_at_the_source() -> None:
    spoilt = RUSSIAN.encode().decode("latin-1").replace("\x85", "…")
    spoilt = "".join(one for one in spoilt if one.isprintable())
    assert "its letters were spoilt" in str(read(encoded(spoilt * 2, "utf-8", "utf-8")))
    assert not charset.looks_twice_encoded("Grüße aus Köln, naïve façade, ÂÃ" * 5)


@given(st.text(alphabet=st.characters(codec="utf-8"), max_size=200))
def test_utf_8_is_always_read_as_it_is(text: str) -> None:
    text = text.lstrip("\ufeff")
    found = charset.decode(text.encode())
    assert found.text == text or "\x00" in text


@given(st.binary(max_size=300), st.sampled_from(["", "koi8-r", "utf-16", "idna", "\x00", "hex"]))
def test_any_bytes_are_some_text(raw: bytes, declared: str) -> None:
    assert isinstance(charset.decode(raw, declared, declared).text, str)
