"""Pictures of posts: how each is called and how large it is, for whoever prints one."""

from __future__ import annotations

import re
from typing import NamedTuple

_ELSEWHERE = re.compile(r"[a-zA-Z][a-zA-Z0-9+.-]*:|//")


class Picture(NamedTuple):
    """A picture made ready for readers: its file's name in the archive, and its size in pixels."""

    name: str
    width: int
    height: int


class Shown(NamedTuple):
    """A picture as a page or a mail shows it: at which address, and how large."""

    url: str
    width: int
    height: int


def shown(picture: Picture, url: str, widest: int) -> Shown:
    """The picture at `url`, no wider than the room it is given."""
    if picture.width <= widest:
        return Shown(url, picture.width, picture.height)
    return Shown(url, widest, max(1, round(picture.height * widest / picture.width)))


def is_elsewhere(source: str) -> bool:
    """Whether a picture's source is an address on a server, and no file beside the post."""
    return bool(_ELSEWHERE.match(source))
