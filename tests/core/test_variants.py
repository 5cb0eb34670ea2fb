"""Who gets which variant: languages, editions, and what differs by country."""

from __future__ import annotations

import email
import email.policy
import hashlib
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core import edition, language, places
from mailout.core.edition import Edition
from mailout.core.issue import Variant
from mailout.core.message import ListHeaders, Reader, Sender
from mailout.core.variants import Variants, for_reader

HEADERS = ListHeaders(
    Sender.parse("Bulletin <bulletin@example.org>"),
    None,
    "bulletin.example.org",
    "Bulletin",
    "https://example.org/u/",
)
SHOWN, LINK = places.mark(3, "shown"), places.mark(3, "link")
EMBASSIES = {
    SHOWN: {"": "Ministry <a@example.org>", "DE": "Embassy & Co <b+c@example.org>"},
    LINK: {"": "a@example.org", "DE": "b%2Bc@example.org"},
}
LETTER = Variant(
    "en", "Write", f'<p><a href="mailto:{LINK}?cc=x">Go</a> {SHOWN}</p>', f"To: {SHOWN}",
    by_country=EMBASSIES,
)  # fmt: skip


def parts(message: bytes) -> dict[str, str]:
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    return {p.get_content_type(): p.get_content() for p in parsed.walk() if not p.is_multipart()}


def composed(ready: Variants, country: str = "", form: str = "full") -> bytes:
    reader = Reader("anna@example.org", "token", "Dear Anna,")
    return ready.prepared("en", form, country).compose(reader, "<x@example.org>", 0)


@pytest.mark.parametrize(
    ("country", "link", "shown"),
    [
        ("DE", "mailto:b%2Bc@example.org?cc=x", "Embassy & Co <b+c@example.org>"),
        ("KZ", "mailto:a@example.org?cc=x", "Ministry <a@example.org>"),
        ("", "mailto:a@example.org?cc=x", "Ministry <a@example.org>"),
    ],
)
def test_a_letter_goes_to_whom_the_readers_country_says(
    country: str, link: str, shown: str
) -> None:
    found = parts(composed(Variants([LETTER], HEADERS), country))
    assert f"To: {shown}" in found["text/plain"]
    assert f'href="{link}"' in found["text/html"]
    escaped = shown.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert escaped in found["text/html"]
    assert "zqplace" not in found["text/html"] + found["text/plain"]


def test_countries_without_an_entry_share_one_prepared_message() -> None:
    ready = Variants([LETTER], HEADERS)
    assert ready.prepared("en", "full", "KZ") is ready.prepared("en", "full", "FR")
    assert ready.prepared("en", "full", "DE") is not ready.prepared("en", "full", "FR")


def test_the_table_is_part_of_what_is_approved() -> None:
    other = replace(LETTER, by_country={**EMBASSIES, LINK: {"": "evil@example.org"}})
    assert other.hash != LETTER.hash
    shuffled = replace(LETTER, by_country={k: EMBASSIES[k] for k in (LINK, SHOWN)})
    assert shuffled.hash == LETTER.hash


def test_a_variant_without_a_table_keeps_the_hash_it_always_had() -> None:
    # Issues approved before there were tables must stay approved.
    plain = Variant("en", "Strike", "<p>x</p>", "x")
    parts = ("en", "full", "Strike", "<p>x</p>", "x")
    assert plain.hash == hashlib.sha256("\0".join(parts).encode()).hexdigest()


def test_the_text_edition_is_a_message_of_one_part() -> None:
    ready = Variants([Variant("en", "Strike", "", "Hello\nreader\n", Edition.TEXT)], HEADERS)
    message = composed(ready, form="text")
    parsed = email.message_from_bytes(message, policy=email.policy.default)
    assert parsed.get_content_type() == "text/plain"
    assert not parsed.is_multipart()
    assert parsed.get_content().split() == ["Hello", "reader"]
    assert parsed["To"] == "anna@example.org"


@given(
    chosen=st.sampled_from(edition.CHOICES),
    blocked=st.booleans(),
    built=st.sets(st.sampled_from(list(Edition)), min_size=1).filter(
        lambda built: built & {Edition.FULL, Edition.EXCERPT}
    ),
)
def test_everybody_gets_an_edition_that_was_built(
    chosen: str, blocked: bool, built: set[Edition]
) -> None:
    found = edition.for_reader(chosen, blocked=blocked, built=built)
    assert found in built
    if chosen in built:
        assert found == chosen
    elif blocked and not chosen and Edition.FULL in built:
        assert found is Edition.FULL


def test_a_reader_whose_country_is_blocked_gets_whole_posts() -> None:
    def given_to(chosen: str, country: str) -> str:
        return for_reader(
            "ru", chosen, country, languages=["en", "ru"], fallback={}, blocked_in=("KZ",),
            editions=frozenset({"excerpt", "full", "text"}),
        )[1]  # fmt: skip

    assert given_to("", "KZ") == "full"
    assert given_to("", "DE") == "excerpt"
    assert given_to("text", "KZ") == "text"
    assert given_to("low-data", "DE") == "excerpt"  # nobody had chosen it when it was compiled


def test_what_is_said_for_every_other_language_comes_after_its_own() -> None:
    fallback = {"kk": ["ru"], "*": ["en"]}
    assert language.stated("kk", fallback) == ("ru", "en")
    assert language.stated("kk-latn", fallback) == ("ru", "en")
    assert language.stated("de", fallback) == ("en",)
    assert language.chain("kk", ["de", "en", "ru"], fallback) == ("ru", "en", "de")
