"""The archive's addresses: safe names for all keys, links that lead where they say."""

from __future__ import annotations

import unicodedata
from urllib.parse import unquote, urljoin, urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import archive

BASE = "https://news.example.org/archive"
FOLDERS = [
    archive.START,
    archive.index_path("en"),
    archive.issue_path("en", "w47"),
    archive.act_path("strike"),
]


@pytest.mark.parametrize(
    "key",
    ["2026-11-20-harbour-strike", "забастовка-в-порту", "إضراب-الميناء", "көше_1.2", "हड़ताल"],
)
def test_a_key_of_letters_is_the_name(key: str) -> None:
    assert archive.file_name(key) == key


@pytest.mark.parametrize(
    "key",
    ["", ".", "..", "../../etc/passwd", "a/b", "a\\b", "a b", ".hidden", "a%2Fb", "a\0b", "a?b",
     "a#b", "a:b", "-", "\ud800", "\u202egnp", "x" * 500, "ы" * 300],
)  # fmt: skip
def test_any_other_key_gets_a_safe_name_of_its_own(key: str) -> None:
    name = archive.file_name(key)
    assert name != key
    assert not name.startswith(".")
    assert not set(name) & set("/\\ %?#:\0\u202e")
    assert len(f"{name}.html".encode()) <= 255
    assert archive.file_name(f"{key}!") != name


@given(st.text(max_size=80), st.text(max_size=80))
def test_two_keys_never_share_a_page(one: str, other: str) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (archive.file_name(one) == archive.file_name(other)) == same


@given(st.text(max_size=80))
def test_an_address_is_ascii_and_leads_to_the_page(key: str) -> None:
    address = archive.post_url(BASE, "kk", key)
    assert address.isascii()
    assert unquote(urlsplit(address).path) == f"/archive/{archive.post_path('kk', key)}"
    assert not urlsplit(address).query
    assert not urlsplit(address).fragment


@given(st.sampled_from(FOLDERS), st.text(min_size=1, max_size=40))
def test_a_relative_link_leads_to_the_page_from_everywhere(page: str, key: str) -> None:
    here = archive.url("https://mirror.example.net/copies/ours", page)
    for target in (archive.post_path("ru", key), archive.act_path(key), archive.STYLE):
        there = archive.url("https://mirror.example.net/copies/ours", target)
        assert urljoin(here, archive.link(page, target)) == there


def test_the_addresses_that_mails_hold() -> None:
    """These must never change: the mails are out."""
    assert archive.issue_url(BASE, "en", "w47") == f"{BASE}/en/issues/w47.html"
    assert archive.post_url(BASE, "ru", "порт") == f"{BASE}/ru/posts/%D0%BF%D0%BE%D1%80%D1%82.html"
    assert archive.event_url(BASE, "de", "demo") == f"{BASE}/de/events/demo.ics"
    assert archive.act_url(BASE, "free-raushan") == f"{BASE}/act/free-raushan.html"
    assert archive.file_name("our strike/day 2") == "our-strike-day-2-8dd73e7b"


def test_without_an_archive_there_are_no_addresses() -> None:
    assert archive.issue_url("", "en", "w47") == ""
    assert archive.post_url("", "en", "p") == ""
    assert archive.event_url("", "en", "p") == ""
    assert archive.act_url("", "p") == ""
