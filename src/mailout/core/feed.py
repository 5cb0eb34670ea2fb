"""A feed: the newest posts of a language, whole, for programs that follow many sites.

Titles and texts may be in another language than the feed, where no translation exists yet;
each says its own (`xml:lang`). Addresses serve as ids: they never change.

Standards: RFC 4287 (Atom), RFC 3339 (moments), XML 1.0 2.2 (which characters may stand there).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from lxml import etree

_ATOM = "http://www.w3.org/2005/Atom"
_LANGUAGE = "{http://www.w3.org/XML/1998/namespace}lang"
_FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


@dataclass(frozen=True, slots=True)
class Entry:
    """One post. `html` is its text, `at` when it was first mailed."""

    url: str
    title: str
    language: str
    at: datetime
    html: str
    author: str = ""
    categories: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Feed:
    """A feed at `url`, of what `page` shows to people; it has at least one entry."""

    url: str
    page: str
    title: str
    author: str
    language: str
    entries: Sequence[Entry]


def to_atom(feed: Feed) -> bytes:
    """The feed's file, in UTF-8; entries in the order given."""
    root = etree.Element(f"{{{_ATOM}}}feed", nsmap={None: _ATOM})
    root.set(_LANGUAGE, feed.language)
    _add(root, "id", feed.url)
    _add(root, "title", feed.title)
    _add(root, "updated", _moment(max(entry.at for entry in feed.entries)))
    _add(root, "link", rel="self", type="application/atom+xml", href=feed.url)
    _add(root, "link", rel="alternate", type="text/html", href=feed.page)
    _add(_add(root, "author"), "name", feed.author)  # RFC 4287 4.1.1: for entries without one
    for entry in feed.entries:
        _add_entry(root, entry)
    etree.indent(root)
    return bytes(etree.tostring(root, xml_declaration=True, encoding="utf-8")) + b"\n"


def _add_entry(root: etree._Element, entry: Entry) -> None:
    one = _add(root, "entry")
    one.set(_LANGUAGE, entry.language)
    _add(one, "id", entry.url)
    _add(one, "title", entry.title)
    _add(one, "updated", _moment(entry.at))
    _add(one, "published", _moment(entry.at))
    _add(one, "link", rel="alternate", type="text/html", hreflang=entry.language, href=entry.url)
    if entry.author:
        _add(_add(one, "author"), "name", entry.author)
    for category in entry.categories:
        _add(one, "category", term=category)
    _add(one, "content", entry.html, type="html")


def _add(parent: etree._Element, name: str, text: str = "", **attributes: str) -> etree._Element:
    found = etree.SubElement(parent, f"{{{_ATOM}}}{name}")
    for key, value in attributes.items():
        found.set(key, _FORBIDDEN.sub("", value))
    if text:
        found.text = _FORBIDDEN.sub("", text)
    return found


def _moment(at: datetime) -> str:
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
