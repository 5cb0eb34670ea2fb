"""DKIM: the signature by which a receiver knows that a domain answers for a message.

| step | what |
|---|---|
| `digest` | one pass over a message: the header fields that are signed, and the hash of its body |
| `Signer.header` | one key's `DKIM-Signature` field for a digest |
| `sign`, `Signer.sign` | both steps, for several keys or for one |

Every name in `_SIGNED` stands once more in `h=` than its fields are in the message, also with
none. So a field that somebody adds later, such as a second From or List-Unsubscribe, breaks
the signature. There is no `l=`, which would let a body be added to; no `x=`, since letters
are read late; and no `i=`.

Standards: RFC 6376 (DKIM), RFC 8301 (key lengths, no SHA-1), RFC 8463 (Ed25519), RFC 8058 4
(both List-Unsubscribe fields must be signed).
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Literal, NamedTuple

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

from mailout.core.errors import MailoutError

Algorithm = Literal["rsa-sha256", "ed25519-sha256"]
Kind = Literal["rsa", "ed25519"]

MIN_BITS = 1024  # RFC 8301 3.2: a shorter key must not sign
NEW_BITS = 2048  # RFC 8301 3.2: what a signer should use at least

_SIGNED = (
    "from",  # RFC 6376 5.4: From must be signed
    "reply-to",
    "subject",
    "date",
    "to",
    "cc",
    "message-id",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "list-id",
    "list-unsubscribe",
    "list-unsubscribe-post",
)
_PLACE = {name.encode(): place for place, name in enumerate(_SIGNED)}
_FROM = _SIGNED.index("from")

_WIDTH = 78  # RFC 5322 2.1.1: no line should be longer
_FOLD = "\r\n "
# What differs from message to message, as long as it will be, while the rest is folded.
_TIME, _HASH = "\1" * 10, "\2" * 44
_BLANKS = re.compile(rb"[ \t]+")

_LABEL = r"[A-Za-z0-9](?:[A-Za-z0-9-]{0,61}[A-Za-z0-9])?"
_DOMAIN = re.compile(rf"{_LABEL}(?:\.{_LABEL})+")
_SELECTOR = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")  # RFC 6376 3.1
_MAX_NAME = 253  # RFC 1035 2.3.4, as text without the last dot

_PADDING = PKCS1v15()
_SHA256 = SHA256()


class BadKey(MailoutError):
    """A file is no key that can sign, or its domain or selector cannot stand in the DNS."""


class Digest(NamedTuple):
    """What is signed of a message; the same for all keys.

    `counts` says how often each of the signed fields is there, `fields` has them in relaxed
    form, each with its CRLF, in the order of `h=`. `also` is the name of one more field, the last
    one, or empty.
    """

    counts: tuple[int, ...]
    fields: bytes
    body_hash: bytes
    also: str = ""


@dataclass(frozen=True, slots=True)
class Signer:
    """One key of a domain. Made by `prepare_signer`; the key itself stays out of `repr`."""

    domain: str
    selector: str
    algorithm: Algorithm
    _sign: Callable[[bytes], bytes] = field(repr=False)

    def sign(self, message: bytes, now: float) -> bytes:
        """The whole `DKIM-Signature` field with its CRLF, to be put before the message.

        `message` has lines ended by CRLF: the header, an empty line, the body. `now` is in
        seconds since 1970. Raises: MailoutError for a message without From.
        """
        return self.header(digest(message), now)

    def header(self, found: Digest, now: float) -> bytes:
        """As `sign`, of a message whose digest was taken already."""
        written, hashed = _template(
            self.domain, self.selector, self.algorithm, found.counts, found.also
        )
        values = (int(now), found.body_hash)
        # RFC 6376 3.7: the field itself comes last, `b=` empty, without its CRLF.
        raw = self._sign(found.fields + hashed % values)
        signature = binascii.b2a_base64(raw, newline=False)
        lines = [signature[: _WIDTH - 3]]  # after ` b=`
        lines += [
            signature[at : at + _WIDTH - 1] for at in range(_WIDTH - 3, len(signature), _WIDTH - 1)
        ]
        return b"%b%b\r\n" % (written % values, b"\r\n ".join(lines))


def sign(signers: Iterable[Signer], message: bytes, now: float, also: str = "") -> bytes:
    """The `DKIM-Signature` fields of all signers, to be put before the message.

    `also` is the name of a field of ours that is signed if it is there (a site's token header).
    The message is looked through once. Raises: MailoutError for a message without From.
    """
    found = digest(message, also)
    return b"".join([signer.header(found, now) for signer in signers])


def digest(message: bytes, also: str = "") -> Digest:
    """What is signed of a message. Raises: MailoutError if it has no From."""
    end = message.find(b"\r\n\r\n")
    if end == -1:  # a header alone
        head, start = message.removesuffix(b"\r\n"), len(message)
    else:
        head, start = message[:end], end + 4
    # RFC 6376 3.4.2: unfolding takes the CRLF away and leaves the white space.
    head = head.replace(b"\r\n ", b" ").replace(b"\r\n\t", b"\t")
    counts = [0] * len(_SIGNED)
    fields = [b""] * len(_SIGNED)
    name = f"{also.lower()}:".encode() if also else b""
    last = b""
    for line in head.split(b"\r\n"):
        place, relaxed = _field(line)
        if place is not None:
            # RFC 6376 5.4.2: of several with one name the lowest comes first.
            fields[place] = relaxed + fields[place]
            counts[place] += 1
        elif name and line[: len(name)].lower() == name:
            last = name + _BLANKS.sub(b" ", line[len(name) :]).strip(b" ") + b"\r\n"
    if not counts[_FROM]:
        raise MailoutError("a message without From cannot be signed")
    hashed = _body_hash(message, start)
    return Digest(tuple(counts), b"".join(fields) + last, hashed, also.lower() if last else "")


def prepare_signer(domain: str, selector: str, pem: bytes) -> Signer:
    """The signer with that private key (PEM: PKCS #8, or PKCS #1 for RSA).

    Raises: BadKey naming what is wrong with the key, the domain or the selector.
    """
    if said := name_fault(domain, selector):
        raise BadKey(said)
    key = _private_key(pem)
    if isinstance(key, RSAPrivateKey):
        return Signer(domain, selector, "rsa-sha256", _rsa(key))
    return Signer(domain, selector, "ed25519-sha256", _ed25519(key))


def public_record(pem: bytes) -> str:
    """The text of the DNS TXT record that belongs to a private key. Raises: BadKey."""
    key = _private_key(pem)
    public = key.public_key()
    if isinstance(key, RSAPrivateKey):
        kind, encoding, form = "rsa", Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    else:  # RFC 8463 4.2: the 32 bytes alone
        kind, encoding, form = "ed25519", Encoding.Raw, PublicFormat.Raw
    raw = public.public_bytes(encoding, form)
    return f"v=DKIM1; k={kind}; p={base64.b64encode(raw).decode()}"


def record_name(domain: str, selector: str) -> str:
    """Where in the DNS the record has to stand (RFC 6376 3.6.2.1)."""
    return f"{selector}._domainkey.{domain}"


def new_key(kind: Kind) -> bytes:
    """A fresh private key as PEM (PKCS #8, not encrypted).

    The one thing here that is not the same twice: the library takes no randomness of ours.
    """
    key: RSAPrivateKey | Ed25519PrivateKey
    if kind == "rsa":
        key = generate_private_key(public_exponent=65537, key_size=NEW_BITS)
    else:
        key = Ed25519PrivateKey.generate()
    return key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())


def name_fault(domain: str, selector: str) -> str:
    """What keeps a domain and a selector from being names in the DNS; empty if nothing does."""
    if not _DOMAIN.fullmatch(domain):
        return f"`{domain}` is not a domain in plain letters (write `xn--..` for others)"
    if not _SELECTOR.fullmatch(selector):
        return f"`{selector}` is not a selector: use letters, digits, hyphens, dots between them"
    if len(record_name(domain, selector)) > _MAX_NAME:
        return f"`{record_name(domain, selector)}` is too long for a name in the DNS"
    return ""


# Of the fields of an issue most are the same in every message: those are found again here.
@lru_cache(maxsize=64)
def _field(line: bytes) -> tuple[int | None, bytes]:
    """The place in `h=` of an unfolded field, None if it is not signed; and its relaxed form."""
    name, _, value = line.partition(b":")
    name = name.rstrip(b" \t").lower()
    place = _PLACE.get(name)
    if place is None:
        return None, b""
    # RFC 6376 3.4.2. Not bytes.split(): that takes more than blank and tab for white space.
    if b"  " in value or b"\t" in value:
        value = _BLANKS.sub(b" ", value)
    return place, name + b":" + value.strip(b" ") + b"\r\n"


def _body_hash(message: bytes, start: int) -> bytes:
    """The `bh=` of the body that begins at `start`, in base64.

    The body is taken as it is ("simple"), only its last empty lines go: it is some 10 KB per
    person, and "relaxed", which looks at all white space, would cost about 50 us more in
    Python. Ours is in quoted-printable or base64, where no line ends in a blank that a relay
    might cut off.
    """
    # RFC 6376 3.4.3: all CRLFs at the end become one, and an empty body becomes one.
    end = len(message)
    while message.endswith(b"\r\n", start, end):
        end -= 2
    body = message[start : end + 2] if end < len(message) else message[start:] + b"\r\n"
    return binascii.b2a_base64(hashlib.sha256(body).digest(), newline=False)


@lru_cache(maxsize=64)
def _template(
    domain: str, selector: str, algorithm: str, counts: tuple[int, ...], also: str
) -> tuple[bytes, bytes]:
    """The field up to its signature, as written and as hashed; time and body hash go in by `%`.

    Messages of one issue have the same fields, so this is worked out once for all of them.
    """
    # Oversigned: RFC 6376 5.4 and 8.15.
    names = [name for name, count in zip(_SIGNED, counts, strict=True) for _ in range(count + 1)]
    names += [also, also] if also else []
    tokens = ["DKIM-Signature:", " v=1;", f" a={algorithm};", " c=relaxed/simple;"]
    tokens += [f" d={domain};", f" s={selector};", f" t={_TIME};", f" h={names[0]}:"]
    tokens += [f"{name}:" for name in names[1:-1]]
    tokens += [f"{names[-1]};", f" bh={_HASH};"]
    rows = [""]
    for token in tokens:
        if len(rows[-1]) + len(token) > _WIDTH:
            rows.append(" ")
            token = token.lstrip()
        rows[-1] += token
    rows.append(" b=")
    # Neither domain nor selector nor a name of ours holds a `%`.
    written = "\r\n".join(rows).replace(_TIME, "%d").replace(_HASH, "%b")
    # RFC 6376 3.4.2 on our own field: every fold is one blank, and after the colon there is none.
    hashed = written.replace(_FOLD, " ").replace("DKIM-Signature: ", "dkim-signature:", 1)
    return written.encode("ascii"), hashed.encode("ascii")


def _private_key(pem: bytes) -> RSAPrivateKey | Ed25519PrivateKey:
    try:
        key = load_pem_private_key(pem, password=None)
    except TypeError:
        raise BadKey(
            "the key is encrypted", fix="Take the passphrase off: `openssl pkey -in OLD -out NEW`."
        ) from None
    except (ValueError, UnsupportedAlgorithm):
        raise _no_key(pem) from None
    if isinstance(key, Ed25519PrivateKey):
        return key
    if not isinstance(key, RSAPrivateKey):
        kind = type(key).__name__.strip("_").removesuffix("PrivateKey")
        raise BadKey(f"a key of the kind {kind} cannot sign DKIM", fix="Use RSA or Ed25519.")
    if key.key_size < MIN_BITS:
        raise BadKey(
            f"an RSA key of {key.key_size} bits is too short",
            fix=f"It needs {MIN_BITS} at least; {NEW_BITS} is good.",
        )
    return key


def _no_key(pem: bytes) -> BadKey:
    """Why the library could read no key in there."""
    if b"-----BEGIN PUBLIC KEY" in pem or b"-----BEGIN RSA PUBLIC KEY" in pem:
        return BadKey("this is the public key", fix="Name the file of the private one.")
    if b"-----BEGIN ENCRYPTED" in pem:
        return BadKey("the key is encrypted", fix="Take the passphrase off.")
    return BadKey("this is not a private key in PEM")


def _rsa(key: RSAPrivateKey) -> Callable[[bytes], bytes]:
    def signed(data: bytes) -> bytes:
        return key.sign(data, _PADDING, _SHA256)  # RFC 6376 3.3.1

    return signed


def _ed25519(key: Ed25519PrivateKey) -> Callable[[bytes], bytes]:
    def signed(data: bytes) -> bytes:
        return key.sign(hashlib.sha256(data).digest())  # RFC 8463 3: the hash is what is signed

    return signed
