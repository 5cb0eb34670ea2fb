"""JSON Feed, from text to posts. What is of another type than it should be counts as missing.

Standards: JSON Feed 1.0, 1.1.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from typing import Any

from mailout.core.errors import BadFile, place
from mailout.core.ingest import words
from mailout.core.ingest.charset import Decoded
from mailout.core.ingest.entry import (
    ENDS_OPEN,
    Ids,
    as_html,
    attachment,
    entry_name,
    hashed,
    joined,
    language_of,
    named,
    openings_warned,
    own_day,
    protected,
    scoped,
)
from mailout.core.ingest.item import Gathered, Item, Skipped

_VERSION = re.compile(r"https?://(?:www\.)?jsonfeed\.org/version/1(?:\.\d+)?/?", re.I)


def read(found: Decoded, shown: str, url: str = "") -> Gathered:
    """The posts of a JSON Feed. Raises: BadFile, and takes nothing."""
    feed = _parsed(found.text, shown)
    entries = feed.get("items")
    if not _VERSION.fullmatch(_string(feed.get("version"))) or not isinstance(entries, list):
        raise BadFile(
            "this is JSON, but no JSON Feed",
            where=shown,
            fix="Its `version` must be https://jsonfeed.org/version/1.1, its posts in `items`.",
        )
    reading = _Reading(feed, url, [*found.warnings])
    items = [reading.item(number, entry) for number, entry in enumerate(entries, 1)]
    taken = tuple(item for item in items if item)
    warnings = (*reading.warnings, *openings_warned(reading.openings, len(taken)))
    return Gathered(taken, len(entries), tuple(reading.skipped), warnings)


def _parsed(text: str, shown: str) -> Mapping[str, Any]:
    try:
        found = json.loads(text.lstrip("\ufeff"), parse_constant=str)
    except json.JSONDecodeError as error:
        raise BadFile(
            f"broken JSON ({error.msg}): nothing of it is taken",
            where=place(shown, error.lineno, error.colno),
            fix="Fetch it again.",
        ) from None
    except (ValueError, RecursionError):  # a number of thousands of digits; thousands of brackets
        raise BadFile("JSON that no feed would hold", where=shown, fix="Fetch it again.") from None
    return found if isinstance(found, dict) else {}


class _Reading:
    """A feed's entries as items."""

    def __init__(self, feed: Mapping[str, Any], url: str, warnings: list[str]) -> None:
        self.url = url or _string(feed.get("feed_url")) or _string(feed.get("home_page_url"))
        home = _string(feed.get("home_page_url")) or self.url
        self.home = home or words.plain(_string(feed.get("title")))
        self.author = _author(feed)
        self.warnings = warnings
        self.skipped: list[Skipped] = []
        self.openings: list[str] = []
        self.ids = Ids()
        self.language, note = words.site_language(_string(feed.get("language")))
        if note:
            warnings.append(f"language of the feed: {note}")

    def item(self, number: int, entry: object) -> Item | None:
        """The post in an entry; None if there is none, which is noted."""
        if not isinstance(entry, dict):
            self.skipped.append(Skipped(entry_name(number, ""), "it is no JSON object"))
            return None
        title = words.plain(_string(entry.get("title")))
        what = entry_name(number, title)
        summary = words.one_line(_string(entry.get("summary")))
        html = _string(entry.get("content_html")).strip()
        html = html or as_html(_string(entry.get("content_text")))
        is_opening = bool(ENDS_OPEN.search(html)) if html else bool(summary)
        if not html:
            html, summary = as_html(summary), ""
        status = "published"
        if (behind_password := protected(title, f"{html}\n{summary}")) is not None:
            title, status = behind_password, "password"
        html += _attachments(entry.get("attachments"), html)
        if not title and not words.plain(html):
            self.skipped.append(Skipped(what, "it has neither a title nor a text"))
            return None
        date = own_day(_string(entry.get("date_published")))
        date = date or own_day(_string(entry.get("date_modified")))
        link = joined(self.url, _string(entry.get("url")).strip())
        link = link if words.is_web_address(link) and entry.get("url") else ""
        source_id = self.ids.unused(
            scoped(_id(entry.get("id")), link, self.home), link, hashed(title, date, html)
        )
        if not source_id:
            self.skipped.append(Skipped(what, "the feed holds it twice"))
            return None
        if is_opening:
            self.openings.append(what)
        if not title:
            self.warnings.append(f"{what}: it has no title: its first words serve as one")
        language, note = language_of(_string(entry.get("language")), self.language, html)
        if note:
            self.warnings.append(f"{what}: {note}")
        tags = entry.get("tags")
        return Item(
            what=what,
            source_id=source_id,
            title=title or words.opening(html),
            html=html,
            language=language,
            date=date,
            author=_author(entry) or self.author,
            url=link,
            excerpt=summary,
            tags=named(map(_string, tags)) if isinstance(tags, list) else (),
            status=status,
        )


def _author(holder: Mapping[str, Any]) -> str:
    """The names of `authors` (1.1), else that of `author` (1.0)."""
    several = holder.get("authors")
    people = several if isinstance(several, list) else [holder.get("author")]
    names = [words.byline(_string(one.get("name"))) for one in people if isinstance(one, dict)]
    return ", ".join(name for name in names if name)


def _attachments(found: object, html: str) -> str:
    links = []
    for one in found if isinstance(found, list) else ():
        address = _string(one.get("url")) if isinstance(one, dict) else ""
        if words.is_web_address(address) and address not in html:
            links.append(attachment(address, _string(one.get("title"))))
    return "".join(dict.fromkeys(links))


def _id(value: object) -> str:
    """An id as text: some feeds write a number."""
    return str(value) if isinstance(value, str | int) and not isinstance(value, bool) else ""


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
