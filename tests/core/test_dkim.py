"""Signatures as a receiver checks them: dkimpy, written by others, is the judge."""

from __future__ import annotations

import base64
import hashlib
import re
from functools import cache

import dkim as judge
import pytest
from cryptography.hazmat.primitives.asymmetric import ec, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)
from hypothesis import given, settings
from hypothesis import strategies as st

from mailout.core.dkim import (
    BadKey,
    Kind,
    Signer,
    digest,
    name_fault,
    new_key,
    prepare_signer,
    public_record,
    sign,
)
from mailout.core.errors import MailoutError

NOW = 1_795_530_900.75
DOMAIN = "news.example.org"
KINDS: tuple[Kind, ...] = ("rsa", "ed25519")

HEAD = (
    b"From: =?utf-8?b?0J3QvtCy0L7RgdGC0LggLSDQsdGO0LvQu9C10YLQtdC90Yw=?=\r\n"
    b" <bulletin@news.example.org>\r\n"
    b"Subject: =?utf-8?b?0J3QvtCy0L7RgdGC0Lgg0L/RgNC+0YTRgdC+0Y7Qt9C+0LIg0Lgg0LfQsNCx?=\r\n"
    b" =?utf-8?b?0LDRgdGC0L7QstC+0Lo=?=\r\n"
    b"Reply-To: editors@news.example.org\r\n"
    b"List-Id: Solidarity Bulletin <bulletin.news.example.org>\r\n"
    b"List-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n"
    b"Precedence: bulk\r\n"
    b"Content-Language: ru\r\n"
    b"MIME-Version: 1.0\r\n"
    b'Content-Type: multipart/alternative;\r\n boundary="=_0123456789abcdef"\r\n'
    b"To: anna@example.org\r\n"
    b"Message-ID: <0123456789abcdef0123456789abcdef@news.example.org>\r\n"
    b"Date: Tue, 24 Nov 2026 14:35:00 +0000\r\n"
    b"List-Unsubscribe: <https://news.example.org/u/AAAAAAAAAAAAAAAAAAAAAA>\r\n"
)
BODY = (
    b"--=_0123456789abcdef\r\n"
    b"Content-Type: text/plain; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b"Dear =\r\nAnna=\r\n, =D0=97=D0=B0=D0=B1=D0=B0=D1=81=D1=82=D0=BE=D0=B2=D0=BA=D0=B0 =\r\n"
    b"=2Ea line\r\n\r\n"
    b"--=_0123456789abcdef\r\n"
    b"Content-Type: text/html; charset=utf-8\r\n"
    b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
    b'<p style=3D"color:#1f1b18">Hello  </p>\r\n\r\n'
    b"--=_0123456789abcdef--\r\n"
)
MESSAGE = HEAD + b"\r\n" + BODY


@cache
def pem_of(kind: Kind) -> bytes:
    return new_key(kind)


@cache
def signer_of(kind: Kind) -> Signer:
    return prepare_signer(DOMAIN, f"{kind}-1", pem_of(kind))


def dns(name: bytes, timeout: int = 5) -> bytes | None:
    """The one zone that there is."""
    for kind in KINDS:
        if name == f"{kind}-1._domainkey.{DOMAIN}.".encode():
            return public_record(pem_of(kind)).encode()
    return None


def verifies(message: bytes, index: int = 0) -> bool:
    try:
        return bool(judge.DKIM(message).verify(index, dnsfunc=dns))
    except judge.DKIMException:
        return False


def signed(kind: Kind, message: bytes = MESSAGE) -> bytes:
    return signer_of(kind).sign(message, NOW) + message


both = pytest.mark.parametrize("kind", KINDS)


@both
@pytest.mark.parametrize(
    "message",
    [
        MESSAGE,
        MESSAGE.replace(b"anna@example.org", "анна@example.org".encode()),
        MESSAGE.replace(b"Precedence: bulk\r\n", b""),
        HEAD.replace(b"Reply-To: editors@news.example.org\r\n", b"") + b"\r\n" + BODY,
        HEAD + b"Cc: boris@example.org\r\nContent-Transfer-Encoding: 7bit\r\n\r\n" + BODY,
        HEAD.replace(b"To: anna", b"TO:\t  anna") + b"\r\n" + BODY,
        b"From: a@example.org\r\n\r\nx\r\n",
    ],
    ids=["as composed", "utf-8 in To", "fewer", "no Reply-To", "all fields", "odd blanks", "least"],
)
def test_a_receiver_accepts_it(kind: Kind, message: bytes) -> None:
    assert verifies(signed(kind, message))


@both
@pytest.mark.parametrize(
    "body",
    [
        b"", b"\r\n", b"\r\n\r\n\r\n", b"x", b"x\r\n", b"x\r\n\r\n\r\n", b"\r\n\r\nx", b"x \t\r\n",
        b"x\r\n \r\n\r\n", b"x\n", b"x\r", b"x\r\n\n", b"x\r\r\n", b"\n", b"\r", b".\r\n..\r\n",
    ],
    ids=repr,
)  # fmt: skip
def test_a_receiver_accepts_every_end_of_a_body(kind: Kind, body: bytes) -> None:
    # dkimpy splits a message at bare line feeds, too: the hash is compared, not the whole.
    message = HEAD + b"\r\n" + body
    wanted = judge.CanonicalizationPolicy.from_c_value(b"relaxed/simple").canonicalize_body(body)
    assert digest(message).body_hash == _hashed(wanted)
    others = body.replace(b"\r\n", b"")
    if b"\r" not in others and b"\n" not in others:
        assert verifies(signed(kind, message))


def _hashed(body: bytes) -> bytes:
    return base64.b64encode(hashlib.sha256(body).digest())


@both
def test_empty_lines_at_the_end_do_not_count(kind: Kind) -> None:
    field = signer_of(kind).sign(MESSAGE, NOW)
    assert verifies(field + MESSAGE + b"\r\n" * 3)
    assert verifies(field + MESSAGE.removesuffix(b"\r\n"))


@both
@pytest.mark.parametrize(
    ("old", "new"),
    [
        (b"Anna=\r\n", b"Anma=\r\n"),
        (b"Hello  </p>", b"Hello </p>"),
        (b"--=_0123456789abcdef--\r\n", b"--=_0123456789abcdef--\r\nP.S.\r\n"),
        (b"/u/AAAA", b"/u/AAAB"),
        (b"=One-Click", b"=Two-Click"),
        (b"Subject: ", b"Subject: Re: "),
        (b"To: anna@", b"To: hanna@"),
        (b"t=1795530900;", b"t=1795530901;"),
        (b"d=news.example.org;", b"d=news.example.org; l=10;"),
        (b"List-Unsubscribe: ", b"X-List-Unsubscribe: "),
    ],
)
def test_a_change_is_found(kind: Kind, old: bytes, new: bytes) -> None:
    message = signed(kind)
    assert verifies(message) and message.count(old) == 1
    assert not verifies(message.replace(old, new))


@both
@pytest.mark.parametrize(
    "added",
    [
        b"List-Unsubscribe: <https://evil.example.net/>",
        b"List-Unsubscribe-Post: List-Unsubscribe=One-Click",
        b"From: Somebody <else@example.net>",
        b"Reply-To: else@example.net",
        b"Subject: another",
        b"To: else@example.net",
        b"Date: Tue, 24 Nov 2026 14:36:00 +0000",
        b"Message-ID: <other@example.net>",
        b"MIME-Version: 1.0",
        b"Content-Type: text/html",
        b"List-Id: <other.example.net>",
        b"Cc: else@example.net",  # these two were not there at all
        b"Content-Transfer-Encoding: base64",
    ],
)
def test_a_field_that_is_added_breaks_it(kind: Kind, added: bytes) -> None:
    field = signer_of(kind).sign(MESSAGE, NOW)
    above = field + added + b"\r\n" + MESSAGE
    below = field + HEAD + added + b"\r\n\r\n" + BODY
    assert verifies(field + MESSAGE)
    assert not verifies(above) and not verifies(below)


@both
def test_fields_on_the_way_do_no_harm(kind: Kind) -> None:
    """A relay adds its trace, and may fold or close up the header anew."""
    field = signer_of(kind).sign(MESSAGE, NOW)
    assert verifies(b"Received: from a by b; Tue, 24 Nov 2026 14:35:01 +0000\r\n" + field + MESSAGE)
    refolded = MESSAGE.replace(b"alternative;\r\n boundary", b"alternative;   boundary")
    assert verifies(
        field + refolded.replace(b"List-Id: Solidarity ", b"LIST-ID:\r\n\tSolidarity\t")
    )


def test_a_blank_before_the_colon_goes() -> None:
    """RFC 6376 3.4.2; dkimpy takes no such field at all."""
    plain = digest(MESSAGE)
    assert digest(MESSAGE.replace(b"To: anna", b"TO \t: anna")) == plain
    assert digest(MESSAGE.replace(b"To: anna", b"T O: anna")) != plain


@both
def test_fields_that_stand_twice_are_both_signed(kind: Kind) -> None:
    message = b"To: one@example.org\r\nTo: two@example.org\r\n" + MESSAGE
    field = signer_of(kind).sign(message, NOW)
    assert verifies(field + message)
    assert not verifies(field + message.replace(b"one@", b"uno@"))
    assert not verifies(field + b"To: three@example.org\r\n" + message)


@both
def test_the_field_has_the_tags_that_it_should(kind: Kind) -> None:
    field = signer_of(kind).sign(MESSAGE, NOW)
    assert field == signer_of(kind).sign(MESSAGE, NOW), "the same twice"
    assert field.endswith(b"\r\n") and field.isascii()
    lines = field.decode().removesuffix("\r\n").split("\r\n")
    assert lines[0].startswith("DKIM-Signature: v=1; ")
    assert all(line.startswith(" ") for line in lines[1:])
    assert max(map(len, lines)) <= 78
    value = re.sub(r"\s+", "", field.decode().partition(":")[2])
    tags = dict(tag.split("=", 1) for tag in value.split(";"))
    assert list(tags) == ["v", "a", "c", "d", "s", "t", "h", "bh", "b"]
    assert (tags["a"], tags["c"]) == (f"{kind}-sha256", "relaxed/simple")
    assert (tags["d"], tags["s"], tags["t"]) == (DOMAIN, f"{kind}-1", "1795530900")
    names = tags["h"].split(":")
    assert {name: names.count(name) for name in names} == {
        "from": 2, "reply-to": 2, "subject": 2, "date": 2, "to": 2, "cc": 1, "message-id": 2,
        "mime-version": 2, "content-type": 2, "content-transfer-encoding": 1, "list-id": 2,
        "list-unsubscribe": 2, "list-unsubscribe-post": 2,
    }  # fmt: skip


@pytest.mark.parametrize("length", [10, 40, 61, 62, 63])
def test_long_names_are_folded_where_that_can_be(length: int) -> None:
    domain = f"{'d' * length}.example.org"
    selector = "s" * length
    pem = pem_of("ed25519")
    message = prepare_signer(domain, selector, pem).sign(MESSAGE, NOW) + MESSAGE
    record = public_record(pem).encode()
    assert judge.DKIM(message).verify(dnsfunc=lambda name, timeout=5: record)
    head = message[: message.index(b"From:")].split(b"\r\n")
    assert all(len(line) <= 78 or line.startswith(b" d=") for line in head)


def test_several_keys_sign_side_by_side() -> None:
    pair = tuple(map(signer_of, KINDS))
    fields = sign(pair, MESSAGE, NOW)
    assert fields == b"".join(one.sign(MESSAGE, NOW) for one in pair)
    assert [verifies(fields + MESSAGE, index) for index in (0, 1)] == [True, True]
    assert sign((), MESSAGE, NOW) == b""


def test_a_message_without_from_is_not_signed() -> None:
    with pytest.raises(MailoutError, match="without From"):
        signer_of("ed25519").sign(MESSAGE.replace(b"From:", b"X-From:"), NOW)


# What white space a relay may leave in a field: blanks, tabs and folds before them.
_gap = st.text(" \t", min_size=1, max_size=3)
_space = st.lists(st.one_of(_gap, _gap.map("\r\n".__add__)), max_size=3).map("".join)
_words = st.text(
    st.characters(min_codepoint=0x21, max_codepoint=0x2FF, exclude_categories=("Cc", "Z")),
    min_size=1,
    max_size=12,
)


@st.composite
def _fields(draw: st.DrawFn) -> bytes:
    name = draw(st.sampled_from(["To", "subject", "LIST-ID", "Cc", "X-Other", "List-Unsubscribe"]))
    value = "".join(draw(_space) + word for word in draw(st.lists(_words, min_size=1, max_size=4)))
    return f"{name}:{value}{draw(_space)}x\r\n".encode()


@settings(max_examples=200)
@given(st.lists(_fields(), max_size=6), st.binary(max_size=40))
def test_any_white_space_in_the_header_is_read_as_others_read_it(
    fields: list[bytes], body: bytes
) -> None:
    # Bare CR and LF never leave us, and dkimpy makes line ends of them.
    body = body.replace(b"\r", b"\r\n").replace(b"\n", b"\r\n").replace(b"\r\r\n", b"\r\n")
    message = b"From: a@example.org\r\n" + b"".join(fields) + b"\r\n" + body
    assert verifies(signed("ed25519", message))


@settings(max_examples=200)
@given(st.text("\r\n x\t", max_size=12))
def test_any_end_of_a_body_is_hashed_as_others_hash_it(body: str) -> None:
    raw = body.encode()
    policy = judge.CanonicalizationPolicy.from_c_value(b"relaxed/simple")
    found = digest(b"From: a@example.org\r\n\r\n" + raw).body_hash
    assert found == _hashed(policy.canonicalize_body(raw))


def _pem(key: rsa.RSAPrivateKey | ec.EllipticCurvePrivateKey) -> bytes:
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def _encrypted(form: PrivateFormat) -> bytes:
    key = load_pem_private_key(pem_of("rsa"), None)
    return key.private_bytes(Encoding.PEM, form, BestAvailableEncryption(b"secret"))


def _public(form: PublicFormat) -> bytes:
    key = load_pem_private_key(pem_of("rsa"), None)
    return key.public_key().public_bytes(Encoding.PEM, form)


def _short() -> bytes:
    """A key of 511 bits, from two known primes: the library makes none so short."""
    p, q, e = 2**256 - 189, 2**255 - 19, 65537
    d = pow(e, -1, (p - 1) * (q - 1))
    public = rsa.RSAPublicNumbers(e, p * q)
    numbers = rsa.RSAPrivateNumbers(p, q, d, d % (p - 1), d % (q - 1), pow(q, -1, p), public)
    return _pem(numbers.private_key())


@pytest.mark.parametrize(
    ("pem", "says"),
    [
        (b"", "not a private key"),
        (b"hello", "not a private key"),
        (b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n", "not a private key"),
        (_public(PublicFormat.SubjectPublicKeyInfo), "this is the public key"),
        (_public(PublicFormat.PKCS1), "this is the public key"),
        (_encrypted(PrivateFormat.PKCS8), "the key is encrypted"),
        (_encrypted(PrivateFormat.TraditionalOpenSSL), "the key is encrypted"),
        (_pem(ec.generate_private_key(ec.SECP256R1())), "of the kind EC"),
        (_short(), "511 bits is too short"),
    ],
    ids=["empty", "text", "broken", "public", "public rsa", "encrypted", "encrypted rsa", "ec", "short"],
)  # fmt: skip
def test_what_cannot_sign_is_named(pem: bytes, says: str) -> None:
    for use in (public_record, lambda pem: prepare_signer(DOMAIN, "s", pem)):
        with pytest.raises(BadKey) as caught:
            use(pem)
        assert says in str(caught.value)


def test_a_key_in_the_older_form_signs_too() -> None:
    key = load_pem_private_key(pem_of("rsa"), None)
    older = key.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption())
    assert prepare_signer(DOMAIN, "rsa-1", older).sign(MESSAGE, NOW) + MESSAGE == signed("rsa")


@pytest.mark.parametrize(
    ("domain", "selector"),
    [
        ("example", "s"),
        ("", "s"),
        ("news.example.org.", "s"),
        ("bücher.example", "s"),
        ("-a.example.org", "s"),
        ("a" * 64 + ".org", "s"),
        ("example.org;l=0", "s"),
        ("example.org\r\nBcc: a@b.org", "s"),
        ("example.org\n", "s"),
        ("example.org", ""),
        ("example.org", "../keys"),
        ("example.org", "a_b"),
        ("example.org", "a%d"),
        ("example.org", ".".join(["a" * 60] * 4)),
    ],
)
def test_names_that_cannot_stand_in_the_dns_are_refused(domain: str, selector: str) -> None:
    assert name_fault(domain, selector)
    with pytest.raises(BadKey):
        prepare_signer(domain, selector, pem_of("ed25519"))
    assert not name_fault("xn--bcher-kva.example", "2026a.bulletin-1")


def test_a_key_does_not_show_itself() -> None:
    assert repr(signer_of("rsa")) == (
        "Signer(domain='news.example.org', selector='rsa-1', algorithm='rsa-sha256')"
    )


def test_the_known_ed25519_key_has_its_known_record() -> None:
    """RFC 8463 A.2 gives the pair."""
    seed = bytes.fromhex("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60")
    pem = Ed25519PrivateKey.from_private_bytes(seed).private_bytes(
        Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()
    )
    assert public_record(pem) == (
        "v=DKIM1; k=ed25519; p=11qYAYKxCrfVS/7TyWQHOg7hcvPapiMlrwIaaPcHURo="
    )


@both
def test_a_field_of_ours_is_signed_too_and_oversigned(kind: Kind) -> None:
    field = b"X-Delivery: 0123456789abcdef0123456789abcdef\r\n"
    message = HEAD + field + b"\r\n" + BODY
    made = sign([signer_of(kind)], message, NOW, "X-Delivery") + message
    assert verifies(made)
    assert not verifies(made.replace(b"0123456789abcdef0123", b"1123456789abcdef0123"))
    assert not verifies(made.replace(field, b""))
    assert not verifies(made.replace(b"\r\nTo: ", b"\r\n" + field + b"To: ", 1))
    # Without it the signature is as it always was.
    assert sign([signer_of(kind)], MESSAGE, NOW, "X-Delivery") == sign(
        [signer_of(kind)], MESSAGE, NOW
    )
