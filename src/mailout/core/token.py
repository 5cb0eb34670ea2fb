"""Tokens: what stands in links and return paths, bound to one purpose each.

| token | form | may do |
|---|---|---|
| leave (in every mail) | 16 random bytes, stored with the subscription | leave that one list |
| undo | keyed hash over subscription and expiry | take back a leave within 24 hours |
| link (mailed, kept as a hash) | 16 random bytes | confirm one request, once |
| session (in the settings' form) | keyed hash over subscriber and expiry | use the settings for half an hour |
| reason (in the answer to a leave) | keyed hash over list, a random number and expiry | say once why, telling nobody who |
| form (in the sign-up form) | keyed hash over a random number and the time | sign up once |
| return path | hex (case-blind), keyed hash over delivery and list | name a report's delivery |
| trial (in a return path) | the same form, over a random number | be seen to come back, and nothing else |
| leave by mail | as the return path, for another purpose | leave that one list, by a mail to it |
| Message-ID | keyed hash of issue and address key | the same on a resend, telling nothing |

A key ring's newest key signs; every key in it verifies, until it is removed by hand.

Standards: RFC 7693 (keyed BLAKE2b), RFC 4648 5 (base64url), RFC 5322 3.6.4 (msg-id).
"""  # noqa: E501 - a table

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime

LEAVE_LENGTH = 22
"""Characters of a leave token: 16 bytes in base64url without padding."""

_SIGNED_MAC = 11
_RETURN_MAC = 7
_RETURN = b"return:"
_TRIAL = b"trial"
_REASON = b"reason:"
_LEAVE = b"leave by mail:"


@dataclass(frozen=True, slots=True)
class Key:
    """One secret of a ring; `number` (0-255) is carried in the token to find it again."""

    number: int
    secret: bytes


@dataclass(frozen=True, slots=True)
class Ring:
    """The keys of one purpose, newest first."""

    keys: tuple[Key, ...]

    @property
    def newest(self) -> Key:
        return self.keys[0]

    def numbered(self, number: int) -> Key | None:
        return next((key for key in self.keys if key.number == number), None)


@dataclass(frozen=True, slots=True)
class Signed:
    """What a valid signed token says: which thing, and until when (whole seconds)."""

    id: int
    expires: datetime


def leave_token(random: bytes) -> str:
    """The text of a leave token from 16 random bytes: 22 url-safe characters."""
    return base64.urlsafe_b64encode(random).rstrip(b"=").decode()


def leave_tokens(random: bytes) -> list[str]:
    """The texts of many leave tokens, of which each takes 16 of the random bytes."""
    # Filled up to 18 bytes, each is 24 characters of one long text, and the first 22 are its own.
    filled = b"".join([random[at : at + 16] + b"\0\0" for at in range(0, len(random), 16)])
    text = base64.urlsafe_b64encode(filled).decode()
    return [text[at : at + LEAVE_LENGTH] for at in range(0, len(text), 24)]


def link_token(random: bytes) -> str:
    """The text of a mailed link's token from 16 random bytes: 22 url-safe characters."""
    return leave_token(random)


def link_hash(token: str) -> str:
    """What is kept of a link's token (64 hex digits): who reads the store cannot use it."""
    return hashlib.sha256(token.encode()).hexdigest()


def undo_token(ring: Ring, subscription_id: int, expires: datetime) -> str:
    """32 url-safe characters that let `subscription_id` take back its leave until `expires`."""
    return _sign(ring, b"undo", subscription_id, expires)


def read_undo(ring: Ring, token: str, now: datetime) -> Signed | None:
    """What an undo token speaks for; None if forged, broken or expired."""
    return _read(ring, b"undo", token, now)


def session_token(ring: Ring, subscriber_id: int, expires: datetime) -> str:
    """32 url-safe characters that open the settings of `subscriber_id` until `expires`."""
    return _sign(ring, b"session", subscriber_id, expires)


def read_session(ring: Ring, token: str, now: datetime) -> Signed | None:
    """Whose settings a session token opens; None if forged, broken or expired."""
    return _read(ring, b"session", token, now)


def form_token(ring: Ring, random: bytes, expires: datetime) -> str:
    """32 url-safe characters that a form carries, from 8 random bytes."""
    return _sign(ring, b"form", int.from_bytes(random), expires)


def read_form(ring: Ring, token: str, now: datetime) -> Signed | None:
    """The form's number and expiry; None if forged, broken or expired."""
    return _read(ring, b"form", token, now)


def reason_token(ring: Ring, list_id: str, random: bytes, expires: datetime) -> str:
    """32 url-safe characters, from 8 random bytes, that let whoever has just left a list say
    why. They hold nothing of the person."""
    return _sign(ring, _REASON + list_id.encode(), int.from_bytes(random), expires)


def read_reason(ring: Ring, list_id: str, token: str, now: datetime) -> Signed | None:
    """The token's random number and expiry; None if forged, broken, expired or another list's."""
    return _read(ring, _REASON + list_id.encode(), token, now)


def _sign(ring: Ring, purpose: bytes, number: int, expires: datetime) -> str:
    body = bytes([ring.newest.number]) + number.to_bytes(8) + _seconds(expires)
    return _url64(body + _mac(ring.newest, purpose, body, _SIGNED_MAC))


def _read(ring: Ring, purpose: bytes, token: str, now: datetime) -> Signed | None:
    raw = _from_url64(token)
    if raw is None or len(raw) != 13 + _SIGNED_MAC:
        return None
    body, mac = raw[:13], raw[13:]
    key = ring.numbered(body[0])
    if key is None or not hmac.compare_digest(mac, _mac(key, purpose, body, _SIGNED_MAC)):
        return None
    expires = int.from_bytes(body[9:13])
    if expires < int(now.timestamp()):
        return None
    return Signed(int.from_bytes(body[1:9]), datetime.fromtimestamp(expires, UTC))


def return_paths(ring: Ring, list_name: str) -> Callable[[int], str]:
    """What makes 32 hex digits that name a delivery of the list in its return path (VERP)."""
    return _coded(ring, _RETURN + list_name.encode())


def _coded(ring: Ring, purpose: bytes) -> Callable[[int], str]:
    number = bytes([ring.newest.number])
    begun = _begun(ring.newest, purpose, _RETURN_MAC)

    def token(id_: int) -> str:
        body = number + id_.to_bytes(8)
        mac = begun.copy()
        mac.update(body)
        return (body + mac.digest()).hex()

    return token


def return_path_token(ring: Ring, delivery_id: int, list_name: str) -> str:
    """The token of one delivery's return path, as `return_paths` makes it."""
    return return_paths(ring, list_name)(delivery_id)


def read_return_path(ring: Ring, token: str, list_name: str) -> int | None:
    """The delivery that a return-path token names on that list; case-blind, None if not ours."""
    return _decoded(ring, _RETURN + list_name.encode(), token)


def leave_paths(ring: Ring, list_name: str) -> Callable[[int], str]:
    """What makes 32 hex digits that name a delivery of the list, and may only leave that list."""
    return _coded(ring, _LEAVE + list_name.encode())


def read_leave_path(ring: Ring, token: str, list_name: str) -> int | None:
    """The delivery whose reader such a token lets leave; case-blind, None if not ours."""
    return _decoded(ring, _LEAVE + list_name.encode(), token)


def trial_token(ring: Ring, random: bytes) -> str:
    """A token from 8 random bytes that looks like a return path's, and names no delivery."""
    return _coded(ring, _TRIAL)(int.from_bytes(random))


def is_trial(ring: Ring, token: str) -> bool:
    """Whether we made the token to see what comes back; case-blind."""
    return _decoded(ring, _TRIAL, token) is not None


def _decoded(ring: Ring, purpose: bytes, token: str) -> int | None:
    try:
        raw = bytes.fromhex(token)
    except ValueError:
        return None
    # `fromhex` passes over blanks: only the spelling we would write counts.
    if len(raw) != 9 + _RETURN_MAC or raw.hex() != token.lower():
        return None
    body, mac = raw[:9], raw[9:]
    key = ring.numbered(body[0])
    if key is None:
        return None
    wanted = _mac(key, purpose, body, _RETURN_MAC)
    return int.from_bytes(body[1:]) if hmac.compare_digest(mac, wanted) else None


def message_ids(secret: bytes, issue_id: int, domain: str) -> Callable[[str], str]:
    """What makes `<...@domain>`: the same for every try of the issue to an address key."""
    begun = hashlib.blake2b(f"{issue_id}:".encode(), key=secret, digest_size=20)

    def identity(address_key: str) -> str:
        made = begun.copy()
        made.update(address_key.encode())
        return f"<{made.hexdigest()}@{domain}>"

    return identity


def message_id(secret: bytes, issue_id: int, address_key: str, domain: str) -> str:
    """The Message-ID of one message, as `message_ids` makes it."""
    return message_ids(secret, issue_id, domain)(address_key)


def _mac(key: Key, purpose: bytes, body: bytes, length: int) -> bytes:
    mac = _begun(key, purpose, length)
    mac.update(body)
    return mac.digest()


def _begun(key: Key, purpose: bytes, length: int) -> hashlib.blake2b:
    # Not hmac.digest: that gives up the interpreter at every call, and a send makes two a mail.
    return hashlib.blake2b(purpose + b"\0", key=key.secret, digest_size=length)


def _seconds(moment: datetime) -> bytes:
    return int(moment.astimezone(UTC).timestamp()).to_bytes(4)


def _url64(raw: bytes) -> str:
    return base64.urlsafe_b64encode(raw).rstrip(b"=").decode()


def _from_url64(text: str) -> bytes | None:
    if len(text) > 64 or not text.isascii():
        return None
    try:
        raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    except (binascii.Error, ValueError):
        return None
    # base64 ignores stray bits and characters: only the one spelling we would write counts.
    return raw if _url64(raw) == text else None
