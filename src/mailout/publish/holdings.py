"""Holdings: the posts that a site has, as an import looks for its own among them.

An item is known again by its id, whatever its file is called and wherever in posts/ it lies. The id
of a file is only its name: it has to have the same title or the same text, too.

A new one gets the key of its translations, if they come in the same import, or came from the same
source: its site, or for files the same folder. Else it gets a key and a name of its own, one that
is free in each language that the post comes in.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Collection
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path, PurePosixPath

from mailout.core import front_matter
from mailout.core import post as core_post
from mailout.core.front_matter import FrontMatter
from mailout.core.ingest import filing
from mailout.core.ingest.filing import Mark
from mailout.core.ingest.item import Item
from mailout.core.slug import slug
from mailout.publish import sources

# Within this, the same name in another language is a translation; later it is another post.
_TRANSLATED_WITHIN = timedelta(days=31)
_MUCH = 0.5  # share of its words that a text keeps if it was only worked over


@dataclass(frozen=True, slots=True)
class Held:
    """A post of an earlier import, as its file is now."""

    path: str
    key: str
    language: str
    status: str
    date: date | None
    text: str
    head: FrontMatter
    mark: Mark
    is_link: bool

    @property
    def wrote(self) -> str:
        """A hash of the file as it is, to be compared with the one of its mark."""
        return filing.wrote(self.head.values, self.head.body)

    @property
    def edited(self) -> bool:
        """Whether somebody changed it here since it was imported."""
        return self.wrote != self.mark.wrote


@dataclass(frozen=True, slots=True)
class Place:
    """Where a post belongs: its key, its language, its file."""

    key: str
    language: str
    path: str


@dataclass(frozen=True, slots=True)
class _Relative:
    """An imported post that another text may be a translation of; `origins` tell its source."""

    key: str
    folder: str
    date: date | None
    origins: frozenset[str]
    comes_now: bool


class Holdings:
    """What is in posts/, and what an import adds to it."""

    def __init__(self, root: Path, default_language: str, kind: str) -> None:
        """`kind` is that of the import. Raises: BadFile for a file in posts/ that is no post."""
        self._kind = kind
        posts = root / "posts"
        self._names = {_folded(path.name) for path in posts.rglob("*")}
        self._languages: dict[str, set[str]] = {}  # of each key
        self._by_id: dict[str, list[Held]] = {}
        self._found: set[str] = set()  # the paths of those that items of this import are
        self._relatives: dict[tuple[str, str], list[_Relative]] = {}  # by id, by slug
        for path, text in sources.read_texts(root).items():
            post = core_post.parse(text, path, default_language)
            self._languages.setdefault(_folded(post.key), set()).add(post.language)
            head = front_matter.split(text, path)
            mark = filing.mark_of(head)
            if mark is None:
                continue
            is_link = (root / path).is_symlink()
            held = Held(
                path, post.key, post.language, post.status, post.date, text, head, mark, is_link
            )
            self._by_id.setdefault(mark.source_id, []).append(held)
            origins = filing.origins_of(mark, post.canonical_url)
            folder = PurePosixPath(path).parent.as_posix()
            relative = _Relative(post.key, folder, post.date, origins, comes_now=False)
            self._remember(relative, mark.source_id)

    def find(self, item: Item, code: str, *, only: bool) -> Held | None:
        """The post that the item is here.

        Its language tells it from other texts of the same post. If it is the `only` text of it
        at the source, and here, it is that one in whatever language.
        """
        known = self._by_id.get(filing.identity(item), [])
        if filing.is_of_file(filing.identity(item)):
            known = [held for held in known if held.path not in self._found and _is(held, item)]
            known.sort(key=lambda held: not filing.has_text(held.mark, item))
        found = next((held for held in known if held.language == code), None)
        if filing.is_of_file(filing.identity(item)) and item.language:
            # The same title in another language may be that of a translation.
            known = [held for held in known if filing.has_text(held.mark, item)]
        languages = {held.language for held in known}
        if found is None and known and only and (len(languages) == 1 or not item.language):
            found = known[0]
        if found is not None:
            self._found.add(found.path)
        return found

    def place(self, item: Item, code: str, languages: Collection[str] = ()) -> Place:
        """A place that is free for an item that is not here yet, and comes in these languages."""
        name = slug(item.slug or item.title)
        day = item.date.isoformat() if item.date else ""
        for relative in self._translations(item, name):
            place = Place(relative.key, code, f"{relative.folder}/{relative.key}.{code}.md")
            if code not in self._languages[_folded(relative.key)] and self._is_free(place):
                return place
        base = f"{day}-{name}" if day else name
        key, number = base, 2
        while _folded(key) in self._languages or not all(
            self._is_free(_place(key, one)) for one in {code, *languages}
        ):
            key, number = f"{base}-{number}", number + 1
        return _place(key, code)

    def add(self, item: Item, place: Place) -> None:
        """Nothing; the place is taken from now on, and a translation may stand beside it."""
        self._names.add(_folded(PurePosixPath(place.path).name))
        self._languages.setdefault(_folded(place.key), set()).add(place.language)
        folder = PurePosixPath(place.path).parent.as_posix()
        origins = filing.origins(item, self._kind)
        relative = _Relative(place.key, folder, item.date, origins, comes_now=True)
        self._remember(relative, filing.identity(item))

    def _translations(self, item: Item, name: str) -> list[_Relative]:
        """Imported posts whose key the item may share, the surest first."""
        identity = filing.identity(item)
        by_id = self._relatives.get(("id", identity), [])
        named = [
            relative
            for relative in self._relatives.get(("slug", name), [])
            if relative.date is None
            or item.date is None
            or abs(relative.date - item.date) <= _TRANSLATED_WITHIN
        ]
        sure = [] if filing.is_of_file(identity) else by_id
        origins = filing.origins(item, self._kind)
        return sure + [
            relative
            for relative in (*by_id, *named)
            if relative.comes_now or not origins.isdisjoint(relative.origins)
        ]

    def _remember(self, relative: _Relative, source_id: str) -> None:
        key, day = relative.key, relative.date
        if PurePosixPath(key).name != key:
            return  # a key that somebody wrote, and no name for a file
        name = key.removeprefix(f"{day.isoformat()}-") if day else key
        self._relatives.setdefault(("id", source_id), []).append(relative)
        self._relatives.setdefault(("slug", name), []).append(relative)

    def _is_free(self, place: Place) -> bool:
        return _folded(PurePosixPath(place.path).name) not in self._names


def _place(key: str, code: str) -> Place:
    return Place(key, code, f"posts/{key}.{code}.md")


def _is(held: Held, item: Item) -> bool:
    """Whether a post with the name of an item's file is that item.

    Of another folder it may be another blog's `may.md`: then the same title is not enough.
    """
    if filing.has_text(held.mark, item):
        return True
    if not filing.has_title(held.mark, item):
        return False
    if held.mark.root == item.root and (held.date == item.date or None in (held.date, item.date)):
        return True
    ours, theirs = _words(held.head.body), _words(item.html or item.markdown)
    return len(ours & theirs) >= _MUCH * max(len(ours), 1)


def _words(text: str) -> set[str]:
    return set(re.findall(r"\w+", re.sub(r"<[^<>]*>", " ", text).casefold()))


def _folded(name: str) -> str:
    """The name as file systems compare it that know no capitals, or take letters apart."""
    return unicodedata.normalize("NFC", name).casefold()
