"""A mail taken apart: header fields, the parts that are its own, and the mails attached to it.

The standard library's parser calls itself once for each level and each boundary, reads all
of a mail, and raises on fields that occur (`To: unlisted-recipients:; (no To-header on input)`).
A report needs little: its first bytes and, of a long one, its last. Nothing here raises, nothing
goes deeper than `_DEEPEST`, and no more than `MOST_BYTES` are looked at.

Standards: RFC 5322 2.2 (fields), RFC 2045 and 2046 (parts), RFC 6532 (UTF-8 in fields).
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from html import unescape

from mailout.core.inbound.charset import decode_body, decode_text, decode_words

MOST_BYTES = 192 * 1024
"""A report's own words and the head of what it returns stand before that."""
_TAIL_BYTES = 32 * 1024
_HEAD_BYTES = 64 * 1024
_MOST_TEXT = 24 * 1024
_MOST_FIELDS = 400
_MOST_PARTS = 60
_DEEPEST = 8

_FIELD = re.compile(r"([!-9;-~]{1,76})[ \t]{0,9}:[ \t]{0,9}(.*)", re.S)
_PARAMETER = re.compile(
    r';\s{0,20}([\w-]{1,40})\*?0?\*?\s{0,9}=\s{0,9}("[^"]{0,500}"|[^\s;]{1,300})'
)
_TYPE = re.compile(r"\s{0,9}([\w.+-]{1,60}/[\w.+-]{1,60})")
_FIRST_BOUNDARY = re.compile(rb"(?m)^--([^\s\x00-\x1f][^\r\n]{0,120})$")
_PARTS = re.compile(rb"\s{0,20}--[^\s]{1,120}\nContent-Type:", re.I)
_TAG = re.compile(r"<[^<>]{0,2000}>")
_BREAK = re.compile(
    r"(?i)<(?:br|/?p|/?div|/?tr|/?li|/?h\d|/?table|hr|/?blockquote|/?pre)\b[^<>]{0,500}>"
)
_BLANKS = re.compile(r"[ \t\xa0\u200b]{1,200}")
_EMPTY_LINES = re.compile(r"\n[ \t]*(?:\n[ \t]*){2,}")

RETURNED = frozenset(
    {
        "message/rfc822",
        "message/global",
        "message/partial",
        "text/rfc822-headers",
        "text/rfc822-header",
        "text/rfc822",
        "message/rfc822-headers",
        "message/global-headers",
    }
)


@dataclass(frozen=True, slots=True)
class Fields:
    """Header fields by their name in lower case, unfolded; each may stand there many times."""

    by_name: dict[str, list[str]]

    def get(self, name: str) -> str:
        """The first value, its encoded words read; empty if there is none."""
        values = self.by_name.get(name)
        return decode_words(values[0]) if values else ""

    def all(self, name: str) -> list[str]:
        """All values, their encoded words read."""
        return [decode_words(value) for value in self.by_name.get(name, ())]

    def __contains__(self, name: object) -> bool:
        return name in self.by_name

    @property
    def type(self) -> str:
        """`text/plain` and the like, in lower case; that of plain text where none is named."""
        found = _TYPE.match(self.get("content-type"))
        return found[1].lower() if found else "text/plain"

    def parameter(self, name: str) -> str:
        """A parameter of Content-Type, such as `charset`; empty if there is none."""
        for key, value in _PARAMETER.findall(self.get("content-type")[:4000]):
            if key.lower() == name:
                return str(value).strip('"')
        return ""


@dataclass(frozen=True, slots=True)
class Part:
    """One part that holds no other parts: its fields, and its bytes before decoding."""

    fields: Fields
    raw: bytes

    @property
    def type(self) -> str:
        return self.fields.type

    @property
    def body(self) -> bytes:
        """The bytes, decoded."""
        return decode_body(self.raw, self.fields.get("content-transfer-encoding"))

    @property
    def text(self) -> str:
        """The part as text; HTML without its tags."""
        text = decode_text(self.body[: 4 * _MOST_TEXT], self.fields.parameter("charset"))
        if self.type == "text/html" or text.lstrip()[:15].lower().startswith(
            ("<html", "<!doctype html")
        ):
            text = html_as_text(text)
        return text[:_MOST_TEXT]


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail: its fields, its own parts in order, and the parts that hold another mail."""

    fields: Fields
    parts: tuple[Part, ...]
    attached: tuple[Part, ...]
    body: bytes = field(repr=False)

    def of_type(self, *types: str) -> Iterator[Part]:
        """Its own parts of these types."""
        return (part for part in self.parts if part.type in types)


def open_mail(raw: bytes) -> Mail:
    """The mail in `raw`, as far as it can be read."""
    head, body = _split(_cut(raw).replace(b"\r\n", b"\n").replace(b"\r", b"\n").lstrip(b"\n"))
    fields = read_fields(head)
    parts: list[Part] = []
    attached: list[Part] = []
    _walk(fields, body, 0, parts, attached)
    return Mail(fields, tuple(parts), tuple(attached), body)


def _cut(raw: bytes) -> bytes:
    if len(raw) <= MOST_BYTES + _TAIL_BYTES:
        return raw
    # The end matters where a machine's part stands after what is returned: from a boundary on.
    tail = raw[-_TAIL_BYTES:]
    at = tail.find(b"\n--")
    return raw[:MOST_BYTES] + (tail[at:] if at >= 0 else b"")


def _split(raw: bytes) -> tuple[bytes, bytes]:
    if raw.startswith((b"From ", b">From ")):  # the line before a mail in a mbox
        raw = raw.partition(b"\n")[2]
    if raw.startswith(b"\n"):
        return b"", raw[1:]
    head, _, body = raw.partition(b"\n\n")
    return head[:_HEAD_BYTES], body


def read_fields(head: bytes) -> Fields:
    """The fields of a header block; lines that are none are passed over."""
    return fields_of(decode_text(head[:_HEAD_BYTES]))


def fields_of(text: str) -> Fields:
    """The fields in a text, one a line with its continuations."""
    found: dict[str, list[str]] = {}
    logical: list[str] = []
    for line in text.split("\n"):
        if line[:1] in (" ", "\t") and logical:
            logical[-1] += " " + line.strip()
        elif len(logical) >= _MOST_FIELDS:
            break
        else:
            logical.append(line)
    for line in logical:
        match = _FIELD.match(line)
        if match:
            found.setdefault(match[1].lower(), []).append(match[2].strip()[:8000])
    return Fields(found)


def _walk(fields: Fields, body: bytes, depth: int, parts: list[Part], attached: list[Part]) -> None:
    if len(parts) + len(attached) >= _MOST_PARTS:
        return
    kind = fields.type
    if kind in RETURNED:
        attached.append(Part(fields, body))
        return
    # Some mails lost their Content-Type on the way, and have parts all the same.
    has_parts = kind.startswith("multipart/") or (
        not depth and "content-type" not in fields and _PARTS.match(body)
    )
    pieces = list(_pieces(fields, body)) if has_parts else []
    if not pieces or depth >= _DEEPEST:
        parts.append(Part(fields, body))
        return
    for number, piece in enumerate(pieces):
        head, inner = _split(piece)
        inner_fields = read_fields(head)
        if not inner_fields.by_name and head:
            inner = piece  # the blank line before a part's text is missing
        said_already = (
            kind == "multipart/alternative" and number and parts and parts[-1].raw.strip()
        )
        if said_already and inner_fields.type == "text/html":
            continue
        _walk(inner_fields, inner, depth + 1, parts, attached)


def _pieces(fields: Fields, body: bytes) -> Iterator[bytes]:
    """What stands between the boundaries; those that the body really has, if not those named."""
    mark = b"--" + fields.parameter("boundary").encode("utf-8", "replace")
    starts_with = body.startswith(mark)
    if mark == b"--" or not (starts_with or b"\n" + mark in body):
        found = _FIRST_BOUNDARY.search(body[:8000])
        if not found:
            return
        mark = b"--" + found[1].rstrip()
        starts_with = body.startswith(mark)
    at = 0 if starts_with else body.find(b"\n" + mark) + 1
    for _ in range(_MOST_PARTS):
        start = body.find(b"\n", at) + 1
        line = body[at : start or len(body)].strip()
        if not start or line == mark + b"--":
            return
        end = body.find(b"\n" + mark, start - 1)
        yield body[start : end if end >= 0 else len(body)]
        if end < 0:
            return
        at = end + 1


def html_as_text(html: str) -> str:
    """The words of HTML, a line for each block. No more than a report needs."""
    for name in ("style", "script", "head", "title"):
        html = _without(html, name)
    html = html.replace("\r", "").replace("\n", " ")
    text = unescape(_TAG.sub("", _BREAK.sub("\n", html)))
    lines = (_BLANKS.sub(" ", line).strip() for line in text.split("\n"))
    return _EMPTY_LINES.sub("\n\n", "\n".join(lines))


def _without(html: str, name: str) -> str:
    lowered = html.lower()
    if len(lowered) != len(html):
        lowered = html  # a letter that changes its length: then only small tags are seen
    kept: list[str] = []
    at = 0
    while (start := lowered.find(f"<{name}", at)) >= 0 and len(kept) < 50:
        if lowered[start + len(name) + 1 : start + len(name) + 2].isalpha():  # <header>
            kept.append(html[at : start + 1])
            at = start + 1
            continue
        kept.append(html[at:start])
        end = lowered.find(f"</{name}", start)
        at = len(html) if end < 0 else max(lowered.find(">", end) + 1, end + 1)
    return "".join(kept) + html[at:]
