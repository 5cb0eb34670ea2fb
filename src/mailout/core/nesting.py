"""Nesting: whether what a document opens is closed, before a reader mends it by a guess of its own.

Only elements whose end tag nobody may leave out count (HTML 13.1.2.4 lets `</p>`, `</li>`, `</td>`
and the like go). An element that closes while one within it is open leaves that one unclosed.
"""

from __future__ import annotations

import re
from collections import Counter

from mailout.core.errors import BadFile

_STRICT = (
    "a", "abbr", "b", "bdi", "bdo", "big", "blockquote", "center", "cite", "code", "del", "div",
    "em", "font", "h1", "h2", "h3", "h4", "h5", "h6", "i", "ins", "ol", "pre", "s", "small", "span",
    "strike", "strong", "sub", "sup", "table", "u", "ul",
)  # fmt: skip
_PIECE = re.compile(
    r"<!--(?P<comment>.*?)(?P<closed>-->|\Z)|<(?P<raw>style|title|script)\b.*?(?P<over></(?P=raw)\s*>|\Z)"
    r"|<(?P<end>/?)(?P<name>[a-z][a-z0-9]*)\b(?:\"[^\"]*\"|'[^']*'|[^<>\"'])*+(?P<last>>?)",
    re.I | re.S,
)
_WORDS = re.compile(r"<[^>]*>|\s+")
_NEAR = 60  # characters that tell the place


def refuse_unclosed(html: str, name: str) -> None:
    """Nothing, if all elements and comments have their end. Raises: BadFile naming one without."""
    open_ones: list[tuple[str, int]] = []
    inside: Counter[str] = Counter()
    for piece in _PIECE.finditer(html):
        if piece["comment"] is not None:
            if not piece["closed"] or "<!--" in piece["comment"]:
                raise _unclosed("a comment", "-->", html, piece.start(), name)
            continue
        if piece["raw"]:
            if not piece["over"]:
                tag = piece["raw"].lower()
                raise _unclosed(f"<{tag}>", f"</{tag}>", html, piece.start(), name)
            continue
        tag = piece["name"].lower()
        if not piece["last"]:
            raise _unclosed(f"the tag <{tag}", ">", html, piece.start(), name)
        if tag not in _STRICT:
            continue
        if not piece["end"]:
            open_ones.append((tag, piece.end()))
            inside[tag] += 1
        elif inside[tag]:
            last, at = open_ones.pop()
            inside[last] -= 1
            if last != tag:
                raise _unclosed(f"<{last}>", f"</{last}>", html, at, name)
    if open_ones:
        last, at = open_ones[-1]
        raise _unclosed(f"<{last}>", f"</{last}>", html, at, name)


def _unclosed(what: str, end: str, html: str, at: int, name: str) -> BadFile:
    near = _WORDS.sub(" ", html[at : at + 600].removeprefix("<!--")).split()
    told = " ".join(near)[:_NEAR].strip()
    return BadFile(
        f"{what} is opened and never closed, before “{told}”", where=name, fix=f"Close it: `{end}`."
    )
