"""Filing: an Item as the text of a file in posts/, and how a later import knows it again.

The front matter of an imported post ends with

    imported:
      by: wxr                                    the kind of source
      from: https://harbour.example.org/?p=17    the item's id there
      seen: 3f2a9c0d1be4                         a hash of what the source had
      wrote: 77aa0123cd45                        a hash of what was written here
      root: 51d0e6a7c7f2                         of a file: a hash of the folder it was in
      title: 9be0c3f5aa17                        of a file: hashes of the title and the text
      text: 0c41d2b8e6f3                         that it had
      withdrawn: private                         the status that it got from its source since,
      before: archived                           and the one until then

A source that changed has another `seen`. A file that a person edited has another hash than
`wrote`; whether a post is `ready` or `archived` is for them to say, and no edit. A feed and an
export of one site have the same ids, but a feed may hold no more than openings: hence the kind.

The id of a file (`file:vote`) is its name, and next week's `statement.html` has the same one: it is
the same post only if it has the same title or the same text.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from datetime import date
from typing import Any

from mailout.core import front_matter
from mailout.core.front_matter import FrontMatter
from mailout.core.ingest.item import FILE, Item
from mailout.core.post import KINDS, USABLE

_KEYS = ("by", "from", "seen", "wrote", "root", "title", "text", "withdrawn", "before")
# What depends on how a source was named, or makes no difference once a post is here.
_ABOUT = frozenset({"what", "root", "slug", "language"})
_CONTROLS = frozenset({"Cc", "Cs", "Zl", "Zp"})  # controls, halves of a character, line ends
_GLOBAL_ID = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*:")  # an address, `tag:`, `urn:` ..
_HOST = re.compile(r"(?:https?://)?(?:www\.)?([^/?#\s]+\.[^/?#\s]+)", re.I)
_WEB_HOST = re.compile(r"https?://([^/?#\s]+)")
_URL = re.compile(r"https?://[^\s<>\"]+")


@dataclass(frozen=True, slots=True)
class Mark:
    """What an import left in a file: see above."""

    kind: str
    source_id: str
    seen: str
    wrote: str
    root: str = ""
    title: str = ""
    text: str = ""
    withdrawn: str = ""
    before: str = ""


def mark_of(head: FrontMatter) -> Mark | None:
    """The mark in a file's head; None if it was not imported."""
    value = head.values.get("imported")
    if not isinstance(value, dict) or not value.get("from"):
        return None
    return Mark(*(str(value.get(key, "")) for key in _KEYS))


def identity(item: Item) -> str:
    """What the item is known by at every import: on one line, as it is read back from a head."""
    source_id = " ".join(item.source_id.split())
    if source_id and not _GLOBAL_ID.match(source_id):
        # The post 17 of one site is not that of another.
        host = _WEB_HOST.match(item.url)
        return f"{host[1]} {source_id}" if host else source_id
    return source_id or item.url or " ".join(f"{item.date or ''} {item.title}".split())


def seen(item: Item) -> str:
    """A hash of all that the source has of an item, in whatever folder that lies.

    What is empty is left out, so that a field more in the next version changes no hash.
    """
    told = {one.name: getattr(item, one.name) for one in fields(item)}
    return _hash({name: told[name] for name in told if name not in _ABOUT and told[name]})


def has_title(mark: Mark, item: Item) -> bool:
    """Whether the source had this title when the mark was made."""
    return mark.title == _hash(item.title)


def has_text(mark: Mark, item: Item) -> bool:
    """Whether the source had this text when the mark was made."""
    return mark.text == _text_hash(item)


def is_of_file(source_id: str) -> bool:
    """Whether an id is no more than the name of a file."""
    return source_id.startswith(FILE)


def origins(item: Item, kind: str) -> frozenset[str]:
    """What the source of an item is known by: its site, or the folder of its files."""
    return _origins(kind, identity(item), item.url, item.root)


def origins_of(mark: Mark, url: str) -> frozenset[str]:
    """The same of a post that is here; `url` is the address of its original."""
    return _origins(mark.kind, mark.source_id, url, mark.root)


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
    mark |= {"withdrawn": item.status, "before": head.text("status") or "ready"}
    return front_matter.join({**told, "imported": mark}, head.body)


def as_of(item: Item, today: date) -> Item:
    """The item as it is on that day: one that is dated later is still to come."""
    if item.status == "published" and item.date is not None and item.date > today:
        return replace(item, status="future")
    return item


def has_expired(item: Item, today: date) -> bool:
    """Whether its source shows it no more, since it was to be shown until a day only."""
    return item.expires is not None and item.expires <= today


def status_of(item: Item, since: date, today: date, alone: bool) -> str:
    """A post's status for an item that is new here.

    One without a date is ready only if it was taken `alone`: whoever names one text means it.
    """
    if (status := as_of(item, today).status) != "published":
        return status
    if has_expired(item, today):
        return "archived"
    return "ready" if (alone if item.date is None else item.date >= since) else "archived"


def one_line(text: str) -> str:
    """The text as one line without controls, as a value of front matter and of a header is."""
    clean = "".join(" " if unicodedata.category(c) in _CONTROLS else c for c in text)
    return " ".join(clean.split())


def web_address(url: str) -> str:
    """The address, if it is one of the web; else nothing."""
    return url if _URL.fullmatch(url) else ""


def _mark(item: Item, kind: str, told: Mapping[str, Any], body: str) -> dict[str, str]:
    mark = {"by": kind, "from": identity(item), "seen": seen(item), "wrote": wrote(told, body)}
    if item.root:
        mark["root"] = item.root
    if is_of_file(mark["from"]):
        mark |= {"title": _hash(item.title), "text": _text_hash(item)}
    return mark


def _text_hash(item: Item) -> str:
    return _hash(item.html or item.markdown)


def _origins(kind: str, source_id: str, url: str, root: str) -> frozenset[str]:
    hosts = (_HOST.match(one) for one in (source_id, url) if not is_of_file(one))
    found = {f"host {host[1].casefold()}" for host in hosts if host}
    return frozenset(found | {f"{kind} {root}"} if root else found)


def _words(texts: tuple[str, ...]) -> list[str]:
    return [word for word in dict.fromkeys(map(one_line, texts)) if word]


def _hash(value: object) -> str:
    # Surrogates and the like are no UTF-8; `repr` writes them as escapes.
    return hashlib.sha256(ascii(value).encode()).hexdigest()[:12]
