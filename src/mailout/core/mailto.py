"""A prepared letter as a link: `mailto:` with copies, subject and text.

Standards: RFC 6068.
"""

from __future__ import annotations

from collections.abc import Sequence
from urllib.parse import quote


def mailto(to: str, cc: Sequence[str], subject: str, body: str) -> str:
    """The link that begins a letter in the reader's own mail program; empty without a `to`.

    `to` stands there as it stands in a link (`address`).
    """
    if not to:
        return ""
    fields = [("cc", ",".join(cc)), ("subject", subject), ("body", body)]
    # RFC 6068 5: a line of the text ends in %0D%0A.
    query = "&".join(
        f"{name}={quote(value.replace(chr(10), chr(13) + chr(10)), '@,', errors='replace')}"
        for name, value in fields
        if value
    )
    return f"mailto:{to}" + (f"?{query}" if query else "")


def address(text: str) -> str:
    """An address as it stands in a link."""
    return quote(text, safe="@")
