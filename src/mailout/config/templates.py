"""The templates of a site as sources by name, read once by whoever renders them."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.resources.abc import Traversable
from pathlib import Path

from mailout.config.starter import starter
from mailout.core.errors import BadFile, decoded

_SUFFIX = ".j2"


def read_templates(root: Path) -> dict[str, str]:
    """Name (`pages/leave.html.j2`) -> source of every template below `root/templates`.

    A template that the site lacks, since it was made before that template was invented, is
    the starter's.

    Raises: BadFile with the line where a file is not UTF-8, or that it cannot be read.
    """
    sources = dict(_read_folder(starter() / "templates", ""))
    folder = root / "templates"
    if folder.is_dir():
        sources.update(_read_folder(folder, ""))
    return sources


def _read_folder(folder: Traversable, prefix: str) -> Iterator[tuple[str, str]]:
    for entry in folder.iterdir():
        name = prefix + entry.name
        if entry.is_dir():
            yield from _read_folder(entry, f"{name}/")
        elif entry.name.endswith(_SUFFIX):
            yield name, _read(entry, f"templates/{name}")


def _read(file: Traversable, shown: str) -> str:
    try:
        return decoded(file.read_bytes(), shown)
    except OSError as error:
        raise BadFile(f"cannot be read: {error.strerror}", where=shown) from None
