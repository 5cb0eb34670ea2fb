"""WXR: WordPress exports, from bytes to posts.

1. `xml_mending` makes XML of it; `wxr_entries` reads what an allow-list permits, item by item.
2. Types other than post (and page, if asked for) are counted and not read: they hold forms that
   people filled in, comments, names and addresses of third parties.
3. Statuses: publish -> published; draft, pending, auto-draft -> draft; future, private, trash;
   a password on a public post -> password. What is unknown counts as a draft.
4. Bodies: languages apart (`bilingual`), then `shortcodes`, then `wxr_blocks`.

Standards: WXR 1.0, 1.1, 1.2 (RSS 2.0 with WordPress's namespaces).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import date as Date
from datetime import datetime
from urllib.parse import unquote

from mailout.core.ingest import bilingual, shortcodes, words, xml_mending
from mailout.core.ingest.charset import looks_twice_encoded
from mailout.core.ingest.entry import Ids, named, own_day
from mailout.core.ingest.item import Gathered, Item, Skipped
from mailout.core.ingest.shortcodes import Library, Picture
from mailout.core.ingest.wxr_blocks import to_body
from mailout.core.ingest.wxr_entries import (
    FEATURED,
    LANGUAGE_FIELDS,
    LINKED_FIELDS,
    Entry,
    Export,
    read_export,
)

_STATUSES = {
    "publish": "published",
    "future": "future",
    "draft": "draft",
    "pending": "draft",
    "auto-draft": "draft",
    "inherit": "draft",
    "private": "private",
    "trash": "trash",
}
_INNER = (
    "revision nav_menu_item custom_css customize_changeset oembed_cache wp_block wp_template"
    " wp_template_part wp_global_styles wp_navigation wp_font_family wp_font_face"
)
_LINKED = "post_translations"  # Polylang's taxonomy
_IGNORED_DOMAINS = frozenset({"language", _LINKED, "post_format", ""})


def read(raw: bytes, shown: str, url: str = "", charset: str = "", pages: bool = False) -> Gathered:
    """The posts of an export; with `pages`, its pages too. Raises: BadFile, and takes nothing.

    `charset` is what the server said; where it came from (`url`) is of no use here.
    """
    found = xml_mending.text_of(raw, shown, charset)
    xml_mending.not_html(
        found.text, shown, "In WordPress choose Tools, Export, and save the file it offers."
    )
    mended = xml_mending.mend(found, shown)
    del found  # an export may be large
    export = read_export(mended, shown)
    return _Reading(export, pages).gathered(mended.warnings)


class _Reading:
    """An export's entries as items: what concerns the whole of it is known before the first."""

    def __init__(self, export: Export, pages: bool) -> None:
        self.export = export
        self.wanted = [entry for entry in export.entries if entry.type == "post" or pages]
        self.site_language, note = words.site_language(export.language)
        self.warnings = [f"language of the site: {note}"] if note else []
        self.skipped: list[Skipped] = []
        self.ids = Ids()
        self.parts = 0  # posts beyond the first that one entry holds
        self.pictures = {
            number: Picture(file.url, words.plain(file.alt), words.plain(file.caption))
            for number, file in export.files.items()
        }
        self.own: dict[str, list[str]] = {}
        for number, file in export.files.items():
            self.own.setdefault(file.parent, []).append(number)
        self.names: set[str] = set()
        for entry in self.wanted:
            self.names |= shortcodes.names_in(entry.content)

    def gathered(self, notes: Sequence[str]) -> Gathered:
        groups: dict[str, list[Item]] = {}
        items = []
        for entry in self.wanted:
            found = list(self._items(entry))
            self.parts += max(0, len(found) - 1)
            items += found
            if group := _group(entry):
                groups.setdefault(group, []).extend(found)
        items = _with_shared_slugs(items, groups.values())
        left = len(self.export.entries) - len(self.wanted)
        if left:
            why = "only posts are read; pages are, if asked for"
            self.skipped.append(Skipped(words.many(left, "page"), why))
        self.skipped += _counted(self.export.others, self.export.comments)
        self.warnings += _domains(self.wanted)
        if featured := sum(FEATURED in entry.fields for entry in self.wanted):
            self.warnings.append(
                f"featured pictures: not taken ({words.many(featured, 'post')} with one)"
            )
        return Gathered(
            tuple(items),
            found=len(self.export.entries) + self.parts,
            skipped=tuple(self.skipped),
            warnings=(*notes, *self.warnings),
        )

    def _items(self, entry: Entry) -> Iterator[Item]:
        """An entry as one item, or as one for each language that it is written in."""
        what = _name(entry)
        if not (entry.content.strip() or words.plain(entry.title)):
            self.skipped.append(Skipped(what, "it has neither a title nor a text"))
            return
        if entry.status == "auto-draft" and not words.plain(entry.content):
            self.skipped.append(Skipped(what, "begun and never written (auto-draft)"))
            return
        source_id = self.ids.unused(
            entry.guid.strip(), f"{self.export.url}#{entry.type}-{entry.number}"
        )
        if not source_id:
            self.skipped.append(Skipped(what, "the export holds it twice"))
            return
        codes = bilingual.languages(entry.content) or bilingual.languages(entry.title)
        if not codes:
            yield self._item(entry, what, source_id, self._language(entry, what))
            return
        for code in codes:
            language, note = words.told_language(code)
            name = f"{what} ({language})"
            if not bilingual.has(entry.content, code) and bilingual.has(entry.content, codes[0]):
                self.skipped.append(Skipped(name, "it has a title and no text"))
                continue
            if note:
                self.warnings.append(f"{what}: {note}")
            part = replace(
                entry,
                title=bilingual.part(entry.title, code),
                content=bilingual.part(entry.content, code),
                excerpt=bilingual.part(entry.excerpt, code),
            )
            yield self._item(part, name, f"{source_id}#{language}", language)

    def _item(self, entry: Entry, what: str, source_id: str, language: str) -> Item:
        library = Library(self.pictures, tuple(self.own.get(entry.number, ())), self.names)
        resolved = shortcodes.resolve(entry.content, library)
        body = to_body(resolved.html)
        excerpt = words.plain(shortcodes.resolve(entry.excerpt, library).html)
        title = words.plain(entry.title) or words.opening(body.html) or what
        text = words.plain(body.html)
        notes = [*resolved.warnings, *body.warnings]
        if not text and "<img" not in body.html:
            notes.append("it has a title and no text")
        if words.is_mixed(text):
            notes.append("it seems to be in two languages: split it by hand")
        if not words.plain(entry.title):
            notes.append("it has no title: its first words serve as one")
        if entry.status not in _STATUSES:
            notes.append(f"unknown status `{words.one_line(entry.status)[:40]}`: taken as a draft")
        if looks_twice_encoded(text):
            notes.append("its letters were spoilt before it was exported (`Ð°`): look at it")
        self.warnings += [f"{what}: {note}" for note in notes]
        status = _STATUSES.get(entry.status, "draft")
        if entry.password and status == "published":
            status = "password"
        address = entry.link.strip()
        return Item(
            what=what,
            source_id=source_id,
            title=title,
            html=body.html,
            language=language,
            slug=words.one_line(unquote(entry.slug)),
            date=_date(entry),
            author=words.byline(self.export.authors.get(entry.author, entry.author)),
            url=address if words.is_web_address(address) and status == "published" else "",
            excerpt=excerpt,
            categories=_terms(entry, "category"),
            tags=_terms(entry, "post_tag"),
            status=status,
        )

    def _language(self, entry: Entry, what: str) -> str:
        """The entry's language as its plugin says, else the site's if the letters are of it."""
        told = [nicename or name for domain, nicename, name in entry.terms if domain == "language"]
        told += [entry.fields[key] for key in LANGUAGE_FIELDS if key in entry.fields]
        for code in told:
            language, note = words.told_language(code)
            if note:
                self.warnings.append(f"{what}: {note}")
            if language:
                return language
        if not words.fits(self.site_language, words.plain(entry.content[:5000])):
            self.warnings.append(
                f"{what}: the site is in `{self.site_language}`, its letters are not: no language"
            )
            return ""
        return self.site_language


def _name(entry: Entry) -> str:
    """How reports name it: `post 17 "Strike vote"`."""
    codes = bilingual.languages(entry.title)
    title = words.plain(bilingual.part(entry.title, codes[0]) if codes else entry.title)
    short = title if len(title) <= 60 else title[:58] + ".."
    return f"{entry.type} {entry.number}" + (f' "{short}"' if short else "")


def _date(entry: Entry) -> Date | None:
    """The day on which it came out, by the site's clock; None if it never did."""
    for written in (entry.date, entry.date_gmt):
        try:
            return datetime.fromisoformat(written.strip()[:19]).date()
        except ValueError:
            continue  # 0000-00-00 stands in drafts
    # What was never published is of the year -1.
    return None if "-0001" in entry.pub_date else own_day(entry.pub_date)


def _terms(entry: Entry, domain: str) -> tuple[str, ...]:
    return named(name for kind, _, name in entry.terms if kind == domain)


def _domains(entries: Sequence[Entry]) -> list[str]:
    """A warning for each taxonomy of the site's own, which posts here do not have."""
    found = Counter(
        domain
        for entry in entries
        for domain in {domain for domain, _, _ in entry.terms}
        if domain not in _IGNORED_DOMAINS | {"category", "post_tag"}
    )
    return [
        f"taxonomy `{words.one_line(name)[:40]}`: not taken ({words.many(count, 'post')} with it)"
        for name, count in sorted(found.items())
    ]


def _counted(others: Mapping[str, int], comments: int) -> list[Skipped]:
    """What was not read, by type."""
    found = []
    for kind, count in sorted(others.items()):
        name = re.sub(r"[^\w-]", "", kind)[:40] or "(none)"
        if kind == "attachment":
            why = "files of the library are linked to where posts show them, not copied"
        elif kind in _INNER.split():
            why = "WordPress's own working material"
        else:
            why = "only posts are read: other types may hold third parties' names and addresses"
        found.append(Skipped(f"{count} of type `{name}`", why))
    if comments:
        found.append(Skipped(words.many(comments, "comment"), "comments are other people's words"))
    return found


def _group(entry: Entry) -> str:
    """What all translations of a post have in common, by the plugin that links them."""
    linked = [nicename or name for domain, nicename, name in entry.terms if domain == _LINKED]
    linked += [entry.fields[key] for key in LINKED_FIELDS if entry.fields.get(key)]
    return linked[0] if linked else ""


def _with_shared_slugs(items: list[Item], groups: Iterable[list[Item]]) -> list[Item]:
    """The items, translations with the slug of their oldest one: it is what groups them here."""
    slugs: dict[str, str] = {}
    for group in groups:
        if len({item.language for item in group}) == len(group) > 1:
            oldest = min(group, key=lambda item: (item.date or Date.max, item.source_id))
            slugs.update({item.source_id: oldest.slug for item in group if oldest.slug})
    return [replace(item, slug=slugs.get(item.source_id, item.slug)) for item in items]
