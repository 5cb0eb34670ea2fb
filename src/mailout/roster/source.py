"""The source: a file whose every byte has been seen, with its hash and its encoding.

1. A byte order mark says the encoding; else zero bytes do (UTF-16).
2. What is valid UTF-8 is UTF-8: other encodings do not look so by chance.
3. Else, if most of its letters are no UTF-8 at all, it is of one of the encodings with one byte
   a letter, and which one is told by its words: Cyrillic ones read as such in cp1251 or koi8-r,
   single accented letters among plain ones are Western. The report says what was guessed.
4. Else it is UTF-8 with broken bytes, or two encodings in one file: refused, with the place.
"""

from __future__ import annotations

import codecs
import hashlib
import re
from dataclasses import dataclass
from typing import BinaryIO

from mailout.core.errors import BadFile, UsageError, place
from mailout.core.ingest.charset import BOMS, wide
from mailout.roster.reading import shown

_BLOCK = 1 << 18
_BEGINNING = 1 << 16  # bytes that tell UTF-16
_SAMPLE = 400_000  # bytes around letters that are not ASCII: enough to tell how they read
# Python knows these as encodings of text; no file is written in them.
_NOT_FILES = frozenset({"idna", "punycode", "unicode-escape", "raw-unicode-escape", "utf-7"})
_HIGH = re.compile(rb"[\x80-\xff]+")
_AS_UTF8 = re.compile(
    rb"[\xc2-\xdf][\x80-\xbf]|[\xe0-\xef][\x80-\xbf]{2}|[\xf0-\xf4][\x80-\xbf]{3}"
)
_WORD = re.compile(rb"[A-Za-z\x80-\xff]*[\x80-\xff][A-Za-z\x80-\xff]*")
_CUT = "the file ends within a letter"
_CYRILLIC = ("cp1251", "koi8-r")
_COMMON = frozenset("оеаинтсрвлкмдпуяызьбгчйхжшюцщэфёіїєґўәғқңөұүһ")


@dataclass(frozen=True, slots=True)
class Source:
    """A file and how it is to be read. `skip` is the length of its mark; `guessed`, that its
    encoding was told by its words alone."""

    file: BinaryIO
    shown: str
    size: int
    sha256: str
    encoding: str
    skip: int
    guessed: bool = False

    def fraction(self) -> float:
        """How much of the file was read so far, 0 to 1."""
        return min(1.0, self.file.tell() / self.size) if self.size else 1.0


def inspect(file: BinaryIO, shown_as: str, encoding: str = "") -> Source:
    """The file with its hash and its encoding; `encoding` overrides what its bytes say.

    `file` can be sought in. Raises: BadFile naming line and byte where it is not text;
    UsageError for an unknown encoding.
    """
    file.seek(0)
    head = file.read(_BEGINNING)
    if encoding:
        found, skip = _named(encoding, head)
    else:
        found, skip = _by_mark(head)
        found = found or _wide(head) or "utf-8"
    guessed = False
    try:
        size, sha256 = _scan(file, shown_as, found, skip)
    except BadFile as error:
        cut = error.what.startswith(_CUT)  # within its last letter: UTF-8 it is
        other = "" if cut or found != "utf-8" or encoding or skip else _guess(file)
        if not other:
            raise
        found, guessed = other, True
        size, sha256 = _scan(file, shown_as, found, skip)
    return Source(file, shown_as, size, sha256, found, skip, guessed)


def hashed(file: BinaryIO, shown_as: str, kind: str) -> Source:
    """A file that is no text (`kind` stands for its encoding), with its hash."""
    file.seek(0)
    digest, size = hashlib.sha256(), 0
    for block in iter(lambda: file.read(_BLOCK), b""):
        digest.update(block)
        size += len(block)
    return Source(file, shown_as, size, digest.hexdigest(), kind, 0)


def _scan(file: BinaryIO, shown_as: str, encoding: str, skip: int) -> tuple[int, str]:
    """The size of the file and its hash. Raises: BadFile where it is not of this encoding."""
    digest, size, lines, before = hashlib.sha256(), 0, 0, 0
    decoder = codecs.getincrementaldecoder(encoding)()
    file.seek(0)
    try:
        for block in iter(lambda: file.read(_BLOCK), b""):
            digest.update(block)
            body = block[skip:] if not size else block
            before = size + (len(block) - len(body)) - len(decoder.getstate()[0])
            size += len(block)
            lines += decoder.decode(body).count("\n")
        before = size - len(decoder.getstate()[0])
        decoder.decode(b"", final=True)
    except UnicodeError as error:
        raise _not_text(error, shown_as, encoding, lines, before) from None
    return size, digest.hexdigest()


def _by_mark(head: bytes) -> tuple[str, int]:
    for mark, encoding in BOMS:
        if head.startswith(mark):
            return encoding, len(mark)
    return "", 0


def _wide(head: bytes) -> str:
    """UTF-16 without a mark, as seen by where the zero bytes are; empty if not. The names of the
    columns may have none, addresses have: of an ASCII character every other byte is zero."""
    low, high = head[0::2].count(0), head[1::2].count(0)
    for encoding, zeros, others in (("utf-16-le", high, low), ("utf-16-be", low, high)):
        if zeros * 20 > len(head) and others * 100 < zeros:
            return encoding
    return wide(head)


def _named(encoding: str, head: bytes) -> tuple[str, int]:
    try:
        name = codecs.lookup(encoding).name
        if name.replace("_", "-") in _NOT_FILES:
            raise LookupError
        "a".encode(name)  # refuses what is no encoding of text, such as base64
        codecs.getincrementaldecoder(name)
    except (LookupError, UnicodeError, ValueError, AttributeError):
        raise UsageError(
            f"there is no encoding `{shown(encoding)}`",
            where="--encoding",
            fix="Known are for example utf-8, utf-16, cp1251, koi8-r, cp1252 and latin-1.",
        ) from None
    marked, skip = _by_mark(head)
    plain = name.removesuffix("-sig").replace("_", "-")
    if skip and (marked == plain or marked.startswith(plain + "-")):
        return marked, skip
    if name == "utf-16":
        return _wide(head) or "utf-16-le", 0
    return {"utf-8-sig": "utf-8", "utf-32": "utf-32-le"}.get(name, name), 0


def _guess(file: BinaryIO) -> str:
    """The encoding of a file that is not UTF-8, by its words; empty if they do not tell."""
    words = _words(file)
    high = sum(map(len, _HIGH.findall(words)))
    if not high or sum(map(len, _AS_UTF8.findall(words))) > high // 3:
        return ""  # no words, or UTF-8 that is broken somewhere
    best = max(_CYRILLIC, key=lambda name: _cyrillic(words, name))
    in_rows = sum(len(run) for run in _HIGH.findall(words) if len(run) >= 3)
    if in_rows * 2 >= high:  # no Western language has three accented letters in a row all the time
        text = words.decode(best, "replace").lower()
        letters = [c for c in text if not c.isascii()]
        return best if sum(c in _COMMON for c in letters) >= 0.8 * len(letters) else ""
    # One letter among plain ones. In latin-1 0x80 to 0x9f are controls: then it is cp1252.
    text = words.decode("cp1252", "replace")
    strange = [c for c in text if not c.isascii() and not c.isalpha() and c not in "‘’“”–—…"]
    alone = all(len(word) == 1 for word in words.split() if word)
    return "" if alone or len(strange) * 4 > high else "cp1252"


def _words(file: BinaryIO) -> bytes:
    """The first words of the file with a letter that is not ASCII, apart by blanks."""
    file.seek(0)
    found: list[bytes] = []
    size = 0
    for block in iter(lambda: file.read(_BLOCK), b""):
        for word in _WORD.findall(block):
            found.append(word[:100])
            size += len(word)
        if size > _SAMPLE:
            break
    return b" ".join(found)


def _cyrillic(words: bytes, encoding: str) -> float:
    """How well the bytes read as Cyrillic: the share of common small letters."""
    high = [c for c in words.decode(encoding, "replace") if not c.isascii()]
    return sum(c in _COMMON for c in high) / len(high) if high else 0.0


def _not_text(error: UnicodeError, shown_as: str, encoding: str, lines: int, at: int) -> BadFile:
    what, line = f"this is not {encoding}", lines + 1
    if isinstance(error, UnicodeDecodeError):
        at += error.start
        before = error.object[: error.start].decode(encoding, "replace")
        line += before.count("\n")
        if error.reason == "unexpected end of data":
            what = f"{_CUT} (byte {at + 1})"
        elif error.start < len(error.object):
            what = f"byte {at + 1} (0x{error.object[error.start]:02x}) is not {encoding}"
    return BadFile(
        what,
        where=place(shown_as, line),
        fix="Save the file as UTF-8, or say what it is with --encoding "
        "(cp1251, koi8-r, cp1252, latin-1 ..).",
    )
