"""Filing: an Item as the text of a file in posts/, and how a later import knows it again.

The front matter of an imported post ends with

    imported:
      by: wxr                                    the kind of source
      from: https://harbour.example.org/?p=17    the item's id there
      seen: 3f2a9c0d1be4                         a hash of what the source had
      wrote: 77aa0123cd45                        a hash of what was written here

A source that changed has another `seen`. A file that a person edited has another hash than
`wrote`; whether a post is `ready` or `archived` is for them to say, and no edit. A feed and an
export of one site have the same ids, but a feed may hold no more than openings: hence the kind.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import date
from typing import Any

from mailout.core import front_matter
from mailout.core.front_matter import FrontMatter
from mailout.core.ingest.item import Item
from mailout.core.post import KINDS, USABLE

_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of a character, line ends
_GLOBAL_ID = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # an address, `tag:`, `urn:` ..
_HOST = re.compile(r"https?://([^/?#\s]+)")
_URL = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an import left in a file: the kind of source, the item's id there, both hashes."""

    kind: str
    source_id: str
    seen: str
    wrote: str


def mark_of(head: FrontMatter) -> Mark | None:
    """The mark in a file's head; None if it was not imported."""
    value = head.values.get("imported")
    if not isinstance(value, dict) or not value.get("from"):
        return None
    return Mark(*(str(value.get(key, "")) for key in ("by", "from", "seen", "wrote")))


def identity(item: Item) -> str:
    """What the item is known by at every import."""
    if item.source_id and not _GLOBAL_ID.match(item.source_id):
        # The post 17 of one site is not that of another.
        host = _HOST.match(item.url)
        return f"{host[1]} {item.source_id}" if host else item.source_id
    return item.source_id or item.url or f"{item.date or ''} {item.title}".strip()


def seen(item: Item) -> str:
    """A hash of all that the source has of an item; its name in reports is none of it."""
    return _hash(replace(item, what=""))


def wrote(values: Mapping[str, Any], body: str) -> str:
    """A hash of front matter and body, as they were read or are about to be written."""
    told = {key: value for key, value in values.items() if key != "imported"}
    if told.get("status") in USABLE:
        del told["status"]
    return _hash([told, body.strip("\n")])


def text_of(item: Item, body: str, status: str, kind: str) -> str:
    """The file's text; `body` is Markdown, `status` is one of a post's, `kind` its source's."""
    body = body.replace("\r\n", "\n").replace("\r", "\n").strip("\n")
    body = body.encode(errors="replace").decode()  # half a character cannot be written
    told: dict[str, Any] = {
        "title": one_line(item.title),
        "date": item.date,
        "kind": item.kind if item.kind in KINDS else "",
        "author": one_line(item.author),
        "source": one_line(item.source),
        "source_url": web_address(item.source_url),
        "source_date": one_line(item.source_date),
        "canonical_url": web_address(item.url),
        "categories": _words(item.categories),
        "tags": _words(item.tags),
        "excerpt": one_line(item.excerpt),
        "status": "" if status == "ready" else status,
    }
    told = {key: value for key, value in told.items() if value}
    return front_matter.join({**told, "imported": _mark(item, kind, told, body)}, f"\n{body}\n")


def withdrawn(head: FrontMatter, item: Item, kind: str) -> str:
    """The text of a file whose item its source keeps back now: the same words, that status."""
    told = {key: value for key, value in head.values.items() if key not in ("imported", "status")}
    told["status"] = item.status
    mark = _mark(item, kind, told, head.body)
    return front_matter.join({**told, "imported": mark}, head.body)


def status_of(item: Item, since: date, alone: bool) -> str:
    """A post's status for an item that is new here.

    One without a date is ready only if it was taken `alone`: whoever names one text means it.
    """
    if item.status != "published":
        return item.status
    return "ready" if (alone if item.date is None else item.date >= since) else "archived"


def one_line(text: str) -> str:
    """The text as one line without controls, as a value of front matter and of a header is."""
    clean = "".join(" " if unicodedata.category(c) in _CONTROLS else c for c in text)
    return " ".join(clean.split())


def web_address(url: str) -> str:
    """The address, if it is one of the web; else nothing."""
    return url if _URL.fullmatch(url) else ""


def _mark(item: Item, kind: str, told: Mapping[str, Any], body: str) -> dict[str, str]:
    made = Mark(kind, identity(item), seen(item), wrote(told, body))
    return {"by": made.kind, "from": made.source_id, "seen": made.seen, "wrote": made.wrote}


def _words(texts: tuple[str, ...]) -> list[str]:
    return [word for word in dict.fromkeys(map(one_line, texts)) if word]


def _hash(value: object) -> str:
    # Surrogates and the like are no UTF-8; `repr` writes them as escapes.
    return hashlib.sha256(ascii(value).encode()).hexdigest()[:12]
