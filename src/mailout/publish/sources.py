"""The site's files that issues are made of: `posts/` and `issues/`, read and checked."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from pathlib import Path

from mailout.core import issue as core_issue
from mailout.core import layout
from mailout.core import post as core_post
from mailout.core.errors import BadFile, MailoutError, UsageError, decoded, nearest
from mailout.core.issue import IssuePlan
from mailout.core.post import Post

Posts = Mapping[str, Mapping[str, Post]]
"""Every post of the site: key -> language -> post."""

_ENDINGS = (".md", ".markdown")
_MOST_BYTES = 10_000_000


def read_posts(root: Path, default_language: str, faults: list[BadFile] | None = None) -> Posts:
    """The posts below `posts/`, by key and language, in the order of their keys.

    With `faults` a file that is no post is put down there, and the others are read: who writes
    must not keep a colleague's issue from going out. Raises: BadFile for the first such file, with
    its line, if there are no `faults` to put it down in.
    """
    found: dict[str, dict[str, Post]] = {}
    for path in _markdown_files(root / "posts"):
        try:
            _add(found, path, root, default_language)
        except BadFile as fault:
            if faults is None:
                raise
            faults.append(fault)
    return dict(sorted(found.items()))


def _add(found: dict[str, dict[str, Post]], path: Path, root: Path, language: str) -> None:
    post = core_post.parse(_text(path, root), _shown(path, root), language)
    languages = found.setdefault(post.key, {})
    if post.language in languages:
        raise BadFile(
            f"a second text of the post `{post.key}` in `{post.language}`",
            where=_shown(path, root),
            fix=f"The first is {languages[post.language].file}.",
        )
    languages[post.language] = post


def is_of(fault: BadFile, keys: Collection[str]) -> bool:
    """Whether the file that is at fault would be a text of one of these posts, by its name."""
    return layout.named(fault.where.split(":")[0]).key in keys


def read_texts(root: Path) -> dict[str, str]:
    """The text of every file below `posts/` that read_posts reads, by its path. Raises: BadFile."""
    return {_shown(path, root): _text(path, root) for path in _markdown_files(root / "posts")}


def read_issues(
    root: Path, default_language: str, faults: list[BadFile] | None = None
) -> dict[str, IssuePlan]:
    """The issues below `issues/` by name, in the order of their names; `faults` as with posts."""
    texts: dict[str, dict[str, str]] = {}
    found = {}
    for path in _markdown_files(root / "issues"):
        shown = _shown(path, root)
        try:
            name, _ = core_issue.split_name(shown)
            texts.setdefault(name, {})[shown] = _text(path, root)
        except BadFile as fault:
            if faults is None:
                raise
            faults.append(fault)
    for name, files in sorted(texts.items()):
        try:
            found[name] = core_issue.parse(files, default_language)
        except BadFile as fault:
            if faults is None:
                raise
            faults.append(fault)
    return found


def read_issue(root: Path, name: str, default_language: str) -> IssuePlan:
    """The issue of that name; other issues' files are not looked into.

    Raises: UsageError if there is none, BadFile if it cannot be read.
    """
    texts: dict[str, str] = {}
    names: set[str] = set()
    for path in _markdown_files(root / "issues"):
        found, _ = core_issue.split_name(_shown(path, root))
        names.add(found)
        if found == name:
            texts[_shown(path, root)] = _text(path, root)
    if not texts:
        raise UsageError(f"there is no issue `{name}` in issues/", fix=nearest(name, names))
    return core_issue.parse(texts, default_language)


def write_new(root: Path, folder: str, name: str, text: str) -> Path:
    """The path of the file just written. Raises: MailoutError if there is one already."""
    path, shown = root / folder / name, f"{folder}/{name}"
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(text)
    except FileExistsError:
        raise MailoutError("there is such a file already", where=shown) from None
    except OSError as error:
        raise MailoutError(f"cannot be written: {error.strerror}", where=shown) from None
    return path


def _markdown_files(folder: Path) -> list[Path]:
    return sorted(path for path in folder.rglob("*") if path.suffix in _ENDINGS and path.is_file())


def _shown(path: Path, root: Path) -> str:
    return path.relative_to(root).as_posix()


def _text(path: Path, root: Path) -> str:
    shown = _shown(path, root)
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=shown) from None
    if len(raw) > _MOST_BYTES:
        raise BadFile(f"{len(raw) // 1_000_000} MB of text", where=shown, fix="Is this a post?")
    return decoded(raw, shown)
