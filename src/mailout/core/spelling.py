"""Spelling: letters that look the same are the same ones.

`й` may come as one letter or as `и` with a breve: a file typed on another system has the second.
Kept as it came, a tag would be two that nobody can tell apart, and a rule would miss people.

Standards: Unicode Standard Annex 15, form C.
"""

from __future__ import annotations

import unicodedata


def composed(text: str) -> str:
    """The text with each letter in one piece, as names, tags and fields are kept and compared."""
    return text if text.isascii() else unicodedata.normalize("NFC", text)


def folded(text: str) -> str:
    """The text with capitals set aside, as texts are compared on either database: Σ is σ, within a
    word and at its end, and İ is i."""
    return text.lower().replace("ς", "σ").replace("i\u0307", "i")
