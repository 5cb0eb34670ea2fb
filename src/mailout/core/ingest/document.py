"""One file with one text: HTML, plain text, or Markdown as other programs keep it.

| ends in | or begins like | is |
|---|---|---|
| .md .markdown | front matter between `---` or `+++`, or in JSON | Markdown (see `markdown`) |
| .html .htm | an HTML document | HTML: all of its body is the text but comments of readers |
| .txt | anything else | plain text, its first line the title |

A whole web page is better read by `page`; here it loses what is around its text, with a warning.
"""

from __future__ import annotations

import re
from datetime import date as Date
from typing import Any

from lxml import etree

from mailout.core import layout
from mailout.core.errors import BadFile, place
from mailout.core.ingest import charset as encodings
from mailout.core.ingest import dates, markdown, misread, plaintext
from mailout.core.ingest.item import FILE, Gathered, Item, Skipped
from mailout.core.ingest.pages import body, tree
from mailout.core.ingest.words import one_line, opening, told_language
from mailout.core.ingest.writing import clean

_HTML_NAME = re.compile(r".*\.(?:x?html?)(?:[?#].*)?", re.I)
_MARKDOWN_NAME = re.compile(r".*\.(?:md|markdown|mkd|mdown)(?:[?#].*)?", re.I)
_LOOKS_HTML = re.compile(
    r"\s*+(?:<!--.*?-->\s*+)*+<(?:!doctype html|html|head|body|p|div|h[1-6]|article|table)\b",
    re.I | re.S,
)
_FRONT_MATTER = re.compile(r"\ufeff?(?:---|\+\+\+)[ \t]*\r?\n")
_IS_PAGE = re.compile(r"<(?:!doctype\s+html|html|body)\b", re.I)
_META_CHARSET = re.compile(rb"<meta\b[^>]{0,200}?charset\s*=\s*[\"']?\s*([\w.:-]{1,40})", re.I)
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_LONGEST_TITLE = 150
_DATED = re.compile(r"(?:.*/)?(\d{4}-\d{2}-\d{2})[-_. ][^/]*")


def read(raw: bytes, shown: str, url: str = "", charset: str = "") -> Gathered:
    """The post in a file's bytes; `shown` is its path or address, and tells the kind of file.

    Raises: BadFile if there is no text in it, its front matter cannot be read, or it is made for
    another kind of import.
    """
    misread.refuse_name(shown)
    refuse_size(raw, shown)
    decoded = encodings.decode(raw, declared(raw), charset)
    warnings = [f"{shown}: {line}" for line in decoded.warnings]
    text = without_controls(decoded.text, shown, warnings)
    if not text.strip():
        raise BadFile("there is no text in it", where=shown)
    if not _FRONT_MATTER.match(text):  # else it may well be about feeds
        misread.refuse_xml(text, shown)
    is_markdown = bool(_MARKDOWN_NAME.fullmatch(shown))
    if not is_markdown:
        misread.refuse_json(text, shown)
    if is_markdown or _has_front_matter(text):
        told = markdown.read(text, shown, url, warnings)
        if isinstance(told, Skipped):
            return Gathered((), 1, (told,), tuple(warnings))
        return Gathered((told,), 1, (), tuple(warnings))
    if _HTML_NAME.fullmatch(shown) or _LOOKS_HTML.match(text):
        return _html(text, shown, url, warnings)
    return plain(text, shown, url, warnings)


def _has_front_matter(text: str) -> bool:
    return bool(_FRONT_MATTER.match(text) or markdown.JSON_HEAD.match(text))


def refuse_size(raw: bytes, shown: str) -> None:
    """Nothing, unless there are too many bytes for one text. Raises: BadFile."""
    if len(raw) > clean.MOST_BYTES:
        raise BadFile("more than 10 MB", where=shown, fix="Is this one text? Cut it into parts.")


def declared(raw: bytes) -> str:
    """The encoding that an HTML file declares for itself; empty if none."""
    found = _META_CHARSET.search(raw[:4096]) or re.search(
        rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", raw[:200]
    )
    return found[1].decode("ascii") if found else ""


def without_controls(text: str, shown: str, warnings: list[str]) -> str:
    """The text without control characters, its lines ending alike."""
    text = text.removeprefix("\ufeff").replace("\r\n", "\n").replace("\r", "\n")
    if first := _CONTROL.search(text):
        line = text.count("\n", 0, first.start()) + 1
        text, count = _CONTROL.subn("", text)
        warnings.append(f"{place(shown, line)}: control characters stripped: {count}")
    return text


def plain(text: str, shown: str, url: str, warnings: list[str]) -> Gathered:
    """The one post of a plain text; its first line is the title, if it stands alone."""
    blocks = plaintext.paragraphs(text)
    title = blocks[0][0]
    if len(title) <= _LONGEST_TITLE and len(blocks[0]) == 1 and len(blocks) > 1:
        blocks = blocks[1:]
    else:
        title = opening(plaintext.linked(title))
        warnings.append(f"{shown}: no title stands above the text; its first words serve as one")
    item = Item(
        what=shown,
        source_id=url or file_id(shown),
        title=one_line(title),
        html=plaintext.html(blocks),
        language=_language(shown),
        date=_date_in_name(shown),
        url=url,
    )
    return Gathered((item,), 1, (), tuple(warnings))


def _html(text: str, shown: str, url: str, warnings: list[str]) -> Gathered:
    """The one post of an HTML file: all of its body."""
    root, told = tree.read(text, shown, url, warnings)
    comments = body.without_comments(root)
    if _IS_PAGE.search(text):
        around = body.clear(root)
        if around or comments or next(root.iter("article", "main", "footer"), None) is not None:
            warnings.append(
                f"{shown}: this is a whole web page: `mailout posts import page` suits it better;"
                " navigation and the like are left out"
            )
    title_at = body.heading(root)
    title = one_line(title_at.text_content()) if title_at is not None else told.title
    title = title or opening(text)
    if not title:
        raise BadFile("there is no text in it", where=shown)
    if title_at is not None and _is_first(title_at, root):
        title_at.drop_tree()
    item = Item(
        what=shown,
        source_id=told.url or url or file_id(shown),
        title=title,
        html=str(etree.tostring(root, encoding="unicode", method="html")),
        language=told.language or _language(shown),
        date=told.date or _date_in_name(shown),
        author=told.author,
        url=told.url,
        categories=told.categories,
        tags=told.tags,
    )
    skipped = (body.COMMENTS,) if comments else ()
    return Gathered((item,), 1, skipped, tuple(warnings))


def file_id(shown: str) -> str:
    """The id of a post that is known by its file's name only."""
    return FILE + shown.rpartition("/")[2]


def _is_first(heading: Any, root: Any) -> bool:
    """Whether no word stands before a heading."""
    for element in root.iter():
        if element is heading:
            return True
        if isinstance(element.tag, str) and (element.text or "").strip():
            return False
    return False


def _language(shown: str) -> str:
    """The language in a file's name, as in `vote.ru.txt`, or in a folder's."""
    name = shown.rpartition("/")[2].split(".")
    code = name[-2] if len(name) > 2 and layout.is_language(name[-2]) else ""
    return told_language(code)[0] if code else layout.named(shown).language


def _date_in_name(shown: str) -> Date | None:
    found = _DATED.fullmatch(shown)
    return dates.found(found[1]) if found else None
