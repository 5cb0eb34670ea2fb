"""Feeds: RSS 0.9x, 1.0, 2.0 and Atom, from bytes to posts; JSON Feed is `json_feed`.

1. `xml_mending` makes XML of the bytes, feedparser reads it; it is given a stream and never an
   address or a name, so that it opens nothing, and told to leave the HTML as it is: `prose` cleans.
2. The whole text of an entry comes before its summary; a summary alone is said to be one.
3. An entry without an id has its link for one, or a hash of what it says.
4. Entries that are comments are counted and not read: they are other people's words.

Standards: RFC 4287 (Atom), RSS 2.0, RDF Site Summary 1.0.
"""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date as Date
from html import escape
from typing import Any

from lxml import etree

from mailout.core.errors import BadFile
from mailout.core.ingest import dates, json_feed, words, xml_mending
from mailout.core.ingest.charset import looks_twice_encoded
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
from mailout.core.ingest.wxr_entries import not_well_formed

_FEED_LINK = re.compile(r"<link\b[^<>]*>", re.I)
_FEED_TYPE = re.compile(r"type\s*=\s*[\"']?application/(?:rss|atom|feed)\+(?:xml|json)", re.I)
_HREF = re.compile(r"href\s*=\s*[\"']?([^\s\"'<>]+)", re.I)
_ADDRESS = re.compile(
    r"(<[A-Za-z][^<>]*?\s(?:href|src|poster)\s*=\s*)(?:\"([^\"]*)\"|'([^']*)')", re.I
)
_APPEARED = re.compile(
    r"<p>\s*The post <a [^<>]*>[^<>]*</a> (?:first )?appeared first on"
    r" <a [^<>]*>[^<>]*</a>\.?\s*</p>\s*\Z",
    re.I,
)
_MOST_BROKEN = 2_000_000  # characters: how feedparser reads what is broken may take the square
_KIND = "http://schemas.google.com/g/2005#kind"  # Blogger's: posts, comments, settings
_COMMENTS = re.compile(r"comments|kommentare|commentaires|комментарии", re.I)
_COMMENT = re.compile(r"(?:by|von|par|от) ?:|(?:comment|kommentar|commentaire|комментарий)\b", re.I)
_COMMENT_FEED = re.compile(r"https?://\S*(?:/comments/feed|[?&]feed=comments)", re.I)


def read(raw: bytes, shown: str, url: str = "", charset: str = "") -> Gathered:
    """The posts of a feed. Raises: BadFile, and takes nothing.

    `url` is where it came from, for its relative links; `charset` is what the server said.
    """
    found = xml_mending.text_of(raw, shown, charset)
    if found.text.lstrip("\ufeff \t\n").startswith("{"):
        return json_feed.read(found, shown, url)
    xml_mending.not_html(found.text, shown, _page_fix(found.text, url))
    mended = xml_mending.mend(found, shown)
    if "http://wordpress.org/export/" in mended.text:
        raise BadFile(
            "this is a WordPress export, which holds drafts too, not a feed",
            where=shown,
            fix="Use `mailout posts import wxr`.",
        )
    faults = _faults(mended.text, shown)
    parsed = _parsed(mended.text, shown)
    if parsed.get("bozo") and not faults:
        why = words.one_line(str(parsed.get("bozo_exception", "")))[:200]
        faults = [f"feed: odd XML ({why}), read as well as it could be: look at it"]
    if not parsed.get("version"):
        raise BadFile(f"this is no feed but <{mended.root[:40]}>", where=shown, fix=_NO_FEED)
    return _Reading(parsed, shown, url, [*mended.warnings, *faults]).gathered()


def _parsed(text: str, shown: str) -> Any:
    import feedparser  # slow to import, and only feeds need it

    try:
        return feedparser.parse(
            io.BytesIO(text.encode()),
            response_headers={"content-type": "application/xml; charset=utf-8"},
            sanitize_html=False,
            resolve_relative_uris=False,
        )
    except Exception as error:  # it promises none, and broken XML finds some
        raise BadFile(
            f"this feed cannot be read ({type(error).__name__})", where=shown, fix=_NO_FEED
        ) from None


_NO_FEED = "Give the address of an RSS, Atom or JSON feed."


def _page_fix(page: str, url: str) -> str:
    """What to do about a page: the address of its feed, if it names one."""
    for link in _FEED_LINK.findall(page[:200_000]):
        target = _HREF.search(link)
        if _FEED_TYPE.search(link) and target:
            return f"Its feed is {joined(url, target[1].replace('&amp;', '&'))}"
    return f"{_NO_FEED} For the page itself: `mailout posts import page`."


def _faults(text: str, shown: str) -> list[str]:
    """A warning where the XML is not well-formed but can be read. Raises: BadFile if cut off."""
    try:
        parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
        etree.fromstring(text.encode(), parser)
    except etree.XMLSyntaxError as error:
        too_deep = "huge" in str(error.msg) or "depth" in str(error.msg)
        if error.code in _ENDS_EARLY or too_deep or len(text) > _MOST_BROKEN:
            raise not_well_formed(error, shown) from None
        why = str(error.msg).split(", line ")[0]
        return [f"line {error.lineno}: broken XML ({why}), read as well as it could be: look at it"]
    return []


_ENDS_EARLY = frozenset((etree.ErrorTypes.ERR_DOCUMENT_END, etree.ErrorTypes.ERR_TAG_NOT_FINISHED))


class _Reading:
    """A parsed feed as items."""

    def __init__(self, parsed: Any, shown: str, url: str, warnings: list[str]) -> None:
        self.entries: Sequence[Any] = parsed.entries
        self.feed: Any = parsed.feed
        self.shown = shown
        home = _string(parsed.feed.get("link"))
        self.url = url or (home if words.is_web_address(home) else "")
        self.home = home or url or words.plain(_string(parsed.feed.get("title")))
        self.warnings = warnings
        self.skipped: list[Skipped] = []
        self.openings: list[str] = []
        self.ids = Ids()
        self.language, note = words.site_language(_string(self.feed.get("language")))
        if note:
            warnings.append(f"language of the feed: {note}")

    def gathered(self) -> Gathered:
        if self._is_of_comments():
            raise BadFile(
                "this is a feed of comments, which are other people's words",
                where=self.shown,
                fix="Give the address of the feed of posts.",
            )
        others: dict[str, int] = {}
        items = []
        for number, entry in enumerate(self.entries, 1):
            kind = _blogger_kind(entry)
            if kind not in ("", "post"):
                others[kind] = others.get(kind, 0) + 1
                continue
            if item := self._item(number, entry):
                items.append(item)
        self.skipped += [
            Skipped(f"{count} of type `{kind}`", "only posts are read, no comments or settings")
            for kind, count in sorted(others.items())
        ]
        self.warnings += openings_warned(self.openings, len(items))
        return Gathered(
            tuple(items),
            found=len(self.entries) - sum(others.values()),
            skipped=tuple(self.skipped),
            warnings=tuple(self.warnings),
        )

    def _is_of_comments(self) -> bool:
        """Whether it is one by its address, or by its own title and those of all entries."""
        addresses = [self.url, *(_string(link.get("href")) for link in self.feed.get("links", ()))]
        titles = [words.plain(_string(entry.get("title"))) for entry in self.entries]
        return any(map(_COMMENT_FEED.match, addresses)) or (
            bool(_COMMENTS.match(words.plain(_string(self.feed.get("title")))))
            and all(map(_COMMENT.match, titles))
        )

    def _item(self, number: int, entry: Any) -> Item | None:
        link = self._absolute(_link(entry))
        body, excerpt = _body_of(entry)
        base = joined(self.url, body.base) if body.base else link or self.url
        text = _APPEARED.sub("", body.html)
        html = _absolute_links(text, base) + self._enclosures(entry, text)
        title = words.plain(_string(entry.get("title")))
        what = entry_name(number, title)
        status = "draft" if _string(entry.get("app_draft")).strip() == "yes" else "published"
        if (behind_password := protected(title, f"{html}\n{excerpt}")) is not None:
            title, status = behind_password, "password"
        if not title and not words.plain(html):
            self.skipped.append(Skipped(what, "it has neither a title nor a text"))
            return None
        date = _date(entry)
        source_id = self.ids.unused(
            scoped(_string(entry.get("id")), link, self.home), link, hashed(title, date, html)
        )
        if not source_id:
            self.skipped.append(Skipped(what, "the feed holds it twice"))
            return None
        if not title:
            self.warnings.append(f"{what}: it has no title: its first words serve as one")
        if ENDS_OPEN.search(text):
            self.openings.append(what)
        if looks_twice_encoded(html):
            self.warnings.append(
                f"{what}: its letters were spoilt at the source (`Ð°`): look at it"
            )
        language, note = language_of(body.language, self.language, html)
        if note:
            self.warnings.append(f"{what}: {note}")
        source = entry.get("source") or {}
        return Item(
            what=what,
            source_id=source_id,
            title=title or words.opening(html),
            html=html,
            language=language,
            date=date,
            author=words.byline(_string(entry.get("author_detail", {}).get("name"))),
            url=link,
            excerpt=words.plain(excerpt),
            categories=_categories(entry),
            status=status,
            source=words.plain(_string(source.get("title"))),
            source_url=self._absolute(_string(source.get("href") or source.get("link"))),
        )

    def _absolute(self, link: str) -> str:
        """The address that `link` means; empty if it is none of the web."""
        found = joined(self.url, link.strip()) if link.strip() else ""
        return found if words.is_web_address(found) else ""

    def _enclosures(self, entry: Any, html: str) -> str:
        found = []
        for enclosure in entry.get("enclosures", ()):
            address = self._absolute(_string(enclosure.get("href")))
            if address and escape(address) not in html and address not in html:
                found.append(attachment(address, _string(enclosure.get("title"))))
        return "".join(dict.fromkeys(found))


@dataclass(frozen=True, slots=True)
class _Body:
    """A text of an entry as HTML, where its relative links begin, and its language."""

    html: str = ""
    base: str = ""
    language: str = ""


def _body_of(entry: Any) -> tuple[_Body, str]:
    """The text to take, and its summary where the entry has one besides."""
    contents = [_body(content) for content in entry.get("content", ())]
    whole = max(contents, key=lambda body: len(body.html), default=_Body())
    summary = _body(entry.get("summary_detail") or {})
    if not whole.html:
        return summary, ""
    # Where both say the same, feedparser has put one in the other's place.
    return whole, "" if whole.html == summary.html else summary.html


def _body(detail: Any) -> _Body:
    html = _string(detail.get("value"))
    if detail.get("type") == "text/plain" and html.strip():
        html = as_html(html)
    return _Body(html.strip(), _string(detail.get("base")), _string(detail.get("language")))


def _link(entry: Any) -> str:
    """The entry's link. An id serves as one only if it is a whole address (RSS 2.0 `guid`)."""
    link = _string(entry.get("link"))
    is_id = bool(entry.get("guidislink")) and link == _string(entry.get("id"))
    return "" if is_id and not words.is_web_address(link.strip()) else link


def _blogger_kind(entry: Any) -> str:
    for tag in entry.get("tags", ()):
        if tag.get("scheme") == _KIND:
            return re.sub(r"\W", "", _string(tag.get("term")).rpartition("#")[2])[:40]
    return ""


def _categories(entry: Any) -> tuple[str, ...]:
    return named(
        _string(tag.get("label") or tag.get("term"))
        for tag in entry.get("tags", ())
        if tag.get("scheme") != _KIND
    )


def _date(entry: Any) -> Date | None:
    for key in ("published", "created", "updated"):
        # Not `entry.get`, which gives one for another, and warns.
        if day := own_day(_string(dict.get(entry, key))):
            return day
        if told := dict.get(entry, f"{key}_parsed"):
            try:
                return Date(told.tm_year, told.tm_mon, told.tm_mday)
            except ValueError:
                continue
    written = (_string(dict.get(entry, key)) for key in ("published", "updated"))
    return next((day for text in written if (day := dates.found(text))), None)


def _absolute_links(html: str, base: str) -> str:
    """The HTML with the relative addresses of links and pictures made whole."""

    def whole(found: re.Match[str]) -> str:
        address = found[2] if found[2] is not None else found[3]
        if re.match(r"[A-Za-z][\w+.-]*:|#|//\s*\Z", address.strip()) or not address.strip():
            return found[0]
        return f'{found[1]}"{joined(base, address.strip()).replace(chr(34), "%22")}"'

    return _ADDRESS.sub(whole, html) if base else html


def _string(value: object) -> str:
    return value if isinstance(value, str) else ""
