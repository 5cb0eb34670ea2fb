"""Plain text as HTML: paragraphs, lists of typed bullets, addresses as links, lines kept.

| text | HTML |
|---|---|
| a blank line | ends a paragraph |
| a line end | a break; a space where the whole text was wrapped by a program |
| lines with a bullet or a number before each | a list |
| `a)` `b)` before lines | lines, as they are |
| few words alone before a paragraph | a heading |
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from html import escape

_BULLET = re.compile(r"\s*[•‣◦▪●·*–—-]\s+(?=\S)")
_NUMBER = re.compile(r"\s*(\d{1,3})[.)]\s+(?=\S)")
_LETTER = re.compile(r"\s*\w\)\s")
_ADDRESS = re.compile(
    r"(?P<web>https?://[^\s<>\"]*[^\s<>\".,;:!?)\]»”'])"
    r"|(?<![\w.+-])(?P<mail>[\w.+-]{1,64}@(?:[\w-]+\.)+[A-Za-z]{2,})",
    re.A,
)
_WRAPPED_AT = range(50, 82)  # columns at which programs wrap
_FEW_WORDS, _FEW_LETTERS = 8, 60
_ENDS = tuple('.!?:;,…)"”»')


def paragraphs(text: str) -> list[list[str]]:
    """The lines of each paragraph, without the space around them."""
    blocks = re.split(r"\n[ \t\xa0]*(?:\n[ \t\xa0]*)+", text.strip("\n"))
    lines = ([line.strip() for line in block.split("\n")] for block in blocks)
    return [kept for block in lines if (kept := [line for line in block if line])]


def html(blocks: Sequence[Sequence[str]]) -> str:
    """The HTML of paragraphs of plain text."""
    wrapped = _is_wrapped(blocks)
    parts: list[str] = []
    for at, lines in enumerate(blocks):
        following = blocks[at + 1] if at + 1 < len(blocks) else ()
        if at > 0 and _is_heading(lines, following):
            parts.append(f"<h2>{linked(lines[0])}</h2>")
        else:
            parts += _block(lines, wrapped)
    return "\n".join(parts)


def linked(text: str) -> str:
    """The text as HTML, its web and mail addresses as links."""
    parts: list[str] = []
    done = 0
    for found in _ADDRESS.finditer(text):
        words = found[0]
        parts.append(escape(text[done : found.start()]))
        target = words if found["web"] else f"mailto:{words}"
        parts.append(f'<a href="{escape(target)}">{escape(words)}</a>')
        done = found.end()
    return "".join(parts) + escape(text[done:])


def _block(lines: Sequence[str], wrapped: bool) -> list[str]:
    """A paragraph and the lists in it."""
    parts: list[str] = []
    at = 0
    while at < len(lines):
        end = at
        kind = _kind(lines[at])
        while end < len(lines) and _kind(lines[end]) == kind:
            end += 1
        run = lines[at:end]
        at = end
        if kind == "ul":
            parts.append(_list("<ul>", [_BULLET.sub("", line, count=1) for line in run], "</ul>"))
        elif kind == "ol" and len(run) > 1 and (start := _counts_from(run)):
            items = [_NUMBER.sub("", line, count=1) for line in run]
            parts.append(_list(f'<ol start="{start}">', items, "</ol>"))
        else:
            joint = " " if wrapped and not _LETTER.match(run[-1]) else "<br>"
            parts.append(f"<p>{joint.join(linked(line) for line in run)}</p>")
    return parts


def _list(start: str, items: Sequence[str], end: str) -> str:
    return start + "".join(f"<li>{linked(item)}</li>" for item in items) + end


def _kind(line: str) -> str:
    return "ul" if _BULLET.match(line) else "ol" if _NUMBER.match(line) else ""


def _counts_from(lines: Sequence[str]) -> int:
    """The first of the numbers before lines, if each next is one more; else 0."""
    numbers = [int(found[1]) for line in lines if (found := _NUMBER.match(line))]
    return numbers[0] if numbers == list(range(numbers[0], numbers[0] + len(lines))) else 0


def _is_wrapped(blocks: Sequence[Sequence[str]]) -> bool:
    """Whether a program wrapped the lines: nearly all but the last of a paragraph are as long."""
    inner = [len(line) for lines in blocks for line in lines[:-1]]
    long = sum(length in _WRAPPED_AT for length in inner)
    return len(inner) >= 4 and long >= 0.85 * len(inner)


def _is_heading(lines: Sequence[str], following: Sequence[str]) -> bool:
    """Whether a line is set above a paragraph: few words, no end of a sentence, more below."""
    if len(lines) != 1 or not following or _kind(lines[0]) or _ADDRESS.search(lines[0]):
        return False
    line, below = lines[0], " ".join(following)
    return (
        len(line.split()) <= _FEW_WORDS
        and len(line) <= _FEW_LETTERS
        and not line.endswith(_ENDS)
        and line[0].isupper()
        and len(below) > 3 * len(line)
        and any(text.endswith(_ENDS) for text in following)
    )
