"""The files that a new site begins with, and `copy_site`, which writes them.

In an installed wheel they are in the package (`mailout/starter`); in a checkout they are the
repository's own top folder, where they can be read and edited.
"""

from __future__ import annotations

import os
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

from mailout.config import keys
from mailout.config.site import FILE, read_site
from mailout.core.errors import MailoutError
from mailout.store import schema
from mailout.store.engine import open_store

EXAMPLE = "config.example.toml"

_IGNORED = """\
# What a site keeps out of git: who the readers are, and what can be made again.
mailout.db*
build/
keys.toml
people/
*.csv
*.tsv
*.xlsx
"""


def starter() -> Traversable:
    """The folder that holds `config.example.toml`, `templates` and `lists`.

    Raises: MailoutError if the installation lacks them.
    """
    packed = files("mailout") / "starter"
    if (packed / EXAMPLE).is_file():
        return packed
    checkout = Path(__file__).parents[3]
    if (checkout / EXAMPLE).is_file():
        return checkout
    raise MailoutError("this mailout lacks the files of a new site", fix="Install it again.")


def copy_site(target: Path) -> list[Path]:
    """The paths made in `target`, in the order of their making: a site that sends at once.

    Its store is made and has this program's version. A folder that is there already may
    hold `.git` and nothing else.

    Raises: MailoutError, with nothing touched, if `target` cannot become a site.
    """
    _refuse_occupied(target)
    source = starter()
    try:
        target.mkdir(parents=True, exist_ok=True)
        made = [_write(target / FILE, (source / EXAMPLE).read_bytes())]
        for name, origin in (
            ("lists", source / "lists"),
            ("templates", source / "templates"),
            ("posts", _posts(source)),
        ):
            made += _copy_folder(origin, target / name)
        made.append(_write(target / "issues" / ".gitkeep", b""))
        made.append(_write(target / ".gitignore", _IGNORED.encode()))
        made.append(keys.write_new(target))
    except OSError as error:
        raise MailoutError(
            f"the site cannot be written: {error.strerror}", where=str(error.filename or target)
        ) from None
    return [*made, *_make_store(target)]


def _posts(source: Traversable) -> Traversable:
    """The first posts: `posts` in a wheel, `starter_posts` in a checkout."""
    packed = source / "posts"
    return packed if packed.is_dir() else source / "starter_posts"


def _refuse_occupied(target: Path) -> None:
    if target.exists() and not target.is_dir():
        raise MailoutError("this is no folder", where=str(target))
    if (target / FILE).exists():
        raise MailoutError(
            "there is a site already", where=str(target), fix="Choose another folder."
        )
    if target.is_dir() and {entry.name for entry in target.iterdir()} - {".git"}:
        raise MailoutError(
            "the folder is not empty", where=str(target), fix="Choose a new or an empty one."
        )
    if keys.path_of(target).exists():
        raise MailoutError(
            "MAILOUT_KEYS_FILE names the keys of another site",
            where=str(keys.path_of(target)),
            fix="Unset it, or let it name a new file.",
        )


def _copy_folder(origin: Traversable, target: Path) -> list[Path]:
    made = []
    for entry in sorted(origin.iterdir(), key=lambda entry: entry.name):
        if entry.is_dir():
            made += _copy_folder(entry, target / entry.name)
        elif not entry.name.startswith("."):
            made.append(_write(target / entry.name, entry.read_bytes()))
    return made


def _write(path: Path, content: bytes) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return path


def _make_store(target: Path) -> list[Path]:
    site = read_site(target)
    store = open_store(site.store.url, site.root)
    # The file says who is on the list: nobody else on this machine may read it.
    before = os.umask(0o077)
    try:
        schema.upgrade(store)
    finally:
        os.umask(before)
        store.close()
    return sorted(target.glob("*.db"))
