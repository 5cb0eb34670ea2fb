"""Rules about what the eye sees: B13, B15, B16, B19.

Colours are computed from what stands in the tags: the mail must be readable where the style
blocks are thrown away. Standards: WCAG 2.2 1.4.3 (contrast), 1.4.4, 1.4.12.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from mailout.core.check.letter import Letter
from mailout.core.check.rule import Fault, Severity, rule

_LEAST, _LEAST_LARGE = 4.5, 3.0
_LARGE, _LARGE_BOLD = 24.0, 18.66  # pixels
_SMALLEST, _LOWEST_LINE = 14.0, 1.4
_PREHEADER = (40, 110)
_NAMED = {
    "black": (0, 0, 0), "white": (255, 255, 255), "red": (255, 0, 0), "green": (0, 128, 0),
    "blue": (0, 0, 255), "gray": (128, 128, 128), "grey": (128, 128, 128),
    "silver": (192, 192, 192), "navy": (0, 0, 128), "maroon": (128, 0, 0), "yellow": (255, 255, 0),
}  # fmt: skip
_DECLARATION = re.compile(r"([\w-]+)\s*:\s*([^;]+)")
_RGB = re.compile(r"rgba?\(\s*(\d+)[,\s]+(\d+)[,\s]+(\d+)")
_SKIPPED = frozenset({"head", "style", "title", "script"})
# What fewer than half of the mail programs people use know (facts: caniemail.com, MIT licence,
# as of mid 2026, for Gmail, Outlook, Apple Mail, Yahoo, Thunderbird, GMX and mail.ru).
_POOR = {
    "display": ("flex", "inline-flex", "grid", "inline-grid"),
    "position": ("absolute", "fixed", "sticky"),
    "gap": (), "grid-template-columns": (), "clip-path": (), "filter": (), "mix-blend-mode": (),
    "object-fit": (), "aspect-ratio": (), "inset": (), "animation": (), "columns": (),
}  # fmt: skip

Colour = tuple[int, int, int]


@dataclass(frozen=True, slots=True)
class _Look:
    """How text in an element looks, as far as its tags say."""

    colour: Colour = (0, 0, 0)
    ground: Colour = (255, 255, 255)
    size: float = 16.0
    bold: bool = False
    line: float = 0.0
    hidden: bool = False


@rule("B13", Severity.WARN, "text stands out from its ground, and is large enough")
def contrast(letter: Letter) -> Iterator[Fault]:
    told: set[tuple[object, ...]] = set()
    for element, words, look in _texts(letter.tree):
        if look.hidden:
            continue
        large = look.size >= _LARGE or (look.bold and look.size >= _LARGE_BOLD)
        ratio = contrast_of(look.colour, look.ground)
        if ratio < (_LEAST_LARGE if large else _LEAST) and (look.colour, look.ground) not in told:
            told.add((look.colour, look.ground))
            yield Fault(
                f"{_hex(look.colour)} on {_hex(look.ground)} has a contrast of {ratio:.1f}, "
                f"not {_LEAST_LARGE if large else _LEAST}: `{words[:30]}`",
                "Mend the colours of [brand], or macros/style.html.j2.",
            )
        if look.size < _SMALLEST and ("small", look.size) not in told:
            told.add(("small", look.size))
            yield Fault(f"text of {look.size:g} pixels: `{words[:30]}`")
        if 0 < look.line < _LOWEST_LINE and element.tag in ("p", "li") and ("line", 0) not in told:
            told.add(("line", 0))
            yield Fault(f"lines stand {look.line:g} apart: `{words[:30]}`")


@rule("B15", Severity.WARN, "no hidden words")
def hidden(letter: Letter) -> Iterator[Fault]:
    blocks = 0
    for element in letter.tree.iter():
        if not isinstance(element.tag, str) or element.tag in _SKIPPED:
            continue
        style = _styles(element)
        if style.get("display") == "none" and (element.text_content() or "").strip():
            blocks += 1
        if style.get("opacity") in ("0", "0.0") or style.get("font-size") in ("0", "1px", "0px"):
            yield Fault("words that nobody can see", "Take them out.")
    if blocks > 1:
        yield Fault(f"{blocks} hidden blocks; one, the preheader, is all that receivers allow")
    for _, words, look in _texts(letter.tree):
        if not look.hidden and look.colour == look.ground:
            yield Fault(f"words in the colour of their ground: `{words[:30]}`")


@rule("B16", Severity.NOTE, "the first words are worth reading in an inbox")
def preheader(letter: Letter) -> Iterator[Fault]:
    first = next((words for _, words, _ in _texts(letter.tree)), "")
    least, most = _PREHEADER
    if not least <= len(first) <= most:
        yield Fault(
            f"the first line has {len(first)} characters; {least} to {most} fill an inbox's line",
            "Write a `preheader` in the issue's file.",
        )
    title = (letter.tree.findtext(".//title") or "").strip()
    if first and first == title:
        yield Fault("the first line is the subject once more", "Write a `preheader`.")


@rule("B19", Severity.WARN, "only CSS that most mail programs know")
def poor_css(letter: Letter) -> Iterator[Fault]:
    told = set()
    for element in letter.tree.iter():
        if not isinstance(element.tag, str):
            continue
        for name, value in _styles(element).items():
            values = _POOR.get(name)
            poor = values is not None and (not values or value in values)
            if (poor or "var(" in value or "clamp(" in value) and name not in told:
                told.add(name)
                yield Fault(f"`{name}: {value}` is unknown to most mail programs")


def contrast_of(one: Colour, other: Colour) -> float:
    """The contrast of two colours, 1 to 21 (WCAG 2.2)."""
    lighter, darker = sorted((_luminance(one), _luminance(other)), reverse=True)
    return (lighter + 0.05) / (darker + 0.05)


def _luminance(colour: Colour) -> float:
    parts = [c / 255 for c in colour]
    red, green, blue = (c / 12.92 if c <= 0.04045 else ((c + 0.055) / 1.055) ** 2.4 for c in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _texts(tree: Any) -> Iterator[tuple[Any, str, _Look]]:
    """Each run of text, with its element and its look, in the order of reading."""
    body = tree.find("body")
    waiting: list[tuple[Any, _Look, bool]] = [] if body is None else [(body, _Look(), False)]
    while waiting:
        element, outside, is_tail = waiting.pop()
        if is_tail:
            words = (element.tail or "").strip()
            if words:
                yield element.getparent(), words, outside
            continue
        look = outside if not isinstance(element.tag, str) else _look(element, outside)
        if isinstance(element.tag, str) and element.tag not in _SKIPPED:
            if words := (element.text or "").strip():
                yield element, words, look
            for child in reversed(element):
                waiting.append((child, look, True))
                waiting.append((child, look, False))


def _look(element: Any, outside: _Look) -> _Look:
    style = _styles(element)
    look = outside
    ground = style.get("background-color") or style.get("background") or element.get("bgcolor")
    if ground and (colour := _colour(ground)):
        look = replace(look, ground=colour)
    if colour := _colour(style.get("color") or element.get("color") or ""):
        look = replace(look, colour=colour)
    if match := re.fullmatch(r"([\d.]+)px", style.get("font-size", "")):
        look = replace(look, size=float(match[1]))
    if element.tag in ("b", "strong", "h1", "h2", "h3", "h4", "h5", "h6", "th"):
        look = replace(look, bold=True)
    weight = style.get("font-weight", "")
    if weight:
        look = replace(look, bold=weight == "bold" or (weight.isdigit() and int(weight) >= 700))
    if match := re.fullmatch(r"([\d.]+)", style.get("line-height", "")):
        look = replace(look, line=float(match[1]))
    if style.get("display") == "none" or element.get("hidden") is not None:
        look = replace(look, hidden=True)
    return look


def _styles(element: Any) -> Mapping[str, str]:
    found = _DECLARATION.findall(element.get("style") or "")
    return {name.lower(): value.replace("!important", "").strip().lower() for name, value in found}


def _colour(text: str) -> Colour | None:
    text = text.strip().lower()
    if match := re.search(r"#([0-9a-f]{6}|[0-9a-f]{3})\b", text):
        digits = match[1] if len(match[1]) == 6 else "".join(c * 2 for c in match[1])
        return int(digits[0:2], 16), int(digits[2:4], 16), int(digits[4:6], 16)
    if match := _RGB.search(text):
        return int(match[1]), int(match[2]), int(match[3])
    return _NAMED.get(text)


def _hex(colour: Colour) -> str:
    return "#" + "".join(f"{part:02x}" for part in colour)
