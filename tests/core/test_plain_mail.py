"""The bytes of a letter: what went in comes out, and nothing breaks out of its place."""

from __future__ import annotations

import email
import email.policy
import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.address import Address
from mailout.core.message import BadHeader, ListHeaders, Sender
from mailout.core.plain_mail import PlainMail, letter_message_id, subject_and_text
from mailout.core.token import message_id

NOW = datetime(2026, 11, 26, 12, 0, tzinfo=UTC)
HEADERS = ListHeaders(
    sender=Sender("News", Address.parse("news@example.org")),
    reply_to=None,
    list_id="news.example.org",
    list_name="News",
    leave_url="https://example.org/u/",
)


def mail(text: str = "Hello\n", subject: str = "Hello", address: str = "anna@example.org") -> bytes:
    return PlainMail(
        headers=HEADERS, address=address, message_id="<1@example.org>", language="en",
        subject=subject, text=text,
    ).compose(NOW)  # fmt: skip


@given(st.text(st.characters(exclude_categories=["Cs", "Cc", "Zl", "Zp"]) | st.just("\n")))
def test_any_text_comes_out_as_it_went_in(text: str) -> None:
    text += "\n"
    raw = mail(text)
    assert raw.isascii()
    assert not re.search(rb"(?m)^\.", raw)
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert not read.defects
    assert read.get_content().replace("\r\n", "\n") == text


@given(st.text())
def test_no_subject_adds_a_header(subject: str) -> None:
    try:
        raw = mail(subject=subject)
    except BadHeader:
        return
    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert set(read.keys()) == set(email.message_from_bytes(mail()).keys())


def test_latin_text_is_quoted_and_other_letters_are_base64() -> None:
    assert b"Content-Transfer-Encoding: quoted-printable" in mail("Grüße aus dem Streik\n")
    assert b"Content-Transfer-Encoding: base64" in mail("Солидарность\n" * 3)


@pytest.mark.parametrize(
    "value", ["a@example.org\r\nBcc: b@example.org", "a\n@example.org", "a\0@x"]
)
def test_an_address_cannot_break_out(value: str) -> None:
    with pytest.raises(BadHeader):
        mail(address=value)


def test_controls_become_blanks() -> None:
    read = email.message_from_bytes(
        mail("a\x00b\x1bc\u2028d\rf\ud800\n"), policy=email.policy.default
    )
    assert read.get_content() == "a b c d f \r\n" or read.get_content() == "a b c d f \n"


def test_message_ids_are_the_same_at_every_try_and_no_issues() -> None:
    first = letter_message_id(b"k" * 32, 1, NOW, "example.org")
    assert first == letter_message_id(b"k" * 32, 1, NOW, "example.org")
    assert re.fullmatch(r"<[0-9a-f]{40}@example\.org>", first)
    others = {
        letter_message_id(b"k" * 32, 2, NOW, "example.org"),
        letter_message_id(b"k" * 32, 1, NOW + timedelta(seconds=1), "example.org"),
        letter_message_id(b"x" * 32, 1, NOW, "example.org"),
        message_id(b"k" * 32, 1, "letter", "example.org"),
    }
    assert len(others | {first}) == 5


def test_the_first_line_of_a_template_is_the_subject() -> None:
    assert subject_and_text("\nSubject:  Hello \n\nText.\n\n") == ("Hello", "Text.\n")
    assert subject_and_text("Subject: \u2068News\u2069\nText")[0] == "News"
    for wrong in ("", "Hello\n", "Subject:\n\nText", "Subject: \u200f\n"):
        with pytest.raises(ValueError, match="first line"):
            subject_and_text(wrong)
