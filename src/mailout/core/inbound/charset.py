"""Bytes of a mail as text, whatever they call themselves; what cannot be read is replaced.

Reports come in charsets that do not exist (`X-UNKNOWN`), under wrong names, or under none.

Standards: RFC 2045 6 (encodings), RFC 2047 (encoded words), RFC 2231 is left alone.
"""

from __future__ import annotations

import base64
import binascii
import re

_OTHER_NAMES = {
    "ks_c_5601-1987": "cp949",
    "euc-kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "gb_2312-80": "gb18030",
    "x-gbk": "gb18030",
    "iso-8859-1": "cp1252",
    "latin1": "cp1252",
    "iso-8859-8-i": "iso-8859-8",
    "iso-2022-jp": "iso2022_jp_ext",
    "shift_jis": "cp932",
    "x-sjis": "cp932",
    "big5": "big5hkscs",
    "utf8": "utf-8",
    "utf-8": "utf-8",
}
_SAY_NOTHING = frozenset({"", "us-ascii", "ascii", "ansi_x3.4-1968", "x-unknown", "unknown-8bit"})
_NO_TEXT = frozenset({"base64", "hex", "rot13", "zlib", "bz2", "uu", "quopri", "idna", "punycode"})
_WORD = re.compile(r"=\?([^?\s]{1,60})\?([bBqQ])\?([^?]{0,2000})\?=")
_BETWEEN_WORDS = re.compile(r"(\?=)\s{1,80}(=\?)")
_FOREIGN = re.compile(rb"[^A-Za-z0-9+/]")


def decode_text(raw: bytes, charset: str = "") -> str:
    """The text of bytes that say they are in `charset`; guessed where that says nothing."""
    name = charset.strip().strip("\"'").lower()
    name = name.split("*", 1)[0]
    if name not in _SAY_NOTHING and name not in _NO_TEXT:
        try:
            return raw.decode(_OTHER_NAMES.get(name, name), "replace")
        except (LookupError, ValueError, UnicodeError):
            pass
    return _guessed(raw)


def _guessed(raw: bytes) -> str:
    if b"\x1b$" in raw:
        return raw.decode("iso2022_jp_ext", "replace")
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.start >= len(raw) - 4 or raw[: error.start].count(b"\xd0") > 20:
            return raw.decode("utf-8", "replace")  # cut within a letter
    high = [byte for byte in raw[:4000] if byte >= 0x80]
    if len(high) * 5 < min(len(raw), 4000):
        return raw.decode("cp1252", "replace")
    # Small Cyrillic letters, the most of any text, are 0xE0.. in windows-1251, 0xC0.. in KOI8.
    is_koi8 = sum(0xC0 <= byte < 0xE0 for byte in high) * 2 > len(high)
    return raw.decode("koi8-r" if is_koi8 else "cp1251", "replace")


def decode_body(raw: bytes, encoding: str) -> bytes:
    """The bytes under a Content-Transfer-Encoding; as they are where it is none."""
    encoding = encoding.strip().strip("\"'").lower()
    if encoding == "base64":
        return _from_base64(raw)
    if encoding == "quoted-printable":
        try:
            return binascii.a2b_qp(raw)
        except (binascii.Error, ValueError):
            return raw
    return raw


def _from_base64(raw: bytes) -> bytes:
    """What can be read of base64, up to the first `=`: cut and dirty ones occur."""
    clean = _FOREIGN.sub(b"", raw.split(b"=", 1)[0])
    clean = clean[: len(clean) - (len(clean) % 4 == 1)]
    try:
        return base64.b64decode(clean + b"=" * (-len(clean) % 4))
    except (binascii.Error, ValueError):
        return raw


def decode_words(value: str) -> str:
    """A header field's value with its encoded words read (RFC 2047)."""
    if "=?" not in value:
        return value
    joined = _BETWEEN_WORDS.sub(r"\1\2", value)
    return _WORD.sub(_decoded_word, joined)


def _decoded_word(found: re.Match[str]) -> str:
    charset, how, words = found.groups()
    raw = words.encode("utf-8", "replace")
    if how in "bB":
        return decode_text(_from_base64(raw), charset)
    return decode_text(decode_body(raw.replace(b"_", b" "), "quoted-printable"), charset)
