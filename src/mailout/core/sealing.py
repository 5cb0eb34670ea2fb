"""Sealing: a stream of any length, encrypted under a passphrase in memory of a bounded size.

    head    MAGIC, 1 byte log2 of scrypt's N, 16 bytes salt, 16 bytes check
    block   65,536 bytes (the last one may be shorter), encrypted, and a tag of 16 bytes
    ..

The key is made of the passphrase and the salt by scrypt; the check, a keyed hash of the head,
tells a wrong passphrase from a damaged file. Each block has its number and whether it is the
last one as its nonce. So a block that is changed, moved, left out or added is found, and so is
an end that was cut off: this is the STREAM construction of Hoang, Reyhanitabar, Rogaway and
Vizar, as age has it.

Standards: RFC 7914 (scrypt), RFC 8439 (ChaCha20-Poly1305), RFC 2104 (HMAC).
"""

from __future__ import annotations

import hashlib
import hmac
import unicodedata
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt

from mailout.core.errors import BadFile, MailoutError

MAGIC = b"mailout sealed backup 1\n"
SALT = 16
"""Random bytes that a new head needs."""
BLOCK = 64 * 1024
COST = 17  # N = 2^17: 128 MB and about half a second for each passphrase that is tried
_COSTS = range(10, 21)  # what is read: a hostile file must not ask for all memory
_CHECK = 16
_TAG = 16
HEAD = len(MAGIC) + 1 + SALT + _CHECK
"""Bytes of a head."""
_SHORTEST = 12


@dataclass(frozen=True, slots=True)
class Seal:
    """The head of a sealed stream, and the key to it."""

    head: bytes
    key: bytes = field(repr=False)


def refuse_weak(passphrase: str) -> None:
    """Nothing. Raises: MailoutError for a passphrase that is guessed too easily."""
    if len(passphrase) < _SHORTEST:
        raise MailoutError(
            f"the passphrase is shorter than {_SHORTEST} characters",
            fix="Take six words at random: they are easy to write down and hard to guess.",
        )


def new_seal(passphrase: str, salt: bytes, cost: int = COST) -> Seal:
    """A seal for a new stream; `salt` is `SALT` random bytes, never used before."""
    start = MAGIC + bytes([cost]) + salt
    key, checking = _keys(passphrase, salt, cost)
    return Seal(start + _check(checking, start), key)


def open_seal(head: bytes, passphrase: str) -> Seal:
    """The seal of a stream that begins with those `HEAD` bytes.

    Raises: BadFile for a head that is none, MailoutError if it is not of this passphrase.
    """
    if len(head) != HEAD or not head.startswith(MAGIC) or head[len(MAGIC)] not in _COSTS:
        raise BadFile("the head of the backup is damaged", fix="Take another copy of it.")
    start, cost = head[:-_CHECK], head[len(MAGIC)]
    key, checking = _keys(passphrase, start[-SALT:], cost)
    if not hmac.compare_digest(_check(checking, start), head[-_CHECK:]):
        raise MailoutError("the passphrase does not open this backup", fix="Type it again.")
    return Seal(head, key)


@dataclass(slots=True)
class Sealer:
    """Seals what it is given piece by piece. The end comes by `finish`, once."""

    seal: Seal
    _kept: bytearray = field(default_factory=bytearray)
    _number: int = 0

    def update(self, piece: bytes) -> bytes:
        """What of the sealed stream is ready by now; may be empty."""
        self._kept += piece
        done = bytearray()
        # A whole block is kept until it is known that it is not the last one.
        while len(self._kept) > BLOCK:
            done += self._block(bytes(self._kept[:BLOCK]), last=False)
            del self._kept[:BLOCK]
        return bytes(done)

    def finish(self) -> bytes:
        """The last block."""
        return self._block(bytes(self._kept), last=True)

    def _block(self, plain: bytes, *, last: bool) -> bytes:
        sealed = ChaCha20Poly1305(self.seal.key).encrypt(_nonce(self._number, last), plain, None)
        self._number += 1
        return sealed


def unsealed(seal: Seal, read: Callable[[int], bytes]) -> Iterator[bytes]:
    """The blocks of a sealed stream; `read(n)` gives the next n bytes of it after the head, fewer
    only at its end.

    Raises: BadFile at the first block that is not as it was written.
    """
    cipher = ChaCha20Poly1305(seal.key)
    block, number = read(BLOCK + _TAG), 0
    while True:
        following = read(BLOCK + _TAG)
        try:
            yield cipher.decrypt(_nonce(number, last=not following), block, None)
        except InvalidTag:
            raise BadFile(
                f"the backup is damaged or cut off, {number * BLOCK:,} bytes after its beginning",
                fix="Take another copy of it.",
            ) from None
        if not following:
            return
        block, number = following, number + 1


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(11) + bytes([last])


def _keys(passphrase: str, salt: bytes, cost: int) -> tuple[bytes, bytes]:
    # NFC: one keyboard writes an accent apart from its letter, another does not.
    words = unicodedata.normalize("NFC", passphrase).encode()
    both = Scrypt(salt=salt, length=64, n=1 << cost, r=8, p=1).derive(words)
    return both[:32], both[32:]


def _check(key: bytes, start: bytes) -> bytes:
    return hmac.digest(key, start, hashlib.sha256)[:_CHECK]
