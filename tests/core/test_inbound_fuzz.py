"""Nothing that a mail holds makes reading it fail, or go on without end."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mailout.config.bounce_rules import standard_rules
from mailout.core.inbound.category import Category, Kind
from mailout.core.inbound.charset import decode_body, decode_text, decode_words
from mailout.core.inbound.mail import open_mail
from mailout.core.inbound.report import Inbound, known_addresses, walk

CORPUS = sorted((Path(__file__).parent.parent / "data" / "inbound").glob("*.eml"))
_RAWS = [path.read_bytes() for path in CORPUS]
_KNOWN = known_addresses(["anna@example.net", "bert@example.com"])


def check(raw: bytes) -> Inbound:
    """What a mail tells, after a look at whether it is well-formed."""
    found = walk(raw, standard_rules())
    assert isinstance(found.kind, Kind)
    for report in found.reports:
        assert isinstance(report.category, Category)
        assert report.recipient is None or "@" in report.recipient
        assert len(report.diagnostic or "") <= 500
    named = {report.recipient for report in walk(raw, standard_rules(), _KNOWN).reports}
    assert named <= {None, "anna@example.net", "bert@example.com"}
    return found


@given(st.binary(max_size=3000))
def test_any_bytes_are_read(raw: bytes) -> None:
    check(raw)


@given(st.sampled_from(_RAWS), st.integers(0, 6000))
def test_a_mail_that_was_cut_is_read(raw: bytes, length: int) -> None:
    check(raw[:length])
    check(raw[length:])


@pytest.mark.parametrize("path", CORPUS, ids=lambda path: path.stem)
def test_each_mail_cut_at_every_97th_byte_is_read(path: Path) -> None:
    raw = path.read_bytes()
    for end in range(0, len(raw), 97):
        check(raw[:end])


def test_bytes_above_ascii_everywhere() -> None:
    """Machines on the way strip or set the eighth bit; the frame of a mail may be gone then."""
    for raw in _RAWS[::7]:
        check(bytes(byte | 0x80 for byte in raw))
        check(bytes(byte | 0x80 if at % 5 == 0 else byte for at, byte in enumerate(raw)))
        head, _, body = raw.partition(b"\n\n")
        check(head + b"\n\n" + bytes(byte | 0x80 for byte in body))


@given(
    st.sampled_from(_RAWS),
    st.lists(st.tuples(st.integers(0, 6000), st.binary(min_size=1, max_size=6)), max_size=12),
)
@settings(max_examples=200)
def test_a_mail_with_strange_bytes_in_it_is_read(
    raw: bytes, changes: list[tuple[int, bytes]]
) -> None:
    for at, new in changes:
        raw = raw[:at] + new + raw[at + len(new) :]
    check(raw)


@given(st.sampled_from(_RAWS), st.sampled_from(_RAWS), st.integers(0, 4000), st.integers(0, 4000))
def test_halves_of_two_mails_are_read(one: bytes, other: bytes, first: int, second: int) -> None:
    check(one[:first] + other[second:])


@given(st.binary(max_size=200), st.text(max_size=20))
def test_any_bytes_are_text_in_any_charset(raw: bytes, charset: str) -> None:
    assert isinstance(decode_text(raw, charset), str)
    assert isinstance(decode_body(raw, charset), bytes)
    assert isinstance(decode_words(f"=?{charset}?B?{raw!r}?="), str)


@pytest.mark.parametrize(
    "charset", ["X-UNKNOWN", "base64", "utf-7", "undefined", "idna", "\0", "mbcs", "rot13"]
)
def test_a_charset_that_is_none_is_guessed(charset: str) -> None:
    assert "hello" in decode_text(b"hello", charset)


@pytest.mark.parametrize(
    "field",
    [
        b"To: unlisted-recipients:; (no To-header on input)",
        b"From: \xff\xfe\xfd",
        b"Subject: =?X-UNKNOWN?B?AAAA?= =?utf-8?Q?=ZZ?=",
        b"Content-Type: multipart/report; boundary=",
        b'Content-Type: multipart/report; boundary="',
        b"Content-Type: text/plain; charset=\x00",
        b"Content-Type: /;;;=;",
        b"Content-Transfer-Encoding: x-uuencode",
        b"Subject: \xed\xa0\x80\x00\x0b",
        b": no name",
        b"X" * 5000 + b": y",
    ],
)
def test_a_strange_field_is_read_past(field: bytes) -> None:
    for raw in _RAWS[::20]:
        check(field + b"\n" + raw)
        check(raw.replace(b"MIME-Version: 1.0", field))


def test_parts_within_parts_a_thousand_deep() -> None:
    raw = b"From: MAILER-DAEMON@mx.example.net\n"
    for depth in range(1000):
        raw += b"Content-Type: multipart/mixed; boundary=b%d\n\n--b%d\n" % (depth, depth)
    check(raw + b"Content-Type: text/plain\n\nhello\n")
    mails = b"".join(b"Content-Type: message/rfc822\n\n" for _ in range(1000))
    check(b"From: MAILER-DAEMON@mx.example.net\n" + mails + b"Subject: x\n\nhello\n")


def test_boundaries_and_recipients_without_end() -> None:
    head = b"From: MAILER-DAEMON@mx.example.net\nContent-Type: multipart/report; boundary=b\n\n"
    found = open_mail(head + b"--b\n\n" * 100_000)
    assert len(found.parts) + len(found.attached) <= 60
    block = b"\n\nFinal-Recipient: rfc822; p%d@example.net\nAction: failed\nStatus: 5.1.1"
    machine = b"".join(block % number for number in range(5000))
    told = check(
        head + b"--b\nContent-Type: message/delivery-status\n\nReporting-MTA: dns; mx" + machine
    )
    assert 0 < len(told.reports) <= 500


def test_headers_without_end() -> None:
    """Of a head only so much is looked at, and only so many fields are kept."""
    report = next(raw for raw in _RAWS if b"multipart/report" in raw)
    for filling in (
        b"X-Field: y\n",
        b" folded and folded again\n",
        b"Received: from a.example.net by b.example.net\n",
        b"To: anna@example.net,\n",
        b"x" * 998,
    ):
        raw = b"From: MAILER-DAEMON@mx.example.net\n" + filling * (30_000_000 // len(filling))
        found = open_mail(raw + report)
        assert sum(map(len, found.fields.by_name.values())) <= 400
        assert len(found.body) < 300_000
        check(raw)
        check(raw + b"\n\n" + report)
        check(report.replace(b"\n\n", b"\n" + raw[:300_000], 2))


def test_mails_of_thirty_megabytes() -> None:
    """Only so much of them is looked at: see `mail.MOST_BYTES`."""
    report = next(raw for raw in _RAWS if b"multipart/report" in raw)
    for filling in (
        b"x" * 76 + b"\n",
        b"--=_b1\n",
        b"<a ",
        b"anna@example.net ",
        b"=?",
        b"(((",
        b"\xff",
    ):
        raw = report + filling * (30_000_000 // len(filling))
        assert len(open_mail(raw).body) < 300_000
        check(raw)
