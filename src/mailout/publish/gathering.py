"""Gathering: posts out of a file, a folder or a web page, by the reader for what it is.

FILE-OR-URL -> bytes, bounded and unpacked -> a reader of `core.ingest` -> Gathered.

| kind | what is read | at most |
|---|---|---|
| wxr | a WordPress export | 200 MB |
| feed | RSS, Atom or a JSON feed | 20 MB |
| page | a web page, or its text as saved | 20 MB |
| markdown | a Markdown file of any generator, or a folder of them | 10 MB each |
| html | an HTML or plain-text file | 20 MB |

A file that is gzip is unpacked, whatever its name, and counted after that. What is fetched has
the bounds of `fetch`, too.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

from mailout.core.errors import MailoutError, UsageError
from mailout.core.inflate import GZIP, inflated, too_large
from mailout.core.ingest import binary, document, feed, page, wxr
from mailout.core.ingest.item import Gathered, Skipped
from mailout.fetch import PUBLIC, Door, fetch

KINDS = ("wxr", "feed", "page", "markdown", "html")
"""What posts can be imported from."""

_ENDINGS = (".md", ".markdown")
_DRAFTS = "_drafts"  # Jekyll's folder of what is not to be published
_MOST_FILES = 20_000
_ADDRESS = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_BLOCK = 1 << 20


@dataclass(frozen=True, slots=True)
class _Reader:
    """How bytes of a kind are read, and how many of them."""

    read: Callable[[bytes, str, str, str], Gathered]
    most: int


def gather(kind: str, source: str, *, pages: bool = False, door: Door = PUBLIC) -> Gathered:
    """All posts of a source; `pages` takes the pages of a WordPress export along.

    Raises: UsageError for what is not there, BadFile for what cannot be read as that kind,
    MailoutError or TryLater for what cannot be fetched.
    """
    reader = _reader(kind, pages)
    if _ADDRESS.match(source):
        fetched = fetch(source, door)
        raw = _unpacked(fetched.raw, source, reader.most)
        binary.refuse(raw, source)
        return reader.read(raw, source, fetched.url, fetched.charset)
    path = Path(source)
    if path.is_dir():
        if kind != "markdown":
            raise UsageError(
                "this is a folder", where=source, fix="Only `markdown` takes a folder of files."
            )
        return _folder(path, reader)
    gathered = reader.read(_bytes(path, source, reader.most), _shown(path), "", "")
    return gathered if kind in ("wxr", "feed") else _from(path.resolve().parent, gathered)


def _reader(kind: str, pages: bool) -> _Reader:
    def export(raw: bytes, shown: str, url: str, charset: str) -> Gathered:
        return wxr.read(raw, shown, url, charset, pages=pages)

    return {
        "wxr": _Reader(export, 200_000_000),
        "feed": _Reader(feed.read, 20_000_000),
        "page": _Reader(page.read, 20_000_000),
        "markdown": _Reader(document.read, 10_000_000),
        "html": _Reader(document.read, 20_000_000),
    }[kind]


def _shown(path: Path) -> str:
    """How one file is named: `vote/index.md` has the name of its folder."""
    is_bundle = path.stem.split(".")[0] == "index" and path.suffix.lower() in _ENDINGS
    return f"{path.resolve().parent.name}/{path.name}" if is_bundle else path.name


def _from(folder: Path, gathered: Gathered) -> Gathered:
    """The same, each item with its folder; its path stays unsaid, posts are read by others."""
    root = hashlib.sha256(str(folder).encode(errors="surrogateescape")).hexdigest()[:12]
    return replace(gathered, items=tuple(replace(item, root=root) for item in gathered.items))


def _folder(folder: Path, reader: _Reader) -> Gathered:
    """The posts of all Markdown files below a folder; one that cannot be read is left out."""
    gathered: list[Gathered] = []
    for path in _markdown_files(folder):
        # From the folder's own name on: a language may stand in any part of it.
        shown = path.relative_to(folder.resolve().parent).as_posix()
        try:
            one = reader.read(_bytes(path, shown, reader.most), shown, "", "")
            gathered.append(_as_drafts(one) if _DRAFTS in path.parts else one)
        except MailoutError as error:
            left_out = Skipped(error.where or shown, f"{error.what}. {error.fix}".strip())
            gathered.append(Gathered((), 1, (left_out,)))
    whole = Gathered(
        items=tuple(item for one in gathered for item in one.items),
        found=sum(one.found for one in gathered),
        skipped=tuple(left_out for one in gathered for left_out in one.skipped),
        warnings=tuple(warning for one in gathered for warning in one.warnings),
    )
    return _from(folder.resolve(), whole)


def _as_drafts(gathered: Gathered) -> Gathered:
    return replace(gathered, items=tuple(replace(item, status="draft") for item in gathered.items))


def _markdown_files(folder: Path) -> list[Path]:
    """The files below the folder; what is hidden, or linked to from elsewhere, is no post."""
    found = sorted(
        path
        for path in folder.resolve().rglob("*")
        if path.suffix.lower() in _ENDINGS
        and path.is_file()
        and not path.is_symlink()
        and not any(part.startswith(".") for part in path.relative_to(folder.resolve()).parts)
    )
    if not found:
        raise UsageError("there is no Markdown file in this folder", where=str(folder))
    if len(found) > _MOST_FILES:
        raise UsageError(
            f"there are {len(found)} Markdown files in this folder",
            where=str(folder),
            fix="Name the folder of the posts.",
        )
    return found


def _bytes(path: Path, shown: str, most: int) -> bytes:
    """The text in a file, unpacked. Raises: UsageError, MailoutError, BadFile."""
    if not path.exists():
        hint = "Begin a web address with https://." if shown.startswith("www.") else ""
        raise UsageError("there is no such file", where=shown, fix=hint)
    if not path.is_file():
        raise UsageError("this is no file", where=shown)
    try:
        with path.open("rb") as file:
            raw = file.read(most + 1)
    except OSError as error:
        raise MailoutError(f"cannot be read: {error.strerror}", where=shown) from None
    if len(raw) > most:
        raise too_large(shown, most)
    raw = _unpacked(raw, shown, most)
    binary.refuse(raw, shown)
    return raw


def _unpacked(raw: bytes, shown: str, most: int) -> bytes:
    if not raw.startswith(GZIP):
        return raw
    blocks = (raw[at : at + _BLOCK] for at in range(0, len(raw), _BLOCK))
    return inflated(blocks, shown, most)
