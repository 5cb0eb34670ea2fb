"""Spans: what stands within a line, as Markdown that our own reader reads back the same.

A span is first a text with marks in it, then Markdown:

    tree -> of(element) -> text with marks -> markdown() -> Markdown

The marks are control characters, which no text has any more at this point: so plain text is
told from mark-up, and only plain text is escaped. Emphasis that CommonMark's flanking rules would
not read back (`**"so"**called`) is moved or dropped; the words never are.
Standards: CommonMark 0.31 (2.4 escapes, 6.2 emphasis, 6.3 links).
"""

from __future__ import annotations

import re
from typing import Any

from mailout.core.ingest.writing.notes import Notes, shortened
from mailout.core.markup import parser

BREAK, MORE = "\x06", "\x07"
"""A line ends here; the opening ends here."""

_RAW, _RAW_END = "\x02", "\x03"  # around mark-up: neither escaped nor seen
_KEPT, _KEPT_END = "\x04", "\x05"  # around code and addresses: seen, not escaped
_STRONG, _STRONG_END, _EM, _EM_END = "\x0e", "\x0f", "\x10", "\x11"
_STARS = {_STRONG: "**", _STRONG_END: "**", _EM: "*", _EM_END: "*"}

_SEGMENT = re.compile("(\x02[^\x03]*\x03|\x04[^\x05]*\x05|[\x0e-\x11])")
_EMPHASIS = re.compile("[\x0e-\x11]")
_SPACES = re.compile("[ \t\n\r\xa0]{2,}|[\t\n\r]")
_ROOM = " \xa0\x06\x07"
_APART = re.compile("((?:\x06 *){2,}|[ \x06]*\x07[ \x06]*)")
_IMAGE_FILE = re.compile(r"\.(?:jpe?g|png|gif|webp|avif|bmp)(?:[?#].*)?$", re.I)
_HIDDEN = re.compile(r"display\s*:\s*none|visibility\s*:\s*hidden", re.I)
_PICTURE = re.compile("\x02!\\[\x03.*?\x02\\]\\([^\x03]*\x03")
_RAISED = str.maketrans("0123456789+-", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻")
_LOWERED = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
_SMALL_NUMBER = re.compile(r"[0-9]{1,3}|[0-9]?[+-]|[+-][0-9]{1,2}")


def of(element: Any, notes: Notes) -> str:
    """The span of one element, its tail not included."""
    tag = element.tag
    if not isinstance(tag, str):
        return MORE if (element.text or "").strip().startswith("more") else ""
    if is_hidden(element):
        if element.text_content().strip():
            notes.leave_out(element, "hidden text")
        return ""
    if tag == "br":
        return BREAK
    if tag == "img":
        return picture(element, notes)
    span = within(element, notes)
    if tag in ("b", "strong"):
        return emphasised(span, _STRONG, _STRONG_END)
    if tag in ("i", "em", "cite", "dfn", "var"):
        return emphasised(span, _EM, _EM_END)
    if tag == "a":
        if (
            element.get("href") is None
            and not (element.get("id") or element.get("name"))
            and span.strip()
        ):
            notes.warn(f"a link leads nowhere: {shortened(plain(span))}")
        return linked(span, element.get("href") or "", notes)
    if tag in ("code", "kbd", "samp", "tt"):
        return _code(element.text_content())
    if tag in ("sup", "sub"):
        return _raised(element, span)
    if tag == "q":
        return f"“{span}”"
    if tag in ("s", "strike", "del") and plain(span).strip():
        notes.warn(f"struck-out words stand as ordinary ones: {shortened(plain(span))}")
    return f" ({span}) " if tag == "rt" and span.strip(" ()") else span


def within(element: Any, notes: Notes) -> str:
    """The span of all that stands in an element."""
    parts = [folded(element.text or "")]
    for child in element:
        parts.append(of(child, notes))
        parts.append(folded(child.tail or ""))
    return "".join(parts)


def folded(text: str) -> str:
    """The text with its white space as HTML shows it; a run of hard spaces is filling."""
    return _SPACES.sub(" ", text)


def plain(span: str) -> str:
    """What a reader sees of a span."""
    seen = re.sub("\x02[^\x03]*\x03|[\x04\x05\x0e-\x11\x07]", "", span)
    return seen.replace(BREAK, "\n")


def emphasised(span: str, start: str = _EM, end: str = _EM_END) -> str:
    """The span with marks of emphasis around its words; in several paragraphs, around each."""
    span = span.replace(start, "").replace(end, "")
    parts = _APART.split(span)
    for at in range(0, len(parts), 2):
        before, inner, after = _trimmed(parts[at])
        if inner:
            parts[at] = f"{before}{start}{inner}{end}{after}"
    return "".join(parts)


def strong(span: str) -> str:
    """The span in strong letters."""
    return emphasised(span, _STRONG, _STRONG_END)


def linked(span: str, address: str, notes: Notes) -> str:
    """The span as a link's words; without a target that can be used, only the words."""
    before, inner, after = _trimmed(span)
    words = plain(_PICTURE.sub("", inner)).strip()
    if not inner or not (address and (target := notes.target(address, words))):
        return span
    if _raw("[") in inner or _raw("<") in inner:
        return span  # a link cannot stand within a link
    if not words and _IMAGE_FILE.search(target):
        return span  # a picture that leads to itself, larger
    if words in (target, target.removeprefix("mailto:")) and _is_bare(target):
        return f"{before}{_raw('<')}{_KEPT}{words}{_KEPT_END}{_raw('>')}{after}"
    more = MORE if MORE in inner else ""
    label = re.sub(f"[ {BREAK}]*{BREAK}[ {BREAK}]*", BREAK, inner.replace(MORE, ""))
    return f"{before}{_raw('[')}{_label(label)}{_raw(f']({target})')}{after}{more}"


def picture(element: Any, notes: Notes) -> str:
    """A picture with its alternative text; the sign itself for the picture of an emoji."""
    alt = " ".join((element.get("alt") or "").split())
    classes = (element.get("class") or "").split()
    if alt and any(name in ("emoji", "wp-smiley") for name in classes):
        return alt
    if element.get("width") in ("0", "1") and element.get("height") in ("0", "1"):
        notes.warn("a picture of one pixel is left out: it counts readers")
        return ""
    source = element.get("src") or ""
    if not source or source.startswith("data:"):
        lazy = (element.get(name) for name in ("data-src", "data-lazy-src", "data-original"))
        source = next((found for found in lazy if found), source)
    if source.startswith("data:"):
        notes.warn(f"a picture that is written into the page is left out: {alt or 'without text'}")
        return alt
    target = notes.target(source, alt)
    if not target:
        return alt
    if not alt:
        notes.warn(f"a picture has no text: {shortened(target)}")
    return f"{_raw('![')}{_KEPT}{_spoken(alt)}{_KEPT_END}{_raw(f']({target})')}"


def is_hidden(element: Any) -> bool:
    """Whether a browser does not show the element."""
    return element.get("hidden") is not None or bool(_HIDDEN.search(element.get("style") or ""))


def paragraphs(span: str) -> list[str]:
    """The span cut at empty lines; a MORE stands alone."""
    parts: list[str] = []
    for part in re.split("((?:\x06[ \xa0]*){2,}|\x07)", span):
        if part == MORE or plain(part).strip() or "](" in part:
            parts.append(part)
    return parts


def markdown(span: str, one_line: bool = False) -> str:
    """The Markdown of a span; its breaks are line ends, or spaces in `one_line`."""
    span = re.sub(f"[ \xa0]?{BREAK}[ \xa0]?", " " if one_line else BREAK, folded(span))
    # Two codes side by side would have a fence of their own between them.
    span = span.replace("\x05\x02`\x03\x02`\x03\x04", "").replace("`\x03\x02`", "`\x03 \x02`")
    span = re.sub(" {2,}", " ", span).strip(f" \xa0{BREAK}").replace(MORE, "")
    if not _EMPHASIS.search(span):
        return _written(span, one_line)
    text = _written(_settled(span), one_line)
    if _seen(text) == _letters(plain(span)):
        return text
    return _written(_EMPHASIS.sub("", span), one_line)


def _settled(span: str) -> str:
    """The span with its emphasis joined where it touches, and clear of punctuation at words."""
    for start, end in ((_STRONG, _STRONG_END), (_EM, _EM_END)):
        span = re.sub(f"{end}( ?){start}", r"\1", span)
    span = re.sub(r"([^\w\s\x00-\x1f]+)([\x0f\x11]+)(?=\w)", r"\2\1", span)
    span = re.sub(r"(?<=\w)([\x0e\x10]+)([^\w\s\x00-\x1f]+)", r"\2\1", span)
    return re.sub("\x0e\x0f|\x10\x11", "", span)


def _written(span: str, one_line: bool) -> str:
    parts = _SEGMENT.split(span)
    written: list[str] = []
    for at, part in enumerate(parts):
        if not part:
            continue
        if at % 2:
            written.append(_STARS.get(part) or part[1:-1])
            continue
        before = written[-1][-1:] if written else " "
        after = _STARS.get(parts[at + 1], parts[at + 1][1:2]) if at + 1 < len(parts) else ""
        written.append(_escaped(part.replace(BREAK, "\n"), before, after[:1] or "\n"))
    lines = "".join(written).split("\n")
    return "\n".join(_guarded(line, at == 0) for at, line in enumerate(lines) if line.strip())


# What would be mark-up in the middle of a line; the text is seen with one character around it.
_MARKUP = re.compile(
    r"""
      \\(?=[!-/:-@\[-`{-~\n])                 # an escape
    | (?<!\s)\*|\*(?!\s)                      # a star that touches something
    | (?<!\w)_++(?!\s)|(?<![\s_])_++(?!\w)    # a line at a word, but not within one
    | `
    | \](?=[(\[:])                            # the words of a link
    | !(?=\[)
    | <(?=[A-Za-z/!?])
    | &(?=\#?\w+;)
    """,
    re.X,
)
_BEGINS = re.compile(r"#{1,6}(?=\s|$)|>|[-+*](?=\s|$)|~~~|(?:=+|-+)$|[-*_](?:[ \t]*[-*_]){2,}$")
_NUMBERED = re.compile(r"(\d{1,9})([.)])(?=\s|$)")
_RULED = re.compile(r"[|:\-\s]*-[|:\-\s]*$")


def _escaped(text: str, before: str, after: str) -> str:
    """The text with what would be mark-up escaped; `before` and `after` stand around it."""
    around = f"{before}{text}{after}"
    parts, done = [], 1
    for found in _MARKUP.finditer(around):
        start, end = max(found.start(), 1), min(found.end(), len(around) - 1)
        if start >= end:
            continue
        parts.append(around[done:start])
        if found[0] == "<" and around.startswith("!--", end):
            parts.append("&lt;")  # the words `<!--more-->` must not become the mark
        else:
            parts.append("".join("\\" + char for char in around[start:end]))
        done = end
    return "".join(parts) + around[done:-1]


def _guarded(line: str, first: bool) -> str:
    """The line with what would make it a heading, list, quote or rule escaped."""
    line = line.strip(" \t")
    if found := _NUMBERED.match(line):
        # Behind another line only a list that begins at 1 would interrupt the paragraph.
        return f"{found[1]}\\{line[found.end(1) :]}" if first or int(found[1]) == 1 else line
    if _BEGINS.match(line) or _RULED.match(line):
        return "\\" + line
    return line


def _label(span: str) -> str:
    """The span fit to stand between square brackets."""
    parts = _SEGMENT.split(span)
    for at in range(0, len(parts), 2):
        parts[at] = re.sub(r"[\[\]]", lambda found: _raw("\\") + found[0], parts[at])
    return "".join(parts)


def _spoken(alt: str) -> str:
    """A picture's text without what would end it; our reader shows it as it stands."""
    alt = re.sub(r"\\+(?=[\[\]])", "", alt)
    alt = re.sub(r"<(?=[A-Za-z/!?])", "‹", alt.replace("`", "'").replace("](", "] (")).rstrip("\\")
    depth = lowest = 0
    for char in alt:
        depth += (char == "[") - (char == "]")
        lowest = min(lowest, depth)
    return alt if depth == lowest == 0 else alt.replace("[", "(").replace("]", ")")


def _raw(text: str) -> str:
    return f"{_RAW}{text}{_RAW_END}"


def _code(text: str) -> str:
    text = " ".join(text.split())
    if not text:
        return ""
    fence = "`" * (max(map(len, re.findall("`+", text)), default=0) + 1)
    room = " " if text[0] == "`" or text[-1] == "`" else ""
    return f"{_raw(fence + room)}{_KEPT}{text}{_KEPT_END}{_raw(room + fence)}"


def _raised(element: Any, span: str) -> str:
    """Raised or lowered digits as the signs for them; a footnote's mark in square brackets."""
    text = plain(span).strip()
    link = element.find(".//a") if element.tag == "sup" else None
    if link is not None and (link.get("href") or "").startswith("#"):
        return f"[{text.strip('[]')}]" if text else ""
    if not _SMALL_NUMBER.fullmatch(text):
        return span
    return text.translate(_RAISED if element.tag == "sup" else _LOWERED)


def _is_bare(target: str) -> bool:
    return bool(
        re.fullmatch(r"https?://[^\s<>]+|mailto:[\w.+-]+@[\w-]+(?:\.[\w-]+)+", target, re.A)
    )


def _trimmed(span: str) -> tuple[str, str, str]:
    """What stands before, the span without it, and what stands behind: spaces and breaks."""
    inner = span.lstrip(_ROOM)
    start = len(span) - len(inner)
    inner = inner.rstrip(_ROOM)
    return span[:start], inner, span[start + len(inner) :]


def _seen(text: str) -> str:
    """The letters that our own reader shows of a Markdown paragraph."""
    seen = []
    for token in _READER.parseInline(text):
        for child in token.children or ():
            seen.append(child.content)
    return _letters("".join(seen))


def _letters(text: str) -> str:
    return "".join(text.split())


_READER = parser()
