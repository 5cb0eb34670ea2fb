"""Blocks: the body of a WordPress post as plain HTML, whichever editor wrote it.

The block editor leaves comments (`<!-- wp:paragraph -->`), which vanish; what a block without
content of its own would show is a link, or reported. The classic editor leaves lines: a blank line
is a new paragraph, a single one a break, as WordPress does when it shows a post. `<!--more-->`
stays, once, without words of its own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import escape, unescape

from mailout.core.ingest.words import is_web_address
from mailout.core.markup import MORE

_BLOCK = re.compile(r"<!--\s*(/?)wp:([a-z][a-z0-9_/-]*)\s*(.*?)(/?)-->", re.DOTALL)
_COMMENT = re.compile(r"<!--(.*?)-->", re.DOTALL)
_MORE = re.compile(r"\s*more\b.*", re.DOTALL | re.I)
_WRAPPED = re.compile(
    r"(wp-block-embed__wrapper[^<>]*>)\s*(https?://[^\s<>\"]+)\s*(?=</div>)", re.I
)
# Blocks without content of their own that are decoration or navigation.
_SILENT = frozenset(("nextpage", "spacer", "separator", "social-links", "navigation"))

_CLASSIC = frozenset(("freeform", "classic"))

_PARAGRAPHS = "div blockquote section article aside main center details form header footer"
_LINES = "li td th dt dd figcaption caption address h1 h2 h3 h4 h5 h6 p"
_TAGS_ONLY = "ul ol dl table thead tbody tfoot tr colgroup figure select"
_HOLDS_LINES = frozenset(_LINES.split())
_HOLDS_TAGS = frozenset(_TAGS_ONLY.split())
_AS_IT_IS = frozenset(("pre", "script", "style", "textarea"))
_HOLDS_NOTHING = _AS_IT_IS | {"hr", "iframe", MORE}
_TAGS = "|".join(f"{_PARAGRAPHS} {_LINES} {_TAGS_ONLY} pre script style textarea hr iframe".split())
_TOKEN = re.compile(rf"{MORE}|<(/?)({_TAGS})\b[^<>]*>", re.I)
_TAG = re.compile(r"</?[A-Za-z][^<>]*>")
_TEXT = "#text"
_DEEPEST = 200  # open tags that are remembered
_BREAK = re.compile(r"<br\s*/?>[ \t]*\n?", re.I)


@dataclass(frozen=True, slots=True)
class Body:
    """HTML with a paragraph where the source shows one, and what was left out, a line each."""

    html: str
    warnings: tuple[str, ...]


def is_block_html(content: str) -> bool:
    """Whether the block editor wrote it."""
    return "<!-- wp:" in content


def to_body(content: str) -> Body:
    """The HTML of a post's content, shortcodes already resolved."""
    content = _closed_comments(content.replace("\r\n", "\n").replace("\r", "\n"))
    content = _one_more(content)
    lost: dict[str, None] = {}
    html = _without_blocks(content, lost) if is_block_html(content) else paragraphs(content)
    html = _WRAPPED.sub(lambda found: found[1] + _link(found[2]), html)
    warnings = (f"blocks left out, they hold no text: {', '.join(lost)}",) if lost else ()
    return Body(html.strip(), warnings)


def _without_blocks(content: str, lost: dict[str, None]) -> str:
    """The HTML between block comments; what stands in none, or in a classic one, is by lines."""
    parts: list[str] = []
    within: list[str] = []
    at = 0
    for block in _BLOCK.finditer(content):
        text = content[at : block.start()]
        parts.append(text if within and within[-1] not in _CLASSIC else paragraphs(text))
        closing, name, attributes, empty = block.groups()
        name = name.removeprefix("core/")
        if closing:
            if name in within:
                del within[len(within) - 1 - within[::-1].index(name) :]
        elif not empty:
            within = [*within[-_DEEPEST:], name]
        else:
            parts.append(_shown(name, attributes, lost))
        at = block.end()
    rest = content[at:]
    return "".join((*parts, rest if within else paragraphs(rest)))


def paragraphs(text: str) -> str:
    """The HTML of what was typed into the classic editor, by its blank and its line breaks."""
    parts: list[str] = []
    open_tags: list[str] = []
    text = _TAG.sub(lambda tag: tag[0].replace("\n", " "), text)
    for name, piece in _pieces(_BREAK.sub("\n", text)):
        parent = open_tags[-1] if open_tags else ""
        if name == _TEXT:
            parts.append(_run(piece, parent))
            continue
        parts.append(f"</p>{piece}<p>" if name == MORE and parent == "p" else piece)
        if name.startswith("/"):
            if name[1:] in open_tags:
                del open_tags[len(open_tags) - 1 - open_tags[::-1].index(name[1:]) :]
        elif name not in _HOLDS_NOTHING and not piece.endswith("/>"):
            if parent == "p":
                open_tags.pop()  # a block ends a paragraph, as browsers read it
            open_tags.append(name)
            del open_tags[:-_DEEPEST]
    return "".join(parts)


def _pieces(text: str) -> Iterator[tuple[str, str]]:
    """The name (`p`, `/p`, `<!--more-->`) and text of each block tag, and what is between."""
    at = 0
    unclosed: set[str] = set()
    while token := _TOKEN.search(text, at):
        yield _TEXT, text[at : token.start()]
        at = token.end()
        name = (token[1] or "") + token[2].lower() if token[2] else MORE
        if name in _AS_IT_IS and name not in unclosed:
            close = re.compile(f"</{name}>", re.I).search(text, at)
            if close:
                at = close.end()  # blank lines in code are no paragraphs
            else:
                unclosed.add(name)
        yield name, text[token.start() : at]
    yield _TEXT, text[at:]


def _run(text: str, parent: str) -> str:
    """A text between two block tags, as its `parent` (empty: none) shows it."""
    if not text.strip():
        return "\n" if "\n" in text else text
    if parent in _HOLDS_TAGS:
        return text
    pieces = [piece.strip() for piece in re.split(r"\n[ \t\xa0]*\n\s*", text.strip("\n"))]
    pieces = ["<br>\n".join(map(_line, piece.split("\n"))) for piece in pieces if piece]
    if parent == "p":
        return "</p>\n<p>".join(pieces)
    if parent in _HOLDS_LINES:
        return "<br>\n<br>\n".join(pieces)
    return "".join(f"\n<p>{piece}</p>\n" for piece in pieces)


def _line(line: str) -> str:
    """The line; a link if it is an address and nothing else, which WordPress would embed."""
    return _link(line.strip()) if is_web_address(line.strip()) else line


def _shown(name: str, attributes: str, lost: dict[str, None]) -> str:
    """What a block without content shows: a link, if it has an address; else it is noted."""
    try:
        found = json.loads(attributes or "{}")
    except (ValueError, RecursionError):
        found = {}
    url = found.get("url", "") if isinstance(found, dict) else ""
    if isinstance(url, str) and is_web_address(url):
        return f"\n\n<p>{_link(url)}</p>\n\n"
    if name not in _SILENT:
        lost["a reusable block" if name == "block" else name] = None
    return ""


def _one_more(html: str) -> str:
    """The HTML with its first "continue reading" mark on a line of its own, without the others."""
    seen: list[str] = []

    def comment(found: re.Match[str]) -> str:
        if _BLOCK.fullmatch(found[0]):
            return found[0]
        if _MORE.fullmatch(found[1]) and not seen:
            seen.append(found[0])
            return f"\n\n{MORE}\n\n"
        return ""

    return _COMMENT.sub(comment, html)


def _closed_comments(text: str) -> str:
    """The text with `<!--` as words where no comment ends: nothing behind it must be lost."""
    head, mark, tail = text.rpartition("-->")
    return head + mark + tail.replace("<!--", "&lt;!--")


def _link(url: str) -> str:
    shown = escape(unescape(url))
    return f'<a href="{shown}">{shown}</a>'
