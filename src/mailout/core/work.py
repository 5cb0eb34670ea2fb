"""Proof of work: what a browser does for a second, so that signing up a million costs days.

The browser looks for digits that, after the form's token and a colon, give a SHA-256 hash with
`BITS` zero bits at its beginning. Checking that takes one hash. It is nobody's service but ours.
"""

from __future__ import annotations

import hashlib
import re

BITS = 17
"""131,072 hashes on average: a tenth of a second on a desktop, some three on an old phone."""

_DIGITS = re.compile(r"[0-9]{1,12}")


def is_done(token: str, digits: str) -> bool:
    """Whether the digits are the work that the form's token asks for."""
    if not _DIGITS.fullmatch(digits):
        return False
    found = hashlib.sha256(f"{token}:{digits}".encode()).digest()
    return int.from_bytes(found[:4]) >> (32 - BITS) == 0
