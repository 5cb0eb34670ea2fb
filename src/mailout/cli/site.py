"""`mailout init`: a new site that sends on the first try."""

from __future__ import annotations

from pathlib import Path

import click

from mailout.cli.console import say
from mailout.config import keys
from mailout.config.starter import copy_site

_NEXT = """
Before the first mail, set in config.toml the [[relays]] (the server that takes your mail) and
`url` (where `mailout serve` is reached), and in lists/bulletin.toml who you are. Then:

  cd {folder}
  mailout subscribers import people.csv --list bulletin --tag unions --consent "how they agreed"
  mailout send --segment unions

Keep a copy of {keys} in a safe place: without it nobody who was erased
is recognised again, and no bounce is trusted."""


@click.command("init")
@click.argument("folder", metavar="DIR", type=click.Path(path_type=Path, file_okay=False))
def init_command(folder: Path) -> None:
    """Make a new site in DIR: settings, a list, templates, a first post, keys and a store.

    DIR is made if it is not there; it must be empty (a `.git` may be in it).

    \b
    Example:
      mailout init bulletin && cd bulletin
    """
    made = copy_site(folder)
    say(f"Made a site in {folder}:")
    counted: dict[str, int] = {}
    for path in made:
        top = path.relative_to(folder).parts[0] if path.is_relative_to(folder) else str(path)
        inside = path.is_relative_to(folder) and len(path.relative_to(folder).parts) > 1
        name = f"{top}/" if inside else top
        counted[name] = counted.get(name, 0) + 1
    for name, number in counted.items():
        files = f"{number} files" if number > 1 else _WHAT.get(name, "")
        say(f"  {name:<14} {files}".rstrip())
    say(_NEXT.format(folder=folder, keys=keys.path_of(folder)))


_WHAT = {
    "config.toml": "settings, each with its default and a comment",
    "lists/": "the list `bulletin` with three segments",
    "issues/": "empty yet",
    "posts/": "a first post",
    ".gitignore": "keeps readers and keys out of git",
    "keys.toml": "the site's secrets, readable by you alone",
    "mailout.db": "the store",
}
