"""Paper sheets to sign up on, for a stall, a meeting, a picket line.

A sheet has a code, by which an import names the words that stood over the signatures.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

_LETTERS = "23456789ABCDEFGHJKLMNPQRSTUVWXYZ"
"""32 signs that nobody mistakes for one another in somebody's handwriting."""


@dataclass(frozen=True, slots=True)
class Sheet:
    """A sheet as it was printed; `wording` is what those agree to who sign it."""

    code: str
    list_id: str
    language: str
    wording: str
    made_at: datetime


def code(random: bytes) -> str:
    """A code such as `7KXF-2M9Q` from 8 random bytes."""
    signs = "".join(_LETTERS[byte % 32] for byte in random[:8])
    return f"{signs[:4]}-{signs[4:]}"


def normal(typed: str) -> str:
    """A code as it stands in the store, from how somebody typed it."""
    signs = "".join(c for c in typed.upper() if c.isalnum())
    return f"{signs[:4]}-{signs[4:]}"
