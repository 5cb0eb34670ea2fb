"""Charset: the bytes of a source as text, whatever they are declared to be.

1. A byte order mark says it; else zero bytes do (UTF-16).
2. What is valid UTF-8 is UTF-8, however it is declared: other encodings do not look so by chance.
3. Else what HTTP or the file itself declares, if its bytes allow that and it reads like words.
4. Else UTF-8 with a few broken bytes, or a guess. Each of these is said in a warning.

Standards: RFC 7303 (XML over HTTP), XML 1.0 appendix F.
"""

from __future__ import annotations

import codecs
import re
from dataclasses import dataclass

BOMS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),  # before UTF-16, whose mark it begins with
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
"""What a text may begin with, and the encoding that it tells."""

_CYRILLIC = ("windows-1251", "koi8-r")
# A superset that reads what the declared one should be; browsers do the same.
_WIDER = {"gb2312": "gb18030", "gbk": "gb18030", "iso-8859-1": "windows-1252"}
_HALVES = re.compile(
    r"&#([xX][dD][89abAB][0-9a-fA-F]{2}|5[56]\d{3});&#([xX][dD][c-fC-F][0-9a-fA-F]{2}|5[67]\d{3});"
)
# Python knows these as encodings of text; no file is written in them.
_NOT_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
_ESCAPING = ("iso2022", "hz")  # whose bytes are all ASCII
_SAMPLE = 200_000  # bytes that are enough to tell how text reads
_FEW = 12  # non-ASCII bytes that may be valid UTF-8 by chance
_SPOILT = 0.05  # share of broken bytes with which a text is still UTF-8
_COMMON = frozenset("оеаинтсрвлкмдпуяызьбг")


@dataclass(frozen=True, slots=True)
class Decoded:
    """A source's text, the encoding it was read in, and what was odd about that."""

    text: str
    encoding: str
    warnings: tuple[str, ...] = ()


def decode(raw: bytes, declared: str = "", http: str = "") -> Decoded:
    """The text of `raw`; `declared` is what the file says, `http` what its server says."""
    for mark, encoding in BOMS:
        if raw.startswith(mark):
            return _patiently(raw[len(mark) :], encoding)
    if encoding := wide(raw):
        return _patiently(raw, encoding)
    names = [name for name in (_known(http), _known(declared)) if name]
    if raw.isascii() and not any(name.startswith(_ESCAPING) for name in names):
        return Decoded(raw.decode("ascii"), "ascii")
    others = [name for name in names if name != "utf-8"]
    as_utf8 = _read(raw, "utf-8")
    odd = others and "utf-8" not in names
    if as_utf8 and ("utf-8" in names or not names or len(raw) - len(as_utf8) > _FEW):
        return Decoded(as_utf8, "utf-8", (_differs(others[0], "utf-8"),) if odd else ())
    for name in others:
        if text := _read(raw, name):
            better = _better(raw, name)
            if better != name and (again := _read(raw, better)):
                return Decoded(again, better, (_differs(name, better),))
            return Decoded(text, name)
    return Decoded(as_utf8, "utf-8") if as_utf8 else _guessed(raw, names)


def xml_declared(raw: bytes) -> str:
    """The encoding that an XML declaration names; empty if none."""
    found = re.search(rb"<\?xml[^>]{0,200}?encoding\s*=\s*[\"']([\w.:-]{1,40})", raw[:4000])
    return found[1].decode("ascii") if found else ""


def wide(raw: bytes) -> str:
    """UTF-16 without a mark, as seen by the zero bytes of its first characters; empty if not."""
    head = raw[:4]
    if len(head) == 4 and head[1] == head[3] == 0 and head[0] and head[2]:
        return "utf-16-le"
    if len(head) == 4 and head[0] == head[2] == 0 and head[1] and head[3]:
        return "utf-16-be"
    return ""


def paired(text: str) -> str:
    """The text with `&#xD83D;&#xDE4C;` as the one character that the two halves are of.

    Some programs write a character beyond U+FFFF so, though neither half is one (UTF-16).
    """
    return _HALVES.sub(_character, text) if "&#" in text else text


def _character(found: re.Match[str]) -> str:
    high, low = (int(half[1:], 16) if half[0] in "xX" else int(half) for half in found.groups())
    if not (0xD800 <= high <= 0xDBFF and 0xDC00 <= low <= 0xDFFF):
        return found[0]
    return chr(0x10000 + (high - 0xD800) * 0x400 + low - 0xDC00)


def looks_twice_encoded(text: str) -> bool:
    """Whether a good part of `text` is UTF-8 that somebody read as another encoding and saved."""
    sample = text[:_SAMPLE]
    pairs = len(re.findall(r"[ÃÂÐÑ][\x80-\xbfŠšŽžŸŒœ‚ƒ„…†‡ˆ‰‹›‘’“”•–—˜™°-¿]|â€", sample))
    return pairs > 3 and pairs * 4 > sum(not character.isascii() for character in sample)


def _patiently(raw: bytes, encoding: str) -> Decoded:
    text = raw.decode(encoding, "replace")
    spoilt = text.count("\ufffd")
    return Decoded(text, encoding, (_broken(text, spoilt, encoding),) if spoilt else ())


def _known(name: str) -> str:
    """The encoding's own name, a wider one where that is meant; empty if there is none such."""
    name = name.strip().lower().replace("_", "-")
    try:
        found = codecs.lookup(name).name.replace("_", "-")
    except (LookupError, ValueError):
        return ""
    found = {"iso8859-1": "iso-8859-1", "cp1251": "windows-1251", "cp1252": "windows-1252"}.get(
        found, found
    )
    if found in _NOT_FILES or found.startswith(("utf-16", "utf-32")):
        return ""  # there are no zero bytes
    return _WIDER.get(found, found)


def _read(raw: bytes, encoding: str) -> str:
    try:
        text = raw.decode(encoding)
    except (UnicodeError, LookupError):
        if encoding != "windows-1252":
            return ""
        return raw.decode("latin-1")  # five bytes are free in windows-1252
    return text if isinstance(text, str) else ""


def _better(raw: bytes, declared: str) -> str:
    """The encoding to read in: `declared`, or one in which the text is Cyrillic words."""
    if declared not in (*_CYRILLIC, "windows-1252"):
        return declared
    best = max(_CYRILLIC, key=lambda name: _cyrillic(raw, name))
    if declared == "windows-1252":
        sample = _sample(raw)
        in_rows = sum(map(len, re.findall(rb"[\xc0-\xff]{3,}", sample)))
        # No Western language has three accented letters in a row, again and again.
        western = in_rows * 2 < sum(byte >= 0x80 for byte in sample)
        return declared if western or _cyrillic(raw, best) < 0.6 else best
    return best if _cyrillic(raw, best) > _cyrillic(raw, declared) + 0.2 else declared


def _cyrillic(raw: bytes, encoding: str) -> float:
    """How well the bytes read as Cyrillic: the share of common small letters."""
    text = _sample(raw).decode(encoding, "ignore")
    high = [character for character in text if not character.isascii() and not character.isspace()]
    return sum(character in _COMMON for character in high) / len(high) if high else 0.0


def _sample(raw: bytes) -> bytes:
    """Some of the bytes, from the first on that is not ASCII."""
    first = re.search(rb"[\x80-\xff]", raw)
    begin = first.start() if first else 0
    return raw[begin : begin + _SAMPLE]


def _guessed(raw: bytes, names: list[str]) -> Decoded:
    text = raw.decode("utf-8", "replace")
    spoilt = text.count("\ufffd")
    if spoilt <= max(2, _SPOILT * sum(not character.isascii() for character in text)):
        return Decoded(text, "utf-8", (_broken(text, spoilt, "utf-8"),))
    cyrillic = max(_CYRILLIC, key=lambda name: _cyrillic(raw, name))
    wanted = [cyrillic] if _cyrillic(raw, cyrillic) > 0.6 else []
    for name in (*wanted, "gb18030", "windows-1252"):
        if name == "gb18030" and not _chinese(raw):
            continue
        if found := _read(raw, name):
            said = f"declared as {names[0]}" if names else "not UTF-8, and declared as nothing else"
            return Decoded(found, name, (f"encoding: {said}; read as {name}: look at its words",))
    return Decoded(text, "utf-8", (_broken(text, spoilt, "utf-8"),))


def _chinese(raw: bytes) -> bool:
    """Whether the bytes read as gb18030 are mostly everyday Chinese characters."""
    text = _sample(raw).decode("gb18030", "ignore")
    high = [character for character in text if not character.isascii()]
    everyday = sum(
        "一" <= character <= "龥" or character in "，。、；：？！“”（）《》" for character in high
    )
    return bool(high) and everyday > 0.95 * len(high) and _read(raw, "gb18030") != ""


def _differs(declared: str, found: str) -> str:
    return f"encoding: declared as {declared}, but it is {found}; read as {found}"


def _broken(text: str, spoilt: int, encoding: str) -> str:
    line = text[: text.index("\ufffd")].count("\n") + 1
    return f"line {line}: {spoilt} broken characters, not {encoding}; each is shown as \ufffd"
