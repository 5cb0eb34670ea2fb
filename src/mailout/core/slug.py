"""Slugs: the part of a file's name that comes from a title, safe on every file system."""

from __future__ import annotations

import re
import unicodedata

_MOST_CHARACTERS = 60
_MOST_BYTES = 180  # a name may have 255, with its date, its language and its ending
# Names of devices on Windows, with any ending.
_RESERVED = re.compile(r"(?:con|prn|aux|nul|com\d|lpt\d)")


def slug(title: str) -> str:
    """Lower-case words joined by hyphens; letters of other scripts are kept. Never empty."""
    text = unicodedata.normalize("NFC", unicodedata.normalize("NFC", title).lower())
    # Vowel signs and the like are part of a word in many scripts, and no word begins with one.
    letters = "".join(c if unicodedata.category(c)[0] in "LNM" else " " for c in text)
    words = [word for part in letters.split() if (word := re.sub(r"^\W+", "", part))]
    joined = _cut(words[0]) if words else "post"
    for word in words[1:]:
        if _cut(f"{joined}-{word}") != f"{joined}-{word}":
            break
        joined += f"-{word}"
    return f"post-{joined}" if _RESERVED.fullmatch(joined) else joined


def _cut(text: str) -> str:
    return text[:_MOST_CHARACTERS].encode()[:_MOST_BYTES].decode(errors="ignore")
