"""Photographs as a telephone writes them."""

from __future__ import annotations

import io

from PIL import Image

SECRET = b"Camera of the informer 48.2N"


def a_photograph(size: tuple[int, int] = (2000, 1000), turned: bool = False) -> bytes:
    """A JPEG as a telephone writes it: place and device in its EXIF data."""
    image = Image.new("RGB", size, "#a8141f")
    exif = image.getexif()
    exif[0x010F] = SECRET.decode()
    if turned:
        exif[0x0112] = 6
    raw = io.BytesIO()
    image.save(raw, "JPEG", exif=exif, comment=SECRET)
    return raw.getvalue()
