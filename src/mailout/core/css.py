"""CSS: what a style would fetch, however it is written.

A mail program reads `@IMPORT`, `@\\69mport` and `u\\72l(..)` like `@import` and `url(..)`: comments
go, escapes are read, case does not count.

Standards: CSS Syntax 3, 4.3.7 (escapes).
"""

from __future__ import annotations

import re

_BLOCK = re.compile(r"<style\b[^>]*>(.*?)(?:</style\b|\Z)", re.I | re.S)
_COMMENT = re.compile(r"/\*.*?(?:\*/|\Z)", re.S)
_ESCAPE = re.compile(r"\\(?:([0-9a-f]{1,6})\s?|([^\n]))", re.I)
_URL = re.compile(r"url\(\s*['\"]?([^)'\"]+)|image-set\(\s*['\"]([^)'\"]+)")


def blocks(html: str) -> list[str]:
    """What stands in the style blocks of a document, also in those for Outlook alone."""
    return _BLOCK.findall(html)


def has_import(css: str) -> bool:
    """Whether a style sheet fetches another one."""
    return "@import" in _as_read(css)


def addresses(css: str) -> list[str]:
    """What stands in `url(..)`, in lower case."""
    return [one or other for one, other in _URL.findall(_as_read(css))]


def _as_read(css: str) -> str:
    return _ESCAPE.sub(_letter, _COMMENT.sub("", css)).lower()


def _letter(found: re.Match[str]) -> str:
    if not found[1]:
        return found[2]
    number = int(found[1], 16)
    return chr(number) if 0 < number < 0xD800 or 0xDFFF < number <= 0x10FFFF else "\ufffd"
