"""The message's bytes: the same as a naive builder's, whatever the slots hold."""

from __future__ import annotations

import email
import email.policy
import random
from dataclasses import replace
from datetime import UTC, datetime
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mailout.core.address import Address
from mailout.core.issue import Variant
from mailout.core.message import (
    BadHeader,
    ListHeaders,
    Reader,
    Sender,
    prepare_message,
    safe,
)
from mailout.core.mime import prepare
from mailout.core.slot import Slot

NOW = datetime(2026, 11, 24, 12, 0, tzinfo=UTC)
HEADERS = ListHeaders(
    sender=Sender.parse("Bülletin der Solidarität <bulletin@news.example.org>"),
    reply_to=Address.parse("editors@news.example.org"),
    list_id="bulletin.news.example.org",
    list_name="Бюллетень солидарности",
    leave_url="https://news.example.org/u/",
)
TEXTS = st.text(
    alphabet=st.one_of(
        st.sampled_from("abc .=\t-é\nж中🎉"),
        st.characters(codec="utf-8", exclude_characters="\r\0"),
    ),
    max_size=400,
)


def variant(text: str, html: str, subject: str = "Subject", language: str = "en") -> Variant:
    return Variant(language, subject, html, text)


def parsed(raw: bytes) -> EmailMessage:
    message = email.message_from_bytes(raw, policy=email.policy.default)
    assert isinstance(message, EmailMessage)
    assert not [defect for part in message.walk() for defect in part.defects]
    return message


def parts(message: EmailMessage) -> tuple[str, str]:
    text, html = message.iter_parts()
    assert (text.get_content_type(), html.get_content_type()) == ("text/plain", "text/html")
    return tuple(part.get_content().replace("\r\n", "\n") for part in (text, html))  # type: ignore[return-value]


def naive(text: str, html: str) -> tuple[str, str]:
    message = EmailMessage()
    message.set_content(text)
    message.add_alternative(html, subtype="html")
    return parts(message)


@given(TEXTS, TEXTS, TEXTS, st.text('абвgh<&" ', max_size=40), st.text("ABab09-_", max_size=30))
def test_filled_slots_read_back_as_a_naive_builder_would_write_them(
    one: str, two: str, three: str, greeting: str, token: str
) -> None:
    token_mark, greeting_mark = Slot.TOKEN.mark, Slot.GREETING.mark
    body = f"{one}{greeting_mark}{two}{token_mark}{three}"
    prepared = prepare_message(variant(body, body), HEADERS)
    reader = Reader("anna@example.org", token, greeting)
    raw = prepared.compose(reader, "<id@news.example.org>", NOW.timestamp())
    escaped = greeting.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
    want = naive(f"{one}{greeting}{two}{token}{three}", f"{one}{escaped}{two}{token}{three}")
    got = parts(parsed(raw))
    assert [part.rstrip("\n") for part in got] == [part.rstrip("\n") for part in want]


@given(TEXTS, st.lists(st.text("aé", max_size=7), min_size=2, max_size=2))
def test_every_line_is_short_seven_bit_and_begins_with_no_dot(text: str, values: list[str]) -> None:
    body = f".{Slot.TOKEN.mark}\n.{text}{Slot.GREETING.mark}\n."
    filled = prepare(body).fill({Slot.TOKEN: values[0], Slot.GREETING: values[1]})
    for line in filled.split(b"\r\n"):
        assert len(line) <= 76
        assert line.isascii()
        assert not line.startswith(b".")
        assert b"\r" not in line and b"\n" not in line


def test_encoding_follows_the_script() -> None:
    assert prepare("Comrades, the strike goes on. " * 20).transfer_encoding == "quoted-printable"
    assert prepare("Ереуіл жалғасуда. " * 20).transfer_encoding == "base64"


def test_headers_are_exactly_those_meant() -> None:
    prepared = prepare_message(
        variant("t" + Slot.TOKEN.mark, "<p>h</p>", "Ереуіл: " + "ә" * 90), HEADERS
    )
    reader = Reader("anna@example.org", "T" * 22, "Dear Anna,")
    raw = prepared.compose(reader, "<id@news.example.org>", NOW.timestamp())
    message = parsed(raw)
    assert sorted(message.keys()) == sorted(
        [
            "From",
            "Subject",
            "Reply-To",
            "List-Id",
            "List-Unsubscribe-Post",
            "Precedence",
            "X-Auto-Response-Suppress",
            "Content-Language",
            "MIME-Version",
            "Content-Type",
            "To",
            "Message-ID",
            "Date",
            "List-Unsubscribe",
        ]
    )
    assert message["To"] == "anna@example.org"
    assert message["Subject"] == "Ереуіл: " + "ә" * 90
    assert message["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    assert message["From"].addresses[0].display_name == "Bülletin der Solidarität"
    line = f"List-Unsubscribe: <https://news.example.org/u/{'T' * 22}>\r\n".encode()
    assert line in raw, "one line, never an encoded word"
    assert b"<bulletin.news.example.org>" in raw
    head = raw.split(b"\r\n\r\n")[0]
    assert all(len(line) <= 78 for line in head.split(b"\r\n"))


def test_an_address_in_another_script_stands_in_utf8() -> None:
    prepared = prepare_message(variant("t", "h"), HEADERS)
    reader = Reader(Address.parse("инфо@письмо.рф").wire, "T" * 22, "x")
    raw = prepared.compose(reader, "<id@news.example.org>", NOW.timestamp())
    assert "To: инфо@xn--h1aigbl0e.xn--p1ai".encode() in raw


@pytest.mark.parametrize(
    "value",
    [
        "a\r\nBcc: x@example.org", "a\nb", "a\rb", "a\0b", "a\x0bb", "a\x0cb", "a\x85b",
        "a\u2028b", "a\u2029b", "a\u202eb", "a\u2066b", "a\ud800b",
        "=?utf-8?q?x=0D=0ABcc:_evil@example.org?=", "x" * 5000,
    ],
)  # fmt: skip
def test_hostile_header_values_are_refused(value: str) -> None:
    with pytest.raises(BadHeader):
        safe(value, "the subject")
    with pytest.raises(BadHeader):
        prepare_message(variant("t", "h", value), HEADERS)


def test_sender_needs_an_address() -> None:
    with pytest.raises(BadHeader):
        Sender.parse("Only A Name")
    assert Sender.parse('"Doe, J" <j@example.org>').header == '"Doe, J" <j@example.org>'


def test_no_two_readers_share_more_than_the_common_bytes() -> None:
    rng = random.Random(7)
    body = f"{Slot.GREETING.mark}\n{Slot.TOKEN.mark}"
    prepared = prepare_message(variant(body, body), HEADERS)
    for _ in range(50):
        token = f"{rng.getrandbits(110):022x}"[:22]
        reader = Reader("b@example.org", token, f"Dear {token},")
        raw = prepared.compose(reader, "<id@news.example.org>", NOW.timestamp())
        for part in parts(parsed(raw)):
            assert part.count(token) == 2


@given(TEXTS, st.text("0123456789abcdef", min_size=32, max_size=32))
def test_a_token_header_is_one_line_more_and_changes_no_other_byte(text: str, token: str) -> None:
    body = f"{text}{Slot.GREETING.mark}{Slot.TOKEN.mark}"
    named = replace(HEADERS, token_header="X-Delivery")
    reader = Reader("anna@example.org", "T" * 22, "Dear Anna,", token)
    messages = [
        prepare_message(variant(body, body), headers).compose(reader, "<id@x>", NOW.timestamp())
        for headers in (HEADERS, named)
    ]
    line = f"X-Delivery: {token}\r\n".encode()
    head, _, rest = messages[1].partition(b"\r\n\r\n")
    assert head.endswith(line.rstrip()) and messages[1].count(line) == 1
    assert head.removesuffix(line.rstrip()).rstrip() + b"\r\n\r\n" + rest == messages[0]
    assert parsed(messages[1])["X-Delivery"] == token


def test_what_is_no_delivery_has_no_token_header() -> None:
    prepared = prepare_message(variant("t", "h"), replace(HEADERS, token_header="X-Delivery"))
    raw = prepared.compose(
        Reader("anna@example.org", "T" * 22, "x"), "<id@news.example.org>", NOW.timestamp()
    )
    assert b"X-Delivery" not in raw


def test_leaving_by_mail_stands_behind_the_link() -> None:
    token = "0123456789abcdef" * 2
    headers = replace(HEADERS, return_path="bounces@news.example.org")
    prepared = prepare_message(variant("t", "h"), headers)
    reader = Reader("anna@example.org", "T" * 22, "x", token)
    raw = prepared.compose(reader, "<id@news.example.org>", NOW.timestamp())
    assert parsed(raw)["List-Unsubscribe"] == (
        f"<https://news.example.org/u/{'T' * 22}>, "
        f"<mailto:bounces+{token}@news.example.org?subject=unsubscribe>"
    )
    assert max(map(len, raw.split(b"\r\n\r\n")[0].splitlines())) < 100
    # A proof is no delivery: it can only be left by the link.
    proof = prepared.compose(reader._replace(delivery=""), "<id@x>", NOW.timestamp())
    assert b"mailto" not in proof.split(b"\r\n\r\n")[0]
