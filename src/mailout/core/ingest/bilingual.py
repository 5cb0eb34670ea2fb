"""Bilingual texts: the languages that translation plugins put into one title or body.

| plugin | its marks |
|---|---|
| qTranslate-X and after | `[:en]Strike[:ru]Забастовка[:]`, also with braces |
| qTranslate | `<!--:en-->Strike<!--:--><!--:ru-->Забастовка<!--:-->` |

What stands outside the marks belongs to every language.
"""

from __future__ import annotations

import re

MOST = 30
"""Languages of one text; what has more marks has them for something else."""

_MARK = re.compile(r"\[:([a-z]{2,3})?\]|\{:([a-z]{2,3})?\}|<!--:([a-z]{2,3})?-->")


def languages(text: str) -> tuple[str, ...]:
    """The codes that the text has marks for, in their order; none for an ordinary text."""
    found = (next((code for code in mark if code), "") for mark in _MARK.findall(text))
    codes = tuple(dict.fromkeys(code for code in found if code))
    return codes if len(codes) <= MOST else ()


def part(text: str, code: str) -> str:
    """What a reader of the language `code` sees of the text."""
    kept: list[str] = []
    begin, current = 0, ""
    for mark in _MARK.finditer(text):
        if current in ("", code):
            kept.append(text[begin : mark.start()])
        current = mark[1] or mark[2] or mark[3] or ""
        begin = mark.end()
    if current in ("", code):
        kept.append(text[begin:])
    return "".join(kept)


def has(text: str, code: str) -> bool:
    """Whether the text says anything under the mark of that language."""
    current, begin = "", 0
    for mark in [*_MARK.finditer(text), None]:
        if current == code and text[begin : mark.start() if mark else len(text)].strip():
            return True
        if mark:
            current, begin = mark[1] or mark[2] or mark[3] or "", mark.end()
    return False
