"""Binary: files that hold no text, told by their first bytes before anybody reads them as words.

| begins with | is |
|---|---|
| `%PDF-` | a PDF file |
| `PK` | a document of Word or LibreOffice, an e-book, or a ZIP archive, by the names within |
| the marks of PNG, JPEG, GIF, WebP, old Word, RTF and archives | that |
| anything, with many NULs or other control characters | a binary file |
"""

from __future__ import annotations

import codecs
import re

from mailout.core.errors import BadFile
from mailout.core.ingest import charset

_WORDS = "Open it, and save it as HTML or as plain text."
_UNPACK = "Unpack it first, and import what is in it."
_PICTURE = "Put it beside a post, which can show it."
_KINDS = (
    (re.compile(rb"\s{0,100}%PDF-"), "a PDF file", "Copy its text into a text file."),
    (re.compile(rb"PK\x03\x04.{0,3000}word/", re.S), "a Word document", _WORDS),
    (re.compile(rb"PK\x03\x04.{0,3000}(?:xl|ppt)/", re.S), "an Office document", _WORDS),
    (re.compile(rb"PK\x03\x04.{26}mimetypeapplication/epub", re.S), "an e-book", _WORDS),
    (re.compile(rb"PK\x03\x04.{26}mimetype", re.S), "a LibreOffice document", _WORDS),
    (re.compile(rb"PK(?:\x03\x04|\x05\x06|\x07\x08)"), "a ZIP archive", _UNPACK),
    (re.compile(rb"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1"), "an old Word document", _WORDS),
    (re.compile(rb"\{\\rtf"), "an RTF document", _WORDS),
    (re.compile(rb"\x89PNG\r?\n"), "a PNG picture", _PICTURE),
    (re.compile(rb"\xff\xd8\xff"), "a JPEG picture", _PICTURE),
    (re.compile(rb"GIF8[79]a"), "a GIF picture", _PICTURE),
    (re.compile(rb"RIFF.{4}WEBP", re.S), "a WebP picture", _PICTURE),
    (re.compile(rb"7z\xbc\xaf\x27\x1c|Rar!\x1a\x07"), "an archive", _UNPACK),
    (re.compile(rb"BZh[1-9]1AY|\xfd7zXZ\x00"), "a packed file", _UNPACK),
    (re.compile(rb".{257}ustar", re.S), "a tar archive", _UNPACK),
)  # fmt: skip
_WIDE = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_LE, codecs.BOM_UTF32_BE)
_CONTROL = re.compile(rb"[\x00-\x08\x0e-\x1a\x1c-\x1f]")  # without the escape of ISO 2022
_SAMPLE = 64_000
_MOST = 0.05  # share of control characters that an export may have and still be read
_FEW = 8  # whatever their share


def refuse(raw: bytes, shown: str) -> None:
    """Nothing, unless the bytes are no text. Raises: BadFile that says what they seem to be."""
    sample = raw[:_SAMPLE]
    for mark, name, fix in _KINDS:
        if mark.match(sample):
            raise BadFile(f"this is {name}, no text", where=shown, fix=fix)
    if sample.startswith(_WIDE) or charset.wide(sample):
        return
    controls = len(_CONTROL.findall(sample))
    if controls > _FEW and controls > _MOST * len(sample):
        raise BadFile(
            "this is a binary file, no text", where=shown, fix="Save what it shows as plain text."
        )
