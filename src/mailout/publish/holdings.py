"""Holdings: the posts that a site has, as an import looks for its own among them.

An item is known again by its id, whatever its file is called and wherever in posts/ it lies. A new
one gets the key of its translations, if they were imported too; else a key and a name of its own.
"""

from __future__ import annotations

import unicodedata
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


@dataclass(frozen=True, slots=True)
class Held:
    """A post of an earlier import, as its file is now."""

    path: str
    key: str
    language: str
    status: str
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
    """An imported post that another text may be a translation of."""

    key: str
    folder: str
    date: date | None


class Holdings:
    """What is in posts/, and what an import adds to it."""

    def __init__(self, root: Path, default_language: str) -> None:
        """Raises: BadFile for a file in posts/ that is no post."""
        posts = root / "posts"
        self._names = {_folded(path.name) for path in posts.rglob("*")}
        self._languages: dict[str, set[str]] = {}  # of each key
        self._by_id: dict[str, dict[str, Held]] = {}
        self._relatives: dict[tuple[str, str], list[_Relative]] = {}  # by id, by slug
        for path, text in sources.read_texts(root).items():
            post = core_post.parse(text, path, default_language)
            self._languages.setdefault(_folded(post.key), set()).add(post.language)
            head = front_matter.split(text, path)
            mark = filing.mark_of(head)
            if mark is None:
                continue
            is_link = (root / path).is_symlink()
            held = Held(path, post.key, post.language, post.status, head, mark, is_link)
            self._by_id.setdefault(mark.source_id, {}).setdefault(post.language, held)
            self._remember(post.key, path, post.date, mark.source_id)

    def find(self, item: Item, code: str, *, only: bool) -> Held | None:
        """The post that the item is here.

        Its language tells it from other texts of the same post. If it is the `only` text of it
        at the source, and here, it is that one in whatever language.
        """
        texts = self._by_id.get(filing.identity(item), {})
        if code in texts:
            return texts[code]
        if texts and only and (len(texts) == 1 or not item.language):
            return next(iter(texts.values()))
        return None

    def place(self, item: Item, code: str) -> Place:
        """A place that is free for an item that is not here yet."""
        name = slug(item.slug or item.title)
        day = item.date.isoformat() if item.date else ""
        for relative in self._translations(item, name):
            place = Place(relative.key, code, f"{relative.folder}/{relative.key}.{code}.md")
            if code not in self._languages[_folded(relative.key)] and self._is_free(place):
                return place
        base = f"{day}-{name}" if day else name
        place, number = Place(base, code, f"posts/{base}.{code}.md"), 2
        while _folded(place.key) in self._languages or not self._is_free(place):
            key = f"{base}-{number}"
            place, number = Place(key, code, f"posts/{key}.{code}.md"), number + 1
        return place

    def add(self, item: Item, place: Place) -> None:
        """Nothing; the place is taken from now on, and a translation may stand beside it."""
        self._names.add(_folded(PurePosixPath(place.path).name))
        self._languages.setdefault(_folded(place.key), set()).add(place.language)
        self._remember(place.key, place.path, item.date, filing.identity(item))

    def _translations(self, item: Item, name: str) -> list[_Relative]:
        """Imported posts whose key the item may share, the surest first."""
        named = [
            relative
            for relative in self._relatives.get(("slug", name), [])
            if relative.date is None
            or item.date is None
            or abs(relative.date - item.date) <= _TRANSLATED_WITHIN
        ]
        return self._relatives.get(("id", filing.identity(item)), []) + named

    def _remember(self, key: str, path: str, day: date | None, source_id: str) -> None:
        if PurePosixPath(key).name != key:
            return  # a key that somebody wrote, and no name for a file
        relative = _Relative(key, PurePosixPath(path).parent.as_posix(), day)
        name = key.removeprefix(f"{day.isoformat()}-") if day else key
        self._relatives.setdefault(("id", source_id), []).append(relative)
        self._relatives.setdefault(("slug", name), []).append(relative)

    def _is_free(self, place: Place) -> bool:
        return _folded(PurePosixPath(place.path).name) not in self._names


def _folded(name: str) -> str:
    """The name as file systems compare it that know no capitals, or take letters apart."""
    return unicodedata.normalize("NFC", name).casefold()
