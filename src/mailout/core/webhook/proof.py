"""Proofs that a request is a provider's: logins, shared secrets, signatures, and their age.

Everything is compared in constant time. A signature is old after a day and an hour: providers
try again for up to a day, some under the first signature. A replay within it does no harm, since
each event counts once.

Standards: RFC 7617 (Basic), RFC 2104 (HMAC), FIPS 186-5 (ECDSA), RFC 8017 8.2 (RSA).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime, timedelta

from mailout.core.webhook.settings import Login

OLDEST = timedelta(hours=25)
_AHEAD = timedelta(minutes=15)  # clocks differ
_SECONDS = re.compile(r"[0-9]{1,11}(?:\.[0-9]{1,9})?")
_PEM = re.compile(r"-----[A-Z ]+-----|\s+")


def shows(headers: Mapping[str, str], login: Login) -> bool:
    """Whether the headers (names in small letters) show the secret that was agreed on."""
    if login.header:
        value = headers.get(login.header.lower(), "")
        # Some providers write their token behind a word, as if it were OAuth.
        return bool(login.secret) and (
            same(value, login.secret) | same(value.removeprefix("Bearer "), login.secret)
        )
    scheme, _, encoded = headers.get("authorization", "").partition(" ")
    given = decoded(encoded.strip()) if scheme.lower() == "basic" else None
    wanted = f"{login.username}:{login.password}".encode()
    return bool(login.password) and given is not None and hmac.compare_digest(given, wanted)


def same(given: str, wanted: str) -> bool:
    """Whether two texts are the same, in a time that does not say where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "surrogatepass"), wanted.encode())


def decoded(text: str) -> bytes | None:
    """The bytes of base64; None if it is none."""
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None


def is_recent(moment: datetime | None, now: datetime) -> bool:
    """Whether something signed at that moment still counts."""
    return moment is not None and -_AHEAD <= now - moment <= OLDEST


def seconds(text: str) -> datetime | None:
    """The moment of a text of seconds since 1970; None if it is none."""
    with suppress(ValueError, OverflowError, OSError):
        if _SECONDS.fullmatch(text):
            return datetime.fromtimestamp(float(text), UTC)
    return None


def iso(text: str) -> datetime | None:
    """The moment of a text such as `2026-11-26T10:00:00.123Z`; None if it is none."""
    with suppress(ValueError):
        if text.endswith("Z"):
            return datetime.fromisoformat(text)
    return None


def key_fault(public_key: str) -> str:
    """What is wrong with a public key for ECDSA over P-256; empty if it is one."""
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    der = decoded(_PEM.sub("", public_key))
    if not der:
        return "it is not base64"
    try:
        key = load_der_public_key(der)
    except Exception:  # whatever the library thinks of it
        return "it is no public key"
    curve = isinstance(key, ec.EllipticCurvePublicKey) and key.curve.name
    return "" if curve == "secp256r1" else "it is no key of the curve P-256"


def ecdsa_signed(public_key: str, signature: str, message: bytes) -> bool:
    """Whether the signature (base64) of the message is that of the key (base64 or PEM)."""
    # Only here: the library takes as long to import as all the rest.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.hazmat.primitives.hashes import SHA256
    from cryptography.hazmat.primitives.serialization import load_der_public_key

    raw = decoded(signature)
    if raw is None or key_fault(public_key):
        return False
    key = load_der_public_key(decoded(_PEM.sub("", public_key)) or b"")
    if not isinstance(key, ec.EllipticCurvePublicKey):
        return False
    try:
        key.verify(raw, message, ec.ECDSA(SHA256()))
    except InvalidSignature:
        return False
    return True


def rsa_signed(
    certificate: bytes, signature: str, message: bytes, *, sha1: bool, now: datetime
) -> bool:
    """Whether the signature (base64) of the message is that of the certificate (PEM), which is
    valid now."""
    from cryptography import x509
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import padding, rsa

    raw = decoded(signature)
    try:
        holder = x509.load_pem_x509_certificate(certificate)
        key = holder.public_key()
        valid = holder.not_valid_before_utc <= now <= holder.not_valid_after_utc
    except Exception:  # whatever the library thinks of what was fetched
        return False
    if raw is None or not valid or not isinstance(key, rsa.RSAPublicKey):
        return False
    # SHA-1 is what the provider's first version of signatures has; forging one would need a
    # second preimage, which nobody can make.
    algorithm = hashes.SHA1() if sha1 else hashes.SHA256()  # noqa: S303
    try:
        key.verify(raw, message, padding.PKCS1v15(), algorithm)
    except InvalidSignature:
        return False
    return True
