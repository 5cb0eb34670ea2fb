"""Markdown as HTML for mail: no raw HTML, headings below the post's own title, lines kept.

Soft line breaks stay breaks, since organisers write lettered demands line by line.
Standards: CommonMark 0.31.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape, unescape
from itertools import pairwise
from typing import Any

from markdown_it import MarkdownIt
from markdown_it.token import Token

from mailout.core.picture import Shown

MORE = "<!--more-->"
"""The mark behind a post's opening; stands on a line of its own."""

_COMMENT = re.compile(r"<!--.*?-->", re.DOTALL)
_MARK = re.compile(r"<!--\s*more\s*-->", re.IGNORECASE)
_TAG = re.compile(r"<[^>]*>")
_WORD = re.compile(r"\w+")
_LINK_TARGET = re.compile(r"\]\([^)\s]*|^\s*\[[^\]]*\]:.*$|^\s*(?:```|~~~).*$", re.MULTILINE)
_NESTING = 100  # levels; the parser's own 20 end at ten lists within each other
_OPENING, _WORTH_CUTTING = 600, 800  # characters of an automatic opening, and left behind it
_LETTER, _CELL, _ROOM = 9.6, 9, 330  # pixels of a letter, around a cell, on a telephone
_TOP_LEVEL = 3  # a post's title is h2, so its body begins at h3


@dataclass(frozen=True, slots=True)
class Cut:
    """The part of a post that an issue prints, and whether something was left out."""

    text: str
    shortened: bool


def cut(body: str, excerpt: str, whole: bool, *, automatic: bool = False) -> Cut:
    """The opening of a post: to its `<!--more-->` mark, else its excerpt, else all of it. The body
    is as `without_comments` left it.

    `automatic` also cuts a long one that has neither, behind a paragraph, where enough would be
    left to make the way to its page worth while.
    """
    opening, mark, _ = body.partition(MORE)
    if whole:
        return Cut(body.replace(MORE, ""), shortened=False)
    if mark or excerpt:
        return Cut(opening.strip() if mark else excerpt, shortened=True)
    end = _natural_end(body) if automatic else None
    return Cut(body, shortened=False) if end is None else Cut(body[:end].strip(), shortened=True)


def _natural_end(body: str) -> int | None:
    """Where in a long body its opening ends: behind a paragraph, and never before the list, the
    quotation or the table that the paragraph announces. None if it is not worth cutting."""
    if len(body) < _OPENING + _WORTH_CUTTING:
        return None
    starts = [0]
    for line in body.splitlines(keepends=True):
        starts.append(starts[-1] + len(line))
    blocks = [token for token in parser().parse(body) if token.level == 0 and token.map]
    for block, after in pairwise(block for block in blocks if block.nesting >= 0):
        end = starts[(block.map or [0, 0])[1]]
        if block.type == "paragraph_open" and after.type in ("paragraph_open", "heading_open"):
            announces = body[:end].rstrip().endswith((":", "：", "؛"))
            if end >= _OPENING and not announces and len(body) - end >= _WORTH_CUTTING:
                return end
    return None


def without_comments(body: str) -> str:
    """The body without what its authors said to each other (`<!-- .. -->`), its marks in their
    one form, each line where it was. A comment without an end stays (`open_comment`)."""

    def left(found: re.Match[str]) -> str:
        return MORE if _MARK.fullmatch(found[0]) else "\n" * found[0].count("\n")

    return _COMMENT.sub(left, body)


def open_comment(body: str) -> int | None:
    """The line (from 1) of a comment without an end, in a body without others."""
    at = body.replace(MORE, " " * len(MORE)).find("<!--")
    return None if at == -1 else body.count("\n", 0, at) + 1


def parser() -> MarkdownIt:
    """The Markdown reader that HTML and text part share."""
    options = {"html": False, "breaks": True, "maxNesting": _NESTING}
    return MarkdownIt("commonmark", options).enable("table")


def lost_words(body: str, html: str) -> list[str]:
    """Words of a body that its HTML lacks, each once: what Markdown drops without a word, such as
    what is nested too deep, or a cell of a table without a column."""
    shown = Counter(_WORD.findall(unescape(_TAG.sub(" ", html))))
    source = _LINK_TARGET.sub("", unescape(body))
    written = Counter(_WORD.findall(source))
    attributes = " ".join(_TAG.findall(html))
    return [word for word in written if written[word] > shown[word] and word not in attributes]


def to_html(body: str, pictures: Mapping[str, Shown] | None = None) -> str:
    """The HTML of a Markdown body. Pictures are shown as `pictures` has them by their sources;
    for the others their text stands."""
    reader = parser()
    tokens = reader.parse(without_comments(body))
    for token in tokens:
        if token.type == "th_open":
            token.attrSet("scope", "col")  # a screen reader says it with each cell
        if token.type in ("heading_open", "heading_close"):
            token.tag = f"h{min(max(int(token.tag[1]) + 1, _TOP_LEVEL), 6)}"
    _mark_narrow_tables(tokens)
    reader.add_render_rule("image", _picture)
    known = {"pictures": pictures or {}}
    return str(reader.renderer.render(tokens, reader.options, known)).strip()


def _mark_narrow_tables(tokens: Sequence[Token]) -> None:
    """Gives tables that a telephone shows without dividing a word the class `narrow`."""
    for at, token in enumerate(tokens):
        if token.type == "table_open":
            longest: list[int] = []
            table = token
        elif token.type == "tr_open":
            column = 0
        elif token.type == "inline" and tokens[at - 1].type in ("th_open", "td_open"):
            longest += [0] * (column + 1 - len(longest))
            words = "".join(_shown(child) for child in token.children or ()).split()
            longest[column] = max([longest[column], *map(len, words)])
            column += 1
        elif token.type == "table_close" and sum(longest) * _LETTER + len(longest) * _CELL <= _ROOM:
            table.attrSet("class", "narrow")


def _shown(token: Token) -> str:
    if token.type == "image":
        return words_of(token)
    return " " if token.type in ("softbreak", "hardbreak") else token.content


def pictures(body: str) -> list[tuple[int, str, str]]:
    """Line (from 1, in the body), source and text of each picture in a Markdown body."""
    found = []
    for block in parser().parse(body):
        for token in block.children or ():
            if token.type == "image":
                line = (block.map or [0])[0] + 1
                found.append((line, str(token.attrGet("src") or ""), words_of(token)))
    return found


def words_of(image: Token) -> str:
    """The text that stands for a picture, without the marks that it was written with."""
    return "".join(child.content for child in image.children or ())


def _picture(_renderer: object, tokens: list[Token], index: int, _options: Any, env: Any) -> str:
    token = tokens[index]
    alt = words_of(token)
    shown = env["pictures"].get(str(token.attrGet("src") or ""))
    if shown is None:
        return f"[{escape(alt)}]" if alt else ""
    return (
        f'<img src="{escape(shown.url)}" width="{shown.width}" height="{shown.height}" '
        f'alt="{escape(alt)}">'
    )
