"""Partnerships: two organisations that spare each other's people, without showing addresses.

Both hold one secret, which is of this partnership alone. What they exchange are keyed hashes:
whoever holds the secret can try addresses that they know already, and read no others.

| a file of hashes | |
|---|---|
| 1st line | `mailout suppressions 1 CHECK`; CHECK tells whether the secret is the same |
| each other | one hash of an address, 64 hex digits, in their order |

Standards: RFC 2104 (HMAC).
"""

from __future__ import annotations

import hmac
import re
from collections.abc import Iterable, Iterator

from mailout.core.address import Address
from mailout.core.errors import BadFile, place

_HEAD = "mailout suppressions 1"
_HASH = re.compile(r"[0-9a-f]{64}")
_CHECK = b"mailout partnership"
NAME = re.compile(r"[a-z0-9][a-z0-9-]{0,40}")
"""What a partner can be called."""


def hash_of(address: Address, secret: bytes) -> str:
    """The hash (64 hex digits) by which a partner knows the address."""
    return hmac.digest(secret, b"address:" + address.canonical.encode(), "sha256").hex()


def written(hashes: Iterable[str], secret: bytes) -> Iterator[str]:
    """The lines of a file with these hashes, in an order that tells nothing."""
    yield f"{_HEAD} {_check(secret)}\n"
    for one in sorted(set(hashes)):
        yield one + "\n"


def read(lines: Iterable[str], secret: bytes, file: str) -> Iterator[str]:
    """The hashes of a file that was made with the same secret.

    Raises: BadFile with the line, for a file of another secret or another kind.
    """
    number = 0
    for number, line in enumerate(lines, start=1):
        text = line.strip()
        if number == 1:
            _check_head(text, secret, file)
        elif _HASH.fullmatch(text):
            yield text
        elif text:
            raise BadFile(
                "this line is no hash of an address",
                where=place(file, number),
                fix="Ask for the file again: it was cut or changed on its way.",
            )
    if not number:
        raise BadFile("the file is empty", where=file)


def _check_head(text: str, secret: bytes, file: str) -> None:
    head, _, check = text.rpartition(" ")
    if head != _HEAD:
        raise BadFile(
            "this is no file of `mailout suppressions export`",
            where=place(file, 1),
            fix=f"It begins with `{_HEAD}`; addresses are never read here.",
        )
    if not hmac.compare_digest(check, _check(secret)):
        raise BadFile(
            "the file was made with another secret",
            where=place(file, 1),
            fix="Both sides need the same one: `mailout suppressions partner` shows how.",
        )


def _check(secret: bytes) -> str:
    return hmac.digest(secret, _CHECK, "sha256").hex()[:16]
