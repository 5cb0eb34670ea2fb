"""Items: posts as a source has them, before they become files in posts/.

| status | where it comes from | sent |
|---|---|---|
| published | it is public at the source | yes |
| draft, future, private, trash, password | the source keeps it from the public | never |
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date as Date

FILE = "file:"
"""What the id of a file on the disk begins with: its name follows, which others may have too."""

STATUSES = ("published", "draft", "future", "private", "trash", "password")


@dataclass(frozen=True, slots=True)
class Item:
    """One post of a source. What the source does not tell is empty.

    `what` names it in reports (`post 17 "Strike vote"`). `source_id` is the same at every import
    of the same post (a feed's id, an export's guid, a page's address, a file's name). The body is
    `html`, not yet sanitised and with `<!--more-->` where its opening ends, or else `markdown`.
    `expires` is the day from which its site shows it no more. `root` stands for the folder of a
    file on the disk: what came from the same one may be translations of each other.
    """

    what: str
    source_id: str
    title: str
    html: str = ""
    markdown: str = ""
    language: str = ""
    slug: str = ""
    date: Date | None = None
    author: str = ""
    url: str = ""
    excerpt: str = ""
    kind: str = ""
    categories: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    status: str = "published"
    source: str = ""
    source_url: str = ""
    source_date: str = ""
    expires: Date | None = None
    root: str = ""


@dataclass(frozen=True, slots=True)
class Skipped:
    """Something a reader found and left out, and why; never with third parties' data."""

    what: str
    why: str


@dataclass(frozen=True, slots=True)
class Gathered:
    """All that a reader took from one source, in the source's order.

    `found` counts what could have been a post, taken or not. Each warning is one line that
    begins with what it is about.
    """

    items: tuple[Item, ...]
    found: int
    skipped: tuple[Skipped, ...] = ()
    warnings: tuple[str, ...] = ()
