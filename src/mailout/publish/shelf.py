"""The shelf: a source's posts become files in posts/, and later imports find them there.

items -> the post that each is here already (`holdings`) -> what is new, what changed at the source
-> a plan of files (`plan`) -> all of them written, or none (`write`).

| the post here | the source | what follows |
|---|---|---|
| none | has it | imported |
| as it was written | changed it | updated |
| any | keeps it back now (a draft, in the trash ..) | updated: its status, no more |
| kept back so | shows it again | updated: the status that it had, and the text if not edited |
| edited by a person, or of another kind of source | changed it | skipped, unless `overwrite` |
| any | did not change it | unchanged, unless edited and `overwrite` |

What is dated after today is kept back at its source, whatever that says.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path

from mailout.core import front_matter, language, script
from mailout.core import post as core_post
from mailout.core.errors import BadFile, MailoutError
from mailout.core.ingest import filing, head_lines, words
from mailout.core.ingest.item import Gathered, Item, Skipped
from mailout.core.ingest.prose import Prose, to_markdown
from mailout.core.slug import slug
from mailout.publish.holdings import Held, Holdings, Place

_LETTERS = 50_000  # characters in which a text's letters are looked at
_UNSEEN = re.compile(r"<(script|style)\b.*?(?:</\1\s*>|\Z)", re.I | re.S)
_KEPT_BACK = {
    "draft": "a draft at its source",
    "future": "to be published at its source later",
    "private": "private at its source",
    "trash": "in the trash at its source",
    "password": "behind a password at its source",
}


@dataclass(frozen=True, slots=True)
class Terms:
    """How posts are to be taken.

    `kind` is the kind of source. `language` is that of items that tell none, `language_is_said` if
    a person named it for this import; `languages` are those that the site writes in. `drafts`
    takes along what its source keeps back; it is kept back here as well.
    """

    kind: str
    language: str
    languages: tuple[str, ...]
    ready_since: date
    today: date
    drafts: bool = False
    overwrite: bool = False
    language_is_said: bool = False


@dataclass(frozen=True, slots=True)
class File:
    """A file to be written, by its path in the site, and the status its post has there."""

    path: str
    text: str
    status: str


@dataclass(slots=True)
class Plan:
    """What an import does, what it leaves out, and how many items had which status."""

    files: list[File] = field(default_factory=list)
    imported: int = 0
    updated: int = 0
    unchanged: int = 0
    skipped: list[Skipped] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)
    by_status: dict[str, int] = field(default_factory=dict)


def plan(root: Path, default_language: str, gathered: Gathered, terms: Terms) -> Plan:
    """What importing these items into the site at `root` means; nothing is written.

    Raises: BadFile for a file in posts/ that is no post.
    """
    holdings = Holdings(root, default_language, terms.kind)
    return _Shelf(holdings, default_language, gathered, terms).filled()


def write(root: Path, files: Sequence[File]) -> None:
    """Nothing, once all the files are there. Raises: MailoutError, and then none of them is.

    Every text is on the disk before the first file gets its name. If the program is killed
    between two names, the same import again writes the rest.
    """
    shown = "posts/"
    try:
        (root / "posts").mkdir(exist_ok=True)
        # On the same file system, under names that nobody reads as posts.
        folder = Path(tempfile.mkdtemp(prefix=".import-", dir=root / "posts"))
    except OSError as error:
        raise MailoutError(f"cannot be written: {error.strerror}", where=shown) from None
    named: list[tuple[Path, Path]] = []
    try:
        for number, file in enumerate(files):
            shown = file.path
            (folder / f"{number}.new").write_text(file.text, encoding="utf-8", newline="\n")
            if (root / shown).exists():
                shutil.copy2(root / shown, folder / f"{number}.old")
        for number, file in enumerate(files):
            shown = file.path
            os.replace(folder / f"{number}.new", root / shown)
            named.append((root / shown, folder / f"{number}.old"))
    except OSError as error:
        for target, old in named:
            target.unlink()
            if old.exists():
                os.replace(old, target)
        raise MailoutError(f"cannot be written: {error.strerror}", where=shown) from None
    finally:
        shutil.rmtree(folder, ignore_errors=True)


class _Shelf:
    """One import: takes item after item, and says what becomes of it."""

    def __init__(
        self, holdings: Holdings, default_language: str, gathered: Gathered, terms: Terms
    ) -> None:
        self.holdings = holdings
        self.default_language = default_language
        self.items = tuple(filing.as_of(item, terms.today) for item in gathered.items)
        self.terms = terms
        self.texts_of = Counter(map(filing.identity, self.items))
        self.languages_of: dict[str, set[str]] = {}  # of each id, and of each name of a post
        self.about_languages: Counter[str] = Counter()
        self.plan = Plan(
            skipped=list(gathered.skipped),
            warnings=list(gathered.warnings),
            by_status=dict(Counter(item.status for item in self.items)),
        )

    def filled(self) -> Plan:
        done: set[tuple[str, ...]] = set()
        codes = [self._language(item) for item in self.items]
        for item, (code, _) in zip(self.items, codes, strict=True):
            for name in _names(item):
                self.languages_of.setdefault(name, set()).add(code)
        for item, (code, note) in zip(self.items, codes, strict=True):
            same: tuple[str, ...] = (filing.identity(item), code)
            if filing.is_of_file(same[0]):
                same += (item.title, item.html or item.markdown)
            if same in done:
                self._skip(item, "a second post with the same id")
                continue
            done.add(same)
            try:
                self._take(item, code, note)
            except BadFile as error:
                self._skip(item, f"{error.what}. {error.fix}".strip())
        for text, number in self.about_languages.items():
            self.plan.warnings.append(f"{number} post{'s' if number > 1 else ''}: {text}")
        return self.plan

    def _language(self, item: Item) -> tuple[str, str]:
        """The item's language, as a code that the site writes in if there is one for it.

        With it comes what to say of a new item that is taken so; mostly nothing.
        """
        told = language.normal(item.language)
        if not told:
            return self._by_letters(item)
        base = told.split("-")[0]
        meant = language.mistaken_for(base)
        if meant:
            self.about_languages[f"`{base}` is a country, no language: taken as `{meant}`"] += 1
            told = base = meant
        if not language.is_code(told):
            known = self.terms.language
            self.about_languages[f"`{told}` is no language: taken as `{known}`"] += 1
            return known, ""
        if told in self.terms.languages or base not in self.terms.languages:
            if told not in self.terms.languages:
                self.about_languages[f"no list of yours is in `{told}`"] += 1
            return told, ""
        return base, ""

    def _by_letters(self, item: Item) -> tuple[str, str]:
        """The language of an item that tells none, and what to say of it.

        It is the default, if the letters may be of that.
        """
        known = self.terms.language
        seen = _UNSEEN.sub(" ", (item.html or item.markdown)[:_LETTERS])
        text = f"{item.title} {words.plain(seen)}"
        letters = script.contradicts(known, text)
        if not letters:
            return known, ""
        if self.terms.language_is_said:
            return known, f"it is taken as `{known}`, as you said, but its letters are {letters}"
        found = script.fitting(text, self.terms.languages)
        if found:
            return found, f"it tells no language, its letters are {letters}: taken as `{found}`"
        return known, (
            f"LOOK AT THIS: it is taken as `{known}`, but its letters are {letters}, and no list of"
            " yours has a language that is written so; say which with --language"
        )

    def _take(self, item: Item, code: str, note: str) -> None:
        only = self.texts_of[filing.identity(item)] == 1
        held = self.holdings.find(item, code, only=only)
        if held is not None:
            self._compare(item, held)
        elif item.status == "published" or self.terms.drafts:
            languages = set[str]().union(*(self.languages_of[name] for name in _names(item)))
            place = self.holdings.place(item, code, languages)
            self._write(place, self._text(item, self._status(item)))
            if note:
                self._warn(item, note)
            if self._has_expired(item):
                self._warn(item, f"it expired on {item.expires}: archived")
            self.holdings.add(item, place)
            self.plan.imported += 1
        else:
            self._skip(item, f"{self._why_kept_back(item)}: --drafts takes it along")

    def _compare(self, item: Item, held: Held) -> None:
        """Plans what has to happen with a post that is here already."""
        if self._has_expired(item) and held.status == "ready":
            self._warn(item, f"it expired on {item.expires}, and {held.path} is still ready")
        again = self.terms.overwrite and (held.edited or held.mark.kind != self.terms.kind)
        if held.mark.seen == filing.seen(item) and not again:
            self.plan.unchanged += 1
            return
        status = self._status_now(item, held)
        keeps_back = item.status != "published" and held.status in core_post.USABLE
        if why := self._why_it_stays(held):
            if status == held.status or held.is_link:
                self._skip(item, f"{held.path} {why}")
                if keeps_back:
                    kept = self._why_kept_back(item)
                    self._warn(item, f"it is {kept} now, and {held.path} may still be mailed")
                return
            self._amend(item, held, status, why)
            return
        if keeps_back:
            text = filing.withdrawn(held.head, item, self.terms.kind)
        else:
            text = self._text(item, status)
        head = front_matter.split(text, held.path)
        if status == held.status and filing.wrote(head.values, head.body) == held.wrote:
            self.plan.unchanged += 1  # what changed is nothing that is taken over
            return
        self._write(Place(held.key, held.language, held.path), text)
        self.plan.updated += 1

    def _status_now(self, item: Item, held: Held) -> str:
        """The status that a post has from now on.

        Whether one that is public may go into an issue is the organiser's to say by now, and what
        they said holds again when its source shows it again.
        """
        if item.status == "published":
            if held.status in core_post.USABLE:
                return held.status
            if held.mark.withdrawn == held.status and held.mark.before in core_post.USABLE:
                return held.mark.before
        if self._why_it_stays(held) and held.status not in core_post.USABLE:
            return held.status
        return self._status(item)

    def _amend(self, item: Item, held: Held, status: str, why: str) -> None:
        """Plans that a post gets this status, while its text stays."""
        gone = item.status != "published"
        mark = {
            "seen": filing.seen(item),
            "withdrawn": status if gone else "",
            "before": held.status if gone else "",
        }
        text = head_lines.amended(held.text, held.path, status, mark)
        self._write(Place(held.key, held.language, held.path), text)
        self.plan.updated += 1
        now = f"{self._why_kept_back(item)} now" if gone else "public again"
        self._warn(
            item, f"it is {now}: the status is `{status}`, the text stays, {held.path} {why}"
        )

    def _has_expired(self, item: Item) -> bool:
        return item.status == "published" and filing.has_expired(item, self.terms.today)

    def _why_kept_back(self, item: Item) -> str:
        if item.status == "future" and item.date is not None and item.date > self.terms.today:
            return f"dated after today ({item.date})"
        return _KEPT_BACK.get(item.status, item.status)

    def _why_it_stays(self, held: Held) -> str:
        """Why a post's file is not to be written to; empty if it is."""
        if held.is_link:
            return "is a link, and stays as it is"
        if held.edited and not self.terms.overwrite:
            return "was edited here: --overwrite replaces it"
        if held.mark.kind != self.terms.kind and not self.terms.overwrite:
            return f"came by an import of `{held.mark.kind}`: --overwrite replaces it"
        return ""

    def _status(self, item: Item) -> str:
        terms = self.terms
        return filing.status_of(item, terms.ready_since, terms.today, alone=len(self.items) == 1)

    def _text(self, item: Item, status: str) -> str:
        """The text of the item's file. Raises: BadFile if there is nothing to read in it."""
        made = Prose(item.markdown, ())
        if item.html:
            made = to_markdown(item.html, item.url)
        if not made.text.strip():
            raise BadFile("it has no text")
        for warning in made.warnings:
            self._warn(item, warning)
        for name, url in (("address", item.url), ("source's address", item.source_url)):
            if url and not filing.web_address(url):
                self._warn(item, f"its {name} is none of the web, and is left out")
        return filing.text_of(item, made.text, status, self.terms.kind)

    def _write(self, place: Place, text: str) -> None:
        """Adds a file to the plan. Raises: BadFile if it would not be read as that post."""
        post = core_post.parse(text, place.path, self.default_language)
        if (post.key, post.language) != (place.key, place.language):
            raise BadFile(f"it would be read as the post `{post.key}` in `{post.language}`")
        self.plan.files.append(File(place.path, text, post.status))

    def _skip(self, item: Item, why: str) -> None:
        self.plan.skipped.append(Skipped(item.what, why))

    def _warn(self, item: Item, text: str) -> None:
        self.plan.warnings.append(f"{item.what}: {text}")


def _names(item: Item) -> tuple[str, str]:
    """What the translations of an item have in common with it, one or the other."""
    return f"id {filing.identity(item)}", f"name {slug(item.slug or item.title)}"
