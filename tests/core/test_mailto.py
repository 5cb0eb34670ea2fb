"""Prepared letters: a mail program finds in the link what the appeal says."""

from __future__ import annotations

from urllib.parse import parse_qs, unquote, urlsplit

from hypothesis import given
from hypothesis import strategies as st

from mailout.core.mailto import address, mailto


def letter(
    to: str = "office@ministry.example.net",
    cc: tuple[str, ...] = (),
    subject: str = "",
    body: str = "",
) -> str:
    return mailto(address(to), cc, subject, body)


def test_a_letter() -> None:
    link = letter(cc=("a@example.org", "b@example.org"), subject="Release her", body="Sir,\nI")
    assert link == (
        "mailto:office@ministry.example.net"
        "?cc=a@example.org,b@example.org&subject=Release%20her&body=Sir%2C%0D%0AI"
    ).replace("Sir%2C", "Sir,")


def test_only_an_address() -> None:
    assert letter() == "mailto:office@ministry.example.net"
    assert letter(to="") == ""


@given(st.text(min_size=1, max_size=80), st.text(min_size=1, max_size=200))
def test_every_text_comes_back(subject: str, body: str) -> None:
    link = letter(subject=subject, body=body.replace("\r", ""))
    assert link.isascii()
    assert not set(link) & set(' \r\n"<>')
    parts = urlsplit(link)
    assert unquote(parts.path) == "office@ministry.example.net"
    fields = parse_qs(parts.query, keep_blank_values=True, strict_parsing=True)
    assert fields["subject"] == [subject.replace("\n", "\r\n")]
    if body.replace("\r", ""):
        assert fields["body"] == [body.replace("\r", "").replace("\n", "\r\n")]
