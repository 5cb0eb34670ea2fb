"""Pictures: files beside a post, made small and bare, kept in `build/pictures/`.

What a camera wrote into a file - where and when it was taken, with which device - can betray
people. Nothing of it is left: every picture is drawn anew. Pictures on other servers are not taken,
since each look at them would tell that server who reads.
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from mailout.core import markup
from mailout.core.errors import BadFile, place
from mailout.core.picture import Picture, is_elsewhere
from mailout.core.post import Post

if TYPE_CHECKING:
    from PIL.Image import Image

FOLDER = "build/pictures"
"""Where they are kept, below the site's folder, by the hash of the file they were made from."""

_KINDS = ("JPEG", "PNG", "GIF", "WEBP")
_WIDEST = 1040  # pixels: twice the 520 of a mail's column, for sharp screens
_MOST_BYTES = 20_000_000
_MOST_PIXELS = 60_000_000
_QUALITY = 82


def of_post(root: Path, post: Post) -> dict[str, Picture]:
    """The post's pictures by their sources as the Markdown has them, each drawn and kept.

    Those on other servers are left out. Raises: BadFile with the line of a picture that is not
    there, is none, or has no text that stands for it.
    """
    found, faults = there(root, post)
    if faults:
        raise faults[0]
    return found


def there(root: Path, post: Post) -> tuple[dict[str, Picture], list[BadFile]]:
    """The same, of those pictures that are as they should be, and what is wrong with others."""
    found: dict[str, Picture] = {}
    faults = []
    for line, source, alt in markup.pictures(post.body):
        if is_elsewhere(source) or not source:
            continue
        where = place(post.file, post.body_line + line - 1)
        try:
            if not alt.strip():
                raise BadFile(
                    f"the picture `{source}` has no text that stands for it",
                    where=where,
                    fix="Write what it shows: ![Pickets at the gate](gate.jpg).",
                )
            found[source] = _drawn(root, _file_of(root, post, source, where), source, where)
        except BadFile as fault:
            faults.append(fault)
    return found, faults


def content(root: Path, picture: Picture) -> bytes:
    """The picture's file. Raises: OSError if it is not kept any more."""
    return (root / FOLDER / picture.name).read_bytes()


def _file_of(root: Path, post: Post, source: str, where: str) -> Path:
    """The file that a source names: beside the post, or from posts/ on if it begins with `/`."""
    posts = (root / "posts").resolve()
    name = unquote(source)
    base = posts if name.startswith("/") else (root / post.file).parent
    try:
        path = (base / name.lstrip("/")).resolve()
        if path.is_relative_to(posts) and path.is_file():
            return path
    except (OSError, ValueError):
        pass
    raise BadFile(
        f"there is no picture `{source}`", where=where, fix="Put its file beside the post."
    )


def _drawn(root: Path, path: Path, source: str, where: str) -> Picture:
    """The picture, drawn now or, if the file is the same, before."""
    size = path.stat().st_size
    if size > _MOST_BYTES:
        raise BadFile(f"the picture `{source}` has {size // 1_000_000} MB", where=where)
    raw = path.read_bytes()
    stem = hashlib.sha256(raw).hexdigest()[:20]
    folder = root / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    for kept in folder.glob(f"{stem}.*"):
        if kept.suffix in (".jpg", ".png"):
            from PIL.Image import open as opened

            with opened(kept) as image:
                return Picture(kept.name, *image.size)
    drawn = _small(path, source, where)
    name = f"{stem}.{'jpg' if drawn.mode == 'RGB' else 'png'}"
    fresh = folder / f".{name}.{os.getpid()}"
    if drawn.mode == "RGB":
        drawn.save(fresh, "JPEG", quality=_QUALITY, optimize=True, progressive=True)
    else:
        drawn.save(fresh, "PNG", optimize=True)
    os.replace(fresh, folder / name)
    return Picture(name, *drawn.size)


def _small(path: Path, source: str, where: str) -> Image:
    """The picture, upright, no wider than it is of use, with nothing but what it shows."""
    from PIL import ImageOps, UnidentifiedImageError
    from PIL.Image import DecompressionBombError, DecompressionBombWarning, Resampling, new
    from PIL.Image import open as opened

    try:
        with opened(path, formats=_KINDS) as image:
            if image.width * image.height > _MOST_PIXELS:
                raise BadFile(
                    f"the picture `{source}` has {image.width} x {image.height} pixels",
                    where=where,
                    fix="Make it smaller.",
                )
            upright: Image = ImageOps.exif_transpose(image)
            see_through = "A" in upright.getbands() or "transparency" in upright.info
            drawn = upright.convert("RGBA" if see_through else "RGB")
    except (UnidentifiedImageError, DecompressionBombError, DecompressionBombWarning):
        raise BadFile(
            f"`{source}` is no picture that every reader can see",
            where=where,
            fix="Save it as JPEG, PNG, GIF or WebP.",
        ) from None
    except (OSError, ValueError, SyntaxError) as error:
        raise BadFile(f"the picture `{source}` is broken: {error}", where=where) from None
    if drawn.width > _WIDEST:
        height = max(1, round(drawn.height * _WIDEST / drawn.width))
        drawn = drawn.resize((_WIDEST, height), Resampling.LANCZOS)
    bare = new(drawn.mode, drawn.size)
    bare.paste(drawn)
    return bare
