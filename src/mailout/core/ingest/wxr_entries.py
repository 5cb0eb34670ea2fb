"""Entries: what stands in a WordPress export, element by element, and only what may be read.

The file is read as a stream; of each `<item>` nothing is kept but what an `Entry` has. Of types
other than post and page only the number is kept, of comments not even a word.

Standards: WXR 1.0, 1.1, 1.2.
"""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from lxml import etree

from mailout.core.errors import BadFile, place
from mailout.core.ingest.xml_mending import Mended

LANGUAGE_FIELDS = ("_wpml_import_language_code", "_wpml_language", "wpml_language", "_locale")
LINKED_FIELDS = ("_wpml_import_translation_group", "_original_post")
FEATURED = "_thumbnail_id"
"""The custom fields that tell a language, what translations share, and of a picture above the
text; all others stay unread."""

_TYPES = frozenset({"post", "page"})
_FIELDS = frozenset((*LANGUAGE_FIELDS, *LINKED_FIELDS, FEATURED))

_PREFIXES = {
    "http://purl.org/rss/1.0/modules/content/": "content",
    "http://purl.org/dc/elements/1.1/": "dc",
}


@dataclass(frozen=True, slots=True)
class Entry:
    """A post or page as the export has it. `terms` are domain, nicename and name of each."""

    number: str
    type: str
    title: str
    content: str
    excerpt: str
    status: str
    slug: str
    link: str
    guid: str
    author: str
    date: str
    date_gmt: str
    pub_date: str
    password: bool
    terms: tuple[tuple[str, str, str], ...]
    fields: dict[str, str]


@dataclass(frozen=True, slots=True)
class File:
    """An attachment: the address of the file, what it shows, its words, the post it belongs to."""

    url: str
    alt: str
    caption: str
    parent: str


@dataclass(slots=True)
class Export:
    """All that is read from an export; `others` counts by type what is not."""

    url: str = ""
    language: str = ""
    authors: dict[str, str] = field(default_factory=dict)
    entries: list[Entry] = field(default_factory=list)
    files: dict[str, File] = field(default_factory=dict)
    others: Counter[str] = field(default_factory=Counter)
    comments: int = 0


def read_export(mended: Mended, shown: str) -> Export:
    """What the export holds. Raises: BadFile where it is no export or not well-formed."""
    if "wordpress.org/export/" not in mended.text and "<wp:" not in mended.text:
        feed = mended.root in ("rss", "feed", "rdf:RDF")
        raise BadFile(
            "this is a feed, not a WordPress export" if feed else "this is no WordPress export",
            where=shown,
            fix="Use `mailout posts import feed`, or export it in WordPress under Tools, Export."
            if feed
            else "In WordPress choose Tools, Export, and save the file it offers.",
        )
    export = Export()
    try:
        for element in _elements(mended.text):
            _take(element, export)
    except etree.XMLSyntaxError as error:
        raise not_well_formed(error, shown) from None
    return export


def not_well_formed(error: etree.XMLSyntaxError, shown: str) -> BadFile:
    """The error to raise for what an XML parser says."""
    why = str(error.msg or "it is not well-formed").split(", line ")[0]
    return BadFile(
        f"broken XML ({why}): nothing of it is taken",
        where=place(shown, error.lineno or None),
        fix="Export it again, or mend that line.",
    )


def _elements(text: str) -> Iterator[Any]:
    """Each element below `<channel>`, whole; forgotten once the next one is asked for."""
    source = io.BytesIO(text.encode())
    walk = etree.iterparse(
        source,
        events=("start", "end"),
        encoding="utf-8",
        resolve_entities=False,
        load_dtd=False,
        no_network=True,
        remove_comments=True,
        remove_pis=True,
    )
    depth = 0
    for event, element in walk:
        depth += 1 if event == "start" else -1
        if event == "end" and depth == 2:
            yield element
            element.clear()
            parent = element.getparent()
            while parent is not None and element.getprevious() is not None:
                del parent[0]


def _take(element: Any, export: Export) -> None:
    name = _name(element)
    if name == "item":
        _take_item(element, export)
    elif name == "language":
        export.language = element.text or ""
    elif name in ("link", "wp:base_blog_url") and _text(element):
        export.url = _text(element)
    elif name == "wp:author":
        # Names only: addresses of authors are nobody's business here.
        found = {_name(child): _text(child) for child in element}
        login = found.get("wp:author_login", "")
        export.authors[login] = found.get("wp:author_display_name") or login


def _take_item(item: Any, export: Export) -> None:
    kind = next((_text(child) for child in item if _name(child) == "wp:post_type"), "")
    if kind not in _TYPES and kind != "attachment":
        export.others[kind] += 1
        export.comments += sum(_name(child) == "wp:comment" for child in item)
        return
    texts: dict[str, str] = {}
    terms: list[tuple[str, str, str]] = []
    fields: dict[str, str] = {}
    alt = ""
    for child in item:
        name = _name(child)
        if name == "wp:comment":
            export.comments += 1
        elif name == "category":
            terms.append((child.get("domain", ""), child.get("nicename", ""), _text(child)))
        elif name == "wp:postmeta":
            pair = {_name(part): _text(part) for part in child}
            key = pair.get("wp:meta_key", "")
            if key in _FIELDS:
                fields[key] = pair.get("wp:meta_value", "")
            elif key == "_wp_attachment_image_alt":
                alt = pair.get("wp:meta_value", "")
        else:
            texts.setdefault(name, _inner(child))
    number = texts.get("wp:post_id", "").strip()
    if kind == "attachment":
        url = texts.get("wp:attachment_url", "").strip()
        parent = texts.get("wp:post_parent", "").strip()
        export.files[number] = File(url, alt, texts.get("excerpt:encoded", ""), parent)
        export.others[kind] += 1
        return
    export.entries.append(
        Entry(
            number=number,
            type=kind,
            title=texts.get("title", "").strip(),
            content=texts.get("content:encoded", "").strip("\n"),
            excerpt=texts.get("excerpt:encoded", "").strip(),
            status=texts.get("wp:status", "").strip(),
            slug=texts.get("wp:post_name", "").strip(),
            link=texts.get("link", ""),
            guid=texts.get("guid", ""),
            author=texts.get("dc:creator", "").strip(),
            date=texts.get("wp:post_date", ""),
            date_gmt=texts.get("wp:post_date_gmt", ""),
            pub_date=texts.get("pubDate", ""),
            password=bool(texts.get("wp:post_password", "").strip()),
            terms=tuple(terms),
            fields=fields,
        )
    )


def _text(element: Any) -> str:
    return "".join(element.itertext()).strip()


def _inner(element: Any) -> str:
    """All that stands in an element; tags that should have been escaped are text of it."""
    inner = (etree.tostring(child, encoding="unicode") for child in element)
    return (element.text or "") + "".join(inner)


def _name(element: Any) -> str:
    """The element's name with the prefix that exports use, whatever version declared it."""
    tag = str(element.tag)
    if not tag.startswith("{"):
        return tag
    space, _, local = tag[1:].partition("}")
    if "wordpress.org/export/" in space:
        return f"{'excerpt' if space.rstrip('/').endswith('/excerpt') else 'wp'}:{local}"
    prefix = _PREFIXES.get(space) or element.prefix
    return f"{prefix}:{local}" if prefix else local
