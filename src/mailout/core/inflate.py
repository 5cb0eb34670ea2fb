"""Inflating: packed bytes unpacked, and no more of them than was asked for.

A thousand bytes can unpack to a million, so the bound is kept while unpacking, not after.

Standards: RFC 1952 (gzip), RFC 1950 (zlib), RFC 1951 (deflate, as some servers mean it).
"""

from __future__ import annotations

import zlib
from collections.abc import Iterable

from mailout.core.errors import BadFile

GZIP = b"\x1f\x8b"
"""How a gzip file begins."""

_MOST_MEMBERS = 1000  # gzip files may be joined; a million empty ones are an attack
_ZLIB, _RAW, _GZIP = 15, -15, 31  # zlib's names for the three forms


def inflated(blocks: Iterable[bytes], shown: str, most: int) -> bytes:
    """What the blocks unpack to, at most `most` bytes; `shown` is their name for people.

    Raises: BadFile if they unpack to more, are damaged, or end too early.
    """
    parts: list[bytes] = []
    size = members = 0
    engine = None
    rest = b""
    for block in blocks:
        rest += block
        while rest:
            if engine is None or engine.eof:
                rest = rest if engine is None else rest.lstrip(b"\0")  # tapes pad with zeros
                if len(rest) < 2:
                    break
                members += 1
                engine = zlib.decompressobj(_form(rest))
            try:
                parts.append(engine.decompress(rest, most + 1 - size))
            except zlib.error:
                raise BadFile(
                    "the packed data is damaged", where=shown, fix="Fetch it again."
                ) from None
            size += len(parts[-1])
            if size > most or members > _MOST_MEMBERS:
                raise too_large(shown, most)
            rest = engine.unused_data if engine.eof else engine.unconsumed_tail
    if rest or (engine is not None and not engine.eof):
        raise BadFile("the packed data ends too early", where=shown, fix="Fetch it again.")
    return b"".join(parts)


def too_large(shown: str, most: int) -> BadFile:
    """The refusal of something that has more bytes than are taken."""
    return BadFile(
        f"this has more than {most // 1_000_000} MB", where=shown, fix="Is it the right one?"
    )


def _form(head: bytes) -> int:
    if head.startswith(GZIP):
        return _GZIP
    # RFC 1950 2.2: method 8, and the first two bytes are a multiple of 31.
    return _ZLIB if head[0] & 15 == 8 and int.from_bytes(head[:2], "big") % 31 == 0 else _RAW
