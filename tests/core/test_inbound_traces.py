"""Traces: what of ours stands in a mail is found wherever and however it is written."""

from __future__ import annotations

import base64
import html
import json
import quopri
from urllib.parse import quote

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from mailout.core.inbound.traces import MOST, Traces, return_tokens, traces

TOKEN = "0100000000000004d2a1b2c3d4e5f607"
ID = "<00112233445566778899aabbccddeeff00112233@news.example.org>"
BOTH = Traces((TOKEN,), (ID,))
RETURNED = (
    f"Return-Path: <bounces+{TOKEN}@news.example.org>\r\n"
    f"Message-ID: {ID}\r\nSubject: Bulletin\r\n\r\nDear Anna,\r\n"
)
_tokens = st.text("0123456789abcdef", min_size=32, max_size=32)
_digits = st.text("0123456789abcdef", min_size=40, max_size=40)


def report(returned: str, fields: str = "") -> bytes:
    """A report of a mail server that holds `returned` as a part."""
    return (
        "From: MAILER-DAEMON@mx.example.net\r\nContent-Type: multipart/report; boundary=b1\r\n\r\n"
        "--b1\r\n\r\nI could not deliver it.\r\n--b1\r\nContent-Type: message/rfc822\r\n"
        f"{fields}\r\n{returned}\r\n--b1--\r\n"
    ).encode()


def soft_broken(text: str, at: int) -> str:
    """Quoted-printable with a soft line break after every `at` characters or fewer."""
    whole = quopri.encodestring(text.encode()).decode().replace("=\n", "")
    whole = whole.replace("@", "=40").replace("<", "=3C").replace("+", "=2B")
    pieces = []
    while whole:
        cut = at
        while cut and "=" in whole[max(0, cut - 2) : cut] and cut < len(whole):
            cut -= 1
        pieces.append(whole[: cut or at + 3])
        whole = whole[cut or at + 3 :]
    return "=\r\n".join(pieces)


WAYS = {
    "as it is": RETURNED,
    "in capitals": RETURNED.upper(),
    "with - for +": RETURNED.replace("bounces+", "bounces-"),
    "quoted": "".join(f"> {line}\n" for line in RETURNED.splitlines()),
    "quoted-printable": soft_broken(RETURNED, 70),
    "quoted-printable, broken everywhere": soft_broken(RETURNED, 7),
    "base64": base64.encodebytes(RETURNED.encode()).decode(),
    "base64 twice": base64.encodebytes(base64.encodebytes(RETURNED.encode())).decode(),
    "base64 of UTF-16": base64.encodebytes(RETURNED.encode("utf-16")).decode(),
    "entities": html.escape(RETURNED).replace("@", "&#64;").replace("+", "&#43;"),
    "entities in hexadecimal": html.escape(RETURNED).replace("@", "&#x40;").replace("+", "&#x2B;"),
    "a form": quote(RETURNED),
    "a form of JSON": quote(json.dumps({"headers": [["Message-Id", ID], ["X-Token", TOKEN]]})),
    "JSON": json.dumps({"mail": RETURNED}),
    "JSON with everything escaped": json.dumps(RETURNED)
    .replace("+", "\\u002b")
    .replace("<", "\\u003c")
    .replace("@", "\\u0040"),
    "JSON in JSON": json.dumps({"Message": json.dumps(RETURNED).replace("<", "\\u003c")}),
    "JSON holding base64": json.dumps({"content": base64.b64encode(RETURNED.encode()).decode()}),
    "JSON, quoted-printable": json.dumps({"content": soft_broken(RETURNED, 30)}),
    "no brackets": json.dumps({"message-id": ID.strip("<>"), "token": TOKEN}),
    "xtext": f"Original-Envelope-Id: {TOKEN}+40x\nX-Id: +3C{ID[1:-1].replace('@', '+40')}+3E",
    "encoded words": f"X-Token: =?utf-8?q?bounces=2B{TOKEN}?=\n"
    f"X-Id: =?utf-8?b?{base64.b64encode(ID.encode()).decode()}?=",
}


@pytest.mark.parametrize("way", WAYS)
def test_traces_are_found_however_they_are_written(way: str) -> None:
    assert traces(report(WAYS[way])) == BOTH
    assert traces(WAYS[way].encode()) == BOTH


def test_other_runs_of_hex_digits_are_none() -> None:
    other = "a" * 31 + " " + "b" * 33 + " " + "c" * 64 + " " + "d" * 40 + " " + "d" * 40 + "@ x"
    assert traces(other.encode()) == Traces((), ())


def test_each_is_named_once_in_order_and_at_most_fifty_of_them() -> None:
    tokens = [f"{number:032x}" for number in range(200)]
    ids = [f"<{number:040x}@example.org>" for number in range(200)]
    raw = "\n".join([*tokens, *tokens, *ids, *ids]).encode()
    assert traces(raw) == Traces(tuple(tokens[:MOST]), tuple(ids[:MOST]))


@given(_tokens, _digits, st.binary(max_size=300), st.binary(max_size=300))
def test_traces_among_any_bytes(token: str, digits: str, before: bytes, after: bytes) -> None:
    here = f" bounces+{token}@x <{digits}@example.org> ".encode()
    found = traces(before + here + after)
    assert token in found.tokens
    assert f"<{digits}@example.org>" in found.message_ids


@given(_tokens, st.integers(1, 76))
@example("ab" * 16, 1)
def test_soft_line_breaks_anywhere(token: str, width: int) -> None:
    assert token in traces(report(soft_broken(f"to bounces+{token}@example.org", width))).tokens


@given(st.binary(max_size=2000))
def test_any_bytes_are_looked_through(raw: bytes) -> None:
    found = traces(raw)
    assert len(found.tokens) <= MOST
    assert len(found.message_ids) <= MOST


@pytest.mark.parametrize(
    "filling",
    [
        b"A" * 76 + b"\n",
        b"0123456789abcdef" * 2 + b"\n",
        b"0" * 33,
        b"=\n",
        b"\\" * 60,
        b"=3D",
        b"\0",
    ],
)
def test_of_thirty_megabytes_the_beginning_and_the_end_are_looked_at(filling: bytes) -> None:
    long = filling * (30_000_000 // len(filling))
    first, last = b"f" * 32, b"e" * 32
    assert first.decode() in traces(b" " + first + b" " + long).tokens
    if len(set(filling) & set(b"0123456789abcdef")) < 3:
        assert last.decode() in traces(long + b" " + last + b" ").tokens


RECIPIENTS = [
    f"bounces+{TOKEN}@news.example.org",
    f"bounces-{TOKEN}@news.example.org",
    f"BOUNCES+{TOKEN.upper()}@NEWS.EXAMPLE.ORG",
    f"<bounces+{TOKEN}@news.example.org>",
    f'"bounces+{TOKEN}"@news.example.org',
    f"SRS0=x1Yz=AB=news.example.org=bounces+{TOKEN}@forward.example.net",
    f"SRS0+x1Yz=AB=news.example.org=bounces+{TOKEN}@forward.example.net",
    f"srs0-x1yz=ab=news.example.org=bounces-{TOKEN}@forward.example.net",
    f"SRS1=Qw9a=first.example.net==x1Yz=AB=news.example.org=bounces+{TOKEN}@forward.example.net",
    f"prvs=0123456789=bounces+{TOKEN}@news.example.org",
    f"prvs=bounces+{TOKEN}/0123456789@news.example.org",
    f"msprvs1=1234567=bounces+{TOKEN}@news.example.org",
    f"btv1==0123==bounces+{TOKEN}@news.example.org",
    f"anna+caf_=bounces+{TOKEN}=news.example.org@example.net",
    f"rfc822;bounces+{TOKEN}@news.example.org".replace("rfc822;", "rfc822:"),
]


@pytest.mark.parametrize("recipient", RECIPIENTS)
def test_the_token_of_a_recipient_whatever_was_done_to_it(recipient: str) -> None:
    assert return_tokens(recipient, "bounces@news.example.org") == (TOKEN,)


@pytest.mark.parametrize(
    "recipient",
    [
        "bounces@news.example.org",
        "",
        "@",
        f"bounces+{TOKEN}0@news.example.org",
        f"bounces+{TOKEN[1:]}@news.example.org",
        f"other+{TOKEN}@news.example.org",
        f"mybounces+{TOKEN}@news.example.org",
        f"{TOKEN}@news.example.org",
    ],
)
def test_other_recipients_carry_none(recipient: str) -> None:
    assert return_tokens(recipient, "bounces@news.example.org") == ()


@given(
    _tokens,
    st.from_regex(r"\A[a-z][a-z0-9._+-]{0,20}\Z"),
    st.sampled_from("+-"),
    st.booleans(),
    st.sampled_from(
        ["{}@d.test", "SRS0=aa=bb=d.test={}@x.test", "prvs=0123456789={}@d.test", "prvs={}/0123456789@d.test",
         "u+caf_={}=d.test@x.test"]
    ),
)  # fmt: skip
def test_any_return_path_gives_its_token_back(
    token: str, local: str, sign: str, in_capitals: bool, wrapping: str
) -> None:
    recipient = wrapping.format(f"{local}{sign}{token}")
    recipient = recipient.upper() if in_capitals else recipient
    assert token in return_tokens(recipient, f"{local}@d.test")


@given(st.text(max_size=300), st.text(max_size=60))
def test_any_recipient_is_looked_at(recipient: str, return_path: str) -> None:
    assert all(len(one) == 32 for one in return_tokens(recipient, return_path))
