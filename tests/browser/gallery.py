"""Draws docs/gallery/: the mails (`mail_gallery`), and in pages/ every page a reader may meet.

`make gallery` does both, `make gallery ARGS=--mails` the mails alone. Of a page there are

| picture | width | language | colours |
|---|---|---|---|
| PAGE-phone.png | 390 | English | light |
| PAGE-phone-ar.png | 390 | Arabic, from right to left | light |
| PAGE-desktop-dark.png | 1280 | English | dark |

drawn at one pixel a CSS pixel, in few colours, and cut at the foot where a page is long. What
stood in the folder of pages before is gone.
"""

from __future__ import annotations

import io
import sys
import tempfile
from pathlib import Path

import mail_gallery
from chromium import DESKTOP, PHONE, Window, launched, program, window
from harbour_site import Harbour, harbour
from PIL import Image
from reader_pages import PAGES, ReaderPage, Visit

from places import REPOSITORY

FOLDER = REPOSITORY / "docs" / "gallery" / "pages"
LONGEST = {PHONE: 1600, DESKTOP: 1000}
"""CSS pixels of height."""
MOST_BYTES, MOST_OF_A_MAIL = 40_000, 55_000
LOOKS = {
    "phone": ("en", PHONE, "light"),
    "desktop-dark": ("en", DESKTOP, "dark"),
    "phone-ar": ("ar", PHONE, "light"),
}
_COLOURS = (64, 48, 32, 24, 16)


def draw_mails() -> list[Path]:
    """The pictures of mails, all drawn. Raises: RuntimeError on a machine without a browser."""
    with (
        tempfile.TemporaryDirectory() as scratch,
        launched(_browser()) as browser,
        window(browser) as one,
    ):
        drawn = mail_gallery.draw(Path(scratch), one)
    for path, png in drawn.items():
        path.write_bytes(small(png, MOST_OF_A_MAIL))
    return list(drawn)


def _browser() -> str:
    found = program()
    if found is None:
        raise RuntimeError("apt install chromium")
    return found


def draw(folder: Path) -> list[Path]:
    """The pictures of pages, all drawn. Raises: RuntimeError on a machine without a browser."""
    found = _browser()
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.png"):
        old.unlink()
    drawn = []
    with (
        tempfile.TemporaryDirectory() as scratch,
        harbour(Path(scratch) / "site") as served,
        launched(found) as browser,
        window(browser) as one,
    ):
        for page in PAGES:
            drawn += _draw_page(folder, served, one, page)
    return drawn


def _draw_page(folder: Path, served: Harbour, one: Window, page: ReaderPage) -> list[Path]:
    drawn, reached = [], ""
    for name, (language, width, scheme) in LOOKS.items():
        if language != "en" and not page.per_language:
            continue
        if language != reached:
            served.open_doors()
            one.begin(language)
            one.look()
            page.reach(Visit(served, one, language))
            reached = language
        one.look(width, color_scheme=scheme)
        height = one.page.evaluate("document.documentElement.scrollHeight")
        clip = {"x": 0, "y": 0, "width": width, "height": min(height, LONGEST[width])}
        path = folder / f"{page.name}-{name}.png"
        path.write_bytes(
            small(one.page.screenshot(full_page=True, clip=clip, animations="disabled"))
        )
        drawn.append(path)
    return drawn


def small(png: bytes, most: int = MOST_BYTES) -> bytes:
    """The picture in as many colours as fit into `most` bytes, or in the fewest."""
    picture = Image.open(io.BytesIO(png)).convert("RGB")
    for colours in _COLOURS:
        out = io.BytesIO()
        few = picture.quantize(colours, dither=Image.Dither.NONE)
        few.save(out, "PNG", optimize=True)
        if out.tell() < most:
            break
    return out.getvalue()


if __name__ == "__main__":
    try:
        pictures = draw_mails()
        pictures += [] if "--mails" in sys.argv[1:] else draw(FOLDER)
    except RuntimeError as error:
        sys.exit(f"There is no browser to draw with: {error}")
    size = sum(path.stat().st_size for path in pictures)
    largest = max(pictures, key=lambda path: path.stat().st_size)
    print(
        f"{len(pictures)} pictures in {FOLDER.parent.relative_to(REPOSITORY)}, {size // 1000} kB;"
    )
    print(f"the largest is {largest.name} with {largest.stat().st_size // 1000} kB")
