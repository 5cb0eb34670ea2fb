"""The text part: a Markdown body as a person would have typed it into a mail.

Links stand whole behind their words, `the appeal <https://example.org/appeal>` (the form of
RFC 3986 appendix C), lines wrap at 72 and never inside a link, and no mark-up is left over.
"""

from __future__ import annotations

import re
from collections.abc import Sequence

from markdown_it.token import Token

from mailout.core.markup import parser, without_comments, words_of

WIDTH = 72
HEADING = "~"
"""What headings within a post are underlined with; its own title has hyphens."""

_ENDS = frozenset({"list_item_close", "blockquote_close"})
# Not behind `1986.`, `г.` or `Dr.`, where no sentence needs to end.
_SENTENCE_END = re.compile(r"(?<=[^\W\d_]{3})[.!?؟…]+[\"'”’»“)]*(?= |$)")
_SHORTEST_OPENING = 40  # characters; less leaves an inbox's line empty


def to_text(body: str) -> str:
    """The text of a Markdown body, wrapped; paragraphs stand apart by one empty line."""
    blocks, _ = _blocks(parser().parse(without_comments(body)), 0, "")
    return "\n\n".join(block for block in blocks if block.strip())


def first_words(body: str, most: int) -> str:
    """The first words of a body's paragraphs, as many as `most` characters hold: no headings,
    lists, quotations, pictures or addresses. Where words are left out, that is the end of a
    sentence, or three dots tell it."""
    line = ""
    tokens = parser().parse(without_comments(body))
    for token, before in zip(tokens[1:], tokens, strict=False):
        if token.type != "inline" or before.type != "paragraph_open" or before.level:
            continue
        words = "".join(_without_addresses(child) for child in token.children or ()).split()
        for word in words:
            if len(line) + 1 + len(word) > most:
                return _ended(line, most)
            line = f"{line} {word}".strip()
    return line


def _ended(line: str, most: int) -> str:
    """A line that goes on elsewhere, up to its last whole sentence if that is not too short."""
    ends = [found.end() for found in _SENTENCE_END.finditer(line)]
    if ends and ends[-1] >= _SHORTEST_OPENING:
        return line[: ends[-1]]
    while len(line) >= most:
        line = line.rpartition(" ")[0]
    return f"{line.rstrip(' ,;:،؛–—-')}…" if line else ""


def _without_addresses(child: Token) -> str:
    if child.type in ("softbreak", "hardbreak"):
        return " "
    if child.type == "link_open" and child.info == "auto":
        return ""
    is_address = "://" in child.content
    return child.content if child.type in ("text", "code_inline") and not is_address else ""


def wrap(text: str, width: int = WIDTH, first: str = "", rest: str | None = None) -> str:
    """Each line of `text` filled to `width` columns; words longer than that stay whole.

    `first` and `rest` begin the first and each further line.
    """
    rest = first if rest is None else rest
    lines: list[str] = []
    for paragraph in text.split("\n"):
        current = first if not lines else rest
        begun = False
        for word in paragraph.split():
            if begun and len(current) + 1 + len(word) > width:
                lines.append(current.rstrip())
                current, begun = rest, False
            current += f" {word}" if begun else word
            begun = True
        lines.append(current.rstrip())
    return "\n".join(lines)


def underline(text: str, char: str) -> str:
    """The text, wrapped, over a line of `char` as long as its longest line."""
    filled = wrap(text)
    return f"{filled}\n{char * max(map(len, filled.split(chr(10))))}"


def _blocks(tokens: Sequence[Token], at: int, indent: str) -> tuple[list[str], int]:
    """The blocks from token `at` to the end of their container, and where that is."""
    blocks: list[str] = []
    while at < len(tokens):
        token = tokens[at]
        if token.type in _ENDS:
            return blocks, at
        if token.type in ("bullet_list_open", "ordered_list_open"):
            block, at = _list(tokens, at, indent)
            blocks.append(block)
        elif token.type == "blockquote_open":
            inner, at = _blocks(tokens, at + 1, indent)
            quoted = "\n\n".join(inner).split("\n")
            blocks.append("\n".join(f"{indent}> {line[len(indent) :]}".rstrip() for line in quoted))
        elif token.type == "heading_open":
            words = _inline(tokens[at + 1])
            blocks.append(underline(words, HEADING))
            at += 2
        elif token.type == "table_open":
            block, at = _table(tokens, at)
            blocks.append(block)
        elif token.type == "inline":
            blocks.append(wrap(_inline(token), first=indent))
        elif token.type in ("fence", "code_block"):
            blocks.append("\n".join("    " + line for line in token.content.rstrip().split("\n")))
        elif token.type == "hr":
            blocks.append("* * *")
        at += 1
    return blocks, at


def _list(tokens: Sequence[Token], at: int, indent: str) -> tuple[str, int]:
    ordered = tokens[at].type == "ordered_list_open"
    number = int(str(tokens[at].attrGet("start") or 1))
    loose = False
    items: list[str] = []
    at += 1
    while tokens[at].type == "list_item_open":
        mark = f"{number}. " if ordered else "* "
        hanging = indent + " " * len(mark)
        loose = loose or not tokens[at + 1].hidden
        inner, at = _blocks(tokens, at + 1, hanging)
        body = ("\n\n" if loose else "\n").join(inner)
        items.append(indent + mark + body[len(hanging) :])
        number += 1
        at += 1
    return ("\n\n" if loose else "\n").join(items), at


def _table(tokens: Sequence[Token], at: int) -> tuple[str, int]:
    """A table as one line a row, cells apart by a bar-less gap."""
    rows: list[list[str]] = []
    while tokens[at].type != "table_close":
        if tokens[at].type == "tr_open":
            rows.append([])
        elif tokens[at].type == "inline":
            rows[-1].append(_inline(tokens[at]))
        at += 1
    return "\n".join(wrap("; ".join(cell for cell in row if cell)) for row in rows), at


def _inline(token: Token) -> str:
    words: list[str] = []
    target = ""
    for child in token.children or ():
        if child.type in ("text", "code_inline", "text_special"):
            words.append(child.content)
        elif child.type in ("softbreak", "hardbreak"):
            words.append("\n")
        elif child.type == "image":
            alt = words_of(child)
            words.append(f"[{alt}]" if alt else "")
        elif child.type == "link_open":
            target = str(child.attrGet("href") or "")
            words.append("\0")  # where the link's words begin
        elif child.type == "link_close":
            start = len(words) - 1 - words[::-1].index("\0")
            label = "".join(words[start + 1 :])
            words[start:] = [_link(label, target)]
    return "".join(words)


def _link(label: str, target: str) -> str:
    bare = target.removeprefix("mailto:")
    if label in (target, bare):
        return bare if "@" in bare and "/" not in bare else f"<{bare}>"
    return f"{label} <{bare if target.startswith('mailto:') and '?' not in bare else target}>"


def tidy(text: str) -> str:
    """The text with trailing blanks gone, at most one empty line in a row, one end of line."""
    lines = (line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", "\n".join(lines)).strip("\n") + "\n"
