"""Rules about the HTML as a document: B01-B06, B14, B17, B18, B20, B21.

Standards: WCAG 2.2 (1.1.1, 1.3.1, 2.4.6, 3.1.1), BCP 47 (language tags).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

from mailout.core import css
from mailout.core.check.letter import Letter
from mailout.core.check.rule import Fault, Severity, rule

_TAG = re.compile(r"[a-z]{2,3}(-[A-Za-z0-9]{2,8})*")
_FORBIDDEN = (
    "script", "form", "iframe", "object", "embed", "base", "link", "video", "audio", "svg",
)  # fmt: skip
_ADDRESS = re.compile(r"\s*(javascript|data:text|file|vbscript):?", re.I)
_STYLE = re.compile(r"<style\b[^>]*>(.*?)</style>", re.I | re.S)
_NESTED_MEDIA = re.compile(r"@media[^{]*\{(?:[^{}]*\{[^{}]*\})*[^{}]*@media")
_WIDEST = 600
_STYLE_BYTES = 16_000  # Gmail drops a block above that
_WORDS_A_PICTURE = 40
_DEEPEST_TABLES, _DEEPEST = 60, 250  # the inliner cuts without a word at 64 and 254


@rule("B01", Severity.REFUSE, "the document begins with its type")
def doctype(letter: Letter) -> Iterator[Fault]:
    if not letter.html.lstrip().startswith("<!DOCTYPE html>"):
        yield Fault("`<!DOCTYPE html>` is missing", "Begin the template with it.")


@rule("B02", Severity.REFUSE, "language and direction are told, on the first wrapper too")
def language(letter: Letter) -> Iterator[Fault]:
    expected = letter.expected
    body = letter.tree.find("body")
    first = next(iter(body), None) if body is not None else None
    for element, name in ((letter.tree, "<html>"), (first, "the first element of <body>")):
        code = "" if element is None else (element.get("lang") or "")
        direction = "" if element is None else (element.get("dir") or "")
        if not _TAG.fullmatch(code):
            yield Fault(f"{name} has no `lang`", 'Write lang="{{ language }}".')
        elif code != expected.language:
            yield Fault(f"{name} says `{code}`, the variant is `{expected.language}`")
        if direction != expected.direction:
            yield Fault(f'{name} has no dir="{expected.direction}"', 'Write dir="{{ dir }}".')


@rule("B03", Severity.REFUSE, "title, charset and viewport are there")
def head(letter: Letter) -> Iterator[Fault]:
    if not (letter.tree.findtext(".//title") or "").strip():
        yield Fault("the <title> is missing or empty")
    if not letter.tree.xpath("//meta[@charset]"):
        yield Fault('`<meta charset="utf-8">` is missing')
    if not letter.tree.xpath("//meta[@name='viewport']"):
        yield Fault('`<meta name="viewport">` is missing: phones show it tiny')


@rule("B04", Severity.REFUSE, "nothing that runs, embeds or asks")
def dangerous(letter: Letter) -> Iterator[Fault]:
    for element in letter.tree.iter():
        if element.tag in _FORBIDDEN:
            yield Fault(f"a <{element.tag}>: mail programs throw it away, or the mail")
        for name, value in element.attrib.items():
            if name.startswith("on"):
                yield Fault(f"a script in `{name}`")
            elif name in ("href", "src", "background", "action") and _ADDRESS.match(value):
                yield Fault(f"an address that runs or reads files: {value[:40]}", clue=value)
    if any(map(css.has_import, css.blocks(letter.html))):
        yield Fault("`@import` in a style block")
    if letter.tree.xpath("//meta[translate(@http-equiv,'REFSH','refsh')='refresh']"):
        yield Fault("a <meta> that leads elsewhere by itself")


@rule("B05", Severity.REFUSE, "a table says whether it is scaffolding or data")
def tables(letter: Letter) -> Iterator[Fault]:
    for table in letter.tree.iter("table"):
        is_layout = table.get("role") in ("presentation", "none")
        has_heads = bool(table.xpath("./thead/tr/th | ./tr/th | ./tbody/tr/th"))
        if not is_layout and not has_heads:
            yield Fault(
                'a table with neither heads nor role="presentation": a screen reader reads its '
                "cells as data",
                clue=_first_words(table),
            )
        elif is_layout and has_heads:
            yield Fault("a layout table with <th>", clue=_first_words(table))
        elif has_heads and any(th.get("scope") is None for th in table.iter("th")):
            yield Fault("a <th> without `scope`", clue=_first_words(table))


@rule("B06", Severity.REFUSE, "each picture has a text, a width and an address")
def pictures(letter: Letter) -> Iterator[Fault]:
    for picture in letter.tree.iter("img"):
        source, alt = picture.get("src") or "", picture.get("alt")
        if alt is None:
            yield Fault(f"a picture without `alt`: {source}", clue=source)
        elif not alt.strip() and _is_alone_in_link(picture):
            yield Fault(f"a picture with an empty `alt` is all of a link: {source}", clue=source)
        if not picture.get("width"):
            yield Fault(f"a picture without `width`: {source}", clue=source)
        if not source.startswith(("https://", "cid:")):
            eased = Severity.NOTE if letter.expected.is_loopback else None
            yield Fault(f"a picture that is not at https: {source}", clue=source, severity=eased)


@rule("B14", Severity.WARN, "headings in their order, paragraphs as paragraphs")
def headings(letter: Letter) -> Iterator[Fault]:
    levels = [int(e.tag[1]) for e in letter.tree.iter("h1", "h2", "h3", "h4", "h5", "h6")]
    if levels.count(1) != 1:
        yield Fault(f"there are {levels.count(1)} first headings (h1), not one")
    for above, below in pairwise(levels):
        if below > above + 1:
            yield Fault(f"a heading h{below} follows a heading h{above}")
            break
    if re.search(r"<br\s*/?>\s*<br\s*/?>", letter.html):
        yield Fault("two line breaks in a row stand for a paragraph")


@rule("B17", Severity.WARN, "600 pixels at most; Outlook's comments are whole")
def scaffolding(letter: Letter) -> Iterator[Fault]:
    for table in letter.tree.iter("table"):
        width = table.get("width") or ""
        if width.isdigit() and int(width) > _WIDEST:
            yield Fault(f"a table is {width} pixels wide")
    opened, closed = letter.html.count("<!--[if"), letter.html.count("<![endif]-->")
    if opened != closed:
        yield Fault(f"{opened} comments for Outlook begin and {closed} end")
    if re.search(r"(?<!--)<!\[if", letter.html):
        yield Fault("a `<![if` outside a comment")


@rule("B18", Severity.WARN, "style blocks are small, and in the head")
def styles(letter: Letter) -> Iterator[Fault]:
    for block in _STYLE.findall(letter.html):
        if len(block.encode()) > _STYLE_BYTES:
            yield Fault("a style block has more than 16 KB: Gmail drops it")
        if _NESTED_MEDIA.search(block):
            yield Fault("a media query within a media query")
    if letter.tree.xpath("//body//style"):
        yield Fault("a style block outside <head>")


@rule("B20", Severity.WARN, "more words than pictures")
def share_of_words(letter: Letter) -> Iterator[Fault]:
    pictures = len(letter.tree.xpath("//img"))
    words = len(letter.text.split())
    if pictures and words < _WORDS_A_PICTURE * pictures:
        yield Fault(f"{words} words beside {pictures} pictures look like an advertisement")


@rule("B21", Severity.REFUSE, "elements are not nested too deeply")
def nesting(letter: Letter) -> Iterator[Fault]:
    deepest, tables = _depth(letter.tree)
    if tables >= _DEEPEST_TABLES:
        yield Fault(f"{tables} tables within each other")
    if deepest >= _DEEPEST:
        yield Fault(f"{deepest} elements within each other")


def _depth(root: Any) -> tuple[int, int]:
    """The most elements, and the most tables, that stand within each other."""
    deepest = most_tables = 0
    waiting = [(root, 1, 0)]
    while waiting:
        element, depth, tables = waiting.pop()
        tables += element.tag == "table"
        deepest, most_tables = max(deepest, depth), max(most_tables, tables)
        waiting += [(child, depth + 1, tables) for child in element]
    return deepest, most_tables


def _is_alone_in_link(picture: Any) -> bool:
    parent = picture.getparent()
    return (
        parent is not None
        and parent.tag == "a"
        and not (parent.text_content() or "").strip()
        and len(parent.findall(".//img")) == 1
    )


def _first_words(element: Any) -> str:
    return " ".join((element.text_content() or "").split()[:4])
